/* SPDX-License-Identifier: Apache-2.0 */
#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/follow.h"

struct restore {
	const struct sn_restore_options *options;
	struct sn_backup_watch *watch;
	struct sn_backup_sum *sum;
	struct sn_manifest manifest;
	char *state, *making; /* without a slash at the end; where it is made */
	int lock;
};

/* Verifying ----------------------------------------------------------------------------- */

static int verify_entry(const struct restore *restore, const struct sn_backup_entry *entry,
			struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(restore->options->directory, entry->place);
	char sha256[65];
	uint64_t bytes;

	if (sn_backup_digest(path, restore->watch, &bytes, sha256, err) != 0)
		return sn_err_wrap(err, "the backup is not whole");
	if (bytes != entry->bytes || strcmp(sha256, entry->sha256) != 0)
		return sn_err_set(err, -EUCLEAN,
				  "the backup is damaged: '%s' is not what its manifest says (use "
				  "another one)",
				  path);
	return 0;
}

static int verify_all(struct restore *restore, struct sn_err *err)
{
	const struct sn_manifest *manifest = &restore->manifest;
	uint64_t total = 0;

	for (size_t i = 0; i < manifest->count; i++)
		total += manifest->entries[i].bytes;
	atomic_store(&restore->watch->total, restore->options->dry_run ? total : 2 * total);
	restore->sum->files = manifest->count;
	restore->sum->bytes = total;
	for (size_t i = 0; i < manifest->count; i++)
		if (verify_entry(restore, &manifest->entries[i], err) != 0)
			return err->code;
	return 0;
}

/* The state that is there ----------------------------------------------------------------- */

/* What a hub leaves when it ends is nothing that could be lost. */
static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			 strcmp(entry->d_name, "lock") == 0;
	if (dir != NULL)
		closedir(dir);
	return empty;
}

static int check_state(struct restore *restore, struct sn_err *err)
{
	sn_autofree char *lock = sn_fs_join(restore->state, "lock");
	struct stat st;

	if (lstat(restore->state, &st) != 0)
		return errno == ENOENT ? 0
				       : sn_err_sys(err, -errno, "cannot use '%s'", restore->state);
	if (!S_ISDIR(st.st_mode))
		return sn_err_set(err, -ENOTDIR, "'%s' is no directory", restore->state);
	if (sn_fs_exists(lock)) {
		restore->lock = sn_fs_lock(lock, err);
		if (restore->lock < 0)
			return sn_err_wrap(err, "cannot restore to '%s': a hub is running on it",
					   restore->state);
	}
	if (!is_empty(restore->state) && !restore->options->force)
		return sn_err_set(err, -ENOTEMPTY,
				  "cannot restore to '%s': it holds a state (--force moves that "
				  "aside)",
				  restore->state);
	return 0;
}

/* Making ------------------------------------------------------------------------------------ */

/*
 * Numbers of rows and ids of blocks that the original gave after the backup are not given again,
 * as they stand for other rows elsewhere; and what is here need not be fetched from the original.
 */
static const char renew[] = SN_REPLICA_TABLE
	"INSERT OR REPLACE INTO _replica"
	" SELECT f.value, n.dataset, n.version, n.next FROM _number AS n, _file AS f"
	" WHERE f.key = 'epoch';"
	"UPDATE _number SET next = next + (1 << 36);"
	"UPDATE sqlite_sequence SET seq = seq + (1 << 26) WHERE name = '_block';"
	"INSERT OR REPLACE INTO _file VALUES('restored', CAST(strftime('%s', 'now') AS INTEGER));";

/* Files of release 0.1.0 have no blocks; they get them when a hub opens them. */
static int has_blocks(struct sn_db *db, struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(db, err, "SELECT 1 FROM sqlite_schema WHERE name = '_file'", "");
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	sn_db_done(statement);
	return rc;
}

static int renew_day(const char *path, struct sn_err *err)
{
	struct sn_db *db = NULL;
	int rc = sn_db_open_reader(path, &db, err);

	if (rc == 0)
		rc = sn_db_exec(db, "PRAGMA query_only = OFF", err);
	if (rc == 0)
		rc = has_blocks(db, err);
	if (rc == 1) {
		rc = sn_db_begin(db, err);
		if (rc == 0)
			rc = sn_db_exec(db, renew, err);
		if (rc == 0)
			rc = sn_db_commit(db, err);
	}
	sn_db_close(db);
	return SN_MIN(rc, 0);
}

static int make_parent(const char *path, struct sn_err *err)
{
	sn_autofree char *parent = sn_xstrdup(path);

	*strrchr(parent, '/') = '\0';
	return sn_fs_mkdirs(parent, 0700, err);
}

static int restore_entry(struct restore *restore, const struct sn_backup_entry *entry,
			 struct sn_err *err)
{
	bool policy = entry->kind == SN_BACKUP_POLICY;
	sn_autofree char *from = sn_fs_join(restore->options->directory, entry->place);
	sn_autofree char *to =
		sn_fs_join(restore->making, policy ? "policy.restored" : entry->path);
	struct sn_backup_entry copy = {0};

