/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/proc.h"

struct seen {
	struct sn_loop *loop;
	struct sn_proc *proc;
	struct sn_buf lines; /* each with '|' behind */
	unsigned line_count, ends;
	int last_error, status;
	size_t longest;
	bool destroy_on_line, destroy_on_exit;
};

static void on_line(struct sn_proc *proc, struct sn_str line, int error, void *ctx)
{
	struct seen *seen = ctx;

	seen->line_count++;
	seen->last_error = error;
	seen->longest = SN_MAX(seen->longest, line.n);
	if (line.n < 4096) {
		sn_buf_add(&seen->lines, line.p, line.n);
		sn_buf_addc(&seen->lines, '|');
	}
	if (seen->destroy_on_line) {
		sn_proc_destroy(proc);
		seen->proc = NULL;
		sn_loop_stop(seen->loop, 0);
	}
}

static void on_exit_seen(struct sn_proc *proc, int status, void *ctx)
{
	struct seen *seen = ctx;

	seen->ends++;
	seen->status = status;
	if (seen->destroy_on_exit) {
		sn_proc_destroy(proc);
		seen->proc = NULL;
	}
	sn_loop_stop(seen->loop, 0);
}

static void too_long(struct sn_timer *timer)
{
	sn_loop_stop(timer->loop, 99);
}

static int start(struct seen *seen, const char *script, const int *fds, unsigned fd_count,
		 bool lines)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	struct sn_proc_spec spec = {.argv = argv,
				    .fd_count = fd_count,
				    .on_line = lines ? on_line : NULL,
				    .on_exit = on_exit_seen,
				    .ctx = seen};

	for (unsigned i = 0; i < fd_count; i++)
		spec.fds[i] = fds[i];
	if (seen->loop == NULL)
		seen->loop = sn_loop_create(NULL);
	return sn_proc_start(seen->loop, &spec, &seen->proc, NULL);
}

/* Until something stops the loop; 99 if nothing did. */
static int run(struct seen *seen)
{
	struct sn_timer timer;
	int code;

	sn_timer_init(&timer, seen->loop, too_long);
	sn_timer_in(&timer, 20 * SN_NS_PER_S);
	code = sn_loop_run(seen->loop);
	sn_timer_stop(&timer);
	return code;
}

static void finish(struct seen *seen)
{
	sn_proc_destroy(seen->proc);
	sn_loop_destroy(seen->loop);
	sn_buf_finish(&seen->lines);
}

static void lines_come_one_by_one_and_before_the_end(void **state)
{
	struct seen seen = {0};

	(void)state;
	assert_int_equal(start(&seen, "echo one; printf 'two\\n\\nlast\\n'; exit 3", NULL, 0, true),
			 0);
	assert_int_equal(run(&seen), 0);
	assert_string_equal(sn_buf_cstr(&seen.lines), "one|two||last|");
	assert_int_equal(seen.last_error, 0);
	assert_int_equal(seen.ends, 1);
	assert_true(WIFEXITED(seen.status) && WEXITSTATUS(seen.status) == 3);
	assert_int_equal(sn_proc_signal(seen.proc, SIGTERM), -ESRCH);
	finish(&seen);
}

static void standard_error_goes_where_it_is_sent(void **state)
{
	struct seen seen = {.loop = sn_loop_create(NULL)};
	const char *argv[] = {"/bin/sh", "-c", "echo out; echo err >&2", NULL};
	struct sn_proc_spec spec = {
		.argv = argv, .on_line = on_line, .on_exit = on_exit_seen, .ctx = &seen};
	char text[16] = "";
	int pipe_fds[2];

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	spec.err_fd = pipe_fds[1];
	assert_int_equal(sn_proc_start(seen.loop, &spec, &seen.proc, NULL), 0);
	assert_int_equal(run(&seen), 0);
	assert_string_equal(sn_buf_cstr(&seen.lines), "out|");
	assert_int_equal(read(pipe_fds[0], text, sizeof(text) - 1), 4);
	assert_string_equal(text, "err\n");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	finish(&seen);
}

static void a_piece_without_line_end_is_flagged(void **state)
{
	struct seen seen = {0};

	(void)state;
	assert_int_equal(start(&seen, "echo one; printf half", NULL, 0, true), 0);
	assert_int_equal(run(&seen), 0);
	assert_string_equal(sn_buf_cstr(&seen.lines), "one|half|");
	assert_int_equal(seen.last_error, -ENODATA);
	finish(&seen);
}

static void a_line_at_the_limit_passes_and_a_longer_one_is_cut_once(void **state)
{
	struct seen seen = {0};

	(void)state;
	assert_int_equal(start(&seen, "head -c 65536 /dev/zero | tr '\\0' a; echo", NULL, 0, true),
			 0);
	assert_int_equal(run(&seen), 0);
	assert_int_equal(seen.line_count, 1);
	assert_int_equal(seen.last_error, 0);
	assert_int_equal(seen.longest, SN_PROC_LINE_MAX);
	finish(&seen);

	seen = (struct seen){0};
	assert_int_equal(start(&seen,
			       "head -c 200000 /dev/zero | tr '\\0' a; echo; sleep 0.05; echo next",
			       NULL, 0, true),
			 0);
	assert_int_equal(run(&seen), 0);
	assert_int_equal(seen.line_count, 2);
	assert_int_equal(seen.longest, SN_PROC_LINE_MAX);
	assert_string_equal(sn_buf_cstr(&seen.lines), "next|");
	finish(&seen);
}

