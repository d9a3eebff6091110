/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/throttle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TIMES 32 /* more failures than that need not be told apart */

struct entry {
	char key[SN_THROTTLE_KEY_MAX]; /* "": free */
	uint64_t times[TIMES];         /* ring of the last failures */
	unsigned count;                /* of all failures; newest is times[(count - 1) % TIMES] */
};

struct sn_throttle {
	uint64_t window_ns;
	struct entry entries[SN_THROTTLE_KEYS];
};

struct sn_throttle *sn_throttle_create(uint64_t window_ns)
{
	struct sn_throttle *throttle = sn_new(struct sn_throttle);

	throttle->window_ns = window_ns;
	return throttle;
}

void sn_throttle_destroy(struct sn_throttle *throttle)
{
	free(throttle);
}

static struct entry *find(const struct sn_throttle *throttle, const char *key)
{
	char cut[SN_THROTTLE_KEY_MAX];

	snprintf(cut, sizeof(cut), "%s", key);
	for (size_t i = 0; i < SN_THROTTLE_KEYS; i++) {
		if (strcmp(throttle->entries[i].key, cut) == 0)
			return (struct entry *)&throttle->entries[i];
	}
	return NULL;
}

unsigned sn_throttle_count(const struct sn_throttle *throttle, const char *key, uint64_t now_ns)
{
	const struct entry *entry = find(throttle, key);
	unsigned count = 0;

	for (unsigned i = 0; entry != NULL && i < TIMES && i < entry->count; i++)
		count += now_ns - entry->times[i] < throttle->window_ns;
	return count;
}

static uint64_t newest(const struct entry *entry)
{
	return entry->count > 0 ? entry->times[(entry->count - 1) % TIMES] : 0;
}

static struct entry *make_room(struct sn_throttle *throttle)
{
	struct entry *oldest = &throttle->entries[0];

	for (size_t i = 1; i < SN_THROTTLE_KEYS; i++) {
		if (newest(&throttle->entries[i]) < newest(oldest))
			oldest = &throttle->entries[i];
	}
	*oldest = (struct entry){0};
	return oldest;
}

void sn_throttle_fail(struct sn_throttle *throttle, const char *key, uint64_t now_ns)
{
	struct entry *entry = find(throttle, key);

	if (entry == NULL) {
		entry = make_room(throttle);
		snprintf(entry->key, sizeof(entry->key), "%s", key);
	}
	entry->times[entry->count++ % TIMES] = now_ns;
}

void sn_throttle_forget(struct sn_throttle *throttle, const char *key)
{
	struct entry *entry = find(throttle, key);

	if (entry != NULL)
		*entry = (struct entry){0};
}
