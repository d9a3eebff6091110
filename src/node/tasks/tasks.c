/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "tasks"
#include "node/tasks/tasks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/tasks/jump.h"
#include "node/tasks/recover.h"
#include "node/tasks/task.h"

#define FILE_MODE      0600
#define NOTE_NS        (5 * SN_NS_PER_S)    /* to write down what costs nothing to lose */
#define WRITE_AGAIN_NS (5 * SN_NS_PER_S)    /* after a journal that could not be written */
#define TELL_MISSED_NS (3600 * SN_NS_PER_S) /* as a problem */

struct sn_tasks {
	struct sn_tasks_config config; /* its texts are ours */
	struct sn_runner *runner;
	char etag[SN_TASKS_ETAG_MAX];
	struct sn_buf never;          /* as the processes are given it */
	struct sn_list set, stopping; /* struct sn_task */
	struct sn_journal journal;
	struct sn_jump jump;
	bool dirty, due; /* the journal: to be written; at the end of this turn */
	bool news;
	uint64_t settled_ns, settle_gap_ns;
	struct sn_timer settle_timer;
	struct sn_flush flush;
	uint64_t restarts;
	void (*on_stopped)(void *ctx);
	void *stopped_ctx;
};

static char *in_state_dir(const struct sn_tasks *tasks, const char *name)
{
	return sn_fs_join(tasks->config.state_dir, name);
}

/* The journal ---------------------------------------------------------------------------- */

static uint64_t next_batch(const struct sn_tasks *tasks)
{
	return tasks->config.spool != NULL ? sn_spool_next_seq(tasks->config.spool) : 0;
}

static const char *stream_of(const struct sn_tasks *tasks)
{
	return tasks->config.spool != NULL ? sn_spool_stream(tasks->config.spool) : "";
}

static int write_journal(struct sn_tasks *tasks)
{
	sn_autofree char *path = in_state_dir(tasks, "iterations.json");
	struct sn_journal *journal = &tasks->journal;
	struct sn_buf text = {0};
	struct sn_err err = {0};
	int error;

	journal->next_batch = next_batch(tasks);
	snprintf(journal->stream, sizeof(journal->stream), "%s", stream_of(tasks));
	sn_journal_format(journal, &text);
	error = sn_fs_write_atomic(path, text.p, text.n, FILE_MODE, &err);
	sn_buf_finish(&text);
	if (error != 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "a restart may run tasks again: %s", err.text);
	return error;
}

/* Rows first: the journal never calls complete what is not on disk. */
static void settle(struct sn_tasks *tasks)
{
	uint64_t began_ns = sn_mono_ns(), behind;

	tasks->due = false;
	if (tasks->config.settle != NULL)
		tasks->config.settle(tasks->config.ctx);
	behind = next_batch(tasks);
	for (size_t i = 0; i < tasks->journal.count; i++) {
		struct sn_record *record = tasks->journal.items[i];

		if (record->final == SN_FINAL_NONE || record->settled)
			continue;
		record->behind = behind;
		record->settled = true;
		tasks->news = true;
	}
	tasks->dirty = write_journal(tasks) != 0;
	tasks->settled_ns = sn_loop_now(tasks->config.loop);
	tasks->settle_gap_ns = SN_MAX((uint64_t)SN_TASKS_SETTLE_NS, 4 * (sn_mono_ns() - began_ns));
	if (tasks->dirty)
		sn_timer_in(&tasks->settle_timer, WRITE_AGAIN_NS);
}

static void settle_due(struct sn_timer *timer)
{
	struct sn_tasks *tasks = sn_container_of(timer, struct sn_tasks, settle_timer);

	tasks->due = tasks->dirty;
}

static void end_of_turn(struct sn_flush *flush)
{
	struct sn_tasks *tasks = sn_container_of(flush, struct sn_tasks, flush);

	if (tasks->due)
		settle(tasks);
	if (!tasks->news)
		return;
	tasks->news = false;
	if (tasks->config.on_news != NULL)
		tasks->config.on_news(tasks->config.ctx);
}

void sn_tasks_settle(struct sn_tasks *tasks)
{
	uint64_t due_ns = tasks->settled_ns + tasks->settle_gap_ns;

	tasks->dirty = true;
	/* Hundreds of short iterations at once had better share their files. */
	if (tasks->settled_ns == 0 || sn_loop_now(tasks->config.loop) >= due_ns)
		tasks->due = true;
	else if (!sn_timer_armed(&tasks->settle_timer) || tasks->settle_timer.due_ns > due_ns)
		sn_timer_at(&tasks->settle_timer, due_ns);
}

