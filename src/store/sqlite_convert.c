/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of release 0.1.0: a table `<dataset>_<version>` of rows per dataset, in which the column
 * `_source` stands in place of `node`.  Rows keep their numbers, so that cursors go on.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/sqlite.h"

#include "base/mem.h"

/* One table on its way. */
struct conversion {
	struct sn_db *db;
	const struct sn_dataset *dataset;
	struct sn_columns *rows;
	int64_t span_first, span_source; /* rows of one source; 0: none yet */
	size_t span_rows;
};

static void table_name(const struct sn_dataset *dataset, char out[SN_TABLE_NAME_SIZE])
{
	int n = snprintf(out, SN_TABLE_NAME_SIZE, "%s_%u", dataset->name, dataset->version);

	assert(n > 0 && n < SN_TABLE_NAME_SIZE);
}

static bool has_table(struct sn_db *db, const struct sn_dataset *dataset)
{
	char name[SN_TABLE_NAME_SIZE];

	table_name(dataset, name);
	return sqlite3_table_column_metadata(sn_db_handle(db), "main", name, "_source", NULL, NULL,
					     NULL, NULL, NULL) == SQLITE_OK;
}

/* The next dataset that has a table of rows, NULL if there is none (then `err` says whether). */
static const struct sn_dataset *find_old(struct sn_db *db, struct sn_err *err)
{
	const struct sn_dataset *found = NULL;
	sqlite3_stmt *statement = sn_db_query(db, err, "SELECT dataset, version FROM _dataset", "");

	while (statement != NULL && found == NULL && sn_db_next(db, statement, err) == 1) {
		const struct sn_dataset *dataset = sn_catalog_find(sn_db_text(statement, 0));

		if (dataset != NULL &&
		    dataset->version == (unsigned)sqlite3_column_int(statement, 1) &&
		    has_table(db, dataset))
			found = dataset;
	}
	sn_db_done(statement);
	return found;
}

int sn_day_has_old_rows(struct sn_db *db, bool *has, struct sn_err *err)
{
	struct sn_err local = {0};

	*has = find_old(db, &local) != NULL;
	if (local.code != 0)
		*err = local;
	return local.code;
}

int sn_day_is_old(struct sn_db *db, bool *old, struct sn_err *err)
{
	unsigned version = 0;
	int rc = sn_db_version(db, &version, err);

	*old = version < sn_day_version;
	return rc != 0 || *old ? rc : sn_day_has_old_rows(db, old, err);
}

/* "SELECT rowid, source, node, <column> ..." of what the table has. */
static void compile(struct sn_buf *sql, struct sn_db *db, const struct sn_dataset *dataset)
{
	char name[SN_TABLE_NAME_SIZE];

	table_name(dataset, name);
	sn_buf_adds(sql, "SELECT t.rowid, t._source, ");
	for (size_t i = 0; i < dataset->column_count; i++) {
		const char *column = dataset->columns[i].name;

		if (i == SN_COL_NODE)
			sn_buf_adds(sql, "s.node, ");
		else if (sqlite3_table_column_metadata(sn_db_handle(db), "main", name, column, NULL,
						       NULL, NULL, NULL, NULL) == SQLITE_OK)
			sn_buf_addf(sql, "t.\"%s\", ", column);
		else
			sn_buf_adds(sql, "NULL, ");
	}
	sn_buf_addf(sql,
		    "0 FROM \"%s\" AS t NOT INDEXED CROSS JOIN _source AS s ON s.id = t._source"
		    " ORDER BY t.rowid",
		    name);
}

/* What has another type than declared was not written by us: no value. */
static void take_value(struct sn_columns *rows, sqlite3_stmt *statement, int index, int column,
		       enum sn_type type)
{
	int stored = sqlite3_column_type(statement, index);
	struct sn_value value = {.type = type};

	if (type == SN_TYPE_TEXT && stored == SQLITE_TEXT) {
		value.s.p = (const char *)sqlite3_column_text(statement, index);
		value.s.n = (size_t)sqlite3_column_bytes(statement, index);
	} else if (type == SN_TYPE_F64 && (stored == SQLITE_FLOAT || stored == SQLITE_INTEGER)) {
		value.f = sqlite3_column_double(statement, index);
	} else if (type == SN_TYPE_BOOL && stored == SQLITE_INTEGER) {
		value.b = sqlite3_column_int64(statement, index) != 0;
	} else if (type != SN_TYPE_TEXT && type != SN_TYPE_F64 && stored == SQLITE_INTEGER) {
		value.i = sqlite3_column_int64(statement, index);
	} else {
		return;
	}
	sn_columns_set(rows, column, value);
}

