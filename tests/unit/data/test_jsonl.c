/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/codec.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"

static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"up", SN_TYPE_BOOL, "", "a truth value"},
	{"delay_seconds", SN_TYPE_F64, "s", "a number"},
	{"name", SN_TYPE_TEXT, "", "a text"},
};
static const struct sn_dataset dataset = {
	.name = "sample",
	.version = 1,
	.columns = columns,
	.column_count = SN_COUNT(columns),
};
enum { UP = SN_COL_COMMON, DELAY, NAME };

struct world {
	struct sn_batch *batch;
	struct sn_buf text;
	struct sn_err err;
};

static int create(void **state)
{
	struct world *world = sn_new(struct world);

	world->batch = sn_batch_create(&dataset);
	*state = world;
	return 0;
}

static int destroy(void **state)
{
	struct world *world = *state;

	sn_batch_destroy(world->batch);
	sn_buf_finish(&world->text);
	free(world);
	return 0;
}

static const struct sn_value *read_ok(struct world *world, const char *line)
{
	int rc = sn_jsonl_read_row(world->batch, sn_str(line), &world->err);

	if (rc != 0)
		fail_msg("'%s' was refused: %s", line, world->err.text);
	return sn_batch_row(world->batch, sn_batch_rows(world->batch) - 1);
}

static void refused(struct world *world, const char *line, const char *reason)
{
	size_t before = sn_batch_rows(world->batch);

	world->err.text[0] = '\0';
	assert_int_equal(sn_jsonl_read_row(world->batch, sn_str(line), &world->err), -EINVAL);
	assert_string_equal(world->err.text, reason);
	assert_int_equal(sn_batch_rows(world->batch), before);
}

static void row_is_read_by_names_in_any_order(void **state)
{
	const struct sn_value *row =
		read_ok(*state, "{\"name\":\"x\",\"seq\":7,\"up\":true,\"delay_seconds\":0.25,"
				"\"time\":\"2026-03-01T12:00:00.123456789Z\"}");

	assert_int_equal(row[SN_COL_TIME].i, 1772366400123456789);
	assert_int_equal(row[SN_COL_TIME].type, SN_TYPE_TIME);
	assert_int_equal(row[SN_COL_SEQ].i, 7);
	assert_true(row[UP].b);
	assert_true(row[DELAY].f == 0.25);
	assert_true(sn_str_eqc(row[NAME].s, "x"));
	assert_int_equal(row[SN_COL_NODE].type, SN_TYPE_NULL);
}

static void blanks_between_tokens_are_skipped(void **state)
{
	const struct sn_value *row = read_ok(*state, " {\t\"seq\" :\r 7 , \"up\": false } \r");

	assert_int_equal(row[SN_COL_SEQ].i, 7);
	assert_int_equal(row[UP].type, SN_TYPE_BOOL);
	assert_false(row[UP].b);
	read_ok(*state, "{}");
	read_ok(*state, "{ }");
}

static void null_is_no_value(void **state)
{
	const struct sn_value *row = read_ok(*state, "{\"seq\":null,\"name\":null,\"up\":null}");

	for (size_t i = 0; i < dataset.column_count; i++)
		assert_int_equal(row[i].type, SN_TYPE_NULL);
}

static void a_line_may_say_whose_row_it_is(void **state)
{
	const struct sn_dataset *other = &sn_dataset_health;

	(void)state;
	assert_ptr_equal(sn_jsonl_dataset(SN_STR("{\"time\":1}"), other), other);
	assert_ptr_equal(sn_jsonl_dataset(SN_STR("{\"dataset\":\"flow\",\"time\":1}"), other),
			 &sn_dataset_flow);
	assert_null(sn_jsonl_dataset(SN_STR("{\"dataset\":\"nothing\"}"), other));
	assert_null(sn_jsonl_dataset(SN_STR("{\"dataset\":\"flow"), other));
	assert_null(sn_jsonl_dataset(
		SN_STR("{\"dataset\":\"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		       "ffffffffffff\"}"),
		other));
}

static void unknown_members_are_skipped(void **state)
{
	const struct sn_value *row =
		read_ok(*state, "{\"new\":1.5e3,\"seq\":7,\"seq2\":\"a\\\"b\",\"se\":true,"
				"\"\":false,\"x\":null,\"x\":null}");

	assert_int_equal(row[SN_COL_SEQ].i, 7);
}

static void escapes_are_decoded_in_values_and_names(void **state)
{
	const struct sn_value *row = read_ok(
		*state,
		"{\"n\\u0061me\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00z\"}");

	assert_int_equal(row[NAME].type, SN_TYPE_TEXT);
	assert_true(
		sn_str_eqc(row[NAME].s, "a\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"));
}

