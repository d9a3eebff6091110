/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "tasks"
#include "node/tasks/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/codec.h"

/* The wall clock may be set without our hearing of it. */
#define LOOK_MAX_NS (60 * SN_NS_PER_S)
/* Of a one-shot whose process cannot even be started; what ended badly is not tried again. */
#define START_TRIES 4

static void look(struct sn_task *task);

static void set_problem(struct sn_task *task, const char *format, ...) SN_PRINTF(2, 3);
static void set_problem(struct sn_task *task, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(task->problem, sizeof(task->problem), format, args);
	va_end(args);
	task->problem_ns = sn_loop_now(task->timer.loop);
}

bool sn_task_spec_holds(const struct sn_task_spec *spec)
{
	return spec->method != NULL && (spec->when.repeated || sn_task_spec_one_shot(spec));
}

static int64_t wall_now(const struct sn_task *task)
{
	return sn_loop_wall_now(task->timer.loop);
}

/* At that moment of the wall clock, or when it is time to look at the clock again. */
static void wake_at(struct sn_task *task, int64_t wall_ns)
{
	int64_t now_ns = wall_now(task), wait_ns = LOOK_MAX_NS;

	if (wall_ns <= now_ns)
		wait_ns = 0;
	else if (wall_ns - now_ns < LOOK_MAX_NS)
		wait_ns = wall_ns - now_ns;
	sn_timer_in(&task->timer, (uint64_t)wait_ns);
}

/* Rows ------------------------------------------------------------------------------- */

static void refuse_line(const char *reason, void *ctx)
{
	struct sn_task *task = ctx;

	set_problem(task, "output of %s refused: %s", task->spec.method->program, reason);
	SN_LOG_LIMITED(SN_LOG_WARNING, "output refused task=%s program=%s reason=\"%s\"",
		       task->spec.id, task->spec.method->program, reason);
}

static void pass_on(struct sn_task *task, struct sn_batch *row)
{
	const struct sn_tasks_config *config = sn_tasks_config(task->tasks);

	sn_batch_set_text(row, SN_COL_TASK, sn_str(task->spec.id));
	config->on_rows(row, config->ctx);
}

static void pass_line(struct sn_str line, void *ctx)
{
	struct sn_task *task = ctx;
	struct sn_batch *row = sn_runner_scratch(
		sn_tasks_runner(task->tasks), sn_jsonl_dataset(line, task->spec.method->dataset));

	if (sn_jsonl_read_row(row, line, NULL) == 0)
		pass_on(task, row);
}

static void pass_held(struct sn_task *task)
{
	unsigned lost = sn_held_take(&task->held, pass_line, task);

	if (lost > 0) {
		set_problem(task, "%u held rows could not be read again", lost);
		sn_warn("held rows lost task=%s rows=%u", task->spec.id, lost);
	}
}

/*
 * Too many to be held.  From here on a crash leaves a part of the result in the spool,
 * so the iteration counts as complete already and is not run again.
 */
static void begin_passing(struct sn_task *task)
{
	task->passing = true;
	pass_held(task);
	if (task->record == NULL)
		return;
	task->record->succeeded = true;
	sn_course_add(&task->record->course, &task->spec.when, task->iteration_ns);
	sn_tasks_settle(task->tasks);
}

static void take_row(struct sn_batch *row, struct sn_str line, void *ctx)
{
	struct sn_task *task = ctx;
	const char *dir = sn_tasks_config(task->tasks)->state_dir;

	if (task->dropping)
		return;
	task->rows++;
	if (sn_task_spec_holds(&task->spec) && !task->passing) {
		if (sn_held_add(&task->held, dir, line) == 0)
			return;
		begin_passing(task);
		/* The row at hand is the one that all share, and was used for others since. */
		pass_line(line, task);
		return;
	}
	if (task->record != NULL)
		task->record->succeeded = true;
	pass_on(task, row);
}

/* The end of an iteration and of all --------------------------------------------------- */

static void finish(struct sn_task *task, enum sn_final final, const char *error)
{
	struct sn_record *record = task->record;

	task->state = SN_TASK_FINISHED;
	sn_timer_stop(&task->timer);
	if (record == NULL || record->final != SN_FINAL_NONE)
		return;
	record->final = final;
	if (error != record->error)
		snprintf(record->error, sizeof(record->error), "%s", error);
	sn_info("task %s task=%s name=\"%s\"%s%s", final == SN_FINAL_DONE ? "done" : "failed",
		task->spec.id, task->spec.name, error[0] != '\0' ? " reason=" : "", error);
	sn_tasks_settle(task->tasks);
}

/* Nothing comes any more. */
static void end_task(struct sn_task *task)
{
	struct sn_record *record = task->record;

	if (record->succeeded || (record->begun && record->error[0] == '\0'))
		finish(task, SN_FINAL_DONE, "");
	else if (record->error[0] != '\0')
		finish(task, SN_FINAL_FAILED, record->error);
	else
		finish(task, SN_FINAL_FAILED, "its time was over before it could be run");
}

