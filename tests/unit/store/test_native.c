/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/native.h"

#include "base/mem.h"
#include "base/rand.h"

static const struct sn_native_column columns[] = {
	{"time", SN_TYPE_TIME, false}, {"n", SN_TYPE_I64, true},  {"f", SN_TYPE_F64, true},
	{"b", SN_TYPE_BOOL, true},     {"s", SN_TYPE_TEXT, true},
};
#define COLUMNS ((int)SN_COUNT(columns))

static const struct sn_column dataset_columns[] = {
	{"time", SN_TYPE_TIME, "s", ""}, {"n", SN_TYPE_I64, "1", ""}, {"f", SN_TYPE_F64, "1", ""},
	{"b", SN_TYPE_BOOL, "", ""},     {"s", SN_TYPE_TEXT, "", ""},
};
static const struct sn_dataset dataset = {
	.name = "sample", .version = 1, .columns = dataset_columns, .column_count = COLUMNS};

static void add_random_row(struct sn_columns *rows, struct sn_prng *prng)
{
	static const int64_t integers[] = {0, -1, INT64_MIN, INT64_MAX, 1LL << 53};
	static const double doubles[] = {-0.0, 0x1p-1074, 0x1.fffffffffffffp1023, 0.1, -1e300};
	static const char *const texts[] = {"", "a", "it's \\ \"quoted\"\n\t",
					    "\xc3\xa9\xe2\x82\xac"};
	uint64_t random = sn_prng_u64(prng);

	sn_columns_add_row(rows);
	sn_columns_set_time(rows, 0, (int64_t)(random >> 1));
	if (random % 3 != 0)
		sn_columns_set_i64(rows, 1, integers[random / 3 % SN_COUNT(integers)]);
	if (random % 5 != 0)
		sn_columns_set_f64(rows, 2, doubles[random / 5 % SN_COUNT(doubles)]);
	if (random % 7 != 0)
		sn_columns_set_bool(rows, 3, random / 7 % 2 == 0);
	if (random % 4 != 0)
		sn_columns_set_text(rows, 4, sn_str(texts[random / 4 % SN_COUNT(texts)]));
	else if (random % 8 == 0) {
		char text[SN_TEXT_MAX + 1];

		memset(text, 'x', sizeof(text));
		sn_columns_set_text(rows, 4, (struct sn_str){text, random / 8 % SN_TEXT_MAX});
	}
}

static void write_block(struct sn_buf *out, const struct sn_columns *rows)
{
	sn_native_add_head(out, COLUMNS, sn_columns_rows(rows));
	for (int i = 0; i < COLUMNS; i++) {
		struct sn_vector vector = sn_columns_vector(rows, i);
		size_t before = out->n;

		sn_native_add_column(out, &columns[i], &vector);
		assert_int_equal(out->n - before, sn_native_column_size(&columns[i], &vector));
	}
}

/* What a reader hands out, beside what it should. */
struct compared {
	const struct sn_columns *rows;
	size_t seen, blocks;
	size_t stop_after; /* blocks; 0: never */
};

static void assert_same(struct sn_value a, struct sn_value b)
{
	assert_int_equal(a.type, b.type);
	if (a.type == SN_TYPE_TEXT)
		assert_true(sn_str_eq(a.s, b.s));
	else if (a.type == SN_TYPE_BOOL)
		assert_int_equal(a.b, b.b);
	else if (a.type == SN_TYPE_F64) /* -0 is not 0 */
		assert_memory_equal(&a.f, &b.f, sizeof(a.f));
	else if (a.type != SN_TYPE_NULL)
		assert_true(a.i == b.i);
}

static int compare(const struct sn_vector *vectors, size_t rows, void *ctx)
{
	struct compared *compared = ctx;

	for (int i = 0; i < COLUMNS; i++) {
		struct sn_vector vector = sn_columns_vector(compared->rows, i);

		assert_int_equal(vectors[i].rows, rows);
		for (size_t row = 0; row < rows; row++)
			assert_same(sn_vector_value(&vectors[i], row),
				    sn_vector_value(&vector, compared->seen + row));
	}
	compared->seen += rows;
	return ++compared->blocks == compared->stop_after;
}

