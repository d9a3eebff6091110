/* SPDX-License-Identifier: Apache-2.0 */
#include "store/native.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define VARINT_MAX 10

static const char *const type_names[][2] = {
	[SN_TYPE_BOOL] = {"UInt8", "Nullable(UInt8)"},
	[SN_TYPE_I64] = {"Int64", "Nullable(Int64)"},
	[SN_TYPE_F64] = {"Float64", "Nullable(Float64)"},
	[SN_TYPE_TEXT] = {"String", "Nullable(String)"},
	[SN_TYPE_TIME] = {"Int64", "Nullable(Int64)"},
};

const char *sn_native_type(enum sn_type type, bool nullable)
{
	assert(type > SN_TYPE_NULL && (size_t)type < SN_COUNT(type_names));
	return type_names[type][nullable];
}

/* Writing ------------------------------------------------------------------- */

static size_t write_varint(uint64_t value, uint8_t out[VARINT_MAX])
{
	size_t n = 0;

	for (; value > 127; value >>= 7)
		out[n++] = (uint8_t)(value | 128);
	out[n++] = (uint8_t)value;
	return n;
}

static void add_varint(struct sn_buf *out, uint64_t value)
{
	uint8_t bytes[VARINT_MAX];

	sn_buf_add(out, bytes, write_varint(value, bytes));
}

static size_t varint_size(uint64_t value)
{
	uint8_t bytes[VARINT_MAX];

	return write_varint(value, bytes);
}

static void add_text(struct sn_buf *out, struct sn_str text)
{
	add_varint(out, text.n);
	if (text.n > 0)
		sn_buf_add(out, text.p, text.n);
}

static void add_name(struct sn_buf *out, const char *name, const char *type)
{
	add_text(out, sn_str(name));
	add_text(out, sn_str(type));
}

void sn_native_add_head(struct sn_buf *out, size_t columns, size_t rows)
{
	add_varint(out, columns);
	add_varint(out, rows);
}

/* Room for so many numbers at the end. */
static char *extend(struct sn_buf *out, size_t bytes)
{
	char *place;

	sn_buf_reserve(out, bytes);
	place = out->p + out->n;
	out->n += bytes;
	return place;
}

static void put_u64(char *place, uint64_t value)
{
	value = htole64(value);
	memcpy(place, &value, sizeof(value));
}

void sn_native_add_day(struct sn_buf *out, const char *name, uint16_t day, size_t rows)
{
	char *place;

	add_name(out, name, "Date");
	place = extend(out, rows * sizeof(day));
	day = htole16(day);
	for (size_t i = 0; i < rows; i++)
		memcpy(place + i * sizeof(day), &day, sizeof(day));
}

void sn_native_add_same(struct sn_buf *out, const char *name, uint64_t value, size_t rows)
{
	char *place;

	add_name(out, name, "UInt64");
	place = extend(out, rows * sizeof(value));
	for (size_t i = 0; i < rows; i++)
		put_u64(place + i * sizeof(value), value);
}

void sn_native_add_numbers(struct sn_buf *out, const char *name, int64_t first,
			   const uint32_t *order, size_t rows)
{
	char *place;

	add_name(out, name, sn_native_type(SN_TYPE_I64, false));
	place = extend(out, rows * sizeof(first));
	for (size_t i = 0; i < rows; i++)
		put_u64(place + i * sizeof(first),
			(uint64_t)first + (order != NULL ? order[i] : i));
}

static void add_nulls(struct sn_buf *out, const struct sn_vector *vector)
{
	char *place = extend(out, vector->rows);

	if (vector->null == NULL)
		memset(place, 0, vector->rows);
	else
		memcpy(place, vector->null, vector->rows);
}

static void add_texts(struct sn_buf *out, const struct sn_vector *vector)
{
	for (size_t i = 0; i < vector->rows; i++)
		add_text(out, vector->s[i]);
}

