/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol: how a machine becomes a node.
 *
 * A person makes an invite; its token `<secret>.<CA fingerprint>` goes to the
 * machine, which sends it back once with a certificate signing request.  The hub
 * keeps a hash of the secret only.  A token works once: sent again before it
 * expires with the very same request, the node is given its certificate again,
 * so that an answer lost on the way does not waste the invite.
 */
#ifndef SONDE_HUB_ENROL_H
#define SONDE_HUB_ENROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rand.h"
#include "hub/fleet.h"
#include "hub/identity.h"
#include "store/db.h"

#define SN_JOIN_SECRET_DIGITS 32
#define SN_JOIN_TOKEN_SIZE    (SN_JOIN_SECRET_DIGITS + 1 + SN_PKI_FINGERPRINT_SIZE)
#define SN_INVITES_MAX        10000 /* open ones */

struct sn_invite_spec {
	const char *name; /* of the node to be; NULL: it says itself */
	const struct sn_place *place;
	int64_t life_ns;
};

struct sn_invite {
	char id[SN_ULID_SIZE];
	char token[SN_JOIN_TOKEN_SIZE];
	int64_t expires_ns;
};

int sn_enrol_invite(struct sn_db *db, const char *fingerprint, const struct sn_invite_spec *spec,
		    int64_t now_ns, struct sn_invite *invite, struct sn_err *err);
/* Array of the open ones: {"id","name","created","expires",...}; NULL on error. */
json_t *sn_enrol_list(struct sn_db *db, int64_t now_ns, struct sn_err *err);
int sn_enrol_withdraw(struct sn_db *db, const char *id, struct sn_err *err); /* -ENOENT */
int sn_enrol_tidy(struct sn_db *db, int64_t now_ns, struct sn_err *err);

struct sn_enrolment { /* what the node is told */
	char node[SN_ULID_SIZE];
	struct sn_buf cert_pem; /* the caller's to finish */
	int64_t expires_ns;
};

/*
 * -ENOENT: the token is wrong; -ETIME: expired; -EALREADY: used; -EINVAL: the
 * request or the name is no good; anything else is our own trouble.
 */
int sn_enrol_join(struct sn_db *db, struct sn_identity *identity, struct sn_fleet *fleet,
		  const char *token, const char *name, const char *csr_pem, int64_t now_ns,
		  int64_t life_ns, struct sn_enrolment *enrolment, struct sn_err *err);

#endif
