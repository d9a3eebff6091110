/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "data/json_read.h"

static struct sn_err err;

static struct sn_jr reader_of(const char *text)
{
	return (struct sn_jr){.start = text, .p = text, .end = text + strlen(text), .err = &err};
}

static void values_of_every_kind_are_skipped_as_they_stand(void **state)
{
	static const char *const texts[] = {
		"1",
		"-0.5e3",
		"\"a\\n\"",
		"true",
		"false",
		"null",
		"[]",
		"{}",
		"[ ]",
		"{ }",
		"[1, [2], {\"a\":\"]\"}]",
		"{\"a\" : {\"b\":[]}, \"c\":null}",
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(texts); i++) {
		struct sn_jr jr = reader_of(texts[i]);
		struct sn_str text;

		assert_int_equal(sn_jr_skip(&jr, &text), 0);
		assert_true(sn_str_eqc(text, texts[i]));
		assert_ptr_equal(jr.p, jr.end);
		sn_buf_finish(&jr.decoded);
	}
}

static void broken_values_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"", "column 1: not a JSON value"},
		{"[1,]", "column 4: not a JSON value"},
		{"[1 2]", "column 4: neither ',' nor ']' behind a value"},
		{"[1", "column 3: neither ',' nor ']' behind a value"},
		{"{\"a\":1", "column 7: neither ',' nor '}' behind a value"},
		{"{\"a\" 1}", "column 6: no ':' behind a member's name"},
		{"{a:1}", "column 2: not a member's name in quotes"},
		{"{\"a\":}", "column 6: not a JSON value"},
		{"{\"a:1}", "column 7: a string without an end"},
		{"[\"\x01\"]", "column 3: a control character in a string"},
		{"[nul]", "column 2: not a JSON value"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_jr jr = reader_of(cases[i].text);
		struct sn_str text;

		assert_int_equal(sn_jr_skip(&jr, &text), -EINVAL);
		assert_string_equal(err.text, cases[i].reason);
		sn_buf_finish(&jr.decoded);
	}
}

static void values_lie_inside_each_other_so_deep_and_no_deeper(void **state)
{
	char text[2 * SN_JR_DEPTH_MAX + 3] = {0};
	struct sn_str skipped;
	struct sn_jr jr;

	(void)state;
	memset(text, '[', SN_JR_DEPTH_MAX);
	memset(text + SN_JR_DEPTH_MAX, ']', SN_JR_DEPTH_MAX);
	jr = reader_of(text);
	assert_int_equal(sn_jr_skip(&jr, &skipped), 0);
	memset(text, '[', SN_JR_DEPTH_MAX + 1);
	memset(text + SN_JR_DEPTH_MAX + 1, ']', SN_JR_DEPTH_MAX + 1);
	jr = reader_of(text);
	assert_int_equal(sn_jr_skip(&jr, &skipped), -EINVAL);
	assert_non_null(strstr(err.text, "too many values inside each other"));
}

static void kept_strings_stay_where_they_are(void **state)
{
	struct sn_jr jr = reader_of("\"a\\tb\"\"plain\"\"\\u00e9\\ud83d\\ude00\"\"\\\\\"");
	static const char *const expected[] = {"a\tb", "plain", "\xc3\xa9\xf0\x9f\x98\x80", "\\"};
	struct sn_str texts[4];

	(void)state;
	jr.keep = true;
	for (size_t i = 0; i < SN_COUNT(texts); i++)
		assert_int_equal(sn_jr_string(&jr, &texts[i]), 0);
	for (size_t i = 0; i < SN_COUNT(texts); i++)
		assert_true(sn_str_eqc(texts[i], expected[i]));
	sn_buf_finish(&jr.decoded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_every_kind_are_skipped_as_they_stand),
		cmocka_unit_test(broken_values_are_refused_with_their_place),
		cmocka_unit_test(values_lie_inside_each_other_so_deep_and_no_deeper),
		cmocka_unit_test(kept_strings_stay_where_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
