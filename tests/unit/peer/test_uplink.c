/* SPDX-License-Identifier: Apache-2.0 */
/* Registering, working, callbacks. */
#include "uplink_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Registering --------------------------------------------------------------------- */

static void it_registers_everything_and_a_callback(void **state SN_UNUSED)
{
	const struct sn_mp_message *callback;
	const char *text;

	assert_int_equal(supervisor.registrations, 1);
	assert_int_equal(supervisor.registered->content_count, 2);
	assert_string_equal(supervisor.registered->contents[0]->token, "cap-echo");
	callback = supervisor.registered->contents[1];
	assert_string_equal(callback->verb, "callback");
	assert_string_equal(callback->label, "callback");
	assert_string_equal(supervisor.forged, "org.example.Components.probe");
	assert_int_equal(sn_component_uplink_state(uplink, &text), SN_UPLINK_REGISTERED);
	assert_string_equal(text, "1 capabilities registered");
}

static void refusals_are_told_with_their_reason(void **state)
{
	setup_silent(state);
	supervisor.refuses = "secret";
	peer_offer(&world, "echo", "now ... future");
	peer_offer(&world, "secret", "now ... future");
	uplink_up();
	assert_true(until_polled(1));
	assert_int_equal(told.state, SN_UPLINK_REGISTERED);
	assert_non_null(strstr(told.text, "1 capabilities registered"));
	assert_non_null(strstr(told.text, "'secret' (not here)"));
}

static void when_all_is_refused_it_says_so_and_tries_again(void **state)
{
	setup_silent(state);
	supervisor.refuses = "echo";
	peer_offer(&world, "echo", "now ... future");
	uplink_up();
	assert_true(peer_until(&world, &supervisor.registrations, 2));
	assert_int_equal(told.state, SN_UPLINK_REFUSED);
	supervisor.refuses = NULL;
	assert_true(until_polled(1));
	assert_int_equal(told.state, SN_UPLINK_REGISTERED);
}

static void a_status_that_refuses_is_told(void **state)
{
	setup_silent(state);
	supervisor.register_status = 403;
	peer_offer(&world, "echo", "now ... future");
	uplink_up();
	assert_true(peer_until(&world, &told.calls, 1));
	assert_int_equal(told.state, SN_UPLINK_REFUSED);
	assert_non_null(strstr(told.text, "403"));
	supervisor.register_status = 0;
	assert_true(until_polled(1));
	assert_int_equal(told.state, SN_UPLINK_REGISTERED);
}

static void it_registers_again_when_it_is_unknown(void **state SN_UNUSED)
{
	supervisor.knows = false;
	assert_true(peer_until(&world, &supervisor.registrations, 2));
	assert_true(until_polled(2));
	assert_int_equal(supervisor.registrations, 2);
}

static void a_supervisor_that_always_forgets_is_not_stormed(void **state SN_UNUSED)
{
	unsigned before;

	supervisor.forgets = true;
	assert_true(peer_until(&world, &told.calls, 2));
	before = supervisor.registrations;
	peer_turns(&world, 200);
	/* Registered, forgotten, registered: */
	for (unsigned i = 0; i < 1000 && told.state != SN_UPLINK_REFUSED; i++)
		peer_turns(&world, 10);
	assert_int_equal(told.state, SN_UPLINK_REFUSED);
	assert_true(supervisor.registrations - before <= 8);
}

static void what_changes_is_registered_and_withdrawn(void **state SN_UNUSED)
{
	peer_offer(&world, "new", "now ... future");
	peer_withdraw(&world, "echo");
	sn_component_uplink_changed(uplink);
	assert_true(peer_until(&world, &supervisor.registrations, 3));
	assert_true(until_polled(1));
	assert_string_equal(supervisor.withdrawn, "cap-echo ");
	assert_int_equal(supervisor.registered->content_count, 1);
	assert_string_equal(supervisor.registered->contents[0]->token, "cap-new");
	sn_component_uplink_changed(uplink);
	assert_true(until_polled(2));
	assert_int_equal(supervisor.registrations, 3);
}

