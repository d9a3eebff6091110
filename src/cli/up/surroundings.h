/* SPDX-License-Identifier: Apache-2.0 */
/*
 * surroundings: what is worth measuring from any machine: its default gateway and
 * its resolvers, as the kernel and the resolver's configuration name them.
 *
 * The readers are pure, so that they can be tested with any text.  Lines that they
 * do not understand are passed over.
 */
#ifndef SONDE_CLI_UP_SURROUNDINGS_H
#define SONDE_CLI_UP_SURROUNDINGS_H

#include "base/str.h"

#define SN_ADDRESS_TEXT_MAX 64
#define SN_RESOLVERS_MAX    3 /* MAXNS of resolv.conf(5) */

struct sn_surroundings {
	char gateway[SN_ADDRESS_TEXT_MAX]; /* "" without one */
	char resolvers[SN_RESOLVERS_MAX][SN_ADDRESS_TEXT_MAX];
	unsigned resolver_count;
};

/* /proc/net/route: the gateway of the default route with the lowest metric. */
bool sn_gateway_v4(struct sn_str text, char out[SN_ADDRESS_TEXT_MAX]);
/* /proc/net/ipv6_route; a link-local gateway comes with its zone. */
bool sn_gateway_v6(struct sn_str text, char out[SN_ADDRESS_TEXT_MAX]);
/* resolv.conf(5): the nameserver lines; returns how many. */
unsigned sn_resolvers(struct sn_str text, char out[SN_RESOLVERS_MAX][SN_ADDRESS_TEXT_MAX]);

void sn_surroundings_read(struct sn_surroundings *surroundings);

#endif
