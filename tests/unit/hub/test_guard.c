/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/guard.h"

/*
 * Who may, written down a second time: o anyone, l anyone on this machine, n a node,
 * u a person, d one who may read all, s one by full proof, a an administrator, p who has
 * a name in mPlane (people and nodes have one too).  A route that is not here fails the test.
 */
#define ACCOUNTS "udsa"
#define PERSONS  ACCOUNTS "p"
static const struct allowed {
	const char *method, *pattern, *who;
} allowed[] = {
	{"GET", "/", "o"},
	{"GET", "/{path*}", "o"},
	{"GET", "/login", "o"},
	{"GET", "/livez", "lu"},
	{"GET", "/readyz", "lu"},
	{"GET", "/version", "lu"},
	{"GET", "/metrics", "lu"},
	{"GET", "/api/v1/ca", "o"},
	{"POST", "/api/v1/enrol", "o"},
	{"POST", "/api/v1/session", "o"},
	{"POST", "/api/v1/node/renew", "n"},
	{"POST", "/api/v1/node/heartbeat", "n"},
	{"GET", "/api/v1/node/tasks", "n"},
	{"POST", "/api/v1/node/tasks/{id}", "n"},
	{"GET", "/api/v1/node/events", "n"},
	{"PUT", "/api/v1/node/batches/{stream}/{seq}", "n"},
	{"GET", "/api/v1/session", "u"},
	{"DELETE", "/api/v1/session", "u"},
	{"PUT", "/api/v1/session/password", "s"},
	{"POST", "/api/v1/session/certificate", "s"},
	{"POST", "/api/v1/login-links", "s"},
	{"GET", "/api/v1/users", "a"},
	{"POST", "/api/v1/users", "a"},
	{"PATCH", "/api/v1/users/{name}", "a"},
	{"DELETE", "/api/v1/users/{name}", "a"},
	{"GET", "/api/v1/tokens", "s"},
	{"POST", "/api/v1/tokens", "s"},
	{"DELETE", "/api/v1/tokens/{id}", "s"},
	{"GET", "/api/v1/certificates", "a"},
	{"POST", "/api/v1/certificates/{serial}/revoke", "a"},
	{"POST", "/api/v1/certificates", "a"},
	{"GET", "/api/v1/certificates/{serial}", "a"},
	{"POST", "/api/v1/certificates/{serial}/renew", "a"},
	{"GET", "/api/v1/ca/crl", "o"},
	{"GET", "/api/v1/audit", "a"},
	{"GET", "/api/v1/policy", "a"},
	{"POST", "/api/v1/policy/explain", "u"},
	{"GET", "/api/v1/hub", "u"},
	{"GET", "/api/v1/openapi.json", "u"},
	{"GET", "/api/v1/nodes", "u"},
	{"GET", "/api/v1/nodes/{id}", "u"},
	{"PATCH", "/api/v1/nodes/{id}", "a"},
	{"POST", "/api/v1/nodes/{id}/revoke", "a"},
	{"POST", "/api/v1/invites", "a"},
	{"GET", "/api/v1/invites", "a"},
	{"DELETE", "/api/v1/invites/{id}", "a"},
	{"POST", "/api/v1/uploads", "a"},
	{"GET", "/api/v1/uploads/{id}", "a"},
	{"PATCH", "/api/v1/uploads/{id}", "a"},
	{"DELETE", "/api/v1/uploads/{id}", "a"},
	{"POST", "/api/v1/imports", "a"},
	{"GET", "/api/v1/imports", "u"},
	{"GET", "/api/v1/imports/{id}", "u"},
	{"DELETE", "/api/v1/imports/{id}", "a"},
	{"GET", "/api/v1/annotation", "u"},
	{"GET", "/api/v1/quarantine", "a"},
	{"POST", "/api/v1/quarantine/retry", "a"},
	{"GET", "/api/v1/quarantine/{id}", "a"},
	{"DELETE", "/api/v1/quarantine/{id}", "a"},
	{"GET", "/api/v1/quarantine/{id}/content", "a"},
	{"POST", "/api/v1/quarantine/{id}/retry", "a"},
	{"GET", "/api/v1/methods", "u"},
	{"GET", "/api/v1/capabilities", "u"},
	{"GET", "/api/v1/capabilities/{label}", "u"},
	{"GET", "/api/v1/measurements", "u"},
	{"POST", "/api/v1/measurements", "u"},
	{"GET", "/api/v1/measurements/{id}", "u"},
	{"POST", "/api/v1/measurements/{id}/stop", "u"},
	{"GET", "/api/v1/measurements/{id}/results", "u"},
	{"GET", "/api/v1/datasets", "u"},
	{"GET", "/api/v1/datasets/{name}", "u"},
	{"GET", "/api/v1/datasets/{name}/rows", "d"},
	{"GET", "/api/v1/datasets/{name}/latest", "d"},
	{"GET", "/api/v1/datasets/{name}/export", "d"},
	{"GET", "/api/v1/dumps", "d"},
	{"POST", "/api/v1/dumps", "a"},
	{"GET", "/problems", "o"},
	{"GET", "/problems/{code}", "o"},
	{"GET", "/dumps", "d"},
	{"GET", "/dumps/{path*}", "d"},
	{"GET", "/api/v1/kml/track", "d"},
	{"GET", "/api/v1/kml/coverage", "d"},
	{"GET", "/api/v1/kml/marks", "u"},
	{"GET", "/api/v1/kml/marks/{name}", "u"},
	{"GET", "/api/v1/datasets/{name}/series", "d"},
	{"GET", "/api/v1/datasets/{name}/groups", "d"},
	{"GET", "/api/v1/datasets/{name}/quantiles", "d"},
	{"GET", "/api/v1/check/{node}", "d"},
	{"GET", "/api/v1/sources", "u"},
	{"GET", "/api/v1/store", "u"},
	{"GET", "/api/v1/store/datasets", "u"},
	{"GET", "/api/v1/store/days", "u"},
	{"DELETE", "/api/v1/store/days/{day}", "a"},
	{"POST", "/api/v1/store/migrate", "a"},
	{"POST", "/api/v1/store/check", "a"},
	{"POST", "/api/v1/store/backup", "a"},
	{"GET", "/api/v1/store/jobs", "a"},
	{"GET", "/api/v1/store/jobs/{id}", "a"},
	{"GET", "/api/v1/store/replication", "a"},
	{"GET", "/api/v1/store/rows/{day}/{dataset}/{version}", "a"},
	{"GET", "/api/v1/events", "u"},
	{"GET", "/api/v1/math", "a"},
	{"POST", "/api/v1/math", "a"},
	{"GET", "/api/v1/math/{id}", "a"},
	{"DELETE", "/api/v1/math/{id}", "a"},
	{"POST", "/DBSImport", "na"},
	{"GET", "/DBSImport", "na"},
	{"GET", "/DBSImport/{id}", "na"},
	{"POST", "/DBSImport/{id}", "na"},
	{"DELETE", "/DBSImport/{id}", "na"},
	{"POST", "/register/capability", "p"},
	{"GET", "/show/specification", "p"},
	{"POST", "/register/result", "p"},
	{"POST", "/", "p"},
	{"GET", "/capability", "p"},
	{"POST", "/capability", "p"},
	{"GET", "/capability/{token}", "p"},
	{"POST", "/capability/{token}", "p"},
	{"POST", "/specification", "p"},
	{"GET", "/show/capability", "p"},
	{"POST", "/register/specification", "p"},
	{"POST", "/show/result", "p"},
	{"GET", "/info/all", "p"},
};

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

