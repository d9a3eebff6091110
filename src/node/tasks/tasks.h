/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks: keeps running what the hub wants to run.
 *
 * One process per standing task, started from the method's declaration
 * (data/method.h), its standard output read as rows.  A process that ends is
 * started again after a wait that grows while it keeps ending early; new
 * parameters stop the old process and start another; a task that is gone is
 * stopped (SIGTERM, after SN_TASKS_STOP_NS SIGKILL) and its last rows are taken.
 *
 * The set is kept on disk: after a restart the node measures on without its hub.
 */
#ifndef SONDE_NODE_TASKS_TASKS_H
#define SONDE_NODE_TASKS_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "data/batch.h"
#include "node/tasks/set.h"

#define SN_TASKS_RESTART_MIN_NS (1 * SN_NS_PER_S)
#define SN_TASKS_RESTART_MAX_NS (60 * SN_NS_PER_S)
#define SN_TASKS_STEADY_NS      (60 * SN_NS_PER_S) /* a run that long forgets earlier failures */
#define SN_TASKS_STOP_NS        (2 * SN_NS_PER_S)

struct sn_tasks;

/* Rows of one task, with the column `task` filled in; valid during the call. */
typedef void sn_tasks_rows_fn(const struct sn_batch *rows, void *ctx);

struct sn_tasks_config { /* texts are copied */
	struct sn_loop *loop;
	const char *program_dir; /* where sonde-probe and sonde-meter are */
	const char *cache_file;
	const char *priv_socket; /* of the root helper; NULL or "": meters capture by themselves */
	sn_tasks_rows_fn *on_rows;
	void *ctx;
	uint64_t restart_min_ns; /* 0: SN_TASKS_RESTART_MIN_NS */
	uint64_t stop_ns;        /* 0: SN_TASKS_STOP_NS */
};

struct sn_tasks *sn_tasks_create(const struct sn_tasks_config *config);
/* Kills what still runs. */
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
/* Calls `fn` for each task that does not do what it should, with a sentence about it. */
void sn_tasks_problems(const struct sn_tasks *tasks, void (*fn)(const char *text, void *ctx),
		       void *ctx);
/* The method's program can be started from here. */
bool sn_tasks_can_run(const struct sn_tasks *tasks, const struct sn_method *method);

#endif
