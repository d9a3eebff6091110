/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "hub/groups.h"

#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "hub/quantiles.h"

static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"application", SN_TYPE_TEXT, "", "x"},
	{"port", SN_TYPE_I64, "1", "x"},
	{"c_bytes", SN_TYPE_I64, "B", "x"},
	{"s_bytes", SN_TYPE_I64, "B", "x"},
	{"rtt_seconds", SN_TYPE_F64, "s", "x"},
};
static const struct sn_dataset dataset = {
	.name = "d", .columns = columns, .column_count = SN_COUNT(columns)};
enum { APPLICATION = SN_COL_COMMON, PORT, C_BYTES, S_BYTES, RTT };

#define S SN_NS_PER_S

struct given {
	int64_t time_s;
	const char *application;
	int64_t port, c_bytes, s_bytes;
	double rtt;
};

static void make_row(const struct given *given, struct sn_value row[])
{
	memset(row, 0, SN_COUNT(columns) * sizeof(row[0]));
	row[SN_COL_TIME] = (struct sn_value){.type = SN_TYPE_TIME, .i = given->time_s * S};
	if (given->application != NULL)
		row[APPLICATION] =
			(struct sn_value){.type = SN_TYPE_TEXT, .s = sn_str(given->application)};
	row[PORT] = (struct sn_value){.type = SN_TYPE_I64, .i = given->port};
	row[C_BYTES] = (struct sn_value){.type = SN_TYPE_I64, .i = given->c_bytes};
	row[S_BYTES] = (struct sn_value){.type = SN_TYPE_I64, .i = given->s_bytes};
	if (given->rtt > 0)
		row[RTT] = (struct sn_value){.type = SN_TYPE_F64, .f = given->rtt};
}

static const struct given flows[] = {
	{1000, "tls", 443, 10, 100, 0.010}, {1001, "dns", 53, 5, 5, 0.030},
	{1002, "tls", 443, 20, 200, 0.020}, {1007, "http", 80, 50, 1000, 0},
	{1008, NULL, 9, 1, 0, 0},           {1009, "dns", 53, 5, 15, 0.040},
};

static json_t *parse(struct sn_buf *text)
{
	json_t *json = json_loadb(text->p, text->n, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(json);
	sn_buf_finish(text);
	return json;
}

static json_t *group(const struct sn_groups_question *question)
{
	struct sn_groups *groups = sn_groups_create(question);
	struct sn_value row[SN_COUNT(columns)];
	struct sn_buf text = {0};

	for (size_t i = 0; i < SN_COUNT(flows); i++) {
		make_row(&flows[i], row);
		sn_groups_add(groups, row);
	}
	sn_groups_keep(groups);
	for (size_t i = 0; i < SN_COUNT(flows); i++) {
		make_row(&flows[i], row);
		sn_groups_add_to_bins(groups, row);
	}
	sn_groups_write(groups, &text);
	sn_groups_destroy(groups);
	return parse(&text);
}

static const struct sn_groups_question by_application = {
	.dataset = &dataset,
	.by = APPLICATION,
	.weights = {C_BYTES, S_BYTES},
	.weight_count = 2,
	.limit = 2,
	.bins = {1000 * S, 1010 * S, 2},
};

static void the_weightiest_come_first_and_the_rest_is_together(void **state SN_UNUSED)
{
	json_t *json = group(&by_application), *all = json_object_get(json, "groups");
	const char *first, *second;
	double weight, c_bytes, others;
	int values, rows;

	assert_int_equal(json_array_size(all), 2);
	assert_int_equal(json_unpack(json, "{s:[{s:s, s:F, s:{s:F}}, {s:s}]}", "groups", "value",
				     &first, "weight", &weight, "sums", "c_bytes", &c_bytes,
				     "value", &second),
			 0);
	assert_string_equal(first, "http");
	assert_string_equal(second, "tls");
	assert_true(weight == 1050 && c_bytes == 50);
	assert_int_equal(json_unpack(json, "{s:{s:i, s:i, s:F}}", "others", "values", &values,
				     "rows", &rows, "weight", &others),
			 0);
	assert_int_equal(values, 2);
	assert_int_equal(rows, 3);
	assert_true(others == 31);
	json_decref(json);
}

static double bin(const json_t *json, size_t i)
{
	return json_number_value(json_array_get(json_object_get(json, "bins"), i));
}

static void curves_of_the_kept_and_of_the_others_are_the_whole(void **state SN_UNUSED)
{
	json_t *json = group(&by_application);
	const json_t *all = json_object_get(json, "groups"),
		     *others = json_object_get(json, "others");

	assert_true(bin(json_array_get(all, 0), 0) == 0 && bin(json_array_get(all, 0), 1) == 1050);
	assert_true(bin(json_array_get(all, 1), 0) == 330 && bin(json_array_get(all, 1), 1) == 0);
	assert_true(bin(others, 0) == 10 && bin(others, 1) == 21);
	assert_true(json_number_value(json_array_get(json_object_get(json, "time"), 1)) == 1005);
	json_decref(json);
}

static void rows_without_a_value_are_a_group_and_numbers_stay_numbers(void **state SN_UNUSED)
{
	struct sn_groups_question question = {.dataset = &dataset, .by = APPLICATION, .limit = 10};
	json_t *json = group(&question);
	bool null_seen = false;
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(json, "groups"), i, item)
		null_seen |= json_is_null(json_object_get(item, "value"));
	assert_true(null_seen);
	assert_null(json_object_get(json, "time"));
	json_decref(json);

	question.by = PORT;
	json = group(&question);
	assert_true(json_is_integer(
		json_object_get(json_array_get(json_object_get(json, "groups"), 0), "value")));
	json_decref(json);
}

