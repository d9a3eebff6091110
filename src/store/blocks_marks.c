/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of each piece of a block without reading it: between which times its rows are, and
 * Bloom filters of the values of some columns.
 *
 *   marks    checksum (32 bits: CRC-32 of the rest), sections
 *   section  place (16 bits), kind (8 bits), size of what follows (32 bits), and per piece
 *            TIMES: first and last time (64 bits each)
 *            SET:   n (8 bits) and 2^n bytes, in which HASHES bits are set per value
 *
 * Numbers are little-endian.
 */
#include "store/blocks_internal.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

#define HASHES    4
#define SIZE_LOG2 3  /* smallest set: 8 bytes */
#define SIZE_MAX2 11 /* largest: 2 KiB for the 4,096 values that a piece can have */
#define SLOTS     (2 * SN_BLOCK_PIECE_ROWS)
#define SUM_SIZE  4

enum kind { TIMES, SET };

/* Values ---------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t part)
{
	hash = (hash ^ part) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

static uint64_t hash_text(struct sn_str text)
{
	uint64_t hash = text.n + 1, part;

	for (; text.n >= sizeof(part); text.p += sizeof(part), text.n -= sizeof(part)) {
		memcpy(&part, text.p, sizeof(part));
		hash = mix(hash, le64toh(part));
	}
	part = 0;
	if (text.n > 0)
		memcpy(&part, text.p, text.n);
	return mix(hash, le64toh(part));
}

/* The same in every process and on every machine; never 0. */
static uint64_t hash_of(const struct sn_value *value)
{
	uint64_t bits = 0;

	if (value->type == SN_TYPE_TEXT)
		return hash_text(value->s) | 1;
	if (value->type == SN_TYPE_F64)
		memcpy(&bits, &value->f, sizeof(bits));
	else
		bits = value->type == SN_TYPE_BOOL ? value->b : (uint64_t)value->i;
	return mix(value->type, bits) | 1;
}

/* Different hashes of a piece, each once; `slots` is their table. */
struct hashes {
	uint64_t slots[SLOTS];
	uint64_t list[SN_BLOCK_PIECE_ROWS];
	size_t count;
};

static void add_hash(struct hashes *hashes, uint64_t hash)
{
	size_t at = (hash >> 20) % SLOTS;

	for (; hashes->slots[at] != 0; at = (at + 1) % SLOTS)
		if (hashes->slots[at] == hash)
			return;
	hashes->slots[at] = hash;
	hashes->list[hashes->count++] = hash;
}

static bool is_same_text(const struct sn_vector *vector, size_t a, size_t b)
{
	return vector->type == SN_TYPE_TEXT && sn_str_eq(vector->s[a], vector->s[b]);
}

static void find_hashes(const struct sn_vector *vector, struct hashes *hashes)
{
	memset(hashes->slots, 0, sizeof(hashes->slots));
	hashes->count = 0;
	for (size_t i = 0; i < vector->rows; i++) {
		struct sn_value value;

		if (sn_vector_is_null(vector, i) || (i > 0 && is_same_text(vector, i, i - 1)))
			continue;
		value = sn_vector_value(vector, i);
		add_hash(hashes, hash_of(&value));
	}
}

/* Sets -------------------------------------------------------------------------- */

/* Bit number `i` of a value, in a set of 2^n bytes. */
static size_t bit_of(uint64_t hash, unsigned i, unsigned size_log2)
{
	uint32_t step = (uint32_t)(hash >> 32) | 1;

	return ((uint32_t)hash + i * step) >> (32 - 3 - size_log2);
}

static void add_set(struct sn_buf *out, const struct hashes *hashes)
{
	unsigned size_log2 = SIZE_LOG2;
	uint8_t set[1 << SIZE_MAX2] = {0};

	while (size_log2 < SIZE_MAX2 && hashes->count > (size_t)1 << size_log2)
		size_log2++;
	for (size_t k = 0; k < hashes->count; k++)
		for (unsigned i = 0; i < HASHES; i++) {
			size_t bit = bit_of(hashes->list[k], i, size_log2);

			set[bit / 8] |= (uint8_t)(1 << bit % 8);
		}
	sn_buf_addc(out, (char)size_log2);
	sn_buf_add(out, set, (size_t)1 << size_log2);
}

/* Writing ----------------------------------------------------------------------- */

