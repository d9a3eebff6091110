/* SPDX-License-Identifier: Apache-2.0 */
/* The programs: what they are started with, and how they end. */
#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/up/up.h"
#include "net/addr.h"

#define LOCAL_DEFAULT "127.0.0.1:8080"
#define LOCAL_ANY     "127.0.0.1:0"
#define NODE_END_WAIT (8 * SN_NS_PER_S)
#define HUB_END_WAIT  (8 * SN_NS_PER_S)
#define PRIV_WAIT     (5 * SN_NS_PER_S)
#define PRIV_LOOK     (20 * SN_NS_PER_MS)

/* Waiting --------------------------------------------------------------- */

struct deadline {
	struct sn_timer timer;
	bool passed;
};

static void deadline_passed(struct sn_timer *timer)
{
	struct deadline *deadline = sn_container_of(timer, struct deadline, timer);

	deadline->passed = true;
	sn_loop_stop(timer->loop, 1);
}

void sn_up_wake(struct sn_up *up)
{
	/* Signals stop the loop with 0. */
	sn_loop_stop(up->loop, 1);
}

int sn_up_wait(struct sn_up *up, const bool *flag, uint64_t timeout_ns)
{
	struct deadline deadline = {.passed = false};
	int rc = 0;

	sn_timer_init(&deadline.timer, up->loop, deadline_passed);
	sn_timer_in(&deadline.timer, timeout_ns);
	while (!*flag && !deadline.passed && rc == 0)
		rc = sn_loop_run(up->loop) == 0 ? -EINTR : 0;
	sn_timer_stop(&deadline.timer);
	return rc != 0 || *flag ? rc : -ETIMEDOUT;
}

/* Command lines --------------------------------------------------------- */

void sn_up_arg(struct sn_up_argv *argv, const char *format, ...)
{
	va_list args;

	if (argv->count == SN_UP_ARGS_MAX)
		abort(); /* a bug: the number of arguments does not depend on anything outside */
	va_start(args, format);
	if (vasprintf(&argv->items[argv->count++], format, args) < 0)
		abort(); /* out of memory */
	va_end(args);
}

void sn_up_argv_finish(struct sn_up_argv *argv)
{
	for (size_t i = 0; i < argv->count; i++)
		free(argv->items[i]);
	*argv = (struct sn_up_argv){0};
}

void sn_up_command(const struct sn_up *up, const char *name, struct sn_up_argv *argv)
{
	sn_up_argv_finish(argv);
	argv->count = sn_rights_prefix(&up->rights, argv->items);
	sn_up_arg(argv, "%s/%s", up->programs, name);
}

/* Directories ----------------------------------------------------------- */

static struct sn_rights new_owner; /* nftw(3) hands nothing on */

/*
 * The directory was its former owner's to write: only what cannot lead out of it
 * is given away.
 */
static int give_one(const char *path, const struct stat *st, int type SN_UNUSED,
		    struct FTW *ftw SN_UNUSED)
{
	if (!S_ISDIR(st->st_mode) && (!S_ISREG(st->st_mode) || st->st_nlink != 1))
		return 0;
	return lchown(path, new_owner.uid, new_owner.gid) == 0 ? 0 : -errno;
}

/* Made if absent; when another user runs the programs than last time, it becomes theirs. */
static int make_dir(const struct sn_up *up, const char *path, struct sn_err *err)
{
	int rc = sn_fs_mkdirs(path, 0700, err);
	struct stat st;

	if (rc != 0 || geteuid() != 0 || (stat(path, &st) == 0 && st.st_uid == up->rights.uid))
		return rc;
	new_owner = up->rights;
	rc = nftw(path, give_one, 16, FTW_PHYS | FTW_MOUNT);
	if (rc != 0)
		return sn_err_sys(err, rc == -1 ? -errno : rc, "cannot give '%s' to user '%s'",
				  path, up->rights.user);
	return 0;
}

/* Whom root chooses must be able to get there. */
static int make_state_dir(const struct sn_up *up, struct sn_err *err)
{
	mode_t mode = up->rights.switches ? 0711 : 0700;
	int rc = sn_fs_mkdirs(up->config->state, mode, err);

	if (rc == 0 && up->rights.switches && chmod(up->config->state, mode) != 0)
		rc = sn_err_sys(err, -errno, "cannot open '%s' for user '%s'", up->config->state,
				up->rights.user);
	return rc;
}

