/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/util.h"
#include "exchange/input.h"
#include "lib/squeeze.h"

#define LINE_MAX_SHORT 16

static struct sn_err err;

/* All lines, each as "number:text" with a mark: "!" too long, "~" without an end. */
static int read_all(struct sn_input *input, struct sn_buf *out)
{
	struct sn_input_line line;
	int rc;

	sn_buf_clear(out);
	while ((rc = sn_input_next(input, &line, &err)) > 0)
		sn_buf_addf(out, "%u:%.*s%s%s|", (unsigned)line.number, (int)line.text.n,
			    line.text.p, line.too_long ? "!" : "", line.whole ? "" : "~");
	return rc;
}

static void check_lines(struct sn_str text, const char *expected)
{
	struct sn_input *input = sn_input_create(text, LINE_MAX_SHORT);
	struct sn_buf out = {0};
	char *path = write_file(text);

	assert_int_equal(read_all(input, &out), 0);
	assert_string_equal(sn_buf_cstr(&out), expected);
	assert_int_equal(sn_input_taken(input), text.n);
	sn_input_destroy(input);

	assert_int_equal(sn_input_open(path, LINE_MAX_SHORT, &input, &err), 0);
	assert_int_equal(read_all(input, &out), 0);
	assert_string_equal(sn_buf_cstr(&out), expected);
	assert_string_equal(sn_input_name(input), path);
	assert_int_equal(sn_input_size(input), text.n);
	assert_int_equal(sn_input_taken(input), text.n);
	sn_input_destroy(input);
	unlink(path);
	free(path);
	sn_buf_finish(&out);
}

static void lines_end_with_a_feed_or_a_return_before_it(void **state)
{
	(void)state;
	check_lines(SN_STR(""), "");
	check_lines(SN_STR("\n"), "1:|");
	check_lines(SN_STR("one\ntwo\r\n\nfour\n"), "1:one|2:two|3:|4:four|");
	check_lines(SN_STR("a\rb\n\r\n"), "1:a\rb|2:|");
}

static void a_last_line_without_an_end_is_told_as_such(void **state)
{
	(void)state;
	check_lines(SN_STR("one\ntw"), "1:one|2:tw~|");
	check_lines(SN_STR("x"), "1:x~|");
}

static void a_line_above_the_limit_is_told_and_skipped(void **state)
{
	(void)state;
	check_lines(SN_STR("0123456789abcdef\nx\n"), "1:0123456789abcdef|2:x|");
	check_lines(SN_STR("0123456789abcdef\r\nx\n"), "1:0123456789abcdef|2:x|");
	check_lines(SN_STR("0123456789abcdefg\nx\n"), "1:0123456789abcdef!|2:x|");
	check_lines(SN_STR("0123456789abcdefghijklmnopq"), "1:0123456789abcdef!|");
}

/* Longer than what is read at once, so that ends of pieces fall everywhere. */
static void make_text(struct sn_buf *out)
{
	for (unsigned i = 0; i < 60000; i++)
		sn_buf_addf(out, "%0*u\n", 1 + (int)(i % 13), i);
}

static void long_files_come_as_they_are_compressed_or_not(void **state)
{
	static void (*const ways[])(struct sn_str, struct sn_buf *) = {NULL, squeeze_gzip,
								       squeeze_xz, squeeze_zstd};
	struct sn_buf text = {0}, out = {0};

	(void)state;
	make_text(&text);
	for (size_t i = 0; i < SN_COUNT(ways); i++) {
		struct sn_buf file = {0};
		struct sn_input *input;
		struct sn_input_line line;
		char *path;
		int rc;

		if (ways[i] == NULL)
			sn_buf_add(&file, text.p, text.n);
		else
			ways[i](sn_buf_str(&text), &file);
		path = write_file(sn_buf_str(&file));
		sn_buf_clear(&out);
		assert_int_equal(sn_input_open(path, LINE_MAX_SHORT, &input, &err), 0);
		while ((rc = sn_input_next(input, &line, &err)) > 0) {
			sn_buf_add(&out, line.text.p, line.text.n);
			sn_buf_addc(&out, '\n');
		}
		assert_int_equal(rc, 0);
		assert_true(sn_str_eq(sn_buf_str(&out), sn_buf_str(&text)));
		assert_int_equal(sn_input_taken(input), file.n);
		assert_int_equal(sn_input_size(input), file.n);
		sn_input_destroy(input);
		unlink(path);
		free(path);
		sn_buf_finish(&file);
	}
	sn_buf_finish(&text);
	sn_buf_finish(&out);
}

