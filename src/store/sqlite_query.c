/* SPDX-License-Identifier: Apache-2.0 */
/* Structured queries become SQL here, and nowhere else does SQL for rows come from. */
#include <errno.h>
#include <string.h>

#include "store/cursor.h"
#include "store/sqlite.h"

#include "base/mem.h"

/* Values that a query's text refers to by position. */
#define BINDS_MAX (SN_QUERY_FILTERS_MAX + 16)

struct binds {
	struct sn_value values[BINDS_MAX];
	int count;
};

/* One query on its way through the day files. */
struct run {
	const struct sn_query *query;
	sn_store_row_fn *fn;
	void *ctx;
	uint32_t left;         /* rows still wanted */
	struct sn_cursor last; /* place of the last row that was handed out */
	bool resumed;          /* `last` is from a cursor or a row */
	bool full, stopped;    /* there is more than was wanted; the caller has had enough */
	int node_filter;       /* filter that asks for one node, or -1 */
	struct sn_value row[SN_DATASET_COLUMNS_MAX];
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

/* SQL ---------------------------------------------------------------------- */

static void add_bind(struct binds *binds, struct sn_value value)
{
	binds->values[binds->count++] = value;
}

static void add_bind_i64(struct binds *binds, int64_t value)
{
	add_bind(binds, (struct sn_value){.type = SN_TYPE_I64, .i = value});
}

static int bind_all(struct sn_db *db, sqlite3_stmt *statement, const struct binds *binds,
		    struct sn_err *err)
{
	for (int i = 0; i < binds->count; i++) {
		const struct sn_value *value = &binds->values[i];
		int rc;

		if (value->type == SN_TYPE_TEXT)
			rc = sqlite3_bind_text(statement, i + 1, value->s.n > 0 ? value->s.p : "",
					       (int)value->s.n, SQLITE_STATIC);
		else if (value->type == SN_TYPE_F64)
			rc = sqlite3_bind_double(statement, i + 1, value->f);
		else
			rc = sqlite3_bind_int64(statement, i + 1,
						value->type == SN_TYPE_BOOL ? value->b : value->i);
		if (rc != SQLITE_OK)
			return sn_db_fail(db, err);
	}
	return 0;
}

static const char *comparison(enum sn_query_op op)
{
	static const char *const texts[] = {
		[SN_EQ] = "=",  [SN_NE] = "<>", [SN_LT] = "<",
		[SN_LE] = "<=", [SN_GT] = ">",  [SN_GE] = ">=",
	};

	return texts[op];
}

static void add_column(struct sn_buf *sql, const struct sn_dataset *dataset, size_t column,
		       const bool *present)
{
	if (column == SN_COL_NODE)
		sn_buf_adds(sql, "s.node");
	else if (present[column])
		sn_buf_addf(sql, "t.\"%s\"", dataset->columns[column].name);
	else
		sn_buf_adds(sql, "NULL");
}

void sn_row_select(struct sn_buf *sql, const struct sn_dataset *dataset, const bool *present,
		   const char *index)
{
	char table[SN_TABLE_NAME_SIZE];

	sn_table_name(dataset, table);
	sn_buf_adds(sql, "SELECT t.rowid");
	for (size_t i = 0; i < dataset->column_count; i++) {
		sn_buf_adds(sql, ", ");
		add_column(sql, dataset, i, present);
	}
	sn_buf_addf(sql, " FROM \"%s\" AS t", table);
	if (index != NULL)
		sn_buf_addf(sql, " INDEXED BY \"%s_%s\"", table, index);
	/* CROSS JOIN keeps the order of the tables: rows first, then who sent each. */
	sn_buf_adds(sql, " CROSS JOIN _source AS s ON s.id = t._source");
}

/* A row without a value in the column passes no filter but "is nothing". */
static void add_filter(struct sn_buf *sql, struct binds *binds, const struct sn_dataset *dataset,
		       const struct sn_filter *filter, const bool *present)
{
	sn_buf_adds(sql, " AND ");
	if (filter->op == SN_CONTAINS)
		sn_buf_adds(sql, "instr(");
	add_column(sql, dataset, (size_t)filter->column, present);
	if (filter->value.type == SN_TYPE_NULL) {
		sn_buf_adds(sql, filter->op == SN_EQ ? " IS NULL" : " IS NOT NULL");
		return;
	}
	if (filter->op == SN_CONTAINS)
		sn_buf_adds(sql, ", ?) > 0");
	else
		sn_buf_addf(sql, " %s ?", comparison(filter->op));
	add_bind(binds, filter->value);
}

/* First and last time that rows still to come may have. */
static void time_range(const struct run *run, int64_t *from, int64_t *to)
{
	const struct sn_query *query = run->query;

	*from = query->since_ns;
	*to = query->until_ns != 0 ? query->until_ns - 1 : INT64_MAX;
	if (run->resumed && query->newest_first)
		*to = SN_MIN(*to, run->last.time_ns);
	else if (run->resumed)
		*from = SN_MAX(*from, run->last.time_ns);
}

/* The range, and in it only what is behind the last row in the order of the query. */
static void add_time_range(struct sn_buf *sql, struct binds *binds, const struct run *run)
{
	int64_t from, to;

	time_range(run, &from, &to);
	sn_buf_adds(sql, " AND t.time >= ? AND t.time <= ?");
	add_bind_i64(binds, from);
	add_bind_i64(binds, to);
	if (!run->resumed)
		return;
	sn_buf_addf(sql, " AND (t.time, t.rowid) %s (?, ?)", run->query->newest_first ? "<" : ">");
	add_bind_i64(binds, run->last.time_ns);
	add_bind_i64(binds, run->last.rowid);
}

/*
 * All conditions and the order.  With a filter for one node the statement is for one
 * slice of time, whose number is the first value to bind: the index by series begins so.
 */
static void compile(struct sn_buf *sql, struct binds *binds, const struct run *run,
		    const bool *present)
{
	const struct sn_query *query = run->query;
	const char *order = query->newest_first ? " DESC" : "";

	sn_row_select(sql, query->dataset, present, run->node_filter >= 0 ? "series" : "time");
	if (run->node_filter >= 0) {
		sn_buf_addf(sql,
			    " WHERE (t.time >> %d) = ? AND t._source IN"
			    " (SELECT id FROM _source WHERE node = ?)",
			    SN_SLICE_SHIFT);
		add_bind_i64(binds, 0);
		add_bind(binds, query->filters[run->node_filter].value);
	} else {
		sn_buf_adds(sql, " WHERE true");
	}
	add_time_range(sql, binds, run);
	for (unsigned i = 0; i < query->filter_count; i++)
		if ((int)i != run->node_filter)
			add_filter(sql, binds, query->dataset, &query->filters[i], present);
	sn_buf_addf(sql, " ORDER BY t.time%s, t.rowid%s", order, order);
}

/* Rows --------------------------------------------------------------------- */

static void fetch_value(sqlite3_stmt *statement, int index, enum sn_type type,
			struct sn_value *value)
{
	int stored = sqlite3_column_type(statement, index);

