/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "cli/rows.h"
#include "cli/shape.h"

static int column(const char *name)
{
	return sn_dataset_column(&sn_dataset_ping, name);
}

/* Two rows of ping, the newer one first, as the hub gives them. */
static struct sn_batch *two_rows(void)
{
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);

	for (int i = 1; i >= 0; i--) {
		sn_batch_add_row(batch);
		sn_batch_set_time(batch, SN_COL_TIME, (1772366400LL + i) * SN_NS_PER_S);
		sn_batch_set_text(batch, SN_COL_NODE, SN_STR("rome"));
		sn_batch_set_text(batch, column("target"), SN_STR("192.0.2.1"));
		sn_batch_set_f64(batch, column("rtt_p50_seconds"), 0.0125 + i);
		sn_batch_set_f64(batch, column("loss_ratio"), 0.2 * i);
		sn_batch_set_i64(batch, column("sent_packets"), 5);
	}
	return batch;
}

static char *shown(const char *fields, struct sn_batch *batch)
{
	struct sn_shape *shape;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(sn_shape_create(&sn_dataset_ping, fields, false, &shape, NULL), 0);
	sn_shape_add(shape, batch, true);
	sn_shape_show(shape, out);
	fclose(out);
	sn_shape_destroy(shape);
	return text;
}

static void units_stand_in_the_header_and_rows_are_oldest_first(void **state)
{
	struct sn_batch *batch = two_rows();
	char *text = shown("node,target,sent_packets,loss_ratio,rtt_p50_seconds,size_bytes", batch);

	(void)state;
	assert_string_equal(text,
			    "node  target     sent (packets)  loss (%)  rtt_p50 (ms)  size (B)\n"
			    "rome  192.0.2.1               5      0.00        12.500         -\n"
			    "rome  192.0.2.1               5     20.00      1012.500         -\n");
	free(text);
	sn_batch_destroy(batch);
}

static void columns_without_a_value_are_left_out_of_the_usual_ones(void **state)
{
	struct sn_batch *batch = two_rows();
	char *text = shown(NULL, batch);

	(void)state;
	assert_non_null(strstr(text, "rtt_p50 (ms)"));
	assert_null(strstr(text, "rtt_max"));
	assert_null(strstr(text, "error"));
	free(text);
	sn_batch_destroy(batch);
}

static void unknown_columns_are_refused_with_the_nearest_one(void **state)
{
	struct sn_shape *shape;
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_shape_create(&sn_dataset_ping, "node,los_ratio", false, &shape, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "'loss_ratio'"));
	assert_int_equal(sn_shape_create(&sn_dataset_ping, "", false, &shape, &err), -EINVAL);
}

static void every_dataset_can_be_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_catalog_count; i++) {
		struct sn_shape *shape;

		assert_int_equal(sn_shape_create(sn_catalog[i], NULL, false, &shape, NULL), 0);
		sn_shape_destroy(shape);
	}
}

static void a_series_gets_its_trend(void **state)
{
	struct sn_batch *batch = two_rows();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	sn_batch_add_row(batch);
	sn_batch_set_text(batch, SN_COL_NODE, SN_STR("rome"));
	sn_batch_set_text(batch, column("target"), SN_STR("192.0.2.1"));
	sn_shape_show_series(batch, true, out);
	fclose(out);
	/* The oldest, without a value, is a gap; then low, then high. */
	assert_non_null(strstr(text, "rome  192.0.2.1     3  12.500           1012.500  1012.500   "
				     "\xe2\x96\x81\xe2\x96\x88\n"));
	free(text);
	sn_batch_destroy(batch);
}

static void times_are_local_with_their_offset(void **state)
{
	char text[SN_TIME_LOCAL_MAX];

	(void)state;
	setenv("TZ", "XXX-01:30", 1);
	tzset();
	assert_string_equal(sn_shape_time(1772366400123999999, text, sizeof(text)),
			    "2026-03-01 13:30:00.123+01:30");
	assert_string_equal(sn_shape_time(-1, text, sizeof(text)), "1970-01-01 01:29:59.999+01:30");
	setenv("TZ", "UTC", 1);
	tzset();
}

static void distances_in_time_are_told_in_words(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{0, "now"},          {1, "1 s ago"},        {119, "119 s ago"},
		{120, "2 min ago"},  {7199, "119 min ago"}, {7200, "2 h ago"},
		{200000, "2 d ago"}, {-30, "in 30 s"},      {-864000, "in 10 d"},
	};
	char text[SN_TIME_LOCAL_MAX];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++)
		assert_string_equal(
			sn_shape_ago(0, cases[i].seconds * SN_NS_PER_S, text, sizeof(text)),
			cases[i].text);
}

