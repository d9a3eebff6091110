/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key: what makes two packets belong to one flow, and its keyed hash.
 *
 * The key is the same in both directions: the numerically lower end point comes
 * first.  The hash is a sum of products of its 32-bit words with multipliers that
 * are drawn when the table is made (D. Lemire, O. Kaser, "Strongly universal string
 * hashing is fast", 2014): two keys that somebody chose without knowing them have
 * the same upper half with a probability of 2^-32.  No output ever leaves the
 * process, so nothing more is needed, and it costs a fifth of SipHash.
 */
#ifndef SONDE_METER_FLOW_KEY_H
#define SONDE_METER_FLOW_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "meter/decode/decode.h"

struct sn_flow_key {              /* no padding: compared as bytes */
	uint64_t low[2], high[2]; /* addresses as in struct sn_decoded */
	union {
		struct {
			uint16_t low_port, high_port;
			uint8_t family, protocol;
			uint16_t zero;
		};
		uint64_t rest;
	};
};

static inline uint64_t sn_flow_key_rest(uint16_t low_port, uint16_t high_port, uint8_t family,
					uint8_t protocol)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return low_port | (uint64_t)high_port << 16 | (uint64_t)family << 32 |
	       (uint64_t)protocol << 40;
#else
	return (uint64_t)low_port << 48 | (uint64_t)high_port << 32 | (uint64_t)family << 24 |
	       (uint64_t)protocol << 16;
#endif
}

static inline bool sn_flow_key_is_icmp(uint8_t protocol)
{
	return (protocol == SN_PROTO_ICMP) | (protocol == SN_PROTO_ICMP6);
}

/* The first halves of the addresses are the same: does it go from high to low? */
bool sn_flow_key_is_turned(const struct sn_decoded *packet);

/*
 * Returns true when the packet goes from the high end point to the low one.  Any order that is the
 * same for both directions will do.  The ends are exchanged by masks: no branch to guess wrong.
 */
static inline bool sn_flow_key_init(struct sn_flow_key *key, const struct sn_decoded *packet)
{
	bool turned = packet->src[0] != packet->dst[0] ? packet->src[0] > packet->dst[0]
						       : sn_flow_key_is_turned(packet);
	uint64_t mask = -(uint64_t)turned;
	uint64_t first = (packet->src[0] ^ packet->dst[0]) & mask;
	uint64_t second = (packet->src[1] ^ packet->dst[1]) & mask;
	/* Identifier and type of ICMP belong to neither end. */
	unsigned ports = (unsigned)(packet->src_port ^ packet->dst_port) &
			 -(unsigned)(turned & !sn_flow_key_is_icmp(packet->protocol));

	key->low[0] = packet->src[0] ^ first;
	key->low[1] = packet->src[1] ^ second;
	key->high[0] = packet->dst[0] ^ first;
	key->high[1] = packet->dst[1] ^ second;
	/* In one piece, because the hash reads it in one soon. */
	key->rest = sn_flow_key_rest((uint16_t)(packet->src_port ^ ports),
				     (uint16_t)(packet->dst_port ^ ports), packet->family,
				     packet->protocol);
	return turned;
}

struct sn_flow_secret {
	uint64_t factors[11];
};
void sn_flow_secret_init(struct sn_flow_secret *secret); /* random */

/* The upper half is the good one. */
static inline uint64_t sn_flow_key_hash(const struct sn_flow_key *key,
					const struct sn_flow_secret *secret)
{
	const uint64_t *m = secret->factors;
	uint64_t sum;

	sum = m[0] + m[1] * (uint32_t)key->rest + m[2] * (key->rest >> 32) +
	      m[3] * (uint32_t)key->low[0] + m[4] * (uint32_t)key->high[0];
	if (key->family != 4)
		sum += m[5] * (key->low[0] >> 32) + m[6] * (key->high[0] >> 32) +
		       m[7] * (uint32_t)key->low[1] + m[8] * (uint32_t)key->high[1] +
		       m[9] * (key->low[1] >> 32) + m[10] * (key->high[1] >> 32);
	/* Keys in a row would lie in a row. */
	return (sum ^ sum >> 32) * 0x9e3779b97f4a7c15;
}

#define SN_FLOW_WORDS_MAX 5

/* The same of up to SN_FLOW_WORDS_MAX words, for tables of addresses. */
static inline uint64_t sn_flow_words_hash(const uint64_t *words, unsigned count,
					  const struct sn_flow_secret *secret)
{
	const uint64_t *m = secret->factors;
	uint64_t sum = m[0];

	for (unsigned i = 0; i < count; i++)
		sum += m[2 * i + 1] * (uint32_t)words[i] + m[2 * i + 2] * (words[i] >> 32);
	return (sum ^ sum >> 32) * 0x9e3779b97f4a7c15;
}

static inline bool sn_flow_key_equal(const struct sn_flow_key *a, const struct sn_flow_key *b)
{
	return ((a->low[0] ^ b->low[0]) | (a->low[1] ^ b->low[1]) | (a->high[0] ^ b->high[0]) |
		(a->high[1] ^ b->high[1]) | (a->rest ^ b->rest)) == 0;
}

#endif
