/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain packets: Ethernet with at most one VLAN tag, IPv4 without options or IPv6 without
 * extension headers, whole TCP, UDP or ICMP; also inside of IP in IP and of GRE without fields.
 * Of real traffic that is nearly every packet, so they have a straight way: no tables, no
 * reader that is handed on.  It asks only whether all headers are here and sound, and nothing
 * it wrote counts before that is known; all else is left to sn_decode_any(), which comes back
 * here with what is inside of other tunnels.
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
#define GRE_HEADER      4

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

/* Out of line: few packets are, and the others need not save its registers. */
__attribute__((noinline)) static bool plain_icmp(uint8_t protocol, const uint8_t *p,
						 uint32_t length, uint32_t here,
						 struct sn_decoded *out)
{
	if (here < SN_ICMP_HEADER)
		return false;
	out->has_transport = true;
	sn_decode_icmp(protocol, p, out);
	out->payload_bytes = length - SN_ICMP_HEADER;
	set_rd(&out->payload, p + SN_ICMP_HEADER, here - SN_ICMP_HEADER);
	return true;
}

static SN_ALWAYS_INLINE bool plain_transport(uint8_t protocol, const uint8_t *p, uint32_t length,
					     uint32_t here, struct sn_decoded *out)
{
	here = SN_MIN(here, length); /* behind the IP packet there is padding */
	switch (protocol) {
	case SN_PROTO_TCP:
		return plain_tcp(p, length, here, out);
	case SN_PROTO_UDP:
		return plain_udp(p, length, here, out);
	case SN_PROTO_ICMP:
	case SN_PROTO_ICMP6:
		return plain_icmp(protocol, p, length, here, out);
	default:
		return false;
	}
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

/* Where the next header is: `here` bytes from `p` on are captured, of `frame` that there are. */
struct place {
	const uint8_t *p;
	uint32_t here, frame;
	uint16_t ethertype;
};

static void step(struct place *at, uint32_t header, uint32_t total)
{
	at->p += header;
	at->here = SN_MIN(at->here, total) - header;
	at->frame = total - header;
}

/* IP in IP, or GRE without any of its fields around IP. */
static bool enter_plain(uint8_t protocol, struct place *at)
{
	if (protocol == SN_PROTO_IPV4 || protocol == SN_PROTO_IPV6) {
		at->ethertype = protocol == SN_PROTO_IPV4 ? SN_ETHERTYPE_IPV4 : SN_ETHERTYPE_IPV6;
		return true;
	}
	if (protocol != SN_PROTO_GRE || at->here < GRE_HEADER || load_u16(at->p) != 0)
		return false;
	at->ethertype = load_u16(at->p + 2);
	step(at, GRE_HEADER, at->frame);
	return true;
}

/* Takes plain IP headers off that are the outside of a tunnel, and the tunnel's. */
static bool take_outside(struct place *at)
{
	const uint8_t *p = at->p;
	uint32_t header = at->ethertype == SN_ETHERTYPE_IPV4 ? IPV4_HEADER : IPV6_HEADER, total;
	uint8_t protocol;

	if (at->here < header)
		return false;
	if (at->ethertype == SN_ETHERTYPE_IPV4) {
		total = load_u16(p + 2);
		protocol = p[9];
		if (p[0] != IPV4_PLAIN || (load_u16(p + 6) & IPV4_FRAGMENT) != 0)
			return false;
	} else if (at->ethertype == SN_ETHERTYPE_IPV6) {
		total = IPV6_HEADER + load_u16(p + 4);
		protocol = p[6];
		if (p[0] >> 4 != 6)
			return false;
	} else {
		return false;
	}
	if (total < header || total > at->frame)
		return false;
	step(at, header, total);
	return enter_plain(protocol, at);
}

/* The IP header of a plain Ethernet frame. */
static SN_ALWAYS_INLINE bool find_ip(const struct sn_packet *packet, struct place *at)
{
	uint32_t before = ETHERNET_HEADER;

	if (packet->captured < ETHERNET_HEADER + VLAN_TAG)
		return false;
	at->ethertype = load_u16(packet->data + before - 2);
	if (at->ethertype == TYPE_VLAN) {
		before += VLAN_TAG;
		at->ethertype = load_u16(packet->data + before - 2);
	}
	at->p = packet->data + before;
	at->here = packet->captured - before;
	at->frame = packet->length - before;
	return true;
}

static bool decode_plain(const struct sn_packet *packet, struct sn_decoded *out)
{
	struct place at;

	if (!find_ip(packet, &at))
		return false;
	sn_decoded_clear(out);
	out->stations = packet->data;
	return plain_ip(at.ethertype, at.p, at.here, at.frame, out);
}

/* What decode_plain() has left.  Out of line, so that the others need not save its registers. */
__attribute__((noinline)) static bool decode_plain_inside(const struct sn_packet *packet,
							  unsigned tunnels_max,
							  struct sn_decoded *out)
{
	struct place at, next;
	unsigned tunnels = 0;

	if (!find_ip(packet, &at))
		return false;
	tunnels_max = SN_MIN(tunnels_max, SN_DECODE_TUNNELS_MAX);
	for (next = at; tunnels < tunnels_max && take_outside(&next); tunnels++)
		at = next;
	out->tunnels = (uint8_t)tunnels;
	return tunnels > 0 && sn_decode_plain_ip(at.ethertype, at.p, at.here, at.frame, out);
}

enum sn_skip sn_decode(int link, unsigned tunnels_max, const struct sn_packet *packet,
		       struct sn_decoded *out)
{
	if (link == DLT_EN10MB &&
	    (decode_plain(packet, out) || decode_plain_inside(packet, tunnels_max, out)) &&
	    (out->protocol != SN_PROTO_UDP || tunnels_max == 0 ||
	     !sn_decode_is_tunnel(SN_PROTO_UDP, out->dst_port)))
		return SN_SKIP_NONE;
	return sn_decode_any(link, tunnels_max, true, packet, out);
}
