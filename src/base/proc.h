/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc: child processes on the loop.
 *
 * A child gets exactly the descriptors it is given (0, 1, 2 and a list from 3
 * on), nothing else; it dies with its parent (PR_SET_PDEATHSIG); its end is
 * reported once.  Standard output may be read line by line.
 */
#ifndef SONDE_BASE_PROC_H
#define SONDE_BASE_PROC_H

#include "base/loop.h"
#include "base/str.h"

struct sn_proc;
/* `status` as of waitpid(2).  The process object is still valid; the callback may destroy it. */
typedef void sn_proc_exit_fn(struct sn_proc *proc, int status, void *ctx);
/*
 * One line without its end.  `error` is 0, -EMSGSIZE for a line that was cut at the limit,
 * or -ENODATA for a last piece that the child never ended.
 */
typedef void sn_proc_line_fn(struct sn_proc *proc, struct sn_str line, int error, void *ctx);

#define SN_PROC_LINE_MAX 65536
#define SN_PROC_FDS_MAX  64

struct sn_proc_spec {
	const char *const *argv;  /* argv[0] is the program's path; NULL-terminated */
	const char *const *env;   /* NULL inherits */
	int fds[SN_PROC_FDS_MAX]; /* become 3, 4, ... in the child */
	unsigned fd_count;
	int err_fd;               /* becomes standard error; 0: inherited */
	sn_proc_line_fn *on_line; /* NULL: standard output is inherited */
	sn_proc_exit_fn *on_exit;
	void *ctx;
};

int sn_proc_start(struct sn_loop *loop, const struct sn_proc_spec *spec, struct sn_proc **proc,
		  struct sn_err *err);
pid_t sn_proc_pid(const struct sn_proc *proc);
int sn_proc_signal(struct sn_proc *proc, int signal_number); /* -ESRCH once it has ended */
/* Kills (SIGKILL) and reaps if it still runs; no callback after this.  NULL is fine. */
void sn_proc_destroy(struct sn_proc *proc);
/* "exit status 3" or "killed by SIGKILL", for messages. */
char *sn_proc_describe(int status, char *out, size_t size);

#endif
