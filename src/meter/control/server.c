/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "meter"
#include "meter/control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/util.h"
#include "meter/control/ini.h"
#include "net/http_server.h"

#define OPENMETRICS     "application/openmetrics-text"
#define BODY_MAX        (64 * 1024)
#define CONNECTIONS_MAX 32
#define LEASE_MAX_NS    (366 * 86400 * SN_NS_PER_S)

struct sn_control {
	struct sn_control_options options;
	struct sn_settings *settings;
	struct sn_loop *loop;
	struct sn_http_server *server, *metrics;
	struct sn_timer expiry, check;
	struct sn_io stopper;
	int listener, stop_fd;
	pthread_t thread;
	bool running;
	struct timespec loaded,
		seen;  /* time of change of runtime.conf: as in force, as last looked at */
	unsigned same; /* how often it looked like `seen` */
};

/* Settings ------------------------------------------------------------------ */

static void refuse(struct sn_http_request *request, const struct sn_err *err)
{
	unsigned status = err->code == -ENOENT ? 404 : err->code == -ENOSPC ? 409 : 422;

	sn_http_problem(request, status, "meter-settings",
			"The settings cannot be changed that way", "%s", err->text);
}

/* Leases run on the clock that does not jump. */
static int64_t lease_clock(const struct sn_control *control)
{
	return (int64_t)sn_loop_now(control->loop);
}

static json_t *describe(const struct sn_control *control)
{
	return sn_settings_describe(control->settings,
				    sn_loop_wall_now(control->loop) - lease_clock(control));
}

static void arm_expiry(struct sn_control *control)
{
	int64_t now_ns = lease_clock(control);
	int64_t next_ns = sn_settings_expire(control->settings, now_ns);

	sn_timer_stop(&control->expiry);
	if (next_ns != INT64_MAX)
		sn_timer_in(&control->expiry, (uint64_t)SN_MAX(next_ns - now_ns, (int64_t)0));
}

static void expire(struct sn_timer *timer)
{
	arm_expiry(sn_container_of(timer, struct sn_control, expiry));
}

static void get_settings(struct sn_http_request *request, void *ctx)
{
	struct sn_control *control = ctx;

	sn_http_reply_json(request, 200, describe(control));
}

static int read_change(struct sn_str body, json_t **changes, int64_t *for_ns, struct sn_err *err)
{
	sn_autojson json_t *json = sn_json_parse(body.p, body.n, err);
	const char *duration = NULL;
	int result = 0;

	if (json == NULL)
		return err->code;
	*for_ns = 0;
	*changes = json_incref(json_object_get(json, "changes"));
	if (json_object_get(json, "for") != NULL)
		result = sn_json_get_str(json, "for", &duration, err);
	if (result == 0 && duration != NULL &&
	    (sn_parse_duration(sn_str(duration), for_ns) != 0 || *for_ns <= 0 ||
	     *for_ns > LEASE_MAX_NS))
		result = sn_err_set(err, -EINVAL, "'for' is no duration up to a year (\"5m\")");
	return result;
}

static void change_settings(struct sn_http_request *request, void *ctx)
{
	struct sn_control *control = ctx;
	sn_autojson json_t *changes = NULL;
	struct sn_err err = {0};
	uint64_t lease = 0;
	int64_t for_ns = 0;
	int result = read_change(sn_http_body(request), &changes, &for_ns, &err);

	if (result == 0)
		result = sn_settings_change(control->settings, changes, for_ns,
					    lease_clock(control), &lease, &err);
	if (result != 0) {
		refuse(request, &err);
		return;
	}
	arm_expiry(control);
	json_t *answer = describe(control);

	if (lease != 0)
		json_object_set_new(answer, "lease", json_integer((json_int_t)lease));
	sn_http_reply_json(request, 200, answer);
}

static void end_lease(struct sn_http_request *request, void *ctx)
{
	struct sn_control *control = ctx;
	struct sn_err err = {0};
	uint64_t lease;
	int result = sn_parse_u64(sn_str(sn_http_param(request, "lease")), 1, UINT64_MAX, &lease);

	if (result == 0)
		result = sn_settings_release(control->settings, lease, &err);
	else
		sn_err_set(&err, -ENOENT, "'%.40s' is no lease's number",
			   sn_http_param(request, "lease"));
	if (result != 0) {
		refuse(request, &err);
		return;
	}
	arm_expiry(control);
	sn_http_reply_json(request, 200, describe(control));
}

static void get_stats(struct sn_http_request *request, void *ctx)
{
	const struct sn_control *control = ctx;

	sn_http_reply_json(request, 200, control->options.stats(control->options.ctx));
}

