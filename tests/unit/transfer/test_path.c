/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "transfer/path.h"

static int check(const char *path)
{
	return sn_math_path_check(sn_str(path), NULL);
}

static void paths_of_logs_pass(void **state)
{
	(void)state;
	assert_int_equal(check("log_tcp_complete"), 0);
	assert_int_equal(check("2026_03_01_12_00.out/log_tcp_complete.gz"), 0);
	assert_int_equal(check("a/b/2026_03_01_12_00.out/log tcp ü"), 0);
}

static void paths_that_could_lead_elsewhere_are_refused(void **state)
{
	static const char *const paths[] = {
		"",         "/etc/passwd", "../../etc/passwd", "a/../b", "a/..", "./a",  "a/./b",
		"a//b",     "a/",          ".hidden",          "a/.b",   "a\\b", "a\nb", "a\x7f",
		"\xff\xfe",
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(paths); i++) {
		struct sn_err err = {0};

		assert_int_equal(sn_math_path_check(sn_str(paths[i]), &err), -EINVAL);
		assert_true(err.text[0] != '\0');
	}
	assert_int_equal(sn_math_path_check((struct sn_str){"a\0b", 3}, NULL), -EINVAL);
}

static void paths_have_limits(void **state)
{
	char path[SN_MATH_PATH_MAX + 2];
	char deep[2 * SN_MATH_DEPTH_MAX + 4] = "";

	(void)state;
	memset(path, 'a', sizeof(path));
	path[SN_MATH_PATH_MAX] = '\0';
	assert_int_equal(check(path), 0);
	path[SN_MATH_PATH_MAX] = 'a';
	path[SN_MATH_PATH_MAX + 1] = '\0';
	assert_int_equal(check(path), -EINVAL);
	for (int i = 0; i < SN_MATH_DEPTH_MAX; i++)
		strcat(deep, i == 0 ? "a" : "/a");
	assert_int_equal(check(deep), 0);
	strcat(deep, "/a");
	assert_int_equal(check(deep), -EINVAL);
}

static void names_of_directories_are_times(void **state)
{
	int64_t unix_s;

	(void)state;
	assert_int_equal(sn_math_directory_time(SN_STR("2026_03_01_12_05.out"), false, &unix_s), 0);
	assert_int_equal(unix_s, 1772366700);
	assert_int_equal(sn_math_directory_time(SN_STR("2026_03_01_12_05_07.out"), false, &unix_s),
			 0);
	assert_int_equal(unix_s, 1772366707);
	assert_int_equal(sn_math_directory_time(SN_STR("2026_02_30_12_05.out"), false, &unix_s),
			 -EINVAL);
	assert_int_equal(sn_math_directory_time(SN_STR("2026_3_1_12_05.out"), false, &unix_s),
			 -EINVAL);
	assert_int_equal(sn_math_directory_time(SN_STR("2026_03_01_12.out"), false, &unix_s),
			 -EINVAL);
	assert_int_equal(sn_math_directory_time(SN_STR("2026_03_01_12_05"), false, &unix_s),
			 -EINVAL);
	assert_int_equal(sn_math_path_time(SN_STR("x/2026_03_01_12_05.out/log"), false),
			 1772366700);
	assert_true(sn_math_path_time(SN_STR("2026_03_01_12_05.out"), false) ==
		    SN_MATH_TIME_UNKNOWN);
	assert_true(sn_math_path_time(SN_STR("2026_03_01_12_05.out/a/log"), false) ==
		    SN_MATH_TIME_UNKNOWN);
}

static void local_time_is_that_of_the_machine(void **state)
{
	int64_t unix_s;

	(void)state;
	setenv("TZ", "UTC-2", 1); /* two hours east */
	tzset();
	assert_int_equal(sn_math_directory_time(SN_STR("2026_03_01_12_05.out"), true, &unix_s), 0);
	assert_int_equal(unix_s, 1772366700 - 7200);
	assert_int_equal(sn_math_start_time("2026-03-01T12:05:00", true, &unix_s), 0);
	assert_int_equal(unix_s, 1772366700 - 7200);
	assert_int_equal(sn_math_start_time("2026-03-01T12:05:00", false, &unix_s), 0);
	assert_int_equal(unix_s, 1772366700);
	assert_int_equal(sn_math_start_time("2026-03-01T12:05:00+01:00", true, &unix_s), 0);
	assert_int_equal(unix_s, 1772366700 - 3600);
	assert_int_equal(sn_math_start_time("2026-03-01 12:05:00", false, &unix_s), -EINVAL);
	unsetenv("TZ");
	tzset();
}

static void streams_have_plain_names(void **state)
{
	(void)state;
	assert_true(sn_math_stream_is_good(SN_STR("lab-1.tcp_x")));
	assert_false(sn_math_stream_is_good(SN_STR("")));
	assert_false(sn_math_stream_is_good(SN_STR(".x")));
	assert_false(sn_math_stream_is_good(SN_STR("a/b")));
	assert_false(sn_math_stream_is_good(SN_STR("a b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_of_logs_pass),
		cmocka_unit_test(paths_that_could_lead_elsewhere_are_refused),
		cmocka_unit_test(paths_have_limits),
		cmocka_unit_test(names_of_directories_are_times),
		cmocka_unit_test(local_time_is_that_of_the_machine),
		cmocka_unit_test(streams_have_plain_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
