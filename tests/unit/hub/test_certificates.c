/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of mPlane peers: issued, used, renewed, revoked, listed. */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

static struct world world;

static int start(void **state SN_UNUSED)
{
	world_start(&world, NULL);
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	world_stop(&world);
	return 0;
}

struct made { /* a certificate that was asked for, with its key */
	struct sn_buf key, csr;
	struct reply reply;
};

static void make_csr(struct made *made)
{
	*made = (struct made){0};
	assert_int_equal(sn_pki_key_generate(&made->key, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&made->key), "x", &made->csr, NULL), 0);
	sn_buf_cstr(&made->csr);
}

static void made_finish(struct made *made)
{
	sn_buf_finish(&made->key);
	sn_buf_finish(&made->csr);
	reply_release(&made->reply);
}

static const char *text_of(const struct made *made, const char *member)
{
	const char *text = json_string_value(json_object_get(made->reply.json, member));

	return text != NULL ? text : "";
}

/* POST with the members of `body` (stolen) and a fresh request for a certificate. */
static void order(struct made *made, const char *path, json_t *body)
{
	sn_autofree char *text = NULL;

	make_csr(made);
	json_object_set_new(body, "csr_pem", json_string(made->csr.p));
	text = json_dumps(body, 0);
	made->reply = plain(&world, AS_LOCAL, "POST", path, "", text);
	json_decref(body);
}

static void issue(struct made *made, const char *kind, const char *name)
{
	order(made, "/api/v1/certificates",
	      json_pack("{s:s, s:s, s:s}", "kind", kind, "organisation", "SSB", "name", name));
	if (made->reply.status != 201)
		fail_msg("%u %s", made->reply.status, made->reply.body);
}

/* A client with that certificate. */
static void connect_as(struct test_node *peer, const struct made *made, const char *name)
{
	const char *pem = text_of(made, "certificate_pem");
	struct sn_http_client_config config = {.ca_file = sn_identity_ca_file(world.hub->identity)};

	*peer = (struct test_node){0};
	snprintf(peer->cert_file, sizeof(peer->cert_file), "%s/%s.pem", world.dir, name);
	snprintf(peer->key_file, sizeof(peer->key_file), "%s/%s.key", world.dir, name);
	assert_int_equal(sn_fs_write_atomic(peer->cert_file, pem, strlen(pem), 0600, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(peer->key_file, made->key.p, made->key.n, 0600, NULL),
			 0);
	config.cert_file = peer->cert_file;
	config.key_file = peer->key_file;
	peer->client = sn_http_client_create(world.loop, &config);
}

/* What an open path answers: 200, or 403 for a certificate that is not accepted. */
static unsigned ask(struct test_node *peer)
{
	node_ask(&world, peer, "GET", "/api/v1/ca", NULL, NULL);
	return peer->status;
}

static void shut_out(const char *serial, unsigned status, const char *body)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/certificates/%s/revoke", serial);
	struct reply reply = expect(&world, AS_LOCAL, status, "POST", path, body);

	reply_release(&reply);
}

/* Issuing ---------------------------------------------------------------------------- */

static void a_component_is_known_by_its_subject_and_names(void **state SN_UNUSED)
{
	struct made made;
	struct sn_pki_info info;

	order(&made, "/api/v1/certificates",
	      json_pack("{s:s, s:s, s:s, s:[s], s:[s, s], s:[s], s:s}", "kind", "component",
			"organisation", "SSB", "name", "probe1", "dns", "probe.example", "ip",
			"192.0.2.7", "2001:db8::7", "uri", "https://probe.example/", "life", "2d"));
	assert_int_equal(made.reply.status, 201);
	assert_string_equal(text_of(&made, "kind"), "component");
	assert_string_equal(text_of(&made, "identity"), "org.mplane.SSB.Components.probe1");
	assert_string_equal(text_of(&made, "subject"),
			    "DC=org, DC=mplane, O=SSB, OU=Components, CN=probe1");
	assert_string_equal(text_of(&made, "state"), "valid");
	assert_int_equal(sn_pki_info(text_of(&made, "certificate_pem"), &info, NULL), 0);
	assert_string_equal(info.dotted, "org.mplane.SSB.Components.probe1");
	assert_string_equal(info.dns, "probe1.SSB.mplane.org");
	assert_string_equal(info.serial, text_of(&made, "serial"));
	assert_in_range(info.not_after_unix_s - sn_hub_now(world.hub) / SN_NS_PER_S, 2 * 86400 - 60,
			2 * 86400);
	assert_string_equal(text_of(&made, "ca_pem"), sn_identity_ca_pem(world.hub->identity));
	made_finish(&made);
}

