/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "data/codec.h"
#include "node/spool/spool.h"

#define NOON  (1772366400LL * SN_NS_PER_S) /* 2026-03-01T12:00:00Z */
#define LARGE (64ULL << 20)

static char dir[64];
static struct sn_spool *spool;

static void open_spool(uint64_t limit)
{
	struct sn_err err = {0};

	if (sn_spool_open(dir, limit, &spool, &err) != 0)
		fail_msg("%s", err.text);
}

static void reopen(void)
{
	sn_spool_close(spool);
	open_spool(LARGE);
}

static int begin(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	open_spool(LARGE);
	return 0;
}

static int end(void **state)
{
	char *broken = sn_xasprintf("%s.broken", dir);

	(void)state;
	sn_spool_close(spool);
	spool = NULL;
	sn_fs_remove_tree(broken, NULL);
	free(broken);
	return sn_fs_remove_tree(dir, NULL);
}

static int add_at(const struct sn_dataset *dataset, int64_t time_ns, uint64_t now_ns)
{
	struct sn_batch *rows = sn_batch_create(dataset);
	int error;

	sn_batch_add_row(rows);
	sn_batch_set_time(rows, SN_COL_TIME, time_ns);
	error = sn_spool_add(spool, rows, now_ns);
	sn_batch_destroy(rows);
	return error;
}

static void add(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(add_at(&sn_dataset_ping, NOON, 0), 0);
}

/* `batches` of one row each. */
static void add_batches(unsigned batches)
{
	for (unsigned i = 0; i < batches; i++) {
		add(1);
		sn_spool_flush_all(spool);
	}
}

static unsigned count_files(const char *sub)
{
	char path[128];
	struct sn_spool_name name;
	struct dirent *entry;
	unsigned count = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s%s", dir, sub);
	d = opendir(path);
	while (d != NULL && (entry = readdir(d)) != NULL)
		count += sn_spool_name_parse(entry->d_name, &name) == 0;
	if (d != NULL)
		closedir(d);
	return count;
}

/* All rows that wait are numbered without a gap from `first` on; returns how many. */
static uint64_t check_rows(uint64_t first)
{
	uint64_t next = first, seq = 0;
	const struct sn_spool_batch *batch;

	while ((batch = sn_spool_next(spool, seq)) != NULL) {
		struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);
		struct sn_buf text = {0};
		struct sn_err err = {0};

		assert_int_equal(sn_spool_read(spool, batch, &text, &err), 0);
		assert_int_equal(text.n, batch->bytes);
		if (sn_jsonl_read(rows, sn_buf_str(&text), 1000, &err) != 0)
			fail_msg("%s", err.text);
		assert_int_equal(sn_batch_rows(rows), batch->rows);
		assert_int_equal(batch->first_row, next);
		for (size_t i = 0; i < batch->rows; i++)
			assert_int_equal(sn_batch_get(rows, i, SN_COL_SEQ)->i, next++);
		sn_batch_destroy(rows);
		sn_buf_finish(&text);
		seq = batch->seq + 1;
	}
	return next - first;
}

static void ack(uint64_t seq)
{
	sn_spool_ack(spool, seq);
	sn_spool_settle(spool);
}

static void a_batch_closes_after_its_time(void **state)
{
	(void)state;
	add(3);
	assert_int_equal(sn_spool_flush(spool, SN_SPOOL_LINGER_NS - 1), SN_SPOOL_LINGER_NS);
	assert_null(sn_spool_next(spool, 0));
	assert_true(sn_spool_flush(spool, SN_SPOOL_LINGER_NS) == UINT64_MAX);
	assert_int_equal(sn_spool_next(spool, 0)->rows, 3);
	assert_string_equal(sn_spool_dataset(spool, sn_spool_next(spool, 0)), "ping/1");
	assert_int_equal(check_rows(0), 3);
}

