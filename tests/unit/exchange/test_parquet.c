/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "exchange/parquet.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"
#include "thrift_read.h"

/* Fields of parquet.thrift that the tests look at. */
enum {
	FILE_SCHEMA = 2,
	FILE_ROWS = 3,
	FILE_GROUPS = 4,
	FILE_PAIRS = 5,
	FILE_BY = 6,
	FILE_ORDERS = 7
};
enum { GROUP_CHUNKS = 1, GROUP_ROWS = 3, CHUNK_META = 3 };
enum { META_ENCODINGS = 2, META_CODEC = 4, META_VALUES = 5, META_UNPACKED = 6, META_BYTES = 7 };
enum { META_DATA = 9, META_DICTIONARY = 11, META_STATISTICS = 12 };
enum { STATISTICS_NULLS = 3, STATISTICS_MAX = 5, STATISTICS_MIN = 6 };
enum { PAGE_TYPE = 1, PAGE_UNPACKED = 2, PAGE_BYTES = 3, PAGE_SUM = 4, PAGE_DATA = 5 };

static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"up", SN_TYPE_BOOL, "", "a truth value"},
	{"delay_seconds", SN_TYPE_F64, "s", "a number"},
	{"name", SN_TYPE_TEXT, "", "a text"},
};
static const struct sn_dataset dataset = {
	.name = "sample",
	.version = 2,
	.columns = columns,
	.column_count = SN_COUNT(columns),
};
enum { UP = SN_COL_COMMON, DELAY, NAME, COLUMNS };

struct world {
	struct sn_buf file;
	struct sn_parquet *parquet;
	struct sn_value row[COLUMNS];
	size_t refuse_at; /* bytes after which nothing more is taken; 0: never */
	size_t largest;   /* piece */
	struct sn_err err;
};

static int take(const void *data, size_t size, void *ctx)
{
	struct world *world = ctx;

	world->largest = SN_MAX(world->largest, size);
	if (world->refuse_at > 0 && world->file.n + size > world->refuse_at)
		return -ENOSPC;
	sn_buf_add(&world->file, data, size);
	return 0;
}

static int create(void **state)
{
	struct world *world = sn_new(struct world);

	world->parquet = sn_parquet_create(&dataset, NULL, take, world);
	*state = world;
	return 0;
}

static int destroy(void **state)
{
	struct world *world = *state;

	sn_parquet_destroy(world->parquet);
	sn_buf_finish(&world->file);
	free(world);
	return 0;
}

static void restart(struct world *world, const struct sn_parquet_options *options)
{
	sn_parquet_destroy(world->parquet);
	sn_buf_clear(&world->file);
	world->parquet = sn_parquet_create(&dataset, options, take, world);
}

static void add(struct world *world)
{
	if (sn_parquet_add_row(world->parquet, world->row, &world->err) != 0)
		fail_msg("%s", world->err.text);
}

static void finish(struct world *world)
{
	if (sn_parquet_finish(world->parquet, &world->err) != 0)
		fail_msg("%s", world->err.text);
}

static struct sn_value text(const char *value)
{
	return (struct sn_value){.type = SN_TYPE_TEXT, .s = sn_str(value)};
}

static struct sn_value number(double value)
{
	return (struct sn_value){.type = SN_TYPE_F64, .f = value};
}

static struct sn_value integer(int64_t value)
{
	return (struct sn_value){.type = SN_TYPE_I64, .i = value};
}

/* The FileMetaData of a finished file, whose frame is checked. */
static struct sn_rd footer(const struct world *world)
{
	const struct sn_buf *file = &world->file;
	uint32_t size;
	struct sn_rd rd;

	assert_true(file->n > 12);
	assert_memory_equal(file->p, "PAR1", 4);
	assert_memory_equal(file->p + file->n - 4, "PAR1", 4);
	memcpy(&size, file->p + file->n - 8, sizeof(size));
	assert_true(le32toh(size) + 12 <= file->n);
	sn_rd_init(&rd, file->p + file->n - 8 - le32toh(size), le32toh(size));
	return rd;
}

static struct sn_rd chunk(const struct world *world, size_t group, size_t column)
{
	struct sn_rd rd = element_of(footer(world), FILE_GROUPS, group);

	return field_of(element_of(rd, GROUP_CHUNKS, column), CHUNK_META);
}

