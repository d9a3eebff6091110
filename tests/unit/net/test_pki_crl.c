/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <string.h>

#include "net/pki.h"

#define T0   1700000000
#define YEAR (365 * 86400)

/* Made with openssl ca -gencrl: a list of a CA "X" for key compromise only. */
static const char partial_ca[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBbTCCAROgAwIBAgIUDDXEG6il/vnNgN7MT7Rm6z2YBpIwCgYIKoZIzj0EAwIw\n"
	"DDEKMAgGA1UEAwwBWDAeFw0yNjExMjIwMTQ0NTFaFw0zNjExMTkwMTQ0NTFaMAwx\n"
	"CjAIBgNVBAMMAVgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARFpFLGOUGtATA0\n"
	"MQ5US7npsEG4ILNtjFH9uno7Ovesnbc0zlBpzx5IRJMKYbbkaKrUWOZl3dvvpfUR\n"
	"OOvlSKfUo1MwUTAdBgNVHQ4EFgQUZKAmChIbH2pVuQ77aP8j+gedJrgwHwYDVR0j\n"
	"BBgwFoAUZKAmChIbH2pVuQ77aP8j+gedJrgwDwYDVR0TAQH/BAUwAwEB/zAKBggq\n"
	"hkjOPQQDAgNIADBFAiBhNzNjUm4je/O81dtnAu3y+twqahelBa+/oFQ+i2mX4wIh\n"
	"AMKqrEqVgdaro1svAAXdwpAwmZdWsqF0R0YRI1TFwRps\n"
	"-----END CERTIFICATE-----\n";
static const char partial_list[] =
	"-----BEGIN X509 CRL-----\n"
	"MIG1MF0CAQEwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBWBcNMjYxMTIyMDE0NDUx\n"
	"WhcNMzYxMTE5MDE0NDUxWqAgMB4wEAYDVR0cAQH/BAYwBIMCBkAwCgYDVR0UBAMC\n"
	"AQEwCgYIKoZIzj0EAwIDSAAwRQIgZzgTeAQfyzuyms9QpL9QEAUn47QtAKrzHn0Y\n"
	"/YW/bKsCIQDkcLsOR2Y4PGnzRST5Ws/yZa+vSrOxHSrIdzAH31FyPA==\n"
	"-----END X509 CRL-----\n";

static struct sn_buf ca_key, ca_cert;

static int setup(void **state SN_UNUSED)
{
	assert_int_equal(sn_pki_key_generate(&ca_key, NULL), 0);
	assert_int_equal(sn_pki_ca_create(sn_buf_cstr(&ca_key), "Sonde CA", T0 - 10, T0 + YEAR,
					  &ca_cert, NULL),
			 0);
	sn_buf_cstr(&ca_cert);
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	sn_buf_finish(&ca_key);
	sn_buf_finish(&ca_cert);
	return 0;
}

static const struct sn_pki_revoked revoked[] = {
	{"40aabbccddeeff00112233445566778899", T0},
	{"01", T0 + 1},
	{"00ff", T0 + 2},
};

static struct sn_pki_crl_order crl_order(void)
{
	return (struct sn_pki_crl_order){
		.ca_cert_pem = ca_cert.p,
		.ca_key_pem = ca_key.p,
		.number = 0x80000001,
		.this_update_unix_s = T0,
		.next_update_unix_s = T0 + 3600,
		.revoked = revoked,
		.revoked_count = SN_COUNT(revoked),
	};
}

static void a_list_holds_what_was_revoked(void **state SN_UNUSED)
{
	struct sn_pki_crl_order what = crl_order();
	struct sn_buf der = {0}, pem = {0};
	struct sn_pki_crl *crl;

	assert_int_equal(sn_pki_crl_create(&what, &der, NULL), 0);
	sn_pki_crl_to_pem(der.p, der.n, &pem);
	for (int form = 0; form < 2; form++) {
		struct sn_str text = sn_buf_str(form == 0 ? &der : &pem);

		assert_int_equal(sn_pki_crl_read(text, ca_cert.p, &crl, NULL), 0);
		assert_int_equal(sn_pki_crl_count(crl), SN_COUNT(revoked));
		assert_int_equal(sn_pki_crl_next_update(crl), T0 + 3600);
		for (size_t i = 0; i < SN_COUNT(revoked); i++)
			assert_true(sn_pki_crl_holds(crl, revoked[i].serial));
		assert_false(sn_pki_crl_holds(crl, "02"));
		assert_false(sn_pki_crl_holds(crl, ""));
		sn_pki_crl_free(crl);
	}
	what.revoked_count = 0;
	sn_buf_clear(&der);
	assert_int_equal(sn_pki_crl_create(&what, &der, NULL), 0);
	assert_int_equal(sn_pki_crl_read(sn_buf_str(&der), ca_cert.p, &crl, NULL), 0);
	assert_int_equal(sn_pki_crl_count(crl), 0);
	assert_false(sn_pki_crl_holds(crl, "01"));
	sn_pki_crl_free(crl);
	sn_buf_finish(&der);
	sn_buf_finish(&pem);
}

static void a_list_of_another_ca_or_a_changed_one_is_refused(void **state SN_UNUSED)
{
	struct sn_pki_crl_order what = crl_order();
	struct sn_buf other_key = {0}, other = {0}, der = {0};
	struct sn_pki_crl *crl = NULL;
	struct sn_err err = {0};

	/* Of the same name, even. */
	assert_int_equal(sn_pki_key_generate(&other_key, NULL), 0);
	assert_int_equal(
		sn_pki_ca_create(sn_buf_cstr(&other_key), "Sonde CA", T0, T0 + YEAR, &other, NULL),
		0);
	assert_int_equal(sn_pki_crl_create(&what, &der, NULL), 0);
	assert_int_equal(sn_pki_crl_read(sn_buf_str(&der), sn_buf_cstr(&other), &crl, &err),
			 -EKEYREJECTED);
	for (size_t i = 0; i < der.n; i++) {
		der.p[i] ^= 1;
		if (sn_pki_crl_read(sn_buf_str(&der), ca_cert.p, &crl, NULL) == 0)
			fail_msg("byte %zu", i);
		der.p[i] ^= 1;
	}
	assert_int_equal(sn_pki_crl_read(SN_STR(""), ca_cert.p, &crl, NULL), -EINVAL);
	assert_int_equal(sn_pki_crl_read(SN_STR("junk"), ca_cert.p, &crl, NULL), -EINVAL);
	assert_int_equal(
		sn_pki_crl_read((struct sn_str){"x", SN_PKI_CRL_MAX + 1}, ca_cert.p, &crl, NULL),
		-EFBIG);
	assert_null(crl);
	sn_buf_finish(&other_key);
	sn_buf_finish(&other);
	sn_buf_finish(&der);
}

/* It would pass for the whole one and leave most of it out. */
static void a_partial_list_is_refused(void **state SN_UNUSED)
{
	struct sn_pki_crl *crl = NULL;
	struct sn_err err = {0};

	assert_int_equal(sn_pki_crl_read(sn_str(partial_list), partial_ca, &crl, &err),
			 -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "only a part"));
	assert_null(crl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_holds_what_was_revoked),
		cmocka_unit_test(a_list_of_another_ca_or_a_changed_one_is_refused),
		cmocka_unit_test(a_partial_list_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
