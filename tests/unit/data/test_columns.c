/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/columns.h"

#include "base/rand.h"
#include "base/util.h"

static const struct sn_column declared[] = {
	SN_COMMON_COLUMNS,
	{"up", SN_TYPE_BOOL, "", "a truth value"},
	{"delay_seconds", SN_TYPE_F64, "s", "a number"},
	{"name", SN_TYPE_TEXT, "", "a text"},
};
static const struct sn_dataset dataset = {
	.name = "sample",
	.version = 1,
	.columns = declared,
	.column_count = SN_COUNT(declared),
};
enum { UP = SN_COL_COMMON, DELAY, NAME, COLUMNS };

static int create(void **state)
{
	*state = sn_columns_create(&dataset);
	return 0;
}

static int destroy(void **state)
{
	sn_columns_destroy(*state);
	return 0;
}

static void assert_no_value(struct sn_columns *columns, size_t row, int column)
{
	struct sn_vector vector = sn_columns_vector(columns, column);
	struct sn_value values[COLUMNS];

	assert_true(sn_vector_is_null(&vector, row));
	assert_int_equal(sn_vector_value(&vector, row).type, SN_TYPE_NULL);
	sn_columns_row(columns, row, values);
	assert_int_equal(values[column].type, SN_TYPE_NULL);
}

static void new_row_is_all_null_before_and_after_somebody_looked(void **state)
{
	struct sn_columns *columns = *state;
	struct sn_value row[COLUMNS];

	assert_int_equal(sn_columns_add_row(columns), 0);
	sn_columns_row(columns, 0, row);
	for (int i = 0; i < COLUMNS; i++) {
		assert_int_equal(row[i].type, SN_TYPE_NULL);
		assert_no_value(columns, 0, i);
	}
	assert_int_equal(sn_columns_add_row(columns), 1);
	for (int i = 0; i < COLUMNS; i++)
		assert_no_value(columns, 1, i);
}

static void nothing_has_vectors_without_rows(void **state)
{
	struct sn_vector vector = sn_columns_vector(*state, NAME);

	assert_int_equal(sn_columns_rows(*state), 0);
	assert_int_equal(vector.rows, 0);
	assert_null(vector.null);
	assert_ptr_equal(sn_columns_dataset(*state), &dataset);
}

static void add_full_row(struct sn_columns *columns, int i)
{
	char text[32];

	snprintf(text, sizeof(text), "target number %d", i);
	sn_columns_add_row(columns);
	sn_columns_set_time(columns, SN_COL_TIME, i);
	sn_columns_set_i64(columns, SN_COL_SEQ, -i);
	sn_columns_set_bool(columns, UP, i % 2 == 0);
	sn_columns_set_f64(columns, DELAY, i / 8.0);
	sn_columns_set_text(columns, NAME, sn_str(text));
}

static void values_stand_side_by_side_and_come_back_as_rows(void **state)
{
	struct sn_columns *columns = *state;
	struct sn_value row[COLUMNS];
	struct sn_vector times, names;

	for (int i = 0; i < 5000; i++)
		add_full_row(columns, i);
	times = sn_columns_vector(columns, SN_COL_TIME);
	names = sn_columns_vector(columns, NAME);
	assert_int_equal(times.type, SN_TYPE_TIME);
	assert_int_equal(times.rows, 5000);
	assert_null(times.null);
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(times.i[i], i);
		sn_columns_row(columns, (size_t)i, row);
		assert_int_equal(row[SN_COL_SEQ].i, -i);
		assert_true(row[UP].b == (i % 2 == 0));
		assert_true(row[DELAY].f == i / 8.0);
		assert_true(sn_str_eq(row[NAME].s, names.s[i]));
		assert_int_equal(row[SN_COL_TASK].type, SN_TYPE_NULL);
	}
	assert_true(sn_str_eqc(names.s[4999], "target number 4999"));
}

