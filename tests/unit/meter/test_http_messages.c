/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdlib.h>

#include "app_flow.h"
#include "meter/app/http_internal.h"
#include "meter/app/video.h"

#define MESSAGES_MAX 64

/* What was told, in order: "GET /path host" or "200 length". */
static char told[MESSAGES_MAX][512];
static struct sn_http_message last; /* its texts are gone */
static size_t count;

static void hear(const struct sn_http_message *message, const struct sn_flow *flow SN_UNUSED,
		 void *ctx SN_UNUSED)
{
	struct sn_str a = message->is_request ? message->method : message->status;
	struct sn_str b =
		message->is_request ? message->target : message->fields[SN_HTTP_CONTENT_LENGTH];
	struct sn_str c = message->is_request ? message->fields[SN_HTTP_HOST]
					      : message->fields[SN_HTTP_CONTENT_TYPE];

	assert_true(count < MESSAGES_MAX);
	snprintf(told[count++], sizeof(told[0]), "%.*s %.*s %.*s%s", (int)a.n, a.p, (int)b.n, b.p,
		 (int)c.n, c.p, message->cut ? " cut" : "");
	last = *message;
}

static void begin(struct talk *talk)
{
	const struct sn_app_watch watch = {.http = hear};

	talk_init(talk, 80);
	sn_apps_set_watch(talk->apps, &watch);
	count = 0;
}

static void expect(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n && i < count; i++)
		assert_string_equal(told[i], texts[i]);
	assert_int_equal(count, n);
}
#define EXPECT(...)                                                                                \
	do {                                                                                       \
		const char *const texts_[] = {__VA_ARGS__};                                        \
		expect(texts_, SN_COUNT(texts_));                                                  \
	} while (0)

#define GET_A "GET /a HTTP/1.1\r\nHost: www.example.org\r\n\r\n"
#define GET_B "GET /b HTTP/1.1\r\nhost:www.example.net\r\n\r\n"
#define OK_5  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

static void a_request_and_its_response_are_told(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, GET_A);
	talk_text(&talk, SN_SERVER, OK_5);
	EXPECT("GET /a www.example.org", "200 5 text/plain");
	assert_int_equal(talk.flow.app->con_type, SN_CON_HTTP);
	assert_int_equal(talk.flow.app->http_type, 1);
	assert_string_equal(talk.flow.app->http_status, "200");
	assert_string_equal(name_or_none(talk.flow.app->http_host), "www.example.org");
	talk_finish(&talk);
}

static void pipelined_messages_are_all_told(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, GET_A GET_B GET_A);
	talk_text(&talk, SN_SERVER, OK_5 OK_5 OK_5);
	EXPECT("GET /a www.example.org", "GET /b www.example.net", "GET /a www.example.org",
	       "200 5 text/plain", "200 5 text/plain", "200 5 text/plain");
	/* Counted as Tstat does: segments that begin with one. */
	assert_int_equal(talk.flow.app->http_requests, 1);
	assert_int_equal(talk.flow.app->http_responses, 1);
	talk_finish(&talk);
}

static const char cut_client[] =
	"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\nGET /x \r\n" GET_B;
static const char cut_server[] =
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	"5;ext=1\r\nHTTP/\r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n" OK_5;

/* Down to what it takes to know a request or response by. */
static void messages_may_be_cut_anywhere(void **state SN_UNUSED)
{
	for (size_t step = 7; step < 80; step++) {
		struct talk talk;

		begin(&talk);
		talk_slowly(&talk, SN_CLIENT, cut_client, sizeof(cut_client) - 1, step);
		talk_slowly(&talk, SN_SERVER, cut_server, sizeof(cut_server) - 1, step);
		EXPECT("POST /p h", "GET /b www.example.net", "100  ", "200  ", "200 5 text/plain");
		talk_finish(&talk);
	}
}

static void a_reader_takes_single_bytes(void **state SN_UNUSED)
{
	struct sn_app_tcp app = {0};
	struct sn_http_feed feed = {.app = &app, .size = 1, .leads = true};
	struct sn_http_reader *reader;
	struct talk talk;

	begin(&talk);
	reader = sn_http_reader_create(talk.apps);
	for (size_t i = 0; i < sizeof(cut_client) - 1; i++) {
		feed.data = (const uint8_t *)&cut_client[i];
		sn_http_reader_feed(talk.apps, reader, &feed);
	}
	feed.side = SN_SERVER;
	for (size_t i = 0; i < sizeof(cut_server) - 1; i++) {
		feed.data = (const uint8_t *)&cut_server[i];
		sn_http_reader_feed(talk.apps, reader, &feed);
	}
	EXPECT("POST /p h", "GET /b www.example.net", "100  ", "200  ", "200 5 text/plain");
	sn_http_reader_destroy(talk.apps, reader);
	sn_name_give(talk.names, app.http_host);
	talk_finish(&talk);
}

