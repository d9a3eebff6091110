/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: rows of one dataset on their way from one place to another.
 *
 * Row-major values plus an arena for texts; everything that a batch holds lives
 * until sn_batch_clear() or sn_batch_destroy().
 */
#ifndef SONDE_DATA_BATCH_H
#define SONDE_DATA_BATCH_H

#include <stdint.h>

#include "base/str.h"
#include "data/dataset.h"

struct sn_value { /* type NULL: no value */
	enum sn_type type;
	union {
		bool b;
		int64_t i; /* I64 and TIME */
		double f;
		struct sn_str s;
	};
};

struct sn_batch;
struct sn_batch *sn_batch_create(const struct sn_dataset *dataset);
void sn_batch_destroy(struct sn_batch *batch);
void sn_batch_clear(struct sn_batch *batch);
const struct sn_dataset *sn_batch_dataset(const struct sn_batch *batch);
size_t sn_batch_rows(const struct sn_batch *batch);

/* Adds a row of nulls and makes it current; returns its index. */
size_t sn_batch_add_row(struct sn_batch *batch);
void sn_batch_drop_row(struct sn_batch *batch); /* takes the last row back */
/* Set a column of the last row; the type must be the column's (asserted). Texts are copied. */
void sn_batch_set_bool(struct sn_batch *batch, int column, bool value);
void sn_batch_set_i64(struct sn_batch *batch, int column, int64_t value);
void sn_batch_set_f64(struct sn_batch *batch, int column, double value); /* not finite: null */
void sn_batch_set_text(struct sn_batch *batch, int column, struct sn_str value); /* cut at limit */
void sn_batch_set_time(struct sn_batch *batch, int column, int64_t unix_ns);
/* The same for any row, by value; texts are copied. */
void sn_batch_set(struct sn_batch *batch, size_t row, int column, struct sn_value value);

const struct sn_value *sn_batch_row(const struct sn_batch *batch, size_t row);
static inline const struct sn_value *sn_batch_get(const struct sn_batch *batch, size_t row,
						  int column)
{
	return &sn_batch_row(batch, row)[column];
}

#endif
