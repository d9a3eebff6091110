/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket of a running meter over real sockets, and processes that hold switches there.
 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/util.h"
#include "meter/control/lease.h"
#include "meter/control/server.h"

#define MS SN_NS_PER_MS

static char dir[64], socket_path[96], conf_path[96];

/* What the server brought about; its thread writes. */
static struct {
	pthread_mutex_t lock;
	struct sn_settings_values values;
	unsigned times;
	int refuse;
} applied = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int apply(const struct sn_settings_values *values, void *ctx, struct sn_err *err)
{
	int refuse;

	assert_ptr_equal(ctx, &applied);
	pthread_mutex_lock(&applied.lock);
	refuse = applied.refuse;
	if (refuse == 0) {
		applied.values = *values;
		applied.times++;
	}
	pthread_mutex_unlock(&applied.lock);
	return refuse != 0 ? sn_err_set(err, refuse, "the disk is full") : 0;
}

static json_t *stats(void *ctx)
{
	(void)ctx;
	return json_pack("{s:i}", "packets", 7);
}

static void metrics(struct sn_buf *out, bool open_metrics, void *ctx)
{
	(void)ctx;
	sn_buf_adds(out, "meter_packets_total 7\n");
	if (open_metrics)
		sn_buf_adds(out, "# EOF\n");
}

static bool http_is_on(void)
{
	bool on;

	pthread_mutex_lock(&applied.lock);
	on = applied.values.logs.on[SN_TSTAT_HTTP_COMPLETE];
	pthread_mutex_unlock(&applied.lock);
	return on;
}

static bool http_becomes(bool on, int64_t within_ns)
{
	int64_t end_ns = (int64_t)sn_mono_ns() + within_ns;

	while (http_is_on() != on && (int64_t)sn_mono_ns() < end_ns)
		usleep(2000);
	return http_is_on() == on;
}

/* The meter ---------------------------------------------------------------------- */

static struct sn_control *control;

static struct sn_control_options meter_options(void)
{
	struct sn_control_options options = {
		.socket_path = socket_path,
		.check_ns = 10 * MS,
		.checks = 3,
		.apply = apply,
		.stats = stats,
		.metrics = metrics,
		.ctx = &applied,
	};

	sn_settings_values_default(&options.values);
	return options;
}

static void start(const struct sn_control_options *options)
{
	struct sn_err err = {0};

	applied.values = options->values;
	applied.times = 0;
	applied.refuse = 0;
	if (sn_control_create(options, &control, &err) != 0 || sn_control_start(control, &err) != 0)
		fail_msg("%s", err.text);
}

static void stop(void)
{
	sn_control_destroy(control);
	control = NULL;
}

static int begin(void **state)
{
	struct sn_control_options options = meter_options();

	(void)state;
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/lo.sock", dir);
	snprintf(conf_path, sizeof(conf_path), "%s/runtime.conf", dir);
	options.socket_path = socket_path;
	start(&options);
	return 0;
}

static int end(void **state)
{
	(void)state;
	stop();
	return sn_fs_remove_tree(dir, NULL);
}

/* Asking ---------------------------------------------------------------------------- */

/* Not 0: where it tells metrics over TCP, instead of the socket. */
static uint16_t metrics_port;

