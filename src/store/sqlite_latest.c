/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest row of each series: from the files, then from ClickHouse.  In this order nothing is
 * missed: a row that moves meanwhile is seen in its file, or twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/blocks_query.h"
#include "store/remote.h"

#include "base/mem.h"

/* The newest row of a series so far. */
struct newest {
	int64_t time_ns, number;
	size_t row; /* index of `rows` */
};

struct latest {
	const struct sn_dataset *dataset;
	int key; /* column, or -1 */
	int64_t since_ns;
	struct sn_map *series; /* to struct newest */
	struct sn_batch *rows; /* also those that were not the newest after all */
	sn_store_row_fn *fn;   /* without ClickHouse: who gets a row as soon as it is found */
	void *ctx;
	bool stopped;
	bool wanted;           /* ClickHouse may have some */
	struct sn_err unasked; /* ... and cannot be asked */
};

static struct newest *find_series(struct latest *latest, const struct sn_value *row)
{
	struct sn_value key =
		latest->key >= 0 ? row[latest->key] : (struct sn_value){.type = SN_TYPE_NULL};
	sn_autofree char *name = sn_series_name(row[SN_COL_NODE], key);
	struct newest *newest = sn_map_get(latest->series, name);

	if (newest == NULL) {
		newest = sn_new(struct newest);
		sn_map_set(latest->series, name, newest);
	}
	return newest;
}

static int note_row(const struct sn_value *row, int64_t number, void *ctx)
{
	struct latest *latest = ctx;
	struct newest *newest;
	int64_t time_ns = row[SN_COL_TIME].i;

	if (row[SN_COL_NODE].type != SN_TYPE_TEXT)
		return 0;
	newest = find_series(latest, row);
	/* Numbers begin with 1: 0 is one that has no row yet. */
	if (newest->number != 0 &&
	    (time_ns < newest->time_ns || (time_ns == newest->time_ns && number <= newest->number)))
		return 0;
	*newest = (struct newest){.time_ns = time_ns, .number = number};
	/* Days come backwards: no later one has a newer row. */
	if (latest->fn != NULL)
		return latest->stopped = latest->fn(row, latest->ctx) != 0;
	newest->row = sn_batch_add_row(latest->rows);
	for (size_t i = 0; i < latest->dataset->column_count; i++)
		sn_batch_set(latest->rows, newest->row, (int)i, row[i]);
	return 0;
}

/* The files ------------------------------------------------------------------ */

/* Which part of the day is remote is asked in the transaction that reads the rows. */
static int read_day(struct sn_store *store, struct latest *latest, int32_t number, struct sn_db *db,
		    struct sn_err *err)
{
	struct sn_remote_part part;
	struct sn_err remote = {0};
	int rc = sn_remote_look(store, number, db, latest->dataset, &part, &remote);

	if (rc != 0 && rc != -EREMOTE) {
		*err = remote;
		return rc;
	}
	/* Who has no connection says so in place of asking: a hub's loop never waits for a server.
	 */
	if (rc == -EREMOTE)
		latest->unasked = remote;
	else
		latest->wanted |= part.wanted;
	return db != NULL ? sn_blocks_latest(db, latest->dataset, latest->since_ns, note_row,
					     latest, err)
			  : 0;
}

static int run_day(struct sn_store *store, struct latest *latest, struct sn_day *day,
		   struct sn_err *err)
{
	int rc = sn_day_open_reader(store, day, err);

	if (rc == -ENOENT) {
		err->code = 0;
		return read_day(store, latest, day->number, NULL, err);
	}
	if (rc == 0)
		rc = sn_db_exec(day->reader, "BEGIN", err);
	if (rc != 0)
		return rc;
	rc = read_day(store, latest, day->number, day->reader, err);
	sn_db_rollback(day->reader);
	return rc;
}

static int run_days(struct sn_store *store, struct latest *latest, struct sn_err *err)
{
	sn_autofree int32_t *numbers = NULL;
	struct sn_err local = {0};
	int rc, failed = 0;
	size_t count;

	rc = sn_remote_days(store, latest->dataset, &numbers, &count, err);
	if (rc != 0)
		return rc;
	while (!latest->stopped && count-- > 0 && numbers[count] >= sn_day_of(latest->since_ns)) {
		struct sn_day *day = sn_day_get(store, numbers[count]);

		rc = sn_day_fault(store, day, run_day(store, latest, day, &local), &local);
		sn_day_trim(store);
		if (rc != 0 && failed == 0) {
			failed = rc;
			sn_err_set(err, rc, "%s", local.text);
		}
	}
	return failed;
}

/* ClickHouse ------------------------------------------------------------------ */

static int note_rows(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	struct sn_value row[SN_DATASET_COLUMNS_MAX];

	for (size_t i = 0; i < sn_columns_rows(rows); i++) {
		sn_columns_row(rows, i, row);
		note_row(row, numbers[i], ctx);
	}
	return 0;
}

static int ask_clickhouse(struct sn_store *store, struct latest *latest, struct sn_err *err)
{
	int32_t horizon = sn_remote_horizon(store->remote);
	int64_t since_ns = latest->since_ns, begin;
	int rc;

	if (!__builtin_mul_overflow((int64_t)horizon, SN_NS_PER_DAY, &begin))
		since_ns = SN_MAX(since_ns, begin);
	rc = sn_clickhouse_latest(store->remote->client, latest->dataset, since_ns, NULL, 0,
				  note_rows, latest, err);
	return rc < 0 ? sn_remote_failed(sn_day_of(since_ns), err) : 0;
}

/* Together -------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
	const struct newest *left = *(struct newest *const *)a;
	const struct newest *right = *(struct newest *const *)b;

	if (left->time_ns != right->time_ns)
		return left->time_ns < right->time_ns ? 1 : -1;
	return (left->number < right->number) - (left->number > right->number);
}

static void hand_out(const struct latest *latest, sn_store_row_fn *fn, void *ctx)
{
	sn_autofree struct newest **found =
		sn_xcalloc(sn_map_count(latest->series) + 1, sizeof(*found));
	size_t cursor = 0, count = 0;
	const char *name;
	void *newest;

	while (sn_map_next(latest->series, &cursor, &name, &newest))
		if (((struct newest *)newest)->number != 0)
			found[count++] = newest;
	if (count > 0)
		qsort(found, count, sizeof(*found), newest_first);
	for (size_t i = 0; i < count; i++)
		if (fn(sn_batch_row(latest->rows, found[i]->row), ctx) != 0)
			break;
}

int sn_store_latest(struct sn_store *store, const struct sn_dataset *dataset, int64_t since_ns,
		    sn_store_row_fn *fn, void *ctx, struct sn_err *err)
{
	struct latest latest = {.dataset = dataset, .since_ns = since_ns, .ctx = ctx};
	struct sn_err local = {0}, remote = {0};
	int rc;

	err = err != NULL ? err : &local;
	latest.key = dataset->key != NULL ? sn_dataset_column(dataset, dataset->key) : -1;
	latest.series = sn_map_create(free);
	latest.rows = sn_batch_create(dataset);
	latest.fn = store->remote == NULL ? fn : NULL;
	rc = run_days(store, &latest, err);
	if (latest.wanted)
		(void)ask_clickhouse(store, &latest, &remote);
	else
		remote = latest.unasked;
	if (latest.fn == NULL)
		hand_out(&latest, fn, ctx);
	sn_batch_destroy(latest.rows);
	sn_map_destroy(latest.series);
	if (rc == 0 && remote.code != 0) {
		*err = remote;
		rc = remote.code;
	}
	return rc;
}
