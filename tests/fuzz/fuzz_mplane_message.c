/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken is written in any form and read again to the same message. */
#include <assert.h>
#include <string.h>

#include "mplane/codec.h"
#include "mplane/match.h"

static const int write_flags[] = {0, SN_MP_NATIVES, SN_MP_INDENT, SN_MP_NATIVES | SN_MP_INDENT};

static void check_written(const struct sn_mp_registries *registries,
			  const struct sn_mp_message *message, int flags)
{
	struct sn_buf text = {0}, again = {0}, skipped = {0};
	struct sn_mp_message *other;
	struct sn_err err = {0};

	sn_mp_encode(message, flags, &text);
	/* Canonical forms and "*" can be longer than what was read. */
	if (text.n <= SN_MP_BYTES_MAX) {
		other = sn_mp_decode(registries, text.p, text.n, 0, &skipped, &err);
		assert(other != NULL);
		assert(skipped.n == 0);
		assert(sn_mp_message_equal(message, other));
		sn_mp_encode(other, flags, &again);
		assert(again.n == text.n && memcmp(again.p, text.p, text.n) == 0);
		sn_mp_message_destroy(other);
	}
	sn_buf_finish(&text);
	sn_buf_finish(&again);
	sn_buf_finish(&skipped);
}

/* Everything that is done with a message before anybody has looked at it. */
static void check_used(const struct sn_mp_message *message)
{
	struct sn_mp_message *copy = sn_mp_message_copy(message);
	char hash[SN_MP_HASH_SIZE], other[SN_MP_HASH_SIZE];
	struct sn_err err = {0};
	int rc = sn_mp_message_check(message, &err);

	assert(rc == 0 || (rc == -22 && err.text[0] != '\0'));
	assert(sn_mp_message_equal(message, copy));
	sn_mp_full_hash(message, hash);
	sn_mp_full_hash(copy, other);
	assert(strcmp(hash, other) == 0);
	sn_mp_match(message, copy, 0, &err);
	for (int kind = 0; kind < SN_MP_KINDS; kind++)
		sn_mp_message_destroy(sn_mp_message_as(message, (enum sn_mp_kind)kind));
	sn_mp_message_destroy(copy);
}

static void take_named(const char *name, struct sn_mp_message *message, void *ctx)
{
	(void)ctx;
	assert(name != NULL && message != NULL);
	sn_mp_message_destroy(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sn_mp_registries *registries;
	struct sn_mp_message *message;
	struct sn_buf skipped = {0};
	struct sn_err err = {0};

	if (registries == NULL)
		registries = sn_mp_registries_create();
	message = sn_mp_decode(registries, data, size, 0, &skipped, &err);
	assert(message != NULL || (err.code < 0 && err.text[0] != '\0'));
	for (size_t i = 0; message != NULL && i < sizeof(write_flags) / sizeof(*write_flags); i++)
		check_written(registries, message, write_flags[i]);
	if (message != NULL)
		check_used(message);
	sn_mp_message_destroy(message);
	message = sn_mp_decode(registries, data, size, SN_MP_READ_STRICT, NULL, NULL);
	sn_mp_message_destroy(message);
	sn_mp_decode_named(registries, data, size, 0, take_named, NULL, &skipped, &err);
	sn_buf_finish(&skipped);
	return 0;
}
