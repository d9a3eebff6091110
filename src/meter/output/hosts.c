/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "meter/flow/key.h"

#define SLOTS_MIN   256 /* a power of two */
#define WAITING_MAX 16

struct sn_hosts {
	struct sn_flow_secret secret;
	struct sn_host *slots;
	size_t mask, count;
	struct sn_host rest;
	/*
	 * What is not in the table yet.  By the time that it is their turn their slots have come
	 * from memory, which is what a look into a large table costs.
	 */
	unsigned waiting_count;
	struct waiting {
		uint32_t hash;
		struct sn_host more;
	} waiting[WAITING_MAX];
};

struct sn_hosts *sn_hosts_create(void)
{
	struct sn_hosts *hosts = sn_new(struct sn_hosts);

	sn_flow_secret_init(&hosts->secret);
	hosts->slots = sn_new_n(struct sn_host, SLOTS_MIN);
	hosts->mask = SLOTS_MIN - 1;
	return hosts;
}

void sn_hosts_destroy(struct sn_hosts *hosts)
{
	if (hosts == NULL)
		return;
	free(hosts->slots);
	free(hosts);
}

static bool is_same(const struct sn_host *a, const struct sn_host *b)
{
	return a->address[0] == b->address[0] && a->address[1] == b->address[1] &&
	       a->family == b->family;
}

static uint32_t hash_of(const struct sn_hosts *hosts, const struct sn_host *host)
{
	/* One of IPv4 has nothing in its second word. */
	return (uint32_t)(sn_flow_words_hash(host->address, host->family == 4 ? 1 : 2,
					     &hosts->secret) >>
			  32);
}

/* The slot of an address, or the free one where it would go. */
static struct sn_host *find(const struct sn_hosts *hosts, const struct sn_host *host, uint32_t hash)
{
	size_t i = hash & hosts->mask;

	while (hosts->slots[i].family != 0 && !is_same(&hosts->slots[i], host))
		i = (i + 1) & hosts->mask;
	return &hosts->slots[i];
}

static void grow(struct sn_hosts *hosts)
{
	struct sn_host *old = hosts->slots;
	size_t old_size = hosts->mask + 1;

	/*
	 * Written at once: pages that are read before they are written come twice, and the second
	 * time all threads of the process are interrupted.
	 */
	hosts->slots = sn_xmalloc(old_size * 2 * sizeof(*hosts->slots));
	memset(hosts->slots, 0, old_size * 2 * sizeof(*hosts->slots));
	hosts->mask = old_size * 2 - 1;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].family != 0)
			*find(hosts, &old[i], hash_of(hosts, &old[i])) = old[i];
	free(old);
}

/* The entry of an address, made if it is new; the shared one when the table is full. */
static struct sn_host *get(struct sn_hosts *hosts, const struct sn_host *of, uint32_t hash)
{
	struct sn_host *host = find(hosts, of, hash);

	if (host->family != 0)
		return host;
	if (hosts->count == SN_HOSTS_MAX)
		return &hosts->rest;
	if ((hosts->count + 1) * 4 > (hosts->mask + 1) * 3) {
		grow(hosts);
		host = find(hosts, of, hash);
	}
	hosts->count++;
	*host = (struct sn_host){.address = {of->address[0], of->address[1]}, .family = of->family};
	return host;
}

static void add(struct sn_host *sum, const struct sn_host *more)
{
	sum->flows += more->flows;
	sum->packets += more->packets;
	sum->sent_bytes += more->sent_bytes;
	sum->received_bytes += more->received_bytes;
}

static void settle(struct sn_hosts *hosts)
{
	for (unsigned i = 0; i < hosts->waiting_count; i++) {
		const struct waiting *waiting = &hosts->waiting[i];

		add(get(hosts, &waiting->more, waiting->hash), &waiting->more);
	}
	hosts->waiting_count = 0;
}

void sn_hosts_add(struct sn_hosts *hosts, const struct sn_host *more)
{
	unsigned n = hosts->waiting_count;
	struct waiting *waiting;

	/* Flows that end together often have an end in common, as in a scan. */
	for (unsigned i = n < 2 ? 0 : n - 2; i < n; i++) {
		if (is_same(&hosts->waiting[i].more, more)) {
			add(&hosts->waiting[i].more, more);
			return;
		}
	}
	if (n == WAITING_MAX)
		settle(hosts);
	waiting = &hosts->waiting[hosts->waiting_count++];
	waiting->hash = hash_of(hosts, more);
	waiting->more = *more;
	__builtin_prefetch(&hosts->slots[waiting->hash & hosts->mask], 1);
}

/* Into an empty table: as it is, without looking at each. */
static void copy(struct sn_hosts *hosts, const struct sn_hosts *more)
{
	free(hosts->slots);
	*hosts = *more;
	hosts->slots = sn_xmemdup(more->slots, (more->mask + 1) * sizeof(*more->slots));
}

void sn_hosts_merge(struct sn_hosts *hosts, struct sn_hosts *more)
{
	settle(more);
	if (hosts->count == 0 && hosts->waiting_count == 0 && hosts->rest.flows == 0) {
		copy(hosts, more);
		return;
	}
	for (size_t i = 0; i <= more->mask; i++)
		if (more->slots[i].family != 0)
			sn_hosts_add(hosts, &more->slots[i]);
	add(&hosts->rest, &more->rest);
}

static uint64_t volume(const struct sn_host *host)
{
	return host->sent_bytes + host->received_bytes;
}

/* Larger first; equal ones by address, so that the same input gives the same text. */
static bool before(const struct sn_host *a, const struct sn_host *b)
{
	if (volume(a) != volume(b))
		return volume(a) > volume(b);
	if (a->family != b->family)
		return a->family < b->family;
	return memcmp(a->address, b->address, sizeof(a->address)) < 0;
}

size_t sn_hosts_top(struct sn_hosts *hosts, const struct sn_host **top, size_t count)
{
	size_t found = 0;

	settle(hosts);

	for (size_t i = 0; i <= hosts->mask; i++) {
		const struct sn_host *host = &hosts->slots[i];
		size_t at = found;

		if (host->family == 0 || (found == count && !before(host, top[count - 1])))
			continue;
		if (found < count)
			found++;
		else
			at = count - 1;
		for (; at > 0 && before(host, top[at - 1]); at--)
			top[at] = top[at - 1];
		top[at] = host;
	}
	return found;
}

size_t sn_hosts_count(struct sn_hosts *hosts)
{
	settle(hosts);
	return hosts->count;
}

const struct sn_host *sn_hosts_rest(struct sn_hosts *hosts)
{
	settle(hosts);
	return &hosts->rest;
}
