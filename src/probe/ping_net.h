/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_net: the port over real sockets, one for IPv4 and one for IPv6.
 *
 * Each request is stamped with the monotonic clock directly before its sendto(): a
 * batch (sendmmsg) would save next to nothing beside the cost of the network stack and
 * would give all its members one time.  Replies are read in batches (recvmmsg).
 *
 * Owned by the caller; sn_ping_net_finish() closes the sockets.
 */
#ifndef SONDE_PROBE_PING_NET_H
#define SONDE_PROBE_PING_NET_H

#include "base/loop.h"
#include "probe/ping_port.h"
#include "probe/ping_socket.h"
#include "probe/stamp.h"

struct sn_ping_batch; /* buffers for reading */

struct sn_ping_lane { /* one family */
	struct sn_ping_net *net;
	struct sn_ping_socket sock;
	struct sn_io io;
	struct sn_icmp_request request;
	bool errors_waiting; /* in the socket's error queue */
};

struct sn_ping_net {
	struct sn_ping_port port;
	struct sn_ping_lane v4, v6;
	struct sn_ping_batch *batch;
	struct sn_stamp stamp;
};

/* No socket yet: sending gives -EAFNOSUPPORT until one is added. */
void sn_ping_net_init(struct sn_ping_net *net, size_t payload_size);
/* Takes the open socket over for its family; -EEXIST (and closed) if there is one already. */
int sn_ping_net_add(struct sn_ping_net *net, struct sn_ping_socket *sock);
bool sn_ping_net_has(const struct sn_ping_net *net, int family);
/* Report replies from the loop as they come. */
int sn_ping_net_start(struct sn_ping_net *net, struct sn_loop *loop);
void sn_ping_net_finish(struct sn_ping_net *net);

#endif
