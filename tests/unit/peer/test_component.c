/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_world.h"

#include <stdio.h>
#include <string.h>

#define T0_S 1900000000LL /* 2030-03-17 17:46:40 UTC */

static struct peer_world world;
static struct sn_clock_virtual vclock;
static struct heard heard, told;
static unsigned told_results;

static int setup(void **state SN_UNUSED)
{
	/* Not on a whole microsecond, as clocks are. */
	sn_clock_virtual_init(&vclock, 1000 * SN_NS_PER_S, T0_S * SN_NS_PER_S + 789);
	peer_init(&world, &vclock.clock);
	peer_offer(&world, "echo", "now ... future");
	told_results = 0;
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	peer_finish(&world);
	heard_finish(&heard);
	heard_finish(&told);
	return 0;
}

static void advance(double seconds)
{
	sn_loop_advance(world.loop, (uint64_t)(seconds * 1e9));
}

/* Sends and forgets what was heard before. */
static void send_as(const char *identity, struct sn_mp_message *message, double wait_s)
{
	heard_finish(&heard);
	peer_take(&world, identity, message, (uint64_t)(wait_s * 1e9), &heard);
	sn_mp_message_destroy(message);
}

static void ask(const char *token, const char *when, double wait_s)
{
	send_as(ALICE, peer_specification(&world, "echo", token, when), wait_s);
}

static void redeem(const char *identity, const char *token)
{
	send_as(identity, peer_token_only(SN_MP_REDEMPTION, token), 0);
}

static void interrupt(const char *identity, const char *token)
{
	send_as(identity, peer_token_only(SN_MP_INTERRUPT, token), 0);
}

static void listen_result(const char *identity, const struct sn_mp_message *result,
			  const struct sn_mp_message *specification, void *ctx SN_UNUSED)
{
	assert_string_equal(identity, ALICE);
	assert_non_null(specification->token);
	told_results++;
	heard_reply(result, &told);
}

static void listen_all(void)
{
	sn_component_on_result(world.component, listen_result, &told);
}

/* Quick and slow results ---------------------------------------------------------- */

static void a_result_that_is_there_at_once_is_the_answer(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	ask("t1", "now", 5);
	assert_kind(&heard, SN_MP_RESULT);
	assert_string_equal(heard.message->token, "t1");
	assert_string_equal(heard.message->label, "echo-7");
	assert_string_equal(sn_mp_cell(heard.message, 0, 0), "412");
	assert_string_equal(world.identity, ALICE);
	assert_string_equal(world.destination, "203.0.113.9");
}

static void a_slow_result_is_answered_with_a_full_receipt(void **state SN_UNUSED)
{
	ask("t1", "now + 30s / 1s", 5);
	assert_int_equal(heard.calls, 0);
	advance(4.9);
	assert_int_equal(heard.calls, 0);
	advance(0.2);
	assert_kind(&heard, SN_MP_RECEIPT);
	assert_string_equal(heard.message->token, "t1");
	assert_string_equal(heard.message->label, "echo-7");
	assert_string_equal(heard.message->registry, SN_MP_REGISTRY_CORE);
	assert_string_equal(sn_mp_value(heard.message, "destination.ip4"), "203.0.113.9");
	assert_int_equal(heard.message->column_count, 1);
	assert_true(heard.message->when.set);
	assert_int_equal(heard.message->when.span.start, SN_MP_NOW);
}

static void a_result_within_patience_spares_the_receipt(void **state SN_UNUSED)
{
	ask("t1", "now", 5);
	advance(2);
	peer_end_job(&world);
	assert_kind(&heard, SN_MP_RESULT);
	advance(60);
	assert_int_equal(heard.calls, 1);
}

static void who_has_gone_is_not_answered(void **state SN_UNUSED)
{
	ask("t1", "now", 5);
	sn_component_forget(world.component, &heard);
	peer_end_job(&world);
	advance(10);
	assert_int_equal(heard.calls, 0);
	redeem(ALICE, "t1");
	assert_kind(&heard, SN_MP_RESULT);
}

static void a_job_that_says_nothing_gives_a_result_without_rows(void **state SN_UNUSED)
{
	world.work = WORLD_SILENT;
	ask("t1", "now", 5);
	assert_kind(&heard, SN_MP_RESULT);
	assert_int_equal(heard.message->row_count, 0);
	assert_int_equal(sn_mp_message_check(heard.message, NULL), 0);
}

