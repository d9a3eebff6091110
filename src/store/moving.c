/* SPDX-License-Identifier: Apache-2.0 */
#include "store/moving.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/blocks_internal.h"

#define UNIT_COLUMNS                                                                               \
	"dataset TEXT NOT NULL, version INTEGER NOT NULL, first INTEGER NOT NULL,"                 \
	" rows INTEGER NOT NULL, block INTEGER NOT NULL, time_min INTEGER NOT NULL,"               \
	" time_max INTEGER NOT NULL,"
#define UNIT_SELECT "SELECT dataset, version, first, rows, block, time_min, time_max, first + rows"

const char sn_moving_schema[] =
	"CREATE TABLE _moving(" UNIT_COLUMNS " PRIMARY KEY(dataset, version)) WITHOUT ROWID;"
	"CREATE TABLE _moved(" UNIT_COLUMNS " PRIMARY KEY(dataset, version, first)) WITHOUT ROWID;";

/* Units --------------------------------------------------------------------- */

static void fetch(sqlite3_stmt *statement, struct sn_moving_unit *unit)
{
	const char *name = sn_db_text(statement, 0);

	*unit = (struct sn_moving_unit){
		.version = (unsigned)sqlite3_column_int64(statement, 1),
		.first = sqlite3_column_int64(statement, 2),
		.rows = (uint64_t)sqlite3_column_int64(statement, 3),
		.block = sqlite3_column_int64(statement, 4),
		.time_min = sqlite3_column_int64(statement, 5),
		.time_max = sqlite3_column_int64(statement, 6),
		.end = sqlite3_column_int64(statement, 7),
	};
	snprintf(unit->dataset, sizeof(unit->dataset), "%s", name != NULL ? name : "");
}

/* Takes the statement over, which may be NULL after an error. */
static int for_each(struct sn_db *db, sqlite3_stmt *statement, sn_moving_fn *fn, void *ctx,
		    struct sn_err *err)
{
	struct sn_moving_unit unit;
	int rc = statement != NULL ? 1 : err->code;

	while (rc == 1 && (rc = sn_db_next(db, statement, err)) == 1) {
		fetch(statement, &unit);
		if (fn(&unit, ctx) != 0)
			rc = 0;
	}
	sn_db_done(statement);
	return rc;
}

int sn_moving_waiting(struct sn_db *db, sn_moving_fn *fn, void *ctx, struct sn_err *err)
{
	sqlite3_stmt *statement = sn_db_query(
		db, err,
		"SELECT l.dataset, l.version, min(b.first), sum(b.rows), count(*), min(b.time_min),"
		" max(b.time_max), max(b.first + b.rows) FROM _block AS b JOIN _layout AS l ON "
		"l.id = b.layout"
		" GROUP BY l.dataset, l.version",
		"");

	return for_each(db, statement, fn, ctx, err);
}

int sn_moving_notes(struct sn_db *db, sn_moving_fn *fn, void *ctx, struct sn_err *err)
{
	return for_each(db, sn_db_query(db, err, UNIT_SELECT " FROM _moving", ""), fn, ctx, err);
}

int sn_moving_left(struct sn_db *db, sn_moving_fn *fn, void *ctx, struct sn_err *err)
{
	sqlite3_stmt *statement = sn_db_query(
		db, err,
		"SELECT dataset, version, min(first), sum(rows), count(*), min(time_min),"
		" max(time_max), max(first + rows) FROM _moved GROUP BY dataset, version",
		"");

	return for_each(db, statement, fn, ctx, err);
}

int sn_moving_last(struct sn_db *db, struct sn_moving_unit *unit, struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, UNIT_SELECT " FROM _moved ORDER BY first DESC LIMIT 1", "");
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	if (rc == 1)
		fetch(statement, unit);
	sn_db_done(statement);
	return rc;
}

/* The frontier -------------------------------------------------------------- */

static int select_number(struct sn_db *db, const char *sql, const char *dataset, unsigned version,
			 int64_t *number, bool *found, struct sn_err *err)
{
	sqlite3_stmt *statement = sn_db_query(db, err, sql, "ti", dataset, (int64_t)version);
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	*found = rc == 1 && sqlite3_column_type(statement, 0) != SQLITE_NULL;
	if (*found)
		*number = sqlite3_column_int64(statement, 0);
	sn_db_done(statement);
	return SN_MIN(rc, 0);
}

