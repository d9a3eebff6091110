/* SPDX-License-Identifier: Apache-2.0 */
/* Whose certificate is an identity, with real handshakes. */
#include "net_world.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "net/http_server_internal.h"

#define DAY 86400

static struct sn_pki_info seen; /* who asked last; zero for nobody */
static unsigned handled;

static void who(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	const struct sn_pki_info *peer = sn_http_peer(request);

	handled++;
	seen = peer != NULL ? *peer : (struct sn_pki_info){0};
	sn_http_reply(request, 200, "text/plain", "x", 1);
}

static const struct sn_http_route routes[] = {{"GET", "/who", who, 0, 0, NULL}};
static const struct sn_http_config config = {.routes = routes, .route_count = SN_COUNT(routes)};
static struct world world;

static struct pki ours, foreign; /* two CAs that even have the same name */
static char our_print[SN_PKI_FINGERPRINT_SIZE], foreign_print[SN_PKI_FINGERPRINT_SIZE];
static struct identity server_id;

/* Certificates as somebody could make them ------------------------------------------------ */

struct forge {
	const struct pki *ca; /* NULL: `issuer` signs */
	const struct identity *issuer;
	const char *const *rdns; /* OID, value, ...; NULL at the end */
	const char *uri, *dns;
	bool is_ca;
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
	gnutls_digest_algorithm_t digest;
	const char *purpose;
};

static gnutls_x509_privkey_t import_key(const struct sn_buf *pem)
{
	gnutls_datum_t datum = {(unsigned char *)pem->p, (unsigned)pem->n};
	gnutls_x509_privkey_t key;

	gnutls_x509_privkey_init(&key);
	assert_int_equal(gnutls_x509_privkey_import(key, &datum, GNUTLS_X509_FMT_PEM), 0);
	return key;
}

static gnutls_x509_crt_t import_cert(const struct sn_buf *pem)
{
	gnutls_datum_t datum = {(unsigned char *)pem->p, (unsigned)pem->n};
	gnutls_x509_crt_t crt;

	gnutls_x509_crt_init(&crt);
	assert_int_equal(gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_PEM), 0);
	return crt;
}

static void fill(gnutls_x509_crt_t crt, const struct forge *what)
{
	time_t now = time(NULL);

	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\x11\x22", 2);
	gnutls_x509_crt_set_activation_time(crt, now - 60);
	gnutls_x509_crt_set_expiration_time(crt, now + DAY / 2);
	for (size_t i = 0; what->rdns[i] != NULL; i += 2)
		assert_int_equal(gnutls_x509_crt_set_dn_by_oid(crt, what->rdns[i], 0,
							       what->rdns[i + 1],
							       (unsigned)strlen(what->rdns[i + 1])),
				 0);
	gnutls_x509_crt_set_basic_constraints(crt, what->is_ca, -1);
	gnutls_x509_crt_set_key_usage(crt, what->is_ca ? GNUTLS_KEY_KEY_CERT_SIGN
						       : GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (what->uri != NULL)
		gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_URI, what->uri,
						     (unsigned)strlen(what->uri), GNUTLS_FSAN_SET);
	if (what->dns != NULL)
		gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, what->dns,
						     (unsigned)strlen(what->dns),
						     GNUTLS_FSAN_APPEND);
	if (what->purpose != NULL)
		gnutls_x509_crt_set_key_purpose_oid(crt, what->purpose, 0);
}

static void keep(struct sn_buf *pem, char **path, const char *name)
{
	*path = sn_xasprintf("%s/%s", ours.dir, name);
	sn_buf_cstr(pem);
	assert_int_equal(sn_fs_write_atomic(*path, pem->p, pem->n, 0600, NULL), 0);
}