static void rows_that_set_nothing_are_null_between_those_that_do(void **state)
{
	struct sn_columns *columns = *state;
	struct sn_vector vector;

	for (int i = 0; i < 1000; i++) {
		sn_columns_add_row(columns);
		if (i % 100 == 7)
			sn_columns_set_i64(columns, SN_COL_SEQ, i);
	}
	vector = sn_columns_vector(columns, SN_COL_SEQ);
	for (size_t i = 0; i < 1000; i++) {
		assert_true(sn_vector_is_null(&vector, i) == (i % 100 != 7));
		assert_int_equal(vector.i[i], i % 100 == 7 ? i : 0);
	}
}

static void value_can_be_replaced_and_taken_back(void **state)
{
	struct sn_columns *columns = *state;
	struct sn_vector vector;

	sn_columns_add_row(columns);
	sn_columns_set_i64(columns, SN_COL_SEQ, 1);
	sn_columns_set_i64(columns, SN_COL_SEQ, 2);
	vector = sn_columns_vector(columns, SN_COL_SEQ);
	assert_null(vector.null);
	assert_int_equal(vector.i[0], 2);
	sn_columns_set(columns, SN_COL_SEQ, (struct sn_value){.type = SN_TYPE_I64, .i = 3});
	assert_int_equal(sn_columns_vector(columns, SN_COL_SEQ).i[0], 3);
	for (int i = 0; i < COLUMNS; i++) {
		/* A null of its own, looked at, and once more. */
		sn_columns_set(columns, SN_COL_SEQ, (struct sn_value){.type = SN_TYPE_NULL});
		assert_no_value(columns, 0, SN_COL_SEQ);
	}
	sn_columns_set_i64(columns, SN_COL_SEQ, 4);
	assert_null(sn_columns_vector(columns, SN_COL_SEQ).null);
}

static void number_that_is_not_finite_is_null(void **state)
{
	struct sn_columns *columns = *state;

	sn_columns_add_row(columns);
	sn_columns_set_f64(columns, DELAY, 1.5);
	sn_columns_set_f64(columns, DELAY, (double)NAN);
	assert_no_value(columns, 0, DELAY);
	sn_columns_add_row(columns);
	sn_columns_set_f64(columns, DELAY, (double)-INFINITY);
	assert_no_value(columns, 1, DELAY);
	assert_true(sn_columns_vector(columns, DELAY).f[1] == 0);
}

static void text_is_copied_and_cut_like_that_of_a_batch(void **state)
{
	struct sn_columns *columns = *state;
	static char text[SN_TEXT_MAX + 2];
	struct sn_value row[COLUMNS];

	memset(text, 'x', SN_TEXT_MAX + 1);
	memcpy(text + SN_TEXT_MAX - 1, "\xc3\xa4", 2);
	sn_columns_add_row(columns);
	sn_columns_set_text(columns, NAME, (struct sn_str){text, SN_TEXT_MAX + 1});
	memset(text, 'y', sizeof(text));
	sn_columns_row(columns, 0, row);
	assert_int_equal(row[NAME].s.n, SN_TEXT_MAX - 1);
	assert_int_equal(row[NAME].s.p[0], 'x');
	sn_columns_set_text(columns, NAME, (struct sn_str){"a\0b", 3});
	assert_true(sn_str_eqc(sn_columns_vector(columns, NAME).s[0], "a"));
}

static void dropped_row_leaves_the_others_as_they_were(void **state)
{
	struct sn_columns *columns = *state;

	add_full_row(columns, 0);
	add_full_row(columns, 1);
	sn_columns_vector(columns, SN_COL_TASK);
	sn_columns_drop_row(columns);
	assert_int_equal(sn_columns_rows(columns), 1);
	sn_columns_add_row(columns);
	assert_no_value(columns, 1, SN_COL_SEQ);
	assert_no_value(columns, 1, NAME);
	sn_columns_drop_row(columns);
	/* The null of the dropped row is gone with it. */
	assert_null(sn_columns_vector(columns, SN_COL_SEQ).null);
	assert_true(sn_str_eqc(sn_columns_vector(columns, NAME).s[0], "target number 0"));
	add_full_row(columns, 2);
	assert_int_equal(sn_columns_vector(columns, SN_COL_SEQ).i[1], -2);
}

