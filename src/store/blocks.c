/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blocks_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SLOTS 256 /* ids of _column per block */

_Static_assert(SN_DATASET_COLUMNS_MAX <= SLOTS, "each column has a place");

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
	" PRIMARY KEY(dataset, version)) WITHOUT ROWID;";

/* Layouts -------------------------------------------------------------------- */

static void describe(const struct sn_dataset *dataset, struct sn_buf *text)
{
	for (size_t i = 0; i < dataset->column_count; i++) {
		sn_buf_adds(text, dataset->columns[i].name);
		sn_buf_addc(text, ' ');
		sn_buf_adds(text, sn_type_name(dataset->columns[i].type));
		sn_buf_addc(text, '\n');
	}
}

/* The layout of the dataset as it is now, noted down if it is new; 0 or negative errno. */
static int find_layout(struct sn_db *db, const struct sn_dataset *dataset, int64_t *id,
		       struct sn_err *err)
{
	struct sn_buf text = {0};
	sqlite3_stmt *statement;
	struct sn_str columns;
	int rc;

	describe(dataset, &text);
	columns = sn_buf_str(&text);
	statement = sn_db_query(
		db, err, "SELECT id FROM _layout WHERE dataset = ? AND version = ? AND columns = ?",
		"tis", dataset->name, (int64_t)dataset->version, &columns);
	rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;
	if (rc == 1)
		*id = sqlite3_column_int64(statement, 0);
	sn_db_done(statement);
	if (rc == 0) {
		rc = sn_db_run(db, err,
			       "INSERT INTO _layout(dataset, version, columns) VALUES(?, ?, ?)",
			       "tis", dataset->name, (int64_t)dataset->version, &columns);
		*id = sqlite3_last_insert_rowid(sn_db_handle(db));
	}
	sn_buf_finish(&text);
	return SN_MIN(rc, 0);
}

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

/* Images ---------------------------------------------------------------------- */

void sn_block_image_finish(struct sn_block_image *image)
{
	sn_buf_finish(&image->bytes);
}

int sn_block_image_add(struct sn_block_image *image, const struct sn_vector *column,
		       struct sn_str name, struct sn_err *err)
{
	int rc = sn_block_write(column, &image->bytes);

	image->ends[image->count++] = image->bytes.n;
	if (rc != 0)
		return sn_err_set(err, rc, "column '%.*s' %s", (int)name.n, name.p,
				  rc == -E2BIG ? "has too much text for one block"
					       : "has a value that is none");
	return 0;
}

static struct sn_str image_part(const struct sn_block_image *image, size_t i)
{
	size_t start = i > 0 ? image->ends[i - 1] : 0;

	return (struct sn_str){image->bytes.p + start, image->ends[i] - start};
}

static int store_data(struct sn_db *db, int64_t id, struct sn_str data, struct sn_err *err)
{
	return SN_MIN(
		sn_db_run(db, err, "INSERT INTO _column VALUES(?, ?)", "ib", id, data.p, data.n),
		0);
}

static int store_packed(struct sn_db *db, int64_t id, const struct sn_block_image *image,
			struct sn_err *err)
{
	struct sn_buf all = {0};
	int rc;

	for (size_t i = 0; i < image->count; i++)
		sn_block_pack(&all, image_part(image, i));
	rc = store_data(db, id, sn_buf_str(&all), err);
	sn_buf_finish(&all);
	return rc;
}

unsigned sn_block_tier(size_t rows)
{
	unsigned tier = 0;

	for (size_t below = 64; tier < SN_BLOCKS_TIERS && rows >= below; below *= 8)
		tier++;
	return tier;
}

int sn_block_store(struct sn_db *db, struct sn_blocks_info *info,
		   const struct sn_block_image *image, struct sn_err *err)
{
	int rc;

	info->packed = info->rows <= SN_BLOCKS_PACKED_MAX;
	info->bytes = image->bytes.n;
	rc = sn_db_run(db, err,
		       "INSERT INTO _block(layout, first, rows, tier, time_min, time_max, packed,"
		       " bytes) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
		       "iiiiiiii", info->layout, info->first, (int64_t)info->rows,
		       (int64_t)sn_block_tier(info->rows), info->time_min, info->time_max,
		       (int64_t)info->packed, (int64_t)info->bytes);
	info->id = sqlite3_last_insert_rowid(sn_db_handle(db));
	if (rc >= 0 && info->packed)
		return store_packed(db, info->id * SLOTS, image, err);
	for (size_t i = 0; rc >= 0 && i < image->count; i++)
		rc = store_data(db, info->id * SLOTS + (int64_t)i, image_part(image, i), err);
	return SN_MIN(rc, 0);
}

/* Putting --------------------------------------------------------------------- */

