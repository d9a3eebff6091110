/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SLOTS_MIN 1024 /* a power of two */

void sn_flow_table_init(struct sn_flow_table *table)
{
	*table = (struct sn_flow_table){
		.slots = sn_new_n(struct sn_flow_slot, SLOTS_MIN),
		.mask = SLOTS_MIN - 1,
	};
	sn_flow_secret_init(&table->secret);
	sn_pool_init(&table->tcp_pool, sizeof(struct sn_tcp_flow));
	sn_pool_init(&table->udp_pool, sizeof(struct sn_udp_flow));
	sn_pool_init(&table->other_pool, sizeof(struct sn_flow));
}

void sn_flow_table_finish(struct sn_flow_table *table)
{
	sn_pool_finish(&table->tcp_pool);
	sn_pool_finish(&table->udp_pool);
	sn_pool_finish(&table->other_pool);
	free(table->slots);
	*table = (struct sn_flow_table){0};
}

uint64_t sn_flow_table_hash(const struct sn_flow_table *table, const struct sn_flow_key *key)
{
	return sn_flow_key_hash(key, &table->secret);
}

struct sn_flow *sn_flow_table_find(const struct sn_flow_table *table, const struct sn_flow_key *key,
				   uint64_t hash)
{
	for (size_t i = hash & table->mask; table->slots[i].flow != NULL; i = (i + 1) & table->mask)
		if (table->slots[i].hash == hash &&
		    memcmp(&table->slots[i].flow->key, key, sizeof(*key)) == 0)
			return table->slots[i].flow;
	return NULL;
}

static void place(struct sn_flow_table *table, struct sn_flow_slot slot)
{
	size_t i = slot.hash & table->mask;

	while (table->slots[i].flow != NULL)
		i = (i + 1) & table->mask;
	table->slots[i] = slot;
}

static void grow(struct sn_flow_table *table)
{
	struct sn_flow_slot *old = table->slots;
	size_t old_size = table->mask + 1;

	table->slots = sn_new_n(struct sn_flow_slot, old_size * 2);
	table->mask = old_size * 2 - 1;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].flow != NULL)
			place(table, old[i]);
	free(old);
}

static struct sn_pool *pool_of(struct sn_flow_table *table, const struct sn_flow_key *key)
{
	return key->protocol == SN_PROTO_TCP   ? &table->tcp_pool
	       : key->protocol == SN_PROTO_UDP ? &table->udp_pool
					       : &table->other_pool;
}

struct sn_flow *sn_flow_table_add(struct sn_flow_table *table, const struct sn_flow_key *key,
				  uint64_t hash)
{
	struct sn_flow *flow = sn_pool_take(pool_of(table, key));

	/* At most three quarters full, else probes get long. */
	if ((table->count + 1) * 4 > (table->mask + 1) * 3)
		grow(table);
	flow->key = *key;
	place(table, (struct sn_flow_slot){.hash = hash, .flow = flow});
	table->count++;
	return flow;
}

static size_t slot_of(const struct sn_flow_table *table, const struct sn_flow *flow)
{
	size_t i = sn_flow_table_hash(table, &flow->key) & table->mask;

	while (table->slots[i].flow != flow) {
		assert(table->slots[i].flow != NULL);
		i = (i + 1) & table->mask;
	}
	return i;
}

/* Pull back every follower that may stand in the gap (Knuth 6.4, algorithm R). */
static void close_gap(struct sn_flow_table *table, size_t gap)
{
	size_t i = gap;

	for (;;) {
		i = (i + 1) & table->mask;
		if (table->slots[i].flow == NULL)
			break;

		size_t home = table->slots[i].hash & table->mask;

		if (((i - home) & table->mask) >= ((i - gap) & table->mask)) {
			table->slots[gap] = table->slots[i];
			gap = i;
		}
	}
	table->slots[gap] = (struct sn_flow_slot){0};
}

void sn_flow_table_remove(struct sn_flow_table *table, struct sn_flow *flow)
{
	close_gap(table, slot_of(table, flow));
	table->count--;
	sn_pool_give(pool_of(table, &flow->key), flow);
}

size_t sn_flow_table_memory(const struct sn_flow_table *table)
{
	return sn_pool_memory(&table->tcp_pool) + sn_pool_memory(&table->udp_pool) +
	       sn_pool_memory(&table->other_pool) + (table->mask + 1) * sizeof(struct sn_flow_slot);
}