static void get_metrics(struct sn_http_request *request, void *ctx)
{
	const struct sn_control *control = ctx;
	const char *accept = sn_http_header(request, "Accept");
	bool open_metrics = accept != NULL && strcasestr(accept, OPENMETRICS) != NULL;
	struct sn_buf text = {0};

	control->options.metrics(&text, open_metrics, control->options.ctx);
	sn_http_reply(request, 200,
		      open_metrics ? OPENMETRICS "; version=1.0.0; charset=utf-8"
				   : "text/plain; version=0.0.4; charset=utf-8",
		      text.p, text.n);
	sn_buf_finish(&text);
}

#define METRICS_ROUTE                                                                              \
	{                                                                                          \
		.method = "GET", .pattern = "/metrics", .handle = get_metrics                      \
	}

static const struct sn_http_route routes[] = {
	{.method = "GET", .pattern = "/v1/settings", .handle = get_settings},
	{.method = "PATCH",
	 .pattern = "/v1/settings",
	 .handle = change_settings,
	 .max_body = BODY_MAX},
	{.method = "DELETE", .pattern = "/v1/leases/{lease}", .handle = end_lease},
	{.method = "GET", .pattern = "/v1/stats", .handle = get_stats},
	METRICS_ROUTE,
};

static const struct sn_http_route metrics_routes[] = {METRICS_ROUTE};

/* runtime.conf ---------------------------------------------------------------- */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void load_runtime_conf(struct sn_control *control)
{
	const char *path = control->options.runtime_conf;
	struct sn_settings_values values = control->options.values;
	struct sn_buf text = {0}, ignored = {0};
	struct sn_err err = {0};
	int result = sn_fs_read(path, SN_INI_SIZE_MAX, &text, &err);

	if (result == 0)
		result = sn_runtime_conf_parse(sn_buf_str(&text), path, &values, &ignored, &err);
	if (result == 0)
		result = sn_settings_replace(control->settings, &values, &err);
	if (result != 0)
		sn_error("settings stay as they are reason=\"%s\"", err.text);
	else
		sn_notice("settings changed file=%s%s%s", path,
			  ignored.n > 0 ? " without effect: " : "", sn_buf_cstr(&ignored));
	sn_buf_finish(&text);
	sn_buf_finish(&ignored);
}

/* A file that is being written changes again: it is read once it was the same for some looks. */
static void check_runtime_conf(struct sn_timer *timer)
{
	struct sn_control *control = sn_container_of(timer, struct sn_control, check);
	struct stat info;

	sn_timer_in(timer, (uint64_t)control->options.check_ns);
	if (stat(control->options.runtime_conf, &info) != 0) {
		SN_LOG_LIMITED(SN_LOG_WARNING, "settings stay as they are: no file '%s'",
			       control->options.runtime_conf);
		return;
	}
	if (!same_time(&info.st_mtim, &control->seen)) {
		control->seen = info.st_mtim;
		control->same = 0;
	} else {
		control->same++;
	}
	if (control->same >= control->options.checks &&
	    !same_time(&control->seen, &control->loaded)) {
		control->loaded = control->seen;
		load_runtime_conf(control);
	}
}

static void watch_runtime_conf(struct sn_control *control)
{
	struct stat info;

	if (control->options.runtime_conf == NULL)
		return;
	if (stat(control->options.runtime_conf, &info) == 0)
		control->loaded = control->seen = info.st_mtim;
	sn_timer_in(&control->check, (uint64_t)control->options.check_ns);
}

/* Life -------------------------------------------------------------------------- */

static bool is_answered(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered =
		fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		close(fd);
	return answered;
}

/* Of two meters that start at once one waits here until the other answers. */
static int lock_directory(const char *path, struct sn_err *err)
{
	sn_autofree char *copy = sn_xstrdup(path);
	const char *directory = dirname(copy);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		return fd;
	sn_err_sys(err, -errno, "cannot listen on '%s'", path);
	if (fd >= 0)
		close(fd);
	return err->code;
}

/* What is no socket stays: then bind() says that the name is taken. */
static void remove_socket(const char *path)
{
	struct stat info;

	if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode))
		unlink(path);
}

static int listen_at(const struct sockaddr_un *address, struct sn_err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), result = 0;
	mode_t before;

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open a socket");
	before = umask(0177);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
	    listen(fd, CONNECTIONS_MAX) != 0)
		result = -errno;
	umask(before);
	if (result == 0)
		return fd;
	close(fd);
	return sn_err_sys(err, result, "cannot listen on '%s'", address->sun_path);
}

