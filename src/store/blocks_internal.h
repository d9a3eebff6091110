/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks_internal: what the files of blocks share.  Blocks are read and
 * written here by the columns that they have, not by those that a dataset has now.
 */
#ifndef SONDE_STORE_BLOCKS_INTERNAL_H
#define SONDE_STORE_BLOCKS_INTERNAL_H

#include "store/blocks.h"

#define SN_BLOCKS_SLOTS 256 /* ids of _column per block */
_Static_assert(SN_DATASET_COLUMNS_MAX <= SN_BLOCKS_SLOTS, "each column has a place");

struct sn_layout_column {
	struct sn_str name;
	enum sn_type type;
	int place; /* in the block; -1: it does not have it */
};

struct sn_layout {
	char *text; /* that the names point into */
	size_t count;
	struct sn_layout_column columns[SN_DATASET_COLUMNS_MAX];
};

/* The layout of these columns (lines as in _layout), noted down if it is new; in a transaction. */
int sn_layout_find(struct sn_db *db, const char *dataset, unsigned version, struct sn_str columns,
		   int64_t *id, struct sn_err *err);
/* -EUCLEAN: damaged or missing. */
int sn_layout_load(struct sn_db *db, int64_t id, struct sn_layout *layout, struct sn_err *err);
void sn_layout_finish(struct sn_layout *layout);

/* Columns as bytes, one behind the other. */
struct sn_block_image {
	struct sn_buf bytes;
	size_t ends[SN_DATASET_COLUMNS_MAX];
	size_t count;
	struct sn_buf marks;
};

void sn_block_image_finish(struct sn_block_image *image);
/* As sn_block_write(); `err` names the column. */
int sn_block_image_add(struct sn_block_image *image, const struct sn_vector *column,
		       struct sn_str name, struct sn_err *err);

/*
 * Marks (blocks_marks.c): of a block of several pieces, between which times the rows of each are,
 * and which values of some columns it may have.  `place`: of the column in the block.  Nothing is
 * noted for what has one piece only.
 */
void sn_block_image_mark(struct sn_block_image *image, size_t place,
			 const struct sn_vector *column);
/* Whether the column of this name is one of those. */
bool sn_block_is_marked(const struct sn_dataset *dataset, struct sn_str column);
/* Whether they are whole; else they say nothing. */
bool sn_marks_are_sound(struct sn_str marks);
/* False if they do not say. */
bool sn_marks_times(struct sn_str marks, size_t piece, int64_t *min, int64_t *max);
/* False only if no row of the piece has the value in that column. */
bool sn_marks_may_have(struct sn_str marks, size_t place, size_t piece,
		       const struct sn_value *value);

/* Of what is noted of a block: its numbers and the checksums of its columns. */
uint32_t sn_block_sum(const struct sn_blocks_info *info, const void *sums, size_t size);
unsigned sn_block_tier(size_t rows);
/* Writes a block; sets id, packed and bytes of `info`, whose other members are given. */
int sn_block_store(struct sn_db *db, struct sn_blocks_info *info,
		   const struct sn_block_image *image, struct sn_err *err);
/* `out` has NULLs before, and again on error. */
int sn_block_load(struct sn_db *db, const struct sn_blocks_info *info,
		  const struct sn_layout_column *columns, size_t count,
		  struct sn_block_column **out, struct sn_err *err);

/*
 * Reads many blocks of a dataset, or pieces of them (blocks_read.c); zeroed with db and dataset is
 * ready.  In a transaction of the caller, before whose end it must be finished.
 */
struct sn_blocks_reader {
	struct sn_db *db;
	const struct sn_dataset *dataset;
	int64_t layout; /* whose places these are; 0: none yet */
	int16_t places[SN_DATASET_COLUMNS_MAX];
	int64_t block; /* whose checksums these are */
	size_t sum_count;
	uint32_t sums[SN_BLOCKS_SLOTS];
	sqlite3_blob *blob;
	struct sn_buf bytes;
};
void sn_blocks_reader_finish(struct sn_blocks_reader *reader);
/* As sn_block_load(), of one piece. */
int sn_block_load_piece(struct sn_blocks_reader *reader, const struct sn_blocks_info *info,
			size_t piece, const struct sn_layout_column *columns, size_t count,
			struct sn_block_column **out, struct sn_err *err);
/* The checksums of the block that the statement is at (SN_BLOCKS_SELECT). */
void sn_blocks_reader_keep(struct sn_blocks_reader *reader, int64_t block, sqlite3_stmt *statement);
/* As sn_blocks_read(), of one piece; SN_BLOCKS_WHOLE: of all. */
#define SN_BLOCKS_WHOLE SIZE_MAX
int sn_blocks_reader_load(struct sn_blocks_reader *reader, const struct sn_blocks_info *block,
			  size_t piece, const int *columns, size_t count,
			  struct sn_block_column **out, struct sn_err *err);
/* Adds the marks of a block to `marks`: nothing if there are none, or if they are damaged. */
int sn_blocks_reader_marks(struct sn_blocks_reader *reader, const struct sn_blocks_info *block,
			   struct sn_buf *marks, struct sn_err *err);
/* Where the block has the column; -1: nowhere. */
int sn_blocks_reader_place(struct sn_blocks_reader *reader, const struct sn_blocks_info *block,
			   int column, int *place, struct sn_err *err);

/* What sn_blocks_list() selects, for a statement that goes on with more. */
#define SN_BLOCKS_SELECT                                                                           \
	"SELECT b.id, b.layout, b.first, b.rows, b.time_min, b.time_max, b.packed, b.bytes, "      \
	"b.tier, b.sums"                                                                           \
	" FROM _layout AS l JOIN _block AS b ON b.layout = l.id"                                   \
	" WHERE l.dataset = ? AND l.version = ?"
/* -EUCLEAN: what is noted of the block is damaged. */
int sn_blocks_fetch(sqlite3_stmt *statement, struct sn_blocks_info *info, struct sn_err *err);

#endif
