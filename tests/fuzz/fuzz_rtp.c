/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two streams of RTP and two of RTCP: per packet one byte (lowest bit: side), one of
 * bytes that were not captured, two of milliseconds since the packet before, two of
 * length, all little-endian, and the bytes.
 */
#include <math.h>
#include <stdlib.h>

#include "base/util.h"
#include "meter/app/rtp_internal.h"

static void check_range(const struct sn_rtp_range *range)
{
	if (range->count > 0 && (!isfinite(range->sum) || range->min > range->max))
		abort();
}

static void check(const struct sn_rtp_stream *stream)
{
	uint64_t packets = 0;

	for (unsigned i = 0; i < stream->type_count; i++)
		packets += stream->types[i].packets;
	if (packets > stream->packets || stream->type_count > SN_RTP_TYPES ||
	    stream->duplicates + stream->late + stream->out_of_sequence > stream->packets)
		abort();
	for (unsigned i = 0; i < SN_RTP_CLOCKS; i++) {
		const struct sn_rtp_jitter *jitter = &stream->jitter[i];

		if (!isfinite(jitter->now) ||
		    (jitter->count > 0 && (jitter->now < jitter->min || jitter->now > jitter->max)))
			abort();
	}
	check_range(&stream->gap_ms);
	check_range(&stream->payload);
	check_range(&stream->rtt_ms);
	check_range(&stream->reported_fraction);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_rtp_stream streams[4] = {
		{.side = 0}, {.side = 1}, {.side = 0, .rtcp = true}, {.side = 1, .rtcp = true}};
	int64_t now_ns = SN_NS_PER_S;
	struct sn_rd rd;

	for (unsigned i = 0; i < 3; i++)
		streams[i].next = &streams[i + 1];
	sn_rd_init(&rd, data, size);
	while (sn_rd_left(&rd) > 0) {
		unsigned side = sn_rd_u8(&rd) & 1, missing = sn_rd_u8(&rd);
		struct sn_rtp_header header;
		struct sn_rd packet;
		uint32_t ssrc, length;
		const uint8_t *bytes;

		now_ns += (int16_t)sn_rd_u16le(&rd) * SN_NS_PER_MS;
		length = sn_rd_u16le(&rd);
		bytes = sn_rd_bytes(&rd, length);
		if (bytes == NULL)
			break;
		sn_rd_init(&packet, bytes, length);
		length += missing;
		if (sn_rtp_is_rtcp(packet, &ssrc)) {
			streams[2 + side].ssrc = ssrc;
			sn_rtcp_stream_add(&streams[2 + side], streams, packet, length, now_ns);
		} else if (sn_rtp_read(packet, length, &header)) {
			sn_rtp_stream_add(&streams[side], &header, now_ns);
		}
	}
	for (unsigned i = 0; i < 4; i++)
		check(&streams[i]);
	return 0;
}
