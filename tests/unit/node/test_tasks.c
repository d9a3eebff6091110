/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/tasks/tasks.h"
#include "priv/ops.h"

#define STOP_NS (300 * SN_NS_PER_MS)

static char dir[64];
static struct sn_loop *loop;
static struct sn_tasks *tasks;

/* What came out of the processes. */
static unsigned row_count;
static char last_task[64], last_target[512];

static void take_rows(const struct sn_batch *rows, void *ctx)
{
	int column = sn_dataset_column(sn_batch_dataset(rows), "target");
	const struct sn_value *task = sn_batch_get(rows, 0, SN_COL_TASK);

	assert_ptr_equal(ctx, &row_count);
	row_count += (unsigned)sn_batch_rows(rows);
	snprintf(last_task, sizeof(last_task), "%.*s", (int)task->s.n, task->s.p);
	if (column >= 0 && sn_batch_get(rows, 0, column)->type == SN_TYPE_TEXT) {
		struct sn_str target = sn_batch_get(rows, 0, column)->s;

		snprintf(last_target, sizeof(last_target), "%.*s", (int)target.n, target.p);
	}
}

static char *at(const char *name)
{
	static char path[2][160];
	static unsigned next;
	char *out = path[next++ % 2];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static struct sn_tasks *create(const char *priv_socket)
{
	struct sn_tasks_config config = {
		.loop = loop,
		.program_dir = dir,
		.state_dir = dir,
		.priv_socket = priv_socket,
		.on_rows = take_rows,
		.ctx = &row_count,
		.restart_min_ns = 20 * SN_NS_PER_MS,
		.stop_ns = STOP_NS,
	};

	return sn_tasks_create(&config);
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
	tasks = create(NULL);
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
	sn_autofree char *text = sn_xasprintf("#!/bin/sh\n%s\n", script);

	assert_int_equal(sn_fs_write_atomic(at(program), text, strlen(text), 0755, NULL), 0);
}

#define ROW "echo '{\"time\":\"2026-03-01T12:00:00Z\",\"target\":\"a\"}'\n"
/* Shows its own command line as the target. */
#define ROW_OF_ARGUMENTS                                                                           \
	"echo \"{\\\"time\\\":\\\"2026-03-01T12:00:00Z\\\",\\\"target\\\":\\\"$*\\\"}\"\n"
#define FOREVER "while :; do sleep 0.05; done"
#define PING(id, target)                                                                           \
	"{\"id\":\"" id "\",\"name\":\"n-" id                                                      \
	"\",\"method\":\"ping\",\"parameters\":{\"targets\":[\"" target "\"],\"period\":\"1s\"}}"
#define SET(etag, list) "{\"etag\":\"" etag "\",\"tasks\":[" list "]}"

static void apply(const char *json)
{
	struct sn_err err = {0};

	if (sn_tasks_apply(tasks, json, strlen(json), &err) != 0)
		fail_msg("%s", err.text);
}

static bool rows_came(unsigned count)
{
	return row_count >= count;
}

static bool is_restarted(unsigned count)
{
	return sn_tasks_restarts(tasks) >= count;
}

static bool wait_for(bool (*done)(unsigned), unsigned argument)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (!done(argument) && sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 20 * SN_NS_PER_MS);
	return done(argument);
}

static void turn_for(uint64_t ns)
{
	uint64_t end_ns = sn_mono_ns() + ns;

	while (sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 10 * SN_NS_PER_MS);
}

static void stopped(void *ctx)
{
	++*(unsigned *)ctx;
}

static unsigned stop_count;

static bool is_stopped(unsigned count)
{
	return stop_count == count;
}

static char problems[2000];

static void note_problem(const char *text, void *ctx)
{
	(void)ctx;
	strncat(problems, text, sizeof(problems) - strlen(problems) - 2);
	strcat(problems, "\n");
}

static void assert_problem(const char *says)
{
	problems[0] = '\0';
	sn_tasks_problems(tasks, note_problem, NULL);
	if (strstr(problems, says) == NULL)
		fail_msg("'%s' is not in: %s", says, problems);
}

static void a_task_is_started_with_the_declared_command_line(void **state)
{
	(void)state;
	install("sonde-probe", ROW_OF_ARGUMENTS FOREVER);
	apply(SET("e1", PING("t1", "192.0.2.1")));
	assert_true(wait_for(rows_came, 1));
	assert_string_equal(last_task, "t1");
	assert_string_equal(last_target, "ping --json --period 1s 192.0.2.1");
	assert_string_equal(sn_tasks_etag(tasks), "e1");
	assert_int_equal(sn_tasks_running(tasks), 1);
}

