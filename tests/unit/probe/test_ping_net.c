/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real sockets: on loopback with whatever this user may open, and as root between two
 * network namespaces that exist only for the test.
 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "probe/ping_net.h"
#include "probe/ping_run.h"

#define MS          SN_NS_PER_MS
#define RESULTS_MAX 16

struct run {
	struct sn_loop *loop;
	struct sn_ping_net net;
	struct sn_ping_targets targets;
	struct sn_ping_result results[RESULTS_MAX];
	char errors[RESULTS_MAX][SN_PING_ERROR_MAX];
	unsigned count;
	struct sn_timer deadline;
	bool timed_out;
};

static void on_result(const struct sn_ping_result *result, void *ctx)
{
	struct run *run = ctx;

	assert_true(run->count < RESULTS_MAX);
	run->results[run->count++] = *result;
}

static void on_done(void *ctx)
{
	struct run *run = ctx;

	sn_loop_stop(run->loop, 0);
}

static void on_deadline(struct sn_timer *timer)
{
	struct run *run = sn_container_of(timer, struct run, deadline);

	run->timed_out = true;
	sn_loop_stop(run->loop, 0);
}

static const struct sn_ping_socket_config plain = {.ttl = 64, .payload_size = 56};

/* Opens what the targets need; the errno of the first socket that cannot be had. */
static int open_sockets(struct run *run, const struct sn_ping_socket_config *config)
{
	for (uint32_t i = 0; i < run->targets.count; i++) {
		int family = run->targets.items[i].addr.sa.sa_family, rc;
		struct sn_ping_socket sock;
		struct sn_err err;

		if (sn_ping_net_has(&run->net, family))
			continue;
		rc = sn_ping_socket_open(&sock, family, config, &err);
		if (rc != 0)
			return rc;
		assert_int_equal(sn_ping_net_add(&run->net, &sock), 0);
	}
	return 0;
}

static void run_finish(struct run *run)
{
	sn_ping_net_finish(&run->net);
	sn_ping_targets_finish(&run->targets);
	sn_loop_destroy(run->loop);
}

/* Ping `targets` (a list that ends with NULL) so often; skips without the right to. */
static void ping_within(struct run *run, const struct sn_ping_socket_config *config,
			const char *const *targets, uint32_t count, uint64_t timeout_ns)
{
	struct sn_ping_observer observer = {.on_result = on_result, .on_done = on_done, .ctx = run};
	struct sn_ping_config asked = {.count = count,
				       .interval_ns = 20 * MS,
				       .timeout_ns = timeout_ns,
				       .payload_size = config->payload_size};
	struct sn_ping *engine;
	struct sn_err err;
	int rc;

	*run = (struct run){.loop = sn_loop_create(NULL)};
	sn_ping_net_init(&run->net, config->payload_size);
	for (; *targets != NULL; targets++)
		assert_int_equal(sn_ping_targets_add(&run->targets, sn_str(*targets), &err), 0);
	sn_ping_targets_parse(&run->targets, AF_UNSPEC);
	rc = open_sockets(run, config);
	if (rc != 0) {
		run_finish(run);
		print_message("# skipped: no ICMP socket for this user: %s\n", strerror(-rc));
		skip();
	}
	assert_int_equal(sn_ping_net_start(&run->net, run->loop), 0);
	engine = sn_ping_create(run->loop, &run->net.port, &run->targets, &asked, &observer);
	sn_timer_init(&run->deadline, run->loop, on_deadline);
	sn_timer_in(&run->deadline, TEST_PATIENCE_NS);
	sn_ping_start(engine);
	sn_loop_run(run->loop);
	sn_timer_stop(&run->deadline);
	sn_ping_destroy(engine);
	assert_false(run->timed_out);
}

/* Where answers come. */
static void ping(struct run *run, const struct sn_ping_socket_config *config,
		 const char *const *targets, uint32_t count)
{
	ping_within(run, config, targets, count, TEST_PATIENCE_NS);
}

static void assert_all_answered(const struct run *run, unsigned targets, uint32_t count)
{
	assert_int_equal(run->count, targets);
	for (unsigned i = 0; i < targets; i++) {
		const struct sn_ping_result *result = &run->results[i];

		/* On a busy machine requests may be late; that is told and no failure here. */
		if (strstr(result->error, "behind schedule") == NULL)
			assert_string_equal(result->error, "");
		assert_int_equal(result->received, count);
		assert_int_equal(result->duplicates, 0);
		assert_true(result->rtt.min_ns > 0);
	}
}

/* Loopback ------------------------------------------------------------------------------------ */