struct put {
	struct sn_db *db;
	const struct sn_columns *columns;
	int64_t layout, next;
};

static int find_times(const struct put *put, size_t from, size_t count, struct sn_blocks_info *info,
		      struct sn_err *err)
{
	struct sn_vector all = sn_columns_vector(put->columns, SN_COL_TIME);
	struct sn_vector part = sn_vector_part(&all, from, count);
	struct sn_block_range range;

	for (size_t i = 0; i < count; i++)
		if (sn_vector_is_null(&part, i))
			return sn_err_set(err, -EINVAL, "a row without 'time'");
	sn_vector_range(&part, &range);
	info->time_min = range.min.i;
	info->time_max = range.max.i;
	return 0;
}

static int put_block(struct put *put, size_t from, size_t count, struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_columns_dataset(put->columns);
	struct sn_blocks_info info = {.layout = put->layout, .first = put->next, .rows = count};
	struct sn_block_image image = {.count = 0};
	int rc = find_times(put, from, count, &info, err);

	for (size_t i = 0; rc == 0 && i < dataset->column_count; i++) {
		struct sn_vector all = sn_columns_vector(put->columns, (int)i);
		struct sn_vector part = sn_vector_part(&all, from, count);

		rc = sn_block_image_add(&image, &part, sn_str(dataset->columns[i].name), err);
	}
	if (rc == 0)
		rc = sn_block_store(put->db, &info, &image, err);
	if (rc == 0)
		put->next += (int64_t)count;
	sn_block_image_finish(&image);
	return rc;
}

/* Halves rows until their texts fit; a single row always does. */
static int put_rows(struct put *put, size_t from, size_t count, struct sn_err *err)
{
	size_t part = SN_MIN(count, (size_t)SN_BLOCK_ROWS_MAX);
	int rc = 0;

	while (rc == 0 && count > 0) {
		part = SN_MIN(part, count);
		rc = put_block(put, from, part, err);
		if (rc == -E2BIG && part > 1) {
			part /= 2;
			rc = 0;
			continue;
		}
		from += part;
		count -= part;
	}
	return rc;
}

int sn_blocks_next(struct sn_db *db, const struct sn_dataset *dataset, int64_t *next,
		   struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT next FROM _number WHERE dataset = ? AND version = ?",
			    "ti", dataset->name, (int64_t)dataset->version);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	*next = rc == 1 ? sqlite3_column_int64(statement, 0) : 1;
	sn_db_done(statement);
	return SN_MIN(rc, 0);
}

int sn_blocks_put(struct sn_db *db, const struct sn_columns *columns, size_t from, size_t count,
		  int64_t *first, struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_columns_dataset(columns);
	struct put put = {.db = db, .columns = columns};
	struct sn_err local = {0};
	int rc;

	err = err != NULL ? err : &local;
	assert(!sqlite3_get_autocommit(sn_db_handle(db)));
	assert(count <= sn_columns_rows(columns) && from <= sn_columns_rows(columns) - count);
	if (count == 0)
		return sn_err_set(err, -EINVAL, "a block without rows");
	rc = find_layout(db, dataset, &put.layout, err);
	if (rc == 0)
		rc = sn_blocks_next(db, dataset, &put.next, err);
	if (rc != 0)
		return rc;
	if (first != NULL)
		*first = put.next;
	rc = put_rows(&put, from, count, err);
	if (rc == 0)
		rc = sn_db_run(db, err,
			       "INSERT INTO _number VALUES(?, ?, ?)"
			       " ON CONFLICT DO UPDATE SET next = excluded.next",
			       "tii", dataset->name, (int64_t)dataset->version, put.next);
	return SN_MIN(rc, 0);
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
	    info->id > INT64_MAX / SLOTS - 1)
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
		explain_missing(db, id / SLOTS, err);
	return NULL;
}

static int load_one(struct sn_db *db, const struct sn_blocks_info *info,
		    const struct sn_layout_column *column, struct sn_block_column **out,
		    struct sn_err *err)
{
	struct sn_str data = {0};
	sqlite3_stmt *statement = select_data(db, info->id * SLOTS + column->place, &data, err);
	int rc = statement != NULL ? read_column(info, column, data, out, err) : err->code;

	sn_db_done(statement);
	return rc;
}

static int load_packed(struct sn_db *db, const struct sn_blocks_info *info,
		       const struct sn_layout_column *columns, size_t count,
		       struct sn_block_column **out, struct sn_err *err)
{
	struct sn_str data = {0};
	sqlite3_stmt *statement = select_data(db, info->id * SLOTS, &data, err);
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
			       id * SLOTS, id * SLOTS + SLOTS - 1);
	return SN_MIN(rc, 0);
}
