/* SPDX-License-Identifier: Apache-2.0 */
/* publish: what happened in the hub as events: nodes that changed, rows that were stored. */
#ifndef SONDE_HUB_PUBLISH_H
#define SONDE_HUB_PUBLISH_H

#include <jansson.h>

#include "hub/hub.h"

/* Registers the topics: "hub", "nodes", "measurements" and one per dataset. */
void sn_publish_init(struct sn_hub *hub);
/* For ingest; `ctx` is the hub. */
void sn_publish_rows(struct sn_node *node, const struct sn_batch *batch, void *ctx);

/* For the authority; `ctx` is the hub. */
void sn_publish_problem(const char *problem, void *ctx);
/* What is wrong with the hub itself, for people: an array of texts; a new reference. */
json_t *sn_publish_problems(const struct sn_hub *hub);

#endif