static void failures_become_exceptions_with_the_token(void **state SN_UNUSED)
{
	world.work = WORLD_DIE;
	ask("t1", "now", 5);
	assert_exception(&heard, "it fell over");
	assert_string_equal(heard.message->token, "t1");
	world.work = WORLD_FAIL;
	ask("t2", "now", 5);
	assert_exception(&heard, "the antenna is off");
	assert_string_equal(heard.message->token, "t2");
	redeem(ALICE, "t2");
	assert_exception(&heard, "unknown job");
}

static void what_could_not_begin_may_be_asked_again(void **state SN_UNUSED)
{
	world.work = WORLD_FAIL;
	ask("t1", "now", 5);
	world.work = WORLD_INSTANT;
	ask("t1", "now", 5);
	assert_kind(&heard, SN_MP_RESULT);
}

/* Tokens -------------------------------------------------------------------------- */

static void a_token_seen_twice_runs_once(void **state SN_UNUSED)
{
	ask("t1", "now", 0);
	assert_kind(&heard, SN_MP_RECEIPT);
	ask("t1", "now", 5);
	assert_kind(&heard, SN_MP_RECEIPT);
	peer_end_job(&world);
	ask("t1", "now", 5);
	assert_kind(&heard, SN_MP_RESULT);
	assert_int_equal(world.started, 1);
}

static void equal_tokens_of_two_identities_are_two_jobs(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	ask("t1", "now", 5);
	send_as(BOB, peer_specification(&world, "echo", "t1", "now"), 5);
	assert_kind(&heard, SN_MP_RESULT);
	assert_int_equal(world.started, 2);
	assert_string_equal(world.identity, BOB);
}

static void a_foreign_token_is_as_unknown_as_none(void **state SN_UNUSED)
{
	char foreign[256], none[256];

	ask("t1", "now + 1h", 0);
	redeem(BOB, "t1");
	assert_exception(&heard, "unknown job");
	snprintf(foreign, sizeof(foreign), "%s", heard.message->text);
	interrupt(BOB, "t1");
	assert_exception(&heard, "unknown job");
	redeem(BOB, "nothing");
	snprintf(none, sizeof(none), "%s", heard.message->text);
	assert_string_equal(foreign, none);
	assert_int_equal(world.stopped, 0);
}

static void identity_and_token_do_not_run_into_each_other(void **state SN_UNUSED)
{
	send_as("ab", peer_specification(&world, "echo", "c", "now"), 0);
	assert_kind(&heard, SN_MP_RECEIPT);
	redeem("a", "bc");
	assert_exception(&heard, "unknown job");
}

static void a_specification_without_token_gets_one(void **state SN_UNUSED)
{
	char token[64];

	ask(NULL, "now + 1m", 0);
	assert_kind(&heard, SN_MP_RECEIPT);
	assert_non_null(heard.message->token);
	snprintf(token, sizeof(token), "%s", heard.message->token);
	peer_end_job(&world);
	redeem(ALICE, token);
	assert_kind(&heard, SN_MP_RESULT);
}

static void a_redemption_may_come_in_full_and_again(void **state SN_UNUSED)
{
	struct sn_mp_message *specification = peer_specification(&world, "echo", "t1", "now");
	struct sn_mp_message *redemption = sn_mp_message_as(specification, SN_MP_REDEMPTION);

	world.work = WORLD_INSTANT;
	send_as(ALICE, specification, 5);
	send_as(ALICE, redemption, 5);
	assert_kind(&heard, SN_MP_RESULT);
	redeem(ALICE, "t1");
	assert_kind(&heard, SN_MP_RESULT);
}

static void results_are_kept_for_an_hour(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	ask("t1", "now", 5);
	advance(3599);
	redeem(ALICE, "t1");
	assert_kind(&heard, SN_MP_RESULT);
	advance(2);
	redeem(ALICE, "t1");
	assert_exception(&heard, "unknown job");
}

/* What is taken ------------------------------------------------------------------- */