/* The compiler makes a copy of it where bytes stand so already. */
static void add_numbers(struct sn_buf *out, const struct sn_vector *vector)
{
	const char *from = vector->values;
	char *place = extend(out, vector->rows * sizeof(uint64_t));

	for (size_t i = 0; i < vector->rows; i++) {
		uint64_t value;

		memcpy(&value, from + i * sizeof(value), sizeof(value));
		put_u64(place + i * sizeof(value), value);
	}
}

static bool has_nulls(const struct sn_vector *vector)
{
	return vector->null != NULL && memchr(vector->null, 1, vector->rows) != NULL;
}

void sn_native_add_column(struct sn_buf *out, const struct sn_native_column *column,
			  const struct sn_vector *vector)
{
	assert(vector->type == column->type && (column->nullable || !has_nulls(vector)));
	add_name(out, column->name, sn_native_type(column->type, column->nullable));
	if (column->nullable)
		add_nulls(out, vector);
	if (column->type == SN_TYPE_TEXT)
		add_texts(out, vector);
	else if (column->type == SN_TYPE_BOOL)
		sn_buf_add(out, vector->b, vector->rows);
	else
		add_numbers(out, vector);
}

size_t sn_native_column_size(const struct sn_native_column *column, const struct sn_vector *vector)
{
	size_t name = strlen(column->name);
	size_t type = strlen(sn_native_type(column->type, column->nullable));
	size_t size = varint_size(name) + name + varint_size(type) + type;

	if (column->nullable)
		size += vector->rows;
	if (column->type == SN_TYPE_BOOL)
		return size + vector->rows;
	if (column->type != SN_TYPE_TEXT)
		return size + vector->rows * sizeof(uint64_t);
	for (size_t i = 0; i < vector->rows; i++)
		size += varint_size(vector->s[i].n) + vector->s[i].n;
	return size;
}

/* Reading ------------------------------------------------------------------- */

enum phase { HEAD, NAME, NULLS, VALUES };

/* A column of the block at hand: where it stands in the bytes, and what is made of it. */
struct cells {
	size_t nulls_at, values_at;
	uint8_t *null;
	union {
		int64_t *i;
		double *f;
		uint8_t *b;
		struct sn_str *s;
		void *values;
	};
};

struct sn_native_reader {
	const struct sn_native_column *columns;
	size_t count;
	struct sn_buf data; /* from the beginning of the block at hand */
	size_t at;          /* what of it was looked at */
	enum phase phase;
	size_t column, rows, rows_seen; /* rows_seen: texts of the column */
	size_t capacity;                /* rows that cells have room for */
	struct sn_vector *vectors;
	struct cells *cells;
};

struct sn_native_reader *sn_native_reader_create(const struct sn_native_column *columns,
						 size_t count)
{
	struct sn_native_reader *reader = sn_new(struct sn_native_reader);

	reader->columns = columns;
	reader->count = count;
	reader->vectors = sn_new_n(struct sn_vector, count > 0 ? count : 1);
	reader->cells = sn_new_n(struct cells, count > 0 ? count : 1);
	return reader;
}

void sn_native_reader_destroy(struct sn_native_reader *reader)
{
	if (reader == NULL)
		return;
	for (size_t i = 0; i < reader->count; i++) {
		free(reader->cells[i].null);
		free(reader->cells[i].values);
	}
	free(reader->cells);
	free(reader->vectors);
	sn_buf_finish(&reader->data);
	free(reader);
}

struct sn_str sn_native_reader_rest(const struct sn_native_reader *reader)
{
	return sn_buf_str(&reader->data);
}

/* Steps return 1: done, 0: not all of it is there yet, or a negative errno. */

static int read_varint(const struct sn_native_reader *reader, size_t *at, uint64_t *value)
{
	const uint8_t *p = (const uint8_t *)reader->data.p + *at;
	size_t left = reader->data.n - *at;

	*value = 0;
	for (size_t i = 0; i < VARINT_MAX; i++) {
		if (i == left)
			return 0;
		*value |= (uint64_t)(p[i] & 127) << (7 * i);
		if (p[i] < 128) {
			*at += i + 1;
			return 1;
		}
	}
	return -EBADMSG;
}

