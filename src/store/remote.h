/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote: what a store knows of its rows in ClickHouse.
 *
 * Which rows those are is told by the day files (moving.h).  Besides there are two
 * lists in `clickhouse.db` of the store's directory:
 *
 *   dropped (day, since_ns, done_ns): days that are to go there, too.  A server that is killed
 *           soon after it dropped a day may have it again, so that the mover drops it again
 *           and again for a while; until then nobody is shown rows of it, and none move there
 *   setting (key, value): 'back', while rows return to the files
 *   foreign_rows (dataset, version, day, rows, time_min, time_max): rows which no day file has
 * sent, because their file was lost: they are asked for all the same
 */
#ifndef SONDE_STORE_REMOTE_H
#define SONDE_STORE_REMOTE_H

#include "store/clickhouse.h"
#include "store/db.h"
#include "store/sqlite.h"

struct sn_remote {
	struct sn_clickhouse *client; /* NULL: is not asked */
	struct sn_db *notes;
	unsigned retention_days;
};

int sn_remote_open(const char *dir, const struct sn_store_options *options,
		   struct sn_remote **remote, struct sn_err *err);
void sn_remote_close(struct sn_remote *remote); /* NULL is fine */

/* First day whose rows are shown. */
int32_t sn_remote_horizon(const struct sn_remote *remote);

/* Days that are to go -------------------------------------------------------- */
int sn_remote_drop(struct sn_remote *remote, int32_t day, struct sn_err *err);
int sn_remote_is_dropped(struct sn_remote *remote, int32_t day, bool *dropped, struct sn_err *err);
struct sn_remote_drop {
	int32_t day;
	int64_t since_ns, done_ns; /* done_ns: first time that ClickHouse did it; 0: not yet */
};
/* Up to `max` of them, oldest day first; returns how many, or an error. */
int sn_remote_drops(struct sn_remote *remote, struct sn_remote_drop *drops, size_t max,
		    struct sn_err *err);
int sn_remote_drop_done(struct sn_remote *remote, int32_t day, int64_t now_ns, struct sn_err *err);
int sn_remote_drop_forget(struct sn_remote *remote, int32_t day, struct sn_err *err);

/* Which way rows go: kept over restarts. */
int sn_remote_set_back(struct sn_remote *remote, bool back, struct sn_err *err);
int sn_remote_is_back(struct sn_remote *remote, bool *back, struct sn_err *err);

/* Rows without a file -------------------------------------------------------- */
struct sn_remote_foreign {
	char dataset[64];
	unsigned version;
	int32_t day;
	uint64_t rows;
	int64_t time_min, time_max;
};
typedef int sn_remote_foreign_fn(const struct sn_remote_foreign *foreign, void *ctx);
int sn_remote_foreign(struct sn_remote *remote, sn_remote_foreign_fn *fn, void *ctx,
		      struct sn_err *err);
int sn_remote_has_day(struct sn_remote *remote, int32_t day, bool *found, struct sn_err *err);
/* Replaces what is noted of a dataset; `list` has `count` days of it. */
int sn_remote_set_foreign(struct sn_remote *remote, const struct sn_dataset *dataset,
			  const struct sn_remote_foreign *list, size_t count, struct sn_err *err);

/* Asking -------------------------------------------------------------------- */

/* Days of the files and of rows without one, ascending, malloc'ed.  `dataset` NULL: of all. */
int sn_remote_days(struct sn_store *store, const struct sn_dataset *dataset, int32_t **numbers,
		   size_t *count, struct sn_err *err);

/* What of ClickHouse belongs to a day. */
struct sn_remote_part {
	bool wanted;                 /* there may be rows of it */
	uint64_t hide_from, hide_to; /* blocks of which rows ... */
	int64_t hide_number;         /* ... from this number on are in the file */
	int64_t first_ns, last_ns;   /* about when they begin and end; 0: not known */
};
/*
 * As the transaction sees the file that `db` is in; `db` NULL: there is no file.  -EREMOTE: there
 * are rows, and nobody can be asked.
 */
int sn_remote_look(struct sn_store *store, int32_t day, struct sn_db *db,
		   const struct sn_dataset *dataset, struct sn_remote_part *part,
		   struct sn_err *err);
/* The query within the day, so that only its partition is read; of 1969-12-31 all later ones, too.
 */
void sn_remote_narrow(struct sn_query *query, int32_t day);
/* Makes of an error of ClickHouse one of the store. */
int sn_remote_failed(int32_t day, struct sn_err *err);

#endif
