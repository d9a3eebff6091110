/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "store/backup.h"
#include "store/sqlite.h"
#include "unit/store/world.h"

/* A hub's state with a store of three days, a place for backups, and one to restore to. */
struct place {
	char dir[32];
	char *state, *store, *backup, *other;
	struct world world;
	struct sn_backup_watch watch;
	struct sn_backup_sum sum;
	struct sn_err err;
};

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	sn_autofree char *path = sn_fs_join(dir, name);

	assert_int_equal(sn_fs_write_atomic(path, text, strlen(text), mode, NULL), 0);
}

static void store_row(struct place *place, unsigned day, int64_t seq)
{
	add_row(place->world.batch, DAY_1 + day * DAY_NS + seq, "t", seq);
	store_batch(&place->world);
}

static int start(void **state)
{
	struct place *place = sn_new(struct place);

	strcpy(place->dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(place->dir) == NULL)
		return -1;
	place->state = sn_fs_join(place->dir, "state");
	place->store = sn_fs_join(place->state, "store");
	place->backup = sn_fs_join(place->dir, "backup");
	place->other = sn_fs_join(place->dir, "other");
	assert_int_equal(sn_store_open(place->store, &place->world.store, &place->err), 0);
	place->world.batch = sn_batch_create(&sample);
	for (unsigned i = 0; i < 30; i++)
		store_row(place, i % 3, i);
	write_file(place->state, "ca.key", "secret", 0600);
	write_file(place->state, "ca.pem", "public", 0644);
	write_file(place->state, "hub.json", "token", 0600);
	*state = place;
	return 0;
}

static int stop(void **state)
{
	struct place *place = *state;

	sn_store_close(place->world.store);
	sn_batch_destroy(place->world.batch);
	sn_fs_remove_tree(place->dir, NULL);
	free(place->state);
	free(place->store);
	free(place->backup);
	free(place->other);
	free(place);
	return 0;
}

/* As if nothing had been written to for an hour: what is fresh is copied each time. */
static void age(const char *path)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
	DIR *dir = opendir(path);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		sn_autofree char *inner = sn_fs_join(path, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		assert_int_equal(utimensat(AT_FDCWD, inner, times, 0), 0);
		if (entry->d_type == DT_DIR)
			age(inner);
	}
	closedir(dir);
}

static int back_up(struct place *place)
{
	struct sn_backup_options options = {.state = place->state, .directory = place->backup};

	place->watch = (struct sn_backup_watch){0};
	return sn_backup_make(&options, &place->watch, &place->sum, &place->err);
}

static void must_back_up(struct place *place)
{
	if (back_up(place) != 0)
		fail_msg("%s", place->err.text);
}

static int restore(struct place *place, bool force)
{
	struct sn_restore_options options = {
		.directory = place->backup, .state = place->other, .force = force};
	struct sn_backup_watch watch = {0};

	return sn_restore(&options, &watch, &place->sum, NULL, &place->err);
}

static uint64_t rows_in(const char *state)
{
	sn_autofree char *path = sn_fs_join(state, "store");
	struct sn_store_check check;
	struct sn_store *store;
	struct sn_err err = {0};

	assert_int_equal(sn_store_open(path, &store, &err), 0);
	assert_int_equal(sn_store_check_node(store, NODE, &check, &err), 0);
	sn_store_close(store);
	assert_int_equal(check.duplicates, 0);
	assert_int_equal(check.missing, 0);
	return check.rows;
}

