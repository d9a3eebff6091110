/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/import_digest.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "exchange/importer.h"

#define PIECE_BYTES (256 * 1024)
#define DIGEST_SIZE 32

void sn_import_digest_of(struct sn_str text, uint8_t digest[32])
{
	/* Fails only for an algorithm that is not there. */
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text.p, text.n, digest) != 0)
		memset(digest, 0, DIGEST_SIZE);
}

static struct sn_file_state state_of(const struct stat *st)
{
	return (struct sn_file_state){
		.device = st->st_dev,
		.inode = st->st_ino,
		.bytes = (uint64_t)st->st_size,
		.changed_ns =
			(int64_t)st->st_mtim.tv_sec * (int64_t)SN_NS_PER_S + st->st_mtim.tv_nsec,
	};
}

int sn_file_state(const char *path, struct sn_file_state *state, struct sn_err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return sn_err_sys(err, -errno, "cannot import '%s'", path);
	if (!S_ISREG(st.st_mode))
		return sn_err_set(err, -EINVAL, "cannot import '%s': it is no file", path);
	*state = state_of(&st);
	return 0;
}

bool sn_file_state_equal(const struct sn_file_state *a, const struct sn_file_state *b)
{
	return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
	       a->changed_ns == b->changed_ns;
}

int sn_file_changed(const char *path, struct sn_err *err)
{
	return sn_err_set(err, -EAGAIN,
			  "cannot import '%s': it is still being written (import it when it is "
			  "finished)",
			  path);
}

/*
 * The kernel gives a lease for reading only if nobody has the file open for writing: what Tstat
 * is about to go on with is found before a row of it is stored.  Where there are no leases (other
 * people's files, some file systems) the size and the time of change have to do.
 */
static bool is_being_written(int fd)
{
	/* The lease lasts for microseconds; who opens the file just then must not end us. */
	if (fcntl(fd, F_SETSIG, SIGURG) != 0)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0)
		return errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

static int hash_pieces(int fd, gnutls_hash_hd_t hash, const char *path,
		       const struct sn_import_options *options, struct sn_import_report *report,
		       struct sn_err *err)
{
	sn_autofree char *piece = sn_xmalloc(PIECE_BYTES);
	ssize_t got;

	/* One that grows faster than it is read has no end. */
	while (report->taken <= report->bytes && (got = read(fd, piece, PIECE_BYTES)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return sn_err_sys(err, -errno, "cannot read '%s'", path);
		gnutls_hash(hash, piece, (size_t)got);
		report->taken += (uint64_t)got;
		if (options->progress != NULL && options->progress(report, options->ctx) != 0)
			return sn_err_set(err, -ECANCELED, "the import of '%s' was stopped", path);
	}
	return 0;
}

static int hash_file(int fd, const char *path, const struct sn_import_options *options,
		     struct sn_import_report *report, struct sn_err *err)
{
	uint8_t digest[DIGEST_SIZE];
	struct stat before, after;
	struct sn_file_state a, b;
	gnutls_hash_hd_t hash;
	int rc;

	if (fstat(fd, &before) != 0)
		return sn_err_sys(err, -errno, "cannot read '%s'", path);
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0)
		return sn_err_set(err, -ENOMEM, "cannot read '%s': no SHA-256", path);
	report->bytes = (uint64_t)before.st_size;
	rc = hash_pieces(fd, hash, path, options, report, err);
	gnutls_hash_deinit(hash, digest);
	if (rc != 0)
		return rc;
	a = state_of(&before);
	b = fstat(fd, &after) == 0 ? state_of(&after) : (struct sn_file_state){0};
	if (!sn_file_state_equal(&a, &b) || report->taken != a.bytes)
		return sn_file_changed(path, err);
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		snprintf(report->digest + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int sn_import_digest(const char *path, const struct sn_import_options *options,
		     struct sn_import_report *report, struct sn_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open '%s'", path);
	report->phase = SN_IMPORT_DIGEST;
	report->taken = 0;
	rc = is_being_written(fd) ? sn_file_changed(path, err)
				  : hash_file(fd, path, options, report, err);
	close(fd);
	return rc;
}