static int connect_to_metrics(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(metrics_port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static uint16_t free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	sn_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

static int connect_to_meter(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static const char *accepted = "*/*";
static char answer[16384];

/* The status; header and body are in `answer`. */
static int ask(const char *method, const char *path, const char *body)
{
	sn_autofree char *request =
		sn_xasprintf("%s %s HTTP/1.1\r\nHost: meter\r\nConnection: close\r\n"
			     "Accept: %s\r\nContent-Type: application/json\r\n"
			     "Content-Length: %zu\r\n\r\n%s",
			     method, path, accepted, strlen(body), body);
	sn_autoclose int fd = metrics_port != 0 ? connect_to_metrics() : connect_to_meter();
	size_t n = 0;
	ssize_t got;

	/* A body that is too large is refused before its end: then the rest finds nobody. */
	(void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
	while (n < sizeof(answer) - 1 && (got = read(fd, answer + n, sizeof(answer) - 1 - n)) > 0)
		n += (size_t)got;
	answer[n] = '\0';
	assert_int_equal(strncmp(answer, "HTTP/1.1 ", 9), 0);
	return atoi(answer + 9);
}

static json_t *answered(void)
{
	const char *body = strstr(answer, "\r\n\r\n");
	json_t *json = body != NULL ? sn_json_parse(body + 4, strlen(body + 4), NULL) : NULL;

	assert_non_null(json);
	return json;
}

static int64_t lease_of_answer(void)
{
	sn_autojson json_t *json = answered();

	return json_integer_value(json_object_get(json, "lease"));
}

static size_t leases(void)
{
	sn_autojson json_t *json = NULL;

	assert_int_equal(ask("GET", "/v1/settings", ""), 200);
	json = answered();
	return json_array_size(json_object_get(json, "leases"));
}

#define HTTP_ON "{\"changes\":{\"log_http_complete\":true}"

/* The server ---------------------------------------------------------------------------- */

static void settings_are_told(void **state)
{
	sn_autojson json_t *json = NULL;
	const json_t *values;

	(void)state;
	assert_int_equal(ask("GET", "/v1/settings", ""), 200);
	json = answered();
	values = json_object_get(json, "values");
	assert_true(json_is_true(json_object_get(values, "log_tcp_complete")));
	assert_true(json_is_false(json_object_get(values, "log_http_complete")));
	assert_int_equal(json_array_size(json_object_get(json, "leases")), 0);
}

static void counts_are_told_as_json_and_for_prometheus(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/v1/stats", ""), 200);
	assert_non_null(strstr(answer, "{\"packets\":7}"));
	assert_int_equal(ask("GET", "/metrics", ""), 200);
	assert_non_null(strstr(answer, "\r\n\r\nmeter_packets_total 7\n"));
}

static void openmetrics_are_told_to_those_who_ask(void **state)
{
	(void)state;
	accepted = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
	assert_int_equal(ask("GET", "/metrics", ""), 200);
	accepted = "*/*";
	assert_non_null(strstr(answer, "application/openmetrics-text; version=1.0.0"));
	assert_non_null(strstr(answer, "# EOF\n"));
}

static void over_tcp_only_metrics_are_told(void **state)
{
	struct sn_control_options options = meter_options();
	char address[32];

	(void)state;
	stop();
	metrics_port = free_port();
	snprintf(address, sizeof(address), "127.0.0.1:%u", metrics_port);
	options.metrics_address = address;
	start(&options);
	assert_int_equal(ask("GET", "/metrics", ""), 200);
	assert_non_null(strstr(answer, "\r\n\r\nmeter_packets_total 7\n"));
	assert_int_equal(ask("GET", "/v1/stats", ""), 404);
	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON "}"), 404);
	metrics_port = 0;
	assert_false(http_is_on());
	assert_int_equal(ask("GET", "/v1/stats", ""), 200);
}

static void change_for_good_stays(void **state)
{
	(void)state;
	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON "}"), 200);
	assert_true(http_is_on());
	assert_int_equal(lease_of_answer(), 0);
	assert_int_equal(ask("PATCH", "/v1/settings", "{\"changes\":{\"log_http_complete\":0}}"),
			 200);
	assert_false(http_is_on());
}

static void lease_ends_by_itself(void **state)
{
	int64_t began_ns = (int64_t)sn_mono_ns();

	(void)state;
	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON ",\"for\":\"200ms\"}"), 200);
	assert_true(lease_of_answer() > 0);
	assert_true(http_is_on());
	assert_true(http_becomes(false, TEST_PATIENCE_NS));
	assert_true((int64_t)sn_mono_ns() - began_ns >= 199 * MS);
	assert_int_equal(leases(), 0);
}

