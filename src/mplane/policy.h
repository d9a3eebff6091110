/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy: who may do what.  Everything that is not allowed is forbidden.
 *
 * A policy is a YAML text (doc/internals/policy.md, sonde-policy(5)): roles that identities have,
 * and rules that allow actions to roles, narrowed by capability label (exact; "*" alone is
 * any), nodes, target networks, rate and length.  A rule allows what fits all of its
 * conditions; the first that fits decides.  Above all rules stand the networks that
 * are never probed and the rate that one target bears from all nodes together.
 *
 * Pure and immutable: whoever reloads makes a new one and keeps the old if that fails.
 */
#ifndef SONDE_MPLANE_POLICY_H
#define SONDE_MPLANE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SN_POLICY_BYTES_MAX (1024 * 1024)
#define SN_POLICY_RULES_MAX 4096
#define SN_POLICY_ROLES_MAX 1024
#define SN_POLICY_LIST_MAX  10000 /* items of one list */

enum sn_policy_action {
	SN_MAY_REGISTER, /* offer a capability, withdraw it, fetch work for it */
	SN_MAY_DISCOVER, /* see a capability */
	SN_MAY_MEASURE,  /* specification */
	SN_MAY_DELIVER,  /* receipt and result of a component */
	SN_MAY_READ,     /* redemption and results of what oneself has asked for */
	SN_MAY_READ_ALL, /* ... or anybody */
	SN_MAY_STOP,     /* interrupt what oneself has asked for */
	SN_MAY_STOP_ALL,
	SN_MAY_ADMIN, /* users, nodes, certificates, policy */
	SN_POLICY_ACTIONS,
};
const char *sn_policy_action_name(enum sn_policy_action action); /* "register", ... "read-all" */

struct sn_policy;

/* The one that is in force without a file; text with comments, for people to start from. */
extern const char sn_policy_default_text[];

/* -EINVAL names line, key and reason, with the nearest known name for a mistyped one. */
int sn_policy_parse(struct sn_str yaml, struct sn_policy **policy, struct sn_err *err);
void sn_policy_destroy(struct sn_policy *policy);
/* What is odd but not wrong (a role nobody has, a rule that is never reached), a line each. */
void sn_policy_warnings(const struct sn_policy *policy, struct sn_buf *out);

struct sn_policy_ask {
	enum sn_policy_action action;
	/* The names of who asks, e.g. "user:alice", "node:<id>", "org.mplane.SSB.Clients.C-1",
	 * "dns:probe7.lab.example.net"; NULL-terminated. */
	const char *const *identities;
	const char *label;          /* of the capability; NULL: the action is about none */
	const char *const *nodes;   /* what is chosen: each must be allowed; may be NULL.
				     * Items are "name", "id", "tag:x", "country:XX", "network:AS.."
				     * as alternatives of ONE node, see node_count */
	size_t node_count;          /* nodes[i] is a comma list of the names of node i */
	const char *const *targets; /* addresses, networks or names, NULL-terminated; may be NULL */
	int64_t period_ns;          /* 0: one sample */
	int64_t length_ns;          /* INT64_MAX: without end */
};

struct sn_policy_verdict {
	bool allowed;
	unsigned line;    /* of the rule that decided; 0: no rule did */
	char reason[256]; /* for people: "rule in line 12 allows ...", "no rule allows ..." */
};
void sn_policy_decide(const struct sn_policy *policy, const struct sn_policy_ask *ask,
		      struct sn_policy_verdict *verdict);

/* Never-probe networks: may this address be a target at all?  `line` of the entry, or 0. */
bool sn_policy_spares(const struct sn_policy *policy, const char *address, unsigned *line);
/* What one target bears from all nodes together; samples per second; 0: no limit. */
double sn_policy_target_rate(const struct sn_policy *policy);
bool sn_policy_has_role(const struct sn_policy *policy, const char *const *identities,
			const char *role);

/* The [Roles] and [Authorizations] of an SDK INI file, or users.conf and caps.conf of the older
 * one, as a policy text.  `caps` may be empty. */
int sn_policy_import_ini(struct sn_str ini, struct sn_buf *yaml, struct sn_err *err);
int sn_policy_import_lists(struct sn_str users, struct sn_str caps, struct sn_buf *yaml,
			   struct sn_err *err);

#endif
