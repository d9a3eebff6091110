/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust: whose verified certificate is accepted, now.
 *
 * TLS has verified that one of our CAs signed it.  Here is asked, on every request:
 * - of our own CA: is its serial number in the table, and not revoked?
 * - of a foreign CA: is the CA still trusted, is the dotted subject one of the listed
 *   identities, and does the CA's revocation list, if one is configured, allow it?  A
 *   list that has run out, or cannot be used, refuses everybody of that CA.
 * Nothing else in a foreign certificate counts (net/http_server.h): nobody becomes one
 * of our nodes or people by it.
 *
 * A foreign domain is one YAML file (`trust` in the hub's configuration names them):
 *
 *     ca: partner-ca.pem            # the CA that signs its peers itself
 *     crl: partner.crl              # optional; PEM or DER
 *     identities: [org.mplane.Partner.Supervisors.sup1]
 *
 * Relative paths are looked for beside that file.  All files are read again when they
 * change; a broken one leaves what was there before and raises an alarm: an error in
 * the log and a line `trust.alarm` in the audit trail.
 */
#ifndef SONDE_HUB_TRUST_H
#define SONDE_HUB_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"
#include "hub/identity.h"

#define SN_TRUST_DOMAINS_MAX    60
#define SN_TRUST_IDENTITIES_MAX SN_CONF_TEXTS_MAX
#define SN_TRUST_WHY_MAX        256

struct sn_trust;

/* `files` as configured, `identity` borrowed.  Refuses a file or a CA that cannot be used. */
int sn_trust_open(const struct sn_conf_texts *files, struct sn_identity *identity, int64_t now_ns,
		  struct sn_trust **trust, struct sn_err *err);
void sn_trust_close(struct sn_trust *trust);
/* Can this file be used?  For --check-config. */
int sn_trust_check_file(const char *file, struct sn_err *err);

/* The foreign CAs, PEM, for sn_identity_set_foreign(); NULL: none. */
const char *sn_trust_foreign_pem(const struct sn_trust *trust);
enum sn_trust_news {                        /* or-ed */
		     SN_TRUST_CHANGED = 1,  /* somebody may be let in, or not any more */
		     SN_TRUST_CAS = 2,      /* there are other CAs, for TLS to know */
		     SN_TRUST_PROBLEMS = 4, /* there are other problems than before */
};
/* Looks for changed files and lists that ran out; what is new. */
int sn_trust_refresh(struct sn_trust *trust, int64_t now_ns);
/* `why` (SN_TRUST_WHY_MAX) is for people; may be NULL. */
bool sn_trust_accepts(struct sn_trust *trust, const struct sn_pki_info *peer, int64_t now_ns,
		      char *why);
/* Is this the identity of a foreign peer? */
bool sn_trust_lists(const struct sn_trust *trust, const char *identity);
/* What is wrong now, for people; NULL behind the last. */
const char *sn_trust_problem(const struct sn_trust *trust, unsigned index);

#endif