static void a_child_has_exactly_the_descriptors_it_was_given(void **state)
{
	struct seen seen = {0};
	int fds[3] = {open("/dev/zero", O_RDONLY), open("/dev/full", O_RDWR), -1};
	int leak = open("/etc/passwd", O_RDONLY); /* not close-on-exec, must not arrive */

	(void)state;
	fds[2] = fds[0];
	assert_int_equal(start(&seen,
			       "for i in 0 3 4 5; do readlink /proc/$$/fd/$i; done; "
			       "for i in 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
			       "test -e /proc/$$/fd/$i && echo leaked $i; done; echo end",
			       fds, 3, true),
			 0);
	assert_int_equal(run(&seen), 0);
	assert_string_equal(sn_buf_cstr(&seen.lines),
			    "/dev/null|/dev/zero|/dev/full|/dev/zero|end|");
	finish(&seen);
	close(fds[0]);
	close(fds[1]);
	close(leak);
}

static void descriptors_may_be_given_in_an_order_that_overlaps(void **state)
{
	struct seen seen = {0};
	int zero = open("/dev/zero", O_RDONLY), full = open("/dev/full", O_RDWR);
	int low[2] = {fcntl(zero, F_DUPFD, 3), fcntl(full, F_DUPFD, 3)};
	int swapped[2] = {SN_MAX(low[0], low[1]), SN_MIN(low[0], low[1])};

	(void)state;
	assert_int_equal(
		start(&seen, "readlink /proc/$$/fd/3; readlink /proc/$$/fd/4", swapped, 2, true),
		0);
	assert_int_equal(run(&seen), 0);
	assert_string_equal(sn_buf_cstr(&seen.lines), "/dev/full|/dev/zero|");
	finish(&seen);
	close(zero);
	close(full);
	close(low[0]);
	close(low[1]);
}

static void a_program_that_is_not_there_fails_at_start(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	const char *argv[] = {"/nonexistent/program", NULL};
	struct sn_proc_spec spec = {.argv = argv};
	struct sn_proc *proc = (struct sn_proc *)1;
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_proc_start(loop, &spec, &proc, &err), -ENOENT);
	assert_null(proc);
	assert_non_null(strstr(err.text, "/nonexistent/program"));
	sn_loop_destroy(loop);
}

static void a_callback_may_destroy_the_process(void **state)
{
	struct seen seen = {.destroy_on_line = true};

	(void)state;
	assert_int_equal(start(&seen, "while :; do echo again; done", NULL, 0, true), 0);
	assert_int_equal(run(&seen), 0);
	assert_int_equal(seen.line_count, 1);
	assert_int_equal(seen.ends, 0);
	finish(&seen);

	seen = (struct seen){.destroy_on_exit = true};
	assert_int_equal(start(&seen, "echo x", NULL, 0, true), 0);
	assert_int_equal(run(&seen), 0);
	assert_int_equal(seen.ends, 1);
	finish(&seen);

	/* The last piece, given away from inside the handling of the end. */
	seen = (struct seen){.destroy_on_line = true};
	assert_int_equal(start(&seen, "printf x", NULL, 0, true), 0);
	assert_int_equal(run(&seen), 0);
	assert_int_equal(seen.ends, 0);
	finish(&seen);
}

static void destroying_kills_and_reaps(void **state)
{
	struct seen seen = {0};
	pid_t pid;

	(void)state;
	assert_int_equal(start(&seen, "exec sleep 60", NULL, 0, false), 0);
	pid = sn_proc_pid(seen.proc);
	assert_int_equal(kill(pid, 0), 0);
	sn_proc_destroy(seen.proc);
	seen.proc = NULL;
	assert_int_equal(kill(pid, 0), -1);
	finish(&seen);
	sn_proc_destroy(NULL);
}

static void a_signal_reaches_the_child(void **state)
{
	struct seen seen = {0};
	char text[40];

	(void)state;
	assert_int_equal(start(&seen, "exec sleep 60", NULL, 0, false), 0);
	assert_int_equal(sn_proc_signal(seen.proc, SIGTERM), 0);
	assert_int_equal(run(&seen), 0);
	assert_string_equal(sn_proc_describe(seen.status, text, sizeof(text)), "killed by SIGTERM");
	assert_string_equal(sn_proc_describe(3 << 8, text, sizeof(text)), "exit status 3");
	finish(&seen);
}

static void a_child_dies_with_its_parent(void **state)
{
	int pipe_fds[2];
	pid_t parent;
	char byte;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	parent = fork();
	if (parent == 0) {
		struct seen seen = {0};

		/* The grandchild holds the pipe's other end until it dies. */
		close(pipe_fds[0]);
		if (start(&seen, "exec sleep 60", &pipe_fds[1], 1, false) != 0)
			_exit(1);
		raise(SIGKILL);
	}
	close(pipe_fds[1]);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	alarm(10);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
	alarm(0);
	close(pipe_fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_one_by_one_and_before_the_end),
		cmocka_unit_test(standard_error_goes_where_it_is_sent),
		cmocka_unit_test(a_piece_without_line_end_is_flagged),
		cmocka_unit_test(a_line_at_the_limit_passes_and_a_longer_one_is_cut_once),
		cmocka_unit_test(a_child_has_exactly_the_descriptors_it_was_given),
		cmocka_unit_test(descriptors_may_be_given_in_an_order_that_overlaps),
		cmocka_unit_test(a_program_that_is_not_there_fails_at_start),
		cmocka_unit_test(a_callback_may_destroy_the_process),
		cmocka_unit_test(destroying_kills_and_reaps),
		cmocka_unit_test(a_signal_reaches_the_child),
		cmocka_unit_test(a_child_dies_with_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
