/* SPDX-License-Identifier: Apache-2.0 */
/* Long answers: what they hold, who may have how many, and how they end. */
#include "hub_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "hub/api/rows.h"
#include "store/store.h"

#define MANY 30000 /* rows of one answer that is too long for all the buffers on its way */
#define LONG 900   /* bytes of a text in each of them */

static struct world world;
static struct test_node node;

static void put_places(void)
{
	struct sn_buf body = {0};

	for (int k = 0; k < 10; k++)
		sn_buf_addf(&body,
			    "{\"time\":\"2016-11-30T12:00:0%dZ\",\"seq\":%d,\"nodeid\":\"206\","
			    "\"timestamp\":1480507200.0,\"latitude\":%d.5,\"longitude\":%d.25,"
			    "\"nmea\":\"$GPRMC,1\"}\n",
			    k, k, 40 + k, 10 - 2 * k);
	node_put(&world, &node, 1, "monroe_meta_device_gps/1", 10, sn_buf_cstr(&body), NULL);
	assert_int_equal(node.status, 200);
	sn_buf_finish(&body);
}

/* Straight into the store, as a node would take long for so many. */
static void put_many(void)
{
	struct sn_columns *rows = sn_columns_create(&sn_dataset_flow);
	struct sn_batch_id id = {.node = node.id, .stream = STREAM_ID, .seq = 77};
	struct sn_err err = {0};
	int server = sn_dataset_column(&sn_dataset_flow, "server_name");
	char text[LONG];

	memset(text, 'x', sizeof(text));
	for (int k = 0; k < MANY; k++) {
		sn_columns_add_row(rows);
		sn_columns_set_time(rows, SN_COL_TIME,
				    INT64_C(1772366400) * SN_NS_PER_S + k * 1000);
		sn_columns_set_i64(rows, SN_COL_SEQ, k);
		sn_columns_set_text(rows, server, (struct sn_str){text, sizeof(text)});
	}
	assert_int_equal(sn_store_put(world.hub->store, &id, rows, &err), 0);
	sn_columns_destroy(rows);
}

static int start(void **state SN_UNUSED)
{
	world_start(&world, NULL);
	node_join(&world, &node, "alpha");
	node_put(&world, &node, 0, "ping/1", 2,
		 "{\"time\":\"2026-03-01T12:00:01Z\",\"seq\":0,\"target\":\"b\"}\n"
		 "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":1,\"target\":\"a,\\\"x\\\"\"}\n",
		 NULL);
	put_places();
	put_many();
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	node_leave(&node);
	world_stop(&world);
	return 0;
}

static struct reply get(const char *query)
{
	char target[512];

	snprintf(target, sizeof(target), "/api/v1/datasets/%s", query);
	return plain(&world, AS_LOCAL, "GET", target, "", NULL);
}

static void expect_body(const char *query, const char *body)
{
	struct reply reply = get(query);

	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, body);
	reply_release(&reply);
}

static void expect_problem(const char *query, unsigned status, const char *code, const char *says)
{
	struct reply reply = get(query);

	if (reply.status != status || strcmp(code_of(&reply), code) != 0 ||
	    strstr(reply.body, says) == NULL)
		fail_msg("%s: %u %s", query, reply.status, reply.body);
	reply_release(&reply);
}

/* Forms -------------------------------------------------------------------------------- */

static void rows_come_oldest_first_as_csv_by_default(void **state SN_UNUSED)
{
	expect_body("ping/export?fields=time,target",
		    "time,target\r\n"
		    "2026-03-01T12:00:00.000000000Z,\"a,\"\"x\"\"\"\r\n"
		    "2026-03-01T12:00:01.000000000Z,b\r\n");
	expect_body("ping/export?fields=seq&order=newest&limit=1", "seq\r\n0\r\n");
	expect_body("ping/export?fields=seq&seq=%3E0", "seq\r\n1\r\n");
	expect_body("ping/export?fields=seq&since=2026-03-01T12:00:01Z", "seq\r\n0\r\n");
	expect_body("ping/export?fields=seq&until=2020-01-01T00:00:00Z", "seq\r\n");
}

/* An answer that is no text; where its body begins, the header before it ends with NUL. */
static const char *fetch_bytes_with(const char *query, const char *headers, struct sn_buf *out)
{
	sn_autofree char *target = sn_xasprintf("/api/v1/datasets/%s", query);
	int fd = open_stream(&world, AS_LOCAL, target, headers);
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;
	char piece[4096], *end;
	ssize_t got = -1;

	while (got != 0 && sn_mono_ns() < end_ns) {
		got = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (got > 0)
			sn_buf_add(out, piece, (size_t)got);
		else
			sn_loop_turn(world.loop, SN_NS_PER_MS);
	}
	close(fd);
	assert_int_equal(got, 0);
	sn_buf_cstr(out);
	end = strstr(out->p, "\r\n\r\n");
	assert_non_null(end);
	*end = '\0';
	return end + 4;
}

