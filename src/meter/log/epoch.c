/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/log/epoch.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "meter/log/tidy.h"

#define GZIP_WINDOW  (15 + 16) /* of deflateInit2: with the header of gzip */
#define GZIP_MEMORY  8
#define CHUNK        16384
#define NAME_PATTERN "dddd_dd_dd_dd_dd.out"

const char *sn_epoch_file_name(unsigned file)
{
	static const char *const ours[] = {"log_tcp_midstream", "log_capture"};

	return file < SN_TSTAT_LOGS ? sn_tstat_tables[file].name : ours[file - SN_TSTAT_LOGS];
}

void sn_epoch_name(int64_t time_ns, char name[SN_EPOCH_NAME_MAX])
{
	time_t seconds = (time_t)(time_ns / SN_NS_PER_S);
	struct tm tm = {0};

	localtime_r(&seconds, &tm);
	if (strftime(name, SN_EPOCH_NAME_MAX, "%Y_%m_%d_%H_%M.out", &tm) == 0)
		name[0] = '\0';
}

bool sn_epoch_is_name(const char *name)
{
	static const char pattern[] = NAME_PATTERN;

	for (size_t i = 0; i < sizeof(pattern); i++) {
		bool fits = pattern[i] == 'd' ? isdigit((unsigned char)name[i]) != 0
					      : name[i] == pattern[i];

		if (!fits)
			return false;
	}
	return true;
}

/* Writing ----------------------------------------------------------------- */

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done == 0)
			return -EIO;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

static int deflate_to(struct sn_epoch_file *file, const char *p, size_t n, int flush)
{
	z_stream *z = file->deflate;
	char chunk[CHUNK];
	int rc = 0;

	z->next_in = (Bytef *)(uintptr_t)p;
	z->avail_in = (uInt)n;
	do {
		z->next_out = (Bytef *)chunk;
		z->avail_out = sizeof(chunk);
		deflate(z, flush);
		rc = write_all(file->fd, chunk, sizeof(chunk) - z->avail_out);
	} while (rc == 0 && z->avail_out == 0);
	return rc;
}

/* All of it or nothing: a full disk leaves no half line behind. */
static int write_lines(struct sn_epoch_file *file, struct sn_str lines)
{
	struct stat status;
	int rc;

	if (file->broken)
		return -EIO;
	if (fstat(file->fd, &status) == 0 && status.st_nlink == 0)
		return -EPIPE;
	if (file->deflate != NULL) {
		rc = deflate_to(file, lines.p, lines.n, Z_SYNC_FLUSH);
		file->broken = rc < 0;
		return rc;
	}
	rc = write_all(file->fd, lines.p, lines.n);
	if (rc == 0)
		file->length += (off_t)lines.n;
	else if (ftruncate(file->fd, file->length) == 0)
		lseek(file->fd, file->length, SEEK_SET);
	return rc;
}

static int describe(const struct sn_epoch *epoch, unsigned file, int rc, struct sn_err *err)
{
	const char *suffix = epoch->gzip ? ".gz" : "";

	if (rc == -EPIPE)
		return sn_err_set(err, rc, "cannot write '%s/%s/%s%s': it was removed",
				  epoch->parent, epoch->name, sn_epoch_file_name(file), suffix);
	return sn_err_sys(err, rc, "cannot write '%s/%s/%s%s'", epoch->parent, epoch->name,
			  sn_epoch_file_name(file), suffix);
}

