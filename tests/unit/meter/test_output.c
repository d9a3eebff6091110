/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "data/codec.h"
#include "ipfix_views.h"
#include "meter/meter.h"
#include "meter/output/hosts.h"
#include "meter/output/row.h"
#include "meter/output/rows.h"
#include "meter/output/spread.h"
#include "meter/output/summary.h"
#include "meter/output/tally.h"
#include "packets.h"

#define T0 (1700000000 * SN_NS_PER_S)
#define MS SN_NS_PER_MS

enum { SYN = SN_TCP_SYN, ACK = SN_TCP_ACK, FIN = SN_TCP_FIN, RST = SN_TCP_RST };

static struct sn_batch *batch; /* rows as they are read back */
static struct sn_summary *summary;
static struct sn_rows_out *rows;
static struct sn_sink row_sink, summary_sink;
static struct sn_viewer *viewer;
static struct sn_meter *meter;
static struct sn_cell_writer line_writer;

static void keep_row(const struct sn_view_flow *view)
{
	struct sn_cell cells[SN_DATASET_COLUMNS_MAX];
	struct sn_buf line = {0};
	struct sn_err err = {0};

	sn_row_flow(view, cells);
	sn_cell_write_json(&line_writer, cells, &line);
	if (sn_jsonl_read_row(batch, sn_str_trim(sn_buf_str(&line)), &err) < 0)
		fail_msg("%s: %s", err.text, sn_buf_cstr(&line));
	sn_buf_finish(&line);
}

static void take(const struct sn_flow *flow, enum sn_flow_end end, void *ctx SN_UNUSED)
{
	const struct sn_view_flow *view = sn_viewer_flow(viewer, flow, end, "eth0");

	keep_row(view);
	summary_sink.ops->flow(summary_sink.sink, view);
	if (rows != NULL)
		row_sink.ops->flow(row_sink.sink, view);
}

static int start(void **state SN_UNUSED)
{
	struct sn_viewer_options view = {.community_id = true};
	struct sn_meter_options options;

	sn_meter_options_default(&options);
	options.max_flows = 100;
	viewer = sn_viewer_create(&view);
	meter = sn_meter_create(&options, take, NULL);
	batch = sn_batch_create(&sn_dataset_flow);
	summary = sn_summary_create(5);
	summary_sink = sn_summary_sink_create(summary);
	sn_cell_writer_init(&line_writer, &sn_dataset_flow, false);
	return 0;
}

static void close_rows(void)
{
	if (rows == NULL)
		return;
	row_sink.ops->destroy(row_sink.sink);
	sn_rows_out_destroy(rows);
	rows = NULL;
}

static int stop(void **state SN_UNUSED)
{
	sn_meter_destroy(meter);
	sn_viewer_destroy(viewer);
	sn_batch_destroy(batch);
	sn_summary_destroy(summary);
	sn_cell_writer_finish(&line_writer);
	close_rows();
	return 0;
}

