/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql: one-value and whole-table reads from the control database in one call.
 *
 * The macros take a query as sn_db_query() does; the functions below them use up
 * its statement.
 */
#ifndef SONDE_HUB_SQL_H
#define SONDE_HUB_SQL_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "store/db.h"

/* First column of the first row, or `fallback` when there is none (errors are logged). */
#define sn_sql_i64(db, fallback, ...)                                                              \
	({                                                                                         \
		struct sn_err sql_err_ = {0};                                                      \
		sn_sql_take_i64(db, sn_db_query(db, &sql_err_, __VA_ARGS__), fallback, &sql_err_); \
	})
/* The same as text into `out`: 0, or -ENOENT when there is no row or it is null. */
#define sn_sql_text(db, out, size, ...)                                                            \
	({                                                                                         \
		struct sn_err sql_err_ = {0};                                                      \
		sn_sql_take_text(db, sn_db_query(db, &sql_err_, __VA_ARGS__), out, size,           \
				 &sql_err_);                                                       \
	})
/*
 * All rows as a JSON array of objects, NULL on error.  A column called "x:time" is
 * Unix nanoseconds to be written as RFC 3339, "x:bool" a truth value, "x:json" a text
 * that is JSON itself.
 */
#define sn_sql_json(db, err, ...) sn_sql_take_json(db, sn_db_query(db, err, __VA_ARGS__), err)

int64_t sn_sql_take_i64(struct sn_db *db, sqlite3_stmt *row, int64_t fallback, struct sn_err *err);
int sn_sql_take_text(struct sn_db *db, sqlite3_stmt *row, char *out, size_t size,
		     struct sn_err *err);
json_t *sn_sql_take_json(struct sn_db *db, sqlite3_stmt *row, struct sn_err *err);

/* RFC 3339 text, or JSON null for 0. */
json_t *sn_json_time(int64_t unix_ns);
/* Null for a text that is NULL or empty. */
json_t *sn_json_text(const char *text);

#endif
