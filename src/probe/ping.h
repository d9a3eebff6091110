/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping: the method "ping" as a program: options, targets, sockets, loop, output.
 */
#ifndef SONDE_PROBE_PING_H
#define SONDE_PROBE_PING_H

#include "probe/methods.h"

/*
 * Exit code: 0 every target answered, 5 some did, 1 none, 2 usage, 3 no right to open a
 * socket.
 */
int sn_probe_ping(const struct sn_probe_request *request);

#endif
