/* SPDX-License-Identifier: Apache-2.0 */
#include "store/remote.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

int sn_store_open(const char *path, struct sn_store **out, struct sn_err *err)
{
	struct sn_store *store;
	int rc = sn_fs_mkdirs(path, 0700, err);

	if (rc != 0)
		return rc;
	store = sn_new(struct sn_store);
	store->path = sn_xstrdup(path);
	store->pending = sn_map_create(free);
	store->salvaged = sn_map_create(NULL);
	sn_list_init(&store->days);
	*out = store;
	return 0;
}

int sn_store_open_with(const char *path, const struct sn_store_options *options,
		       struct sn_store **out, struct sn_err *err)
{
	struct sn_store *store;
	int rc = sn_store_open(path, &store, err);

	if (rc == 0 && options->clickhouse != NULL) {
		rc = sn_remote_open(path, options, &store->remote, err);
		if (rc != 0)
			sn_store_close(sn_steal(&store));
	}
	if (rc == 0)
		*out = store;
	return rc;
}

static void day_destroy(struct sn_day *day)
{
	sn_day_close(day);
	sn_map_destroy(day->sources);
	free(day->datasets);
	sn_list_remove(&day->link);
	free(day);
}

void sn_store_close(struct sn_store *store)
{
	if (store == NULL)
		return;
	sn_list_for_each (link, &store->days)
		day_destroy(sn_list_entry(link, struct sn_day, link));
	sn_map_destroy(store->pending);
	sn_map_destroy(store->salvaged);
	sn_remote_close(store->remote);
	free(store->path);
	free(store);
}

/* Days and their names ---------------------------------------------------- */

int32_t sn_day_of(int64_t unix_ns)
{
	return (int32_t)(unix_ns / SN_NS_PER_DAY - (unix_ns % SN_NS_PER_DAY < 0));
}

char *sn_day_name(int32_t number, char out[SN_DAY_NAME_SIZE])
{
	char text[SN_TIME_TEXT_MAX];

	/* Noon, because the first day of 64-bit time begins before that. */
	sn_format_time((2 * (int64_t)number + 1) * (SN_NS_PER_DAY / 2), text, sizeof(text));
	memcpy(out, text, SN_DAY_NAME_SIZE - 1);
	out[SN_DAY_NAME_SIZE - 1] = '\0';
	return out;
}

int sn_day_parse(struct sn_str name, int32_t *number)
{
	char text[SN_TIME_TEXT_MAX];
	int64_t noon;

	if (name.n != SN_DAY_NAME_SIZE - 1)
		return -EINVAL;
	snprintf(text, sizeof(text), "%.*sT12:00:00Z", (int)name.n, name.p);
	if (text[0] < '0' || text[0] > '9' || sn_parse_time(sn_str(text), 0, &noon) != 0)
		return -EINVAL;
	*number = sn_day_of(noon);
	return 0;
}

struct sn_day *sn_day_get(struct sn_store *store, int32_t number)
{
	struct sn_day *day;

	sn_list_for_each (link, &store->days) {
		day = sn_list_entry(link, struct sn_day, link);
		if (day->number == number)
			return day;
	}
	day = sn_new(struct sn_day);
	day->number = number;
	day->sources = sn_map_create(NULL);
	sn_day_name(number, day->totals.day);
	sn_list_append(&store->days, &day->link);
	return day;
}

/* "2026-03-01.db"; not its journal, not what was set aside. */
static bool is_day_file(const char *name, int32_t *number)
{
	struct sn_str text = sn_str(name);

	if (text.n != SN_DAY_NAME_SIZE - 1 + 3 || strcmp(name + text.n - 3, ".db") != 0)
		return false;
	text.n -= 3;
	return sn_day_parse(text, number) == 0;
}

static int by_number(const void *a, const void *b)
{
	int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;

	return (left > right) - (left < right);
}

int sn_day_list(struct sn_store *store, int32_t **numbers, size_t *count, struct sn_err *err)
{
	DIR *dir = opendir(store->path);
	struct dirent *entry;
	size_t capacity = 0;
	int32_t number;

	*numbers = NULL;
	*count = 0;
	if (dir == NULL)
		return sn_err_set(err, -errno, "cannot read '%s': %s%s", store->path,
				  strerror(errno),
				  errno == ENOENT ? " (bring it back, or restore a backup)" : "");
	while ((entry = readdir(dir)) != NULL) {
		if (!is_day_file(entry->d_name, &number))
			continue;
		if (*count == capacity) {
			capacity = capacity > 0 ? 2 * capacity : 64;
			*numbers = sn_xrealloc(*numbers, capacity, sizeof(**numbers));
		}
		(*numbers)[(*count)++] = number;
	}
	closedir(dir);
	if (*count > 0)
		qsort(*numbers, *count, sizeof(**numbers), by_number);
	return 0;
}

/* Dropping ----------------------------------------------------------------- */

/* Rows of the day in ClickHouse go too: that is noted before the file goes, which knows of them. */
static int drop_remote(struct sn_store *store, int32_t number, struct sn_err *err)
{
	sn_autofree char *path = sn_day_path(store, number, "");
	bool found = sn_fs_exists(path);
	int rc = found ? 0 : sn_remote_has_day(store->remote, number, &found, err);

	if (rc != 0)
		return rc;
	return found ? sn_remote_drop(store->remote, number, err)
		     : sn_err_sys(err, -ENOENT, "cannot remove '%s'", path);
}

int sn_store_drop_day(struct sn_store *store, const char *name, struct sn_err *err)
{
	/* A journal without its file would be taken for that of the next file of this name. */
	static const char *const suffixes[] = {"-wal", "-shm", ""};
	struct sn_day *day;
	int32_t number;

	if (sn_day_parse(sn_str(name), &number) != 0)
		return sn_err_set(err, -EINVAL, "'%.20s' is no day (write it like 2026-03-01)",
				  name);
	day = sn_day_get(store, number);
	if (day->in_group)
		return sn_err_set(err, -EBUSY, "cannot drop day '%s': rows of it are being stored",
				  name);
	sn_day_close(day);
	if (store->remote != NULL && drop_remote(store, number, err) != 0)
		return err->code;
	for (size_t i = 0; i < SN_COUNT(suffixes); i++) {
		sn_autofree char *path = sn_day_path(store, number, suffixes[i]);
		bool may_lack = suffixes[i][0] != '\0' || store->remote != NULL;

		if (unlink(path) != 0 && (errno != ENOENT || !may_lack))
			return sn_err_sys(err, -errno, "cannot remove '%s'", path);
	}
	day_destroy(day);
	return sn_fs_sync_dir(store->path, err);
}
