/* SPDX-License-Identifier: Apache-2.0 */
/*
 * columns: rows of one dataset by column; how bulk data travels (importers,
 * blocks, export).
 *
 * The same rows as a batch, turned: all values of a column stand side by side,
 * as the store's blocks, ClickHouse and Parquet want them.  A column that no row
 * has set takes no memory until somebody looks at it.  One thread at a time, for
 * reading too.
 */
#ifndef SONDE_DATA_COLUMNS_H
#define SONDE_DATA_COLUMNS_H

#include <stdint.h>

#include "base/str.h"
#include "data/batch.h"
#include "data/dataset.h"

/* One column of some rows; borrowed from its owner. */
struct sn_vector {
	enum sn_type type;
	size_t rows;
	const uint8_t *null; /* 1: the row has no value (then the one below is 0); NULL: all have */
	union {
		const int64_t *i; /* I64 and TIME */
		const double *f;  /* finite */
		const uint8_t *b; /* 0 and 1 */
		const struct sn_str *s;
		const void *values;
	};
};

size_t sn_vector_value_size(enum sn_type type); /* bytes from one value to the next */
static inline bool sn_vector_is_null(const struct sn_vector *vector, size_t row)
{
	return vector->null != NULL && vector->null[row] != 0;
}

struct sn_value sn_vector_value(const struct sn_vector *vector, size_t row);
/* `rows` of them from row `first` on. */
struct sn_vector sn_vector_part(const struct sn_vector *vector, size_t first, size_t rows);

struct sn_columns;
struct sn_columns *sn_columns_create(const struct sn_dataset *dataset);
void sn_columns_destroy(struct sn_columns *columns);
void sn_columns_clear(struct sn_columns *columns); /* keeps memory */
const struct sn_dataset *sn_columns_dataset(const struct sn_columns *columns);
size_t sn_columns_rows(const struct sn_columns *columns);

/* Adds a row of nulls and makes it current; returns its index. */
size_t sn_columns_add_row(struct sn_columns *columns);
void sn_columns_drop_row(struct sn_columns *columns); /* takes the last row back */
/* Set a column of the last row; the type must be the column's (asserted). Texts are copied. */
void sn_columns_set_bool(struct sn_columns *columns, int column, bool value);
void sn_columns_set_i64(struct sn_columns *columns, int column, int64_t value);
void sn_columns_set_f64(struct sn_columns *columns, int column, double value); /* as of a batch */
void sn_columns_set_text(struct sn_columns *columns, int column, struct sn_str value);
void sn_columns_set_time(struct sn_columns *columns, int column, int64_t unix_ns);
/* The same by value; null takes a value back. */
void sn_columns_set(struct sn_columns *columns, int column, struct sn_value value);

/* A value for any row, in place of what it has; not null. */
void sn_columns_fill_in(struct sn_columns *columns, size_t row, int column, struct sn_value value);

/* Rows of the same dataset, behind those that are there. */
void sn_columns_add_batch(struct sn_columns *columns, const struct sn_batch *batch);

/* Borrowed until the columns are changed, texts until they are cleared or their row dropped. */
struct sn_vector sn_columns_vector(const struct sn_columns *columns, int column);
/* All columns of a row; texts are borrowed. */
void sn_columns_row(const struct sn_columns *columns, size_t row, struct sn_value *out);

#endif