static void longer_of_two_leases_decides(void **state)
{
	(void)state;
	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON ",\"for\":\"60s\"}"), 200);
	int64_t longer = lease_of_answer();
	char path[64];

	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON ",\"for\":\"50ms\"}"), 200);
	usleep(120000);
	assert_int_equal(leases(), 1);
	assert_true(http_is_on());
	snprintf(path, sizeof(path), "/v1/leases/%lld", (long long)longer);
	assert_int_equal(ask("DELETE", path, ""), 200);
	assert_false(http_is_on());
	assert_int_equal(ask("DELETE", path, ""), 404);
	assert_int_equal(ask("DELETE", "/v1/leases/none", ""), 404);
}

static void bad_bodies_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *body, *reason;
		int status;
	} bad[] = {
		{"", "", 422},
		{"{", "", 422},
		{"[1]", "nothing to change", 422},
		{"{}", "nothing to change", 422},
		{"{\"changes\":{}}", "nothing to change", 422},
		{"{\"changes\":[\"log_http_complete\"]}", "nothing to change", 422},
		{"{\"changes\":{\"log_htp_complete\":1}}", "did you mean 'log_http_complete'?",
		 422},
		{"{\"changes\":{\"log_http_complete\":2}}", "cannot be 2", 422},
		{"{\"changes\":{\"log_http_complete\":\"yes\"}}", "takes true or false", 422},
		{"{\"changes\":{\"log_http_complete\":null}}", "neither", 422},
		{"{\"changes\":{\"log_http_complete\":1,\"httplog_full_url\":9}}", "0 to 2", 422},
		{HTTP_ON ",\"for\":5}", "for", 422},
		{HTTP_ON ",\"for\":\"soon\"}", "'for' is no duration", 422},
		{HTTP_ON ",\"for\":\"0s\"}", "'for' is no duration", 422},
		{HTTP_ON ",\"for\":\"9000d\"}", "'for' is no duration", 422},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		if (ask("PATCH", "/v1/settings", bad[i].body) != bad[i].status ||
		    strstr(answer, bad[i].reason) == NULL)
			fail_msg("%s: %s", bad[i].body, answer);
	}
	assert_int_equal(applied.times, 0);
	assert_int_equal(ask("POST", "/v1/settings", "{}"), 405);
	assert_int_equal(ask("GET", "/v1/nothing", ""), 404);
}

static void body_that_is_too_large_is_refused(void **state)
{
	sn_autofree char *body = sn_xmalloc(70001);

	(void)state;
	memset(body, ' ', 70000);
	body[70000] = '\0';
	assert_int_equal(ask("PATCH", "/v1/settings", body), 413);
	assert_int_equal(leases(), 0);
}

static void change_that_cannot_be_brought_about_is_refused(void **state)
{
	(void)state;
	applied.refuse = -ENOSPC;
	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON ",\"for\":\"60s\"}"), 409);
	assert_non_null(strstr(answer, "the disk is full"));
	assert_int_equal(leases(), 0);
}

static void more_leases_than_the_limit_are_refused(void **state)
{
	(void)state;
	for (int i = 0; i < SN_SETTINGS_LEASES_MAX; i++)
		assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON ",\"for\":\"60s\"}"), 200);
	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON ",\"for\":\"60s\"}"), 409);
	assert_non_null(strstr(answer, "such changes hold already"));
}

/* The socket -------------------------------------------------------------------------------- */

