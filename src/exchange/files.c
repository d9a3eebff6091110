/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/util.h"
#include "exchange/rows_file.h"
#include "exchange/tstat_log.h"

bool sn_files_is_known(const char *name)
{
	enum sn_file_form form;

	return sn_tstat_log_table(name) != NULL || sn_file_form_of(name, &form) == 0;
}

void sn_files_finish(struct sn_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->paths[i]);
	free(files->paths);
	*files = (struct sn_files){0};
}

static int add_path(struct sn_files *files, const char *path, struct sn_err *err)
{
	if (files->count == SN_FILES_MAX)
		return sn_err_set(err, -E2BIG, "more than %d files (import them in parts)",
				  SN_FILES_MAX);
	if (files->count == files->capacity) {
		files->capacity = SN_MAX(files->capacity * 2, (size_t)64);
		files->paths = sn_xrealloc(files->paths, files->capacity, sizeof(*files->paths));
	}
	files->paths[files->count++] = sn_xstrdup(path);
	return 0;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool is_newer(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
						      : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* The place in the list of the newest file of one directory. */
struct newest {
	struct stat st;
	size_t place;
	bool there;
};

static void leave_out(struct sn_files *files, const struct newest *newest)
{
	if (!newest->there)
		return;
	free(files->paths[newest->place]);
	files->count--;
	memmove(&files->paths[newest->place], &files->paths[newest->place + 1],
		(files->count - newest->place) * sizeof(*files->paths));
}

static int walk(struct sn_files *files, const char *dir, bool leave_newest, unsigned depth,
		struct sn_err *err);

static int take_entry(struct sn_files *files, const char *path, const char *name, bool leave_newest,
		      unsigned depth, struct newest *newest, struct sn_err *err)
{
	struct stat st;

	/* Gone meanwhile: whoever rotates logs does that. */
	if (lstat(path, &st) != 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return walk(files, path, leave_newest, depth + 1, err);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (!sn_files_is_known(name)) {
		files->other++;
		return 0;
	}
	if (leave_newest && (!newest->there || is_newer(&st, &newest->st)))
		*newest = (struct newest){.st = st, .place = files->count, .there = true};
	return add_path(files, path, err);
}

static int walk(struct sn_files *files, const char *dir, bool leave_newest, unsigned depth,
		struct sn_err *err)
{
	struct newest newest = {0};
	struct dirent **entries;
	int count, rc = 0;

	if (depth > SN_FILES_DEPTH_MAX)
		return sn_err_set(err, -E2BIG,
				  "cannot look into '%s': more than %d directories deep", dir,
				  SN_FILES_DEPTH_MAX);
	count = scandir(dir, &entries, is_visible, alphasort);
	if (count < 0)
		return sn_err_sys(err, -errno, "cannot look into '%s'", dir);
	/*
	 * Directories last, so that the files of this one stand together and the place of the
	 * newest stays true.
	 */
	for (unsigned round = 0; round < 2; round++) {
		for (int i = 0; i < count && rc == 0; i++) {
			sn_autofree char *path = sn_fs_join(dir, entries[i]->d_name);
			struct stat st;
			bool is_dir = lstat(path, &st) == 0 && S_ISDIR(st.st_mode);

			if (is_dir == (round == 1))
				rc = take_entry(files, path, entries[i]->d_name, leave_newest,
						depth, &newest, err);
		}
		if (round == 0)
			leave_out(files, &newest);
		newest.there = false;
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return rc;
}

int sn_files_add(struct sn_files *files, const char *path, bool leave_newest, struct sn_err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return sn_err_sys(err, -errno, "cannot import '%s'", path);
	return S_ISDIR(st.st_mode) ? walk(files, path, leave_newest, 0, err)
				   : add_path(files, path, err);
}
