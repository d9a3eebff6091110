/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanout: a packet socket joins the others that share an interface (packet(7), PACKET_FANOUT).
 * What goes where, and why, is said in capture/ring.h.
 */
#ifndef SONDE_METER_CAPTURE_FANOUT_H
#define SONDE_METER_CAPTURE_FANOUT_H

#include <stdbool.h>

#include "base/err.h"

/*
 * `fd` is bound.  `group` is negative for the first socket, which sets it to a number that nobody
 * else uses, and that number for the others.
 */
int sn_fanout_join(int fd, bool by_ports, int *group, struct sn_err *err);

#endif