/* Lost by a crash it does no harm: some day soon. */
static void note(struct sn_tasks *tasks)
{
	tasks->dirty = true;
	if (!sn_timer_armed(&tasks->settle_timer))
		sn_timer_in(&tasks->settle_timer, NOTE_NS);
}

void sn_tasks_has_news(struct sn_tasks *tasks)
{
	tasks->news = true;
}

/* Better to begin anew than not to measure; what is lost is kept for people. */
static void read_journal(struct sn_tasks *tasks)
{
	sn_autofree char *path = in_state_dir(tasks, "iterations.json");
	sn_autofree char *broken = sn_xasprintf("%s.broken", path);
	struct sn_buf text = {0};
	struct sn_err err = {0};
	int error;

	if (!sn_fs_exists(path))
		return;
	error = sn_fs_read(path, SN_JOURNAL_FILE_MAX, &text, &err);
	if (error == 0)
		error = sn_journal_parse(text.p, text.n, &tasks->journal, &err);
	sn_buf_finish(&text);
	if (error == 0)
		return;
	sn_error("cannot use '%s', tasks may be run again: %s", path, err.text);
	(void)rename(path, broken);
}

/* Life ------------------------------------------------------------------------------------- */

void sn_tasks_clock_set(struct sn_tasks *tasks)
{
	sn_list_for_each (link, &tasks->set)
		sn_task_clock_set(sn_list_entry(link, struct sn_task, link));
}

static void clock_set(void *ctx)
{
	sn_notice("the clock was set");
	sn_tasks_clock_set(ctx);
}

struct sn_tasks *sn_tasks_create(const struct sn_tasks_config *config)
{
	struct sn_tasks *tasks = sn_new(struct sn_tasks);
	sn_autofree char *meter_dir = sn_fs_join(config->state_dir, "meters");
	struct sn_runner_config runner = {
		.loop = config->loop,
		.program_dir = config->program_dir,
		.priv_socket = config->priv_socket,
		.meter_dir = meter_dir,
		.stop_ns = config->stop_ns,
	};

	tasks->config = *config;
	tasks->config.program_dir = tasks->config.priv_socket = NULL; /* the runner has its own */
	tasks->config.state_dir = sn_xstrdup(config->state_dir);
	tasks->runner = sn_runner_create(&runner);
	sn_list_init(&tasks->set);
	sn_list_init(&tasks->stopping);
	sn_timer_init(&tasks->settle_timer, config->loop, settle_due);
	sn_flush_init(&tasks->flush, config->loop, end_of_turn);
	sn_jump_start(&tasks->jump, config->loop, clock_set, tasks);
	read_journal(tasks);
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
	if (tasks->dirty)
		settle(tasks);
	sn_jump_stop(&tasks->jump);
	sn_flush_stop(&tasks->flush);
	sn_timer_stop(&tasks->settle_timer);
	sn_journal_finish(&tasks->journal);
	sn_buf_finish(&tasks->never);
	sn_runner_destroy(tasks->runner);
	free((char *)(uintptr_t)tasks->config.state_dir);
	free(tasks);
}

/* What a task needs of its set --------------------------------------------------------- */

struct sn_loop *sn_tasks_loop(const struct sn_tasks *tasks)
{
	return tasks->config.loop;
}

struct sn_runner *sn_tasks_runner(const struct sn_tasks *tasks)
{
	return tasks->runner;
}

const struct sn_tasks_config *sn_tasks_config(const struct sn_tasks *tasks)
{
	return &tasks->config;
}

struct sn_record *sn_tasks_record(const struct sn_tasks *tasks, const char *id)
{
	return sn_journal_find(&tasks->journal, id);
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
		char id[SN_TASK_ID_MAX];

		if (spec != NULL && sn_task_spec_same_work(spec, &task->spec))
			continue;
		sn_info("task %s task=%s name=\"%s\"", spec == NULL ? "removed" : "changed",
			task->spec.id, task->spec.name);
		strcpy(id, task->spec.id);
		sn_task_stop(task, SN_TASK_REMOVED);
		/* What was done of other work says nothing. */
		sn_journal_forget(&tasks->journal, id);
		if (spec != NULL)
			sn_tasks_settle(tasks);
		else
			note(tasks);
	}
}

static void forget_unlisted(struct sn_tasks *tasks, const struct sn_task_set *set)
{
	size_t before = tasks->journal.count;

	for (size_t i = 0; i < tasks->journal.count; i++) {
		struct sn_record *record = tasks->journal.items[i];

		record->listed = find_spec(set, record->id) != NULL;
	}
	sn_journal_prune(&tasks->journal);
	if (tasks->journal.count != before)
		note(tasks);
}

