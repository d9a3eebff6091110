/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/quantiles.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/util.h"

struct sample {
	uint32_t bin;
	double value;
};

struct samples { /* of one column */
	struct sample *items;
	size_t count, capacity;
};

struct sn_quantiles {
	struct sn_quantiles_question question;
	struct samples columns[SN_QUANTILES_COLUMNS_MAX];
};

struct sn_quantiles *sn_quantiles_create(const struct sn_quantiles_question *question)
{
	struct sn_quantiles *quantiles = sn_new(struct sn_quantiles);

	assert(question->bins.count >= 1);
	quantiles->question = *question;
	return quantiles;
}

void sn_quantiles_destroy(struct sn_quantiles *quantiles)
{
	if (quantiles == NULL)
		return;
	for (unsigned i = 0; i < SN_QUANTILES_COLUMNS_MAX; i++)
		free(quantiles->columns[i].items);
	free(quantiles);
}

static void add(struct samples *samples, uint32_t bin, double value)
{
	if (samples->count == samples->capacity) {
		samples->capacity = SN_MAX(samples->capacity * 2, (size_t)256);
		samples->items =
			sn_xrealloc(samples->items, samples->capacity, sizeof(*samples->items));
	}
	samples->items[samples->count++] = (struct sample){bin, value};
}

void sn_quantiles_add(struct sn_quantiles *quantiles, const struct sn_value *row)
{
	const struct sn_quantiles_question *q = &quantiles->question;
	unsigned bin;

	if (!sn_bins_find(&q->bins, row[SN_COL_TIME].i, &bin))
		return;
	for (unsigned i = 0; i < q->column_count; i++) {
		const struct sn_value *value = &row[q->columns[i]];

		if (value->type == SN_TYPE_I64)
			add(&quantiles->columns[i], bin, (double)value->i);
		else if (value->type == SN_TYPE_F64 && !isnan(value->f))
			add(&quantiles->columns[i], bin, value->f);
	}
}

static int by_bin_and_value(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	if (x->bin != y->bin)
		return x->bin < y->bin ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

/* Where each bin begins in the sorted samples; starts[points] is their number. */
static size_t *find_starts(const struct samples *samples, unsigned points)
{
	size_t *starts = sn_new_n(size_t, (size_t)points + 1), at = 0;

	for (unsigned bin = 0; bin <= points; bin++) {
		while (at < samples->count && samples->items[at].bin < bin)
			at++;
		starts[bin] = at;
	}
	return starts;
}

static void write_percent(struct sn_jw *jw, const struct samples *samples, const size_t *starts,
			  unsigned points, double percent)
{
	sn_jw_array(jw);
	for (unsigned bin = 0; bin < points; bin++) {
		size_t count = starts[bin + 1] - starts[bin];
		size_t rank = (size_t)ceil(percent / 100 * (double)count);

		if (count == 0)
			sn_jw_null(jw);
		else
			sn_jw_double(
				jw,
				samples->items[starts[bin] + SN_MAX(rank, (size_t)1) - 1].value);
	}
	sn_jw_array_end(jw);
}

static void write_column(struct sn_jw *jw, const struct sn_quantiles_question *q,
			 struct samples *samples)
{
	size_t *starts;

	if (samples->count > 0)
		qsort(samples->items, samples->count, sizeof(struct sample), by_bin_and_value);
	starts = find_starts(samples, q->bins.count);
	sn_jw_object(jw);
	sn_jw_key(jw, "rows");
	sn_jw_array(jw);
	for (unsigned bin = 0; bin < q->bins.count; bin++)
		sn_jw_u64(jw, starts[bin + 1] - starts[bin]);
	sn_jw_array_end(jw);
	sn_jw_key(jw, "values");
	sn_jw_array(jw);
	for (unsigned i = 0; i < q->percent_count; i++)
		write_percent(jw, samples, starts, q->bins.count, q->percents[i]);
	sn_jw_array_end(jw);
	sn_jw_object_end(jw);
	free(starts);
}

static void write_question(struct sn_jw *jw, const struct sn_quantiles_question *q)
{
	sn_bins_write(&q->bins, jw);
	sn_jw_key(jw, "percents");
	sn_jw_array(jw);
	for (unsigned i = 0; i < q->percent_count; i++)
		sn_jw_double(jw, q->percents[i]);
	sn_jw_array_end(jw);
}

void sn_quantiles_write(struct sn_quantiles *quantiles, struct sn_buf *out)
{
	const struct sn_quantiles_question *q = &quantiles->question;
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	write_question(&jw, q);
	sn_jw_key(&jw, "columns");
	sn_jw_object(&jw);
	for (unsigned i = 0; i < q->column_count; i++) {
		sn_jw_key(&jw, q->dataset->columns[q->columns[i]].name);
		write_column(&jw, q, &quantiles->columns[i]);
	}
	sn_jw_object_end(&jw);
	sn_jw_object_end(&jw);
}
