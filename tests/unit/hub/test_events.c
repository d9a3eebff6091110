/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "hub/events.h"

static struct world world;
static int topic;

static int start(void **state)
{
	(void)state;
	world_start(&world, NULL);
	topic = sn_events_topic(world.hub->events, "ping");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop(&world);
	return 0;
}

static void publish(const char *text)
{
	sn_events_publish(world.hub->events, topic, "", sn_str(text));
}

static int open_events(const char *query, const char *headers)
{
	char target[256];
	int fd;

	snprintf(target, sizeof(target), "/api/v1/events?%s", query);
	fd = open_stream(&world, AS_LOCAL, target, headers);
	assert_non_null(strstr(read_stream(&world, fd, ":\n\n"), "200 OK"));
	return fd;
}

/* The id of the last event in `text`; static buffer. */
static const char *last_id(const char *text)
{
	static char id[64];
	const char *found = NULL;

	for (const char *p = text; (p = strstr(p, "id: ")) != NULL; p++)
		found = p;
	assert_non_null(found);
	snprintf(id, sizeof(id), "%.*s", (int)strcspn(found + 4, "\r\n"), found + 4);
	return id;
}

static void subscriber_gets_only_its_topics(void **state)
{
	int fd = open_events("topic=ping", "");
	const char *text;

	(void)state;
	sn_events_publish(world.hub->events, sn_events_topic(world.hub->events, "flow"), "",
			  SN_STR("\"other\""));
	publish("\"mine\"");
	text = read_stream(&world, fd, "\"mine\"");
	assert_non_null(strstr(text, "event: ping\n"));
	assert_non_null(strstr(text, "data: \"mine\"\n"));
	assert_null(strstr(text, "other"));
	close(fd);
}

static void stream_goes_on_behind_the_last_event_seen(void **state)
{
	int fd = open_events("topic=ping", "");
	char header[128];
	const char *text;

	(void)state;
	publish("1");
	publish("2");
	text = read_stream(&world, fd, "data: 2");
	snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", last_id(text));
	close(fd);
	world_wait(&world, 20 * SN_NS_PER_MS);
	publish("3");
	publish("4");
	fd = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=ping", header);
	text = read_stream(&world, fd, "data: 4");
	assert_non_null(strstr(text, "data: 3"));
	assert_null(strstr(text, "data: 2"));
	assert_null(strstr(text, "reset"));
	close(fd);
}

static void too_long_ago_is_told_by_a_reset(void **state)
{
	int fd = open_events("topic=ping", "");
	char header[128];
	const char *text;

	(void)state;
	publish("0");
	text = read_stream(&world, fd, "data: 0");
	snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", last_id(text));
	close(fd);
	for (int i = 0; i < SN_EVENTS_RING + 1; i++)
		publish("x");
	fd = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=ping", header);
	text = read_stream(&world, fd, "event: reset");
	assert_non_null(strstr(text, "event: reset"));
	assert_null(strstr(text, "data: x"));
	close(fd);
}

static void id_of_before_a_restart_is_told_by_a_reset(void **state)
{
	int fd = open_events("topic=ping", ""), other;
	char header[128];
	const char *text;

	(void)state;
	publish("0");
	text = read_stream(&world, fd, "data: 0");
	snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", last_id(text));
	close(fd);
	world_restart(&world);
	/* The same number is there again and means something else. */
	other = open_events("topic=ping", "");
	publish("1");
	publish("2");
	fd = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=ping", header);
	text = read_stream(&world, fd, "event: reset");
	assert_non_null(strstr(text, "event: reset"));
	assert_null(strstr(text, "data: 2"));
	close(fd);
	close(other);
}

static void what_nobody_listened_for_is_told_by_a_reset(void **state)
{
	int fd = open_events("topic=flow", "");
	char header[128];
	const char *text;

	(void)state;
	sn_events_publish(world.hub->events, sn_events_topic(world.hub->events, "flow"), "",
			  SN_STR("0"));
	text = read_stream(&world, fd, "data: 0");
	snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", last_id(text));
	close(fd);
	/* Rows of ping may have been stored meanwhile without becoming events. */
	fd = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=flow,ping", header);
	assert_non_null(strstr(read_stream(&world, fd, "event: reset"), "event: reset"));
	close(fd);
}

