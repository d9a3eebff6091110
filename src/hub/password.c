/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/password.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

#define PREFIX "$y$"

/* The hash of `password` under `setting` (a salt or an older hash) into `out`. */
static int hash_with(const char *password, const char *setting, char out[SN_PASSWORD_HASH_SIZE])
{
	struct crypt_data *data = sn_new(struct crypt_data);
	const char *hash;
	int failed = 0;

	errno = EINVAL;
	hash = crypt_r(password, setting, data);
	/* A failure is told by NULL or by a text that begins with '*'. */
	if (hash == NULL || hash[0] == '*')
		failed = -errno;
	else
		snprintf(out, SN_PASSWORD_HASH_SIZE, "%s", hash);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return failed;
}

int sn_password_hash(const char *password, char out[SN_PASSWORD_HASH_SIZE])
{
	char random[16], salt[CRYPT_GENSALT_OUTPUT_SIZE];

	sn_random(random, sizeof(random));
	if (crypt_gensalt_rn(PREFIX, 0, random, sizeof(random), salt, sizeof(salt)) == NULL)
		return -errno;
	return hash_with(password, salt, out);
}

static bool equal(const char *a, const char *b)
{
	size_t n = strlen(a);

	return strlen(b) == n && gnutls_memcmp(a, b, n) == 0;
}

bool sn_password_matches(const char *password, const char *stored)
{
	char hash[SN_PASSWORD_HASH_SIZE];

	if (stored == NULL) {
		(void)sn_password_hash(password, hash);
		return false;
	}
	return hash_with(password, stored, hash) == 0 && equal(hash, stored);
}
