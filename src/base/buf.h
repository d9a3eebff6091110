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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

void sn_rd_init(struct sn_rd *rd, const void *data, size_t size);
bool sn_rd_ok(const struct sn_rd *rd);
size_t sn_rd_left(const struct sn_rd *rd);
uint8_t sn_rd_u8(struct sn_rd *rd);
uint16_t sn_rd_u16be(struct sn_rd *rd);
uint32_t sn_rd_u32be(struct sn_rd *rd);
uint64_t sn_rd_u64be(struct sn_rd *rd);
uint16_t sn_rd_u16le(struct sn_rd *rd);
uint32_t sn_rd_u32le(struct sn_rd *rd);
uint64_t sn_rd_u64le(struct sn_rd *rd);
/* `size` bytes as a pointer into the input; NULL on failure. */
const uint8_t *sn_rd_bytes(struct sn_rd *rd, size_t size);
void sn_rd_copy(struct sn_rd *rd, void *out, size_t size); /* zero-fills `out` on failure */
void sn_rd_skip(struct sn_rd *rd, size_t size);

#endif
