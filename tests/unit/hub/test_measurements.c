/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements over HTTP: of people, and of the nodes that carry them out. */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define ROOT "/api/v1/measurements"
#define PING "\"capability\":\"ping\",\"parameters\":{\"targets\":[\"127.0.0.1\"]}"
#define LAST "\"when\":\"now ... future / 10s\""

static struct world world;
static struct test_node node;

static int start(void **state)
{
	(void)state;
	world_start(&world, NULL);
	node_join(&world, &node, "alpha");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL,
		 "{\"methods\":[\"ping\"],\"interfaces\":[{\"name\":\"eth0\",\"addresses\":"
		 "[\"192.0.2.1\"]}]}");
	assert_int_equal(node.status, 200);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	node_leave(&node);
	world_stop(&world);
	return 0;
}

/* The id; static buffer. */
static const char *add(const char *body)
{
	static char id[SN_ULID_SIZE];
	struct reply reply = expect(&world, AS_LOCAL, 201, "POST", ROOT, body);

	snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(reply.json, "id")));
	reply_release(&reply);
	return id;
}

static json_t *get(const char *path)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	json_t *json = json_incref(reply.json);

	reply_release(&reply);
	return json;
}

static size_t count_items(const char *path)
{
	json_t *json = get(path);
	size_t count = json_array_size(json_object_get(json, "items"));

	json_decref(json);
	return count;
}

static size_t node_tasks(void)
{
	node_ask(&world, &node, "GET", "/api/v1/node/tasks", NULL, NULL);
	assert_int_equal(node.status, 200);
	return json_array_size(json_object_get(node.json, "tasks"));
}

/* People ------------------------------------------------------------------------- */

static void capabilities_are_listed_by_label_kind_and_node(void **state)
{
	json_t *json = get("/api/v1/capabilities/ping");
	struct reply reply;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(json, "items")), 1);
	json_decref(json);
	assert_int_equal(count_items("/api/v1/capabilities?kind=peer"), 0);
	assert_int_equal(count_items("/api/v1/capabilities?label=ping&kind=native&node=alpha"), 1);
	assert_int_equal(count_items("/api/v1/capabilities?limit=1&cursor=1"), 1);
	reply = expect(&world, AS_LOCAL, 404, "GET", "/api/v1/capabilities/pong", NULL);
	assert_string_equal(code_of(&reply), "no-such-capability");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", "/api/v1/capabilities?kind=x", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 404, "GET", "/api/v1/capabilities?node=beta", NULL);
	reply_release(&reply);
}

