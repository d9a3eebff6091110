/* SPDX-License-Identifier: Apache-2.0 */
#include "http_world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_body_at_the_limit_passes_and_one_more_byte_is_413(void **state SN_UNUSED)
{
	char body[HTTP_BODY_MAX + 1];
	struct outcome outcome;

	memset(body, 'b', sizeof(body));
	world_fetch(&world, "POST", "/echo", body, HTTP_BODY_MAX, &outcome);
	assert_int_equal(outcome.status, 200);
	assert_int_equal(outcome.body.n, HTTP_BODY_MAX);
	assert_memory_equal(outcome.body.p, body, HTTP_BODY_MAX);
	outcome_finish(&outcome);

	world_fetch(&world, "POST", "/echo", body, HTTP_BODY_MAX + 1, &outcome);
	assert_int_equal(outcome.status, 413);
	assert_string_equal(outcome.content_type, "application/problem+json");
	assert_int_equal(seen.handled, 1);
	outcome_finish(&outcome);

	/* It was small enough to be swallowed, so the connection is still the same one. */
	world_get(&world, "/hello", &outcome);
	http_expect_connections(1);
	outcome_finish(&outcome);
}

static char *chunked(size_t size)
{
	struct sn_buf out = {0};

	sn_buf_adds(&out, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (size_t left = size; left > 0;) {
		size_t piece = SN_MIN(left, 300);

		sn_buf_addf(&out, "%zx\r\n", piece);
		for (size_t i = 0; i < piece; i++)
			sn_buf_addc(&out, 'c');
		sn_buf_adds(&out, "\r\n");
		left -= piece;
	}
	sn_buf_adds(&out, "0\r\n\r\n");
	sn_buf_cstr(&out);
	return out.p;
}

static void the_limit_holds_for_chunks_without_a_length(void **state SN_UNUSED)
{
	char *request = chunked(HTTP_BODY_MAX);
	char *in = http_exchange(request, "cccc");

	assert_int_equal(seen.body_size, HTTP_BODY_MAX);
	free(request);
	free(in);

	request = chunked(HTTP_BODY_MAX + 1);
	in = http_exchange(request, "}");
	assert_non_null(strstr(in, "HTTP/1.1 413"));
	assert_non_null(strstr(in, "body-too-large"));
	assert_non_null(strstr(in, "nosniff"));
	assert_int_equal(seen.handled, 1);
	free(request);
	free(in);
}

static void a_route_without_a_body_takes_none(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_fetch(&world, "GET", "/hello", "x", 1, &outcome);
	assert_int_equal(outcome.status, 413);
	assert_int_equal(seen.handled, 0);
	outcome_finish(&outcome);
}

static void the_guard_refuses_before_the_body(void **state SN_UNUSED)
{
	char *in;

	seen.refuse = true;
	/* The client waits for "100 Continue" and must not be told to send. */
	in = http_exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n"
			   "Expect: 100-continue\r\n\r\n",
			   "}");
	assert_null(strstr(in, "100 Continue"));
	assert_non_null(strstr(in, "HTTP/1.1 403"));
	assert_non_null(strstr(in, "nobody may not"));
	assert_int_equal(seen.handled, 0);
	free(in);
}

static void an_expected_body_is_asked_for(void **state SN_UNUSED)
{
	struct sn_buf in = {0};
	int fd = raw_connect(&world);

	raw_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
		     "Expect: 100-continue\r\n\r\n");
	assert_true(raw_expect(&world, fd, &in, "HTTP/1.1 100 Continue\r\n\r\n"));
	raw_send(fd, "abc");
	assert_true(raw_expect(&world, fd, &in, "\r\n\r\nabc"));
	assert_int_equal(seen.guarded, 1);
	sn_buf_finish(&in);
	close(fd);
}

static void a_refusal_reaches_a_client_that_is_still_uploading(void **state SN_UNUSED)
{
	static char body[4 * 1024 * 1024];
	struct outcome outcome;

	for (unsigned i = 0; i < 5; i++) {
		static const char *const no_expect[] = {"Expect:", NULL};

		assert_non_null(world_start(&world, "POST", "/echo", body, sizeof(body), no_expect,
					    &outcome));
		assert_true(world_until(&world, &outcome.calls));
		assert_int_equal(outcome.error, 0);
		assert_int_equal(outcome.status, 413);
		outcome_finish(&outcome);
	}
}

static void a_raw_uploader_that_does_not_read_gets_the_refusal_too(void **state SN_UNUSED)
{
	static char body[256 * 1024];
	struct sn_buf in = {0};
	int fd = raw_connect(&world);
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;
	size_t sent = 0;

	raw_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\n");
	while (sent < sizeof(body) && sn_mono_ns() < end_ns) {
		ssize_t got = send(fd, body + sent, SN_MIN(sizeof(body) - sent, 8192),
				   MSG_DONTWAIT | MSG_NOSIGNAL);

		if (got > 0)
			sent += (size_t)got;
		else if (errno != EAGAIN)
			break;
		sn_loop_turn(world.loop, got > 0 ? 0 : SN_NS_PER_MS);
	}
	assert_int_equal(sent, sizeof(body));
	assert_true(raw_expect(&world, fd, &in, "}"));
	assert_non_null(strstr(sn_buf_cstr(&in), "HTTP/1.1 413"));
	assert_non_null(strstr(sn_buf_cstr(&in), "Connection: close"));
	sn_buf_finish(&in);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(a_body_at_the_limit_passes_and_one_more_byte_is_413),
		HTTP_TEST(the_limit_holds_for_chunks_without_a_length),
		HTTP_TEST(a_route_without_a_body_takes_none),
		HTTP_TEST(the_guard_refuses_before_the_body),
		HTTP_TEST(an_expected_body_is_asked_for),
		HTTP_TEST(a_refusal_reaches_a_client_that_is_still_uploading),
		HTTP_TEST(a_raw_uploader_that_does_not_read_gets_the_refusal_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
