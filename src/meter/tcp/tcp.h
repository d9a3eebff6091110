/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp: the connection inside a flow: handshake, round trips, losses, windows,
 * options, and how it ends.
 *
 * The numbers are those of Tstat 3.3 (its log_tcp_complete): the same rules
 * decide what is a retransmission, a round-trip sample or an anomaly, so that
 * records of both can be compared.  Sources: M. Mellia, M. Meo, L. Muscariello,
 * "TCP anomalies: identification and analysis" (2005); S. Jaiswal et al.,
 * INFOCOM 2003; RFC 9293, RFC 7323 (window scale, time stamps), RFC 2018 (SACK).
 *
 * Where Tstat has a defect we do not have it: IPv6 has no IP identification.
 */
#ifndef SONDE_METER_TCP_TCP_H
#define SONDE_METER_TCP_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "meter/decode/decode.h"
#include "meter/tcp/segments.h"

/* What became of a segment that did not simply go on behind all that was seen. */
enum sn_tcp_anomaly {
	SN_TCP_RTO,  /* retransmission by timeout */
	SN_TCP_FAST, /* fast retransmission */
	SN_TCP_REORDER,
	SN_TCP_DUPLICATE, /* by the network */
	SN_TCP_UNKNOWN,
	SN_TCP_FLOW_CONTROL, /* window probe */
	SN_TCP_NEEDLESS_RTO,
	SN_TCP_NEEDLESS_FAST,
	SN_TCP_ANOMALIES, /* also: none */
};

/* The counters that log_tcp_periodic tells in differences (Tstat's columns 3 to 14). */
struct sn_tcp_counters {
	uint32_t rst, ack, pure_ack; /* pure: no payload, no SYN, FIN, RST */
	uint32_t data;               /* segments with payload */
	uint32_t retransmitted, out_of_order;
	uint32_t syn, fin;
	uint64_t unique_bytes, retransmitted_bytes;
};

/* Round trips between the meter and the other side: segment of this side to its acknowledgement. */
struct sn_tcp_rtt {
	double sum_us, sum2_us;
	uint32_t min_us, max_us;
	uint32_t count;
	uint32_t edge; /* node that was acknowledged last (segments.h), number + 1; 0: none */
};

struct sn_tcp_side {
	struct sn_tcp_counters n;
	struct sn_tcp_rtt rtt;
	int64_t first_data_ns, last_data_ns, first_ack_ns; /* 0: never */
	uint32_t isn, next; /* of the SYN; behind the highest byte seen */
	union {
		uint32_t fin_end; /* behind the FIN */
		uint32_t stamp;   /* before it: time stamp of the last SYN or SYN+ACK */
	};
	uint32_t acked;                  /* last acknowledgement number that this side sent */
	uint32_t window_max, window_min; /* bytes, after scaling; min without zeros */
	uint32_t flight_max, flight_min, flight_initial; /* bytes in flight */
	uint32_t messages;                               /* Tstat's pkts_push */
	uint16_t mss, segment_max, segment_min;
	uint16_t segment_count; /* nodes in `segments` */
	uint8_t ttl_min, ttl_max, window_scale;
	bool has_scale : 1, has_timestamps : 1, has_sack : 1;
	bool has_syn : 1, has_fin : 1, has_ack : 1;
	bool odd_repeat : 1; /* Tstat's syn_retx: a SYN or FIN came again elsewhere */
	bool has_push : 1;   /* it sent a PSH; the other flags have counters */
	struct sn_segments segments;
};

/* Of a side: what most connections have nothing of. */
struct sn_tcp_trouble {
	uint32_t anomalies[SN_TCP_ANOMALIES];
	uint32_t sacks, zero_windows; /* segments with that option; that announce no window */
};

/* What only tcp/ needs to know of a side. */
struct sn_tcp_inner {
	uint16_t edge_acks : 3;     /* acknowledgements of exactly the end of the edge; saturates */
	uint16_t kept : 5;          /* acknowledged nodes that are remembered */
	uint16_t begun : 1;         /* isn and next are valid */
	uint16_t disordered : 1;    /* something was sent again and not all is acknowledged since */
	uint16_t news : 1;          /* new payload since the last message ended */
	uint16_t answered : 1;      /* payload of this side was acknowledged */
	uint16_t closed_window : 1; /* its window is 0 */
	uint16_t syn_waits : 1;     /* its SYN has no node yet (sequence.c) */
	uint16_t fin_acked : 1;     /* its FIN was acknowledged */
	uint16_t forgotten : 1;     /* what lies before the first node was seen */
};

