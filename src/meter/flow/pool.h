/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: objects of one size, cut from chunks; freed ones are used again first.
 */
#ifndef SONDE_METER_FLOW_POOL_H
#define SONDE_METER_FLOW_POOL_H

#include <stddef.h>

struct sn_pool {
	size_t object_size;
	void *free;                  /* chain through the first word */
	struct sn_pool_chunk *chunk; /* newest; chain */
	size_t used;                 /* objects cut from the newest */
	size_t chunks;
};

void sn_pool_init(struct sn_pool *pool, size_t object_size);
void sn_pool_finish(struct sn_pool *pool); /* everything taken from it is gone */
void *sn_pool_take(struct sn_pool *pool);  /* zeroed */
void sn_pool_give(struct sn_pool *pool, void *object);
size_t sn_pool_memory(const struct sn_pool *pool);

#endif
