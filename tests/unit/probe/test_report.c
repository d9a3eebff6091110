/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/mem.h"
#include "base/util.h"
#include "data/codec.h"
#include "probe/report.h"
#include "probe/report_row.h"

#define WALL0 1700000000123456789LL

struct fixture {
	struct sn_clock_virtual clock;
	struct sn_loop *loop;
	struct sn_ping_targets targets;
	struct sn_ping_config config;
	struct sn_report_setting setting;
	struct sn_report *report;
	int pipe[2];
	char text[65536];
};

static int set_up(void **state)
{
	struct fixture *f = sn_new(struct fixture);
	struct sn_err err;

	sn_clock_virtual_init(&f->clock, 1, 1);
	f->loop = sn_loop_create(&f->clock.clock);
	sn_ping_targets_add(&f->targets, SN_STR("host.example"), &err);
	sn_ping_targets_add(&f->targets, SN_STR("2001:db8::1"), &err);
	f->config = (struct sn_ping_config){
		.count = 5, .interval_ns = 200 * SN_NS_PER_MS, .payload_size = 56};
	f->setting = (struct sn_report_setting){
		.form = SN_REPORT_JSON, .config = &f->config, .targets = &f->targets, .ttl = 64};
	assert_int_equal(pipe(f->pipe), 0);
	f->setting.fd = f->pipe[1];
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sn_report_destroy(f->report);
	sn_ping_targets_finish(&f->targets);
	sn_loop_destroy(f->loop);
	close(f->pipe[0]);
	if (f->setting.fd >= 0)
		close(f->setting.fd);
	free(f);
	return 0;
}

static uint64_t delays[] = {10000000, 20000000, 30000000, 40000000};

static struct sn_ping_result good_result(struct fixture *f, struct sn_addr *address)
{
	struct sn_ping_result result = {
		.target = &f->targets.items[0],
		.address = address,
		.started_wall_ns = WALL0,
		.sent = 5,
		.received = 4,
		.lost = 1,
		.loss_known = true,
		.duplicates = 2,
		.reordered = 3,
		.late = 1,
		.rtts = delays,
		.reply_ttl = 57,
		.kernel_stamps = true,
		.missed_runs = 6,
	};

	assert_int_equal(sn_addr_parse(SN_STR("192.0.2.5"), 0, address), 0);
	assert_int_equal(sn_addr_parse(SN_STR("192.0.2.1"), 0, &result.local), 0);
	sn_ping_stats_compute(delays, SN_COUNT(delays), &result.rtt);
	return result;
}

static const struct sn_value *value(const struct sn_batch *batch, const char *column)
{
	int index = sn_dataset_column(&sn_dataset_ping, column);

	assert_true(index >= 0);
	return sn_batch_get(batch, 0, index);
}

static void assert_text(const struct sn_batch *batch, const char *column, const char *expected)
{
	assert_int_equal(value(batch, column)->type, SN_TYPE_TEXT);
	assert_true(sn_str_eqc(value(batch, column)->s, expected));
}

static void assert_null_value(const struct sn_batch *batch, const char *column)
{
	assert_int_equal(value(batch, column)->type, SN_TYPE_NULL);
}

static void row_has_every_value_in_its_column(void **state)
{
	struct fixture *f = *state;
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);

	f->config.period_ns = SN_NS_PER_S;
	f->setting.interface = "eth0";
	sn_report_row_add(batch, &result, &f->setting);
	assert_int_equal(value(batch, "time")->i, WALL0);
	assert_null_value(batch, "node");
	assert_null_value(batch, "seq");
	assert_text(batch, "target", "host.example");
	assert_text(batch, "address", "192.0.2.5");
	assert_int_equal(value(batch, "family")->i, 4);
	assert_text(batch, "source", "192.0.2.1");
	assert_text(batch, "interface", "eth0");
	assert_int_equal(value(batch, "size_bytes")->i, 56);
	assert_int_equal(value(batch, "ttl")->i, 64);
	assert_true(value(batch, "interval_seconds")->f == 0.2);
	assert_int_equal(value(batch, "sent_packets")->i, 5);
	assert_int_equal(value(batch, "received_packets")->i, 4);
	assert_int_equal(value(batch, "lost_packets")->i, 1);
	assert_true(value(batch, "loss_ratio")->f == 0.2);
	assert_int_equal(value(batch, "duplicate_packets")->i, 2);
	assert_int_equal(value(batch, "reordered_packets")->i, 3);
	assert_int_equal(value(batch, "late_packets")->i, 1);
	assert_int_equal(value(batch, "send_errors")->i, 0);
	assert_true(value(batch, "rtt_min_seconds")->f == 0.01);
	assert_true(value(batch, "rtt_mean_seconds")->f == 0.025);
	assert_true(value(batch, "rtt_max_seconds")->f == 0.04);
	assert_true(value(batch, "rtt_p5_seconds")->f == 0.01);
	assert_true(value(batch, "rtt_p25_seconds")->f == 0.01);
	assert_true(value(batch, "rtt_p50_seconds")->f == 0.02);
	assert_true(value(batch, "rtt_p75_seconds")->f == 0.03);
	assert_true(value(batch, "rtt_p95_seconds")->f == 0.04);
	assert_int_equal(value(batch, "reply_ttl")->i, 57);
	assert_text(batch, "timestamps", "kernel");
	assert_int_equal(value(batch, "missed_runs")->i, 6);
	assert_text(batch, "status", "ok");
	assert_null_value(batch, "error");
	sn_batch_destroy(batch);
}

