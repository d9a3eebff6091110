/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blocks_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* AUTOINCREMENT: an id that is free again would stand for other rows somewhere else. */
const char sn_blocks_schema[] =
	"CREATE TABLE _layout("
	" id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, version INTEGER NOT NULL,"
	" columns TEXT NOT NULL, UNIQUE(dataset, version, columns));"
	"CREATE TABLE _block("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, layout INTEGER NOT NULL REFERENCES _layout(id),"
	" first INTEGER NOT NULL, rows INTEGER NOT NULL, tier INTEGER NOT NULL,"
	" time_min INTEGER NOT NULL, time_max INTEGER NOT NULL,"
	" packed INTEGER NOT NULL, bytes INTEGER NOT NULL);"
	"CREATE UNIQUE INDEX _block_first ON _block(layout, first);"
	"CREATE TABLE _column(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE _number("
	" dataset TEXT NOT NULL, version INTEGER NOT NULL, next INTEGER NOT NULL,"
	" PRIMARY KEY(dataset, version)) WITHOUT ROWID;"
	"CREATE TABLE _mark(block INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE _file(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
	"INSERT INTO _file VALUES('epoch', max(1, random() & 4294967295));";

int sn_blocks_epoch(struct sn_db *db, uint32_t *epoch, struct sn_err *err)
{
	struct sn_err local = {0};
	sqlite3_stmt *statement;
	int rc;

	err = err != NULL ? err : &local;
	statement = sn_db_query(db, err, "SELECT value FROM _file WHERE key = 'epoch'", "");
	rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;
	if (rc == 1)
		*epoch = (uint32_t)sqlite3_column_int64(statement, 0);
	sn_db_done(statement);
	if (rc == 0)
		return sn_err_set(err, -EUCLEAN, "a file of blocks without an epoch");
	return SN_MIN(rc, 0);
}

/* Layouts -------------------------------------------------------------------- */

static int find_type(struct sn_str name)
{
	for (int type = SN_TYPE_BOOL; type <= SN_TYPE_TIME; type++)
		if (sn_str_eqc(name, sn_type_name((enum sn_type)type)))
			return type;
	return -1;
}

static int parse_layout(struct sn_layout *layout, struct sn_err *err)
{
	struct sn_str rest = sn_str(layout->text), line, name;

	while (rest.n > 0 && sn_str_split(&rest, '\n', &line)) {
		struct sn_layout_column *column = &layout->columns[layout->count];
		int type;

		if (layout->count == SN_DATASET_COLUMNS_MAX || !sn_str_split(&line, ' ', &name))
			return sn_err_set(err, -EUCLEAN, "a layout of blocks is damaged");
		type = find_type(line);
		if (type < 0)
			return sn_err_set(err, -EPROTONOSUPPORT,
					  "column '%.*s' has a type that is not known here "
					  "(install a newer release)",
					  (int)name.n, name.p);
		*column = (struct sn_layout_column){name, (enum sn_type)type, (int)layout->count++};
	}
	return 0;
}

int sn_layout_load(struct sn_db *db, int64_t id, struct sn_layout *layout, struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT columns FROM _layout WHERE id = ?", "i", id);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;
	const char *text = rc == 1 ? (const char *)sqlite3_column_text(statement, 0) : NULL;

	layout->text = sn_xstrdup(text != NULL ? text : "");
	layout->count = 0;
	sn_db_done(statement);
	if (rc == 1)
		rc = parse_layout(layout, err);
	else if (rc == 0)
		rc = sn_err_set(err, -EUCLEAN, "layout %" PRId64 " of blocks is missing", id);
	if (rc != 0)
		sn_layout_finish(layout);
	return rc;
}

void sn_layout_finish(struct sn_layout *layout)
{
	free(layout->text);
	layout->text = NULL;
}

/* Listing --------------------------------------------------------------------- */

