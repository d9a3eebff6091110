/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/offer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "mplane/offer_views.h"

/* Rows as texts ---------------------------------------------------------- */

/* The texts of one row, one behind the other in a buffer; 0 in `offsets` is no value. */
struct line {
	struct sn_buf text;
	size_t *offsets;
	const char **values;
	size_t count;
};

static void line_init(struct line *line, size_t count)
{
	*line = (struct line){.offsets = sn_new_n(size_t, count + 1),
			      .values = sn_new_n(const char *, count + 1),
			      .count = count};
}

static void line_finish(struct line *line)
{
	sn_buf_finish(&line->text);
	free(line->offsets);
	free(line->values);
}

static void line_clear(struct line *line)
{
	sn_buf_clear(&line->text);
	sn_buf_addc(&line->text, '\0');
	memset(line->offsets, 0, line->count * sizeof(*line->offsets));
}

/* What is added to `text` until line_end() is the value of column `i`. */
static struct sn_buf *line_begin(struct line *line, size_t i)
{
	line->offsets[i] = line->text.n;
	return &line->text;
}

static void line_end(struct line *line)
{
	sn_buf_addc(&line->text, '\0');
}

/* A row that has no room is counted, and so is all behind it. */
static void line_add(struct line *line, struct sn_mp_message *result, size_t *omitted)
{
	for (size_t i = 0; i < line->count; i++)
		line->values[i] = line->offsets[i] != 0 ? line->text.p + line->offsets[i] : NULL;
	if (*omitted > 0 || sn_mp_add_row(result, line->values, NULL) != 0)
		++*omitted;
}

/* Numbers of a dataset --------------------------------------------------- */

/* False for no value, and for what is no number. */
static bool number_of(const struct sn_value *value, double *number)
{
	if (value->type == SN_TYPE_F64)
		*number = value->f;
	else if (value->type == SN_TYPE_I64)
		*number = (double)value->i;
	else
		return false;
	return isfinite(*number);
}

static bool number_at(const struct sn_batch *rows, size_t row, const char *column, double *number)
{
	int index = sn_dataset_column(sn_batch_dataset(rows), column);

	return index >= 0 && number_of(sn_batch_get(rows, row, index), number);
}

/* The method as it is ---------------------------------------------------- */

static void add_value(struct line *line, size_t i, const struct sn_value *value)
{
	char time[SN_MP_TIME_SIZE];
	struct sn_buf *out;
	struct sn_jw jw;

	if (value->type == SN_TYPE_NULL || (value->type == SN_TYPE_I64 && value->i < 0) ||
	    (value->type == SN_TYPE_F64 && !isfinite(value->f)))
		return;
	out = line_begin(line, i);
	sn_jw_init(&jw, out);
	if (value->type == SN_TYPE_BOOL)
		sn_buf_adds(out, value->b ? "True" : "False");
	else if (value->type == SN_TYPE_I64)
		sn_buf_add_i64(out, value->i);
	else if (value->type == SN_TYPE_F64)
		sn_jw_double(&jw, value->f);
	else if (value->type == SN_TYPE_TIME)
		sn_buf_adds(out, sn_mp_time_format(value->i, time));
	else
		sn_buf_add(out, value->s.p, value->s.n);
	line_end(line);
}

static void add_native(struct sn_mp_message *result, const struct sn_batch *rows, size_t *omitted)
{
	int *indexes = sn_new_n(int, result->column_count + 1);
	struct line line;

	for (size_t i = 0; i < result->column_count; i++)
		indexes[i] = sn_dataset_column(sn_batch_dataset(rows), result->columns[i].name);
	line_init(&line, result->column_count);
	for (size_t row = 0; row < sn_batch_rows(rows); row++) {
		line_clear(&line);
		for (size_t i = 0; i < line.count; i++)
			if (indexes[i] >= 0)
				add_value(&line, i, sn_batch_get(rows, row, indexes[i]));
		line_add(&line, result, omitted);
	}
	line_finish(&line);
	free(indexes);
}

/* Views ------------------------------------------------------------------ */

static void add_number(struct line *line, size_t i, double number)
{
	if (number < 0)
		return;
	sn_buf_addf(line_begin(line, i), "%.0f", number);
	line_end(line);
}

static bool fold(const struct sn_mp_view_column *column, const struct sn_batch *rows,
		 double *folded)
{
	double sum = 0, weights = 0, value, weight;
	bool any = false;

	for (size_t row = 0; row < sn_batch_rows(rows); row++) {
		if (!number_at(rows, row, column->column, &value))
			continue;
		weight = 1;
		if (column->weight != NULL && !number_at(rows, row, column->weight, &weight))
			continue;
		if (column->fold == SN_MP_FOLD_MIN)
			sum = any ? fmin(sum, value) : value;
		else if (column->fold == SN_MP_FOLD_MAX)
			sum = any ? fmax(sum, value) : value;
		else
			sum += value * weight;
		weights += weight;
		any = true;
	}
	if (column->fold == SN_MP_FOLD_MEAN) {
		any = any && weights > 0;
		sum = any ? sum / weights : 0;
	}
	*folded = sum * column->factor;
	return any;
}

