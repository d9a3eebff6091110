/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/run/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ipc.h"

#define STOP_STEPS   1000
#define STOP_STEP_US 10000

enum { CLIENT_FD = 3, LISTEN_FD = 4, LOCK_FD = 5, FIRST_OTHER_FD = 6 };

/*
 * Not by base/proc.h, whose children die with their parent at once: this one has
 * to outlive a parent that was killed, to remove what that one left.
 */
static _Noreturn void become_helper(const struct sn_demo_helper_spec *spec, int client_fd)
{
	char user[32];
	const char *const argv[] = {
		spec->program, "--fd",       "3",          "--listen-fd",     "4", "--user", user,
		"--prefix",    spec->prefix, "--programs", spec->program_dir, NULL};
	const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL};
	int client = fcntl(client_fd, F_DUPFD, FIRST_OTHER_FD);
	int listener = fcntl(spec->listen_fd, F_DUPFD, FIRST_OTHER_FD);
	int log = fcntl(spec->log_fd, F_DUPFD, FIRST_OTHER_FD);
	int lock = fcntl(spec->lock_fd, F_DUPFD, FIRST_OTHER_FD);
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	snprintf(user, sizeof(user), "%u:%u", (unsigned)spec->user->uid, (unsigned)spec->user->gid);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (client < 0 || listener < 0 || log < 0 || lock < 0 || null < 0 || setsid() < 0 ||
	    dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 ||
	    dup2(client, CLIENT_FD) < 0 || dup2(listener, LISTEN_FD) < 0 ||
	    dup2(lock, LOCK_FD) < 0 || close_range(FIRST_OTHER_FD, ~0U, 0) != 0)
		_exit(126);
	execve(spec->program, (char *const *)argv, (char *const *)env);
	_exit(127);
}

int sn_demo_helper_start(struct sn_demo_helper *helper, const struct sn_demo_helper_spec *spec,
			 struct sn_err *err)
{
	int fds[2];
	int code = sn_ipc_pair(fds);

	*helper = (struct sn_demo_helper){0};
	if (code != 0)
		return sn_err_sys(err, code, "cannot make a socket");
	if (access(spec->program, X_OK) != 0) {
		code = sn_err_sys(err, -errno, "cannot run '%s' (is it installed?)", spec->program);
		close(fds[0]);
		close(fds[1]);
		return code;
	}
	helper->pid = fork();
	if (helper->pid == 0)
		become_helper(spec, fds[1]);
	close(fds[1]);
	if (helper->pid < 0) {
		helper->pid = 0;
		close(fds[0]);
		return sn_err_sys(err, -errno, "cannot start '%s'", spec->program);
	}
	helper->priv = sn_priv_from_fd(fds[0]);
	return 0;
}

void sn_demo_helper_stop(struct sn_demo_helper *helper)
{
	if (helper->pid == 0)
		return;
	sn_priv_close(helper->priv);
	for (int i = 0; i < STOP_STEPS && waitpid(helper->pid, NULL, WNOHANG) == 0; i++)
		usleep(STOP_STEP_US);
	*helper = (struct sn_demo_helper){0};
}
