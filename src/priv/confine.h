/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine: give up everything the root helper does not need.
 */
#ifndef SONDE_PRIV_CONFINE_H
#define SONDE_PRIV_CONFINE_H

#include "base/err.h"

/*
 * Keeps the few capabilities of the operations (never more than there were),
 * empties the rest of the bounding set, sets no_new_privs and refuses system
 * calls that neither the helper nor a program started by it has a use for.
 */
int sn_confine(struct sn_err *err);

#endif
