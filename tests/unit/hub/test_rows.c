/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "hub/api/rows.h"

static struct world world;
static struct test_node node;

#define ROWS 25

/* Rows k: at 12:00:00 + k s, target a or b, rtt k ms; flows are not of this test. */
static int start(void **state)
{
	struct sn_buf body = {0};

	(void)state;
	world_start(&world, NULL);
	node_join(&world, &node, "alpha");
	for (int k = 0; k < ROWS; k++)
		sn_buf_addf(&body,
			    "{\"time\":\"2026-03-01T12:00:%02dZ\",\"seq\":%d,\"target\":\"%s\","
			    "\"rtt_p50_seconds\":%.3f,\"sent_packets\":%d}\n",
			    k, k, k % 2 == 0 ? "a.example" : "b.example", k / 1000.0, 5);
	node_put(&world, &node, 0, "ping/1", ROWS, sn_buf_cstr(&body), NULL);
	assert_int_equal(node.status, 200);
	sn_buf_finish(&body);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	node_leave(&node);
	world_stop(&world);
	return 0;
}

static struct reply get(const char *query)
{
	char target[512];

	snprintf(target, sizeof(target), "/api/v1/datasets/ping/rows?%s", query);
	return plain(&world, AS_LOCAL, "GET", target, "", NULL);
}

static size_t count(const char *query)
{
	struct reply reply = get(query);
	size_t items = json_array_size(json_object_get(reply.json, "items"));

	if (reply.status != 200)
		fail_msg("%s: %u %s", query, reply.status, reply.body);
	reply_release(&reply);
	return items;
}

static void columns_filter_by_their_values(void **state)
{
	(void)state;
	assert_int_equal(count("target=a.example"), 13);
	assert_int_equal(count("target=!a.example"), 12);
	assert_int_equal(count("target=~b.ex"), 12);
	assert_int_equal(count("rtt_p50_seconds=%3E0.020"), 4);
	assert_int_equal(count("rtt_p50_seconds=%3E%3D0.020"), 5);
	assert_int_equal(count("rtt_p50_seconds=%3C0.003"), 3);
	assert_int_equal(count("seq=7"), 1);
	assert_int_equal(count("seq=%3E4&seq=%3C8"), 3);
	assert_int_equal(count("node=alpha"), ROWS);
	assert_int_equal(count("node=nobody"), 0);
	assert_int_equal(count("target=a.example&seq=%3C4"), 2);
}

static void time_is_a_half_open_range(void **state)
{
	(void)state;
	assert_int_equal(count("since=2026-03-01T12:00:10Z"), 15);
	assert_int_equal(count("until=2026-03-01T12:00:10Z"), 10);
	assert_int_equal(count("since=2026-03-01T12:00:10Z&until=2026-03-01T12:00:11Z"), 1);
	assert_int_equal(count("since=-15m"), 0);
}

static int64_t first_seq(const char *query)
{
	struct reply reply = get(query);
	json_t *item = json_array_get(json_object_get(reply.json, "items"), 0);
	int64_t seq = json_integer_value(json_object_get(item, "seq"));

	reply_release(&reply);
	return seq;
}

static void newest_come_first_unless_asked_otherwise(void **state)
{
	(void)state;
	assert_int_equal(first_seq(""), ROWS - 1);
	assert_int_equal(first_seq("order=newest"), ROWS - 1);
	assert_int_equal(first_seq("order=oldest"), 0);
}

static void cursor_leads_through_all_rows_once(void **state)
{
	bool seen[ROWS] = {false};
	sn_autofree char *cursor = sn_xstrdup("");
	int pages = 0;

	(void)state;
	for (; cursor != NULL && pages < 10; pages++) {
		sn_autofree char *query =
			sn_xasprintf("limit=10%s%s", cursor[0] != '\0' ? "&cursor=" : "", cursor);
		struct reply reply = get(query);
		json_t *items = json_object_get(reply.json, "items"), *item;
		const char *next = json_string_value(json_object_get(reply.json, "next"));
		size_t i;

		assert_int_equal(reply.status, 200);
		json_array_foreach (items, i, item) {
			int64_t seq = json_integer_value(json_object_get(item, "seq"));

			assert_false(seen[seq]);
			seen[seq] = true;
		}
		free(cursor);
		cursor = next != NULL ? sn_xstrdup(next) : NULL;
		reply_release(&reply);
	}
	assert_int_equal(pages, 3);
	for (int i = 0; i < ROWS; i++)
		assert_true(seen[i]);
}

