/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block_format.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define ZSTD_LEVEL    1    /* 3 gains 1 % of size for 10 % of speed */
#define RAW_MAX       24   /* so few bytes are not worth a frame */
#define APART_MIN     1024 /* numbers whose planes are worth a frame each */
#define WORDS_FIRST   256
#define PROBES_MAX    32       /* texts may be chosen to collide: then there is no dictionary */
#define DECIMAL_LIMIT 0x1p51   /* above it neighbours of k / 10^n are too near to tell apart */
#define ROUND         0x1.8p52 /* added and taken away it rounds anything below the limit */

struct writer {
	struct sn_buf *out;
	struct sn_block_scratch *scratch;
	size_t texts; /* bytes of texts that were put */
};

/* Small things ------------------------------------------------------------- */

static void add_varint(struct sn_buf *out, uint64_t value)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; value > 0x7f; value >>= 7)
		bytes[n++] = (uint8_t)(value | 0x80);
	bytes[n++] = (uint8_t)value;
	sn_buf_add(out, bytes, n);
}

static void put_varint(struct writer *writer, uint64_t value)
{
	add_varint(writer->out, value);
}

static void put_signed(struct writer *writer, int64_t value)
{
	put_varint(writer, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static void put_byte(struct writer *writer, unsigned byte)
{
	sn_buf_addc(writer->out, (char)byte);
}

static void put_bytes(struct writer *writer, const void *bytes, size_t size)
{
	size_t bound = ZSTD_compressBound(size), packed;
	void *room;

	if (size == 0)
		return;
	if (size > RAW_MAX) {
		room = sn_block_room(writer->scratch, SN_BLOCK_ROOM_PACKED, bound);
		packed = ZSTD_compressCCtx(writer->scratch->packer, room, bound, bytes, size,
					   ZSTD_LEVEL);
		if (!ZSTD_isError(packed) && packed < size) {
			put_varint(writer, packed);
			sn_buf_add(writer->out, room, packed);
			return;
		}
	}
	put_varint(writer, 0);
	sn_buf_add(writer->out, bytes, size);
}

/* Whole numbers ------------------------------------------------------------- */

struct span {
	int64_t min, max;
};

static unsigned span_width(struct span span)
{
	uint64_t distance = (uint64_t)span.max - (uint64_t)span.min;

	return distance == 0 ? 0 : (unsigned)(71 - __builtin_clzll(distance)) / 8;
}

/* Of the numbers and of the differences of neighbours, which wrap. */
static void find_spans(const int64_t *numbers, size_t count, struct span *span, struct span *steps)
{
	*span = (struct span){numbers[0], numbers[0]};
	*steps = (struct span){INT64_MAX, INT64_MIN};
	for (size_t i = 1; i < count; i++) {
		int64_t number = numbers[i];
		int64_t step = (int64_t)((uint64_t)number - (uint64_t)numbers[i - 1]);

		span->min = SN_MIN(span->min, number);
		span->max = SN_MAX(span->max, number);
		steps->min = SN_MIN(steps->min, step);
		steps->max = SN_MAX(steps->max, step);
	}
}

/* Inlined with each width, so that the inner loop is none. */
static inline __attribute__((always_inline)) void split(const int64_t *numbers, size_t count,
							bool delta, uint64_t base, unsigned width,
							uint8_t *out)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t number = (uint64_t)numbers[i] - base;

		if (delta)
			number = (uint64_t)numbers[i + 1] - (uint64_t)numbers[i] - base;
		for (unsigned plane = 0; plane < width; plane++)
			out[plane * count + i] = (uint8_t)(number >> 8 * plane);
	}
}

#define SPLIT(width_)                                                                              \
	case width_:                                                                               \
		if (delta)                                                                         \
			split(numbers, count, true, base, width_, out);                            \
		else                                                                               \
			split(numbers, count, false, base, width_, out);                           \
		break;