int sn_up_prepare(struct sn_up *up, struct sn_err *err)
{
	sn_autofree char *node_program = NULL;
	sn_autofree char *lock_path = NULL;
	int rc;

	up->programs = sn_fs_self_dir();
	node_program = sn_fs_join(up->programs, "sonde-node");
	up->hub_dir = sn_fs_join(up->config->state, "hub");
	up->node_dir = sn_fs_join(up->config->state, "node");
	up->priv_socket = sn_fs_join(up->config->state, "priv.sock");
	lock_path = sn_fs_join(up->config->state, "up.lock");

	rc = sn_rights_find(up->config->user, node_program, &up->rights, err);
	if (rc == 0)
		rc = make_state_dir(up, err);
	if (rc != 0)
		return rc;
	up->lock = sn_fs_lock(lock_path, err);
	if (up->lock == -EAGAIN)
		return sn_err_wrap(err, "another 'sonde up' runs with this directory");
	if (up->lock < 0)
		return up->lock;
	rc = make_dir(up, up->hub_dir, err);
	return rc != 0 ? rc : make_dir(up, up->node_dir, err);
}

/* Hub ------------------------------------------------------------------- */

/* The usual port may be somebody else's; then any free one does, and is kept. */
static bool port_is_free(const char *text)
{
	struct sn_addr addr;
	int on = 1, fd;
	bool is_free;

	if (sn_addr_parse(sn_str(text), 0, &addr) != 0)
		return true;
	fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	is_free = bind(fd, &addr.sa, addr.length) == 0 || errno != EADDRINUSE;
	close(fd);
	return is_free;
}

static const char *first_local(const struct sn_up *up)
{
	if (up->config->local != NULL)
		return up->config->local;
	return port_is_free(LOCAL_DEFAULT) ? LOCAL_DEFAULT : LOCAL_ANY;
}

static void hub_command(struct sn_up *up, const char *local, const char *listen)
{
	struct sn_up_argv *argv = &up->hub_argv;

	sn_up_command(up, "sonde-hub", argv);
	sn_up_arg(argv, "--state");
	sn_up_arg(argv, "%s", up->hub_dir);
	sn_up_arg(argv, "--json");
	sn_up_arg(argv, "--set");
	sn_up_arg(argv, "local=%s", local);
	sn_up_arg(argv, "--set");
	sn_up_arg(argv, "listen=%s", listen);
	if (up->rights.switches) {
		sn_up_arg(argv, "--set");
		sn_up_arg(argv, "announce=false");
	}
	up->hub.argv = (const char *const *)argv->items;
}

static char *host_and_port(const char *url)
{
	const char *start = strstr(url, "://");

	start = start != NULL ? start + 3 : url;
	return sn_xstrndup(start, strcspn(start, "/"));
}

/* A hub that is started again must be found where the first one was. */
static void pin_ports(struct sn_up *up)
{
	sn_autofree char *local = host_and_port(up->url);
	sn_autofree char *listen = up->config->listen != NULL ? sn_xstrdup(up->config->listen)
							      : host_and_port(up->node_url);

	hub_command(up, local, listen);
}

/* Root's own copy of hub.json: the hub, as somebody else, cannot put it there. */
static void announce(struct sn_up *up)
{
	sn_autofree char *source = sn_fs_join(up->hub_dir, "hub.json");
	sn_autofree char *path = sn_place_announcement();
	sn_autofree char *dir = sn_xstrndup(path, (size_t)(strrchr(path, '/') - path));
	struct sn_buf text = {0};

	if (!up->rights.switches)
		return;
	if (sn_fs_read(source, SN_PLACE_FILE_MAX, &text, NULL) == 0 &&
	    sn_fs_mkdirs(dir, 0700, NULL) == 0 &&
	    sn_fs_write_atomic(path, text.p, text.n, 0600, NULL) == 0) {
		free(up->announced);
		up->announced = sn_steal(&path);
	}
	sn_buf_finish(&text);
}

/* The hub's first line says where it is; after a restart its token is another one. */
static void hub_line(struct sn_child *child SN_UNUSED, struct sn_str line, void *ctx)
{
	struct sn_up *up = ctx;
	sn_autojson json_t *json = sn_json_parse(line.p, line.n, NULL);
	const char *url = sn_output_text(json, "url");
	const char *login_url = sn_output_text(json, "login_url");
	const char *node_url = sn_output_text(json, "node_url");

	if (url == NULL || node_url == NULL)
		return;
	announce(up);
	if (up->hub_ready)
		return;
	up->url = sn_xstrdup(url);
	up->node_url = sn_xstrdup(node_url);
	up->login_url = login_url != NULL ? sn_xstrdup(login_url) : NULL;
	up->hub_ready = up->wake = true;
	sn_up_wake(up);
}

static void child_ended(struct sn_child *child SN_UNUSED, void *ctx)
{
	struct sn_up *up = ctx;

	up->wake = true;
	sn_up_wake(up);
}

static int open_client(struct sn_up *up, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(up->hub_dir, "hub.json");
	struct sn_place place;
	int rc = sn_place_read(path, &place, err);

	if (rc != 0)
		return sn_err_wrap(err, "cannot find the hub");
	up->client = sn_client_open_on(up->loop, &place);
	return 0;
}

