/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/app/names.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define STRIPES     16 /* locks, so that workers seldom wait for each other */
#define BUCKETS_MIN 64 /* per stripe; doubled when there are as many names */
#define TEXT_AT     offsetof(struct sn_name, text)

struct stripe {
	pthread_mutex_t lock;
	struct sn_name **buckets;
	size_t mask, count;
};

struct sn_name_pool {
	struct stripe stripes[STRIPES];
	size_t memory_max;
	atomic_size_t memory;
	_Atomic uint64_t refused;
};

struct sn_name_pool *sn_name_pool_create(size_t memory_max)
{
	struct sn_name_pool *names = sn_new(struct sn_name_pool);

	names->memory_max = memory_max;
	for (size_t i = 0; i < STRIPES; i++) {
		struct stripe *stripe = &names->stripes[i];

		pthread_mutex_init(&stripe->lock, NULL);
		stripe->buckets = sn_new_n(struct sn_name *, BUCKETS_MIN);
		stripe->mask = BUCKETS_MIN - 1;
	}
	names->memory = sizeof(*names) + STRIPES * BUCKETS_MIN * sizeof(struct sn_name *);
	return names;
}

static void stripe_finish(struct stripe *stripe)
{
	for (size_t i = 0; i <= stripe->mask; i++) {
		while (stripe->buckets[i] != NULL) {
			struct sn_name *name = stripe->buckets[i];

			stripe->buckets[i] = name->next;
			free(name);
		}
	}
	free(stripe->buckets);
	pthread_mutex_destroy(&stripe->lock);
}

void sn_name_pool_destroy(struct sn_name_pool *names)
{
	if (names == NULL)
		return;
	for (size_t i = 0; i < STRIPES; i++)
		stripe_finish(&names->stripes[i]);
	free(names);
}

/* The low bits choose the stripe, the others the bucket. */
static struct stripe *stripe_of(struct sn_name_pool *names, uint32_t hash)
{
	return &names->stripes[hash % STRIPES];
}

static struct sn_name **bucket_of(const struct stripe *stripe, uint32_t hash)
{
	return &stripe->buckets[hash / STRIPES & stripe->mask];
}

static void grow(struct sn_name_pool *names, struct stripe *stripe)
{
	struct stripe old = *stripe;
	size_t buckets = 2 * (old.mask + 1);

	stripe->buckets = sn_new_n(struct sn_name *, buckets);
	stripe->mask = buckets - 1;
	for (size_t i = 0; i <= old.mask; i++) {
		struct sn_name *next;

		for (struct sn_name *name = old.buckets[i]; name != NULL; name = next) {
			struct sn_name **bucket = bucket_of(stripe, name->hash);

			next = name->next;
			name->next = *bucket;
			*bucket = name;
		}
	}
	names->memory += (buckets - old.mask - 1) * sizeof(struct sn_name *);
	free(old.buckets);
}

static struct sn_name *find(const struct stripe *stripe, uint32_t hash, struct sn_str text)
{
	struct sn_name *name = *bucket_of(stripe, hash);

	while (name != NULL && (name->hash != hash || name->length != text.n ||
				memcmp(name->text, text.p, text.n) != 0))
		name = name->next;
	return name;
}

static size_t memory_of(size_t length)
{
	return TEXT_AT + length + 1;
}

/* The stripe is locked. */
static struct sn_name *add(struct sn_name_pool *names, struct stripe *stripe, uint32_t hash,
			   struct sn_str text)
{
	size_t size = memory_of(text.n);
	struct sn_name *name, **bucket;

	if (atomic_fetch_add(&names->memory, size) + size > names->memory_max) {
		names->memory -= size;
		names->refused++;
		return NULL;
	}
	if (stripe->count > stripe->mask)
		grow(names, stripe);
	name = sn_xmalloc(SN_MAX(size, sizeof(*name)));
	bucket = bucket_of(stripe, hash);
	*name = (struct sn_name){.hash = hash, .next = *bucket, .length = (uint16_t)text.n};
	memcpy(name->text, text.p, text.n);
	name->text[text.n] = '\0';
	*bucket = name;
	stripe->count++;
	return name;
}

struct sn_name *sn_name_take(struct sn_name_pool *names, struct sn_str text)
{
	struct stripe *stripe;
	struct sn_name *name;
	uint32_t hash;

	if (text.n == 0)
		return NULL;
	text.n = SN_MIN(text.n, SN_NAME_MAX);
	hash = (uint32_t)sn_hash(text.p, text.n);
	stripe = stripe_of(names, hash);
	pthread_mutex_lock(&stripe->lock);
	name = find(stripe, hash, text);
	if (name == NULL)
		name = add(names, stripe, hash, text);
	if (name != NULL)
		name->references++;
	pthread_mutex_unlock(&stripe->lock);
	return name;
}

/* The stripe is locked and nobody holds the name. */
static void forget(struct sn_name_pool *names, struct stripe *stripe, struct sn_name *name)
{
	struct sn_name **link = bucket_of(stripe, name->hash);

	while (*link != name)
		link = &(*link)->next;
	*link = name->next;
	stripe->count--;
	names->memory -= memory_of(name->length);
	free(name);
}

void sn_name_give(struct sn_name_pool *names, struct sn_name *name)
{
	struct stripe *stripe;

	if (name == NULL)
		return;
	stripe = stripe_of(names, name->hash);
	pthread_mutex_lock(&stripe->lock);
	assert(name->references > 0);
	if (--name->references == 0)
		forget(names, stripe, name);
	pthread_mutex_unlock(&stripe->lock);
}

size_t sn_name_pool_memory(const struct sn_name_pool *names)
{
	return names->memory;
}

uint64_t sn_name_pool_refused(const struct sn_name_pool *names)
{
	return names->refused;
}
