/* SPDX-License-Identifier: Apache-2.0 */
/* Many rows at once, totals of datasets, small blocks put together, what a file is known by. */
#include "lib/test.h"

#include <errno.h>
#include <pthread.h>

#include "unit/store/world.h"

#include "base/clock.h"
#include "store/blocks.h"
#include "store/sqlite.h"

static struct sn_columns *make_rows(int64_t from_ns, size_t count, const char *node)
{
	struct sn_columns *rows = sn_columns_create(&sample);

	for (size_t i = 0; i < count; i++) {
		sn_columns_add_row(rows);
		sn_columns_set_time(rows, SN_COL_TIME, from_ns + (int64_t)i);
		sn_columns_set_i64(rows, COUNT, (int64_t)i);
		if (node != NULL)
			sn_columns_set_text(rows, SN_COL_NODE, sn_str(node));
	}
	return rows;
}

static struct sn_batch_id import_id(uint64_t part)
{
	struct sn_batch_id id = batch_id(part);

	id.node = "import:4a5b";
	id.stream = "import";
	return id;
}

static int put(struct world *world, uint64_t part, int64_t from_ns, size_t count)
{
	struct sn_columns *rows = make_rows(from_ns, count, "a node");
	struct sn_batch_id id = import_id(part);
	int rc = sn_store_put(world->store, &id, rows, &world->err);

	sn_columns_destroy(rows);
	return rc;
}

static int count_row(const struct sn_value *row, void *ctx)
{
	assert_true(sn_str_eqc(row[SN_COL_NODE].s, "a node"));
	++*(uint64_t *)ctx;
	return 0;
}

static uint64_t count_rows(struct world *world)
{
	struct sn_query query = {.dataset = &sample, .limit = SN_QUERY_LIMIT_MAX};
	uint64_t rows = 0;

	if (sn_store_query(world->store, &query, count_row, &rows, NULL, &world->err) != 0)
		fail_msg("%s", world->err.text);
	return rows;
}

static void rows_that_were_put_are_stored_once(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = import_id(0);
	struct sn_columns *rows;

	assert_int_equal(put(world, 0, DAY_1, 1000), 0);
	assert_int_equal(put(world, 0, DAY_1, 1000), 1);
	world_reopen(world);
	assert_int_equal(put(world, 0, DAY_1, 1000), 1);
	assert_int_equal(put(world, 1, DAY_1, 500), 0);
	assert_int_equal(count_rows(world), 1500);
	id.digest[0] ^= 1;
	rows = make_rows(DAY_1, 1, NULL);
	assert_int_equal(sn_store_put(world->store, &id, rows, &world->err), -EEXIST);
	assert_string_equal(world->err.text,
			    "batch 0 of node 'import:4a5b' is stored already with other content");
	sn_columns_destroy(rows);
	assert_int_equal(count_rows(world), 1500);
}

static void more_rows_than_a_block_takes_can_be_put(void **state)
{
	struct world *world = *state;

	assert_int_equal(put(world, 0, DAY_1, SN_BLOCK_ROWS_MAX + 100), 0);
	assert_int_equal(count_rows(world), SN_BLOCK_ROWS_MAX + 100);
	assert_int_equal(check_node(world, "import:4a5b").rows, SN_BLOCK_ROWS_MAX + 100);
}

static void rows_that_cannot_be_a_batch_are_not_put(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = import_id(0);
	struct sn_columns *rows = sn_columns_create(&sample);

	assert_int_equal(sn_store_put(world->store, &id, rows, &world->err), -EINVAL);
	assert_string_equal(world->err.text, "a batch without rows");
	sn_columns_add_row(rows);
	assert_int_equal(sn_store_put(world->store, &id, rows, &world->err), -EINVAL);
	assert_string_equal(world->err.text, "a row without 'time'");
	sn_columns_set_time(rows, SN_COL_TIME, DAY_1 + DAY_NS);
	sn_columns_add_row(rows);
	sn_columns_set_time(rows, SN_COL_TIME, DAY_1 + DAY_NS - 1);
	assert_int_equal(sn_store_put(world->store, &id, rows, &world->err), -EINVAL);
	assert_string_equal(world->err.text, "a batch with rows of two days");
	id.node = "";
	assert_int_equal(sn_store_put(world->store, &id, rows, NULL), -EINVAL);
	sn_columns_destroy(rows);
}

static void nothing_is_put_into_an_open_group(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(0);

	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(sn_store_append(world->store, &id, world->batch, NULL), 0);
	assert_int_equal(put(world, 0, DAY_1 + DAY_NS, 1), -EBUSY);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_int_equal(put(world, 0, DAY_1 + DAY_NS, 1), 0);
}

/* Threads ---------------------------------------------------------------------- */

#define PARTS 40

struct loader {
	const char *dir;
	uint64_t first; /* parts first, first + 2, ...; and all of the other's again at the end */
};