static int open_rows(int fd, enum sn_rows_format format, const char *datasets, struct sn_err *err)
{
	struct sn_rows_options options = {
		.fd = fd, .name = "flows.json", .format = format, .datasets = datasets};
	int rc = sn_rows_out_create(&options, &rows, err);

	if (rc == 0)
		row_sink = sn_rows_sink_create(rows);
	return rc;
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
	expect_f64(0, "s_rtt_min_seconds", 0.010);
	expect_f64(0, "s_rtt_max_seconds", 0.010);
	expect_f64(0, "c_rtt_min_seconds", 0.005);
	expect_i64(0, "c_retransmitted_packets", 0);
	expect_text(0, "community_id", "1:q9A01mzsD64s4KeqkoZul+SZD9s=");
	assert_false(value(0, "mid_stream")->b);
	expect_null(0, "server_name");
	expect_null(0, "c_asn");
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

static void read_back(struct sn_batch *back, enum sn_rows_format format, const char *text)
{
	struct sn_err err = {0};
	int rc = format == SN_ROWS_OUT_JSON ? sn_jsonl_read(back, sn_str(text), 1000, &err)
					    : sn_csv_read(back, sn_str(text), 1000, &err);

	if (rc < 0)
		fail_msg("%s in:\n%s", err.text, text);
}

static void expect_same(const struct sn_value *a, const struct sn_value *b)
{
	assert_int_equal(a->type, b->type);
	if (a->type == SN_TYPE_TEXT)
		assert_true(sn_str_eq(a->s, b->s));
	else if (a->type == SN_TYPE_BOOL)
		assert_int_equal(a->b, b->b);
	else if (a->type == SN_TYPE_F64)
		assert_memory_equal(&a->f, &b->f, sizeof(a->f));
	else if (a->type != SN_TYPE_NULL)
		assert_true(a->i == b->i);
}

/* Both forms of the same rows, by the readers of the dataset. */
static void written_rows_are_read_back(void **state SN_UNUSED)
{
	for (int format = SN_ROWS_OUT_JSON; format <= SN_ROWS_OUT_CSV; format++) {
		struct sn_batch *back = sn_batch_create(&sn_dataset_flow);
		int fd = scratch_file();
		struct sn_err err;
		char *text;

		sn_batch_clear(batch);
		assert_int_equal(open_rows(fd, (enum sn_rows_format)format, NULL, &err), 0);
		give_connection();
		give(udp_frame("2001:db8::1", 5353, "ff02::fb", 5353, 40), T0 + MS);
		sn_meter_flush(meter);
		assert_int_equal(row_sink.ops->flush(row_sink.sink, &err), 0);
		text = read_all(fd);
		read_back(back, (enum sn_rows_format)format, text);
		assert_int_equal(sn_batch_rows(back), 2);
		for (size_t row = 0; row < 2; row++)
			for (size_t i = 0; i < sn_dataset_flow.column_count; i++)
				expect_same(sn_batch_get(back, row, (int)i),
					    sn_batch_get(batch, row, (int)i));
		sn_batch_destroy(back);
		close_rows();
		free(text);
	}
}

#define RANDOM_VIEWS 3000

/* Whatever a viewer hands over: the line is one that the strict readers take. */
static void any_view_becomes_a_line_that_can_be_read(void **state SN_UNUSED)
{
	struct sn_batch *back = sn_batch_create(&sn_dataset_flow);
	struct ipfix_test_view *test = calloc(1, sizeof(*test));
	struct sn_cell cells[SN_DATASET_COLUMNS_MAX];
	struct sn_buf csv = {0};
	struct sn_prng prng;

	sn_prng_seed(&prng, 4);
	for (int i = 0; i < RANDOM_VIEWS; i++) {
		ipfix_test_view_random(test, &prng);
		sn_batch_clear(batch);
		keep_row(&test->view);
		sn_row_flow(&test->view, cells);
		sn_buf_clear(&csv);
		sn_csv_write_header(&csv, &sn_dataset_flow);
		sn_cell_write_csv(&line_writer, cells, &csv);
		sn_batch_clear(back);
		read_back(back, SN_ROWS_OUT_CSV, sn_buf_cstr(&csv));
		for (size_t c = 0; c < sn_dataset_flow.column_count; c++)
			expect_same(sn_batch_get(back, 0, (int)c), sn_batch_get(batch, 0, (int)c));
	}
	sn_buf_finish(&csv);
	free(test);
	sn_batch_destroy(back);
}

static void lines_of_several_datasets_say_which(void **state SN_UNUSED)
{
	static const char *const heads[] = {
		"{\"dataset\":\"flow\",\"time\":\"2023-11-14T22:13:20.000000000Z\",\"c_ip\":",
		"{\"dataset\":\"tstat_tcp_complete\",\"time\":\"2023-11-14T22:13:20.000000000Z\","
		"\"c_ip\":\"198.51.100.7\",\"c_port\":40000,\"c_pkts_all\":4,",
	};
	int fd = scratch_file();
	struct sn_err err;
	char *text, *second;

	assert_int_equal(open_rows(fd, SN_ROWS_OUT_JSON, "flow, tstat_tcp_complete", &err), 0);
	assert_true(sn_rows_out_is_named(rows));
	assert_true(sn_rows_out_wants(rows, "tstat_tcp_complete"));
	assert_false(sn_rows_out_wants(rows, "tstat_dns_complete"));
	give_connection();
	sn_meter_flush(meter);
	assert_int_equal(row_sink.ops->flush(row_sink.sink, &err), 0);
	text = read_all(fd);
	assert_memory_equal(text, heads[0], strlen(heads[0]));
	second = strchr(text, '\n') + 1;
	assert_memory_equal(second, heads[1], strlen(heads[1]));
	/* Times in the log's units; what it writes as "-" is left out. */
	assert_non_null(strstr(second, "\"first\":1700000000000,\"last\":1700000000060,"
				       "\"durat\":60,\"c_first\":30,"));
	assert_null(strstr(second, "http_res\""));
	assert_null(strstr(second, "fqdn"));
	assert_ptr_equal(sn_jsonl_dataset(sn_str(second), NULL), &sn_dataset_tstat_tcp_complete);
	free(text);
}

/* Texts are looked at in pieces: wherever in them the one odd byte stands. */
static void a_byte_that_is_escaped_is_found_anywhere(void **state SN_UNUSED)
{
	static const char bytes[] = "\"\\\x01\x1f\n\x80\xff ~a";
	static struct sn_cell cells[SN_DATASET_COLUMNS_MAX];
	int column = sn_dataset_column(&sn_dataset_flow, "fqdn");
	struct sn_buf line = {0}, expected = {0};

	for (size_t n = 1; n <= 20; n++) {
		for (size_t at = 0; at < n * (sizeof(bytes) - 1); at++) {
			char text[20];

			memset(text, 'x', sizeof(text));
			text[at % n] = bytes[at / n];
			cells[column] = (struct sn_cell){.kind = SN_CELL_TEXT, .s = {text, n}};
			sn_buf_clear(&line);
			sn_cell_write_json(&line_writer, cells, &line);
			sn_buf_clear(&expected);
			sn_buf_adds(&expected, "{\"fqdn\":\"");
			sn_json_escape(&expected, cells[column].s);
			sn_buf_adds(&expected, "\"}\n");
			assert_string_equal(sn_buf_cstr(&line), sn_buf_cstr(&expected));
		}
	}
	sn_buf_finish(&line);
	sn_buf_finish(&expected);
}

/* Seconds are remembered, more of them than there are places for. */
static void times_of_many_seconds_are_written(void **state SN_UNUSED)
{
	static struct sn_cell cells[SN_DATASET_COLUMNS_MAX];
	struct sn_buf line = {0};
	struct sn_prng prng;

	sn_prng_seed(&prng, 3);
	for (unsigned i = 0; i < 5000; i++) {
		char time[SN_TIME_TEXT_MAX], expected[64];
		int64_t ns = (int64_t)(sn_prng_u64(&prng) % 300) * SN_NS_PER_S - 7;

		cells[SN_COL_TIME] = (struct sn_cell){.kind = SN_CELL_TIME, .i = ns};
		snprintf(expected, sizeof(expected), "{\"time\":\"%s\"}\n",
			 sn_format_time(ns, time, sizeof(time)));
		sn_buf_clear(&line);
		sn_cell_write_json(&line_writer, cells, &line);
		assert_string_equal(sn_buf_cstr(&line), expected);
	}
	sn_buf_finish(&line);
}

static void wishes_that_cannot_be_met_are_refused(void **state SN_UNUSED)
{
	static const struct {
		enum sn_rows_format format;
		const char *datasets, *part;
	} cases[] = {
		{SN_ROWS_OUT_JSON, "flows", "did you mean 'flow'?"},
		{SN_ROWS_OUT_JSON, "flow,ping", "rows of 'ping'"},
		{SN_ROWS_OUT_JSON, "flow,", "rows of ''"},
		{SN_ROWS_OUT_JSON, "tstat_chat_messages", "rows of 'tstat_chat_messages'"},
		{SN_ROWS_OUT_CSV, "flow,tstat_udp_complete", "one header"},
		{SN_ROWS_OUT_CSV, "traffic", "JSON only"},
	};

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_err err = {0};

		assert_int_equal(open_rows(1, cases[i].format, cases[i].datasets, &err), -EINVAL);
		if (strstr(err.text, cases[i].part) == NULL)
			fail_msg("'%s' is missing in '%s'", cases[i].part, err.text);
	}
}