static struct sn_rd statistics(const struct world *world, size_t group, size_t column)
{
	return field_of(chunk(world, group, column), META_STATISTICS);
}

static bool has_encoding(struct sn_rd meta, int wanted)
{
	bool found = false;
	int type;

	meta = field_of(meta, META_ENCODINGS);
	for (size_t count = read_list(&meta, &type); count > 0; count--)
		found |= read_int(&meta) == wanted;
	return found;
}

struct walk {
	int64_t rows, plain_rows; /* of data pages */
	size_t largest;           /* bytes of a page */
};

/* Walks over the pages of a chunk and unpacks each. */
static struct walk walk_pages(const struct world *world, struct sn_rd meta)
{
	int64_t start = has_field(meta, META_DICTIONARY) ? int_of(meta, META_DICTIONARY)
							 : int_of(meta, META_DATA);
	struct walk walk = {0};
	int64_t unpacked = 0;
	struct sn_rd rd;

	sn_rd_init(&rd, world->file.p + start, (size_t)int_of(meta, META_BYTES));
	while (sn_rd_left(&rd) > 0) {
		struct sn_rd header = rd;
		size_t size = (size_t)int_of(header, PAGE_BYTES);
		size_t whole = (size_t)int_of(header, PAGE_UNPACKED);
		sn_autofree char *out = sn_xmalloc(whole + 1);
		const uint8_t *bytes;

		walk.largest = SN_MAX(walk.largest, whole);
		read_past(&rd, READ_STRUCT);
		unpacked += (int64_t)whole + (rd.p - header.p);
		bytes = sn_rd_bytes(&rd, size);
		assert_non_null(bytes);
		assert_int_equal((uint32_t)int_of(header, PAGE_SUM), crc32(0, bytes, (uInt)size));
		assert_int_equal(ZSTD_decompress(out, whole + 1, bytes, size), whole);
		if (int_of(header, PAGE_TYPE) == 0) {
			int64_t rows = int_of(field_of(header, PAGE_DATA), 1);

			walk.rows += rows;
			if (int_of(field_of(header, PAGE_DATA), 2) == 0)
				walk.plain_rows += rows;
		}
	}
	assert_true(sn_rd_ok(&rd));
	assert_int_equal(unpacked, int_of(meta, META_UNPACKED));
	return walk;
}

/* Every chunk of every group is where the footer says, whole, and as long as its group. */
static void check_chunks(const struct world *world)
{
	size_t groups = count_of(footer(world), FILE_GROUPS);
	int64_t rows = 0;

	for (size_t g = 0; g < groups; g++) {
		int64_t here = int_of(element_of(footer(world), FILE_GROUPS, g), GROUP_ROWS);

		rows += here;
		for (size_t c = 0; c < COLUMNS; c++) {
			struct sn_rd meta = chunk(world, g, c);

			assert_int_equal(walk_pages(world, meta).rows, here);
			assert_int_equal(int_of(meta, META_VALUES), here);
			assert_int_equal(int_of(meta, META_CODEC), 6);
		}
	}
	assert_int_equal(rows, int_of(footer(world), FILE_ROWS));
}

static void a_file_without_rows_has_its_schema(void **state)
{
	struct world *world = *state;
	struct sn_rd rd;

	finish(world);
	rd = footer(world);
	assert_int_equal(int_of(rd, FILE_ROWS), 0);
	assert_int_equal(count_of(rd, FILE_GROUPS), 0);
	assert_int_equal(count_of(rd, FILE_SCHEMA), COLUMNS + 1);
	assert_int_equal(count_of(rd, FILE_ORDERS), COLUMNS);
	assert_true(sn_str_has_prefix(text_of(rd, FILE_BY), "sonde version "));
}

static void columns_have_types_that_readers_know(void **state)
{
	static const int physical[] = {2, 6, 6, 2, 0, 5, 6};
	struct world *world = *state;
	struct sn_rd logical;

	finish(world);
	for (size_t i = 0; i < COLUMNS; i++) {
		struct sn_rd element = element_of(footer(world), FILE_SCHEMA, i + 1);

		assert_true(sn_str_eqc(text_of(element, 4), columns[i].name));
		assert_int_equal(int_of(element, 1), physical[i]);
		assert_int_equal(int_of(element, 3), 1); /* OPTIONAL */
		assert_int_equal(has_field(element, 10), physical[i] == 6 || i == SN_COL_TIME);
	}
	logical = field_of(element_of(footer(world), FILE_SCHEMA, SN_COL_TIME + 1), 10);
	logical = field_of(logical, 8); /* TIMESTAMP */
	assert_int_equal(read_field(&(struct sn_rd){logical.p, logical.end, false}, 1), READ_TRUE);
	assert_true(has_field(field_of(logical, 2), 3)); /* nanoseconds */
}