static void *load(void *ctx)
{
	struct loader *loader = ctx;
	struct sn_columns *rows = make_rows(DAY_1, 200, "a node");
	struct sn_store *store;
	uintptr_t failures = 0;

	if (sn_store_open(loader->dir, &store, NULL) != 0)
		return (void *)1;
	for (uint64_t i = 0; i < 2 * PARTS; i++) {
		struct sn_batch_id id = import_id((loader->first + i * (PARTS - 1)) % PARTS);
		int rc = sn_store_put(store, &id, rows, NULL);

		failures += rc != 0 && rc != 1;
	}
	sn_store_close(store);
	sn_columns_destroy(rows);
	return (void *)failures;
}

static void loaders_of_the_same_day_do_not_disturb_each_other(void **state)
{
	struct world *world = *state;
	struct loader loaders[3] = {{world->dir, 0}, {world->dir, 1}, {world->dir, 20}};
	pthread_t threads[3];
	void *failures;

	for (size_t i = 0; i < SN_COUNT(loaders); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load, &loaders[i]), 0);
	for (size_t i = 0; i < SN_COUNT(loaders); i++) {
		assert_int_equal(pthread_join(threads[i], &failures), 0);
		assert_null(failures);
	}
	assert_int_equal(count_rows(world), PARTS * 200);
}

/* Totals ------------------------------------------------------------------------ */

static int note_dataset(const struct sn_store_dataset *dataset, void *ctx)
{
	*(struct sn_store_dataset *)ctx = *dataset;
	return 0;
}

static struct sn_store_dataset look(struct world *world)
{
	struct sn_store_dataset dataset = {.version = 0};

	if (sn_store_datasets(world->store, note_dataset, &dataset, &world->err) != 0)
		fail_msg("%s", world->err.text);
	return dataset;
}

static void totals_of_a_dataset_are_those_of_all_days(void **state)
{
	struct world *world = *state;
	struct sn_store_dataset dataset;

	assert_int_equal(look(world).version, 0);
	assert_int_equal(put(world, 0, DAY_1 + DAY_NS + 5, 100), 0);
	assert_int_equal(put(world, 1, DAY_1 + 7, 10), 0);
	dataset = look(world);
	assert_string_equal(dataset.name, "sample");
	assert_int_equal(dataset.version, 1);
	assert_int_equal(dataset.rows, 110);
	assert_int_equal(dataset.local_rows, 110);
	assert_int_equal(dataset.first_ns, DAY_1 + 7);
	assert_int_equal(dataset.last_ns, DAY_1 + DAY_NS + 104);
	assert_int_equal(dataset.days, 2);
	assert_true(dataset.bytes > 0 && dataset.bytes < 10000);
}

static int note_block(const struct sn_blocks_info *block, void *ctx)
{
	*(struct sn_blocks_info *)ctx = *block;
	return 0;
}

static int see_day(const struct sn_store_day *day, void *ctx)
{
	*(struct sn_store_day *)ctx = *day;
	return 0;
}

static void blocks_that_go_elsewhere_leave_their_totals(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = file_path(world, "2026-03-01.db");
	struct sn_blocks_info block = {.id = 0};
	struct sn_store_dataset dataset;
	struct sn_store_day day;
	struct sn_db *db;

	assert_int_equal(put(world, 0, DAY_1 + 3, 50), 0);
	assert_int_equal(put(world, 1, DAY_1 + 100, 100), 0);
	assert_int_equal(sn_db_open_reader(path, &db, NULL), 0);
	assert_int_equal(sn_db_exec(db, "PRAGMA query_only = OFF", NULL), 0);
	assert_int_equal(
		sn_blocks_list(db, &sample, INT64_MIN, INT64_MAX, note_block, &block, NULL), 0);
	assert_int_equal(sn_db_begin(db, NULL), 0);
	assert_int_equal(sn_blocks_remove(db, block.id, NULL), 0);
	assert_int_equal(sn_db_commit(db, NULL), 0);
	sn_db_close(db);
	dataset = look(world);
	assert_int_equal(dataset.rows, 150);
	assert_int_equal(dataset.local_rows, 50);
	assert_int_equal(dataset.first_ns, DAY_1 + 3);
	assert_int_equal(dataset.last_ns, DAY_1 + 199);
	assert_int_equal(sn_store_days(world->store, see_day, &day, NULL), 0);
	assert_int_equal(day.rows, 150);
	assert_int_equal(day.local_rows, 50);
}

/* Tidying ----------------------------------------------------------------------- */

static int count_block(const struct sn_blocks_info *block, void *ctx)
{
	(void)block;
	++*(unsigned *)ctx;
	return 0;
}

static unsigned count_blocks(struct world *world, const char *name)
{
	sn_autofree char *path = file_path(world, name);
	unsigned count = 0;
	struct sn_db *db;

	assert_int_equal(sn_db_open_reader(path, &db, NULL), 0);
	assert_int_equal(
		sn_blocks_list(db, &sample, INT64_MIN, INT64_MAX, count_block, &count, NULL), 0);
	sn_db_close(db);
	return count;
}