static void refusals_have_names(void **state)
{
	static const struct {
		const char *body;
		unsigned status;
		const char *code;
	} cases[] = {
		{"{\"capability\":\"pimg\"}", 404, "no-such-capability"},
		{"{\"capability\":\"flow\",\"parameters\":{\"interface\":\"e\"}}", 409,
		 "no-provider"},
		{"{" PING ",\"tags\":[\"none\"]}", 409, "no-provider"},
		{"{\"capability\":\"ping\"}", 422, "invalid"},
		{"{" PING ",\"when\":\"soon\"}", 422, "invalid"},
		{"{" PING ",\"nodes\":[\"beta\"]}", 422, "invalid"},
		{"{" PING ",\"nodez\":[\"alpha\"]}", 422, "invalid"},
		{"{\"parameters\":{}}", 422, "invalid"},
		{"{", 400, "bad-json"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct reply reply =
			expect(&world, AS_LOCAL, cases[i].status, "POST", ROOT, cases[i].body);

		assert_string_equal(code_of(&reply), cases[i].code);
		reply_release(&reply);
	}
	assert_int_equal(sn_measures_count(world.hub->measures), 0);
}

static void what_does_not_fit_into_its_period_is_refused_at_once(void **state)
{
	static const char *const paths[] = {ROOT, ROOT "?dry_run=true"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(paths); i++) {
		struct reply reply = expect(&world, AS_LOCAL, 422, "POST", paths[i],
					    "{" PING ",\"when\":\"now ... future / 500ms\"}");

		assert_string_equal(code_of(&reply), "invalid");
		assert_non_null(strstr(reply.body, "parameter 'count': cannot send 5 requests "
						   "200ms apart every 500ms"));
		reply_release(&reply);
	}
	assert_int_equal(sn_measures_count(world.hub->measures), 0);
	add("{\"capability\":\"ping\",\"parameters\":{\"targets\":[\"127.0.0.1\"],\"count\":1},"
	    "\"when\":\"now ... future / 500ms\"}");
}

static void lists_are_newest_first_in_pages_and_by_filters(void **state)
{
	char first[SN_ULID_SIZE], path[128];
	json_t *json;
	struct reply reply;

	(void)state;
	snprintf(first, sizeof(first), "%s", add("{" PING ",\"name\":\"one\"}"));
	usleep(2000);
	add("{" PING ",\"name\":\"two\"," LAST "}");
	json = get(ROOT "?limit=1");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(json, "items"), 0), "name")),
			    "two");
	snprintf(path, sizeof(path), ROOT "?limit=1&cursor=%s",
		 json_string_value(json_object_get(json, "next")));
	json_decref(json);
	json = get(path);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(json, "items"), 0), "id")),
			    first);
	assert_true(json_is_null(json_object_get(json, "next")));
	json_decref(json);
	assert_int_equal(count_items(ROOT "?state=waiting,running"), 2);
	assert_int_equal(count_items(ROOT "?state=done"), 0);
	assert_int_equal(count_items(ROOT "?capability=ping&node=alpha&owner=user:admin"), 2);
	assert_int_equal(count_items(ROOT "?owner=user:nobody"), 0);
	assert_int_equal(count_items(ROOT "?node=org.x.peer"), 0);
	reply = expect(&world, AS_LOCAL, 400, "GET", ROOT "?state=over", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", ROOT "?cursor=zz", NULL);
	reply_release(&reply);
}

static void same_idempotency_key_is_the_same_measurement(void **state)
{
	struct reply first =
		plain(&world, AS_LOCAL, "POST", ROOT, "Idempotency-Key: k1\r\n", "{" PING "}");
	struct reply second =
		plain(&world, AS_LOCAL, "POST", ROOT, "Idempotency-Key: k1\r\n", "{" PING "}");

	(void)state;
	assert_int_equal(second.status, 201);
	assert_string_equal(json_string_value(json_object_get(first.json, "id")),
			    json_string_value(json_object_get(second.json, "id")));
	assert_int_equal(sn_measures_count(world.hub->measures), 1);
	reply_release(&first);
	reply_release(&second);
}

static void a_dry_run_stores_nothing(void **state)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "POST", ROOT "?dry_run=true",
				    "{" PING ",\"when\":\"now + 1m / 10s\"}");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(reply.json, "runs")), 7);
	assert_true(json_is_true(json_object_get(reply.json, "allowed")));
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(reply.json, "providers"), 0), "name")),
		"alpha");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "POST", ROOT "?dry_run=maybe", "{" PING "}");
	reply_release(&reply);
	assert_int_equal(sn_measures_count(world.hub->measures), 0);
}

static void stopping_twice_says_so(void **state)
{
	char path[128];
	struct reply reply;

	(void)state;
	snprintf(path, sizeof(path), ROOT "/%s/stop", add("{" PING "," LAST "}"));
	assert_int_equal(node_tasks(), 1);
	reply = expect(&world, AS_LOCAL, 200, "POST", path, NULL);
	assert_string_equal(json_string_value(json_object_get(reply.json, "state")), "stopped");
	reply_release(&reply);
	assert_int_equal(node_tasks(), 0);
	reply = expect(&world, AS_LOCAL, 409, "POST", path, NULL);
	assert_string_equal(code_of(&reply), "ended");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 404, "POST", ROOT "/none/stop", NULL);
	reply_release(&reply);
}

static void tasks_are_gone_from_the_api(void **state)
{
	struct reply reply = plain(&world, AS_LOCAL, "POST", "/api/v1/tasks", "", "{}");

	(void)state;
	assert_true(reply.status == 404 || reply.status == 405);
	reply_release(&reply);
}

/* Who may --------------------------------------------------------------------------- */

