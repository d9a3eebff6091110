/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/pki.h"

#define T0   1700000000
#define YEAR (365 * 86400)

static struct sn_buf ca_key, ca_cert, key, csr;
static const char *const hosts[] = {"hub.example", "192.0.2.1", "2001:db8::1", NULL};

/* A valid order, for tests that spoil one thing. */
static struct sn_pki_issue order(void)
{
	return (struct sn_pki_issue){
		.ca_cert_pem = ca_cert.p,
		.ca_key_pem = ca_key.p,
		.csr_pem = csr.p,
		.common_name = "probe-7",
		.uri = "urn:sonde:node:01HZXW",
		.hosts = hosts,
		.usage = SN_PKI_CLIENT | SN_PKI_SERVER,
		.not_before_unix_s = T0,
		.not_after_unix_s = T0 + 86400,
	};
}

static int setup(void **state SN_UNUSED)
{
	assert_int_equal(sn_pki_key_generate(&ca_key, NULL), 0);
	sn_buf_cstr(&ca_key);
	assert_int_equal(sn_pki_ca_create(ca_key.p, "Sonde CA", T0 - 10, T0 + YEAR, &ca_cert, NULL),
			 0);
	sn_buf_cstr(&ca_cert);
	assert_int_equal(sn_pki_key_generate(&key, NULL), 0);
	sn_buf_cstr(&key);
	assert_int_equal(sn_pki_csr_create(key.p, "whatever I like", &csr, NULL), 0);
	sn_buf_cstr(&csr);
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	sn_buf_finish(&ca_key);
	sn_buf_finish(&ca_cert);
	sn_buf_finish(&key);
	sn_buf_finish(&csr);
	return 0;
}

static gnutls_x509_crt_t import(const char *pem)
{
	gnutls_datum_t datum = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
	gnutls_x509_crt_t crt;

	gnutls_x509_crt_init(&crt);
	assert_int_equal(gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_PEM), 0);
	return crt;
}

static gnutls_x509_crt_t issue(const struct sn_pki_issue *what)
{
	struct sn_buf pem = {0};
	struct sn_err err = {0};
	gnutls_x509_crt_t crt;

	if (sn_pki_issue(what, &pem, &err) != 0)
		fail_msg("%s", err.text);
	crt = import(sn_buf_cstr(&pem));
	sn_buf_finish(&pem);
	return crt;
}

static void a_certificate_says_what_was_ordered(void **state SN_UNUSED)
{
	struct sn_pki_issue what = order();
	struct sn_buf pem = {0};
	struct sn_pki_info info;

	assert_int_equal(sn_pki_issue(&what, &pem, NULL), 0);
	assert_int_equal(sn_pki_info(sn_buf_cstr(&pem), &info, NULL), 0);
	assert_string_equal(info.common_name, "probe-7"); /* not the one of the request */
	assert_string_equal(info.uri, "urn:sonde:node:01HZXW");
	assert_int_equal(info.not_before_unix_s, T0);
	assert_int_equal(info.not_after_unix_s, T0 + 86400);
	assert_int_equal(strlen(info.fingerprint), 64);
	assert_int_equal(strlen(info.serial), 32);
	sn_buf_finish(&pem);
}