static void cleared_columns_begin_anew(void **state)
{
	struct sn_columns *columns = *state;

	sn_columns_add_row(columns);
	add_full_row(columns, 1);
	sn_columns_vector(columns, NAME);
	sn_columns_clear(columns);
	assert_int_equal(sn_columns_rows(columns), 0);
	add_full_row(columns, 2);
	assert_null(sn_columns_vector(columns, NAME).null);
	assert_int_equal(sn_columns_vector(columns, SN_COL_TIME).i[0], 2);
}

static void batch_is_added_row_by_row_nulls_and_all(void **state)
{
	struct sn_batch *batch = sn_batch_create(&dataset);
	struct sn_columns *columns = *state;
	struct sn_value row[COLUMNS];

	for (int i = 0; i < 100; i++) {
		sn_batch_add_row(batch);
		sn_batch_set_time(batch, SN_COL_TIME, i);
		if (i % 3 == 0)
			sn_batch_set_text(batch, NAME, SN_STR("third"));
		if (i % 2 == 0)
			sn_batch_set_bool(batch, UP, i % 4 == 0);
	}
	add_full_row(columns, 0);
	sn_columns_add_batch(columns, batch);
	sn_batch_destroy(batch);
	assert_int_equal(sn_columns_rows(columns), 101);
	for (int i = 0; i < 100; i++) {
		sn_columns_row(columns, (size_t)i + 1, row);
		assert_int_equal(row[SN_COL_TIME].i, i);
		assert_int_equal(row[NAME].type, i % 3 == 0 ? SN_TYPE_TEXT : SN_TYPE_NULL);
		assert_int_equal(row[UP].type, i % 2 == 0 ? SN_TYPE_BOOL : SN_TYPE_NULL);
		if (i % 3 == 0)
			assert_true(sn_str_eqc(row[NAME].s, "third"));
	}
}

static void part_of_a_vector_has_its_rows_only(void **state)
{
	struct sn_columns *columns = *state;
	struct sn_vector all, part;

	for (int i = 0; i < 10; i++)
		add_full_row(columns, i);
	sn_columns_add_row(columns);
	for (int column = 0; column < COLUMNS; column++) {
		all = sn_columns_vector(columns, column);
		part = sn_vector_part(&all, 8, 3);
		assert_int_equal(part.rows, 3);
		assert_int_equal(part.type, all.type);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(sn_vector_value(&part, i).type,
					 sn_vector_value(&all, 8 + i).type);
	}
	all = sn_columns_vector(columns, NAME);
	part = sn_vector_part(&all, 8, 3);
	assert_true(sn_str_eqc(part.s[1], "target number 9"));
	assert_true(sn_vector_is_null(&part, 2));
}

