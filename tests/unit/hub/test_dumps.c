/* SPDX-License-Identifier: Apache-2.0 */
/* Daily dumps: when they are made, what they hold, who gets them. */
#include "hub_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "hub/dump_dir.h"

static struct world world;
static struct test_node node;

static const char *const settings[] = {"dump_datasets=ping,monroe_meta_device_gps", "dump_grace=0s",
				       "dump_formats=csv,jsonl.gz,parquet,monroe",
				       "retention_days=0", NULL};

static int start(void **state SN_UNUSED)
{
	world_start(&world, settings);
	node_join(&world, &node, "alpha");
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	node_leave(&node);
	world_stop(&world);
	return 0;
}

static void put_ping(unsigned seq, const char *time)
{
	char body[128];

	snprintf(body, sizeof(body), "{\"time\":\"%s\",\"seq\":%u,\"target\":\"a\"}\n", time, seq);
	node_put(&world, &node, seq, "ping/1", 1, body, NULL);
	assert_int_equal(node.status, 200);
}

/* The list of a day's files, when there are so many of a revision. */
static struct reply wait_for(const char *day, unsigned revision, size_t count)
{
	sn_autofree char *path = sn_xasprintf("/api/v1/dumps?day=%s", day);
	struct reply reply = {0};

	for (int i = 0; i < 400; i++) {
		const json_t *items, *first;

		reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
		items = json_object_get(reply.json, "items");
		first = json_array_get(items, 0);
		if (json_array_size(items) == count &&
		    json_integer_value(json_object_get(first, "revision")) == revision)
			return reply;
		reply_release(&reply);
		world_wait(&world, 20 * SN_NS_PER_MS);
	}
	fail_msg("no dump of %s, revision %u, with %zu files", day, revision, count);
	return reply;
}

static void order(const char *day, unsigned status)
{
	sn_autofree char *body = sn_xasprintf("{\"day\":\"%s\"}", day);
	struct reply reply = expect(&world, AS_LOCAL, status, "POST", "/api/v1/dumps", body);

	reply_release(&reply);
}

static char *get_text(const char *path)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	char *text = sn_xstrdup(reply.body);

	reply_release(&reply);
	return text;
}

static void a_day_that_is_over_becomes_files(void **state SN_UNUSED)
{
	struct reply reply;
	sn_autofree char *csv, *sums, *index, *page, *days;

	put_ping(0, "2026-03-01T12:00:00Z");
	order("2026-03-01", 202);
	reply = wait_for("2026-03-01", 1, 3);
	assert_non_null(strstr(reply.body, "/dumps/2026/03/01/ping_2026-03-01.parquet"));
	csv = get_text("/dumps/2026/03/01/ping_2026-03-01.csv");
	assert_non_null(strstr(csv, "2026-03-01T12:00:00.000000000Z"));
	sums = get_text("/dumps/2026/03/01/SHA256SUMS");
	assert_non_null(strstr(sums, "  ping_2026-03-01.jsonl.gz\n"));
	index = get_text("/dumps/2026/03/01/index.json");
	assert_non_null(strstr(index, "\"revision\":1"));
	page = get_text("/dumps/2026/03/01/");
	assert_non_null(strstr(page, "href=\"/dumps/2026/03/01/ping_2026-03-01.csv\""));
	days = get_text("/dumps");
	assert_non_null(strstr(days, "href=\"/dumps/2026/03/01/\""));
	reply_release(&reply);
}

static void late_rows_make_the_next_revision(void **state SN_UNUSED)
{
	struct reply reply;
	sn_autofree char *csv;

	put_ping(1, "2026-03-01T13:00:00Z");
	order("2026-03-01", 202);
	reply = wait_for("2026-03-01", 2, 3);
	reply_release(&reply);
	csv = get_text("/dumps/2026/03/01/ping_2026-03-01.csv");
	assert_non_null(strstr(csv, "13:00:00"));
	/* Made again without news it stays as it is. */
	order("2026-03-01", 202);
	world_wait(&world, 300 * SN_NS_PER_MS);
	reply = wait_for("2026-03-01", 2, 3);
	reply_release(&reply);
}

static void they_are_made_by_themselves(void **state SN_UNUSED)
{
	struct reply reply;

	put_ping(2, "2026-03-02T12:00:00Z");
	/* At the start it looks after two seconds. */
	world_restart(&world);
	reply = wait_for("2026-03-02", 1, 3);
	reply_release(&reply);
	reply = wait_for("2026-03-01", 2, 3);
	reply_release(&reply);
}

