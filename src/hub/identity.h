/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity: the hub's certificate authority and its own certificate.
 *
 * At first start the hub makes a CA (ECDSA P-256, ten years) below its state
 * directory: pki/ca.pem and pki/ca.key (0600).  Its own server certificate and
 * key live in memory only: nodes trust the CA, so a new one at each start, when
 * the machine's addresses change, and at two thirds of its life costs nothing
 * and leaves no key behind.
 *
 * Certificates for nodes (urn:sonde:node:<id>) and people (urn:sonde:user:<name>)
 * are short-lived and recorded in the control database; those of mPlane peers, the
 * lists and the revocation list are in hub/certificates.h.  Revocation is a column
 * in the database, looked up on every request (hub/trust.h).
 */
#ifndef SONDE_HUB_IDENTITY_H
#define SONDE_HUB_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/http_server.h"
#include "net/pki.h"
#include "store/db.h"

struct sn_identity;

#define SN_URI_NODE "urn:sonde:node:"
#define SN_URI_USER "urn:sonde:user:"
#define SN_URI_HUB  "urn:sonde:hub:"

/* `db` is borrowed and must outlive the identity. `dir` is the state directory. */
int sn_identity_open(const char *dir, const char *hub_id, struct sn_db *db, int64_t now_ns,
		     struct sn_identity **identity, struct sn_err *err);
void sn_identity_close(struct sn_identity *identity);

const char *sn_identity_ca_pem(const struct sn_identity *identity);
const char *sn_identity_ca_fingerprint(const struct sn_identity *identity);
const char *sn_identity_ca_file(const struct sn_identity *identity);

/*
 * Who the hub says it is to mPlane peers, in its certificates from now on: a dotted subject like
 * "org.mplane.SSB.Supervisors.hub-1"; "" for none.
 */
void sn_identity_set_subject(struct sn_identity *identity, const char *dotted);
bool sn_identity_subject_is_good(const char *dotted); /* three to sixteen plain values */
/* A fresh key and certificate of the hub for `hosts` (NULL-terminated names and addresses). */
int sn_identity_make_server(struct sn_identity *identity, const char *const *hosts, int64_t now_ns,
			    int64_t life_ns, struct sn_err *err);
/* True when two thirds of its life are over, or its names are not `hosts` (unless NULL) any more.
 */
bool sn_identity_server_is_due(const struct sn_identity *identity, const char *const *hosts,
			       int64_t now_ns);
/* CAs of others whose clients may connect, PEM, copied; NULL for none (hub/trust.h). */
void sn_identity_set_foreign(struct sn_identity *identity, const char *pem);
/* Borrowed texts, valid until the next sn_identity_make_server() or _set_foreign(). */
struct sn_http_tls sn_identity_tls(const struct sn_identity *identity);

/*
 * Signs `csr_pem` for `uri`, usable as client from now for `life_ns`, and records
 * it.  -EINVAL with a reason for a request that is no good; other codes are ours.
 */
int sn_identity_issue(struct sn_identity *identity, const char *uri, const char *common_name,
		      const char *csr_pem, int64_t now_ns, int64_t life_ns, struct sn_buf *cert_pem,
		      struct sn_pki_info *info, struct sn_err *err);

/* Revoked or unknown serials are false; so is an error of the database. */
bool sn_identity_serial_is_good(struct sn_identity *identity, const char *serial);
/* Every certificate for `uri`. */
int sn_identity_revoke_uri(struct sn_identity *identity, const char *uri, int64_t now_ns,
			   struct sn_err *err);

/* For hub/certificates.c ------------------------------------------------- */

struct sn_db *sn_identity_db(const struct sn_identity *identity);
/* Signs with our CA, from now for `life_ns`; -EINVAL as above.  Records nothing. */
int sn_identity_sign(struct sn_identity *identity, struct sn_pki_issue *issue, int64_t now_ns,
		     int64_t life_ns, struct sn_buf *cert_pem, struct sn_pki_info *info,
		     struct sn_err *err);
int sn_identity_sign_crl(const struct sn_identity *identity, struct sn_pki_crl_order *order,
			 struct sn_buf *der, struct sn_err *err);
/* Rises with every revocation of this run: a list that was made before is out of date. */
uint64_t sn_identity_revocations(const struct sn_identity *identity);
void sn_identity_note_revocation(struct sn_identity *identity);

#endif
