/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake: when the three segments of the handshake passed the meter.
 *
 * A copy of a SYN makes it uncertain which one was answered (Karn, Partridge,
 * "Improving round-trip time estimates", 1987); time stamps (RFC 7323) tell, if
 * the copies carry different ones.  What stays uncertain is not told.
 */
#ifndef SONDE_METER_TCP_HANDSHAKE_H
#define SONDE_METER_TCP_HANDSHAKE_H

#include "meter/tcp/options.h"
#include "meter/tcp/tcp.h"

/* A segment with SYN, before its side's has_syn and isn are set. */
void sn_tcp_handshake_syn(struct sn_tcp *tcp, const struct sn_decoded *packet,
			  const struct sn_tcp_options *options, unsigned side, int64_t time_ns);
/* The client's first segments after the SYN+ACK, until tcp->handshaken. */
void sn_tcp_handshake_ack(struct sn_tcp *tcp, const struct sn_decoded *packet,
			  const struct sn_tcp_options *options, int64_t time_ns);

#endif
