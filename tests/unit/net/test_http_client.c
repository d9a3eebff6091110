/* SPDX-License-Identifier: Apache-2.0 */
#include "net_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct seen {
	unsigned handled, waiting;
	char method[16], agent[64], content_type[64], body[64];
	bool has_type;
} seen;

static void echo(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	const char *agent = sn_http_header(request, "User-Agent");
	const char *type = sn_http_header(request, "Content-Type");
	struct sn_str body = sn_http_body(request);

	seen.handled++;
	snprintf(seen.method, sizeof(seen.method), "%s", sn_http_method(request));
	snprintf(seen.agent, sizeof(seen.agent), "%s", agent != NULL ? agent : "");
	snprintf(seen.content_type, sizeof(seen.content_type), "%s", type != NULL ? type : "");
	snprintf(seen.body, sizeof(seen.body), "%.*s", (int)body.n, body.p);
	seen.has_type = type != NULL;
	sn_http_reply(request, 200, "text/plain", body.p, body.n);
}

static void gave_up(struct sn_http_request *request SN_UNUSED, void *ctx SN_UNUSED)
{
	seen.waiting--;
}

static void hang(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	seen.waiting++;
	sn_http_on_abandon(request, gave_up, NULL);
}

static int zeros(struct sn_buf *out, void *ctx SN_UNUSED)
{
	static const char piece[65536];

	sn_buf_add(out, piece, sizeof(piece));
	return 1;
}

static void endless(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	sn_http_reply_stream(request, 200, "application/octet-stream", zeros, NULL, NULL);
}

static void say_length(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	sn_http_reply_fd(request, 200, "application/octet-stream", fd,
			 strcmp(sn_http_param(request, "size"), "max") == 0
				 ? SN_HTTP_CLIENT_BODY_MAX
				 : SN_HTTP_CLIENT_BODY_MAX + 1);
}

static void one_event(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_sse *sse = sn_sse_open(request, NULL, NULL);

	sn_sse_send(sse, NULL, NULL, SN_STR("one"));
}

static const struct sn_http_route routes[] = {
	{"GET", "/echo", echo, 100, 0, NULL},     {"POST", "/echo", echo, 100, 0, NULL},
	{"PUT", "/echo", echo, 100, 0, NULL},     {"PATCH", "/echo", echo, 100, 0, NULL},
	{"DELETE", "/echo", echo, 100, 0, NULL},  {"GET", "/hang", hang, 0, 0, NULL},
	{"GET", "/endless", endless, 0, 0, NULL}, {"GET", "/zeros/{size}", say_length, 0, 0, NULL},
	{"GET", "/event", one_event, 0, 0, NULL},
};
static const struct sn_http_config config = {.routes = routes, .route_count = SN_COUNT(routes)};
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

static void each_method_arrives_with_its_body(void **state SN_UNUSED)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
	struct outcome outcome;

	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		for (size_t size = 0; size <= 3; size += 3) {
			world_fetch(&world, methods[i], "/echo", "abc", size, &outcome);
			assert_int_equal(outcome.status, 200);
			assert_string_equal(seen.method, methods[i]);
			assert_string_equal(seen.body, size > 0 ? "abc" : "");
			assert_string_equal(outcome_body(&outcome), size > 0 ? "abc" : "");
			assert_false(seen.has_type); /* none is made up */
			outcome_finish(&outcome);
		}
	}
	assert_string_equal(seen.agent, "sonde/" SONDE_VERSION);
	assert_int_equal(sn_http_server_connections(world.server), 1);
}

static void own_headers_are_sent(void **state SN_UNUSED)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct outcome outcome;

	world_start(&world, "POST", "/echo", "{}", 2, headers, &outcome);
	assert_true(world_until(&world, &outcome.calls));
	assert_string_equal(seen.content_type, "application/json");
	outcome_finish(&outcome);
}