static void a_full_disk_is_an_error_that_names_the_file(void **state SN_UNUSED)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct sn_err err;

	assert_true(fd >= 0);
	assert_int_equal(open_rows(fd, SN_ROWS_OUT_JSON, NULL, &err), 0);
	give_connection();
	sn_meter_flush(meter);
	assert_int_equal(row_sink.ops->flush(row_sink.sink, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "'flows.json'"));
	assert_int_equal(row_sink.ops->flush(row_sink.sink, &err), -ENOSPC);
	close(fd);
}

static const char *summary_text(const struct sn_capture_losses *losses)
{
	static struct sn_buf text;
	struct sn_worker_stats stats = {.refused[SN_APP_DNS_MALFORMED] = 2};
	struct sn_summary_facts facts = {.source = "test",
					 .worker = &stats,
					 .losses = losses,
					 .losses_count = losses != NULL};

	sn_meter_read_stats(meter, &stats.meter);
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
	struct sn_capture_losses losses = {.interface = "eth0", .packets = 990, .kernel_drops = 10};
	struct frame arp = {.n = 0};
	const char *text;

	put_ethernet(&arp, 0x0806);
	put_zeros(&arp, 28);
	give(arp, T0);
	give_connection();
	for (uint16_t port = 1; port <= 7; port++)
		give(udp_frame("192.0.2.1", port, "192.0.2.2", 53, 10), T0);
	sn_meter_flush(meter);
	text = summary_text(&losses);
	expect_in(text, "packets   15, ");
	expect_in(text, "flows     8 reported, at most 8 at once");
	expect_in(text, "\ntcp                                                1          7        "
			"850 B");
	expect_in(text, "\nunknown                                            8         14");
	expect_in(text,
		  "\n198.51.100.7                                       1          7        660 B"
		  "        190 B");
	expect_in(text, "\n198.51.100.7:40000 > 192.0.2.1:443");
	expect_in(text,
		  "TCP: 1 of 1 connections were opened, 0 got no answer, 0 were reset, 0 began");
	expect_in(text, "0 of 2 segments with data were sent again (0 %)");
	expect_in(text, "\nhandshake, ms                                      1 ");
	expect_in(text, "not IP (ARP, LLDP, ...)                                          1");
	expect_in(text, "payload not understood");
	expect_in(text,
		  "eth0: 990 packets came, 10 were lost (1.000 %): 0 in the interface, 10 in");
	/* Five lines in the list of flows, the largest first. */
	assert_null(strstr(text, "192.0.2.1:7 >"));
	assert_true(strstr(text, "198.51.100.7:40000 >") < strstr(text, "192.0.2.1:1 >"));
}

