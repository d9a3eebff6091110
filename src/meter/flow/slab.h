/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab: objects of one size under 32-bit numbers.  A number is half as long as a
 * pointer, and there are many of them: in the slots of the table, in the lists of
 * segments.  Memory comes in chunks, is used again, last given first, and goes
 * back to the system with the slab.
 */
#ifndef SONDE_METER_FLOW_SLAB_H
#define SONDE_METER_FLOW_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SN_SLAB_NONE UINT32_MAX

struct sn_slab {
	char **chunks;
	uint32_t object_size, chunk_count;
	unsigned shift;      /* 2^shift objects per chunk */
	uint32_t cut;        /* numbers below were in use at least once */
	uint32_t free, used; /* chain through the first word of free objects; in use now */
};

/* `object_size`: a multiple of 8. */
void sn_slab_init(struct sn_slab *slab, size_t object_size);
void sn_slab_finish(struct sn_slab *slab);   /* everything in it is gone; harmless on zeroed */
uint32_t sn_slab_take(struct sn_slab *slab); /* what is in the object is undefined */
uint32_t sn_slab_take_zeroed(struct sn_slab *slab);
void sn_slab_give(struct sn_slab *slab, uint32_t number);
size_t sn_slab_memory(const struct sn_slab *slab); /* bytes that were ever in use */

static inline void *sn_slab_at(const struct sn_slab *slab, uint32_t number)
{
	uint32_t in_chunk = number & ((1U << slab->shift) - 1);

	return slab->chunks[number >> slab->shift] + (size_t)in_chunk * slab->object_size;
}

#endif
