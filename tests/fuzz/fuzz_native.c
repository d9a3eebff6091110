/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an answer in format Native: first byte the size of the pieces in which it comes, the
 * rest blocks of a column of each type.  What comes of them is within the limits and the same
 * whether it came in pieces or at once, and when it was written and read again.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sn_native_column columns[] = {
	{"time", SN_TYPE_TIME, false}, {"n", SN_TYPE_I64, true},  {"f", SN_TYPE_F64, true},
	{"b", SN_TYPE_BOOL, true},     {"s", SN_TYPE_TEXT, true},
};
#define COLUMNS SN_COUNT(columns)

static void check(const struct sn_vector *vector, enum sn_type type, size_t rows)
{
	assert(vector->type == type && vector->rows == rows && rows <= SN_NATIVE_ROWS_MAX);
	for (size_t i = 0; i < rows; i++) {
		bool null = sn_vector_is_null(vector, i);

		if (type == SN_TYPE_BOOL)
			assert(vector->b[i] <= !null);
		else if (type == SN_TYPE_F64)
			assert(isfinite(vector->f[i]) && (!null || vector->f[i] == 0));
		else if (type == SN_TYPE_TEXT)
			assert(vector->s[i].n <= (null ? 0 : SN_TEXT_MAX));
		else
			assert(!null || vector->i[i] == 0);
	}
}

/* All that was read, written again. */
static int write_again(const struct sn_vector *vectors, size_t rows, void *ctx)
{
	struct sn_buf *out = ctx;

	sn_native_add_head(out, COLUMNS, rows);
	for (size_t i = 0; i < COLUMNS; i++) {
		size_t before = out->n;

		check(&vectors[i], columns[i].type, rows);
		sn_native_add_column(out, &columns[i], &vectors[i]);
		assert(out->n - before == sn_native_column_size(&columns[i], &vectors[i]));
	}
	return 0;
}

static int read_all(struct sn_str bytes, size_t piece, struct sn_buf *out)
{
	struct sn_native_reader *reader = sn_native_reader_create(columns, COLUMNS);
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < bytes.n; at += piece) {
		struct sn_str part = {bytes.p + at, SN_MIN(piece, bytes.n - at)};

		rc = sn_native_reader_feed(reader, part, write_again, out, NULL);
	}
	sn_native_reader_destroy(reader);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_buf pieces = {0}, whole = {0}, again = {0};
	struct sn_str bytes = {(const char *)data + 1, size - 1};
	int rc;

	if (size < 2)
		return 0;
	rc = read_all(bytes, (size_t)data[0] + 1, &pieces);
	assert(read_all(bytes, bytes.n, &whole) == rc);
	assert(pieces.n == whole.n && (whole.n == 0 || memcmp(pieces.p, whole.p, whole.n) == 0));
	if (whole.n > 0) {
		assert(read_all(sn_buf_str(&whole), whole.n, &again) == 0);
		assert(again.n == whole.n && memcmp(again.p, whole.p, whole.n) == 0);
	}
	sn_buf_finish(&pieces);
	sn_buf_finish(&whole);
	sn_buf_finish(&again);
	return 0;
}
