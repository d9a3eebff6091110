/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet through the decoder alone: nothing it finds lies outside of the packet, the short way
 * of plain packets says what the long one does, and the number to share packets out by is that of
 * the flow it is in.
 *
 * Input: link type, highest number of tunnels, two bytes of bytes that were not captured (all
 * little-endian), the captured bytes.
 */
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "lib/decoded.h"
#include "meter/decode/internal.h"
#include "meter/decode/spread.h"

static const int links[] = {DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_RAW,  DLT_NULL,
			    DLT_LOOP,   DLT_PPP,       DLT_PPP_ETHER,  DLT_IPV4, DLT_IPV6};

static void check(bool good)
{
	if (!good)
		abort();
}

static bool is_inside(const struct sn_rd *rd, const struct sn_packet *packet)
{
	return rd->p == rd->end || (rd->p >= packet->data && rd->p < rd->end &&
				    rd->end <= packet->data + packet->captured && !rd->failed);
}

/* The smallest packet between the same addresses. */
static uint32_t plain_spread(const struct sn_decoded *decoded)
{
	uint8_t bytes[14 + 40 + 4] = {0}, *ip = bytes + 14;
	bool v6 = decoded->family == 6;
	struct sn_packet packet = {.data = bytes, .captured = sizeof(bytes), .link = DLT_EN10MB};

	bytes[12] = v6 ? 0x86 : 0x08;
	bytes[13] = v6 ? 0xdd : 0x00;
	ip[0] = v6 ? 0x60 : 0x45;
	ip[v6 ? 6 : 9] = SN_PROTO_TCP;
	memcpy(ip + (v6 ? 8 : 12), decoded->src, v6 ? 16 : 4);
	memcpy(ip + (v6 ? 24 : 16), decoded->dst, v6 ? 16 : 4);
	return sn_decode_spread(&packet, 0);
}

static void check_decoded(const struct sn_decoded *decoded, const struct sn_packet *packet,
			  unsigned tunnels_max)
{
	check(decoded->family == 4 || decoded->family == 6);
	check(decoded->tunnels <= tunnels_max && decoded->tunnels <= SN_DECODE_TUNNELS_MAX);
	check(is_inside(&decoded->payload, packet) && is_inside(&decoded->tcp_options, packet));
	check(sn_rd_left(&decoded->payload) <= decoded->payload_bytes);
	check(decoded->payload_bytes <= decoded->ip_bytes);
	check(decoded->has_transport || (decoded->fragmented && decoded->fragment_offset > 0));
	check(decoded->has_ip_id == (decoded->family == 4));
	check((decoded->stations != NULL) == (packet->link == DLT_EN10MB));
	check(sn_decode_spread(packet, tunnels_max) == plain_spread(decoded));
}

static void check_both_ways(const struct sn_packet *packet, unsigned tunnels_max)
{
	struct sn_decoded one, other;
	enum sn_skip skip = sn_decode(packet->link, tunnels_max, packet, &one);

	check(skip == sn_decode_any(packet->link, tunnels_max, false, packet, &other));
	check(same_decoded(&one, &other));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_decoded decoded;
	struct sn_packet packet;
	unsigned tunnels_max;
	struct sn_rd rd;

	sn_rd_init(&rd, data, size);
	packet.link = (uint16_t)links[sn_rd_u8(&rd) % SN_COUNT(links)];
	tunnels_max = sn_rd_u8(&rd) % 7;
	packet.length = sn_rd_u16le(&rd);
	if (!sn_rd_ok(&rd))
		return 0;
	packet.data = rd.p;
	packet.captured = (uint32_t)sn_rd_left(&rd);
	packet.length += packet.captured;
	check_both_ways(&packet, tunnels_max);
	if (sn_decode(packet.link, tunnels_max, &packet, &decoded) == SN_SKIP_NONE)
		check_decoded(&decoded, &packet, tunnels_max);
	else
		sn_decode_spread(&packet, tunnels_max);
	return 0;
}
