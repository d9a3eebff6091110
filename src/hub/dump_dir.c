/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "dumps"
#include "hub/dump_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define DAY_S 86400

/* Names ------------------------------------------------------------------------------ */

static void split_day(int32_t day, struct tm *tm)
{
	time_t seconds = (time_t)day * DAY_S;

	gmtime_r(&seconds, tm);
}

const char *sn_dump_day_text(int32_t day, char out[SN_DUMP_DAY_SIZE])
{
	struct tm tm;

	split_day(day, &tm);
	strftime(out, SN_DUMP_DAY_SIZE, "%Y-%m-%d", &tm);
	return out;
}

int sn_dump_day_parse(struct sn_str text, int32_t *day)
{
	char full[32], again[SN_DUMP_DAY_SIZE];
	int64_t ns;

	if (text.n != SN_DUMP_DAY_SIZE - 1)
		return -EINVAL;
	snprintf(full, sizeof(full), "%.10sT00:00:00Z", text.p);
	if (sn_parse_time(sn_str(full), 0, &ns) != 0 || ns < 0)
		return -EINVAL;
	*day = (int32_t)(ns / SN_NS_PER_S / DAY_S);
	/* "2026-02-30" is another day. */
	return memcmp(sn_dump_day_text(*day, again), text.p, text.n) == 0 ? 0 : -EINVAL;
}

