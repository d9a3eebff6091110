/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that read many rows: series for charts, and whether a stream has gaps. */
#include "hub/series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/api/rows.h"

#define ROWS_PER_TURN  2000 /* so that others get their turn */
#define ROWS_MAX       2000000
#define DEFAULT_AGE_NS (3600 * SN_NS_PER_S)
#define DEFAULT_POINTS 600

/* Series ---------------------------------------------------------------------------- */

struct series_job {
	struct sn_hub *hub;
	struct sn_http_request *request;
	struct sn_rows_query *rows;
	struct sn_series *series;
	struct sn_timer turn;
	char *cursor;
	uint64_t seen;
};

static void job_destroy(struct series_job *job)
{
	sn_timer_stop(&job->turn);
	sn_series_destroy(job->series);
	free(job->cursor);
	free(job->rows);
	free(job);
}

static void job_abandoned(struct sn_http_request *request, void *ctx)
{
	(void)request;
	job_destroy(ctx);
}

static int take_row(const struct sn_value *row, void *ctx)
{
	struct series_job *job = ctx;
	struct sn_value picked[SN_DATASET_COLUMNS_MAX];

	sn_rows_pick(job->rows, row, picked);
	sn_series_add(job->series, row[SN_COL_TIME].i, picked);
	job->seen++;
	return 0;
}

static void job_done(struct series_job *job)
{
	struct sn_buf text = {0};

	sn_series_write(job->series, &text);
	sn_http_reply(job->request, 200, "application/json", text.p, text.n);
	sn_buf_finish(&text);
	job_destroy(job);
}

static void job_turn(struct sn_timer *timer)
{
	struct series_job *job = sn_container_of(timer, struct series_job, turn);
	struct sn_query *query = &job->rows->query;
	struct sn_err err = {0};
	char *next = NULL;

	query->cursor = job->cursor;
	if (sn_store_query(job->hub->store, query, take_row, job, &next, &err) != 0) {
		sn_api_trouble(job->request, &err);
		job_destroy(job);
		return;
	}
	free(job->cursor);
	job->cursor = next;
	if (next == NULL) {
		job_done(job);
	} else if (job->seen >= ROWS_MAX) {
		sn_http_problem(job->request, 422, "too-many-rows", "Too many rows for one chart",
				"ask for a shorter time, or for one node or target");
		job_destroy(job);
	} else {
		sn_timer_in(&job->turn, 0);
	}
}

static void get_series(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_rows_query *rows = sn_rows_read(hub, request);
	uint64_t points = DEFAULT_POINTS;
	struct series_job *job;

	if (rows == NULL)
		return;
	if (!sn_api_query_u64(request, "points", 1, SN_SERIES_POINTS_MAX, &points)) {
		free(rows);
		return;
	}
	if (rows->query.until_ns == 0)
		rows->query.until_ns = sn_hub_now(hub);
	if (rows->query.since_ns == 0)
		rows->query.since_ns = rows->query.until_ns - DEFAULT_AGE_NS;
	if (rows->query.since_ns >= rows->query.until_ns) {
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"since: not before until");
		free(rows);
		return;
	}
	rows->query.newest_first = false;
	rows->query.limit = ROWS_PER_TURN;
	job = sn_new(struct series_job);
	job->hub = hub;
	job->request = request;
	job->rows = rows;
	job->series = sn_series_create(&rows->shape, rows->query.since_ns, rows->query.until_ns,
				       (unsigned)points);
	sn_http_on_abandon(request, job_abandoned, job);
	sn_timer_init(&job->turn, hub->loop, job_turn);
	job_turn(&job->turn);
}

/* Gaps ------------------------------------------------------------------------------- */

struct check_job {
	struct sn_work work;
	struct sn_http_request *request; /* NULL once the client has gone away */
	char *store_dir;
	char node[SN_ULID_SIZE];
	struct sn_store_check check;
	struct sn_err err;
};

/* On a thread, with a store of its own: it reads everything a node has ever sent. */
static void check_run(struct sn_work *work)
{
	struct check_job *job = sn_container_of(work, struct check_job, work);
	struct sn_store *store;

	if (sn_store_open(job->store_dir, &store, &job->err) != 0)
		return;
	(void)sn_store_check_node(store, job->node, &job->check, &job->err);
	sn_store_close(store);
}

static void check_done(struct sn_work *work)
{
	struct check_job *job = sn_container_of(work, struct check_job, work);
	const struct sn_store_check *check = &job->check;

	if (job->request != NULL && job->err.code != 0)
		sn_api_trouble(job->request, &job->err);
	else if (job->request != NULL)
		sn_http_reply_json(job->request, 200,
				   json_pack("{s:I, s:I, s:I, s:I, s:I}", "rows",
					     (json_int_t)check->rows, "seq_min",
					     (json_int_t)check->seq_min, "seq_max",
					     (json_int_t)check->seq_max, "duplicates",
					     (json_int_t)check->duplicates, "missing",
					     (json_int_t)check->missing));
	free(job->store_dir);
	free(job);
}

static void check_abandoned(struct sn_http_request *request, void *ctx)
{
	struct check_job *job = ctx;

	(void)request;
	job->request = NULL;
}

static void get_check(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_node *node =
		sn_api_node_named(hub, request, sn_http_param(request, "node"));
	struct check_job *job;

	if (node == NULL)
		return;
	job = sn_new(struct check_job);
	job->request = request;
	job->store_dir = sn_xstrdup(hub->store_dir);
	memcpy(job->node, node->id, sizeof(job->node));
	if (sn_work_start(hub->work, &job->work, check_run, check_done) != 0) {
		sn_http_problem(request, 503, "busy", "Too much is being worked on",
				"try again in a moment");
		free(job->store_dir);
		free(job);
		return;
	}
	sn_http_on_abandon(request, check_abandoned, job);
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
	{"GET", "/api/v1/datasets/{name}/series", get_series, 0, SN_ACCESS_USER, &series_doc},
	{"GET", "/api/v1/check/{node}", get_check, 0, SN_ACCESS_USER, &check_doc},
};
const struct sn_api_routes sn_api_series = {routes, SN_COUNT(routes)};
