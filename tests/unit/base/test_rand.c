/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdbool.h>
#include <string.h>

#include "base/rand.h"
#include "base/util.h"

static void below_stays_below_and_reaches_everything(void **state)
{
	unsigned seen[7] = {0};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint64_t value = sn_random_below(7);

		assert_true(value < 7);
		seen[value]++;
	}
	/* Each has 286 on average; fewer than 100 happens once in 10^30 runs. */
	for (size_t i = 0; i < 7; i++)
		assert_true(seen[i] > 100);
	assert_int_equal(sn_random_below(1), 0);
}

static void ulids_carry_their_time_and_sort_by_it(void **state)
{
	char early[SN_ULID_SIZE], late[SN_ULID_SIZE], same[SN_ULID_SIZE];

	(void)state;
	/* The example of the ULID specification: 1469918176385 ms is 01ARYZ6S41. */
	sn_ulid(1469918176385 * SN_NS_PER_MS, early);
	sn_ulid(1469918176386 * SN_NS_PER_MS, late);
	sn_ulid(1469918176385 * SN_NS_PER_MS, same);
	assert_memory_equal(early, "01ARYZ6S41", 10);
	assert_int_equal(strlen(early), 26);
	assert_true(strcmp(early, late) < 0);
	assert_string_not_equal(early, same);
	assert_int_equal(strspn(early, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
}

static void ulid_tails_use_all_letters(void **state)
{
	bool seen[256] = {false};
	unsigned letters = 0;

	(void)state;
	for (int i = 0; i < 500; i++) {
		char text[SN_ULID_SIZE];

		sn_ulid(0, text);
		for (size_t k = 10; k < 26; k++)
			seen[(unsigned char)text[k]] = true;
	}
	for (size_t i = 0; i < 256; i++)
		letters += seen[i];
	assert_int_equal(letters, 32);
}

/* SplitMix64 with seed 1234567, as published with the generator. */
static void seeding_gives_the_published_values(void **state)
{
	struct sn_prng prng;

	(void)state;
	sn_prng_seed(&prng, 1234567);
	assert_true(prng.s[0] == 6457827717110365317ULL);
	assert_true(prng.s[1] == 3203168211198807973ULL);
	assert_true(prng.s[2] == 9817491932198370423ULL);
	assert_true(prng.s[3] == 4593380528125082431ULL);
}

/* xoshiro256** from the state {1, 2, 3, 4}. */
static void generator_gives_the_published_values(void **state)
{
	static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
	struct sn_prng prng = {{1, 2, 3, 4}};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(expected); i++)
		assert_true(sn_prng_u64(&prng) == expected[i]);
}

static void unit_numbers_lie_in_the_half_open_interval(void **state)
{
	struct sn_prng prng;
	double sum = 0;

	(void)state;
	sn_prng_seed(&prng, 1);
	for (int i = 0; i < 10000; i++) {
		double unit = sn_prng_unit(&prng);

		assert_true(unit >= 0 && unit < 1);
		sum += unit;
	}
	assert_true(sum > 4900 && sum < 5100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(below_stays_below_and_reaches_everything),
		cmocka_unit_test(ulids_carry_their_time_and_sort_by_it),
		cmocka_unit_test(ulid_tails_use_all_letters),
		cmocka_unit_test(seeding_gives_the_published_values),
		cmocka_unit_test(generator_gives_the_published_values),
		cmocka_unit_test(unit_numbers_lie_in_the_half_open_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
