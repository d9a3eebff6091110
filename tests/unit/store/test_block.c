/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "store/block.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"

/* Round trips ---------------------------------------------------------------- */

static void assert_same(const struct sn_vector *a, const struct sn_vector *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->rows, b->rows);
	for (size_t i = 0; i < a->rows; i++) {
		struct sn_value left = sn_vector_value(a, i), right = sn_vector_value(b, i);

		assert_int_equal(left.type, right.type);
		if (left.type == SN_TYPE_TEXT)
			assert_true(sn_str_eq(left.s, right.s));
		else if (left.type == SN_TYPE_BOOL)
			assert_int_equal(left.b, right.b);
		else if (left.type == SN_TYPE_F64) /* -0 is not 0 */
			assert_memory_equal(&left.f, &right.f, sizeof(left.f));
		else if (left.type != SN_TYPE_NULL)
			assert_true(left.i == right.i);
	}
	for (size_t i = 0; a->null != NULL && i < a->rows; i++)
		if (a->null[i] != 0 && a->type != SN_TYPE_TEXT && a->type != SN_TYPE_BOOL)
			assert_int_equal(b->i[i], 0);
}

/* Each piece for itself, found by the first bytes alone. */
static void read_pieces(struct sn_str bytes, const struct sn_vector *vector)
{
	struct sn_str head = {bytes.p, SN_MIN(bytes.n, (size_t)SN_BLOCK_HEAD_MAX)};
	size_t end = 0;

	for (size_t i = 0; i < sn_block_pieces(vector->rows); i++) {
		size_t rows = sn_block_piece_rows(vector->rows, i), offset, length;
		struct sn_vector part = sn_vector_part(vector, i * SN_BLOCK_PIECE_ROWS, rows);
		struct sn_block_column *column = NULL;
		struct sn_err err;

		if (sn_block_find_piece(head, bytes.n, vector->type, vector->rows, i, &offset,
					&length, &err) != 0 ||
		    sn_block_read((struct sn_str){bytes.p + offset, length}, vector->type, rows,
				  &column, &err) != 0)
			fail_msg("%s", err.text);
		assert_true(i == 0 || offset == end);
		end = offset + length;
		assert_same(&part, sn_block_vector(column));
		sn_block_column_destroy(column);
	}
	assert_int_equal(end, bytes.n);
}

/* Writes and reads; returns how many bytes it took. */
static size_t round_trip(const struct sn_vector *vector)
{
	struct sn_block_column *column;
	struct sn_buf out = {0};
	struct sn_err err;
	size_t size;

	assert_int_equal(sn_block_write(vector, &out), 0);
	if (sn_block_read(sn_buf_str(&out), vector->type, vector->rows, &column, &err) != 0)
		fail_msg("%s", err.text);
	assert_same(vector, sn_block_vector(column));
	sn_block_column_destroy(column);
	read_pieces(sn_buf_str(&out), vector);
	size = out.n;
	sn_buf_finish(&out);
	return size;
}

static size_t round_trip_i64(const int64_t *numbers, size_t rows)
{
	return round_trip(&(struct sn_vector){.type = SN_TYPE_I64, .rows = rows, .i = numbers});
}

static size_t round_trip_f64(const double *numbers, size_t rows)
{
	return round_trip(&(struct sn_vector){.type = SN_TYPE_F64, .rows = rows, .f = numbers});
}

static void extreme_integers_come_back(void **state)
{
	static const int64_t both[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_MAX, INT64_MIN};
	static const int64_t least[] = {INT64_MIN, INT64_MIN + 1, INT64_MIN};
	static const int64_t most[] = {INT64_MAX};

	(void)state;
	round_trip_i64(both, SN_COUNT(both));
	round_trip_i64(least, SN_COUNT(least));
	round_trip_i64(most, 1);
}