/* Queries --------------------------------------------------------------- */

static void a_query_becomes_a_path_with_everything_encoded(void **state)
{
	static const char *const where[] = {"rtt_p50_seconds=>=0.5", "error=~a&b"};
	const struct sn_rows_query query = {
		.dataset = &sn_dataset_ping,
		.name = "ping",
		.node = "rome/1",
		.target = "2001:db8::1",
		.where = where,
		.where_count = 2,
		.limit = 7,
		.has_since = true,
	};
	char *path = sn_rows_path(&query, "newest");

	(void)state;
	assert_string_equal(path, "/api/v1/datasets/ping/rows?order=newest&limit=7&since="
				  "1970-01-01T00%3A00%3A00.000000000Z&node=rome%2F1&target="
				  "2001%3Adb8%3A%3A1&rtt_p50_seconds=%3E%3D0.5&error=~a%26b");
	free(path);
}

static void conditions_are_written_with_their_sign_between(void **state)
{
	static const struct {
		const char *condition, *parameter;
	} cases[] = {
		{"s_port=443", "s_port=443"},        {"s_port=", "s_port="},
		{"c_bytes>1000", "c_bytes=%3E1000"}, {"c_bytes>=1000", "c_bytes=%3E%3D1000"},
		{"rtt<0.5", "rtt=%3C0.5"},           {"rtt<=0.5", "rtt=%3C%3D0.5"},
		{"status!=ok", "status=%21ok"},      {"status!ok", "status=%21ok"},
		{"c_ip~10.1", "c_ip=~10.1"},         {"c_bytes=>1000", "c_bytes=%3E1000"},
		{"error=a=b>c", "error=a%3Db%3Ec"},
	};
	static const char *const bad[] = {"", "s_port", "=443", ">443"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		const struct sn_rows_query query = {
			.name = "flow", .where = &cases[i].condition, .where_count = 1};
		sn_autofree char *path = sn_rows_path(&query, "newest");

		assert_true(sn_rows_is_condition(cases[i].condition));
		assert_string_equal(strchr(path, '&') + 1, cases[i].parameter);
	}
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_false(sn_rows_is_condition(bad[i]));
}

static void rows_of_events_become_rows_of_a_batch(void **state)
{
	static const char text[] = "{\"time\":\"1970-01-01T00:00:01Z\",\"target\":\"x\","
				   "\"sent_packets\":5,\"loss_ratio\":0,\"rtt_p50_seconds\":0.5,"
				   "\"later\":[1],\"error\":7}";
	sn_autojson json_t *row = sn_json_parse(text, sizeof(text) - 1, NULL);
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);

	(void)state;
	assert_int_equal(sn_rows_add_json(batch, row, NULL), 0);
	assert_int_equal(sn_batch_get(batch, 0, SN_COL_TIME)->i, SN_NS_PER_S);
	assert_int_equal(sn_batch_get(batch, 0, column("sent_packets"))->i, 5);
	assert_true(sn_batch_get(batch, 0, column("loss_ratio"))->f == 0);
	assert_int_equal(sn_batch_get(batch, 0, column("error"))->type, SN_TYPE_NULL);
	assert_int_equal(sn_rows_add_json(batch, json_object_get(row, "later"), NULL), -EPROTO);
	assert_int_equal(sn_batch_rows(batch), 1);
	sn_batch_destroy(batch);
}

static void rows_about_other_targets_are_not_wanted(void **state)
{
	struct sn_rows_query query = {.dataset = &sn_dataset_ping, .name = "ping"};
	struct sn_batch *batch = two_rows();

	(void)state;
	assert_true(sn_rows_wanted(&query, sn_batch_row(batch, 0)));
	query.target = "192.0.2.1";
	assert_true(sn_rows_wanted(&query, sn_batch_row(batch, 0)));
	query.target = "192.0.2.10";
	assert_false(sn_rows_wanted(&query, sn_batch_row(batch, 0)));
	sn_batch_destroy(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_stand_in_the_header_and_rows_are_oldest_first),
		cmocka_unit_test(columns_without_a_value_are_left_out_of_the_usual_ones),
		cmocka_unit_test(unknown_columns_are_refused_with_the_nearest_one),
		cmocka_unit_test(every_dataset_can_be_shown),
		cmocka_unit_test(a_series_gets_its_trend),
		cmocka_unit_test(times_are_local_with_their_offset),
		cmocka_unit_test(distances_in_time_are_told_in_words),
		cmocka_unit_test(a_query_becomes_a_path_with_everything_encoded),
		cmocka_unit_test(conditions_are_written_with_their_sign_between),
		cmocka_unit_test(rows_of_events_become_rows_of_a_batch),
		cmocka_unit_test(rows_about_other_targets_are_not_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