/* A name that came over the network does not drive the terminal. */
static void names_in_the_summary_are_harmless(void **state SN_UNUSED)
{
	struct ipfix_test_view *test = calloc(1, sizeof(*test));

	ipfix_test_view_tcp(test);
	test->view.server_name = SN_STR("evil\033[2Jname.example");
	test->view.application = "tls";
	summary_sink.ops->flow(summary_sink.sink, &test->view);
	expect_in(summary_text(NULL), "evil?[2Jname.example");
	expect_in(summary_text(NULL), "\ntls ");
	assert_null(strchr(summary_text(NULL), 033));
	free(test);
}

/* Flow `i` of many: hosts, names, sizes and round trips differ. */
static void make_flow(struct ipfix_test_view *test, unsigned i)
{
	static char name[32];

	ipfix_test_view_tcp(test);
	snprintf(name, sizeof(name), "host-%u.example", i % 23);
	test->view.server_name = sn_str(name);
	test->view.application = i % 3 == 0 ? "tls" : i % 3 == 1 ? "http" : "";
	test->view.client.ip[3] = (uint8_t)(i % 50);
	test->view.server.ip[3] = (uint8_t)(i % 7);
	test->flow.side[SN_SERVER].bytes = 1000 * (uint64_t)i;
	test->tcp.tcp.side[SN_CLIENT].rtt.sum_us = 300.0 * i;
	test->tcp.tcp.reset = i % 5 == 0;
}

