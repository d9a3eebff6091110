/* SPDX-License-Identifier: Apache-2.0 */
/* The policy as the API shows it, asks it and is ruled by it. */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/control.h"

static const char good[] = "roles:\n"
			   "  boss: [user:admin, user:second]\n"
			   "  lab: user:lena\n"
			   "rules:\n"
			   "  - {allow: admin, roles: boss}\n" /* 5 */
			   "  - allow: [discover, measure]\n"  /* 6 */
			   "    roles: lab\n"
			   "    capabilities: ping\n"
			   "    nodes: \"tag:lab\"\n"
			   "    targets: 198.51.100.0/24\n"
			   "    longest: 1d\n"
			   "never_probe: 198.51.100.128/25\n"; /* 12 */

static struct world world;
static char dir[64], file[96];

static void write_policy(const char *text)
{
	assert_int_equal(sn_fs_write_atomic(file, text, strlen(text), 0600, NULL), 0);
}

static int start(void **state)
{
	char setting[128];
	const char *settings[] = {setting, NULL};

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sonde-policy-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/policy.yaml", dir);
	snprintf(setting, sizeof(setting), "policy=%s", file);
	write_policy(good);
	world_start(&world, settings);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop(&world);
	return sn_fs_remove_tree(dir, NULL);
}

static const char *text_of(const struct reply *reply, const char *key)
{
	const char *text = json_string_value(json_object_get(reply->json, key));

	return text != NULL ? text : "";
}

/* A header with a token for `user`, who is made with `role`. */
static void make_proof(const char *user, enum sn_role role, char header[160])
{
	char id[SN_ULID_SIZE], token[SN_SECRET_SIZE];
	int64_t now_ns = sn_hub_now(world.hub);

	if (!sn_people_exists(world.hub->people, user))
		assert_int_equal(sn_people_add(world.hub->people, user, role, now_ns, NULL), 0);
	assert_int_equal(sn_people_make_token(world.hub->people, user, "test", SN_ROLES, now_ns, 0,
					      id, token, NULL),
			 0);
	snprintf(header, 160, "Authorization: Bearer %s\r\n", token);
}

static void policy_in_force_is_shown(void **state)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/policy", NULL);

	(void)state;
	assert_string_equal(text_of(&reply, "file"), file);
	assert_string_equal(text_of(&reply, "text"), good);
	assert_true(json_is_null(json_object_get(reply.json, "problem")));
	assert_int_equal(json_integer_value(json_object_get(reply.json, "rules")), 2);
	assert_int_equal(json_array_size(json_object_get(reply.json, "never_probe")), 6);
	assert_true(json_number_value(json_object_get(reply.json, "target_rate")) ==
		    SN_POLICY_RATE);
	assert_int_equal(json_array_size(json_object_get(reply.json, "warnings")), 0);
	reply_release(&reply);
	/* There is no way to change it from here. */
	reply = plain(&world, AS_LOCAL, "PUT", "/api/v1/policy", "", "{}");
	assert_int_equal(reply.status, 405);
	reply_release(&reply);
}

