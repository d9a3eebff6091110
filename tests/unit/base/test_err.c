/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void the_place_that_knows_gives_code_and_reason(void **state)
{
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_err_set(&err, -EINVAL, "key '%s' is missing", "state"), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, "key 'state' is missing");
}

static void a_system_error_brings_its_own_words(void **state)
{
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_err_sys(&err, -ENOENT, "cannot open '%s'", "x"), -ENOENT);
	assert_string_equal(err.text, "cannot open 'x': No such file or directory");
}

static void the_way_up_adds_what_was_being_done(void **state)
{
	struct sn_err err = {0};

	(void)state;
	sn_err_set(&err, -EPERM, "not root");
	assert_int_equal(sn_err_wrap(&err, "cannot build '%s'", "demo"), -EPERM);
	assert_string_equal(err.text, "cannot build 'demo': not root");
}

static void a_text_too_long_is_cut_and_terminated(void **state)
{
	char word[SN_ERR_TEXT_MAX + 10];
	struct sn_err err = {0};

	(void)state;
	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	sn_err_sys(&err, -EIO, "%s", word);
	assert_int_equal(strlen(err.text), SN_ERR_TEXT_MAX - 1);
	sn_err_wrap(&err, "%s", word);
	assert_int_equal(strlen(err.text), SN_ERR_TEXT_MAX - 1);
}

static void a_caller_that_does_not_ask_still_learns_of_the_failure(void **state)
{
	(void)state;
	assert_int_equal(sn_err_set(NULL, -EBUSY, "x"), -EBUSY);
	assert_int_equal(sn_err_sys(NULL, -EBUSY, "x"), -EBUSY);
	assert_true(sn_err_wrap(NULL, "x") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_place_that_knows_gives_code_and_reason),
		cmocka_unit_test(a_system_error_brings_its_own_words),
		cmocka_unit_test(the_way_up_adds_what_was_being_done),
		cmocka_unit_test(a_text_too_long_is_cut_and_terminated),
		cmocka_unit_test(a_caller_that_does_not_ask_still_learns_of_the_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
