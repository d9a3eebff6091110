/* SPDX-License-Identifier: Apache-2.0 */
/* Who brought rows. */
#include <errno.h>

#include "base/mem.h"
#include "store/sqlite.h"

static int count_batches(struct sn_store *store, struct sn_day *day, const char *source,
			 uint64_t *batches, struct sn_err *err)
{
	sqlite3_stmt *row;
	int rc = sn_day_open_reader(store, day, err);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	row = sn_db_query(day->reader, err,
			  "SELECT count(*) FROM _batch WHERE source IN"
			  " (SELECT id FROM _source WHERE node = ?)",
			  "t", source);
	if (row == NULL)
		return err->code;
	rc = sn_db_next(day->reader, row, err);
	if (rc == 1)
		*batches += (uint64_t)sqlite3_column_int64(row, 0);
	sn_db_done(row);
	return SN_MIN(rc, 0);
}

int sn_store_source_batches(struct sn_store *store, const char *source, int32_t first_day,
			    int32_t last_day, uint64_t *batches, struct sn_err *err)
{
	sn_autofree int32_t *numbers = NULL;
	struct sn_err local = {0};
	size_t count;
	int rc;

	err = err != NULL ? err : &local;
	*batches = 0;
	rc = sn_day_list(store, &numbers, &count, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct sn_day *day;

		if (numbers[i] < first_day || numbers[i] > last_day)
			continue;
		day = sn_day_get(store, numbers[i]);
		rc = sn_day_fault(store, day, count_batches(store, day, source, batches, err), err);
		sn_day_trim(store);
	}
	return rc;
}
