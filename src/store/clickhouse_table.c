/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: what there is of them, and making what is missing. */
#include "store/clickhouse_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CLUSTER_S 10 /* for servers of the cluster to make a table, too */
/*
 * A server that is started again in the second in which it was killed keeps the directory of a part
 * that it was fetching, and does not fetch that part before the directory is so old; if nobody says
 * so, that is a day.  One that something is still written to is not old.
 */
#define TEMPORARY_S 600

static int check_names(const struct sn_dataset *dataset, struct sn_err *err)
{
	if (!sn_sql_is_name(dataset->name))
		return sn_err_set(err, -EINVAL, "'%s' cannot be the name of a table",
				  dataset->name);
	for (size_t i = 0; i < dataset->column_count; i++)
		if (!sn_sql_is_name(dataset->columns[i].name))
			return sn_err_set(err, -EINVAL, "'%s' of '%s' cannot be a column's name",
					  dataset->columns[i].name, dataset->name);
	return 0;
}

struct sn_native_column sn_clickhouse_column(const struct sn_dataset *dataset, size_t i)
{
	return (struct sn_native_column){dataset->columns[i].name, dataset->columns[i].type,
					 i != SN_COL_TIME};
}

/* What there is --------------------------------------------------------------------- */

/* What a server says of the columns of a table. */
struct columns_seen {
	const struct sn_dataset *dataset;
	struct sn_clickhouse_table *table;
	char *other; /* a column of another type than ours, and that */
};

static int see_columns(const struct sn_vector *columns, size_t rows, void *ctx)
{
	struct columns_seen *seen = ctx;

	seen->table->exists = true;
	for (size_t i = 0; i < rows; i++) {
		sn_autofree char *name = sn_xstrndup(columns[0].s[i].p, columns[0].s[i].n);
		struct sn_native_column ours;
		int column = sn_dataset_column(seen->dataset, name);

		if (column < 0)
			continue;
		ours = sn_clickhouse_column(seen->dataset, (size_t)column);
		seen->table->has[column] = true;
		if (!sn_str_eqc(columns[1].s[i], sn_native_type(ours.type, ours.nullable)) &&
		    seen->other == NULL)
			seen->other = sn_xasprintf("'%s' is %.*s", name, (int)columns[1].s[i].n,
						   columns[1].s[i].p);
	}
	return 0;
}

/* Asks for the columns of the table of that name. */
static int see_table(struct sn_clickhouse *ch, const struct sn_dataset *dataset, const char *name,
		     struct sn_clickhouse_table *table, struct sn_err *err)
{
	static const struct sn_native_column columns[] = {{"name", SN_TYPE_TEXT, false},
							  {"type", SN_TYPE_TEXT, false}};
	struct columns_seen seen = {.dataset = dataset, .table = table};
	int rc;

	table->exists = false;
	table->whole = true;
	memset(table->has, 0, sizeof(table->has));
	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "SELECT name, type FROM system.columns WHERE database = ");
	sn_sql_add_text(&ch->sql, sn_str(ch->database));
	sn_buf_adds(&ch->sql, " AND table = ");
	sn_sql_add_text(&ch->sql, sn_str(name));
	rc = sn_clickhouse_ask(ch, columns, SN_COUNT(columns), see_columns, &seen, err);
	if (rc == 0 && seen.other != NULL)
		rc = sn_err_set(err, -EINVAL,
				"the table '%s' of ClickHouse at '%s' is not Sonde's: its column "
				"%s (rename it)",
				name, sn_clickhouse_place(ch), seen.other);
	for (size_t i = 0; i < dataset->column_count; i++)
		table->whole &= table->has[i];
	free(seen.other);
	return rc;
}

int sn_clickhouse_table(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
			struct sn_clickhouse_table **table, struct sn_err *err)
{
	char name[SN_CLICKHOUSE_TABLE_NAME_MAX];
	struct sn_clickhouse_table *known;
	int rc = check_names(dataset, err);

	if (rc != 0)
		return rc;
	snprintf(name, sizeof(name), "%s_%u", dataset->name, dataset->version);
	known = sn_map_get(ch->tables, name);
	if (known == NULL) {
		known = sn_new(struct sn_clickhouse_table);
		memcpy(known->name, name, sizeof(name));
		sn_map_set(ch->tables, name, known);
	}
	*table = known;
	if (known->whole && known->dataset == dataset)
		return 0;
	known->dataset = dataset;
	return see_table(ch, dataset, name, known, err);
}

/* Making them ---------------------------------------------------------------------- */

static void add_column(struct sn_clickhouse *ch, const struct sn_dataset *dataset, size_t i)
{
	struct sn_native_column column = sn_clickhouse_column(dataset, i);

	sn_sql_add_name(&ch->sql, column.name);
	sn_buf_addf(&ch->sql, " %s", sn_native_type(column.type, column.nullable));
}

