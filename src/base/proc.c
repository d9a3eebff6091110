/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define FIRST_FD  3
#define READ_STEP 16384
/* Per wake-up, so that a chatty child does not starve the others ... */
#define READS_PER_TURN 8
/* ... and after its end, when what is in the pipe (1 MiB at most) is all that comes. */
#define READS_AT_END 64

struct sn_proc {
	pid_t pid;
	bool ended;
	int status;
	int pidfd, out_fd;
	struct sn_io end_io, out_io;
	struct sn_buf line;
	bool skipping;                    /* behind a line that was cut, up to its end */
	bool in_line_callback, destroyed; /* both: freed when the callback is back */
	sn_proc_line_fn *on_line;
	sn_proc_exit_fn *on_exit;
	void *ctx;
};

/* The child's side, between fork and exec: async-signal-safe calls only -------- */

struct child_plan {
	const struct sn_proc_spec *spec;
	pid_t parent;
	int out_fd; /* -1: standard output stays */
	int error_fd;
};

/* A copy that no later dup2() onto 0 .. FIRST_FD + SN_PROC_FDS_MAX can overwrite. */
static int move_up(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD + SN_PROC_FDS_MAX + 1);
}

static int place_fds(const struct child_plan *plan, int *error_fd)
{
	int moved[SN_PROC_FDS_MAX], out = -1, err = -1, null_fd;
	unsigned count = plan->spec->fd_count;

	*error_fd = move_up(plan->error_fd);
	if (*error_fd < 0 || (plan->out_fd >= 0 && (out = move_up(plan->out_fd)) < 0) ||
	    (plan->spec->err_fd > 0 && (err = move_up(plan->spec->err_fd)) < 0))
		return -errno;
	for (unsigned i = 0; i < count; i++) {
		moved[i] = move_up(plan->spec->fds[i]);
		if (moved[i] < 0)
			return -errno;
	}

	null_fd = open("/dev/null", O_RDONLY);
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || (out >= 0 && dup2(out, 1) < 0) ||
	    (err >= 0 && dup2(err, 2) < 0))
		return -errno;
	for (unsigned i = 0; i < count; i++) {
		if (dup2(moved[i], FIRST_FD + (int)i) < 0)
			return -errno;
	}
	/* The error pipe comes last; exec closes it, which tells the parent that all went well. */
	if (dup3(*error_fd, FIRST_FD + (int)count, O_CLOEXEC) < 0)
		return -errno;
	*error_fd = FIRST_FD + (int)count;
	return close_range((unsigned)*error_fd + 1, ~0U, 0) == 0 ? 0 : -errno;
}

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Handlers go with exec, but what is ignored would stay so. */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
}

static void become_child(const struct child_plan *plan)
{
	const struct sn_proc_spec *spec = plan->spec;
	int error_fd = plan->error_fd;
	int error;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != plan->parent)
		_exit(127); /* the parent died before it could matter */
	reset_signals();
	error = place_fds(plan, &error_fd);
	if (error == 0) {
		if (spec->env != NULL)
			execve(spec->argv[0], (char *const *)spec->argv, (char *const *)spec->env);
		else
			execv(spec->argv[0], (char *const *)spec->argv);
		error = -errno;
	}
	if (error_fd >= 0)
		(void)!write(error_fd, &error, sizeof(error));
	_exit(127);
}

/* The parent's side ------------------------------------------------------------ */

static int read_exec_error(int fd)
{
	int error = 0;
	ssize_t n;

	do
		n = read(fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(error) ? error : 0;
}

static int spawn(const struct sn_proc_spec *spec, int out_fd, pid_t *pid)
{
	struct child_plan plan = {.spec = spec, .parent = getpid(), .out_fd = out_fd};
	sn_autoclose int error_read = -1;
	int pipe_fds[2], error;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return -errno;
	error_read = pipe_fds[0];
	plan.error_fd = pipe_fds[1];

	*pid = fork();
	if (*pid == 0)
		become_child(&plan);
	error = *pid < 0 ? -errno : 0;
	close(pipe_fds[1]);
	if (error != 0)
		return error;

	error = read_exec_error(error_read);
	if (error != 0)
		waitpid(*pid, NULL, 0);
	return error;
}

/* Gives a line away; false if the callback destroyed the process object. */
static bool emit(struct sn_proc *proc, struct sn_str line, int error)
{
	proc->in_line_callback = true;
	proc->on_line(proc, line, error, proc->ctx);
	proc->in_line_callback = false;
	if (!proc->destroyed)
		return true;
	free(proc);
	return false;
}

/* Finishes the line gathered in proc->line; false if the object is gone. */
static bool emit_gathered(struct sn_proc *proc, int error)
{
	struct sn_buf line = proc->line;
	bool alive;

	/* Out of the object's hands, so that destroying it leaves the text alone. */
	proc->line = (struct sn_buf){0};
	alive = emit(proc, sn_buf_str(&line), error);
	if (alive) {
		sn_buf_finish(&proc->line);
		proc->line = line;
		sn_buf_clear(&proc->line);
	} else {
		sn_buf_finish(&line);
	}
	return alive;
}

static bool take_piece(struct sn_proc *proc, struct sn_str piece, bool ends)
{
	size_t room = SN_PROC_LINE_MAX - proc->line.n;

	if (!proc->skipping) {
		sn_buf_add(&proc->line, piece.p, SN_MIN(piece.n, room));
		if (piece.n > room) {
			proc->skipping = !ends;
			return emit_gathered(proc, -EMSGSIZE);
		}
		return !ends || emit_gathered(proc, 0);
	}
	proc->skipping = !ends;
	return true;
}

static bool take_output(struct sn_proc *proc, const char *p, size_t n)
{
	while (n > 0) {
		const char *feed = memchr(p, '\n', n);
		size_t length = feed == NULL ? n : (size_t)(feed - p);

		if (!take_piece(proc, (struct sn_str){p, length}, feed != NULL))
			return false;
		length += feed != NULL;
		p += length;
		n -= length;
	}
	return true;
}

static void close_output(struct sn_proc *proc)
{
	sn_io_stop(&proc->out_io);
	if (proc->out_fd >= 0)
		close(proc->out_fd);
	proc->out_fd = -1;
}

/* At most `reads` steps; false if a callback destroyed the object. */
static bool read_output(struct sn_proc *proc, unsigned reads)
{
	char data[READ_STEP];

	while (reads-- > 0) {
		ssize_t n = read(proc->out_fd, data, sizeof(data));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			close_output(proc);
			return true;
		}
		if (!take_output(proc, data, (size_t)n))
			return false;
	}
	return true;
}

