/* SPDX-License-Identifier: Apache-2.0 */
#include "store/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

unsigned sn_db_patience_ms = 5000;

struct statement {
	sqlite3_stmt *handle;
	uint64_t used; /* tick of the last use, to find the one to give up */
};

struct sn_db {
	sqlite3 *handle;
	char *path;
	struct statement statements[SN_DB_STATEMENTS_MAX];
	unsigned statement_count;
	uint64_t tick;
	uint64_t waiting_since_ns; /* for a lock */
	bool damaged;
	int64_t blamed[SN_DB_BLAMED_MAX];
	size_t blamed_count;
};

/* Errors ----------------------------------------------------------------- */

/* A full disk shows in several ways, not only as SQLITE_FULL; a quota may be told as -EIO. */
static int io_errno(int system_errno)
{
	if (system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG)
		return -ENOSPC;
	/* Numbers that mean something else here: a bad batch, one of other content, a damaged file.
	 */
	if (system_errno == EINVAL || system_errno == EEXIST || system_errno == EUCLEAN)
		return -EIO;
	return system_errno > 0 ? -system_errno : -EIO;
}

static int errno_of(sqlite3 *handle)
{
	static const struct {
		int code, error;
	} table[] = {
		{SQLITE_FULL, -ENOSPC},       {SQLITE_CORRUPT, -EUCLEAN}, {SQLITE_NOTADB, -EUCLEAN},
		{SQLITE_BUSY, -EBUSY},        {SQLITE_LOCKED, -EBUSY},    {SQLITE_NOMEM, -ENOMEM},
		{SQLITE_READONLY, -EROFS},    {SQLITE_PERM, -EACCES},     {SQLITE_AUTH, -EACCES},
		{SQLITE_CONSTRAINT, -EEXIST}, {SQLITE_TOOBIG, -E2BIG},    {SQLITE_MISUSE, -EINVAL},
	};
	int code = sqlite3_errcode(handle) & 0xff;

	if (code == SQLITE_IOERR || code == SQLITE_CANTOPEN)
		return io_errno(sqlite3_system_errno(handle));
	for (size_t i = 0; i < SN_COUNT(table); i++)
		if (table[i].code == code)
			return table[i].error;
	return -EIO;
}

/* What whoever reads of it can do. */
static const char *next_step(int error)
{
	static const struct {
		int error;
		const char *text;
	} steps[] = {
		{-ENOSPC, " (free some space)"},
		{-EBUSY, " (another program has it locked: wait for it, or end it)"},
		{-EROFS, " (make its file system writable)"},
		{-EACCES, " (give this user the right to write in its directory)"},
		{-EPERM, " (give this user the right to write in its directory)"},
		{-ENOENT, " (bring its directory back, or restore a backup)"},
		{-EMFILE, " (raise the limit of open files)"},
	};

	for (size_t i = 0; i < SN_COUNT(steps); i++)
		if (steps[i].error == error)
			return steps[i].text;
	return "";
}

int sn_db_fail(struct sn_db *db, struct sn_err *err)
{
	int error = errno_of(db->handle);

	db->damaged |= error == -EUCLEAN;
	return sn_err_set(err, error, "database '%s': %s%s", db->path, sqlite3_errmsg(db->handle),
			  next_step(error));
}

/* Opening ---------------------------------------------------------------- */

static int fail_file(struct sn_err *err, int error, const char *what, const char *path)
{
	return sn_err_set(err, error, "cannot %s '%s': %s%s", what, path, strerror(-error),
			  next_step(error));
}

/*
 * With our mode from the start; the journal's files take theirs from it.  It gets its name when
 * it is closed: closing a file loses the locks that other threads have of it by then.
 */