/* All rows as one. */
static void add_average(const struct sn_mp_view *view, struct sn_mp_message *result,
			const struct sn_batch *rows, size_t *omitted)
{
	struct line line;

	if (sn_batch_rows(rows) == 0)
		return;
	line_init(&line, result->column_count);
	line_clear(&line);
	for (size_t i = 0; i < line.count; i++) {
		const struct sn_mp_view_column *column =
			sn_mp_view_column(view, result->columns[i].name);
		double number;

		if (column != NULL && fold(column, rows, &number))
			add_number(&line, i, number);
	}
	line_add(&line, result, omitted);
	line_finish(&line);
}

/* One value of a row; false when there is none, that is, no reply. */
static bool add_detail(const struct sn_mp_view_column *column, struct line *line, size_t i,
		       const struct sn_batch *rows, size_t row)
{
	int index = sn_dataset_column(sn_batch_dataset(rows), column->column);
	const struct sn_value *value = sn_batch_get(rows, row, index);
	double number;

	if (value->type == SN_TYPE_TIME) {
		add_value(line, i, value);
		return true;
	}
	if (!number_of(value, &number))
		return false;
	add_number(line, i, number * column->factor);
	return true;
}

static void add_details(const struct sn_mp_view *view, struct sn_mp_message *result,
			const struct sn_batch *rows, size_t *omitted)
{
	struct line line;

	line_init(&line, result->column_count);
	for (size_t row = 0; row < sn_batch_rows(rows); row++) {
		bool replied = true;

		line_clear(&line);
		for (size_t i = 0; i < line.count && replied; i++) {
			const struct sn_mp_view_column *column =
				sn_mp_view_column(view, result->columns[i].name);

			if (column != NULL)
				replied = add_detail(column, &line, i, rows, row);
		}
		if (replied)
			line_add(&line, result, omitted);
	}
	line_finish(&line);
}

/* The interval ----------------------------------------------------------- */

/* When the last of several requests of a run was answered; the row only tells when it began. */
static int64_t end_of_run(const struct sn_batch *rows, size_t row, int64_t start_ns)
{
	double sent, interval, delay = 0;

	if (!number_at(rows, row, "sent_packets", &sent) || sent < 1)
		return start_ns;
	if (!number_at(rows, row, "interval_seconds", &interval))
		interval = 0;
	number_at(rows, row, "rtt_max_seconds", &delay);
	return start_ns + (int64_t)(((sent - 1) * interval + delay) * 1e9);
}

static void set_interval(const struct sn_mp_offer *offer, struct sn_mp_message *result,
			 const struct sn_batch *rows, int64_t fallback_start_ns)
{
	struct sn_mp_span *span = &result->when.span;

	result->when = (struct sn_mp_when){
		.set = true,
		.span = {.start = fallback_start_ns, .end = SN_MP_UNSET, .duration_ns = -1}};
	for (size_t row = 0; row < sn_batch_rows(rows); row++) {
		const struct sn_value *time = sn_batch_get(rows, row, SN_COL_TIME);
		int64_t end_ns;

		if (time->type != SN_TYPE_TIME)
			continue;
		end_ns = offer->view != NULL ? end_of_run(rows, row, time->i) : time->i;
		if (span->end == SN_MP_UNSET)
			span->start = span->end = time->i;
		span->start = SN_MIN(span->start, time->i);
		span->end = SN_MAX(span->end, end_ns);
	}
	/* As it is written: in microseconds. */
	span->start -= span->start % SN_NS_PER_US;
	if (span->end != SN_MP_UNSET)
		span->end -= span->end % SN_NS_PER_US;
}

struct sn_mp_message *sn_mp_offer_result(const struct sn_mp_offer *offer,
					 const struct sn_mp_message *specification,
					 const struct sn_batch *rows, int64_t fallback_start_ns)
{
	struct sn_mp_message *result = sn_mp_message_as(specification, SN_MP_RESULT);
	size_t omitted = 0;
	char number[32];

	/* A switch measures nothing itself: its result is that it was so. */
	if (offer->view == NULL)
		add_native(result, rows, &omitted);
	else if (sn_mp_view_is_switch(offer->view))
		omitted = 0;
	else if (offer->view->average)
		add_average(offer->view, result, rows, &omitted);
	else
		add_details(offer->view, result, rows, &omitted);
	if (omitted > 0) {
		snprintf(number, sizeof(number), "%zu", omitted);
		sn_mp_add_meta(result, "rows.omitted", number, NULL);
	}
	set_interval(offer, result, rows, fallback_start_ns);
	return result;
}
