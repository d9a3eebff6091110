/* SPDX-License-Identifier: Apache-2.0 */
/* Supervisors that go, come back and refuse; leaving. */
#include "uplink_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void on_done(void *ctx SN_UNUSED)
{
	told.done++;
}

/* Trouble ------------------------------------------------------------------------- */

static void a_supervisor_that_comes_back_is_told_all_again(void **state SN_UNUSED)
{
	supervisor_down();
	assert_true(peer_until(&world, &told.calls, 2));
	assert_int_equal(told.state, SN_UPLINK_CONNECTING);
	supervisor_up();
	assert_true(peer_until(&world, &supervisor.registrations, 2));
	assert_int_equal(supervisor.registered->content_count, 2);
	assert_true(until_polled(1));
	assert_int_equal(told.state, SN_UPLINK_REGISTERED);
}

static void what_went_while_it_was_away_is_withdrawn_then(void **state SN_UNUSED)
{
	supervisor_down();
	assert_true(peer_until(&world, &told.calls, 2));
	peer_offer(&world, "new", "now ... future");
	peer_withdraw(&world, "echo");
	sn_component_uplink_changed(uplink);
	supervisor_up();
	assert_true(until_polled(2));
	assert_string_equal(supervisor.withdrawn, "cap-echo ");
	/* A new one knows nothing of it and must not be told. */
	supervisor_down();
	assert_true(peer_until(&world, &told.calls, 4));
	peer_offer(&world, "echo", "now ... future");
	peer_withdraw(&world, "new");
	sn_component_uplink_changed(uplink);
	supervisor.knows = false;
	supervisor.registrations = 0;
	supervisor_up();
	assert_true(peer_until(&world, &supervisor.registrations, 1));
	assert_true(until_polled(2));
	assert_string_equal(supervisor.withdrawn, "cap-echo ");
}

static void results_wait_for_the_supervisor_in_order(void **state SN_UNUSED)
{
	static char token[3][8] = {"t1", "t2", "t3"};

	world.work = WORLD_INSTANT;
	supervisor.result_status = 503;
	supervisor.result_failures = 2;
	for (unsigned i = 0; i < 3; i++) {
		give_specification(token[i], "now");
		assert_true(until_polled(1));
		if (i == 1)
			supervisor_down();
		if (i == 1)
			peer_turns(&world, 100);
		if (i == 1)
			supervisor_up();
		if (i == 1)
			assert_true(until_polled(1));
	}
	for (unsigned i = 0; i < 3; i++)
		assert_seen(i, SN_MP_RESULT, token[i]);
	assert_int_equal(supervisor.results, 3);
}

static void a_refused_result_does_not_block_the_next(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	supervisor.result_status = 403;
	give_specification("t1", "now");
	assert_true(peer_until(&world, &told.calls, 2));
	assert_non_null(strstr(told.text, "403"));
	supervisor.result_status = 0;
	give_specification("t2", "now");
	assert_seen(0, SN_MP_RESULT, "t2");
}

static void a_result_that_breaks_the_supervisor_is_given_up(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	supervisor.result_status = 500;
	supervisor.result_failures = SN_UPLINK_TRIES;
	give_specification("t1", "now");
	assert_true(peer_until(&world, &told.calls, 2));
	assert_non_null(strstr(told.text, "500"));
	give_specification("t2", "now");
	assert_seen(0, SN_MP_RESULT, "t2");
}

static void results_wait_for_a_registration(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	supervisor.result_status = 428;
	give_specification("t1", "now");
	assert_true(peer_until(&world, &supervisor.registrations, 2));
	supervisor.result_status = 0;
	assert_seen(0, SN_MP_RESULT, "t1");
}

