/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mplane/policy_internal.h"

const char *const sn_policy_never[] = {
	"0.0.0.0/8",   /* "this network": Linux takes it for loopback or a broadcast */
	"224.0.0.0/4", /* multicast */
	"240.0.0.0/4", /* reserved, with the broadcast address */
	"::",          /* unspecified */
	"ff00::/8",    /* multicast */
	NULL,
};

static const char *const action_names[SN_POLICY_ACTIONS] = {
	[SN_MAY_REGISTER] = "register", [SN_MAY_DISCOVER] = "discover",
	[SN_MAY_MEASURE] = "measure",   [SN_MAY_DELIVER] = "deliver",
	[SN_MAY_READ] = "read",         [SN_MAY_READ_ALL] = "read-all",
	[SN_MAY_STOP] = "stop",         [SN_MAY_STOP_ALL] = "stop-all",
	[SN_MAY_ADMIN] = "admin",       [SN_MAY_REPLICATE] = "replicate",
};

const char *sn_policy_action_name(enum sn_policy_action action)
{
	return action_names[action];
}

int sn_policy_action_find(const char *name, enum sn_policy_action *action)
{
	for (unsigned i = 0; i < SN_POLICY_ACTIONS; i++) {
		if (strcmp(action_names[i], name) == 0) {
			*action = (enum sn_policy_action)i;
			return 0;
		}
	}
	return -ENOENT;
}

/* Roles --------------------------------------------------------------------------- */

static void add_roles(const struct sn_policy *policy, const char *key,
		      struct sn_policy_roles *roles)
{
	const struct sn_policy_identity *identity = sn_map_get(policy->identities, key);

	for (size_t i = 0; identity != NULL && i < identity->count; i++)
		roles->word[identity->roles[i] / 64] |= UINT64_C(1) << (identity->roles[i] % 64);
}

static void roles_of(const struct sn_policy *policy, const char *const *identities,
		     struct sn_policy_roles *roles)
{
	char key[SN_POLICY_TEXT_MAX], pattern[SN_POLICY_TEXT_MAX];

	*roles = (struct sn_policy_roles){0};
	for (size_t i = 0; identities[i] != NULL; i++) {
		/* Nobody may be called like a pattern; what is too long would be cut to another. */
		if (strchr(identities[i], '*') != NULL ||
		    strlen(identities[i]) >= SN_POLICY_TEXT_MAX)
			continue;
		sn_policy_identity_key(identities[i], key);
		add_roles(policy, key, roles);
		if (sn_policy_identity_pattern(key, pattern))
			add_roles(policy, pattern, roles);
	}
}

static bool has_bit(const struct sn_policy_roles *roles, size_t i)
{
	return (roles->word[i / 64] >> (i % 64) & 1) != 0;
}

static bool intersect(const struct sn_policy_roles *a, const struct sn_policy_roles *b)
{
	for (size_t i = 0; i < SN_POLICY_ROLE_WORDS; i++) {
		if ((a->word[i] & b->word[i]) != 0)
			return true;
	}
	return false;
}

bool sn_policy_has_role(const struct sn_policy *policy, const char *const *identities,
			const char *role)
{
	struct sn_policy_roles roles;

	roles_of(policy, identities, &roles);
	for (size_t i = 0; i < policy->role_count; i++) {
		if (has_bit(&roles, i) && strcmp(policy->roles[i].name, role) == 0)
			return true;
	}
	return false;
}

static void print_roles(const struct sn_policy *policy, const struct sn_policy_roles *roles,
			struct sn_buf *out)
{
	bool first = true;

	for (size_t i = 0; i < policy->role_count; i++) {
		if (!has_bit(roles, i))
			continue;
		sn_buf_addf(out, "%s%s", first ? "" : ", ", policy->roles[i].name);
		first = false;
	}
}

void sn_policy_roles_of(const struct sn_policy *policy, const char *const *identities,
			struct sn_buf *out)
{
	struct sn_policy_roles roles;

	roles_of(policy, identities, &roles);
	print_roles(policy, &roles, out);
}

/* Conditions of a rule ------------------------------------------------------------ */

/* In the order in which they are asked; a rule that fails later comes nearer. */
enum condition { BY_ACTION, BY_ROLE, BY_LABEL, BY_NODE, BY_TARGET, BY_PERIOD, BY_LENGTH, FITS };

struct miss {
	enum condition condition;
	const char *what; /* the node or target */
};

