/* SPDX-License-Identifier: Apache-2.0 */
/* Rows leave a day's file in their order, and what has left is never silently missing. */
#include "lib/test.h"

#include <errno.h>

#include "unit/store/world.h"

#include "store/blocks_query.h"
#include "store/clickhouse.h"
#include "store/moving.h"
#include "store/sqlite.h"

#define DAY_NUMBER 20513

/* `rows` more of day 1, in one commit. */
static void store_rows(struct world *world, int rows)
{
	for (int i = 0; i < rows; i++)
		add_row(world->batch, DAY_1 + (int64_t)world->next_batch * 1000 + i, "a",
			(int64_t)world->next_batch * 1000 + i);
	store_batch(world);
}

static struct sn_day *open_day(struct world *world)
{
	struct sn_day *day = sn_day_get(world->store, DAY_NUMBER);

	if (sn_day_open_writer(world->store, day, &world->err) != 0 ||
	    sn_day_open_reader(world->store, day, &world->err) != 0)
		fail_msg("%s", world->err.text);
	return day;
}

static struct sn_moving_unit begin(struct world *world, int64_t end)
{
	struct sn_moving_unit unit;
	int rc = sn_moving_begin(open_day(world)->writer, &sample, end, &unit, &world->err);

	if (rc != 1)
		fail_msg("%d %s", rc, world->err.text);
	return unit;
}

static void end(struct world *world, const struct sn_moving_unit *unit)
{
	if (sn_moving_end(open_day(world)->writer, unit, &world->err) != 0)
		fail_msg("%s", world->err.text);
}

static int64_t frontier(struct world *world, bool *moved)
{
	int64_t number;

	if (sn_moving_frontier(open_day(world)->reader, &sample, &number, moved, &world->err) != 0)
		fail_msg("%s", world->err.text);
	return number;
}

static int count_row(const struct sn_value *row, void *ctx)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int query(struct world *world, int *rows)
{
	struct sn_query query = {.dataset = &sample, .limit = 1000};

	*rows = 0;
	return sn_store_query(world->store, &query, count_row, rows, NULL, &world->err);
}

static void assert_ends(struct world *world, int64_t first_ns, int64_t last_ns)
{
	int64_t first = 0, last = 0;

	if (sn_moving_ends(open_day(world)->reader, &sample, &first, &last, &world->err) != 0)
		fail_msg("%s", world->err.text);
	assert_int_equal(first, first_ns);
	assert_int_equal(last, last_ns);
}

static void rows_leave_in_their_order(void **state)
{
	struct world *world = *state;
	struct sn_moving_unit unit;
	bool moved;

	for (int i = 0; i < 4; i++)
		store_rows(world, 10);
	assert_int_equal(frontier(world, &moved), 1);
	assert_false(moved);
	assert_ends(world, 0, 0);
	/* A block of which a row has to stay stays. */
	unit = begin(world, 26);
	assert_int_equal(unit.first, 1);
	assert_int_equal(unit.end, 21);
	assert_int_equal(unit.rows, 20);
	assert_int_equal(unit.time_min, DAY_1);
	assert_int_equal(unit.time_max, DAY_1 + 1009);
	/* Noted is not gone. */
	assert_int_equal(frontier(world, &moved), 1);
	end(world, &unit);
	assert_int_equal(frontier(world, &moved), 21);
	assert_true(moved);
	unit = begin(world, INT64_MAX);
	assert_int_equal(unit.first, 21);
	assert_int_equal(unit.rows, 20);
	end(world, &unit);
	assert_int_equal(frontier(world, &moved), INT64_MAX);
	assert_ends(world, DAY_1, unit.time_max);
	store_rows(world, 1);
	assert_int_equal(frontier(world, &moved), 41);
}

static int take_note(const struct sn_moving_unit *unit, void *ctx)
{
	*(struct sn_moving_unit *)ctx = *unit;
	return 0;
}

