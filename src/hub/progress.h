/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: what happens to measurements while they run: nodes are told that they have
 * other tasks, rows are counted, nodes' reports are taken, and people hear of it on the
 * event topic `measurements`, ten times a second each at most.
 */
#ifndef SONDE_HUB_PROGRESS_H
#define SONDE_HUB_PROGRESS_H

#include "hub/hub.h"

#define SN_PROGRESS_GAP_NS (100 * SN_NS_PER_MS) /* between two events about one measurement */

/* After the events' topics are registered. */
struct sn_progress *sn_progress_create(struct sn_hub *hub);
/* Before the events are destroyed. */
void sn_progress_destroy(struct sn_progress *progress);

/* For struct sn_measures_config; `ctx` is the hub. */
void sn_progress_changed(const struct sn_measure *measure, const struct sn_measure_part *part,
			 void *ctx);
void sn_progress_counted(const struct sn_measure *measure, const struct sn_measure_part *part,
			 void *ctx);
/* Rows of a node of ours that were stored. */
void sn_progress_rows(struct sn_hub *hub, const struct sn_node *node, const struct sn_batch *batch);
/*
 * A node's report on a task: {"state","error"?}; answered once it is stored.  Those of one turn of
 * the loop are stored together.
 */
void sn_progress_take_report(struct sn_progress *progress, const struct sn_node *node,
			     struct sn_http_request *request, enum sn_measure_state state,
			     const char *error);

#endif
