/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pki.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "base/rand.h"
#include "base/str.h"
#include "base/utf8.h"
#include "net/addr.h"

#define SERIAL_BYTES 16 /* random; RFC 5280 allows 20 octets */

/* Universal tags of the texts in names that we read (X.680, section 8.4). */
#define TAG_UTF8_STRING      12
#define TAG_PRINTABLE_STRING 19
#define TAG_IA5_STRING       22

static void cleanup_privkey(gnutls_x509_privkey_t *key)
{
	gnutls_x509_privkey_deinit(*key); /* overwrites the secret parts; NULL is fine */
}

static void cleanup_crt(gnutls_x509_crt_t *crt)
{
	gnutls_x509_crt_deinit(*crt);
}

static void cleanup_crq(gnutls_x509_crq_t *crq)
{
	gnutls_x509_crq_deinit(*crq);
}

static void cleanup_pubkey(gnutls_pubkey_t *key)
{
	gnutls_pubkey_deinit(*key);
}

static void cleanup_datum(gnutls_datum_t *datum)
{
	if (datum->data != NULL) {
		gnutls_memset(datum->data, 0, datum->size);
		gnutls_free(datum->data);
	}
}

#define auto_privkey __attribute__((cleanup(cleanup_privkey))) gnutls_x509_privkey_t
#define auto_crt     __attribute__((cleanup(cleanup_crt))) gnutls_x509_crt_t
#define auto_crq     __attribute__((cleanup(cleanup_crq))) gnutls_x509_crq_t
#define auto_pubkey  __attribute__((cleanup(cleanup_pubkey))) gnutls_pubkey_t
#define auto_datum   __attribute__((cleanup(cleanup_datum))) gnutls_datum_t

/* GnuTLS failed while doing `what` with material that we made or were given. */
static int tls_error(struct sn_err *err, int result, const char *what)
{
	int code = result == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;

	return sn_err_set(err, code, "cannot %s: %s", what, gnutls_strerror(result));
}

static int pem_datum(const char *pem, const char *what, gnutls_datum_t *datum, struct sn_err *err)
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

static int read_key(const char *pem, gnutls_x509_privkey_t *key, struct sn_err *err)
{
	gnutls_datum_t datum;
	int result = pem_datum(pem, "private key", &datum, err);

	if (result != 0)
		return result;
	result = gnutls_x509_privkey_init(key);
	if (result == 0)
		result = gnutls_x509_privkey_import2(*key, &datum, GNUTLS_X509_FMT_PEM, NULL,
						     GNUTLS_PKCS_PLAIN);
	return result == 0 ? 0 : tls_error(err, result, "read the private key");
}

static int read_cert(const char *pem, const char *what, gnutls_x509_crt_t *crt, struct sn_err *err)
{
	gnutls_datum_t datum;
	int result = pem_datum(pem, what, &datum, err);

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

int sn_pki_key_generate(struct sn_buf *pem, struct sn_err *err)
{
	auto_privkey key = NULL;
	auto_datum text = {NULL, 0};
	int result = gnutls_x509_privkey_init(&key);

	if (result == 0)
		result = gnutls_x509_privkey_generate(
			key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (result == 0)
		result = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
							   GNUTLS_PKCS_PLAIN, &text);
	if (result != 0)
		return tls_error(err, result, "make a private key");
	sn_buf_add(pem, text.data, text.size);
	return 0;
}

/* Printable, not empty, and short enough for a distinguished name. */
static int check_common_name(const char *name, struct sn_err *err)
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

/* Version, serial, validity, name and subject key id: what every certificate has. */
static int set_basics(gnutls_x509_crt_t crt, const char *common_name, int64_t not_before,
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

static int check_validity(int64_t not_before, int64_t not_after, struct sn_err *err)
{
	if (not_before < 0 || not_after <= not_before)
		return sn_err_set(err, -EINVAL,
				  "cannot make a certificate that ends before it begins");
	return 0;
}

static int export_cert(gnutls_x509_crt_t crt, struct sn_buf *pem, struct sn_err *err)
{
	auto_datum text = {NULL, 0};
	int result = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &text);

	if (result != 0)
		return tls_error(err, result, "write the certificate");
	sn_buf_add(pem, text.data, text.size);
	return 0;
}

int sn_pki_ca_create(const char *key_pem, const char *common_name, int64_t not_before_unix_s,
		     int64_t not_after_unix_s, struct sn_buf *cert_pem, struct sn_err *err)
{
	auto_privkey key = NULL;
	auto_crt crt = NULL;
	int result = read_key(key_pem, &key, err);

	if (result == 0)
		result = check_common_name(common_name, err);
	if (result == 0)
		result = check_validity(not_before_unix_s, not_after_unix_s, err);
	if (result != 0)
		return result;

	result = gnutls_x509_crt_init(&crt);
	if (result == 0)
		result = gnutls_x509_crt_set_key(crt, key);
	if (result == 0)
		result = set_basics(crt, common_name, not_before_unix_s, not_after_unix_s);
	if (result == 0) /* it signs end entities only */
		result = gnutls_x509_crt_set_basic_constraints(crt, 1, 0);
	if (result == 0)
		result = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN |
								    GNUTLS_KEY_CRL_SIGN);
	if (result == 0)
		result = gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
	if (result != 0)
		return tls_error(err, result, "make the CA certificate");
	return export_cert(crt, cert_pem, err);
}

