/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: big-endian loads at constant offsets inside a header whose bytes
 * a checked reader has handed out.  A meter reads some thirty fields per packet; one
 * check per header instead of one per field is a third of its time.
 */
#ifndef SONDE_METER_DECODE_LOAD_H
#define SONDE_METER_DECODE_LOAD_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

static inline uint16_t load_u16(const uint8_t *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof(value));
	return be16toh(value);
}

static inline uint32_t load_u32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return be32toh(value);
}

/* As bytes in memory, but in one piece: it is read in one soon. */
static inline uint64_t load_ipv4_address(const uint8_t *p)
{
	uint32_t bytes;

	memcpy(&bytes, p, sizeof(bytes));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return bytes;
#else
	return (uint64_t)bytes << 32;
#endif
}

/* As sn_rd_bytes(), but without a call: decoding does it some five times per packet. */
static inline const uint8_t *take_bytes(struct sn_rd *rd, size_t size)
{
	const uint8_t *bytes = rd->p;

	if (rd->failed || size > (size_t)(rd->end - rd->p)) {
		rd->failed = true;
		return NULL;
	}
	rd->p += size;
	return bytes;
}

static inline struct sn_rd make_rd(const uint8_t *p, size_t size)
{
	return (struct sn_rd){.p = p, .end = p + size};
}

/*
 * The same where it is to be.  Field by field: what compilers put together on the stack and then
 * copy in wider pieces waits for its own bytes to leave the store queue, twice for each packet.
 */
static inline void set_rd(struct sn_rd *rd, const uint8_t *p, size_t size)
{
	rd->p = p;
	rd->end = p + size;
	rd->failed = false;
}

static inline size_t bytes_left(const struct sn_rd *rd)
{
	return rd->failed ? 0 : (size_t)(rd->end - rd->p);
}

#endif