/* `failure` is NULL if all is well. */
static void end_iteration(struct sn_task *task, const char *failure)
{
	struct sn_record *record = task->record;

	task->in_iteration = false;
	pass_held(task);
	if (failure == NULL) {
		record->succeeded = true;
		task->problem[0] = '\0';
	} else {
		set_problem(task, "%s", failure);
		snprintf(record->error, sizeof(record->error), "%s", failure);
		sn_warn("run failed task=%s reason=\"%s\"", task->spec.id, failure);
	}
	sn_course_add(&record->course, &task->spec.when, task->iteration_ns);
	sn_tasks_settle(task->tasks);
	look(task);
}

/* Its time is over: what was wrong in it is what it failed of, if it gave nothing. */
static void end_by_time(struct sn_task *task)
{
	char reason[SN_TASK_PROBLEM_MAX];

	strcpy(reason, task->problem);
	end_iteration(task, task->rows == 0 && reason[0] != '\0' ? reason : NULL);
}

/* Its process ---------------------------------------------------------------------------- */

static void start(struct sn_task *task);

static void wait_for_restart(struct sn_task *task)
{
	uint64_t now_ns = sn_loop_now(task->timer.loop), wait_ns;
	int64_t left_ns = SN_MAX(task->end_ns - wall_now(task), (int64_t)0);

	if (task->started_ns != 0 && now_ns - task->started_ns >= SN_TASKS_STEADY_NS)
		sn_backoff_reset(&task->backoff);
	task->state = SN_TASK_WAITING;
	wait_ns = sn_backoff_next(&task->backoff);
	sn_timer_in(&task->timer, SN_MIN(wait_ns, (uint64_t)left_ns));
}

/* Its last rows are there: cut short by the end of the agent, its iteration counts as run. */
static void count_cut_short(struct sn_task *task)
{
	struct sn_record *record = sn_tasks_record(task->tasks, task->spec.id);

	if (record == NULL || !task->cut_short)
		return;
	record->succeeded = true;
	sn_course_add(&record->course, &task->spec.when, task->iteration_ns);
	sn_tasks_settle(task->tasks);
}

/* All that held it is over. */
static void leave(struct sn_task *task)
{
	struct sn_tasks *tasks = task->tasks;

	if (!task->dropping)
		pass_held(task);
	count_cut_short(task);
	sn_task_destroy(task);
	sn_tasks_stopped(tasks);
}

/* Rows say themselves what came of the measurement, whatever the process thinks of it. */
static bool went_well(const struct sn_run_end *end)
{
	return end->in_order || (end->exited && end->rows > 0);
}

/* The old process has ended: a standing one goes on, a single run begins anew. */
static void take_over(struct sn_task *task)
{
	task->renewing = task->dropping = false;
	if (sn_task_spec_one_shot(&task->spec) && task->passing) {
		end_iteration(task, NULL); /* some of its rows are out: they are the result */
		return;
	}
	task->tries = 0;
	start(task);
}

static void run_ended(const struct sn_run_end *end, void *ctx)
{
	struct sn_task *task = ctx;

	task->run = NULL;
	if (task->state == SN_TASK_STOPPING) {
		leave(task);
	} else if (task->state == SN_TASK_ENDING) {
		end_by_time(task);
	} else if (task->renewing) {
		take_over(task);
	} else if (sn_task_spec_one_shot(&task->spec)) {
		end_iteration(task, went_well(end) ? NULL : end->how);
	} else {
		set_problem(task, "%s", end->how);
		sn_warn("process ended task=%s how=\"%s\"", task->spec.id, end->how);
		wait_for_restart(task);
	}
}

static void started(struct sn_task *task)
{
	struct sn_record *record = task->record;

	task->state = SN_TASK_RUNNING;
	if (task->end_ns != SN_MP_FUTURE)
		wake_at(task, task->end_ns);
	sn_info("process started task=%s name=\"%s\" program=%s pid=%d", task->spec.id,
		task->spec.name, task->spec.method->program, (int)sn_run_pid(task->run));
	if (!record->told_running)
		sn_tasks_has_news(task->tasks);
	if (record->begun)
		return;
	record->begun = true;
	/* For one whose rows are held the end is soon enough. */
	if (task->spec.has_end && !sn_task_spec_holds(&task->spec))
		sn_tasks_settle(task->tasks);
}

static void start(struct sn_task *task)
{
	static const struct sn_run_ops ops = {
		.row = take_row, .refused = refuse_line, .ended = run_ended};
	struct sn_err err = {0};

	if (task->tries++ > 0)
		sn_tasks_count_restart(task->tasks);
	task->started_ns = sn_loop_now(task->timer.loop);
	if (sn_run_start(sn_tasks_runner(task->tasks), task->spec.method, task->spec.parameters,
			 task->spec.id, &ops, task, &task->run, &err) == 0) {
		started(task);
		return;
	}
	set_problem(task, "%s", err.text);
	SN_LOG_LIMITED(SN_LOG_WARNING, "%s task=%s", err.text, task->spec.id);
	if (sn_task_spec_one_shot(&task->spec) && task->tries >= START_TRIES)
		end_iteration(task, err.text);
	else
		wait_for_restart(task);
}

/* Its time ------------------------------------------------------------------------------- */

