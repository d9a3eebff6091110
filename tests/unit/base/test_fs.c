/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
	(void)state;
	return sn_fs_remove_tree(dir, NULL);
}

static char *at(const char *name)
{
	static char path[4][128];
	static unsigned next;
	char *out = path[next++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static void assert_content(const char *path, const char *expected)
{
	struct sn_buf text = {0};

	assert_int_equal(sn_fs_read(path, 1000, &text, NULL), 0);
	assert_string_equal(sn_buf_cstr(&text), expected);
	sn_buf_finish(&text);
}

static void a_file_is_read_whole_up_to_the_limit_and_refused_above(void **state)
{
	struct sn_buf text = {0};
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_fs_write_atomic(at("f"), "12345", 5, 0600, NULL), 0);
	sn_buf_adds(&text, "before:");
	assert_int_equal(sn_fs_read(at("f"), 5, &text, &err), 0);
	assert_string_equal(sn_buf_cstr(&text), "before:12345");
	assert_int_equal(sn_fs_read(at("f"), 4, &text, &err), -EFBIG);
	assert_string_equal(sn_buf_cstr(&text), "before:12345");
	assert_non_null(strstr(err.text, "larger than 4 bytes"));
	assert_int_equal(sn_fs_read(at("absent"), 4, &text, &err), -ENOENT);
	assert_non_null(strstr(err.text, "absent"));
	sn_buf_finish(&text);
}

static void writing_replaces_the_content_and_sets_the_mode(void **state)
{
	struct stat st;
	mode_t old = umask(0077);

	(void)state;
	assert_int_equal(sn_fs_write_atomic(at("f"), "old content", 11, 0600, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(at("f"), "new", 3, 0644, NULL), 0);
	umask(old);
	assert_content(at("f"), "new");
	assert_int_equal(stat(at("f"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_false(sn_fs_exists(at("f.tmp")));
}

static void a_temporary_file_left_by_a_crash_is_no_obstacle(void **state)
{
	int fd = open(at("f.tmp"), O_CREAT | O_WRONLY, 0400);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sn_fs_write_atomic(at("f"), "x", 1, 0600, NULL), 0);
	assert_content(at("f"), "x");
}

static void a_write_that_fails_leaves_the_old_content(void **state)
{
	pid_t child;
	int status;
	char large[20000] = "";

	(void)state;
	assert_int_equal(sn_fs_write_atomic(at("f"), "old", 3, 0600, NULL), 0);
	child = fork();
	if (child == 0) {
		struct rlimit limit = {8192, 8192};
		struct sn_err err;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(sn_fs_write_atomic(at("f"), large, sizeof(large), 0600, &err) != -EFBIG);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_content(at("f"), "old");
	assert_false(sn_fs_exists(at("f.tmp")));
}

static void directories_are_made_with_their_parents(void **state)
{
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_fs_mkdirs(at("a/b/c"), 0700, &err), 0);
	assert_int_equal(sn_fs_mkdirs(at("a/b/c/"), 0700, &err), 0);
	assert_true(sn_fs_exists(at("a/b/c")));
	assert_int_equal(sn_fs_write_atomic(at("a/file"), "", 0, 0600, NULL), 0);
	assert_int_equal(sn_fs_mkdirs(at("a/file"), 0700, &err), -ENOTDIR);
	assert_int_equal(sn_fs_mkdirs(at("a/file/x"), 0700, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "a/file"));
}

static void removing_a_tree_does_not_follow_links(void **state)
{
	(void)state;
	assert_int_equal(sn_fs_mkdirs(at("tree/deep/er"), 0700, NULL), 0);
	assert_int_equal(sn_fs_mkdirs(at("kept"), 0700, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(at("kept/f"), "x", 1, 0600, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(at("tree/deep/f"), "x", 1, 0600, NULL), 0);
	assert_int_equal(symlink(at("kept"), at("tree/deep/link")), 0);
	assert_int_equal(sn_fs_remove_tree(at("tree"), NULL), 0);
	assert_false(sn_fs_exists(at("tree")));
	assert_true(sn_fs_exists(at("kept/f")));
	assert_int_equal(sn_fs_remove_tree(at("tree"), NULL), 0);
}

static void a_lock_is_exclusive_and_names_its_holder(void **state)
{
	int fd = sn_fs_lock(at("lock"), NULL);
	struct sn_err err = {0};
	char pid[32];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sn_fs_lock(at("lock"), &err), -EAGAIN);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(err.text, pid));
	close(fd);
	fd = sn_fs_lock(at("lock"), &err);
	assert_true(fd >= 0);
	close(fd);
}

static void a_lock_is_not_a_link_to_something_else(void **state)
{
	sn_autofree char *target = sn_xstrdup(at("precious"));
	struct sn_buf text = {0};
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_fs_write_atomic(target, "mine", 4, 0600, NULL), 0);
	assert_int_equal(symlink(target, at("linked-lock")), 0);
	assert_int_equal(sn_fs_lock(at("linked-lock"), &err), -ELOOP);
	assert_int_equal(sn_fs_read(target, 16, &text, NULL), 0);
	assert_string_equal(sn_buf_cstr(&text), "mine");
	sn_buf_finish(&text);
}

/* In a child: holds the lock with flock()'s `mode` for a while, and ends. */
static pid_t hold_elsewhere(int mode, const char *pid, unsigned hold_ms)
{
	int ready[2];
	pid_t child;
	char byte;

	assert_int_equal(sn_fs_write_atomic(at("lock"), pid, strlen(pid), 0600, NULL), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		int fd = open(at("lock"), O_RDONLY);

		if (flock(fd, mode) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		usleep(hold_ms * 1000);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return child;
}

static void assert_lock_comes_after(pid_t holder)
{
	struct sn_err err = {0};
	int fd = sn_fs_lock(at("lock"), &err);

	assert_string_equal(err.text, "");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
}

static void a_lock_waits_for_who_only_looks(void **state)
{
	char pid[32];

	(void)state;
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	assert_lock_comes_after(hold_elsewhere(LOCK_SH, pid, 20));
}

static void a_lock_waits_for_the_end_of_a_holder_that_is_dead(void **state)
{
	pid_t gone = fork();
	char pid[32];

	(void)state;
	if (gone == 0)
		_exit(0);
	assert_int_equal(waitpid(gone, NULL, 0), gone);
	snprintf(pid, sizeof(pid), "%d\n", (int)gone);
	assert_lock_comes_after(hold_elsewhere(LOCK_EX, pid, 300));
	assert_lock_comes_after(hold_elsewhere(LOCK_EX, "", 300));
}

static void paths_are_joined_with_one_slash(void **state)
{
	sn_autofree char *a = sn_fs_join("/x", "y"), *b = sn_fs_join("/x/", "y");
	sn_autofree char *self = sn_fs_self_dir();

	(void)state;
	assert_string_equal(a, "/x/y");
	assert_string_equal(b, "/x/y");
	assert_true(sn_fs_exists(self));
	assert_true(sn_fs_free_bytes("/tmp") > 0);
	assert_int_equal(sn_fs_free_bytes("/nonexistent"), -ENOENT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		T(a_file_is_read_whole_up_to_the_limit_and_refused_above),
		T(writing_replaces_the_content_and_sets_the_mode),
		T(a_temporary_file_left_by_a_crash_is_no_obstacle),
		T(a_write_that_fails_leaves_the_old_content),
		T(directories_are_made_with_their_parents),
		T(removing_a_tree_does_not_follow_links),
		T(a_lock_is_exclusive_and_names_its_holder),
		T(a_lock_is_not_a_link_to_something_else),
		T(a_lock_waits_for_who_only_looks),
		T(a_lock_waits_for_the_end_of_a_holder_that_is_dead),
		T(paths_are_joined_with_one_slash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
