/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow: a replica stores what its primary hands out (feed.h).
 *
 * Rows, their batches and the number up to which the replica has them are stored in one
 * transaction of the day's file, so that each row is there once whatever is killed when.
 * Rows keep the numbers that they have at the primary (as far as these are free), hence
 * their order.  The batches are in the ledger: one that comes again after the replica
 * has become a primary is known.
 *
 *   _replica (epoch, dataset, version, next): what of the file with that epoch is here
 *
 * One thread at a time, with a store of its own.
 */
#ifndef SONDE_STORE_FOLLOW_H
#define SONDE_STORE_FOLLOW_H

#include "store/feed.h"

#define SN_REPLICA_TABLE                                                                           \
	"CREATE TABLE IF NOT EXISTS _replica("                                                     \
	" epoch INTEGER NOT NULL, dataset TEXT NOT NULL, version INTEGER NOT NULL,"                \
	" next INTEGER NOT NULL, PRIMARY KEY(epoch, dataset, version)) WITHOUT ROWID;"

/* The number of the first row that is not here yet; 1 if there is none at all. */
int sn_follow_position(struct sn_store *store, const struct sn_feed_place *place, int64_t *next,
		       struct sn_err *err);

struct sn_follow_sum {
	uint64_t rows, batches;
	uint64_t missing; /* numbers whose rows the primary has no more */
	int64_t next, head;
};
/*
 * A body that begins at row `from`, all of it or nothing.  -EBADMSG: it is none; -EUCLEAN: a
 * column of it is damaged; -ESTALE: rows from another number on are wanted.
 */
int sn_follow_put(struct sn_store *store, const struct sn_feed_place *place, int64_t from,
		  struct sn_str body, struct sn_follow_sum *sum, struct sn_err *err);

#endif