static void column_of_one_value_takes_some_bytes_only(void **state)
{
	int64_t *numbers = sn_xcalloc(SN_BLOCK_ROWS_MAX, sizeof(*numbers));

	(void)state;
	assert_true(round_trip_i64(numbers, SN_BLOCK_PIECE_ROWS) <= 8);
	assert_true(round_trip_i64(numbers, SN_BLOCK_ROWS_MAX) <=
		    8 + 9 * sn_block_pieces(SN_BLOCK_ROWS_MAX));
	for (size_t i = 0; i < SN_BLOCK_ROWS_MAX; i++)
		numbers[i] = 17 + 1000 * (int64_t)i;
	/* Nor does one that counts. */
	assert_true(round_trip_i64(numbers, SN_BLOCK_PIECE_ROWS) <= 12);
	free(numbers);
}

static void width_of_each_number_of_bytes_is_enough(void **state)
{
	int64_t numbers[300];

	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		for (size_t i = 0; i < SN_COUNT(numbers); i++)
			numbers[i] = (int64_t)(((uint64_t)1 << bit) - (i * 7919 % 3 == 0) + i % 2);
		round_trip_i64(numbers, SN_COUNT(numbers));
	}
}

static void times_of_microseconds_are_shorter_than_those_of_nanoseconds(void **state)
{
	struct sn_vector vector = {.type = SN_TYPE_TIME, .rows = 4096};
	int64_t *times = sn_xcalloc(vector.rows, sizeof(*times));
	struct sn_prng prng;
	size_t coarse, fine;

	(void)state;
	sn_prng_seed(&prng, 3);
	vector.i = times;
	for (size_t i = 0; i < vector.rows; i++)
		times[i] = 1772323200000000000 + (int64_t)(sn_prng_u64(&prng) % 3600000000) * 1000;
	coarse = round_trip(&vector);
	times[0]++;
	fine = round_trip(&vector);
	assert_true(coarse < fine * 9 / 10);
	times[1] = INT64_MIN + 808; /* the first one of full microseconds */
	times[0]--;
	round_trip(&vector);
	free(times);
}

static void decimal_numbers_take_the_room_of_their_digits(void **state)
{
	double delays[1000], thirds[1000];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(delays); i++) {
		delays[i] = (double)(10000000 + i * 7919 % 65536) / 1e9;
		thirds[i] = delays[i] / 3;
	}
	assert_true(round_trip_f64(delays, SN_COUNT(delays)) <= 2 * SN_COUNT(delays) + 32);
	assert_true(round_trip_f64(thirds, SN_COUNT(thirds)) > 4 * SN_COUNT(thirds));
	delays[999] = 1.0 / 3;
	round_trip_f64(delays, SN_COUNT(delays));
}

static void doubles_that_only_look_decimal_come_back_to_the_bit(void **state)
{
	static const double numbers[] = {0.0,
					 -0.0,
					 0x1p-1074,
					 1.7976931348623157e308,
					 0x1p51,
					 0x1p53 + 2,
					 0.1,
					 0.1 + 0.2,
					 1e-9,
					 123456789.123456789,
					 -0.3,
					 -1e-12,
					 1e300,
					 5e-324,
					 2251799813685247.5,
					 1772366400123.456,
					 -0x1p51,
					 0.30000000000000004};
	double pair[2];

	(void)state;
	round_trip_f64(numbers, SN_COUNT(numbers));
	for (size_t i = 0; i < SN_COUNT(numbers); i++)
		for (size_t j = 0; j < SN_COUNT(numbers); j++) {
			pair[0] = numbers[i];
			pair[1] = numbers[j];
			round_trip_f64(pair, 2);
		}
}

static void few_texts_are_written_once_each(void **state)
{
	static const struct sn_str names[] = {
		{"example.org", 11}, {"", 0}, {NULL, 0}, {"www.example.net", 15}};
	struct sn_vector vector = {.type = SN_TYPE_TEXT, .rows = SN_BLOCK_ROWS_MAX};
	struct sn_str *texts = sn_xcalloc(vector.rows, sizeof(*texts));

	(void)state;
	vector.s = texts;
	for (size_t i = 0; i < vector.rows; i++)
		texts[i] = names[i * i % 97 % SN_COUNT(names)];
	assert_true(round_trip(&vector) < vector.rows / 4);
	free(texts);
}