static void what_ends_is_started_again_with_a_growing_wait(void **state)
{
	uint64_t begin_ns = sn_mono_ns();

	(void)state;
	install("sonde-probe", ROW "exit 1");
	apply(SET("e1", PING("t1", "192.0.2.1")));
	assert_true(wait_for(is_restarted, 4));
	assert_true(row_count >= 4);
	/* At least half of 20 + 40 + 80 + 160 ms. */
	assert_true(sn_mono_ns() - begin_ns >= 150 * SN_NS_PER_MS);
	assert_problem("task 'n-t1': sonde-probe ended: exit status 1");
}

static void an_orderly_end_is_started_again_too_unless_it_was_one_run(void **state)
{
	(void)state;
	install("sonde-probe", ROW "exit 0");
	apply(SET("e1", PING("t1", "192.0.2.1")));
	assert_true(wait_for(is_restarted, 1));
	apply(SET("e2", ""));
	stop_count = 0;
	sn_tasks_stop(tasks, stopped, &stop_count);
	assert_true(wait_for(is_stopped, 1));
	row_count = 0;
	apply(SET("e3", "{\"id\":\"t2\",\"name\":\"once\",\"method\":\"ping\","
			"\"parameters\":{\"targets\":\"192.0.2.1\"}}"));
	assert_true(wait_for(rows_came, 1));
	turn_for(200 * SN_NS_PER_MS);
	assert_int_equal(row_count, 1);
	assert_int_equal(sn_tasks_running(tasks), 0);
}

static void new_parameters_restart_and_equal_ones_do_not(void **state)
{
	(void)state;
	install("sonde-probe", ROW_OF_ARGUMENTS FOREVER);
	apply(SET("e1", PING("t1", "192.0.2.1") "," PING("t2", "192.0.2.2")));
	assert_true(wait_for(rows_came, 2));
	apply(SET("e2", PING("t2", "192.0.2.2") "," PING("t1", "192.0.2.9")));
	assert_true(wait_for(rows_came, 3));
	assert_string_equal(last_task, "t1");
	assert_string_equal(last_target, "ping --json --period 1s 192.0.2.9");
	turn_for(150 * SN_NS_PER_MS);
	assert_int_equal(row_count, 3);
	assert_int_equal(sn_tasks_running(tasks), 2);
	assert_int_equal(sn_tasks_restarts(tasks), 0);
}

static void a_removed_task_is_told_to_end_and_its_last_rows_count(void **state)
{
	(void)state;
	install("sonde-probe",
		"trap '"
		"echo \"{\\\"time\\\":\\\"2026-03-01T12:00:00Z\\\",\\\"target\\\":\\\"last\\\"}\"; "
		"exit 0"
		"' TERM\n" ROW FOREVER);
	apply(SET("e1", PING("t1", "192.0.2.1")));
	assert_true(wait_for(rows_came, 1));
	apply(SET("e2", ""));
	assert_int_equal(sn_tasks_running(tasks), 0);
	assert_true(wait_for(rows_came, 2));
	assert_string_equal(last_target, "last");
	turn_for(100 * SN_NS_PER_MS);
	assert_int_equal(row_count, 2);
}

static void a_process_that_will_not_end_is_killed(void **state)
{
	uint64_t begin_ns;

	(void)state;
	install("sonde-probe", "trap '' TERM\n" ROW FOREVER);
	apply(SET("e1", PING("t1", "192.0.2.1")));
	assert_true(wait_for(rows_came, 1));
	stop_count = 0;
	begin_ns = sn_mono_ns();
	sn_tasks_stop(tasks, stopped, &stop_count);
	assert_int_equal(stop_count, 0);
	assert_true(wait_for(is_stopped, 1));
	assert_true(sn_mono_ns() - begin_ns >= STOP_NS * 9 / 10);
}

static void stopping_nothing_is_done_at_once(void **state)
{
	(void)state;
	stop_count = 0;
	sn_tasks_stop(tasks, stopped, &stop_count);
	assert_int_equal(stop_count, 1);
}

static void a_task_that_cannot_be_run_does_not_stop_the_others(void **state)
{
	(void)state;
	install("sonde-probe", ROW FOREVER);
	apply(SET("e1", "{\"id\":\"u\",\"name\":\"new\",\"method\":\"warp\",\"parameters\":{}},"
			"{\"id\":\"v\",\"name\":\"odd\",\"method\":\"ping\",\"parameters\":{"
			"\"targets\":[\"a\"],\"count\":0}},"
			"{\"id\":\"w\",\"name\":\"full\",\"method\":\"ping\",\"parameters\":{"
			"\"targets\":[\"a\"],\"period\":\"500ms\"}}," PING("t1", "192.0.2.1")));
	assert_true(wait_for(rows_came, 1));
	assert_string_equal(last_task, "t1");
	assert_problem("task 'new': this node knows no method 'warp'");
	assert_problem("task 'odd': parameter 'count'");
	assert_problem("task 'full': parameter 'count': cannot send 5 requests 200ms apart every "
		       "500ms");
}

