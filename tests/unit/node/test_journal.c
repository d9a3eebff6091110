/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/util.h"
#include "node/tasks/held.h"
#include "node/tasks/journal.h"

#define RECORD                                                                                     \
	"{\"complete\":[[\"2026-03-01T12:00:00Z\",\"2026-03-01T12:05:00Z\"]],\"counted\":"         \
	"\"2026-03-01T12:05:30Z\",\"missed\":3,\"begun\":true,\"succeeded\":true}"
#define JOURNAL(tasks) "{\"stream\":\"s\",\"next_batch\":7,\"tasks\":{" tasks "}}"

static int parse(const char *text, struct sn_journal *journal, struct sn_err *err)
{
	return sn_journal_parse(text, strlen(text), journal, err);
}

static void what_is_written_is_read_again(void **state)
{
	struct sn_journal journal = {.stream = "abc", .next_batch = 12}, again;
	struct sn_record *record = sn_journal_get(&journal, "t1", 1000);
	struct sn_buf text = {0}, text_again = {0};
	struct sn_err err = {0};

	(void)state;
	record->course.spans[0] = (struct sn_course_span){123456789, 234567890};
	record->course.spans[1] = (struct sn_course_span){345678901, 345678901};
	record->course.span_count = 2;
	record->course.missed = 4;
	record->begun = true;
	record = sn_journal_get(&journal, "t\"2", 2000);
	record->final = SN_FINAL_FAILED;
	record->settled = true;
	record->behind = 11;
	strcpy(record->error, "it \"broke\"");
	sn_journal_format(&journal, &text);
	assert_int_equal(sn_journal_parse(text.p, text.n, &again, &err), 0);
	assert_string_equal(again.stream, "abc");
	assert_int_equal(again.count, 2);
	record = sn_journal_find(&again, "t\"2");
	assert_int_equal(record->final, SN_FINAL_FAILED);
	assert_true(record->settled);
	assert_int_equal(record->behind, 11);
	assert_string_equal(record->error, "it \"broke\"");
	sn_journal_format(&again, &text_again);
	assert_string_equal(sn_buf_cstr(&text), sn_buf_cstr(&text_again));
	sn_journal_finish(&journal);
	sn_journal_finish(&again);
	sn_buf_finish(&text);
	sn_buf_finish(&text_again);
}

static void what_is_not_listed_is_forgotten(void **state)
{
	struct sn_journal journal;

	(void)state;
	assert_int_equal(
		parse(JOURNAL("\"a\":" RECORD ",\"b\":" RECORD ",\"c\":" RECORD), &journal, NULL),
		0);
	sn_journal_find(&journal, "b")->listed = true;
	sn_journal_prune(&journal);
	assert_int_equal(journal.count, 1);
	assert_non_null(sn_journal_find(&journal, "b"));
	sn_journal_forget(&journal, "b");
	sn_journal_forget(&journal, "b");
	assert_int_equal(journal.count, 0);
	sn_journal_finish(&journal);
}

static void a_broken_journal_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *json, *says;
	} cases[] = {
		{"", ""},
		{"[]", "stream"},
		{"{\"stream\":\"s\",\"next_batch\":-1,\"tasks\":{}}", "next_batch"},
		{"{\"stream\":\"s\",\"next_batch\":1}", "'tasks'"},
		{JOURNAL("\"t\":3"), "task 't'"},
		{JOURNAL("\"t\":{\"complete\":[[\"2026-03-01T12:00:00Z\"]]}"), "not a time"},
		{JOURNAL("\"t\":{\"complete\":[[\"2026-03-01T12:00:00Z\","
			 "\"2026-03-01T11:00:00Z\"]]}"),
		 "out of order"},
		{JOURNAL("\"t\":{\"complete\":[1,2,3,4,5]}"), "at most 4"},
		{JOURNAL("\"0123456789012345678901234567890123456789012345678901234567890123\""
			 ":" RECORD),
		 "too long"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_journal journal;
		struct sn_err err = {0};

		assert_int_equal(parse(cases[i].json, &journal, &err), -EINVAL);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("'%s' is not in: %s", cases[i].says, err.text);
		assert_int_equal(journal.count, 0);
	}
}

