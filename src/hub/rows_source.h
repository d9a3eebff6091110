/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_source: all rows of a query, page after page and day by day, for threads that
 * write them somewhere.
 *
 * A page is one transaction of the store.  Whoever takes rows may ask for a break
 * between two of them (SN_ROWS_BREAK): the transaction ends, `pause` is called, which may take
 * its time, and the next page goes on behind the last row.
 */
#ifndef SONDE_HUB_ROWS_SOURCE_H
#define SONDE_HUB_ROWS_SOURCE_H

#include "store/store.h"

#define SN_ROWS_BREAK 1

struct sn_rows_sink {
	/* 0; SN_ROWS_BREAK (the row was taken); a negative errno that ends it all. */
	int (*row)(const struct sn_value *row, void *ctx);
	/* Between pages and days: 0, or a negative errno that ends it all. */
	int (*pause)(void *ctx);
	void *ctx;
};

/*
 * `query` as for sn_store_query(), without limit and cursor; at most `limit` rows.  0, what the
 * sink or the store said: after -EUCLEAN, rows of a damaged day are missing.
 */
int sn_rows_read_all(struct sn_store *store, const struct sn_query *query, uint64_t limit,
		     const struct sn_rows_sink *sink, struct sn_err *err);

#endif
