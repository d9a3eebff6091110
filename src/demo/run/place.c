/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/run/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "demo/demo.h"

#define LOCK_NAME ".sonde-demo" /* also the mark by which a directory is known as a demo's */

#define LOCK_TRIES   100
#define LOCK_WAIT_US 50000

/* What a demo makes below its directory; nothing else is ever removed. */
static const char *const entries[] = {"bin", "web",  "conf",    "run",     "log",
				      "hub", "node", "traffic", "run.json"};
static const char *const dirs[] = {"bin", "conf", "run", "log", "node", "traffic"};

/* The user ------------------------------------------------------------------- */

static bool sudo_ids(struct sn_demo_user *user)
{
	uint64_t uid, gid;

	if (sn_parse_u64(sn_str(getenv("SUDO_UID")), 1, UINT32_MAX - 1, &uid) != 0 ||
	    sn_parse_u64(sn_str(getenv("SUDO_GID")), 1, UINT32_MAX - 1, &gid) != 0)
		return false;
	user->uid = (uid_t)uid;
	user->gid = (gid_t)gid;
	return true;
}

int sn_demo_user_find(struct sn_demo_user *user, struct sn_err *err)
{
	struct passwd *entry;

	*user = (struct sn_demo_user){0};
	if (sudo_ids(user)) {
		entry = getpwuid(user->uid);
		snprintf(user->name, sizeof(user->name), "%s",
			 entry != NULL ? entry->pw_name : getenv("SUDO_UID"));
		return 0;
	}
	entry = getpwnam("nobody");
	if (entry == NULL || entry->pw_uid == 0 || entry->pw_gid == 0)
		return sn_err_set(err, -ENOENT,
				  "cannot find user 'nobody' to run as (use sudo from an ordinary "
				  "user)");
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
	return 0;
}

int sn_demo_user_enter(const struct sn_demo_user *user, struct sn_err *err)
{
	if (setgroups(0, NULL) != 0 || setegid(user->gid) != 0 || seteuid(user->uid) != 0)
		return sn_err_sys(err, -errno, "cannot act as user '%s'", user->name);
	return 0;
}

int sn_demo_user_leave(struct sn_err *err)
{
	if (seteuid(0) != 0 || setegid(0) != 0)
		return sn_err_sys(err, -errno, "cannot act as root again");
	return 0;
}

int sn_demo_user_become(const struct sn_demo_user *user, struct sn_err *err)
{
	if (setgroups(0, NULL) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0)
		return sn_err_sys(err, -errno, "cannot become user '%s'", user->name);
	if (setuid(0) == 0)
		return sn_err_set(err, -EPERM, "cannot give up root");
	return 0;
}

/* The directory ---------------------------------------------------------------- */

static unsigned count_entries(int dir_fd, bool *is_demo)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	unsigned count = 0;

	*is_demo = false;
	if (dir == NULL)
		return UINT_MAX;
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		*is_demo = *is_demo || strcmp(entry->d_name, LOCK_NAME) == 0;
		count++;
	}
	closedir(dir);
	return count;
}

/* The descriptor pins the directory: what is checked is what is given away. */
static int give_away(int fd, const struct sn_demo_place *place, const struct sn_demo_user *user,
		     struct sn_err *err)
{
	struct stat st;
	bool is_demo;

	if (fstat(fd, &st) != 0)
		return sn_err_sys(err, -errno, "cannot look at '%s'", place->dir);
	if (st.st_uid != 0 && st.st_uid != user->uid)
		return sn_err_set(err, -EPERM,
				  "cannot use '%s': it belongs to user %u (remove it, or choose "
				  "another with '--state')",
				  place->dir, (unsigned)st.st_uid);
	if (count_entries(fd, &is_demo) != 0 && !is_demo)
		return sn_err_set(err, -ENOTEMPTY,
				  "cannot use '%s': it is not empty and not a demo's (choose "
				  "another with '--state')",
				  place->dir);
	if (fchown(fd, user->uid, user->gid) != 0 || fchmod(fd, 0755) != 0)
		return sn_err_sys(err, -errno, "cannot give '%s' to user '%s'", place->dir,
				  user->name);
	return 0;
}