static void socket_is_for_its_user_alone_and_goes_with_the_meter(void **state)
{
	struct stat info;

	(void)state;
	assert_int_equal(stat(socket_path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	stop();
	assert_int_equal(stat(socket_path, &info), -1);
}

static void assert_not_opened(const struct sn_control_options *options, int error,
			      const char *reason)
{
	struct sn_control *other = NULL;
	struct sn_err err = {0};

	assert_int_equal(sn_control_create(options, &other, &err), error);
	if (strstr(err.text, reason) == NULL)
		fail_msg("'%s' is not in '%s'", reason, err.text);
}

static void metrics_are_for_this_machine_alone(void **state)
{
	struct sn_control_options options = meter_options();

	(void)state;
	options.socket_path = NULL;
	options.metrics_address = "0.0.0.0:9110";
	assert_not_opened(&options, -EPERM, "0.0.0.0");
	options.metrics_address = "localhost:9110";
	assert_not_opened(&options, -EINVAL, "no ADDRESS:PORT");
	options.metrics_address = "127.0.0.1";
	assert_not_opened(&options, -EINVAL, "no ADDRESS:PORT");
}

static void socket_on_which_somebody_answers_is_not_taken(void **state)
{
	struct sn_control_options options = meter_options();

	(void)state;
	assert_not_opened(&options, -EADDRINUSE, "another meter does");
	assert_int_equal(ask("GET", "/v1/stats", ""), 200);
}

static void socket_that_a_killed_meter_left_is_replaced(void **state)
{
	struct sn_control_options options = meter_options();
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	stop();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	start(&options);
	assert_int_equal(ask("GET", "/v1/stats", ""), 200);
}

static void file_that_is_no_socket_stays(void **state)
{
	struct sn_control_options options = meter_options();
	struct stat info;

	(void)state;
	assert_int_equal(sn_fs_write_atomic(conf_path, "mine", 4, 0644, NULL), 0);
	options.socket_path = conf_path;
	assert_not_opened(&options, -EADDRINUSE, conf_path);
	assert_int_equal(stat(conf_path, &info), 0);
	assert_int_equal(info.st_size, 4);
}

static void paths_where_no_socket_can_be_are_refused(void **state)
{
	struct sn_control_options options = meter_options();
	char path[160];

	(void)state;
	memset(path, 'x', sizeof(path));
	memcpy(path, dir, strlen(dir));
	path[strlen(dir)] = '/';
	path[sizeof(path) - 1] = '\0';
	options.socket_path = path;
	assert_not_opened(&options, -ENAMETOOLONG, "at most 107 bytes");
	snprintf(path, sizeof(path), "%s/absent/lo.sock", dir);
	assert_not_opened(&options, -ENOENT, "absent");
}

static void peers_that_say_nothing_hold_nobody_up(void **state)
{
	int fds[8];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(fds); i++) {
		fds[i] = connect_to_meter();
		(void)!write(fds[i], "PATCH /v1/se", i);
	}
	assert_int_equal(ask("GET", "/v1/stats", ""), 200);
	for (size_t i = 0; i < SN_COUNT(fds); i++)
		close(fds[i]);
}

/* runtime.conf -------------------------------------------------------------------------------- */

/* Two files that are written within one tick of the kernel's clock would look the same. */
static void write_conf(const char *text)
{
	static int64_t last_s = 1000000;
	struct timespec times[2] = {{.tv_sec = last_s}, {.tv_sec = last_s}};
	sn_autofree char *fresh = sn_xasprintf("%s.new", conf_path);

	last_s++;
	assert_int_equal(sn_fs_write_atomic(fresh, text, strlen(text), 0644, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, fresh, times, 0), 0);
	assert_int_equal(rename(fresh, conf_path), 0);
}

static void start_with_conf(unsigned checks)
{
	struct sn_control_options options = meter_options();

	stop();
	write_conf("[log]\nlog_http_complete = 0\n");
	options.runtime_conf = conf_path;
	options.checks = checks;
	start(&options);
}

static void changed_file_is_read_again(void **state)
{
	(void)state;
	start_with_conf(3);
	write_conf("[log]\nlog_http_complete = 1\n");
	assert_true(http_becomes(true, TEST_PATIENCE_NS));
	assert_int_equal(applied.times, 1);
	write_conf("[log]\nlog_http_complete = 0 # off again\n");
	assert_true(http_becomes(false, TEST_PATIENCE_NS));
}

/* Changes the file without a rest, longer than it would have to rest; the longest rest, though. */
static uint64_t keep_changing(void)
{
	uint64_t last_ns = sn_mono_ns(), longest_ns = 0;

	for (int i = 0; i < 30; i++) {
		write_conf("[log]\nlog_http_complete = 1\n");
		usleep(15000);
		longest_ns = SN_MAX(longest_ns, sn_mono_ns() - last_ns);
		last_ns = sn_mono_ns();
	}
	return longest_ns;
}

static void file_that_goes_on_changing_is_left_alone(void **state)
{
	uint64_t rest_ns;
	unsigned applied_times, tries = 0;

	(void)state;
	do {
		start_with_conf(20); /* 200 ms */
		rest_ns = keep_changing();
		applied_times = applied.times;
		/* A test that has to wait for the processor lets it rest. */
	} while (rest_ns > 100 * SN_NS_PER_MS && ++tries < 10);
	assert_int_equal(applied_times, 0);
	assert_true(http_becomes(true, TEST_PATIENCE_NS));
}

static void bad_or_missing_file_changes_nothing(void **state)
{
	(void)state;
	start_with_conf(1);
	write_conf("[log]\nlog_http_complete = 1\nlog_nonsense = 1\n");
	usleep(100000);
	unlink(conf_path);
	usleep(50000);
	assert_int_equal(applied.times, 0);
	write_conf("[log]\nlog_http_complete = 1\n");
	assert_true(http_becomes(true, TEST_PATIENCE_NS));
}

static void leases_outlive_a_changed_file(void **state)
{
	(void)state;
	start_with_conf(1);
	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON ",\"for\":\"60s\"}"), 200);
	write_conf("[log]\nlog_http_complete = 0\nlog_udp_complete = 0\n");
	usleep(100000);
	assert_true(http_is_on());
	pthread_mutex_lock(&applied.lock);
	assert_false(applied.values.logs.on[SN_TSTAT_UDP_COMPLETE]);
	pthread_mutex_unlock(&applied.lock);
}