static void the_dataset_is_described(void **state)
{
	struct world *world = *state;
	struct sn_rd rd;

	finish(world);
	rd = footer(world);
	assert_int_equal(count_of(rd, FILE_PAIRS), 3);
	assert_true(sn_str_eqc(text_of(element_of(rd, FILE_PAIRS, 0), 2), "sample"));
	assert_true(sn_str_eqc(text_of(element_of(rd, FILE_PAIRS, 1), 2), "2"));
	assert_true(sn_str_has_prefix(
		text_of(element_of(rd, FILE_PAIRS, 2), 2),
		"[{\"name\":\"time\",\"type\":\"time\",\"unit\":\"s\",\"help\":\"when the "));
}

static void one_row_is_a_group(void **state)
{
	struct world *world = *state;

	world->row[SN_COL_SEQ] = integer(-7);
	world->row[NAME] = text("rome");
	add(world);
	finish(world);
	check_chunks(world);
	assert_int_equal(count_of(footer(world), FILE_GROUPS), 1);
	assert_true(sn_str_eqc(text_of(statistics(world, 0, NAME), STATISTICS_MIN), "rome"));
	assert_int_equal(int_of(statistics(world, 0, NAME), STATISTICS_NULLS), 0);
	assert_int_equal(int_of(statistics(world, 0, UP), STATISTICS_NULLS), 1);
	assert_false(has_encoding(chunk(world, 0, NAME), 8));
}

static void columns_of_nulls_have_no_bounds(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 50000; i++)
		add(world);
	finish(world);
	check_chunks(world);
	for (size_t c = 0; c < COLUMNS; c++) {
		assert_int_equal(int_of(statistics(world, 0, c), STATISTICS_NULLS), 50000);
		assert_false(has_field(statistics(world, 0, c), STATISTICS_MIN));
		assert_false(has_field(statistics(world, 0, c), STATISTICS_MAX));
		assert_false(has_field(chunk(world, 0, c), META_DICTIONARY));
	}
	assert_true(world->file.n < 4096);
}

static int64_t integer_bound(const struct world *world, size_t column, int which)
{
	struct sn_str bytes = text_of(statistics(world, 0, column), which);
	int64_t value;

	assert_int_equal(bytes.n, sizeof(value));
	memcpy(&value, bytes.p, sizeof(value));
	return (int64_t)le64toh((uint64_t)value);
}

static double double_bound(const struct world *world, int which)
{
	int64_t bits = integer_bound(world, DELAY, which);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static void extreme_values_are_bounds(void **state)
{
	struct world *world = *state;

	world->row[SN_COL_SEQ] = integer(INT64_MAX);
	world->row[DELAY] = number(-DBL_MAX);
	world->row[NAME] = text("");
	add(world);
	world->row[SN_COL_SEQ] = integer(INT64_MIN);
	world->row[DELAY] = number(DBL_MAX);
	world->row[NAME] = text("\xc3\xa4");
	world->row[UP] = (struct sn_value){.type = SN_TYPE_BOOL, .b = true};
	add(world);
	finish(world);
	check_chunks(world);
	assert_true(integer_bound(world, SN_COL_SEQ, STATISTICS_MIN) == INT64_MIN);
	assert_true(integer_bound(world, SN_COL_SEQ, STATISTICS_MAX) == INT64_MAX);
	assert_true(double_bound(world, STATISTICS_MIN) == -DBL_MAX);
	assert_true(double_bound(world, STATISTICS_MAX) == DBL_MAX);
	assert_int_equal(text_of(statistics(world, 0, NAME), STATISTICS_MIN).n, 0);
	assert_true(sn_str_eqc(text_of(statistics(world, 0, NAME), STATISTICS_MAX), "\xc3\xa4"));
	assert_int_equal(text_of(statistics(world, 0, UP), STATISTICS_MIN).p[0], 1);
}

/* parquet.thrift, ColumnOrder: min may be +0 where -0 is meant, so writers tell -0. */
static void zero_as_a_bound_has_the_outer_sign(void **state)
{
	struct world *world = *state;

	world->row[DELAY] = number(0.0);
	add(world);
	finish(world);
	assert_true(signbit(double_bound(world, STATISTICS_MIN)));
	assert_false(signbit(double_bound(world, STATISTICS_MAX)));
}

static void numbers_that_are_not_finite_are_null(void **state)
{
	struct world *world = *state;

	world->row[DELAY] = number(NAN);
	add(world);
	world->row[DELAY] = number(-INFINITY);
	add(world);
	world->row[DELAY] = number(1.5);
	add(world);
	finish(world);
	assert_int_equal(int_of(statistics(world, 0, DELAY), STATISTICS_NULLS), 2);
	assert_true(double_bound(world, STATISTICS_MIN) == 1.5);
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 3; i++) {
		world->row[NAME] = text("a\xff"
					"b");
		add(world);
	}
	finish(world);
	check_chunks(world);
	assert_true(sn_str_eqc(text_of(statistics(world, 0, NAME), STATISTICS_MAX), "a\xef\xbf\xbd"
										    "b"));
}

