/* SPDX-License-Identifier: Apache-2.0 */
#include "store/series.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define SLOTS_MIN 64 /* a power of two, as all sizes */

struct sn_series_set {
	struct sn_series **slots; /* NULL: free */
	size_t mask;
	struct sn_series **list;
	size_t count, capacity;
};

struct sn_series_set *sn_series_set_create(void)
{
	struct sn_series_set *set = sn_new(struct sn_series_set);

	set->slots = sn_new_n(struct sn_series *, SLOTS_MIN);
	set->mask = SLOTS_MIN - 1;
	return set;
}

void sn_series_set_destroy(struct sn_series_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++)
		free(set->list[i]);
	free(set->list);
	free(set->slots);
	free(set);
}

struct sn_series *const *sn_series_list(const struct sn_series_set *set, size_t *count)
{
	*count = set->count;
	return set->list;
}

int sn_series_newest_first(const void *a, const void *b)
{
	const struct sn_series *left = *(struct sn_series *const *)a;
	const struct sn_series *right = *(struct sn_series *const *)b;

	if (left->time_ns != right->time_ns)
		return left->time_ns < right->time_ns ? 1 : -1;
	return (left->number < right->number) - (left->number > right->number);
}

/* Values ---------------------------------------------------------------------- */

static uint64_t bits_of(const struct sn_value *value)
{
	uint64_t bits = 0;

	if (value->type == SN_TYPE_F64)
		memcpy(&bits, &value->f, sizeof(bits));
	else if (value->type == SN_TYPE_BOOL)
		bits = value->b;
	else if (value->type != SN_TYPE_NULL)
		bits = (uint64_t)value->i;
	return bits;
}

/* With a key of the process: texts come from anywhere. */
static uint64_t hash_of(struct sn_value value)
{
	uint64_t bits[2];

	if (value.type == SN_TYPE_TEXT)
		return sn_hash(value.s.p, value.s.n);
	bits[0] = value.type;
	bits[1] = bits_of(&value);
	return sn_hash(bits, sizeof(bits));
}

static bool is_same(const struct sn_value *a, const struct sn_value *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == SN_TYPE_TEXT)
		return sn_str_eq(a->s, b->s);
	return bits_of(a) == bits_of(b);
}

/* The set ---------------------------------------------------------------------- */

static struct sn_series **find_slot(const struct sn_series_set *set, const struct sn_value *node,
				    const struct sn_value *key, uint64_t hash)
{
	size_t i = hash & set->mask;

	while (set->slots[i] != NULL &&
	       (set->slots[i]->hash != hash || !is_same(&set->slots[i]->node, node) ||
		!is_same(&set->slots[i]->key, key)))
		i = (i + 1) & set->mask;
	return &set->slots[i];
}

static void grow(struct sn_series_set *set)
{
	set->mask = set->mask * 2 + 1;
	free(set->slots);
	set->slots = sn_new_n(struct sn_series *, set->mask + 1);
	for (size_t i = 0; i < set->count; i++) {
		size_t at = set->list[i]->hash & set->mask;

		while (set->slots[at] != NULL)
			at = (at + 1) & set->mask;
		set->slots[at] = set->list[i];
	}
}

static char *keep_text(struct sn_value *value, char *place)
{
	if (value->type != SN_TYPE_TEXT)
		return place;
	if (value->s.n > 0)
		memcpy(place, value->s.p, value->s.n);
	value->s.p = place;
	return place + value->s.n;
}

static struct sn_series *make_series(struct sn_value node, struct sn_value key, uint64_t hash)
{
	size_t texts = (node.type == SN_TYPE_TEXT ? node.s.n : 0) +
		       (key.type == SN_TYPE_TEXT ? key.s.n : 0);
	struct sn_series *series = sn_xcalloc(1, sizeof(*series) + texts);

	*series = (struct sn_series){.node = node, .key = key, .hash = hash};
	keep_text(&series->key, keep_text(&series->node, (char *)(series + 1)));
	return series;
}

struct sn_series *sn_series_find(struct sn_series_set *set, struct sn_value node,
				 struct sn_value key)
{
	/* Otherwise a node and a key of the same text would all be one. */
	uint64_t hash = hash_of(node) * 0x9e3779b97f4a7c15ULL + hash_of(key);
	struct sn_series **slot = find_slot(set, &node, &key, hash);

	if (*slot != NULL)
		return *slot;
	if (set->count == set->capacity) {
		set->capacity = set->capacity > 0 ? 2 * set->capacity : SLOTS_MIN;
		set->list = sn_xrealloc(set->list, set->capacity, sizeof(struct sn_series *));
	}
	*slot = set->list[set->count++] = make_series(node, key, hash);
	if (set->count * 2 > set->mask) {
		grow(set);
		return set->list[set->count - 1];
	}
	return *slot;
}
