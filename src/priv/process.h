/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: programs of the fixed table, run as an ordinary user in a namespace.
 *
 * Each process has an owner, the client that asked for it: only that client may
 * signal it, and it is killed when the client goes away.  Processes are reaped
 * here; a process that has ended is no longer known.
 */
#ifndef SONDE_PRIV_PROCESS_H
#define SONDE_PRIV_PROCESS_H

#include "base/err.h"
#include "base/list.h"
#include "priv/ops.h"

#define SN_PRIV_PROCESSES_MAX 256

struct sn_process_table {
	struct sn_list processes;
	unsigned count;
	const char *program_dir; /* where the programs of the table are; borrowed */
};

void sn_process_table_init(struct sn_process_table *table, const char *program_dir);
void sn_process_table_finish(struct sn_process_table *table); /* kills what still runs */

/* The pid, or a negative errno; returns after exec succeeded or failed. */
int sn_process_start(struct sn_process_table *table, const void *owner,
		     const struct sn_priv_process *request, struct sn_err *err);
/* -ESRCH if it is not a running process of that owner. */
int sn_process_signal(struct sn_process_table *table, const void *owner,
		      const struct sn_priv_signal *request, struct sn_err *err);
void sn_process_kill_owned(struct sn_process_table *table, const void *owner);
/* After SIGCHLD. */
void sn_process_reap(struct sn_process_table *table);

#endif
