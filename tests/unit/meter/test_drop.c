/* SPDX-License-Identifier: Apache-2.0 */
/* Each test in a child, because what is dropped does not come back. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "meter/capture/drop.h"

static struct sn_drop_needs needs;
static char directory[64];

static int in_child(int (*run)(void))
{
	pid_t pid = fork();
	struct sn_err err;
	int status;

	if (pid == 0) {
		if (sn_drop_privileges(&needs, &err) != 0)
			_exit(100);
		_exit(run());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int start(void **state SN_UNUSED)
{
	needs = (struct sn_drop_needs){0};
	strcpy(directory, "/tmp/sonde-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	chmod(directory, 0777);
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", directory);
	return system(command);
}

/* Attempts: 0 when possible, 1 when refused, else something else went wrong. */

static int outcome(bool done)
{
	return done ? 0 : errno == EPERM ? 1 : 2;
}

static int run_program(void)
{
	static char program[] = "/bin/true";
	char *const argv[] = {program, NULL};

	execv(argv[0], argv);
	return outcome(false);
}

static int make_code(void)
{
	return outcome(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0) != MAP_FAILED);
}

static int watch_another(void)
{
	return outcome(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0);
}

static int signal_another(void)
{
	return outcome(kill(getppid(), 0) == 0);
}

static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return outcome(pid > 0);
}

static int open_socket_of(int family)
{
	return outcome(socket(family, SOCK_DGRAM, 0) >= 0);
}

static int open_inet(void)
{
	return open_socket_of(AF_INET);
}

static int open_packet(void)
{
	return open_socket_of(AF_PACKET);
}

static int read_file(void)
{
	return outcome(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
}

static int write_files(void)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	fd = openat(dir, "a", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return outcome(false);
	return outcome(mkdirat(dir, "b", 0755) == 0 && ftruncate(fd, 10) == 0 && fsync(fd) == 0 &&
		       renameat(dir, "a", dir, "b/c") == 0 && unlinkat(dir, "b/c", 0) == 0 &&
		       unlinkat(dir, "b", AT_REMOVEDIR) == 0);
}

static int create_file(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/x", directory);
	return outcome(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) >= 0);
}

static void *nothing(void *arg)
{
	return arg;
}

static int run_thread(void)
{
	pthread_t thread;
	int result = pthread_create(&thread, NULL, nothing, NULL);

	errno = result;
	return outcome(result == 0 && pthread_join(thread, NULL) == 0);
}

static int send_datagram(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(9),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return outcome(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		       send(fd, "x", 1, 0) == 1);
}

static int look_up(void)
{
	struct addrinfo *found = NULL;
	int result = getaddrinfo("localhost", NULL, NULL, &found);

	if (result == 0)
		freeaddrinfo(found);
	errno = EPERM;
	return outcome(result == 0);
}

static int listener = -1;

static int accept_connection(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	return outcome(fd >= 0 && send(fd, "x", 1, MSG_NOSIGNAL) == 1);
}

/* With a connection that waits. */
static int listen_here(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	return client;
}

#ifdef __has_feature
static const bool sanitized = __has_feature(address_sanitizer);
#elif defined(__SANITIZE_ADDRESS__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

static void what_is_not_needed_is_refused(void **state SN_UNUSED)
{
	int client = listen_here();

	assert_int_equal(in_child(run_program), 1);
	assert_int_equal(in_child(open_inet), 1);
	assert_int_equal(in_child(open_packet), 1);
	assert_int_equal(in_child(accept_connection), 1);
	if (!sanitized) { /* whose own checks need these */
		assert_int_equal(in_child(look_up), 1);
		assert_int_equal(in_child(make_code), 1);
		assert_int_equal(in_child(watch_another), 1);
		assert_int_equal(in_child(signal_another), 1);
		assert_int_equal(in_child(make_process), 1);
		assert_int_equal(in_child(read_file), 1);
		assert_int_equal(in_child(create_file), 1);
		assert_int_equal(in_child(run_thread), 1);
	}
	close(client);
	close(listener);
}

static void reading_is_not_writing(void **state SN_UNUSED)
{
	needs.read = true;
	assert_int_equal(in_child(read_file), 0);
	if (!sanitized)
		assert_int_equal(in_child(create_file), 1);
	assert_int_equal(in_child(open_inet), 1);
}

static void files_may_be_made_renamed_and_removed(void **state SN_UNUSED)
{
	needs.files = true;
	assert_int_equal(in_child(write_files), 0);
	assert_int_equal(in_child(open_inet), 1);
	assert_int_equal(in_child(run_program), 1);
}

static void a_collector_may_be_reached(void **state SN_UNUSED)
{
	needs.network = true;
	assert_int_equal(in_child(send_datagram), 0);
	assert_int_equal(in_child(open_packet), 1);
	assert_int_equal(in_child(run_program), 1);
}

static void names_may_be_looked_up(void **state SN_UNUSED)
{
	needs.resolve = true;
	assert_int_equal(in_child(look_up), 0);
	assert_int_equal(in_child(open_packet), 1);
}

static void connections_may_be_accepted(void **state SN_UNUSED)
{
	int client = listen_here();

	needs.accept = true;
	assert_int_equal(in_child(accept_connection), 0);
	assert_int_equal(in_child(open_inet), 1);
	close(client);
	close(listener);
}

static void threads_may_run_but_no_processes(void **state SN_UNUSED)
{
	needs.threads = true;
	assert_int_equal(in_child(run_thread), 0);
	if (!sanitized)
		assert_int_equal(in_child(make_process), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_needed_is_refused),
		TEST(reading_is_not_writing),
		TEST(files_may_be_made_renamed_and_removed),
		TEST(a_collector_may_be_reached),
		TEST(names_may_be_looked_up),
		TEST(connections_may_be_accepted),
		TEST(threads_may_run_but_no_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
