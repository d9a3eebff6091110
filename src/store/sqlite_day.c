/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

#define OPEN_DAYS   4   /* writers, and as many readers, that stay open between two uses */
#define CORRUPT_MAX 100 /* files of one day that were set aside */

static const char *const migrations[] = {
	"CREATE TABLE _source("
	" id INTEGER PRIMARY KEY, node TEXT NOT NULL, stream TEXT NOT NULL, UNIQUE(node, stream));"
	"CREATE TABLE _batch("
	" source INTEGER NOT NULL REFERENCES _source(id), seq INTEGER NOT NULL,"
	" digest BLOB NOT NULL, dataset TEXT NOT NULL, rows INTEGER NOT NULL,"
	" PRIMARY KEY(source, seq)) WITHOUT ROWID;"
	"CREATE TABLE _dataset("
	" dataset TEXT NOT NULL, version INTEGER NOT NULL,"
	" batches INTEGER NOT NULL, rows INTEGER NOT NULL,"
	" PRIMARY KEY(dataset, version)) WITHOUT ROWID;",
};

char *sn_day_path(const struct sn_store *store, int32_t number, const char *suffix)
{
	char name[SN_DAY_NAME_SIZE];

	return sn_xasprintf("%s/%s.db%s", store->path, sn_day_name(number, name), suffix);
}

/* Connections ------------------------------------------------------------- */

static int check_room_for_new_file(struct sn_store *store, const char *path, struct sn_err *err)
{
	int32_t *numbers;
	size_t count;
	int rc;

	if (sn_fs_exists(path))
		return 0;
	rc = sn_day_list(store, &numbers, &count, err);
	free(numbers);
	if (rc == 0 && count >= SN_STORE_DAYS_MAX)
		return sn_err_set(err, -ENOSPC, "store '%s' holds %d days (drop old ones)",
				  store->path, SN_STORE_DAYS_MAX);
	return rc;
}

void sn_day_forget(struct sn_day *day)
{
	for (unsigned i = 0; i < day->table_count; i++)
		sqlite3_finalize(day->tables[i].insert);
	free(day->tables);
	day->tables = NULL;
	day->table_count = 0;
	sn_map_destroy(day->sources);
	day->sources = sn_map_create(NULL);
}

static void close_writer(struct sn_day *day)
{
	sn_day_forget(day);
	sn_db_close(day->writer);
	day->writer = NULL;
	day->in_group = false;
}

static void close_reader(struct sn_day *day)
{
	sn_db_close(day->reader);
	day->reader = NULL;
}

int sn_day_open_writer(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	sn_autofree char *path = NULL;
	int rc;

	day->used = ++store->tick;
	/* Another store has set the file aside. */
	if (day->writer != NULL && sn_db_has_moved(day->writer))
		close_writer(day);
	if (day->writer != NULL)
		return 0;
	path = sn_day_path(store, day->number, "");
	rc = check_room_for_new_file(store, path, err);
	if (rc != 0)
		return rc;
	return sn_db_open(path, migrations, SN_COUNT(migrations), &day->writer, err);
}

int sn_day_open_reader(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	sn_autofree char *path = NULL;

	day->used = ++store->tick;
	if (day->reader != NULL && sn_db_has_moved(day->reader))
		close_reader(day);
	if (day->reader != NULL)
		return 0;
	path = sn_day_path(store, day->number, "");
	return sn_db_open_reader(path, &day->reader, err);
}

void sn_day_close(struct sn_day *day)
{
	close_reader(day);
	close_writer(day);
	day->stamp = 0;
}

/* How many days have a connection open, and the one of them that was used least recently. */
static unsigned open_days(struct sn_store *store, bool writer, struct sn_day **oldest)
{
	unsigned count = 0;

	*oldest = NULL;
	sn_list_for_each (link, &store->days) {
		struct sn_day *day = sn_list_entry(link, struct sn_day, link);

		if ((writer ? day->writer : day->reader) == NULL || (writer && day->in_group))
			continue;
		count++;
		if (*oldest == NULL || day->used < (*oldest)->used)
			*oldest = day;
	}
	return count;
}

void sn_day_trim(struct sn_store *store)
{
	struct sn_day *oldest;

	while (open_days(store, true, &oldest) > OPEN_DAYS)
		close_writer(oldest);
	while (open_days(store, false, &oldest) > OPEN_DAYS)
		close_reader(oldest);
}

/* Damaged files ----------------------------------------------------------- */

