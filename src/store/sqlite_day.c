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
#include "store/moving.h"

#define OPEN_DAYS   4   /* writers, and as many readers, that stay open between two uses */
#define CORRUPT_MAX 100 /* files of one day that were set aside */

/* Each brings a name that has_names() looks up: by it a file shows which version it really has. */
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
	sn_blocks_schema,
	"CREATE TABLE _span("
	" dataset TEXT NOT NULL, version INTEGER NOT NULL, first INTEGER NOT NULL,"
	" rows INTEGER NOT NULL, source INTEGER NOT NULL REFERENCES _source(id), seq INTEGER,"
	" PRIMARY KEY(dataset, version, first)) WITHOUT ROWID;"
	"ALTER TABLE _dataset ADD COLUMN time_min INTEGER;"
	"ALTER TABLE _dataset ADD COLUMN time_max INTEGER;",
	sn_moving_schema,
};

char *sn_day_path(const struct sn_store *store, int32_t number, const char *suffix)
{
	char name[SN_DAY_NAME_SIZE];

	return sn_xasprintf("%s/%s.db%s", store->path, sn_day_name(number, name), suffix);
}

const unsigned sn_day_version = SN_COUNT(migrations);

/* 1, or 0 with the first one that is missing. */
static int has_names(struct sn_db *db, struct sn_err *err)
{
#define UNIT  "dataset, version, first, rows, block, time_min, time_max"
#define BLOCK "layout, first, rows, tier, time_min, time_max, packed, bytes, sums"
	/* No row is read, but all names are looked up, in the schema as it is now. */
	static const char names[] =
		"SELECT EXISTS (SELECT id, node, stream FROM _source),"
		" EXISTS (SELECT source, seq, digest, dataset, rows FROM _batch),"
		" EXISTS (SELECT dataset, version, batches, rows, time_min, time_max FROM "
		"_dataset),"
		" EXISTS (SELECT id, dataset, version, columns, sum FROM _layout),"
		" EXISTS (SELECT id, " BLOCK " FROM _block),"
		" EXISTS (SELECT id, " BLOCK ", lost, reason, time FROM _aside),"
		" EXISTS (SELECT id, data FROM _column), EXISTS (SELECT block, data FROM _mark),"
		" EXISTS (SELECT dataset, version, next FROM _number),"
		" EXISTS (SELECT key, value FROM _file),"
		" EXISTS (SELECT dataset, version, first, rows, source, seq FROM _span),"
		" EXISTS (SELECT " UNIT " FROM _moving), EXISTS (SELECT " UNIT " FROM _moved)"
		" LIMIT 0";
#undef UNIT
#undef BLOCK
	sqlite3_stmt *statement = sn_db_query(db, err, names, "");
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	sn_db_done(statement);
	if (rc < 0)
		return (sqlite3_errcode(sn_db_handle(db)) & 0xff) == SQLITE_ERROR ? 0 : rc;
	return 1;
}

