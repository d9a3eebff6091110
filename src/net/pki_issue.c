/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pki_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "net/addr.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

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
	int result = sn_pki_pem_datum(pem, "certificate request", &datum, err);

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
		return sn_pki_fail(err, result, "read the certificate request");
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

/* A URI that is no identity of ours; schemes and namespaces are the same in any case. */
static int check_further_uri(const char *uri, struct sn_err *err)
{
	size_t size = strlen(uri), scheme = strspn(uri, LETTERS DIGITS "+.-");
	bool good = size < SN_PKI_NAME_MAX && scheme > 0 && uri[scheme] == ':' &&
		    strncasecmp(uri, "urn:sonde:", strlen("urn:sonde:")) != 0;

	for (size_t i = 0; good && i < size; i++)
		good = uri[i] > ' ' && uri[i] < 127;
	if (!good)
		return sn_err_set(err, -EINVAL,
				  "cannot certify the URI '%.80s': not one, or a urn:sonde", uri);
	return 0;
}

bool sn_pki_value_is_plain(const char *value)
{
	size_t size = strlen(value);

	return size > 0 && size < SN_PKI_COMMON_NAME_MAX && strchr("-_", value[0]) == NULL &&
	       strspn(value, LETTERS DIGITS "-_") == size;
}

/* RFC 1123: letters, digits, dashes and dots; a first label "*" is not for us. */
static bool is_host_name(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > 253 || name[0] == '.' || name[0] == '-')
		return false;
	return strspn(name, LETTERS DIGITS ".-_") == size;
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
	return result == 0 ? 0 : sn_pki_fail(err, result, "add a name to the certificate");
}

static int add_uri(gnutls_x509_crt_t crt, const char *uri, struct sn_err *err)
{
	int result = gnutls_x509_crt_set_subject_alt_name(
		crt, GNUTLS_SAN_URI, uri, (unsigned)strlen(uri), GNUTLS_FSAN_APPEND);

	return result == 0 ? 0 : sn_pki_fail(err, result, "add a name to the certificate");
}