int sn_pki_csr_create(const char *key_pem, const char *common_name, struct sn_buf *csr_pem,
		      struct sn_err *err)
{
	auto_privkey key = NULL;
	auto_crq crq = NULL;
	auto_datum text = {NULL, 0};
	int result = read_key(key_pem, &key, err);

	if (result == 0)
		result = check_common_name(common_name, err);
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
		return tls_error(err, result, "make the certificate request");
	sn_buf_add(csr_pem, text.data, text.size);
	return 0;
}

static bool is_p256(gnutls_pubkey_t key)
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	gnutls_datum_t x = {NULL, 0}, y = {NULL, 0};
	bool yes = gnutls_pubkey_export_ecc_raw2(key, &curve, &x, &y, 0) == 0 &&
		   curve == GNUTLS_ECC_CURVE_SECP256R1;

	gnutls_free(x.data);
	gnutls_free(y.data);
	return yes;
}

/* P-256, Ed25519 or RSA of sensible size. */
static int check_csr_key(gnutls_pubkey_t key, struct sn_err *err)
{
	unsigned bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(key, &bits);

	if (algorithm == GNUTLS_PK_RSA && bits >= SN_PKI_RSA_BITS_MIN &&
	    bits <= SN_PKI_RSA_BITS_MAX)
		return 0;
	if (algorithm == GNUTLS_PK_EDDSA_ED25519)
		return 0;
	if (algorithm == GNUTLS_PK_ECDSA && is_p256(key))
		return 0;
	return sn_err_set(err, -EKEYREJECTED,
			  "cannot accept the certificate request: %s key of %u bits (use P-256, "
			  "Ed25519 or RSA of %d to %d bits)",
			  algorithm > 0 ? gnutls_pk_get_name(algorithm) : "unknown", bits,
			  SN_PKI_RSA_BITS_MIN, SN_PKI_RSA_BITS_MAX);
}

/* The key of a request that proves to hold it; looked at before the signature costs work. */
static int read_csr(const char *pem, gnutls_pubkey_t *key, struct sn_err *err)
{
	auto_crq crq = NULL;
	gnutls_datum_t datum;
	int result = pem_datum(pem, "certificate request", &datum, err);

	if (result != 0)
		return result;
	result = gnutls_x509_crq_init(&crq);
	if (result == 0)
		result = gnutls_x509_crq_import(crq, &datum, GNUTLS_X509_FMT_PEM);
	if (result == 0)
		result = gnutls_pubkey_init(key);
	if (result == 0)
		result = gnutls_pubkey_import_x509_crq(*key, crq, 0);
	if (result != 0)
		return tls_error(err, result, "read the certificate request");
	result = check_csr_key(*key, err);
	if (result != 0)
		return result;
	if (gnutls_x509_crq_verify(crq, 0) != 0)
		return sn_err_set(err, -EKEYREJECTED,
				  "cannot accept the certificate request: its signature is wrong");
	return 0;
}

/* "urn:sonde:<kind>:<name>" of printable ASCII without blanks. */
static int check_uri(const char *uri, struct sn_err *err)
{
	size_t size = uri == NULL ? 0 : strlen(uri);
	bool good = size < SN_PKI_NAME_MAX && sn_str_has_prefix(sn_str(uri), "urn:sonde:");

	for (size_t i = 0; good && i < size; i++)
		good = uri[i] > ' ' && uri[i] < 127;
	if (!good)
		return sn_err_set(err, -EINVAL,
				  "cannot use '%.80s' as an identity: not a urn:sonde",
				  uri == NULL ? "" : uri);
	return 0;
}

/* RFC 1123: letters, digits, dashes and dots; a first label "*" is not for us. */
static bool is_host_name(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > 253 || name[0] == '.' || name[0] == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
	       size;
}

static int add_host(gnutls_x509_crt_t crt, const char *host, struct sn_err *err)
{
	struct sn_addr addr;
	int result;

	if (sn_addr_parse(sn_str(host), 0, &addr) == 0) {
		bool v4 = addr.sa.sa_family == AF_INET;

		result = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS,
							      v4 ? (void *)&addr.in.sin_addr
								 : (void *)&addr.in6.sin6_addr,
							      v4 ? 4 : 16, GNUTLS_FSAN_APPEND);
	} else if (is_host_name(host)) {
		result = gnutls_x509_crt_set_subject_alt_name(
			crt, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host), GNUTLS_FSAN_APPEND);
	} else {
		return sn_err_set(err, -EINVAL,
				  "cannot certify '%.80s': neither a host name nor an address",
				  host);
	}
	return result == 0 ? 0 : tls_error(err, result, "add a name to the certificate");
}

