/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "meter/flow/pages.h"

#define REGION_BYTES ((size_t)128 << 20) /* at most; regions hold a power of two of objects */
#define SMALL_BYTES  ((size_t)2 << 20)   /* of the first region: most slabs hold little */
#define TOUCH_BYTES  ((size_t)64 << 10)  /* of it are made at once */
#define SLACK_BYTES  64                  /* a copy may read a little beyond the last object */

void sn_slab_init(struct sn_slab *slab, size_t object_size, size_t link)
{
	assert(object_size % sizeof(uint64_t) == 0 && link % sizeof(uint32_t) == 0 &&
	       link + sizeof(uint32_t) <= object_size);
	*slab = (struct sn_slab){
		.object_size = (uint32_t)object_size,
		.link = (uint32_t)link,
		.free = SN_SLAB_NONE,
	};
	while ((object_size << (slab->shift + 1)) + SLACK_BYTES <= REGION_BYTES)
		slab->shift++;
}

static size_t region_bytes(const struct sn_slab *slab)
{
	return ((size_t)slab->object_size << slab->shift) + SLACK_BYTES;
}

void sn_slab_finish(struct sn_slab *slab)
{
	for (uint32_t i = 0; i < slab->region_count; i++)
		sn_pages_give(slab->regions[i], region_bytes(slab));
	free(slab->regions);
	*slab = (struct sn_slab){.free = SN_SLAB_NONE};
}

static void add_region(struct sn_slab *slab)
{
	size_t small = slab->region_count == 0 ? SMALL_BYTES : 0;

	slab->regions = sn_xrealloc(slab->regions, slab->region_count + 1, sizeof(*slab->regions));
	slab->regions[slab->region_count++] = sn_pages_take(region_bytes(slab), small);
}

/* Brings in the memory of the next objects, where the pages are small. */
static void touch(struct sn_slab *slab)
{
	uint32_t count = TOUCH_BYTES / slab->object_size + 1;

	if ((size_t)slab->cut * slab->object_size < SMALL_BYTES)
		sn_pages_touch(sn_slab_at(slab, slab->cut), (size_t)count * slab->object_size);
	slab->touched = slab->cut + count;
}

uint32_t sn_slab_cut(struct sn_slab *slab)
{
	if (slab->cut >> slab->shift == slab->region_count)
		add_region(slab);
	if (slab->cut >= slab->touched)
		touch(slab);
	assert(slab->cut < SN_SLAB_NONE - 1);
	return slab->cut++;
}

uint32_t sn_slab_take_zeroed(struct sn_slab *slab)
{
	bool fresh = slab->free == SN_SLAB_NONE && slab->cut >= slab->dirty;
	uint32_t number = sn_slab_take(slab);

	if (fresh)
		return number;
	memset(sn_slab_at(slab, number), 0, slab->object_size);
	if (slab->free != SN_SLAB_NONE) { /* the next one will be written, too */
		const char *next = sn_slab_at(slab, slab->free);

		for (size_t at = 64; at < slab->object_size; at += 64)
			__builtin_prefetch(next + at, 1);
	}
	return number;
}

void sn_slab_give_all(struct sn_slab *slab)
{
	slab->dirty = SN_MAX(slab->dirty, slab->cut);
	slab->cut = slab->used = 0;
	slab->free = SN_SLAB_NONE;
}

size_t sn_slab_memory(const struct sn_slab *slab)
{
	return (size_t)SN_MAX(slab->dirty, slab->cut) * slab->object_size;
}
