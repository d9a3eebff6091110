/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in the order of time.
 *
 * A server sorts what it is asked for in memory, and reads all columns of all rows that it sorts.
 * So a day is asked first how many rows pass in each of its seconds, which reads the column of
 * times and those of the filters; then for pieces of some seconds each, as large as both sides can
 * hold, and not more of them than are wanted.  Where a number of rows is wanted that is done with a
 * part of the day first, and a larger part of what is left as long as there are not enough.
 */
#include "store/clickhouse_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/block.h"

#define DAY_NS         (86400 * SN_NS_PER_S)
#define CELLS_MAX      (1 << 24) /* rows times columns of a piece, about */
#define PIECE_ROWS_MIN 8192
#define WINDOW_NS      (60 * SN_NS_PER_S) /* the first one of a day */
#define WINDOW_GROWS   16

/* Rows that pass in a second of the day. */
struct second {
	int64_t number, rows;
};

struct scan {
	struct sn_clickhouse *ch;
	const struct sn_clickhouse_scan *wanted;
	const struct sn_dataset *dataset;
	struct sn_clickhouse_table *table;
	struct sn_columns *rows;
	sn_clickhouse_rows_fn *fn;
	void *ctx;
	uint64_t left; /* rows still wanted, if there is a limit */
	/* Columns of the answer: those of the dataset that the table has, and the row's number. */
	struct sn_native_column columns[SN_DATASET_COLUMNS_MAX + 1];
	int places[SN_DATASET_COLUMNS_MAX + 1]; /* in the dataset */
	size_t column_count;
	int32_t *days;
	size_t day_count;
	struct second *seconds;
	size_t second_count;
};

static int32_t day_of(int64_t unix_ns)
{
	return (int32_t)(unix_ns / DAY_NS - (unix_ns % DAY_NS < 0));
}

/* What is asked ------------------------------------------------------------------ */

static int check(const struct sn_clickhouse_scan *wanted, struct sn_err *err)
{
	const struct sn_query *query = wanted->query;

	if (query->filter_count > SN_QUERY_FILTERS_MAX)
		return sn_err_set(err, -EINVAL, "more than %d filters", SN_QUERY_FILTERS_MAX);
	if (wanted->without_count > SN_CLICKHOUSE_BLOCKS_MAX)
		return sn_err_set(err, -EINVAL, "more than %d blocks are left out",
				  SN_CLICKHOUSE_BLOCKS_MAX);
	for (unsigned i = 0; i < query->filter_count; i++) {
		const struct sn_filter *filter = &query->filters[i];

		if (filter->column < 0 || (size_t)filter->column >= query->dataset->column_count)
			return sn_err_set(err, -EINVAL, "a filter on column %d, of %zu",
					  filter->column, query->dataset->column_count);
		if (filter->value.type == SN_TYPE_F64 && !isfinite(filter->value.f))
			return sn_err_set(err, -EINVAL, "'%s' is compared with what is no number",
					  query->dataset->columns[filter->column].name);
	}
	return 0;
}

/* First and last time that rows may have. */
static void time_range(const struct sn_clickhouse_scan *wanted, int64_t *from, int64_t *to)
{
	const struct sn_query *query = wanted->query;

	*from = query->since_ns;
	*to = query->until_ns != 0 ? query->until_ns - 1 : INT64_MAX;
	if (wanted->resumed && query->newest_first)
		*to = SN_MIN(*to, wanted->after_ns);
	else if (wanted->resumed)
		*from = SN_MAX(*from, wanted->after_ns);
}

static void add_without(struct sn_buf *sql, const uint64_t *without, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sn_buf_addf(sql, "%s%" PRIu64, i == 0 ? " AND _block NOT IN (" : ", ", without[i]);
	if (count > 0)
		sn_buf_addc(sql, ')');
}

