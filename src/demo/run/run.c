/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "demo"
#include "demo/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/fs.h"
#include "base/ipc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "demo/demo.h"
#include "demo/run/demo_internal.h"
#include "demo/run/stage.h"

#define CHECK_NS (500 * SN_NS_PER_MS)
#define TURN_NS  (50 * SN_NS_PER_MS)

void sn_demo_say(const struct sn_demo *demo, const char *format, ...)
{
	va_list args;

	if (demo->options->headless)
		return;
	va_start(args, format);
	fprintf(stderr, "sonde demo: ");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static void stop(struct sn_demo *demo)
{
	demo->stop = true;
	sn_loop_stop(demo->loop, 0);
}

void sn_demo_fail(struct sn_demo *demo, const struct sn_err *err)
{
	if (!demo->failed)
		demo->failure = *err;
	demo->failed = true;
	stop(demo);
}

int sn_demo_turn(struct sn_demo *demo, struct sn_err *err)
{
	sn_loop_turn(demo->loop, TURN_NS);
	if (demo->failed)
		*err = demo->failure;
	return demo->failed ? err->code : demo->stop ? -ECANCELED : 0;
}

/* As root -------------------------------------------------------------------------- */

/* In a child, because what is tried cannot be undone. */
static bool can_make_namespaces(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int check_machine(struct sn_err *err)
{
	if (geteuid() != 0)
		return sn_err_set(
			err, -EPERM,
			"cannot build the demo internet: not root (run 'sudo sonde demo', "
			"or 'sonde up', which needs no root)");
	if (access("/dev/net/tun", R_OK | W_OK) != 0)
		return sn_err_sys(err, -errno,
				  "cannot build the demo internet: cannot use '/dev/net/tun' (run "
				  "'sonde up', which needs no devices)");
	if (!can_make_namespaces())
		return sn_err_set(
			err, -EPERM,
			"cannot build the demo internet: this machine lets even root make "
			"no network namespaces (run 'sonde up', which needs none)");
	return 0;
}

/* Between enter and leave: files are made as the user. */
static int make_files(struct sn_demo *demo, const struct sn_stage *stage, int *listener, int *log,
		      struct sn_err *err)
{
	sn_autofree char *socket_path = sn_demo_place_path(&demo->place, "run/priv");
	sn_autofree char *log_path = sn_demo_place_path(&demo->place, "log/sonde-priv.log");
	int code = sn_demo_place_prepare(&demo->place, err);

	if (code == 0)
		code = sn_stage_copy(stage, demo->place.dir, err);
	if (code != 0)
		return code;
	*listener = sn_ipc_listen(socket_path, 0600, err);
	if (*listener < 0)
		return *listener;
	*log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return *log >= 0 ? 0 : sn_err_sys(err, -errno, "cannot write '%s'", log_path);
}

static int start_helper(struct sn_demo *demo, const char *self_dir, int listener, int log,
			struct sn_err *err)
{
	sn_autofree char *program = sn_fs_join(self_dir, "sonde-priv");
	sn_autofree char *program_dir = sn_demo_place_path(&demo->place, "bin");
	const struct sn_demo_helper_spec spec = {
		.program = program,
		.program_dir = program_dir,
		.prefix = demo->prefix,
		.user = &demo->user,
		.listen_fd = listener,
		.log_fd = log,
		.lock_fd = demo->place.lock,
	};

	return sn_demo_helper_start(&demo->helper, &spec, err);
}

static int stage_and_start(struct sn_demo *demo, const char *self_dir, struct sn_stage *stage,
			   struct sn_err *err)
{
	sn_autoclose int listener = -1, log = -1;
	int code = sn_demo_user_find(&demo->user, err);

	if (code == 0)
		code = sn_stage_open(stage, self_dir, err);
	if (code == 0)
		code = sn_demo_place_open(&demo->place,
					  demo->options->state != NULL ? demo->options->state
								       : SN_DEMO_STATE_DIR,
					  &demo->user, err);
	if (code == 0)
		code = sn_demo_user_enter(&demo->user, err);
	if (code != 0)
		return code;
	sn_demo_place_prefix(&demo->place, demo->prefix);
	demo->has_web = stage->has_web;
	code = make_files(demo, stage, &listener, &log, err);
	if (sn_demo_user_leave(code == 0 ? err : NULL) != 0)
		return code == 0 ? err->code : code;
	if (code == 0)
		code = start_helper(demo, self_dir, listener, log, err);
	else if (demo->place.made)
		rmdir(demo->place.dir); /* if nothing is in it yet */
	return code;
}

/* Everything that needs root, then no root any more. */
static int begin(struct sn_demo *demo, struct sn_err *err)
{
	struct sn_stage *stage = sn_new(struct sn_stage);
	sn_autofree char *self_dir = sn_fs_self_dir();
	int code = check_machine(err), dropped;

	if (code == 0)
		code = stage_and_start(demo, self_dir, stage, err);
	sn_stage_close(stage);
	free(stage);
	if (demo->user.uid == 0)
		return code;
	dropped = sn_demo_user_become(&demo->user, code == 0 ? err : NULL);
	return code != 0 ? code : dropped;
}

/* As the user ------------------------------------------------------------------------- */

/* What the caller's environment says is about the caller, who is somebody else by now. */
static void set_environment(const struct sn_demo *demo)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	sn_autofree char *of_user = sn_xasprintf("/run/user/%u", (unsigned)demo->user.uid);

	setenv("HOME", demo->place.dir, 1);
	if (runtime == NULL || access(runtime, W_OK | X_OK) != 0)
		setenv("XDG_RUNTIME_DIR", of_user, 1);
	unsetenv("XDG_STATE_HOME");
	unsetenv("NOTIFY_SOCKET");
}

static void signal_came(struct sn_io *io, int events SN_UNUSED)
{
	struct sn_demo *demo = sn_container_of(io, struct sn_demo, signal_io);
	struct signalfd_siginfo info;

	while (read(io->fd, &info, sizeof(info)) == sizeof(info))
		stop(demo);
}

static void helper_ended(struct sn_io *io, int events SN_UNUSED)
{
	struct sn_demo *demo = sn_container_of(io, struct sn_demo, helper_io);
	struct sn_err err;

	sn_io_stop(io);
	demo->helper_gone = true;
	sn_err_set(&err, -ECHILD,
		   "the root helper ended (namespaces '%s*' stay until the next start; see "
		   "'%s/log/sonde-priv.log')",
		   demo->prefix, demo->place.dir);
	sn_demo_fail(demo, &err);
}

static void check(struct sn_timer *timer)
{
	struct sn_demo *demo = sn_container_of(timer, struct sn_demo, check);

	sn_demo_check_programs(demo);
	sn_timer_in(timer, CHECK_NS);
}

static void time_is_over(struct sn_timer *timer)
{
	stop(sn_container_of(timer, struct sn_demo, deadline));
}

static int watch(struct sn_demo *demo, struct sn_err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	demo->loop = sn_loop_create(NULL);
	demo->signal_fd = sigprocmask(SIG_BLOCK, &set, NULL) == 0
				  ? signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)
				  : -1;
	demo->helper_pidfd = pidfd_open(demo->helper.pid, 0);
	if (demo->signal_fd < 0 || demo->helper_pidfd < 0)
		return sn_err_sys(err, -errno, "cannot watch signals and the root helper");
	sn_io_init(&demo->signal_io, demo->loop, demo->signal_fd, signal_came);
	sn_io_init(&demo->helper_io, demo->loop, demo->helper_pidfd, helper_ended);
	sn_timer_init(&demo->check, demo->loop, check);
	sn_timer_init(&demo->deadline, demo->loop, time_is_over);
	sn_timer_in(&demo->check, CHECK_NS);
	if (sn_io_start(&demo->signal_io, SN_IO_READ) != 0 ||
	    sn_io_start(&demo->helper_io, SN_IO_READ) != 0)
		return sn_err_set(err, -EIO, "cannot watch signals and the root helper");
	return 0;
}

