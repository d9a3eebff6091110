/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/codec.h"
#include "meter/meter.h"
#include "meter/output/hosts.h"
#include "meter/output/row.h"
#include "meter/output/summary.h"
#include "meter/output/writer.h"
#include "packets.h"

#define T0 (1700000000 * SN_NS_PER_S)
#define MS SN_NS_PER_MS

enum { SYN = SN_TCP_SYN, ACK = SN_TCP_ACK, FIN = SN_TCP_FIN, RST = SN_TCP_RST };

static struct sn_batch *batch;
static struct sn_summary *summary;
static struct sn_flow_writer *writer;
static struct sn_meter *meter;

static void take(const struct sn_flow *flow, enum sn_flow_end end, void *ctx SN_UNUSED)
{
	sn_flow_row(batch, flow, end, "eth0");
	sn_summary_add(summary, flow, end);
	if (writer != NULL)
		sn_flow_writer_add(writer, flow, end, "eth0");
}

static int start(void **state SN_UNUSED)
{
	struct sn_meter_options options;

	sn_meter_options_default(&options);
	meter = sn_meter_create(&options, take, NULL);
	batch = sn_batch_create(&sn_dataset_flow);
	summary = sn_summary_create(5);
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	sn_meter_destroy(meter);
	sn_batch_destroy(batch);
	sn_summary_destroy(summary);
	sn_flow_writer_destroy(writer);
	writer = NULL;
	return 0;
}

static void give(struct frame f, int64_t time_ns)
{
	struct sn_packet packet = frame_packet(&f);

	packet.time_ns = time_ns;
	sn_meter_packets(meter, DLT_EN10MB, &packet, 1, 0);
}

static void give_tcp(bool from_client, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t payload,
		     int64_t time_ns)
{
	const char *client = "198.51.100.7", *server = "192.0.2.1";
	struct segment segment = {.sport = from_client ? 40000 : 443,
				  .dport = from_client ? 443 : 40000,
				  .seq = seq,
				  .ack = ack,
				  .flags = flags,
				  .payload = payload};

	give(tcp_frame(from_client ? client : server, from_client ? server : client, &segment),
	     time_ns);
}

static void give_connection(void)
{
	give_tcp(true, SYN, 10, 0, 0, T0);
	give_tcp(false, SYN | ACK, 20, 11, 0, T0 + 10 * MS);
	give_tcp(true, ACK, 11, 21, 0, T0 + 15 * MS);
	give_tcp(true, ACK | SN_TCP_PSH, 11, 21, 500, T0 + 30 * MS);
	give_tcp(false, FIN | ACK, 21, 511, 70, T0 + 40 * MS);
	give_tcp(true, FIN | ACK, 511, 92, 0, T0 + 50 * MS);
	give_tcp(false, ACK, 92, 512, 0, T0 + 60 * MS);
}

static const struct sn_value *value(size_t row, const char *column)
{
	int index = sn_dataset_column(&sn_dataset_flow, column);

	assert_true(index >= 0);
	return sn_batch_get(batch, row, index);
}

static void expect_text(size_t row, const char *column, const char *text)
{
	assert_int_equal(value(row, column)->type, SN_TYPE_TEXT);
	if (!sn_str_eqc(value(row, column)->s, text))
		fail_msg("%s is '%.*s', not '%s'", column, (int)value(row, column)->s.n,
			 value(row, column)->s.p, text);
}

static void expect_i64(size_t row, const char *column, int64_t number)
{
	assert_int_equal(value(row, column)->type, SN_TYPE_I64);
	assert_int_equal(value(row, column)->i, number);
}

static void expect_f64(size_t row, const char *column, double number)
{
	assert_int_equal(value(row, column)->type, SN_TYPE_F64);
	assert_float_equal(value(row, column)->f, number, 1e-12);
}

static void expect_null(size_t row, const char *column)
{
	assert_int_equal(value(row, column)->type, SN_TYPE_NULL);
}

static void a_connection_fills_every_column(void **state SN_UNUSED)
{
	give_connection();
	sn_meter_flush(meter);
	assert_int_equal(sn_batch_rows(batch), 1);
	assert_true(value(0, "time")->i == T0);
	assert_true(value(0, "last_time")->i == T0 + 60 * MS);
	expect_f64(0, "duration_seconds", 0.06);
	expect_text(0, "c_ip", "198.51.100.7");
	expect_i64(0, "c_port", 40000);
	expect_text(0, "s_ip", "192.0.2.1");
	expect_i64(0, "s_port", 443);
	expect_text(0, "protocol", "tcp");
	expect_text(0, "interface", "eth0");
	expect_i64(0, "c_packets", 4);
	expect_i64(0, "s_packets", 3);
	expect_i64(0, "c_bytes", 4 * 40 + 500);
	expect_i64(0, "s_bytes", 3 * 40 + 70);
	expect_i64(0, "c_payload_bytes", 500);
	expect_i64(0, "s_payload_bytes", 70);
	expect_f64(0, "s_handshake_rtt_seconds", 0.010);
	expect_f64(0, "c_handshake_rtt_seconds", 0.005);
	expect_f64(0, "handshake_rtt_seconds", 0.015);
	expect_text(0, "tcp_flags", "FSPA");
	expect_text(0, "state", "complete");
	expect_text(0, "end", "closed");
	expect_null(0, "node");
	expect_null(0, "task");
	expect_null(0, "seq");
}