/* mPlane peers ask with and without a slash at the end; it is one route. */
static size_t size_of(const char *pattern)
{
	size_t n = strlen(pattern);

	return n > 1 && pattern[n - 1] == '/' ? n - 1 : n;
}

static const struct allowed *find_allowed(const struct sn_http_route *route)
{
	for (size_t i = 0; i < SN_COUNT(allowed); i++) {
		if (strcmp(allowed[i].method, route->method) == 0 &&
		    strlen(allowed[i].pattern) == size_of(route->pattern) &&
		    strncmp(allowed[i].pattern, route->pattern, size_of(route->pattern)) == 0)
			return &allowed[i];
	}
	fail_msg("%s %s: the test does not know who may", route->method, route->pattern);
	return NULL;
}

/* "/x/{id}" -> "/x/zz", a thing that does not exist. */
static void concrete_path(const char *pattern, char *out, size_t size)
{
	size_t n = 0;

	while (*pattern != '\0' && n + 3 < size) {
		if (*pattern != '{') {
			out[n++] = *pattern++;
			continue;
		}
		out[n++] = 'z';
		out[n++] = 'z';
		pattern += strcspn(pattern, "}") + 1;
	}
	out[n] = '\0';
}

static bool is_stream(const struct sn_http_route *route)
{
	return strstr(route->pattern, "/events") != NULL;
}