static int skip(struct sn_native_reader *reader, size_t bytes)
{
	if (reader->data.n - reader->at < bytes)
		return 0;
	reader->at += bytes;
	return 1;
}

/* A text that is known beforehand. */
static int expect_text(struct sn_native_reader *reader, size_t *at, const char *text)
{
	size_t size = strlen(text), left;
	uint64_t length;
	int rc = read_varint(reader, at, &length);

	if (rc <= 0)
		return rc;
	left = SN_MIN(size, reader->data.n - *at);
	if (length != size || memcmp(reader->data.p + *at, text, left) != 0)
		return -EBADMSG;
	*at += left;
	return left == size;
}

static int read_head(struct sn_native_reader *reader)
{
	uint64_t columns, rows;
	size_t at = reader->at;
	int rc = read_varint(reader, &at, &columns);

	if (rc > 0)
		rc = read_varint(reader, &at, &rows);
	if (rc <= 0)
		return rc;
	if (columns != reader->count && (columns != 0 || rows != 0))
		return -EBADMSG;
	if (rows > SN_NATIVE_ROWS_MAX)
		return -E2BIG;
	reader->at = at;
	reader->rows = (size_t)rows;
	reader->column = columns == 0 ? reader->count : 0;
	reader->phase = NAME;
	return 1;
}

static int read_name(struct sn_native_reader *reader)
{
	const struct sn_native_column *column = &reader->columns[reader->column];
	size_t at = reader->at;
	int rc = expect_text(reader, &at, column->name);

	if (rc > 0)
		rc = expect_text(reader, &at, sn_native_type(column->type, column->nullable));
	if (rc <= 0)
		return rc;
	reader->at = at;
	reader->cells[reader->column].nulls_at = at;
	reader->cells[reader->column].values_at = at;
	reader->rows_seen = 0;
	reader->phase = column->nullable ? NULLS : VALUES;
	return 1;
}

static int read_nulls(struct sn_native_reader *reader)
{
	int rc = skip(reader, reader->rows);

	if (rc <= 0)
		return rc;
	reader->cells[reader->column].values_at = reader->at;
	reader->phase = VALUES;
	return 1;
}

static int skip_texts(struct sn_native_reader *reader)
{
	for (; reader->rows_seen < reader->rows; reader->rows_seen++) {
		size_t at = reader->at;
		uint64_t length;
		int rc = read_varint(reader, &at, &length);

		if (rc <= 0)
			return rc;
		if (length > SN_TEXT_MAX)
			return -E2BIG;
		if (reader->data.n - at < length)
			return 0;
		reader->at = at + (size_t)length;
	}
	return 1;
}

static int read_values(struct sn_native_reader *reader)
{
	enum sn_type type = reader->columns[reader->column].type;
	int rc;

	if (type == SN_TYPE_TEXT)
		rc = skip_texts(reader);
	else
		rc = skip(reader, reader->rows * sn_vector_value_size(type));
	if (rc <= 0)
		return rc;
	reader->column++;
	reader->phase = NAME;
	return 1;
}

/* What the bytes of a complete block mean ------------------------------------ */

static void make_room(struct sn_native_reader *reader)
{
	if (reader->rows <= reader->capacity)
		return;
	reader->capacity = reader->rows;
	for (size_t i = 0; i < reader->count; i++) {
		struct cells *cells = &reader->cells[i];

		cells->null = sn_xrealloc(cells->null, reader->capacity, 1);
		cells->values = sn_xrealloc(cells->values, reader->capacity,
					    sn_vector_value_size(reader->columns[i].type));
	}
}

/* Returns whether there is one. */
static bool take_nulls(struct sn_native_reader *reader, size_t column)
{
	struct cells *cells = &reader->cells[column];
	const char *from = reader->data.p + cells->nulls_at;
	bool any = false;

	if (!reader->columns[column].nullable) {
		memset(cells->null, 0, reader->rows);
		return false;
	}
	for (size_t i = 0; i < reader->rows; i++) {
		cells->null[i] = from[i] != 0;
		any |= from[i] != 0;
	}
	return any;
}

