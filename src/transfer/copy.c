/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "transfer/queue.h"

#define WAIT_NS   (200 * SN_NS_PER_MS) /* for digests that are being computed */
#define WAITS_MAX 300
#define LINE_SIZE (SN_MATH_PATH_MAX + 128)

struct sn_math_copy {
	struct sn_math_copy_config config;
	int dir;
	char *part;
	FILE *journal;
	struct sn_map *known; /* digest by path */
	struct sn_math_queue queue;
	char token[SN_MATH_TOKEN_SIZE];
};

/* The journal --------------------------------------------------------------------------- */

static void read_journal(struct sn_math_copy *copy)
{
	char line[LINE_SIZE], hex[SN_MATH_DIGEST_SIZE];
	unsigned long long size;
	int path;

	rewind(copy->journal);
	while (fgets(line, sizeof(line), copy->journal) != NULL) {
		path = -1;
		if (sscanf(line, "%64s %llu %n", hex, &size, &path) != 2 || path < 0 ||
		    strchr(line, '\n') == NULL)
			continue;
		line[strcspn(line, "\n")] = '\0';
		sn_map_set(copy->known, line + path, sn_xstrdup(hex));
	}
	fseek(copy->journal, 0, SEEK_END);
	if (ftell(copy->journal) > 0)
		fputc('\n', copy->journal);
}

static int write_journal(struct sn_math_copy *copy, const char *path,
			 const struct sn_math_fetched *fetched, struct sn_err *err)
{
	fprintf(copy->journal, "%s %llu %s\n", fetched->sha256, (unsigned long long)fetched->size,
		path);
	if (fflush(copy->journal) != 0 || fdatasync(fileno(copy->journal)) != 0)
		return sn_err_sys(err, -errno, "cannot write the journal in '%s'",
				  copy->config.directory);
	sn_map_set(copy->known, path, sn_xstrdup(fetched->sha256));
	return 0;
}

int sn_math_copy_open(const struct sn_math_copy_config *config, struct sn_math_copy **out,
		      struct sn_err *err)
{
	struct sn_math_copy *copy = sn_new(struct sn_math_copy);
	sn_autofree char *name = sn_xasprintf(".math-%s", config->stream);
	int fd = -1;

