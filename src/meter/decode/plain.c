/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain packets: Ethernet with at most one VLAN tag, IPv4 without options or IPv6 without
 * extension headers, whole TCP or UDP.  Of real traffic that is nearly every packet, so they
 * have a straight way: no tables, no loops, no reader that is handed on.  It asks only
 * whether all headers are here and sound, and writes nothing before that is known; all else
 * is left to sn_decode_any(), which comes back here with what is inside of tunnels.
 */
#include <pcap/dlt.h>
#include <string.h>

#include "base/util.h"
#include "meter/decode/internal.h"
#include "meter/decode/load.h"
#include "meter/inline.h"

#define ETHERNET_HEADER 14
#define VLAN_TAG        4
#define TYPE_VLAN       0x8100
#define IPV4_HEADER     20
#define IPV4_PLAIN      0x45
#define IPV4_FRAGMENT   0x3fff /* offset and whether more follow */
#define IPV6_HEADER     40
#define TCP_HEADER      20
#define UDP_HEADER      8

/* The header at `p` has `length` bytes in the IP packet with what follows, `here` of them captured.
 */
static SN_ALWAYS_INLINE bool plain_tcp(const uint8_t *p, uint32_t length, uint32_t here,
				       struct sn_decoded *out)
{
	uint32_t header;

	if (here < TCP_HEADER)
		return false;
	header = (uint32_t)(p[12] >> 4) * 4;
	if (header < TCP_HEADER || header > here)
		return false;
	out->has_transport = true;
	out->src_port = load_u16(p);
	out->dst_port = load_u16(p + 2);
	out->tcp_seq = load_u32(p + 4);
	out->tcp_ack = load_u32(p + 8);
	out->tcp_flags = p[13];
	out->tcp_window = load_u16(p + 14);
	set_rd(&out->tcp_options, p + TCP_HEADER, header - TCP_HEADER);
	set_rd(&out->payload, p + header, here - header);
	out->payload_bytes = length - header;
	return true;
}

static SN_ALWAYS_INLINE bool plain_udp(const uint8_t *p, uint32_t length, uint32_t here,
				       struct sn_decoded *out)
{
	uint32_t udp_length;

	if (here < UDP_HEADER)
		return false;
	udp_length = load_u16(p + 4);
	if (udp_length < UDP_HEADER || udp_length > length)
		return false;
	out->has_transport = true;
	out->src_port = load_u16(p);
	out->dst_port = load_u16(p + 2);
	out->udp_length = udp_length;
	out->payload_bytes = udp_length - UDP_HEADER;
	set_rd(&out->payload, p + UDP_HEADER, SN_MIN(here - UDP_HEADER, out->payload_bytes));
	return true;
}

static SN_ALWAYS_INLINE bool plain_transport(uint8_t protocol, const uint8_t *p, uint32_t length,
					     uint32_t here, struct sn_decoded *out)
{
	here = SN_MIN(here, length); /* behind the IP packet there is padding */
	return protocol == SN_PROTO_TCP   ? plain_tcp(p, length, here, out)
	       : protocol == SN_PROTO_UDP ? plain_udp(p, length, here, out)
					  : false;
}

/* `here` bytes from `p` on are captured, of `frame` in the frame. */
static SN_ALWAYS_INLINE bool plain_ipv4(const uint8_t *p, uint32_t here, uint32_t frame,
					struct sn_decoded *out)
{
	uint32_t total;

	if (here < IPV4_HEADER)
		return false;
	total = load_u16(p + 2);
	if (p[0] != IPV4_PLAIN || total < IPV4_HEADER || total > frame ||
	    (load_u16(p + 6) & IPV4_FRAGMENT) != 0 ||
	    !plain_transport(p[9], p + IPV4_HEADER, total - IPV4_HEADER, here - IPV4_HEADER, out))
		return false;
	out->family = 4;
	out->protocol = p[9];
	out->ip_bytes = total;
	out->tos = p[1];
	out->ttl = p[8];
	out->has_ip_id = true;
	out->ip_id = load_u16(p + 4);
	out->fragment_id = out->ip_id;
	out->src[0] = load_ipv4_address(p + 12);
	out->dst[0] = load_ipv4_address(p + 16);
	return true;
}

static SN_ALWAYS_INLINE bool plain_ipv6(const uint8_t *p, uint32_t here, uint32_t frame,
					struct sn_decoded *out)
{
	uint32_t length;

	if (here < IPV6_HEADER)
		return false;
	length = load_u16(p + 4);
	if (p[0] >> 4 != 6 || length > frame - IPV6_HEADER ||
	    !plain_transport(p[6], p + IPV6_HEADER, length, here - IPV6_HEADER, out))
		return false;
	out->family = 6;
	out->protocol = p[6];
	out->ip_bytes = IPV6_HEADER + length;
	out->tos = (uint8_t)(load_u16(p) >> 4);
	out->ttl = p[7];
	memcpy(out->src, p + 8, sizeof(out->src));
	memcpy(out->dst, p + 24, sizeof(out->dst));
	return true;
}

static SN_ALWAYS_INLINE bool plain_ip(uint16_t ethertype, const uint8_t *p, uint32_t here,
				      uint32_t frame, struct sn_decoded *out)
{
	return ethertype == SN_ETHERTYPE_IPV4   ? plain_ipv4(p, here, frame, out)
	       : ethertype == SN_ETHERTYPE_IPV6 ? plain_ipv6(p, here, frame, out)
						: false;
}

/* A second copy, for what is not behind a plain Ethernet header. */
bool sn_decode_plain_ip(uint16_t ethertype, const uint8_t *p, uint32_t here, uint32_t frame,
			struct sn_decoded *out)
{
	return plain_ip(ethertype, p, here, frame, out);
}

static bool decode_plain(const struct sn_packet *packet, struct sn_decoded *out)
{
	const uint8_t *p = packet->data;
	uint32_t before = ETHERNET_HEADER;
	uint16_t type;

	if (packet->captured < ETHERNET_HEADER + VLAN_TAG)
		return false;
	type = load_u16(p + before - 2);
	if (type == TYPE_VLAN) {
		before += VLAN_TAG;
		type = load_u16(p + before - 2);
	}
	sn_decoded_clear(out);
	out->stations = p;
	return plain_ip(type, p + before, packet->captured - before, packet->length - before, out);
}

enum sn_skip sn_decode(int link, unsigned tunnels_max, const struct sn_packet *packet,
		       struct sn_decoded *out)
{
	if (link == DLT_EN10MB && decode_plain(packet, out) &&
	    (out->protocol == SN_PROTO_TCP || tunnels_max == 0 ||
	     !sn_decode_is_tunnel(SN_PROTO_UDP, out->dst_port)))
		return SN_SKIP_NONE;
	return sn_decode_any(link, tunnels_max, true, packet, out);
}
