/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_world.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "peer/client.h"
#include "peer/component_server.h"
#include "peer/peer.h"
#include "unit/net/net_world.h"

#define DAY     86400
#define WAIT_NS (200 * SN_NS_PER_MS)

static struct peer_world world;
static struct sn_component_server *server;
static struct sn_addr bound;
static char url[64];
static struct heard heard, other;

static struct pki ours, rogue;
static struct identity server_id, user_id, component_id, rogue_id;

/* Servers and clients ------------------------------------------------------------- */

static void start_server(const struct sn_http_tls *tls, uint64_t wait_ns)
{
	struct sn_component_server_config config = {.tls = tls, .wait_ns = wait_ns};
	char text[SN_ADDR_TEXT_MAX];
	struct sn_err err = {0};

	peer_init(&world, NULL);
	peer_offer(&world, "echo", "now ... future");
	config.loop = world.loop;
	config.component = world.component;
	config.registries = world.registries;
	config.write_flags = SN_MP_WRITE_SAFE;
	assert_int_equal(sn_addr_parse(SN_STR("127.0.0.1"), 0, &config.listen), 0);
	if (sn_component_server_create(&config, &server, &bound, &err) != 0)
		fail_msg("%s", err.text);
	snprintf(url, sizeof(url), "%s://%s", tls != NULL ? "https" : "http",
		 sn_addr_format_port(&bound, text, sizeof(text)));
}

static int setup(void **state SN_UNUSED)
{
	start_server(NULL, WAIT_NS);
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	sn_component_server_destroy(server);
	peer_finish(&world);
	heard_finish(&heard);
	heard_finish(&other);
	return 0;
}

static struct sn_peer_client *client_of(const char *forged, const struct identity *identity)
{
	struct sn_peer_client_config config = {
		.loop = world.loop,
		.registries = world.registries,
		.url = url,
		.forged_identity = forged,
		.write_flags = SN_MP_WRITE_SAFE,
	};

	if (identity != NULL) {
		config.ca_file = ours.ca_file;
		config.cert_file = identity->cert_file;
		config.key_file = identity->key_file;
	}
	return sn_peer_client_create(&config);
}

static void exchange(struct sn_peer_client *client, struct sn_mp_message *message)
{
	heard_finish(&heard);
	sn_peer_client_send(client, message, NULL, heard_message, &heard);
	assert_int_equal(heard.calls, 0);
	assert_true(peer_until(&world, &heard.calls, 1));
	sn_mp_message_destroy(message);
}

static void discover(struct sn_peer_client *client)
{
	heard_finish(&heard);
	sn_peer_client_discover(client, heard_message, &heard);
	assert_true(peer_until(&world, &heard.calls, 1));
}

/* Bare HTTP ----------------------------------------------------------------------- */

static void fetch(const char *method, const char *path, const char *type, const char *body,
		  struct outcome *outcome)
{
	struct sn_http_client_config config = {.ca_file = NULL};
	struct sn_http_client *client = sn_http_client_create(world.loop, &config);
	char target[256], header[128];
	const char *headers[] = {header, NULL};
	struct sn_http_fetch_spec spec = {
		.method = method,
		.url = target,
		.headers = type != NULL ? headers : NULL,
		.body = body,
		.body_size = strlen(body),
		.on_done = outcome_done,
		.ctx = outcome,
	};

	memset(outcome, 0, sizeof(*outcome));
	snprintf(header, sizeof(header), "%s", type != NULL ? type : "");
	snprintf(target, sizeof(target), "%s%s", url, path);
	assert_non_null(sn_http_fetch(client, &spec));
	assert_true(peer_until(&world, &outcome->calls, 1));
	sn_http_client_destroy(client);
}

static void assert_fetched(const char *method, const char *path, const char *type, const char *body,
			   unsigned status, const char *part)
{
	struct outcome outcome;

	fetch(method, path, type, body, &outcome);
	assert_int_equal(outcome.status, status);
	if (strstr(outcome_body(&outcome), part) == NULL)
		fail_msg("%s is not in: %s", part, outcome_body(&outcome));
	outcome_finish(&outcome);
}

