/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "tasks"
#include "hub/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/method.h"
#include "hub/secret.h"
#include "hub/sql.h"

struct sn_tasks {
	struct sn_db *db;
	struct sn_task **items;
	size_t count;
};

static void task_destroy(struct sn_task *task)
{
	json_decref(task->parameters);
	json_decref(task->nodes);
	free(task);
}

static void take_in(struct sn_tasks *tasks, struct sn_task *task)
{
	tasks->items = sn_xrealloc(tasks->items, tasks->count + 1, sizeof(struct sn_task *));
	tasks->items[tasks->count++] = task;
}

/* NULL for a task of a method that this build does not know any more. */
static struct sn_task *task_from_row(sqlite3_stmt *row)
{
	struct sn_task *task = sn_new(struct sn_task);

	snprintf(task->id, sizeof(task->id), "%s", (const char *)sqlite3_column_text(row, 0));
	snprintf(task->name, sizeof(task->name), "%s", (const char *)sqlite3_column_text(row, 1));
	task->method = sn_method_find((const char *)sqlite3_column_text(row, 2));
	task->parameters = json_loads((const char *)sqlite3_column_text(row, 3), 0, NULL);
	task->nodes = json_loads((const char *)sqlite3_column_text(row, 4), 0, NULL);
	task->created_ns = sqlite3_column_int64(row, 5);
	if (task->method != NULL && task->parameters != NULL && task->nodes != NULL)
		return task;
	sn_warn("task is left out: unknown method or broken parameters task=%s method=%s", task->id,
		(const char *)sqlite3_column_text(row, 2));
	task_destroy(task);
	return NULL;
}

int sn_tasks_open(struct sn_db *db, struct sn_tasks **tasks, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(db, err,
					"SELECT id, name, method, parameters, nodes, created"
					" FROM tasks ORDER BY id",
					"");
	struct sn_tasks *made;
	int got;

	if (row == NULL)
		return sn_err_wrap(err, "cannot read the tasks");
	made = sn_new(struct sn_tasks);
	made->db = db;
	while ((got = sn_db_next(db, row, err)) == 1) {
		struct sn_task *task = task_from_row(row);

		if (task != NULL)
			take_in(made, task);
	}
	sn_db_done(row);
	if (got < 0) {
		sn_tasks_close(made);
		return sn_err_wrap(err, "cannot read the tasks");
	}
	*tasks = made;
	return 0;
}

void sn_tasks_close(struct sn_tasks *tasks)
{
	if (tasks == NULL)
		return;
	for (size_t i = 0; i < tasks->count; i++)
		task_destroy(tasks->items[i]);
	free(tasks->items);
	free(tasks);
}

/* Checking ------------------------------------------------------------------ */

static const struct sn_method *check_method(const json_t *wanted, struct sn_err *err)
{
	const char *name = json_string_value(json_object_get(wanted, "method"));
	const struct sn_method *method = name != NULL ? sn_method_find(name) : NULL;
	const char *names[16], *near;
	size_t count = 0;

	if (method != NULL)
		return method;
	if (name == NULL) {
		sn_err_set(err, -EINVAL, "method: missing (the name of a method)");
		return NULL;
	}
	for (; count < sn_method_count && count < SN_COUNT(names); count++)
		names[count] = sn_methods[count]->name;
	near = sn_suggest(name, names, count);
	sn_err_set(err, -EINVAL, "method: there is no '%.64s'%s%s%s", name,
		   near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
		   near != NULL ? "'?)" : "");
	return NULL;
}

static int check_name(const json_t *wanted, const char *otherwise, char out[SN_TASK_NAME_MAX],
		      struct sn_err *err)
{
	const json_t *name = json_object_get(wanted, "name");

	if (name != NULL && !json_is_null(name) &&
	    (!json_is_string(name) || json_string_length(name) == 0 ||
	     json_string_length(name) >= SN_TASK_NAME_MAX))
		return sn_err_set(err, -EINVAL, "name: not a text of 1 to %d bytes",
				  SN_TASK_NAME_MAX - 1);
	snprintf(out, SN_TASK_NAME_MAX, "%s",
		 json_is_string(name) ? json_string_value(name) : otherwise);
	return 0;
}

