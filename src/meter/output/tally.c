/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct sn_tally {
	struct sn_map *entries;
	uint64_t rest; /* flows whose name found no place */
};

struct sn_tally *sn_tally_create(void)
{
	struct sn_tally *tally = sn_new(struct sn_tally);

	tally->entries = sn_map_create(free);
	return tally;
}

void sn_tally_destroy(struct sn_tally *tally)
{
	if (tally == NULL)
		return;
	sn_map_destroy(tally->entries);
	free(tally);
}

struct sn_tally_entry *sn_tally_get(struct sn_tally *tally, struct sn_str name)
{
	char key[SN_TALLY_NAME_MAX];
	size_t n = SN_MIN(name.n, sizeof(key) - 1);
	struct sn_tally_entry *entry;

	memcpy(key, name.p, n);
	key[n] = '\0';
	entry = sn_map_get(tally->entries, key);
	if (entry == NULL && sn_map_count(tally->entries) >= SN_TALLY_MAX) {
		tally->rest++;
		return NULL;
	}
	if (entry == NULL) {
		entry = sn_xcalloc(1, sizeof(*entry) + n + 1);
		memcpy(entry->name, key, n + 1);
		sn_map_set(tally->entries, key, entry);
	}
	return entry;
}

void sn_tally_add(struct sn_tally *tally, struct sn_str name, uint64_t packets, uint64_t bytes)
{
	struct sn_tally_entry *entry = sn_tally_get(tally, name);

	if (entry == NULL)
		return;
	entry->flows++;
	entry->packets += packets;
	entry->bytes += bytes;
}

void sn_tally_merge(struct sn_tally *tally, const struct sn_tally *more)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	while (sn_map_next(more->entries, &cursor, &key, &value)) {
		const struct sn_tally_entry *entry = value;
		struct sn_tally_entry *sum = sn_tally_get(tally, sn_str(key));

		if (sum == NULL) {
			tally->rest += entry->flows - 1; /* one is counted */
			continue;
		}
		sum->flows += entry->flows;
		sum->packets += entry->packets;
		sum->bytes += entry->bytes;
	}
	tally->rest += more->rest;
}

/* Larger first; equal ones by name, so that the same input gives the same text. */
static bool before(const struct sn_tally_entry *a, const struct sn_tally_entry *b)
{
	return a->bytes != b->bytes ? a->bytes > b->bytes : strcmp(a->name, b->name) < 0;
}

size_t sn_tally_top(const struct sn_tally *tally, const struct sn_tally_entry **top, size_t count)
{
	size_t cursor = 0, found = 0;
	const char *key;
	void *value;

	while (count > 0 && sn_map_next(tally->entries, &cursor, &key, &value)) {
		const struct sn_tally_entry *entry = value;
		size_t place = found;

		if (found == count && !before(entry, top[count - 1]))
			continue;
		if (found < count)
			found++;
		else
			place = count - 1;
		for (; place > 0 && before(entry, top[place - 1]); place--)
			top[place] = top[place - 1];
		top[place] = entry;
	}
	return found;
}

size_t sn_tally_count(const struct sn_tally *tally)
{
	return sn_map_count(tally->entries);
}

uint64_t sn_tally_rest(const struct sn_tally *tally)
{
	return tally->rest;
}
