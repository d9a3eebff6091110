/* SPDX-License-Identifier: Apache-2.0 */
#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/sqlite.h"

#define FRESH_NS    (10 * SN_NS_PER_S)
#define DEPTH_MAX   8
#define PAGES       256 /* of a database, between two looks at `stop` */
#define JOURNAL     "run.jsonl"
#define JOURNAL_MAX SN_BACKUP_MANIFEST_MAX

struct source {     /* a file of the state */
	char *path; /* in the state */
	char *from; /* whole */
	enum sn_backup_kind kind;
	bool database;
	mode_t mode;
	uint64_t bytes;
	char stamp[64];
};

struct run {
	const struct sn_backup_options *options;
	struct sn_backup_watch *watch;
	struct sn_backup_sum *sum;
	struct source *sources;
	size_t count, room;
	struct sn_manifest before, now;
	char *journal;
	FILE *notes; /* the journal, open */
};

/* What belongs to a state ---------------------------------------------------------------- */

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* Journals go with their database, the rest is of the process that runs or of a moment. */
static bool is_passing(const char *path)
{
	static const char *const names[] = {"lock", "hub.json"};
	static const char *const suffixes[] = {"-wal", "-shm", "-journal", ".tmp"};

	for (size_t i = 0; i < SN_COUNT(names); i++)
		if (strcmp(path, names[i]) == 0)
			return true;
	for (size_t i = 0; i < SN_COUNT(suffixes); i++)
		if (has_suffix(path, suffixes[i]))
			return true;
	/* A damaged day is not made whole by a second copy of it. */
	return strncmp(path, "store/", 6) == 0 && strstr(path, ".db.corrupt") != NULL;
}

/*
 * By its name: a look into the file would take a descriptor of it, and with any descriptor that is
 * closed this process loses the locks of its connections to the file.
 */
static bool is_database(const char *path)
{
	return has_suffix(path, ".db") || has_suffix(path, ".sqlite");
}

static uint64_t changed_ns(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * SN_NS_PER_S + (uint64_t)st->st_mtim.tv_nsec;
}

/*
 * Tells one state of a file from the next; of a database with its journal.  What has changed lately
 * gets a stamp that no later one is equal to: it may be changing, and of a database the last commit
 * is in the journal before it is seen.
 */
static void make_stamp(struct source *source, const struct stat *st)
{
	sn_autofree char *journal = sn_xasprintf("%s-wal", source->from);
	int64_t now_ns = sn_wall_ns();
	struct stat wal = {0};
	uint64_t changed;

	if (source->database && stat(journal, &wal) != 0)
		wal = (struct stat){0};
	/* An empty journal says nothing, and is made by whoever only reads. */
	if (wal.st_size == 0)
		wal = (struct stat){0};
	changed = SN_MAX(changed_ns(st), changed_ns(&wal));
	if (changed + FRESH_NS > (uint64_t)now_ns) {
		snprintf(source->stamp, sizeof(source->stamp), "fresh.%" PRIx64, (uint64_t)now_ns);
		return;
	}
	snprintf(source->stamp, sizeof(source->stamp),
		 "%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%" PRIx64, (uint64_t)st->st_size,
		 changed_ns(st), (uint64_t)wal.st_size, changed_ns(&wal));
}

static enum sn_backup_kind kind_of(const char *path, bool database)
{
	int32_t day;

	if (database && strncmp(path, "store/", 6) == 0 && has_suffix(path, ".db") &&
	    sn_day_parse((struct sn_str){path + 6, strlen(path) - 9}, &day) == 0)
		return SN_BACKUP_DAY;
	return strcmp(path, "control.sqlite") == 0 ? SN_BACKUP_CONTROL : SN_BACKUP_FILE;
}

static void add_source(struct run *run, const char *path, const char *from, const struct stat *st)
{
	struct source *source;

	if (run->count == run->room) {
		run->room = run->room > 0 ? 2 * run->room : 64;
		run->sources = sn_xrealloc(run->sources, run->room, sizeof(*run->sources));
	}
	source = &run->sources[run->count++];
	*source = (struct source){
		.path = sn_xstrdup(path),
		.from = sn_xstrdup(from),
		.database = is_database(from),
		.mode = st->st_mode & 0777,
		.bytes = (uint64_t)st->st_size,
	};
	source->kind = kind_of(path, source->database);
	make_stamp(source, st);
}