static void who_may_not_is_told_why(void **state SN_UNUSED)
{
	world.denied_to = ALICE;
	ask("t1", "now", 5);
	assert_exception(&heard, "may not use 'echo'");
	assert_int_equal(world.started, 0);
	world.hidden_from = BOB;
	send_as(BOB, peer_specification(&world, "echo", "t1", "now"), 5);
	assert_kind(&heard, SN_MP_EXCEPTION);
	assert_int_equal(world.started, 0);
}

static void other_kinds_are_unexpected(void **state SN_UNUSED)
{
	struct sn_mp_message *capability = peer_capability(&world, "echo", "now");

	send_as(ALICE, capability, 5);
	assert_exception(&heard, "unexpected message");
	assert_string_equal(heard.message->token, "cap-echo");
	send_as(ALICE, sn_mp_exception("x", "away with you"), 5);
	assert_exception(&heard, "unexpected message");
	send_as(ALICE, peer_token_only(SN_MP_REDEMPTION, NULL), 5);
	assert_exception(&heard, "no token");
}

static void a_capability_that_is_gone_is_withdrawn(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	ask("t1", "now", 5);
	peer_withdraw(&world, "echo");
	ask("t2", "now", 5);
	assert_kind(&heard, SN_MP_WITHDRAWAL);
	assert_string_equal(heard.message->token, "cap-echo");
	assert_string_equal(heard.message->label, "echo");
	/* To one who never saw it, it never was. */
	send_as(BOB, peer_specification(&world, "echo", "t3", "now"), 5);
	assert_kind(&heard, SN_MP_EXCEPTION);
	peer_offer(&world, "echo", "now ... future");
	ask("t2", "now", 5);
	assert_kind(&heard, SN_MP_RESULT);
}

static void the_job_table_has_a_limit_and_makes_room(void **state SN_UNUSED)
{
	char token[32];

	world.work = WORLD_SILENT;
	ask("redeemed", "now", 5);
	assert_kind(&heard, SN_MP_RESULT);
	for (unsigned i = 1; i < SN_COMPONENT_JOBS_MAX; i++) {
		snprintf(token, sizeof(token), "far-%u", i);
		ask(token, "2031-01-01 00:00:00", 0);
		assert_kind(&heard, SN_MP_RECEIPT);
	}
	/* The one whose result was handed out goes for it. */
	ask("last", "2031-01-01 00:00:00", 0);
	assert_kind(&heard, SN_MP_RECEIPT);
	redeem(ALICE, "redeemed");
	assert_exception(&heard, "unknown job");
	ask("too-many", "now", 5);
	assert_exception(&heard, "1000 measurements");
}

static void an_envelope_is_answered_when_all_of_it_is(void **state SN_UNUSED)
{
	struct sn_mp_message *envelope = sn_mp_message_create(SN_MP_ENVELOPE, "message");

	sn_mp_add_content(envelope, peer_token_only(SN_MP_REDEMPTION, "nothing"));
	sn_mp_add_content(envelope, peer_specification(&world, "echo", "t1", "now"));
	sn_mp_add_content(envelope, peer_token_only(SN_MP_INTERRUPT, "nothing"));
	send_as(ALICE, envelope, 5);
	assert_int_equal(heard.calls, 0);
	advance(1);
	peer_end_job(&world);
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 3);
	assert_int_equal(heard.message->contents[0]->kind, SN_MP_EXCEPTION);
	assert_int_equal(heard.message->contents[1]->kind, SN_MP_RESULT);
	assert_string_equal(heard.message->contents[1]->token, "t1");
}

static void an_envelope_whose_sender_has_gone_is_forgotten(void **state SN_UNUSED)
{
	struct sn_mp_message *outer = sn_mp_message_create(SN_MP_ENVELOPE, "message");
	struct sn_mp_message *inner = sn_mp_message_create(SN_MP_ENVELOPE, "message");

	sn_mp_add_content(inner, peer_specification(&world, "echo", "t1", "now"));
	sn_mp_add_content(outer, inner);
	send_as(ALICE, outer, 5);
	sn_component_forget(world.component, &heard);
	peer_end_job(&world);
	advance(10);
	assert_int_equal(heard.calls, 0);
}

/* Scopes -------------------------------------------------------------------------- */

