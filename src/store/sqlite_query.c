/* SPDX-License-Identifier: Apache-2.0 */
/* Queries over all days: which files, where a page begins and ends; with the rows of ClickHouse. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/blocks_query.h"
#include "store/remote.h"

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
	bool deaf;             /* ClickHouse did not answer: it is not asked again */
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

/* Two that are one: `filter` and the one behind it. */
static int check_pair(const struct sn_query *query, const struct sn_filter *filter,
		      struct sn_err *err)
{
	if (!filter->or_next || (filter + 1 < query->filters + query->filter_count &&
				 filter[1].column == filter->column && !filter[1].or_next))
		return 0;
	return sn_err_set(err, -EINVAL, "'%s' or what comes next, and no filter of it comes",
			  query->dataset->columns[filter->column].name);
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
	for (unsigned i = 0; rc == 0 && i < query->filter_count; i++)
		rc = check_pair(query, &query->filters[i], err);
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

/* Both sources of a day --------------------------------------------------------- */

/* Rows of the file and of ClickHouse, each in order, on their way into one. */
struct merge {
	struct run *run;
	int32_t day;
	struct sn_blocks_search *local; /* NULL: there is no file */
	const struct sn_value *row;     /* the file's next one, NULL at its end */
	int64_t number;
	int rc;
	struct sn_err *err; /* of the file */
};

static void next_local(struct merge *merge)
{
	merge->row = NULL;
	if (merge->local != NULL)
		merge->rc = sn_blocks_search_next(merge->local, &merge->row, &merge->number,
						  merge->err);
	if (merge->rc != 1)
		merge->row = NULL;
}

/* Whether the file's next row is to be handed out before the one of that place. */
static bool is_local_first(const struct merge *merge, int64_t time_ns, int64_t number)
{
	int64_t local_ns;
	bool early;

	if (merge->row == NULL)
		return false;
	local_ns = merge->row[SN_COL_TIME].i;
	early = local_ns != time_ns ? local_ns < time_ns : merge->number < number;
	return early != merge->run->query->newest_first;
}

static void hand_out_local(struct merge *merge)
{
	hand_out(merge->row, merge->number, merge->run);
	if (!is_over(merge->run))
		next_local(merge);
}

static int take_remote(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	struct merge *merge = ctx;
	struct sn_value row[SN_DATASET_COLUMNS_MAX];

	for (size_t i = 0; i < sn_columns_rows(rows); i++) {
		sn_columns_row(rows, i, row);
		while (!is_over(merge->run) &&
		       is_local_first(merge, row[SN_COL_TIME].i, numbers[i]))
			hand_out_local(merge);
		if (is_over(merge->run) || merge->rc < 0)
			return 1;
		if (sn_day_of(row[SN_COL_TIME].i) == merge->day &&
		    hand_out(row, numbers[i], merge->run) != 0)
			return 1;
	}
	return 0;
}

static int scan_remote(struct sn_store *store, struct merge *merge,
		       const struct sn_remote_part *part, struct sn_err *err)
{
	struct sn_query query = *merge->run->query;
	struct sn_clickhouse_scan scan = {
		.query = &query,
		.limit = merge->day != -1 ? (uint64_t)merge->run->left + 1 : 0,
		.resumed = merge->run->resumed,
		.after_ns = merge->run->last.time_ns,
		.after_number = merge->run->last.rowid,
		.hide_from = part->hide_from,
		.hide_to = part->hide_to,
		.hide_number = part->hide_number,
		.near_ns = merge->run->query->newest_first ? part->last_ns : part->first_ns,
	};
	int rc;

	sn_remote_narrow(&query, merge->day);
	rc = sn_clickhouse_scan(store->remote->client, &scan, take_remote, merge, err);
	return is_over(merge->run) || merge->rc < 0 || rc >= 0 ? 0
							       : sn_remote_failed(merge->day, err);
}

/* What ClickHouse could not tell is an error behind the rows of the file. */
static int run_both(struct sn_store *store, struct merge *merge, const struct sn_remote_part *part,
		    struct sn_db *db, struct sn_err *err)
{
	struct run *run = merge->run;
	struct sn_cursor after = run->last;
	struct sn_err remote = {0};
	int rc = 0;

	if (db != NULL)
		rc = sn_blocks_search_open(db, run->query, run->resumed ? &after : NULL,
					   &merge->local, err);
	if (rc != 0)
		return rc;
	next_local(merge);
	if (merge->rc >= 0)
		run->deaf = scan_remote(store, merge, part, &remote) != 0;
	while (merge->row != NULL && !is_over(run))
		hand_out_local(merge);
	if (merge->rc >= 0 && merge->local != NULL)
		merge->rc = sn_blocks_search_damage(merge->local, err);
	sn_blocks_search_close(merge->local);
	if (merge->rc < 0)
		return merge->rc;
	if (run->deaf)
		*err = remote;
	return remote.code;
}

static int run_local(struct run *run, struct sn_db *db, struct sn_err *err)
{
	struct sn_cursor after = run->last;

	return sn_blocks_query(db, run->query, run->resumed ? &after : NULL, hand_out, run, err);
}

static int run_parts(struct sn_store *store, struct run *run, int32_t day, struct sn_db *db,
		     struct sn_err *err)
{
	struct merge merge = {.run = run, .day = day, .err = err};
	struct sn_err remote = {0};
	struct sn_remote_part part;
	int rc = sn_remote_look(store, day, db, run->query->dataset, &part, &remote);

	if (rc != 0 && rc != -EREMOTE) {
		*err = remote;
		return rc;
	}
	if (rc == 0 && part.wanted && !run->deaf)
		return run_both(store, &merge, &part, db, err);
	if (db != NULL && (rc = run_local(run, db, err)) != 0)
		return rc;
	if (remote.code != 0)
		*err = remote;
	return remote.code;
}

static int run_day(struct sn_store *store, struct run *run, struct sn_day *day, struct sn_err *err)
{
	int rc = sn_day_open_reader(store, day, err);

	if (rc == -ENOENT) {
		/* Dropped since the directory was read, or it never had a file. */
		err->code = 0;
		return run_parts(store, run, day->number, NULL, err);
	}
	/* One snapshot for all that is read, and one lock. */
	if (rc == 0)
		rc = sn_db_exec(day->reader, "BEGIN", err);
	if (rc != 0)
		return rc;
	rc = run_parts(store, run, day->number, day->reader, err);
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

	rc = sn_remote_days(store, run->query->dataset, &numbers, &count, err);
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
