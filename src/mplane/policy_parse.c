/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy from its YAML text, by the events of libyaml: two levels of mappings with
 * texts and lists of texts in them, no aliases.  Every key is a row of a table.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "mplane/policy_internal.h"

#define IDENTITIES_MAX 100000 /* of all roles together */

struct reader {
	struct sn_policy *policy;
	struct sn_err *err;
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned line; /* where the event stands, from 1 */
	size_t identities;
	struct sn_policy_rule *rule; /* the one being read */
	size_t role;                 /* the one being read */
};

/* Takes one text of a list; `ctx` is the key's. */
typedef int item_fn(struct reader *reader, struct sn_str text);

/* Texts --------------------------------------------------------------------------- */

void sn_policy_texts_add(struct sn_policy_texts *texts, struct sn_str text)
{
	if (texts->count == texts->room) {
		texts->room = texts->room > 0 ? 2 * texts->room : 4;
		texts->items = sn_xrealloc(texts->items, texts->room, sizeof(*texts->items));
	}
	texts->items[texts->count++] = sn_xstrndup(text.p, text.n);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void sn_policy_texts_sort(struct sn_policy_texts *texts)
{
	if (texts->count > 1)
		qsort(texts->items, texts->count, sizeof(*texts->items), compare_texts);
}

bool sn_policy_texts_have(const struct sn_policy_texts *texts, const char *text)
{
	return texts->count > 0 && bsearch(&text, texts->items, texts->count, sizeof(*texts->items),
					   compare_texts) != NULL;
}

void sn_policy_texts_finish(struct sn_policy_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct sn_policy_texts){0};
}

/* Identities ---------------------------------------------------------------------- */

void sn_policy_identity_key(const char *identity, char out[SN_POLICY_TEXT_MAX])
{
	bool dns = strncmp(identity, "dns:", 4) == 0;
	size_t n = 0;

	for (; identity[n] != '\0' && n + 1 < SN_POLICY_TEXT_MAX; n++)
		out[n] = dns ? (char)tolower((unsigned char)identity[n]) : identity[n];
	out[n] = '\0';
}

bool sn_policy_identity_pattern(const char *key, char out[SN_POLICY_TEXT_MAX])
{
	const char *colon = strchr(key, ':'), *dot;

	if (strncmp(key, "dns:", 4) == 0) {
		dot = strchr(key, '.');
		if (dot == NULL || dot[1] == '\0' || strlen(dot) + 6 > SN_POLICY_TEXT_MAX)
			return false;
		snprintf(out, SN_POLICY_TEXT_MAX, "dns:*%.*s", SN_POLICY_TEXT_MAX - 6, dot);
		return true;
	}
	dot = colon != NULL ? colon : strrchr(key, '.');
	if (dot == NULL || dot[1] == '\0' || dot == key)
		return false;
	snprintf(out, SN_POLICY_TEXT_MAX, "%.*s*",
		 (int)SN_MIN(dot + 1 - key, SN_POLICY_TEXT_MAX - 2), key);
	return true;
}

/* A pattern is one that some identity has. */
static bool wildcard_is_good(const char *key)
{
	sn_autofree char *example = sn_xstrdup(key);
	char pattern[SN_POLICY_TEXT_MAX], *star = strchr(example, '*');

	if (star == NULL)
		return true;
	*star = 'x';
	return strchr(example, '*') == NULL && sn_policy_identity_pattern(example, pattern) &&
	       strcmp(pattern, key) == 0;
}

/* Errors -------------------------------------------------------------------------- */

/* Puts the line before the reason that is in reader->err; returns its code. */
static int at_line(struct reader *reader)
{
	return sn_err_wrap(reader->err, "line %u", reader->line);
}

static int unknown(struct reader *reader, const char *what, struct sn_str text,
		   const char *const *names, size_t count)
{
	sn_autofree char *word = sn_xstrndup(text.p, SN_MIN(text.n, (size_t)60));
	const char *near = sn_suggest(word, names, count);

	if (near != NULL)
		sn_err_set(reader->err, -EINVAL, "unknown %s '%s' (did you mean '%s'?)", what, word,
			   near);
	else
		sn_err_set(reader->err, -EINVAL, "unknown %s '%s'", what, word);
	return at_line(reader);
}