static void faults_are_named_with_their_column(void **state)
{
	static const struct {
		const char *line, *reason;
	} cases[] = {
		{"", "column 1: not an object"},
		{"[]", "column 1: not an object"},
		{"{", "column 2: not a member's name in quotes"},
		{"{\"seq\":1", "column 9: neither ',' nor '}' behind a value"},
		{"{\"seq\":1,}", "column 10: not a member's name in quotes"},
		{"{\"seq\":1 \"up\":true}", "column 10: neither ',' nor '}' behind a value"},
		{"{\"seq\" 1}", "column 8: no ':' behind a member's name"},
		{"{seq:1}", "column 2: not a member's name in quotes"},
		{"{\"seq\":1}x", "column 10: bytes behind the object"},
		{"{\"seq\":1}{}", "column 10: bytes behind the object"},
		{"{\"seq\":1,\"up\":true,\"seq\":1}", "column 20: 'seq' is given twice"},
		{"{\"seq\":null,\"s\\u0065q\":1}", "column 13: 'seq' is given twice"},
		{"{\"seq\":\"1\"}", "column 8: 'seq' is not an integer"},
		{"{\"seq\":true}", "column 8: 'seq' is not an integer"},
		{"{\"seq\":1.0}", "column 8: 'seq' is not an integer"},
		{"{\"seq\":1e3}", "column 8: 'seq' is not an integer"},
		{"{\"seq\":9223372036854775808}", "column 8: 'seq' does not fit into 64 bits"},
		{"{\"seq\":-9223372036854775809}", "column 8: 'seq' does not fit into 64 bits"},
		{"{\"seq\":100000000000000000000}", "column 8: 'seq' does not fit into 64 bits"},
		{"{\"seq\":01}", "column 8: not a JSON value"},
		{"{\"seq\":-}", "column 8: not a JSON value"},
		{"{\"seq\":+1}", "column 8: 'seq' is not an integer"},
		{"{\"delay_seconds\":1.}", "column 18: not a JSON value"},
		{"{\"delay_seconds\":.5}", "column 18: 'delay_seconds' is not a number"},
		{"{\"delay_seconds\":1e}", "column 18: not a JSON value"},
		{"{\"delay_seconds\":NaN}", "column 18: 'delay_seconds' is not a number"},
		{"{\"delay_seconds\":0x10}", "column 19: neither ',' nor '}' behind a value"},
		{"{\"delay_seconds\":1e400}",
		 "column 18: 'delay_seconds' is too large or has too many digits"},
		{"{\"delay_seconds\":\"1\"}", "column 18: 'delay_seconds' is not a number"},
		{"{\"up\":1}", "column 7: 'up' is not true or false"},
		{"{\"up\":tru}", "column 7: 'up' is not true or false"},
		{"{\"name\":5}", "column 9: 'name' is not a text"},
		{"{\"name\":\"abc", "column 13: a string without an end"},
		{"{\"name\":\"a\tb\"}", "column 11: a control character in a string"},
		{"{\"name\":\"\xff\"}", "column 10: bytes that are not UTF-8"},
		{"{\"name\":\"abcdefghi\xc3\"}", "column 19: bytes that are not UTF-8"},
		{"{\"name\":\"\xed\xa0\x80\"}", "column 10: bytes that are not UTF-8"},
		{"{\"name\":\"\xc0\x80\"}", "column 10: bytes that are not UTF-8"},
		{"{\"name\":\"\xf4\x90\x80\x80\"}", "column 10: bytes that are not UTF-8"},
		{"{\"name\":\"\\x\"}", "column 10: an unknown escape"},
		{"{\"name\":\"\\u12g4\"}", "column 10: \\u without four hex digits"},
		{"{\"name\":\"\\u0000\"}", "column 10: a zero byte in a string"},
		{"{\"name\":\"\\ud83d\"}", "column 10: half of a surrogate pair"},
		{"{\"name\":\"\\ud83d\\u0041\"}", "column 10: half of a surrogate pair"},
		{"{\"name\":\"\\ude00\"}", "column 10: half of a surrogate pair"},
		{"{\"time\":5}", "column 9: 'time' is not a time"},
		{"{\"time\":\"now\"}", "column 9: 'time' is not a time (RFC 3339)"},
		{"{\"time\":\"-15m\"}", "column 9: 'time' is not a time (RFC 3339)"},
		{"{\"time\":\"2026-02-30T00:00:00Z\"}",
		 "column 9: 'time' is not a time (RFC 3339)"},
		{"{\"time\":\"9999-01-01T00:00:00Z\"}",
		 "column 9: 'time' is not a time (RFC 3339)"},
		{"{\"seq\":{}}", "column 8: a nested value"},
		{"{\"other\":[1]}", "column 10: a nested value"},
		{"{\"other\":nil}", "column 10: not a JSON value"},
		{"{\"other\":\"\xff\"}", "column 11: bytes that are not UTF-8"},
		{"{\"\xff\":1}", "column 3: bytes that are not UTF-8"},
	};

	for (size_t i = 0; i < SN_COUNT(cases); i++)
		refused(*state, cases[i].line, cases[i].reason);
}

