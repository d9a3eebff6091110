/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Echo replies and quoted requests as sockets give them.  The first byte says which
 * kind of socket, the rest is the packet.
 */
#include <stdlib.h>
#include <string.h>

#include "probe/icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reply(const struct sn_icmp_reply *reply, size_t size)
{
	if (reply->payload_size > size)
		abort();
	if (reply->has_token != sn_icmp_has_token(reply->payload_size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_icmp_reply reply;
	uint16_t id, seq;
	uint8_t *packet;
	int family;

	if (size == 0)
		return 0;
	family = data[0] & 1 ? AF_INET6 : AF_INET;
	/* A copy of its own, so that a byte read too far is seen. */
	packet = malloc(size);
	if (packet == NULL)
		return 0;
	memcpy(packet, data + 1, size - 1);
	packet = realloc(packet, size > 1 ? size - 1 : 1);
	if (sn_icmp_parse_reply(family, (data[0] & 2) != 0, packet, size - 1, &reply) == 0)
		check_reply(&reply, size - 1);
	sn_icmp_parse_quote(family, packet, size - 1, &id, &seq);
	free(packet);
	return 0;
}
