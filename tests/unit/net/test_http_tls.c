/* SPDX-License-Identifier: Apache-2.0 */
#include "net_world.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/http_server_internal.h"

#define DAY      86400
#define NODE_URI "urn:sonde:node:01HZ"

static struct seen {
	unsigned handled, abandoned, opened, closed;
	char uri[SN_PKI_NAME_MAX];
	bool tls;
} seen;

static struct pki ours, rogue; /* two CAs that even have the same name */
static struct identity server_id, other_server_id, expired_server_id;
static struct identity node_id, node2_id, expired_id, future_id, rogue_id;

static int64_t wall_offset_ns;

static uint64_t real_mono(const struct sn_clock *clock SN_UNUSED)
{
	return sn_mono_ns();
}

static int64_t shifted_wall(const struct sn_clock *clock SN_UNUSED)
{
	return sn_wall_ns() + wall_offset_ns;
}

static const struct sn_clock shifted_clock = {real_mono, shifted_wall};

static void who(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	const struct sn_pki_info *peer = sn_http_peer(request);
	const char *uri = peer != NULL ? peer->uri : "nobody";

	seen.handled++;
	seen.tls = sn_http_is_tls(request);
	snprintf(seen.uri, sizeof(seen.uri), "%s", uri);
	sn_http_reply(request, 200, "text/plain", uri, strlen(uri));
}

static void echo(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_str body = sn_http_body(request);

	sn_http_reply(request, 200, "text/plain", body.p, body.n);
}

static void gave_up(struct sn_http_request *request SN_UNUSED, void *ctx SN_UNUSED)
{
	seen.abandoned++;
}

static void hold(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	seen.opened++;
	sn_http_on_abandon(request, gave_up, NULL);
}

static void sse_closed(struct sn_sse *sse SN_UNUSED, void *ctx SN_UNUSED)
{
	seen.closed++;
}

static void events(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	seen.opened++;
	sn_sse_open(request, sse_closed, NULL);
}

static const struct sn_http_route routes[] = {
	{"GET", "/who", who, 0, 0, NULL},
	{"POST", "/echo", echo, 200000, 0, NULL},
	{"GET", "/hold", hold, 0, 0, NULL},
	{"GET", "/events", events, 0, 0, NULL},
};

static const struct sn_http_config config = {.routes = routes, .route_count = SN_COUNT(routes)};
static struct world world;

static struct sn_http_tls tls_of(const struct identity *identity)
{
	return (struct sn_http_tls){identity->cert_pem.p, identity->key_pem.p, ours.ca_pem.p};
}

static struct sn_http_client_config client_of(const struct identity *identity)
{
	return (struct sn_http_client_config){
		.ca_file = ours.ca_file,
		.cert_file = identity != NULL ? identity->cert_file : NULL,
		.key_file = identity != NULL ? identity->key_file : NULL,
	};
}

/* A server with `server`'s certificate and a client with `client`'s (NULL: none). */
static void start(const struct identity *server, const struct identity *client)
{
	struct sn_http_tls tls = tls_of(server);
	struct sn_http_client_config own = client_of(client);

	seen = (struct seen){0};
	world_init_tls(&world, &config, &tls, &own);
}

static int teardown(void **state SN_UNUSED)
{
	world_finish(&world);
	return 0;
}

static void use_client(const struct sn_http_client_config *own)
{
	sn_http_client_destroy(world.client);
	world.client = sn_http_client_create(world.loop, own);
}

static void assert_seen_as(const char *uri)
{
	struct outcome outcome;

	world_get(&world, "/who", &outcome);
	if (outcome.error != 0)
		fail_msg("%s", outcome.text);
	assert_int_equal(outcome.status, 200);
	assert_string_equal(outcome_body(&outcome), uri);
	outcome_finish(&outcome);
}

/* Who the peer is ----------------------------------------------------------------------- */

static void a_certificate_of_our_ca_is_an_identity(void **state SN_UNUSED)
{
	start(&server_id, &node_id);
	assert_seen_as(NODE_URI);
	assert_true(seen.tls);
}

static void no_certificate_is_no_identity(void **state SN_UNUSED)
{
	start(&server_id, NULL);
	assert_seen_as("nobody");
	assert_true(seen.tls);
}

