/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block_format.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct sn_block_column {
	struct sn_vector vector;
	void *values;
	uint8_t *null;
	char *texts; /* that the values point into */
};

/* `reason` is set once; then nothing that was read counts. */
struct reader {
	struct sn_rd rd;
	struct sn_block_scratch *scratch;
	int code;
	const char *reason;
};

static bool fail(struct reader *reader, const char *reason)
{
	if (reader->code == 0) {
		reader->code = -EUCLEAN;
		reader->reason = reason;
	}
	return false;
}

/* Small things ------------------------------------------------------------- */

/* Latches a failure for one that does not end in time. */
static uint64_t read_varint(struct sn_rd *rd)
{
	uint64_t value = 0;
	uint8_t byte = 0x80;

	for (unsigned shift = 0; shift < 64 && byte > 0x7f; shift += 7) {
		byte = sn_rd_u8(rd);
		value |= (uint64_t)(byte & 0x7f) << shift;
	}
	rd->failed |= byte > 0x7f;
	return value;
}

static uint64_t get_varint(struct reader *reader)
{
	uint64_t value = read_varint(&reader->rd);

	if (!sn_rd_ok(&reader->rd))
		fail(reader, "it ends in a number");
	return value;
}

static int64_t get_signed(struct reader *reader)
{
	uint64_t value = get_varint(reader);

	return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

/* `size` bytes into `out`. */
static bool get_bytes(struct reader *reader, void *out, size_t size)
{
	uint64_t packed = size > 0 ? get_varint(reader) : 0;
	const uint8_t *bytes;
	size_t unpacked;

	if (packed == 0) {
		sn_rd_copy(&reader->rd, out, size);
		return sn_rd_ok(&reader->rd) || fail(reader, "it is too short");
	}
	if (packed > sn_rd_left(&reader->rd))
		return fail(reader, "it is too short");
	bytes = sn_rd_bytes(&reader->rd, packed);
	unpacked = ZSTD_decompressDCtx(reader->scratch->unpacker, out, size, bytes, (size_t)packed);
	return unpacked == size || fail(reader, "it does not decompress to its size");
}

/* Whole numbers ------------------------------------------------------------- */

/* The other way round than in block_write.c, and inlined for the same reason. */
static inline __attribute__((always_inline)) void join(const uint8_t *planes, size_t count,
						       uint64_t base, unsigned width,
						       int64_t *numbers)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t number = 0;

		for (unsigned plane = 0; plane < width; plane++)
			number |= (uint64_t)planes[plane * count + i] << 8 * plane;
		numbers[i] = (int64_t)(base + number);
	}
}

#define JOIN(width_)                                                                               \
	case width_:                                                                               \
		join(planes, count, base, width_, numbers);                                        \
		break;

static void join_planes(const uint8_t *planes, size_t count, uint64_t base, unsigned width,
			int64_t *numbers)
{
	switch (width) {
		JOIN(0)
		JOIN(1)
		JOIN(2)
		JOIN(3)
		JOIN(4)
		JOIN(5)
		JOIN(6)
		JOIN(7)
		JOIN(8)
	}
}

static void add_up(int64_t *numbers, size_t count, int64_t first)
{
	numbers[0] = first;
	for (size_t i = 1; i < count; i++)
		numbers[i] = (int64_t)((uint64_t)numbers[i] + (uint64_t)numbers[i - 1]);
}

/* `count` above 0. */
static bool get_numbers(struct reader *reader, int64_t *numbers, size_t count)
{
	unsigned form = sn_rd_u8(&reader->rd), width = form & SN_BLOCK_WIDTH;
	unsigned delta = (form & SN_BLOCK_DELTA) != 0;
	uint64_t base = (uint64_t)get_signed(reader);
	int64_t first = delta ? get_signed(reader) : 0;
	uint8_t *planes;

	if (width > 8 || (form & ~(SN_BLOCK_WIDTH | SN_BLOCK_DELTA | SN_BLOCK_THOUSANDS)) != 0)
		return fail(reader, "its numbers have an unknown form");
	planes = sn_block_room(reader->scratch, SN_BLOCK_ROOM_PLANES, (count - delta) * width);
	if (reader->code != 0 || !get_bytes(reader, planes, (count - delta) * width))
		return false;
	join_planes(planes, count - delta, base, width, numbers + delta);
	if (delta)
		add_up(numbers, count, first);
	for (size_t i = 0; (form & SN_BLOCK_THOUSANDS) != 0 && i < count; i++)
		numbers[i] = (int64_t)((uint64_t)numbers[i] * 1000);
	return true;
}

/* Numbers of [0, end). */
static bool get_indexes(struct reader *reader, int64_t *numbers, size_t count, uint64_t end)
{
	uint64_t beyond = 0;

	if (!get_numbers(reader, numbers, count))
		return false;
	for (size_t i = 0; i < count; i++)
		beyond |= (uint64_t)numbers[i] >= end;
	return beyond == 0 || fail(reader, "a number in it is too large");
}

