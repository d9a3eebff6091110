/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: where rows live.
 *
 * A handful of functions over a back end (store/sqlite.c: one WAL file per UTC
 * day).  A batch is stored exactly once: its id is written in the same
 * transaction as its rows, and appending the same id again stores nothing.
 * Whoever appends may acknowledge to the sender after sn_store_commit() said 0,
 * not before.
 *
 * A handle belongs to one thread at a time; any number of handles, also of other processes, may
 * be open on the directory.
 */
#ifndef SONDE_STORE_STORE_H
#define SONDE_STORE_STORE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "data/batch.h"
#include "data/columns.h"

struct sn_store;

/* `path`: directory of the day files, made if absent. */
int sn_store_open(const char *path, struct sn_store **store, struct sn_err *err);

struct sn_clickhouse_options; /* store/clickhouse.h */
struct sn_store_options {
	/* Where rows have moved to (store/mover.h); NULL: all are in the day files. */
	const struct sn_clickhouse_options *clickhouse;
	unsigned retention_days; /* rows there of days before that are not seen; 0: all are */
	bool local;              /* never asks ClickHouse, and so never waits for it */
};
/*
 * A store of which rows may have moved to ClickHouse: questions are answered from both, with the
 * same rows in the same order as if none had moved.  When ClickHouse cannot be asked the rows of
 * the day files are handed out, and the call says -EREMOTE.
 */
int sn_store_open_with(const char *path, const struct sn_store_options *options,
		       struct sn_store **store, struct sn_err *err);
void sn_store_close(struct sn_store *store);

/* Identity of a batch: sender's node id, its spool stream, number in it, digest of its bytes. */
struct sn_batch_id {
	const char *node;
	const char *stream; /* 32 hex digits */
	uint64_t seq;
	uint8_t digest[32]; /* SHA-256 of the payload as sent */
};

/*
 * Put the rows into the open group (one is opened by the first append).  All rows
 * must be of one UTC day and of the batch's node (-EINVAL otherwise); a row without
 * a node becomes one of it.
 * 0: will be stored by the next commit; 1: is stored already (same digest); 2: is in the open
 * group already (same digest), nothing was added;
 * -EEXIST: stored already with another digest; other negative errno: the group may go on
 * without this batch.  Where the group as a whole was lost (disk full, damaged file),
 * sn_store_commit() says so.
 */
int sn_store_append(struct sn_store *store, const struct sn_batch_id *id,
		    const struct sn_batch *batch, struct sn_err *err);
/*
 * Durable when 0 (synchronous=FULL).  On error nothing of the group may be acknowledged;
 * a batch of it that is stored nevertheless (groups may span days, each with its file) is
 * known when it is appended again.
 */
int sn_store_commit(struct sn_store *store, struct sn_err *err);

/*
 * One batch and a transaction of its own, for those who bring many rows: all of one dataset and
 * UTC day, of any nodes; id->node names the source ("import:<digest>").  The rows become blocks
 * before the file is locked, so that several who put, and the hub, hardly wait for each other.
 * 0: stored, durable; 1: was stored already (same digest); -EEXIST: with another digest;
 * -EBUSY: a group of this handle is open.  On error nothing is stored.
 */
int sn_store_put(struct sn_store *store, const struct sn_batch_id *id,
		 const struct sn_columns *rows, struct sn_err *err);

/*
 * How many batches of a source (sn_batch_id.node, all streams) there are in the days from
 * `first_day` to `last_day`, counted from 1970-01-01: is all there that was brought?
 */
int sn_store_source_batches(struct sn_store *store, const char *source, int32_t first_day,
			    int32_t last_day, uint64_t *batches, struct sn_err *err);

/* Queries ---------------------------------------------------------------- */
enum sn_query_op { SN_EQ, SN_NE, SN_LT, SN_LE, SN_GT, SN_GE, SN_CONTAINS };

struct sn_filter {
	int column;
	enum sn_query_op op;
	struct sn_value value;
	/* What passes the next filter passes, too; that has the same column.  No more than two. */
	bool or_next;
};

#define SN_QUERY_FILTERS_MAX 16
#define SN_QUERY_LIMIT_MAX   100000

struct sn_query {
	const struct sn_dataset *dataset;
	int64_t since_ns, until_ns; /* [since, until); until 0: no end */
	struct sn_filter filters[SN_QUERY_FILTERS_MAX];
	unsigned filter_count;
	bool newest_first;
	uint32_t limit;     /* 1 .. SN_QUERY_LIMIT_MAX */
	const char *cursor; /* where the page before ended; NULL for the first */
};

