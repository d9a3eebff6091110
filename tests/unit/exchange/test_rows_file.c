/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "data/codec.h"
#include "exchange/rows_file.h"
#include "lib/squeeze.h"

static struct sn_err err;

struct taken {
	struct sn_columns *columns; /* of any day: NULL before the first row */
	int32_t day;
	struct sn_buf bad;
	struct sn_intake intake;
	struct sn_intake_counts counts;
	int rc;
};

static struct sn_columns *place(void *ctx, const struct sn_dataset *dataset, int32_t day)
{
	struct taken *taken = ctx;

	if (taken->columns == NULL)
		taken->columns = sn_columns_create(dataset);
	taken->day = day;
	return taken->columns;
}

static void note_bad(void *ctx, const struct sn_bad_line *bad)
{
	struct taken *taken = ctx;

	sn_buf_addf(&taken->bad, "%u: %s|", (unsigned)bad->line, bad->reason);
	assert_non_null(bad->text.p);
}

static void take(struct taken *taken, enum sn_file_form form, struct sn_input *input)
{
	struct sn_rows_reader *reader;

	*taken = (struct taken){.rc = 0};
	taken->intake = (struct sn_intake){.place = place, .bad = note_bad, .ctx = taken};
	reader = sn_rows_reader_create(input, &sn_dataset_ping, form, &taken->intake);
	while ((taken->rc = sn_rows_reader_read(reader, 2, &err)) > 0)
		;
	taken->counts = *sn_rows_reader_counts(reader);
	sn_rows_reader_destroy(reader);
	sn_input_destroy(input);
	sn_buf_cstr(&taken->bad);
}

static void take_text(struct taken *taken, enum sn_file_form form, const char *text)
{
	take(taken, form, sn_input_create(sn_str(text), SN_ROWS_FILE_LINE_MAX));
}

static void drop(struct taken *taken)
{
	sn_columns_destroy(taken->columns);
	sn_buf_finish(&taken->bad);
}

static struct sn_value value_of(const struct taken *taken, size_t row, const char *name)
{
	struct sn_value values[SN_DATASET_COLUMNS_MAX];

	sn_columns_row(taken->columns, row, values);
	return values[sn_dataset_column(&sn_dataset_ping, name)];
}

/* Rows with all that a text may hold. */
static struct sn_batch *some_rows(void)
{
	static const char *const errors[] = {"plain",        "a \"quoted\" one", "two\nlines",
					     "two\r\nlines", "comma, comma",     "\"",
					     "\n",           "\xc3\xa9"};
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);

	for (size_t i = 0; i < SN_COUNT(errors); i++) {
		sn_batch_add_row(batch);
		sn_batch_set_time(batch, SN_COL_TIME, 1772366400000000001 + (int64_t)i);
		sn_batch_set_text(batch, sn_dataset_column(&sn_dataset_ping, "error"),
				  sn_str(errors[i]));
		sn_batch_set_f64(batch, sn_dataset_column(&sn_dataset_ping, "rtt_p50_seconds"),
				 0.1 * (double)i);
	}
	return batch;
}

static void check_same(const struct taken *taken, const struct sn_batch *batch)
{
	assert_int_equal(taken->rc, 0);
	assert_int_equal(taken->counts.bad, 0);
	assert_int_equal(sn_columns_rows(taken->columns), sn_batch_rows(batch));
	for (size_t row = 0; row < sn_batch_rows(batch); row++) {
		struct sn_value values[SN_DATASET_COLUMNS_MAX];
		const struct sn_value *expected = sn_batch_row(batch, row);

		sn_columns_row(taken->columns, row, values);
		for (size_t i = 0; i < sn_dataset_ping.column_count; i++) {
			assert_int_equal(values[i].type, expected[i].type);
			if (values[i].type == SN_TYPE_TEXT)
				assert_true(sn_str_eq(values[i].s, expected[i].s));
			else if (values[i].type != SN_TYPE_NULL)
				assert_memory_equal(&values[i].i, &expected[i].i, 8);
		}
	}
}

static void what_was_written_comes_back_as_it_was(void **state)
{
	struct sn_batch *batch = some_rows();
	struct sn_buf text = {0};
	struct taken taken;

	(void)state;
	sn_jsonl_write(&text, batch);
	take_text(&taken, SN_FILE_JSON_LINES, sn_buf_cstr(&text));
	check_same(&taken, batch);
	assert_int_equal(taken.counts.bytes, text.n);
	drop(&taken);
	sn_buf_clear(&text);
	sn_csv_write_header(&text, &sn_dataset_ping);
	for (size_t i = 0; i < sn_batch_rows(batch); i++)
		sn_csv_write_row(&text, &sn_dataset_ping, sn_batch_row(batch, i));
	take_text(&taken, SN_FILE_CSV, sn_buf_cstr(&text));
	check_same(&taken, batch);
	assert_int_equal(taken.counts.bytes, text.n);
	assert_int_equal(taken.day, 20513);
	drop(&taken);
	sn_buf_finish(&text);
	sn_batch_destroy(batch);
}

#define TIME "2026-03-01T12:00:00Z"

