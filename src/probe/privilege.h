/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privilege: give every privilege up, for good.
 *
 * Called once the sockets are open and before the first byte from the network is
 * read.  Root becomes the user sonde-probe, or nobody if there is no such user; all
 * capabilities go; nothing that is started later can bring one back.
 */
#ifndef SONDE_PROBE_PRIVILEGE_H
#define SONDE_PROBE_PRIVILEGE_H

#include "base/err.h"

int sn_privilege_drop(struct sn_err *err);

#endif
