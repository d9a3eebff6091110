/* SPDX-License-Identifier: Apache-2.0 */
#include "http_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"

static void a_handler_answers(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_get(&world, "/hello", &outcome);
	assert_int_equal(outcome.error, 0);
	assert_int_equal(outcome.status, 200);
	assert_string_equal(outcome_body(&outcome), "hello");
	assert_string_equal(outcome.content_type, "text/plain");
	assert_int_equal(seen.guarded, 1);
	assert_int_equal(seen.released, 1);
	outcome_finish(&outcome);
}

static void head_has_the_headers_of_get_and_no_body(void **state SN_UNUSED)
{
	char *in = http_exchange("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
				 "\r\n\r\n");

	assert_non_null(strstr(in, "200 OK"));
	assert_non_null(strstr(in, "Content-Length: 5\r\n"));
	assert_null(strstr(in, "hello"));
	assert_int_equal(seen.handled, 1);
	free(in);
}

static void parameters_query_and_headers_are_decoded(void **state SN_UNUSED)
{
	char *in = http_exchange("GET /things/a%2Fb%20c?x=1&q=1%262+3 HTTP/1.1\r\nHost: x\r\n"
				 "Cookie: b=2; c=cookie\r\nX-Test: header\r\n\r\n",
				 "plain");

	assert_non_null(strstr(in, "a/b c|1&2 3|/things/a/b c|GET|cookie|header|127.0.0.1|plain"));
	free(in);
}

static void an_unknown_path_is_a_problem_404(void **state SN_UNUSED)
{
	struct outcome outcome;
	json_t *problem;

	world_get(&world, "/nowhere", &outcome);
	assert_int_equal(outcome.status, 404);
	assert_string_equal(outcome.content_type, "application/problem+json");
	problem = sn_json_parse(outcome.body.p, outcome.body.n, NULL);
	assert_non_null(problem);
	assert_string_equal(json_string_value(json_object_get(problem, "type")),
			    "/problems/not-found");
	assert_string_equal(json_string_value(json_object_get(problem, "code")), "not-found");
	assert_int_equal(json_integer_value(json_object_get(problem, "status")), 404);
	assert_non_null(json_string_value(json_object_get(problem, "title")));
	assert_non_null(json_string_value(json_object_get(problem, "detail")));
	json_decref(problem);
	assert_int_equal(seen.guarded, 0);
	outcome_finish(&outcome);
}

static void a_wrong_method_is_405_and_says_which_are_right(void **state SN_UNUSED)
{
	char *in = http_exchange("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "}");

	assert_non_null(strstr(in, "HTTP/1.1 405"));
	assert_non_null(strstr(in, "Allow: POST, PUT\r\n"));
	free(in);
	in = http_exchange("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "}");
	assert_non_null(strstr(in, "Allow: GET, HEAD\r\n"));
	free(in);
	assert_int_equal(seen.handled, 0);
}

static void every_answer_carries_the_security_headers(void **state SN_UNUSED)
{
	char *in = http_exchange("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "}");

	assert_non_null(strstr(in, "X-Content-Type-Options: nosniff\r\n"));
	assert_non_null(strstr(in, "Content-Security-Policy: default-src 'self'"));
	assert_non_null(strstr(in, "Referrer-Policy: no-referrer\r\n"));
	free(in);
}

static void a_handler_may_set_headers_itself(void **state SN_UNUSED)
{
	char *in = http_exchange("GET /own HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n");

	assert_non_null(strstr(in, "Content-Security-Policy: default-src 'none'\r\n"));
	assert_null(strstr(in, "default-src 'self'"));
	assert_null(strstr(in, "\"one\""));
	assert_non_null(strstr(in, "ETag: \"two\"\r\n"));
	assert_non_null(strstr(in, "Set-Cookie: a=1\r\n"));
	assert_non_null(strstr(in, "Set-Cookie: b=2\r\n"));
	free(in);
}

