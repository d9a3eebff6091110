/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upkeep: a thread that keeps the store in order beside the hub's work: what is
 * whole of a file that was set aside comes back (store.h: sn_store_salvage()), and
 * small blocks are put together (sn_store_tidy()), again and again.
 */
#ifndef SONDE_HUB_UPKEEP_H
#define SONDE_HUB_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SN_UPKEEP_PAUSE_MS 3000

struct sn_upkeep;

struct sn_upkeep_status {
	uint64_t runs, merges; /* since the start */
	int64_t last_ns;       /* when the last run ended, Unix time; 0: none did yet */
	bool failing;          /* the last run; `reason` says why */
	char reason[SN_ERR_TEXT_MAX];
};

/*
 * `dir`: of the store, which the thread opens for itself; `pause_ms` between two runs; `salvage`:
 * also take back what is whole of damaged files.
 */
int sn_upkeep_start(const char *dir, unsigned pause_ms, bool salvage, struct sn_upkeep **upkeep,
		    struct sn_err *err);
/* Waits for the merge under way, some 100 ms.  NULL is fine. */
void sn_upkeep_stop(struct sn_upkeep *upkeep);
/* Any thread. */
void sn_upkeep_status(struct sn_upkeep *upkeep, struct sn_upkeep_status *status);

#endif