static void question_gets_verdict_line_and_reason(void **state)
{
	static const struct {
		const char *body;
		bool allowed;
		int line, nearest;
		const char *reason;
	} cases[] = {
		{"{\"identity\":\"lena\",\"capability\":\"ping\",\"nodes\":[\"alpha\"],"
		 "\"targets\":[\"198.51.100.1\"]}",
		 true, 6, 0, "line 6"},
		{"{\"identity\":\"user:lena\",\"capability\":\"ping\",\"nodes\":[\"beta\"],"
		 "\"targets\":[\"198.51.100.1\"]}",
		 false, 0, 6, "node 'beta'"},
		{"{\"identity\":\"lena\",\"capability\":\"ping\",\"nodes\":[\"alpha\"],"
		 "\"targets\":[\"198.51.100.200\"]}",
		 false, 12, 0, "never probed"},
		{"{\"identity\":\"lena\",\"capability\":\"ping\",\"nodes\":[\"alpha\"],"
		 "\"targets\":[\"198.51.100.1\"],\"when\":\"now + 2d / 1s\"}",
		 false, 0, 6, "no longer than 1d"},
		{"{\"identity\":\"lena\",\"capability\":\"ping\",\"nodes\":[\"alpha\"],"
		 "\"targets\":[\"198.51.100.1\"],\"when\":\"now ... future / 1s\"}",
		 false, 0, 6, "no longer than 1d"},
		{"{\"identity\":\"lena\",\"capability\":\"trace\"}", false, 0, 6,
		 "not for this capability"},
		{"{\"identity\":\"admin\",\"action\":\"admin\"}", true, 5, 0, "line 5"},
		{"{\"identity\":\"org.mplane.SSB.Clients.C-1\",\"capability\":\"ping\"}", false, 0,
		 0, "has no role"},
	};
	struct test_node alpha, beta;
	struct reply reply;
	char header[160];

	(void)state;
	node_join(&world, &alpha, "alpha");
	node_join(&world, &beta, "beta");
	reply = expect(&world, AS_LOCAL, 200, "PATCH", "/api/v1/nodes/alpha",
		       "{\"tags\":[\"lab\"]}");
	reply_release(&reply);
	make_proof("lena", SN_ROLE_OPERATOR, header);
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		reply = expect(&world, AS_LOCAL, 200, "POST", "/api/v1/policy/explain",
			       cases[i].body);
		if (json_is_true(json_object_get(reply.json, "allowed")) != cases[i].allowed ||
		    json_integer_value(json_object_get(reply.json, "line")) != cases[i].line ||
		    json_integer_value(json_object_get(reply.json, "nearest")) !=
			    cases[i].nearest ||
		    strstr(text_of(&reply, "reason"), cases[i].reason) == NULL)
			fail_msg("%s: %s", cases[i].body, reply.body);
		reply_release(&reply);
	}
	node_leave(&alpha);
	node_leave(&beta);
}

static void question_that_is_no_good_is_refused(void **state)
{
	static const struct {
		const char *body, *reason;
	} cases[] = {
		{"{\"action\":\"masure\"}", "did you mean 'measure'"},
		{"{\"nodes\":[\"gamma\"]}", "there is no node 'gamma'"},
		{"{\"when\":\"sometimes\"}", "when"},
		{"{\"identitty\":\"a\"}", "'identity'"},
		{"{\"targets\":\"x\"}", "targets"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct reply reply = expect(&world, AS_LOCAL, 422, "POST", "/api/v1/policy/explain",
					    cases[i].body);

		if (strstr(reply.body, cases[i].reason) == NULL)
			fail_msg("%s: %s", cases[i].body, reply.body);
		reply_release(&reply);
	}
}

static void everybody_may_ask_about_themselves_only(void **state)
{
	struct reply reply;
	char header[160];

	(void)state;
	make_proof("lena", SN_ROLE_OPERATOR, header);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/policy/explain", header,
		      "{\"capability\":\"ping\",\"action\":\"discover\"}");
	assert_int_equal(reply.status, 200);
	assert_string_equal(text_of(&reply, "roles"), "lab");
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/policy/explain", header,
		      "{\"identity\":\"admin\"}");
	assert_int_equal(reply.status, 403);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "GET", "/api/v1/policy", header, NULL);
	assert_int_equal(reply.status, 403);
	reply_release(&reply);
}

/* The account says "admin", the policy of this hub says who. */
static void the_policy_decides_over_the_role_of_the_account(void **state)
{
	struct reply reply;
	char header[160];

	(void)state;
	make_proof("ada", SN_ROLE_ADMIN, header);
	reply = plain(&world, AS_NOBODY, "GET", "/api/v1/users", header, NULL);
	assert_int_equal(reply.status, 403);
	assert_non_null(strstr(reply.body, "has no role"));
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "GET", "/api/v1/datasets/ping/rows", header, NULL);
	assert_int_equal(reply.status, 403);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "GET", "/api/v1/events?topic=ping", header, NULL);
	assert_int_equal(reply.status, 403);
	reply_release(&reply);
	make_proof("second", SN_ROLE_VIEWER, header);
	reply = plain(&world, AS_NOBODY, "GET", "/api/v1/users", header, NULL);
	assert_int_equal(reply.status, 200);
	reply_release(&reply);
	/* Nobody is shut out of the hub on their own machine. */
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/datasets/ping/rows", NULL);
	reply_release(&reply);
}

