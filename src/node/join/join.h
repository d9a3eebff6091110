/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join: how a machine becomes a node of a hub (doc/internals/node-hub.md).
 *
 * The token carries a secret and the fingerprint of the hub's CA.  The CA is
 * fetched without trust, held against the fingerprint, and only then is the hub
 * spoken to with TLS verified and the secret sent.  The key is made here and
 * stays here.  Key and request lie in joining.json until the end: a join that was
 * broken off may be repeated with the same token, and the hub, which knows the
 * request again, gives the same answer.
 */
#ifndef SONDE_NODE_JOIN_JOIN_H
#define SONDE_NODE_JOIN_JOIN_H

#include "base/err.h"
#include "net/pki.h"

#define SN_JOIN_SECRET_TEXT 33

struct sn_join_token {
	char secret[SN_JOIN_SECRET_TEXT];
	char fingerprint[SN_PKI_FINGERPRINT_SIZE];
};
int sn_join_token_parse(const char *text, struct sn_join_token *token, struct sn_err *err);

struct sn_join {
	const char *url, *token, *state_dir;
	const char *name; /* what the node would like to be called */
};

/*
 * Blocks until it is done; `node` gets the id that the hub gave.  -EALREADY if the
 * directory has an identity, -EACCES if the token is not accepted, -EKEYREJECTED
 * if another CA answers, -ECONNREFUSED and the like if nobody does.
 */
#define SN_JOIN_NODE_MAX 64
int sn_join_run(const struct sn_join *join, char node[SN_JOIN_NODE_MAX], struct sn_err *err);

/* Where a node keeps its state unless told otherwise; malloc'ed. */
char *sn_join_default_state_dir(void);

#endif
