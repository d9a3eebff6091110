/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent: the node's side of doc/internals/node-hub.md, on one loop.
 *
 * It keeps an event stream to the hub open, beats on a time grid of its own,
 * fetches the tasks when they have changed and has them run, spools their rows and
 * uploads them, reports its own health, and renews its certificate.  Without the
 * hub it measures on and spools.
 */
#ifndef SONDE_NODE_AGENT_AGENT_H
#define SONDE_NODE_AGENT_AGENT_H

#include "base/loop.h"
#include "node/agent/config.h"

struct sn_agent;

/* `config` must stay; its state directory must be given and have joined a hub. */
int sn_agent_create(struct sn_loop *loop, const struct sn_node_config *config,
		    struct sn_agent **agent, struct sn_err *err);
/* Ends the measurements in order; `on_stopped` is called once, perhaps at once. */
void sn_agent_stop(struct sn_agent *agent, void (*on_stopped)(void *ctx), void *ctx);
/* Writes what is not on disk yet, kills what still runs.  NULL is fine. */
void sn_agent_destroy(struct sn_agent *agent);

#endif
