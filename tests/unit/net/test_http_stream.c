/* SPDX-License-Identifier: Apache-2.0 */
#include "net_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECES     200
#define PIECE_SIZE 5000

static struct seen {
	unsigned produced, released, opened, closed;
	unsigned break_at;
	struct sn_sse *sse;
	char last_event_id[32];
	struct sn_http_request *waiting;
	unsigned waits;
	struct sn_http_stream *stream;
	unsigned ready, taken; /* pieces that a source from outside has made, and that were taken */
	bool ended;
} seen;

/* Streams ----------------------------------------------------------------------------- */

static int produce(struct sn_buf *out, void *ctx)
{
	struct seen *s = ctx;

	if (s->break_at > 0 && s->produced == s->break_at)
		return -EIO;
	if (s->produced == PIECES)
		return 0;
	/* Every third call has nothing yet, which must not end the stream. */
	if (s->produced++ % 3 == 2)
		return 1;
	for (unsigned i = 0; i < PIECE_SIZE; i++)
		sn_buf_addc(out, (char)('a' + s->produced % 26));
	return 1;
}

static void released(void *ctx)
{
	((struct seen *)ctx)->released++;
}

static void stream(struct sn_http_request *request, void *ctx)
{
	sn_http_reply_stream(request, 200, "application/x-ndjson", produce, released, ctx);
}

/* A source that has something only when the test says so. */
static int produce_later(struct sn_buf *out, void *ctx)
{
	struct seen *s = ctx;

	s->produced++;
	if (s->taken == s->ready)
		return s->ended ? 0 : SN_HTTP_LATER;
	for (; s->taken < s->ready; s->taken++)
		sn_buf_addf(out, "piece %u\n", s->taken);
	return 1;
}

static void forget_stream(void *ctx)
{
	released(ctx);
	((struct seen *)ctx)->stream = NULL;
}

static void later(struct sn_http_request *request, void *ctx)
{
	((struct seen *)ctx)->stream =
		sn_http_reply_stream(request, 200, "text/plain", produce_later, forget_stream, ctx);
}

static int produce_forever(struct sn_buf *out, void *ctx)
{
	static const char zeros[65536];

	((struct seen *)ctx)->produced++;
	sn_buf_add(out, zeros, sizeof(zeros));
	return 1;
}

static void endless(struct sn_http_request *request, void *ctx)
{
	sn_http_reply_stream(request, 200, "application/octet-stream", produce_forever, released,
			     ctx);
}

static void file(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	sn_http_reply_fd(request, 200, "application/octet-stream", fd, 100000);
}

/* Says more than the file holds, as when it is cut while it is sent. */
static void short_file(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);

	sn_http_reply_fd(request, 200, "application/octet-stream", fd, 100000);
}

/* Event streams ------------------------------------------------------------------------ */

static void sse_closed(struct sn_sse *sse, void *ctx)
{
	struct seen *s = ctx;

	assert_ptr_equal(sse, s->sse);
	s->closed++;
	s->sse = NULL;
}

static void events(struct sn_http_request *request, void *ctx)
{
	const char *id = sn_http_header(request, "Last-Event-ID");
	unsigned from = id != NULL ? (unsigned)strtoul(id, NULL, 10) + 1 : 1;
	char text[16];

	snprintf(seen.last_event_id, sizeof(seen.last_event_id), "%s", id != NULL ? id : "");
	seen.sse = sn_sse_open(request, sse_closed, ctx);
	seen.opened++;
	/* Whoever comes back gets what came after the id it had. */
	for (unsigned i = from; i <= 3; i++) {
		snprintf(text, sizeof(text), "%u", i);
		sn_sse_send(seen.sse, "count", text, sn_str(text));
	}
}

static void hold(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	seen.waiting = request;
	seen.waits++;
}

