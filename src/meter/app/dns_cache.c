/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers of DNS: stripes with a lock, a ring and a hash table each.
 *
 * An entry lives in its stripe's ring until the ring comes round, and in the chain
 * of its hash bucket, newest first.  A key may have several entries, because a
 * worker that is ahead must not hide what one that is behind still has to see;
 * VERSIONS_MAX bounds what a flood of answers for one key can make of that.
 *
 * Entries count from 1, so that fresh zeroed memory is an empty table: a short run never
 * touches most of it.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/app/names.h"
#include "meter/flow/key.h"

#define STRIPES      16
#define STRIPE_BITS  4
#define VERSIONS_MAX 8
#define NONE         0
#define BITS         64 /* of a word of `filled` */

struct entry {
	uint64_t client[2], address[2];
	struct sn_dns_hit *hit; /* NULL: free */
	uint32_t bucket, next;
};

struct stripe {
	pthread_mutex_t lock;
	struct entry *ring;              /* ring[1..size] */
	uint32_t *buckets;               /* index into the ring or NONE */
	uint64_t *filled;                /* a bit for each bucket; read without lock, too */
	uint32_t size, mask, last, used; /* entries behind `used` were never written */
};

struct sn_dns_cache {
	struct sn_name_pool *names;
	struct sn_flow_secret secret;
	struct stripe stripes[STRIPES];
};

struct place { /* where a key belongs */
	struct stripe *stripe;
	uint32_t bucket;
};

static void stripe_init(struct stripe *stripe, uint32_t size)
{
	pthread_mutex_init(&stripe->lock, NULL);
	stripe->size = size;
	stripe->ring = sn_new_n(struct entry, (size_t)size + 1);
	stripe->mask = 1;
	while (stripe->mask < size)
		stripe->mask = stripe->mask * 2 + 1;
	stripe->buckets = sn_new_n(uint32_t, (size_t)stripe->mask + 1);
	stripe->filled = sn_new_n(uint64_t, (size_t)stripe->mask / BITS + 1);
}

/*
 * Most flows have no name.  To learn that takes no lock that others want, and no memory that is not
 * in the cache: all bits are 16 KiB, all buckets half a megabyte.
 */
static bool is_filled(const struct stripe *stripe, uint32_t bucket)
{
	uint64_t bits = __atomic_load_n(&stripe->filled[bucket / BITS], __ATOMIC_RELAXED);

	return (bits >> bucket % BITS & 1) != 0;
}

/* With the lock; who makes a new entry or takes the last one out of the chain. */
static void mark(struct stripe *stripe, uint32_t bucket)
{
	uint64_t *bits = &stripe->filled[bucket / BITS], bit = (uint64_t)1 << bucket % BITS;
	bool filled = stripe->buckets[bucket] != NONE;

	__atomic_store_n(bits, filled ? *bits | bit : *bits & ~bit, __ATOMIC_RELAXED);
}

struct sn_dns_cache *sn_dns_cache_create(struct sn_name_pool *names, size_t entries)
{
	struct sn_dns_cache *cache = sn_new(struct sn_dns_cache);

	assert(entries > 0 && entries < UINT32_MAX);
	cache->names = names;
	sn_flow_secret_init(&cache->secret);
	for (size_t i = 0; i < STRIPES; i++)
		stripe_init(&cache->stripes[i], (uint32_t)((entries + STRIPES - 1) / STRIPES));
	return cache;
}