/* What is never probed comes first: without it nothing of the set is run. */
static int adopt(struct sn_tasks *tasks, struct sn_task_set *set, struct sn_err *err)
{
	bool renew = !sn_str_eq(sn_buf_str(&set->never), sn_buf_str(&tasks->never));
	int64_t now_ns = sn_loop_wall_now(tasks->config.loop);

	if (renew && sn_runner_set_never(tasks->runner, sn_buf_str(&set->never), err) != 0)
		return err->code;
	sn_buf_clear(&tasks->never);
	sn_buf_add(&tasks->never, set->never.p, set->never.n);
	stop_unwanted(tasks, set);
	forget_unlisted(tasks, set);
	for (size_t i = 0; i < set->count; i++) {
		struct sn_task_spec *spec = &set->items[i];
		struct sn_task *task = find_task(tasks, spec->id);

		if (task != NULL) {
			memcpy(task->spec.name, spec->name, sizeof(task->spec.name));
			if (renew)
				sn_task_renew(task);
			continue;
		}
		/* From now on its iterations can be missed. */
		if (spec->when.repeated && sn_journal_find(&tasks->journal, spec->id) == NULL)
			sn_tasks_settle(tasks);
		task = sn_task_create(tasks, spec,
				      sn_journal_get(&tasks->journal, spec->id, now_ns));
		sn_list_append(&tasks->set, &task->link);
	}
	memcpy(tasks->etag, set->etag, sizeof(tasks->etag));
	return 0;
}

/* A hub that lists what it was told of has lost the report, as after a restored backup. */
static void report_again(struct sn_tasks *tasks)
{
	uint64_t now_ns = sn_loop_now(tasks->config.loop);

	for (size_t i = 0; i < tasks->journal.count; i++) {
		struct sn_record *record = tasks->journal.items[i];

		if (!record->reported || (record->reported_ns != 0 &&
					  now_ns - record->reported_ns < SN_TASKS_REPORT_AGAIN_NS))
			continue;
		record->reported = false;
		tasks->news = true;
	}
}

int sn_tasks_apply(struct sn_tasks *tasks, const void *json, size_t size, struct sn_err *err)
{
	sn_autofree char *path = in_state_dir(tasks, "tasks.json");
	struct sn_task_set set;
	struct sn_err cache_err = {0};
	int error = sn_task_set_parse(json, size, &set, err);

	if (error == 0) {
		error = adopt(tasks, &set, err);
		sn_task_set_finish(&set);
	}
	if (error != 0)
		return sn_err_wrap(err, "cannot use the tasks from the hub");
	report_again(tasks);
	/* Not being able to remember is no reason not to measure. */
	if (sn_fs_write_atomic(path, json, size, FILE_MODE, &cache_err) != 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "tasks will be forgotten by a restart: %s",
			       cache_err.text);
	return 0;
}

/* After a restart ---------------------------------------------------------------------------- */

/* Its rows are in the spool: the iteration that they are of is complete. */
static void count_recovered(struct sn_tasks *tasks, const struct sn_task_spec *spec,
			    int64_t latest_ns)
{
	struct sn_record *record =
		sn_journal_get(&tasks->journal, spec->id, sn_loop_wall_now(tasks->config.loop));
	int64_t start_ns;

	/* Of a single run any row is one, whatever the clock said. */
	if (sn_course_last_start(&spec->when, latest_ns, &start_ns) != 0 && spec->when.repeated)
		return;
	sn_info("rows found in the spool; counted as complete task=%s", spec->id);
	record->begun = record->succeeded = true;
	sn_course_add(&record->course, &spec->when, start_ns);
	sn_tasks_settle(tasks);
}

static void recover(struct sn_tasks *tasks, const struct sn_task_set *set)
{
	sn_autofree struct sn_recovered *items = sn_new_n(struct sn_recovered, set->count + 1);
	bool same = strcmp(tasks->journal.stream, stream_of(tasks)) == 0;
	size_t count = 0;

	/* Of an older spool: what it stood for is gone, or set aside for people. */
	for (size_t i = 0; i < tasks->journal.count; i++) {
		struct sn_record *record = tasks->journal.items[i];

		record->behind = SN_MIN(record->behind, next_batch(tasks));
	}
	if (tasks->config.spool == NULL)
		return;
	for (size_t i = 0; i < set->count; i++) {
		const struct sn_task_spec *spec = &set->items[i];
		const struct sn_record *record = sn_journal_find(&tasks->journal, spec->id);

		if (sn_task_spec_holds(spec) && (record == NULL || record->final == SN_FINAL_NONE))
			items[count++].id = spec->id;
	}
	sn_recover(tasks->config.spool, same ? tasks->journal.next_batch : 0, items, count);
	for (size_t i = 0; i < count; i++) {
		if (items[i].found)
			count_recovered(tasks, find_spec(set, items[i].id), items[i].latest_ns);
	}
}

