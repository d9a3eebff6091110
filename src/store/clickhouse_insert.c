/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks on their way to the server, and whether they have arrived. */
#include "store/clickhouse_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "store/block.h"

/* The server would acknowledge a block that is only in its memory. */
#define SETTINGS_NEW "&async_insert=0"

/* Columns are written when the connection asks for more. */
struct upload {
	const struct sn_columns *rows;
	const struct sn_dataset *dataset;
	size_t next;
};

static void add_next_column(struct sn_buf *out, void *ctx)
{
	struct upload *upload = ctx;
	struct sn_native_column column = sn_clickhouse_column(upload->dataset, upload->next);
	struct sn_vector vector = sn_columns_vector(upload->rows, (int)upload->next);

	upload->next++;
	sn_native_add_column(out, &column, &vector);
}

static uint64_t columns_size(const struct upload *upload)
{
	uint64_t size = 0;

	for (size_t i = 0; i < upload->dataset->column_count; i++) {
		struct sn_native_column column = sn_clickhouse_column(upload->dataset, i);
		struct sn_vector vector = sn_columns_vector(upload->rows, (int)i);

		size += sn_native_column_size(&column, &vector);
	}
	return size;
}

static int check_block(const struct sn_columns *rows, const struct sn_clickhouse_block *block,
		       struct sn_err *err)
{
	struct sn_vector times = sn_columns_vector(rows, SN_COL_TIME);
	int64_t from = (int64_t)block->day * 86400 * SN_NS_PER_S;

	if (times.rows == 0 || times.rows > SN_BLOCK_ROWS_MAX)
		return sn_err_set(err, -EINVAL, "a block of %zu rows", times.rows);
	if (block->day < 0 || block->day > SN_CLICKHOUSE_LAST_DAY)
		return sn_err_set(err, -ERANGE,
				  "ClickHouse has no day %" PRId32
				  " (its days are of 1970 to 2105)",
				  block->day);
	for (size_t i = 0; i < times.rows; i++)
		if (sn_vector_is_null(&times, i) || times.i[i] < from ||
		    times.i[i] - from >= 86400 * SN_NS_PER_S)
			return sn_err_set(err, -EINVAL, "row %zu is not of day %" PRId32, i,
					  block->day);
	return 0;
}

/* The statement and, behind its line, the beginning of the block. */
static void begin_insert(struct sn_clickhouse *ch, const struct sn_dataset *dataset,
			 const char *table, size_t rows, const struct sn_clickhouse_block *block)
{
	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "INSERT INTO ");
	sn_clickhouse_add_table(ch, table);
	sn_buf_adds(&ch->sql, " (_day, _block, _number");
	for (size_t i = 0; i < dataset->column_count; i++) {
		sn_buf_adds(&ch->sql, ", ");
		sn_sql_add_name(&ch->sql, dataset->columns[i].name);
	}
	sn_buf_adds(&ch->sql, ") FORMAT Native\n");
	sn_native_add_head(&ch->sql, dataset->column_count + 3, rows);
	sn_native_add_day(&ch->sql, "_day", (uint16_t)block->day, rows);
	sn_native_add_same(&ch->sql, "_block", block->id, rows);
	sn_native_add_numbers(&ch->sql, "_number", block->first, rows);
}

int sn_clickhouse_insert(struct sn_clickhouse *ch, const struct sn_columns *rows,
			 const struct sn_clickhouse_block *block, struct sn_err *err)
{
	struct upload upload = {.rows = rows, .dataset = sn_columns_dataset(rows)};
	struct sn_clickhouse_request request = {
		.changes = true, .more = add_next_column, .ctx = &upload};
	char local[SN_CLICKHOUSE_TABLE_NAME_MAX + 2];
	struct sn_clickhouse_table *table;
	sn_autofree char *settings = NULL;
	const char *version;
	int rc = check_block(rows, block, err);

	if (rc == 0)
		rc = sn_clickhouse_table(ch, upload.dataset, &table, err);
	if (rc == 0 && !table->whole)
		rc = sn_clickhouse_define(ch, upload.dataset, err);
	if (rc == 0 && ch->version == NULL)
		rc = sn_clickhouse_version(ch, &version, err);
	if (rc != 0)
		return rc == -EAGAIN ? -ECONNRESET : rc; /* the block was not sent yet */
	sn_clickhouse_local_name(ch, table->name, local);
	begin_insert(ch, upload.dataset, local, sn_columns_rows(rows), block);
	request.sql = sn_buf_str(&ch->sql);
	request.more_bytes = columns_size(&upload);
	/* While the first attempt still runs the server refuses a second one. */
	settings = sn_xasprintf(SN_CLICKHOUSE_SETTINGS "&query_id=sonde-%" PRIu64 "%s", block->id,
				ch->is_new ? SETTINGS_NEW : "");
	request.settings = settings;
	rc = sn_clickhouse_http_run(ch->http, &request, err);
	/* Somebody has dropped it. */
	if (rc == -EPROTO && request.code == SN_CLICKHOUSE_UNKNOWN_TABLE)
		table->whole = table->exists = false;
	return rc;
}

static int take_count(const struct sn_vector *columns, size_t rows, void *ctx)
{
	uint64_t *count = ctx;

	for (size_t i = 0; i < rows; i++)
		*count += (uint64_t)columns[0].i[i];
	return 0;
}

static int count_block(struct sn_clickhouse *ch, const char *table, int32_t day, uint64_t id,
		       uint64_t *rows, struct sn_err *err)
{
	static const struct sn_native_column columns[] = {{"n", SN_TYPE_I64, false}};

	*rows = 0;
	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "SELECT toInt64(count()) AS n FROM ");
	sn_clickhouse_add_table(ch, table);
	sn_buf_adds(&ch->sql, " WHERE _day = ");
	sn_sql_add_day(&ch->sql, day);
	sn_buf_addf(&ch->sql, " AND _block = %" PRIu64, id);
	return sn_clickhouse_ask(ch, columns, 1, take_count, rows, err);
}

int sn_clickhouse_has(struct sn_clickhouse *ch, const struct sn_dataset *dataset, int32_t day,
		      uint64_t id, uint64_t *rows, struct sn_err *err)
{
	char local[SN_CLICKHOUSE_TABLE_NAME_MAX + 2];
	struct sn_clickhouse_table *table;
	int rc = sn_clickhouse_table(ch, dataset, &table, err);

	*rows = 0;
	if (rc != 0 || !table->exists)
		return rc;
	/* Inserts went to the server at hand; another replica may not have the block yet. */
	sn_clickhouse_local_name(ch, table->name, local);
	rc = count_block(ch, local, day, id, rows, err);
	if (rc == 0 && *rows == 0 && ch->cluster != NULL)
		rc = count_block(ch, table->name, day, id, rows, err);
	return rc;
}
