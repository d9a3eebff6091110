/* SPDX-License-Identifier: Apache-2.0 */
/* publish: what happened in the hub as events: nodes that changed, rows that were stored. */
#ifndef SONDE_HUB_PUBLISH_H
#define SONDE_HUB_PUBLISH_H

#include "hub/hub.h"

/* Registers the topics: "nodes" and one per dataset. */
void sn_publish_init(struct sn_hub *hub);
/* For ingest; `ctx` is the hub. */
void sn_publish_rows(struct sn_node *node, const struct sn_batch *batch, void *ctx);

#endif
