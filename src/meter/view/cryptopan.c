/* SPDX-License-Identifier: Apache-2.0 */
/*
 * J. Xu, J. Fan, M. Ammar, S. Moon: "Prefix-Preserving IP Address Anonymization", ICNP 2002: bit i
 * is turned over by the first bit of AES(the i bits before it, filled up with a secret pad).  So
 * what turns the first 16 bits over depends on them alone and is kept; the other bits are made in
 * one call of the cipher.
 */
#include <assert.h>
#include <nettle/aes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "meter/view/privacy.h"

#define BLOCK      16
#define HEAD_BITS  16
#define HEADS      (1U << HEAD_BITS)
#define BITS_MAX   128
#define HEAD_BYTES (HEAD_BITS / 8)

struct sn_cryptopan {
	struct aes128_ctx cipher;
	uint8_t pad[BLOCK];
	uint16_t heads[HEADS];           /* what to turn over in addresses that begin like this */
	uint64_t known[HEADS / 64];      /* which of them are there */
	uint8_t blocks[BITS_MAX][BLOCK]; /* scratch */
};

struct sn_cryptopan *sn_cryptopan_create(const uint8_t key[SN_PRIVACY_KEY_BYTES])
{
	struct sn_cryptopan *pan = sn_new(struct sn_cryptopan);

	aes128_set_encrypt_key(&pan->cipher, key);
	aes128_encrypt(&pan->cipher, BLOCK, pan->pad, key + BLOCK);
	return pan;
}

void sn_cryptopan_destroy(struct sn_cryptopan *pan)
{
	if (pan == NULL)
		return;
	explicit_bzero(pan, sizeof(*pan));
	free(pan);
}

/* The first `bits` of the address, then the pad. */
static void put_block(const struct sn_cryptopan *pan, const uint8_t *ip, unsigned bits,
		      uint8_t *block)
{
	unsigned whole = bits / 8;
	uint8_t own = (uint8_t)(0xff00 >> bits % 8);

	memcpy(block, pan->pad, BLOCK);
	memcpy(block, ip, whole);
	if (own != 0)
		block[whole] = (uint8_t)((ip[whole] & own) | (pan->pad[whole] & ~own));
}

/* What to turn over in bits `first` to `end`, whole bytes of them, into `out`. */
static void make_turns(struct sn_cryptopan *pan, const uint8_t *ip, unsigned first, unsigned end,
		       uint8_t *out)
{
	for (unsigned bit = first; bit < end; bit++)
		put_block(pan, ip, bit, pan->blocks[bit - first]);
	aes128_encrypt(&pan->cipher, (end - first) * BLOCK, pan->blocks[0], pan->blocks[0]);
	memset(out, 0, (end - first) / 8);
	for (unsigned i = 0; i < end - first; i++)
		out[i / 8] |= (uint8_t)((pan->blocks[i][0] & 0x80) >> i % 8);
}

static uint16_t head_turns(struct sn_cryptopan *pan, const uint8_t *ip)
{
	unsigned head = (unsigned)ip[0] << 8 | ip[1];
	uint8_t turns[HEAD_BYTES];

	if ((pan->known[head / 64] >> head % 64 & 1) == 0) {
		make_turns(pan, ip, 0, HEAD_BITS, turns);
		pan->heads[head] = (uint16_t)(turns[0] << 8 | turns[1]);
		pan->known[head / 64] |= 1ULL << head % 64;
	}
	return pan->heads[head];
}

void sn_cryptopan_encrypt(struct sn_cryptopan *pan, const uint8_t *ip, unsigned bytes, uint8_t *out)
{
	uint8_t turns[BLOCK];
	uint16_t head = head_turns(pan, ip);

	assert(bytes == 4 || bytes == BLOCK);
	turns[0] = (uint8_t)(head >> 8);
	turns[1] = (uint8_t)head;
	make_turns(pan, ip, HEAD_BITS, 8 * bytes, turns + HEAD_BYTES);
	for (unsigned i = 0; i < bytes; i++)
		out[i] = ip[i] ^ turns[i];
}