static const char *fetch_bytes(const char *query, struct sn_buf *out)
{
	return fetch_bytes_with(query, "", out);
}

static void rows_are_packed_on_the_way_for_those_who_take_it(void **state SN_UNUSED)
{
	static const struct {
		const char *query, *takes, *encoding, *begins;
	} cases[] = {
		{"ping/export", "gzip, deflate", "Content-Encoding: gzip\r\n", "\x1f\x8b"},
		{"ping/export", "gzip;q=0.5, zstd", "Content-Encoding: zstd\r\n",
		 "\x28\xb5\x2f\xfd"},
		{"ping/export", "br, gzip;q=0, zstd;q=0.000", NULL, "time,"},
		{"ping/export", "xgzip, identity", NULL, "time,"},
		{"ping/export?format=parquet", "gzip", NULL, "PAR1"},
		{"ping/export?compress=zstd", "gzip", NULL, "\x28\xb5\x2f\xfd"},
	};

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_autofree char *header = sn_xasprintf("Accept-Encoding: %s\r\n", cases[i].takes);
		struct sn_buf bytes = {0};
		const char *body = fetch_bytes_with(cases[i].query, header, &bytes);

		assert_memory_equal(body, cases[i].begins, strlen(cases[i].begins));
		if (cases[i].encoding != NULL) {
			assert_non_null(strstr(bytes.p, cases[i].encoding));
			assert_non_null(strstr(bytes.p, "text/csv"));
			assert_non_null(strstr(bytes.p, "\"ping.csv\""));
		} else {
			assert_null(strstr(bytes.p, "Content-Encoding"));
		}
		sn_buf_finish(&bytes);
	}
}

static void every_form_says_what_it_is(void **state SN_UNUSED)
{
	static const struct {
		const char *query, *type, *file, *begins;
	} forms[] = {
		{"ping/export?format=csv&fields=seq", "text/csv", "\"ping.csv\"", "seq\r\n"},
		{"ping/export?format=jsonl&fields=seq", "application/x-ndjson", "\"ping.jsonl\"",
		 "{\"seq\":1}\n"},
		{"ping/export?format=parquet&since=2026-03-01T00:00:00Z&until=2026-03-02T06:00:00Z",
		 "application/vnd.apache.parquet", "\"ping_2026-03-01_20260302T060000Z.parquet\"",
		 "PAR1"},
		{"ping/export?compress=gzip", "application/gzip", "\"ping.csv.gz\"", "\x1f\x8b"},
		{"ping/export?compress=zstd&format=jsonl", "application/zstd", "\"ping.jsonl.zst\"",
		 "\x28\xb5\x2f\xfd"},
		{"monroe_meta_device_gps/export?format=monroe&since=2016-11-30T00:00:00Z&until="
		 "2016-12-01T00:00:00Z",
		 "text/csv; charset=iso-8859-1",
		 "\"2016-11-30_1480464000_monroe_meta_device_gps.csv\"",
		 "nodeid,timestamp,sequencenumber,altitude,"},
	};

	for (size_t i = 0; i < SN_COUNT(forms); i++) {
		struct sn_buf bytes = {0};
		const char *body = fetch_bytes(forms[i].query, &bytes);

		assert_non_null(strstr(bytes.p, forms[i].type));
		assert_non_null(strstr(bytes.p, forms[i].file));
		assert_memory_equal(body, forms[i].begins, strlen(forms[i].begins));
		sn_buf_finish(&bytes);
	}
}

static void what_cannot_be_is_refused_by_name(void **state SN_UNUSED)
{
	expect_problem("ping/export?format=xls", 400, "bad-query", "format");
	expect_problem("ping/export?compress=rar", 400, "bad-query", "compress");
	expect_problem("ping/export?format=monroe", 400, "bad-query", "monroe_*");
	expect_problem("monroe_meta_device_gps/export?format=monroe&fields=time", 400, "bad-query",
		       "all their columns");
	expect_problem("ping/export?format=parquet&compress=gzip", 400, "bad-query", "inside");
	expect_problem("ping/export?limit=0", 400, "bad-query", "limit");
	expect_problem("ping/export?formt=csv", 400, "bad-query", "format");
	expect_problem("png/export", 404, "not-found", "ping");
}

/* An area -------------------------------------------------------------------------------- */

