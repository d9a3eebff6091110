/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and stopping a hub: what it leaves, what it finds, and what it refuses. */
#include "hub_world.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

static struct world world;

static int start(void **state)
{
	(void)state;
	world_start(&world, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop(&world);
	return 0;
}

/* The reason why a second hub with this one key changed cannot start. */
static const char *refusal(const char *key, const char *value)
{
	static struct sn_err err;
	struct sn_hub_config config = {0};
	struct sn_hub *hub = NULL;
	char state[96];

	err = (struct sn_err){0};
	snprintf(state, sizeof(state), "%s/second", world.dir);
	assert_int_equal(sn_conf_defaults(&sn_hub_schema, &config, &err), 0);
	sn_conf_set(&sn_hub_schema, &config, "listen", sn_str("127.0.0.1:0"), &err);
	sn_conf_set(&sn_hub_schema, &config, "local", sn_str("127.0.0.1:0"), &err);
	sn_conf_set(&sn_hub_schema, &config, "announce", sn_str("false"), &err);
	sn_conf_set(&sn_hub_schema, &config, "log_level", sn_str("error"), &err);
	sn_conf_set(&sn_hub_schema, &config, "state", sn_str(state), &err);
	if (sn_conf_set(&sn_hub_schema, &config, key, sn_str(value), &err) == 0 &&
	    sn_hub_config_check(&config, &err) == 0 &&
	    sn_hub_create(world.loop, &config, &hub, &err) == 0) {
		sn_hub_destroy(hub);
		fail_msg("%s=%s was taken", key, value);
	}
	sn_conf_release(&sn_hub_schema, &config);
	return err.text;
}

static void expect_refusal(const char *key, const char *value, const char *a, const char *b)
{
	const char *text = refusal(key, value);

	if (strstr(text, a) == NULL || strstr(text, b) == NULL)
		fail_msg("'%s' has not '%s' and '%s'", text, a, b);
}

static void port_in_use_is_named_with_its_key(void **state)
{
	char text[SN_ADDR_TEXT_MAX];

	(void)state;
	for (unsigned i = 0; i < world.hub->listener_count; i++) {
		const struct sn_listener *listener = &world.hub->listeners[i];

		sn_addr_format_port(&listener->addr, text, sizeof(text));
		expect_refusal(listener->tls ? "listen" : "local", text, text, "in use");
		expect_refusal(listener->tls ? "listen" : "local", text, "set",
			       listener->tls ? "'listen'" : "'local'");
	}
}

static void state_directory_of_another_hub_is_refused_with_its_pid(void **state)
{
	char pid[32];

	(void)state;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	expect_refusal("state", world.dir, "another hub", pid);
}

static void bad_values_are_named_with_their_key(void **state)
{
	(void)state;
	expect_refusal("listen", "nonsense", "listen", "nonsense");
	expect_refusal("local", "0.0.0.0:0", "local", "loopback");
	expect_refusal("local", "[::]:0", "local", "loopback");
	expect_refusal("log_level", "loud", "log_level", "loud");
	expect_refusal("listen_fd_tls", "x", "listen_fd_tls", "x");
	expect_refusal("listen_fd_tls", "999", "999", "descriptor");
	expect_refusal("advertise", "http://x", "advertise", "https://");
	expect_refusal("heartbeat_interval", "1h30", "heartbeat_interval", "1h30");
	expect_refusal("node_certificate_life", "0", "node_certificate_life", "range");
	expect_refusal("retention_day", "5", "retention_day", "'retention_days'");
	expect_refusal("state", "", "state", "directory");
	expect_refusal("state", "/proc/nowhere", "/proc/nowhere", "");
}

/* Stops the hub, does something to a file below its state, and tells why it does not start. */
static const char *refusal_after(const char *file, void (*harm)(const char *path))
{
	static struct sn_err err;
	sn_autofree char *path = sn_fs_join(world.dir, file);

	err = (struct sn_err){0};
	sn_hub_destroy(world.hub);
	world.hub = NULL;
	harm(path);
	if (sn_hub_create(world.loop, &world.config, &world.hub, &err) == 0)
		fail_msg("started with a harmed %s", file);
	return err.text;
}

static void scribble(const char *path)
{
	assert_int_equal(
		sn_fs_write_atomic(path, "this is no database, it is a text\n", 34, 0600, NULL), 0);
}

static void open_up(const char *path)
{
	assert_int_equal(chmod(path, 0644), 0);
}

static void lose(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static void come_from_the_future(const char *path)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void corrupt_control_database_is_named(void **state)
{
	const char *text = refusal_after("control.sqlite", scribble);

	(void)state;
	assert_non_null(strstr(text, "control.sqlite"));
	assert_non_null(strstr(text, "not a database"));
	assert_non_null(strstr(text, "backup"));
}

static void database_of_a_newer_release_is_refused(void **state)
{
	(void)state;
	assert_non_null(strstr(refusal_after("control.sqlite", come_from_the_future), "newer"));
}

static void key_that_others_can_read_is_not_trusted(void **state)
{
	const char *text = refusal_after("pki/ca.key", open_up);

	(void)state;
	assert_non_null(strstr(text, "ca.key"));
	assert_non_null(strstr(text, "600"));
}

static void lost_key_of_the_ca_is_named(void **state)
{
	(void)state;
	assert_non_null(strstr(refusal_after("pki/ca.key", lose), "ca.key"));
}

static void certificate_that_is_no_certificate_is_named(void **state)
{
	(void)state;
	assert_non_null(strstr(refusal_after("pki/ca.pem", scribble), "ca.pem"));
}

/* hub.json ----------------------------------------------------------------------- */

static json_t *read_json(const char *path)
{
	struct sn_buf text = {0};
	json_t *json = NULL;

	if (sn_fs_read(path, 65536, &text, NULL) == 0)
		json = json_loads(sn_buf_cstr(&text), 0, NULL);
	sn_buf_finish(&text);
	return json;
}

static void hub_says_in_a_file_how_it_is_reached(void **state)
{
	sn_autofree char *path = sn_fs_join(world.dir, "hub.json");
	sn_autojson json_t *json = read_json(path);
	char local[128];
	struct stat st;

	(void)state;
	assert_non_null(json);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	sn_hub_local_url(world.hub, local, sizeof(local));
	assert_string_equal(json_string_value(json_object_get(json, "url")), local);
	assert_string_equal(json_string_value(json_object_get(json, "token")),
			    sn_people_local_token(world.hub->people));
	assert_int_equal(json_integer_value(json_object_get(json, "pid")), getpid());
	assert_true(sn_fs_exists(json_string_value(json_object_get(json, "ca_file"))));
	assert_memory_equal(json_string_value(json_object_get(json, "node_url")),
			    "https://127.0.0.1:", 18);
	sn_hub_destroy(world.hub);
	world.hub = NULL;
	assert_false(sn_fs_exists(path));
}

static void copy_for_the_command_line_is_ours_to_remove(void **state)
{
	sn_autofree char *copy = sn_xasprintf("%s/run/sonde/hub.json", world.dir);
	sn_autofree char *runtime = sn_xasprintf("%s/run", world.dir);
	json_t *json;

	(void)state;
	setenv("XDG_RUNTIME_DIR", runtime, 1);
	world.config.announce = true;
	world_restart(&world);
	json = read_json(copy);
	assert_string_equal(json_string_value(json_object_get(json, "token")),
			    sn_people_local_token(world.hub->people));
	json_decref(json);
	sn_hub_destroy(world.hub);
	world.hub = NULL;
	assert_false(sn_fs_exists(copy));
	/* Somebody else's is left alone. */
	assert_int_equal(sn_hub_create(world.loop, &world.config, &world.hub, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(copy, "{}", 2, 0600, NULL), 0);
	sn_hub_destroy(world.hub);
	world.hub = NULL;
	assert_true(sn_fs_exists(copy));
	unsetenv("XDG_RUNTIME_DIR");
}

static void copy_that_cannot_be_written_stops_nobody(void **state)
{
	struct sn_err err = {0};

	(void)state;
	setenv("XDG_RUNTIME_DIR", "/proc/nowhere", 1);
	world.config.announce = true;
	sn_hub_destroy(world.hub);
	world.hub = NULL;
	assert_int_equal(sn_hub_create(world.loop, &world.config, &world.hub, &err), 0);
	unsetenv("XDG_RUNTIME_DIR");
}

/* The hub's certificate ------------------------------------------------------------ */

static bool has_host(const char *wanted)
{
	char **hosts = sn_hub_hosts(world.hub);
	bool found = false;

	for (size_t i = 0; hosts[i] != NULL; i++)
		found |= strcmp(hosts[i], wanted) == 0;
	sn_hub_free_hosts(hosts);
	return found;
}

static void certificate_has_all_names_of_the_hub(void **state)
{
	(void)state;
	world_stop(&world);
	world_start(&world, (const char *const[]){"names=hub.example,192.0.2.7",
						  "advertise=https://[2001:db8::1]:8443/", NULL});
	assert_true(has_host("localhost"));
	assert_true(has_host("127.0.0.1"));
	assert_true(has_host("::1"));
	assert_true(has_host("hub.example"));
	assert_true(has_host("192.0.2.7"));
	assert_true(has_host("2001:db8::1"));
}

static void certificate_renews_itself_while_nodes_stay(void **state)
{
	char first[4096];
	struct test_node node;

	(void)state;
	world_stop(&world);
	world_start(&world, (const char *const[]){"hub_certificate_life=3s", NULL});
	node_join(&world, &node, "alpha");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_int_equal(node.status, 200);
	snprintf(first, sizeof(first), "%s", sn_identity_tls(world.hub->identity).cert_pem);
	world_wait(&world, 3300 * SN_NS_PER_MS);
	assert_string_not_equal(first, sn_identity_tls(world.hub->identity).cert_pem);
	/* On the old connection, and on a new one, which must see a certificate that is good. */
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_int_equal(node.status, 200);
	sn_http_client_reset(node.client);
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_int_equal(node.status, 200);
	node_leave(&node);
}

static void inherited_socket_is_listened_at(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sn_addr addr;
	char setting[64];
	struct test_node node;

	(void)state;
	assert_int_equal(sn_addr_parse(SN_STR("127.0.0.1"), 0, &addr), 0);
	assert_int_equal(bind(fd, &addr.sa, addr.length), 0);
	assert_int_equal(listen(fd, 16), 0);
	snprintf(setting, sizeof(setting), "listen_fd_tls=%d", fd);
	world_stop(&world);
	world_start(&world, (const char *const[]){"listen=", setting, NULL});
	assert_int_equal(world.hub->listener_count, 2);
	node_join(&world, &node, "alpha");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL, "{}");
	assert_int_equal(node.status, 200);
	node_leave(&node);
}

/* Disk --------------------------------------------------------------------------- */

static const char row[] = "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":0,\"target\":\"t\"}\n";

static void store_that_cannot_write_leaves_the_batch_with_the_node(void **state)
{
	struct rlimit before, none;
	struct test_node node;
	struct reply reply;

	(void)state;
	node_join(&world, &node, "alpha");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = before;
	none.rlim_cur = 8192; /* no file may grow beyond that */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	node_put(&world, &node, 0, "ping/1", 1, row, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(node.status, 503);
	/* And when it can again it goes on. */
	node_put(&world, &node, 0, "ping/1", 1, row, NULL);
	assert_int_equal(node.status, 200);
	assert_int_equal(json_integer_value(json_object_get(node.json, "stored")), 1);
	reply = expect(&world, AS_NOBODY, 200, "GET", "/readyz", NULL);
	reply_release(&reply);
	node_leave(&node);
}

/* Fills the file system of `path` to the last byte; the file goes when it is removed. */
static void fill_up(const char *path)
{
	static const char zeros[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (int i = 0; i < 65536 && write(fd, zeros, sizeof(zeros)) > 0; i++)
		;
	close(fd);
}

static void check_full_disk(const char *ballast)
{
	struct test_node node;
	struct reply reply;

	node_join(&world, &node, "alpha");
	fill_up(ballast);
	node_put(&world, &node, 0, "ping/1", 1, row, NULL);
	assert_int_equal(node.status, 503);
	assert_string_equal(json_string_value(json_object_get(node.json, "code")), "store-full");
	reply = expect(&world, AS_LOCAL, 503, "POST", "/api/v1/invites", "{}");
	assert_string_equal(code_of(&reply), "store-full");
	reply_release(&reply);
	assert_int_equal(unlink(ballast), 0);
	node_put(&world, &node, 0, "ping/1", 1, row, NULL);
	assert_int_equal(node.status, 200);
	assert_int_equal(json_integer_value(json_object_get(node.json, "stored")), 1);
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/invites", "{}");
	reply_release(&reply);
	node_leave(&node);
}

static void full_disk_is_told_as_such(void **state)
{
	char dir[] = "/tmp/sonde-small-XXXXXX", setting[64], ballast[64];

	(void)state;
	/* In a mount namespace of our own nobody else sees the small file system. */
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		print_message("skipped: mounting a small file system needs root\n");
		skip();
	}
	world_stop(&world);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mount("tmpfs", dir, "tmpfs", 0, "size=4m"), 0);
	snprintf(setting, sizeof(setting), "state=%s", dir);
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
	world_start(&world, (const char *const[]){setting, NULL});
	check_full_disk(ballast);
	world_stop(&world);
	assert_int_equal(umount(dir), 0);
	rmdir(dir);
	world_start(&world, NULL);
}

static void damaged_day_keeps_nobody_from_the_others(void **state)
{
	sn_autofree char *day = sn_fs_join(world.dir, "store/2026-03-01.db");
	struct test_node node;
	struct reply reply;

	(void)state;
	node_join(&world, &node, "alpha");
	node_put(&world, &node, 0, "ping/1", 1, row, NULL);
	node_put(&world, &node, 1, "ping/1", 1,
		 "{\"time\":\"2026-03-02T12:00:00Z\",\"seq\":1,\"target\":\"t\"}\n", NULL);
	assert_int_equal(node.status, 200);
	sn_hub_destroy(world.hub);
	scribble(day);
	assert_int_equal(sn_hub_create(world.loop, &world.config, &world.hub, NULL), 0);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/datasets/ping/rows", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 1);
	reply_release(&reply);
	node_put(&world, &node, 0, "ping/1", 1, row, NULL);
	assert_int_equal(node.status, 200);
	node_leave(&node);
}

static void days_older_than_the_retention_are_dropped(void **state)
{
	struct test_node node;
	char body[256], time[SN_TIME_TEXT_MAX];
	struct reply reply;

	(void)state;
	node_join(&world, &node, "alpha");
	node_put(&world, &node, 0, "ping/1", 1, row, NULL);
	sn_format_time(sn_hub_now(world.hub), time, sizeof(time));
	snprintf(body, sizeof(body), "{\"time\":\"%s\",\"seq\":1,\"target\":\"t\"}\n", time);
	node_put(&world, &node, 1, "ping/1", 1, body, NULL);
	assert_int_equal(node.status, 200);
	world.config.retention_days = 1;
	world_restart(&world);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/datasets/ping/rows", NULL);
	assert_int_equal(json_array_size(json_object_get(reply.json, "items")), 1);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/hub", NULL);
	assert_int_equal(json_integer_value(json_object_get(reply.json, "rows_stored")), 1);
	reply_release(&reply);
	node_leave(&node);
}

static void hub_starts_with_little_work(void **state)
{
	uint64_t begin_ns = test_cpu_ns();

	(void)state;
	world_restart(&world);
	assert_true(test_cpu_ns() - begin_ns < 300 * SN_NS_PER_MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(port_in_use_is_named_with_its_key),
		TEST(state_directory_of_another_hub_is_refused_with_its_pid),
		TEST(bad_values_are_named_with_their_key),
		TEST(corrupt_control_database_is_named),
		TEST(database_of_a_newer_release_is_refused),
		TEST(key_that_others_can_read_is_not_trusted),
		TEST(lost_key_of_the_ca_is_named),
		TEST(certificate_that_is_no_certificate_is_named),
		TEST(hub_says_in_a_file_how_it_is_reached),
		TEST(copy_for_the_command_line_is_ours_to_remove),
		TEST(copy_that_cannot_be_written_stops_nobody),
		TEST(certificate_has_all_names_of_the_hub),
		TEST(certificate_renews_itself_while_nodes_stay),
		TEST(inherited_socket_is_listened_at),
		TEST(store_that_cannot_write_leaves_the_batch_with_the_node),
		TEST(full_disk_is_told_as_such),
		TEST(damaged_day_keeps_nobody_from_the_others),
		TEST(days_older_than_the_retention_are_dropped),
		TEST(hub_starts_with_little_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
