/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/math/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/db.h"

struct sn_math_ledger {
	struct sn_db *db;
};

static const char *const migrations[] = {
	"CREATE TABLE files (path TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,"
	" time INTEGER, rows INTEGER NOT NULL, bad INTEGER NOT NULL, outcome INTEGER NOT NULL,"
	" reason TEXT, done INTEGER NOT NULL, PRIMARY KEY (path, sha256)) WITHOUT ROWID;"
	/* Whose rows may be in the store although nothing is noted yet. */
	"CREATE TABLE begun (sha256 TEXT PRIMARY KEY) WITHOUT ROWID;"
	"CREATE TABLE totals (one INTEGER PRIMARY KEY CHECK (one = 1), files INTEGER NOT NULL,"
	" bad_files INTEGER NOT NULL, rows INTEGER NOT NULL, bad_lines INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL, late INTEGER NOT NULL, position INTEGER);"
	"INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0, 0, NULL);",
};

int sn_math_ledger_open(const char *path, struct sn_math_ledger **out, struct sn_err *err)
{
	struct sn_math_ledger *ledger = sn_new(struct sn_math_ledger);

	if (sn_db_open(path, migrations, SN_COUNT(migrations), &ledger->db, err) != 0) {
		free(ledger);
		return sn_err_wrap(err, "cannot use '%s'", path);
	}
	*out = ledger;
	return 0;
}

void sn_math_ledger_close(struct sn_math_ledger *ledger)
{
	if (ledger == NULL)
		return;
	sn_db_close(ledger->db);
	free(ledger);
}

void sn_math_ledger_remove(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < SN_COUNT(ends); i++) {
		sn_autofree char *file = sn_xasprintf("%s%s", path, ends[i]);

		unlink(file);
	}
}

int sn_math_ledger_find(struct sn_math_ledger *ledger, const struct sn_math_entry *entry,
			enum sn_math_known *known, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(ledger->db, err,
					"SELECT sha256 = ?2, ?2 = '' FROM files WHERE path = ?1"
					" ORDER BY sha256 = ?2 DESC LIMIT 1",
					"st", &entry->path, entry->sha256);
	int rc;

	if (row == NULL)
		return err->code;
	rc = sn_db_next(ledger->db, row, err);
	*known = rc != 1 ? SN_MATH_UNKNOWN
		 : sqlite3_column_int(row, 0) != 0 || sqlite3_column_int(row, 1) != 0
			 ? SN_MATH_KNOWN
			 : SN_MATH_CHANGED;
	sn_db_done(row);
	return rc < 0 ? rc : 0;
}

int sn_math_ledger_begin(struct sn_math_ledger *ledger, const char *sha256, bool *again,
			 struct sn_err *err)
{
	int changed =
		sn_db_run(ledger->db, err, "INSERT OR IGNORE INTO begun VALUES (?)", "t", sha256);

	*again = changed == 0;
	return changed < 0 ? changed : 0;
}

int sn_math_ledger_totals(struct sn_math_ledger *ledger, struct sn_math_totals *totals,
			  struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(ledger->db, err,
					"SELECT files, bad_files, rows, bad_lines, bytes, late,"
					" position FROM totals",
					"");
	int rc;

	if (row == NULL)
		return err->code;
	rc = sn_db_next(ledger->db, row, err);
	if (rc == 1)
		*totals = (struct sn_math_totals){
			.files = (uint64_t)sqlite3_column_int64(row, 0),
			.bad_files = (uint64_t)sqlite3_column_int64(row, 1),
			.rows = (uint64_t)sqlite3_column_int64(row, 2),
			.bad_lines = (uint64_t)sqlite3_column_int64(row, 3),
			.bytes = (uint64_t)sqlite3_column_int64(row, 4),
			.late = (uint64_t)sqlite3_column_int64(row, 5),
			.position_s = sqlite3_column_type(row, 6) == SQLITE_NULL
					      ? SN_MATH_TIME_UNKNOWN
					      : sqlite3_column_int64(row, 6),
		};
	sn_db_done(row);
	return rc == 1 ? 0 : rc == 0 ? sn_err_set(err, -EUCLEAN, "the ledger is damaged") : rc;
}

static int write_note(struct sn_math_ledger *ledger, const struct sn_math_note *note,
		      int64_t now_ns, bool late, struct sn_err *err)
{
	bool timed = note->time_s != SN_MATH_TIME_UNKNOWN;
	int changed =
		sn_db_run(ledger->db, err,
			  "INSERT OR REPLACE INTO files VALUES (?, ?, ?, nullif(?, ?), ?, ?,"
			  " ?, ?, ?)",
			  "ttiiiiiiti", note->path, note->sha256, (int64_t)note->size, note->time_s,
			  SN_MATH_TIME_UNKNOWN, (int64_t)note->rows, (int64_t)note->bad_lines,
			  (int64_t)note->outcome, note->reason, now_ns);

	if (changed < 0)
		return changed;
	changed = sn_db_run(ledger->db, err,
			    "UPDATE totals SET files = files + 1, bad_files = bad_files + ?,"
			    " rows = rows + ?, bad_lines = bad_lines + ?, bytes = bytes + ?,"
			    " late = late + ?",
			    "iiiii", (int64_t)(note->outcome != SN_MATH_IMPORTED),
			    (int64_t)note->rows, (int64_t)note->bad_lines, (int64_t)note->size,
			    (int64_t)late);
	if (changed >= 0)
		changed = sn_db_run(ledger->db, err, "DELETE FROM begun WHERE sha256 = ?", "t",
				    note->sha256);
	if (changed >= 0 && timed)
		changed = sn_db_run(ledger->db, err,
				    "UPDATE totals SET position = max(coalesce(position, ?1), ?1)",
				    "i", note->time_s);
	return changed < 0 ? changed : 0;
}

int sn_math_ledger_note(struct sn_math_ledger *ledger, const struct sn_math_note *note,
			int64_t now_ns, struct sn_math_totals *totals, struct sn_err *err)
{
	bool late = totals->position_s != SN_MATH_TIME_UNKNOWN &&
		    note->time_s != SN_MATH_TIME_UNKNOWN && note->time_s < totals->position_s;
	int rc = sn_db_begin(ledger->db, err);

	if (rc != 0)
		return rc;
	rc = write_note(ledger, note, now_ns, late, err);
	if (rc != 0) {
		sn_db_rollback(ledger->db);
		return rc;
	}
	rc = sn_db_commit(ledger->db, err);
	return rc == 0 ? sn_math_ledger_totals(ledger, totals, err) : rc;
}
