/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "meter/flow/key.h"
#include "meter/flow/siphash.h"

#define SLOTS_MIN 256 /* a power of two */

struct sn_hosts {
	struct sn_flow_secret secret;
	struct sn_host *slots;
	size_t mask, count;
	struct sn_host rest;
	/* The last two: flows that end together often have an end in common, as in a scan. */
	struct sn_host *recent[2];
	unsigned newer; /* of them */
};

struct sn_hosts *sn_hosts_create(void)
{
	struct sn_hosts *hosts = sn_new(struct sn_hosts);

	sn_flow_secret_init(&hosts->secret);
	hosts->slots = sn_new_n(struct sn_host, SLOTS_MIN);
	hosts->mask = SLOTS_MIN - 1;
	hosts->recent[0] = hosts->recent[1] = &hosts->rest;
	return hosts;
}

void sn_hosts_destroy(struct sn_hosts *hosts)
{
	if (hosts == NULL)
		return;
	free(hosts->slots);
	free(hosts);
}

static bool is_of(const struct sn_host *host, uint8_t family, const uint64_t address[2])
{
	return host->family == family && host->address[0] == address[0] &&
	       host->address[1] == address[1];
}

/* The slot of an address, or the free one where it would go. */
static struct sn_host *find(const struct sn_hosts *hosts, uint8_t family, const uint64_t address[2])
{
	struct sip s;
	size_t i;

	sip_init(&s, hosts->secret.k0, hosts->secret.k1);
	sip_word(&s, address[0]);
	if (family == 6)
		sip_word(&s, address[1]);
	i = sip_final(&s, family == 6 ? 16 : 8) & hosts->mask;
	while (hosts->slots[i].family != 0 && !is_of(&hosts->slots[i], family, address))
		i = (i + 1) & hosts->mask;
	return &hosts->slots[i];
}

static void grow(struct sn_hosts *hosts)
{
	struct sn_host *old = hosts->slots;
	size_t old_size = hosts->mask + 1;

	/* Written at once: pages that are read before they are written come twice. */
	hosts->slots = sn_xmalloc(old_size * 2 * sizeof(struct sn_host));
	memset(hosts->slots, 0, old_size * 2 * sizeof(struct sn_host));
	hosts->mask = old_size * 2 - 1;
	hosts->recent[0] = hosts->recent[1] = &hosts->rest;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].family != 0)
			*find(hosts, old[i].family, old[i].address) = old[i];
	free(old);
}

static struct sn_host *get(struct sn_hosts *hosts, uint8_t family, const uint64_t address[2])
{
	struct sn_host *host = find(hosts, family, address);

	if (host->family != 0)
		return host;
	if (hosts->count == SN_HOSTS_MAX)
		return &hosts->rest;
	if ((hosts->count + 1) * 4 > (hosts->mask + 1) * 3) {
		grow(hosts);
		host = find(hosts, family, address);
	}
	hosts->count++;
	*host = (struct sn_host){.address = {address[0], address[1]}, .family = family};
	return host;
}

struct sn_host *sn_hosts_get(struct sn_hosts *hosts, uint8_t family, const uint64_t address[2])
{
	for (unsigned i = 0; i < 2; i++) {
		if (is_of(hosts->recent[i], family, address)) {
			hosts->newer = i;
			return hosts->recent[i];
		}
	}
	hosts->newer ^= 1U;
	hosts->recent[hosts->newer] = get(hosts, family, address);
	return hosts->recent[hosts->newer];
}

static void add(struct sn_host *sum, const struct sn_host *more)
{
	sum->flows += more->flows;
	sum->packets += more->packets;
	sum->sent_bytes += more->sent_bytes;
	sum->received_bytes += more->received_bytes;
}

void sn_hosts_merge(struct sn_hosts *hosts, const struct sn_hosts *more)
{
	for (size_t i = 0; i <= more->mask; i++) {
		const struct sn_host *host = &more->slots[i];

		if (host->family != 0)
			add(sn_hosts_get(hosts, host->family, host->address), host);
	}
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

size_t sn_hosts_top(const struct sn_hosts *hosts, const struct sn_host **top, size_t count)
{
	size_t found = 0;

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

size_t sn_hosts_count(const struct sn_hosts *hosts)
{
	return hosts->count;
}

const struct sn_host *sn_hosts_rest(const struct sn_hosts *hosts)
{
	return &hosts->rest;
}