#define JSON_TYPE "Content-Type: application/x-mplane+json"
#define SPECIFICATION                                                                              \
	"{\"specification\":\"measure\",\"version\":1,\"label\":\"echo-0\",\"token\":\"t1\","      \
	"\"registry\":\"http://ict-mplane.eu/registry/core\",\"when\":\"now\","                    \
	"\"parameters\":{\"destination.ip4\":\"203.0.113.9\"},"                                    \
	"\"results\":[\"delay.twoway.icmp.us.mean\"]}"

static void the_pages_are_those_that_clients_follow(void **state SN_UNUSED)
{
	struct outcome outcome;

	fetch("GET", "/capability", NULL, "", &outcome);
	assert_int_equal(outcome.status, 200);
	assert_string_equal(outcome.content_type, "text/html");
	assert_non_null(
		strstr(outcome_body(&outcome), "<a href='/capability/cap-echo'>cap-echo</a><br/>"));
	outcome_finish(&outcome);
	fetch("GET", "/capability/cap-echo", NULL, "", &outcome);
	assert_int_equal(outcome.status, 200);
	assert_string_equal(outcome.content_type, "application/x-mplane+json");
	assert_non_null(strstr(outcome_body(&outcome), "\"label\""));
	outcome_finish(&outcome);
	assert_fetched("GET", "/", NULL, "", 200, "href='/capability'");
	assert_fetched("GET", "/", NULL, "", 200, "<pre>");
	assert_fetched("GET", "/capability/", NULL, "", 200, "/capability/cap-echo");
	assert_fetched("GET", "/capability/none", NULL, "", 404, "");
	assert_fetched("GET", "/other", NULL, "", 404, "");
}

static void texts_from_capabilities_are_no_html(void **state SN_UNUSED)
{
	struct outcome outcome;

	peer_offer(&world, "<b>'&", "now");
	fetch("GET", "/", NULL, "", &outcome);
	assert_null(strstr(outcome_body(&outcome), "<b>"));
	assert_non_null(strstr(outcome_body(&outcome), "<h2>&lt;b&gt;&#39;&amp;</h2>"));
	outcome_finish(&outcome);
	assert_fetched("GET", "/capability", NULL, "", 200, "href='/capability/cap-%3Cb%3E%27%26'");
}

static void messages_are_taken_on_every_path(void **state SN_UNUSED)
{
	static const char *const paths[] = {"/",
					    "/capability",
					    "/capability/",
					    "/specification",
					    "/specification/",
					    "/capability/cap-echo"};

	world.work = WORLD_INSTANT;
	for (size_t i = 0; i < SN_COUNT(paths); i++)
		assert_fetched("POST", paths[i], JSON_TYPE, SPECIFICATION, 200, "\"result\"");
	assert_fetched("POST", "/", "Content-Type: application/json; charset=utf-8", SPECIFICATION,
		       200, "\"result\"");
	assert_int_equal(world.started, 1);
}

static void what_is_no_message_is_refused(void **state SN_UNUSED)
{
	assert_fetched("POST", "/", JSON_TYPE, "{", 400, "\"exception\"");
	assert_fetched("POST", "/", JSON_TYPE, "{}", 400, "\"exception\"");
	assert_fetched("POST", "/", JSON_TYPE, "{}", 400, "null");
	assert_fetched("POST", "/", "Content-Type: text/plain", SPECIFICATION, 415, "");
	assert_fetched("POST", "/", NULL, SPECIFICATION, 415, "");
	assert_fetched("POST", "/", JSON_TYPE,
		       "{\"capability\":\"measure\",\"version\":1,\"label\":\"x\",\"token\":\"q\","
		       "\"registry\":\"http://ict-mplane.eu/registry/core\",\"when\":\"now\"}",
		       200, "unexpected message");
	assert_int_equal(world.started, 0);
}

static void a_body_has_a_limit(void **state SN_UNUSED)
{
	char *body = sn_xmalloc(SN_COMPONENT_BODY_MAX + 2);
	struct outcome outcome;

	memset(body, ' ', SN_COMPONENT_BODY_MAX + 1);
	memcpy(body, SPECIFICATION, strlen(SPECIFICATION));
	body[SN_COMPONENT_BODY_MAX + 1] = '\0';
	fetch("POST", "/", JSON_TYPE, body, &outcome);
	assert_int_equal(outcome.status, 413);
	outcome_finish(&outcome);
	body[SN_COMPONENT_BODY_MAX] = '\0';
	world.work = WORLD_INSTANT;
	fetch("POST", "/", JSON_TYPE, body, &outcome);
	assert_int_equal(outcome.status, 200);
	outcome_finish(&outcome);
	free(body);
}

