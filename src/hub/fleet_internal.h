/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the fleet (fleet.c, fleet_report.c) share. */
#ifndef SONDE_HUB_FLEET_INTERNAL_H
#define SONDE_HUB_FLEET_INTERNAL_H

#include "base/map.h"
#include "hub/fleet.h"

struct sn_fleet {
	struct sn_db *db;
	struct sn_node **nodes; /* in order of their ids, which is that of enrolment */
	size_t count, room;
	struct sn_map *by_id, *by_name; /* by_name without the revoked ones */
	int64_t now_ns, online_ns;
	sn_fleet_change_fn *on_change;
	void *ctx;
};

#endif