static void unknown_stays_without_a_value(void **state)
{
	struct fixture *f = *state;
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_ping_result result = {.target = &f->targets.items[0],
					.reply_ttl = -1,
					.status = SN_PING_FAILED,
					.error = "cannot resolve it"};
	static const char *const nulls[] = {
		"address",          "family",          "source",          "interface",
		"lost_packets",     "loss_ratio",      "reply_ttl",       "timestamps",
		"rtt_min_seconds",  "rtt_p50_seconds", "missed_runs",     "rtt_stddev_seconds",
		"rtt_mean_seconds", "rtt_max_seconds", "rtt_p95_seconds",
	};

	sn_report_row_add(batch, &result, &f->setting);
	for (size_t i = 0; i < SN_COUNT(nulls); i++)
		assert_null_value(batch, nulls[i]);
	assert_int_equal(value(batch, "sent_packets")->i, 0);
	assert_text(batch, "status", "failed");
	assert_text(batch, "error", "cannot resolve it");
	sn_batch_destroy(batch);
}

static void loss_that_is_our_own_fault_has_no_value(void **state)
{
	struct fixture *f = *state;
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);

	result.loss_known = false;
	sn_report_row_add(batch, &result, &f->setting);
	assert_null_value(batch, "lost_packets");
	assert_null_value(batch, "loss_ratio");
	assert_int_equal(value(batch, "received_packets")->i, 4);
	sn_batch_destroy(batch);
}

/* What was written so far. */
static const char *output(struct fixture *f)
{
	ssize_t n;

	assert_int_equal(sn_report_flush(f->report), 0);
	n = read(f->pipe[0], f->text, sizeof(f->text) - 1);
	assert_true(n >= 0);
	f->text[n] = '\0';
	return f->text;
}

static void json_lines_can_be_read_back(void **state)
{
	struct fixture *f = *state;
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);
	struct sn_err err;

	f->report = sn_report_create(f->loop, &f->setting);
	sn_report_begin(f->report);
	sn_report_result(f->report, &result);
	assert_int_equal(sn_jsonl_read(batch, sn_str(output(f)), 10, &err), 0);
	assert_int_equal(sn_batch_rows(batch), 1);
	assert_int_equal(value(batch, "time")->i, WALL0);
	assert_true(value(batch, "rtt_p50_seconds")->f == 0.02);
	sn_batch_destroy(batch);
}

static void rows_are_out_when_the_turn_is_over(void **state)
{
	struct fixture *f = *state;
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);

	f->report = sn_report_create(f->loop, &f->setting);
	sn_report_result(f->report, &result);
	sn_loop_turn(f->loop, 0);
	assert_true(read(f->pipe[0], f->text, sizeof(f->text)) > 0);
}

static void csv_has_its_header_once(void **state)
{
	struct fixture *f = *state;
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);
	struct sn_err err;

	f->setting.form = SN_REPORT_CSV;
	f->report = sn_report_create(f->loop, &f->setting);
	sn_report_begin(f->report);
	sn_report_result(f->report, &result);
	sn_report_result(f->report, &result);
	assert_int_equal(sn_csv_read(batch, sn_str(output(f)), 10, &err), 0);
	assert_int_equal(sn_batch_rows(batch), 2);
	sn_batch_destroy(batch);
}

