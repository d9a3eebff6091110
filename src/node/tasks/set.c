/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tasks/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/prefix.h"
#include "node/run/run.h"
#include "node/tasks/course.h"

static int copy_text(const json_t *json, const char *key, char *out, size_t size,
		     struct sn_err *err)
{
	const char *text;
	int error = sn_json_get_str(json, key, &text, err);

	if (error != 0)
		return error;
	if (strlen(text) >= size || (text[0] == '\0' && strcmp(key, "id") == 0))
		return sn_err_set(err, -EINVAL, "'%s' is empty or longer than %zu bytes", key,
				  size - 1);
	strcpy(out, text);
	return 0;
}

/* A scope that begins "now" would begin anew with each restart: the hub resolves it. */
static int take_when(struct sn_task_spec *spec, const char *text, struct sn_err *err)
{
	struct sn_mp_when resolved;

	if (sn_mp_when_parse(sn_str(text), &spec->when, err) != 0)
		return sn_err_wrap(err, "'when'");
	resolved = sn_mp_when_resolve(&spec->when, 0);
	if (!sn_mp_when_equal(&resolved, &spec->when))
		return sn_err_set(err, -EINVAL, "'when' is not resolved: %.100s", text);
	return 0;
}

static bool has_end(const struct sn_task_spec *spec)
{
	if (spec->when.set)
		return sn_mp_when_ends(&spec->when, 0) != SN_MP_FUTURE;
	return sn_task_spec_one_shot(spec);
}

static int judge(struct sn_task_spec *spec, const char *method_name, const char *when,
		 struct sn_err *err)
{
	const struct sn_method *method = sn_method_find(method_name);
	int error = when != NULL ? take_when(spec, when, err) : 0;

	spec->has_end = error != 0 || has_end(spec);
	if (error != 0)
		return error;
	if (method == NULL)
		return sn_err_set(err, -EOPNOTSUPP, "this node knows no method '%.60s'",
				  method_name);
	error = sn_method_check(method, spec->parameters, err);
	if (error == 0)
		error = sn_method_fits(method, spec->parameters, err);
	if (error != 0)
		return error;
	spec->method = method;
	spec->has_end = has_end(spec);
	if (spec->when.set && sn_course_is_open(&spec->when) && !sn_task_spec_one_shot(spec)) {
		spec->method = NULL;
		return sn_err_set(err, -EINVAL,
				  "'%s' does not end by itself: its 'when' needs an end or a "
				  "duration",
				  method->name);
	}
	return 0;
}

static int parse_task(const json_t *json, struct sn_task_spec *spec, struct sn_err *err)
{
	json_t *parameters = json_object_get(json, "parameters");
	const char *method, *when = NULL;
	int error = copy_text(json, "id", spec->id, sizeof(spec->id), err);

	if (error == 0)
		error = copy_text(json, "name", spec->name, sizeof(spec->name), err);
	if (error == 0)
		error = sn_json_get_str(json, "method", &method, err);
	if (error == 0 && !json_is_object(parameters))
		error = sn_err_set(err, -EINVAL, "'parameters' is not an object");
	if (error == 0 && json_object_get(json, "when") != NULL)
		error = sn_json_get_str(json, "when", &when, err);
	if (error != 0)
		return error;
	spec->parameters = json_incref(parameters);
	if (judge(spec, method, when, &spec->refusal) == 0)
		spec->refusal.code = 0;
	return 0;
}

static bool id_taken(const struct sn_task_set *set, const char *id)
{
	for (size_t i = 0; i < set->count; i++) {
		if (strcmp(set->items[i].id, id) == 0)
			return true;
	}
	return false;
}

static int parse_tasks(const json_t *tasks, struct sn_task_set *set, struct sn_err *err)
{
	size_t count = json_array_size(tasks);

	if (!json_is_array(tasks))
		return sn_err_set(err, -EINVAL, "'tasks' is not a list");
	if (count > SN_TASKS_MAX)
		return sn_err_set(err, -E2BIG, "%zu tasks are more than a node runs (%d)", count,
				  SN_TASKS_MAX);
	set->items = sn_new_n(struct sn_task_spec, count + 1);
	for (size_t i = 0; i < count; i++) {
		struct sn_task_spec *spec = &set->items[set->count];
		int error = parse_task(json_array_get(tasks, i), spec, err);

		if (error == 0 && id_taken(set, spec->id)) {
			json_decref(spec->parameters);
			error = sn_err_set(err, -EINVAL, "id '%s' is given twice", spec->id);
		}
		if (error != 0)
			return sn_err_wrap(err, "task %zu", i + 1);
		set->count++;
	}
	return 0;
}

/* One that cannot be read might be the one that matters: then none of the document counts. */
static int parse_never(const json_t *networks, struct sn_task_set *set, struct sn_err *err)
{
	size_t count = json_array_size(networks);
	char text[SN_PREFIX_TEXT_MAX];

	if (networks != NULL && !json_is_array(networks))
		return sn_err_set(err, -EINVAL, "'never_probe' is not a list");
	if (count > SN_TASKS_NEVER_MAX)
		return sn_err_set(err, -E2BIG, "'never_probe' has %zu networks, at most %d", count,
				  SN_TASKS_NEVER_MAX);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(networks, i);
		struct sn_prefix network;

		if (!json_is_string(item) ||
		    sn_prefix_parse(sn_str(json_string_value(item)), &network) != 0)
			return sn_err_set(err, -EINVAL, "'never_probe': number %zu is no network",
					  i + 1);
		sn_buf_addf(&set->never, "%s\n", sn_prefix_format(&network, text, sizeof(text)));
	}
	return 0;
}

int sn_task_set_parse(const void *data, size_t size, struct sn_task_set *set, struct sn_err *err)
{
	sn_autojson json_t *json = NULL;
	int error;

	*set = (struct sn_task_set){0};
	if (size > SN_TASKS_FILE_MAX)
		return sn_err_set(err, -EFBIG, "larger than %d bytes", SN_TASKS_FILE_MAX);
	json = sn_json_parse(data, size, err);
	if (json == NULL)
		return -EINVAL;
	error = copy_text(json, "etag", set->etag, sizeof(set->etag), err);
	if (error == 0)
		error = parse_tasks(json_object_get(json, "tasks"), set, err);
	if (error == 0)
		error = parse_never(json_object_get(json, "never_probe"), set, err);
	if (error != 0)
		sn_task_set_finish(set);
	return error;
}

void sn_task_set_finish(struct sn_task_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		json_decref(set->items[i].parameters);
	free(set->items);
	sn_buf_finish(&set->never);
	*set = (struct sn_task_set){0};
}

bool sn_task_spec_same_work(const struct sn_task_spec *a, const struct sn_task_spec *b)
{
	return a->method == b->method && json_equal(a->parameters, b->parameters) &&
	       sn_mp_when_equal(&a->when, &b->when);
}

bool sn_task_spec_one_shot(const struct sn_task_spec *spec)
{
	return spec->method != NULL && sn_run_is_one_shot(spec->method, spec->parameters);
}
