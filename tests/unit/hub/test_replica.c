/* SPDX-License-Identifier: Apache-2.0 */
/* A hub that follows another one, and what a hub tells those that follow it. */
#include "hub_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/replicas.h"

static struct world primary, replica;
static char token_file[64], replica_of[96], ca[128], token_of[96];
static const char *const following[] = {
	replica_of, ca, token_of, "retention_days=0", "replica_interval=100ms", NULL};

static void put_row(struct test_node *node, unsigned seq, const char *time)
{
	char row[256];

	snprintf(row, sizeof(row), "{\"time\":\"%s\",\"task\":\"t\",\"seq\":%u}\n", time, seq);
	node_put(&primary, node, seq, "ping/1", 1, row, NULL);
	assert_int_equal(node->status, 200);
}

static void write_token(const char *text)
{
	assert_int_equal(sn_fs_write_atomic(token_file, text, strlen(text), 0600, NULL), 0);
}

/* The hub of this process serves while the other one, whose thread asks it, is waited for. */
static int start(void **state)
{
	static const char *const settings[] = {"retention_days=0", NULL};
	struct reply reply;
	char url[64];

	(void)state;
	world_start(&primary, settings);
	snprintf(token_file, sizeof(token_file), "/tmp/sonde-test-token-%d", (int)getpid());
	reply = expect(&primary, AS_LOCAL, 201, "POST", "/api/v1/tokens", "{\"label\":\"x\"}");
	write_token(json_string_value(json_object_get(reply.json, "token")));
	reply_release(&reply);
	sn_hub_loopback_url(primary.hub, url, sizeof(url));
	snprintf(replica_of, sizeof(replica_of), "replica_of=%s", url);
	snprintf(ca, sizeof(ca), "replica_ca=%s/pki/ca.pem", primary.config.state);
	snprintf(token_of, sizeof(token_of), "replica_token_file=%s", token_file);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop(&primary);
	unlink(token_file);
	return 0;
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL ? value : "";
}

/* Until the replica has that state and so many rows. */
static void wait_for(const char *wanted, json_int_t rows)
{
	char last[1024] = "";

	for (unsigned i = 0; i < 200; i++) {
		struct reply reply;
		bool there;

		world_wait(&primary, 50 * SN_NS_PER_MS);
		reply = expect(&replica, AS_LOCAL, 200, "GET", "/api/v1/store", NULL);
		there = strcmp(text(json_object_get(reply.json, "replica"), "state"), wanted) ==
				0 &&
			json_integer_value(json_object_get(reply.json, "rows")) == rows;
		snprintf(last, sizeof(last), "%s", reply.body);
		reply_release(&reply);
		if (there)
			return;
	}
	fail_msg("not %s with %lld rows: %s", wanted, (long long)rows, last);
}

static void rows_arrive_once_and_in_both_lists(void **state)
{
	struct test_node node;
	struct reply reply;

	(void)state;
	node_join(&primary, &node, "alpha");
	put_row(&node, 1, "2026-03-01T12:00:00Z");
	put_row(&node, 2, "2026-03-02T12:00:00Z");
	world_start(&replica, following);
	wait_for("current", 2);
	put_row(&node, 3, "2026-03-02T13:00:00Z");
	wait_for("current", 3);
	node_leave(&node);
	reply = expect(&replica, AS_LOCAL, 200, "GET", "/api/v1/datasets/ping/rows", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 3);
	reply_release(&reply);
	reply = expect(&replica, AS_LOCAL, 200, "GET", "/api/v1/sources", NULL);
	assert_string_equal(text(json_array_get(json_object_get(reply.json, "items"), 0), "kind"),
			    "replica");
	reply_release(&reply);
}

