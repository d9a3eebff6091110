/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of one stream of RTP: losses, order, jitter (RFC 3550 section 6.4.1, appendix A). */
#include <math.h>

#include "base/util.h"
#include "meter/app/rtp_internal.h"
#include "meter/decode/load.h"

#define WINDOW         32   /* sequence numbers in which a duplicate is known */
#define DROPOUT_MAX    3000 /* RFC 3550 appendix A.1: a larger step forward is a restart, */
#define MISORDER_MAX   100  /* as is a larger one back */
#define FIRST_DYNAMIC  96
#define CLOCK_8K       8000
#define CLOCK_90K      90000
#define JITTER_SHARE   16 /* RFC 3550 section 6.4.1 */
#define HEADER_BYTES   12
#define SOURCE_BYTES   4
#define EXTENSION_UNIT 4

static const uint32_t clocks[FIRST_DYNAMIC] = {
	[0] = 8000,   [3] = 8000,   [4] = 8000,   [5] = 8000,   [6] = 16000,  [7] = 8000,
	[8] = 8000,   [9] = 8000,   [10] = 44100, [11] = 44100, [12] = 8000,  [13] = 8000,
	[14] = 90000, [15] = 8000,  [16] = 11025, [17] = 22050, [18] = 8000,  [25] = 90000,
	[26] = 90000, [28] = 90000, [31] = 90000, [32] = 90000, [33] = 90000, [34] = 90000,
};

unsigned sn_rtp_clock(uint8_t type)
{
	return type < FIRST_DYNAMIC ? clocks[type] : 0;
}

bool sn_rtp_is_rtcp(struct sn_rd datagram, uint32_t *ssrc)
{
	enum { WORDS_AT = 2, SSRC_AT = 4, CHECKED = 8 };
	const uint8_t *header = take_bytes(&datagram, CHECKED);

	if (header == NULL || header[0] >> 6 != 2 || header[1] < 192 || header[1] > 223)
		return false;
	*ssrc = load_u32(header + SSRC_AT);
	return load_u16(header + WORDS_AT) > 0;
}

static bool is_type(uint8_t type)
{
	return type >= FIRST_DYNAMIC || clocks[type] != 0;
}

bool sn_rtp_read(struct sn_rd rd, uint32_t bytes, struct sn_rtp_header *header)
{
	enum { SEQUENCE_AT = 2, TIMESTAMP_AT = 4, SSRC_AT = 8 };
	const uint8_t *p = take_bytes(&rd, HEADER_BYTES);
	uint32_t before;

	if (p == NULL || p[0] >> 6 != 2 || !is_type(p[1] & 0x7f))
		return false;
	header->marker = p[1] >> 7;
	header->type = p[1] & 0x7f;
	header->sequence = load_u16(p + SEQUENCE_AT);
	header->timestamp = load_u32(p + TIMESTAMP_AT);
	header->ssrc = load_u32(p + SSRC_AT);
	before = HEADER_BYTES + SOURCE_BYTES * (p[0] & 15U);
	sn_rd_skip(&rd, SOURCE_BYTES * (p[0] & 15U));
	if ((p[0] & 0x10) != 0) {
		sn_rd_skip(&rd, 2); /* profile */
		before += EXTENSION_UNIT * (1U + sn_rd_u16be(&rd));
	}
	header->bytes = bytes - before;
	return sn_rd_ok(&rd) && before <= bytes;
}

void sn_rtp_range_add(struct sn_rtp_range *range, double value)
{
	range->min = range->count == 0 ? value : SN_MIN(range->min, value);
	range->max = range->count == 0 ? value : SN_MAX(range->max, value);
	range->sum += value;
	range->sum2 += value * value;
	range->count++;
}

static void count_type(struct sn_rtp_stream *stream, uint8_t type)
{
	unsigned i = 0;

	while (i < stream->type_count && stream->types[i].type != type)
		i++;
	if (i == SN_RTP_TYPES)
		return;
	if (i == stream->type_count)
		stream->types[stream->type_count++].type = type;
	stream->types[i].packets++;
}

