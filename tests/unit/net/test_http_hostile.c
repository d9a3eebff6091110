/* SPDX-License-Identifier: Apache-2.0 */
#include "http_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Requests that two readers take differently, or nobody --------------------------- */

/* Sends all of `request`, which is answered by one refusal and the end of the connection. */
static void refused_for_good(struct sn_buf *request)
{
	struct sn_buf in = {0};
	int fd = raw_connect(&world);
	const char *said;
	bool closed;

	assert_int_equal(send(fd, request->p, request->n, MSG_NOSIGNAL), request->n);
	closed = raw_closed(&world, fd, &in, TEST_PATIENCE_MS);
	said = sn_buf_cstr(&in);
	if (!closed || strncmp(said, "HTTP/1.1 400", 12) != 0 || strstr(said + 1, "HTTP/1.1 "))
		fail_msg("not one refusal of\n%s\nbut (%s)\n%s", sn_buf_cstr(request),
			 closed ? "closed" : "open", said);
	close(fd);
	sn_buf_finish(&in);
}

static void bad_paths_are_refused(void **state SN_UNUSED)
{
	static const char *const paths[] = {"/things/%00", "/things/..",   "/things/%2e%2e",
					    "/things/%zz", "/things/%c3(", "/things/a?q=%f"};
	char request[128];

	for (size_t i = 0; i < SN_COUNT(paths); i++) {
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
		free(http_exchange(request, "HTTP/1.1 400"));
	}
	assert_int_equal(seen.guarded, 0);
}

static void ambiguous_framing_is_refused(void **state SN_UNUSED)
{
	free(http_exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
			   "Content-Length: 3\r\n\r\nabc",
			   "HTTP/1.1 400"));
	free(http_exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
			   "HTTP/1.1 400"));
	free(http_exchange("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nabc",
			   "HTTP/1.1 501"));
	assert_int_equal(seen.handled, 0);
}

/* Each hides a request behind a body whose length others read differently. */
static void header_lines_that_two_readers_take_differently_are_refused(void **state SN_UNUSED)
{
	static const struct {
		const char *text;
		size_t size;
	} cases[] = {
#define LINE(text) {text, sizeof(text) - 1}
		LINE("Content-Length : 3\r\n"),
		LINE("Transfer-Encoding\t: chunked\r\n"),
		LINE("Transfer-Enc: chunked\r\n oding\r\n"),
		LINE("Content-Length: 1\r\n 2\r\n"),
		LINE("X-Test:\r\n\tfolded\r\n"),
		LINE("Content-Length: 3\0000\r\n"),
		LINE("X-Test: a\nContent-Length: 3\r\n"),
		LINE("X-Test: a\rContent-Length: 3\r\n"),
		LINE("X(Test): a\r\n"),
		LINE("Host: y\r\n"),
#undef LINE
	};

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_buf out = {0};

		sn_buf_adds(&out, "POST /echo HTTP/1.1\r\nHost: x\r\n");
		sn_buf_add(&out, cases[i].text, cases[i].size);
		sn_buf_adds(&out, "\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		refused_for_good(&out);
		sn_buf_finish(&out);
	}
	assert_int_equal(seen.handled, 0);
}

static void header_lines_of_all_sorts_are_read(void **state SN_UNUSED)
{
	free(http_exchange("GET /things/a HTTP/1.1\r\nHost: x\r\nEmpty:\r\nTight:x\r\n"
			   "X-Test: \t  a: b\tc\r\n!#$%&'*+-.^_`|~09azAZ: 1\r\n\r\n",
			   "|a: b\tc|"));
}

