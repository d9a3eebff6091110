/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>

#include "unit/store/world.h"

#include "store/sqlite.h"

struct seen_days {
	struct sn_store_day days[16];
	size_t count;
};

static int see_day(const struct sn_store_day *day, void *ctx)
{
	struct seen_days *seen = ctx;

	assert_true(seen->count < SN_COUNT(seen->days));
	seen->days[seen->count++] = *day;
	return 0;
}

static struct seen_days look(struct world *world)
{
	struct seen_days seen = {.count = 0};

	if (sn_store_days(world->store, see_day, &seen, &world->err) != 0)
		fail_msg("%s", world->err.text);
	return seen;
}

static int see_one(const struct sn_store_day *day, void *ctx)
{
	*(struct sn_store_day *)ctx = *day;
	return 0;
}

static void store_rows(struct world *world, int64_t time_ns, int64_t first, int count)
{
	for (int i = 0; i < count; i++)
		add_row(world->batch, time_ns + i, "a", first + i);
	store_batch(world);
}

static void days_are_listed_with_their_totals(void **state)
{
	struct world *world = *state;
	struct seen_days seen;

	assert_int_equal(look(world).count, 0);
	store_rows(world, DAY_1 + DAY_NS, 0, 3);
	store_rows(world, DAY_1, 3, 2);
	store_rows(world, DAY_1 + 2, 5, 2);
	seen = look(world);
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.days[0].day, "2026-03-01");
	assert_int_equal(seen.days[0].rows, 4);
	assert_int_equal(seen.days[0].batches, 2);
	assert_true(seen.days[0].bytes > 16384);
	assert_string_equal(seen.days[1].day, "2026-03-02");
	assert_int_equal(seen.days[1].rows, 3);
	/* Totals that are remembered follow what is stored. */
	store_rows(world, DAY_1, 7, 1);
	seen = look(world);
	assert_int_equal(seen.days[0].rows, 5);
	assert_int_equal(seen.days[0].batches, 3);
	world_reopen(world);
	assert_int_equal(look(world).days[0].rows, 5);
}

static void dropped_day_is_gone_and_can_begin_anew(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = file_path(world, "2026-03-01.db");
	struct seen_days seen;

	store_rows(world, DAY_1, 0, 2);
	store_rows(world, DAY_1 + DAY_NS, 2, 2);
	assert_int_equal(sn_store_drop_day(world->store, "2026-03-01", &world->err), 0);
	assert_false(sn_fs_exists(path));
	seen = look(world);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.days[0].day, "2026-03-02");
	assert_stored(world, 2);
	store_rows(world, DAY_1, 4, 1);
	assert_int_equal(check_node(world, NODE).rows, 3);
}

static void day_that_is_not_there_or_no_day_cannot_be_dropped(void **state)
{
	static const char *const bad[] = {"",      "2026-3-1",    "2026-02-30",
					  "today", "2026-03-01x", "../../etc/",
					  "-1d",   "20260301"};
	struct world *world = *state;
	struct sn_batch_id id = batch_id(0);

	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_int_equal(sn_store_drop_day(world->store, bad[i], NULL), -EINVAL);
	assert_int_equal(sn_store_drop_day(world->store, "2026-03-01", &world->err), -ENOENT);
	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(sn_store_append(world->store, &id, world->batch, NULL), 0);
	assert_int_equal(sn_store_drop_day(world->store, "2026-03-01", &world->err), -EBUSY);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_int_equal(sn_store_drop_day(world->store, "2026-03-01", &world->err), 0);
}

static void names_of_days_come_back_to_the_ends_of_time(void **state)
{
	static const int64_t times[] = {INT64_MIN, -1, 0, DAY_1, DAY_1 + DAY_NS - 1, INT64_MAX};
	static const char *const names[] = {"1677-09-21", "1969-12-31", "1970-01-01",
					    "2026-03-01", "2026-03-01", "2262-04-11"};
	char name[SN_DAY_NAME_SIZE];
	int32_t number;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(times); i++) {
		sn_day_name(sn_day_of(times[i]), name);
		assert_string_equal(name, names[i]);
		assert_int_equal(sn_day_parse(sn_str(name), &number), 0);
		assert_int_equal(number, sn_day_of(times[i]));
	}
}

