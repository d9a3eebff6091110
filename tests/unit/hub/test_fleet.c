/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct world world;
static struct test_node node;

static int start(void **state)
{
	(void)state;
	world_start(&world, (const char *const[]){"heartbeat_interval=200ms", NULL});
	node_join(&world, &node, "alpha");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	node_leave(&node);
	world_stop(&world);
	return 0;
}

static void expect_member(const char *member, const char *value)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/nodes/alpha", NULL);

	assert_string_equal(json_string_value(json_object_get(reply.json, member)), value);
	reply_release(&reply);
}

static void node_is_online_for_two_and_a_half_intervals(void **state)
{
	(void)state;
	expect_member("state", "offline");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	expect_member("state", "online");
	world_wait(&world, 2200 * SN_NS_PER_MS); /* the tick comes once a second */
	expect_member("state", "offline");
}

static void short_restart_of_the_hub_takes_nobody_offline(void **state)
{
	(void)state;
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{\"version\":\"7\"}");
	world_restart(&world);
	expect_member("state", "online");
	expect_member("version", "7");
}

static void heartbeat_tells_interval_and_etag(void **state)
{
	(void)state;
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{\"novelty\":[1]}");
	assert_int_equal(node.status, 200);
	assert_true(json_number_value(json_object_get(node.json, "interval_seconds")) == 0.2);
	assert_int_equal(json_string_length(json_object_get(node.json, "tasks_etag")), 16);
}

static void malformed_heartbeats_are_refused_by_member(void **state)
{
	static const struct {
		const char *body, *says;
	} cases[] = {
		{"{\"version\":5}", "version"},
		{"{\"methods\":\"ping\"}", "methods"},
		{"{\"methods\":[5]}", "methods"},
		{"{\"interfaces\":[{}]}", "interfaces"},
		{"{\"interfaces\":[{\"name\":\"x\",\"addresses\":[1]}]}", "interfaces"},
		{"{\"spool\":{\"batches\":\"many\"}}", "spool"},
		{"{\"problems\":{}}", "problems"},
		{"{\"country\":5}", "country"},
		{"{\"asn\":[]}", "asn"},
		{"{\"system\":{}}", "system"},
		{"[]", "object"},
		{"{\"version\":", ""},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, cases[i].body);
		if (node.status != 422 ||
		    strstr(json_string_value(json_object_get(node.json, "detail")),
			   cases[i].says) == NULL)
			fail_msg("case %zu: %u", i, node.status);
	}
}

/* A heartbeat with so many problems. */
static unsigned heartbeat_with(unsigned problems)
{
	struct sn_buf body = {0};

	sn_buf_adds(&body, "{\"problems\":[");
	for (unsigned i = 0; i < problems; i++)
		sn_buf_adds(&body, i > 0 ? ",\"x\"" : "\"x\"");
	sn_buf_adds(&body, "]}");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, sn_buf_cstr(&body));
	sn_buf_finish(&body);
	return node.status;
}

static void country_network_and_system_are_shown(void **state)
{
	(void)state;
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL,
		 "{\"country\":\"NO\",\"asn\":\"AS64500\",\"system\":\"Debian 12\"}");
	expect_member("country", "NO");
	expect_member("asn", "AS64500");
	expect_member("system", "Debian 12");
}

static void reports_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(heartbeat_with(32), 200);
	assert_int_equal(heartbeat_with(33), 422);
}

/* As if the node had measured `target` at this time. */
static void measure(const char *target, int64_t time_ns)
{
	struct sn_value row[SN_DATASET_COLUMNS_MAX] = {{0}};
	int loss = sn_dataset_column(&sn_dataset_ping, "loss_ratio");

	row[SN_COL_TIME] = (struct sn_value){.type = SN_TYPE_TIME, .i = time_ns};
	row[sn_dataset_column(&sn_dataset_ping, "target")] =
		(struct sn_value){.type = SN_TYPE_TEXT, .s = sn_str(target)};
	row[loss] = (struct sn_value){.type = SN_TYPE_F64, .f = 0};
	sn_fleet_row(world.hub->fleet, sn_fleet_find(world.hub->fleet, "alpha"), &sn_dataset_ping,
		     row);
}

