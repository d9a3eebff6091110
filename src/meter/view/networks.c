/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trie of 256-way nodes per family: which bytes lie inside, which lead deeper.  A branch that
 * holds one network only ends in that network, so a list takes memory by its length.
 */
#include "meter/view/networks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/view/networks_internal.h"

#define LEAF 0x80000000U /* a reference to a network, not to a node */

struct node {
	uint64_t inside[4], deeper[4]; /* a bit per value of the byte */
	uint32_t first;                /* of the references of its deeper bits, in order */
};

struct trie {
	struct sn_network *items; /* in order, none inside another */
	size_t count;
	struct node *nodes; /* the first is the root */
	uint32_t *references;
	size_t node_count, node_room, reference_count, reference_room;
};

struct sn_networks {
	struct trie tries[2]; /* IPv4, IPv6 */
};

/* Building ------------------------------------------------------------------------------ */

static uint32_t new_node(struct trie *trie)
{
	if (trie->node_count == trie->node_room) {
		trie->node_room = SN_MAX(2 * trie->node_room, (size_t)4);
		trie->nodes = sn_xrealloc(trie->nodes, trie->node_room, sizeof(struct node));
	}
	trie->nodes[trie->node_count] = (struct node){0};
	return (uint32_t)trie->node_count++;
}

static uint32_t new_references(struct trie *trie, size_t count)
{
	size_t first = trie->reference_count;

	trie->reference_count += count;
	if (trie->reference_count > trie->reference_room) {
		trie->reference_room = SN_MAX(2 * trie->reference_room, trie->reference_count);
		trie->references =
			sn_xrealloc(trie->references, trie->reference_room, sizeof(uint32_t));
	}
	return (uint32_t)first;
}

static void set_bits(uint64_t words[4], unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		words[i / 64] |= 1ULL << i % 64;
}

/* Behind the last network from `at` on that has the same byte at `depth`. */
static size_t branch_end(const struct trie *trie, size_t at, size_t end, unsigned depth)
{
	uint8_t byte = trie->items[at].ip[depth];

	while (at < end && trie->items[at].ip[depth] == byte)
		at++;
	return at;
}

static bool ends_within(const struct sn_network *item, unsigned depth)
{
	return item->bits <= 8 * (depth + 1);
}

/* Marks what ends within the byte at `depth`; returns how many branches go on. */
static size_t mark(struct trie *trie, struct node *node, size_t begin, size_t end, unsigned depth)
{
	size_t branches = 0;

	for (size_t i = begin; i < end;) {
		const struct sn_network *item = &trie->items[i];

		if (ends_within(item, depth)) {
			set_bits(node->inside, item->ip[depth],
				 1U << (8 * (depth + 1) - item->bits));
			i++;
		} else {
			set_bits(node->deeper, item->ip[depth], 1);
			i = branch_end(trie, i, end, depth);
			branches++;
		}
	}
	return branches;
}

/* The node of the networks from `begin` to `end`, which are alike in the bytes before `depth`. */
static uint32_t build(struct trie *trie, size_t begin, size_t end, unsigned depth)
{
	uint32_t at = new_node(trie), reference;
	struct node node = {0};

	reference = node.first = new_references(trie, mark(trie, &node, begin, end, depth));
	trie->nodes[at] = node;
	for (size_t i = begin; i < end;) {
		size_t next = i + 1;

		if (!ends_within(&trie->items[i], depth)) {
			uint32_t target = LEAF | (uint32_t)i;

			next = branch_end(trie, i, end, depth);
			if (next - i > 1)
				target = build(trie, i, next, depth + 1);
			trie->references[reference++] = target;
		}
		i = next;
	}
	return at;
}

static int by_address(const void *a, const void *b)
{
	const struct sn_network *x = a, *y = b;
	int order = memcmp(x->ip, y->ip, sizeof(x->ip));

	return order != 0 ? order : (int)x->bits - (int)y->bits;
}

static bool contains(const struct sn_network *network, const uint8_t *ip)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	return memcmp(network->ip, ip, whole) == 0 &&
	       (rest == 0 || (network->ip[whole] ^ ip[whole]) >> (8 - rest) == 0);
}

/* In order, what lies inside another follows it. */
static size_t drop_inner(struct sn_network *items, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || !contains(&items[kept - 1], items[i].ip))
			items[kept++] = items[i];
	}
	return kept;
}

static void fill(struct trie *trie, const struct sn_network *items, size_t count, uint8_t family)
{
	trie->items = sn_new_n(struct sn_network, count + 1);
	for (size_t i = 0; i < count; i++) {
		if (items[i].family == family)
			trie->items[trie->count++] = items[i];
	}
	qsort(trie->items, trie->count, sizeof(*trie->items), by_address);
	trie->count = drop_inner(trie->items, trie->count);
	build(trie, 0, trie->count, 0);
}

struct sn_networks *sn_networks_build(const struct sn_network *items, size_t count)
{
	struct sn_networks *networks = sn_new(struct sn_networks);

	fill(&networks->tries[0], items, count, 4);
	fill(&networks->tries[1], items, count, 6);
	return networks;
}

void sn_networks_destroy(struct sn_networks *networks)
{
	if (networks == NULL)
		return;
	for (size_t i = 0; i < SN_COUNT(networks->tries); i++) {
		free(networks->tries[i].items);
		free(networks->tries[i].nodes);
		free(networks->tries[i].references);
	}
	free(networks);
}

/* Asking -------------------------------------------------------------------------------- */

static bool bit(const uint64_t words[4], unsigned i)
{
	return (words[i / 64] >> i % 64 & 1) != 0;
}

/* How many bits are set before bit `i`. */
static unsigned rank(const uint64_t words[4], unsigned i)
{
	unsigned count = 0;

	for (unsigned word = 0; word < i / 64; word++)
		count += (unsigned)__builtin_popcountll(words[word]);
	return count + (unsigned)__builtin_popcountll(words[i / 64] & ((1ULL << i % 64) - 1));
}

static bool trie_has(const struct trie *trie, const uint8_t *ip)
{
	const struct node *node = trie->nodes;

	/* Ends by itself: no network is longer than its address, so the last byte leads nowhere. */
	for (unsigned depth = 0;; depth++) {
		unsigned byte = ip[depth];
		uint32_t reference;

		if (bit(node->inside, byte) || !bit(node->deeper, byte))
			return bit(node->inside, byte);
		reference = trie->references[node->first + rank(node->deeper, byte)];
		if ((reference & LEAF) != 0)
			return contains(&trie->items[reference & ~LEAF], ip);
		node = &trie->nodes[reference];
	}
}

bool sn_networks_has(const struct sn_networks *networks, const uint64_t address[2], uint8_t family)
{
	return trie_has(&networks->tries[family == 6], (const uint8_t *)address);
}