static void what_was_noted_is_known_after_a_restart_and_nothing_else_begins(void **state)
{
	struct world *world = *state;
	struct sn_moving_unit unit, again = {.rows = 0}, other;

	store_rows(world, 10);
	store_rows(world, 10);
	unit = begin(world, 11);
	world_reopen(world);
	assert_int_equal(sn_moving_notes(open_day(world)->reader, take_note, &again, &world->err),
			 0);
	assert_int_equal(again.first, unit.first);
	assert_int_equal(again.end, unit.end);
	assert_int_equal(again.block, unit.block);
	assert_string_equal(again.dataset, "sample");
	assert_int_equal(
		sn_moving_begin(open_day(world)->writer, &sample, INT64_MAX, &other, &world->err),
		-EEXIST);
}

static void a_unit_is_read_as_it_was_stored(void **state)
{
	struct world *world = *state;
	struct sn_columns *rows = sn_columns_create(&sample);
	struct sn_moving_unit unit;
	struct sn_value row[SN_DATASET_COLUMNS_MAX];

	for (int i = 0; i < 3; i++)
		store_rows(world, 7);
	unit = begin(world, INT64_MAX);
	store_rows(world, 7);
	assert_int_equal(sn_moving_read(open_day(world)->reader, &unit, rows, &world->err), 0);
	assert_int_equal(sn_columns_rows(rows), 21);
	for (size_t i = 0; i < 21; i++) {
		sn_columns_row(rows, i, row);
		assert_int_equal(row[SN_COL_SEQ].i, i / 7 * 1000 + i % 7);
		assert_int_equal(row[DELAY].type, SN_TYPE_NULL);
	}
	sn_columns_destroy(rows);
}

static void blocks_on_their_way_are_not_put_together_with_others(void **state)
{
	struct world *world = *state;
	struct sn_moving_unit unit;
	unsigned merges = 0;

	for (int i = 0; i < 12; i++)
		store_rows(world, 5);
	unit = begin(world, 5 * 5 + 1);
	assert_int_equal(sn_store_tidy(world->store, NULL, &merges, &world->err), 0);
	assert_true(merges > 0);
	end(world, &unit);
	assert_int_equal(unit.rows, 25);
	assert_int_equal(frontier(world, &(bool){false}), 26);
	unit = begin(world, INT64_MAX);
	assert_int_equal(unit.rows, 35);
}

static void a_store_without_clickhouse_says_what_it_lacks(void **state)
{
	struct world *world = *state;
	struct sn_moving_unit unit;
	int rows;

	store_rows(world, 10);
	store_rows(world, 10);
	unit = begin(world, 11);
	assert_int_equal(query(world, &rows), 0);
	assert_int_equal(rows, 20);
	end(world, &unit);
	assert_int_equal(query(world, &rows), -EREMOTE);
	assert_int_equal(rows, 10);
	assert_non_null(strstr(world->err.text, "2026-03-01"));
	rows = 0;
	assert_int_equal(
		sn_store_latest(world->store, &sample, DAY_1, count_row, &rows, &world->err),
		-EREMOTE);
	assert_int_equal(rows, 1);
	assert_int_equal(
		sn_store_check_node(world->store, NODE, &(struct sn_store_check){0}, &world->err),
		-EREMOTE);
}

/* A hub's loop never waits for a server: it has no connection to ask through. */
static void a_local_store_hands_out_newest_rows_and_says_what_it_did_not_ask(void **state)
{
	struct world *world = *state;
	struct sn_clickhouse_options clickhouse = {.url = "http://127.0.0.1:9/default"};
	struct sn_store_options options = {.clickhouse = &clickhouse, .local = true};
	struct sn_moving_unit unit;
	struct sn_store *store;
	int rows = 0;

	store_rows(world, 10);
	store_rows(world, 10);
	unit = begin(world, 11);
	end(world, &unit);
	assert_int_equal(sn_store_open_with(world->dir, &options, &store, &world->err), 0);
	assert_int_equal(sn_store_latest(store, &sample, DAY_1, count_row, &rows, &world->err),
			 -EREMOTE);
	assert_int_equal(rows, 1);
	sn_store_close(store);
}

