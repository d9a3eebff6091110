/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks on their way to the server, and whether they have arrived. */
#include "store/clickhouse_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/block.h"

/* The server would acknowledge a block that is only in its memory. */
#define SETTINGS_NEW "&async_insert=0"

/*
 * Columns are written when the connection asks for more; those without a value are left out, which
 * to the server is the same.  Rows go in the order of the table, by time: a server that has to sort
 * them makes another copy of each column.
 */
struct upload {
	const struct sn_columns *rows;
	const struct sn_dataset *dataset;
	int sent[SN_DATASET_COLUMNS_MAX]; /* columns */
	size_t sent_count, next;          /* next: index of `sent` */
	uint32_t *order;                  /* rows by time; NULL: they stand so */
	struct sn_str *values; /* room for a column in that order, of the widest values */
	uint8_t *nulls;
};

struct moment {
	int64_t time_ns;
	uint32_t row;
};

static int by_time(const void *a, const void *b)
{
	const struct moment *left = a, *right = b;

	if (left->time_ns != right->time_ns)
		return left->time_ns < right->time_ns ? -1 : 1;
	return left->row < right->row ? -1 : 1;
}

static bool is_sorted(const struct sn_vector *times)
{
	for (size_t i = 1; i < times->rows; i++)
		if (times->i[i] < times->i[i - 1])
			return false;
	return true;
}

/* Rows of the same time stay in their order: sent again, a block has the same bytes. */
static uint32_t *order_of(const struct sn_vector *times)
{
	sn_autofree struct moment *moments = NULL;
	uint32_t *order;

	if (is_sorted(times))
		return NULL;
	moments = sn_xcalloc(times->rows, sizeof(*moments));
	order = sn_xcalloc(times->rows, sizeof(*order));
	for (size_t i = 0; i < times->rows; i++)
		moments[i] = (struct moment){times->i[i], (uint32_t)i};
	qsort(moments, times->rows, sizeof(*moments), by_time);
	for (size_t i = 0; i < times->rows; i++)
		order[i] = moments[i].row;
	return order;
}

static bool has_values(const struct sn_vector *vector)
{
	return vector->null == NULL || memchr(vector->null, 0, vector->rows) != NULL;
}

static void upload_init(struct upload *upload, const struct sn_columns *rows)
{
	struct sn_vector times = sn_columns_vector(rows, SN_COL_TIME);

	*upload = (struct upload){.rows = rows, .dataset = sn_columns_dataset(rows)};
	for (size_t i = 0; i < upload->dataset->column_count; i++) {
		struct sn_vector vector = sn_columns_vector(rows, (int)i);

		if (has_values(&vector))
			upload->sent[upload->sent_count++] = (int)i;
	}
	upload->order = order_of(&times);
	if (upload->order == NULL)
		return;
	upload->values = sn_xcalloc(times.rows, sizeof(*upload->values));
	upload->nulls = sn_xmalloc(times.rows);
}

static void upload_finish(struct upload *upload)
{
	free(upload->order);
	free(upload->values);
	free(upload->nulls);
}

/* The same values in the order of the rows that are sent. */
static void put_in_order(struct upload *upload, struct sn_vector *vector)
{
	const uint32_t *order = upload->order;
	uint64_t *numbers = (uint64_t *)upload->values;
	uint8_t *bytes = (uint8_t *)upload->values;

	if (order == NULL)
		return;
	if (vector->type == SN_TYPE_TEXT)
		for (size_t i = 0; i < vector->rows; i++)
			upload->values[i] = vector->s[order[i]];
	else if (vector->type == SN_TYPE_BOOL)
		for (size_t i = 0; i < vector->rows; i++)
			bytes[i] = vector->b[order[i]];
	else
		for (size_t i = 0; i < vector->rows; i++)
			numbers[i] = ((const uint64_t *)vector->values)[order[i]];
	vector->values = upload->values;
	if (vector->null == NULL)
		return;
	for (size_t i = 0; i < vector->rows; i++)
		upload->nulls[i] = vector->null[order[i]];
	vector->null = upload->nulls;
}