int sn_moving_frontier(struct sn_db *db, const struct sn_dataset *dataset, int64_t *number,
		       bool *moved, struct sn_err *err)
{
	int64_t last;
	bool found;
	int rc = select_number(db,
			       "SELECT min(b.first) FROM _layout AS l JOIN _block AS b"
			       " ON b.layout = l.id WHERE l.dataset = ? AND l.version = ?",
			       dataset->name, dataset->version, number, &found, err);

	if (rc == 0 && !found)
		*number = INT64_MAX;
	return rc != 0 ? rc
		       : select_number(db,
				       "SELECT first FROM _moved WHERE dataset = ? AND version = ?"
				       " LIMIT 1",
				       dataset->name, dataset->version, &last, moved, err);
}

int sn_moving_ends(struct sn_db *db, const struct sn_dataset *dataset, int64_t *first_ns,
		   int64_t *last_ns, struct sn_err *err)
{
#define UNITS " FROM _moved WHERE dataset = ? AND version = ? ORDER BY first"
	bool found;
	int rc = select_number(db, "SELECT time_min" UNITS " LIMIT 1", dataset->name,
			       dataset->version, first_ns, &found, err);

	return rc != 0 ? rc
		       : select_number(db, "SELECT time_max" UNITS " DESC LIMIT 1", dataset->name,
				       dataset->version, last_ns, &found, err);
#undef UNITS
}

/* Leaving ------------------------------------------------------------------- */

struct pick {
	int64_t end;
	struct sn_moving_unit *unit;
};

static int pick_block(const struct sn_blocks_info *block, void *ctx)
{
	struct pick *pick = ctx;
	struct sn_moving_unit *unit = pick->unit;
	int64_t next = block->first + (int64_t)block->rows;

	if (next > pick->end)
		return 1;
	if (unit->rows == 0) {
		unit->first = block->first;
		unit->block = block->id;
		unit->time_min = block->time_min;
		unit->time_max = block->time_max;
	} else if (unit->end != block->first || unit->rows + block->rows > SN_BLOCK_ROWS_MAX) {
		return 1;
	}
	unit->rows += block->rows;
	unit->end = next;
	unit->time_min = SN_MIN(unit->time_min, block->time_min);
	unit->time_max = SN_MAX(unit->time_max, block->time_max);
	return 0;
}

static int add_unit(struct sn_db *db, const char *sql, const struct sn_moving_unit *unit,
		    struct sn_err *err)
{
	return SN_MIN(sn_db_run(db, err, sql, "tiiiiii", unit->dataset, (int64_t)unit->version,
				unit->first, (int64_t)unit->rows, unit->block, unit->time_min,
				unit->time_max),
		      0);
}

/* Blocks of the unit; `_layout` names the dataset. */
#define BLOCKS_OF_UNIT                                                                             \
	" WHERE layout IN (SELECT id FROM _layout WHERE dataset = ? AND version = ?)"              \
	" AND first >= ? AND first < ?"

static int note(struct sn_db *db, const struct sn_moving_unit *unit, struct sn_err *err)
{
	int rc = add_unit(db, "INSERT INTO _moving VALUES(?, ?, ?, ?, ?, ?, ?)", unit, err);

	if (rc == 0)
		rc = sn_db_run(db, err, "UPDATE _block SET tier = ?" BLOCKS_OF_UNIT, "itiii",
			       (int64_t)SN_BLOCKS_TIERS, unit->dataset, (int64_t)unit->version,
			       unit->first, unit->end);
	return SN_MIN(rc, 0);
}

int sn_moving_begin(struct sn_db *db, const struct sn_dataset *dataset, int64_t end,
		    struct sn_moving_unit *unit, struct sn_err *err)
{
	struct pick pick = {end, unit};
	int rc = sn_db_begin(db, err);