static void add_engine(struct sn_clickhouse *ch, const char *name, const char *local)
{
	struct sn_buf path = {0};

	if (local != NULL) {
		sn_buf_adds(&ch->sql, "Distributed(");
		sn_sql_add_text(&ch->sql, sn_str(ch->cluster));
		sn_buf_adds(&ch->sql, ", ");
		sn_sql_add_text(&ch->sql, sn_str(ch->database));
		sn_buf_adds(&ch->sql, ", ");
		sn_sql_add_text(&ch->sql, sn_str(local));
		sn_buf_addc(&ch->sql, ')');
		return;
	}
	if (ch->cluster != NULL) {
		sn_buf_addf(&path, "/clickhouse/tables/{shard}/%s.%s", ch->database, name);
		sn_buf_adds(&ch->sql, "ReplicatedMergeTree(");
		sn_sql_add_text(&ch->sql, sn_buf_str(&path));
		sn_buf_adds(&ch->sql, ", '{replica}')");
		sn_buf_finish(&path);
	} else {
		sn_buf_adds(&ch->sql, "MergeTree");
	}
	sn_buf_adds(&ch->sql, " PARTITION BY _day ORDER BY (time, _number)");
	if (ch->cluster != NULL)
		sn_buf_addf(&ch->sql, " SETTINGS temporary_directories_lifetime = %d", TEMPORARY_S);
}

/* `local`: of a distributed table, that on each server. */
static int create_table(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
			const char *name, const char *local, struct sn_err *err)
{
	int code;

	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "CREATE TABLE IF NOT EXISTS ");
	sn_clickhouse_add_table(ch, name);
	sn_clickhouse_add_on_cluster(ch);
	sn_buf_adds(&ch->sql, " (");
	for (size_t i = 0; i < dataset->column_count; i++) {
		add_column(ch, dataset, i);
		sn_buf_adds(&ch->sql, ", ");
	}
	sn_buf_adds(&ch->sql, "_day Date, _block UInt64, _number Int64) ENGINE = ");
	add_engine(ch, name, local);
	return sn_clickhouse_change(ch, CLUSTER_S, &code, err);
}

static int create_database(struct sn_clickhouse *ch, struct sn_err *err)
{
	int code;

	if (strcmp(ch->database, "default") == 0)
		return 0;
	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "CREATE DATABASE IF NOT EXISTS ");
	sn_sql_add_name(&ch->sql, ch->database);
	sn_clickhouse_add_on_cluster(ch);
	return sn_clickhouse_change(ch, CLUSTER_S, &code, err);
}

static int add_columns(struct sn_clickhouse *ch, const struct sn_dataset *dataset, const char *name,
		       const struct sn_clickhouse_table *table, struct sn_err *err)
{
	const char *separator = " ";
	int code;

	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "ALTER TABLE ");
	sn_clickhouse_add_table(ch, name);
	sn_clickhouse_add_on_cluster(ch);
	for (size_t i = 0; i < dataset->column_count; i++) {
		if (table->has[i])
			continue;
		sn_buf_addf(&ch->sql, "%sADD COLUMN ", separator);
		add_column(ch, dataset, i);
		separator = ", ";
	}
	return sn_clickhouse_change(ch, CLUSTER_S, &code, err);
}

/*
 * The table of that name with all columns.  Somebody else may do the same at the same time, and
 * over a cluster the statement waits for servers that are down; so what counts is what is there
 * afterwards.
 */
static int define_table(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
			const char *name, const char *local, struct sn_clickhouse_table *table,
			struct sn_err *err)
{
	int rc = see_table(ch, dataset, name, table, err), failed;

	if (rc != 0 || table->whole)
		return rc;
	if (table->exists)
		failed = add_columns(ch, dataset, name, table, err);
	else
		failed = create_table(ch, dataset, name, local, err);
	if (failed != 0 && failed != -EAGAIN && failed != -EPROTO)
		return failed;
	rc = see_table(ch, dataset, name, table, failed != 0 ? NULL : err);
	if (rc != 0 || table->whole)
		return rc;
	if (failed != 0)
		return failed;
	return sn_err_set(err, -EBADMSG,
			  "ClickHouse at '%s' has made table '%s' but not its columns",
			  sn_clickhouse_place(ch), name);
}

int sn_clickhouse_define(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
			 struct sn_err *err)
{
	char local[SN_CLICKHOUSE_TABLE_NAME_MAX + 2];
	struct sn_clickhouse_table *table, local_table;
	struct sn_err local_err = {0};
	int rc;

	err = err != NULL ? err : &local_err;
	rc = sn_clickhouse_table(ch, dataset, &table, err);
	if (rc != 0 || table->whole)
		return rc;
	if (!table->exists)
		rc = create_database(ch, err);
	sn_clickhouse_local_name(ch, table->name, local);
	if (rc == 0 && ch->cluster != NULL)
		rc = define_table(ch, dataset, local, NULL, &local_table, err);
	if (rc == 0)
		rc = define_table(ch, dataset, table->name, ch->cluster != NULL ? local : NULL,
				  table, err);
	if (rc != 0)
		sn_err_wrap(err, "cannot make the table of dataset '%s'", dataset->name);
	return rc;
}
