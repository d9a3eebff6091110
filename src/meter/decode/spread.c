/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/decode/spread.h"

#include <pcap/dlt.h>
#include <string.h>

#include "meter/decode/internal.h"
#include "meter/decode/load.h"

#define ETHERNET_HEADER 14
#define IPV4_HEADER     20
#define IPV6_HEADER     40
#define IPV4_OFFSET     0x1fff
#define UDP_PORTS       4
#define MIX_A           0x9e3779b97f4a7c15ULL
#define MIX_B           0xc2b2ae3d27d4eb4fULL

/* Sum and exclusive or do not care about the order, and seldom agree by chance both. */
static uint32_t mix(const uint64_t src[2], const uint64_t dst[2])
{
	uint64_t hash = ((src[0] ^ dst[0]) + MIX_B * (src[1] ^ dst[1])) * MIX_A;

	hash ^= ((src[0] + dst[0]) ^ (src[1] + dst[1])) * MIX_B;
	hash ^= hash >> 29;
	hash *= MIX_A;
	return (uint32_t)(hash >> 32);
}

/* UDP that may be a tunnel has to be decoded to be known. */
static bool is_plain(uint8_t protocol, bool has_ports, const struct sn_rd *rd)
{
	struct sn_decoded outer = {.protocol = protocol};

	if (protocol == SN_PROTO_TCP)
		return true;
	if (protocol == SN_PROTO_UDP && has_ports) {
		if (sn_rd_left(rd) < UDP_PORTS)
			return false;
		outer.dst_port = load_u16(rd->p + 2);
	}
	return !sn_decode_is_tunnel(&outer);
}

static bool look_at_ipv4(struct sn_rd *rd, uint64_t src[2], uint64_t dst[2])
{
	const uint8_t *p = sn_rd_bytes(rd, IPV4_HEADER);

	if (p == NULL || p[0] >> 4 != 4)
		return false;
	memcpy(src, p + 12, 4);
	memcpy(dst, p + 16, 4);
	if ((p[0] & 15) > 5)
		sn_rd_skip(rd, ((p[0] & 15U) - 5) * 4);
	return is_plain(p[9], (load_u16(p + 6) & IPV4_OFFSET) == 0, rd);
}

/* Extension headers are for those who know them. */
static bool look_at_ipv6(struct sn_rd *rd, uint64_t src[2], uint64_t dst[2])
{
	const uint8_t *p = sn_rd_bytes(rd, IPV6_HEADER);

	if (p == NULL || p[0] >> 4 != 6)
		return false;
	memcpy(src, p + 8, 16);
	memcpy(dst, p + 24, 16);
	return (p[6] == SN_PROTO_TCP || p[6] == SN_PROTO_UDP || p[6] == SN_PROTO_ICMP6) &&
	       is_plain(p[6], true, rd);
}

static bool look(const struct sn_packet *packet, uint64_t src[2], uint64_t dst[2])
{
	struct sn_rd rd;
	const uint8_t *p;

	if (packet->link != DLT_EN10MB)
		return false;
	sn_rd_init(&rd, packet->data, packet->captured);
	p = sn_rd_bytes(&rd, ETHERNET_HEADER);
	if (p == NULL)
		return false;
	switch (load_u16(p + 12)) {
	case SN_ETHERTYPE_IPV4:
		return look_at_ipv4(&rd, src, dst);
	case SN_ETHERTYPE_IPV6:
		return look_at_ipv6(&rd, src, dst);
	default:
		return false;
	}
}

uint32_t sn_decode_spread(const struct sn_packet *packet, unsigned tunnels_max)
{
	uint64_t src[2] = {0}, dst[2] = {0};
	struct sn_decoded decoded;

	if (look(packet, src, dst))
		return mix(src, dst);
	sn_decode(packet->link, tunnels_max, packet, &decoded);
	return mix(decoded.src, decoded.dst);
}
