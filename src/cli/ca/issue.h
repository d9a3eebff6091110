/* SPDX-License-Identifier: Apache-2.0 */
/* issue: `sonde ca issue` and `sonde ca renew`: the key is made here and never travels. */
#ifndef SONDE_CLI_CA_ISSUE_H
#define SONDE_CLI_CA_ISSUE_H

#include <jansson.h>

#include "base/cli.h"
#include "cli/client.h"

struct sn_ca_options { /* of all verbs of `ca` */
	struct sn_client_options client;
	bool json, dry_run, force, rsa, pem, der;
	const char *output, *csr, *reason, *kind, *state, *identity;
	int64_t life;
	struct sn_opt_texts dns, ip, uri;
};

/* All of an identity, the newest first; `state` NULL: any. */
int sn_ca_of_identity(struct sn_client *client, const char *identity, const char *state,
		      sn_client_item_fn *fn, void *ctx, struct sn_err *err);
/*
 * The certificate that a serial number means, or an identity: its newest valid one, or the
 * newest of all if none is valid.
 */
int sn_ca_find(struct sn_client *client, const char *name, json_t **certificate,
	       struct sn_err *err);
char *sn_ca_path(const char *serial, const char *rest); /* malloc'ed */

sn_verb_fn sn_ca_run_issue, sn_ca_run_renew;

#endif
