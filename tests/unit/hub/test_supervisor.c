/* SPDX-License-Identifier: Apache-2.0 */
/* What the scripts of tests/e2e/supervisor.py cannot see: leases, rows' events, limits. */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/sql.h"
#include "hub/supervisor/internal.h"

#define COMPONENT "org.mplane.Test.Components.c1"
#define OTHER     "org.mplane.Test.Components.c2"
#define CLIENT    "org.mplane.Test.Clients.u1"

static const char policy[] = "roles:\n"
			     "  all: [" COMPONENT ", " OTHER ", " CLIENT "]\n"
			     "  people: account:admin\n"
			     "rules:\n"
			     "  - allow: [register, deliver, discover, measure, read, stop]\n"
			     "    roles: all\n"
			     "    capabilities: \"*\"\n"
			     "  - allow: [discover, measure, read-all, stop-all]\n"
			     "    roles: people\n"
			     "    capabilities: \"*\"\n"
			     "never_probe: [198.51.100.0/24]\n"
			     "target_rate: none\n";

static struct world world;
static char policy_file[64];

static int start(void **state)
{
	sn_autofree char *setting = NULL;
	const char *settings[] = {
		NULL, "mplane_plain=true", "mplane_wait=10ms", "mplane_lease=1s", "mplane_grace=1s",
		NULL};

	(void)state;
	snprintf(policy_file, sizeof(policy_file), "/tmp/sonde-policy-test-XXXXXX");
	close(mkstemp(policy_file));
	assert_int_equal(sn_fs_write_atomic(policy_file, policy, strlen(policy), 0600, NULL), 0);
	setting = sn_xasprintf("policy=%s", policy_file);
	settings[0] = setting;
	world_start(&world, settings);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop(&world);
	unlink(policy_file);
	return 0;
}

static struct reply ask(const char *who, const char *method, const char *target, const char *body)
{
	sn_autofree char *headers =
		sn_xasprintf("Forged-MPlane-Identity: %s\r\n%s", who,
			     body != NULL ? "Content-Type: " SN_MP_MEDIA_TYPE "\r\n" : "");

	return plain(&world, AS_NOBODY, method, target, headers, body);
}

/* `where`: the destination, "*" for any. */
static void offer_to(const char *who, const char *label, const char *where)
{
	sn_autofree char *body = sn_xasprintf(
		"{\"capability\":\"measure\",\"version\":1,\"registry\":\"" SN_MP_REGISTRY_CORE
		"\",\"label\":\"%s\",\"token\":\"t-%s\",\"link\":\"\",\"when\":\"now ... future\","
		"\"parameters\":{\"destination.ip4\":\"%s\"},\"results\":[\"time\",\"rtt.us\"]}",
		label, label, where);
	struct reply reply = ask(who, "POST", "/register/capability", body);

	assert_int_equal(reply.status, 200);
	assert_string_equal(reply_header(&reply, "Content-Type"), SN_MP_MEDIA_TYPE);
	assert_string_equal(json_string_value(json_object_get(json_object_get(reply.json, label),
							      "registered")),
			    "ok");
	reply_release(&reply);
}

static void offer(const char *who, const char *label)
{
	offer_to(who, label, "*");
}

static void want(const char *label, const char *token, const char *when)
{
	sn_autofree char *body = sn_xasprintf(
		"{\"specification\":\"measure\",\"version\":1,\"registry\":\"" SN_MP_REGISTRY_CORE
		"\",\"label\":\"%s-0\",\"token\":\"%s\",\"when\":\"%s\","
		"\"parameters\":{\"destination.ip4\":\"203.0.113.9\"},"
		"\"results\":[\"time\",\"rtt.us\"]}",
		label, token, when);
	struct reply reply = ask(CLIENT, "POST", "/", body);

	assert_int_equal(reply.status, 200);
	if (json_object_get(reply.json, "receipt") == NULL)
		fail_msg("%s", reply.body);
	reply_release(&reply);
}

/* The token of the only specification that `who` is given. */
static const char *fetch(const char *who)
{
	static char token[64];
	struct reply reply = ask(who, "GET", "/show/specification", NULL);
	json_t *contents = json_object_get(reply.json, "contents");

	if (json_array_size(contents) != 1)
		fail_msg("%u: %s", reply.status, reply.body);
	snprintf(token, sizeof(token), "%s",
		 json_string_value(json_object_get(json_array_get(contents, 0), "token")));
	reply_release(&reply);
	return token;
}