static void only_wanted_columns_are_told(void **state)
{
	struct reply reply = get("fields=target,seq&limit=1");
	json_t *item = json_array_get(json_object_get(reply.json, "items"), 0);

	(void)state;
	assert_int_equal(json_object_size(item), 2);
	assert_non_null(json_object_get(item, "target"));
	assert_non_null(json_object_get(item, "seq"));
	reply_release(&reply);
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void rows_come_as_lines_and_csv_too(void **state)
{
	struct reply reply;

	(void)state;
	reply = plain(&world, AS_LOCAL, "GET", "/api/v1/datasets/ping/rows",
		      "Accept: application/x-ndjson\r\n", NULL);
	assert_int_equal(lines(reply.body), ROWS);
	assert_non_null(strstr(reply_header(&reply, "Content-Type"), "ndjson"));
	reply_release(&reply);
	reply = plain(&world, AS_LOCAL, "GET",
		      "/api/v1/datasets/ping/rows?fields=seq,target&order=oldest&limit=2",
		      "Accept: text/csv\r\n", NULL);
	assert_string_equal(reply.body, "seq,target\r\n0,a.example\r\n1,b.example\r\n");
	reply_release(&reply);
}

static void streams_go_through_all_days_in_order(void **state)
{
	char body[256], previous[64] = "9999";
	struct reply reply;
	char *line, *rest;
	unsigned rows = 0;

	(void)state;
	/* Far apart, each in a file of its own. */
	for (unsigned k = 0; k < 6; k++) {
		snprintf(body, sizeof(body),
			 "{\"time\":\"2025-%02u-07T0%u:00:00Z\",\"seq\":%u,\"target\":\"far\"}\n",
			 2 * k + 1, k, 1000 + k);
		node_put(&world, &node, 100 + k, "ping/1", 1, body, NULL);
		assert_int_equal(node.status, 200);
	}
	reply = plain(
		&world, AS_LOCAL, "GET",
		"/api/v1/datasets/ping/rows?target=far&fields=time&until=2026-01-01T00:00:00Z",
		"Accept: application/x-ndjson\r\n", NULL);
	rest = reply.body;
	while ((line = strsep(&rest, "\n")) != NULL && line[0] != '\0') {
		assert_true(strcmp(line + 9, previous) < 0);
		snprintf(previous, sizeof(previous), "%s", line + 9);
		rows++;
	}
	assert_int_equal(rows, 6);
	reply_release(&reply);
	reply = plain(&world, AS_LOCAL, "GET",
		      "/api/v1/datasets/ping/rows?target=far&fields=seq&order=oldest&limit=2&since="
		      "2025-05-01T00:00:00Z",
		      "Accept: text/csv\r\n", NULL);
	assert_string_equal(reply.body, "seq\r\n1002\r\n1003\r\n");
	reply_release(&reply);
	reply = plain(&world, AS_LOCAL, "GET", "/api/v1/datasets/ping/rows?target=nowhere",
		      "Accept: application/x-ndjson\r\n", NULL);
	assert_string_equal(reply.body, "");
	reply_release(&reply);
	reply = plain(&world, AS_LOCAL, "GET", "/api/v1/datasets/ping/rows?cursor=00",
		      "Accept: text/csv\r\n", NULL);
	assert_int_equal(reply.status, 400);
	reply_release(&reply);
}

static void client_that_goes_away_leaves_nothing_behind(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		int fd = open_stream(&world, AS_LOCAL, "/api/v1/datasets/ping/series", "");

		close(fd);
		fd = open_stream(&world, AS_LOCAL, "/api/v1/datasets/ping/rows",
				 "Accept: text/csv\r\n");
		close(fd);
	}
	world_wait(&world, 100 * SN_NS_PER_MS);
	assert_int_equal(count("target=a.example"), 13);
}

static void bad_questions_are_answered_by_name(void **state)
{
	static const struct {
		const char *query, *says;
	} cases[] = {
		{"taget=x", "taget"},         {"taget=x", "target"}, /* the suggestion */
		{"since=yesterday", "since"}, {"order=up", "order"}, {"limit=0", "limit"},
		{"limit=10001", "limit"},     {"limit=x", "limit"},  {"fields=nope", "nope"},
		{"fields=", "fields"},        {"seq=x", "seq"},      {"seq=~1", "seq"},
		{"cursor=zzz", "cursor"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct reply reply = get(cases[i].query);

		if (reply.status != 400 || strstr(reply.body, cases[i].says) == NULL)
			fail_msg("%s: %u %s", cases[i].query, reply.status, reply.body);
		reply_release(&reply);
	}
}

static void unknown_dataset_gets_a_suggestion(void **state)
{
	struct reply reply =
		expect(&world, AS_LOCAL, 404, "GET", "/api/v1/datasets/pimg/rows", NULL);

	(void)state;
	assert_non_null(strstr(reply.body, "'ping'"));
	reply_release(&reply);
}

static void latest_has_one_row_per_series(void **state)
{
	struct reply reply =
		expect(&world, AS_LOCAL, 200, "GET",
		       "/api/v1/datasets/ping/latest?since=2026-01-01T00:00:00Z", NULL);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 2);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET",
		       "/api/v1/datasets/ping/latest?since=2026-01-01T00:00:00Z&target=a.example",
		       NULL);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(reply.json, "items"), 0), "seq")),
			 24);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", "/api/v1/datasets/ping/latest?seq=3", NULL);
	reply_release(&reply);
}

