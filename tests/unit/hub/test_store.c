/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

static struct world world;

static void put_row(struct test_node *node, unsigned seq, const char *time)
{
	char row[256];

	snprintf(row, sizeof(row), "{\"time\":\"%s\",\"task\":\"t\",\"seq\":%u}\n", time, seq);
	node_put(&world, node, seq, "ping/1", 1, row, NULL);
	assert_int_equal(node->status, 200);
}

static int start(void **state)
{
	static const char *const settings[] = {"retention_days=0", NULL};
	struct test_node node;

	(void)state;
	world_start(&world, settings);
	node_join(&world, &node, "alpha");
	put_row(&node, 1, "2026-03-01T12:00:00Z");
	put_row(&node, 2, "2026-03-02T12:00:00Z");
	put_row(&node, 3, "2026-03-02T13:00:00Z");
	node_leave(&node);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop(&world);
	return 0;
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL ? value : "";
}

static void store_tells_how_much_there_is(void **state)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/store", NULL);

	(void)state;
	assert_string_equal(text(reply.json, "backend"), "sqlite");
	assert_int_equal(number(reply.json, "rows"), 3);
	assert_int_equal(number(reply.json, "local_rows"), 3);
	assert_int_equal(number(reply.json, "days"), 2);
	assert_true(number(reply.json, "bytes") > 0);
	assert_true(number(reply.json, "free_bytes") > 0);
	assert_int_equal(number(reply.json, "retention_days"), 0);
	assert_string_equal(text(reply.json, "first"), "2026-03-01T12:00:00.000000000Z");
	assert_string_equal(text(reply.json, "last"), "2026-03-02T13:00:00.000000000Z");
	assert_true(json_is_null(json_object_get(reply.json, "clickhouse")));
	assert_true(json_is_null(json_object_get(reply.json, "replica")));
	reply_release(&reply);
}

static void datasets_and_days_are_listed(void **state)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/store/datasets", NULL);
	const json_t *items = json_object_get(reply.json, "items"), *item;

	(void)state;
	assert_int_equal(json_array_size(items), 1);
	item = json_array_get(items, 0);
	assert_string_equal(text(item, "name"), "ping");
	assert_int_equal(number(item, "version"), 1);
	assert_int_equal(number(item, "rows"), 3);
	assert_int_equal(number(item, "days"), 2);
	assert_string_equal(text(item, "first"), "2026-03-01T12:00:00.000000000Z");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/store/days?limit=1", NULL);
	item = json_array_get(json_object_get(reply.json, "items"), 0);
	assert_string_equal(text(item, "day"), "2026-03-01");
	assert_int_equal(number(item, "rows"), 1);
	assert_int_equal(number(item, "batches"), 1);
	assert_string_equal(text(reply.json, "next"), "2026-03-01");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/store/days?cursor=2026-03-01", NULL);
	item = json_array_get(json_object_get(reply.json, "items"), 0);
	assert_string_equal(text(item, "day"), "2026-03-02");
	assert_true(json_is_null(json_object_get(reply.json, "next")));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", "/api/v1/store/datasets?limit=0", NULL);
	reply_release(&reply);
}

static void what_was_set_aside_is_a_problem(void **state)
{
	sn_autofree char *path = sn_fs_join(world.hub->store_dir, "2026-02-01.db.corrupt");
	struct reply reply;
	const json_t *problem;

	(void)state;
	assert_int_equal(sn_fs_write_atomic(path, "x", 1, 0600, NULL), 0);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/store", NULL);
	problem = json_array_get(json_object_get(reply.json, "problems"), 0);
	assert_string_equal(text(problem, "what"), "2026-02-01.db.corrupt");
	assert_true(text(problem, "next")[0] != '\0');
	reply_release(&reply);
	unlink(path);
}

