/* SPDX-License-Identifier: Apache-2.0 */
/* What is never probed: from the hub's document to the processes, and on when it changes. */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/tasks/tasks.h"

#define MS SN_NS_PER_MS

static char dir[64];
static struct sn_loop *loop;
static struct sn_tasks *tasks;
static unsigned row_count;
static char last_task[64], last_target[512];

static void take_rows(const struct sn_batch *rows, void *ctx)
{
	int column = sn_dataset_column(sn_batch_dataset(rows), "target");
	const struct sn_value *task = sn_batch_get(rows, 0, SN_COL_TASK);
	const struct sn_value *target = column >= 0 ? sn_batch_get(rows, 0, column) : NULL;

	(void)ctx;
	row_count += (unsigned)sn_batch_rows(rows);
	snprintf(last_task, sizeof(last_task), "%.*s", (int)task->s.n, task->s.p);
	if (target != NULL && target->type == SN_TYPE_TEXT)
		snprintf(last_target, sizeof(last_target), "%.*s", (int)target->s.n, target->s.p);
}

static void create(void)
{
	struct sn_tasks_config config = {
		.loop = loop,
		.program_dir = dir,
		.state_dir = dir,
		.on_rows = take_rows,
		.restart_min_ns = 20 * MS,
		.stop_ns = 300 * MS,
	};

	tasks = sn_tasks_create(&config);
}

static int begin(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	row_count = 0;
	last_task[0] = last_target[0] = '\0';
	loop = sn_loop_create(NULL);
	create();
	return 0;
}

static int end(void **state)
{
	(void)state;
	sn_tasks_destroy(tasks);
	sn_loop_destroy(loop);
	return sn_fs_remove_tree(dir, NULL);
}

/* A program of the platform, played by a shell script. */
static void install(const char *program, const char *script)
{
	sn_autofree char *path = sn_fs_join(dir, program);
	sn_autofree char *text = sn_xasprintf("#!/bin/sh\n%s\n", script);

	assert_int_equal(sn_fs_write_atomic(path, text, strlen(text), 0755, NULL), 0);
}

#define ROW(target)                                                                                \
	"echo \"{\\\"time\\\":\\\"2026-03-01T12:00:00Z\\\",\\\"target\\\":\\\"" target "\\\"}\"\n"
/* Shows the option that it is given, and what is in the file. */
#define NETWORKS "networks=$(tr '\\n' ' ' <$3)\n"
#define FOREVER  "while :; do sleep 0.05; done\n"
#define STANDING(id)                                                                               \
	"{\"id\":\"" id "\",\"name\":\"n\",\"method\":\"ping\",\"parameters\":{\"targets\":["      \
	"\"host.example\"],\"period\":\"1s\"}}"
#define ONCE                                                                                       \
	"{\"id\":\"o\",\"name\":\"n\",\"method\":\"ping\",\"parameters\":{\"targets\":["           \
	"\"host.example\"]}}"
#define SET(list, never) "{\"etag\":\"e\",\"tasks\":[" list "],\"never_probe\":[" never "]}"

static int try_apply(const char *json, struct sn_err *err)
{
	return sn_tasks_apply(tasks, json, strlen(json), err);
}

static void apply(const char *json)
{
	struct sn_err err = {0};

	if (try_apply(json, &err) != 0)
		fail_msg("%s", err.text);
}

static bool wait_for_rows(unsigned count)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (row_count < count && sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 20 * MS);
	return row_count >= count;
}

static void turn_for(uint64_t ns)
{
	uint64_t end_ns = sn_mono_ns() + ns;

	while (sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 10 * MS);
}

static void every_probe_with_targets_is_given_the_networks(void **state)
{
	(void)state;
	install("sonde-probe", NETWORKS ROW("$2 $networks$4") FOREVER);
	apply(SET(STANDING("a") "," STANDING("b"), "\"192.0.2.0/24\",\"2001:DB8::/32\""));
	assert_true(wait_for_rows(2)); /* each reads them from the beginning */
	assert_string_equal(last_target, "--never-probe 192.0.2.0/24 2001:db8::/32 --json");
}