static void each_kind_has_its_unit(void **state SN_UNUSED)
{
	static const char *const units[][2] = {{"component", "org.mplane.SSB.Components.x"},
					       {"client", "org.mplane.SSB.Clients.x"},
					       {"supervisor", "org.mplane.SSB.Supervisors.x"}};
	struct made made;

	for (size_t i = 0; i < SN_COUNT(units); i++) {
		issue(&made, units[i][0], "x");
		assert_string_equal(text_of(&made, "identity"), units[i][1]);
		made_finish(&made);
	}
}

static void what_is_no_good_is_named(void **state SN_UNUSED)
{
	static const struct {
		const char *body, *words;
	} cases[] = {
		{"{'kind':'boss','organisation':'SSB','name':'a'}", "kind: not component"},
		{"{'kind':'client','organisation':'S.B','name':'a'}", "organisation: 'S.B'"},
		{"{'kind':'client','organisation':'','name':'a'}", "organisation: ''"},
		{"{'kind':'client','organisation':'SSB','name':'a b'}", "name: 'a b'"},
		{"{'kind':'client','organisation':'SSB','name':'a','ip':['x']}", "ip: 'x' is not"},
		{"{'kind':'client','organisation':'SSB','name':'a','ip':['192.0.2.1:80']}",
		 "ip: '192.0.2.1:80' is not"},
		{"{'kind':'client','organisation':'SSB','name':'a','dns':['192.0.2.1']}",
		 "dns: '192.0.2.1' is an address"},
		{"{'kind':'client','organisation':'SSB','name':'a','dns':['*.x']}",
		 "neither a host name"},
		{"{'kind':'client','organisation':'SSB','name':'a','uri':['urn:sonde:user:admin']}",
		 "cannot certify the URI"},
		{"{'kind':'client','organisation':'SSB','name':'a','uri':['URN:SONDE:node:1']}",
		 "cannot certify the URI"},
		{"{'kind':'client','organisation':'SSB','name':'a','life':'9999d'}", "life: not"},
		{"{'kind':'client','organisation':'SSB','name':'a','colour':'x'}", "colour"},
		{"{'kind':'client','organisation':'SSB'}", "name"},
	};
	struct made made;

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_autofree char *text = sn_xstrdup(cases[i].body);

		for (char *c = text; *c != '\0'; c++)
			*c = *c == '\'' ? '"' : *c;
		order(&made, "/api/v1/certificates", json_loads(text, 0, NULL));
		if (made.reply.status != 422 || strstr(made.reply.body, cases[i].words) == NULL)
			fail_msg("%s: %u %s", text, made.reply.status, made.reply.body);
		made_finish(&made);
	}
}

static void too_many_names_are_refused(void **state SN_UNUSED)
{
	json_t *body = json_pack("{s:s, s:s, s:s}", "kind", "client", "organisation", "SSB", "name",
				 "many"),
	       *names = json_array();
	struct made made;

	for (unsigned i = 0; i <= SN_CERTIFICATE_NAMES_MAX; i++)
		json_array_append_new(names, json_sprintf("h%u.example", i));
	json_object_set_new(body, "dns", names);
	order(&made, "/api/v1/certificates", body);
	assert_int_equal(made.reply.status, 422);
	assert_non_null(strstr(made.reply.body, "more than 64"));
	made_finish(&made);
}

static void a_bad_request_for_a_certificate_is_the_clients_fault(void **state SN_UNUSED)
{
	struct reply reply = expect(&world, AS_LOCAL, 422, "POST", "/api/v1/certificates",
				    "{\"kind\":\"client\",\"organisation\":\"SSB\",\"name\":\"a\","
				    "\"csr_pem\":\"junk\"}");

	assert_string_equal(code_of(&reply), "invalid");
	reply_release(&reply);
	/* That of a person, too, and with a key that we do not take. */
	reply = expect(&world, AS_LOCAL, 422, "POST", "/api/v1/session/certificate",
		       "{\"csr_pem\":\"junk\"}");
	reply_release(&reply);
}

