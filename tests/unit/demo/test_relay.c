/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay on real descriptors: socket pairs for everybody, TAP devices in two
 * namespaces for root.
 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <math.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "demo/impair/control.h"

#define MS UINT64_C(1000000)

struct fixture {
	struct sn_loop *loop;
	struct sn_relay *relay;
	int a, b; /* our ends: what goes in at one comes out at the other */
};

static struct fixture start(const char *shape)
{
	struct fixture f = {.loop = sn_loop_create(NULL)};
	int a[2], b[2];
	char text[200];
	struct sn_err err;

	f.relay = sn_relay_create(f.loop, 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b), 0);
	snprintf(text, sizeof(text), "x,a=fd:%d,b=fd:%d%s%s", a[1], b[1],
		 shape[0] != '\0' ? "," : "", shape);
	if (sn_relay_add(f.relay, text, &err) != 0)
		fail_msg("%s", err.text);
	f.a = a[0];
	f.b = b[0];
	return f;
}

static void stop(struct fixture *f)
{
	sn_relay_destroy(f->relay);
	sn_loop_destroy(f->loop);
	close(f->a);
	close(f->b);
}

/* Turns the loop until a frame comes or the time is over; its size, 0 for none. */
static size_t wait_frame(struct fixture *f, int fd, void *frame, size_t size, uint64_t limit_ns)
{
	uint64_t end = sn_mono_ns() + limit_ns;

	do {
		ssize_t got = recv(fd, frame, size, MSG_DONTWAIT);

		if (got > 0)
			return (size_t)got;
		sn_loop_turn(f->loop, MS);
	} while (sn_mono_ns() < end);
	return 0;
}

static void frames_cross_unchanged_in_both_directions(void **state SN_UNUSED)
{
	struct fixture f = start("");
	char frame[100];

	assert_int_equal(send(f.a, "to the far end", 14, 0), 14);
	assert_int_equal(wait_frame(&f, f.b, frame, sizeof(frame), 1000 * MS), 14);
	assert_memory_equal(frame, "to the far end", 14);
	assert_int_equal(send(f.b, "back", 4, 0), 4);
	assert_int_equal(wait_frame(&f, f.a, frame, sizeof(frame), 1000 * MS), 4);
	assert_memory_equal(frame, "back", 4);
	stop(&f);
}

static void each_direction_has_its_own_shape(void **state SN_UNUSED)
{
	struct fixture f = start("ab.delay=30ms,ba.blackhole=yes");
	char frame[100];
	uint64_t sent = sn_mono_ns();

	assert_int_equal(send(f.a, "slow", 4, 0), 4);
	assert_int_equal(send(f.b, "gone", 4, 0), 4);
	assert_int_equal(wait_frame(&f, f.b, frame, sizeof(frame), 1000 * MS), 4);
	assert_true(sn_mono_ns() - sent >= 30 * MS);
	assert_int_equal(wait_frame(&f, f.a, frame, sizeof(frame), 20 * MS), 0);
	stop(&f);
}

static void a_link_changes_and_comes_back_while_it_runs(void **state SN_UNUSED)
{
	struct fixture f = start("loss=0%");
	struct sn_err err = {0};
	char frame[100];

	assert_int_equal(sn_relay_set(f.relay, "x", SN_BOTH, SN_STR("loss"), SN_STR("100%"), &err),
			 0);
	assert_int_equal(send(f.a, "lost", 4, 0), 4);
	assert_int_equal(wait_frame(&f, f.b, frame, sizeof(frame), 10 * MS), 0);
	assert_int_equal(sn_relay_reset(f.relay, NULL, &err), 0);
	assert_int_equal(send(f.a, "here", 4, 0), 4);
	assert_int_equal(wait_frame(&f, f.b, frame, sizeof(frame), 1000 * MS), 4);
	assert_memory_equal(frame, "here", 4);
	assert_int_equal(sn_relay_set(f.relay, "y", SN_AB, SN_STR("loss"), SN_STR("1%"), &err),
			 -ENOENT);
	assert_string_equal(err.text, "no link 'y'");
	stop(&f);
}

