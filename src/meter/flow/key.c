/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/key.h"

#include "base/rand.h"

_Static_assert(sizeof(struct sn_flow_key) == 40, "the key has no padding");

static bool is_icmp(uint8_t protocol)
{
	return protocol == SN_PROTO_ICMP || protocol == SN_PROTO_ICMP6;
}

/* Exchanges them if `mask` is all ones, leaves them if it is 0: no branch to guess wrong. */
static void exchange(uint64_t *a, uint64_t *b, uint64_t mask)
{
	uint64_t difference = (*a ^ *b) & mask;

	*a ^= difference;
	*b ^= difference;
}

bool sn_flow_key_init(struct sn_flow_key *key, const struct sn_decoded *packet)
{
	uint64_t low[2] = {packet->src[0], packet->src[1]};
	uint64_t high[2] = {packet->dst[0], packet->dst[1]};
	uint64_t low_port = packet->src_port, high_port = packet->dst_port;
	bool icmp = is_icmp(packet->protocol), swapped;

	/* Any order that is the same for both directions will do. */
	swapped = (low[0] > high[0]) | ((low[0] == high[0]) & (low[1] > high[1]));
	/* A host that talks to itself: ports tell the ends apart, for ICMP only the type does. */
	if (low[0] == high[0] && low[1] == high[1])
		swapped = icmp ? packet->reply : low_port > high_port;
	exchange(&low[0], &high[0], -(uint64_t)swapped);
	exchange(&low[1], &high[1], -(uint64_t)swapped);
	/* Identifier and type of ICMP belong to neither end. */
	exchange(&low_port, &high_port, -(uint64_t)(swapped & !icmp));
	key->low[0] = low[0];
	key->low[1] = low[1];
	key->high[0] = high[0];
	key->high[1] = high[1];
	/* In one piece, because the hash reads it in one soon. */
	key->rest = sn_flow_key_rest((uint16_t)low_port, (uint16_t)high_port, packet->family,
				     packet->protocol);
	return swapped;
}

void sn_flow_secret_init(struct sn_flow_secret *secret)
{
	sn_random(secret, sizeof(*secret));
}
