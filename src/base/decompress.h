/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decompress: a descriptor with gzip, zstd or xz data as the bytes inside (RFC 1952, RFC 8878, the
 * .xz file format 1.0.4).
 *
 * Members that follow each other are one stream, as the command line tools have it.  Memory is
 * bounded, whatever the headers ask for: windows of SN_DECOMPRESS_MEMORY_MAX at most, which is what
 * the tools' strongest ordinary levels need.
 */
#ifndef SONDE_BASE_DECOMPRESS_H
#define SONDE_BASE_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SN_DECOMPRESS_MAGIC_MAX  6
#define SN_DECOMPRESS_MEMORY_MAX (128 * 1024 * 1024)

struct sn_decompress;

/*
 * NULL if `begin`, the first bytes of the input, are not compressed; `size` may be smaller than
 * SN_DECOMPRESS_MAGIC_MAX only if the input is.  `fd` is borrowed and read from behind `begin`.
 */
struct sn_decompress *sn_decompress_create(int fd, const uint8_t *begin, size_t size);
void sn_decompress_destroy(struct sn_decompress *stream); /* NULL is fine */

/*
 * As read(2): 0 at the end; -EBADMSG (damaged), -ENODATA (ends too early), -EFBIG (needs more
 * memory than it may have) or an error of read(2), after the bytes that could be made before it.
 */
ssize_t sn_decompress_read(struct sn_decompress *stream, void *out, size_t size);
/* After an error: what is wrong and at which compressed byte. */
const char *sn_decompress_reason(const struct sn_decompress *stream);
/* Compressed bytes taken so far. */
uint64_t sn_decompress_offset(const struct sn_decompress *stream);

#endif