static void ping_loopback(const char *target, size_t payload_size)
{
	struct sn_ping_socket_config config = plain;
	const char *targets[] = {target, NULL};
	char text[SN_ADDR_TEXT_MAX];
	struct run run;

	config.payload_size = payload_size;
	ping(&run, &config, targets, 3);
	assert_all_answered(&run, 1, 3);
	assert_true(run.results[0].kernel_stamps);
	assert_int_equal(run.results[0].reply_ttl, 64);
	assert_string_equal(sn_addr_format(&run.results[0].local, text, sizeof(text)), target);
	run_finish(&run);
}

static void loopback_answers_over_ipv4(void **state)
{
	(void)state;
	ping_loopback("127.0.0.1", 56);
}

static bool has_ipv6(void)
{
	struct sn_addr addr;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool has = fd >= 0 && sn_addr_parse(SN_STR("::1"), 0, &addr) == 0 &&
		   bind(fd, &addr.sa, addr.length) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

static void loopback_answers_over_ipv6(void **state)
{
	(void)state;
	if (!has_ipv6()) {
		print_message("# skipped: no ::1 on this machine\n");
		skip();
	}
	ping_loopback("::1", 56);
}

static void smallest_and_largest_payloads_come_back(void **state)
{
	(void)state;
	ping_loopback("127.0.0.1", 0);
	ping_loopback("127.0.0.1", SN_ICMP_TOKEN_SIZE - 1);
	ping_loopback("127.0.0.1", SN_ICMP_PAYLOAD_MAX);
}

static void two_pingers_do_not_hear_each_other(void **state)
{
	static const char *const targets[] = {"127.0.0.1", "127.0.0.2", "127.0.0.1", NULL};
	struct run one;
	pid_t child;
	int status;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct run other;

		/* cmocka's skip() must not run in the child: without a socket there is no noise. */
		struct sn_ping_socket sock;
		struct sn_err err;

		if (sn_ping_socket_open(&sock, AF_INET, &plain, &err) != 0)
			_exit(0);
		sn_ping_socket_close(&sock);
		ping(&other, &plain, targets, 10);
		_exit(other.results[0].received == 10 ? 0 : 1);
	}
	ping(&one, &plain, targets, 10);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_all_answered(&one, 3, 10);
	assert_int_equal(sn_ping_socket_drops(&one.net.v4.sock), 0);
	run_finish(&one);
}

static void replies_that_found_no_room_are_counted(void **state)
{
	struct sn_icmp_token token = {0};
	struct sn_ping_socket sock;
	struct sn_ping_net net;
	struct sn_addr to;
	struct sn_err err;
	uint64_t sent_ns;
	int smallest = 0;

	(void)state;
	if (sn_ping_socket_open(&sock, AF_INET, &plain, &err) != 0) {
		print_message("# skipped: %s\n", err.text);
		skip();
	}
	sn_ping_net_init(&net, 1000);
	assert_int_equal(setsockopt(sock.fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)),
			 0);
	assert_int_equal(sn_ping_net_add(&net, &sock), 0);
	assert_int_equal(sn_addr_parse(SN_STR("127.0.0.1"), 0, &to), 0);
	for (uint16_t seq = 0; seq < 20; seq++)
		assert_int_equal(net.port.ops->send(&net.port, &to, seq, &token, &sent_ns), 0);
	/* Newer kernels count some of them twice. */
	assert_in_range(net.port.ops->drops(&net.port), 1, 2 * 20);
	sn_ping_net_finish(&net);
}

static void descriptor_that_was_handed_over_is_used(void **state)
{
	struct sn_ping_socket sock, adopted;
	struct sn_err err;
	int fd;

	(void)state;
	if (sn_ping_socket_open(&sock, AF_INET, &plain, &err) != 0) {
		print_message("# skipped: %s\n", err.text);
		skip();
	}
	fd = dup(sock.fd);
	assert_int_equal(sn_ping_socket_adopt(&adopted, fd, &plain, &err), 0);
	assert_int_equal(adopted.fd, fd);
	assert_int_equal(adopted.family, AF_INET);
	assert_int_equal(adopted.raw, sock.raw);
	sn_ping_socket_close(&adopted);
	sn_ping_socket_close(&sock);
	assert_int_equal(sock.fd, -1);
}

static void descriptor_that_is_no_icmp_socket_is_refused(void **state)
{
	struct sn_ping_socket sock;
	struct sn_err err;
	int fds[] = {socket(AF_INET, SOCK_DGRAM, 0), socket(AF_UNIX, SOCK_DGRAM, 0), 99};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(fds); i++) {
		assert_int_equal(sn_ping_socket_adopt(&sock, fds[i], &plain, &err), -EINVAL);
		assert_non_null(strstr(err.text, "no open ICMP socket"));
		assert_int_equal(sock.fd, -1);
	}
}