static void add_filters(struct scan *scan, struct sn_buf *sql)
{
	const struct sn_query *query = scan->wanted->query;
	bool open = false; /* the one before is half of two */

	for (unsigned i = 0; i < query->filter_count; i++) {
		const struct sn_filter *filter = &query->filters[i];

		sn_buf_adds(sql, open ? " OR " : filter->or_next ? " AND (" : " AND ");
		sn_sql_add_filter(sql, scan->dataset, filter, scan->table->has[filter->column]);
		if (open)
			sn_buf_addc(sql, ')');
		open = filter->or_next;
	}
}

/* FROM and WHERE for rows of the day from the first to the last time. */
static void add_where(struct scan *scan, int32_t day, int64_t from, int64_t to)
{
	const struct sn_clickhouse_scan *wanted = scan->wanted;
	struct sn_buf *sql = &scan->ch->sql;

	sn_buf_adds(sql, " FROM ");
	sn_clickhouse_add_table(scan->ch, scan->table->name);
	sn_buf_adds(sql, " WHERE _day = ");
	sn_sql_add_day(sql, day);
	sn_buf_addf(sql, " AND time >= %" PRId64 " AND time <= %" PRId64, from, to);
	if (wanted->resumed)
		sn_buf_addf(sql, " AND (time %s %" PRId64 " OR _number %s %" PRId64 ")",
			    wanted->query->newest_first ? "<" : ">", wanted->after_ns,
			    wanted->query->newest_first ? "<" : ">", wanted->after_number);
	add_filters(scan, sql);
	add_without(sql, wanted->without, wanted->without_count);
	if (wanted->only_block != 0)
		sn_buf_addf(sql, " AND _block = %" PRIu64, wanted->only_block);
	if (wanted->hide_to != 0)
		sn_buf_addf(sql,
			    " AND (_block < %" PRIu64 " OR _block > %" PRIu64
			    " OR _number < %" PRId64 ")",
			    wanted->hide_from, wanted->hide_to, wanted->hide_number);
}

/* Days -------------------------------------------------------------------------- */

static int take_days(const struct sn_vector *columns, size_t rows, void *ctx)
{
	struct scan *scan = ctx;

	scan->days = sn_xrealloc(scan->days, scan->day_count + rows, sizeof(*scan->days));
	for (size_t i = 0; i < rows; i++)
		scan->days[scan->day_count++] = sn_clickhouse_partition_day(columns[0].i[i]);
	return 0;
}

/* Days of which the table may have rows, in the order of the scan. */
static int find_days(struct scan *scan, int32_t first, int32_t last, struct sn_err *err)
{
	static const struct sn_native_column columns[] = {{"_sonde_day", SN_TYPE_I64, false}};
	struct sn_buf *sql = &scan->ch->sql;
	char local[SN_CLICKHOUSE_TABLE_NAME_MAX + 2];

	if (first == last) {
		scan->days = sn_new(int32_t);
		scan->days[scan->day_count++] = first;
		return 0;
	}
	sn_clickhouse_local_name(scan->ch, scan->table->name, local);
	sn_buf_clear(sql);
	sn_buf_adds(sql, "SELECT DISTINCT toInt64OrZero(partition_id) AS _sonde_day FROM ");
	sn_clickhouse_add_parts(scan->ch, local);
	sn_buf_addf(sql, " AND _sonde_day >= %" PRId64 " AND _sonde_day <= %" PRId64,
		    sn_clickhouse_partition(first), sn_clickhouse_partition(last));
	sn_buf_addf(sql, " ORDER BY _sonde_day%s",
		    scan->wanted->query->newest_first ? " DESC" : "");
	return sn_clickhouse_ask(scan->ch, columns, SN_COUNT(columns), take_days, scan, err);
}

/* Seconds ------------------------------------------------------------------------ */

static int take_seconds(const struct sn_vector *columns, size_t rows, void *ctx)
{
	struct scan *scan = ctx;

	scan->seconds =
		sn_xrealloc(scan->seconds, scan->second_count + rows, sizeof(*scan->seconds));
	for (size_t i = 0; i < rows; i++)
		scan->seconds[scan->second_count++] =
			(struct second){columns[0].i[i], columns[1].i[i]};
	/* A day has no more; whatever says so is not ours. */
	return scan->second_count > 2 * 86400;
}