struct sn_tcp {
	struct sn_tcp_side side[2]; /* client, server */
	/*
	 * The differences of these three are round trips.  When a SYN or SYN+ACK came twice, time
	 * stamps tell which copy was answered; when they do not, the round trip it would begin is
	 * not told (syn_ns or handshake_ns is 0).
	 */
	int64_t syn_ns, synack_ns, handshake_ns; /* handshake: the ACK that ends it; 0: not seen */
	struct sn_tcp_trouble *trouble;          /* of both sides; NULL: none (sn_tcp_trouble()) */
	struct sn_tcp_inner inner[2];
	uint16_t syn_id;        /* of the client's first SYN: what a node would hold (tcp.c) */
	uint8_t flags;          /* all that were seen */
	bool reset : 1;         /* there was an RST, ... */
	uint8_t reset_side : 1; /* ... from here */
	bool handshaken : 1;    /* the ACK that ends the handshake was seen */
	bool syn_repeated : 1, synack_repeated : 1;
	bool syn_unsure : 1, synack_unsure : 1; /* stamps do not tell the copies apart */
};

#define SN_TCP_RTT_NONE (-1)

/* Meter to server and back, client and back, both; SN_TCP_RTT_NONE: not known. */
static inline int64_t sn_tcp_server_rtt(const struct sn_tcp *tcp)
{
	return tcp->syn_ns != 0 && tcp->synack_ns != 0 ? tcp->synack_ns - tcp->syn_ns
						       : SN_TCP_RTT_NONE;
}

static inline int64_t sn_tcp_client_rtt(const struct sn_tcp *tcp)
{
	return tcp->synack_ns != 0 && tcp->handshake_ns != 0 ? tcp->handshake_ns - tcp->synack_ns
							     : SN_TCP_RTT_NONE;
}

static inline int64_t sn_tcp_handshake_rtt(const struct sn_tcp *tcp)
{
	return tcp->syn_ns != 0 && tcp->synack_ns != 0 && tcp->handshake_ns != 0
		       ? tcp->handshake_ns - tcp->syn_ns
		       : SN_TCP_RTT_NONE;
}

static inline const struct sn_tcp_trouble *sn_tcp_trouble(const struct sn_tcp *tcp, unsigned side)
{
	static const struct sn_tcp_trouble none;

	return tcp->trouble != NULL ? &tcp->trouble[side] : &none;
}

/* Both sides sent a SYN: Tstat's complete connections. */
static inline bool sn_tcp_has_handshake(const struct sn_tcp *tcp)
{
	return tcp->side[0].has_syn && tcp->side[1].has_syn;
}

/* What the segment meant, for those who look at its payload. */
struct sn_tcp_verdict {
	uint32_t offset; /* relative sequence number of its first byte: SYN 0, first payload byte 1
			  */
	uint32_t fresh;  /* bytes of payload at its end that were not seen before */
	bool in_order;   /* it begins where the stream ended so far */
	bool closes;     /* the connection ended with it */
	enum sn_tcp_anomaly anomaly; /* SN_TCP_ANOMALIES: none */
};

/*
 * The client begins to send data and no SYN of the server was seen: half a connection.  It ends
 * before this segment.
 */
static inline bool sn_tcp_is_half(const struct sn_tcp *tcp, const struct sn_decoded *packet,
				  unsigned side)
{
	return !tcp->side[1].has_syn && tcp->side[0].has_syn && side == 0 &&
	       packet->payload_bytes > 0 && (packet->tcp_flags & SN_TCP_SYN) == 0;
}

/*
 * The segment belongs to the connection, which was zeroed before its first one; `side` is the
 * sender.
 */
void sn_tcp_update(struct sn_tcp *tcp, struct sn_segment_pool *pool,
		   const struct sn_decoded *packet, unsigned side, int64_t time_ns,
		   struct sn_tcp_verdict *verdict);
/* Asks for the memory that sn_tcp_forget() will touch. */
static SN_ALWAYS_INLINE void sn_tcp_prefetch(const struct sn_tcp *tcp,
					     const struct sn_segment_pool *pool)
{
	for (unsigned i = 0; i < 2; i++)
		if (tcp->side[i].segments.last != 0)
			__builtin_prefetch(sn_segment_at(pool, tcp->side[i].segments.last - 1), 1);
}

/* What hangs on the connection goes back to the pool. */
void sn_tcp_forget(struct sn_tcp *tcp, struct sn_segment_pool *pool);

#endif
