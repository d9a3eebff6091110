/* SPDX-License-Identifier: Apache-2.0 */
#include "data/columns.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/texts.h"

#define FIRST_ROWS 64

/* Rows behind `filled` are null without being written down: a row of 130 columns begins cheaply. */
struct cells {
	union {
		int64_t *i;
		double *f;
		uint8_t *b;
		struct sn_str *s;
		void *values;
	};
	uint8_t *null;   /* NULL while no row up to `filled` is null */
	size_t filled;   /* rows with a value or a null of their own */
	size_t nulls;    /* of those */
	size_t capacity; /* of the arrays */
	enum sn_type type;
};

struct sn_columns {
	const struct sn_dataset *dataset;
	size_t rows, count;
	struct sn_texts texts;
	struct cells cells[]; /* one per column */
};

size_t sn_vector_value_size(enum sn_type type)
{
	return type == SN_TYPE_BOOL   ? sizeof(uint8_t)
	       : type == SN_TYPE_TEXT ? sizeof(struct sn_str)
				      : sizeof(int64_t);
}

struct sn_columns *sn_columns_create(const struct sn_dataset *dataset)
{
	struct sn_columns *columns;

	assert(dataset->column_count >= SN_COL_COMMON);
	assert(dataset->column_count <= SN_DATASET_COLUMNS_MAX);
	columns = sn_xcalloc(1, sizeof(*columns) + dataset->column_count * sizeof(struct cells));
	columns->dataset = dataset;
	columns->count = dataset->column_count;
	for (size_t i = 0; i < columns->count; i++)
		columns->cells[i].type = dataset->columns[i].type;
	return columns;
}

void sn_columns_destroy(struct sn_columns *columns)
{
	if (columns == NULL)
		return;
	for (size_t i = 0; i < columns->count; i++) {
		free(columns->cells[i].values);
		free(columns->cells[i].null);
	}
	sn_texts_finish(&columns->texts);
	free(columns);
}

void sn_columns_clear(struct sn_columns *columns)
{
	for (size_t i = 0; i < columns->count; i++) {
		struct cells *cells = &columns->cells[i];

		/* Most columns never have a null: the next rows begin without the array. */
		free(cells->null);
		cells->null = NULL;
		cells->filled = cells->nulls = 0;
	}
	sn_texts_clear(&columns->texts);
	columns->rows = 0;
}

const struct sn_dataset *sn_columns_dataset(const struct sn_columns *columns)
{
	return columns->dataset;
}

size_t sn_columns_rows(const struct sn_columns *columns)
{
	return columns->rows;
}

/* Cells ------------------------------------------------------------------- */

static void grow(struct cells *cells, size_t rows)
{
	size_t capacity = cells->capacity > 0 ? cells->capacity : FIRST_ROWS;

	while (capacity < rows)
		capacity *= 2;
	cells->values = sn_xrealloc(cells->values, capacity, sn_vector_value_size(cells->type));
	if (cells->null != NULL)
		cells->null = sn_xrealloc(cells->null, capacity, 1);
	cells->capacity = capacity;
}

/* Writes the nulls up to `rows` down. */
static void fill_up(struct cells *cells, size_t rows)
{
	size_t count = rows - cells->filled, size = sn_vector_value_size(cells->type);

	if (rows > cells->capacity)
		grow(cells, rows);
	if (count == 0)
		return;
	if (cells->null == NULL) {
		cells->null = sn_xmalloc(cells->capacity);
		memset(cells->null, 0, cells->filled);
	}
	memset(cells->null + cells->filled, 1, count);
	memset((char *)cells->values + cells->filled * size, 0, count * size);
	cells->nulls += count;
	cells->filled = rows;
}

/* Room in a row that is behind nulls, or that has its value already. */
static __attribute__((noinline, cold)) void make_room(struct cells *cells, size_t row)
{
	if (cells->filled > row) {
		if (cells->null != NULL)
			cells->nulls -= cells->null[row];
		return;
	}
	fill_up(cells, row);
	if (row >= cells->capacity)
		grow(cells, row + 1);
}

/*
 * The column's cells, for a value in the last row, which is `*row`.  A third of the time of reading
 * a log of 130 columns goes by here, hence the short way.
 */
static inline struct cells *last_cell(struct sn_columns *columns, int column, enum sn_type type,
				      size_t *row)
{
	struct cells *cells = &columns->cells[column];
	size_t last = columns->rows - 1;

	assert(columns->rows > 0 && (size_t)column < columns->count && type == cells->type);
	if (__builtin_expect(cells->filled != last || last >= cells->capacity, 0))
		make_room(cells, last);
	cells->filled = last + 1;
	if (cells->null != NULL)
		cells->null[last] = 0;
	*row = last;
	return cells;
}

static void set_null(struct sn_columns *columns, int column)
{
	struct cells *cells = &columns->cells[column];

	assert(columns->rows > 0 && (size_t)column < columns->count);
	if (cells->filled < columns->rows)
		return;
	if (cells->null != NULL)
		cells->nulls -= cells->null[columns->rows - 1];
	cells->filled = columns->rows - 1;
	fill_up(cells, columns->rows);
}

size_t sn_columns_add_row(struct sn_columns *columns)
{
	sn_texts_mark(&columns->texts);
	return columns->rows++;
}

void sn_columns_drop_row(struct sn_columns *columns)
{
	assert(columns->rows > 0);
	columns->rows--;
	for (size_t i = 0; i < columns->count; i++) {
		struct cells *cells = &columns->cells[i];

		if (cells->filled <= columns->rows)
			continue;
		cells->filled = columns->rows;
		if (cells->null != NULL)
			cells->nulls -= cells->null[columns->rows];
	}
	sn_texts_take_back(&columns->texts);
}