/* Beside a batch that is told the same. */
static void random_changes_give_what_a_batch_holds(void **state)
{
	struct sn_batch *batch = sn_batch_create(&dataset);
	struct sn_columns *columns = *state;
	struct sn_value row[COLUMNS];
	struct sn_prng prng;

	sn_prng_seed(&prng, 5);
	for (int step = 0; step < 20000; step++) {
		uint64_t r = sn_prng_u64(&prng);
		size_t rows = sn_batch_rows(batch);

		if (rows == 0 || r % 4 == 0) {
			sn_batch_add_row(batch);
			sn_columns_add_row(columns);
		} else if (r % 32 == 1) {
			sn_batch_drop_row(batch);
			sn_columns_drop_row(columns);
		} else if (r % 4 == 1) {
			sn_batch_set_i64(batch, SN_COL_SEQ, step);
			sn_columns_set_i64(columns, SN_COL_SEQ, step);
		} else if (r % 4 == 2) {
			sn_batch_set_bool(batch, UP, r % 8 == 2);
			sn_columns_set_bool(columns, UP, r % 8 == 2);
		} else if (r % 64 == 3) {
			sn_columns_vector(columns, UP);
			sn_columns_vector(columns, SN_COL_SEQ);
		}
	}
	assert_int_equal(sn_columns_rows(columns), sn_batch_rows(batch));
	for (size_t i = 0; i < sn_batch_rows(batch); i++) {
		sn_columns_row(columns, i, row);
		assert_int_equal(row[SN_COL_SEQ].type, sn_batch_get(batch, i, SN_COL_SEQ)->type);
		assert_int_equal(row[UP].type, sn_batch_get(batch, i, UP)->type);
		if (row[SN_COL_SEQ].type != SN_TYPE_NULL)
			assert_int_equal(row[SN_COL_SEQ].i, sn_batch_get(batch, i, SN_COL_SEQ)->i);
	}
	sn_batch_destroy(batch);
}

#define WITH_COLUMNS(test) cmocka_unit_test_setup_teardown(test, create, destroy)

static void values_are_filled_in_behind_one_another(void **state)
{
	int target = sn_dataset_column(&sn_dataset_ping, "target");
	int loss = sn_dataset_column(&sn_dataset_ping, "loss_ratio");
	struct sn_columns *columns = sn_columns_create(&sn_dataset_ping);
	struct sn_value text = {.type = SN_TYPE_TEXT, .s = SN_STR("late")};
	struct sn_value number = {.type = SN_TYPE_F64, .f = 0.25};
	struct sn_vector vector;

	(void)state;
	for (int i = 0; i < 100; i++) {
		sn_columns_add_row(columns);
		if (i == 98)
			sn_columns_set_text(columns, target, SN_STR("early"));
	}
	sn_columns_fill_in(columns, 70, target, text);
	sn_columns_fill_in(columns, 98, target, text);
	sn_columns_fill_in(columns, 99, loss, number);
	sn_columns_fill_in(columns, 0, loss, number);
	sn_columns_add_row(columns);
	sn_columns_drop_row(columns);
	vector = sn_columns_vector(columns, target);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(sn_vector_is_null(&vector, i), i != 70 && i != 98);
	assert_true(sn_str_eqc(vector.s[70], "late") && sn_str_eqc(vector.s[98], "late"));
	vector = sn_columns_vector(columns, loss);
	assert_true(vector.f[0] == 0.25 && vector.f[99] == 0.25);
	assert_true(sn_vector_is_null(&vector, 1) && !sn_vector_is_null(&vector, 99));
	for (size_t i = 0; i < 100; i++)
		sn_columns_fill_in(columns, i, loss, number);
	assert_null(sn_columns_vector(columns, loss).null);
	sn_columns_destroy(columns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_COLUMNS(new_row_is_all_null_before_and_after_somebody_looked),
		WITH_COLUMNS(nothing_has_vectors_without_rows),
		WITH_COLUMNS(values_stand_side_by_side_and_come_back_as_rows),
		WITH_COLUMNS(rows_that_set_nothing_are_null_between_those_that_do),
		WITH_COLUMNS(value_can_be_replaced_and_taken_back),
		WITH_COLUMNS(number_that_is_not_finite_is_null),
		WITH_COLUMNS(text_is_copied_and_cut_like_that_of_a_batch),
		WITH_COLUMNS(dropped_row_leaves_the_others_as_they_were),
		WITH_COLUMNS(cleared_columns_begin_anew),
		WITH_COLUMNS(batch_is_added_row_by_row_nulls_and_all),
		WITH_COLUMNS(part_of_a_vector_has_its_rows_only),
		WITH_COLUMNS(random_changes_give_what_a_batch_holds),
		cmocka_unit_test(values_are_filled_in_behind_one_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
