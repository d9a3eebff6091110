/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that have a time: when they run, what is left of them, what the hub hears. */
#include "lib/test.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "mplane/value.h"
#include "node/tasks/held.h"
#include "node/tasks/tasks.h"

#define MS      SN_NS_PER_MS
#define STOP_NS (300 * MS)

static char dir[64];
static struct sn_loop *loop;
static struct sn_tasks *tasks;
static struct sn_spool *spool;
static unsigned row_count, settled, rows_when_settled, news;

/* The machine's clock, set wrong at will. */
static int64_t wall_offset_ns;

static uint64_t mono_ns(const struct sn_clock *clock)
{
	(void)clock;
	return sn_mono_ns();
}

static int64_t wall_ns(const struct sn_clock *clock)
{
	(void)clock;
	return sn_wall_ns() + wall_offset_ns;
}

static const struct sn_clock wrong_clock = {mono_ns, wall_ns};

/* What tasks are given ------------------------------------------------------------- */

static void take_rows(const struct sn_batch *rows, void *ctx)
{
	(void)ctx;
	row_count += (unsigned)sn_batch_rows(rows);
	assert_int_equal(sn_spool_add(spool, rows, sn_mono_ns()), 0);
}

static void settle(void *ctx)
{
	(void)ctx;
	settled++;
	rows_when_settled = row_count;
	sn_spool_flush_all(spool);
}

static void take_news(void *ctx)
{
	(void)ctx;
	news++;
}