static int add_names(gnutls_x509_crt_t crt, const struct sn_pki_issue *issue, struct sn_err *err)
{
	int result = gnutls_x509_crt_set_subject_alt_name(
		crt, GNUTLS_SAN_URI, issue->uri, (unsigned)strlen(issue->uri), GNUTLS_FSAN_SET);

	if (result != 0)
		return tls_error(err, result, "add a name to the certificate");
	for (size_t i = 0; issue->hosts != NULL && issue->hosts[i] != NULL; i++) {
		result = add_host(crt, issue->hosts[i], err);
		if (result != 0)
			return result;
	}
	return 0;
}

static int add_usage(gnutls_x509_crt_t crt, int usage, bool is_rsa)
{
	unsigned key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE;
	int result = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);

	if (is_rsa && (usage & SN_PKI_SERVER))
		key_usage |= GNUTLS_KEY_KEY_ENCIPHERMENT;
	if (result == 0)
		result = gnutls_x509_crt_set_key_usage(crt, key_usage);
	if (result == 0 && (usage & SN_PKI_CLIENT))
		result = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
	if (result == 0 && (usage & SN_PKI_SERVER))
		result = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
	return result;
}

/* The CA: its certificate and key, which must belong together and outlive the new certificate. */
static int read_ca(const struct sn_pki_issue *issue, gnutls_x509_crt_t *crt,
		   gnutls_x509_privkey_t *key, struct sn_err *err)
{
	unsigned char cert_id[64], key_id[64];
	size_t cert_id_size = sizeof(cert_id), key_id_size = sizeof(key_id);
	int result = read_cert(issue->ca_cert_pem, "CA certificate", crt, err);

	if (result == 0)
		result = read_key(issue->ca_key_pem, key, err);
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
	if (issue->not_after_unix_s > (int64_t)gnutls_x509_crt_get_expiration_time(*crt))
		return sn_err_set(
			err, -ERANGE,
			"cannot issue: the certificate would outlive its CA (renew the CA)");
	return 0;
}

static int check_issue(const struct sn_pki_issue *issue, struct sn_err *err)
{
	int result = check_common_name(issue->common_name, err);

	assert((issue->usage & ~(SN_PKI_CLIENT | SN_PKI_SERVER)) == 0 && issue->usage != 0);
	if (result == 0)
		result = check_uri(issue->uri, err);
	if (result == 0)
		result = check_validity(issue->not_before_unix_s, issue->not_after_unix_s, err);
	return result;
}

int sn_pki_issue(const struct sn_pki_issue *issue, struct sn_buf *cert_pem, struct sn_err *err)
{
	auto_crt ca = NULL, crt = NULL;
	auto_privkey ca_key = NULL;
	auto_pubkey key = NULL;
	unsigned char id[64];
	size_t id_size = sizeof(id);
	bool is_rsa;
	int result = check_issue(issue, err);

	if (result == 0)
		result = read_ca(issue, &ca, &ca_key, err);
	if (result == 0)
		result = read_csr(issue->csr_pem, &key, err);
	if (result != 0)
		return result;
	is_rsa = gnutls_pubkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_RSA;

	/* Only the key is taken from the request: names and extensions are the issuer's. */
	result = gnutls_x509_crt_init(&crt);
	if (result == 0)
		result = gnutls_x509_crt_set_pubkey(crt, key);
	if (result == 0)
		result = set_basics(crt, issue->common_name, issue->not_before_unix_s,
				    issue->not_after_unix_s);
	if (result == 0)
		result = add_usage(crt, issue->usage, is_rsa);
	if (result == 0)
		result = gnutls_x509_crt_get_subject_key_id(ca, id, &id_size, NULL);
	if (result == 0)
		result = gnutls_x509_crt_set_authority_key_id(crt, id, id_size);
	if (result != 0)
		return tls_error(err, result, "make the certificate");
	result = add_names(crt, issue, err);
	if (result != 0)
		return result;
	result = gnutls_x509_crt_sign2(crt, ca, ca_key, GNUTLS_DIG_SHA256, 0);
	if (result != 0)
		return tls_error(err, result, "sign the certificate");
	return export_cert(crt, cert_pem, err);
}