static void nobody_can_change_what_all_are_given(void **state)
{
	(void)state;
	install("sonde-probe", "(echo 10.0.0.0/8 >$3) 2>/dev/null || denied=denied\n" NETWORKS ROW(
				       "$denied $networks") FOREVER);
	apply(SET(STANDING("a"), "\"192.0.2.0/24\""));
	assert_true(wait_for_rows(1));
	assert_string_equal(last_target, "denied 192.0.2.0/24 ");
}

static void without_networks_there_is_no_option(void **state)
{
	(void)state;
	install("sonde-probe", ROW("$*") FOREVER);
	apply("{\"etag\":\"e\",\"tasks\":[" STANDING("a") "]}"); /* of an older hub */
	assert_true(wait_for_rows(1));
	assert_string_equal(last_target, "ping --json --period 1s host.example");
}

static void a_meter_has_no_targets_and_is_left_alone(void **state)
{
	static const char meter[] = "{\"id\":\"f\",\"name\":\"m\",\"method\":\"flow\","
				    "\"parameters\":{\"interface\":\"lo\"}}";
	char json[300];

	(void)state;
	install("sonde-meter", "echo \"$*\" >>\"$0.out\"\n"
			       "echo '{\"time\":\"2026-03-01T12:00:00Z\"}'\n" FOREVER);
	snprintf(json, sizeof(json), SET("%s", "\"192.0.2.0/24\""), meter);
	apply(json);
	assert_true(wait_for_rows(1));
	snprintf(json, sizeof(json), SET("%s", "\"192.0.2.0/25\""), meter);
	apply(json);
	turn_for(150 * MS);
	assert_int_equal(row_count, 1);
	{
		sn_autofree char *path = sn_fs_join(dir, "sonde-meter.out");
		struct sn_buf out = {0};

		assert_int_equal(sn_fs_read(path, 1000, &out, NULL), 0);
		assert_string_equal(sn_buf_cstr(&out), "--json --interface lo\n");
		sn_buf_finish(&out);
	}
}

static void standing_probe_is_started_anew_when_they_change(void **state)
{
	(void)state;
	install("sonde-probe", NETWORKS ROW("$networks") FOREVER);
	apply(SET(STANDING("a"), "\"192.0.2.0/24\""));
	assert_true(wait_for_rows(1));
	apply(SET(STANDING("a") "," STANDING("b"), "\"192.0.2.0/24\""));
	assert_true(wait_for_rows(2)); /* they are the same: only the new one */
	turn_for(150 * MS);
	assert_int_equal(row_count, 2);
	apply(SET(STANDING("a"), "\"192.0.2.0/24\",\"198.51.100.0/24\""));
	assert_true(wait_for_rows(3));
	assert_string_equal(last_task, "a");
	assert_string_equal(last_target, "192.0.2.0/24 198.51.100.0/24 ");
	turn_for(150 * MS);
	assert_int_equal(row_count, 3);
	assert_int_equal(sn_tasks_running(tasks), 1);
	assert_int_equal(sn_tasks_restarts(tasks), 0); /* it had no trouble */
	/* Once more while the old one still ends: the last list counts. */
	apply(SET(STANDING("a"), "\"203.0.113.0/24\""));
	apply(SET(STANDING("a"), "\"203.0.113.0/25\""));
	assert_true(wait_for_rows(4));
	assert_string_equal(last_target, "203.0.113.0/25 ");
	turn_for(150 * MS);
	assert_int_equal(row_count, 4);
}

static void single_run_begins_anew_and_gives_its_rows_once(void **state)
{
	(void)state;
	install("sonde-probe",
		NETWORKS "trap 'exit 1' TERM\n" ROW("$networks") "echo x >>\"$0.out\"\n"
								 "case $networks in 192*) " FOREVER
								 ";; esac");
	apply(SET(ONCE, "\"192.0.2.0/24\""));
	turn_for(200 * MS);
	assert_int_equal(row_count, 0); /* held */
	assert_int_equal(sn_tasks_running(tasks), 1);
	apply(SET(ONCE, "\"198.51.100.0/24\""));
	assert_true(wait_for_rows(1));
	assert_string_equal(last_target, "198.51.100.0/24 ");
	turn_for(200 * MS);
	assert_int_equal(row_count, 1);
	assert_int_equal(sn_tasks_running(tasks), 0);
	/* It is over: another list is no reason to run it again. */
	apply(SET(ONCE, "\"203.0.113.0/24\""));
	turn_for(150 * MS);
	assert_int_equal(row_count, 1);
}

