/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "base/util.h"
#include "probe/stamp.h"

#define WALL0 1700000000000000000LL
#define HOUR  (3600 * SN_NS_PER_S)

static void first_reading_is_not_to_be_relied_upon(void **state)
{
	struct sn_stamp stamp = {0};

	(void)state;
	assert_false(sn_stamp_read(&stamp, 1000, WALL0, 1100));
	assert_true(sn_stamp_read(&stamp, 2000, WALL0 + 1000, 2100));
}

static void wall_time_becomes_monotonic_time(void **state)
{
	struct sn_stamp stamp = {0};

	(void)state;
	/* The difference is known within 40 ns, so the middle is at most 20 off. */
	sn_stamp_read(&stamp, 5000, WALL0 + 5020, 5040);
	assert_in_range(sn_stamp_to_mono(&stamp, WALL0 + 9000), 8980, 9020);
}

static void narrow_readings_sharpen_wide_ones(void **state)
{
	struct sn_stamp stamp = {0};

	(void)state;
	sn_stamp_read(&stamp, 0, WALL0 + 900000, 1000000); /* interrupted in between */
	assert_true(sn_stamp_read(&stamp, 2000000, WALL0 + 2000010, 2000020));
	assert_true(sn_stamp_read(&stamp, 3000000, WALL0 + 3500000, 4000000));
	assert_in_range(sn_stamp_to_mono(&stamp, WALL0 + 7000000), 6999990, 7000010);
}

static void steps_either_way_are_noticed_once(void **state)
{
	static const int64_t steps[] = {HOUR, -HOUR, 5 * SN_NS_PER_US, -5 * SN_NS_PER_US};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(steps); i++) {
		struct sn_stamp stamp = {0};
		int64_t wall = WALL0 + steps[i];

		sn_stamp_read(&stamp, 1000, WALL0 + 1020, 1040);
		assert_true(sn_stamp_read(&stamp, 2000, WALL0 + 2020, 2040));
		assert_false(sn_stamp_read(&stamp, 3000, wall + 3020, 3040));
		assert_true(sn_stamp_read(&stamp, 4000, wall + 4020, 4040));
		assert_in_range(sn_stamp_to_mono(&stamp, wall + 5000), 4980, 5020);
	}
}

static void rounding_is_no_step(void **state)
{
	struct sn_stamp stamp = {0};

	(void)state;
	sn_stamp_read(&stamp, 1000, WALL0 + 1000, 1000);
	assert_true(sn_stamp_read(&stamp, 2000, WALL0 + 2001, 2000));
	assert_true(sn_stamp_read(&stamp, 3000, WALL0 + 2999, 3000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_reading_is_not_to_be_relied_upon),
		cmocka_unit_test(wall_time_becomes_monotonic_time),
		cmocka_unit_test(narrow_readings_sharpen_wide_ones),
		cmocka_unit_test(steps_either_way_are_noticed_once),
		cmocka_unit_test(rounding_is_no_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