static void every_truncation_of_a_line_is_refused(void **state)
{
	static const char line[] = "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":12,\"up\":true,"
				   "\"delay_seconds\":-1.5e-3,\"name\":\"\\u00e9\xc3\xa9\"}";
	struct world *world = *state;

	read_ok(world, line);
	for (size_t n = 0; n < sizeof(line) - 1; n++) {
		/* In memory of exactly that size, so that a sanitizer sees a read past it. */
		char *copy = sn_xmemdup(line, n + (n == 0));

		assert_int_equal(sn_jsonl_read_row(world->batch, (struct sn_str){copy, n}, NULL),
				 -EINVAL);
		free(copy);
	}
}

static void line_at_the_limit_is_read_and_one_more_refused(void **state)
{
	struct world *world = *state;

	sn_buf_adds(&world->text, "{\"seq\":1}");
	while (world->text.n < SN_JSONL_LINE_MAX)
		sn_buf_addc(&world->text, ' ');
	assert_int_equal(sn_jsonl_read_row(world->batch, sn_buf_str(&world->text), NULL), 0);
	sn_buf_addc(&world->text, ' ');
	assert_int_equal(sn_jsonl_read_row(world->batch, sn_buf_str(&world->text), &world->err),
			 -EINVAL);
	assert_string_equal(world->err.text, "column 65537: the line is too long");
}

static void text_at_the_limit_is_read_and_one_more_refused(void **state)
{
	struct world *world = *state;
	const struct sn_value *row;

	sn_buf_adds(&world->text, "{\"name\":\"");
	for (int i = 0; i < SN_TEXT_MAX; i++)
		sn_buf_addc(&world->text, 'n');
	sn_buf_adds(&world->text, "\"}");
	row = read_ok(world, sn_buf_cstr(&world->text));
	assert_int_equal(row[NAME].s.n, SN_TEXT_MAX);
	world->text.n -= 2;
	sn_buf_adds(&world->text, "n\"}");
	refused(world, sn_buf_cstr(&world->text), "column 9: 'name' is too long");
}