static void responses_without_a_body_have_none(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, "HEAD /a HTTP/1.1\r\n\r\n" GET_A GET_A GET_A);
	talk_text(&talk, SN_SERVER,
		  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
		  "HTTP/1.1 204 No Content\r\nContent-Length: 100\r\n\r\n"
		  "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n" OK_5);
	EXPECT("HEAD /a ", "GET /a www.example.org", "GET /a www.example.org",
	       "GET /a www.example.org", "200 100 ", "204 100 ", "304 100 ", "200 5 text/plain");
	talk_finish(&talk);
}

static void a_body_without_a_length_ends_where_a_segment_begins_anew(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, GET_A GET_A);
	talk_text(&talk, SN_SERVER, "HTTP/1.0 200 OK\r\n\r\nbody HTTP/1.1 500 no");
	talk_text(&talk, SN_SERVER, "more of it\r\nHTTP/1.1 500 no\r\n\r\n");
	talk_text(&talk, SN_SERVER, OK_5);
	EXPECT("GET /a www.example.org", "GET /a www.example.org", "200  ", "200 5 text/plain");
	talk_finish(&talk);
}

static void names_are_compared_without_case_and_the_first_counts(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT,
		  "GET / HTTP/1.1\r\nHOST: one\r\nHost: two\r\nX-Host: three\r\n\r\n");
	EXPECT("GET / one");
	talk_finish(&talk);
}

static void values_keep_blanks_and_end_at_control_characters(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, GET_A);
	talk_text(&talk, SN_SERVER,
		  "HTTP/1.1 200 OK\r\nContent-Length:    5\r\nContent-Type:a\tb\r\n\r\nhello" OK_5);
	EXPECT("GET /a www.example.org", "200    5 a", "200 5 text/plain");
	talk_finish(&talk);
}

/* Bytes are looked at in groups. */
static void a_control_character_anywhere_ends_a_value(void **state SN_UNUSED)
{
	static const struct {
		unsigned char byte;
		bool ends;
	} bytes[] = {{0x01, true},  {0x1f, true},  {0x7f, true},  {0x20, false},
		     {0x7e, false}, {0x80, false}, {0x9f, false}, {0xff, false}};
	enum { BYTES = 20 };
	char header[] = "GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaa\r\n\r\n";
	char *value = strstr(header, "aaa");

	for (size_t at = 1; at < BYTES - 1; at++) {
		for (size_t i = 0; i < SN_COUNT(bytes); i++) {
			struct sn_http_message message = {0};
			struct sn_http_framing framing;

			value[at] = (char)bytes[i].byte;
			assert_true(sn_http_parse(SN_CLIENT, sn_str(header), &message, &framing));
			assert_int_equal(message.fields[SN_HTTP_HOST].n,
					 bytes[i].ends ? at : BYTES);
		}
		value[at] = 'a';
	}
}

static void a_tunnel_ends_http(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
	talk_text(&talk, SN_SERVER, "HTTP/1.1 200 Connected\r\n\r\n");
	talk_text(&talk, SN_CLIENT, GET_A);
	EXPECT("CONNECT h:443 h:443", "200  ");
	assert_string_equal(sn_app_tcp_word(talk.flow.app), "http");
	talk_finish(&talk);
}

static void an_upgrade_ends_http_and_names_what_follows(void **state SN_UNUSED)
{
	static const char *const words[][2] = {{"websocket", "websocket"}, {"h2c", "http2"}};

	for (size_t i = 0; i < SN_COUNT(words); i++) {
		struct talk talk;
		char text[128];

		begin(&talk);
		talk_text(&talk, SN_CLIENT, GET_A);
		snprintf(text, sizeof(text), "HTTP/1.1 101 Yes\r\nUpgrade: %s\r\n\r\n",
			 words[i][0]);
		talk_text(&talk, SN_SERVER, text);
		talk_text(&talk, SN_SERVER, OK_5);
		talk_text(&talk, SN_CLIENT, GET_A);
		EXPECT("GET /a www.example.org", "101  ");
		assert_string_equal(sn_app_tcp_word(talk.flow.app), words[i][1]);
		assert_int_equal(talk.flow.app->con_type, SN_CON_HTTP);
		talk_finish(&talk);
	}
}