static void long_texts_are_no_bounds(void **state)
{
	static char longest[2 * SN_TEXT_MAX];
	struct world *world = *state;

	memset(longest, 'x', sizeof(longest));
	world->row[NAME] =
		(struct sn_value){.type = SN_TYPE_TEXT, .s = {longest, SN_PARQUET_BOUND_MAX}};
	add(world);
	finish(world);
	assert_int_equal(text_of(statistics(world, 0, NAME), STATISTICS_MAX).n,
			 SN_PARQUET_BOUND_MAX);

	restart(world, NULL);
	world->row[NAME].s.n = SN_PARQUET_BOUND_MAX + 1;
	add(world);
	finish(world);
	assert_false(has_field(statistics(world, 0, NAME), STATISTICS_MAX));
	assert_false(has_field(statistics(world, 0, NAME), STATISTICS_MIN));
}

static void texts_above_the_limit_are_cut(void **state)
{
	static char longest[2 * SN_TEXT_MAX];
	struct world *world = *state;

	memset(longest, 'x', sizeof(longest));
	world->row[NAME] = (struct sn_value){.type = SN_TYPE_TEXT, .s = {longest, sizeof(longest)}};
	add(world);
	finish(world);
	walk_pages(world, chunk(world, 0, NAME));
	assert_in_range(int_of(chunk(world, 0, NAME), META_UNPACKED), SN_TEXT_MAX,
			SN_TEXT_MAX + 100);
}

static void repeated_values_go_into_a_dictionary(void **state)
{
	static const char *const names[] = {"rome", "oslo", "bern"};
	struct world *world = *state;

	for (int i = 0; i < 40000; i++) {
		world->row[NAME] = text(names[i % 3]);
		world->row[DELAY] = number(i % 5 / 10.0);
		world->row[SN_COL_SEQ] = integer(i);
		add(world);
	}
	finish(world);
	check_chunks(world);
	assert_true(has_encoding(chunk(world, 0, NAME), 8));
	assert_true(has_encoding(chunk(world, 0, DELAY), 8));
	assert_false(has_encoding(chunk(world, 0, SN_COL_SEQ), 8));
	assert_true(sn_str_eqc(text_of(statistics(world, 0, NAME), STATISTICS_MIN), "bern"));
	assert_true(sn_str_eqc(text_of(statistics(world, 0, NAME), STATISTICS_MAX), "rome"));
}