/* Texts of `row` are borrowed for the call, which may not use the store. Non-zero ends it early. */
typedef int sn_store_row_fn(const struct sn_value *row, void *ctx);

/*
 * Rows by time, those of the same time in the order of their arrival.  A comparison with
 * a value is false for a row that has none; with a null value SN_EQ finds the rows that
 * have none, SN_NE the others.
 * `next` (may be NULL) receives a malloc'ed cursor, or NULL when there is no more.
 * -EINVAL for a query or cursor that is none.
 * -EUCLEAN: something is damaged, and all other rows are handed out.  A block is set aside in its
 * file; a file that SQLite itself cannot read is renamed to *.corrupt, and the next row of the day
 * begins a new one.  Later calls are well, without these rows: sn_store_check() tells of them,
 * sn_store_salvage() takes back what is whole.
 */
int sn_store_query(struct sn_store *store, const struct sn_query *query, sn_store_row_fn *fn,
		   void *ctx, char **next, struct sn_err *err);
/* Newest row per (node, key column) since `since_ns`. */
int sn_store_latest(struct sn_store *store, const struct sn_dataset *dataset, int64_t since_ns,
		    sn_store_row_fn *fn, void *ctx, struct sn_err *err);

/* Days and housekeeping ------------------------------------------------- */
struct sn_store_day {
	char day[11]; /* YYYY-MM-DD */
	uint64_t bytes, batches;
	uint64_t rows, local_rows; /* ever stored; still in the file (others have moved on) */
};
typedef int sn_store_day_fn(const struct sn_store_day *day, void *ctx);
int sn_store_days(struct sn_store *store, sn_store_day_fn *fn, void *ctx, struct sn_err *err);
int sn_store_drop_day(struct sn_store *store, const char *day, struct sn_err *err);

struct sn_store_dataset {
	char name[64];
	unsigned version;
	uint64_t rows, local_rows; /* as of a day */
	uint64_t bytes;            /* of local rows, packed */
	int64_t first_ns, last_ns; /* INT64_MAX and INT64_MIN if there were no rows */
	unsigned days;
};
typedef int sn_store_dataset_fn(const struct sn_store_dataset *dataset, void *ctx);
/* Totals over all days, by name and version; those of the readable days if one is not (an error).
 */
int sn_store_datasets(struct sn_store *store, sn_store_dataset_fn *fn, void *ctx,
		      struct sn_err *err);

/*
 * Puts small blocks together, in all days; those of days that are over become as few as possible.
 * Takes long: for a thread with a handle of its own.  Ends soon after `stop` (may be NULL) is set.
 * Days in which nothing changed since the call before cost nothing.
 */
int sn_store_tidy(struct sn_store *store, atomic_bool *stop, unsigned *merges, struct sn_err *err);

/* What a check has found; or, with `what` NULL, how far it is. */
struct sn_store_finding {
	const char *what, *reason, *next; /* next: what can be done */
	uint64_t done, total;             /* bytes of files */
};
/* Texts are borrowed for the call; non-zero ends the check (-ECANCELED). */
typedef int sn_store_finding_fn(const struct sn_store_finding *finding, void *ctx);
/*
 * Looks at all files: SQLite's own check, what is noted of each block, and whether rows, ledger and
 * totals belong together; `deep`: reads every column of every block.  Changes nothing, and may run
 * beside a hub.  0 whatever was found; an error if files could not be looked at.
 */
int sn_store_check(struct sn_store *store, bool deep, sn_store_finding_fn *fn, void *ctx,
		   struct sn_err *err);

struct sn_store_salvage {
	unsigned files;         /* of those that were set aside, done now */
	unsigned unreadable;    /* from which nothing can be taken */
	unsigned damaged;       /* places that could not be read */
	uint64_t batches, rows; /* taken back */
	uint64_t lost_rows;     /* of blocks that are damaged themselves */
	uint64_t moving_rows;   /* left where they are: they may be in ClickHouse */
};
/*
 * Takes what is whole of files that were set aside into those that the days have now: batches of
 * the ledger that are not known there, and their rows.  `day`: NULL for all.  May run beside a hub,
 * and again: what is done is not done twice, also after a kill; a handle looks at each file once.
 */
int sn_store_salvage(struct sn_store *store, const char *day, struct sn_store_salvage *sum,
		     struct sn_err *err);

/* Gaplessness of one node's stream, for `sonde doctor` and tests. */
struct sn_store_check {
	uint64_t rows, seq_min, seq_max, duplicates, missing;
};
int sn_store_check_node(struct sn_store *store, const char *node, struct sn_store_check *check,
			struct sn_err *err);

#endif
