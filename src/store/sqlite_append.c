/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

#include "base/mem.h"

#define DIGEST_SIZE sizeof(((struct sn_batch_id *)NULL)->digest)

/* What is refused before anything is touched ------------------------------- */

static int check_id(const struct sn_batch_id *id, struct sn_err *err)
{
	size_t node = strlen(id->node), stream = strlen(id->stream);

	if (node == 0 || node > SN_STORE_NODE_MAX)
		return sn_err_set(err, -EINVAL, "a batch without a node, or with too long a one");
	if (stream == 0 || stream > SN_STORE_STREAM_MAX)
		return sn_err_set(err, -EINVAL, "a batch without a stream, or with too long a one");
	for (size_t i = 0; i < stream; i++)
		if (!isalnum((unsigned char)id->stream[i]))
			return sn_err_set(err, -EINVAL, "a stream is named by letters and digits");
	if (id->seq > INT64_MAX)
		return sn_err_set(err, -EINVAL, "batch number %" PRIu64 " is too large", id->seq);
	return 0;
}

static int check_row(const struct sn_value *row, const char *node, int32_t *day, struct sn_err *err)
{
	if (row[SN_COL_TIME].type != SN_TYPE_TIME)
		return sn_err_set(err, -EINVAL, "a row without 'time'");
	if (row[SN_COL_NODE].type == SN_TYPE_TEXT && !sn_str_eqc(row[SN_COL_NODE].s, node))
		return sn_err_set(err, -EINVAL, "a row of another node in a batch of '%s'", node);
	if (*day == INT32_MIN)
		*day = sn_day_of(row[SN_COL_TIME].i);
	if (*day != sn_day_of(row[SN_COL_TIME].i))
		return sn_err_set(err, -EINVAL, "a batch with rows of two days");
	return 0;
}

static int check_batch(const struct sn_batch_id *id, const struct sn_batch *batch, int32_t *day,
		       struct sn_err *err)
{
	size_t rows = sn_batch_rows(batch);
	int rc = check_id(id, err);

	if (rc == 0 && rows == 0)
		rc = sn_err_set(err, -EINVAL, "a batch without rows");
	*day = INT32_MIN;
	for (size_t i = 0; rc == 0 && i < rows; i++)
		rc = check_row(sn_batch_row(batch, i), id->node, day, err);
	return rc;
}

/* The ledger --------------------------------------------------------------- */

static int compare_digest(const struct sn_batch_id *id, const void *stored, size_t size,
			  struct sn_err *err)
{
	if (size == DIGEST_SIZE && memcmp(stored, id->digest, DIGEST_SIZE) == 0)
		return 1;
	return sn_err_set(err, -EEXIST,
			  "batch %" PRIu64 " of node '%s' is stored already with other content",
			  id->seq, id->node);
}

/* The number of (node, stream) in this file; 0 if it has none yet. */
static int find_source(struct sn_day *day, const struct sn_batch_id *id, const char *key,
		       int64_t *source, struct sn_err *err)
{
	sqlite3_stmt *statement;
	int rc;

	*source = (int64_t)(intptr_t)sn_map_get(day->sources, key);
	if (*source != 0)
		return 0;
	statement = sn_db_query(day->writer, err,
				"SELECT id FROM _source WHERE node = ? AND stream = ?", "tt",
				id->node, id->stream);
	rc = statement != NULL ? sn_db_next(day->writer, statement, err) : err->code;
	if (rc == 1) {
		*source = sqlite3_column_int64(statement, 0);
		sn_map_set(day->sources, key, (void *)(intptr_t)*source);
	}
	sn_db_done(statement);
	return rc < 0 ? rc : 0;
}

/* 1 stored already, -EEXIST with another digest, 0 not yet. */
static int look_up(struct sn_day *day, const struct sn_batch_id *id, int64_t source,
		   struct sn_err *err)
{
	sqlite3_stmt *statement;
	int rc;

	if (source == 0)
		return 0;
	statement = sn_db_query(day->writer, err,
				"SELECT digest FROM _batch WHERE source = ? AND seq = ?", "ii",
				source, (int64_t)id->seq);
	rc = statement != NULL ? sn_db_next(day->writer, statement, err) : err->code;
	if (rc == 1)
		rc = compare_digest(id, sqlite3_column_blob(statement, 0),
				    (size_t)sqlite3_column_bytes(statement, 0), err);
	sn_db_done(statement);
	return rc;
}

/* Rows --------------------------------------------------------------------- */