static const struct sn_http_route routes[] = {
	{"GET", "/stream", stream, 0, 0, NULL}, {"GET", "/endless", endless, 0, 0, NULL},
	{"GET", "/file", file, 0, 0, NULL},     {"GET", "/events", events, 0, 0, NULL},
	{"GET", "/hold", hold, 0, 0, NULL},     {"GET", "/short", short_file, 0, 0, NULL},
	{"GET", "/later", later, 0, 0, NULL},
};

static const struct sn_http_config config = {
	.routes = routes, .route_count = SN_COUNT(routes), .ctx = &seen};

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

static void a_stream_arrives_whole(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_get(&world, "/stream", &outcome);
	assert_int_equal(outcome.error, 0);
	assert_int_equal(outcome.status, 200);
	assert_int_equal(outcome.body.n, (PIECES - PIECES / 3) * PIECE_SIZE);
	assert_int_equal(outcome.body.p[0], 'b');
	assert_int_equal(seen.released, 1);
	outcome_finish(&outcome);
}

static void a_stream_that_breaks_off_is_an_error_for_the_client(void **state SN_UNUSED)
{
	struct outcome outcome;

	seen.break_at = 50;
	world_get(&world, "/stream", &outcome);
	assert_int_equal(outcome.error, -ECONNRESET);
	assert_int_equal(seen.released, 1);
	outcome_finish(&outcome);
}

/* Such a client sees the end of an answer in the end of the connection. */
static void a_stream_that_breaks_off_is_an_error_for_old_clients_too(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);
	char text[4096];
	ssize_t got;

	seen.break_at = 20;
	raw_send(fd, "GET /stream HTTP/1.0\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.released));
	while ((got = recv(fd, text, sizeof(text), MSG_DONTWAIT)) > 0)
		;
	assert_int_equal(got, -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

static void head_of_a_stream_produces_nothing(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_fetch(&world, "HEAD", "/stream", NULL, 0, &outcome);
	assert_int_equal(outcome.status, 200);
	assert_int_equal(seen.produced, 0);
	assert_int_equal(seen.released, 1);
	outcome_finish(&outcome);
}

static void a_stream_is_made_only_as_fast_as_it_is_read(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);
	unsigned made;

	raw_send(fd, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
	do {
		made = seen.produced;
		assert_in_range(made, 0, 400);
		world_turns(&world, 200);
	} while (made == 0 || made != seen.produced);
	world_turns(&world, 50);
	assert_in_range(seen.produced, made, made + 2);
	/* A reader that leaves ends it. */
	close(fd);
	assert_true(world_until(&world, &seen.released));
	assert_int_equal(seen.released, 1);
	assert_int_equal(sn_http_server_connections(world.server), 0);
}

static void a_stream_that_has_nothing_waits_until_it_is_woken(void **state SN_UNUSED)
{
	struct sn_buf in = {0};
	int fd = raw_connect(&world);
	unsigned asked;

	raw_send(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.produced));
	world_turns(&world, 100);
	asked = seen.produced;
	world_turns(&world, 100);
	assert_int_equal(seen.produced, asked); /* nobody is asked in vain */
	for (unsigned i = 0; i < 20; i++) {
		char wanted[16];

		snprintf(wanted, sizeof(wanted), "piece %u\n", i);
		seen.ready = i + 1;
		sn_http_stream_wake(seen.stream);
		sn_http_stream_wake(seen.stream); /* once too often is no harm */
		assert_true(raw_expect(&world, fd, &in, wanted));
	}
	close(fd);
	sn_buf_finish(&in);
}

static void a_stream_that_was_woken_for_its_end_ends(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_start(&world, "GET", "/later", NULL, 0, NULL, &outcome);
	assert_true(world_until(&world, &seen.produced));
	seen.ready = 2;
	seen.ended = true;
	sn_http_stream_wake(seen.stream);
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.error, 0);
	assert_string_equal(outcome_body(&outcome), "piece 0\npiece 1\n");
	assert_int_equal(seen.released, 1);
	outcome_finish(&outcome);
}