static bool has_body(const struct sn_http_route *route)
{
	return route->max_body > 0;
}

/* Every refusal of the guard; anything else means that the request came through. */
static bool refused(unsigned status, const char *code)
{
	return status == 401 || (status == 403 && strncmp(code, "token-", 6) != 0 &&
				 strcmp(code, "") != 0 && strcmp(code, "wrong-password") != 0);
}

static void check_plain(enum as as, const struct sn_http_route *route, bool may)
{
	char path[256];
	struct reply reply;

	concrete_path(route->pattern, path, sizeof(path));
	if (may && is_stream(route))
		return; /* it would not end; test_events opens it */
	reply = plain(&world, as, route->method, path, "", has_body(route) ? "{}" : NULL);
	if (refused(reply.status, code_of(&reply)) == may)
		fail_msg("%s %s as %d: %u %s", route->method, path, as, reply.status,
			 code_of(&reply));
	reply_release(&reply);
}

static bool route_is_its_own(const struct sn_http_route *route)
{
	return size_of(route->pattern) == strlen(route->pattern);
}

static void every_route_is_open_to_exactly_whom_it_should_be(void **state)
{
	struct test_node node;
	size_t routes = 0;
	char path[256];

	(void)state;
	node_join(&world, &node, "alpha");
	for (size_t i = 0; i < world.hub->route_count; i++)
		routes += route_is_its_own(&world.hub->routes[i]);
	assert_int_equal(routes, SN_COUNT(allowed));
	for (size_t i = 0; i < world.hub->route_count; i++) {
		const struct sn_http_route *route = &world.hub->routes[i];
		const char *who = find_allowed(route)->who;
		bool anyone = strpbrk(who, "ol") != NULL;
		bool may = anyone || strpbrk(who, "np") != NULL;
		const char *code;

		check_plain(AS_NOBODY, route, anyone);
		check_plain(AS_LOCAL, route, anyone || strpbrk(who, PERSONS) != NULL);
		if (may && is_stream(route))
			continue;
		concrete_path(route->pattern, path, sizeof(path));
		node_ask(&world, &node, route->method, path, NULL, has_body(route) ? "{}" : NULL);
		code = json_string_value(json_object_get(node.json, "code"));
		if (refused(node.status, code != NULL ? code : "") == may)
			fail_msg("%s %s as node: %u", route->method, path, node.status);
	}
	node_leave(&node);
}

/* A header with a token of `role` of its own, or NULL, for an account with the role `account`. */
static void make_proof(const char *user, enum sn_role account, enum sn_role own, char header[160])
{
	char id[SN_ULID_SIZE], token[SN_SECRET_SIZE];
	int64_t now_ns = sn_hub_now(world.hub);

	if (!sn_people_exists(world.hub->people, user))
		assert_int_equal(sn_people_add(world.hub->people, user, account, now_ns, NULL), 0);
	assert_int_equal(sn_people_make_token(world.hub->people, user, "test", own, now_ns, 0, id,
					      token, NULL),
			 0);
	snprintf(header, 160, "Authorization: Bearer %s\r\n", token);
}

