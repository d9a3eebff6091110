/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clickhouse_sql: what is written into statements for ClickHouse, so that servers from
 * 18.16 on understand the same.
 *
 * Internal to store/clickhouse*.  There are no parameters in 18.16: names are checked,
 * texts are quoted, doubles go as their bits (its reader of decimals is not exact).
 */
#ifndef SONDE_STORE_CLICKHOUSE_SQL_H
#define SONDE_STORE_CLICKHOUSE_SQL_H

#include "base/buf.h"
#include "store/store.h"

#define SN_SQL_NAME_MAX 128

/* [A-Za-z_][A-Za-z0-9_]*, up to SN_SQL_NAME_MAX bytes. */
bool sn_sql_is_name(const char *text);
/* Of a cluster, also with '-' and '.'. */
bool sn_sql_is_cluster(const char *text);

void sn_sql_add_name(struct sn_buf *out, const char *name); /* `name` */
void sn_sql_add_text(struct sn_buf *out, struct sn_str text);
void sn_sql_add_f64(struct sn_buf *out, double value);
void sn_sql_add_day(struct sn_buf *out, int32_t day); /* a Date */

/*
 * A condition that is true for the rows that pass as in store/filter.h, and false or null for the
 * others.  `exists`: whether the table has the column; if not all rows are null.  The filter must
 * have been checked: types fit, numbers are finite.
 */
void sn_sql_add_filter(struct sn_buf *out, const struct sn_dataset *dataset,
		       const struct sn_filter *filter, bool exists);

#endif