static void a_client_that_leaves_a_waiting_stream_is_noticed(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);

	raw_send(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.produced));
	world_turns(&world, 50);
	close(fd);
	assert_true(world_until(&world, &seen.released));
	assert_int_equal(sn_http_server_connections(world.server), 0);
}

static void a_waiting_stream_can_be_broken_off(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_start(&world, "GET", "/later", NULL, 0, NULL, &outcome);
	assert_true(world_until(&world, &seen.produced));
	seen.ready = 1;
	sn_http_stream_wake(seen.stream);
	world_turns(&world, 50);
	sn_http_stream_break(seen.stream);
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.error, -ECONNRESET);
	assert_int_equal(seen.released, 1);
	outcome_finish(&outcome);
}

static void destroying_the_server_releases_waiting_streams(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);

	raw_send(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.produced));
	world_turns(&world, 20);
	sn_http_server_destroy(world.server);
	world.server = NULL;
	assert_int_equal(seen.released, 1);
	close(fd);
}

static void destroying_the_server_releases_streams(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);

	raw_send(fd, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.produced));
	sn_http_server_destroy(world.server);
	world.server = NULL;
	assert_int_equal(seen.released, 1);
	close(fd);
}

static void a_file_is_sent_to_its_size(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_get(&world, "/file", &outcome);
	assert_int_equal(outcome.status, 200);
	assert_int_equal(outcome.body.n, 100000);
	assert_memory_equal(outcome.body.p, "\177ELF", 4);
	outcome_finish(&outcome);
}

static void a_file_that_is_shorter_than_said_is_an_error(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_get(&world, "/short", &outcome);
	assert_int_equal(outcome.error, -ECONNRESET);
	outcome_finish(&outcome);
	world_turns(&world, 20);
	assert_int_equal(sn_http_server_connections(world.server), 0);
}

static void a_late_answer_may_be_a_stream(void **state SN_UNUSED)
{
	struct outcome outcome;

	world_start(&world, "GET", "/hold", NULL, 0, NULL, &outcome);
	assert_true(world_until(&world, &seen.waits));
	sn_http_reply_stream(seen.waiting, 200, "text/plain", produce, released, &seen);
	assert_true(world_until(&world, &outcome.calls));
	assert_int_equal(outcome.body.n, (PIECES - PIECES / 3) * PIECE_SIZE);
	assert_int_equal(seen.released, 1);
	outcome_finish(&outcome);
}

/* The client's end of an event stream. */
struct listener {
	struct sn_sse_reader *reader;
	unsigned events, done;
	char text[1024], id[32], name[32];
};

static void take_event(const char *event, const char *id, struct sn_str data, void *ctx)
{
	struct listener *listener = ctx;
	size_t used = strlen(listener->text);

	listener->events++;
	snprintf(listener->name, sizeof(listener->name), "%s", event);
	snprintf(listener->id, sizeof(listener->id), "%s", id != NULL ? id : "");
	snprintf(listener->text + used, sizeof(listener->text) - used, "[%.*s]", (int)data.n,
		 data.p);
}

static int feed(struct sn_http_fetch *fetch SN_UNUSED, struct sn_str piece, void *ctx)
{
	return sn_sse_reader_feed(((struct listener *)ctx)->reader, piece);
}

static void stream_done(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
			void *ctx)
{
	assert_int_equal(answer->error, 0);
	((struct listener *)ctx)->done++;
}

static struct sn_http_fetch *listen_to(struct listener *listener, const char *last_id)
{
	char url[128], header[64];
	const char *headers[] = {header, NULL};
	struct sn_http_fetch_spec spec = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.timeout_ns = UINT64_MAX,
		.on_data = feed,
		.on_done = stream_done,
		.ctx = listener,
	};

	memset(listener, 0, sizeof(*listener));
	listener->reader = sn_sse_reader_create(take_event, listener);
	snprintf(url, sizeof(url), "%s/events", world.url);
	snprintf(header, sizeof(header), "Last-Event-ID: %s", last_id);
	return sn_http_fetch(world.client, &spec);
}