static void a_batch_closes_at_its_row_limit(void **state)
{
	(void)state;
	add(SN_SPOOL_BATCH_ROWS - 1);
	assert_null(sn_spool_next(spool, 0));
	add(2);
	assert_int_equal(sn_spool_next(spool, 0)->rows, SN_SPOOL_BATCH_ROWS);
	assert_null(sn_spool_next(spool, 1));
	sn_spool_flush_all(spool);
	assert_int_equal(check_rows(0), SN_SPOOL_BATCH_ROWS + 1);
}

static void a_batch_holds_one_utc_day(void **state)
{
	int64_t midnight = 1772409600LL * SN_NS_PER_S;

	(void)state;
	assert_int_equal(add_at(&sn_dataset_ping, midnight - 1, 0), 0);
	assert_int_equal(add_at(&sn_dataset_ping, midnight, 0), 0);
	assert_int_equal(sn_spool_stats(spool)->batches, 1);
	sn_spool_flush_all(spool);
	assert_int_equal(sn_spool_stats(spool)->batches, 2);
	assert_int_equal(check_rows(0), 2);
}

static void a_batch_holds_one_dataset(void **state)
{
	(void)state;
	assert_int_equal(add_at(&sn_dataset_ping, NOON, 0), 0);
	assert_int_equal(add_at(&sn_dataset_health, NOON, 0), 0);
	assert_int_equal(add_at(&sn_dataset_ping, NOON, 0), 0);
	sn_spool_flush_all(spool);
	assert_int_equal(sn_spool_stats(spool)->batches, 2);
	assert_string_equal(sn_spool_dataset(spool, sn_spool_next(spool, 1)), "health/1");
	assert_int_equal(sn_spool_next(spool, 1)->first_row, 2);
}

static void a_file_stays_below_its_size_limit(void **state)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);
	int error_column = sn_dataset_column(&sn_dataset_ping, "error");
	char text[SN_TEXT_MAX];

	(void)state;
	/* Control characters take six bytes each in JSON. */
	memset(text, 1, sizeof(text));
	for (int i = 0; i < 100; i++) {
		sn_batch_add_row(rows);
		sn_batch_set_time(rows, SN_COL_TIME, NOON);
		sn_batch_set_text(rows, error_column, (struct sn_str){text, sizeof(text)});
	}
	assert_int_equal(sn_spool_add(spool, rows, 0), 0);
	sn_spool_flush_all(spool);
	assert_true(sn_spool_stats(spool)->batches >= 3);
	assert_true(sn_spool_next(spool, 0)->bytes <= SN_SPOOL_BATCH_BYTES);
	assert_int_equal(check_rows(0), 100);
	sn_batch_destroy(rows);
}

static void a_row_without_time_is_refused(void **state)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);

	(void)state;
	sn_batch_add_row(rows);
	assert_int_equal(sn_spool_add(spool, rows, 0), -EINVAL);
	sn_spool_flush_all(spool);
	assert_null(sn_spool_next(spool, 0));
	sn_batch_destroy(rows);
}

static void a_restart_continues_stream_and_numbers(void **state)
{
	char stream[SN_SPOOL_STREAM_SIZE];

	(void)state;
	strcpy(stream, sn_spool_stream(spool));
	assert_int_equal(strlen(stream), 32);
	add_batches(3);
	reopen();
	assert_string_equal(sn_spool_stream(spool), stream);
	add_batches(2);
	assert_int_equal(check_rows(0), 5);

	/* Also when everything was acknowledged and no file is left to go by. */
	for (uint64_t seq = 0; seq < 5; seq++)
		ack(seq);
	assert_int_equal(count_files(""), 0);
	reopen();
	assert_string_equal(sn_spool_stream(spool), stream);
	add_batches(1);
	assert_int_equal(sn_spool_next(spool, 0)->seq, 5);
	assert_int_equal(check_rows(5), 1);
}

static void closing_writes_what_is_open(void **state)
{
	(void)state;
	add(2);
	reopen();
	assert_int_equal(check_rows(0), 2);
}