static void people_get_a_line_per_target_and_a_summary(void **state)
{
	struct fixture *f = *state;
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);
	struct sn_ping_result failed = {.target = &f->targets.items[1],
					.reply_ttl = -1,
					.status = SN_PING_FAILED,
					.error = "no reply within 1s",
					.sent = 5,
					.lost = 5,
					.loss_known = true,
					.address = &address};
	const char *text;

	f->setting.form = SN_REPORT_HUMAN;
	f->report = sn_report_create(f->loop, &f->setting);
	sn_report_begin(f->report);
	sn_report_result(f->report, &result);
	sn_report_result(f->report, &failed);
	sn_report_end(f->report, false);
	text = output(f);
	assert_non_null(strstr(text, "host.example          5     20%    10.000    20.000    25.000"
				     "    40.000    40.000  2 duplicates  3 reordered  1 late\n"));
	assert_non_null(strstr(text, "100%         -"));
	assert_non_null(strstr(text, "no reply within 1s\n"));
	assert_non_null(strstr(text, "2 targets: 1 answered, 1 did not\n"));
	assert_non_null(strstr(text, "10 sent, 4 received, 6 lost (60%), 2 duplicates"));
	assert_non_null(strstr(text, "RTT min 10.000, median 20.000, mean 25.000, p95 40.000, max "
				     "40.000 ms\n"));
	assert_null(strchr(text, '\033'));
	assert_int_equal(sn_report_exit_code(f->report), SN_EXIT_PARTIAL);
}

static void colour_comes_only_when_asked_for(void **state)
{
	struct fixture *f = *state;
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);

	f->setting.form = SN_REPORT_HUMAN;
	f->setting.colour = true;
	f->report = sn_report_create(f->loop, &f->setting);
	sn_report_result(f->report, &result);
	assert_non_null(strstr(output(f), "\033[33m"));
}

static void quiet_prints_the_summary_alone(void **state)
{
	struct fixture *f = *state;
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);

	f->setting.form = SN_REPORT_HUMAN;
	f->setting.quiet = true;
	f->report = sn_report_create(f->loop, &f->setting);
	sn_report_begin(f->report);
	sn_report_result(f->report, &result);
	sn_report_end(f->report, true);
	assert_true(strncmp(output(f), "interrupted", 11) == 0);
	assert_null(strstr(f->text, "host.example"));
}

static void exit_code_tells_all_some_or_none(void **state)
{
	struct fixture *f = *state;
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);

	f->report = sn_report_create(f->loop, &f->setting);
	assert_int_equal(sn_report_exit_code(f->report), SN_EXIT_FAILED);
	sn_report_result(f->report, &result);
	sn_report_result(f->report, &result);
	assert_int_equal(sn_report_exit_code(f->report), SN_EXIT_PARTIAL);
	result.target = &f->targets.items[1];
	sn_report_result(f->report, &result);
	assert_int_equal(sn_report_exit_code(f->report), SN_EXIT_OK);
}

static void lost_reader_ends_the_measurement(void **state)
{
	struct fixture *f = *state;
	struct sn_addr address;
	struct sn_ping_result result = good_result(f, &address);

	assert_int_equal(sn_loop_handle_signals(f->loop), 0);
	close(f->pipe[0]);
	f->report = sn_report_create(f->loop, &f->setting);
	sn_report_result(f->report, &result);
	assert_int_equal(sn_loop_run(f->loop), SN_EXIT_FAILED);
	f->pipe[0] = dup(0);
}

static void milliseconds_are_rounded_and_aligned(void **state)
{
	static const struct {
		uint64_t ns;
		int width;
		const char *text;
	} cases[] = {
		{0, 0, "0.000"},
		{499, 0, "0.000"},
		{500, 0, "0.001"},
		{1234567, 9, "    1.235"},
		{999999500, 0, "1000.000"},
		{60000000000, 3, "60000.000"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_buf buf = {0};

		sn_report_add_ms(&buf, cases[i].ns, cases[i].width);
		assert_string_equal(sn_buf_cstr(&buf), cases[i].text);
		sn_buf_finish(&buf);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(row_has_every_value_in_its_column),
		TEST(unknown_stays_without_a_value),
		TEST(loss_that_is_our_own_fault_has_no_value),
		TEST(json_lines_can_be_read_back),
		TEST(rows_are_out_when_the_turn_is_over),
		TEST(csv_has_its_header_once),
		TEST(people_get_a_line_per_target_and_a_summary),
		TEST(colour_comes_only_when_asked_for),
		TEST(quiet_prints_the_summary_alone),
		TEST(exit_code_tells_all_some_or_none),
		TEST(lost_reader_ends_the_measurement),
		TEST(milliseconds_are_rounded_and_aligned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
