/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover: which tasks have rows in the spool that the journal may not know of.
 */
#ifndef SONDE_NODE_TASKS_RECOVER_H
#define SONDE_NODE_TASKS_RECOVER_H

#include <stdbool.h>

#include "node/spool/spool.h"

struct sn_recovered {
	const char *id; /* of the task; borrowed */
	bool found;
	int64_t latest_ns; /* time of its last row */
};

/* Looks into the waiting batches from number `from` on. */
void sn_recover(const struct sn_spool *spool, uint64_t from, struct sn_recovered *items,
		size_t count);

#endif
