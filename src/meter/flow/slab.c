/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CHUNK_BYTES (512 * 1024) /* at most; chunks hold a power of two of objects */
#define SLACK_BYTES 64           /* a copy may read a little beyond the last object */

void sn_slab_init(struct sn_slab *slab, size_t object_size)
{
	assert(object_size >= sizeof(uint64_t) && object_size % sizeof(uint64_t) == 0);
	*slab = (struct sn_slab){.object_size = (uint32_t)object_size, .free = SN_SLAB_NONE};
	while ((object_size << (slab->shift + 1)) <= CHUNK_BYTES)
		slab->shift++;
}

void sn_slab_finish(struct sn_slab *slab)
{
	for (uint32_t i = 0; i < slab->chunk_count; i++)
		free(slab->chunks[i]);
	free(slab->chunks);
	*slab = (struct sn_slab){.free = SN_SLAB_NONE};
}

static void add_chunk(struct sn_slab *slab)
{
	/* The system gives large blocks zeroed, and pages only when they are touched. */
	slab->chunks = sn_xrealloc(slab->chunks, slab->chunk_count + 1, sizeof(*slab->chunks));
	slab->chunks[slab->chunk_count++] =
		sn_xcalloc(1, ((size_t)slab->object_size << slab->shift) + SLACK_BYTES);
}

static uint32_t cut(struct sn_slab *slab)
{
	if (slab->cut >> slab->shift == slab->chunk_count)
		add_chunk(slab);
	assert(slab->cut < SN_SLAB_NONE - 1);
	return slab->cut++;
}

static uint32_t reuse(struct sn_slab *slab)
{
	uint32_t number = slab->free;

	memcpy(&slab->free, sn_slab_at(slab, number), sizeof(slab->free));
	return number;
}

uint32_t sn_slab_take(struct sn_slab *slab)
{
	slab->used++;
	return slab->free != SN_SLAB_NONE ? reuse(slab) : cut(slab);
}

uint32_t sn_slab_take_zeroed(struct sn_slab *slab)
{
	uint32_t number;

	slab->used++;
	if (slab->free == SN_SLAB_NONE)
		return cut(slab);
	number = reuse(slab);
	memset(sn_slab_at(slab, number), 0, slab->object_size);
	return number;
}

void sn_slab_give(struct sn_slab *slab, uint32_t number)
{
	memcpy(sn_slab_at(slab, number), &slab->free, sizeof(slab->free));
	slab->free = number;
	slab->used--;
}

size_t sn_slab_memory(const struct sn_slab *slab)
{
	return (size_t)slab->cut * slab->object_size;
}
