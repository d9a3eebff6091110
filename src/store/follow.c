/* SPDX-License-Identifier: Apache-2.0 */
#include "store/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/blocks_internal.h"
#include "store/sqlite.h"

struct put {
	struct sn_db *db;
	const struct sn_feed_place *place;
	struct sn_follow_sum *sum;
	int64_t shift; /* of the numbers here against those there */
	int64_t time_min, time_max;
	struct sn_err *err;
};

/* Where we are -------------------------------------------------------------------------- */

static int read_position(struct sn_db *db, const struct sn_feed_place *place, int64_t *next,
			 struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(
		db, err, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_replica'",
		"");
	int rc = row != NULL ? sn_db_next(db, row, err) : err->code;

	sn_db_done(row);
	*next = 1;
	if (rc != 1)
		return rc;
	row = sn_db_query(db, err,
			  "SELECT next FROM _replica"
			  " WHERE epoch = ? AND dataset = ? AND version = ?",
			  "iti", (int64_t)place->epoch, place->dataset, (int64_t)place->version);
	rc = row != NULL ? sn_db_next(db, row, err) : err->code;
	if (rc == 1)
		*next = sqlite3_column_int64(row, 0);
	sn_db_done(row);
	return SN_MIN(rc, 0);
}

int sn_follow_position(struct sn_store *store, const struct sn_feed_place *place, int64_t *next,
		       struct sn_err *err)
{
	struct sn_day *day = sn_day_get(store, place->day);
	int rc = sn_day_open_reader(store, day, err);

	*next = 1;
	if (rc == -ENOENT) {
		*err = (struct sn_err){0};
		return 0;
	}
	if (rc == 0)
		rc = read_position(day->reader, place, next, err);
	rc = sn_day_fault(store, day, rc, err);
	sn_day_trim(store);
	return rc;
}

static int write_position(const struct put *put)
{
	int rc = sn_db_run(put->db, put->err, "INSERT OR REPLACE INTO _replica VALUES(?, ?, ?, ?)",
			   "itii", (int64_t)put->place->epoch, put->place->dataset,
			   (int64_t)put->place->version, put->sum->next);

	return SN_MIN(rc, 0);
}

/* Rows ------------------------------------------------------------------------------------- */

/* 1 with the integer that the statement finds, 0 if there is none. */
static int first_integer(const struct put *put, sqlite3_stmt *row, int64_t *found)
{
	int rc = row != NULL ? sn_db_next(put->db, row, put->err) : put->err->code;

	if (rc == 1)
		*found = sqlite3_column_int64(row, 0);
	sn_db_done(row);
	return rc;
}

static int find_layout(struct put *put, const struct sn_replication_rows *rows, int64_t *id)
{
	struct sn_buf text = {0};
	int rc;

	for (size_t i = 0; i < rows->column_count; i++)
		sn_buf_addf(&text, "%.*s %s\n", (int)rows->columns[i].name.n,
			    rows->columns[i].name.p, sn_type_name(rows->columns[i].type));
	rc = sn_layout_find(put->db, put->place->dataset, put->place->version, sn_buf_str(&text),
			    id, put->err);
	sn_buf_finish(&text);
	return rc;
}

/* All rows have a time of the day; the block's first and last are found on the way. */
static int check_times(struct put *put, const struct sn_vector *times, struct sn_blocks_info *info)
{
	struct sn_block_range range;

	for (size_t i = 0; i < times->rows; i++)
		if (sn_vector_is_null(times, i))
			return sn_err_set(put->err, -EBADMSG, "a row without 'time'");
	sn_vector_range(times, &range);
	info->time_min = range.min.i;
	info->time_max = range.max.i;
	if (sn_day_of(info->time_min) != put->place->day ||
	    sn_day_of(info->time_max) != put->place->day)
		return sn_err_set(put->err, -EBADMSG, "a row of another day");
	return 0;
}

/* Each column is read once before it is believed. */
static int check_column(struct put *put, const struct sn_replication_rows *rows, size_t i,
			struct sn_blocks_info *info, struct sn_block_image *image)
{
	const struct sn_dataset *dataset = sn_catalog_find(put->place->dataset);
	const struct sn_replication_column *column = &rows->columns[i];
	struct sn_block_column *read = NULL;
	int rc = sn_block_read(column->bytes, column->type, rows->rows, &read, put->err);

