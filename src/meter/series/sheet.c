/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/series/sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"

struct sn_sheet *sn_sheet_create(void)
{
	return sn_new(struct sn_sheet);
}

void sn_sheet_destroy(struct sn_sheet *sheet)
{
	free(sheet);
}

/* Blocks ------------------------------------------------------------------- */

static void mark(struct sn_sheet *sheet, uint32_t bin)
{
	uint32_t block = bin / SN_HISTOGRAM_BLOCK;

	sheet->used[block / 64] |= 1ULL << block % 64;
}

static bool is_marked(const struct sn_sheet *sheet, uint32_t block)
{
	return (sheet->used[block / 64] >> block % 64 & 1) != 0;
}

static uint32_t first_block(enum sn_histogram_id id)
{
	return sn_histograms[id].first / SN_HISTOGRAM_BLOCK;
}

static uint32_t end_block(enum sn_histogram_id id)
{
	return (sn_histograms[id].first + sn_histograms[id].count - 1) / SN_HISTOGRAM_BLOCK + 1;
}

void sn_sheet_clear(struct sn_sheet *sheet)
{
	for (size_t word = 0; word < SN_COUNT(sheet->used); word++) {
		for (uint64_t left = sheet->used[word]; left != 0; left &= left - 1) {
			size_t block = word * 64 + (size_t)__builtin_ctzll(left);

			memset(&sheet->bins[block * SN_HISTOGRAM_BLOCK], 0,
			       SN_HISTOGRAM_BLOCK * sizeof(sheet->bins[0]));
		}
		sheet->used[word] = 0;
	}
	memset(sheet->samples, 0, sizeof(sheet->samples));
}

/* Adding ------------------------------------------------------------------- */

static void add_samples(struct sn_samples *to, const struct sn_samples *more)
{
	to->min = to->count == 0 ? more->min : SN_MIN(to->min, more->min);
	to->max = to->count == 0 ? more->max : SN_MAX(to->max, more->max);
	to->count += more->count;
	to->sum += more->sum;
	to->sum2 += more->sum2;
}

static struct sn_samples many(double value, uint64_t count)
{
	return (struct sn_samples){.count = count,
				   .sum = value * (double)count,
				   .sum2 = value * value * (double)count,
				   .min = value,
				   .max = value};
}

static void merge_histogram(struct sn_sheet *to, const struct sn_sheet *from,
			    enum sn_histogram_id id)
{
	add_samples(&to->samples[id], &from->samples[id]);
	for (uint32_t block = first_block(id); block < end_block(id); block++) {
		uint32_t first = block * SN_HISTOGRAM_BLOCK;

		if (!is_marked(from, block))
			continue;
		for (uint32_t i = first; i < first + SN_HISTOGRAM_BLOCK; i++)
			to->bins[i] += from->bins[i];
		mark(to, first);
	}
}

void sn_sheet_merge(struct sn_sheet *to, const struct sn_sheet *from, const bool *wanted)
{
	for (unsigned id = 0; id < SN_HISTOGRAMS; id++)
		if (from->samples[id].count > 0 && (wanted == NULL || wanted[id]))
			merge_histogram(to, from, id);
}

bool sn_sheet_is_empty(const struct sn_sheet *sheet)
{
	for (unsigned id = 0; id < SN_HISTOGRAMS; id++)
		if (sheet->samples[id].count > 0)
			return false;
	return true;
}

void sn_sheet_add_many(struct sn_sheet *sheet, enum sn_histogram_id id, double value,
		       uint64_t count)
{
	const struct sn_histogram *histogram = &sn_histograms[id];
	uint32_t bin = histogram->first + sn_histogram_bin(histogram, value);
	struct sn_samples more = many(value, count);

	if (count == 0)
		return;
	add_samples(&sheet->samples[id], &more);
	sheet->bins[bin] += count;
	mark(sheet, bin);
}

void sn_sheet_add(struct sn_sheet *sheet, enum sn_histogram_id id, double value)
{
	sn_sheet_add_many(sheet, id, value, 1);
}