/* Who holds a switch ------------------------------------------------------------------------------
 */

static pid_t hold(int64_t duration_ns, int64_t lease_ns, int64_t renew_ns)
{
	pid_t pid = fork();

	if (pid == 0) {
		sn_autojson json_t *changes = json_pack("{s:b}", "log_http_complete", 1);
		struct sn_lease_options options = {.socket_path = socket_path,
						   .changes = changes,
						   .duration_ns = duration_ns,
						   .lease_ns = lease_ns,
						   .renew_ns = renew_ns};

		_exit(sn_lease_run(&options, NULL) == 0 ? 0 : 1);
	}
	assert_true(pid > 0);
	return pid;
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void switch_lasts_as_long_as_its_holder_wants(void **state)
{
	int64_t began_ns = (int64_t)sn_mono_ns();
	pid_t pid = hold(400 * MS, 0, 0);

	(void)state;
	assert_true(http_becomes(true, TEST_PATIENCE_NS));
	assert_int_equal(wait_for(pid), 0);
	assert_true((int64_t)sn_mono_ns() - began_ns >= 399 * MS);
	assert_false(http_is_on());
	assert_int_equal(leases(), 0);
}

static void renewed_lease_lasts_longer_than_one(void **state)
{
	pid_t pid = hold(0, 300 * MS, 60 * MS);

	(void)state;
	assert_true(http_becomes(true, TEST_PATIENCE_NS));
	for (int i = 0; i < 60; i++) {
		usleep(10000);
		assert_true(http_is_on());
	}
	assert_true(leases() <= 2);
	kill(pid, SIGTERM);
	assert_int_equal(wait_for(pid), 0);
	assert_false(http_is_on());
	assert_int_equal(leases(), 0);
}

static void switch_of_a_killed_holder_goes_back(void **state)
{
	pid_t pid = hold(0, 400 * MS, 100 * MS);

	(void)state;
	assert_true(http_becomes(true, TEST_PATIENCE_NS));
	kill(pid, SIGKILL);
	assert_true(WIFSIGNALED(wait_for(pid)));
	assert_true(http_becomes(false, 400 * MS + TEST_PATIENCE_NS));
	assert_int_equal(leases(), 0);
}

/* Its number of before means nothing to the new meter, or another's lease. */
static void meter_that_starts_anew_is_asked_again(void **state)
{
	struct sn_control_options options = meter_options();
	pid_t pid = hold(0, 2 * SN_NS_PER_S, 50 * MS);

	(void)state;
	assert_true(http_becomes(true, TEST_PATIENCE_NS));
	stop();
	usleep(100000);
	start(&options);
	assert_true(http_becomes(true, TEST_PATIENCE_NS));
	for (int i = 0; i < 30; i++) {
		usleep(10000);
		assert_true(http_is_on());
	}
	kill(pid, SIGTERM);
	assert_int_equal(wait_for(pid), 0);
	assert_false(http_is_on());
}

static void numbers_of_two_meters_differ(void **state)
{
	struct sn_control_options options = meter_options();
	int64_t first;

	(void)state;
	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON ",\"for\":\"60s\"}"), 200);
	first = lease_of_answer();
	stop();
	start(&options);
	assert_int_equal(ask("PATCH", "/v1/settings", HTTP_ON ",\"for\":\"60s\"}"), 200);
	assert_true(lease_of_answer() != first);
}