static void every_route_is_open_to_exactly_the_roles_it_should_be(void **state)
{
	static const struct {
		const char *user;
		enum sn_role account, own;
		const char *may;
	} proofs[] = {
		{"vera", SN_ROLE_VIEWER, SN_ROLES, "oludsp"},
		{"olga", SN_ROLE_OPERATOR, SN_ROLES, "oludsp"},
		{"anna", SN_ROLE_ADMIN, SN_ROLES, "oludsap"},
		{"anna", SN_ROLE_ADMIN, SN_ROLE_ADMIN, "oludap"},
		{"anna", SN_ROLE_ADMIN, SN_ROLE_VIEWER, "oludp"},
		{"vera", SN_ROLE_VIEWER, SN_ROLE_ADMIN, "oludp"},
	};
	char header[160], path[256];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(proofs); i++) {
		make_proof(proofs[i].user, proofs[i].account, proofs[i].own, header);
		for (size_t j = 0; j < world.hub->route_count; j++) {
			const struct sn_http_route *route = &world.hub->routes[j];
			bool may = strpbrk(find_allowed(route)->who, proofs[i].may) != NULL;
			struct reply reply;

			if (may && is_stream(route))
				continue;
			concrete_path(route->pattern, path, sizeof(path));
			reply = plain(&world, AS_NOBODY, route->method, path, header,
				      has_body(route) ? "{}" : NULL);
			if (refused(reply.status, code_of(&reply)) == may)
				fail_msg("%s %s as %s (%d): %u %s", route->method, path,
					 proofs[i].user, proofs[i].own, reply.status,
					 code_of(&reply));
			reply_release(&reply);
		}
	}
}

static void session_tells_the_role_of_the_proof(void **state)
{
	struct reply reply;
	char header[160];

	(void)state;
	make_proof("anna", SN_ROLE_ADMIN, SN_ROLE_OPERATOR, header);
	reply = plain(&world, AS_NOBODY, "GET", "/api/v1/session", header, NULL);
	assert_string_equal(json_string_value(json_object_get(reply.json, "role")), "operator");
	assert_true(json_is_false(json_object_get(reply.json, "admin")));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/session", NULL);
	assert_string_equal(json_string_value(json_object_get(reply.json, "role")), "admin");
	assert_true(json_is_true(json_object_get(reply.json, "admin")));
	reply_release(&reply);
}

static void change_of_role_counts_at_once_and_ends_streams(void **state)
{
	struct sn_who who = {.kind = SN_WHO_USER, .hub = world.hub};
	struct reply reply;
	char header[160];

	(void)state;
	make_proof("otto", SN_ROLE_ADMIN, SN_ROLES, header);
	who.policy = sn_authority_generation(world.hub->authority);
	who.means = SN_BY_TOKEN;
	who.role = SN_ROLE_ADMIN;
	sn_secret_hash((struct sn_str){header + 22, strcspn(header + 22, "\r")}, who.hash);
	assert_true(sn_guard_still(world.hub, &who, sn_hub_now(world.hub)));
	reply = plain(&world, AS_NOBODY, "GET", "/api/v1/users", header, NULL);
	assert_int_equal(reply.status, 200);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "PATCH", "/api/v1/users/otto",
		       "{\"role\":\"viewer\"}");
	assert_string_equal(json_string_value(json_object_get(reply.json, "role")), "viewer");
	reply_release(&reply);
	assert_false(sn_guard_still(world.hub, &who, sn_hub_now(world.hub)));
	who.role = SN_ROLE_VIEWER;
	assert_true(sn_guard_still(world.hub, &who, sn_hub_now(world.hub)));
	who.policy--;
	assert_false(sn_guard_still(world.hub, &who, sn_hub_now(world.hub)));
	reply = plain(&world, AS_NOBODY, "GET", "/api/v1/users", header, NULL);
	assert_int_equal(reply.status, 403);
	reply_release(&reply);
}

static void nobody_makes_a_way_in_for_somebody_else(void **state)
{
	struct reply reply;
	char header[160];

	(void)state;
	make_proof("olga", SN_ROLE_OPERATOR, SN_ROLES, header);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/login-links", header,
		      "{\"user\":\"admin\"}");
	assert_int_equal(reply.status, 403);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/login-links", header, "{}");
	assert_int_equal(reply.status, 201);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/tokens", header,
		      "{\"label\":\"x\",\"role\":\"admin\"}");
	assert_int_equal(reply.status, 422);
	assert_non_null(strstr(reply.body, "higher than one's own"));
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/tokens", header,
		      "{\"label\":\"x\",\"role\":\"viewer\"}");
	assert_int_equal(reply.status, 201);
	reply_release(&reply);
}

