/* SPDX-License-Identifier: Apache-2.0 */
#include "net_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"

#define BODY_MAX 1000

/* What the guard and the handlers saw and keep; reset for each test. */
static struct seen {
	unsigned guarded, handled, abandoned, released;
	bool refuse;
	struct sn_http_request *waiting;
	size_t body_size;
} seen;

static int guard(struct sn_http_request *request, void *ctx)
{
	assert_ptr_equal(ctx, &seen);
	seen.guarded++;
	if (!seen.refuse)
		return 0;
	sn_http_problem(request, 403, "not-allowed", "Forbidden", "%s may not", "nobody");
	return -EACCES;
}

static void count_release(void *user SN_UNUSED)
{
	seen.released++;
}

static void hello(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	seen.handled++;
	sn_http_set_user(request, &seen, count_release);
	sn_http_reply(request, 200, "text/plain", "hello", 5);
}

static void own_headers(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	sn_http_set_header(request, "Content-Security-Policy", "default-src 'none'");
	sn_http_set_header(request, "ETag", "\"one\"");
	sn_http_set_header(request, "ETag", "\"two\"");
	sn_http_set_header(request, "Set-Cookie", "a=1");
	sn_http_set_header(request, "Set-Cookie", "b=2");
	sn_http_set_header(request, "Retry-After", "7");
	sn_http_reply(request, 503, "text/plain", "", 0);
}

static void echo(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_str body = sn_http_body(request);

	seen.handled++;
	seen.body_size = body.n;
	sn_http_reply(request, 200, "application/octet-stream", body.p, body.n);
}

static void show(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	const char *q = sn_http_query(request, "q"), *cookie = sn_http_cookie(request, "c");
	const char *header = sn_http_header(request, "X-Test");
	char text[512], addr[SN_ADDR_TEXT_MAX];

	seen.handled++;
	snprintf(text, sizeof(text), "%s|%s|%s|%s|%s|%s|%s|%s", sn_http_param(request, "id"),
		 q != NULL ? q : "-", sn_http_path(request), sn_http_method(request),
		 cookie != NULL ? cookie : "-", header != NULL ? header : "-",
		 sn_addr_format(sn_http_peer_addr(request), addr, sizeof(addr)),
		 sn_http_is_tls(request) ? "tls" : "plain");
	sn_http_reply(request, 200, "text/plain", text, strlen(text));
}

static void abandoned(struct sn_http_request *request, void *ctx)
{
	assert_ptr_equal(request, seen.waiting);
	assert_ptr_equal(ctx, &seen);
	seen.abandoned++;
	seen.waiting = NULL;
}

static void wait_told(struct sn_http_request *request, void *ctx)
{
	seen.handled++;
	seen.waiting = request;
	sn_http_on_abandon(request, abandoned, ctx);
}

static void wait_untold(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	seen.handled++;
	seen.waiting = request;
}

static void json(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	sn_http_reply_json(request, 201, json_pack("{s:f}", "x", 0.1));
}

static const struct sn_http_route routes[] = {
	{"GET", "/hello", hello, 0, 0, NULL},
	{"GET", "/own", own_headers, 0, 0, NULL},
	{"POST", "/echo", echo, BODY_MAX, 0, NULL},
	{"PUT", "/echo", echo, BODY_MAX, 0, NULL},
	{"GET", "/things/{id}", show, 0, 0, NULL},
	{"GET", "/wait/told", wait_told, 0, 0, NULL},
	{"GET", "/wait/untold", wait_untold, 0, 0, NULL},
	{"GET", "/json", json, 0, 0, NULL},
};

static const struct sn_http_config config = {
	.routes = routes,
	.route_count = SN_COUNT(routes),
	.guard = guard,
	.ctx = &seen,
};

static struct world world;

static int setup(void **state SN_UNUSED)
{
	seen = (struct seen){0};
	world_init(&world, &config);
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	world_finish(&world);
	return 0;
}

/* Sends `request`, expects `needle`, returns everything that came (to be freed). */
static char *exchange(const char *request, const char *needle)
{
	struct sn_buf in = {0};
	int fd = raw_connect(&world);

	raw_send(fd, request);
	if (!raw_expect(&world, fd, &in, needle))
		fail_msg("no '%s' in: %s", needle, sn_buf_cstr(&in));
	close(fd);
	return in.p;
}