static void acknowledgements_may_come_in_any_order(void **state)
{
	(void)state;
	add_batches(4);
	ack(2);
	ack(1);
	assert_int_equal(count_files(""), 4);
	assert_int_equal(sn_spool_next(spool, 0)->seq, 0);
	assert_int_equal(sn_spool_next(spool, 1)->seq, 3);
	ack(0);
	assert_int_equal(count_files(""), 1);
	assert_int_equal(sn_spool_stats(spool)->batches, 1);
	assert_int_equal(check_rows(3), 1);
	ack(0); /* once more, late */
	ack(99);
	assert_int_equal(count_files(""), 1);
}

static void what_was_acknowledged_before_a_crash_is_not_sent_again(void **state)
{
	char from[200], to[200], backup[64];
	struct sn_spool_name name = {.seq = 0, .first_row = 0, .rows = 1, .dataset = "ping/1"};

	(void)state;
	strcpy(backup, "/tmp/sonde-test-XXXXXX");
	assert_non_null(mkdtemp(backup));
	add_batches(2);
	/* The state is written, then the process dies before it can remove the file. */
	snprintf(from, sizeof(from), "%s/", dir);
	sn_spool_name_format(&name, from + strlen(from), sizeof(from) - strlen(from));
	snprintf(to, sizeof(to), "%s/saved", backup);
	assert_int_equal(link(from, to), 0);
	ack(0);
	assert_int_equal(link(to, from), 0);
	reopen();
	assert_int_equal(count_files(""), 1);
	assert_int_equal(sn_spool_next(spool, 0)->seq, 1);
	sn_fs_remove_tree(backup, NULL);
}

static void half_written_files_are_removed_and_their_number_used_again(void **state)
{
	char path[200];

	(void)state;
	add_batches(1);
	sn_spool_close(spool);
	snprintf(path, sizeof(path), "%s/000000000001.ping-1.1+5.tmp", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	open_spool(LARGE);
	assert_false(sn_fs_exists(path));
	add_batches(1);
	assert_int_equal(sn_spool_next(spool, 1)->seq, 1);
	assert_int_equal(check_rows(0), 2);
}

static void a_rejected_batch_is_kept_aside_and_the_rest_goes_on(void **state)
{
	struct sn_err err = {0};

	(void)state;
	add_batches(3);
	assert_int_equal(sn_spool_reject(spool, 1, &err), 0);
	assert_int_equal(count_files("/rejected"), 1);
	assert_int_equal(sn_spool_next(spool, 1)->seq, 2);
	ack(0);
	assert_int_equal(count_files(""), 1);
	assert_int_equal(count_files("/rejected"), 1);
	assert_int_equal(sn_spool_stats(spool)->rejected_batches, 1);

	/* Died between the copy and the state: it is refused once more, without harm. */
	add_batches(1);
	assert_int_equal(sn_spool_reject(spool, 2, &err), 0);
	reopen();
	assert_int_equal(sn_spool_next(spool, 0)->seq, 2);
	assert_int_equal(sn_spool_reject(spool, 2, &err), 0);
	sn_spool_settle(spool);
	assert_int_equal(count_files(""), 1);
}

static void rejected_batches_are_limited_in_number(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < SN_SPOOL_REJECTED_MAX + 3; i++) {
		add_batches(1);
		assert_int_equal(sn_spool_reject(spool, i, NULL), 0);
		sn_spool_settle(spool);
	}
	assert_int_equal(count_files("/rejected"), SN_SPOOL_REJECTED_MAX);
}

static void at_the_limit_new_rows_are_dropped_and_old_ones_kept(void **state)
{
	(void)state;
	sn_spool_close(spool);
	open_spool(3 * 4096);
	add_batches(3);
	assert_false(sn_spool_stats(spool)->full);
	add_batches(2);
	assert_true(sn_spool_stats(spool)->full);
	assert_int_equal(sn_spool_stats(spool)->dropped_rows, 2);
	assert_int_equal(sn_spool_stats(spool)->bytes, 3 * 4096);
	assert_int_equal(check_rows(0), 3);

	/* What was dropped had no numbers, so there is no gap. */
	ack(0);
	add_batches(1);
	assert_false(sn_spool_stats(spool)->full);
	assert_int_equal(check_rows(1), 3);
}

