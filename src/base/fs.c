/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define READ_STEP      65536
#define PID_TEXT_MAX   32
#define LOCK_LOOK_MS   10
#define LOCK_LIVING_MS 100
#define LOCK_DEAD_MS   2000

static int read_all(int fd, size_t max, struct sn_buf *out)
{
	size_t start = out->n;

	for (;;) {
		/* One byte more than allowed is asked for, so that "too large" is seen. */
		size_t want = SN_MIN((size_t)READ_STEP, max - (out->n - start) + 1);
		ssize_t got;

		sn_buf_reserve(out, want);
		got = read(fd, out->p + out->n, want);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		out->n += (size_t)got;
		if (out->n - start > max)
			return -EFBIG;
	}
}

int sn_fs_read(const char *path, size_t max, struct sn_buf *out, struct sn_err *err)
{
	sn_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t start = out->n;
	int error;

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open '%s'", path);

	error = read_all(fd, max, out);
	if (error == 0)
		return 0;

	out->n = start;
	if (error == -EFBIG)
		return sn_err_set(err, error, "cannot read '%s': larger than %zu bytes", path, max);
	return sn_err_sys(err, error, "cannot read '%s'", path);
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t done = write(fd, p, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		size -= (size_t)done;
	}
	return 0;
}

static int write_synced(const char *path, const void *data, size_t size, mode_t mode)
{
	int fd, error;

	/* What a crash left behind may have other rights or an owner of its own. */
	if (unlink(path) != 0 && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;

	error = write_all(fd, data, size);
	if (error == 0 && fchmod(fd, mode) != 0)
		error = -errno;
	if (error == 0 && fsync(fd) != 0)
		error = -errno;
	if (close(fd) != 0 && error == 0)
		error = -errno;
	if (error != 0)
		unlink(path);
	return error;
}

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return sn_xstrdup(".");
	return slash == path ? sn_xstrdup("/") : sn_xstrndup(path, (size_t)(slash - path));
}

int sn_fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode,
		       struct sn_err *err)
{
	sn_autofree char *temporary = sn_xasprintf("%s.tmp", path);
	sn_autofree char *dir = dir_of(path);
	int error = write_synced(temporary, data, size, mode);

	if (error != 0)
		return sn_err_sys(err, error, "cannot write '%s'", path);
	if (rename(temporary, path) != 0) {
		error = -errno;
		unlink(temporary);
		return sn_err_sys(err, error, "cannot write '%s'", path);
	}
	return sn_fs_sync_dir(dir, err);
}

int sn_fs_mkdirs(const char *path, mode_t mode, struct sn_err *err)
{
	sn_autofree char *copy = sn_xstrdup(path);
	struct stat st;

	for (char *p = copy + 1; *copy != '\0'; p++) {
		char end = *p;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) != 0 && errno != EEXIST)
			return sn_err_sys(err, -errno, "cannot make directory '%s'", copy);
		*p = end;
		if (end == '\0')
			break;
	}
	if (stat(path, &st) != 0)
		return sn_err_sys(err, -errno, "cannot make directory '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return sn_err_sys(err, -ENOTDIR, "cannot make directory '%s'", path);
	return 0;
}

static int remove_at(int dir_fd, const char *name);

static int remove_entries(int fd)
{
	DIR *dir = fdopendir(fd);
	int error = 0;
	struct dirent *entry;

	if (dir == NULL) {
		error = -errno;
		close(fd);
		return error;
	}
	while (error == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			error = remove_at(dirfd(dir), entry->d_name);
	}
	closedir(dir);
	return error;
}

static int remove_at(int dir_fd, const char *name)
{
	int fd, error;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;

	/* O_NOFOLLOW: a link that takes the directory's place meanwhile leads nowhere. */
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = remove_entries(fd);
	if (error == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		error = -errno;
	return error;
}

int sn_fs_remove_tree(const char *path, struct sn_err *err)
{
	int error = remove_at(AT_FDCWD, path);

	return error == 0 ? 0 : sn_err_sys(err, error, "cannot remove '%s'", path);
}

bool sn_fs_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int sn_fs_sync_dir(const char *path, struct sn_err *err)
{
	sn_autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return sn_err_sys(err, -errno, "cannot sync directory '%s'", path);
	return 0;
}

int64_t sn_fs_free_bytes(const char *path)
{
	struct statvfs st;

	if (statvfs(path, &st) != 0)
		return -errno;
	return (int64_t)(st.f_bavail * st.f_frsize);
}

char *sn_fs_join(const char *dir, const char *name)
{
	size_t n = strlen(dir);

	return sn_xasprintf("%s%s%s", dir, n > 0 && dir[n - 1] == '/' ? "" : "/", name);
}

char *sn_fs_self_dir(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return sn_xstrdup(".");
	path[n] = '\0';
	return dir_of(path);
}

/* What the file says of who holds it, as text without the end of the line. */
static void read_holder(int fd, char pid[PID_TEXT_MAX])
{
	ssize_t n = pread(fd, pid, PID_TEXT_MAX - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
}

/* Another user's process cannot be signalled, but is there. */
static bool holder_lives(int fd)
{
	char text[PID_TEXT_MAX];
	uint64_t pid;

	read_holder(fd, text);
	return sn_parse_u64(sn_str(text), 1, INT32_MAX, &pid) == 0 &&
	       (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static int lock_refused(int fd, const char *path, struct sn_err *err)
{
	char pid[PID_TEXT_MAX];

	read_holder(fd, pid);
	return sn_err_set(err, -EAGAIN, "cannot lock '%s': held by process %s (stop it first)",
			  path, pid[0] == '\0' ? "unknown" : pid);
}

/*
 * A process that was killed holds its files until the kernel has taken it apart, and who only
 * looks whether there is a holder has a shared lock for a moment.
 */
static int lock_soon(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_LOOK_MS * SN_NS_PER_MS};

	for (unsigned waited = 0;; waited += LOCK_LOOK_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (waited >= (holder_lives(fd) ? LOCK_LIVING_MS : LOCK_DEAD_MS))
			return -EAGAIN;
		nanosleep(&pause, NULL);
	}
}

int sn_fs_lock(const char *path, struct sn_err *err)
{
	sn_autoclose int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char pid[PID_TEXT_MAX];
	int n, error;

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open '%s'", path);
	error = lock_soon(fd);
	if (error == -EAGAIN)
		return lock_refused(fd, path, err);
	if (error != 0)
		return sn_err_sys(err, error, "cannot lock '%s'", path);

	/* The pid is for people only: the lock holds even if it cannot be written. */
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)n, 0) < n)
		n = 0;
	return sn_steal_fd(&fd);
}
