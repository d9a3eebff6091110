/* SPDX-License-Identifier: Apache-2.0 */
/* A policy that changes while things run, in a whole hub. */
#include "hub_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/enforce.h"
#include "hub/sql.h"
#include "mplane/codec.h"

#define ROOT "/api/v1/measurements"
#define LAST "\"when\":\"now ... future / 10s\""

static struct world world;
static struct test_node alpha, beta;
static char dir[64], file[96];

/* `rule` is line 4. */
#define POLICY(rule, never)                                                                        \
	"roles: {boss: account:admin, crew: account:operator, anna: user:anna}\n"                  \
	"rules:\n"                                                                                 \
	"  - {allow: [admin, discover, measure, read-all, stop-all], roles: boss, capabilities: "  \
	"\"*\"}\n"                                                                                 \
	"  - {" rule "}\n"                                                                         \
	"never_probe: [" never "]\n"
#define ALLOW "allow: measure, roles: crew, capabilities: ping"
#define OPEN  POLICY(ALLOW, "")

static void write_policy(const char *text)
{
	assert_int_equal(sn_fs_write_atomic(file, text, strlen(text), 0600, NULL), 0);
}

static void join(struct test_node *node, const char *name, const char *address)
{
	sn_autofree char *report =
		sn_xasprintf("{\"methods\":[\"ping\"],\"interfaces\":[{\"name\":\"eth0\","
			     "\"addresses\":[\"%s\"]}]}",
			     address);

	node_join(&world, node, name);
	node_ask(&world, node, "POST", "/api/v1/node/heartbeat", NULL, report);
	assert_int_equal(node->status, 200);
}

static int start(void **state)
{
	char setting[128];
	const char *settings[] = {setting, NULL};

	(void)state;
	sn_log_set_level(SN_LOG_ERROR);
	snprintf(dir, sizeof(dir), "/tmp/sonde-enforce-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/policy.yaml", dir);
	snprintf(setting, sizeof(setting), "policy=%s", file);
	write_policy(OPEN);
	world_start(&world, settings);
	join(&alpha, "alpha", "192.0.2.1");
	join(&beta, "beta", "192.0.2.2");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	node_leave(&alpha);
	node_leave(&beta);
	world_stop(&world);
	return sn_fs_remove_tree(dir, NULL);
}

/* As the watch does it, and the ticks of the next seconds. */
static void enforce(void)
{
	for (int i = 0; i < 10; i++) {
		sn_measures_tick(world.hub->measures, sn_hub_now(world.hub));
		sn_enforce_tick(world.hub);
	}
	assert_int_equal(world.hub->enforcing, SN_ENFORCE_DONE);
	assert_true(sn_authority_was_applied(world.hub->authority));
}

static void change_policy(const char *text)
{
	unsigned before = sn_authority_generation(world.hub->authority);

	write_policy(text);
	sn_authority_reload(world.hub->authority);
	assert_int_equal(sn_authority_generation(world.hub->authority), before + 1);
	enforce();
}

static void make_user(const char *name, enum sn_role role)
{
	assert_int_equal(sn_people_add(world.hub->people, name, role, sn_hub_now(world.hub), NULL),
			 0);
}

/* A standing ping; static buffers, in turn. */
static const char *measure_as(const char *user, enum sn_role role, const char *more)
{
	static char ids[4][SN_ULID_SIZE];
	static unsigned at;
	char id[SN_ULID_SIZE], token[SN_SECRET_SIZE], header[160];
	sn_autofree char *body = sn_xasprintf("{\"capability\":\"ping\"," LAST ",%s}", more);
	struct reply reply;

	assert_int_equal(sn_people_make_token(world.hub->people, user, "t", role,
					      sn_hub_now(world.hub), 0, id, token, NULL),
			 0);
	snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", token);
	reply = plain(&world, AS_NOBODY, "POST", ROOT, header, body);
	if (reply.status != 201)
		fail_msg("%u: %s", reply.status, reply.body);
	at = (at + 1) % SN_COUNT(ids);
	snprintf(ids[at], sizeof(ids[at]), "%s",
		 json_string_value(json_object_get(reply.json, "id")));
	reply_release(&reply);
	return ids[at];
}

