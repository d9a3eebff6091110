/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches on their way into day files.  A group is gathered in memory; its blocks are made when it
 * is committed, before the file is locked, so that several who write hardly wait for each other.
 */
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
static int find_source(struct sn_day *day, const struct sn_batch_id *id, int64_t *source,
		       struct sn_err *err)
{
	sn_autofree char *key = sn_xasprintf("%s/%s", id->stream, id->node);
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
static int look_up(struct sn_day *day, const struct sn_batch_id *id, struct sn_err *err)
{
	sqlite3_stmt *statement;
	int64_t source;
	int rc = find_source(day, id, &source, err);

	if (rc != 0 || source == 0)
		return rc;
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

static int add_source(struct sn_day *day, const struct sn_batch_id *id, int64_t *source,
		      struct sn_err *err)
{
	int rc = find_source(day, id, source, err);

	if (rc != 0 || *source != 0)
		return rc;
	rc = sn_db_run(day->writer, err, "INSERT INTO _source(node, stream) VALUES(?, ?)", "tt",
		       id->node, id->stream);
	*source = sqlite3_last_insert_rowid(sn_db_handle(day->writer));
	return SN_MIN(rc, 0);
}

int sn_span_add(struct sn_db *db, const struct sn_dataset *dataset, int64_t first, size_t rows,
		int64_t source, const uint64_t *seq, struct sn_err *err)
{
	static const char sql[] = "INSERT INTO _span VALUES(?, ?, ?, ?, ?, ?)";
	int rc = seq != NULL ? sn_db_run(db, err, sql, "tiiiii", dataset->name,
					 (int64_t)dataset->version, first, (int64_t)rows, source,
					 (int64_t)*seq)
			     : sn_db_run(db, err, sql, "tiiiin", dataset->name,
					 (int64_t)dataset->version, first, (int64_t)rows, source);

	return SN_MIN(rc, 0);
}

/* A batch whose rows have the numbers from `first` on. */
static int add_batch(struct sn_day *day, const struct sn_batch_id *id,
		     const struct sn_dataset *dataset, int64_t first, size_t rows,
		     struct sn_err *err)
{
	int64_t source;
	int rc = add_source(day, id, &source, err);

	if (rc == 0)
		rc = SN_MIN(sn_db_run(day->writer, err, "INSERT INTO _batch VALUES(?, ?, ?, ?, ?)",
				      "iibti", source, (int64_t)id->seq, id->digest, DIGEST_SIZE,
				      dataset->name, (int64_t)rows),
			    0);
	if (rc == 0)
		rc = sn_span_add(day->writer, dataset, first, rows, source, &id->seq, err);
	return rc;
}

static int add_totals(struct sn_day *day, const struct sn_columns *rows, size_t batches,
		      struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_columns_dataset(rows);
	struct sn_vector times = sn_columns_vector(rows, SN_COL_TIME);
	struct sn_block_range range;
	int rc;

	sn_vector_range(&times, &range);
	rc = sn_db_run(day->writer, err,
		       "INSERT INTO _dataset(dataset, version, batches, rows, time_min, time_max)"
		       " VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
		       " batches = batches + excluded.batches, rows = rows + excluded.rows,"
		       " time_min = min(coalesce(time_min, excluded.time_min), excluded.time_min),"
		       " time_max = max(coalesce(time_max, excluded.time_max), excluded.time_max)",
		       "tiiiii", dataset->name, (int64_t)dataset->version, (int64_t)batches,
		       (int64_t)sn_columns_rows(rows), range.min.i, range.max.i);
	return SN_MIN(rc, 0);
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
	if (rc == 0) {
		day->in_group = true;
		store->group_days++;
	}
	return rc;
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

static void gather(struct sn_day *day, const struct sn_batch_id *id, const struct sn_batch *batch)
{
	struct sn_table *table = sn_table_open(day, sn_batch_dataset(batch));
	struct sn_noted *noted;

	if (table->noted_count == table->noted_capacity) {
		table->noted_capacity = table->noted_capacity > 0 ? 2 * table->noted_capacity : 16;
		table->noted =
			sn_xrealloc(table->noted, table->noted_capacity, sizeof(*table->noted));
	}
	noted = &table->noted[table->noted_count++];
	noted->id = *id;
	noted->id.node = noted->node = sn_xstrdup(id->node);
	noted->id.stream = noted->stream = sn_xstrdup(id->stream);
	noted->rows = sn_batch_rows(batch);
	gather_rows(table, id->node, batch);
}

int sn_store_append(struct sn_store *store, const struct sn_batch_id *id,
		    const struct sn_batch *batch, struct sn_err *err)
{
	sn_autofree char *key = NULL;
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
	key = sn_xasprintf("%s/%s/%" PRIu64, id->stream, id->node, id->seq);
	/* Not "stored already" (1): the group that it is in may still fail. */
	pending = sn_map_get(store->pending, key);
	if (pending != NULL) {
		rc = compare_digest(id, pending, DIGEST_SIZE, err);
		return rc < 0 ? rc : 2;
	}
	day = sn_day_get(store, number);
	rc = join_group(store, day, err);
	if (rc == 0)
		rc = look_up(day, id, err);
	if (rc == 0) {
		gather(day, id, batch);
		sn_map_set(store->pending, key, sn_xmemdup(id->digest, DIGEST_SIZE));
	}
	return sn_day_fault(store, day, rc, err);
}

/* Committing ---------------------------------------------------------------- */

static int draft_tables(struct sn_day *day, struct sn_err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < day->table_count; i++) {
		struct sn_table *table = &day->tables[i];

		if (table->noted_count > 0)
			rc = sn_blocks_draft(table->rows, 0, sn_columns_rows(table->rows),
					     &table->draft, err);
	}
	return rc;
}

static int put_table(struct sn_day *day, struct sn_table *table, struct sn_err *err)
{
	int64_t first;
	int rc = sn_blocks_put_draft(day->writer, table->draft, &first, err);

	for (size_t i = 0; rc == 0 && i < table->noted_count; i++) {
		struct sn_noted *noted = &table->noted[i];

		rc = add_batch(day, &noted->id, table->dataset, first, noted->rows, err);
		/* It was not there when it was appended. */
		if (rc == -EEXIST)
			rc = sn_err_set(err, -EAGAIN,
					"batch %" PRIu64 " of node '%s' was stored by another "
					"process meanwhile (send again)",
					noted->id.seq, noted->node);
		first += (int64_t)noted->rows;
	}
	return rc == 0 ? add_totals(day, table->rows, table->noted_count, err) : rc;
}

static int put_tables(struct sn_day *day, struct sn_err *err)
{
	int rc = sn_db_begin(day->writer, err);

	if (rc != 0)
		return rc;
	for (unsigned i = 0; rc == 0 && i < day->table_count; i++)
		if (day->tables[i].draft != NULL)
			rc = put_table(day, &day->tables[i], err);
	if (rc == 0)
		return sn_db_commit(day->writer, err);
	sn_db_rollback(day->writer);
	return rc;
}

static int check_place(struct sn_day *day, struct sn_err *err)
{
	if (!sn_db_has_moved(day->writer))
		return 0;
	return sn_err_set(err, -EIO, "the file of day %s was set aside meanwhile (send again)",
			  day->totals.day);
}

static int commit_day(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	int rc = draft_tables(day, err);

	if (rc == 0)
		rc = sn_day_open_writer(store, day, err);
	if (rc == 0)
		rc = put_tables(day, err);
	/* Numbers of sources may be of a transaction that is gone. */
	if (rc != 0)
		sn_day_forget_sources(day);
	if (rc == 0)
		rc = check_place(day, err);
	day->stamp = 0;
	return sn_day_fault(store, day, rc, err);
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
		sn_day_empty_group(day);
	}
	sn_map_destroy(store->pending);
	store->pending = sn_map_create(free);
	store->group_error = (struct sn_err){0};
	store->group_days = 0;
	sn_day_trim(store);
	return rc;
}

/* Without a group ------------------------------------------------------------ */

static int check_columns(const struct sn_columns *rows, int32_t *day, struct sn_err *err)
{
	struct sn_vector times = sn_columns_vector(rows, SN_COL_TIME);
	struct sn_block_range range;

	if (times.rows == 0)
		return sn_err_set(err, -EINVAL, "a batch without rows");
	for (size_t i = 0; i < times.rows; i++)
		if (sn_vector_is_null(&times, i))
			return sn_err_set(err, -EINVAL, "a row without 'time'");
	sn_vector_range(&times, &range);
	*day = sn_day_of(range.min.i);
	if (*day != sn_day_of(range.max.i))
		return sn_err_set(err, -EINVAL, "a batch with rows of two days");
	return 0;
}

static int put_batch(struct sn_day *day, const struct sn_batch_id *id,
		     const struct sn_columns *rows, const struct sn_blocks_draft *draft,
		     struct sn_err *err)
{
	int64_t first;
	int rc = sn_db_begin(day->writer, err);