static void one_that_is_taken_out_at_the_same_time_just_ends(void **state)
{
	(void)state;
	install("sonde-probe", NETWORKS ROW("$networks") FOREVER);
	apply(SET(STANDING("a"), "\"192.0.2.0/24\""));
	assert_true(wait_for_rows(1));
	apply(SET(STANDING("a"), "\"198.51.100.0/24\""));
	apply(SET("", "\"198.51.100.0/24\""));
	turn_for(300 * MS);
	assert_int_equal(row_count, 1);
	assert_int_equal(sn_tasks_running(tasks), 0);
}

static void networks_are_remembered_over_a_restart(void **state)
{
	struct sn_err err = {0};

	(void)state;
	install("sonde-probe", NETWORKS ROW("$networks") FOREVER);
	apply(SET(STANDING("a"), "\"192.0.2.0/24\""));
	assert_true(wait_for_rows(1));
	sn_tasks_destroy(tasks);
	last_target[0] = '\0';
	row_count = 0;
	create();
	assert_int_equal(sn_tasks_load(tasks, &err), 0);
	assert_true(wait_for_rows(1));
	assert_string_equal(last_target, "192.0.2.0/24 ");
}

static void bad_list_is_refused_and_the_old_one_stays(void **state)
{
	static const struct {
		const char *json, *says;
	} cases[] = {
		{SET("", "1"), "'never_probe': number 1"},
		{SET("", "\"::1\",\"192.0.2.1/24\""), "'never_probe': number 2"},
		{SET("", "\"host\""), "no network"},
		{"{\"etag\":\"e\",\"tasks\":[],\"never_probe\":\"::1\"}", "not a list"},
		{"{\"etag\":\"e\",\"tasks\":[],\"never_probe\":null}", "not a list"},
	};
	struct sn_err err;

	(void)state;
	install("sonde-probe", NETWORKS ROW("$networks") FOREVER);
	apply(SET(STANDING("a"), "\"192.0.2.0/24\""));
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		err.text[0] = '\0';
		assert_true(try_apply(cases[i].json, &err) < 0);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("'%s' is not in: %s", cases[i].says, err.text);
	}
	assert_true(wait_for_rows(1));
	assert_string_equal(last_target, "192.0.2.0/24 ");
}

static void the_number_of_networks_is_limited(void **state)
{
	struct sn_task_set set;
	struct sn_err err = {0};

	(void)state;
	for (unsigned count = SN_TASKS_NEVER_MAX; count <= SN_TASKS_NEVER_MAX + 1; count++) {
		struct sn_buf json = {0};

		sn_buf_adds(&json, "{\"etag\":\"e\",\"tasks\":[],\"never_probe\":[\"::\"");
		for (unsigned i = 1; i < count; i++)
			sn_buf_addf(&json, ",\"10.%u.%u.0/24\"", i >> 8 & 255, i & 255);
		sn_buf_adds(&json, "]}");
		assert_int_equal(sn_task_set_parse(json.p, json.n, &set, &err),
				 count <= SN_TASKS_NEVER_MAX ? 0 : -E2BIG);
		sn_task_set_finish(&set);
		sn_buf_finish(&json);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(every_probe_with_targets_is_given_the_networks),
		T(nobody_can_change_what_all_are_given),
		T(without_networks_there_is_no_option),
		T(a_meter_has_no_targets_and_is_left_alone),
		T(standing_probe_is_started_anew_when_they_change),
		T(single_run_begins_anew_and_gives_its_rows_once),
		T(one_that_is_taken_out_at_the_same_time_just_ends),
		T(networks_are_remembered_over_a_restart),
		T(bad_list_is_refused_and_the_old_one_stays),
		T(the_number_of_networks_is_limited),
	};

	sn_log_set_level(SN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
