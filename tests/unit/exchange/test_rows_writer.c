/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exchange/rows_writer.h"

#include "base/buf.h"
#include "base/fs.h"
#include "data/columns.h"
#include "data/monroe/tables.h"
#include "exchange/input.h"

#define ROWS 20000 /* some row groups of Parquet, and many pieces of text */

static void write_rows(struct sn_rows_writer *writer, unsigned rows)
{
	struct sn_columns *columns = sn_columns_create(&sn_dataset_ping);
	int target = sn_dataset_column(&sn_dataset_ping, "target");
	struct sn_value row[SN_DATASET_COLUMNS_MAX];
	struct sn_err err = {0};

	for (unsigned k = 0; k < rows; k++) {
		sn_columns_clear(columns);
		sn_columns_add_row(columns);
		sn_columns_set_time(columns, SN_COL_TIME, (int64_t)k * SN_NS_PER_S);
		sn_columns_set_i64(columns, SN_COL_SEQ, k * INT64_C(2654435761));
		sn_columns_set_text(columns, target, k % 3 == 0 ? SN_STR("a,b") : SN_STR("c"));
		sn_columns_row(columns, 0, row);
		assert_int_equal(sn_rows_writer_add(writer, row, &err), 0);
	}
	sn_columns_destroy(columns);
	assert_int_equal(sn_rows_writer_finish(writer, &err), 0);
	assert_int_equal(sn_rows_writer_rows(writer), rows);
}

static void make(enum sn_export_form form, enum sn_export_packing packing, unsigned rows,
		 struct sn_buf *out)
{
	struct sn_rows_writer *writer = NULL;
	struct sn_err err = {0};

	assert_int_equal(sn_rows_writer_create(&sn_dataset_ping, form, packing, &writer, &err), 0);
	write_rows(writer, rows);
	*out = *sn_rows_writer_ready(writer);
	*sn_rows_writer_ready(writer) = (struct sn_buf){0};
	sn_rows_writer_destroy(writer);
}

static void forms_are_known_by_name_and_by_the_end_of_a_files_name(void **state SN_UNUSED)
{
	static const struct {
		const char *name;
		enum sn_export_form form;
		enum sn_export_packing packing;
	} names[] = {
		{"x.csv", SN_EXPORT_CSV, SN_EXPORT_PLAIN},
		{"a/b.c/x.jsonl.gz", SN_EXPORT_JSONL, SN_EXPORT_GZIP},
		{"x.ndjson.zst", SN_EXPORT_JSONL, SN_EXPORT_ZSTD},
		{"x.parquet", SN_EXPORT_PARQUET, SN_EXPORT_PLAIN},
		{"x.monroe.csv", SN_EXPORT_MONROE, SN_EXPORT_PLAIN},
	};
	enum sn_export_form form;
	enum sn_export_packing packing;

	for (size_t i = 0; i < SN_COUNT(names); i++) {
		assert_int_equal(sn_export_of_name(names[i].name, &form, &packing), 0);
		assert_int_equal(form, names[i].form);
		assert_int_equal(packing, names[i].packing);
	}
	assert_int_equal(sn_export_of_name("csv", &form, &packing), -ENOENT);
	assert_int_equal(sn_export_of_name("x.gz", &form, &packing), -ENOENT);
	for (int i = 0; i < SN_EXPORT_FORMS; i++) {
		const char *name = sn_export_form_name((enum sn_export_form)i);

		assert_int_equal(sn_export_form_parse(sn_str(name), &form), 0);
		assert_int_equal(form, i);
	}
	assert_int_equal(sn_export_form_parse(SN_STR("xls"), &form), -EINVAL);
	assert_int_equal(sn_export_packing_parse(SN_STR("zstd"), &packing), 0);
	assert_int_equal(sn_export_packing_parse(SN_STR("rar"), &packing), -EINVAL);
}

