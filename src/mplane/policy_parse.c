/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy from its YAML text: what each key means.  Every key is a row of a table, and a level of
 * the text has one table.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mplane/policy_reader.h"

#define IDENTITIES_MAX 100000 /* of all roles together */

/* Roles --------------------------------------------------------------------------- */

static bool role_name_is_good(struct sn_str name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (!isalnum((unsigned char)name.p[i]) && strchr("._-", name.p[i]) == NULL)
			return false;
	}
	return name.n > 0 && name.n <= 64;
}

static void release_identity(void *value)
{
	struct sn_policy_identity *identity = value;

	free(identity->roles);
	free(identity);
}

static int take_identity(struct sn_policy_reader *reader, struct sn_str text)
{
	struct sn_policy *policy = reader->policy;
	sn_autofree char *raw = sn_xstrndup(text.p, text.n);
	struct sn_policy_identity *identity;
	char key[SN_POLICY_TEXT_MAX];

	sn_policy_identity_key(raw, key);
	if (!sn_policy_wildcard_is_good(key))
		return sn_policy_no_good(
			reader, text,
			"has '*' where it means nothing (it stands for the whole last part, "
			"as in 'org.mplane.SSB.Clients.*' or 'node:*', or as in "
			"'dns:*.example.net')");
	if (++reader->identities > IDENTITIES_MAX)
		return sn_policy_no_good(reader, text, "is one identity too many");
	identity = sn_map_get(policy->identities, key);
	if (identity == NULL) {
		identity = sn_new(struct sn_policy_identity);
		sn_map_set(policy->identities, key, identity);
	}
	if (identity->count > 0 && identity->roles[identity->count - 1] == reader->role)
		return 0; /* named twice in one role */
	identity->roles =
		sn_xrealloc(identity->roles, identity->count + 1, sizeof(*identity->roles));
	identity->roles[identity->count++] = (uint16_t)reader->role;
	policy->roles[reader->role].identity_count++;
	return 0;
}

/* Its number, or -1. */
static int find_role(const struct sn_policy *policy, const char *name)
{
	const uint16_t *number = sn_map_get(policy->role_numbers, name);

	return number != NULL ? *number : -1;
}

static void number_role(struct sn_policy *policy, const char *name, size_t number)
{
	uint16_t *value = sn_new(uint16_t);

	*value = (uint16_t)number;
	sn_map_set(policy->role_numbers, name, value);
}

static int read_role(struct sn_policy_reader *reader)
{
	struct sn_policy *policy = reader->policy;
	struct sn_str name = sn_policy_scalar(reader);
	struct sn_policy_role *role;
	sn_autofree char *text = NULL;

	if (reader->event.type != YAML_SCALAR_EVENT || !role_name_is_good(name)) {
		sn_err_set(reader->err, -EINVAL,
			   "the name of a role is 1 to 64 letters, digits, '.', '_' and '-'");
		return sn_policy_at_line(reader);
	}
	text = sn_xstrndup(name.p, name.n);
	if (find_role(policy, text) >= 0)
		return sn_policy_no_good(reader, name, "is given twice");
	if (policy->role_count >= SN_POLICY_ROLES_MAX)
		return sn_policy_no_good(reader, name, "is one role too many");
	policy->roles = sn_xrealloc(policy->roles, policy->role_count + 1, sizeof(*policy->roles));
	reader->role = policy->role_count++;
	role = &policy->roles[reader->role];
	number_role(policy, text, reader->role);
	*role = (struct sn_policy_role){.name = sn_steal(&text), .line = reader->line};
	return sn_policy_read_texts(reader, role->name, take_identity);
}

static int read_roles(struct sn_policy_reader *reader)
{
	int error = sn_policy_next(reader);

	if (error != 0)
		return error;
	if (reader->event.type != YAML_MAPPING_START_EVENT) {
		sn_err_set(reader->err, -EINVAL, "'roles' must be lines of 'role: identities'");
		return sn_policy_at_line(reader);
	}
	while ((error = sn_policy_next(reader)) == 0 &&
	       reader->event.type != YAML_MAPPING_END_EVENT) {
		error = read_role(reader);
		if (error != 0)
			return error;
	}
	return error;
}

/* Rules --------------------------------------------------------------------------- */

