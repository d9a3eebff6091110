/* SPDX-License-Identifier: Apache-2.0 */
/* Rows put together: by the value of a column, and as they are distributed over time. */
#include "hub/groups.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "hub/api/stretch.h"
#include "hub/quantiles.h"

#define DEFAULT_LIMIT    10
#define DEFAULT_POINTS   60
#define DEFAULT_PERCENTS "50,90,99"

static void refuse(struct sn_http_request *request, const struct sn_err *err)
{
	sn_http_problem(request, 400, "bad-query", "A query parameter is no good", "%s", err->text);
}

static int read_column(const struct sn_dataset *dataset, const char *param, struct sn_str name,
		       struct sn_err *err)
{
	char text[64];
	int column;

	snprintf(text, sizeof(text), "%.*s", (int)SN_MIN(name.n, sizeof(text) - 1), name.p);
	column = sn_dataset_column(dataset, text);
	return column >= 0 ? column
			   : sn_err_set(err, -EINVAL, "%s: '%s' has no column '%s'", param,
					dataset->name, text);
}

/* Columns of numbers, separated by commas; how many, or negative. */
static int read_numbers(struct sn_http_request *request, const struct sn_dataset *dataset,
			const char *param, int *columns, unsigned max, struct sn_err *err)
{
	struct sn_str rest = sn_str(sn_http_query(request, param)), name;
	unsigned count = 0;

	while (rest.n > 0 && sn_str_split(&rest, ',', &name)) {
		int column = read_column(dataset, param, sn_str_trim(name), err);

		if (column < 0)
			return column;
		if (dataset->columns[column].type != SN_TYPE_I64 &&
		    dataset->columns[column].type != SN_TYPE_F64)
			return sn_err_set(err, -EINVAL, "%s: '%s' is no number", param,
					  dataset->columns[column].name);
		if (count == max)
			return sn_err_set(err, -EINVAL, "%s: more than %u columns", param, max);
		columns[count++] = column;
	}
	return (int)count;
}

static struct sn_bins bins_of(const struct sn_query *query, uint64_t count)
{
	return (struct sn_bins){query->since_ns, query->until_ns, (unsigned)count};
}

/* Groups -------------------------------------------------------------------------- */

static void add_row(const struct sn_value *row, void *ctx)
{
	sn_groups_add(ctx, row);
}

static void add_to_bins(const struct sn_value *row, void *ctx)
{
	sn_groups_add_to_bins(ctx, row);
}

static int read_groups(struct sn_rows_job *job)
{
	const struct sn_groups_question *question = job->question;
	struct sn_groups *groups = sn_groups_create(question);
	int failed = sn_stretch_each(job, add_row, groups);

	sn_groups_keep(groups);
	if (failed == 0 && question->bins.count > 0)
		failed = sn_stretch_each(job, add_to_bins, groups);
	if (failed == 0)
		sn_groups_write(groups, &job->text);
	sn_groups_destroy(groups);
	return failed;
}

static int read_groups_question(struct sn_http_request *request, const struct sn_query *query,
				struct sn_groups_question *question, struct sn_err *err)
{
	const char *by = sn_http_query(request, "by");
	int count;

	question->dataset = query->dataset;
	if (by == NULL)
		return sn_err_set(err, -EINVAL, "by: missing (the column to group by)");
	question->by = read_column(query->dataset, "by", sn_str(by), err);
	count = read_numbers(request, query->dataset, "weight", question->weights,
			     SN_GROUPS_WEIGHTS_MAX, err);
	question->weight_count = (unsigned)SN_MAX(count, 0);
	return SN_MIN(SN_MIN(question->by, count), 0);
}

static void get_groups(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_rows_query *rows = sn_stretch_read(hub, request);
	uint64_t limit = DEFAULT_LIMIT, points = 0;
	struct sn_groups_question question = {0};
	struct sn_rows_job *job;
	struct sn_err err = {0};

	if (rows == NULL)
		return;
	if (!sn_api_query_u64(request, "limit", 1, SN_GROUPS_KEPT_MAX, &limit) ||
	    !sn_api_query_u64(request, "points", 0, SN_GROUPS_POINTS_MAX, &points)) {
		free(rows);
		return;
	}
	if (read_groups_question(request, &rows->query, &question, &err) != 0) {
		refuse(request, &err);
		free(rows);
		return;
	}
	question.limit = (unsigned)limit;
	question.bins = bins_of(&rows->query, points);
	job = sn_rows_job_create(hub, request, rows, read_groups);
	job->question = sn_xmemdup(&question, sizeof(question));
	sn_rows_job_start(job);
}

/* Quantiles ------------------------------------------------------------------------ */

static void add_sample(const struct sn_value *row, void *ctx)
{
	sn_quantiles_add(ctx, row);
}

static int read_quantiles(struct sn_rows_job *job)
{
	struct sn_quantiles *quantiles = sn_quantiles_create(job->question);
	int failed = sn_stretch_each(job, add_sample, quantiles);

	if (failed == 0)
		sn_quantiles_write(quantiles, &job->text);
	sn_quantiles_destroy(quantiles);
	return failed;
}

static int read_percents(struct sn_http_request *request, struct sn_quantiles_question *question,
			 struct sn_err *err)
{
	const char *given = sn_http_query(request, "percents");
	struct sn_str rest = sn_str(given != NULL ? given : DEFAULT_PERCENTS), part;

