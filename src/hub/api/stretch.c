/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/api/stretch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

#define PAGE_ROWS      10000
#define DEFAULT_AGE_NS (3600 * SN_NS_PER_S)

struct sn_rows_query *sn_stretch_read(struct sn_hub *hub, struct sn_http_request *request)
{
	struct sn_rows_query *rows = sn_rows_read(hub, request);

	if (rows == NULL)
		return NULL;
	if (rows->query.until_ns == 0)
		rows->query.until_ns = sn_hub_now(hub);
	if (rows->query.since_ns == 0)
		rows->query.since_ns = rows->query.until_ns - DEFAULT_AGE_NS;
	if (rows->query.since_ns >= rows->query.until_ns) {
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"since: not before until");
		free(rows);
		return NULL;
	}
	rows->query.newest_first = false;
	rows->query.limit = PAGE_ROWS;
	return rows;
}

struct reading {
	struct sn_rows_job *job;
	void (*fn)(const struct sn_value *row, void *ctx);
	void *ctx;
	uint64_t seen;
};

static int take_row(const struct sn_value *row, void *ctx)
{
	struct reading *reading = ctx;

	reading->fn(row, reading->ctx);
	reading->seen++;
	return atomic_load(&reading->job->gone);
}

int sn_stretch_each(struct sn_rows_job *job, void (*fn)(const struct sn_value *row, void *ctx),
		    void *ctx)
{
	struct reading reading = {.job = job, .fn = fn, .ctx = ctx};
	struct sn_query *query = &job->rows->query;
	sn_autofree char *cursor = NULL;
	char *next = NULL;

	do {
		query->cursor = cursor;
		if (sn_store_query(job->reader.store, query, take_row, &reading, &next,
				   &job->err) != 0)
			return job->err.code;
		if (next != NULL && reading.seen >= SN_STRETCH_ROWS_MAX) {
			free(next);
			return sn_err_set(&job->err, -EFBIG,
					  "more than %d for one chart (ask for a shorter time, or "
					  "for one node or target)",
					  SN_STRETCH_ROWS_MAX);
		}
		free(cursor);
		cursor = next;
	} while (cursor != NULL && !atomic_load(&job->gone));
	query->cursor = NULL;
	return 0;
}
