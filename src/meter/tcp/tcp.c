/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/tcp/tcp.h"

#include <string.h>

#include "meter/tcp/handshake.h"
#include "meter/tcp/options.h"
#include "meter/tcp/sequence.h"

#define PLAIN_TIMESTAMPS 12 /* bytes: two NOPs and the option, nothing else */

enum { CLIENT, SERVER };

static bool has(const struct sn_decoded *packet, uint8_t flags)
{
	return (packet->tcp_flags & flags) == flags;
}

/* What most segments carry, told apart by a look. */
static bool is_plain_timestamps(const struct sn_rd *options)
{
	static const uint8_t head[4] = {1, 1, 8, 10};

	return sn_rd_left(options) == PLAIN_TIMESTAMPS &&
	       memcmp(options->p, head, sizeof(head)) == 0;
}

static void take_options(struct sn_tcp *tcp, struct sn_segment_pool *pool, unsigned number,
			 const struct sn_tcp_options *options)
{
	struct sn_tcp_side *side = &tcp->side[number];

	if (options->has_scale) {
		side->has_scale = true;
		side->window_scale = options->scale;
	}
	if (options->has_mss)
		side->mss = options->mss;
	side->has_timestamps |= options->has_timestamps;
	side->has_sack |= options->has_sack_permitted;
	if (options->has_sack)
		sn_tcp_trouble_begin(tcp, pool, number)->sacks++;
}

/* Options of a segment without SYN. */
static void take_later_options(struct sn_tcp *tcp, struct sn_segment_pool *pool,
			       const struct sn_decoded *packet, unsigned side, int64_t time_ns)
{
	struct sn_tcp_side *from = &tcp->side[side];
	bool awaited = !tcp->handshaken && side == CLIENT && tcp->synack_ns != 0 &&
		       has(packet, SN_TCP_ACK);
	struct sn_tcp_options options = {0};

	if (!awaited && sn_rd_left(&packet->tcp_options) == 0)
		return;
	if (!awaited && is_plain_timestamps(&packet->tcp_options)) {
		from->has_timestamps = true;
		return;
	}
	sn_tcp_options_read(&options, packet);
	take_options(tcp, pool, side, &options);
	if (awaited)
		sn_tcp_handshake_ack(tcp, packet, &options, time_ns);
}

static void take_syn(struct sn_tcp *tcp, struct sn_segment_pool *pool,
		     const struct sn_decoded *packet, unsigned side, int64_t time_ns)
{
	struct sn_tcp_side *from = &tcp->side[side];
	struct sn_tcp_options options;

	sn_tcp_options_read(&options, packet);
	take_options(tcp, pool, side, &options);
	sn_tcp_handshake_syn(tcp, packet, &options, side, time_ns);
	from->n.syn++;
	if (from->has_syn && from->isn != packet->tcp_seq)
		from->odd_repeat = true;
	else
		from->isn = packet->tcp_seq;
	from->has_syn = true;
}

static void take_fin(struct sn_tcp_side *side, const struct sn_decoded *packet)
{
	uint32_t end = packet->tcp_seq + packet->payload_bytes + 1;

	side->n.fin++;
	if (side->has_fin && side->fin_end != end)
		side->odd_repeat = true;
	else
		side->fin_end = end;
	side->has_fin = true;
}

/*
 * Before the options of this segment are taken: RFC 7323 section 2 says that the window of a SYN is
 * never scaled; Tstat scales that of a repeated one.
 */
static void take_window(struct sn_tcp *tcp, struct sn_segment_pool *pool,
			const struct sn_decoded *packet, unsigned side)
{
	struct sn_tcp_side *from = &tcp->side[side];
	bool scaled = from->has_scale && tcp->side[side ^ 1U].has_scale;
	uint32_t window = (uint32_t)packet->tcp_window << (scaled ? from->window_scale : 0);

	if (!scaled && !has(packet, SN_TCP_SYN))
		from->window_scale = 0;
	tcp->inner[side].closed_window = window == 0;
	if (window == 0) {
		if (has(packet, SN_TCP_ACK))
			sn_tcp_trouble_begin(tcp, pool, side)->zero_windows++;
		return;
	}
	if (window > from->window_max)
		from->window_max = window;
	if (window < from->window_min || from->window_min == 0)
		from->window_min = window;
}

static void take_ttl(struct sn_tcp_side *side, uint8_t ttl)
{
	if (ttl > side->ttl_max)
		side->ttl_max = ttl;
	if (ttl < side->ttl_min || side->ttl_min == 0)
		side->ttl_min = ttl;
}

static void take_payload(struct sn_tcp_side *side, const struct sn_decoded *packet, int64_t time_ns)
{
	uint16_t bytes = (uint16_t)SN_MIN(packet->payload_bytes, (uint32_t)UINT16_MAX);

	if (side->n.data++ == 0) {
		side->first_data_ns = time_ns;
		side->segment_min = bytes;
	}
	side->last_data_ns = time_ns;
	side->segment_max = SN_MAX(side->segment_max, bytes);
	side->segment_min = SN_MIN(side->segment_min, bytes);
}