static void texts_that_all_hash_alike_are_no_trouble(void **state)
{
	struct sn_vector vector = {.type = SN_TYPE_TEXT, .rows = 20000};
	struct sn_str *texts = sn_xcalloc(vector.rows, sizeof(*texts));
	/* Words of 8 bytes that cancel each other out: h = (h ^ w) * k with w = h gives 0. */
	uint64_t(*bytes)[2] = sn_xcalloc(vector.rows, sizeof(*bytes)), start;

	(void)state;
	vector.s = texts;
	start = test_cpu_ns();
	for (size_t i = 0; i < vector.rows; i++) {
		uint64_t hash = (16 ^ (uint64_t)i) * 0x9e3779b97f4a7c15ULL;

		bytes[i][0] = i;
		bytes[i][1] = hash ^ hash >> 32;
		texts[i] = (struct sn_str){(char *)bytes[i], sizeof(bytes[i])};
	}
	round_trip(&vector);
	assert_true(test_cpu_ns() - start < (uint64_t)SN_NS_PER_S);
	free(bytes);
	free(texts);
}

static void longest_texts_come_back_up_to_the_limit_of_a_column(void **state)
{
	struct sn_vector vector = {.type = SN_TYPE_TEXT};
	char *bytes = sn_xmalloc(SN_BLOCK_TEXTS_MAX + SN_TEXT_MAX);
	size_t most = SN_BLOCK_TEXTS_MAX / SN_TEXT_MAX;
	struct sn_str *texts = sn_xcalloc(most + 1, sizeof(*texts));
	struct sn_buf out = {0};

	(void)state;
	vector.s = texts;
	for (size_t i = 0; i <= most; i++) {
		texts[i] = (struct sn_str){bytes + i * SN_TEXT_MAX, SN_TEXT_MAX};
		memset(bytes + i * SN_TEXT_MAX, (int)i, SN_TEXT_MAX);
		memcpy(bytes + i * SN_TEXT_MAX, &i, sizeof(i)); /* each another */
	}
	vector.rows = most;
	round_trip(&vector);
	vector.rows = most + 1;
	sn_buf_adds(&out, "before");
	assert_int_equal(sn_block_write(&vector, &out), -E2BIG);
	assert_true(sn_str_eqc(sn_buf_str(&out), "before"));
	sn_buf_finish(&out);
	free(texts);
	free(bytes);
}

/* Property -------------------------------------------------------------------- */

static int64_t random_i64(struct sn_prng *prng, unsigned shape, size_t row)
{
	static const int64_t edges[] = {INT64_MIN, INT64_MAX, 0, 1, -1, 255, 256, 65535, 65536};
	uint64_t r = sn_prng_u64(prng);

	switch (shape % 8) {
	case 0:
		return (int64_t)r;
	case 1:
		return edges[r % SN_COUNT(edges)];
	case 2:
		return (int64_t)(r % 3);
	case 3:
		return 1772323200000000000 + (int64_t)row * 1000000 + (int64_t)(r % 1000);
	case 4:
		return -(int64_t)row;
	case 5:
		return 42;
	case 6:
		return (int64_t)(r >> r % 64);
	default:
		return (int64_t)(r % 1000000) * 1000 - 500000000;
	}
}

static double random_f64(struct sn_prng *prng, unsigned shape, size_t row)
{
	uint64_t bits = sn_prng_u64(prng);
	double value;

	switch (shape % 8) {
	case 0:
		memcpy(&value, &bits, sizeof(value));
		return isfinite(value) ? value : -0.0;
	case 1:
		return (double)(bits % 100000000) / 1e9;
	case 2:
		return (double)(int64_t)bits / 1e6;
	case 3:
		return sn_prng_unit(prng);
	case 4:
		return bits % 2 != 0 ? 0.0 : -0.0;
	case 5:
		return (double)row * 0.1;
	case 6:
		return (double)(bits % 16) / 10 + (bits % 4096 == 0 ? 1e300 : 0);
	default:
		return (double)(int64_t)(bits % (1ULL << 52)) - 0x1p51;
	}
}

#define SOUP 8192

