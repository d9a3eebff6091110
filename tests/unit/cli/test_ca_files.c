/* SPDX-License-Identifier: Apache-2.0 */
/* What `sonde ca` writes, and what it leaves alone. */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/ca/files.h"
#include "net/pki.h"

static char dir[64];
static struct sn_buf key, ca;

static int setup(void **state SN_UNUSED)
{
	strcpy(dir, "/tmp/sonde-ca-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(sn_pki_key_generate(&key, NULL), 0);
	assert_int_equal(
		sn_pki_ca_create(sn_buf_cstr(&key), "Sonde CA", 1700000000, 4000000000, &ca, NULL),
		0);
	sn_buf_cstr(&ca);
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	sn_fs_remove_tree(dir, NULL);
	sn_buf_finish(&key);
	sn_buf_finish(&ca);
	return 0;
}

static void put(const char *name, const char *text)
{
	sn_autofree char *path = sn_fs_join(dir, name);

	assert_int_equal(sn_fs_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

/* What preparing says, with files "probe1.*" in `below`. */
static int prepare(const char *below, bool with_key, bool force, struct sn_ca_files *files,
		   struct sn_err *err)
{
	sn_autofree char *where = sn_fs_join(dir, below);

	*files = (struct sn_ca_files){0};
	return sn_ca_files_prepare(files, where, "probe1", with_key, force, ca.p, err);
}

static void assert_refused(bool with_key, const char *words)
{
	struct sn_ca_files files;
	struct sn_err err = {0};

	assert_int_equal(prepare("", with_key, false, &files, &err), -EEXIST);
	if (strstr(err.text, words) == NULL)
		fail_msg("%s", err.text);
	sn_ca_files_finish(&files);
	assert_int_equal(prepare("", with_key, true, &files, &err), 0);
	sn_ca_files_finish(&files);
}

static void three_files_are_written_and_the_key_is_private(void **state SN_UNUSED)
{
	struct sn_ca_files files;
	struct sn_buf text = {0};
	struct sn_err err = {0};
	struct stat st;

	assert_int_equal(prepare("a/b", true, false, &files, &err), 0);
	if (sn_ca_files_write(&files, ca.p, &key, ca.p, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(stat(files.key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(sn_fs_read(files.cert, SN_PKI_PEM_MAX, &text, NULL), 0);
	assert_non_null(strstr(sn_buf_cstr(&text), "\n    Subject: CN=Sonde CA\n"));
	/* Words come first, then the block, and nothing behind it. */
	assert_string_equal(strstr(text.p, "-----BEGIN"), ca.p);
	assert_int_equal(sn_ca_files_write(&files, "junk", &key, ca.p, &err), -EINVAL);
	sn_ca_files_finish(&files);
	assert_int_equal(stat(files.key = sn_fs_join(dir, "a/b/probe1.key"), &st), 0);
	free(files.key);
	sn_buf_finish(&text);
}

static void what_is_there_is_left_alone(void **state SN_UNUSED)
{
	put("probe1.crt", "x");
	assert_refused(true, "probe1.crt");
	sn_fs_remove_tree(dir, NULL);
	assert_int_equal(sn_fs_mkdirs(dir, 0700, NULL), 0);
	put("probe1.key", "x");
	assert_refused(true, "probe1.key");
}

static void a_key_that_is_not_ours_to_write_does_not_matter(void **state SN_UNUSED)
{
	struct sn_ca_files files;

	put("probe1.key", "x");
	assert_int_equal(prepare("", false, false, &files, NULL), 0);
	assert_null(files.key);
	sn_ca_files_finish(&files);
}

static void another_ca_is_not_replaced_but_the_same_one_is_fine(void **state SN_UNUSED)
{
	struct sn_ca_files files;

	put("ca.crt", ca.p);
	assert_int_equal(prepare("", true, false, &files, NULL), 0);
	sn_ca_files_finish(&files);
	put("ca.crt", "another");
	assert_refused(true, "another CA");
}

static void a_peer_called_ca_is_refused(void **state SN_UNUSED)
{
	struct sn_ca_files files = {0};
	struct sn_err err = {0};

	assert_int_equal(sn_ca_files_prepare(&files, dir, "ca", true, true, ca.p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "another name"));
	sn_ca_files_finish(&files);
}

static void a_directory_made_for_nothing_goes(void **state SN_UNUSED)
{
	sn_autofree char *fresh = sn_fs_join(dir, "fresh");
	struct sn_ca_files files;

	assert_int_equal(prepare("fresh", true, false, &files, NULL), 0);
	assert_true(sn_fs_exists(fresh));
	sn_ca_files_finish(&files);
	assert_false(sn_fs_exists(fresh));
	/* One that was there before stays, empty or not. */
	assert_int_equal(prepare("", true, false, &files, NULL), 0);
	sn_ca_files_finish(&files);
	assert_true(sn_fs_exists(dir));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(three_files_are_written_and_the_key_is_private),
		TEST(what_is_there_is_left_alone),
		TEST(a_key_that_is_not_ours_to_write_does_not_matter),
		TEST(another_ca_is_not_replaced_but_the_same_one_is_fine),
		TEST(a_peer_called_ca_is_refused),
		TEST(a_directory_made_for_nothing_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
