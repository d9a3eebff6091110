/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: interfaces, addresses and routes in named namespaces, by rtnetlink (rtnetlink(7)).
 *
 * Arguments have been checked (priv/request.h); errors name what the kernel refused.
 */
#ifndef SONDE_PRIV_LINK_H
#define SONDE_PRIV_LINK_H

#include <stdbool.h>

#include "base/err.h"
#include "priv/ops.h"

int sn_link_veth_create(const struct sn_priv_veth *veth, struct sn_err *err);
/* Descriptor of a new TAP device without packet information, or a negative errno. */
int sn_link_tap_create(const struct sn_priv_interface *tap, struct sn_err *err);
int sn_link_address_add(const struct sn_priv_address *address, struct sn_err *err);
int sn_link_set(const struct sn_priv_interface *interface, struct sn_err *err);
int sn_link_route_add(const struct sn_priv_route *route, struct sn_err *err);
/* In the namespace of the calling thread. */
int sn_link_set_here(const char *interface, bool up, struct sn_err *err);

#endif
