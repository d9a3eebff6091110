/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "control"
#include "hub/sql.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"

int64_t sn_sql_take_i64(struct sn_db *db, sqlite3_stmt *row, int64_t fallback, struct sn_err *err)
{
	int64_t value = fallback;

	if (row != NULL && sn_db_next(db, row, err) == 1)
		value = sqlite3_column_int64(row, 0);
	if (err->code != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err->text);
	if (row != NULL)
		sn_db_done(row);
	return value;
}

int sn_sql_take_text(struct sn_db *db, sqlite3_stmt *row, char *out, size_t size,
		     struct sn_err *err)
{
	const char *text = NULL;

	if (row != NULL && sn_db_next(db, row, err) == 1)
		text = (const char *)sqlite3_column_text(row, 0);
	if (err->code != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err->text);
	if (text != NULL)
		snprintf(out, size, "%s", text);
	if (row != NULL)
		sn_db_done(row);
	return text != NULL ? 0 : -ENOENT;
}

json_t *sn_json_time(int64_t unix_ns)
{
	char text[SN_TIME_TEXT_MAX];

	return unix_ns == 0 ? json_null()
			    : json_string(sn_format_time(unix_ns, text, sizeof(text)));
}

static json_t *column_json(sqlite3_stmt *row, int column, const char *kind)
{
	int type = sqlite3_column_type(row, column);

	if (type == SQLITE_NULL)
		return json_null();
	if (strcmp(kind, "time") == 0)
		return sn_json_time(sqlite3_column_int64(row, column));
	if (strcmp(kind, "bool") == 0)
		return json_boolean(sqlite3_column_int64(row, column) != 0);
	if (strcmp(kind, "json") == 0)
		return json_loads((const char *)sqlite3_column_text(row, column), JSON_DECODE_ANY,
				  NULL);
	if (type == SQLITE_INTEGER)
		return json_integer(sqlite3_column_int64(row, column));
	if (type == SQLITE_FLOAT)
		return json_real(sqlite3_column_double(row, column));
	return json_string((const char *)sqlite3_column_text(row, column));
}

static json_t *row_json(sqlite3_stmt *row)
{
	json_t *object = json_object();

	for (int i = 0; i < sqlite3_column_count(row); i++) {
		const char *name = sqlite3_column_name(row, i);
		size_t length = strcspn(name, ":");
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)length, name);
		json_object_set_new(
			object, key,
			column_json(row, i, name[length] == ':' ? name + length + 1 : ""));
	}
	return object;
}

json_t *sn_sql_take_json(struct sn_db *db, sqlite3_stmt *row, struct sn_err *err)
{
	json_t *items;
	int got;

	if (row == NULL)
		return NULL;
	items = json_array();
	while ((got = sn_db_next(db, row, err)) == 1)
		json_array_append_new(items, row_json(row));
	sn_db_done(row);
	if (got < 0) {
		json_decref(items);
		return NULL;
	}
	return items;
}

json_t *sn_json_text(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}
