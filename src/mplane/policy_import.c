/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies from the role files of the mPlane reference implementation: an INI file with
 * [Roles] and [Authorizations], or the older users.conf and caps.conf.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "mplane/policy_internal.h"

/* `name` of `whose` component: the roles, in the order of the file. */
struct entry {
	char *name, *component; /* component "" where the file has none */
	struct sn_policy_texts roles;
	unsigned line;
	bool blanks; /* around a role: the original took them for a part of its name */
};

struct import {
	struct entry *users, *labels;
	size_t user_count, label_count;
	struct sn_policy_texts roles; /* each once */
	struct sn_map *role_users;    /* role -> struct sn_policy_texts */
	struct sn_err *err;
	bool was_ini;
};

/* Reading ------------------------------------------------------------------------- */

static bool role_is_good(struct sn_str role)
{
	for (size_t i = 0; i < role.n; i++) {
		if (!isalnum((unsigned char)role.p[i]) && strchr("._-", role.p[i]) == NULL)
			return false;
	}
	return role.n <= 64;
}

static bool text_is_good(struct sn_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f || text.p[i] == '*')
			return false;
	}
	return text.n > 0 && text.n < SN_POLICY_TEXT_MAX;
}

static int refuse(struct import *import, unsigned line, const char *what, struct sn_str text)
{
	return sn_err_set(import->err, -EINVAL, "line %u: %s '%.*s' cannot be taken over", line,
			  what, (int)SN_MIN(text.n, (size_t)60), text.p);
}

static void release_texts(void *value)
{
	sn_policy_texts_finish(value);
	free(value);
}

static void note_role(struct import *import, const char *role, const char *identity)
{
	struct sn_policy_texts *users = sn_map_get(import->role_users, role);

	if (users == NULL) {
		users = sn_new(struct sn_policy_texts);
		sn_map_set(import->role_users, role, users);
		sn_policy_texts_add(&import->roles, sn_str(role));
	}
	if (identity != NULL)
		sn_policy_texts_add(users, sn_str(identity));
}

static int read_roles(struct import *import, struct entry *entry, struct sn_str rest,
		      const char *identity)
{
	struct sn_str part;

	while (rest.p != NULL && sn_str_split(&rest, ',', &part)) {
		struct sn_str role = sn_str_trim(part);

		if (role.n == 0)
			continue;
		if (!role_is_good(role))
			return refuse(import, entry->line, "role", role);
		/* The first may have a blank before it, which belongs to the separator. */
		entry->blanks = entry->blanks || (part.n != role.n && entry->roles.count > 0);
		sn_policy_texts_add(&entry->roles, role);
		note_role(import, entry->roles.items[entry->roles.count - 1], identity);
	}
	return 0;
}

static struct entry *add_entry(struct entry **entries, size_t *count, struct sn_str name,
			       struct sn_str component, unsigned line)
{
	struct entry *entry;

	*entries = sn_xrealloc(*entries, *count + 1, sizeof(**entries));
	entry = &(*entries)[(*count)++];
	*entry = (struct entry){
		.name = sn_xstrndup(name.p, name.n),
		.component = sn_xstrndup(component.n > 0 ? component.p : "", component.n),
		.line = line,
	};
	return entry;
}

static int add_user(struct import *import, struct sn_str name, struct sn_str roles, unsigned line)
{
	struct entry *entry;

	if (!text_is_good(name))
		return refuse(import, line, "identity", name);
	if (import->user_count >= SN_POLICY_LIST_MAX)
		return refuse(import, line, "one identity too many:", name);
	entry = add_entry(&import->users, &import->user_count, name, SN_STR(""), line);
	return read_roles(import, entry, roles, entry->name);
}

static int add_label(struct import *import, struct sn_str name, struct sn_str component,
		     struct sn_str roles, unsigned line)
{
	struct entry *entry;

	if (!text_is_good(name))
		return refuse(import, line, "label", name);
	if (component.n > 0 && !text_is_good(component))
		return refuse(import, line, "component", component);
	if (import->label_count >= SN_POLICY_RULES_MAX - 1)
		return refuse(import, line, "one label too many:", name);
	entry = add_entry(&import->labels, &import->label_count, name, component, line);
	return read_roles(import, entry, roles, NULL);
}

