/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that are full or take no writes, locks that last, directories that go away. */
#include "lib/test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "unit/store/world.h"

#include "base/clock.h"
#include "store/db.h"

#define ROWS   2000
#define NO_WAY 77 /* exit code: no right to mount */
#define MANY   5000

static int put(struct world *world, uint64_t part)
{
	struct sn_columns *rows = sn_columns_create(&sample);
	struct sn_batch_id id = batch_id(part);
	uint64_t noise = part * 0x9e3779b97f4a7c15ULL + 1;
	int rc;

	for (int64_t i = 0; i < ROWS; i++) {
		sn_columns_add_row(rows);
		sn_columns_set_time(rows, SN_COL_TIME, DAY_1 + i);
		sn_columns_set_i64(rows, SN_COL_SEQ, (int64_t)part * ROWS + i);
		noise = noise * 6364136223846793005ULL + 1442695040888963407ULL;
		sn_columns_set_i64(rows, COUNT, (int64_t)noise);
	}
	rc = sn_store_put(world->store, &id, rows, &world->err);
	sn_columns_destroy(rows);
	return rc;
}

/* In a child with a file system of its own, which it may fill up and spoil. */
static int run_on_disk(struct world *world, int (*run)(struct world *world))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		sn_store_close(world->store);
		if (unshare(CLONE_NEWNS) != 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("sonde-test", world->dir, "tmpfs", 0, "size=4m,mode=0700") != 0)
			_exit(NO_WAY);
		world_open(world);
		_exit(run(world));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void expect_success(int code)
{
	if (code == NO_WAY) {
		print_message("# skipped: no right to mount a small file system\n");
		skip();
	}
	assert_int_equal(code, 0);
}

#define REQUIRE(what)                                                                              \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #what,              \
				world->err.text);                                                  \
			return __LINE__ % 70 + 1;                                                  \
		}                                                                                  \
	} while (0)

static int fill_the_disk(struct world *world)
{
	sn_autofree char *ballast = file_path(world, "ballast");
	sn_autofree char *zeros = sn_xcalloc(1, 2 << 20);
	uint64_t stored = 0;
	int rc = 0;

	REQUIRE(sn_fs_write_atomic(ballast, zeros, 2 << 20, 0600, NULL) == 0);
	while (stored < MANY && (rc = put(world, stored)) == 0)
		stored++;
	REQUIRE(stored > 0 && rc == -ENOSPC);
	REQUIRE(strstr(world->err.text, "2026-03-01.db") != NULL);
	REQUIRE(strstr(world->err.text, "free some space") != NULL);
	REQUIRE(put(world, stored) == -ENOSPC);
	/* What was acknowledged is there; tidying fails as cleanly. */
	REQUIRE(check_node(world, NODE).rows == stored * ROWS);
	rc = sn_store_tidy(world->store, NULL, NULL, &world->err);
	REQUIRE(rc == 0 || rc == -ENOSPC);
	unlink(ballast);
	for (uint64_t part = 0; part < stored + 3; part++)
		REQUIRE(put(world, part) == (part < stored ? 1 : 0));
	sn_store_close(world->store);
	world_open(world);
	REQUIRE(check_node(world, NODE).rows == (stored + 3) * ROWS);
	REQUIRE(check_node(world, NODE).missing == 0);
	REQUIRE(sn_store_tidy(world->store, NULL, NULL, &world->err) == 0);
	return 0;
}

static void full_disk_is_told_and_loses_nothing_that_was_put(void **state)
{
	expect_success(run_on_disk(*state, fill_the_disk));
}

static int count_row(const struct sn_value *row, void *ctx)
{
	(void)row;
	++*(size_t *)ctx;
	return 0;
}

static int query(struct world *world, size_t *rows)
{
	struct sn_query all = {.dataset = &sample, .limit = SN_QUERY_LIMIT_MAX};

	*rows = 0;
	return sn_store_query(world->store, &all, count_row, rows, NULL, &world->err);
}

