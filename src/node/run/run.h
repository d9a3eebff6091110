/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: a method's process, from its command line to its rows.
 *
 * The one place where a node starts a measurement, for its tasks and as a plain
 * component alike: the command line follows from the method's declaration
 * (data/method.h), a meter gets its capture socket from the root helper and so does a
 * ping that may open none by itself, standard output is read as rows, and of standard
 * error the last line is kept, because it says why a process has failed (all of it goes
 * on to our own).
 *
 * The runner holds what all runs share, so that a run costs little memory.
 */
#ifndef SONDE_NODE_RUN_RUN_H
#define SONDE_NODE_RUN_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "data/batch.h"
#include "data/method.h"

#define SN_RUN_STOP_NS (2 * SN_NS_PER_S) /* from SIGTERM to SIGKILL */
#define SN_RUN_HOW_MAX 320

struct sn_runner;
struct sn_run;

struct sn_runner_config { /* texts are copied */
	struct sn_loop *loop;
	const char *program_dir; /* where sonde-probe and sonde-meter are */
	const char
		*priv_socket;  /* of the root helper; NULL or "": all open sockets by themselves */
	const char *meter_dir; /* node/run/meters.h; NULL or "": no control and no logs */
	uint64_t stop_ns;      /* 0: SN_RUN_STOP_NS */
};

struct sn_runner *sn_runner_create(const struct sn_runner_config *config);
void sn_runner_destroy(struct sn_runner *runner); /* after its runs; NULL is fine */
/* The method's program can be started from here; meters can be switched only where they have a
 * directory. */
bool sn_runner_can(const struct sn_runner *runner, const struct sn_method *method);
/* Its process is meant to end by itself: a method that can repeat, and is not told to. */
bool sn_run_is_one_shot(const struct sn_method *method, const json_t *parameters);
/* An empty batch of the dataset for one row, the same one each time. */
struct sn_batch *sn_runner_scratch(struct sn_runner *runner, const struct sn_dataset *dataset);
/*
 * The networks that nothing may be sent to, a line each, for every run from now on that has
 * targets: names are resolved there, so only there is it known where they lead.  The processes read
 * them from a descriptor that they inherit.  An empty text: there are none.  On error all is as
 * before.
 */
int sn_runner_set_never(struct sn_runner *runner, struct sn_str networks, struct sn_err *err);
/* Whether runs of this method are given them. */
bool sn_run_has_targets(const struct sn_method *method);

struct sn_run_end {
	uint64_t rows;
	bool exited;              /* by itself, whatever its status */
	bool in_order;            /* exit status 0 */
	bool stopped;             /* sn_run_stop() had been called */
	char how[SN_RUN_HOW_MAX]; /* "sonde-probe ended: exit status 1: cannot ..." */
};

struct sn_run_ops {
	/*
	 * One row with a time, valid during the call, and the line that it was read from.  Of the
	 * method's dataset, or of the one that the line names (sn_jsonl_dataset()).
	 */
	void (*row)(struct sn_batch *row, struct sn_str line, void *ctx);
	/* A line that is no row. */
	void (*refused)(const char *reason, void *ctx);
	/* Once, after the last row; the run is gone. */
	void (*ended)(const struct sn_run_end *end, void *ctx);
};

/* `parameters` have passed sn_method_check(); `name` is for the log. */
int sn_run_start(struct sn_runner *runner, const struct sn_method *method, const json_t *parameters,
		 const char *name, const struct sn_run_ops *ops, void *ctx, struct sn_run **run,
		 struct sn_err *err);
/* SIGTERM, and SIGKILL for one that does not follow; ops->ended() tells of the end. */
void sn_run_stop(struct sn_run *run);
/* Kills it; no more calls.  NULL is fine. */
void sn_run_destroy(struct sn_run *run);
pid_t sn_run_pid(const struct sn_run *run);

#endif
