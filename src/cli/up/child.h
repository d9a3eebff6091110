/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child: a program that is kept running.
 *
 * When it ends by itself it is started again, after a time that doubles from one
 * second to thirty; one that ran for a minute begins at one second again.  The
 * owner embeds the struct and finishes it before the loop goes away.
 */
#ifndef SONDE_CLI_UP_CHILD_H
#define SONDE_CLI_UP_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/proc.h"

#define SN_CHILD_BACKOFF_MIN_NS (1 * SN_NS_PER_S)
#define SN_CHILD_BACKOFF_MAX_NS (30 * SN_NS_PER_S)
#define SN_CHILD_STEADY_NS      (60 * SN_NS_PER_S)

struct sn_child;
typedef void sn_child_fn(struct sn_child *child, void *ctx);
typedef void sn_child_line_fn(struct sn_child *child, struct sn_str line, void *ctx);

struct sn_child {
	struct sn_loop *loop;
	const char *name;          /* in messages */
	const char *const *argv;   /* the owner's; read at each start */
	bool keep;                 /* start it again when it ends */
	sn_child_line_fn *on_line; /* its standard output; NULL: inherited */
	sn_child_fn *on_end;       /* after each end; NULL */
	void *ctx;

	struct sn_proc *proc; /* NULL while it does not run */
	struct sn_timer timer;
	uint64_t started_ns, backoff_ns;
	bool stopping;
	int status; /* of its last end, as of waitpid(2) */
};

void sn_child_init(struct sn_child *child, struct sn_loop *loop, const char *name);
int sn_child_start(struct sn_child *child, struct sn_err *err);
/* Ask it to end (SIGTERM) and do not start it again; on_end tells when it has. */
void sn_child_stop(struct sn_child *child);
bool sn_child_runs(const struct sn_child *child);
/* Kills it if it still runs.  Harmless on zeroed. */
void sn_child_finish(struct sn_child *child);

/* The wait before the next start, and the one after it; pure. */
uint64_t sn_child_backoff(uint64_t before_ns, uint64_t ran_ns);

#endif