void sn_sheet_add_bytes(struct sn_sheet *sheet, enum sn_histogram_id id, int class_, uint64_t bytes)
{
	const struct sn_histogram *histogram = &sn_histograms[id];
	uint32_t bin = histogram->first + sn_histogram_bin(histogram, class_);

	if (bytes == 0)
		return;
	sheet->samples[id].count++;
	sheet->samples[id].sum += (double)bytes;
	sheet->bins[bin] += bytes;
	mark(sheet, bin);
}

void sn_sheet_recount(struct sn_sheet *sheet, enum sn_histogram_id id)
{
	const struct sn_histogram *histogram = &sn_histograms[id];

	sheet->samples[id] = (struct sn_samples){0};
	for (uint32_t block = first_block(id); block < end_block(id); block++)
		for (uint32_t i = 0; is_marked(sheet, block) && i < SN_HISTOGRAM_BLOCK; i++) {
			uint32_t bin = block * SN_HISTOGRAM_BLOCK + i;
			struct sn_samples more =
				many(sn_histogram_low(histogram, bin - histogram->first),
				     sheet->bins[bin]);

			if (more.count > 0)
				add_samples(&sheet->samples[id], &more);
		}
}

/* Reading ------------------------------------------------------------------ */

static double variance(const struct sn_samples *samples)
{
	double n = (double)samples->count;

	if (samples->count < 2)
		return NAN;
	return SN_MAX((samples->sum2 - samples->sum * samples->sum / n) / (n - 1), 0.0);
}

double sn_sheet_stat(const struct sn_sheet *sheet, enum sn_histogram_id id, enum sn_stat stat)
{
	const struct sn_samples *samples = &sheet->samples[id];

	/* The classes of a rate are no samples of anything. */
	if (samples->count == 0 || sn_histograms[id].rate)
		return 0;
	switch (stat) {
	case SN_STAT_AVG:
		return samples->sum / (double)samples->count;
	case SN_STAT_MIN:
		return samples->min;
	case SN_STAT_MAX:
		return samples->max;
	case SN_STAT_VAR:
		return variance(samples);
	case SN_STAT_STDEV:
		return sqrt(variance(samples));
	case SN_STAT_HIT:
		return (double)samples->count;
	}
	return NAN;
}

static double rate(double bytes, int64_t elapsed_ns)
{
	if (elapsed_ns < SN_NS_PER_MS)
		return NAN;
	return floor(bytes * 8 * (double)SN_NS_PER_S / (double)elapsed_ns);
}

double sn_sheet_bin(const struct sn_sheet *sheet, enum sn_histogram_id id, uint32_t bin,
		    int64_t elapsed_ns)
{
	double content = (double)sheet->bins[sn_histograms[id].first + bin];

	return sn_histograms[id].rate ? rate(content, elapsed_ns) : content;
}

static uint64_t inside(const struct sn_sheet *sheet, enum sn_histogram_id id)
{
	const struct sn_histogram *histogram = &sn_histograms[id];
	uint64_t sum = 0;

	for (uint32_t i = 1; i < histogram->count - 1; i++)
		sum += sheet->bins[histogram->first + i];
	return sum;
}

double sn_sheet_total(const struct sn_sheet *sheet, enum sn_histogram_id id, int64_t elapsed_ns)
{
	double sum = (double)inside(sheet, id);

	return sn_histograms[id].rate ? rate(sum, elapsed_ns) : sum;
}

double sn_sheet_percentile(const struct sn_sheet *sheet, enum sn_histogram_id id, double percent,
			   int64_t elapsed_ns)
{
	const struct sn_histogram *histogram = &sn_histograms[id];
	double aim = sn_sheet_total(sheet, id, elapsed_ns) * percent / 100, sum = 0;
	uint32_t bin = 0;

	while (sum < aim && bin < histogram->count - 2)
		sum += sn_sheet_bin(sheet, id, ++bin, elapsed_ns);
	return sn_histogram_low(histogram, bin);
}
