/* SPDX-License-Identifier: Apache-2.0 */
/* Backwards through the slices of time, over the index by series alone, until `since`. */
#include <errno.h>
#include <string.h>

#include "store/sqlite.h"

#include "base/mem.h"

struct latest {
	const struct sn_dataset *dataset;
	int64_t since_ns;
	sn_store_row_fn *fn;
	void *ctx;
	struct sn_map *seen; /* series that were handed out */
	bool stopped;
	sqlite3_stmt *newest, *row; /* of the day at hand */
	struct sn_value values[SN_DATASET_COLUMNS_MAX];
};

/* True for the first row of a series. */
static bool is_new(struct latest *latest, sqlite3_stmt *statement)
{
	const char *node = (const char *)sqlite3_column_text(statement, 0);
	const char *series = (const char *)sqlite3_column_text(statement, 1);
	/* The length keeps node and key apart, the sign a key that is nothing from "". */
	sn_autofree char *key = sn_xasprintf("%zu%c%s%s", strlen(node), series != NULL ? '+' : '-',
					     node, series != NULL ? series : "");

	if (sn_map_get(latest->seen, key) != NULL)
		return false;
	sn_map_set(latest->seen, key, latest);
	return true;
}

static int hand_out(struct latest *latest, struct sn_db *db, int64_t rowid, struct sn_err *err)
{
	int rc;

	sqlite3_bind_int64(latest->row, 1, rowid);
	rc = sn_db_next(db, latest->row, err);
	if (rc == 1) {
		sn_row_fetch(latest->row, latest->dataset, latest->values);
		latest->stopped = latest->fn(latest->values, latest->ctx) != 0;
	}
	sqlite3_reset(latest->row);
	return rc < 0 ? rc : 0;
}

static int run_slice(struct latest *latest, struct sn_db *db, int64_t slice, struct sn_err *err)
{
	int rc = 1;

	sqlite3_bind_int64(latest->newest, 1, slice);
	sqlite3_bind_int64(latest->newest, 2, latest->since_ns);
	while (rc == 1 && !latest->stopped) {
		rc = sn_db_next(db, latest->newest, err);
		if (rc == 1 && is_new(latest, latest->newest)) {
			int64_t rowid = sqlite3_column_int64(latest->newest, 2);

			if (hand_out(latest, db, rowid, err) != 0)
				rc = err->code;
		}
	}
	sqlite3_reset(latest->newest);
	return rc < 0 ? rc : 0;
}

/* max() makes the bare rowid that of the newest row of its group. */
static int prepare(struct latest *latest, struct sn_db *db, const bool *present, struct sn_err *err)
{
	const struct sn_dataset *dataset = latest->dataset;
	char table[SN_TABLE_NAME_SIZE];
	struct sn_buf newest = {0}, row = {0};
	sn_autofree char *key =
		dataset->key != NULL ? sn_xasprintf("\"%s\"", dataset->key) : sn_xstrdup("NULL");
	int rc;

	sn_table_name(dataset, table);
	sn_buf_addf(&newest,
		    "SELECT s.node, g.key, g.id FROM (SELECT _source AS source, %s AS key,"
		    " rowid AS id, max(time) AS time FROM \"%s\" INDEXED BY \"%s_series\""
		    " WHERE (time >> %d) = ? AND time >= ? GROUP BY _source%s%s) AS g"
		    " JOIN _source AS s ON s.id = g.source ORDER BY g.time DESC, g.id DESC",
		    key, table, table, SN_SLICE_SHIFT, dataset->key != NULL ? ", " : "",
		    dataset->key != NULL ? key : "");
	sn_row_select(&row, dataset, present, NULL);
	sn_buf_adds(&row, " WHERE t.rowid = ?");
	rc = sqlite3_prepare_v2(sn_db_handle(db), sn_buf_cstr(&newest), -1, &latest->newest, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(sn_db_handle(db), sn_buf_cstr(&row), -1, &latest->row,
					NULL);
	sn_buf_finish(&newest);
	sn_buf_finish(&row);
	return rc == SQLITE_OK ? 0 : sn_db_fail(db, err);
}

static int run_table(struct latest *latest, struct sn_db *db, const bool *present,
		     struct sn_err *err)
{
	int64_t first, last;
	int rc = sn_table_slices(db, latest->dataset, latest->since_ns, INT64_MAX, &first, &last,
				 err);

	if (rc == 0 && first <= last)
		rc = prepare(latest, db, present, err);
	for (; rc == 0 && last >= first && !latest->stopped; last--)
		rc = run_slice(latest, db, last, err);
	sqlite3_finalize(latest->newest);
	sqlite3_finalize(latest->row);
	latest->newest = latest->row = NULL;
	return rc;
}

static int run_day(struct sn_store *store, struct latest *latest, struct sn_day *day,
		   struct sn_err *err)
{
	bool present[SN_DATASET_COLUMNS_MAX];
	int rc = sn_day_open_reader(store, day, err);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	rc = sn_db_exec(day->reader, "BEGIN", err);
	if (rc != 0)
		return rc;
	rc = sn_table_columns(day->reader, latest->dataset, present, err);
	if (rc == 1)
		rc = run_table(latest, day->reader, present, err);
	sn_db_rollback(day->reader);
	return rc;
}

int sn_store_latest(struct sn_store *store, const struct sn_dataset *dataset, int64_t since_ns,
		    sn_store_row_fn *fn, void *ctx, struct sn_err *err)
{
	struct latest latest = {.dataset = dataset, .since_ns = since_ns, .fn = fn, .ctx = ctx};
	sn_autofree int32_t *numbers = NULL;
	struct sn_err local = {0};
	int rc, failed = 0;
	size_t count;

	rc = sn_day_list(store, &numbers, &count, err);
	if (rc != 0)
		return rc;
	latest.seen = sn_map_create(NULL);
	while (count-- > 0 && numbers[count] >= sn_day_of(since_ns) && !latest.stopped) {
		struct sn_day *day = sn_day_get(store, numbers[count]);

		rc = sn_day_fault(store, day, run_day(store, &latest, day, &local), &local);
		sn_day_trim(store);
		if (rc != 0 && failed == 0) {
			failed = rc;
			sn_err_set(err, rc, "%s", local.text);
		}
	}
	sn_map_destroy(latest.seen);
	return failed;
}