static void add_next_column(struct sn_buf *out, void *ctx)
{
	struct upload *upload = ctx;
	int i = upload->sent[upload->next++];
	struct sn_native_column column = sn_clickhouse_column(upload->dataset, (size_t)i);
	struct sn_vector vector = sn_columns_vector(upload->rows, i);

	put_in_order(upload, &vector);
	sn_native_add_column(out, &column, &vector);
}

static uint64_t columns_size(const struct upload *upload)
{
	uint64_t size = 0;

	for (size_t i = 0; i < upload->sent_count; i++) {
		struct sn_native_column column =
			sn_clickhouse_column(upload->dataset, (size_t)upload->sent[i]);
		struct sn_vector vector = sn_columns_vector(upload->rows, upload->sent[i]);

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
static void begin_insert(struct sn_clickhouse *ch, const char *table, const struct upload *upload,
			 const struct sn_clickhouse_block *block)
{
	size_t rows = sn_columns_rows(upload->rows);

	sn_buf_clear(&ch->sql);
	sn_buf_adds(&ch->sql, "INSERT INTO ");
	sn_clickhouse_add_table(ch, table);
	sn_buf_adds(&ch->sql, " (_day, _block, _number");
	for (size_t i = 0; i < upload->sent_count; i++) {
		sn_buf_adds(&ch->sql, ", ");
		sn_sql_add_name(&ch->sql, upload->dataset->columns[upload->sent[i]].name);
	}
	sn_buf_adds(&ch->sql, ") FORMAT Native\n");
	sn_native_add_head(&ch->sql, upload->sent_count + 3, rows);
	sn_native_add_day(&ch->sql, "_day", (uint16_t)block->day, rows);
	sn_native_add_same(&ch->sql, "_block", block->id, rows);
	sn_native_add_numbers(&ch->sql, "_number", block->first, upload->order, rows);
}

/* `settings` are of the statement in ch->sql. */
static int send(struct sn_clickhouse *ch, struct upload *upload, const char *settings, int *code,
		struct sn_err *err)
{
	struct sn_clickhouse_request request = {
		.sql = sn_buf_str(&ch->sql),
		.settings = settings,
		.changes = true,
		.more = add_next_column,
		.more_bytes = columns_size(upload),
		.ctx = upload,
	};
	int rc = sn_clickhouse_http_run(ch->http, &request, err);

	*code = request.code;
	return rc;
}

int sn_clickhouse_insert(struct sn_clickhouse *ch, const struct sn_columns *rows,
			 const struct sn_clickhouse_block *block, struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_columns_dataset(rows);
	char local[SN_CLICKHOUSE_TABLE_NAME_MAX + 2];
	struct sn_clickhouse_table *table;
	sn_autofree char *settings = NULL;
	struct upload upload;
	const char *version;
	int code, rc = check_block(rows, block, err);

	if (rc == 0)
		rc = sn_clickhouse_table(ch, dataset, &table, err);
	if (rc == 0 && !table->whole)
		rc = sn_clickhouse_define(ch, dataset, err);
	if (rc == 0 && ch->version == NULL)
		rc = sn_clickhouse_version(ch, &version, err);
	if (rc != 0)
		return rc == -EAGAIN ? -ECONNRESET : rc; /* the block was not sent yet */
	sn_clickhouse_local_name(ch, table->name, local);
	upload_init(&upload, rows);
	begin_insert(ch, local, &upload, block);
	/* While the first attempt still runs the server refuses a second one. */
	settings = sn_xasprintf(SN_CLICKHOUSE_SETTINGS "&query_id=sonde-%" PRIu64 "%s", block->id,
				ch->is_new ? SETTINGS_NEW : "");
	rc = send(ch, &upload, settings, &code, err);
	upload_finish(&upload);
	/* Somebody has dropped it. */
	if (rc == -EPROTO && code == SN_CLICKHOUSE_UNKNOWN_TABLE)
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