static void an_admin_is_always_left(void **state)
{
	struct reply reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/users",
				    "{\"name\":\"ida\",\"role\":\"admin\"}");

	(void)state;
	reply_release(&reply);
	for (size_t i = 0; i < 2; i++) { /* whoever of the tests before was one */
		reply = plain(&world, AS_LOCAL, "DELETE", "/api/v1/users/anna", "", NULL);
		reply_release(&reply);
	}
	reply = expect(&world, AS_LOCAL, 200, "PATCH", "/api/v1/users/ida",
		       "{\"role\":\"operator\"}");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 409, "PATCH", "/api/v1/users/admin",
		       "{\"role\":\"viewer\"}");
	assert_non_null(strstr(reply.body, "no admin would be left"));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 409, "DELETE", "/api/v1/users/admin", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 404, "PATCH", "/api/v1/users/nobody",
		       "{\"role\":\"viewer\"}");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 422, "PATCH", "/api/v1/users/ida", "{\"role\":\"king\"}");
	reply_release(&reply);
}

static void loopback_opens_nothing_for_somebody_elsewhere(void **state)
{
	static const enum sn_who_kind kinds[] = {SN_WHO_NOBODY, SN_WHO_NODE, SN_WHO_USER};

	(void)state;
	for (size_t i = 0; i < world.hub->route_count; i++) {
		const char *who = find_allowed(&world.hub->routes[i])->who;
		unsigned access = world.hub->routes[i].access;

		assert_true(sn_access_allows(access, SN_WHO_NOBODY, false) ==
			    (strchr(who, 'o') != NULL));
		assert_true(sn_access_allows(access, SN_WHO_NODE, false) ==
			    (strpbrk(who, "on") != NULL));
		assert_true(sn_access_allows(access, SN_WHO_USER, false) ==
			    (strpbrk(who, "o" ACCOUNTS) != NULL));
	}
	/* A route that says nothing is open to nobody, anywhere. */
	for (size_t i = 0; i < SN_COUNT(kinds); i++) {
		assert_false(sn_access_allows(0, kinds[i], false));
		assert_false(sn_access_allows(0, kinds[i], true));
	}
}

static void wrong_tokens_and_cookies_are_nobody(void **state)
{
	char wrong[64], empty[64];
	const char *const headers[] = {"Authorization: Bearer 0000\r\n",
				       "Authorization: Bearer \r\n",
				       "Authorization: Basic YWRtaW46YWRtaW4=\r\n", wrong, empty};

	(void)state;
	snprintf(wrong, sizeof(wrong), "Cookie: %s=0000\r\n", world.hub->session_cookie);
	snprintf(empty, sizeof(empty), "Cookie: %s=\r\n", world.hub->session_cookie);
	for (size_t i = 0; i < SN_COUNT(headers); i++) {
		struct reply reply =
			plain(&world, AS_NOBODY, "GET", "/api/v1/nodes", headers[i], NULL);

		assert_int_equal(reply.status, 401);
		assert_string_equal(reply_header(&reply, "WWW-Authenticate"), "Bearer");
		reply_release(&reply);
	}
}

static void plain_listener_answers_to_loopback_names_only(void **state)
{
	static const struct {
		const char *host;
		bool local;
	} cases[] = {
		{"localhost", true},
		{"localhost:8080", true},
		{"127.0.0.1", true},
		{"127.1.2.3:80", true},
		{"[::1]", true},
		{"[::1]:8080", true},
		{"LOCALHOST", true},
		{"x.localhost:1", true},
		{"evil.example", false},
		{"evil.example:80", false},
		{"localhost.evil.example", false},
		{"127.0.0.1.evil.example", false},
		{"192.0.2.1", false},
		{"", false},
		{"xlocalhost", false},
		{".localhost", false},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		if (sn_host_is_local(cases[i].host) != cases[i].local)
			fail_msg("'%s'", cases[i].host);
	}
}