static void announce_json(const struct sn_demo *demo)
{
	sn_autofree char *hub_file = sn_demo_place_path(&demo->place, "hub/hub.json");
	sn_autofree char *run_file = sn_demo_place_path(&demo->place, "run.json");
	sn_autojson json_t *json = json_pack(
		"{s:s, s:s, s:s*, s:s, s:s, s:s, s:s, s:I}", "event", "ready", "url", demo->url,
		"login_url", demo->login, "state_dir", demo->place.dir, "hub_file", hub_file,
		"run_file", run_file, "prefix", demo->prefix, "pid", (json_int_t)getpid());

	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
}

static void announce(const struct sn_demo *demo)
{
	const char *state = demo->options->state;
	sn_autofree char *where =
		state != NULL ? sn_xasprintf(" --state %s", state) : sn_xstrdup("");

	if (demo->options->json) {
		announce_json(demo);
		return;
	}
	if (demo->options->headless)
		return;
	printf("\nThe demo internet is up: %s\n", demo->url);
	if (demo->login != NULL)
		printf("Log in once with        %s\n", demo->login);
	printf("\nLook at its links       sonde demo status%s\n"
	       "Break one               sonde demo break loss access-1 20%%%s\n"
	       "Mend everything         sonde demo mend%s\n"
	       "Ctrl-C ends it and removes everything.\n",
	       where, where, where);
	fflush(stdout);
}

