/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake: where the rows of a reader go, and what it could not read.
 *
 * Who imports gives the readers a place for each dataset and UTC day, because rows
 * are stored by day.  One bad line does not refuse a file: it is told with its
 * reason, and reading goes on.
 */
#ifndef SONDE_EXCHANGE_INTAKE_H
#define SONDE_EXCHANGE_INTAKE_H

#include "base/err.h"
#include "data/columns.h"

#define SN_INTAKE_LINES_MAX 8192 /* that a reader looks at in one call, rows or not */

struct sn_bad_line {
	uint64_t line;      /* its number, from 1 */
	struct sn_str text; /* as it stands in the file; what it begins with if it is too long */
	const char *reason; /* for people: column, what is wrong */
};

struct sn_intake {
	/*
	 * Columns for rows of the dataset whose time lies in that day (since 1970-01-01); asked at
	 * the beginning of each call of a reader and whenever dataset or day change.  Columns given
	 * before stay as they are until the reader returns.  NULL: stop, the reader returns
	 * -ECANCELED and the row is lost.
	 */
	struct sn_columns *(*place)(void *ctx, const struct sn_dataset *dataset, int32_t day);
	void (*bad)(void *ctx, const struct sn_bad_line *bad); /* may be NULL; texts are borrowed */
	void *ctx;
	/*
	 * Rows from before or after that are bad: clocks that were never set, numbers of another
	 * unit.  Both 0: none is.
	 */
	int64_t oldest_ns, latest_ns;
};

struct sn_intake_counts {
	uint64_t lines, rows, bad;
	uint64_t bytes;   /* of text, decompressed */
	uint64_t unknown; /* columns or members that the dataset does not have, each time seen */
	uint64_t cut;     /* texts of more than SN_TEXT_MAX bytes */
};

/* Between a reader and an intake: the columns that the last row went to. */
struct sn_intake_row {
	const struct sn_intake *intake;
	struct sn_columns *spare; /* for rows whose day is not yet known; owned */
	struct sn_columns *current;
	int32_t day;
	struct sn_value *values; /* of a row that moves; owned */
	char why[80];            /* why the last one was dropped */
};

void sn_intake_row_init(struct sn_intake_row *row, const struct sn_intake *intake,
			const struct sn_dataset *dataset);
void sn_intake_row_finish(struct sn_intake_row *row);
/* The owner of the columns may have emptied or freed them since the last call. */
void sn_intake_row_resume(struct sn_intake_row *row);
/* Columns with a new row to fill; sn_columns_drop_row() takes it back. */
struct sn_columns *sn_intake_row_begin(struct sn_intake_row *row);
/*
 * The row is complete: it goes, or stays, where its day says.  1: its time is far off, it was
 * dropped, and row->why says so; -ECANCELED.
 */
int sn_intake_row_end(struct sn_intake_row *row, int64_t time_ns, struct sn_err *err);

/* Counts a line that could not be read and tells it. */
void sn_intake_tell_bad(const struct sn_intake *intake, struct sn_intake_counts *counts,
			const struct sn_bad_line *bad);

/* Day of a point in time, since 1970-01-01. */
int32_t sn_intake_day(int64_t unix_ns);

#endif