static void a_second_owner_of_an_identity_is_refused(void **state SN_UNUSED)
{
	struct made first, second;

	issue(&first, "client", "only-one");
	order(&second, "/api/v1/certificates",
	      json_pack("{s:s, s:s, s:s}", "kind", "client", "organisation", "SSB", "name",
			"only-one"));
	assert_int_equal(second.reply.status, 409);
	assert_non_null(strstr(second.reply.body, text_of(&first, "serial")));
	made_finish(&second);
	shut_out(text_of(&first, "serial"), 204, "{}");
	issue(&second, "client", "only-one");
	made_finish(&first);
	made_finish(&second);
}

/* Use ------------------------------------------------------------------------------------- */

static void a_revoked_certificate_is_refused_at_once(void **state SN_UNUSED)
{
	struct made made;
	struct test_node peer;
	unsigned before;

	issue(&made, "component", "revoked");
	connect_as(&peer, &made, "revoked");
	assert_int_equal(ask(&peer), 200);
	before = sn_http_server_connections(world.hub->server);
	shut_out(text_of(&made, "serial"), 422, "{\"reason\":\"a\\nb\"}");
	shut_out(text_of(&made, "serial"), 422, "{\"reason\":1}");
	assert_int_equal(ask(&peer), 200);
	shut_out(text_of(&made, "serial"), 204, "{\"reason\":\"key was copied\"}");
	world_wait(&world, 20 * SN_NS_PER_MS);
	assert_int_equal(sn_http_server_connections(world.hub->server), before - 1);
	assert_int_equal(ask(&peer), 403);
	assert_string_equal(json_string_value(json_object_get(peer.json, "code")),
			    "identity-revoked");
	assert_non_null(strstr(json_string_value(json_object_get(peer.json, "detail")), "revoked"));
	shut_out(text_of(&made, "serial"), 409, "{}");
	node_leave(&peer);
	made_finish(&made);
}

static void a_certificate_of_ours_that_is_not_in_the_table_is_refused(void **state SN_UNUSED)
{
	sn_autofree char *key_file = sn_fs_join(world.dir, "pki/ca.key");
	static const char *const subject[] = {"DC=org", "DC=mplane", "O=SSB", "OU=Components",
					      NULL};
	int64_t now_s = sn_hub_now(world.hub) / SN_NS_PER_S;
	struct sn_buf ca_key = {0}, pem = {0};
	struct test_node peer;
	struct made made;
	struct sn_pki_issue what = {
		.ca_cert_pem = sn_identity_ca_pem(world.hub->identity),
		.subject = subject,
		.common_name = "forged",
		.usage = SN_PKI_CLIENT,
		.not_before_unix_s = now_s - 60,
		.not_after_unix_s = now_s + 3600,
	};

	assert_int_equal(sn_fs_read(key_file, SN_PKI_PEM_MAX, &ca_key, NULL), 0);
	make_csr(&made);
	what.ca_key_pem = sn_buf_cstr(&ca_key);
	what.csr_pem = made.csr.p;
	assert_int_equal(sn_pki_issue(&what, &pem, NULL), 0);
	made.reply.json = json_pack("{s:s}", "certificate_pem", sn_buf_cstr(&pem));
	connect_as(&peer, &made, "forged");
	assert_int_equal(ask(&peer), 403);
	node_leave(&peer);
	sn_buf_finish(&ca_key);
	sn_buf_finish(&pem);
	made_finish(&made);
}

/* A peer is no person: it gets what is open, and what routes for peers give it. */
static void a_peer_is_no_person(void **state SN_UNUSED)
{
	struct made made;
	struct test_node peer;

	issue(&made, "supervisor", "boss");
	connect_as(&peer, &made, "boss");
	node_ask(&world, &peer, "GET", "/api/v1/nodes", NULL, NULL);
	assert_int_equal(peer.status, 401);
	node_leave(&peer);
	made_finish(&made);
}

/* Renewing ---------------------------------------------------------------------------------- */