static int no_good(struct reader *reader, struct sn_str text, const char *reason)
{
	sn_err_set(reader->err, -EINVAL, "'%.*s' %s", (int)SN_MIN(text.n, (size_t)80), text.p,
		   reason);
	return at_line(reader);
}

/* Events -------------------------------------------------------------------------- */

static int parser_error(struct reader *reader)
{
	const char *problem = reader->parser.problem, *context = reader->parser.context;
	bool alias = context != NULL && strstr(context, "alias") != NULL;

	memset(&reader->event, 0, sizeof(reader->event));
	reader->line = (unsigned)reader->parser.problem_mark.line + 1;
	if (reader->parser.error == YAML_READER_ERROR)
		return sn_err_set(reader->err, -EINVAL, "byte %zu: %s",
				  reader->parser.problem_offset,
				  problem != NULL ? problem : "unreadable");
	sn_err_set(reader->err, -EINVAL, "%s%s", problem != NULL ? problem : "unreadable",
		   alias ? " (a star stands in quotes: \"*\")" : "");
	return at_line(reader);
}

static int next_event(struct reader *reader)
{
	yaml_event_delete(&reader->event);
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return parser_error(reader);
	reader->line = (unsigned)reader->event.start_mark.line + 1;
	if (reader->event.type == YAML_ALIAS_EVENT) {
		sn_err_set(reader->err, -EINVAL,
			   "aliases are not used here (a star stands in quotes: \"*\")");
		return at_line(reader);
	}
	return 0;
}

/* Empty for what is no scalar. */
static struct sn_str scalar(const struct reader *reader)
{
	if (reader->event.type != YAML_SCALAR_EVENT)
		return SN_STR("");
	return sn_str_trim((struct sn_str){(const char *)reader->event.data.scalar.value,
					   reader->event.data.scalar.length});
}

/* A text that a policy may have: trimmed, not empty, without control characters. */
static int check_text(struct reader *reader, struct sn_str text)
{
	if (text.n == 0)
		return no_good(reader, text, "is empty");
	if (text.n >= SN_POLICY_TEXT_MAX)
		return no_good(reader, text, "is too long");
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return no_good(reader, text, "has control characters in it");
	}
	return 0;
}

static int take_text(struct reader *reader, item_fn *take)
{
	struct sn_str text = scalar(reader);
	int error = check_text(reader, text);

	return error != 0 ? error : take(reader, text);
}

/* The value of a key: one text, or a list of texts. */
static int read_texts(struct reader *reader, const char *key, item_fn *take)
{
	int error = next_event(reader);
	size_t count = 0;

	if (error != 0)
		return error;
	if (reader->event.type == YAML_SCALAR_EVENT)
		return take_text(reader, take);
	if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
		sn_err_set(reader->err, -EINVAL, "'%s' must be a text or a list of texts", key);
		return at_line(reader);
	}
	while ((error = next_event(reader)) == 0 && reader->event.type != YAML_SEQUENCE_END_EVENT) {
		if (reader->event.type != YAML_SCALAR_EVENT) {
			sn_err_set(reader->err, -EINVAL, "'%s': an entry is not a text", key);
			return at_line(reader);
		}
		if (++count > SN_POLICY_LIST_MAX) {
			sn_err_set(reader->err, -E2BIG, "'%s': more than %d entries", key,
				   SN_POLICY_LIST_MAX);
			return at_line(reader);
		}
		error = take_text(reader, take);
		if (error != 0)
			return error;
	}
	return error;
}

static int read_text(struct reader *reader, const char *key, struct sn_str *text)
{
	int error = next_event(reader);

	if (error != 0)
		return error;
	if (reader->event.type != YAML_SCALAR_EVENT) {
		sn_err_set(reader->err, -EINVAL, "'%s' must be one text", key);
		return at_line(reader);
	}
	*text = scalar(reader);
	return check_text(reader, *text);
}

/* Mappings ------------------------------------------------------------------------ */

