/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp: the connection inside a flow: handshake, its round trips, how it ends.
 *
 * Round trips are those of the three-way handshake (RFC 9293 section 3.5).  After
 * a repeated SYN or SYN+ACK nobody knows which one was answered (Karn's problem);
 * then there is a value only if the timestamp option (RFC 7323) tells it, else
 * none.
 */
#ifndef SONDE_METER_TCP_TCP_H
#define SONDE_METER_TCP_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "meter/decode/decode.h"

#define SN_TCP_RTT_NONE (-1)

/* One handshake segment whose answer is waited for. */
struct sn_tcp_asked {
	int64_t time_ns; /* of the last copy */
	uint32_t tsval;  /* its timestamp option's value */
	bool seen;
	bool repeated;       /* more than one copy */
	bool has_tsval;      /* every copy had one */
	bool tsval_is_fresh; /* the last copy's value differs from the one before */
};

struct sn_tcp_side {
	uint32_t isn;     /* sequence number of the SYN */
	uint32_t fin_end; /* sequence number behind the FIN */
	uint32_t acked;   /* highest acknowledgement number that this side sent */
	bool syn, fin, ack;
};

struct sn_tcp {
	struct sn_tcp_asked syn, synack;
	int64_t s_rtt_ns, c_rtt_ns; /* SN_TCP_RTT_NONE */
	uint32_t synack_ack;        /* what the SYN+ACK acknowledged */
	struct sn_tcp_side side[2]; /* client, server */
	uint8_t flags;              /* all flags seen in this period */
	bool handshaken;            /* the client has acknowledged the SYN+ACK */
	bool reset;
};

void sn_tcp_init(struct sn_tcp *tcp);

/* A SYN that cannot belong to the connection seen so far; `closed` if that one has ended. */
bool sn_tcp_is_new(const struct sn_tcp *tcp, const struct sn_decoded *packet, unsigned side,
		   bool closed);
/* Takes a segment in; `side` is its sender (0 client, 1 server).  True once the connection ended.
 */
bool sn_tcp_update(struct sn_tcp *tcp, const struct sn_decoded *packet, unsigned side,
		   int64_t time_ns);
/* Counting starts afresh: flags and round trips that a row has told are forgotten. */
void sn_tcp_next_period(struct sn_tcp *tcp);
/* Sum of the two round trips, SN_TCP_RTT_NONE if one is missing. */
int64_t sn_tcp_handshake_rtt(const struct sn_tcp *tcp);
static inline bool sn_tcp_has_handshake(const struct sn_tcp *tcp)
{
	return tcp->side[0].syn && tcp->side[1].syn;
}

/* Timestamp option of a segment; false if it has none or options are malformed. */
bool sn_tcp_timestamps(const struct sn_decoded *packet, uint32_t *tsval, uint32_t *tsecr);

#endif
