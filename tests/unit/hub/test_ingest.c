/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/ingest.h"
#include "hub/secret.h"

static struct world world;
static struct test_node node;

static int start(void **state)
{
	(void)state;
	world_start(&world, NULL);
	node_join(&world, &node, "alpha");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	node_leave(&node);
	world_stop(&world);
	return 0;
}

static const char *row(unsigned seq)
{
	static char text[256];

	snprintf(
		text, sizeof(text),
		"{\"time\":\"2026-03-01T12:00:%02u.5Z\",\"seq\":%u,\"target\":\"t\",\"loss_ratio\":"
		"0.25,\"rtt_p50_seconds\":0.0125}\n",
		seq % 60, seq);
	return text;
}

static const char *error_code(void)
{
	const char *code = json_string_value(json_object_get(node.json, "code"));

	return code != NULL ? code : "";
}

static size_t stored_rows(void)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET",
				    "/api/v1/datasets/ping/rows?limit=10000", NULL);
	size_t count = json_array_size(json_object_get(reply.json, "items"));

	reply_release(&reply);
	return count;
}

static void batch_is_stored_and_signed_with_the_nodes_identity(void **state)
{
	struct reply reply;
	json_t *item;

	(void)state;
	node_put(&world, &node, 0, "ping/1", 1,
		 "{\"time\":\"2026-03-01T12:00:00Z\",\"node\":\"somebody-else\",\"seq\":0,"
		 "\"target\":\"t\"}\n",
		 NULL);
	assert_int_equal(node.status, 200);
	assert_int_equal(json_integer_value(json_object_get(node.json, "stored")), 1);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/datasets/ping/rows", NULL);
	item = json_array_get(json_object_get(reply.json, "items"), 0);
	assert_string_equal(json_string_value(json_object_get(item, "node")), node.id);
	assert_string_equal(json_string_value(json_object_get(item, "target")), "t");
	reply_release(&reply);
}

static void repeated_batch_is_acknowledged_and_stored_once(void **state)
{
	(void)state;
	node_put(&world, &node, 7, "ping/1", 1, row(0), NULL);
	assert_int_equal(node.status, 200);
	node_put(&world, &node, 7, "ping/1", 1, row(0), NULL);
	assert_int_equal(node.status, 200);
	assert_int_equal(json_integer_value(json_object_get(node.json, "stored")), 0);
	assert_true(json_is_true(json_object_get(node.json, "duplicate")));
	world_restart(&world);
	node_put(&world, &node, 7, "ping/1", 1, row(0), NULL);
	assert_true(json_is_true(json_object_get(node.json, "duplicate")));
	assert_int_equal(stored_rows(), 1);
}

static void other_content_under_the_same_number_is_a_conflict(void **state)
{
	(void)state;
	node_put(&world, &node, 7, "ping/1", 1, row(0), NULL);
	node_put(&world, &node, 7, "ping/1", 1, row(1), NULL);
	assert_int_equal(node.status, 409);
	assert_string_equal(error_code(), "digest-conflict");
	assert_int_equal(stored_rows(), 1);
}