/* Names become ids; a new array, or NULL. */
static json_t *check_nodes(const json_t *nodes, struct sn_fleet *fleet, struct sn_err *err)
{
	json_t *ids, *item;
	size_t i;

	if (nodes == NULL || json_is_null(nodes))
		return json_pack("[s]", "*");
	if (!json_is_array(nodes) || json_array_size(nodes) == 0 ||
	    json_array_size(nodes) > SN_TASK_NODES_MAX) {
		sn_err_set(err, -EINVAL, "nodes: not a list of 1 to %d nodes", SN_TASK_NODES_MAX);
		return NULL;
	}
	ids = json_array();
	json_array_foreach (nodes, i, item) {
		const char *text = json_string_value(item);
		const struct sn_node *node = text != NULL ? sn_fleet_find(fleet, text) : NULL;

		if (text != NULL && strcmp(text, "*") == 0) {
			json_decref(ids);
			return json_pack("[s]", "*");
		}
		if (node == NULL || node->state == SN_NODE_REVOKED) {
			json_decref(ids);
			sn_err_set(err, -EINVAL, "nodes: %s '%.64s'",
				   node == NULL ? "there is no node" : "revoked is",
				   text != NULL ? text : "(not a text)");
			return NULL;
		}
		json_array_append_new(ids, json_string(node->id));
	}
	return ids;
}

static struct sn_task *check(struct sn_fleet *fleet, const json_t *wanted, int64_t now_ns,
			     struct sn_err *err)
{
	const struct sn_method *method = check_method(wanted, err);
	const json_t *parameters = json_object_get(wanted, "parameters");
	sn_autojson json_t *none = json_object();
	struct sn_task *task;
	json_t *nodes;

	if (method == NULL)
		return NULL;
	if (parameters == NULL)
		parameters = none;
	if (!json_is_object(parameters)) {
		sn_err_set(err, -EINVAL, "parameters: not an object");
		return NULL;
	}
	if (sn_method_check(method, parameters, err) != 0) {
		err->code = -EINVAL; /* out of range is no good, like everything else */
		return NULL;
	}
	nodes = check_nodes(json_object_get(wanted, "nodes"), fleet, err);
	if (nodes == NULL)
		return NULL;
	task = sn_new(struct sn_task);
	task->nodes = nodes;
	task->method = method;
	task->parameters = json_deep_copy(parameters);
	task->created_ns = now_ns;
	sn_ulid(now_ns, task->id);
	if (check_name(wanted, method->name, task->name, err) != 0) {
		task_destroy(task);
		return NULL;
	}
	return task;
}

/* Adding and removing ------------------------------------------------------- */

static int store_task(struct sn_tasks *tasks, const struct sn_task *task, const char *key,
		      struct sn_err *err)
{
	sn_autofree char *parameters = json_dumps(task->parameters, JSON_COMPACT);
	sn_autofree char *nodes = json_dumps(task->nodes, JSON_COMPACT);
	int changed = sn_db_run(tasks->db, err,
				"INSERT INTO tasks (id, name, method, parameters, nodes, created,"
				" idempotency_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
				"tttttit", task->id, task->name, task->method->name, parameters,
				nodes, task->created_ns, key);

	return changed < 0 ? changed : 0;
}

static const struct sn_task *find_by_key(const struct sn_tasks *tasks, const char *key)
{
	char id[SN_ULID_SIZE];

	if (key == NULL ||
	    sn_sql_text(tasks->db, id, sizeof(id), "SELECT id FROM tasks WHERE idempotency_key = ?",
			"t", key) != 0)
		return NULL;
	return sn_tasks_find(tasks, id);
}