static void add_number(struct sn_buf *out, uint64_t number, size_t size)
{
	number = htole64(number);
	sn_buf_add(out, &number, size);
}

static void add_times(struct sn_buf *out, const struct sn_vector *piece)
{
	struct sn_block_range range;

	sn_vector_range(piece, &range);
	add_number(out, (uint64_t)(range.known ? range.min.i : INT64_MIN), 8);
	add_number(out, (uint64_t)(range.known ? range.max.i : INT64_MAX), 8);
}

static void seal(struct sn_buf *marks)
{
	uint32_t sum = htole32(
		(uint32_t)crc32_z(0, (const Bytef *)marks->p + SUM_SIZE, marks->n - SUM_SIZE));

	memcpy(marks->p, &sum, sizeof(sum));
}

void sn_block_image_mark(struct sn_block_image *image, size_t place, const struct sn_vector *column)
{
	enum kind kind = column->type == SN_TYPE_TIME ? TIMES : SET;
	struct sn_buf section = {0}, *marks = &image->marks;
	struct hashes *hashes;

	if (sn_block_pieces(column->rows) < 2)
		return;
	hashes = sn_xmalloc(sizeof(*hashes));
	for (size_t i = 0; i < sn_block_pieces(column->rows); i++) {
		struct sn_vector piece = sn_vector_part(column, i * SN_BLOCK_PIECE_ROWS,
							sn_block_piece_rows(column->rows, i));

		if (kind == TIMES) {
			add_times(&section, &piece);
			continue;
		}
		find_hashes(&piece, hashes);
		add_set(&section, hashes);
	}
	free(hashes);
	if (marks->n == 0)
		add_number(marks, 0, SUM_SIZE);
	add_number(marks, place, 2);
	add_number(marks, kind, 1);
	add_number(marks, section.n, 4);
	sn_buf_add(marks, section.p, section.n);
	sn_buf_finish(&section);
	seal(marks);
}

/* Reading ------------------------------------------------------------------------ */

bool sn_marks_are_sound(struct sn_str marks)
{
	struct sn_rd rd;
	uint32_t sum;

	sn_rd_init(&rd, marks.p, marks.n);
	sum = sn_rd_u32le(&rd);
	return sn_rd_ok(&rd) && sum == (uint32_t)crc32_z(0, rd.p, sn_rd_left(&rd));
}

/* The section of this kind and place. */
static bool find_section(struct sn_str marks, enum kind kind, size_t place, struct sn_rd *section)
{
	struct sn_rd rd;

	sn_rd_init(&rd, marks.p, marks.n);
	sn_rd_skip(&rd, SUM_SIZE);
	while (sn_rd_left(&rd) > 0) {
		unsigned at = sn_rd_u16le(&rd), what = sn_rd_u8(&rd);
		size_t size = sn_rd_u32le(&rd);
		const uint8_t *bytes = sn_rd_bytes(&rd, size);

		if (bytes == NULL)
			return false;
		sn_rd_init(section, bytes, size);
		if (what == kind && at == place)
			return true;
	}
	return false;
}

bool sn_marks_times(struct sn_str marks, size_t piece, int64_t *min, int64_t *max)
{
	struct sn_rd section;

	if (!find_section(marks, TIMES, SN_COL_TIME, &section))
		return false;
	sn_rd_skip(&section, piece * 16);
	*min = (int64_t)sn_rd_u64le(&section);
	*max = (int64_t)sn_rd_u64le(&section);
	return sn_rd_ok(&section);
}

bool sn_marks_may_have(struct sn_str marks, size_t place, size_t piece,
		       const struct sn_value *value)
{
	uint64_t hash = hash_of(value);
	const uint8_t *set = NULL;
	unsigned size_log2 = 0;
	struct sn_rd section;

	if (!find_section(marks, SET, place, &section))
		return true;
	for (size_t i = 0; i <= piece; i++) {
		size_log2 = sn_rd_u8(&section);
		if (size_log2 > SIZE_MAX2)
			return true;
		set = sn_rd_bytes(&section, (size_t)1 << size_log2);
	}
	if (set == NULL)
		return true;
	for (unsigned i = 0; i < HASHES; i++) {
		size_t bit = bit_of(hash, i, size_log2);

		if ((set[bit / 8] >> bit % 8 & 1) == 0)
			return false;
	}
	return true;
}