/* How many rows pass in each second from `from` on, in the order of the scan. */
static int find_seconds(struct scan *scan, int32_t day, int64_t from, int64_t to,
			struct sn_err *err)
{
	static const struct sn_native_column columns[] = {{"_sonde_second", SN_TYPE_I64, false},
							  {"_sonde_rows", SN_TYPE_I64, false}};
	struct sn_buf *sql = &scan->ch->sql;
	int rc;

	scan->second_count = 0;
	sn_buf_clear(sql);
	sn_buf_addf(sql,
		    "SELECT toInt64(intDiv(time - %" PRId64 ", 1000000000)) AS _sonde_second, "
		    "toInt64(count()) AS _sonde_rows",
		    from);
	add_where(scan, day, from, to);
	sn_buf_addf(sql, " GROUP BY _sonde_second ORDER BY _sonde_second%s",
		    scan->wanted->query->newest_first ? " DESC" : "");
	rc = sn_clickhouse_ask(scan->ch, columns, SN_COUNT(columns), take_seconds, scan, err);
	return rc <= 0 ? rc
		       : sn_err_set(err, -EBADMSG,
				    "ClickHouse at '%s' has days of too many seconds",
				    sn_clickhouse_place(scan->ch));
}

/* Rows ----------------------------------------------------------------------------- */

/* The columns that the table has; the row's number comes last. */
static void choose_columns(struct scan *scan)
{
	for (size_t i = 0; i < scan->dataset->column_count; i++) {
		if (!scan->table->has[i])
			continue;
		scan->places[scan->column_count] = (int)i;
		scan->columns[scan->column_count++] = sn_clickhouse_column(scan->dataset, i);
	}
	scan->columns[scan->column_count++] =
		(struct sn_native_column){"_number", SN_TYPE_I64, false};
}

static void add_select(struct scan *scan)
{
	sn_buf_clear(&scan->ch->sql);
	sn_buf_adds(&scan->ch->sql, "SELECT ");
	for (size_t i = 0; i < scan->column_count; i++) {
		if (i > 0)
			sn_buf_adds(&scan->ch->sql, ", ");
		sn_sql_add_name(&scan->ch->sql, scan->columns[i].name);
	}
}

static void take_row(struct scan *scan, const struct sn_vector *columns, size_t row)
{
	sn_columns_add_row(scan->rows);
	for (size_t i = 0; i + 1 < scan->column_count; i++) {
		const struct sn_vector *column = &columns[i];
		int place = scan->places[i];

		if (sn_vector_is_null(column, row))
			continue;
		if (column->type == SN_TYPE_I64)
			sn_columns_set_i64(scan->rows, place, column->i[row]);
		else if (column->type == SN_TYPE_F64)
			sn_columns_set_f64(scan->rows, place, column->f[row]);
		else if (column->type == SN_TYPE_TEXT)
			sn_columns_set_text(scan->rows, place, column->s[row]);
		else if (column->type == SN_TYPE_TIME)
			sn_columns_set_time(scan->rows, place, column->i[row]);
		else
			sn_columns_set_bool(scan->rows, place, column->b[row]);
	}
}

static int take_rows(const struct sn_vector *columns, size_t rows, void *ctx)
{
	struct scan *scan = ctx;
	const int64_t *numbers = columns[scan->column_count - 1].i;
	size_t end;
	int rc = 0;

	for (size_t row = 0; rc == 0 && row < rows; row = end) {
		end = SN_MIN(row + SN_BLOCK_ROWS_MAX, rows);
		sn_columns_clear(scan->rows);
		for (size_t i = row; i < end; i++)
			take_row(scan, columns, i);
		rc = scan->fn(scan->rows, numbers + row, scan->ctx);
	}
	scan->left -= SN_MIN(scan->left, rows);
	return rc;
}

