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

struct latest {
	const struct sn_dataset *dataset;
	int key; /* column, or -1 */
	int64_t since_ns;
	struct sn_series_set *series;
	struct sn_batch *rows; /* also those that were not the newest after all */
	sn_store_row_fn *fn;   /* without ClickHouse: who gets a row as soon as it is found */
	void *ctx;
	bool stopped;
	bool wanted;           /* ClickHouse may have some */
	struct sn_err unasked; /* ... and cannot be asked */
};

static void keep_row(struct latest *latest, struct sn_series *series, const struct sn_value *row)
{
	series->row = sn_batch_add_row(latest->rows);
	for (size_t i = 0; i < latest->dataset->column_count; i++)
		sn_batch_set(latest->rows, series->row, (int)i, row[i]);
}

static struct sn_series *find_series(struct latest *latest, const struct sn_value *row)
{
	struct sn_value key =
		latest->key >= 0 ? row[latest->key] : (struct sn_value){.type = SN_TYPE_NULL};

	return sn_series_find(latest->series, row[SN_COL_NODE], key);
}

/* Of a file: days come backwards, and a series is handed out once. */
static int take_row(const struct sn_value *row, int64_t number, void *ctx)
{
	struct latest *latest = ctx;

	(void)number;
	if (latest->fn != NULL)
		return latest->stopped = latest->fn(row, latest->ctx) != 0;
	keep_row(latest, find_series(latest, row), row);
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
	return db != NULL ? sn_blocks_latest(db, latest->dataset, latest->since_ns, latest->series,
					     take_row, latest, err)
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

static void note_row(struct latest *latest, const struct sn_value *row, int64_t number)
{
	struct sn_series *series;

	if (row[SN_COL_NODE].type != SN_TYPE_TEXT)
		return;
	series = find_series(latest, row);
	if (!sn_series_is_newer(series, row[SN_COL_TIME].i, number))
		return;
	series->time_ns = row[SN_COL_TIME].i;
	series->number = number;
	keep_row(latest, series, row);
}

static int note_rows(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	struct sn_value row[SN_DATASET_COLUMNS_MAX];

	for (size_t i = 0; i < sn_columns_rows(rows); i++) {
		sn_columns_row(rows, i, row);
		note_row(ctx, row, numbers[i]);
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

static void hand_out(const struct latest *latest, sn_store_row_fn *fn, void *ctx)
{
	size_t all, count = 0;
	struct sn_series *const *list = sn_series_list(latest->series, &all);
	sn_autofree struct sn_series **found = sn_xcalloc(all + 1, sizeof(*found));

	for (size_t i = 0; i < all; i++)
		if (list[i]->number != 0)
			found[count++] = list[i];
	if (count > 0)
		qsort(found, count, sizeof(*found), sn_series_newest_first);
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
	latest.series = sn_series_set_create();
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
	sn_series_set_destroy(latest.series);
	if (rc == 0 && remote.code != 0) {
		*err = remote;
		rc = remote.code;
	}
	return rc;
}