static char *at(const char *name)
{
	static char path[2][160];
	static unsigned next;
	char *out = path[next++ % 2];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static void create(void)
{
	struct sn_tasks_config config = {
		.loop = loop,
		.program_dir = dir,
		.state_dir = dir,
		.on_rows = take_rows,
		.settle = settle,
		.on_news = take_news,
		.spool = spool,
		.restart_min_ns = 20 * MS,
		.stop_ns = STOP_NS,
	};

	tasks = sn_tasks_create(&config);
}

static int begin(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	row_count = settled = news = 0;
	wall_offset_ns = 0;
	loop = sn_loop_create(&wrong_clock);
	assert_int_equal(sn_spool_open(at("spool"), 64 << 20, &spool, NULL), 0);
	create();
	return 0;
}

static int end(void **state)
{
	(void)state;
	sn_tasks_destroy(tasks);
	sn_spool_close(spool);
	sn_loop_destroy(loop);
	return sn_fs_remove_tree(dir, NULL);
}

/* A program of the platform, played by a shell script that counts how often it was started. */
static void install(const char *script)
{
	sn_autofree char *text =
		sn_xasprintf("#!/bin/sh\necho >> \"%s/starts\"\n%s\n", dir, script);

	assert_int_equal(sn_fs_write_atomic(at("sonde-probe"), text, strlen(text), 0755, NULL), 0);
}

#define ROW     "echo \"{\\\"time\\\":\\\"$(date -u +%FT%T.%NZ)\\\",\\\"target\\\":\\\"a\\\"}\"\n"
#define FOREVER "while :; do sleep 0.02; done"

static unsigned starts(void)
{
	struct sn_buf text = {0};
	unsigned count;

	if (sn_fs_read(at("starts"), 100000, &text, NULL) != 0)
		return 0;
	count = (unsigned)text.n;
	sn_buf_finish(&text);
	return count;
}

static char *time_in(int64_t ns)
{
	static char text[4][SN_MP_TIME_SIZE];
	static unsigned next;

	return sn_mp_time_format(wall_ns(NULL) + ns, text[next++ % 4]);
}

#define ONCE   "{\"targets\":\"192.0.2.1\"}"
#define PERIOD "{\"targets\":\"192.0.2.1\",\"period\":\"1s\"}"

static void apply_json(const char *json)
{
	struct sn_err err = {0};

	if (sn_tasks_apply(tasks, json, strlen(json), &err) != 0)
		fail_msg("%s", err.text);
}

static void apply(const char *method, const char *parameters, const char *when)
{
	sn_autofree char *json =
		sn_xasprintf("{\"etag\":\"e\",\"tasks\":[{\"id\":\"t1\",\"name\":\"n1\","
			     "\"method\":\"%s\",\"parameters\":%s%s%s%s}]}",
			     method, parameters, when != NULL ? ",\"when\":\"" : "",
			     when != NULL ? when : "", when != NULL ? "\"" : "");

	apply_json(json);
}

static void nothing_wanted(void)
{
	apply_json("{\"etag\":\"none\",\"tasks\":[]}");
}

/* What the hub would hear now, with all batches acknowledged. */
static const char *report(void)
{
	static char text[700];
	struct sn_task_report told;

	if (!sn_tasks_report(tasks, UINT64_MAX, &told))
		return "";
	snprintf(text, sizeof(text), "%s %s%s%s", told.id, told.state,
		 told.error != NULL ? ": " : "", told.error != NULL ? told.error : "");
	return text;
}

static bool report_has(const char *text)
{
	return strstr(report(), text) != NULL;
}

/* Turning until a thing is so -------------------------------------------------------- */

#define wait_until(condition)                                                                      \
	do {                                                                                       \
		uint64_t end_ns_ = sn_mono_ns() + TEST_PATIENCE_NS;                                \
		while (!(condition) && sn_mono_ns() < end_ns_)                                     \
			sn_loop_turn(loop, 10 * MS);                                               \
		if (!(condition))                                                                  \
			fail_msg("never: " #condition "; report '%s', %u rows, %u starts",         \
				 report(), row_count, starts());                                   \
	} while (0)

static void turn_for(uint64_t ns)
{
	uint64_t end_ns = sn_mono_ns() + ns;

	while (sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 10 * MS);
}

/* As after a crash: processes are killed, what is in memory is gone. */
static void crash_and_load(void)
{
	sn_tasks_destroy(tasks);
	create();
	assert_int_equal(sn_tasks_load(tasks, NULL), 0);
}

static unsigned stops;

static void stopped(void *ctx)
{
	(void)ctx;
	stops++;
}

static void stop_in_order_and_load(void)
{
	stops = 0;
	sn_tasks_stop(tasks, stopped, NULL);
	wait_until(stops == 1);
	crash_and_load();
}

/* One run ------------------------------------------------------------------------------ */

static void a_span_is_waited_for_and_ended(void **state)
{
	sn_autofree char *when =
		sn_xasprintf("%s ... %s / 1s", time_in(1000 * MS), time_in(2500 * MS));

	(void)state;
	install(ROW FOREVER);
	apply("ping", PERIOD, when);
	turn_for(150 * MS);
	assert_int_equal(starts(), 0);
	assert_string_equal(report(), "");
	wait_until(row_count == 1);
	assert_string_equal(report(), "t1 running");
	wait_until(report_has("done"));
	assert_int_equal(starts(), 1);
	assert_int_equal(sn_tasks_running(tasks), 0);
	assert_true(sn_wall_ns() > 0 && settled > 0);
}

static void a_process_that_dies_is_started_again_until_the_end(void **state)
{
	sn_autofree char *when = sn_xasprintf("%s ... %s / 1s", time_in(0), time_in(2500 * MS));

	(void)state;
	install(ROW "exit 1");
	apply("ping", PERIOD, when);
	wait_until(report_has("done"));
	assert_true(starts() >= 2);
	assert_true(row_count >= 2);
}

static void a_span_that_gave_nothing_has_failed(void **state)
{
	sn_autofree char *when = sn_xasprintf("%s ... %s / 1s", time_in(0), time_in(1500 * MS));

	(void)state;
	install("echo 'sonde-probe: no such luck (try again)' >&2; exit 1");
	apply("ping", PERIOD, when);
	wait_until(
		report_has("failed: sonde-probe ended: exit status 1: no such luck (try again)"));
}

static void a_span_that_is_over_is_not_begun(void **state)
{
	sn_autofree char *when =
		sn_xasprintf("%s ... %s / 1s", time_in(-2000 * MS), time_in(-1000 * MS));

	(void)state;
	install(ROW FOREVER);
	apply("ping", PERIOD, when);
	wait_until(report_has("failed: its time was over before it could be run"));
	assert_int_equal(starts(), 0);
}

static void one_run_is_done_when_its_process_is(void **state)
{
	(void)state;
	install(ROW "sleep 1\n" ROW);
	apply("ping", ONCE, time_in(-50 * MS));
	wait_until(starts() == 1);
	assert_string_equal(report(), "t1 running");
	wait_until(report_has("done"));
	assert_int_equal(row_count, 2);
	assert_int_equal(rows_when_settled, 2);
	turn_for(50 * MS);
	assert_int_equal(starts(), 1);
}

static void rows_speak_for_themselves(void **state)
{
	(void)state;
	install(ROW "exit 1");
	apply("ping", ONCE, time_in(0));
	wait_until(report_has("done"));
	assert_int_equal(row_count, 1);
	assert_int_equal(starts(), 1);
}

static void a_run_that_fails_is_not_tried_again(void **state)
{
	(void)state;
	install("echo 'sonde-probe: cannot open a socket: no' >&2; exit 1");
	apply("ping", ONCE, NULL);
	wait_until(
		report_has("failed: sonde-probe ended: exit status 1: cannot open a socket: no"));
	turn_for(150 * MS);
	assert_int_equal(starts(), 1);
}

static void a_run_that_was_killed_has_failed_and_gives_what_it_had(void **state)
{
	(void)state;
	install(ROW "kill -9 $$");
	apply("ping", ONCE, NULL);
	wait_until(report_has("failed: sonde-probe ended: killed by SIGKILL"));
	assert_int_equal(row_count, 1);
}

static void a_start_that_fails_is_tried_a_few_times(void **state)
{
	(void)state;
	apply("ping", ONCE, time_in(0));
	assert_string_equal(report(), "");
	wait_until(report_has("failed: cannot start"));
	assert_in_range(sn_tasks_restarts(tasks), 2, 5);
}

static void a_program_that_comes_in_time_is_used(void **state)
{
	(void)state;
	apply("ping", ONCE, time_in(0));
	turn_for(15 * MS);
	install(ROW);
	wait_until(report_has("done"));
	assert_int_equal(starts(), 1);
}

static void what_is_taken_away_gives_its_rows_so_far(void **state)
{
	(void)state;
	install("trap 'exit 0' TERM\n" ROW FOREVER);
	apply("ping", ONCE, NULL);
	wait_until(starts() == 1);
	turn_for(100 * MS);
	assert_int_equal(row_count, 0);
	nothing_wanted();
	wait_until(row_count == 1);
	assert_string_equal(report(), "");
}

/* What cannot be run ------------------------------------------------------------------- */

static void what_cannot_be_run_is_told_if_it_has_an_end(void **state)
{
	sn_autofree char *standing = sn_xasprintf("%s ... future / 1s", time_in(0));

	(void)state;
	apply("warp", "{}", time_in(0));
	wait_until(report_has("failed: this node knows no method 'warp'"));
	nothing_wanted();
	apply("warp", "{}", standing);
	turn_for(100 * MS);
	assert_string_equal(report(), "");
	nothing_wanted();
	apply("warp", "{}", NULL);
	turn_for(50 * MS);
	assert_string_equal(report(), "");
}

static void bad_scopes_are_told(void **state)
{
	static const struct {
		const char *method, *parameters, *when, *says;
	} cases[] = {
		{"ping", ONCE, "whenever", "failed: 'when'"},
		{"ping", ONCE, "now + 10s", "failed: 'when' is not resolved: now + 10s"},
		{"flow", "{\"interface\":\"lo\"}", "2026-03-01 12:00:00",
		 "failed: 'flow' does not end by itself"},
		{"ping", PERIOD, "repeat 2026-03-01 12:00:00 ... 2026-04-01 00:00:00 / 1h { now }",
		 "failed: 'ping' does not end by itself"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		nothing_wanted();
		apply(cases[i].method, cases[i].parameters, cases[i].when);
		wait_until(report_has(cases[i].says));
	}
}

/* Reports ------------------------------------------------------------------------------ */

static void what_was_reported_is_not_reported_again(void **state)
{
	(void)state;
	install(ROW);
	apply("ping", ONCE, NULL);
	wait_until(report_has("running"));
	sn_tasks_reported(tasks, "t1", "running");
	assert_string_equal(report(), "");
	wait_until(report_has("done"));
	sn_tasks_reported(tasks, "t1", "done");
	assert_string_equal(report(), "");
	/* Nobody was told of this one. */
	sn_tasks_reported(tasks, "t2", "done");
	turn_for(100 * MS);
	apply("ping", ONCE, NULL);
	assert_string_equal(report(), "");
	crash_and_load();
	turn_for(50 * MS);
	assert_string_equal(report(), "");
	assert_int_equal(starts(), 1);
	/* A hub that lists it in another life has lost the report. */
	apply("ping", ONCE, NULL);
	assert_string_equal(report(), "t1 done");
	assert_int_equal(starts(), 1);
}

static void done_waits_for_the_last_batch(void **state)
{
	struct sn_task_report told;

	(void)state;
	install(ROW);
	apply("ping", ONCE, NULL);
	wait_until(report_has("done"));
	assert_int_equal(sn_spool_next_seq(spool), 1);
	assert_false(sn_tasks_report(tasks, 0, &told));
	assert_true(sn_tasks_report(tasks, 1, &told));
}

static void a_finished_task_is_not_run_again_after_a_restart(void **state)
{
	(void)state;
	install(ROW);
	apply("ping", ONCE, NULL);
	wait_until(report_has("done"));
	crash_and_load();
	assert_string_equal(report(), "t1 done");
	apply("ping", ONCE, NULL);
	turn_for(100 * MS);
	assert_int_equal(starts(), 1);
	assert_int_equal(row_count, 1);
}

static void a_task_that_is_not_listed_any_more_is_forgotten(void **state)
{
	struct sn_buf text = {0};

	(void)state;
	install(ROW);
	apply("ping", ONCE, NULL);
	wait_until(report_has("done"));
	nothing_wanted();
	assert_string_equal(report(), "");
	crash_and_load();
	assert_int_equal(sn_fs_read(at("iterations.json"), 100000, &text, NULL), 0);
	assert_null(strstr(sn_buf_cstr(&text), "t1"));
	sn_buf_finish(&text);
	/* The same id with other work is another task. */
	apply("ping", ONCE, NULL);
	wait_until(report_has("done"));
	apply("ping", "{\"targets\":\"192.0.2.2\"}", NULL);
	wait_until(starts() == 3);
	wait_until(report_has("done"));
}

/* Crashes ------------------------------------------------------------------------------ */

static void a_run_that_was_cut_off_is_run_again_and_leaves_nothing(void **state)
{
	(void)state;
	install(ROW FOREVER);
	apply("ping", ONCE, NULL);
	wait_until(starts() == 1);
	turn_for(60 * MS);
	install(ROW);
	crash_and_load();
	wait_until(report_has("done"));
	assert_int_equal(starts(), 2);
	assert_int_equal(row_count, 1);
}

static void told_to_end_it_is_the_same(void **state)
{
	(void)state;
	install("trap 'exit 0' TERM\n" ROW FOREVER);
	apply("ping", ONCE, NULL);
	wait_until(starts() == 1);
	turn_for(60 * MS);
	install(ROW);
	stop_in_order_and_load();
	wait_until(report_has("done"));
	assert_int_equal(row_count, 1);
}

static void rows_in_the_spool_count_as_complete(void **state)
{
	(void)state;
	install(ROW);
	apply("ping", ONCE, NULL);
	wait_until(report_has("done"));
	/* As if the journal had not been written any more. */
	assert_int_equal(unlink(at("iterations.json")), 0);
	crash_and_load();
	wait_until(report_has("done"));
	assert_int_equal(starts(), 1);
	assert_int_equal(row_count, 1);
}

static void a_broken_journal_does_not_stop_the_tasks(void **state)
{
	(void)state;
	install(ROW FOREVER);
	apply("ping", PERIOD, NULL);
	wait_until(row_count == 1);
	assert_int_equal(sn_fs_write_atomic(at("iterations.json"), "{", 1, 0600, NULL), 0);
	crash_and_load();
	wait_until(row_count == 2);
	assert_true(sn_fs_exists(at("iterations.json.broken")));
}

/* Repetition --------------------------------------------------------------------------- */

static char *each(const char *inner, unsigned period_s, unsigned length_s)
{
	return sn_xasprintf("repeat %s ... %s / %us { %s }", time_in(-10 * MS),
			    time_in((int64_t)length_s * SN_NS_PER_S), period_s, inner);
}

static void jump(int seconds)
{
	wall_offset_ns += seconds * SN_NS_PER_S;
	/* The turn before has its own idea of the time. */
	sn_loop_turn(loop, 0);
	sn_tasks_clock_set(tasks);
}

static void each_iteration_is_run_once(void **state)
{
	sn_autofree char *when = each("now", 60, 90);

	(void)state;
	install(ROW);
	apply("ping", ONCE, when);
	wait_until(row_count == 1);
	assert_string_equal(report(), "t1 running");
	jump(30);
	turn_for(50 * MS);
	assert_int_equal(starts(), 1);
	jump(30);
	wait_until(report_has("done"));
	assert_int_equal(starts(), 2);
	assert_int_equal(row_count, 2);
	assert_int_equal(sn_tasks_missed(tasks), 0);
}

static void the_time_of_an_iteration_comes_by_itself(void **state)
{
	sn_autofree char *when = each("now", 1, 100);

	(void)state;
	install(ROW);
	apply("ping", ONCE, when);
	wait_until(row_count == 2);
	assert_int_equal(sn_tasks_missed(tasks), 0);
}

static void an_inner_scope_is_ended_and_its_rows_held(void **state)
{
	sn_autofree char *when = each("now + 60s / 1s", 3600, 7000);

	(void)state;
	install("trap 'exit 0' TERM\n" ROW ROW FOREVER);
	apply("ping", PERIOD, when);
	wait_until(starts() == 1);
	turn_for(60 * MS);
	assert_int_equal(row_count, 0);
	jump(60);
	wait_until(row_count == 2);
	assert_int_equal(sn_tasks_running(tasks), 0);
	jump(3540);
	wait_until(starts() == 2);
	turn_for(60 * MS);
	jump(60);
	wait_until(report_has("done"));
	assert_int_equal(row_count, 4);
}

static void a_restart_does_not_repeat_an_iteration(void **state)
{
	sn_autofree char *when = each("now", 3600, 3000);

	(void)state;
	install(ROW);
	apply("ping", ONCE, when);
	wait_until(row_count == 1);
	turn_for(60 * MS);
	crash_and_load();
	turn_for(60 * MS);
	assert_int_equal(starts(), 1);
	/* Nor one that only the spool knows of. */
	unlink(at("iterations.json"));
	crash_and_load();
	turn_for(60 * MS);
	assert_int_equal(starts(), 1);
	assert_string_equal(report(), "t1 done");
}

static void an_iteration_that_was_cut_off_is_run_again_if_its_time_is_not_over(void **state)
{
	sn_autofree char *when = each("now + 60s / 1s", 3600, 10000);

	(void)state;
	install(ROW FOREVER);
	apply("ping", PERIOD, when);
	wait_until(starts() == 1);
	turn_for(60 * MS);
	crash_and_load();
	wait_until(starts() == 2);
	wall_offset_ns += 61 * SN_NS_PER_S;
	crash_and_load();
	turn_for(60 * MS);
	assert_int_equal(starts(), 2);
	assert_int_equal(row_count, 0);
	jump(3540);
	wait_until(starts() == 3);
	assert_int_equal(sn_tasks_missed(tasks), 1);
}

static void an_inner_scope_that_is_cut_short_by_the_end_of_the_agent_gives_its_rows(void **state)
{
	sn_autofree char *when = each("now + 60s / 1s", 3600, 100000);

	(void)state;
	install("trap 'exit 0' TERM\n" ROW FOREVER);
	apply("ping", PERIOD, when);
	wait_until(starts() == 1);
	turn_for(60 * MS);
	stop_in_order_and_load();
	assert_int_equal(row_count, 1);
	turn_for(60 * MS);
	assert_int_equal(starts(), 1);
}

static void a_clock_that_is_set_back_runs_nothing_twice(void **state)
{
	sn_autofree char *when = each("now", 60, 10000);

	(void)state;
	install(ROW);
	apply("ping", ONCE, when);
	wait_until(row_count == 1);
	jump(60);
	wait_until(row_count == 2);
	for (int i = 0; i < 4; i++) {
		jump(-25);
		turn_for(20 * MS);
	}
	jump(100);
	turn_for(40 * MS);
	assert_int_equal(starts(), 2);
	jump(60);
	wait_until(starts() == 3);
	assert_int_equal(sn_tasks_missed(tasks), 0);
}

static void a_restart_with_a_clock_set_back_runs_nothing_twice(void **state)
{
	sn_autofree char *when = each("now", 60, 10000);

	(void)state;
	install(ROW);
	apply("ping", ONCE, when);
	wait_until(row_count == 1);
	jump(60);
	wait_until(row_count == 2);
	turn_for(60 * MS);
	wall_offset_ns -= 50 * SN_NS_PER_S;
	crash_and_load();
	turn_for(60 * MS);
	assert_int_equal(starts(), 2);
}

static char problems[2000];

static void note_problem(const char *text, void *ctx)
{
	(void)ctx;
	strncat(problems, text, sizeof(problems) - strlen(problems) - 1);
}

static void what_was_jumped_over_is_missed_and_told(void **state)
{
	sn_autofree char *when = each("now", 60, 100000);

	(void)state;
	install(ROW);
	apply("ping", ONCE, when);
	wait_until(row_count == 1);
	jump(600);
	wait_until(row_count == 2);
	assert_int_equal(sn_tasks_missed(tasks), 9);
	problems[0] = '\0';
	sn_tasks_problems(tasks, note_problem, NULL);
	assert_non_null(strstr(problems, "task 'n1': 9 iterations were missed"));
	turn_for(60 * MS);
	crash_and_load();
	assert_int_equal(sn_tasks_missed(tasks), 9);
}

static void what_takes_too_long_is_run_late_and_misses_the_rest(void **state)
{
	sn_autofree char *when = each("now", 60, 100000);

	(void)state;
	install("sleep 0.2\n" ROW);
	apply("ping", ONCE, when);
	wait_until(starts() == 1);
	jump(200);
	wait_until(starts() == 2);
	/* The fourth is on, late; the second and third are gone. */
	assert_int_equal(sn_tasks_missed(tasks), 2);
	wait_until(row_count == 2);
	turn_for(50 * MS);
	assert_int_equal(starts(), 2);
}

static void a_failed_iteration_does_not_end_the_rest(void **state)
{
	sn_autofree char *when = each("now", 60, 90);

	(void)state;
	install("if [ $(wc -l < \"${0%/*}/starts\") = 1 ]; then exit 4; fi\n" ROW);
	apply("ping", ONCE, when);
	wait_until(starts() == 1);
	turn_for(60 * MS);
	jump(60);
	wait_until(report_has("done"));
	assert_int_equal(starts(), 2);
	assert_int_equal(row_count, 1);
}

static void iterations_that_all_fail_make_a_failure(void **state)
{
	sn_autofree char *when = each("now", 60, 90);

	(void)state;
	install("exit 4");
	apply("ping", ONCE, when);
	wait_until(starts() == 1);
	turn_for(60 * MS);
	jump(60);
	wait_until(report_has("failed: sonde-probe ended: exit status 4"));
	assert_int_equal(starts(), 2);
}

static void too_many_rows_go_as_they_come(void **state)
{
	sn_autofree char *script = sn_xasprintf(
		"yes '{\"time\":\"2026-03-01T12:00:00Z\",\"target\":\"a\"}' | head -n %d\n" FOREVER,
		SN_HELD_MAX + 5);

	(void)state;
	install(script);
	apply("ping", ONCE, NULL);
	wait_until(row_count == SN_HELD_MAX + 5);
	/* A part of them is in the spool: it is not run again. */
	turn_for(100 * MS);
	crash_and_load();
	wait_until(report_has("done"));
	assert_int_equal(starts(), 1);
	assert_int_equal(row_count, SN_HELD_MAX + 5);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_span_is_waited_for_and_ended),
		T(a_process_that_dies_is_started_again_until_the_end),
		T(a_span_that_gave_nothing_has_failed),
		T(a_span_that_is_over_is_not_begun),
		T(one_run_is_done_when_its_process_is),
		T(rows_speak_for_themselves),
		T(a_run_that_fails_is_not_tried_again),
		T(a_run_that_was_killed_has_failed_and_gives_what_it_had),
		T(a_start_that_fails_is_tried_a_few_times),
		T(a_program_that_comes_in_time_is_used),
		T(what_is_taken_away_gives_its_rows_so_far),
		T(what_cannot_be_run_is_told_if_it_has_an_end),
		T(bad_scopes_are_told),
		T(what_was_reported_is_not_reported_again),
		T(done_waits_for_the_last_batch),
		T(a_finished_task_is_not_run_again_after_a_restart),
		T(a_task_that_is_not_listed_any_more_is_forgotten),
		T(a_run_that_was_cut_off_is_run_again_and_leaves_nothing),
		T(told_to_end_it_is_the_same),
		T(rows_in_the_spool_count_as_complete),
		T(a_broken_journal_does_not_stop_the_tasks),
		T(each_iteration_is_run_once),
		T(the_time_of_an_iteration_comes_by_itself),
		T(an_inner_scope_is_ended_and_its_rows_held),
		T(a_restart_does_not_repeat_an_iteration),
		T(an_iteration_that_was_cut_off_is_run_again_if_its_time_is_not_over),
		T(an_inner_scope_that_is_cut_short_by_the_end_of_the_agent_gives_its_rows),
		T(a_clock_that_is_set_back_runs_nothing_twice),
		T(a_restart_with_a_clock_set_back_runs_nothing_twice),
		T(what_was_jumped_over_is_missed_and_told),
		T(what_takes_too_long_is_run_late_and_misses_the_rest),
		T(a_failed_iteration_does_not_end_the_rest),
		T(iterations_that_all_fail_make_a_failure),
		T(too_many_rows_go_as_they_come),
	};

	sn_log_set_level(SN_LOG_ERROR - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