struct key {
	const char *name;
	int (*read)(struct reader *reader);
};

static int read_key(struct reader *reader, const struct key *keys, size_t count, unsigned *given)
{
	const char *names[16];
	struct sn_str name = scalar(reader);

	if (reader->event.type != YAML_SCALAR_EVENT) {
		sn_err_set(reader->err, -EINVAL, "a key must be a plain word");
		return at_line(reader);
	}
	for (size_t i = 0; i < count; i++) {
		names[i] = keys[i].name;
		if (!sn_str_eqc(name, keys[i].name))
			continue;
		if ((*given >> i & 1) != 0) {
			sn_err_set(reader->err, -EINVAL, "'%s' is given twice", keys[i].name);
			return at_line(reader);
		}
		*given |= 1U << i;
		return keys[i].read(reader);
	}
	return unknown(reader, "key", name, names, count);
}

static int read_mapping(struct reader *reader, const struct key *keys, size_t count)
{
	unsigned given = 0;
	int error;

	if (reader->event.type != YAML_MAPPING_START_EVENT) {
		sn_err_set(reader->err, -EINVAL, "must be a list of 'key: value' lines");
		return at_line(reader);
	}
	while ((error = next_event(reader)) == 0 && reader->event.type != YAML_MAPPING_END_EVENT) {
		error = read_key(reader, keys, count, &given);
		if (error != 0)
			return error;
	}
	return error;
}

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

static int take_identity(struct reader *reader, struct sn_str text)
{
	struct sn_policy *policy = reader->policy;
	sn_autofree char *raw = sn_xstrndup(text.p, text.n);
	struct sn_policy_identity *identity;
	char key[SN_POLICY_TEXT_MAX];

	sn_policy_identity_key(raw, key);
	if (!wildcard_is_good(key))
		return no_good(reader, text,
			       "has '*' where it means nothing (it stands for the whole last part, "
			       "as in 'org.mplane.SSB.Clients.*' or 'node:*', or as in "
			       "'dns:*.example.net')");
	if (++reader->identities > IDENTITIES_MAX)
		return no_good(reader, text, "is one identity too many");
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

static int read_role(struct reader *reader)
{
	struct sn_policy *policy = reader->policy;
	struct sn_str name = scalar(reader);
	struct sn_policy_role *role;
	sn_autofree char *text = NULL;

	if (reader->event.type != YAML_SCALAR_EVENT || !role_name_is_good(name)) {
		sn_err_set(reader->err, -EINVAL,
			   "the name of a role is 1 to 64 letters, digits, '.', '_' and '-'");
		return at_line(reader);
	}
	text = sn_xstrndup(name.p, name.n);
	if (find_role(policy, text) >= 0)
		return no_good(reader, name, "is given twice");
	if (policy->role_count >= SN_POLICY_ROLES_MAX)
		return no_good(reader, name, "is one role too many");
	policy->roles = sn_xrealloc(policy->roles, policy->role_count + 1, sizeof(*policy->roles));
	reader->role = policy->role_count++;
	role = &policy->roles[reader->role];
	number_role(policy, text, reader->role);
	*role = (struct sn_policy_role){.name = sn_steal(&text), .line = reader->line};
	return read_texts(reader, role->name, take_identity);
}

static int read_roles(struct reader *reader)
{
	int error = next_event(reader);

	if (error != 0)
		return error;
	if (reader->event.type != YAML_MAPPING_START_EVENT) {
		sn_err_set(reader->err, -EINVAL, "'roles' must be lines of 'role: identities'");
		return at_line(reader);
	}
	while ((error = next_event(reader)) == 0 && reader->event.type != YAML_MAPPING_END_EVENT) {
		error = read_role(reader);
		if (error != 0)
			return error;
	}
	return error;
}

/* Rules --------------------------------------------------------------------------- */

static int take_action(struct reader *reader, struct sn_str text)
{
	const char *names[SN_POLICY_ACTIONS];

	for (unsigned i = 0; i < SN_POLICY_ACTIONS; i++) {
		names[i] = sn_policy_action_name((enum sn_policy_action)i);
		if (sn_str_eqc(text, names[i])) {
			reader->rule->actions |= 1U << i;
			return 0;
		}
	}
	return unknown(reader, "action", text, names, SN_POLICY_ACTIONS);
}

/* Looked up when all roles are known: they may stand behind the rules. */
static int take_role_name(struct reader *reader, struct sn_str text)
{
	sn_policy_texts_add(&reader->rule->role_names, text);
	return 0;
}

static int take_label(struct reader *reader, struct sn_str text)
{
	reader->rule->has_labels = true;
	if (sn_str_eqc(text, "*")) {
		reader->rule->any_label = true;
		return 0;
	}
	if (memchr(text.p, '*', text.n) != NULL)
		return no_good(reader, text,
			       "is no label: labels are compared whole (\"*\" alone is any)");
	sn_policy_texts_add(&reader->rule->labels, text);
	return 0;
}

static int take_node(struct reader *reader, struct sn_str text)
{
	struct sn_policy_rule *rule = reader->rule;
	struct sn_str net_text = text;
	struct sn_policy_net net;

	rule->has_nodes = true;
	if (memchr(text.p, '*', text.n) != NULL || memchr(text.p, ',', text.n) != NULL)
		return no_good(reader, text,
			       "names no node (write 'name', 'tag:x', 'country:XX' or "
			       "'network:AS64500', one an entry; no 'nodes' at all is any)");
	if (sn_str_has_prefix(text, "network:") && !sn_str_has_prefix(text, "network:AS")) {
		net_text.p += strlen("network:");
		net_text.n -= strlen("network:");
		if (sn_policy_net_parse(net_text, &net) != 0)
			return no_good(reader, text, "is neither a network nor like 'AS64500'");
		sn_policy_nets_add(&rule->node_nets, &net, reader->line);
		return 0;
	}
	sn_policy_texts_add(&rule->nodes, text);
	return 0;
}

static int take_target(struct reader *reader, struct sn_str text)
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
		return no_good(reader, text, "has bits set behind its length");
	if (sn_str_eqc(text, "names"))
		rule->names = true;
	else if (sn_str_eqc(text, "none"))
		rule->no_target = true;
	if (sn_str_eqc(text, "names") || sn_str_eqc(text, "none"))
		return 0;
	sn_policy_target_parse(name, &target);
	if (target.net_count > 0 || strpbrk(name, "*/:@? ") != NULL)
		return no_good(reader, text,
			       "is no address, network like '192.0.2.0/24', host name, 'names' or "
			       "'none'");
	sn_policy_texts_add(&rule->target_names, sn_str(target.name));
	return 0;
}

