/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "store/cursor.h"

#include "base/util.h"

static void cursor_comes_back(void **state)
{
	static const struct sn_cursor cursors[] = {
		{0, 0, 1},
		{0xdeadbeef, 1772366400123456789, 123456},
		{UINT32_MAX, INT64_MIN, INT64_MAX},
		{1, INT64_MAX, 1},
	};
	char text[SN_CURSOR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cursors); i++) {
		struct sn_cursor cursor;

		sn_cursor_encode(&cursors[i], text);
		assert_int_equal(strlen(text), SN_CURSOR_TEXT_SIZE - 1);
		assert_int_equal(sn_cursor_decode(sn_str(text), &cursor), 0);
		assert_int_equal(cursor.mark, cursors[i].mark);
		assert_true(cursor.time_ns == cursors[i].time_ns);
		assert_true(cursor.rowid == cursors[i].rowid);
	}
}

static void anything_else_is_refused(void **state)
{
	struct sn_cursor cursor = {7, 8, 0xabc};
	char text[SN_CURSOR_TEXT_SIZE], changed[SN_CURSOR_TEXT_SIZE + 1];

	(void)state;
	sn_cursor_encode(&cursor, text);
	for (size_t n = 0; n < SN_CURSOR_TEXT_SIZE - 1; n++)
		assert_int_equal(sn_cursor_decode((struct sn_str){text, n}, &cursor), -EINVAL);
	strcpy(changed, text);
	strcat(changed, "0");
	assert_int_equal(sn_cursor_decode(sn_str(changed), &cursor), -EINVAL);
	strcpy(changed, text);
	changed[1] = '2'; /* the version */
	assert_int_equal(sn_cursor_decode(sn_str(changed), &cursor), -EINVAL);
	strcpy(changed, text);
	changed[5] = 'x';
	assert_int_equal(sn_cursor_decode(sn_str(changed), &cursor), -EINVAL);
	strcpy(changed, text);
	changed[SN_CURSOR_TEXT_SIZE - 2] = 'C'; /* a second text for the same place */
	assert_int_equal(sn_cursor_decode(sn_str(changed), &cursor), -EINVAL);
	sn_cursor_encode(&(struct sn_cursor){7, 8, -1}, text);
	assert_int_equal(sn_cursor_decode(sn_str(text), &cursor), -EINVAL);
	sn_cursor_encode(&(struct sn_cursor){7, 8, 0}, text);
	assert_int_equal(sn_cursor_decode(sn_str(text), &cursor), -EINVAL);
}

static void mark_tells_queries_apart_but_not_their_range(void **state)
{
	struct sn_query query = {.dataset = &sn_dataset_ping, .limit = 5, .newest_first = true};
	struct sn_filter text = {SN_COL_NODE, SN_EQ, {.type = SN_TYPE_TEXT, .s = SN_STR("ab")}};
	uint32_t marks[9], plain = sn_cursor_mark(&query);
	size_t count = 0;

	(void)state;
	query.since_ns = 5;
	query.until_ns = 6;
	query.limit = 7;
	assert_int_equal(sn_cursor_mark(&query), plain);
	marks[count++] = plain;
	query.newest_first = false;
	marks[count++] = sn_cursor_mark(&query);
	query.filters[query.filter_count++] = text;
	marks[count++] = sn_cursor_mark(&query);
	query.filters[0].value.s = SN_STR("ac");
	marks[count++] = sn_cursor_mark(&query);
	query.filters[0].op = SN_NE;
	marks[count++] = sn_cursor_mark(&query);
	query.filters[0].column = SN_COL_TASK;
	marks[count++] = sn_cursor_mark(&query);
	query.filters[query.filter_count++] = text;
	marks[count++] = sn_cursor_mark(&query);
	query.filters[0].or_next = true;
	marks[count++] = sn_cursor_mark(&query);
	query.dataset = &sn_dataset_flow;
	marks[count++] = sn_cursor_mark(&query);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(marks[i], marks[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cursor_comes_back),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(mark_tells_queries_apart_but_not_their_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