static char *text_of(const struct sn_summary *of)
{
	struct sn_worker_stats stats = {.meter.reports = 1};
	struct sn_summary_facts facts = {.source = "test", .worker = &stats};
	struct sn_buf text = {0};
	char *copy;

	sn_summary_write(of, &facts, &text);
	copy = strdup(sn_buf_cstr(&text));
	sn_buf_finish(&text);
	return copy;
}

static void the_summary_of_three_workers_is_that_of_one(void **state SN_UNUSED)
{
	struct ipfix_test_view *test = calloc(1, sizeof(*test));
	struct sn_summary *three = sn_summary_create(5);
	struct sn_sink sinks[3];
	char *one_text, *three_text;

	for (size_t i = 0; i < SN_COUNT(sinks); i++)
		sinks[i] = sn_summary_sink_create(three);
	for (unsigned i = 0; i < 500; i++) {
		make_flow(test, i);
		summary_sink.ops->flow(summary_sink.sink, &test->view);
		sinks[i % 3].ops->flow(sinks[i % 3].sink, &test->view);
	}
	one_text = text_of(summary);
	three_text = text_of(three);
	expect_in(one_text, "TCP: 0 of 500 connections");
	assert_string_equal(three_text, one_text);
	sn_summary_destroy(three);
	free(one_text);
	free(three_text);
	free(test);
}

static void losses_fit_into_one_line(void **state SN_UNUSED)
{
	struct sn_worker_stats stats = {.meter.skipped[SN_SKIP_NOT_IP] = {3, 180},
					.meter.skipped[SN_SKIP_FRAGMENT] = {1, 60}};
	struct sn_capture_losses losses = {.packets = 88, .kernel_drops = 12};
	struct sn_summary_facts facts = {
		.source = "", .worker = &stats, .losses = &losses, .losses_count = 1};
	struct sn_buf text = {0};

	sn_summary_write_losses(&facts, &text);
	assert_string_equal(sn_buf_cstr(&text), "not metered: not_ip 3, fragment 1; dropped by the "
						"kernel: 12 of 100");
	sn_buf_clear(&text);
	stats = (struct sn_worker_stats){0};
	losses.kernel_drops = 0;
	sn_summary_write_losses(&facts, &text);
	assert_int_equal(text.n, 0);
	sn_buf_finish(&text);
}

static void percentiles_are_near_the_true_ones(void **state SN_UNUSED)
{
	struct sn_spread *spread = calloc(1, sizeof(*spread));

	assert_true(sn_spread_percentile(spread, 50) == 0);
	for (int i = 1; i <= 10000; i++)
		sn_spread_add(spread, i * 1000.0);
	for (int percent = 1; percent <= 100; percent++) {
		double found = sn_spread_percentile(spread, percent), real = percent * 100000.0;

		assert_true(found > real * 0.96 && found < real * 1.04);
	}
	sn_spread_add(spread, 1e300);
	sn_spread_add(spread, -1);
	assert_true(sn_spread_percentile(spread, 100) > 1e9);
	free(spread);
}

