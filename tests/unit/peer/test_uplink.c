/* SPDX-License-Identifier: Apache-2.0 */
/* The uplink against a supervisor that says what the test wants. */
#include "peer_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/http_server.h"
#include "peer/component_uplink.h"
#include "peer/peer.h"

#define SUPERVISOR "org.example.Supervisors.one"
#define SEEN_MAX   4096
#define POLL_NS    (20 * SN_NS_PER_MS)

static struct peer_world world;
static struct sn_component_uplink *uplink;
static char url[64];

static struct supervisor {
	struct sn_http_server *http;
	struct sn_addr addr;
	/* What it shall answer. */
	unsigned register_status, poll_status, result_status; /* 0: as it should */
	unsigned result_failures;                             /* so often, then well */
	const char *refuses;                                  /* this label */
	bool forgets;                                         /* whoever polls is unknown */
	char *work;                                           /* for the next poll; NULL: none */
	/* What it has seen. */
	bool knows;
	unsigned registrations, polls, results;
	uint64_t polled_ns[64];
	struct sn_mp_message *registered; /* the last envelope with capabilities */
	char withdrawn[512];              /* tokens, each with a blank behind */
	struct sn_mp_message *seen[SEEN_MAX];
	char forged[64];
} supervisor;

static struct told {
	unsigned calls;
	enum sn_uplink_state state;
	char text[SN_ERR_TEXT_MAX];
	unsigned done;
} told;

/* The supervisor ------------------------------------------------------------------ */

static struct sn_mp_message *read_body(struct sn_http_request *request)
{
	struct sn_str body = sn_http_body(request);
	struct sn_err err = {0};
	struct sn_mp_message *message =
		sn_mp_decode(world.registries, body.p, body.n, SN_MP_READ_STRICT, NULL, &err);
	const char *forged = sn_http_header(request, SN_PEER_IDENTITY_HEADER);

	if (message == NULL)
		fail_msg("%s: %.*s", err.text, (int)body.n, body.p);
	assert_string_equal(sn_http_header(request, "Content-Type"), SN_MP_MEDIA_TYPE);
	snprintf(supervisor.forged, sizeof(supervisor.forged), "%s", forged != NULL ? forged : "");
	return message;
}

static void note_withdrawal(const struct sn_mp_message *message)
{
	size_t used = strlen(supervisor.withdrawn);

	snprintf(supervisor.withdrawn + used, sizeof(supervisor.withdrawn) - used, "%s ",
		 message->token);
}

static void on_register(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_mp_message *message = read_body(request);
	struct sn_buf answer = {0};
	bool offers = false;

	supervisor.registrations++;
	if (supervisor.register_status != 0) {
		sn_mp_message_destroy(message);
		sn_http_reply(request, supervisor.register_status, "text/plain", "no", 2);
		return;
	}
	assert_int_equal(message->kind, SN_MP_ENVELOPE);
	sn_buf_addc(&answer, '{');
	for (size_t i = 0; i < message->content_count; i++) {
		const struct sn_mp_message *content = message->contents[i];
		bool good = content->kind == SN_MP_CAPABILITY &&
			    (supervisor.refuses == NULL ||
			     strcmp(content->label, supervisor.refuses) != 0);

		assert_int_equal(sn_mp_message_check(content, NULL), 0);
		offers |= content->kind == SN_MP_CAPABILITY;
		if (content->kind == SN_MP_WITHDRAWAL)
			note_withdrawal(content);
		sn_buf_addf(&answer, "%s\"%s\":{\"registered\":\"%s\",\"reason\":\"not here\"}",
			    i > 0 ? "," : "", content->label, good ? "ok" : "no");
	}
	sn_buf_addc(&answer, '}');
	sn_http_reply(request, 200, SN_MP_MEDIA_TYPE, answer.p, answer.n);
	sn_buf_finish(&answer);
	if (!offers) {
		sn_mp_message_destroy(message);
		return;
	}
	supervisor.knows = true;
	sn_mp_message_destroy(supervisor.registered);
	supervisor.registered = message;
}

static void on_poll(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	static const char nothing[] = "{\"contents\":[],\"envelope\":\"message\",\"version\":1}";
	sn_autofree char *work = supervisor.work;
	const char *text = work != NULL ? work : nothing;

	if (supervisor.polls < SN_COUNT(supervisor.polled_ns))
		supervisor.polled_ns[supervisor.polls] = sn_mono_ns();
	supervisor.polls++;
	if (supervisor.poll_status != 0) {
		sn_http_reply(request, supervisor.poll_status, "text/plain", "no", 2);
		return;
	}
	if (!supervisor.knows || supervisor.forgets) {
		supervisor.knows = false;
		sn_http_reply(request, 428, "text/plain", "not registered", 14);
		return;
	}
	supervisor.work = NULL;
	sn_http_reply(request, 200, SN_MP_MEDIA_TYPE, text, strlen(text));
}

