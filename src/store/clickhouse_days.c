/* SPDX-License-Identifier: Apache-2.0 */
/* Days: which there are, what they hold, and that they go. */
#include "store/clickhouse_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

#define TABLES_MAX 4096 /* that a day is dropped of */
#define CLUSTER_S  2    /* for other servers of the cluster; those that are down do it later */

int64_t sn_clickhouse_partition(int32_t day)
{
	time_t seconds = (time_t)day * 86400;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	return (int64_t)(tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

int32_t sn_clickhouse_partition_day(int64_t partition)
{
	struct tm tm = {.tm_year = (int)(partition / 10000) - 1900,
			.tm_mon = (int)(partition / 100 % 100) - 1,
			.tm_mday = (int)(partition % 100)};

	return (int32_t)(timegm(&tm) / 86400);
}

/* What there is ------------------------------------------------------------------- */

struct days {
	struct sn_clickhouse_day *list;
	size_t count;
};

static int take_days(const struct sn_vector *columns, size_t rows, void *ctx)
{
	struct days *days = ctx;

	days->list = sn_xrealloc(days->list, days->count + rows, sizeof(*days->list));
	for (size_t i = 0; i < rows; i++)
		days->list[days->count++] = (struct sn_clickhouse_day){
			.day = (int32_t)columns[0].i[i],
			.rows = (uint64_t)columns[1].i[i],
			.time_min = columns[2].i[i],
			.time_max = columns[3].i[i],
			.number_max = columns[4].i[i],
		};
	return 0;
}

static int find_days(struct sn_clickhouse *ch, const char *table, struct days *days,
		     struct sn_err *err)
{
	static const struct sn_native_column columns[] = {{"_sonde_day", SN_TYPE_I64, false},
							  {"_sonde_rows", SN_TYPE_I64, false},
							  {"_sonde_first", SN_TYPE_I64, false},
							  {"_sonde_last", SN_TYPE_I64, false},
							  {"_sonde_number", SN_TYPE_I64, false}};

	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "SELECT toInt64(toUInt16(_day)) AS _sonde_day, "
			      "toInt64(count()) AS _sonde_rows, min(time) AS _sonde_first, "
			      "max(time) AS _sonde_last, max(_number) AS _sonde_number FROM ");
	sn_clickhouse_add_table(ch, table);
	sn_buf_adds(&ch->sql, " GROUP BY _day ORDER BY _sonde_day");
	return sn_clickhouse_ask(ch, columns, SN_COUNT(columns), take_days, days, err);
}

static int by_day(const void *a, const void *b)
{
	const struct sn_clickhouse_day *left = a, *right = b;

	return (left->day > right->day) - (left->day < right->day);
}

static int take_bytes(const struct sn_vector *columns, size_t rows, void *ctx)
{
	struct days *days = ctx;

	for (size_t i = 0; i < rows; i++) {
		struct sn_clickhouse_day day = {
			.day = sn_clickhouse_partition_day(columns[0].i[i])};
		struct sn_clickhouse_day *found =
			bsearch(&day, days->list, days->count, sizeof(day), by_day);

		if (found != NULL)
			found->bytes = (uint64_t)columns[1].i[i];
	}
	return 0;
}

static int find_bytes(struct sn_clickhouse *ch, const char *table, struct days *days,
		      struct sn_err *err)
{
	static const struct sn_native_column columns[] = {{"_sonde_day", SN_TYPE_I64, false},
							  {"_sonde_bytes", SN_TYPE_I64, false}};
	char local[SN_CLICKHOUSE_TABLE_NAME_MAX + 2];

	if (days->count == 0)
		return 0;
	sn_clickhouse_local_name(ch, table, local);
	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "SELECT toInt64OrZero(partition_id) AS _sonde_day, "
			      "toInt64(sum(bytes_on_disk)) AS _sonde_bytes FROM ");
	sn_clickhouse_add_parts(ch, local);
	sn_buf_adds(&ch->sql, " GROUP BY _sonde_day");
	return sn_clickhouse_ask(ch, columns, SN_COUNT(columns), take_bytes, days, err);
}

int sn_clickhouse_days(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
		       sn_clickhouse_day_fn *fn, void *ctx, struct sn_err *err)
{
	struct sn_clickhouse_table *table;
	struct days days = {0};
	int rc = sn_clickhouse_table(ch, dataset, &table, err);

	if (rc != 0 || !table->exists)
		return rc;
	rc = find_days(ch, table->name, &days, err);
	if (rc == 0)
		rc = find_bytes(ch, table->name, &days, err);
	for (size_t i = 0; rc == 0 && i < days.count; i++)
		if (fn(&days.list[i], ctx) != 0)
			break;
	free(days.list);
	return rc;
}

