/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pki_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define NAME_MAX_SHOWN 256

/* With '?' for what could end the line or drive a terminal. */
static void add_clean(struct sn_buf *out, const void *data, size_t size)
{
	const unsigned char *text = data;

	for (size_t i = 0; i < size; i++)
		sn_buf_addc(out, text[i] < ' ' || text[i] == 127 ? '?' : (char)text[i]);
}

static void add_dn(gnutls_x509_dn_t dn, struct sn_buf *out)
{
	gnutls_x509_ava_st ava;

	for (int i = 0; gnutls_x509_dn_get_rdn_ava(dn, i, 0, &ava) == 0; i++) {
		sn_autofree char *oid =
			sn_xasprintf("%.*s", (int)ava.oid.size, (const char *)ava.oid.data);

		sn_buf_addf(out, "%s%s=", i > 0 ? ", " : "",
			    gnutls_x509_dn_oid_name(oid, GNUTLS_X509_DN_OID_RETURN_OID));
		add_clean(out, ava.value.data, ava.value.size);
	}
}

static void add_address(const void *bytes, size_t size, struct sn_buf *out)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (size == 4 || size == 16)
		inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text));
	sn_buf_addf(out, "IP:%s", text);
}

static void add_names(gnutls_x509_crt_t crt, struct sn_buf *out)
{
	unsigned shown = 0;

	for (unsigned i = 0;; i++) {
		char name[NAME_MAX_SHOWN];
		size_t size = sizeof(name);
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);

		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_URI &&
		    type != GNUTLS_SAN_IPADDRESS)
			continue;
		sn_buf_adds(out, shown++ > 0 ? ", " : "    Names: ");
		if (type == GNUTLS_SAN_IPADDRESS) {
			add_address(name, size, out);
			continue;
		}
		sn_buf_adds(out, type == GNUTLS_SAN_URI ? "URI:" : "DNS:");
		add_clean(out, name, size);
	}
	if (shown > 0)
		sn_buf_addc(out, '\n');
}

static void add_time(const char *label, time_t unix_s, struct sn_buf *out)
{
	char text[SN_TIME_TEXT_MAX];

	sn_format_time((int64_t)unix_s * SN_NS_PER_S, text, sizeof(text));
	sn_buf_addf(out, "    %s: %.19sZ\n", label, text); /* whole seconds */
}

static void add_key(gnutls_x509_crt_t crt, struct sn_buf *out)
{
	unsigned bits = 0;
	int algorithm = gnutls_x509_crt_get_pk_algorithm(crt, &bits);

	sn_buf_addf(out, "    Key: %s, %u bits\n",
		    algorithm > 0 ? gnutls_pk_get_name(algorithm) : "unknown", bits);
}

int sn_pki_subject(const char *cert_pem, struct sn_buf *out, struct sn_err *err)
{
	auto_crt crt = NULL;
	gnutls_x509_dn_t dn;
	int result = sn_pki_read_cert(cert_pem, "certificate", &crt, err);

	if (result == 0 && gnutls_x509_crt_get_subject(crt, &dn) == 0)
		add_dn(dn, out);
	return result;
}

int sn_pki_describe(const char *cert_pem, struct sn_buf *out, struct sn_err *err)
{
	auto_crt crt = NULL;
	struct sn_pki_info info;
	gnutls_x509_dn_t dn;
	int result = sn_pki_read_cert(cert_pem, "certificate", &crt, err);

	if (result == 0)
		result = sn_pki_info(cert_pem, &info, err);
	if (result != 0)
		return result;
	sn_buf_adds(out, "    Subject: ");
	if (gnutls_x509_crt_get_subject(crt, &dn) == 0)
		add_dn(dn, out);
	sn_buf_adds(out, "\n    Issuer: ");
	if (gnutls_x509_crt_get_issuer(crt, &dn) == 0)
		add_dn(dn, out);
	sn_buf_addc(out, '\n');
	add_names(crt, out);
	add_time("Not before", gnutls_x509_crt_get_activation_time(crt), out);
	add_time("Not after", gnutls_x509_crt_get_expiration_time(crt), out);
	sn_buf_addf(out, "    Serial number: %s\n", info.serial);
	add_key(crt, out);
	sn_buf_addf(out, "    SHA-256 fingerprint: %s\n", info.fingerprint);
	return 0;
}