/* Returns what the child found; asserts of cmocka do not cross a fork. */
static int in_child(int (*fn)(void))
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(fn());
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

static int rows_waiting(uint64_t first, uint64_t *count)
{
	uint64_t next = first, seq = 0;
	const struct sn_spool_batch *batch;

	while ((batch = sn_spool_next(spool, seq)) != NULL) {
		if (batch->first_row != next)
			return 3;
		next += batch->rows;
		seq = batch->seq + 1;
	}
	*count = next - first;
	return 0;
}

static int on_a_full_disk(void)
{
	struct sn_err err = {0};
	uint64_t rows, dropped;
	char small[80];

	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return 77;
	snprintf(small, sizeof(small), "%s/small", dir);
	if (mkdir(small, 0700) != 0 || mount("tmpfs", small, "tmpfs", 0, "size=128k") != 0)
		return 77;
	strcpy(dir, small);
	if (sn_spool_open(dir, LARGE, &spool, &err) != 0)
		return 10;
	for (int i = 0; i < 200 && !sn_spool_stats(spool)->full; i++) {
		struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);

		sn_batch_add_row(batch);
		sn_batch_set_time(batch, SN_COL_TIME, NOON);
		sn_spool_add(spool, batch, 0);
		sn_spool_flush_all(spool);
		sn_batch_destroy(batch);
	}
	dropped = sn_spool_stats(spool)->dropped_rows;
	if (dropped == 0 || rows_waiting(0, &rows) != 0 || rows < 10)
		return 11;

	/* Room for the state there is not, and yet acknowledging must make room. */
	sn_spool_ack(spool, 0);
	sn_spool_ack(spool, 1);
	sn_spool_settle(spool);
	if (sn_spool_next(spool, 0)->seq != 2 || sn_spool_stats(spool)->batches != rows - 2)
		return 12;
	sn_spool_close(spool);
	if (sn_spool_open(dir, LARGE, &spool, &err) != 0 || rows_waiting(2, &rows) != 0)
		return 13;
	/* Everything acknowledged: the counters must outlive it. */
	for (uint64_t seq = 0; seq < 200; seq++)
		sn_spool_ack(spool, seq);
	sn_spool_settle(spool);
	sn_spool_close(spool);
	if (sn_spool_open(dir, LARGE, &spool, &err) != 0)
		return 14;
	return sn_spool_stats(spool)->batches <= 1 ? 0 : 15;
}

static void a_full_disk_loses_nothing_that_was_spooled(void **state)
{
	int found = in_child(on_a_full_disk);

	(void)state;
	if (found == 77) {
		print_message("skipped: no right to mount a small tmpfs\n");
		skip();
	}
	assert_int_equal(found, 0);
}

static int with_failing_writes(void)
{
	struct rlimit limit = {0, 64 << 20};
	uint64_t rows;

	signal(SIGXFSZ, SIG_IGN);
	limit.rlim_max = RLIM_INFINITY;
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 0; /* no byte can be written to any file */
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 10;
	add_batches(3);
	if (sn_spool_stats(spool)->dropped_rows != 3 || !sn_spool_stats(spool)->full)
		return 11;
	/* The state cannot be written; all but the highest batch may go all the same. */
	for (uint64_t seq = 0; seq < 4; seq++)
		sn_spool_ack(spool, seq);
	sn_spool_settle(spool);
	if (count_files("") != 1 || sn_spool_stats(spool)->batches != 1)
		return 12;

	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	sn_spool_settle(spool);
	if (count_files("") != 0)
		return 13;
	add_batches(1);
	if (sn_spool_next(spool, 0)->seq != 4 || rows_waiting(4, &rows) != 0 || rows != 1)
		return 14;
	return 0;
}

