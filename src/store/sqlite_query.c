/* SPDX-License-Identifier: Apache-2.0 */
/* Queries over all days: which files, where a page begins and ends. */
#include <errno.h>
#include <string.h>

#include "store/blocks_query.h"
#include "store/sqlite.h"

#include "base/mem.h"

/* One query on its way through the day files. */
struct run {
	const struct sn_query *query;
	sn_store_row_fn *fn;
	void *ctx;
	uint32_t left;         /* rows still wanted */
	struct sn_cursor last; /* place of the last row that was handed out */
	bool resumed;          /* `last` is from a cursor or a row */
	bool full, stopped;    /* there is more than was wanted; the caller has had enough */
};

/* Checks ------------------------------------------------------------------- */

static bool is_number(enum sn_type type)
{
	return type == SN_TYPE_I64 || type == SN_TYPE_F64;
}

static int check_filter(const struct sn_dataset *dataset, const struct sn_filter *filter,
			struct sn_err *err)
{
	const struct sn_column *column;
	enum sn_type type = filter->value.type;

	if (filter->column < 0 || (size_t)filter->column >= dataset->column_count)
		return sn_err_set(err, -EINVAL, "a filter on column %d, which dataset '%s' has not",
				  filter->column, dataset->name);
	column = &dataset->columns[filter->column];
	if ((unsigned)filter->op > SN_CONTAINS)
		return sn_err_set(err, -EINVAL, "an unknown comparison with '%s'", column->name);
	if (type == SN_TYPE_NULL && filter->op != SN_EQ && filter->op != SN_NE)
		return sn_err_set(err, -EINVAL, "'%s' is compared with nothing", column->name);
	if (type != SN_TYPE_NULL && type != column->type &&
	    !(is_number(type) && is_number(column->type)))
		return sn_err_set(err, -EINVAL, "'%s' (%s) is compared with a value of type %s",
				  column->name, sn_type_name(column->type), sn_type_name(type));
	if (filter->op == SN_CONTAINS && column->type != SN_TYPE_TEXT)
		return sn_err_set(err, -EINVAL, "'%s' is no text to search in", column->name);
	return 0;
}

static int check_query(const struct sn_query *query, struct run *run, struct sn_err *err)
{
	int rc = 0;

	if (query->limit < 1 || query->limit > SN_QUERY_LIMIT_MAX)
		return sn_err_set(err, -EINVAL, "the limit is not from 1 to %d",
				  SN_QUERY_LIMIT_MAX);
	if (query->filter_count > SN_QUERY_FILTERS_MAX)
		return sn_err_set(err, -EINVAL, "more than %d filters", SN_QUERY_FILTERS_MAX);
	for (unsigned i = 0; rc == 0 && i < query->filter_count; i++)
		rc = check_filter(query->dataset, &query->filters[i], err);
	if (rc != 0)
		return rc;
	run->last.mark = sn_cursor_mark(query);
	if (query->cursor != NULL) {
		uint32_t mark = run->last.mark;

		if (sn_cursor_decode(sn_str(query->cursor), &run->last) != 0)
			return sn_err_set(err, -EINVAL, "the cursor is not one that was given out");
		if (run->last.mark != mark)
			return sn_err_set(err, -EINVAL, "the cursor belongs to another query");
		run->resumed = true;
	}
	return 0;
}

/* Rows --------------------------------------------------------------------- */

static int hand_out(const struct sn_value *row, int64_t number, void *ctx)
{
	struct run *run = ctx;

	if (run->left == 0) {
		run->full = true;
		return 1;
	}
	run->last.rowid = number;
	run->last.time_ns = row[SN_COL_TIME].i;
	run->resumed = true;
	run->left--;
	run->stopped = run->fn(row, run->ctx) != 0;
	return run->stopped;
}

static bool is_over(const struct run *run)
{
	return run->full || run->stopped;
}

static int run_day(struct sn_store *store, struct run *run, struct sn_day *day, struct sn_err *err)
{
	struct sn_cursor after = run->last;
	int rc = sn_day_open_reader(store, day, err);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc; /* dropped since the directory was read */
	/* One snapshot for all that is read, and one lock. */
	rc = sn_db_exec(day->reader, "BEGIN", err);
	if (rc != 0)
		return rc;
	rc = sn_blocks_query(day->reader, run->query, run->resumed ? &after : NULL, hand_out, run,
			     err);
	sn_db_rollback(day->reader);
	return rc;
}

/* Days ---------------------------------------------------------------------- */

static bool is_in_range(const struct run *run, int32_t number)
{
	const struct sn_query *query = run->query;
	int32_t place = sn_day_of(run->last.time_ns);

	if (number < sn_day_of(query->since_ns) ||
	    (query->until_ns != 0 && number > sn_day_of(query->until_ns - 1)))
		return false;
	return !run->resumed || (query->newest_first ? number <= place : number >= place);
}

static int run_days(struct sn_store *store, struct run *run, struct sn_err *err)
{
	sn_autofree int32_t *numbers = NULL;
	struct sn_err local = {0};
	int rc, failed = 0;
	size_t count;

	rc = sn_day_list(store, &numbers, &count, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < count && !is_over(run); i++) {
		int32_t number = numbers[run->query->newest_first ? count - 1 - i : i];
		struct sn_day *day;

		if (!is_in_range(run, number))
			continue;
		day = sn_day_get(store, number);
		rc = sn_day_fault(store, day, run_day(store, run, day, &local), &local);
		sn_day_trim(store);
		if (rc != 0 && failed == 0) {
			failed = rc;
			sn_err_set(err, rc, "%s", local.text);
		}
	}
	return failed;
}

int sn_store_query(struct sn_store *store, const struct sn_query *query, sn_store_row_fn *fn,
		   void *ctx, char **next, struct sn_err *err)
{
	struct run run = {.query = query, .fn = fn, .ctx = ctx, .left = query->limit};
	char text[SN_CURSOR_TEXT_SIZE];
	int rc;

	if (next != NULL)
		*next = NULL;
	rc = check_query(query, &run, err);
	if (rc != 0)
		return rc;
	rc = run_days(store, &run, err);
	if (next != NULL && is_over(&run))
		*next = sn_xstrdup(sn_cursor_encode(&run.last, text));
	return rc;
}