static void a_strangers_certificate_is_no_identity(void **state SN_UNUSED)
{
	start(&server_id, &rogue_id);
	assert_seen_as("nobody");
}

static void an_expired_certificate_is_no_identity(void **state SN_UNUSED)
{
	start(&server_id, &expired_id);
	assert_seen_as("nobody");
}

static void a_certificate_of_tomorrow_is_no_identity(void **state SN_UNUSED)
{
	start(&server_id, &future_id);
	assert_seen_as("nobody");
}

static void a_servers_certificate_is_no_clients_identity(void **state SN_UNUSED)
{
	start(&server_id, &other_server_id);
	assert_seen_as("nobody");
}

static void an_identity_ends_with_its_certificate_on_an_open_connection(void **state SN_UNUSED)
{
	struct sn_http_tls tls = tls_of(&server_id);
	struct sn_http_client_config own = client_of(&node_id);

	start(&server_id, NULL);
	world_finish(&world);
	wall_offset_ns = 0;
	world.loop = sn_loop_create(&shifted_clock);
	world.server = sn_http_server_create(world.loop, &config);
	sn_addr_parse(SN_STR("127.0.0.1"), 0, &world.addr);
	assert_int_equal(
		sn_http_server_listen(world.server, &world.addr, -1, &tls, &world.addr, NULL), 0);
	snprintf(world.url, sizeof(world.url), "https://127.0.0.1:%u", sn_addr_port(&world.addr));
	world.client = sn_http_client_create(world.loop, &own);
	assert_seen_as(NODE_URI);
	wall_offset_ns = 2 * DAY * SN_NS_PER_S;
	assert_seen_as("nobody");
	assert_int_equal(sn_http_server_connections(world.server), 1);
}

/* Others are not to pay for it: headers near the limit are read piece by piece. */
static void assert_long_headers_pass(void)
{
	static char header[14000];
	static const char *const headers[] = {header, NULL};
	struct outcome outcome;

	memset(header, 'x', sizeof(header) - 1);
	memcpy(header, "X-Long: ", 8);
	assert_non_null(world_start(&world, "GET", "/who", NULL, 0, headers, &outcome));
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.status, 200);
	outcome_finish(&outcome);
}

static void a_handshake_that_stalls_costs_no_time(void **state SN_UNUSED)
{
	static const char half_hello[] = "\x16\x03\x01\x01\x70\x01\x00\x01";
	uint64_t before_ns;
	int fds[20];

	start(&server_id, NULL);
	for (size_t i = 0; i < SN_COUNT(fds); i++) {
		fds[i] = raw_connect(&world);
		assert_int_equal(send(fds[i], half_hello, sizeof(half_hello) - 1, MSG_NOSIGNAL),
				 sizeof(half_hello) - 1);
	}
	world_turns(&world, 50);
	assert_int_equal(sn_http_server_connections(world.server), SN_COUNT(fds));
	before_ns = test_cpu_ns();
	world_turns(&world, 300);
	assert_true(test_cpu_ns() - before_ns < 60 * SN_NS_PER_MS);
	assert_long_headers_pass();
	for (size_t i = 0; i < SN_COUNT(fds); i++)
		close(fds[i]);
	assert_long_headers_pass();
}

/* Bodies over TLS -------------------------------------------------------------------------- */

static void bodies_pass_over_tls(void **state SN_UNUSED)
{
	static char body[200000];
	struct outcome outcome;

	start(&server_id, &node_id);
	memset(body, 'x', sizeof(body));
	world_fetch(&world, "POST", "/echo", body, sizeof(body), &outcome);
	assert_int_equal(outcome.status, 200);
	assert_int_equal(outcome.body.n, sizeof(body));
	outcome_finish(&outcome);
}

static void a_body_without_length_is_limited_over_tls(void **state SN_UNUSED)
{
	static const char *const headers[] = {"Transfer-Encoding: chunked", "Expect:", NULL};
	static char body[200001];
	struct outcome outcome;

	start(&server_id, &node_id);
	assert_non_null(
		world_start(&world, "POST", "/echo", body, sizeof(body), headers, &outcome));
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.error, 0);
	assert_int_equal(outcome.status, 413);
	assert_string_equal(outcome.content_type, "application/problem+json");
	outcome_finish(&outcome);
}

