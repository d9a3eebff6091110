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

int sn_span_add(struct sn_db *db, const struct sn_dataset *dataset, int64_t first, size_t rows,
		int64_t source, struct sn_err *err)
{
	return SN_MIN(sn_db_run(db, err, "INSERT INTO _span VALUES(?, ?, ?, ?, ?)", "tiiii",
				dataset->name, (int64_t)dataset->version, first, (int64_t)rows,
				source),
		      0);
}

/* They become a block when the group is committed. */
static void gather_rows(struct sn_table *table, const char *node, const struct sn_batch *batch)
{
	for (size_t i = 0; i < sn_batch_rows(batch); i++) {
		const struct sn_value *row = sn_batch_row(batch, i);

		sn_columns_add_row(table->rows);
		for (size_t column = 0; column < table->dataset->column_count; column++)
			if (row[column].type != SN_TYPE_NULL)
				sn_columns_set(table->rows, (int)column, row[column]);
		sn_columns_set_text(table->rows, SN_COL_NODE, sn_str(node));
	}
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

static int write_batch(struct sn_store *store, struct sn_day *day, const struct sn_batch_id *id,
		       int64_t source, const struct sn_batch *batch, struct sn_err *err)
{
	struct sn_table *table = sn_table_open(day, sn_batch_dataset(batch), err);
	int64_t first;
	int rc;

	if (table == NULL)
		return err->code;
	first = table->next + (int64_t)sn_columns_rows(table->rows);
	rc = add_source(day->writer, id, &source, err);
	if (rc == 0)
		rc = add_to_ledger(day->writer, id, source, batch, err);
	if (rc != 0) {
		/* Some errors end the transaction, and with it the whole group. */
		if (sqlite3_get_autocommit(sn_db_handle(day->writer)))
			store->group_error = *err;
		return rc;
	}
	rc = sn_span_add(day->writer, table->dataset, first, sn_batch_rows(batch), source, err);
	/* The ledger has it: that must not be committed without the rows. */
	if (rc != 0) {
		store->group_error = *err;
		return rc;
	}
	gather_rows(table, id->node, batch);
	table->batches++;
	return 0;
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

/* What the group has gathered of a dataset. */
static int put_table(struct sn_day *day, struct sn_table *table, struct sn_err *err)
{
	size_t rows = sn_columns_rows(table->rows);
	int rc;

	table->next = 0;
	if (table->batches == 0)
		return 0;
	rc = sn_blocks_put(day->writer, table->rows, 0, rows, NULL, err);
	if (rc == 0)
		rc = sn_db_run(day->writer, err,
			       "INSERT INTO _dataset VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
			       " batches = batches + excluded.batches, rows = rows + excluded.rows",
			       "tiii", table->dataset->name, (int64_t)table->dataset->version,
			       (int64_t)table->batches, (int64_t)rows);
	sn_columns_clear(table->rows);
	table->batches = 0;
	return SN_MIN(rc, 0);
}

/* Blocks of small groups become larger ones as they come; what fails here is told when it is read.
 */
static void tidy_day(struct sn_day *day)
{
	for (unsigned i = 0; i < day->table_count; i++)
		sn_blocks_tidy(day->writer, day->tables[i].dataset, false, 1, NULL, NULL);
}

static int commit_day(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < day->table_count; i++)
		rc = put_table(day, &day->tables[i], err);
	if (rc == 0)
		rc = sn_db_commit(day->writer, err);
	if (rc == 0 && sn_db_has_moved(day->writer))
		rc = sn_err_set(err, -EIO,
				"the file of day %s was set aside meanwhile (send again)",
				day->totals.day);
	if (rc == 0)
		tidy_day(day);
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
