/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff: how long to wait before the next try.
 *
 * Each wait is drawn between half and the whole of a span that doubles, so that
 * many nodes that lost the same hub do not come back at the same moment.
 */
#ifndef SONDE_NODE_BACKOFF_H
#define SONDE_NODE_BACKOFF_H

#include <stdint.h>

struct sn_backoff {
	uint64_t min_ns, max_ns;
	uint64_t span_ns; /* of the next wait; 0: min_ns */
};

uint64_t sn_backoff_next(struct sn_backoff *backoff);
void sn_backoff_reset(struct sn_backoff *backoff);

#endif