static void a_renewed_certificate_has_the_same_names_and_the_old_one_goes_on(void **state SN_UNUSED)
{
	struct made first, second;
	struct test_node old, fresh;
	sn_autofree char *path = NULL;

	order(&first, "/api/v1/certificates",
	      json_pack("{s:s, s:s, s:s, s:[s], s:s}", "kind", "client", "organisation", "SSB",
			"name", "renewed", "ip", "192.0.2.9", "life", "3d"));
	assert_int_equal(first.reply.status, 201);
	path = sn_xasprintf("/api/v1/certificates/%s/renew", text_of(&first, "serial"));
	order(&second, path, json_object());
	assert_int_equal(second.reply.status, 201);
	assert_string_equal(text_of(&second, "identity"), text_of(&first, "identity"));
	assert_string_not_equal(text_of(&second, "serial"), text_of(&first, "serial"));
	assert_true(json_equal(json_object_get(second.reply.json, "hosts"),
			       json_object_get(first.reply.json, "hosts")));
	connect_as(&old, &first, "old");
	connect_as(&fresh, &second, "fresh");
	assert_int_equal(ask(&old), 200);
	assert_int_equal(ask(&fresh), 200);
	shut_out(text_of(&first, "serial"), 204, "{}");
	assert_int_equal(ask(&old), 403);
	assert_int_equal(ask(&fresh), 200);
	made_finish(&second);
	order(&second, path, json_object());
	assert_int_equal(second.reply.status, 409);
	node_leave(&old);
	node_leave(&fresh);
	made_finish(&first);
	made_finish(&second);
}

/* Lists ------------------------------------------------------------------------------------- */

static size_t count(const char *query)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/certificates?limit=10000%s", query);
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	size_t n = json_array_size(json_object_get(reply.json, "items"));

	reply_release(&reply);
	return n;
}

static void the_list_can_be_narrowed(void **state SN_UNUSED)
{
	struct test_node node;
	struct made made;
	struct reply reply;
	sn_autofree char *path = NULL;
	size_t revoked = count("&state=revoked"), clients = count("&kind=client");

	node_join(&world, &node, "gamma");
	issue(&made, "client", "listed");
	assert_int_equal(count("&kind=client"), clients + 1);
	assert_int_equal(count("&kind=node"), 1);
	assert_int_equal(count("&identity=org.mplane.SSB.Clients.listed"), 1);
	assert_int_equal(count("&identity=org.mplane.SSB.Clients.listed&kind=component"), 0);
	shut_out(text_of(&made, "serial"), 204, NULL);
	assert_int_equal(count("&state=revoked"), revoked + 1);
	assert_int_equal(count("&state=valid&identity=org.mplane.SSB.Clients.listed"), 0);
	path = sn_xasprintf("/api/v1/certificates/%s", text_of(&made, "serial"));
	reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	assert_string_equal(json_string_value(json_object_get(reply.json, "state")), "revoked");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", "/api/v1/certificates?state=old", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", "/api/v1/certificates?kind=clients", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 404, "GET", "/api/v1/certificates/00", NULL);
	reply_release(&reply);
	node_leave(&node);
	made_finish(&made);
}

static void a_nodes_certificate_is_revoked_with_the_node(void **state SN_UNUSED)
{
	struct test_node node;
	struct sn_pki_info info;
	struct sn_buf pem = {0};

	node_join(&world, &node, "delta");
	assert_int_equal(sn_fs_read(node.cert_file, SN_PKI_PEM_MAX, &pem, NULL), 0);
	assert_int_equal(sn_pki_info(sn_buf_cstr(&pem), &info, NULL), 0);
	shut_out(info.serial, 409, "{}");
	shut_out("00", 404, "{}");
	sn_buf_finish(&pem);
	node_leave(&node);
}

/* Revocation list ------------------------------------------------------------------------------ */

static struct sn_pki_crl *get_crl(struct sn_buf *der)
{
	struct sn_pki_crl *crl = NULL;
	struct sn_str now;
	struct sn_err err = {0};

	sn_buf_clear(der);
	assert_int_equal(sn_crl_get(world.hub->crl, sn_hub_now(world.hub), &now, &err), 0);
	sn_buf_add(der, now.p, now.n);
	assert_int_equal(sn_pki_crl_read(now, sn_identity_ca_pem(world.hub->identity), &crl, &err),
			 0);
	return crl;
}

