/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pings: the sockets that a node gives its pings where its own user may open none.
 */
#ifndef SONDE_NODE_RUN_PINGS_H
#define SONDE_NODE_RUN_PINGS_H

#include "data/method.h"
#include "node/run/handed.h"

/*
 * Nothing for another method, without a root helper (`priv_socket` ""), and where ping sockets
 * are allowed: the kernel gives those only their own replies.  What cannot be had is only warned
 * about, because sonde-probe may have a capability of its own.
 */
void sn_pings_hand(struct sn_handed *handed, const struct sn_method *method,
		   const char *priv_socket, const char *name);

#endif
