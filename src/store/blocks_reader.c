/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns out of a file.  Each is compared with the checksum that its block noted, so that no
 * other column, whole as it may be, is taken for it.
 */
#include "store/blocks_internal.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

#define SUM_SIZE 4

/* What is told of data that is not there: the block was replaced, or the file is damaged. */
static int explain_missing(struct sn_db *db, int64_t block, struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT 1 FROM _block WHERE id = ?", "i", block);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	sn_db_done(statement);
	if (rc < 0)
		return rc;
	return rc == 1 ? sn_err_set(err, -EUCLEAN, "a column is missing")
		       : sn_err_set(err, -ESTALE, "it is not there any more");
}

/* Checksums ------------------------------------------------------------------- */

static void keep_sums(struct sn_blocks_reader *reader, int64_t block, struct sn_str sums)
{
	reader->block = 0;
	reader->sum_count = 0;
	if (sums.n < SUM_SIZE || sums.n > SUM_SIZE + sizeof(reader->sums))
		return;
	reader->sum_count = (sums.n - SUM_SIZE) / sizeof(*reader->sums);
	memcpy(reader->sums, sums.p + SUM_SIZE, reader->sum_count * sizeof(*reader->sums));
	reader->block = block;
}

void sn_blocks_reader_keep(struct sn_blocks_reader *reader, int64_t block, sqlite3_stmt *statement)
{
	struct sn_str sums = {sqlite3_column_blob(statement, 9),
			      (size_t)sqlite3_column_bytes(statement, 9)};

	keep_sums(reader, block, sums);
}

static int load_sums(struct sn_blocks_reader *reader, int64_t block, struct sn_err *err)
{
	sqlite3_stmt *statement;
	int rc;

	if (reader->block == block)
		return 0;
	statement =
		sn_db_query(reader->db, err, "SELECT sums FROM _block WHERE id = ?", "i", block);
	rc = statement != NULL ? sn_db_next(reader->db, statement, err) : err->code;
	if (rc == 1)
		keep_sums(reader, block,
			  (struct sn_str){sqlite3_column_blob(statement, 0),
					  (size_t)sqlite3_column_bytes(statement, 0)});
	sn_db_done(statement);
	if (rc == 0)
		return sn_err_set(err, -ESTALE, "it is not there any more");
	return SN_MIN(rc, 0);
}

/* `head`: at least what the column begins with. */
static int check_column(const struct sn_blocks_reader *reader, int place, struct sn_str head,
			struct sn_err *err)
{
	if ((size_t)place < reader->sum_count && head.n >= SUM_SIZE &&
	    memcmp(head.p, &reader->sums[place], SUM_SIZE) == 0)
		return 0;
	return sn_err_set(err, -EUCLEAN, "it is damaged: it is not what its block has noted");
}

static int check_pack(const struct sn_blocks_reader *reader, struct sn_str data, struct sn_err *err)
{
	uint32_t sum = htole32((uint32_t)crc32_z(0, (const Bytef *)data.p, data.n));

	if (reader->sum_count == 1 && reader->sums[0] == sum)
		return 0;
	return sn_err_set(err, -EUCLEAN, "it is damaged: wrong checksum");
}

/* Whole columns --------------------------------------------------------------- */

static sqlite3_stmt *select_data(struct sn_db *db, int64_t id, struct sn_str *data,
				 struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT data FROM _column WHERE id = ?", "i", id);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	if (rc == 1) {
		data->p = sqlite3_column_blob(statement, 0);
		data->n = (size_t)sqlite3_column_bytes(statement, 0);
		return statement;
	}
	sn_db_done(statement);
	if (rc == 0)
		explain_missing(db, id / SN_BLOCKS_SLOTS, err);
	return NULL;
}

static int load_one(struct sn_blocks_reader *reader, const struct sn_blocks_info *info,
		    const struct sn_layout_column *column, struct sn_block_column **out,
		    struct sn_err *err)
{
	struct sn_str data = {0};
	sqlite3_stmt *statement =
		select_data(reader->db, info->id * SN_BLOCKS_SLOTS + column->place, &data, err);
	int rc = statement != NULL ? check_column(reader, column->place, data, err) : err->code;

	if (rc == 0)
		rc = sn_block_read(data, column->type, info->rows, out, err);
	sn_db_done(statement);
	return rc;
}

static int unpack(const struct sn_blocks_info *info, const struct sn_layout_column *column,
		  struct sn_str data, struct sn_block_column **out, struct sn_err *err)
{
	struct sn_str bytes;

