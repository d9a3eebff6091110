/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "process"
#include "priv/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "priv/netns.h"
#include "priv/request.h"

#define START_MS  2000 /* from fork to exec */
#define REPORT_FD 3    /* in the child: where it says why it failed */

struct process {
	struct sn_list link;
	pid_t pid;
	const void *owner;
	int program;
};

/* What the child needs, collected before fork so that it allocates nothing. */
struct launch {
	const struct sn_priv_process *request;
	const char *path;
	int netns_fd, report_fd;
	pid_t parent;
};

void sn_process_table_init(struct sn_process_table *table, const char *program_dir)
{
	*table = (struct sn_process_table){.program_dir = program_dir};
	sn_list_init(&table->processes);
}

/* Identity first, then everything that touches the user's files. */
static int become_user(const struct launch *launch)
{
	const struct sn_priv_process *request = launch->request;

	if (setns(launch->netns_fd, CLONE_NEWNET) != 0 || setgroups(0, NULL) != 0 ||
	    setresgid(request->gid, request->gid, request->gid) != 0 ||
	    setresuid(request->uid, request->uid, request->uid) != 0)
		return -errno;
	/* Cleared by the change of user, so only now; the parent may have died before it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return -errno;
	return getppid() == launch->parent ? 0 : -ESRCH;
}

/* A FIFO without a reader is refused: waiting for one would hold up every client. */
static int open_log(const char *path)
{
	int fd =
		open(path,
		     O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC | O_NONBLOCK,
		     0644);

	if (fd >= 0 && fcntl(fd, F_SETFL, O_APPEND) != 0)
		return -1;
	return fd;
}

static int connect_files(const struct launch *launch)
{
	int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int log = open_log(launch->request->log);

	if (input < 0 || log < 0 || dup2(input, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		return -errno;
	return 0;
}

static _Noreturn void run_child(const struct launch *launch)
{
	const char *const argv[] = {launch->path, "--config", launch->request->config, NULL};
	const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/",
				   NULL};
	sigset_t none;
	int code = 0;

	/* The report pipe may lie where the standard files go: move it out of their way first. */
	int report = fcntl(launch->report_fd, F_DUPFD_CLOEXEC, 100);

	sigemptyset(&none);
	umask(022);
	if (report < 0 || setsid() < 0 || chdir("/") != 0)
		code = -errno;
	if (code == 0)
		code = become_user(launch);
	if (code == 0)
		code = connect_files(launch);
	if (code == 0 &&
	    (dup3(report, REPORT_FD, O_CLOEXEC) < 0 || close_range(REPORT_FD + 1, ~0U, 0) != 0 ||
	     sigprocmask(SIG_SETMASK, &none, NULL) != 0))
		code = -errno;
	if (code == 0) {
		report = REPORT_FD;
		execve(launch->path, (char *const *)argv, (char *const *)env);
		code = -errno;
	}
	if (write(report, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

/*
 * The pipe closes without a word when exec succeeds.  The user's files may lie where
 * the user decides how long opening takes (FUSE, a dead server): not longer than this.
 */
static int wait_for_exec(int fd, pid_t pid)
{
	struct pollfd report = {.fd = fd, .events = POLLIN};
	int code = 0;
	ssize_t size;

	if (poll(&report, 1, START_MS) == 0) {
		kill(pid, SIGKILL);
		return -ETIMEDOUT;
	}
	do {
		size = read(fd, &code, sizeof(code));
	} while (size < 0 && errno == EINTR);
	return size == sizeof(code) ? code : 0;
}

static int launch_child(struct launch *launch, pid_t *pid)
{
	int report[2];

	if (pipe2(report, O_CLOEXEC) != 0)
		return -errno;
	launch->report_fd = report[1];
	launch->parent = getpid();
	*pid = fork();
	if (*pid == 0)
		run_child(launch);

	int code = *pid < 0 ? -errno : 0;

	close(report[1]);
	if (code == 0)
		code = wait_for_exec(report[0], *pid);
	close(report[0]);
	if (*pid > 0 && code != 0)
		waitpid(*pid, NULL, 0);
	return code;
}

int sn_process_start(struct sn_process_table *table, const void *owner,
		     const struct sn_priv_process *request, struct sn_err *err)
{
	const char *name = sn_priv_program_name(request->program);
	sn_autofree char *path = sn_fs_join(table->program_dir, name);
	pid_t pid = -1;

	if (table->count >= SN_PRIV_PROCESSES_MAX)
		return sn_err_set(err, -EAGAIN, "cannot start '%s': %d processes run already", name,
				  SN_PRIV_PROCESSES_MAX);
	sn_autoclose int netns_fd = sn_netns_open(request->netns, err);

	if (netns_fd < 0)
		return netns_fd;
	struct launch launch = {.request = request, .path = path, .netns_fd = netns_fd};
	int code = launch_child(&launch, &pid);

	if (code != 0)
		return sn_err_sys(err, code, "cannot start '%s' as user %u with log '%s'", path,
				  request->uid, request->log);
	struct process *process = sn_new(struct process);

	*process = (struct process){.pid = pid, .owner = owner, .program = (int)request->program};
	sn_list_append(&table->processes, &process->link);
	table->count++;
	sn_info("started %s pid=%d netns=%s uid=%u", name, (int)pid, request->netns, request->uid);
	return (int)pid;
}

static void forget(struct sn_process_table *table, struct process *process)
{
	sn_list_remove(&process->link);
	table->count--;
	free(process);
}

int sn_process_signal(struct sn_process_table *table, const void *owner,
		      const struct sn_priv_signal *request, struct sn_err *err)
{
	/* Its pid cannot have become another's: only sn_process_reap() gives it back. */
	sn_list_for_each (node, &table->processes) {
		struct process *process = sn_list_entry(node, struct process, link);

		if (process->pid != request->pid || process->owner != owner)
			continue;
		if (kill(process->pid, request->signal) != 0)
			return sn_err_sys(err, -errno, "cannot signal process %d", request->pid);
		return 0;
	}
	return sn_err_set(err, -ESRCH, "cannot signal process %d: not a running process of yours",
			  request->pid);
}

void sn_process_kill_owned(struct sn_process_table *table, const void *owner)
{
	sn_list_for_each (node, &table->processes) {
		struct process *process = sn_list_entry(node, struct process, link);

		if (process->owner != owner)
			continue;
		kill(process->pid, SIGKILL);
		waitpid(process->pid, NULL, 0);
		forget(table, process);
	}
}

static void log_end(const struct process *process, int status)
{
	const char *name = sn_priv_program_name(process->program);

	if (WIFSIGNALED(status))
		sn_notice("%s pid=%d was killed by signal %d", name, (int)process->pid,
			  WTERMSIG(status));
	else
		sn_info("%s pid=%d ended status=%d", name, (int)process->pid, WEXITSTATUS(status));
}

void sn_process_reap(struct sn_process_table *table)
{
	sn_list_for_each (node, &table->processes) {
		struct process *process = sn_list_entry(node, struct process, link);
		int status;

		if (waitpid(process->pid, &status, WNOHANG) != process->pid)
			continue;
		log_end(process, status);
		forget(table, process);
	}
}

void sn_process_table_finish(struct sn_process_table *table)
{
	while (!sn_list_empty(&table->processes))
		sn_process_kill_owned(
			table, sn_list_entry(table->processes.next, struct process, link)->owner);
}
