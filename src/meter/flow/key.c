/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/key.h"

#include "base/rand.h"

_Static_assert(sizeof(struct sn_flow_key) == 40, "the key has no padding");

bool sn_flow_key_is_turned(const struct sn_decoded *packet)
{
	if (packet->src[1] != packet->dst[1])
		return packet->src[1] > packet->dst[1];
	/* A host that talks to itself: ports tell the ends apart, for ICMP only the type does. */
	return sn_flow_key_is_icmp(packet->protocol) ? packet->reply
						     : packet->src_port > packet->dst_port;
}

void sn_flow_secret_init(struct sn_flow_secret *secret)
{
	sn_random(secret, sizeof(*secret));
}