static void a_line_of_many_pieces_is_skipped_to_its_end(void **state)
{
	struct sn_buf text = {0};

	(void)state;
	for (unsigned i = 0; i < 1000000; i++)
		sn_buf_addc(&text, 'x');
	sn_buf_adds(&text, "\nafter\n");
	check_lines(sn_buf_str(&text), "1:xxxxxxxxxxxxxxxx!|2:after|");
	sn_buf_finish(&text);
}

static void a_bomb_is_one_long_line_and_takes_no_memory(void **state)
{
	struct sn_buf zeros = {0}, file = {0};
	struct sn_input_line line;
	struct sn_input *input;
	char *path;

	(void)state;
	sn_buf_reserve(&zeros, 16 << 20);
	memset(zeros.p, 0, 16 << 20);
	zeros.n = 16 << 20;
	squeeze_gzip(sn_buf_str(&zeros), &file);
	assert_true(file.n < zeros.n / 500);
	path = write_file(sn_buf_str(&file));
	assert_int_equal(sn_input_open(path, LINE_MAX_SHORT, &input, &err), 0);
	assert_int_equal(sn_input_next(input, &line, &err), 1);
	assert_true(line.too_long);
	assert_int_equal(line.text.n, LINE_MAX_SHORT);
	assert_int_equal(sn_input_next(input, &line, &err), 0);
	sn_input_destroy(input);
	unlink(path);
	free(path);
	sn_buf_finish(&zeros);
	sn_buf_finish(&file);
}

static int read_squeezed(struct sn_str file, struct sn_buf *out)
{
	char *path = write_file(file);
	struct sn_input *input;
	int rc = sn_input_open(path, LINE_MAX_SHORT, &input, &err);

	if (rc == 0) {
		rc = read_all(input, out);
		sn_input_destroy(input);
	}
	unlink(path);
	free(path);
	return rc;
}

static void compressed_data_that_end_too_early_are_an_error_behind_the_lines(void **state)
{
	static void (*const ways[])(struct sn_str, struct sn_buf *) = {squeeze_gzip, squeeze_xz,
								       squeeze_zstd};
	struct sn_buf text = {0}, out = {0};

	(void)state;
	make_text(&text);
	for (size_t i = 0; i < SN_COUNT(ways); i++) {
		struct sn_buf file = {0};

		ways[i](sn_buf_str(&text), &file);
		assert_int_equal(read_squeezed((struct sn_str){file.p, file.n / 2}, &out),
				 -ENODATA);
		assert_non_null(strstr(err.text, "end too early"));
		file.p[file.n / 2] ^= 0x55;
		file.p[file.n / 2 + 1] ^= 0x55;
		assert_int_equal(read_squeezed(sn_buf_str(&file), &out), -EBADMSG);
		assert_non_null(strstr(err.text, "damaged"));
		sn_buf_finish(&file);
	}
	sn_buf_finish(&text);
	sn_buf_finish(&out);
}

static void a_file_that_grows_while_it_is_read_is_refused_at_its_end(void **state)
{
	struct sn_input *input;
	struct sn_input_line line;
	char *path = write_file(SN_STR("one\n"));
	int fd;

	(void)state;
	assert_int_equal(sn_input_open(path, LINE_MAX_SHORT, &input, &err), 0);
	assert_int_equal(sn_input_next(input, &line, &err), 1);
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "two\n", 4), 4);
	close(fd);
	while (sn_input_next(input, &line, &err) > 0)
		;
	assert_int_equal(err.code, -EAGAIN);
	assert_non_null(strstr(err.text, "changed meanwhile"));
	sn_input_destroy(input);
	unlink(path);
	free(path);
}

static void what_cannot_be_opened_is_named(void **state)
{
	struct sn_input *input;

	(void)state;
	assert_int_equal(sn_input_open("/no/such/file", 16, &input, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'/no/such/file'"));
	assert_int_equal(sn_input_open("/", 16, &input, &err), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_with_a_feed_or_a_return_before_it),
		cmocka_unit_test(a_last_line_without_an_end_is_told_as_such),
		cmocka_unit_test(a_line_above_the_limit_is_told_and_skipped),
		cmocka_unit_test(long_files_come_as_they_are_compressed_or_not),
		cmocka_unit_test(a_line_of_many_pieces_is_skipped_to_its_end),
		cmocka_unit_test(a_bomb_is_one_long_line_and_takes_no_memory),
		cmocka_unit_test(compressed_data_that_end_too_early_are_an_error_behind_the_lines),
		cmocka_unit_test(a_file_that_grows_while_it_is_read_is_refused_at_its_end),
		cmocka_unit_test(what_cannot_be_opened_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
