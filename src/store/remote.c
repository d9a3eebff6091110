/* SPDX-License-Identifier: Apache-2.0 */
#include "store/remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/moving.h"

static const char *const migrations[] = {
	"CREATE TABLE dropped("
	" day INTEGER PRIMARY KEY, since_ns INTEGER NOT NULL, done_ns INTEGER NOT NULL);"
	"CREATE TABLE setting(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE foreign_rows("
	" dataset TEXT NOT NULL, version INTEGER NOT NULL, day INTEGER NOT NULL,"
	" rows INTEGER NOT NULL, time_min INTEGER NOT NULL, time_max INTEGER NOT NULL,"
	" PRIMARY KEY(dataset, version, day)) WITHOUT ROWID;",
};

int sn_remote_open(const char *dir, const struct sn_store_options *options, struct sn_remote **out,
		   struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(dir, "clickhouse.db");
	struct sn_remote *remote = sn_new(struct sn_remote);
	int rc;

	remote->retention_days = options->retention_days;
	rc = sn_db_open(path, migrations, SN_COUNT(migrations), &remote->notes, err);
	if (rc == 0 && !options->local)
		rc = sn_clickhouse_open(options->clickhouse, &remote->client, err);
	if (rc != 0)
		sn_remote_close(remote);
	else
		*out = remote;
	return rc;
}

void sn_remote_close(struct sn_remote *remote)
{
	if (remote == NULL)
		return;
	if (remote->client != NULL)
		sn_clickhouse_close(remote->client);
	sn_db_close(remote->notes);
	free(remote);
}

int32_t sn_remote_horizon(const struct sn_remote *remote)
{
	if (remote->retention_days == 0)
		return INT32_MIN;
	return sn_day_of(sn_wall_ns()) - (int32_t)remote->retention_days;
}

/* Days that are to go -------------------------------------------------------- */

int sn_remote_drop(struct sn_remote *remote, int32_t day, struct sn_err *err)
{
	int rc = sn_db_run(remote->notes, err, "INSERT OR REPLACE INTO dropped VALUES(?, ?, 0)",
			   "ii", (int64_t)day, sn_wall_ns());

	if (rc >= 0)
		rc = sn_db_run(remote->notes, err, "DELETE FROM foreign_rows WHERE day = ?", "i",
			       (int64_t)day);
	return SN_MIN(rc, 0);
}

static int exists(struct sn_db *db, sqlite3_stmt *statement, bool *found, struct sn_err *err)
{
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	*found = rc == 1;
	sn_db_done(statement);
	return SN_MIN(rc, 0);
}

int sn_remote_is_dropped(struct sn_remote *remote, int32_t day, bool *dropped, struct sn_err *err)
{
	return exists(remote->notes,
		      sn_db_query(remote->notes, err, "SELECT 1 FROM dropped WHERE day = ?", "i",
				  (int64_t)day),
		      dropped, err);
}

int sn_remote_drops(struct sn_remote *remote, struct sn_remote_drop *drops, size_t max,
		    struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(remote->notes, err,
			    "SELECT day, since_ns, done_ns FROM dropped ORDER BY day LIMIT ?", "i",
			    (int64_t)max);
	int rc = statement != NULL ? 1 : err->code;
	int count = 0;

	while (rc == 1 && (size_t)count < max &&
	       (rc = sn_db_next(remote->notes, statement, err)) == 1)
		drops[count++] = (struct sn_remote_drop){
			.day = sqlite3_column_int(statement, 0),
			.since_ns = sqlite3_column_int64(statement, 1),
			.done_ns = sqlite3_column_int64(statement, 2),
		};
	sn_db_done(statement);
	return rc < 0 ? rc : count;
}

int sn_remote_drop_done(struct sn_remote *remote, int32_t day, int64_t now_ns, struct sn_err *err)
{
	return SN_MIN(sn_db_run(remote->notes, err,
				"UPDATE dropped SET done_ns = ? WHERE day = ? AND done_ns = 0",
				"ii", now_ns, (int64_t)day),
		      0);
}

int sn_remote_drop_forget(struct sn_remote *remote, int32_t day, struct sn_err *err)
{
	return SN_MIN(sn_db_run(remote->notes, err, "DELETE FROM dropped WHERE day = ?", "i",
				(int64_t)day),
		      0);
}