static int add_names(gnutls_x509_crt_t crt, const struct sn_pki_issue *issue, struct sn_err *err)
{
	int result = issue->uri != NULL ? add_uri(crt, issue->uri, err) : 0;

	for (size_t i = 0; result == 0 && issue->uris != NULL && issue->uris[i] != NULL; i++) {
		result = check_further_uri(issue->uris[i], err);
		if (result == 0)
			result = add_uri(crt, issue->uris[i], err);
	}
	if (result != 0)
		return result;
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

/* "O=SSB" into the subject, behind what is there. */
static int add_rdn(gnutls_x509_crt_t crt, const char *rdn, struct sn_err *err)
{
	static const struct {
		const char *name, *oid;
	} kinds[] = {
		{"DC=", GNUTLS_OID_LDAP_DC},
		{"O=", GNUTLS_OID_X520_ORGANIZATION_NAME},
		{"OU=", GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME},
	};
	int result = GNUTLS_E_INVALID_REQUEST;
	const char *value;

	for (size_t i = 0; i < SN_COUNT(kinds); i++) {
		value = rdn + strlen(kinds[i].name);
		if (strncmp(rdn, kinds[i].name, strlen(kinds[i].name)) != 0 ||
		    !sn_pki_value_is_plain(value))
			continue;
		result = gnutls_x509_crt_set_dn_by_oid(crt, kinds[i].oid, 0, value,
						       (unsigned)strlen(value));
	}
	if (result == GNUTLS_E_INVALID_REQUEST)
		return sn_err_set(err, -EINVAL,
				  "cannot use '%.80s' in a subject (1 to %d letters, digits, '-', "
				  "'_', a letter or digit first)",
				  rdn, SN_PKI_COMMON_NAME_MAX - 1);
	return result == 0 ? 0 : sn_pki_fail(err, result, "write the subject");
}

static int add_subject(gnutls_x509_crt_t crt, const struct sn_pki_issue *issue, struct sn_err *err)
{
	int result = 0;

	for (size_t i = 0; result == 0 && issue->subject != NULL && issue->subject[i] != NULL; i++)
		result = add_rdn(crt, issue->subject[i], err);
	return result;
}

static int check_issue(const struct sn_pki_issue *issue, struct sn_err *err)
{
	int result = sn_pki_check_common_name(issue->common_name, err);

	assert((issue->usage & ~(SN_PKI_CLIENT | SN_PKI_SERVER)) == 0 && issue->usage != 0);
	assert(issue->uri != NULL || issue->subject != NULL);
	if (result == 0 && issue->subject != NULL && !sn_pki_value_is_plain(issue->common_name))
		result = sn_err_set(err, -EINVAL,
				    "cannot use '%.80s' as a name (1 to %d letters, digits, '-', "
				    "'_', a letter or digit first)",
				    issue->common_name, SN_PKI_COMMON_NAME_MAX - 1);
	if (result == 0 && issue->uri != NULL)
		result = check_uri(issue->uri, err);
	if (result == 0)
		result = sn_pki_check_validity(issue->not_before_unix_s, issue->not_after_unix_s,
					       err);
	return result;
}

/* Only the key is taken from the request: names and extensions are the issuer's. */
static int fill(gnutls_x509_crt_t crt, const struct sn_pki_issue *issue, gnutls_x509_crt_t ca,
		gnutls_pubkey_t key, struct sn_err *err)
{
	bool is_rsa = gnutls_pubkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_RSA;
	unsigned char id[64];
	size_t id_size = sizeof(id);
	int result = add_subject(crt, issue, err);

	if (result != 0)
		return result;
	result = gnutls_x509_crt_set_pubkey(crt, key);
	if (result == 0)
		result = sn_pki_set_basics(crt, issue->common_name, issue->not_before_unix_s,
					   issue->not_after_unix_s);
	if (result == 0)
		result = add_usage(crt, issue->usage, is_rsa);
	if (result == 0)
		result = gnutls_x509_crt_get_subject_key_id(ca, id, &id_size, NULL);
	if (result == 0)
		result = gnutls_x509_crt_set_authority_key_id(crt, id, id_size);
	if (result != 0)
		return sn_pki_fail(err, result, "make the certificate");
	return add_names(crt, issue, err);
}

static int read_issuer(const struct sn_pki_issue *issue, gnutls_x509_crt_t *ca,
		       gnutls_x509_privkey_t *ca_key, struct sn_err *err)
{
	int result = sn_pki_read_ca(issue->ca_cert_pem, issue->ca_key_pem, ca, ca_key, err);

	if (result == 0 &&
	    issue->not_after_unix_s > (int64_t)gnutls_x509_crt_get_expiration_time(*ca))
		result = sn_err_set(
			err, -ERANGE,
			"cannot issue: the certificate would outlive its CA (renew the CA)");
	return result;
}

int sn_pki_issue(const struct sn_pki_issue *issue, struct sn_buf *cert_pem, struct sn_err *err)
{
	auto_crt ca = NULL, crt = NULL;
	auto_privkey ca_key = NULL;
	auto_pubkey key = NULL;
	int result = check_issue(issue, err);

	if (result == 0)
		result = read_issuer(issue, &ca, &ca_key, err);
	if (result == 0)
		result = read_csr(issue->csr_pem, &key, err);
	if (result != 0)
		return result;
	result = gnutls_x509_crt_init(&crt);
	if (result != 0)
		return sn_pki_fail(err, result, "make the certificate");
	result = fill(crt, issue, ca, key, err);
	if (result != 0)
		return result;
	result = gnutls_x509_crt_sign2(crt, ca, ca_key, GNUTLS_DIG_SHA256, 0);
	if (result != 0)
		return sn_pki_fail(err, result, "sign the certificate");
	return sn_pki_export_cert(crt, cert_pem, err);
}
