/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/work.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

struct sn_work_pool {
	struct sn_loop *loop;
	unsigned busy, max;
};

struct sn_work_pool *sn_work_pool_create(struct sn_loop *loop, unsigned max)
{
	struct sn_work_pool *pool = sn_new(struct sn_work_pool);

	pool->loop = loop;
	pool->max = max;
	return pool;
}

void sn_work_pool_destroy(struct sn_work_pool *pool)
{
	if (pool == NULL)
		return;
	while (pool->busy > 0)
		sn_loop_turn(pool->loop, 10 * SN_NS_PER_MS);
	free(pool);
}

static void on_thread(uv_work_t *request)
{
	struct sn_work *work = sn_container_of(request, struct sn_work, request);

	work->run(work);
}

static void on_loop(uv_work_t *request, int status)
{
	struct sn_work *work = sn_container_of(request, struct sn_work, request);

	(void)status;
	work->pool->busy--;
	work->done(work);
}

int sn_work_start(struct sn_work_pool *pool, struct sn_work *work, sn_work_fn *run,
		  sn_work_fn *done)
{
	if (pool->busy >= pool->max)
		return -EBUSY;
	work->pool = pool;
	work->run = run;
	work->done = done;
	if (uv_queue_work(sn_loop_uv(pool->loop), &work->request, on_thread, on_loop) != 0)
		return -EBUSY;
	pool->busy++;
	return 0;
}