static int gather(struct run *run, const char *below, unsigned depth, struct sn_err *err);

static int gather_one(struct run *run, const char *below, const char *name, unsigned depth,
		      struct sn_err *err)
{
	sn_autofree char *path = below[0] != '\0' ? sn_fs_join(below, name) : sn_xstrdup(name);
	sn_autofree char *from = sn_fs_join(run->options->state, path);
	struct stat st;

	if (is_passing(path))
		return 0;
	if (strlen(path) > SN_BACKUP_PATH_MAX)
		return sn_err_set(err, -ENAMETOOLONG, "cannot back up '%s': too long a path", from);
	/* Gone meanwhile, like a day that was dropped. */
	if (lstat(from, &st) != 0)
		return errno == ENOENT ? 0 : sn_err_sys(err, -errno, "cannot look at '%s'", from);
	if (S_ISDIR(st.st_mode))
		return gather(run, path, depth + 1, err);
	if (!S_ISREG(st.st_mode))
		return 0;
	if (run->count >= SN_BACKUP_FILES_MAX)
		return sn_err_set(err, -E2BIG, "the state has more than %d files",
				  SN_BACKUP_FILES_MAX);
	add_source(run, path, from, &st);
	return 0;
}

static int gather(struct run *run, const char *below, unsigned depth, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(run->options->state, below);
	struct dirent *entry;
	DIR *dir;
	int failed = 0;

	if (depth > DEPTH_MAX)
		return sn_err_set(err, -ELOOP, "cannot back up '%s': too deep", path);
	dir = opendir(path);
	if (dir == NULL)
		return sn_err_sys(err, -errno, "cannot read '%s'", path);
	while (failed == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			failed = gather_one(run, below, entry->d_name, depth, err);
	closedir(dir);
	return failed;
}

/*
 * First what rows come from (quarantine, the list of imported files): what is still there and
 * stored meanwhile is known by the day's ledger, the other way round it would be missing.  Then
 * days, then files, and last the control database, which knows what the others refer to.
 */
static int turn_of(const struct source *source)
{
	if (source->kind == SN_BACKUP_CONTROL)
		return 3;
	if (source->kind == SN_BACKUP_DAY)
		return 1;
	return source->database ? 0 : 2;
}

static int by_turn(const void *a, const void *b)
{
	const struct source *left = a, *right = b;
	int order = turn_of(left) - turn_of(right);

	return order != 0 ? order : strcmp(left->path, right->path);
}

static int gather_all(struct run *run, struct sn_err *err)
{
	const char *policy = run->options->policy;
	uint64_t total = 0;
	struct stat st;

	if (gather(run, "", 0, err) != 0)
		return err->code;
	if (policy != NULL && stat(policy, &st) == 0 && S_ISREG(st.st_mode)) {
		add_source(run, "policy", policy, &st);
		run->sources[run->count - 1].kind = SN_BACKUP_POLICY;
	}
	if (run->count == 0)
		return sn_err_set(err, -ENOENT, "'%s' has nothing to back up", run->options->state);
	qsort(run->sources, run->count, sizeof(*run->sources), by_turn);
	for (size_t i = 0; i < run->count; i++)
		total += run->sources[i].bytes;
	atomic_store(&run->watch->total, total);
	return 0;
}

/* Copying --------------------------------------------------------------------------------- */

static int copy_pages(sqlite3_backup *backup, struct sn_backup_watch *watch, struct sn_err *err)
{
	int code;

	do {
		code = sqlite3_backup_step(backup, PAGES);
		if (atomic_load(&watch->stop))
			return sn_err_set(err, -ECANCELED, "it was ended");
	} while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED);
	return code == SQLITE_DONE ? 0 : -EIO;
}

/* In a read transaction: whoever writes meanwhile does not make the copy begin again. */
static int copy_snapshot(struct sn_db *db, sqlite3 *target, struct sn_backup_watch *watch,
			 struct sn_err *err)
{
	sqlite3_backup *backup;
	int rc = sn_db_exec(db, "BEGIN; SELECT count(*) FROM sqlite_schema", err);