static void states_tell_how_much_was_seen(void **state SN_UNUSED)
{
	give_tcp(true, SYN, 10, 0, 0, T0);
	give_tcp(false, SYN | ACK, 20, 11, 0, T0 + MS);
	sn_meter_flush(meter);
	expect_text(0, "state", "open");
	expect_text(0, "end", "end");
	give_tcp(true, SYN, 10, 0, 0, T0 + 2 * MS);
	give_tcp(false, RST | ACK, 0, 11, 0, T0 + 3 * MS);
	sn_meter_flush(meter);
	expect_text(1, "state", "reset");
	give_tcp(true, ACK, 10, 10, 5, T0 + 4 * MS);
	sn_meter_flush(meter);
	expect_text(2, "state", "partial");
	expect_null(2, "handshake_rtt_seconds");
}

static void datagrams_have_no_tcp_columns(void **state SN_UNUSED)
{
	give(udp_frame("2001:db8::1", 5353, "ff02::fb", 5353, 40), T0);
	sn_meter_flush(meter);
	expect_text(0, "c_ip", "2001:db8::1");
	expect_text(0, "s_ip", "ff02::fb");
	expect_text(0, "protocol", "udp");
	expect_null(0, "state");
	expect_null(0, "tcp_flags");
	expect_null(0, "handshake_rtt_seconds");
}

static void icmp_has_identifier_and_type_as_ports(void **state SN_UNUSED)
{
	/* The request comes from the numerically higher address. */
	give(icmp_frame("192.0.2.9", "192.0.2.1", 8, 0, 77, 56), T0);
	give(icmp_frame("192.0.2.1", "192.0.2.9", 0, 0, 77, 56), T0 + MS);
	give(icmp_frame("2001:db8::2", "2001:db8::1", 1, 4, 0, 48), T0);
	sn_meter_flush(meter);
	expect_text(0, "c_ip", "192.0.2.9");
	expect_i64(0, "c_port", 77);
	expect_i64(0, "s_port", 8 * 256);
	expect_i64(0, "s_packets", 1);
	expect_text(1, "protocol", "icmp6");
	expect_null(1, "c_port");
	expect_i64(1, "s_port", 256 + 4);
}

static char *read_all(int fd)
{
	char *text = calloc(1, 100000);

	lseek(fd, 0, SEEK_SET);
	assert_true(read(fd, text, 99999) >= 0);
	close(fd);
	return text;
}

static int scratch_file(void)
{
	char path[] = "/tmp/sonde-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

/* What is written is what a reader of the dataset reads back. */
static void written_rows_are_read_back(void **state SN_UNUSED)
{
	for (int format = SN_FLOW_JSON; format <= SN_FLOW_CSV; format++) {
		struct sn_batch *back = sn_batch_create(&sn_dataset_flow);
		int fd = scratch_file();
		struct sn_err err;
		char *text;

		sn_batch_clear(batch);
		writer = sn_flow_writer_create(fd, "file", (enum sn_flow_format)format);
		give_connection();
		give(udp_frame("2001:db8::1", 5353, "ff02::fb", 5353, 40), T0 + MS);
		sn_meter_flush(meter);
		assert_int_equal(sn_flow_writer_flush(writer, &err), 0);
		text = read_all(fd);
		if (format == SN_FLOW_JSON)
			assert_int_equal(sn_jsonl_read(back, sn_str(text), 10, &err), 0);
		else
			assert_int_equal(sn_csv_read(back, sn_str(text), 10, &err), 0);
		assert_int_equal(sn_batch_rows(back), 2);
		for (size_t row = 0; row < 2; row++)
			for (size_t i = 0; i < sn_dataset_flow.column_count; i++)
				assert_int_equal(sn_batch_get(back, row, (int)i)->type,
						 sn_batch_get(batch, row, (int)i)->type);
		sn_batch_destroy(back);
		sn_flow_writer_destroy(writer);
		writer = NULL;
		free(text);
	}
}

static void a_full_disk_is_an_error_that_names_the_file(void **state SN_UNUSED)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct sn_err err;

	assert_true(fd >= 0);
	writer = sn_flow_writer_create(fd, "flows.json", SN_FLOW_JSON);
	give_connection();
	sn_meter_flush(meter);
	assert_int_equal(sn_flow_writer_flush(writer, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "'flows.json'"));
	assert_int_equal(sn_flow_writer_flush(writer, &err), -ENOSPC);
	close(fd);
}