static void it_is_signed_by_the_ca_and_is_no_ca(void **state SN_UNUSED)
{
	struct sn_pki_issue what = order();
	gnutls_x509_crt_t crt = issue(&what), ca = import(ca_cert.p);
	unsigned status, usage, critical, path;

	assert_int_equal(
		gnutls_x509_crt_verify(crt, &ca, 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(gnutls_x509_crt_get_ca_status(crt, &critical), 0);
	assert_int_equal(gnutls_x509_crt_get_ca_status(ca, &critical), 1);
	assert_int_not_equal(critical, 0);
	assert_int_equal(gnutls_x509_crt_get_basic_constraints(ca, &critical, NULL, (int *)&path),
			 1);
	assert_int_equal(path, 0);
	assert_int_equal(gnutls_x509_crt_get_key_usage(crt, &usage, &critical), 0);
	assert_int_equal(usage, GNUTLS_KEY_DIGITAL_SIGNATURE);
	assert_int_equal(gnutls_x509_crt_get_version(crt), 3);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_crt_deinit(ca);
}

static void names_and_addresses_are_certified(void **state SN_UNUSED)
{
	struct sn_pki_issue what = order();
	gnutls_x509_crt_t crt = issue(&what);

	assert_true(gnutls_x509_crt_check_hostname(crt, "hub.example"));
	assert_true(gnutls_x509_crt_check_hostname(crt, "192.0.2.1"));
	assert_true(gnutls_x509_crt_check_hostname(crt, "2001:db8::1"));
	assert_false(gnutls_x509_crt_check_hostname(crt, "probe-7"));
	assert_false(gnutls_x509_crt_check_hostname(crt, "192.0.2.2"));
	gnutls_x509_crt_deinit(crt);
}

static bool has_purpose(gnutls_x509_crt_t crt, const char *oid)
{
	char text[64];

	for (unsigned i = 0;; i++) {
		size_t size = sizeof(text);

		if (gnutls_x509_crt_get_key_purpose_oid(crt, i, text, &size, NULL) != 0)
			return false;
		if (strcmp(text, oid) == 0)
			return true;
	}
}

static void the_usage_is_what_was_ordered(void **state SN_UNUSED)
{
	struct sn_pki_issue what = order();
	gnutls_x509_crt_t crt;

	what.usage = SN_PKI_CLIENT;
	crt = issue(&what);
	assert_true(has_purpose(crt, GNUTLS_KP_TLS_WWW_CLIENT));
	assert_false(has_purpose(crt, GNUTLS_KP_TLS_WWW_SERVER));
	gnutls_x509_crt_deinit(crt);
	what.usage = SN_PKI_SERVER;
	crt = issue(&what);
	assert_false(has_purpose(crt, GNUTLS_KP_TLS_WWW_CLIENT));
	assert_true(has_purpose(crt, GNUTLS_KP_TLS_WWW_SERVER));
	gnutls_x509_crt_deinit(crt);
}

static void serials_differ_and_keys_differ(void **state SN_UNUSED)
{
	struct sn_pki_issue what = order();
	struct sn_buf pem = {0}, other_key = {0};
	struct sn_pki_info a, b;

	assert_int_equal(sn_pki_issue(&what, &pem, NULL), 0);
	assert_int_equal(sn_pki_info(sn_buf_cstr(&pem), &a, NULL), 0);
	sn_buf_clear(&pem);
	assert_int_equal(sn_pki_issue(&what, &pem, NULL), 0);
	assert_int_equal(sn_pki_info(sn_buf_cstr(&pem), &b, NULL), 0);
	assert_string_not_equal(a.serial, b.serial);
	assert_string_not_equal(a.fingerprint, b.fingerprint);
	assert_int_equal(sn_pki_key_generate(&other_key, NULL), 0);
	assert_string_not_equal(sn_buf_cstr(&other_key), key.p);
	assert_non_null(strstr(key.p, "-----BEGIN PRIVATE KEY-----")); /* PKCS#8 */
	sn_buf_finish(&pem);
	sn_buf_finish(&other_key);
}

static void assert_refused(const struct sn_pki_issue *what, int error, const char *words)
{
	struct sn_buf pem = {0};
	struct sn_err err = {0};
	int result = sn_pki_issue(what, &pem, &err);

	if (result != error || strstr(err.text, words) == NULL)
		fail_msg("%d '%s' instead of %d '%s'", result, err.text, error, words);
	assert_int_equal(pem.n, 0);
	sn_buf_finish(&pem);
}

/* A request in DER with one byte changed, as PEM again. */
static char *tampered(size_t from_end)
{
	gnutls_datum_t pem = {(unsigned char *)csr.p, (unsigned)csr.n}, der, out;
	char *text;

	assert_int_equal(gnutls_pem_base64_decode2("NEW CERTIFICATE REQUEST", &pem, &der), 0);
	der.data[der.size - from_end] ^= 1;
	assert_int_equal(gnutls_pem_base64_encode2("NEW CERTIFICATE REQUEST", &der, &out), 0);
	text = strdup((char *)out.data);
	gnutls_free(der.data);
	gnutls_free(out.data);
	return text;
}

static void a_request_that_was_changed_is_refused(void **state SN_UNUSED)
{
	struct sn_pki_issue what = order();
	gnutls_datum_t pem = {(unsigned char *)csr.p, (unsigned)csr.n}, der;
	size_t size;

	assert_int_equal(gnutls_pem_base64_decode2("NEW CERTIFICATE REQUEST", &pem, &der), 0);
	size = der.size;
	gnutls_free(der.data);
	for (size_t from_end = 1; from_end <= size; from_end++) {
		char *text = tampered(from_end);
		struct sn_buf cert = {0};
		struct sn_err err = {0};

		what.csr_pem = text;
		if (sn_pki_issue(&what, &cert, &err) == 0)
			fail_msg("byte %zu of %zu", size - from_end, size);
		assert_true(err.text[0] != '\0');
		sn_buf_finish(&cert);
		free(text);
	}
}

/* A request with a key of another kind. */
static char *request_with(gnutls_pk_algorithm_t algorithm, unsigned bits)
{
	gnutls_x509_privkey_t private_key;
	gnutls_x509_crq_t crq;
	gnutls_datum_t out;
	char *text;

	gnutls_x509_privkey_init(&private_key);
	assert_int_equal(gnutls_x509_privkey_generate(private_key, algorithm, bits, 0), 0);
	gnutls_x509_crq_init(&crq);
	gnutls_x509_crq_set_version(crq, 1);
	gnutls_x509_crq_set_key(crq, private_key);
	assert_int_equal(gnutls_x509_crq_sign2(crq, private_key, GNUTLS_DIG_UNKNOWN, 0), 0);
	assert_int_equal(gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_PEM, &out), 0);
	text = strdup((char *)out.data);
	gnutls_free(out.data);
	gnutls_x509_crq_deinit(crq);
	gnutls_x509_privkey_deinit(private_key);
	return text;
}

static void weak_and_strange_keys_are_refused(void **state SN_UNUSED)
{
	static const struct {
		gnutls_pk_algorithm_t algorithm;
		unsigned bits;
		bool good;
	} keys[] = {
		{GNUTLS_PK_RSA, 1024, false},
		{GNUTLS_PK_RSA, 2047, false},
		{GNUTLS_PK_RSA, 2048, true},
		{GNUTLS_PK_EDDSA_ED25519, 256, true},
		{GNUTLS_PK_EDDSA_ED448, 456, false},
		{GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), true},
		{GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), false},
	};
	struct sn_pki_issue what = order();

	for (size_t i = 0; i < SN_COUNT(keys); i++) {
		char *text = request_with(keys[i].algorithm, keys[i].bits);

		what.csr_pem = text;
		if (keys[i].good)
			gnutls_x509_crt_deinit(issue(&what));
		else
			assert_refused(&what, -EKEYREJECTED, "(use P-256, Ed25519 or RSA");
		free(text);
	}
}

