/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace: call a function on a fixed time grid.
 *
 * A measurement series is only worth something if sample k was taken at
 * start + k * interval.  A pace keeps that promise: late wake-ups do not push
 * later ones, and grid points that were slept through are counted, not made
 * up for in a burst.
 *
 * The owner embeds a struct sn_pace, calls sn_pace_start() and, before the
 * memory goes away, sn_pace_stop().  No allocation, no locks: loop thread only.
 */
#ifndef SONDE_BASE_PACE_H
#define SONDE_BASE_PACE_H

#include <stdint.h>

#include "base/loop.h"

struct sn_pace;

/*
 * Called once per grid point that we are awake for.  `missed` is the number of
 * following points this call came too late for.  The callback may stop the
 * pace and free its owner.
 */
typedef void sn_pace_fn(struct sn_pace *pace, uint64_t missed, void *ctx);

struct sn_pace {
	struct sn_timer timer;
	sn_pace_fn *fn;
	void *ctx;
	uint64_t due_ns;      /* the grid point we wait for */
	uint64_t interval_ns; /* 0 while stopped */
};

/* 0, or -EINVAL if `interval_ns` is 0.  First call comes at `first_ns`. */
int sn_pace_start(struct sn_pace *pace, struct sn_loop *loop, uint64_t first_ns,
		  uint64_t interval_ns, sn_pace_fn *fn, void *ctx);

/* Harmless on a stopped or zeroed pace. */
void sn_pace_stop(struct sn_pace *pace);

/*
 * First point of the grid {due, due + interval, ...} that lies after `now`;
 * stores in `missed` how many points between `due` and it were lost.
 * Pure, so that the arithmetic can be tested without a clock.
 */
uint64_t sn_pace_next(uint64_t due_ns, uint64_t interval_ns, uint64_t now_ns, uint64_t *missed);

#endif