int sn_remote_set_back(struct sn_remote *remote, bool back, struct sn_err *err)
{
	return SN_MIN(sn_db_run(remote->notes, err,
				"INSERT OR REPLACE INTO setting VALUES('back', ?)", "i",
				(int64_t)back),
		      0);
}

int sn_remote_is_back(struct sn_remote *remote, bool *back, struct sn_err *err)
{
	return exists(remote->notes,
		      sn_db_query(remote->notes, err,
				  "SELECT 1 FROM setting WHERE key = 'back' AND value != 0", ""),
		      back, err);
}

/* Rows without a file -------------------------------------------------------- */

int sn_remote_foreign(struct sn_remote *remote, sn_remote_foreign_fn *fn, void *ctx,
		      struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(remote->notes, err,
			    "SELECT dataset, version, day, rows, time_min, time_max"
			    " FROM foreign_rows ORDER BY day",
			    "");
	int rc = statement != NULL ? 1 : err->code;

	while (rc == 1 && (rc = sn_db_next(remote->notes, statement, err)) == 1) {
		struct sn_remote_foreign foreign = {
			.version = (unsigned)sqlite3_column_int(statement, 1),
			.day = sqlite3_column_int(statement, 2),
			.rows = (uint64_t)sqlite3_column_int64(statement, 3),
			.time_min = sqlite3_column_int64(statement, 4),
			.time_max = sqlite3_column_int64(statement, 5),
		};

		snprintf(foreign.dataset, sizeof(foreign.dataset), "%s", sn_db_text(statement, 0));
		if (fn(&foreign, ctx) != 0)
			rc = 0;
	}
	sn_db_done(statement);
	return rc;
}

static int replace_foreign(struct sn_db *db, const struct sn_dataset *dataset,
			   const struct sn_remote_foreign *list, size_t count, struct sn_err *err)
{
	int rc = sn_db_run(db, err, "DELETE FROM foreign_rows WHERE dataset = ? AND version = ?",
			   "ti", dataset->name, (int64_t)dataset->version);

	for (size_t i = 0; rc >= 0 && i < count; i++)
		rc = sn_db_run(db, err, "INSERT INTO foreign_rows VALUES(?, ?, ?, ?, ?, ?)",
			       "tiiiii", dataset->name, (int64_t)dataset->version,
			       (int64_t)list[i].day, (int64_t)list[i].rows, list[i].time_min,
			       list[i].time_max);
	return SN_MIN(rc, 0);
}

int sn_remote_set_foreign(struct sn_remote *remote, const struct sn_dataset *dataset,
			  const struct sn_remote_foreign *list, size_t count, struct sn_err *err)
{
	int rc = sn_db_begin(remote->notes, err);

	if (rc != 0)
		return rc;
	rc = replace_foreign(remote->notes, dataset, list, count, err);
	if (rc == 0)
		return sn_db_commit(remote->notes, err);
	sn_db_rollback(remote->notes);
	return rc;
}

static int has_foreign(struct sn_remote *remote, const struct sn_dataset *dataset, int32_t day,
		       bool *found, struct sn_err *err)
{
	return exists(remote->notes,
		      sn_db_query(remote->notes, err,
				  "SELECT 1 FROM foreign_rows WHERE dataset = ? AND version = ?"
				  " AND day = ?",
				  "tii", dataset->name, (int64_t)dataset->version, (int64_t)day),
		      found, err);
}

int sn_remote_has_day(struct sn_remote *remote, int32_t day, bool *found, struct sn_err *err)
{
	return exists(remote->notes,
		      sn_db_query(remote->notes, err, "SELECT 1 FROM foreign_rows WHERE day = ?",
				  "i", (int64_t)day),
		      found, err);
}

/* Asking -------------------------------------------------------------------- */

struct days {
	const struct sn_dataset *dataset;
	int32_t *numbers;
	size_t count, files; /* those of files come first */
};

static int by_number(const void *a, const void *b)
{
	int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;

	return (left > right) - (left < right);
}

static int add_day(const struct sn_remote_foreign *foreign, void *ctx)
{
	struct days *days = ctx;

	if (days->dataset != NULL && (strcmp(foreign->dataset, days->dataset->name) != 0 ||
				      foreign->version != days->dataset->version))
		return 0;
	if (days->files > 0 && bsearch(&foreign->day, days->numbers, days->files,
				       sizeof(*days->numbers), by_number) != NULL)
		return 0;
	/* They come by day. */
	if (days->count > days->files && days->numbers[days->count - 1] == foreign->day)
		return 0;
	days->numbers = sn_xrealloc(days->numbers, days->count + 1, sizeof(*days->numbers));
	days->numbers[days->count++] = foreign->day;
	return 0;
}

