/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose clients have an identity.  Each CA has a trust list of its own: asked one
 * after the other, the one that verifies a certificate is the one that signed it.
 * In one common list GnuTLS would look for the issuer by name, and a foreign CA is
 * free to call itself what ours is called.
 */
#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/http_server_internal.h"

/* RSA of 2048 bits, SHA-256, P-256 and better (GNUTLS_SEC_PARAM_MEDIUM: 112 bits). */
#define VERIFY_FLAGS GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM)

struct anchor {
	gnutls_x509_trust_list_t list;
	char fingerprint[SN_PKI_FINGERPRINT_SIZE];
	bool foreign;
};

struct sn_http_trust {
	struct anchor anchors[SN_HTTP_ANCHORS_MAX];
	unsigned count;
};

void sn_http_trust_destroy(struct sn_http_trust *trust)
{
	if (trust == NULL)
		return;
	for (unsigned i = 0; i < trust->count; i++)
		gnutls_x509_trust_list_deinit(trust->anchors[i].list, 1);
	free(trust);
}

static int fingerprint_of(gnutls_x509_crt_t crt, char out[SN_PKI_FINGERPRINT_SIZE])
{
	unsigned char digest[32];
	size_t size = sizeof(digest);
	int result = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &size);

	if (result == 0)
		sn_hex(digest, size, out);
	return result;
}

/* Takes `crt` over; 0 or an error of GnuTLS. */
static int add_anchor(struct sn_http_trust *trust, gnutls_x509_crt_t crt, bool foreign)
{
	struct anchor *anchor = &trust->anchors[trust->count];
	int result = gnutls_x509_trust_list_init(&anchor->list, 1);

	if (result != 0) {
		gnutls_x509_crt_deinit(crt);
		return result;
	}
	trust->count++;
	anchor->foreign = foreign;
	result = fingerprint_of(crt, anchor->fingerprint);
	if (gnutls_x509_trust_list_add_cas(anchor->list, &crt, 1, 0) != 1) {
		gnutls_x509_crt_deinit(crt);
		return GNUTLS_E_CERTIFICATE_ERROR;
	}
	return result;
}

/* Every certificate in `pem`; at least one. */
static int add_anchors(struct sn_http_trust *trust, const char *pem, bool foreign,
		       struct sn_err *err)
{
	const char *whose = foreign ? "foreign CAs" : "CA for clients";
	gnutls_datum_t datum = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
	gnutls_x509_crt_t *crts = NULL;
	unsigned count = 0;
	int result = gnutls_x509_crt_list_import2(&crts, &count, &datum, GNUTLS_X509_FMT_PEM, 0);

	if (result < 0 || count == 0)
		return sn_err_set(err, -EINVAL, "cannot use the %s: no certificate", whose);
	for (unsigned i = 0; i < count; i++) {
		if (result >= 0 && trust->count < SN_HTTP_ANCHORS_MAX)
			result = add_anchor(trust, crts[i], foreign);
		else
			gnutls_x509_crt_deinit(crts[i]);
	}
	gnutls_free(crts);
	if (result < 0)
		return sn_err_set(err, -EINVAL, "cannot use the %s: %s", whose,
				  gnutls_strerror(result));
	if (count > SN_HTTP_ANCHORS_MAX || trust->count == SN_HTTP_ANCHORS_MAX)
		return sn_err_set(err, -E2BIG, "cannot use the %s: %d or more certificates", whose,
				  SN_HTTP_ANCHORS_MAX);
	return 0;
}

int sn_http_trust_create(const struct sn_http_tls *tls, struct sn_http_trust **trust,
			 struct sn_err *err)
{
	struct sn_http_trust *made = sn_new(struct sn_http_trust);
	int result = 0;

	if (tls->ca_pem != NULL)
		result = add_anchors(made, tls->ca_pem, false, err);
	if (result == 0 && tls->foreign_pem != NULL)
		result = add_anchors(made, tls->foreign_pem, true, err);
	if (result != 0) {
		sn_http_trust_destroy(made);
		return result;
	}
	*trust = made;
	return 0;
}

/* Did this CA itself sign `crt`, for clients, and is it in date? */
static bool vouches(const struct anchor *anchor, gnutls_x509_crt_t crt)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
		.size = sizeof(GNUTLS_KP_TLS_WWW_CLIENT) - 1,
	};
	unsigned status = ~0U;

	return gnutls_x509_trust_list_verify_crt2(anchor->list, &crt, 1, &purpose, 1, VERIFY_FLAGS,
						  &status, NULL) == 0 &&
	       status == 0;
}

static const struct anchor *find_anchor(const struct sn_http_trust *trust,
					const gnutls_datum_t *der)
{
	const struct anchor *found = NULL;
	gnutls_x509_crt_t crt;

	if (gnutls_x509_crt_init(&crt) != 0)
		return NULL;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0) {
		for (unsigned i = 0; i < trust->count && found == NULL; i++) {
			if (vouches(&trust->anchors[i], crt))
				found = &trust->anchors[i];
		}
	}
	gnutls_x509_crt_deinit(crt);
	return found;
}

struct sn_pki_info *sn_http_trust_peer(const struct sn_http_trust *trust, gnutls_session_t session)
{
	const gnutls_datum_t *chain;
	const struct anchor *anchor;
	struct sn_pki_info *info;
	unsigned count = 0;

	if (gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_X509)
		return NULL;
	chain = gnutls_certificate_get_peers(session, &count);
	if (chain == NULL || count == 0)
		return NULL;
	anchor = find_anchor(trust, &chain[0]);
	if (anchor == NULL)
		return NULL;
	info = sn_new(struct sn_pki_info);
	if (sn_pki_info_der(chain[0].data, chain[0].size, info, NULL) != 0) {
		free(info);
		return NULL;
	}
	memcpy(info->issuer, anchor->fingerprint, sizeof(info->issuer));
	if (anchor->foreign)
		info->uri[0] = info->dns[0] = '\0';
	return info;
}
