/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape: how values of datasets look to a person.
 *
 * One place for units: the header of a column carries the unit, the cells only
 * numbers.  Times are shown in the local zone with their offset.
 */
#ifndef SONDE_CLI_SHAPE_H
#define SONDE_CLI_SHAPE_H

#include <stdint.h>

#include "base/err.h"
#include "cli/table.h"
#include "data/batch.h"

#define SN_TIME_LOCAL_MAX 48
/* "2026-03-01 13:00:00.123+01:00" */
char *sn_shape_time(int64_t unix_ns, char *out, size_t size);
/* "now", "5 s ago", "3 min ago", "2 d ago"; for a time to come "in 3 h". */
char *sn_shape_ago(int64_t unix_ns, int64_t now_ns, char *out, size_t size);

/* Rows of one dataset as a table of chosen columns. */
struct sn_shape;
/*
 * `fields` is a list of column names with commas, or NULL for the ones that people
 * want first, without those that have no value in the first rows unless
 * `more_comes`.  An unknown name is refused with the nearest one.
 */
int sn_shape_create(const struct sn_dataset *dataset, const char *fields, bool more_comes,
		    struct sn_shape **shape, struct sn_err *err);
void sn_shape_destroy(struct sn_shape *shape);
/* Adds rows; `newest_first` reverses them. */
void sn_shape_add(struct sn_shape *shape, const struct sn_batch *batch, bool newest_first);
void sn_shape_show(struct sn_shape *shape, FILE *out);
/* One line for each series among the rows (chronological unless `newest_first`), with its trend. */
void sn_shape_show_series(const struct sn_batch *batch, bool newest_first, FILE *out);

#endif