static void split_planes(const int64_t *numbers, size_t count, bool delta, uint64_t base,
			 unsigned width, uint8_t *out)
{
	switch (width) {
		SPLIT(1)
		SPLIT(2)
		SPLIT(3)
		SPLIT(4)
		SPLIT(5)
		SPLIT(6)
		SPLIT(7)
		SPLIT(8)
	}
}

static bool all_equal(const int64_t *numbers, size_t count)
{
	return memcmp(numbers, numbers + 1, (count - 1) * sizeof(*numbers)) == 0;
}

/* `flags` of the form besides what is found out here; `count` above 0. */
static void put_numbers(struct writer *writer, const int64_t *numbers, size_t count, unsigned flags)
{
	struct span span = {numbers[0], numbers[0]}, steps = span;
	unsigned width = 0, step_width;
	bool delta = false, apart;
	uint8_t *planes;

	if (!all_equal(numbers, count)) {
		find_spans(numbers, count, &span, &steps);
		width = span_width(span);
		step_width = span_width(steps);
		delta = step_width < width;
	}
	if (delta) {
		span = steps;
		width = step_width;
	}
	apart = width > 1 && count >= APART_MIN;
	put_byte(writer,
		 width | flags | (delta ? SN_BLOCK_DELTA : 0) | (apart ? SN_BLOCK_APART : 0));
	put_signed(writer, span.min);
	if (delta)
		put_signed(writer, numbers[0]);
	count -= delta;
	planes = sn_block_room(writer->scratch, SN_BLOCK_ROOM_PLANES, count * width);
	split_planes(numbers, count, delta, (uint64_t)span.min, width, planes);
	for (unsigned plane = 0; apart && plane < width; plane++)
		put_bytes(writer, planes + plane * count, count);
	if (!apart)
		put_bytes(writer, planes, count * width);
}

static void put_whole(struct writer *writer, const int64_t *numbers, size_t count)
{
	put_byte(writer, SN_BLOCK_WHOLE);
	put_numbers(writer, numbers, count, 0);
}

/* Most clocks tell microseconds, and zstd does not see the factor. */
static void put_times(struct writer *writer, const int64_t *times, size_t count)
{
	int64_t *thousands;
	size_t i = 0;

	while (i < count && times[i] % 1000 == 0)
		i++;
	if (i < count) {
		put_whole(writer, times, count);
		return;
	}
	thousands = sn_block_room(writer->scratch, SN_BLOCK_ROOM_NUMBERS, count * sizeof(int64_t));
	for (i = 0; i < count; i++)
		thousands[i] = times[i] / 1000;
	put_byte(writer, SN_BLOCK_WHOLE);
	put_numbers(writer, thousands, count, SN_BLOCK_THOUSANDS);
}

static int put_bools(struct writer *writer, const uint8_t *bools, size_t count)
{
	int64_t *numbers =
		sn_block_room(writer->scratch, SN_BLOCK_ROOM_NUMBERS, count * sizeof(int64_t));

	for (size_t i = 0; i < count; i++) {
		if (bools[i] > 1)
			return -EINVAL;
		numbers[i] = bools[i];
	}
	put_whole(writer, numbers, count);
	return 0;
}

/* Doubles ------------------------------------------------------------------ */

