/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/util.h"
#include "meter/decode/internal.h"
#include "meter/decode/load.h"

#define IPV4_HEADER     20
#define IPV6_HEADER     40
#define IPV4_OFFSET     0x1fff
#define IPV4_MORE       0x2000
#define IPV6_OFFSET     0xfff8
#define IPV6_MORE       0x0001
#define FRAGMENT_HEADER 8

enum {
	NEXT_HOP_BY_HOP = 0,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_AUTHENTICATION = 51,
	NEXT_DESTINATION = 60,
	NEXT_MOBILITY = 135,
	NEXT_HIP = 139,
	NEXT_SHIM6 = 140,
};

/* Ran dry: cut off by the capture, or by a frame that is too short for its own headers? */
static enum sn_skip too_short(uint32_t missing, enum sn_skip malformed)
{
	return missing > 0 ? SN_SKIP_TRUNCATED : malformed;
}

/* What lies behind the IP packet in the frame is padding. */
static void cut_to(struct sn_rd *rd, uint32_t length)
{
	if (bytes_left(rd) > length)
		rd->end = rd->p + length;
}

/* Ports if this is not a later fragment; `length` is that of what follows the IP headers. */
static enum sn_skip transport(struct sn_rd *rd, uint32_t length, struct sn_decoded *out)
{
	bool cut = bytes_left(rd) < length;
	enum sn_skip skip;

	if (out->fragmented && out->fragment_offset > 0) {
		out->payload_bytes = length;
		return out->protocol == SN_PROTO_TCP || out->protocol == SN_PROTO_UDP ||
				       out->protocol == SN_PROTO_ICMP ||
				       out->protocol == SN_PROTO_ICMP6
			       ? SN_SKIP_NONE
			       : SN_SKIP_PROTOCOL;
	}
	cut_to(rd, length);
	out->has_transport = true;
	out->payload_bytes = length;
	skip = sn_decode_transport(rd, length, out);
	return skip == SN_SKIP_BAD_TRANSPORT && rd->failed && cut ? SN_SKIP_TRUNCATED : skip;
}

enum sn_skip sn_decode_ipv4(struct sn_rd *rd, uint32_t missing, struct sn_decoded *out)
{
	uint32_t available = (uint32_t)bytes_left(rd);
	const uint8_t *p = take_bytes(rd, IPV4_HEADER);

	if (p == NULL)
		return too_short(missing, SN_SKIP_BAD_IP);

	uint32_t header = (p[0] & 15U) * 4;
	uint32_t total = load_u16(p + 2);
	uint32_t fragment = load_u16(p + 6);

	/* Segmentation offload hands over packets longer than the field can say: 0. */
	if (total == 0)
		total = available + missing;
	if (p[0] >> 4 != 4 || header < IPV4_HEADER || total < header || total > available + missing)
		return SN_SKIP_BAD_IP;
	out->family = 4;
	out->protocol = p[9];
	out->ip_bytes = total;
	out->tos = p[1];
	out->ttl = p[8];
	out->has_ip_id = true;
	out->ip_id = load_u16(p + 4);
	memcpy(out->src, p + 12, 4);
	memcpy(out->dst, p + 16, 4);
	out->fragment_id = out->ip_id;
	out->fragment_offset = (uint16_t)((fragment & IPV4_OFFSET) * 8);
	out->fragmented = (fragment & (IPV4_OFFSET | IPV4_MORE)) != 0;
	if (header > IPV4_HEADER && take_bytes(rd, header - IPV4_HEADER) == NULL)
		return too_short(missing, SN_SKIP_BAD_IP);
	return transport(rd, total - header, out);
}

static bool is_extension(uint8_t next)
{
	return next == NEXT_HOP_BY_HOP || next == NEXT_ROUTING || next == NEXT_DESTINATION ||
	       next == NEXT_FRAGMENT || next == NEXT_AUTHENTICATION || next == NEXT_MOBILITY ||
	       next == NEXT_HIP || next == NEXT_SHIM6;
}

/* Takes one extension header off; its length, or 0 when the reader ran dry. */
static uint32_t take_extension(struct sn_rd *rd, struct sn_decoded *out)
{
	const uint8_t *p = take_bytes(rd, FRAGMENT_HEADER); /* every one has at least 8 bytes */
	uint8_t kind = out->protocol;
	uint32_t length = FRAGMENT_HEADER;

	if (p == NULL)
		return 0;
	out->protocol = p[0];
	if (kind == NEXT_FRAGMENT) {
		uint16_t field = load_u16(p + 2);

		out->fragment_offset = field & IPV6_OFFSET;
		out->fragmented = (field & (IPV6_OFFSET | IPV6_MORE)) != 0;
		out->fragment_id = load_u32(p + 4);
		return length;
	}
	/* RFC 4302 counts the authentication header in other units than RFC 8200 the rest. */
	length = kind == NEXT_AUTHENTICATION ? (p[1] + 2U) * 4 : (p[1] + 1U) * 8;
	if (length < FRAGMENT_HEADER)
		return 0;
	sn_rd_skip(rd, length - FRAGMENT_HEADER);
	return !rd->failed ? length : 0;
}

static enum sn_skip take_extensions(struct sn_rd *rd, uint32_t missing, uint32_t *length,
				    struct sn_decoded *out)
{
	for (int n = 0; is_extension(out->protocol); n++) {
		if (n == SN_DECODE_EXTENSIONS_MAX)
			return SN_SKIP_EXTENSIONS;
		/* A later fragment goes on in the middle of the payload: no headers there. */
		if (out->fragmented && out->fragment_offset > 0)
			return SN_SKIP_NONE;

		uint32_t taken = take_extension(rd, out);

		if (taken == 0)
			return too_short(missing, SN_SKIP_BAD_IP);
		if (taken > *length)
			return SN_SKIP_BAD_IP;
		*length -= taken;
	}
	return SN_SKIP_NONE;
}

enum sn_skip sn_decode_ipv6(struct sn_rd *rd, uint32_t missing, struct sn_decoded *out)
{
	uint32_t available = (uint32_t)bytes_left(rd);
	const uint8_t *p = take_bytes(rd, IPV6_HEADER);
	enum sn_skip skip;

	if (p == NULL)
		return too_short(missing, SN_SKIP_BAD_IP);

	uint32_t length = load_u16(p + 4);

	uint32_t frame = available + missing - IPV6_HEADER;

	if (length == 0 && frame > UINT16_MAX) /* a jumbogram of segmentation offload, RFC 2675 */
		length = frame;
	if (p[0] >> 4 != 6 || length > frame)
		return SN_SKIP_BAD_IP;
	out->family = 6;
	out->protocol = p[6];
	out->ip_bytes = IPV6_HEADER + length;
	out->tos = (uint8_t)(load_u16(p) >> 4);
	out->ttl = p[7];
	memcpy(out->src, p + 8, 16);
	memcpy(out->dst, p + 24, 16);
	skip = take_extensions(rd, missing, &length, out);
	if (skip != SN_SKIP_NONE)
		return skip;
	return transport(rd, length, out);
}
