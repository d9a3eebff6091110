/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of files, and the file that keeps them: a line "digest size mtime inode path" each. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "transfer/tree_internal.h"

#define BLOCK     (256 * 1024)
#define LINE_MAX_ (SN_MATH_PATH_MAX + 160)

struct known {
	uint8_t digest[32];
	uint64_t size, inode;
	int64_t mtime_ns;
};

struct sn_math_digests {
	struct sn_map *map; /* struct known by path */
	FILE *file;
};

/* Computing ----------------------------------------------------------------------- */

static bool is_as_it_was(int fd, const struct sn_math_file *file)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint64_t)st.st_size == file->size &&
	       st.st_ino == file->inode &&
	       st.st_mtim.tv_sec * SN_NS_PER_S + st.st_mtim.tv_nsec == file->mtime_ns;
}

static int hash_all(int fd, gnutls_hash_hd_t hash, const atomic_bool *stop)
{
	sn_autofree char *block = sn_xmalloc(BLOCK);
	ssize_t got;

	while ((got = read(fd, block, BLOCK)) > 0) {
		gnutls_hash(hash, block, (size_t)got);
		if (atomic_load(stop))
			return -ECANCELED;
	}
	return got < 0 ? -errno : 0;
}

int sn_math_digest(int dir, struct sn_math_file *file, const atomic_bool *stop)
{
	sn_autoclose int fd = sn_math_open_beneath(dir, sn_str(file->path));
	gnutls_hash_hd_t hash;
	uint8_t digest[32];
	int rc;

	if (fd < 0)
		return fd;
	if (!is_as_it_was(fd, file))
		return -ESTALE;
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0)
		return -ENOMEM;
	rc = hash_all(fd, hash, stop);
	gnutls_hash_deinit(hash, digest);
	if (rc == 0 && !is_as_it_was(fd, file))
		rc = -ESTALE;
	if (rc == 0)
		memcpy(file->digest, digest, sizeof(digest));
	return rc;
}

/* Keeping --------------------------------------------------------------------------- */

static void read_line(struct sn_math_digests *digests, char *line)
{
	char hex[65];
	unsigned long long size, inode;
	long long mtime_ns;
	int path = -1;
	struct known *known;

	if (sscanf(line, "%64s %llu %lld %llu %n", hex, &size, &mtime_ns, &inode, &path) != 4 ||
	    path < 0 || strchr(line, '\n') == NULL)
		return;
	known = sn_new(struct known);
	if (sn_unhex(sn_str(hex), known->digest, sizeof(known->digest)) != 0 ||
	    sn_map_count(digests->map) >= SN_MATH_TREE_MAX) {
		free(known);
		return;
	}
	known->size = size;
	known->mtime_ns = mtime_ns;
	known->inode = inode;
	line[strcspn(line, "\n")] = '\0';
	sn_map_set(digests->map, line + path, known);
}

struct sn_math_digests *sn_math_digests_open(const char *path, struct sn_err *err)
{
	struct sn_math_digests *digests = sn_new(struct sn_math_digests);
	char line[LINE_MAX_];
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		sn_err_sys(err, -errno, "cannot use '%s'", path);
		free(digests);
		return NULL;
	}
	digests->file = fdopen(fd, "a+");
	digests->map = sn_map_create(free);
	rewind(digests->file);
	while (fgets(line, sizeof(line), digests->file) != NULL)
		read_line(digests, line);
	fseek(digests->file, 0, SEEK_END);
	/* What a kill left of a last line must not become the beginning of the next. */
	if (ftell(digests->file) > 0)
		fputc('\n', digests->file);
	return digests;
}

void sn_math_digests_close(struct sn_math_digests *digests)
{
	if (digests == NULL)
		return;
	fclose(digests->file);
	sn_map_destroy(digests->map);
	free(digests);
}

bool sn_math_digests_find(const struct sn_math_digests *digests, struct sn_math_file *file)
{
	const struct known *known;

	if (digests == NULL)
		return false;
	known = sn_map_get(digests->map, file->path);
	if (known == NULL || known->size != file->size || known->inode != file->inode ||
	    known->mtime_ns != file->mtime_ns)
		return false;
	memcpy(file->digest, known->digest, sizeof(known->digest));
	return true;
}

void sn_math_digests_add(struct sn_math_digests *digests, const struct sn_math_file *file)
{
	char hex[65];

	if (digests == NULL)
		return;
	fprintf(digests->file, "%s %llu %lld %llu %s\n", sn_hex(file->digest, 32, hex),
		(unsigned long long)file->size, (long long)file->mtime_ns,
		(unsigned long long)file->inode, file->path);
	fflush(digests->file);
}