static void bad_batches_are_named_and_leave_nothing(void **state)
{
	static const char good[] = "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":0}\n";
	static const struct {
		const char *dataset, *body, *digest, *says;
		unsigned rows, status;
	} cases[] = {
		/* Not what they claim to be: refused. */
		{"ping/1", good, NULL, "Sonde-Rows", 10001, 422},
		{"ping", good, NULL, "Sonde-Dataset", 1, 422},
		{"ping/1", good, "0000000000000000000000000000000000000000000000000000000000000000",
		 "digest", 1, 422},
		{"ping/1", good, "12", "Digest", 1, 422},
		/* What they claim to be, and of no use: kept. */
		{"ping/1", "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":0}\nnonsense\n", NULL, "2",
		 2, 202},
		{"ping/1", "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":\"x\"}\n", NULL, "seq", 1,
		 202},
		{"ping/1", "{\"seq\":0}\n", NULL, "time", 1, 202},
		{"ping/1", "{\"time\":\"2026-03-01T12:00:00Z\"}\n", NULL, "seq", 1, 202},
		{"ping/1", good, NULL, "claims", 2, 202},
		{"ping/1", "", NULL, "0 rows", 1, 202},
		{"ping/2", good, NULL, "ping/2", 1, 202},
		{"pong/1", good, NULL, "pong/1", 1, 202},
		{"ping/1",
		 "{\"time\":\"2026-03-01T23:59:59Z\",\"seq\":0}\n"
		 "{\"time\":\"2026-03-02T00:00:00Z\",\"seq\":1}\n",
		 NULL, "day", 2, 202},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		const char *says;

		node_put(&world, &node, (unsigned)i, cases[i].dataset, cases[i].rows, cases[i].body,
			 cases[i].digest);
		says = json_string_value(
			json_object_get(node.json, cases[i].status == 422 ? "detail" : "reason"));
		if (node.status != cases[i].status || says == NULL ||
		    strstr(says, cases[i].says) == NULL)
			fail_msg("case %zu: %u %s: %s", i, node.status, error_code(), says);
		if (node.status == 422)
			assert_string_equal(error_code(), "bad-batch");
	}
	assert_int_equal(stored_rows(), 0);
	assert_int_equal(sn_ingest_stats(world.hub->ingest)->batches[SN_INGEST_BAD], 4);
	assert_int_equal(sn_ingest_stats(world.hub->ingest)->batches[SN_INGEST_QUARANTINED], 9);
	assert_int_equal(sn_quarantine_stats(world.hub->quarantine).items, 9);
}

static void path_must_name_a_stream_and_a_number(void **state)
{
	(void)state;
	node_ask(&world, &node, "PUT", "/api/v1/node/batches/xyz/1", NULL, row(0));
	assert_int_equal(node.status, 422);
	node_ask(&world, &node, "PUT", "/api/v1/node/batches/" STREAM_ID "/x1", NULL, row(0));
	assert_int_equal(node.status, 422);
}

/* `count` rows of more than `padding` bytes each. */
static char *many_rows(unsigned count, unsigned padding)
{
	struct sn_buf text = {0};

	for (unsigned i = 0; i < count; i++)
		sn_buf_addf(&text,
			    "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":%u,\"error\":\"%*s\"}\n", i,
			    (int)padding, "");
	return text.p != NULL ? (sn_buf_cstr(&text), text.p) : NULL;
}

static void ten_thousand_rows_are_the_limit(void **state)
{
	sn_autofree char *most = many_rows(SN_INGEST_ROWS_MAX, 1);
	sn_autofree char *more = many_rows(SN_INGEST_ROWS_MAX + 1, 1);

	(void)state;
	node_put(&world, &node, 0, "ping/1", SN_INGEST_ROWS_MAX, most, NULL);
	assert_int_equal(node.status, 200);
	node_put(&world, &node, 1, "ping/1", SN_INGEST_ROWS_MAX, more, NULL);
	assert_int_equal(node.status, 202);
}

static void body_over_four_mebibytes_is_refused(void **state)
{
	sn_autofree char *body = sn_xmalloc(SN_INGEST_BODY_MAX + 2);

	(void)state;
	memset(body, 'x', SN_INGEST_BODY_MAX + 1);
	body[SN_INGEST_BODY_MAX + 1] = '\0';
	node_put(&world, &node, 0, "ping/1", 1, body, NULL);
	assert_int_equal(node.status, 413);
	body[SN_INGEST_BODY_MAX] = '\0';
	node_put(&world, &node, 0, "ping/1", 1, body, NULL);
	assert_int_equal(node.status, 202); /* read whole, and then nonsense */
}

static void too_much_at_once_is_put_off(void **state)
{
	(void)state;
	assert_true(sn_ingest_reserve(world.hub->ingest, SN_INGEST_FLIGHT_MAX));
	node_put(&world, &node, 0, "ping/1", 1, row(0), NULL);
	assert_int_equal(node.status, 503);
	assert_string_equal(error_code(), "busy");
	sn_ingest_release(world.hub->ingest, SN_INGEST_FLIGHT_MAX);
	node_put(&world, &node, 0, "ping/1", 1, row(0), NULL);
	assert_int_equal(node.status, 200);
	/* What was reserved for it has been given back. */
	assert_true(sn_ingest_reserve(world.hub->ingest, SN_INGEST_FLIGHT_MAX));
}

/* Another writer of the day's file, for so long: what a slow disk looks like. */
struct slow_disk {
	pthread_t thread;
	sqlite3 *db;
	unsigned wait_ms;
};