	if (rc != 0)
		return rc;
	*unit = (struct sn_moving_unit){.version = dataset->version};
	snprintf(unit->dataset, sizeof(unit->dataset), "%s", dataset->name);
	rc = sn_blocks_list(db, dataset, INT64_MIN, INT64_MAX, pick_block, &pick, err);
	if (rc == 0 && unit->rows > 0)
		rc = note(db, unit, err);
	if (rc == 0 && unit->rows > 0)
		return (rc = sn_db_commit(db, err)) == 0 ? 1 : rc;
	sn_db_rollback(db);
	return rc;
}

struct reading {
	struct sn_db *db;
	const struct sn_moving_unit *unit;
	struct sn_columns *rows;
	int64_t next; /* number of the row that is due */
	struct sn_err *err;
	int rc;
};

static void add_rows(struct sn_columns *rows, struct sn_block_column *const *columns, size_t count)
{
	size_t n = sn_columns_dataset(rows)->column_count;

	for (size_t i = 0; i < count; i++) {
		sn_columns_add_row(rows);
		for (size_t k = 0; k < n; k++) {
			const struct sn_vector *vector = sn_block_vector(columns[k]);

			if (!sn_vector_is_null(vector, i))
				sn_columns_set(rows, (int)k, sn_vector_value(vector, i));
		}
	}
}

static int read_block(const struct sn_blocks_info *block, void *ctx)
{
	struct reading *reading = ctx;
	const struct sn_dataset *dataset = sn_columns_dataset(reading->rows);
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX];
	int all[SN_DATASET_COLUMNS_MAX];

	if (block->first < reading->unit->first)
		return 0;
	if (block->first >= reading->unit->first + (int64_t)reading->unit->rows)
		return 1;
	if (block->first != reading->next)
		reading->rc = sn_err_set(reading->err, -EUCLEAN,
					 "rows from %" PRId64 " on of dataset '%s' are missing",
					 reading->next, dataset->name);
	for (size_t i = 0; i < dataset->column_count; i++)
		all[i] = (int)i;
	if (reading->rc == 0)
		reading->rc = sn_blocks_read(reading->db, block, dataset, all,
					     dataset->column_count, columns, reading->err);
	if (reading->rc != 0)
		return 1;
	add_rows(reading->rows, columns, block->rows);
	for (size_t i = 0; i < dataset->column_count; i++)
		sn_block_column_destroy(columns[i]);
	reading->next += (int64_t)block->rows;
	return 0;
}

int sn_moving_read(struct sn_db *db, const struct sn_moving_unit *unit, struct sn_columns *rows,
		   struct sn_err *err)
{
	struct reading reading = {
		.db = db, .unit = unit, .rows = rows, .next = unit->first, .err = err};
	int rc = sn_db_exec(db, "BEGIN", err);

	if (rc != 0)
		return rc;
	rc = sn_blocks_list(db, sn_columns_dataset(rows), unit->time_min, unit->time_max,
			    read_block, &reading, err);
	sn_db_rollback(db);
	if (rc == 0)
		rc = reading.rc;
	if (rc == 0 && reading.next != unit->end)
		rc = sn_err_set(err, -EUCLEAN,
				"rows from %" PRId64 " on of dataset '%s' are missing",
				reading.next, unit->dataset);
	return rc;
}

int sn_moving_cancel(struct sn_db *db, const struct sn_moving_unit *unit, struct sn_err *err)
{
	return SN_MIN(sn_db_run(db, err,
				"DELETE FROM _moving WHERE dataset = ? AND version = ?"
				" AND first = ?",
				"tii", unit->dataset, (int64_t)unit->version, unit->first),
		      0);
}

/* Their ids are read first: what is read must not be deleted meanwhile. */
static int remove_blocks(struct sn_db *db, const struct sn_moving_unit *unit, struct sn_err *err)
{
	sn_autofree int64_t *ids = sn_xcalloc(unit->rows, sizeof(*ids));
	size_t count = 0;
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT id FROM _block" BLOCKS_OF_UNIT, "tiii", unit->dataset,
			    (int64_t)unit->version, unit->first, unit->end);
	int rc = statement != NULL ? 1 : err->code;

	while (rc == 1 && count < unit->rows && (rc = sn_db_next(db, statement, err)) == 1)
		ids[count++] = sqlite3_column_int64(statement, 0);
	sn_db_done(statement);
	for (size_t i = 0; rc >= 0 && i < count; i++)
		rc = sn_blocks_remove(db, ids[i], err);
	return SN_MIN(rc, 0);
}

