/* SPDX-License-Identifier: Apache-2.0 */
/* A directory looked through: files in directories that say a time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "transfer/tree_internal.h"

struct place { /* a directory on the way */
	int64_t time_s;
	unsigned depth;
	char path[SN_MATH_PATH_MAX + 1]; /* with a slash behind it, "" at the top */
};

int sn_math_file_order(const struct sn_math_file *a, const struct sn_math_file *b)
{
	if (a->time_s != b->time_s)
		return a->time_s < b->time_s ? -1 : 1;
	return strcmp(a->path, b->path);
}

void sn_math_file_free(struct sn_math_file *file)
{
	if (file == NULL)
		return;
	free(file->path);
	free(file);
}

void sn_math_files_add(struct sn_math_files *files, struct sn_math_file *file)
{
	if (files->count == files->room) {
		files->room = files->room == 0 ? 256 : files->room * 2;
		files->items =
			sn_xrealloc(files->items, files->room, sizeof(struct sn_math_file *));
	}
	files->items[files->count++] = file;
}

int sn_math_file_compare(const void *a, const void *b)
{
	return sn_math_file_order(*(struct sn_math_file *const *)a,
				  *(struct sn_math_file *const *)b);
}

static void note(struct sn_math_scan *scan, int error, const char *path)
{
	if (scan->err.code == 0)
		sn_err_sys(&scan->err, error, "cannot read '%.200s'", path);
}

static bool is_wanted(const struct sn_math_scan *scan, const struct place *place, const char *name)
{
	const char *names = scan->config->names;

	if (place->time_s == SN_MATH_TIME_UNKNOWN ||
	    (scan->config->start_s != SN_MATH_TIME_UNKNOWN &&
	     place->time_s < scan->config->start_s))
		return false;
	return names == NULL || strncmp(name, names, strlen(names)) == 0;
}

static void add_file(struct sn_math_scan *scan, const struct place *place, const char *path,
		     const struct stat *st)
{
	struct sn_math_file *file;

	if (scan->files.count >= SN_MATH_TREE_MAX) {
		if (scan->err.code == 0)
			sn_err_set(&scan->err, -E2BIG, "there are more than %d files",
				   SN_MATH_TREE_MAX);
		return;
	}
	file = sn_new(struct sn_math_file);
	file->path = sn_xstrdup(path);
	file->time_s = place->time_s;
	file->size = (uint64_t)st->st_size;
	file->inode = st->st_ino;
	file->mtime_ns = st->st_mtim.tv_sec * SN_NS_PER_S + st->st_mtim.tv_nsec;
	sn_math_files_add(&scan->files, file);
}

static void look_into(struct sn_math_scan *scan, int fd, const struct place *place);

static void enter(struct sn_math_scan *scan, int dir, const char *name, const struct place *place,
		  const char *path)
{
	struct place *below = sn_new(struct place);
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	size_t size = strlen(path);

	if (fd < 0) {
		note(scan, -errno, path);
	} else if (size < SN_MATH_PATH_MAX) {
		below->depth = place->depth + 1;
		memcpy(below->path, path, size);
		below->path[size] = '/';
		if (sn_math_directory_time(sn_str(name), scan->config->local_time,
					   &below->time_s) != 0)
			below->time_s = SN_MATH_TIME_UNKNOWN;
		look_into(scan, fd, below);
	}
	free(below);
}

static void look_at(struct sn_math_scan *scan, int dir, const char *name, const struct place *place)
{
	char path[sizeof(place->path) + NAME_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", place->path, name);
	/* What may not be asked for is not listed, either. */
	if (sn_math_path_check(sn_str(path), NULL) != 0 ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (S_ISDIR(st.st_mode) && place->depth + 2 < SN_MATH_DEPTH_MAX)
		enter(scan, dir, name, place, path);
	else if (S_ISREG(st.st_mode) && is_wanted(scan, place, name))
		add_file(scan, place, path, &st);
}

/* Takes `fd` over. */
static void look_into(struct sn_math_scan *scan, int fd, const struct place *place)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL) {
		note(scan, -errno, place->path);
		close(fd);
		return;
	}
	while (!atomic_load(scan->stop) && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			look_at(scan, fd, entry->d_name, place);
	}
	closedir(dir);
}

/* Those of the newest time may still be written to. */
static void leave_newest(struct sn_math_scan *scan)
{
	struct sn_math_files *files = &scan->files;
	uint64_t settle_ns = scan->config->settle_ns;
	size_t kept, from = files->count;

	while (from > 0 && files->items[from - 1]->time_s == files->items[files->count - 1]->time_s)
		from--;
	kept = from;
	for (size_t i = from; i < files->count; i++) {
		struct sn_math_file *file = files->items[i];

		if (settle_ns > 0 && scan->now_ns - file->mtime_ns > (int64_t)settle_ns) {
			files->items[kept++] = file;
		} else {
			sn_math_file_free(file);
			scan->newest++;
		}
	}
	files->count = kept;
}

int sn_math_scan(int dir, struct sn_math_scan *scan)
{
	struct place *top = sn_new(struct place);
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		free(top);
		return -errno;
	}
	top->time_s = SN_MATH_TIME_UNKNOWN;
	look_into(scan, fd, top);
	free(top);
	if (atomic_load(scan->stop))
		return -ECANCELED;
	if (scan->files.count > 0) {
		qsort(scan->files.items, scan->files.count, sizeof(struct sn_math_file *),
		      sn_math_file_compare);
		leave_newest(scan);
	}
	return 0;
}