static void bad_lines_are_told_and_the_others_are_taken(void **state)
{
	static const struct {
		enum sn_file_form form;
		const char *text, *bad;
	} cases[] = {
		{SN_FILE_JSON_LINES,
		 "{\"time\":\"" TIME "\"}\n{\"time\":1}\n{\"time\":\"" TIME "\"}",
		 "2: column 9: 'time' is not a time|"},
		{SN_FILE_JSON_LINES, "{\"time\":\"" TIME "\"}\n\n{}\n{\"time\":\"" TIME "\"}\n",
		 "3: it has no time|"},
		{SN_FILE_JSON_LINES,
		 "nothing\n{\"time\":\"" TIME "\",\"new\":1}\n{\"time\":\"" TIME "\"}",
		 "1: column 1: not an object|"},
		{SN_FILE_CSV, "time,family\n" TIME ",4\n\n" TIME ",x\n" TIME ",6\n",
		 "4: 'family' is not an integer|"},
		{SN_FILE_CSV, "time,family\n" TIME ",4\n" TIME "\n" TIME ",6",
		 "3: 1 fields where the header has 2|"},
		{SN_FILE_CSV, "family,time\r\n4," TIME "\r\n4,\r\n6," TIME "\r\n",
		 "3: it has no time|"},
		{SN_FILE_CSV, "time,target\n" TIME ",a\n" TIME ",a\"b\n" TIME ",c\n",
		 "3: a quote inside a field without quotes|"},
		{SN_FILE_CSV, "time,target\n" TIME ",a\n" TIME ",\"a\nb\"c\n" TIME ",c\n",
		 "3: neither ',' nor a line's end behind a field|"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct taken taken;

		take_text(&taken, cases[i].form, cases[i].text);
		assert_int_equal(taken.rc, 0);
		assert_string_equal(taken.bad.p, cases[i].bad);
		assert_int_equal(taken.counts.rows, 2);
		assert_int_equal(taken.counts.bad, 1);
		drop(&taken);
	}
}

static void a_file_of_csv_needs_its_header(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"", "it has no header"},
		{"\n\n", "it has no header"},
		{"time,time\n", "line 1: column 'time' is given twice"},
		{"time,\"fam\n", "line 1: a quoted field without an end"},
	};
	struct taken taken;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		take_text(&taken, SN_FILE_CSV, cases[i].text);
		assert_int_equal(taken.rc, -EINVAL);
		assert_non_null(strstr(err.text, cases[i].reason));
		drop(&taken);
	}
	take_text(&taken, SN_FILE_CSV,
		  "\xef\xbb\xbf"
		  "time,what,ever\n" TIME ",1,2\n");
	assert_int_equal(taken.counts.rows, 1);
	assert_int_equal(taken.counts.unknown, 2);
	drop(&taken);
}

static void records_are_so_long_and_no_longer(void **state)
{
	struct sn_buf text = {0};
	struct taken taken;

	(void)state;
	/* An open quote takes what follows, but not the whole file. */
	sn_buf_adds(&text, "time,target\n" TIME ",\"\n");
	while (text.n < 3 * SN_ROWS_FILE_RECORD_MAX / 2)
		sn_buf_adds(&text, TIME ",x\n");
	take_text(&taken, SN_FILE_CSV, sn_buf_cstr(&text));
	assert_int_equal(taken.rc, 0);
	assert_string_equal(taken.bad.p, "2: a quoted field without an end|");
	assert_true(taken.counts.rows > 10000);
	drop(&taken);
	sn_buf_clear(&text);
	sn_buf_adds(&text, "{\"new\":\"");
	while (text.n <= SN_ROWS_FILE_LINE_MAX)
		sn_buf_addc(&text, 'x');
	sn_buf_adds(&text, "\"}\n{\"time\":\"" TIME "\"}\n");
	take_text(&taken, SN_FILE_JSON_LINES, sn_buf_cstr(&text));
	assert_string_equal(taken.bad.p, "1: the line is too long|");
	assert_int_equal(taken.counts.rows, 1);
	drop(&taken);
	sn_buf_finish(&text);
}

static void compressed_files_are_read_as_others(void **state)
{
	struct sn_buf file = {0};
	struct sn_input *input;
	struct taken taken;
	char *path;

	(void)state;
	squeeze_zstd(SN_STR("time,target\r\n" TIME ",\"a\r\nb\"\r\n"), &file);
	path = write_file(sn_buf_str(&file));
	assert_int_equal(sn_input_open(path, SN_ROWS_FILE_LINE_MAX, &input, &err), 0);
	take(&taken, SN_FILE_CSV, input);
	assert_int_equal(taken.counts.rows, 1);
	assert_true(sn_str_eqc(value_of(&taken, 0, "target").s, "a\r\nb"));
	drop(&taken);
	unlink(path);
	free(path);
	sn_buf_finish(&file);
}

static void names_of_files_tell_their_form(void **state)
{
	enum sn_file_form form;

	(void)state;
	assert_int_equal(sn_file_form_of("a/b.csv", &form), 0);
	assert_int_equal(form, SN_FILE_CSV);
	assert_int_equal(sn_file_form_of("b.jsonl.zst", &form), 0);
	assert_int_equal(form, SN_FILE_JSON_LINES);
	assert_int_equal(sn_file_form_of("b.csv.xz", &form), 0);
	assert_int_equal(form, SN_FILE_CSV);
	assert_int_equal(sn_file_form_of("csv", &form), -ENOENT);
	assert_int_equal(sn_file_form_of("b.txt", &form), -ENOENT);
	assert_int_equal(sn_file_form_of("", &form), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_comes_back_as_it_was),
		cmocka_unit_test(bad_lines_are_told_and_the_others_are_taken),
		cmocka_unit_test(a_file_of_csv_needs_its_header),
		cmocka_unit_test(records_are_so_long_and_no_longer),
		cmocka_unit_test(compressed_files_are_read_as_others),
		cmocka_unit_test(names_of_files_tell_their_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
