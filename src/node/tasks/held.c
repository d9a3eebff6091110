/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tasks/held.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_MODE 0600

static int open_file(struct sn_held *held, const char *dir)
{
	int fd;

	if (held->fd_plus_1 > 0)
		return 0;
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return -errno;
	held->fd_plus_1 = fd + 1;
	return 0;
}

/* All of what is in memory to the file, or nothing. */
static int spill(struct sn_held *held, const char *dir)
{
	size_t done = 0;
	int error = open_file(held, dir);

	while (error == 0 && done < held->lines.n) {
		ssize_t n = pwrite(held->fd_plus_1 - 1, held->lines.p + done, held->lines.n - done,
				   (off_t)(held->written + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			error = n == 0 ? -ENOSPC : -errno;
	}
	if (error != 0)
		return error;
	held->written += done;
	sn_buf_clear(&held->lines);
	return 0;
}

int sn_held_add(struct sn_held *held, const char *dir, struct sn_str line)
{
	if (held->count >= SN_HELD_MAX)
		return -ENOSPC;
	if (held->lines.n > 0 && held->lines.n + line.n + 1 > SN_HELD_IN_MEMORY) {
		int error = spill(held, dir);

		if (error != 0)
			return error;
	}
	sn_buf_add(&held->lines, line.p, line.n);
	sn_buf_addc(&held->lines, '\n');
	held->count++;
	return 0;
}

/* Gives the whole lines away and leaves what is behind the last one; how many. */
static unsigned give_lines(struct sn_buf *lines, void (*fn)(struct sn_str line, void *ctx),
			   void *ctx)
{
	unsigned count = 0;
	size_t at = 0;
	const char *feed;

	while (at < lines->n && (feed = memchr(lines->p + at, '\n', lines->n - at)) != NULL) {
		size_t length = (size_t)(feed - (lines->p + at));

		fn((struct sn_str){lines->p + at, length}, ctx);
		at += length + 1;
		count++;
	}
	if (at > 0)
		sn_buf_drop(lines, at);
	return count;
}

unsigned sn_held_take(struct sn_held *held, void (*fn)(struct sn_str line, void *ctx), void *ctx)
{
	struct sn_held all = *held;
	struct sn_buf piece = {0};
	unsigned given = 0;

	/* `fn` may hold anew. */
	*held = (struct sn_held){0};
	for (uint64_t at = 0; at < all.written;) {
		char data[SN_HELD_IN_MEMORY];
		ssize_t n = pread(all.fd_plus_1 - 1, data, sizeof(data), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		sn_buf_add(&piece, data, (size_t)n);
		given += give_lines(&piece, fn, ctx);
		at += (uint64_t)n;
	}
	given += give_lines(&all.lines, fn, ctx);
	sn_buf_finish(&piece);
	given = all.count - given;
	sn_held_finish(&all);
	return given;
}

void sn_held_finish(struct sn_held *held)
{
	if (held->fd_plus_1 > 0)
		close(held->fd_plus_1 - 1);
	sn_buf_finish(&held->lines);
	*held = (struct sn_held){0};
}