static void the_revocation_list_is_open_and_made_when_something_changes(void **state SN_UNUSED)
{
	struct sn_buf first = {0}, second = {0};
	struct sn_pki_crl *crl = get_crl(&first);
	struct reply reply;
	struct made made;
	size_t before = sn_pki_crl_count(crl);

	sn_pki_crl_free(crl);
	issue(&made, "component", "on-the-list");
	crl = get_crl(&second);
	assert_int_equal(second.n, first.n);
	assert_memory_equal(second.p, first.p, first.n); /* nothing was revoked */
	assert_false(sn_pki_crl_holds(crl, text_of(&made, "serial")));
	sn_pki_crl_free(crl);

	shut_out(text_of(&made, "serial"), 204, NULL);
	crl = get_crl(&second);
	assert_int_equal(sn_pki_crl_count(crl), before + 1);
	assert_true(sn_pki_crl_holds(crl, text_of(&made, "serial")));
	assert_true(sn_pki_crl_next_update(crl) > sn_hub_now(world.hub) / SN_NS_PER_S + 6 * 86400);
	sn_pki_crl_free(crl);

	reply = expect(&world, AS_NOBODY, 200, "GET", "/api/v1/ca/crl", NULL);
	assert_string_equal(reply_header(&reply, "Content-Type"), "application/pkix-crl");
	reply_release(&reply);
	reply = expect(&world, AS_NOBODY, 200, "GET", "/api/v1/ca/crl?form=pem", NULL);
	assert_non_null(strstr(reply.body, "-----BEGIN X509 CRL-----"));
	reply_release(&reply);
	reply = expect(&world, AS_NOBODY, 400, "GET", "/api/v1/ca/crl?form=xml", NULL);
	reply_release(&reply);
	sn_buf_finish(&first);
	sn_buf_finish(&second);
	made_finish(&made);
}

static int64_t crl_number(void)
{
	sqlite3_stmt *row = sn_db_query(world.hub->control, NULL,
					"SELECT CAST(value AS INTEGER) FROM meta"
					" WHERE key = 'crl_number'",
					"");
	int64_t number;

	assert_int_equal(sn_db_next(world.hub->control, row, NULL), 1);
	number = sqlite3_column_int64(row, 0);
	sn_db_done(row);
	return number;
}

static void lists_and_revocations_outlive_a_restart(void **state SN_UNUSED)
{
	struct sn_buf der = {0};
	struct sn_pki_crl *crl;
	struct made made;
	struct test_node peer;
	int64_t number;

	issue(&made, "client", "restart");
	connect_as(&peer, &made, "restart");
	shut_out(text_of(&made, "serial"), 204, NULL);
	sn_pki_crl_free(get_crl(&der));
	number = crl_number();
	world_restart(&world);
	crl = get_crl(&der);
	assert_true(crl_number() > number);
	assert_true(sn_pki_crl_holds(crl, text_of(&made, "serial")));
	assert_int_equal(ask(&peer), 403);
	sn_pki_crl_free(crl);
	sn_buf_finish(&der);
	node_leave(&peer);
	made_finish(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_component_is_known_by_its_subject_and_names),
		cmocka_unit_test(each_kind_has_its_unit),
		cmocka_unit_test(what_is_no_good_is_named),
		cmocka_unit_test(too_many_names_are_refused),
		cmocka_unit_test(a_bad_request_for_a_certificate_is_the_clients_fault),
		cmocka_unit_test(a_second_owner_of_an_identity_is_refused),
		cmocka_unit_test(a_revoked_certificate_is_refused_at_once),
		cmocka_unit_test(a_certificate_of_ours_that_is_not_in_the_table_is_refused),
		cmocka_unit_test(a_peer_is_no_person),
		cmocka_unit_test(a_renewed_certificate_has_the_same_names_and_the_old_one_goes_on),
		cmocka_unit_test(the_list_can_be_narrowed),
		cmocka_unit_test(a_nodes_certificate_is_revoked_with_the_node),
		cmocka_unit_test(the_revocation_list_is_open_and_made_when_something_changes),
		cmocka_unit_test(lists_and_revocations_outlive_a_restart),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
