/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy: who may do what.  Everything that is not allowed is forbidden.
 *
 * A policy is a YAML text (sonde-policy(5)): roles that identities have, and rules that
 * allow actions to roles, narrowed by capability label, nodes, targets, period and
 * length.  A rule allows what fits all of its conditions; the first that fits decides.
 * Above all rules stand the networks that are never probed and the rate that one target
 * bears from all nodes together.
 *
 * Names are compared whole.  The only patterns are those that say so: "*" for any
 * capability, and "*" for one whole component of an identity, at its end
 * ("org.mplane.SSB.Clients.*", "node:*") or directly behind "dns:".
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
#define SN_POLICY_TEXT_MAX  512   /* bytes of one name */
#define SN_POLICY_RATE      100.0 /* samples per second of one target, unless the text says other */

enum sn_policy_action {
	SN_MAY_REGISTER, /* offer a capability, withdraw it, fetch work for it */
	SN_MAY_DISCOVER, /* see a capability */
	SN_MAY_MEASURE,  /* specification */
	SN_MAY_DELIVER,  /* receipt and result of a component */
	SN_MAY_READ,     /* redemption and results of what oneself has asked for */
	SN_MAY_READ_ALL, /* ... or anybody */
	SN_MAY_STOP,     /* interrupt what oneself has asked for */
	SN_MAY_STOP_ALL,
	SN_MAY_ADMIN,     /* users, nodes, certificates, policy */
	SN_MAY_REPLICATE, /* all rows as they are stored, for a hub that follows this one */
	SN_POLICY_ACTIONS,
};
const char *sn_policy_action_name(enum sn_policy_action action); /* "register", ... "read-all" */
/* Those that are about no capability: rules for them need none. */
#define SN_POLICY_WHOLE (1U << SN_MAY_ADMIN | 1U << SN_MAY_REPLICATE)
int sn_policy_action_find(const char *name, enum sn_policy_action *action); /* -ENOENT */

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
	/* The names of who asks, e.g. "user:alice", "account:operator", "node:<id>",
	 * "org.mplane.SSB.Clients.C-1", "dns:probe7.lab.example.net"; NULL-terminated. */
	const char *const *identities;
	/* Of the capability.  NULL: of any, so that only rules for "*" fit (all but admin). */
	const char *label;
	/* Who is chosen: each must be allowed.  nodes[i] is made by sn_policy_add_name(): name, id,
	 * "tag:x", "country:XX", "network:AS64500", "network:<address>" of node i. */
	const char *const *nodes;
	size_t node_count;
	const char *const
		*targets;  /* addresses, networks, URLs or names, NULL-terminated; or NULL */
	int64_t period_ns; /* 0: one sample */
	int64_t length_ns; /* INT64_MAX: without end */
};

struct sn_policy_verdict {
	bool allowed;
	unsigned line;    /* of the rule, or of the network that is never probed; 0: nothing did */
	unsigned nearest; /* of a refusal: line of the rule that comes nearest, or 0 */
	char reason[256]; /* for people: "the rule in line 12 allows it", "no rule allows ..." */
};
void sn_policy_decide(const struct sn_policy *policy, const struct sn_policy_ask *ask,
		      struct sn_policy_verdict *verdict);

/* One more name of a node, behind `kind` ("", "tag:", "country:", "network:").  A text that would
 * be read as two is left out: it can match nothing then. */
void sn_policy_add_name(struct sn_buf *names, const char *kind, const char *text);

/* What is built in and never a target: multicast, broadcast, unspecified, reserved. */
extern const char *const sn_policy_never[];
/*
 * Is this never to be probed?  True when it is in, or as a network touches, one of the built-in or
 * the policy's networks; IPv4 inside IPv6 (mapped, 6to4, NAT64) and old forms of IPv4 ("0x7f.1")
 * are seen through.  Nothing is known of where a name leads: who resolves it has to ask again.
 * `line` (may be NULL) of the entry, 0 when it is built in.
 */
bool sn_policy_spares(const struct sn_policy *policy, const char *target, unsigned *line);
/* The built-in and the policy's networks, canonical; i from 0, NULL at the end. */
const char *sn_policy_never_at(const struct sn_policy *policy, size_t i);
/* What one target bears from all nodes together; samples per second; 0: no limit. */
double sn_policy_target_rate(const struct sn_policy *policy);
/* One text for all ways to write a target: canonical address or name in lower case. */
#define SN_POLICY_TARGET_MAX 300
void sn_policy_target_key(const char *target, char out[SN_POLICY_TARGET_MAX]);
bool sn_policy_target_is_loopback(const char *target);
/* Is this a URL, or an address or network as they are written today? */
bool sn_policy_target_is_plain(const char *target);
/* Each of a text that may be a list of targets. */
typedef void sn_policy_target_fn(const char *target, void *ctx);
void sn_policy_targets_in(const char *text, sn_policy_target_fn *fn, void *ctx);

bool sn_policy_has_role(const struct sn_policy *policy, const char *const *identities,
			const char *role);
/* The roles of who has these names, separated by ", ", appended. */
void sn_policy_roles_of(const struct sn_policy *policy, const char *const *identities,
			struct sn_buf *out);
size_t sn_policy_rule_count(const struct sn_policy *policy);

/*
 * The [Roles] and [Authorizations] of an SDK INI file, or users.conf and caps.conf of the older
 * one, as a policy text that sn_policy_parse() takes.  Labels match by substring there and whole
 * here; comments in the text say what to look at.  `caps` may be empty.
 */
int sn_policy_import_ini(struct sn_str ini, struct sn_buf *yaml, struct sn_err *err);
int sn_policy_import_lists(struct sn_str users, struct sn_str caps, struct sn_buf *yaml,
			   struct sn_err *err);

#endif
