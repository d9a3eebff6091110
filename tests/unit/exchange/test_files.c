/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to import below a directory. */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "exchange/files.h"

static char dir[] = "/tmp/sonde-test-XXXXXX";
static struct sn_err err;

/* A file that changed so many seconds after the others. */
static void put(const char *name, time_t age)
{
	sn_autofree char *path = sn_fs_join(dir, name);
	struct timespec times[2] = {{.tv_sec = 1700000000 + age}, {.tv_sec = 1700000000 + age}};

	assert_int_equal(sn_fs_write_atomic(path, "x", 1, 0600, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int make(void **state)
{
	sn_autofree char *sub = NULL, *link = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	sub = sn_fs_join(dir, "2026/03");
	assert_int_equal(sn_fs_mkdirs(sub, 0700, NULL), 0);
	put("log_tcp_complete", 5);
	put("log_udp_complete.gz", 1);
	put("log_skype_complete", 9);
	put("readme.txt", 9);
	put(".hidden.csv", 9);
	put("2026/03/ping.jsonl.zst", 2);
	put("2026/03/result.json", 3);
	link = sn_fs_join(dir, "link.csv");
	assert_int_equal(symlink("readme.txt", link), 0);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	return sn_fs_remove_tree(dir, NULL);
}

static void assert_names(const struct sn_files *files, const char *wanted)
{
	struct sn_buf names = {0};

	for (size_t i = 0; i < files->count; i++)
		sn_buf_addf(&names, "%s ", files->paths[i] + strlen(dir) + 1);
	assert_string_equal(sn_buf_cstr(&names), wanted);
	sn_buf_finish(&names);
}

static void files_of_known_forms_are_found_and_others_counted(void **state)
{
	struct sn_files files = {0};

	(void)state;
	assert_int_equal(sn_files_add(&files, dir, false, &err), 0);
	assert_names(&files, "log_tcp_complete log_udp_complete.gz 2026/03/ping.jsonl.zst "
			     "2026/03/result.json ");
	assert_int_equal(files.other, 2);
	sn_files_finish(&files);
	assert_int_equal(files.count, 0);
}

static void the_newest_of_each_directory_is_left_out(void **state)
{
	struct sn_files files = {0};

	(void)state;
	assert_int_equal(sn_files_add(&files, dir, true, &err), 0);
	assert_names(&files, "log_udp_complete.gz 2026/03/ping.jsonl.zst ");
	sn_files_finish(&files);
}

static void a_file_that_is_named_is_taken_as_it_is(void **state)
{
	sn_autofree char *path = sn_fs_join(dir, "readme.txt");
	struct sn_files files = {0};

	(void)state;
	assert_int_equal(sn_files_add(&files, path, true, &err), 0);
	assert_names(&files, "readme.txt ");
	assert_int_equal(sn_files_add(&files, "/nonexistent", false, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'/nonexistent'"));
	sn_files_finish(&files);
}

static void directories_have_a_limit_of_depth(void **state)
{
	struct sn_buf deep = {0};
	struct sn_files files = {0};

	(void)state;
	for (int i = 0; i < SN_FILES_DEPTH_MAX + 1; i++) {
		sn_buf_clear(&deep);
		sn_buf_addf(&deep, "%s/deep", dir);
		for (int j = 0; j < i; j++)
			sn_buf_adds(&deep, "/d");
		assert_int_equal(sn_fs_mkdirs(sn_buf_cstr(&deep), 0700, NULL), 0);
		assert_int_equal(sn_files_add(&files, dir, false, &err),
				 i < SN_FILES_DEPTH_MAX ? 0 : -E2BIG);
	}
	sn_files_finish(&files);
	sn_buf_finish(&deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_known_forms_are_found_and_others_counted),
		cmocka_unit_test(the_newest_of_each_directory_is_left_out),
		cmocka_unit_test(a_file_that_is_named_is_taken_as_it_is),
		cmocka_unit_test(directories_have_a_limit_of_depth),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