static void what_was_refused_is_never_withdrawn(void **state)
{
	setup_silent(state);
	supervisor.refuses = "secret";
	peer_offer(&world, "echo", "now ... future");
	peer_offer(&world, "secret", "now ... future");
	uplink_up();
	assert_true(until_polled(1));
	peer_withdraw(&world, "secret");
	sn_component_uplink_changed(uplink);
	assert_true(until_polled(2));
	assert_string_equal(supervisor.withdrawn, "");
	assert_int_equal(supervisor.registrations, 1);
}

static void with_nothing_to_offer_it_waits(void **state)
{
	setup_silent(state);
	uplink_up();
	peer_turns(&world, 60);
	assert_int_equal(supervisor.registrations + supervisor.polls, 0);
	assert_string_equal(told.text, "nothing is offered to this supervisor");
	peer_offer(&world, "echo", "now ... future");
	sn_component_uplink_changed(uplink);
	assert_true(until_polled(1));
	peer_withdraw(&world, "echo");
	sn_component_uplink_changed(uplink);
	assert_true(until_polled(2));
	assert_string_equal(supervisor.withdrawn, "cap-echo ");
	assert_int_equal(told.state, SN_UPLINK_CONNECTING);
}

/* Working ------------------------------------------------------------------------- */

static void a_receipt_comes_first_and_then_the_result(void **state SN_UNUSED)
{
	give_specification("t1", "now + 20s / 2s");
	assert_seen(0, SN_MP_RECEIPT, "t1");
	assert_string_equal(supervisor.seen[0]->label, "echo-3");
	assert_string_equal(sn_mp_value(supervisor.seen[0], "destination.ip4"), "203.0.113.9");
	assert_string_equal(world.identity, SUPERVISOR);
	peer_end_job(&world);
	assert_seen(1, SN_MP_RESULT, "t1");
	assert_string_equal(sn_mp_cell(supervisor.seen[1], 0, 0), "412");
}

static void a_result_that_is_there_at_once_goes_once(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	give_specification("t1", "now");
	assert_seen(0, SN_MP_RESULT, "t1");
	world.work = WORLD_DIE;
	give_specification("t2", "now");
	assert_seen(1, SN_MP_EXCEPTION, "t2");
	world.work = WORLD_FAIL;
	give_specification("t3", "now");
	assert_seen(2, SN_MP_EXCEPTION, "t3");
	assert_true(until_polled(2));
	assert_int_equal(supervisor.results, 3);
}

static void what_is_handed_out_twice_runs_once(void **state SN_UNUSED)
{
	give_specification("t1", "now");
	assert_seen(0, SN_MP_RECEIPT, "t1");
	give_specification("t1", "now");
	assert_seen(1, SN_MP_RECEIPT, "t1");
	peer_end_job(&world);
	assert_seen(2, SN_MP_RESULT, "t1");
	give_specification("t1", "now");
	assert_seen(3, SN_MP_RESULT, "t1");
	assert_int_equal(world.started, 1);
}

static void iterations_come_as_envelopes_with_the_token(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	give_specification("t1", "repeat now + 1s / 1s { now }");
	assert_seen(0, SN_MP_RECEIPT, "t1");
	assert_seen(1, SN_MP_ENVELOPE, "t1");
	assert_int_equal(supervisor.seen[1]->content_count, 1);
	assert_int_equal(supervisor.seen[1]->contents[0]->kind, SN_MP_RESULT);
	assert_string_not_equal(supervisor.seen[1]->contents[0]->token, "t1");
}

static void an_interrupt_is_acknowledged_and_brings_the_rest(void **state SN_UNUSED)
{
	world.stop_is_late = true;
	give_specification("t1", "now + 1h / 1s");
	assert_seen(0, SN_MP_RECEIPT, "t1");
	give("{\"interrupt\":\"measure\",\"version\":1,\"token\":\"t1\"}");
	assert_seen(1, SN_MP_RECEIPT, "t1");
	peer_end_job(&world);
	assert_seen(2, SN_MP_RESULT, "t1");
	give("{\"interrupt\":\"measure\",\"version\":1,\"token\":\"nobody's\"}");
	assert_seen(3, SN_MP_EXCEPTION, "nobody's");
}

