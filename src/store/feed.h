/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed: what a replica asks its primary for.
 *
 * Rows have numbers per day file (its epoch), dataset and version, for ever
 * (blocks.h); a replica asks for those from the number that it has got to.  An answer
 * ends where a batch ends, so that a replica that becomes a primary has all rows of a
 * batch or none; a batch that is larger than an answer is known with its last row.
 *
 * One thread at a time, with a store of its own.
 */
#ifndef SONDE_STORE_FEED_H
#define SONDE_STORE_FEED_H

#include "store/replication.h"
#include "store/store.h"

#define SN_FEED_ROWS  SN_BLOCK_ROWS_MAX /* an answer ends at the batch behind so many rows, ... */
#define SN_FEED_BYTES (8 << 20)         /* ... or so many bytes */

struct sn_feed_place {
	int32_t day;
	uint32_t epoch;
	char dataset[64];
	unsigned version;
};

struct sn_feed_item {
	struct sn_feed_place place;
	int64_t next; /* number that the next row will get */
};

struct sn_feed;
int sn_feed_open(const char *path, struct sn_feed **feed, struct sn_err *err);
void sn_feed_close(struct sn_feed *feed);

/* All there is; a file is looked into when it has changed. */
typedef int sn_feed_fn(const struct sn_feed_item *item, void *ctx);
int sn_feed_list(struct sn_feed *feed, sn_feed_fn *fn, void *ctx, struct sn_err *err);
/*
 * Adds a body of replication.h with rows from number `from` on.  -ENOENT: there is no such day or
 * dataset; -ESTALE: the day's file is another one.
 */
int sn_feed_rows(struct sn_feed *feed, const struct sn_feed_place *place, int64_t from,
		 struct sn_buf *out, struct sn_err *err);

#endif
