/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the files are what they say: SQLite's own check, the checksums of blocks, and whether
 * rows, ledger and totals belong together.  Nothing is changed, and hubs may go on writing: each
 * file is looked at in one transaction.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/blocks_internal.h"
#include "store/sqlite.h"

#include "base/mem.h"

#define FAULTS_MAX 10 /* of one kind in one file that are told each */
#define REPAIR     "sonde store check --repair takes back what is whole"

struct verify {
	struct sn_store *store;
	bool deep;
	sn_store_finding_fn *fn;
	void *ctx;
	uint64_t done, total; /* bytes of files */
	uint64_t end;         /* of the file at hand */
	bool stopped;
	char day[SN_DAY_NAME_SIZE];
	struct sn_db *db;
	struct sn_err *err;
};

/* Telling -------------------------------------------------------------------- */

static void progress(struct verify *verify)
{
	struct sn_store_finding finding = {.done = verify->done, .total = verify->total};

	if (!verify->stopped)
		verify->stopped = verify->fn(&finding, verify->ctx) != 0;
}

static SN_PRINTF(4, 5) void tell(struct verify *verify, const char *reason, const char *next,
				 const char *format, ...)
{
	struct sn_store_finding finding = {
		.reason = reason, .next = next, .done = verify->done, .total = verify->total};
	char what[SN_ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	finding.what = what;
	if (!verify->stopped)
		verify->stopped = verify->fn(&finding, verify->ctx) != 0;
}

/*
 * What SQLite cannot read, names of tables and columns included, is a finding; everything else (a
 * lock, no memory) ends the check.
 */
static int tell_damage(struct verify *verify, int rc)
{
	if (rc == -EUCLEAN)
		tell(verify, verify->err->text,
		     "the next question sets the file aside, then " REPAIR,
		     "day %s: its file is damaged", verify->day);
	else if (rc == -EIO || rc == -EPROTONOSUPPORT)
		tell(verify, verify->err->text, "restore the day from a backup",
		     "day %s: its file cannot be read", verify->day);
	else
		return rc;
	verify->err->code = 0;
	return 0;
}

/* SQLite ----------------------------------------------------------------------- */

static int ask_sqlite(struct verify *verify)
{
	sqlite3_stmt *statement = sn_db_query(
		verify->db, verify->err,
		verify->deep ? "PRAGMA integrity_check(10)" : "PRAGMA quick_check(10)", "");
	int rc = statement != NULL ? 1 : verify->err->code;

	while (rc == 1 && (rc = sn_db_next(verify->db, statement, verify->err)) == 1) {
		const char *text = sn_db_text(statement, 0);

		if (text != NULL && strcmp(text, "ok") != 0)
			tell(verify, text, REPAIR, "day %s: its file is damaged", verify->day);
	}
	sn_db_done(statement);
	return rc;
}

/* Blocks ----------------------------------------------------------------------- */

static int check_times(const struct sn_blocks_info *info, const struct sn_vector *times,
		       int32_t day, struct sn_err *err)
{
	struct sn_block_range range;

	sn_vector_range(times, &range);
	if (!range.known || range.min.i != info->time_min || range.max.i != info->time_max)
		return sn_err_set(err, -EUCLEAN,
				  "block %" PRId64 " has rows of other times than is noted",
				  info->id);
	if (sn_day_of(range.min.i) != day || sn_day_of(range.max.i) != day)
		return sn_err_set(err, -EUCLEAN, "block %" PRId64 " has rows of another day",
				  info->id);
	return 0;
}

/* All columns that it has, one after the other. */
static int read_columns(struct verify *verify, const struct sn_blocks_info *info,
			const struct sn_layout *layout, int32_t day, struct sn_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < layout->count; i++) {
		struct sn_block_column *column = NULL;

		rc = sn_block_load(verify->db, info, &layout->columns[i], 1, &column, err);
		if (rc == 0 && i == SN_COL_TIME)
			rc = check_times(info, sn_block_vector(column), day, err);
		sn_block_column_destroy(column);
	}
	return rc;
}

/* Not in depth: whether all columns are there. */
static int count_columns(struct verify *verify, const struct sn_blocks_info *info,
			 const struct sn_layout *layout, struct sn_err *err)
{
	sqlite3_stmt *statement = sn_db_query(
		verify->db, err, "SELECT count(*) FROM _column WHERE id BETWEEN ? AND ?", "ii",
		info->id * SN_BLOCKS_SLOTS, info->id * SN_BLOCKS_SLOTS + SN_BLOCKS_SLOTS - 1);
	int rc = statement != NULL ? sn_db_next(verify->db, statement, err) : err->code;
	int64_t count = rc == 1 ? sqlite3_column_int64(statement, 0) : 0;

	sn_db_done(statement);
	if (rc >= 0 && count != (info->packed ? 1 : (int64_t)layout->count))
		return sn_err_set(err, -EUCLEAN, "block %" PRId64 ": columns are missing",
				  info->id);
	return SN_MIN(rc, 0);
}

