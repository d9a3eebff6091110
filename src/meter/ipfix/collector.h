/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector: where messages go, and the four ways to bring them there.
 *
 * A transport is used by one thread.  Waiting ends at the caller's deadline, and at
 * `stop_ns` of the collector, whichever is first.
 */
#ifndef SONDE_METER_IPFIX_COLLECTOR_H
#define SONDE_METER_IPFIX_COLLECTOR_H

#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"
#include "net/addr.h"

#define SN_IPFIX_PORT         4739
#define SN_IPFIX_PORT_TLS     4740
#define SN_IPFIX_HOST_MAX     256
#define SN_IPFIX_DATAGRAM_MAX 1400 /* whole message, unless the path takes less */

struct sn_ipfix_collector;

struct sn_ipfix_transport {
	/* 0 or a negative errno with the reason.  What was open is closed first. */
	int (*open)(struct sn_ipfix_collector *collector, uint64_t deadline_ns, struct sn_err *err);
	/* A whole message.  After an error the connection is of no use any more. */
	int (*send)(struct sn_ipfix_collector *collector, struct sn_str message,
		    uint64_t deadline_ns, struct sn_err *err);
	void (*close)(struct sn_ipfix_collector *collector); /* in order; harmless when closed */
	bool forgets; /* messages may get lost: templates are told again and again */
	bool local;   /* a file: it is always there */
};
extern const struct sn_ipfix_transport sn_ipfix_udp, sn_ipfix_tcp, sn_ipfix_tls, sn_ipfix_file;

struct sn_ipfix_collector {
	const struct sn_ipfix_transport *transport;
	const char *text;             /* as given; borrowed */
	const char *path;             /* of a file, in `text` */
	char host[SN_IPFIX_HOST_MAX]; /* name or address, without brackets */
	uint16_t port;
	int fd;                     /* -1: closed */
	_Atomic uint64_t stop_ns;   /* of the monotonic clock: all waiting ends; UINT64_MAX */
	_Atomic size_t message_max; /* octets; may change when a connection opens */
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session; /* NULL: none */
	unsigned burst;           /* datagrams since the last pause */
};

struct sn_ipfix_options;
/*
 * Reads the text, opens a file, loads certificates and looks the host up, so that mistakes
 * are known at the start.  Options are borrowed until sn_ipfix_collector_finish().
 */
int sn_ipfix_collector_init(struct sn_ipfix_collector *collector,
			    const struct sn_ipfix_options *options, struct sn_err *err);
void sn_ipfix_collector_finish(struct sn_ipfix_collector *collector);

/* For transports. */
int sn_ipfix_resolve(const struct sn_ipfix_collector *collector, struct sn_addr *addr,
		     struct sn_err *err);
/* 0 when `events` of poll(2) are there, -ETIMEDOUT. */
int sn_ipfix_wait(const struct sn_ipfix_collector *collector, short events, uint64_t deadline_ns);
/* A TCP connection in `collector->fd`. */
int sn_ipfix_connect(struct sn_ipfix_collector *collector, uint64_t deadline_ns,
		     struct sn_err *err);
void sn_ipfix_disconnect(struct sn_ipfix_collector *collector);
int sn_ipfix_tls_init(struct sn_ipfix_collector *collector, const struct sn_ipfix_options *options,
		      struct sn_err *err);

#endif
