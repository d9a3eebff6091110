/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that read many rows: series for charts, and whether a stream has gaps. */
#include "hub/series.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/stretch.h"

#define DEFAULT_POINTS 600

/* Series ---------------------------------------------------------------------------- */

struct reading {
	const struct sn_rows_query *rows;
	struct sn_series *series;
};

static void take_row(const struct sn_value *row, void *ctx)
{
	struct reading *reading = ctx;
	struct sn_value picked[SN_DATASET_COLUMNS_MAX];

	sn_rows_pick(reading->rows, row, picked);
	sn_series_add(reading->series, row[SN_COL_TIME].i, picked);
}

static int read_series(struct sn_rows_job *job)
{
	const struct sn_query *query = &job->rows->query;
	struct reading reading = {.rows = job->rows};
	int failed;

	reading.series =
		sn_series_create(&job->rows->shape, query->since_ns, query->until_ns, job->points);
	failed = sn_stretch_each(job, take_row, &reading);
	if (failed == 0)
		sn_series_write(reading.series, &job->text);
	sn_series_destroy(reading.series);
	return failed;
}

static void get_series(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_rows_query *rows = sn_stretch_read(hub, request);
	uint64_t points = DEFAULT_POINTS;
	struct sn_rows_job *job;

	if (rows == NULL)
		return;
	if (!sn_api_query_u64(request, "points", 1, SN_SERIES_POINTS_MAX, &points)) {
		free(rows);
		return;
	}
	job = sn_rows_job_create(hub, request, rows, read_series);
	job->points = (unsigned)points;
	sn_rows_job_start(job);
}

/* Gaps ------------------------------------------------------------------------------- */

static int read_check(struct sn_rows_job *job)
{
	struct sn_store_check check;
	struct sn_jw jw;

	if (sn_store_check_node(job->reader.store, job->node, &check, &job->err) != 0)
		return job->err.code;
	sn_jw_init(&jw, &job->text);
	sn_jw_object(&jw);
	sn_jw_ku64(&jw, "rows", check.rows);
	sn_jw_ku64(&jw, "seq_min", check.seq_min);
	sn_jw_ku64(&jw, "seq_max", check.seq_max);
	sn_jw_ku64(&jw, "duplicates", check.duplicates);
	sn_jw_ku64(&jw, "missing", check.missing);
	sn_jw_object_end(&jw);
	return 0;
}

static void get_check(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_node *node =
		sn_api_node_named(hub, request, sn_http_param(request, "node"));
	struct sn_rows_job *job;

	if (node == NULL)
		return;
	job = sn_rows_job_create(hub, request, NULL, read_check);
	memcpy(job->node, node->id, sizeof(job->node));
	sn_rows_job_start(job);
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_param series_params[] = {
	{"since", SN_API_TEXT, "from then on; default one hour before until", false},
	{"until", SN_API_TEXT, "before then; default now", false},
	{"points", SN_API_INTEGER, "bins that the time is cut into, 1 to 5000, default 600", false},
	{"fields", SN_API_TEXT, "columns, comma-separated; default all numbers", false},
	{"node", SN_API_TEXT, "id or name; like this any column, as for rows", false},
	{"target", SN_API_TEXT, "the dataset's key, where that is its name", false},
};
static const struct sn_api_field series_fields[] = {
	{"bin_seconds", SN_API_NUMBER, true, false, "length of a bin"},
	{"time", SN_API_ARRAY, true, false, "Unix seconds, mean of the rows of the bin"},
	{"rows", SN_API_ARRAY, true, false, "how many rows the bin has"},
	{"columns", SN_API_OBJECT, true, false, "an array per column"},
	{"minima", SN_API_OBJECT, true, false, "of columns merged by mean, if bins have more rows"},
	{"maxima", SN_API_OBJECT, true, false, "of columns merged by mean, if bins have more rows"},
};
static const struct sn_api_schema series_schema = {
	"Series", "Rows merged into bins of time; bins without rows are left out.", series_fields,
	SN_COUNT(series_fields)};
static const struct sn_api_field check_fields[] = {
	{"rows", SN_API_INTEGER, true, false, "of the node"},
	{"seq_min", SN_API_INTEGER, true, false, "smallest number"},
	{"seq_max", SN_API_INTEGER, true, false, "largest number"},
	{"duplicates", SN_API_INTEGER, true, false, "rows with a number that another row has"},
	{"missing", SN_API_INTEGER, true, false, "numbers between them that no row has"},
};
static const struct sn_api_schema check_schema = {"Check", "Is the node's stream without gaps.",
						  check_fields, SN_COUNT(check_fields)};

static const struct sn_api_doc series_doc = {
	.id = "getSeries",
	.tag = "data",
	.summary = "rows merged into time bins, for charts",
	.params = series_params,
	.param_count = SN_COUNT(series_params),
	.columns = true,
	.answer = &series_schema,
};
static const struct sn_api_doc check_doc = {
	.id = "checkNode",
	.tag = "data",
	.summary = "gaplessness of a node's stream",
	.answer = &check_schema,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/datasets/{name}/series", get_series, 0, SN_ACCESS_DATA, &series_doc},
	{"GET", "/api/v1/check/{node}", get_check, 0, SN_ACCESS_DATA, &check_doc},
};
const struct sn_api_routes sn_api_series = {routes, SN_COUNT(routes)};
