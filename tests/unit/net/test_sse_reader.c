/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_client.h"

static char log_text[4096];

static void take(const char *event, const char *id, struct sn_str data, void *ctx)
{
	size_t used = strlen(log_text);

	assert_ptr_equal(ctx, log_text);
	snprintf(log_text + used, sizeof(log_text) - used, "<%s,%s,%.*s>", event,
		 id != NULL ? id : "-", (int)data.n, data.p);
}

/* What comes of `stream`, fed in pieces of `size` bytes. */
static const char *read_in(const char *stream, size_t length, size_t size)
{
	struct sn_sse_reader *reader = sn_sse_reader_create(take, log_text);

	log_text[0] = '\0';
	for (size_t at = 0; at < length; at += size)
		assert_int_equal(
			sn_sse_reader_feed(reader,
					   (struct sn_str){stream + at, SN_MIN(size, length - at)}),
			0);
	sn_sse_reader_destroy(reader);
	return log_text;
}

/* The same however the stream is cut. */
static void assert_events(const char *stream, const char *events)
{
	for (size_t size = 1; size <= strlen(stream) + 1; size++)
		assert_string_equal(read_in(stream, strlen(stream), size), events);
}

static void lines_end_in_three_ways(void **state SN_UNUSED)
{
	assert_events("data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n\n",
		      "<message,-,a><message,-,b><message,-,c><message,-,d>");
}

static void fields_are_event_id_and_data(void **state SN_UNUSED)
{
	assert_events("event: ping\nid: 7\ndata: x\n\n", "<ping,7,x>");
	assert_events("event:ping\nid:7\ndata:x\n\n", "<ping,7,x>");
	assert_events("data:  two blanks\n\n", "<message,-, two blanks>");
	assert_events("data: a\ndata\ndata: b\n\n", "<message,-,a\n\nb>");
	assert_events("Data: a\nretry: 5\nother: b\ndata: c\n\n", "<message,-,c>");
}

static void the_id_stays_and_the_event_does_not(void **state SN_UNUSED)
{
	assert_events("id: 1\nevent: e\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
		      "<e,1,a><message,1,b><message,,c>");
}

static void comments_and_events_without_data_are_dropped(void **state SN_UNUSED)
{
	assert_events(":\n\n: hello\ndata: a\n\n:\n\n", "<message,-,a>");
	assert_events("event: e\n\ndata: a\n\n", "<message,-,a>");
	assert_events("data\n\n", "<message,-,>");
	assert_events("data: never ended", "");
}

static void a_byte_order_mark_in_front_is_skipped(void **state SN_UNUSED)
{
	assert_events("\xef\xbb\xbf"
		      "data: a\n\n",
		      "<message,-,a>");
	assert_events("\xef\xbb"
		      "data: a\n\ndata: b\n\n",
		      "<message,-,b>");
	assert_events("data: a\n\n\xef\xbb\xbf"
		      "data: b\n\n",
		      "<message,-,a>");
}

static void an_id_with_nul_is_ignored(void **state SN_UNUSED)
{
	static const char stream[] = "id: 1\ndata: a\n\nid: 2\0x\ndata: b\n\n";

	assert_string_equal(read_in(stream, sizeof(stream) - 1, 5), "<message,1,a><message,1,b>");
}

static size_t got;

static void count(const char *event SN_UNUSED, const char *id SN_UNUSED, struct sn_str data,
		  void *ctx SN_UNUSED)
{
	got = data.n;
}

static void an_event_at_the_limit_passes_and_one_more_byte_does_not(void **state SN_UNUSED)
{
	struct sn_sse_reader *reader = sn_sse_reader_create(count, NULL);
	/* The line itself is held, too: "data: " and what follows it. */
	size_t most = SN_SSE_EVENT_MAX - strlen("data: ");
	char *data = malloc(most + 1);

	memset(data, 'd', most + 1);
	assert_int_equal(sn_sse_reader_feed(reader, SN_STR("data: ")), 0);
	assert_int_equal(sn_sse_reader_feed(reader, (struct sn_str){data, most}), 0);
	assert_int_equal(sn_sse_reader_feed(reader, SN_STR("\n\n")), 0);
	assert_int_equal(got, most);
	got = 0;
	assert_int_equal(sn_sse_reader_feed(reader, SN_STR("data: ")), 0);
	assert_int_equal(sn_sse_reader_feed(reader, (struct sn_str){data, most + 1}), -EMSGSIZE);
	/* It stays broken: what follows is the middle of something. */
	assert_int_equal(sn_sse_reader_feed(reader, SN_STR("\n\ndata: x\n\n")), -EMSGSIZE);
	assert_int_equal(got, 0);
	sn_sse_reader_destroy(reader);

	/* Many small lines are one event as well. */
	reader = sn_sse_reader_create(count, NULL);
	for (size_t i = 0; i < SN_SSE_EVENT_MAX; i += 100) {
		assert_int_equal(sn_sse_reader_feed(reader, SN_STR("data: ")), 0);
		if (sn_sse_reader_feed(reader, (struct sn_str){data, 100}) != 0)
			break;
		assert_int_equal(sn_sse_reader_feed(reader, SN_STR("\n")), 0);
	}
	assert_int_equal(sn_sse_reader_feed(reader, SN_STR("\n\n")), -EMSGSIZE);
	assert_int_equal(got, 0);
	sn_sse_reader_destroy(reader);
	free(data);
}

static struct sn_sse_reader *own;
static unsigned events;

static void destroy_self(const char *event SN_UNUSED, const char *id SN_UNUSED,
			 struct sn_str data SN_UNUSED, void *ctx SN_UNUSED)
{
	events++;
	sn_sse_reader_destroy(own);
}

static void a_reader_may_be_destroyed_inside_its_callback(void **state SN_UNUSED)
{
	own = sn_sse_reader_create(destroy_self, NULL);
	sn_sse_reader_feed(own, SN_STR("data: a\n\ndata: b\n\n"));
	assert_int_equal(events, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_three_ways),
		cmocka_unit_test(fields_are_event_id_and_data),
		cmocka_unit_test(the_id_stays_and_the_event_does_not),
		cmocka_unit_test(comments_and_events_without_data_are_dropped),
		cmocka_unit_test(a_byte_order_mark_in_front_is_skipped),
		cmocka_unit_test(an_id_with_nul_is_ignored),
		cmocka_unit_test(an_event_at_the_limit_passes_and_one_more_byte_does_not),
		cmocka_unit_test(a_reader_may_be_destroyed_inside_its_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