static void a_start_to_come_is_waited_for(void **state SN_UNUSED)
{
	ask("t1", "2030-03-17 18:46:40 + 10s / 1s", 5);
	advance(6);
	assert_kind(&heard, SN_MP_RECEIPT);
	advance(3593);
	assert_int_equal(world.started, 0);
	advance(1.1);
	assert_int_equal(world.started, 1);
	assert_string_equal(world.when,
			    "2030-03-17 18:46:40.000000 ... 2030-03-17 18:46:50.000000 / 1s");
}

static void a_clock_that_is_set_moves_the_start(void **state SN_UNUSED)
{
	ask("t1", "2030-03-17 18:46:40", 0);
	vclock.wall_ns += 3600 * SN_NS_PER_S;
	advance(61);
	assert_int_equal(world.started, 1);
}

static void a_clock_that_goes_back_delays_the_start(void **state SN_UNUSED)
{
	ask("t1", "2030-03-17 17:47:00", 0);
	vclock.wall_ns -= 600 * SN_NS_PER_S;
	advance(300);
	assert_int_equal(world.started, 0);
	advance(330);
	assert_int_equal(world.started, 1);
}

static void a_scope_that_is_over_is_refused(void **state SN_UNUSED)
{
	ask("t1", "2030-03-17 17:00:00 + 10s", 5);
	assert_kind(&heard, SN_MP_EXCEPTION);
	assert_int_equal(world.started, 0);
	ask("t2", "repeat 2030-03-17 16:00:00 ... 2030-03-17 17:00:00 / 1m { now }", 5);
	assert_kind(&heard, SN_MP_EXCEPTION);
}

static void a_specification_without_when_is_refused(void **state SN_UNUSED)
{
	struct sn_mp_message *message = peer_specification(&world, "echo", "t1", "now");

	message->when.set = false;
	send_as(ALICE, message, 5);
	assert_exception(&heard, "when");
}

static void a_job_that_overruns_its_scope_is_stopped(void **state SN_UNUSED)
{
	ask("t1", "now + 30s / 1s", 0);
	advance(34.9);
	assert_int_equal(world.stopped, 0);
	advance(0.2);
	assert_int_equal(world.stopped, 1);
	redeem(ALICE, "t1");
	assert_kind(&heard, SN_MP_RESULT);
}

static void a_singleton_takes_its_time(void **state SN_UNUSED)
{
	ask("t1", "now", 0);
	advance(7200);
	assert_int_equal(world.stopped, 0);
}

static void a_query_runs_at_once_with_its_window(void **state SN_UNUSED)
{
	struct sn_mp_message *message;

	sn_mp_set_text(&((struct sn_mp_message *)(uintptr_t)world.caps[0])->verb, "query");
	message = peer_specification(&world, "echo", "t1",
				     "2030-03-17 10:00:00 ... 2030-03-17 11:00:00");
	sn_mp_set_text(&message->verb, "query");
	peer_withdraw(&world, "echo");
	peer_offer(&world, "echo", "past ... future");
	sn_mp_set_text(&((struct sn_mp_message *)(uintptr_t)world.caps[0])->verb, "query");
	world.work = WORLD_INSTANT;
	send_as(ALICE, message, 5);
	assert_kind(&heard, SN_MP_RESULT);
	assert_string_equal(world.when,
			    "2030-03-17 10:00:00.000000 ... 2030-03-17 11:00:00.000000");
}

static void what_never_ends_shows_its_results_so_far(void **state SN_UNUSED)
{
	listen_all();
	ask("t1", "now ... future", 0);
	assert_kind(&heard, SN_MP_RECEIPT);
	peer_give_result(&world, "1");
	peer_give_result(&world, "2");
	assert_int_equal(told_results, 2);
	redeem(ALICE, "t1");
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 2);
	assert_string_equal(heard.message->token, "t1");
	interrupt(ALICE, "t1");
	assert_int_equal(heard.message->content_count, 3);
}

/* Interrupts ---------------------------------------------------------------------- */

static void an_interrupt_brings_what_there_is(void **state SN_UNUSED)
{
	listen_all();
	ask("t1", "now + 1h / 1s", 0);
	advance(10);
	interrupt(ALICE, "t1");
	assert_kind(&heard, SN_MP_RESULT);
	assert_int_equal(world.stopped, 1);
	assert_int_equal(told_results, 1);
	advance(7200);
	assert_int_equal(world.started, 1);
}

