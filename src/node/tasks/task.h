/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task: one task, its way through its scope and its process; private to tasks/.
 *
 * What runs is an iteration: the only one of a task without repetition, or one of
 * many.  A one-shot's iteration is over when its process is; any other one when its
 * time is, and until then a process that ends is started again.
 */
#ifndef SONDE_NODE_TASKS_TASK_H
#define SONDE_NODE_TASKS_TASK_H

#include "base/list.h"
#include "node/backoff.h"
#include "node/run/run.h"
#include "node/tasks/held.h"
#include "node/tasks/journal.h"
#include "node/tasks/tasks.h"

#define SN_TASK_PROBLEM_MAX (SN_ERR_TEXT_MAX + 80)

enum sn_task_state {
	SN_TASK_REFUSED, /* cannot be run by this build */
	SN_TASK_RUNNING,
	SN_TASK_WAITING,  /* for its time, or its next start */
	SN_TASK_ENDING,   /* its time is over, its process told to end */
	SN_TASK_FINISHED, /* for good */
	SN_TASK_STOPPING, /* told to end; out of the set already */
};

struct sn_task {
	struct sn_list link; /* in the set's list, or among those that stop */
	struct sn_tasks *tasks;
	struct sn_task_spec spec; /* owned */
	struct sn_record *record; /* the journal's; NULL once it is not wanted any more */
	enum sn_task_state state;
	struct sn_run *run;    /* NULL while it does not run */
	struct sn_timer timer; /* what it waits for, or the end of its iteration */
	struct sn_backoff backoff;
	uint64_t started_ns;

	bool in_iteration;
	int64_t iteration_ns, end_ns; /* its start, and when it is to be ended */
	unsigned tries;               /* starts of a process in it */
	uint64_t rows;                /* that it gave */
	struct sn_held held;          /* of them, those that wait for its end */
	bool passing;                 /* too many to be held: they go as they come */
	bool dropping;                /* what comes now is half of something: nobody wants it */
	bool cut_short;               /* what has come is all: the agent ends */
	bool renewing;                /* its process was told to end, and another one takes over */

	char problem[SN_TASK_PROBLEM_MAX]; /* "" while all is well */
	uint64_t problem_ns;               /* when it was last seen */
	uint64_t missed_told;              /* of record->course.missed, and when */
	uint64_t missed_ns;
};

/* Takes the spec's parameters over; starts at once what is due. */
struct sn_task *sn_task_create(struct sn_tasks *tasks, struct sn_task_spec *spec,
			       struct sn_record *record);
/* Kills the process if there is one. */
void sn_task_destroy(struct sn_task *task);

enum sn_task_stop {
	SN_TASK_REMOVED,  /* nobody wants it any more: its rows so far are its result */
	SN_TASK_SHUTDOWN, /* the agent ends: what can be run again leaves no half of a result */
};
/* Ends the process; the task then destroys itself and tells sn_tasks_stopped(). */
void sn_task_stop(struct sn_task *task, enum sn_task_stop why);
/* The wall clock was set. */
void sn_task_clock_set(struct sn_task *task);
/* What is never probed is something else: a process that runs has to be told. */
void sn_task_renew(struct sn_task *task);
/* Its rows are only worth something together. */
bool sn_task_spec_holds(const struct sn_task_spec *spec);

/* What a task needs of its set (tasks.c). */
struct sn_loop *sn_tasks_loop(const struct sn_tasks *tasks);
struct sn_runner *sn_tasks_runner(const struct sn_tasks *tasks);
const struct sn_tasks_config *sn_tasks_config(const struct sn_tasks *tasks);
/* NULL when it is not in the set. */
struct sn_record *sn_tasks_record(const struct sn_tasks *tasks, const char *id);
void sn_tasks_count_restart(struct sn_tasks *tasks);
/* Something came to its end: the rows to disk, then the journal; in this turn or soon. */
void sn_tasks_settle(struct sn_tasks *tasks);
/* There is something to report. */
void sn_tasks_has_news(struct sn_tasks *tasks);
/* Out of the set and into the list of those that stop. */
void sn_tasks_stopping(struct sn_tasks *tasks, struct sn_task *task);
void sn_tasks_stopped(struct sn_tasks *tasks);

#endif