static void on_result(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_mp_message *message = read_body(request);
	unsigned status = supervisor.result_status;

	if (supervisor.result_failures > 0 && --supervisor.result_failures == 0)
		supervisor.result_status = 0;
	if (status != 0) {
		sn_mp_message_destroy(message);
		sn_http_reply(request, status, "text/plain", "no", 2);
		return;
	}
	assert_true(supervisor.results < SEEN_MAX);
	supervisor.seen[supervisor.results++] = message;
	sn_http_reply(request, 200, "text/html", "", 0);
}

static const struct sn_http_route routes[] = {
	{"POST", "/register/capability", on_register, SN_MP_BYTES_MAX, 0, NULL},
	{"GET", "/show/specification", on_poll, 0, 0, NULL},
	{"POST", "/register/result", on_result, SN_MP_BYTES_MAX, 0, NULL},
};

static void supervisor_up(void)
{
	static const struct sn_http_config config = {.routes = routes,
						     .route_count = SN_COUNT(routes)};
	struct sn_err err = {0};

	supervisor.http = sn_http_server_create(world.loop, &config);
	if (sn_http_server_listen(supervisor.http, &supervisor.addr, -1, NULL, &supervisor.addr,
				  &err) != 0)
		fail_msg("%s", err.text);
}

static void supervisor_down(void)
{
	sn_http_server_destroy(supervisor.http);
	supervisor.http = NULL;
}

/* Work for the next poll: contents of an envelope. */
static void give(const char *contents)
{
	assert_null(supervisor.work);
	supervisor.work = sn_xasprintf("{\"envelope\":\"message\",\"version\":1,\"contents\":[%s]}",
				       contents);
}

static char *specification(const char *token, const char *when, const char *link)
{
	return sn_xasprintf("{\"specification\":\"measure\",\"version\":1,\"label\":\"echo-3\","
			    "\"token\":\"%s\","
			    "\"registry\":\"" SN_MP_REGISTRY_CORE
			    "\",\"when\":\"%s\",\"link\":\"%s\","
			    "\"parameters\":{\"destination.ip4\":\"203.0.113.9\"},"
			    "\"results\":[\"" WORLD_RESULT "\"]}",
			    token, when, link);
}

static void give_specification(const char *token, const char *when)
{
	sn_autofree char *text = specification(token, when, "");

	give(text);
}

/* Nothing may get here that nobody expects. */
static void assert_seen(unsigned index, enum sn_mp_kind kind, const char *token)
{
	if (!peer_until(&world, &supervisor.results, index + 1))
		fail_msg("message %u did not come", index);
	if (supervisor.seen[index]->kind != kind)
		fail_msg("%s instead of %s: %s", sn_mp_kind_name(supervisor.seen[index]->kind),
			 sn_mp_kind_name(kind),
			 supervisor.seen[index]->text != NULL ? supervisor.seen[index]->text : "");
	assert_string_equal(supervisor.seen[index]->token, token);
}

static bool until_polled(unsigned more)
{
	return peer_until(&world, &supervisor.polls, supervisor.polls + more);
}

/* Life ---------------------------------------------------------------------------- */

static void on_state(enum sn_uplink_state state, const char *text, void *ctx SN_UNUSED)
{
	told.calls++;
	told.state = state;
	snprintf(told.text, sizeof(told.text), "%s", text);
}

static void on_done(void *ctx SN_UNUSED)
{
	told.done++;
}

static void uplink_up(void)
{
	struct sn_component_uplink_config config = {
		.loop = world.loop,
		.component = world.component,
		.registries = world.registries,
		.url = url,
		.identity = SUPERVISOR,
		.forged_identity = "org.example.Components.probe",
		.poll_ns = POLL_NS,
		.write_flags = SN_MP_WRITE_SAFE,
		.on_state = on_state,
	};

	uplink = sn_component_uplink_create(&config);
}

static int setup_silent(void **state SN_UNUSED)
{
	char text[SN_ADDR_TEXT_MAX];

	peer_init(&world, NULL);
	memset(&supervisor, 0, sizeof(supervisor));
	memset(&told, 0, sizeof(told));
	assert_int_equal(sn_addr_parse(SN_STR("127.0.0.1"), 0, &supervisor.addr), 0);
	supervisor_up();
	snprintf(url, sizeof(url), "http://%s/",
		 sn_addr_format_port(&supervisor.addr, text, sizeof(text)));
	return 0;
}

/* The usual beginning: registered and polling. */
static int setup(void **state)
{
	setup_silent(state);
	peer_offer(&world, "echo", "now ... future");
	uplink_up();
	assert_true(until_polled(1));
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	sn_component_uplink_destroy(uplink);
	sn_http_server_destroy(supervisor.http);
	for (unsigned i = 0; i < supervisor.results; i++)
		sn_mp_message_destroy(supervisor.seen[i]);
	sn_mp_message_destroy(supervisor.registered);
	free(supervisor.work);
	peer_finish(&world);
	uplink = NULL;
	return 0;
}

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

	sn_mp_time_format(sn_wall_ns() + 400 * SN_NS_PER_MS, when);
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

#define TEST(fn)        cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define SILENT_TEST(fn) cmocka_unit_test_teardown(fn, teardown)

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
