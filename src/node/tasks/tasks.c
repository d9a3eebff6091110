/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "tasks"
#include "node/tasks/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/tasks/task.h"

struct sn_tasks {
	struct sn_tasks_config config; /* its texts are ours */
	char etag[SN_TASKS_ETAG_MAX];
	struct sn_list set, stopping; /* struct sn_task */
	struct sn_batch **scratch;    /* one per dataset that was ever used */
	size_t scratch_count;
	uint64_t restarts;
	void (*on_stopped)(void *ctx);
	void *stopped_ctx;
};

static char *copy(const char *text)
{
	return sn_xstrdup(text != NULL ? text : "");
}

struct sn_tasks *sn_tasks_create(const struct sn_tasks_config *config)
{
	struct sn_tasks *tasks = sn_new(struct sn_tasks);

	tasks->config = *config;
	tasks->config.program_dir = copy(config->program_dir);
	tasks->config.cache_file = copy(config->cache_file);
	tasks->config.priv_socket = copy(config->priv_socket);
	sn_list_init(&tasks->set);
	sn_list_init(&tasks->stopping);
	return tasks;
}

static void destroy_all(struct sn_list *list)
{
	sn_list_for_each (link, list)
		sn_task_destroy(sn_list_entry(link, struct sn_task, link));
}

void sn_tasks_destroy(struct sn_tasks *tasks)
{
	if (tasks == NULL)
		return;
	destroy_all(&tasks->set);
	destroy_all(&tasks->stopping);
	for (size_t i = 0; i < tasks->scratch_count; i++)
		sn_batch_destroy(tasks->scratch[i]);
	free(tasks->scratch);
	free((char *)(uintptr_t)tasks->config.program_dir);
	free((char *)(uintptr_t)tasks->config.cache_file);
	free((char *)(uintptr_t)tasks->config.priv_socket);
	free(tasks);
}

/* What a task needs of its set --------------------------------------------------------- */

struct sn_loop *sn_tasks_loop(const struct sn_tasks *tasks)
{
	return tasks->config.loop;
}

const struct sn_tasks_config *sn_tasks_config(const struct sn_tasks *tasks)
{
	return &tasks->config;
}

void sn_tasks_count_restart(struct sn_tasks *tasks)
{
	tasks->restarts++;
}

void sn_tasks_stopping(struct sn_tasks *tasks, struct sn_task *task)
{
	sn_list_remove(&task->link);
	sn_list_append(&tasks->stopping, &task->link);
}

void sn_tasks_stopped(struct sn_tasks *tasks)
{
	void (*fn)(void *ctx) = tasks->on_stopped;

	if (fn == NULL || !sn_list_empty(&tasks->stopping))
		return;
	tasks->on_stopped = NULL;
	fn(tasks->stopped_ctx);
}

struct sn_batch *sn_tasks_scratch(struct sn_tasks *tasks, const struct sn_dataset *dataset)
{
	struct sn_batch *batch;

	for (size_t i = 0; i < tasks->scratch_count; i++) {
		if (sn_batch_dataset(tasks->scratch[i]) == dataset) {
			sn_batch_clear(tasks->scratch[i]);
			return tasks->scratch[i];
		}
	}
	batch = sn_batch_create(dataset);
	tasks->scratch =
		sn_xrealloc(tasks->scratch, tasks->scratch_count + 1, sizeof(*tasks->scratch));
	tasks->scratch[tasks->scratch_count++] = batch;
	return batch;
}

/* The set -------------------------------------------------------------------------------- */

static struct sn_task *find_task(const struct sn_tasks *tasks, const char *id)
{
	sn_list_for_each (link, &tasks->set) {
		struct sn_task *task = sn_list_entry(link, struct sn_task, link);

		if (strcmp(task->spec.id, id) == 0)
			return task;
	}
	return NULL;
}

static struct sn_task_spec *find_spec(const struct sn_task_set *set, const char *id)
{
	for (size_t i = 0; i < set->count; i++) {
		if (strcmp(set->items[i].id, id) == 0)
			return &set->items[i];
	}
	return NULL;
}

