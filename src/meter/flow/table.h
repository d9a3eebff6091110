/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: flows by key, and the memory they live in.
 *
 * Open addressing with linear probing; a slot holds the whole hash and a pointer,
 * so that a probe touches a flow only when it is the right one, and growing
 * touches none.  Removal shifts the followers back: no tombstones, no decay.
 * Memory comes in chunks from one pool per size and is reused, never returned
 * before the table goes.
 */
#ifndef SONDE_METER_FLOW_TABLE_H
#define SONDE_METER_FLOW_TABLE_H

#include <stddef.h>

#include "meter/flow/flow.h"
#include "meter/flow/pool.h"

struct sn_flow_slot {
	uint64_t hash;
	struct sn_flow *flow; /* NULL: free */
};

struct sn_flow_table {
	struct sn_flow_slot *slots;
	size_t mask, count;
	struct sn_flow_secret secret;
	struct sn_pool tcp_pool, udp_pool, other_pool;
};

void sn_flow_table_init(struct sn_flow_table *table);
void sn_flow_table_finish(struct sn_flow_table *table); /* flows too; harmless on zeroed */

uint64_t sn_flow_table_hash(const struct sn_flow_table *table, const struct sn_flow_key *key);
struct sn_flow *sn_flow_table_find(const struct sn_flow_table *table, const struct sn_flow_key *key,
				   uint64_t hash);
/* A zeroed flow with its key set; the key must not be there yet. */
struct sn_flow *sn_flow_table_add(struct sn_flow_table *table, const struct sn_flow_key *key,
				  uint64_t hash);
void sn_flow_table_remove(struct sn_flow_table *table, struct sn_flow *flow);
/* Ask the memory for what sn_flow_table_find() will look at: first the slot, a while later the
 * flow.
 */
static inline void sn_flow_table_prefetch_slot(const struct sn_flow_table *table, uint64_t hash)
{
	__builtin_prefetch(&table->slots[hash & table->mask]);
}

static inline void sn_flow_table_prefetch_flow(const struct sn_flow_table *table, uint64_t hash)
{
	const struct sn_flow_slot *slot = &table->slots[hash & table->mask];
	const char *flow = (const char *)slot->flow;

	if (slot->hash != hash || flow == NULL)
		return;
	for (size_t at = 0; at < sizeof(struct sn_tcp_flow); at += 64)
		__builtin_prefetch(flow + at, 1);
}

/* Bytes taken from the system: chunks and slots. */
size_t sn_flow_table_memory(const struct sn_flow_table *table);

#endif
