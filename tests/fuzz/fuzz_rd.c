/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checked reader driven by its own input: the first half says which reads to
 * do, the second half is read.  Promises: never past the end, failure stays, what
 * is left only shrinks.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t one_read(struct sn_rd *rd, uint8_t step)
{
	uint8_t copy[32];
	const uint8_t *bytes;
	size_t count = step >> 3;

	switch (step & 7) {
	case 0:
		return sn_rd_u8(rd);
	case 1:
		return sn_rd_u16be(rd);
	case 2:
		return sn_rd_u32be(rd);
	case 3:
		return sn_rd_u64le(rd);
	case 4:
		bytes = sn_rd_bytes(rd, count);
		return bytes != NULL && count > 0 ? bytes[count - 1] : 0;
	case 5:
		sn_rd_copy(rd, copy, count);
		return count > 0 ? copy[count - 1] : 0;
	case 6:
		sn_rd_skip(rd, count);
		return 0;
	default:
		return (uint64_t)sn_rd_u16le(rd) + sn_rd_u32le(rd) + sn_rd_u64be(rd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t steps = size / 2, length = size - steps;
	/* A copy of exactly this size, so that a sanitizer sees the first byte past it. */
	uint8_t *input = malloc(length > 0 ? length : 1);
	struct sn_rd rd;

	assert(input != NULL);
	memcpy(input, data + steps, length);
	sn_rd_init(&rd, input, length);
	for (size_t i = 0; i < steps; i++) {
		bool failed = !sn_rd_ok(&rd);
		size_t left = sn_rd_left(&rd);
		uint64_t value = one_read(&rd, data[i]);

		assert(sn_rd_left(&rd) <= left);
		assert(!failed || (!sn_rd_ok(&rd) && value == 0 && sn_rd_left(&rd) == 0));
	}
	free(input);
	return 0;
}