static int read_piece(struct scan *scan, int32_t day, int64_t from, int64_t to, struct sn_err *err)
{
	const char *order = scan->wanted->query->newest_first ? " DESC" : "";

	add_select(scan);
	add_where(scan, day, from, to);
	sn_buf_addf(&scan->ch->sql, " ORDER BY time%s, _number%s, _block%s", order, order, order);
	if (scan->wanted->limit > 0)
		sn_buf_addf(&scan->ch->sql, " LIMIT %" PRIu64, scan->left);
	return sn_clickhouse_ask(scan->ch, scan->columns, scan->column_count, take_rows, scan, err);
}

/* How many seconds from number `i` on make a piece. */
static size_t piece_at(const struct scan *scan, size_t i)
{
	uint64_t enough = SN_MAX(CELLS_MAX / scan->column_count, PIECE_ROWS_MIN), rows = 0;
	size_t begin = i;

	if (scan->wanted->limit > 0)
		enough = SN_MIN(enough, scan->left);
	while (i < scan->second_count && (i == begin || rows < enough))
		rows += (uint64_t)scan->seconds[i++].rows;
	return i - begin;
}

/* 1 if no more rows are wanted. */
static int read_window(struct scan *scan, int32_t day, int64_t from, int64_t to, struct sn_err *err)
{
	size_t count;
	int rc = find_seconds(scan, day, from, to, err);

	for (size_t i = 0; rc == 0 && i < scan->second_count; i += count) {
		int64_t first, last;

		count = piece_at(scan, i);
		first = scan->seconds[i].number;
		last = scan->seconds[i + count - 1].number;
		rc = read_piece(scan, day, from + SN_MIN(first, last) * SN_NS_PER_S,
				SN_MIN(to, from + (SN_MAX(first, last) + 1) * SN_NS_PER_S - 1),
				err);
		if (rc == 0 && scan->wanted->limit > 0 && scan->left == 0)
			rc = 1;
	}
	return rc;
}

/*
 * In windows that grow: whoever wants a few rows need not wait until those of a whole day are
 * counted.
 */
static int read_in_windows(struct scan *scan, int32_t day, int64_t from, int64_t to,
			   struct sn_err *err)
{
	bool newest_first = scan->wanted->query->newest_first;
	int64_t near_ns = scan->wanted->near_ns, width_ns = WINDOW_NS;
	int rc = 0;

	if (near_ns == 0)
		near_ns = newest_first ? to : from;
	near_ns = SN_MAX(from, SN_MIN(to, near_ns));
	for (; rc == 0 && from <= to; width_ns *= WINDOW_GROWS) {
		if (newest_first) {
			near_ns = SN_MAX(from, near_ns - width_ns);
			rc = read_window(scan, day, near_ns, to, err);
			to = near_ns - 1;
		} else {
			near_ns = SN_MIN(to, near_ns + width_ns);
			rc = read_window(scan, day, from, near_ns, err);
			from = near_ns + 1;
		}
	}
	return rc;
}

static int read_day(struct scan *scan, int32_t day, struct sn_err *err)
{
	int64_t from, to, begin = (int64_t)day * DAY_NS;

	time_range(scan->wanted, &from, &to);
	from = SN_MAX(from, begin);
	to = SN_MIN(to, begin + DAY_NS - 1);
	return scan->wanted->limit > 0 ? read_in_windows(scan, day, from, to, err)
				       : read_window(scan, day, from, to, err);
}

static int read_days(struct scan *scan, struct sn_err *err)
{
	int64_t from, to;
	int32_t first, last;
	int rc;

	time_range(scan->wanted, &from, &to);
	first = SN_MAX(day_of(from), 0);
	last = SN_MIN(day_of(to), SN_CLICKHOUSE_LAST_DAY);
	if (from > to || first > last)
		return 0;
	rc = find_days(scan, first, last, err);
	for (size_t i = 0; rc == 0 && i < scan->day_count; i++)
		rc = read_day(scan, scan->days[i], err);
	return rc;
}