static void files_of_other_kinds_in_the_directory_are_left_alone(void **state)
{
	static const char *const names[] = {"notes.txt", "2026-03-01.db.corrupt", "2026-13-01.db",
					    "2026-03-02.db-wal.old"};
	struct world *world = *state;

	store_rows(world, DAY_1, 0, 1);
	for (size_t i = 0; i < SN_COUNT(names); i++) {
		sn_autofree char *path = file_path(world, names[i]);

		assert_int_equal(sn_fs_write_atomic(path, "x", 1, 0600, NULL), 0);
	}
	assert_int_equal(look(world).count, 1);
	assert_stored(world, 1);
}

/* Overwrites part of a day's file while nobody has it open. */
static void damage(struct world *world, const char *name, off_t offset, size_t size)
{
	sn_autofree char *path = file_path(world, name);
	sn_autofree char *garbage = sn_xmalloc(size);
	int fd;

	sn_store_close(world->store);
	memset(garbage, 0x5a, size);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, garbage, size, offset), size);
	close(fd);
	world_open(world);
}

static int count_row(const struct sn_value *row, void *ctx)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int query(struct world *world, int *rows)
{
	struct sn_query all = {.dataset = &sample, .limit = 1000, .newest_first = true};

	*rows = 0;
	return sn_store_query(world->store, &all, count_row, rows, NULL, &world->err);
}

static void damaged_day_is_set_aside_and_the_others_are_read(void **state)
{
	struct world *world = *state;
	sn_autofree char *aside = file_path(world, "2026-03-02.db.corrupt");
	int rows;

	for (int day = 0; day < 3; day++)
		store_rows(world, DAY_1 + day * DAY_NS, 10 * day, 10);
	damage(world, "2026-03-02.db", 0, 100);
	assert_int_equal(query(world, &rows), -EUCLEAN);
	assert_int_equal(rows, 20);
	assert_non_null(strstr(world->err.text, "it was set aside as"));
	assert_non_null(strstr(world->err.text, aside));
	assert_true(sn_fs_exists(aside));
	assert_int_equal(query(world, &rows), 0);
	assert_int_equal(rows, 20);
	assert_int_equal(look(world).count, 2);
}

static void damage_inside_a_file_is_found_when_it_is_read(void **state)
{
	struct world *world = *state;
	int rows;

	store_rows(world, DAY_1, 0, 5000);
	store_rows(world, DAY_1 + DAY_NS, 5000, 10);
	damage(world, "2026-03-01.db", 16384, 20 * 16384);
	assert_int_equal(query(world, &rows), -EUCLEAN);
	assert_true(rows >= 10);
	assert_int_equal(query(world, &rows), 0);
	assert_int_equal(rows, 10);
}

static void append_to_a_damaged_day_begins_a_new_file(void **state)
{
	struct world *world = *state;
	sn_autofree char *aside = file_path(world, "2026-03-01.db.corrupt");
	sn_autofree char *second = file_path(world, "2026-03-01.db.corrupt.2");
	struct sn_batch_id other = batch_id(50), id = batch_id(51);

	for (int round = 0; round < 2; round++) {
		store_rows(world, DAY_1, 100 * round, 10);
		damage(world, "2026-03-01.db", 0, 100);
		/* The rest of the group is not harmed. */
		other.seq = 50 + (uint64_t)round;
		add_row(world->batch, DAY_1 + DAY_NS, "a", 0);
		assert_int_equal(sn_store_append(world->store, &other, world->batch, NULL), 0);
		sn_batch_clear(world->batch);
		add_row(world->batch, DAY_1, "a", 0);
		assert_int_equal(sn_store_append(world->store, &id, world->batch, &world->err),
				 -EUCLEAN);
		assert_int_equal(sn_store_commit(world->store, NULL), 0);
		assert_true(sn_fs_exists(round == 0 ? aside : second));
		/* The sender tries again. */
		assert_int_equal(sn_store_append(world->store, &id, world->batch, NULL), 0);
		assert_int_equal(sn_store_commit(world->store, NULL), 0);
		sn_batch_clear(world->batch);
		id.seq = 60 + (uint64_t)round;
	}
	assert_int_equal(check_node(world, NODE).rows, 3);
}