int sn_up_start_hub(struct sn_up *up, struct sn_err *err)
{
	const char *listen = up->config->listen != NULL ? up->config->listen : LOCAL_ANY;
	int rc;

	sn_child_init(&up->hub, up->loop, "sonde-hub");
	up->hub.ctx = up;
	up->hub.on_line = hub_line;
	up->hub.on_end = child_ended;
	hub_command(up, first_local(up), listen);
	rc = sn_child_start(&up->hub, err);
	if (rc != 0)
		return rc;
	rc = sn_up_wait(up, &up->wake, SN_UP_HUB_WAIT);
	if (rc == -ETIMEDOUT)
		return sn_err_set(err, rc, "the hub was not ready in time");
	if (rc != 0)
		return sn_err_set(err, rc, "interrupted");
	if (!up->hub_ready)
		return sn_err_set(err, -EIO, "the hub did not start (its reason stands above)");
	pin_ports(up);
	up->hub.keep = true;
	return open_client(up, err);
}

/* Priv and node --------------------------------------------------------- */

/* It is there when its socket is. */
static int wait_for_priv(struct sn_up *up, struct sn_err *err)
{
	bool never = false;

	for (uint64_t waited = 0; waited < (uint64_t)PRIV_WAIT; waited += PRIV_LOOK) {
		int rc;

		if (sn_fs_exists(up->priv_socket))
			return 0;
		if (!sn_child_runs(&up->priv))
			break;
		rc = sn_up_wait(up, &never, PRIV_LOOK);
		if (rc == -EINTR)
			return sn_err_set(err, rc, "interrupted");
	}
	return sn_err_set(err, -EIO, "sonde-priv did not start (its reason stands above)");
}

int sn_up_start_priv(struct sn_up *up, struct sn_err *err)
{
	struct sn_up_argv *argv = &up->priv_argv;
	int rc;

	if (!up->rights.switches)
		return 0;
	unlink(up->priv_socket); /* of a run that was killed */
	sn_child_init(&up->priv, up->loop, "sonde-priv");
	up->priv.ctx = up;
	up->priv.on_end = child_ended;
	sn_up_arg(argv, "%s/sonde-priv", up->programs);
	sn_up_arg(argv, "--socket");
	sn_up_arg(argv, "%s", up->priv_socket);
	sn_up_arg(argv, "--user");
	sn_up_arg(argv, "%u:%u", (unsigned)up->rights.uid, (unsigned)up->rights.gid);
	up->priv.argv = (const char *const *)argv->items;
	rc = sn_child_start(&up->priv, err);
	if (rc == 0)
		rc = wait_for_priv(up, err);
	up->priv.keep = rc == 0;
	return rc;
}

int sn_up_start_node(struct sn_up *up, struct sn_err *err)
{
	struct sn_up_argv *argv = &up->node_argv;
	int rc;

	sn_child_init(&up->node, up->loop, "sonde-node");
	up->node.ctx = up;
	up->node.on_end = child_ended;
	sn_up_command(up, "sonde-node", argv);
	sn_up_arg(argv, "--state");
	sn_up_arg(argv, "%s", up->node_dir);
	sn_up_arg(argv, "--set");
	sn_up_arg(argv, "hub_urls=%s", up->node_url);
	if (sn_child_runs(&up->priv)) {
		sn_up_arg(argv, "--set");
		sn_up_arg(argv, "priv_socket=%s", up->priv_socket);
	}
	up->node.argv = (const char *const *)argv->items;
	rc = sn_child_start(&up->node, err);
	up->node.keep = rc == 0;
	return rc;
}

/* The end --------------------------------------------------------------- */

static void stop_child(struct sn_up *up, struct sn_child *child, uint64_t wait_ns)
{
	uint64_t end_ns = sn_mono_ns() + wait_ns;

	if (child->loop == NULL)
		return;
	sn_child_stop(child);
	while (sn_child_runs(child) && sn_mono_ns() < end_ns) {
		up->wake = false;
		/* A second Ctrl-C is the end of patience. */
		if (sn_up_wait(up, &up->wake, end_ns - sn_mono_ns()) == -EINTR)
			break;
	}
	sn_child_finish(child);
}

void sn_up_stop(struct sn_up *up)
{
	/* The node first: what it still has it can deliver. */
	stop_child(up, &up->node, NODE_END_WAIT);
	stop_child(up, &up->priv, NODE_END_WAIT);
	sn_client_close(up->client);
	up->client = NULL;
	stop_child(up, &up->hub, HUB_END_WAIT);
}

void sn_up_finish(struct sn_up *up)
{
	if (up->announced != NULL)
		unlink(up->announced);
	if (up->lock >= 0)
		close(up->lock);
	sn_up_argv_finish(&up->hub_argv);
	sn_up_argv_finish(&up->node_argv);
	sn_up_argv_finish(&up->priv_argv);
	free(up->announced);
	free(up->programs);
	free(up->hub_dir);
	free(up->node_dir);
	free(up->priv_socket);
	free(up->url);
	free(up->login_url);
	free(up->node_url);
}