static void unusable_requests_are_refused_at_once(void **state SN_UNUSED)
{
	static const char *const split[] = {"X: a\r\nEvil: b", NULL}, *const bare[] = {"X", NULL};
	struct outcome outcome;

	assert_null(world_start(&world, "GET", "ftp://127.0.0.1/", NULL, 0, NULL, &outcome));
	assert_null(world_start(&world, "GET", "file:///etc/passwd", NULL, 0, NULL, &outcome));
	assert_null(world_start(&world, "GET", "http://", NULL, 0, NULL, &outcome));
	assert_null(world_start(&world, "GET", "127.0.0.1", NULL, 0, NULL, &outcome));
	assert_null(world_start(&world, "GET", "http://u:p@127.0.0.1/", NULL, 0, NULL, &outcome));
	assert_null(world_start(&world, "GET\r\nX: y", "/echo", NULL, 0, NULL, &outcome));
	assert_null(world_start(&world, "", "/echo", NULL, 0, NULL, &outcome));
	assert_null(world_start(&world, "get", "/echo", NULL, 0, NULL, &outcome));
	assert_null(world_start(&world, "GET", "/echo", NULL, 0, split, &outcome));
	assert_null(world_start(&world, "GET", "/echo", NULL, 0, bare, &outcome));
	world_turns(&world, 10);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(seen.handled, 0);
}

static void many_requests_run_side_by_side(void **state SN_UNUSED)
{
	static struct outcome outcomes[100];

	for (size_t i = 0; i < SN_COUNT(outcomes); i++)
		assert_non_null(world_start(&world, "POST", "/echo", "x", 1, NULL, &outcomes[i]));
	for (size_t i = 0; i < SN_COUNT(outcomes); i++) {
		assert_true(world_until(&world, &outcomes[i].calls));
		assert_int_equal(outcomes[i].calls, 1);
		assert_int_equal(outcomes[i].status, 200);
		outcome_finish(&outcomes[i]);
	}
	assert_int_equal(seen.handled, SN_COUNT(outcomes));
}

/* Errors --------------------------------------------------------------------------------- */

static void assert_fails(const char *url, int error, const char *words)
{
	struct outcome outcome;

	world_get(&world, url, &outcome);
	if (outcome.error != error || strstr(outcome.text, words) == NULL)
		fail_msg("%d '%s' instead of %d '%s'", outcome.error, outcome.text, error, words);
	assert_int_equal(outcome.calls, 1);
	outcome_finish(&outcome);
}

/* A port of 127.0.0.1 where nobody listens, or (listening) somebody of ours does. */
static int raw_server(bool listening, char *url, size_t size)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sn_addr addr;

	sn_addr_parse(SN_STR("127.0.0.1"), 0, &addr);
	assert_int_equal(bind(fd, &addr.sa, addr.length), 0);
	assert_int_equal(getsockname(fd, &addr.sa, &addr.length), 0);
	if (listening)
		assert_int_equal(listen(fd, 10), 0);
	snprintf(url, size, "http://127.0.0.1:%u/secret?token=s3cret", sn_addr_port(&addr));
	return fd;
}

static void a_closed_port_is_refused_and_the_url_is_not_told(void **state SN_UNUSED)
{
	char url[64];
	int fd = raw_server(false, url, sizeof(url));
	struct outcome outcome;

	assert_fails(url, -ECONNREFUSED, "connection refused (is it running there?)");
	world_get(&world, url, &outcome);
	assert_null(strstr(outcome.text, "s3cret"));
	assert_non_null(strstr(outcome.text, "'http://127.0.0.1:"));
	outcome_finish(&outcome);
	close(fd);
}

static void an_unknown_name_is_told_apart(void **state SN_UNUSED)
{
	/* A label of 64 letters cannot be a name, so no resolver is asked over the network. */
	assert_fails(
		"http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid/",
		-EHOSTUNREACH, "there is no such name");
}

/* Accepts one connection, answers `text` and closes (or holds when text is NULL). */
static void assert_raw_answer(const char *text, int error, const char *words)
{
	char url[64];
	int fd = raw_server(true, url, sizeof(url)), peer = -1;
	struct outcome outcome;
	char request[4096];
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	assert_non_null(world_start(&world, "POST", url, "x", 1, NULL, &outcome));
	while (outcome.calls == 0 && sn_mono_ns() < end_ns) {
		sn_loop_turn(world.loop, 2 * SN_NS_PER_MS);
		if (peer < 0)
			peer = accept(fd, NULL, NULL);
		if (peer >= 0 && recv(peer, request, sizeof(request), MSG_DONTWAIT) > 0) {
			raw_send(peer, text);
			close(peer);
			peer = -1;
		}
	}
	if (outcome.error != error || strstr(outcome.text, words) == NULL)
		fail_msg("%d '%s' instead of %d '%s'", outcome.error, outcome.text, error, words);
	outcome_finish(&outcome);
	close(fd);
}

