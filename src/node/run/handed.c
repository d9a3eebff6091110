/* SPDX-License-Identifier: Apache-2.0 */
#include "node/run/handed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define FIRST_FD 3

void sn_handed_add(struct sn_handed *handed, const char *option, const char *value)
{
	assert(handed->count < SN_HANDED_MAX);
	handed->options[handed->count] = option;
	handed->values[handed->count++] = sn_xstrdup(value);
}

void sn_handed_add_fd(struct sn_handed *handed, const char *option, const char *prefix, int fd)
{
	sn_autofree char *value = sn_xasprintf("%s%zu", prefix, FIRST_FD + handed->fd_count);

	assert(handed->fd_count < SN_HANDED_FDS_MAX);
	sn_handed_add(handed, option, value);
	handed->fds[handed->fd_count++] = fd;
}

void sn_handed_finish(struct sn_handed *handed)
{
	for (size_t i = 0; i < handed->count; i++)
		free(handed->values[i]);
	for (size_t i = 0; i < handed->fd_count; i++)
		close(handed->fds[i]);
}

const char **sn_handed_argv(const struct sn_handed *handed, char **argv, size_t at)
{
	size_t count = 0, n;
	const char **out;

	while (argv[count] != NULL)
		count++;
	out = sn_new_n(const char *, count + 2 * handed->count + 1);
	memcpy(out, argv, at * sizeof(*out));
	n = at;
	for (size_t i = 0; i < handed->count; i++) {
		out[n++] = handed->options[i];
		out[n++] = handed->values[i];
	}
	memcpy(out + n, argv + at, (count - at) * sizeof(*out));
	return out;
}