static struct sn_str random_text(struct sn_prng *prng, unsigned shape, const char *soup)
{
	uint64_t r = sn_prng_u64(prng);

	switch (shape % 6) {
	case 0:
		return (struct sn_str){soup + r % SN_TEXT_MAX, (r >> 32) % 24};
	case 1:
		return (struct sn_str){soup + r % 16, 12};
	case 2:
		return (struct sn_str){soup, r % 64 == 0 ? SN_TEXT_MAX : 0};
	case 3:
		return (struct sn_str){NULL, 0};
	case 4:
		return (struct sn_str){soup + r % 4096, r % 8};
	default:
		return (struct sn_str){soup + r % 256, (r >> 40) % 128};
	}
}

struct random_column {
	struct sn_vector vector;
	uint8_t *null;
	void *values;
};

static void make_random(struct sn_prng *prng, enum sn_type type, size_t rows, const char *soup,
			struct random_column *column)
{
	unsigned shape = (unsigned)(sn_prng_u64(prng) % 1000), nulls = shape / 8 % 5;
	int64_t *i = sn_xcalloc(rows, sizeof(struct sn_str));
	double *f = (void *)i;
	uint8_t *b = (void *)i;
	struct sn_str *s = (void *)i;

	column->values = i;
	column->null = nulls > 0 ? sn_xcalloc(rows, 1) : NULL;
	for (size_t row = 0; row < rows; row++) {
		/* Few, many, none and all. */
		bool null = (nulls == 1 && sn_prng_u64(prng) % 100 == 0) ||
			    (nulls == 2 && sn_prng_u64(prng) % 100 != 0) || nulls == 4;

		if (null) {
			column->null[row] = 1;
			if (type == SN_TYPE_TEXT)
				s[row] = (struct sn_str){NULL, 0};
			else if (type == SN_TYPE_F64)
				f[row] = 0;
			else if (type == SN_TYPE_BOOL)
				b[row] = 0;
			else
				i[row] = 0;
		} else if (type == SN_TYPE_TEXT) {
			s[row] = random_text(prng, shape, soup);
		} else if (type == SN_TYPE_F64) {
			f[row] = random_f64(prng, shape, row);
		} else if (type == SN_TYPE_BOOL) {
			b[row] = sn_prng_u64(prng) % (shape % 8 + 1) == 0;
		} else {
			i[row] = random_i64(prng, shape, row);
		}
	}
	column->vector = (struct sn_vector){
		.type = type, .rows = rows, .null = column->null, .values = column->values};
}

static void random_columns_of_every_type_come_back_to_the_bit(void **state)
{
	uint64_t seed = sn_mono_ns();
	struct random_column column;
	struct sn_prng prng;
	char soup[SOUP];

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	for (size_t i = 0; i < sizeof(soup); i++)
		soup[i] = (char)sn_prng_u64(&prng);
	for (int run = 0; run < 400; run++) {
		enum sn_type type = SN_TYPE_BOOL + run % 5;
		size_t rows = run % 100 == 0 ? SN_BLOCK_ROWS_MAX
					     : 1 + sn_prng_u64(&prng) % (1u << run % 15);

		make_random(&prng, type, rows, soup, &column);
		round_trip(&column.vector);
		free(column.values);
		free(column.null);
	}
}

/* Refusals --------------------------------------------------------------------- */

static void what_no_column_may_hold_is_not_written(void **state)
{
	static const double numbers[] = {1.5, (double)NAN}, infinite[] = {1e300, (double)INFINITY};
	static const uint8_t bools[] = {0, 1, 2};
	static char longest[SN_TEXT_MAX + 1];
	static const struct sn_str texts[] = {{longest, SN_TEXT_MAX + 1}};
	static int64_t numbers_of_too_many_rows[SN_BLOCK_ROWS_MAX + 1];
	struct sn_vector bad[] = {
		{.type = SN_TYPE_F64, .rows = 2, .f = numbers},
		{.type = SN_TYPE_F64, .rows = 2, .f = infinite},
		{.type = SN_TYPE_F64, .rows = 1, .f = numbers + 1},
		{.type = SN_TYPE_BOOL, .rows = 3, .b = bools},
		{.type = SN_TYPE_TEXT, .rows = 1, .s = texts},
		{.type = SN_TYPE_I64, .rows = 0, .i = numbers_of_too_many_rows},
		{.type = SN_TYPE_I64, .rows = SN_BLOCK_ROWS_MAX + 1, .i = numbers_of_too_many_rows},
		{.type = SN_TYPE_NULL, .rows = 1, .b = bools},
	};
	struct sn_buf out = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		assert_int_equal(sn_block_write(&bad[i], &out), -EINVAL);
		assert_int_equal(out.n, 0);
	}
	bad[6].rows--;
	assert_int_equal(sn_block_write(&bad[6], &out), 0);
	sn_buf_finish(&out);
}