static void days_that_are_over_become_as_few_blocks_as_possible(void **state)
{
	struct world *world = *state;
	unsigned merges;

	for (uint64_t i = 0; i < 30; i++)
		assert_int_equal(put(world, i, DAY_1 + (int64_t)(i % 2) * DAY_NS, 20 + i), 0);
	assert_int_equal(count_blocks(world, "2026-03-01.db"), 15);
	assert_int_equal(sn_store_tidy(world->store, NULL, &merges, &world->err), 0);
	assert_int_equal(merges, 2);
	assert_int_equal(count_blocks(world, "2026-03-01.db"), 1);
	assert_int_equal(count_blocks(world, "2026-03-02.db"), 1);
	assert_int_equal(count_rows(world), 30 * 20 + 29 * 15);
	assert_int_equal(sn_store_tidy(world->store, NULL, &merges, NULL), 0);
	assert_int_equal(merges, 0);
	/* What comes late goes along. */
	assert_int_equal(put(world, 30, DAY_1, 1), 0);
	assert_int_equal(sn_store_tidy(world->store, NULL, &merges, NULL), 0);
	assert_int_equal(merges, 1);
	assert_int_equal(count_blocks(world, "2026-03-01.db"), 1);
}

static void blocks_of_today_are_put_together_by_eight(void **state)
{
	struct world *world = *state;
	int64_t now = sn_wall_ns();
	char name[SN_DAY_NAME_SIZE];
	sn_autofree char *file = sn_xasprintf("%s.db", sn_day_name(sn_day_of(now), name));
	unsigned merges;

	for (uint64_t i = 0; i < 9; i++)
		assert_int_equal(put(world, i, now, 20), 0);
	assert_int_equal(sn_store_tidy(world->store, NULL, &merges, NULL), 0);
	/* Unless midnight passed in between. */
	if (sn_day_of(sn_wall_ns()) == sn_day_of(now)) {
		assert_int_equal(merges, 1);
		assert_int_equal(count_blocks(world, file), 2);
	}
}

static void tidying_ends_when_told(void **state)
{
	struct world *world = *state;
	atomic_bool stop = true;
	unsigned merges;

	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(put(world, i, DAY_1, 20), 0);
	assert_int_equal(sn_store_tidy(world->store, &stop, &merges, NULL), 0);
	assert_int_equal(merges, 0);
	atomic_store(&stop, false);
	assert_int_equal(sn_store_tidy(world->store, &stop, &merges, NULL), 0);
	assert_int_equal(merges, 1);
}

static void commit_leaves_tidying_to_others(void **state)
{
	struct world *world = *state;

	for (int64_t i = 0; i < 20; i++) {
		add_row(world->batch, DAY_1 + i, "a", i);
		store_batch(world);
	}
	assert_int_equal(count_blocks(world, "2026-03-01.db"), 20);
}

/* Files ------------------------------------------------------------------------- */

static uint32_t epoch_of(struct world *world)
{
	sn_autofree char *path = file_path(world, "2026-03-01.db");
	uint32_t epoch = 0;
	struct sn_db *db;

	assert_int_equal(sn_db_open_reader(path, &db, NULL), 0);
	assert_int_equal(sn_blocks_epoch(db, &epoch, NULL), 0);
	sn_db_close(db);
	return epoch;
}

static void each_file_of_a_day_has_an_epoch_of_its_own(void **state)
{
	struct world *world = *state;
	uint32_t first;

	assert_int_equal(put(world, 0, DAY_1, 1), 0);
	first = epoch_of(world);
	assert_int_not_equal(first, 0);
	world_reopen(world);
	assert_int_equal(put(world, 1, DAY_1, 1), 0);
	assert_int_equal(epoch_of(world), first);
	assert_int_equal(sn_store_drop_day(world->store, "2026-03-01", NULL), 0);
	assert_int_equal(put(world, 0, DAY_1, 1), 0);
	assert_int_not_equal(epoch_of(world), first);
	assert_true(sn_blocks_global_id(0x80000001, 7) == 0x8000000100000007);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(rows_that_were_put_are_stored_once),
		WITH_WORLD(more_rows_than_a_block_takes_can_be_put),
		WITH_WORLD(rows_that_cannot_be_a_batch_are_not_put),
		WITH_WORLD(nothing_is_put_into_an_open_group),
		WITH_WORLD(loaders_of_the_same_day_do_not_disturb_each_other),
		WITH_WORLD(totals_of_a_dataset_are_those_of_all_days),
		WITH_WORLD(blocks_that_go_elsewhere_leave_their_totals),
		WITH_WORLD(days_that_are_over_become_as_few_blocks_as_possible),
		WITH_WORLD(blocks_of_today_are_put_together_by_eight),
		WITH_WORLD(tidying_ends_when_told),
		WITH_WORLD(commit_leaves_tidying_to_others),
		WITH_WORLD(each_file_of_a_day_has_an_epoch_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
