/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks_query: rows out of the blocks of one file, in the order of time.
 *
 * Rows stand in blocks as they arrived, so the times of blocks overlap.  Blocks,
 * and then the pieces of one that was opened, are opened in the order of time; a
 * row is handed out when no piece that is still closed can have an earlier one
 * (later one, newest first).  Of a piece only what filters ask for and the time
 * is read, the rest when a row of it is handed out; pieces of which the block's
 * marks say that they have no such row are not read at all.  In memory are the
 * pieces whose times overlap with the row at hand.
 */
#ifndef SONDE_STORE_BLOCKS_QUERY_H
#define SONDE_STORE_BLOCKS_QUERY_H

#include "store/blocks.h"
#include "store/cursor.h"
#include "store/series.h"

/* Texts of `row` are borrowed for the call.  `number`: of the row.  Non-zero ends it early. */
typedef int sn_blocks_row_fn(const struct sn_value *row, int64_t number, void *ctx);

/*
 * Rows of the query's dataset, time range and filters by (time, number), in its order; `after` (may
 * be NULL): only those behind this place (time_ns, rowid: the row's number).  The query must have
 * been checked; its limit and cursor are left to the caller.  To be called in a transaction.
 * -EUCLEAN: some are missing, because a block (blamed: sn_db_blame()) or the file is damaged.
 */
int sn_blocks_query(struct sn_db *db, const struct sn_query *query, const struct sn_cursor *after,
		    sn_blocks_row_fn *fn, void *ctx, struct sn_err *err);

/* The same, row by row; the query must stay as it is until the search is closed. */
struct sn_blocks_search;
int sn_blocks_search_open(struct sn_db *db, const struct sn_query *query,
			  const struct sn_cursor *after, struct sn_blocks_search **search,
			  struct sn_err *err);
/* 1 with the next row, which is borrowed until the next call; 0 when there is none; or an error. */
int sn_blocks_search_next(struct sn_blocks_search *search, const struct sn_value **row,
			  int64_t *number, struct sn_err *err);
/* -EUCLEAN with the first damaged block that was left out so far, or 0. */
int sn_blocks_search_damage(const struct sn_blocks_search *search, struct sn_err *err);
void sn_blocks_search_close(struct sn_blocks_search *search);

/*
 * Of each series (node and the dataset's key column) its newest row since `since_ns`, the newest
 * series first; rows without a node are of none.  Those of `series` that are done are passed over,
 * those that are handed out are done then.  Under the same conditions.
 */
int sn_blocks_latest(struct sn_db *db, const struct sn_dataset *dataset, int64_t since_ns,
		     struct sn_series_set *series, sn_blocks_row_fn *fn, void *ctx,
		     struct sn_err *err);

#endif
