/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/rtp: quality of media streams: RTP (RFC 3550) and RTCP, also multiplexed
 * with STUN and DTLS on one port (RFC 7983).
 *
 * One stream per SSRC and direction; the columns of Tstat's log_mm_complete.
 */
#ifndef SONDE_METER_APP_RTP_H
#define SONDE_METER_APP_RTP_H

#include "meter/app/udp.h"

#define SN_RTP_STREAMS_MAX 16 /* in one flow */
#define SN_RTP_TYPES       16 /* payload types told apart in one stream */

struct sn_rtp_range { /* of samples; valid if count > 0 */
	double sum, sum2, min, max;
	uint64_t count;
};

/* Clocks that the jitter is reckoned with: the payload type's, and for types without one, both. */
enum { SN_RTP_CLOCK_OWN, SN_RTP_CLOCK_8K, SN_RTP_CLOCK_90K, SN_RTP_CLOCKS };

struct sn_rtp_jitter { /* RFC 3550 section 6.4.1, milliseconds; valid if count > 0 */
	double now, min, max;
	uint32_t count;
};

struct sn_rtp_stream {
	struct sn_rtp_stream *next;
	bool rtcp;
	uint8_t side; /* sender */
	uint32_t ssrc;
	int64_t first_ns, last_ns;
	uint64_t packets;
	uint64_t bytes; /* RTP: behind header and extension; RTCP: whole messages */
	struct sn_rtp_range gap_ms, payload;
	struct sn_rtp_jitter jitter[SN_RTP_CLOCKS];
	uint64_t lost, out_of_sequence, duplicates, late, bogus;
	struct {
		uint8_t type; /* RTCP: of the first message in the datagram */
		uint32_t packets;
	} types[SN_RTP_TYPES];
	uint8_t type_count;
	/* RTCP: what the reports say of the other direction, the last ones for counters. */
	uint64_t reported_lost, report_packets, report_bytes, truncated;
	struct sn_rtp_range reported_fraction, rtt_ms;
	/* State of the estimators (RFC 3550 appendix A). */
	uint16_t base_sequence, max_sequence;
	uint32_t cycles, last_timestamp;
	uint64_t in_period, lost_before; /* since the sequence numbers began afresh, before */
	uint32_t window;                 /* bit n: max_sequence - n has come */
	uint32_t last_report; /* RTCP: middle bits of the NTP time of the last sender report */
	int64_t last_report_ns;
};

struct sn_rtp_streams {
	struct sn_rtp_stream *first; /* in the order they began */
	struct sn_rtp_range ttl[2];  /* of all datagrams of that side of the flow */
	uint8_t mux[2]; /* Tstat's: 1 RTP, 2 RTCP, 4 DTLS, 8 STUN, 16 TURN, 32 ZRTP, 64 MTURN */
	uint8_t count;
};

#endif