int sn_tasks_add(struct sn_tasks *tasks, struct sn_fleet *fleet, const json_t *wanted,
		 const char *key, int64_t now_ns, const struct sn_task **task, struct sn_err *err)
{
	struct sn_task *made;

	if (key != NULL && strlen(key) > SN_TASK_KEY_MAX)
		return sn_err_set(err, -EINVAL, "Idempotency-Key: longer than %d bytes",
				  SN_TASK_KEY_MAX);
	*task = find_by_key(tasks, key);
	if (*task != NULL)
		return 1;
	if (tasks->count >= SN_TASKS_MAX)
		return sn_err_set(err, -E2BIG,
				  "there are %d tasks, which is the limit (remove "
				  "one)",
				  SN_TASKS_MAX);
	made = check(fleet, wanted, now_ns, err);
	if (made == NULL)
		return err->code;
	if (store_task(tasks, made, key, err) != 0) {
		task_destroy(made);
		return err->code;
	}
	take_in(tasks, made);
	*task = made;
	return 0;
}

int sn_tasks_remove(struct sn_tasks *tasks, const char *id, struct sn_err *err)
{
	for (size_t i = 0; i < tasks->count; i++) {
		if (strcmp(tasks->items[i]->id, id) != 0)
			continue;
		if (sn_db_run(tasks->db, err, "DELETE FROM tasks WHERE id = ?", "t", id) < 0)
			return err->code;
		task_destroy(tasks->items[i]);
		memmove(&tasks->items[i], &tasks->items[i + 1],
			(tasks->count - i - 1) * sizeof(struct sn_task *));
		tasks->count--;
		return 0;
	}
	return sn_err_set(err, -ENOENT, "there is no task '%.64s'", id);
}

/* Asking ---------------------------------------------------------------------- */

const struct sn_task *sn_tasks_find(const struct sn_tasks *tasks, const char *id)
{
	for (size_t i = 0; i < tasks->count; i++) {
		if (strcmp(tasks->items[i]->id, id) == 0)
			return tasks->items[i];
	}
	return NULL;
}

size_t sn_tasks_count(const struct sn_tasks *tasks)
{
	return tasks->count;
}

const struct sn_task *sn_tasks_at(const struct sn_tasks *tasks, size_t i)
{
	return tasks->items[i];
}

bool sn_task_is_for(const struct sn_task *task, const char *node)
{
	size_t i;
	json_t *item;

	json_array_foreach (task->nodes, i, item) {
		const char *text = json_string_value(item);

		if (strcmp(text, "*") == 0 || strcmp(text, node) == 0)
			return true;
	}
	return false;
}

void sn_tasks_etag(const struct sn_tasks *tasks, const char *node, char etag[SN_TASKS_ETAG_SIZE])
{
	uint8_t hash[SN_SECRET_HASH_SIZE];
	struct sn_buf ids = {0};

	for (size_t i = 0; i < tasks->count; i++) {
		if (sn_task_is_for(tasks->items[i], node))
			sn_buf_adds(&ids, tasks->items[i]->id);
	}
	sn_secret_hash(sn_buf_str(&ids), hash);
	sn_hex(hash, (SN_TASKS_ETAG_SIZE - 1) / 2, etag);
	sn_buf_finish(&ids);
}

json_t *sn_tasks_for(const struct sn_tasks *tasks, const char *node)
{
	json_t *items = json_array();

	for (size_t i = 0; i < tasks->count; i++) {
		const struct sn_task *task = tasks->items[i];

		if (!sn_task_is_for(task, node))
			continue;
		json_array_append_new(items,
				      json_pack("{s:s, s:s, s:s, s:O}", "id", task->id, "name",
						task->name, "method", task->method->name,
						"parameters", task->parameters));
	}
	return items;
}

json_t *sn_task_json(const struct sn_task *task)
{
	return json_pack("{s:s, s:s, s:s, s:O, s:O, s:o}", "id", task->id, "name", task->name,
			 "method", task->method->name, "parameters", task->parameters, "nodes",
			 task->nodes, "created", sn_json_time(task->created_ns));
}
