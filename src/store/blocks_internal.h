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

int sn_layout_load(struct sn_db *db, int64_t id, struct sn_layout *layout, struct sn_err *err);
void sn_layout_finish(struct sn_layout *layout);

/* Columns as bytes, one behind the other. */
struct sn_block_image {
	struct sn_buf bytes;
	size_t ends[SN_DATASET_COLUMNS_MAX];
	size_t count;
};

void sn_block_image_finish(struct sn_block_image *image);
/* As sn_block_write(); `err` names the column. */
int sn_block_image_add(struct sn_block_image *image, const struct sn_vector *column,
		       struct sn_str name, struct sn_err *err);

unsigned sn_block_tier(size_t rows);
/* Writes a block; sets id, packed and bytes of `info`, whose other members are given. */
int sn_block_store(struct sn_db *db, struct sn_blocks_info *info,
		   const struct sn_block_image *image, struct sn_err *err);
/* `out` has NULLs before, and again on error. */
int sn_block_load(struct sn_db *db, const struct sn_blocks_info *info,
		  const struct sn_layout_column *columns, size_t count,
		  struct sn_block_column **out, struct sn_err *err);

/* What sn_blocks_list() selects, for a statement that goes on with more. */
#define SN_BLOCKS_SELECT                                                                           \
	"SELECT b.id, b.layout, b.first, b.rows, b.time_min, b.time_max, b.packed, b.bytes, "      \
	"b.tier"                                                                                   \
	" FROM _layout AS l JOIN _block AS b ON b.layout = l.id"                                   \
	" WHERE l.dataset = ? AND l.version = ?"
int sn_blocks_fetch(sqlite3_stmt *statement, struct sn_blocks_info *info, struct sn_err *err);

#endif
