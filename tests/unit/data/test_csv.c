/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/codec.h"

#include "base/mem.h"
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

static void read_ok(struct world *world, struct sn_str text)
{
	if (sn_csv_read(world->batch, text, 100, &world->err) != 0)
		fail_msg("refused: %s", world->err.text);
}

static void rows_are_written_as_rfc_4180_says(void **state)
{
	struct world *world = *state;

	sn_batch_add_row(world->batch);
	sn_batch_set_time(world->batch, SN_COL_TIME, 1772366400123456789);
	sn_batch_set_i64(world->batch, SN_COL_SEQ, 7);
	sn_batch_set_bool(world->batch, UP, true);
	sn_batch_set_f64(world->batch, DELAY, 0.0015);
	sn_batch_set_text(world->batch, NAME, SN_STR("a,b \"c\"\nd"));
	sn_csv_write_header(&world->text, &dataset);
	sn_csv_write_row(&world->text, &dataset, sn_batch_row(world->batch, 0));
	assert_string_equal(sn_buf_cstr(&world->text),
			    "time,node,task,seq,up,delay_seconds,name\r\n"
			    "2026-03-01T12:00:00.123456789Z,,,7,true,0.0015,"
			    "\"a,b \"\"c\"\"\nd\"\r\n");
}

static void texts_of_every_kind_come_back(void **state)
{
	static const char *const texts[] = {
		"",     "plain", " leading", "trailing ", "a,b", "\"", "\"\"", "\r", "\n",
		"\r\n", "x\ny",  "true",     "\xc3\xa9",  "-1",  "'",  ",",    ",,"};
	struct world *world = *state;

	sn_csv_write_header(&world->text, &dataset);
	for (size_t i = 0; i < SN_COUNT(texts); i++) {
		sn_batch_add_row(world->batch);
		sn_batch_set_text(world->batch, NAME, sn_str(texts[i]));
		sn_csv_write_row(&world->text, &dataset, sn_batch_row(world->batch, i));
	}
	read_ok(world, sn_buf_str(&world->text));
	assert_int_equal(sn_batch_rows(world->batch), 2 * SN_COUNT(texts));
	for (size_t i = 0; i < SN_COUNT(texts); i++) {
		const struct sn_value *row = sn_batch_row(world->batch, i + SN_COUNT(texts));

		assert_int_equal(row[NAME].type, SN_TYPE_TEXT);
		assert_true(sn_str_eqc(row[NAME].s, texts[i]));
		assert_int_equal(row[SN_COL_NODE].type, SN_TYPE_NULL);
	}
}

static void bytes_that_are_not_utf8_are_written_as_replacement(void **state)
{
	struct world *world = *state;

	sn_batch_add_row(world->batch);
	sn_batch_set_text(world->batch, NAME,
			  SN_STR("a\xff"
				 "b"));
	sn_csv_write_row(&world->text, &dataset, sn_batch_row(world->batch, 0));
	assert_string_equal(sn_buf_cstr(&world->text), ",,,,,,\"a\xef\xbf\xbd"
						       "b\"\r\n");
}

static void header_decides_the_columns_and_unknown_ones_are_skipped(void **state)
{
	struct world *world = *state;
	const struct sn_value *row;

	read_ok(world, SN_STR("\xef\xbb\xbf"
			      "name,other,\"seq\"\n\"x\",y,5\r\n,,\n"));
	assert_int_equal(sn_batch_rows(world->batch), 2);
	row = sn_batch_row(world->batch, 0);
	assert_true(sn_str_eqc(row[NAME].s, "x"));
	assert_int_equal(row[SN_COL_SEQ].i, 5);
	row = sn_batch_row(world->batch, 1);
	assert_int_equal(row[NAME].type, SN_TYPE_NULL);
	assert_int_equal(row[SN_COL_SEQ].type, SN_TYPE_NULL);
}

