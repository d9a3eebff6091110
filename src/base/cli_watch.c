/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `--watch`: a verb that shows how things are, again and again on the same screen.
 *
 * Each time is a process of its own: verbs need not know, and leave nothing behind.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/cli_internal.h"
#include "base/clock.h"

#define FRAME_MAX (1 << 20) /* so that a screen is cleared and written in one piece */
#define CLEAR     "\033[H\033[2J"

static _Noreturn void draw(const struct sn_cli_watched *watched, const sigset_t *mask)
{
	char every[SN_DURATION_TEXT_MAX];
	int code;

	sigprocmask(SIG_SETMASK, mask, NULL);
	setvbuf(stdout, NULL, _IOFBF, FRAME_MAX);
	printf(CLEAR "every %s, Ctrl-C ends\n\n",
	       sn_format_duration(watched->period_ns, every, sizeof(every)));
	code = watched->verb->run(watched->verb, watched->options, watched->argc, watched->argv);
	exit(fflush(stdout) == 0 ? code : SN_EXIT_FAILED);
}

/* Exit code of one drawing; -1 if a signal ended it. */
static int draw_once(const struct sn_cli_watched *watched, const sigset_t *mask)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		draw(watched, mask);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return sn_cli_fail(SN_EXIT_FAILED, "cannot draw again: no process can be made");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A hub that is away for a moment is no reason to stop; a command that can never work is. */
static bool may_go_on(int code, bool first)
{
	return code == SN_EXIT_OK || code == SN_EXIT_PARTIAL ||
	       (!first && (code == SN_EXIT_UNREACHABLE || code == SN_EXIT_FAILED));
}

int sn_cli_watch(const struct sn_cli_watched *watched)
{
	const struct timespec pause = {.tv_sec = watched->period_ns / SN_NS_PER_S,
				       .tv_nsec = watched->period_ns % SN_NS_PER_S};
	sigset_t ends, before;
	int code, number = -1;

	if (!isatty(STDOUT_FILENO))
		return sn_cli_fail(SN_EXIT_USAGE, "cannot redraw: standard output is no terminal "
						  "(leave '--watch' out)");
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, &before);
	code = draw_once(watched, &before);
	for (bool first = true; may_go_on(code, first) && number < 0; first = false) {
		number = sigtimedwait(&ends, NULL, &pause);
		if (number < 0)
			code = draw_once(watched, &before);
	}
	/* One that has ended a drawing is still to be taken from us. */
	if (code < 0)
		sigtimedwait(&ends, NULL, &(struct timespec){0});
	sigprocmask(SIG_SETMASK, &before, NULL);
	return number > 0 || code < 0 ? SN_EXIT_OK : code;
}