static void a_missing_program_is_a_problem_that_heals(void **state)
{
	(void)state;
	apply(SET("e1", PING("t1", "192.0.2.1")));
	assert_false(sn_tasks_can_run(tasks, &sn_method_ping));
	assert_problem("sonde-probe");
	assert_int_equal(sn_tasks_running(tasks), 0);
	install("sonde-probe", ROW FOREVER);
	assert_true(sn_tasks_can_run(tasks, &sn_method_ping));
	assert_true(wait_for(rows_came, 1));
}

static void bad_lines_are_refused_one_by_one(void **state)
{
	(void)state;
	install("sonde-probe", "echo nonsense\necho '{\"target\":\"no time\"}'\n"
			       "echo '{\"time\":\"2026-03-01T12:00:00Z\",\"ttl\":\"text\"}'\n"
			       "head -c 100000 /dev/zero | tr '\\0' x; echo\n" ROW FOREVER);
	apply(SET("e1", PING("t1", "192.0.2.1")));
	assert_true(wait_for(rows_came, 1));
	assert_int_equal(row_count, 1);
	assert_string_equal(last_target, "a");
	assert_problem("task 'n-t1': output of sonde-probe refused: the line is too long");
}

static void a_killed_process_loses_at_most_its_unfinished_line(void **state)
{
	(void)state;
	install("sonde-probe", ROW "printf '{\"time\":\"2026-03'; kill -9 $$");
	apply(SET("e1", PING("t1", "192.0.2.1")));
	assert_true(wait_for(is_restarted, 1));
	assert_true(row_count >= 1);
	assert_problem("killed by SIGKILL");
}

static void tasks_are_remembered_over_a_restart(void **state)
{
	struct sn_err err = {0};

	(void)state;
	install("sonde-probe", ROW FOREVER);
	assert_int_equal(sn_tasks_load(tasks, &err), -ENOENT);
	apply(SET("e7", PING("t1", "192.0.2.1")));
	assert_true(wait_for(rows_came, 1));
	sn_tasks_destroy(tasks);
	row_count = 0;
	tasks = create(NULL);
	assert_string_equal(sn_tasks_etag(tasks), "");
	assert_int_equal(sn_tasks_load(tasks, &err), 0);
	assert_string_equal(sn_tasks_etag(tasks), "e7");
	assert_true(wait_for(rows_came, 1));
}

static void a_broken_memory_is_refused_by_name(void **state)
{
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_fs_write_atomic(at("tasks.json"), "{", 1, 0600, NULL), 0);
	assert_int_equal(sn_tasks_load(tasks, &err), -EINVAL);
	assert_non_null(strstr(err.text, "tasks.json"));
}

static void bad_sets_are_refused_and_the_old_one_runs_on(void **state)
{
	static const struct {
		const char *json, *says;
	} cases[] = {
		{"", ""},
		{"[]", ""},
		{"{\"tasks\":[]}", "etag"},
		{"{\"etag\":\"x\"}", "'tasks' is not a list"},
		{"{\"etag\":\"x\",\"tasks\":[{}]}", "task 1"},
		{"{\"etag\":\"x\",\"tasks\":[{\"id\":\"\",\"name\":\"\",\"method\":\"ping\","
		 "\"parameters\":{}}]}",
		 "'id' is empty"},
		{"{\"etag\":\"x\",\"tasks\":[{\"id\":\"a\",\"name\":\"\",\"method\":\"ping\"}]}",
		 "'parameters' is not an object"},
		{SET("x", PING("a", "b") "," PING("a", "c")), "'a' is given twice"},
	};
	struct sn_err err;

	(void)state;
	install("sonde-probe", ROW FOREVER);
	apply(SET("e1", PING("t1", "192.0.2.1")));
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		err.text[0] = '\0';
		if (sn_tasks_apply(tasks, cases[i].json, strlen(cases[i].json), &err) == 0)
			fail_msg("accepted: %s", cases[i].json);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("'%s' is not in: %s", cases[i].says, err.text);
	}
	assert_string_equal(sn_tasks_etag(tasks), "e1");
	assert_int_equal(sn_tasks_running(tasks), 1);
}

static void the_number_of_tasks_is_limited(void **state)
{
	struct sn_task_set set;
	struct sn_err err = {0};

	(void)state;
	for (unsigned count = SN_TASKS_MAX; count <= SN_TASKS_MAX + 1; count++) {
		struct sn_buf json = {0};

		sn_buf_adds(&json, "{\"etag\":\"x\",\"tasks\":[");
		for (unsigned i = 0; i < count; i++)
			sn_buf_addf(&json,
				    "%s{\"id\":\"%u\",\"name\":\"\",\"method\":\"ping\","
				    "\"parameters\":{\"targets\":\"a\"}}",
				    i > 0 ? "," : "", i);
		sn_buf_adds(&json, "]}");
		if (count == SN_TASKS_MAX) {
			assert_int_equal(sn_task_set_parse(json.p, json.n, &set, &err), 0);
			assert_int_equal(set.count, SN_TASKS_MAX);
			sn_task_set_finish(&set);
		} else {
			assert_int_equal(sn_task_set_parse(json.p, json.n, &set, &err), -E2BIG);
		}
		sn_buf_finish(&json);
	}
}

