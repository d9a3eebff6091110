/* SPDX-License-Identifier: Apache-2.0 */
#include "store/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/blocks_internal.h"
#include "store/sqlite.h"

#define PLAN_MAX 4096 /* blocks of one answer */

struct known { /* what was seen of a day's file */
	int32_t day;
	uint64_t stamp;
	struct sn_feed_item *items;
	size_t count;
};

struct sn_feed {
	struct sn_store *store;
	struct known *days; /* ascending */
	size_t count;
};

int sn_feed_open(const char *path, struct sn_feed **out, struct sn_err *err)
{
	struct sn_feed *feed = sn_new(struct sn_feed);
	int rc = sn_store_open(path, &feed->store, err);

	if (rc != 0)
		free(feed);
	else
		*out = feed;
	return rc;
}

void sn_feed_close(struct sn_feed *feed)
{
	if (feed == NULL)
		return;
	for (size_t i = 0; i < feed->count; i++)
		free(feed->days[i].items);
	free(feed->days);
	sn_store_close(feed->store);
	free(feed);
}

/* The list ------------------------------------------------------------------------------ */

static int load_items(struct sn_db *db, struct known *known, struct sn_err *err)
{
	uint32_t epoch = 0;
	sqlite3_stmt *row;
	int rc = sn_blocks_epoch(db, &epoch, err);

	known->count = 0;
	if (rc != 0)
		return rc;
	row = sn_db_query(db, err, "SELECT dataset, version, next FROM _number", "");
	rc = row != NULL ? 1 : err->code;
	while (rc == 1 && (rc = sn_db_next(db, row, err)) == 1) {
		struct sn_feed_item item = {.place = {.day = known->day, .epoch = epoch}};

		snprintf(item.place.dataset, sizeof(item.place.dataset), "%s", sn_db_text(row, 0));
		item.place.version = (unsigned)sqlite3_column_int64(row, 1);
		item.next = sqlite3_column_int64(row, 2);
		known->items = sn_xrealloc(known->items, known->count + 1, sizeof(*known->items));
		known->items[known->count++] = item;
	}
	sn_db_done(row);
	return rc;
}

/* A day that is damaged or gone has nothing that could be handed out. */
static void look_at_day(struct sn_feed *feed, struct known *known)
{
	struct sn_day *day = sn_day_get(feed->store, known->day);
	struct sn_err err = {0};
	uint64_t bytes, stamp = sn_day_stamp(feed->store, known->day, &bytes);
	int rc;

	if (stamp == known->stamp)
		return;
	rc = sn_day_open_reader(feed->store, day, &err);
	if (rc == 0)
		rc = load_items(day->reader, known, &err);
	known->stamp = rc == 0 ? stamp : 0;
	if (rc != 0)
		known->count = 0;
	(void)sn_day_fault(feed->store, day, rc, &err);
	sn_day_trim(feed->store);
}

/* Days that have a file, with what is known of them already. */
static int refresh_days(struct sn_feed *feed, struct sn_err *err)
{
	int32_t *numbers;
	struct known *days;
	size_t count, old = 0;
	int rc = sn_day_list(feed->store, &numbers, &count, err);

	if (rc != 0)
		return rc;
	days = sn_new_n(struct known, count + 1);
	for (size_t i = 0; i < count; i++) {
		while (old < feed->count && feed->days[old].day < numbers[i])
			free(feed->days[old++].items);
		if (old < feed->count && feed->days[old].day == numbers[i])
			days[i] = feed->days[old++];
		else
			days[i].day = numbers[i];
	}
	while (old < feed->count)
		free(feed->days[old++].items);
	free(feed->days);
	free(numbers);
	feed->days = days;
	feed->count = count;
	return 0;
}

int sn_feed_list(struct sn_feed *feed, sn_feed_fn *fn, void *ctx, struct sn_err *err)
{
	int rc = refresh_days(feed, err);

	for (size_t i = 0; rc == 0 && i < feed->count; i++) {
		look_at_day(feed, &feed->days[i]);
		for (size_t j = 0; j < feed->days[i].count; j++)
			if (fn(&feed->days[i].items[j], ctx) != 0)
				return 0;
	}
	return rc;
}

/* What an answer holds -------------------------------------------------------------------- */