	/* What has another type than declared was not written by us: no value. */
	value->type = SN_TYPE_NULL;
	if (type == SN_TYPE_TEXT && stored == SQLITE_TEXT) {
		value->s.p = (const char *)sqlite3_column_text(statement, index);
		value->s.n = (size_t)sqlite3_column_bytes(statement, index);
		value->type = type;
	} else if (type == SN_TYPE_F64 && (stored == SQLITE_FLOAT || stored == SQLITE_INTEGER)) {
		value->f = sqlite3_column_double(statement, index);
		value->type = type;
	} else if (type == SN_TYPE_BOOL && stored == SQLITE_INTEGER) {
		value->b = sqlite3_column_int64(statement, index) != 0;
		value->type = type;
	} else if (type != SN_TYPE_TEXT && type != SN_TYPE_F64 && stored == SQLITE_INTEGER) {
		value->i = sqlite3_column_int64(statement, index);
		value->type = type;
	}
}

void sn_row_fetch(sqlite3_stmt *statement, const struct sn_dataset *dataset, struct sn_value *row)
{
	for (size_t i = 0; i < dataset->column_count; i++)
		fetch_value(statement, (int)i + 1, dataset->columns[i].type, &row[i]);
}

static void hand_out(struct run *run, sqlite3_stmt *statement)
{
	if (run->left == 0) {
		run->full = true;
		return;
	}
	sn_row_fetch(statement, run->query->dataset, run->row);
	run->last.rowid = sqlite3_column_int64(statement, 0);
	run->last.time_ns = run->row[SN_COL_TIME].i;
	run->resumed = true;
	run->left--;
	run->stopped = run->fn(run->row, run->ctx) != 0;
}

static bool is_over(const struct run *run)
{
	return run->full || run->stopped;
}

static int step_through(struct run *run, struct sn_db *db, sqlite3_stmt *statement,
			struct sn_err *err)
{
	int rc = 1;