static int live(struct sn_demo *demo, struct sn_err *err)
{
	int code = watch(demo, err);

	set_environment(demo);
	if (code == 0)
		code = sn_demo_set_up(demo, err);
	if (code != 0)
		return code;
	sn_demo_write_run_file(demo);
	announce(demo);
	if (demo->options->duration > 0)
		sn_timer_in(&demo->deadline, (uint64_t)demo->options->duration);
	if (!demo->stop)
		sn_loop_run(demo->loop);
	if (demo->failed)
		*err = demo->failure;
	return demo->failed ? err->code : 0;
}

static void close_all(struct sn_demo *demo)
{
	for (size_t i = 0; i < SN_DEMO_LINKS_MAX; i++)
		for (int end = 0; end < 2; end++)
			if (demo->taps[i][end] >= 0)
				close(demo->taps[i][end]);
	for (size_t i = 0; i < SN_COUNT(demo->hub_listeners); i++)
		if (demo->hub_listeners[i] >= 0)
			close(demo->hub_listeners[i]);
}

static void end(struct sn_demo *demo, int code)
{
	if (demo->loop != NULL) {
		sn_demo_say(demo, "stopping");
		sn_timer_stop(&demo->check);
		sn_demo_stop_programs(demo);
		sn_demo_api_destroy(demo->api);
	}
	sn_demo_helper_stop(&demo->helper);
	close_all(demo);
	if (demo->loop != NULL) {
		sn_io_stop(&demo->signal_io);
		sn_io_stop(&demo->helper_io);
		sn_loop_destroy(demo->loop);
		close(demo->signal_fd);
		close(demo->helper_pidfd);
	}
	/* After a failure the logs tell why; the next start removes them. */
	if (code == 0)
		sn_demo_place_remove(&demo->place);
	sn_demo_place_finish(&demo->place);
	free(demo->url);
	free(demo->login);
	free(demo->join_url);
}

int sn_demo_run(const struct sn_demo_options *options)
{
	struct sn_demo *demo;
	struct sn_err err = {0};
	uint64_t port;
	bool logs;
	int code;

	if (options->port != NULL && sn_parse_u64(sn_str(options->port), 0, 65535, &port) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "'--port %s' is no port (0 to 65535)",
				   options->port);
	demo = sn_new(struct sn_demo);
	demo->options = options;
	demo->place.lock = demo->signal_fd = demo->helper_pidfd = -1;
	memset(demo->taps, -1, sizeof(demo->taps));
	memset(demo->hub_listeners, -1, sizeof(demo->hub_listeners));
	code = begin(demo, &err);
	if (code == 0)
		code = live(demo, &err);
	if (code == -ECANCELED && !demo->failed)
		code = 0;
	logs = demo->loop != NULL;
	if (code != 0 && logs)
		sn_cli_fail(SN_EXIT_FAILED, "%s (logs are in '%s/log')", err.text, demo->place.dir);
	else if (code != 0)
		sn_cli_fail(SN_EXIT_FAILED, "%s", err.text);
	end(demo, code);
	free(demo);
	return code == 0 ? SN_EXIT_OK : sn_cli_exit_code(code);
}
