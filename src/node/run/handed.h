/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handed: what a process is given beside its declared parameters: descriptors, and
 * options with values that only the node knows.
 */
#ifndef SONDE_NODE_RUN_HANDED_H
#define SONDE_NODE_RUN_HANDED_H

#include <stddef.h>

#define SN_HANDED_MAX     8
#define SN_HANDED_FDS_MAX 4

struct sn_handed { /* zeroed is empty */
	const char *options[SN_HANDED_MAX];
	char *values[SN_HANDED_MAX];
	size_t count;
	int fds[SN_HANDED_FDS_MAX]; /* owned; the process has the first as descriptor 3 */
	size_t fd_count;
};

/* The option's text is borrowed, the value copied. */
void sn_handed_add(struct sn_handed *handed, const char *option, const char *value);
/* Takes the descriptor over; the value is `prefix` and its number there. */
void sn_handed_add_fd(struct sn_handed *handed, const char *option, const char *prefix, int fd);
void sn_handed_finish(struct sn_handed *handed);
/* `argv` with the options behind the first `at` words; the strings stay whose they are. */
const char **sn_handed_argv(const struct sn_handed *handed, char **argv, size_t at);

#endif
