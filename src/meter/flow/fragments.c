/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/fragments.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "meter/flow/key.h"

#define WAYS    4
#define BUCKETS (SN_FRAGMENTS_MAX / WAYS) /* a power of two */

struct entry {
	uint64_t src[2], dst[2];
	uint32_t id;
	uint8_t family, protocol;
	bool reply;
	uint16_t src_port, dst_port;
	int64_t time_ns; /* 0: empty */
};

struct sn_fragments {
	struct sn_flow_secret secret;
	struct entry entries[BUCKETS][WAYS];
};

struct sn_fragments *sn_fragments_create(void)
{
	struct sn_fragments *fragments = sn_xmalloc(sizeof(*fragments));

	/* Written now: pages that are read before they are written come twice. */
	memset(fragments, 0, sizeof(*fragments));

	sn_flow_secret_init(&fragments->secret);
	return fragments;
}

void sn_fragments_destroy(struct sn_fragments *fragments)
{
	free(fragments);
}

static size_t bucket_of(const struct sn_fragments *fragments, const struct sn_decoded *packet)
{
	uint64_t words[SN_FLOW_WORDS_MAX] = {
		packet->src[0],
		packet->src[1],
		packet->dst[0],
		packet->dst[1],
		(uint64_t)packet->fragment_id << 16 | packet->protocol,
	};

	return (sn_flow_words_hash(words, SN_COUNT(words), &fragments->secret) >> 32) % BUCKETS;
}

static bool matches(const struct entry *entry, const struct sn_decoded *packet)
{
	return entry->id == packet->fragment_id && entry->family == packet->family &&
	       entry->protocol == packet->protocol &&
	       memcmp(entry->src, packet->src, sizeof(entry->src)) == 0 &&
	       memcmp(entry->dst, packet->dst, sizeof(entry->dst)) == 0;
}

/* A step of the clock in either direction makes an entry stale, too. */
static bool is_fresh(const struct entry *entry, int64_t now_ns)
{
	int64_t age = now_ns - entry->time_ns;

	return entry->time_ns != 0 && age <= SN_FRAGMENTS_TIMEOUT_NS &&
	       age >= -SN_FRAGMENTS_TIMEOUT_NS;
}

static struct entry *pick(struct entry *bucket, const struct sn_decoded *packet)
{
	struct entry *oldest = &bucket[0];

	for (unsigned i = 0; i < WAYS; i++) {
		if (matches(&bucket[i], packet))
			return &bucket[i];
		if (bucket[i].time_ns < oldest->time_ns)
			oldest = &bucket[i];
	}
	return oldest;
}

void sn_fragments_learn(struct sn_fragments *fragments, const struct sn_decoded *packet,
			int64_t now_ns)
{
	struct entry *entry = pick(fragments->entries[bucket_of(fragments, packet)], packet);

	*entry = (struct entry){
		.src = {packet->src[0], packet->src[1]},
		.dst = {packet->dst[0], packet->dst[1]},
		.id = packet->fragment_id,
		.family = packet->family,
		.protocol = packet->protocol,
		.reply = packet->reply,
		.src_port = packet->src_port,
		.dst_port = packet->dst_port,
		.time_ns = now_ns != 0 ? now_ns : 1,
	};
}

bool sn_fragments_resolve(const struct sn_fragments *fragments, struct sn_decoded *packet,
			  int64_t now_ns)
{
	const struct entry *bucket = fragments->entries[bucket_of(fragments, packet)];

	for (unsigned i = 0; i < WAYS; i++) {
		if (!matches(&bucket[i], packet) || !is_fresh(&bucket[i], now_ns))
			continue;
		packet->src_port = bucket[i].src_port;
		packet->dst_port = bucket[i].dst_port;
		packet->reply = bucket[i].reply;
		return true;
	}
	return false;
}