/* A header of one request whose Cookie line has `line` bytes. */
static char *long_request(size_t line)
{
	char *text = test_malloc(line + 100);
	int n = sprintf(text, "GET / HTTP/1.1\r\nHost: h\r\nCookie: ");

	memset(text + n, 'c', line - 8);
	sprintf(text + n + line - 8, "\r\n\r\n");
	return text;
}

static void a_line_beyond_the_limit_is_refused(void **state SN_UNUSED)
{
	for (size_t over = 0; over < 2; over++) {
		struct talk talk;
		char *text = long_request(SN_HTTP_LINE_MAX - 1 + over); /* with its "\r" */

		begin(&talk);
		talk_slowly(&talk, SN_CLIENT, text, strlen(text) - 3, 1448);
		assert_int_equal(sn_apps_refused(talk.apps, SN_APP_HTTP_TOO_LONG), over);
		if (over == 0)
			talk_text(&talk, SN_CLIENT, "\n\r\n");
		else
			talk_text(&talk, SN_CLIENT, GET_A);
		if (over == 0)
			EXPECT("GET / h");
		else
			EXPECT("GET / h cut", "GET /a www.example.org");
		test_free(text);
		talk_finish(&talk);
	}
}

static void headers_beyond_the_limit_are_refused(void **state SN_UNUSED)
{
	for (int over = 0; over < 2; over++) {
		struct talk talk;

		begin(&talk);
		talk_text(&talk, SN_CLIENT, "GET / HTTP/1.1\r\nHost: h\r\n");
		for (int i = 1; i < SN_HTTP_HEADERS_MAX + over; i++)
			talk_text(&talk, SN_CLIENT, "X: y\r\n");
		assert_int_equal(sn_apps_refused(talk.apps, SN_APP_HTTP_TOO_LONG), (unsigned)over);
		assert_int_equal(count, (unsigned)over);
		talk_finish(&talk);
	}
}

static void a_header_block_beyond_the_limit_is_refused(void **state SN_UNUSED)
{
	struct talk talk;
	char line[4000];

	begin(&talk);
	memset(line, 'x', sizeof(line));
	line[0] = ':';
	line[sizeof(line) - 1] = '\n';
	talk_text(&talk, SN_CLIENT, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 8; i++)
		talk_say(&talk, SN_CLIENT, line, sizeof(line));
	assert_int_equal(count, 0);
	talk_say(&talk, SN_CLIENT, line, sizeof(line));
	EXPECT("GET / h cut");
	assert_int_equal(sn_apps_refused(talk.apps, SN_APP_HTTP_TOO_LONG), 1);
	talk_finish(&talk);
}

static void scratch_memory_is_bounded(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk.apps->scratch_bytes = SN_APP_SCRATCH_MAX;
	talk_text(&talk, SN_CLIENT, "GET / HTTP/1.1\r\nHost: h\r\n");
	EXPECT("GET / h cut");
	assert_int_equal(sn_apps_refused(talk.apps, SN_APP_HTTP_TOO_LONG), 1);
	talk.apps->scratch_bytes = 0;
	talk_finish(&talk);
}

static void missing_bytes_of_a_body_are_skipped(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, GET_A GET_A);
	talk_text(&talk, SN_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
	talk.next[SN_SERVER] += 85; /* lost */
	talk_text(&talk, SN_SERVER, "01234" OK_5);
	EXPECT("GET /a www.example.org", "GET /a www.example.org", "200 100 ", "200 5 text/plain");
	talk_finish(&talk);
}

static void missing_bytes_of_a_header_cut_it(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, "GET /a HTTP/1.1\r\nHost: h\r\n");
	talk.next[SN_CLIENT] += 10; /* lost */
	talk_text(&talk, SN_CLIENT, "rest\r\n\r\n");
	talk_text(&talk, SN_CLIENT, GET_B);
	EXPECT("GET /a h cut", "GET /b www.example.net");
	talk_finish(&talk);
}