static void nonsense_is_refused(void **state SN_UNUSED)
{
	struct sn_pki_issue what = order();
	struct sn_pki_info info;
	char *large = malloc(SN_PKI_PEM_MAX + 2);

	what.csr_pem = "";
	assert_refused(&what, -EINVAL, "certificate request: it is empty");
	what.csr_pem = "-----BEGIN NEW CERTIFICATE REQUEST-----\nAAAA\n"
		       "-----END NEW CERTIFICATE REQUEST-----\n";
	assert_refused(&what, -EINVAL, "certificate request");
	what.csr_pem = ca_cert.p;
	assert_refused(&what, -EINVAL, "certificate request");
	memset(large, 'A', SN_PKI_PEM_MAX + 1);
	large[SN_PKI_PEM_MAX + 1] = '\0';
	what.csr_pem = large;
	assert_refused(&what, -EFBIG, "more than");
	large[SN_PKI_PEM_MAX] = '\0';
	assert_refused(&what, -EINVAL, "certificate request");
	assert_int_equal(sn_pki_info("", &info, NULL), -EINVAL);
	assert_int_equal(sn_pki_info(key.p, &info, NULL), -EINVAL);
	assert_int_equal(sn_pki_info_der("xyz", 3, &info, NULL), -EINVAL);
	assert_int_equal(sn_pki_ca_create("junk", "CA", T0, T0 + 1, &(struct sn_buf){0}, NULL),
			 -EINVAL);
	assert_int_equal(sn_pki_csr_create("junk", "name", &(struct sn_buf){0}, NULL), -EINVAL);
	free(large);
}