static void an_end_that_is_gone_does_not_spin(void **state SN_UNUSED)
{
	struct fixture f = start("");
	char frame[10];
	unsigned turns = 0;
	uint64_t end;

	close(f.a);
	f.a = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(wait_frame(&f, f.b, frame, sizeof(frame), 5 * MS), 0);
	end = sn_mono_ns() + 50 * MS;
	while (sn_mono_ns() < end) {
		sn_loop_turn(f.loop, 10 * MS);
		turns++;
	}
	assert_true(turns < 20);
	stop(&f);
}

static void refuse(struct sn_relay *relay, const char *text, const char *reason)
{
	struct sn_err err = {0};

	assert_true(sn_relay_add(relay, text, &err) < 0);
	if (strstr(err.text, reason) == NULL)
		fail_msg("'%s' gave '%s'", text, err.text);
}

static void a_wrong_link_is_refused_with_its_reason(void **state SN_UNUSED)
{
	struct fixture f = start("");
	char text[200], long_name[100];
	int pair[2], stream[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	assert_int_equal(pipe(pair), 0);
	refuse(f.relay, "", "begins with its name");
	refuse(f.relay, "a=fd:3,b=fd:4", "begins with its name");
	refuse(f.relay, "x y,a=fd:3", "no name for a link");
	memset(long_name, 'n', sizeof(long_name));
	long_name[SN_IMPAIR_NAME_MAX] = '\0';
	refuse(f.relay, long_name, "begins with its name");
	refuse(f.relay, "x", "given twice");
	refuse(f.relay, "y", "both ends are needed");
	refuse(f.relay, "y,a=eth0", "no end of a link");
	refuse(f.relay, "y,a=fd:2", "no open descriptor");
	refuse(f.relay, "y,a=fd:60000", "no open descriptor");
	refuse(f.relay, "y,a=fd:x", "no open descriptor");
	refuse(f.relay, "y,a=if:sonde-none9", "cannot find interface 'sonde-none9'");
	refuse(f.relay, "y,a=if:a234567890123456", "no interface name");
	refuse(f.relay, "y,a=tap:", "no interface name");
	refuse(f.relay, "y,delay=soon", "'soon' for 'delay'");
	refuse(f.relay, "y,delay", "'' for 'delay'");
	refuse(f.relay, "y,,", "unknown key ''");
	refuse(f.relay, "y,ab.=1", "unknown key ''");
	refuse(f.relay, "y,ab.dely=1ms", "did you mean 'delay'");
	snprintf(text, sizeof(text), "y,a=fd:%d", stream[0]);
	refuse(f.relay, text, "is a stream");
	close(stream[1]);
	assert_int_equal(sn_relay_count(f.relay), 1);
	close(pair[0]);
	close(pair[1]);
	stop(&f);
}

static void links_are_limited(void **state SN_UNUSED)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct sn_relay *relay = sn_relay_create(loop, 1);
	int peers[SN_IMPAIR_LINKS_MAX + 1];
	struct sn_err err = {0};

	for (int i = 0; i <= SN_IMPAIR_LINKS_MAX; i++) {
		char text[100];
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		peers[i] = pair[0];
		snprintf(text, sizeof(text), "l%d,a=fd:%d,b=fd:%d", i, pair[1], dup(pair[1]));
		assert_int_equal(sn_relay_add(relay, text, &err),
				 i < SN_IMPAIR_LINKS_MAX ? 0 : -E2BIG);
	}
	for (int i = 0; i <= SN_IMPAIR_LINKS_MAX; i++)
		close(peers[i]);
	sn_relay_destroy(relay);
	sn_loop_destroy(loop);
}