static void writes_that_fail_are_survived_and_made_up_for(void **state)
{
	(void)state;
	add_batches(4);
	assert_int_equal(in_child(with_failing_writes), 0);
}

/* The uploader of a simulated hub: what it has stored, by number of the batch. */
#define KILLS       40
#define LIFE_US     12000 /* at most, until one of them was too short */
#define BATCHES_MAX 4096
struct stored {
	uint64_t rows[BATCHES_MAX], first[BATCHES_MAX];
};

static void work_until_killed(int hub)
{
	struct sn_err err;
	struct sn_prng prng;

	sn_log_set_level(SN_LOG_ERROR);
	sn_prng_seed(&prng, sn_random_below(UINT64_MAX));
	if (sn_spool_open(dir, LARGE, &spool, &err) != 0)
		_exit(1);
	for (;;) {
		const struct sn_spool_batch *batch;
		struct sn_batch *rows = sn_batch_create(&sn_dataset_ping);

		for (uint64_t i = 0; i <= sn_prng_u64(&prng) % 5; i++) {
			sn_batch_add_row(rows);
			sn_batch_set_time(rows, SN_COL_TIME, NOON);
		}
		sn_spool_add(spool, rows, 0);
		sn_spool_flush_all(spool);
		sn_batch_destroy(rows);
		while (sn_prng_u64(&prng) % 3 != 0 && (batch = sn_spool_next(spool, 0)) != NULL) {
			uint64_t message[3] = {batch->seq, batch->first_row, batch->rows};

			if (write(hub, message, sizeof(message)) != sizeof(message))
				_exit(2);
			sn_spool_ack(spool, batch->seq);
		}
		sn_spool_settle(spool);
	}
}

/* How many were new. */
static unsigned take_batches(int from_node, struct stored *stored)
{
	uint64_t message[3];
	unsigned count = 0;

	while (read(from_node, message, sizeof(message)) == sizeof(message)) {
		uint64_t seq = message[0];

		assert_true(seq < BATCHES_MAX);
		/* Sent again it must be the same. */
		if (stored->rows[seq] != 0) {
			assert_int_equal(stored->first[seq], message[1]);
			assert_int_equal(stored->rows[seq], message[2]);
		} else {
			count++;
		}
		stored->first[seq] = message[1];
		stored->rows[seq] = message[2];
	}
	return count;
}

static unsigned run_and_kill(uint64_t after_us, struct stored *stored)
{
	int pipe_fds[2];
	unsigned count;
	pid_t child;

	assert_int_equal(pipe(pipe_fds), 0);
	fflush(stdout);
	child = fork();
	if (child == 0)
		work_until_killed(pipe_fds[1]);
	close(pipe_fds[1]);
	usleep((useconds_t)after_us);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	count = take_batches(pipe_fds[0], stored);
	close(pipe_fds[0]);
	return count;
}

static void killed_at_any_moment_it_loses_and_doubles_nothing(void **state)
{
	static struct stored stored;
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS, most_us = LIFE_US;
	uint64_t next_row = 0, seq = 0;
	const struct sn_spool_batch *batch;

	(void)state;
	memset(&stored, 0, sizeof(stored));
	sn_spool_close(spool);
	/* A busy machine needs longer until it has come to something that can be killed. */
	for (unsigned kills = 0; kills < KILLS && sn_mono_ns() < end_ns;) {
		if (run_and_kill(500 + sn_random_below(most_us), &stored) > 0)
			kills++;
		else
			most_us += LIFE_US / 4;
	}
	open_spool(LARGE);
	while ((batch = sn_spool_next(spool, seq)) != NULL) {
		if (stored.rows[batch->seq] == 0) {
			stored.first[batch->seq] = batch->first_row;
			stored.rows[batch->seq] = batch->rows;
		}
		seq = batch->seq + 1;
	}
	for (seq = 0; seq < BATCHES_MAX && stored.rows[seq] != 0; seq++) {
		assert_int_equal(stored.first[seq], next_row);
		next_row += stored.rows[seq];
	}
	for (; seq < BATCHES_MAX; seq++)
		assert_int_equal(stored.rows[seq], 0);
	assert_true(next_row >= KILLS);
}