static void an_area_is_asked_for_by_two_corners(void **state SN_UNUSED)
{
	expect_body("monroe_meta_device_gps/export?fields=latitude&within=41,0,43,20",
		    "latitude\r\n41.5\r\n42.5\r\n");
	expect_body("monroe_meta_device_gps/export?fields=latitude&within=43,0,41,20",
		    "latitude\r\n41.5\r\n42.5\r\n");
	/* The bounds belong to it; so do places west of Greenwich. */
	expect_body("monroe_meta_device_gps/export?fields=seq&within=46.5,-4.25,47.5,-2.25",
		    "seq\r\n6\r\n7\r\n");
	expect_problem("ping/export?within=1,2,3,4", 400, "bad-query", "latitude");
	expect_problem("monroe_meta_device_gps/export?within=1,2,3", 400, "bad-query", "within");
	expect_problem("monroe_meta_device_gps/export?within=1,2,3,4,5", 400, "bad-query",
		       "within");
	expect_problem("monroe_meta_device_gps/export?within=91,2,3,4", 400, "bad-query", "within");
	/* Eastwards over the 180th meridian: all but what lies between these two. */
	expect_body("monroe_meta_device_gps/export?fields=seq&within=-90,2,90,-3",
		    "seq\r\n0\r\n1\r\n2\r\n3\r\n4\r\n7\r\n8\r\n9\r\n");
}

static void corners_are_four_numbers(void **state SN_UNUSED)
{
	double c[4];

	assert_int_equal(sn_rows_parse_area(SN_STR("1,-2.5, 3 ,180"), c), 0);
	assert_true(c[0] == 1 && c[1] == -2.5 && c[2] == 3 && c[3] == 180);
	assert_int_equal(sn_rows_parse_area(SN_STR(""), c), -EINVAL);
	assert_int_equal(sn_rows_parse_area(SN_STR("1,2,3,"), c), -EINVAL);
	assert_int_equal(sn_rows_parse_area(SN_STR("1,2,3,nan"), c), -EINVAL);
	assert_int_equal(sn_rows_parse_area(SN_STR("1,2,3,181"), c), -EINVAL);
	assert_int_equal(sn_rows_parse_area(SN_STR("1,2,3,4,"), c), -EINVAL);
}

/* Slow clients, and many ------------------------------------------------------------------ */

#define LONG_ONE "/api/v1/datasets/flow/export?format=jsonl"

static int open_long(enum as as, const char *headers)
{
	int fd = open_stream(&world, as, LONG_ONE, headers);

	assert_non_null(strstr(read_stream(&world, fd, "\r\n\r\n{"), " 200 OK"));
	return fd;
}

/* Rows that come until the end, and how it ends: 0 or an errno. */
static unsigned read_all(int fd, int *end)
{
	static char text[1 << 16];
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;
	unsigned rows = 0;

	while (sn_mono_ns() < end_ns) {
		ssize_t got = recv(fd, text, sizeof(text), MSG_DONTWAIT);

		for (ssize_t i = 0; i < got; i++)
			rows += text[i] == '}';
		if (got == 0 || (got < 0 && errno != EAGAIN)) {
			*end = got == 0 ? 0 : errno;
			return rows;
		}
		if (got < 0)
			sn_loop_turn(world.loop, SN_NS_PER_MS);
	}
	fail_msg("no end of the answer");
	return 0;
}

static void wait_for_count(unsigned count)
{
	test_until(sn_streams_count(world.hub->streams) == count,
		   world_wait(&world, 10 * SN_NS_PER_MS));
	assert_int_equal(sn_streams_count(world.hub->streams), count);
}

static void a_slow_client_gets_every_row(void **state SN_UNUSED)
{
	int fd = open_stream(&world, AS_LOCAL, LONG_ONE, ""), end = -1;

	/* Longer than a page may wait, so that it is left and gone on with. */
	world_wait(&world, 1500 * SN_NS_PER_MS);
	assert_int_equal(sn_streams_count(world.hub->streams), 1);
	assert_int_equal(read_all(fd, &end), MANY);
	assert_int_equal(end, 0);
	close(fd);
	wait_for_count(0);
}

static void clients_that_go_away_end_their_answers(void **state SN_UNUSED)
{
	for (int i = 0; i < 20; i++) {
		int fd = open_stream(&world, AS_LOCAL, LONG_ONE, "");

		if (i % 2 == 0)
			world_wait(&world, 20 * SN_NS_PER_MS);
		close(fd);
		wait_for_count(0);
	}
}

