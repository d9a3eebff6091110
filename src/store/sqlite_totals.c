/* SPDX-License-Identifier: Apache-2.0 */
/* How much there is: of each day, and of each dataset over all days. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/remote.h"

#include "base/clock.h"
#include "base/mem.h"

/* Files ----------------------------------------------------------------------- */

/*
 * A commit is in the journal, with its last size and time, before its sync ends and others see it.
 * So what was read of a file that has changed lately may be older than its stamp.
 */
#define FRESH_NS (10 * SN_NS_PER_S)

/* Bytes of a file, and of its time of change what tells one state from the next. */
static void add_file(const struct sn_store *store, int32_t number, const char *suffix,
		     uint64_t *bytes, uint64_t *stamp, int64_t *changed_ns)
{
	sn_autofree char *path = sn_day_path(store, number, suffix);
	struct stat st;

	if (stat(path, &st) != 0)
		return;
	*bytes += (uint64_t)st.st_size;
	*stamp = *stamp * 31 + (uint64_t)st.st_size;
	*stamp = *stamp * 31 + (uint64_t)st.st_mtim.tv_sec;
	*stamp = *stamp * 31 + (uint64_t)st.st_mtim.tv_nsec;
	*changed_ns =
		SN_MAX(*changed_ns, st.st_mtim.tv_sec * SN_NS_PER_S + (int64_t)st.st_mtim.tv_nsec);
}

uint64_t sn_day_stamp(const struct sn_store *store, int32_t number, uint64_t *bytes)
{
	int64_t changed_ns = 0;
	uint64_t stamp = 1;

	*bytes = 0;
	add_file(store, number, "", bytes, &stamp, &changed_ns);
	add_file(store, number, "-wal", bytes, &stamp, &changed_ns);
	if (changed_ns > sn_wall_ns() - FRESH_NS)
		stamp = stamp * 31 + sn_mono_ns();
	return stamp != 0 ? stamp : 1;
}

/* Non-zero ends it. */
typedef int day_fn(const struct sn_store_day *totals, const struct sn_store_dataset *datasets,
		   size_t count, void *ctx);

/* Days ------------------------------------------------------------------------ */

static int64_t or_else(sqlite3_stmt *statement, int column, int64_t otherwise)
{
	return sqlite3_column_type(statement, column) != SQLITE_NULL
		       ? sqlite3_column_int64(statement, column)
		       : otherwise;
}

/* One dataset of a day: totals, then what is in blocks, then times of both. */
static void add_dataset(struct sn_day *day, sqlite3_stmt *statement)
{
	struct sn_store_dataset *dataset;

	day->datasets = sn_xrealloc(day->datasets, day->dataset_count + 1, sizeof(*day->datasets));
	dataset = &day->datasets[day->dataset_count++];
	*dataset = (struct sn_store_dataset){
		.version = (unsigned)sqlite3_column_int(statement, 1),
		.rows = (uint64_t)sqlite3_column_int64(statement, 3),
		.local_rows = (uint64_t)sqlite3_column_int64(statement, 4),
		.bytes = (uint64_t)sqlite3_column_int64(statement, 5),
		.first_ns =
			SN_MIN(or_else(statement, 6, INT64_MAX), or_else(statement, 8, INT64_MAX)),
		.last_ns =
			SN_MAX(or_else(statement, 7, INT64_MIN), or_else(statement, 9, INT64_MIN)),
		.days = 1,
	};
	snprintf(dataset->name, sizeof(dataset->name), "%s", sn_db_text(statement, 0));
	day->totals.batches += (uint64_t)sqlite3_column_int64(statement, 2);
	day->totals.rows += dataset->rows;
	day->totals.local_rows += dataset->local_rows;
}