static int read_bytes(const void *bytes, size_t size, enum sn_type type, size_t rows,
		      struct sn_err *err)
{
	struct sn_block_column *column;
	int rc = sn_block_read((struct sn_str){bytes, size}, type, rows, &column, err);

	if (rc == 0)
		sn_block_column_destroy(column);
	return rc;
}

static void each_flipped_bit_and_each_cut_is_noticed(void **state)
{
	struct sn_vector vector = {.type = SN_TYPE_I64, .rows = 100};
	struct sn_buf out = {0};
	int64_t numbers[100];
	uint8_t null[100] = {[7] = 1};
	struct sn_err err;

	(void)state;
	for (int i = 0; i < 100; i++)
		numbers[i] = i * i * i;
	numbers[7] = 0;
	vector.i = numbers;
	vector.null = null;
	assert_int_equal(sn_block_write(&vector, &out), 0);
	for (size_t bit = 0; bit < 8 * out.n; bit++) {
		out.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, 100, &err), -EUCLEAN);
		out.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t size = 0; size < out.n; size++)
		assert_int_equal(read_bytes(out.p, size, SN_TYPE_I64, 100, NULL), -EUCLEAN);
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, 100, &err), 0);
	sn_buf_finish(&out);
}

static void column_of_another_type_or_length_is_damaged(void **state)
{
	static const int64_t numbers[] = {1, 2, 3};
	struct sn_vector vector = {.type = SN_TYPE_I64, .rows = 3, .i = numbers};
	struct sn_buf out = {0};

	(void)state;
	assert_int_equal(sn_block_write(&vector, &out), 0);
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_TIME, 3, NULL), -EUCLEAN);
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, 2, NULL), -EUCLEAN);
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, 0, NULL), -EUCLEAN);
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, SN_BLOCK_ROWS_MAX + 1, NULL),
			 -EUCLEAN);
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_NULL, 3, NULL), -EUCLEAN);
	sn_buf_finish(&out);
}

/* With the checksum that makes a reader look at them. */
static void seal(struct sn_buf *out, const char *body, size_t size, enum sn_type type, size_t rows)
{
	uint8_t before[5] = {(uint8_t)type, (uint8_t)rows, (uint8_t)(rows >> 8)};
	uint32_t sum =
		(uint32_t)crc32_z(crc32_z(0, before, sizeof(before)), (const void *)body, size);

	sum = htole32(sum);
	sn_buf_add(out, &sum, sizeof(sum));
	sn_buf_add(out, body, size);
}

static int read_sealed(const char *body, size_t size, enum sn_type type, size_t rows,
		       struct sn_err *err)
{
	struct sn_buf bytes = {0};
	int rc;

	seal(&bytes, body, size, type, rows);
	rc = read_bytes(bytes.p, bytes.n, type, rows, err);
	sn_buf_finish(&bytes);
	return rc;
}

static void layout_is_the_one_that_is_described(void **state)
{
	struct sn_err err;

	(void)state;
	/* WHOLE, width 1, base 10 (zigzag 20), raw: 10, 12. */
	assert_int_equal(read_sealed("\2\1\24\0\0\2", 6, SN_TYPE_I64, 2, &err), 0);
	/* The same in two bytes each, whose planes stand apart. */
	assert_int_equal(read_sealed("\2\102\24\0\0\2\0\0\0", 9, SN_TYPE_I64, 2, &err), 0);
	/* TEXTS of lengths 1 and 2. */
	assert_int_equal(read_sealed("\5\1\2\0\0\1\0abc", 10, SN_TYPE_TEXT, 2, &err), 0);
	assert_int_equal(read_sealed("\0", 1, SN_TYPE_TEXT, 2, &err), 0);
}