static void beyond_the_limit_of_values_nothing_is_lost(void **state SN_UNUSED)
{
	struct sn_groups_question question = {.dataset = &dataset, .by = PORT, .limit = 1};
	struct sn_groups *groups = sn_groups_create(&question);
	struct sn_value row[SN_COUNT(columns)];
	struct sn_buf text = {0};
	json_t *json;

	for (int64_t i = 0; i < SN_GROUPS_MAX + 10; i++) {
		make_row(&(struct given){.time_s = 1000, .port = i}, row);
		sn_groups_add(groups, row);
	}
	sn_groups_keep(groups);
	sn_groups_write(groups, &text);
	sn_groups_destroy(groups);
	json = parse(&text);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(json, "others"), "rows")),
		SN_GROUPS_MAX + 9);
	json_decref(json);
}

/* Quantiles ------------------------------------------------------------------------ */

static json_t *distribute(unsigned bins)
{
	struct sn_quantiles_question question = {
		.dataset = &dataset,
		.columns = {RTT, C_BYTES},
		.column_count = 2,
		.percents = {50, 100},
		.percent_count = 2,
		.bins = {1000 * S, 1010 * S, bins},
	};
	struct sn_quantiles *quantiles = sn_quantiles_create(&question);
	struct sn_value row[SN_COUNT(columns)];
	struct sn_buf text = {0};

	for (size_t i = 0; i < SN_COUNT(flows); i++) {
		make_row(&flows[i], row);
		sn_quantiles_add(quantiles, row);
	}
	make_row(&(struct given){.time_s = 1010, .rtt = 99}, row);
	sn_quantiles_add(quantiles, row); /* behind the end */
	sn_quantiles_write(quantiles, &text);
	sn_quantiles_destroy(quantiles);
	return parse(&text);
}

static double value(const json_t *json, const char *column, size_t percent, size_t i)
{
	const json_t *values = json_object_get(
		json_object_get(json_object_get(json, "columns"), column), "values");

	return json_number_value(json_array_get(json_array_get(values, percent), i));
}

static void percentiles_are_values_that_were_there(void **state SN_UNUSED)
{
	json_t *json = distribute(1);

	assert_true(value(json, "rtt_seconds", 0, 0) == 0.020); /* second of four */
	assert_true(value(json, "rtt_seconds", 1, 0) == 0.040);
	assert_true(value(json, "c_bytes", 0, 0) == 5); /* third of six: 1 5 5 10 20 50 */
	json_decref(json);
}

static void a_bin_without_rows_has_no_percentile(void **state SN_UNUSED)
{
	json_t *json = distribute(10), *values;

	values = json_array_get(
		json_object_get(json_object_get(json_object_get(json, "columns"), "rtt_seconds"),
				"values"),
		0);
	assert_int_equal(json_array_size(values), 10);
	assert_true(json_is_null(json_array_get(values, 4)));
	assert_true(json_number_value(json_array_get(values, 9)) == 0.040);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_weightiest_come_first_and_the_rest_is_together),
		cmocka_unit_test(curves_of_the_kept_and_of_the_others_are_the_whole),
		cmocka_unit_test(rows_without_a_value_are_a_group_and_numbers_stay_numbers),
		cmocka_unit_test(beyond_the_limit_of_values_nothing_is_lost),
		cmocka_unit_test(percentiles_are_values_that_were_there),
		cmocka_unit_test(a_bin_without_rows_has_no_percentile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