static json_t *answer(struct sn_relay *relay, const char *line)
{
	struct sn_buf out = {0};
	struct sn_err err;
	json_t *json;

	sn_control_answer(relay, sn_str(line), &out);
	assert_int_equal(out.p[out.n - 1], '\n');
	json = sn_json_parse(out.p, out.n - 1, &err);
	assert_non_null(json);
	sn_buf_finish(&out);
	return json;
}

static void refuse_request(struct sn_relay *relay, const char *line, const char *reason)
{
	json_t *json = answer(relay, line);

	assert_true(json_is_false(json_object_get(json, "ok")));
	if (strstr(json_string_value(json_object_get(json, "error")), reason) == NULL)
		fail_msg("%s gave %s", line, json_string_value(json_object_get(json, "error")));
	json_decref(json);
}

static void control_shows_sets_and_resets(void **state SN_UNUSED)
{
	struct fixture f = start("delay=5ms");
	json_t *json, *link, *ab;

	json = answer(f.relay, "{\"op\":\"set\",\"link\":\"x\",\"direction\":\"ab\","
			       "\"values\":{\"loss\":\"2%\",\"delay\":\"7ms\"}}");
	assert_true(json_is_true(json_object_get(json, "ok")));
	json_decref(json);
	json = answer(f.relay, "{\"op\":\"show\"}");
	link = json_array_get(json_object_get(json, "links"), 0);
	ab = json_object_get(link, "ab");
	assert_string_equal(json_string_value(json_object_get(link, "link")), "x");
	assert_string_equal(json_string_value(json_object_get(ab, "shape")), "delay=7ms,loss=2%");
	assert_true(json_is_true(json_object_get(ab, "changed")));
	assert_true(json_is_false(json_object_get(json_object_get(link, "ba"), "changed")));
	assert_int_equal(json_integer_value(json_object_get(ab, "frames")), 0);
	json_decref(json);
	json_decref(answer(f.relay, "{\"op\":\"reset\",\"link\":\"x\"}"));
	json = answer(f.relay, "{\"op\":\"show\",\"link\":\"x\"}");
	link = json_array_get(json_object_get(json, "links"), 0);
	assert_true(json_is_false(json_object_get(json_object_get(link, "ab"), "changed")));
	json_decref(json);
	stop(&f);
}

static void control_refuses_what_it_cannot_do(void **state SN_UNUSED)
{
	struct fixture f = start("delay=5ms");
	json_t *json, *ab;

	refuse_request(f.relay, "", "");
	refuse_request(f.relay, "{\"op\":\"show\"", "");
	refuse_request(f.relay, "[]", "");
	refuse_request(f.relay, "{}", "op");
	refuse_request(f.relay, "{\"op\":\"stop\"}", "unknown operation 'stop'");
	refuse_request(f.relay, "{\"op\":\"show\",\"link\":\"xx\"}", "no link 'xx'");
	refuse_request(f.relay, "{\"op\":\"reset\",\"link\":7}", "link");
	refuse_request(f.relay, "{\"op\":\"set\",\"link\":\"x\"}", "'values'");
	refuse_request(f.relay, "{\"op\":\"set\",\"link\":\"x\",\"values\":{}}", "'values'");
	refuse_request(f.relay,
		       "{\"op\":\"set\",\"link\":\"x\",\"direction\":\"up\","
		       "\"values\":{\"loss\":\"1%\"}}",
		       "no direction");
	/* One bad value: none is taken. */
	refuse_request(f.relay,
		       "{\"op\":\"set\",\"link\":\"x\",\"values\":{\"delay\":\"9ms\",\"loss\":1}}",
		       "no text");
	json = answer(f.relay, "{\"op\":\"show\"}");
	ab = json_object_get(json_array_get(json_object_get(json, "links"), 0), "ab");
	assert_string_equal(json_string_value(json_object_get(ab, "shape")), "delay=5ms");
	json_decref(json);
	stop(&f);
}

