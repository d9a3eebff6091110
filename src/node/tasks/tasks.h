/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks: runs what the hub wants to be run, when it wants it.
 *
 * Each task has a scope (set.h, course.h) and one process at a time (run.h).  A process
 * that ends before its time is started again after a wait that grows while it keeps
 * ending early; a one-shot is run once.  New parameters stop the old process and start
 * another; a task that is gone is stopped and its last rows are taken.
 *
 * The set comes with the networks that are never probed; each process is given them.  When
 * they are others, whatever has targets is stopped and started anew: a standing one goes on
 * where it was, one that gives its rows at its end begins again.
 *
 * Rows of one-shots and of repeated tasks are held until the iteration has ended (held.h),
 * so that a crash leaves no half of a result; then they go to the spool at once.
 *
 * On disk, in the state directory: tasks.json, the set, so that after a restart the node
 * measures on without its hub; iterations.json, what has become of it (journal.h).
 *
 * What has come to its end is reported to the hub (sn_tasks_report()), at the earliest
 * when the hub has all of its rows.
 */
#ifndef SONDE_NODE_TASKS_TASKS_H
#define SONDE_NODE_TASKS_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "data/batch.h"
#include "node/spool/spool.h"
#include "node/tasks/set.h"

#define SN_TASKS_RESTART_MIN_NS (1 * SN_NS_PER_S)
#define SN_TASKS_RESTART_MAX_NS (60 * SN_NS_PER_S)
#define SN_TASKS_STEADY_NS      (60 * SN_NS_PER_S) /* a run that long forgets earlier failures */
/* Least time between two journals; on a slow disk four times what one takes. */
#define SN_TASKS_SETTLE_NS (50 * SN_NS_PER_MS)
/* What the hub has been told and lists still after this long, it is told again. */
#define SN_TASKS_REPORT_AGAIN_NS (60 * SN_NS_PER_S)

struct sn_tasks;

/* Rows of one task, with the column `task` filled in; valid during the call. */
typedef void sn_tasks_rows_fn(const struct sn_batch *rows, void *ctx);

struct sn_tasks_config { /* texts are copied */
	struct sn_loop *loop;
	const char *program_dir; /* where sonde-probe and sonde-meter are */
	const char *state_dir;
	const char
		*priv_socket; /* of the root helper; NULL or "": all open sockets by themselves */
	sn_tasks_rows_fn *on_rows;
	/* Rows that were given are to be on disk when this returns; may be NULL. */
	void (*settle)(void *ctx);
	/* There may be something to report; may be NULL. */
	void (*on_news)(void *ctx);
	void *ctx;
	const struct sn_spool *spool; /* where the rows go; NULL: nothing is known of it */
	uint64_t restart_min_ns;      /* 0: SN_TASKS_RESTART_MIN_NS */
	uint64_t stop_ns;             /* 0: SN_RUN_STOP_NS */
};

struct sn_tasks *sn_tasks_create(const struct sn_tasks_config *config);
/* Kills what still runs; NULL is fine. */
void sn_tasks_destroy(struct sn_tasks *tasks);

/* What the hub sent; the old set runs on if it is refused. */
int sn_tasks_apply(struct sn_tasks *tasks, const void *json, size_t size, struct sn_err *err);
/* What was applied last, before a restart; -ENOENT if there is nothing. */
int sn_tasks_load(struct sn_tasks *tasks, struct sn_err *err);
/* SIGTERM to all; `on_stopped` (may be NULL) is called, once, when none is left, perhaps at once.
 */
void sn_tasks_stop(struct sn_tasks *tasks, void (*on_stopped)(void *ctx), void *ctx);

const char *sn_tasks_etag(const struct sn_tasks *tasks); /* "" before the first set */
unsigned sn_tasks_running(const struct sn_tasks *tasks);
uint64_t sn_tasks_restarts(const struct sn_tasks *tasks);
uint64_t sn_tasks_missed(const struct sn_tasks *tasks); /* iterations left out, of all in the set */
/* Calls `fn` for each task that does not do what it should, with a sentence about it. */
void sn_tasks_problems(const struct sn_tasks *tasks, void (*fn)(const char *text, void *ctx),
		       void *ctx);
/* The wall clock has jumped: what is due now?  (The kernel tells of jumps by itself.) */
void sn_tasks_clock_set(struct sn_tasks *tasks);

struct sn_task_report {
	const char *id;
	const char *state; /* "running", "done", "failed" */
	const char *error; /* NULL: none */
};
/*
 * The next thing that the hub does not know, valid until the set changes; false if there is
 * none.  `acknowledged`: all batches below this number are.
 */
bool sn_tasks_report(const struct sn_tasks *tasks, uint64_t acknowledged,
		     struct sn_task_report *report);
/* The hub knows it now, or does not want to. */
void sn_tasks_reported(struct sn_tasks *tasks, const char *id, const char *state);

/* The method's program can be started from here. */
bool sn_tasks_can_run(const struct sn_tasks *tasks, const struct sn_method *method);

#endif
