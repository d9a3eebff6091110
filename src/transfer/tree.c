/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "transfer/tree_internal.h"

#define INTERVAL_NS (1 * SN_NS_PER_S)
#define SHARE       10                /* a look takes at most one part in so many of the time */
#define ROUND_NS    (2 * SN_NS_PER_S) /* of digests, then another look */

struct sn_math_tree {
	struct sn_math_tree_config config;
	char *directory, *names;
	int dir;
	uint64_t epoch; /* of the numbers: they begin anew with each start */
	struct sn_math_digests *digests;

	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* of all below, which only the thread changes */
	pthread_cond_t wake;
	atomic_bool stop;
	struct sn_math_files files;    /* by time */
	struct sn_math_files numbered; /* by number; what is gone is NULL */
	uint64_t last;
	struct sn_math_tree_stats stats;
	char problem[SN_ERR_TEXT_MAX]; /* the last one told; the thread's own */
};

int sn_math_open_beneath(int dir, struct sn_str path)
{
	struct sn_str rest = path, segment;
	char name[NAME_MAX + 1];
	sn_autoclose int at = -1;
	struct stat st;
	int fd;

	if (sn_math_path_check(path, NULL) != 0)
		return -ENOENT;
	while (sn_str_split(&rest, '/', &segment)) {
		bool last = segment.p + segment.n == path.p + path.n;

		if (segment.n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, segment.p, segment.n);
		name[segment.n] = '\0';
		/* Not blocking: a pipe of that name must not hold us up. */
		fd = openat(at >= 0 ? at : dir, name,
			    last ? O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
				 : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (at >= 0)
			close(at);
		at = fd;
	}
	if (fstat(at, &st) != 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	return sn_steal_fd(&at);
}

/* What the thread does ---------------------------------------------------------------- */

static void tell(struct sn_math_tree *tree, const char *text)
{
	if (strcmp(text, tree->problem) == 0)
		return;
	snprintf(tree->problem, sizeof(tree->problem), "%s", text);
	if (tree->config.on_problem != NULL && text[0] != '\0')
		tree->config.on_problem(text, tree->config.ctx);
}

static bool is_unchanged(const struct sn_math_file *a, const struct sn_math_file *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns && a->inode == b->inode;
}

/* With the lock.  Number k stands at place k - 1: holes keep their place. */
static void forget(struct sn_math_tree *tree, struct sn_math_file *file)
{
	if (file->number > 0)
		tree->numbered.items[file->number - 1] = NULL;
	sn_math_file_free(file);
}

static void count(struct sn_math_tree *tree, size_t newest)
{
	tree->stats = (struct sn_math_tree_stats){.files = tree->files.count, .newest = newest};
	for (size_t i = 0; i < tree->files.count; i++) {
		tree->stats.digested += tree->files.items[i]->number > 0;
		tree->stats.bytes += tree->files.items[i]->size;
	}
}

/* What was seen takes the place of what was known; who has not changed keeps his digest. */
static void merge(struct sn_math_tree *tree, struct sn_math_scan *scan)
{
	struct sn_math_files old = tree->files, *seen = &scan->files;
	struct sn_math_files gone = {0};
	size_t i = 0, j = 0;

	for (; j < seen->count; j++) {
		int order = -1;

		while (i < old.count &&
		       (order = sn_math_file_order(old.items[i], seen->items[j])) < 0)
			sn_math_files_add(&gone, old.items[i++]);
		if (i >= old.count || order != 0)
			continue;
		if (is_unchanged(old.items[i], seen->items[j])) {
			sn_math_file_free(seen->items[j]);
			seen->items[j] = old.items[i];
		} else {
			sn_math_files_add(&gone, old.items[i]);
		}
		i++;
	}
	while (i < old.count)
		sn_math_files_add(&gone, old.items[i++]);
	pthread_mutex_lock(&tree->lock);
	tree->files = *seen;
	for (size_t k = 0; k < gone.count; k++)
		forget(tree, gone.items[k]);
	count(tree, scan->newest);
	pthread_mutex_unlock(&tree->lock);
	free(gone.items);
	free(old.items);
	*seen = (struct sn_math_files){0};
}

static int look(struct sn_math_tree *tree)
{
	struct sn_math_scan scan = {
		.config = &tree->config, .stop = &tree->stop, .now_ns = sn_wall_ns()};
	int rc = sn_math_scan(tree->dir, &scan);
	char text[SN_ERR_TEXT_MAX];

	if (rc == 0) {
		merge(tree, &scan);
		tell(tree, scan.err.text);
	} else if (rc != -ECANCELED) {
		snprintf(text, sizeof(text), "cannot read '%.300s': %s", tree->directory,
			 strerror(-rc));
		tell(tree, text);
	}
	for (size_t i = 0; i < scan.files.count; i++)
		sn_math_file_free(scan.files.items[i]);
	free(scan.files.items);
	return rc;
}

static void appear(struct sn_math_tree *tree, struct sn_math_file *file)
{
	pthread_mutex_lock(&tree->lock);
	file->digested = true;
	file->number = ++tree->last;
	sn_math_files_add(&tree->numbered, file);
	tree->stats.digested++;
	pthread_mutex_unlock(&tree->lock);
}

/* True: there is more to do. */
static bool digest_round(struct sn_math_tree *tree)
{
	uint64_t until_ns = sn_mono_ns() + ROUND_NS;

	for (size_t i = 0; i < tree->files.count; i++) {
		struct sn_math_file *file = tree->files.items[i];

		if (file->digested)
			continue;
		if (atomic_load(&tree->stop) || sn_mono_ns() > until_ns)
			return true;
		if (!sn_math_digests_find(tree->digests, file)) {
			/* One that changed or went meanwhile is seen at the next look. */
			if (sn_math_digest(tree->dir, file, &tree->stop) != 0)
				continue;
			sn_math_digests_add(tree->digests, file);
		}
		appear(tree, file);
	}
	return false;
}

static void nap(struct sn_math_tree *tree, uint64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(ns / SN_NS_PER_S);
	until.tv_nsec = (long)(ns % SN_NS_PER_S);
	pthread_mutex_lock(&tree->lock);
	if (!atomic_load(&tree->stop))
		pthread_cond_timedwait(&tree->wake, &tree->lock, &until);
	pthread_mutex_unlock(&tree->lock);
}

static void *work(void *ctx)
{
	struct sn_math_tree *tree = ctx;
	uint64_t interval_ns = tree->config.interval_ns;

	while (!atomic_load(&tree->stop)) {
		bool more = digest_round(tree);
		uint64_t begun_ns = sn_mono_ns(), took_ns;

		if (!more)
			nap(tree, interval_ns);
		if (atomic_load(&tree->stop))
			break;
		begun_ns = sn_mono_ns();
		look(tree);
		took_ns = sn_mono_ns() - begun_ns;
		interval_ns = SN_MAX(tree->config.interval_ns, took_ns * SHARE);
	}
	return NULL;
}

/* Life -------------------------------------------------------------------------------- */

static char *copy(const char *text)
{
	return text != NULL ? sn_xstrdup(text) : NULL;
}

int sn_math_tree_create(const struct sn_math_tree_config *config, struct sn_math_tree **out,
			struct sn_err *err)
{
	struct sn_math_tree *tree = sn_new(struct sn_math_tree);
	int rc;

	tree->config = *config;
	tree->config.directory = tree->directory = copy(config->directory);
	tree->config.names = tree->names = copy(config->names);
	if (tree->config.interval_ns == 0)
		tree->config.interval_ns = INTERVAL_NS;
	pthread_mutex_init(&tree->lock, NULL);
	pthread_cond_init(&tree->wake, NULL);
	sn_random(&tree->epoch, sizeof(tree->epoch));
	tree->dir = open(config->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree->dir < 0)
		rc = sn_err_sys(err, -errno, "cannot serve '%s'", config->directory);
	else if (config->digests != NULL &&
		 (tree->digests = sn_math_digests_open(config->digests, err)) == NULL)
		rc = -EIO;
	else if ((rc = look(tree)) != 0)
		sn_err_sys(err, rc, "cannot serve '%s'", config->directory);
	else if (pthread_create(&tree->thread, NULL, work, tree) != 0)
		rc = sn_err_set(err, -EAGAIN, "cannot start a thread");
	tree->running = rc == 0;
	if (rc != 0) {
		sn_math_tree_destroy(tree);
		return rc;
	}
	*out = tree;
	return 0;
}

void sn_math_tree_destroy(struct sn_math_tree *tree)
{
	if (tree == NULL)
		return;
	pthread_mutex_lock(&tree->lock);
	atomic_store(&tree->stop, true);
	pthread_cond_signal(&tree->wake);
	pthread_mutex_unlock(&tree->lock);
	if (tree->running)
		pthread_join(tree->thread, NULL);
	for (size_t i = 0; i < tree->files.count; i++)
		sn_math_file_free(tree->files.items[i]);
	free(tree->files.items);
	free(tree->numbered.items);
	sn_math_digests_close(tree->digests);
	pthread_mutex_destroy(&tree->lock);
	pthread_cond_destroy(&tree->wake);
	if (tree->dir >= 0)
		close(tree->dir);
	free(tree->directory);
	free(tree->names);
	free(tree);
}

/* Answers ------------------------------------------------------------------------------ */

void sn_math_tree_stats(struct sn_math_tree *tree, struct sn_math_tree_stats *stats)
{
	pthread_mutex_lock(&tree->lock);
	*stats = tree->stats;
	pthread_mutex_unlock(&tree->lock);
}

void sn_math_tree_begin(struct sn_math_tree *tree, bool detailed, const char *since, size_t limit,
			struct sn_math_cursor *cursor)
{
	unsigned long long epoch = 0, number = 0;

	memset(cursor, 0, sizeof(*cursor));
	cursor->detailed = detailed;
	cursor->left = limit == 0 ? SIZE_MAX : limit;
	if (detailed && since != NULL) {
		cursor->changes = true;
		if (sscanf(since, "%16llx-%16llx", &epoch, &number) == 2 && epoch == tree->epoch)
			cursor->number = number;
	}
	pthread_mutex_lock(&tree->lock);
	cursor->upto = tree->last;
	pthread_mutex_unlock(&tree->lock);
}

/* First place in `files` behind the cursor. */
static size_t place_of(const struct sn_math_files *files, const struct sn_math_cursor *cursor)
{
	struct sn_math_file key = {.path = (char *)(uintptr_t)cursor->path,
				   .time_s = cursor->time_s};
	size_t low = 0, high = files->count;

	while (cursor->begun && low < high) {
		size_t middle = low + (high - low) / 2;

		if (sn_math_file_order(files->items[middle], &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t place_of_number(const struct sn_math_files *numbered, uint64_t number)
{
	return number < numbered->count ? (size_t)number : numbered->count;
}

static void write_file(const struct sn_math_file *file, struct sn_math_cursor *cursor,
		       struct sn_buf *out)
{
	struct sn_math_entry entry = {
		.path = sn_str(file->path), .size = file->size, .mtime_ns = file->mtime_ns};

	sn_hex(file->digest, sizeof(file->digest), entry.sha256);
	sn_math_list_write(out, &entry, cursor->detailed, !cursor->begun);
	cursor->begun = true;
	cursor->time_s = file->time_s;
	cursor->number = file->number;
	snprintf(cursor->path, sizeof(cursor->path), "%s", file->path);
	cursor->left--;
}

int sn_math_tree_read(struct sn_math_tree *tree, struct sn_math_cursor *cursor, size_t count,
		      struct sn_buf *out)
{
	const struct sn_math_files *files = cursor->changes ? &tree->numbered : &tree->files;
	size_t i;
	int more = 0;

	pthread_mutex_lock(&tree->lock);
	i = cursor->changes ? place_of_number(files, cursor->number) : place_of(files, cursor);
	for (; i < files->count; i++) {
		const struct sn_math_file *file = files->items[i];

		if (file == NULL || (cursor->detailed && file->number == 0))
			continue;
		/* What appeared after the beginning is for the next list. */
		if (cursor->detailed && file->number > cursor->upto) {
			if (cursor->changes)
				break;
			continue;
		}
		if (cursor->left == 0) {
			cursor->more = true;
			break;
		}
		if (count-- == 0) {
			more = 1;
			break;
		}
		write_file(file, cursor, out);
	}
	pthread_mutex_unlock(&tree->lock);
	return more;
}

void sn_math_tree_token(struct sn_math_tree *tree, const struct sn_math_cursor *cursor,
			char token[SN_MATH_TOKEN_SIZE])
{
	uint64_t number = cursor->changes && cursor->more ? cursor->number : cursor->upto;

	snprintf(token, SN_MATH_TOKEN_SIZE, "%llx-%llx", (unsigned long long)tree->epoch,
		 (unsigned long long)number);
}

int sn_math_tree_open(struct sn_math_tree *tree, struct sn_str path, struct sn_math_opened *opened)
{
	char text[SN_MATH_PATH_MAX + 1];
	struct sn_math_file key = {.path = text}, known = {0};
	struct sn_math_file *match = &key, **found;
	struct stat st;

	if (sn_math_path_check(path, NULL) != 0)
		return -ENOENT;
	memcpy(text, path.p, path.n);
	text[path.n] = '\0';
	key.time_s = sn_math_path_time(path, tree->config.local_time);
	pthread_mutex_lock(&tree->lock);
	found = tree->files.count == 0
			? NULL
			: bsearch(&match, tree->files.items, tree->files.count,
				  sizeof(struct sn_math_file *), sn_math_file_compare);
	if (found != NULL)
		known = **found;
	pthread_mutex_unlock(&tree->lock);
	if (found == NULL)
		return -ENOENT;
	opened->fd = sn_math_open_beneath(tree->dir, path);
	if (opened->fd < 0)
		return opened->fd;
	if (fstat(opened->fd, &st) != 0) {
		close(opened->fd);
		return -EIO;
	}
	opened->size = (uint64_t)st.st_size;
	opened->mtime_ns = st.st_mtim.tv_sec * SN_NS_PER_S + st.st_mtim.tv_nsec;
	opened->sha256[0] = '\0';
	if (known.digested && known.size == opened->size && known.mtime_ns == opened->mtime_ns &&
	    known.inode == st.st_ino)
		sn_hex(known.digest, sizeof(known.digest), opened->sha256);
	return 0;
}
