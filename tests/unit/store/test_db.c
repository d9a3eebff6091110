/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/db.h"

#include "base/fs.h"
#include "base/mem.h"

static const char *const migrations[] = {
	"CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, weight REAL, data BLOB);",
	"ALTER TABLE item ADD COLUMN colour TEXT; CREATE TABLE second(x);",
};

struct world {
	char dir[32];
	char *path;
	struct sn_db *db;
	struct sn_err err;
};

static void open_db(struct world *world, unsigned version)
{
	if (sn_db_open(world->path, migrations, version, &world->db, &world->err) != 0)
		fail_msg("%s", world->err.text);
}

static int create(void **state)
{
	struct world *world = sn_new(struct world);

	strcpy(world->dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(world->dir) == NULL)
		return -1;
	world->path = sn_fs_join(world->dir, "test.db");
	open_db(world, 2);
	*state = world;
	return 0;
}

static int destroy(void **state)
{
	struct world *world = *state;

	sn_db_close(world->db);
	sn_fs_remove_tree(world->dir, NULL);
	free(world->path);
	free(world);
	return 0;
}

static int64_t number(struct world *world, const char *sql)
{
	sqlite3_stmt *statement = sn_db_query(world->db, &world->err, sql, "");
	int64_t value;

	assert_non_null(statement);
	assert_int_equal(sn_db_next(world->db, statement, &world->err), 1);
	value = sqlite3_column_int64(statement, 0);
	sn_db_done(statement);
	return value;
}