static void a_day_is_dropped_and_that_is_written_down(void **state)
{
	struct reply reply =
		expect(&world, AS_LOCAL, 204, "DELETE", "/api/v1/store/days/2026-03-01", NULL);

	(void)state;
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 404, "DELETE", "/api/v1/store/days/2026-03-01", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 422, "DELETE", "/api/v1/store/days/yesterday", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/store", NULL);
	assert_int_equal(number(reply.json, "rows"), 2);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/audit?action=store.drop", NULL);
	assert_string_equal(
		text(json_array_get(json_object_get(reply.json, "items"), 0), "subject"),
		"2026-03-01");
	reply_release(&reply);
}

/* Until the job has ended; a new reference. */
static json_t *end_of_job(const struct reply *started)
{
	char path[96];

	snprintf(path, sizeof(path), "/api/v1/store/jobs/%s", text(started->json, "id"));
	for (unsigned i = 0; i < 200; i++) {
		struct reply reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
		json_t *job = json_incref(reply.json);

		reply_release(&reply);
		if (strcmp(text(job, "state"), "running") != 0)
			return job;
		json_decref(job);
		world_wait(&world, 20 * SN_NS_PER_MS);
	}
	fail_msg("the job does not end");
	return NULL;
}

static void a_backup_is_a_job(void **state)
{
	sn_autofree char *directory = sn_xasprintf("%s-backup", world.dir);
	sn_autofree char *manifest = sn_fs_join(directory, "manifest.json");
	sn_autofree char *body = sn_xasprintf("{\"directory\":\"%s\"}", directory);
	struct reply reply;
	json_t *job;

	(void)state;
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/store/backup", body);
	assert_string_equal(text(reply.json, "kind"), "backup");
	job = end_of_job(&reply);
	reply_release(&reply);
	assert_string_equal(text(job, "state"), "done");
	assert_int_equal(number(job, "done"), number(job, "total"));
	json_decref(job);
	assert_true(sn_fs_exists(manifest));
	sn_fs_remove_tree(directory, NULL);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/audit?action=store.backup", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 1);
	reply_release(&reply);
}

static void a_backup_to_a_place_that_is_none_fails_with_its_reason(void **state)
{
	sn_autofree char *body = sn_xasprintf("{\"directory\":\"%s\"}", world.hub->store_dir);
	struct reply reply = expect(&world, AS_LOCAL, 422, "POST", "/api/v1/store/backup",
				    "{\"directory\":\"here\"}");
	json_t *job;

	(void)state;
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/store/backup", body);
	job = end_of_job(&reply);
	reply_release(&reply);
	assert_string_equal(text(job, "state"), "failed");
	assert_non_null(strstr(text(job, "reason"), "one is in the other"));
	json_decref(job);
	reply = expect(&world, AS_LOCAL, 404, "GET", "/api/v1/store/jobs/none", NULL);
	reply_release(&reply);
}

static void a_sound_store_has_no_findings(void **state)
{
	struct reply reply =
		expect(&world, AS_LOCAL, 201, "POST", "/api/v1/store/check", "{\"deep\":true}");
	json_t *job = end_of_job(&reply);

	(void)state;
	assert_string_equal(text(job, "kind"), "check");
	assert_string_equal(text(job, "state"), "done");
	assert_int_equal(json_array_size(json_object_get(job, "findings")), 0);
	assert_int_equal(number(job, "done"), number(job, "total"));
	assert_true(number(job, "total") > 0);
	json_decref(job);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/store/check", "{\"repair\":true}");
	job = end_of_job(&reply);
	assert_string_equal(text(job, "state"), "done");
	assert_string_equal(text(json_array_get(json_object_get(job, "findings"), 0), "what"),
			    "repair");
	json_decref(job);
	reply_release(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_tells_how_much_there_is),
		cmocka_unit_test(datasets_and_days_are_listed),
		cmocka_unit_test(what_was_set_aside_is_a_problem),
		cmocka_unit_test(a_day_is_dropped_and_that_is_written_down),
		cmocka_unit_test(a_sound_store_has_no_findings),
		cmocka_unit_test(a_backup_is_a_job),
		cmocka_unit_test(a_backup_to_a_place_that_is_none_fails_with_its_reason),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