	if (rc == 0 && i == SN_COL_TIME)
		rc = check_times(put, sn_block_vector(read), info);
	if (rc == 0 && dataset != NULL && sn_block_is_marked(dataset, column->name))
		sn_block_image_mark(image, i, sn_block_vector(read));
	sn_block_column_destroy(read);
	/* Damaged is what came, not what is here. */
	if (rc == -EUCLEAN)
		put->err->code = rc = -EBADMSG;
	return rc != 0 ? sn_err_wrap(put->err, "column '%.*s'", (int)column->name.n, column->name.p)
		       : 0;
}

static int next_number(struct put *put, int64_t *next)
{
	int rc = first_integer(put,
			       sn_db_query(put->db, put->err,
					   "SELECT next FROM _number"
					   " WHERE dataset = ? AND version = ?",
					   "ti", put->place->dataset, (int64_t)put->place->version),
			       next);

	return SN_MIN(rc, 0);
}

static int set_next(struct put *put, int64_t next)
{
	int rc = sn_db_run(put->db, put->err,
			   "INSERT INTO _number VALUES(?, ?, ?)"
			   " ON CONFLICT DO UPDATE SET next = max(next, excluded.next)",
			   "tii", put->place->dataset, (int64_t)put->place->version, next);

	return SN_MIN(rc, 0);
}

static int put_rows(const struct sn_replication_rows *rows, void *ctx)
{
	struct put *put = ctx;
	struct sn_blocks_info info = {.rows = rows->rows};
	struct sn_block_image image = {.count = 0};
	int64_t next = 1;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < rows->column_count; i++) {
		rc = check_column(put, rows, i, &info, &image);
		sn_buf_add(&image.bytes, rows->columns[i].bytes.p, rows->columns[i].bytes.n);
		image.ends[image.count++] = image.bytes.n;
	}
	if (rc == 0)
		rc = find_layout(put, rows, &info.layout);
	if (rc == 0)
		rc = next_number(put, &next);
	info.first = SN_MAX(rows->first, next);
	put->shift = info.first - rows->first;
	if (rc == 0)
		rc = sn_block_store(put->db, &info, &image, put->err);
	if (rc == 0)
		rc = set_next(put, info.first + (int64_t)rows->rows);
	sn_block_image_finish(&image);
	put->sum->rows += rows->rows;
	put->time_min = SN_MIN(put->time_min, info.time_min);
	put->time_max = SN_MAX(put->time_max, info.time_max);
	return rc;
}

/* Batches ------------------------------------------------------------------------------------ */

static int find_source(struct put *put, const struct sn_replication_batch *batch, int64_t *id)
{
	int rc = first_integer(put,
			       sn_db_query(put->db, put->err,
					   "SELECT id FROM _source WHERE node = ? AND stream = ?",
					   "ss", &batch->node, &batch->stream),
			       id);

	if (rc != 0)
		return SN_MIN(rc, 0);
	rc = sn_db_run(put->db, put->err, "INSERT INTO _source(node, stream) VALUES(?, ?)", "ss",
		       &batch->node, &batch->stream);
	*id = sqlite3_last_insert_rowid(sn_db_handle(put->db));
	return SN_MIN(rc, 0);
}

static int put_batch(const struct sn_replication_batch *batch, void *ctx)
{
	struct put *put = ctx;
	int64_t source = 0;
	int rc = find_source(put, batch, &source);

	if (rc == 0)
		rc = sn_db_run(put->db, put->err,
			       "INSERT OR IGNORE INTO _batch VALUES(?, ?, ?, ?, ?)", "iibti",
			       source, (int64_t)batch->seq, batch->digest, sizeof(batch->digest),
			       put->place->dataset, (int64_t)batch->rows);
	if (rc >= 0)
		rc = sn_db_run(put->db, put->err,
			       "INSERT OR IGNORE INTO _span VALUES(?, ?, ?, ?, ?, ?)", "tiiiii",
			       put->place->dataset, (int64_t)put->place->version,
			       batch->first + put->shift, (int64_t)batch->rows, source,
			       (int64_t)batch->seq);
	put->sum->batches++;
	return SN_MIN(rc, 0);
}

