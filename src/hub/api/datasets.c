/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/codec.h"
#include "hub/api/api.h"
#include "hub/api/declared.h"
#include "hub/api/rows.h"

#define STREAM_PAGE   500 /* rows fetched per turn of the loop */
#define LATEST_AGE_NS (86400 * SN_NS_PER_S)

static void get_datasets(struct sn_http_request *request, void *ctx)
{
	json_t *items = json_array();

	(void)ctx;
	for (size_t i = 0; i < sn_catalog_count; i++)
		json_array_append_new(items, sn_declared_dataset(sn_catalog[i]));
	sn_api_reply_list(request, items, "name");
}

static void get_dataset(struct sn_http_request *request, void *ctx)
{
	const struct sn_dataset *dataset = sn_rows_dataset(request);

	(void)ctx;
	if (dataset != NULL)
		sn_http_reply_json(request, 200, sn_declared_dataset(dataset));
}

/* A page of rows as JSON ------------------------------------------------------------ */

struct page {
	const struct sn_rows_query *rows;
	struct sn_buf text;
	bool any;
};

static int write_item(const struct sn_value *row, void *ctx)
{
	struct page *page = ctx;
	struct sn_value picked[SN_DATASET_COLUMNS_MAX];

	if (page->any)
		sn_buf_addc(&page->text, ',');
	page->any = true;
	sn_rows_pick(page->rows, row, picked);
	sn_jsonl_write_row(&page->text, &page->rows->shape, picked);
	page->text.n--; /* the line feed */
	return 0;
}

static void end_page(struct page *page, const char *next)
{
	sn_buf_adds(&page->text, "],\"next\":");
	if (next == NULL) {
		sn_buf_adds(&page->text, "null}");
		return;
	}
	sn_buf_addc(&page->text, '"');
	sn_json_escape(&page->text, sn_str(next));
	sn_buf_adds(&page->text, "\"}");
}

static void reply_failed_query(struct sn_http_request *request, const struct sn_err *err)
{
	if (err->code == -EINVAL)
		sn_http_problem(request, 400, "bad-cursor", "This cursor leads nowhere",
				"start again without 'cursor'");
	else
		sn_api_trouble(request, err);
}

static void reply_json_page(struct sn_hub *hub, struct sn_http_request *request,
			    struct sn_rows_query *rows)
{
	struct page page = {.rows = rows};
	struct sn_err err = {0};
	uint64_t limit = SN_API_LIMIT;
	sn_autofree char *next = NULL;

	if (!sn_api_query_u64(request, "limit", 1, SN_API_LIMIT_MAX, &limit))
		return;
	rows->query.limit = (uint32_t)limit;
	rows->query.cursor = sn_http_query(request, "cursor");
	sn_buf_adds(&page.text, "{\"items\":[");
	if (sn_store_query(hub->store, &rows->query, write_item, &page, &next, &err) != 0) {
		reply_failed_query(request, &err);
	} else {
		end_page(&page, next);
		sn_http_reply(request, 200, "application/json", page.text.p, page.text.n);
	}
	sn_buf_finish(&page.text);
}

/* All rows as a stream ---------------------------------------------------------------- */

struct row_stream {
	struct sn_hub *hub;
	struct sn_rows_query *rows;
	void (*write)(struct sn_buf *out, const struct sn_dataset *dataset,
		      const struct sn_value *row);
	struct sn_buf *out; /* of the piece being made */
	char *cursor;
	uint64_t left; /* rows that are still wanted */
	bool begun;
};

static int write_line(const struct sn_value *row, void *ctx)
{
	struct row_stream *stream = ctx;
	struct sn_value picked[SN_DATASET_COLUMNS_MAX];

	sn_rows_pick(stream->rows, row, picked);
	stream->write(stream->out, &stream->rows->shape, picked);
	stream->left--;
	return 0;
}

