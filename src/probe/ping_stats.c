/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping_stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define INSERTION_MAX 24 /* a run has a handful of values as a rule */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void sort(uint64_t *values, size_t count)
{
	if (count > INSERTION_MAX) {
		qsort(values, count, sizeof(*values), compare);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		uint64_t value = values[i];
		size_t j = i;

		for (; j > 0 && values[j - 1] > value; j--)
			values[j] = values[j - 1];
		values[j] = value;
	}
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