static int take_action(struct sn_policy_reader *reader, struct sn_str text)
{
	const char *names[SN_POLICY_ACTIONS];

	for (unsigned i = 0; i < SN_POLICY_ACTIONS; i++) {
		names[i] = sn_policy_action_name((enum sn_policy_action)i);
		if (sn_str_eqc(text, names[i])) {
			reader->rule->actions |= 1U << i;
			return 0;
		}
	}
	return sn_policy_unknown(reader, "action", text, names, SN_POLICY_ACTIONS);
}

/* Looked up when all roles are known: they may stand behind the rules. */
static int take_role_name(struct sn_policy_reader *reader, struct sn_str text)
{
	sn_policy_texts_add(&reader->rule->role_names, text);
	return 0;
}

static int take_label(struct sn_policy_reader *reader, struct sn_str text)
{
	reader->rule->has_labels = true;
	if (sn_str_eqc(text, "*")) {
		reader->rule->any_label = true;
		return 0;
	}
	if (memchr(text.p, '*', text.n) != NULL)
		return sn_policy_no_good(
			reader, text,
			"is no label: labels are compared whole (\"*\" alone is any)");
	sn_policy_texts_add(&reader->rule->labels, text);
	return 0;
}

static int take_node(struct sn_policy_reader *reader, struct sn_str text)
{
	struct sn_policy_rule *rule = reader->rule;
	struct sn_str net_text = text;
	struct sn_policy_net net;

	rule->has_nodes = true;
	if (memchr(text.p, '*', text.n) != NULL || memchr(text.p, ',', text.n) != NULL)
		return sn_policy_no_good(
			reader, text,
			"names no node (write 'name', 'tag:x', 'country:XX' or "
			"'network:AS64500', one an entry; no 'nodes' at all is any)");
	if (sn_str_has_prefix(text, "network:") && !sn_str_has_prefix(text, "network:AS")) {
		net_text.p += strlen("network:");
		net_text.n -= strlen("network:");
		if (sn_policy_net_parse(net_text, &net) != 0)
			return sn_policy_no_good(reader, text,
						 "is neither a network nor like 'AS64500'");
		sn_policy_nets_add(&rule->node_nets, &net, reader->line);
		return 0;
	}
	sn_policy_texts_add(&rule->nodes, text);
	return 0;
}

static int take_target(struct sn_policy_reader *reader, struct sn_str text)
{
	struct sn_policy_rule *rule = reader->rule;
	struct sn_policy_target target;
	struct sn_policy_net net;
	sn_autofree char *name = sn_xstrndup(text.p, text.n);
	int error = sn_policy_net_parse(text, &net);

	rule->has_targets = true;
	if (error == 0) {
		sn_policy_nets_add(&rule->targets, &net, reader->line);
		return 0;
	}
	if (error == -ERANGE)
		return sn_policy_no_good(reader, text, "has bits set behind its length");
	if (sn_str_eqc(text, "names"))
		rule->names = true;
	else if (sn_str_eqc(text, "none"))
		rule->no_target = true;
	if (sn_str_eqc(text, "names") || sn_str_eqc(text, "none"))
		return 0;
	sn_policy_target_parse(name, &target);
	if (target.net_count > 0 || strpbrk(name, "*/:@? ") != NULL)
		return sn_policy_no_good(
			reader, text,
			"is no address, network like '192.0.2.0/24', host name, 'names' or "
			"'none'");
	sn_policy_texts_add(&rule->target_names, sn_str(target.name));
	return 0;
}

static int read_duration(struct sn_policy_reader *reader, const char *key, int64_t *ns)
{
	struct sn_str text;
	int error = sn_policy_read_text(reader, key, &text);

	if (error == 0 && sn_parse_duration(text, ns) != 0)
		return sn_policy_no_good(reader, text, "is no time like 250ms, 10s or 30d");
	return error;
}

static int read_allow(struct sn_policy_reader *reader)
{
	return sn_policy_read_texts(reader, "allow", take_action);
}

static int read_rule_roles(struct sn_policy_reader *reader)
{
	return sn_policy_read_texts(reader, "roles", take_role_name);
}

static int read_capabilities(struct sn_policy_reader *reader)
{
	return sn_policy_read_texts(reader, "capabilities", take_label);
}

