/* SPDX-License-Identifier: Apache-2.0 */
/* process_seconds: processor time that a process of ours has taken, user and system, all threads;
 * 0 of one that is gone. */
#ifndef SONDE_BENCH_PROCESS_SECONDS_H
#define SONDE_BENCH_PROCESS_SECONDS_H

#include <sys/types.h>
#include <time.h>

static inline double process_seconds(pid_t pid)
{
	struct timespec time = {0};
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) == 0)
		clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

#endif