static int read_in_pieces(struct sn_str bytes, size_t piece, struct compared *compared)
{
	struct sn_native_reader *reader = sn_native_reader_create(columns, COLUMNS);
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < bytes.n; at += piece)
		rc = sn_native_reader_feed(
			reader, (struct sn_str){bytes.p + at, SN_MIN(piece, bytes.n - at)}, compare,
			compared, NULL);
	if (rc == 0 && sn_native_reader_rest(reader).n > 0)
		rc = -EAGAIN;
	sn_native_reader_destroy(reader);
	return rc;
}

static void rows_come_back_bit_by_bit_in_pieces_of_any_size(void **state)
{
	static const size_t pieces[] = {1, 2, 7, 100, 4096, 1 << 20};
	struct sn_columns *rows = sn_columns_create(&dataset);
	struct sn_prng prng;

	(void)state;
	sn_prng_seed(&prng, 1);
	for (size_t size = 1; size <= 2000; size = size * 5 + 1) {
		struct sn_buf bytes = {0};

		sn_columns_clear(rows);
		for (size_t i = 0; i < size; i++)
			add_random_row(rows, &prng);
		write_block(&bytes, rows);
		for (size_t i = 0; i < SN_COUNT(pieces); i++) {
			struct compared compared = {.rows = rows};

			assert_int_equal(read_in_pieces(sn_buf_str(&bytes), pieces[i], &compared),
					 0);
			assert_int_equal(compared.seen, size);
		}
		sn_buf_finish(&bytes);
	}
	sn_columns_destroy(rows);
}

/* `count` rows, then what it is about. */
static struct sn_columns *some_rows(size_t count, struct sn_buf *bytes)
{
	struct sn_columns *rows = sn_columns_create(&dataset);
	struct sn_prng prng;

	sn_prng_seed(&prng, 2);
	for (size_t i = 0; i < count; i++)
		add_random_row(rows, &prng);
	write_block(bytes, rows);
	return rows;
}

static void answer_that_was_cut_is_not_complete(void **state)
{
	struct sn_buf bytes = {0};
	struct sn_columns *rows = some_rows(20, &bytes);

	(void)state;
	for (size_t n = 1; n < bytes.n; n++) {
		struct compared compared = {.rows = rows};

		assert_int_equal(read_in_pieces((struct sn_str){bytes.p, n}, 1 + n % 97, &compared),
				 -EAGAIN);
		assert_int_equal(compared.seen, 0);
	}
	sn_columns_destroy(rows);
	sn_buf_finish(&bytes);
}

static void blocks_without_rows_are_passed_over(void **state)
{
	struct sn_buf bytes = {0};
	struct sn_columns *rows = sn_columns_create(&dataset);
	struct compared compared = {.rows = rows};

	(void)state;
	sn_native_add_head(&bytes, 0, 0);
	write_block(&bytes, rows);
	sn_columns_add_row(rows);
	sn_columns_set_time(rows, 0, 1);
	write_block(&bytes, rows);
	sn_native_add_head(&bytes, 0, 0);
	assert_int_equal(read_in_pieces(sn_buf_str(&bytes), 3, &compared), 0);
	assert_int_equal(compared.seen, 1);
	sn_columns_destroy(rows);
	sn_buf_finish(&bytes);
}

static void reading_ends_when_the_reader_has_had_enough(void **state)
{
	struct sn_buf bytes = {0};
	struct sn_columns *rows = some_rows(10, &bytes);
	struct compared compared = {.rows = rows, .stop_after = 1};

	(void)state;
	write_block(&bytes, rows);
	assert_int_equal(read_in_pieces(sn_buf_str(&bytes), bytes.n, &compared), -ECANCELED);
	assert_int_equal(compared.seen, 10);
	sn_columns_destroy(rows);
	sn_buf_finish(&bytes);
}

static int no_rows(const struct sn_vector *vectors, size_t rows, void *ctx)
{
	(void)vectors, (void)rows, (void)ctx;
	fail_msg("rows came of what is none");
	return 0;
}

static int read_text(struct sn_str text)
{
	struct sn_native_reader *reader = sn_native_reader_create(columns, COLUMNS);
	int rc = sn_native_reader_feed(reader, text, no_rows, NULL, NULL);

	sn_native_reader_destroy(reader);
	return rc;
}