/* Sends all of `request`, which is answered by one refusal and the end of the connection. */
static void refused_for_good(struct sn_buf *request)
{
	struct sn_buf in = {0};
	int fd = raw_connect(&world);
	const char *said;
	bool closed;

	assert_int_equal(send(fd, request->p, request->n, MSG_NOSIGNAL), request->n);
	closed = raw_closed(&world, fd, &in, 30000);
	said = sn_buf_cstr(&in);
	if (!closed || strncmp(said, "HTTP/1.1 400", 12) != 0 || strstr(said + 1, "HTTP/1.1 "))
		fail_msg("not one refusal of\n%s\nbut (%s)\n%s", sn_buf_cstr(request),
			 closed ? "closed" : "open", said);
	close(fd);
	sn_buf_finish(&in);
}

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
	char *in = exchange("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			    "\r\n\r\n");

	assert_non_null(strstr(in, "200 OK"));
	assert_non_null(strstr(in, "Content-Length: 5\r\n"));
	assert_null(strstr(in, "hello"));
	assert_int_equal(seen.handled, 1);
	free(in);
}

static void parameters_query_and_headers_are_decoded(void **state SN_UNUSED)
{
	char *in = exchange("GET /things/a%2Fb%20c?x=1&q=1%262+3 HTTP/1.1\r\nHost: x\r\n"
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
	char *in = exchange("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "}");

	assert_non_null(strstr(in, "HTTP/1.1 405"));
	assert_non_null(strstr(in, "Allow: POST, PUT\r\n"));
	free(in);
	in = exchange("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "}");
	assert_non_null(strstr(in, "Allow: GET, HEAD\r\n"));
	free(in);
	assert_int_equal(seen.handled, 0);
}

static void bad_paths_are_refused(void **state SN_UNUSED)
{
	static const char *const paths[] = {"/things/%00", "/things/..",   "/things/%2e%2e",
					    "/things/%zz", "/things/%c3(", "/things/a?q=%f"};
	char request[128];

	for (size_t i = 0; i < SN_COUNT(paths); i++) {
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
		free(exchange(request, "HTTP/1.1 400"));
	}
	assert_int_equal(seen.guarded, 0);
}

static void ambiguous_framing_is_refused(void **state SN_UNUSED)
{
	free(exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
		      "Content-Length: 3\r\n\r\nabc",
		      "HTTP/1.1 400"));
	free(exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		      "HTTP/1.1 400"));
	free(exchange("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nabc",
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
	free(exchange("GET /things/a HTTP/1.1\r\nHost: x\r\nEmpty:\r\nTight:x\r\n"
		      "X-Test: \t  a: b\tc\r\n!#$%&'*+-.^_`|~09azAZ: 1\r\n\r\n",
		      "|a: b\tc|"));
}

static void every_answer_carries_the_security_headers(void **state SN_UNUSED)
{
	char *in = exchange("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "}");

	assert_non_null(strstr(in, "X-Content-Type-Options: nosniff\r\n"));
	assert_non_null(strstr(in, "Content-Security-Policy: default-src 'self'"));
	assert_non_null(strstr(in, "Referrer-Policy: no-referrer\r\n"));
	free(in);
}

static void a_handler_may_set_headers_itself(void **state SN_UNUSED)
{
	char *in = exchange("GET /own HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n");

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
	assert_int_equal(sn_http_server_connections(world.server), 1);
}

/* Bodies --------------------------------------------------------------------------- */

static void a_body_at_the_limit_passes_and_one_more_byte_is_413(void **state SN_UNUSED)
{
	char body[BODY_MAX + 1];
	struct outcome outcome;

	memset(body, 'b', sizeof(body));
	world_fetch(&world, "POST", "/echo", body, BODY_MAX, &outcome);
	assert_int_equal(outcome.status, 200);
	assert_int_equal(outcome.body.n, BODY_MAX);
	assert_memory_equal(outcome.body.p, body, BODY_MAX);
	outcome_finish(&outcome);

	world_fetch(&world, "POST", "/echo", body, BODY_MAX + 1, &outcome);
	assert_int_equal(outcome.status, 413);
	assert_string_equal(outcome.content_type, "application/problem+json");
	assert_int_equal(seen.handled, 1);
	outcome_finish(&outcome);

	/* It was small enough to be swallowed, so the connection is still the same one. */
	world_get(&world, "/hello", &outcome);
	assert_int_equal(sn_http_server_connections(world.server), 1);
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
	char *request = chunked(BODY_MAX);
	char *in = exchange(request, "cccc");

	assert_int_equal(seen.body_size, BODY_MAX);
	free(request);
	free(in);

	request = chunked(BODY_MAX + 1);
	in = exchange(request, "}");
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
	in = exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n"
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
	size_t sent = 0;

	raw_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\n");
	for (unsigned i = 0; i < 500 && sent < sizeof(body); i++) {
		ssize_t got = send(fd, body + sent, SN_MIN(sizeof(body) - sent, 8192),
				   MSG_DONTWAIT | MSG_NOSIGNAL);

		if (got > 0)
			sent += (size_t)got;
		else if (errno != EAGAIN)
			break;
		sn_loop_turn(world.loop, 0);
	}
	assert_int_equal(sent, sizeof(body));
	assert_true(raw_expect(&world, fd, &in, "}"));
	assert_non_null(strstr(sn_buf_cstr(&in), "HTTP/1.1 413"));
	assert_non_null(strstr(sn_buf_cstr(&in), "Connection: close"));
	sn_buf_finish(&in);
	close(fd);
}

/* Late answers ---------------------------------------------------------------------- */

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
	assert_int_equal(sn_http_server_connections(world.server), 1);
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
	assert_int_equal(sn_http_server_connections(world.server), 0);
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
	world_turns(&world, 20);
	assert_int_equal(seen.abandoned, 0);
	sn_buf_finish(&in);
}

