/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/measure/capability.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

#define NAME_SHOWN_MAX 80
#define NAMES_MAX      1024 /* that a suggestion is looked for among */

/* Finding it ------------------------------------------------------------- */

struct labels {
	char *items[NAMES_MAX];
	size_t count;
};

static int take_label(const json_t *item, void *ctx)
{
	struct labels *labels = ctx;
	const char *label = sn_output_text(item, "label");

	if (label != NULL && labels->count < NAMES_MAX)
		labels->items[labels->count++] = sn_xstrdup(label);
	return 0;
}

static int say_unknown(struct sn_client *client, const char *label, struct sn_err *err)
{
	struct labels labels = {0};
	struct sn_err ignored = {0};
	const char *near;

	sn_client_each(client, "/api/v1/capabilities?limit=1000", take_label, &labels, &ignored);
	near = sn_suggest(label, (const char *const *)labels.items, labels.count);
	if (near != NULL)
		sn_err_set(err, -ENOENT, "no capability is called '%.*s' (did you mean '%s'?)",
			   NAME_SHOWN_MAX, label, near);
	else
		sn_err_set(err, -ENOENT,
			   "no capability is called '%.*s' ('sonde cap list' shows what you may "
			   "use)",
			   NAME_SHOWN_MAX, label);
	for (size_t i = 0; i < labels.count; i++)
		free(labels.items[i]);
	return -ENOENT;
}

int sn_capability_fetch(struct sn_client *client, const char *label, json_t **capability,
			struct sn_err *err)
{
	struct sn_buf path = {0};
	sn_autojson json_t *answer = NULL;
	const json_t *items;
	int rc;

	sn_buf_adds(&path, "/api/v1/capabilities/");
	sn_url_encode(&path, sn_str(label));
	rc = sn_client_get(client, sn_buf_cstr(&path), &answer, err);
	sn_buf_finish(&path);
	items = json_object_get(answer, "items");
	if (rc == -ENOENT || (rc == 0 && json_array_size(items) == 0))
		return say_unknown(client, label, err);
	if (rc == 0)
		*capability = json_incref(json_array_get(items, 0));
	return rc;
}

/* Words ------------------------------------------------------------------ */

static const json_t *find_parameter(const json_t *capability, struct sn_str name)
{
	const json_t *parameters = json_object_get(capability, "parameters");
	size_t i;
	const json_t *item;

	json_array_foreach (parameters, i, item) {
		const char *here = sn_output_text(item, "name");

		if (here != NULL && sn_str_eqc(name, here))
			return item;
	}
	return NULL;
}

static int unknown_parameter(const json_t *capability, struct sn_str name, struct sn_err *err)
{
	const json_t *parameters = json_object_get(capability, "parameters");
	sn_autofree char *copy = sn_xstrndup(name.p, name.n);
	const char *names[NAMES_MAX], *near;
	size_t count = 0, i;
	const json_t *item;

	json_array_foreach (parameters, i, item) {
		const char *here = sn_output_text(item, "name");

		if (here != NULL && count < NAMES_MAX)
			names[count++] = here;
	}
	near = sn_suggest(copy, names, count);
	if (near != NULL)
		return sn_err_set(err, -EDOM, "'%s' has no parameter '%.*s' (did you mean '%s'?)",
				  sn_output_text(capability, "label"), NAME_SHOWN_MAX, copy, near);
	return sn_err_set(err, -EDOM, "'%s' has no parameter '%.*s' ('sonde cap show %s' has all)",
			  sn_output_text(capability, "label"), NAME_SHOWN_MAX, copy,
			  sn_output_text(capability, "label"));
}

static bool is_type(const json_t *parameter, const char *type)
{
	const char *here = sn_output_text(parameter, "type");

	return here != NULL && strcmp(here, type) == 0;
}

static bool could_be_target(const json_t *parameter)
{
	const char *constraint = sn_output_text(parameter, "constraint");
	bool free_value = constraint == NULL || strcmp(constraint, "*") == 0 ||
			  strstr(constraint, " ... ") != NULL;

	return free_value && json_is_true(json_object_get(parameter, "required")) &&
	       (is_type(parameter, "address") || is_type(parameter, "url") ||
		is_type(parameter, "string"));
}

/* The parameter that bare words are for; NULL when there is none or no telling. */
static const json_t *target_parameter(const json_t *capability)
{
	const json_t *parameters = json_object_get(capability, "parameters"), *found = NULL, *item;
	size_t i;

	json_array_foreach (parameters, i, item) {
		if (is_type(item, "targets"))
			return item;
	}
	json_array_foreach (parameters, i, item) {
		if (!could_be_target(item))
			continue;
		if (found != NULL)
			return NULL;
		found = item;
	}
	return found;
}

static int add_target(const json_t *capability, const char *word, json_t *parameters,
		      struct sn_err *err)
{
	const json_t *parameter = target_parameter(capability);
	const char *name = parameter != NULL ? sn_output_text(parameter, "name") : NULL;
	json_t *list;

	if (name == NULL)
		return sn_err_set(err, -EDOM,
				  "'%.*s': which parameter is that? (write it as NAME=VALUE; "
				  "'sonde cap show %s' has the names)",
				  NAME_SHOWN_MAX, word, sn_output_text(capability, "label"));
	if (!is_type(parameter, "targets")) {
		if (json_object_get(parameters, name) != NULL)
			return sn_err_set(err, -EDOM, "'%.*s' is one more value for '%s'",
					  NAME_SHOWN_MAX, word, name);
		return json_object_set_new(parameters, name, json_string(word));
	}
	list = json_object_get(parameters, name);
	if (list == NULL) {
		list = json_array();
		json_object_set_new(parameters, name, list);
	}
	return json_array_append_new(list, json_string(word));
}

static void set_value(const json_t *parameter, struct sn_str name, struct sn_str value,
		      json_t *parameters)
{
	sn_autofree char *key = sn_xstrndup(name.p, name.n);
	struct sn_str part;
	json_t *list;

	if (!is_type(parameter, "targets")) {
		json_object_set_new(parameters, key, json_stringn(value.p, value.n));
		return;
	}
	list = json_array();
	while (sn_str_split(&value, ',', &part))
		json_array_append_new(list, json_stringn(part.p, part.n));
	json_object_set_new(parameters, key, list);
}

static int add_word(const json_t *capability, const char *word, json_t *parameters,
		    struct sn_err *err)
{
	struct sn_str value = sn_str(word), name;
	const json_t *parameter;

	sn_str_split(&value, '=', &name);
	if (value.p == NULL)
		return add_target(capability, word, parameters, err);
	parameter = find_parameter(capability, name);
	if (parameter != NULL) {
		set_value(parameter, name, value, parameters);
		return 0;
	}
	/* A URL with a query is a target, not a parameter. */
	if (memchr(name.p, '/', name.n) != NULL)
		return add_target(capability, word, parameters, err);
	return unknown_parameter(capability, name, err);
}

int sn_capability_parameters(const json_t *capability, int argc, char *const *argv,
			     json_t **parameters, struct sn_err *err)
{
	json_t *made = json_object();

	for (int i = 0; i < argc; i++) {
		if (add_word(capability, argv[i], made, err) != 0) {
			json_decref(made);
			return err->code;
		}
	}
	*parameters = made;
	return 0;
}