static void tables_of_monroe_have_their_own_form(void **state SN_UNUSED)
{
	struct reply reply;
	sn_autofree char *csv;

	node_put(&world, &node, 10, "monroe_meta_device_gps/1", 1,
		 "{\"time\":\"2016-11-30T12:00:00Z\",\"seq\":10,\"nodeid\":\"206\"}\n", NULL);
	order("2016-11-30", 202);
	reply = wait_for("2016-11-30", 1, 4);
	reply_release(&reply);
	csv = get_text("/dumps/2016/11/30/2016-11-30_1480464000_monroe_meta_device_gps.csv");
	assert_memory_equal(csv, "nodeid,timestamp,", 17);
}

static void what_cannot_be_made_is_refused(void **state SN_UNUSED)
{
	char today[SN_DUMP_DAY_SIZE];

	sn_dump_day_text((int32_t)(sn_wall_ns() / SN_NS_PER_S / 86400), today);
	order("2026-02-30", 422);
	order("yesterday", 422);
	order("1999-01-01", 404);
	order(today, 422);
}

static void no_path_leads_out_of_the_dumps(void **state SN_UNUSED)
{
	static const char *const paths[] = {
		"/dumps/2026/03/01/nothing.csv",
		"/dumps/2026/03/01/.index.json",
		"/dumps/2026/03/03/index.json",
		"/dumps/2026/03/01/ping_2026-03-01.csv/x",
		"/dumps/2026/03/01/..%2f..%2f..%2f..%2fcontrol.sqlite",
		"/dumps/..%2fcontrol.sqlite",
		"/dumps/2026/03/1",
		"/dumps/20260301/x",
		"/dumps/2026/03/99",
	};

	for (size_t i = 0; i < SN_COUNT(paths); i++) {
		struct reply reply = expect(&world, AS_LOCAL, 404, "GET", paths[i], NULL);

		reply_release(&reply);
	}
}

static void they_are_for_those_who_may_read_rows(void **state SN_UNUSED)
{
	static const char *const open[] = {"dump_datasets=ping", "dump_grace=0s",
					   "dump_public=true", "retention_days=0", NULL};
	struct reply reply = expect(&world, AS_NOBODY, 401, "GET", "/dumps/", NULL);

	reply_release(&reply);
	reply = expect(&world, AS_NOBODY, 401, "GET", "/dumps/2026/03/01/index.json", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "GET", "/api/v1/dumps?day=2026-02-30", NULL);
	assert_non_null(strstr(reply.body, "'2026-02-30'"));
	reply_release(&reply);
	reply = expect(&world, AS_NOBODY, 401, "GET", "/api/v1/dumps", NULL);
	reply_release(&reply);
	node_leave(&node);
	world_stop(&world);
	world_start(&world, open);
	node_join(&world, &node, "beta");
	reply = expect(&world, AS_NOBODY, 200, "GET", "/dumps/", NULL);
	reply_release(&reply);
	reply = expect(&world, AS_NOBODY, 401, "GET", "/api/v1/dumps", NULL);
	reply_release(&reply);
}

static void a_dump_that_cannot_be_written_leaves_nothing(void **state SN_UNUSED)
{
	struct sn_err err = {0};
	sn_autofree char *dir = sn_fs_join(world.dir, "dumps");
	sn_autofree char *month = sn_fs_join(dir, "2026/03");
	sn_autofree char *file = sn_fs_join(month, "01");
	struct reply reply;

	put_ping(20, "2026-03-01T12:00:00Z");
	/* A file where the day's directory should be. */
	assert_int_equal(sn_fs_mkdirs(month, 0755, &err), 0);
	assert_int_equal(sn_fs_write_atomic(file, "x", 1, 0644, &err), 0);
	order("2026-03-01", 202);
	world_wait(&world, 300 * SN_NS_PER_MS);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/hub", NULL);
	if (strstr(reply.body, "cannot make the dump of 2026-03-01") == NULL) {
		/* Exchanged with the file: as good. */
		reply_release(&reply);
		reply = wait_for("2026-03-01", 1, 2);
	}
	reply_release(&reply);
	assert_int_equal(unlink(file) == 0 || errno == EISDIR || errno == EPERM, 1);
	{
		sn_autofree char *made = sn_dump_dir_new(dir, 20513);

		assert_false(sn_fs_exists(made));
	}
}

