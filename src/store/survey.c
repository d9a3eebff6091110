/* SPDX-License-Identifier: Apache-2.0 */
#include "store/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/sqlite.h"

static int count(struct sn_db *db, const char *sql, uint64_t *a, uint64_t *b, struct sn_err *err)
{
	sqlite3_stmt *row = sn_db_query(db, err, sql, "");
	int rc = row != NULL ? sn_db_next(db, row, err) : err->code;

	if (rc == 1) {
		*a = (uint64_t)sqlite3_column_int64(row, 0);
		if (b != NULL)
			*b = (uint64_t)sqlite3_column_int64(row, 1);
	}
	sn_db_done(row);
	return SN_MIN(rc, 0);
}

/* A file of release 0.1.0 has no blocks: its rows are all here. */
static int count_local(struct sn_db *db, struct sn_store_day *day, struct sn_err *err)
{
	uint64_t blocks = 0;
	int rc = count(db, "SELECT count(*) FROM sqlite_schema WHERE name = '_block'", &blocks,
		       NULL, err);

	day->local_rows = day->rows;
	if (rc == 0 && blocks > 0)
		rc = count(db, "SELECT coalesce(sum(rows), 0) FROM _block", &day->local_rows, NULL,
			   err);
	return rc;
}

static int look_at(const struct sn_store *store, int32_t number, struct sn_store_day *day,
		   struct sn_err *err)
{
	sn_autofree char *path = sn_day_path(store, number, "");
	struct sn_db *db = NULL;
	int rc = sn_db_open_reader(path, &db, err);

	(void)sn_day_stamp(store, number, &day->bytes);
	sn_day_name(number, day->day);
	if (rc == 0)
		rc = count(db,
			   "SELECT coalesce(sum(rows), 0), coalesce(sum(batches), 0) FROM _dataset",
			   &day->rows, &day->batches, err);
	if (rc == 0)
		rc = count_local(db, day, err);
	sn_db_close(db);
	return rc;
}

int sn_survey(const char *path, sn_survey_fn *fn, void *ctx, struct sn_err *err)
{
	sn_autofree int32_t *numbers = NULL;
	sn_autofree char *copy = sn_xstrdup(path);
	struct sn_store store = {.path = copy};
	size_t days;
	int rc = sn_day_list(&store, &numbers, &days, err);

	for (size_t i = 0; rc == 0 && i < days; i++) {
		struct sn_survey_day day = {.problem = NULL};
		struct sn_err problem = {0};

		/* Dropped since the directory was read. */
		if (look_at(&store, numbers[i], &day.day, &problem) == -ENOENT)
			continue;
		if (problem.code != 0)
			day.problem = problem.text;
		if (fn(&day, ctx) != 0)
			break;
	}
	return rc;
}

long sn_survey_hub(const char *state)
{
	sn_autofree char *path = sn_fs_join(state, "lock");
	sn_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	char pid[32] = "";

	/* Shared and at once given back: it keeps no hub from starting for longer than that. */
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return read(fd, pid, sizeof(pid) - 1) > 0 ? strtol(pid, NULL, 10) : 0;
}
