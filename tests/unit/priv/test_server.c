/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root helper and its client, over a real socket.  The helper runs in a child,
 * because it confines itself.  What it refuses is tested as any user; what it
 * does is tested as root, in namespaces with a prefix of this process.
 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "priv/client.h"
#include "priv/server.h"

#define USER  65534
#define GROUP 65533

#define OTHER_USER 65532

static char prefix[SN_PRIV_NAME_MAX / 2];
static char *program_dir;
static bool two_users; /* of helpers started from now on */

struct helper {
	pid_t pid;
	struct sn_priv *priv;
};

static int can_make_namespaces(void)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(geteuid() == 0 && unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	return status == 0;
}

#define NEED_NAMESPACES()                                                                          \
	do {                                                                                       \
		if (!can_make_namespaces()) {                                                      \
			print_message("# skipped: needs root and CAP_SYS_ADMIN for network "       \
				      "namespaces\n");                                             \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static _Noreturn void run_helper(int fd, const char *socket_path)
{
	struct sn_priv_server_config config = {
		.policy = {.prefix = prefix,
			   .users = {{USER, GROUP}, {OTHER_USER, GROUP}},
			   .user_count = two_users ? 2 : 1},
		.program_dir = program_dir,
		.fd = fd,
		.listen_fd = -1,
		.socket_path = socket_path,
	};
	struct sn_err err = {0};

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sn_log_set_level(SN_LOG_ERROR);
	if (sn_priv_server_run(&config, &err) != 0)
		fprintf(stderr, "helper: %s\n", err.text);
	_exit(err.code == 0 ? 0 : 1);
}

static struct helper start_helper(int *raw_fd)
{
	struct helper helper = {0};
	int fds[2];

	assert_int_equal(sn_ipc_pair(fds), 0);
	fflush(NULL);
	helper.pid = fork();
	if (helper.pid == 0) {
		close(fds[0]);
		run_helper(fds[1], NULL);
	}
	close(fds[1]);
	if (raw_fd != NULL)
		*raw_fd = fds[0];
	else
		helper.priv = sn_priv_from_fd(fds[0]);
	return helper;
}

/* The helper ends with its client, and cleanly. */
static void stop_helper(struct helper *helper)
{
	int status;

	sn_priv_close(helper->priv);
	assert_int_equal(waitpid(helper->pid, &status, 0), helper->pid);
	assert_int_equal(status, 0);
}

static char *netns(const char *name, char out[SN_PRIV_NAME_MAX])
{
	snprintf(out, SN_PRIV_NAME_MAX, "%s%s", prefix, name);
	return out;
}

static bool netns_exists(const char *name)
{
	char full[SN_PRIV_NAME_MAX], path[64];

	snprintf(path, sizeof(path), "/run/netns/%s", netns(name, full));
	return sn_fs_exists(path);
}

static void enter(const char *name)
{
	char full[SN_PRIV_NAME_MAX], path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns(name, full));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(setns(fd, CLONE_NEWNET), 0);
	close(fd);
}

/* Runs a test's inside part in a child that has entered the namespace. */
static int inside(const char *name, int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		enter(name);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void make_netns(struct sn_priv *priv, const char *name)
{
	char full[SN_PRIV_NAME_MAX];
	struct sn_err err = {0};

	if (sn_priv_netns_create(priv, netns(name, full), &err) != 0)
		fail_msg("%s", err.text);
}

static void malformed_requests_are_answered_with_an_error(void **state SN_UNUSED)
{
	struct sn_ipc_message message;
	struct sn_priv_answer answer;
	int fd, status;
	struct helper helper = start_helper(&fd);

	for (uint32_t type = 0; type <= SN_PRIV_OP_COUNT; type++) {
		if (type == SN_PRIV_NETNS_SWEEP)
			continue;
		message = (struct sn_ipc_message){.type = type, .id = type + 7, .size = 5};
		assert_int_equal(sn_ipc_send(fd, &message), 0);
		assert_int_equal(sn_ipc_receive(fd, &message), 0);
		assert_int_equal(message.id, type + 7);
		assert_int_equal(message.type, type);
		assert_int_equal(message.size, sizeof(answer));
		memcpy(&answer, message.payload, sizeof(answer));
		assert_int_equal(answer.error, -EINVAL);
		assert_non_null(strstr(answer.text, "refused"));
	}
	close(fd);
	assert_int_equal(waitpid(helper.pid, &status, 0), helper.pid);
	assert_int_equal(status, 0);
}

static void a_client_that_breaks_the_framing_is_cut_off(void **state SN_UNUSED)
{
	int fd, status;
	struct helper helper = start_helper(&fd);
	struct sn_ipc_message message;

	assert_int_equal(send(fd, "short", 5, 0), 5);
	assert_int_equal(sn_ipc_receive(fd, &message), -EPIPE);
	close(fd);
	assert_int_equal(waitpid(helper.pid, &status, 0), helper.pid);
	assert_int_equal(status, 0);
}

static void a_client_that_sends_descriptors_is_cut_off(void **state SN_UNUSED)
{
	int fd, status;
	struct helper helper = start_helper(&fd);
	struct sn_ipc_message message = {
		.type = SN_PRIV_NETNS_SWEEP, .fds = {STDIN_FILENO}, .fd_count = 1};

	assert_int_equal(sn_ipc_send(fd, &message), 0);
	assert_int_equal(sn_ipc_receive(fd, &message), -EPIPE);
	close(fd);
	assert_int_equal(waitpid(helper.pid, &status, 0), helper.pid);
	assert_int_equal(status, 0);
}

static void refusals_reach_the_caller_with_their_reason(void **state SN_UNUSED)
{
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char full[SN_PRIV_NAME_MAX];
	pid_t pid;

	assert_int_equal(sn_priv_netns_create(helper.priv, "other-a", &err), -EPERM);
	assert_string_equal(err.text,
			    "request 'netns-create' refused: this 'name' is not allowed here");
	assert_int_equal(sn_priv_process_start(helper.priv, netns("a", full), SN_PRIV_PROGRAM_NODE,
					       0, 0, "/c", "/l", &pid, &err),
			 -EPERM);
	assert_int_equal(sn_priv_process_signal(helper.priv, getpid(), SIGTERM, &err), -ESRCH);
	assert_int_equal(
		sn_priv_address_add(helper.priv, netns("a", full), "op0", "192.0.2.1", &err),
		-EINVAL);
	assert_int_equal(sn_priv_route_add(helper.priv, netns("a", full), "2001:db8::/32",
					   "192.0.2.1", &err),
			 -EINVAL);
	stop_helper(&helper);
}

static void the_helper_gives_up_what_it_does_not_need(void **state SN_UNUSED)
{
	struct helper helper = start_helper(NULL);
	sn_autofree char *path = sn_xasprintf("/proc/%d/status", (int)helper.pid);
	struct sn_err err = {0};
	struct sn_buf text = {0};

	/* After the first answer it is confined. */
	assert_int_equal(sn_priv_process_signal(helper.priv, 4711, 0, &err), -ESRCH);
	assert_int_equal(sn_fs_read(path, 65536, &text, &err), 0);
	assert_non_null(strstr(sn_buf_cstr(&text), "NoNewPrivs:\t1\nSeccomp:\t2\n"));
	if (can_make_namespaces()) { /* KILL SETGID SETUID NET_ADMIN NET_RAW SYS_ADMIN */
		assert_non_null(strstr(text.p, "CapInh:\t0000000000000000\n"
					       "CapPrm:\t00000000002030e0\n"
					       "CapEff:\t00000000002030e0\n"
					       "CapBnd:\t00000000002030e0\n"));
	}
	sn_buf_finish(&text);
	stop_helper(&helper);
}

static void a_stranger_is_not_served(void **state SN_UNUSED)
{
	sn_autofree char *path = sn_fs_join(program_dir, "socket");
	struct sn_priv_server_config config = {
		.policy = {.prefix = prefix,
			   .users = {{4242, 4242}, {4243, 4243}},
			   .user_count = 2},
		.program_dir = program_dir,
		.fd = -1,
		.listen_fd = -1,
		.socket_path = path,
	};
	struct sn_err err = {0};
	struct sn_ipc_message message;
	pid_t pid = fork();
	int fd = -1;

	if (pid == 0) {
		sn_log_set_level(SN_LOG_ERROR);
		sn_priv_server_run(&config, &err);
		_exit(0);
	}
	for (int i = 0; i < TEST_PATIENCE_MS / 10 && fd < 0; i++) {
		usleep(10000);
		/* Root is always served; become somebody else for the length of the connect. */
		if (geteuid() == 0)
			assert_int_equal(seteuid(USER), 0);
		fd = sn_ipc_connect(path, &err);
		if (getuid() == 0)
			assert_int_equal(seteuid(0), 0);
	}
	assert_true(fd >= 0);
	assert_int_equal(sn_ipc_receive(fd, &message), -EPIPE);
	close(fd);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static int settings_are_right(void)
{
	static const char *const files[][2] = {
		{"/proc/sys/net/ipv4/ip_forward", "1\n"},
		{"/proc/sys/net/ipv4/ping_group_range", "0\t2147483647\n"},
		{"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0\n"},
		{"/proc/sys/net/ipv6/conf/all/forwarding", "1\n"},
		{"/proc/sys/net/ipv6/conf/default/accept_dad", "0\n"},
	};

	for (size_t i = 0; i < SN_COUNT(files); i++) {
		struct sn_buf text = {0};

		if (sn_fs_read(files[i][0], 100, &text, NULL) != 0 ||
		    strcmp(sn_buf_cstr(&text), files[i][1]) != 0)
			return 1 + (int)i;
		sn_buf_finish(&text);
	}
	return 0;
}

static void a_namespace_is_ready_for_unprivileged_measurement(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char full[SN_PRIV_NAME_MAX];

	make_netns(helper.priv, "a");
	assert_true(netns_exists("a"));
	assert_int_equal(inside("a", settings_are_right), 0);
	assert_int_equal(sn_priv_netns_create(helper.priv, netns("a", full), &err), -EEXIST);
	assert_int_equal(sn_priv_netns_delete(helper.priv, full, &err), 0);
	assert_false(netns_exists("a"));
	assert_int_equal(sn_priv_netns_delete(helper.priv, full, &err), -ENOENT);
	stop_helper(&helper);
}

static void the_helper_sweeps_and_removes_what_it_made_when_its_client_ends(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};

	make_netns(helper.priv, "a");
	make_netns(helper.priv, "b");
	assert_int_equal(sn_priv_netns_sweep(helper.priv, &err), 0);
	assert_false(netns_exists("a"));
	make_netns(helper.priv, "c");
	stop_helper(&helper);
	assert_false(netns_exists("b"));
	assert_false(netns_exists("c"));
}

/* Connects with TCP to what listens at 192.0.2.2 and at 2001:db8::2. */
static int connect_both(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(443)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
	int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_INET6, SOCK_STREAM, 0);

	inet_pton(AF_INET, "192.0.2.2", &in.sin_addr);
	inet_pton(AF_INET6, "2001:db8::2", &in6.sin6_addr);
	if (connect(a, (struct sockaddr *)&in, sizeof(in)) != 0)
		return 1;
	return connect(b, (struct sockaddr *)&in6, sizeof(in6)) == 0 ? 0 : 2;
}

/* Two namespaces a and b, a veth "op0" in each, 192.0.2.1 and .2, 2001:db8::1 and ::2. */
static void make_pair(struct sn_priv *priv)
{
	struct sn_err err = {0};
	char a[SN_PRIV_NAME_MAX], b[SN_PRIV_NAME_MAX];
	int code = 0;

	make_netns(priv, "a");
	make_netns(priv, "b");
	netns("a", a);
	netns("b", b);
	code = sn_priv_veth_create(priv, a, "op0", b, "op0", &err);
	code = code != 0 ? code : sn_priv_address_add(priv, a, "op0", "192.0.2.1/24", &err);
	code = code != 0 ? code : sn_priv_address_add(priv, a, "op0", "2001:db8::1/64", &err);
	code = code != 0 ? code : sn_priv_address_add(priv, b, "op0", "192.0.2.2/24", &err);
	code = code != 0 ? code : sn_priv_address_add(priv, b, "op0", "2001:db8::2/64", &err);
	code = code != 0 ? code : sn_priv_link_set(priv, a, "op0", 1, &err);
	code = code != 0 ? code : sn_priv_link_set(priv, b, "op0", 1, &err);
	code = code != 0 ? code : sn_priv_route_add(priv, a, "198.51.100.0/24", "192.0.2.2", &err);
	code = code != 0 ? code : sn_priv_route_add(priv, a, "default", "2001:db8::2", &err);
	if (code != 0)
		fail_msg("%s", err.text);
}

static void a_listener_inside_accepts_over_the_link_with_both_families(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char b[SN_PRIV_NAME_MAX];
	static const uint8_t any[16];
	int listener;

	make_pair(helper.priv);
	listener = sn_priv_listen_socket(helper.priv, netns("b", b), AF_INET6, any, 443, &err);
	assert_true(listener >= 0);
	assert_int_equal(inside("a", connect_both), 0);
	for (int i = 0; i < 2; i++) {
		int accepted = accept(listener, NULL, NULL);

		assert_true(accepted >= 0);
		close(accepted);
	}
	close(listener);
	stop_helper(&helper);
}

static void capture_sees_the_frames_of_its_interface(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char b[SN_PRIV_NAME_MAX];
	char frame[2048];
	int capture;

	make_pair(helper.priv);
	capture = sn_priv_capture_socket(helper.priv, netns("b", b), "op0", &err);
	assert_true(capture >= 0);
	/* Nobody listens: the refusal crosses the link as well. */
	assert_int_equal(inside("a", connect_both), 1);
	assert_true(recv(capture, frame, sizeof(frame), MSG_DONTWAIT) >= 14);
	close(capture);
	assert_int_equal(sn_priv_capture_socket(helper.priv, b, "op7", &err), -ENODEV);
	stop_helper(&helper);
}

static void a_ping_socket_speaks_icmp_in_its_namespace(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char a[SN_PRIV_NAME_MAX];
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	struct icmp6_hdr echo = {.icmp6_type = ICMP6_ECHO_REQUEST};
	struct pollfd wait = {.events = POLLIN};
	bool answered = false;
	int fd;

	make_pair(helper.priv);
	fd = sn_priv_ping_socket(helper.priv, netns("a", a), AF_INET6, &err);
	assert_true(fd >= 0);
	inet_pton(AF_INET6, "2001:db8::2", &to.sin6_addr);
	assert_int_equal(sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(echo));
	wait.fd = fd;
	for (int i = 0; i < 20 && !answered && poll(&wait, 1, TEST_PATIENCE_MS) == 1; i++) {
		struct icmp6_hdr reply = {0};

		assert_true(recv(fd, &reply, sizeof(reply), 0) > 0);
		answered = reply.icmp6_type == ICMP6_ECHO_REPLY;
	}
	assert_true(answered);
	close(fd);
	stop_helper(&helper);
}

static void a_tap_device_lives_as_long_as_its_descriptor(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char a[SN_PRIV_NAME_MAX];
	int tap;

	make_netns(helper.priv, "a");
	tap = sn_priv_tap_create(helper.priv, netns("a", a), "op0", &err);
	assert_true(tap >= 0);
	assert_int_equal(sn_priv_link_set(helper.priv, a, "op0", 1, &err), 0);
	assert_int_equal(sn_priv_tap_create(helper.priv, a, "op0", &err), -EBUSY);
	close(tap);
	assert_int_equal(sn_priv_link_set(helper.priv, a, "op0", 1, &err), -ENODEV);
	stop_helper(&helper);
}

/* Stands in for a program of the table: says who and where it is, then stays. */
static const char script[] =
	"#!/bin/sh\n"
	"echo \"$1 $2 $(id -u) $(id -g) $(id -G) $(ls /proc/self/fd | tr '\\n' ' ')\"\n"
	"grep -E 'Cap(Eff|Prm|Amb)|NoNewPrivs' /proc/self/status | tr -s '\\t\\n' '  '\n"
	"ls /sys/class/net >/dev/null; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' \\n'\n"
	"echo .\n"
	"exec sleep 60\n";

static char *wait_for_text(const char *path, const char *end)
{
	for (int i = 0; i < 500; i++) {
		struct sn_buf text = {0};

		if (sn_fs_read(path, 65536, &text, NULL) == 0 &&
		    strstr(sn_buf_cstr(&text), end) != NULL)
			return text.p;
		sn_buf_finish(&text);
		usleep(10000);
	}
	fail_msg("'%s' never said '%s'", path, end);
	return NULL;
}

static void a_program_runs_as_the_user_in_its_namespace_and_dies_with_the_client(
	void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char a[SN_PRIV_NAME_MAX];
	sn_autofree char *log = sn_fs_join(program_dir, "log/out");
	sn_autofree char *text = NULL;
	pid_t pid = -1;

	make_netns(helper.priv, "a");
	if (sn_priv_process_start(helper.priv, netns("a", a), SN_PRIV_PROGRAM_DEMO_HOST, USER,
				  GROUP, "/the/config", log, &pid, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(sn_priv_process_signal(helper.priv, pid, 0, &err), 0);
	text = wait_for_text(log, ".\n");
	assert_string_equal(text, "--config /the/config 65534 65533 65533 0 1 2 3 \n"
				  "CapPrm: 0000000000000000 CapEff: 0000000000000000 "
				  "CapAmb: 0000000000000000 NoNewPrivs: 1 lo.\n");
	stop_helper(&helper);
	/* Killed and reaped before the helper ended. */
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void an_ended_program_is_no_longer_known(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char a[SN_PRIV_NAME_MAX];
	sn_autofree char *log = sn_fs_join(program_dir, "log/out2");
	pid_t pid = -1;
	int code = 0;

	make_netns(helper.priv, "a");
	assert_int_equal(sn_priv_process_start(helper.priv, netns("a", a),
					       SN_PRIV_PROGRAM_DEMO_HOST, USER, GROUP, "/c", log,
					       &pid, &err),
			 0);
	assert_int_equal(sn_priv_process_signal(helper.priv, pid, SIGKILL, &err), 0);
	test_until(code != 0,
		   (usleep(10000), code = sn_priv_process_signal(helper.priv, pid, 0, &err)));
	assert_int_equal(code, -ESRCH);
	stop_helper(&helper);
}

static void what_keeps_a_program_from_starting_is_told(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char a[SN_PRIV_NAME_MAX];
	sn_autofree char *log = sn_fs_join(program_dir, "log/out3");
	pid_t pid = -1;

	make_netns(helper.priv, "a");
	netns("a", a);
	assert_int_equal(sn_priv_process_start(helper.priv, a, SN_PRIV_PROGRAM_PROBE, USER, GROUP,
					       "/c", log, &pid, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "sonde-probe"));
	/* The log is opened as the user, who may not write here. */
	assert_int_equal(sn_priv_process_start(helper.priv, a, SN_PRIV_PROGRAM_DEMO_HOST, USER,
					       GROUP, "/c", "/etc/sonde-test.log", &pid, &err),
			 -EACCES);
	assert_int_equal(sn_priv_process_start(helper.priv, netns("zz", a),
					       SN_PRIV_PROGRAM_DEMO_HOST, USER, GROUP, "/c", log,
					       &pid, &err),
			 -ENOENT);
	stop_helper(&helper);
}

/* Opening it would wait for a reader, and the helper for the child that opens it. */
static void a_log_that_cannot_be_opened_at_once_holds_nobody_up(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper helper = start_helper(NULL);
	struct sn_err err = {0};
	char a[SN_PRIV_NAME_MAX];
	sn_autofree char *log = sn_fs_join(program_dir, "log/fifo");
	pid_t pid = -1;

	make_netns(helper.priv, "a");
	assert_int_equal(mkfifo(log, 0666), 0);
	assert_int_equal(chmod(log, 0666), 0);
	assert_int_equal(sn_priv_process_start(helper.priv, netns("a", a),
					       SN_PRIV_PROGRAM_DEMO_HOST, USER, GROUP, "/c", log,
					       &pid, &err),
			 -ENXIO);
	stop_helper(&helper);
}

static int own_capture(void)
{
	char path[64];
	struct sn_priv *priv;
	struct sn_err err = {0};

	snprintf(path, sizeof(path), "%s/socket", program_dir);
	/* Becoming somebody else takes the rights away, as for a real client. */
	if (setregid(GROUP, GROUP) != 0 || setreuid(USER, USER) != 0 ||
	    sn_priv_connect(path, &priv, &err) != 0)
		return 1;
	/* Only our own namespace has it. */
	if (sn_priv_capture_socket(priv, "", "op0", &err) < 0)
		return 2;
	return sn_priv_capture_socket(priv, "", "op9", &err) == -ENODEV ? 0 : 3;
}

static void an_empty_name_is_the_namespace_the_client_connected_from(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper maker = start_helper(NULL);
	sn_autofree char *path = sn_fs_join(program_dir, "socket");
	pid_t server = fork();

	if (server == 0)
		run_helper(-1, path);
	make_pair(maker.priv);
	test_until(sn_fs_exists(path), usleep(10000));
	assert_int_equal(inside("a", own_capture), 0);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	stop_helper(&maker);
}

static int start_as_both(void)
{
	char path[64], log[64], full[SN_PRIV_NAME_MAX];
	struct sn_priv *priv;
	struct sn_err err = {0};
	pid_t pid;

	snprintf(path, sizeof(path), "%s/socket", program_dir);
	snprintf(log, sizeof(log), "%s/log/both", program_dir);
	netns("a", full);
	if (setregid(GROUP, GROUP) != 0 || setreuid(USER, USER) != 0 ||
	    sn_priv_connect(path, &priv, &err) != 0)
		return 1;
	if (sn_priv_process_start(priv, full, SN_PRIV_PROGRAM_DEMO_HOST, OTHER_USER, GROUP, "/c",
				  log, &pid, &err) != -EPERM)
		return 2;
	return sn_priv_process_start(priv, full, SN_PRIV_PROGRAM_DEMO_HOST, USER, GROUP, "/c", log,
				     &pid, &err) == 0
		       ? 0
		       : 3;
}

/* The log alone would let one user write into any file of the other. */
static void one_user_starts_nothing_as_another(void **state SN_UNUSED)
{
	NEED_NAMESPACES();
	struct helper maker = start_helper(NULL);
	sn_autofree char *path = sn_fs_join(program_dir, "socket");
	pid_t server;

	two_users = true;
	server = fork();
	if (server == 0)
		run_helper(-1, path);
	two_users = false;
	make_netns(maker.priv, "a");
	test_until(sn_fs_exists(path), usleep(10000));
	assert_int_equal(inside("a", start_as_both), 0);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	stop_helper(&maker);
}

static int prepare(void **state SN_UNUSED)
{
	sn_autofree char *log_dir = NULL, *program = NULL;

	snprintf(prefix, sizeof(prefix), "st%d-", (int)getpid());
	program_dir = sn_xstrdup("/tmp/sonde-priv-test-XXXXXX");
	if (mkdtemp(program_dir) == NULL || chmod(program_dir, 0755) != 0)
		return -1;
	log_dir = sn_fs_join(program_dir, "log");
	program = sn_fs_join(program_dir, "sonde-demo-host");
	if (mkdir(log_dir, 0777) != 0 || chmod(log_dir, 0777) != 0)
		return -1;
	return sn_fs_write_atomic(program, script, sizeof(script) - 1, 0755, NULL);
}

static int clean_up(void **state SN_UNUSED)
{
	int code = sn_fs_remove_tree(program_dir, NULL);

	free(program_dir);
	return code;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_requests_are_answered_with_an_error),
		cmocka_unit_test(a_client_that_breaks_the_framing_is_cut_off),
		cmocka_unit_test(a_client_that_sends_descriptors_is_cut_off),
		cmocka_unit_test(refusals_reach_the_caller_with_their_reason),
		cmocka_unit_test(the_helper_gives_up_what_it_does_not_need),
		cmocka_unit_test(a_stranger_is_not_served),
		cmocka_unit_test(a_namespace_is_ready_for_unprivileged_measurement),
		cmocka_unit_test(the_helper_sweeps_and_removes_what_it_made_when_its_client_ends),
		cmocka_unit_test(a_listener_inside_accepts_over_the_link_with_both_families),
		cmocka_unit_test(capture_sees_the_frames_of_its_interface),
		cmocka_unit_test(a_ping_socket_speaks_icmp_in_its_namespace),
		cmocka_unit_test(a_tap_device_lives_as_long_as_its_descriptor),
		cmocka_unit_test(
			a_program_runs_as_the_user_in_its_namespace_and_dies_with_the_client),
		cmocka_unit_test(an_ended_program_is_no_longer_known),
		cmocka_unit_test(what_keeps_a_program_from_starting_is_told),
		cmocka_unit_test(a_log_that_cannot_be_opened_at_once_holds_nobody_up),
		cmocka_unit_test(an_empty_name_is_the_namespace_the_client_connected_from),
		cmocka_unit_test(one_user_starts_nothing_as_another),
	};

	return cmocka_run_group_tests(tests, prepare, clean_up);
}
