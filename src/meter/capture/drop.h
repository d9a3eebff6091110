/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop: give every privilege away before the first packet is looked at.
 *
 * Call it when all files and sockets are open.  Root becomes the user
 * `sonde-meter` if there is one, else `nobody`; every capability is dropped; no
 * program can be gained from an exec any more.
 */
#ifndef SONDE_METER_CAPTURE_DROP_H
#define SONDE_METER_CAPTURE_DROP_H

#include "base/err.h"

int sn_drop_privileges(struct sn_err *err);

#endif