	if (rc != 0)
		return rc;
	backup = sqlite3_backup_init(target, "main", sn_db_handle(db), "main");
	rc = backup != NULL ? copy_pages(backup, watch, err) : -EIO;
	sqlite3_backup_finish(backup);
	if (rc == -EIO)
		rc = sn_err_set(err, sqlite3_errcode(target) == SQLITE_FULL ? -ENOSPC : -EIO,
				"cannot copy a database: %s", sqlite3_errmsg(target));
	sn_db_rollback(db);
	return rc;
}

static int copy_database(const char *from, const char *to, struct sn_backup_watch *watch,
			 struct sn_err *err)
{
	sn_autoclose int fd = -1;
	sqlite3 *target = NULL;
	struct sn_db *db = NULL;
	int rc;

	unlink(to);
	fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot create '%s'", to);
	rc = sn_db_open_reader(from, &db, err);
	if (rc != 0)
		return rc;
	if (sqlite3_open_v2(to, &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		    SQLITE_OK ||
	    sqlite3_exec(target, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL,
			 NULL) != SQLITE_OK)
		rc = sn_err_set(err, -EIO, "cannot write '%s'", to);
	if (rc == 0)
		rc = copy_snapshot(db, target, watch, err);
	sqlite3_close(target);
	sn_db_close(db);
	if (rc == 0 && fsync(fd) != 0)
		rc = sn_err_sys(err, -errno, "cannot write '%s'", to);
	return rc;
}

static int make_parent(const char *path, struct sn_err *err)
{
	sn_autofree char *parent = sn_xstrdup(path);

	*strrchr(parent, '/') = '\0';
	return sn_fs_mkdirs(parent, 0700, err);
}

static int sync_parents(const struct run *run, const char *place, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(run->options->directory, place);

	for (char *slash = strrchr(path, '/');
	     slash != NULL && strlen(path) > strlen(run->options->directory);
	     slash = strrchr(path, '/')) {
		*slash = '\0';
		if (sn_fs_sync_dir(path, err) != 0)
			return err->code;
	}
	return 0;
}

/* The copy is there before the note of it. */
static int note_copy(struct run *run, const struct sn_backup_entry *entry, struct sn_err *err)
{
	struct sn_backup_entry *added = sn_manifest_add(&run->now, entry);
	sn_autojson json_t *line = sn_backup_entry_json(added);
	sn_autofree char *text = json_dumps(line, JSON_COMPACT);

	if (text == NULL)
		return sn_err_set(err, -EINVAL, "a path is not UTF-8");
	if (sync_parents(run, added->place, err) != 0)
		return err->code;
	if (fprintf(run->notes, "%s\n", text) < 0 || fflush(run->notes) != 0)
		return sn_err_sys(err, -errno, "cannot write '%s'", run->journal);
	return 0;
}

static int copy_source(struct run *run, const struct source *source, struct sn_err *err)
{
	sn_autofree char *place = sn_xasprintf("data/%" PRIu64 "/%s", run->now.run, source->path);
	sn_autofree char *to = sn_fs_join(run->options->directory, place);
	uint64_t done = atomic_load(&run->watch->done);
	struct sn_backup_entry entry = {.path = source->path, .place = place, .kind = source->kind};
	int rc = make_parent(to, err);

	snprintf(entry.stamp, sizeof(entry.stamp), "%s", source->stamp);
	entry.mode = 0600;
	if (rc == 0 && source->database) {
		rc = copy_database(source->from, to, run->watch, err);
		if (rc == 0)
			rc = sn_backup_digest(to, run->watch, &entry.bytes, entry.sha256, err);
	} else if (rc == 0) {
		rc = sn_backup_copy(source->from, to, source->mode, run->watch, &entry, err);
	}
	atomic_store(&run->watch->done, done + source->bytes);
	/* A day that was dropped since it was listed is not missing. */
	if (rc != 0 && access(source->from, F_OK) != 0) {
		*err = (struct sn_err){0};
		unlink(to);
		return 0;
	}
	if (rc == 0)
		rc = note_copy(run, &entry, err);
	if (rc == 0) {
		run->sum->copied++;
		run->sum->copied_bytes += entry.bytes;
	}
	return rc;
}

/* What an earlier run, or this one before it was interrupted, has copied. */
static const struct sn_backup_entry *find_copy(const struct run *run, const struct source *source)
{
	const struct sn_backup_entry *entry = sn_manifest_find(&run->before, source->path);
	sn_autofree char *path = NULL;
	struct stat st;

	if (run->options->full || entry == NULL || strcmp(entry->stamp, source->stamp) != 0)
		return NULL;
	path = sn_fs_join(run->options->directory, entry->place);
	return stat(path, &st) == 0 && (uint64_t)st.st_size == entry->bytes ? entry : NULL;
}

static int copy_all(struct run *run, struct sn_err *err)
{
	int failed = 0;

	for (size_t i = 0; failed == 0 && i < run->count; i++) {
		const struct sn_backup_entry *kept = find_copy(run, &run->sources[i]);

		if (atomic_load(&run->watch->stop))
			return sn_err_set(err, -ECANCELED, "it was ended");
		if (kept != NULL) {
			sn_manifest_add(&run->now, kept);
			atomic_fetch_add(&run->watch->done, run->sources[i].bytes);
		} else {
			failed = copy_source(run, &run->sources[i], err);
		}
	}
	return failed;
}

/* The directory ------------------------------------------------------------------------------ */

static int check_apart(const struct sn_backup_options *options, struct sn_err *err)
{
	sn_autofree char *state = realpath(options->state, NULL);
	sn_autofree char *directory = realpath(options->directory, NULL);
	size_t n, m;

	if (state == NULL)
		return sn_err_sys(err, -errno, "cannot read '%s'", options->state);
	if (directory == NULL)
		return sn_err_sys(err, -errno, "cannot use '%s'", options->directory);
	n = strlen(state);
	m = strlen(directory);
	if ((strncmp(state, directory, SN_MIN(n, m)) == 0) &&
	    (n == m || (n < m ? directory[n] : state[m]) == '/'))
		return sn_err_set(err, -EEXIST,
				  "cannot back up '%s' to '%s': one is in the other (take another "
				  "directory, best on another disk)",
				  options->state, options->directory);
	return 0;
}

/* Ours are manifest.json, run.jsonl and data; "lost+found" comes with a disk. */
static int check_content(const char *directory, struct sn_err *err)
{
	static const char *const known[] = {".",     "..",   "manifest.json", "manifest.json.tmp",
					    JOURNAL, "data", "lost+found"};
	DIR *dir = opendir(directory);
	bool ours = false, data = false, other = false;
	struct dirent *entry;

	if (dir == NULL)
		return sn_err_sys(err, -errno, "cannot read '%s'", directory);
	while ((entry = readdir(dir)) != NULL) {
		size_t i = 0;

		while (i < SN_COUNT(known) && strcmp(entry->d_name, known[i]) != 0)
			i++;
		other |= i == SN_COUNT(known);
		ours |= i == 2 || i == 4;
		data |= i == 5;
	}
	closedir(dir);
	if (other || (data && !ours))
		return sn_err_set(err, -ENOTEMPTY,
				  "cannot back up to '%s': it holds something else (take an empty "
				  "or a new directory)",
				  directory);
	return 0;
}

/* Lines of a run that did not come to its end; half a line at the end is none. */
static void take_journal(struct run *run)
{
	struct sn_buf text = {0};
	struct sn_err ignored = {0};
	struct sn_str rest, line;

	if (sn_fs_read(run->journal, JOURNAL_MAX, &text, &ignored) == 0) {
		rest = sn_buf_str(&text);
		while (rest.n > 0 && sn_str_split(&rest, '\n', &line))
			sn_backup_entry_take(line, &run->before);
	}
	sn_buf_finish(&text);
}

static int open_directory(struct run *run, struct sn_err *err)
{
	const char *directory = run->options->directory;
	int rc = sn_fs_mkdirs(directory, 0700, err);

	if (rc == 0)
		rc = check_apart(run->options, err);
	if (rc == 0)
		rc = check_content(directory, err);
	if (rc != 0)
		return rc;
	rc = sn_manifest_read(directory, &run->before, err);
	if (rc != 0 && rc != -ENOENT)
		return rc;
	*err = (struct sn_err){0};
	run->journal = sn_fs_join(directory, JOURNAL);
	run->now.run = run->before.run + 1;
	take_journal(run);
	run->notes = fopen(run->journal, "ae");
	if (run->notes == NULL)
		return sn_err_sys(err, -errno, "cannot write '%s'", run->journal);
	return chmod(directory, 0700) == 0 ? 0
					   : sn_err_sys(err, -errno, "cannot use '%s'", directory);
}

/* Copies that no longer belong to the backup. */
static int prune(const struct run *run, const char *below, bool *empty, struct sn_err *err);

/* "data/7/store/2026-03-01.db" is of the entry "store/2026-03-01.db". */
static bool is_wanted(const struct run *run, const char *place)
{
	const char *path = strchr(place, '/');
	const struct sn_backup_entry *entry;

	path = path != NULL ? strchr(path + 1, '/') : NULL;
	entry = path != NULL ? sn_manifest_find(&run->now, path + 1) : NULL;
	return entry != NULL && strcmp(entry->place, place) == 0;
}

static int prune_one(const struct run *run, const char *path, bool *kept, struct sn_err *err)
{
	sn_autofree char *whole = sn_fs_join(run->options->directory, path);
	bool empty = false;
	struct stat st;

	if (lstat(whole, &st) != 0)
		return 0;
	if (S_ISDIR(st.st_mode)) {
		if (prune(run, path, &empty, err) != 0)
			return err->code;
		*kept = !empty || rmdir(whole) != 0;
		return 0;
	}
	*kept = true;
	if (is_wanted(run, path))
		return 0;
	*kept = unlink(whole) != 0;
	return *kept ? sn_err_sys(err, -errno, "cannot remove '%s'", whole) : 0;
}

static int prune(const struct run *run, const char *below, bool *empty, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(run->options->directory, below);
	DIR *dir = opendir(path);
	struct dirent *entry;
	int failed = 0;

	*empty = true;
	if (dir == NULL)
		return sn_err_sys(err, -errno, "cannot read '%s'", path);
	while (failed == 0 && (entry = readdir(dir)) != NULL) {
		sn_autofree char *inner = sn_fs_join(below, entry->d_name);
		bool kept = false;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		failed = prune_one(run, inner, &kept, err);
		*empty &= !kept;
	}
	closedir(dir);
	return failed;
}

static int finish_run(struct run *run, struct sn_err *err)
{
	bool empty;
	int rc;

	run->now.made_ns = sn_wall_ns();
	rc = sn_fs_sync_dir(run->options->directory, err);
	if (rc == 0)
		rc = sn_manifest_write(run->options->directory, &run->now, err);
	if (rc == 0 && unlink(run->journal) != 0)
		rc = sn_err_sys(err, -errno, "cannot remove '%s'", run->journal);
	if (rc == 0)
		rc = prune(run, "data", &empty, err);
	for (size_t i = 0; i < run->now.count; i++)
		run->sum->bytes += run->now.entries[i].bytes;
	run->sum->files = run->now.count;
	return rc;
}

int sn_backup_make(const struct sn_backup_options *options, struct sn_backup_watch *watch,
		   struct sn_backup_sum *sum, struct sn_err *err)
{
	struct run run = {.options = options, .watch = watch, .sum = sum};
	int rc = open_directory(&run, err);

	*sum = (struct sn_backup_sum){0};
	if (rc == 0)
		rc = gather_all(&run, err);
	if (rc == 0)
		rc = copy_all(&run, err);
	if (run.notes != NULL)
		fclose(run.notes);
	if (rc == 0)
		rc = finish_run(&run, err);
	for (size_t i = 0; i < run.count; i++) {
		free(run.sources[i].path);
		free(run.sources[i].from);
	}
	free(run.sources);
	free(run.journal);
	sn_manifest_finish(&run.before);
	sn_manifest_finish(&run.now);
	return rc;
}