static void forge(const struct forge *what, struct identity *identity)
{
	gnutls_pk_algorithm_t algorithm = what->algorithm != 0 ? what->algorithm : GNUTLS_PK_ECDSA;
	unsigned bits =
		what->bits != 0 ? what->bits : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
	gnutls_x509_privkey_t ca_key =
		import_key(what->ca != NULL ? &what->ca->ca_key_pem : &what->issuer->key_pem);
	gnutls_x509_crt_t ca =
		import_cert(what->ca != NULL ? &what->ca->ca_pem : &what->issuer->cert_pem);
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t out;

	memset(identity, 0, sizeof(*identity));
	gnutls_x509_privkey_init(&key);
	assert_int_equal(gnutls_x509_privkey_generate(key, algorithm, bits, 0), 0);
	gnutls_x509_crt_init(&crt);
	fill(crt, what);
	gnutls_x509_crt_set_key(crt, key);
	assert_int_equal(gnutls_x509_crt_sign2(crt, ca, ca_key,
					       what->digest != 0 ? what->digest : GNUTLS_DIG_SHA256,
					       0),
			 0);
	gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out);
	sn_buf_add(&identity->cert_pem, out.data, out.size);
	gnutls_free(out.data);
	gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &out);
	sn_buf_add(&identity->key_pem, out.data, out.size);
	gnutls_free(out.data);
	keep(&identity->cert_pem, &identity->cert_file, "forged.pem");
	keep(&identity->key_pem, &identity->key_file, "forged.key");
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_crt_deinit(ca);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_privkey_deinit(ca_key);
}

static const char *const component[] = {GNUTLS_OID_LDAP_DC,
					"org",
					GNUTLS_OID_LDAP_DC,
					"mplane",
					GNUTLS_OID_X520_ORGANIZATION_NAME,
					"SSB",
					GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME,
					"Components",
					GNUTLS_OID_X520_COMMON_NAME,
					"Component-1",
					NULL};

/* The server ---------------------------------------------------------------------------------- */

static void start_with(const char *ca_pem, const char *foreign_pem, const struct identity *client)
{
	struct sn_http_tls tls = {server_id.cert_pem.p, server_id.key_pem.p, ca_pem, foreign_pem};
	struct sn_http_client_config own = {
		.ca_file = ours.ca_file,
		.cert_file = client != NULL ? client->cert_file : NULL,
		.key_file = client != NULL ? client->key_file : NULL,
	};

	memset(&seen, 0xff, sizeof(seen));
	handled = 0;
	world_init_tls(&world, &config, &tls, &own);
}

static void start(const struct identity *client)
{
	start_with(ours.ca_pem.p, foreign.ca_pem.p, client);
}

static void ask(void)
{
	struct outcome outcome;

	world_get(&world, "/who", &outcome);
	if (outcome.error != 0)
		fail_msg("%s", outcome.text);
	assert_int_equal(outcome.status, 200);
	outcome_finish(&outcome);
}

static int teardown(void **state SN_UNUSED)
{
	world_finish(&world);
	return 0;
}

/* Asks as the one that `what` describes. */
static void ask_as(const struct forge *what)
{
	struct identity identity;

	forge(what, &identity);
	start(&identity);
	ask();
	identity_finish(&identity);
}

static void a_certificate_of_ours_counts_with_all_its_names(void **state SN_UNUSED)
{
	const struct forge what = {
		.ca = &ours, .rdns = component, .uri = "urn:sonde:node:1", .dns = "probe.example"};

	ask_as(&what);
	assert_string_equal(seen.uri, "urn:sonde:node:1");
	assert_string_equal(seen.dns, "probe.example");
	assert_string_equal(seen.dotted, "org.mplane.SSB.Components.Component-1");
	assert_string_equal(seen.issuer, our_print);
}

static void of_a_foreign_one_only_the_subject_counts(void **state SN_UNUSED)
{
	const struct forge what = {.ca = &foreign,
				   .rdns = component,
				   .uri = "urn:sonde:user:admin",
				   .dns = "probe.example"};

	ask_as(&what);
	assert_string_equal(seen.dotted, "org.mplane.SSB.Components.Component-1");
	assert_string_equal(seen.uri, "");
	assert_string_equal(seen.dns, "");
	assert_string_equal(seen.issuer, foreign_print);
}