	while (!is_over(run) && (rc = sn_db_next(db, statement, err)) == 1)
		hand_out(run, statement);
	sqlite3_reset(statement);
	return rc < 0 ? rc : 0;
}

static int run_slices(struct run *run, struct sn_db *db, sqlite3_stmt *statement,
		      struct sn_err *err)
{
	int64_t from, to, first, last;
	int rc;

	time_range(run, &from, &to);
	rc = sn_table_slices(db, run->query->dataset, from, to, &first, &last, err);
	for (int64_t i = 0; rc == 0 && !is_over(run) && i <= last - first; i++) {
		sqlite3_bind_int64(statement, 1, run->query->newest_first ? last - i : first + i);
		rc = step_through(run, db, statement, err);
	}
	return rc;
}

static int run_table(struct run *run, struct sn_db *db, const bool *present, struct sn_err *err)
{
	struct binds binds = {.count = 0};
	struct sn_buf sql = {0};
	sqlite3_stmt *statement;
	int rc;

	compile(&sql, &binds, run, present);
	rc = sqlite3_prepare_v2(sn_db_handle(db), sn_buf_cstr(&sql), -1, &statement, NULL);
	sn_buf_finish(&sql);
	if (rc != SQLITE_OK)
		return sn_db_fail(db, err);
	rc = bind_all(db, statement, &binds, err);
	if (rc == 0 && run->node_filter >= 0)
		rc = run_slices(run, db, statement, err);
	else if (rc == 0)
		rc = step_through(run, db, statement, err);
	sqlite3_finalize(statement);
	return rc;
}

static int run_day(struct sn_store *store, struct run *run, struct sn_day *day, struct sn_err *err)
{
	bool present[SN_DATASET_COLUMNS_MAX];
	int rc = sn_day_open_reader(store, day, err);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc; /* dropped since the directory was read */
	/* One snapshot for all statements, and one lock. */
	rc = sn_db_exec(day->reader, "BEGIN", err);
	if (rc != 0)
		return rc;
	rc = sn_table_columns(day->reader, run->query->dataset, present, err);
	if (rc == 1)
		rc = run_table(run, day->reader, present, err);
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

static int find_node_filter(const struct sn_query *query)
{
	for (unsigned i = 0; i < query->filter_count; i++)
		if (query->filters[i].column == SN_COL_NODE && query->filters[i].op == SN_EQ &&
		    query->filters[i].value.type == SN_TYPE_TEXT)
			return (int)i;
	return -1;
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
	run.node_filter = find_node_filter(query);
	rc = run_days(store, &run, err);
	if (next != NULL && is_over(&run))
		*next = sn_xstrdup(sn_cursor_encode(&run.last, text));
	return rc;
}
