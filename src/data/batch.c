/* SPDX-License-Identifier: Apache-2.0 */
#include "data/batch.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/texts.h"

#define FIRST_ROWS 64

struct sn_batch {
	const struct sn_dataset *dataset;
	struct sn_value *values; /* rows * dataset->column_count */
	size_t rows, capacity;
	struct sn_texts texts;
};

struct sn_batch *sn_batch_create(const struct sn_dataset *dataset)
{
	struct sn_batch *batch = sn_new(struct sn_batch);

	assert(dataset->column_count >= SN_COL_COMMON);
	assert(dataset->column_count <= SN_DATASET_COLUMNS_MAX);
	batch->dataset = dataset;
	return batch;
}

void sn_batch_destroy(struct sn_batch *batch)
{
	if (batch == NULL)
		return;
	sn_texts_finish(&batch->texts);
	free(batch->values);
	free(batch);
}

void sn_batch_clear(struct sn_batch *batch)
{
	sn_texts_clear(&batch->texts);
	batch->rows = 0;
}

const struct sn_dataset *sn_batch_dataset(const struct sn_batch *batch)
{
	return batch->dataset;
}

size_t sn_batch_rows(const struct sn_batch *batch)
{
	return batch->rows;
}

size_t sn_batch_add_row(struct sn_batch *batch)
{
	size_t columns = batch->dataset->column_count;

	if (batch->rows == batch->capacity) {
		batch->capacity = batch->capacity > 0 ? 2 * batch->capacity : FIRST_ROWS;
		batch->values = sn_xrealloc(batch->values, batch->capacity * columns,
					    sizeof(*batch->values));
	}
	memset(&batch->values[batch->rows * columns], 0, columns * sizeof(*batch->values));
	sn_texts_mark(&batch->texts);
	return batch->rows++;
}

void sn_batch_drop_row(struct sn_batch *batch)
{
	assert(batch->rows > 0);
	batch->rows--;
	sn_texts_take_back(&batch->texts);
}

const struct sn_value *sn_batch_row(const struct sn_batch *batch, size_t row)
{
	assert(row < batch->rows);
	return &batch->values[row * batch->dataset->column_count];
}

static struct sn_value *cell(struct sn_batch *batch, size_t row, int column, enum sn_type type)
{
	const struct sn_dataset *dataset = batch->dataset;

	assert(row < batch->rows && column >= 0 && (size_t)column < dataset->column_count);
	assert(type == SN_TYPE_NULL || type == dataset->columns[column].type);
	return &batch->values[row * dataset->column_count + (size_t)column];
}

/* The cell of the last row, with its type set. */
static struct sn_value *last_cell(struct sn_batch *batch, int column, enum sn_type type)
{
	struct sn_value *slot = cell(batch, batch->rows - 1, column, type);

	slot->type = type;
	return slot;
}

void sn_batch_set_bool(struct sn_batch *batch, int column, bool value)
{
	last_cell(batch, column, SN_TYPE_BOOL)->b = value;
}

void sn_batch_set_i64(struct sn_batch *batch, int column, int64_t value)
{
	last_cell(batch, column, SN_TYPE_I64)->i = value;
}

void sn_batch_set_time(struct sn_batch *batch, int column, int64_t unix_ns)
{
	last_cell(batch, column, SN_TYPE_TIME)->i = unix_ns;
}

static void set_f64(struct sn_value *slot, double value)
{
	slot->type = isfinite(value) ? SN_TYPE_F64 : SN_TYPE_NULL;
	slot->f = value;
}

void sn_batch_set_f64(struct sn_batch *batch, int column, double value)
{
	set_f64(last_cell(batch, column, SN_TYPE_F64), value);
}

void sn_batch_set_text(struct sn_batch *batch, int column, struct sn_str value)
{
	last_cell(batch, column, SN_TYPE_TEXT)->s = sn_texts_add(&batch->texts, value);
}

void sn_batch_set(struct sn_batch *batch, size_t row, int column, struct sn_value value)
{
	struct sn_value *slot = cell(batch, row, column, value.type);

	*slot = value;
	if (value.type == SN_TYPE_F64)
		set_f64(slot, value.f);
	if (value.type != SN_TYPE_TEXT)
		return;
	slot->s = sn_texts_add(&batch->texts, value.s);
	/* It must outlive the last row, which may be taken back. */
	if (row + 1 < batch->rows)
		sn_texts_mark(&batch->texts);
}