static void foreign_host_is_refused_even_with_the_right_token(void **state)
{
	struct reply reply =
		plain(&world, AS_LOCAL, "GET", "/api/v1/nodes", "Host: evil.example\r\n", NULL);

	(void)state;
	assert_int_equal(reply.status, 421);
	assert_string_equal(code_of(&reply), "host-refused");
	reply_release(&reply);
}

/* A client with a certificate that says it is `uri`, signed by somebody else. */
static unsigned ask_as_stranger(const char *uri)
{
	struct sn_buf ca_key = {0}, ca = {0}, key = {0}, csr = {0}, cert = {0};
	struct sn_http_client_config config = {.ca_file = sn_identity_ca_file(world.hub->identity)};
	struct test_node stranger = {0};
	int64_t now_s = sn_hub_now(world.hub) / SN_NS_PER_S;
	struct sn_pki_issue issue = {.common_name = "x",
				     .uri = uri,
				     .usage = SN_PKI_CLIENT,
				     .not_before_unix_s = now_s - 60,
				     .not_after_unix_s = now_s + 3600};
	unsigned status;

	assert_int_equal(sn_pki_key_generate(&ca_key, NULL), 0);
	assert_int_equal(sn_pki_ca_create(sn_buf_cstr(&ca_key), "rogue", now_s - 60, now_s + 3600,
					  &ca, NULL),
			 0);
	assert_int_equal(sn_pki_key_generate(&key, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&key), "x", &csr, NULL), 0);
	issue.ca_cert_pem = sn_buf_cstr(&ca);
	issue.ca_key_pem = sn_buf_cstr(&ca_key);
	issue.csr_pem = sn_buf_cstr(&csr);
	assert_int_equal(sn_pki_issue(&issue, &cert, NULL), 0);
	snprintf(stranger.cert_file, sizeof(stranger.cert_file), "%s/rogue.pem", world.dir);
	snprintf(stranger.key_file, sizeof(stranger.key_file), "%s/rogue.key", world.dir);
	assert_int_equal(sn_fs_write_atomic(stranger.cert_file, cert.p, cert.n, 0600, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(stranger.key_file, key.p, key.n, 0600, NULL), 0);
	config.cert_file = stranger.cert_file;
	config.key_file = stranger.key_file;
	stranger.client = sn_http_client_create(world.loop, &config);
	node_ask(&world, &stranger, "GET",
		 strstr(uri, "node") ? "/api/v1/node/tasks" : "/api/v1/nodes", NULL, NULL);
	status = stranger.status;
	node_leave(&stranger);
	sn_buf_finish(&ca_key);
	sn_buf_finish(&ca);
	sn_buf_finish(&key);
	sn_buf_finish(&csr);
	sn_buf_finish(&cert);
	return status;
}

static void certificate_of_another_ca_is_nobody(void **state)
{
	struct test_node node;
	char uri[128];

	(void)state;
	node_join(&world, &node, "alpha");
	snprintf(uri, sizeof(uri), "urn:sonde:node:%s", node.id);
	assert_int_equal(ask_as_stranger(uri), 401);
	assert_int_equal(ask_as_stranger("urn:sonde:user:admin"), 401);
	node_leave(&node);
}

/* A person's certificate made by the API, in a client. */
static void make_user_client(struct test_node *user, char serial[SN_PKI_SERIAL_SIZE])
{
	struct sn_buf key = {0}, csr = {0};
	sn_autojson json_t *body = NULL;
	sn_autofree char *text = NULL;
	struct sn_http_client_config config = {.ca_file = sn_identity_ca_file(world.hub->identity)};
	struct reply reply;
	const char *cert;

	assert_int_equal(sn_pki_key_generate(&key, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&key), "x", &csr, NULL), 0);
	body = json_pack("{s:s}", "csr_pem", sn_buf_cstr(&csr));
	text = json_dumps(body, 0);
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/session/certificate", text);
	cert = json_string_value(json_object_get(reply.json, "certificate_pem"));
	snprintf(serial, SN_PKI_SERIAL_SIZE, "%s",
		 json_string_value(json_object_get(reply.json, "serial")));
	*user = (struct test_node){0};
	snprintf(user->cert_file, sizeof(user->cert_file), "%s/user.pem", world.dir);
	snprintf(user->key_file, sizeof(user->key_file), "%s/user.key", world.dir);
	assert_int_equal(sn_fs_write_atomic(user->cert_file, cert, strlen(cert), 0600, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(user->key_file, key.p, key.n, 0600, NULL), 0);
	config.cert_file = user->cert_file;
	config.key_file = user->key_file;
	user->client = sn_http_client_create(world.loop, &config);
	sn_buf_finish(&key);
	sn_buf_finish(&csr);
	reply_release(&reply);
}