static void without_a_list_a_foreign_ca_is_nobody(void **state SN_UNUSED)
{
	const struct forge what = {.ca = &foreign, .rdns = component};
	struct identity identity;

	forge(&what, &identity);
	start_with(ours.ca_pem.p, NULL, &identity);
	ask();
	assert_string_equal(seen.issuer, "");
	identity_finish(&identity);
}

static void a_subject_that_could_be_read_as_another_is_no_identity(void **state SN_UNUSED)
{
	static const char *const dots[] = {GNUTLS_OID_X520_COMMON_NAME, "org.mplane.SSB", NULL};
	static const char *const blanks[] = {GNUTLS_OID_X520_ORGANIZATION_NAME, "My Lab",
					     GNUTLS_OID_X520_COMMON_NAME, "x", NULL};
	static const char *const controls[] = {GNUTLS_OID_X520_COMMON_NAME, "a\nb", NULL};
	static const char *const person[] = {GNUTLS_OID_X520_COMMON_NAME, "user:admin", NULL};
	static const char *const *const all[] = {dots, blanks, controls, person};

	for (size_t i = 0; i < SN_COUNT(all); i++) {
		const struct forge what = {.ca = &foreign, .rdns = all[i]};

		ask_as(&what);
		assert_string_equal(seen.issuer, foreign_print);
		assert_string_equal(seen.dotted, "");
		world_finish(&world);
	}
	start(NULL);
}

static void a_certificate_for_another_purpose_is_nobody(void **state SN_UNUSED)
{
	static const char *const purposes[] = {GNUTLS_KP_TLS_WWW_SERVER, GNUTLS_KP_CODE_SIGNING};

	for (size_t i = 0; i < SN_COUNT(purposes); i++) {
		const struct forge what = {.ca = &ours, .rdns = component, .purpose = purposes[i]};

		ask_as(&what);
		assert_string_equal(seen.issuer, "");
		world_finish(&world);
	}
	start(NULL);
}

static void weak_keys_and_signatures_are_nobody(void **state SN_UNUSED)
{
	const struct forge weak = {
		.ca = &ours, .rdns = component, .algorithm = GNUTLS_PK_RSA, .bits = 1024};
	const struct forge sha1 = {.ca = &ours, .rdns = component, .digest = GNUTLS_DIG_SHA1};

	ask_as(&weak);
	assert_string_equal(seen.issuer, "");
	world_finish(&world);
	ask_as(&sha1);
	assert_string_equal(seen.issuer, "");
}

/* The CA's own signature counts; who trusts an intermediate CA says so. */
static void a_chain_is_not_followed(void **state SN_UNUSED)
{
	static const char *const name[] = {GNUTLS_OID_X520_COMMON_NAME, "Below", NULL};
	struct pki root;
	struct identity below, leaf;
	const struct forge below_what = {.ca = &root, .rdns = name, .is_ca = true};
	const struct forge leaf_what = {.issuer = &below, .rdns = component};

	pki_init(&root, "Root");
	forge(&below_what, &below);
	forge(&leaf_what, &leaf);
	sn_buf_add(&leaf.cert_pem, below.cert_pem.p, below.cert_pem.n);
	assert_int_equal(
		sn_fs_write_atomic(leaf.cert_file, leaf.cert_pem.p, leaf.cert_pem.n, 0600, NULL),
		0);
	start_with(ours.ca_pem.p, root.ca_pem.p, &leaf);
	ask();
	assert_string_equal(seen.issuer, "");
	world_finish(&world);
	start_with(ours.ca_pem.p, below.cert_pem.p, &leaf);
	ask();
	assert_string_equal(seen.dotted, "org.mplane.SSB.Components.Component-1");
	identity_finish(&below);
	identity_finish(&leaf);
	pki_finish(&root);
}