	if (rc != 0)
		return rc;
	/* Somebody else may have been faster until the transaction began. */
	rc = look_up(day, id, err);
	if (rc == 0)
		rc = sn_blocks_put_draft(day->writer, draft, &first, err);
	if (rc == 0)
		rc = add_batch(day, id, sn_columns_dataset(rows), first, sn_columns_rows(rows),
			       err);
	if (rc == 0)
		rc = add_totals(day, rows, 1, err);
	if (rc == 0)
		return sn_db_commit(day->writer, err);
	sn_db_rollback(day->writer);
	return rc;
}

static int put_rows(struct sn_store *store, struct sn_day *day, const struct sn_batch_id *id,
		    const struct sn_columns *rows, struct sn_err *err)
{
	struct sn_blocks_draft *draft;
	int rc = sn_day_open_writer(store, day, err);

	if (rc == 0)
		rc = look_up(day, id, err);
	if (rc == 0)
		rc = sn_blocks_draft(rows, 0, sn_columns_rows(rows), &draft, err);
	if (rc != 0)
		return rc;
	rc = put_batch(day, id, rows, draft, err);
	sn_blocks_draft_destroy(draft);
	if (rc != 0)
		sn_day_forget_sources(day);
	return rc == 0 ? check_place(day, err) : rc;
}

int sn_store_put(struct sn_store *store, const struct sn_batch_id *id,
		 const struct sn_columns *rows, struct sn_err *err)
{
	struct sn_err local = {0};
	int32_t number = 0;
	struct sn_day *day;
	int rc;

	err = err != NULL ? err : &local;
	if (store->group_days > 0)
		return sn_err_set(err, -EBUSY, "a group of batches is open (commit it first)");
	rc = check_id(id, err);
	if (rc == 0)
		rc = check_columns(rows, &number, err);
	if (rc != 0)
		return rc;
	day = sn_day_get(store, number);
	rc = put_rows(store, day, id, rows, err);
	day->stamp = 0;
	rc = sn_day_fault(store, day, rc, err);
	sn_day_trim(store);
	return rc;
}