static void the_client_reads_etag_and_retry_after(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_get(&world, "/own", &outcome);
	assert_int_equal(outcome.status, 503);
	assert_string_equal(outcome.etag, "\"two\"");
	assert_true(outcome.retry_after_s > 6.9 && outcome.retry_after_s < 7.1);
	outcome_finish(&outcome);
}

static void json_is_written_short(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_get(&world, "/json", &outcome);
	assert_int_equal(outcome.status, 201);
	assert_string_equal(outcome.content_type, "application/json");
	assert_string_equal(outcome_body(&outcome), "{\"x\":0.1}");
	outcome_finish(&outcome);
}

static void a_connection_serves_many_requests(void **state SN_UNUSED)
{
	struct outcome outcome;

	for (unsigned i = 0; i < 20; i++) {
		/* Refusals without a body must not cost the connection either. */
		world_get(&world, i % 2 ? "/hello" : "/nowhere", &outcome);
		outcome_finish(&outcome);
	}
	assert_int_equal(seen.handled, 10);
	http_expect_connections(1);
}

/* Late answers -------------------------------------------------------------------- */

static void an_answer_may_come_later(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_start(&world, "GET", "/wait/told", NULL, 0, NULL, &outcome);
	assert_true(world_until(&world, &seen.handled));
	world_turns(&world, 20);
	assert_int_equal(outcome.calls, 0);
	assert_non_null(seen.waiting);
	sn_http_reply(seen.waiting, 200, "text/plain", "late", 4);
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.status, 200);
	assert_string_equal(outcome_body(&outcome), "late");
	assert_int_equal(seen.abandoned, 0);
	outcome_finish(&outcome);
	/* The connection goes on. */
	world_get(&world, "/hello", &outcome);
	assert_int_equal(outcome.status, 200);
	http_expect_connections(1);
	outcome_finish(&outcome);
}