static void refusals_are_in_the_audit_trail(void **state)
{
	struct reply reply;
	char header[160];
	const json_t *items;

	(void)state;
	make_proof("mallory", SN_ROLE_ADMIN, header);
	for (unsigned i = 0; i < 5; i++) {
		reply = plain(&world, AS_NOBODY, "GET", "/api/v1/users", header, NULL);
		assert_int_equal(reply.status, 403);
		reply_release(&reply);
	}
	reply = expect(&world, AS_LOCAL, 200, "GET",
		       "/api/v1/audit?actor=user:mallory&outcome=refused&action=policy.admin",
		       NULL);
	items = json_object_get(reply.json, "items");
	assert_int_equal(json_array_size(items), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(items, 0), "subject")),
			    "/api/v1/users");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/audit?outcome=done&limit=1", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 1);
	assert_true(json_is_string(json_object_get(reply.json, "next")));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET",
		       "/api/v1/audit?action=admin&subject=/api/v1/audit&since=-1h&until=now",
		       NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 1);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/audit?actor=mallory&until=-1h", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 0);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", "/api/v1/audit?outcome=perhaps", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", "/api/v1/audit?since=soon", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/audit?actor=nobody", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 0);
	reply_release(&reply);
}

/* Follows `next` to the end; the number of lines, and of pages. */
static size_t audit_lines(const char *query, unsigned *pages)
{
	sn_autofree char *cursor = sn_xstrdup("");
	size_t count = 0;

	for (*pages = 0; cursor != NULL && *pages < 20; ++*pages) {
		sn_autofree char *target = sn_xasprintf("/api/v1/audit?%s%s", query, cursor);
		struct reply reply = expect(&world, AS_LOCAL, 200, "GET", target, NULL);
		const char *next = json_string_value(json_object_get(reply.json, "next"));

		count += json_array_size(json_object_get(reply.json, "items"));
		free(cursor);
		cursor = next != NULL ? sn_xasprintf("&cursor=%s", next) : NULL;
		reply_release(&reply);
	}
	return count;
}