static void what_a_full_dictionary_lacks_is_plain(void **state)
{
	struct world *world = *state;
	char name[16];

	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "%d", i < 20000 ? i % 1000 : i);
		world->row[NAME] = text(name);
		world->row[SN_COL_SEQ] = integer(i < 20000 ? i % 1000 : i);
		add(world);
	}
	finish(world);
	check_chunks(world);
	assert_true(has_encoding(chunk(world, 0, SN_COL_SEQ), 8));
	assert_true(has_encoding(chunk(world, 0, NAME), 8));
	/* 1,000 values and 64,536 more make it full. */
	assert_int_equal(walk_pages(world, chunk(world, 0, SN_COL_SEQ)).plain_rows, 100000 - 84536);
	assert_int_equal(walk_pages(world, chunk(world, 0, NAME)).plain_rows, 100000 - 84536);
	assert_true(integer_bound(world, SN_COL_SEQ, STATISTICS_MAX) == 99999);
	assert_true(sn_str_eqc(text_of(statistics(world, 0, NAME), STATISTICS_MAX), "99999"));
	assert_true(sn_str_eqc(text_of(statistics(world, 0, NAME), STATISTICS_MIN), "0"));
}

/* A dictionary may end in the middle of a page whose texts would be large without it. */
static void pages_of_long_texts_stay_small(void **state)
{
	static char longest[SN_TEXT_MAX];
	struct world *world = *state;
	struct sn_rd meta;

	memset(longest, 'x', sizeof(longest));
	world->row[NAME] = (struct sn_value){.type = SN_TYPE_TEXT, .s = {longest, sizeof(longest)}};
	for (int i = 0; i < 18000; i++) {
		/* One of ten, then more than a dictionary takes. */
		snprintf(longest, sizeof(longest), "%d", i < 17000 ? i % 10 : i);
		add(world);
	}
	finish(world);
	check_chunks(world);
	meta = chunk(world, 0, NAME);
	assert_true(has_encoding(meta, 8));
	assert_in_range(walk_pages(world, meta).largest, 512 * 1024, 1024 * 1024 + 2 * SN_TEXT_MAX);
}

static void groups_end_at_their_number_of_rows(void **state)
{
	struct world *world = *state;

	restart(world, &(struct sn_parquet_options){.group_rows = 100});
	for (int i = 0; i < 1001; i++) {
		world->row[SN_COL_SEQ] = integer(i);
		add(world);
		assert_int_equal(sn_parquet_groups(world->parquet), (i + 1) / 100);
	}
	finish(world);
	check_chunks(world);
	assert_int_equal(count_of(footer(world), FILE_GROUPS), 11);
	assert_int_equal(sn_parquet_rows(world->parquet), 1001);
	assert_int_equal(sn_parquet_bytes(world->parquet), world->file.n);
	assert_int_equal(int_of(element_of(footer(world), FILE_GROUPS, 10), GROUP_ROWS), 1);
}

/* Texts that do not compress: what is held stays near the limit, however many rows come. */
static void groups_end_at_their_memory(void **state)
{
	struct world *world = *state;
	struct sn_prng prng;
	char name[2001];

	restart(world, &(struct sn_parquet_options){.group_bytes = SN_PARQUET_GROUP_BYTES_MIN});
	sn_prng_seed(&prng, 9);
	for (int i = 0; i < 3000; i++) {
		for (size_t n = 0; n < sizeof(name) - 1; n++)
			name[n] = (char)(' ' + sn_prng_u64(&prng) % 90);
		name[sizeof(name) - 1] = '\0';
		world->row[NAME] = text(name);
		add(world);
	}
	finish(world);
	check_chunks(world);
	assert_in_range(count_of(footer(world), FILE_GROUPS), 10, 12);
	assert_in_range(world->largest, SN_PARQUET_GROUP_BYTES_MIN, 256 * sizeof(name) + 4096);
}

static void a_file_with_too_many_groups_is_refused(void **state)
{
	struct world *world = *state;

	restart(world, &(struct sn_parquet_options){.group_rows = 1});
	for (int i = 0; i < SN_PARQUET_GROUPS_MAX; i++) {
		add(world);
		sn_buf_clear(&world->file);
	}
	assert_int_equal(sn_parquet_add_row(world->parquet, world->row, &world->err), -EFBIG);
	assert_string_equal(world->err.text,
			    "cannot write Parquet file of 'sample': File too large");
}

static void the_first_failed_write_stays(void **state)
{
	struct world *world = *state;

	world->refuse_at = 100;
	restart(world, &(struct sn_parquet_options){.group_rows = 2});
	add(world);
	assert_int_equal(sn_parquet_add_row(world->parquet, world->row, &world->err), -ENOSPC);
	assert_string_equal(world->err.text, "cannot write Parquet file of 'sample': "
					     "No space left on device");
	world->refuse_at = 0;
	assert_int_equal(sn_parquet_add_row(world->parquet, world->row, NULL), -ENOSPC);
	assert_int_equal(sn_parquet_finish(world->parquet, NULL), -ENOSPC);
	assert_true(world->file.n <= 100);
}

