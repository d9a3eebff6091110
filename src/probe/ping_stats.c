/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping_stats.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

#define INSERTION_MAX 64 /* a run has a handful of values as a rule */
#define DIGIT_BITS    8
#define DIGITS        (1 << DIGIT_BITS)

static void sort_few(uint64_t *values, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		uint64_t value = values[i];
		size_t j = i;

		for (; j > 0 && values[j - 1] > value; j--)
			values[j] = values[j - 1];
		values[j] = value;
	}
}

/* One stable pass of a radix sort by the digit at `shift`. */
static void sort_digit(const uint64_t *from, uint64_t *to, size_t count, unsigned shift)
{
	size_t places[DIGITS] = {0}, place = 0;

	for (size_t i = 0; i < count; i++)
		places[from[i] >> shift & (DIGITS - 1)]++;
	for (size_t digit = 0; digit < DIGITS; digit++) {
		size_t n = places[digit];

		places[digit] = place;
		place += n;
	}
	for (size_t i = 0; i < count; i++)
		to[places[from[i] >> shift & (DIGITS - 1)]++] = from[i];
}

/* Delays are small numbers: three or four passes beat any comparison. */
static void sort_many(uint64_t *values, size_t count)
{
	sn_autofree uint64_t *spare = sn_xcalloc(count, sizeof(*spare));
	uint64_t *from = values, *to = spare, *swap, all = 0;

	for (size_t i = 0; i < count; i++)
		all |= values[i];
	for (unsigned shift = 0; shift < 64 && all >> shift != 0; shift += DIGIT_BITS) {
		sort_digit(from, to, count, shift);
		swap = from;
		from = to;
		to = swap;
	}
	if (from != values)
		memcpy(values, from, count * sizeof(*values));
}

static void sort(uint64_t *values, size_t count)
{
	if (count <= INSERTION_MAX)
		sort_few(values, count);
	else
		sort_many(values, count);
}

uint64_t sn_ping_percentile(const uint64_t *sorted, size_t count, unsigned percent)
{
	assert(count > 0 && percent >= 1 && percent <= 100);

	return sorted[(count * percent + 99) / 100 - 1];
}

void sn_ping_stats_compute(uint64_t *values, size_t count, struct sn_ping_stats *stats)
{
	double mean = 0, squares = 0;

	*stats = (struct sn_ping_stats){.count = count};
	if (count == 0)
		return;
	sort(values, count);
	/* Welford's recurrence: no cancellation when the spread is small beside the mean. */
	for (size_t i = 0; i < count; i++) {
		double delta = (double)values[i] - mean;

		mean += delta / (double)(i + 1);
		squares += delta * ((double)values[i] - mean);
	}
	stats->min_ns = values[0];
	stats->max_ns = values[count - 1];
	stats->mean_ns = mean;
	stats->stddev_ns = sqrt(squares / (double)count);
	stats->p5_ns = sn_ping_percentile(values, count, 5);
	stats->p25_ns = sn_ping_percentile(values, count, 25);
	stats->p50_ns = sn_ping_percentile(values, count, 50);
	stats->p75_ns = sn_ping_percentile(values, count, 75);
	stats->p95_ns = sn_ping_percentile(values, count, 95);
}
