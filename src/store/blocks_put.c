/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks on their way into a file: drafts, numbers, layouts. */
#include "store/blocks_internal.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

/* Layouts -------------------------------------------------------------------- */

static void describe(const struct sn_dataset *dataset, struct sn_buf *text)
{
	for (size_t i = 0; i < dataset->column_count; i++) {
		sn_buf_adds(text, dataset->columns[i].name);
		sn_buf_addc(text, ' ');
		sn_buf_adds(text, sn_type_name(dataset->columns[i].type));
		sn_buf_addc(text, '\n');
	}
}

/* The layout of the dataset as it is now. */
static int find_layout(struct sn_db *db, const struct sn_dataset *dataset, int64_t *id,
		       struct sn_err *err)
{
	struct sn_buf text = {0};
	int rc;

	describe(dataset, &text);
	rc = sn_layout_find(db, dataset->name, dataset->version, sn_buf_str(&text), id, err);
	sn_buf_finish(&text);
	return rc;
}

/* Images ---------------------------------------------------------------------- */

void sn_block_image_finish(struct sn_block_image *image)
{
	sn_buf_finish(&image->bytes);
	sn_buf_finish(&image->marks);
}

int sn_block_image_add(struct sn_block_image *image, const struct sn_vector *column,
		       struct sn_str name, struct sn_err *err)
{
	int rc = sn_block_write(column, &image->bytes);

	image->ends[image->count++] = image->bytes.n;
	if (rc != 0)
		return sn_err_set(err, rc, "column '%.*s' %s", (int)name.n, name.p,
				  rc == -E2BIG ? "has too much text for one block"
					       : "has a value that is none");
	return 0;
}

static struct sn_str image_part(const struct sn_block_image *image, size_t i)
{
	size_t start = i > 0 ? image->ends[i - 1] : 0;

	return (struct sn_str){image->bytes.p + start, image->ends[i] - start};
}

static int store_data(struct sn_db *db, int64_t id, struct sn_str data, struct sn_err *err)
{
	return SN_MIN(
		sn_db_run(db, err, "INSERT INTO _column VALUES(?, ?)", "ib", id, data.p, data.n),
		0);
}

unsigned sn_block_tier(size_t rows)
{
	unsigned tier = 0;

	for (size_t below = 64; tier < SN_BLOCKS_TIERS && rows >= below; below *= 8)
		tier++;
	return tier;
}

/* What the block notes of each of its rows in _column. */
static void add_sums(struct sn_buf *sums, const struct sn_block_image *image, struct sn_str pack)
{
	uint32_t sum;

	if (pack.n > 0) {
		sum = htole32((uint32_t)crc32_z(0, (const Bytef *)pack.p, pack.n));
		sn_buf_add(sums, &sum, sizeof(sum));
		return;
	}
	for (size_t i = 0; i < image->count; i++)
		sn_buf_add(sums, image_part(image, i).p, sizeof(sum));
}

static int store_block(struct sn_db *db, struct sn_blocks_info *info, struct sn_buf *sums,
		       struct sn_err *err)
{
	uint32_t sum = htole32(sn_block_sum(info, sums->p + sizeof(sum), sums->n - sizeof(sum)));
	int rc;

	memcpy(sums->p, &sum, sizeof(sum));
	rc = sn_db_run(db, err,
		       "INSERT INTO _block(layout, first, rows, tier, time_min, time_max, packed,"
		       " bytes, sums) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
		       "iiiiiiiib", info->layout, info->first, (int64_t)info->rows,
		       (int64_t)sn_block_tier(info->rows), info->time_min, info->time_max,
		       (int64_t)info->packed, (int64_t)info->bytes, sums->p, sums->n);
	info->id = sqlite3_last_insert_rowid(sn_db_handle(db));
	return SN_MIN(rc, 0);
}

static int store_columns(struct sn_db *db, const struct sn_blocks_info *info,
			 const struct sn_block_image *image, struct sn_str pack, struct sn_err *err)
{
	int rc = 0;

	if (info->packed)
		return store_data(db, info->id * SN_BLOCKS_SLOTS, pack, err);
	for (size_t i = 0; rc == 0 && i < image->count; i++)
		rc = store_data(db, info->id * SN_BLOCKS_SLOTS + (int64_t)i, image_part(image, i),
				err);
	return rc;
}

static int store_marks(struct sn_db *db, int64_t block, const struct sn_buf *marks,
		       struct sn_err *err)
{
	if (marks->n == 0)
		return 0;
	return SN_MIN(sn_db_run(db, err, "INSERT INTO _mark VALUES(?, ?)", "ib", block, marks->p,
				marks->n),
		      0);
}

