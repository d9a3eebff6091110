/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/key.h"

#include "base/rand.h"

_Static_assert(sizeof(struct sn_flow_key) == 40, "the key has no padding");

/* Any order that is the same for both directions will do. */
static int compare(const uint64_t a[2], const uint64_t b[2])
{
	if (a[0] != b[0])
		return a[0] < b[0] ? -1 : 1;
	return a[1] == b[1] ? 0 : a[1] < b[1] ? -1 : 1;
}

static bool is_icmp(uint8_t protocol)
{
	return protocol == SN_PROTO_ICMP || protocol == SN_PROTO_ICMP6;
}

bool sn_flow_key_init(struct sn_flow_key *key, const struct sn_decoded *packet)
{
	bool icmp = is_icmp(packet->protocol);
	int order = compare(packet->src, packet->dst);
	bool swapped = order > 0;

	/* A host that talks to itself: ports tell the ends apart, for ICMP only the type does. */
	if (order == 0)
		swapped = icmp ? packet->reply : packet->src_port > packet->dst_port;

	const uint64_t *low = swapped ? packet->dst : packet->src;
	const uint64_t *high = swapped ? packet->src : packet->dst;
	/* Identifier and type of ICMP belong to neither end. */
	bool swap_ports = swapped && !icmp;
	uint16_t low_port = swap_ports ? packet->dst_port : packet->src_port;
	uint16_t high_port = swap_ports ? packet->src_port : packet->dst_port;

	key->low[0] = low[0];
	key->low[1] = low[1];
	key->high[0] = high[0];
	key->high[1] = high[1];
	/* In one piece, because the hash reads it in one soon. */
	key->rest = sn_flow_key_rest(low_port, high_port, packet->family, packet->protocol);
	return swapped;
}

void sn_flow_secret_init(struct sn_flow_secret *secret)
{
	sn_random(secret, sizeof(*secret));
}
