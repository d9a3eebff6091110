/* SPDX-License-Identifier: Apache-2.0 */
/* Whose verified certificate is accepted: of ours, and of foreign CAs. */
#include "hub_world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/control.h"

#define NOW     (1700000000LL * SN_NS_PER_S)
#define HOUR_NS (3600 * SN_NS_PER_S)
#define SUP     "org.mplane.Partner.Supervisors.sup1"

/* A foreign CA --------------------------------------------------------------------- */

struct ca {
	struct sn_buf key, pem;
	struct sn_pki_info info;
};

static struct ca foreign, stranger;

static void ca_make(struct ca *ca, const char *name)
{
	memset(ca, 0, sizeof(*ca));
	assert_int_equal(sn_pki_key_generate(&ca->key, NULL), 0);
	assert_int_equal(sn_pki_ca_create(sn_buf_cstr(&ca->key), name, NOW / SN_NS_PER_S - 86400,
					  4000000000, &ca->pem, NULL),
			 0);
	assert_int_equal(sn_pki_info(sn_buf_cstr(&ca->pem), &ca->info, NULL), 0);
}

static void ca_drop(struct ca *ca)
{
	sn_buf_finish(&ca->key);
	sn_buf_finish(&ca->pem);
}

static int make_cas(void **state SN_UNUSED)
{
	ca_make(&foreign, "Root-CA-1");
	ca_make(&stranger, "Root-CA-1");
	return 0;
}

static int drop_cas(void **state SN_UNUSED)
{
	ca_drop(&foreign);
	ca_drop(&stranger);
	return 0;
}

/* Files ------------------------------------------------------------------------------ */

static char dir[64];

static void write_text(const char *name, const char *format, ...) SN_PRINTF(2, 3);

