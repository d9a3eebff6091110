/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held: rows that wait for the end of their iteration, as the lines they came in.
 *
 * A few are kept in memory; more go to a file without a name, so that ten thousand
 * rows of a long iteration cost the agent no memory and leave nothing behind when
 * it dies.
 */
#ifndef SONDE_NODE_TASKS_HELD_H
#define SONDE_NODE_TASKS_HELD_H

#include <stdint.h>

#include "base/buf.h"

#define SN_HELD_MAX       10000 /* rows */
#define SN_HELD_IN_MEMORY 16384 /* bytes; then to the file */

struct sn_held { /* zeroed is empty */
	struct sn_buf lines;
	int fd_plus_1;    /* of the file; 0: none */
	uint64_t written; /* bytes in it */
	unsigned count;
};

/* -ENOSPC at the limit, or why the file does not take it; then nothing was added. */
int sn_held_add(struct sn_held *held, const char *dir, struct sn_str line);
/* Each line in order, then empty.  Returns how many were lost because the file could not be read.
 */
unsigned sn_held_take(struct sn_held *held, void (*fn)(struct sn_str line, void *ctx), void *ctx);
void sn_held_finish(struct sn_held *held);

#endif