static void fill(struct sn_columns *rows, struct sn_prng *prng, size_t count)
{
	static const char *const names[] = {"rome", "oslo", ""};

	for (size_t i = 0; i < count; i++) {
		sn_columns_add_row(rows);
		sn_columns_set_time(rows, SN_COL_TIME, (int64_t)sn_prng_u64(prng));
		if (sn_prng_u64(prng) % 3 > 0)
			sn_columns_set_i64(rows, SN_COL_SEQ, (int64_t)(sn_prng_u64(prng) % 100));
		if (sn_prng_u64(prng) % 3 > 0)
			sn_columns_set_bool(rows, UP, sn_prng_u64(prng) % 2 > 0);
		if (sn_prng_u64(prng) % 3 > 0)
			sn_columns_set_f64(rows, DELAY, sn_prng_unit(prng));
		if (sn_prng_u64(prng) % 3 > 0)
			sn_columns_set_text(rows, NAME,
					    sn_str(names[sn_prng_u64(prng) % SN_COUNT(names)]));
	}
}

static void rows_and_columns_make_the_same_file(void **state)
{
	const struct sn_parquet_options options = {.group_bytes = SN_PARQUET_GROUP_BYTES_MIN};
	struct world *world = *state;
	struct sn_columns *rows = sn_columns_create(&dataset);
	struct sn_buf by_row;
	struct sn_prng prng;

	sn_prng_seed(&prng, 3);
	fill(rows, &prng, 30000);
	restart(world, &options);
	for (size_t i = 0; i < sn_columns_rows(rows); i++) {
		sn_columns_row(rows, i, world->row);
		add(world);
	}
	finish(world);
	check_chunks(world);
	assert_true(count_of(footer(world), FILE_GROUPS) > 3);
	by_row = world->file;
	world->file = (struct sn_buf){0};

	restart(world, &options);
	assert_int_equal(sn_parquet_add_columns(world->parquet, rows, &world->err), 0);
	finish(world);
	assert_int_equal(world->file.n, by_row.n);
	assert_memory_equal(world->file.p, by_row.p, by_row.n);
	sn_buf_finish(&by_row);
	sn_columns_destroy(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_without_rows_has_its_schema, create,
						destroy),
		cmocka_unit_test_setup_teardown(columns_have_types_that_readers_know, create,
						destroy),
		cmocka_unit_test_setup_teardown(the_dataset_is_described, create, destroy),
		cmocka_unit_test_setup_teardown(one_row_is_a_group, create, destroy),
		cmocka_unit_test_setup_teardown(columns_of_nulls_have_no_bounds, create, destroy),
		cmocka_unit_test_setup_teardown(extreme_values_are_bounds, create, destroy),
		cmocka_unit_test_setup_teardown(zero_as_a_bound_has_the_outer_sign, create,
						destroy),
		cmocka_unit_test_setup_teardown(numbers_that_are_not_finite_are_null, create,
						destroy),
		cmocka_unit_test_setup_teardown(bytes_that_are_no_text_are_replaced, create,
						destroy),
		cmocka_unit_test_setup_teardown(long_texts_are_no_bounds, create, destroy),
		cmocka_unit_test_setup_teardown(texts_above_the_limit_are_cut, create, destroy),
		cmocka_unit_test_setup_teardown(repeated_values_go_into_a_dictionary, create,
						destroy),
		cmocka_unit_test_setup_teardown(what_a_full_dictionary_lacks_is_plain, create,
						destroy),
		cmocka_unit_test_setup_teardown(pages_of_long_texts_stay_small, create, destroy),
		cmocka_unit_test_setup_teardown(groups_end_at_their_number_of_rows, create,
						destroy),
		cmocka_unit_test_setup_teardown(groups_end_at_their_memory, create, destroy),
		cmocka_unit_test_setup_teardown(a_file_with_too_many_groups_is_refused, create,
						destroy),
		cmocka_unit_test_setup_teardown(the_first_failed_write_stays, create, destroy),
		cmocka_unit_test_setup_teardown(rows_and_columns_make_the_same_file, create,
						destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
