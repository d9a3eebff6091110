/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop: give every privilege away before the first packet is looked at.
 *
 * Call it when all files and sockets are open.  Root becomes the user
 * `sonde-meter` if there is one, else `nobody`; every capability is dropped; no
 * program can be run and no socket opened any more (seccomp(2)).
 */
#ifndef SONDE_METER_CAPTURE_DROP_H
#define SONDE_METER_CAPTURE_DROP_H

#include <stdbool.h>

#include "base/err.h"

/* `may_resolve`: sockets stay possible, because a filter to come may hold host names. */
int sn_drop_privileges(bool may_resolve, struct sn_err *err);

#endif
