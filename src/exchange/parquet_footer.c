/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/parquet_footer.h"

#include "base/json.h"
#include "exchange/parquet.h"

/* Numbers of parquet.thrift. */
enum { OPTIONAL = 1 };
enum { CODEC_ZSTD = 6 };
enum { CONVERTED_UTF8 = 0 };
enum { LOGICAL_STRING = 1, LOGICAL_TIMESTAMP = 8, UNIT_NANOS = 3 };
enum { FORMAT_VERSION = 2 };

static const int physical[] = {
	[SN_TYPE_BOOL] = 0, [SN_TYPE_I64] = 2,  [SN_TYPE_TIME] = 2,
	[SN_TYPE_F64] = 5,  [SN_TYPE_TEXT] = 6,
};

/* Statistics --------------------------------------------------------------- */

static void add_bound(struct sn_thrift *thrift, int id, const void *data, size_t size)
{
	sn_thrift_binary(thrift, id, (struct sn_str){data, size});
}

static void add_integer_bounds(struct sn_thrift *thrift, const struct sn_parquet_range *range)
{
	uint64_t max = htole64((uint64_t)range->max.i), min = htole64((uint64_t)range->min.i);

	add_bound(thrift, 5, &max, sizeof(max));
	add_bound(thrift, 6, &min, sizeof(min));
}

static uint64_t double_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return htole64(bits);
}

/* Readers may take zeros of both signs for equal or not: a bound is the outer one. */
static void add_double_bounds(struct sn_thrift *thrift, const struct sn_parquet_range *range)
{
	uint64_t max = double_bits(range->max.f == 0 ? 0.0 : range->max.f);
	uint64_t min = double_bits(range->min.f == 0 ? -0.0 : range->min.f);

	add_bound(thrift, 5, &max, sizeof(max));
	add_bound(thrift, 6, &min, sizeof(min));
}

static void add_text_bounds(struct sn_thrift *thrift, const struct sn_parquet_range *range)
{
	if (range->text_max.n > SN_PARQUET_BOUND_MAX || range->text_min.n > SN_PARQUET_BOUND_MAX)
		return;
	sn_thrift_binary(thrift, 5, sn_buf_str(&range->text_max));
	sn_thrift_binary(thrift, 6, sn_buf_str(&range->text_min));
}

static void add_bool_bounds(struct sn_thrift *thrift, const struct sn_parquet_range *range)
{
	uint8_t max = (uint8_t)range->max.i, min = (uint8_t)range->min.i;

	add_bound(thrift, 5, &max, sizeof(max));
	add_bound(thrift, 6, &min, sizeof(min));
}

static void add_statistics(struct sn_thrift *thrift, const struct sn_parquet_column *column)
{
	static void (*const add_bounds[])(struct sn_thrift *, const struct sn_parquet_range *) = {
		[SN_TYPE_BOOL] = add_bool_bounds,    [SN_TYPE_I64] = add_integer_bounds,
		[SN_TYPE_TIME] = add_integer_bounds, [SN_TYPE_F64] = add_double_bounds,
		[SN_TYPE_TEXT] = add_text_bounds,
	};

	sn_thrift_struct(thrift, 12);
	sn_thrift_i64(thrift, 3, (int64_t)column->chunk_nulls);
	if (column->range.known)
		add_bounds[column->type](thrift, &column->range);
	sn_thrift_close(thrift);
}

/* Chunks ------------------------------------------------------------------- */

static void add_encodings(struct sn_thrift *thrift, const struct sn_parquet_column *column)
{
	/* The dictionary itself is PLAIN; levels are RLE. */
	sn_thrift_list(thrift, 2, SN_THRIFT_I32, column->index_pages > 0 ? 3 : 2);
	sn_thrift_add_i32(thrift, SN_PARQUET_PLAIN);
	sn_thrift_add_i32(thrift, SN_PARQUET_RLE);
	if (column->index_pages > 0)
		sn_thrift_add_i32(thrift, SN_PARQUET_INDEX);
}

void sn_parquet_add_chunk(struct sn_thrift *thrift, const char *name,
			  const struct sn_parquet_column *column,
			  const struct sn_parquet_chunk *chunk)
{
	sn_thrift_open(thrift);
	sn_thrift_i64(thrift, 2, 0); /* the chunk's metadata stand nowhere but here */
	sn_thrift_struct(thrift, 3);
	sn_thrift_i32(thrift, 1, physical[column->type]);
	add_encodings(thrift, column);
	sn_thrift_list(thrift, 3, SN_THRIFT_BINARY, 1);
	sn_thrift_add_binary(thrift, sn_str(name));
	sn_thrift_i32(thrift, 4, CODEC_ZSTD);
	sn_thrift_i64(thrift, 5, (int64_t)column->chunk_rows);
	sn_thrift_i64(thrift, 6, (int64_t)column->unpacked_bytes);
	sn_thrift_i64(thrift, 7, (int64_t)chunk->bytes);
	sn_thrift_i64(thrift, 9, (int64_t)chunk->data_start);
	if (chunk->start < chunk->data_start)
		sn_thrift_i64(thrift, 11, (int64_t)chunk->start);
	add_statistics(thrift, column);
	sn_thrift_close(thrift);
	sn_thrift_close(thrift);
}