static void exactly_the_ring_can_be_resumed(void **state)
{
	int fd = open_events("topic=ping", "");
	char header[128];
	const char *text;
	unsigned count = 0;

	(void)state;
	publish("\"first\"");
	text = read_stream(&world, fd, "first");
	snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", last_id(text));
	close(fd);
	for (int i = 0; i < SN_EVENTS_RING - 1; i++)
		publish("\"x\"");
	publish("\"last\"");
	fd = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=ping", header);
	text = read_stream(&world, fd, "last");
	for (const char *p = text; (p = strstr(p, "data: ")) != NULL; p++)
		count++;
	assert_int_equal(count, SN_EVENTS_RING);
	close(fd);
}

static void stored_rows_are_published_by_node(void **state)
{
	struct test_node a, b;
	const char *text;
	char query[64];
	int fd;

	(void)state;
	node_join(&world, &a, "alpha");
	node_join(&world, &b, "beta");
	snprintf(query, sizeof(query), "topic=ping,nodes&node=alpha");
	fd = open_events(query, "");
	node_put(&world, &b, 0, "ping/1", 1,
		 "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":0,\"target\":\"of-b\"}\n", NULL);
	node_put(&world, &a, 0, "ping/1", 2,
		 "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":0,\"target\":\"of-a\"}\n"
		 "{\"time\":\"2026-03-01T12:00:01Z\",\"seq\":1,\"target\":\"too\"}\n",
		 NULL);
	text = read_stream(&world, fd, "too");
	assert_non_null(strstr(text, "{\"node\":\""));
	assert_non_null(strstr(text, "\"rows\":[{"));
	assert_non_null(strstr(text, "of-a"));
	assert_null(strstr(text, "of-b"));
	close(fd);
	node_leave(&a);
	node_leave(&b);
}

static void many_rows_are_split_into_events_of_bounded_size(void **state)
{
	struct test_node node;
	struct sn_buf body = {0};
	unsigned events = 0, rows = 0;
	const char *text;
	int fd;

	(void)state;
	node_join(&world, &node, "alpha");
	fd = open_events("topic=ping", "");
	for (unsigned i = 0; i < 2000; i++)
		sn_buf_addf(&body,
			    "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":%u,\"target\":\"%s\"}\n", i,
			    i == 1999 ? "last" : "t");
	node_put(&world, &node, 0, "ping/1", 2000, sn_buf_cstr(&body), NULL);
	text = read_stream(&world, fd, "\"last\"");
	for (const char *p = text; (p = strstr(p, "data: ")) != NULL; p++) {
		assert_true(strcspn(p, "\n") < SN_EVENTS_DATA_MAX + 4096);
		events++;
	}
	for (const char *p = text; (p = strstr(p, "\"seq\":")) != NULL; p++)
		rows++;
	assert_true(events > 1);
	assert_int_equal(rows, 2000);
	sn_buf_finish(&body);
	close(fd);
	node_leave(&node);
}

static void node_that_appears_is_published(void **state)
{
	struct test_node node;
	int fd = open_events("topic=nodes", "");
	const char *text;

	(void)state;
	node_join(&world, &node, "alpha");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{\"version\":\"9.9\"}");
	text = read_stream(&world, fd, "9.9");
	if (strstr(text, "9.9") == NULL) /* the tick may lie between joining and heartbeat */
		text = read_stream(&world, fd, "9.9");
	assert_non_null(strstr(text, "event: nodes\n"));
	assert_non_null(strstr(text, "\"name\":\"alpha\""));
	assert_non_null(strstr(text, "\"state\":\"online\""));
	close(fd);
	node_leave(&node);
}

