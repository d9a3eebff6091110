/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

#define NS_PER_DAY (86400 * SN_NS_PER_S)

int32_t sn_intake_day(int64_t unix_ns)
{
	return (int32_t)(unix_ns / NS_PER_DAY - (unix_ns % NS_PER_DAY < 0));
}

void sn_intake_row_init(struct sn_intake_row *row, const struct sn_intake *intake,
			const struct sn_dataset *dataset)
{
	*row = (struct sn_intake_row){
		.intake = intake,
		.spare = sn_columns_create(dataset),
		.values = sn_new_n(struct sn_value, dataset->column_count),
	};
}

void sn_intake_row_finish(struct sn_intake_row *row)
{
	sn_columns_destroy(row->spare);
	free(row->values);
	*row = (struct sn_intake_row){0};
}

void sn_intake_row_resume(struct sn_intake_row *row)
{
	row->current = NULL;
}

struct sn_columns *sn_intake_row_begin(struct sn_intake_row *row)
{
	struct sn_columns *columns = row->current != NULL ? row->current : row->spare;

	sn_columns_add_row(columns);
	return columns;
}

/* The last row of `from`, to the end of `to`. */
static void move_row(struct sn_intake_row *row, struct sn_columns *from, struct sn_columns *to)
{
	size_t count = sn_columns_dataset(from)->column_count;

	sn_columns_row(from, sn_columns_rows(from) - 1, row->values);
	sn_columns_add_row(to);
	for (size_t i = 0; i < count; i++)
		if (row->values[i].type != SN_TYPE_NULL)
			sn_columns_set(to, (int)i, row->values[i]);
	sn_columns_drop_row(from);
}

static bool is_far_off(const struct sn_intake *intake, int64_t time_ns)
{
	return (intake->oldest_ns != 0 || intake->latest_ns != 0) &&
	       (time_ns < intake->oldest_ns || time_ns > intake->latest_ns);
}

static int drop_far_off(struct sn_intake_row *row, struct sn_columns *columns, int64_t time_ns)
{
	char text[SN_TIME_TEXT_MAX];

	snprintf(row->why, sizeof(row->why), "its time is far off: %s",
		 sn_format_time(time_ns, text, sizeof(text)));
	sn_columns_drop_row(columns);
	return 1;
}

int sn_intake_row_end(struct sn_intake_row *row, int64_t time_ns, struct sn_err *err)
{
	struct sn_columns *from = row->current != NULL ? row->current : row->spare, *to;
	int32_t day = sn_intake_day(time_ns);

	if (is_far_off(row->intake, time_ns))
		return drop_far_off(row, from, time_ns);
	if (from == row->current && day == row->day)
		return 0;
	to = row->intake->place(row->intake->ctx, sn_columns_dataset(from), day);
	if (to == NULL) {
		sn_columns_drop_row(from);
		return sn_err_set(err, -ECANCELED, "no place for rows of '%s'",
				  sn_columns_dataset(from)->name);
	}
	if (to != from)
		move_row(row, from, to);
	row->current = to;
	row->day = day;
	return 0;
}

void sn_intake_tell_bad(const struct sn_intake *intake, struct sn_intake_counts *counts,
			const struct sn_bad_line *bad)
{
	counts->bad++;
	if (intake->bad != NULL)
		intake->bad(intake->ctx, bad);
}