static int create_file(const char *path, struct sn_err *err)
{
	sn_autofree char *copy = sn_xstrdup(path), *nameless = NULL;
	int fd, rc = 0;

	if (access(path, F_OK) == 0)
		return 0;
	nameless = sn_xasprintf("%s.%d-%p", path, (int)getpid(), (void *)&fd);
	fd = open(nameless, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_file(err, -errno, "create", path);
	close(fd);
	/* Some file systems have no second names. */
	if (link(nameless, path) != 0 && errno != EEXIST &&
	    renameat2(AT_FDCWD, nameless, AT_FDCWD, path, RENAME_NOREPLACE) != 0 && errno != EEXIST)
		rc = fail_file(err, -errno, "create", path);
	unlink(nameless);
	return rc == 0 ? sn_fs_sync_dir(dirname(copy), err) : rc;
}

/*
 * Transactions are short: whoever waits looks again soon, where SQLite's own handler would sleep
 * for up to a tenth of a second.
 */
static int wait_for_lock(void *ctx, int tries)
{
	struct sn_db *db = ctx;
	uint64_t now_ns = sn_mono_ns();
	int64_t pause_ns = SN_MIN(200000 * ((int64_t)tries + 1), 5 * SN_NS_PER_MS);

	if (tries == 0)
		db->waiting_since_ns = now_ns;
	if (now_ns - db->waiting_since_ns >= sn_db_patience_ms * (uint64_t)SN_NS_PER_MS)
		return 0;
	nanosleep(&(struct timespec){.tv_nsec = (long)pause_ns}, NULL);
	return 1;
}

static int open_handle(const char *path, struct sn_db **out, struct sn_err *err)
{
	struct sn_db *db = sn_new(struct sn_db);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	db->path = sn_xstrdup(path);
	if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
		int rc = db->handle != NULL
				 ? sn_db_fail(db, err)
				 : sn_err_set(err, -ENOMEM, "database '%s': no memory", path);

		sn_db_close(db);
		return rc;
	}
	/* SQLite would open it to read, and be at a loss for its journal later. */
	if (sqlite3_db_readonly(db->handle, "main") == 1) {
		int error = access(path, W_OK) != 0 ? errno : EROFS;

		sn_db_close(db);
		return fail_file(err, -error, "write", path);
	}
	sqlite3_busy_handler(db->handle, wait_for_lock, db);
	*out = db;
	return 0;
}

static int use_wal(struct sn_db *db, struct sn_err *err)
{
	sqlite3_stmt *statement = sn_db_query(db, err, "PRAGMA journal_mode = WAL", "");
	const char *mode;
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	if (rc == 1) {
		mode = (const char *)sqlite3_column_text(statement, 0);
		rc = mode != NULL && strcmp(mode, "wal") == 0
			     ? 0
			     : sn_err_set(err, -ENOTSUP,
					  "database '%s': its file system takes no WAL", db->path);
	}
	sn_db_done(statement);
	return rc;
}

/* The page size counts only before the first table, the others per connection. */
static int configure(struct sn_db *db, struct sn_err *err)
{
	int rc = sn_db_exec(db, "PRAGMA page_size = 16384", err);

	if (rc == 0)
		rc = use_wal(db, err);
	if (rc == 0)
		rc = sn_db_exec(db,
				"PRAGMA synchronous = FULL;"
				"PRAGMA foreign_keys = ON;"
				"PRAGMA trusted_schema = OFF;"
				"PRAGMA temp_store = MEMORY;"
				"PRAGMA cache_size = -2000;"
				"PRAGMA journal_size_limit = 67108864",
				err);
	return rc;
}

/*
 * Of two that make a file into one with WAL at the same time one is refused at once: SQLite does
 * not ask the handler where waiting could be in vain.
 */
static int configure_patiently(struct sn_db *db, struct sn_err *err)
{
	uint64_t start_ns = sn_mono_ns();
	int rc = configure(db, err);

	while (rc == -EBUSY &&
	       sn_mono_ns() - start_ns < sn_db_patience_ms * (uint64_t)SN_NS_PER_MS) {
		nanosleep(&(struct timespec){.tv_nsec = 2 * SN_NS_PER_MS}, NULL);
		rc = configure(db, err);
	}
	return rc;
}

int sn_db_version(struct sn_db *db, unsigned *version, struct sn_err *err)
{
	sqlite3_stmt *statement = sn_db_query(db, err, "PRAGMA user_version", "");
	int rc = statement != NULL ? sn_db_next(db, statement, err) : err->code;

	if (rc == 1)
		*version = (unsigned)sqlite3_column_int(statement, 0);
	sn_db_done(statement);
	return rc < 0 ? rc : 0;
}

static int apply(struct sn_db *db, const char *migration, unsigned version, struct sn_err *err)
{
	char pragma[64];
	int rc = sn_db_exec(db, migration, err);

	/* Tables that its version says are not there, or the other way round. */
	if (rc != 0 && (sqlite3_errcode(db->handle) & 0xff) == SQLITE_ERROR) {
		db->damaged = true;
		err->code = -EUCLEAN;
		return sn_err_wrap(err, "version %u is not what it has", version);
	}
	if (rc != 0)
		return rc;
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %u", version);
	return sn_db_exec(db, pragma, err);
}