struct answer {
	struct sn_db *db;
	const struct sn_feed_place *place;
	int64_t from, next, head;
	int64_t rows_max; /* fewer if their texts are long */
	struct sn_blocks_info *blocks;
	size_t count;
	struct sn_replication_writer writer;
	struct sn_err *err;
};

static int read_number(struct answer *answer, const char *sql, int64_t bound, int64_t *a,
		       int64_t *b)
{
	sqlite3_stmt *row = sn_db_query(answer->db, answer->err, sql, "tii", answer->place->dataset,
					(int64_t)answer->place->version, bound);
	int rc = row != NULL ? sn_db_next(answer->db, row, answer->err) : answer->err->code;

	if (rc == 1) {
		*a = sqlite3_column_int64(row, 0);
		if (b != NULL)
			*b = sqlite3_column_int64(row, 1);
	}
	sn_db_done(row);
	return rc;
}

static int check_place(struct answer *answer)
{
	uint32_t epoch;
	int rc = sn_blocks_epoch(answer->db, &epoch, answer->err);

	if (rc != 0)
		return rc;
	if (epoch != answer->place->epoch)
		return sn_err_set(answer->err, -ESTALE,
				  "the day's file is another one than before");
	rc = read_number(answer,
			 "SELECT next FROM _number WHERE dataset = ? AND version = ? AND next >= ?",
			 0, &answer->head, NULL);
	if (rc == 0)
		rc = sn_err_set(answer->err, -ENOENT, "the day has no rows of the dataset");
	return SN_MIN(rc, 0);
}

/* Blocks with rows from `from` on, until they are enough. */
static int plan_blocks(struct answer *answer)
{
	struct sn_err *err = answer->err;
	uint64_t rows = 0, bytes = 0;
	sqlite3_stmt *statement;
	int rc = 1;

	answer->blocks = sn_new_n(struct sn_blocks_info, PLAN_MAX);
	statement = sn_db_query(answer->db, err,
				SN_BLOCKS_SELECT " AND b.first > ? AND b.first + b.rows > ?"
						 " ORDER BY b.first",
				"tiii", answer->place->dataset, (int64_t)answer->place->version,
				answer->from - SN_BLOCK_ROWS_MAX, answer->from);
	if (statement == NULL)
		return err->code;
	while (answer->count < PLAN_MAX && rows < SN_FEED_ROWS && bytes < SN_FEED_BYTES &&
	       (rc = sn_db_next(answer->db, statement, err)) == 1) {
		struct sn_blocks_info *info = &answer->blocks[answer->count];

		rc = sn_blocks_fetch(statement, info, err);
		if (rc != 0)
			break;
		answer->count++;
		answer->next = info->first + (int64_t)info->rows;
		rows += (uint64_t)(answer->next - SN_MAX(info->first, answer->from));
		bytes += info->bytes;
		rc = 1;
	}
	sn_db_done(statement);
	if (rc == 0) /* all that there are */
		answer->next = answer->head;
	if (rc >= 0 && answer->count > 0)
		answer->next = SN_MIN(answer->next, SN_MAX(answer->blocks[0].first, answer->from) +
							    answer->rows_max);
	return SN_MIN(rc, 0);
}

/* Back to the beginning of a batch that would be cut, unless that is all there is. */
static int end_with_a_batch(struct answer *answer)
{
	int64_t first = 0, rows = 0;
	int rc = read_number(answer,
			     "SELECT first, rows FROM _span WHERE dataset = ? AND version = ?"
			     " AND first < ? ORDER BY first DESC LIMIT 1",
			     answer->next, &first, &rows);

	if (rc == 1 && first + rows > answer->next && first > answer->from)
		answer->next = first;
	return SN_MIN(rc, 0);
}

/* Rows ----------------------------------------------------------------------------------------- */

/* What is damaged is found here, where it can be set aside, and not by each replica again. */
static int read_once(struct answer *answer, const struct sn_blocks_info *info,
		     const struct sn_layout *layout)
{
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX] = {0};
	int rc = sn_block_load(answer->db, info, layout->columns, layout->count, columns,
			       answer->err);

	for (size_t i = 0; i < layout->count; i++)
		sn_block_column_destroy(columns[i]);
	return rc;
}

