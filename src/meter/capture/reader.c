/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/decompress.h"
#include "base/mem.h"
#include "base/util.h"
#include "meter/capture/window.h"

#define PIECE (128 * 1024)

void sn_reader_init(struct sn_reader *reader, int fd, size_t capacity)
{
	*reader = (struct sn_reader){
		.fd = fd,
		.buffer = sn_xmalloc(capacity),
		.capacity = capacity,
	};
}

void sn_reader_finish(struct sn_reader *reader)
{
	sn_decompress_destroy(reader->decompress);
	if (reader->window != NULL)
		sn_window_release(reader->window);
	else
		free(reader->buffer);
	*reader = (struct sn_reader){.fd = -1};
}

static ssize_t read_some(struct sn_reader *reader, void *out, size_t size)
{
	ssize_t got;

	if (reader->decompress != NULL)
		return sn_decompress_read(reader->decompress, out, size);
	got = read(reader->fd, out, size);
	return got < 0 ? -errno : got;
}

static void read_more(struct sn_reader *reader, size_t want)
{
	size_t room = reader->capacity - reader->end;

	/* Small pieces stay in the cache until they are looked at, also by another thread. */
	room = SN_MIN(room, SN_MAX(want - (reader->end - reader->start), (size_t)PIECE));

	ssize_t got = read_some(reader, reader->buffer + reader->end, room);

	if (got > 0)
		reader->end += (size_t)got;
	else if (got == 0)
		reader->at_end = true;
	else if (got != -EINTR)
		reader->error = (int)got;
}

/* What is left goes to the front of another; the bytes before it stay as long as they are held. */
static void change_window(struct sn_reader *reader)
{
	struct sn_window *before = reader->window, *window = sn_windows_take(reader->windows);
	uint8_t *bytes = reader->buffer;

	memcpy(window->bytes, bytes + reader->start, reader->end - reader->start);
	reader->window = window;
	reader->slot = window->slot;
	reader->buffer = window->bytes;
	if (before != NULL)
		sn_window_release(before);
	else
		free(bytes);
}

void sn_reader_share(struct sn_reader *reader, struct sn_windows *windows)
{
	assert(reader->windows == NULL && reader->capacity <= SN_WINDOW_BYTES);
	reader->windows = windows;
	change_window(reader);
	reader->end -= reader->start;
	reader->start = 0;
}

size_t sn_reader_fill(struct sn_reader *reader, size_t want)
{
	size_t left = reader->end - reader->start;

	assert(want <= reader->capacity);
	if (left < want && reader->start > 0) {
		if (reader->windows != NULL)
			change_window(reader);
		else
			memmove(reader->buffer, reader->buffer + reader->start, left);
		reader->start = 0;
		reader->end = left;
	}
	while (reader->end - reader->start < want && !reader->at_end && reader->error == 0)
		read_more(reader, want);
	return reader->end - reader->start;
}

void sn_reader_detect(struct sn_reader *reader)
{
	size_t size = sn_reader_fill(reader, SN_DECOMPRESS_MAGIC_MAX);

	assert(reader->decompress == NULL && reader->offset == 0);
	reader->decompress = sn_decompress_create(reader->fd, reader->buffer, size);
	if (reader->decompress == NULL)
		return;
	reader->start = reader->end = 0;
	reader->at_end = false;
	reader->error = 0;
}

const char *sn_reader_reason(const struct sn_reader *reader)
{
	return reader->decompress != NULL ? sn_decompress_reason(reader->decompress)
					  : strerror(-reader->error);
}

uint64_t sn_reader_position(const struct sn_reader *reader)
{
	return reader->decompress != NULL ? sn_decompress_offset(reader->decompress)
					  : reader->offset;
}