static int migrate(struct sn_db *db, const char *const *migrations, unsigned count,
		   struct sn_err *err)
{
	unsigned version = 0;
	int rc = sn_db_version(db, &version, err);

	if (rc != 0 || version == count)
		return rc;
	if (version > count)
		return sn_err_set(err, -EPROTONOSUPPORT,
				  "database '%s': version %u is newer than %u, the last one known "
				  "(install a newer release)",
				  db->path, version, count);
	rc = sn_db_begin(db, err);
	/* Somebody else may have been faster until the transaction began. */
	if (rc == 0)
		rc = sn_db_version(db, &version, err);
	for (; rc == 0 && version < count; version++)
		rc = apply(db, migrations[version], version + 1, err);
	if (rc == 0)
		return sn_db_commit(db, err);
	sn_db_rollback(db);
	return rc;
}

int sn_db_open(const char *path, const char *const *migrations, unsigned migration_count,
	       struct sn_db **out, struct sn_err *err)
{
	struct sn_db *db = NULL;
	struct sn_err local = {0};
	int rc;

	err = err != NULL ? err : &local;
	rc = create_file(path, err);
	if (rc == 0)
		rc = open_handle(path, &db, err);
	if (rc == 0)
		rc = configure_patiently(db, err);
	if (rc == 0)
		rc = migrate(db, migrations, migration_count, err);
	if (rc != 0) {
		sn_db_close(db);
		return rc;
	}
	*out = db;
	return 0;
}

int sn_db_open_reader(const char *path, struct sn_db **out, struct sn_err *err)
{
	struct sn_db *db = NULL;
	int rc;

	if (access(path, F_OK) != 0)
		return fail_file(err, -errno, "open", path);
	/* Not SQLITE_OPEN_READONLY: reading a WAL may take its recovery, which writes. */
	rc = open_handle(path, &db, err);
	if (rc == 0)
		rc = sn_db_exec(db,
				"PRAGMA query_only = ON;"
				"PRAGMA trusted_schema = OFF;"
				"PRAGMA temp_store = MEMORY;"
				"PRAGMA cache_size = -4000",
				err);
	if (rc != 0) {
		sn_db_close(db);
		return rc;
	}
	*out = db;
	return 0;
}

void sn_db_close(struct sn_db *db)
{
	if (db == NULL)
		return;
	for (unsigned i = 0; i < db->statement_count; i++)
		sqlite3_finalize(db->statements[i].handle);
	/* With all statements gone this cannot be refused. */
	sqlite3_close(db->handle);
	free(db->path);
	free(db);
}

sqlite3 *sn_db_handle(struct sn_db *db)
{
	return db->handle;
}

bool sn_db_is_damaged(const struct sn_db *db)
{
	return db->damaged;
}

void sn_db_set_damaged(struct sn_db *db)
{
	db->damaged = true;
}

void sn_db_blame(struct sn_db *db, int64_t number)
{
	for (size_t i = 0; i < db->blamed_count; i++)
		if (db->blamed[i] == number)
			return;
	if (db->blamed_count < SN_DB_BLAMED_MAX)
		db->blamed[db->blamed_count++] = number;
}

size_t sn_db_take_blamed(struct sn_db *db, int64_t out[SN_DB_BLAMED_MAX])
{
	size_t count = db->blamed_count;

	memcpy(out, db->blamed, count * sizeof(*out));
	db->blamed_count = 0;
	return count;
}

bool sn_db_has_moved(struct sn_db *db)
{
	int moved = 0;

	return sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
		       SQLITE_OK &&
	       moved != 0;
}

/* Transactions ----------------------------------------------------------- */

int sn_db_exec(struct sn_db *db, const char *sql, struct sn_err *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sn_db_fail(db, err);
	return 0;
}

int sn_db_begin(struct sn_db *db, struct sn_err *err)
{
	return sn_db_exec(db, "BEGIN IMMEDIATE", err);
}

int sn_db_commit(struct sn_db *db, struct sn_err *err)
{
	int rc = sn_db_exec(db, "COMMIT", err);

	if (rc != 0)
		sn_db_rollback(db);
	return rc;
}