static void what_cannot_be_an_anchor_is_refused(void **state SN_UNUSED)
{
	struct sn_http_tls tls = {server_id.cert_pem.p, server_id.key_pem.p, ours.ca_pem.p, "junk"};
	struct sn_buf many = {0};
	struct sn_err err = {0};

	start(NULL);
	assert_int_equal(sn_http_server_set_tls(world.server, &tls, &err), -EINVAL);
	assert_non_null(strstr(err.text, "foreign CAs"));
	for (unsigned i = 0; i < SN_HTTP_ANCHORS_MAX; i++)
		sn_buf_adds(&many, foreign.ca_pem.p);
	tls.foreign_pem = sn_buf_cstr(&many);
	assert_int_equal(sn_http_server_set_tls(world.server, &tls, &err), -E2BIG);
	ask();
	sn_buf_finish(&many);
}

/* Handshakes ------------------------------------------------------------------------------------
 */

/* What GnuTLS says about it, 0 when it came through. */
static int handshake(const char *priority)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	int fd = raw_connect(&world), result;
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	assert_int_equal(gnutls_priority_set_direct(session, priority, NULL), 0);
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(session, fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	do {
		result = gnutls_handshake(session);
		if (result != 0)
			sn_loop_turn(world.loop, 2 * SN_NS_PER_MS);
	} while (result != 0 && !gnutls_error_is_fatal(result) && sn_mono_ns() < end_ns);
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
	close(fd);
	return result;
}

static void old_tls_is_refused(void **state SN_UNUSED)
{
	start(NULL);
	assert_int_equal(handshake("NORMAL:-VERS-ALL:+VERS-TLS1.3"), 0);
	assert_int_equal(handshake("NORMAL:-VERS-ALL:+VERS-TLS1.2"), 0);
	/* libmicrohttpd closes without an alert. */
	assert_int_equal(handshake("LEGACY:-VERS-ALL:+VERS-TLS1.1"),
			 GNUTLS_E_PREMATURE_TERMINATION);
	assert_int_equal(handshake("LEGACY:-VERS-ALL:+VERS-TLS1.0"),
			 GNUTLS_E_PREMATURE_TERMINATION);
}

/* mPlane peers look at our certificate so: once for each message. */
static void a_connection_closed_after_the_handshake_is_normal(void **state SN_UNUSED)
{
	int log = memfd_create("log", MFD_CLOEXEC), stderr_fd = dup(STDERR_FILENO);

	start(NULL);
	dup2(log, STDERR_FILENO);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(handshake(i % 2 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : "NORMAL"), 0);
	world_turns(&world, 50);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	assert_int_equal(lseek(log, 0, SEEK_END), 0); /* not a line */
	close(log);
	assert_int_equal(sn_http_server_connections(world.server), 0);
	assert_int_equal(handled, 0);
	ask();
	assert_int_equal(handled, 1);
}

static void fingerprint(const struct pki *pki, char out[SN_PKI_FINGERPRINT_SIZE])
{
	struct sn_pki_info info;

	assert_int_equal(sn_pki_info(pki->ca_pem.p, &info, NULL), 0);
	memcpy(out, info.fingerprint, sizeof(info.fingerprint));
}

static int make_identities(void **state SN_UNUSED)
{
	pki_init(&ours, "Sonde CA");
	pki_init(&foreign, "Sonde CA");
	fingerprint(&ours, our_print);
	fingerprint(&foreign, foreign_print);
	pki_identity(&ours, "hub", "urn:sonde:hub:1", SN_PKI_SERVER, -60, DAY / 2, &server_id);
	return 0;
}

static int drop_identities(void **state SN_UNUSED)
{
	identity_finish(&server_id);
	pki_finish(&ours);
	pki_finish(&foreign);
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_certificate_of_ours_counts_with_all_its_names),
		TEST(of_a_foreign_one_only_the_subject_counts),
		TEST(without_a_list_a_foreign_ca_is_nobody),
		TEST(a_subject_that_could_be_read_as_another_is_no_identity),
		TEST(a_certificate_for_another_purpose_is_nobody),
		TEST(weak_keys_and_signatures_are_nobody),
		TEST(a_chain_is_not_followed),
		TEST(what_cannot_be_an_anchor_is_refused),
		TEST(old_tls_is_refused),
		TEST(a_connection_closed_after_the_handshake_is_normal),
	};

	return cmocka_run_group_tests(tests, make_identities, drop_identities);
}