static int take_away_the_right_to_write(struct world *world)
{
	size_t rows;
	int rc;

	REQUIRE(put(world, 0) == 0);
	sn_store_close(world->store);
	world->store = NULL;
	REQUIRE(mount(NULL, world->dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	world_open(world);
	rc = put(world, 1);
	REQUIRE(rc == -EROFS);
	REQUIRE(strstr(world->err.text, "2026-03-01.db") != NULL);
	REQUIRE(strstr(world->err.text, "make its file system writable") != NULL);
	/* Reading a journal takes writing: it is refused with the same reason, or works. */
	rc = query(world, &rows);
	REQUIRE((rc == 0 && rows == ROWS) ||
		(rc < 0 && strstr(world->err.text, "2026-03-01.db") != NULL));
	REQUIRE(mount(NULL, world->dir, NULL, MS_REMOUNT, "size=4m") == 0);
	REQUIRE(put(world, 1) == 0);
	REQUIRE(put(world, 0) == 1);
	REQUIRE(query(world, &rows) == 0 && rows == 2 * ROWS);
	return 0;
}

static void read_only_disk_is_told_and_left_when_it_is_writable_again(void **state)
{
	expect_success(run_on_disk(*state, take_away_the_right_to_write));
}

/* Locks --------------------------------------------------------------------------- */

struct locker {
	struct sn_db *db;
	pthread_t thread;
};

static void *unlock_soon(void *ctx)
{
	struct locker *locker = ctx;

	usleep(60000);
	sn_db_rollback(locker->db);
	return NULL;
}

static void lock_is_waited_for_and_one_that_lasts_is_told(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = file_path(world, "2026-03-01.db");
	struct sn_batch_id id = batch_id(2);
	struct locker locker;
	uint64_t start;
	size_t rows;

	assert_int_equal(put(world, 0), 0);
	assert_int_equal(sn_db_open_reader(path, &locker.db, NULL), 0);
	assert_int_equal(sn_db_exec(locker.db, "PRAGMA query_only = OFF", NULL), 0);
	assert_int_equal(sn_db_begin(locker.db, NULL), 0);
	assert_int_equal(pthread_create(&locker.thread, NULL, unlock_soon, &locker), 0);
	assert_int_equal(put(world, 1), 0);
	assert_int_equal(pthread_join(locker.thread, NULL), 0);

	assert_int_equal(sn_db_begin(locker.db, NULL), 0);
	sn_db_patience_ms = 50;
	start = sn_mono_ns();
	assert_int_equal(put(world, 2), -EBUSY);
	assert_true(sn_mono_ns() - start >= 50 * SN_NS_PER_MS);
	assert_non_null(strstr(world->err.text, path));
	assert_non_null(strstr(world->err.text, "another program has it locked"));
	/* A group is not acknowledged, and is not lost when it comes again; who reads reads. */
	add_row(world->batch, DAY_1, "a", 2 * ROWS);
	assert_int_equal(sn_store_append(world->store, &id, world->batch, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, &world->err), -EBUSY);
	assert_int_equal(query(world, &rows), 0);
	assert_int_equal(rows, 2 * ROWS);
	sn_db_rollback(locker.db);
	sn_db_close(locker.db);
	assert_int_equal(sn_store_append(world->store, &id, world->batch, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	sn_db_patience_ms = 5000;
	assert_stored(world, 2 * ROWS + 1);
}

/* Directories ------------------------------------------------------------------------ */

static void directory_that_goes_away_is_told_and_may_come_back(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(7);
	size_t rows;

	assert_int_equal(put(world, 0), 0);
	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(sn_store_append(world->store, &id, world->batch, NULL), 0);
	sn_fs_remove_tree(world->dir, NULL);
	/* What was appended must not be acknowledged: its file has no name any more. */
	assert_int_equal(sn_store_commit(world->store, &world->err), -ENOENT);
	if (strstr(world->err.text, "restore a backup") == NULL)
		fail_msg("%s", world->err.text);
	assert_int_equal(put(world, 1), -ENOENT);
	assert_non_null(strstr(world->err.text, world->dir));
	assert_int_equal(query(world, &rows), -ENOENT);
	assert_non_null(strstr(world->err.text, world->dir));
	assert_int_equal(sn_store_tidy(world->store, NULL, NULL, &world->err), -ENOENT);

	assert_int_equal(sn_fs_mkdirs(world->dir, 0700, NULL), 0);
	assert_int_equal(put(world, 1), 0);
	assert_int_equal(query(world, &rows), 0);
	assert_int_equal(rows, ROWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(full_disk_is_told_and_loses_nothing_that_was_put),
		WITH_WORLD(read_only_disk_is_told_and_left_when_it_is_writable_again),
		WITH_WORLD(lock_is_waited_for_and_one_that_lasts_is_told),
		WITH_WORLD(directory_that_goes_away_is_told_and_may_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