char *sn_dump_path(const char *dir, int32_t day)
{
	struct tm tm;

	split_day(day, &tm);
	return sn_xasprintf("%s/%04d/%02d/%02d", dir, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static char *hidden(const char *dir, int32_t day, const char *suffix)
{
	struct tm tm;

	split_day(day, &tm);
	return sn_xasprintf("%s/%04d/%02d/.%02d%s", dir, tm.tm_year + 1900, tm.tm_mon + 1,
			    tm.tm_mday, suffix);
}

char *sn_dump_dir_new(const char *dir, int32_t day)
{
	return hidden(dir, day, ".new");
}

/* One in the place of another ------------------------------------------------------------ */

static int sync_month(const char *path, struct sn_err *err)
{
	sn_autofree char *month = sn_xstrdup(path);

	*strrchr(month, '/') = '\0';
	return sn_fs_sync_dir(month, err);
}

/* File systems that cannot exchange have a moment in which the day is under neither name. */
static int swap_in_two_steps(const char *made, const char *path, const char *old,
			     struct sn_err *err)
{
	sn_fs_remove_tree(old, NULL);
	if (rename(path, old) != 0)
		return sn_err_sys(err, -errno, "cannot rename '%s'", path);
	if (rename(made, path) != 0) {
		sn_err_sys(err, -errno, "cannot rename '%s'", made);
		(void)!rename(old, path);
		return err->code;
	}
	return sn_fs_remove_tree(old, err);
}

int sn_dump_dir_swap(const char *dir, int32_t day, struct sn_err *err)
{
	sn_autofree char *made = sn_dump_dir_new(dir, day), *path = sn_dump_path(dir, day),
			 *old = hidden(dir, day, ".old");
	int rc = 0;

	if (!sn_fs_exists(path)) {
		if (rename(made, path) != 0)
			return sn_err_sys(err, -errno, "cannot rename '%s'", made);
	} else if (renameat2(AT_FDCWD, made, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
		rc = sync_month(path, err);
		if (rc == 0)
			rc = sn_fs_remove_tree(made, err);
	} else if (errno == EINVAL || errno == ENOSYS) {
		rc = swap_in_two_steps(made, path, old, err);
	} else {
		rc = sn_err_sys(err, -errno, "cannot exchange '%s' and '%s'", made, path);
	}
	return rc == 0 ? sync_month(path, err) : rc;
}

int sn_dump_remove(const char *dir, int32_t day, struct sn_err *err)
{
	sn_autofree char *path = sn_dump_path(dir, day);

	return sn_fs_remove_tree(path, err);
}

/* What there is ---------------------------------------------------------------------------- */

static bool copy_text(const json_t *item, const char *key, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(item, key));

	if (text == NULL || strlen(text) >= size)
		return false;
	snprintf(out, size, "%s", text);
	return true;
}

static bool read_file(const json_t *item, struct sn_dump_file *file)
{
	json_int_t bytes = json_integer_value(json_object_get(item, "bytes")),
		   rows = json_integer_value(json_object_get(item, "rows"));

	file->bytes = (uint64_t)bytes;
	file->rows = (uint64_t)rows;
	return bytes >= 0 && rows >= 0 &&
	       copy_text(item, "dataset", file->dataset, sizeof(file->dataset)) &&
	       copy_text(item, "format", file->form, sizeof(file->form)) &&
	       copy_text(item, "file", file->name, sizeof(file->name)) &&
	       copy_text(item, "sha256", file->sha256, sizeof(file->sha256)) &&
	       strchr(file->name, '/') == NULL && file->name[0] != '.';
}

static bool read_index(const json_t *json, struct sn_dump_day *day)
{
	const json_t *files = json_object_get(json, "files");
	const char *made = json_string_value(json_object_get(json, "made"));
	size_t count = json_array_size(files);

	day->revision = (unsigned)json_integer_value(json_object_get(json, "revision"));
	day->rows = (uint64_t)json_integer_value(json_object_get(json, "rows_of_day"));
	if (made == NULL || sn_parse_time(sn_str(made), 0, &day->made_ns) != 0 ||
	    count > SN_DUMP_FILES_MAX || day->revision == 0)
		return false;
	day->files = sn_new_n(struct sn_dump_file, count + 1);
	for (; day->count < count; day->count++)
		if (!read_file(json_array_get(files, day->count), &day->files[day->count]))
			return false;
	return true;
}

/* A day whose index cannot be read is made again. */
static bool read_day(const char *dir, int32_t number, struct sn_dump_day *day)
{
	sn_autofree char *path = sn_dump_path(dir, number);
	sn_autofree char *index = sn_fs_join(path, SN_DUMP_INDEX);
	sn_autojson json_t *json = NULL;
	struct sn_buf text = {0};
	struct sn_err err = {0};
	bool good = false;

	*day = (struct sn_dump_day){.day = number};
	if (sn_fs_read(index, SN_DUMP_INDEX_MAX, &text, &err) == 0) {
		json = sn_json_parse(text.p, text.n, &err);
		good = json != NULL && read_index(json, day);
	}
	sn_buf_finish(&text);
	if (!good) {
		sn_warn("a dump is not used, and made again if its rows are there: %s",
			err.code != 0 ? err.text : index);
		sn_dump_day_finish(day);
	}
	return good;
}

/*
 * What a crash left: ".01.new" goes; ".01.old" takes its place again if there is none, which is
 * told.
 */
static bool clean_up(const char *month, const char *name)
{
	sn_autofree char *path = sn_fs_join(month, name),
			 *day = sn_xasprintf("%s/%.2s", month, name + 1);

	if (strlen(name) != strlen(".01.new"))
		return false;
	if (strcmp(name + 3, ".old") == 0 && !sn_fs_exists(day))
		return rename(path, day) == 0;
	if (strcmp(name + 3, ".new") == 0 || strcmp(name + 3, ".old") == 0)
		sn_fs_remove_tree(path, NULL);
	return false;
}

struct scan {
	const char *dir;
	sn_dump_day_fn *fn;
	void *ctx;
};

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int see_day(const struct scan *scan, const char *year, const char *month, const char *name)
{
	sn_autofree char *text = sn_xasprintf("%s-%s-%s", year, month, name);
	struct sn_dump_day day;
	int32_t number;

	if (sn_dump_day_parse(sn_str(text), &number) != 0 || !read_day(scan->dir, number, &day))
		return 0;
	return scan->fn(&day, scan->ctx);
}

/* Calls for each name in a directory, in order; hidden ones first. */
static int each_name(const char *path, int (*fn)(const char *path, const char *name, void *ctx),
		     void *ctx)
{
	struct dirent **list;
	int count = scandir(path, &list, NULL, by_name), rc = 0;

	for (int i = 0; i < count; i++) {
		if (rc == 0)
			rc = fn(path, list[i]->d_name, ctx);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
	return rc;
}

static int see_name(const char *path, const char *name, void *ctx)
{
	const struct scan *scan = ctx;
	size_t n = strlen(path);

	/* ".../2026/03" */
	sn_autofree char *year = sn_xstrndup(path + n - 7, 4), *day = NULL;

	if (name[0] != '.')
		return see_day(scan, year, path + n - 2, name);
	if (!clean_up(path, name))
		return 0;
	day = sn_xstrndup(name + 1, 2);
	return see_day(scan, year, path + n - 2, day);
}

static bool is_number(const char *name, size_t digits)
{
	return strlen(name) == digits && strspn(name, "0123456789") == digits;
}

static int see_month(const char *path, const char *name, void *ctx)
{
	sn_autofree char *month = sn_fs_join(path, name);

	return is_number(name, 2) ? each_name(month, see_name, ctx) : 0;
}

static int see_year(const char *path, const char *name, void *ctx)
{
	sn_autofree char *year = sn_fs_join(path, name);

	return is_number(name, 4) ? each_name(year, see_month, ctx) : 0;
}

int sn_dump_scan(const char *dir, sn_dump_day_fn *fn, void *ctx, struct sn_err *err)
{
	struct scan scan = {dir, fn, ctx};

	if (sn_fs_exists(dir) && access(dir, R_OK | X_OK) != 0)
		return sn_err_sys(err, -errno, "cannot read '%s'", dir);
	return each_name(dir, see_year, &scan);
}
