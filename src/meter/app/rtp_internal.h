/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtp_internal: what one datagram does to a stream; pure, so that the arithmetic of
 * RFC 3550 can be tested without flows.
 */
#ifndef SONDE_METER_APP_RTP_INTERNAL_H
#define SONDE_METER_APP_RTP_INTERNAL_H

#include "base/buf.h"
#include "meter/app/rtp.h"

/* The header of a packet of RTP (RFC 3550 section 5.1). */
struct sn_rtp_header {
	uint8_t type;
	bool marker;
	uint16_t sequence;
	uint32_t timestamp, ssrc;
	uint32_t bytes; /* of payload, behind header, sources and extension */
};

/* False if it cannot be RTP.  `bytes`: of the datagram, of which `datagram` was captured. */
bool sn_rtp_read(struct sn_rd datagram, uint32_t bytes, struct sn_rtp_header *header);
/* RFC 5761 section 4: the second byte tells RTCP from RTP. */
bool sn_rtp_is_rtcp(struct sn_rd datagram, uint32_t *ssrc);
/* Ticks a second of a static payload type (RFC 3551 section 6), 0 if it has none. */
unsigned sn_rtp_clock(uint8_t type);

void sn_rtp_range_add(struct sn_rtp_range *range, double value);
void sn_rtp_stream_add(struct sn_rtp_stream *stream, const struct sn_rtp_header *header,
		       int64_t time_ns);
/* `streams`: all of the flow, among them the one whose report a report answers. */
void sn_rtcp_stream_add(struct sn_rtp_stream *stream, struct sn_rtp_stream *streams,
			struct sn_rd datagram, uint32_t bytes, int64_t time_ns);

#endif