static mode_t mode_of(const char *dir, const char *name)
{
	sn_autofree char *path = sn_fs_join(dir, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 0777;
}

static void what_was_backed_up_is_restored(void **state)
{
	struct place *place = *state;

	must_back_up(place);
	assert_int_equal(place->sum.files, 5); /* three days and two keys, not hub.json */
	assert_int_equal(place->sum.copied, 5);
	store_row(place, 0, 30);
	if (restore(place, false) != 0)
		fail_msg("%s", place->err.text);
	assert_int_equal(rows_in(place->other), 30);
	assert_int_equal(mode_of(place->other, "ca.key"), 0600);
	assert_int_equal(mode_of(place->other, "ca.pem"), 0644);
	assert_int_equal(mode_of(place->other, "store/2026-03-01.db"), 0600);
	assert_int_equal(mode_of(place->backup, "manifest.json"), 0600);
	assert_int_equal(mode_of(place->dir, "backup"), 0700);
}

static void only_what_has_changed_is_copied_again(void **state)
{
	struct place *place = *state;

	must_back_up(place);
	must_back_up(place);
	assert_int_equal(place->sum.copied, 5);
	age(place->state);
	must_back_up(place);
	must_back_up(place);
	assert_int_equal(place->sum.copied, 0);
	store_row(place, 1, 30);
	must_back_up(place);
	assert_int_equal(place->sum.copied, 1);
	assert_int_equal(place->sum.files, 5);
	if (restore(place, false) != 0)
		fail_msg("%s", place->err.text);
	assert_int_equal(rows_in(place->other), 31);
}

static void a_day_that_was_dropped_leaves_the_backup(void **state)
{
	struct place *place = *state;
	sn_autofree char *old = sn_fs_join(place->backup, "data/1/store/2026-03-02.db");

	must_back_up(place);
	assert_true(sn_fs_exists(old));
	assert_int_equal(sn_store_drop_day(place->world.store, "2026-03-02", &place->err), 0);
	must_back_up(place);
	assert_int_equal(place->sum.files, 4);
	assert_false(sn_fs_exists(old));
}

static void an_interrupted_run_leaves_the_backup_before_it(void **state)
{
	struct place *place = *state;
	struct sn_backup_options options = {.state = place->state, .directory = place->backup};

	must_back_up(place);
	store_row(place, 0, 30);
	place->watch = (struct sn_backup_watch){.stop = true};
	assert_int_equal(sn_backup_make(&options, &place->watch, &place->sum, &place->err),
			 -ECANCELED);
	assert_int_equal(restore(place, false), 0);
	assert_int_equal(rows_in(place->other), 30);
	must_back_up(place);
	assert_int_equal(restore(place, true), 0);
	assert_int_equal(rows_in(place->other), 31);
}

static void a_directory_of_something_else_is_refused(void **state)
{
	struct place *place = *state;
	struct sn_backup_options inside = {.state = place->state, .directory = place->store};

	assert_int_equal(sn_fs_mkdirs(place->backup, 0700, NULL), 0);
	write_file(place->backup, "thesis.txt", "x", 0600);
	assert_int_equal(back_up(place), -ENOTEMPTY);
	place->watch = (struct sn_backup_watch){0};
	assert_int_equal(sn_backup_make(&inside, &place->watch, &place->sum, &place->err), -EEXIST);
}

static void a_damaged_backup_is_refused_before_anything_is_touched(void **state)
{
	struct place *place = *state;
	sn_autofree char *file = sn_fs_join(place->backup, "data/1/store/2026-03-02.db");
	FILE *damaged;

	must_back_up(place);
	damaged = fopen(file, "r+");
	assert_non_null(damaged);
	fseek(damaged, 5000, SEEK_SET);
	fputc('x', damaged);
	fclose(damaged);
	assert_int_equal(restore(place, false), -EUCLEAN);
	assert_false(sn_fs_exists(place->other));
	unlink(file);
	assert_int_equal(restore(place, false), -ENOENT);
}

static void a_state_that_holds_something_is_kept(void **state)
{
	struct place *place = *state;
	sn_autofree char *lock = sn_fs_join(place->other, "lock");
	sn_autofree char *kept = NULL;
	struct sn_restore_options options = {
		.directory = place->backup, .state = place->other, .force = true};
	struct sn_backup_watch watch = {0};
	int held;

	must_back_up(place);
	assert_int_equal(sn_fs_mkdirs(place->other, 0700, NULL), 0);
	write_file(place->other, "ca.key", "other", 0600);
	assert_int_equal(restore(place, false), -ENOTEMPTY);
	held = sn_fs_lock(lock, &place->err);
	assert_true(held >= 0);
	assert_int_equal(restore(place, true), -EAGAIN);
	close(held);
	assert_int_equal(sn_restore(&options, &watch, &place->sum, &kept, &place->err), 0);
	assert_non_null(kept);
	assert_int_equal(mode_of(kept, "ca.key"), 0600);
	assert_int_equal(rows_in(place->other), 30);
}

static void a_manifest_that_leads_elsewhere_is_refused(void **state)
{
	static char place_name[] = "data/1/x";
	static const char *const paths[] = {"../x",  "/etc/x", "a/../../x", "a//x",
					    "a/./x", "",       "a/"};
	struct place *place = *state;
	struct sn_manifest manifest;

	assert_int_equal(sn_fs_mkdirs(place->backup, 0700, NULL), 0);
	for (size_t i = 0; i < SN_COUNT(paths); i++) {
		sn_autofree char *path = sn_xstrdup(paths[i]);
		struct sn_backup_entry entry = {.path = path, .place = place_name, .mode = 0600};

		manifest = (struct sn_manifest){.run = 1};
		memset(entry.sha256, '0', 64);
		sn_manifest_add(&manifest, &entry);
		assert_int_equal(sn_manifest_write(place->backup, &manifest, &place->err), 0);
		sn_manifest_finish(&manifest);
		assert_int_equal(sn_manifest_read(place->backup, &manifest, &place->err), -EINVAL);
	}
	write_file(place->backup, "manifest.json", "{\"format\":\"other\"}", 0600);
	assert_int_equal(sn_manifest_read(place->backup, &manifest, &place->err), -EINVAL);
	assert_int_equal(back_up(place), -EINVAL);
}

static void restored_days_give_no_number_twice(void **state)
{
	struct place *place = *state;
	sn_autofree char *store = sn_fs_join(place->other, "store");
	struct world other = {0};
	struct sn_day *day;
	int64_t next;

	must_back_up(place);
	assert_int_equal(restore(place, false), 0);
	assert_int_equal(sn_store_open(store, &other.store, &other.err), 0);
	day = sn_day_get(other.store, sn_day_of(DAY_1));
	assert_int_equal(sn_day_open_reader(other.store, day, &other.err), 0);
	assert_int_equal(sn_blocks_next(day->reader, &sample, &next, &other.err), 0);
	assert_true(next > 1000000);
	/* And takes rows. */
	other.batch = sn_batch_create(&sample);
	other.next_batch = 100;
	add_row(other.batch, DAY_1 + 5, "t", 30);
	store_batch(&other);
	sn_store_close(other.store);
	sn_batch_destroy(other.batch);
	assert_int_equal(rows_in(place->other), 31);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(what_was_backed_up_is_restored),
		TEST(only_what_has_changed_is_copied_again),
		TEST(a_day_that_was_dropped_leaves_the_backup),
		TEST(an_interrupted_run_leaves_the_backup_before_it),
		TEST(a_directory_of_something_else_is_refused),
		TEST(a_damaged_backup_is_refused_before_anything_is_touched),
		TEST(a_state_that_holds_something_is_kept),
		TEST(a_manifest_that_leads_elsewhere_is_refused),
		TEST(restored_days_give_no_number_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
