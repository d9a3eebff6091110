/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "hub/series.h"

#include <jansson.h>
#include <string.h>

#include "base/util.h"

static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"rtt_min_seconds", SN_TYPE_F64, "s", "x"},
	{"rtt_max_seconds", SN_TYPE_F64, "s", "x"},
	{"rtt_p50_seconds", SN_TYPE_F64, "s", "x"},
	{"sent_packets", SN_TYPE_I64, "packets", "x"},
	{"status", SN_TYPE_TEXT, "", "x"},
};
static const struct sn_dataset dataset = {
	.name = "d", .columns = columns, .column_count = SN_COUNT(columns)};
enum { MIN = SN_COL_COMMON, MAX, P50, SENT };

#define S SN_NS_PER_S

/* Ten bins of one second. */
static struct sn_series *series;

static int start(void **state)
{
	(void)state;
	series = sn_series_create(&dataset, 1000 * S, 1010 * S, 10);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	sn_series_destroy(series);
	return 0;
}

static void add(int64_t time_ns, double min, double max, double p50, int64_t sent)
{
	struct sn_value row[SN_COUNT(columns)] = {{0}};

	row[SN_COL_TIME] = (struct sn_value){.type = SN_TYPE_TIME, .i = time_ns};
	row[SN_COL_SEQ] = (struct sn_value){.type = SN_TYPE_I64, .i = 7};
	row[MIN] = (struct sn_value){.type = SN_TYPE_F64, .f = min};
	row[MAX] = (struct sn_value){.type = SN_TYPE_F64, .f = max};
	if (p50 >= 0)
		row[P50] = (struct sn_value){.type = SN_TYPE_F64, .f = p50};
	row[SENT] = (struct sn_value){.type = SN_TYPE_I64, .i = sent};
	sn_series_add(series, time_ns, row);
}

static json_t *written(void)
{
	struct sn_buf text = {0};
	json_t *json;

	sn_series_write(series, &text);
	json = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	sn_buf_finish(&text);
	return json;
}

static double at(json_t *json, const char *part, const char *column, size_t i)
{
	json_t *array = json_object_get(json_object_get(json, part), column);

	assert_true(i < json_array_size(array));
	return json_number_value(json_array_get(array, i));
}

static void one_row_of_a_bin_is_that_row(void **state)
{
	json_t *json;

	(void)state;
	add(1003 * S + S / 4, 0.001, 0.003, 0.002, 5);
	json = written();
	assert_true(json_number_value(json_array_get(json_object_get(json, "time"), 0)) == 1003.25);
	assert_true(at(json, "columns", "rtt_p50_seconds", 0) == 0.002);
	assert_true(at(json, "columns", "sent_packets", 0) == 5);
	assert_int_equal(json_object_size(json_object_get(json, "minima")), 0);
	json_decref(json);
}

static void rows_of_a_bin_merge_by_what_they_mean(void **state)
{
	json_t *json;

	(void)state;
	add(1000 * S, 0.002, 0.004, 0.003, 5);
	add(1000 * S + S / 2, 0.001, 0.009, 0.005, 6);
	json = written();
	assert_int_equal(json_array_size(json_object_get(json, "time")), 1);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(json, "rows"), 0)), 2);
	assert_true(at(json, "columns", "rtt_min_seconds", 0) == 0.001);
	assert_true(at(json, "columns", "rtt_max_seconds", 0) == 0.009);
	assert_true(at(json, "columns", "rtt_p50_seconds", 0) == 0.004);
	assert_true(at(json, "minima", "rtt_p50_seconds", 0) == 0.003);
	assert_true(at(json, "maxima", "rtt_p50_seconds", 0) == 0.005);
	assert_true(at(json, "columns", "sent_packets", 0) == 11);
	assert_true(json_number_value(json_array_get(json_object_get(json, "time"), 0)) == 1000.25);
	json_decref(json);
}

static void gaps_stay_gaps_and_no_value_stays_none(void **state)
{
	json_t *json, *p50;

	(void)state;
	add(1000 * S, 1, 1, -1, 5);
	add(1009 * S, 1, 1, 2, 5);
	json = written();
	p50 = json_object_get(json_object_get(json, "columns"), "rtt_p50_seconds");
	assert_int_equal(json_array_size(p50), 2);
	assert_true(json_is_null(json_array_get(p50, 0)));
	assert_true(json_number_value(json_array_get(p50, 1)) == 2);
	json_decref(json);
}

static void missing_values_do_not_weigh(void **state)
{
	json_t *json;

	(void)state;
	add(1000 * S, 1, 1, -1, 5);
	add(1000 * S + 1, 1, 1, 0.5, 5);
	json = written();
	assert_true(at(json, "columns", "rtt_p50_seconds", 0) == 0.5);
	json_decref(json);
}

static void range_is_half_open_to_the_nanosecond(void **state)
{
	json_t *json;

	(void)state;
	add(1000 * S - 1, 1, 1, 1, 1);
	add(1010 * S, 1, 1, 1, 1);
	json = written();
	assert_int_equal(json_array_size(json_object_get(json, "time")), 0);
	json_decref(json);
	add(1000 * S, 1, 1, 1, 1);
	add(1010 * S - 1, 1, 1, 1, 1);
	json = written();
	assert_int_equal(json_array_size(json_object_get(json, "time")), 2);
	json_decref(json);
}

static void only_numbers_become_columns(void **state)
{
	json_t *json = written(), *told = json_object_get(json, "columns");

	(void)state;
	assert_int_equal(json_object_size(told), 4);
	assert_null(json_object_get(told, "seq"));
	assert_null(json_object_get(told, "time"));
	assert_null(json_object_get(told, "status"));
	json_decref(json);
}

static void every_column_of_the_catalogue_has_a_rule_that_fits_it(void **state)
{
	static const struct {
		const char *dataset, *column;
		enum sn_merge merge;
	} cases[] = {
		{"ping", "loss_ratio", SN_MERGE_MEAN},
		{"ping", "lost_packets", SN_MERGE_SUM},
		{"ping", "rtt_min_seconds", SN_MERGE_MIN},
		{"ping", "rtt_max_seconds", SN_MERGE_MAX},
		{"ping", "size_bytes", SN_MERGE_MEAN},
		{"flow", "c_bytes", SN_MERGE_SUM},
		{"flow", "s_packets", SN_MERGE_SUM},
		{"health", "resident_bytes", SN_MERGE_MEAN},
		{"ping", "seq", SN_MERGE_NONE},
		{"ping", "target", SN_MERGE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		const struct sn_dataset *d = sn_catalog_find(cases[i].dataset);
		int column = sn_dataset_column(d, cases[i].column);

		assert_true(column >= 0);
		if (sn_series_merge(&d->columns[column]) != cases[i].merge)
			fail_msg("%s.%s", cases[i].dataset, cases[i].column);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_row_of_a_bin_is_that_row, start, stop),
		cmocka_unit_test_setup_teardown(rows_of_a_bin_merge_by_what_they_mean, start, stop),
		cmocka_unit_test_setup_teardown(gaps_stay_gaps_and_no_value_stays_none, start,
						stop),
		cmocka_unit_test_setup_teardown(missing_values_do_not_weigh, start, stop),
		cmocka_unit_test_setup_teardown(range_is_half_open_to_the_nanosecond, start, stop),
		cmocka_unit_test_setup_teardown(only_numbers_become_columns, start, stop),
		cmocka_unit_test(every_column_of_the_catalogue_has_a_rule_that_fits_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
