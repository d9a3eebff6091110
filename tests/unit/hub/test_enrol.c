/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/enrol.h"

static struct world world;

static int start(void **state)
{
	(void)state;
	world_start(&world, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop(&world);
	return 0;
}

static void token_names_the_ca_by_its_fingerprint(void **state)
{
	const char *token = make_token(&world, 60);

	(void)state;
	assert_int_equal(strcspn(token, "."), SN_JOIN_SECRET_DIGITS);
	assert_string_equal(token + SN_JOIN_SECRET_DIGITS + 1,
			    sn_identity_ca_fingerprint(world.hub->identity));
}

static void machine_with_a_token_becomes_a_node(void **state)
{
	struct sn_pki_info info;
	struct reply reply = enrol(&world, make_token(&world, 60), "alpha", NULL), shown;
	const char *cert = json_string_value(json_object_get(reply.json, "certificate_pem"));
	const char *id = json_string_value(json_object_get(reply.json, "node"));
	sn_autofree char *uri = sn_xasprintf("urn:sonde:node:%s", id);

	(void)state;
	assert_int_equal(reply.status, 201);
	assert_int_equal(sn_pki_info(cert, &info, NULL), 0);
	assert_string_equal(info.uri, uri);
	shown = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/nodes/alpha", NULL);
	assert_string_equal(json_string_value(json_object_get(shown.json, "id")), id);
	assert_string_equal(json_string_value(json_object_get(shown.json, "state")), "offline");
	reply_release(&shown);
	reply_release(&reply);
}

static void token_works_once(void **state)
{
	sn_autofree char *token = sn_xstrdup(make_token(&world, 60));
	struct reply first = enrol(&world, token, "alpha", NULL);
	struct reply second = enrol(&world, token, "beta", NULL);

	(void)state;
	assert_int_equal(first.status, 201);
	assert_int_equal(second.status, 403);
	assert_string_equal(code_of(&second), "token-used");
	assert_int_equal(sn_fleet_count(world.hub->fleet), 1);
	reply_release(&first);
	reply_release(&second);
}

static void lost_answer_may_be_asked_for_again(void **state)
{
	sn_autofree char *token = sn_xstrdup(make_token(&world, 60));
	struct sn_buf key = {0}, csr = {0};
	sn_autojson json_t *body = NULL;
	sn_autofree char *text = NULL;
	struct reply first, second;

	(void)state;
	assert_int_equal(sn_pki_key_generate(&key, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&key), "x", &csr, NULL), 0);
	body = json_pack("{s:s, s:s}", "token", token, "csr_pem", sn_buf_cstr(&csr));
	text = json_dumps(body, 0);
	first = expect(&world, AS_NOBODY, 201, "POST", "/api/v1/enrol", text);
	second = expect(&world, AS_NOBODY, 201, "POST", "/api/v1/enrol", text);
	assert_string_equal(json_string_value(json_object_get(first.json, "node")),
			    json_string_value(json_object_get(second.json, "node")));
	assert_int_equal(sn_fleet_count(world.hub->fleet), 1);
	reply_release(&first);
	reply_release(&second);
	sn_buf_finish(&key);
	sn_buf_finish(&csr);
}

static void expired_token_is_refused(void **state)
{
	struct sn_place place = {0};
	struct sn_invite_spec spec = {.place = &place, .life_ns = SN_NS_PER_S};
	struct sn_invite invite;
	struct sn_err err;
	struct reply reply;

	(void)state;
	/* Made two seconds ago. */
	assert_int_equal(sn_enrol_invite(world.hub->control, "f", &spec,
					 sn_hub_now(world.hub) - 2 * SN_NS_PER_S, &invite, &err),
			 0);
	reply = enrol(&world, invite.token, "alpha", NULL);
	assert_int_equal(reply.status, 403);
	assert_string_equal(code_of(&reply), "token-expired");
	reply_release(&reply);
}

static void unknown_and_withdrawn_tokens_are_refused(void **state)
{
	struct reply made = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/invites", "{}");
	const char *id = json_string_value(json_object_get(made.json, "id"));
	sn_autofree char *path = sn_xasprintf("/api/v1/invites/%s", id);
	struct reply gone = expect(&world, AS_LOCAL, 204, "DELETE", path, NULL), reply;

	(void)state;
	reply = enrol(&world, json_string_value(json_object_get(made.json, "token")), "a", NULL);
	assert_int_equal(reply.status, 403);
	assert_string_equal(code_of(&reply), "token-invalid");
	reply_release(&gone);
	reply_release(&made);
	reply_release(&reply);
}