static void the_control_socket_answers_and_cuts_off_endless_lines(void **state SN_UNUSED)
{
	struct fixture f = start("delay=5ms");
	struct sn_control *control = NULL;
	struct sn_err err = {0};
	char path[64];
	pid_t pid;
	int status = -1;
	uint64_t end = sn_mono_ns() + TEST_PATIENCE_NS;

	snprintf(path, sizeof(path), "/tmp/sonde-relay-test-%d", (int)getpid());
	assert_int_equal(sn_control_create(f.loop, f.relay, path, 0600, &control, &err), 0);
	pid = fork();
	if (pid == 0) {
		json_t *reply = NULL, *request = json_string("");
		char *endless = sn_xmalloc(2 * SN_CONTROL_LINE_MAX + 2);

		if (sn_control_ask(path, json_pack("{s:s}", "op", "show"), &reply, &err) != 0 ||
		    json_array_size(json_object_get(reply, "links")) != 1)
			_exit(1);
		if (sn_control_ask(path, json_pack("{s:s}", "op", "dance"), &reply, &err) !=
		    -EINVAL)
			_exit(2);
		memset(endless, 'x', 2 * SN_CONTROL_LINE_MAX + 1);
		endless[2 * SN_CONTROL_LINE_MAX + 1] = '\0';
		json_string_set(request, endless);
		_exit(sn_control_ask(path, request, &reply, &err) < 0 ? 0 : 3);
	}
	while (waitpid(pid, &status, WNOHANG) == 0 && sn_mono_ns() < end)
		sn_loop_turn(f.loop, MS);
	assert_int_equal(status, 0);
	sn_control_destroy(control);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(sn_control_ask(path, json_object(), NULL, &err), -ENOENT);
	stop(&f);
}

/* Root: two namespaces, a TAP device in each, the kernel answering pings --------- */

static int open_tap(const char *address)
{
	struct ifreq request = {.ifr_name = "op0", .ifr_flags = IFF_TAP | IFF_NO_PI};
	struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK),
	    control = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
		return -1;
	*in = (struct sockaddr_in){.sin_family = AF_INET};
	inet_pton(AF_INET, address, &in->sin_addr);
	if (ioctl(control, SIOCSIFADDR, &request) != 0)
		return -1;
	request.ifr_flags = IFF_UP;
	if (ioctl(control, SIOCSIFFLAGS, &request) != 0)
		return -1;
	close(control);
	return fd;
}

#define PINGS 1000

struct pinger {
	struct sn_timer timer;
	struct sn_io io;
	unsigned sent, received;
	uint64_t least_ns, next_ns;
};

struct echo {
	struct icmphdr header;
	uint64_t sent_ns;
};

