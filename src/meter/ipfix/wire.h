/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: numbers in network byte order, appended to a buffer (RFC 7011, section 6.1).
 */
#ifndef SONDE_METER_IPFIX_WIRE_H
#define SONDE_METER_IPFIX_WIRE_H

#include <endian.h>
#include <stdint.h>

#include "base/buf.h"

static inline void put_u8(struct sn_buf *out, uint8_t value)
{
	sn_buf_add(out, &value, sizeof(value));
}

static inline void put_u16(struct sn_buf *out, uint16_t value)
{
	value = htobe16(value);
	sn_buf_add(out, &value, sizeof(value));
}

static inline void put_u32(struct sn_buf *out, uint32_t value)
{
	value = htobe32(value);
	sn_buf_add(out, &value, sizeof(value));
}

static inline void put_u64(struct sn_buf *out, uint64_t value)
{
	value = htobe64(value);
	sn_buf_add(out, &value, sizeof(value));
}

/* Over what is there already: lengths are known at the end. */
static inline void set_u16(struct sn_buf *out, size_t offset, size_t value)
{
	out->p[offset] = (char)(value >> 8);
	out->p[offset + 1] = (char)value;
}

#endif
