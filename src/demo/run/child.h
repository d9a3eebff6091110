/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child: a program of the running demo that is started again when it dies.
 *
 * Some are children of this process (hub, relay), some of the root helper (what
 * runs in a namespace); both are watched and restarted alike.  A program that
 * dies at once several times in a row is given up, which ends the demo with the
 * name of its log.
 */
#ifndef SONDE_DEMO_RUN_CHILD_H
#define SONDE_DEMO_RUN_CHILD_H

#include "base/loop.h"
#include "base/proc.h"
#include "priv/client.h"

struct sn_demo_child;
/* 0, or negative errno with the reason. */
typedef int sn_demo_child_start_fn(struct sn_demo_child *child, struct sn_err *err);
typedef void sn_demo_child_given_up_fn(struct sn_demo_child *child, void *ctx);

struct sn_demo_child {
	char name[32];
	char *log;                     /* path, owned */
	sn_demo_child_start_fn *start; /* sets proc, or pid for one of the helper's */
	sn_demo_child_given_up_fn *given_up;
	void *ctx;
	struct sn_loop *loop;
	struct sn_priv *priv; /* NULL: a child of ours */
	struct sn_proc *proc;
	pid_t pid; /* 0 while it does not run */
	struct sn_timer timer;
	uint64_t started_ns;
	unsigned quick_ends, restarts;
	char last_end[64]; /* why it ended, as far as we know */
	bool stopping;
};

/* The caller has filled name, log, start, given_up, ctx, loop and priv. */
int sn_demo_child_run(struct sn_demo_child *child, struct sn_err *err);
/* A process of ours ended; what the start function gives to base/proc.h as on_exit. */
void sn_demo_child_exited(struct sn_proc *proc, int status, void *child);
/* For processes of the helper, about twice a second: has it ended? */
void sn_demo_child_check(struct sn_demo_child *child);
bool sn_demo_child_alive(struct sn_demo_child *child);
/* Asks it to end, and not to come back. */
void sn_demo_child_stop(struct sn_demo_child *child);
void sn_demo_child_finish(struct sn_demo_child *child); /* kills; harmless on zeroed */

#endif
