/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/tasks.h"

#include <errno.h>

#include "base/json.h"
#include "data/method.h"
#include "hub/api/api.h"
#include "hub/api/declared.h"

static void get_tasks(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;
	json_t *items = json_array();

	for (size_t i = 0; i < sn_tasks_count(hub->tasks); i++)
		json_array_append_new(items, sn_task_json(sn_tasks_at(hub->tasks, i)));
	sn_api_reply_list(request, items, "id");
}

static void get_task(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;
	const struct sn_task *task = sn_tasks_find(hub->tasks, sn_http_param(request, "id"));

	if (task == NULL)
		sn_api_not_found(request, "no task has this id");
	else
		sn_http_reply_json(request, 200, sn_task_json(task));
}

static void post_task(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const struct sn_task *task;
	struct sn_err err = {0};
	int result;

	if (body == NULL)
		return;
	result = sn_tasks_add(hub->tasks, hub->fleet, body,
			      sn_http_header(request, "Idempotency-Key"), sn_hub_now(hub), &task,
			      &err);
	if (result == -EINVAL) {
		sn_api_bad(request, err.text);
	} else if (result < 0) {
		sn_api_trouble(request, &err);
	} else {
		if (result == 0) {
			sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "task.add", task->id,
				     task->method->name);
			sn_hub_tasks_changed(hub);
		}
		sn_http_reply_json(request, 201, sn_task_json(task));
	}
}

static void delete_task(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *id = sn_http_param(request, "id");
	struct sn_err err = {0};
	int failed = sn_tasks_remove(hub->tasks, id, &err);

	if (failed == -ENOENT) {
		sn_api_not_found(request, err.text);
	} else if (failed != 0) {
		sn_api_trouble(request, &err);
	} else {
		sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "task.remove", id, NULL);
		sn_hub_tasks_changed(hub);
		sn_api_empty(request);
	}
}

static void get_methods(struct sn_http_request *request, void *ctx)
{
	json_t *items = json_array();

	(void)ctx;
	for (size_t i = 0; i < sn_method_count; i++)
		json_array_append_new(items, sn_declared_method(sn_methods[i]));
	sn_api_reply_list(request, items, "name");
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_field wanted_fields[] = {
	{"name", SN_API_TEXT, false, false, "for people; default: the method's name"},
	{"method", SN_API_TEXT, true, false, "name of a method"},
	{"parameters", SN_API_OBJECT, false, false, "as the method declares them"},
	{"nodes", SN_API_TEXTS, false, false, "ids or names; default: [\"*\"], all"},
};
static const struct sn_api_schema wanted = {"TaskRequest", "What is to be measured.", wanted_fields,
					    SN_COUNT(wanted_fields)};

static const struct sn_api_field task_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the task; rows carry it"},
	{"name", SN_API_TEXT, true, false, "for people"},
	{"method", SN_API_TEXT, true, false, "name of a method"},
	{"parameters", SN_API_OBJECT, true, false, "as the method declares them"},
	{"nodes", SN_API_TEXTS, true, false, "ids, or [\"*\"] for all"},
	{"created", SN_API_TIME, true, false, "when it was given"},
};
static const struct sn_api_schema task_schema = {"Task", "A standing task.", task_fields,
						 SN_COUNT(task_fields)};

static const struct sn_api_param post_params[] = {
	{"Idempotency-Key", SN_API_TEXT, "the same key again gives the task of the first time",
	 true},
};

static const struct sn_api_doc list_doc = {
	.id = "listTasks",
	.tag = "tasks",
	.summary = "standing tasks",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &task_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getTask",
	.tag = "tasks",
	.summary = "one standing task",
	.answer = &task_schema,
};
static const struct sn_api_doc post_doc = {
	.id = "addTask",
	.tag = "tasks",
	.summary = "give nodes a standing task",
	.params = post_params,
	.param_count = SN_COUNT(post_params),
	.body = &wanted,
	.status = 201,
	.answer = &task_schema,
};
static const struct sn_api_doc delete_doc = {
	.id = "removeTask",
	.tag = "tasks",
	.summary = "end a standing task; its rows stay",
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};
static const struct sn_api_doc methods_doc = {
	.id = "listMethods",
	.tag = "tasks",
	.summary = "what can be measured, with parameters",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &sn_declared_method_schema,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/methods", get_methods, 0, SN_ACCESS_USER, &methods_doc},
	{"GET", "/api/v1/tasks", get_tasks, 0, SN_ACCESS_USER, &list_doc},
	{"GET", "/api/v1/tasks/{id}", get_task, 0, SN_ACCESS_USER, &get_doc},
	{"POST", "/api/v1/tasks", post_task, 1024 * 1024, SN_ACCESS_USER, &post_doc},
	{"DELETE", "/api/v1/tasks/{id}", delete_task, 0, SN_ACCESS_USER, &delete_doc},
};
const struct sn_api_routes sn_api_tasks = {routes, SN_COUNT(routes)};