int sn_remote_days(struct sn_store *store, const struct sn_dataset *dataset, int32_t **numbers,
		   size_t *count, struct sn_err *err)
{
	struct days days = {.dataset = dataset};
	int rc = sn_day_list(store, &days.numbers, &days.count, err);

	days.files = days.count;
	if (rc == 0 && store->remote != NULL)
		rc = sn_remote_foreign(store->remote, add_day, &days, err);
	if (rc == 0 && days.count > days.files)
		qsort(days.numbers, days.count, sizeof(*days.numbers), by_number);
	*numbers = days.numbers;
	*count = days.count;
	return rc;
}

/* It may have been ahead of what it is now. */
static int is_restored(struct sn_db *db, bool *restored, struct sn_err *err)
{
	return exists(db, sn_db_query(db, err, "SELECT 1 FROM _file WHERE key = 'restored'", ""),
		      restored, err);
}

static int look_into_file(struct sn_db *db, const struct sn_dataset *dataset,
			  struct sn_remote_part *part, bool *moved, struct sn_err *err)
{
	bool restored = false;
	uint32_t epoch = 0;
	int rc = sn_moving_frontier(db, dataset, &part->hide_number, moved, err);

	if (rc == 0 && *moved)
		rc = sn_moving_ends(db, dataset, &part->first_ns, &part->last_ns, err);
	if (rc == 0)
		rc = is_restored(db, &restored, err);
	if (rc == 0)
		rc = sn_blocks_epoch(db, &epoch, err);
	part->wanted = restored;
	part->hide_from = (uint64_t)epoch << 32;
	part->hide_to = part->hide_from | UINT32_MAX;
	return rc;
}

static int name_day(int32_t day, struct sn_err *err, const char *reason)
{
	char name[SN_DAY_NAME_SIZE];

	return sn_err_set(err, -EREMOTE, "rows of %s are in ClickHouse, %s", sn_day_name(day, name),
			  reason);
}

int sn_remote_look(struct sn_store *store, int32_t day, struct sn_db *db,
		   const struct sn_dataset *dataset, struct sn_remote_part *part,
		   struct sn_err *err)
{
	struct sn_remote *remote = store->remote;
	bool moved = false, foreign = false, dropped = false, restored;
	int rc = 0;

	*part = (struct sn_remote_part){.wanted = false};
	if (db != NULL)
		rc = look_into_file(db, dataset, part, &moved, err);
	restored = part->wanted;
	part->wanted = false;
	if (rc != 0 || (remote == NULL && !moved))
		return rc;
	if (remote == NULL)
		return name_day(day, err, "which is not configured (set the key 'clickhouse')");
	if (day < sn_remote_horizon(remote))
		return 0;
	rc = has_foreign(remote, dataset, day, &foreign, err);
	if (rc == 0)
		rc = sn_remote_is_dropped(remote, day, &dropped, err);
	if (rc != 0 || dropped)
		return rc;
	/* What a file that was set aside had sent nobody has written down. */
	part->wanted = moved || foreign || restored || sn_day_aside(store, day) > 0;
	if (part->wanted && remote->client == NULL)
		return name_day(day, err, "which is not asked here");
	return 0;
}

void sn_remote_narrow(struct sn_query *query, int32_t day)
{
	int64_t begin, end;

	if (!__builtin_mul_overflow((int64_t)day, SN_NS_PER_DAY, &begin))
		query->since_ns = SN_MAX(query->since_ns, begin);
	/* 0 would be no end at all. */
	if (!__builtin_mul_overflow((int64_t)day + 1, SN_NS_PER_DAY, &end) && end != 0)
		query->until_ns = query->until_ns != 0 ? SN_MIN(query->until_ns, end) : end;
}

int sn_remote_failed(int32_t day, struct sn_err *err)
{
	char name[SN_DAY_NAME_SIZE];

	err->code = -EREMOTE;
	return sn_err_wrap(err, "rows of %s are in ClickHouse and cannot be read",
			   sn_day_name(day, name));
}
