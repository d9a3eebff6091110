/* SPDX-License-Identifier: Apache-2.0 */
/* A writer in a process of its own that is killed, and how far it had told that it came. */
#ifndef SONDE_TESTS_UNIT_STORE_KILLED_CHILD_H
#define SONDE_TESTS_UNIT_STORE_KILLED_CHILD_H

#include "lib/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Writes from `seq` on until it is killed; after each commit the number that follows to the pipe.
 */
typedef void write_for_ever_fn(void *ctx, uint64_t seq, int pipe_fd);

/* Starts the child, kills it after `lifetime_us`; returns the first number not acknowledged. */
static inline uint64_t run_and_kill(write_for_ever_fn *write_for_ever, void *ctx, uint64_t seq,
				    useconds_t lifetime_us)
{
	uint64_t acknowledged = seq, done;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		write_for_ever(ctx, seq, fds[1]);
	}
	close(fds[1]);
	usleep(lifetime_us);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(fds[0], &done, sizeof(done)) == sizeof(done))
		acknowledged = done;
	close(fds[0]);
	return acknowledged;
}

#endif