static int take_day(const struct sn_store_day *day, void *ctx)
{
	*(struct sn_store_day *)ctx = *day;
	return 0;
}

static int take_dataset(const struct sn_store_dataset *dataset, void *ctx)
{
	*(struct sn_store_dataset *)ctx = *dataset;
	return 0;
}

static void totals_count_rows_that_have_left(void **state)
{
	struct world *world = *state;
	struct sn_store_dataset dataset;
	struct sn_moving_unit unit;
	struct sn_store_day day;

	store_rows(world, 10);
	store_rows(world, 5);
	unit = begin(world, 11);
	end(world, &unit);
	assert_int_equal(sn_store_days(world->store, take_day, &day, &world->err), 0);
	assert_int_equal(day.rows, 15);
	assert_int_equal(day.local_rows, 5);
	assert_int_equal(sn_store_datasets(world->store, take_dataset, &dataset, &world->err), 0);
	assert_int_equal(dataset.rows, 15);
	assert_int_equal(dataset.local_rows, 5);
	assert_int_equal(dataset.first_ns, DAY_1);
	assert_int_equal(dataset.last_ns, DAY_1 + 1004);
}

static void rows_come_back_under_their_numbers(void **state)
{
	struct world *world = *state;
	struct sn_columns *rows = sn_columns_create(&sample);
	struct sn_moving_unit first, second, last;
	bool moved, returning;
	struct sn_day *day;
	int count;

	for (int i = 0; i < 3; i++)
		store_rows(world, 10);
	first = begin(world, 11);
	assert_int_equal(sn_moving_read(open_day(world)->reader, &first, rows, &world->err), 0);
	end(world, &first);
	second = begin(world, 21);
	end(world, &second);
	day = open_day(world);
	/* Not before those that left later. */
	assert_int_equal(sn_moving_return(day->writer, &first, rows, &world->err), -ESTALE);
	assert_int_equal(sn_moving_last(day->reader, &last, &world->err), 1);
	assert_int_equal(last.first, 11);
	assert_int_equal(sn_moving_return(day->writer, &second, rows, &world->err), 0);
	assert_int_equal(frontier(world, &moved), 11);
	assert_int_equal(sn_moving_is_returning(day->reader, &returning, &world->err), 0);
	assert_true(returning);
	assert_int_equal(sn_moving_return(day->writer, &first, rows, &world->err), 0);
	assert_int_equal(frontier(world, &moved), 1);
	assert_false(moved);
	assert_int_equal(query(world, &count), 0);
	assert_int_equal(count, 30);
	/* What comes next has numbers of its own. */
	store_rows(world, 10);
	assert_int_equal(query(world, &count), 0);
	assert_int_equal(count, 40);
	sn_columns_destroy(rows);
}

static void a_file_after_a_damaged_one_begins_with_other_numbers(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = file_path(world, "2026-03-01.db");
	sn_autofree char *aside = file_path(world, "2026-03-01.db.corrupt");
	int64_t number;

	store_rows(world, 10);
	sn_store_close(world->store);
	assert_int_equal(rename(path, aside), 0);
	world_open(world);
	store_rows(world, 10);
	number = frontier(world, &(bool){false});
	assert_int_equal(number, (INT64_C(1) << 40) + 1);
	world_reopen(world);
	store_rows(world, 10);
	assert_int_equal(frontier(world, &(bool){false}), number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(rows_leave_in_their_order),
		WITH_WORLD(what_was_noted_is_known_after_a_restart_and_nothing_else_begins),
		WITH_WORLD(a_unit_is_read_as_it_was_stored),
		WITH_WORLD(blocks_on_their_way_are_not_put_together_with_others),
		WITH_WORLD(a_store_without_clickhouse_says_what_it_lacks),
		WITH_WORLD(a_local_store_hands_out_newest_rows_and_says_what_it_did_not_ask),
		WITH_WORLD(totals_count_rows_that_have_left),
		WITH_WORLD(rows_come_back_under_their_numbers),
		WITH_WORLD(a_file_after_a_damaged_one_begins_with_other_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