static int produce_rows(struct sn_buf *out, void *ctx)
{
	struct row_stream *stream = ctx;
	struct sn_query *query = &stream->rows->query;
	struct sn_err err = {0};
	char *next = NULL;

	if (!stream->begun && stream->write == sn_csv_write_row)
		sn_csv_write_header(out, &stream->rows->shape);
	stream->begun = true;
	stream->out = out;
	query->cursor = stream->cursor;
	query->limit = (uint32_t)SN_MIN(stream->left, (uint64_t)STREAM_PAGE);
	if (sn_store_query(stream->hub->store, query, write_line, stream, &next, &err) != 0)
		return err.code;
	free(stream->cursor);
	stream->cursor = next;
	return next != NULL && stream->left > 0;
}

static void release_stream(void *ctx)
{
	struct row_stream *stream = ctx;

	free(stream->cursor);
	free(stream->rows);
	free(stream);
}

static void reply_stream(struct sn_hub *hub, struct sn_http_request *request,
			 struct sn_rows_query *rows, bool csv)
{
	const char *cursor = sn_http_query(request, "cursor");
	uint64_t limit = UINT64_MAX;
	struct row_stream *stream;

	if (!sn_api_query_u64(request, "limit", 1, UINT64_MAX, &limit)) {
		free(rows);
		return;
	}
	stream = sn_new(struct row_stream);
	stream->hub = hub;
	stream->rows = rows;
	stream->write = csv ? sn_csv_write_row : sn_jsonl_write_row;
	stream->cursor = cursor != NULL ? sn_xstrdup(cursor) : NULL;
	stream->left = limit;
	sn_http_reply_stream(request, 200, csv ? "text/csv; charset=utf-8" : "application/x-ndjson",
			     produce_rows, release_stream, stream);
}

static void get_rows(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_rows_query *rows = sn_rows_read(hub, request);

	if (rows == NULL)
		return;
	if (sn_api_accepts(request, "application/x-ndjson")) {
		reply_stream(hub, request, rows, false);
	} else if (sn_api_accepts(request, "text/csv")) {
		reply_stream(hub, request, rows, true);
	} else {
		reply_json_page(hub, request, rows);
		free(rows);
	}
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
	struct page *page = ctx;

	return passes(&page->rows->query, row) ? write_item(row, ctx) : 0;
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
	sn_autofree struct sn_rows_query *rows = sn_rows_read(hub, request);
	struct page page = {.rows = rows};
	struct sn_err err = {0};
	int64_t since_ns = sn_hub_now(hub) - LATEST_AGE_NS;

	if (rows == NULL || !sn_api_query_time(hub, request, "since", &since_ns))
		return;
	if (!only_series_filters(&rows->query)) {
		sn_http_problem(
			request, 400, "bad-query", "A query parameter is no good",
			"only 'node' and the dataset's key can be chosen here, by equality");
		return;
	}
	sn_buf_adds(&page.text, "{\"items\":[");
	if (sn_store_latest(hub->store, rows->query.dataset, since_ns, write_passing, &page,
			    &err) != 0) {
		sn_api_trouble(request, &err);
	} else {
		end_page(&page, NULL);
		sn_http_reply(request, 200, "application/json", page.text.p, page.text.n);
	}
	sn_buf_finish(&page.text);
}

/* Declarations ------------------------------------------------------------------------ */

static const struct sn_api_param row_params[] = {
	{"since", SN_API_TEXT, "from then on; RFC 3339 or like -15m", false},
	{"until", SN_API_TEXT, "before then; RFC 3339 or like -15m", false},
	{"order", SN_API_TEXT, "newest (default) or oldest first", false},
	{"limit", SN_API_INTEGER, "rows; JSON: 1 to 10,000, default 100; streams: default all",
	 false},
	{"cursor", SN_API_TEXT, "'next' of the page before", false},
	{"fields", SN_API_TEXT, "columns, comma-separated; default all", false},
	{"node", SN_API_TEXT,
	 "id or name; like this any column, with > >= < <= ! ~ before the "
	 "value",
	 false},
};
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
	.params = row_params,
	.param_count = SN_COUNT(row_params),
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
	{"GET", "/api/v1/datasets/{name}/rows", get_rows, 0, SN_ACCESS_USER, &rows_doc},
	{"GET", "/api/v1/datasets/{name}/latest", get_latest, 0, SN_ACCESS_USER, &latest_doc},
};
const struct sn_api_routes sn_api_datasets = {routes, SN_COUNT(routes)};