static void what_was_not_asked_for_is_refused(void **state)
{
	static const struct sn_native_column other_name = {"tima", SN_TYPE_TIME, false};
	static const struct sn_native_column other_type = {"time", SN_TYPE_TIME, true};
	static const int64_t values[] = {1};
	struct sn_vector vector = {.type = SN_TYPE_TIME, .rows = 1, .i = values};
	struct sn_buf bytes = {0};

	(void)state;
	assert_int_equal(read_text(SN_STR("Code: 60, e.displayText() = DB::Exception: x")),
			 -EBADMSG);
	assert_int_equal(read_text(SN_STR("<html>")), -EBADMSG);
	sn_native_add_head(&bytes, COLUMNS + 1, 1);
	assert_int_equal(read_text(sn_buf_str(&bytes)), -EBADMSG);
	sn_buf_clear(&bytes);
	sn_native_add_head(&bytes, COLUMNS, 1);
	sn_native_add_column(&bytes, &other_name, &vector);
	assert_int_equal(read_text(sn_buf_str(&bytes)), -EBADMSG);
	sn_buf_clear(&bytes);
	sn_native_add_head(&bytes, COLUMNS, 1);
	sn_native_add_column(&bytes, &other_type, &vector);
	assert_int_equal(read_text(sn_buf_str(&bytes)), -EBADMSG);
	/* A number that never ends. */
	assert_int_equal(read_text(SN_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
			 -EBADMSG);
	sn_buf_finish(&bytes);
}

static void rows_and_texts_have_limits(void **state)
{
	static const struct sn_native_column text = {"s", SN_TYPE_TEXT, false};
	static char long_text[SN_TEXT_MAX + 1];
	struct sn_str value = {long_text, SN_TEXT_MAX};
	struct sn_vector vector = {.type = SN_TYPE_TEXT, .rows = 1, .s = &value};
	struct sn_buf bytes = {0};

	(void)state;
	sn_native_add_head(&bytes, COLUMNS, SN_NATIVE_ROWS_MAX);
	assert_int_equal(read_text(sn_buf_str(&bytes)), 0);
	sn_buf_clear(&bytes);
	sn_native_add_head(&bytes, COLUMNS, SN_NATIVE_ROWS_MAX + 1);
	assert_int_equal(read_text(sn_buf_str(&bytes)), -E2BIG);
	for (int longer = 0; longer < 2; longer++) {
		struct sn_native_reader *reader = sn_native_reader_create(&text, 1);
		struct compared compared = {0};

		value.n = SN_TEXT_MAX + (size_t)longer;
		sn_buf_clear(&bytes);
		sn_native_add_head(&bytes, 1, 2);
		sn_native_add_column(&bytes, &text, &vector);
		assert_int_equal(
			sn_native_reader_feed(reader, sn_buf_str(&bytes), no_rows, &compared, NULL),
			longer ? -E2BIG : 0);
		sn_native_reader_destroy(reader);
	}
	sn_buf_finish(&bytes);
}

static int count_nulls(const struct sn_vector *vectors, size_t rows, void *ctx)
{
	size_t *nulls = ctx;

	for (size_t i = 0; i < rows; i++)
		*nulls += sn_vector_is_null(&vectors[0], i);
	return 0;
}

static void doubles_that_are_no_number_are_null(void **state)
{
	static const struct sn_native_column column = {"f", SN_TYPE_F64, false};
	static const double values[] = {1, NAN, INFINITY, -INFINITY, 0};
	struct sn_vector vector = {.type = SN_TYPE_F64, .rows = SN_COUNT(values), .f = values};
	struct sn_native_reader *reader = sn_native_reader_create(&column, 1);
	struct sn_buf bytes = {0};
	size_t nulls = 0;

	(void)state;
	sn_native_add_head(&bytes, 1, SN_COUNT(values));
	sn_native_add_column(&bytes, &column, &vector);
	assert_int_equal(
		sn_native_reader_feed(reader, sn_buf_str(&bytes), count_nulls, &nulls, NULL), 0);
	assert_int_equal(nulls, 3);
	sn_native_reader_destroy(reader);
	sn_buf_finish(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_back_bit_by_bit_in_pieces_of_any_size),
		cmocka_unit_test(answer_that_was_cut_is_not_complete),
		cmocka_unit_test(blocks_without_rows_are_passed_over),
		cmocka_unit_test(reading_ends_when_the_reader_has_had_enough),
		cmocka_unit_test(what_was_not_asked_for_is_refused),
		cmocka_unit_test(rows_and_texts_have_limits),
		cmocka_unit_test(doubles_that_are_no_number_are_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
