/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of pings: from the root helper where the user may open none, and only there. */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ipc.h"
#include "base/log.h"
#include "node/run/pings.h"
#include "priv/ops.h"

static char place[64], path[96];
static struct sn_handed handed;
static pid_t helper;

/* Ping sockets are allowed to nobody in a new network namespace. */
static bool forbid_ping_sockets(void)
{
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

#define NEED_NAMESPACE()                                                                           \
	do {                                                                                       \
		if (!forbid_ping_sockets()) {                                                      \
			print_message("# skipped: no network namespace can be made here\n");       \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* The helper, played: a UDP socket of the family that was asked for, which tells which one. */
static void answer_one(int socket_fd)
{
	struct sn_ipc_message request, reply = {.size = sizeof(struct sn_priv_answer)};
	struct sn_priv_interface asked;
	struct pollfd ready = {.fd = socket_fd, .events = POLLIN};

	if (poll(&ready, 1, TEST_PATIENCE_MS) != 1 || sn_ipc_receive(socket_fd, &request) != 0 ||
	    request.type != SN_PRIV_PING_SOCKET || request.size != sizeof(asked))
		return;
	memcpy(&asked, request.payload, sizeof(asked));
	reply.type = request.type;
	reply.id = request.id;
	memset(reply.payload, 0, sizeof(struct sn_priv_answer));
	reply.fds[0] = socket(asked.family, SOCK_DGRAM, 0);
	reply.fd_count = 1;
	sn_ipc_send(socket_fd, &reply);
	close(reply.fds[0]);
}

static void start_helper(void)
{
	struct sn_err err = {0};
	int listener = sn_ipc_listen(path, 0600, &err);

	assert_string_equal(err.text, "");
	helper = fork();
	if (helper == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(2 * TEST_PATIENCE_MS / 1000);
		fcntl(listener, F_SETFL, 0);
		for (;;) {
			int fd = accept(listener, NULL, NULL);

			answer_one(fd);
			close(fd);
		}
	}
	close(listener);
}

static int begin(void **state)
{
	(void)state;
	helper = 0;
	strcpy(place, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(place) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/priv", place);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (helper > 0) {
		kill(helper, SIGKILL);
		waitpid(helper, NULL, 0);
	}
	sn_handed_finish(&handed);
	handed = (struct sn_handed){0};
	return sn_fs_remove_tree(place, NULL);
}

static int family_of(int fd)
{
	int family = -1;
	socklen_t size = sizeof(family);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
	return family;
}

static void a_user_who_may_open_none_gets_one_of_each_family(void **state)
{
	(void)state;
	NEED_NAMESPACE();
	start_helper();
	sn_pings_hand(&handed, &sn_method_ping, path, "test");
	assert_true(handed.fd_count >= 1); /* a kernel without IPv6 has one */
	assert_int_equal(handed.count, handed.fd_count);
	assert_string_equal(handed.options[0], "--socket");
	assert_string_equal(handed.values[0], "3");
	assert_int_equal(family_of(handed.fds[0]), AF_INET);
	if (handed.fd_count > 1) {
		assert_string_equal(handed.values[1], "4");
		assert_int_equal(family_of(handed.fds[1]), AF_INET6);
	}
}

static void without_an_answer_the_probe_tries_by_itself(void **state)
{
	(void)state;
	NEED_NAMESPACE();
	sn_log_set_level(SN_LOG_ERROR);
	sn_pings_hand(&handed, &sn_method_ping, path, "test");
	assert_int_equal(handed.count, 0);
}

static void other_methods_and_nodes_without_a_helper_get_nothing(void **state)
{
	(void)state;
	NEED_NAMESPACE();
	sn_pings_hand(&handed, &sn_method_flow, path, "test");
	sn_pings_hand(&handed, &sn_method_ping, "", "test");
	assert_int_equal(handed.count, 0);
}

static bool allow_ping_sockets(void)
{
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
	bool allowed = fd >= 0 && write(fd, "0 0", 3) == 3;

	if (fd >= 0)
		close(fd);
	return allowed;
}

static void where_ping_sockets_are_allowed_nobody_is_asked(void **state)
{
	(void)state;
	NEED_NAMESPACE();
	if (!allow_ping_sockets())
		skip();
	start_helper();
	sn_pings_hand(&handed, &sn_method_ping, path, "test");
	assert_int_equal(handed.count, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(where_ping_sockets_are_allowed_nobody_is_asked),
		T(a_user_who_may_open_none_gets_one_of_each_family),
		T(without_an_answer_the_probe_tries_by_itself),
		T(other_methods_and_nodes_without_a_helper_get_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