/* Without a hub --------------------------------------------------------------------------- */

static void forms_and_times_are_read(void **state SN_UNUSED)
{
	struct sn_dump_form form;
	int64_t ns;

	assert_int_equal(sn_dump_form_parse("csv.gz", &form), 0);
	assert_int_equal(form.form, SN_EXPORT_CSV);
	assert_int_equal(form.packing, SN_EXPORT_GZIP);
	assert_int_equal(sn_dump_form_parse("monroe", &form), 0);
	assert_int_equal(form.form, SN_EXPORT_MONROE);
	assert_int_equal(sn_dump_form_parse("parquet.gz", &form), -EINVAL);
	assert_int_equal(sn_dump_form_parse("", &form), -EINVAL);
	assert_int_equal(sn_dump_form_parse("xls", &form), -EINVAL);
	assert_int_equal(sn_dump_form_parse("a/../../csv", &form), -EINVAL);
	assert_int_equal(sn_dump_at_parse("02:30", &ns), 0);
	assert_true(ns == 9000 * (int64_t)SN_NS_PER_S);
	assert_int_equal(sn_dump_at_parse("24:00", &ns), -EINVAL);
	assert_int_equal(sn_dump_at_parse("2:00", &ns), -EINVAL);
	assert_int_equal(sn_dump_at_parse("02:60", &ns), -EINVAL);
	assert_int_equal(sn_dump_at_parse("", &ns), -EINVAL);
}

static int count_days(struct sn_dump_day *day, void *ctx)
{
	*(unsigned *)ctx += 1;
	sn_dump_day_finish(day);
	return 0;
}

static unsigned scan(const char *dir)
{
	struct sn_err err = {0};
	unsigned count = 0;

	assert_int_equal(sn_dump_scan(dir, count_days, &count, &err), 0);
	return count;
}

static void put_index(const char *dir, const char *day, const char *text)
{
	sn_autofree char *path = sn_fs_join(dir, day);
	sn_autofree char *file = sn_fs_join(path, "index.json");
	struct sn_err err = {0};

	assert_int_equal(sn_fs_mkdirs(path, 0755, &err), 0);
	assert_int_equal(sn_fs_write_atomic(file, text, strlen(text), 0644, &err), 0);
}

#define GOOD                                                                                       \
	"{\"day\":\"2026-03-01\",\"revision\":1,\"made\":\"2026-03-02T02:00:00Z\","                \
	"\"rows_of_day\":1,\"files\":[]}"

static void what_a_crash_left_is_put_right(void **state SN_UNUSED)
{
	char dir[] = "/tmp/sonde-dumps-XXXXXX";
	sn_autofree char *half = NULL, *old = NULL, *day = NULL;
	struct sn_err err = {0};

	assert_non_null(mkdtemp(dir));
	half = sn_fs_join(dir, "2026/03/.01.new");
	old = sn_fs_join(dir, "2026/03/.02.old");
	day = sn_fs_join(dir, "2026/03/02");
	put_index(dir, "2026/03/.01.new", GOOD);
	put_index(dir, "2026/03/.02.old", GOOD);
	put_index(dir, "2026/03/03", GOOD);
	put_index(dir, "2026/03/04", "{\"half\":");
	put_index(dir, "2026/03/05",
		  "{\"revision\":1,\"made\":\"2026-03-02T02:00:00Z\","
		  "\"files\":[{\"file\":\"../../x\"}]}");
	put_index(dir, "2026/13/05", GOOD);
	put_index(dir, "other/13/05", GOOD);
	assert_int_equal(scan(dir), 2);
	assert_false(sn_fs_exists(half));
	assert_false(sn_fs_exists(old));
	assert_true(sn_fs_exists(day));
	assert_int_equal(scan("/nonexistent"), 0);
	sn_fs_remove_tree(dir, &err);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_and_times_are_read),
		cmocka_unit_test(what_a_crash_left_is_put_right),
		cmocka_unit_test(a_day_that_is_over_becomes_files),
		cmocka_unit_test(late_rows_make_the_next_revision),
		cmocka_unit_test(tables_of_monroe_have_their_own_form),
		cmocka_unit_test(what_cannot_be_made_is_refused),
		cmocka_unit_test(no_path_leads_out_of_the_dumps),
		cmocka_unit_test(they_are_made_by_themselves),
		cmocka_unit_test(they_are_for_those_who_may_read_rows),
		cmocka_unit_test(a_dump_that_cannot_be_written_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