/* What is to go --------------------------------------------------------------------- */

struct tables {
	struct {
		char *name;
		bool replicated;
	} list[TABLES_MAX];
	size_t count;
};

static int take_tables(const struct sn_vector *columns, size_t rows, void *ctx)
{
	struct tables *tables = ctx;

	for (size_t i = 0; i < rows && tables->count < TABLES_MAX; i++) {
		char *name = sn_xstrndup(columns[0].s[i].p, columns[0].s[i].n);

		if (!sn_sql_is_name(name)) {
			free(name);
			continue;
		}
		tables->list[tables->count].name = name;
		tables->list[tables->count++].replicated =
			sn_str_has_prefix(columns[1].s[i], "Replicated");
	}
	return 0;
}

/* Those that have the columns and keep parts themselves. */
static int find_tables(struct sn_clickhouse *ch, struct tables *tables, struct sn_err *err)
{
	static const struct sn_native_column columns[] = {{"name", SN_TYPE_TEXT, false},
							  {"engine", SN_TYPE_TEXT, false}};

	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "SELECT name, engine FROM system.tables WHERE database = ");
	sn_sql_add_text(&ch->sql, sn_str(ch->database));
	sn_buf_adds(&ch->sql, " AND engine LIKE '%MergeTree' AND name IN (SELECT table FROM "
			      "system.columns WHERE database = ");
	sn_sql_add_text(&ch->sql, sn_str(ch->database));
	sn_buf_adds(&ch->sql, " AND name IN ('_day', '_block', '_number') GROUP BY table HAVING "
			      "count() = 3) ORDER BY name");
	return sn_clickhouse_ask(ch, columns, SN_COUNT(columns), take_tables, tables, err);
}

static int take_count(const struct sn_vector *columns, size_t rows, void *ctx)
{
	int64_t *count = ctx;

	*count += columns[0].i[rows - 1];
	return 0;
}

/* Whether the server at hand has parts of the day. */
static int has_day(struct sn_clickhouse *ch, const char *table, int32_t day, bool *has,
		   struct sn_err *err)
{
	static const struct sn_native_column columns[] = {{"_sonde_parts", SN_TYPE_I64, false}};
	int64_t count = 0;
	int rc;

	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "SELECT toInt64(count()) AS _sonde_parts FROM system.parts");
	sn_clickhouse_add_where_parts(ch, table);
	sn_buf_addf(&ch->sql, " AND partition_id = '%08" PRId64 "'", sn_clickhouse_partition(day));
	rc = sn_clickhouse_ask(ch, columns, SN_COUNT(columns), take_count, &count, err);
	*has = count > 0;
	return rc;
}

static int drop_of_table(struct sn_clickhouse *ch, const char *table, bool on_cluster, int32_t day,
			 struct sn_err *err)
{
	struct sn_err ignored = {0};
	bool still = true;
	int code, rc;

	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "ALTER TABLE ");
	sn_clickhouse_add_table(ch, table);
	if (on_cluster)
		sn_clickhouse_add_on_cluster(ch);
	/* Its name would be '0000-00-00' for one of them. */
	sn_buf_addf(&ch->sql, " DROP PARTITION ID '%08" PRId64 "'", sn_clickhouse_partition(day));
	rc = sn_clickhouse_change(ch, CLUSTER_S, &code, err);
	if (rc == 0 || code != SN_CLICKHOUSE_TIMEOUT_EXCEEDED)
		return rc;
	return has_day(ch, table, day, &still, &ignored) == 0 && !still ? 0 : rc;
}

int sn_clickhouse_drop(struct sn_clickhouse *ch, int32_t day, struct sn_err *err)
{
	struct sn_err later = {0};
	struct tables *tables;
	int rc;

	if (day < 0 || day > SN_CLICKHOUSE_LAST_DAY)
		return 0;
	tables = sn_new(struct tables);
	rc = find_tables(ch, tables, err);
	/* One that fails does not keep the others. */
	for (size_t i = 0; i < tables->count; i++) {
		int failed = drop_of_table(ch, tables->list[i].name, tables->list[i].replicated,
					   day, rc == 0 ? err : &later);

		rc = rc == 0 ? failed : rc;
	}
	for (size_t i = 0; i < tables->count; i++)
		free(tables->list[i].name);
	free(tables);
	return rc;
}
