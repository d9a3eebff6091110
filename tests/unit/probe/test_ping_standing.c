/* SPDX-License-Identifier: Apache-2.0 */
/* Standing runs: on the grid of the wall clock, whatever it does. */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ping_fixture.h"

static void standing_runs_start_at_wall_clock_multiples(void **state)
{
	struct ping_fixture *f = *state;

	f->net.clock.wall_ns += 300 * MS;
	ping_begin(f, ping_standing(2, 1000 * MS), 1);
	ping_pass(f, 3600 * MS);
	assert_int_equal(f->result_count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(f->results[i].started_wall_ns,
				 PING_WALL0 + (i + 1) * (int64_t)SN_NS_PER_S);
		assert_int_equal(f->results[i].missed_runs, 0);
		assert_int_equal(f->results[i].received, 2);
	}
	assert_int_equal(f->done, 0);
}

static void runs_may_overlap_while_they_wait_for_replies(void **state)
{
	struct ping_fixture *f = *state;

	/* 0.8 s of requests and 1 s of timeout, every second; one reply lost in each run. */
	f->net.delay = ping_lose_second_and_last;
	ping_begin(f, ping_standing(5, 1000 * MS), 2);
	ping_pass(f, 5900 * MS);
	assert_true(f->result_count >= 6);
	assert_int_equal(f->results[0].received + f->results[1].received, 8);
	for (unsigned i = 2; i < f->result_count; i++)
		assert_int_equal(f->results[i].received, 5);
}

static void points_slept_through_are_counted_and_not_made_up_for(void **state)
{
	struct ping_fixture *f = *state;

	ping_begin(f, ping_standing(1, 1000 * MS), 1);
	ping_pass(f, 1500 * MS);
	assert_int_equal(f->result_count, 1);
	/* The process stands still for 3.2 s: points 2 (late), 3 and 4 come at once. */
	sn_clock_virtual_advance(&f->net.clock, 3200 * MS);
	ping_pass(f, 1500 * MS);
	assert_int_equal(f->net.sent, 4);
	assert_int_equal(f->result_count, 4);
	assert_int_equal(f->results[1].missed_runs, 0);
	assert_int_equal(f->results[2].missed_runs, 2);
}

static void walk_that_takes_longer_than_the_period_skips_points(void **state)
{
	struct ping_fixture *f = *state;
	uint64_t missed = 0;

	f->net.send_cost_ns = 300 * MS;
	ping_begin(f, ping_standing(1, 1000 * MS), 10);
	ping_pass(f, 30000 * MS);
	/* Three seconds for ten targets: about every third point is met. */
	for (unsigned i = 0; i < f->result_count; i++)
		if (f->results[i].target == &f->targets.items[0])
			missed += f->results[i].missed_runs;
	assert_true(f->result_count >= 70 && f->result_count <= 110);
	assert_in_range(missed, 12, 20);
}

static void step_of_the_wall_clock_moves_the_grid_and_no_delay(void **state)
{
	struct ping_fixture *f = *state;
	int64_t off_ns;

	ping_begin(f, ping_standing(2, 1000 * MS), 1);
	ping_pass(f, 2100 * MS);
	f->net.clock.wall_ns += 3600 * (int64_t)SN_NS_PER_S + 400 * MS;
	ping_pass(f, 6000 * MS);
	assert_true(f->result_count >= 6);
	for (unsigned i = 0; i < f->result_count; i++) {
		assert_int_equal(f->results[i].rtt.max_ns, PING_DEFAULT_RTT);
		assert_int_equal(f->results[i].received, 2);
		assert_int_equal(f->results[i].missed_runs, 0);
	}
	/* The run that was due is not left out; those after it are on the new grid. */
	for (unsigned i = 3; i < f->result_count; i++) {
		off_ns = f->results[i].started_wall_ns % SN_NS_PER_S;
		assert_int_equal(off_ns, 0);
	}
}

static void new_address_is_used_from_the_next_run_on(void **state)
{
	struct ping_fixture *f = *state;
	struct sn_addr after;

	assert_int_equal(sn_addr_parse(SN_STR("198.51.100.9"), 0, &after), 0);
	ping_begin(f, ping_standing(1, 1000 * MS), 1);
	ping_pass(f, 1500 * MS);
	assert_int_equal(f->results[0].received, 1);
	sn_ping_target_set_addr(&f->targets, 0, &after);
	ping_pass(f, 1000 * MS);
	assert_int_equal(f->result_count, 2);
	assert_int_equal(f->results[1].received, 1);
}

static int64_t reply_after_its_run(uint32_t sent)
{
	return sent == 0 ? 1500 * MS : PING_DEFAULT_RTT;
}

static void reply_that_comes_after_its_run_is_not_given_to_the_next(void **state)
{
	struct ping_fixture *f = *state;

	f->net.delay = reply_after_its_run;
	ping_begin(f, ping_standing(1, 2000 * MS), 1);
	ping_pass(f, 6500 * MS);
	assert_int_equal(f->result_count, 3);
	assert_int_equal(f->results[0].lost, 1);
	assert_int_equal(f->results[1].received, 1);
	assert_int_equal(f->results[1].duplicates, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PING_TEST(standing_runs_start_at_wall_clock_multiples),
		PING_TEST(runs_may_overlap_while_they_wait_for_replies),
		PING_TEST(points_slept_through_are_counted_and_not_made_up_for),
		PING_TEST(walk_that_takes_longer_than_the_period_skips_points),
		PING_TEST(step_of_the_wall_clock_moves_the_grid_and_no_delay),
		PING_TEST(new_address_is_used_from_the_next_run_on),
		PING_TEST(reply_that_comes_after_its_run_is_not_given_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
