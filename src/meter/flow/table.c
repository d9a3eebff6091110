/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "meter/flow/pages.h"

#define SIZE_SPARE 4 /* free slots behind the end, so that a guess needs no wrapping */
#define SIZE_MIN   ((2 << 20) / sizeof(struct sn_flow_slot) - SIZE_SPARE) /* one large page */

_Static_assert(SN_FLOW_HALF_OPEN_BYTES == 128, "two cache lines: there may be very many");

static size_t slots_bytes(size_t size)
{
	return (size + SIZE_SPARE) * sizeof(struct sn_flow_slot);
}

/* At most three quarters full, else probes get long. */
static bool is_full(size_t size, size_t flows)
{
	return flows * 4 > size * 3;
}

void sn_flow_table_init(struct sn_flow_table *table, size_t flows_max, bool traffic)
{
	*table = (struct sn_flow_table){.size = SIZE_MIN, .reserved = SIZE_MIN};
	while (is_full(table->reserved, flows_max))
		table->reserved += table->reserved / 2;
	table->slots = sn_pages_take(slots_bytes(table->reserved), 0);
	sn_pages_touch(table->slots, slots_bytes(SIZE_MIN));
	sn_flow_secret_init(&table->secret);
	sn_slab_init(&table->slabs[SN_KIND_TCP],
		     traffic ? sizeof(struct sn_tcp_flow) : offsetof(struct sn_tcp_flow, traffic),
		     0);
	sn_slab_init(&table->slabs[SN_KIND_UDP], sizeof(struct sn_udp_flow), 0);
	sn_slab_init(&table->slabs[SN_KIND_OTHER], sizeof(struct sn_flow), 0);
	sn_slab_init(&table->slabs[SN_KIND_HALF_OPEN], SN_FLOW_HALF_OPEN_BYTES, 0);
}

void sn_flow_table_finish(struct sn_flow_table *table)
{
	for (unsigned i = 0; i < SN_KINDS; i++)
		sn_slab_finish(&table->slabs[i]);
	sn_pages_give(table->slots, slots_bytes(table->reserved));
	*table = (struct sn_flow_table){0};
}

static size_t after(const struct sn_flow_table *table, size_t slot)
{
	return slot + 1 < table->size ? slot + 1 : 0;
}

/* As far as it takes. */
static struct sn_flow *search(const struct sn_flow_table *table, const struct sn_flow_key *key,
			      uint32_t tag)
{
	for (size_t i = sn_flow_table_home(table, tag); table->slots[i].tag != 0;
	     i = after(table, i)) {
		struct sn_flow *flow;

		if (table->slots[i].tag != tag)
			continue;
		flow = sn_flow_table_at(table, table->slots[i].number);
		if (sn_flow_key_equal(&flow->key, key))
			return flow;
	}
	return NULL;
}

struct sn_flow *sn_flow_table_find(const struct sn_flow_table *table, const struct sn_flow_key *key,
				   uint64_t hash)
{
	uint32_t tag = sn_flow_table_tag(hash);
	size_t home = sn_flow_table_home(table, tag);
	unsigned found = sn_flow_slots_with(&table->slots[home], tag);
	struct sn_flow *flow;

	/* A free slot ends the search, but not the spare ones behind the table. */
	if (found == 0 && sn_flow_slots_with(&table->slots[home], 0) != 0 &&
	    home + SIZE_SPARE <= table->size)
		return NULL;
	if (found != 0) {
		flow = sn_flow_table_at(table, table->slots[home + __builtin_ctz(found)].number);
		if (sn_flow_key_equal(&flow->key, key))
			return flow;
	}
	return search(table, key, tag);
}

static void place(struct sn_flow_table *table, struct sn_flow_slot slot)
{
	size_t i = sn_flow_table_home(table, slot.tag);

	while (table->slots[i].tag != 0)
		i = after(table, i);
	table->slots[i] = slot;
}

/*
 * All slots go to the end of the larger table and from there, in order, to where they belong now:
 * that is not behind where they are, because homes keep their order.  Only those that had gone
 * round the end to the beginning have to wait.
 */