static void the_ca_must_be_one_and_fit_its_key(void **state SN_UNUSED)
{
	struct sn_pki_issue what = order();
	struct sn_buf leaf = {0};

	assert_int_equal(sn_pki_issue(&what, &leaf, NULL), 0);
	what.ca_key_pem = key.p;
	assert_refused(&what, -EINVAL, "do not belong together");
	what.ca_cert_pem = sn_buf_cstr(&leaf);
	assert_refused(&what, -EINVAL, "not that of a CA");
	sn_buf_finish(&leaf);
}

static void validity_is_checked(void **state SN_UNUSED)
{
	struct sn_pki_issue what = order();

	what.not_after_unix_s = T0 + YEAR;
	gnutls_x509_crt_deinit(issue(&what));
	what.not_after_unix_s = T0 + YEAR + 1;
	assert_refused(&what, -ERANGE, "outlive its CA");
	what.not_after_unix_s = T0;
	assert_refused(&what, -EINVAL, "ends before it begins");
	what.not_before_unix_s = -1;
	assert_refused(&what, -EINVAL, "ends before it begins");
}

static void names_are_checked(void **state SN_UNUSED)
{
	static const char *const uris[] = {"", "urn:other:node:1", "http://x", "urn:sonde:node:a b",
					   "urn:sonde:node:\n"};
	static const char *const bad_hosts[] = {"", "*.example", "a b", "-x", ".x", "a/b", "a:80"};
	struct sn_pki_issue what = order();
	char longest[SN_PKI_COMMON_NAME_MAX + 2], long_uri[SN_PKI_NAME_MAX + 2];

	for (size_t i = 0; i < SN_COUNT(uris); i++) {
		what.uri = uris[i];
		assert_refused(&what, -EINVAL, "as an identity");
	}
	memset(long_uri, 'x', sizeof(long_uri));
	memcpy(long_uri, "urn:sonde:node:", 15);
	long_uri[SN_PKI_NAME_MAX] = '\0';
	what.uri = long_uri;
	assert_refused(&what, -EINVAL, "as an identity");
	long_uri[SN_PKI_NAME_MAX - 1] = '\0';
	gnutls_x509_crt_deinit(issue(&what));

	what = order();
	for (size_t i = 0; i < SN_COUNT(bad_hosts); i++) {
		const char *const list[] = {bad_hosts[i], NULL};

		what.hosts = list;
		assert_refused(&what, -EINVAL, "neither a host name nor an address");
	}
	what = order();
	memset(longest, 'n', sizeof(longest));
	longest[SN_PKI_COMMON_NAME_MAX + 1] = '\0';
	what.common_name = longest;
	assert_refused(&what, -EINVAL, "common name");
	longest[SN_PKI_COMMON_NAME_MAX] = '\0';
	gnutls_x509_crt_deinit(issue(&what));
	what.common_name = "";
	assert_refused(&what, -EINVAL, "common name");
	what.common_name = "a\nb";
	assert_refused(&what, -EINVAL, "control characters");
	what.common_name = "Messstation Zürich";
	gnutls_x509_crt_deinit(issue(&what));
}

/* A certificate by hand, with a URI of `size` bytes. */
static struct sn_buf with_uri(const char *uri, unsigned size)
{
	gnutls_datum_t pem = {(unsigned char *)key.p, (unsigned)key.n}, out;
	gnutls_x509_privkey_t private_key;
	gnutls_x509_crt_t crt;
	struct sn_buf text = {0};

	gnutls_x509_privkey_init(&private_key);
	gnutls_x509_privkey_import(private_key, &pem, GNUTLS_X509_FMT_PEM);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\x01", 1);
	gnutls_x509_crt_set_activation_time(crt, T0);
	gnutls_x509_crt_set_expiration_time(crt, T0 + 1);
	gnutls_x509_crt_set_key(crt, private_key);
	gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "first", 5, GNUTLS_FSAN_SET);
	if (size > 0)
		gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_URI, uri, size,
						     GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_sign2(crt, crt, private_key, GNUTLS_DIG_SHA256, 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out), 0);
	sn_buf_add(&text, out.data, out.size);
	sn_buf_cstr(&text);
	gnutls_free(out.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(private_key);
	return text;
}

/* The certificate in DER with its '#' made a NUL, which GnuTLS itself would not write. */
static gnutls_datum_t decode_with_nul(const struct sn_buf *pem)
{
	gnutls_datum_t text = {(unsigned char *)pem->p, (unsigned)pem->n}, der;
	unsigned char *mark;

	assert_int_equal(gnutls_pem_base64_decode2("CERTIFICATE", &text, &der), 0);
	mark = memmem(der.data, der.size, "7#.evil", 7);
	assert_non_null(mark);
	mark[1] = '\0';
	return der;
}