static void faults_are_named_with_their_line(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"", "line 1: no header"},
		{"seq,seq\n", "line 1: column 'seq' is given twice"},
		{"seq,name\n1\n", "line 2: 1 fields where the header has 2"},
		{"seq\n1,2\n", "line 2: 2 fields where the header has 1"},
		{"seq,name\n1,x\n\n", "line 3: 1 fields where the header has 2"},
		{"seq\nx\n", "line 2: 'seq' is not an integer"},
		{"seq\n1.5\n", "line 2: 'seq' is not an integer"},
		{"seq\n 1\n", "line 2: 'seq' is not an integer"},
		{"seq\n\"\"\n", "line 2: 'seq' is not an integer"},
		{"seq\n9223372036854775808\n", "line 2: 'seq' does not fit into 64 bits"},
		{"delay_seconds\nnan\n", "line 2: 'delay_seconds' is not a number"},
		{"delay_seconds\n1e999\n",
		 "line 2: 'delay_seconds' is too large or has too many digits"},
		{"up\nyes\n", "line 2: 'up' is not true or false"},
		{"time\nyesterday\n", "line 2: 'time' is not a time (RFC 3339)"},
		{"time\nnow\n", "line 2: 'time' is not a time (RFC 3339)"},
		{"name\n\xff\n", "line 2: 'name' is not UTF-8 text"},
		{"name\na\"b\n", "line 2: a quote inside a field without quotes"},
		{"name\n\"a\"b\n", "line 2: neither ',' nor a line's end behind a field"},
		{"name\n\"ab\n", "line 2: a quoted field without an end"},
		{"name\na\rb\n", "line 2: neither ',' nor a line's end behind a field"},
		{"name\n\"a\nb\"\n\"c\r\nd\"\n\"", "line 6: a quoted field without an end"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		assert_int_equal(sn_csv_read(world->batch, sn_str(cases[i].text), 100, &world->err),
				 -EINVAL);
		assert_string_equal(world->err.text, cases[i].reason);
		sn_batch_clear(world->batch);
	}
	assert_int_equal(sn_csv_read(world->batch, SN_STR("name\na\0b\n"), 100, NULL), -EINVAL);
	assert_int_equal(sn_csv_read(world->batch, SN_STR("name\n\"a\0b\"\n"), 100, NULL), -EINVAL);
}

static void text_at_the_limit_is_read_and_one_more_refused(void **state)
{
	struct world *world = *state;

	sn_buf_adds(&world->text, "name\n");
	for (int i = 0; i < SN_TEXT_MAX; i++)
		sn_buf_addc(&world->text, 'n');
	read_ok(world, sn_buf_str(&world->text));
	sn_buf_addc(&world->text, 'n');
	assert_int_equal(sn_csv_read(world->batch, sn_buf_str(&world->text), 100, &world->err),
			 -EINVAL);
	assert_string_equal(world->err.text, "line 2: 'name' is too long");
}

static void columns_up_to_the_limit_are_read_and_one_more_refused(void **state)
{
	struct world *world = *state;

	sn_buf_adds(&world->text, "seq");
	for (int i = 1; i < 1024; i++)
		sn_buf_addf(&world->text, ",c%d", i);
	read_ok(world, sn_buf_str(&world->text));
	sn_buf_adds(&world->text, ",more\n");
	assert_int_equal(sn_csv_read(world->batch, sn_buf_str(&world->text), 100, &world->err),
			 -EINVAL);
	assert_string_equal(world->err.text, "line 1: too many columns");
}

static void rows_up_to_the_limit_are_read_and_one_more_refused(void **state)
{
	struct world *world = *state;

	assert_int_equal(sn_csv_read(world->batch, SN_STR("seq\n1\n2\n"), 2, &world->err), 0);
	assert_int_equal(sn_csv_read(world->batch, SN_STR("seq\n1\n2\n3\n"), 2, &world->err),
			 -E2BIG);
	assert_string_equal(world->err.text, "line 4: more than 2 rows");
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(rows_are_written_as_rfc_4180_says),
		WITH_WORLD(texts_of_every_kind_come_back),
		WITH_WORLD(bytes_that_are_not_utf8_are_written_as_replacement),
		WITH_WORLD(header_decides_the_columns_and_unknown_ones_are_skipped),
		WITH_WORLD(faults_are_named_with_their_line),
		WITH_WORLD(text_at_the_limit_is_read_and_one_more_refused),
		WITH_WORLD(columns_up_to_the_limit_are_read_and_one_more_refused),
		WITH_WORLD(rows_up_to_the_limit_are_read_and_one_more_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