static void the_number_of_records_and_the_size_are_limited(void **state)
{
	struct sn_journal journal;
	struct sn_err err = {0};

	(void)state;
	for (int count = SN_TASKS_MAX; count <= SN_TASKS_MAX + 1; count++) {
		struct sn_buf text = {0};

		sn_buf_adds(&text, "{\"stream\":\"\",\"next_batch\":0,\"tasks\":{");
		for (int i = 0; i < count; i++)
			sn_buf_addf(&text, "%s\"t%d\":" RECORD, i > 0 ? "," : "", i);
		sn_buf_adds(&text, "}}");
		assert_int_equal(sn_journal_parse(text.p, text.n, &journal, &err),
				 count == SN_TASKS_MAX ? 0 : -EINVAL);
		sn_journal_finish(&journal);
		sn_buf_finish(&text);
	}
	{
		char *large = calloc(1, SN_JOURNAL_FILE_MAX + 1);

		memset(large, ' ', SN_JOURNAL_FILE_MAX + 1);
		assert_int_equal(sn_journal_parse(large, SN_JOURNAL_FILE_MAX + 1, &journal, &err),
				 -EFBIG);
		free(large);
	}
}

/* Held rows ------------------------------------------------------------------------ */

static unsigned taken;

static void check_line(struct sn_str line, void *ctx)
{
	char expected[64];
	int n = snprintf(expected, sizeof(expected), "row %u%s", taken++, (const char *)ctx);

	assert_int_equal(line.n, n);
	assert_memory_equal(line.p, expected, line.n);
}

static void hold(struct sn_held *held, unsigned count, const char *tail)
{
	for (unsigned i = 0; i < count; i++) {
		char line[64];
		int n = snprintf(line, sizeof(line), "row %u%s", i, tail);

		assert_int_equal(sn_held_add(held, "/tmp", (struct sn_str){line, (size_t)n}), 0);
	}
}

static void held_rows_come_back_in_order_from_memory_and_file(void **state)
{
	static const unsigned counts[] = {0, 1, 10, 1500, SN_HELD_MAX};
	struct sn_held held = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(counts); i++) {
		taken = 0;
		hold(&held, counts[i], " and what it says");
		assert_true(held.lines.n <= SN_HELD_IN_MEMORY);
		assert_int_equal(sn_held_take(&held, check_line, (char *)" and what it says"), 0);
		assert_int_equal(taken, counts[i]);
		assert_int_equal(held.count, 0);
	}
	sn_held_finish(&held);
}

static void no_more_are_held_than_the_limit(void **state)
{
	struct sn_held held = {0};

	(void)state;
	hold(&held, SN_HELD_MAX, "");
	assert_int_equal(sn_held_add(&held, "/tmp", SN_STR("one more")), -ENOSPC);
	assert_int_equal(held.count, SN_HELD_MAX);
	sn_held_finish(&held);
}

static void a_file_that_cannot_be_made_refuses_what_memory_does_not_hold(void **state)
{
	struct sn_held held = {0};
	char line[1000];
	int error = 0;
	unsigned count = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	while (error == 0 && count < 100) {
		error = sn_held_add(&held, "/nowhere/at/all", (struct sn_str){line, sizeof(line)});
		count += error == 0;
	}
	assert_int_equal(error, -ENOENT);
	assert_int_equal(held.count, count);
	assert_int_equal(count, SN_HELD_IN_MEMORY / (sizeof(line) + 1));
	sn_held_finish(&held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(what_is_not_listed_is_forgotten),
		cmocka_unit_test(a_broken_journal_is_refused_with_the_reason),
		cmocka_unit_test(the_number_of_records_and_the_size_are_limited),
		cmocka_unit_test(held_rows_come_back_in_order_from_memory_and_file),
		cmocka_unit_test(no_more_are_held_than_the_limit),
		cmocka_unit_test(a_file_that_cannot_be_made_refuses_what_memory_does_not_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