int sn_blocks_fetch(sqlite3_stmt *statement, struct sn_blocks_info *info, struct sn_err *err)
{
	int64_t rows = sqlite3_column_int64(statement, 3);

	*info = (struct sn_blocks_info){
		.id = sqlite3_column_int64(statement, 0),
		.layout = sqlite3_column_int64(statement, 1),
		.first = sqlite3_column_int64(statement, 2),
		.rows = (size_t)rows,
		.time_min = sqlite3_column_int64(statement, 4),
		.time_max = sqlite3_column_int64(statement, 5),
		.packed = sqlite3_column_int64(statement, 6) != 0,
		.bytes = (uint64_t)sqlite3_column_int64(statement, 7),
	};
	if (rows < 1 || rows > SN_BLOCK_ROWS_MAX || info->first < 1 || info->id < 1 ||
	    info->id > INT64_MAX / SN_BLOCKS_SLOTS - 1)
		return sn_err_set(err, -EUCLEAN, "block %" PRId64 " cannot have %" PRId64 " rows",
				  info->id, rows);
	return 0;
}

int sn_blocks_list(struct sn_db *db, const struct sn_dataset *dataset, int64_t from_ns,
		   int64_t to_ns, sn_blocks_fn *fn, void *ctx, struct sn_err *err)
{
	struct sn_err local = {0};
	struct sn_blocks_info info;
	sqlite3_stmt *statement;
	bool stopped = false;
	int rc;

	err = err != NULL ? err : &local;
	statement = sn_db_query(db, err,
				SN_BLOCKS_SELECT
				" AND b.time_max >= ? AND b.time_min <= ? ORDER BY b.first",
				"tiii", dataset->name, (int64_t)dataset->version, from_ns, to_ns);
	if (statement == NULL)
		return err->code;
	while (!stopped && (rc = sn_db_next(db, statement, err)) == 1) {
		rc = sn_blocks_fetch(statement, &info, err);
		if (rc != 0)
			break;
		stopped = fn(&info, ctx) != 0;
	}
	sn_db_done(statement);
	return stopped ? 0 : rc;
}

/* Reading --------------------------------------------------------------------- */

/* What is told of data that is not there: the block was replaced, or the file is damaged. */
static int explain_missing(struct sn_db *db, int64_t block, struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT 1 FROM _block WHERE id = ?", "i", block);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	sn_db_done(statement);
	if (rc < 0)
		return rc;
	return rc == 1 ? sn_err_set(err, -EUCLEAN, "a column is missing")
		       : sn_err_set(err, -ESTALE, "it is not there any more");
}

static int read_column(const struct sn_blocks_info *info, const struct sn_layout_column *column,
		       struct sn_str data, struct sn_block_column **out, struct sn_err *err)
{
	struct sn_str bytes = data;
	int rc = 0;

	if (info->packed && sn_block_unpack(data, (size_t)column->place, &bytes) != 0)
		rc = sn_err_set(err, -EUCLEAN, "a packed block is damaged");
	if (rc == 0)
		rc = sn_block_read(bytes, column->type, info->rows, out, err);
	if (rc != 0)
		sn_err_wrap(err, "column '%.*s'", (int)column->name.n, column->name.p);
	return rc;
}

static sqlite3_stmt *select_data(struct sn_db *db, int64_t id, struct sn_str *data,
				 struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT data FROM _column WHERE id = ?", "i", id);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	if (rc == 1) {
		data->p = sqlite3_column_blob(statement, 0);
		data->n = (size_t)sqlite3_column_bytes(statement, 0);
		return statement;
	}
	sn_db_done(statement);
	if (rc == 0)
		explain_missing(db, id / SN_BLOCKS_SLOTS, err);
	return NULL;
}

static int load_one(struct sn_db *db, const struct sn_blocks_info *info,
		    const struct sn_layout_column *column, struct sn_block_column **out,
		    struct sn_err *err)
{
	struct sn_str data = {0};
	sqlite3_stmt *statement =
		select_data(db, info->id * SN_BLOCKS_SLOTS + column->place, &data, err);
	int rc = statement != NULL ? read_column(info, column, data, out, err) : err->code;

