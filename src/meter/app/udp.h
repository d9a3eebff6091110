/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/udp: what is known about the application of a UDP flow.
 */
#ifndef SONDE_METER_APP_UDP_H
#define SONDE_METER_APP_UDP_H

#include "meter/app/app.h"

/*
 * Tstat's c_type and s_type, given where Tstat gives them; FIRST_ ones are candidates that nothing
 * confirmed.  QUIC of Google and version 2 are unknown to it: sn_app_udp_word() knows them.
 */
enum sn_udp_type {
	SN_UDP_UNKNOWN,
	SN_UDP_FIRST_RTP,
	SN_UDP_FIRST_RTCP,
	SN_UDP_RTP,
	SN_UDP_RTCP,
	SN_UDP_SKYPE_E2E,
	SN_UDP_SKYPE_OUT,
	SN_UDP_SKYPE_SIGNALLING,
	SN_UDP_EDK,
	SN_UDP_KAD,
	SN_UDP_KADU,
	SN_UDP_GNUTELLA,
	SN_UDP_BITTORRENT,
	SN_UDP_DC,
	SN_UDP_KAZAA,
	SN_UDP_PPLIVE,
	SN_UDP_SOPCAST,
	SN_UDP_TVANTS,
	SN_UDP_KAD_OBFUSCATED,
	SN_UDP_DNS,
	SN_UDP_UTP,
	SN_UDP_UTP_BITTORRENT,
	SN_UDP_VOD,
	SN_UDP_PPSTREAM,
	SN_UDP_TEREDO,
	SN_UDP_SIP,
	SN_UDP_DTLS,
	SN_UDP_QUIC,
	SN_UDP_FIRST_RTP_PLUS,
	SN_UDP_RTP_PLUS,
	SN_UDP_MTURN,
	SN_UDP_SYE,
	SN_UDP_TYPES
};

struct sn_rtp_streams; /* app/rtp.h: list of streams; NULL: none */
struct sn_udp_parser;

struct sn_app_udp {
	struct sn_name *quic_server_name, *quic_agent, *quic_alpn;
	uint32_t quic_version[2]; /* 0: not seen */
	uint32_t quic_zero_rtt;   /* packets before the server's first; as Tstat counts */
	uint16_t quic_ech;        /* length of the extension, 0: none */
	struct sn_rtp_streams *rtp;
	struct sn_udp_parser *parser; /* CRYPTO frames collected so far, ... */
};

const char *sn_udp_type_word(uint8_t type); /* "dns", "quic", "rtp", ...; "" when unknown */
/* One word for people: of either direction, candidates apart; "" when unknown. */
const char *sn_app_udp_word(const struct sn_udp_flow *flow);

#endif