static bool wait_events(struct listener *listener, unsigned count)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (listener->events < count && sn_mono_ns() < end_ns)
		sn_loop_turn(world.loop, 50 * SN_NS_PER_MS);
	return listener->events == count;
}

static void events_arrive_as_they_are_sent(void **state SN_UNUSED)
{
	struct listener listener;
	struct sn_http_fetch *fetch = listen_to(&listener, "");

	assert_true(wait_events(&listener, 3));
	assert_string_equal(listener.text, "[1][2][3]");
	assert_string_equal(listener.name, "count");
	assert_string_equal(listener.id, "3");
	for (unsigned i = 0; i < 50; i++) {
		listener.text[0] = '\0';
		assert_int_equal(sn_sse_send(seen.sse, NULL, NULL, SN_STR("two\nlines")), 0);
		assert_true(wait_events(&listener, 4 + i));
		assert_string_equal(listener.text, "[two\nlines]");
		assert_string_equal(listener.name, "message");
	}
	sn_http_fetch_cancel(fetch);
	assert_true(world_until(&world, &seen.closed));
	sn_sse_reader_destroy(listener.reader);
}

static void a_reader_that_comes_back_goes_on_after_its_last_id(void **state SN_UNUSED)
{
	struct listener listener;
	struct sn_http_fetch *fetch = listen_to(&listener, "2");

	assert_true(wait_events(&listener, 1));
	assert_string_equal(seen.last_event_id, "2");
	assert_string_equal(listener.text, "[3]");
	sn_http_fetch_cancel(fetch);
	sn_sse_reader_destroy(listener.reader);
}

static void the_server_may_end_the_stream(void **state SN_UNUSED)
{
	struct listener listener;

	listen_to(&listener, "");
	assert_true(wait_events(&listener, 3));
	sn_sse_send(seen.sse, NULL, NULL, SN_STR("last"));
	sn_sse_close(seen.sse);
	assert_int_equal(sn_sse_send(seen.sse, NULL, NULL, SN_STR("too late")), -EPIPE);
	assert_int_equal(seen.closed, 0);
	assert_true(world_until(&world, &listener.done));
	assert_string_equal(listener.text, "[1][2][3][last]");
	assert_int_equal(seen.closed, 1);
	sn_sse_reader_destroy(listener.reader);
}

static void a_reader_that_leaves_is_noticed_at_once(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);
	struct sn_buf in = {0};

	raw_send(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(raw_expect(&world, fd, &in, "data: 3"));
	close(fd);
	assert_true(world_until(&world, &seen.closed));
	assert_int_equal(sn_http_server_connections(world.server), 0);
	sn_buf_finish(&in);
}

static void a_slow_reader_is_cut_off_at_the_limit(void **state SN_UNUSED)
{
	static char data[64 * 1024];
	int fd = raw_connect(&world), small = 4096;
	size_t sent = 0;
	int result = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	raw_send(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.opened));
	memset(data, 'd', sizeof(data));
	for (unsigned i = 0; i < 200 && result == 0; i++) {
		result = sn_sse_send(seen.sse, NULL, NULL, (struct sn_str){data, sizeof(data)});
		if (result == 0)
			sent += sizeof(data);
		sn_loop_turn(world.loop, 0);
		if (seen.closed > 0)
			break;
	}
	assert_int_equal(result, -EPIPE);
	/* The backlog and what the kernel holds, not more. */
	assert_in_range(sent, SN_SSE_BACKLOG_MAX - sizeof(data), SN_SSE_BACKLOG_MAX + 4 * 262144);
	assert_true(world_until(&world, &seen.closed));
	assert_int_equal(seen.closed, 1);
	assert_int_equal(sn_http_server_connections(world.server), 0);
	close(fd);
}