/* A name that does not fit or holds a NUL would be another name when cut: refuse it. */
static int info_common_name(gnutls_x509_crt_t crt, struct sn_pki_info *info, struct sn_err *err)
{
	size_t size = sizeof(info->common_name);
	int result = gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
						   info->common_name, &size);

	if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
		info->common_name[0] = '\0';
		return 0;
	}
	if (result != 0 || strlen(info->common_name) != size)
		return sn_err_set(err, -EINVAL, "cannot use the certificate: bad common name");
	return 0;
}

/* The first URI and the first DNS name; `uri` and `dns` are "" before. */
static int info_names(gnutls_x509_crt_t crt, struct sn_pki_info *info, struct sn_err *err)
{
	for (unsigned i = 0;; i++) {
		char name[SN_PKI_NAME_MAX], *out;
		size_t size = sizeof(name); /* GnuTLS adds a NUL of its own */
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);

		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			return sn_err_set(err, -EINVAL,
					  "cannot use the certificate: name too long");
		if (type < 0 && type != GNUTLS_E_X509_UNKNOWN_SAN)
			return tls_error(err, type, "read the names of the certificate");
		if (type != GNUTLS_SAN_URI && type != GNUTLS_SAN_DNSNAME)
			continue;
		if (strnlen(name, sizeof(name)) != size)
			return sn_err_set(err, -EINVAL, "cannot use the certificate: bad %s",
					  type == GNUTLS_SAN_URI ? "URI" : "DNS name");
		out = type == GNUTLS_SAN_URI ? info->uri : info->dns;
		if (out[0] == '\0')
			memcpy(out, name, size + 1);
	}
}

/* One value of a subject as text; false when it cannot be part of an identity. */
static bool dotted_value(const gnutls_x509_ava_st *ava, struct sn_buf *out)
{
	bool text = ava->value_tag == TAG_UTF8_STRING || ava->value_tag == TAG_PRINTABLE_STRING ||
		    ava->value_tag == TAG_IA5_STRING;
	struct sn_str value = {(const char *)ava->value.data, ava->value.size};

	if (!text || value.n == 0 || !sn_utf8_valid(value))
		return false;
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c <= ' ' || c == 127 || c == '.')
			return false;
	}
	if (out->n > 0)
		sn_buf_addc(out, '.');
	sn_buf_add(out, value.p, value.n);
	return true;
}

/* The subject as mPlane peers are called; `dotted` is "" before and stays so if it is unfit. */
static void info_dotted(gnutls_x509_crt_t crt, struct sn_pki_info *info)
{
	struct sn_buf text = {0};
	gnutls_x509_dn_t subject;
	gnutls_x509_ava_st ava;
	bool fit = gnutls_x509_crt_get_subject(crt, &subject) == 0;

	for (int i = 0; fit && gnutls_x509_dn_get_rdn_ava(subject, i, 0, &ava) == 0; i++)
		fit = dotted_value(&ava, &text) && text.n < sizeof(info->dotted);
	if (fit && text.n > 0)
		memcpy(info->dotted, text.p, text.n);
	sn_buf_finish(&text);
}

static int fill_info(gnutls_x509_crt_t crt, struct sn_pki_info *info, struct sn_err *err)
{
	unsigned char digest[32], serial[(SN_PKI_SERIAL_SIZE - 1) / 2];
	size_t digest_size = sizeof(digest), serial_size = sizeof(serial);
	int result = info_common_name(crt, info, err);

	if (result == 0)
		result = info_names(crt, info, err);
	if (result != 0)
		return result;
	info_dotted(crt, info);
	result = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &digest_size);
	if (result == 0)
		result = gnutls_x509_crt_get_serial(crt, serial, &serial_size);
	if (result != 0)
		return tls_error(err, result, "read the certificate");
	sn_hex(digest, digest_size, info->fingerprint);
	sn_hex(serial, serial_size, info->serial);
	info->not_before_unix_s = (int64_t)gnutls_x509_crt_get_activation_time(crt);
	info->not_after_unix_s = (int64_t)gnutls_x509_crt_get_expiration_time(crt);
	return 0;
}

int sn_pki_info(const char *cert_pem, struct sn_pki_info *info, struct sn_err *err)
{
	auto_crt crt = NULL;
	int result = read_cert(cert_pem, "certificate", &crt, err);

	memset(info, 0, sizeof(*info));
	return result == 0 ? fill_info(crt, info, err) : result;
}

int sn_pki_info_der(const void *der, size_t size, struct sn_pki_info *info, struct sn_err *err)
{
	auto_crt crt = NULL;
	gnutls_datum_t datum = {(unsigned char *)(uintptr_t)der, (unsigned)size};
	int result = -EFBIG;

	memset(info, 0, sizeof(*info));
	if (size <= SN_PKI_PEM_MAX) {
		result = gnutls_x509_crt_init(&crt);
		if (result == 0)
			result = gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_DER);
	}
	if (result != 0)
		return sn_err_set(err, -EINVAL, "cannot read the certificate");
	return fill_info(crt, info, err);
}
