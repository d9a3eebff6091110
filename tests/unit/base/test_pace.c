/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pace.h"
#include "base/util.h"

struct fixture {
	struct sn_clock_virtual clock;
	struct sn_loop *loop;
	struct sn_pace pace;
	unsigned calls;
	uint64_t missed;
	uint64_t at_ns[16];
	unsigned stop_after;
};

static int set_up(void **state)
{
	struct fixture *f = sn_new(struct fixture);

	sn_clock_virtual_init(&f->clock, 1000, 0);
	f->loop = sn_loop_create(&f->clock.clock);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sn_pace_stop(&f->pace);
	sn_loop_destroy(f->loop);
	free(f);
	return 0;
}

static void note(struct sn_pace *pace, uint64_t missed, void *ctx)
{
	struct fixture *f = ctx;

	if (f->calls < SN_COUNT(f->at_ns))
		f->at_ns[f->calls] = sn_loop_now(f->loop);
	f->calls++;
	f->missed += missed;
	if (f->calls == f->stop_after)
		sn_pace_stop(pace);
}

static void next_is_due_itself_while_early(void **state)
{
	uint64_t missed = 9;

	(void)state;
	assert_int_equal(sn_pace_next(100, 10, 99, &missed), 100);
	assert_int_equal(missed, 0);
}

static void next_lies_after_now_and_counts_what_was_lost(void **state)
{
	uint64_t missed;

	(void)state;
	assert_int_equal(sn_pace_next(100, 10, 100, &missed), 110);
	assert_int_equal(missed, 0);
	assert_int_equal(sn_pace_next(100, 10, 109, &missed), 110);
	assert_int_equal(missed, 0);
	assert_int_equal(sn_pace_next(100, 10, 110, &missed), 120);
	assert_int_equal(missed, 1);
	assert_int_equal(sn_pace_next(100, 10, 155, &missed), 160);
	assert_int_equal(missed, 5);
}

static void an_interval_of_zero_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sn_pace_start(&f->pace, f->loop, 2000, 0, note, f), -EINVAL);
	sn_pace_stop(&f->pace);
}

static void calls_come_on_the_grid(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sn_pace_start(&f->pace, f->loop, 2000, 100, note, f), 0);
	sn_loop_advance(f->loop, 1350);
	assert_int_equal(f->calls, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(f->at_ns[i], 2000 + i * 100);
	assert_int_equal(f->missed, 0);
}

static void late_wakeup_stays_on_the_grid(void **state)
{
	struct fixture *f = *state;

	sn_pace_start(&f->pace, f->loop, 2000, 100, note, f);
	/* The process sleeps through 2000 .. 2300 and wakes up at 2350. */
	sn_clock_virtual_advance(&f->clock, 1350);
	sn_loop_turn(f->loop, 0);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->missed, 3);
	sn_loop_advance(f->loop, 50);
	assert_int_equal(f->calls, 2);
	assert_int_equal(f->at_ns[1], 2400);
	assert_int_equal(f->missed, 3);
}

static void callback_may_stop_the_pace(void **state)
{
	struct fixture *f = *state;

	f->stop_after = 2;
	sn_pace_start(&f->pace, f->loop, 2000, 100, note, f);
	sn_loop_advance(f->loop, 10000);
	assert_int_equal(f->calls, 2);
}

static void free_owner(struct sn_pace *pace, uint64_t missed, void *ctx)
{
	struct sn_pace **slot = ctx;

	(void)missed;
	sn_pace_stop(pace);
	free(pace);
	*slot = NULL;
}

static void callback_may_free_the_owner(void **state)
{
	struct fixture *f = *state;
	struct sn_pace *pace = sn_new(struct sn_pace);

	sn_pace_start(pace, f->loop, 2000, 100, free_owner, &pace);
	sn_loop_advance(f->loop, 10000);
	assert_null(pace);
}

static void stopping_a_zeroed_pace_is_harmless(void **state)
{
	struct sn_pace pace = {0};

	(void)state;
	sn_pace_stop(&pace);
	sn_pace_stop(&pace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_is_due_itself_while_early),
		cmocka_unit_test(next_lies_after_now_and_counts_what_was_lost),
		cmocka_unit_test_setup_teardown(an_interval_of_zero_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(calls_come_on_the_grid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(late_wakeup_stays_on_the_grid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(callback_may_stop_the_pace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(callback_may_free_the_owner, set_up, tear_down),
		cmocka_unit_test(stopping_a_zeroed_pace_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
