/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/privilege.h"

/* The line of /proc/self/status that begins with `name`. */
static bool status_is(const char *name, const char *value)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");
	bool found = false;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		found |= strncmp(line, name, strlen(name)) == 0 && strstr(line, value) != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

static int in_child(int (*work)(void))
{
	pid_t child = fork();
	int status = -1;

	assert_true(child >= 0);
	if (child == 0)
		_exit(work());
	waitpid(child, &status, 0);
	return status;
}

static int drop_and_look(void)
{
	struct sn_err err;

	if (sn_privilege_drop("sonde-probe", &err) != 0)
		return 1;
	if (!status_is("CapPrm:", "0000000000000000") || !status_is("CapEff:", "0000000000000000"))
		return 2;
	if (geteuid() == 0)
		return 3;
	return status_is("NoNewPrivs:", "1") ? 0 : 4;
}

static int drop_and_open(void)
{
	struct sn_err err;

	if (sn_privilege_drop("sonde-probe", &err) != 0)
		return 1;
	return socket(AF_INET, SOCK_RAW, 1) < 0 ? 0 : 2;
}

static int drop_and_ask(void)
{
	struct sn_err err;
	int number = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (sn_privilege_drop("sonde-probe", &err) != 0)
		return 1;
	return prctl(PR_GET_PDEATHSIG, &number, 0, 0, 0) == 0 && number == SIGKILL ? 0 : 2;
}

static void nothing_is_left_afterwards(void **state)
{
	(void)state;
	assert_int_equal(in_child(drop_and_look), 0);
}

static void raw_sockets_cannot_be_opened_any_more(void **state)
{
	(void)state;
	assert_int_equal(in_child(drop_and_open), 0);
}

static void still_dies_with_its_parent(void **state)
{
	(void)state;
	assert_int_equal(in_child(drop_and_ask), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_afterwards),
		cmocka_unit_test(raw_sockets_cannot_be_opened_any_more),
		cmocka_unit_test(still_dies_with_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
