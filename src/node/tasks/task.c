/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "tasks"
#include "node/tasks/task.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/codec.h"
#include "priv/client.h"

#define CAPTURE_FD 3 /* the first descriptor that a child is given */

static void start(struct sn_task *task);

static void set_problem(struct sn_task *task, const char *format, ...) SN_PRINTF(2, 3);
static void set_problem(struct sn_task *task, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(task->problem, sizeof(task->problem), format, args);
	va_end(args);
	task->problem_ns = sn_loop_now(task->timer.loop);
}

/* Rows ------------------------------------------------------------------------------- */

static void refuse_line(struct sn_task *task, const char *reason)
{
	task->bad_lines++;
	set_problem(task, "output of %s refused: %s", task->spec.method->program, reason);
	SN_LOG_LIMITED(SN_LOG_WARNING, "output refused task=%s program=%s reason=\"%s\"",
		       task->spec.id, task->spec.method->program, reason);
}

static void take_line(struct sn_proc *proc SN_UNUSED, struct sn_str line, int error, void *ctx)
{
	struct sn_task *task = ctx;
	const struct sn_tasks_config *config = sn_tasks_config(task->tasks);
	struct sn_batch *rows = sn_tasks_scratch(task->tasks, task->spec.method->dataset);
	struct sn_err err = {0};

	if (error == -ENODATA) /* cut off by the end of the process: no row yet */
		return;
	if (error != 0) {
		refuse_line(task, "the line is too long");
		return;
	}
	if (sn_jsonl_read_row(rows, line, &err) != 0) {
		refuse_line(task, err.text);
		return;
	}
	if (sn_batch_get(rows, 0, SN_COL_TIME)->type == SN_TYPE_NULL) {
		refuse_line(task, "'time' is missing");
		return;
	}
	sn_batch_set_text(rows, SN_COL_TASK, sn_str(task->spec.id));
	config->on_rows(rows, config->ctx);
}

/* Its process ------------------------------------------------------------------------ */

static void start_again(struct sn_timer *timer)
{
	start(sn_container_of(timer, struct sn_task, timer));
}

static void wait_for_restart(struct sn_task *task)
{
	uint64_t now_ns = sn_loop_now(task->timer.loop);

	if (task->started_ns != 0 && now_ns - task->started_ns >= SN_TASKS_STEADY_NS)
		sn_backoff_reset(&task->backoff);
	task->state = SN_TASK_WAITING;
	sn_timer_in(&task->timer, sn_backoff_next(&task->backoff));
}

static void process_ended(struct sn_proc *proc, int status, void *ctx)
{
	struct sn_task *task = ctx;
	char text[64];

	sn_proc_describe(status, text, sizeof(text));
	sn_proc_destroy(proc);
	task->proc = NULL;
	if (task->state == SN_TASK_STOPPING) {
		struct sn_tasks *tasks = task->tasks;

		sn_task_destroy(task);
		sn_tasks_stopped(tasks);
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && sn_task_spec_one_shot(&task->spec)) {
		task->state = SN_TASK_FINISHED;
		task->problem[0] = '\0';
		return;
	}
	set_problem(task, "%s ended: %s", task->spec.method->program, text);
	sn_warn("process ended task=%s program=%s how=\"%s\"", task->spec.id,
		task->spec.method->program, text);
	wait_for_restart(task);
}

/* The capture socket for a meter; -1 if it must open the interface itself. */
static int capture_socket(const struct sn_task *task)
{
	const struct sn_tasks_config *config = sn_tasks_config(task->tasks);
	const char *interface =
		json_string_value(json_object_get(task->spec.parameters, "interface"));
	struct sn_priv *priv;
	struct sn_err err = {0};
	int fd;

	if (task->spec.method->dataset != &sn_dataset_flow || config->priv_socket == NULL ||
	    config->priv_socket[0] == '\0' || interface == NULL)
		return -1;
	fd = sn_priv_connect(config->priv_socket, &priv, &err);
	if (fd == 0) {
		fd = sn_priv_capture_socket(priv, "", interface, &err);
		sn_priv_close(priv);
	}
	if (fd >= 0)
		return fd;
	sn_warn("no capture socket from the root helper; the meter tries by itself task=%s "
		"reason=\"%s\"",
		task->spec.id, err.text);
	return -1;
}