/* As with a short snap length: the first bytes of each segment only. */
static void bytes_that_were_not_captured_are_missing(void **state SN_UNUSED)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
	struct talk talk;
	size_t n = sizeof(ok) - 1;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, GET_A GET_A);
	talk_say_at(&talk, SN_SERVER, 1, ok, n, n + 400);
	talk_say_at(&talk, SN_SERVER, (uint32_t)(1 + n + 400), "0123456789", 10, 600);
	talk_text(&talk, SN_SERVER, OK_5);
	EXPECT("GET /a www.example.org", "GET /a www.example.org", "200 1000 ", "200 5 text/plain");
	talk_finish(&talk);
}

static void segments_out_of_order_are_not_mixed_up(void **state SN_UNUSED)
{
	struct talk talk;
	size_t half = 20, n = strlen(GET_A);

	begin(&talk);
	talk_text(&talk, SN_CLIENT, GET_A);
	talk_say_at(&talk, SN_CLIENT, (uint32_t)(1 + n + half), &GET_B[half], n - half, n - half);
	talk_say_at(&talk, SN_CLIENT, (uint32_t)(1 + n), GET_B, half, half);
	talk_text(&talk, SN_CLIENT, GET_A);
	EXPECT("GET /a www.example.org", "GET /a www.example.org");
	talk_finish(&talk);
}

static void a_request_of_http_0_9_ends_with_the_answer(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, "GET /old\r\n");
	assert_int_equal(count, 0);
	talk_text(&talk, SN_SERVER, "<html></html>");
	EXPECT("GET /old ");
	assert_int_equal(talk.flow.app->con_type, 0);
	talk_finish(&talk);
}

static void a_header_that_never_ends_is_told_with_the_flow(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, "GET /slow HTTP/1.1\r\nHost: h\r\nX: ");
	assert_int_equal(count, 0);
	sn_app_forget_tcp(talk.apps, &talk.flow);
	EXPECT("GET /slow h cut");
	talk_finish(&talk);
}

static void how_a_header_lay_in_segments_is_told(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, GET_A "GET /b HTTP/1.1\r\nHost: exam");
	assert_true(last.leads);
	assert_int_equal(last.split, 0);
	talk_text(&talk, SN_CLIENT, "ple\r\n\r\n");
	assert_false(last.leads);
	assert_int_equal(last.split, strlen("GET /b HTTP/1.1\r\nHost: exam"));
	assert_int_equal(last.time_ns, talk.now_ns - TALK_STEP_NS);
	assert_int_equal(last.split_ns, talk.now_ns);
	EXPECT("GET /a www.example.org", "GET /b example");
	talk_finish(&talk);
}