static bool label_fits(const struct sn_policy_rule *rule, const char *label)
{
	static const char all[] = ".all";
	char base[SN_POLICY_TEXT_MAX];
	size_t n;

	if (rule->any_label)
		return true;
	if (label == NULL)
		return false;
	if (sn_policy_texts_have(&rule->labels, label))
		return true;
	n = strlen(label);
	if (n <= strlen(all) || n >= sizeof(base) || strcmp(label + n - strlen(all), all) != 0)
		return false;
	snprintf(base, sizeof(base), "%.*s", (int)(n - strlen(all)), label);
	return sn_policy_texts_have(&rule->labels, base);
}

static bool node_net_fits(const struct sn_policy_rule *rule, struct sn_str name)
{
	struct sn_policy_net net;

	if (!sn_str_has_prefix(name, "network:"))
		return false;
	name.p += strlen("network:");
	name.n -= strlen("network:");
	if (sn_policy_net_parse(name, &net) != 0)
		return false;
	for (size_t i = 0; i < rule->node_nets.count; i++) {
		if (sn_policy_net_contains(&rule->node_nets.items[i], &net))
			return true;
	}
	return false;
}

static bool node_fits(const struct sn_policy_rule *rule, const char *names)
{
	struct sn_str rest = sn_str(names), name;
	char text[SN_POLICY_TEXT_MAX];

	while (rest.n > 0 && sn_str_split(&rest, ',', &name)) {
		if (name.n >= sizeof(text))
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)name.n, name.p);
		if (sn_policy_texts_have(&rule->nodes, text) || node_net_fits(rule, name))
			return true;
	}
	return false;
}

static bool target_fits(const struct sn_policy_rule *rule, const char *text)
{
	struct sn_policy_target target;

	sn_policy_target_parse(text, &target);
	if (target.net_count == 0)
		return rule->names || sn_policy_texts_have(&rule->target_names, target.name);
	for (size_t i = 0; i < rule->targets.count; i++) {
		if (sn_policy_net_contains(&rule->targets.items[i], &target.net[0]))
			return true;
	}
	return false;
}

static bool nodes_fit(const struct sn_policy_rule *rule, const struct sn_policy_ask *ask,
		      struct miss *miss)
{
	miss->what = NULL;
	if (!rule->has_nodes)
		return true;
	for (size_t i = 0; i < ask->node_count; i++) {
		miss->what = ask->nodes[i];
		if (!node_fits(rule, ask->nodes[i]))
			return false;
	}
	/* What does not say where is everywhere; what is one's own was allowed before. */
	return ask->node_count > 0 || ask->action == SN_MAY_READ || ask->action == SN_MAY_STOP;
}

static bool targets_fit(const struct sn_policy_rule *rule, const struct sn_policy_ask *ask,
			struct miss *miss)
{
	miss->what = NULL;
	if (!rule->has_targets || ask->action != SN_MAY_MEASURE)
		return true;
	if (ask->targets == NULL || ask->targets[0] == NULL)
		return rule->no_target;
	for (size_t i = 0; ask->targets[i] != NULL; i++) {
		miss->what = ask->targets[i];
		if (!target_fits(rule, ask->targets[i]))
			return false;
	}
	return true;
}

static enum condition first_miss(const struct sn_policy_rule *rule, const struct sn_policy_ask *ask,
				 const struct sn_policy_roles *roles, struct miss *miss)
{
	bool measure = ask->action == SN_MAY_MEASURE;

	if ((rule->actions >> ask->action & 1) == 0)
		return BY_ACTION;
	if (!intersect(&rule->roles, roles))
		return BY_ROLE;
	if ((SN_POLICY_WHOLE >> ask->action & 1) == 0 && !label_fits(rule, ask->label))
		return BY_LABEL;
	if (!nodes_fit(rule, ask, miss))
		return BY_NODE;
	if (!targets_fit(rule, ask, miss))
		return BY_TARGET;
	if (measure && rule->shortest_ns >= 0 && ask->period_ns > 0 &&
	    ask->period_ns < rule->shortest_ns)
		return BY_PERIOD;
	if (measure && rule->longest_ns >= 0 && ask->length_ns > rule->longest_ns)
		return BY_LENGTH;
	return FITS;
}

/* Verdicts ------------------------------------------------------------------------ */

static void say_never(const char *target, unsigned line, struct sn_policy_verdict *verdict)
{
	verdict->line = line;
	if (line == 0)
		snprintf(verdict->reason, sizeof(verdict->reason),
			 "target '%.80s' is never probed: multicast, broadcast, unspecified or "
			 "reserved",
			 target);
	else
		snprintf(verdict->reason, sizeof(verdict->reason),
			 "target '%.80s' is never probed (line %u)", target, line);
}