static void damage_seen_by_a_query_ends_the_open_group(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(70);
	int rows;

	store_rows(world, DAY_1, 0, 5000);
	damage(world, "2026-03-01.db", 4 * 16384, 60 * 16384);
	add_row(world->batch, DAY_1 + DAY_NS, "a", 0);
	assert_int_equal(sn_store_append(world->store, &id, world->batch, NULL), 0);
	sn_batch_clear(world->batch);
	id.seq++;
	add_row(world->batch, DAY_1, "a", 1);
	/* Whether the append meets the damage or the query does, nothing is acknowledged wrongly.
	 */
	int appended = sn_store_append(world->store, &id, world->batch, NULL);
	int queried = query(world, &rows);
	int committed = sn_store_commit(world->store, NULL);

	assert_true(appended == -EUCLEAN || (queried == -EUCLEAN && committed == -EUCLEAN));
	assert_int_equal(query(world, &rows), 0);
	assert_int_equal(rows, committed == 0 ? 1 : 0);
}

static int query_other(struct sn_store *store, int *rows)
{
	struct sn_query all = {.dataset = &sample, .limit = 10000, .newest_first = true};

	*rows = 0;
	return sn_store_query(store, &all, count_row, rows, NULL, NULL);
}

/* As the hub has it: one store to write, others to read with. */
static void what_one_store_sets_aside_the_others_do_not_go_on_with(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = file_path(world, "2026-03-01.db");
	sn_autofree char *second = file_path(world, "2026-03-01.db.corrupt.2");
	sn_autofree char *garbage = sn_new_n(char, 20 * 16384);
	struct sn_store *finder, *late;
	struct sn_store_day day;
	int fd, rows;

	store_rows(world, DAY_1, 0, 5000);
	world_reopen(world);
	store_rows(world, DAY_1 + SN_NS_PER_S, 5000, 1);
	assert_int_equal(sn_store_open(world->dir, &finder, NULL), 0);
	assert_int_equal(sn_store_open(world->dir, &late, NULL), 0);
	assert_int_equal(sn_store_days(late, see_one, &day, NULL), 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, garbage, 20 * 16384, 16384), 20 * 16384);
	close(fd);
	assert_int_equal(query_other(finder, &rows), -EUCLEAN);

	/* What is acknowledged from here on can be read from here on. */
	store_rows(world, DAY_1 + 2 * SN_NS_PER_S, 5001, 1);
	assert_int_equal(query_other(finder, &rows), 0);
	assert_int_equal(rows, 1);
	assert_int_equal(query_other(late, &rows), 0);
	assert_int_equal(rows, 1);
	assert_int_equal(query(world, &rows), 0);
	assert_int_equal(rows, 1);
	assert_false(sn_fs_exists(second));
	sn_store_close(finder);
	sn_store_close(late);
	store_rows(world, DAY_1 + 3 * SN_NS_PER_S, 5002, 1);
	world_reopen(world);
	assert_int_equal(query(world, &rows), 0);
	assert_int_equal(rows, 2);
}