static int load_whole(struct answer *answer, const struct sn_blocks_info *info,
		      const struct sn_layout *layout, struct sn_buf *bytes,
		      struct sn_replication_rows *rows)
{
	sqlite3_stmt *row = sn_db_query(
		answer->db, answer->err,
		"SELECT data FROM _column WHERE id BETWEEN ? AND ? ORDER BY id", "ii",
		info->id * SN_BLOCKS_SLOTS, info->id * SN_BLOCKS_SLOTS + SN_BLOCKS_SLOTS - 1);
	size_t ends[SN_DATASET_COLUMNS_MAX], count = 0;
	int rc = row != NULL ? 1 : answer->err->code;

	while (rc == 1 && (rc = sn_db_next(answer->db, row, answer->err)) == 1 &&
	       count < layout->count) {
		struct sn_str data = {sqlite3_column_blob(row, 0),
				      (size_t)sqlite3_column_bytes(row, 0)},
			      part = data;

		do {
			if (info->packed && sn_block_unpack(data, count, &part) != 0)
				rc = sn_err_set(answer->err, -EUCLEAN, "a packed block is damaged");
			else
				sn_buf_add(bytes, part.p, part.n);
			ends[count++] = bytes->n;
		} while (rc == 1 && info->packed && count < layout->count);
	}
	sn_db_done(row);
	if (rc >= 0 && count != layout->count)
		rc = sn_err_set(answer->err, -EUCLEAN, "a column is missing");
	for (size_t i = 0; rc >= 0 && i < count; i++) {
		size_t start = i > 0 ? ends[i - 1] : 0;

		rows->columns[i].bytes = (struct sn_str){bytes->p + start, ends[i] - start};
	}
	return SN_MIN(rc, 0);
}

static int load_part(struct answer *answer, const struct sn_blocks_info *info,
		     const struct sn_layout *layout, struct sn_buf *bytes,
		     struct sn_replication_rows *rows)
{
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX] = {0};
	struct sn_block_image image = {.count = 0};
	size_t skip = (size_t)(rows->first - info->first);
	int rc = sn_block_load(answer->db, info, layout->columns, layout->count, columns,
			       answer->err);

	for (size_t i = 0; rc == 0 && i < layout->count; i++) {
		struct sn_vector part =
			sn_vector_part(sn_block_vector(columns[i]), skip, rows->rows);

		rc = sn_block_image_add(&image, &part, layout->columns[i].name, answer->err);
	}
	for (size_t i = 0; i < layout->count; i++)
		sn_block_column_destroy(columns[i]);
	*bytes = image.bytes;
	for (size_t i = 0; rc == 0 && i < layout->count; i++) {
		size_t start = i > 0 ? image.ends[i - 1] : 0;

		rows->columns[i].bytes = (struct sn_str){bytes->p + start, image.ends[i] - start};
	}
	return rc;
}

static int write_block(struct answer *answer, const struct sn_blocks_info *info)
{
	sn_autofree struct sn_replication_rows *rows = sn_new(struct sn_replication_rows);
	int64_t end = SN_MIN(info->first + (int64_t)info->rows, answer->next);
	struct sn_buf bytes = {0};
	struct sn_layout layout;
	int rc;

	rows->first = SN_MAX(info->first, answer->from);
	if (rows->first >= end)
		return 0;
	rows->rows = (size_t)(end - rows->first);
	rc = sn_layout_load(answer->db, info->layout, &layout, answer->err);
	if (rc != 0)
		return rc;
	rows->column_count = layout.count;
	for (size_t i = 0; i < layout.count; i++) {
		rows->columns[i].name = layout.columns[i].name;
		rows->columns[i].type = layout.columns[i].type;
	}
	if (rows->rows == info->rows)
		rc = read_once(answer, info, &layout);
	if (rc == 0)
		rc = rows->rows == info->rows ? load_whole(answer, info, &layout, &bytes, rows)
					      : load_part(answer, info, &layout, &bytes, rows);
	if (rc == 0)
		sn_replication_rows(&answer->writer, rows);
	sn_buf_finish(&bytes);
	sn_layout_finish(&layout);
	return rc;
}

/* Whose they are --------------------------------------------------------------------------------
 */