/* The next line without its end; comments and empty ones are empty. */
static bool next_line(struct sn_str *rest, struct sn_str *text, unsigned *line)
{
	struct sn_str all, trimmed;

	if (rest->n == 0 || !sn_str_split(rest, '\n', &all))
		return false;
	(*line)++;
	trimmed = sn_str_trim(all);
	if (trimmed.n == 0 || trimmed.p[0] == '#' || trimmed.p[0] == ';')
		trimmed.n = 0;
	*text = trimmed;
	return true;
}

/* "key = value" or "key: value", whatever comes first. */
static bool split_pair(struct sn_str text, const char *separators, struct sn_str *key,
		       struct sn_str *value)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\0' || strchr(separators, text.p[i]) == NULL)
			continue;
		*key = sn_str_trim((struct sn_str){text.p, i});
		*value = (struct sn_str){text.p + i + 1, text.n - i - 1};
		return true;
	}
	return false;
}

static int read_ini(struct import *import, struct sn_str rest)
{
	enum { ELSEWHERE, ROLES, AUTHORIZATIONS } section = ELSEWHERE;
	struct sn_str text, key, value;
	unsigned line = 0;
	int error = 0;

	while (error == 0 && next_line(&rest, &text, &line)) {
		if (text.n == 0)
			continue;
		if (text.p[0] == '[') {
			section = sn_str_eqc(text, "[Roles]")            ? ROLES
				  : sn_str_eqc(text, "[Authorizations]") ? AUTHORIZATIONS
									 : ELSEWHERE;
		} else if (section == ELSEWHERE) {
			continue;
		} else if (!split_pair(text, "=:", &key, &value)) {
			error = refuse(import, line, "a line without '=':", text);
		} else if (section == ROLES) {
			error = add_user(import, key, value, line);
		} else {
			error = add_label(import, key, SN_STR(""), value, line);
		}
	}
	return error;
}

static int read_users(struct import *import, struct sn_str rest)
{
	struct sn_str text, key, value;
	unsigned line = 0;
	int error = 0;

	while (error == 0 && next_line(&rest, &text, &line)) {
		if (text.n == 0)
			continue;
		error = split_pair(text, ":", &key, &value)
				? add_user(import, key, value, line)
				: refuse(import, line, "a line without ':':", text);
	}
	return error;
}

static int read_caps(struct import *import, struct sn_str rest)
{
	struct sn_str text, key, value, label;
	unsigned line = 0;
	int error = 0;

	while (error == 0 && next_line(&rest, &text, &line)) {
		if (text.n == 0)
			continue;
		if (!split_pair(text, ":", &key, &value)) {
			error = refuse(import, line, "a line without ':':", text);
			continue;
		}
		if (key.n == 0 || !sn_str_split(&key, ',', &label)) {
			error = refuse(import, line, "label", key);
			continue;
		}
		error = add_label(import, sn_str_trim(label), sn_str_trim(key), value, line);
	}
	return error;
}

/* Writing ------------------------------------------------------------------------- */

static void add_quoted(struct sn_buf *out, const char *text)
{
	sn_buf_addc(out, '"');
	sn_json_escape(out, sn_str(text)); /* YAML reads JSON's escapes */
	sn_buf_addc(out, '"');
}

static void write_roles(const struct import *import, struct sn_buf *out)
{
	sn_buf_adds(out, "roles:\n");
	for (size_t i = 0; i < import->roles.count; i++) {
		const struct sn_policy_texts *users =
			sn_map_get(import->role_users, import->roles.items[i]);

		sn_buf_addf(out, "  \"%s\":", import->roles.items[i]);
		if (users->count == 0)
			sn_buf_adds(out, " [] # nobody has it");
		sn_buf_addc(out, '\n');
		for (size_t j = 0; j < users->count; j++) {
			sn_buf_adds(out, "    - ");
			add_quoted(out, users->items[j]);
			sn_buf_addc(out, '\n');
		}
	}
}

static void write_role_list(const struct sn_policy_texts *roles, struct sn_buf *out)
{
	sn_buf_adds(out, "    roles: [");
	for (size_t i = 0; i < roles->count; i++)
		sn_buf_addf(out, "%s\"%s\"", i > 0 ? ", " : "", roles->items[i]);
	sn_buf_adds(out, "]\n");
}