/* True if the connection has ended: both FINs are acknowledged. */
static bool take_ack(struct sn_tcp *tcp, struct sn_segment_pool *pool,
		     const struct sn_decoded *packet, unsigned side, int64_t time_ns)
{
	struct sn_tcp_side *from = &tcp->side[side], *peer = &tcp->side[side ^ 1U];
	struct sn_tcp_inner *other = &tcp->inner[side ^ 1U];
	bool again;

	from->n.ack++;
	if (packet->payload_bytes == 0 &&
	    (packet->tcp_flags & (SN_TCP_SYN | SN_TCP_FIN | SN_TCP_RST)) == 0)
		from->n.pure_ack++;
	if (from->first_ack_ns == 0 && (packet->tcp_flags & (SN_TCP_SYN | SN_TCP_RST)) == 0)
		from->first_ack_ns = time_ns;
	again = from->has_ack && from->acked == packet->tcp_ack;
	from->acked = packet->tcp_ack;
	from->has_ack = true;
	if (!other->begun)
		return false;
	sn_tcp_acknowledge(tcp, pool, side ^ 1U, packet->tcp_ack, again, time_ns);
	if (sn_seq_before(peer->isn + 1, packet->tcp_ack))
		other->answered = 1;
	if (!peer->has_fin || sn_seq_before(packet->tcp_ack, peer->fin_end))
		return false;
	other->fin_acked = 1;
	return tcp->inner[side].fin_acked;
}

/* Bytes in flight with this segment; of pure acknowledgements, too. */
static void measure_flight(struct sn_tcp *tcp, const struct sn_decoded *packet, unsigned side)
{
	const struct sn_tcp_side *peer = &tcp->side[side ^ 1U];
	struct sn_tcp_side *from = &tcp->side[side];
	uint32_t flight = packet->tcp_seq + packet->payload_bytes - peer->acked;

	if (!peer->has_ack || (int32_t)flight <= 0)
		return;
	from->flight_max = SN_MAX(from->flight_max, flight);
	if (from->flight_min == 0 || flight < from->flight_min)
		from->flight_min = flight;
}

static void take_reset(struct sn_tcp *tcp, unsigned side)
{
	tcp->side[side].n.rst++;
	tcp->reset = true;
	tcp->reset_side = side & 1;
}

/* A message ends with PSH or FIN. */
static void count_message(struct sn_tcp_side *side, struct sn_tcp_inner *inner, uint8_t flags)
{
	unsigned ends = inner->news & ((flags & (SN_TCP_PSH | SN_TCP_FIN)) != 0);

	side->messages += ends;
	inner->news ^= ends & 1;
}

void sn_tcp_update(struct sn_tcp *tcp, struct sn_segment_pool *pool,
		   const struct sn_decoded *packet, unsigned side, int64_t time_ns,
		   struct sn_tcp_verdict *verdict)
{
	struct sn_tcp_side *from = &tcp->side[side];
	uint8_t flags = packet->tcp_flags;
	bool odd = false; /* a SYN elsewhere in the space of numbers: not part of the stream */

	*verdict = (struct sn_tcp_verdict){.anomaly = SN_TCP_ANOMALIES};
	tcp->flags |= flags;
	if (tcp->inner[CLIENT].syn_waits)
		sn_tcp_remember_syn(tcp, pool);
	take_ttl(from, packet->ttl);
	if ((flags & SN_TCP_RST) == 0)
		take_window(tcp, pool, packet, side);
	if ((flags & SN_TCP_SYN) != 0) {
		odd = from->has_syn && from->isn != packet->tcp_seq;
		take_syn(tcp, pool, packet, side, time_ns);
	} else {
		take_later_options(tcp, pool, packet, side, time_ns);
	}
	if (packet->payload_bytes > 0)
		take_payload(from, packet, time_ns);
	if ((packet->payload_bytes > 0 || (flags & (SN_TCP_SYN | SN_TCP_FIN)) != 0) && !odd)
		sn_tcp_send(tcp, pool, packet, side, time_ns, verdict);
	if (verdict->anomaly == SN_TCP_ANOMALIES && (flags & (SN_TCP_SYN | SN_TCP_RST)) == 0)
		measure_flight(tcp, packet, side);
	if ((flags & SN_TCP_FIN) != 0)
		take_fin(from, packet);
	if ((flags & SN_TCP_ACK) != 0) {
		verdict->closes = take_ack(tcp, pool, packet, side, time_ns);
		count_message(from, &tcp->inner[side], flags);
	}
	if ((flags & SN_TCP_PSH) != 0)
		from->has_push = true;
	if ((flags & SN_TCP_RST) != 0) {
		take_reset(tcp, side);
		verdict->closes = true;
	}
}

void sn_tcp_forget(struct sn_tcp *tcp, struct sn_segment_pool *pool)
{
	for (unsigned i = 0; i < 2; i++) {
		struct sn_tcp_side *side = &tcp->side[i];

		sn_segments_clear(&side->segments, pool, side->segment_count);
		side->segment_count = 0;
	}
	if (tcp->trouble != NULL)
		sn_pool_give(&pool->troubles, tcp->trouble);
	tcp->trouble = NULL;
}
