/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real captures, metered and counted a second time in another way: a plain libpcap
 * loop with a parser of its own; and flows as Tstat logs them
 * (tests/data/flows-expected.tsv).  SONDE_CAPTURES names another directory.
 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/capture/file.h"
#include "meter/meter.h"
#include "meter/output/row.h"

#define FLOWS_MAX 20000

struct tally {
	uint64_t packets, bytes;
};

/* What the meter found in one capture. */
static struct found {
	uint8_t protocol;
	char c_ip[SN_FLOW_ADDRESS_MAX], s_ip[SN_FLOW_ADDRESS_MAX];
	unsigned c_port, s_port;
	uint64_t packets[2], payload[2];
} found[FLOWS_MAX];
static size_t found_count;
static struct tally metered[256];
static struct sn_meter_stats stats;

static const char *captures(void)
{
	const char *directory = getenv("SONDE_CAPTURES");

	return directory != NULL ? directory : SN_TEST_DATA "/pcap";
}

static void keep(const struct sn_flow *flow, enum sn_flow_end end SN_UNUSED, void *ctx SN_UNUSED)
{
	struct found *slot = &found[found_count];

	/* The reference has no records of connections that began before the capture. */
	if (!flow->mid_stream)
		found_count++;
	assert_true(found_count < FLOWS_MAX);
	*slot = (struct found){.protocol = flow->key.protocol,
			       .c_port = sn_flow_port(flow, SN_CLIENT),
			       .s_port = sn_flow_port(flow, SN_SERVER)};
	sn_flow_side_text(flow, SN_CLIENT, slot->c_ip);
	sn_flow_side_text(flow, SN_SERVER, slot->s_ip);
	for (unsigned side = 0; side < 2; side++) {
		slot->packets[side] = flow->side[side].packets;
		slot->payload[side] = flow->side[side].payload;
		metered[flow->key.protocol].packets += flow->side[side].packets;
		metered[flow->key.protocol].bytes += flow->side[side].bytes;
	}
}

static void meter_capture(const char *path)
{
	struct sn_meter_options options;
	struct sn_meter *meter;
	struct sn_capture_file *file = NULL;
	struct sn_packet packets[64];
	struct sn_err err;
	int count;

	sn_meter_options_default(&options);
	options.tunnels_max = 0; /* the second count enters none */
	meter = sn_meter_create(&options, keep, NULL);
	found_count = 0;
	memset(metered, 0, sizeof(metered));
	if (sn_capture_file_open(path, &file, &err) != 0)
		fail_msg("%s", err.text);
	while ((count = sn_capture_file_read(file, packets, 64, &err)) > 0)
		sn_meter_packets(meter, sn_capture_file_link(file), packets, (size_t)count, 0);
	if (count < 0)
		fail_msg("%s", err.text);
	sn_meter_flush(meter);
	sn_meter_read_stats(meter, &stats);
	sn_capture_file_close(file);
	sn_meter_destroy(meter);
}

/* The second count -------------------------------------------------------- */