static char *make_absolute(const char *dir)
{
	char cwd[PATH_MAX];

	if (dir[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
		return sn_xstrdup(dir);
	return sn_fs_join(cwd, dir);
}

int sn_demo_place_open(struct sn_demo_place *place, const char *dir,
		       const struct sn_demo_user *user, struct sn_err *err)
{
	*place = (struct sn_demo_place){.dir = make_absolute(dir), .lock = -1};
	/* Sockets lie below; their names must fit into an address. */
	if (strlen(place->dir) > 80)
		return sn_err_set(err, -ENAMETOOLONG,
				  "cannot use '%s': longer than 80 characters (choose another with "
				  "'--state')",
				  place->dir);
	place->made = mkdir(place->dir, 0755) == 0;
	if (!place->made && errno != EEXIST)
		return sn_err_sys(err, -errno, "cannot make directory '%s'", place->dir);
	sn_autoclose int fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open directory '%s'", place->dir);
	return give_away(fd, place, user, err);
}

static void remove_entries(const struct sn_demo_place *place)
{
	for (size_t i = 0; i < SN_COUNT(entries); i++) {
		sn_autofree char *path = sn_demo_place_path(place, entries[i]);

		sn_fs_remove_tree(path, NULL);
	}
}

/* The process that wrote its number there; its root helper may hold the lock a little longer. */
static bool holder_lives(const char *lock)
{
	struct sn_buf text = {0};
	uint64_t pid = 0;
	bool lives;

	sn_fs_read(lock, 64, &text, NULL);
	lives = sn_parse_u64(sn_str_trim(sn_buf_str(&text)), 2, INT_MAX, &pid) == 0 &&
		(kill((pid_t)pid, 0) == 0 || errno == EPERM);
	sn_buf_finish(&text);
	return lives;
}

static int take_lock(const char *lock, struct sn_err *err)
{
	for (int i = 0;; i++) {
		int fd = sn_fs_lock(lock, err);

		if (fd != -EAGAIN || i == LOCK_TRIES || holder_lives(lock))
			return fd;
		usleep(LOCK_WAIT_US);
	}
}

int sn_demo_place_prepare(struct sn_demo_place *place, struct sn_err *err)
{
	sn_autofree char *lock = sn_demo_place_path(place, LOCK_NAME);
	int code = 0;

	if (eaccess(place->dir, W_OK | X_OK) != 0)
		return sn_err_sys(err, -errno,
				  "cannot use '%s' as an ordinary user (choose a directory that "
				  "everybody can reach, like one below /var/tmp)",
				  place->dir);
	place->lock = take_lock(lock, err);
	if (place->lock < 0) {
		code = place->lock;
		sn_err_wrap(err, "a demo runs in '%s' already", place->dir);
		place->lock = -1;
		return code;
	}
	remove_entries(place);
	for (size_t i = 0; i < SN_COUNT(dirs) && code == 0; i++) {
		sn_autofree char *path = sn_demo_place_path(place, dirs[i]);

		code = sn_fs_mkdirs(path, 0755, err);
	}
	return code;
}

void sn_demo_place_remove(struct sn_demo_place *place)
{
	sn_autofree char *lock = sn_demo_place_path(place, LOCK_NAME);
	bool is_demo;

	if (place->lock < 0)
		return;
	remove_entries(place);
	sn_autoclose int fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* The mark stays if somebody put something else here, so that the next demo is let in. */
	if (fd >= 0 && count_entries(fd, &is_demo) == 1)
		unlink(lock);
	/* After a crash it is not known who made it, but the default directory is always ours. */
	if (place->made || strcmp(place->dir, SN_DEMO_STATE_DIR) == 0)
		rmdir(place->dir);
}

void sn_demo_place_finish(struct sn_demo_place *place)
{
	if (place->lock >= 0)
		close(place->lock);
	free(place->dir);
	*place = (struct sn_demo_place){.lock = -1};
}

char *sn_demo_place_path(const struct sn_demo_place *place, const char *name)
{
	return sn_fs_join(place->dir, name);
}

/* FNV-1a: the same directory must give the same prefix after a crash, so no random key. */
static uint32_t hash_path(const char *path)
{
	uint32_t hash = 2166136261U;

	for (; *path != '\0'; path++)
		hash = (hash ^ (unsigned char)*path) * 16777619U;
	return hash;
}

char *sn_demo_place_prefix(const struct sn_demo_place *place, char out[SN_DEMO_PREFIX_MAX])
{
	sn_autofree char *real = realpath(place->dir, NULL);
	const char *path = real != NULL ? real : place->dir;

	if (strcmp(path, SN_DEMO_STATE_DIR) == 0)
		snprintf(out, SN_DEMO_PREFIX_MAX, "sonde-demo-");
	else
		snprintf(out, SN_DEMO_PREFIX_MAX, "sonde-%06x-", hash_path(path) & 0xffffff);
	return out;
}
