/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to take away: all that a question asks for, as a file. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "exchange/monroe_csv.h"
#include "hub/api/api.h"
#include "hub/api/rows_stream.h"

#define DAY_NS (86400 * SN_NS_PER_S)

/* The name of the file ------------------------------------------------------------ */

/* "_2026-03-01", or "_20260301T120000Z" where it is no midnight; nothing without a bound. */
static void add_bound(struct sn_buf *name, int64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / SN_NS_PER_S);
	char text[32];
	struct tm tm;

	if (unix_ns == 0)
		return;
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), unix_ns % DAY_NS == 0 ? "%Y-%m-%d" : "%Y%m%dT%H%M%SZ", &tm);
	sn_buf_addf(name, "_%s", text);
}

/* The original's name, if it is a day as the original has them. */
static bool name_dump(const struct sn_query *query, struct sn_buf *name)
{
	struct sn_monroe_csv *csv = sn_monroe_csv_create(query->dataset, SN_MONROE_DUMP);

	if (csv == NULL || query->since_ns % DAY_NS != 0 ||
	    query->until_ns != query->since_ns + DAY_NS) {
		sn_monroe_csv_destroy(csv);
		return false;
	}
	sn_monroe_csv_name(csv, (int32_t)(query->since_ns / DAY_NS), name);
	sn_monroe_csv_destroy(csv);
	return true;
}

static char *file_name(const struct sn_query *query, const struct sn_rows_stream *stream)
{
	struct sn_buf name = {0};

	if (stream->form != SN_EXPORT_MONROE || !name_dump(query, &name)) {
		sn_buf_adds(&name, query->dataset->name);
		add_bound(&name, query->since_ns);
		add_bound(&name, query->until_ns);
		sn_buf_adds(&name, sn_export_form_suffix(stream->form));
	}
	sn_buf_adds(&name, sn_export_packing_suffix(stream->packing));
	sn_buf_cstr(&name);
	return name.p;
}

/* The answer ------------------------------------------------------------------------ */

static bool read_form(struct sn_http_request *request, struct sn_rows_stream *stream)
{
	const char *format = sn_http_query(request, "format"),
		   *compress = sn_http_query(request, "compress");

	if (format != NULL && sn_export_form_parse(sn_str(format), &stream->form) != 0)
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"format: '%.40s' is not csv, jsonl, parquet or monroe", format);
	else if (compress != NULL &&
		 sn_export_packing_parse(sn_str(compress), &stream->packing) != 0)
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"compress: '%.40s' is not none, gzip or zstd", compress);
	else
		return sn_api_query_u64(request, "limit", 1, UINT64_MAX, &stream->limit);
	return false;
}

static void get_export(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_rows_stream stream = {.form = SN_EXPORT_CSV, .limit = UINT64_MAX};
	struct sn_rows_query *rows = sn_rows_read(hub, request);
	sn_autofree char *file = NULL;

	if (rows == NULL)
		return;
	if (!read_form(request, &stream)) {
		free(rows);
		return;
	}
	if (sn_http_query(request, "order") == NULL)
		rows->query.newest_first = false;
	stream.file = file = file_name(&rows->query, &stream);
	sn_rows_stream(hub, request, rows, &stream);
}

static const struct sn_api_param params[] = {
	{"format", SN_API_TEXT, "csv (default), jsonl, parquet or, for monroe_*, monroe", false},
	{"compress", SN_API_TEXT, "none (default), gzip or zstd; not for parquet", false},
	{"since", SN_API_TEXT, "from then on; RFC 3339 or like -15m", false},
	{"until", SN_API_TEXT, "before then; RFC 3339 or like -15m", false},
	{"order", SN_API_TEXT, "oldest (default) or newest first", false},
	{"limit", SN_API_INTEGER, "rows; default all", false},
	{"fields", SN_API_TEXT, "columns, comma-separated; default all", false},
	{"within", SN_API_TEXT, SN_ROWS_WITHIN_HELP, false},
	{"node", SN_API_TEXT,
	 "id or name; like this any column, with > >= < <= ! ~ before the value", false},
};
static const struct sn_api_doc export_doc = {
	.id = "exportRows",
	.tag = "data",
	.summary = "all rows as a file: CSV, JSON Lines, Parquet or MONROE's daily dump",
	.params = params,
	.param_count = SN_COUNT(params),
	.columns = true,
	.kind = SN_ANSWER_TEXT,
	.content_type = "application/octet-stream",
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/datasets/{name}/export", get_export, 0, SN_ACCESS_DATA, &export_doc},
};
const struct sn_api_routes sn_api_export = {routes, SN_COUNT(routes)};
