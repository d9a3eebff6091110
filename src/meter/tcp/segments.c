/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/tcp/segments.h"

#include <assert.h>
#include <stddef.h>

#include "meter/tcp/tcp.h"

_Static_assert(sizeof(struct sn_segment) == 24, "a node is 24 bytes");

void sn_segment_pool_init(struct sn_segment_pool *pool, unsigned max)
{
	sn_slab_init(&pool->slab, sizeof(struct sn_segment), offsetof(struct sn_segment, next));
	assert(pool->slab.shift == SN_SEGMENTS_SHIFT);
	sn_pool_init(&pool->troubles, 2 * sizeof(struct sn_tcp_trouble));
	pool->max = max != 0 ? max : SN_SEGMENTS_DEFAULT;
	pool->budget = SN_SEGMENTS_FREE;
}

void sn_segment_pool_finish(struct sn_segment_pool *pool)
{
	sn_slab_finish(&pool->slab);
	sn_pool_finish(&pool->troubles);
}

size_t sn_segment_pool_memory(const struct sn_segment_pool *pool)
{
	return sn_slab_memory(&pool->slab) + sn_pool_memory(&pool->troubles);
}

uint32_t sn_segments_insert(struct sn_segments *segments, struct sn_segment_pool *pool,
			    uint32_t before)
{
	uint32_t last = segments->last, number = sn_slab_take(&pool->slab);
	uint32_t neighbour = before != SN_SLAB_NONE ? before : last - 1;

	sn_segment_at(pool, number)->next = sn_segment_at(pool, neighbour)->next;
	sn_segment_at(pool, neighbour)->next = number;
	return number;
}

void sn_segments_drop_first(struct sn_segments *segments, struct sn_segment_pool *pool, bool merge)
{
	struct sn_segment *last = sn_segment_at(pool, segments->last - 1);
	uint32_t first = last->next;
	const struct sn_segment *node = sn_segment_at(pool, first);

	if (first == segments->last - 1) {
		segments->last = 0;
	} else {
		last->next = node->next;
		if (merge)
			sn_segment_at(pool, node->next)->begin = node->begin;
	}
	sn_slab_give(&pool->slab, first);
}

void sn_segments_clear(struct sn_segments *segments, struct sn_segment_pool *pool, unsigned count)
{
	uint32_t last = segments->last - 1;

	if (segments->last == 0)
		return;
	/* The ring is opened behind its last node. */
	sn_slab_give_chain(&pool->slab, sn_segment_at(pool, last)->next, last, count);
	segments->last = 0;
}
