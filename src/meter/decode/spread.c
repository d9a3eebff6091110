/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/decode/spread.h"

#include <pcap/dlt.h>
#include <string.h>

#include "base/util.h"
#include "meter/decode/internal.h"
#include "meter/decode/load.h"

#define ETHERNET_HEADER 14
#define IPV4_HEADER     20
#define IPV6_HEADER     40
#define IPV4_OFFSET     0x1fff
#define UDP_PORTS       4
#define MIX_A           0x9e3779b97f4a7c15ULL
#define MIX_B           0xc2b2ae3d27d4eb4fULL

/* What decides, of either family: eight bytes each are mixed, whatever they mean. */
struct ends {
	uint64_t src[2], dst[2];
	uint8_t protocol;
	bool later; /* fragment */
};

enum look {
	LOOK_DONE,   /* the addresses are those of the flow, or the packet is in none */
	LOOK_INSIDE, /* a tunnel */
	LOOK_DECODE, /* this is for those who know everything */
};

/* Sum and exclusive or do not care about the order, and seldom agree by chance both. */
static uint32_t mix(const uint64_t src[2], const uint64_t dst[2])
{
	uint64_t hash = ((src[0] ^ dst[0]) + MIX_B * (src[1] ^ dst[1])) * MIX_A;

	hash ^= ((src[0] + dst[0]) ^ (src[1] + dst[1])) * MIX_B;
	hash ^= hash >> 29;
	hash *= MIX_A;
	return (uint32_t)(hash >> 32);
}

static bool take_ipv4(struct sn_rd *rd, struct ends *ends)
{
	const uint8_t *p = take_bytes(rd, IPV4_HEADER);

	if (p == NULL || p[0] >> 4 != 4)
		return false;
	ends->protocol = p[9];
	ends->later = (load_u16(p + 6) & IPV4_OFFSET) != 0;
	ends->src[0] = load_ipv4_address(p + 12);
	ends->dst[0] = load_ipv4_address(p + 16);
	ends->src[1] = ends->dst[1] = 0;
	if ((p[0] & 15) > 5)
		take_bytes(rd, ((p[0] & 15U) - 5) * 4);
	return true;
}

static bool take_ipv6(struct sn_rd *rd, struct ends *ends)
{
	const uint8_t *p = take_bytes(rd, IPV6_HEADER);

	if (p == NULL || p[0] >> 4 != 6)
		return false;
	ends->protocol = p[6];
	ends->later = false;
	memcpy(ends->src, p + 8, 16);
	memcpy(ends->dst, p + 24, 16);
	return true;
}

static enum look look_at_udp(struct sn_rd *rd, const struct ends *ends)
{
	const uint8_t *p = ends->later ? NULL : take_bytes(rd, UDP_PORTS);

	return p != NULL && sn_decode_is_tunnel(SN_PROTO_UDP, load_u16(p + 2)) ? LOOK_DECODE
									       : LOOK_DONE;
}

static enum look look_at_ip(struct sn_rd *rd, uint16_t ethertype, struct ends *ends)
{
	bool v6 = ethertype == SN_ETHERTYPE_IPV6;

	if (v6 ? !take_ipv6(rd, ends) : !take_ipv4(rd, ends))
		return LOOK_DECODE;
	if (ends->protocol == SN_PROTO_TCP)
		return LOOK_DONE;
	if (ends->protocol == SN_PROTO_UDP)
		return look_at_udp(rd, ends);
	if (sn_decode_is_tunnel(ends->protocol, 0))
		return ends->later ? LOOK_DONE : LOOK_INSIDE;
	/* Extension headers may be in front of anything. */
	return v6 && ends->protocol != SN_PROTO_ICMP6 ? LOOK_DECODE : LOOK_DONE;
}

static enum look look_at_ethernet(const struct sn_packet *packet, unsigned tunnels_max,
				  struct ends *ends)
{
	struct sn_rd rd = make_rd(packet->data, packet->captured);
	const uint8_t *p = take_bytes(&rd, ETHERNET_HEADER);
	uint16_t ethertype = p != NULL ? load_u16(p + 12) : 0;
	enum look look = LOOK_INSIDE;

	if (ethertype != SN_ETHERTYPE_IPV4 && ethertype != SN_ETHERTYPE_IPV6)
		return LOOK_DECODE;
	for (unsigned depth = 0; look == LOOK_INSIDE; depth++) {
		look = look_at_ip(&rd, ethertype, ends);
		if (look == LOOK_INSIDE &&
		    (depth >= tunnels_max || !sn_decode_tunnel(&rd, ends->protocol, 0, &ethertype)))
			look = LOOK_DONE;
	}
	return look;
}

uint32_t sn_decode_spread(const struct sn_packet *packet, unsigned tunnels_max)
{
	struct sn_decoded decoded;
	struct ends ends;

	tunnels_max = SN_MIN(tunnels_max, (unsigned)SN_DECODE_TUNNELS_MAX);
	if (packet->link == DLT_EN10MB && look_at_ethernet(packet, tunnels_max, &ends) == LOOK_DONE)
		return mix(ends.src, ends.dst);
	sn_decode(packet->link, tunnels_max, packet, &decoded);
	return mix(decoded.src, decoded.dst);
}
