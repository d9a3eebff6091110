/* SPDX-License-Identifier: Apache-2.0 */
/* process_seconds: processor time that a process has taken, user and system, by /proc/PID/stat. */
#ifndef SONDE_BENCH_PROCESS_SECONDS_H
#define SONDE_BENCH_PROCESS_SECONDS_H

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

static inline double process_seconds(pid_t pid)
{
	sn_autofree char *path = sn_xasprintf("/proc/%d/stat", (int)pid);
	unsigned long user = 0, system = 0;
	char text[1024] = "", *rest;
	FILE *file = fopen(path, "re");

	if (file != NULL) {
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
	}
	rest = strrchr(text, ')');
	if (rest != NULL)
		sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		       &system);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

#endif
