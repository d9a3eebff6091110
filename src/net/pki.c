/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pki_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/rand.h"

#define SERIAL_BYTES 16 /* random; RFC 5280 allows 20 octets */

int sn_pki_fail(struct sn_err *err, int result, const char *what)
{
	int code = result == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;

	return sn_err_set(err, code, "cannot %s: %s", what, gnutls_strerror(result));
}

int sn_pki_pem_datum(const char *pem, const char *what, gnutls_datum_t *datum, struct sn_err *err)
{
	size_t size = pem == NULL ? 0 : strlen(pem);

	if (size == 0)
		return sn_err_set(err, -EINVAL, "cannot read the %s: it is empty", what);
	if (size > SN_PKI_PEM_MAX)
		return sn_err_set(err, -EFBIG, "cannot read the %s: more than %d bytes", what,
				  SN_PKI_PEM_MAX);
	*datum = (gnutls_datum_t){(unsigned char *)(uintptr_t)pem, (unsigned)size};
	return 0;
}

int sn_pki_read_key(const char *pem, gnutls_x509_privkey_t *key, struct sn_err *err)
{
	gnutls_datum_t datum;
	int result = sn_pki_pem_datum(pem, "private key", &datum, err);

	if (result != 0)
		return result;
	result = gnutls_x509_privkey_init(key);
	if (result == 0)
		result = gnutls_x509_privkey_import2(*key, &datum, GNUTLS_X509_FMT_PEM, NULL,
						     GNUTLS_PKCS_PLAIN);
	return result == 0 ? 0 : sn_pki_fail(err, result, "read the private key");
}

int sn_pki_read_cert(const char *pem, const char *what, gnutls_x509_crt_t *crt, struct sn_err *err)
{
	gnutls_datum_t datum;
	int result = sn_pki_pem_datum(pem, what, &datum, err);

	if (result != 0)
		return result;
	result = gnutls_x509_crt_init(crt);
	if (result == 0)
		result = gnutls_x509_crt_import(*crt, &datum, GNUTLS_X509_FMT_PEM);
	if (result != 0)
		return sn_err_set(err, -EINVAL, "cannot read the %s: %s", what,
				  gnutls_strerror(result));
	return 0;
}

static int generate(gnutls_pk_algorithm_t algorithm, unsigned bits, struct sn_buf *pem,
		    struct sn_err *err)
{
	auto_privkey key = NULL;
	auto_datum text = {NULL, 0};
	int result = gnutls_x509_privkey_init(&key);

	if (result == 0)
		result = gnutls_x509_privkey_generate(key, algorithm, bits, 0);
	if (result == 0)
		result = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
							   GNUTLS_PKCS_PLAIN, &text);
	if (result != 0)
		return sn_pki_fail(err, result, "make a private key");
	sn_buf_add(pem, text.data, text.size);
	return 0;
}

int sn_pki_key_generate(struct sn_buf *pem, struct sn_err *err)
{
	return generate(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), pem,
			err);
}

int sn_pki_key_generate_rsa(unsigned bits, struct sn_buf *pem, struct sn_err *err)
{
	assert(bits >= SN_PKI_RSA_BITS_MIN && bits <= SN_PKI_RSA_BITS_MAX);
	return generate(GNUTLS_PK_RSA, bits, pem, err);
}

int sn_pki_check_common_name(const char *name, struct sn_err *err)
{
	size_t size = name == NULL ? 0 : strlen(name);

	if (size == 0 || size > SN_PKI_COMMON_NAME_MAX)
		return sn_err_set(err, -EINVAL,
				  "cannot use a common name of %zu bytes (1 to %d are allowed)",
				  size, SN_PKI_COMMON_NAME_MAX);
	for (const char *c = name; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 127)
			return sn_err_set(err, -EINVAL,
					  "cannot use a common name with control characters");
	}
	return 0;
}

static int set_serial(gnutls_x509_crt_t crt)
{
	unsigned char serial[SERIAL_BYTES];

	sn_random(serial, sizeof(serial));
	serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, of constant length */
	return gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
}

int sn_pki_set_basics(gnutls_x509_crt_t crt, const char *common_name, int64_t not_before,
		      int64_t not_after)
{
	unsigned char id[64];
	size_t id_size = sizeof(id);
	int result = gnutls_x509_crt_set_version(crt, 3);

	if (result == 0)
		result = set_serial(crt);
	if (result == 0)
		result = gnutls_x509_crt_set_activation_time(crt, (time_t)not_before);
	if (result == 0)
		result = gnutls_x509_crt_set_expiration_time(crt, (time_t)not_after);
	if (result == 0)
		result = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0,
						       common_name, (unsigned)strlen(common_name));
	if (result == 0)
		result = gnutls_x509_crt_get_key_id(crt, 0, id, &id_size);
	if (result == 0)
		result = gnutls_x509_crt_set_subject_key_id(crt, id, id_size);
	return result;
}