static int count_rows(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	sqlite3_stmt *statement;
	int rc = sn_day_open_reader(store, day, err);

	day->dataset_count = 0;
	day->totals.batches = day->totals.rows = day->totals.local_rows = 0;
	if (rc != 0)
		return rc;
	statement = sn_db_query(
		day->reader, err,
		"SELECT d.dataset, d.version, d.batches, d.rows,"
		" coalesce(sum(b.rows), 0), coalesce(sum(b.bytes), 0),"
		" d.time_min, d.time_max, min(b.time_min), max(b.time_max)"
		" FROM _dataset AS d"
		" LEFT JOIN _layout AS l ON l.dataset = d.dataset AND l.version = d.version"
		" LEFT JOIN _block AS b ON b.layout = l.id"
		" GROUP BY d.dataset, d.version",
		"");
	rc = statement != NULL ? 1 : err->code;
	while (rc == 1 && (rc = sn_db_next(day->reader, statement, err)) == 1)
		add_dataset(day, statement);
	sn_db_done(statement);
	return rc;
}

static int totals_of(struct sn_store *store, struct sn_day *day, struct sn_err *err)
{
	uint64_t stamp = sn_day_stamp(store, day->number, &day->totals.bytes);
	int rc = 0;

	/* Files of past days do not change: a fleet's year is not counted at every look. */
	if (stamp != day->stamp)
		rc = count_rows(store, day, err);
	day->stamp = rc == 0 ? stamp : 0;
	return rc;
}

/* Rows without a file -------------------------------------------------------- */

struct addition {
	struct sn_day *day;
	struct sn_store_day totals;
	struct sn_store_dataset *datasets;
	size_t count;
};

static struct sn_store_dataset *find_dataset(struct addition *sum,
					     const struct sn_remote_foreign *foreign)
{
	struct sn_store_dataset *dataset;

	for (size_t i = 0; i < sum->count; i++) {
		dataset = &sum->datasets[i];
		if (strcmp(dataset->name, foreign->dataset) == 0 &&
		    dataset->version == foreign->version)
			return dataset;
	}
	sum->datasets = sn_xrealloc(sum->datasets, sum->count + 1, sizeof(*sum->datasets));
	dataset = &sum->datasets[sum->count++];
	*dataset = (struct sn_store_dataset){.version = foreign->version,
					     .first_ns = INT64_MAX,
					     .last_ns = INT64_MIN,
					     .days = 1};
	memcpy(dataset->name, foreign->dataset, sizeof(dataset->name));
	return dataset;
}

static int add_foreign(const struct sn_remote_foreign *foreign, void *ctx)
{
	struct addition *sum = ctx;
	struct sn_store_dataset *dataset;

	if (foreign->day != sum->day->number)
		return foreign->day > sum->day->number;
	dataset = find_dataset(sum, foreign);
	dataset->rows += foreign->rows;
	dataset->first_ns = SN_MIN(dataset->first_ns, foreign->time_min);
	dataset->last_ns = SN_MAX(dataset->last_ns, foreign->time_max);
	sum->totals.rows += foreign->rows;
	return 0;
}

/* Totals that are handed out: those of the file, and what ClickHouse has of its day besides. */
static int hand_out(struct sn_store *store, struct sn_day *day, bool has_file, day_fn *fn,
		    void *ctx, struct sn_err *err)
{
	struct addition sum = {.day = day, .totals = day->totals, .count = day->dataset_count};
	int rc = 0;

	sum.datasets = sn_xcalloc(sum.count + 1, sizeof(*sum.datasets));
	if (sum.count > 0)
		memcpy(sum.datasets, day->datasets, sum.count * sizeof(*sum.datasets));
	if (store->remote != NULL)
		rc = sn_remote_foreign(store->remote, add_foreign, &sum, err);
	if (rc == 0 && (has_file || sum.totals.rows > 0) &&
	    fn(&sum.totals, sum.datasets, sum.count, ctx) != 0)
		rc = 1;
	free(sum.datasets);
	return rc;
}

static int visit_day(struct sn_store *store, int32_t number, day_fn *fn, void *ctx,
		     struct sn_err *err)
{
	struct sn_day *day = sn_day_get(store, number);
	int rc = sn_day_fault(store, day, totals_of(store, day, err), err);

