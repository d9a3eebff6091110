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
	char *texts[SN_BLOCK_PIECES_MAX]; /* that the values point into */
};

/* `reason` is set once; then nothing that was read counts. */
struct reader {
	struct sn_rd rd;
	struct sn_block_scratch *scratch;
	size_t texts; /* bytes of texts that were read */
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
	unsigned parts = (form & SN_BLOCK_APART) != 0 ? width : 1;
	size_t size = (count - delta) * width;
	uint8_t *planes;

	if (width > 8 ||
	    (form & ~(SN_BLOCK_WIDTH | SN_BLOCK_DELTA | SN_BLOCK_THOUSANDS | SN_BLOCK_APART)) != 0)
		return fail(reader, "its numbers have an unknown form");
	planes = sn_block_room(reader->scratch, SN_BLOCK_ROOM_PLANES, size);
	for (unsigned part = 0; reader->code == 0 && size > 0 && part < parts; part++)
		get_bytes(reader, planes + part * (size / parts), size / parts);
	if (reader->code != 0)
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
	reader->texts += size;
	if (reader->texts > SN_BLOCK_TEXTS_MAX)
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
		return get_texts(reader, column->values, count, &column->texts[0]);
	case SN_BLOCK_WORDS:
		return get_words(reader, column->values, count, &column->texts[0]);
	default:
		return column->vector.type == SN_TYPE_BOOL
			       ? get_bools(reader, column->values, count)
			       : get_numbers(reader, column->values, count);
	}
}

/* From a bit per row to a byte; returns how many rows are not null, 0 on failure. */
static size_t get_nulls(struct reader *reader, uint8_t *null, size_t rows)
{
	uint8_t map[SN_BLOCK_PIECE_ROWS / 8];
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

/* Whether `rest` is what the checksum was made of. */
static bool check_sum(struct reader *reader, uint32_t sum, enum sn_type type, size_t rows,
		      struct sn_str rest)
{
	return sum == sn_block_checksum(type, rows, rest) || fail(reader, "wrong checksum");
}

/* The bytes are those of one piece, or of a column that has no more rows. */
static void read_piece(struct reader *reader, struct sn_block_column *column)
{
	uint32_t sum = sn_rd_u32le(&reader->rd);
	struct sn_str rest = {(const char *)reader->rd.p, sn_rd_left(&reader->rd)};

	if (!sn_rd_ok(&reader->rd))
		fail(reader, "it is too short");
	else if (check_sum(reader, sum, column->vector.type, column->vector.rows, rest))
		read_column(reader, column);
}

/* What stands before the pieces: their sizes.  `total` bytes are behind it, all told. */
static bool read_sizes(struct reader *reader, enum sn_type type, size_t rows, size_t total,
		       size_t *sizes)
{
	uint32_t sum = sn_rd_u32le(&reader->rd);
	struct sn_str head = {(const char *)reader->rd.p, 0};
	size_t count = sn_block_pieces(rows), left;

	if (sn_rd_u8(&reader->rd) != SN_BLOCK_PIECES)
		return fail(reader, "it is not made of pieces");
	for (size_t i = 0; i < count; i++)
		sizes[i] = (size_t)get_varint(reader);
	if (reader->code != 0)
		return false;
	head.n = (size_t)((const char *)reader->rd.p - head.p);
	if (!check_sum(reader, sum, type, rows, head))
		return false;
	left = total - SN_BLOCK_CHECKSUM_SIZE - head.n;
	for (size_t i = 0; i < count; i++) {
		if (sizes[i] > left)
			return fail(reader, "its pieces are longer than it is");
		left -= sizes[i];
	}
	return left == 0 || fail(reader, "it is not as long as it says");
}

/* One piece into its place in the whole column. */
static void take_piece(struct reader *reader, struct sn_block_column *whole, size_t piece,
		       struct sn_str bytes)
{
	size_t first = piece * SN_BLOCK_PIECE_ROWS;
	size_t rows = sn_block_piece_rows(whole->vector.rows, piece);
	struct reader inner = {.scratch = reader->scratch, .texts = reader->texts};
	struct sn_block_column part = {
		.vector = {.type = whole->vector.type, .rows = rows},
		.values = (char *)whole->values + first * sn_vector_value_size(whole->vector.type),
	};

	sn_rd_init(&inner.rd, bytes.p, bytes.n);
	read_piece(&inner, &part);
	whole->texts[piece] = part.texts[0];
	if (part.null != NULL && whole->null == NULL)
		whole->null = sn_xcalloc(whole->vector.rows, 1);
	if (part.null != NULL)
		memcpy(whole->null + first, part.null, rows);
	free(part.null);
	reader->texts = inner.texts;
	reader->code = inner.code;
	reader->reason = inner.reason;
}

static void read_pieces(struct reader *reader, struct sn_block_column *column, size_t total)
{
	size_t sizes[SN_BLOCK_PIECES_MAX], count = sn_block_pieces(column->vector.rows);

	if (!read_sizes(reader, column->vector.type, column->vector.rows, total, sizes))
		return;
	for (size_t i = 0; reader->code == 0 && i < count; i++) {
		struct sn_str bytes = {(const char *)sn_rd_bytes(&reader->rd, sizes[i]), sizes[i]};

		take_piece(reader, column, i, bytes);
	}
}

static int check_form(enum sn_type type, size_t rows, struct sn_err *err)
{
	if (type >= SN_TYPE_BOOL && type <= SN_TYPE_TIME && rows > 0 && rows <= SN_BLOCK_ROWS_MAX)
		return 0;
	return sn_err_set(err, -EUCLEAN, "a column of no type or of %zu rows", rows);
}

static int explain(const struct reader *reader, struct sn_err *err)
{
	return sn_err_set(err, reader->code, "a column %s: %s",
			  reader->code == -EUCLEAN ? "is damaged" : "cannot be read",
			  reader->reason);
}

int sn_block_read(struct sn_str bytes, enum sn_type type, size_t rows, struct sn_block_column **out,
		  struct sn_err *err)
{
	struct reader reader = {.scratch = sn_block_scratch()};
	struct sn_block_column *column;
	int rc = check_form(type, rows, err);

	if (rc != 0)
		return rc;
	sn_rd_init(&reader.rd, bytes.p, bytes.n);
	column = create_column(type, rows);
	if (rows > SN_BLOCK_PIECE_ROWS)
		read_pieces(&reader, column, bytes.n);
	else
		read_piece(&reader, column);
	if (reader.code != 0) {
		sn_block_column_destroy(column);
		return explain(&reader, err);
	}
	*out = show(column);
	return 0;
}

int sn_block_find_piece(struct sn_str head, size_t size, enum sn_type type, size_t rows,
			size_t piece, size_t *offset, size_t *length, struct sn_err *err)
{
	struct reader reader = {.code = 0};
	size_t sizes[SN_BLOCK_PIECES_MAX];
	int rc = check_form(type, rows, err);

	assert(piece < sn_block_pieces(rows) || rc != 0);
	*offset = 0;
	*length = size;
	if (rc != 0 || rows <= SN_BLOCK_PIECE_ROWS)
		return rc;
	sn_rd_init(&reader.rd, head.p, head.n);
	if (!read_sizes(&reader, type, rows, size, sizes))
		return explain(&reader, err);
	*offset = (size_t)((const char *)reader.rd.p - head.p);
	for (size_t i = 0; i < piece; i++)
		*offset += sizes[i];
	*length = sizes[piece];
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
	for (size_t i = 0; i < SN_BLOCK_PIECES_MAX; i++)
		free(column->texts[i]);
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