static void broken_answers_are_errors(void **state SN_UNUSED)
{
	assert_raw_answer("", -ECONNRESET, "without an answer");
	assert_raw_answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", -ECONNRESET,
			  "ended early");
	assert_raw_answer("SSH-2.0-OpenSSH_9.2\r\n", -EPROTO, "does not speak HTTP");
}

static void endless_headers_are_cut(void **state SN_UNUSED)
{
	struct sn_buf text = {0};

	sn_buf_adds(&text, "HTTP/1.1 200 OK\r\n");
	while (text.n < SN_HTTP_CLIENT_HEADER_MAX + 10)
		sn_buf_adds(&text, "X-Header: one of very very many lines of headers\r\n");
	assert_raw_answer(sn_buf_cstr(&text), -EMSGSIZE, "larger than allowed");
	sn_buf_finish(&text);
}

static void a_body_at_the_limit_is_taken_and_one_more_byte_is_not(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_get(&world, "/zeros/max", &outcome);
	assert_int_equal(outcome.error, 0);
	assert_int_equal(outcome.body.n, SN_HTTP_CLIENT_BODY_MAX);
	outcome_finish(&outcome);
	assert_fails("/zeros/more", -EMSGSIZE, "larger than allowed");
	/* Also when no length was declared. */
	assert_fails("/endless", -EMSGSIZE, "larger than allowed");
}

/* Time ------------------------------------------------------------------------------------- */

static struct sn_http_fetch *start_timed(const char *path, uint64_t timeout_ns, uint64_t idle_ns,
					 sn_http_data_fn *on_data, struct outcome *outcome)
{
	char url[128];
	struct sn_http_fetch_spec spec = {
		.method = "GET",
		.url = url,
		.timeout_ns = timeout_ns,
		.idle_timeout_ns = idle_ns,
		.on_data = on_data,
		.on_done = outcome_done,
		.ctx = outcome,
	};

	memset(outcome, 0, sizeof(*outcome));
	snprintf(url, sizeof(url), "%s%s", world.url, path);
	return sn_http_fetch(world.client, &spec);
}

static int swallow(struct sn_http_fetch *fetch SN_UNUSED, struct sn_str piece SN_UNUSED,
		   void *ctx SN_UNUSED)
{
	return 0;
}

static void a_server_that_hangs_runs_into_the_timeout(void **state SN_UNUSED)
{
	struct outcome outcome;
	uint64_t start_ns = sn_mono_ns();

	start_timed("/hang", 150 * SN_NS_PER_MS, 0, NULL, &outcome);
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.error, -ETIMEDOUT);
	assert_non_null(strstr(outcome.text, "no answer in time"));
	assert_true(sn_mono_ns() - start_ns >= 140 * SN_NS_PER_MS);
	world_turns(&world, 20);
	assert_int_equal(seen.waiting, 0);
}

static void a_stream_without_timeout_ends_when_nothing_comes(void **state SN_UNUSED)
{
	struct outcome outcome;

	start_timed("/event", UINT64_MAX, 150 * SN_NS_PER_MS, swallow, &outcome);
	world_turns(&world, 100);
	assert_int_equal(outcome.calls, 0);
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.error, -ETIMEDOUT);
	outcome_finish(&outcome);
}

/* Cancelling --------------------------------------------------------------------------------- */

static void a_cancelled_request_is_never_done(void **state SN_UNUSED)
{
	struct outcome outcome;
	struct sn_http_fetch *fetch = start_timed("/hang", 0, 0, NULL, &outcome);

	assert_true(world_until(&world, &seen.waiting));
	sn_http_fetch_cancel(fetch);
	sn_http_fetch_cancel(start_timed("/hang", 0, 0, NULL, &outcome)); /* before it began */
	world_turns(&world, 30);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(seen.waiting, 0);
}

static struct callback {
	struct sn_http_fetch *other;
	struct outcome next;
	unsigned calls;
	enum { CANCEL_SELF, CANCEL_OTHER, BREAK_OFF, START, RESET, DESTROY } what;
} callback;

static int act_on_data(struct sn_http_fetch *fetch, struct sn_str piece SN_UNUSED,
		       void *ctx SN_UNUSED)
{
	if (callback.calls++ > 0)
		return 0;
	switch (callback.what) {
	case CANCEL_SELF:
		sn_http_fetch_cancel(fetch);
		break;
	case CANCEL_OTHER:
		sn_http_fetch_cancel(callback.other);
		break;
	case BREAK_OFF:
		return -1;
	case START:
		world_start(&world, "GET", "/echo", NULL, 0, NULL, &callback.next);
		break;
	case RESET:
		sn_http_client_reset(world.client);
		break;
	case DESTROY:
		sn_http_client_destroy(world.client);
		world.client = NULL;
		break;
	}
	return 0;
}

