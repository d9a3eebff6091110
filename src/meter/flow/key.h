/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key: what makes two packets belong to one flow, and its keyed hash.
 *
 * The key is the same in both directions: the numerically lower end point comes
 * first.  The hash is SipHash-1-3 over the words in use with a key drawn when the
 * table is made, so that nobody can choose addresses that collide.
 */
#ifndef SONDE_METER_FLOW_KEY_H
#define SONDE_METER_FLOW_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "meter/decode/decode.h"

struct sn_flow_key {              /* no padding: compared as bytes */
	uint64_t low[2], high[2]; /* addresses as in struct sn_decoded */
	uint16_t low_port, high_port;
	uint8_t family, protocol;
	uint16_t zero;
};

/* Returns true when the packet goes from the high end point to the low one. */
bool sn_flow_key_init(struct sn_flow_key *key, const struct sn_decoded *packet);

struct sn_flow_secret {
	uint64_t k0, k1;
};
void sn_flow_secret_init(struct sn_flow_secret *secret); /* random */
uint64_t sn_flow_key_hash(const struct sn_flow_key *key, const struct sn_flow_secret *secret);

#endif