static void write_text(const char *name, const char *format, ...)
{
	sn_autofree char *path = sn_fs_join(dir, name);
	struct sn_buf text = {0};
	char line[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	sn_buf_adds(&text, line);
	assert_int_equal(sn_fs_write_atomic(path, text.p, text.n, 0644, NULL), 0);
	sn_buf_finish(&text);
}

static void write_crl(const char *name, const struct ca *ca, int64_t until_ns, const char *serial)
{
	sn_autofree char *path = sn_fs_join(dir, name);
	struct sn_pki_revoked revoked = {.unix_s = NOW / SN_NS_PER_S};
	struct sn_pki_crl_order order = {
		.ca_cert_pem = ca->pem.p,
		.ca_key_pem = ca->key.p,
		.number = 1,
		.this_update_unix_s = NOW / SN_NS_PER_S - 60,
		.next_update_unix_s = until_ns / SN_NS_PER_S,
		.revoked = &revoked,
		.revoked_count = serial != NULL,
	};
	struct sn_buf der = {0};

	if (serial != NULL)
		snprintf(revoked.serial, sizeof(revoked.serial), "%s", serial);
	assert_int_equal(sn_pki_crl_create(&order, &der, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(path, der.p, der.n, 0644, NULL), 0);
	sn_buf_finish(&der);
}

/* A trust of its own, with a clock of the test -------------------------------------------- */

static struct sn_db *db;
static struct sn_identity *identity;
static struct sn_trust *trust;
static char *file_list[4];
static struct sn_conf_texts files;

static int setup(void **state SN_UNUSED)
{
	sn_autofree char *control = NULL;

	snprintf(dir, sizeof(dir), "/tmp/sonde-trust-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	sn_log_set_level(SN_LOG_ERROR - 1); /* the alarms are meant */
	control = sn_fs_join(dir, "control.sqlite");
	assert_int_equal(sn_control_open(control, &db, NULL), 0);
	assert_int_equal(sn_identity_open(dir, "01HZ", db, NOW, &identity, NULL), 0);
	write_text("ca.pem", "%s", foreign.pem.p);
	write_text("partner.yaml", "ca: ca.pem\nidentities: [" SUP "]\n");
	files = (struct sn_conf_texts){file_list, 1};
	file_list[0] = sn_fs_join(dir, "partner.yaml");
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	sn_trust_close(trust);
	trust = NULL;
	sn_identity_close(identity);
	sn_db_close(db);
	for (size_t i = 0; i < SN_COUNT(file_list); i++) {
		free(file_list[i]);
		file_list[i] = NULL;
	}
	sn_fs_remove_tree(dir, NULL);
	sn_log_set_level(SN_LOG_NOTICE);
	return 0;
}

static void open_trust(void)
{
	struct sn_err err = {0};

	if (sn_trust_open(&files, identity, NOW, &trust, &err) != 0)
		fail_msg("%s", err.text);
}

static struct sn_pki_info peer_of(const struct ca *ca, const char *dotted)
{
	struct sn_pki_info peer = {.serial = "1122"};

	snprintf(peer.dotted, sizeof(peer.dotted), "%s", dotted);
	memcpy(peer.issuer, ca->info.fingerprint, sizeof(peer.issuer));
	return peer;
}

static void assert_accepted(const struct sn_pki_info *peer, int64_t now_ns)
{
	char why[SN_TRUST_WHY_MAX] = "";

	if (!sn_trust_accepts(trust, peer, now_ns, why))
		fail_msg("%s", why);
}

static void assert_refused(const struct sn_pki_info *peer, int64_t now_ns, const char *words)
{
	char why[SN_TRUST_WHY_MAX] = "";

	assert_false(sn_trust_accepts(trust, peer, now_ns, why));
	if (strstr(why, words) == NULL)
		fail_msg("'%s' instead of '%s'", why, words);
	assert_false(sn_trust_accepts(trust, peer, now_ns, NULL));
}

static unsigned audited(void)
{
	sqlite3_stmt *row = sn_db_query(
		db, NULL, "SELECT count(*) FROM audit WHERE action = 'trust.alarm'", "");
	unsigned count;

	assert_int_equal(sn_db_next(db, row, NULL), 1);
	count = (unsigned)sqlite3_column_int(row, 0);
	sn_db_done(row);
	return count;
}

static void assert_one_problem(void)
{
	assert_non_null(strstr(sn_trust_problem(trust, 0), dir)); /* which file it is about */
	assert_null(sn_trust_problem(trust, 1));
}

static void only_listed_identities_of_a_trusted_ca_are_let_in(void **state SN_UNUSED)
{
	struct sn_pki_info good = peer_of(&foreign, SUP);
	struct sn_pki_info other = peer_of(&foreign, "org.mplane.Partner.Supervisors.sup2");
	struct sn_pki_info prefix = peer_of(&foreign, "org.mplane.Partner.Supervisors.sup");
	struct sn_pki_info nobody = peer_of(&foreign, "");
	struct sn_pki_info unknown = peer_of(&stranger, SUP);

	open_trust();
	assert_accepted(&good, NOW);
	assert_refused(&other, NOW, "not among the identities");
	assert_refused(&prefix, NOW, "not among the identities");
	assert_refused(&nobody, NOW, "no identity");
	assert_refused(&unknown, NOW, "not trusted any more");
	assert_true(sn_trust_lists(trust, SUP));
	assert_false(sn_trust_lists(trust, other.dotted));
	assert_non_null(strstr(sn_trust_foreign_pem(trust), "BEGIN CERTIFICATE"));
}

static void without_files_nobody_foreign_is_let_in(void **state SN_UNUSED)
{
	struct sn_pki_info peer = peer_of(&foreign, SUP);

	files.count = 0;
	open_trust();
	assert_null(sn_trust_foreign_pem(trust));
	assert_refused(&peer, NOW, "not trusted");
	assert_false(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
}

static void of_ours_the_serial_counts(void **state SN_UNUSED)
{
	struct sn_pki_info peer = {.serial = "40aa", .dotted = "org.mplane.SSB.Clients.c"};
	struct sn_buf key = {0}, csr = {0};
	char serial[SN_PKI_SERIAL_SIZE];
	struct sn_cert_order order = {
		.kind = SN_CERT_CLIENT,
		.domain = "mplane.org",
		.organisation = "SSB",
		.name = "c",
		.life_ns = HOUR_NS,
	};

	open_trust();
	snprintf(peer.issuer, sizeof(peer.issuer), "%s", sn_identity_ca_fingerprint(identity));
	assert_refused(&peer, NOW, "not in the hub's table");
	assert_int_equal(sn_pki_key_generate(&key, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&key), "x", &csr, NULL), 0);
	order.csr_pem = sn_buf_cstr(&csr);
	assert_int_equal(sn_certificates_issue(identity, &order, NOW, serial, NULL), 0);
	memcpy(peer.serial, serial, sizeof(peer.serial));
	assert_accepted(&peer, NOW);
	assert_int_equal(sn_certificates_revoke(identity, serial, NULL, NOW, NULL), 0);
	assert_refused(&peer, NOW, "revoked");
	/* The same serial of another CA is somebody else. */
	memcpy(peer.issuer, stranger.info.fingerprint, sizeof(peer.issuer));
	assert_refused(&peer, NOW, "not trusted");
	sn_buf_finish(&key);
	sn_buf_finish(&csr);
}

/* Revocation lists -------------------------------------------------------------------------- */

static void with_a_list(void)
{
	write_text("partner.yaml", "ca: ca.pem\ncrl: list.crl\nidentities: [" SUP "]\n");
}

static void a_list_is_read_again_when_it_changes(void **state SN_UNUSED)
{
	struct sn_pki_info peer = peer_of(&foreign, SUP);

	with_a_list();
	write_crl("list.crl", &foreign, NOW + HOUR_NS, NULL);
	open_trust();
	assert_accepted(&peer, NOW);
	assert_false(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
	write_crl("list.crl", &foreign, NOW + HOUR_NS, "1122");
	assert_true(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
	assert_refused(&peer, NOW, "its CA has revoked certificate 1122");
	assert_null(sn_trust_problem(trust, 0));
}

static void a_list_that_has_run_out_refuses_all_and_raises_an_alarm(void **state SN_UNUSED)
{
	struct sn_pki_info peer = peer_of(&foreign, SUP);

	with_a_list();
	write_crl("list.crl", &foreign, NOW + HOUR_NS, NULL);
	open_trust();
	assert_false(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW + HOUR_NS - SN_NS_PER_S));
	assert_accepted(&peer, NOW + HOUR_NS - SN_NS_PER_S);
	/* Refused from that second on, whether or not somebody has looked. */
	assert_refused(&peer, NOW + HOUR_NS, "run out");
	assert_int_equal(audited(), 0);
	assert_int_equal(sn_trust_refresh(trust, NOW + HOUR_NS),
			 SN_TRUST_CHANGED | SN_TRUST_PROBLEMS);
	assert_false(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW + HOUR_NS + SN_NS_PER_S));
	assert_int_equal(audited(), 1); /* once */
	assert_one_problem();
	write_crl("list.crl", &foreign, NOW + 2 * HOUR_NS, NULL);
	assert_true(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW + HOUR_NS));
	assert_accepted(&peer, NOW + HOUR_NS);
	assert_null(sn_trust_problem(trust, 0));
}

static void a_list_that_is_not_there_refuses_all_until_it_is(void **state SN_UNUSED)
{
	struct sn_pki_info peer = peer_of(&foreign, SUP);

	with_a_list();
	open_trust(); /* the hub starts all the same */
	assert_refused(&peer, NOW, "cannot be used");
	assert_int_equal(audited(), 1);
	write_crl("list.crl", &stranger, NOW + HOUR_NS, NULL);
	sn_trust_refresh(trust, NOW);
	assert_refused(&peer, NOW, "cannot be used");
	write_crl("list.crl", &foreign, NOW + HOUR_NS, NULL);
	assert_true(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
	assert_accepted(&peer, NOW);
}

static void a_broken_list_leaves_the_one_before(void **state SN_UNUSED)
{
	struct sn_pki_info peer = peer_of(&foreign, SUP), revoked = peer;

	snprintf(revoked.serial, sizeof(revoked.serial), "33");
	with_a_list();
	write_crl("list.crl", &foreign, NOW + HOUR_NS, "33");
	open_trust();
	write_text("list.crl", "junk");
	assert_false(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
	assert_accepted(&peer, NOW);
	assert_refused(&revoked, NOW, "revoked");
	assert_int_equal(audited(), 1);
	assert_one_problem();
}

/* The files of `trust` ----------------------------------------------------------------------- */

static void a_changed_file_takes_effect_and_a_broken_one_does_not(void **state SN_UNUSED)
{
	struct sn_pki_info first = peer_of(&foreign, SUP);
	struct sn_pki_info second = peer_of(&foreign, "org.mplane.Partner.Clients.c2");

	open_trust();
	write_text("partner.yaml", "ca: ca.pem\nidentities: [org.mplane.Partner.Clients.c2]\n");
	assert_true(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
	assert_refused(&first, NOW, "not among");
	assert_accepted(&second, NOW);
	write_text("partner.yaml", "ca: ca.pem\nidentites: [x]\n");
	assert_false(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
	assert_accepted(&second, NOW);
	assert_one_problem();
	assert_int_equal(audited(), 1);
	assert_int_equal(unlink(file_list[0]), 0);
	assert_false(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
	assert_accepted(&second, NOW);
	write_text("partner.yaml", "ca: ca.pem\nidentities: [" SUP "]\n");
	assert_true(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
	assert_accepted(&first, NOW);
	assert_null(sn_trust_problem(trust, 0));
}

/* What the old CA has not revoked says nothing about the new one. */
static void another_ca_takes_over_with_its_own_list(void **state SN_UNUSED)
{
	struct sn_pki_info before = peer_of(&foreign, SUP), after = peer_of(&stranger, SUP);

	with_a_list();
	write_crl("list.crl", &foreign, NOW + HOUR_NS, NULL);
	open_trust();
	write_text("ca.pem", "%s", stranger.pem.p);
	assert_int_equal(sn_trust_refresh(trust, NOW),
			 SN_TRUST_CHANGED | SN_TRUST_CAS | SN_TRUST_PROBLEMS);
	assert_refused(&before, NOW, "not trusted any more");
	assert_refused(&after, NOW, "cannot be used");
	write_crl("list.crl", &stranger, NOW + HOUR_NS, NULL);
	assert_true(SN_TRUST_CHANGED & sn_trust_refresh(trust, NOW));
	assert_accepted(&after, NOW);
}

static void assert_unusable(const char *words)
{
	struct sn_err err = {0};

	assert_true(sn_trust_open(&files, identity, NOW, &trust, &err) < 0);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' instead of '%s'", err.text, words);
	assert_null(trust);
}

static void what_cannot_be_used_is_refused_with_the_reason(void **state SN_UNUSED)
{
	write_text("partner.yaml", "ca: ca.pem\nidentities: []\n");
	assert_unusable("key 'identities': empty");
	write_text("partner.yaml", "ca: ca.pem\nidentities: ['a b']\n");
	assert_unusable("'a b' is no dotted subject");
	write_text("partner.yaml", "ca: ca.pem\n");
	assert_unusable("identities");
	write_text("partner.yaml", "ca: nothing.pem\nidentities: [x]\n");
	assert_unusable("nothing.pem");
	write_text("partner.yaml", "ca: partner.yaml\nidentities: [x]\n");
	assert_unusable("key 'ca': cannot use");
	write_text("partner.yaml", "ca: two.pem\nidentities: [x]\n");
	write_text("two.pem", "%s%s", foreign.pem.p, stranger.pem.p);
	assert_unusable("several certificates");
	write_text("partner.yaml", "ca: ours.pem\nidentities: [x]\n");
	write_text("ours.pem", "%s", sn_identity_ca_pem(identity));
	assert_unusable("our own CA");
}

static void two_files_must_not_claim_the_same(void **state SN_UNUSED)
{
	file_list[1] = sn_fs_join(dir, "second.yaml");
	files.count = 2;
	write_text("second.yaml", "ca: ca.pem\nidentities: [org.mplane.Other.Clients.x]\n");
	assert_unusable("has the same CA");
	write_text("ca2.pem", "%s", stranger.pem.p);
	write_text("second.yaml", "ca: ca2.pem\nidentities: [" SUP "]\n");
	assert_unusable("is in '");
	write_text("second.yaml", "ca: ca2.pem\nidentities: [org.mplane.Other.Clients.x]\n");
	open_trust();
}

/* With a hub ------------------------------------------------------------------------------------
 */

static void sign_peer(const struct ca *ca, const char *cn, const char *uri, struct sn_buf *key,
		      struct sn_buf *pem)
{
	static const char *const subject[] = {"DC=org", "DC=mplane", "O=Partner", "OU=Supervisors",
					      NULL};
	int64_t now_s = sn_wall_ns() / SN_NS_PER_S;
	struct sn_buf csr = {0};
	struct sn_pki_issue what = {
		.ca_cert_pem = ca->pem.p,
		.ca_key_pem = ca->key.p,
		.subject = subject,
		.common_name = cn,
		.uri = uri,
		.usage = SN_PKI_CLIENT | SN_PKI_SERVER,
		.not_before_unix_s = now_s - 60,
		.not_after_unix_s = now_s + 3600,
	};

	assert_int_equal(sn_pki_key_generate(key, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(key), "x", &csr, NULL), 0);
	what.csr_pem = sn_buf_cstr(&csr);
	assert_int_equal(sn_pki_issue(&what, pem, NULL), 0);
	sn_buf_finish(&csr);
}

static void connect_as(struct world *world, struct test_node *peer, const char *cn, const char *uri)
{
	struct sn_http_client_config config = {.ca_file =
						       sn_identity_ca_file(world->hub->identity)};
	struct sn_buf key = {0}, pem = {0};

	sign_peer(&foreign, cn, uri, &key, &pem);
	*peer = (struct test_node){0};
	snprintf(peer->cert_file, sizeof(peer->cert_file), "%s/%s.pem", dir, cn);
	snprintf(peer->key_file, sizeof(peer->key_file), "%s/%s.key", dir, cn);
	assert_int_equal(sn_fs_write_atomic(peer->cert_file, pem.p, pem.n, 0600, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(peer->key_file, key.p, key.n, 0600, NULL), 0);
	config.cert_file = peer->cert_file;
	config.key_file = peer->key_file;
	peer->client = sn_http_client_create(world->loop, &config);
	sn_buf_finish(&key);
	sn_buf_finish(&pem);
}

static unsigned ask(struct world *world, struct test_node *peer, const char *path)
{
	node_ask(world, peer, "GET", path, NULL, NULL);
	return peer->status;
}

static void a_hub_lets_the_listed_peer_in_and_no_other(void **state SN_UNUSED)
{
	sn_autofree char *setting = sn_xasprintf("trust=%s", file_list[0]);
	const char *const settings[] = {setting, NULL};
	struct test_node good, other, pretender;
	struct world world;

	world_start(&world, settings);
	connect_as(&world, &good, "sup1", NULL);
	connect_as(&world, &other, "sup2", NULL);
	connect_as(&world, &pretender, "sup3", "urn:sonde:user:admin");
	assert_int_equal(ask(&world, &good, "/api/v1/ca"), 200);
	assert_int_equal(ask(&world, &good, "/api/v1/nodes"), 401); /* in, but no person */
	assert_int_equal(ask(&world, &other, "/api/v1/ca"), 403);
	assert_int_equal(ask(&world, &pretender, "/api/v1/nodes"), 403);
	node_leave(&good);
	node_leave(&other);
	node_leave(&pretender);
	world_stop(&world);
}

static void a_listed_peer_that_says_it_is_a_person_is_still_none(void **state SN_UNUSED)
{
	sn_autofree char *setting = sn_xasprintf("trust=%s", file_list[0]);
	const char *const settings[] = {setting, NULL};
	struct test_node pretender;
	struct world world;

	world_start(&world, settings);
	connect_as(&world, &pretender, "sup1", "urn:sonde:user:admin");
	assert_int_equal(ask(&world, &pretender, "/api/v1/ca"), 200);
	assert_int_equal(ask(&world, &pretender, "/api/v1/nodes"), 401);
	node_leave(&pretender);
	world_stop(&world);
}

static void a_peer_that_is_listed_no_more_is_cut_off(void **state SN_UNUSED)
{
	sn_autofree char *setting = sn_xasprintf("trust=%s", file_list[0]);
	const char *const settings[] = {setting, NULL};
	struct test_node peer;
	struct world world;
	struct reply reply;

	world_start(&world, settings);
	connect_as(&world, &peer, "sup1", NULL);
	assert_int_equal(ask(&world, &peer, "/api/v1/ca"), 200);
	write_text("partner.yaml", "ca: ca.pem\nidentities: [org.mplane.Partner.Clients.c2]\n");
	test_until(sn_http_server_connections(world.hub->server) == 0,
		   world_wait(&world, 100 * SN_NS_PER_MS));
	assert_int_equal(sn_http_server_connections(world.hub->server), 0);
	assert_int_equal(ask(&world, &peer, "/api/v1/ca"), 403);
	/* Nobody gets a certificate of ours for somebody whom another CA vouches for. */
	reply = expect(&world, AS_LOCAL, 409, "POST", "/api/v1/certificates",
		       "{\"kind\":\"client\",\"organisation\":\"Partner\",\"name\":\"c2\","
		       "\"csr_pem\":\"x\"}");
	reply_release(&reply);
	node_leave(&peer);
	world_stop(&world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_listed_identities_of_a_trusted_ca_are_let_in),
		TEST(without_files_nobody_foreign_is_let_in),
		TEST(of_ours_the_serial_counts),
		TEST(a_list_is_read_again_when_it_changes),
		TEST(a_list_that_has_run_out_refuses_all_and_raises_an_alarm),
		TEST(a_list_that_is_not_there_refuses_all_until_it_is),
		TEST(a_broken_list_leaves_the_one_before),
		TEST(a_changed_file_takes_effect_and_a_broken_one_does_not),
		TEST(another_ca_takes_over_with_its_own_list),
		TEST(what_cannot_be_used_is_refused_with_the_reason),
		TEST(two_files_must_not_claim_the_same),
		TEST(a_hub_lets_the_listed_peer_in_and_no_other),
		TEST(a_listed_peer_that_says_it_is_a_person_is_still_none),
		TEST(a_peer_that_is_listed_no_more_is_cut_off),
	};

	return cmocka_run_group_tests(tests, make_cas, drop_cas);
}
