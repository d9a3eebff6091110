/* SPDX-License-Identifier: Apache-2.0 */
/* Files for the tests of readers: written plain or compressed, in a directory of their own. */
#ifndef SONDE_TESTS_EXCHANGE_SQUEEZE_H
#define SONDE_TESTS_EXCHANGE_SQUEEZE_H

#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"

static inline void squeeze_gzip(struct sn_str text, struct sn_buf *out)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)text.p, .avail_in = (uInt)text.n};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	sn_buf_reserve(out, deflateBound(&z, text.n));
	z.next_out = (Bytef *)out->p + out->n;
	z.avail_out = (uInt)(out->cap - out->n);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->n = out->cap - z.avail_out;
	deflateEnd(&z);
}

static inline void squeeze_xz(struct sn_str text, struct sn_buf *out)
{
	sn_buf_reserve(out, lzma_stream_buffer_bound(text.n));
	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text.p,
						 text.n, (uint8_t *)out->p, &out->n, out->cap),
			 LZMA_OK);
}

static inline void squeeze_zstd(struct sn_str text, struct sn_buf *out)
{
	size_t made;

	sn_buf_reserve(out, ZSTD_compressBound(text.n));
	made = ZSTD_compress(out->p + out->n, out->cap - out->n, text.p, text.n, 1);
	assert_false(ZSTD_isError(made));
	out->n += made;
}

/* The path, malloc'ed; whoever asked removes the file. */
static inline char *write_file(struct sn_str bytes)
{
	const char *dir = getenv("TMPDIR");
	char *path = NULL;
	int fd;

	assert_true(asprintf(&path, "%s/sonde-test-XXXXXX", dir != NULL ? dir : "/tmp") > 0);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
	close(fd);
	return path;
}

#endif
