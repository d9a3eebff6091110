/* SPDX-License-Identifier: Apache-2.0 */
/* `--watch` on a terminal: drawn again and again until Ctrl-C; nowhere else. */
#include "lib/test.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/util.h"

static int show(const struct sn_verb *verb, void *options, int argc, char **argv)
{
	(void)verb;
	(void)options;
	puts(argc > 0 ? argv[0] : "a list");
	return argc > 0 ? SN_EXIT_FAILED : SN_EXIT_OK;
}

static const struct sn_verb verbs[] = {
	{.path = "list", .help = "list", .max_args = 1, .run = show, .watch = true},
	{.path = "drop", .help = "drop", .max_args = 1, .run = show},
};
static const struct sn_program program = {"sonde", "measures", verbs, SN_COUNT(verbs)};

static char screen[65536];

static int call(const char *verb, const char *option, const char *argument)
{
	char words[4][32] = {"sonde"};
	char *argv[] = {words[0], words[1], words[2], words[3], NULL};

	snprintf(words[1], sizeof(words[1]), "%s", verb);
	snprintf(words[2], sizeof(words[2]), "%s", option);
	if (argument == NULL)
		argv[3] = NULL;
	else
		snprintf(words[3], sizeof(words[3]), "%s", argument);
	return sn_cli_main(&program, argument == NULL ? 3 : 4, argv);
}

static unsigned count_of(const char *text)
{
	unsigned count = 0;

	for (const char *at = screen; (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

/* Runs it at a terminal, with Ctrl-C after `frames` drawings; the exit code. */
static int run(const char *verb, const char *option, const char *argument, unsigned frames)
{
	size_t n = 0;
	int terminal, status;
	pid_t pid = forkpty(&terminal, NULL, NULL, NULL);

	if (pid == 0) {
		alarm(30);
		exit(call(verb, option, argument));
	}
	assert_true(pid > 0);
	memset(screen, 0, sizeof(screen));
	for (;;) {
		struct pollfd ready = {.fd = terminal, .events = POLLIN};
		ssize_t got;

		if (poll(&ready, 1, 20000) != 1)
			break;
		got = read(terminal, screen + n, sizeof(screen) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		if (frames > 0 && count_of("a list") >= frames) {
			assert_int_equal(write(terminal, "\003", 1), 1);
			frames = 0;
		}
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(terminal);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int watch(const char *option, const char *argument, unsigned frames)
{
	return run("list", option, argument, frames);
}

/* Its exit code where standard output is no terminal. */
static int watch_to_nowhere(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(30);
		if (freopen("/dev/null", "w", stdout) == NULL ||
		    freopen("/dev/null", "w", stderr) == NULL)
			_exit(99);
		_exit(call("list", "--watch", NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void it_is_drawn_until_ctrl_c(void **state)
{
	(void)state;
	assert_int_equal(watch("--watch=100ms", NULL, 3), SN_EXIT_OK);
	assert_true(count_of("a list") >= 3);
	assert_int_equal(count_of("\033[H\033[2J"), count_of("a list"));
	assert_non_null(strstr(screen, "every 100ms, Ctrl-C ends"));
}

static void without_a_time_it_is_two_seconds(void **state)
{
	(void)state;
	assert_int_equal(watch("--watch", NULL, 1), SN_EXIT_OK);
	assert_non_null(strstr(screen, "every 2s"));
}

static void what_fails_the_first_time_is_not_tried_again(void **state)
{
	(void)state;
	assert_int_equal(watch("--watch=100ms", "nope", 0), SN_EXIT_FAILED);
	assert_int_equal(count_of("nope"), 1);
}

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	assert_int_equal(watch("--watch=1ms", NULL, 0), SN_EXIT_USAGE);
	assert_non_null(strstr(screen, "100ms to 1h"));
	assert_int_equal(watch("--watch=soon", NULL, 0), SN_EXIT_USAGE);
	assert_int_equal(run("drop", "--watch", NULL, 0), SN_EXIT_USAGE);
	assert_int_equal(watch_to_nowhere(), SN_EXIT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_drawn_until_ctrl_c),
		cmocka_unit_test(without_a_time_it_is_two_seconds),
		cmocka_unit_test(what_fails_the_first_time_is_not_tried_again),
		cmocka_unit_test(wrong_usage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