static void a_name_is_taken_whole_or_not_at_all(void **state SN_UNUSED)
{
	struct sn_pki_info info;
	char longer[SN_PKI_NAME_MAX + 1];
	gnutls_datum_t der;
	struct sn_buf pem = with_uri("urn:sonde:node:7", 16);

	assert_int_equal(sn_pki_info(pem.p, &info, NULL), 0);
	assert_string_equal(info.uri, "urn:sonde:node:7");
	assert_string_equal(info.common_name, "");
	sn_buf_finish(&pem);

	pem = with_uri("", 0);
	assert_int_equal(sn_pki_info(pem.p, &info, NULL), 0);
	assert_string_equal(info.uri, "");
	sn_buf_finish(&pem);

	/* "urn:sonde:node:7" for whoever stops at a NUL. */
	pem = with_uri("urn:sonde:node:7#.evil", 22);
	der = decode_with_nul(&pem);
	assert_int_equal(sn_pki_info_der(der.data, der.size, &info, NULL), -EINVAL);
	gnutls_free(der.data);
	sn_buf_finish(&pem);

	memset(longer, 'u', sizeof(longer));
	pem = with_uri(longer, SN_PKI_NAME_MAX);
	assert_int_equal(sn_pki_info(pem.p, &info, NULL), -EINVAL);
	sn_buf_finish(&pem);
	pem = with_uri(longer, SN_PKI_NAME_MAX - 1);
	assert_int_equal(sn_pki_info(pem.p, &info, NULL), 0);
	assert_int_equal(strlen(info.uri), SN_PKI_NAME_MAX - 1);
	sn_buf_finish(&pem);
}

/* mPlane peers -------------------------------------------------------------------------- */

static const char *const component[] = {"DC=org", "DC=mplane", "O=SSB", "OU=Components", NULL};

static struct sn_pki_issue component_order(void)
{
	struct sn_pki_issue what = order();

	what.uri = NULL;
	what.subject = component;
	what.common_name = "Component-1";
	return what;
}

static struct sn_pki_info info_of(const struct sn_pki_issue *what)
{
	struct sn_buf pem = {0};
	struct sn_err err = {0};
	struct sn_pki_info info = {0};

	if (sn_pki_issue(what, &pem, &err) != 0 || sn_pki_info(sn_buf_cstr(&pem), &info, &err) != 0)
		fail_msg("%s", err.text);
	sn_buf_finish(&pem);
	return info;
}

static void a_component_is_known_by_its_dotted_subject(void **state SN_UNUSED)
{
	static const char *const uris[] = {"https://probe.example/", NULL};
	struct sn_pki_issue what = component_order();
	struct sn_pki_info info = info_of(&what);

	assert_string_equal(info.dotted, "org.mplane.SSB.Components.Component-1");
	assert_string_equal(info.common_name, "Component-1");
	assert_string_equal(info.dns, "hub.example");
	assert_string_equal(info.uri, "");
	assert_string_equal(info.issuer, "");
	what.uris = uris;
	info = info_of(&what);
	assert_string_equal(info.uri, "https://probe.example/");
	what = order();
	info = info_of(&what);
	assert_string_equal(info.dotted, "probe-7");
	what.common_name = "probe.7";
	info = info_of(&what);
	assert_string_equal(info.dotted, "");
	what.common_name = "probe 7";
	info = info_of(&what);
	assert_string_equal(info.dotted, "");
}

static void values_that_make_two_subjects_look_alike_are_refused(void **state SN_UNUSED)
{
	static const char *const values[] = {"O=",   "O=a.b",      "O=a b", "O=a,OU=b", "O=a=b",
					     "O=-a", "O=\xc3\xa4", "CN=x",  "X",        "O=a\n"};
	static const char *const names[] = {"a.b", "a b", "a,b", "-a", "\xc3\xa4"};
	struct sn_pki_issue what = component_order();

	for (size_t i = 0; i < SN_COUNT(values); i++) {
		const char *const subject[] = {"DC=org", values[i], NULL};

		what.subject = subject;
		assert_refused(&what, -EINVAL, "in a subject");
	}
	what = component_order();
	for (size_t i = 0; i < SN_COUNT(names); i++) {
		what.common_name = names[i];
		assert_refused(&what, -EINVAL, "as a name");
	}
}

