/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf: a growing byte buffer, and `rd`, the checked reader.
 *
 * sn_rd is the only way Sonde parses packets and framed messages.  A reader
 * latches failure: after the first read past the end every further read gives
 * zero and sn_rd_ok() stays false, so ten reads need one check.
 */
#ifndef SONDE_BASE_BUF_H
#define SONDE_BASE_BUF_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"

struct sn_buf { /* zeroed is empty and valid */
	char *p;
	size_t n, cap;
};

void sn_buf_finish(struct sn_buf *buf); /* frees; harmless on zeroed */
void sn_buf_clear(struct sn_buf *buf);  /* empty, keeps memory */
void sn_buf_reserve(struct sn_buf *buf, size_t more);
void sn_buf_add(struct sn_buf *buf, const void *data, size_t size);
void sn_buf_adds(struct sn_buf *buf, const char *text);
void sn_buf_addc(struct sn_buf *buf, char byte);
void sn_buf_addf(struct sn_buf *buf, const char *format, ...) SN_PRINTF(2, 3);
void sn_buf_add_u64(struct sn_buf *buf, uint64_t value); /* decimal, fast */
void sn_buf_add_i64(struct sn_buf *buf, int64_t value);
void sn_buf_drop(struct sn_buf *buf, size_t count); /* takes `count` bytes off the front */
/* Terminates with NUL (not counted in n) and returns the text, owned by `buf`. */
const char *sn_buf_cstr(struct sn_buf *buf);
struct sn_str sn_buf_str(const struct sn_buf *buf);

struct sn_rd {
	const uint8_t *p, *end;
	bool failed;
};

/* Small and called for every field of every packet, hence here. */
static inline void sn_rd_init(struct sn_rd *rd, const void *data, size_t size)
{
	/* Null plus zero is undefined in C; an empty input needs no address of its own. */
	const uint8_t *p = data != NULL ? (const uint8_t *)data : (const uint8_t *)"";

	*rd = (struct sn_rd){.p = p, .end = p + size};
}

static inline bool sn_rd_ok(const struct sn_rd *rd)
{
	return !rd->failed;
}

static inline size_t sn_rd_left(const struct sn_rd *rd)
{
	return rd->failed ? 0 : (size_t)(rd->end - rd->p);
}

/* `size` bytes as a pointer into the input; NULL on failure. */
static inline const uint8_t *sn_rd_bytes(struct sn_rd *rd, size_t size)
{
	const uint8_t *bytes = rd->p;

	if (rd->failed || size > (size_t)(rd->end - rd->p)) {
		rd->failed = true;
		return NULL;
	}
	rd->p += size;
	return bytes;
}

static inline void sn_rd_skip(struct sn_rd *rd, size_t size)
{
	sn_rd_bytes(rd, size);
}

/* sn_rd_u8(), sn_rd_u16be(), ...: a number of so many bits; 0 on failure. */
#define SN_RD_NUMBER(name_, type_, from_)                                                          \
	static inline type_ name_(struct sn_rd *rd)                                                \
	{                                                                                          \
		const uint8_t *p = sn_rd_bytes(rd, sizeof(type_));                                 \
		type_ value = 0;                                                                   \
                                                                                                   \
		if (p == NULL)                                                                     \
			return 0;                                                                  \
		memcpy(&value, p, sizeof(value));                                                  \
		return from_(value);                                                               \
	}
#define SN_RD_AS_IT_IS(value_) (value_)
SN_RD_NUMBER(sn_rd_u8, uint8_t, SN_RD_AS_IT_IS)
SN_RD_NUMBER(sn_rd_u16be, uint16_t, be16toh)
SN_RD_NUMBER(sn_rd_u32be, uint32_t, be32toh)
SN_RD_NUMBER(sn_rd_u64be, uint64_t, be64toh)
SN_RD_NUMBER(sn_rd_u16le, uint16_t, le16toh)
SN_RD_NUMBER(sn_rd_u32le, uint32_t, le32toh)
SN_RD_NUMBER(sn_rd_u64le, uint64_t, le64toh)
#undef SN_RD_NUMBER
#undef SN_RD_AS_IT_IS

void sn_rd_copy(struct sn_rd *rd, void *out, size_t size); /* zero-fills `out` on failure */

#endif
