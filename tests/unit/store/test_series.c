/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "store/series.h"

#define MANY 3000

static struct sn_value text(const char *p)
{
	return (struct sn_value){.type = SN_TYPE_TEXT, .s = sn_str(p)};
}

static const struct sn_value none = {.type = SN_TYPE_NULL};

static void series_are_found_again_however_many_there_are(void **state)
{
	struct sn_series_set *set = sn_series_set_create();
	struct sn_series *found[MANY];
	char name[32];
	size_t count;

	(void)state;
	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < MANY; i++) {
			struct sn_series *series;

			/* The set keeps texts of its own. */
			snprintf(name, sizeof(name), "node %zu", i / 3);
			series = sn_series_find(
				set, text(name),
				(struct sn_value){.type = SN_TYPE_I64, .i = (int64_t)(i % 3)});
			if (round == 0)
				found[i] = series;
			assert_ptr_equal(series, found[i]);
		}
	assert_ptr_equal(sn_series_list(set, &count)[MANY - 1], found[MANY - 1]);
	assert_int_equal(count, MANY);
	sn_series_set_destroy(set);
}

static void values_that_look_alike_are_of_different_series(void **state)
{
	const struct sn_value keys[] = {
		none,
		text(""),
		text("a"),
		text("0"),
		{.type = SN_TYPE_I64, .i = 0},
		{.type = SN_TYPE_TIME, .i = 0},
		{.type = SN_TYPE_BOOL, .b = false},
		{.type = SN_TYPE_F64, .f = 0.0},
		{.type = SN_TYPE_F64, .f = -0.0},
	};
	struct sn_series_set *set = sn_series_set_create();
	size_t count;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(keys); i++) {
		(void)sn_series_find(set, text("a"), keys[i]);
		(void)sn_series_list(set, &count);
		assert_int_equal(count, i + 1);
	}
	(void)sn_series_find(set, text("aa"), text(""));
	(void)sn_series_find(set, text(""), text("aa"));
	(void)sn_series_list(set, &count);
	assert_int_equal(count, SN_COUNT(keys) + 2);
	sn_series_set_destroy(set);
}

static void newer_is_later_or_of_a_higher_number(void **state)
{
	struct sn_series series = {.time_ns = INT64_MIN};

	(void)state;
	assert_true(sn_series_is_newer(&series, INT64_MIN, 1));
	series = (struct sn_series){.time_ns = 5, .number = 7};
	assert_true(sn_series_is_newer(&series, 6, 1));
	assert_true(sn_series_is_newer(&series, 5, 8));
	assert_false(sn_series_is_newer(&series, 5, 7));
	assert_false(sn_series_is_newer(&series, 4, 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(series_are_found_again_however_many_there_are),
		cmocka_unit_test(values_that_look_alike_are_of_different_series),
		cmocka_unit_test(newer_is_later_or_of_a_higher_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
