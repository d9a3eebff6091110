/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of decoding.  Each takes its headers off the front of `rd`.
 * `missing` is how many bytes of the frame follow the captured ones: a reader that
 * runs dry while some are missing means truncation, else nonsense.
 */
#ifndef SONDE_METER_DECODE_INTERNAL_H
#define SONDE_METER_DECODE_INTERNAL_H

#include <string.h>

#include "meter/decode/decode.h"

enum { SN_ETHERTYPE_IPV4 = 0x0800, SN_ETHERTYPE_IPV6 = 0x86dd };
enum { SN_PROTO_IPV4 = 4, SN_PROTO_IPV6 = 41, SN_PROTO_GRE = 47 }; /* tunnels */

/* In pieces: of the whole, compilers make a string instruction that costs more than all the rest.
 */
static inline void sn_decoded_clear(struct sn_decoded *out)
{
	enum { PIECE = 16 };
	uint8_t *p = (uint8_t *)out;

#pragma GCC unroll 16
	for (size_t i = 0; i + PIECE <= sizeof(*out); i += PIECE)
		memset(p + i, 0, PIECE);
	memset(p + sizeof(*out) - PIECE, 0, PIECE);
}

/*
 * sn_decode() of any packet by the steps below.  What is plain behind the link headers, or inside
 * of a tunnel, takes the short way if `shortcuts`.  Out of line, so that ordinary packets need not
 * save its registers.
 */
__attribute__((noinline)) enum sn_skip sn_decode_any(int link, unsigned tunnels_max, bool shortcuts,
						     const struct sn_packet *packet,
						     struct sn_decoded *out);
/*
 * The short way (plain.c): `here` bytes from `p` on are captured, of `frame` in the frame.  False,
 * and `out` as it was, if the packet is not plain.
 */
bool sn_decode_plain_ip(uint16_t ethertype, const uint8_t *p, uint32_t here, uint32_t frame,
			struct sn_decoded *out);

/* Link layer: leaves `rd` at the IP header and its ethertype in `ethertype`. */
enum sn_skip sn_decode_link(int link, struct sn_rd *rd, uint16_t *ethertype);
/* The same for what begins behind an ethertype: VLAN tags, MPLS labels, PPPoE. */
enum sn_skip sn_decode_tags(struct sn_rd *rd, uint16_t *ethertype);
enum sn_skip sn_decode_ipv4(struct sn_rd *rd, uint32_t missing, struct sn_decoded *out);
enum sn_skip sn_decode_ipv6(struct sn_rd *rd, uint32_t missing, struct sn_decoded *out);
/* `length` is that of the IP payload (this fragment's) by the headers. */
enum sn_skip sn_decode_transport(struct sn_rd *rd, uint32_t length, struct sn_decoded *out);
/*
 * What the header of ICMP at `p` has in place of ports: src_port is the identifier (0 for types
 * without), dst_port type * 256 + code of the request, in both directions, so that an answer meets
 * its question.
 */
#define SN_ICMP_HEADER 8
void sn_decode_icmp(uint8_t protocol, const uint8_t *p, struct sn_decoded *out);

/* May the packet be the outside of a tunnel?  `dst_port` counts for UDP only. */
bool sn_decode_is_tunnel(uint8_t protocol, uint16_t dst_port);
/*
 * Takes the tunnel's header off `rd`, which is behind the IP or UDP header, and all link headers
 * in it.  False when it is no such header or nothing that leads to IP.
 */
bool sn_decode_tunnel(struct sn_rd *rd, uint8_t protocol, uint16_t dst_port, uint16_t *ethertype);

#endif
