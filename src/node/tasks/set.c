/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tasks/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

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

static void judge(struct sn_task_spec *spec, const char *method_name)
{
	const struct sn_method *method = sn_method_find(method_name);

	if (method == NULL) {
		sn_err_set(&spec->refusal, -EOPNOTSUPP, "this node knows no method '%.60s'",
			   method_name);
		return;
	}
	if (sn_method_check(method, spec->parameters, &spec->refusal) == 0) {
		spec->refusal.code = 0;
		spec->method = method;
	}
}

static int parse_task(const json_t *json, struct sn_task_spec *spec, struct sn_err *err)
{
	json_t *parameters = json_object_get(json, "parameters");
	const char *method;
	int error = copy_text(json, "id", spec->id, sizeof(spec->id), err);

	if (error == 0)
		error = copy_text(json, "name", spec->name, sizeof(spec->name), err);
	if (error == 0)
		error = sn_json_get_str(json, "method", &method, err);
	if (error == 0 && !json_is_object(parameters))
		error = sn_err_set(err, -EINVAL, "'parameters' is not an object");
	if (error != 0)
		return error;
	spec->parameters = json_incref(parameters);
	judge(spec, method);
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
	if (error != 0)
		sn_task_set_finish(set);
	return error;
}

void sn_task_set_finish(struct sn_task_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		json_decref(set->items[i].parameters);
	free(set->items);
	*set = (struct sn_task_set){0};
}

bool sn_task_spec_same_work(const struct sn_task_spec *a, const struct sn_task_spec *b)
{
	return a->method == b->method && json_equal(a->parameters, b->parameters);
}

bool sn_task_spec_one_shot(const struct sn_task_spec *spec)
{
	return spec->method != NULL && sn_method_param(spec->method, "period") != NULL &&
	       json_object_get(spec->parameters, "period") == NULL;
}
