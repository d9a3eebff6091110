/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rand: unpredictable bytes and ids from the kernel; a small seeded generator
 * for simulations and tests.
 */
#ifndef SONDE_BASE_RAND_H
#define SONDE_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void sn_random(void *out, size_t size);   /* getrandom(2); aborts if the kernel cannot */
uint64_t sn_random_below(uint64_t limit); /* 0 .. limit - 1, unbiased */

/* ULID: 26 characters of Crockford base 32, sortable by the time given. */
#define SN_ULID_SIZE 27
char *sn_ulid(int64_t unix_ns, char out[SN_ULID_SIZE]);

/* xoshiro256**, seedable; never for secrets. */
struct sn_prng {
	uint64_t s[4];
};
void sn_prng_seed(struct sn_prng *prng, uint64_t seed);
uint64_t sn_prng_u64(struct sn_prng *prng);
double sn_prng_unit(struct sn_prng *prng); /* [0, 1) */

#endif