static void headers_over_the_limit_are_refused(void **state SN_UNUSED)
{
	struct sn_buf request = {0}, in = {0};
	int fd = raw_connect(&world);

	sn_buf_adds(&request, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: ");
	for (unsigned i = 0; i < SN_HTTP_HEADER_MAX; i++)
		sn_buf_addc(&request, 'x');
	sn_buf_adds(&request, "\r\n\r\n");
	raw_send(fd, sn_buf_cstr(&request));
	assert_true(raw_expect(&world, fd, &in, "HTTP/1.1 431"));
	assert_int_equal(seen.handled, 0);
	sn_buf_finish(&request);
	sn_buf_finish(&in);
	close(fd);
}

static void garbage_gets_an_error_and_no_handler(void **state SN_UNUSED)
{
	static const char *const garbage[] = {
		"\r\n\r\n\r\nhello there\r\n\r\n",
		"GET\r\n\r\n",
		"GET /hello HTTP/9.9\r\n\r\n",
		"GET /hello HTTP/1.1\r\n\r\n", /* no Host */
		"\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost x\r\n\r\n",
	};

	for (size_t i = 0; i < SN_COUNT(garbage); i++) {
		int fd = raw_connect(&world);
		struct sn_buf in = {0};

		raw_send(fd, garbage[i]);
		shutdown(fd, SHUT_WR);
		if (!raw_closed(&world, fd, &in, TEST_PATIENCE_MS))
			fail_msg("still open after garbage %zu: %s", i, sn_buf_cstr(&in));
		assert_null(strstr(sn_buf_cstr(&in), "hello\n"));
		sn_buf_finish(&in);
		close(fd);
	}
	assert_int_equal(seen.handled, 0);
	http_expect_connections(0);
}

/* Clients that are slow, or many -------------------------------------------------- */

/* Sends byte after byte behind `begin` until the server has had enough. */
static void drip_until_cut_off(const char *begin)
{
	struct sn_http_config quick = http_config;
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;
	bool closed = false;
	int fd;

	quick.header_timeout_ns = 150 * SN_NS_PER_MS;
	http_world_restart(&quick);
	fd = raw_connect(&world);
	raw_send(fd, begin);
	while (!closed && sn_mono_ns() < end_ns) {
		send(fd, "x", 1, MSG_NOSIGNAL);
		closed = raw_closed(&world, fd, NULL, 20);
	}
	assert_true(closed);
	assert_int_equal(seen.handled, 0);
	close(fd);
}

static void a_client_that_sends_headers_drop_by_drop_is_cut_off(void **state SN_UNUSED)
{
	drip_until_cut_off("GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow: ");
}

static void a_client_that_sends_nothing_is_cut_off(void **state SN_UNUSED)
{
	struct sn_http_config quick = http_config;
	int fd;

	quick.header_timeout_ns = 200 * SN_NS_PER_MS;
	http_world_restart(&quick);
	fd = raw_connect(&world);
	assert_true(raw_closed(&world, fd, NULL, TEST_PATIENCE_MS));
	close(fd);
}

static void a_body_that_drips_is_cut_off(void **state SN_UNUSED)
{
	drip_until_cut_off("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
}

static void a_client_that_leaves_in_the_middle_keeps_no_connection(void **state SN_UNUSED)
{
	static const char *const halves[] = {
		"GET /hello HTTP/1.1\r\nHost: x\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf",
	};
	struct sn_http_config patient = http_config;

	/* It is not patience that ends them. */
	patient.header_timeout_ns = 2 * TEST_PATIENCE_NS;
	patient.idle_timeout_s = 2 * TEST_PATIENCE_MS / 1000;
	http_world_restart(&patient);
	for (unsigned i = 0; i < 20; i++) {
		int fd = raw_connect(&world);

		/* The end arrives together with the bytes. */
		raw_send(fd, halves[i % SN_COUNT(halves)]);
		close(fd);
	}
	world_turns(&world, 100);
	http_expect_connections(0);
	assert_int_equal(seen.handled, 0);
}

static void an_idle_connection_is_closed_and_a_waiting_one_is_not(void **state SN_UNUSED)
{
	struct sn_http_config quick = http_config;
	struct sn_buf in = {0};
	uint64_t since_ns;
	int idle, waiting;

	quick.idle_timeout_s = 1;
	quick.header_timeout_ns = 200 * SN_NS_PER_MS;
	http_world_restart(&quick);
	waiting = raw_connect(&world);
	raw_send(waiting, "GET /wait/told HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.handled));
	since_ns = sn_mono_ns();
	idle = raw_connect(&world);
	raw_send(idle, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(raw_expect(&world, idle, &in, "hello"));
	assert_true(raw_closed(&world, idle, NULL, TEST_PATIENCE_MS));
	assert_true(sn_mono_ns() - since_ns > 500 * SN_NS_PER_MS);
	assert_false(raw_closed(&world, waiting, NULL, 20));
	assert_int_equal(seen.abandoned, 0);
	sn_http_reply(seen.waiting, 200, "text/plain", "still here", 10);
	assert_true(raw_expect(&world, waiting, &in, "still here"));
	sn_buf_finish(&in);
	close(idle);
	close(waiting);
}

static void connections_over_the_limit_are_closed_until_there_is_room(void **state SN_UNUSED)
{
	struct sn_http_config few = http_config;
	struct sn_buf in = {0};
	int fds[3];

	few.max_connections = 2;
	http_world_restart(&few);
	for (unsigned i = 0; i < 2; i++) {
		fds[i] = raw_connect(&world);
		raw_send(fds[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_true(raw_expect(&world, fds[i], &in, "hello"));
		sn_buf_clear(&in);
	}
	fds[2] = raw_connect(&world);
	raw_send(fds[2], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	world_turns(&world, 20);
	http_expect_connections(2);
	close(fds[0]);
	/* The one that waited in the backlog is served as soon as one has left. */
	assert_true(raw_expect(&world, fds[2], &in, "hello"));
	http_expect_connections(2);
	sn_buf_finish(&in);
	close(fds[1]);
	close(fds[2]);
}

static void silent_connections_make_room_for_new_ones(void **state SN_UNUSED)
{
	struct sn_http_config few = http_config;
	struct sn_buf in = {0};
	int silent[40], known;

	few.max_connections = 16;
	http_world_restart(&few);
	known = raw_connect(&world);
	raw_send(known, "GET /wait/told HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.handled));
	for (size_t i = 0; i < SN_COUNT(silent); i++) {
		silent[i] = raw_connect(&world);
		raw_send(silent[i], i % 2 == 0 ? "GET /hello HTTP/1.1\r\nHos" : "\r\n");
		world_turns(&world, 2);
	}
	for (unsigned i = 0; i < 3; i++) {
		int fd = raw_connect(&world);

		raw_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_true(raw_expect(&world, fd, &in, "hello"));
		close(fd);
		sn_buf_clear(&in);
	}
	assert_true(raw_closed(&world, silent[0], NULL, TEST_PATIENCE_MS));
	assert_in_range(sn_http_server_connections(world.server), 2, 16);
	/* Who waits for an answer is not the one to go. */
	sn_http_reply(seen.waiting, 200, "text/plain", "late", 4);
	assert_true(raw_expect(&world, known, &in, "late"));
	sn_buf_finish(&in);
	for (size_t i = 0; i < SN_COUNT(silent); i++)
		close(silent[i]);
	close(known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(bad_paths_are_refused),
		HTTP_TEST(ambiguous_framing_is_refused),
		HTTP_TEST(header_lines_that_two_readers_take_differently_are_refused),
		HTTP_TEST(header_lines_of_all_sorts_are_read),
		HTTP_TEST(headers_over_the_limit_are_refused),
		HTTP_TEST(garbage_gets_an_error_and_no_handler),
		HTTP_TEST(a_client_that_sends_headers_drop_by_drop_is_cut_off),
		HTTP_TEST(a_client_that_sends_nothing_is_cut_off),
		HTTP_TEST(a_body_that_drips_is_cut_off),
		HTTP_TEST(a_client_that_leaves_in_the_middle_keeps_no_connection),
		HTTP_TEST(an_idle_connection_is_closed_and_a_waiting_one_is_not),
		HTTP_TEST(connections_over_the_limit_are_closed_until_there_is_room),
		HTTP_TEST(silent_connections_make_room_for_new_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