/* Closing ------------------------------------------------------------------------------------ */

static bool is_node(const struct sn_pki_info *peer, void *ctx)
{
	return strcmp(peer->uri, ctx) == 0;
}

static void revoked_peers_are_gone_within_a_turn(void **state SN_UNUSED)
{
	struct sn_http_client_config other = client_of(&node2_id);
	struct sn_http_client *client2;
	struct outcome idle, held, streamed;
	char uri[] = NODE_URI;

	start(&server_id, &node_id);
	world_start(&world, "GET", "/hold", NULL, 0, NULL, &held);
	assert_true(world_until(&world, &seen.opened));
	seen.opened = 0;
	world_start(&world, "GET", "/events", NULL, 0, NULL, &streamed);
	assert_true(world_until(&world, &seen.opened));
	assert_seen_as(NODE_URI); /* a third connection, idle now */
	client2 = world.client;
	world.client = sn_http_client_create(world.loop, &other);
	assert_seen_as("urn:sonde:node:two");
	assert_int_equal(sn_http_server_connections(world.server), 4);

	assert_int_equal(sn_http_server_close_peers(world.server, is_node, uri), 3);
	sn_loop_turn(world.loop, 0);
	sn_loop_turn(world.loop, 0);
	assert_int_equal(sn_http_server_connections(world.server), 1);
	assert_int_equal(seen.abandoned, 1);
	assert_int_equal(seen.closed, 1);
	assert_true(world_until(&world, &held.calls));
	assert_true(held.error < 0);
	assert_true(world_until(&world, &streamed.calls));
	assert_true(streamed.error < 0);
	assert_seen_as("urn:sonde:node:two");

	world_get(&world, "/who", &idle);
	outcome_finish(&idle);
	outcome_finish(&held);
	outcome_finish(&streamed);
	sn_http_client_destroy(client2);
}

/* A new certificate ---------------------------------------------------------------------------- */

static unsigned daemons(void)
{
	unsigned count = 0;

	sn_list_for_each (link, &world.server->daemons)
		count++;
	return count;
}

/* The fingerprint of the certificate that a new connection is shown. */
static void assert_shown(const struct identity *identity)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	const gnutls_datum_t *chain;
	struct sn_pki_info shown, expected;
	unsigned count;
	int fd = raw_connect(&world), result;
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_set_default_priority(session);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(session, fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((result = gnutls_handshake(session)) != 0 && sn_mono_ns() < end_ns) {
		assert_false(gnutls_error_is_fatal(result));
		sn_loop_turn(world.loop, 2 * SN_NS_PER_MS);
	}
	assert_int_equal(result, 0);
	chain = gnutls_certificate_get_peers(session, &count);
	assert_int_equal(sn_pki_info_der(chain->data, chain->size, &shown, NULL), 0);
	assert_int_equal(sn_pki_info(identity->cert_pem.p, &expected, NULL), 0);
	assert_string_equal(shown.fingerprint, expected.fingerprint);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
	close(fd);
}

static void a_new_certificate_is_shown_and_open_connections_live_on(void **state SN_UNUSED)
{
	struct sn_http_tls renewed = tls_of(&other_server_id);

	start(&server_id, &node_id);
	assert_seen_as(NODE_URI);
	assert_shown(&server_id);
	world_turns(&world, 10);
	assert_int_equal(sn_http_server_connections(world.server), 1);
	assert_int_equal(sn_http_server_set_tls(world.server, &renewed, NULL), 0);
	assert_shown(&other_server_id);
	assert_int_equal(daemons(), 2);
	/* The same connection as before, identity and all. */
	assert_seen_as(NODE_URI);
	world_turns(&world, 10);
	assert_int_equal(sn_http_server_connections(world.server), 1);
	/* When it goes, what served it goes, too. */
	sn_http_client_reset(world.client);
	world_turns(&world, 30);
	assert_int_equal(daemons(), 1);
	assert_seen_as(NODE_URI);
}