static void output_ready(struct sn_io *io, int events SN_UNUSED)
{
	read_output(sn_container_of(io, struct sn_proc, out_io), READS_PER_TURN);
}

static void child_ended(struct sn_io *io, int events SN_UNUSED)
{
	struct sn_proc *proc = sn_container_of(io, struct sn_proc, end_io);

	/* Lines first: who hears of the end has heard everything. */
	if (proc->out_fd >= 0 && !read_output(proc, READS_AT_END))
		return;
	if (proc->line.n > 0 && !proc->skipping && !emit_gathered(proc, -ENODATA))
		return;
	close_output(proc);

	if (waitpid(proc->pid, &proc->status, WNOHANG) != proc->pid)
		return;
	proc->ended = true;
	sn_io_stop(&proc->end_io);
	if (proc->on_exit != NULL)
		proc->on_exit(proc, proc->status, proc->ctx);
}

static int watch(struct sn_proc *proc, struct sn_loop *loop)
{
	int error;

	proc->pidfd = pidfd_open(proc->pid, 0);
	if (proc->pidfd < 0)
		return -errno;
	sn_io_init(&proc->end_io, loop, proc->pidfd, child_ended);
	error = sn_io_start(&proc->end_io, SN_IO_READ);
	if (error != 0 || proc->out_fd < 0)
		return error;
	sn_io_init(&proc->out_io, loop, proc->out_fd, output_ready);
	return sn_io_start(&proc->out_io, SN_IO_READ);
}

int sn_proc_start(struct sn_loop *loop, const struct sn_proc_spec *spec, struct sn_proc **out,
		  struct sn_err *err)
{
	struct sn_proc *proc = sn_new(struct sn_proc);
	sn_autoclose int child_out = -1;
	int pipe_fds[2], error = 0;

	assert(spec->fd_count <= SN_PROC_FDS_MAX);
	*proc = (struct sn_proc){.pid = -1,
				 .ended = true,
				 .pidfd = -1,
				 .out_fd = -1,
				 .on_line = spec->on_line,
				 .on_exit = spec->on_exit,
				 .ctx = spec->ctx};
	if (spec->on_line != NULL) {
		if (pipe2(pipe_fds, O_CLOEXEC) != 0)
			error = -errno;
		else {
			proc->out_fd = pipe_fds[0];
			child_out = pipe_fds[1];
			/* Only our end: the child's writes shall block, not fail. */
			fcntl(proc->out_fd, F_SETFL, O_NONBLOCK);
		}
	}
	if (error == 0)
		error = spawn(spec, child_out, &proc->pid);
	if (error == 0) {
		proc->ended = false;
		error = watch(proc, loop);
	}
	if (error != 0) {
		sn_proc_destroy(proc);
		*out = NULL;
		return sn_err_sys(err, error, "cannot start '%s'", spec->argv[0]);
	}
	*out = proc;
	return 0;
}

pid_t sn_proc_pid(const struct sn_proc *proc)
{
	return proc->pid;
}

int sn_proc_signal(struct sn_proc *proc, int signal_number)
{
	if (proc->ended)
		return -ESRCH;
	/* The pid cannot have been given to another: only we reap it. */
	return kill(proc->pid, signal_number) == 0 ? 0 : -errno;
}

void sn_proc_destroy(struct sn_proc *proc)
{
	if (proc == NULL)
		return;
	if (!proc->ended) {
		kill(proc->pid, SIGKILL);
		while (waitpid(proc->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	sn_io_stop(&proc->end_io);
	close_output(proc);
	if (proc->pidfd >= 0)
		close(proc->pidfd);
	sn_buf_finish(&proc->line);
	proc->destroyed = true;
	if (!proc->in_line_callback)
		free(proc);
}

char *sn_proc_describe(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status)) {
		const char *name = sigabbrev_np(WTERMSIG(status));

		if (name != NULL)
			snprintf(out, size, "killed by SIG%s", name);
		else
			snprintf(out, size, "killed by signal %d", WTERMSIG(status));
	} else {
		snprintf(out, size, "exit status %d", WEXITSTATUS(status));
	}
	return out;
}
