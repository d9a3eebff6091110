/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db: SQLite with the settings that Sonde trusts (WAL, synchronous=FULL, busy
 * timeout, foreign keys, 16 KiB pages), errors as struct sn_err, migrations by
 * user_version, and statements that are prepared once.
 *
 * Used by the day files and by the hub's control database.
 */
#ifndef SONDE_STORE_DB_H
#define SONDE_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define SN_DB_STATEMENTS_MAX 64 /* kept prepared per connection */

struct sn_db;

/* How long a lock of another connection is waited for; tests have less. */
extern unsigned sn_db_patience_ms;

/* `migrations[k]` brings user_version k to k + 1; a file from the future is refused. */
int sn_db_open(const char *path, const char *const *migrations, unsigned migration_count,
	       struct sn_db **db, struct sn_err *err);
/* A connection that cannot write, to a file that is there already (-ENOENT otherwise). */
int sn_db_open_reader(const char *path, struct sn_db **db, struct sn_err *err);
void sn_db_close(struct sn_db *db); /* rolls an open transaction back; NULL is fine */
sqlite3 *sn_db_handle(struct sn_db *db);
/* Whether SQLite has found the file itself to be damaged, ever; or somebody has who uses it. */
bool sn_db_is_damaged(const struct sn_db *db);
void sn_db_set_damaged(struct sn_db *db);
/*
 * What is stored in the file and was found to be damaged, by number, up to SN_DB_BLAMED_MAX: noted
 * by whoever reads, taken (once) by whoever puts it right.
 */
#define SN_DB_BLAMED_MAX 32
void sn_db_blame(struct sn_db *db, int64_t number);
size_t sn_db_take_blamed(struct sn_db *db, int64_t out[SN_DB_BLAMED_MAX]);
/* The file was renamed or removed: what is written goes where nobody looks for it. */
bool sn_db_has_moved(struct sn_db *db);
int sn_db_version(struct sn_db *db, unsigned *version, struct sn_err *err); /* user_version */
int sn_db_exec(struct sn_db *db, const char *sql, struct sn_err *err);
int sn_db_begin(struct sn_db *db, struct sn_err *err);  /* BEGIN IMMEDIATE */
int sn_db_commit(struct sn_db *db, struct sn_err *err); /* rolled back on error */
void sn_db_rollback(struct sn_db *db);

/*
 * What SQLite said last, as an error about the file: -ENOSPC for a full disk, -EUCLEAN
 * for a damaged file, -EBUSY, -EEXIST for a broken constraint, -EIO, ...
 */
int sn_db_fail(struct sn_db *db, struct sn_err *err);

/*
 * Prepare (cached by text), bind and step in one call each.  `types` has one
 * letter per parameter: i int64_t, f double, t const char *, s struct sn_str *,
 * b const void *, size_t; n null (no argument).
 * sn_db_run: for statements without rows; returns changed rows or negative errno.
 * sn_db_query: prepared and bound; step with sn_db_next() (1 row, 0 end, negative
 * errno), read with sqlite3_column_*, end with sn_db_done().  Step it before the same
 * text is queried again.  NULL on error.
 */
int sn_db_run(struct sn_db *db, struct sn_err *err, const char *sql, const char *types, ...);
sqlite3_stmt *sn_db_query(struct sn_db *db, struct sn_err *err, const char *sql, const char *types,
			  ...);
int sn_db_next(struct sn_db *db, sqlite3_stmt *statement, struct sn_err *err);
void sn_db_done(sqlite3_stmt *statement);
/* The text of a column of the row, "" for null: in a damaged file anything may be null. */
const char *sn_db_text(sqlite3_stmt *statement, int column);

#endif
