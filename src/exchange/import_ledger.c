/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/import_ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/db.h"

struct sn_import_ledger {
	struct sn_db *db;
};

static const char *const migrations[] = {
	"CREATE TABLE import (digest TEXT PRIMARY KEY, name TEXT NOT NULL, bytes INTEGER NOT NULL,"
	" options TEXT NOT NULL, latest INTEGER NOT NULL, begun INTEGER NOT NULL, done INTEGER,"
	" rows INTEGER NOT NULL DEFAULT 0, bad INTEGER NOT NULL DEFAULT 0,"
	" parts INTEGER NOT NULL DEFAULT 0, first_day INTEGER NOT NULL DEFAULT 0,"
	" last_day INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;",
};

int sn_import_ledger_open(const char *dir, struct sn_import_ledger **ledger, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(dir, "imports.db");
	struct sn_db *db;
	int rc = sn_db_open(path, migrations, SN_COUNT(migrations), &db, err);

	if (rc != 0)
		return rc;
	*ledger = sn_new(struct sn_import_ledger);
	(*ledger)->db = db;
	return 0;
}

void sn_import_ledger_close(struct sn_import_ledger *ledger)
{
	if (ledger == NULL)
		return;
	sn_db_close(ledger->db);
	free(ledger);
}

static void read_entry(sqlite3_stmt *row, struct sn_import_entry *entry)
{
	snprintf(entry->options, sizeof(entry->options), "%s",
		 (const char *)sqlite3_column_text(row, 0));
	entry->latest_ns = sqlite3_column_int64(row, 1);
	entry->done = sqlite3_column_type(row, 2) != SQLITE_NULL;
	entry->rows = (uint64_t)sqlite3_column_int64(row, 3);
	entry->bad = (uint64_t)sqlite3_column_int64(row, 4);
	entry->parts = (uint64_t)sqlite3_column_int64(row, 5);
	entry->first_day = sqlite3_column_int(row, 6);
	entry->last_day = sqlite3_column_int(row, 7);
}

int sn_import_ledger_find(struct sn_import_ledger *ledger, const char *digest,
			  struct sn_import_entry *entry, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(ledger->db, err,
					"SELECT options, latest, done, rows, bad, parts, first_day,"
					" last_day FROM import WHERE digest = ?",
					"t", digest);
	int rc;

	if (row == NULL)
		return err->code;
	rc = sn_db_next(ledger->db, row, err);
	if (rc == 1)
		read_entry(row, entry);
	sn_db_done(row);
	return rc == 1 ? 0 : rc == 0 ? -ENOENT : rc;
}

int sn_import_ledger_begin(struct sn_import_ledger *ledger, const char *digest, const char *name,
			   uint64_t bytes, const struct sn_import_entry *entry, int64_t now_ns,
			   struct sn_err *err)
{
	int rc = sn_db_run(ledger->db, err,
			   "INSERT INTO import (digest, name, bytes, options, latest, begun)"
			   " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET done = NULL",
			   "ttitii", digest, name, (int64_t)bytes, entry->options, entry->latest_ns,
			   now_ns);

	return SN_MIN(rc, 0);
}

int sn_import_ledger_end(struct sn_import_ledger *ledger, const char *digest,
			 const struct sn_import_entry *entry, int64_t now_ns, struct sn_err *err)
{
	int rc = sn_db_run(
		ledger->db, err,
		"UPDATE import SET done = ?, rows = ?, bad = ?, parts = ?, first_day = ?,"
		" last_day = ? WHERE digest = ?",
		"iiiiiit", now_ns, (int64_t)entry->rows, (int64_t)entry->bad, (int64_t)entry->parts,
		(int64_t)entry->first_day, (int64_t)entry->last_day, digest);

	return SN_MIN(rc, 0);
}

int sn_import_ledger_forget(struct sn_import_ledger *ledger, const char *digest, struct sn_err *err)
{
	int rc = sn_db_run(ledger->db, err, "DELETE FROM import WHERE digest = ?", "t", digest);

	return SN_MIN(rc, 0);
}