static void nonsense_under_a_right_checksum_is_refused(void **state)
{
	static const struct {
		const char *body;
		size_t size;
		enum sn_type type;
		const char *reason;
	} bad[] = {
#define BODY(text) text, sizeof(text) - 1
		{BODY(""), SN_TYPE_I64, "not as long"},
		{BODY("\2\1\24\0\0"), SN_TYPE_I64, "too short"},
		{BODY("\2\1\24\0\0\2x"), SN_TYPE_I64, "not as long"},
		{BODY("\2\1\24\5\0\2"), SN_TYPE_I64, "too short"},
		{BODY("\2\1\24\2\0\2"), SN_TYPE_I64, "decompress"},
		{BODY("\2\1\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"), SN_TYPE_I64,
		 "ends in a number"},
		{BODY("\2\1\x80"), SN_TYPE_I64, "ends in a number"},
		{BODY("\2\11\0\0"), SN_TYPE_I64, "unknown form"},
		{BODY("\2\201\0\0\1\2"), SN_TYPE_I64, "unknown form"},
		{BODY("\2\102\24\0\0\2\1\0\0"), SN_TYPE_I64, "decompress"},
		{BODY("\2\102\24\0\0\2"), SN_TYPE_I64, "ends in a number"},
		{BODY("\2\1\0\0\1\2"), SN_TYPE_BOOL, "too large"},
		{BODY("\2\1\0\0\1\2"), SN_TYPE_F64, "another type"},
		{BODY("\3\0\0\2"), SN_TYPE_I64, "another type"},
		{BODY("\3\15\0\2"), SN_TYPE_F64, "too many places"},
		{BODY("\4\0\x80\x80\x80\x80\x80\x80\x80\xf0\xff\1"), SN_TYPE_F64, "not finite"},
		{BODY("\5\0\x84\x40"), SN_TYPE_TEXT, "too large"}, /* of 4098 bytes each */
		{BODY("\5\0\1"), SN_TYPE_TEXT, "too large"},       /* of -1 */
		{BODY("\5\0\2\0a"), SN_TYPE_TEXT, "too short"},
		{BODY("\6\3\0\2"), SN_TYPE_TEXT, "more different texts"},
		{BODY("\6\0\0\2"), SN_TYPE_TEXT, "more different texts"},
		{BODY("\6\1\0\2\0a\0\2"), SN_TYPE_TEXT, "too large"},
		{BODY("\1\0\0\2\0\0"), SN_TYPE_I64, "map of nulls"},
		{BODY("\1\0\3\2\0\0"), SN_TYPE_I64, "map of nulls"},
		{BODY("\1\0\1\1\0\0"), SN_TYPE_I64, "another type"},
	};
	struct sn_err err;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		err.text[0] = '\0';
		if (read_sealed(bad[i].body, bad[i].size, bad[i].type, 2, &err) != -EUCLEAN ||
		    strstr(err.text, bad[i].reason) == NULL)
			fail_msg("%zu: %s", i, err.text);
	}
}

static void layout_of_a_newer_release_is_no_damage(void **state)
{
	struct sn_err err;

	(void)state;
	assert_int_equal(read_sealed("\10abc", 4, SN_TYPE_I64, 2, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.text, "install a newer release"));
}

static void add_varint(struct sn_buf *out, size_t value)
{
	for (; value > 0x7f; value >>= 7)
		sn_buf_addc(out, (char)(value | 0x80));
	sn_buf_addc(out, (char)value);
}

/* A column of `pieces` full pieces, which are all the same. */
static struct sn_buf make_pieces(size_t pieces, enum sn_type type, struct sn_str body)
{
	struct sn_buf out = {0}, head = {0}, piece = {0};