static void *hold_file(void *ctx)
{
	struct slow_disk *disk = ctx;

	usleep(disk->wait_ms * 1000);
	sqlite3_exec(disk->db, "COMMIT", NULL, NULL, NULL);
	return NULL;
}

static void disk_slows_down(struct slow_disk *disk, unsigned wait_ms)
{
	sn_autofree char *path = sn_xasprintf("%s/2026-03-01.db", world.hub->store_dir);

	disk->wait_ms = wait_ms;
	assert_int_equal(sqlite3_open(path, &disk->db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(disk->db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(pthread_create(&disk->thread, NULL, hold_file, disk), 0);
}

static void disk_is_well_again(struct slow_disk *disk)
{
	pthread_join(disk->thread, NULL);
	sqlite3_close(disk->db);
}

static unsigned ticks;

static void tick(struct sn_timer *timer)
{
	ticks++;
	sn_timer_in(timer, 10 * SN_NS_PER_MS);
}

static void a_slow_disk_delays_answers_and_nothing_else(void **state)
{
	uint64_t begin_ns;
	struct slow_disk disk;
	struct sn_timer timer;

	(void)state;
	node_put(&world, &node, 0, "ping/1", 1, row(0), NULL);
	ticks = 0;
	sn_timer_init(&timer, world.loop, tick);
	sn_timer_in(&timer, 10 * SN_NS_PER_MS);
	begin_ns = sn_mono_ns();
	disk_slows_down(&disk, 400);
	node_put(&world, &node, 1, "ping/1", 1, row(1), NULL);
	assert_int_equal(node.status, 200);
	assert_true(sn_mono_ns() - begin_ns >= 400 * SN_NS_PER_MS);
	assert_in_range(ticks, 10, 1000); /* the loop has lived meanwhile */
	sn_timer_stop(&timer);
	disk_is_well_again(&disk);
	assert_int_equal(stored_rows(), 2);
}

#define MANY 20
static unsigned many_stored;

static void one_of_many(struct sn_http_fetch *fetch, const struct sn_http_answer *answer, void *ctx)
{
	(void)fetch;
	(void)ctx;
	assert_int_equal(answer->status, 200);
	many_stored++;
}

static void put_one_of_many(unsigned seq)
{
	char digits[2 * SN_SECRET_HASH_SIZE + 1], digest[128], url[256], base[128];
	const char *headers[] = {"Sonde-Dataset: ping/1", "Sonde-Rows: 1", digest, NULL};
	uint8_t hash[SN_SECRET_HASH_SIZE];
	struct sn_http_fetch_spec spec = {
		.method = "PUT",
		.url = url,
		.headers = headers,
		.body = row(seq),
		.body_size = strlen(row(seq)),
		.timeout_ns = TEST_PATIENCE_NS,
		.on_done = one_of_many,
	};

	sn_secret_hash(sn_str(row(seq)), hash);
	snprintf(digest, sizeof(digest), "Digest: sha-256=%s", sn_hex(hash, sizeof(hash), digits));
	sn_hub_loopback_url(world.hub, base, sizeof(base));
	snprintf(url, sizeof(url), "%s/api/v1/node/batches/" STREAM_ID "/%u", base, seq);
	assert_non_null(sn_http_fetch(node.client, &spec));
}

static void what_comes_during_a_commit_is_the_next_group(void **state)
{
	struct slow_disk disk;
	uint64_t commits;

	(void)state;
	node_put(&world, &node, 0, "ping/1", 1, row(0), NULL);
	commits = sn_ingest_stats(world.hub->ingest)->commits;
	disk_slows_down(&disk, 400);
	many_stored = 0;
	for (unsigned i = 1; i <= MANY; i++)
		put_one_of_many(i);
	test_until(many_stored >= MANY, world_wait(&world, 10 * SN_NS_PER_MS));
	disk_is_well_again(&disk);
	assert_int_equal(many_stored, MANY);
	assert_int_equal(stored_rows(), 1 + MANY);
	assert_in_range(sn_ingest_stats(world.hub->ingest)->commits - commits, 1, 4);
}

static void what_has_come_is_stored_before_the_hub_ends(void **state)
{
	(void)state;
	node_put(&world, &node, 0, "ping/1", 1, row(0), NULL);
	for (unsigned i = 1; i <= MANY; i++)
		put_one_of_many(i);
	many_stored = 0;
	test_until(many_stored != 0, sn_loop_turn(world.loop, 10 * SN_NS_PER_MS));
	/* Those without an answer may be stored, those with one must be. */
	node_leave(&node);
	world_restart(&world);
	assert_in_range(stored_rows(), 1 + many_stored, 1 + MANY);
	node_join(&world, &node, "beta");
}

static void one_node_cannot_take_the_room_of_all(void **state)
{
	struct sn_room *room = world.hub->room_own;

	(void)state;
	assert_true(sn_room_take(room, node.id, SN_ROOM_EACH));
	node_put(&world, &node, 0, "ping/1", 1, row(0), NULL);
	assert_int_equal(node.status, 503);
	assert_string_equal(error_code(), "busy");
	/* Nothing was kept of what it was refused. */
	assert_true(sn_ingest_reserve(world.hub->ingest, SN_INGEST_FLIGHT_MAX));
	sn_ingest_release(world.hub->ingest, SN_INGEST_FLIGHT_MAX);
	sn_room_give(room, node.id, SN_ROOM_EACH);
	node_put(&world, &node, 0, "ping/1", 1, row(0), NULL);
	assert_int_equal(node.status, 200);
	assert_int_equal(sn_room_taken(room, NULL), 0);
}

static void newest_rows_show_what_the_node_measures_now(void **state)
{
	char body[256], time[SN_TIME_TEXT_MAX];
	struct reply reply;
	json_t *now;

	(void)state;
	sn_format_time(sn_hub_now(world.hub), time, sizeof(time));
	snprintf(body, sizeof(body),
		 "{\"time\":\"%s\",\"seq\":0,\"target\":\"t\",\"loss_ratio\":0.25,"
		 "\"rtt_p50_seconds\":0.0125}\n",
		 time);
	node_put(&world, &node, 0, "ping/1", 1, body, NULL);
	assert_int_equal(node.status, 200);
	for (int i = 0; i < 2; i++) { /* the second time after a restart */
		reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/nodes/alpha", NULL);
		now = json_object_get(reply.json, "now");
		assert_true(json_number_value(json_object_get(now, "loss_ratio")) == 0.25);
		assert_true(json_number_value(json_object_get(now, "rtt_p50_seconds")) == 0.0125);
		assert_int_equal(json_integer_value(json_object_get(now, "targets")), 1);
		reply_release(&reply);
		world_restart(&world);
	}
}

static void streams_are_checked_for_gaps(void **state)
{
	struct reply reply;

	(void)state;
	node_put(&world, &node, 0, "ping/1", 1, row(0), NULL);
	node_put(&world, &node, 1, "ping/1", 1, row(2), NULL);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/check/alpha", NULL);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "rows")), 2);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "seq_max")), 2);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "missing")), 1);
	reply_release(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(batch_is_stored_and_signed_with_the_nodes_identity,
						start, stop),
		cmocka_unit_test_setup_teardown(repeated_batch_is_acknowledged_and_stored_once,
						start, stop),
		cmocka_unit_test_setup_teardown(other_content_under_the_same_number_is_a_conflict,
						start, stop),
		cmocka_unit_test_setup_teardown(bad_batches_are_named_and_leave_nothing, start,
						stop),
		cmocka_unit_test_setup_teardown(path_must_name_a_stream_and_a_number, start, stop),
		cmocka_unit_test_setup_teardown(ten_thousand_rows_are_the_limit, start, stop),
		cmocka_unit_test_setup_teardown(body_over_four_mebibytes_is_refused, start, stop),
		cmocka_unit_test_setup_teardown(too_much_at_once_is_put_off, start, stop),
		cmocka_unit_test_setup_teardown(a_slow_disk_delays_answers_and_nothing_else, start,
						stop),
		cmocka_unit_test_setup_teardown(what_comes_during_a_commit_is_the_next_group, start,
						stop),
		cmocka_unit_test_setup_teardown(what_has_come_is_stored_before_the_hub_ends, start,
						stop),
		cmocka_unit_test_setup_teardown(one_node_cannot_take_the_room_of_all, start, stop),
		cmocka_unit_test_setup_teardown(newest_rows_show_what_the_node_measures_now, start,
						stop),
		cmocka_unit_test_setup_teardown(streams_are_checked_for_gaps, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