static void every_call_is_allowed_inside_on_data(void **state SN_UNUSED)
{
	struct outcome outcome, other;

	callback = (struct callback){.what = CANCEL_SELF};
	start_timed("/endless", 0, 0, act_on_data, &outcome);
	assert_true(world_until(&world, &callback.calls));
	world_turns(&world, 10);
	assert_int_equal(outcome.calls, 0);
	assert_int_equal(callback.calls, 1);

	callback = (struct callback){.what = CANCEL_OTHER};
	callback.other = start_timed("/hang", 0, 0, NULL, &other);
	assert_true(world_until(&world, &seen.waiting));
	start_timed("/event", UINT64_MAX, 100 * SN_NS_PER_MS, act_on_data, &outcome);
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(other.calls, 0);
	assert_int_equal(seen.waiting, 0);

	callback = (struct callback){.what = BREAK_OFF};
	start_timed("/endless", 0, 0, act_on_data, &outcome);
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.error, -ECANCELED);

	callback = (struct callback){.what = START};
	start_timed("/event", UINT64_MAX, 100 * SN_NS_PER_MS, act_on_data, &outcome);
	assert_true(world_until(&world, &callback.next.calls));
	assert_int_equal(callback.next.status, 200);
	assert_true(world_until(&world, &outcome.calls));

	callback = (struct callback){.what = RESET};
	start_timed("/event", UINT64_MAX, 100 * SN_NS_PER_MS, act_on_data, &outcome);
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.error, -ETIMEDOUT);

	callback = (struct callback){.what = DESTROY};
	start_timed("/endless", 0, 0, act_on_data, &outcome);
	start_timed("/hang", 0, 0, NULL, &other);
	assert_true(world_until(&world, &callback.calls));
	world_turns(&world, 10);
	assert_int_equal(outcome.calls + other.calls, 0);
}

static void act_on_done(struct sn_http_fetch *fetch, const struct sn_http_answer *answer,
			void *ctx SN_UNUSED)
{
	assert_int_equal(answer->status, 200);
	callback.calls++;
	sn_http_fetch_cancel(fetch); /* it is over anyway */
	if (callback.what == CANCEL_OTHER)
		sn_http_fetch_cancel(callback.other);
	else if (callback.what == START)
		world_start(&world, "GET", "/echo", NULL, 0, NULL, &callback.next);
	else if (callback.what == DESTROY) {
		sn_http_client_destroy(world.client);
		world.client = NULL;
	}
}

static void start_acting(void)
{
	char url[128];
	struct sn_http_fetch_spec spec = {.method = "GET", .url = url, .on_done = act_on_done};

	snprintf(url, sizeof(url), "%s/echo", world.url);
	assert_non_null(sn_http_fetch(world.client, &spec));
}

static void every_call_is_allowed_inside_on_done(void **state SN_UNUSED)
{
	struct outcome other;

	callback = (struct callback){.what = CANCEL_OTHER};
	callback.other = start_timed("/hang", 0, 0, NULL, &other);
	start_acting();
	assert_true(world_until(&world, &callback.calls));
	callback = (struct callback){.what = START};
	start_acting();
	assert_true(world_until(&world, &callback.next.calls));
	callback = (struct callback){.what = DESTROY};
	start_timed("/hang", 0, 0, NULL, &other);
	start_acting();
	assert_true(world_until(&world, &callback.calls));
	world_turns(&world, 10);
	assert_int_equal(other.calls, 0);
	assert_int_equal(seen.waiting, 0);
}

/* Connections -----------------------------------------------------------------------------------
 */

static void reset_closes_idle_connections_and_lets_running_ones_end(void **state SN_UNUSED)
{
	struct outcome outcome, running;

	world_get(&world, "/echo", &outcome);
	start_timed("/event", UINT64_MAX, 200 * SN_NS_PER_MS, swallow, &running);
	world_turns(&world, 20);
	assert_int_equal(sn_http_server_connections(world.server), 1);
	sn_http_client_reset(world.client);
	world_turns(&world, 20);
	assert_int_equal(running.calls, 0);
	world_get(&world, "/echo", &outcome);
	assert_int_equal(outcome.status, 200);
	assert_int_equal(sn_http_server_connections(world.server), 2);
	assert_true(world_until(&world, &running.calls));
	world_turns(&world, 20);
	assert_int_equal(sn_http_server_connections(world.server), 1);
	sn_http_client_reset(world.client);
	world_turns(&world, 20);
	assert_int_equal(sn_http_server_connections(world.server), 0);
}