static void numbers_come_in_the_form_that_the_peer_writes(void **state SN_UNUSED)
{
	world.work = WORLD_INSTANT;
	assert_fetched("POST", "/", JSON_TYPE, SPECIFICATION, 200, "\"412\"");
	assert_fetched("POST", "/", JSON_TYPE,
		       "{\"specification\":\"measure\",\"version\":1,\"token\":\"t2\",\"x\":1,"
		       "\"registry\":\"http://ict-mplane.eu/registry/core\",\"when\":\"now\","
		       "\"metadata\":{\"measurement.revision\":3},"
		       "\"parameters\":{\"destination.ip4\":\"203.0.113.9\"},"
		       "\"results\":[\"delay.twoway.icmp.us.mean\"]}",
		       200, "[412]");
}

/* With our own client ------------------------------------------------------------- */

static void a_client_measures(void **state SN_UNUSED)
{
	struct sn_peer_client *client = client_of(ALICE, NULL);

	discover(client);
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 1);
	assert_string_equal(heard.message->contents[0]->label, "echo");
	world.work = WORLD_INSTANT;
	exchange(client, peer_specification(&world, "echo", "t1", "now"));
	assert_kind(&heard, SN_MP_RESULT);
	assert_string_equal(sn_mp_cell(heard.message, 0, 0), "412");
	assert_string_equal(world.identity, ALICE);
	sn_peer_client_destroy(client);
}

static void a_client_redeems_a_receipt(void **state SN_UNUSED)
{
	struct sn_peer_client *client = client_of(ALICE, NULL);

	exchange(client, peer_specification(&world, "echo", "t1", "now + 1h / 1s"));
	assert_kind(&heard, SN_MP_RECEIPT);
	exchange(client, peer_token_only(SN_MP_REDEMPTION, "t1"));
	assert_kind(&heard, SN_MP_RECEIPT);
	exchange(client, peer_token_only(SN_MP_INTERRUPT, "t1"));
	assert_kind(&heard, SN_MP_RESULT);
	assert_int_equal(world.stopped, 1);
	exchange(client, peer_token_only(SN_MP_REDEMPTION, "t1"));
	assert_kind(&heard, SN_MP_RESULT);
	sn_peer_client_destroy(client);
}

static void waiting_for_one_result_blocks_nobody(void **state SN_UNUSED)
{
	struct sn_peer_client *alice = client_of(ALICE, NULL), *bob = client_of(BOB, NULL);
	sn_automp struct sn_mp_message *slow =
		peer_specification(&world, "echo", "t1", "now + 1h / 1s");

	sn_peer_client_send(alice, slow, NULL, heard_message, &other);
	while (world.started == 0)
		sn_loop_turn(world.loop, 50 * SN_NS_PER_MS);
	exchange(bob, peer_token_only(SN_MP_REDEMPTION, "t1"));
	assert_exception(&heard, "unknown job");
	assert_int_equal(other.calls, 0);
	assert_true(peer_until(&world, &other.calls, 1));
	assert_kind(&other, SN_MP_RECEIPT);
	sn_peer_client_destroy(alice);
	sn_peer_client_destroy(bob);
}

static void a_client_that_leaves_is_forgotten(void **state SN_UNUSED)
{
	struct sn_peer_client *client = client_of(ALICE, NULL);
	sn_automp struct sn_mp_message *slow = peer_specification(&world, "echo", "t1", "now");

	sn_peer_client_send(client, slow, NULL, heard_message, &heard);
	while (world.started == 0)
		sn_loop_turn(world.loop, 50 * SN_NS_PER_MS);
	sn_peer_client_destroy(client);
	peer_turns(&world, 250);
	peer_end_job(&world);
	assert_int_equal(heard.calls, 0);
	client = client_of(ALICE, NULL);
	exchange(client, peer_token_only(SN_MP_REDEMPTION, "t1"));
	assert_kind(&heard, SN_MP_RESULT);
	sn_peer_client_destroy(client);
}