static void nothing_is_made_while_nobody_listens(void **state)
{
	int fd;

	(void)state;
	assert_false(sn_events_wanted(world.hub->events, topic));
	fd = open_events("topic=ping", "");
	assert_true(sn_events_wanted(world.hub->events, topic));
	close(fd);
	world_wait(&world, 30 * SN_NS_PER_MS);
	/* For a while longer, for those who come back. */
	assert_int_equal(sn_events_subscribers(world.hub->events), 0);
	assert_true(sn_events_wanted(world.hub->events, topic));
}

static void stream_ends_when_its_session_does(void **state)
{
	struct sn_err err = {0};
	char secret[SN_SECRET_SIZE], header[128];
	uint8_t hash[SN_SECRET_HASH_SIZE];
	int fd;

	(void)state;
	assert_int_equal(sn_people_start_session(world.hub->people, "admin", sn_hub_now(world.hub),
						 3600 * SN_NS_PER_S, secret, &err),
			 0);
	snprintf(header, sizeof(header), "Cookie: %s=%s\r\n", world.hub->session_cookie, secret);
	fd = open_stream(&world, AS_NOBODY, "/api/v1/events?topic=ping", header);
	assert_non_null(strstr(read_stream(&world, fd, ":\n\n"), "200 OK"));
	assert_int_equal(sn_events_subscribers(world.hub->events), 1);
	sn_secret_hash(sn_str(secret), hash);
	assert_int_equal(sn_people_end_session(world.hub->people, hash, &err), 0);
	test_until(sn_events_subscribers(world.hub->events) == 0,
		   world_wait(&world, 100 * SN_NS_PER_MS));
	assert_int_equal(sn_events_subscribers(world.hub->events), 0);
	close(fd);
}

static void one_stream_too_many_is_refused(void **state)
{
	int fds[SN_EVENTS_SUBSCRIBERS];
	struct reply reply;

	(void)state;
	for (unsigned i = 0; i < SN_EVENTS_SUBSCRIBERS; i++)
		fds[i] = open_stream(&world, AS_LOCAL, "/api/v1/events?topic=ping", "");
	test_until(sn_events_subscribers(world.hub->events) == SN_EVENTS_SUBSCRIBERS,
		   world_wait(&world, 5 * SN_NS_PER_MS));
	reply = plain(&world, AS_LOCAL, "GET", "/api/v1/events?topic=ping", "", NULL);
	assert_int_equal(reply.status, 429);
	assert_string_equal(code_of(&reply), "too-many-streams");
	reply_release(&reply);
	for (unsigned i = 0; i < SN_EVENTS_SUBSCRIBERS; i++)
		close(fds[i]);
}

static void unknown_topics_are_named(void **state)
{
	struct reply reply =
		plain(&world, AS_LOCAL, "GET", "/api/v1/events?topic=ping,pong", "", NULL);

	(void)state;
	assert_int_equal(reply.status, 400);
	assert_non_null(strstr(reply.body, "pong"));
	reply_release(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(subscriber_gets_only_its_topics, start, stop),
		cmocka_unit_test_setup_teardown(stream_goes_on_behind_the_last_event_seen, start,
						stop),
		cmocka_unit_test_setup_teardown(too_long_ago_is_told_by_a_reset, start, stop),
		cmocka_unit_test_setup_teardown(id_of_before_a_restart_is_told_by_a_reset, start,
						stop),
		cmocka_unit_test_setup_teardown(what_nobody_listened_for_is_told_by_a_reset, start,
						stop),
		cmocka_unit_test_setup_teardown(exactly_the_ring_can_be_resumed, start, stop),
		cmocka_unit_test_setup_teardown(stored_rows_are_published_by_node, start, stop),
		cmocka_unit_test_setup_teardown(many_rows_are_split_into_events_of_bounded_size,
						start, stop),
		cmocka_unit_test_setup_teardown(node_that_appears_is_published, start, stop),
		cmocka_unit_test_setup_teardown(nothing_is_made_while_nobody_listens, start, stop),
		cmocka_unit_test_setup_teardown(stream_ends_when_its_session_does, start, stop),
		cmocka_unit_test_setup_teardown(one_stream_too_many_is_refused, start, stop),
		cmocka_unit_test_setup_teardown(unknown_topics_are_named, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