static int open_socket(const char *path, struct sn_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int lock, result;

	if (strlen(path) >= sizeof(address.sun_path))
		return sn_err_set(
			err, -ENAMETOOLONG,
			"cannot listen on '%s': the path of a socket has at most %zu bytes", path,
			sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	lock = lock_directory(path, err);
	if (lock < 0)
		return lock;
	if (is_answered(&address)) {
		result = sn_err_set(err, -EADDRINUSE, "cannot listen on '%s': another meter does",
				    path);
	} else {
		remove_socket(path);
		result = listen_at(&address, err);
	}
	close(lock);
	return result;
}

static void stop(struct sn_io *io, int events SN_UNUSED)
{
	sn_loop_stop(sn_container_of(io, struct sn_control, stopper)->loop, 0);
}

static int start_server(struct sn_control *control, struct sn_err *err)
{
	struct sn_http_config config = {
		.routes = routes,
		.route_count = SN_COUNT(routes),
		.ctx = control,
		.max_connections = CONNECTIONS_MAX,
	};

	if (control->listener < 0)
		return 0;
	control->server = sn_http_server_create(control->loop, &config);
	return sn_http_server_listen(control->server, NULL, control->listener, NULL, NULL, err);
}

/* The server refuses every address that is not on loopback. */
static int start_metrics(struct sn_control *control, struct sn_err *err)
{
	const char *text = control->options.metrics_address;
	struct sn_http_config config = {
		.routes = metrics_routes,
		.route_count = SN_COUNT(metrics_routes),
		.ctx = control,
		.max_connections = CONNECTIONS_MAX,
	};
	struct sn_addr addr;

	if (text == NULL)
		return 0;
	if (sn_addr_parse(sn_str(text), 0, &addr) != 0 || sn_addr_port(&addr) == 0)
		return sn_err_set(err, -EINVAL,
				  "cannot tell metrics on '%s': it is no ADDRESS:PORT (as "
				  "127.0.0.1:9110)",
				  text);
	control->metrics = sn_http_server_create(control->loop, &config);
	return sn_http_server_listen(control->metrics, &addr, -1, NULL, NULL, err);
}

int sn_control_create(const struct sn_control_options *options, struct sn_control **out,
		      struct sn_err *err)
{
	struct sn_control *control = sn_new(struct sn_control);
	int result = 0;

	control->options = *options;
	control->listener = control->stop_fd = -1;
	control->settings = sn_settings_create(&options->values, options->apply, options->ctx);
	control->loop = sn_loop_create(NULL);
	sn_timer_init(&control->expiry, control->loop, expire);
	sn_timer_init(&control->check, control->loop, check_runtime_conf);
	control->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control->stop_fd < 0)
		result = sn_err_sys(err, -errno, "cannot create a descriptor");
	if (result == 0 && options->socket_path != NULL) {
		control->listener = open_socket(options->socket_path, err);
		result = SN_MIN(control->listener, 0);
	}
	if (result == 0)
		result = start_server(control, err);
	if (result == 0)
		result = start_metrics(control, err);
	if (result != 0) {
		sn_control_destroy(control);
		return result;
	}
	*out = control;
	return 0;
}

static void *run(void *ctx)
{
	struct sn_control *control = ctx;

	sn_loop_run(control->loop);
	return NULL;
}

/* Signals are for the thread that meters. */
int sn_control_start(struct sn_control *control, struct sn_err *err)
{
	sigset_t all, before;
	int result;

	sn_io_init(&control->stopper, control->loop, control->stop_fd, stop);
	result = sn_io_start(&control->stopper, SN_IO_READ);

	if (result != 0)
		return sn_err_sys(err, result, "cannot start the meter's control");
	watch_runtime_conf(control);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = -pthread_create(&control->thread, NULL, run, control);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	control->running = result == 0;
	return result == 0 ? 0 : sn_err_sys(err, result, "cannot start the meter's control");
}

void sn_control_destroy(struct sn_control *control)
{
	static const uint64_t one = 1;

	if (control == NULL)
		return;
	if (control->running && write(control->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(control->thread, NULL);
	sn_io_stop(&control->stopper);
	sn_timer_stop(&control->expiry);
	sn_timer_stop(&control->check);
	sn_http_server_destroy(control->server);
	sn_http_server_destroy(control->metrics);
	sn_loop_destroy(control->loop);
	sn_settings_destroy(control->settings);
	if (control->listener >= 0)
		unlink(control->options.socket_path);
	if (control->stop_fd >= 0)
		close(control->stop_fd);
	free(control);
}