static void holder_says_when_no_meter_answers_or_refuses(void **state)
{
	sn_autojson json_t *changes = json_pack("{s:i}", "log_http_complete", 7);
	struct sn_lease_options options = {.socket_path = socket_path, .changes = changes};
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_lease_run(&options, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'log_http_complete' cannot be 7 (0 to 1)"));
	stop();
	assert_int_equal(sn_lease_run(&options, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, "no meter answers on"));
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(settings_are_told),
		WITH(counts_are_told_as_json_and_for_prometheus),
		WITH(openmetrics_are_told_to_those_who_ask),
		WITH(over_tcp_only_metrics_are_told),
		WITH(change_for_good_stays),
		WITH(lease_ends_by_itself),
		WITH(longer_of_two_leases_decides),
		WITH(bad_bodies_are_refused_with_a_reason),
		WITH(body_that_is_too_large_is_refused),
		WITH(change_that_cannot_be_brought_about_is_refused),
		WITH(more_leases_than_the_limit_are_refused),
		WITH(socket_is_for_its_user_alone_and_goes_with_the_meter),
		WITH(metrics_are_for_this_machine_alone),
		WITH(socket_on_which_somebody_answers_is_not_taken),
		WITH(socket_that_a_killed_meter_left_is_replaced),
		WITH(file_that_is_no_socket_stays),
		WITH(paths_where_no_socket_can_be_are_refused),
		WITH(peers_that_say_nothing_hold_nobody_up),
		WITH(changed_file_is_read_again),
		WITH(file_that_goes_on_changing_is_left_alone),
		WITH(bad_or_missing_file_changes_nothing),
		WITH(leases_outlive_a_changed_file),
		WITH(switch_lasts_as_long_as_its_holder_wants),
		WITH(renewed_lease_lasts_longer_than_one),
		WITH(switch_of_a_killed_holder_goes_back),
		WITH(meter_that_starts_anew_is_asked_again),
		WITH(numbers_of_two_meters_differ),
		WITH(holder_says_when_no_meter_answers_or_refuses),
	};

	sn_log_set_level_name("error");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