static void say_miss(const struct sn_policy_rule *rule, const struct sn_policy_ask *ask,
		     const struct miss *miss, struct sn_policy_verdict *verdict)
{
	char why[160] = "", limit[SN_DURATION_TEXT_MAX];

	switch (miss->condition) {
	case BY_NODE:
		snprintf(why, sizeof(why),
			 miss->what != NULL ? "node '%.*s' is not in it"
					    : "it is for certain nodes only%.*s",
			 miss->what != NULL ? (int)SN_MIN(strcspn(miss->what, ","), (size_t)60) : 0,
			 miss->what != NULL ? miss->what : "");
		break;
	case BY_TARGET:
		snprintf(why, sizeof(why),
			 miss->what != NULL ? "target '%.60s' is not in it"
					    : "it is for certain targets only%s",
			 miss->what != NULL ? miss->what : "");
		break;
	case BY_PERIOD:
		snprintf(why, sizeof(why), "it allows no period below %s",
			 sn_format_duration(rule->shortest_ns, limit, sizeof(limit)));
		break;
	case BY_LENGTH:
		snprintf(why, sizeof(why), "it allows no longer than %s",
			 sn_format_duration(rule->longest_ns, limit, sizeof(limit)));
		break;
	default:
		snprintf(why, sizeof(why), "it is not for this capability");
		break;
	}
	snprintf(verdict->reason, sizeof(verdict->reason),
		 "no rule allows '%s' here; the one in line %u comes nearest: %s",
		 action_names[ask->action], rule->line, why);
}

static void say_nobody(const struct sn_policy *policy, const struct sn_policy_ask *ask,
		       const struct sn_policy_roles *roles, struct sn_policy_verdict *verdict)
{
	struct sn_buf text = {0};

	print_roles(policy, roles, &text);
	if (text.n == 0)
		snprintf(verdict->reason, sizeof(verdict->reason), "'%.100s' has no role",
			 ask->identities[0] != NULL ? ask->identities[0] : "");
	else
		snprintf(verdict->reason, sizeof(verdict->reason),
			 "no rule allows '%s' to the roles %.150s", action_names[ask->action],
			 sn_buf_cstr(&text));
	sn_buf_finish(&text);
}

/* What could be an address to others is not allowed under the name of a name. */
static bool is_unclear(const char *text, struct sn_policy_verdict *verdict)
{
	struct sn_policy_target target;

	sn_policy_target_parse(text, &target);
	if (target.unclear)
		snprintf(verdict->reason, sizeof(verdict->reason),
			 "target '%.80s' is neither an address, a network, a URL nor a name", text);
	return target.unclear;
}

static bool spared(const struct sn_policy *policy, const struct sn_policy_ask *ask,
		   struct sn_policy_verdict *verdict)
{
	unsigned line;

	if (ask->action != SN_MAY_MEASURE || ask->targets == NULL)
		return false;
	for (size_t i = 0; ask->targets[i] != NULL; i++) {
		if (is_unclear(ask->targets[i], verdict))
			return true;
		if (!sn_policy_spares(policy, ask->targets[i], &line))
			continue;
		say_never(ask->targets[i], line, verdict);
		return true;
	}
	return false;
}

void sn_policy_decide(const struct sn_policy *policy, const struct sn_policy_ask *ask,
		      struct sn_policy_verdict *verdict)
{
	const struct sn_policy_rule *nearest = NULL;
	struct miss best = {BY_ROLE, NULL};
	struct sn_policy_roles roles;

	*verdict = (struct sn_policy_verdict){0};
	if (spared(policy, ask, verdict))
		return;
	roles_of(policy, ask->identities, &roles);
	for (size_t i = 0; i < policy->rule_count; i++) {
		struct miss miss = {0};

		miss.condition = first_miss(&policy->rules[i], ask, &roles, &miss);
		if (miss.condition == FITS) {
			verdict->allowed = true;
			verdict->line = policy->rules[i].line;
			snprintf(verdict->reason, sizeof(verdict->reason),
				 "the rule in line %u allows it", verdict->line);
			return;
		}
		if (miss.condition > best.condition) {
			best = miss;
			nearest = &policy->rules[i];
		}
	}
	if (nearest == NULL) {
		say_nobody(policy, ask, &roles, verdict);
		return;
	}
	verdict->nearest = nearest->line;
	say_miss(nearest, ask, &best, verdict);
}

