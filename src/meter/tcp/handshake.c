/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/tcp/handshake.h"

#include "meter/tcp/sequence.h"

enum { CLIENT, SERVER };

/* True if the time stamp of this copy tells it from the copy before. */
static bool take_stamp(struct sn_tcp_side *side, const struct sn_tcp_options *options)
{
	uint32_t before = side->stamp;

	if (side->has_fin) /* the place is taken */
		return false;
	side->stamp = options->has_timestamps ? options->tsval : 0;
	return side->stamp != 0 && before != 0 && before != side->stamp;
}

/* The answer echoes the stamp of the copy that it answers. */
static bool answers_stamp(const struct sn_tcp_side *side, const struct sn_tcp_options *options)
{
	return !side->has_fin && side->stamp != 0 && options->has_timestamps &&
	       options->tsecr == side->stamp;
}

static void take_client_syn(struct sn_tcp *tcp, const struct sn_tcp_options *options,
			    int64_t time_ns)
{
	struct sn_tcp_side *client = &tcp->side[CLIENT];
	bool first = !client->has_syn;
	bool told_apart;

	if (tcp->side[SERVER].has_syn)
		return;
	told_apart = take_stamp(client, options);
	tcp->syn_ns = time_ns;
	tcp->syn_unsure = !first && !told_apart;
	tcp->syn_repeated = !first;
}

static void take_first_synack(struct sn_tcp *tcp, const struct sn_tcp_options *options,
			      int64_t time_ns)
{
	take_stamp(&tcp->side[SERVER], options);
	tcp->synack_ns = time_ns;
	if (tcp->syn_ns > time_ns || tcp->syn_unsure ||
	    (tcp->syn_repeated && !answers_stamp(&tcp->side[CLIENT], options)))
		tcp->syn_ns = 0;
}

static void take_synack(struct sn_tcp *tcp, const struct sn_decoded *packet,
			const struct sn_tcp_options *options, int64_t time_ns)
{
	const struct sn_tcp_side *client = &tcp->side[CLIENT];

	/* An acknowledgement of something that was never sent answers nothing. */
	if (client->has_syn && sn_seq_before(packet->tcp_ack, client->isn + 1))
		return;
	if (tcp->synack_ns == 0) {
		take_first_synack(tcp, options, time_ns);
		return;
	}
	if (tcp->handshaken)
		return;
	tcp->synack_unsure = !take_stamp(&tcp->side[SERVER], options) || tcp->synack_unsure;
	tcp->synack_repeated = true;
	/* Both move, so that the differences stay round trips without the wait between. */
	if (tcp->syn_ns != 0)
		tcp->syn_ns += time_ns - tcp->synack_ns;
	tcp->synack_ns = time_ns;
}

void sn_tcp_handshake_syn(struct sn_tcp *tcp, const struct sn_decoded *packet,
			  const struct sn_tcp_options *options, unsigned side, int64_t time_ns)
{
	bool ack = (packet->tcp_flags & SN_TCP_ACK) != 0;

	if (side == CLIENT && !ack)
		take_client_syn(tcp, options, time_ns);
	else if (side == SERVER && ack)
		take_synack(tcp, packet, options, time_ns);
	/* else: simultaneous open or split handshake: no plain round trips in it */
}

void sn_tcp_handshake_ack(struct sn_tcp *tcp, const struct sn_decoded *packet,
			  const struct sn_tcp_options *options, int64_t time_ns)
{
	const struct sn_tcp_side *server = &tcp->side[SERVER];
	uint32_t expected = server->isn + 1;

	if (sn_seq_before(packet->tcp_ack, expected))
		return;
	tcp->handshaken = true;
	/* A later one in its place means that the capture missed the first. */
	if (packet->tcp_ack == expected && packet->tcp_seq == server->acked &&
	    time_ns >= tcp->synack_ns && !tcp->synack_unsure &&
	    (!tcp->synack_repeated || answers_stamp(server, options)))
		tcp->handshake_ns = time_ns;
}