static void persons_certificate_works_until_it_is_revoked(void **state)
{
	char serial[SN_PKI_SERIAL_SIZE], path[128];
	struct test_node user;
	struct reply reply;

	(void)state;
	make_user_client(&user, serial);
	node_ask(&world, &user, "GET", "/api/v1/session", NULL, NULL);
	assert_int_equal(user.status, 200);
	assert_string_equal(json_string_value(json_object_get(user.json, "by")), "certificate");
	node_ask(&world, &user, "GET", "/api/v1/node/tasks", NULL, NULL);
	assert_int_equal(user.status, 403);
	snprintf(path, sizeof(path), "/api/v1/certificates/%s/revoke", serial);
	reply = expect(&world, AS_LOCAL, 204, "POST", path, NULL);
	node_ask(&world, &user, "GET", "/api/v1/session", NULL, NULL);
	assert_int_equal(user.status, 403);
	reply_release(&reply);
	node_leave(&user);
}

/* Browsers send a certificate wherever a page tells them to, as they do with a cookie. */
static void foreign_page_changes_nothing_with_a_persons_certificate(void **state)
{
	static const char *const foreign[] = {"Origin: https://elsewhere.example", NULL};
	static const char *const fetched[] = {"Sec-Fetch-Site: cross-site", NULL};
	static const char *const own[] = {"Origin: https://localhost", "Sonde-Request: 1", NULL};
	char serial[SN_PKI_SERIAL_SIZE];
	struct test_node user;

	(void)state;
	make_user_client(&user, serial);
	node_ask(&world, &user, "POST", "/api/v1/invites", foreign, "{}");
	assert_int_equal(user.status, 403);
	assert_string_equal(json_string_value(json_object_get(user.json, "code")),
			    "request-header-missing");
	node_ask(&world, &user, "POST", "/api/v1/invites", fetched, "{}");
	assert_int_equal(user.status, 403);
	node_ask(&world, &user, "POST", "/api/v1/invites", own, "{}");
	assert_int_equal(user.status, 201);
	/* Programs send neither of the two. */
	node_ask(&world, &user, "POST", "/api/v1/invites", NULL, "{}");
	assert_int_equal(user.status, 201);
	node_ask(&world, &user, "GET", "/api/v1/session", foreign, NULL);
	assert_int_equal(user.status, 200);
	node_leave(&user);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_open_to_exactly_whom_it_should_be),
		cmocka_unit_test(every_route_is_open_to_exactly_the_roles_it_should_be),
		cmocka_unit_test(session_tells_the_role_of_the_proof),
		cmocka_unit_test(change_of_role_counts_at_once_and_ends_streams),
		cmocka_unit_test(nobody_makes_a_way_in_for_somebody_else),
		cmocka_unit_test(an_admin_is_always_left),
		cmocka_unit_test(loopback_opens_nothing_for_somebody_elsewhere),
		cmocka_unit_test(wrong_tokens_and_cookies_are_nobody),
		cmocka_unit_test(plain_listener_answers_to_loopback_names_only),
		cmocka_unit_test(foreign_host_is_refused_even_with_the_right_token),
		cmocka_unit_test(certificate_of_another_ca_is_nobody),
		cmocka_unit_test(persons_certificate_works_until_it_is_revoked),
		cmocka_unit_test(foreign_page_changes_nothing_with_a_persons_certificate),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
