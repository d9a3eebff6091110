/* SPDX-License-Identifier: Apache-2.0 */
/*
 * networks_internal: between the reader of lists (networks_parse.c) and the trie that answers
 * (networks.c).
 */
#ifndef SONDE_METER_VIEW_NETWORKS_INTERNAL_H
#define SONDE_METER_VIEW_NETWORKS_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

struct sn_networks;

struct sn_network {
	uint8_t ip[16]; /* IPv4 in the first four; zero behind the length */
	uint8_t family; /* 4 or 6 */
	uint8_t bits;
};

/* At most SN_NETWORKS_MAX, in any order. */
struct sn_networks *sn_networks_build(const struct sn_network *items, size_t count);

#endif