static int open_file(struct sn_epoch *epoch, unsigned index, struct sn_err *err)
{
	struct sn_epoch_file *file = &epoch->files[index];
	char name[SN_EPOCH_NAME_MAX * 2];

	snprintf(name, sizeof(name), "%s%s", sn_epoch_file_name(index), epoch->gzip ? ".gz" : "");
	file->fd = openat(epoch->directory, name,
			  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (file->fd < 0)
		return describe(epoch, index, -errno, err);
	if (epoch->gzip) {
		z_stream *z = sn_new(z_stream);

		if (deflateInit2(z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
				 Z_DEFAULT_STRATEGY) != Z_OK)
			abort(); /* only memory can be missing */
		file->deflate = z;
	}
	return 0;
}

int sn_epoch_write(struct sn_epoch *epoch, unsigned file, struct sn_str lines, struct sn_err *err)
{
	struct sn_epoch_file *to = &epoch->files[file];
	int rc = 0;

	pthread_mutex_lock(&to->lock);
	/* The loss counters of a capture have a file once there are some. */
	if (to->fd < 0)
		rc = open_file(epoch, file, err);
	if (rc == 0) {
		rc = write_lines(to, lines);
		if (rc < 0)
			describe(epoch, file, rc, err);
	}
	pthread_mutex_unlock(&to->lock);
	return rc;
}

/* Opening and closing ------------------------------------------------------- */

static int begin_file(struct sn_epoch *epoch, unsigned file, struct sn_err *err)
{
	bool ours = file >= SN_TSTAT_LOGS;
	unsigned log = ours ? SN_TSTAT_TCP_COMPLETE : file;
	uint8_t level = log == SN_TSTAT_VIDEO_COMPLETE ? epoch->choice.video_level
						       : epoch->choice.tcp_level;
	struct sn_buf header = {0};
	int rc = open_file(epoch, file, err);

	sn_tstat_write_header(&header, &sn_tstat_tables[log], level);
	if (rc == 0 && header.n > 0)
		rc = sn_epoch_write(epoch, file, sn_buf_str(&header), err);
	sn_buf_finish(&header);
	return rc;
}

static int begin_files(struct sn_epoch *epoch, struct sn_err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < SN_TSTAT_LOGS; i++)
		if (epoch->choice.on[i])
			rc = begin_file(epoch, i, err);
	if (rc == 0 && epoch->choice.mid_stream)
		rc = begin_file(epoch, SN_EPOCH_MIDSTREAM, err);
	return rc;
}

static int make_directory(struct sn_epoch *epoch, int parent, struct sn_err *err)
{
	int rc = sn_tidy_remove(parent, epoch->name);

	if (rc < 0)
		return sn_err_sys(err, rc, "cannot replace directory '%s/%s'", epoch->parent,
				  epoch->name);
	if (mkdirat(parent, epoch->name, 0755) < 0)
		return sn_err_sys(err, -errno, "cannot create directory '%s/%s'", epoch->parent,
				  epoch->name);
	epoch->directory =
		openat(parent, epoch->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return epoch->directory >= 0 ? 0
				     : sn_err_sys(err, -errno, "cannot open directory '%s/%s'",
						  epoch->parent, epoch->name);
}

struct sn_epoch *sn_epoch_open(const struct sn_tstat_options *options, const char *name,
			       const struct sn_tstat_choice *choice, struct sn_err *err)
{
	struct sn_epoch *epoch = sn_new(struct sn_epoch);

	assert(sn_epoch_is_name(name));
	epoch->references = 1;
	epoch->directory = -1;
	snprintf(epoch->name, sizeof(epoch->name), "%s", name);
	epoch->parent = options->name;
	epoch->choice = *choice;
	epoch->gzip = options->gzip;
	for (unsigned i = 0; i < SN_EPOCH_FILES; i++) {
		epoch->files[i].fd = -1;
		pthread_mutex_init(&epoch->files[i].lock, NULL);
	}
	if (make_directory(epoch, options->directory, err) < 0 || begin_files(epoch, err) < 0) {
		sn_epoch_close(epoch, NULL);
		return NULL;
	}
	return epoch;
}

static int close_file(struct sn_epoch_file *file)
{
	int rc = 0;

	if (file->deflate != NULL) {
		rc = file->broken ? 0 : deflate_to(file, NULL, 0, Z_FINISH);
		deflateEnd(file->deflate);
		free(file->deflate);
	}
	if (file->fd >= 0 && close(file->fd) < 0 && rc == 0)
		rc = -errno;
	pthread_mutex_destroy(&file->lock);
	return rc;
}

int sn_epoch_close(struct sn_epoch *epoch, struct sn_err *err)
{
	int result = 0;

	for (unsigned i = 0; i < SN_EPOCH_FILES; i++) {
		int rc = close_file(&epoch->files[i]);

		if (rc < 0 && result == 0)
			result = describe(epoch, i, rc, err);
	}
	if (epoch->directory >= 0)
		close(epoch->directory);
	free(epoch);
	return result;
}
