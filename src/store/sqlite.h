/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite: the inside of the SQLite back end of store.h.
 *
 * One file per UTC day, `YYYY-MM-DD.db`.  In each file
 *   _source   (id, node, stream): who sent rows, as small numbers;
 *   _batch    (source, seq, digest, dataset, rows): the ledger of batches;
 *   _dataset  (dataset, version, batches, rows): totals;
 *   _span     (dataset, version, first, rows, source, seq): whose the rows of these numbers are;
 *   and the rows, as blocks (blocks.h): what a group brings for a dataset is one block.
 * Files of release 0.1.0 have a table of rows per dataset; they become blocks when the file is
 * next opened for writing or asked for rows.
 *
 * A day has a connection for writing and one for reading, opened when needed.  The open group is
 * in memory until it is committed.
 *
 * Files: sqlite.c (store, days), sqlite_totals.c, sqlite_day.c (files and tables of one day),
 * sqlite_append.c, sqlite_query.c, sqlite_latest.c, sqlite_check.c, sqlite_convert.c,
 * sqlite_tidy.c, sqlite_verify.c (check), sqlite_salvage.h.
 */
#ifndef SONDE_STORE_SQLITE_H
#define SONDE_STORE_SQLITE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "store/blocks.h"
#include "store/db.h"
#include "store/store.h"

#define SN_STORE_DAYS_MAX       4096 /* files; then new days are refused until old ones are dropped */
#define SN_STORE_GROUP_DAYS_MAX 64   /* in one open group */
#define SN_STORE_NODE_MAX       128 /* bytes of a node's id */
#define SN_STORE_STREAM_MAX     64  /* letters and digits of a stream's id */

#define SN_NS_PER_DAY (86400 * SN_NS_PER_S)

#define SN_DAY_NAME_SIZE   11
#define SN_TABLE_NAME_SIZE 128

/* A batch of the open group. */
struct sn_noted {
	struct sn_batch_id id; /* with the texts below */
	char *node, *stream;
	size_t rows;
};

/* What the open group brings for a dataset. */
struct sn_table {
	const struct sn_dataset *dataset;
	struct sn_columns *rows;
	struct sn_noted *noted; /* whose rows they are, in their order */
	size_t noted_count, noted_capacity;
	struct sn_blocks_draft *draft; /* while it is committed */
};

struct sn_day {
	struct sn_list link;
	int32_t number;                /* days since 1970-01-01 */
	struct sn_db *writer, *reader; /* NULL while closed */
	bool broken;                   /* a connection could not be opened: the file is damaged */
	uint64_t used;                 /* the store's tick at the last use of a connection */
	bool in_group;                 /* batches of the open group are of this day */
	struct sn_map *sources;        /* writer: "stream/node" to id */
	struct sn_table *tables;       /* the group's */
	unsigned table_count;
	struct sn_store_day totals; /* as of `stamp` */
	struct sn_store_dataset *datasets;
	size_t dataset_count;
	uint64_t stamp;
	uint64_t tidy_stamp; /* state of the file in which there was nothing to put together */
};

struct sn_store {
	char *path;
	struct sn_list days;
	uint64_t tick;
	unsigned group_days;
	struct sn_map *pending;    /* batches of the open group, to their digests */
	struct sn_err group_error; /* code 0: the open group is sound */
	struct sn_map *salvaged;   /* names of files that need not be looked at again */
	struct sn_remote *remote;  /* rows in ClickHouse (remote.h); NULL: there are none */
};

/* Days (sqlite.c) --------------------------------------------------------- */
int32_t sn_day_of(int64_t unix_ns);
char *sn_day_name(int32_t number, char out[SN_DAY_NAME_SIZE]);
int sn_day_parse(struct sn_str name, int32_t *number);
/* The day of that number, open or not; never NULL. */
struct sn_day *sn_day_get(struct sn_store *store, int32_t number);
/* Numbers of the days that have a file, ascending, malloc'ed. */
int sn_day_list(struct sn_store *store, int32_t **numbers, size_t *count, struct sn_err *err);

/* One day (sqlite_day.c) -------------------------------------------------- */
char *sn_day_path(const struct sn_store *store, int32_t number, const char *suffix);
int sn_day_open_writer(struct sn_store *store, struct sn_day *day, struct sn_err *err);
/* -ENOENT if there is no file. */
int sn_day_open_reader(struct sn_store *store, struct sn_day *day, struct sn_err *err);
void sn_day_close(struct sn_day *day); /* both connections; what was not committed is gone */
/* What the writer remembers of rows that were rolled back. */
void sn_day_forget_sources(struct sn_day *day);
/* Rows and batches of the group; the memory of a few is kept. */
void sn_day_empty_group(struct sn_day *day);
/* How many files of the day were set aside. */
unsigned sn_day_aside(const struct sn_store *store, int32_t number);
/* Changes whenever the file or its journal does; 0 never occurs. */
uint64_t sn_day_stamp(const struct sn_store *store, int32_t number, uint64_t *bytes);
extern const unsigned sn_day_version; /* of files as this release makes them */
/* -EUCLEAN if it has not the tables and columns of its version. */
int sn_day_check_names(struct sn_db *db, struct sn_err *err);
/*
 * Passes `rc` on.  If it is -EUCLEAN because SQLite calls the file damaged, or -EIO because it has
 * lost a table or column (which makes it -EUCLEAN), the file is renamed
 * so that the next use of the day begins a new one, and `err` says where it is.  Other
 * stores of the same directory (those that only read) find out by sn_db_has_moved().
 * If it is because of blocks, these are set aside in the file (blocks.h).
 */
int sn_day_fault(struct sn_store *store, struct sn_day *day, int rc, struct sn_err *err);
/* Whether it is the name of a file that was set aside, and of which day. */
bool sn_day_is_aside(const char *name, int32_t *number);
/* Whether all that can be taken of it was. */
bool sn_salvage_is_done(const struct sn_store *store, int32_t number, const char *name);
/* Closes the connections that were used least recently, if there are many. */
void sn_day_trim(struct sn_store *store);

/* Where the open group gathers rows of the dataset. */
struct sn_table *sn_table_open(struct sn_day *day, const struct sn_dataset *dataset);

/* Files of release 0.1.0 (sqlite_convert.c) --------------------------------- */
/* Whether it is of an earlier version, or has tables of rows of datasets that are known. */
int sn_day_is_old(struct sn_db *db, bool *old, struct sn_err *err);
int sn_day_has_old_rows(struct sn_db *db, bool *has, struct sn_err *err); /* such tables */
/* They become blocks, a transaction each. */
int sn_day_convert(struct sn_day *day, struct sn_err *err);
/* `seq`: number of the batch that brought them; NULL: not known. */
int sn_span_add(struct sn_db *db, const struct sn_dataset *dataset, int64_t first, size_t rows,
		int64_t source, const uint64_t *seq, struct sn_err *err);

#endif
