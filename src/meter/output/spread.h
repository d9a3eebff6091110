/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spread: percentiles of positive values over many orders of magnitude, in
 * constant memory.  Buckets grow by 4.4 %, so that a percentile is off by 2.2 % at
 * most; what lies outside of the range counts at its ends.
 */
#ifndef SONDE_METER_OUTPUT_SPREAD_H
#define SONDE_METER_OUTPUT_SPREAD_H

#include <stdint.h>

#define SN_SPREAD_BUCKETS_OCTAVE 16
#define SN_SPREAD_OCTAVES        34
#define SN_SPREAD_BUCKETS        (SN_SPREAD_BUCKETS_OCTAVE * SN_SPREAD_OCTAVES)

struct sn_spread { /* zeroed is empty */
	uint64_t count;
	uint64_t buckets[SN_SPREAD_BUCKETS];
};

/* Values are at least 1: nanoseconds, or parts of a million. */
void sn_spread_add(struct sn_spread *spread, double value);
void sn_spread_merge(struct sn_spread *spread, const struct sn_spread *more);
/* Nearest rank (RFC 2330 section 11.3); `percent` in (0, 100]; 0 when it is empty. */
double sn_spread_percentile(const struct sn_spread *spread, double percent);

#endif
