/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work: things that take too long for the loop (password hashing, checks over the
 * whole store) on libuv's worker threads.
 *
 * The owner embeds a struct sn_work.  `run` is called on a thread and may touch
 * nothing but the work itself; `done` is called on the loop afterwards and may
 * free it.
 */
#ifndef SONDE_HUB_WORK_H
#define SONDE_HUB_WORK_H

#include <uv.h>

#include "base/loop.h"

struct sn_work;
struct sn_work_pool;
typedef void sn_work_fn(struct sn_work *work);

struct sn_work {
	uv_work_t request;
	struct sn_work_pool *pool;
	sn_work_fn *run, *done;
};

/* `max`: waiting and running at once. */
struct sn_work_pool *sn_work_pool_create(struct sn_loop *loop, unsigned max);
/* Waits for what is under way; each `done` is still called. */
void sn_work_pool_destroy(struct sn_work_pool *pool);
/* 0, or -EBUSY when there are too many: then neither function is called. */
int sn_work_start(struct sn_work_pool *pool, struct sn_work *work, sn_work_fn *run,
		  sn_work_fn *done);

#endif
