/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's directory: what is taken, what is refused, what is removed; and the
 * configuration files that are written there.
 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "demo/demo.h"
#include "demo/host/host.h"
#include "demo/run/conf.h"
#include "demo/run/place.h"

static char base[] = "/tmp/sonde-place-test-XXXXXX";

static struct sn_demo_user ourselves(void)
{
	return (struct sn_demo_user){.uid = geteuid(), .gid = getegid(), .name = "tester"};
}

static char *below(const char *name)
{
	return sn_fs_join(base, name);
}

static void touch(const char *dir, const char *name)
{
	sn_autofree char *path = sn_fs_join(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	assert_true(fd >= 0);
	close(fd);
}

static struct sn_demo_place open_place(const char *dir)
{
	struct sn_demo_user user = ourselves();
	struct sn_demo_place place;
	struct sn_err err;

	if (sn_demo_place_open(&place, dir, &user, &err) != 0 ||
	    sn_demo_place_prepare(&place, &err) != 0)
		fail_msg("%s", err.text);
	return place;
}

static void a_new_directory_is_made_and_removed_again(void **state SN_UNUSED)
{
	sn_autofree char *dir = below("new");
	struct sn_demo_place place = open_place(dir);
	struct stat st;

	assert_true(place.made);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	touch(dir, "hub");
	sn_demo_place_remove(&place);
	sn_demo_place_finish(&place);
	assert_false(sn_fs_exists(dir));
}

static void a_directory_of_the_caller_is_emptied_but_stays(void **state SN_UNUSED)
{
	sn_autofree char *dir = below("given");
	struct sn_demo_place place;

	assert_int_equal(mkdir(dir, 0700), 0);
	place = open_place(dir);
	assert_false(place.made);
	sn_demo_place_remove(&place);
	sn_demo_place_finish(&place);
	assert_int_equal(rmdir(dir), 0);
}

static void a_directory_with_something_else_in_it_is_refused(void **state SN_UNUSED)
{
	sn_autofree char *dir = below("other");
	struct sn_demo_user user = ourselves();
	struct sn_demo_place place;
	struct sn_err err;

	assert_int_equal(mkdir(dir, 0700), 0);
	touch(dir, "bin");
	assert_int_equal(sn_demo_place_open(&place, dir, &user, &err), -ENOTEMPTY);
	assert_non_null(strstr(err.text, "not a demo's"));
	sn_demo_place_finish(&place);
	assert_int_equal(chmod(dir, 0700), 0);
}

static void a_link_is_not_followed(void **state SN_UNUSED)
{
	sn_autofree char *dir = below("link"), *target = below("target");
	struct sn_demo_user user = ourselves();
	struct sn_demo_place place;
	struct sn_err err;

	assert_int_equal(mkdir(target, 0700), 0);
	assert_int_equal(symlink(target, dir), 0);
	assert_true(sn_demo_place_open(&place, dir, &user, &err) < 0);
	sn_demo_place_finish(&place);
}

static void a_path_too_long_for_sockets_is_refused(void **state SN_UNUSED)
{
	struct sn_demo_user user = ourselves();
	struct sn_demo_place place;
	struct sn_err err;
	char dir[100];

	memset(dir, 'x', sizeof(dir));
	dir[0] = '/';
	dir[81] = '\0';
	assert_int_equal(sn_demo_place_open(&place, dir, &user, &err), -ENAMETOOLONG);
	sn_demo_place_finish(&place);
}

static void left_overs_of_a_crash_are_removed_at_the_next_start(void **state SN_UNUSED)
{
	sn_autofree char *dir = below("crashed"), *hub = below("crashed/hub"),
			 *foreign = below("crashed/mine");
	struct sn_demo_place place = open_place(dir);

	assert_int_equal(mkdir(hub, 0700), 0);
	touch(hub, "control.sqlite");
	touch(dir, "mine");
	sn_demo_place_finish(&place); /* the lock goes as with the process; nothing else does */

	place = open_place(dir);
	assert_false(sn_fs_exists(hub));
	sn_demo_place_remove(&place);
	sn_demo_place_finish(&place);
	assert_true(sn_fs_exists(foreign));
	/* The mark is still there: the next demo is let in. */
	place = open_place(dir);
	sn_demo_place_remove(&place);
	sn_demo_place_finish(&place);
}

static void two_demos_do_not_share_a_directory(void **state SN_UNUSED)
{
	sn_autofree char *dir = below("shared");
	struct sn_demo_place place = open_place(dir), second;
	struct sn_demo_user user = ourselves();
	struct sn_err err;
	char holder[32];

	assert_int_equal(sn_demo_place_open(&second, dir, &user, &err), 0);
	assert_int_equal(sn_demo_place_prepare(&second, &err), -EAGAIN);
	snprintf(holder, sizeof(holder), "process %d", (int)getpid());
	assert_non_null(strstr(err.text, holder));
	assert_non_null(strstr(err.text, "runs in"));
	sn_demo_place_finish(&second);
	sn_demo_place_remove(&place);
	sn_demo_place_finish(&place);
}

/* The helper of a demo that was killed holds the lock until it has cleaned up. */
static void a_start_waits_for_the_helper_of_a_killed_demo(void **state SN_UNUSED)
{
	sn_autofree char *dir = below("late");
	int ready[2];
	struct sn_demo_place place;
	char byte;
	pid_t demo;

	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	demo = fork();
	if (demo == 0) {
		place = open_place(dir);
		if (fork() == 0) { /* inherits the lock, as the helper does */
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			usleep(300000);
			_exit(0);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(demo, NULL, 0), demo);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	place = open_place(dir);
	sn_demo_place_remove(&place);
	sn_demo_place_finish(&place);
	close(ready[0]);
	close(ready[1]);
}

static void each_directory_has_a_prefix_of_its_own(void **state SN_UNUSED)
{
	static char tmp[] = "/tmp", usual[] = SN_DEMO_STATE_DIR;
	struct sn_demo_place a = {.dir = base, .lock = -1}, b = {.dir = tmp, .lock = -1},
			     standard = {.dir = usual, .lock = -1};
	char one[SN_DEMO_PREFIX_MAX], again[SN_DEMO_PREFIX_MAX], other[SN_DEMO_PREFIX_MAX];

	assert_string_equal(sn_demo_place_prefix(&a, one), sn_demo_place_prefix(&a, again));
	assert_string_not_equal(one, sn_demo_place_prefix(&b, other));
	assert_string_equal(sn_demo_place_prefix(&standard, other), "sonde-demo-");
	/* None begins with another: sweeping one leaves the other alone. */
	assert_int_equal(strlen(one), strlen("sonde-123456-"));
}

static void the_caller_of_sudo_is_the_user(void **state SN_UNUSED)
{
	struct sn_demo_user user;
	struct sn_err err;

	setenv("SUDO_UID", "4242", 1);
	setenv("SUDO_GID", "4343", 1);
	assert_int_equal(sn_demo_user_find(&user, &err), 0);
	assert_int_equal(user.uid, 4242);
	assert_int_equal(user.gid, 4343);
	setenv("SUDO_UID", "0", 1);
	assert_int_equal(sn_demo_user_find(&user, &err), 0);
	assert_int_not_equal(user.uid, 0);
	assert_int_not_equal(user.gid, 0);
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	assert_int_equal(sn_demo_user_find(&user, &err), 0);
	assert_string_equal(user.name, "nobody");
}

/* YAML includes JSON: the reader of the host's own configuration takes all of them. */
static void hosts_read_the_configuration_that_is_written(void **state SN_UNUSED)
{
	sn_autofree char *dir = below("conf");
	struct sn_demo_place place = open_place(dir);
	static const char *const names[] = {"content", "resolver", "node-1"};
	static const char *const roles[] = {"content", "resolver", "traffic"};

	for (size_t i = 0; i < SN_COUNT(names); i++) {
		struct sn_err err = {0};
		sn_autofree char *path = sn_demo_conf_host(&place, sn_world_find(names[i]), &err);
		struct sn_host_config config = {0};

		assert_non_null(path);
		if (sn_conf_load(&sn_host_schema, path, &config, &err) != 0)
			fail_msg("%s", err.text);
		assert_string_equal(config.role, roles[i]);
		if (i == 1)
			assert_int_equal(config.records.count, 14);
		if (i == 2) {
			assert_string_equal(config.resolvers.items[1], "[2001:db8:0:20::2]:53");
			assert_int_equal(config.sizes.count, 3);
		}
		sn_conf_release(&sn_host_schema, &config);
	}
	sn_demo_place_remove(&place);
	sn_demo_place_finish(&place);
}

static void the_hub_listens_where_the_nodes_look(void **state SN_UNUSED)
{
	sn_autofree char *dir = below("hub");
	struct sn_demo_place place = open_place(dir);
	const struct sn_demo_hub_conf conf = {.port = 8088, .has_web = true};
	struct sn_err err;
	struct sn_buf text = {0};
	sn_autofree char *hub = sn_demo_conf_hub(&place, &conf, &err);
	sn_autofree char *node = sn_demo_conf_node(&place, sn_world_find("node-4"), &err);
	json_t *hub_json, *node_json;

	assert_int_equal(sn_fs_read(hub, 65536, &text, NULL), 0);
	hub_json = sn_json_parse(text.p, text.n, &err);
	sn_buf_clear(&text);
	assert_int_equal(sn_fs_read(node, 65536, &text, NULL), 0);
	node_json = sn_json_parse(text.p, text.n, &err);
	assert_true(json_equal(json_object_get(hub_json, "advertise"),
			       json_object_get(node_json, "hub_urls")));
	assert_string_equal(json_string_value(json_object_get(hub_json, "local")),
			    "127.0.0.1:8088");
	assert_non_null(json_object_get(hub_json, "web_dir"));
	assert_true(json_is_false(json_object_get(hub_json, "announce")));
	json_decref(hub_json);
	json_decref(node_json);
	sn_buf_finish(&text);
	sn_demo_place_remove(&place);
	sn_demo_place_finish(&place);
}

static int make_base(void **state SN_UNUSED)
{
	return mkdtemp(base) != NULL ? 0 : -1;
}

static int remove_base(void **state SN_UNUSED)
{
	return sn_fs_remove_tree(base, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_directory_is_made_and_removed_again),
		cmocka_unit_test(a_directory_of_the_caller_is_emptied_but_stays),
		cmocka_unit_test(a_directory_with_something_else_in_it_is_refused),
		cmocka_unit_test(a_link_is_not_followed),
		cmocka_unit_test(a_path_too_long_for_sockets_is_refused),
		cmocka_unit_test(left_overs_of_a_crash_are_removed_at_the_next_start),
		cmocka_unit_test(two_demos_do_not_share_a_directory),
		cmocka_unit_test(a_start_waits_for_the_helper_of_a_killed_demo),
		cmocka_unit_test(each_directory_has_a_prefix_of_its_own),
		cmocka_unit_test(the_caller_of_sudo_is_the_user),
		cmocka_unit_test(hosts_read_the_configuration_that_is_written),
		cmocka_unit_test(the_hub_listens_where_the_nodes_look),
	};

	return cmocka_run_group_tests(tests, make_base, remove_base);
}
