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

struct sn_rtp_stream {
	struct sn_rtp_stream *next;
	bool rtcp;
	uint8_t side; /* sender */
	uint32_t ssrc;
	int64_t first_ns, last_ns;
	uint64_t packets, bytes; /* bytes of payload as log_mm_complete counts them */
	struct sn_rtp_range gap_ms, jitter_ms, jitter_8k_ms, jitter_90k_ms, ttl, payload;
	uint64_t lost, out_of_sequence, duplicates, late, bogus;
	struct {
		uint8_t type;
		uint64_t packets;
	} types[SN_RTP_TYPES];
	uint8_t type_count;
	/* RTCP: what the reports say of the other direction. */
	uint64_t reported_lost, report_packets, report_bytes, truncated;
	struct sn_rtp_range reported_fraction, rtt_ms;
	uint8_t mux; /* Tstat's: 1 RTP, 2 RTCP, 4 DTLS, 8 STUN, 16 TURN, 32 ZRTP, 64 MTURN */
	/* State of the estimators (RFC 3550 appendix A). */
	uint16_t max_sequence;
	uint32_t last_timestamp;
	double jitter[3];
	uint32_t seen_mask;
};

struct sn_rtp_streams {
	struct sn_rtp_stream *first;
	unsigned count;
};

#endif
