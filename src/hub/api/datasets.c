/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/codec.h"
#include "hub/api/api.h"
#include "hub/api/declared.h"
#include "hub/api/rows_job.h"
#include "hub/api/rows_stream.h"

#define LATEST_AGE_NS (86400 * SN_NS_PER_S)

static void get_datasets(struct sn_http_request *request, void *ctx)
{
	json_t *items = json_array();

	(void)ctx;
	for (size_t i = 0; i < sn_catalog_size(); i++)
		json_array_append_new(items, sn_declared_dataset(sn_catalog_at(i)));
	sn_api_reply_list(request, items, "name");
}

static void get_dataset(struct sn_http_request *request, void *ctx)
{
	const struct sn_dataset *dataset = sn_rows_dataset(request);

	(void)ctx;
	if (dataset != NULL)
		sn_http_reply_json(request, 200, sn_declared_dataset(dataset));
}

/* A page of rows as JSON, on a thread ------------------------------------------------ */

static int write_item(const struct sn_value *row, void *ctx)
{
	struct sn_rows_job *job = ctx;
	struct sn_value picked[SN_DATASET_COLUMNS_MAX];

	if (job->any)
		sn_buf_addc(&job->text, ',');
	job->any = true;
	sn_rows_pick(job->rows, row, picked);
	sn_jsonl_write_row(&job->text, &job->rows->shape, picked);
	job->text.n--; /* the line feed */
	return atomic_load(&job->gone);
}

static void end_page(struct sn_buf *text, const char *next)
{
	sn_buf_adds(text, "],\"next\":");
	if (next == NULL) {
		sn_buf_adds(text, "null}");
		return;
	}
	sn_buf_addc(text, '"');
	sn_json_escape(text, sn_str(next));
	sn_buf_adds(text, "\"}");
}

static int read_page(struct sn_rows_job *job)
{
	sn_autofree char *next = NULL;

	job->rows->query.cursor = job->cursor;
	sn_buf_adds(&job->text, "{\"items\":[");
	if (sn_store_query(job->reader.store, &job->rows->query, write_item, job, &next,
			   &job->err) != 0)
		return job->err.code;
	end_page(&job->text, next);
	return 0;
}

static void reply_page(struct sn_hub *hub, struct sn_http_request *request,
		       struct sn_rows_query *rows)
{
	const char *cursor = sn_http_query(request, "cursor");
	uint64_t limit = SN_API_LIMIT;
	struct sn_rows_job *job;

	if (!sn_api_query_u64(request, "limit", 1, SN_API_LIMIT_MAX, &limit)) {
		free(rows);
		return;
	}
	rows->query.limit = (uint32_t)limit;
	job = sn_rows_job_create(hub, request, rows, read_page);
	job->cursor = cursor != NULL ? sn_xstrdup(cursor) : NULL;
	sn_rows_job_start(job);
}

static void reply_stream(struct sn_hub *hub, struct sn_http_request *request,
			 struct sn_rows_query *rows, enum sn_export_form form)
{
	struct sn_rows_stream stream = {.form = form, .limit = UINT64_MAX};

	if (sn_http_query(request, "cursor") != NULL) {
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"cursor: streams have all rows at once; ask for JSON to get pages");
		free(rows);
	} else if (!sn_api_query_u64(request, "limit", 1, UINT64_MAX, &stream.limit)) {
		free(rows);
	} else {
		sn_rows_stream(hub, request, rows, &stream);
	}
}

void sn_rows_reply(struct sn_hub *hub, struct sn_http_request *request, struct sn_rows_query *rows)
{
	if (sn_api_accepts(request, "application/x-ndjson"))
		reply_stream(hub, request, rows, SN_EXPORT_JSONL);
	else if (sn_api_accepts(request, "text/csv"))
		reply_stream(hub, request, rows, SN_EXPORT_CSV);
	else if (sn_api_accepts(request, "application/vnd.apache.parquet"))
		reply_stream(hub, request, rows, SN_EXPORT_PARQUET);
	else
		reply_page(hub, request, rows);
}

static void get_rows(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_rows_query *rows = sn_rows_read(hub, request);

	if (rows != NULL)
		sn_rows_reply(hub, request, rows);
}

/* Newest rows -------------------------------------------------------------------------- */

static bool passes(const struct sn_query *query, const struct sn_value *row)
{
	for (unsigned i = 0; i < query->filter_count; i++) {
		const struct sn_filter *filter = &query->filters[i];

		if (filter->value.type != SN_TYPE_TEXT ||
		    row[filter->column].type != SN_TYPE_TEXT ||
		    !sn_str_eq(row[filter->column].s, filter->value.s))
			return false;
	}
	return true;
}

