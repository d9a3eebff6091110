/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blocks_internal.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

/* AUTOINCREMENT: an id that is free again would stand for other rows somewhere else. */
const char sn_blocks_schema[] =
	"CREATE TABLE _layout("
	" id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, version INTEGER NOT NULL,"
	" columns TEXT NOT NULL, sum INTEGER, UNIQUE(dataset, version, columns));"
	"CREATE TABLE _block("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, layout INTEGER NOT NULL REFERENCES _layout(id),"
	" first INTEGER NOT NULL, rows INTEGER NOT NULL, tier INTEGER NOT NULL,"
	" time_min INTEGER NOT NULL, time_max INTEGER NOT NULL,"
	" packed INTEGER NOT NULL, bytes INTEGER NOT NULL, sums BLOB NOT NULL);"
	"CREATE UNIQUE INDEX _block_first ON _block(layout, first);"
	"CREATE TABLE _column(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE _number("
	" dataset TEXT NOT NULL, version INTEGER NOT NULL, next INTEGER NOT NULL,"
	" PRIMARY KEY(dataset, version)) WITHOUT ROWID;"
	"CREATE TABLE _mark(block INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE _aside("
	" id INTEGER PRIMARY KEY, layout INTEGER NOT NULL, first INTEGER NOT NULL,"
	" rows INTEGER NOT NULL, tier INTEGER NOT NULL, time_min INTEGER NOT NULL,"
	" time_max INTEGER NOT NULL, packed INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	" sums BLOB NOT NULL, lost INTEGER NOT NULL, reason TEXT NOT NULL,"
	" time INTEGER NOT NULL);"
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
	if (layout->count < SN_COL_COMMON || layout->columns[SN_COL_TIME].type != SN_TYPE_TIME)
		return sn_err_set(err, -EUCLEAN,
				  "a layout of blocks is damaged: rows without time");
	return 0;
}

/* A name or type that is another one by chance would make other rows of the blocks. */
static uint32_t sum_layout(const char *dataset, unsigned version, struct sn_str columns)
{
	uint32_t number = htole32(version);
	uLong sum = crc32_z(0, (const Bytef *)dataset, strlen(dataset) + 1);

	sum = crc32_z(sum, (const Bytef *)&number, sizeof(number));
	return (uint32_t)crc32_z(sum, (const Bytef *)columns.p, columns.n);
}

/* Of one that is what is looked for only the checksum can be damaged. */
static int take_found(struct sn_db *db, sqlite3_stmt *statement, uint32_t sum, int64_t *id,
		      struct sn_err *err)
{
	bool right = sqlite3_column_int64(statement, 1) == sum;

	*id = sqlite3_column_int64(statement, 0);
	sn_db_done(statement);
	if (right)
		return 0;
	return SN_MIN(sn_db_run(db, err, "UPDATE _layout SET sum = ? WHERE id = ?", "ii",
				(int64_t)sum, *id),
		      0);
}

int sn_layout_find(struct sn_db *db, const char *dataset, unsigned version, struct sn_str columns,
		   int64_t *id, struct sn_err *err)
{
	uint32_t sum = sum_layout(dataset, version, columns);
	sqlite3_stmt *statement = sn_db_query(
		db, err,
		"SELECT id, sum FROM _layout WHERE dataset = ? AND version = ? AND columns = ?",
		"tis", dataset, (int64_t)version, &columns);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	if (rc == 1)
		return take_found(db, statement, sum, id, err);
	sn_db_done(statement);
	if (rc != 0)
		return rc;
	rc = sn_db_run(db, err,
		       "INSERT INTO _layout(dataset, version, columns, sum) VALUES(?, ?, ?, ?)",
		       "tisi", dataset, (int64_t)version, &columns, (int64_t)sum);
	*id = sqlite3_last_insert_rowid(sn_db_handle(db));
	return SN_MIN(rc, 0);
}

static int take_layout(sqlite3_stmt *statement, struct sn_layout *layout, struct sn_err *err)
{
	const char *name = (const char *)sqlite3_column_text(statement, 0);
	const char *columns = (const char *)sqlite3_column_text(statement, 2);

	layout->text = sn_xstrdup(columns != NULL ? columns : "");
	if (sqlite3_column_type(statement, 3) != SQLITE_NULL &&
	    sqlite3_column_int64(statement, 3) !=
		    sum_layout(name != NULL ? name : "", (unsigned)sqlite3_column_int(statement, 1),
			       sn_str(layout->text)))
		return sn_err_set(err, -EUCLEAN, "a layout of blocks is damaged: wrong checksum");
	return parse_layout(layout, err);
}