static void restart(struct sn_rtp_stream *stream, uint16_t sequence)
{
	stream->base_sequence = stream->max_sequence = sequence;
	stream->cycles = 0;
	stream->window = 1;
	stream->lost_before = stream->lost;
	stream->in_period = 1;
}

static void count_back(struct sn_rtp_stream *stream, unsigned back)
{
	if (back >= WINDOW) {
		stream->late++;
	} else if ((stream->window & 1U << back) != 0) {
		stream->duplicates++;
		stream->in_period--;
	} else {
		stream->window |= 1U << back;
		stream->out_of_sequence++;
	}
}

static void follow_sequence(struct sn_rtp_stream *stream, uint16_t sequence)
{
	uint16_t forward = (uint16_t)(sequence - stream->max_sequence);
	uint16_t back = (uint16_t)-forward;
	int64_t expected;

	if (forward > DROPOUT_MAX && back > MISORDER_MAX) {
		restart(stream, sequence);
		return;
	}
	stream->in_period++;
	if (forward > 0 && forward <= DROPOUT_MAX) {
		if (sequence < stream->max_sequence)
			stream->cycles += 1U << 16;
		stream->max_sequence = sequence;
		stream->window = forward < WINDOW ? stream->window << forward | 1 : 1;
	} else {
		count_back(stream, back);
	}
	expected = (int64_t)stream->cycles + stream->max_sequence - stream->base_sequence + 1;
	stream->lost = stream->lost_before +
		       (uint64_t)SN_MAX(expected - (int64_t)stream->in_period, (int64_t)0);
}

static void add_jitter(struct sn_rtp_jitter *jitter, double arrival_ms, int32_t ticks,
		       unsigned clock)
{
	double difference = fabs(arrival_ms - ticks * 1000.0 / clock);

	jitter->now += (difference - jitter->now) / JITTER_SHARE;
	jitter->min = jitter->count == 0 ? jitter->now : SN_MIN(jitter->min, jitter->now);
	jitter->max = SN_MAX(jitter->max, jitter->now);
	jitter->count++;
}

static void add_jitters(struct sn_rtp_stream *stream, const struct sn_rtp_header *header,
			double gap_ms)
{
	int32_t ticks = (int32_t)(header->timestamp - stream->last_timestamp);
	unsigned own = sn_rtp_clock(header->type);

	if (own != 0)
		add_jitter(&stream->jitter[SN_RTP_CLOCK_OWN], gap_ms, ticks, own);
	add_jitter(&stream->jitter[SN_RTP_CLOCK_8K], gap_ms, ticks, CLOCK_8K);
	add_jitter(&stream->jitter[SN_RTP_CLOCK_90K], gap_ms, ticks, CLOCK_90K);
}

void sn_rtp_stream_add(struct sn_rtp_stream *stream, const struct sn_rtp_header *header,
		       int64_t time_ns)
{
	if (stream->packets == 0) {
		stream->first_ns = time_ns;
		restart(stream, header->sequence);
	} else {
		double gap_ms = (double)(time_ns - stream->last_ns) / 1e6;

		sn_rtp_range_add(&stream->gap_ms, gap_ms);
		add_jitters(stream, header, gap_ms);
		follow_sequence(stream, header->sequence);
	}
	stream->last_ns = time_ns;
	stream->last_timestamp = header->timestamp;
	stream->packets++;
	stream->bytes += header->bytes;
	sn_rtp_range_add(&stream->payload, header->bytes);
	count_type(stream, header->type);
}

/* RTCP -------------------------------------------------------------------- */

enum { SENDER_REPORT = 200, RECEIVER_REPORT = 201 };

/* Round trip of RFC 3550 section 6.4.1, as far as it goes from here. */
static void add_round_trip(struct sn_rtp_stream *stream, const struct sn_rtp_stream *streams,
			   uint32_t ssrc, uint32_t report, uint32_t delay, int64_t time_ns)
{
	const struct sn_rtp_stream *of = streams;
	double rtt_ms;

	while (of != NULL && (!of->rtcp || of->side == stream->side || of->ssrc != ssrc))
		of = of->next;
	if (of == NULL || report == 0 || of->last_report != report)
		return;
	rtt_ms = (double)(time_ns - of->last_report_ns) / 1e6 - delay * 1000.0 / 65536;
	if (rtt_ms >= 0)
		sn_rtp_range_add(&stream->rtt_ms, rtt_ms);
}

