/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab: objects of one size under 32-bit numbers.  A number is half as long as a
 * pointer, and there are many of them: in the slots of the table, in the lists of
 * segments.  Memory comes in large regions of which only what was in use is in
 * memory, is used again, last given first, and goes back to the system with the slab.
 */
#ifndef SONDE_METER_FLOW_SLAB_H
#define SONDE_METER_FLOW_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "meter/inline.h"

#define SN_SLAB_NONE UINT32_MAX

struct sn_slab {
	char **regions;
	uint32_t object_size, link; /* link: where in a free object the number of the next is */
	uint32_t region_count;
	unsigned shift;      /* 2^shift objects per region */
	uint32_t cut;        /* numbers below are in use or free; */
	uint32_t touched;    /* below this the memory is there already */
	uint32_t dirty;      /* below this the others hold what was left there, or zeros */
	uint32_t free, used; /* chain of free objects; in use now */
};

/* `object_size` is a multiple of 8, `link` the offset of 32 bits in it. */
void sn_slab_init(struct sn_slab *slab, size_t object_size, size_t link);
void sn_slab_finish(struct sn_slab *slab);  /* everything in it is gone; harmless on zeroed */
uint32_t sn_slab_cut(struct sn_slab *slab); /* one that is not in the chain */
uint32_t sn_slab_take_zeroed(struct sn_slab *slab);
/* All of them; those taken afterwards are used memory. */
void sn_slab_give_all(struct sn_slab *slab);
size_t sn_slab_memory(const struct sn_slab *slab); /* bytes that were ever in use */

static inline void *sn_slab_at(const struct sn_slab *slab, uint32_t number)
{
	uint32_t in_region = number & ((1U << slab->shift) - 1);

	return slab->regions[number >> slab->shift] + (size_t)in_region * slab->object_size;
}

typedef uint32_t __attribute__((may_alias)) sn_slab_number; /* in place of what was there */

static inline sn_slab_number *sn_slab_link(const struct sn_slab *slab, uint32_t number)
{
	return (sn_slab_number *)(void *)((char *)sn_slab_at(slab, number) + slab->link);
}

/* What is in the object is undefined. */
static inline uint32_t sn_slab_take(struct sn_slab *slab)
{
	uint32_t number = slab->free;

	slab->used++;
	if (number == SN_SLAB_NONE)
		return sn_slab_cut(slab);
	slab->free = *sn_slab_link(slab, number);
	if (slab->free != SN_SLAB_NONE)
		__builtin_prefetch(sn_slab_link(slab, slab->free), 1); /* for the next one */
	return number;
}

/* `count` objects that are chained by their links already, from `first` to `last`. */
static inline void sn_slab_give_chain(struct sn_slab *slab, uint32_t first, uint32_t last,
				      uint32_t count)
{
	*sn_slab_link(slab, last) = slab->free;
	slab->free = first;
	slab->used -= count;
}

static inline void sn_slab_give(struct sn_slab *slab, uint32_t number)
{
	sn_slab_give_chain(slab, number, number, 1);
}

#endif