static void requests_sent_together_are_answered_in_order(void **state SN_UNUSED)
{
	struct sn_buf in = {0};
	int fd = raw_connect(&world);

	raw_send(fd, "GET /wait/told HTTP/1.1\r\nHost: x\r\n\r\n"
		     "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.handled));
	world_turns(&world, 20);
	assert_int_equal(seen.handled, 1);
	sn_http_reply(seen.waiting, 200, "text/plain", "first", 5);
	assert_true(raw_expect(&world, fd, &in, "hello"));
	assert_true(strstr(sn_buf_cstr(&in), "first") < strstr(sn_buf_cstr(&in), "hello"));
	sn_buf_finish(&in);
	close(fd);
}

static void a_client_that_leaves_while_it_waits_is_noticed(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);

	raw_send(fd, "GET /wait/told HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.handled));
	assert_int_equal(seen.abandoned, 0);
	close(fd);
	assert_true(world_until(&world, &seen.abandoned));
	assert_int_equal(seen.abandoned, 1);
	http_expect_connections(0);
}

static void a_client_that_leaves_after_a_late_answer_abandons_nothing(void **state SN_UNUSED)
{
	struct sn_buf in = {0};
	int fd = raw_connect(&world);

	raw_send(fd, "GET /wait/told HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.handled));
	sn_http_reply(seen.waiting, 200, "text/plain", "late", 4);
	assert_true(raw_expect(&world, fd, &in, "late"));
	close(fd);
	http_expect_connections(0);
	assert_int_equal(seen.abandoned, 0);
	sn_buf_finish(&in);
}

static void a_handler_that_was_not_told_may_still_answer(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);

	raw_send(fd, "GET /wait/untold?q=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.handled));
	close(fd);
	http_expect_connections(0);
	assert_string_equal(sn_http_query(seen.waiting, "q"), "1");
	assert_null(sn_http_header(seen.waiting, "Host"));
	assert_null(sn_http_peer(seen.waiting));
	sn_http_reply(seen.waiting, 200, "text/plain", "late", 4); /* frees it */
}

static void destroying_the_server_abandons_what_waits(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);

	raw_send(fd, "GET /wait/told HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.handled));
	sn_http_server_destroy(world.server);
	world.server = NULL;
	assert_int_equal(seen.abandoned, 1);
	assert_true(raw_closed(&world, fd, NULL, TEST_PATIENCE_MS));
	close(fd);
}

/* Listening ----------------------------------------------------------------------- */

static void plain_http_is_for_loopback_only(void **state SN_UNUSED)
{
	struct sn_addr addr;
	struct sn_err err = {0};

	sn_addr_parse(SN_STR("0.0.0.0"), 0, &addr);
	assert_int_equal(sn_http_server_listen(world.server, &addr, -1, NULL, NULL, &err), -EPERM);
	assert_non_null(strstr(err.text, "0.0.0.0"));
	sn_addr_parse(SN_STR("::"), 0, &addr);
	assert_int_equal(sn_http_server_listen(world.server, &addr, -1, NULL, NULL, &err), -EPERM);
}

static void several_listeners_share_the_routes(void **state SN_UNUSED)
{
	struct sn_addr addr, bound;
	struct outcome outcome;
	char url[64];

	sn_addr_parse(SN_STR("127.0.0.2"), 0, &addr);
	assert_int_equal(sn_http_server_listen(world.server, &addr, -1, NULL, &bound, NULL), 0);
	snprintf(url, sizeof(url), "http://127.0.0.2:%u/hello", sn_addr_port(&bound));
	world_get(&world, url, &outcome);
	assert_int_equal(outcome.status, 200);
	outcome_finish(&outcome);
	world_get(&world, "/hello", &outcome);
	assert_int_equal(outcome.status, 200);
	outcome_finish(&outcome);
}

static void a_listening_socket_may_be_handed_over(void **state SN_UNUSED)
{
	struct sn_addr addr, bound;
	struct outcome outcome;
	char url[64];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sn_addr_parse(SN_STR("127.0.0.1"), 0, &addr);
	assert_int_equal(bind(fd, &addr.sa, addr.length), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(sn_http_server_listen(world.server, NULL, fd, NULL, &bound, NULL), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/hello", sn_addr_port(&bound));
	world_get(&world, url, &outcome);
	assert_int_equal(outcome.status, 200);
	outcome_finish(&outcome);
}

static void a_port_that_is_taken_is_named(void **state SN_UNUSED)
{
	struct sn_err err = {0};
	char text[SN_ADDR_TEXT_MAX];

	assert_int_equal(sn_http_server_listen(world.server, &world.addr, -1, NULL, NULL, &err),
			 -EADDRINUSE);
	assert_non_null(strstr(err.text, sn_addr_format_port(&world.addr, text, sizeof(text))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(a_handler_answers),
		HTTP_TEST(head_has_the_headers_of_get_and_no_body),
		HTTP_TEST(parameters_query_and_headers_are_decoded),
		HTTP_TEST(an_unknown_path_is_a_problem_404),
		HTTP_TEST(a_wrong_method_is_405_and_says_which_are_right),
		HTTP_TEST(every_answer_carries_the_security_headers),
		HTTP_TEST(a_handler_may_set_headers_itself),
		HTTP_TEST(the_client_reads_etag_and_retry_after),
		HTTP_TEST(json_is_written_short),
		HTTP_TEST(a_connection_serves_many_requests),
		HTTP_TEST(an_answer_may_come_later),
		HTTP_TEST(requests_sent_together_are_answered_in_order),
		HTTP_TEST(a_client_that_leaves_while_it_waits_is_noticed),
		HTTP_TEST(a_client_that_leaves_after_a_late_answer_abandons_nothing),
		HTTP_TEST(a_handler_that_was_not_told_may_still_answer),
		HTTP_TEST(destroying_the_server_abandons_what_waits),
		HTTP_TEST(plain_http_is_for_loopback_only),
		HTTP_TEST(several_listeners_share_the_routes),
		HTTP_TEST(a_listening_socket_may_be_handed_over),
		HTTP_TEST(a_port_that_is_taken_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