void sn_columns_set_bool(struct sn_columns *columns, int column, bool value)
{
	size_t row;

	last_cell(columns, column, SN_TYPE_BOOL, &row)->b[row] = value;
}

void sn_columns_set_i64(struct sn_columns *columns, int column, int64_t value)
{
	size_t row;

	last_cell(columns, column, SN_TYPE_I64, &row)->i[row] = value;
}

void sn_columns_set_time(struct sn_columns *columns, int column, int64_t unix_ns)
{
	size_t row;

	last_cell(columns, column, SN_TYPE_TIME, &row)->i[row] = unix_ns;
}

void sn_columns_set_f64(struct sn_columns *columns, int column, double value)
{
	size_t row;

	if (isfinite(value))
		last_cell(columns, column, SN_TYPE_F64, &row)->f[row] = value;
	else
		set_null(columns, column);
}

void sn_columns_set_text(struct sn_columns *columns, int column, struct sn_str value)
{
	size_t row;

	last_cell(columns, column, SN_TYPE_TEXT, &row)->s[row] =
		sn_texts_add(&columns->texts, value);
}

void sn_columns_set(struct sn_columns *columns, int column, struct sn_value value)
{
	switch (value.type) {
	case SN_TYPE_NULL:
		set_null(columns, column);
		break;
	case SN_TYPE_BOOL:
		sn_columns_set_bool(columns, column, value.b);
		break;
	case SN_TYPE_I64:
		sn_columns_set_i64(columns, column, value.i);
		break;
	case SN_TYPE_F64:
		sn_columns_set_f64(columns, column, value.f);
		break;
	case SN_TYPE_TEXT:
		sn_columns_set_text(columns, column, value.s);
		break;
	case SN_TYPE_TIME:
		sn_columns_set_time(columns, column, value.i);
		break;
	}
}

void sn_columns_fill_in(struct sn_columns *columns, size_t row, int column, struct sn_value value)
{
	struct cells *cells = &columns->cells[column];

	assert(row < columns->rows && (size_t)column < columns->count && value.type == cells->type);
	if (row + 1 > cells->filled)
		fill_up(cells, row + 1);
	if (cells->null != NULL) {
		cells->nulls -= cells->null[row];
		cells->null[row] = 0;
	}
	if (value.type == SN_TYPE_TEXT) {
		cells->s[row] = sn_texts_add(&columns->texts, value.s);
		/* It must outlive the last row, which may be dropped. */
		if (row + 1 < columns->rows)
			sn_texts_mark(&columns->texts);
	} else if (value.type == SN_TYPE_BOOL) {
		cells->b[row] = value.b;
	} else {
		cells->i[row] = value.i; /* or a double's bits */
	}
}

void sn_columns_add_batch(struct sn_columns *columns, const struct sn_batch *batch)
{
	assert(sn_batch_dataset(batch) == columns->dataset);
	for (size_t i = 0; i < sn_batch_rows(batch); i++) {
		const struct sn_value *row = sn_batch_row(batch, i);

		sn_columns_add_row(columns);
		for (size_t column = 0; column < columns->count; column++)
			if (row[column].type != SN_TYPE_NULL)
				sn_columns_set(columns, (int)column, row[column]);
	}
}

/* Vectors ----------------------------------------------------------------- */

struct sn_vector sn_columns_vector(const struct sn_columns *columns, int column)
{
	/* What is null without being written down is no change that anybody sees. */
	struct cells *cells = (struct cells *)&columns->cells[column];

	assert((size_t)column < columns->count);
	fill_up(cells, columns->rows);
	return (struct sn_vector){
		.type = cells->type,
		.rows = columns->rows,
		.null = cells->nulls > 0 ? cells->null : NULL,
		.values = cells->values,
	};
}

static struct sn_value value_at(enum sn_type type, const void *values, size_t row)
{
	struct sn_value value = {.type = type};

	if (type == SN_TYPE_TEXT)
		value.s = ((const struct sn_str *)values)[row];
	else if (type == SN_TYPE_BOOL)
		value.b = ((const uint8_t *)values)[row] != 0;
	else if (type == SN_TYPE_F64)
		value.f = ((const double *)values)[row];
	else
		value.i = ((const int64_t *)values)[row];
	return value;
}

struct sn_value sn_vector_value(const struct sn_vector *vector, size_t row)
{
	assert(row < vector->rows);
	if (sn_vector_is_null(vector, row))
		return (struct sn_value){.type = SN_TYPE_NULL};
	return value_at(vector->type, vector->values, row);
}

struct sn_vector sn_vector_part(const struct sn_vector *vector, size_t first, size_t rows)
{
	assert(first <= vector->rows && rows <= vector->rows - first);
	return (struct sn_vector){
		.type = vector->type,
		.rows = rows,
		.null = vector->null != NULL ? vector->null + first : NULL,
		.values = vector->values != NULL
				  ? (const char *)vector->values +
					    first * sn_vector_value_size(vector->type)
				  : NULL,
	};
}

void sn_columns_row(const struct sn_columns *columns, size_t row, struct sn_value *out)
{
	assert(row < columns->rows);
	for (size_t i = 0; i < columns->count; i++) {
		const struct cells *cells = &columns->cells[i];

		if (row >= cells->filled || (cells->null != NULL && cells->null[row] != 0))
			out[i] = (struct sn_value){.type = SN_TYPE_NULL};
		else
			out[i] = value_at(cells->type, cells->values, row);
	}
}