int sn_tasks_load(struct sn_tasks *tasks, struct sn_err *err)
{
	sn_autofree char *path = in_state_dir(tasks, "tasks.json");
	struct sn_buf text = {0};
	struct sn_task_set set;
	int error;

	if (!sn_fs_exists(path))
		return sn_err_set(err, -ENOENT, "no tasks are known yet");
	error = sn_fs_read(path, SN_TASKS_FILE_MAX, &text, err);
	if (error == 0) {
		error = sn_task_set_parse(text.p, text.n, &set, err);
		if (error == 0) {
			recover(tasks, &set);
			error = adopt(tasks, &set, err);
			sn_task_set_finish(&set);
			tasks->news = true;
		}
		if (error != 0)
			sn_err_wrap(err, "cannot use '%s'", path);
	}
	sn_buf_finish(&text);
	return error;
}

void sn_tasks_stop(struct sn_tasks *tasks, void (*on_stopped)(void *ctx), void *ctx)
{
	tasks->etag[0] = '\0';
	sn_list_for_each (link, &tasks->set)
		sn_task_stop(sn_list_entry(link, struct sn_task, link), SN_TASK_SHUTDOWN);
	/* Last, because the caller may end us in there. */
	tasks->on_stopped = on_stopped;
	tasks->stopped_ctx = ctx;
	sn_tasks_stopped(tasks);
}

/* Reports -------------------------------------------------------------------------------- */

/* Only of what is in the set: whoever took it out does not ask any more. */
bool sn_tasks_report(const struct sn_tasks *tasks, uint64_t acknowledged,
		     struct sn_task_report *report)
{
	sn_list_for_each (link, &tasks->set) {
		const struct sn_task *task = sn_list_entry(link, struct sn_task, link);
		const struct sn_record *record = task->record;

		*report = (struct sn_task_report){.id = record->id};
		if (record->final != SN_FINAL_NONE) {
			if (record->reported || !record->settled || record->behind > acknowledged)
				continue;
			report->state = record->final == SN_FINAL_DONE ? "done" : "failed";
			report->error = record->error[0] != '\0' ? record->error : NULL;
			return true;
		}
		if (record->begun && !record->told_running) {
			report->state = "running";
			return true;
		}
	}
	return false;
}

void sn_tasks_reported(struct sn_tasks *tasks, const char *id, const char *state)
{
	struct sn_record *record = sn_journal_find(&tasks->journal, id);

	if (record == NULL)
		return;
	if (strcmp(state, "running") == 0) {
		record->told_running = true;
	} else if (record->final != SN_FINAL_NONE) {
		record->reported = true;
		record->reported_ns = sn_loop_now(tasks->config.loop);
		note(tasks);
	}
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

uint64_t sn_tasks_missed(const struct sn_tasks *tasks)
{
	uint64_t count = 0;

	for (size_t i = 0; i < tasks->journal.count; i++)
		count += tasks->journal.items[i]->course.missed;
	return count;
}

static void tell_missed(const struct sn_task *task, uint64_t now_ns,
			void (*fn)(const char *text, void *ctx), void *ctx)
{
	sn_autofree char *text = NULL;

	if (task->missed_ns == 0 || now_ns - task->missed_ns >= TELL_MISSED_NS)
		return;
	text = sn_xasprintf("task '%.60s': %" PRIu64 " iterations were missed (the node was down, "
			    "its clock was set, or the one before took too long)",
			    task->spec.name, task->missed_told);
	fn(text, ctx);
}

void sn_tasks_problems(const struct sn_tasks *tasks, void (*fn)(const char *text, void *ctx),
		       void *ctx)
{
	uint64_t now_ns = sn_loop_now(tasks->config.loop);

	sn_list_for_each (link, &tasks->set) {
		struct sn_task *task = sn_list_entry(link, struct sn_task, link);
		sn_autofree char *text = NULL;

		tell_missed(task, now_ns, fn, ctx);
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
	return sn_runner_can(tasks->runner, method);
}