static void take_texts(struct sn_native_reader *reader, struct cells *cells)
{
	size_t at = cells->values_at;
	uint64_t length;

	for (size_t i = 0; i < reader->rows; i++) {
		read_varint(reader, &at, &length);
		cells->s[i] = (struct sn_str){reader->data.p + at, (size_t)length};
		if (cells->null[i])
			cells->s[i] = (struct sn_str){NULL, 0};
		at += (size_t)length;
	}
}

static void take_bools(struct sn_native_reader *reader, struct cells *cells)
{
	const char *from = reader->data.p + cells->values_at;

	for (size_t i = 0; i < reader->rows; i++)
		cells->b[i] = from[i] != 0 && !cells->null[i];
}

static void take_integers(struct sn_native_reader *reader, struct cells *cells)
{
	const char *from = reader->data.p + cells->values_at;

	for (size_t i = 0; i < reader->rows; i++) {
		uint64_t value;

		memcpy(&value, from + i * sizeof(value), sizeof(value));
		cells->i[i] = cells->null[i] ? 0 : (int64_t)le64toh(value);
	}
}

/* Returns whether there is one that is no number. */
static bool take_doubles(struct sn_native_reader *reader, struct cells *cells)
{
	bool any = false;

	take_integers(reader, cells);
	for (size_t i = 0; i < reader->rows; i++) {
		double value;

		memcpy(&value, &cells->i[i], sizeof(value));
		if (!isfinite(value)) {
			cells->null[i] = 1;
			value = 0;
			any = true;
		}
		cells->f[i] = value;
	}
	return any;
}

static void take_column(struct sn_native_reader *reader, size_t column)
{
	struct cells *cells = &reader->cells[column];
	enum sn_type type = reader->columns[column].type;
	bool nulls = take_nulls(reader, column);

	if (type == SN_TYPE_TEXT)
		take_texts(reader, cells);
	else if (type == SN_TYPE_BOOL)
		take_bools(reader, cells);
	else if (type == SN_TYPE_F64)
		nulls |= take_doubles(reader, cells);
	else
		take_integers(reader, cells);
	reader->vectors[column] = (struct sn_vector){
		.type = type,
		.rows = reader->rows,
		.null = nulls ? cells->null : NULL,
		.values = cells->values,
	};
}

/* Hands the block out and forgets it. */
static int end_block(struct sn_native_reader *reader, sn_native_fn *fn, void *ctx)
{
	int rc = 0;

	if (reader->rows > 0) {
		make_room(reader);
		for (size_t i = 0; i < reader->count; i++)
			take_column(reader, i);
		rc = fn(reader->vectors, reader->rows, ctx);
	}
	sn_buf_drop(&reader->data, reader->at);
	reader->at = 0;
	reader->phase = HEAD;
	return rc != 0 ? -ECANCELED : 1;
}

static int step(struct sn_native_reader *reader, sn_native_fn *fn, void *ctx)
{
	if (reader->phase == HEAD)
		return reader->data.n == 0 ? 0 : read_head(reader);
	if (reader->phase == NAME)
		return reader->column == reader->count ? end_block(reader, fn, ctx)
						       : read_name(reader);
	return reader->phase == NULLS ? read_nulls(reader) : read_values(reader);
}

int sn_native_reader_feed(struct sn_native_reader *reader, struct sn_str bytes, sn_native_fn *fn,
			  void *ctx, struct sn_err *err)
{
	int rc;

	if (bytes.n > 0)
		sn_buf_add(&reader->data, bytes.p, bytes.n);
	do
		rc = step(reader, fn, ctx);
	while (rc > 0);
	if (rc == 0 && reader->data.n > SN_NATIVE_BYTES_MAX)
		rc = -E2BIG;
	if (rc == -EBADMSG)
		sn_err_set(err, rc, "the answer is not the rows that were asked for");
	else if (rc == -E2BIG)
		sn_err_set(err, rc, "the answer has more rows or longer texts than Sonde writes");
	return rc;
}