static void a_new_certificate_on_an_idle_server_leaves_one_daemon(void **state SN_UNUSED)
{
	struct sn_http_tls renewed = tls_of(&other_server_id);

	start(&server_id, &node_id);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(sn_http_server_set_tls(world.server, &renewed, NULL), 0);
	world_turns(&world, 20);
	assert_int_equal(daemons(), 1);
	assert_seen_as(NODE_URI);
}

static void a_bad_certificate_is_refused_and_the_old_one_stays(void **state SN_UNUSED)
{
	struct sn_http_tls bad = tls_of(&server_id);
	struct sn_err err = {0};

	start(&server_id, &node_id);
	bad.key_pem = other_server_id.key_pem.p;
	assert_int_equal(sn_http_server_set_tls(world.server, &bad, &err), -EINVAL);
	assert_non_null(strstr(err.text, "certificate"));
	bad = tls_of(&server_id);
	bad.cert_pem = "nonsense";
	assert_int_equal(sn_http_server_set_tls(world.server, &bad, &err), -EINVAL);
	bad = tls_of(&server_id);
	bad.ca_pem = "nonsense";
	assert_int_equal(sn_http_server_set_tls(world.server, &bad, &err), -EINVAL);
	assert_shown(&server_id);
	assert_seen_as(NODE_URI);
	assert_int_equal(daemons(), 1);
}

/* What the client trusts -------------------------------------------------------------------------
 */

static void assert_fails(const char *path, int error, const char *words)
{
	struct outcome outcome;

	world_get(&world, path, &outcome);
	if (outcome.error != error || strstr(outcome.text, words) == NULL)
		fail_msg("%d '%s' instead of %d '%s'", outcome.error, outcome.text, error, words);
	assert_int_equal(seen.handled, 0);
	outcome_finish(&outcome);
}

static void a_server_of_a_foreign_ca_is_refused(void **state SN_UNUSED)
{
	struct sn_http_client_config own = client_of(NULL);

	start(&server_id, NULL);
	own.ca_file = rogue.ca_file;
	use_client(&own);
	assert_fails("/who", -EKEYREJECTED, "not signed by the CA in");
}

static void a_server_that_the_system_does_not_know_is_refused(void **state SN_UNUSED)
{
	struct sn_http_client_config own = {0};

	start(&server_id, NULL);
	use_client(&own);
	assert_fails("/who", -EKEYREJECTED, "a CA that this system knows");
}

static void a_certificate_for_another_name_is_refused(void **state SN_UNUSED)
{
	struct sn_http_tls tls = tls_of(&server_id);
	struct sn_addr addr, bound;
	char url[64];

	start(&server_id, NULL);
	sn_addr_parse(SN_STR("127.0.0.2"), 0, &addr);
	assert_int_equal(sn_http_server_listen(world.server, &addr, -1, &tls, &bound, NULL), 0);
	snprintf(url, sizeof(url), "https://127.0.0.2:%u/who", sn_addr_port(&bound));
	assert_fails(url, -EKEYREJECTED, "for another name");
}

static void the_name_can_be_left_unchecked_and_nothing_else(void **state SN_UNUSED)
{
	struct sn_http_client_config own = client_of(NULL);
	struct sn_http_tls tls = tls_of(&server_id);
	struct sn_addr addr, bound;
	struct outcome outcome;
	char url[64];

	start(&server_id, NULL);
	sn_addr_parse(SN_STR("127.0.0.2"), 0, &addr);
	assert_int_equal(sn_http_server_listen(world.server, &addr, -1, &tls, &bound, NULL), 0);
	snprintf(url, sizeof(url), "https://127.0.0.2:%u/who", sn_addr_port(&bound));
	own.no_name_check = true;
	use_client(&own);
	world_get(&world, url, &outcome);
	assert_int_equal(outcome.status, 200);
	outcome_finish(&outcome);
	seen.handled = 0;
	own.ca_file = rogue.ca_file;
	use_client(&own);
	assert_fails(url, -EKEYREJECTED, "not signed by the CA in");
	world_finish(&world);
	start(&expired_server_id, NULL);
	own.ca_file = ours.ca_file;
	use_client(&own);
	assert_fails("/who", -EKEYREJECTED, "out of date");
}