static int read_duration(struct reader *reader, const char *key, int64_t *ns)
{
	struct sn_str text;
	int error = read_text(reader, key, &text);

	if (error == 0 && sn_parse_duration(text, ns) != 0)
		return no_good(reader, text, "is no time like 250ms, 10s or 30d");
	return error;
}

static int read_allow(struct reader *reader)
{
	return read_texts(reader, "allow", take_action);
}

static int read_rule_roles(struct reader *reader)
{
	return read_texts(reader, "roles", take_role_name);
}

static int read_capabilities(struct reader *reader)
{
	return read_texts(reader, "capabilities", take_label);
}

/* An empty list is narrower than none: it must not pass for "any". */
static int read_nodes(struct reader *reader)
{
	reader->rule->has_nodes = true;
	return read_texts(reader, "nodes", take_node);
}

static int read_targets(struct reader *reader)
{
	reader->rule->has_targets = true;
	return read_texts(reader, "targets", take_target);
}

static int read_shortest(struct reader *reader)
{
	return read_duration(reader, "shortest_period", &reader->rule->shortest_ns);
}

static int read_longest(struct reader *reader)
{
	return read_duration(reader, "longest", &reader->rule->longest_ns);
}

static const struct key rule_keys[] = {
	{"allow", read_allow},     {"roles", read_rule_roles}, {"capabilities", read_capabilities},
	{"nodes", read_nodes},     {"targets", read_targets},  {"shortest_period", read_shortest},
	{"longest", read_longest},
};

static int check_rule(struct reader *reader)
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
	return at_line(reader);
}

