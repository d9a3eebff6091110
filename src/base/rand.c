/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rand.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/util.h"

#define ULID_TIME_CHARS   10
#define ULID_RANDOM_BYTES 10
#define UNIT_BITS         53 /* of a double's significand */

void sn_random(void *out, size_t size)
{
	unsigned char *p = out;

	while (size > 0) {
		ssize_t got = getrandom(p, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			fputs("<3>rand: the kernel gives no random bytes\n", stderr);
			abort();
		}
		p += got;
		size -= (size_t)got;
	}
}

uint64_t sn_random_below(uint64_t limit)
{
	uint64_t value, reject_below;

	assert(limit > 0);
	/* 2^64 mod limit: values below it would favour the small results. */
	reject_below = -limit % limit;
	do {
		sn_random(&value, sizeof(value));
	} while (value < reject_below);
	return value % limit;
}

char *sn_ulid(int64_t unix_ns, char out[SN_ULID_SIZE])
{
	static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t ms = unix_ns > 0 ? (uint64_t)(unix_ns / SN_NS_PER_MS) : 0;
	unsigned char entropy[ULID_RANDOM_BYTES];
	unsigned bits = 0, held = 0;
	char *p = out + ULID_TIME_CHARS;

	for (int i = ULID_TIME_CHARS - 1; i >= 0; i--, ms >>= 5)
		out[i] = alphabet[ms & 31];
	sn_random(entropy, sizeof(entropy));
	for (size_t i = 0; i < sizeof(entropy); i++) {
		held = (held << 8 | entropy[i]) & 0xfff;
		for (bits += 8; bits >= 5; bits -= 5)
			*p++ = alphabet[held >> (bits - 5) & 31];
	}
	*p = '\0';
	return out;
}

static uint64_t rotate_left(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

/* SplitMix64 (Steele, Lea, Flood 2014): spreads one word over the generator's state. */
void sn_prng_seed(struct sn_prng *prng, uint64_t seed)
{
	for (size_t i = 0; i < SN_COUNT(prng->s); i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15ULL;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
		prng->s[i] = z ^ z >> 31;
	}
}

/* xoshiro256** 1.0 (Blackman, Vigna 2018). */
uint64_t sn_prng_u64(struct sn_prng *prng)
{
	uint64_t *s = prng->s;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate_left(s[3], 45);
	return result;
}

double sn_prng_unit(struct sn_prng *prng)
{
	return (double)(sn_prng_u64(prng) >> (64 - UNIT_BITS)) * 0x1p-53;
}
