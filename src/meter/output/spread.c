/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/spread.h"

#include <math.h>

#include "base/util.h"

void sn_spread_add(struct sn_spread *spread, double value)
{
	double place = value > 1 ? log2(value) * SN_SPREAD_BUCKETS_OCTAVE : 0;

	spread->buckets[(unsigned)SN_MIN(place, SN_SPREAD_BUCKETS - 1)]++;
	spread->count++;
}

void sn_spread_merge(struct sn_spread *spread, const struct sn_spread *more)
{
	spread->count += more->count;
	for (unsigned i = 0; i < SN_SPREAD_BUCKETS; i++)
		spread->buckets[i] += more->buckets[i];
}

double sn_spread_percentile(const struct sn_spread *spread, double percent)
{
	double rank = ceil((double)spread->count * percent / 100);
	uint64_t sum = 0;

	for (unsigned i = 0; i < SN_SPREAD_BUCKETS; i++) {
		sum += spread->buckets[i];
		if (sum > 0 && (double)sum >= rank)
			return exp2((i + 0.5) / SN_SPREAD_BUCKETS_OCTAVE);
	}
	return 0;
}