static void settings_are_the_trusted_ones(void **state)
{
	struct world *world = *state;
	struct stat st;

	assert_int_equal(number(world, "PRAGMA synchronous"), 2);
	assert_int_equal(number(world, "PRAGMA foreign_keys"), 1);
	assert_int_equal(number(world, "PRAGMA page_size"), 16384);
	assert_int_equal(sn_db_patience_ms, 5000);
	assert_int_equal(number(world, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
	assert_int_equal(stat(world->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void values_of_all_kinds_are_bound(void **state)
{
	struct world *world = *state;
	struct sn_str name = {"name with more behind", 4};
	sqlite3_stmt *statement;

	assert_int_equal(sn_db_run(world->db, &world->err, "INSERT INTO item VALUES(?, ?, ?, ?, ?)",
				   "isfbt", (int64_t)7, &name, 0.5, "a\0b", (size_t)3, "red"),
			 1);
	assert_int_equal(sn_db_run(world->db, &world->err,
				   "INSERT INTO item(id, name) VALUES(?, ?)", "in", (int64_t)8),
			 1);
	statement = sn_db_query(world->db, &world->err,
				"SELECT id, weight, data, colour FROM item WHERE name = ?", "t",
				"name");
	assert_non_null(statement);
	assert_int_equal(sn_db_next(world->db, statement, NULL), 1);
	assert_int_equal(sqlite3_column_int64(statement, 0), 7);
	assert_true(sqlite3_column_double(statement, 1) == 0.5);
	assert_int_equal(sqlite3_column_bytes(statement, 2), 3);
	assert_memory_equal(sqlite3_column_blob(statement, 2), "a\0b", 3);
	assert_string_equal((const char *)sqlite3_column_text(statement, 3), "red");
	assert_int_equal(sn_db_next(world->db, statement, NULL), 0);
	sn_db_done(statement);
	assert_int_equal(number(world, "SELECT count(*) FROM item WHERE name IS NULL"), 1);
	assert_int_equal(sn_db_run(world->db, NULL, "UPDATE item SET colour = 'x'", ""), 2);
}

static void errors_have_a_number_and_a_text(void **state)
{
	struct world *world = *state;

	assert_int_equal(sn_db_run(world->db, NULL, "INSERT INTO item(name) VALUES('a')", ""), 1);
	assert_int_equal(
		sn_db_run(world->db, &world->err, "INSERT INTO item(name) VALUES('a')", ""),
		-EEXIST);
	assert_non_null(strstr(world->err.text, world->path));
	assert_non_null(strstr(world->err.text, "UNIQUE constraint failed: item.name"));
	assert_true(sn_db_run(world->db, &world->err, "INSERT INTO absent VALUES(1)", "") < 0);
	assert_non_null(strstr(world->err.text, "no such table"));
	assert_null(sn_db_query(world->db, &world->err, "not SQL", ""));
	assert_true(world->err.code < 0);
}

static void rolled_back_changes_are_gone(void **state)
{
	struct world *world = *state;

	assert_int_equal(sn_db_begin(world->db, NULL), 0);
	assert_int_equal(sn_db_run(world->db, NULL, "INSERT INTO second VALUES(1)", ""), 1);
	sn_db_rollback(world->db);
	sn_db_rollback(world->db); /* harmless outside of a transaction */
	assert_int_equal(number(world, "SELECT count(*) FROM second"), 0);
	assert_int_equal(sn_db_begin(world->db, NULL), 0);
	assert_int_equal(sn_db_run(world->db, NULL, "INSERT INTO second VALUES(1)", ""), 1);
	assert_int_equal(sn_db_commit(world->db, NULL), 0);
	assert_int_equal(number(world, "SELECT count(*) FROM second"), 1);
}

static void transaction_left_open_is_rolled_back_by_closing(void **state)
{
	struct world *world = *state;

	assert_int_equal(sn_db_begin(world->db, NULL), 0);
	assert_int_equal(sn_db_run(world->db, NULL, "INSERT INTO second VALUES(1)", ""), 1);
	sn_db_close(world->db);
	open_db(world, 2);
	assert_int_equal(number(world, "SELECT count(*) FROM second"), 0);
}

static void older_file_is_brought_up_and_newer_one_refused(void **state)
{
	struct world *world = *state;

	sn_db_close(world->db);
	world->db = NULL;
	assert_int_equal(unlink(world->path), 0);
	open_db(world, 1);
	assert_int_equal(sn_db_run(world->db, NULL, "INSERT INTO item(name) VALUES('old')", ""), 1);
	sn_db_close(world->db);
	open_db(world, 2);
	assert_int_equal(number(world, "PRAGMA user_version"), 2);
	assert_int_equal(number(world, "SELECT count(*) FROM item WHERE colour IS NULL"), 1);
	sn_db_close(world->db);
	world->db = NULL;
	assert_int_equal(sn_db_open(world->path, migrations, 1, &world->db, &world->err),
			 -EPROTONOSUPPORT);
	assert_non_null(strstr(world->err.text, "version 2 is newer than 1"));
}

static void broken_migration_leaves_the_file_as_it_was(void **state)
{
	static const char *const broken[] = {"CREATE TABLE a(x);", "CREATE TABLE b(x); nonsense"};
	struct world *world = *state;
	sn_autofree char *path = sn_fs_join(world->dir, "broken.db");
	struct sn_db *db;

	assert_true(sn_db_open(path, broken, 2, &db, &world->err) < 0);
	assert_int_equal(sn_db_open(path, broken, 1, &db, &world->err), 0);
	sn_db_close(db);
}

static void file_that_is_no_database_is_reported_as_damaged(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = sn_fs_join(world->dir, "text.db");
	char text[200];
	struct sn_db *db;

	memset(text, 'x', sizeof(text));
	assert_int_equal(sn_fs_write_atomic(path, text, sizeof(text), 0600, NULL), 0);
	assert_int_equal(sn_db_open(path, migrations, 2, &db, &world->err), -EUCLEAN);
	assert_non_null(strstr(world->err.text, "file is not a database"));
}

static void reader_reads_and_does_not_write(void **state)
{
	struct world *world = *state;
	sn_autofree char *absent = sn_fs_join(world->dir, "absent.db");
	struct sn_db *reader;
	sqlite3_stmt *statement;

	assert_int_equal(sn_db_run(world->db, NULL, "INSERT INTO second VALUES(5)", ""), 1);
	assert_int_equal(sn_db_open_reader(world->path, &reader, &world->err), 0);
	/* It sees what is committed while the writer is in a transaction, and is in nobody's way.
	 */
	assert_int_equal(sn_db_begin(world->db, NULL), 0);
	assert_int_equal(sn_db_run(world->db, NULL, "INSERT INTO second VALUES(6)", ""), 1);
	statement = sn_db_query(reader, &world->err, "SELECT count(*) FROM second", "");
	assert_int_equal(sn_db_next(reader, statement, NULL), 1);
	assert_int_equal(sqlite3_column_int(statement, 0), 1);
	assert_int_equal(sn_db_commit(world->db, NULL), 0);
	sn_db_done(statement);
	assert_true(sn_db_run(reader, NULL, "INSERT INTO second VALUES(7)", "") < 0);
	sn_db_close(reader);
	assert_int_equal(sn_db_open_reader(absent, &reader, &world->err), -ENOENT);
	assert_false(sn_fs_exists(absent));
}

static void more_statements_than_are_kept_still_work(void **state)
{
	struct world *world = *state;
	char sql[64];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3 * SN_DB_STATEMENTS_MAX; i++) {
			snprintf(sql, sizeof(sql), "SELECT %d", i);
			assert_int_equal(number(world, sql), i);
		}
	}
}

static void same_text_can_be_queried_inside_itself(void **state)
{
	static const char sql[] = "SELECT x FROM second WHERE x > ? ORDER BY x";
	struct world *world = *state;
	sqlite3_stmt *outer, *inner;

	assert_int_equal(sn_db_run(world->db, NULL, "INSERT INTO second VALUES(1), (2), (3)", ""),
			 3);
	outer = sn_db_query(world->db, NULL, sql, "i", (int64_t)0);
	assert_int_equal(sn_db_next(world->db, outer, NULL), 1);
	inner = sn_db_query(world->db, NULL, sql, "i", (int64_t)2);
	assert_ptr_not_equal(outer, inner);
	assert_int_equal(sn_db_next(world->db, inner, NULL), 1);
	assert_int_equal(sqlite3_column_int(inner, 0), 3);
	assert_int_equal(sn_db_next(world->db, inner, NULL), 0);
	sn_db_done(inner);
	assert_int_equal(sn_db_next(world->db, outer, NULL), 1);
	assert_int_equal(sqlite3_column_int(outer, 0), 2);
	sn_db_done(outer);
}

static int refuse_to_open(sqlite3_vfs *vfs SN_UNUSED, const char *name SN_UNUSED,
			  sqlite3_file *file, int flags SN_UNUSED, int *out SN_UNUSED)
{
	file->pMethods = NULL;
	return SQLITE_CANTOPEN;
}

static int system_error;

static int last_error(sqlite3_vfs *vfs SN_UNUSED, int size SN_UNUSED, char *text SN_UNUSED)
{
	return system_error;
}

/* -EINVAL and -EEXIST would be taken for the sender's fault and cost the batch. */
static void trouble_of_the_disk_is_never_told_as_the_callers_fault(void **state)
{
	static const int errors[] = {EINVAL, EEXIST, EUCLEAN};
	struct world *world = *state;
	sqlite3_vfs *real = sqlite3_vfs_find(NULL), vfs = *real;
	struct sn_db *db = NULL;

	vfs.zName = "sonde-test";
	vfs.xOpen = refuse_to_open;
	vfs.xGetLastError = last_error;
	sqlite3_vfs_register(&vfs, 1);
	for (size_t i = 0; i < SN_COUNT(errors); i++) {
		system_error = errors[i];
		assert_int_equal(sn_db_open(world->path, migrations, 2, &db, &world->err), -EIO);
	}
	system_error = EMFILE;
	assert_int_equal(sn_db_open(world->path, migrations, 2, &db, &world->err), -EMFILE);
	sqlite3_vfs_unregister(&vfs);
	sqlite3_vfs_register(real, 1);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, create, destroy)

static void *open_and_close(void *ctx)
{
	static const char *const one[] = {"CREATE TABLE thing(id INTEGER PRIMARY KEY)"};
	struct sn_err err = {0};
	struct sn_db *db;

	if (sn_db_open(ctx, one, 1, &db, &err) != 0)
		return (void *)(intptr_t)err.code;
	sn_db_close(db);
	return NULL;
}

static void new_file_may_be_opened_by_several_at_once(void **state)
{
	struct world *world = *state;

	for (int round = 0; round < 20; round++) {
		sn_autofree char *path = sn_xasprintf("%s.%d", world->path, round);
		sn_autofree char *wal = sn_xasprintf("%s-wal", path);
		sn_autofree char *shm = sn_xasprintf("%s-shm", path);
		pthread_t threads[4];
		void *failure;

		for (size_t i = 0; i < SN_COUNT(threads); i++)
			assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, path),
					 0);
		for (size_t i = 0; i < SN_COUNT(threads); i++) {
			assert_int_equal(pthread_join(threads[i], &failure), 0);
			assert_null(failure);
		}
		unlink(path);
		unlink(wal);
		unlink(shm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(settings_are_the_trusted_ones),
		WITH_WORLD(values_of_all_kinds_are_bound),
		WITH_WORLD(errors_have_a_number_and_a_text),
		WITH_WORLD(rolled_back_changes_are_gone),
		WITH_WORLD(new_file_may_be_opened_by_several_at_once),
		WITH_WORLD(transaction_left_open_is_rolled_back_by_closing),
		WITH_WORLD(older_file_is_brought_up_and_newer_one_refused),
		WITH_WORLD(broken_migration_leaves_the_file_as_it_was),
		WITH_WORLD(file_that_is_no_database_is_reported_as_damaged),
		WITH_WORLD(reader_reads_and_does_not_write),
		WITH_WORLD(more_statements_than_are_kept_still_work),
		WITH_WORLD(same_text_can_be_queried_inside_itself),
		WITH_WORLD(trouble_of_the_disk_is_never_told_as_the_callers_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