	sn_db_done(statement);
	return rc;
}

static int load_packed(struct sn_db *db, const struct sn_blocks_info *info,
		       const struct sn_layout_column *columns, size_t count,
		       struct sn_block_column **out, struct sn_err *err)
{
	struct sn_str data = {0};
	sqlite3_stmt *statement = select_data(db, info->id * SN_BLOCKS_SLOTS, &data, err);
	int rc = statement != NULL ? 0 : err->code;

	for (size_t i = 0; rc == 0 && i < count; i++)
		if (columns[i].place >= 0)
			rc = read_column(info, &columns[i], data, &out[i], err);
	sn_db_done(statement);
	return rc;
}

int sn_block_load(struct sn_db *db, const struct sn_blocks_info *info,
		  const struct sn_layout_column *columns, size_t count,
		  struct sn_block_column **out, struct sn_err *err)
{
	int rc = 0;

	if (info->packed)
		rc = load_packed(db, info, columns, count, out, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (columns[i].place < 0)
			out[i] = sn_block_column_of_nulls(columns[i].type, info->rows);
		else if (!info->packed)
			rc = load_one(db, info, &columns[i], &out[i], err);
	}
	if (rc == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		sn_block_column_destroy(out[i]);
		out[i] = NULL;
	}
	return sn_err_wrap(err, "block %" PRId64, info->id);
}

/* Where the layout has the dataset's column; at its own place if nothing changed since. */
static int find_place(const struct sn_layout *layout, const struct sn_column *column, size_t guess)
{
	size_t at = guess;

	if (at >= layout->count || !sn_str_eqc(layout->columns[at].name, column->name))
		for (at = 0; at < layout->count; at++)
			if (sn_str_eqc(layout->columns[at].name, column->name))
				break;
	return at < layout->count && layout->columns[at].type == column->type ? (int)at : -1;
}

int sn_blocks_read(struct sn_db *db, const struct sn_blocks_info *block,
		   const struct sn_dataset *dataset, const int *columns, size_t count,
		   struct sn_block_column **out, struct sn_err *err)
{
	struct sn_layout_column wanted[SN_DATASET_COLUMNS_MAX];
	struct sn_layout layout;
	struct sn_err local = {0};
	int rc;

	err = err != NULL ? err : &local;
	assert(count <= SN_DATASET_COLUMNS_MAX);
	memset(out, 0, count * sizeof(*out));
	rc = sn_layout_load(db, block->layout, &layout, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < count; i++) {
		const struct sn_column *column = &dataset->columns[columns[i]];

		assert(columns[i] >= 0 && (size_t)columns[i] < dataset->column_count);
		wanted[i] = (struct sn_layout_column){
			.name = sn_str(column->name),
			.type = column->type,
			.place = find_place(&layout, column, (size_t)columns[i]),
		};
	}
	rc = sn_block_load(db, block, wanted, count, out, err);
	sn_layout_finish(&layout);
	return rc;
}

/* Removing -------------------------------------------------------------------- */

int sn_blocks_remove(struct sn_db *db, int64_t id, struct sn_err *err)
{
	struct sn_err local = {0};
	int rc;

	err = err != NULL ? err : &local;
	assert(!sqlite3_get_autocommit(sn_db_handle(db)));
	rc = sn_db_run(db, err, "DELETE FROM _block WHERE id = ?", "i", id);
	if (rc == 0)
		return sn_err_set(err, -ESTALE, "block %" PRId64 " is not there any more", id);
	if (rc > 0)
		rc = sn_db_run(db, err, "DELETE FROM _column WHERE id BETWEEN ? AND ?", "ii",
			       id * SN_BLOCKS_SLOTS, id * SN_BLOCKS_SLOTS + SN_BLOCKS_SLOTS - 1);
	if (rc >= 0)
		rc = sn_db_run(db, err, "DELETE FROM _mark WHERE block = ?", "i", id);
	return SN_MIN(rc, 0);
}