	if (make_parent(to, err) != 0 ||
	    sn_backup_copy(from, to, entry->mode, restore->watch, &copy, err) != 0)
		return err->code;
	if (strcmp(copy.sha256, entry->sha256) != 0)
		return sn_err_set(err, -EUCLEAN, "'%s' changed while it was read", from);
	restore->sum->copied++;
	restore->sum->copied_bytes += copy.bytes;
	return entry->kind == SN_BACKUP_DAY ? renew_day(to, err) : 0;
}

/* The new state belongs to whom the former one belonged. */
static int give_tree(const char *path, const struct stat *owner, struct sn_err *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	struct stat st;
	int failed = 0;

	if (dir == NULL)
		return sn_err_sys(err, -errno, "cannot read '%s'", path);
	while (failed == 0 && (entry = readdir(dir)) != NULL) {
		sn_autofree char *inner = sn_fs_join(path, entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (lstat(inner, &st) != 0 || lchown(inner, owner->st_uid, owner->st_gid) != 0)
			failed = sn_err_sys(err, -errno, "cannot give '%s' to its owner", inner);
		else if (S_ISDIR(st.st_mode))
			failed = give_tree(inner, owner, err);
	}
	closedir(dir);
	if (failed == 0 && chown(path, owner->st_uid, owner->st_gid) != 0)
		failed = sn_err_sys(err, -errno, "cannot give '%s' to its owner", path);
	return failed;
}

static int sync_tree(const struct restore *restore, struct sn_err *err)
{
	int rc = sn_fs_sync_dir(restore->making, err);

	for (size_t i = 0; rc == 0 && i < restore->manifest.count; i++) {
		sn_autofree char *path =
			sn_fs_join(restore->making, restore->manifest.entries[i].path);

		*strrchr(path, '/') = '\0';
		rc = sn_fs_sync_dir(path, err);
	}
	return rc;
}

static int make_all(struct restore *restore, struct sn_err *err)
{
	struct stat owner;
	int rc;

	/* What an interrupted restore has left. */
	rc = sn_fs_remove_tree(restore->making, err);
	if (rc == 0)
		rc = sn_fs_mkdirs(restore->making, 0700, err);
	for (size_t i = 0; rc == 0 && i < restore->manifest.count; i++)
		rc = restore_entry(restore, &restore->manifest.entries[i], err);
	if (rc == 0)
		rc = sync_tree(restore, err);
	if (rc == 0 && geteuid() == 0 && stat(restore->state, &owner) == 0)
		rc = give_tree(restore->making, &owner, err);
	return rc;
}

/* In its place ------------------------------------------------------------------------------- */

static int move_aside(const struct restore *restore, char **aside, struct sn_err *err)
{
	char now[SN_TIME_TEXT_MAX];
	sn_autofree char *path = NULL;

	sn_format_time(sn_wall_ns(), now, sizeof(now));
	now[19] = '\0';
	path = sn_xasprintf("%s.before-%s", restore->state, now);
	if (rename(restore->state, path) != 0)
		return sn_err_sys(err, -errno, "cannot move '%s' aside", restore->state);
	if (aside != NULL)
		*aside = sn_steal(&path);
	return 0;
}

static int put_in_place(const struct restore *restore, char **aside, struct sn_err *err)
{
	sn_autofree char *parent = sn_xstrdup(restore->state);
	sn_autofree char *lock = sn_fs_join(restore->state, "lock");
	char *slash = strrchr(parent, '/');

	if (sn_fs_exists(restore->state) && is_empty(restore->state))
		unlink(lock);
	else if (sn_fs_exists(restore->state) && move_aside(restore, aside, err) != 0)
		return err->code;
	if (rename(restore->making, restore->state) != 0)
		return sn_err_sys(err, -errno, "cannot rename '%s' to '%s'", restore->making,
				  restore->state);
	if (slash == NULL)
		return sn_fs_sync_dir(".", err);
	slash[slash == parent] = '\0';
	return sn_fs_sync_dir(parent, err);
}

int sn_restore(const struct sn_restore_options *options, struct sn_backup_watch *watch,
	       struct sn_backup_sum *sum, char **aside, struct sn_err *err)
{
	struct restore restore = {.options = options, .watch = watch, .sum = sum, .lock = -1};
	size_t n = strlen(options->state);
	int rc;

	*sum = (struct sn_backup_sum){0};
	if (aside != NULL)
		*aside = NULL;
	while (n > 1 && options->state[n - 1] == '/')
		n--;
	restore.state = sn_xasprintf("%.*s", (int)n, options->state);
	restore.making = sn_xasprintf("%s.restoring", restore.state);
	rc = sn_manifest_read(options->directory, &restore.manifest, err);
	if (rc == -ENOENT)
		rc = sn_err_set(err, rc,
				"'%s' is no backup, or one that was not finished (run the backup "
				"again)",
				options->directory);
	if (rc == 0)
		rc = check_state(&restore, err);
	if (rc == 0)
		rc = verify_all(&restore, err);
	if (rc == 0 && !options->dry_run)
		rc = make_all(&restore, err);
	if (rc == 0 && !options->dry_run)
		rc = put_in_place(&restore, aside, err);
	if (restore.lock >= 0)
		close(restore.lock);
	sn_manifest_finish(&restore.manifest);
	free(restore.state);
	free(restore.making);
	return rc;
}
