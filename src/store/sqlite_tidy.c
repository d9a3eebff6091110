/* SPDX-License-Identifier: Apache-2.0 */
/* Small blocks put together, in all days, until there is no more to do or somebody says stop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

#include "base/clock.h"
#include "base/mem.h"

#define AT_ONCE 64 /* merges between two looks at which blocks there are */

struct tidy {
	struct sn_store *store;
	atomic_bool *stop;
	unsigned merges;
};

static bool is_over(const struct tidy *tidy)
{
	return tidy->stop != NULL && atomic_load_explicit(tidy->stop, memory_order_relaxed);
}

static int tidy_dataset(struct tidy *tidy, struct sn_day *day, const char *name, unsigned version,
			struct sn_err *err)
{
	/* Also of datasets that only an older or newer release knows. */
	struct sn_dataset dataset = {.name = name, .version = version};
	const struct sn_dataset *known = sn_catalog_find(name);
	bool all = day->number < sn_day_of(sn_wall_ns());
	unsigned merges = AT_ONCE;
	int rc = 0;

	if (known != NULL && known->version == version)
		dataset = *known;
	while (rc == 0 && merges == AT_ONCE && !is_over(tidy)) {
		rc = sn_blocks_tidy_until(day->writer, &dataset, all, AT_ONCE, tidy->stop, &merges,
					  err);
		tidy->merges += merges;
	}
	return rc;
}

static int list_datasets(struct sn_day *day, struct sn_store_dataset **list, size_t *count,
			 struct sn_err *err)
{
	sqlite3_stmt *statement =
		sn_db_query(day->writer, err, "SELECT dataset, version FROM _dataset", "");
	int rc = statement != NULL ? 1 : err->code;

	while (rc == 1 && (rc = sn_db_next(day->writer, statement, err)) == 1) {
		struct sn_store_dataset *dataset;

		*list = sn_xrealloc(*list, *count + 1, sizeof(**list));
		dataset = &(*list)[(*count)++];
		snprintf(dataset->name, sizeof(dataset->name), "%s", sn_db_text(statement, 0));
		dataset->version = (unsigned)sqlite3_column_int(statement, 1);
	}
	sn_db_done(statement);
	return rc;
}

static int tidy_day(struct tidy *tidy, struct sn_day *day, struct sn_err *err)
{
	sn_autofree struct sn_store_dataset *list = NULL;
	uint64_t bytes, stamp = sn_day_stamp(tidy->store, day->number, &bytes);
	unsigned before = tidy->merges;
	size_t count = 0;
	int rc;

	if (stamp == day->tidy_stamp)
		return 0;
	rc = sn_day_open_writer(tidy->store, day, err);
	if (rc == 0)
		rc = list_datasets(day, &list, &count, err);
	for (size_t i = 0; rc == 0 && i < count && !is_over(tidy); i++)
		rc = tidy_dataset(tidy, day, list[i].name, list[i].version, err);
	/* What comes meanwhile changes the stamp, so that the day is looked at again. */
	day->tidy_stamp = rc == 0 && !is_over(tidy) && tidy->merges == before ? stamp : 0;
	return rc;
}

int sn_store_tidy(struct sn_store *store, atomic_bool *stop, unsigned *merges, struct sn_err *err)
{
	struct tidy tidy = {.store = store, .stop = stop};
	sn_autofree int32_t *numbers = NULL;
	struct sn_err local = {0};
	int rc, failed = 0;
	size_t count;

	if (merges != NULL)
		*merges = 0;
	rc = sn_day_list(store, &numbers, &count, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < count && !is_over(&tidy); i++) {
		struct sn_day *day = sn_day_get(store, numbers[i]);

		rc = sn_day_fault(store, day, tidy_day(&tidy, day, &local), &local);
		sn_day_trim(store);
		if (rc != 0 && failed == 0) {
			failed = rc;
			sn_err_set(err, rc, "%s", local.text);
		}
	}
	if (merges != NULL)
		*merges = tidy.merges;
	return failed;
}
