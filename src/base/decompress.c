/* SPDX-License-Identifier: Apache-2.0 */
#include "base/decompress.h"

#include <errno.h>
#include <inttypes.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"
#include "base/util.h"

#define INPUT_BYTES     (64 * 1024)
#define GZIP_WINDOW     (15 + 16) /* the largest window; a gzip header is expected */
#define ZSTD_WINDOW_LOG 27        /* SN_DECOMPRESS_MEMORY_MAX */

enum step {
	STEP_MORE,  /* give more input or room */
	STEP_ENDED, /* the member is complete */
};

struct method {
	const char *name;
	const char *magic;
	size_t magic_size;
	int (*start)(struct sn_decompress *stream);
	/* Uses input, moves `out` on; enum step or a negative errno with its reason. */
	int (*step)(struct sn_decompress *stream, uint8_t **out, size_t *room);
	void (*stop)(struct sn_decompress *stream);
};

struct sn_decompress {
	const struct method *method;
	int fd, error;
	uint8_t *input;
	size_t start, end; /* unused input */
	uint64_t taken;    /* bytes of the input before `start` */
	bool at_end;       /* of the descriptor */
	bool ended;        /* between two members */
	char reason[128];
	z_stream gzip;
	ZSTD_DStream *zstd;
	lzma_stream xz;
};

static int damaged(struct sn_decompress *stream, int code, const char *why)
{
	snprintf(stream->reason, sizeof(stream->reason),
		 "its %s data are damaged near byte %" PRIu64 ": %s", stream->method->name,
		 stream->taken, why);
	return code;
}

static int too_large(struct sn_decompress *stream)
{
	snprintf(stream->reason, sizeof(stream->reason),
		 "its %s data need more than %d MiB of memory", stream->method->name,
		 SN_DECOMPRESS_MEMORY_MAX / 1024 / 1024);
	return -EFBIG;
}

static void use(struct sn_decompress *stream, size_t count)
{
	stream->start += count;
	stream->taken += count;
}

/* gzip ---------------------------------------------------------------------- */

static int gzip_start(struct sn_decompress *stream)
{
	return inflateInit2(&stream->gzip, GZIP_WINDOW) == Z_OK ? 0 : -ENOMEM;
}

static int gzip_step(struct sn_decompress *stream, uint8_t **out, size_t *room)
{
	z_stream *z = &stream->gzip;
	size_t before = stream->end - stream->start;
	int result;

	z->next_in = stream->input + stream->start;
	z->avail_in = (uInt)before;
	z->next_out = *out;
	z->avail_out = (uInt)*room;
	result = inflate(z, Z_NO_FLUSH);
	use(stream, before - z->avail_in);
	*out = z->next_out;
	*room = z->avail_out;
	if (result == Z_STREAM_END)
		return inflateReset(z) == Z_OK ? STEP_ENDED : -ENOMEM;
	if (result == Z_OK || result == Z_BUF_ERROR)
		return STEP_MORE;
	return damaged(stream, -EBADMSG, z->msg != NULL ? z->msg : "not readable");
}

static void gzip_stop(struct sn_decompress *stream)
{
	inflateEnd(&stream->gzip);
}

/* zstd ---------------------------------------------------------------------- */

static int zstd_start(struct sn_decompress *stream)
{
	stream->zstd = ZSTD_createDStream();
	if (stream->zstd == NULL)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(stream->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	return 0;
}

static int zstd_step(struct sn_decompress *stream, uint8_t **out, size_t *room)
{
	ZSTD_inBuffer in = {.src = stream->input + stream->start,
			    .size = stream->end - stream->start};
	ZSTD_outBuffer to = {.dst = *out, .size = *room};
	size_t result = ZSTD_decompressStream(stream->zstd, &to, &in);

	use(stream, in.pos);
	*out += to.pos;
	*room -= to.pos;
	if (!ZSTD_isError(result))
		return result == 0 ? STEP_ENDED : STEP_MORE;
	if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge)
		return too_large(stream);
	return damaged(stream, -EBADMSG, ZSTD_getErrorName(result));
}

static void zstd_stop(struct sn_decompress *stream)
{
	ZSTD_freeDStream(stream->zstd);
}

/* xz ------------------------------------------------------------------------ */

static int xz_start(struct sn_decompress *stream)
{
	stream->xz = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_stream_decoder(&stream->xz, SN_DECOMPRESS_MEMORY_MAX, LZMA_CONCATENATED) ==
			       LZMA_OK
		       ? 0
		       : -ENOMEM;
}

static const char *xz_reason(lzma_ret result)
{
	static const char *const reasons[] = {
		[LZMA_FORMAT_ERROR] = "not the xz format",
		[LZMA_OPTIONS_ERROR] = "unknown options",
		[LZMA_DATA_ERROR] = "incorrect data check",
	};

	return result < SN_COUNT(reasons) && reasons[result] != NULL ? reasons[result]
								     : "not readable";
}

