/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "cli/listing.h"

static const struct sn_listing_column columns[] = {
	{{.header = "name"}, "name", SN_LISTING_TEXT, NULL},
	{{.header = "version"}, "version", SN_LISTING_TEXT, NULL},
	{{.header = "rows", .right = true}, "rows", SN_LISTING_COUNT, NULL},
	{{.header = "size", .right = true}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "behind", .right = true}, "lag", SN_LISTING_SECONDS, NULL},
	{{.header = "last"}, "last", SN_LISTING_AGO, NULL},
};
static const struct sn_listing listing = {columns, SN_COUNT(columns), "none"};

/* What a table of this one item looks like, blanks put together. */
static char *shown(const char *item_text)
{
	struct sn_table_column of_table[SN_COUNT(columns)];
	sn_autojson json_t *item = json_loads(item_text, 0, NULL);
	struct sn_table *table;
	char *text = NULL;
	struct sn_buf one = {0};
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(item);
	for (size_t i = 0; i < SN_COUNT(columns); i++)
		of_table[i] = columns[i].column;
	table = sn_table_create(of_table, SN_COUNT(columns));
	sn_listing_add(table, &listing, item);
	sn_table_print(table, out, 0, false);
	sn_table_destroy(table);
	fclose(out);
	for (size_t i = 0; i < size; i++) {
		if (text[i] != ' ' || (one.n > 0 && one.p[one.n - 1] != ' '))
			sn_buf_addc(&one, text[i]);
	}
	free(text);
	sn_buf_cstr(&one);
	return one.p;
}

/* The line behind the header. */
static void assert_row(const char *item, const char *row)
{
	char *text = shown(item), *line = strchr(text, '\n');
	size_t n;

	assert_non_null(line++);
	n = strcspn(line, "\n");
	while (n > 0 && line[n - 1] == ' ')
		n--;
	line[n] = '\0';
	assert_string_equal(line, row);
	free(text);
}

static void members_look_as_their_form_says(void **state)
{
	(void)state;
	assert_row("{\"name\":\"ping\",\"version\":1,\"rows\":1234567,\"bytes\":1500,\"lag\":90}",
		   "ping 1 1 234 567 1.5 kB 1.5 min -");
}

static void small_and_large_counts_are_grouped_in_thousands(void **state)
{
	(void)state;
	assert_row("{\"name\":\"a\",\"version\":2,\"rows\":999,\"bytes\":0,\"lag\":0}",
		   "a 2 999 0 B 0.0 s -");
	assert_row("{\"name\":\"a\",\"version\":2,\"rows\":9223372036854775807,\"bytes\":1,\"lag\":"
		   "8640000}",
		   "a 2 9 223 372 036 854 775 807 1 B 100 d -");
	assert_row("{\"name\":\"a\",\"version\":2,\"rows\":-1000,\"bytes\":1,\"lag\":7200}",
		   "a 2 -1 000 1 B 2.0 h -");
}

static void what_is_null_absent_or_of_another_type_is_a_dash(void **state)
{
	(void)state;
	assert_row("{\"name\":null,\"rows\":\"many\",\"bytes\":null,\"last\":\"never\"}",
		   "- - - - - -");
}

static void times_that_are_months_ago_are_told_as_times(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	assert_row("{\"name\":\"a\",\"last\":\"2015-07-12T17:08:18.354Z\"}",
		   "a - - - - 2015-07-12 17:08:18.354+00:00");
}

static void one_item_alone_is_a_line_for_each_value(void **state)
{
	static const struct sn_listing_column lines[] = {
		{{.header = "from"}, "node|source", SN_LISTING_TEXT, NULL},
		{{.header = "rows there"}, "rows", SN_LISTING_COUNT, NULL},
		{{.header = "why"}, "reason", SN_LISTING_TEXT, NULL},
	};
	static const struct sn_listing one = {lines, SN_COUNT(lines), NULL};
	static const struct {
		const char *item, *shown;
	} cases[] = {
		{"{\"node\":null,\"source\":\"math:a\",\"rows\":1500}",
		 "from        math:a\nrows there  1 500\n"},
		{"{\"node\":\"rome\",\"source\":\"01A\",\"reason\":\"a\\u001b[2J\"}",
		 "from        rome\nwhy         a?[2J\n"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_autojson json_t *item = json_loads(cases[i].item, 0, NULL);
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);

		sn_listing_show(&one, item, out);
		fclose(out);
		assert_string_equal(text, cases[i].shown);
		free(text);
	}
}

static void text_that_could_drive_the_terminal_is_defused(void **state)
{
	(void)state;
	assert_row("{\"name\":\"a\\u001b[2J\"}", "a?[2J - - - - -");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_look_as_their_form_says),
		cmocka_unit_test(small_and_large_counts_are_grouped_in_thousands),
		cmocka_unit_test(what_is_null_absent_or_of_another_type_is_a_dash),
		cmocka_unit_test(times_that_are_months_ago_are_told_as_times),
		cmocka_unit_test(one_item_alone_is_a_line_for_each_value),
		cmocka_unit_test(text_that_could_drive_the_terminal_is_defused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