static void methods_that_tstat_does_not_know_are_marked(void **state SN_UNUSED)
{
	struct talk talk;

	begin(&talk);
	talk_text(&talk, SN_CLIENT, "PROPFIND /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_false(last.is_tstat);
	talk_text(&talk, SN_SERVER, OK_5);
	EXPECT("PROPFIND /a h", "200 5 text/plain");
	assert_int_equal(talk.flow.app->con_type, 0);
	assert_int_equal(talk.flow.app->http_requests, 0);
	assert_string_equal(sn_app_tcp_word(talk.flow.app), "http");
	talk_finish(&talk);
}

static void without_a_watcher_little_is_read(void **state SN_UNUSED)
{
	const struct sn_app_watch watch = {.http = hear};
	struct talk talk;

	talk_init(&talk, 80);
	count = 0;
	talk_text(&talk, SN_CLIENT, GET_A);
	talk_text(&talk, SN_SERVER, OK_5);
	assert_null(talk.flow.app->parser);
	talk_text(&talk, SN_CLIENT, GET_A);
	assert_int_equal(talk.flow.app->http_requests, 2);
	/* One who comes later hears of the messages that follow. */
	sn_apps_set_watch(talk.apps, &watch);
	talk_text(&talk, SN_CLIENT, GET_B);
	EXPECT("GET /b www.example.net");
	talk_finish(&talk);
}

static const struct {
	const char *request;
	uint8_t type;
} requests[] = {
	{"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n", 1},
	{"POST / HTTP/1.1\r\nHost: www.example.org\r\n\r\n", 2},
	{"POST/ HTTP/1.1\r\n\r\n", 2},
	{"DELETE / HTTP/1.1\r\nHost: www.example.org\r\n\r\n", 1},
	{"POST /open/1 HTTP/1.1\r\n\r\n", 4},
	{"GET /videoplayback?x=1&id=0123456789abcdef HTTP/1.1\r\n"
	 "Host: r1.googlevideo.com:80\r\n\r\n",
	 5},
	{"GET /wiki/X HTTP/1.1\r\nHost: en.WIKIPEDIA.org\r\n\r\n", 8},
	{"GET /wikipedia/commons/x.png HTTP/1.1\r\nHost: upload.wikimedia.org\r\n\r\n", 8},
	{"GET /skins/x HTTP/1.1\r\nHost: bits.wikimedia.org\r\n\r\n", 1},
	{"GET / HTTP/1.1\r\nHost: notwikipedia.org\r\n\r\n", 1},
	{"GET /range/0-65535?o=AQE&v=3 HTTP/1.1\r\nHost: 23.246.11.145\r\n\r\n", 15},
	{"GET /mobile/status.php HTTP/1.1\r\nHost: www.facebook.com\r\n\r\n", 1},
	{"GET /x HTTP/1.1\r\nHost: www.facebook.com\r\n\r\n", 11},
	{"GET /watch?v=1 HTTP/1.1\r\nHost: www.youtube.com\r\n\r\n", 16},
};

static void requests_have_tstats_types(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(requests); i++) {
		const struct sn_app_video *video;
		struct talk talk;

		talk_init(&talk, 80);
		talk_text(&talk, SN_CLIENT, requests[i].request);
		assert_int_equal(talk.flow.app->http_type, 0); /* nobody has answered */
		talk_text(&talk, SN_SERVER, OK_5);
		assert_int_equal(talk.flow.app->http_type, requests[i].type);
		video = talk.flow.app->video;
		assert_string_equal(name_or_none(video != NULL ? video->id : NULL),
				    requests[i].type == 5 ? "0123456789abcdef" : "-");
		talk_finish(&talk);
	}
}

static void a_video_is_known_by_its_beginning(void **state SN_UNUSED)
{
	struct talk talk;

	talk_init(&talk, 80);
	talk_text(&talk, SN_CLIENT, GET_A);
	talk_text(&talk, SN_SERVER,
		  "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nContent-Length: 100\r\n\r\n");
	talk_say(&talk, SN_SERVER,
		 "\0\0\0\x18"
		 "ftypmp42....",
		 16);
	assert_int_equal(talk.flow.app->video_declared, 1);
	assert_int_equal(talk.flow.app->video_found, 2);
	assert_int_equal(talk.flow.app->http_type, 18);
	talk_finish(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_and_its_response_are_told),
		cmocka_unit_test(pipelined_messages_are_all_told),
		cmocka_unit_test(messages_may_be_cut_anywhere),
		cmocka_unit_test(a_reader_takes_single_bytes),
		cmocka_unit_test(responses_without_a_body_have_none),
		cmocka_unit_test(a_body_without_a_length_ends_where_a_segment_begins_anew),
		cmocka_unit_test(names_are_compared_without_case_and_the_first_counts),
		cmocka_unit_test(values_keep_blanks_and_end_at_control_characters),
		cmocka_unit_test(a_control_character_anywhere_ends_a_value),
		cmocka_unit_test(a_tunnel_ends_http),
		cmocka_unit_test(an_upgrade_ends_http_and_names_what_follows),
		cmocka_unit_test(a_line_beyond_the_limit_is_refused),
		cmocka_unit_test(headers_beyond_the_limit_are_refused),
		cmocka_unit_test(a_header_block_beyond_the_limit_is_refused),
		cmocka_unit_test(scratch_memory_is_bounded),
		cmocka_unit_test(missing_bytes_of_a_body_are_skipped),
		cmocka_unit_test(missing_bytes_of_a_header_cut_it),
		cmocka_unit_test(bytes_that_were_not_captured_are_missing),
		cmocka_unit_test(segments_out_of_order_are_not_mixed_up),
		cmocka_unit_test(a_request_of_http_0_9_ends_with_the_answer),
		cmocka_unit_test(a_header_that_never_ends_is_told_with_the_flow),
		cmocka_unit_test(how_a_header_lay_in_segments_is_told),
		cmocka_unit_test(methods_that_tstat_does_not_know_are_marked),
		cmocka_unit_test(without_a_watcher_little_is_read),
		cmocka_unit_test(requests_have_tstats_types),
		cmocka_unit_test(a_video_is_known_by_its_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
