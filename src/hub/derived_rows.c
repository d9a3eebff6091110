/* SPDX-License-Identifier: Apache-2.0 */
/* Results of peers as rows of a derived dataset, and rows as results. */
#define SN_MODULE "derived"
#include "hub/derived_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define DAY_NS (86400 * SN_NS_PER_S)

/* Rows ---------------------------------------------------------------------------------- */

static struct sn_value value_of(enum sn_mp_prim prim, const char *text)
{
	struct sn_value value = {.type = SN_TYPE_NULL}, none = value;
	uint64_t natural;

	if (text == NULL || sn_mp_value_is_none(text))
		return none;
	value.type = sn_derived_types[prim];
	switch (prim) {
	case SN_MP_NATURAL:
		/* A number that the store cannot hold is no value, never a wrong one. */
		if (sn_parse_u64(sn_str(text), 0, INT64_MAX, &natural) != 0)
			return none;
		value.i = (int64_t)natural;
		return value;
	case SN_MP_REAL:
		return sn_parse_double(sn_str(text), -1e308, 1e308, &value.f) == 0 ? value : none;
	case SN_MP_BOOLEAN:
		value.b = strcmp(text, "True") == 0;
		return value;
	case SN_MP_TIME:
		return sn_mp_time_parse(sn_str(text), &value.i) == 0 ? value : none;
	default:
		value.s = sn_str(text);
		return value;
	}
}

static bool is_moment(int64_t point)
{
	return point != SN_MP_PAST && point != SN_MP_FUTURE && point != SN_MP_NOW &&
	       point != SN_MP_UNSET;
}

/* The interval that a result says it covers; `end` 0: it does not say. */
static void interval_of(const struct sn_mp_message *result, int64_t fallback_ns, int64_t *start,
			int64_t *end)
{
	const struct sn_mp_span *span = &result->when.span;
	bool known = result->when.set && is_moment(span->start);

	*start = known ? span->start : fallback_ns;
	*end = 0;
	if (known && is_moment(span->end))
		*end = span->end;
	else if (known && span->duration_ns >= 0 && span->duration_ns < SN_MP_FOREVER - *start)
		*end = *start + span->duration_ns;
}

static struct sn_batch *batch_of_day(const struct sn_derived_set *set, struct sn_derived_rows *rows,
				     int64_t time_ns)
{
	int64_t day = time_ns / DAY_NS - (time_ns % DAY_NS < 0);

	for (size_t i = 0; i < rows->count; i++) {
		int64_t first = sn_batch_get(rows->batches[i], 0, SN_COL_TIME)->i;

		if (first / DAY_NS - (first % DAY_NS < 0) == day)
			return rows->batches[i];
	}
	if (rows->count == SN_DERIVED_DAYS_MAX)
		return NULL;
	return rows->batches[rows->count++] = sn_batch_create(set->dataset);
}

static void fill(const struct sn_derived_set *set, const struct sn_mp_message *result, size_t row,
		 const struct sn_derived_origin *origin, const int *columns, struct sn_batch *batch)
{
	size_t last = sn_batch_rows(batch) - 1;

	for (size_t i = SN_DERIVED_FIRST; i < set->dataset->column_count; i++) {
		const struct sn_derived_element *element = &set->elements[i];
		const char *text = NULL;

		if (element->section == SN_DERIVED_PARAMETER) {
			text = sn_mp_value(result, element->name);
			if (text == NULL && origin->specification != NULL)
				text = sn_mp_value(origin->specification, element->name);
		} else if (columns[i] >= 0) {
			text = sn_mp_cell(result, row, (size_t)columns[i]);
		}
		sn_batch_set(batch, last, (int)i, value_of(element->prim, text));
	}
}

int sn_derived_read(const struct sn_derived_set *set, const struct sn_mp_message *result,
		    const struct sn_derived_origin *origin, struct sn_derived_rows *rows,
		    struct sn_err *err)
{
	int columns[SN_DATASET_COLUMNS_MAX], time_column = sn_mp_column(result, "time");
	int64_t start, end;

	*rows = (struct sn_derived_rows){0};
	interval_of(result, origin->fallback_ns, &start, &end);
	for (size_t i = 0; i < set->dataset->column_count; i++)
		columns[i] = set->elements[i].section == SN_DERIVED_RESULT
				     ? sn_mp_column(result, set->elements[i].name)
				     : -1;
	for (size_t r = 0; r < result->row_count; r++) {
		struct sn_value time = {.type = SN_TYPE_NULL};
		struct sn_batch *batch;

		if (time_column >= 0 && result->columns[time_column].prim == SN_MP_TIME)
			time = value_of(SN_MP_TIME, sn_mp_cell(result, r, (size_t)time_column));
		if (time.type == SN_TYPE_NULL)
			time = (struct sn_value){.type = SN_TYPE_TIME, .i = start};
		batch = batch_of_day(set, rows, time.i);
		if (batch == NULL) {
			sn_derived_rows_finish(rows);
			return sn_err_set(err, -EINVAL, "rows of more than %d days in one result",
					  SN_DERIVED_DAYS_MAX);
		}
		sn_batch_add_row(batch);
		sn_batch_set_time(batch, SN_COL_TIME, time.i);
		sn_batch_set_text(batch, SN_COL_NODE, sn_str(origin->node));
		sn_batch_set_text(batch, SN_COL_TASK, sn_str(origin->task));
		sn_batch_set_i64(batch, SN_COL_SEQ, (int64_t)r);
		if (end != 0)
			sn_batch_set_time(batch, SN_DERIVED_WHEN_END, end);
		fill(set, result, r, origin, columns, batch);
		rows->rows++;
	}
	return 0;
}

