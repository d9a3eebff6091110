/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: flows by key, and the memory they live in.
 *
 * Open addressing with linear probing.  A slot is eight bytes: half of the hash
 * and the number of the flow, so that a probe touches a flow only when it is the
 * right one, and growing touches none.  It begins with one large page of slots, and
 * grows by half in its place, so that a large table is never emptier than it must
 * be.  Removal shifts the followers back: no tombstones, no decay.
 */
#ifndef SONDE_METER_FLOW_TABLE_H
#define SONDE_METER_FLOW_TABLE_H

#include <stddef.h>

#include "meter/flow/flow.h"
#include "meter/flow/slab.h"

#define SN_FLOWS_MAX (1U << 29) /* numbers of flows have two bits for the kind */

struct sn_flow_slot {
	uint32_t tag;    /* of the hash, says where the slot belongs, too; 0: free */
	uint32_t number; /* of the flow, with its kind */
};

enum sn_flow_kind { SN_KIND_TCP, SN_KIND_UDP, SN_KIND_OTHER, SN_KIND_HALF_OPEN, SN_KINDS };

struct sn_flow_table {
	struct sn_flow_slot *slots;
	size_t size, count, reserved; /* slots: in use, taken by flows, in the address space */
	size_t clears;                /* so far, see sn_flow_table_is_still() */
	struct sn_flow_secret secret;
	struct sn_slab slabs[SN_KINDS];
};

/* For at most `flows_max` flows; with `traffic` those of TCP have the member of that name. */
void sn_flow_table_init(struct sn_flow_table *table, size_t flows_max, bool traffic);
void sn_flow_table_finish(struct sn_flow_table *table); /* flows too; harmless on zeroed */

static inline uint64_t sn_flow_table_hash(const struct sn_flow_table *table,
					  const struct sn_flow_key *key)
{
	return sn_flow_key_hash(key, &table->secret);
}

struct sn_flow *sn_flow_table_find(const struct sn_flow_table *table, const struct sn_flow_key *key,
				   uint64_t hash);
/* A zeroed flow with its key set; the key must not be there yet.  Half-open: TCP only. */
struct sn_flow *sn_flow_table_add(struct sn_flow_table *table, const struct sn_flow_key *key,
				  uint64_t hash, bool half_open);
/*
 * A half-open flow gets the memory of a whole one: its head is moved there, the rest is zeroed.
 * Lists that it is in are the caller's to mend.
 */
struct sn_flow *sn_flow_table_unfold(struct sn_flow_table *table, struct sn_flow *flow,
				     uint64_t hash);
void sn_flow_table_remove(struct sn_flow_table *table, struct sn_flow *flow, uint64_t hash);
void sn_flow_table_clear(
	struct sn_flow_table *table); /* removes all; costs as much as one growth */

/* The upper half of the hash, never 0. */
static inline uint32_t sn_flow_table_tag(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

static inline size_t sn_flow_table_home(const struct sn_flow_table *table, uint32_t tag)
{
	return (uint64_t)tag * table->size >> 32;
}

static inline struct sn_flow *sn_flow_table_at(const struct sn_flow_table *table, uint32_t number)
{
	return (struct sn_flow *)sn_slab_at(&table->slabs[number & 3], (number >> 2) - 1);
}

/*
 * Which of four slots have the tag (1, 2, 4, 8).  How many one has to look at cannot be guessed, so
 * all are looked at.
 */
static inline unsigned sn_flow_slots_with(const struct sn_flow_slot *slot, uint32_t tag)
{
	return (unsigned)(slot[0].tag == tag) | (unsigned)(slot[1].tag == tag) << 1 |
	       (unsigned)(slot[2].tag == tag) << 2 | (unsigned)(slot[3].tag == tag) << 3;
}

/* Ask the memory for what sn_flow_table_find() will look at: first the slot, a while later the
 * flow.
 */
static SN_ALWAYS_INLINE void sn_flow_table_prefetch_slot(const struct sn_flow_table *table,
							 uint64_t hash)
{
	__builtin_prefetch(&table->slots[sn_flow_table_home(table, sn_flow_table_tag(hash))]);
}

/* The flow that is probably meant, NULL: none. */
static inline struct sn_flow *sn_flow_table_guess(const struct sn_flow_table *table, uint64_t hash)
{
	uint32_t tag = sn_flow_table_tag(hash);
	const struct sn_flow_slot *slot = &table->slots[sn_flow_table_home(table, tag)];
	unsigned found = sn_flow_slots_with(slot, tag);

	return found != 0 ? sn_flow_table_at(table, slot[__builtin_ctz(found)].number) : NULL;
}

/*
 * What the guess found when there had been `clears` is the flow of that key now.  One that has left
 * has no key any more, and its memory holds nothing but flows of the table.
 */
static inline bool sn_flow_table_is_still(const struct sn_flow_table *table,
					  const struct sn_flow *guess, size_t clears,
					  const struct sn_flow_key *key)
{
	return guess != NULL && clears == table->clears && sn_flow_key_equal(&guess->key, key);
}

/* Bytes in use: flows and slots. */
size_t sn_flow_table_memory(const struct sn_flow_table *table);

#endif
