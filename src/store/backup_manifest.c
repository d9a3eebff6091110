/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a backup, and copying files with their digests. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nettle/sha2.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define FORMAT    "sonde-backup"
#define FORMAT_NO 1
#define PIECE     (1 << 20)

static const char *const kinds[] = {"day", "control", "file", "policy"};

void sn_manifest_finish(struct sn_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++) {
		free(manifest->entries[i].path);
		free(manifest->entries[i].place);
	}
	free(manifest->entries);
	sn_map_destroy(manifest->by_path);
	*manifest = (struct sn_manifest){0};
}

struct sn_backup_entry *sn_manifest_add(struct sn_manifest *manifest,
					const struct sn_backup_entry *entry)
{
	struct sn_backup_entry *added;

	if ((manifest->count & (manifest->count - 1)) == 0)
		manifest->entries = sn_xrealloc(manifest->entries,
						manifest->count > 0 ? 2 * manifest->count : 1,
						sizeof(*manifest->entries));
	added = &manifest->entries[manifest->count++];
	*added = *entry;
	added->path = sn_xstrdup(entry->path);
	added->place = sn_xstrdup(entry->place);
	if (manifest->by_path == NULL)
		manifest->by_path = sn_map_create(NULL);
	sn_map_set(manifest->by_path, added->path, (void *)(uintptr_t)manifest->count);
	return added;
}

struct sn_backup_entry *sn_manifest_find(const struct sn_manifest *manifest, const char *path)
{
	size_t number = manifest->by_path != NULL
				? (size_t)(uintptr_t)sn_map_get(manifest->by_path, path)
				: 0;

	return number > 0 ? &manifest->entries[number - 1] : NULL;
}

/* Reading ------------------------------------------------------------------------------ */

/* A path that stays where it is put: relative, no "..", no control characters. */
static bool path_is_good(const char *path)
{
	struct sn_str rest = sn_str(path), part;

	if (rest.n == 0 || rest.n > SN_BACKUP_PATH_MAX || path[0] == '/' || path[rest.n - 1] == '/')
		return false;
	for (size_t i = 0; i < rest.n; i++)
		if ((unsigned char)path[i] < ' ')
			return false;
	while (rest.n > 0 && sn_str_split(&rest, '/', &part))
		if (part.n == 0 || sn_str_eqc(part, ".") || sn_str_eqc(part, ".."))
			return false;
	return true;
}

