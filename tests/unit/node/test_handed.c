/* SPDX-License-Identifier: Apache-2.0 */
/* What a process is given beside its parameters, in order and with its descriptors. */
#include "lib/test.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/run/handed.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void options_stand_behind_program_and_verb(void **state)
{
	char words[][20] = {"/bin/sonde-probe", "ping", "--count", "3", "host"};
	char *argv[] = {words[0], words[1], words[2], words[3], words[4], NULL};
	static const char *const expected[] = {
		"/bin/sonde-probe", "ping", "--control", "/run/x", "--keep", "3",
		"--count",          "3",    "host",      NULL};
	struct sn_handed handed = {0};
	sn_autofree const char **out = NULL;

	(void)state;
	sn_handed_add(&handed, "--control", "/run/x");
	sn_handed_add(&handed, "--keep", "3");
	out = sn_handed_argv(&handed, argv, 2);
	for (size_t i = 0; expected[i] != NULL; i++)
		assert_string_equal(out[i], expected[i]);
	assert_null(out[9]);
	sn_handed_finish(&handed);
}

static void nothing_handed_changes_nothing(void **state)
{
	char words[][20] = {"sonde-meter", "--json"};
	char *argv[] = {words[0], words[1], NULL};
	struct sn_handed handed = {0};
	sn_autofree const char **out = sn_handed_argv(&handed, argv, 1);

	(void)state;
	assert_string_equal(out[0], "sonde-meter");
	assert_string_equal(out[1], "--json");
	assert_null(out[2]);
	sn_handed_finish(&handed);
}

static void descriptors_are_named_by_their_number_there_and_closed(void **state)
{
	int first = dup(0), second = dup(0);
	struct sn_handed handed = {0};

	(void)state;
	sn_handed_add_fd(&handed, "--capture-fd", "", first);
	sn_handed_add(&handed, "--keep", "3");
	sn_handed_add_fd(&handed, "--never-probe", "/proc/self/fd/", second);
	assert_string_equal(handed.values[0], "3");
	assert_string_equal(handed.values[2], "/proc/self/fd/4");
	assert_int_equal(handed.fd_count, 2);
	assert_int_equal(handed.fds[0], first);
	assert_int_equal(handed.fds[1], second);
	assert_true(is_open(first) && is_open(second));
	sn_handed_finish(&handed);
	assert_false(is_open(first) || is_open(second));
}

static void values_are_copies(void **state)
{
	char value[] = "lo.sock";
	struct sn_handed handed = {0};

	(void)state;
	sn_handed_add(&handed, "--control", value);
	value[0] = 'x';
	assert_string_equal(handed.values[0], "lo.sock");
	sn_handed_finish(&handed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_behind_program_and_verb),
		cmocka_unit_test(nothing_handed_changes_nothing),
		cmocka_unit_test(descriptors_are_named_by_their_number_there_and_closed),
		cmocka_unit_test(values_are_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
