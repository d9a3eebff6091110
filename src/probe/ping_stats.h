/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_stats: what a set of round-trip delays says.
 *
 * Percentiles are exact, from all values, by nearest rank: the smallest value x with
 * F(x) >= p (RFC 2330 11.3).  The standard deviation is the population's, as in the
 * registry of performance metrics (RFC 8912).  Nanoseconds throughout.  Pure.
 */
#ifndef SONDE_PROBE_PING_STATS_H
#define SONDE_PROBE_PING_STATS_H

#include <stddef.h>
#include <stdint.h>

struct sn_ping_stats {
	size_t count; /* 0: the other members mean nothing */
	uint64_t min_ns, max_ns;
	double mean_ns, stddev_ns;
	uint64_t p5_ns, p25_ns, p50_ns, p75_ns, p95_ns;
};

/* Sorts `values`. */
void sn_ping_stats_compute(uint64_t *values, size_t count, struct sn_ping_stats *stats);

/* Nearest rank in `count` > 0 ascending values; `percent` 1..100. */
uint64_t sn_ping_percentile(const uint64_t *sorted, size_t count, unsigned percent);

#endif