/* A name that is free: "2026-03-01.db.corrupt", then "...corrupt.2", ... */
static char *aside_path(const struct sn_store *store, int32_t number)
{
	char suffix[32] = ".corrupt";
	char *path = sn_day_path(store, number, suffix);

	for (int i = 2; i <= CORRUPT_MAX && sn_fs_exists(path); i++) {
		free(path);
		snprintf(suffix, sizeof(suffix), ".corrupt.%d", i);
		path = sn_day_path(store, number, suffix);
	}
	return path;
}

static int set_aside(struct sn_store *store, struct sn_day *day, char *reason, struct sn_err *err)
{
	sn_autofree char *path = sn_day_path(store, day->number, "");
	sn_autofree char *wal = sn_day_path(store, day->number, "-wal");
	sn_autofree char *shm = sn_day_path(store, day->number, "-shm");
	sn_autofree char *aside = aside_path(store, day->number);
	sn_autofree char *aside_wal = sn_xasprintf("%s-wal", aside);

	/* The journal goes along: it may hold what the file lacks. */
	if ((rename(wal, aside_wal) != 0 && errno != ENOENT) || rename(path, aside) != 0)
		return sn_err_sys(err, -errno, "%s; cannot set it aside as '%s'", reason, aside);
	unlink(shm);
	if (sn_fs_sync_dir(store->path, err) != 0)
		return err->code;
	return sn_err_set(err, -EUCLEAN,
			  "%s; it was set aside as '%s' (see .recover in sqlite3(1))", reason,
			  aside);
}

