/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privilege: give every capability up, for good.
 *
 * Called once the sockets are open and before the first byte from the network is
 * read.  Afterwards neither this process nor what it might start can get one back.
 */
#ifndef SONDE_PROBE_PRIVILEGE_H
#define SONDE_PROBE_PRIVILEGE_H

#include "base/err.h"

int sn_privilege_drop(struct sn_err *err);

#endif
