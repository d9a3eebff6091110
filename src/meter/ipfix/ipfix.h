/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ipfix: flows as IPFIX (RFC 7011) to a collector or a file: bidirectional (RFC
 * 5103, reverse elements of enterprise 29305) or, for collectors that do not know
 * them, two records per flow.
 *
 * Transports: UDP (templates again every minute), TCP, TLS over TCP; "file:PATH"
 * writes an RFC 5655 file.  A collector that is away costs records, which are
 * counted, never the meter's time: one bounded queue, connection attempts with
 * growing pauses.
 */
#ifndef SONDE_METER_IPFIX_IPFIX_H
#define SONDE_METER_IPFIX_IPFIX_H

#include "base/err.h"
#include "meter/output/sink.h"

struct sn_ipfix_options {
	const char *collector; /* udp:HOST:PORT tcp:HOST:PORT tls:HOST:PORT file:PATH */
	uint32_t domain;       /* observation domain */
	uint32_t
		enterprise; /* number for our own elements (RTT, retransmissions, names); 0: none */
	bool uniflow;       /* two records per flow */
	const char *ca, *certificate, *key; /* TLS; PEM files */
	size_t queue_bytes;
};

struct sn_ipfix; /* shared by the workers */
int sn_ipfix_create(const struct sn_ipfix_options *options, struct sn_ipfix **ipfix,
		    struct sn_err *err);
void sn_ipfix_destroy(
	struct sn_ipfix *ipfix); /* after its sinks; sends what is queued, at most 2 s */
struct sn_sink sn_ipfix_sink_create(struct sn_ipfix *ipfix);

struct sn_ipfix_stats {
	uint64_t records, messages, bytes, lost_records, connects;
};
void sn_ipfix_stats(const struct sn_ipfix *ipfix, struct sn_ipfix_stats *stats);

#endif
