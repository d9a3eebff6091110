/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ipfix: flows as IPFIX (RFC 7011) to a collector or a file: bidirectional (RFC
 * 5103, reverse elements of enterprise 29305) or, for collectors that do not know
 * them, two records per flow.
 *
 * Transports: UDP (templates again every minute), TCP, TLS over TCP; "file:PATH"
 * writes an RFC 5655 file.  A collector that is away costs records, which are
 * counted, never the meter's time: one bounded queue, connection attempts with
 * growing pauses.  A file costs time instead of records, and an error of the disk
 * ends the run.
 *
 * Create it before privileges are dropped: certificates are read and files opened
 * then.  A collector is served by a thread of its own, which the first records start
 * and which makes connections and looks names up: it needs `network` and `threads` of
 * capture/drop.h, for a name instead of an address `resolve`, too.
 */
#ifndef SONDE_METER_IPFIX_IPFIX_H
#define SONDE_METER_IPFIX_IPFIX_H

#include "base/err.h"
#include "meter/output/sink.h"

#define SN_IPFIX_QUEUE_DEFAULT (8 * 1024 * 1024)
#define SN_IPFIX_QUEUE_MIN     (64 * 1024) /* one message of TCP */

struct sn_ipfix_options {
	const char *collector; /* udp:HOST:PORT tcp:HOST:PORT tls:HOST:PORT file:PATH */
	uint32_t domain;       /* observation domain */
	/* Number for our own elements (RTT, retransmissions, names); 0: none of them. */
	uint32_t enterprise;
	bool uniflow; /* two records per flow */
	/* TLS; PEM files.  Without a CA the system's are trusted. */
	const char *ca, *certificate, *key;
	size_t queue_bytes; /* 0: default */
};

struct sn_ipfix; /* shared by the workers */
/*
 * Mistakes in the text, a name that is not known, a certificate or a file that cannot be used
 * are errors here; a collector that does not answer is not.
 */
int sn_ipfix_create(const struct sn_ipfix_options *options, struct sn_ipfix **ipfix,
		    struct sn_err *err);
/* After its sinks; sends what is queued, at most 2 s.  NULL is fine. */
void sn_ipfix_destroy(struct sn_ipfix *ipfix);
struct sn_sink sn_ipfix_sink_create(struct sn_ipfix *ipfix);
/* What capture/drop.h has to leave: `network` for a collector, `resolve` for one with a name. */
bool sn_ipfix_needs_network(const struct sn_ipfix *ipfix);
bool sn_ipfix_needs_names(const struct sn_ipfix *ipfix);

/* What the records' addresses and names went through (RFC 6235); NULL: all is kept.  Any time. */
struct sn_privacy;
void sn_ipfix_set_privacy(struct sn_ipfix *ipfix, const struct sn_privacy *privacy);
/* Packets on the link that are in no flow so far: dropped on the way to us, or skipped. */
void sn_ipfix_set_ignored(struct sn_ipfix *ipfix, uint64_t packets);

struct sn_ipfix_stats {
	uint64_t records; /* of flows, given to the network or written */
	uint64_t messages, bytes, lost_records, connects;
};
void sn_ipfix_stats(const struct sn_ipfix *ipfix, struct sn_ipfix_stats *stats);

#endif
