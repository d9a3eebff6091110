/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantiles: how columns are distributed, bin of time by bin of time: the smallest
 * value that at least a share p of the rows of the bin do not exceed (nearest
 * rank).  Exact: all values are kept until the answer is written.  Pure.
 */
#ifndef SONDE_HUB_QUANTILES_H
#define SONDE_HUB_QUANTILES_H

#include <stdint.h>

#include "base/buf.h"
#include "data/batch.h"
#include "data/dataset.h"
#include "hub/bins.h"

#define SN_QUANTILES_COLUMNS_MAX 8
#define SN_QUANTILES_SHARES_MAX  8
#define SN_QUANTILES_POINTS_MAX  2000

struct sn_quantiles_question {
	const struct sn_dataset *dataset; /* borrowed */
	int columns[SN_QUANTILES_COLUMNS_MAX];
	unsigned column_count;
	double percents[SN_QUANTILES_SHARES_MAX]; /* 0 .. 100 */
	unsigned percent_count;
	struct sn_bins bins;
};

struct sn_quantiles;
struct sn_quantiles *sn_quantiles_create(const struct sn_quantiles_question *question);
void sn_quantiles_destroy(struct sn_quantiles *quantiles); /* NULL is fine */
void sn_quantiles_add(struct sn_quantiles *quantiles, const struct sn_value *row);
/*
 * {"bin_seconds", "time": [Unix seconds of the bins' starts], "percents": [50, 90],
 *  "columns": {NAME: {"rows": [N], "values": [[of the first percent], [of the second]]}}}
 * Bins without rows have null.
 */
void sn_quantiles_write(struct sn_quantiles *quantiles, struct sn_buf *out);

#endif