static void rare_lines_of_a_long_audit_trail_come_in_bounded_pages(void **state)
{
	struct sn_err err = {0};
	unsigned pages;

	(void)state;
	if (sn_control_audit(world.hub->control, 1, "user:rare", "first", "x", NULL, &err) != 0 ||
	    sn_db_exec(world.hub->control,
		       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
		       " WHERE i < 50000) INSERT INTO audit (time, actor, action, subject)"
		       " SELECT i, 'user:often', 'then', 'y' FROM n",
		       &err) != 0 ||
	    sn_control_audit(world.hub->control, 2, "user:rare", "last", "x", NULL, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(audit_lines("actor=rare", &pages), 2);
	assert_int_equal(pages, 3);
	assert_int_equal(audit_lines("actor=rare&limit=1", &pages), 2);
	assert_int_equal(pages, 5);
	assert_int_equal(audit_lines("actor=often&limit=10000", &pages), 50000);
	assert_in_range(pages, 5, 9);
	assert_int_equal(audit_lines("actor=nobody", &pages), 0);
	assert_int_equal(pages, 3);
}

static void broken_file_is_a_problem_that_people_see(void **state)
{
	int stream;
	struct reply reply;

	(void)state;
	stream = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=hub", "");
	read_stream(&world, stream, "\r\n\r\n");
	sn_log_set_level(0);
	write_policy("rules: x\n");
	sn_authority_reload(world.hub->authority);
	sn_log_set_level_name("error");
	assert_non_null(strstr(read_stream(&world, stream, "problems"), "line 1"));
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/hub", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "problems")), 1);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/policy", NULL);
	assert_string_equal(text_of(&reply, "text"), good);
	assert_non_null(strstr(text_of(&reply, "problem"), "line 1"));
	reply_release(&reply);

	write_policy(good);
	sn_authority_reload(world.hub->authority);
	assert_non_null(strstr(read_stream(&world, stream, "\"problems\":[]"), "\"problems\":[]"));
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/hub", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "problems")), 0);
	reply_release(&reply);
	close(stream);
}

/* Measuring ------------------------------------------------------------------------ */

#define PING(targets, more)                                                                        \
	"{\"capability\":\"ping\",\"parameters\":{\"targets\":[" targets "]}" more "}"

static const char measuring[] = "roles: {boss: account:admin, lab: [user:lena, user:otto]}\n"
				"rules:\n"
				"  - allow: [discover, measure, read, stop]\n" /* 3 */
				"    roles: lab\n"
				"    capabilities: ping\n"
				"    nodes: \"tag:lab\"\n"
				"    targets: [198.51.100.0/24, 127.0.0.1]\n"
				"  - allow: [stop-all, read-all]\n" /* 8 */
				"    roles: boss\n"
				"    capabilities: \"*\"\n"
				"target_rate: 10/s\n";

static struct test_node alpha;

/* "alpha" in the lab, heard of, and two people with a token. */
static void prepare(char lena[160], char otto[160])
{
	json_t *tags;

	write_policy(measuring);
	sn_authority_reload(world.hub->authority);
	if (alpha.client == NULL)
		node_join(&world, &alpha, "gamma");
	tags = json_pack("{s:[s]}", "tags", "lab");
	assert_int_equal(sn_fleet_edit(world.hub->fleet, sn_fleet_by_id(world.hub->fleet, alpha.id),
				       tags, NULL),
			 0);
	json_decref(tags);
	node_ask(&world, &alpha, "POST", "/api/v1/node/heartbeat", NULL,
		 "{\"methods\":[\"ping\"],\"interfaces\":[]}");
	assert_int_equal(alpha.status, 200);
	make_proof("lena", SN_ROLE_OPERATOR, lena);
	make_proof("otto", SN_ROLE_OPERATOR, otto);
}

static struct reply measure(const char *header, unsigned status, const char *body)
{
	struct reply reply = plain(&world, AS_NOBODY, "POST", "/api/v1/measurements", header, body);

	if (reply.status != status)
		fail_msg("%s: %u %s", body, reply.status, reply.body);
	return reply;
}

static void measurement_needs_a_rule_for_all_of_it(void **state)
{
	static const struct {
		unsigned status;
		const char *body, *reason;
	} cases[] = {
		{403, PING("\"203.0.113.1\"", ""), "203.0.113.1"},
		{403, PING("\"198.51.100.1\",\"203.0.113.1\"", ""), "203.0.113.1"},
		{403, PING("\"www.example.org\"", ""), "www.example.org"},
		{403, PING("\"224.0.0.1\"", ""), "never probed"},
		{201, PING("\"198.51.100.1\"", ",\"when\":\"now\""), ""},
	};
	char lena[160], otto[160];
	struct reply reply;

	(void)state;
	prepare(lena, otto);
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		reply = measure(lena, cases[i].status, cases[i].body);
		if (strstr(reply.body, cases[i].reason) == NULL)
			fail_msg("%s: %s", cases[i].body, reply.body);
		reply_release(&reply);
	}
	reply = expect(&world, AS_LOCAL, 403, "POST", "/api/v1/measurements",
		       PING("\"198.51.100.1\"", "")); /* the boss may not */
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET",
		       "/api/v1/audit?actor=user:lena&action=policy.measure", NULL);
	assert_true(json_array_size(json_object_get(reply.json, "items")) >= 2);
	reply_release(&reply);
}

static void preview_says_what_the_policy_would_and_is_not_written_down(void **state)
{
	char lena[160], otto[160];
	size_t before;
	struct reply reply;

	(void)state;
	prepare(lena, otto);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/audit?action=policy.measure", NULL);
	before = json_array_size(json_object_get(reply.json, "items"));
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/measurements?dry_run=true", otto,
		      PING("\"203.0.113.1\"", ""));
	assert_int_equal(reply.status, 200);
	assert_true(json_is_false(json_object_get(reply.json, "allowed")));
	assert_non_null(strstr(text_of(&reply, "reason"), "203.0.113.1"));
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/measurements?dry_run=true", otto,
		      PING("\"198.51.100.9\"", ""));
	assert_true(json_is_true(json_object_get(reply.json, "allowed")));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/audit?action=policy.measure", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), before);
	reply_release(&reply);
}

