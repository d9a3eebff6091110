/* SPDX-License-Identifier: Apache-2.0 */
/* What kill -9 and a full disk may not do: lose what was acknowledged, or store it twice. */
#include "lib/test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "unit/store/killed_child.h"
#include "unit/store/world.h"

#include "base/clock.h"
#include "base/rand.h"

#define KILLS          60
#define ROWS_PER_BATCH 20

/* Batch `seq` has always the same rows; they go to two days in turn. */
static void fill(struct sn_batch *batch, uint64_t seq)
{
	sn_batch_clear(batch);
	for (int i = 0; i < ROWS_PER_BATCH; i++)
		add_row(batch, DAY_1 + (int64_t)(seq % 2) * DAY_NS + i, "a",
			(int64_t)seq * ROWS_PER_BATCH + i);
}

/* In a child: appends three batches per group from `seq` on until killed; tells each commit. */
static void append_for_ever(void *ctx, uint64_t seq, int pipe_fd)
{
	struct world *world = ctx;
	struct sn_store *store;

	if (sn_store_open(world->dir, &store, NULL) != 0)
		_exit(2);
	for (;; seq += 3) {
		for (uint64_t i = seq; i < seq + 3; i++) {
			struct sn_batch_id id = batch_id(i);
			int rc;

			fill(world->batch, i);
			rc = sn_store_append(store, &id, world->batch, NULL);
			if (rc != 0 && rc != 1)
				_exit(3);
		}
		if (sn_store_commit(store, NULL) != 0)
			_exit(4);
		uint64_t done = seq + 3;
		if (write(pipe_fd, &done, sizeof(done)) != sizeof(done))
			_exit(5);
	}
}

static void killed_writer_loses_nothing_acknowledged_and_stores_nothing_twice(void **state)
{
	struct world *world = *state;
	struct sn_store_check check;
	struct sn_prng prng;
	uint64_t seq = 0, seed = sn_mono_ns();

	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	sn_store_close(world->store);
	world->store = NULL;
	for (int i = 0; i < KILLS; i++) {
		seq = run_and_kill(append_for_ever, world, seq,
				   (useconds_t)(sn_prng_u64(&prng) % 40000));
		if (i % 10 != 9)
			continue;
		world_open(world);
		check = check_node(world, NODE);
		assert_true(check.rows >= seq * ROWS_PER_BATCH);
		assert_int_equal(check.rows % ROWS_PER_BATCH, 0);
		assert_int_equal(check.duplicates, 0);
		assert_int_equal(check.seq_min, 0);
		sn_store_close(world->store);
		world->store = NULL;
	}
	print_message("# %llu batches acknowledged over %d kills\n", (unsigned long long)seq,
		      KILLS);
	assert_true(seq > 0);
	world_open(world);
	/* What was sent without an answer is sent again, as a node would. */
	for (uint64_t i = seq; i < seq + 3; i++) {
		struct sn_batch_id id = batch_id(i);

		fill(world->batch, i);
		assert_true(sn_store_append(world->store, &id, world->batch, NULL) >= 0);
	}
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_stored(world, (seq + 3) * ROWS_PER_BATCH);
}

/* Appends groups until one is refused; returns the number of batches acknowledged. */
static uint64_t append_until_full(struct world *world, uint64_t seq, int *error)
{
	for (*error = 0; *error == 0 && seq < 100000; seq++) {
		struct sn_batch_id id = batch_id(seq);
		int appended, committed;

		fill(world->batch, seq);
		appended = sn_store_append(world->store, &id, world->batch, &world->err);
		committed = sn_store_commit(world->store, &world->err);
		*error = committed != 0 ? committed : SN_MIN(appended, 0);
	}
	return seq - 1;
}

/* `or_error`: what else may be said; SQLite does not tell a quota from other failed writes. */
static int fill_up_and_go_on(struct world *world, int or_error, void (*make_space)(void *),
			     void *ctx)
{
	uint64_t acknowledged;
	int error;

	acknowledged = append_until_full(world, 0, &error);
	if ((error != -ENOSPC && error != or_error) || acknowledged == 0) {
		fprintf(stderr, "full: %d %s\n", error, world->err.text);
		return 10;
	}
	/* Still full, still a clean error; what is there can be read. */
	for (int i = 0; i < 3; i++) {
		append_until_full(world, acknowledged, &error);
		if (error != -ENOSPC && error != or_error)
			return 11;
	}
	make_space(ctx);
	for (uint64_t seq = acknowledged; seq < acknowledged + 20; seq++) {
		struct sn_batch_id id = batch_id(seq);

		fill(world->batch, seq);
		if (sn_store_append(world->store, &id, world->batch, &world->err) < 0 ||
		    sn_store_commit(world->store, &world->err) != 0) {
			fprintf(stderr, "after: %s\n", world->err.text);
			return 12;
		}
	}
	sn_store_close(world->store);
	world_open(world);
	struct sn_store_check check = check_node(world, NODE);
	if (check.rows != (acknowledged + 20) * ROWS_PER_BATCH || check.duplicates != 0 ||
	    check.missing != 0)
		return 13;
	return 0;
}

static void lift_limit(void *ctx)
{
	setrlimit(RLIMIT_FSIZE, ctx);
}

/* In a child, because a limit that was lowered for good would stay. */
static int run_with_file_limit(struct world *world)
{
	struct rlimit before, low;

	if (getrlimit(RLIMIT_FSIZE, &before) != 0 || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return 1;
	low = before;
	low.rlim_cur = 1000000;
	if (setrlimit(RLIMIT_FSIZE, &low) != 0)
		return 1;
	return fill_up_and_go_on(world, -EIO, lift_limit, &before);
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void full_quota_is_a_clean_error_and_the_store_goes_on_after_it(void **state)
{
	struct world *world = *state;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_with_file_limit(world));
	assert_int_equal(wait_for(pid), 0);
}

static void remove_ballast(void *ctx)
{
	unlink(ctx);
}

#define NO_MOUNT 77

/* A file system of 8 MB, seen by this process alone and gone with it. */
static int run_on_small_disk(struct world *world)
{
	sn_autofree char *ballast = file_path(world, "ballast");
	sn_autofree char *bytes = sn_xcalloc(1, 4 << 20);

	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("sonde-test", world->dir, "tmpfs", 0, "size=8m,mode=0700") != 0)
		return NO_MOUNT;
	sn_store_close(world->store);
	if (sn_fs_write_atomic(ballast, bytes, 4 << 20, 0600, NULL) != 0)
		return 1;
	world_open(world);
	return fill_up_and_go_on(world, -ENOSPC, remove_ballast, ballast);
}

static void full_disk_is_a_clean_error_and_the_store_goes_on_after_it(void **state)
{
	struct world *world = *state;
	pid_t pid = fork();
	int result;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_on_small_disk(world));
	result = wait_for(pid);
	if (result == NO_MOUNT) {
		print_message("# skipped: no right to mount a small file system\n");
		skip();
	}
	assert_int_equal(result, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(killed_writer_loses_nothing_acknowledged_and_stores_nothing_twice),
		WITH_WORLD(full_quota_is_a_clean_error_and_the_store_goes_on_after_it),
		WITH_WORLD(full_disk_is_a_clean_error_and_the_store_goes_on_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
