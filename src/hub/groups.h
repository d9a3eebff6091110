/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups: rows put together by the value of one column, the weightiest first: top
 * talkers, applications, names.
 *
 * A group's weight is the sum of some columns (bytes both ways), or its number of
 * rows if none are named.  Rows without a value make a group of their own, whose
 * value is null.  Pure: rows in, JSON out.
 *
 * Curves of the weightiest groups take a second reading: sn_groups_keep() after
 * the first, then sn_groups_add_to_bins() for each row again.
 */
#ifndef SONDE_HUB_GROUPS_H
#define SONDE_HUB_GROUPS_H

#include <stdint.h>

#include "base/buf.h"
#include "data/batch.h"
#include "data/dataset.h"
#include "hub/bins.h"

#define SN_GROUPS_MAX         100000 /* rows with further values are counted as others */
#define SN_GROUPS_KEPT_MAX    100
#define SN_GROUPS_WEIGHTS_MAX 8
#define SN_GROUPS_POINTS_MAX  2000

struct sn_groups_question {
	const struct sn_dataset *dataset; /* borrowed */
	int by;                           /* column */
	int weights[SN_GROUPS_WEIGHTS_MAX];
	unsigned weight_count;
	unsigned limit;      /* groups that are told, 1 .. SN_GROUPS_KEPT_MAX */
	struct sn_bins bins; /* of the curves; none if their count is 0 */
};

struct sn_groups;
struct sn_groups *sn_groups_create(const struct sn_groups_question *question);
void sn_groups_destroy(struct sn_groups *groups); /* NULL is fine */

void sn_groups_add(struct sn_groups *groups, const struct sn_value *row);
/* Sorts, and forgets all but the weightiest. */
void sn_groups_keep(struct sn_groups *groups);
void sn_groups_add_to_bins(struct sn_groups *groups, const struct sn_value *row);
/*
 * {"by", "weights": [NAME], "bin_seconds", "time": [Unix seconds of the bins' starts],
 *  "groups": [{"value", "rows", "weight", "sums": {NAME: N}, "bins": [weight]}],
 *  "others": {"values", "rows", "weight", "bins"}, "total": {"rows", "weight"}}
 */
void sn_groups_write(const struct sn_groups *groups, struct sn_buf *out);

#endif