/* An empty list is narrower than none: it must not pass for "any". */
static int read_nodes(struct sn_policy_reader *reader)
{
	reader->rule->has_nodes = true;
	return sn_policy_read_texts(reader, "nodes", take_node);
}

static int read_targets(struct sn_policy_reader *reader)
{
	reader->rule->has_targets = true;
	return sn_policy_read_texts(reader, "targets", take_target);
}

static int read_shortest(struct sn_policy_reader *reader)
{
	return read_duration(reader, "shortest_period", &reader->rule->shortest_ns);
}

static int read_longest(struct sn_policy_reader *reader)
{
	return read_duration(reader, "longest", &reader->rule->longest_ns);
}

static const struct sn_policy_key rule_keys[] = {
	{"allow", read_allow},     {"roles", read_rule_roles}, {"capabilities", read_capabilities},
	{"nodes", read_nodes},     {"targets", read_targets},  {"shortest_period", read_shortest},
	{"longest", read_longest},
};

static int check_rule(struct sn_policy_reader *reader)
{
	struct sn_policy_rule *rule = reader->rule;
	const char *missing = NULL;

	if (rule->actions == 0)
		missing = "allow";
	else if (rule->role_names.count == 0)
		missing = "roles";
	else if (!rule->has_labels && (rule->actions & ~SN_POLICY_WHOLE) != 0)
		missing = "capabilities"; /* what is forgotten must not pass for any */
	if (missing == NULL)
		return 0;
	reader->line = rule->line;
	sn_err_set(reader->err, -EINVAL, "'%s' is missing%s", missing,
		   strcmp(missing, "capabilities") == 0 ? " (\"*\" is any)" : "");
	return sn_policy_at_line(reader);
}

static int read_rule(struct sn_policy_reader *reader)
{
	struct sn_policy *policy = reader->policy;
	int error;

	if (policy->rule_count >= SN_POLICY_RULES_MAX) {
		sn_err_set(reader->err, -E2BIG, "more than %d rules", SN_POLICY_RULES_MAX);
		return sn_policy_at_line(reader);
	}
	policy->rules = sn_xrealloc(policy->rules, policy->rule_count + 1, sizeof(*policy->rules));
	reader->rule = &policy->rules[policy->rule_count++];
	*reader->rule =
		(struct sn_policy_rule){.line = reader->line, .shortest_ns = -1, .longest_ns = -1};
	error = sn_policy_read_mapping(reader, rule_keys, SN_COUNT(rule_keys));
	return error != 0 ? error : check_rule(reader);
}

static int read_rules(struct sn_policy_reader *reader)
{
	int error = sn_policy_next(reader);

	if (error != 0)
		return error;
	if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
		sn_err_set(reader->err, -EINVAL, "'rules' must be a list, each with '- allow:'");
		return sn_policy_at_line(reader);
	}
	while ((error = sn_policy_next(reader)) == 0 &&
	       reader->event.type != YAML_SEQUENCE_END_EVENT) {
		error = read_rule(reader);
		if (error != 0)
			return error;
	}
	return error;
}

/* Above the rules ----------------------------------------------------------------- */

static void add_never(struct sn_policy *policy, const struct sn_policy_net *net, unsigned line)
{
	struct sn_buf text = {0};

	sn_policy_nets_add(&policy->never, net, line);
	sn_policy_net_print(net, &text);
	sn_policy_texts_add(&policy->never_texts, sn_buf_str(&text));
	sn_buf_finish(&text);
}

static int take_never(struct sn_policy_reader *reader, struct sn_str text)
{
	struct sn_policy_net net;
	int error = sn_policy_net_parse(text, &net);

	if (error != 0)
		return sn_policy_no_good(reader, text,
					 error == -ERANGE
						 ? "has bits set behind its length"
						 : "is no address or network like '192.0.2.0/24'");
	add_never(reader->policy, &net, reader->line);
	return 0;
}

static int read_never(struct sn_policy_reader *reader)
{
	return sn_policy_read_texts(reader, "never_probe", take_never);
}