static void jobs_of_others_are_no_business_of_the_supervisor(void **state SN_UNUSED)
{
	struct sn_mp_message *theirs = peer_specification(&world, "echo", "t1", "now");
	struct heard heard = {0};

	world.work = WORLD_INSTANT;
	peer_take(&world, ALICE, theirs, 0, &heard);
	sn_mp_message_destroy(theirs);
	heard_finish(&heard);
	give("{\"redemption\":\"measure\",\"version\":1,\"token\":\"t1\"}");
	assert_seen(0, SN_MP_EXCEPTION, "t1");
	assert_true(until_polled(1));
	assert_int_equal(supervisor.results, 1);
}

static void what_is_gone_is_told_and_withdrawn(void **state SN_UNUSED)
{
	peer_withdraw(&world, "echo");
	peer_offer(&world, "new", "now ... future");
	sn_mp_set_text(&((struct sn_mp_message *)(uintptr_t)world.caps[0])->verb, "query");
	give_specification("t1", "now");
	assert_seen(0, SN_MP_EXCEPTION, "t1");
	assert_non_null(strstr(supervisor.seen[0]->text, "not offered any more"));
	assert_true(until_polled(1));
	assert_string_equal(supervisor.withdrawn, "cap-echo ");
}

static void one_bad_message_does_not_silence_the_others(void **state SN_UNUSED)
{
	sn_autofree char *good = specification("good", "now", "");
	sn_autofree char *work = sn_xasprintf(
		"{\"specification\":\"measure\",\"token\":\"bad-1\",\"when\":\"tomorrow\"},7,"
		"{\"specification\":\"measure\",\"when\":\"nobody can be told\"},"
		"{\"exception\":\"bad-2\",\"token\":\"bad-2\",\"message\":[]},%s,"
		"{\"envelope\":\"message\",\"contents\":[{\"interrupt\":\"measure\","
		"\"token\":\"bad-3\",\"when\":\"x\"}]},"
		"{\"capability\":\"measure\",\"label\":\"x\",\"token\":\"odd\",\"version\":1,"
		"\"registry\":\"" SN_MP_REGISTRY_CORE "\",\"when\":\"now\"},"
		"{\"exception\":\"e\",\"message\":\"what?\"}",
		good);

	world.work = WORLD_INSTANT;
	give(work);
	assert_true(peer_until(&world, &supervisor.results, 4));
	assert_true(until_polled(2));
	assert_int_equal(supervisor.results, 4);
	assert_seen(0, SN_MP_RESULT, "good");
	assert_seen(1, SN_MP_EXCEPTION, "odd");
	assert_seen(2, SN_MP_EXCEPTION, "bad-1");
	assert_seen(3, SN_MP_EXCEPTION, "bad-3");
}

static void an_answer_that_is_no_json_is_survived(void **state SN_UNUSED)
{
	static const char *const bodies[] = {"{", "", "[]", "7", "{}", "[[[[[[[[[[]]]]]]]]]]"};

	for (size_t i = 0; i < SN_COUNT(bodies); i++) {
		supervisor.work = sn_xstrdup(bodies[i]);
		assert_true(until_polled(2));
	}
	assert_int_equal(supervisor.results, 0);
	assert_int_equal(supervisor.registrations, 1);
	give_specification("t1", "now");
	assert_seen(0, SN_MP_RECEIPT, "t1");
}

static void bare_messages_and_lists_are_work_too(void **state SN_UNUSED)
{
	sn_autofree char *one = specification("t1", "now", "");

	world.work = WORLD_INSTANT;
	supervisor.work = sn_xstrdup(one);
	assert_seen(0, SN_MP_RESULT, "t1");
	free(one);
	one = specification("t2", "now", "");
	supervisor.work = sn_xasprintf("[%s]", one);
	assert_seen(1, SN_MP_RESULT, "t2");
}

