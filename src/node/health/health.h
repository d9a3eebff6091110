/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: how the agent and its machine are doing, as a row of the dataset
 * `health` and as the parts of a heartbeat that describe the machine.
 */
#ifndef SONDE_NODE_HEALTH_HEALTH_H
#define SONDE_NODE_HEALTH_HEALTH_H

#include "base/json.h"
#include "data/batch.h"
#include "node/spool/spool.h"

struct sn_health {
	int64_t time_unix_ns;
	uint64_t uptime_ns;
	const struct sn_spool_stats *spool;
	unsigned tasks_running;
	uint64_t task_restarts, missed_iterations;
	const char *state_dir; /* whose disk is looked at */
};

/* Adds one row; what the system does not tell stays null. */
void sn_health_add_row(struct sn_batch *rows, const struct sn_health *health);

#define SN_HEALTH_INTERFACES_MAX 64 /* as many as a hub takes */
#define SN_HEALTH_ADDRESSES_MAX  32 /* per interface */
/* [{"name","addresses":[...],"up"}], loopback left out. */
void sn_health_write_interfaces(struct sn_jw *jw);

#define SN_BOOT_ID_MAX 64
/* The kernel's id of this boot, or "". */
void sn_health_boot_id(char out[SN_BOOT_ID_MAX]);

#endif
