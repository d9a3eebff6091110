/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture files for the tests of their readers: an image is put together in
 * memory, then goes through a temporary file or a pipe.
 */
#ifndef SONDE_TESTS_METER_IMAGE_H
#define SONDE_TESTS_METER_IMAGE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "meter/capture/file.h"

struct image {
	struct sn_buf bytes;
	bool big_endian;
};

static inline void add32(struct image *image, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		sn_buf_addc(&image->bytes,
			    (char)(value >> (image->big_endian ? 24 - 8 * i : 8 * i)));
}

static inline void add16(struct image *image, unsigned value)
{
	for (int i = 0; i < 2; i++)
		sn_buf_addc(&image->bytes,
			    (char)(value >> (image->big_endian ? 8 - 8 * i : 8 * i)));
}

static inline void add64(struct image *image, uint64_t value)
{
	add32(image, (uint32_t)(image->big_endian ? value >> 32 : value));
	add32(image, (uint32_t)(image->big_endian ? value : value >> 32));
}

static inline void add_pattern(struct image *image, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		sn_buf_addc(&image->bytes, (char)i);
}

static inline void add_classic_header(struct image *image, uint32_t magic, uint32_t link)
{
	add32(image, magic);
	add16(image, 2);
	add16(image, 4);
	add32(image, 0);
	add32(image, 0);
	add32(image, 65535);
	add32(image, link);
}

static inline void add_record(struct image *image, uint32_t seconds, uint32_t fraction,
			      uint32_t captured, uint32_t length, uint32_t written)
{
	add32(image, seconds);
	add32(image, fraction);
	add32(image, captured);
	add32(image, length);
	add_pattern(image, written);
}

/* pcapng: a block is begun, filled and ended, which puts both lengths in. */
static inline size_t begin_block(struct image *image, uint32_t type)
{
	size_t at = image->bytes.n;

	add32(image, type);
	add32(image, 0);
	return at;
}

static inline void end_block(struct image *image, size_t at)
{
	struct sn_buf *bytes = &image->bytes;
	size_t end;

	while ((bytes->n - at) % 4 != 0)
		sn_buf_addc(bytes, 0);
	add32(image, (uint32_t)(bytes->n - at) + 4);
	end = bytes->n;
	memcpy(bytes->p + at + 4, bytes->p + end - 4, 4);
}

static inline void add_option(struct image *image, unsigned code, unsigned length)
{
	add16(image, code);
	add16(image, length);
}

static inline void add_section(struct image *image)
{
	size_t at = begin_block(image, 0x0a0d0d0a);

	add32(image, 0x1a2b3c4d);
	add16(image, 1);
	add16(image, 0);
	add64(image, UINT64_MAX);
	end_block(image, at);
}

/* With if_tsresol unless it is that of microseconds, which is the default. */
static inline void add_interface(struct image *image, unsigned link, uint32_t snaplen,
				 uint8_t resolution)
{
	size_t at = begin_block(image, 1);

	add16(image, link);
	add16(image, 0);
	add32(image, snaplen);
	if (resolution != 6) {
		add_option(image, 9, 1);
		sn_buf_addc(&image->bytes, (char)resolution);
		add_pattern(image, 3);
		add_option(image, 0, 0);
	}
	end_block(image, at);
}

static inline void add_enhanced(struct image *image, uint32_t interface, uint64_t units,
				uint32_t captured)
{
	size_t at = begin_block(image, 6);

	add32(image, interface);
	add32(image, (uint32_t)(units >> 32));
	add32(image, (uint32_t)units);
	add32(image, captured);
	add32(image, captured);
	add_pattern(image, captured);
	end_block(image, at);
}

/* Where the bytes go ------------------------------------------------------- */

static inline int bytes_to_file(const void *bytes, size_t size)
{
	char path[] = "/tmp/sonde-test-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || unlink(path) != 0 || write(fd, bytes, size) != (ssize_t)size ||
	    lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* The writer closes at once, so the bytes must fit into the pipe. */
static inline int bytes_to_pipe(const void *bytes, size_t size)
{
	int ends[2];

	if (pipe(ends) != 0 || write(ends[1], bytes, size) != (ssize_t)size)
		abort();
	close(ends[1]);
	return ends[0];
}

#endif