static uint16_t checksum(const void *data, size_t size)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i + 1 < size; i += 2) {
		memcpy(&word, (const char *)data + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

static void send_ping(struct sn_timer *timer)
{
	struct pinger *pinger = sn_container_of(timer, struct pinger, timer);
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct echo echo = {.header = {.type = ICMP_ECHO}};

	echo.header.un.echo.sequence = htons((uint16_t)pinger->sent);
	echo.sent_ns = sn_mono_ns();
	echo.header.checksum = checksum(&echo, sizeof(echo));
	inet_pton(AF_INET, "192.0.2.2", &to.sin_addr);
	if (sendto(pinger->io.fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)) > 0)
		pinger->sent++;
	/* Not all at once after a pause: queues have an end. */
	pinger->next_ns = SN_MAX(pinger->next_ns, sn_mono_ns()) + MS;
	if (pinger->sent < PINGS)
		sn_timer_at(&pinger->timer, pinger->next_ns);
}

static void take_reply(struct sn_io *io, int events SN_UNUSED)
{
	struct pinger *pinger = sn_container_of(io, struct pinger, io);
	unsigned char packet[200];

	while (recv(io->fd, packet, sizeof(packet), MSG_DONTWAIT) >=
	       (ssize_t)(sizeof(struct iphdr) + sizeof(struct echo))) {
		struct echo echo;

		memcpy(&echo, packet + sizeof(struct iphdr), sizeof(echo));
		if (echo.header.type != ICMP_ECHOREPLY)
			continue;
		pinger->received++;
		pinger->least_ns = SN_MIN(pinger->least_ns, sn_mono_ns() - echo.sent_ns);
	}
}

/* In a child: its namespaces end with it. */
static int ping_over_taps(struct pinger *pinger)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct sn_relay *relay = sn_relay_create(loop, 20);
	struct sn_err err = {0};
	int a, b, icmp;
	char text[200];
	uint64_t end = sn_mono_ns() + TEST_PATIENCE_NS;

	if (unshare(CLONE_NEWNET) != 0)
		return 77;
	a = open_tap("192.0.2.1");
	icmp = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
	if (a < 0 || icmp < 0 || unshare(CLONE_NEWNET) != 0)
		return 77;
	b = open_tap("192.0.2.2");
	if (b < 0)
		return 77;
	snprintf(text, sizeof(text), "taps,a=fd:%d,b=fd:%d,delay=20ms,loss=5%%", a, b);
	if (sn_relay_add(relay, text, &err) != 0)
		return 1;
	*pinger = (struct pinger){.least_ns = UINT64_MAX, .next_ns = sn_mono_ns()};
	sn_io_init(&pinger->io, loop, icmp, take_reply);
	sn_io_start(&pinger->io, SN_IO_READ);
	sn_timer_init(&pinger->timer, loop, send_ping);
	sn_timer_at(&pinger->timer, pinger->next_ns);
	while (pinger->sent < PINGS && sn_mono_ns() < end)
		sn_loop_turn(loop, 10 * MS);
	/* The last are on their way. */
	for (end = sn_mono_ns() + 500 * MS; sn_mono_ns() < end;)
		sn_loop_turn(loop, 10 * MS);
	sn_relay_destroy(relay);
	return 0;
}

static void taps_show_twice_the_delay_and_the_loss_both_ways(void **state SN_UNUSED)
{
	struct pinger pinger;
	const double kept = 0.95 * 0.95, sigma = sqrt(kept * (1 - kept) / PINGS);
	int results[2], status;
	pid_t pid;

	if (geteuid() != 0 || access("/dev/net/tun", R_OK | W_OK) != 0) {
		print_message("# skipped: needs root and /dev/net/tun\n");
		skip();
	}
	assert_int_equal(pipe(results), 0);
	pid = fork();
	if (pid == 0) {
		int code = ping_over_taps(&pinger);

		_exit(write(results[1], &pinger, sizeof(pinger)) > 0 ? code : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("# skipped: no network namespaces or TAP devices here\n");
		skip();
	}
	assert_int_equal(status, 0);
	assert_int_equal(read(results[0], &pinger, sizeof(pinger)), sizeof(pinger));
	assert_int_equal(pinger.sent, PINGS);
	assert_true(pinger.least_ns >= 40 * MS);
	assert_true(pinger.least_ns < 41 * MS);
	/* The first 40 ms wait for ARP in a short queue, and some of them do not survive it. */
	assert_true((double)pinger.received / PINGS < kept + 4.5 * sigma);
	assert_true((double)pinger.received / PINGS > kept - 4.5 * sigma - 0.05);
	close(results[0]);
	close(results[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_cross_unchanged_in_both_directions),
		cmocka_unit_test(each_direction_has_its_own_shape),
		cmocka_unit_test(a_link_changes_and_comes_back_while_it_runs),
		cmocka_unit_test(an_end_that_is_gone_does_not_spin),
		cmocka_unit_test(a_wrong_link_is_refused_with_its_reason),
		cmocka_unit_test(links_are_limited),
		cmocka_unit_test(control_shows_sets_and_resets),
		cmocka_unit_test(control_refuses_what_it_cannot_do),
		cmocka_unit_test(the_control_socket_answers_and_cuts_off_endless_lines),
		cmocka_unit_test(taps_show_twice_the_delay_and_the_loss_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
