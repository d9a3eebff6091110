/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/secret.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/rand.h"

char *sn_secret_make(char out[SN_SECRET_SIZE])
{
	uint8_t random[(SN_SECRET_SIZE - 1) / 2];

	sn_random(random, sizeof(random));
	return sn_hex(random, sizeof(random), out);
}

void sn_secret_hash(struct sn_str text, uint8_t out[SN_SECRET_HASH_SIZE])
{
	int failed = gnutls_hash_fast(GNUTLS_DIG_SHA256, text.n > 0 ? text.p : "", text.n, out);

	assert(failed == 0);
	(void)failed;
}