/* Another person who may read, logged in: the cookie as a line of the header. */
static char *make_person(const char *name)
{
	sn_autofree char *user = sn_xasprintf("{\"name\":\"%s\",\"role\":\"admin\"}", name),
			 *ask = sn_xasprintf("{\"user\":\"%s\"}", name);
	struct reply made = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/users", user),
		     link = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/login-links", ask), in;
	const char *url = json_string_value(json_object_get(link.json, "url"));
	char *line;

	in = plain(&world, AS_NOBODY, "GET", strstr(url, "/login"), "", NULL);
	line = sn_xasprintf("Cookie: %.*s\r\n", (int)strcspn(reply_header(&in, "Set-Cookie"), ";"),
			    reply_header(&in, "Set-Cookie"));
	reply_release(&made);
	reply_release(&link);
	reply_release(&in);
	return line;
}

static void each_account_and_all_have_their_share(void **state SN_UNUSED)
{
	sn_autofree char *eve = make_person("eve"), *adam = make_person("adam");
	int fd[SN_STREAMS_MAX];
	struct reply reply;

	for (int i = 0; i < SN_STREAMS_PERSON_MAX; i++)
		fd[i] = open_long(AS_LOCAL, "");
	reply = expect(&world, AS_LOCAL, 429, "GET", LONG_ONE, NULL);
	assert_string_equal(code_of(&reply), "too-many-streams");
	assert_non_null(reply_header(&reply, "Retry-After"));
	reply_release(&reply);
	for (int i = SN_STREAMS_PERSON_MAX; i < SN_STREAMS_MAX; i++)
		fd[i] = open_long(AS_NOBODY, eve);
	reply = plain(&world, AS_NOBODY, "GET", LONG_ONE, adam, NULL);
	assert_int_equal(reply.status, 503);
	assert_string_equal(code_of(&reply), "busy");
	reply_release(&reply);
	for (int i = 0; i < SN_STREAMS_MAX; i++)
		close(fd[i]);
	wait_for_count(0);
}

static void an_answer_ends_with_the_login_it_was_asked_with(void **state SN_UNUSED)
{
	sn_autofree char *judy = make_person("judy");
	int fd = open_long(AS_NOBODY, judy), end = 0;
	struct reply reply;

	sn_streams_check(world.hub->streams);
	world_wait(&world, 20 * SN_NS_PER_MS);
	assert_int_equal(sn_streams_count(world.hub->streams), 1);
	reply = expect(&world, AS_LOCAL, 204, "DELETE", "/api/v1/users/judy", NULL);
	reply_release(&reply);
	sn_streams_check(world.hub->streams);
	assert_true(read_all(fd, &end) < MANY);
	assert_int_equal(end, ECONNRESET);
	close(fd);
	wait_for_count(0);
}

static void stopping_the_hub_ends_answers(void **state SN_UNUSED)
{
	int fd[3];

	for (int i = 0; i < 3; i++)
		fd[i] = open_long(AS_LOCAL, "");
	world_restart(&world);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	assert_int_equal(sn_streams_count(world.hub->streams), 0);
}

/* Damage ------------------------------------------------------------------------------------ */

static void damage(const char *day)
{
	sn_autofree char *path = sn_xasprintf("%s/%s.db", world.hub->store_dir, day);
	FILE *file = fopen(path, "r+e");

	assert_non_null(file);
	/* The page size in its header. */
	fseek(file, 16, SEEK_SET);
	fputs("\x01\x03", file);
	fclose(file);
}

static void what_fails_before_the_first_byte_is_a_problem(void **state SN_UNUSED)
{
	struct reply reply;

	world_restart(&world);
	damage("2016-11-30");
	reply = get("monroe_meta_device_gps/export");
	assert_int_equal(reply.status, 500);
	assert_non_null(strstr(reply.body, "2016-11-30"));
	reply_release(&reply);
	/* It was set aside: what else there is can be had. */
	expect_body("ping/export?fields=seq", "seq\r\n1\r\n0\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_oldest_first_as_csv_by_default),
		cmocka_unit_test(rows_are_packed_on_the_way_for_those_who_take_it),
		cmocka_unit_test(every_form_says_what_it_is),
		cmocka_unit_test(what_cannot_be_is_refused_by_name),
		cmocka_unit_test(an_area_is_asked_for_by_two_corners),
		cmocka_unit_test(corners_are_four_numbers),
		cmocka_unit_test(a_slow_client_gets_every_row),
		cmocka_unit_test(clients_that_go_away_end_their_answers),
		cmocka_unit_test(each_account_and_all_have_their_share),
		cmocka_unit_test(an_answer_ends_with_the_login_it_was_asked_with),
		cmocka_unit_test(stopping_the_hub_ends_answers),
		cmocka_unit_test(what_fails_before_the_first_byte_is_a_problem),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