static void the_backlog_has_a_limit(void **state SN_UNUSED)
{
	sn_autofree char *work = specification("t1", "now ... future", "");
	char value[16];

	give(work);
	assert_seen(0, SN_MP_RECEIPT, "t1");
	supervisor_down();
	for (unsigned i = 0; i < SN_UPLINK_BACKLOG + 10; i++) {
		snprintf(value, sizeof(value), "%u", i);
		peer_give_result(&world, value);
	}
	assert_non_null(strstr(told.text, "the oldest is given up"));
	supervisor_up();
	assert_true(peer_until(&world, &supervisor.results, 1 + SN_UPLINK_BACKLOG));
	assert_true(until_polled(1));
	/* The one that was on its way when the next came stays, and the latest ones. */
	snprintf(value, sizeof(value), "%u", SN_UPLINK_BACKLOG + 9);
	assert_string_equal(sn_mp_cell(supervisor.seen[supervisor.results - 1], 0, 0), value);
	assert_string_equal(sn_mp_cell(supervisor.seen[2], 0, 0), "11");
}

/* Leaving ------------------------------------------------------------------------- */

static void leaving_withdraws_everything(void **state SN_UNUSED)
{
	sn_component_uplink_leave(uplink, SN_NS_PER_S, on_done, NULL);
	assert_int_equal(told.done, 0);
	assert_true(peer_until(&world, &told.done, 1));
	assert_non_null(strstr(supervisor.withdrawn, "cap-echo "));
	/* The callback, too. */
	assert_non_null(strstr(supervisor.withdrawn, supervisor.registered->contents[1]->token));
	peer_turns(&world, 60);
	assert_int_equal(told.done, 1);
}

static void leaving_delivers_what_waits(void **state SN_UNUSED)
{
	supervisor.result_status = 503;
	supervisor.result_failures = 1;
	world.work = WORLD_INSTANT;
	give_specification("t1", "now");
	while (supervisor.result_status != 0)
		sn_loop_turn(world.loop, 50 * SN_NS_PER_MS);
	sn_component_uplink_leave(uplink, SN_NS_PER_S, on_done, NULL);
	assert_true(peer_until(&world, &told.done, 1));
	assert_seen(0, SN_MP_RESULT, "t1");
	assert_non_null(strstr(supervisor.withdrawn, "cap-echo "));
}

static void leaving_without_a_supervisor_is_quick(void **state SN_UNUSED)
{
	supervisor_down();
	assert_true(peer_until(&world, &told.calls, 2));
	sn_component_uplink_leave(uplink, 3600 * SN_NS_PER_S, on_done, NULL);
	assert_true(peer_until(&world, &told.done, 1));
	assert_string_equal(supervisor.withdrawn, "");
}

static void leaving_has_its_patience(void **state SN_UNUSED)
{
	supervisor.result_status = 503;
	world.work = WORLD_INSTANT;
	give_specification("t1", "now");
	assert_true(until_polled(1));
	peer_turns(&world, 20);
	sn_component_uplink_leave(uplink, 100 * SN_NS_PER_MS, on_done, NULL);
	assert_true(peer_until(&world, &told.done, 1));
}

static void destroy_when_done(void *ctx SN_UNUSED)
{
	told.done++;
	sn_component_uplink_destroy(uplink);
	uplink = NULL;
}

static void it_can_be_destroyed_when_it_has_left(void **state SN_UNUSED)
{
	sn_component_uplink_leave(uplink, SN_NS_PER_S, destroy_when_done, NULL);
	assert_true(peer_until(&world, &told.done, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_supervisor_that_comes_back_is_told_all_again),
		TEST(what_went_while_it_was_away_is_withdrawn_then),
		TEST(results_wait_for_the_supervisor_in_order),
		TEST(a_refused_result_does_not_block_the_next),
		TEST(a_result_that_breaks_the_supervisor_is_given_up),
		TEST(results_wait_for_a_registration),
		TEST(the_backlog_has_a_limit),
		TEST(leaving_withdraws_everything),
		TEST(leaving_delivers_what_waits),
		TEST(leaving_without_a_supervisor_is_quick),
		TEST(leaving_has_its_patience),
		TEST(it_can_be_destroyed_when_it_has_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
