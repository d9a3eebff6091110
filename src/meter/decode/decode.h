/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode: from captured bytes to what a flow is made of.
 *
 * Ethernet with any mixture of up to eight 802.1Q/802.1ad tags, MPLS labels, Ethernet
 * over MPLS and PPPoE session headers (IEEE 802.1Q, RFC 3032, RFC 4448, RFC 2516);
 * Linux cooked captures v1 and v2; raw IP; BSD loopback; PPP.  IPv4 with options and
 * fragments (RFC 791), IPv6 with extension headers and fragments (RFC 8200), TCP (RFC
 * 9293), UDP (RFC 768), ICMP (RFC 792), ICMPv6 (RFC 4443).
 *
 * Tunnels: IP in IP in all four ways (RFC 2003, RFC 4213, RFC 2473), GRE with IP, MPLS,
 * Ethernet, ERSPAN or PPP inside (RFC 2784, RFC 2890, RFC 7637, RFC 2637), VXLAN (RFC
 * 7348), GTP-U (3GPP TS 29.281), Geneve (RFC 8926).  Those over UDP only if what is
 * inside is sound IP of a flow; else the datagram is a datagram.  Of a tunnel's packet
 * that comes in fragments the first tells the inner packet's length and stands for it.
 *
 * Lengths are taken from the headers, so that a short snap length changes no
 * byte count.  Each header is taken as one checked block with take_bytes() and
 * then read at constant offsets (decode/load.h).  Whatever is not understood has
 * a reason that the meter counts; nothing is allocated.  Plain packets have a short
 * way (plain.c), which fuzz_decode_packet holds against the long one.
 */
#ifndef SONDE_METER_DECODE_DECODE_H
#define SONDE_METER_DECODE_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "meter/capture/packet.h"

#define SN_DECODE_TAGS_MAX       8 /* VLAN tags, MPLS labels and PPPoE together */
#define SN_DECODE_EXTENSIONS_MAX 8 /* IPv6 extension headers */
#define SN_DECODE_TUNNELS_MAX    4 /* headers of tunnels inside each other */

/* Why a packet belongs to no flow. */
enum sn_skip {
	SN_SKIP_NONE,          /* it does */
	SN_SKIP_NOT_IP,        /* ARP, LLDP, spanning tree, ... */
	SN_SKIP_PROTOCOL,      /* IP, but neither TCP, UDP, ICMP nor ICMPv6: GRE, ESP, OSPF, ... */
	SN_SKIP_TRUNCATED,     /* captured bytes end before the ports do */
	SN_SKIP_BAD_LINK,      /* link header makes no sense or has too many tags */
	SN_SKIP_BAD_IP,        /* version, header length or total length makes no sense */
	SN_SKIP_BAD_TRANSPORT, /* TCP or UDP lengths contradict the IP length */
	SN_SKIP_EXTENSIONS,    /* too many IPv6 extension headers */
	SN_SKIP_FRAGMENT,      /* later fragment whose first one was not seen */
	SN_SKIP_TUNNELS,       /* too many tunnels inside each other */
	SN_SKIP_LATE,          /* a segment of a connection that has ended */
	SN_SKIP_COUNT
};

struct sn_skip_info {
	const char *name; /* a word for JSON */
	const char *help; /* for people */
};
extern const struct sn_skip_info sn_skip_info[SN_SKIP_COUNT];

enum { SN_TCP_FIN = 1, SN_TCP_SYN = 2, SN_TCP_RST = 4, SN_TCP_PSH = 8, SN_TCP_ACK = 16 };

/* IP protocol numbers of what we meter. */
enum { SN_PROTO_ICMP = 1, SN_PROTO_TCP = 6, SN_PROTO_UDP = 17, SN_PROTO_ICMP6 = 58 };

struct sn_decoded {
	uint64_t src[2], dst[2];     /* as on the wire; IPv4 in the first four bytes, rest zero */
	uint8_t family;              /* 4 or 6 */
	uint8_t protocol;            /* SN_PROTO_ */
	bool reply;                  /* ICMP: answer to a request of the same identifier */
	bool has_transport;          /* false: later fragment; the fields below are zero */
	uint16_t src_port, dst_port; /* ICMP: see decode/transport.c */
	uint32_t ip_bytes;           /* whole IP packet by its header */
	uint32_t payload_bytes;      /* behind the transport header, by the headers */
	struct sn_rd payload;        /* what was captured of it */
	uint32_t udp_length;         /* the header's length field; 0 in a jumbogram */
	uint8_t ttl, tos; /* of the innermost IP header; IPv6: hop limit, traffic class */
	bool has_ip_id;   /* IPv4 */
	uint16_t ip_id;
	uint8_t tunnels;         /* headers that were entered, 0 to SN_DECODE_TUNNELS_MAX */
	const uint8_t *stations; /* Ethernet: destination and source, 6 bytes each; else NULL */
	uint16_t tcp_window;

	uint8_t tcp_flags;
	uint32_t tcp_seq, tcp_ack;
	struct sn_rd tcp_options; /* empty if there are none or they were not captured */

	bool fragmented;          /* part of a datagram that comes in several packets */
	uint16_t fragment_offset; /* bytes; 0 in the first */
	uint32_t fragment_id;
};

/*
 * `link` is a DLT_ value that sn_decode_supports().  Tunnels are entered up to `tunnels_max`: what
 * is inside is metered then, not the tunnel; beyond it the packet is what its outer headers say.
 */
enum sn_skip sn_decode(int link, unsigned tunnels_max, const struct sn_packet *packet,
		       struct sn_decoded *out);
bool sn_decode_supports(int link);
/* Messages of this type carry an identifier: echo, timestamp, information, address mask. */
bool sn_decode_icmp_has_id(uint8_t protocol, uint8_t type);

#endif