static uint64_t bits_of(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/* Whether k / 10^n is `value` to the bit; -0 is not. */
static bool is_decimal(double value, double ten)
{
	double scaled = value * ten, k = scaled + ROUND - ROUND;

	return scaled > -DECIMAL_LIMIT && scaled < DECIMAL_LIMIT &&
	       bits_of(k / ten) == bits_of(value);
}

/* The smallest n that is enough for each value, or none: -1. */
static int find_places(const double *values, size_t count)
{
	int places = 0;

	for (size_t i = 0; i < count; i++)
		while (!is_decimal(values[i], sn_block_tens[places]))
			if (++places > SN_BLOCK_PLACES_MAX)
				return -1;
	return places;
}

/* False if there is one that `places`, found for a later value, are too many for. */
static bool to_decimals(const double *values, size_t count, int places, int64_t *numbers)
{
	double ten = sn_block_tens[places];
	uint64_t differ = 0, beyond = 0;

	for (size_t i = 0; i < count; i++) {
		double scaled = values[i] * ten, k = scaled + ROUND - ROUND;

		beyond |= !(scaled > -DECIMAL_LIMIT && scaled < DECIMAL_LIMIT);
		differ |= bits_of(k / ten) ^ bits_of(values[i]);
		numbers[i] = (int64_t)(bits_of(scaled + ROUND) - bits_of(ROUND));
	}
	return beyond == 0 && differ == 0;
}

static bool all_finite(const double *values, size_t count)
{
	const uint64_t infinite = 0x7ffULL << 52;
	bool finite = true;

	for (size_t i = 0; i < count; i++)
		finite &= (bits_of(values[i]) & infinite) != infinite;
	return finite;
}

static int put_doubles(struct writer *writer, const double *values, size_t count)
{
	int64_t *numbers =
		sn_block_room(writer->scratch, SN_BLOCK_ROOM_NUMBERS, count * sizeof(int64_t));
	int places = find_places(values, count);

	if (places >= 0 && to_decimals(values, count, places, numbers)) {
		put_byte(writer, SN_BLOCK_DECIMAL);
		put_byte(writer, (unsigned)places);
	} else {
		if (!all_finite(values, count))
			return -EINVAL;
		memcpy(numbers, values, count * sizeof(*numbers));
		put_byte(writer, SN_BLOCK_BITS);
	}
	put_numbers(writer, numbers, count, 0);
	return 0;
}

/* Texts -------------------------------------------------------------------- */

/* The different ones among texts; `table` has their places plus 1, 0 where free. */
struct words {
	struct sn_str *texts;
	uint64_t *hashes;
	size_t count, bytes;
	uint32_t *table;
	size_t mask;
	int64_t *codes; /* per text */
};

static uint64_t hash_text(struct sn_str text)
{
	uint64_t hash = text.n, part;

	for (; text.n >= sizeof(part); text.p += sizeof(part), text.n -= sizeof(part)) {
		memcpy(&part, text.p, sizeof(part));
		hash = (hash ^ part) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	part = 0;
	if (text.n > 0)
		memcpy(&part, text.p, text.n);
	hash = (hash ^ part) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

static void make_table(struct writer *writer, struct words *words, size_t size)
{
	words->table = sn_block_room(writer->scratch, SN_BLOCK_ROOM_TABLE, size * sizeof(uint32_t));
	memset(words->table, 0, size * sizeof(uint32_t));
	words->mask = size - 1;
	for (size_t i = 0; i < words->count; i++) {
		size_t at = words->hashes[i] & words->mask;

		while (words->table[at] != 0)
			at = (at + 1) & words->mask;
		words->table[at] = (uint32_t)i + 1;
	}
}

static bool find_word(struct words *words, struct sn_str text, int64_t *code)
{
	uint64_t hash = hash_text(text);
	size_t at = hash & words->mask;

	for (unsigned probes = 0; probes < PROBES_MAX; probes++, at = (at + 1) & words->mask) {
		uint32_t place = words->table[at];

		if (place == 0) {
			words->texts[words->count] = text;
			words->hashes[words->count] = hash;
			words->bytes += text.n;
			words->table[at] = (uint32_t)++words->count;
			*code = (int64_t)words->count - 1;
			return true;
		}
		if (words->hashes[place - 1] == hash && sn_str_eq(words->texts[place - 1], text)) {
			*code = place - 1;
			return true;
		}
	}
	return false;
}

/* False if they are too many, or chosen to be slow. */
static bool find_words(struct writer *writer, const struct sn_str *texts, size_t count,
		       struct words *words)
{
	size_t most = count / 2 + 1;

	words->texts =
		sn_block_room(writer->scratch, SN_BLOCK_ROOM_WORDS, most * sizeof(struct sn_str));
	words->hashes =
		sn_block_room(writer->scratch, SN_BLOCK_ROOM_HASHES, most * sizeof(uint64_t));
	words->codes = sn_block_room(writer->scratch, SN_BLOCK_ROOM_CODES, count * sizeof(int64_t));
	make_table(writer, words, WORDS_FIRST);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && sn_str_eq(texts[i], texts[i - 1])) {
			words->codes[i] = words->codes[i - 1];
			continue;
		}
		if (words->count == most || !find_word(words, texts[i], &words->codes[i]))
			return false;
		if (2 * words->count > words->mask)
			make_table(writer, words, 2 * (words->mask + 1));
	}
	return true;
}

static bool words_are_shorter(const struct words *words, size_t count, size_t bytes)
{
	unsigned width = span_width((struct span){0, (int64_t)words->count - 1});

	return words->bytes + words->count + count * width < bytes + count;
}

static void put_texts(struct writer *writer, const struct sn_str *texts, size_t count, size_t bytes)
{
	int64_t *lengths =
		sn_block_room(writer->scratch, SN_BLOCK_ROOM_NUMBERS, count * sizeof(int64_t));
	char *all, *end;

	for (size_t i = 0; i < count; i++)
		lengths[i] = (int64_t)texts[i].n;
	put_numbers(writer, lengths, count, 0);
	all = end = sn_block_room(writer->scratch, SN_BLOCK_ROOM_PLANES, bytes);
	for (size_t i = 0; i < count; i++) {
		if (texts[i].n > 0)
			memcpy(end, texts[i].p, texts[i].n);
		end += texts[i].n;
	}
	put_bytes(writer, all, bytes);
	writer->texts += bytes;
}

static int write_texts(struct writer *writer, const struct sn_str *texts, size_t count)
{
	struct words words = {.count = 0};
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		if (texts[i].n > SN_TEXT_MAX)
			return -EINVAL;
		bytes += texts[i].n;
	}
	if (find_words(writer, texts, count, &words) && words.bytes <= SN_BLOCK_TEXTS_MAX &&
	    words_are_shorter(&words, count, bytes)) {
		put_byte(writer, SN_BLOCK_WORDS);
		put_varint(writer, words.count);
		put_texts(writer, words.texts, words.count, words.bytes);
		put_numbers(writer, words.codes, count, 0);
		return 0;
	}
	if (bytes > SN_BLOCK_TEXTS_MAX)
		return -E2BIG;
	put_byte(writer, SN_BLOCK_TEXTS);
	put_texts(writer, texts, count, bytes);
	return 0;
}