	while (rest.n > 0 && sn_str_split(&rest, ',', &part)) {
		if (question->percent_count == SN_QUANTILES_SHARES_MAX)
			return sn_err_set(err, -EINVAL, "percents: more than %d",
					  SN_QUANTILES_SHARES_MAX);
		if (sn_parse_double(sn_str_trim(part), 0, 100,
				    &question->percents[question->percent_count++]) != 0)
			return sn_err_set(err, -EINVAL, "percents: '%.*s' is none from 0 to 100",
					  (int)SN_MIN(part.n, (size_t)32), part.p);
	}
	return 0;
}

static int read_quantiles_question(struct sn_http_request *request, const struct sn_query *query,
				   struct sn_quantiles_question *question, struct sn_err *err)
{
	int count = read_numbers(request, query->dataset, "columns", question->columns,
				 SN_QUANTILES_COLUMNS_MAX, err);

	question->dataset = query->dataset;
	if (count < 0)
		return count;
	if (count == 0)
		return sn_err_set(err, -EINVAL, "columns: missing (numbers, comma-separated)");
	question->column_count = (unsigned)count;
	return read_percents(request, question, err);
}

static void get_quantiles(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_rows_query *rows = sn_stretch_read(hub, request);
	struct sn_quantiles_question question = {0};
	uint64_t points = DEFAULT_POINTS;
	struct sn_rows_job *job;
	struct sn_err err = {0};

	if (rows == NULL)
		return;
	if (!sn_api_query_u64(request, "points", 1, SN_QUANTILES_POINTS_MAX, &points)) {
		free(rows);
		return;
	}
	if (read_quantiles_question(request, &rows->query, &question, &err) != 0) {
		refuse(request, &err);
		free(rows);
		return;
	}
	question.bins = bins_of(&rows->query, points);
	job = sn_rows_job_create(hub, request, rows, read_quantiles);
	job->question = sn_xmemdup(&question, sizeof(question));
	sn_rows_job_start(job);
}

/* Declarations ------------------------------------------------------------------- */

#define STRETCH_PARAMS                                                                             \
	{"since", SN_API_TEXT, "from then on; default one hour before until", false},              \
		{"until", SN_API_TEXT, "before then; default now", false},                         \
	{                                                                                          \
		"node", SN_API_TEXT, "id or name; like this any column, as for rows", false        \
	}

static const struct sn_api_param groups_params[] = {
	STRETCH_PARAMS,
	{"by", SN_API_TEXT, "column whose values make the groups", false},
	{"weight", SN_API_TEXT, "columns whose sum orders them, comma-separated; default the rows",
	 false},
	{"limit", SN_API_INTEGER, "groups that are told, 1 to 100, default 10", false},
	{"points", SN_API_INTEGER, "bins of a curve for each, up to 2000, default none", false},
};
static const struct sn_api_field groups_fields[] = {
	{"by", SN_API_TEXT, true, false, "the column"},
	{"weights", SN_API_ARRAY, true, false, "columns whose sum is the weight; none: rows"},
	{"bin_seconds", SN_API_NUMBER, false, false, "length of a bin"},
	{"time", SN_API_ARRAY, false, false, "Unix seconds at which the bins begin"},
	{"groups", SN_API_ARRAY, true, false,
	 "value, rows, weight, sums of the columns, bins; the weightiest first"},
	{"others", SN_API_OBJECT, true, false, "how many more values, and all of them together"},
	{"total", SN_API_OBJECT, true, false, "rows, weight and sums of all"},
};
static const struct sn_api_schema groups_schema = {"Groups",
						   "Rows put together by the value of a column.",
						   groups_fields, SN_COUNT(groups_fields)};
static const struct sn_api_doc groups_doc = {
	.id = "getGroups",
	.tag = "data",
	.summary = "the weightiest values of a column: top talkers, applications",
	.params = groups_params,
	.param_count = SN_COUNT(groups_params),
	.columns = true,
	.answer = &groups_schema,
};

static const struct sn_api_param quantiles_params[] = {
	STRETCH_PARAMS,
	{"columns", SN_API_TEXT, "numbers, comma-separated", false},
	{"percents", SN_API_TEXT, "0 to 100, comma-separated, default 50,90,99", false},
	{"points", SN_API_INTEGER, "bins that the time is cut into, 1 to 2000, default 60", false},
};
static const struct sn_api_field quantiles_fields[] = {
	{"bin_seconds", SN_API_NUMBER, true, false, "length of a bin"},
	{"time", SN_API_ARRAY, true, false, "Unix seconds at which the bins begin"},
	{"percents", SN_API_ARRAY, true, false, "as asked"},
	{"columns", SN_API_OBJECT, true, false,
	 "by name: rows of each bin, and values: an array of bins per percent, null without rows"},
};
static const struct sn_api_schema quantiles_schema = {
	"Quantiles", "How columns are distributed in each bin of time (nearest rank).",
	quantiles_fields, SN_COUNT(quantiles_fields)};
static const struct sn_api_doc quantiles_doc = {
	.id = "getQuantiles",
	.tag = "data",
	.summary = "percentiles of columns over time",
	.params = quantiles_params,
	.param_count = SN_COUNT(quantiles_params),
	.columns = true,
	.answer = &quantiles_schema,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/datasets/{name}/groups", get_groups, 0, SN_ACCESS_DATA, &groups_doc},
	{"GET", "/api/v1/datasets/{name}/quantiles", get_quantiles, 0, SN_ACCESS_DATA,
	 &quantiles_doc},
};
const struct sn_api_routes sn_api_groups = {routes, SN_COUNT(routes)};
