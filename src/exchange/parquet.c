/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/parquet.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "exchange/parquet_column.h"
#include "exchange/parquet_footer.h"
#include "exchange/thrift.h"

#define MAGIC         "PAR1"
#define DEFAULT_LEVEL 3
/* So often a group's memory is looked at; the same for rows and columns, so that files are, too. */
#define LOOK_ROWS 256

struct sn_parquet {
	const struct sn_dataset *dataset;
	struct sn_parquet_options options;
	sn_parquet_write_fn *write;
	void *ctx;
	struct sn_parquet_press press;
	struct sn_parquet_column *columns;
	size_t group_rows; /* of the open group */
	uint64_t rows, offset;
	struct sn_buf groups; /* metadata of those that are written */
	uint32_t group_count;
	struct sn_buf dictionary; /* page of the chunk that is being written */
	bool finished;
	int rc; /* the first error */
};

static struct sn_parquet_options complete(const struct sn_parquet_options *options)
{
	struct sn_parquet_options all = {0};

	if (options != NULL)
		all = *options;
	if (all.group_rows == 0)
		all.group_rows = SN_PARQUET_GROUP_ROWS;
	if (all.group_bytes == 0)
		all.group_bytes = SN_PARQUET_GROUP_BYTES;
	if (all.zstd_level == 0)
		all.zstd_level = DEFAULT_LEVEL;
	assert(all.group_rows <= SN_PARQUET_GROUP_ROWS);
	assert(all.group_bytes >= SN_PARQUET_GROUP_BYTES_MIN);
	assert(all.zstd_level >= 1 && all.zstd_level <= 19);
	return all;
}

struct sn_parquet *sn_parquet_create(const struct sn_dataset *dataset,
				     const struct sn_parquet_options *options,
				     sn_parquet_write_fn *write, void *ctx)
{
	struct sn_parquet *parquet = sn_new(struct sn_parquet);

	parquet->dataset = dataset;
	parquet->options = complete(options);
	parquet->write = write;
	parquet->ctx = ctx;
	sn_parquet_press_init(&parquet->press, parquet->options.zstd_level);
	parquet->columns = sn_new_n(struct sn_parquet_column, dataset->column_count);
	for (size_t i = 0; i < dataset->column_count; i++)
		sn_parquet_column_init(&parquet->columns[i], dataset->columns[i].type,
				       &parquet->press);
	return parquet;
}

void sn_parquet_destroy(struct sn_parquet *parquet)
{
	if (parquet == NULL)
		return;
	for (size_t i = 0; i < parquet->dataset->column_count; i++)
		sn_parquet_column_finish(&parquet->columns[i]);
	sn_parquet_press_finish(&parquet->press);
	sn_buf_finish(&parquet->groups);
	sn_buf_finish(&parquet->dictionary);
	free(parquet->columns);
	free(parquet);
}

static void put(struct sn_parquet *parquet, const void *data, size_t size)
{
	if (parquet->rc == 0 && size > 0)
		parquet->rc = parquet->write(data, size, parquet->ctx);
	parquet->offset += size;
}

static void begin_file(struct sn_parquet *parquet)
{
	if (parquet->offset == 0)
		put(parquet, MAGIC, strlen(MAGIC));
}

/* Row groups --------------------------------------------------------------- */

static void end_chunk(struct sn_parquet *parquet, size_t i, struct sn_thrift *thrift)
{
	struct sn_parquet_column *column = &parquet->columns[i];
	struct sn_parquet_chunk chunk = {.start = parquet->offset};

	sn_buf_clear(&parquet->dictionary);
	sn_parquet_column_end(column, &parquet->dictionary);
	chunk.data_start = chunk.start + parquet->dictionary.n;
	chunk.bytes = parquet->dictionary.n + column->pages.n;
	put(parquet, parquet->dictionary.p, parquet->dictionary.n);
	put(parquet, column->pages.p, column->pages.n);
	sn_parquet_add_chunk(thrift, parquet->dataset->columns[i].name, column, &chunk);
}

static void end_group(struct sn_parquet *parquet)
{
	size_t count = parquet->dataset->column_count;
	uint64_t start, unpacked = 0;
	struct sn_thrift thrift;

	begin_file(parquet);
	start = parquet->offset;
	sn_thrift_init(&thrift, &parquet->groups);
	sn_thrift_open(&thrift);
	sn_thrift_list(&thrift, 1, SN_THRIFT_STRUCT, count);
	for (size_t i = 0; i < count; i++) {
		end_chunk(parquet, i, &thrift);
		unpacked += parquet->columns[i].unpacked_bytes;
		sn_parquet_column_clear(&parquet->columns[i]);
	}
	sn_thrift_i64(&thrift, 2, (int64_t)unpacked);
	sn_thrift_i64(&thrift, 3, (int64_t)parquet->group_rows);
	sn_thrift_i64(&thrift, 5, (int64_t)start);
	sn_thrift_i64(&thrift, 6, (int64_t)(parquet->offset - start));
	sn_thrift_close(&thrift);
	parquet->group_count++;
	parquet->group_rows = 0;
}

