/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fragments: which ports the later fragments of a datagram belong to.
 *
 * A table of fixed size, four entries per bucket: the first fragment of a datagram
 * leaves its ports here, later ones with the same source, destination, protocol
 * and identification find them.  When a bucket is full its oldest entry goes.
 * Nothing is put together again.
 */
#ifndef SONDE_METER_FLOW_FRAGMENTS_H
#define SONDE_METER_FLOW_FRAGMENTS_H

#include "meter/flow/key.h"

#define SN_FRAGMENTS_MAX        4096
#define SN_FRAGMENTS_TIMEOUT_NS (30 * SN_NS_PER_S) /* as hosts do, RFC 1122 section 3.3.2 */

struct sn_fragments;

struct sn_fragments *sn_fragments_create(void);
void sn_fragments_destroy(struct sn_fragments *fragments); /* NULL is fine */

/* The packet is a first fragment: remember its ports. */
void sn_fragments_learn(struct sn_fragments *fragments, const struct sn_decoded *packet,
			int64_t now_ns);
/* The packet is a later fragment: fill its ports in; false if they are not known. */
bool sn_fragments_resolve(const struct sn_fragments *fragments, struct sn_decoded *packet,
			  int64_t now_ns);

#endif