void sn_derived_rows_finish(struct sn_derived_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		sn_batch_destroy(rows->batches[i]);
	*rows = (struct sn_derived_rows){0};
}

/* Results --------------------------------------------------------------------------------- */

static const char *text_of(const struct sn_value *value, char *out, size_t size)
{
	switch (value->type) {
	case SN_TYPE_NULL:
		return NULL;
	case SN_TYPE_BOOL:
		return value->b ? "True" : "False";
	case SN_TYPE_I64:
		snprintf(out, size, "%lld", (long long)value->i);
		return out;
	case SN_TYPE_F64:
		snprintf(out, size, "%.17g", value->f);
		return out;
	case SN_TYPE_TIME:
		return sn_mp_time_format(value->i, out);
	case SN_TYPE_TEXT:
		snprintf(out, size, "%.*s", (int)value->s.n, value->s.p);
		return out;
	}
	return NULL;
}

static int column_of(const struct sn_derived_set *set, const struct sn_mp_column *column)
{
	if (strcmp(column->name, "time") == 0 && column->prim == SN_MP_TIME)
		return SN_COL_TIME;
	for (size_t i = SN_DERIVED_FIRST; i < set->dataset->column_count; i++) {
		if (set->elements[i].section == SN_DERIVED_RESULT &&
		    strcmp(set->elements[i].name, column->name) == 0)
			return (int)i;
	}
	return -1;
}

struct row_writer {
	struct sn_mp_message *result;
	int *columns; /* of the dataset, for each of the result; -1: none */
	const char **texts;
	char *space; /* a text's room for each column */
};

static void writer_init(struct row_writer *writer, const struct sn_derived_set *set,
			struct sn_mp_message *result)
{
	writer->result = result;
	writer->columns = sn_new_n(int, result->column_count + 1);
	writer->texts = sn_new_n(const char *, result->column_count + 1);
	writer->space = sn_xmalloc((result->column_count + 1) * (SN_TEXT_MAX + 1));
	for (size_t i = 0; i < result->column_count; i++)
		writer->columns[i] = column_of(set, &result->columns[i]);
}

static void writer_finish(struct row_writer *writer)
{
	free(writer->columns);
	free(writer->texts);
	free(writer->space);
}

static void add_row(struct row_writer *writer, const struct sn_value *row)
{
	struct sn_err err = {0};

	for (size_t i = 0; i < writer->result->column_count; i++) {
		char *room = writer->space + i * (SN_TEXT_MAX + 1);

		writer->texts[i] = writer->columns[i] < 0 ? NULL
							  : text_of(&row[writer->columns[i]], room,
								    SN_TEXT_MAX + 1);
	}
	if (sn_mp_add_row(writer->result, writer->texts, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "a stored row is no result any more: %s", err.text);
}

static void widen(struct sn_mp_span *span, const struct sn_value *row)
{
	const struct sn_value *end = &row[SN_DERIVED_WHEN_END];
	int64_t start_ns = row[SN_COL_TIME].i;
	int64_t end_ns = end->type == SN_TYPE_TIME ? SN_MAX(end->i, start_ns) : start_ns;

	span->start = SN_MIN(span->start, start_ns);
	span->end = SN_MAX(span->end, end_ns);
}

struct sn_mp_message *sn_derived_result(const struct sn_derived_set *set,
					const struct sn_mp_message *specification,
					const struct sn_batch *rows, int64_t fallback_ns)
{
	struct sn_mp_message *result = sn_mp_message_as(specification, SN_MP_RESULT);
	struct sn_mp_span span = {.start = INT64_MAX, .end = INT64_MIN, .duration_ns = -1};
	struct row_writer writer;

	writer_init(&writer, set, result);
	for (size_t r = 0; r < sn_batch_rows(rows); r++) {
		add_row(&writer, sn_batch_row(rows, r));
		widen(&span, sn_batch_row(rows, r));
	}
	if (sn_batch_rows(rows) == 0)
		span.start = span.end = fallback_ns;
	result->when = (struct sn_mp_when){.set = true, .span = span};
	writer_finish(&writer);
	return result;
}
