/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "base/utf8.h"
#include "base/util.h"

static void well_formed_text_is_taken(void **state)
{
	(void)state;
	assert_true(sn_utf8_valid(SN_STR("")));
	assert_true(sn_utf8_valid(SN_STR("plain")));
	assert_true(sn_utf8_valid(SN_STR("S\xc3\xa3o \xe2\x82\xac \xf0\x9f\x98\x80")));
	/* The last before the surrogates, and the last of all. */
	assert_true(sn_utf8_valid(SN_STR("\xed\x9f\xbf\xf4\x8f\xbf\xbf")));
}

static void what_rfc_3629_forbids_is_refused(void **state)
{
	static const struct sn_str bad[] = {
		SN_STR("\x80"),             /* a continuation that continues nothing */
		SN_STR("\xc0\xaf"),         /* overlong */
		SN_STR("\xe0\x9f\xbf"),     /* overlong */
		SN_STR("\xf0\x8f\xbf\xbf"), /* overlong */
		SN_STR("\xed\xa0\x80"),     /* a surrogate */
		SN_STR("\xf4\x90\x80\x80"), /* above U+10FFFF */
		SN_STR("\xff"),             /* never in UTF-8 */
		SN_STR("a\xe2\x82"),        /* cut short */
		SN_STR("\xc3("),            /* no continuation */
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_false(sn_utf8_valid(bad[i]));
}

static void cut_leaves_whole_characters(void **state)
{
	struct sn_str text = SN_STR("ab\xe2\x82\xac\xf0\x9f\x98\x80");

	(void)state;
	assert_int_equal(sn_utf8_cut(text, 20), 9);
	assert_int_equal(sn_utf8_cut(text, 9), 9);
	assert_int_equal(sn_utf8_cut(text, 8), 5);
	assert_int_equal(sn_utf8_cut(text, 6), 5);
	assert_int_equal(sn_utf8_cut(text, 5), 5);
	assert_int_equal(sn_utf8_cut(text, 4), 2);
	assert_int_equal(sn_utf8_cut(text, 2), 2);
	assert_int_equal(sn_utf8_cut(text, 0), 0);
	/* What is not UTF-8 is cut at the limit. */
	assert_int_equal(sn_utf8_cut(SN_STR("\x80\x80\x80\x80\x80\x80"), 5), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_text_is_taken),
		cmocka_unit_test(what_rfc_3629_forbids_is_refused),
		cmocka_unit_test(cut_leaves_whole_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
