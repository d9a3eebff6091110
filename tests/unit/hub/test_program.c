/* SPDX-License-Identifier: Apache-2.0 */
/* The program sonde-hub itself: options, first line, signals, exit codes. */
#include "lib/test.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

static char dir[64];

static int start(void **state)
{
	(void)state;
	if (getenv("SONDE_HUB") == NULL)
		fail_msg("SONDE_HUB does not name the program");
	snprintf(dir, sizeof(dir), "/tmp/sonde-hub-program-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	sn_fs_remove_tree(dir, NULL);
	return 0;
}

/* Starts the program with both outputs in a pipe; its end in *out. */
static pid_t run(const char *const *arguments, int *out)
{
	const char *argv[16] = {getenv("SONDE_HUB")};
	int pipe_fds[2];
	pid_t pid;

	for (size_t i = 0; arguments[i] != NULL; i++)
		argv[i + 1] = arguments[i];
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_fds[1], 1);
		dup2(pipe_fds[1], 2);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(pipe_fds[1]);
	*out = pipe_fds[0];
	return pid;
}

/* Exit code and all output of a run that ends by itself. */
static int finish(const char *const *arguments, char *text, size_t size)
{
	int out, status;
	pid_t pid = run(arguments, &out);
	size_t n = 0;
	ssize_t got;

	while (n + 1 < size && (got = read(out, text + n, size - n - 1)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void configuration_is_checked_and_printed(void **state)
{
	char text[8192];

	(void)state;
	assert_int_equal(finish(ARGS("--check-config"), text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(
		finish(ARGS("--print-config", "--set", "retention_days=7"), text, sizeof(text)), 0);
	assert_non_null(strstr(text, "retention_days: 7\n"));
	assert_int_equal(finish(ARGS("--set", "retention_days=x"), text, sizeof(text)), 2);
	assert_non_null(strstr(text, "retention_days"));
	assert_int_equal(finish(ARGS("--set", "heartbeat_intervall=1s"), text, sizeof(text)), 2);
	assert_non_null(strstr(text, "'heartbeat_interval'"));
	assert_int_equal(finish(ARGS("--nonsense"), text, sizeof(text)), 2);
}

static void printed_configuration_can_be_read_back(void **state)
{
	char text[8192], again[8192];
	sn_autofree char *file = sn_fs_join(dir, "hub.yaml");

	(void)state;
	assert_int_equal(
		finish(ARGS("--print-config", "--state", dir, "--set", "names=a.example,b.example"),
		       text, sizeof(text)),
		0);
	assert_int_equal(sn_fs_write_atomic(file, text, strlen(text), 0600, NULL), 0);
	assert_int_equal(finish(ARGS("--print-config", "--config", file), again, sizeof(again)), 0);
	assert_string_equal(text, again);
}

static void broken_file_is_named_with_line_and_key(void **state)
{
	static const char yaml[] = "state: /nonexistent\nlocals: 127.0.0.1:0\n";
	sn_autofree char *file = sn_fs_join(dir, "broken.yaml");
	char text[4096];

	(void)state;
	assert_int_equal(sn_fs_write_atomic(file, yaml, strlen(yaml), 0600, NULL), 0);
	assert_int_equal(finish(ARGS("--config", file, "--check-config"), text, sizeof(text)), 2);
	assert_non_null(strstr(text, "broken.yaml"));
	assert_non_null(strstr(text, "line 2"));
	assert_non_null(strstr(text, "locals"));
}

/* The first line of a program that goes on, as JSON. */
static json_t *first_line(int out)
{
	char text[4096];
	size_t n = 0;

	while (n + 1 < sizeof(text) && read(out, text + n, 1) == 1 && text[n] != '\n')
		n++;
	text[n] = '\0';
	return json_loads(text, 0, NULL);
}

static void hub_says_where_it_is_and_ends_on_a_signal(void **state)
{
	sn_autofree char *json_file = sn_fs_join(dir, "hub.json");
	int out, status;
	pid_t pid = run(ARGS("--state", dir, "--set", "local=127.0.0.1:0", "--set",
			     "listen=127.0.0.1:0", "--set", "announce=false", "--set",
			     "log_level=error", "--json"),
			&out);
	json_t *said = first_line(out);

	(void)state;
	assert_non_null(said);
	assert_int_equal(json_integer_value(json_object_get(said, "pid")), pid);
	assert_memory_equal(json_string_value(json_object_get(said, "url")),
			    "http://127.0.0.1:", 17);
	assert_non_null(
		strstr(json_string_value(json_object_get(said, "login_url")), "/login?token="));
	assert_memory_equal(json_string_value(json_object_get(said, "node_url")),
			    "https://127.0.0.1:", 18);
	assert_true(sn_fs_exists(json_file));
	json_decref(said);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_false(sn_fs_exists(json_file));
	close(out);
}

static void hub_that_was_killed_starts_again(void **state)
{
	int out, status;

	(void)state;
	for (int i = 0; i < 3; i++) {
		pid_t pid = run(ARGS("--state", dir, "--set", "local=127.0.0.1:0", "--set",
				     "listen=", "--set", "announce=false", "--set",
				     "log_level=error", "--json"),
				&out);
		json_t *said = first_line(out);

		assert_non_null(said);
		json_decref(said);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		close(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration_is_checked_and_printed),
		cmocka_unit_test(printed_configuration_can_be_read_back),
		cmocka_unit_test(broken_file_is_named_with_line_and_key),
		cmocka_unit_test(hub_says_where_it_is_and_ends_on_a_signal),
		cmocka_unit_test(hub_that_was_killed_starts_again),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