static void proof_of(const char *user, enum sn_role role, char header[160])
{
	char id[SN_ULID_SIZE], token[SN_SECRET_SIZE];
	int64_t now_ns = sn_hub_now(world.hub);

	assert_int_equal(sn_people_add(world.hub->people, user, role, now_ns, NULL), 0);
	assert_int_equal(sn_people_make_token(world.hub->people, user, "test", SN_ROLES, now_ns, 0,
					      id, token, NULL),
			 0);
	snprintf(header, 160, "Authorization: Bearer %s\r\n", token);
}

static unsigned status_as(const char *header, const char *method, const char *path,
			  const char *body)
{
	struct reply reply = plain(&world, AS_NOBODY, method, path, header, body);
	unsigned status = reply.status;

	reply_release(&reply);
	return status;
}

static size_t items_as(const char *header, const char *path)
{
	struct reply reply = plain(&world, AS_NOBODY, "GET", path, header, NULL);
	size_t count = json_array_size(json_object_get(reply.json, "items"));

	assert_int_equal(reply.status, 200);
	reply_release(&reply);
	return count;
}

static void viewers_look_and_operators_stop_their_own(void **state)
{
	char viewer[160], operator[160], path[128];

	(void)state;
	proof_of("vera", SN_ROLE_VIEWER, viewer);
	proof_of("olga", SN_ROLE_OPERATOR, operator);
	snprintf(path, sizeof(path), ROOT "/%s/stop", add("{" PING "," LAST "}"));
	assert_int_equal(items_as(viewer, ROOT), 1);
	assert_int_equal(status_as(viewer, "POST", ROOT, "{" PING "}"), 403);
	assert_int_equal(status_as(viewer, "POST", path, NULL), 403);
	assert_int_equal(status_as(operator, "POST", path, NULL), 403);
	assert_int_equal(status_as(operator, "POST", ROOT, "{" PING ",\"name\":\"mine\"}"), 201);
	snprintf(path, sizeof(path), ROOT "/%s/stop", sn_measures_at(world.hub->measures, 1)->id);
	assert_int_equal(status_as(operator, "POST", path, NULL), 200);
}

static void who_may_read_their_own_only_sees_no_others(void **state)
{
	static const char policy[] =
		"roles:\n  mine: [user:olga, user:otto]\n  admin: account:admin\n"
		"rules:\n  - allow: [measure, read]\n    roles: mine\n"
		"    capabilities: ping\n"
		"  - allow: [discover, measure, read-all, admin]\n"
		"    roles: admin\n    capabilities: \"*\"\n";
	char file[] = "/tmp/sonde-policy-test-XXXXXX", setting[64], olga[160], otto[160], path[128];
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0 && write(fd, policy, strlen(policy)) == (ssize_t)strlen(policy));
	close(fd);
	snprintf(setting, sizeof(setting), "policy=%s", file);
	world_start(&world, (const char *const[]){setting, NULL});
	node_join(&world, &node, "alpha");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{\"methods\":[\"ping\"]}");
	proof_of("olga", SN_ROLE_VIEWER, olga);
	proof_of("otto", SN_ROLE_VIEWER, otto);
	assert_int_equal(status_as(olga, "POST", ROOT, "{" PING "}"), 201);
	snprintf(path, sizeof(path), ROOT "/%s", sn_measures_at(world.hub->measures, 0)->id);
	assert_int_equal(items_as(olga, ROOT), 1);
	assert_int_equal(items_as(otto, ROOT), 0);
	assert_int_equal(status_as(olga, "GET", path, NULL), 200);
	assert_int_equal(status_as(otto, "GET", path, NULL), 404);
	assert_int_equal(items_as(olga, "/api/v1/capabilities"), 0);
	assert_int_equal(status_as(otto, "GET", "/api/v1/events?topic=measurements", NULL), 403);
	strcat(path, "/results");
	assert_int_equal(items_as(olga, path), 0);
	assert_int_equal(status_as(otto, "GET", path, NULL), 404);
	unlink(file);
}

/* Nodes ----------------------------------------------------------------------------- */