/* Stops what is not wanted any more, or not like this. */
static void stop_unwanted(struct sn_tasks *tasks, const struct sn_task_set *set)
{
	sn_list_for_each (link, &tasks->set) {
		struct sn_task *task = sn_list_entry(link, struct sn_task, link);
		const struct sn_task_spec *spec = find_spec(set, task->spec.id);

		if (spec != NULL && sn_task_spec_same_work(spec, &task->spec))
			continue;
		sn_info("task %s task=%s name=\"%s\"", spec == NULL ? "removed" : "changed",
			task->spec.id, task->spec.name);
		sn_task_stop(task);
	}
}

static void adopt(struct sn_tasks *tasks, struct sn_task_set *set)
{
	stop_unwanted(tasks, set);
	for (size_t i = 0; i < set->count; i++) {
		struct sn_task *task = find_task(tasks, set->items[i].id);

		if (task != NULL) {
			memcpy(task->spec.name, set->items[i].name, sizeof(task->spec.name));
			continue;
		}
		task = sn_task_create(tasks, &set->items[i]);
		sn_list_append(&tasks->set, &task->link);
	}
	memcpy(tasks->etag, set->etag, sizeof(tasks->etag));
}

int sn_tasks_apply(struct sn_tasks *tasks, const void *json, size_t size, struct sn_err *err)
{
	struct sn_task_set set;
	struct sn_err cache_err = {0};
	int error = sn_task_set_parse(json, size, &set, err);

	if (error != 0)
		return sn_err_wrap(err, "cannot use the tasks from the hub");
	adopt(tasks, &set);
	sn_task_set_finish(&set);
	/* Not being able to remember is no reason not to measure. */
	if (sn_fs_write_atomic(tasks->config.cache_file, json, size, 0600, &cache_err) != 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "tasks will be forgotten by a restart: %s",
			       cache_err.text);
	return 0;
}

int sn_tasks_load(struct sn_tasks *tasks, struct sn_err *err)
{
	const char *path = tasks->config.cache_file;
	struct sn_buf text = {0};
	struct sn_task_set set;
	int error;

	if (!sn_fs_exists(path))
		return sn_err_set(err, -ENOENT, "no tasks are known yet");
	error = sn_fs_read(path, SN_TASKS_FILE_MAX, &text, err);
	if (error == 0) {
		error = sn_task_set_parse(text.p, text.n, &set, err);
		if (error == 0) {
			adopt(tasks, &set);
			sn_task_set_finish(&set);
		} else {
			sn_err_wrap(err, "cannot use '%s'", path);
		}
	}
	sn_buf_finish(&text);
	return error;
}

void sn_tasks_stop(struct sn_tasks *tasks, void (*on_stopped)(void *ctx), void *ctx)
{
	tasks->on_stopped = on_stopped;
	tasks->stopped_ctx = ctx;
	tasks->etag[0] = '\0';
	sn_list_for_each (link, &tasks->set)
		sn_task_stop(sn_list_entry(link, struct sn_task, link));
	sn_tasks_stopped(tasks);
}

/* What there is to say about it ----------------------------------------------------------- */

const char *sn_tasks_etag(const struct sn_tasks *tasks)
{
	return tasks->etag;
}

unsigned sn_tasks_running(const struct sn_tasks *tasks)
{
	unsigned count = 0;

	sn_list_for_each (link, &tasks->set)
		count += sn_list_entry(link, struct sn_task, link)->state == SN_TASK_RUNNING;
	return count;
}

uint64_t sn_tasks_restarts(const struct sn_tasks *tasks)
{
	return tasks->restarts;
}

void sn_tasks_problems(const struct sn_tasks *tasks, void (*fn)(const char *text, void *ctx),
		       void *ctx)
{
	uint64_t now_ns = sn_loop_now(tasks->config.loop);

	sn_list_for_each (link, &tasks->set) {
		struct sn_task *task = sn_list_entry(link, struct sn_task, link);
		sn_autofree char *text = NULL;

		/* A process that runs steadily has left its trouble behind. */
		if (task->state == SN_TASK_RUNNING &&
		    now_ns - task->problem_ns >= SN_TASKS_STEADY_NS)
			task->problem[0] = '\0';
		if (task->problem[0] == '\0')
			continue;
		text = sn_xasprintf("task '%.60s': %s", task->spec.name, task->problem);
		fn(text, ctx);
	}
}

bool sn_tasks_can_run(const struct sn_tasks *tasks, const struct sn_method *method)
{
	sn_autofree char *path = sn_fs_join(tasks->config.program_dir, method->program);

	return access(path, X_OK) == 0;
}
