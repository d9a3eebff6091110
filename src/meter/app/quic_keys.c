/* SPDX-License-Identifier: Apache-2.0 */
/* Protection of Initial packets (RFC 9001 section 5, RFC 9369 section 3.3). */
#include <errno.h>
#include <nettle/aes.h>
#include <nettle/gcm.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>

#include "base/util.h"
#include "meter/app/quic.h"

#define TAG_BYTES    16
#define SAMPLE_BYTES 16
#define LABEL_MAX    16

static const struct salt {
	uint32_t first, last; /* versions */
	uint8_t salt[20];
	const char *key, *iv, *hp;
} salts[] = {
	{SN_QUIC_V1,
	 SN_QUIC_V1,
	 {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
	  0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
	 "quic key",
	 "quic iv",
	 "quic hp"},
	{SN_QUIC_V2,
	 SN_QUIC_V2,
	 {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
	  0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
	 "quicv2 key",
	 "quicv2 iv",
	 "quicv2 hp"},
	{0xff000017,
	 0xff00001c, /* drafts 23 to 28 */
	 {0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
	  0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02},
	 "quic key",
	 "quic iv",
	 "quic hp"},
	{0xff00001d,
	 0xff000020, /* drafts 29 to 32 */
	 {0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
	  0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99},
	 "quic key",
	 "quic iv",
	 "quic hp"},
	{0xff000021,
	 0xff000022, /* drafts 33 and 34 */
	 {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
	  0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
	 "quic key",
	 "quic iv",
	 "quic hp"},
	{0x51303530,
	 0x51303530, /* Q050 */
	 {0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94,
	  0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45},
	 "quic key",
	 "quic iv",
	 "quic hp"},
	{0x54303530,
	 0x54303530, /* T050 */
	 {0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80,
	  0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10},
	 "quic key",
	 "quic iv",
	 "quic hp"},
	{0x54303531,
	 0x54303531, /* T051 */
	 {0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50,
	  0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d},
	 "quic key",
	 "quic iv",
	 "quic hp"},
};

static const struct salt *find_salt(uint32_t version)
{
	for (size_t i = 0; i < SN_COUNT(salts); i++)
		if (version >= salts[i].first && version <= salts[i].last)
			return &salts[i];
	return NULL;
}

bool sn_quic_is_known(uint32_t version)
{
	return find_salt(version) != NULL;
}

/* HKDF-Expand-Label with an empty context (RFC 8446 section 7.1). */
static void expand(const uint8_t secret[32], const char *label, uint8_t *out, size_t size)
{
	uint8_t info[4 + 6 + LABEL_MAX] = {0, (uint8_t)size, (uint8_t)(6 + strlen(label))};
	struct hmac_sha256_ctx hmac;

	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, strlen(label));
	hmac_sha256_set_key(&hmac, 32, secret);
	hkdf_expand(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
		    (nettle_hash_digest_func *)hmac_sha256_digest, 32, 10 + strlen(label), info,
		    size, out);
}

bool sn_quic_initial_keys(uint32_t version, const struct sn_quic_id *id, bool server,
			  struct sn_quic_keys *keys)
{
	const struct salt *salt = find_salt(version);
	uint8_t initial[32], secret[32];
	struct hmac_sha256_ctx hmac;

	if (salt == NULL)
		return false;
	hmac_sha256_set_key(&hmac, sizeof(salt->salt), salt->salt);
	hkdf_extract(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
		     (nettle_hash_digest_func *)hmac_sha256_digest, 32, id->size, id->bytes,
		     initial);
	expand(initial, server ? "server in" : "client in", secret, sizeof(secret));
	expand(secret, salt->key, keys->key, sizeof(keys->key));
	expand(secret, salt->iv, keys->iv, sizeof(keys->iv));
	expand(secret, salt->hp, keys->hp, sizeof(keys->hp));
	return true;
}

/* Takes the protection off the header; returns the size of the packet number. */
static size_t open_header(const struct sn_quic_keys *keys, const struct sn_quic_packet *packet,
			  uint8_t *header)
{
	uint8_t mask[AES_BLOCK_SIZE];
	struct aes128_ctx aes;
	size_t size;

	aes128_set_encrypt_key(&aes, keys->hp);
	aes128_encrypt(&aes, sizeof(mask), mask, packet->p + packet->number_at + 4);
	memcpy(header, packet->p, packet->number_at + 4);
	header[0] ^= mask[0] & 0x0f;
	size = 1U + (header[0] & 3);
	for (size_t i = 0; i < size; i++)
		header[packet->number_at + i] ^= mask[1 + i];
	return size;
}

static bool is_genuine(struct gcm_aes128_ctx *gcm, const uint8_t *tag)
{
	uint8_t expected[TAG_BYTES];

	gcm_aes128_digest(gcm, sizeof(expected), expected);
	return memeql_sec(expected, tag, sizeof(expected)) != 0;
}

int sn_quic_open(const struct sn_quic_keys *keys, const struct sn_quic_packet *packet,
		 uint8_t plain[SN_QUIC_PACKET_MAX])
{
	uint8_t header[SN_QUIC_PACKET_MAX], nonce[12];
	size_t number_at = packet->number_at, number_size, begin, size;
	struct gcm_aes128_ctx gcm;

	if (packet->size > SN_QUIC_PACKET_MAX)
		return -EMSGSIZE;
	if (packet->size < number_at + 4 + SAMPLE_BYTES)
		return -EBADMSG;
	number_size = open_header(keys, packet, header);
	begin = number_at + number_size;
	size = packet->size - begin - TAG_BYTES;
	memcpy(nonce, keys->iv, sizeof(nonce));
	for (size_t i = 0; i < number_size; i++)
		nonce[sizeof(nonce) - number_size + i] ^= header[number_at + i];
	gcm_aes128_set_key(&gcm, keys->key);
	gcm_aes128_set_iv(&gcm, sizeof(nonce), nonce);
	gcm_aes128_update(&gcm, begin, header);
	gcm_aes128_decrypt(&gcm, size, plain, packet->p + begin);
	return is_genuine(&gcm, packet->p + begin + size) ? (int)size : -EBADMSG;
}