static void nobody_gets_an_identity_of_ours_as_a_further_uri(void **state SN_UNUSED)
{
	static const char *const uris[] = {"urn:sonde:user:admin",
					   "URN:Sonde:user:admin",
					   "",
					   "no scheme",
					   "x",
					   ":x",
					   "http://a b"};
	struct sn_pki_issue what = component_order();

	for (size_t i = 0; i < SN_COUNT(uris); i++) {
		const char *const list[] = {uris[i], NULL};

		what.uris = list;
		assert_refused(&what, -EINVAL, "cannot certify the URI");
	}
}

static void the_text_has_the_line_that_mplane_programs_look_for(void **state SN_UNUSED)
{
	struct sn_pki_issue what = component_order();
	struct sn_buf pem = {0}, text = {0}, subject = {0};

	assert_int_equal(sn_pki_issue(&what, &pem, NULL), 0);
	assert_int_equal(sn_pki_describe(sn_buf_cstr(&pem), &text, NULL), 0);
	assert_non_null(strstr(sn_buf_cstr(&text),
			       " Subject: DC=org, DC=mplane, O=SSB, OU=Components, "
			       "CN=Component-1\n"));
	assert_non_null(strstr(text.p, " Issuer: CN=Sonde CA\n"));
	assert_non_null(strstr(text.p, " Names: DNS:hub.example, IP:192.0.2.1, IP:2001:db8::1\n"));
	assert_non_null(strstr(text.p, " Not after: 2023-11-15T22:13:20Z\n"));
	assert_int_equal(sn_pki_subject(pem.p, &subject, NULL), 0);
	assert_string_equal(sn_buf_cstr(&subject),
			    "DC=org, DC=mplane, O=SSB, OU=Components, CN=Component-1");
	assert_int_equal(sn_pki_describe("junk", &text, NULL), -EINVAL);
	sn_buf_finish(&pem);
	sn_buf_finish(&text);
	sn_buf_finish(&subject);
}

static void an_rsa_key_is_as_good(void **state SN_UNUSED)
{
	struct sn_buf rsa = {0}, request = {0};
	struct sn_pki_issue what = component_order();
	gnutls_x509_crt_t crt;
	unsigned usage = 0, bits = 0;

	assert_int_equal(sn_pki_key_generate_rsa(SN_PKI_RSA_BITS_MIN, &rsa, NULL), 0);
	assert_int_equal(sn_pki_csr_create(sn_buf_cstr(&rsa), "x", &request, NULL), 0);
	what.csr_pem = sn_buf_cstr(&request);
	crt = issue(&what);
	assert_int_equal(gnutls_x509_crt_get_pk_algorithm(crt, &bits), GNUTLS_PK_RSA);
	assert_int_equal(bits, SN_PKI_RSA_BITS_MIN);
	assert_int_equal(gnutls_x509_crt_get_key_usage(crt, &usage, NULL), 0);
	assert_int_equal(usage, GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_ENCIPHERMENT);
	gnutls_x509_crt_deinit(crt);
	sn_buf_finish(&rsa);
	sn_buf_finish(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_says_what_was_ordered),
		cmocka_unit_test(it_is_signed_by_the_ca_and_is_no_ca),
		cmocka_unit_test(names_and_addresses_are_certified),
		cmocka_unit_test(the_usage_is_what_was_ordered),
		cmocka_unit_test(serials_differ_and_keys_differ),
		cmocka_unit_test(a_request_that_was_changed_is_refused),
		cmocka_unit_test(weak_and_strange_keys_are_refused),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_ca_must_be_one_and_fit_its_key),
		cmocka_unit_test(validity_is_checked),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(a_name_is_taken_whole_or_not_at_all),
		cmocka_unit_test(a_component_is_known_by_its_dotted_subject),
		cmocka_unit_test(values_that_make_two_subjects_look_alike_are_refused),
		cmocka_unit_test(nobody_gets_an_identity_of_ours_as_a_further_uri),
		cmocka_unit_test(the_text_has_the_line_that_mplane_programs_look_for),
		cmocka_unit_test(an_rsa_key_is_as_good),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