/* 10/s is the limit: 6 and 6 are too many, until the first has ended. */
static void one_target_bears_so_much_from_all_together(void **state)
{
	static const char fast[] = "{\"capability\":\"ping\",\"parameters\":{\"targets\":"
				   "[\"%s\"],\"count\":6,\"interval\":\"1ms\"},"
				   "\"when\":\"now + 1h / 1s\"}";
	char lena[160], otto[160];
	sn_autofree char *first = sn_xasprintf(fast, "198.51.100.77");
	sn_autofree char *other = sn_xasprintf(fast, "198.51.100.78");
	sn_autofree char *same = sn_xasprintf(fast, "198.51.100.77");
	sn_autofree char *own = sn_xasprintf(fast, "127.0.0.1");
	sn_autofree char *path = NULL;
	struct reply reply;

	(void)state;
	prepare(lena, otto);
	reply = measure(lena, 201, first);
	path = sn_xasprintf("/api/v1/measurements/%s/stop", text_of(&reply, "id"));
	reply_release(&reply);
	reply = measure(otto, 429, same);
	assert_string_equal(code_of(&reply), "target-rate");
	assert_non_null(strstr(reply.body, "198.51.100.77"));
	assert_non_null(strstr(reply.body, "6 samples per second now"));
	assert_non_null(strstr(reply.body, "10 is the limit"));
	reply_release(&reply);
	reply = measure(otto, 201, other);
	reply_release(&reply);
	for (unsigned i = 0; i < 3; i++) { /* loopback is nobody else's */
		reply = measure(otto, 201, own);
		reply_release(&reply);
	}
	/* Over a restart the hub knows what runs. */
	world_restart(&world);
	prepare(lena, otto);
	reply = measure(otto, 429, same);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "POST", path, lena, NULL);
	assert_int_equal(reply.status, 200);
	reply_release(&reply);
	reply = measure(otto, 201, same);
	reply_release(&reply);
}

static void only_ones_own_is_stopped_and_read(void **state)
{
	char lena[160], otto[160], boss[160];
	sn_autofree char *path = NULL, *stop_path = NULL;
	struct reply reply;

	(void)state;
	prepare(lena, otto);
	make_proof("berta", SN_ROLE_ADMIN, boss);
	reply = measure(lena, 201, PING("\"198.51.100.3\"", ",\"when\":\"now + 1h / 10s\""));
	path = sn_xasprintf("/api/v1/measurements/%s", text_of(&reply, "id"));
	stop_path = sn_xasprintf("%s/stop", path);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "GET", path, otto, NULL);
	assert_int_equal(reply.status, 404);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "POST", stop_path, otto, NULL);
	assert_int_equal(reply.status, 404);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "GET", path, lena, NULL);
	assert_int_equal(reply.status, 200);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "POST", stop_path, boss, NULL);
	assert_int_equal(reply.status, 200);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET",
		       "/api/v1/audit?actor=user:berta&action=policy.stop-all", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 1);
	reply_release(&reply);
	node_leave(&alpha);
	alpha.client = NULL;
	write_policy(good);
	sn_authority_reload(world.hub->authority);
}

static void policy_that_is_no_good_at_first_start_is_named(void **state)
{
	struct sn_hub *hub = NULL;
	struct sn_hub_config config = world.config;
	struct sn_err err = {0};
	char other[96];

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	config.state = other;
	write_policy("rules:\n  - nothing\n");
	assert_true(sn_hub_create(world.loop, &config, &hub, &err) < 0);
	assert_null(hub);
	assert_non_null(strstr(err.text, file));
	assert_non_null(strstr(err.text, "line 2"));
	write_policy(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy_in_force_is_shown),
		cmocka_unit_test(question_gets_verdict_line_and_reason),
		cmocka_unit_test(question_that_is_no_good_is_refused),
		cmocka_unit_test(everybody_may_ask_about_themselves_only),
		cmocka_unit_test(the_policy_decides_over_the_role_of_the_account),
		cmocka_unit_test(refusals_are_in_the_audit_trail),
		cmocka_unit_test(rare_lines_of_a_long_audit_trail_come_in_bounded_pages),
		cmocka_unit_test(broken_file_is_a_problem_that_people_see),
		cmocka_unit_test(measurement_needs_a_rule_for_all_of_it),
		cmocka_unit_test(preview_says_what_the_policy_would_and_is_not_written_down),
		cmocka_unit_test(one_target_bears_so_much_from_all_together),
		cmocka_unit_test(only_ones_own_is_stopped_and_read),
		cmocka_unit_test(policy_that_is_no_good_at_first_start_is_named),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