static int check_block(struct verify *verify, const struct sn_blocks_info *info, int32_t day,
		       struct sn_err *err)
{
	struct sn_layout *layout = sn_new(struct sn_layout);
	int rc = sn_layout_load(verify->db, info->layout, layout, err);

	if (rc == 0)
		rc = count_columns(verify, info, layout, err);
	if (rc == 0 && verify->deep)
		rc = read_columns(verify, info, layout, day, err);
	sn_layout_finish(layout);
	free(layout);
	return rc;
}

/* By the table, not by an index that may be damaged itself. */
static int check_blocks(struct verify *verify, int32_t day)
{
	sqlite3_stmt *statement = sn_db_query(
		verify->db, verify->err,
		"SELECT b.id, b.layout, b.first, b.rows, b.time_min, b.time_max, b.packed, b.bytes,"
		" b.tier, b.sums, l.dataset"
		" FROM _block AS b NOT INDEXED LEFT JOIN _layout AS l ON l.id = b.layout"
		" ORDER BY b.id",
		"");
	int rc = statement != NULL ? 1 : verify->err->code;
	unsigned faults = 0;

	while (rc == 1 && !verify->stopped &&
	       (rc = sn_db_next(verify->db, statement, verify->err)) == 1) {
		struct sn_blocks_info info;
		struct sn_err fault = {0};
		int bad = sn_blocks_fetch(statement, &info, &fault);

		if (bad == 0)
			bad = check_block(verify, &info, day, &fault);
		if (bad != 0 && (bad != -EUCLEAN || sn_db_is_damaged(verify->db))) {
			*verify->err = fault;
			rc = bad;
		} else if (bad != 0 && faults++ < FAULTS_MAX) {
			tell(verify, fault.text,
			     "the next question sets aside what is damaged of it",
			     "day %s: a block of dataset '%s' is damaged, of %zu rows", verify->day,
			     sn_db_text(statement, 10), info.rows);
		}
		verify->done += SN_MIN(info.bytes, verify->end - verify->done);
		if (verify->deep && rc == 1)
			progress(verify);
	}
	sn_db_done(statement);
	if (faults > FAULTS_MAX)
		tell(verify, "there are more of these", "restore the day from a backup",
		     "day %s: %u blocks are damaged", verify->day, faults);
	return SN_MIN(rc, 0);
}

static int tell_aside(struct verify *verify)
{
	sqlite3_stmt *statement =
		sn_db_query(verify->db, verify->err,
			    "SELECT l.dataset, count(*), sum(a.lost), max(a.reason)"
			    " FROM _aside AS a LEFT JOIN _layout AS l ON l.id = a.layout"
			    " GROUP BY l.dataset",
			    "");
	int rc = statement != NULL ? 1 : verify->err->code;

	while (rc == 1 && (rc = sn_db_next(verify->db, statement, verify->err)) == 1)
		tell(verify, sn_db_text(statement, 3), "restore the day from a backup, or drop it",
		     "day %s: %" PRId64 " rows of dataset '%s' cannot be read, in %" PRId64
		     " damaged blocks that were set aside",
		     verify->day, (int64_t)sqlite3_column_int64(statement, 2),
		     sn_db_text(statement, 0), (int64_t)sqlite3_column_int64(statement, 1));
	sn_db_done(statement);
	return rc;
}

/* Accounts ----------------------------------------------------------------------- */

/* Per dataset what was ever stored, and what is told of it elsewhere. */
static const struct account {
	const char *sql;
	const char *reason;
} accounts[] = {
	{"SELECT d.dataset, d.rows,"
	 " (SELECT coalesce(sum(b.rows), 0) FROM _layout AS l JOIN _block AS b ON b.layout = l.id"
	 "  WHERE l.dataset = d.dataset AND l.version = d.version)"
	 " + (SELECT coalesce(sum(a.lost), 0) FROM _layout AS l JOIN _aside AS a ON a.layout = l.id"
	 "  WHERE l.dataset = d.dataset AND l.version = d.version)"
	 " + (SELECT coalesce(sum(m.rows), 0) FROM _moved AS m"
	 "  WHERE m.dataset = d.dataset AND m.version = d.version)"
	 " FROM _dataset AS d",
	 "the blocks have another number"},
	{"SELECT d.dataset, sum(d.rows), (SELECT coalesce(sum(b.rows), 0) FROM _batch AS b"
	 " WHERE b.dataset = d.dataset) FROM _dataset AS d GROUP BY d.dataset",
	 "the ledger of batches has another number"},
	{"SELECT d.dataset, d.rows, (SELECT coalesce(sum(s.rows), 0) FROM _span AS s"
	 " WHERE s.dataset = d.dataset AND s.version = d.version) FROM _dataset AS d",
	 "those that a source is noted of have another number"},
};