static void write_file(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(sn_fs_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static void an_unreadable_state_sets_the_spool_aside_and_begins_a_new_stream(void **state)
{
	char stream[SN_SPOOL_STREAM_SIZE], broken[200];

	(void)state;
	strcpy(stream, sn_spool_stream(spool));
	add_batches(2);
	sn_spool_close(spool);
	write_file("state", "{\"stream\":");
	open_spool(LARGE);
	assert_true(sn_spool_stats(spool)->set_aside);
	assert_string_not_equal(sn_spool_stream(spool), stream);
	assert_null(sn_spool_next(spool, 0));
	snprintf(broken, sizeof(broken), "%s.broken/000000000000.ping-1.0+1", dir);
	assert_true(sn_fs_exists(broken));
	add_batches(1);
	assert_int_equal(check_rows(0), 1);
}

static const char *stream_of(uint64_t seq)
{
	return sn_spool_batch_stream(spool, sn_spool_next(spool, seq));
}

static void a_new_stream_takes_what_conflicts_and_what_comes_later(void **state)
{
	char old[SN_SPOOL_STREAM_SIZE], new[SN_SPOOL_STREAM_SIZE];
	struct sn_err err = {0};

	(void)state;
	strcpy(old, sn_spool_stream(spool));
	add_batches(4);
	ack(0);
	assert_int_equal(sn_spool_fork(spool, 2, &err), 0);
	strcpy(new, sn_spool_stream(spool));
	assert_string_not_equal(new, old);
	add_batches(1);
	/* What may have been stored already is first asked for under the old stream. */
	assert_string_equal(stream_of(1), old);
	assert_string_equal(stream_of(2), new);
	assert_string_equal(stream_of(3), old);
	assert_string_equal(stream_of(4), new);
	assert_int_equal(sn_spool_fork(spool, 2, &err), -EEXIST);
	assert_int_equal(sn_spool_fork(spool, 4, &err), -EEXIST);

	/* After a restart it is the same new stream; who belongs to it is found out again. */
	reopen();
	assert_string_equal(sn_spool_stream(spool), new);
	assert_int_equal(sn_spool_next(spool, 0)->seq, 1);
	assert_string_equal(stream_of(2), old);
	assert_int_equal(sn_spool_fork(spool, 2, &err), 0);
	assert_string_equal(stream_of(2), new);

	/* With the last one of the old stream it is forgotten, and may happen again. */
	for (uint64_t seq = 1; seq < 4; seq++)
		ack(seq);
	assert_string_equal(stream_of(4), new);
	reopen();
	assert_string_equal(sn_spool_stream(spool), new);
	assert_string_equal(stream_of(4), new);
	assert_int_equal(check_rows(4), 1);
	assert_int_equal(sn_spool_fork(spool, 4, &err), 0);
	assert_string_not_equal(sn_spool_stream(spool), new);
}

static void states_are_refused_with_a_reason(void **state)
{
#define STREAM2 "stream\":\"00112233445566778899aabbccddeeff\""
#define STREAM  "\"stream\":\"00112233445566778899aabbccddeeff\""
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", ""},
		{"[]", ""},
		{"{}", "stream"},
		{"{\"stream\":\"xyz\",\"next_batch\":0,\"next_row\":0}", "32 hex digits"},
		{"{" STREAM ",\"next_row\":0}", "next_batch"},
		{"{" STREAM ",\"next_batch\":-1,\"next_row\":0}", "next_batch"},
		{"{" STREAM ",\"next_batch\":1.5,\"next_row\":0}", "next_batch"},
		{"{" STREAM ",\"next_batch\":0,\"next_row\":9223372036854775807}", "next_row"},
		{"{" STREAM ",\"next_batch\":0,\"next_row\":0} x", ""},
		{"{" STREAM ",\"next_batch\":0,\"next_row\":0,\"new_stream\":\"x\"}", "new_stream"},
		{"{" STREAM ",\"next_batch\":0,\"next_row\":0,\"new_" STREAM2 "}", "new_from"},
	};
	struct sn_spool_state parsed;
	struct sn_err err;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		err.text[0] = '\0';
		if (sn_spool_state_parse(cases[i].text, strlen(cases[i].text), &parsed, &err) == 0)
			fail_msg("accepted: %s", cases[i].text);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("'%s' is not in: %s", cases[i].says, err.text);
	}
}

