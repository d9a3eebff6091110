/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/notify.h"

/* A service manager: a datagram socket in the abstract namespace, named in the environment. */
static int manager(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int n = snprintf(name, sizeof(name), "@sonde-test-notify-%ld", (long)getpid());

	assert_true(fd >= 0);
	memcpy(address.sun_path + 1, name + 1, (size_t)n - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void the_service_manager_is_told(void **state)
{
	int fd = manager();
	char text[64] = {0};

	(void)state;
	sn_notify("READY=1");
	assert_int_equal(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 7);
	assert_string_equal(text, "READY=1");
	close(fd);
	sn_notify("STOPPING=1"); /* to a manager that has gone: no harm */
	unsetenv("NOTIFY_SOCKET");
}

static void without_a_service_manager_nothing_happens(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	sn_notify("READY=1");
	setenv("NOTIFY_SOCKET", "relative/path", 1);
	sn_notify("READY=1");
	unsetenv("NOTIFY_SOCKET");
}

/* In a child, because the descriptors are those from 3 on and the variables name a process. */
static int handed_over(const char *pid, const char *count)
{
	char own[32];
	pid_t child = fork();
	int status;

	if (child == 0) {
		snprintf(own, sizeof(own), "%ld", (long)getpid());
		setenv("LISTEN_PID", pid != NULL ? pid : own, 1);
		setenv("LISTEN_FDS", count, 1);
		dup2(0, 3);
		int got = sn_notify_listen_fds();
		if (getenv("LISTEN_FDS") != NULL || getenv("LISTEN_PID") != NULL)
			_exit(100);
		if (got > 0 && (fcntl(3, F_GETFD) & FD_CLOEXEC) == 0)
			_exit(101);
		_exit(got);
	}
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

static void sockets_that_were_handed_over_are_taken_and_not_passed_on(void **state)
{
	(void)state;
	assert_int_equal(handed_over(NULL, "1"), 1);
}

static void what_was_meant_for_another_process_is_left_alone(void **state)
{
	(void)state;
	assert_int_equal(handed_over("1", "1"), 0);
	assert_int_equal(handed_over(NULL, "many"), 0);
	assert_int_equal(handed_over(NULL, "65"), 0);
	assert_int_equal(handed_over(NULL, "-1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_service_manager_is_told),
		cmocka_unit_test(without_a_service_manager_nothing_happens),
		cmocka_unit_test(sockets_that_were_handed_over_are_taken_and_not_passed_on),
		cmocka_unit_test(what_was_meant_for_another_process_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