static unsigned get16(const u_char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Where IP begins; 0 if nowhere we know. */
static size_t find_ip(int link, const u_char *p, size_t n)
{
	size_t at = link == DLT_EN10MB ? 14 : link == DLT_LINUX_SLL ? 16 : link == DLT_NULL ? 4 : 0;

	if (link == DLT_PPP)
		at = p[0] == 0xff ? 4 : 2;
	if (link == DLT_RAW || link == DLT_NULL || link == DLT_PPP)
		return at;
	while (at + 8 <= n) {
		unsigned type = get16(p + at - 2);

		if (type == 0x8100 || type == 0x88a8) {
			at += 4;
		} else if (type == 0x8847) {
			while (at + 4 < n && (p[at + 2] & 1) == 0)
				at += 4;
			return at + 4;
		} else if (type == 0x8864) {
			return get16(p + at + 6) == 0x21 || get16(p + at + 6) == 0x57 ? at + 8 : 0;
		} else {
			return type == 0x0800 || type == 0x86dd ? at : 0;
		}
	}
	return 0;
}

/* Protocol number and length of the IP packet; false if there is none. */
static bool parse_ip(const u_char *p, size_t n, uint8_t *protocol, uint64_t *bytes)
{
	if (n >= 20 && p[0] >> 4 == 4) {
		*protocol = p[9];
		*bytes = get16(p + 2);
		return true;
	}
	if (n < 40 || p[0] >> 4 != 6)
		return false;
	*protocol = p[6];
	*bytes = 40 + get16(p + 4);
	for (size_t at = 40; at + 8 <= n; at += 8 * (1 + (size_t)p[at + 1])) {
		bool later = *protocol == 44 && (get16(p + at + 2) & 0xfff8) != 0;

		if (*protocol != 0 && *protocol != 43 && *protocol != 44 && *protocol != 60)
			return true;
		*protocol = p[at];
		if (later)
			return true;
	}
	return true;
}

struct second {
	struct tally protocols[256];
	uint64_t packets;
	int64_t first_ns, last_ns;
};

static void count_again(const char *path, struct second *second)
{
	char reason[PCAP_ERRBUF_SIZE];
	pcap_t *pcap =
		pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, reason);
	struct pcap_pkthdr *header;
	const u_char *data;

	*second = (struct second){.first_ns = INT64_MAX, .last_ns = INT64_MIN};
	assert_non_null(pcap);
	while (pcap_next_ex(pcap, &header, &data) == 1) {
		size_t at = find_ip(pcap_datalink(pcap), data, header->caplen);
		int64_t time_ns = header->ts.tv_sec * SN_NS_PER_S + header->ts.tv_usec;
		uint8_t protocol;
		uint64_t bytes;

		second->packets++;
		second->first_ns = SN_MIN(second->first_ns, time_ns);
		second->last_ns = SN_MAX(second->last_ns, time_ns);
		if (at > header->caplen || (at == 0 && pcap_datalink(pcap) != DLT_RAW) ||
		    !parse_ip(data + at, header->caplen - at, &protocol, &bytes))
			continue;
		second->protocols[protocol].packets++;
		second->protocols[protocol].bytes += bytes;
	}
	pcap_close(pcap);
}

static bool is_metered(size_t protocol)
{
	return protocol == SN_PROTO_TCP || protocol == SN_PROTO_UDP || protocol == SN_PROTO_ICMP ||
	       protocol == SN_PROTO_ICMP6;
}

/* Packets of protocols we meter that are in no flow nevertheless. */
static uint64_t left_out(void)
{
	return stats.all.packets - stats.skipped[SN_SKIP_NOT_IP].packets -
	       stats.skipped[SN_SKIP_PROTOCOL].packets - metered[SN_PROTO_TCP].packets -
	       metered[SN_PROTO_UDP].packets - metered[SN_PROTO_ICMP].packets -
	       metered[SN_PROTO_ICMP6].packets;
}

static void compare_counts(const char *path)
{
	struct second second;
	uint64_t difference = 0;

	meter_capture(path);
	count_again(path, &second);
	assert_int_equal(stats.all.packets, second.packets);
	if (stats.all.packets > 0)
		assert_true(stats.first_ns == second.first_ns && stats.last_ns == second.last_ns);
	for (size_t i = 0; i < 256; i++) {
		if (!is_metered(i))
			continue;
		difference += second.protocols[i].packets - metered[i].packets;
		if (left_out() == 0 && metered[i].bytes != second.protocols[i].bytes)
			fail_msg("%s: protocol %zu has %" PRIu64 " bytes, metered %" PRIu64, path,
				 i, second.protocols[i].bytes, metered[i].bytes);
	}
	/* A header that is cut off itself hides its protocol from the second count, too. */
	if (difference > left_out() || left_out() > 2 + stats.skipped[SN_SKIP_LATE].packets)
		fail_msg("%s: %" PRIu64 " packets are missing, %" PRIu64 " have a reason", path,
			 difference, left_out());
}