	copy->config = *config;
	copy->dir = -1;
	copy->known = sn_map_create(free);
	if (sn_fs_mkdirs(config->directory, 0755, err) != 0) {
		sn_math_copy_close(copy);
		return err->code;
	}
	copy->dir = open(config->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (copy->dir >= 0)
		fd = openat(copy->dir, name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
			    0644);
	copy->journal = fd >= 0 ? fdopen(fd, "a+") : NULL;
	if (copy->journal == NULL) {
		sn_err_sys(err, -errno, "cannot write into '%s'", config->directory);
		sn_math_copy_close(copy);
		return err->code;
	}
	copy->part = sn_xasprintf("%s/%s.part", config->directory, name);
	read_journal(copy);
	*out = copy;
	return 0;
}

void sn_math_copy_close(struct sn_math_copy *copy)
{
	if (copy == NULL)
		return;
	if (copy->journal != NULL)
		fclose(copy->journal);
	if (copy->dir >= 0)
		close(copy->dir);
	sn_map_destroy(copy->known);
	sn_math_queue_finish(&copy->queue);
	free(copy->part);
	free(copy);
}

/* One file ------------------------------------------------------------------------------- */

/* The directory that `path` is in, made where it is missing; no link is followed. */
static int open_parent(int dir, struct sn_str path)
{
	struct sn_str rest = path, segment;
	char name[256];
	sn_autoclose int at = dup(dir);
	int fd;

	while (at >= 0 && sn_str_split(&rest, '/', &segment)) {
		if (segment.p + segment.n == path.p + path.n)
			return sn_steal_fd(&at);
		if (segment.n >= sizeof(name))
			return -ENAMETOOLONG;
		snprintf(name, sizeof(name), "%.*s", (int)segment.n, segment.p);
		if (mkdirat(at, name, 0755) != 0 && errno != EEXIST)
			return -errno;
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		close(at);
		at = fd;
	}
	return -EMFILE;
}

static int give_name(struct sn_math_copy *copy, struct sn_str path, struct sn_err *err)
{
	sn_autoclose int parent = open_parent(copy->dir, path);
	struct sn_str name = sn_math_path_name(path);
	sn_autofree char *text = sn_xstrndup(name.p, name.n);

	if (parent < 0)
		return sn_err_sys(err, parent, "cannot make the directory of '%.*s'", (int)path.n,
				  path.p);
	if (renameat(AT_FDCWD, copy->part, parent, text) != 0 || fsync(parent) != 0)
		return sn_err_sys(err, -errno, "cannot name '%.*s'", (int)path.n, path.p);
	return 0;
}

static int fetch(struct sn_math_copy *copy, const struct sn_math_wanted *wanted, struct sn_err *err)
{
	struct sn_math_fetched fetched;
	int rc = sn_math_link_fetch(copy->config.link, &wanted->entry, copy->part, &fetched, err);

	if (rc == 0)
		rc = give_name(copy, wanted->entry.path, err);
	if (rc == 0)
		rc = write_journal(copy, wanted->path, &fetched, err);
	if (rc == 0 && copy->config.on_file != NULL)
		copy->config.on_file(wanted->path, &fetched, copy->config.ctx);
	return rc;
}

/* The list -------------------------------------------------------------------------------- */

static int consider(const struct sn_math_entry *entry, void *ctx)
{
	struct sn_math_copy *copy = ctx;
	char path[SN_MATH_PATH_MAX + 1];
	int64_t time_s = sn_math_path_time(entry->path, copy->config.local_time);
	const char *digest;

	if (copy->config.start_s != SN_MATH_TIME_UNKNOWN && time_s < copy->config.start_s)
		return 0;
	snprintf(path, sizeof(path), "%.*s", (int)entry->path.n, entry->path.p);
	digest = sn_map_get(copy->known, path);
	if (digest != NULL && (entry->sha256[0] == '\0' || strcmp(digest, entry->sha256) == 0))
		return 0;
	sn_math_queue_add(&copy->queue, entry, time_s);
	return 0;
}

static void tell(struct sn_math_copy *copy, const char *text)
{
	if (copy->config.on_problem != NULL)
		copy->config.on_problem(text, copy->config.ctx);
}

/* One file's own trouble; the others can still be had. */
static bool is_of_the_file(int error)
{
	return error == -EBADMSG || error == -EMSGSIZE || error == -ESTALE || error == -ENOENT;
}

static int fetch_all(struct sn_math_copy *copy, uint64_t *failed, struct sn_err *err)
{
	const struct sn_math_wanted *wanted;
	int rc;

	while ((wanted = sn_math_queue_take(&copy->queue)) != NULL) {
		rc = fetch(copy, wanted, err);
		if (rc == 0)
			continue;
		if (!is_of_the_file(rc))
			return rc;
		tell(copy, err->text);
		++*failed;
		/* Not again in this run; a list that names another digest is another matter. */
		sn_map_set(
			copy->known, wanted->path,
			sn_xstrdup(wanted->entry.sha256[0] != '\0' ? wanted->entry.sha256 : "-"));
	}
	return 0;
}

static void wait_a_moment(void)
{
	nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
}

int sn_math_copy_run(struct sn_math_copy *copy, uint64_t *failed, struct sn_err *err)
{
	struct sn_math_listing listing;
	unsigned waits = 0;
	bool again;
	int rc;

	*failed = 0;
	do {
		sn_math_queue_clear(&copy->queue);
		rc = sn_math_link_list(copy->config.link, copy->token, SN_MATH_QUEUE_MAX, consider,
				       copy, &listing, err);
		if (rc != 0)
			return rc;
		if (listing.refused > 0)
			tell(copy, listing.reason);
		rc = fetch_all(copy, failed, err);
		if (rc != 0)
			return rc;
		/* A peer whose list goes by numbers has more only if this one was not empty. */
		again = copy->queue.overflow || (listing.token[0] != '\0' && listing.entries > 0);
		if (!copy->queue.overflow)
			memcpy(copy->token, listing.token, sizeof(copy->token));
		if (!again && listing.pending > 0 && waits++ < WAITS_MAX) {
			wait_a_moment();
			again = true;
		} else if (listing.entries > 0) {
			waits = 0;
		}
	} while (again);
	return 0;
}