static void chart_gets_bins(void **state)
{
	struct reply reply = expect(
		&world, AS_LOCAL, 200, "GET",
		"/api/v1/datasets/ping/series?since=2026-03-01T12:00:00Z&until=2026-03-01T12:"
		"00:30Z&points=3&fields=rtt_p50_seconds,sent_packets",
		NULL);
	json_t *columns = json_object_get(reply.json, "columns");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(reply.json, "time")), 3);
	assert_int_equal(json_object_size(columns), 2);
	assert_int_equal(
		json_number_value(json_array_get(json_object_get(columns, "sent_packets"), 0)), 50);
	assert_true(
		json_number_value(json_array_get(
			json_object_get(json_object_get(reply.json, "maxima"), "rtt_p50_seconds"),
			2)) == 0.024);
	reply_release(&reply);
}

static void groups_are_told_by_their_weight(void **state)
{
	struct reply reply =
		expect(&world, AS_LOCAL, 200, "GET",
		       "/api/v1/datasets/ping/groups?by=target&weight=sent_packets&points=2"
		       "&since=2026-03-01T12:00:00Z&until=2026-03-01T12:01:00Z",
		       NULL);
	const char *value;
	double weight;

	(void)state;
	assert_int_equal(json_unpack(reply.json, "{s:[{s:s, s:F}]}", "groups", "value", &value,
				     "weight", &weight),
			 0);
	assert_string_equal(value, "a.example");
	assert_true(weight == 65);
	reply_release(&reply);
}

static void percentiles_are_told_over_time(void **state)
{
	struct reply reply = expect(
		&world, AS_LOCAL, 200, "GET",
		"/api/v1/datasets/ping/quantiles?columns=rtt_p50_seconds&percents=50,100&points=1"
		"&target=a.example&since=2026-03-01T12:00:00Z&until=2026-03-01T12:01:00Z",
		NULL);
	double half, all;

	(void)state;
	assert_int_equal(json_unpack(reply.json, "{s:{s:{s:[[F],[F]]}}}", "columns",
				     "rtt_p50_seconds", "values", &half, &all),
			 0);
	assert_true(half == 0.012 && all == 0.024);
	reply_release(&reply);
}

static void bad_questions_about_groups_are_answered_by_name(void **state)
{
	static const struct {
		const char *query, *reason;
	} cases[] = {
		{"groups", "by: missing"},
		{"groups?by=nothing", "by: 'ping' has no column 'nothing'"},
		{"groups?by=target&weight=target", "weight: 'target' is no number"},
		{"groups?by=target&limit=0", "limit"},
		{"groups?by=target&points=99999", "points"},
		{"groups?by=target&since=-1h&until=-2h", "since: not before until"},
		{"groups?by=target&wieght=seq", "did you mean 'weight'"},
		{"quantiles", "columns: missing"},
		{"quantiles?columns=target", "columns: 'target' is no number"},
		{"quantiles?columns=seq&percents=101", "percents: '101'"},
		{"quantiles?columns=seq&points=0", "points"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		char target[256];
		struct reply reply;

		snprintf(target, sizeof(target), "/api/v1/datasets/ping/%s", cases[i].query);
		reply = expect(&world, AS_LOCAL, 400, "GET", target, NULL);
		if (strstr(reply.body, cases[i].reason) == NULL)
			fail_msg("%s: %s", cases[i].query, reply.body);
		reply_release(&reply);
	}
}

static void filters_limits_are_kept(void **state)
{
	struct sn_filter filter;
	struct sn_err err = {0};
	char text[SN_TEXT_MAX], value[SN_TEXT_MAX + 1];
	int target = sn_dataset_column(&sn_dataset_ping, "target");

	(void)state;
	memset(value, 'x', sizeof(value));
	value[SN_TEXT_MAX - 1] = '\0';
	assert_int_equal(
		sn_rows_parse_filter(&sn_dataset_ping, target, value, 0, &filter, text, &err), 0);
	value[SN_TEXT_MAX - 1] = 'x';
	value[SN_TEXT_MAX] = '\0';
	assert_int_not_equal(
		sn_rows_parse_filter(&sn_dataset_ping, target, value, 0, &filter, text, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_filter_by_their_values),
		cmocka_unit_test(time_is_a_half_open_range),
		cmocka_unit_test(newest_come_first_unless_asked_otherwise),
		cmocka_unit_test(cursor_leads_through_all_rows_once),
		cmocka_unit_test(only_wanted_columns_are_told),
		cmocka_unit_test(rows_come_as_lines_and_csv_too),
		cmocka_unit_test(bad_questions_are_answered_by_name),
		cmocka_unit_test(client_that_goes_away_leaves_nothing_behind),
		cmocka_unit_test(unknown_dataset_gets_a_suggestion),
		cmocka_unit_test(latest_has_one_row_per_series),
		cmocka_unit_test(chart_gets_bins),
		cmocka_unit_test(groups_are_told_by_their_weight),
		cmocka_unit_test(percentiles_are_told_over_time),
		cmocka_unit_test(bad_questions_about_groups_are_answered_by_name),
		cmocka_unit_test(filters_limits_are_kept),
		/* The last one: it adds rows. */
		cmocka_unit_test(streams_go_through_all_days_in_order),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
