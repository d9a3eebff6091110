/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of a running meter as text for monitoring.
 */
#include "lib/test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ipfix_views.h"
#include "meter/metrics.h"

static struct sn_session_stats session;
static struct sn_tally tally;
static struct sn_tstat_stats logs;
static struct sn_ipfix_stats ipfix;
static struct sn_traffic_stats series;
static struct sn_name_pool *names;
static struct sn_meter_facts facts;

static int set_up(void **state SN_UNUSED)
{
	names = sn_name_pool_create(1 << 20);
	facts = (struct sn_meter_facts){.session = &session,
					.tally = &tally,
					.logs = &logs,
					.ipfix = &ipfix,
					.series = &series,
					.names = names};
	session = (struct sn_session_stats){.filtered = 6, .losses_count = 1};
	session.losses[0] = (struct sn_capture_losses){
		.packets = 1000, .kernel_drops = 20, .interface_drops = 3, .own_drops = 1};
	strcpy(session.losses[0].interface, "eth\"0");
	session.worker.meter.all = (struct sn_meter_count){990, 123456789012345};
	session.worker.meter.skipped[SN_SKIP_NOT_IP] = (struct sn_meter_count){7, 420};
	session.worker.meter.skipped[SN_SKIP_LATE] = (struct sn_meter_count){2, 120};
	session.worker.refused[SN_APP_DNS_MALFORMED] = 5;
	logs.lines[SN_TSTAT_TCP_COMPLETE] = 77;
	ipfix.lost_records = 11;
	series.steps[1] = 9;
	memset(&tally, 0, sizeof(tally));
	return 0;
}

static int tear_down(void **state SN_UNUSED)
{
	sn_name_pool_destroy(names);
	return 0;
}

static char *expose(bool open_metrics)
{
	struct sn_buf out = {0};
	char *text;

	sn_meter_metrics(&out, &facts, open_metrics);
	text = sn_xstrdup(sn_buf_cstr(&out));
	sn_buf_finish(&out);
	return text;
}

static void assert_line(const char *text, const char *line)
{
	sn_autofree char *wanted = sn_xasprintf("\n%s\n", line);

	if (strstr(text, wanted) == NULL)
		fail_msg("no line '%s' in\n%s", line, text);
}

static void every_part_tells_its_numbers(void **state SN_UNUSED)
{
	static const char *const lines[] = {
		"sonde_meter_packets_total 990",
		"sonde_meter_bytes_total 123456789012345",
		"sonde_meter_filtered_packets_total 6",
		"sonde_meter_skipped_packets_total{reason=\"not_ip\"} 7",
		"sonde_meter_skipped_bytes_total{reason=\"late\"} 120",
		"sonde_meter_payload_refused_total{reason=\"dns_malformed\"} 5",
		"sonde_meter_log_lines_total{log=\"log_tcp_complete\"} 77",
		"sonde_ipfix_lost_records_total 11",
		"sonde_meter_series_steps_total{step=\"1m\"} 9",
	};
	sn_autofree char *text = expose(false);

	for (size_t i = 0; i < SN_COUNT(lines); i++)
		assert_line(text, lines[i]);
}

static void losses_say_where_and_whose_they_are(void **state SN_UNUSED)
{
	sn_autofree char *text = expose(false);

	assert_line(text, "sonde_capture_packets_total{interface=\"eth\\\"0\"} 1000");
	assert_line(text, "sonde_capture_dropped_packets_total{interface=\"eth\\\"0\","
			  "reason=\"kernel\"} 20");
	assert_line(text, "sonde_capture_dropped_packets_total{interface=\"eth\\\"0\","
			  "reason=\"own\"} 1");
}

static void reports_are_told_by_protocol_and_reason(void **state SN_UNUSED)
{
	struct sn_sink sink = sn_tally_sink(&tally);
	struct ipfix_test_view test;
	sn_autofree char *text = NULL;

	ipfix_test_view_tcp(&test);
	assert_int_equal(sink.ops->flow(sink.sink, &test.view), 0);
	assert_int_equal(sink.ops->flow(sink.sink, &test.view), 0);
	ipfix_test_view_icmp(&test, 6);
	test.view.end = SN_END_IDLE;
	assert_int_equal(sink.ops->flow(sink.sink, &test.view), 0);
	text = expose(false);
	assert_line(text, "sonde_meter_reports_total{protocol=\"tcp\",end=\"closed\"} 2");
	assert_line(text, "sonde_meter_reports_total{protocol=\"icmp6\",end=\"idle\"} 1");
	assert_line(text, "sonde_meter_reported_packets_total{protocol=\"tcp\"} 44");
	assert_line(text, "sonde_meter_reported_bytes_total{protocol=\"tcp\"} 20000");
}

static void parts_that_are_not_there_are_not_told(void **state SN_UNUSED)
{
	sn_autofree char *text = NULL;

	facts = (struct sn_meter_facts){.session = &session};
	text = expose(true);
	assert_null(strstr(text, "sonde_ipfix"));
	assert_null(strstr(text, "sonde_meter_log"));
	assert_null(strstr(text, "sonde_meter_series"));
	assert_null(strstr(text, "sonde_meter_reports"));
	assert_non_null(strstr(text, "sonde_meter_packets"));
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
}

/* Each name in one place, declared before its samples, with its unit at the end, and no repeats. */
static void text_keeps_the_rules_of_the_format(void **state SN_UNUSED)
{
	sn_autofree char *text = expose(false);
	char family[128] = "", seen[65536] = "", sample[512];
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		if (sscanf(line, "# HELP %127s", family) == 1) {
			snprintf(sample, sizeof(sample), "|%s|", family);
			assert_null(strstr(seen, sample));
			strcat(seen, sample);
			assert_int_equal(strncmp(rest, "# TYPE ", 7), 0);
		} else if (line[0] != '#') {
			size_t n = strcspn(line, "{ ");

			assert_int_equal(n, strlen(family));
			assert_memory_equal(line, family, n);
			snprintf(sample, sizeof(sample), "|%.*s|", (int)strcspn(line, " "), line);
			assert_true(n == strcspn(line, " ") || strstr(seen, sample) == NULL);
			strncat(seen, sample, sizeof(seen) - strlen(seen) - 1);
			assert_true(isdigit((unsigned char)strrchr(line, ' ')[1]));
		}
	}
}

static void promtool_finds_nothing_to_say(void **state SN_UNUSED)
{
	sn_autofree char *text = NULL;
	FILE *promtool;

	if (system("command -v promtool >/dev/null 2>&1") != 0) {
		print_message("# skipped: promtool is not installed\n");
		return;
	}
	text = expose(false);
	promtool = popen("promtool check metrics", "w");
	assert_non_null(promtool);
	fputs(text, promtool);
	assert_int_equal(pclose(promtool), 0);
}

static void what_is_no_ip_was_not_ignored(void **state SN_UNUSED)
{
	assert_int_equal(sn_meter_ignored(&session), 20 + 3 + 1 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_part_tells_its_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(losses_say_where_and_whose_they_are, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(reports_are_told_by_protocol_and_reason, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(parts_that_are_not_there_are_not_told, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(text_keeps_the_rules_of_the_format, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(promtool_finds_nothing_to_say, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_ip_was_not_ignored, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