static void read_block(struct sn_rtp_stream *stream, const struct sn_rtp_stream *streams,
		       struct sn_rd *rd, int64_t time_ns)
{
	uint32_t ssrc = sn_rd_u32be(rd), losses = sn_rd_u32be(rd), report, delay;

	sn_rd_skip(rd, 8); /* highest sequence number, jitter */
	report = sn_rd_u32be(rd);
	delay = sn_rd_u32be(rd);
	if (!sn_rd_ok(rd))
		return;
	/* Duplicates make the count negative. */
	stream->reported_lost = (losses & 0x800000) != 0 ? 0 : losses & 0xffffff;
	sn_rtp_range_add(&stream->reported_fraction, (losses >> 24) / 256.0);
	add_round_trip(stream, streams, ssrc, report, delay, time_ns);
}

static void read_report(struct sn_rtp_stream *stream, const struct sn_rtp_stream *streams,
			uint8_t type, unsigned blocks, struct sn_rd rd, int64_t time_ns)
{
	sn_rd_skip(&rd, 4); /* SSRC */
	if (type == SENDER_REPORT) {
		sn_rd_skip(&rd, 2);
		stream->last_report = sn_rd_u32be(&rd);
		stream->last_report_ns = time_ns;
		sn_rd_skip(&rd, 2 + 4); /* time stamp of RTP */
		stream->report_packets = sn_rd_u32be(&rd);
		stream->report_bytes = sn_rd_u32be(&rd);
	}
	for (unsigned i = 0; i < blocks && sn_rd_ok(&rd); i++)
		read_block(stream, streams, &rd, time_ns);
}

/* The messages fill the datagram; what SRTCP appends or a short capture cuts does not. */
static bool is_plain(struct sn_rd rd, uint32_t bytes)
{
	if (sn_rd_left(&rd) != bytes)
		return false;
	while (sn_rd_left(&rd) > 0) {
		uint8_t first = sn_rd_u8(&rd);
		uint16_t words;

		sn_rd_skip(&rd, 1);
		words = sn_rd_u16be(&rd);
		sn_rd_skip(&rd, 4U * words);
		if (first >> 6 != 2 || !sn_rd_ok(&rd))
			return false;
	}
	return true;
}

static void read_messages(struct sn_rtp_stream *stream, const struct sn_rtp_stream *streams,
			  struct sn_rd rd, int64_t time_ns)
{
	while (sn_rd_left(&rd) > 0) {
		uint8_t blocks = sn_rd_u8(&rd) & 31, type = sn_rd_u8(&rd);
		size_t size = 4U * sn_rd_u16be(&rd);
		const uint8_t *body = sn_rd_bytes(&rd, size);
		struct sn_rd message;

		if (body == NULL)
			return;
		sn_rd_init(&message, body, size);
		if (type == SENDER_REPORT || type == RECEIVER_REPORT)
			read_report(stream, streams, type, blocks, message, time_ns);
	}
}

void sn_rtcp_stream_add(struct sn_rtp_stream *stream, struct sn_rtp_stream *streams,
			struct sn_rd datagram, uint32_t bytes, int64_t time_ns)
{
	struct sn_rd rd = datagram;
	double gap_ms = 0; /* the first counts, as in Tstat */

	if (stream->packets == 0)
		stream->first_ns = time_ns;
	else
		gap_ms = (double)(time_ns - stream->last_ns) / 1e6;
	sn_rtp_range_add(&stream->gap_ms, gap_ms);
	stream->last_ns = time_ns;
	stream->packets++;
	stream->bytes += bytes;
	sn_rd_skip(&rd, 1);
	count_type(stream, sn_rd_u8(&rd));
	if (sn_rd_left(&datagram) < bytes)
		stream->truncated++;
	else if (is_plain(datagram, bytes))
		read_messages(stream, streams, datagram, time_ns);
}