static int end_span(struct conversion *conversion, struct sn_err *err)
{
	size_t rows = conversion->span_rows;

	conversion->span_rows = 0;
	if (rows == 0)
		return 0;
	return sn_span_add(conversion->db, conversion->dataset, conversion->span_first, rows,
			   conversion->span_source, NULL, err);
}

static int put_rows(struct conversion *conversion, struct sn_err *err)
{
	size_t rows = sn_columns_rows(conversion->rows);
	int rc = rows > 0 ? sn_blocks_put(conversion->db, conversion->rows, 0, rows, NULL, err) : 0;

	sn_columns_clear(conversion->rows);
	return rc;
}

static int take_row(struct conversion *conversion, sqlite3_stmt *statement, int64_t number,
		    struct sn_err *err)
{
	const struct sn_dataset *dataset = conversion->dataset;
	int64_t source = sqlite3_column_int64(statement, 1);
	int rc = 0;

	if (source != conversion->span_source) {
		rc = end_span(conversion, err);
		conversion->span_source = source;
	}
	if (conversion->span_rows++ == 0)
		conversion->span_first = number;
	sn_columns_add_row(conversion->rows);
	for (size_t i = 0; i < dataset->column_count; i++)
		take_value(conversion->rows, statement, (int)i + 2, (int)i,
			   dataset->columns[i].type);
	if (rc == 0 && sn_columns_rows(conversion->rows) == SN_BLOCK_ROWS_MAX)
		rc = put_rows(conversion, err);
	return rc;
}

static int take_rows(struct conversion *conversion, struct sn_err *err)
{
	struct sn_buf sql = {0};
	sqlite3_stmt *statement;
	int64_t number;
	int rc;

	rc = sn_blocks_next(conversion->db, conversion->dataset, &number, err);
	compile(&sql, conversion->db, conversion->dataset);
	statement = rc == 0 ? sn_db_query(conversion->db, err, sn_buf_cstr(&sql), "") : NULL;
	if (statement == NULL)
		rc = err->code;
	while (rc == 0 && (rc = sn_db_next(conversion->db, statement, err)) == 1)
		rc = take_row(conversion, statement, number++, err);
	sn_db_done(statement);
	sn_buf_finish(&sql);
	if (rc == 0)
		rc = end_span(conversion, err);
	if (rc == 0)
		rc = put_rows(conversion, err);
	return rc;
}

static int note_times(struct sn_db *db, const struct sn_dataset *dataset, struct sn_err *err)
{
	int rc = sn_db_run(db, err,
			   "UPDATE _dataset SET (time_min, time_max) ="
			   " (SELECT min(b.time_min), max(b.time_max) FROM _layout AS l"
			   " JOIN _block AS b ON b.layout = l.id"
			   " WHERE l.dataset = _dataset.dataset AND l.version = _dataset.version)"
			   " WHERE dataset = ? AND version = ?",
			   "ti", dataset->name, (int64_t)dataset->version);

	return SN_MIN(rc, 0);
}

static int convert(struct sn_db *db, const struct sn_dataset *dataset, struct sn_err *err)
{
	struct conversion conversion = {.db = db, .dataset = dataset};
	char name[SN_TABLE_NAME_SIZE];
	sn_autofree char *drop = NULL;
	int rc = sn_db_begin(db, err);

	if (rc != 0)
		return rc;
	/* Another store may have been faster until the transaction began. */
	if (!has_table(db, dataset)) {
		sn_db_rollback(db);
		return 0;
	}
	table_name(dataset, name);
	drop = sn_xasprintf("DROP TABLE \"%s\"", name);
	conversion.rows = sn_columns_create(dataset);
	rc = take_rows(&conversion, err);
	sn_columns_destroy(conversion.rows);
	if (rc == 0)
		rc = note_times(db, dataset, err);
	if (rc == 0)
		rc = sn_db_exec(db, drop, err);
	if (rc == 0)
		return sn_db_commit(db, err);
	sn_db_rollback(db);
	return rc;
}

int sn_day_convert(struct sn_day *day, struct sn_err *err)
{
	const struct sn_dataset *dataset;
	struct sn_err local = {0};
	int rc = 0;

	while (rc == 0 && (dataset = find_old(day->writer, &local)) != NULL)
		rc = convert(day->writer, dataset, &local);
	if (local.code == 0)
		return 0;
	*err = local;
	return local.code;
}