static void a_job_that_ends_slowly_is_answered_with_the_receipt(void **state SN_UNUSED)
{
	world.stop_is_late = true;
	ask("t1", "now + 1h / 1s", 0);
	interrupt(ALICE, "t1");
	assert_kind(&heard, SN_MP_RECEIPT);
	interrupt(ALICE, "t1");
	assert_kind(&heard, SN_MP_RECEIPT);
	assert_int_equal(world.stopped, 1);
	peer_end_job(&world);
	redeem(ALICE, "t1");
	assert_kind(&heard, SN_MP_RESULT);
}

static void an_interrupt_before_the_start_prevents_it(void **state SN_UNUSED)
{
	listen_all();
	ask("t1", "2030-03-17 18:46:40 + 10s", 0);
	interrupt(ALICE, "t1");
	assert_kind(&heard, SN_MP_RESULT);
	assert_int_equal(heard.message->row_count, 0);
	assert_int_equal(told_results, 1);
	advance(3700);
	assert_int_equal(world.started, 0);
}

/* Repetition ---------------------------------------------------------------------- */

static void a_repeated_specification_gives_an_envelope(void **state SN_UNUSED)
{
	listen_all();
	world.work = WORLD_INSTANT;
	ask("t1", "repeat now + 1h / 10m { now + 5s / 1s }", 5);
	assert_kind(&heard, SN_MP_RECEIPT);
	advance(1);
	assert_int_equal(world.started, 1);
	assert_string_equal(world.when,
			    "2030-03-17 17:46:40.000000 ... 2030-03-17 17:46:45.000000 / 1s");
	assert_string_not_equal(world.token, "t1");
	/* As it goes to the supervisor: one iteration with the token it knows. */
	assert_int_equal(told.message->kind, SN_MP_ENVELOPE);
	assert_string_equal(told.message->token, "t1");
	assert_string_equal(told.message->label, "echo-7");
	assert_int_equal(told.message->content_count, 1);
	assert_string_equal(told.message->contents[0]->token, world.token);
	advance(20 * 60);
	redeem(ALICE, "t1");
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 3);
	assert_string_equal(heard.message->token, "t1");
	assert_true(heard.message->when.set && !heard.message->when.repeated);
	advance(3600);
	assert_int_equal(world.started, 7); /* the outer end is included */
	assert_int_equal(told_results, 7);
	redeem(ALICE, "t1");
	assert_int_equal(heard.message->content_count, 7);
}

static void iterations_that_fail_stand_in_the_envelope(void **state SN_UNUSED)
{
	world.work = WORLD_FAIL;
	ask("t1", "repeat now + 10s / 5s { now }", 0);
	advance(1);
	world.work = WORLD_DIE;
	advance(5);
	world.work = WORLD_INSTANT;
	advance(5);
	redeem(ALICE, "t1");
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 3);
	assert_string_equal(heard.message->contents[0]->text, "the antenna is off");
	assert_string_equal(heard.message->contents[1]->text, "it fell over");
	assert_int_equal(heard.message->contents[2]->kind, SN_MP_RESULT);
}

static void a_slow_iteration_lets_the_ones_it_covers_out(void **state SN_UNUSED)
{
	ask("t1", "repeat now + 1m / 10s { now }", 0);
	advance(1);
	assert_int_equal(world.started, 1);
	advance(33);
	assert_int_equal(world.started, 1);
	peer_end_job(&world);
	advance(0.1);
	assert_int_equal(world.started, 2); /* that of 30 s, late; those of 10 and 20 are lost */
	assert_string_equal(world.when, "2030-03-17 17:47:10.000000");
	peer_end_job(&world);
	advance(6);
	assert_int_equal(world.started, 3);
}

static void interrupting_a_repetition_ends_it(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	ask("t1", "repeat now ... future / 10s { now }", 0);
	advance(15);
	interrupt(ALICE, "t1");
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 2);
	advance(60);
	assert_int_equal(world.started, 2);
	world.work = WORLD_HOLD;
	ask("t2", "repeat now ... future / 10s { now }", 0);
	advance(1);
	interrupt(ALICE, "t2");
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 1);
	advance(60);
	assert_int_equal(world.started, 3);
}