	seal(&piece, body.p, body.n, type, SN_BLOCK_PIECE_ROWS);
	sn_buf_addc(&head, 7);
	for (size_t i = 0; i < pieces; i++)
		add_varint(&head, piece.n);
	seal(&out, head.p, head.n, type, pieces * SN_BLOCK_PIECE_ROWS);
	for (size_t i = 0; i < pieces; i++)
		sn_buf_add(&out, piece.p, piece.n);
	sn_buf_finish(&head);
	sn_buf_finish(&piece);
	return out;
}

static void few_bytes_do_not_become_more_text_than_allowed(void **state)
{
	size_t size = (size_t)SN_BLOCK_PIECE_ROWS * SN_TEXT_MAX, packed;
	char *zeros = sn_xcalloc(size, 1), *frame = sn_xmalloc(size);
	struct sn_buf body = {0}, out;
	struct sn_err err;

	(void)state;
	packed = ZSTD_compress(frame, size, zeros, size, 1);
	sn_buf_add(&body, "\5\0\x80\x40", 4); /* of 4,096 bytes each */
	add_varint(&body, packed);
	sn_buf_add(&body, frame, packed);
	out = make_pieces(4, SN_TYPE_TEXT, sn_buf_str(&body));
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_TEXT, 4 * SN_BLOCK_PIECE_ROWS, &err), 0);
	sn_buf_finish(&out);
	out = make_pieces(5, SN_TYPE_TEXT, sn_buf_str(&body));
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_TEXT, 5 * SN_BLOCK_PIECE_ROWS, &err),
			 -EUCLEAN);
	assert_non_null(strstr(err.text, "too long"));
	sn_buf_finish(&out);
	sn_buf_finish(&body);
	free(zeros);
	free(frame);
}

static void pieces_are_checked_each_and_in_their_number(void **state)
{
	struct sn_buf out = make_pieces(3, SN_TYPE_I64, SN_STR("\2\0\24"));
	size_t rows = 3 * SN_BLOCK_PIECE_ROWS, offset, length;
	struct sn_err err;

	(void)state;
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, rows, &err), 0);
	for (size_t bit = 0; bit < 8 * out.n; bit++) {
		out.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, rows, &err), -EUCLEAN);
		out.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t size = 0; size < out.n; size++) {
		assert_int_equal(read_bytes(out.p, size, SN_TYPE_I64, rows, &err), -EUCLEAN);
		assert_int_equal(sn_block_find_piece((struct sn_str){out.p, size}, size,
						     SN_TYPE_I64, rows, 1, &offset, &length, &err),
				 -EUCLEAN);
	}
	/* As many rows as other pieces would have. */
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, rows - 1, &err), -EUCLEAN);
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, rows + 1, &err), -EUCLEAN);
	assert_int_equal(read_bytes(out.p, out.n, SN_TYPE_I64, SN_BLOCK_PIECE_ROWS, &err),
			 -EUCLEAN);
	sn_buf_finish(&out);
}

/* The rest ---------------------------------------------------------------------- */

static void range_is_that_of_the_values_that_are_there(void **state)
{
	static const int64_t numbers[] = {0, 5, -3, 7};
	static const double delays[] = {0, 0.5, -0.25, 7};
	static const uint8_t null[] = {1, 0, 0, 1}, all[] = {1, 1, 1, 1};
	static const struct sn_str texts[4];
	struct sn_vector vector = {.type = SN_TYPE_TIME, .rows = 4, .null = null, .i = numbers};
	struct sn_block_range range;

	(void)state;
	sn_vector_range(&vector, &range);
	assert_true(range.known && range.min.type == SN_TYPE_TIME);
	assert_int_equal(range.min.i, -3);
	assert_int_equal(range.max.i, 5);
	vector.type = SN_TYPE_F64;
	vector.f = delays;
	vector.null = NULL;
	sn_vector_range(&vector, &range);
	assert_true(range.known && range.min.f == -0.25 && range.max.f == 7);
	vector.null = all;
	sn_vector_range(&vector, &range);
	assert_false(range.known);
	vector = (struct sn_vector){.type = SN_TYPE_TEXT, .rows = 4, .s = texts};
	sn_vector_range(&vector, &range);
	assert_false(range.known);
}

