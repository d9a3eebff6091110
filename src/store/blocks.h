/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks: rows in an SQLite file, column by column.
 *
 * A block is up to SN_BLOCK_ROWS_MAX rows of one dataset in the order of their
 * arrival.  It is written once and never changed; small ones that stand side by
 * side are replaced by one of all their rows.  Rows have numbers, from 1, per
 * dataset and version of the file; a row keeps its number when blocks are
 * replaced, and no number or id of a block is used twice, even after blocks
 * were removed.
 *
 *   _layout  (id, dataset, version, columns): names and types of the columns when
 *            blocks were written; a column that was declared later is null in them
 *   _block   (id, layout, first, rows, tier, time_min, time_max, packed, bytes)
 *   _column  (id = block * 256 + column, data): a column as in block.h; of a packed
 *            block one row for all: per column a varint length and the bytes
 *   _number  (dataset, version, next): number of the next row
 *   _mark    (block, data): which nodes and keys a block may have rows of
 *   _aside   (as _block, reason, time): blocks that are damaged; their columns stay where they are
 *   _file    (key, value): 'epoch', a random number that tells this file from one that the same
 *            day had or will have
 *
 * The functions take the connection of db.h that the file is open with.
 */
#ifndef SONDE_STORE_BLOCKS_H
#define SONDE_STORE_BLOCKS_H

#include <stdatomic.h>

#include "store/block.h"
#include "store/db.h"

#define SN_BLOCKS_PACKED_MAX 63 /* blocks of so few rows are one BLOB */
#define SN_BLOCKS_TIERS      4  /* below 64, 512, 4,096, 32,768 rows; larger ones stay */
#define SN_BLOCKS_MERGE      8  /* neighbours of a tier that become one */
#define SN_BLOCKS_NUMBER_MAX (INT64_C(1) << 62) /* of a row; whoever says more is damaged */

/* The tables, for a list of migrations. */
extern const char sn_blocks_schema[];

/* Outside of the file a block is (day, epoch, id), a row (day, epoch, dataset, version, number). */
int sn_blocks_epoch(struct sn_db *db, uint32_t *epoch, struct sn_err *err);
static inline uint64_t sn_blocks_global_id(uint32_t epoch, int64_t id)
{
	return (uint64_t)epoch << 32 | (uint32_t)id;
}

struct sn_blocks_info {
	int64_t id, layout;
	int64_t first; /* number of the first row */
	size_t rows;
	int64_t time_min, time_max;
	bool packed;
	uint64_t bytes;
};

/*
 * Rows [from, from + count) of `columns` as one or, if they are many or their texts long, more
 * blocks; all must have a time (-EINVAL).  In a transaction of the caller (sn_db_begin()), who
 * rolls back on error.  `first` (may be NULL): number of the first row.
 */
int sn_blocks_put(struct sn_db *db, const struct sn_columns *columns, size_t from, size_t count,
		  int64_t *first, struct sn_err *err);

/*
 * The same in two steps, so that the file is locked for the second only: a draft is made without a
 * file, on any thread, and put in a transaction of the caller.  The dataset must outlive it.
 */
struct sn_blocks_draft;
int sn_blocks_draft(const struct sn_columns *columns, size_t from, size_t count,
		    struct sn_blocks_draft **draft, struct sn_err *err);
int sn_blocks_put_draft(struct sn_db *db, const struct sn_blocks_draft *draft, int64_t *first,
			struct sn_err *err);
/* The same for rows that had these numbers before and were taken out. */
int sn_blocks_put_draft_at(struct sn_db *db, const struct sn_blocks_draft *draft, int64_t first,
			   struct sn_err *err);
void sn_blocks_draft_destroy(struct sn_blocks_draft *draft); /* NULL is fine */

/* The number that the next row will get, which stays so in a transaction. */
int sn_blocks_next(struct sn_db *db, const struct sn_dataset *dataset, int64_t *next,
		   struct sn_err *err);
/* Leaves numbers out: the next row gets `next`, if none had that yet. */
int sn_blocks_skip_to(struct sn_db *db, const struct sn_dataset *dataset, int64_t next,
		      struct sn_err *err);

/*
 * Blocks of the dataset that may have rows of [from_ns, to_ns], by number.  `fn` may read them; a
 * non-zero return ends it early.  In a transaction all that is read belongs together; without one
 * a block may be replaced before it is read (-ESTALE).  -EUCLEAN: there are damaged ones, which are
 * left out (and blamed: sn_db_blame()).
 */
typedef int sn_blocks_fn(const struct sn_blocks_info *block, void *ctx);
int sn_blocks_list(struct sn_db *db, const struct sn_dataset *dataset, int64_t from_ns,
		   int64_t to_ns, sn_blocks_fn *fn, void *ctx, struct sn_err *err);

/*
 * `count` columns of the dataset, by position, into `out`; each to be destroyed by the caller.
 * What the block does not have, or has with another type, is null.  -EUCLEAN: damaged; nothing is
 * in `out` on error.
 */
int sn_blocks_read(struct sn_db *db, const struct sn_blocks_info *block,
		   const struct sn_dataset *dataset, const int *columns, size_t count,
		   struct sn_block_column **out, struct sn_err *err);

/*
 * Damaged blocks are listed no more; of their pieces those that are whole become blocks, whose rows
 * keep their numbers.  In a transaction of its own; blocks that are gone do not matter.
 */
int sn_blocks_set_aside(struct sn_db *db, const int64_t *ids, size_t count, const char *reason,
			struct sn_err *err);

/* Takes a block out, in a transaction of the caller.  -ESTALE if it is not there (any more). */
int sn_blocks_remove(struct sn_db *db, int64_t id, struct sn_err *err);

/*
 * Replaces neighbours by one block, up to `merges_max` times: SN_BLOCKS_MERGE of a tier, or with
 * `all` (for a day that is over) as many as fit.  Outside of transactions: columns are read and
 * written before a short one of its own per merge begins.  A block that another connection takes
 * out meanwhile is left to it.  `merges` (may be NULL): how many there were; fewer than asked for
 * if there is no more to do.  On error what is there stays as it was.
 */
int sn_blocks_tidy(struct sn_db *db, const struct sn_dataset *dataset, bool all,
		   unsigned merges_max, unsigned *merges, struct sn_err *err);
/* The same until `stop` (may be NULL) is set, which ends it after the merge at hand. */
int sn_blocks_tidy_until(struct sn_db *db, const struct sn_dataset *dataset, bool all,
			 unsigned merges_max, atomic_bool *stop, unsigned *merges,
			 struct sn_err *err);

#endif