#define PING_OF(target) "\"parameters\":{\"targets\":[\"" target "\"]}"

static void assert_state(const char *id, const char *node, const char *state, const char *says)
{
	sn_autofree char *path = sn_xasprintf(ROOT "/%s", id);
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	const json_t *parts = json_object_get(reply.json, "parts");
	bool found = false;

	for (size_t i = 0; i < json_array_size(parts); i++) {
		const json_t *part = json_array_get(parts, i);
		const char *error = json_string_value(json_object_get(part, "error"));

		if (strcmp(json_string_value(json_object_get(part, "name")), node) != 0)
			continue;
		found = true;
		assert_string_equal(json_string_value(json_object_get(part, "state")), state);
		if (strstr(error != NULL ? error : "", says) == NULL)
			fail_msg("'%s' is not in: %s", says, error);
	}
	assert_true(found);
	reply_release(&reply);
}

static const char *whole_state(const char *id)
{
	return sn_measure_state_name(sn_measures_find(world.hub->measures, id)->state);
}

/* Nodes ------------------------------------------------------------------------------------- */

static void assert_networks(size_t count, const char *last)
{
	const json_t *networks;

	node_ask(&world, &alpha, "GET", "/api/v1/node/tasks", NULL, NULL);
	assert_int_equal(alpha.status, 200);
	networks = json_object_get(alpha.json, "never_probe");
	assert_int_equal(json_array_size(networks), count);
	assert_string_equal(json_string_value(json_array_get(networks, count - 1)), last);
}