static int read_kind(const json_t *item, enum sn_backup_kind *kind)
{
	const char *text = json_string_value(json_object_get(item, "kind"));

	for (size_t i = 0; text != NULL && i < SN_COUNT(kinds); i++) {
		if (strcmp(kinds[i], text) == 0) {
			*kind = (enum sn_backup_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_entry(const json_t *item, struct sn_manifest *manifest)
{
	struct sn_backup_entry *former;
	const char *path = json_string_value(json_object_get(item, "path"));
	const char *place = json_string_value(json_object_get(item, "place"));
	const char *digest = json_string_value(json_object_get(item, "sha256"));
	const char *mode = json_string_value(json_object_get(item, "mode"));
	const char *stamp = json_string_value(json_object_get(item, "stamp"));
	json_int_t bytes = json_integer_value(json_object_get(item, "bytes"));
	struct sn_backup_entry entry = {.bytes = (uint64_t)bytes};
	uint8_t raw[32];

	if (path == NULL || place == NULL || digest == NULL || mode == NULL || stamp == NULL ||
	    bytes < 0 || !path_is_good(path) || !path_is_good(place) || strlen(mode) != 4 ||
	    strspn(mode, "01234567") != 4 || strlen(stamp) >= sizeof(entry.stamp) ||
	    sn_unhex(sn_str(digest), raw, 32) != 0 || read_kind(item, &entry.kind) != 0)
		return -EINVAL;
	entry.path = (char *)path;
	entry.place = (char *)place;
	entry.mode = (mode_t)strtoul(mode, NULL, 8) & 0777;
	sn_hex(raw, sizeof(raw), entry.sha256);
	snprintf(entry.stamp, sizeof(entry.stamp), "%s", stamp);
	former = sn_manifest_find(manifest, path);
	if (former == NULL) {
		sn_manifest_add(manifest, &entry);
		return 0;
	}
	free(former->path);
	free(former->place);
	*former = entry;
	former->path = sn_xstrdup(path);
	former->place = sn_xstrdup(place);
	return 0;
}

void sn_backup_entry_take(struct sn_str line, struct sn_manifest *manifest)
{
	struct sn_err ignored = {0};
	sn_autojson json_t *item = sn_json_parse(line.p, line.n, &ignored);

	if (json_is_object(item))
		(void)read_entry(item, manifest);
}

static int parse(const struct sn_buf *text, const char *path, struct sn_manifest *manifest,
		 struct sn_err *err)
{
	sn_autojson json_t *all = sn_json_parse(text->p, text->n, err);
	const json_t *files = json_object_get(all, "files");
	const char *format = json_string_value(json_object_get(all, "format"));
	const char *made = json_string_value(json_object_get(all, "made"));

	if (all == NULL)
		return sn_err_wrap(err, "'%s' is no manifest of a backup", path);
	if (format == NULL || strcmp(format, FORMAT) != 0 || !json_is_array(files))
		return sn_err_set(err, -EINVAL, "'%s' is no manifest of a backup", path);
	if (json_integer_value(json_object_get(all, "version")) != FORMAT_NO)
		return sn_err_set(err, -EINVAL,
				  "'%s' was written by another release (use that one)", path);
	manifest->run = (uint64_t)json_integer_value(json_object_get(all, "run"));
	if (made != NULL)
		(void)sn_parse_time(sn_str(made), 0, &manifest->made_ns);
	if (json_array_size(files) > SN_BACKUP_FILES_MAX)
		return sn_err_set(err, -EINVAL, "'%s' names more than %d files", path,
				  SN_BACKUP_FILES_MAX);
	for (size_t i = 0; i < json_array_size(files); i++)
		if (read_entry(json_array_get(files, i), manifest) != 0)
			return sn_err_set(err, -EINVAL, "'%s': file %zu is not well described",
					  path, i + 1);
	return 0;
}

int sn_manifest_read(const char *directory, struct sn_manifest *manifest, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(directory, "manifest.json");
	struct sn_buf text = {0};
	int failed;

	*manifest = (struct sn_manifest){0};
	failed = sn_fs_read(path, SN_BACKUP_MANIFEST_MAX, &text, err);
	if (failed == 0)
		failed = parse(&text, path, manifest, err);
	sn_buf_finish(&text);
	if (failed != 0)
		sn_manifest_finish(manifest);
	return failed;
}

/* Writing ------------------------------------------------------------------------------ */

json_t *sn_backup_entry_json(const struct sn_backup_entry *entry)
{
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", (unsigned)entry->mode & 0777);
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "path", entry->path, "kind",
			 kinds[entry->kind], "place", entry->place, "bytes",
			 (json_int_t)entry->bytes, "sha256", entry->sha256, "mode", mode, "stamp",
			 entry->stamp);
}

int sn_manifest_write(const char *directory, const struct sn_manifest *manifest, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(directory, "manifest.json"), *text = NULL;
	sn_autojson json_t *all = NULL;
	json_t *files = json_array();
	char made[SN_TIME_TEXT_MAX];

	for (size_t i = 0; i < manifest->count; i++)
		json_array_append_new(files, sn_backup_entry_json(&manifest->entries[i]));
	sn_format_time(manifest->made_ns, made, sizeof(made));
	all = json_pack("{s:s, s:i, s:I, s:s, s:o}", "format", FORMAT, "version", FORMAT_NO, "run",
			(json_int_t)manifest->run, "made", made, "files", files);
	text = json_dumps(all, JSON_INDENT(1));
	if (text == NULL)
		return sn_err_set(err, -EINVAL, "a path is not UTF-8");
	return sn_fs_write_atomic(path, text, strlen(text), 0600, err);
}

/* Copies --------------------------------------------------------------------------------- */

static int digest_pieces(int from, int to, struct sn_backup_watch *watch, uint64_t *bytes,
			 char sha256[65], struct sn_err *err)
{
	sn_autofree uint8_t *piece = sn_xmalloc(PIECE);
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx hash;
	ssize_t n;

	sha256_init(&hash);
	*bytes = 0;
	while ((n = read(from, piece, PIECE)) > 0) {
		if (atomic_load(&watch->stop))
			return sn_err_set(err, -ECANCELED, "it was ended");
		sha256_update(&hash, (size_t)n, piece);
		if (to >= 0 && write(to, piece, (size_t)n) != n)
			return sn_err_sys(err, errno != 0 ? -errno : -ENOSPC, "cannot write");
		*bytes += (uint64_t)n;
		atomic_fetch_add(&watch->done, (uint64_t)n);
	}
	if (n < 0)
		return sn_err_sys(err, -errno, "cannot read");
	sha256_digest(&hash, sizeof(digest), digest);
	sn_hex(digest, sizeof(digest), sha256);
	return 0;
}

int sn_backup_digest(const char *path, struct sn_backup_watch *watch, uint64_t *bytes,
		     char sha256[65], struct sn_err *err)
{
	sn_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot read '%s'", path);
	if (digest_pieces(fd, -1, watch, bytes, sha256, err) != 0)
		return sn_err_wrap(err, "'%s'", path);
	return 0;
}

int sn_backup_copy(const char *from, const char *to, mode_t mode, struct sn_backup_watch *watch,
		   struct sn_backup_entry *entry, struct sn_err *err)
{
	sn_autoclose int source = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	sn_autoclose int target = -1;

	if (source < 0)
		return sn_err_sys(err, -errno, "cannot read '%s'", from);
	/* What an interrupted run has left there. */
	unlink(to);
	target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode & 0777);
	if (target < 0)
		return sn_err_sys(err, -errno, "cannot create '%s'", to);
	errno = 0;
	if (digest_pieces(source, target, watch, &entry->bytes, entry->sha256, err) != 0)
		return sn_err_wrap(err, "copy of '%s'", from);
	if (fchmod(target, mode & 0777) != 0 || fsync(target) != 0)
		return sn_err_sys(err, -errno, "cannot write '%s'", to);
	entry->mode = mode & 0777;
	return 0;
}