static void a_server_that_restarts_is_found_again(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_get(&world, "/echo", &outcome);
	assert_int_equal(outcome.status, 200);
	/* The connection that the client keeps dies with the old server. */
	sn_http_server_destroy(world.server);
	world.server = sn_http_server_create(world.loop, &config);
	assert_int_equal(sn_http_server_listen(world.server, &world.addr, -1, NULL, NULL, NULL), 0);
	world_fetch(&world, "POST", "/echo", "abc", 3, &outcome);
	assert_int_equal(outcome.error, 0);
	assert_string_equal(outcome_body(&outcome), "abc");
	outcome_finish(&outcome);
}

static void a_unix_socket_is_spoken_to(void **state SN_UNUSED)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sn_http_client_config own = {.unix_socket = un.sun_path};
	struct outcome outcome;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/sonde-test-http.%d", (int)getpid());
	unlink(un.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	sn_http_client_destroy(world.client);
	world.client = sn_http_client_create(world.loop, &own);
	assert_fails("http://hub/echo", -ECONNREFUSED, un.sun_path);
	assert_int_equal(listen(fd, 10), 0);
	assert_int_equal(sn_http_server_listen(world.server, NULL, fd, NULL, NULL, NULL), 0);
	world_get(&world, "http://hub/echo", &outcome);
	assert_int_equal(outcome.error, 0);
	assert_int_equal(outcome.status, 200);
	outcome_finish(&outcome);
	unlink(un.sun_path);
	assert_fails("http://hub/echo?x", 0, "");
}

static void urls_are_encoded(void **state SN_UNUSED)
{
	struct sn_buf out = {0};

	sn_url_encode(&out, (struct sn_str){"aZ0-._~ /?&=+%\xc3\xa4\0", 17});
	assert_string_equal(sn_buf_cstr(&out), "aZ0-._~%20%2F%3F%26%3D%2B%25%C3%A4%00");
	sn_buf_finish(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void what_a_problem_says_is_fit_to_print(void **state SN_UNUSED)
{
	static const struct {
		const char *body, *said;
	} cases[] = {
		{"{\"title\":\"No\",\"detail\":\"not today\"}", "not today"},
		{"{\"title\":\"No\"}", "No"},
		{"{\"detail\":\"a\\u001b[2J\\nb\"}", "a [2J b"},
		{"{\"detail\":7}", ""},
		{"[1]", ""},
		{"<html>", ""},
		{"", ""},
	};
	char said[SN_HTTP_SAID_MAX], body[2 * SN_HTTP_SAID_MAX] = "{\"detail\":\"x";

	for (size_t i = 0; i < SN_COUNT(cases); i++)
		assert_string_equal(sn_http_problem_said(sn_str(cases[i].body), said),
				    cases[i].said);
	for (size_t i = 0; i < SN_HTTP_SAID_MAX; i += 2)
		strcat(body, "\xc3\xa4");
	strcat(body, "\"}");
	assert_int_equal(strlen(sn_http_problem_said(sn_str(body), said)), SN_HTTP_SAID_MAX - 1);
	assert_memory_equal(said + SN_HTTP_SAID_MAX - 3, "\xc3\xa4", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_method_arrives_with_its_body),
		TEST(own_headers_are_sent),
		TEST(unusable_requests_are_refused_at_once),
		TEST(many_requests_run_side_by_side),
		TEST(a_closed_port_is_refused_and_the_url_is_not_told),
		TEST(an_unknown_name_is_told_apart),
		TEST(broken_answers_are_errors),
		TEST(endless_headers_are_cut),
		TEST(a_body_at_the_limit_is_taken_and_one_more_byte_is_not),
		TEST(a_server_that_hangs_runs_into_the_timeout),
		TEST(a_stream_without_timeout_ends_when_nothing_comes),
		TEST(a_cancelled_request_is_never_done),
		TEST(every_call_is_allowed_inside_on_data),
		TEST(every_call_is_allowed_inside_on_done),
		TEST(reset_closes_idle_connections_and_lets_running_ones_end),
		TEST(a_server_that_restarts_is_found_again),
		TEST(a_unix_socket_is_spoken_to),
		cmocka_unit_test(urls_are_encoded),
		cmocka_unit_test(what_a_problem_says_is_fit_to_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