/* A root helper that hands out one descriptor, whatever is asked. */
static pid_t fake_priv(const char *path)
{
	int listener = sn_ipc_listen(path, 0600, NULL);
	pid_t child;

	assert_true(listener >= 0);
	child = fork();
	if (child == 0) {
		static struct sn_ipc_message message;
		struct sn_priv_answer answer = {0};
		int pipe_fds[2], socket;

		alarm(TEST_PATIENCE_MS / 1000);
		while ((socket = sn_ipc_accept(listener)) < 0)
			usleep(1000);
		while (sn_ipc_receive(socket, &message) == -EAGAIN)
			usleep(1000);
		if (message.type != SN_PRIV_CAPTURE_SOCKET || pipe(pipe_fds) != 0 ||
		    write(pipe_fds[1], "from the helper\n", 16) != 16)
			_exit(1);
		memcpy(message.payload, &answer, sizeof(answer));
		message.size = sizeof(answer);
		message.fd_count = 1;
		message.fds[0] = pipe_fds[0];
		_exit(sn_ipc_send(socket, &message) != 0);
	}
	close(listener);
	return child;
}

#define FLOW                                                                                       \
	"{\"id\":\"f\",\"name\":\"meter\",\"method\":\"flow\",\"parameters\":{\"interface\":"      \
	"\"lo\"}}"
/* Shows its command line, and what it reads from descriptor 3, as the addresses. */
#define METER                                                                                      \
	"read -r word <&3 2>/dev/null\n"                                                           \
	"echo \"{\\\"time\\\":\\\"2026-03-01T12:00:00Z\\\",\\\"c_ip\\\":\\\"$*\\\","               \
	"\\\"s_ip\\\":\\\"$word\\\"}\" > \"$0.out\"; cat \"$0.out\"\n" FOREVER

static void assert_meter_said(const char *text)
{
	struct sn_buf out = {0};

	assert_int_equal(sn_fs_read(at("sonde-meter.out"), 10000, &out, NULL), 0);
	if (strstr(sn_buf_cstr(&out), text) == NULL)
		fail_msg("'%s' is not in: %s", text, sn_buf_cstr(&out));
	sn_buf_finish(&out);
}

static void a_meter_gets_its_capture_socket_from_the_root_helper(void **state)
{
	pid_t helper;
	int status;

	(void)state;
	install("sonde-meter", METER);
	sn_tasks_destroy(tasks);
	helper = fake_priv(at("priv"));
	tasks = create(at("priv"));
	apply(SET("e1", FLOW));
	assert_int_equal(waitpid(helper, &status, 0), helper);
	assert_int_equal(status, 0);
	assert_true(wait_for(rows_came, 1));
	assert_meter_said("\"c_ip\":\"--capture-fd 3 --json --interface lo\"");
	assert_meter_said("\"s_ip\":\"from the helper\"");
}

static void without_a_root_helper_the_meter_opens_the_interface_itself(void **state)
{
	(void)state;
	install("sonde-meter", METER);
	sn_tasks_destroy(tasks);
	tasks = create(at("nobody-listens"));
	apply(SET("e1", FLOW));
	assert_true(wait_for(rows_came, 1));
	assert_meter_said("\"c_ip\":\"--json --interface lo\"");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_task_is_started_with_the_declared_command_line),
		T(what_ends_is_started_again_with_a_growing_wait),
		T(an_orderly_end_is_started_again_too_unless_it_was_one_run),
		T(new_parameters_restart_and_equal_ones_do_not),
		T(a_removed_task_is_told_to_end_and_its_last_rows_count),
		T(a_process_that_will_not_end_is_killed),
		T(stopping_nothing_is_done_at_once),
		T(a_task_that_cannot_be_run_does_not_stop_the_others),
		T(a_missing_program_is_a_problem_that_heals),
		T(bad_lines_are_refused_one_by_one),
		T(a_killed_process_loses_at_most_its_unfinished_line),
		T(tasks_are_remembered_over_a_restart),
		T(a_broken_memory_is_refused_by_name),
		T(bad_sets_are_refused_and_the_old_one_runs_on),
		T(the_number_of_tasks_is_limited),
		T(a_meter_gets_its_capture_socket_from_the_root_helper),
		T(without_a_root_helper_the_meter_opens_the_interface_itself),
	};

	sn_log_set_level(SN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
