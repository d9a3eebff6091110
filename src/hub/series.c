/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/series.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

struct cell { /* one column in one bin */
	uint32_t count;
	double sum, min, max;
};

struct bin {
	uint64_t rows;
	double time_sum; /* seconds behind `since` */
};

struct sn_series {
	const struct sn_dataset *dataset;
	int64_t since_ns, until_ns;
	unsigned points;
	int columns[SN_DATASET_COLUMNS_MAX]; /* the ones that merge */
	enum sn_merge merges[SN_DATASET_COLUMNS_MAX];
	size_t column_count;
	struct bin *bins;
	struct cell *cells; /* [bin][column] */
	bool merged;        /* some bin has more than one row */
};

/* How they merge ----------------------------------------------------------------- */

static bool contains(const char *name, const char *part)
{
	return strstr(name, part) != NULL;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

static bool is(const char *name, const char *whole)
{
	return strcmp(name, whole) == 0;
}

/* The first that fits decides; means are the rest. */
static const struct {
	bool (*fits)(const char *name, const char *text);
	const char *text;
	enum sn_merge merge;
} rules[] = {
	{is, "seq", SN_MERGE_NONE},
	{contains, "_min_", SN_MERGE_MIN},
	{contains, "_max_", SN_MERGE_MAX},
	{ends_with, "_packets", SN_MERGE_SUM},
	{is, "send_errors", SN_MERGE_SUM},
	{is, "missed_runs", SN_MERGE_SUM},
	{is, "c_bytes", SN_MERGE_SUM},
	{is, "s_bytes", SN_MERGE_SUM},
	{is, "c_payload_bytes", SN_MERGE_SUM},
	{is, "s_payload_bytes", SN_MERGE_SUM},
};

enum sn_merge sn_series_merge(const struct sn_column *column)
{
	if (column->type != SN_TYPE_I64 && column->type != SN_TYPE_F64)
		return SN_MERGE_NONE;
	for (size_t i = 0; i < SN_COUNT(rules); i++) {
		if (rules[i].fits(column->name, rules[i].text))
			return rules[i].merge;
	}
	return SN_MERGE_MEAN;
}

/* Rows in -------------------------------------------------------------------------- */

struct sn_series *sn_series_create(const struct sn_dataset *dataset, int64_t since_ns,
				   int64_t until_ns, unsigned points)
{
	struct sn_series *series = sn_new(struct sn_series);

	assert(until_ns > since_ns && points >= 1 && points <= SN_SERIES_POINTS_MAX);
	series->dataset = dataset;
	series->since_ns = since_ns;
	series->until_ns = until_ns;
	series->points = points;
	for (size_t i = 0; i < dataset->column_count; i++) {
		enum sn_merge merge = sn_series_merge(&dataset->columns[i]);

		if (merge == SN_MERGE_NONE)
			continue;
		series->merges[series->column_count] = merge;
		series->columns[series->column_count++] = (int)i;
	}
	series->bins = sn_new_n(struct bin, points);
	series->cells = sn_new_n(struct cell, points * series->column_count + 1);
	return series;
}

void sn_series_destroy(struct sn_series *series)
{
	if (series == NULL)
		return;
	free(series->bins);
	free(series->cells);
	free(series);
}

static double number(const struct sn_value *value)
{
	return value->type == SN_TYPE_I64   ? (double)value->i
	       : value->type == SN_TYPE_F64 ? value->f
					    : (double)NAN;
}

static void add_to_cell(struct cell *cell, double value)
{
	if (isnan(value))
		return;
	cell->min = cell->count == 0 ? value : fmin(cell->min, value);
	cell->max = cell->count == 0 ? value : fmax(cell->max, value);
	cell->sum += value;
	cell->count++;
}

void sn_series_add(struct sn_series *series, int64_t time_ns, const struct sn_value *row)
{
	double behind = (double)(time_ns - series->since_ns);
	double length = (double)(series->until_ns - series->since_ns);
	struct cell *cells;
	unsigned at;

	if (time_ns < series->since_ns || time_ns >= series->until_ns)
		return;
	at = (unsigned)(behind / length * series->points);
	at = SN_MIN(at, series->points - 1);
	series->merged |= ++series->bins[at].rows > 1;
	series->bins[at].time_sum += behind / 1e9;
	cells = &series->cells[at * series->column_count];
	for (size_t i = 0; i < series->column_count; i++)
		add_to_cell(&cells[i], number(&row[series->columns[i]]));
}

/* Arrays out ------------------------------------------------------------------------ */

static double merged_value(const struct cell *cell, enum sn_merge merge)
{
	if (cell->count == 0)
		return (double)NAN; /* written as null */
	switch (merge) {
	case SN_MERGE_SUM:
		return cell->sum;
	case SN_MERGE_MIN:
		return cell->min;
	case SN_MERGE_MAX:
		return cell->max;
	default:
		return cell->count == 1 ? cell->min : cell->sum / cell->count;
	}
}

static void write_column(struct sn_jw *jw, const struct sn_series *series, size_t column,
			 enum sn_merge merge)
{
	sn_jw_key(jw, series->dataset->columns[series->columns[column]].name);
	sn_jw_array(jw);
	for (unsigned i = 0; i < series->points; i++) {
		if (series->bins[i].rows > 0)
			sn_jw_double(jw,
				     merged_value(&series->cells[i * series->column_count + column],
						  merge));
	}
	sn_jw_array_end(jw);
}

static void write_extremes(struct sn_jw *jw, const struct sn_series *series, const char *name,
			   enum sn_merge merge)
{
	sn_jw_key(jw, name);
	sn_jw_object(jw);
	for (size_t i = 0; series->merged && i < series->column_count; i++) {
		if (series->merges[i] == SN_MERGE_MEAN)
			write_column(jw, series, i, merge);
	}
	sn_jw_object_end(jw);
}

static void write_times(struct sn_jw *jw, const struct sn_series *series)
{
	double since = (double)series->since_ns / 1e9;

	sn_jw_key(jw, "time");
	sn_jw_array(jw);
	for (unsigned i = 0; i < series->points; i++) {
		const struct bin *bin = &series->bins[i];

		/* Milliseconds: more would only be noise of the division. */
		if (bin->rows > 0)
			sn_jw_double(jw, round((since + bin->time_sum / (double)bin->rows) * 1e3) /
						 1e3);
	}
	sn_jw_array_end(jw);
	sn_jw_key(jw, "rows");
	sn_jw_array(jw);
	for (unsigned i = 0; i < series->points; i++) {
		if (series->bins[i].rows > 0)
			sn_jw_u64(jw, series->bins[i].rows);
	}
	sn_jw_array_end(jw);
}

void sn_series_write(const struct sn_series *series, struct sn_buf *out)
{
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	sn_jw_kdouble(&jw, "bin_seconds",
		      (double)(series->until_ns - series->since_ns) / 1e9 / series->points);
	write_times(&jw, series);
	sn_jw_key(&jw, "columns");
	sn_jw_object(&jw);
	for (size_t i = 0; i < series->column_count; i++)
		write_column(&jw, series, i, series->merges[i]);
	sn_jw_object_end(&jw);
	write_extremes(&jw, series, "minima", SN_MERGE_MIN);
	write_extremes(&jw, series, "maxima", SN_MERGE_MAX);
	sn_jw_object_end(&jw);
}