	if (sn_block_unpack(data, (size_t)column->place, &bytes) != 0)
		return sn_err_set(err, -EUCLEAN, "a packed block is damaged");
	return sn_block_read(bytes, column->type, info->rows, out, err);
}

static int load_packed(struct sn_blocks_reader *reader, const struct sn_blocks_info *info,
		       const struct sn_layout_column *columns, size_t count,
		       struct sn_block_column **out, struct sn_err *err)
{
	struct sn_str data = {0};
	sqlite3_stmt *statement = select_data(reader->db, info->id * SN_BLOCKS_SLOTS, &data, err);
	int rc = statement != NULL ? check_pack(reader, data, err) : err->code;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (columns[i].place < 0)
			continue;
		rc = unpack(info, &columns[i], data, &out[i], err);
		if (rc != 0)
			sn_err_wrap(err, "column '%.*s'", (int)columns[i].name.n,
				    columns[i].name.p);
	}
	sn_db_done(statement);
	return rc;
}

/* Pieces ------------------------------------------------------------------------ */

static int open_blob(struct sn_blocks_reader *reader, int64_t id, struct sn_err *err)
{
	int rc = reader->blob != NULL ? sqlite3_blob_reopen(reader->blob, id)
				      : sqlite3_blob_open(sn_db_handle(reader->db), "main",
							  "_column", "data", id, 0, &reader->blob);

	if (rc == SQLITE_OK)
		return 0;
	/* One that could not be opened cannot be used again. */
	sqlite3_blob_close(sn_steal(&reader->blob));
	return rc == SQLITE_ERROR ? explain_missing(reader->db, id / SN_BLOCKS_SLOTS, err)
				  : sn_db_fail(reader->db, err);
}

static int read_blob(struct sn_blocks_reader *reader, size_t offset, size_t size,
		     struct sn_err *err)
{
	sn_buf_clear(&reader->bytes);
	sn_buf_reserve(&reader->bytes, size);
	if (sqlite3_blob_read(reader->blob, reader->bytes.p, (int)size, (int)offset) != SQLITE_OK)
		return sn_db_fail(reader->db, err);
	reader->bytes.n = size;
	return 0;
}

static int load_piece(struct sn_blocks_reader *reader, const struct sn_blocks_info *info,
		      const struct sn_layout_column *column, size_t piece,
		      struct sn_block_column **out, struct sn_err *err)
{
	size_t size, offset = 0, length = 0;
	int rc = open_blob(reader, info->id * SN_BLOCKS_SLOTS + column->place, err);

	if (rc != 0)
		return rc;
	size = (size_t)sqlite3_blob_bytes(reader->blob);
	rc = read_blob(reader, 0, SN_MIN(size, (size_t)SN_BLOCK_HEAD_MAX), err);
	if (rc == 0)
		rc = check_column(reader, column->place, sn_buf_str(&reader->bytes), err);
	if (rc == 0)
		rc = sn_block_find_piece(sn_buf_str(&reader->bytes), size, column->type, info->rows,
					 piece, &offset, &length, err);
	if (rc == 0)
		rc = read_blob(reader, offset, length, err);
	if (rc == 0)
		rc = sn_block_read(sn_buf_str(&reader->bytes), column->type,
				   sn_block_piece_rows(info->rows, piece), out, err);
	return rc;
}

/* Columns ------------------------------------------------------------------------ */

static int load_column(struct sn_blocks_reader *reader, const struct sn_blocks_info *info,
		       size_t piece, const struct sn_layout_column *column,
		       struct sn_block_column **out, struct sn_err *err)
{
	bool whole = piece == SN_BLOCKS_WHOLE || sn_block_pieces(info->rows) == 1;
	int rc;

	if (column->place < 0) {
		*out = sn_block_column_of_nulls(
			column->type, whole ? info->rows : sn_block_piece_rows(info->rows, piece));
		return 0;
	}
	if (info->packed)
		return 0; /* is there already */
	rc = whole ? load_one(reader, info, column, out, err)
		   : load_piece(reader, info, column, piece, out, err);
	if (rc != 0)
		sn_err_wrap(err, "column '%.*s'", (int)column->name.n, column->name.p);
	return rc;
}

int sn_block_load_piece(struct sn_blocks_reader *reader, const struct sn_blocks_info *info,
			size_t piece, const struct sn_layout_column *columns, size_t count,
			struct sn_block_column **out, struct sn_err *err)
{
	int rc = load_sums(reader, info->id, err);

