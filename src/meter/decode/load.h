/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: big-endian loads at constant offsets inside a header whose bytes
 * sn_rd_bytes() has handed out.  A meter reads some thirty fields per packet; one
 * check per header instead of one per field is a third of its time.
 */
#ifndef SONDE_METER_DECODE_LOAD_H
#define SONDE_METER_DECODE_LOAD_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

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

#endif
