/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jump: tells when the wall clock was set, or stood still while the machine slept.
 *
 * Scopes are wall time and timers are not: whoever waits for a moment of the wall
 * clock has to look again when it jumps.
 */
#ifndef SONDE_NODE_TASKS_JUMP_H
#define SONDE_NODE_TASKS_JUMP_H

#include "base/loop.h"

struct sn_jump {
	struct sn_io io;
	int fd_plus_1; /* 0: not watching */
	void (*fn)(void *ctx);
	void *ctx;
};

/* A kernel without it leaves the owner with looking now and then. */
void sn_jump_start(struct sn_jump *jump, struct sn_loop *loop, void (*fn)(void *ctx), void *ctx);
void sn_jump_stop(struct sn_jump *jump); /* harmless on a zeroed one */

#endif
