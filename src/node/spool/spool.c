/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "spool"
#include "node/spool/spool_internal.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

#define FILE_MODE 0600
#define DIR_MODE  0700
#define BLOCK     4096 /* what a small file takes on the usual file systems */

const char *sn_spool_stream(const struct sn_spool *spool)
{
	return spool->fork[0] != '\0' ? spool->fork : spool->stream;
}

uint64_t sn_spool_next_seq(const struct sn_spool *spool)
{
	return spool->next_batch;
}

static bool is_forked(const struct sn_spool *spool, const struct sn_spool_batch *batch)
{
	return spool->fork[0] != '\0' && (batch->forked || batch->seq >= spool->fork_from);
}

const char *sn_spool_batch_stream(const struct sn_spool *spool, const struct sn_spool_batch *batch)
{
	return is_forked(spool, batch) ? spool->fork : spool->stream;
}

const struct sn_spool_stats *sn_spool_stats(const struct sn_spool *spool)
{
	return &spool->stats;
}

const char *sn_spool_dataset(const struct sn_spool *spool, const struct sn_spool_batch *batch)
{
	return spool->datasets[batch->dataset];
}

static uint64_t disk_bytes(const struct sn_spool_batch *batch)
{
	return ((uint64_t)batch->bytes + BLOCK - 1) / BLOCK * BLOCK;
}

static int dataset_index(struct sn_spool *spool, const char *text)
{
	for (size_t i = 0; i < spool->dataset_count; i++) {
		if (strcmp(spool->datasets[i], text) == 0)
			return (int)i;
	}
	if (spool->dataset_count == SN_SPOOL_DATASETS_MAX)
		return -ENOSPC;
	spool->datasets[spool->dataset_count] = sn_xstrdup(text);
	return (int)spool->dataset_count++;
}

static char *batch_path(const struct sn_spool *spool, const char *below,
			const struct sn_spool_batch *batch)
{
	struct sn_spool_name name = {
		.seq = batch->seq, .first_row = batch->first_row, .rows = batch->rows};
	char file[SN_SPOOL_NAME_TEXT_MAX];

	snprintf(name.dataset, sizeof(name.dataset), "%s", spool->datasets[batch->dataset]);
	sn_spool_name_format(&name, file, sizeof(file));
	return sn_xasprintf("%s/%s%s", spool->dir, below, file);
}

/* The list of what is on disk --------------------------------------------------------- */

static void push(struct sn_spool *spool, struct sn_spool_batch batch)
{
	if (spool->tail == spool->capacity && spool->head > spool->capacity / 2) {
		spool->tail -= spool->head;
		memmove(spool->items, spool->items + spool->head,
			spool->tail * sizeof(*spool->items));
		spool->head = 0;
	}
	if (spool->tail == spool->capacity) {
		spool->capacity = SN_MAX(spool->capacity * 2, (size_t)64);
		spool->items = sn_xrealloc(spool->items, spool->capacity, sizeof(*spool->items));
	}
	spool->items[spool->tail++] = batch;
	spool->stats.batches++;
	spool->stats.bytes += disk_bytes(&batch);
}

