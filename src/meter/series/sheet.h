/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sheet: all histograms of one step, or of what one worker has seen of it.
 *
 * Sheets add up.  The bins of all histograms are 11 MB of address space, of which
 * the kernel gives only the pages that are used; which blocks of bins hold
 * something is remembered, so that adding and clearing cost what was counted.
 */
#ifndef SONDE_METER_SERIES_SHEET_H
#define SONDE_METER_SERIES_SHEET_H

#include "meter/series/histogram.h"

/* Of a rate: how many additions, and the sum of the bytes. */
struct sn_samples {
	uint64_t count;
	double sum, sum2, min, max; /* min, max: valid if count > 0 */
};

#define SN_SHEET_BLOCKS (SN_HISTOGRAM_BINS / SN_HISTOGRAM_BLOCK)

struct sn_sheet {
	struct sn_samples samples[SN_HISTOGRAMS];
	uint64_t used[SN_SHEET_BLOCKS / 64 + 1]; /* a bit per block */
	uint64_t bins[SN_HISTOGRAM_BINS];
};

struct sn_sheet *sn_sheet_create(void);
void sn_sheet_destroy(struct sn_sheet *sheet);
void sn_sheet_clear(struct sn_sheet *sheet);
/* Adds what `from` holds of the histograms in `wanted` (SN_HISTOGRAMS flags; NULL: all). */
void sn_sheet_merge(struct sn_sheet *to, const struct sn_sheet *from, const bool *wanted);
bool sn_sheet_is_empty(const struct sn_sheet *sheet);

/* One sample. */
void sn_sheet_add(struct sn_sheet *sheet, enum sn_histogram_id id, double value);
/* `count` samples of the same value. */
void sn_sheet_add_many(struct sn_sheet *sheet, enum sn_histogram_id id, double value,
		       uint64_t count);
/* Bytes of a class into a rate. */
void sn_sheet_add_bytes(struct sn_sheet *sheet, enum sn_histogram_id id, int class_,
			uint64_t bytes);

/*
 * The cheap way for histograms with bins of 1: one sample of a value inside the range.  The
 * samples' sums follow with sn_sheet_recount(), which makes them from the bins.
 */
static inline void sn_sheet_touch(struct sn_sheet *sheet, enum sn_histogram_id id, uint32_t value)
{
	uint32_t bin = sn_histograms[id].first + 1 + value;

	sheet->bins[bin]++;
	sheet->used[bin / SN_HISTOGRAM_BLOCK / 64] |= 1ULL << bin / SN_HISTOGRAM_BLOCK % 64;
}
void sn_sheet_recount(struct sn_sheet *sheet, enum sn_histogram_id id);

/* What may be asked of a histogram. */
enum sn_stat { SN_STAT_AVG, SN_STAT_MIN, SN_STAT_MAX, SN_STAT_VAR, SN_STAT_STDEV, SN_STAT_HIT };
/* Without samples 0, as Tstat has it; NAN: cannot be told. */
double sn_sheet_stat(const struct sn_sheet *sheet, enum sn_histogram_id id, enum sn_stat stat);
/* Content of a bin; of a rate in bit/s over `elapsed_ns`, whole ones (NAN: less than 1 ms). */
double sn_sheet_bin(const struct sn_sheet *sheet, enum sn_histogram_id id, uint32_t bin,
		    int64_t elapsed_ns);
/* Samples inside the range; of a rate its sum in bit/s. */
double sn_sheet_total(const struct sn_sheet *sheet, enum sn_histogram_id id, int64_t elapsed_ns);
/* Lower end of the bin where `percent` of the samples inside the range are reached. */
double sn_sheet_percentile(const struct sn_sheet *sheet, enum sn_histogram_id id, double percent,
			   int64_t elapsed_ns);

#endif