static void of_many_results_the_oldest_go(void **state SN_UNUSED)
{
	world.work = WORLD_DIE;
	ask("t1", "repeat now ... future / 1s { now }", 0);
	advance(2);
	world.work = WORLD_INSTANT;
	advance(SN_COMPONENT_RESULTS_MAX + 10);
	redeem(ALICE, "t1");
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, SN_COMPONENT_RESULTS_MAX);
	assert_int_equal(heard.message->contents[0]->kind, SN_MP_RESULT);
}

static void a_long_sleep_is_not_made_up_for(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	ask("t1", "repeat now ... future / 1s { now }", 0);
	advance(3.5);
	assert_int_equal(world.started, 4);
	vclock.wall_ns += 30 * 86400 * SN_NS_PER_S;
	advance(2);
	assert_true(world.started <= 8);
}

/* Ends ---------------------------------------------------------------------------- */

static void destroying_stops_what_runs(void **state SN_UNUSED)
{
	ask("t1", "now", 5);
	sn_component_destroy(world.component);
	world.component = NULL;
	assert_int_equal(world.stopped, 1);
	assert_int_equal(heard.calls, 0);
}

static void destroying_does_not_wait_for_a_slow_host(void **state SN_UNUSED)
{
	world.stop_is_late = true;
	ask("t1", "repeat now ... future / 1s { now + 1s }", 0);
	advance(1);
	sn_component_destroy(world.component);
	world.component = NULL;
	assert_int_equal(world.stopped, 1);
}

static void a_listener_can_leave(void **state SN_UNUSED)
{
	listen_all();
	sn_component_on_result(world.component, NULL, &told);
	world.work = WORLD_INSTANT;
	ask("t1", "now", 5);
	assert_int_equal(told_results, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_result_that_is_there_at_once_is_the_answer),
		TEST(a_slow_result_is_answered_with_a_full_receipt),
		TEST(a_result_within_patience_spares_the_receipt),
		TEST(who_has_gone_is_not_answered),
		TEST(a_job_that_says_nothing_gives_a_result_without_rows),
		TEST(failures_become_exceptions_with_the_token),
		TEST(what_could_not_begin_may_be_asked_again),
		TEST(a_token_seen_twice_runs_once),
		TEST(equal_tokens_of_two_identities_are_two_jobs),
		TEST(a_foreign_token_is_as_unknown_as_none),
		TEST(identity_and_token_do_not_run_into_each_other),
		TEST(a_specification_without_token_gets_one),
		TEST(a_redemption_may_come_in_full_and_again),
		TEST(results_are_kept_for_an_hour),
		TEST(who_may_not_is_told_why),
		TEST(other_kinds_are_unexpected),
		TEST(a_capability_that_is_gone_is_withdrawn),
		TEST(the_job_table_has_a_limit_and_makes_room),
		TEST(an_envelope_is_answered_when_all_of_it_is),
		TEST(an_envelope_whose_sender_has_gone_is_forgotten),
		TEST(a_start_to_come_is_waited_for),
		TEST(a_clock_that_is_set_moves_the_start),
		TEST(a_clock_that_goes_back_delays_the_start),
		TEST(a_scope_that_is_over_is_refused),
		TEST(a_specification_without_when_is_refused),
		TEST(a_job_that_overruns_its_scope_is_stopped),
		TEST(a_singleton_takes_its_time),
		TEST(a_query_runs_at_once_with_its_window),
		TEST(what_never_ends_shows_its_results_so_far),
		TEST(an_interrupt_brings_what_there_is),
		TEST(a_job_that_ends_slowly_is_answered_with_the_receipt),
		TEST(an_interrupt_before_the_start_prevents_it),
		TEST(a_repeated_specification_gives_an_envelope),
		TEST(iterations_that_fail_stand_in_the_envelope),
		TEST(a_slow_iteration_lets_the_ones_it_covers_out),
		TEST(interrupting_a_repetition_ends_it),
		TEST(of_many_results_the_oldest_go),
		TEST(a_long_sleep_is_not_made_up_for),
		TEST(destroying_stops_what_runs),
		TEST(destroying_does_not_wait_for_a_slow_host),
		TEST(a_listener_can_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
