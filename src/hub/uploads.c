/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "uploads"
#include "hub/uploads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

#define DIGEST_SIZE 32
#define PIECE_BYTES (256 * 1024)

/* SHA-256 of what is on disk, so that the end of a large upload does not read all of it again. */
struct sn_upload_hash {
	gnutls_hash_hd_t state;
	uint64_t bytes;
};

struct sn_uploads {
	struct sn_uploads_config config;
	char *dir;
	struct sn_map *all; /* by id */
};

/* One part on its way to the disk. */
struct part {
	struct sn_work work;
	struct sn_uploads *uploads;
	struct sn_upload *upload;
	char *bytes;
	size_t size;
	int64_t now_ns;
	sn_upload_done_fn *done;
	void *ctx;
	struct sn_err err;
};

/* One upload ----------------------------------------------------------------- */

static void hash_drop(struct sn_upload *upload)
{
	if (upload->hash != NULL)
		gnutls_hash_deinit(upload->hash->state, NULL);
	free(upload->hash);
	upload->hash = NULL;
}

static void upload_destroy(void *value)
{
	struct sn_upload *upload = value;

	hash_drop(upload);
	free(upload->name);
	free(upload->path);
	free(upload);
}

bool sn_upload_is_complete(const struct sn_upload *upload)
{
	return upload->offset == upload->bytes && !upload->busy;
}

struct sn_upload *sn_uploads_find(struct sn_uploads *uploads, const char *id)
{
	return sn_map_get(uploads->all, id);
}

static struct sn_upload *add(struct sn_uploads *uploads, const struct sn_upload *like)
{
	struct sn_upload *upload = sn_new(struct sn_upload);

	*upload = *like;
	upload->name = sn_xstrdup(like->name);
	upload->path = sn_fs_join(uploads->dir, upload->id);
	sn_map_set(uploads->all, upload->id, upload);
	return upload;
}

static void forget(struct sn_uploads *uploads, struct sn_upload *upload)
{
	char id[SN_ULID_SIZE];

	memcpy(id, upload->id, sizeof(id));
	unlink(upload->path);
	sn_map_remove(uploads->all, id);
}

static int drop_row(struct sn_uploads *uploads, const char *id, struct sn_err *err)
{
	return SN_MIN(
		sn_db_run(uploads->config.db, err, "DELETE FROM uploads WHERE id = ?", "t", id), 0);
}

/* Opening -------------------------------------------------------------------- */

static void read_row(sqlite3_stmt *row, struct sn_upload *upload)
{
	*upload = (struct sn_upload){.name = (char *)(uintptr_t)sqlite3_column_text(row, 1)};
	snprintf(upload->id, sizeof(upload->id), "%s", (const char *)sqlite3_column_text(row, 0));
	snprintf(upload->sha256, sizeof(upload->sha256), "%s",
		 (const char *)sqlite3_column_text(row, 2));
	snprintf(upload->kind, sizeof(upload->kind), "%s",
		 (const char *)sqlite3_column_text(row, 3));
	snprintf(upload->owner, sizeof(upload->owner), "%s",
		 (const char *)sqlite3_column_text(row, 4));
	upload->bytes = (uint64_t)sqlite3_column_int64(row, 5);
	upload->offset = (uint64_t)sqlite3_column_int64(row, 6);
	upload->created_ns = sqlite3_column_int64(row, 7);
	upload->touched_ns = sqlite3_column_int64(row, 8);
}

/* What was written but not acknowledged goes; what is missing is to be sent again. */
static void settle(struct sn_upload *upload)
{
	struct stat st;
	uint64_t size = stat(upload->path, &st) == 0 ? (uint64_t)st.st_size : 0;

	if (size < upload->offset)
		upload->offset = size;
	else if (size > upload->offset && truncate(upload->path, (off_t)upload->offset) != 0)
		upload->offset = 0;
}

static int load(struct sn_uploads *uploads, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(uploads->config.db, err,
					"SELECT id, name, sha256, kind, owner, bytes, offset,"
					" created, touched FROM uploads",
					"");
	struct sn_upload read;
	int rc;

	if (row == NULL)
		return err->code;
	while ((rc = sn_db_next(uploads->config.db, row, err)) == 1) {
		read_row(row, &read);
		settle(add(uploads, &read));
	}
	sn_db_done(row);
	return rc;
}

