/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/view/anonymise.h"

#include <arpa/inet.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/view/anonymise_internal.h"

#define CLOCK_SLACK_NS (3600 * SN_NS_PER_S)
#define ROUNDS         8
#define BLOCK          16

/* Keys ---------------------------------------------------------------------------------- */

static void derive(const uint8_t *key, const char *purpose, uint8_t out[SHA256_DIGEST_SIZE])
{
	struct hmac_sha256_ctx hmac;

	hmac_sha256_set_key(&hmac, SN_PRIVACY_KEY_BYTES, key);
	hmac_sha256_update(&hmac, strlen(purpose), (const uint8_t *)purpose);
	hmac_sha256_digest(&hmac, SHA256_DIGEST_SIZE, out);
}

/* What is hashed with a key tells nothing of what is encrypted with it: each has its own. */
static void set_key(struct sn_anonymiser *an)
{
	uint8_t derived[SHA256_DIGEST_SIZE];

	sn_privacy_key_of(an->policy, an->period, an->key);
	aes128_set_encrypt_key(&an->text, an->key);
	derive(an->key, "sonde address permutation", derived);
	aes128_set_encrypt_key(&an->permutation, derived);
	derive(an->key, "sonde hash", derived);
	hmac_sha256_set_key(&an->hash, sizeof(derived), derived);
	explicit_bzero(derived, sizeof(derived));
	sn_cryptopan_destroy(an->pan);
	an->pan = NULL;
	an->has_key = true;
}

/*
 * What is told is older than what came last by up to an idle timeout; the period goes back only
 * when the clock did.
 */
bool sn_anonymiser_clock(struct sn_anonymiser *an, int64_t time_ns)
{
	int64_t length = an->policy->keys != NULL ? an->policy->keys->period_ns : 0, period;

	if (an->has_key && length == 0)
		return false;
	if (an->has_key && time_ns < an->clock_ns &&
	    an->clock_ns - time_ns <= SN_MAX(length, CLOCK_SLACK_NS))
		return false;
	an->clock_ns = time_ns;
	period = sn_privacy_period(an->policy, time_ns);
	if (an->has_key && period == an->period)
		return false;
	an->period = period;
	set_key(an);
	return true;
}

static struct sn_cryptopan *pan_of(struct sn_anonymiser *an)
{
	if (an->pan == NULL)
		an->pan = sn_cryptopan_create(an->key);
	return an->pan;
}

/* The object ---------------------------------------------------------------------------- */

static const struct sn_privacy keep_all; /* every mode is 0, SN_PRIVACY_KEEP */

static bool same_rule(const struct sn_privacy_rule *a, const struct sn_privacy_rule *b)
{
	return a->mode == b->mode && a->kept[0] == b->kept[0] && a->kept[1] == b->kept[1];
}

static void number_rules(struct sn_anonymiser *an)
{
	const struct sn_privacy_rule *rules = &an->policy->addresses[0][0];
	uint8_t *alike = &an->alike[0][0];

	for (uint8_t i = 0; i < 2 * SN_ROLES; i++) {
		alike[i] = 0;
		while (!same_rule(&rules[alike[i]], &rules[i]))
			alike[i]++;
	}
}

struct sn_anonymiser *sn_anonymiser_create(const struct sn_privacy *policy,
					   const struct sn_inside *inside)
{
	struct sn_anonymiser *an = sn_new(struct sn_anonymiser);

	an->policy = policy != NULL ? policy : &keep_all;
	an->inside = inside;
	number_rules(an);
	return an;
}

void sn_anonymiser_destroy(struct sn_anonymiser *an)
{
	if (an == NULL)
		return;
	sn_cryptopan_destroy(an->pan);
	sn_buf_finish(&an->scratch);
	explicit_bzero(an, sizeof(*an));
	free(an);
}

/* Addresses ----------------------------------------------------------------------------- */

static bool listed(const struct sn_networks *networks, const uint8_t *ip, uint8_t family)
{
	uint64_t address[2];

	memcpy(address, ip, sizeof(address));
	return sn_networks_has(networks, address, family);
}

/* IPv4 addresses that are told with an IPv6 one (RFC 4291 2.5.5.2, RFC 6052, RFC 3056). */
static const struct {
	uint8_t head[12], bytes;
} embeddings[] = {
	{{[10] = 0xff, [11] = 0xff}, 12},
	{{0x00, 0x64, 0xff, 0x9b}, 12},
	{{0x20, 0x02}, 2},
};

static bool embeds_internal(const struct sn_inside *inside, const uint8_t *ip)
{
	for (size_t i = 0; i < SN_COUNT(embeddings); i++) {
		uint8_t v4[16] = {0};

		if (memcmp(ip, embeddings[i].head, embeddings[i].bytes) != 0)
			continue;
		memcpy(v4, ip + embeddings[i].bytes, 4);
		return listed(inside->internal, v4, 4);
	}
	return false;
}

bool sn_anonymiser_is_internal(const struct sn_anonymiser *an, const uint8_t *ip, uint8_t family)
{
	const struct sn_inside *inside = an->inside;

	if (inside == NULL || inside->stations != NULL || inside->internal == NULL)
		return true;
	return listed(inside->internal, ip, family) || (family == 6 && embeds_internal(inside, ip));
}

