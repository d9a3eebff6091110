/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/parquet_dictionary.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"

#define SLOTS_MIN 256 /* a power of two, as all sizes */

void sn_parquet_dictionary_init(struct sn_parquet_dictionary *dictionary)
{
	*dictionary = (struct sn_parquet_dictionary){0};
	sn_random(&dictionary->key, sizeof(dictionary->key));
	dictionary->key |= 1;
}

void sn_parquet_dictionary_finish(struct sn_parquet_dictionary *dictionary)
{
	sn_buf_finish(&dictionary->plain);
	free(dictionary->offset);
	free(dictionary->slots);
	*dictionary = (struct sn_parquet_dictionary){0};
}

void sn_parquet_dictionary_clear(struct sn_parquet_dictionary *dictionary)
{
	if (dictionary->count > 0)
		memset(dictionary->slots, 0, (dictionary->mask + 1) * sizeof(*dictionary->slots));
	sn_buf_clear(&dictionary->plain);
	dictionary->count = 0;
}

uint64_t sn_parquet_dictionary_bits(const struct sn_parquet_dictionary *dictionary, uint32_t entry)
{
	uint64_t bits;

	memcpy(&bits, dictionary->plain.p + (size_t)entry * sizeof(bits), sizeof(bits));
	return le64toh(bits);
}

struct sn_str sn_parquet_dictionary_at(const struct sn_parquet_dictionary *dictionary,
				       uint32_t entry)
{
	const char *p = dictionary->plain.p + dictionary->offset[entry];
	uint32_t length;

	memcpy(&length, p, sizeof(length));
	return (struct sn_str){p + sizeof(length), le32toh(length)};
}

static void insert(struct sn_parquet_dictionary *dictionary, struct sn_parquet_slot slot)
{
	size_t i = slot.hash & dictionary->mask;

	while (dictionary->slots[i].entry != 0)
		i = (i + 1) & dictionary->mask;
	dictionary->slots[i] = slot;
}

/* At most half of the slots are taken, so that the next free one is near. */
static void make_room(struct sn_parquet_dictionary *dictionary)
{
	struct sn_parquet_slot *old = dictionary->slots;
	size_t size = dictionary->mask > 0 ? dictionary->mask + 1 : 0;
	size_t larger = size > 0 ? 2 * size : SLOTS_MIN;

	if (2 * ((size_t)dictionary->count + 1) <= size)
		return;
	dictionary->slots = sn_new_n(struct sn_parquet_slot, larger);
	dictionary->mask = larger - 1;
	for (size_t i = 0; i < size; i++)
		if (old[i].entry != 0)
			insert(dictionary, old[i]);
	free(old);
}

static bool takes(const struct sn_parquet_dictionary *dictionary, size_t size)
{
	return dictionary->count < SN_PARQUET_ENTRIES_MAX &&
	       dictionary->plain.n + size <= SN_PARQUET_DICTIONARY_MAX;
}

static uint32_t add_entry(struct sn_parquet_dictionary *dictionary, uint32_t hash)
{
	uint32_t entry = dictionary->count;

	make_room(dictionary);
	insert(dictionary, (struct sn_parquet_slot){.entry = entry + 1, .hash = hash});
	dictionary->count++;
	return entry;
}

static uint32_t find_number(const struct sn_parquet_dictionary *dictionary, uint64_t bits,
			    uint32_t hash)
{
	const struct sn_parquet_slot *slot;

	if (dictionary->mask == 0)
		return SN_PARQUET_REFUSED;
	for (size_t i = hash & dictionary->mask;; i = (i + 1) & dictionary->mask) {
		slot = &dictionary->slots[i];
		if (slot->entry == 0)
			return SN_PARQUET_REFUSED;
		if (slot->hash == hash &&
		    sn_parquet_dictionary_bits(dictionary, slot->entry - 1) == bits)
			return slot->entry - 1;
	}
}

uint32_t sn_parquet_dictionary_number(struct sn_parquet_dictionary *dictionary, uint64_t bits)
{
	/* The upper half of an odd multiple: a universal hash, as the multiplier is secret. */
	uint32_t hash = (uint32_t)((bits ^ bits >> 32) * dictionary->key >> 32);
	uint64_t plain = htole64(bits);
	uint32_t entry;

	if (bits == dictionary->last_bits && dictionary->last < dictionary->count)
		return dictionary->last;
	entry = find_number(dictionary, bits, hash);
	if (entry == SN_PARQUET_REFUSED && takes(dictionary, sizeof(plain))) {
		entry = add_entry(dictionary, hash);
		sn_buf_add(&dictionary->plain, &plain, sizeof(plain));
	}
	if (entry != SN_PARQUET_REFUSED) {
		dictionary->last = entry;
		dictionary->last_bits = bits;
	}
	return entry;
}

static uint32_t find_text(const struct sn_parquet_dictionary *dictionary, struct sn_str text,
			  uint32_t hash)
{
	const struct sn_parquet_slot *slot;

	if (dictionary->mask == 0)
		return SN_PARQUET_REFUSED;
	for (size_t i = hash & dictionary->mask;; i = (i + 1) & dictionary->mask) {
		slot = &dictionary->slots[i];
		if (slot->entry == 0)
			return SN_PARQUET_REFUSED;
		if (slot->hash == hash &&
		    sn_str_eq(sn_parquet_dictionary_at(dictionary, slot->entry - 1), text))
			return slot->entry - 1;
	}
}

static bool is_last(const struct sn_parquet_dictionary *dictionary, struct sn_str text)
{
	return dictionary->last < dictionary->count &&
	       sn_str_eq(sn_parquet_dictionary_at(dictionary, dictionary->last), text);
}

uint32_t sn_parquet_dictionary_find(const struct sn_parquet_dictionary *dictionary,
				    struct sn_str text)
{
	if (is_last(dictionary, text))
		return dictionary->last;
	return find_text(dictionary, text, (uint32_t)sn_hash(text.p, text.n));
}

static void note_offset(struct sn_parquet_dictionary *dictionary)
{
	if (dictionary->offset == NULL)
		dictionary->offset = sn_new_n(uint32_t, SN_PARQUET_ENTRIES_MAX);
	dictionary->offset[dictionary->count] = (uint32_t)dictionary->plain.n;
}

uint32_t sn_parquet_dictionary_text(struct sn_parquet_dictionary *dictionary, struct sn_str text)
{
	uint32_t hash, entry, length = htole32((uint32_t)text.n);

	if (is_last(dictionary, text))
		return dictionary->last;
	hash = (uint32_t)sn_hash(text.p, text.n);
	entry = find_text(dictionary, text, hash);
	if (entry == SN_PARQUET_REFUSED && takes(dictionary, sizeof(length) + text.n)) {
		note_offset(dictionary);
		entry = add_entry(dictionary, hash);
		sn_buf_add(&dictionary->plain, &length, sizeof(length));
		sn_buf_add(&dictionary->plain, text.p, text.n);
	}
	if (entry != SN_PARQUET_REFUSED)
		dictionary->last = entry;
	return entry;
}