/* Position of the first batch with a number >= seq; spool->tail if there is none. */
static size_t find(const struct sn_spool *spool, uint64_t seq)
{
	size_t low = spool->head, high = spool->tail;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (spool->items[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct sn_spool_batch *sn_spool_next(const struct sn_spool *spool, uint64_t seq)
{
	for (size_t i = find(spool, seq); i < spool->tail; i++) {
		if (!spool->items[i].acknowledged)
			return &spool->items[i];
	}
	return NULL;
}

int sn_spool_read(const struct sn_spool *spool, const struct sn_spool_batch *batch,
		  struct sn_buf *out, struct sn_err *err)
{
	sn_autofree char *path = batch_path(spool, "", batch);

	return sn_fs_read(path, 2 * SN_SPOOL_BATCH_BYTES, out, err);
}

/* Start -------------------------------------------------------------------------------- */

static int compare_batches(const void *a, const void *b)
{
	const struct sn_spool_batch *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static bool ends_in_tmp(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && strcmp(name + n - 4, ".tmp") == 0;
}

static void take_file(struct sn_spool *spool, int dir_fd, const char *file)
{
	struct sn_spool_name name;
	struct stat st;
	int dataset;

	/* Half-written, when the process was killed: its rows never got numbers. */
	if (ends_in_tmp(file)) {
		unlinkat(dir_fd, file, 0);
		return;
	}
	if (sn_spool_name_parse(file, &name) != 0 || fstatat(dir_fd, file, &st, 0) != 0)
		return;
	/* Acknowledged, when the process was killed before it could be removed. */
	if (name.seq < spool->next_batch) {
		unlinkat(dir_fd, file, 0);
		return;
	}
	dataset = dataset_index(spool, name.dataset);
	if (dataset < 0)
		return;
	push(spool, (struct sn_spool_batch){
			    .seq = name.seq,
			    .first_row = name.first_row,
			    .rows = name.rows,
			    .bytes = (uint32_t)SN_MIN(st.st_size, (off_t)UINT32_MAX),
			    .dataset = (uint16_t)dataset,
		    });
}

static int scan(struct sn_spool *spool, struct sn_err *err)
{
	DIR *dir = opendir(spool->dir);
	const struct sn_spool_batch *last;
	struct dirent *entry;

	if (dir == NULL)
		return sn_err_sys(err, -errno, "cannot read spool '%s'", spool->dir);
	while ((entry = readdir(dir)) != NULL)
		take_file(spool, dirfd(dir), entry->d_name);
	closedir(dir);
	if (spool->tail == 0)
		return 0;

	qsort(spool->items, spool->tail, sizeof(*spool->items), compare_batches);
	last = &spool->items[spool->tail - 1];
	spool->next_batch = last->seq + 1;
	spool->next_row = SN_MAX(spool->next_row, last->first_row + last->rows);
	return 0;
}

/* With the last batch of the old stream gone, the new one is the only one. */
static int write_state(struct sn_spool *spool, uint64_t next_batch, uint64_t next_row,
		       struct sn_err *err)
{
	bool alone = spool->fork[0] != '\0' && next_batch >= spool->fork_from;
	struct sn_spool_state state = {.next_batch = next_batch, .next_row = next_row};
	sn_autofree char *path = sn_fs_join(spool->dir, "state");
	struct sn_buf text = {0};
	int error;

	memcpy(state.stream, alone ? spool->fork : spool->stream, sizeof(state.stream));
	if (!alone) {
		memcpy(state.new_stream, spool->fork, sizeof(state.new_stream));
		state.new_from = spool->fork_from;
	}
	sn_spool_state_format(&state, &text);
	error = sn_fs_write_atomic(path, text.p, text.n, FILE_MODE, err);
	sn_buf_finish(&text);
	if (error == 0 && alone) {
		memcpy(spool->stream, spool->fork, sizeof(spool->stream));
		spool->fork[0] = '\0';
	}
	return error;
}

static int read_state(struct sn_spool *spool, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(spool->dir, "state");
	struct sn_spool_state state;
	struct sn_buf text = {0};
	int error = sn_fs_read(path, SN_SPOOL_STATE_FILE_MAX, &text, err);

	if (error == 0) {
		error = sn_spool_state_parse(text.p, text.n, &state, err);
		if (error != 0)
			error = sn_err_wrap(err, "cannot use '%s'", path) != 0 ? -EBADMSG : 0;
	}
	sn_buf_finish(&text);
	if (error != 0)
		return error;
	memcpy(spool->stream, state.stream, sizeof(spool->stream));
	spool->next_batch = state.next_batch;
	spool->next_row = state.next_row;
	memcpy(spool->fork, state.new_stream, sizeof(spool->fork));
	spool->fork_from = state.new_from;
	return 0;
}

static bool holds_batches(const char *dir_path)
{
	struct sn_spool_name name;
	DIR *dir = opendir(dir_path);
	struct dirent *entry;
	bool found = false;

	while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
		found = sn_spool_name_parse(entry->d_name, &name) == 0;
	if (dir != NULL)
		closedir(dir);
	return found;
}

/*
 * Without its state a spool does not know its stream any more, and batches sent
 * under another one might be stored twice.  People may want to look into it.
 */
static int set_aside(struct sn_spool *spool, const char *why, struct sn_err *err)
{
	sn_autofree char *broken = sn_xasprintf("%s.broken", spool->dir);
	int error = sn_fs_remove_tree(broken, err);

	if (error != 0)
		return error;
	if (rename(spool->dir, broken) != 0)
		return sn_err_sys(err, -errno, "cannot move '%s' aside", spool->dir);
	sn_error("spool unreadable, begins anew; the old one is kept path=%s reason=\"%s\"", broken,
		 why);
	spool->stats.set_aside = true;
	return sn_fs_mkdirs(spool->dir, DIR_MODE, err);
}

static void make_stream(char out[SN_SPOOL_STREAM_SIZE])
{
	uint8_t id[(SN_SPOOL_STREAM_SIZE - 1) / 2];

	sn_random(id, sizeof(id));
	sn_hex(id, sizeof(id), out);
}

static int begin_stream(struct sn_spool *spool, struct sn_err *err)
{
	make_stream(spool->stream);
	spool->next_batch = spool->next_row = 0;
	return write_state(spool, 0, 0, err);
}

static int start(struct sn_spool *spool, struct sn_err *err)
{
	struct sn_err why = {0};
	int error = sn_fs_mkdirs(spool->dir, DIR_MODE, err);

	if (error != 0)
		return error;
	error = read_state(spool, &why);
	if (error == -ENOENT && !holds_batches(spool->dir))
		return begin_stream(spool, err);
	if (error == -ENOENT || error == -EBADMSG || error == -EFBIG) {
		error = set_aside(spool, why.text, err);
		return error == 0 ? begin_stream(spool, err) : error;
	}
	if (error != 0) {
		if (err != NULL)
			*err = why;
		return error;
	}
	return scan(spool, err);
}

int sn_spool_open(const char *dir, uint64_t limit_bytes, struct sn_spool **out, struct sn_err *err)
{
	struct sn_spool *spool = sn_new(struct sn_spool);
	int error;

	spool->dir = sn_xstrdup(dir);
	spool->limit_bytes = limit_bytes;
	error = start(spool, err);
	if (error != 0) {
		sn_spool_close(spool);
		spool = NULL;
	}
	*out = spool;
	return error;
}

/* Batches in ---------------------------------------------------------------------------- */

int sn_spool_write(struct sn_spool *spool, const struct sn_dataset *dataset, size_t rows,
		   struct sn_err *err)
{
	char label[SN_SPOOL_DATASET_TEXT_MAX];
	struct sn_spool_batch batch = {.seq = spool->next_batch,
				       .first_row = spool->next_row,
				       .rows = (uint32_t)rows,
				       .bytes = (uint32_t)spool->text.n};
	sn_autofree char *path = NULL;
	int index, error;

	snprintf(label, sizeof(label), "%s/%u", dataset->name, dataset->version);
	index = dataset_index(spool, label);
	if (index < 0)
		return sn_err_set(err, index, "more than %d datasets", SN_SPOOL_DATASETS_MAX);
	batch.dataset = (uint16_t)index;
	if (spool->stats.batches >= SN_SPOOL_BATCHES_MAX ||
	    spool->stats.bytes + disk_bytes(&batch) > spool->limit_bytes)
		return sn_err_set(err, -ENOSPC, "spool limit reached");

	path = batch_path(spool, "", &batch);
	error = sn_fs_write_atomic(path, spool->text.p, spool->text.n, FILE_MODE, err);
	/* Renamed but not synced: it is there, and its number must never be used again. */
	if (error != 0 && !sn_fs_exists(path))
		return error;

	spool->next_batch++;
	spool->next_row += rows;
	spool->stats.full = false;
	push(spool, batch);
	return 0;
}

/* Batches out ---------------------------------------------------------------------------- */

void sn_spool_ack(struct sn_spool *spool, uint64_t seq)
{
	size_t i = find(spool, seq);

	if (i < spool->tail && spool->items[i].seq == seq)
		spool->items[i].acknowledged = true;
}

/* Known on disk before the first batch goes out under it: a crash must not make another. */
static int begin_fork(struct sn_spool *spool, struct sn_err *err)
{
	const struct sn_spool_batch *front = &spool->items[spool->head];
	int error;

	make_stream(spool->fork);
	spool->fork_from = spool->next_batch;
	error = write_state(spool, front->seq, front->first_row, err);
	if (error != 0)
		spool->fork[0] = '\0';
	return error;
}

int sn_spool_fork(struct sn_spool *spool, uint64_t seq, struct sn_err *err)
{
	size_t i = find(spool, seq);

	assert(i < spool->tail && spool->items[i].seq == seq);
	if (is_forked(spool, &spool->items[i]))
		return sn_err_set(err, -EEXIST, "batch %" PRIu64 " is of the new stream", seq);
	if (spool->fork[0] == '\0' && begin_fork(spool, err) != 0)
		return err != NULL ? err->code : -EIO;
	spool->items[i].forked = true;
	return 0;
}

/* Makes room in rejected/ for one more. */
static void trim_rejected(const char *dir_path)
{
	DIR *dir = opendir(dir_path);
	char oldest[SN_SPOOL_NAME_TEXT_MAX] = "";
	struct sn_spool_name name;
	struct dirent *entry;
	unsigned count = 0;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (sn_spool_name_parse(entry->d_name, &name) != 0)
			continue;
		count++;
		if (oldest[0] == '\0' || strcmp(entry->d_name, oldest) < 0)
			snprintf(oldest, sizeof(oldest), "%.*s", (int)sizeof(oldest) - 1,
				 entry->d_name);
	}
	if (count >= SN_SPOOL_REJECTED_MAX)
		unlinkat(dirfd(dir), oldest, 0);
	closedir(dir);
}

int sn_spool_reject(struct sn_spool *spool, uint64_t seq, struct sn_err *err)
{
	sn_autofree char *dir = sn_fs_join(spool->dir, "rejected");
	sn_autofree char *from = NULL, *to = NULL;
	size_t i = find(spool, seq);

	assert(i < spool->tail && spool->items[i].seq == seq);
	spool->items[i].acknowledged = true;
	spool->stats.rejected_batches++;

	if (sn_fs_mkdirs(dir, DIR_MODE, err) != 0)
		return err != NULL ? err->code : -EIO;
	trim_rejected(dir);
	from = batch_path(spool, "", &spool->items[i]);
	to = batch_path(spool, "rejected/", &spool->items[i]);
	/* A second name first: the file leaves the spool like any other that is done with. */
	if (link(from, to) != 0 && errno != EEXIST)
		return sn_err_sys(err, -errno, "cannot keep '%s'", to);
	return 0;
}

static void remove_file(struct sn_spool *spool, const struct sn_spool_batch *batch)
{
	sn_autofree char *path = batch_path(spool, "", batch);

	/* One that stays is removed at the next start, by its number. */
	if (unlink(path) != 0 && errno != ENOENT)
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot remove path=%s reason=\"%s\"", path,
			       strerror(errno));
	spool->stats.batches--;
	spool->stats.bytes -= disk_bytes(batch);
}

static void remove_front(struct sn_spool *spool, size_t count)
{
	for (size_t i = 0; i < count; i++)
		remove_file(spool, &spool->items[spool->head + i]);
	spool->head += count;
	if (spool->head == spool->tail)
		spool->head = spool->tail = 0;
}

void sn_spool_settle(struct sn_spool *spool)
{
	size_t count = 0;
	const struct sn_spool_batch *last;
	uint64_t next_batch, next_row;
	struct sn_err err = {0};

	while (spool->head + count < spool->tail && spool->items[spool->head + count].acknowledged)
		count++;
	if (count == 0)
		return;
	last = &spool->items[spool->head + count - 1];
	next_batch = last->seq + 1;
	next_row = last->first_row + last->rows;

	if (write_state(spool, next_batch, next_row, &err) == 0) {
		remove_front(spool, count);
		return;
	}
	SN_LOG_LIMITED(SN_LOG_WARNING, "%s", err.text);
	/* The highest number must stay visible somewhere: here in a file's name. */
	remove_front(spool, spool->head + count < spool->tail ? count : count - 1);
}

void sn_spool_close(struct sn_spool *spool)
{
	if (spool == NULL)
		return;
	sn_spool_gather_finish(spool);
	for (size_t i = 0; i < spool->dataset_count; i++)
		free(spool->datasets[i]);
	free(spool->items);
	free(spool->dir);
	free(spool);
}