static void an_expired_server_is_refused(void **state SN_UNUSED)
{
	start(&expired_server_id, NULL);
	assert_fails("/who", -EKEYREJECTED, "out of date");
}

static void an_insecure_client_trusts_anything(void **state SN_UNUSED)
{
	struct sn_http_client_config own = {.insecure = true};

	start(&expired_server_id, NULL);
	use_client(&own);
	assert_seen_as("nobody");
}

static void files_that_cannot_be_used_are_our_own_fault(void **state SN_UNUSED)
{
	struct sn_http_client_config own = client_of(&node_id);

	start(&server_id, NULL);
	own.cert_file = "/nonexistent/cert.pem";
	use_client(&own);
	assert_fails("/who", -EINVAL, "our own certificate");
	own = client_of(&node_id);
	own.ca_file = "/nonexistent/ca.pem";
	use_client(&own);
	assert_fails("/who", -EINVAL, "CA file");
}

static void plain_http_to_a_tls_port_fails_and_the_other_way_round(void **state SN_UNUSED)
{
	struct sn_addr addr, bound;
	char url[64];

	start(&server_id, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/who", sn_addr_port(&world.addr));
	assert_fails(url, -ECONNRESET, "cannot reach 'http://127.0.0.1");
	sn_addr_parse(SN_STR("127.0.0.1"), 0, &addr);
	assert_int_equal(sn_http_server_listen(world.server, &addr, -1, NULL, &bound, NULL), 0);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/who", sn_addr_port(&bound));
	assert_fails(url, -EPROTO, "TLS handshake failed");
}

/* A server that insists on a client certificate and likes none
 * -------------------------------------- */

static struct strict {
	struct sn_io listener, io;
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	int fd;
} strict;

static int dislike(gnutls_session_t session SN_UNUSED)
{
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static void strict_step(struct sn_io *io, int events SN_UNUSED)
{
	int result = gnutls_handshake(strict.session);

	if (result != 0 && !gnutls_error_is_fatal(result))
		return;
	gnutls_alert_send(strict.session, GNUTLS_AL_FATAL, GNUTLS_A_UNKNOWN_CA);
	sn_io_stop(io);
	gnutls_deinit(strict.session);
	shutdown(strict.fd, SHUT_WR);
	strict.session = NULL;
}

static void strict_accept(struct sn_io *io, int events SN_UNUSED)
{
	strict.fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	sn_io_stop(io);
	assert_true(strict.fd >= 0);
	sn_io_init(&strict.io, io->loop, strict.fd, strict_step);
	sn_io_start(&strict.io, SN_IO_READ);
	gnutls_transport_set_int(strict.session, strict.fd);
}

static void assert_strict(const char *priority)
{
	struct sn_addr addr;
	gnutls_datum_t cert = {(void *)server_id.cert_pem.p, (unsigned)server_id.cert_pem.n};
	gnutls_datum_t key = {(void *)server_id.key_pem.p, (unsigned)server_id.key_pem.n};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char url[64];

	start(&server_id, &node_id);
	sn_addr_parse(SN_STR("127.0.0.1"), 0, &addr);
	assert_int_equal(bind(fd, &addr.sa, addr.length), 0);
	assert_int_equal(getsockname(fd, &addr.sa, &addr.length), 0);
	assert_int_equal(listen(fd, 1), 0);
	gnutls_certificate_allocate_credentials(&strict.credentials);
	gnutls_certificate_set_x509_key_mem(strict.credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_set_verify_function(strict.credentials, dislike);
	gnutls_init(&strict.session, GNUTLS_SERVER | GNUTLS_NONBLOCK);
	gnutls_priority_set_direct(strict.session, priority, NULL);
	gnutls_credentials_set(strict.session, GNUTLS_CRD_CERTIFICATE, strict.credentials);
	gnutls_certificate_server_set_request(strict.session, GNUTLS_CERT_REQUIRE);
	sn_io_init(&strict.listener, world.loop, fd, strict_accept);
	sn_io_start(&strict.listener, SN_IO_READ);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", sn_addr_port(&addr));
	assert_fails(url, -EACCES, "refused our certificate");
	assert_null(strict.session);
	gnutls_certificate_free_credentials(strict.credentials);
	close(strict.fd);
	close(fd);
}

static void a_server_that_rejects_our_certificate_is_told_apart(void **state SN_UNUSED)
{
	assert_strict("NORMAL:-VERS-ALL:+VERS-TLS1.3");
}

static void also_with_tls_1_2(void **state SN_UNUSED)
{
	assert_strict("NORMAL:-VERS-ALL:+VERS-TLS1.2");
}

static void the_client_library_is_the_gnutls_one(void **state SN_UNUSED)
{
	start(&server_id, NULL);
	assert_non_null(strstr(curl_version_info(CURLVERSION_NOW)->ssl_version, "GnuTLS"));
}

static int make_identities(void **state SN_UNUSED)
{
	pki_init(&ours, "Sonde CA");
	pki_init(&rogue, "Sonde CA");
	pki_identity(&ours, "hub", "urn:sonde:hub:1", SN_PKI_SERVER, -60, DAY / 2, &server_id);
	pki_identity(&ours, "hub2", "urn:sonde:hub:1", SN_PKI_SERVER, -60, DAY / 2,
		     &other_server_id);
	pki_identity(&ours, "hub3", "urn:sonde:hub:1", SN_PKI_SERVER, -7200, -3600,
		     &expired_server_id);
	pki_identity(&ours, "node", NODE_URI, SN_PKI_CLIENT, -60, DAY / 2, &node_id);
	pki_identity(&ours, "node2", "urn:sonde:node:two", SN_PKI_CLIENT, -60, DAY / 2, &node2_id);
	pki_identity(&ours, "expired", NODE_URI, SN_PKI_CLIENT, -7200, -3600, &expired_id);
	pki_identity(&ours, "future", NODE_URI, SN_PKI_CLIENT, 3600, 7200, &future_id);
	pki_identity(&rogue, "node", NODE_URI, SN_PKI_CLIENT, -60, DAY / 2, &rogue_id);
	return 0;
}

static int drop_identities(void **state SN_UNUSED)
{
	struct identity *all[] = {&server_id, &other_server_id, &expired_server_id, &node_id,
				  &node2_id,  &expired_id,      &future_id,         &rogue_id};

	for (size_t i = 0; i < SN_COUNT(all); i++)
		identity_finish(all[i]);
	pki_finish(&ours);
	pki_finish(&rogue);
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_certificate_of_our_ca_is_an_identity),
		TEST(no_certificate_is_no_identity),
		TEST(a_strangers_certificate_is_no_identity),
		TEST(an_expired_certificate_is_no_identity),
		TEST(a_certificate_of_tomorrow_is_no_identity),
		TEST(a_servers_certificate_is_no_clients_identity),
		TEST(an_identity_ends_with_its_certificate_on_an_open_connection),
		TEST(a_handshake_that_stalls_costs_no_time),
		TEST(bodies_pass_over_tls),
		TEST(a_body_without_length_is_limited_over_tls),
		TEST(revoked_peers_are_gone_within_a_turn),
		TEST(a_new_certificate_is_shown_and_open_connections_live_on),
		TEST(a_new_certificate_on_an_idle_server_leaves_one_daemon),
		TEST(a_bad_certificate_is_refused_and_the_old_one_stays),
		TEST(a_server_of_a_foreign_ca_is_refused),
		TEST(a_server_that_the_system_does_not_know_is_refused),
		TEST(a_certificate_for_another_name_is_refused),
		TEST(the_name_can_be_left_unchecked_and_nothing_else),
		TEST(an_expired_server_is_refused),
		TEST(an_insecure_client_trusts_anything),
		TEST(files_that_cannot_be_used_are_our_own_fault),
		TEST(plain_http_to_a_tls_port_fails_and_the_other_way_round),
		TEST(a_server_that_rejects_our_certificate_is_told_apart),
		TEST(also_with_tls_1_2),
		TEST(the_client_library_is_the_gnutls_one),
	};

	return cmocka_run_group_tests(tests, make_identities, drop_identities);
}