static const char *summary_text(const struct sn_ring_stats *ring)
{
	static struct sn_buf text;
	struct sn_meter_stats stats;
	struct sn_summary_facts facts = {.source = "test", .meter = &stats, .ring = ring};

	sn_meter_read_stats(meter, &stats);
	sn_buf_clear(&text);
	sn_summary_write(summary, &facts, &text);
	return sn_buf_cstr(&text);
}

static void expect_in(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("'%s' is missing in:\n%s", part, text);
}

static void the_summary_shows_totals_talkers_and_losses(void **state SN_UNUSED)
{
	struct sn_ring_stats ring = {.seen = 1000, .dropped = 10};
	struct frame arp = {.n = 0};
	const char *text;

	put_ethernet(&arp, 0x0806);
	put_zeros(&arp, 28);
	give(arp, T0);
	give_connection();
	for (uint16_t port = 1; port <= 7; port++)
		give(udp_frame("192.0.2.1", port, "192.0.2.2", 53, 10), T0);
	sn_meter_flush(meter);
	text = summary_text(&ring);
	expect_in(text, "packets   15, ");
	expect_in(text, "flows     8 reported, at most 8 at once");
	expect_in(text, "tcp                1            7        850 B");
	expect_in(text, "198.51.100.7                                   1          7        660 B"
			"        190 B");
	expect_in(text, "198.51.100.7:40000 > 192.0.2.1:443                  tcp          7");
	expect_in(text, "not IP (ARP, LLDP, ...)                                      1");
	expect_in(text, "dropped by the kernel: 10 of 1000 (1.000 %); try a larger --buffer");
	/* Five lines in the list of flows, the largest first. */
	assert_null(strstr(text, "192.0.2.1:7 >"));
	assert_true(strstr(text, "198.51.100.7:40000 >") < strstr(text, "192.0.2.1:1 >"));
}

static void losses_fit_into_one_line(void **state SN_UNUSED)
{
	struct sn_meter_stats stats = {.skipped[SN_SKIP_NOT_IP] = {3, 180},
				       .skipped[SN_SKIP_FRAGMENT] = {1, 60}};
	struct sn_ring_stats ring = {.seen = 100, .dropped = 12};
	struct sn_summary_facts facts = {.source = "", .meter = &stats, .ring = &ring};
	struct sn_buf text = {0};

	sn_summary_write_losses(&facts, &text);
	assert_string_equal(sn_buf_cstr(&text), "not metered: not_ip 3, fragment 1; dropped by the "
						"kernel: 12 of 100");
	sn_buf_clear(&text);
	stats = (struct sn_meter_stats){0};
	ring.dropped = 0;
	sn_summary_write_losses(&facts, &text);
	assert_int_equal(text.n, 0);
	sn_buf_finish(&text);
}

static void the_list_of_hosts_is_bounded_and_sorted(void **state SN_UNUSED)
{
	struct sn_hosts *hosts = sn_hosts_create();
	const struct sn_host *top[4];

	for (uint64_t i = 0; i < SN_HOSTS_MAX + 500; i++) {
		uint64_t address[2] = {i, 0};
		struct sn_host *host = sn_hosts_get(hosts, 4, address);

		host->flows++;
		host->sent_bytes += i % 1000;
	}
	assert_int_equal(sn_hosts_count(hosts), SN_HOSTS_MAX);
	assert_int_equal(sn_hosts_rest(hosts)->flows, 500);
	sn_hosts_get(hosts, 4, (uint64_t[]){77, 0})->received_bytes = 5000;
	assert_int_equal(sn_hosts_top(hosts, top, 4), 4);
	assert_int_equal(top[0]->address[0], 77);
	assert_int_equal(top[1]->sent_bytes, 999);
	assert_true(sn_hosts_get(hosts, 6, (uint64_t[]){77, 0}) != top[0]);
	sn_hosts_destroy(hosts);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_fills_every_column),
		TEST(states_tell_how_much_was_seen),
		TEST(datagrams_have_no_tcp_columns),
		TEST(icmp_has_identifier_and_type_as_ports),
		TEST(written_rows_are_read_back),
		TEST(a_full_disk_is_an_error_that_names_the_file),
		TEST(the_summary_shows_totals_talkers_and_losses),
		TEST(losses_fit_into_one_line),
		TEST(the_list_of_hosts_is_bounded_and_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