static int64_t targets_now(void)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/nodes/alpha", NULL);
	int64_t count =
		json_integer_value(json_object_get(json_object_get(reply.json, "now"), "targets"));

	reply_release(&reply);
	return count;
}

static void now_is_of_the_last_minute(void **state)
{
	int64_t now_ns = sn_hub_now(world.hub);

	(void)state;
	measure("fresh", now_ns - 30 * SN_NS_PER_S);
	measure("stale", now_ns - 90 * SN_NS_PER_S);
	measure("ahead", now_ns + 3600 * SN_NS_PER_S);
	assert_int_equal(targets_now(), 1);
	/* A task that runs every two minutes is not stale after 90 seconds. */
	measure("slow", now_ns - 210 * SN_NS_PER_S);
	measure("slow", now_ns - 90 * SN_NS_PER_S);
	assert_int_equal(targets_now(), 2);
}

static void old_targets_make_room_for_new_ones(void **state)
{
	int64_t now_ns = sn_hub_now(world.hub);
	char name[32];

	(void)state;
	for (int i = 0; i < SN_NODE_TARGETS_MAX; i++) {
		snprintf(name, sizeof(name), "old%d", i);
		measure(name, now_ns - 3600 * SN_NS_PER_S);
	}
	for (int i = 0; i < SN_NODE_TARGETS_MAX + 5; i++) {
		snprintf(name, sizeof(name), "new%d", i);
		measure(name, now_ns);
	}
	assert_int_equal(targets_now(), SN_NODE_TARGETS_MAX);
}

static void people_may_rename_place_and_tag(void **state)
{
	struct reply reply =
		expect(&world, AS_LOCAL, 200, "PATCH", "/api/v1/nodes/alpha",
		       "{\"name\":\"omega\",\"latitude\":1.5,\"longitude\":-2,\"place\":\"Here\","
		       "\"tags\":[\"a\",\"b\"]}");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(reply.json, "name")), "omega");
	reply_release(&reply);
	world_restart(&world);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/nodes/omega", NULL);
	assert_true(json_number_value(json_object_get(reply.json, "longitude")) == -2);
	assert_int_equal(json_array_size(json_object_get(reply.json, "tags")), 2);
	assert_string_equal(json_string_value(json_object_get(reply.json, "place")), "Here");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 404, "GET", "/api/v1/nodes/alpha", NULL);
	reply_release(&reply);
}

static void bad_changes_are_refused_and_change_nothing(void **state)
{
	static const struct {
		const char *body;
		unsigned status;
	} cases[] = {
		{"{\"name\":\"\"}", 422},
		{"{\"name\":\"a/b\"}", 422},
		{"{\"latitude\":91,\"longitude\":0}", 422},
		{"{\"latitude\":1}", 422},
		{"{\"latitude\":0,\"longitude\":181}", 422},
		{"{\"tags\":[1]}", 422},
		{"{\"name\":\"beta\"}", 409},
		{"{\"state\":\"online\"}", 422},
		{"{\"name\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
		 422},
	};
	struct test_node other;

	(void)state;
	node_join(&world, &other, "beta");
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct reply reply = expect(&world, AS_LOCAL, cases[i].status, "PATCH",
					    "/api/v1/nodes/alpha", cases[i].body);

		reply_release(&reply);
	}
	expect_member("name", "alpha");
	node_leave(&other);
}

static void nodes_come_in_pages(void **state)
{
	struct test_node other;
	struct reply reply;
	char target[128];
	const char *next;

	(void)state;
	node_join(&world, &other, "beta");
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/nodes?limit=1", NULL);
	next = json_string_value(json_object_get(reply.json, "next"));
	assert_non_null(next);
	snprintf(target, sizeof(target), "/api/v1/nodes?limit=1&cursor=%s", next);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", target, NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 1);
	assert_true(json_is_null(json_object_get(reply.json, "next")));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", "/api/v1/nodes?cursor=zz", NULL);
	reply_release(&reply);
	node_leave(&other);
}