static void what_is_hidden_cannot_be_found(void **state SN_UNUSED)
{
	struct sn_peer_client *client = client_of(BOB, NULL);
	char capability[128];

	world.hidden_from = BOB;
	discover(client);
	assert_kind(&heard, SN_MP_ENVELOPE);
	assert_int_equal(heard.message->content_count, 0);
	sn_peer_client_destroy(client);
	snprintf(capability, sizeof(capability), SN_PEER_IDENTITY_HEADER ": %s", BOB);
	assert_fetched("GET", "/capability/cap-echo", capability, "", 404, "");
}

static void nobody_can_forge_an_identity_of_ours(void **state SN_UNUSED)
{
	static const char *const forged[] = {"user:root", "node:x",        "HUB:x",
					     "dns:x",     "account:admin", "a b"};

	world.work = WORLD_INSTANT;
	for (size_t i = 0; i < SN_COUNT(forged); i++) {
		struct sn_peer_client *client = client_of(forged[i], NULL);
		char token[8];

		snprintf(token, sizeof(token), "t%zu", i);
		exchange(client, peer_specification(&world, "echo", token, "now"));
		assert_kind(&heard, SN_MP_RESULT);
		assert_string_equal(world.identity, SN_PEER_UNAUTHENTICATED);
		sn_peer_client_destroy(client);
	}
}

static void plain_http_is_for_loopback_only(void **state SN_UNUSED)
{
	struct sn_component_server_config config = {.loop = world.loop};
	struct sn_component_server *open = NULL;
	struct sn_err err = {0};

	config.component = world.component;
	config.registries = world.registries;
	assert_int_equal(sn_addr_parse(SN_STR("0.0.0.0"), 0, &config.listen), 0);
	assert_true(sn_component_server_create(&config, &open, NULL, &err) < 0);
	assert_null(open);
	assert_true(err.text[0] != '\0');
}

/* With certificates --------------------------------------------------------------- */

static char *write_file(const char *name, const char *suffix, struct sn_buf *text)
{
	char *path = sn_xasprintf("%s/%s.%s", ours.dir, name, suffix);

	sn_buf_cstr(text);
	assert_int_equal(sn_fs_write_atomic(path, text->p, text->n, 0600, NULL), 0);
	return path;
}

/* As mPlane's own authorities issue them: the subject says who it is. */
static void issue_mplane(const char *name, struct identity *identity)
{
	static const char *const subject[] = {"DC=org", "DC=mplane", "O=SSB", "OU=Components",
					      NULL};
	static const char *const hosts[] = {"probe1.SSB.mplane.org", "127.0.0.1", NULL};
	struct sn_buf csr = {0};
	struct sn_err err = {0};
	struct sn_pki_issue issue = {
		.ca_cert_pem = ours.ca_pem.p,
		.ca_key_pem = ours.ca_key_pem.p,
		.subject = subject,
		.common_name = name,
		.hosts = hosts,
		.usage = SN_PKI_CLIENT | SN_PKI_SERVER,
		.not_before_unix_s = (int64_t)time(NULL) - DAY,
		.not_after_unix_s = (int64_t)time(NULL) + DAY,
	};

	assert_int_equal(sn_pki_key_generate(&identity->key_pem, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&identity->key_pem), name, &csr, NULL), 0);
	issue.csr_pem = sn_buf_cstr(&csr);
	if (sn_pki_issue(&issue, &identity->cert_pem, &err) != 0)
		fail_msg("%s", err.text);
	sn_buf_finish(&csr);
	identity->cert_file = write_file(name, "cert", &identity->cert_pem);
	identity->key_file = write_file(name, "key", &identity->key_pem);
}

static int make_identities(void **state SN_UNUSED)
{
	pki_init(&ours, "ours");
	pki_init(&rogue, "ours");
	pki_identity(&ours, "server", "urn:sonde:hub:h1", SN_PKI_SERVER, -DAY, DAY, &server_id);
	pki_identity(&ours, "alice", "urn:sonde:user:alice", SN_PKI_CLIENT, -DAY, DAY, &user_id);
	pki_identity(&rogue, "alice", "urn:sonde:user:alice", SN_PKI_CLIENT, -DAY, DAY, &rogue_id);
	issue_mplane("probe1", &component_id);
	return 0;
}

static int drop_identities(void **state SN_UNUSED)
{
	identity_finish(&server_id);
	identity_finish(&user_id);
	identity_finish(&component_id);
	identity_finish(&rogue_id);
	pki_finish(&ours);
	pki_finish(&rogue);
	return 0;
}