static void a_handler_that_was_not_told_may_still_answer(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);

	raw_send(fd, "GET /wait/untold?q=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.handled));
	close(fd);
	world_turns(&world, 50);
	assert_int_equal(sn_http_server_connections(world.server), 0);
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
	assert_true(raw_closed(&world, fd, NULL, 100));
	close(fd);
}

/* Limits ------------------------------------------------------------------------------ */

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

static void restart_with(const struct sn_http_config *other)
{
	world_finish(&world);
	world_init(&world, other);
}

static void a_client_that_sends_headers_drop_by_drop_is_cut_off(void **state SN_UNUSED)
{
	struct sn_http_config quick = config;
	int fd;
	bool closed = false;

	quick.header_timeout_ns = 150 * SN_NS_PER_MS;
	restart_with(&quick);
	fd = raw_connect(&world);
	raw_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow: ");
	for (unsigned i = 0; i < 60 && !closed; i++) {
		send(fd, "x", 1, MSG_NOSIGNAL);
		closed = raw_closed(&world, fd, NULL, 20);
	}
	assert_true(closed);
	close(fd);
}

static void a_client_that_sends_nothing_is_cut_off(void **state SN_UNUSED)
{
	struct sn_http_config quick = config;
	int fd;

	quick.header_timeout_ns = 200 * SN_NS_PER_MS;
	restart_with(&quick);
	fd = raw_connect(&world);
	assert_true(raw_closed(&world, fd, NULL, 1500));
	close(fd);
}

static void a_body_that_drips_is_cut_off(void **state SN_UNUSED)
{
	struct sn_http_config quick = config;
	int fd;
	bool closed = false;

	quick.header_timeout_ns = 150 * SN_NS_PER_MS;
	restart_with(&quick);
	fd = raw_connect(&world);
	raw_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
	for (unsigned i = 0; i < 60 && !closed; i++) {
		send(fd, "x", 1, MSG_NOSIGNAL);
		closed = raw_closed(&world, fd, NULL, 20);
	}
	assert_true(closed);
	assert_int_equal(seen.handled, 0);
	close(fd);
}

static void a_client_that_leaves_in_the_middle_keeps_no_connection(void **state SN_UNUSED)
{
	static const char *const halves[] = {
		"GET /hello HTTP/1.1\r\nHost: x\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf",
	};
	struct sn_http_config quick = config;
	uint64_t start_ns;

	quick.header_timeout_ns = 4 * SN_NS_PER_S;
	restart_with(&quick);
	for (unsigned i = 0; i < 20; i++) {
		int fd = raw_connect(&world);

		/* The end arrives together with the bytes. */
		raw_send(fd, halves[i % SN_COUNT(halves)]);
		close(fd);
	}
	start_ns = sn_mono_ns();
	do
		sn_loop_turn(world.loop, 20 * SN_NS_PER_MS);
	while (sn_mono_ns() - start_ns < 100 * SN_NS_PER_MS ||
	       (sn_http_server_connections(world.server) > 0 &&
		sn_mono_ns() - start_ns < TEST_PATIENCE_NS));
	assert_int_equal(sn_http_server_connections(world.server), 0);
	assert_int_equal(seen.handled, 0);
}