int sn_block_store(struct sn_db *db, struct sn_blocks_info *info,
		   const struct sn_block_image *image, struct sn_err *err)
{
	static const char sum[4]; /* of the row, set at last */
	struct sn_buf pack = {0}, sums = {0};
	int rc;

	info->packed = info->rows <= SN_BLOCKS_PACKED_MAX;
	info->bytes = image->bytes.n;
	for (size_t i = 0; info->packed && i < image->count; i++)
		sn_block_pack(&pack, image_part(image, i));
	sn_buf_add(&sums, sum, sizeof(sum));
	add_sums(&sums, image, sn_buf_str(&pack));
	rc = store_block(db, info, &sums, err);
	if (rc == 0)
		rc = store_columns(db, info, image, sn_buf_str(&pack), err);
	if (rc == 0)
		rc = store_marks(db, info->id, &image->marks, err);
	sn_buf_finish(&pack);
	sn_buf_finish(&sums);
	return rc;
}

/* Numbers --------------------------------------------------------------------- */

/* The first one of a dataset: 1, unless the file follows another one of its day. */
static int first_number(struct sn_db *db, int64_t *next, struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT value FROM _file WHERE key = 'base'", "");
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	*next = rc == 1 ? sqlite3_column_int64(statement, 0) : 1;
	sn_db_done(statement);
	return SN_MIN(rc, 0);
}

int sn_blocks_next(struct sn_db *db, const struct sn_dataset *dataset, int64_t *next,
		   struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT next FROM _number WHERE dataset = ? AND version = ?",
			    "ti", dataset->name, (int64_t)dataset->version);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	if (rc == 1)
		*next = sqlite3_column_int64(statement, 0);
	sn_db_done(statement);
	return rc == 0 ? first_number(db, next, err) : SN_MIN(rc, 0);
}

/* Marks are of what is asked for most: when, which node, which series of it. */
bool sn_block_is_marked(const struct sn_dataset *dataset, struct sn_str column)
{
	return sn_str_eqc(column, "time") || sn_str_eqc(column, "node") ||
	       (dataset->key != NULL && sn_str_eqc(column, dataset->key));
}

/* Drafts ---------------------------------------------------------------------- */

/* One block of a draft. */
struct piece {
	struct sn_blocks_info info; /* times and rows */
	struct sn_block_image image;
};

struct sn_blocks_draft {
	const struct sn_dataset *dataset;
	struct piece *pieces;
	size_t count;
};

void sn_blocks_draft_destroy(struct sn_blocks_draft *draft)
{
	if (draft == NULL)
		return;
	for (size_t i = 0; i < draft->count; i++)
		sn_block_image_finish(&draft->pieces[i].image);
	free(draft->pieces);
	free(draft);
}

static int find_times(const struct sn_columns *columns, size_t from, size_t count,
		      struct sn_blocks_info *info, struct sn_err *err)
{
	struct sn_vector all = sn_columns_vector(columns, SN_COL_TIME);
	struct sn_vector part = sn_vector_part(&all, from, count);
	struct sn_block_range range;

	for (size_t i = 0; i < count; i++)
		if (sn_vector_is_null(&part, i))
			return sn_err_set(err, -EINVAL, "a row without 'time'");
	sn_vector_range(&part, &range);
	info->time_min = range.min.i;
	info->time_max = range.max.i;
	return 0;
}

static int draft_block(const struct sn_columns *columns, size_t from, size_t count,
		       struct piece *piece, struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_columns_dataset(columns);
	int rc;

	*piece = (struct piece){.info.rows = count};
	rc = find_times(columns, from, count, &piece->info, err);
	for (size_t i = 0; rc == 0 && i < dataset->column_count; i++) {
		struct sn_vector all = sn_columns_vector(columns, (int)i);
		struct sn_vector part = sn_vector_part(&all, from, count);

		rc = sn_block_image_add(&piece->image, &part, sn_str(dataset->columns[i].name),
					err);
		if (rc == 0 && sn_block_is_marked(dataset, sn_str(dataset->columns[i].name)))
			sn_block_image_mark(&piece->image, i, &part);
	}
	if (rc != 0)
		sn_block_image_finish(&piece->image);
	return rc;
}

/* Halves rows until their texts fit; a single row always does. */
static int draft_rows(struct sn_blocks_draft *draft, const struct sn_columns *columns, size_t from,
		      size_t count, struct sn_err *err)
{
	size_t part = SN_MIN(count, (size_t)SN_BLOCK_ROWS_MAX);
	int rc = 0;

	while (rc == 0 && count > 0) {
		part = SN_MIN(part, count);
		draft->pieces =
			sn_xrealloc(draft->pieces, draft->count + 1, sizeof(*draft->pieces));
		rc = draft_block(columns, from, part, &draft->pieces[draft->count], err);
		if (rc == -E2BIG && part > 1) {
			part /= 2;
			rc = 0;
			continue;
		}
		draft->count += rc == 0;
		from += part;
		count -= part;
	}
	return rc;
}

