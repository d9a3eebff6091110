/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enforce: what becomes of everything that runs when another policy takes force.
 *
 * Nodes are told which networks are never probed now.  Measurements that the policy does
 * not allow any more are stopped, and after that, from the newest on, those that put too
 * much on a target.  A policy that came while the hub was not running counts as well.
 */
#ifndef SONDE_HUB_ENFORCE_H
#define SONDE_HUB_ENFORCE_H

#include "hub/hub.h"

/* At the start, when the measurements are there. */
void sn_enforce_open(struct sn_hub *hub);
/* For struct sn_authority_config; `ctx` is the hub. */
void sn_enforce_policy(void *ctx);
/* Once a second, behind that of the measurements. */
void sn_enforce_tick(struct sn_hub *hub);

#endif
