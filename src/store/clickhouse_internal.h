/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the ClickHouse client share: the handle, questions, tables.
 *
 * Files: clickhouse.c (handle, statements, questions), clickhouse_table.c (tables),
 * clickhouse_insert.c (blocks), clickhouse_days.c (days, drop), clickhouse_scan.c (rows),
 * clickhouse_http.c (the connection), clickhouse_sql.c (quoting), native.c (rows as bytes).
 */
#ifndef SONDE_STORE_CLICKHOUSE_INTERNAL_H
#define SONDE_STORE_CLICKHOUSE_INTERNAL_H

#include "store/clickhouse.h"

#include "base/map.h"
#include "store/clickhouse_http.h"
#include "store/clickhouse_sql.h"
#include "store/native.h"

#define SN_CLICKHOUSE_TABLE_NAME_MAX (SN_SQL_NAME_MAX + 16)
#define SN_CLICKHOUSE_LAST_DAY       49672 /* 2105-12-31, the last Date of 18.16 */

/* A statement may hold SN_QUERY_FILTERS_MAX texts and SN_CLICKHOUSE_BLOCKS_MAX ids. */
#define SN_CLICKHOUSE_SETTINGS "max_query_size=4194304"

/* What is known of a dataset's table. */
struct sn_clickhouse_table {
	const struct sn_dataset *dataset; /* whose columns `has` is about */
	char name[SN_CLICKHOUSE_TABLE_NAME_MAX];
	bool exists;
	bool whole; /* it has all columns: that stays so */
	bool has[SN_DATASET_COLUMNS_MAX];
};

struct sn_clickhouse {
	struct sn_clickhouse_http *http;
	char *database;
	char *cluster;         /* NULL: one server */
	char *version;         /* NULL: not asked yet */
	bool is_new;           /* knows settings that 18.16 does not */
	struct sn_map *tables; /* by name */
	struct sn_buf sql;     /* the statement being written */
};

/*
 * The statement in ch->sql, which changes something and has no answer that matters.  Over a cluster
 * other servers get `cluster_s` seconds; those that are down will do it when they are back, and the
 * answer is SN_CLICKHOUSE_TIMEOUT_EXCEEDED.
 */
int sn_clickhouse_change(struct sn_clickhouse *ch, unsigned cluster_s, int *code,
			 struct sn_err *err);
/*
 * The question in ch->sql, to which the format is added; `fn` gets the rows.  A table that is not
 * there has none.  0, 1 when `fn` ended it, or an error.
 */
int sn_clickhouse_ask(struct sn_clickhouse *ch, const struct sn_native_column *columns,
		      size_t count, sn_native_fn *fn, void *ctx, struct sn_err *err);

/* `database`.`name` into the statement. */
void sn_clickhouse_add_table(struct sn_clickhouse *ch, const char *name);
/* What stands behind FROM for the parts of a table; over a cluster those of one server per shard.
 */
void sn_clickhouse_add_parts(struct sn_clickhouse *ch, const char *local);
void sn_clickhouse_add_where_parts(struct sn_clickhouse *ch, const char *local);
/* 20260301 for a day and back; only such numbers are ids of partitions. */
int64_t sn_clickhouse_partition(int32_t day);
int32_t sn_clickhouse_partition_day(int64_t partition);
/* The dataset's table as far as it is known to be; asked for again while columns are missing. */
int sn_clickhouse_table(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
			struct sn_clickhouse_table **table, struct sn_err *err);
/* A column of the dataset as it is in the table. */
struct sn_native_column sn_clickhouse_column(const struct sn_dataset *dataset, size_t i);
/* <table> or, over a cluster, <table>_l: where parts and partitions are. */
void sn_clickhouse_local_name(const struct sn_clickhouse *ch, const char *table,
			      char out[SN_CLICKHOUSE_TABLE_NAME_MAX + 2]);
void sn_clickhouse_add_on_cluster(struct sn_clickhouse *ch);

#endif
