/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_internal: what reading, asking and printing a policy share.
 *
 * IPv4 is kept apart from IPv6, so that "::/0" in a rule does not open the IPv4 that is
 * mapped into it.
 */
#ifndef SONDE_MPLANE_POLICY_INTERNAL_H
#define SONDE_MPLANE_POLICY_INTERNAL_H

#include "base/map.h"
#include "base/mem.h"
#include "mplane/policy.h"

struct sn_policy_net {
	bool v4;
	uint8_t addr[16]; /* IPv4: the first four */
	unsigned bits;
};

/* An address or network: "192.0.2.1", "2001:db8::/32"; -EINVAL, -ERANGE for bits behind the
 * length. */
int sn_policy_net_parse(struct sn_str text, struct sn_policy_net *net);
void sn_policy_net_print(const struct sn_policy_net *net, struct sn_buf *out);
bool sn_policy_net_contains(const struct sn_policy_net *outer, const struct sn_policy_net *inner);
bool sn_policy_net_touches(const struct sn_policy_net *a, const struct sn_policy_net *b);

/* What a target means. */
#define SN_POLICY_NETS_PER_TARGET 4
struct sn_policy_target {
	/* net[0] is itself, others are the IPv4 that it reaches; 0: a name. */
	struct sn_policy_net net[SN_POLICY_NETS_PER_TARGET];
	unsigned net_count;
	bool unclear;                    /* a name that could be an address to somebody else */
	char name[SN_POLICY_TARGET_MAX]; /* lower case, without port and trailing dot */
};
void sn_policy_target_parse(const char *text, struct sn_policy_target *target);

struct sn_policy_texts { /* sorted once the policy is complete */
	char **items;
	size_t count, room;
};
void sn_policy_texts_add(struct sn_policy_texts *texts, struct sn_str text);
void sn_policy_texts_sort(struct sn_policy_texts *texts);
bool sn_policy_texts_have(const struct sn_policy_texts *texts, const char *text); /* sorted ones */
void sn_policy_texts_finish(struct sn_policy_texts *texts);

struct sn_policy_nets {
	struct sn_policy_net *items;
	unsigned *lines;
	size_t count, room;
};
void sn_policy_nets_add(struct sn_policy_nets *nets, const struct sn_policy_net *net,
			unsigned line);
void sn_policy_nets_finish(struct sn_policy_nets *nets);

#define SN_POLICY_ROLE_WORDS (SN_POLICY_ROLES_MAX / 64)
struct sn_policy_roles { /* a bit per role */
	uint64_t word[SN_POLICY_ROLE_WORDS];
};

struct sn_policy_role {
	char *name;
	unsigned line;
	size_t identity_count;
};

struct sn_policy_rule {
	unsigned line;
	unsigned actions;                  /* bit per action */
	struct sn_policy_texts role_names; /* as written */
	struct sn_policy_roles roles;
	bool any_label, has_labels;
	struct sn_policy_texts labels;
	bool has_nodes;
	struct sn_policy_texts nodes;       /* "rome", "tag:lab", "country:IT", "network:AS64500" */
	struct sn_policy_nets node_nets;    /* "network:192.0.2.0/24" */
	bool has_targets, names, no_target; /* the words "names" and "none" */
	struct sn_policy_nets targets;
	struct sn_policy_texts target_names;
	int64_t shortest_ns, longest_ns; /* -1: no limit */
};

/* Roles of one identity, or of one pattern. */
struct sn_policy_identity {
	uint16_t *roles;
	size_t count;
};

struct sn_policy {
	struct sn_policy_role *roles;
	size_t role_count;
	struct sn_map *role_numbers; /* name -> uint16_t */
	struct sn_map *identities;   /* text -> struct sn_policy_identity */
	struct sn_policy_rule *rules;
	size_t rule_count;
	struct sn_policy_nets never; /* the built-in ones first, with line 0 */
	struct sn_policy_texts never_texts;
	double target_rate;
};

/* How an identity is looked up: names of DNS in lower case. */
void sn_policy_identity_key(const char *identity, char out[SN_POLICY_TEXT_MAX]);
/* "a.b.c" -> "a.b.*", "node:x" -> "node:*", "dns:x.y.z" -> "dns:*.y.z"; false: has none. */
bool sn_policy_identity_pattern(const char *key, char out[SN_POLICY_TEXT_MAX]);
/* Has `key` no '*', or is it a pattern that some identity has? */
bool sn_policy_wildcard_is_good(const char *key);

#endif