static void database_holds_only_a_hash_of_the_secret(void **state)
{
	sn_autofree char *token = sn_xstrdup(make_token(&world, 60));
	static const char *const files[] = {"control.sqlite", "control.sqlite-wal"};
	size_t found = 0;

	(void)state;
	token[SN_JOIN_SECRET_DIGITS] = '\0';
	for (size_t i = 0; i < SN_COUNT(files); i++) {
		sn_autofree char *path = sn_fs_join(world.dir, files[i]);
		struct sn_buf content = {0};

		if (sn_fs_read(path, 64 << 20, &content, NULL) == 0) {
			found += content.n;
			assert_null(memmem(content.p, content.n, token, strlen(token)));
		}
		sn_buf_finish(&content);
	}
	assert_true(found > 0);
}

static void bad_request_does_not_use_up_the_token(void **state)
{
	sn_autofree char *token = sn_xstrdup(make_token(&world, 60));
	sn_autofree char *body = sn_xasprintf("{\"token\":\"%s\",\"csr_pem\":\"nonsense\"}", token);
	struct reply bad = expect(&world, AS_NOBODY, 422, "POST", "/api/v1/enrol", body);
	struct reply name = enrol(&world, token, "../x", NULL), good;

	(void)state;
	assert_int_equal(name.status, 422);
	good = enrol(&world, token, "alpha", NULL);
	assert_int_equal(good.status, 201);
	reply_release(&bad);
	reply_release(&name);
	reply_release(&good);
}

static void taken_name_gets_a_number(void **state)
{
	struct reply first = enrol(&world, make_token(&world, 60), "alpha", NULL);
	struct reply second = enrol(&world, make_token(&world, 60), "alpha", NULL), shown;

	(void)state;
	shown = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/nodes/alpha-2", NULL);
	assert_string_equal(json_string_value(json_object_get(shown.json, "id")),
			    json_string_value(json_object_get(second.json, "node")));
	reply_release(&first);
	reply_release(&second);
	reply_release(&shown);
}

static void invite_gives_name_and_place(void **state)
{
	struct reply made = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/invites",
				   "{\"name\":\"paris\",\"latitude\":48.85,\"longitude\":2.35,"
				   "\"place\":\"Paris\",\"expires_in\":\"10m\"}");
	const char *token = json_string_value(json_object_get(made.json, "token"));
	struct reply open = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/invites", NULL);
	struct reply joined = enrol(&world, token, "other", NULL), shown;

	(void)state;
	assert_null(strstr(open.body, token));
	assert_non_null(strstr(open.body, "Paris"));
	shown = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/nodes/paris", NULL);
	assert_true(json_number_value(json_object_get(shown.json, "latitude")) == 48.85);
	reply_release(&made);
	reply_release(&open);
	reply_release(&joined);
	reply_release(&shown);
}

static void key_of_the_ca_is_for_the_hub_only(void **state)
{
	sn_autofree char *path = sn_xasprintf("%s/pki/ca.key", world.dir);
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void node_speaks_with_its_certificate_and_renews_it(void **state)
{
	struct test_node node;
	struct sn_buf key = {0}, csr = {0};
	sn_autojson json_t *body = NULL;
	sn_autofree char *text = NULL;
	struct sn_pki_info info;

	(void)state;
	node_join(&world, &node, "alpha");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{\"version\":\"1\"}");
	assert_int_equal(node.status, 200);
	assert_int_equal(sn_pki_key_generate(&key, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&key), "x", &csr, NULL), 0);
	body = json_pack("{s:s}", "csr_pem", sn_buf_cstr(&csr));
	text = json_dumps(body, 0);
	node_ask(&world, &node, "POST", "/api/v1/node/renew", NULL, text);
	assert_int_equal(node.status, 200);
	assert_int_equal(
		sn_pki_info(json_string_value(json_object_get(node.json, "certificate_pem")), &info,
			    NULL),
		0);
	assert_string_equal(info.uri + strlen("urn:sonde:node:"), node.id);
	sn_buf_finish(&key);
	sn_buf_finish(&csr);
	node_leave(&node);
}

