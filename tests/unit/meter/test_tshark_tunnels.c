/* SPDX-License-Identifier: Apache-2.0 */
/* Lengths of real packets in tunnels, beside those that tshark tells. */
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "meter/capture/file.h"
#include "nested.h"

static bool tshark_is_here(void)
{
	return system("tshark --version >/dev/null 2>&1") == 0;
}

/* The `wanted`-th number (from 1) of a list with commas between. */
static unsigned long pick(const char *list, unsigned wanted)
{
	for (; wanted > 1 && strchr(list, ',') != NULL; wanted--)
		list = strchr(list, ',') + 1;
	return strtoul(list, NULL, 10);
}

/*
 * "eth:ethertype:ip:gre:ip:udp:..." and the lengths of all IPv4 and IPv6 headers: the length of the
 * packet that the first transport header is in; 0 if there is none.  What comes behind is quoted by
 * ICMP, or payload.
 */
static unsigned long metered_bytes(char *line)
{
	char *protocols = strsep(&line, "\t"), *v4 = strsep(&line, "\t"), *v6 = line, *word;
	unsigned n4 = 0, n6 = 0;
	bool is_v6 = false;

	while ((word = strsep(&protocols, ":")) != NULL) {
		if (strcmp(word, "ip") == 0 || strcmp(word, "ipv6") == 0) {
			is_v6 = word[2] != '\0';
			n4 += !is_v6;
			n6 += is_v6;
		}
		if (strcmp(word, "tcp") == 0 || strcmp(word, "udp") == 0 ||
		    strcmp(word, "icmp") == 0 || strcmp(word, "icmpv6") == 0)
			return is_v6 ? 40 + pick(v6, n6) : pick(v4, n4);
	}
	return 0;
}

/* Copies the packets of a capture into one file, so that the other program starts only once. */
static void append_capture(const char *name, FILE *out)
{
	struct sn_capture_file *file = NULL;
	struct sn_packet packet;
	struct sn_err err;
	char path[256];

	snprintf(path, sizeof(path), "%s/pcap/%s", SN_TEST_DATA, name);
	if (sn_capture_file_open(path, &file, &err) != 0)
		fail_msg("%s", err.text);
	while (sn_capture_file_read(file, &packet, 1, &err) == 1) {
		uint32_t header[] = {0, 0, packet.captured, packet.length};

		fwrite(header, sizeof(header), 1, out);
		fwrite(packet.data, packet.captured, 1, out);
	}
	sn_capture_file_close(file);
}

static void write_captures(char *path)
{
	static const char *const captures[] = {"gre-in-gre.pcap",
					       "6in4.pcap",
					       "teredo.pcap",
					       "vlan-mpls.pcap",
					       "http-qinq.pcap",
					       "pppoe.pcap",
					       "http-vlan.pcap",
					       "mixed.pcap",
					       "ipv6-http-atomic-frag.pcap",
					       "ipv4-fragments.pcap",
					       "web-wikipedia.pcap",
					       "ipv6-fragmented-dns.pcap",
					       "ftp-ipv6.pcap",
					       "tcp-truncated-header.pcap"};
	uint32_t header[] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 262144, 1};
	FILE *out = fdopen(mkstemp(path), "wb");

	assert_non_null(out);
	fwrite(header, sizeof(header), 1, out);
	for (size_t i = 0; i < SN_COUNT(captures); i++)
		append_capture(captures[i], out);
	assert_int_equal(fclose(out), 0);
}

static FILE *ask_tshark(const char *path)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "tshark -n -r '%s' -o ip.defragment:false -o ipv6.defragment:false -T fields "
		 "-e frame.protocols -e ip.len -e ipv6.plen 2>/dev/null",
		 path);
	return popen(command, "r");
}

static void each_packet_of_real_captures_agrees_with_tshark(void **state SN_UNUSED)
{
	char path[] = "/tmp/sonde-test-XXXXXX", line[4096];
	struct sn_capture_file *file = NULL;
	unsigned long packets = 0, metered = 0;
	struct sn_packet packet;
	struct sn_err err;
	FILE *theirs;

	if (!tshark_is_here()) {
		print_message("skipped: there is no tshark to compare with\n");
		skip();
	}
	write_captures(path);
	theirs = ask_tshark(path);
	assert_non_null(theirs);
	assert_int_equal(sn_capture_file_open(path, &file, &err), 0);
	while (sn_capture_file_read(file, &packet, 1, &err) == 1) {
		bool ours = sn_decode(packet.link, SN_DECODE_TUNNELS_MAX, &packet, &decoded) ==
				    SN_SKIP_NONE &&
			    decoded.has_transport;

		packets++;
		metered += ours;
		assert_non_null(fgets(line, sizeof(line), theirs));
		if (metered_bytes(line) != (ours ? decoded.ip_bytes : 0))
			fail_msg("packet %lu: %u bytes here, there: %s", packets,
				 ours ? decoded.ip_bytes : 0, line);
	}
	assert_null(fgets(line, sizeof(line), theirs));
	pclose(theirs);
	sn_capture_file_close(file);
	unlink(path);
	print_message("%lu packets, %lu metered\n", packets, metered);
	assert_true(metered > 1000);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_packet_of_real_captures_agrees_with_tshark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