static void a_full_tally_counts_what_found_no_place(void **state SN_UNUSED)
{
	struct sn_tally *tally = sn_tally_create();
	const struct sn_tally_entry *top[3];
	char name[32];

	for (int i = 0; i < SN_TALLY_MAX + 5; i++) {
		snprintf(name, sizeof(name), "name-%d", i);
		sn_tally_add(tally, sn_str(name), 1, i == 77 ? 1000 : 1);
	}
	sn_tally_add(tally, SN_STR("name-77"), 1, 1);
	assert_int_equal(sn_tally_count(tally), SN_TALLY_MAX);
	assert_int_equal(sn_tally_rest(tally), 5);
	assert_int_equal(sn_tally_top(tally, top, 3), 3);
	assert_string_equal(top[0]->name, "name-77");
	assert_int_equal(top[0]->flows, 2);
	assert_int_equal(top[0]->bytes, 1001);
	assert_string_equal(top[1]->name, "name-0");
	sn_tally_destroy(tally);
}

static void the_list_of_hosts_is_bounded_and_sorted(void **state SN_UNUSED)
{
	struct sn_hosts *hosts = sn_hosts_create();
	const struct sn_host *top[4];

	for (uint64_t i = 0; i < SN_HOSTS_MAX + 500; i++) {
		sn_hosts_add(hosts, &(struct sn_host){.address = {i, 0},
						      .family = 4,
						      .flows = 1,
						      .sent_bytes = i % 1000});
	}
	assert_int_equal(sn_hosts_count(hosts), SN_HOSTS_MAX);
	assert_int_equal(sn_hosts_rest(hosts)->flows, 500);
	sn_hosts_add(hosts,
		     &(struct sn_host){.address = {77, 0}, .family = 4, .received_bytes = 5000});
	sn_hosts_add(hosts, &(struct sn_host){.address = {77, 0}, .family = 6, .flows = 1});
	assert_int_equal(sn_hosts_top(hosts, top, 4), 4);
	assert_int_equal(top[0]->address[0], 77);
	assert_int_equal(top[1]->sent_bytes, 999);
	assert_int_equal(top[0]->received_bytes, 5000);
	assert_int_equal(top[0]->flows, 1);
	assert_int_equal(sn_hosts_rest(hosts)->flows, 501); /* another family, another host */
	sn_hosts_destroy(hosts);
}

/* Some wait before they are counted: whoever comes between them, also while the table grows. */
static void each_host_is_found_again(void **state SN_UNUSED)
{
	enum { HOSTS = 3000 };
	struct sn_hosts *hosts = sn_hosts_create();
	const struct sn_host **top = calloc(HOSTS, sizeof(struct sn_host *));
	struct sn_prng prng;
	uint64_t counts[HOSTS] = {0};

	sn_prng_seed(&prng, 5);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t at = i < HOSTS ? i : sn_prng_u64(&prng) % (i % 4 == 0 ? HOSTS : 3);

		counts[at]++;
		sn_hosts_add(hosts, &(struct sn_host){.address = {at / 2, 0},
						      .family = at % 2 == 0 ? 4 : 6,
						      .flows = 1});
	}
	assert_int_equal(sn_hosts_top(hosts, top, HOSTS), HOSTS);
	for (size_t i = 0; i < HOSTS; i++)
		assert_int_equal(top[i]->flows,
				 counts[top[i]->address[0] * 2 + (top[i]->family == 6)]);
	free(top);
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
		TEST(any_view_becomes_a_line_that_can_be_read),
		TEST(lines_of_several_datasets_say_which),
		TEST(a_byte_that_is_escaped_is_found_anywhere),
		TEST(times_of_many_seconds_are_written),
		TEST(wishes_that_cannot_be_met_are_refused),
		TEST(a_full_disk_is_an_error_that_names_the_file),
		TEST(the_summary_shows_totals_talkers_and_losses),
		TEST(names_in_the_summary_are_harmless),
		TEST(the_summary_of_three_workers_is_that_of_one),
		TEST(losses_fit_into_one_line),
		TEST(percentiles_are_near_the_true_ones),
		TEST(a_full_tally_counts_what_found_no_place),
		TEST(the_list_of_hosts_is_bounded_and_sorted),
		TEST(each_host_is_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