static void node_gets_the_tasks_that_are_for_it(void **state)
{
	struct test_node other;
	json_t *task;

	(void)state;
	node_join(&world, &other, "beta");
	add("{" PING ",\"nodes\":[\"beta\"]}");
	assert_int_equal(node_tasks(), 0);
	add("{" PING ",\"nodes\":[\"alpha\"]," LAST "}");
	assert_int_equal(node_tasks(), 1);
	world_restart(&world);
	assert_int_equal(node_tasks(), 1);
	task = json_array_get(json_object_get(node.json, "tasks"), 0);
	assert_non_null(
		strstr(json_string_value(json_object_get(task, "when")), " ... future / 10s"));
	node_leave(&other);
}

static unsigned report(const char *id, const char *body)
{
	char path[128];

	snprintf(path, sizeof(path), "/api/v1/node/tasks/%s", id);
	node_ask(&world, &node, "POST", path, NULL, body);
	return node.status;
}

static void state_is(const char *id, const char *state)
{
	char path[128];
	json_t *json;

	snprintf(path, sizeof(path), ROOT "/%s", id);
	json = get(path);
	assert_string_equal(json_string_value(json_object_get(json, "state")), state);
	json_decref(json);
}

static void a_report_is_stored_before_it_is_answered(void **state)
{
	const char *id = add("{" PING "}");

	(void)state;
	assert_int_equal(report(id, "{\"state\":\"running\"}"), 204);
	state_is(id, "running");
	assert_int_equal(report(id, "{\"state\":\"failed\",\"error\":\"no route\"}"), 204);
	world_restart(&world);
	state_is(id, "failed");
	assert_int_equal(node_tasks(), 0);
	/* Again: nothing changes. */
	assert_int_equal(report(id, "{\"state\":\"done\"}"), 204);
	state_is(id, "failed");
}

static void bad_reports_are_refused(void **state)
{
	struct test_node other;
	const char *id = add("{" PING ",\"nodes\":[\"alpha\"]}");

	(void)state;
	assert_int_equal(report(id, "{\"state\":\"stopped\"}"), 422);
	assert_int_equal(report(id, "{}"), 422);
	assert_int_equal(report("none", "{\"state\":\"done\"}"), 404);
	node_join(&world, &other, "beta");
	{
		char path[128];

		/* A task of another node is as unknown as none. */
		snprintf(path, sizeof(path), "/api/v1/node/tasks/%s", id);
		node_ask(&world, &other, "POST", path, NULL, "{\"state\":\"done\"}");
		assert_int_equal(other.status, 404);
	}
	state_is(id, "waiting");
	node_leave(&other);
}

static void send_rows(const char *id, unsigned seq)
{
	char body[1024];

	snprintf(
		body, sizeof(body),
		"{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":%u,\"task\":\"%s\",\"target\":\"a\"}\n"
		"{\"time\":\"2026-03-01T12:00:01Z\",\"seq\":%u,\"task\":\"%s\",\"target\":\"b\"}\n"
		"{\"time\":\"2026-03-01T12:00:02Z\",\"seq\":%u,\"task\":\"other\",\"target\":\"c\"}"
		"\n",
		3 * seq, id, 3 * seq + 1, id, 3 * seq + 2);
	node_put(&world, &node, seq, "ping/1", 3, body, NULL);
	assert_int_equal(node.status, 200);
}

static void results_are_the_rows_of_the_measurement(void **state)
{
	const char *id = add("{" PING "," LAST "}");
	char path[160];
	struct reply reply;
	json_t *json;

	(void)state;
	send_rows(id, 0);
	send_rows(id, 0); /* a duplicate counts once */
	snprintf(path, sizeof(path), ROOT "/%s/results?since=2026-01-01T00:00:00Z", id);
	assert_int_equal(count_items(path), 2);
	snprintf(path, sizeof(path), ROOT "/%s/results?since=2026-01-01T00:00:00Z&target=b", id);
	assert_int_equal(count_items(path), 1);
	snprintf(path, sizeof(path), ROOT "/%s/results?tarqet=b", id);
	reply = expect(&world, AS_LOCAL, 400, "GET", path, NULL);
	assert_non_null(strstr(reply.body, "'target'"));
	reply_release(&reply);
	snprintf(path, sizeof(path), ROOT "/%s/results?since=2026-01-01T00:00:00Z&fields=target",
		 id);
	reply = plain(&world, AS_LOCAL, "GET", path, "Accept: text/csv\r\n", NULL);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "target\r\nb\r\na\r\n");
	reply_release(&reply);
	world_wait(&world, 1200 * SN_NS_PER_MS);
	snprintf(path, sizeof(path), ROOT "/%s", id);
	json = get(path);
	assert_int_equal(json_integer_value(json_object_get(json, "results")), 2);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "running");
	json_decref(json);
	reply = expect(&world, AS_LOCAL, 404, "GET", ROOT "/none/results", NULL);
	reply_release(&reply);
}