static void event_and_id_are_single_lines(void **state SN_UNUSED)
{
	struct listener listener;
	struct sn_http_fetch *fetch = listen_to(&listener, "");

	assert_true(wait_events(&listener, 3));
	assert_int_equal(sn_sse_send(seen.sse, "a\nb", NULL, SN_STR("x")), -EINVAL);
	assert_int_equal(sn_sse_send(seen.sse, NULL, "1\r2", SN_STR("x")), -EINVAL);
	/* Line ends in the data cannot start a field. */
	listener.text[0] = '\0';
	assert_int_equal(sn_sse_send(seen.sse, NULL, NULL, SN_STR("x\r\nevent: evil\n\ny")), 0);
	assert_true(wait_events(&listener, 4));
	assert_string_equal(listener.text, "[x\nevent: evil\n\ny]");
	assert_string_equal(listener.name, "message");
	sn_http_fetch_cancel(fetch);
	sn_sse_reader_destroy(listener.reader);
}

static void destroying_the_server_closes_event_streams(void **state SN_UNUSED)
{
	int fd = raw_connect(&world);

	raw_send(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world_until(&world, &seen.opened));
	sn_http_server_destroy(world.server);
	world.server = NULL;
	assert_int_equal(seen.closed, 1);
	close(fd);
}

/* With a clock that the test moves, because nobody wants to wait 15 s. */
static void a_comment_is_sent_every_15_seconds(void **state SN_UNUSED)
{
	static struct sn_clock_virtual clock; /* outlives the loop, which teardown ends */
	struct sn_buf in = {0};
	int fd;

	world_finish(&world);
	memset(&world, 0, sizeof(world));
	sn_clock_virtual_init(&clock, SN_NS_PER_S, sn_wall_ns());
	world.loop = sn_loop_create(&clock.clock);
	world.server = sn_http_server_create(world.loop, &config);
	sn_addr_parse(SN_STR("127.0.0.1"), 0, &world.addr);
	assert_int_equal(
		sn_http_server_listen(world.server, &world.addr, -1, NULL, &world.addr, NULL), 0);
	fd = raw_connect(&world);
	raw_send(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(raw_expect(&world, fd, &in, "data: 3"));
	sn_buf_clear(&in);
	sn_loop_advance(world.loop, 14 * SN_NS_PER_S);
	world_turns(&world, 20);
	assert_false(raw_closed(&world, fd, &in, 20));
	assert_int_equal(in.n, 0);
	for (unsigned i = 0; i < 3; i++) {
		sn_buf_clear(&in);
		sn_loop_advance(world.loop, 15 * SN_NS_PER_S);
		assert_true(raw_expect(&world, fd, &in, "\r\n:\n\n"));
	}
	sn_buf_finish(&in);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stream_arrives_whole),
		TEST(a_stream_that_breaks_off_is_an_error_for_the_client),
		TEST(a_stream_that_breaks_off_is_an_error_for_old_clients_too),
		TEST(head_of_a_stream_produces_nothing),
		TEST(a_stream_is_made_only_as_fast_as_it_is_read),
		TEST(destroying_the_server_releases_streams),
		TEST(a_stream_that_has_nothing_waits_until_it_is_woken),
		TEST(a_stream_that_was_woken_for_its_end_ends),
		TEST(a_client_that_leaves_a_waiting_stream_is_noticed),
		TEST(a_waiting_stream_can_be_broken_off),
		TEST(destroying_the_server_releases_waiting_streams),
		TEST(a_file_is_sent_to_its_size),
		TEST(a_file_that_is_shorter_than_said_is_an_error),
		TEST(a_late_answer_may_be_a_stream),
		TEST(events_arrive_as_they_are_sent),
		TEST(a_reader_that_comes_back_goes_on_after_its_last_id),
		TEST(the_server_may_end_the_stream),
		TEST(a_reader_that_leaves_is_noticed_at_once),
		TEST(a_slow_reader_is_cut_off_at_the_limit),
		TEST(event_and_id_are_single_lines),
		TEST(destroying_the_server_closes_event_streams),
		TEST(a_comment_is_sent_every_15_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