static void nodes_are_given_what_is_never_probed(void **state)
{
	char before[SN_TASKS_ETAG_SIZE], condition[64];
	const char *headers[] = {condition, NULL};

	(void)state;
	assert_networks(5, "ff00::/8"); /* the built-in ones */
	snprintf(before, sizeof(before), "%s",
		 json_string_value(json_object_get(alpha.json, "etag")));
	snprintf(condition, sizeof(condition), "If-None-Match: \"%s\"", before);
	node_ask(&world, &alpha, "GET", "/api/v1/node/tasks", headers, NULL);
	assert_int_equal(alpha.status, 304);

	change_policy(POLICY(ALLOW, "192.0.2.0/25, \"2001:db8::/32\""));
	node_ask(&world, &alpha, "GET", "/api/v1/node/tasks", headers, NULL);
	assert_int_equal(alpha.status, 200);
	assert_networks(7, "2001:db8::/32");
	assert_string_not_equal(json_string_value(json_object_get(alpha.json, "etag")), before);
	/* The heartbeat says so, too. */
	node_ask(&world, &beta, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_string_not_equal(json_string_value(json_object_get(beta.json, "tasks_etag")),
				before);
	world_restart(&world);
	assert_networks(7, "2001:db8::/32");
}

static struct sn_buf heard;

static int hear(struct sn_http_fetch *fetch, struct sn_str piece, void *ctx)
{
	(void)fetch, (void)ctx;
	sn_buf_add(&heard, piece.p, piece.n);
	return 0;
}

static void stream_ended(struct sn_http_fetch *fetch, const struct sn_http_answer *answer,
			 void *ctx)
{
	(void)fetch, (void)answer, (void)ctx;
}

static unsigned events_heard(void)
{
	unsigned count = 0;

	for (const char *at = sn_buf_cstr(&heard); (at = strstr(at, "event: tasks")) != NULL; at++)
		count++;
	return count;
}

/* So many, and no more of them a moment later. */
static void expect_events(unsigned count)
{
	test_until(events_heard() >= count, world_wait(&world, SN_NS_PER_MS));
	world_wait(&world, 60 * SN_NS_PER_MS);
	assert_int_equal(events_heard(), count);
}

static void nodes_are_told_when_it_changes_and_only_then(void **state)
{
	char base[128], url[256];
	struct sn_http_fetch_spec spec = {.method = "GET",
					  .url = url,
					  .timeout_ns = UINT64_MAX,
					  .on_data = hear,
					  .on_done = stream_ended};
	struct sn_http_fetch *fetch;

	(void)state;
	sn_hub_loopback_url(world.hub, base, sizeof(base));
	snprintf(url, sizeof(url), "%s/api/v1/node/events", base);
	fetch = sn_http_fetch(alpha.client, &spec);
	assert_non_null(fetch);
	expect_events(1);
	change_policy(POLICY(ALLOW, "192.0.2.0/25"));
	expect_events(2);
	change_policy(POLICY("allow: measure, roles: crew, capabilities: flow", "192.0.2.0/25"));
	expect_events(2);
	sn_http_fetch_cancel(fetch);
	sn_buf_finish(&heard);
}

/* Measurements ------------------------------------------------------------------------------- */

static void what_is_allowed_no_more_is_stopped_and_the_rest_goes_on(void **state)
{
	const char *of_boss, *of_crew;

	(void)state;
	make_user("otto", SN_ROLE_OPERATOR);
	of_crew = measure_as("otto", SN_ROLES, PING_OF("198.51.100.1"));
	of_boss = measure_as("admin", SN_ROLES, PING_OF("198.51.100.1"));
	change_policy(POLICY(ALLOW ", targets: 203.0.113.0/24", ""));
	assert_string_equal(whole_state(of_boss), "waiting");
	assert_string_equal(whole_state(of_crew), "stopped");
	assert_state(of_crew, "alpha", "stopped", "line 4");
	assert_state(of_crew, "beta", "stopped", "target '198.51.100.1' is not in it");
	/* Who is stopped, and why, is in the trail. */
	assert_int_equal(sn_sql_i64(world.hub->control, 0,
				    "SELECT count(*) FROM audit WHERE action = 'policy.measure' "
				    "AND actor = 'user:otto' AND outcome = 'refused' AND "
				    "subject = ? AND detail LIKE '%any more%line 4%'",
				    "t", of_crew),
			 1);
	/* A policy that is wider again does not start it anew. */
	change_policy(OPEN);
	assert_string_equal(whole_state(of_crew), "stopped");
}

static void networks_that_are_never_probed_stop_what_goes_there(void **state)
{
	const char *there, *elsewhere, *by_name;

	(void)state;
	there = measure_as("admin", SN_ROLES, PING_OF("198.51.100.1"));
	elsewhere = measure_as("admin", SN_ROLES, PING_OF("203.0.113.1"));
	by_name = measure_as("admin", SN_ROLES, PING_OF("host.example"));
	change_policy(POLICY(ALLOW, "198.51.100.0/24"));
	assert_state(there, "alpha", "stopped", "target '198.51.100.1' is never probed (line 5)");
	assert_int_equal(sn_sql_i64(world.hub->control, 0,
				    "SELECT line FROM audit WHERE subject = ? AND outcome = "
				    "'refused'",
				    "t", there),
			 5);
	assert_string_equal(whole_state(elsewhere), "waiting");
	assert_string_equal(whole_state(by_name), "waiting"); /* only nodes know where it leads */
}

static void nodes_that_are_allowed_no_more_leave_alone(void **state)
{
	const char *id;

	(void)state;
	make_user("otto", SN_ROLE_OPERATOR);
	id = measure_as("otto", SN_ROLES, PING_OF("198.51.100.1"));
	change_policy(POLICY(ALLOW ", nodes: alpha", ""));
	assert_string_equal(whole_state(id), "waiting");
	assert_state(id, "alpha", "waiting", "");
	assert_state(id, "beta", "stopped", "node 'beta' is not in it");
	node_ask(&world, &beta, "GET", "/api/v1/node/tasks", NULL, NULL);
	assert_int_equal(json_array_size(json_object_get(beta.json, "tasks")), 0);
	/* Each by a rule of its own is enough. */
	change_policy(POLICY(ALLOW ", nodes: beta}\n  - {" ALLOW ", nodes: alpha", ""));
	assert_state(id, "alpha", "waiting", "");
}

static void account_counts_with_the_lower_of_its_roles(void **state)
{
	const char *by_token, *by_account;

	(void)state;
	make_user("anna", SN_ROLE_ADMIN);
	make_user("otto", SN_ROLE_ADMIN);
	by_token = measure_as("anna", SN_ROLE_OPERATOR, PING_OF("198.51.100.1"));
	by_account = measure_as("otto", SN_ROLES, PING_OF("198.51.100.1"));
	/* Otto is an operator by now; Anna's token was never more. */
	assert_int_equal(sn_people_set_role(world.hub->people, "otto", SN_ROLE_OPERATOR, NULL), 0);
	change_policy(POLICY(ALLOW ", longest: 1d", ""));
	assert_string_equal(whole_state(by_token), "stopped");
	assert_state(by_account, "alpha", "stopped", "no longer than 1d");
}

static void newest_go_first_when_a_target_gets_too_much(void **state)
{
	static const char rate[] = OPEN "target_rate: 3/s\n";
	const char *first, *second, *third, *far;

	(void)state;
	/* Five samples in ten seconds from two nodes: one a second. */
	first = measure_as("admin", SN_ROLES, PING_OF("198.51.100.1"));
	second = measure_as("admin", SN_ROLES, PING_OF("198.51.100.1"));
	third = measure_as("admin", SN_ROLES, PING_OF("198.51.100.1"));
	far = measure_as("admin", SN_ROLES, PING_OF("203.0.113.1"));
	change_policy(rate);
	assert_string_equal(whole_state(third), "waiting");
	change_policy(OPEN "target_rate: 2/s\n");
	assert_string_equal(whole_state(first), "waiting");
	assert_string_equal(whole_state(second), "waiting");
	assert_state(third, "alpha", "stopped", "target '198.51.100.1' gets too much");
	assert_string_equal(whole_state(far), "waiting");
	change_policy(OPEN "target_rate: 1/s\n");
	assert_string_equal(whole_state(first), "waiting");
	assert_string_equal(whole_state(second), "stopped");
	assert_string_equal(whole_state(far), "waiting");
}

/* A peer whose capability leaves no choice about where it measures. */
static struct sn_mp_message *fixed_to(const char *address)
{
	sn_autofree char *text = sn_xasprintf(
		"{\"capability\":\"measure\",\"version\":1,\"registry\":\"" SN_MP_REGISTRY_CORE
		"\",\"label\":\"fixed\",\"token\":\"t\",\"when\":\"now ... future / 1s\","
		"\"parameters\":{\"destination.ip4\":\"%s\"},\"results\":[\"time\",\"rtt.us\"]}",
		address);

	return sn_mp_decode(world.hub->registries, text, strlen(text), 0, NULL, NULL);
}

static void offer_fixed(const char *provider, const char *address)
{
	assert_int_equal(sn_offers_register(world.hub->offers, provider, fixed_to(address), NULL),
			 0);
}

/* The status of asking for it from all, for ever; the id if it was taken. */
static unsigned ask_fixed(char id[SN_ULID_SIZE])
{
	struct reply reply =
		plain(&world, AS_LOCAL, "POST", ROOT, "", "{\"capability\":\"fixed\"," LAST "}");
	const char *made = json_string_value(json_object_get(reply.json, "id"));
	unsigned status = reply.status;

	snprintf(id, SN_ULID_SIZE, "%s", made != NULL ? made : "");
	reply_release(&reply);
	return status;
}

static void targets_that_capabilities_fix_count(void **state)
{
	char first[SN_ULID_SIZE], second[SN_ULID_SIZE];
	struct reply reply;

	(void)state;
	offer_fixed("peer:a", "198.51.100.1");
	offer_fixed("peer:b", "198.51.100.1");
	change_policy(OPEN "target_rate: 0.15/s\n");
	assert_int_equal(ask_fixed(first), 429); /* twice 0.1 */
	change_policy(OPEN "target_rate: 0.25/s\n");
	assert_int_equal(ask_fixed(first), 201);
	assert_int_equal(ask_fixed(second), 429);
	reply = plain(&world, AS_LOCAL, "POST", ROOT, "",
		      "{\"capability\":\"ping\"," LAST
		      ",\"nodes\":[\"alpha\"],\"parameters\":{\"targets\":\"198.51.100.1\","
		      "\"count\":1}}");
	assert_int_equal(reply.status, 429);
	reply_release(&reply);
	change_policy(OPEN "target_rate: 0.19/s\n");
	assert_string_equal(whole_state(first), "stopped");
	assert_int_equal(ask_fixed(second), 429);
	offer_fixed("peer:b", "198.51.100.2");
	assert_int_equal(ask_fixed(second), 201);
}

static void what_a_capability_fixes_is_asked_about_when_it_is_handed_out(void **state)
{
	sn_automp struct sn_mp_message *spared = fixed_to("203.0.113.7"), *fine = NULL;
	sn_automp struct sn_mp_message *busy = NULL;
	struct sn_authority *authority = world.hub->authority;
	const struct sn_measure *measure;
	char id[SN_ULID_SIZE];
	struct sn_err err = {0};

	(void)state;
	fine = fixed_to("198.51.100.3");
	busy = fixed_to("198.51.100.1");
	offer_fixed("peer:a", "198.51.100.1");
	offer_fixed("peer:b", "198.51.100.2");
	change_policy(POLICY(ALLOW, "203.0.113.0/24") "target_rate: 0.15/s\n");
	assert_int_equal(ask_fixed(id), 201);
	measure = sn_measures_find(world.hub->measures, id);
	assert_int_equal(sn_authority_may_hand_out(authority, measure, "peer:b", fine, &err), 0);
	assert_int_equal(sn_authority_may_hand_out(authority, measure, "peer:b", fine, &err), 0);
	assert_int_equal(sn_authority_may_hand_out(authority, measure, "peer:b", spared, &err),
			 -EACCES);
	assert_int_equal(sn_authority_may_hand_out(authority, measure, "peer:b", busy, &err),
			 -EDQUOT);
	assert_int_equal(sn_authority_may_hand_out(authority, measure, "peer:a", busy, &err), 0);
}

static void what_is_forbidden_does_not_push_out_what_is_allowed(void **state)
{
	const char *older, *newer;

	(void)state;
	make_user("otto", SN_ROLE_OPERATOR);
	older = measure_as("otto", SN_ROLES, PING_OF("198.51.100.1"));
	newer = measure_as("admin", SN_ROLES, PING_OF("198.51.100.1"));
	change_policy(POLICY(ALLOW ", longest: 1d", "") "target_rate: 1/s\n");
	assert_string_equal(whole_state(older), "stopped");
	assert_string_equal(whole_state(newer), "waiting");
}

static void policy_that_came_while_the_hub_was_down_counts(void **state)
{
	const char *id;

	(void)state;
	make_user("otto", SN_ROLE_OPERATOR);
	id = measure_as("otto", SN_ROLES, PING_OF("198.51.100.1"));
	enforce();
	world_restart(&world);
	assert_int_equal(world.hub->enforcing, SN_ENFORCE_DONE); /* the same one */
	write_policy(POLICY(ALLOW ", longest: 1d", ""));
	world_restart(&world);
	assert_int_equal(world.hub->enforcing, SN_ENFORCE_DUE);
	assert_string_equal(whole_state(id), "waiting");
	enforce();
	assert_state(id, "alpha", "stopped", "line 4");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nodes_are_given_what_is_never_probed),
		TEST(nodes_are_told_when_it_changes_and_only_then),
		TEST(what_is_allowed_no_more_is_stopped_and_the_rest_goes_on),
		TEST(networks_that_are_never_probed_stop_what_goes_there),
		TEST(nodes_that_are_allowed_no_more_leave_alone),
		TEST(account_counts_with_the_lower_of_its_roles),
		TEST(newest_go_first_when_a_target_gets_too_much),
		TEST(targets_that_capabilities_fix_count),
		TEST(what_a_capability_fixes_is_asked_about_when_it_is_handed_out),
		TEST(what_is_forbidden_does_not_push_out_what_is_allowed),
		TEST(policy_that_came_while_the_hub_was_down_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
