/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket: sockets that need privilege or a place in a namespace, made here and
 * handed over.  All return a close-on-exec descriptor or a negative errno.
 *
 * `caller_netns` is what an empty namespace name stands for.
 */
#ifndef SONDE_PRIV_SOCKET_H
#define SONDE_PRIV_SOCKET_H

#include "base/err.h"
#include "priv/ops.h"

int sn_socket_capture(const struct sn_priv_interface *request, int caller_netns,
		      struct sn_err *err);
int sn_socket_ping(const struct sn_priv_interface *request, int caller_netns, struct sn_err *err);
int sn_socket_listen(const struct sn_priv_listen *request, struct sn_err *err);
/* The namespace in which the peer of a Unix socket was when it connected. */
int sn_socket_peer_netns(int socket);

#endif
