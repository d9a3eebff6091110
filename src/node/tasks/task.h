/* SPDX-License-Identifier: Apache-2.0 */
/* task: one standing task and its process; private to tasks/. */
#ifndef SONDE_NODE_TASKS_TASK_H
#define SONDE_NODE_TASKS_TASK_H

#include "base/list.h"
#include "base/proc.h"
#include "node/backoff.h"
#include "node/tasks/tasks.h"

#define SN_TASK_PROBLEM_MAX (SN_ERR_TEXT_MAX + 80)

enum sn_task_state {
	SN_TASK_REFUSED, /* cannot be run by this build */
	SN_TASK_RUNNING,
	SN_TASK_WAITING,  /* for its next start */
	SN_TASK_FINISHED, /* one-shot and done */
	SN_TASK_STOPPING, /* told to end; out of the set already */
};

struct sn_task {
	struct sn_list link; /* in the set's list, or among those that stop */
	struct sn_tasks *tasks;
	struct sn_task_spec spec; /* owned */
	enum sn_task_state state;
	struct sn_proc *proc;  /* NULL while it does not run */
	struct sn_timer timer; /* next start, or the end of patience */
	struct sn_backoff backoff;
	uint64_t started_ns;
	uint64_t bad_lines;
	char problem[SN_TASK_PROBLEM_MAX]; /* "" while all is well */
	uint64_t problem_ns;               /* when it was last seen */
};

/* Takes the spec's parameters over; starts at once. */
struct sn_task *sn_task_create(struct sn_tasks *tasks, struct sn_task_spec *spec);
/* Kills the process if there is one. */
void sn_task_destroy(struct sn_task *task);
/* Ends the process; the task then destroys itself and tells sn_tasks_stopped(). */
void sn_task_stop(struct sn_task *task);

/* What a task needs of its set (tasks.c). */
struct sn_loop *sn_tasks_loop(const struct sn_tasks *tasks);
const struct sn_tasks_config *sn_tasks_config(const struct sn_tasks *tasks);
void sn_tasks_count_restart(struct sn_tasks *tasks);
/* Out of the set and into the list of those that stop. */
void sn_tasks_stopping(struct sn_tasks *tasks, struct sn_task *task);
void sn_tasks_stopped(struct sn_tasks *tasks);
/* An empty batch of the dataset, for one line. */
struct sn_batch *sn_tasks_scratch(struct sn_tasks *tasks, const struct sn_dataset *dataset);

#endif
