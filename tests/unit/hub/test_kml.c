/* SPDX-License-Identifier: Apache-2.0 */
/* Maps that the hub draws. */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define DAY "since=2016-11-30T00:00:00Z&until=2016-12-01T00:00:00Z"

static struct world world;
static struct test_node node;

/* Fixes at 12:00:00 to 12:00:04 and, after a gap, 14:00:00 and :01; a modem before and between. */
static void put_rows(void)
{
	static const char *const times[] = {"12:00:00", "12:00:01", "12:00:02", "12:00:03",
					    "12:00:04", "14:00:00", "14:00:01"};
	struct sn_buf body = {0};

	for (unsigned k = 0; k < SN_COUNT(times); k++)
		sn_buf_addf(&body,
			    "{\"time\":\"2016-11-30T%sZ\",\"seq\":%u,\"nodeid\":\"206\","
			    "\"latitude\":48.%u,\"longitude\":-11.5,\"nmea\":\"$GPRMC,1\"}\n",
			    times[k], k, k);
	node_put(&world, &node, 0, "monroe_meta_device_gps/1", SN_COUNT(times), sn_buf_cstr(&body),
		 NULL);
	assert_int_equal(node.status, 200);
	sn_buf_finish(&body);
	node_put(&world, &node, 1, "monroe_meta_device_modem/1", 2,
		 "{\"time\":\"2016-11-30T11:59:59Z\",\"seq\":20,\"nodeid\":\"206\","
		 "\"iccid\":\"1\",\"operator\":\"A&B\",\"devicemode\":5}\n"
		 "{\"time\":\"2016-11-30T12:00:02Z\",\"seq\":21,\"nodeid\":\"206\","
		 "\"iccid\":\"2\",\"operator\":\"C\",\"devicemode\":3}\n",
		 NULL);
	assert_int_equal(node.status, 200);
}

static int start(void **state SN_UNUSED)
{
	world_start(&world, NULL);
	node_join(&world, &node, "alpha");
	put_rows();
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	node_leave(&node);
	world_stop(&world);
	return 0;
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static struct reply get(const char *query)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/kml/%s", query);

	return expect(&world, AS_LOCAL, 200, "GET", path, NULL);
}

static void a_track_has_a_line_for_each_stretch(void **state SN_UNUSED)
{
	struct reply reply = get("track?node=alpha&" DAY);

	assert_string_equal(reply_header(&reply, "Content-Type"),
			    "application/vnd.google-earth.kml+xml");
	assert_non_null(strstr(reply_header(&reply, "Content-Disposition"),
			       "\"alpha_1480464000_1480550400.kml\""));
	assert_int_equal(count(reply.body, "<Point>"), 7);
	assert_int_equal(count(reply.body, "<LineString>"), 2);
	assert_non_null(strstr(reply.body, "</kml>"));
	reply_release(&reply);
	reply = get("track?node=alpha&split=3h&min_gap=2s&" DAY);
	assert_int_equal(count(reply.body, "<Point>"), 4);
	assert_int_equal(count(reply.body, "<LineString>"), 1);
	reply_release(&reply);
	reply = get("track?node=alpha&split=0&" DAY);
	assert_int_equal(count(reply.body, "<LineString>"), 0);
	reply_release(&reply);
	reply = get("track?node=alpha&since=2016-11-30");
	assert_int_equal(count(reply.body, "<Point>"), 7);
	reply_release(&reply);
}

static void coverage_tells_modems_and_refers_to_images(void **state SN_UNUSED)
{
	struct reply reply = get("coverage?node=alpha&" DAY);
	static const char *const all[] = {"#IconLTE", "#Icon2G", "A&amp;B", "Mark_LTE.png"};

	/* Seven fixes with the first modem, five of them with the second; its record. */
	assert_int_equal(count(reply.body, "<styleUrl>"), 7 + 4 + 1);
	for (size_t i = 0; i < SN_COUNT(all); i++)
		assert_non_null(strstr(reply.body, all[i]));
	reply_release(&reply);
	reply = get("coverage?operator=C&node=alpha&" DAY);
	assert_int_equal(count(reply.body, "#IconLTE"), 0);
	reply_release(&reply);
	reply = get("marks");
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 6);
	reply_release(&reply);
	reply = get("marks/Mark_LTE.png");
	assert_string_equal(reply_header(&reply, "Content-Type"), "image/png");
	reply_release(&reply);
}

static void a_packed_map_holds_its_images(void **state SN_UNUSED)
{
	int fd = open_stream(&world, AS_LOCAL, "/api/v1/kml/coverage?format=kmz&node=alpha&" DAY,
			     "");
	struct sn_buf all = {0};
	char piece[4096];
	ssize_t got = -1;
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (got != 0 && sn_mono_ns() < end_ns) {
		got = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (got > 0)
			sn_buf_add(&all, piece, (size_t)got);
		else
			sn_loop_turn(world.loop, SN_NS_PER_MS);
	}
	assert_int_equal(got, 0);
	assert_non_null(memmem(all.p, all.n, "PK\003\004", 4));
	assert_non_null(memmem(all.p, all.n, "doc.kml", 7));
	assert_non_null(memmem(all.p, all.n, "Mark_2G.png", 11));
	assert_memory_equal(all.p + all.n - 22, "PK\005\006", 4);
	close(fd);
	sn_buf_finish(&all);
}

static void what_cannot_be_drawn_is_refused_by_name(void **state SN_UNUSED)
{
	static const struct {
		const char *path, *says;
		unsigned status;
	} cases[] = {
		{"track", "node", 400},
		{"track?node=a&split=x", "split", 400},
		{"track?node=a&since=x", "since", 400},
		{"track?node=a&since=2016-01-01T00:00:00Z&until=2018-01-01T00:00:00Z", "366", 400},
		{"track?node=a&since=2016-01-02T00:00:00Z&until=2016-01-01T00:00:00Z", "until",
		 400},
		{"coverage?node=a&format=png", "format", 400},
		{"coverage?node=a&nod=b", "nod", 400},
		{"marks/x.png", "image", 404},
		{"track?node=nobody&" DAY,
		 "no place of node 'nobody' is known from 2016-11-30T00:", 404},
		{"coverage?node=alpha&operator=nix&since=2016-01-01", "modems", 404},
		{"coverage?node=nobody&format=kmz&since=2016-01-01", "'nobody'", 404},
	};

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_autofree char *path = sn_xasprintf("/api/v1/kml/%s", cases[i].path);
		struct reply reply = expect(&world, AS_LOCAL, cases[i].status, "GET", path, NULL);

		assert_non_null(strstr(reply.body, cases[i].says));
		reply_release(&reply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_track_has_a_line_for_each_stretch),
		cmocka_unit_test(coverage_tells_modems_and_refers_to_images),
		cmocka_unit_test(a_packed_map_holds_its_images),
		cmocka_unit_test(what_cannot_be_drawn_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