static void begin_iteration(struct sn_task *task, const struct sn_step *step)
{
	task->in_iteration = true;
	task->iteration_ns = step->start_ns;
	task->end_ns = step->end_ns;
	task->tries = 0;
	task->rows = 0;
	task->passing = task->renewing = task->dropping = false;
	sn_backoff_reset(&task->backoff);
	start(task);
}

static void note_missed(struct sn_task *task)
{
	if (task->record->course.missed == task->missed_told)
		return;
	task->missed_told = task->record->course.missed;
	task->missed_ns = sn_loop_now(task->timer.loop);
	SN_LOG_LIMITED(SN_LOG_WARNING, "iterations missed task=%s in_all=%llu", task->spec.id,
		       (unsigned long long)task->missed_told);
}

/* Nothing runs: what is to be done? */
static void look(struct sn_task *task)
{
	struct sn_step step;

	if (task->in_iteration) {
		if (wall_now(task) >= task->end_ns)
			end_by_time(task);
		else
			start(task);
		return;
	}
	step = sn_course_step(&task->record->course, &task->spec.when, wall_now(task));
	note_missed(task);
	switch (step.kind) {
	case SN_STEP_RUN:
		begin_iteration(task, &step);
		break;
	case SN_STEP_WAIT:
		task->state = SN_TASK_WAITING;
		wake_at(task, step.start_ns);
		break;
	case SN_STEP_OVER:
		end_task(task);
		break;
	}
}

static void watch_end(struct sn_task *task)
{
	if (task->end_ns == SN_MP_FUTURE)
		return;
	if (wall_now(task) < task->end_ns) {
		wake_at(task, task->end_ns);
		return;
	}
	task->state = SN_TASK_ENDING;
	sn_run_stop(task->run);
}

void sn_task_renew(struct sn_task *task)
{
	if (task->run == NULL || task->state != SN_TASK_RUNNING || task->renewing ||
	    !sn_run_has_targets(task->spec.method))
		return;
	task->renewing = true;
	if (sn_task_spec_one_shot(&task->spec) && !task->passing) {
		sn_held_finish(&task->held);
		task->rows = 0;
		task->dropping = true;
	}
	sn_run_stop(task->run);
}

void sn_task_clock_set(struct sn_task *task)
{
	if (task->state == SN_TASK_RUNNING)
		watch_end(task);
	else if (task->state == SN_TASK_WAITING)
		look(task);
}

static void woken(struct sn_timer *timer)
{
	sn_task_clock_set(sn_container_of(timer, struct sn_task, timer));
}

/* The task ----------------------------------------------------------------------------- */

static void refuse(struct sn_task *task)
{
	task->state = SN_TASK_REFUSED;
	set_problem(task, "%s", task->spec.refusal.text);
	sn_warn("cannot run task=%s reason=\"%s\"", task->spec.id, task->spec.refusal.text);
	/* A standing one may be run by the next version of this program. */
	if (task->spec.has_end)
		finish(task, SN_FINAL_FAILED, task->spec.refusal.text);
}

struct sn_task *sn_task_create(struct sn_tasks *tasks, struct sn_task_spec *spec,
			       struct sn_record *record)
{
	struct sn_task *task = sn_new(struct sn_task);
	uint64_t min_ns = sn_tasks_config(tasks)->restart_min_ns;

	task->tasks = tasks;
	task->spec = *spec;
	task->record = record;
	task->missed_told = record->course.missed;
	spec->parameters = NULL;
	task->backoff = (struct sn_backoff){
		.min_ns = min_ns > 0 ? min_ns : SN_TASKS_RESTART_MIN_NS,
		.max_ns = SN_TASKS_RESTART_MAX_NS,
	};
	sn_list_init(&task->link);
	sn_timer_init(&task->timer, sn_tasks_loop(tasks), woken);
	if (record->final != SN_FINAL_NONE)
		task->state = SN_TASK_FINISHED;
	else if (task->spec.method == NULL)
		refuse(task);
	else
		look(task);
	return task;
}

void sn_task_destroy(struct sn_task *task)
{
	sn_timer_stop(&task->timer);
	sn_list_remove(&task->link);
	sn_run_destroy(task->run);
	sn_held_finish(&task->held);
	json_decref(task->spec.parameters);
	free(task);
}

/* A one-shot is run again; what has a time of its own has given what it could. */
static void prepare_shutdown(struct sn_task *task)
{
	if (!task->in_iteration || !sn_task_spec_holds(&task->spec) || task->passing)
		return;
	if (sn_task_spec_one_shot(&task->spec))
		task->dropping = true;
	else
		task->cut_short = true;
}

void sn_task_stop(struct sn_task *task, enum sn_task_stop why)
{
	if (task->state == SN_TASK_STOPPING)
		return;
	if (why == SN_TASK_SHUTDOWN)
		prepare_shutdown(task);
	task->record = NULL;
	task->state = SN_TASK_STOPPING;
	sn_timer_stop(&task->timer);
	sn_tasks_stopping(task->tasks, task);
	if (task->run != NULL)
		sn_run_stop(task->run);
	else
		leave(task);
}
