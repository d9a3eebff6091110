/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define SN_MODULE "test"
#include "base/log.h"

/* Standard error goes into a pipe while a test looks at it. */
static int real_stderr, reader;

static int catch_stderr(void **state)
{
	int fds[2];

	(void)state;
	if (pipe(fds) != 0)
		return -1;
	real_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	reader = fds[0];
	return 0;
}

static const char *caught(void)
{
	static char text[65536];
	ssize_t size;

	dup2(real_stderr, STDERR_FILENO);
	size = read(reader, text, sizeof(text) - 1);
	text[size > 0 ? size : 0] = '\0';
	return text;
}

static int release_stderr(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(reader);
	sn_log_set_level(SN_LOG_NOTICE);
	return 0;
}

static void a_line_has_level_module_and_text(void **state)
{
	(void)state;
	sn_error("cannot open '%s' code=%d", "x", 7);
	sn_warn("second");
	assert_string_equal(caught(), "<3>test: cannot open 'x' code=7\n<4>test: second\n");
}

static void lines_above_the_level_are_dropped(void **state)
{
	(void)state;
	sn_info("not at start");
	assert_int_equal(sn_log_set_level_name("debug"), 0);
	sn_debug("now");
	assert_int_equal(sn_log_set_level_name("error"), 0);
	sn_warn("no more");
	assert_int_equal(sn_log_set_level_name("loud"), -EINVAL);
	assert_int_equal(sn_log_set_level_name(""), -EINVAL);
	assert_string_equal(caught(), "<7>test: now\n");
}

static void text_from_outside_cannot_start_a_line(void **state)
{
	(void)state;
	sn_error("name '%s'", "a\n<3>fake: b\033[2J");
	assert_string_equal(caught(), "<3>test: name 'a?<3>fake: b?[2J'\n");
}

static void a_long_text_is_cut_and_stays_one_line(void **state)
{
	char *text = sn_xmalloc(5001);
	const char *line;

	(void)state;
	memset(text, 'x', 5000);
	text[5000] = '\0';
	sn_error("%s", text);
	free(text);
	line = caught();
	assert_in_range(strlen(line), 1000, 2100);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void errno_is_left_alone(void **state)
{
	(void)state;
	errno = EDOM;
	sn_error("x");
	assert_int_equal(errno, EDOM);
	caught();
}

static void a_call_site_lets_ten_lines_through_and_counts_the_rest(void **state)
{
	struct sn_log_limit limit = {0};
	unsigned held, passed = 0;

	(void)state;
	for (int i = 0; i < 25; i++)
		passed += (unsigned)sn_log_limit_pass(&limit, &held);
	assert_int_equal(passed, 10);
	limit.window_start_ns -= 60 * SN_NS_PER_S;
	assert_true(sn_log_limit_pass(&limit, &held));
	assert_int_equal(held, 15);
	assert_true(sn_log_limit_pass(&limit, &held));
	assert_int_equal(held, 0);
}

static void errors_gather_context_from_inside_out(void **state)
{
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_err_sys(&err, -ENOENT, "cannot open '%s'", "a.yaml"), -ENOENT);
	assert_string_equal(err.text, "cannot open 'a.yaml': No such file or directory");
	assert_int_equal(sn_err_wrap(&err, "node %d", 3), -ENOENT);
	assert_string_equal(err.text, "node 3: cannot open 'a.yaml': No such file or directory");
	assert_int_equal(sn_err_set(NULL, -EINVAL, "x"), -EINVAL);
	assert_int_equal(sn_err_sys(NULL, -EINVAL, "x"), -EINVAL);
	/* The code is not known here; it must not look like success. */
	assert_int_equal(sn_err_wrap(NULL, "x"), -EIO);
}

static void an_error_text_never_runs_over(void **state)
{
	struct sn_err err = {0};
	char text[600];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	sn_err_sys(&err, -ENOENT, "%s", text);
	assert_int_equal(strlen(err.text), SN_ERR_TEXT_MAX - 1);
	sn_err_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.text), SN_ERR_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_has_level_module_and_text, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(lines_above_the_level_are_dropped, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(text_from_outside_cannot_start_a_line, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(a_long_text_is_cut_and_stays_one_line, catch_stderr,
						release_stderr),
		cmocka_unit_test_setup_teardown(errno_is_left_alone, catch_stderr, release_stderr),
		cmocka_unit_test(a_call_site_lets_ten_lines_through_and_counts_the_rest),
		cmocka_unit_test(errors_gather_context_from_inside_out),
		cmocka_unit_test(an_error_text_never_runs_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