static void short_life_does_not_begin_long_ago(void **state)
{
	struct reply reply;
	struct sn_pki_info info;

	(void)state;
	world_stop(&world);
	world_start(&world, (const char *const[]){"node_certificate_life=30s", NULL});
	reply = enrol(&world, make_token(&world, 60), "alpha", NULL);
	assert_int_equal(
		sn_pki_info(json_string_value(json_object_get(reply.json, "certificate_pem")),
			    &info, NULL),
		0);
	/* A node renews at two thirds of what the certificate says: that must lie ahead. */
	assert_true(info.not_after_unix_s - info.not_before_unix_s <= 34);
	reply_release(&reply);
}

static void revoked_node_is_cut_off_and_refused(void **state)
{
	struct test_node node;
	struct reply reply;

	(void)state;
	node_join(&world, &node, "alpha");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_int_equal(node.status, 200);
	assert_true(sn_http_server_connections(world.hub->server) > 0);
	reply = expect(&world, AS_LOCAL, 200, "POST", "/api/v1/nodes/alpha/revoke", NULL);
	assert_string_equal(json_string_value(json_object_get(reply.json, "state")), "revoked");
	world_wait(&world, 50 * SN_NS_PER_MS);
	assert_int_equal(sn_http_server_connections(world.hub->server), 0);
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_int_equal(node.status, 403);
	assert_string_equal(json_string_value(json_object_get(node.json, "code")),
			    "identity-revoked");
	reply_release(&reply);
	node_leave(&node);
}

static void identity_and_nodes_survive_a_restart(void **state)
{
	struct test_node node;
	char fingerprint[SN_PKI_FINGERPRINT_SIZE], id[SN_ULID_SIZE];

	(void)state;
	node_join(&world, &node, "alpha");
	snprintf(fingerprint, sizeof(fingerprint), "%s",
		 sn_identity_ca_fingerprint(world.hub->identity));
	snprintf(id, sizeof(id), "%s", world.hub->id);
	world_restart(&world);
	assert_string_equal(fingerprint, sn_identity_ca_fingerprint(world.hub->identity));
	assert_string_equal(id, world.hub->id);
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_int_equal(node.status, 200);
	node_leave(&node);
}

static void expired_certificate_is_nobody(void **state)
{
	struct test_node node;

	(void)state;
	world_stop(&world);
	/* Ends at a whole second, so that it may be good for one second only. */
	world_start(&world, (const char *const[]){"node_certificate_life=2s", NULL});
	node_join(&world, &node, "alpha");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_int_equal(node.status, 200);
	world_wait(&world, 2200 * SN_NS_PER_MS);
	/* On the connection that was made while it was good. */
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_int_equal(node.status, 401);
	node_leave(&node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(token_names_the_ca_by_its_fingerprint, start, stop),
		cmocka_unit_test_setup_teardown(machine_with_a_token_becomes_a_node, start, stop),
		cmocka_unit_test_setup_teardown(token_works_once, start, stop),
		cmocka_unit_test_setup_teardown(lost_answer_may_be_asked_for_again, start, stop),
		cmocka_unit_test_setup_teardown(expired_token_is_refused, start, stop),
		cmocka_unit_test_setup_teardown(unknown_and_withdrawn_tokens_are_refused, start,
						stop),
		cmocka_unit_test_setup_teardown(database_holds_only_a_hash_of_the_secret, start,
						stop),
		cmocka_unit_test_setup_teardown(bad_request_does_not_use_up_the_token, start, stop),
		cmocka_unit_test_setup_teardown(taken_name_gets_a_number, start, stop),
		cmocka_unit_test_setup_teardown(invite_gives_name_and_place, start, stop),
		cmocka_unit_test_setup_teardown(key_of_the_ca_is_for_the_hub_only, start, stop),
		cmocka_unit_test_setup_teardown(node_speaks_with_its_certificate_and_renews_it,
						start, stop),
		cmocka_unit_test_setup_teardown(short_life_does_not_begin_long_ago, start, stop),
		cmocka_unit_test_setup_teardown(revoked_node_is_cut_off_and_refused, start, stop),
		cmocka_unit_test_setup_teardown(identity_and_nodes_survive_a_restart, start, stop),
		cmocka_unit_test_setup_teardown(expired_certificate_is_nobody, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