static int end(struct sn_db *db, const struct sn_moving_unit *unit, struct sn_err *err)
{
	int rc = sn_db_run(db, err,
			   "DELETE FROM _moving WHERE dataset = ? AND version = ? AND first = ?",
			   "tii", unit->dataset, (int64_t)unit->version, unit->first);

	if (rc == 0)
		rc = sn_err_set(err, -ESTALE, "a unit of dataset '%s' was not noted",
				unit->dataset);
	if (rc > 0)
		rc = remove_blocks(db, unit, err);
	if (rc == 0)
		rc = add_unit(db, "INSERT INTO _moved VALUES(?, ?, ?, ?, ?, ?, ?)", unit, err);
	/* Their times are no longer to be found in blocks. */
	if (rc == 0)
		rc = sn_db_run(db, err,
			       "UPDATE _dataset SET time_min = min(coalesce(time_min, ?1), ?1),"
			       " time_max = max(coalesce(time_max, ?2), ?2)"
			       " WHERE dataset = ?3 AND version = ?4",
			       "iiti", unit->time_min, unit->time_max, unit->dataset,
			       (int64_t)unit->version);
	return SN_MIN(rc, 0);
}

int sn_moving_end(struct sn_db *db, const struct sn_moving_unit *unit, struct sn_err *err)
{
	int rc = sn_db_begin(db, err);

	if (rc != 0)
		return rc;
	rc = end(db, unit, err);
	if (rc == 0)
		return sn_db_commit(db, err);
	sn_db_rollback(db);
	return rc;
}

/* Coming back --------------------------------------------------------------- */

static int come_back(struct sn_db *db, const struct sn_moving_unit *unit,
		     const struct sn_blocks_draft *draft, struct sn_err *err)
{
	int64_t last;
	bool found;
	int rc =
		select_number(db, "SELECT max(first) FROM _moved WHERE dataset = ? AND version = ?",
			      unit->dataset, unit->version, &last, &found, err);

	if (rc == 0 && (!found || last != unit->first))
		rc = sn_err_set(err, -ESTALE, "the unit is not the last one of dataset '%s'",
				unit->dataset);
	if (rc == 0)
		rc = sn_blocks_put_draft_at(db, draft, unit->first, err);
	if (rc == 0)
		rc = sn_db_run(db, err,
			       "DELETE FROM _moved WHERE dataset = ? AND version = ? AND first = ?",
			       "tii", unit->dataset, (int64_t)unit->version, unit->first);
	if (rc >= 0)
		rc = sn_db_run(db, err, "INSERT OR IGNORE INTO _file VALUES('returning', 1)", "");
	return SN_MIN(rc, 0);
}

int sn_moving_return(struct sn_db *db, const struct sn_moving_unit *unit,
		     const struct sn_columns *rows, struct sn_err *err)
{
	struct sn_blocks_draft *draft = NULL;
	int rc;

	if (sn_columns_rows(rows) != unit->rows)
		return sn_err_set(err, -ESTALE,
				  "ClickHouse has %zu rows of dataset '%s' in place of %" PRIu64,
				  sn_columns_rows(rows), unit->dataset, unit->rows);
	rc = sn_blocks_draft(rows, 0, unit->rows, &draft, err);
	if (rc == 0)
		rc = sn_db_begin(db, err);
	if (rc == 0) {
		rc = come_back(db, unit, draft, err);
		if (rc == 0)
			rc = sn_db_commit(db, err);
		else
			sn_db_rollback(db);
	}
	sn_blocks_draft_destroy(draft);
	return rc;
}

int sn_moving_is_returning(struct sn_db *db, bool *returning, struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT 1 FROM _file WHERE key = 'returning'", "");
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	*returning = rc == 1;
	sn_db_done(statement);
	return SN_MIN(rc, 0);
}

int sn_moving_returned(struct sn_db *db, struct sn_err *err)
{
	return SN_MIN(sn_db_run(db, err, "DELETE FROM _file WHERE key = 'returning'", ""), 0);
}