void sn_db_rollback(struct sn_db *db)
{
	/* Some errors have ended the transaction already. */
	if (!sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* Statements ------------------------------------------------------------- */

/* A place for one more statement: a free one, or that of the one unused for longest. */
static struct statement *free_slot(struct sn_db *db)
{
	struct statement *oldest = NULL;

	if (db->statement_count < SN_DB_STATEMENTS_MAX)
		return &db->statements[db->statement_count++];
	for (unsigned i = 0; i < db->statement_count; i++) {
		struct statement *candidate = &db->statements[i];

		if (!sqlite3_stmt_busy(candidate->handle) &&
		    (oldest == NULL || candidate->used < oldest->used))
			oldest = candidate;
	}
	assert(oldest != NULL); /* so many nested queries are a bug */
	sqlite3_finalize(oldest->handle);
	return oldest;
}

/* NULL with the reason in `err`. */
static sqlite3_stmt *prepare(struct sn_db *db, const char *sql, struct sn_err *err)
{
	struct statement *slot;
	sqlite3_stmt *handle;

	for (unsigned i = 0; i < db->statement_count; i++) {
		slot = &db->statements[i];
		if (strcmp(sqlite3_sql(slot->handle), sql) == 0 &&
		    !sqlite3_stmt_busy(slot->handle)) {
			slot->used = ++db->tick;
			return slot->handle;
		}
	}
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL) !=
	    SQLITE_OK) {
		sn_db_fail(db, err);
		return NULL;
	}
	slot = free_slot(db);
	*slot = (struct statement){handle, ++db->tick};
	return handle;
}

/* Values are copied: the caller's may be gone before the statement is stepped. */
static int bind_one(sqlite3_stmt *statement, int index, char type, va_list *args)
{
	const struct sn_str *text;
	const void *bytes;

	switch (type) {
	case 'i':
		return sqlite3_bind_int64(statement, index, va_arg(*args, int64_t));
	case 'f':
		return sqlite3_bind_double(statement, index, va_arg(*args, double));
	case 't':
		return sqlite3_bind_text(statement, index, va_arg(*args, const char *), -1,
					 SQLITE_TRANSIENT);
	case 's':
		text = va_arg(*args, const struct sn_str *);
		return sqlite3_bind_text64(statement, index, text->n > 0 ? text->p : "", text->n,
					   SQLITE_TRANSIENT, SQLITE_UTF8);
	case 'b':
		bytes = va_arg(*args, const void *);
		return sqlite3_bind_blob64(statement, index, bytes, va_arg(*args, size_t),
					   SQLITE_TRANSIENT);
	default:
		assert(type == 'n');
		return sqlite3_bind_null(statement, index);
	}
}

static sqlite3_stmt *query(struct sn_db *db, struct sn_err *err, const char *sql, const char *types,
			   va_list args)
{
	sqlite3_stmt *statement = prepare(db, sql, err);
	va_list rest;
	bool bound = true;

	if (statement == NULL)
		return NULL;
	assert((int)strlen(types) == sqlite3_bind_parameter_count(statement));
	va_copy(rest, args);
	for (int i = 0; bound && types[i] != '\0'; i++)
		bound = bind_one(statement, i + 1, types[i], &rest) == SQLITE_OK;
	va_end(rest);
	if (bound)
		return statement;
	sn_db_fail(db, err);
	sn_db_done(statement);
	return NULL;
}

sqlite3_stmt *sn_db_query(struct sn_db *db, struct sn_err *err, const char *sql, const char *types,
			  ...)
{
	sqlite3_stmt *statement;
	va_list args;

	va_start(args, types);
	statement = query(db, err, sql, types, args);
	va_end(args);
	return statement;
}

int sn_db_next(struct sn_db *db, sqlite3_stmt *statement, struct sn_err *err)
{
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return sn_db_fail(db, err);
	}
}

void sn_db_done(sqlite3_stmt *statement)
{
	if (statement == NULL)
		return;
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
}

const char *sn_db_text(sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	return text != NULL ? (const char *)text : "";
}

int sn_db_run(struct sn_db *db, struct sn_err *err, const char *sql, const char *types, ...)
{
	struct sn_err local = {0};
	sqlite3_stmt *statement;
	va_list args;
	int rc;

	err = err != NULL ? err : &local;
	va_start(args, types);
	statement = query(db, err, sql, types, args);
	va_end(args);
	if (statement == NULL)
		return err->code;
	rc = sn_db_next(db, statement, err);
	assert(rc != 1); /* a statement with rows is for sn_db_query() */
	sn_db_done(statement);
	return rc < 0 ? rc : sqlite3_changes(db->handle);
}
