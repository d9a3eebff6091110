/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader: a descriptor (file, pipe, standard input) as a window of bytes that
 * can be looked at before they are taken, with the exact offset of each.  What is
 * compressed is read as the bytes inside.
 *
 * A read(2) brings in 128 KiB: more than stdio, and little enough that packets are
 * still in the second cache when they are looked at.  It is not mmap(2), because a
 * file that shrinks while it is read must give an error and not SIGBUS.
 */
#ifndef SONDE_METER_CAPTURE_READER_H
#define SONDE_METER_CAPTURE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sn_decompress;
struct sn_window;
struct sn_windows;

struct sn_reader {
	int fd;                           /* borrowed */
	struct sn_decompress *decompress; /* owned; NULL: the bytes are what they are */
	uint8_t *buffer;
	size_t capacity, start, end; /* unread bytes are buffer[start..end) */
	uint64_t offset;             /* of buffer[start] in the input, decompressed */
	struct sn_windows *windows;  /* where buffers come from; NULL: there is one of our own */
	struct sn_window *window;    /* the buffer is in it */
	uint32_t slot;               /* its number, 0 if there is none */
	bool at_end;
	int error; /* negative errno of the read that failed */
};

/* `capacity` is the largest window that peek may ask for. */
void sn_reader_init(struct sn_reader *reader, int fd, size_t capacity);
/* Looks at the first bytes and decompresses from here on if they say so; before anything else. */
void sn_reader_detect(struct sn_reader *reader);
void sn_reader_finish(struct sn_reader *reader); /* frees; leaves the descriptor open */

/* From now on into windows of the pool, each of `capacity` bytes or more. */
void sn_reader_share(struct sn_reader *reader, struct sn_windows *windows);

/* Bring in more until `want` bytes are unread, the input ends or fails; returns the unread bytes.
 */
size_t sn_reader_fill(struct sn_reader *reader, size_t want);

/* What reader->error is about. */
const char *sn_reader_reason(const struct sn_reader *reader);
/* How far the descriptor was read for what has been taken; compressed bytes if they are. */
uint64_t sn_reader_position(const struct sn_reader *reader);

/* `want` unread bytes without taking them; NULL if the input has fewer. */
static inline const uint8_t *sn_reader_peek(struct sn_reader *reader, size_t want)
{
	if (reader->end - reader->start < want && sn_reader_fill(reader, want) < want)
		return NULL;
	return reader->buffer + reader->start;
}

/* Takes `count` bytes, which must have been peeked. */
static inline void sn_reader_take(struct sn_reader *reader, size_t count)
{
	reader->start += count;
	reader->offset += count;
}

#endif
