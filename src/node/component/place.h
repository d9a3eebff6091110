/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place: the addresses that this machine measures from.
 */
#ifndef SONDE_NODE_COMPONENT_PLACE_H
#define SONDE_NODE_COMPONENT_PLACE_H

#include "net/addr.h"

struct sn_sources { /* "" when there is none of the family */
	char ip4[SN_ADDR_TEXT_MAX], ip6[SN_ADDR_TEXT_MAX];
};

/* The first of each family that is up and can be used beyond its link. */
void sn_sources_find(struct sn_sources *sources);
/* Takes the place of the one of its family; -EINVAL if it is no address. */
int sn_sources_set(struct sn_sources *sources, const char *address, struct sn_err *err);

#endif