/* Files whose row is gone: the hub ended between the two. */
static void remove_orphans(const struct sn_uploads *uploads)
{
	DIR *dir = opendir(uploads->dir);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		sn_autofree char *path = sn_fs_join(uploads->dir, entry->d_name);

		if (entry->d_name[0] != '.' && sn_map_get(uploads->all, entry->d_name) == NULL)
			unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
}

int sn_uploads_open(const struct sn_uploads_config *config, struct sn_uploads **out,
		    struct sn_err *err)
{
	struct sn_uploads *uploads = sn_new(struct sn_uploads);

	uploads->config = *config;
	uploads->dir = sn_fs_join(config->state, "uploads");
	uploads->all = sn_map_create(upload_destroy);
	if (sn_fs_mkdirs(uploads->dir, 0700, err) != 0 || load(uploads, err) != 0) {
		sn_uploads_close(uploads);
		return err->code;
	}
	remove_orphans(uploads);
	*out = uploads;
	return 0;
}

void sn_uploads_close(struct sn_uploads *uploads)
{
	if (uploads == NULL)
		return;
	sn_map_destroy(uploads->all);
	free(uploads->dir);
	free(uploads);
}

/* Beginning ------------------------------------------------------------------ */

struct totals {
	uint64_t bytes, own_bytes, missing;
	unsigned count, own_count;
};

static struct totals count_all(const struct sn_uploads *uploads, const char *owner)
{
	struct totals totals = {0};
	size_t cursor = 0;
	const char *id;
	void *value;

	while (sn_map_next(uploads->all, &cursor, &id, &value)) {
		const struct sn_upload *upload = value;
		bool own = strcmp(upload->owner, owner) == 0;

		totals.bytes += upload->bytes;
		totals.missing += upload->bytes - upload->offset;
		totals.own_bytes += own ? upload->bytes : 0;
		totals.count++;
		totals.own_count += own;
	}
	return totals;
}

static struct sn_upload *find_same(const struct sn_uploads *uploads, const struct sn_upload *wanted)
{
	size_t cursor = 0;
	const char *id;
	void *value;

	while (sn_map_next(uploads->all, &cursor, &id, &value)) {
		struct sn_upload *upload = value;

		if (upload->bytes == wanted->bytes && !upload->held &&
		    strcmp(upload->sha256, wanted->sha256) == 0 &&
		    strcmp(upload->owner, wanted->owner) == 0 &&
		    strcmp(upload->name, wanted->name) == 0)
			return upload;
	}
	return NULL;
}