static int write_batches(struct answer *answer)
{
	static const char sql[] =
		"SELECT s.node, s.stream, b.seq, b.digest, p.first, p.rows FROM _span AS p"
		" JOIN _source AS s ON s.id = p.source"
		" JOIN _batch AS b ON b.source = p.source AND b.seq = p.seq"
		" WHERE p.dataset = ?1 AND p.version = ?2 AND p.first < ?4"
		" AND p.first >= coalesce((SELECT max(first) FROM _span"
		"  WHERE dataset = ?1 AND version = ?2 AND first <= ?3), 0)"
		" AND p.first + p.rows > ?3 AND p.first + p.rows <= ?4 ORDER BY p.first";
	struct sn_err *err = answer->err;
	sqlite3_stmt *row =
		sn_db_query(answer->db, err, sql, "tiii", answer->place->dataset,
			    (int64_t)answer->place->version, answer->from, answer->next);
	int rc = row != NULL ? 1 : err->code;

	while (rc == 1 && (rc = sn_db_next(answer->db, row, err)) == 1) {
		struct sn_replication_batch batch = {
			.node = sn_str(sn_db_text(row, 0)),
			.stream = sn_str(sn_db_text(row, 1)),
			.seq = (uint64_t)sqlite3_column_int64(row, 2),
			.first = sqlite3_column_int64(row, 4),
			.rows = (size_t)sqlite3_column_int64(row, 5),
		};

		if (sqlite3_column_bytes(row, 3) != sizeof(batch.digest))
			continue;
		memcpy(batch.digest, sqlite3_column_blob(row, 3), sizeof(batch.digest));
		sn_replication_batch(&answer->writer, &batch);
	}
	sn_db_done(row);
	return SN_MIN(rc, 0);
}

/* Rows that have left for ClickHouse are not here any more. */
static int write_gap(struct answer *answer)
{
	struct sn_replication_gap gap = {.first = answer->from};
	int rc =
		read_number(answer,
			    "SELECT max(first + rows) FROM _moved WHERE dataset = ? AND version = ?"
			    " AND first + rows > ?",
			    answer->from, &gap.next, NULL);

	if (rc != 1 || gap.next <= answer->from)
		return SN_MIN(rc, 0);
	gap.next = SN_MIN(gap.next, answer->next);
	sn_replication_gap(&answer->writer, &gap);
	return 0;
}

static int write_answer(struct answer *answer, struct sn_buf *out)
{
	struct sn_replication_end end;
	int rc = check_place(answer);

	answer->next = answer->from;
	if (rc == 0)
		rc = plan_blocks(answer);
	if (rc == 0)
		rc = end_with_a_batch(answer);
	if (rc != 0)
		return rc;
	/* Of a file that was brought back from a backup less may be here than somebody has. */
	answer->next = SN_MAX(answer->next, answer->from);
	answer->head = SN_MAX(answer->head, answer->next);
	sn_replication_begin(&answer->writer, out);
	rc = write_gap(answer);
	for (size_t i = 0; rc == 0 && i < answer->count; i++)
		rc = write_block(answer, &answer->blocks[i]);
	if (rc == 0)
		rc = write_batches(answer);
	end = (struct sn_replication_end){answer->next, answer->head};
	if (rc == 0)
		sn_replication_end(&answer->writer, &end);
	return rc;
}

static int answer_with(struct sn_day *day, const struct sn_feed_place *place, int64_t from,
		       int64_t rows_max, struct sn_buf *out, struct sn_err *err)
{
	struct answer answer = {.db = day->reader,
				.place = place,
				.from = SN_MAX(from, 1),
				.rows_max = rows_max,
				.err = err};
	int rc = sn_db_exec(day->reader, "BEGIN", err);

	if (rc == 0)
		rc = write_answer(&answer, out);
	sn_db_rollback(day->reader);
	free(answer.blocks);
	return rc;
}

int sn_feed_rows(struct sn_feed *feed, const struct sn_feed_place *place, int64_t from,
		 struct sn_buf *out, struct sn_err *err)
{
	struct sn_day *day = sn_day_get(feed->store, place->day);
	int rc = sn_day_open_reader(feed->store, day, err);
	size_t start = out->n;

	for (int64_t rows = SN_REPLICATION_ROWS_MAX; rc == 0 && rows > 0; rows /= 8) {
		out->n = start;
		rc = answer_with(day, place, from, rows, out, err);
		if (out->n - start <= SN_REPLICATION_BODY_MAX)
			break;
	}
	rc = sn_day_fault(feed->store, day, rc, err);
	sn_day_trim(feed->store);
	return rc;
}