	sn_day_trim(store);
	/* Dropped since the directory was read, or it never had a file. */
	if (rc == -ENOENT && store->remote == NULL)
		return 0;
	return rc == 0 || rc == -ENOENT ? hand_out(store, day, rc == 0, fn, ctx, err) : rc;
}

static int for_each_day(struct sn_store *store, day_fn *fn, void *ctx, struct sn_err *err)
{
	sn_autofree int32_t *numbers = NULL;
	struct sn_err local = {0};
	size_t count;
	int rc, failed = 0;

	rc = sn_remote_days(store, NULL, &numbers, &count, err);
	for (size_t i = 0; rc >= 0 && rc != 1 && i < count; i++) {
		rc = visit_day(store, numbers[i], fn, ctx, &local);
		/* One bad file does not hide the others; the first error is the answer. */
		if (rc < 0 && failed == 0) {
			failed = rc;
			sn_err_set(err, rc, "%s", local.text);
		}
		rc = SN_MAX(rc, 0);
	}
	return rc < 0 ? rc : failed;
}

struct caller {
	sn_store_day_fn *fn;
	void *ctx;
};

static int hand_out_day(const struct sn_store_day *totals, const struct sn_store_dataset *datasets,
			size_t count, void *ctx)
{
	struct caller *caller = ctx;

	(void)datasets;
	(void)count;
	return caller->fn(totals, caller->ctx);
}

int sn_store_days(struct sn_store *store, sn_store_day_fn *fn, void *ctx, struct sn_err *err)
{
	struct caller caller = {fn, ctx};

	return for_each_day(store, hand_out_day, &caller, err);
}

/* Datasets -------------------------------------------------------------------- */

struct sums {
	struct sn_store_dataset *datasets; /* by name and version */
	size_t count, capacity;
};

static int by_name(const struct sn_store_dataset *a, const struct sn_store_dataset *b)
{
	int order = strcmp(a->name, b->name);

	return order != 0 ? order : (a->version > b->version) - (a->version < b->version);
}

static void add_to_sums(struct sums *sums, const struct sn_store_dataset *dataset)
{
	size_t at = 0;

	while (at < sums->count && by_name(&sums->datasets[at], dataset) < 0)
		at++;
	if (at < sums->count && by_name(&sums->datasets[at], dataset) == 0) {
		struct sn_store_dataset *sum = &sums->datasets[at];

		sum->rows += dataset->rows;
		sum->local_rows += dataset->local_rows;
		sum->bytes += dataset->bytes;
		sum->first_ns = SN_MIN(sum->first_ns, dataset->first_ns);
		sum->last_ns = SN_MAX(sum->last_ns, dataset->last_ns);
		sum->days++;
		return;
	}
	if (sums->count == sums->capacity) {
		sums->capacity = sums->capacity > 0 ? 2 * sums->capacity : 64;
		sums->datasets =
			sn_xrealloc(sums->datasets, sums->capacity, sizeof(*sums->datasets));
	}
	memmove(&sums->datasets[at + 1], &sums->datasets[at],
		(sums->count++ - at) * sizeof(*sums->datasets));
	sums->datasets[at] = *dataset;
}

static int sum_up_day(const struct sn_store_day *totals, const struct sn_store_dataset *datasets,
		      size_t count, void *ctx)
{
	(void)totals;
	for (size_t i = 0; i < count; i++)
		add_to_sums(ctx, &datasets[i]);
	return 0;
}

int sn_store_datasets(struct sn_store *store, sn_store_dataset_fn *fn, void *ctx,
		      struct sn_err *err)
{
	struct sums sums = {.count = 0};
	int rc = for_each_day(store, sum_up_day, &sums, err);

	for (size_t i = 0; i < sums.count; i++)
		if (fn(&sums.datasets[i], ctx) != 0)
			break;
	free(sums.datasets);
	return rc;
}