/* The file ----------------------------------------------------------------- */

static void add_logical_type(struct sn_thrift *thrift, enum sn_type type)
{
	if (type == SN_TYPE_TEXT) {
		sn_thrift_i32(thrift, 6, CONVERTED_UTF8); /* what older readers look at */
		sn_thrift_struct(thrift, 10);
		sn_thrift_struct(thrift, LOGICAL_STRING);
		sn_thrift_close(thrift);
		sn_thrift_close(thrift);
	}
	if (type == SN_TYPE_TIME) {
		sn_thrift_struct(thrift, 10);
		sn_thrift_struct(thrift, LOGICAL_TIMESTAMP);
		sn_thrift_bool(thrift, 1, true); /* adjusted to UTC */
		sn_thrift_struct(thrift, 2);
		sn_thrift_struct(thrift, UNIT_NANOS);
		sn_thrift_close(thrift);
		sn_thrift_close(thrift);
		sn_thrift_close(thrift);
		sn_thrift_close(thrift);
	}
}

static void add_schema(struct sn_thrift *thrift, const struct sn_dataset *dataset)
{
	sn_thrift_list(thrift, 2, SN_THRIFT_STRUCT, dataset->column_count + 1);
	sn_thrift_open(thrift);
	sn_thrift_binary(thrift, 4, sn_str(dataset->name));
	sn_thrift_i32(thrift, 5, (int32_t)dataset->column_count);
	sn_thrift_close(thrift);
	for (size_t i = 0; i < dataset->column_count; i++) {
		sn_thrift_open(thrift);
		sn_thrift_i32(thrift, 1, physical[dataset->columns[i].type]);
		sn_thrift_i32(thrift, 3, OPTIONAL);
		sn_thrift_binary(thrift, 4, sn_str(dataset->columns[i].name));
		add_logical_type(thrift, dataset->columns[i].type);
		sn_thrift_close(thrift);
	}
}

static void add_pair(struct sn_thrift *thrift, const char *key, struct sn_str value)
{
	sn_thrift_open(thrift);
	sn_thrift_binary(thrift, 1, sn_str(key));
	sn_thrift_binary(thrift, 2, value);
	sn_thrift_close(thrift);
}

static void describe_columns(struct sn_buf *out, const struct sn_dataset *dataset)
{
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	sn_jw_array(&jw);
	for (size_t i = 0; i < dataset->column_count; i++) {
		sn_jw_object(&jw);
		sn_jw_kcstr(&jw, "name", dataset->columns[i].name);
		sn_jw_kcstr(&jw, "type", sn_type_name(dataset->columns[i].type));
		sn_jw_kcstr(&jw, "unit", dataset->columns[i].unit);
		sn_jw_kcstr(&jw, "help", dataset->columns[i].help);
		sn_jw_object_end(&jw);
	}
	sn_jw_array_end(&jw);
}

static void add_description(struct sn_thrift *thrift, const struct sn_dataset *dataset)
{
	struct sn_buf text = {0};

	sn_thrift_list(thrift, 5, SN_THRIFT_STRUCT, 3);
	add_pair(thrift, "sonde.dataset", sn_str(dataset->name));
	sn_buf_add_u64(&text, dataset->version);
	add_pair(thrift, "sonde.version", sn_buf_str(&text));
	sn_buf_clear(&text);
	describe_columns(&text, dataset);
	add_pair(thrift, "sonde.columns", sn_buf_str(&text));
	sn_buf_finish(&text);
}

/* Least and greatest are by the order that each type defines. */
static void add_orders(struct sn_thrift *thrift, size_t columns)
{
	sn_thrift_list(thrift, 7, SN_THRIFT_STRUCT, columns);
	for (size_t i = 0; i < columns; i++) {
		sn_thrift_open(thrift);
		sn_thrift_struct(thrift, 1);
		sn_thrift_close(thrift);
		sn_thrift_close(thrift);
	}
}

void sn_parquet_add_footer(struct sn_buf *out, const struct sn_dataset *dataset, uint64_t rows,
			   uint32_t group_count, const struct sn_buf *groups)
{
	struct sn_thrift thrift;

	sn_thrift_init(&thrift, out);
	sn_thrift_open(&thrift);
	sn_thrift_i32(&thrift, 1, FORMAT_VERSION);
	add_schema(&thrift, dataset);
	sn_thrift_i64(&thrift, 3, (int64_t)rows);
	sn_thrift_list(&thrift, 4, SN_THRIFT_STRUCT, group_count);
	sn_buf_add(out, groups->p, groups->n);
	add_description(&thrift, dataset);
	sn_thrift_binary(&thrift, 6, SN_STR("sonde version " SONDE_VERSION));
	add_orders(&thrift, dataset->column_count);
	sn_thrift_close(&thrift);
}