	if (rc == 0 && info->packed)
		rc = load_packed(reader, info, columns, count, out, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = load_column(reader, info, piece, &columns[i], &out[i], err);
	if (rc == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		sn_block_column_destroy(out[i]);
		out[i] = NULL;
	}
	if (rc == -EUCLEAN)
		sn_db_blame(reader->db, info->id);
	return sn_err_wrap(err, "block %" PRId64, info->id);
}

int sn_block_load(struct sn_db *db, const struct sn_blocks_info *info,
		  const struct sn_layout_column *columns, size_t count,
		  struct sn_block_column **out, struct sn_err *err)
{
	struct sn_blocks_reader reader = {.db = db};
	int rc = sn_block_load_piece(&reader, info, SN_BLOCKS_WHOLE, columns, count, out, err);

	sn_blocks_reader_finish(&reader);
	return rc;
}

/* Where the layout has the dataset's column; at its own place if nothing changed since. */
static int find_place(const struct sn_layout *layout, const struct sn_column *column, size_t guess)
{
	size_t at = guess;

	if (at >= layout->count || !sn_str_eqc(layout->columns[at].name, column->name))
		for (at = 0; at < layout->count; at++)
			if (sn_str_eqc(layout->columns[at].name, column->name))
				break;
	return at < layout->count && layout->columns[at].type == column->type ? (int)at : -1;
}

static int load_places(struct sn_blocks_reader *reader, const struct sn_blocks_info *block,
		       struct sn_err *err)
{
	struct sn_layout layout;
	int rc;

	if (reader->layout == block->layout)
		return 0;
	reader->layout = 0;
	rc = sn_layout_load(reader->db, block->layout, &layout, err);
	if (rc == -EUCLEAN)
		sn_db_blame(reader->db, block->id);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < reader->dataset->column_count; i++)
		reader->places[i] = (int16_t)find_place(&layout, &reader->dataset->columns[i], i);
	reader->layout = block->layout;
	sn_layout_finish(&layout);
	return 0;
}

int sn_blocks_reader_place(struct sn_blocks_reader *reader, const struct sn_blocks_info *block,
			   int column, int *place, struct sn_err *err)
{
	int rc = load_places(reader, block, err);

	*place = rc == 0 ? reader->places[column] : -1;
	return rc;
}

int sn_blocks_reader_load(struct sn_blocks_reader *reader, const struct sn_blocks_info *block,
			  size_t piece, const int *columns, size_t count,
			  struct sn_block_column **out, struct sn_err *err)
{
	struct sn_layout_column wanted[SN_DATASET_COLUMNS_MAX];
	int rc;

	assert(count <= SN_DATASET_COLUMNS_MAX);
	memset(out, 0, count * sizeof(*out));
	rc = load_places(reader, block, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < count; i++) {
		const struct sn_column *column = &reader->dataset->columns[columns[i]];

		assert(columns[i] >= 0 && (size_t)columns[i] < reader->dataset->column_count);
		wanted[i] = (struct sn_layout_column){
			.name = sn_str(column->name),
			.type = column->type,
			.place = reader->places[columns[i]],
		};
	}
	return sn_block_load_piece(reader, block, piece, wanted, count, out, err);
}

int sn_blocks_reader_marks(struct sn_blocks_reader *reader, const struct sn_blocks_info *block,
			   struct sn_buf *marks, struct sn_err *err)
{
	sqlite3_stmt *statement = sn_db_query(
		reader->db, err, "SELECT data FROM _mark WHERE block = ?", "i", block->id);
	int rc = statement != NULL ? sn_db_next(reader->db, statement, err) : err->code;

	if (rc == 1) {
		struct sn_str data = {sqlite3_column_blob(statement, 0),
				      (size_t)sqlite3_column_bytes(statement, 0)};

		if (sn_marks_are_sound(data))
			sn_buf_add(marks, data.p, data.n);
	}
	sn_db_done(statement);
	return SN_MIN(rc, 0);
}

void sn_blocks_reader_finish(struct sn_blocks_reader *reader)
{
	sqlite3_blob_close(sn_steal(&reader->blob));
	sn_buf_finish(&reader->bytes);
}

int sn_blocks_read(struct sn_db *db, const struct sn_blocks_info *block,
		   const struct sn_dataset *dataset, const int *columns, size_t count,
		   struct sn_block_column **out, struct sn_err *err)
{
	struct sn_blocks_reader reader = {.db = db, .dataset = dataset};
	struct sn_err local = {0};
	int rc = sn_blocks_reader_load(&reader, block, SN_BLOCKS_WHOLE, columns, count, out,
				       err != NULL ? err : &local);

	sn_blocks_reader_finish(&reader);
	return rc;
}