/* Closing must not copy the journal into a file that is damaged. */
static void keep_journal(struct sn_db *db)
{
	if (db != NULL)
		sqlite3_db_config(sn_db_handle(db), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

/* Another store was faster: what has the name now is a sound file. */
static bool is_aside_already(const struct sn_day *day)
{
	return (day->writer != NULL && sn_db_has_moved(day->writer)) ||
	       (day->reader != NULL && sn_db_has_moved(day->reader));
}

int sn_day_fault(struct sn_store *store, struct sn_day *day, int rc, struct sn_err *err)
{
	bool in_group = day->in_group, aside;
	char reason[SN_ERR_TEXT_MAX];

	if (rc != -EUCLEAN)
		return rc;
	memcpy(reason, err->text, sizeof(reason));
	aside = is_aside_already(day);
	keep_journal(day->writer);
	keep_journal(day->reader);
	sn_day_close(day);
	rc = aside ? sn_err_set(err, -EUCLEAN, "%s; it was set aside meanwhile", reason)
		   : set_aside(store, day, reason, err);
	if (in_group)
		store->group_error = *err;
	return rc;
}

/* Tables ------------------------------------------------------------------ */

void sn_table_name(const struct sn_dataset *dataset, char out[SN_TABLE_NAME_SIZE])
{
	int n = snprintf(out, SN_TABLE_NAME_SIZE, "%s_%u", dataset->name, dataset->version);

	assert(n > 0 && n < SN_TABLE_NAME_SIZE);
}

int sn_table_columns(struct sn_db *db, const struct sn_dataset *dataset,
		     bool present[SN_DATASET_COLUMNS_MAX], struct sn_err *err)
{
	char table[SN_TABLE_NAME_SIZE];
	sqlite3_stmt *statement;
	int rc, found = 0;

	memset(present, 0, SN_DATASET_COLUMNS_MAX * sizeof(present[0]));
	sn_table_name(dataset, table);
	statement = sn_db_query(db, err, "SELECT name FROM pragma_table_info(?)", "t", table);
	if (statement == NULL)
		return err->code;
	while ((rc = sn_db_next(db, statement, err)) == 1) {
		int column =
			sn_dataset_column(dataset, (const char *)sqlite3_column_text(statement, 0));

		found = 1;
		if (column >= 0)
			present[column] = true;
	}
	sn_db_done(statement);
	return rc < 0 ? rc : found;
}

int sn_table_slices(struct sn_db *db, const struct sn_dataset *dataset, int64_t from, int64_t to,
		    int64_t *first, int64_t *last, struct sn_err *err)
{
	char table[SN_TABLE_NAME_SIZE];
	sn_autofree char *sql = NULL;
	sqlite3_stmt *statement;
	int rc;

	sn_table_name(dataset, table);
	/* Two look-ups in the index by time; min() and max() in one SELECT would read all of it. */
	sql = sn_xasprintf("SELECT (SELECT min(time) FROM \"%s\"), (SELECT max(time) FROM \"%s\")",
			   table, table);
	statement = sn_db_query(db, err, sql, "");
	rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;
	*first = 1;
	*last = 0;
	if (rc == 1 && sqlite3_column_type(statement, 0) == SQLITE_INTEGER) {
		from = SN_MAX(from, sqlite3_column_int64(statement, 0));
		to = SN_MIN(to, sqlite3_column_int64(statement, 1));
		*first = from <= to ? from >> SN_SLICE_SHIFT : 1;
		*last = from <= to ? to >> SN_SLICE_SHIFT : 0;
	}
	sn_db_done(statement);
	return rc < 0 ? rc : 0;
}

static const char *sql_type(enum sn_type type)
{
	return type == SN_TYPE_TEXT ? "TEXT" : type == SN_TYPE_F64 ? "REAL" : "INTEGER";
}

static int create_table(struct sn_db *db, const struct sn_dataset *dataset, struct sn_err *err)
{
	char table[SN_TABLE_NAME_SIZE];
	struct sn_buf sql = {0};
	int rc;

	sn_table_name(dataset, table);
	sn_buf_addf(&sql, "CREATE TABLE \"%s\"(time INTEGER NOT NULL, _source INTEGER NOT NULL",
		    table);
	for (size_t i = 0; i < dataset->column_count; i++)
		if (i != SN_COL_TIME && i != SN_COL_NODE)
			sn_buf_addf(&sql, ", \"%s\" %s", dataset->columns[i].name,
				    sql_type(dataset->columns[i].type));
	sn_buf_addf(&sql, "); CREATE INDEX \"%s_time\" ON \"%s\"(time)", table, table);
	sn_buf_addf(&sql, "; CREATE INDEX \"%s_series\" ON \"%s\"(time >> %d, _source, ", table,
		    table, SN_SLICE_SHIFT);
	if (dataset->key != NULL)
		sn_buf_addf(&sql, "\"%s\", ", dataset->key);
	sn_buf_adds(&sql, "time)");
	rc = sn_db_exec(db, sn_buf_cstr(&sql), err);
	sn_buf_finish(&sql);
	return rc;
}

/* Columns that were declared after the file was made. */
static int extend_table(struct sn_db *db, const struct sn_dataset *dataset, const bool *present,
			struct sn_err *err)
{
	char table[SN_TABLE_NAME_SIZE];
	int rc = 0;

	sn_table_name(dataset, table);
	for (size_t i = 0; rc == 0 && i < dataset->column_count; i++) {
		sn_autofree char *sql = NULL;

		if (present[i] || i == SN_COL_NODE)
			continue;
		sql = sn_xasprintf("ALTER TABLE \"%s\" ADD COLUMN \"%s\" %s", table,
				   dataset->columns[i].name, sql_type(dataset->columns[i].type));
		rc = sn_db_exec(db, sql, err);
	}
	return rc;
}

static int prepare_insert(struct sn_db *db, const struct sn_dataset *dataset, sqlite3_stmt **insert,
			  struct sn_err *err)
{
	char table[SN_TABLE_NAME_SIZE];
	struct sn_buf sql = {0};
	int rc;

	sn_table_name(dataset, table);
	sn_buf_addf(&sql, "INSERT INTO \"%s\"(_source", table);
	for (size_t i = 0; i < dataset->column_count; i++)
		if (i != SN_COL_NODE)
			sn_buf_addf(&sql, ", \"%s\"", dataset->columns[i].name);
	sn_buf_adds(&sql, ") VALUES(?");
	for (size_t i = 1; i < dataset->column_count; i++)
		sn_buf_adds(&sql, ", ?");
	sn_buf_addc(&sql, ')');
	rc = sqlite3_prepare_v3(sn_db_handle(db), sn_buf_cstr(&sql), -1, SQLITE_PREPARE_PERSISTENT,
				insert, NULL);
	sn_buf_finish(&sql);
	return rc == SQLITE_OK ? 0 : sn_db_fail(db, err);
}

struct sn_table *sn_table_open(struct sn_day *day, const struct sn_dataset *dataset,
			       struct sn_err *err)
{
	bool present[SN_DATASET_COLUMNS_MAX];
	sqlite3_stmt *insert;
	int rc;

	for (unsigned i = 0; i < day->table_count; i++)
		if (day->tables[i].dataset == dataset)
			return &day->tables[i];
	rc = sn_table_columns(day->writer, dataset, present, err);
	if (rc == 0)
		rc = create_table(day->writer, dataset, err);
	else if (rc == 1)
		rc = extend_table(day->writer, dataset, present, err);
	if (rc != 0 || prepare_insert(day->writer, dataset, &insert, err) != 0)
		return NULL;
	day->tables = sn_xrealloc(day->tables, day->table_count + 1, sizeof(*day->tables));
	day->tables[day->table_count] = (struct sn_table){.dataset = dataset, .insert = insert};
	return &day->tables[day->table_count++];
}
