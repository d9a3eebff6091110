/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/rows_source.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define DAY_NS (86400 * SN_NS_PER_S)

struct days {
	int64_t *begin_ns;
	size_t count, capacity;
};

struct run {
	const struct sn_rows_sink *sink;
	struct sn_query query;
	uint64_t left;
	int rc; /* of the sink */
};

static int note_day(const struct sn_store_day *day, void *ctx)
{
	struct days *days = ctx;
	int64_t begin_ns;
	char text[32];

	snprintf(text, sizeof(text), "%sT00:00:00Z", day->day);
	if (sn_parse_time(sn_str(text), 0, &begin_ns) != 0)
		return 0;
	if (days->count == days->capacity) {
		days->capacity = days->capacity > 0 ? 2 * days->capacity : 128;
		days->begin_ns =
			sn_xrealloc(days->begin_ns, days->capacity, sizeof(*days->begin_ns));
	}
	days->begin_ns[days->count++] = begin_ns;
	return 0;
}

static int earlier(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int take_row(const struct sn_value *row, void *ctx)
{
	struct run *run = ctx;

	run->rc = run->sink->row(row, run->sink->ctx);
	run->left--;
	return run->rc != 0;
}

static int read_page(struct run *run, struct sn_store *store, char **next, struct sn_err *err)
{
	int rc;

	run->rc = 0;
	run->query.limit = (uint32_t)SN_MIN(run->left, (uint64_t)SN_QUERY_LIMIT_MAX);
	rc = sn_store_query(store, &run->query, take_row, run, next, err);
	if (rc == 0 && run->rc < 0)
		rc = run->rc;
	return rc != 0 ? rc : run->sink->pause(run->sink->ctx);
}

static int read_day(struct run *run, struct sn_store *store, struct sn_err *err)
{
	sn_autofree char *cursor = NULL;
	int rc;

	do {
		char *next = NULL;

		run->query.cursor = cursor;
		rc = read_page(run, store, &next, err);
		free(cursor);
		cursor = next;
	} while (rc == 0 && cursor != NULL && run->left > 0);
	run->query.cursor = NULL;
	return rc;
}

int sn_rows_read_all(struct sn_store *store, const struct sn_query *query, uint64_t limit,
		     const struct sn_rows_sink *sink, struct sn_err *err)
{
	struct run run = {.sink = sink, .query = *query, .left = limit};
	int64_t until_ns = query->until_ns != 0 ? query->until_ns : INT64_MAX;
	struct days days = {0};
	int rc = sn_store_days(store, note_day, &days, err);

	if (days.count > 0)
		qsort(days.begin_ns, days.count, sizeof(*days.begin_ns), earlier);
	for (size_t i = 0; rc == 0 && run.left > 0 && i < days.count; i++) {
		int64_t day_ns = days.begin_ns[query->newest_first ? days.count - 1 - i : i];

		run.query.since_ns = SN_MAX(query->since_ns, day_ns);
		run.query.until_ns = SN_MIN(until_ns, day_ns + DAY_NS);
		if (run.query.since_ns < run.query.until_ns)
			rc = read_day(&run, store, err);
	}
	free(days.begin_ns);
	return rc;
}