int sn_pki_check_validity(int64_t not_before, int64_t not_after, struct sn_err *err)
{
	if (not_before < 0 || not_after <= not_before)
		return sn_err_set(err, -EINVAL,
				  "cannot make a certificate that ends before it begins");
	return 0;
}

int sn_pki_export_cert(gnutls_x509_crt_t crt, struct sn_buf *pem, struct sn_err *err)
{
	auto_datum text = {NULL, 0};
	int result = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &text);

	if (result != 0)
		return sn_pki_fail(err, result, "write the certificate");
	sn_buf_add(pem, text.data, text.size);
	return 0;
}

int sn_pki_read_ca(const char *cert_pem, const char *key_pem, gnutls_x509_crt_t *crt,
		   gnutls_x509_privkey_t *key, struct sn_err *err)
{
	unsigned char cert_id[64], key_id[64];
	size_t cert_id_size = sizeof(cert_id), key_id_size = sizeof(key_id);
	int result = sn_pki_read_cert(cert_pem, "CA certificate", crt, err);

	if (result == 0)
		result = sn_pki_read_key(key_pem, key, err);
	if (result != 0)
		return result;
	if (gnutls_x509_crt_get_ca_status(*crt, NULL) <= 0)
		return sn_err_set(err, -EINVAL,
				  "cannot issue: the certificate is not that of a CA");
	if (gnutls_x509_crt_get_key_id(*crt, 0, cert_id, &cert_id_size) != 0 ||
	    gnutls_x509_privkey_get_key_id(*key, 0, key_id, &key_id_size) != 0 ||
	    cert_id_size != key_id_size || memcmp(cert_id, key_id, key_id_size) != 0)
		return sn_err_set(
			err, -EINVAL,
			"cannot issue: the CA's certificate and key do not belong together");
	return 0;
}

int sn_pki_ca_create(const char *key_pem, const char *common_name, int64_t not_before_unix_s,
		     int64_t not_after_unix_s, struct sn_buf *cert_pem, struct sn_err *err)
{
	auto_privkey key = NULL;
	auto_crt crt = NULL;
	int result = sn_pki_read_key(key_pem, &key, err);

	if (result == 0)
		result = sn_pki_check_common_name(common_name, err);
	if (result == 0)
		result = sn_pki_check_validity(not_before_unix_s, not_after_unix_s, err);
	if (result != 0)
		return result;

	result = gnutls_x509_crt_init(&crt);
	if (result == 0)
		result = gnutls_x509_crt_set_key(crt, key);
	if (result == 0)
		result = sn_pki_set_basics(crt, common_name, not_before_unix_s, not_after_unix_s);
	if (result == 0) /* it signs end entities only */
		result = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
	if (result == 0)
		result = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN |
								    GNUTLS_KEY_CRL_SIGN);
	if (result == 0)
		result = gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
	if (result != 0)
		return sn_pki_fail(err, result, "make the CA certificate");
	return sn_pki_export_cert(crt, cert_pem, err);
}

int sn_pki_csr_create(const char *key_pem, const char *common_name, struct sn_buf *csr_pem,
		      struct sn_err *err)
{
	auto_privkey key = NULL;
	auto_crq crq = NULL;
	auto_datum text = {NULL, 0};
	int result = sn_pki_read_key(key_pem, &key, err);

	if (result == 0)
		result = sn_pki_check_common_name(common_name, err);
	if (result != 0)
		return result;

	result = gnutls_x509_crq_init(&crq);
	if (result == 0)
		result = gnutls_x509_crq_set_version(crq, 1);
	if (result == 0)
		result = gnutls_x509_crq_set_dn_by_oid(crq, GNUTLS_OID_X520_COMMON_NAME, 0,
						       common_name, (unsigned)strlen(common_name));
	if (result == 0)
		result = gnutls_x509_crq_set_key(crq, key);
	if (result == 0)
		result = gnutls_x509_crq_sign2(crq, key, GNUTLS_DIG_SHA256, 0);
	if (result == 0)
		result = gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_PEM, &text);
	if (result != 0)
		return sn_pki_fail(err, result, "make the certificate request");
	sn_buf_add(csr_pem, text.data, text.size);
	return 0;
}