static unsigned deliver(const char *who, const char *token, int rtt)
{
	sn_autofree char *body = sn_xasprintf(
		"{\"result\":\"measure\",\"version\":1,\"registry\":\"" SN_MP_REGISTRY_CORE
		"\",\"label\":\"x\",\"token\":\"%s\",\"when\":\"2031-05-06 23:59:59 ... 2031-05-07 "
		"00:00:01\",\"parameters\":{\"destination.ip4\":\"203.0.113.9\"},"
		"\"results\":[\"time\",\"rtt.us\"],\"resultvalues\":[[\"2031-05-06 23:59:59\","
		"\"%d\"],[\"2031-05-07 00:00:01\",\"%d\"]]}",
		token, rtt, rtt + 1);
	struct reply reply = ask(who, "POST", "/register/result", body);
	unsigned status = reply.status;

	reply_release(&reply);
	return status;
}

static const struct sn_measure *measure_of(const char *token)
{
	const struct sn_measure *measure =
		sn_measures_by_client(world.hub->measures, CLIENT, token);

	assert_non_null(measure);
	return measure;
}

static void result_over_midnight_is_stored_whole_and_once(void **state)
{
	char token[64];

	(void)state;
	offer(COMPONENT, "night");
	want("night", "n1", "now + 30s");
	snprintf(token, sizeof(token), "%s", fetch(COMPONENT));
	assert_int_equal(measure_of("n1")->state, SN_MEASURE_WAITING);
	for (int i = 0; i < 3; i++)
		assert_int_equal(deliver(COMPONENT, token, 5), 200);
	assert_int_equal(measure_of("n1")->state, SN_MEASURE_DONE);
	assert_int_equal(measure_of("n1")->parts[0]->results, 2);
	assert_int_equal(sn_ingest_stats(world.hub->ingest)->rows, 2);
	/* Another result of the same is new. */
	assert_int_equal(deliver(COMPONENT, token, 6), 200);
	assert_int_equal(measure_of("n1")->parts[0]->results, 4);
	assert_int_equal(deliver(OTHER, token, 6), 403);
	assert_int_equal(sn_ingest_stats(world.hub->ingest)->rows, 4);
}

static void rows_of_peers_are_events_of_one_topic(void **state)
{
	int stream = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=results", "");
	const char *text;

	(void)state;
	read_stream(&world, stream, "text/event-stream");
	offer(COMPONENT, "seen");
	want("seen", "s1", "now + 30s");
	assert_int_equal(deliver(COMPONENT, fetch(COMPONENT), 41), 200);
	text = read_stream(&world, stream, "\"rtt_us\":41");
	assert_non_null(strstr(text, "event: results"));
	assert_non_null(strstr(text, "\"dataset\":\"mp_seen_"));
	assert_non_null(strstr(text, "\"node\":\"peer:" COMPONENT "\""));
	close(stream);
}

static void lease_is_three_intervals_of_slow_pollers(void **state)
{
	struct sn_sup_peer *slow, *quick;

	(void)state;
	offer(COMPONENT, "slow");
	offer(OTHER, "quick");
	slow = sn_sup_peer_find(world.hub->supervisor, COMPONENT);
	quick = sn_sup_peer_find(world.hub->supervisor, OTHER);
	slow->interval_ns = 2 * SN_NS_PER_S;
	slow->seen_ns -= 4 * SN_NS_PER_S;
	quick->seen_ns -= 4 * SN_NS_PER_S;
	world_wait(&world, 1100 * SN_NS_PER_MS);
	assert_true(sn_offers_has_label(world.hub->offers, "slow"));
	assert_false(sn_offers_has_label(world.hub->offers, "quick"));
	/* Nothing is left of one that is gone and has nothing to do. */
	assert_null(sn_sup_peer_find(world.hub->supervisor, OTHER));
}

static void work_without_a_receipt_is_handed_out_again(void **state)
{
	struct sn_sup_peer *peer;
	char first[64];

	(void)state;
	offer(COMPONENT, "twice");
	want("twice", "w1", "now + 10m");
	snprintf(first, sizeof(first), "%s", fetch(COMPONENT));
	peer = sn_sup_peer_find(world.hub->supervisor, COMPONENT);
	sn_sup_job_find(peer, first)->handed_ns -= SN_HAND_OUT_AGAIN_NS;
	assert_string_equal(fetch(COMPONENT), first);
}

static void peer_that_comes_back_gets_what_it_may_have_forgotten(void **state)
{
	sn_autofree char *receipt = NULL;
	struct reply reply;
	char first[64];

	(void)state;
	offer(COMPONENT, "lost");
	want("lost", "l1", "now + 10m");
	snprintf(first, sizeof(first), "%s", fetch(COMPONENT));
	receipt = sn_xasprintf("{\"receipt\":\"measure\",\"token\":\"%s\"}", first);
	reply = ask(COMPONENT, "POST", "/register/result", receipt);
	assert_int_equal(reply.status, 200);
	reply_release(&reply);
	assert_int_equal(measure_of("l1")->state, SN_MEASURE_RUNNING);
	/* A refresh alone brings nothing. */
	offer(COMPONENT, "lost");
	reply = ask(COMPONENT, "GET", "/show/specification", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "contents")), 0);
	reply_release(&reply);
	sn_sup_peer_lost(sn_sup_peer_find(world.hub->supervisor, COMPONENT));
	offer(COMPONENT, "lost");
	assert_string_equal(fetch(COMPONENT), first);
}