/* Columns ------------------------------------------------------------------ */

static size_t count_present(const struct sn_vector *column)
{
	size_t nulls = 0;

	if (column->null == NULL)
		return column->rows;
	for (size_t i = 0; i < column->rows; i++)
		nulls += column->null[i] != 0;
	return column->rows - nulls;
}

#define GATHER(type_, from_)                                                                       \
	do {                                                                                       \
		type_ *to = sn_block_room(writer->scratch, SN_BLOCK_ROOM_VALUES,                   \
					  present * sizeof(type_));                                \
		for (size_t i = 0, n = 0; n < present; i++)                                        \
			if (column->null[i] == 0)                                                  \
				to[n++] = column->from_[i];                                        \
		values = to;                                                                       \
	} while (0)

/* The values that are not null, side by side. */
static const void *gather(struct writer *writer, const struct sn_vector *column, size_t present)
{
	const void *values = column->values;

	if (present == column->rows)
		return values;
	if (column->type == SN_TYPE_TEXT)
		GATHER(struct sn_str, s);
	else if (column->type == SN_TYPE_BOOL)
		GATHER(uint8_t, b);
	else if (column->type == SN_TYPE_F64)
		GATHER(double, f);
	else
		GATHER(int64_t, i);
	return values;
}

static void put_nulls(struct writer *writer, const struct sn_vector *column)
{
	uint8_t map[SN_BLOCK_PIECE_ROWS / 8] = {0};

	for (size_t i = 0; i < column->rows; i++)
		map[i / 8] |= (uint8_t)((column->null[i] != 0) << i % 8);
	put_bytes(writer, map, (column->rows + 7) / 8);
}

