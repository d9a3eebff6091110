/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificates: what our CA has signed: those of mPlane peers, the list of all, and
 * who was shut out.
 *
 * An mPlane peer is a component, a client or a supervisor.  Its subject is
 * DC=org, DC=mplane, O=<organisation>, OU=Components|Clients|Supervisors, CN=<name>
 * (the DCs are the configured domain), its identity the dotted subject; it is certified
 * as <name>.<organisation>.<domain> and under the names that were asked for, as client
 * and as server.  A valid certificate of an identity can be renewed, not ordered again:
 * a second owner would not be told from the first.
 */
#ifndef SONDE_HUB_CERTIFICATES_H
#define SONDE_HUB_CERTIFICATES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "hub/identity.h"

#define SN_CERTIFICATES_MAX       100000 /* of peers, in the table */
#define SN_CERTIFICATE_NAMES_MAX  64     /* DNS names and addresses, and as many URIs */
#define SN_CERTIFICATE_REASON_MAX 128
#define SN_CERTIFICATE_KEPT_NS    (90 * 86400LL * SN_NS_PER_S) /* of peers, after their end */
#define SN_CRL_LIFE_S             (7 * 86400)
#define SN_CRL_AGE_MAX_S          86400

enum sn_cert_kind { SN_CERT_COMPONENT, SN_CERT_CLIENT, SN_CERT_SUPERVISOR, SN_CERT_KINDS };
const char *sn_cert_kind_name(enum sn_cert_kind kind); /* "component" */
int sn_cert_kind_find(const char *name);               /* negative: none */

/* "mplane.org": labels that can be values of a subject, at most eight. */
bool sn_cert_domain_is_good(const char *domain);

struct sn_cert_order {
	enum sn_cert_kind kind;
	const char *domain; /* "mplane.org": DC=org, DC=mplane */
	const char *organisation, *name;
	const char *csr_pem;
	/* End with NULL; at most SN_CERTIFICATE_NAMES_MAX each. */
	const char *const *hosts; /* DNS names and addresses */
	const char *const *uris;
	int64_t life_ns;
};

/* The identity that this order makes: "org.mplane.SSB.Components.probe1"; -EINVAL with a reason. */
int sn_certificates_identity(const struct sn_cert_order *order, char out[SN_PKI_NAME_MAX],
			     struct sn_err *err);
/*
 * Signs and records.  -EINVAL for an order that is no good, -EEXIST when the identity has a
 * valid certificate, -E2BIG.
 */
int sn_certificates_issue(struct sn_identity *identity, const struct sn_cert_order *order,
			  int64_t now_ns, char serial[SN_PKI_SERIAL_SIZE], struct sn_err *err);
/*
 * A certificate like `serial` for the key in `csr_pem`; the old one stays valid till its
 * end.  `life_ns` 0: as it was.  -ENOENT, -EPERM (revoked, or not a peer's), -EINVAL.
 */
int sn_certificates_renew(struct sn_identity *identity, const char *serial, const char *csr_pem,
			  int64_t life_ns, int64_t now_ns, char fresh[SN_PKI_SERIAL_SIZE],
			  struct sn_err *err);
/*
 * A peer's or a person's.  -ENOENT; -EPERM for one that was revoked before and for a node's,
 * with a reason.
 */
int sn_certificates_revoke(struct sn_identity *identity, const char *serial, const char *reason,
			   int64_t now_ns, struct sn_err *err);

struct sn_certificate_filter {
	const char *kind, *identity, *state; /* NULL: any; state: valid, revoked, expired */
};
/* Array of certificates without their PEM, the newest first; NULL on error. */
json_t *sn_certificates_list(struct sn_identity *identity,
			     const struct sn_certificate_filter *filter, int64_t now_ns,
			     struct sn_err *err);
/* With "certificate_pem" (null for nodes and people); JSON null when there is none. */
json_t *sn_certificates_get(struct sn_identity *identity, const char *serial, int64_t now_ns,
			    struct sn_err *err);
/* Drops what ended: of nodes and people at once, of peers after SN_CERTIFICATE_KEPT_NS. */
int sn_certificates_tidy(struct sn_db *db, int64_t now_ns, struct sn_err *err);

/* The revocation list: made when it is asked for, again after a revocation and once a day. */
struct sn_crl;
struct sn_crl *sn_crl_create(struct sn_identity *identity);
void sn_crl_destroy(struct sn_crl *crl);
/* DER, valid until the next call. */
int sn_crl_get(struct sn_crl *crl, int64_t now_ns, struct sn_str *der, struct sn_err *err);

#endif