static int setup_tls(void **state SN_UNUSED)
{
	struct sn_http_tls tls = {.cert_pem = server_id.cert_pem.p,
				  .key_pem = server_id.key_pem.p,
				  .ca_pem = ours.ca_pem.p};

	start_server(&tls, WAIT_NS);
	world.work = WORLD_INSTANT;
	return 0;
}

static void assert_identity(const struct identity *identity, const char *expected)
{
	/* With TLS nobody is who he says but who he shows. */
	struct sn_peer_client *client = client_of(BOB, identity);

	discover(client);
	assert_kind(&heard, SN_MP_ENVELOPE);
	exchange(client, peer_specification(&world, "echo", "t1", "now"));
	assert_kind(&heard, SN_MP_RESULT);
	assert_string_equal(world.identity, expected);
	sn_peer_client_destroy(client);
}

static void a_certificate_of_ours_says_who_it_is(void **state SN_UNUSED)
{
	assert_identity(&user_id, "user:alice");
}

static void a_certificate_of_mplane_says_who_it_is(void **state SN_UNUSED)
{
	assert_identity(&component_id, "org.mplane.SSB.Components.probe1");
}

static void strangers_are_turned_away(void **state SN_UNUSED)
{
	struct identity nobody = {0};
	struct sn_peer_client *client = client_of(NULL, &rogue_id);

	discover(client);
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -EACCES);
	sn_peer_client_destroy(client);
	client = client_of("user:alice", &nobody);
	exchange(client, peer_specification(&world, "echo", "t1", "now"));
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -EACCES);
	assert_int_equal(world.started, 0);
	sn_peer_client_destroy(client);
}

static void a_server_of_strangers_is_not_trusted(void **state SN_UNUSED)
{
	struct sn_peer_client_config config = {
		.loop = world.loop,
		.registries = world.registries,
		.url = url,
		.ca_file = rogue.ca_file,
		.cert_file = rogue_id.cert_file,
		.key_file = rogue_id.key_file,
		.no_name_check = true,
	};
	struct sn_peer_client *client = sn_peer_client_create(&config);

	discover(client);
	assert_null(heard.message);
	assert_int_equal(heard.err.code, -EKEYREJECTED);
	sn_peer_client_destroy(client);
}

/* What peers of the reference implementation do to look at a certificate. */
static void handshake_and_go(void)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;

	assert_true(connect(fd, &bound.sa, bound.length) == 0 || errno == EINPROGRESS);
	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_certificate_set_x509_key_file(credentials, user_id.cert_file, user_id.key_file,
					     GNUTLS_X509_FMT_PEM);
	gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(session, fd);
	for (unsigned i = 0; i < 500; i++) {
		rc = gnutls_handshake(session);
		if (rc == 0)
			break;
		assert_false(gnutls_error_is_fatal(rc));
		peer_turns(&world, 2);
	}
	assert_int_equal(rc, 0);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
	close(fd);
}

static void connections_that_only_look_do_no_harm(void **state SN_UNUSED)
{
	for (unsigned i = 0; i < 3; i++)
		handshake_and_go();
	assert_identity(&user_id, "user:alice");
}

#define TEST(fn)     cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define TLS_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_tls, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_pages_are_those_that_clients_follow),
		TEST(texts_from_capabilities_are_no_html),
		TEST(messages_are_taken_on_every_path),
		TEST(what_is_no_message_is_refused),
		TEST(a_body_has_a_limit),
		TEST(numbers_come_in_the_form_that_the_peer_writes),
		TEST(a_client_measures),
		TEST(a_client_redeems_a_receipt),
		TEST(waiting_for_one_result_blocks_nobody),
		TEST(a_client_that_leaves_is_forgotten),
		TEST(what_is_hidden_cannot_be_found),
		TEST(nobody_can_forge_an_identity_of_ours),
		TEST(plain_http_is_for_loopback_only),
		TLS_TEST(a_certificate_of_ours_says_who_it_is),
		TLS_TEST(a_certificate_of_mplane_says_who_it_is),
		TLS_TEST(strangers_are_turned_away),
		TLS_TEST(a_server_of_strangers_is_not_trusted),
		TLS_TEST(connections_that_only_look_do_no_harm),
	};

	return cmocka_run_group_tests(tests, make_identities, drop_identities);
}