static void lines_are_read_with_and_without_the_last_feed(void **state)
{
	struct world *world = *state;

	assert_int_equal(sn_jsonl_read(world->batch, SN_STR("{\"seq\":1}\n{\"seq\":2}\n"), 9, NULL),
			 0);
	assert_int_equal(sn_jsonl_read(world->batch, SN_STR("{\"seq\":3}\n{\"seq\":4}"), 9, NULL),
			 0);
	assert_int_equal(sn_jsonl_read(world->batch, SN_STR(""), 9, NULL), 0);
	assert_int_equal(sn_batch_rows(world->batch), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(sn_batch_get(world->batch, i, SN_COL_SEQ)->i, i + 1);
}

static void bad_line_is_named_by_number(void **state)
{
	struct world *world = *state;

	assert_int_equal(sn_jsonl_read(world->batch, SN_STR("{\"seq\":1}\n{\"seq\":x}\n{}\n"), 9,
				       &world->err),
			 -EINVAL);
	assert_string_equal(world->err.text, "line 2: column 8: 'seq' is not an integer");
	assert_int_equal(sn_batch_rows(world->batch), 1);
	assert_int_equal(sn_jsonl_read(world->batch, SN_STR("{}\n\n{}\n"), 9, &world->err),
			 -EINVAL);
	assert_string_equal(world->err.text, "line 2: column 1: not an object");
}

static void rows_up_to_the_limit_are_read_and_one_more_refused(void **state)
{
	struct world *world = *state;

	assert_int_equal(sn_jsonl_read(world->batch, SN_STR("{}\n{}\n"), 2, &world->err), 0);
	assert_int_equal(sn_jsonl_read(world->batch, SN_STR("{}\n{}\n{}"), 2, &world->err), -E2BIG);
	assert_string_equal(world->err.text, "line 3: more than 2 rows");
}

static void row_is_written_without_nulls_in_column_order(void **state)
{
	struct world *world = *state;

	sn_batch_add_row(world->batch);
	sn_batch_set_text(world->batch, NAME, SN_STR("a\"b\n\xc3\xa9\xff"));
	sn_batch_set_time(world->batch, SN_COL_TIME, 1772366400123456789);
	sn_batch_set_bool(world->batch, UP, false);
	sn_batch_set_f64(world->batch, DELAY, 0.000123456);
	sn_batch_add_row(world->batch);
	sn_jsonl_write(&world->text, world->batch);
	assert_string_equal(
		sn_buf_cstr(&world->text),
		"{\"time\":\"2026-03-01T12:00:00.123456789Z\",\"up\":false,"
		"\"delay_seconds\":0.000123456,\"name\":\"a\\\"b\\n\xc3\xa9\xef\xbf\xbd\"}\n"
		"{}\n");
}

static void round_trip(struct world *world)
{
	size_t rows = sn_batch_rows(world->batch);

	sn_buf_clear(&world->text);
	sn_jsonl_write(&world->text, world->batch);
	if (sn_jsonl_read(world->batch, sn_buf_str(&world->text), rows, &world->err) != 0)
		fail_msg("%s", world->err.text);
	assert_int_equal(sn_batch_rows(world->batch), 2 * rows);
}

static void doubles_come_back_to_the_bit(void **state)
{
	static const double values[] = {0.0,
					-0.0,
					1.0,
					-1.0,
					0.1,
					1e-9,
					-1e-9,
					123.456,
					1e15,
					1e16,
					1e22,
					1e23,
					DBL_MAX,
					DBL_MIN,
					5e-324,
					1.0 / 3,
					0.000999999,
					2.5e-10,
					9007199254740993.0,
					1e308,
					4.9e-310,
					-DBL_MAX,
					999999.999999999};
	struct world *world = *state;
	struct sn_prng prng;

	sn_prng_seed(&prng, 42);
	for (size_t i = 0; i < 20000; i++) {
		uint64_t bits = sn_prng_u64(&prng);
		double value;

		if (i < SN_COUNT(values))
			value = values[i];
		else if (i % 3 == 0) /* nanoseconds in seconds */
			value = (double)(bits >> (bits % 60 + 4)) / 1e9;
		else if (i % 3 == 1) /* means of such */
			value = sn_prng_unit(&prng) * 1e-3;
		else
			memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			value = 0;
		sn_batch_add_row(world->batch);
		sn_batch_set_f64(world->batch, DELAY, value);
	}
	round_trip(world);
	for (size_t i = 0; i < 20000; i++)
		assert_memory_equal(&sn_batch_get(world->batch, i, DELAY)->f,
				    &sn_batch_get(world->batch, i + 20000, DELAY)->f,
				    sizeof(double));
}

static void integers_and_times_come_back_at_their_ends(void **state)
{
	static const int64_t values[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, 999999999, INT64_MAX};
	struct world *world = *state;

	for (size_t i = 0; i < SN_COUNT(values); i++) {
		sn_batch_add_row(world->batch);
		sn_batch_set_time(world->batch, SN_COL_TIME, values[i]);
		sn_batch_set_i64(world->batch, SN_COL_SEQ, values[i]);
	}
	round_trip(world);
	for (size_t i = 0; i < SN_COUNT(values); i++) {
		const struct sn_value *row = sn_batch_row(world->batch, i + SN_COUNT(values));

		assert_true(row[SN_COL_TIME].i == values[i]);
		assert_true(row[SN_COL_SEQ].i == values[i]);
	}
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(row_is_read_by_names_in_any_order),
		WITH_WORLD(blanks_between_tokens_are_skipped),
		WITH_WORLD(null_is_no_value),
		WITH_WORLD(a_line_may_say_whose_row_it_is),
		WITH_WORLD(unknown_members_are_skipped),
		WITH_WORLD(escapes_are_decoded_in_values_and_names),
		WITH_WORLD(faults_are_named_with_their_column),
		WITH_WORLD(every_truncation_of_a_line_is_refused),
		WITH_WORLD(line_at_the_limit_is_read_and_one_more_refused),
		WITH_WORLD(text_at_the_limit_is_read_and_one_more_refused),
		WITH_WORLD(lines_are_read_with_and_without_the_last_feed),
		WITH_WORLD(bad_line_is_named_by_number),
		WITH_WORLD(rows_up_to_the_limit_are_read_and_one_more_refused),
		WITH_WORLD(row_is_written_without_nulls_in_column_order),
		WITH_WORLD(doubles_come_back_to_the_bit),
		WITH_WORLD(integers_and_times_come_back_at_their_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