static void bind_value(sqlite3_stmt *insert, int index, const struct sn_value *value)
{
	switch (value->type) {
	case SN_TYPE_NULL:
		sqlite3_bind_null(insert, index);
		break;
	case SN_TYPE_BOOL:
		sqlite3_bind_int(insert, index, value->b);
		break;
	case SN_TYPE_I64:
	case SN_TYPE_TIME:
		sqlite3_bind_int64(insert, index, value->i);
		break;
	case SN_TYPE_F64:
		sqlite3_bind_double(insert, index, value->f);
		break;
	case SN_TYPE_TEXT:
		sqlite3_bind_text(insert, index, value->s.n > 0 ? value->s.p : "", (int)value->s.n,
				  SQLITE_STATIC);
		break;
	}
}

/* `first` receives the number of the first row; those after it have larger ones. */
static int insert_rows(struct sn_db *db, sqlite3_stmt *insert, int64_t source,
		       const struct sn_batch *batch, int64_t *first, struct sn_err *err)
{
	size_t columns = sn_batch_dataset(batch)->column_count;

	sqlite3_bind_int64(insert, 1, source);
	for (size_t i = 0; i < sn_batch_rows(batch); i++) {
		const struct sn_value *row = sn_batch_row(batch, i);
		int index = 2;

		for (size_t column = 0; column < columns; column++)
			if (column != SN_COL_NODE)
				bind_value(insert, index++, &row[column]);
		if (sqlite3_step(insert) != SQLITE_DONE) {
			sn_db_fail(db, err);
			sqlite3_reset(insert);
			return err->code;
		}
		sqlite3_reset(insert);
		if (i == 0)
			*first = sqlite3_last_insert_rowid(sn_db_handle(db));
	}
	return 0;
}

static int add_source(struct sn_db *db, const struct sn_batch_id *id, int64_t *source,
		      struct sn_err *err)
{
	int rc;

	if (*source != 0)
		return 0;
	rc = sn_db_run(db, err, "INSERT INTO _source(node, stream) VALUES(?, ?)", "tt", id->node,
		       id->stream);
	*source = sqlite3_last_insert_rowid(sn_db_handle(db));
	return SN_MIN(rc, 0);
}

static int add_to_ledger(struct sn_db *db, const struct sn_batch_id *id, int64_t source,
			 const struct sn_batch *batch, struct sn_err *err)
{
	int rc = sn_db_run(db, err, "INSERT INTO _batch VALUES(?, ?, ?, ?, ?)", "iibti", source,
			   (int64_t)id->seq, id->digest, DIGEST_SIZE, sn_batch_dataset(batch)->name,
			   (int64_t)sn_batch_rows(batch));

	return SN_MIN(rc, 0);
}

/*
 * Takes the rows of one batch back.  A savepoint would do it too, but would copy each
 * page that a batch touches (a sixth of all time with small batches).
 */
static int remove_rows(struct sn_db *db, const struct sn_dataset *dataset, int64_t first,
		       struct sn_err *err)
{
	char table[SN_TABLE_NAME_SIZE];
	sn_autofree char *sql = NULL;

	/* Some errors end the transaction, and with it the whole group. */
	if (sqlite3_get_autocommit(sn_db_handle(db)))
		return -ECANCELED;
	if (first == 0)
		return 0;
	sn_table_name(dataset, table);
	sql = sn_xasprintf("DELETE FROM \"%s\" WHERE rowid >= ?", table);
	return SN_MIN(sn_db_run(db, err, sql, "i", first), 0);
}

static int write_batch(struct sn_store *store, struct sn_day *day, const struct sn_batch_id *id,
		       int64_t source, const struct sn_batch *batch, struct sn_err *err)
{
	struct sn_table *table = sn_table_open(day, sn_batch_dataset(batch), err);
	struct sn_err ignored = {0};
	int64_t first = 0;
	int rc;

	/* A table without one of its indexes must not be committed. */
	if (table == NULL) {
		store->group_error = *err;
		return err->code;
	}
	rc = add_source(day->writer, id, &source, err);
	if (rc == 0)
		rc = insert_rows(day->writer, table->insert, source, batch, &first, err);
	if (rc == 0)
		rc = add_to_ledger(day->writer, id, source, batch, err);
	if (rc == 0) {
		table->batches++;
		table->rows += sn_batch_rows(batch);
	} else if (remove_rows(day->writer, table->dataset, first, &ignored) != 0) {
		store->group_error = *err;
	}
	return rc;
}

/* The group ---------------------------------------------------------------- */

