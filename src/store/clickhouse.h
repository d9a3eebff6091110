/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clickhouse: one ClickHouse server or cluster over HTTP, where blocks go when one
 * machine is not enough.
 *
 * A dataset's rows are in the table <dataset>_<version>: its columns, and
 *   _day     the UTC day, which is the partition
 *   _block   id of the block that brought the row
 *   _number  the row's number in its day
 * ordered by (time, _number) as the blocks of a day file are.  An insert is one Native
 * block of one day: all of it is stored or nothing.  The server does not know whether
 * it has seen a block before: who inserts keeps account, and asks sn_clickhouse_has()
 * when an answer did not arrive.
 *
 * Calls block, with a timeout.  One handle per thread; it reconnects by itself.
 * Over a cluster each table is three: <table>_l, replicated, and <table>, distributed,
 * to read from; inserts go to the <table>_l of the server at hand.
 *
 * Errors: -EAGAIN no answer (for an insert: it may be stored or not), -ECONNREFUSED and
 * other errno of the network: not reached, nothing was stored (-EKEYREJECTED: its certificate
 * is not to be trusted); -EPROTO: it answered with an error, whose text is in `err`; -EBADMSG:
 * the answer is not what was asked for.  A password is in no text.
 */
#ifndef SONDE_STORE_CLICKHOUSE_H
#define SONDE_STORE_CLICKHOUSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/columns.h"
#include "store/store.h"

#define SN_CLICKHOUSE_TIMEOUT_S  30
#define SN_CLICKHOUSE_BLOCKS_MAX 1024 /* ids that a scan leaves out */

struct sn_clickhouse_options {
	const char *url;     /* http[s]://[user[:password]@]host[:port][/database] */
	const char *cluster; /* NULL: one server */
	const char *ca;      /* file with the CA of an https URL; NULL: the system's */
	unsigned timeout_s;  /* of a request without progress; 0: SN_CLICKHOUSE_TIMEOUT_S */
	/* Soon after it becomes true a request that is under way ends with -ECANCELED; may be NULL.
	 */
	const atomic_bool *stop;
};

struct sn_clickhouse;

/* Connects at the first call.  -EINVAL: the URL is none. */
int sn_clickhouse_open(const struct sn_clickhouse_options *options, struct sn_clickhouse **ch,
		       struct sn_err *err);
void sn_clickhouse_close(struct sn_clickhouse *ch);
/* Asks the server who it is; "18.16.1", borrowed. */
int sn_clickhouse_version(struct sn_clickhouse *ch, const char **version, struct sn_err *err);
/* The URL without a password; borrowed. */
const char *sn_clickhouse_place(const struct sn_clickhouse *ch);

/* Makes the dataset's table, or adds columns that it has got since. */
int sn_clickhouse_define(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
			 struct sn_err *err);

struct sn_clickhouse_block {
	int32_t day; /* since 1970-01-01 */
	uint64_t id;
	int64_t first; /* number of the first row; the others follow */
};
/*
 * Up to 65,536 rows of one dataset, whose table is made or extended if need be.  -EINVAL: not all
 * are of the day; -ERANGE: not of a day that a server can hold (1970 to 2105).
 */
int sn_clickhouse_insert(struct sn_clickhouse *ch, const struct sn_columns *rows,
			 const struct sn_clickhouse_block *block, struct sn_err *err);
/* How many rows of the block are there: none or all. */
int sn_clickhouse_has(struct sn_clickhouse *ch, const struct sn_dataset *dataset, int32_t day,
		      uint64_t id, uint64_t *rows, struct sn_err *err);

struct sn_clickhouse_scan {
	const struct sn_query
		*query; /* dataset, times, filters, order; its limit and cursor are not used */
	uint64_t limit; /* rows; 0: all */
	bool resumed;   /* only rows behind (after_ns, after_number) in the order */
	int64_t after_ns, after_number;
	const uint64_t *without; /* blocks whose rows are left out */
	size_t without_count;    /* up to SN_CLICKHOUSE_BLOCKS_MAX */
	/* Rows with hide_from <= _block <= hide_to and _number >= hide_number are left out. */
	uint64_t hide_from, hide_to; /* hide_to 0: none is */
	int64_t hide_number;
	uint64_t only_block; /* 0: of all blocks */
	/* With a limit: about when the first of the rows is, in the order; 0: not known. */
	int64_t near_ns;
};
/* Some of the rows, up to SN_BLOCK_ROWS_MAX, and their numbers; borrowed.  Non-zero ends the scan.
 */
typedef int sn_clickhouse_rows_fn(const struct sn_columns *rows, const int64_t *numbers, void *ctx);
/* A table that does not exist has no rows. */
int sn_clickhouse_scan(struct sn_clickhouse *ch, const struct sn_clickhouse_scan *scan,
		       sn_clickhouse_rows_fn *fn, void *ctx, struct sn_err *err);
/* Newest row per (node, key) since then, in no order. */
int sn_clickhouse_latest(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
			 int64_t since_ns, const uint64_t *without, size_t without_count,
			 sn_clickhouse_rows_fn *fn, void *ctx, struct sn_err *err);

struct sn_clickhouse_day {
	int32_t day;
	uint64_t rows, bytes; /* bytes: on the server's disk */
	int64_t time_min, time_max, number_max;
};
typedef int sn_clickhouse_day_fn(const struct sn_clickhouse_day *day, void *ctx);
/* Days of the dataset's table, ascending. */
int sn_clickhouse_days(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
		       sn_clickhouse_day_fn *fn, void *ctx, struct sn_err *err);
/*
 * Drops a day of all tables that are Sonde's.  A server that is killed soon afterwards may bring
 * it back: whoever keeps the retention drops again, and asks for no rows before its horizon.
 * Servers of the cluster that are down drop it when they are back.  -EAGAIN: it is still there.
 */
int sn_clickhouse_drop(struct sn_clickhouse *ch, int32_t day, struct sn_err *err);

#endif
