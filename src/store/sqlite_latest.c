/* SPDX-License-Identifier: Apache-2.0 */
/* Day by day backwards until `since`; a series of a later day is not new on an earlier one. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "store/blocks_query.h"
#include "store/sqlite.h"

#include "base/mem.h"

struct latest {
	const struct sn_dataset *dataset;
	int64_t since_ns;
	sn_store_row_fn *fn;
	void *ctx;
	struct sn_map *seen; /* series that were handed out */
	bool stopped;
};

/* True for the first row of a series. */
static bool is_new(struct latest *latest, const struct sn_value *row)
{
	int column = latest->dataset->key != NULL
			     ? sn_dataset_column(latest->dataset, latest->dataset->key)
			     : -1;
	struct sn_value key = column >= 0 ? row[column] : (struct sn_value){.type = SN_TYPE_NULL};
	sn_autofree char *name = sn_series_name(row[SN_COL_NODE], key);

	if (sn_map_get(latest->seen, name) != NULL)
		return false;
	sn_map_set(latest->seen, name, latest);
	return true;
}

static int hand_out(const struct sn_value *row, int64_t number, void *ctx)
{
	struct latest *latest = ctx;

	(void)number;
	if (is_new(latest, row))
		latest->stopped = latest->fn(row, latest->ctx) != 0;
	return latest->stopped;
}

static int run_day(struct sn_store *store, struct latest *latest, struct sn_day *day,
		   struct sn_err *err)
{
	int rc = sn_day_open_reader(store, day, err);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	rc = sn_db_exec(day->reader, "BEGIN", err);
	if (rc != 0)
		return rc;
	rc = sn_blocks_latest(day->reader, latest->dataset, latest->since_ns, hand_out, latest,
			      err);
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