int sn_clickhouse_scan(struct sn_clickhouse *ch, const struct sn_clickhouse_scan *wanted,
		       sn_clickhouse_rows_fn *fn, void *ctx, struct sn_err *err)
{
	struct scan *scan;
	int rc = check(wanted, err);

	if (rc != 0)
		return rc;
	scan = sn_new(struct scan);
	*scan = (struct scan){.ch = ch,
			      .wanted = wanted,
			      .dataset = wanted->query->dataset,
			      .fn = fn,
			      .ctx = ctx,
			      .left = wanted->limit};
	rc = sn_clickhouse_table(ch, scan->dataset, &scan->table, err);
	if (rc == 0 && scan->table->exists) {
		scan->rows = sn_columns_create(scan->dataset);
		choose_columns(scan);
		rc = read_days(scan, err);
	}
	sn_columns_destroy(scan->rows);
	free(scan->days);
	free(scan->seconds);
	free(scan);
	return SN_MIN(rc, 0);
}

/* Newest rows ----------------------------------------------------------------------- */

static void add_since(struct scan *scan, int64_t since_ns)
{
	struct sn_buf *sql = &scan->ch->sql;

	sn_buf_adds(sql, " FROM ");
	sn_clickhouse_add_table(scan->ch, scan->table->name);
	sn_buf_adds(sql, " WHERE _day >= ");
	sn_sql_add_day(sql, SN_MAX(day_of(since_ns), 0));
	sn_buf_addf(sql, " AND time >= %" PRId64 " AND node IS NOT NULL", since_ns);
	add_without(sql, scan->wanted->without, scan->wanted->without_count);
}

/* A series' newest row is found by its place, which is what all its rows have to be looked at for.
 */
static int read_latest(struct scan *scan, int64_t since_ns, struct sn_err *err)
{
	const struct sn_dataset *dataset = scan->dataset;
	struct sn_buf *sql = &scan->ch->sql;
	int key = dataset->key != NULL ? sn_dataset_column(dataset, dataset->key) : -1;

	choose_columns(scan);
	add_select(scan);
	add_since(scan, since_ns);
	sn_buf_addf(sql,
		    " AND (time, _number, _block) %sIN (SELECT _sonde_newest.1, _sonde_newest.2, "
		    "_sonde_newest.3 FROM (SELECT max((time, _number, _block)) AS _sonde_newest",
		    scan->ch->cluster != NULL ? "GLOBAL " : "");
	add_since(scan, since_ns);
	sn_buf_adds(sql, " GROUP BY node");
	if (key >= 0 && scan->table->has[key] && key != SN_COL_NODE) {
		sn_buf_adds(sql, ", ");
		sn_sql_add_name(sql, dataset->key);
	}
	sn_buf_adds(sql, "))");
	return sn_clickhouse_ask(scan->ch, scan->columns, scan->column_count, take_rows, scan, err);
}

int sn_clickhouse_latest(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
			 int64_t since_ns, const uint64_t *without, size_t without_count,
			 sn_clickhouse_rows_fn *fn, void *ctx, struct sn_err *err)
{
	struct sn_query query = {.dataset = dataset};
	struct sn_clickhouse_scan wanted = {
		.query = &query, .without = without, .without_count = without_count};
	struct scan *scan;
	int rc = check(&wanted, err);

	if (rc != 0 || day_of(since_ns) > SN_CLICKHOUSE_LAST_DAY)
		return rc;
	scan = sn_new(struct scan);
	*scan = (struct scan){
		.ch = ch, .wanted = &wanted, .dataset = dataset, .fn = fn, .ctx = ctx};
	rc = sn_clickhouse_table(ch, dataset, &scan->table, err);
	if (rc == 0 && scan->table->exists && scan->table->has[SN_COL_NODE]) {
		scan->rows = sn_columns_create(dataset);
		rc = read_latest(scan, since_ns, err);
	}
	sn_columns_destroy(scan->rows);
	free(scan);
	return SN_MIN(rc, 0);
}