static void an_idle_connection_is_closed_and_a_waiting_one_is_not(void **state SN_UNUSED)
{
	struct sn_http_config quick = config;
	struct sn_buf in = {0};
	int idle, waiting;

	quick.idle_timeout_s = 1;
	quick.header_timeout_ns = 200 * SN_NS_PER_MS;
	restart_with(&quick);
	waiting = raw_connect(&world);
	raw_send(waiting, "GET /wait/told HTTP/1.1\r\nHost: x\r\n\r\n");
	idle = raw_connect(&world);
	raw_send(idle, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(raw_expect(&world, idle, &in, "hello"));
	assert_false(raw_closed(&world, idle, NULL, 500));
	assert_true(raw_closed(&world, idle, NULL, 1500));
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
	struct sn_http_config few = config;
	struct sn_buf in = {0};
	int fds[3];

	few.max_connections = 2;
	restart_with(&few);
	for (unsigned i = 0; i < 2; i++) {
		fds[i] = raw_connect(&world);
		raw_send(fds[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_true(raw_expect(&world, fds[i], &in, "hello"));
		sn_buf_clear(&in);
	}
	fds[2] = raw_connect(&world);
	raw_send(fds[2], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	world_turns(&world, 20);
	assert_int_equal(sn_http_server_connections(world.server), 2);
	close(fds[0]);
	/* The one that waited in the backlog is served as soon as one has left. */
	assert_true(raw_expect(&world, fds[2], &in, "hello"));
	assert_int_equal(sn_http_server_connections(world.server), 2);
	sn_buf_finish(&in);
	close(fds[1]);
	close(fds[2]);
}

static void silent_connections_make_room_for_new_ones(void **state SN_UNUSED)
{
	struct sn_http_config few = config;
	struct sn_buf in = {0};
	int silent[40], known;

	few.max_connections = 16;
	restart_with(&few);
	known = raw_connect(&world);
	raw_send(known, "GET /wait/told HTTP/1.1\r\nHost: x\r\n\r\n");
	while (seen.waiting == NULL)
		sn_loop_turn(world.loop, 2 * SN_NS_PER_MS);
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
	assert_true(raw_closed(&world, silent[0], NULL, 1000));
	assert_in_range(sn_http_server_connections(world.server), 2, 16);
	/* Who waits for an answer is not the one to go. */
	sn_http_reply(seen.waiting, 200, "text/plain", "late", 4);
	assert_true(raw_expect(&world, known, &in, "late"));
	sn_buf_finish(&in);
	for (size_t i = 0; i < SN_COUNT(silent); i++)
		close(silent[i]);
	close(known);
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
		if (!raw_closed(&world, fd, &in, 1000))
			fail_msg("still open after garbage %zu: %s", i, sn_buf_cstr(&in));
		assert_null(strstr(sn_buf_cstr(&in), "hello\n"));
		sn_buf_finish(&in);
		close(fd);
	}
	assert_int_equal(seen.handled, 0);
	assert_int_equal(sn_http_server_connections(world.server), 0);
}

/* Listening ----------------------------------------------------------------------------- */

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_handler_answers),
		TEST(head_has_the_headers_of_get_and_no_body),
		TEST(parameters_query_and_headers_are_decoded),
		TEST(an_unknown_path_is_a_problem_404),
		TEST(a_wrong_method_is_405_and_says_which_are_right),
		TEST(bad_paths_are_refused),
		TEST(ambiguous_framing_is_refused),
		TEST(header_lines_that_two_readers_take_differently_are_refused),
		TEST(header_lines_of_all_sorts_are_read),
		TEST(every_answer_carries_the_security_headers),
		TEST(a_handler_may_set_headers_itself),
		TEST(the_client_reads_etag_and_retry_after),
		TEST(json_is_written_short),
		TEST(a_connection_serves_many_requests),
		TEST(a_body_at_the_limit_passes_and_one_more_byte_is_413),
		TEST(the_limit_holds_for_chunks_without_a_length),
		TEST(a_route_without_a_body_takes_none),
		TEST(the_guard_refuses_before_the_body),
		TEST(an_expected_body_is_asked_for),
		TEST(a_refusal_reaches_a_client_that_is_still_uploading),
		TEST(a_raw_uploader_that_does_not_read_gets_the_refusal_too),
		TEST(an_answer_may_come_later),
		TEST(requests_sent_together_are_answered_in_order),
		TEST(a_client_that_leaves_while_it_waits_is_noticed),
		TEST(a_client_that_leaves_after_a_late_answer_abandons_nothing),
		TEST(a_handler_that_was_not_told_may_still_answer),
		TEST(destroying_the_server_abandons_what_waits),
		TEST(headers_over_the_limit_are_refused),
		TEST(a_client_that_sends_headers_drop_by_drop_is_cut_off),
		TEST(a_client_that_sends_nothing_is_cut_off),
		TEST(a_body_that_drips_is_cut_off),
		TEST(a_client_that_leaves_in_the_middle_keeps_no_connection),
		TEST(an_idle_connection_is_closed_and_a_waiting_one_is_not),
		TEST(connections_over_the_limit_are_closed_until_there_is_room),
		TEST(silent_connections_make_room_for_new_ones),
		TEST(garbage_gets_an_error_and_no_handler),
		TEST(plain_http_is_for_loopback_only),
		TEST(several_listeners_share_the_routes),
		TEST(a_listening_socket_may_be_handed_over),
		TEST(a_port_that_is_taken_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
