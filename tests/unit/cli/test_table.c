/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

static const struct sn_table_column three[] = {
	{.header = "name", .shrink = true},
	{.header = "value (ms)", .right = true},
	{.header = "remark", .shrink = true, .drop = 1},
};

/* What a table of these three columns prints; free() it. */
static char *printed(const char *const *cells, size_t rows, unsigned width, bool colour)
{
	struct sn_table *table = sn_table_create(three, SN_COUNT(three));
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < rows * 3; i++)
		sn_table_cell(table, i % 3 == 1 ? SN_TONE_BAD : SN_TONE_PLAIN, cells[i]);
	assert_int_equal(sn_table_rows(table), rows);
	sn_table_print(table, out, width, colour);
	fclose(out);
	sn_table_destroy(table);
	return text;
}

static void columns_are_aligned_and_lines_have_no_trailing_blanks(void **state)
{
	static const char *const cells[] = {"rome", "1.5", "ok", "a", "100.25", ""};
	char *text = printed(cells, 2, 0, false);

	(void)state;
	assert_string_equal(text, "name  value (ms)  remark\n"
				  "rome         1.5  ok\n"
				  "a         100.25  -\n");
	free(text);
}

static void tones_are_shown_only_with_colour(void **state)
{
	static const char *const cells[] = {"a", "1", "b"};
	char *text = printed(cells, 1, 0, true);

	(void)state;
	assert_non_null(strstr(text, "\033[1;31m         1\033[0m"));
	free(text);
}

static void widths_count_characters_not_bytes(void **state)
{
	static const char *const cells[] = {"K\xc3\xb6ln", "1", "x", "ab", "2", "y"};
	char *text = printed(cells, 2, 0, false);

	(void)state;
	assert_non_null(strstr(text, "\nK\xc3\xb6ln           1  x\n"));
	assert_non_null(strstr(text, "\nab             2  y\n"));
	assert_int_equal(sn_text_width("K\xc3\xb6ln"), 4);
	assert_int_equal(sn_text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_int_equal(sn_text_width("e\xcc\x81"), 1);
	free(text);
}

static void control_characters_never_reach_the_terminal(void **state)
{
	static const char *const cells[] = {"a\033[2Jb\n", "1", "\xc2\x9b\xff\x7f"};
	char *text = printed(cells, 1, 0, false);

	(void)state;
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "a?[2Jb?"));
	assert_non_null(strstr(text, "???\n"));
	free(text);
}

static void a_narrow_terminal_shortens_text_with_an_ellipsis(void **state)
{
	static const char *const cells[] = {"a very long name of a node", "1.5", "ok"};
	char *text = printed(cells, 1, 40, false);

	(void)state;
	assert_string_equal(text, "name                  value (ms)  remark\n"
				  "a very long name of\xe2\x80\xa6         1.5  ok\n");
	free(text);
}

static void layout_gives_natural_widths_when_they_fit(void **state)
{
	const unsigned natural[] = {10, 5, 7};
	unsigned widths[3];

	(void)state;
	sn_table_layout(three, natural, 3, 26, widths);
	assert_memory_equal(widths, natural, sizeof(widths));
	sn_table_layout(three, natural, 3, 0, widths);
	assert_memory_equal(widths, natural, sizeof(widths));
}

static void layout_takes_from_the_widest_first(void **state)
{
	const unsigned natural[] = {30, 5, 12};
	unsigned widths[3];

	(void)state;
	sn_table_layout(three, natural, 3, 40, widths);
	assert_int_equal(widths[0], 19);
	assert_int_equal(widths[1], 5);
	assert_int_equal(widths[2], 12);
}

static void layout_drops_what_is_dispensable_and_gives_its_room_back(void **state)
{
	const unsigned natural[] = {20, 5, 18};
	unsigned widths[3];

	(void)state;
	/* The least with all three. */
	const unsigned least = SN_TABLE_SHRINK_MIN + 2 + 5 + 2 + SN_TABLE_SHRINK_MIN;

	sn_table_layout(three, natural, 3, least, widths);
	assert_int_equal(widths[2], SN_TABLE_SHRINK_MIN);
	sn_table_layout(three, natural, 3, least - 1, widths);
	assert_int_equal(widths[2], 0);
	assert_int_equal(widths[0], 20);
}

static void sparse_columns_without_values_are_left_out(void **state)
{
	static const struct sn_table_column columns[] = {
		{.header = "a"}, {.header = "b", .sparse = true}, {.header = "c", .sparse = true}};
	struct sn_table *table = sn_table_create(columns, 3);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	for (int i = 0; i < 2; i++) {
		sn_table_cell(table, SN_TONE_PLAIN, "1");
		sn_table_cell(table, SN_TONE_PLAIN, NULL);
		sn_table_cell(table, SN_TONE_PLAIN, i == 0 ? NULL : "3");
	}
	sn_table_print(table, out, 0, false);
	fclose(out);
	assert_string_equal(text, "a  c\n1  -\n1  3\n");
	free(text);
	sn_table_destroy(table);
}

static void later_prints_have_no_header_and_keep_the_widths(void **state)
{
	struct sn_table *table = sn_table_create(three, 3);
	static const char *const cells[] = {"abcdefgh", "1", "x", "b", "2", "y"};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		sn_table_cell(table, SN_TONE_PLAIN, cells[i]);
		if (i % 3 == 2)
			sn_table_print(table, out, 0, false);
	}
	fclose(out);
	assert_string_equal(text, "name      value (ms)  remark\n"
				  "abcdefgh           1  x\n"
				  "b                  2  y\n");
	free(text);
	sn_table_destroy(table);
}

static void sparkline_spans_min_to_max_and_leaves_gaps(void **state)
{
	const double values[] = {1, 8, NAN, 4.5};
	char *text = sn_sparkline(values, 4);

	(void)state;
	assert_string_equal(text, "\xe2\x96\x81\xe2\x96\x88 \xe2\x96\x85");
	free(text);
}

static void sparkline_of_equal_values_is_flat(void **state)
{
	const double values[] = {3, 3};
	char *text = sn_sparkline(values, 2);

	(void)state;
	assert_string_equal(text, "\xe2\x96\x81\xe2\x96\x81");
	free(text);
	text = sn_sparkline(NULL, 0);
	assert_string_equal(text, "");
	free(text);
}

static void a_file_is_no_terminal(void **state)
{
	FILE *out = tmpfile();

	(void)state;
	assert_int_equal(sn_terminal_width(out), 0);
	assert_false(sn_terminal_colour(out));
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_aligned_and_lines_have_no_trailing_blanks),
		cmocka_unit_test(tones_are_shown_only_with_colour),
		cmocka_unit_test(widths_count_characters_not_bytes),
		cmocka_unit_test(control_characters_never_reach_the_terminal),
		cmocka_unit_test(a_narrow_terminal_shortens_text_with_an_ellipsis),
		cmocka_unit_test(layout_gives_natural_widths_when_they_fit),
		cmocka_unit_test(layout_takes_from_the_widest_first),
		cmocka_unit_test(layout_drops_what_is_dispensable_and_gives_its_room_back),
		cmocka_unit_test(sparse_columns_without_values_are_left_out),
		cmocka_unit_test(later_prints_have_no_header_and_keep_the_widths),
		cmocka_unit_test(sparkline_spans_min_to_max_and_leaves_gaps),
		cmocka_unit_test(sparkline_of_equal_values_is_flat),
		cmocka_unit_test(a_file_is_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
