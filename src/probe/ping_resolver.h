/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_resolver: look names up again while standing runs go on.
 *
 * Names are asked one after the other in libuv's threads, so the loop never waits:
 * those without an address every 30 s, the others every five minutes.  An address
 * that is still among the answers is kept, so that a rotating answer does not make
 * the target wander.
 */
#ifndef SONDE_PROBE_PING_RESOLVER_H
#define SONDE_PROBE_PING_RESOLVER_H

#include <netdb.h>

#include "base/loop.h"
#include "probe/ping_targets.h"

struct sn_ping_resolver;

/* NULL if no target is a name. `targets` is borrowed; destroy the resolver before it. */
struct sn_ping_resolver *sn_ping_resolver_create(struct sn_loop *loop,
						 struct sn_ping_targets *targets, int family);
void sn_ping_resolver_destroy(struct sn_ping_resolver *resolver); /* NULL is fine */

/*
 * Choose from a look-up's answers: `current` if it is among them, else the first.
 * False if there is none that fits.  Pure.
 */
bool sn_ping_choose_address(const struct addrinfo *answers, const struct sn_addr *current,
			    struct sn_addr *chosen);

#endif