static void check_counts_gaps_and_repetitions_per_stream(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(0);
	struct sn_store_check check;

	assert_int_equal(check_node(world, NODE).rows, 0);
	store_rows(world, DAY_1, 10, 5);              /* 10..14 */
	store_rows(world, DAY_1 + DAY_NS, 17, 3);     /* 17..19: 15 and 16 are missing */
	store_rows(world, DAY_1 + 2 * DAY_NS, 12, 1); /* 12 again */
	check = check_node(world, NODE);
	assert_int_equal(check.rows, 9);
	assert_int_equal(check.seq_min, 10);
	assert_int_equal(check.seq_max, 19);
	assert_int_equal(check.duplicates, 1);
	assert_int_equal(check.missing, 2);
	/* A second stream of the node counts for itself. */
	add_row(world->batch, DAY_1, "a", 12);
	id.stream = "fedcba9876543210fedcba9876543210";
	assert_int_equal(sn_store_append(world->store, &id, world->batch, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	check = check_node(world, NODE);
	assert_int_equal(check.rows, 10);
	assert_int_equal(check.duplicates, 1);
	assert_int_equal(check.missing, 2);
}

static void check_takes_numbers_that_are_far_apart(void **state)
{
	struct world *world = *state;
	struct sn_store_check check;

	for (int i = 0; i < 200; i++)
		add_row(world->batch, DAY_1, "a", ((i * 7919) % 200) * (INT64_MAX / 200));
	store_batch(world);
	check = check_node(world, NODE);
	assert_int_equal(check.rows, 200);
	assert_int_equal(check.duplicates, 0);
	assert_int_equal(check.seq_min, 0);
	assert_true(check.seq_max == 199 * (uint64_t)(INT64_MAX / 200));
	assert_true(check.missing == check.seq_max + 1 - 200);
}

/* Files of release 0.1.0 ---------------------------------------------------- */

/* A day file as that release wrote it: 3 rows of ping of two nodes, one column missing. */
static void write_old_file(struct world *world)
{
	static const char *const old[] = {
		"CREATE TABLE _source("
		" id INTEGER PRIMARY KEY, node TEXT NOT NULL, stream TEXT NOT NULL,"
		" UNIQUE(node, stream));"
		"CREATE TABLE _batch("
		" source INTEGER NOT NULL REFERENCES _source(id), seq INTEGER NOT NULL,"
		" digest BLOB NOT NULL, dataset TEXT NOT NULL, rows INTEGER NOT NULL,"
		" PRIMARY KEY(source, seq)) WITHOUT ROWID;"
		"CREATE TABLE _dataset("
		" dataset TEXT NOT NULL, version INTEGER NOT NULL,"
		" batches INTEGER NOT NULL, rows INTEGER NOT NULL,"
		" PRIMARY KEY(dataset, version)) WITHOUT ROWID;",
	};
	sn_autofree char *path = file_path(world, "2026-03-01.db");
	struct sn_db *db;

	assert_int_equal(sn_db_open(path, old, 1, &db, NULL), 0);
	assert_int_equal(
		sn_db_exec(
			db,
			"INSERT INTO _source VALUES(1, '" NODE "', 'abc'), (2, 'other', 'abc');"
			"INSERT INTO _batch VALUES(1, 0, zeroblob(32), 'ping', 2),"
			" (2, 0, zeroblob(32), 'ping', 1);"
			"INSERT INTO _dataset VALUES('ping', 1, 2, 3), ('unknown', 1, 1, 1);"
			"CREATE TABLE unknown_1(time INTEGER NOT NULL, _source INTEGER NOT NULL);"
			"CREATE TABLE ping_1(time INTEGER NOT NULL, _source INTEGER NOT NULL,"
			" seq INTEGER, target TEXT, rtt_mean_seconds REAL, ttl INTEGER);"
			"CREATE INDEX ping_1_time ON ping_1(time);"
			"INSERT INTO ping_1 VALUES"
			" (1772323201000000000, 1, 0, 'a', 0.5, 64),"
			" (1772323202000000000, 2, 0, 'b', 1, NULL),"
			" (1772323203000000000, 1, 1, NULL, NULL, 'no number');",
			NULL),
		0);
	sn_db_close(db);
}

static int note_old_row(const struct sn_value *row, void *ctx)
{
	static const int64_t seqs[] = {0, 0, 1};
	static const char *const nodes[] = {NODE, "other", NODE};
	int target = sn_dataset_column(&sn_dataset_ping, "target");
	int mean = sn_dataset_column(&sn_dataset_ping, "rtt_mean_seconds");
	int ttl = sn_dataset_column(&sn_dataset_ping, "ttl");
	size_t *count = ctx;

	assert_int_equal(row[SN_COL_TIME].i, 1772323201000000000 + (int64_t)*count * SN_NS_PER_S);
	assert_int_equal(row[SN_COL_SEQ].i, seqs[*count]);
	assert_true(sn_str_eqc(row[SN_COL_NODE].s, nodes[*count]));
	assert_int_equal(row[target].type, *count == 2 ? SN_TYPE_NULL : SN_TYPE_TEXT);
	assert_int_equal(row[mean].type, *count == 2 ? SN_TYPE_NULL : SN_TYPE_F64);
	assert_int_equal(row[ttl].type, *count == 0 ? SN_TYPE_I64 : SN_TYPE_NULL);
	assert_int_equal(row[SN_COL_TASK].type, SN_TYPE_NULL);
	(*count)++;
	return 0;
}

static void assert_old_rows(struct world *world)
{
	struct sn_query query = {.dataset = &sn_dataset_ping, .limit = 100};
	struct sn_store_check check;
	size_t count = 0;

	if (sn_store_query(world->store, &query, note_old_row, &count, NULL, &world->err) != 0)
		fail_msg("%s", world->err.text);
	assert_int_equal(count, 3);
	check = check_node(world, NODE);
	assert_int_equal(check.rows, 2);
	assert_int_equal(check.missing, 0);
	assert_int_equal(check.duplicates, 0);
	assert_int_equal(check_node(world, "other").rows, 1);
}

static void rows_of_old_files_become_blocks_when_somebody_asks(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = file_path(world, "2026-03-01.db");
	struct sn_db *db;

	write_old_file(world);
	assert_old_rows(world);
	world_reopen(world);
	assert_old_rows(world);
	assert_int_equal(sn_db_open_reader(path, &db, NULL), 0);
	assert_int_equal(sn_db_exec(db, "SELECT * FROM ping_1", NULL), -EIO); /* no such table */
	assert_int_equal(sn_db_exec(db, "SELECT * FROM unknown_1", NULL), 0);
	sn_db_close(db);
}

static void old_file_takes_new_rows(void **state)
{
	struct world *world = *state;
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_batch_id id = {.node = NODE, .stream = "abc", .seq = 0};

	write_old_file(world);
	sn_batch_add_row(batch);
	sn_batch_set_time(batch, SN_COL_TIME, DAY_1 + 3600 * SN_NS_PER_S);
	sn_batch_set_i64(batch, SN_COL_SEQ, 2);
	/* What it has stays known. */
	assert_int_equal(sn_store_append(world->store, &id, batch, NULL), 1);
	id.seq = 1;
	assert_int_equal(sn_store_append(world->store, &id, batch, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	sn_batch_destroy(batch);
	assert_int_equal(check_node(world, NODE).rows, 3);
	assert_int_equal(check_node(world, NODE).seq_max, 2);
	assert_int_equal(check_node(world, NODE).missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(days_are_listed_with_their_totals),
		WITH_WORLD(dropped_day_is_gone_and_can_begin_anew),
		WITH_WORLD(day_that_is_not_there_or_no_day_cannot_be_dropped),
		cmocka_unit_test(names_of_days_come_back_to_the_ends_of_time),
		WITH_WORLD(files_of_other_kinds_in_the_directory_are_left_alone),
		WITH_WORLD(damaged_day_is_set_aside_and_the_others_are_read),
		WITH_WORLD(damage_inside_a_file_is_found_when_it_is_read),
		WITH_WORLD(append_to_a_damaged_day_begins_a_new_file),
		WITH_WORLD(damage_seen_by_a_query_ends_the_open_group),
		WITH_WORLD(what_one_store_sets_aside_the_others_do_not_go_on_with),
		WITH_WORLD(check_counts_gaps_and_repetitions_per_stream),
		WITH_WORLD(check_takes_numbers_that_are_far_apart),
		WITH_WORLD(rows_of_old_files_become_blocks_when_somebody_asks),
		WITH_WORLD(old_file_takes_new_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
