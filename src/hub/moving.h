/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moving: the hub's part of moving rows to ClickHouse (store/mover.h): what the
 * configuration says, the mover's life, what is told of it.
 *
 * Everything of the loop reads the day files only; questions are answered on
 * worker threads, which ask ClickHouse, too.
 */
#ifndef SONDE_HUB_MOVING_H
#define SONDE_HUB_MOVING_H

#include <jansson.h>
#include <stdatomic.h>

#include "base/err.h"
#include "store/mover.h"

struct sn_hub;
struct sn_hub_config;

/* Options of stores of a hub; they point into it and live as long.  `stop` is for their requests.
 */
struct sn_moving_options {
	struct sn_clickhouse_options clickhouse;
	struct sn_store_options loop, threads;
};
void sn_moving_options(const struct sn_hub_config *config, const atomic_bool *stop,
		       struct sn_moving_options *options);
/* -EINVAL: the keys say nothing sensible. */
int sn_moving_check(const struct sn_hub_config *config, struct sn_err *err);

/* Starts the mover, and reads the newest rows from ClickHouse on a thread.  0 without one. */
int sn_moving_start(struct sn_hub *hub, struct sn_err *err);
void sn_moving_stop(struct sn_hub *hub);
void sn_moving_tick(struct sn_hub *hub); /* tells when a problem came or went */

/* What is wrong, or NULL; until the next tick. */
const char *sn_moving_problem(const struct sn_hub *hub);
json_t *sn_moving_json(const struct sn_hub *hub);           /* null without one */
struct sn_mover *sn_moving_mover(const struct sn_hub *hub); /* NULL without one */

#endif