int sn_blocks_draft(const struct sn_columns *columns, size_t from, size_t count,
		    struct sn_blocks_draft **out, struct sn_err *err)
{
	struct sn_blocks_draft *draft;
	struct sn_err local = {0};
	int rc;

	err = err != NULL ? err : &local;
	assert(count <= sn_columns_rows(columns) && from <= sn_columns_rows(columns) - count);
	if (count == 0)
		return sn_err_set(err, -EINVAL, "a block without rows");
	draft = sn_new(struct sn_blocks_draft);
	draft->dataset = sn_columns_dataset(columns);
	rc = draft_rows(draft, columns, from, count, err);
	if (rc != 0) {
		sn_blocks_draft_destroy(draft);
		return rc;
	}
	*out = draft;
	return 0;
}

/* Putting --------------------------------------------------------------------- */

static int set_next(struct sn_db *db, const struct sn_dataset *dataset, int64_t next,
		    struct sn_err *err)
{
	int rc = sn_db_run(db, err,
			   "INSERT INTO _number VALUES(?, ?, ?)"
			   " ON CONFLICT DO UPDATE SET next = max(next, excluded.next)",
			   "tii", dataset->name, (int64_t)dataset->version, next);

	return SN_MIN(rc, 0);
}

int sn_blocks_skip_to(struct sn_db *db, const struct sn_dataset *dataset, int64_t next,
		      struct sn_err *err)
{
	struct sn_err local = {0};

	return set_next(db, dataset, next, err != NULL ? err : &local);
}

/*
 * Numbers that other rows have, or that nobody can have: what is put there would be taken for
 * damage later.  So it is the file that is damaged, which a new one follows.
 */
static int check_number(struct sn_db *db, int64_t layout, int64_t next, struct sn_err *err)
{
	sqlite3_stmt *statement = sn_db_query(db, err,
					      "SELECT first + rows FROM _block WHERE layout = ?"
					      " ORDER BY first DESC LIMIT 1",
					      "i", layout);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;
	int64_t end = rc == 1 ? sqlite3_column_int64(statement, 0) : 1;

	sn_db_done(statement);
	if (rc < 0 || (next >= end && next > 0 && next <= SN_BLOCKS_NUMBER_MAX))
		return SN_MIN(rc, 0);
	sn_db_set_damaged(db);
	return sn_err_set(err, -EUCLEAN, "the number of the next row is damaged: %" PRId64, next);
}

/* `first`: number of the first row; 0: the next one. */
static int put_pieces(struct sn_db *db, const struct sn_blocks_draft *draft, int64_t *first,
		      struct sn_err *err)
{
	int64_t layout = 0, next = *first;
	int rc;

	assert(!sqlite3_get_autocommit(sn_db_handle(db)));
	rc = find_layout(db, draft->dataset, &layout, err);
	if (rc == 0 && next == 0) {
		rc = sn_blocks_next(db, draft->dataset, &next, err);
		if (rc == 0)
			rc = check_number(db, layout, next, err);
	}
	*first = next;
	for (size_t i = 0; rc == 0 && i < draft->count; i++) {
		struct sn_blocks_info info = draft->pieces[i].info;

		info.layout = layout;
		info.first = next;
		rc = sn_block_store(db, &info, &draft->pieces[i].image, err);
		next += (int64_t)info.rows;
	}
	return rc == 0 ? set_next(db, draft->dataset, next, err) : rc;
}

int sn_blocks_put_draft(struct sn_db *db, const struct sn_blocks_draft *draft, int64_t *first,
			struct sn_err *err)
{
	struct sn_err local = {0};
	int64_t number = 0;
	int rc = put_pieces(db, draft, &number, err != NULL ? err : &local);

	if (rc == 0 && first != NULL)
		*first = number;
	return rc;
}

int sn_blocks_put_draft_at(struct sn_db *db, const struct sn_blocks_draft *draft, int64_t first,
			   struct sn_err *err)
{
	struct sn_err local = {0};

	assert(first > 0);
	return put_pieces(db, draft, &first, err != NULL ? err : &local);
}

int sn_blocks_put(struct sn_db *db, const struct sn_columns *columns, size_t from, size_t count,
		  int64_t *first, struct sn_err *err)
{
	struct sn_blocks_draft *draft = NULL;
	int rc = sn_blocks_draft(columns, from, count, &draft, err);

	if (draft == NULL)
		return rc;
	rc = sn_blocks_put_draft(db, draft, first, err);
	sn_blocks_draft_destroy(draft);
	return rc;
}