static void late_part_fails_and_its_job_is_forgotten(void **state)
{
	struct sn_sup_peer *peer;

	(void)state;
	offer(COMPONENT, "late");
	want("late", "x1", "now");
	peer = sn_sup_peer_find(world.hub->supervisor, COMPONENT);
	assert_int_equal(peer->job_count, 1);
	peer->interval_ns = 60 * SN_NS_PER_S;
	/* Each next tick looks at deadlines. */
	test_until(measure_of("x1")->state != SN_MEASURE_WAITING,
		   (world.hub->supervisor->ticks = 4, world_wait(&world, 50 * SN_NS_PER_MS)));
	assert_int_equal(measure_of("x1")->state, SN_MEASURE_FAILED);
	assert_non_null(strstr(measure_of("x1")->parts[0]->error, "taken"));
	assert_int_equal(peer->job_count, 0);
}

/* Of whoever offers it, for ever; what it fixes is its own. */
static const struct sn_measure *want_fixed(const char *label)
{
	sn_autofree char *body =
		sn_xasprintf("{\"capability\":\"%s\",\"when\":\"now ... future\"}", label);
	struct reply reply = plain(&world, AS_LOCAL, "POST", "/api/v1/measurements", "", body);
	const char *id = json_string_value(json_object_get(reply.json, "id"));
	const struct sn_measure *measure;

	if (reply.status != 201)
		fail_msg("%s", reply.body);
	measure = sn_measures_find(world.hub->measures, id);
	reply_release(&reply);
	assert_non_null(measure);
	return measure;
}

static size_t given_to(const char *who)
{
	struct reply reply = ask(who, "GET", "/show/specification", NULL);
	size_t count = json_array_size(json_object_get(reply.json, "contents"));

	reply_release(&reply);
	return count;
}

static int64_t refusals_of(const struct sn_measure *measure)
{
	sn_authority_flush(world.hub->authority);
	return sn_sql_i64(world.hub->control, -1,
			  "SELECT count(*) FROM audit WHERE subject = ? AND outcome = 'refused'",
			  "t", measure->id);
}

static void what_a_peer_may_not_be_given_fails_with_the_reason(void **state)
{
	const struct sn_measure *measure;
	struct sn_sup_peer *peer;
	const char *error;

	(void)state;
	offer_to(COMPONENT, "fixed", "203.0.113.9");
	peer = sn_sup_peer_find(world.hub->supervisor, COMPONENT);
	peer->interval_ns = 600 * SN_NS_PER_S; /* it keeps its lease */
	measure = want_fixed("fixed");
	offer_to(COMPONENT, "fixed", "198.51.100.7"); /* which the policy never lets be probed */
	assert_int_equal(given_to(COMPONENT), 0);
	assert_int_equal(given_to(COMPONENT), 0);
	assert_int_equal(refusals_of(measure), 1);
	for (int i = 0; i < TEST_PATIENCE_MS / 50 && measure->parts[0]->state == SN_MEASURE_WAITING;
	     i++) {
		world.hub->supervisor->ticks = 4; /* the next one looks at deadlines */
		world_wait(&world, 50 * SN_NS_PER_MS);
	}
	assert_int_equal(measure->parts[0]->state, SN_MEASURE_FAILED);
	error = measure->parts[0]->error;
	if (strstr(error, "not given to the peer: ") == NULL ||
	    strstr(error, "198.51.100.") == NULL)
		fail_msg("%s", error);
	assert_int_equal(peer->job_count, 0);
	assert_int_equal(refusals_of(measure), 1);
}

static void part_says_that_its_peer_offers_it_no_more(void **state)
{
	const struct sn_measure *measure;

	(void)state;
	offer(COMPONENT, "gone");
	sn_sup_peer_find(world.hub->supervisor, COMPONENT)->interval_ns = 600 * SN_NS_PER_S;
	want("gone", "g1", "now");
	measure = measure_of("g1");
	offer_to(COMPONENT, "gone", "192.0.2.1"); /* not where it was asked for */
	assert_int_equal(given_to(COMPONENT), 0);
	for (int i = 0; i < TEST_PATIENCE_MS / 50 && measure->state == SN_MEASURE_WAITING; i++) {
		world.hub->supervisor->ticks = 4;
		world_wait(&world, 50 * SN_NS_PER_MS);
	}
	if (strstr(measure->parts[0]->error, "does not offer 'gone'") == NULL)
		fail_msg("%s", measure->parts[0]->error);
}

