/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bins: a stretch of time cut into parts of equal length.
 */
#ifndef SONDE_HUB_BINS_H
#define SONDE_HUB_BINS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/util.h"

struct sn_bins {
	int64_t since_ns, until_ns; /* [since, until) */
	unsigned count;             /* at least 1 */
};

/* False outside of the stretch. */
static inline bool sn_bins_find(const struct sn_bins *bins, int64_t time_ns, unsigned *bin)
{
	double behind = (double)(time_ns - bins->since_ns);

	if (time_ns < bins->since_ns || time_ns >= bins->until_ns)
		return false;
	*bin = (unsigned)(behind / (double)(bins->until_ns - bins->since_ns) * bins->count);
	*bin = SN_MIN(*bin, bins->count - 1);
	return true;
}

static inline double sn_bins_seconds(const struct sn_bins *bins)
{
	return (double)(bins->until_ns - bins->since_ns) / 1e9 / bins->count;
}

/* "bin_seconds" and "time", the Unix seconds at which they begin. */
static inline void sn_bins_write(const struct sn_bins *bins, struct sn_jw *jw)
{
	sn_jw_kdouble(jw, "bin_seconds", sn_bins_seconds(bins));
	sn_jw_key(jw, "time");
	sn_jw_array(jw);
	for (unsigned i = 0; i < bins->count; i++)
		sn_jw_double(jw, (double)bins->since_ns / 1e9 + i * sn_bins_seconds(bins));
	sn_jw_array_end(jw);
}

#endif