unsigned sn_anonymiser_rule(const struct sn_anonymiser *an, enum sn_privacy_role role,
			    bool internal)
{
	return an->alike[role][internal];
}

static void truncate_address(const uint8_t *ip, unsigned bytes, unsigned bits, uint8_t *out)
{
	memcpy(out, ip, bytes);
	for (unsigned i = bits; i < 8 * bytes; i++)
		out[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

/*
 * A permutation of the 32-bit numbers: a Feistel network (Luby, Rackoff 1988) with AES as its
 * round function.
 */
static void permute(const struct sn_anonymiser *an, const uint8_t *ip, uint8_t *out)
{
	uint8_t block[BLOCK], half[2] = {ip[0], ip[1]}, other[2] = {ip[2], ip[3]};

	for (uint8_t round = 0; round < ROUNDS; round++) {
		uint8_t next[2];

		memset(block, 0, sizeof(block));
		block[0] = round;
		memcpy(block + 1, other, sizeof(other));
		aes128_encrypt(&an->permutation, BLOCK, block, block);
		next[0] = half[0] ^ block[0];
		next[1] = half[1] ^ block[1];
		memcpy(half, other, sizeof(half));
		memcpy(other, next, sizeof(other));
	}
	memcpy(out, half, sizeof(half));
	memcpy(out + 2, other, sizeof(other));
}

static void hash_address(struct sn_anonymiser *an, const uint8_t *ip, uint8_t family, uint8_t *out)
{
	if (family == 4) {
		permute(an, ip, out);
		return;
	}
	out[0] = 0xfd;
	hmac_sha256_update(&an->hash, 16, ip);
	hmac_sha256_digest(&an->hash, 15, out + 1);
}

/* IPv6 as four IPv4 addresses, each behind its mask. */
static void encrypt_as_tstat(struct sn_anonymiser *an, const uint8_t *ip, uint8_t family,
			     uint8_t *out)
{
	if (family == 4) {
		sn_cryptopan_encrypt(pan_of(an), ip, 4, out);
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		uint32_t mask = htonl(an->policy->masks[i]), word;
		uint8_t bytes[4];

		memcpy(&word, ip + 4 * i, sizeof(word));
		word ^= mask;
		memcpy(bytes, &word, sizeof(bytes));
		sn_cryptopan_encrypt(pan_of(an), bytes, 4, out + 4 * i);
	}
}

static bool is_hidden(const struct sn_privacy *policy, const uint8_t *ip, uint8_t family)
{
	return policy->hidden != NULL && listed(policy->hidden, ip, family) &&
	       !(policy->exempt != NULL && listed(policy->exempt, ip, family));
}

enum sn_privacy_mode sn_anonymise_address(struct sn_anonymiser *an, unsigned rule,
					  const uint8_t *ip, uint8_t family, uint8_t *out)
{
	const struct sn_privacy_rule *how = &an->policy->addresses[0][0] + rule;
	unsigned bytes = family == 6 ? 16 : 4;

	memset(out, 0, 16);
	switch (how->mode) {
	case SN_PRIVACY_DROP:
		break;
	case SN_PRIVACY_TRUNCATE:
		truncate_address(ip, bytes, how->kept[family == 6], out);
		break;
	case SN_PRIVACY_HASH:
		hash_address(an, ip, family, out);
		break;
	case SN_PRIVACY_CRYPTOPAN:
		sn_cryptopan_encrypt(pan_of(an), ip, bytes, out);
		break;
	case SN_PRIVACY_KEEP:
		if (is_hidden(an->policy, ip, family)) {
			encrypt_as_tstat(an, ip, family, out);
			return SN_PRIVACY_CRYPTOPAN;
		}
		memcpy(out, ip, bytes);
		break;
	}
	return how->mode;
}

/* Texts as a whole ---------------------------------------------------------------------- */

void sn_anonymise_hash(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t digest[10];
	char word[SN_HASHED_TEXT];

	hmac_sha256_update(&an->hash, text.n, (const uint8_t *)text.p);
	hmac_sha256_digest(&an->hash, sizeof(digest), digest);
	for (unsigned i = 0; i < SN_HASHED_TEXT; i++) {
		unsigned at = 5 * i / 8, pair = (unsigned)digest[at] << 8;

		if (at + 1 < sizeof(digest))
			pair |= digest[at + 1];
		word[i] = digits[pair >> (11 - 5 * i % 8) & 31];
	}
	sn_buf_add(out, word, sizeof(word));
}

void sn_anonymise_encrypt(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out)
{
	size_t size = (text.n + BLOCK - 1) / BLOCK * BLOCK;
	uint8_t *blocks;

	sn_buf_clear(&an->scratch);
	sn_buf_reserve(&an->scratch, size);
	blocks = (uint8_t *)an->scratch.p;
	memcpy(blocks, text.p, text.n);
	memset(blocks + text.n, 0, size - text.n);
	aes128_encrypt(&an->text, size, blocks, blocks);
	sn_buf_reserve(out, BASE64_ENCODE_RAW_LENGTH(size));
	base64_encode_raw(out->p + out->n, size, blocks);
	out->n += BASE64_ENCODE_RAW_LENGTH(size);
}