static int join_group(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	int rc;

	if (day->in_group)
		return 0;
	if (store->group_days >= SN_STORE_GROUP_DAYS_MAX)
		return sn_err_set(err, -EAGAIN, "more than %d days in one group (commit first)",
				  SN_STORE_GROUP_DAYS_MAX);
	rc = sn_day_open_writer(store, day, err);
	if (rc == 0)
		rc = sn_db_begin(day->writer, err);
	if (rc == 0) {
		day->in_group = true;
		store->group_days++;
	}
	return rc;
}

static int append_to_day(struct sn_store *store, struct sn_day *day, const struct sn_batch_id *id,
			 const char *key, const struct sn_batch *batch, struct sn_err *err)
{
	int64_t source;
	int rc = find_source(day, id, key, &source, err);

	if (rc == 0)
		rc = look_up(day, id, source, err);
	if (rc == 0)
		rc = write_batch(store, day, id, source, batch, err);
	return rc;
}

int sn_store_append(struct sn_store *store, const struct sn_batch_id *id,
		    const struct sn_batch *batch, struct sn_err *err)
{
	sn_autofree char *source_key = NULL, *batch_key = NULL;
	struct sn_err local = {0};
	const void *pending;
	struct sn_day *day;
	int32_t number;
	int rc;

	err = err != NULL ? err : &local;
	if (store->group_error.code != 0) {
		*err = store->group_error;
		return err->code;
	}
	rc = check_batch(id, batch, &number, err);
	if (rc != 0)
		return rc;
	source_key = sn_xasprintf("%s/%s", id->stream, id->node);
	batch_key = sn_xasprintf("%s/%" PRIu64, source_key, id->seq);
	/* Not "stored already" (1): the group that it is in may still fail. */
	pending = sn_map_get(store->pending, batch_key);
	if (pending != NULL) {
		rc = compare_digest(id, pending, DIGEST_SIZE, err);
		return rc < 0 ? rc : 2;
	}
	day = sn_day_get(store, number);
	rc = join_group(store, day, err);
	if (rc == 0)
		rc = append_to_day(store, day, id, source_key, batch, err);
	if (rc == 0) {
		void *digest = sn_xmalloc(DIGEST_SIZE);

		memcpy(digest, id->digest, DIGEST_SIZE);
		sn_map_set(store->pending, batch_key, digest);
	}
	return sn_day_fault(store, day, rc, err);
}

static int add_totals(struct sn_day *day, struct sn_table *table, struct sn_err *err)
{
	int rc;

	if (table->batches == 0)
		return 0;
	rc = sn_db_run(day->writer, err,
		       "INSERT INTO _dataset VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
		       " batches = batches + excluded.batches, rows = rows + excluded.rows",
		       "tiii", table->dataset->name, (int64_t)table->dataset->version,
		       (int64_t)table->batches, (int64_t)table->rows);
	table->batches = table->rows = 0;
	return rc < 0 ? rc : 0;
}

static int commit_day(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < day->table_count; i++)
		rc = add_totals(day, &day->tables[i], err);
	if (rc == 0)
		rc = sn_db_commit(day->writer, err);
	if (rc == 0 && sn_db_has_moved(day->writer))
		rc = sn_err_set(err, -EIO,
				"the file of day %s was set aside meanwhile (send again)",
				day->totals.day);
	day->stamp = 0;
	return sn_day_fault(store, day, rc, err);
}

static void roll_back_day(struct sn_day *day)
{
	sn_db_rollback(day->writer);
	sn_day_forget(day);
	day->in_group = false;
}

int sn_store_commit(struct sn_store *store, struct sn_err *err)
{
	struct sn_err local = {0};
	int rc;

	err = err != NULL ? err : &local;
	rc = store->group_error.code;
	if (rc != 0)
		*err = store->group_error;
	/*
	 * One file after the other.  If a later one fails, the earlier ones have their
	 * batches: the senders are told of an error, send again, and the ledger knows them.
	 */
	sn_list_for_each (link, &store->days) {
		struct sn_day *day = sn_list_entry(link, struct sn_day, link);

		if (!day->in_group)
			continue;
		if (rc == 0)
			rc = commit_day(store, day, err);
		if (rc != 0 && day->writer != NULL)
			roll_back_day(day);
		day->in_group = false;
	}
	sn_map_destroy(store->pending);
	store->pending = sn_map_create(free);
	store->group_error = (struct sn_err){0};
	store->group_days = 0;
	sn_day_trim(store);
	return rc;
}