static bool group_is_full(const struct sn_parquet *parquet)
{
	size_t held = 0;

	if (parquet->group_rows == parquet->options.group_rows)
		return true;
	if (parquet->group_rows % LOOK_ROWS != 0)
		return false;
	for (size_t i = 0; i < parquet->dataset->column_count; i++)
		held += sn_parquet_column_held(&parquet->columns[i]);
	return held >= parquet->options.group_bytes;
}

/* Rows that may be added before the next look. */
static size_t rows_to_look(const struct sn_parquet *parquet)
{
	size_t look = LOOK_ROWS - parquet->group_rows % LOOK_ROWS;

	return SN_MIN(look, parquet->options.group_rows - parquet->group_rows);
}

static void count_rows(struct sn_parquet *parquet, size_t rows)
{
	parquet->group_rows += rows;
	parquet->rows += rows;
	if (parquet->press.rc != 0 && parquet->rc == 0)
		parquet->rc = parquet->press.rc;
	if (group_is_full(parquet))
		end_group(parquet);
}

/* The file ----------------------------------------------------------------- */

static int fail(const struct sn_parquet *parquet, struct sn_err *err)
{
	return sn_err_sys(err, parquet->rc, "cannot write Parquet file of '%s'",
			  parquet->dataset->name);
}

static int check(struct sn_parquet *parquet, struct sn_err *err)
{
	assert(!parquet->finished);
	if (parquet->rc == 0 && parquet->group_count == SN_PARQUET_GROUPS_MAX)
		parquet->rc = -EFBIG;
	return parquet->rc == 0 ? 0 : fail(parquet, err);
}

int sn_parquet_add_row(struct sn_parquet *parquet, const struct sn_value *row, struct sn_err *err)
{
	if (check(parquet, err) != 0)
		return parquet->rc;
	for (size_t i = 0; i < parquet->dataset->column_count; i++)
		sn_parquet_column_add(&parquet->columns[i], &row[i]);
	count_rows(parquet, 1);
	return parquet->rc == 0 ? 0 : fail(parquet, err);
}

static void add_part(struct sn_parquet *parquet, const struct sn_vector *vectors, size_t first,
		     size_t rows)
{
	for (size_t i = 0; i < parquet->dataset->column_count; i++) {
		struct sn_vector part = sn_vector_part(&vectors[i], first, rows);

		sn_parquet_column_add_vector(&parquet->columns[i], &part);
	}
	count_rows(parquet, rows);
}

int sn_parquet_add_columns(struct sn_parquet *parquet, const struct sn_columns *columns,
			   struct sn_err *err)
{
	size_t rows = sn_columns_rows(columns), part;
	struct sn_vector *vectors;

	assert(sn_columns_dataset(columns) == parquet->dataset);
	vectors = sn_new_n(struct sn_vector, parquet->dataset->column_count);
	for (size_t i = 0; i < parquet->dataset->column_count; i++)
		vectors[i] = sn_columns_vector(columns, (int)i);
	for (size_t first = 0; first < rows && check(parquet, err) == 0; first += part) {
		part = SN_MIN(rows - first, rows_to_look(parquet));
		add_part(parquet, vectors, first, part);
	}
	free(vectors);
	return parquet->rc == 0 ? 0 : fail(parquet, err);
}

static void end_file(struct sn_parquet *parquet)
{
	struct sn_buf footer = {0};
	uint32_t size;

	sn_parquet_add_footer(&footer, parquet->dataset, parquet->rows, parquet->group_count,
			      &parquet->groups);
	size = htole32((uint32_t)footer.n);
	sn_buf_add(&footer, &size, sizeof(size));
	sn_buf_adds(&footer, MAGIC);
	put(parquet, footer.p, footer.n);
	sn_buf_finish(&footer);
}

int sn_parquet_finish(struct sn_parquet *parquet, struct sn_err *err)
{
	assert(!parquet->finished);
	parquet->finished = true;
	if (parquet->rc == 0 && parquet->group_rows > 0)
		end_group(parquet);
	if (parquet->rc == 0 && parquet->press.rc != 0)
		parquet->rc = parquet->press.rc;
	if (parquet->rc != 0)
		return fail(parquet, err);
	begin_file(parquet);
	end_file(parquet);
	return parquet->rc == 0 ? 0 : fail(parquet, err);
}

size_t sn_parquet_rows(const struct sn_parquet *parquet)
{
	return parquet->rows;
}

size_t sn_parquet_groups(const struct sn_parquet *parquet)
{
	return parquet->group_count;
}

size_t sn_parquet_bytes(const struct sn_parquet *parquet)
{
	return parquet->offset;
}