static int read_rule(struct reader *reader)
{
	struct sn_policy *policy = reader->policy;
	int error;

	if (policy->rule_count >= SN_POLICY_RULES_MAX) {
		sn_err_set(reader->err, -E2BIG, "more than %d rules", SN_POLICY_RULES_MAX);
		return at_line(reader);
	}
	policy->rules = sn_xrealloc(policy->rules, policy->rule_count + 1, sizeof(*policy->rules));
	reader->rule = &policy->rules[policy->rule_count++];
	*reader->rule =
		(struct sn_policy_rule){.line = reader->line, .shortest_ns = -1, .longest_ns = -1};
	error = read_mapping(reader, rule_keys, SN_COUNT(rule_keys));
	return error != 0 ? error : check_rule(reader);
}

static int read_rules(struct reader *reader)
{
	int error = next_event(reader);

	if (error != 0)
		return error;
	if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
		sn_err_set(reader->err, -EINVAL, "'rules' must be a list, each with '- allow:'");
		return at_line(reader);
	}
	while ((error = next_event(reader)) == 0 && reader->event.type != YAML_SEQUENCE_END_EVENT) {
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

static int take_never(struct reader *reader, struct sn_str text)
{
	struct sn_policy_net net;
	int error = sn_policy_net_parse(text, &net);

	if (error != 0)
		return no_good(reader, text,
			       error == -ERANGE ? "has bits set behind its length"
						: "is no address or network like '192.0.2.0/24'");
	add_never(reader->policy, &net, reader->line);
	return 0;
}

static int read_never(struct reader *reader)
{
	return read_texts(reader, "never_probe", take_never);
}

static int read_target_rate(struct reader *reader)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"/s", 1}, {"/min", 60}, {"/h", 3600}};
	struct sn_str text, number;
	int error = read_text(reader, "target_rate", &text);

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
	return no_good(reader, text, "is no rate like '100/s', '30/min' or 'none'");
}

static const struct key keys[] = {
	{"roles", read_roles},
	{"rules", read_rules},
	{"never_probe", read_never},
	{"target_rate", read_target_rate},
};

/* The whole ----------------------------------------------------------------------- */

static int read_stream(struct reader *reader)
{
	int error = next_event(reader); /* stream start */

	if (error == 0)
		error = next_event(reader);
	if (error != 0 || reader->event.type == YAML_STREAM_END_EVENT)
		return error;
	error = next_event(reader); /* behind document start */
	if (error == 0 && !(reader->event.type == YAML_SCALAR_EVENT && scalar(reader).n == 0))
		error = read_mapping(reader, keys, SN_COUNT(keys));
	if (error == 0)
		error = next_event(reader); /* document end */
	if (error == 0)
		error = next_event(reader);
	if (error == 0 && reader->event.type != YAML_STREAM_END_EVENT) {
		sn_err_set(reader->err, -EINVAL, "a second document begins");
		return at_line(reader);
	}
	return error;
}

static int no_such_role(struct reader *reader, const struct sn_policy_rule *rule, const char *name)
{
	const struct sn_policy *policy = reader->policy;
	sn_autofree const char **names = sn_new_n(const char *, policy->role_count + 1);

	for (size_t i = 0; i < policy->role_count; i++)
		names[i] = policy->roles[i].name;
	reader->line = rule->line;
	return unknown(reader, "role", sn_str(name), names, policy->role_count);
}

static int finish_rule(struct reader *reader, struct sn_policy_rule *rule)
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
	struct reader reader = {.err = err != NULL ? err : &ignored};
	int error;

	if (yaml.n > SN_POLICY_BYTES_MAX)
		return sn_err_set(err, -EFBIG, "a policy has at most %d bytes",
				  SN_POLICY_BYTES_MAX);
	if (!yaml_parser_initialize(&reader.parser))
		abort(); /* only for want of memory */
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)yaml.p, yaml.n);
	reader.policy = create();
	error = read_stream(&reader);
	for (size_t i = 0; error == 0 && i < reader.policy->rule_count; i++)
		error = finish_rule(&reader, &reader.policy->rules[i]);
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
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