static int note_gap(const struct sn_replication_gap *gap, void *ctx)
{
	struct put *put = ctx;

	put->sum->missing += (uint64_t)(gap->next - gap->first);
	return 0;
}

/* A body ------------------------------------------------------------------------------------- */

static int add_totals(struct put *put)
{
	int rc;

	if (put->sum->rows == 0 && put->sum->batches == 0)
		return 0;
	rc = sn_db_run(put->db, put->err,
		       "INSERT INTO _dataset(dataset, version, batches, rows, time_min, time_max)"
		       " VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
		       " batches = batches + excluded.batches, rows = rows + excluded.rows,"
		       " time_min = min(coalesce(time_min, excluded.time_min), excluded.time_min),"
		       " time_max = max(coalesce(time_max, excluded.time_max), excluded.time_max)",
		       "tiiiii", put->place->dataset, (int64_t)put->place->version,
		       (int64_t)put->sum->batches, (int64_t)put->sum->rows, put->time_min,
		       put->time_max);
	return SN_MIN(rc, 0);
}

static int put_body(struct put *put, int64_t from, struct sn_str body)
{
	struct sn_replication_reader reader = {put_rows, put_batch, note_gap, put};
	struct sn_replication_end end = {0};
	int64_t here;
	int rc = sn_db_exec(put->db, SN_REPLICA_TABLE, put->err);

	if (rc == 0)
		rc = read_position(put->db, put->place, &here, put->err);
	if (rc == 0 && here != from)
		rc = sn_err_set(put->err, -ESTALE,
				"rows from number %" PRId64 " on are wanted, not from %" PRId64,
				here, from);
	if (rc == 0)
		rc = sn_replication_read(body, from, &reader, &end, put->err);
	put->sum->next = end.next;
	put->sum->head = end.head;
	if (rc == 0)
		rc = add_totals(put);
	return rc == 0 ? write_position(put) : rc;
}

static bool name_is_good(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return n > 0 && name[n] == '\0';
}

static int pass_rows(const struct sn_replication_rows *rows, void *ctx)
{
	*(bool *)ctx = rows->rows > 0;
	return 0;
}

static int pass_batch(const struct sn_replication_batch *batch, void *ctx)
{
	*(bool *)ctx = batch->rows > 0;
	return 0;
}

static int pass_gap(const struct sn_replication_gap *gap, void *ctx)
{
	*(bool *)ctx = gap->next > 0;
	return 0;
}

/* 1: it is whole and brings something; 0: nothing. */
static int look_at(struct sn_str body, int64_t from, struct sn_follow_sum *sum, struct sn_err *err)
{
	bool any = false;
	struct sn_replication_reader reader = {pass_rows, pass_batch, pass_gap, &any};
	struct sn_replication_end end = {0};
	int rc = sn_replication_read(body, from, &reader, &end, err);

	*sum = (struct sn_follow_sum){.next = end.next, .head = end.head};
	return rc == 0 ? any || end.next > from : rc;
}

int sn_follow_put(struct sn_store *store, const struct sn_feed_place *place, int64_t from,
		  struct sn_str body, struct sn_follow_sum *sum, struct sn_err *err)
{
	struct sn_day *day = sn_day_get(store, place->day);
	struct put put = {.place = place,
			  .sum = sum,
			  .time_min = INT64_MAX,
			  .time_max = INT64_MIN,
			  .err = err};
	int rc = name_is_good(place->dataset)
			 ? 0
			 : sn_err_set(err, -EBADMSG, "a dataset has a name that is none");

	if (rc == 0) {
		rc = look_at(body, from, sum, err);
		if (rc <= 0)
			return rc;
		rc = 0;
	}
	*sum = (struct sn_follow_sum){0};
	if (rc == 0)
		rc = sn_day_open_writer(store, day, err);
	if (rc == 0)
		rc = sn_db_begin(day->writer, err);
	if (rc == 0) {
		put.db = day->writer;
		rc = put_body(&put, from, body);
		if (rc == 0)
			rc = sn_db_commit(day->writer, err);
		else
			sn_db_rollback(day->writer);
	}
	rc = sn_day_fault(store, day, rc, err);
	sn_day_trim(store);
	return rc;
}
