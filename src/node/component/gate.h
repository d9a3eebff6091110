/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate: who may see and use the capabilities of a plain component.
 *
 * A policy decides (mplane/policy.h): that of a file, read again whenever it has changed
 * (one that is broken leaves the last good one in force), or one made of the
 * identities that were named.  Nobody is allowed anything without either, except by
 * plain HTTP, which only reaches this machine, and except the supervisor that the
 * component was told to serve.
 */
#ifndef SONDE_NODE_COMPONENT_GATE_H
#define SONDE_NODE_COMPONENT_GATE_H

#include <stdbool.h>

#include "base/err.h"
#include "mplane/policy.h"

struct sn_gate;

struct sn_gate_config {             /* copied */
	const char *file;           /* of the policy; NULL: none */
	const char *const *allowed; /* without a file: who may do everything */
	unsigned allowed_count;
	const char *supervisor; /* without a file: it may, too; may be NULL */
	bool everybody;         /* without a file: so may anyone */
};

/* -EINVAL for a broken policy, or why it cannot be read. */
int sn_gate_create(const struct sn_gate_config *config, struct sn_gate **gate, struct sn_err *err);
void sn_gate_destroy(struct sn_gate *gate); /* NULL is fine */

/* `ask` without identities. */
bool sn_gate_allows(struct sn_gate *gate, const char *identity, struct sn_policy_ask *ask,
		    struct sn_policy_verdict *verdict);
/* The networks that are never probed, a line each; valid until the gate is asked again. */
struct sn_str sn_gate_never(struct sn_gate *gate);

#endif
