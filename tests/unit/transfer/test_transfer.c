/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides of the transfer over loopback: the probe on a thread, the link in the test. */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "transfer/copy.h"
#include "transfer/link.h"
#include "transfer/probe.h"

#define OLD   "2026_03_01_12_00.out"
#define NEXT  "2026_03_01_12_05.out"
#define LATER "2026_03_01_12_10.out"
#define LOG   "log_tcp_complete"

struct site {
	char dir[64], url[64], part[96];
	struct sn_math_tree *tree;
	struct sn_math_probe *probe;
	struct sn_math_link *link;
	struct sn_loop *loop;
	pthread_t thread;
	atomic_bool stop;
};

static void put(const struct site *site, const char *directory, const char *name, const char *text)
{
	sn_autofree char *dir = sn_xasprintf("%s/logs/%s", site->dir, directory);
	sn_autofree char *path = sn_xasprintf("%s/%s", dir, name);
	FILE *file;

	assert_int_equal(sn_fs_mkdirs(dir, 0755, NULL), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void *serve(void *ctx)
{
	struct site *site = ctx;

	while (!atomic_load(&site->stop))
		sn_loop_turn(site->loop, 10 * SN_NS_PER_MS);
	return NULL;
}

static int setup(void **state)
{
	struct site *site = sn_new(struct site);
	sn_autofree char *logs = NULL;
	struct sn_math_tree_config tree = {.interval_ns = 20 * SN_NS_PER_MS};
	struct sn_math_probe_config probe = {.stream = "lab"};
	struct sn_math_link_config link = {.stream = "lab"};
	struct sn_addr bound;
	char where[SN_ADDR_TEXT_MAX];

	strcpy(site->dir, "/tmp/sonde-transfer-XXXXXX");
	assert_non_null(mkdtemp(site->dir));
	logs = sn_xasprintf("%s/logs", site->dir);
	put(site, OLD, LOG, "one");
	put(site, NEXT, LOG, "two two");
	put(site, LATER, LOG, "growing");
	tree.directory = logs;
	assert_int_equal(sn_math_tree_create(&tree, &site->tree, NULL), 0);
	site->loop = probe.loop = sn_loop_create(NULL);
	probe.tree = site->tree;
	sn_addr_parse(SN_STR("127.0.0.1"), 0, &probe.listen);
	assert_int_equal(sn_math_probe_create(&probe, &site->probe, &bound, NULL), 0);
	snprintf(site->url, sizeof(site->url), "http://%s",
		 sn_addr_format_port(&bound, where, sizeof(where)));
	snprintf(site->part, sizeof(site->part), "%s/part", site->dir);
	link.url = site->url;
	assert_int_equal(sn_math_link_open(&link, &site->link, NULL), 0);
	pthread_create(&site->thread, NULL, serve, site);
	*state = site;
	return 0;
}

static int teardown(void **state)
{
	struct site *site = *state;

	atomic_store(&site->stop, true);
	pthread_join(site->thread, NULL);
	sn_math_link_close(site->link);
	sn_math_probe_destroy(site->probe);
	sn_math_tree_destroy(site->tree);
	sn_loop_destroy(site->loop);
	sn_fs_remove_tree(site->dir, NULL);
	free(site);
	return 0;
}

struct listed {
	char text[1024];
	struct sn_math_entry last;
	char path[SN_MATH_PATH_MAX + 1];
};

static int note(const struct sn_math_entry *entry, void *ctx)
{
	struct listed *listed = ctx;
	size_t at = strlen(listed->text);

	listed->last = *entry;
	snprintf(listed->path, sizeof(listed->path), "%.*s", (int)entry->path.n, entry->path.p);
	listed->last.path = sn_str(listed->path);
	snprintf(listed->text + at, sizeof(listed->text) - at, "%s ", listed->path);
	return 0;
}

/* Until the list has `count` entries, as digests take a moment. */
static struct sn_math_listing list(struct site *site, const char *token, size_t count,
				   struct listed *listed)
{
	struct sn_math_listing listing = {0};

	for (int i = 0; i < 200; i++) {
		memset(listed, 0, sizeof(*listed));
		assert_int_equal(
			sn_math_link_list(site->link, token, 1000, note, listed, &listing, NULL),
			0);
		if (listing.entries >= count)
			break;
		usleep(10000);
	}
	return listing;
}

static void the_list_is_in_order_without_the_newest(void **state)
{
	struct listed listed;
	struct sn_math_listing listing = list(*state, NULL, 2, &listed);

	assert_string_equal(listed.text, OLD "/" LOG " " NEXT "/" LOG " ");
	assert_int_equal(listed.last.size, 7);
	assert_int_equal(strlen(listed.last.sha256), 64);
	assert_true(listing.token[0] != '\0');
}

static void what_was_listed_is_not_listed_again(void **state)
{
	struct site *site = *state;
	struct listed listed;
	struct sn_math_listing listing = list(site, NULL, 2, &listed);
	char token[SN_MATH_TOKEN_SIZE];

	memcpy(token, listing.token, sizeof(token));
	listing = list(site, token, 0, &listed);
	assert_int_equal(listing.entries, 0);
	/* A late one, older than what was there, and one that was finished by a newer one. */
	put(site, "2026_03_01_11_55.out", LOG, "late");
	listing = list(site, token, 1, &listed);
	assert_string_equal(listed.text, "2026_03_01_11_55.out/" LOG " ");
	memcpy(token, listing.token, sizeof(token));
	put(site, "2026_03_01_12_15.out", LOG, "");
	list(site, token, 1, &listed);
	assert_string_equal(listed.text, LATER "/" LOG " ");
}

static void a_file_that_changed_is_listed_again(void **state)
{
	struct site *site = *state;
	struct listed listed;
	struct sn_math_listing listing = list(site, NULL, 2, &listed);
	char token[SN_MATH_TOKEN_SIZE];
	struct sn_math_entry before = listed.last;
	char path[SN_MATH_PATH_MAX + 1];
	struct sn_math_fetched fetched;
	struct sn_err err = {0};

	memcpy(token, listing.token, sizeof(token));
	memcpy(path, listed.path, sizeof(path));
	before.path = sn_str(path);
	put(site, NEXT, LOG, "two two two");
	list(site, token, 1, &listed);
	assert_string_equal(listed.text, NEXT "/" LOG " ");
	assert_string_not_equal(listed.last.sha256, before.sha256);
	assert_int_equal(sn_math_link_fetch(site->link, &before, site->part, &fetched, &err),
			 -ESTALE);
}

static void files_come_whole_and_verified(void **state)
{
	struct site *site = *state;
	struct listed listed;
	struct sn_math_fetched fetched;
	struct sn_buf text = {0};

	list(site, NULL, 2, &listed);
	assert_int_equal(sn_math_link_fetch(site->link, &listed.last, site->part, &fetched, NULL),
			 0);
	assert_int_equal(fetched.size, 7);
	assert_string_equal(fetched.sha256, listed.last.sha256);
	assert_int_equal(sn_fs_read(site->part, 100, &text, NULL), 0);
	assert_string_equal(sn_buf_cstr(&text), "two two");
	sn_buf_finish(&text);
}

static void a_part_is_gone_on_with(void **state)
{
	struct site *site = *state;
	struct listed listed;
	struct sn_math_fetched fetched;
	struct sn_err err = {0};

	list(site, NULL, 2, &listed);
	assert_int_equal(sn_fs_write_atomic(site->part, "two", 3, 0600, NULL), 0);
	assert_int_equal(sn_math_link_fetch(site->link, &listed.last, site->part, &fetched, NULL),
			 0);
	assert_int_equal(fetched.taken, 4);
	/* What is no part of it is found out by the digest, and begun anew the next time. */
	assert_int_equal(sn_fs_write_atomic(site->part, "xxx", 3, 0600, NULL), 0);
	assert_int_equal(sn_math_link_fetch(site->link, &listed.last, site->part, &fetched, &err),
			 -EBADMSG);
	assert_false(sn_fs_exists(site->part));
	assert_int_equal(sn_math_link_fetch(site->link, &listed.last, site->part, &fetched, NULL),
			 0);
	assert_int_equal(fetched.taken, 7);
}

static void a_part_of_an_old_peer_is_gone_on_with_by_its_state(void **state)
{
	struct site *site = *state;
	sn_autofree char *state_path = sn_xasprintf("%s.state", site->part);
	struct listed listed;
	struct sn_math_fetched fetched;
	struct sn_math_entry plain;
	char etag[80];

	list(site, NULL, 2, &listed);
	plain = (struct sn_math_entry){.path = listed.last.path};
	snprintf(etag, sizeof(etag), "\"%s\"", listed.last.sha256);
	assert_int_equal(sn_fs_write_atomic(site->part, "two", 3, 0600, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(state_path, etag, strlen(etag), 0600, NULL), 0);
	assert_int_equal(sn_math_link_fetch(site->link, &plain, site->part, &fetched, NULL), 0);
	assert_int_equal(fetched.taken, 4);
	assert_string_equal(fetched.sha256, listed.last.sha256);
	/* Of another state, or none: all of it. */
	assert_int_equal(sn_fs_write_atomic(site->part, "one", 3, 0600, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(state_path, "\"other\"", 7, 0600, NULL), 0);
	assert_int_equal(sn_math_link_fetch(site->link, &plain, site->part, &fetched, NULL), 0);
	assert_int_equal(fetched.taken, 7);
	assert_int_equal(sn_fs_write_atomic(site->part, "one", 3, 0600, NULL), 0);
	assert_int_equal(sn_math_link_fetch(site->link, &plain, site->part, &fetched, NULL), 0);
	assert_int_equal(fetched.taken, 7);
	assert_string_equal(fetched.sha256, listed.last.sha256);
}

static void nothing_but_the_list_is_served(void **state)
{
	struct site *site = *state;
	static const char *const paths[] = {LATER "/" LOG, "2026_03_01_12_00.out/link", "secret",
					    "2026_03_01_12_00.out"};
	sn_autofree char *link = sn_xasprintf("%s/logs/" OLD "/link", site->dir);
	struct listed listed;
	struct sn_math_fetched fetched;

	assert_int_equal(symlink("/etc/hostname", link), 0);
	put(site, "", "secret", "x");
	list(site, NULL, 2, &listed);
	for (size_t i = 0; i < SN_COUNT(paths); i++) {
		struct sn_math_entry entry = {.path = sn_str(paths[i])};

		assert_int_equal(sn_math_link_fetch(site->link, &entry, site->part, &fetched, NULL),
				 -ENOENT);
	}
}

static void a_link_on_the_way_is_not_followed(void **state)
{
	struct site *site = *state;
	sn_autofree char *target = sn_xasprintf("%s/logs/" OLD, site->dir);
	sn_autofree char *link = sn_xasprintf("%s/away", site->dir);
	sn_autoclose int dir = open(site->dir, O_RDONLY | O_DIRECTORY);
	int fd;

	assert_int_equal(symlink(target, link), 0);
	assert_true(sn_math_open_beneath(dir, SN_STR("away/" LOG)) < 0);
	assert_true(sn_math_open_beneath(dir, SN_STR("logs/../logs/" OLD "/" LOG)) < 0);
	fd = sn_math_open_beneath(dir, SN_STR("logs/" OLD "/" LOG));
	assert_true(fd >= 0);
	close(fd);
}

static void unknown_streams_are_refused(void **state)
{
	struct site *site = *state;
	struct sn_math_link_config config = {.url = site->url, .stream = "other"};
	struct sn_math_listing listing;
	struct sn_math_link *link;
	struct listed listed = {0};
	struct sn_err err = {0};

	assert_int_equal(sn_math_link_open(&config, &link, NULL), 0);
	assert_int_equal(sn_math_link_list(link, NULL, 10, note, &listed, &listing, &err), -ENOENT);
	assert_non_null(strstr(err.text, "405"));
	sn_math_link_close(link);
}

static void a_stopped_link_stays_stopped(void **state)
{
	struct site *site = *state;
	struct sn_math_listing listing;
	struct listed listed = {0};
	struct sn_err err = {0};

	sn_math_link_stop(site->link);
	assert_int_equal(sn_math_link_list(site->link, NULL, 10, note, &listed, &listing, &err),
			 -ECANCELED);
}

static void larger_files_than_allowed_are_left(void **state)
{
	struct site *site = *state;
	struct sn_math_link_config config = {.url = site->url, .stream = "lab", .file_max = 6};
	struct sn_math_link *link;
	struct sn_math_fetched fetched;
	struct sn_math_entry plain;
	struct listed listed;

	list(site, NULL, 2, &listed);
	plain = (struct sn_math_entry){.path = listed.last.path};
	assert_int_equal(sn_math_link_open(&config, &link, NULL), 0);
	assert_int_equal(sn_math_link_fetch(link, &listed.last, site->part, &fetched, NULL),
			 -EMSGSIZE);
	assert_int_equal(sn_math_link_fetch(link, &plain, site->part, &fetched, NULL), -EMSGSIZE);
	assert_false(sn_fs_exists(site->part));
	sn_math_link_close(link);
}

static void a_copy_is_whole_and_knows_what_it_has(void **state)
{
	struct site *site = *state;
	sn_autofree char *out = sn_xasprintf("%s/copy", site->dir);
	sn_autofree char *path = sn_xasprintf("%s/" NEXT "/" LOG, out);
	struct sn_math_copy_config config = {.link = site->link,
					     .stream = "lab",
					     .directory = out,
					     .start_s = SN_MATH_TIME_UNKNOWN};
	struct sn_math_copy *copy;
	struct listed listed;
	uint64_t failed;
	struct stat before, after;

	list(site, NULL, 2, &listed);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sn_math_copy_open(&config, &copy, NULL), 0);
		assert_int_equal(sn_math_copy_run(copy, &failed, NULL), 0);
		assert_int_equal(failed, 0);
		sn_math_copy_close(copy);
		assert_int_equal(stat(path, i == 0 ? &before : &after), 0);
	}
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_size, 7);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_list_is_in_order_without_the_newest),
		TEST(what_was_listed_is_not_listed_again),
		TEST(a_file_that_changed_is_listed_again),
		TEST(files_come_whole_and_verified),
		TEST(a_part_is_gone_on_with),
		TEST(a_part_of_an_old_peer_is_gone_on_with_by_its_state),
		TEST(nothing_but_the_list_is_served),
		TEST(a_link_on_the_way_is_not_followed),
		TEST(unknown_streams_are_refused),
		TEST(a_stopped_link_stays_stopped),
		TEST(larger_files_than_allowed_are_left),
		TEST(a_copy_is_whole_and_knows_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