static void wrong_interface_and_source_are_named(void **state)
{
	struct sn_ping_socket_config config = plain;
	struct sn_ping_socket sock;
	struct sn_err err;

	(void)state;
	if (sn_ping_socket_open(&sock, AF_INET, &config, &err) != 0) {
		print_message("# skipped: %s\n", err.text);
		skip();
	}
	sn_ping_socket_close(&sock);
	config.interface = "nowhere0";
	assert_int_equal(sn_ping_socket_open(&sock, AF_INET, &config, &err), -ENODEV);
	assert_non_null(strstr(err.text, "'nowhere0'"));
	config.interface = NULL;
	assert_int_equal(sn_addr_parse(SN_STR("203.0.113.77"), 0, &config.source), 0);
	assert_int_equal(sn_ping_socket_open(&sock, AF_INET, &config, &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.text, "'203.0.113.77'"));
	assert_int_equal(sock.fd, -1);
}

static void missing_right_names_both_ways_out(void **state)
{
	struct sn_ping_socket sock;
	struct sn_err err;
	pid_t child;
	int status;

	(void)state;
	if (geteuid() != 0) {
		print_message("# skipped: needs root to give rights away\n");
		skip();
	}
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool denied;

		/* A namespace of its own allows nobody ping sockets; nobody has no capability. */
		if (unshare(CLONE_NEWNET) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
			_exit(77);
		denied = sn_ping_socket_open(&sock, AF_INET, &plain, &err) == -EPERM;
		_exit(denied && strstr(err.text, "CAP_NET_RAW") != NULL &&
				      strstr(err.text, "net.ipv4.ping_group_range") != NULL
			      ? 0
			      : 1);
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("# skipped: cannot make a network namespace\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* Two namespaces ------------------------------------------------------------------------------ */

#define NEAR                                                                                       \
	"ip link set lo up && ip addr add 192.0.2.1/24 dev near0 && ip link set near0 up && "      \
	"ip addr add 2001:db8::1/64 dev near0 nodad && ip route add default via 192.0.2.2 && "     \
	"ip -6 route add default via 2001:db8::2"
/* Errors are not rationed there, so that each request gets its own. */
#define FAR                                                                                        \
	"ip link set lo up && ip addr add 192.0.2.2/24 dev far0 && ip link set far0 up && "        \
	"ip addr add 2001:db8::2/64 dev far0 nodad && ip route add default via 192.0.2.1 && "      \
	"ip -6 route add default via 2001:db8::1 && ip route add unreachable 198.51.100.0/24 && "  \
	"ip -6 route add unreachable 2001:db8:1::/48 && cd /proc/sys/net && "                      \
	"echo 1 >ipv4/ip_forward && echo 1 >ipv6/conf/all/forwarding && "                          \
	"echo 0 >ipv4/icmp_ratemask && echo 0 >ipv6/icmp/ratelimit"

static int command(const char *text)
{
	sn_autofree char *quiet = sn_xasprintf("{ %s; } >/dev/null 2>&1", text);

	return system(quiet) == 0 ? 0 : -EIO;
}

/* The far end: lives until the pipe to it is closed. */
static void far_end(int ready, int go)
{
	char byte;
	bool ok = unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
		  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		  mount("sysfs", "/sys", "sysfs", 0, NULL) == 0;

	if (!ok || write(ready, "n", 1) != 1 || read(go, &byte, 1) != 1)
		_exit(1);
	ok = command(FAR) == 0;
	if (write(ready, ok ? "y" : "x", 1) != 1)
		_exit(1);
	while (read(go, &byte, 1) > 0)
		;
	_exit(0);
}

/* To come back to; -1 without the right to leave. */
static int open_own_namespace(void)
{
	return geteuid() == 0 ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
}

struct world {
	pid_t child;
	int go;
};

static int make_world(struct world *world)
{
	int ready[2], go[2];
	char byte = 0;
	sn_autofree char *link = NULL;

	assert_true(pipe(ready) == 0 && pipe(go) == 0);
	world->child = fork();
	assert_true(world->child >= 0);
	if (world->child == 0) {
		close(go[1]);
		far_end(ready[1], go[0]);
	}
	close(ready[1]);
	close(go[0]);
	world->go = go[1];
	link = sn_xasprintf("ip link add near0 type veth peer name far0 netns %d", world->child);
	if (read(ready[0], &byte, 1) != 1 || unshare(CLONE_NEWNET) != 0 || command(link) != 0 ||
	    write(world->go, "g", 1) != 1 || read(ready[0], &byte, 1) != 1 || byte != 'y' ||
	    command(NEAR) != 0) {
		close(ready[0]);
		return -EIO;
	}
	close(ready[0]);
	return 0;
}

static void end_world(struct world *world)
{
	int status;

	close(world->go);
	waitpid(world->child, &status, 0);
}

static void assert_error(const struct run *run, unsigned index, const char *expected)
{
	const char *error = run->results[index].error;

	/* The reason comes first; that requests were late may follow on a busy machine. */
	if (strncmp(error, expected, strlen(expected)) != 0)
		assert_string_equal(error, expected);
	assert_int_equal(run->results[index].status, SN_PING_FAILED);
}

/* For requests that nobody answers. */
#define UNANSWERED_NS (1000 * MS)

static void check_neighbour(void)
{
	static const char *const targets[] = {"192.0.2.2", "2001:db8::2", NULL};
	struct sn_ping_socket_config config = plain;
	struct run run;

	/* IPv6 needs a moment after the link came up. */
	for (int attempt = 0; attempt < TEST_PATIENCE_MS / 50; attempt++) {
		ping_within(&run, &config, targets, 1, UNANSWERED_NS);
		if (run.results[0].received == 1 && run.results[1].received == 1)
			break;
		run_finish(&run);
		usleep(50000);
	}
	assert_all_answered(&run, 2, 1);
	run_finish(&run);
	config.interface = "near0";
	config.payload_size = 4000; /* in fragments */
	assert_int_equal(sn_addr_parse(SN_STR("192.0.2.1"), 0, &config.source), 0);
	ping(&run, &config, targets, 2);
	assert_all_answered(&run, 2, 2);
	run_finish(&run);
}

static void check_unreachable(void)
{
	static const char *const targets[] = {"198.51.100.7", "2001:db8:1::7", "192.0.2.2", NULL};
	struct run run;

	ping_within(&run, &plain, targets, 2, UNANSWERED_NS);
	assert_int_equal(run.count, 3);
	/* The answered one is over first. */
	assert_int_equal(run.results[0].received, 2);
	assert_error(&run, 1, "destination host unreachable (reported by 192.0.2.2)");
	assert_error(&run, 2, "no route to destination (reported by 2001:db8::2)");
	assert_int_equal(run.results[1].lost, 2);
	run_finish(&run);
}

static void check_ttl(void)
{
	static const char *const targets[] = {"203.0.113.5", "2001:db8:2::5", NULL};
	struct sn_ping_socket_config config = plain;
	struct run run;

	config.ttl = 1;
	ping_within(&run, &config, targets, 1, UNANSWERED_NS);
	assert_int_equal(run.count, 2);
	assert_error(&run, 0, "time to live exceeded (reported by 192.0.2.2)");
	assert_error(&run, 1, "hop limit exceeded (reported by 2001:db8::2)");
	run_finish(&run);
}

static void check_both_kinds(const char *range, bool raw)
{
	sn_autofree char *allow =
		sn_xasprintf("echo '%s' >/proc/sys/net/ipv4/ping_group_range", range);
	struct sn_ping_socket sock;
	struct sn_err err;

	assert_int_equal(command(allow), 0);
	assert_int_equal(sn_ping_socket_open(&sock, AF_INET, &plain, &err), 0);
	assert_int_equal(sock.raw, raw);
	sn_ping_socket_close(&sock);
	check_neighbour();
	check_unreachable();
	check_ttl();
}

static void errors_of_the_path_are_named_by_both_kinds_of_socket(void **state)
{
	struct world world;
	int own = open_own_namespace();
	int rc;

	(void)state;
	if (own < 0) {
		print_message("# skipped: needs root to make network namespaces\n");
		skip();
	}
	rc = make_world(&world);
	if (rc == 0) {
		check_both_kinds("1 0", true);
		check_both_kinds("0 2147483647", false);
	}
	end_world(&world);
	assert_int_equal(setns(own, CLONE_NEWNET), 0);
	close(own);
	if (rc != 0) {
		print_message("# skipped: cannot make network namespaces and veth devices here\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_answers_over_ipv4),
		cmocka_unit_test(loopback_answers_over_ipv6),
		cmocka_unit_test(smallest_and_largest_payloads_come_back),
		cmocka_unit_test(two_pingers_do_not_hear_each_other),
		cmocka_unit_test(replies_that_found_no_room_are_counted),
		cmocka_unit_test(descriptor_that_was_handed_over_is_used),
		cmocka_unit_test(descriptor_that_is_no_icmp_socket_is_refused),
		cmocka_unit_test(wrong_interface_and_source_are_named),
		cmocka_unit_test(missing_right_names_both_ways_out),
		cmocka_unit_test(errors_of_the_path_are_named_by_both_kinds_of_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