static bool get_bools(struct reader *reader, uint8_t *bools, size_t count)
{
	int64_t *numbers =
		sn_block_room(reader->scratch, SN_BLOCK_ROOM_NUMBERS, count * sizeof(int64_t));

	if (!get_indexes(reader, numbers, count, 2))
		return false;
	for (size_t i = 0; i < count; i++)
		bools[i] = (uint8_t)numbers[i];
	return true;
}

/* Doubles ------------------------------------------------------------------ */

static bool get_decimals(struct reader *reader, double *values, size_t count)
{
	unsigned places = sn_rd_u8(&reader->rd);
	int64_t *numbers =
		sn_block_room(reader->scratch, SN_BLOCK_ROOM_NUMBERS, count * sizeof(int64_t));

	if (places > SN_BLOCK_PLACES_MAX)
		return fail(reader, "its numbers have too many places");
	if (!get_numbers(reader, numbers, count))
		return false;
	for (size_t i = 0; i < count; i++)
		values[i] = (double)numbers[i] / sn_block_tens[places];
	return true;
}

static bool get_bits(struct reader *reader, double *values, size_t count)
{
	int64_t *numbers =
		sn_block_room(reader->scratch, SN_BLOCK_ROOM_NUMBERS, count * sizeof(int64_t));
	bool finite = true;

	if (!get_numbers(reader, numbers, count))
		return false;
	memcpy(values, numbers, count * sizeof(*values));
	for (size_t i = 0; i < count; i++)
		finite &= isfinite(values[i]) != 0;
	return finite || fail(reader, "a number in it is not finite");
}

/* Texts -------------------------------------------------------------------- */

/* `texts` point into what becomes `*bytes`. */
static bool get_texts(struct reader *reader, struct sn_str *texts, size_t count, char **bytes)
{
	int64_t *lengths =
		sn_block_room(reader->scratch, SN_BLOCK_ROOM_NUMBERS, count * sizeof(int64_t));
	size_t size = 0;
	char *p;

	if (!get_indexes(reader, lengths, count, SN_TEXT_MAX + 1))
		return false;
	for (size_t i = 0; i < count; i++)
		size += (size_t)lengths[i];
	if (size > SN_BLOCK_TEXTS_MAX)
		return fail(reader, "its texts are too long");
	*bytes = p = sn_xmalloc(size + 1);
	if (!get_bytes(reader, p, size))
		return false;
	for (size_t i = 0; i < count; i++) {
		texts[i] = (struct sn_str){p, (size_t)lengths[i]};
		p += lengths[i];
	}
	return true;
}

static bool get_words(struct reader *reader, struct sn_str *texts, size_t count, char **bytes)
{
	uint64_t words = get_varint(reader);
	struct sn_str *word;
	int64_t *codes;

	if (reader->code != 0 || words == 0 || words > count)
		return fail(reader, "it has more different texts than texts");
	word = sn_block_room(reader->scratch, SN_BLOCK_ROOM_WORDS,
			     (size_t)words * sizeof(struct sn_str));
	codes = sn_block_room(reader->scratch, SN_BLOCK_ROOM_CODES, count * sizeof(int64_t));
	if (!get_texts(reader, word, (size_t)words, bytes) ||
	    !get_indexes(reader, codes, count, words))
		return false;
	for (size_t i = 0; i < count; i++)
		texts[i] = word[codes[i]];
	return true;
}

/* Columns ------------------------------------------------------------------ */

#define TYPE(type_) (1u << SN_TYPE_##type_)

/* Values of each kind, side by side. */
static bool get_values(struct reader *reader, struct sn_block_column *column, unsigned kind,
		       size_t count)
{
	static const unsigned types[] = {
		[SN_BLOCK_WHOLE] = TYPE(BOOL) | TYPE(I64) | TYPE(TIME),
		[SN_BLOCK_DECIMAL] = TYPE(F64),
		[SN_BLOCK_BITS] = TYPE(F64),
		[SN_BLOCK_TEXTS] = TYPE(TEXT),
		[SN_BLOCK_WORDS] = TYPE(TEXT),
	};

	if (kind >= SN_COUNT(types)) {
		reader->code = -EPROTONOSUPPORT;
		reader->reason = "it has a layout that is not known here (install a newer release)";
		return false;
	}
	if ((types[kind] & 1u << column->vector.type) == 0)
		return fail(reader, "it has values of another type");
	switch (kind) {
	case SN_BLOCK_DECIMAL:
		return get_decimals(reader, column->values, count);
	case SN_BLOCK_BITS:
		return get_bits(reader, column->values, count);
	case SN_BLOCK_TEXTS:
		return get_texts(reader, column->values, count, &column->texts);
	case SN_BLOCK_WORDS:
		return get_words(reader, column->values, count, &column->texts);
	default:
		return column->vector.type == SN_TYPE_BOOL
			       ? get_bools(reader, column->values, count)
			       : get_numbers(reader, column->values, count);
	}
}

