/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series: many rows become as many points as a chart can show.
 *
 * Time from `since` to `until` is cut into bins of equal length; the rows of one
 * bin become one point, at their mean time.  Bins without rows make no point, so
 * gaps stay gaps, and a bin with one row is that row.  How a column merges:
 *
 *   name contains _min_ or _max_       minimum, maximum
 *   counts of one row (_packets, the bytes of a flow, ...)   sum
 *   everything else that is a number   mean; smallest and largest are kept beside it
 *
 * No value stays no value.  Pure: rows in, arrays out.
 */
#ifndef SONDE_HUB_SERIES_H
#define SONDE_HUB_SERIES_H

#include <stdint.h>

#include "base/buf.h"
#include "data/batch.h"
#include "data/dataset.h"

#define SN_SERIES_POINTS_MAX 5000

enum sn_merge { SN_MERGE_NONE, SN_MERGE_MEAN, SN_MERGE_SUM, SN_MERGE_MIN, SN_MERGE_MAX };

struct sn_series;

/* until > since, 1 <= points <= SN_SERIES_POINTS_MAX.  `dataset` is borrowed. */
struct sn_series *sn_series_create(const struct sn_dataset *dataset, int64_t since_ns,
				   int64_t until_ns, unsigned points);
void sn_series_destroy(struct sn_series *series);
/* `row` has the columns of `dataset`, `time_ns` is its time; outside of the range: ignored. */
void sn_series_add(struct sn_series *series, int64_t time_ns, const struct sn_value *row);
/*
 * {"bin_seconds","time":[Unix seconds],"rows":[...],"columns":{name:[...]},
 *  "minima":{name:[...]},"maxima":{...}}: minima and maxima of the columns that merge by
 * mean, and only if some bin has more than one row.
 */
void sn_series_write(const struct sn_series *series, struct sn_buf *out);

enum sn_merge sn_series_merge(const struct sn_column *column);

#endif
