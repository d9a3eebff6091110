/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spread: a number that all packets of a flow have in common, to share packets out by.
 *
 * It is made of the addresses that sn_decode() would find, both directions alike, and of nothing
 * else: ports are missing in later fragments.  Most packets are looked at for no more than their
 * addresses; what may be a tunnel is decoded.
 */
#ifndef SONDE_METER_DECODE_SPREAD_H
#define SONDE_METER_DECODE_SPREAD_H

#include "meter/decode/decode.h"

/* Well mixed in all bits.  `packet->link` need not be supported. */
uint32_t sn_decode_spread(const struct sn_packet *packet, unsigned tunnels_max);

#endif