static int put_values(struct writer *writer, const struct sn_vector *column, size_t present)
{
	const void *values = gather(writer, column, present);

	switch (column->type) {
	case SN_TYPE_BOOL:
		return put_bools(writer, values, present);
	case SN_TYPE_I64:
		put_whole(writer, values, present);
		return 0;
	case SN_TYPE_F64:
		return put_doubles(writer, values, present);
	case SN_TYPE_TEXT:
		return write_texts(writer, values, present);
	case SN_TYPE_TIME:
		put_times(writer, values, present);
		return 0;
	case SN_TYPE_NULL:
		break;
	}
	return -EINVAL;
}

static int put_column(struct writer *writer, const struct sn_vector *column)
{
	size_t present = count_present(column);

	if (present == 0) {
		put_byte(writer, SN_BLOCK_NOTHING);
		return 0;
	}
	if (present < column->rows) {
		put_byte(writer, SN_BLOCK_SOME);
		put_nulls(writer, column);
	}
	return put_values(writer, column, present);
}

/* Sets the checksum that stands before `end`, of what is behind it. */
static void seal(const struct sn_vector *column, struct sn_buf *out, size_t end)
{
	uint32_t sum = htole32(sn_block_checksum(column->type, column->rows,
						 (struct sn_str){out->p + end, out->n - end}));

	memcpy(out->p + end - SN_BLOCK_CHECKSUM_SIZE, &sum, sizeof(sum));
}

static int write_column(struct writer *writer, const struct sn_vector *column)
{
	static const char sum[SN_BLOCK_CHECKSUM_SIZE];
	size_t end = writer->out->n + sizeof(sum);
	int rc;

	sn_buf_add(writer->out, sum, sizeof(sum));
	rc = put_column(writer, column);
	if (rc == 0)
		seal(column, writer->out, end);
	return rc;
}

static int write_pieces(struct writer *writer, const struct sn_vector *column)
{
	size_t sizes[SN_BLOCK_PIECES_MAX], count = sn_block_pieces(column->rows), before;
	struct writer inner = {.scratch = writer->scratch};
	struct sn_buf *out = writer->out, pieces = {0};
	int rc = 0;

	inner.out = &pieces;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct sn_vector part = sn_vector_part(column, i * SN_BLOCK_PIECE_ROWS,
						       sn_block_piece_rows(column->rows, i));

		before = pieces.n;
		rc = write_column(&inner, &part);
		sizes[i] = pieces.n - before;
	}
	if (rc == 0 && inner.texts > SN_BLOCK_TEXTS_MAX)
		rc = -E2BIG;
	if (rc == 0) {
		before = out->n + SN_BLOCK_CHECKSUM_SIZE;
		sn_buf_add(out, sizes, SN_BLOCK_CHECKSUM_SIZE);
		put_byte(writer, SN_BLOCK_PIECES);
		for (size_t i = 0; i < count; i++)
			put_varint(writer, sizes[i]);
		seal(column, out, before);
		sn_buf_add(out, pieces.p, pieces.n);
	}
	sn_buf_finish(&pieces);
	return rc;
}

int sn_block_write(const struct sn_vector *column, struct sn_buf *out)
{
	struct writer writer = {.out = out, .scratch = sn_block_scratch()};
	size_t start = out->n;
	int rc;

	if (column->rows == 0 || column->rows > SN_BLOCK_ROWS_MAX)
		return -EINVAL;
	rc = column->rows > SN_BLOCK_PIECE_ROWS ? write_pieces(&writer, column)
						: write_column(&writer, column);
	if (rc != 0)
		out->n = start;
	return rc;
}

void sn_block_pack(struct sn_buf *pack, struct sn_str bytes)
{
	add_varint(pack, bytes.n);
	sn_buf_add(pack, bytes.p, bytes.n);
}