/* Streams ------------------------------------------------------------------------ */

static char stream_text[4096];

static int take_stream(struct sn_http_fetch *fetch, struct sn_str piece, void *ctx)
{
	size_t n = strlen(stream_text);

	(void)fetch, (void)ctx;
	snprintf(stream_text + n, sizeof(stream_text) - n, "%.*s", (int)piece.n, piece.p);
	return 0;
}

static void stream_over(struct sn_http_fetch *fetch, const struct sn_http_answer *answer, void *ctx)
{
	(void)fetch, (void)answer;
	*(bool *)ctx = true;
}

static struct sn_http_fetch *open_node_stream(bool *over)
{
	char base[128], url[256];
	struct sn_http_fetch_spec spec = {.method = "GET",
					  .url = url,
					  .timeout_ns = UINT64_MAX,
					  .on_data = take_stream,
					  .on_done = stream_over,
					  .ctx = over};

	sn_hub_loopback_url(world.hub, base, sizeof(base));
	snprintf(url, sizeof(url), "%s/api/v1/node/events", base);
	stream_text[0] = '\0';
	return sn_http_fetch(node.client, &spec);
}

static void wait_for(const char *text)
{
	test_until(strstr(stream_text, text) != NULL, world_wait(&world, 5 * SN_NS_PER_MS));
	assert_non_null(strstr(stream_text, text));
}

static void node_is_told_at_once_when_its_tasks_change(void **state)
{
	char etag[SN_TASKS_ETAG_SIZE];
	bool over = false;
	struct sn_http_fetch *fetch = open_node_stream(&over);
	struct reply reply;

	(void)state;
	wait_for("event: tasks");
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/measurements",
		       "{\"capability\":\"ping\",\"parameters\":{\"targets\":[\"127.0.0.1\"]},"
		       "\"nodes\":[\"alpha\"]}");
	reply_release(&reply);
	sn_measures_etag(world.hub->measures, node.id, etag);
	wait_for(etag);
	assert_false(over);
	sn_http_fetch_cancel(fetch);
}

static void stream_of_a_revoked_node_ends(void **state)
{
	bool over = false;
	struct reply reply;

	(void)state;
	assert_non_null(open_node_stream(&over));
	wait_for("event: tasks");
	reply = expect(&world, AS_LOCAL, 200, "POST", "/api/v1/nodes/alpha/revoke", NULL);
	reply_release(&reply);
	test_until(over, world_wait(&world, 5 * SN_NS_PER_MS));
	assert_true(over);
}

static void second_stream_of_a_node_ends_the_first(void **state)
{
	bool first = false, second = false;
	struct sn_http_fetch *fetch;

	(void)state;
	assert_non_null(open_node_stream(&first));
	wait_for("event: tasks");
	fetch = open_node_stream(&second);
	test_until(first, world_wait(&world, 5 * SN_NS_PER_MS));
	assert_true(first);
	assert_false(second);
	sn_http_fetch_cancel(fetch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(node_is_online_for_two_and_a_half_intervals),
		TEST(short_restart_of_the_hub_takes_nobody_offline),
		TEST(heartbeat_tells_interval_and_etag),
		TEST(malformed_heartbeats_are_refused_by_member),
		TEST(country_network_and_system_are_shown),
		TEST(reports_are_bounded),
		TEST(now_is_of_the_last_minute),
		TEST(old_targets_make_room_for_new_ones),
		TEST(people_may_rename_place_and_tag),
		TEST(bad_changes_are_refused_and_change_nothing),
		TEST(nodes_come_in_pages),
		TEST(node_is_told_at_once_when_its_tasks_change),
		TEST(stream_of_a_revoked_node_ends),
		TEST(second_stream_of_a_node_ends_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