static void what_is_packed_is_what_it_was(void **state SN_UNUSED)
{
	static const enum sn_export_packing packings[] = {SN_EXPORT_GZIP, SN_EXPORT_ZSTD};
	char path[] = "/tmp/sonde-rows-writer-XXXXXX";
	struct sn_buf plain = {0};

	close(mkstemp(path));
	make(SN_EXPORT_CSV, SN_EXPORT_PLAIN, ROWS, &plain);
	assert_true(plain.n > 1000000);
	for (size_t i = 0; i < SN_COUNT(packings); i++) {
		struct sn_buf packed = {0}, again = {0};
		struct sn_input_line line;
		struct sn_input *input;
		struct sn_err err = {0};
		int rc;

		make(SN_EXPORT_CSV, packings[i], ROWS, &packed);
		assert_true(packed.n < plain.n / 4);
		assert_int_equal(sn_fs_write_atomic(path, packed.p, packed.n, 0600, &err), 0);
		assert_int_equal(sn_input_open(path, 65536, &input, &err), 0);
		while ((rc = sn_input_next(input, &line, &err)) == 1) {
			sn_buf_add(&again, line.text.p, line.text.n);
			sn_buf_adds(&again, "\r\n");
		}
		assert_int_equal(rc, 0);
		assert_int_equal(again.n, plain.n);
		assert_memory_equal(again.p, plain.p, plain.n);
		sn_input_destroy(input);
		sn_buf_finish(&packed);
		sn_buf_finish(&again);
	}
	unlink(path);
	sn_buf_finish(&plain);
}

static void a_file_without_rows_is_a_file(void **state SN_UNUSED)
{
	struct sn_buf out = {0};

	make(SN_EXPORT_JSONL, SN_EXPORT_PLAIN, 0, &out);
	assert_int_equal(out.n, 0);
	sn_buf_finish(&out);
	make(SN_EXPORT_CSV, SN_EXPORT_PLAIN, 0, &out);
	assert_memory_equal(out.p, "time,node,", 10);
	sn_buf_finish(&out);
	make(SN_EXPORT_PARQUET, SN_EXPORT_PLAIN, 0, &out);
	assert_memory_equal(out.p + out.n - 4, "PAR1", 4);
	sn_buf_finish(&out);
	make(SN_EXPORT_JSONL, SN_EXPORT_GZIP, 0, &out);
	assert_true(out.n > 0);
	sn_buf_finish(&out);
}

static int take_some(struct sn_buf *ready, void *ctx)
{
	struct sn_buf *all = ctx;

	sn_buf_add(all, ready->p, ready->n);
	sn_buf_clear(ready);
	return 0;
}

static int refuse(struct sn_buf *ready SN_UNUSED, void *ctx SN_UNUSED)
{
	return -ECANCELED;
}

static void a_row_group_may_be_taken_while_it_is_written(void **state SN_UNUSED)
{
	struct sn_buf whole = {0}, pieces = {0};
	struct sn_rows_writer *writer;
	struct sn_err err = {0};

	make(SN_EXPORT_PARQUET, SN_EXPORT_PLAIN, ROWS, &whole);
	assert_int_equal(sn_rows_writer_create(&sn_dataset_ping, SN_EXPORT_PARQUET, SN_EXPORT_PLAIN,
					       &writer, &err),
			 0);
	sn_rows_writer_set_spill(writer, 1024, take_some, &pieces);
	write_rows(writer, ROWS);
	take_some(sn_rows_writer_ready(writer), &pieces);
	sn_rows_writer_destroy(writer);
	assert_int_equal(pieces.n, whole.n);
	assert_memory_equal(pieces.p, whole.p, whole.n);
	/* Whoever takes them may end it. */
	assert_int_equal(sn_rows_writer_create(&sn_dataset_ping, SN_EXPORT_PARQUET, SN_EXPORT_PLAIN,
					       &writer, &err),
			 0);
	sn_rows_writer_set_spill(writer, 1, refuse, NULL);
	assert_int_equal(sn_rows_writer_finish(writer, &err), -ECANCELED);
	sn_rows_writer_destroy(writer);
	sn_buf_finish(&whole);
	sn_buf_finish(&pieces);
}

static void what_a_dataset_does_not_have_is_refused(void **state SN_UNUSED)
{
	struct sn_rows_writer *writer = NULL;
	struct sn_err err = {0};

	assert_int_equal(sn_rows_writer_create(&sn_dataset_ping, SN_EXPORT_MONROE, SN_EXPORT_PLAIN,
					       &writer, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "monroe_*"));
	assert_int_equal(sn_rows_writer_create(&sn_dataset_ping, SN_EXPORT_PARQUET, SN_EXPORT_ZSTD,
					       &writer, &err),
			 -EINVAL);
	assert_null(writer);
	assert_int_equal(sn_rows_writer_create(&sn_dataset_monroe_exp_ping, SN_EXPORT_MONROE,
					       SN_EXPORT_GZIP, &writer, &err),
			 0);
	sn_rows_writer_destroy(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_known_by_name_and_by_the_end_of_a_files_name),
		cmocka_unit_test(what_is_packed_is_what_it_was),
		cmocka_unit_test(a_file_without_rows_is_a_file),
		cmocka_unit_test(a_row_group_may_be_taken_while_it_is_written),
		cmocka_unit_test(what_a_dataset_does_not_have_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