/* `argv` with "--capture-fd 3" behind the program's name; the strings stay argv's. */
static const char **with_capture_fd(char **argv)
{
	static const char number[] = {'0' + CAPTURE_FD, '\0'};
	size_t count = 0;
	const char **out;

	while (argv[count] != NULL)
		count++;
	out = sn_new_n(const char *, count + 3);
	out[0] = argv[0];
	out[1] = "--capture-fd";
	out[2] = number;
	memcpy(out + 3, argv + 1, (count - 1) * sizeof(*out));
	return out;
}

static int start_process(struct sn_task *task, struct sn_err *err)
{
	const struct sn_method *method = task->spec.method;
	sn_autofree char *path =
		sn_fs_join(sn_tasks_config(task->tasks)->program_dir, method->program);
	char **argv = sn_method_argv(method, task->spec.parameters, path);
	sn_autofree const char **capture_argv = NULL;
	sn_autoclose int capture = capture_socket(task);
	struct sn_proc_spec spec = {.argv = (const char *const *)argv,
				    .on_line = take_line,
				    .on_exit = process_ended,
				    .ctx = task};
	int error;

	if (capture >= 0) {
		capture_argv = with_capture_fd(argv);
		spec.argv = capture_argv;
		spec.fds[spec.fd_count++] = capture;
	}
	error = sn_proc_start(sn_tasks_loop(task->tasks), &spec, &task->proc, err);
	sn_method_argv_free(argv);
	return error;
}

static void start(struct sn_task *task)
{
	struct sn_err err = {0};

	if (task->started_ns != 0)
		sn_tasks_count_restart(task->tasks);
	task->started_ns = sn_loop_now(task->timer.loop);
	if (start_process(task, &err) == 0) {
		task->state = SN_TASK_RUNNING;
		sn_info("process started task=%s name=\"%s\" program=%s pid=%d", task->spec.id,
			task->spec.name, task->spec.method->program, (int)sn_proc_pid(task->proc));
		return;
	}
	set_problem(task, "%s", err.text);
	SN_LOG_LIMITED(SN_LOG_WARNING, "%s task=%s", err.text, task->spec.id);
	wait_for_restart(task);
}

/* The task ----------------------------------------------------------------------------- */

struct sn_task *sn_task_create(struct sn_tasks *tasks, struct sn_task_spec *spec)
{
	struct sn_task *task = sn_new(struct sn_task);
	uint64_t min_ns = sn_tasks_config(tasks)->restart_min_ns;

	task->tasks = tasks;
	task->spec = *spec;
	spec->parameters = NULL;
	task->backoff = (struct sn_backoff){
		.min_ns = min_ns > 0 ? min_ns : SN_TASKS_RESTART_MIN_NS,
		.max_ns = SN_TASKS_RESTART_MAX_NS,
	};
	sn_list_init(&task->link);
	sn_timer_init(&task->timer, sn_tasks_loop(tasks), start_again);
	if (task->spec.method == NULL) {
		task->state = SN_TASK_REFUSED;
		set_problem(task, "%s", task->spec.refusal.text);
		sn_warn("cannot run task=%s reason=\"%s\"", task->spec.id, task->spec.refusal.text);
	} else {
		start(task);
	}
	return task;
}

void sn_task_destroy(struct sn_task *task)
{
	sn_timer_stop(&task->timer);
	sn_list_remove(&task->link);
	sn_proc_destroy(task->proc);
	json_decref(task->spec.parameters);
	free(task);
}

static void patience_ended(struct sn_timer *timer)
{
	struct sn_task *task = sn_container_of(timer, struct sn_task, timer);

	sn_warn("process did not end when told to; killed task=%s", task->spec.id);
	/* Its end is reported as always. */
	sn_proc_signal(task->proc, SIGKILL);
}

void sn_task_stop(struct sn_task *task)
{
	uint64_t stop_ns = sn_tasks_config(task->tasks)->stop_ns;

	if (task->state == SN_TASK_STOPPING)
		return;
	if (task->proc == NULL) {
		sn_task_destroy(task);
		return;
	}
	task->state = SN_TASK_STOPPING;
	sn_tasks_stopping(task->tasks, task);
	sn_proc_signal(task->proc, SIGTERM);
	sn_timer_init(&task->timer, sn_tasks_loop(task->tasks), patience_ended);
	sn_timer_in(&task->timer, stop_ns > 0 ? stop_ns : SN_TASKS_STOP_NS);
}