static int read_target_rate(struct sn_policy_reader *reader)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"/s", 1}, {"/min", 60}, {"/h", 3600}};
	struct sn_str text, number;
	int error = sn_policy_read_text(reader, "target_rate", &text);

	if (error != 0)
		return error;
	if (sn_str_eqc(text, "none")) {
		reader->policy->target_rate = 0;
		return 0;
	}
	for (size_t i = 0; i < SN_COUNT(units); i++) {
		size_t n = strlen(units[i].unit);

		if (text.n <= n || memcmp(text.p + text.n - n, units[i].unit, n) != 0)
			continue;
		number = (struct sn_str){text.p, text.n - n};
		if (sn_parse_double(number, 1e-6, 1e9, &reader->policy->target_rate) != 0)
			break;
		reader->policy->target_rate /= units[i].seconds;
		return 0;
	}
	return sn_policy_no_good(reader, text, "is no rate like '100/s', '30/min' or 'none'");
}

static const struct sn_policy_key keys[] = {
	{"roles", read_roles},
	{"rules", read_rules},
	{"never_probe", read_never},
	{"target_rate", read_target_rate},
};

/* The whole ----------------------------------------------------------------------- */

static int no_such_role(struct sn_policy_reader *reader, const struct sn_policy_rule *rule,
			const char *name)
{
	const struct sn_policy *policy = reader->policy;
	sn_autofree const char **names = sn_new_n(const char *, policy->role_count + 1);

	for (size_t i = 0; i < policy->role_count; i++)
		names[i] = policy->roles[i].name;
	reader->line = rule->line;
	return sn_policy_unknown(reader, "role", sn_str(name), names, policy->role_count);
}

static int finish_rule(struct sn_policy_reader *reader, struct sn_policy_rule *rule)
{
	for (size_t i = 0; i < rule->role_names.count; i++) {
		int role = find_role(reader->policy, rule->role_names.items[i]);

		if (role < 0)
			return no_such_role(reader, rule, rule->role_names.items[i]);
		rule->roles.word[role / 64] |= UINT64_C(1) << (role % 64);
	}
	sn_policy_texts_sort(&rule->labels);
	sn_policy_texts_sort(&rule->nodes);
	sn_policy_texts_sort(&rule->target_names);
	return 0;
}

static struct sn_policy *create(void)
{
	struct sn_policy *policy = sn_new(struct sn_policy);
	struct sn_policy_net net;

	policy->role_numbers = sn_map_create(free);
	policy->identities = sn_map_create(release_identity);
	policy->target_rate = SN_POLICY_RATE;
	for (size_t i = 0; sn_policy_never[i] != NULL; i++) {
		(void)sn_policy_net_parse(sn_str(sn_policy_never[i]), &net);
		add_never(policy, &net, 0);
	}
	return policy;
}

int sn_policy_parse(struct sn_str yaml, struct sn_policy **policy, struct sn_err *err)
{
	struct sn_err ignored = {0};
	struct sn_policy_reader reader = {.err = err != NULL ? err : &ignored};
	int error;

	if (yaml.n > SN_POLICY_BYTES_MAX)
		return sn_err_set(err, -EFBIG, "a policy has at most %d bytes",
				  SN_POLICY_BYTES_MAX);
	sn_policy_reader_init(&reader, yaml);
	reader.policy = create();
	error = sn_policy_read_document(&reader, keys, SN_COUNT(keys));
	for (size_t i = 0; error == 0 && i < reader.policy->rule_count; i++)
		error = finish_rule(&reader, &reader.policy->rules[i]);
	sn_policy_reader_finish(&reader);
	if (error != 0) {
		sn_policy_destroy(reader.policy);
		return error;
	}
	*policy = reader.policy;
	return 0;
}

void sn_policy_destroy(struct sn_policy *policy)
{
	if (policy == NULL)
		return;
	for (size_t i = 0; i < policy->role_count; i++)
		free(policy->roles[i].name);
	for (size_t i = 0; i < policy->rule_count; i++) {
		struct sn_policy_rule *rule = &policy->rules[i];

		sn_policy_texts_finish(&rule->role_names);
		sn_policy_texts_finish(&rule->labels);
		sn_policy_texts_finish(&rule->nodes);
		sn_policy_texts_finish(&rule->target_names);
		sn_policy_nets_finish(&rule->node_nets);
		sn_policy_nets_finish(&rule->targets);
	}
	sn_policy_nets_finish(&policy->never);
	sn_policy_texts_finish(&policy->never_texts);
	sn_map_destroy(policy->role_numbers);
	sn_map_destroy(policy->identities);
	free(policy->roles);
	free(policy->rules);
	free(policy);
}