/* From a bit per row to a byte; returns how many rows are not null, 0 on failure. */
static size_t get_nulls(struct reader *reader, uint8_t *null, size_t rows)
{
	uint8_t map[SN_BLOCK_ROWS_MAX / 8];
	size_t present = 0;

	if (!get_bytes(reader, map, (rows + 7) / 8))
		return 0;
	for (size_t i = 0; i < rows; i++) {
		null[i] = map[i / 8] >> i % 8 & 1;
		present += !null[i];
	}
	if (present == 0 || present == rows)
		fail(reader, "its map of nulls has none or nothing else");
	return reader->code == 0 ? present : 0;
}

/* Moves values to their rows, from the last to the first because they overlap. */
#define SPREAD(type_)                                                                              \
	do {                                                                                       \
		type_ *values = column->values;                                                    \
		for (size_t i = rows, n = present; i-- > 0;)                                       \
			if (column->null[i] != 0)                                                  \
				memset(&values[i], 0, sizeof(values[i]));                          \
			else                                                                       \
				values[i] = values[--n];                                           \
	} while (0)

static void spread(struct sn_block_column *column, size_t present)
{
	size_t rows = column->vector.rows;

	if (column->vector.type == SN_TYPE_TEXT)
		SPREAD(struct sn_str);
	else if (column->vector.type == SN_TYPE_BOOL)
		SPREAD(uint8_t);
	else if (column->vector.type == SN_TYPE_F64)
		SPREAD(double);
	else
		SPREAD(int64_t);
}

static void make_nothing(struct sn_block_column *column)
{
	size_t rows = column->vector.rows;

	column->null = sn_xmalloc(rows);
	memset(column->null, 1, rows);
	memset(column->values, 0, rows * sn_vector_value_size(column->vector.type));
}

static struct sn_block_column *create_column(enum sn_type type, size_t rows)
{
	struct sn_block_column *column = sn_new(struct sn_block_column);

	column->vector = (struct sn_vector){.type = type, .rows = rows};
	column->values = sn_xmalloc(rows * sn_vector_value_size(type));
	return column;
}

static void read_column(struct reader *reader, struct sn_block_column *column)
{
	size_t rows = column->vector.rows, present = rows;
	unsigned kind = sn_rd_u8(&reader->rd);

	if (kind == SN_BLOCK_NOTHING) {
		make_nothing(column);
	} else {
		if (kind == SN_BLOCK_SOME) {
			column->null = sn_xmalloc(rows);
			present = get_nulls(reader, column->null, rows);
			kind = sn_rd_u8(&reader->rd);
		}
		if (present > 0 && get_values(reader, column, kind, present) && present < rows)
			spread(column, present);
	}
	if (reader->code == 0 && (!sn_rd_ok(&reader->rd) || sn_rd_left(&reader->rd) > 0))
		fail(reader, "it is not as long as it says");
}

static struct sn_block_column *show(struct sn_block_column *column)
{
	column->vector.null = column->null;
	column->vector.values = column->values;
	return column;
}

int sn_block_read(struct sn_str bytes, enum sn_type type, size_t rows, struct sn_block_column **out,
		  struct sn_err *err)
{
	struct reader reader = {.scratch = sn_block_scratch()};
	struct sn_block_column *column;
	uint32_t sum;

	if (type < SN_TYPE_BOOL || type > SN_TYPE_TIME || rows == 0 || rows > SN_BLOCK_ROWS_MAX)
		return sn_err_set(err, -EUCLEAN, "a column of no type or of %zu rows", rows);
	sn_rd_init(&reader.rd, bytes.p, bytes.n);
	sum = sn_rd_u32le(&reader.rd);
	if (!sn_rd_ok(&reader.rd) ||
	    sum != sn_block_checksum(
			   type, rows,
			   (struct sn_str){(const char *)reader.rd.p, sn_rd_left(&reader.rd)}))
		return sn_err_set(err, -EUCLEAN, "a column is damaged: wrong checksum");
	column = create_column(type, rows);
	read_column(&reader, column);
	if (reader.code != 0) {
		sn_block_column_destroy(column);
		return sn_err_set(err, reader.code, "a column cannot be read: %s", reader.reason);
	}
	*out = show(column);
	return 0;
}

struct sn_block_column *sn_block_column_of_nulls(enum sn_type type, size_t rows)
{
	struct sn_block_column *column;

	assert(type >= SN_TYPE_BOOL && type <= SN_TYPE_TIME);
	assert(rows > 0 && rows <= SN_BLOCK_ROWS_MAX);
	column = create_column(type, rows);
	make_nothing(column);
	return show(column);
}

const struct sn_vector *sn_block_vector(const struct sn_block_column *column)
{
	return &column->vector;
}

void sn_block_column_destroy(struct sn_block_column *column)
{
	if (column == NULL)
		return;
	free(column->values);
	free(column->null);
	free(column->texts);
	free(column);
}

int sn_block_unpack(struct sn_str pack, size_t place, struct sn_str *bytes)
{
	struct sn_rd rd;

	sn_rd_init(&rd, pack.p, pack.n);
	for (size_t i = 0; i <= place && sn_rd_ok(&rd); i++) {
		bytes->n = (size_t)read_varint(&rd);
		bytes->p = (const char *)sn_rd_bytes(&rd, bytes->n);
	}
	return sn_rd_ok(&rd) ? 0 : -EUCLEAN;
}
