/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sequence: what one side sends and the other acknowledges: retransmissions,
 * holes, round trips, bytes in flight.
 */
#ifndef SONDE_METER_TCP_SEQUENCE_H
#define SONDE_METER_TCP_SEQUENCE_H

#include "meter/tcp/tcp.h"

/* Sequence numbers wrap: RFC 9293 section 3.4. */
static inline bool sn_seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* `side` sends a segment with SYN, FIN or payload. */
void sn_tcp_send(struct sn_tcp *tcp, struct sn_segment_pool *pool, const struct sn_decoded *packet,
		 unsigned side, int64_t time_ns, struct sn_tcp_verdict *verdict);
/* What `side` has sent is acknowledged up to `ack`, `again` if that is what the peer said before.
 */
void sn_tcp_acknowledge(struct sn_tcp *tcp, struct sn_segment_pool *pool, unsigned side,
			uint32_t ack, bool again, int64_t time_ns);
/* To be written to. */
struct sn_tcp_trouble *sn_tcp_trouble_begin(struct sn_tcp *tcp, struct sn_segment_pool *pool,
					    unsigned side);
/* The client's first SYN gets a node once there is more to the connection. */
void sn_tcp_remember_syn(struct sn_tcp *tcp, struct sn_segment_pool *pool);

#endif