static bool is_digest(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static int check_wanted(const struct sn_upload *wanted, struct sn_err *err)
{
	size_t n = strlen(wanted->name);

	if (n == 0 || n > SN_UPLOAD_NAME_MAX || strchr(wanted->name, '/') != NULL ||
	    wanted->name[0] == '.')
		return sn_err_set(err, -EINVAL,
				  "name: not the name of a file, of at most %d bytes, without "
				  "directories",
				  SN_UPLOAD_NAME_MAX);
	if (wanted->bytes == 0)
		return sn_err_set(err, -EINVAL, "bytes: an empty file needs no upload");
	if (!is_digest(wanted->sha256))
		return sn_err_set(err, -EINVAL, "sha256: not 64 hex digits in lower case");
	return 0;
}

static int check_room(const struct sn_uploads *uploads, const struct sn_upload *wanted,
		      struct sn_err *err)
{
	struct totals totals = count_all(uploads, wanted->owner);
	uint64_t limit = uploads->config.limit, own = limit / 2;
	int64_t free_bytes = sn_fs_free_bytes(uploads->dir);

	if (totals.count >= SN_UPLOADS_MAX || totals.own_count >= SN_UPLOADS_USER_MAX)
		return sn_err_set(
			err, -E2BIG,
			"too many uploads are open (import or remove some, or wait a day)");
	if (wanted->bytes > own || totals.own_bytes > own - wanted->bytes ||
	    totals.bytes > limit - wanted->bytes)
		return sn_err_set(err, -EDQUOT,
				  "uploads would take more than %" PRIu64 " bytes of one person or "
				  "%" PRIu64 " of all ('upload_limit' in the hub's configuration)",
				  own, limit);
	if (free_bytes >= 0 &&
	    (uint64_t)free_bytes < totals.missing + wanted->bytes + SN_UPLOAD_SPARE)
		return sn_err_set(err, -ENOSPC, "the disk of the hub has no room for the file");
	return 0;
}

int sn_uploads_begin(struct sn_uploads *uploads, const struct sn_upload *wanted, int64_t now_ns,
		     struct sn_upload **out, struct sn_err *err)
{
	struct sn_upload made = *wanted;

	if (check_wanted(wanted, err) != 0)
		return err->code;
	*out = find_same(uploads, wanted);
	if (*out != NULL)
		return 0;
	if (check_room(uploads, wanted, err) != 0)
		return err->code;
	sn_ulid(now_ns, made.id);
	made.offset = 0;
	made.created_ns = made.touched_ns = now_ns;
	if (sn_db_run(uploads->config.db, err,
		      "INSERT INTO uploads (id, name, sha256, kind, owner, bytes, created, touched)"
		      " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		      "tttttiii", made.id, made.name, made.sha256, made.kind, made.owner,
		      (int64_t)made.bytes, now_ns, now_ns) < 0)
		return err->code;
	*out = add(uploads, &made);
	return 0;
}

/* Parts, on a thread ----------------------------------------------------------- */

static int hash_begin(struct sn_upload *upload, struct sn_err *err)
{
	struct sn_upload_hash *hash = sn_new(struct sn_upload_hash);

	if (gnutls_hash_init(&hash->state, GNUTLS_DIG_SHA256) != 0) {
		free(hash);
		sn_err_set(err, -ENOMEM, "cannot compute a digest");
		return -ENOMEM;
	}
	upload->hash = hash;
	return 0;
}

/* The hub was started again since: what is there is read once. */
static int hash_catch_up(struct sn_upload *upload, int fd, struct sn_err *err)
{
	sn_autofree char *piece = sn_xmalloc(PIECE_BYTES);

	while (upload->hash->bytes < upload->offset) {
		size_t left =
			SN_MIN((size_t)(upload->offset - upload->hash->bytes), (size_t)PIECE_BYTES);
		ssize_t got = pread(fd, piece, left, (off_t)upload->hash->bytes);

		if (got <= 0)
			return sn_err_sys(err, got < 0 ? -errno : -EIO, "cannot read '%s'",
					  upload->path);
		gnutls_hash(upload->hash->state, piece, (size_t)got);
		upload->hash->bytes += (uint64_t)got;
	}
	return 0;
}

static int write_bytes(struct part *part, int fd)
{
	size_t written = 0;

	while (written < part->size) {
		ssize_t put = pwrite(fd, part->bytes + written, part->size - written,
				     (off_t)(part->upload->offset + written));

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return sn_err_sys(&part->err, -errno, "cannot write '%s'",
					  part->upload->path);
		written += (size_t)put;
	}
	if (fdatasync(fd) != 0)
		return sn_err_sys(&part->err, -errno, "cannot write '%s'", part->upload->path);
	gnutls_hash(part->upload->hash->state, part->bytes, part->size);
	part->upload->hash->bytes += part->size;
	return 0;
}

static int check_digest(struct part *part)
{
	struct sn_upload *upload = part->upload;
	uint8_t digest[DIGEST_SIZE];
	char text[2 * DIGEST_SIZE + 1];

	gnutls_hash_output(upload->hash->state, digest);
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	if (strcmp(text, upload->sha256) == 0)
		return 0;
	return sn_err_set(&part->err, -EBADMSG,
			  "the file has the SHA-256 %s, not the one that was announced (send it "
			  "again)",
			  text);
}

static int write_part(struct part *part, int fd)
{
	struct sn_upload *upload = part->upload;

	if (upload->hash == NULL && hash_begin(upload, &part->err) != 0)
		return part->err.code;
	if (hash_catch_up(upload, fd, &part->err) != 0 || write_bytes(part, fd) != 0)
		return part->err.code;
	return upload->offset + part->size == upload->bytes ? check_digest(part) : 0;
}

static void run_part(struct sn_work *work)
{
	struct part *part = sn_container_of(work, struct part, work);
	int fd = open(part->upload->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		sn_err_sys(&part->err, -errno, "cannot write '%s'", part->upload->path);
		return;
	}
	/* The name has to be on disk, too, before anybody is told. */
	if (write_part(part, fd) == 0 && part->upload->offset == 0)
		sn_fs_sync_dir(part->uploads->dir, &part->err);
	close(fd);
}

static void end_part(struct sn_work *work)
{
	struct part *part = sn_container_of(work, struct part, work);
	struct sn_upload *upload = part->upload;
	struct sn_uploads *uploads = part->uploads;

	upload->busy = false;
	if (part->err.code == 0 &&
	    sn_db_run(uploads->config.db, &part->err,
		      "UPDATE uploads SET offset = ?, touched = ? WHERE id = ?", "iit",
		      (int64_t)(upload->offset + part->size), part->now_ns, upload->id) >= 0) {
		upload->offset += part->size;
		upload->touched_ns = part->now_ns;
	}
	if (part->err.code != 0)
		hash_drop(upload);
	if (part->err.code == -EBADMSG) {
		drop_row(uploads, upload->id, NULL);
		forget(uploads, upload);
	}
	part->done(&part->err, part->ctx);
	free(part->bytes);
	free(part);
}

int sn_uploads_put(struct sn_uploads *uploads, struct sn_upload *upload, uint64_t offset,
		   struct sn_str bytes, int64_t now_ns, sn_upload_done_fn *done, void *ctx,
		   struct sn_err *err)
{
	struct part *part;

	if (upload->busy)
		return sn_err_set(err, -EBUSY, "a part of it is being written");
	if (offset != upload->offset)
		return sn_err_set(err, -ERANGE,
				  "%" PRIu64 " bytes of it are here, go on at that offset",
				  upload->offset);
	if (bytes.n > upload->bytes - offset)
		return sn_err_set(err, -EFBIG,
				  "more than the %" PRIu64 " bytes that were announced",
				  upload->bytes);
	part = sn_new(struct part);
	part->uploads = uploads;
	part->upload = upload;
	part->bytes = sn_xmemdup(bytes.p, bytes.n);
	part->size = bytes.n;
	part->now_ns = now_ns;
	part->done = done;
	part->ctx = ctx;
	if (sn_work_start(uploads->config.work, &part->work, run_part, end_part) != 0) {
		free(part->bytes);
		free(part);
		return sn_err_set(err, -EBUSY, "the hub has too much to do");
	}
	upload->busy = true;
	return 0;
}

/* Removing --------------------------------------------------------------------- */

int sn_uploads_remove(struct sn_uploads *uploads, struct sn_upload *upload, struct sn_err *err)
{
	if (upload->busy || upload->held)
		return sn_err_set(err, -EBUSY, "upload '%s' is in use", upload->id);
	if (drop_row(uploads, upload->id, err) != 0)
		return err->code;
	forget(uploads, upload);
	return 0;
}

void sn_uploads_tidy(struct sn_uploads *uploads, int64_t now_ns)
{
	struct sn_upload *old[64];
	struct sn_err err = {0};
	size_t cursor = 0, count = 0;
	const char *id;
	void *value;

	while (count < SN_COUNT(old) && sn_map_next(uploads->all, &cursor, &id, &value)) {
		struct sn_upload *upload = value;

		if (!upload->busy && !upload->held &&
		    now_ns - upload->touched_ns > (int64_t)SN_UPLOAD_LIFE_NS)
			old[count++] = upload;
	}
	for (size_t i = 0; i < count; i++) {
		sn_notice("an upload that nobody went on with is removed name=%s", old[i]->name);
		if (sn_uploads_remove(uploads, old[i], &err) != 0)
			SN_LOG_LIMITED(SN_LOG_WARNING, "cannot remove an upload: %s", err.text);
	}
}