/* By as many as it takes; what is left is less than a body that counts. */
static void take_all(struct sn_room *room)
{
	char name[16];

	for (unsigned i = 0; sn_room_taken(room, NULL) + 100000 < SN_INGEST_FLIGHT_MAX / 2; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		for (uint64_t bytes = SN_ROOM_EACH; bytes > 10000; bytes /= 2)
			(void)sn_room_take(room, name, bytes);
	}
}

static void one_peer_cannot_take_the_room_of_all(void **state)
{
	sn_autofree char *body = sn_xmalloc(100001);
	struct reply reply;
	struct sn_room *room = world.hub->room_peers;

	(void)state;
	memset(body, ' ', 100000);
	memcpy(body, "{}", 2);
	body[100000] = '\0';
	assert_true(sn_room_take(room, COMPONENT, SN_ROOM_EACH));
	reply = ask(COMPONENT, "POST", "/register/result", body);
	assert_int_equal(reply.status, 503);
	assert_string_equal(code_of(&reply), "busy");
	reply_release(&reply);
	reply = ask(OTHER, "POST", "/register/result", body);
	assert_int_not_equal(reply.status, 503);
	reply_release(&reply);
	sn_room_give(room, COMPONENT, SN_ROOM_EACH);
	assert_int_equal(sn_room_taken(room, NULL), 0);
	/* Nor can all of them that of the nodes. */
	take_all(room);
	reply = ask(OTHER, "POST", "/register/result", body);
	assert_int_equal(reply.status, 503);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 422, "POST", "/api/v1/measurements", body);
	reply_release(&reply);
	sn_room_destroy(room);
	world.hub->room_peers = sn_room_create(SN_INGEST_FLIGHT_MAX / 2);
}

static void device_of_a_group_is_a_selection(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{"a,b", "{\"nodes\": [\"a\", \"b\"]}"},
		{"tag:x, tag:y,country:NO", "{\"tags\": [\"x\", \"y\"], \"countries\": [\"NO\"]}"},
		{"network:AS64500,n1,peer:org.x",
		 "{\"networks\": [\"AS64500\"], \"nodes\": [\"n1\", \"peer:org.x\"]}"},
	};

	(void)state;
	assert_null(sn_sup_selection("*"));
	assert_null(sn_sup_selection(NULL));
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_autojson json_t *selection = sn_sup_selection(cases[i].text);
		sn_autojson json_t *wanted = json_loads(cases[i].json, 0, NULL);

		if (!json_equal(selection, wanted))
			fail_msg("%s", cases[i].text);
	}
}

static void restart_forgets_neither_work_nor_what_was_asked(void **state)
{
	struct reply reply;
	char first[64];

	(void)state;
	offer(COMPONENT, "durable");
	want("durable", "d1", "now + 10m");
	snprintf(first, sizeof(first), "%s", fetch(COMPONENT));
	world_restart(&world);
	reply = ask(COMPONENT, "GET", "/show/specification", NULL);
	assert_int_equal(reply.status, 428);
	assert_string_equal(reply.body, "not registered");
	reply_release(&reply);
	offer(COMPONENT, "durable");
	assert_string_equal(fetch(COMPONENT), first);
	reply = ask(CLIENT, "POST", "/", "{\"redemption\":\"measure\",\"token\":\"d1\"}");
	assert_string_equal(json_string_value(json_object_get(reply.json, "label")), "durable-0");
	assert_string_equal(json_string_value(json_object_get(reply.json, "when")), "now + 10m");
	reply_release(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(result_over_midnight_is_stored_whole_and_once,
						start, stop),
		cmocka_unit_test_setup_teardown(rows_of_peers_are_events_of_one_topic, start, stop),
		cmocka_unit_test_setup_teardown(lease_is_three_intervals_of_slow_pollers, start,
						stop),
		cmocka_unit_test_setup_teardown(work_without_a_receipt_is_handed_out_again, start,
						stop),
		cmocka_unit_test_setup_teardown(
			peer_that_comes_back_gets_what_it_may_have_forgotten, start, stop),
		cmocka_unit_test_setup_teardown(late_part_fails_and_its_job_is_forgotten, start,
						stop),
		cmocka_unit_test_setup_teardown(what_a_peer_may_not_be_given_fails_with_the_reason,
						start, stop),
		cmocka_unit_test_setup_teardown(part_says_that_its_peer_offers_it_no_more, start,
						stop),
		cmocka_unit_test_setup_teardown(one_peer_cannot_take_the_room_of_all, start, stop),
		cmocka_unit_test(device_of_a_group_is_a_selection),
		cmocka_unit_test_setup_teardown(restart_forgets_neither_work_nor_what_was_asked,
						start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
