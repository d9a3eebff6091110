/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/map_internal.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"

#define SLOTS_MIN 16 /* a power of two, as all sizes */

struct slot { /* key NULL: free */
	char *key;
	void *value;
	uint64_t hash;
};

struct sn_map {
	struct slot *slots;
	size_t mask, count;
	sn_map_release_fn *release;
};

static uint64_t rotate_left(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[3];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[2] = rotate_left(v[2], 32);
}

static uint64_t load_le(const unsigned char *p, size_t size)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size; i++)
		word |= (uint64_t)p[i] << 8 * i;
	return word;
}

/* Aumasson, Bernstein: SipHash, a fast short-input PRF (2012), section 2. */
uint64_t sn_siphash24(const uint8_t key[SN_SIPHASH_KEY_SIZE], const void *data, size_t size)
{
	uint64_t k0 = load_le(key, 8), k1 = load_le(key + 8, 8);
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL,
	};
	const unsigned char *p = data;
	size_t left = size;

	for (;; p += 8, left -= 8) {
		bool last = left < 8;
		uint64_t word = last ? load_le(p, left) | (uint64_t)size << 56 : load_le(p, 8);

		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
		if (last)
			break;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint8_t process_key[SN_SIPHASH_KEY_SIZE];

static void draw_key(void)
{
	sn_random(process_key, sizeof(process_key));
}

uint64_t sn_hash(const void *data, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, draw_key);
	return sn_siphash24(process_key, data, size);
}

struct sn_map *sn_map_create(sn_map_release_fn *release)
{
	struct sn_map *map = sn_new(struct sn_map);

	map->slots = sn_new_n(struct slot, SLOTS_MIN);
	map->mask = SLOTS_MIN - 1;
	map->release = release;
	return map;
}

void sn_map_destroy(struct sn_map *map)
{
	if (map == NULL)
		return;
	for (size_t i = 0; i <= map->mask; i++) {
		if (map->slots[i].key == NULL)
			continue;
		if (map->release != NULL)
			map->release(map->slots[i].value);
		free(map->slots[i].key);
	}
	free(map->slots);
	free(map);
}

size_t sn_map_count(const struct sn_map *map)
{
	return map->count;
}

/* The slot that holds `key`, or the free one where it would go: linear probing. */
static struct slot *find_slot(const struct sn_map *map, const char *key, uint64_t hash)
{
	size_t i = hash & map->mask;

	while (map->slots[i].key != NULL &&
	       (map->slots[i].hash != hash || strcmp(map->slots[i].key, key) != 0))
		i = (i + 1) & map->mask;
	return &map->slots[i];
}

static void grow(struct sn_map *map)
{
	struct slot *old = map->slots;
	size_t old_size = map->mask + 1;

	map->slots = sn_new_n(struct slot, old_size * 2);
	map->mask = old_size * 2 - 1;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].key != NULL)
			*find_slot(map, old[i].key, old[i].hash) = old[i];
	free(old);
}

void *sn_map_get(const struct sn_map *map, const char *key)
{
	return find_slot(map, key, sn_hash(key, strlen(key)))->value;
}

void sn_map_set(struct sn_map *map, const char *key, void *value)
{
	uint64_t hash = sn_hash(key, strlen(key));
	struct slot *slot = find_slot(map, key, hash);

	if (slot->key != NULL) {
		void *old = slot->value;

		slot->value = value;
		if (map->release != NULL && old != value)
			map->release(old);
		return;
	}
	/* At most three quarters full, so that probing stays short and always ends. */
	if ((map->count + 1) * 4 > (map->mask + 1) * 3) {
		grow(map);
		slot = find_slot(map, key, hash);
	}
	*slot = (struct slot){.key = sn_xstrdup(key), .value = value, .hash = hash};
	map->count++;
}

/* Close the hole at `hole` by moving later members of the same run back (Knuth 6.4, R). */
static void close_hole(struct sn_map *map, size_t hole)
{
	for (size_t i = (hole + 1) & map->mask; map->slots[i].key != NULL;
	     i = (i + 1) & map->mask) {
		size_t home = map->slots[i].hash & map->mask;

		if (((i - home) & map->mask) < ((i - hole) & map->mask))
			continue;
		map->slots[hole] = map->slots[i];
		hole = i;
	}
	map->slots[hole] = (struct slot){0};
}

bool sn_map_remove(struct sn_map *map, const char *key)
{
	struct slot *slot = find_slot(map, key, sn_hash(key, strlen(key)));
	struct slot removed = *slot;

	if (removed.key == NULL)
		return false;
	close_hole(map, (size_t)(slot - map->slots));
	map->count--;
	free(removed.key);
	if (map->release != NULL)
		map->release(removed.value);
	return true;
}

bool sn_map_next(const struct sn_map *map, size_t *cursor, const char **key, void **value)
{
	for (; *cursor <= map->mask; (*cursor)++) {
		const struct slot *slot = &map->slots[*cursor];

		if (slot->key == NULL)
			continue;
		*key = slot->key;
		*value = slot->value;
		(*cursor)++;
		return true;
	}
	return false;
}