static void grow(struct sn_flow_table *table)
{
	size_t more = table->size / 2, waiting = 0;
	struct sn_flow_slot *slots = table->slots, *wait = NULL;

	assert(table->size + more <= table->reserved);
	memmove(slots + more, slots, table->size * sizeof(*slots));
	memset(slots, 0, more * sizeof(*slots));
	table->size += more;
	for (size_t from = more; from < table->size; from++) {
		struct sn_flow_slot slot = slots[from];
		size_t to = sn_flow_table_home(table, slot.tag);

		slots[from] = (struct sn_flow_slot){0};
		if (slot.tag == 0)
			continue;
		while (to <= from && slots[to].tag != 0)
			to++;
		if (to <= from) {
			slots[to] = slot;
		} else {
			wait = sn_xrealloc(wait, waiting + 1, sizeof(*wait));
			wait[waiting++] = slot;
		}
	}
	while (waiting > 0)
		place(table, wait[--waiting]);
	free(wait);
}

static enum sn_flow_kind kind_of(const struct sn_flow_key *key, bool half_open)
{
	return half_open                       ? SN_KIND_HALF_OPEN
	       : key->protocol == SN_PROTO_TCP ? SN_KIND_TCP
	       : key->protocol == SN_PROTO_UDP ? SN_KIND_UDP
					       : SN_KIND_OTHER;
}

static uint32_t take_number(struct sn_flow_table *table, enum sn_flow_kind kind)
{
	return (sn_slab_take_zeroed(&table->slabs[kind]) + 1) << 2 | kind;
}

/* Without a key it is nobody's guess any more. */
static void give_number(struct sn_flow_table *table, uint32_t number)
{
	sn_flow_table_at(table, number)->key.rest = 0;
	sn_slab_give(&table->slabs[number & 3], (number >> 2) - 1);
}

struct sn_flow *sn_flow_table_add(struct sn_flow_table *table, const struct sn_flow_key *key,
				  uint64_t hash, bool half_open)
{
	uint32_t number = take_number(table, kind_of(key, half_open));
	struct sn_flow *flow = sn_flow_table_at(table, number);

	if (is_full(table->size, table->count + 1))
		grow(table);
	flow->key = *key;
	flow->half_open = half_open;
	place(table, (struct sn_flow_slot){.tag = sn_flow_table_tag(hash), .number = number});
	table->count++;
	return flow;
}

static size_t slot_of(const struct sn_flow_table *table, const struct sn_flow *flow, uint64_t hash)
{
	uint32_t tag = sn_flow_table_tag(hash);
	size_t i = sn_flow_table_home(table, tag);

	for (;; i = after(table, i)) {
		assert(table->slots[i].tag != 0);
		if (table->slots[i].tag == tag &&
		    sn_flow_table_at(table, table->slots[i].number) == flow)
			return i;
	}
}

static size_t distance(const struct sn_flow_table *table, size_t from, size_t to)
{
	return to >= from ? to - from : to + table->size - from;
}

/* Pull back every follower that may stand in the gap (Knuth 6.4, algorithm R). */
static void close_gap(struct sn_flow_table *table, size_t gap)
{
	size_t i = gap;

	for (;;) {
		i = after(table, i);
		if (table->slots[i].tag == 0)
			break;

		size_t home = sn_flow_table_home(table, table->slots[i].tag);

		if (distance(table, home, i) >= distance(table, gap, i)) {
			table->slots[gap] = table->slots[i];
			gap = i;
		}
	}
	table->slots[gap] = (struct sn_flow_slot){0};
}

void sn_flow_table_remove(struct sn_flow_table *table, struct sn_flow *flow, uint64_t hash)
{
	size_t slot = slot_of(table, flow, hash);
	uint32_t number = table->slots[slot].number;

	close_gap(table, slot);
	table->count--;
	give_number(table, number);
}

struct sn_flow *sn_flow_table_unfold(struct sn_flow_table *table, struct sn_flow *flow,
				     uint64_t hash)
{
	size_t slot = slot_of(table, flow, hash);
	uint32_t old = table->slots[slot].number, number = take_number(table, SN_KIND_TCP);
	struct sn_flow *whole = sn_flow_table_at(table, number);

	assert(flow->half_open);
	memcpy(whole, flow, SN_FLOW_HEAD_BYTES);
	whole->half_open = false;
	table->slots[slot].number = number;
	give_number(table, old);
	return whole;
}

void sn_flow_table_clear(struct sn_flow_table *table)
{
	for (unsigned i = 0; i < SN_KINDS; i++)
		sn_slab_give_all(&table->slabs[i]);
	memset(table->slots, 0, slots_bytes(table->size));
	table->clears++;
	table->count = 0;
}

size_t sn_flow_table_memory(const struct sn_flow_table *table)
{
	size_t bytes = table->size * sizeof(struct sn_flow_slot);

	for (unsigned i = 0; i < SN_KINDS; i++)
		bytes += sn_slab_memory(&table->slabs[i]);
	return bytes;
}
