/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pki: X.509 identities with GnuTLS (RFC 5280), ECDSA P-256.
 *
 * Names are subject alternative URIs: urn:sonde:hub:<id>, urn:sonde:node:<id>,
 * urn:sonde:user:<name>.  Distinguished names of those are for people to read and
 * are never compared.
 *
 * mPlane peers have no such URI: their identity is the dotted subject.  A value that
 * holds a dot, a blank or a control character could be read as another subject (dots
 * are not escaped, the SDK deletes blanks), one with a colon as another kind of name
 * ("user:x"), so such a subject is no identity at all.
 */
#ifndef SONDE_NET_PKI_H
#define SONDE_NET_PKI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SN_PKI_PRIORITY         "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"
#define SN_PKI_NAME_MAX         256
#define SN_PKI_FINGERPRINT_SIZE 65 /* SHA-256 of the DER, lower-case hex, NUL */
#define SN_PKI_SERIAL_SIZE      41
#define SN_PKI_PEM_MAX          (64 * 1024) /* larger input is refused */
#define SN_PKI_COMMON_NAME_MAX  64          /* bytes; ub-common-name of RFC 5280 */
#define SN_PKI_RSA_BITS_MIN     2048
#define SN_PKI_RSA_BITS_MAX     8192 /* more only makes us work */

/* A private key, PEM (PKCS#8), appended to `pem`. */
int sn_pki_key_generate(struct sn_buf *pem, struct sn_err *err);
/* RSA, for peers with programs that cannot do elliptic curves.  Takes a second or more. */
int sn_pki_key_generate_rsa(unsigned bits, struct sn_buf *pem, struct sn_err *err);

/* Self-signed CA certificate for `key_pem`. */
int sn_pki_ca_create(const char *key_pem, const char *common_name, int64_t not_before_unix_s,
		     int64_t not_after_unix_s, struct sn_buf *cert_pem, struct sn_err *err);

/* Certificate signing request (PKCS#10); the hub decides the names, so only `common_name`. */
int sn_pki_csr_create(const char *key_pem, const char *common_name, struct sn_buf *csr_pem,
		      struct sn_err *err);

enum sn_pki_usage { SN_PKI_CLIENT = 1, SN_PKI_SERVER = 2 };

struct sn_pki_issue {
	const char *ca_cert_pem, *ca_key_pem;
	const char *csr_pem; /* its signature is verified; its key must be P-256, Ed25519 or RSA >=
				2048 */
	/* Each list ends with NULL and may be NULL. */
	const char *const *subject; /* in front of the common name: "DC=org", "O=SSB", "OU=..." */
	const char *common_name;
	const char *uri;          /* urn:sonde:...; NULL: the subject says who it is */
	const char *const *uris;  /* further ones, no urn:sonde */
	const char *const *hosts; /* DNS names and addresses */
	int usage;                /* enum sn_pki_usage, or-ed */
	int64_t not_before_unix_s, not_after_unix_s;
};
/* May `value` be in a subject that is an identity, and be a label of a DNS name? */
bool sn_pki_value_is_plain(const char *value);
int sn_pki_issue(const struct sn_pki_issue *issue, struct sn_buf *cert_pem, struct sn_err *err);

struct sn_pki_info {
	char common_name[SN_PKI_NAME_MAX];
	char uri[SN_PKI_NAME_MAX]; /* first URI name, or "" */
	char dns[SN_PKI_NAME_MAX]; /* first DNS name, or "" */
	/*
	 * Values of the subject in certificate order, joined with dots (of an RDN with several
	 * the first): "org.mplane.SSB.Components.probe1".  "" for an empty subject, for a value
	 * that is empty or holds a dot, a colon, a blank or a control character or is not UTF-8,
	 * and for what does not fit.
	 */
	char dotted[SN_PKI_NAME_MAX];
	/* Fingerprint of the CA certificate that verified it: by the HTTP server; else "". */
	char issuer[SN_PKI_FINGERPRINT_SIZE];
	char fingerprint[SN_PKI_FINGERPRINT_SIZE];
	char serial[SN_PKI_SERIAL_SIZE]; /* hex */
	int64_t not_before_unix_s, not_after_unix_s;
};
/* Of the first certificate in `cert_pem`.  A name that does not fit or holds a NUL is refused. */
int sn_pki_info(const char *cert_pem, struct sn_pki_info *info, struct sn_err *err);
int sn_pki_info_der(const void *der, size_t size, struct sn_pki_info *info, struct sn_err *err);
/* "DC=org, DC=mplane, O=SSB, OU=Components, CN=probe1", in certificate order; appended. */
int sn_pki_subject(const char *cert_pem, struct sn_buf *out, struct sn_err *err);
/*
 * What the first certificate in `cert_pem` says, in lines of "    Name: value"; appended.
 * mPlane programs learn who they are from the line "Subject:" in front of the PEM block.
 */
int sn_pki_describe(const char *cert_pem, struct sn_buf *out, struct sn_err *err);

/* Revocation lists (RFC 5280, section 5) ----------------------------------- */

#define SN_PKI_CRL_MAX (16 * 1024 * 1024) /* bytes of a list that is read */

struct sn_pki_revoked {
	char serial[SN_PKI_SERIAL_SIZE];
	int64_t unix_s; /* when it was revoked */
};

struct sn_pki_crl_order {
	const char *ca_cert_pem, *ca_key_pem;
	uint64_t number; /* rises from list to list */
	int64_t this_update_unix_s, next_update_unix_s;
	const struct sn_pki_revoked *revoked;
	size_t revoked_count;
};
/* A signed list, DER, appended. */
int sn_pki_crl_create(const struct sn_pki_crl_order *order, struct sn_buf *der, struct sn_err *err);
void sn_pki_crl_to_pem(const void *der, size_t size, struct sn_buf *pem);

/* A list of somebody else, for look-ups. */
struct sn_pki_crl;
/* PEM or DER, signed by the first certificate in `ca_pem`; -EKEYREJECTED if it is not. */
int sn_pki_crl_read(struct sn_str text, const char *ca_pem, struct sn_pki_crl **crl,
		    struct sn_err *err);
void sn_pki_crl_free(struct sn_pki_crl *crl); /* NULL is fine */
bool sn_pki_crl_holds(const struct sn_pki_crl *crl, const char *serial);
/* From then on it says nothing any more; INT64_MAX: it does not say. */
int64_t sn_pki_crl_next_update(const struct sn_pki_crl *crl);
size_t sn_pki_crl_count(const struct sn_pki_crl *crl);

#endif
