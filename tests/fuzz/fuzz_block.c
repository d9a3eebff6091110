/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a column: first byte its type, two bytes its rows but one, then what stands behind
 * the checksum, which is put there (nothing random would have the right one).  Of more rows than
 * a piece has, the bytes are shared out to the pieces.  What is read is within the limits, and is
 * the same again after it was written.
 */
#include <assert.h>
#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/block_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct sn_vector *vector, enum sn_type type, size_t rows)
{
	size_t texts = 0, nulls = 0;

	assert(vector->type == type && vector->rows == rows);
	for (size_t i = 0; i < rows; i++) {
		assert(vector->null == NULL || vector->null[i] <= 1);
		nulls += sn_vector_is_null(vector, i);
		if (type == SN_TYPE_BOOL)
			assert(vector->b[i] <= 1);
		else if (type == SN_TYPE_F64)
			assert(isfinite(vector->f[i]));
		else if (type == SN_TYPE_TEXT)
			assert(vector->s[i].n <= SN_TEXT_MAX);
		if (type == SN_TYPE_TEXT && vector->s[i].n > 0)
			texts += (unsigned char)vector->s[i].p[vector->s[i].n - 1] & 1;
	}
	assert(texts <= rows && (vector->null == NULL || nulls > 0));
}

static void compare(const struct sn_vector *a, const struct sn_vector *b)
{
	for (size_t i = 0; i < a->rows; i++) {
		struct sn_value left = sn_vector_value(a, i), right = sn_vector_value(b, i);

		assert(left.type == right.type);
		if (left.type == SN_TYPE_TEXT)
			assert(sn_str_eq(left.s, right.s));
		else if (left.type == SN_TYPE_BOOL)
			assert(left.b == right.b);
		else if (left.type == SN_TYPE_F64)
			assert(memcmp(&left.f, &right.f, sizeof(left.f)) == 0);
		else if (left.type != SN_TYPE_NULL)
			assert(left.i == right.i);
	}
}

/* As a pack of columns, too: what is found lies in it. */
static void check_pack(const uint8_t *data, size_t size)
{
	struct sn_str pack = {(const char *)data, size}, bytes;

	for (size_t i = 0; i < 3; i++)
		if (sn_block_unpack(pack, i, &bytes) == 0)
			assert(bytes.n <= size && bytes.p >= pack.p &&
			       bytes.p + bytes.n <= pack.p + size);
}

static void seal(struct sn_buf *out, enum sn_type type, size_t rows, const void *data, size_t size)
{
	uint32_t sum = htole32(sn_block_checksum(type, rows, (struct sn_str){data, size}));

	sn_buf_add(out, &sum, sizeof(sum));
	if (size > 0)
		sn_buf_add(out, data, size);
}

static void add_varint(struct sn_buf *out, size_t value)
{
	for (; value > 0x7f; value >>= 7)
		sn_buf_addc(out, (char)(value | 0x80));
	sn_buf_addc(out, (char)value);
}

static void make_column(struct sn_buf *out, enum sn_type type, size_t rows, const uint8_t *data,
			size_t size)
{
	size_t count = sn_block_pieces(rows), share = size / count;
	struct sn_buf head = {0};

	if (count == 1) {
		seal(out, type, rows, data, size);
		return;
	}
	sn_buf_addc(&head, SN_BLOCK_PIECES);
	for (size_t i = 0; i < count; i++)
		add_varint(&head, SN_BLOCK_CHECKSUM_SIZE + share);
	seal(out, type, rows, head.p, head.n);
	for (size_t i = 0; i < count; i++)
		seal(out, type, sn_block_piece_rows(rows, i), data + i * share, share);
	sn_buf_finish(&head);
}

/* Where a piece is said to be is within the column, whatever its head says. */
static void check_pieces(const uint8_t *data, size_t size, enum sn_type type, size_t rows)
{
	struct sn_str head = {(const char *)data, SN_MIN(size, (size_t)SN_BLOCK_HEAD_MAX)};
	size_t offset, length;

	for (size_t i = 0; i < sn_block_pieces(rows); i++)
		if (sn_block_find_piece(head, size, type, rows, i, &offset, &length, NULL) == 0)
			assert(offset <= size && length <= size - offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_block_column *column, *again;
	struct sn_buf bytes = {0};
	enum sn_type type;
	size_t rows;

	if (size < 3)
		return 0;
	check_pack(data, size);
	type = SN_TYPE_BOOL + data[0] % 5;
	rows = (size_t)data[1] + 256 * (size_t)data[2] + 1;
	check_pieces(data + 3, size - 3, type, rows);
	make_column(&bytes, type, rows, data + 3, size - 3);
	check_pieces((const uint8_t *)bytes.p, bytes.n, type, rows);
	if (sn_block_read(sn_buf_str(&bytes), type, rows, &column, NULL) == 0) {
		const struct sn_vector *vector = sn_block_vector(column);
		struct sn_block_range range;

		check(vector, type, rows);
		sn_vector_range(vector, &range);
		sn_buf_clear(&bytes);
		/* A dictionary may stand for more text than may be written without one. */
		if (sn_block_write(vector, &bytes) == 0) {
			assert(sn_block_read(sn_buf_str(&bytes), type, rows, &again, NULL) == 0);
			compare(vector, sn_block_vector(again));
			sn_block_column_destroy(again);
		} else {
			assert(type == SN_TYPE_TEXT);
		}
		sn_block_column_destroy(column);
	}
	sn_buf_finish(&bytes);
	return 0;
}
