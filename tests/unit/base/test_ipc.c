/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ipc.h"

static int pair[2];

static int open_pair(void **state)
{
	(void)state;
	return sn_ipc_pair(pair);
}

static int close_pair(void **state)
{
	(void)state;
	close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	return 0;
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(d) != NULL)
		count++;
	closedir(d);
	return count;
}

static void a_message_arrives_as_it_was_sent(void **state)
{
	struct sn_ipc_message sent = {.type = 7, .id = 0xfffffff1, .size = 5, .payload = "hello"};
	struct sn_ipc_message got;

	(void)state;
	assert_int_equal(sn_ipc_send(pair[0], &sent), 0);
	assert_int_equal(sn_ipc_receive(pair[1], &got), 0);
	assert_int_equal(got.type, 7);
	assert_int_equal(got.id, 0xfffffff1);
	assert_int_equal(got.size, 5);
	assert_int_equal(got.fd_count, 0);
	assert_memory_equal(got.payload, "hello", 5);
}

static void the_largest_payload_passes_and_one_byte_more_is_refused(void **state)
{
	static struct sn_ipc_message sent, got;

	(void)state;
	sent = (struct sn_ipc_message){.type = 1, .size = SN_IPC_PAYLOAD_MAX};
	memset(sent.payload, 0xa5, sizeof(sent.payload));
	assert_int_equal(sn_ipc_send(pair[0], &sent), 0);
	assert_int_equal(sn_ipc_receive(pair[1], &got), 0);
	assert_memory_equal(got.payload, sent.payload, SN_IPC_PAYLOAD_MAX);
	sent.size++;
	assert_int_equal(sn_ipc_send(pair[0], &sent), -EMSGSIZE);
}

static void descriptors_travel_and_are_close_on_exec(void **state)
{
	struct sn_ipc_message sent = {.type = 1, .fd_count = SN_IPC_FDS_MAX}, got;
	int pipe_fds[2];
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	for (unsigned i = 0; i < SN_IPC_FDS_MAX; i++)
		sent.fds[i] = pipe_fds[1];
	assert_int_equal(sn_ipc_send(pair[0], &sent), 0);
	assert_int_equal(sn_ipc_receive(pair[1], &got), 0);
	assert_int_equal(got.fd_count, SN_IPC_FDS_MAX);
	assert_int_not_equal(got.fds[3], pipe_fds[1]);
	assert_true(fcntl(got.fds[3], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got.fds[3], "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	sn_ipc_message_close_fds(&got);
	assert_int_equal(got.fds[3], -1);
	sent.fd_count = SN_IPC_FDS_MAX + 1;
	assert_int_equal(sn_ipc_send(pair[0], &sent), -EMSGSIZE);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void send_raw(const void *data, size_t size, unsigned fd_count)
{
	char control[CMSG_SPACE(sizeof(int) * 16)] = "";
	struct iovec iov = {(void *)(uintptr_t)data, size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;
	int fds[16];

	for (unsigned i = 0; i < fd_count; i++)
		fds[i] = 0;
	if (fd_count > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
	}
	assert_int_equal(sendmsg(pair[0], &msg, 0), (int)size);
}

static void malformed_packets_are_refused_and_their_descriptors_closed(void **state)
{
	static const struct {
		const char *why;
		unsigned char bytes[16];
		size_t size;
		unsigned fds;
	} cases[] = {
		{"header cut short", {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, 11, 2},
		{"length above what follows", {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 9}, 13, 1},
		{"length below what follows", {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 13, 0},
		{"length beyond everything", {0, 0, 0, 1, 255, 255, 255, 255, 0, 0, 0, 0}, 12, 1},
		{"too many descriptors", {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 5},
	};
	struct sn_ipc_message got;
	unsigned before = open_fds();

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		send_raw(cases[i].bytes, cases[i].size, cases[i].fds);
		if (sn_ipc_receive(pair[1], &got) != -EPROTO)
			fail_msg("%s: not refused", cases[i].why);
		assert_int_equal(got.fd_count, 0);
		assert_int_equal(got.size, 0);
		assert_int_equal(open_fds(), before);
	}
}

static void a_packet_longer_than_any_message_is_refused(void **state)
{
	static unsigned char large[SN_IPC_PAYLOAD_MAX + 13];
	struct sn_ipc_message got;

	(void)state;
	large[6] = (SN_IPC_PAYLOAD_MAX + 1) >> 8;
	large[7] = (SN_IPC_PAYLOAD_MAX + 1) & 255;
	send_raw(large, sizeof(large), 1);
	assert_int_equal(sn_ipc_receive(pair[1], &got), -EPROTO);
}

static void an_empty_queue_and_a_closed_peer_are_told_apart(void **state)
{
	struct sn_ipc_message got, sent = {.type = 1};

	(void)state;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(sn_ipc_receive(pair[0], &got), -EAGAIN);
	close(pair[1]);
	pair[1] = -1;
	assert_int_equal(sn_ipc_receive(pair[0], &got), -EPIPE);
	assert_int_equal(sn_ipc_send(pair[0], &sent), -EPIPE);
}

static void a_socket_file_gets_its_mode_and_an_old_one_is_replaced(void **state)
{
	char dir[] = "/tmp/sonde-test-XXXXXX", path[64];
	struct sn_err err = {0};
	int first, second, client, server;
	struct stat st;
	pid_t pid;
	uid_t uid;
	gid_t gid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	first = sn_ipc_listen(path, 0600, &err);
	assert_true(first >= 0);
	second = sn_ipc_listen(path, 0666, &err);
	assert_true(second >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	client = sn_ipc_connect(path, &err);
	assert_true(client >= 0);
	assert_int_equal(sn_ipc_accept(first), -EAGAIN);
	server = sn_ipc_accept(second);
	assert_true(server >= 0);
	assert_int_equal(sn_ipc_peer(server, &pid, &uid, &gid), 0);
	assert_int_equal(pid, getpid());
	assert_int_equal(uid, geteuid());
	close(first);
	close(second);
	close(client);
	close(server);
	assert_int_equal(sn_ipc_connect(path, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, path));
	sn_fs_remove_tree(dir, NULL);
}

static void a_path_too_long_for_a_socket_says_so(void **state)
{
	char path[200];
	struct sn_err err = {0};

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(sn_ipc_listen(path, 0600, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "shorter"));
	assert_int_equal(sn_ipc_connect(path, &err), -ENAMETOOLONG);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)
	const struct CMUnitTest tests[] = {
		T(a_message_arrives_as_it_was_sent),
		T(the_largest_payload_passes_and_one_byte_more_is_refused),
		T(descriptors_travel_and_are_close_on_exec),
		T(malformed_packets_are_refused_and_their_descriptors_closed),
		T(a_packet_longer_than_any_message_is_refused),
		T(an_empty_queue_and_a_closed_peer_are_told_apart),
		cmocka_unit_test(a_socket_file_gets_its_mode_and_an_old_one_is_replaced),
		cmocka_unit_test(a_path_too_long_for_a_socket_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