static int write_passing(const struct sn_value *row, void *ctx)
{
	struct sn_rows_job *job = ctx;

	return passes(&job->rows->query, row) ? write_item(row, job) : atomic_load(&job->gone);
}

static int read_latest(struct sn_rows_job *job)
{
	sn_buf_adds(&job->text, "{\"items\":[");
	if (sn_store_latest(job->reader.store, job->rows->query.dataset, job->since_ns,
			    write_passing, job, &job->err) != 0)
		return job->err.code;
	end_page(&job->text, NULL);
	return 0;
}

/* The newest row of a series is what it is; only whose series are shown can be chosen. */
static bool only_series_filters(const struct sn_query *query)
{
	const char *key = query->dataset->key;

	for (unsigned i = 0; i < query->filter_count; i++) {
		int column = query->filters[i].column;

		if (query->filters[i].op != SN_EQ ||
		    (column != SN_COL_NODE &&
		     (key == NULL || strcmp(query->dataset->columns[column].name, key) != 0)))
			return false;
	}
	return true;
}

static void get_latest(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_rows_query *rows = sn_rows_read(hub, request);
	struct sn_rows_job *job;

	if (rows == NULL)
		return;
	if (!only_series_filters(&rows->query)) {
		sn_http_problem(
			request, 400, "bad-query", "A query parameter is no good",
			"only 'node' and the dataset's key can be chosen here, by equality");
		free(rows);
		return;
	}
	job = sn_rows_job_create(hub, request, rows, read_latest);
	job->since_ns =
		rows->query.since_ns != 0 ? rows->query.since_ns : sn_hub_now(hub) - LATEST_AGE_NS;
	sn_rows_job_start(job);
}

/* Declarations ------------------------------------------------------------------------ */

const struct sn_api_param sn_rows_params[] = {
	{"since", SN_API_TEXT, "from then on; RFC 3339 or like -15m", false},
	{"until", SN_API_TEXT, "before then; RFC 3339 or like -15m", false},
	{"order", SN_API_TEXT, "newest (default) or oldest first", false},
	{"limit", SN_API_INTEGER, "rows; JSON: 1 to 10,000, default 100; streams: default all",
	 false},
	{"cursor", SN_API_TEXT, "'next' of the page before; JSON only", false},
	{"fields", SN_API_TEXT, "columns, comma-separated; default all", false},
	{"within", SN_API_TEXT, SN_ROWS_WITHIN_HELP, false},
	{"node", SN_API_TEXT,
	 "id or name; like this any column, with > >= < <= ! ~ before the "
	 "value",
	 false},
};
_Static_assert(SN_COUNT(sn_rows_params) == SN_ROWS_PARAMS, "counted in rows.h");
static const struct sn_api_param latest_params[] = {
	{"since", SN_API_TEXT, "no older than that; default -24h", false},
	{"fields", SN_API_TEXT, "columns, comma-separated; default all", false},
	{"node", SN_API_TEXT, "id or name", false},
};

static const struct sn_api_doc list_doc = {
	.id = "listDatasets",
	.tag = "data",
	.summary = "what rows can be of",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &sn_declared_dataset_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getDataset",
	.tag = "data",
	.summary = "columns of a dataset, with unit and meaning",
	.answer = &sn_declared_dataset_schema,
};
static const struct sn_api_doc rows_doc = {
	.id = "getRows",
	.tag = "data",
	.summary = "rows as JSON page, JSON Lines stream or CSV stream",
	.params = sn_rows_params,
	.param_count = SN_ROWS_PARAMS,
	.columns = true,
	.kind = SN_ANSWER_ROWS,
};
static const struct sn_api_doc latest_doc = {
	.id = "getLatest",
	.tag = "data",
	.summary = "newest row per node and key",
	.params = latest_params,
	.param_count = SN_COUNT(latest_params),
	.columns = true,
	.kind = SN_ANSWER_ROWS,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/datasets", get_datasets, 0, SN_ACCESS_USER, &list_doc},
	{"GET", "/api/v1/datasets/{name}", get_dataset, 0, SN_ACCESS_USER, &get_doc},
	{"GET", "/api/v1/datasets/{name}/rows", get_rows, 0, SN_ACCESS_DATA, &rows_doc},
	{"GET", "/api/v1/datasets/{name}/latest", get_latest, 0, SN_ACCESS_DATA, &latest_doc},
};
const struct sn_api_routes sn_api_datasets = {routes, SN_COUNT(routes)};