static void changes_are_events(void **state)
{
	int stream = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=measurements", "");
	const char *id, *text;

	(void)state;
	world_wait(&world, 20 * SN_NS_PER_MS);
	id = add("{" PING "}");
	text = read_stream(&world, stream, id);
	assert_non_null(strstr(text, "event: measurements"));
	assert_non_null(strstr(text, id));
	assert_int_equal(report(id, "{\"state\":\"running\"}"), 204);
	assert_int_equal(report(id, "{\"state\":\"done\"}"), 204);
	text = read_stream(&world, stream, "\"done\":1");
	assert_non_null(strstr(text, "\"done\":1"));
	assert_non_null(strstr(text, "\"part\":{\"provider\""));
	close(stream);
	world_wait(&world, 50 * SN_NS_PER_MS);
}

static void set_state(struct sn_measure *measure, enum sn_measure_state state)
{
	assert_int_equal(sn_measures_part_state(world.hub->measures, measure->parts[0], state, NULL,
						sn_hub_now(world.hub), NULL),
			 0);
}

static void events_about_one_measurement_are_ten_a_second(void **state)
{
	int stream = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=measurements", "");
	uint64_t begin_ns = sn_mono_ns(), tenths;
	struct sn_measure *measure;
	unsigned events = 0;

	(void)state;
	world_wait(&world, 20 * SN_NS_PER_MS);
	measure = sn_measures_find(world.hub->measures, add("{" PING "," LAST "}"));
	for (int i = 0; i < 100; i++) {
		set_state(measure, i % 2 != 0 ? SN_MEASURE_WAITING : SN_MEASURE_RUNNING);
		world_wait(&world, 3 * SN_NS_PER_MS);
	}
	set_state(measure, SN_MEASURE_DONE);
	for (const char *at = read_stream(&world, stream, "\"state\":\"done\"");
	     (at = strstr(at, "event: ")); at++)
		events++;
	tenths = (sn_mono_ns() - begin_ns) / (100 * SN_NS_PER_MS);
	assert_in_range(events, 3, 10 + tenths);
	close(stream);
	world_wait(&world, 50 * SN_NS_PER_MS);
}

static void revoking_a_node_stops_what_it_had_to_do(void **state)
{
	const char *id = add("{" PING ",\"nodes\":[\"alpha\"]," LAST "}");
	struct reply reply =
		expect(&world, AS_LOCAL, 200, "POST", "/api/v1/nodes/alpha/revoke", NULL);

	(void)state;
	reply_release(&reply);
	state_is(id, "stopped");
	assert_int_equal(count_items("/api/v1/capabilities"), 0);
	reply = expect(&world, AS_LOCAL, 409, "POST", ROOT, "{" PING "}");
	reply_release(&reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(capabilities_are_listed_by_label_kind_and_node),
		TEST(refusals_have_names),
		TEST(what_does_not_fit_into_its_period_is_refused_at_once),
		TEST(lists_are_newest_first_in_pages_and_by_filters),
		TEST(same_idempotency_key_is_the_same_measurement),
		TEST(a_dry_run_stores_nothing),
		TEST(stopping_twice_says_so),
		TEST(tasks_are_gone_from_the_api),
		TEST(viewers_look_and_operators_stop_their_own),
		cmocka_unit_test_teardown(who_may_read_their_own_only_sees_no_others, stop),
		TEST(node_gets_the_tasks_that_are_for_it),
		TEST(a_report_is_stored_before_it_is_answered),
		TEST(bad_reports_are_refused),
		TEST(results_are_the_rows_of_the_measurement),
		TEST(changes_are_events),
		TEST(events_about_one_measurement_are_ten_a_second),
		TEST(revoking_a_node_stops_what_it_had_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