int sn_day_check_names(struct sn_db *db, struct sn_err *err)
{
	struct sn_err missing = {0};
	unsigned before = 0, after = 0; /* somebody may bring it up to date just now */
	int rc = sn_db_version(db, &before, err);
	int complete = rc == 0 ? has_names(db, &missing) : 0;

	if (rc == 0)
		rc = sn_db_version(db, &after, err);
	if (rc == 0 && complete == 0 && before == sn_day_version)
		return sn_err_set(err, -EUCLEAN, "%s", missing.text);
	if (rc == 0 && complete == 1 && after < sn_day_version)
		return sn_err_set(err, -EUCLEAN, "database '%s': version %u is not what it has",
				  sqlite3_db_filename(sn_db_handle(db), "main"), after);
	if (rc == 0 && complete < 0) {
		*err = missing;
		rc = complete;
	}
	return rc;
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

void sn_day_forget_sources(struct sn_day *day)
{
	sn_map_destroy(day->sources);
	day->sources = sn_map_create(NULL);
}

static void empty_table(struct sn_table *table)
{
	for (size_t i = 0; i < table->noted_count; i++) {
		free(table->noted[i].node);
		free(table->noted[i].stream);
	}
	table->noted_count = 0;
	sn_columns_clear(table->rows);
	sn_blocks_draft_destroy(table->draft);
	table->draft = NULL;
}

void sn_day_empty_group(struct sn_day *day)
{
	for (unsigned i = 0; i < day->table_count; i++)
		empty_table(&day->tables[i]);
	day->in_group = false;
}

static void free_group(struct sn_day *day)
{
	sn_day_empty_group(day);
	for (unsigned i = 0; i < day->table_count; i++) {
		sn_columns_destroy(day->tables[i].rows);
		free(day->tables[i].noted);
	}
	free(day->tables);
	day->tables = NULL;
	day->table_count = 0;
}

static void close_writer(struct sn_day *day)
{
	sn_day_forget_sources(day);
	sn_db_close(day->writer);
	day->writer = NULL;
	if (!day->in_group)
		free_group(day);
}

static void close_reader(struct sn_day *day)
{
	sn_db_close(day->reader);
	day->reader = NULL;
}

unsigned sn_day_aside(const struct sn_store *store, int32_t number)
{
	char suffix[32] = ".corrupt";
	unsigned count = 0;

	for (;;) {
		sn_autofree char *path = sn_day_path(store, number, suffix);

		if (count == CORRUPT_MAX || !sn_fs_exists(path))
			return count;
		snprintf(suffix, sizeof(suffix), ".corrupt.%u", ++count + 1);
	}
}

/*
 * Rows of a file that was set aside may be in ClickHouse: what follows it begins with numbers that
 * they cannot have.
 */
static int begin_numbers(const struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	int64_t base = ((int64_t)sn_day_aside(store, day->number) << 40) + 1;

	if (base == 1)
		return 0;
	return SN_MIN(sn_db_run(day->writer, err,
				"INSERT OR IGNORE INTO _file SELECT 'base', ?"
				" WHERE NOT EXISTS (SELECT 1 FROM _number)",
				"i", base),
		      0);
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
	rc = sn_db_open(path, migrations, SN_COUNT(migrations), &day->writer, err);
	if (rc == 0)
		rc = sn_day_check_names(day->writer, err);
	day->broken |= rc == -EUCLEAN;
	if (rc == 0)
		rc = begin_numbers(store, day, err);
	if (rc == 0)
		rc = sn_day_convert(day, err);
	if (rc != 0 && day->writer != NULL && rc != -EUCLEAN)
		close_writer(day);
	return rc;
}

int sn_day_open_reader(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	sn_autofree char *path = NULL;
	bool old = false;
	int rc;

	day->used = ++store->tick;
	if (day->reader != NULL && sn_db_has_moved(day->reader))
		close_reader(day);
	if (day->reader != NULL)
		return 0;
	path = sn_day_path(store, day->number, "");
	rc = sn_db_open_reader(path, &day->reader, err);
	if (rc == 0)
		rc = sn_day_check_names(day->reader, err);
	day->broken |= rc == -EUCLEAN;
	if (rc == 0)
		rc = sn_day_is_old(day->reader, &old, err);
	if (rc == 0 && old) {
		close_writer(day);
		rc = sn_day_open_writer(store, day, err);
	}
	return rc;
}

void sn_day_close(struct sn_day *day)
{
	free_group(day);
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

/* A name that is free: "2026-03-01.db.corrupt", then "...corrupt.2", ...; NULL if there is none. */
static char *aside_path(const struct sn_store *store, int32_t number)
{
	unsigned count = sn_day_aside(store, number);
	char suffix[32] = ".corrupt";

	if (count == CORRUPT_MAX)
		return NULL;
	if (count > 0)
		snprintf(suffix, sizeof(suffix), ".corrupt.%u", count + 1);
	return sn_day_path(store, number, suffix);
}

static int set_aside(struct sn_store *store, struct sn_day *day, char *reason, struct sn_err *err)
{
	sn_autofree char *path = sn_day_path(store, day->number, "");
	sn_autofree char *wal = sn_day_path(store, day->number, "-wal");
	sn_autofree char *shm = sn_day_path(store, day->number, "-shm");
	sn_autofree char *aside = aside_path(store, day->number);
	sn_autofree char *aside_wal = sn_xasprintf("%s-wal", aside != NULL ? aside : "");

	if (aside == NULL)
		return sn_err_set(err, -EMFILE,
				  "%s; %d files of the day were set aside before (take back what "
				  "they have: sonde store check --repair)",
				  reason, CORRUPT_MAX);
	/* The journal goes along: it may hold what the file lacks. */
	if ((rename(wal, aside_wal) != 0 && errno != ENOENT) || rename(path, aside) != 0)
		return sn_err_sys(err, -errno, "%s; cannot set it aside as '%s'", reason, aside);
	unlink(shm);
	if (sn_fs_sync_dir(store->path, err) != 0)
		return err->code;
	return sn_err_set(err, -EUCLEAN,
			  "%s; it was set aside as '%s' (what it has can be taken back: "
			  "sonde store check --repair)",
			  reason, aside);
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

static bool is_file_damaged(const struct sn_day *day)
{
	return day->broken || (day->writer != NULL && sn_db_is_damaged(day->writer)) ||
	       (day->reader != NULL && sn_db_is_damaged(day->reader));
}

/*
 * Who writes into a file whose trees are damaged harms it more; a tree that has lost its order is
 * not noticed by reading.
 */
static bool is_sound(struct sn_db *db)
{
	struct sn_err err;
	sqlite3_stmt *statement = sn_db_query(db, &err, "PRAGMA quick_check(1)", "");
	bool sound = statement != NULL && sn_db_next(db, statement, &err) == 1 &&
		     strcmp(sn_db_text(statement, 0), "ok") == 0;

	sn_db_done(statement);
	return sound;
}

static int set_blocks_aside(struct sn_day *day, const int64_t *ids, size_t count,
			    struct sn_err *err)
{
	struct sn_err reason = *err, local = {0};

	/* A disk that takes no note of it is told of by whoever writes. */
	if (sn_blocks_set_aside(day->writer, ids, count, reason.text, &local) == 0)
		sn_err_set(err, -EUCLEAN, "day %s: %s; it was set aside (see sonde store check)",
			   day->totals.day, reason.text);
	else
		sn_err_wrap(err, "day %s", day->totals.day);
	day->stamp = 0;
	return -EUCLEAN;
}

/*
 * Blocks that are damaged in a file that is sound leave the questions; their bytes stay.  1 if the
 * file is not sound.
 */
static int leave_blocks(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	int64_t ids[2 * SN_DB_BLAMED_MAX];
	size_t count = day->reader != NULL ? sn_db_take_blamed(day->reader, ids) : 0;
	struct sn_err local = {0};
	int rc;

	if (day->writer != NULL)
		count += sn_db_take_blamed(day->writer, ids + count);
	if (count == 0)
		return sn_err_wrap(err, "day %s", day->totals.day);
	rc = sn_day_open_writer(store, day, &local);
	if (rc == 0 && is_sound(day->writer))
		return set_blocks_aside(day, ids, count, err);
	return rc == 0 || rc == -EUCLEAN ? 1 : sn_err_wrap(err, "day %s", day->totals.day);
}

/* SQLite takes a file that has lost a name for one that never had it. */
static int look_for_names(struct sn_day *day, struct sn_err *err)
{
	int rc = day->reader != NULL ? sn_day_check_names(day->reader, err) : 0;

	if (rc == 0 && day->writer != NULL)
		rc = sn_day_check_names(day->writer, err);
	return rc;
}

int sn_day_fault(struct sn_store *store, struct sn_day *day, int rc, struct sn_err *err)
{
	bool in_group = day->in_group, aside;
	char reason[SN_ERR_TEXT_MAX];
	struct sn_err local = {0};

	if (rc == -EIO && look_for_names(day, &local) == -EUCLEAN) {
		*err = local;
		day->broken = true;
		rc = -EUCLEAN;
	}
	if (rc != -EUCLEAN)
		return rc;
	if (!is_file_damaged(day) && (rc = leave_blocks(store, day, err)) < 0)
		return rc;
	memcpy(reason, err->text, sizeof(reason));
	aside = is_aside_already(day);
	keep_journal(day->writer);
	keep_journal(day->reader);
	sn_day_close(day);
	day->broken = false;
	rc = aside ? sn_err_set(err, -EUCLEAN, "%s; it was set aside meanwhile", reason)
		   : set_aside(store, day, reason, err);
	if (in_group)
		store->group_error = *err;
	return rc;
}

/* Tables ------------------------------------------------------------------ */

struct sn_table *sn_table_open(struct sn_day *day, const struct sn_dataset *dataset)
{
	struct sn_table *table = NULL;

	for (unsigned i = 0; i < day->table_count && table == NULL; i++)
		if (day->tables[i].dataset == dataset)
			table = &day->tables[i];
	if (table == NULL) {
		day->tables = sn_xrealloc(day->tables, day->table_count + 1, sizeof(*day->tables));
		table = &day->tables[day->table_count++];
		*table = (struct sn_table){.dataset = dataset, .rows = sn_columns_create(dataset)};
	}
	return table;
}