static void each_packet_and_byte_is_in_a_flow(void **state SN_UNUSED)
{
	DIR *dir = opendir(captures());
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		sn_autofree char *path = NULL;

		if (strstr(entry->d_name, ".pcap") == NULL)
			continue;
		path = sn_xasprintf("%s/%s", captures(), entry->d_name);
		compare_counts(path);
		count++;
	}
	closedir(dir);
	assert_in_range(count, 40, 1000);
}

/* Flows as the reference sees them ---------------------------------------- */

struct expected {
	char capture[64], protocol[8], c_ip[SN_FLOW_ADDRESS_MAX], s_ip[SN_FLOW_ADDRESS_MAX];
	unsigned c_port, s_port, records;
	uint64_t packets[2], payload[2];
	char note[16];
};

static bool parse_expected(const char *line, struct expected *expected)
{
	return line[0] != '#' &&
	       sscanf(line,
		      "%63s %7s %45s %u %45s %u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		      " %u %15s",
		      expected->capture, expected->protocol, expected->c_ip, &expected->c_port,
		      expected->s_ip, &expected->s_port, &expected->packets[0],
		      &expected->packets[1], &expected->payload[0], &expected->payload[1],
		      &expected->records, expected->note) == 12;
}

static bool is_same(const struct found *flow, const struct expected *expected)
{
	return strcmp(sn_flow_protocol_name(flow->protocol), expected->protocol) == 0 &&
	       flow->c_port == expected->c_port && flow->s_port == expected->s_port &&
	       strcmp(flow->c_ip, expected->c_ip) == 0 && strcmp(flow->s_ip, expected->s_ip) == 0;
}

static void compare_flow(const struct expected *expected)
{
	bool equal = strcmp(expected->note, "-") == 0, more = strcmp(expected->note, "more") == 0;
	uint64_t packets[2] = {0}, payload[2] = {0};
	unsigned records = 0;

	for (size_t i = 0; i < found_count; i++) {
		if (!is_same(&found[i], expected))
			continue;
		records++;
		for (unsigned side = 0; side < 2; side++) {
			packets[side] += found[i].packets[side];
			payload[side] += found[i].payload[side];
		}
	}
	for (unsigned side = 0; side < 2; side++) {
		if (packets[side] < expected->packets[side] ||
		    (equal && packets[side] != expected->packets[side]) ||
		    payload[side] < expected->payload[side] ||
		    (!more && payload[side] != expected->payload[side]))
			fail_msg("%s: %s %s:%u > %s:%u differs: side %u has %" PRIu64
				 " packets, %" PRIu64 " bytes",
				 expected->capture, expected->protocol, expected->c_ip,
				 expected->c_port, expected->s_ip, expected->s_port, side,
				 packets[side], payload[side]);
	}
	/* The reference looks for idle flows only when a new one begins. */
	if (strcmp(expected->protocol, "tcp") == 0)
		assert_int_equal(records, expected->records);
}

static void flows_are_those_of_the_reference(void **state SN_UNUSED)
{
	FILE *file = fopen(SN_TEST_DATA "/flows-expected.tsv", "r");
	char line[512], now[64] = "";
	unsigned compared = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		struct expected expected;

		if (!parse_expected(line, &expected))
			continue;
		if (strcmp(now, expected.capture) != 0) {
			sn_autofree char *path =
				sn_xasprintf("%s/pcap/%s.pcap", SN_TEST_DATA, expected.capture);

			strcpy(now, expected.capture);
			meter_capture(path);
		}
		compare_flow(&expected);
		compared++;
	}
	fclose(file);
	assert_in_range(compared, 150, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_packet_and_byte_is_in_a_flow),
		cmocka_unit_test(flows_are_those_of_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
