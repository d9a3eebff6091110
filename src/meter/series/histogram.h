/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram: the table of Tstat's histograms, and where a value lies in one.
 *
 * Bin 0 holds what is below the range, the last bin what is at its end or beyond;
 * between them bin i holds [min + (i - 1) * bin_size, min + i * bin_size).
 */
#ifndef SONDE_METER_SERIES_HISTOGRAM_H
#define SONDE_METER_SERIES_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Order of the members of a set in histograms.def. */
enum sn_traffic_direction {
	SN_TRAFFIC_IN,
	SN_TRAFFIC_OUT,
	SN_TRAFFIC_LOC,
	SN_TRAFFIC_NEITHER, /* between two outside: Tstat has no histogram for it */
	SN_TRAFFIC_DIRECTIONS
};
/* Of a set of five: behind the directions. */
enum { SN_TRAFFIC_C2S = 3, SN_TRAFFIC_S2C = 4 };
/* Of a set of seven: the cloud's, the others'; plus the direction. */
enum { SN_TRAFFIC_CLOUD = 3, SN_TRAFFIC_NO_CLOUD = 5 };

enum sn_histogram_id {
#define SN_HISTOGRAM(id, name, min, bin, max, kind, labels, text) SN_HISTOGRAM_##id,
#include "meter/series/histograms.def"
#undef SN_HISTOGRAM
	SN_HISTOGRAMS
};

/* Bins of all histograms lie in one array; each begins a new block of it. */
#define SN_HISTOGRAM_BLOCK 64

enum {
#define SN_HISTOGRAM(id, name, min, bin, max, kind, labels, text)                                  \
	SN_HISTOGRAM_FIRST_##id,                                                                   \
		SN_HISTOGRAM_LAST_##id = (SN_HISTOGRAM_FIRST_##id + ((max) - (min)) / (bin) + 2 +  \
					  SN_HISTOGRAM_BLOCK - 1) /                                \
						 SN_HISTOGRAM_BLOCK * SN_HISTOGRAM_BLOCK -         \
					 1,
#include "meter/series/histograms.def"
#undef SN_HISTOGRAM
	SN_HISTOGRAM_BINS
};

struct sn_histogram {
	const char *name, *text;
	int min, bin_size, max;
	bool rate;                 /* bins hold bytes and are told as bit/s */
	uint32_t first, count;     /* of its bins in the array */
	const char *const *labels; /* words for the values 0, 1, ...; entries may be NULL */
	unsigned label_count;
};
extern const struct sn_histogram sn_histograms[SN_HISTOGRAMS];

int sn_histogram_find(struct sn_str name); /* -1: there is none */
/* The name nearest to a mistyped one; NULL if none is near. */
const char *sn_histogram_suggest(const char *name);
const char *sn_histogram_label(enum sn_histogram_id id, int value); /* "" if there is none */

static inline uint32_t sn_histogram_bin(const struct sn_histogram *histogram, double value)
{
	if (!(value >= histogram->min))
		return 0;
	if (value >= histogram->max)
		return histogram->count - 1;
	return (uint32_t)(((int)value + histogram->bin_size - histogram->min) /
			  histogram->bin_size);
}

/* Lower end of a bin; of the first: one bin size below the range. */
static inline int sn_histogram_low(const struct sn_histogram *histogram, uint32_t bin)
{
	return histogram->min + ((int)bin - 1) * histogram->bin_size;
}

#endif
