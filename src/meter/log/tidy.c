/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/log/tidy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/list.h"
#include "base/mem.h"

#define DEPTH_MAX   4     /* Tstat's own directories are two deep: traces00/FILE */
#define DIRECTORIES 10000 /* more are not looked at: more than a year of hours */
#define GZIP_WINDOW (15 + 16)
#define GZIP_MEMORY 8
#define PART_SUFFIX ".gz.part"
#define FILE_NAME   64
#define STEPS       64 /* of a piece: small files are many of them */

/* Removing ---------------------------------------------------------------- */

static int remove_content(int directory, unsigned depth);

static int remove_entry(int parent, const char *name, unsigned depth)
{
	int fd, rc;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth == DEPTH_MAX)
		return -ELOOP;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	rc = remove_content(fd, depth + 1);
	if (rc == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
		rc = -errno;
	return rc;
}

/* Takes the descriptor over. */
static int remove_content(int directory, unsigned depth)
{
	DIR *dir = fdopendir(directory);
	struct dirent *entry;
	int rc = 0;

	if (dir == NULL) {
		close(directory);
		return -ENOMEM;
	}
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = remove_entry(directory, entry->d_name, depth);
	closedir(dir);
	return rc;
}

int sn_tidy_remove(int parent, const char *name)
{
	return sn_epoch_is_name(name) ? remove_entry(parent, name, 0) : -EINVAL;
}

/* Keeping ----------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

/* Names of Tstat's form; a name sorts like its time. */
static char **list_directories(int parent, size_t *count)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	char **names = NULL;
	struct dirent *entry;

	*count = 0;
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	while (*count < DIRECTORIES && (entry = readdir(dir)) != NULL) {
		if (!sn_epoch_is_name(entry->d_name))
			continue;
		names = sn_xrealloc(names, *count + 1, sizeof(*names));
		names[(*count)++] = sn_xstrdup(entry->d_name);
	}
	closedir(dir);
	if (names != NULL)
		qsort(names, *count, sizeof(*names), newest_first);
	return names;
}

int sn_tidy_keep(int parent, const char *present, unsigned keep)
{
	size_t count, others = 0;
	char **names = list_directories(parent, &count);
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		bool surplus = strcmp(names[i], present) != 0 && ++others >= keep;
		int rc = surplus ? sn_tidy_remove(parent, names[i]) : 0;

		if (rc < 0)
			result = rc;
		free(names[i]);
	}
	free(names);
	return result;
}

/* Compressing ------------------------------------------------------------- */

struct finished { /* a directory that waits */
	struct sn_list link;
	char name[SN_EPOCH_NAME_MAX];
};

struct sn_tidy {
	int parent;
	struct sn_list finished;
	int directory; /* the one that is worked on; -1: none */
	unsigned file; /* of it, the next */
	int in, out;   /* -1: between two files */
	z_stream z;
};

struct sn_tidy *sn_tidy_create(int parent)
{
	struct sn_tidy *tidy = sn_new(struct sn_tidy);

	tidy->parent = parent;
	tidy->directory = tidy->in = tidy->out = -1;
	sn_list_init(&tidy->finished);
	return tidy;
}

void sn_tidy_add(struct sn_tidy *tidy, const char *name)
{
	struct finished *finished = sn_new(struct finished);

	snprintf(finished->name, sizeof(finished->name), "%s", name);
	sn_list_append(&tidy->finished, &finished->link);
}

static void part_name(const struct sn_tidy *tidy, char out[FILE_NAME])
{
	snprintf(out, FILE_NAME, ".%s" PART_SUFFIX, sn_epoch_file_name(tidy->file));
}

/* The file in work is done, or given up: then it stays as it was. */
static void end_file(struct sn_tidy *tidy, bool good)
{
	char part[FILE_NAME], whole[FILE_NAME];

	part_name(tidy, part);
	snprintf(whole, sizeof(whole), "%s.gz", sn_epoch_file_name(tidy->file));
	deflateEnd(&tidy->z);
	good = close(tidy->out) == 0 && good;
	close(tidy->in);
	tidy->in = tidy->out = -1;
	if (good && renameat(tidy->directory, part, tidy->directory, whole) == 0)
		unlinkat(tidy->directory, sn_epoch_file_name(tidy->file), 0);
	else
		unlinkat(tidy->directory, part, 0);
	tidy->file++;
}

static bool begin_file(struct sn_tidy *tidy)
{
	char part[FILE_NAME];

	tidy->in = openat(tidy->directory, sn_epoch_file_name(tidy->file),
			  O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (tidy->in < 0)
		return false;
	part_name(tidy, part);
	tidy->out = openat(tidy->directory, part,
			   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	tidy->z = (z_stream){0};
	if (tidy->out >= 0 && deflateInit2(&tidy->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW,
					   GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK)
		return true;
	if (tidy->out >= 0)
		close(tidy->out);
	close(tidy->in);
	tidy->in = tidy->out = -1;
	return false;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* How many bytes were read. */
static size_t compress_piece(struct sn_tidy *tidy)
{
	static const size_t room = SN_TIDY_PIECE;
	uint8_t *in = sn_xmalloc(2 * room), *out = in + room;
	ssize_t n = read(tidy->in, in, room);
	bool good = n >= 0;

	tidy->z.next_in = in;
	tidy->z.avail_in = (uInt)SN_MAX(n, 0);
	do {
		tidy->z.next_out = out;
		tidy->z.avail_out = (uInt)room;
		deflate(&tidy->z, n > 0 ? Z_NO_FLUSH : Z_FINISH);
		good = good && write_all(tidy->out, out, room - tidy->z.avail_out);
	} while (good && tidy->z.avail_out == 0);
	free(in);
	if (!good || n == 0)
		end_file(tidy, good);
	return (size_t)SN_MAX(n, 0);
}

static bool begin_directory(struct sn_tidy *tidy)
{
	struct finished *next;

	if (sn_list_empty(&tidy->finished))
		return false;
	next = sn_list_entry(tidy->finished.next, struct finished, link);
	tidy->directory =
		openat(tidy->parent, next->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	tidy->file = 0;
	sn_list_remove(&next->link);
	free(next);
	return true;
}

/* The next file, or the next directory; false when there is none. */
static bool go_on(struct sn_tidy *tidy)
{
	if (tidy->directory < 0)
		return begin_directory(tidy);
	while (tidy->file < SN_EPOCH_FILES && !begin_file(tidy))
		tidy->file++;
	if (tidy->file == SN_EPOCH_FILES) {
		close(tidy->directory);
		tidy->directory = -1;
	}
	return true;
}

bool sn_tidy_work(struct sn_tidy *tidy)
{
	size_t read = 0;

	for (unsigned step = 0; step < STEPS && read < SN_TIDY_PIECE; step++) {
		if (tidy->in >= 0)
			read += compress_piece(tidy);
		else if (!go_on(tidy))
			return false;
	}
	return true;
}

void sn_tidy_destroy(struct sn_tidy *tidy)
{
	struct finished *next;

	if (tidy == NULL)
		return;
	if (tidy->in >= 0)
		end_file(tidy, false);
	if (tidy->directory >= 0)
		close(tidy->directory);
	while (!sn_list_empty(&tidy->finished)) {
		next = sn_list_entry(tidy->finished.next, struct finished, link);
		sn_list_remove(&next->link);
		free(next);
	}
	free(tidy);
}
