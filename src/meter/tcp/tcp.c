/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/tcp/tcp.h"

enum { CLIENT, SERVER };
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_TIMESTAMPS = 8 };

/* Sequence numbers wrap: RFC 9293 section 3.4. */
static bool not_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

static bool has(const struct sn_decoded *packet, uint8_t flags)
{
	return (packet->tcp_flags & flags) == flags;
}

void sn_tcp_init(struct sn_tcp *tcp)
{
	*tcp = (struct sn_tcp){.s_rtt_ns = SN_TCP_RTT_NONE, .c_rtt_ns = SN_TCP_RTT_NONE};
}

bool sn_tcp_timestamps(const struct sn_decoded *packet, uint32_t *tsval, uint32_t *tsecr)
{
	struct sn_rd rd = packet->tcp_options;

	while (sn_rd_left(&rd) > 0) {
		uint8_t kind = sn_rd_u8(&rd);

		if (kind == OPTION_NOP)
			continue;
		if (kind == OPTION_END)
			return false;

		uint8_t length = sn_rd_u8(&rd);

		if (kind == OPTION_TIMESTAMPS && length == 10) {
			*tsval = sn_rd_u32be(&rd);
			*tsecr = sn_rd_u32be(&rd);
			return sn_rd_ok(&rd);
		}
		if (length < 2)
			return false;
		sn_rd_skip(&rd, length - 2U);
	}
	return false;
}

static void ask(struct sn_tcp_asked *asked, const struct sn_decoded *packet, int64_t time_ns)
{
	uint32_t tsval = 0, tsecr = 0;
	bool has_tsval = sn_tcp_timestamps(packet, &tsval, &tsecr);

	*asked = (struct sn_tcp_asked){
		.time_ns = time_ns,
		.tsval = tsval,
		.seen = true,
		.repeated = asked->seen,
		.has_tsval = has_tsval && (asked->has_tsval || !asked->seen),
		.tsval_is_fresh = !asked->seen || asked->tsval != tsval,
	};
}

/* Time from the last copy to its answer, if the answer is certain to be one to that copy. */
static int64_t answer(const struct sn_tcp_asked *asked, const struct sn_decoded *packet,
		      int64_t time_ns)
{
	uint32_t tsval, tsecr;

	if (!asked->seen || time_ns < asked->time_ns)
		return SN_TCP_RTT_NONE;
	if (asked->repeated &&
	    !(asked->has_tsval && asked->tsval_is_fresh &&
	      sn_tcp_timestamps(packet, &tsval, &tsecr) && tsecr == asked->tsval))
		return SN_TCP_RTT_NONE;
	return time_ns - asked->time_ns;
}

static void take_syn(struct sn_tcp *tcp, const struct sn_decoded *packet, unsigned side,
		     int64_t time_ns)
{
	struct sn_tcp_side *from = &tcp->side[side];
	struct sn_tcp_side *peer = &tcp->side[side ^ 1U];

	if (!from->syn)
		from->isn = packet->tcp_seq;
	from->syn = true;
	if (side == CLIENT && !has(packet, SN_TCP_ACK)) {
		ask(&tcp->syn, packet, time_ns);
		return;
	}
	if (side != SERVER || !has(packet, SN_TCP_ACK))
		return; /* simultaneous open or split handshake: no plain round trips in it */
	/* An acknowledgement of something that was never sent answers nothing. */
	if (peer->syn && !not_before(packet->tcp_ack, peer->isn + 1))
		return;
	if (!tcp->synack.seen && tcp->s_rtt_ns == SN_TCP_RTT_NONE)
		tcp->s_rtt_ns = answer(&tcp->syn, packet, time_ns);
	tcp->synack_ack = packet->tcp_ack;
	ask(&tcp->synack, packet, time_ns);
}

/* The client's first segment after the SYN+ACK ends the handshake. */
static void take_handshake_ack(struct sn_tcp *tcp, const struct sn_decoded *packet, int64_t time_ns)
{
	uint32_t expected = tcp->side[SERVER].isn + 1;

	if (!not_before(packet->tcp_ack, expected))
		return;
	tcp->handshaken = true;
	/* A later one in its place means that the capture missed the first. */
	if (packet->tcp_ack == expected && packet->tcp_seq == tcp->synack_ack)
		tcp->c_rtt_ns = answer(&tcp->synack, packet, time_ns);
}

static void take_fin(struct sn_tcp_side *side, const struct sn_decoded *packet)
{
	side->fin = true;
	side->fin_end = packet->tcp_seq + packet->payload_bytes + 1;
}

static void take_ack(struct sn_tcp_side *side, const struct sn_decoded *packet)
{
	if (!side->ack || not_before(packet->tcp_ack, side->acked))
		side->acked = packet->tcp_ack;
	side->ack = true;
}

/* Both FINs are there and acknowledged. */
static bool is_finished(const struct sn_tcp *tcp)
{
	const struct sn_tcp_side *c = &tcp->side[CLIENT], *s = &tcp->side[SERVER];

	return c->fin && s->fin && c->ack && s->ack && not_before(c->acked, s->fin_end) &&
	       not_before(s->acked, c->fin_end);
}

/* The SYN that the SYN+ACK seen before it answers: it was overtaken on its way to us. */
static bool is_belated_syn(const struct sn_tcp *tcp, const struct sn_decoded *packet, unsigned side)
{
	return side == CLIENT && tcp->synack.seen &&
	       tcp->synack_ack - (packet->tcp_seq + 1) <= packet->payload_bytes;
}

bool sn_tcp_is_new(const struct sn_tcp *tcp, const struct sn_decoded *packet, unsigned side,
		   bool closed)
{
	if (!has(packet, SN_TCP_SYN) || has(packet, SN_TCP_ACK))
		return false;
	if (closed)
		return true;
	/* Without a SYN from the client this is the tail of an older connection so far. */
	return !tcp->side[CLIENT].syn && !is_belated_syn(tcp, packet, side);
}

bool sn_tcp_update(struct sn_tcp *tcp, const struct sn_decoded *packet, unsigned side,
		   int64_t time_ns)
{
	tcp->flags |= packet->tcp_flags;
	if (has(packet, SN_TCP_RST)) {
		/* After both FINs it ends nothing any more. */
		tcp->reset = tcp->reset || !is_finished(tcp);
		return true;
	}
	if (has(packet, SN_TCP_SYN))
		take_syn(tcp, packet, side, time_ns);
	else if (side == CLIENT && !tcp->handshaken && tcp->synack.seen && has(packet, SN_TCP_ACK))
		take_handshake_ack(tcp, packet, time_ns);
	if (has(packet, SN_TCP_FIN))
		take_fin(&tcp->side[side], packet);
	if (has(packet, SN_TCP_ACK))
		take_ack(&tcp->side[side], packet);
	return is_finished(tcp);
}

void sn_tcp_next_period(struct sn_tcp *tcp)
{
	tcp->flags = 0;
	tcp->s_rtt_ns = tcp->c_rtt_ns = SN_TCP_RTT_NONE;
}

int64_t sn_tcp_handshake_rtt(const struct sn_tcp *tcp)
{
	if (tcp->s_rtt_ns == SN_TCP_RTT_NONE || tcp->c_rtt_ns == SN_TCP_RTT_NONE)
		return SN_TCP_RTT_NONE;
	return tcp->s_rtt_ns + tcp->c_rtt_ns;
}