static int xz_step(struct sn_decompress *stream, uint8_t **out, size_t *room)
{
	lzma_stream *xz = &stream->xz;
	size_t before = stream->end - stream->start;
	lzma_ret result;

	xz->next_in = stream->input + stream->start;
	xz->avail_in = before;
	xz->next_out = *out;
	xz->avail_out = *room;
	result = lzma_code(xz, stream->at_end ? LZMA_FINISH : LZMA_RUN);
	use(stream, before - xz->avail_in);
	*out = xz->next_out;
	*room = xz->avail_out;
	if (result == LZMA_STREAM_END)
		return STEP_ENDED;
	if (result == LZMA_OK || result == LZMA_BUF_ERROR)
		return STEP_MORE;
	return result == LZMA_MEMLIMIT_ERROR ? too_large(stream)
					     : damaged(stream, -EBADMSG, xz_reason(result));
}

static void xz_stop(struct sn_decompress *stream)
{
	lzma_end(&stream->xz);
}

static const struct method methods[] = {
	{"gzip", "\x1f\x8b\x08", 3, gzip_start, gzip_step, gzip_stop},
	{"xz", "\xfd\x37\x7a\x58\x5a\x00", 6, xz_start, xz_step, xz_stop},
	{"zstd", "\x28\xb5\x2f\xfd", 4, zstd_start, zstd_step, zstd_stop},
	/* A frame to skip in front, as parallel compressors write it: 50 to 5f. */
	{"zstd", "\x50\x2a\x4d\x18", 4, zstd_start, zstd_step, zstd_stop},
};

static const struct method *find_method(const uint8_t *begin, size_t size)
{
	for (size_t i = 0; i < SN_COUNT(methods); i++)
		if (size >= methods[i].magic_size &&
		    memcmp(begin, methods[i].magic, methods[i].magic_size) == 0)
			return &methods[i];
	return NULL;
}

struct sn_decompress *sn_decompress_create(int fd, const uint8_t *begin, size_t size)
{
	const struct method *method = find_method(begin, size);
	struct sn_decompress *stream;

	if (method == NULL)
		return NULL;
	stream = sn_new(struct sn_decompress);
	stream->method = method;
	stream->fd = fd;
	stream->input = sn_xmalloc(SN_MAX(size, (size_t)INPUT_BYTES));
	memcpy(stream->input, begin, size);
	stream->end = size;
	stream->error = method->start(stream);
	if (stream->error != 0)
		snprintf(stream->reason, sizeof(stream->reason), "out of memory");
	return stream;
}

void sn_decompress_destroy(struct sn_decompress *stream)
{
	if (stream == NULL)
		return;
	stream->method->stop(stream);
	free(stream->input);
	free(stream);
}

static int refill(struct sn_decompress *stream)
{
	ssize_t got;

	do
		got = read(stream->fd, stream->input, INPUT_BYTES);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		int error = errno;

		snprintf(stream->reason, sizeof(stream->reason), "%s", strerror(error));
		return -error;
	}
	stream->start = 0;
	stream->end = (size_t)got;
	stream->at_end = got == 0;
	return 0;
}

/* gzip members may be padded with zeros, RFC 1952 does not say so but tapes did. */
static void skip_padding(struct sn_decompress *stream)
{
	while (stream->method->step == gzip_step && stream->start < stream->end &&
	       stream->input[stream->start] == 0)
		use(stream, 1);
}

/* Bytes made, 0 for more input, or an error. */
static ssize_t turn(struct sn_decompress *stream, uint8_t *out, size_t size)
{
	uint8_t *at = out;
	size_t room = size;
	bool starved = stream->start == stream->end && stream->at_end;
	int result;

	stream->ended = false;
	result = stream->method->step(stream, &at, &room);
	stream->ended = result == STEP_ENDED;
	if (result < 0)
		stream->error = result;
	else if (at == out && starved && !stream->ended)
		stream->error = damaged(stream, -ENODATA, "they end too early");
	return at > out ? at - out : stream->error;
}

ssize_t sn_decompress_read(struct sn_decompress *stream, void *out, size_t size)
{
	ssize_t made = 0;

	while (made == 0 && stream->error == 0) {
		if (stream->ended)
			skip_padding(stream);
		if (stream->start == stream->end && !stream->at_end)
			stream->error = refill(stream);
		else if (stream->start == stream->end && stream->ended)
			return 0;
		else
			made = turn(stream, out, size);
	}
	return made != 0 ? made : stream->error;
}

const char *sn_decompress_reason(const struct sn_decompress *stream)
{
	return stream->reason;
}

uint64_t sn_decompress_offset(const struct sn_decompress *stream)
{
	return stream->taken;
}