static void column_of_nulls_has_no_value(void **state)
{
	(void)state;
	for (enum sn_type type = SN_TYPE_BOOL; type <= SN_TYPE_TIME; type++) {
		struct sn_block_column *column = sn_block_column_of_nulls(type, 3);
		const struct sn_vector *vector = sn_block_vector(column);

		assert_int_equal(vector->type, type);
		assert_int_equal(vector->rows, 3);
		for (size_t i = 0; i < 3; i++)
			assert_true(sn_vector_is_null(vector, i));
		round_trip(vector);
		sn_block_column_destroy(column);
	}
}

static void packed_columns_are_found_by_their_place(void **state)
{
	static const size_t sizes[] = {3, 0, 200, 20000};
	static char bytes[20000];
	struct sn_buf pack = {0};
	struct sn_str found;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(sizes); i++)
		sn_block_pack(&pack, (struct sn_str){bytes, sizes[i]});
	for (size_t i = 0; i < SN_COUNT(sizes); i++) {
		assert_int_equal(sn_block_unpack(sn_buf_str(&pack), i, &found), 0);
		assert_int_equal(found.n, sizes[i]);
	}
	assert_int_equal(sn_block_unpack(sn_buf_str(&pack), SN_COUNT(sizes), &found), -EUCLEAN);
	pack.n--;
	assert_int_equal(sn_block_unpack(sn_buf_str(&pack), 3, &found), -EUCLEAN);
	assert_int_equal(
		sn_block_unpack(SN_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0, &found),
		-EUCLEAN);
	assert_int_equal(sn_block_unpack(SN_STR(""), 0, &found), -EUCLEAN);
	sn_buf_finish(&pack);
}

static void *write_and_free(void *ctx)
{
	struct sn_buf out = {0};
	static const int64_t numbers[] = {4, 5, 6};
	struct sn_vector vector = {.type = SN_TYPE_I64, .rows = 3, .i = numbers};

	*(int *)ctx = sn_block_write(&vector, &out);
	sn_buf_finish(&out);
	return NULL;
}

static void any_thread_may_write_and_leaves_nothing_behind(void **state)
{
	int results[8];
	pthread_t threads[8];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_and_free, &results[i]), 0);
	for (size_t i = 0; i < SN_COUNT(threads); i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(results[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extreme_integers_come_back),
		cmocka_unit_test(column_of_one_value_takes_some_bytes_only),
		cmocka_unit_test(width_of_each_number_of_bytes_is_enough),
		cmocka_unit_test(times_of_microseconds_are_shorter_than_those_of_nanoseconds),
		cmocka_unit_test(decimal_numbers_take_the_room_of_their_digits),
		cmocka_unit_test(doubles_that_only_look_decimal_come_back_to_the_bit),
		cmocka_unit_test(few_texts_are_written_once_each),
		cmocka_unit_test(texts_that_all_hash_alike_are_no_trouble),
		cmocka_unit_test(longest_texts_come_back_up_to_the_limit_of_a_column),
		cmocka_unit_test(random_columns_of_every_type_come_back_to_the_bit),
		cmocka_unit_test(what_no_column_may_hold_is_not_written),
		cmocka_unit_test(each_flipped_bit_and_each_cut_is_noticed),
		cmocka_unit_test(column_of_another_type_or_length_is_damaged),
		cmocka_unit_test(layout_is_the_one_that_is_described),
		cmocka_unit_test(nonsense_under_a_right_checksum_is_refused),
		cmocka_unit_test(layout_of_a_newer_release_is_no_damage),
		cmocka_unit_test(pieces_are_checked_each_and_in_their_number),
		cmocka_unit_test(few_bytes_do_not_become_more_text_than_allowed),
		cmocka_unit_test(range_is_that_of_the_values_that_are_there),
		cmocka_unit_test(column_of_nulls_has_no_value),
		cmocka_unit_test(packed_columns_are_found_by_their_place),
		cmocka_unit_test(any_thread_may_write_and_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