int sn_layout_load(struct sn_db *db, int64_t id, struct sn_layout *layout, struct sn_err *err)
{
	sqlite3_stmt *statement = sn_db_query(
		db, err, "SELECT dataset, version, columns, sum FROM _layout WHERE id = ?", "i",
		id);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	layout->text = NULL;
	layout->count = 0;
	if (rc == 1)
		rc = take_layout(statement, layout, err);
	else if (rc == 0)
		rc = sn_err_set(err, -EUCLEAN, "layout %" PRId64 " of blocks is missing", id);
	sn_db_done(statement);
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

uint32_t sn_block_sum(const struct sn_blocks_info *info, const void *sums, size_t size)
{
	uint64_t numbers[] = {
		htole64((uint64_t)info->layout),   htole64((uint64_t)info->first),
		htole64((uint64_t)info->rows),     htole64((uint64_t)info->time_min),
		htole64((uint64_t)info->time_max), htole64((uint64_t)info->packed),
	};
	uLong sum = crc32_z(0, (const Bytef *)numbers, sizeof(numbers));

	return (uint32_t)crc32_z(sum, sums, size);
}

/* Nothing that is said of the block is believed before. */
static bool has_its_sum(const struct sn_blocks_info *info, sqlite3_stmt *statement)
{
	const char *sums = sqlite3_column_blob(statement, 9);
	size_t size = (size_t)sqlite3_column_bytes(statement, 9);
	uint32_t sum;

	if (size < sizeof(sum) || size > sizeof(sum) * (SN_BLOCKS_SLOTS + 1))
		return false;
	memcpy(&sum, sums, sizeof(sum));
	return le32toh(sum) == sn_block_sum(info, sums + sizeof(sum), size - sizeof(sum));
}

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
	if (rows < 1 || rows > (info->packed ? SN_BLOCKS_PACKED_MAX : SN_BLOCK_ROWS_MAX) ||
	    info->first < 1 || info->first > SN_BLOCKS_NUMBER_MAX || info->id < 1 ||
	    info->id > INT64_MAX / SN_BLOCKS_SLOTS - 1)
		return sn_err_set(err, -EUCLEAN, "block %" PRId64 " cannot have %" PRId64 " rows",
				  info->id, rows);
	if (!has_its_sum(info, statement))
		return sn_err_set(err, -EUCLEAN,
				  "block %" PRId64 " is damaged: what is noted of it has a wrong "
				  "checksum",
				  info->id);
	return 0;
}

int sn_blocks_list(struct sn_db *db, const struct sn_dataset *dataset, int64_t from_ns,
		   int64_t to_ns, sn_blocks_fn *fn, void *ctx, struct sn_err *err)
{
	struct sn_err local = {0}, damage = {0};
	struct sn_blocks_info info;
	sqlite3_stmt *statement;
	bool stopped = false;
	int64_t end = 0;
	int rc;

	err = err != NULL ? err : &local;
	statement = sn_db_query(db, err,
				SN_BLOCKS_SELECT
				" AND b.time_max >= ? AND b.time_min <= ? ORDER BY b.first",
				"tiii", dataset->name, (int64_t)dataset->version, from_ns, to_ns);
	if (statement == NULL)
		return err->code;
	while (!stopped && (rc = sn_db_next(db, statement, err)) == 1) {
		struct sn_err *told = damage.code == 0 ? &damage : &local;

		if (sn_blocks_fetch(statement, &info, told) == 0 && info.first < end)
			sn_err_set(told, -EUCLEAN, "block %" PRId64 " has rows of another one",
				   info.id);
		else if (told->code == 0)
			end = info.first + (int64_t)info.rows;
		if (told->code == 0)
			stopped = fn(&info, ctx) != 0;
		else
			sn_db_blame(db, info.id);
		local.code = 0;
	}
	sn_db_done(statement);
	/* Those that are sound are told of nevertheless. */
	if ((stopped || rc == 0) && damage.code != 0)
		*err = damage;
	return stopped || rc == 0 ? damage.code : rc;
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