static void a_replica_refuses_what_brings_rows(void **state)
{
	static const struct {
		const char *method, *path;
	} routes[] = {
		{"POST", "/api/v1/enrol"},
		{"POST", "/api/v1/invites"},
		{"POST", "/api/v1/measurements"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(routes); i++) {
		struct reply reply =
			expect(&replica, AS_LOCAL, 409, routes[i].method, routes[i].path, "{}");

		assert_string_equal(code_of(&reply), "replica");
		assert_non_null(strstr(reply.body, replica_of + strlen("replica_of=")));
		reply_release(&reply);
	}
}

static void a_token_that_is_no_good_is_told(void **state)
{
	struct reply reply;

	(void)state;
	write_token("wrong");
	wait_for("unreachable", 3);
	reply = expect(&replica, AS_LOCAL, 200, "GET", "/api/v1/store", NULL);
	assert_non_null(strstr(text(json_object_get(reply.json, "replica"), "reason"), "401"));
	reply_release(&reply);
	world_stop(&replica);
}

static void what_moves_waits_for_replicas_that_were_here(void **state)
{
	struct sn_feed_place place = {.day = 20513, .epoch = 1, .dataset = "ping", .version = 1};
	char dir[] = "/tmp/sonde-test-XXXXXX";
	struct sn_replicas *replicas;
	struct sn_err err = {0};
	int64_t now_ns = sn_wall_ns();

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(sn_replicas_open(dir, dir, 60 * SN_NS_PER_S, &replicas, &err), 0);
	assert_true(sn_replicas_floor(replicas, 20513, "ping", 1) == INT64_MAX);
	assert_int_equal(sn_replicas_note(replicas, "a", now_ns, NULL, 0, &err), 0);
	assert_int_equal(sn_replicas_floor(replicas, 20513, "ping", 1), 0);
	assert_int_equal(sn_replicas_note(replicas, "a", now_ns, &place, 500, &err), 0);
	assert_int_equal(sn_replicas_floor(replicas, 20513, "ping", 1), 500);
	assert_int_equal(sn_replicas_floor(replicas, 20514, "ping", 1), 0);
	assert_int_equal(sn_replicas_note(replicas, "b", now_ns, &place, 300, &err), 0);
	assert_int_equal(sn_replicas_floor(replicas, 20513, "ping", 1), 300);
	/* After a restart they have to say it again. */
	sn_replicas_close(replicas);
	assert_int_equal(sn_replicas_open(dir, dir, 60 * SN_NS_PER_S, &replicas, &err), 0);
	assert_int_equal(sn_replicas_floor(replicas, 20513, "ping", 1), 0);
	/* One that has not been here for long is not waited for. */
	now_ns -= 120 * SN_NS_PER_S;
	assert_int_equal(sn_replicas_note(replicas, "a", now_ns, &place, 500, &err), 0);
	assert_int_equal(sn_replicas_note(replicas, "b", now_ns, &place, 300, &err), 0);
	assert_true(sn_replicas_floor(replicas, 20513, "ping", 1) == INT64_MAX);
	for (unsigned i = 0; i < 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "r%u", i);
		(void)sn_replicas_note(replicas, name, sn_wall_ns(), NULL, 0, &err);
	}
	assert_int_equal(err.code, -E2BIG);
	sn_replicas_close(replicas);
	sn_fs_remove_tree(dir, NULL);
}

static void places_that_are_none_are_not_found(void **state)
{
	static const char *const bad[] = {
		"/api/v1/store/rows/yesterday/ping/1?epoch=1",
		"/api/v1/store/rows/2026-03-01/none/1?epoch=1",
		"/api/v1/store/rows/2026-03-01/ping/x?epoch=1",
		"/api/v1/store/rows/2031-03-01/ping/1?epoch=1",
		"/api/v1/store/rows/2026-03-01/ping/1?epoch=1",
	};
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		reply = expect(&primary, AS_LOCAL, 404, "GET", bad[i], NULL);
		reply_release(&reply);
	}
	reply = expect(&primary, AS_LOCAL, 400, "GET",
		       "/api/v1/store/rows/2026-03-01/ping/1?epoch=0", NULL);
	reply_release(&reply);
	reply = expect(&primary, AS_LOCAL, 400, "GET", "/api/v1/store/replication?replica=", NULL);
	reply_release(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_arrive_once_and_in_both_lists),
		cmocka_unit_test(a_replica_refuses_what_brings_rows),
		cmocka_unit_test(a_token_that_is_no_good_is_told),
		cmocka_unit_test(what_moves_waits_for_replicas_that_were_here),
		cmocka_unit_test(places_that_are_none_are_not_found),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
