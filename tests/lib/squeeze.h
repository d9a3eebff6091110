/* SPDX-License-Identifier: Apache-2.0 */
/* squeeze: bytes as gzip, xz or zstd, as the command line tools make them, and as a file. */
#ifndef SONDE_TESTS_LIB_SQUEEZE_H
#define SONDE_TESTS_LIB_SQUEEZE_H

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
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	size_t made;

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
	sn_buf_reserve(out, ZSTD_compressBound(text.n));
	made = ZSTD_compress2(zstd, out->p + out->n, out->cap - out->n, text.p, text.n);
	assert_false(ZSTD_isError(made));
	ZSTD_freeCCtx(zstd);
	out->n += made;
}

typedef void squeeze_fn(struct sn_str text, struct sn_buf *out);
static const struct squeeze_method {
	const char *name;
	squeeze_fn *squeeze;
} squeeze_methods[] = {{"gzip", squeeze_gzip}, {"xz", squeeze_xz}, {"zstd", squeeze_zstd}};

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
