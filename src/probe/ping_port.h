/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_port: what the ping engine sees of the network.
 *
 * The engine (ping_run) hands requests to a port and is told of replies and ICMP
 * errors through a sink.  The real port is ping_net; tests have their own, with
 * loss, duplicates and delays made to measure.
 */
#ifndef SONDE_PROBE_PING_PORT_H
#define SONDE_PROBE_PING_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "net/addr.h"
#include "probe/icmp.h"

struct sn_ping_reply {
	struct sn_icmp_reply icmp;
	struct sn_addr from;
	struct sn_addr local; /* length 0: unknown */
	int ttl;              /* -1: unknown */
	uint64_t received_ns; /* monotonic; the kernel's stamp, else when it was read */
	uint64_t read_ns;     /* monotonic; when it was read */
	bool kernel_stamp;
};

/* An ICMP error that quotes a request of ours. */
struct sn_ping_error {
	struct sn_addr to; /* where the request went */
	uint16_t seq;
	uint8_t type, code;
	struct sn_addr reporter; /* length 0: unknown */
};

struct sn_ping_sink {
	void (*on_reply)(struct sn_ping_sink *sink, const struct sn_ping_reply *reply);
	void (*on_error)(struct sn_ping_sink *sink, const struct sn_ping_error *error);
};

struct sn_ping_port;
struct sn_ping_port_ops {
	/* 0 or a negative errno; `*sent_ns` (monotonic) is set in both cases. */
	int (*send)(struct sn_ping_port *port, const struct sn_addr *to, uint16_t seq,
		    const struct sn_icmp_token *token, uint64_t *sent_ns);
	/* Report everything that has arrived so far. */
	void (*receive)(struct sn_ping_port *port);
	/* Replies lost on this machine so far because its receive buffer was full. */
	uint64_t (*drops)(struct sn_ping_port *port);
};

struct sn_ping_port {
	const struct sn_ping_port_ops *ops;
	struct sn_ping_sink *sink; /* set by the engine */
};

#endif
