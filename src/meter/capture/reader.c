/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

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
	free(reader->buffer);
	*reader = (struct sn_reader){.fd = -1};
}

static void read_more(struct sn_reader *reader)
{
	ssize_t got =
		read(reader->fd, reader->buffer + reader->end, reader->capacity - reader->end);

	if (got > 0)
		reader->end += (size_t)got;
	else if (got == 0)
		reader->at_end = true;
	else if (errno != EINTR)
		reader->error = -errno;
}

size_t sn_reader_fill(struct sn_reader *reader, size_t want)
{
	size_t left = reader->end - reader->start;

	assert(want <= reader->capacity);
	if (left < want && reader->start > 0) {
		memmove(reader->buffer, reader->buffer + reader->start, left);
		reader->start = 0;
		reader->end = left;
	}
	while (reader->end - reader->start < want && !reader->at_end && reader->error == 0)
		read_more(reader);
	return reader->end - reader->start;
}