void sn_policy_add_name(struct sn_buf *names, const char *kind, const char *text)
{
	if (text == NULL || text[0] == '\0' || strchr(text, ',') != NULL)
		return;
	/* A node's own name must not pass for a tag. */
	if (kind[0] == '\0' &&
	    (strncmp(text, "tag:", 4) == 0 || strncmp(text, "country:", 8) == 0 ||
	     strncmp(text, "network:", 8) == 0))
		return;
	sn_buf_addf(names, "%s%s%s", names->n > 0 ? "," : "", kind, text);
}

/* Above the rules ----------------------------------------------------------------- */

bool sn_policy_spares(const struct sn_policy *policy, const char *target, unsigned *line)
{
	struct sn_policy_target parsed;

	sn_policy_target_parse(target, &parsed);
	for (size_t i = 0; i < parsed.net_count; i++) {
		for (size_t j = 0; j < policy->never.count; j++) {
			if (!sn_policy_net_touches(&policy->never.items[j], &parsed.net[i]))
				continue;
			if (line != NULL)
				*line = policy->never.lines[j];
			return true;
		}
	}
	return false;
}

const char *sn_policy_never_at(const struct sn_policy *policy, size_t i)
{
	return i < policy->never_texts.count ? policy->never_texts.items[i] : NULL;
}

double sn_policy_target_rate(const struct sn_policy *policy)
{
	return policy->target_rate;
}

size_t sn_policy_rule_count(const struct sn_policy *policy)
{
	return policy->rule_count;
}

/* What is odd --------------------------------------------------------------------- */

static bool is_narrow(const struct sn_policy_rule *rule)
{
	return rule->has_nodes || rule->has_targets || rule->shortest_ns >= 0 ||
	       rule->longest_ns >= 0;
}

/* Does `first` allow everything that `rule` does?  Only what is certain. */
static bool covers(const struct sn_policy_rule *first, const struct sn_policy_rule *rule)
{
	if (is_narrow(first) || (rule->actions & ~first->actions) != 0)
		return false;
	for (size_t i = 0; i < SN_POLICY_ROLE_WORDS; i++) {
		if ((rule->roles.word[i] & ~first->roles.word[i]) != 0)
			return false;
	}
	if (first->any_label)
		return true;
	for (size_t i = 0; i < rule->labels.count; i++) {
		if (!sn_policy_texts_have(&first->labels, rule->labels.items[i]))
			return false;
	}
	return !rule->any_label;
}

static void warn_of_roles(const struct sn_policy *policy, struct sn_buf *out)
{
	for (size_t i = 0; i < policy->role_count; i++) {
		const struct sn_policy_role *role = &policy->roles[i];
		bool used = false;

		for (size_t j = 0; j < policy->rule_count && !used; j++)
			used = has_bit(&policy->rules[j].roles, i);
		if (role->identity_count == 0)
			sn_buf_addf(out, "line %u: nobody has the role '%s'\n", role->line,
				    role->name);
		if (!used)
			sn_buf_addf(out, "line %u: no rule names the role '%s'\n", role->line,
				    role->name);
	}
}

static void warn_of_rule(const struct sn_policy *policy, size_t i, struct sn_buf *out)
{
	const struct sn_policy_rule *rule = &policy->rules[i];
	bool measure = (rule->actions >> SN_MAY_MEASURE & 1) != 0;

	for (size_t j = 0; j < i; j++) {
		if (!covers(&policy->rules[j], rule))
			continue;
		sn_buf_addf(out, "line %u: never reached, the rule in line %u allows all of it\n",
			    rule->line, policy->rules[j].line);
		break;
	}
	if (!measure && (rule->has_targets || rule->shortest_ns >= 0 || rule->longest_ns >= 0))
		sn_buf_addf(out,
			    "line %u: 'targets', 'shortest_period' and 'longest' mean something "
			    "for 'measure' only\n",
			    rule->line);
}

void sn_policy_warnings(const struct sn_policy *policy, struct sn_buf *out)
{
	unsigned actions = 0;

	warn_of_roles(policy, out);
	for (size_t i = 0; i < policy->rule_count; i++) {
		warn_of_rule(policy, i, out);
		actions |= policy->rules[i].actions;
	}
	if (policy->rule_count == 0)
		sn_buf_adds(out, "no rules: everything is forbidden\n");
	else if ((actions >> SN_MAY_ADMIN & 1) == 0)
		sn_buf_adds(out, "no rule allows 'admin': only the hub's own machine can change "
				 "users, nodes and certificates\n");
	if (policy->target_rate <= 0)
		sn_buf_adds(out, "target_rate is 'none': nothing limits what all nodes together "
				 "send to one target\n");
}
