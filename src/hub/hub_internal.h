/* SPDX-License-Identifier: Apache-2.0 */
/* hub_internal: what the files that put a hub together share: hub.c, turn.c, listen.c. */
#ifndef SONDE_HUB_HUB_INTERNAL_H
#define SONDE_HUB_HUB_INTERNAL_H

#include "hub/hub.h"

#define SN_HUB_TICK_NS SN_NS_PER_S

/* turn.c ------------------------------------------------------------------- */
void sn_hub_tick(struct sn_timer *timer); /* hub->tick; begins it again */
void sn_hub_retain(struct sn_hub *hub);   /* drops days that are older than they are kept */
/* Such that rows_before plus the rows stored since is what there is. */
int sn_hub_count_rows(struct sn_hub *hub, struct sn_err *err);
/* For what may fail and be tried again: "cannot WHAT: reason" in the log. */
void sn_hub_warn_if(int failed, const struct sn_err *err, const char *what);

/* listen.c ----------------------------------------------------------------- */
/* Makes the hub's certificate and opens everything that is configured; the server is there. */
int sn_hub_listen(struct sn_hub *hub, struct sn_err *err);

#endif