static void names_of_files_are_strict(void **state)
{
	static const char *const bad[] = {
		"",
		"state",
		"000000000001",
		"000000000001.ping",
		"000000000001.ping-1",
		"000000000001.ping-1.5",
		"000000000001.ping-1.5+",
		"000000000001.ping-1.5+0",
		"000000000001.ping-1.5+257",
		"00000000001.ping-1.5+1",
		"0000000000001.ping-1.5+1",
		"000000000001.Ping-1.5+1",
		"000000000001.-1.5+1",
		"000000000001.ping-0.5+1",
		"000000000001.ping-1.5+1.tmp",
		"-00000000001.ping-1.5+1",
		"000000000001.p/g-1.5+1",
		"000000000001.ping-1.05+1",
		"000000000001.ping-01.5+1",
		"000000000001.ping-1.5+01",
	};
	struct sn_spool_name name = {
		.seq = 1234567890123, .first_row = 7, .rows = 256, .dataset = "a_b2/12"};
	struct sn_spool_name again;
	char text[SN_SPOOL_NAME_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		if (sn_spool_name_parse(bad[i], &again) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
	sn_spool_name_format(&name, text, sizeof(text));
	assert_string_equal(text, "1234567890123.a_b2-12.7+256");
	assert_int_equal(sn_spool_name_parse(text, &again), 0);
	assert_int_equal(again.seq, name.seq);
	assert_int_equal(again.rows, name.rows);
	assert_string_equal(again.dataset, name.dataset);
}

static void a_long_backlog_makes_larger_files(void **state)
{
	(void)state;
	add_batches(SN_SPOOL_BACKLOG);
	add(1);
	assert_int_equal(sn_spool_flush(spool, SN_SPOOL_LINGER_NS), SN_SPOOL_LINGER_LONG_NS);
	assert_true(sn_spool_flush(spool, SN_SPOOL_LINGER_LONG_NS) == UINT64_MAX);
	assert_int_equal(check_rows(0), SN_SPOOL_BACKLOG + 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_batch_closes_after_its_time),
		T(a_batch_closes_at_its_row_limit),
		T(a_batch_holds_one_utc_day),
		T(a_batch_holds_one_dataset),
		T(a_file_stays_below_its_size_limit),
		T(a_row_without_time_is_refused),
		T(a_restart_continues_stream_and_numbers),
		T(closing_writes_what_is_open),
		T(acknowledgements_may_come_in_any_order),
		T(what_was_acknowledged_before_a_crash_is_not_sent_again),
		T(half_written_files_are_removed_and_their_number_used_again),
		T(a_rejected_batch_is_kept_aside_and_the_rest_goes_on),
		T(rejected_batches_are_limited_in_number),
		T(at_the_limit_new_rows_are_dropped_and_old_ones_kept),
		T(a_full_disk_loses_nothing_that_was_spooled),
		T(writes_that_fail_are_survived_and_made_up_for),
		T(killed_at_any_moment_it_loses_and_doubles_nothing),
		T(an_unreadable_state_sets_the_spool_aside_and_begins_a_new_stream),
		T(a_new_stream_takes_what_conflicts_and_what_comes_later),
		T(a_long_backlog_makes_larger_files),
		cmocka_unit_test(states_are_refused_with_a_reason),
		cmocka_unit_test(names_of_files_are_strict),
	};

	sn_log_set_level(SN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
