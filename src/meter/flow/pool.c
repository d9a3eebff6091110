/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CHUNK_BYTES (64 * 1024)

struct sn_pool_chunk {
	struct sn_pool_chunk *older;
	max_align_t objects[];
};

static size_t per_chunk(const struct sn_pool *pool)
{
	return (CHUNK_BYTES - sizeof(struct sn_pool_chunk)) / pool->object_size;
}

void sn_pool_init(struct sn_pool *pool, size_t object_size)
{
	assert(object_size >= sizeof(void *) && object_size % sizeof(void *) == 0);
	*pool = (struct sn_pool){.object_size = object_size};
}

void sn_pool_finish(struct sn_pool *pool)
{
	while (pool->chunk != NULL) {
		struct sn_pool_chunk *chunk = pool->chunk;

		pool->chunk = chunk->older;
		free(chunk);
	}
	*pool = (struct sn_pool){0};
}

static void *cut(struct sn_pool *pool)
{
	if (pool->chunk == NULL || pool->used == per_chunk(pool)) {
		struct sn_pool_chunk *chunk = sn_xmalloc(CHUNK_BYTES);

		chunk->older = pool->chunk;
		pool->chunk = chunk;
		pool->chunks++;
		pool->used = 0;
	}
	return (char *)pool->chunk->objects + pool->object_size * pool->used++;
}

void *sn_pool_take(struct sn_pool *pool)
{
	void *object = pool->free;

	if (object != NULL)
		memcpy(&pool->free, object, sizeof(void *));
	else
		object = cut(pool);
	return memset(object, 0, pool->object_size);
}

void sn_pool_give(struct sn_pool *pool, void *object)
{
	memcpy(object, &pool->free, sizeof(void *));
	pool->free = object;
}

size_t sn_pool_memory(const struct sn_pool *pool)
{
	return pool->chunks * CHUNK_BYTES;
}
