/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "base/rand.h"
#include "probe/ping_stats.h"

static void nothing_gives_a_count_of_nothing(void **state)
{
	struct sn_ping_stats stats;

	(void)state;
	sn_ping_stats_compute(NULL, 0, &stats);
	assert_int_equal(stats.count, 0);
}

static void one_value_is_everything_and_deviates_by_nothing(void **state)
{
	uint64_t values[] = {1234567};
	struct sn_ping_stats stats;

	(void)state;
	sn_ping_stats_compute(values, 1, &stats);
	assert_int_equal(stats.count, 1);
	assert_int_equal(stats.min_ns, 1234567);
	assert_int_equal(stats.max_ns, 1234567);
	assert_int_equal(stats.p5_ns, 1234567);
	assert_int_equal(stats.p95_ns, 1234567);
	assert_true(stats.mean_ns == 1234567);
	assert_true(stats.stddev_ns == 0);
}

static void five_values_by_hand(void **state)
{
	/* Sorted: 2 4 4 6 9; mean 5; squares of the distances 9+1+1+1+16 = 28; 28/5 = 5.6. */
	uint64_t values[] = {9, 4, 2, 6, 4};
	struct sn_ping_stats stats;

	(void)state;
	sn_ping_stats_compute(values, 5, &stats);
	assert_int_equal(stats.min_ns, 2);
	assert_int_equal(stats.max_ns, 9);
	assert_int_equal(stats.p5_ns, 2);  /* rank ceil(0.25) = 1 */
	assert_int_equal(stats.p25_ns, 4); /* rank ceil(1.25) = 2 */
	assert_int_equal(stats.p50_ns, 4); /* rank ceil(2.5) = 3 */
	assert_int_equal(stats.p75_ns, 6); /* rank ceil(3.75) = 4 */
	assert_int_equal(stats.p95_ns, 9); /* rank ceil(4.75) = 5 */
	assert_true(fabs(stats.mean_ns - 5) < 1e-12);
	assert_true(fabs(stats.stddev_ns - sqrt(5.6)) < 1e-12);
}

static void rank_of_a_whole_number_is_that_number(void **state)
{
	uint64_t values[20];

	(void)state;
	for (uint64_t i = 0; i < 20; i++)
		values[i] = i + 1;
	/* 5 % of 20 is rank 1, 25 % rank 5, 95 % rank 19: no rank too high by rounding. */
	assert_int_equal(sn_ping_percentile(values, 20, 5), 1);
	assert_int_equal(sn_ping_percentile(values, 20, 25), 5);
	assert_int_equal(sn_ping_percentile(values, 20, 95), 19);
	assert_int_equal(sn_ping_percentile(values, 20, 100), 20);
	assert_int_equal(sn_ping_percentile(values, 20, 1), 1);
}

static void small_spread_beside_a_large_mean_survives(void **state)
{
	/* Sixty seconds and one nanosecond more or less. */
	uint64_t values[] = {60000000001, 59999999999, 60000000001, 59999999999};
	struct sn_ping_stats stats;

	(void)state;
	sn_ping_stats_compute(values, 4, &stats);
	assert_true(fabs(stats.mean_ns - 60e9) < 1e-3);
	assert_true(fabs(stats.stddev_ns - 1) < 1e-3);
}

/* Rank by counting, without sorting. */
static uint64_t count_out(const uint64_t *values, size_t count, unsigned percent)
{
	uint64_t best = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		size_t not_above = 0;

		for (size_t j = 0; j < count; j++)
			not_above += values[j] <= values[i];
		if (not_above * 100 >= count * percent && values[i] < best)
			best = values[i];
	}
	return best;
}

static void many_values_agree_with_the_definition(void **state)
{
	static const size_t counts[] = {2, 63, 64, 65, 66, 255, 256, 257, 1000};
	struct sn_prng prng;

	(void)state;
	sn_prng_seed(&prng, 4711);
	for (size_t c = 0; c < SN_COUNT(counts); c++) {
		sn_autofree uint64_t *values = sn_xcalloc(counts[c], sizeof(*values));
		sn_autofree uint64_t *copy = sn_xcalloc(counts[c], sizeof(*copy));
		struct sn_ping_stats stats;

		/* Up to 2^36 ns, as a timeout of a minute allows; some equal. */
		for (size_t i = 0; i < counts[c]; i++)
			copy[i] = values[i] = sn_prng_u64(&prng) >> (28 + sn_prng_u64(&prng) % 30);
		sn_ping_stats_compute(values, counts[c], &stats);
		for (size_t i = 1; i < counts[c]; i++)
			assert_true(values[i - 1] <= values[i]);
		assert_int_equal(stats.p5_ns, count_out(copy, counts[c], 5));
		assert_int_equal(stats.p25_ns, count_out(copy, counts[c], 25));
		assert_int_equal(stats.p50_ns, count_out(copy, counts[c], 50));
		assert_int_equal(stats.p75_ns, count_out(copy, counts[c], 75));
		assert_int_equal(stats.p95_ns, count_out(copy, counts[c], 95));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_gives_a_count_of_nothing),
		cmocka_unit_test(one_value_is_everything_and_deviates_by_nothing),
		cmocka_unit_test(five_values_by_hand),
		cmocka_unit_test(rank_of_a_whole_number_is_that_number),
		cmocka_unit_test(small_spread_beside_a_large_mean_survives),
		cmocka_unit_test(many_values_agree_with_the_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