void sn_dns_hit_give(struct sn_dns_cache *cache, struct sn_dns_hit *hit)
{
	if (hit == NULL || __atomic_sub_fetch(&hit->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	sn_name_give(cache->names, hit->name);
	free(hit);
}

void sn_dns_cache_destroy(struct sn_dns_cache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; i < STRIPES; i++) {
		struct stripe *stripe = &cache->stripes[i];

		for (uint32_t k = 1; k <= stripe->used; k++)
			sn_dns_hit_give(cache, stripe->ring[k].hit);
		free(stripe->ring);
		free(stripe->buckets);
		free(stripe->filled);
		pthread_mutex_destroy(&stripe->lock);
	}
	free(cache);
}

static struct place place_of(struct sn_dns_cache *cache, const uint64_t client[2],
			     const uint64_t address[2])
{
	uint64_t words[] = {client[0], client[1], address[0], address[1]};
	uint64_t hash = sn_flow_words_hash(words, SN_COUNT(words), &cache->secret) >> 32;
	struct stripe *stripe = &cache->stripes[hash % STRIPES];

	return (struct place){stripe, (uint32_t)(hash >> STRIPE_BITS) & stripe->mask};
}

static bool has_key(const struct entry *entry, const uint64_t client[2], const uint64_t address[2])
{
	return entry->client[0] == client[0] && entry->client[1] == client[1] &&
	       entry->address[0] == address[0] && entry->address[1] == address[1];
}

/* Takes the entry out of its chain; its hit is the caller's to give. */
static struct sn_dns_hit *unlink_entry(struct stripe *stripe, uint32_t index)
{
	struct entry *entry = &stripe->ring[index];
	uint32_t *link = &stripe->buckets[entry->bucket];

	if (entry->hit == NULL)
		return NULL;
	while (*link != index)
		link = &stripe->ring[*link].next;
	*link = entry->next;
	mark(stripe, entry->bucket);
	return sn_steal(&entry->hit);
}

/* The oldest entry of a key that has as many as it may have, else NONE. */
static uint32_t surplus(const struct stripe *stripe, uint32_t bucket, const uint64_t client[2],
			const uint64_t address[2])
{
	unsigned versions = 0;

	for (uint32_t i = stripe->buckets[bucket]; i != NONE; i = stripe->ring[i].next)
		if (has_key(&stripe->ring[i], client, address) && ++versions == VERSIONS_MAX)
			return i;
	return NONE;
}

void sn_dns_cache_add(struct sn_dns_cache *cache, const uint64_t client[2],
		      const uint64_t address[2], struct sn_str name, const struct sn_dns_hit *facts)
{
	struct place place = place_of(cache, client, address);
	struct sn_name *taken = sn_name_take(cache->names, name);
	struct stripe *stripe = place.stripe;
	struct sn_dns_hit *hit, *old, *over = NULL;
	uint32_t index, most;

	if (taken == NULL)
		return;
	hit = sn_xmemdup(facts, sizeof(*facts));
	hit->name = taken;
	hit->references = 1;

	pthread_mutex_lock(&stripe->lock);
	most = surplus(stripe, place.bucket, client, address);
	if (most != NONE)
		over = unlink_entry(stripe, most);
	index = stripe->last < stripe->size ? stripe->last + 1 : 1;
	stripe->last = index;
	/* A fresh one is not read: its page would come twice, the second time for all threads. */
	old = index <= stripe->used ? unlink_entry(stripe, index) : NULL;
	stripe->used = SN_MAX(stripe->used, index);
	stripe->ring[index] = (struct entry){
		.client = {client[0], client[1]},
		.address = {address[0], address[1]},
		.hit = hit,
		.bucket = place.bucket,
		.next = stripe->buckets[place.bucket],
	};
	stripe->buckets[place.bucket] = index;
	mark(stripe, place.bucket);
	pthread_mutex_unlock(&stripe->lock);

	sn_dns_hit_give(cache, over);
	sn_dns_hit_give(cache, old);
}

struct sn_dns_hit *sn_dns_cache_find(struct sn_dns_cache *cache, const uint64_t client[2],
				     const uint64_t address[2], int64_t now_ns)
{
	struct place place = place_of(cache, client, address);
	struct stripe *stripe = place.stripe;
	struct sn_dns_hit *best = NULL;

	if (!is_filled(stripe, place.bucket))
		return NULL;
	pthread_mutex_lock(&stripe->lock);
	for (uint32_t i = stripe->buckets[place.bucket]; i != NONE; i = stripe->ring[i].next) {
		struct sn_dns_hit *hit = stripe->ring[i].hit;

		if (has_key(&stripe->ring[i], client, address) && hit->answered_ns <= now_ns &&
		    (best == NULL || hit->answered_ns > best->answered_ns))
			best = hit;
	}
	if (best != NULL)
		__atomic_add_fetch(&best->references, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&stripe->lock);
	return best;
}