static int check_account(struct verify *verify, const struct account *account)
{
	sqlite3_stmt *statement = sn_db_query(verify->db, verify->err, account->sql, "");
	int rc = statement != NULL ? 1 : verify->err->code;

	while (rc == 1 && (rc = sn_db_next(verify->db, statement, verify->err)) == 1) {
		int64_t rows = sqlite3_column_int64(statement, 1);
		int64_t other = sqlite3_column_int64(statement, 2);

		if (rows != other)
			tell(verify, account->reason, "look for what is missing with sonde doctor",
			     "day %s: dataset '%s' had %" PRId64 " rows, and there are %" PRId64,
			     verify->day, sn_db_text(statement, 0), rows, other);
	}
	sn_db_done(statement);
	return rc;
}

static int check_accounts(struct verify *verify)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < SN_COUNT(accounts); i++)
		rc = check_account(verify, &accounts[i]);
	return rc;
}

/* Files ---------------------------------------------------------------------------- */

static int check_file(struct verify *verify, int32_t day)
{
	bool old = false;
	int rc = sn_db_exec(verify->db, "BEGIN", verify->err);

	if (rc == 0)
		rc = sn_day_check_names(verify->db, verify->err);
	if (rc == 0)
		rc = sn_day_is_old(verify->db, &old, verify->err);
	if (rc == 0)
		rc = ask_sqlite(verify);
	/* Rows of release 0.1.0 have no checksums. */
	if (rc == 0 && !old && !verify->stopped)
		rc = check_blocks(verify, day);
	if (rc == 0 && !old && !verify->stopped)
		rc = tell_aside(verify);
	if (rc == 0 && !old && !verify->stopped)
		rc = check_accounts(verify);
	sn_db_rollback(verify->db);
	return tell_damage(verify, rc);
}

static int check_day(struct verify *verify, int32_t number)
{
	sn_autofree char *path = sn_day_path(verify->store, number, "");
	uint64_t bytes, before = verify->done;
	int rc;

	sn_day_name(number, verify->day);
	(void)sn_day_stamp(verify->store, number, &bytes);
	verify->end = before + bytes;
	rc = sn_db_open_reader(path, &verify->db, verify->err);
	if (rc == -ENOENT) {
		verify->err->code = 0;
		return 0; /* dropped since the directory was read */
	}
	rc = rc == 0 ? check_file(verify, number) : tell_damage(verify, rc);
	sn_db_close(verify->db);
	verify->db = NULL;
	verify->done = verify->end;
	progress(verify);
	return rc;
}

/* "2026-03-01.db.corrupt.2"; not its journal. */
bool sn_day_is_aside(const char *name, int32_t *number)
{
	const char *suffix = strstr(name, ".db.corrupt");

	return suffix != NULL && strstr(suffix, "-wal") == NULL && strstr(suffix, "-shm") == NULL &&
	       sn_day_parse((struct sn_str){name, (size_t)(suffix - name)}, number) == 0;
}

static int tell_files_aside(struct verify *verify)
{
	DIR *dir = opendir(verify->store->path);
	struct dirent *entry;
	int32_t number;

	if (dir == NULL)
		return sn_err_sys(verify->err, -errno, "cannot read '%s'", verify->store->path);
	while (!verify->stopped && (entry = readdir(dir)) != NULL) {
		if (!sn_day_is_aside(entry->d_name, &number) ||
		    sn_salvage_is_done(verify->store, number, entry->d_name))
			continue;
		sn_day_name(number, verify->day);
		tell(verify, "SQLite could not read it", REPAIR,
		     "day %s: the file '%s' was set aside as damaged", verify->day, entry->d_name);
	}
	closedir(dir);
	return 0;
}

int sn_store_check(struct sn_store *store, bool deep, sn_store_finding_fn *fn, void *ctx,
		   struct sn_err *err)
{
	struct sn_err local = {0};
	struct verify verify = {.store = store,
				.deep = deep,
				.fn = fn,
				.ctx = ctx,
				.err = err != NULL ? err : &local};
	sn_autofree int32_t *numbers = NULL;
	uint64_t bytes;
	size_t count;
	int rc = sn_day_list(store, &numbers, &count, verify.err);

	for (size_t i = 0; rc == 0 && i < count; i++) {
		(void)sn_day_stamp(store, numbers[i], &bytes);
		verify.total += bytes;
	}
	for (size_t i = 0; rc == 0 && !verify.stopped && i < count; i++)
		rc = check_day(&verify, numbers[i]);
	if (rc == 0 && !verify.stopped)
		rc = tell_files_aside(&verify);
	if (rc == 0 && verify.stopped)
		return sn_err_set(verify.err, -ECANCELED, "the check was stopped");
	return rc;
}