static void write_rule(const struct import *import, const struct entry *entry, struct sn_buf *out)
{
	if (entry->roles.count == 0)
		return; /* it let nobody in */
	if (import->was_ini) {
		sn_buf_adds(out, "  # There, every label with ");
		add_quoted(out, entry->name);
		sn_buf_adds(out, " inside matched; here only this one. Add the others.\n");
	}
	if (entry->blanks)
		sn_buf_adds(out, "  # There, roles behind a comma and a blank never matched; here "
				 "they do.\n");
	sn_buf_adds(out, "  - allow: [discover, measure, read, stop]\n");
	write_role_list(&entry->roles, out);
	sn_buf_adds(out, "    capabilities: ");
	add_quoted(out, entry->name);
	sn_buf_addc(out, '\n');
	if (entry->component[0] == '\0')
		return;
	sn_buf_adds(out, "    nodes: ");
	add_quoted(out, entry->component);
	sn_buf_addc(out, '\n');
}

/* Whoever offers something has to be told apart from clients here. */
static void write_components(const struct import *import, struct sn_buf *out)
{
	bool found = false;

	for (size_t i = 0; i < import->user_count; i++) {
		const char *name = import->users[i].name;

		if (strstr(name, ".Components.") == NULL && strstr(name, ".Supervisors.") == NULL)
			continue;
		if (!found)
			sn_buf_adds(out, "  imported-components:\n");
		found = true;
		sn_buf_adds(out, "    - ");
		add_quoted(out, name);
		sn_buf_addc(out, '\n');
	}
	if (!found)
		sn_buf_adds(out, "  imported-components: [] # who may register capabilities: "
				 "nobody was named\n");
}

static void write_all(const struct import *import, struct sn_buf *out)
{
	sn_buf_adds(out, "# Taken over from the role files of another mPlane implementation; see "
			 "sonde-policy(5).\n"
			 "# There the last entry that matched decided, here the first rule that "
			 "fits allows.\n");
	write_roles(import, out);
	write_components(import, out);
	sn_buf_adds(out, "  imported-admin: account:admin\n\nrules:\n"
			 "  - allow: admin\n    roles: imported-admin\n"
			 "  - allow: [discover, measure, read-all, stop-all]\n"
			 "    roles: imported-admin\n    capabilities: \"*\"\n"
			 "  # There, any certificate could register anything.\n"
			 "  - allow: [register, deliver]\n    roles: imported-components\n"
			 "    capabilities: \"*\"\n");
	for (size_t i = 0; i < import->label_count; i++)
		write_rule(import, &import->labels[i], out);
}

static void finish_entries(struct entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(entries[i].name);
		free(entries[i].component);
		sn_policy_texts_finish(&entries[i].roles);
	}
	free(entries);
}

/* What is written must be read again: our limits may be narrower than their files. */
static int finish(struct import *import, int error, struct sn_buf *yaml)
{
	struct sn_policy *policy = NULL;
	struct sn_buf text = {0};

	if (error == 0) {
		write_all(import, &text);
		error = sn_policy_parse(sn_buf_str(&text), &policy, import->err);
		sn_policy_destroy(policy);
		if (error != 0)
			sn_err_wrap(import->err, "cannot take it over");
		else
			sn_buf_add(yaml, text.p, text.n);
	}
	sn_buf_finish(&text);
	finish_entries(import->users, import->user_count);
	finish_entries(import->labels, import->label_count);
	sn_policy_texts_finish(&import->roles);
	sn_map_destroy(import->role_users);
	return error;
}

int sn_policy_import_ini(struct sn_str ini, struct sn_buf *yaml, struct sn_err *err)
{
	struct sn_err ignored = {0};
	struct import import = {.err = err != NULL ? err : &ignored, .was_ini = true};

	if (ini.n > SN_POLICY_BYTES_MAX)
		return sn_err_set(err, -EFBIG, "the file has more than %d bytes",
				  SN_POLICY_BYTES_MAX);
	import.role_users = sn_map_create(release_texts);
	return finish(&import, read_ini(&import, ini), yaml);
}

int sn_policy_import_lists(struct sn_str users, struct sn_str caps, struct sn_buf *yaml,
			   struct sn_err *err)
{
	struct sn_err ignored = {0};
	struct import import = {.err = err != NULL ? err : &ignored};
	int error;

	if (users.n > SN_POLICY_BYTES_MAX || caps.n > SN_POLICY_BYTES_MAX)
		return sn_err_set(err, -EFBIG, "a file has more than %d bytes",
				  SN_POLICY_BYTES_MAX);
	import.role_users = sn_map_create(release_texts);
	error = read_users(&import, users);
	if (error == 0)
		error = read_caps(&import, caps);
	return finish(&import, error, yaml);
}
