/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/batch.h"

#include "base/util.h"

static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"up", SN_TYPE_BOOL, "", "a truth value"},
	{"delay_seconds", SN_TYPE_F64, "s", "a number"},
	{"name", SN_TYPE_TEXT, "", "a text"},
};
static const struct sn_dataset dataset = {
	.name = "sample",
	.version = 1,
	.columns = columns,
	.column_count = SN_COUNT(columns),
};
enum { UP = SN_COL_COMMON, DELAY, NAME };

static int create(void **state)
{
	*state = sn_batch_create(&dataset);
	return 0;
}

static int destroy(void **state)
{
	sn_batch_destroy(*state);
	return 0;
}

static void new_row_is_all_null(void **state)
{
	struct sn_batch *batch = *state;

	assert_int_equal(sn_batch_add_row(batch), 0);
	for (size_t i = 0; i < dataset.column_count; i++)
		assert_int_equal(sn_batch_get(batch, 0, (int)i)->type, SN_TYPE_NULL);
}

static void values_come_back_from_many_rows(void **state)
{
	struct sn_batch *batch = *state;
	char text[32];

	for (int i = 0; i < 5000; i++) {
		sn_batch_add_row(batch);
		sn_batch_set_time(batch, SN_COL_TIME, i);
		sn_batch_set_i64(batch, SN_COL_SEQ, -i);
		sn_batch_set_bool(batch, UP, i % 2 == 0);
		sn_batch_set_f64(batch, DELAY, i / 8.0);
		snprintf(text, sizeof(text), "target number %d", i);
		sn_batch_set_text(batch, NAME, sn_str(text));
	}
	assert_int_equal(sn_batch_rows(batch), 5000);
	for (int i = 0; i < 5000; i++) {
		const struct sn_value *row = sn_batch_row(batch, (size_t)i);

		assert_int_equal(row[SN_COL_TIME].i, i);
		assert_int_equal(row[SN_COL_SEQ].i, -i);
		assert_int_equal(row[UP].b, i % 2 == 0);
		assert_true(row[DELAY].f == i / 8.0);
		snprintf(text, sizeof(text), "target number %d", i);
		assert_true(sn_str_eqc(row[NAME].s, text));
	}
}

static void number_that_is_not_finite_is_null(void **state)
{
	struct sn_batch *batch = *state;

	sn_batch_add_row(batch);
	sn_batch_set_f64(batch, DELAY, 1.0);
	sn_batch_set_f64(batch, DELAY, NAN);
	assert_int_equal(sn_batch_get(batch, 0, DELAY)->type, SN_TYPE_NULL);
	sn_batch_set_f64(batch, DELAY, -INFINITY);
	assert_int_equal(sn_batch_get(batch, 0, DELAY)->type, SN_TYPE_NULL);
}

static void text_at_the_limit_is_kept(void **state)
{
	struct sn_batch *batch = *state;
	char text[SN_TEXT_MAX];

	memset(text, 'x', sizeof(text));
	sn_batch_add_row(batch);
	sn_batch_set_text(batch, NAME, (struct sn_str){text, sizeof(text)});
	assert_int_equal(sn_batch_get(batch, 0, NAME)->s.n, SN_TEXT_MAX);
}

static void text_beyond_the_limit_is_cut_between_characters(void **state)
{
	struct sn_batch *batch = *state;
	char text[SN_TEXT_MAX + 8];

	memset(text, 'x', sizeof(text));
	memcpy(text + SN_TEXT_MAX - 1, "\xe2\x82\xac", 3); /* a euro sign across the limit */
	sn_batch_add_row(batch);
	sn_batch_set_text(batch, NAME, (struct sn_str){text, sizeof(text)});
	assert_int_equal(sn_batch_get(batch, 0, NAME)->s.n, SN_TEXT_MAX - 1);
}

static void text_ends_at_a_zero_byte(void **state)
{
	struct sn_batch *batch = *state;

	sn_batch_add_row(batch);
	sn_batch_set_text(batch, NAME, SN_STR("ab\0cd"));
	assert_true(sn_str_eqc(sn_batch_get(batch, 0, NAME)->s, "ab"));
}

static void dropped_row_leaves_the_others_as_they_were(void **state)
{
	struct sn_batch *batch = *state;

	sn_batch_add_row(batch);
	sn_batch_set_text(batch, NAME, SN_STR("first"));
	sn_batch_add_row(batch);
	sn_batch_set_text(batch, NAME, SN_STR("gone"));
	/* A text of an older row, written after the row that goes away was begun. */
	sn_batch_set(batch, 0, SN_COL_NODE,
		     (struct sn_value){.type = SN_TYPE_TEXT, .s = SN_STR("kept")});
	sn_batch_drop_row(batch);
	sn_batch_add_row(batch);
	sn_batch_set_text(batch, NAME, SN_STR("third and much longer text"));
	assert_int_equal(sn_batch_rows(batch), 2);
	assert_true(sn_str_eqc(sn_batch_get(batch, 0, NAME)->s, "first"));
	assert_true(sn_str_eqc(sn_batch_get(batch, 0, SN_COL_NODE)->s, "kept"));
}

static void cleared_batch_can_be_filled_again(void **state)
{
	struct sn_batch *batch = *state;
	char text[SN_TEXT_MAX];

	memset(text, 'y', sizeof(text));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++) { /* several chunks of texts */
			sn_batch_add_row(batch);
			sn_batch_set_text(batch, NAME, (struct sn_str){text, sizeof(text)});
		}
		assert_int_equal(sn_batch_rows(batch), 100);
		assert_int_equal(sn_batch_get(batch, 99, NAME)->s.p[SN_TEXT_MAX - 1], 'y');
		sn_batch_clear(batch);
		assert_int_equal(sn_batch_rows(batch), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(new_row_is_all_null, create, destroy),
		cmocka_unit_test_setup_teardown(values_come_back_from_many_rows, create, destroy),
		cmocka_unit_test_setup_teardown(number_that_is_not_finite_is_null, create, destroy),
		cmocka_unit_test_setup_teardown(text_at_the_limit_is_kept, create, destroy),
		cmocka_unit_test_setup_teardown(text_beyond_the_limit_is_cut_between_characters,
						create, destroy),
		cmocka_unit_test_setup_teardown(text_ends_at_a_zero_byte, create, destroy),
		cmocka_unit_test_setup_teardown(dropped_row_leaves_the_others_as_they_were, create,
						destroy),
		cmocka_unit_test_setup_teardown(cleared_batch_can_be_filled_again, create, destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