static void a_link_elsewhere_is_not_followed(void **state SN_UNUSED)
{
	sn_autofree char *work = specification("t1", "now", "http://127.0.0.1:9/register/result");

	world.work = WORLD_INSTANT;
	give(work);
	assert_seen(0, SN_MP_RESULT, "t1");
}

/* Callbacks ----------------------------------------------------------------------- */

static uint64_t gap_after(unsigned poll)
{
	assert_true(peer_until(&world, &supervisor.polls, poll + 2));
	return supervisor.polled_ns[poll + 1] - supervisor.polled_ns[poll];
}

static void a_callback_sets_the_next_poll_and_hides_nothing(void **state SN_UNUSED)
{
	sn_autofree char *good = specification("good", "now", ""), *work = NULL;
	char when[SN_MP_TIME_SIZE];
	unsigned poll;

	sn_mp_time_format(sn_wall_ns() + 600 * SN_NS_PER_MS, when);
	work = sn_xasprintf("{\"specification\":\"callback\",\"version\":1,\"label\":\"callback\","
			    "\"token\":\"cb\",\"registry\":\"" SN_MP_REGISTRY_CORE
			    "\",\"when\":\"%s\"},%s",
			    when, good);

	give(work);
	poll = supervisor.polls;
	assert_true(until_polled(1));
	assert_true(gap_after(poll) >= 300 * (uint64_t)SN_NS_PER_MS);
	assert_seen(0, SN_MP_RECEIPT, "good");
	assert_int_equal(supervisor.results, 1);
	assert_true(gap_after(poll + 1) < 300 * (uint64_t)SN_NS_PER_MS);
}

static void a_callback_without_end_is_no_callback(void **state SN_UNUSED)
{
	unsigned poll;

	give("{\"specification\":\"measure\",\"version\":1,\"label\":\"callback\",\"token\":\"cb\","
	     "\"registry\":\"" SN_MP_REGISTRY_CORE "\",\"when\":\"now ... future\"}");
	poll = supervisor.polls;
	assert_true(until_polled(1));
	assert_true(gap_after(poll) < 300 * (uint64_t)SN_NS_PER_MS);
	assert_int_equal(supervisor.results, 0);
}

static void callbacks_in_the_past_do_not_make_it_race(void **state SN_UNUSED)
{
	unsigned poll;

	give("{\"specification\":\"callback\",\"version\":1,\"label\":\"callback\",\"token\":"
	     "\"cb\","
	     "\"registry\":\"" SN_MP_REGISTRY_CORE "\",\"when\":\"2020-01-01 00:00:00\"}");
	poll = supervisor.polls;
	assert_true(until_polled(1));
	assert_true(gap_after(poll) >= 90 * (uint64_t)SN_NS_PER_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_registers_everything_and_a_callback),
		SILENT_TEST(refusals_are_told_with_their_reason),
		SILENT_TEST(when_all_is_refused_it_says_so_and_tries_again),
		SILENT_TEST(a_status_that_refuses_is_told),
		TEST(it_registers_again_when_it_is_unknown),
		TEST(a_supervisor_that_always_forgets_is_not_stormed),
		TEST(what_changes_is_registered_and_withdrawn),
		SILENT_TEST(what_was_refused_is_never_withdrawn),
		SILENT_TEST(with_nothing_to_offer_it_waits),
		TEST(a_receipt_comes_first_and_then_the_result),
		TEST(a_result_that_is_there_at_once_goes_once),
		TEST(what_is_handed_out_twice_runs_once),
		TEST(iterations_come_as_envelopes_with_the_token),
		TEST(an_interrupt_is_acknowledged_and_brings_the_rest),
		TEST(jobs_of_others_are_no_business_of_the_supervisor),
		TEST(what_is_gone_is_told_and_withdrawn),
		TEST(one_bad_message_does_not_silence_the_others),
		TEST(an_answer_that_is_no_json_is_survived),
		TEST(bare_messages_and_lists_are_work_too),
		TEST(a_link_elsewhere_is_not_followed),
		TEST(a_callback_sets_the_next_poll_and_hides_nothing),
		TEST(a_callback_without_end_is_no_callback),
		TEST(callbacks_in_the_past_do_not_make_it_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
