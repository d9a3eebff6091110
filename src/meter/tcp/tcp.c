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
	*tcp = (struct sn_tcp){0};
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

/* The time stamp of a copy tells it from the copy before. */
static bool take_stamp(uint32_t *stamp, const struct sn_decoded *packet)
{
	uint32_t before = *stamp, tsecr;

	*stamp = 0;
	return sn_tcp_timestamps(packet, stamp, &tsecr) && *stamp != 0 && before != 0 &&
	       before != *stamp;
}

/* The answer echoes the stamp of the copy that it answers. */
static bool answers_stamp(uint32_t stamp, const struct sn_decoded *packet)
{
	uint32_t tsval, tsecr;

	return stamp != 0 && sn_tcp_timestamps(packet, &tsval, &tsecr) && tsecr == stamp;
}

static void take_client_syn(struct sn_tcp *tcp, const struct sn_decoded *packet, int64_t time_ns)
{
	bool first = !tcp->side[CLIENT].has_syn;
	bool told_apart = take_stamp(&tcp->asked_stamp[CLIENT], packet);

	if (tcp->side[SERVER].has_syn)
		return;
	tcp->syn_ns = time_ns;
	tcp->syn_unsure = !first && !told_apart;
	tcp->syn_repeated = !first;
}

static void take_first_synack(struct sn_tcp *tcp, const struct sn_decoded *packet, int64_t time_ns)
{
	take_stamp(&tcp->asked_stamp[SERVER], packet);
	tcp->synack_ns = time_ns;
	if (tcp->syn_ns > time_ns || tcp->syn_unsure ||
	    (tcp->syn_repeated && !answers_stamp(tcp->asked_stamp[CLIENT], packet)))
		tcp->syn_ns = 0;
}

static void take_synack(struct sn_tcp *tcp, const struct sn_decoded *packet, int64_t time_ns)
{
	const struct sn_tcp_side *client = &tcp->side[CLIENT];

	/* An acknowledgement of something that was never sent answers nothing. */
	if (client->has_syn && !not_before(packet->tcp_ack, client->isn + 1))
		return;
	tcp->synack_ack = packet->tcp_ack;
	if (tcp->synack_ns == 0) {
		take_first_synack(tcp, packet, time_ns);
		return;
	}
	if (tcp->handshaken)
		return;
	tcp->synack_unsure = tcp->synack_unsure || !take_stamp(&tcp->asked_stamp[SERVER], packet);
	tcp->synack_repeated = true;
	/* Both move, so that the differences stay round trips without the wait between. */
	if (tcp->syn_ns != 0)
		tcp->syn_ns += time_ns - tcp->synack_ns;
	tcp->synack_ns = time_ns;
}

static void take_syn(struct sn_tcp *tcp, const struct sn_decoded *packet, unsigned side,
		     int64_t time_ns)
{
	struct sn_tcp_side *from = &tcp->side[side];

	if (side == CLIENT && !has(packet, SN_TCP_ACK))
		take_client_syn(tcp, packet, time_ns);
	else if (side == SERVER && has(packet, SN_TCP_ACK))
		take_synack(tcp, packet, time_ns);
	if (!from->has_syn)
		from->isn = packet->tcp_seq;
	from->has_syn = true;
}

/* The client's first segment after the SYN+ACK ends the handshake. */
static void take_handshake_ack(struct sn_tcp *tcp, const struct sn_decoded *packet, int64_t time_ns)
{
	uint32_t expected = tcp->side[SERVER].isn + 1;

	if (!not_before(packet->tcp_ack, expected))
		return;
	tcp->handshaken = true;
	/* A later one in its place means that the capture missed the first. */
	if (packet->tcp_ack == expected && packet->tcp_seq == tcp->synack_ack &&
	    time_ns >= tcp->synack_ns && !tcp->synack_unsure &&
	    (!tcp->synack_repeated || answers_stamp(tcp->asked_stamp[SERVER], packet)))
		tcp->handshake_ns = time_ns;
}

static void take_fin(struct sn_tcp_side *side, const struct sn_decoded *packet)
{
	side->has_fin = true;
	side->fin_end = packet->tcp_seq + packet->payload_bytes + 1;
}

static void take_ack(struct sn_tcp_side *side, const struct sn_decoded *packet)
{
	if (!side->has_ack || not_before(packet->tcp_ack, side->acked))
		side->acked = packet->tcp_ack;
	side->has_ack = true;
}

/* Both FINs are there and acknowledged. */
static bool is_finished(const struct sn_tcp *tcp)
{
	const struct sn_tcp_side *c = &tcp->side[CLIENT], *s = &tcp->side[SERVER];

	return c->has_fin && s->has_fin && c->has_ack && s->has_ack &&
	       not_before(c->acked, s->fin_end) && not_before(s->acked, c->fin_end);
}

void sn_tcp_update(struct sn_tcp *tcp, const struct sn_decoded *packet, unsigned side,
		   int64_t time_ns, struct sn_tcp_verdict *verdict)
{
	*verdict = (struct sn_tcp_verdict){.anomaly = SN_TCP_ANOMALIES};
	tcp->flags |= packet->tcp_flags;
	if (has(packet, SN_TCP_RST)) {
		tcp->reset = true;
		tcp->reset_side = side;
	}
	if (has(packet, SN_TCP_SYN))
		take_syn(tcp, packet, side, time_ns);
	else if (side == CLIENT && !tcp->handshaken && tcp->synack_ns != 0 &&
		 has(packet, SN_TCP_ACK))
		take_handshake_ack(tcp, packet, time_ns);
	if (has(packet, SN_TCP_FIN))
		take_fin(&tcp->side[side], packet);
	if (has(packet, SN_TCP_ACK))
		take_ack(&tcp->side[side], packet);
	tcp->half = side == CLIENT && packet->payload_bytes > 0 && !has(packet, SN_TCP_SYN) &&
		    tcp->side[CLIENT].has_syn && !tcp->side[SERVER].has_syn;
	verdict->closes = tcp->reset || tcp->half || is_finished(tcp);
}
