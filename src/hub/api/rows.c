/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/api/rows.h"

#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const struct sn_dataset *sn_rows_dataset(struct sn_http_request *request)
{
	const char *name = sn_http_param(request, "name"), *near;
	const struct sn_dataset *dataset = sn_catalog_find(name);
	const char *names[1024];
	size_t count = 0;

	if (dataset != NULL)
		return dataset;
	for (; count < sn_catalog_size() && count < SN_COUNT(names); count++)
		names[count] = sn_catalog_at(count)->name;
	near = sn_suggest(name, names, count);
	sn_http_problem(request, 404, "not-found", "There is no such thing",
			"no dataset is called '%.64s'%s%s%s", name,
			near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
			near != NULL ? "'?)" : "");
	return NULL;
}

/* Filters ----------------------------------------------------------------------- */

static const struct {
	const char *sign;
	enum sn_query_op op;
} operators[] = {
	/* longer ones first */
	{">=", SN_GE}, {"<=", SN_LE}, {">", SN_GT}, {"<", SN_LT}, {"!", SN_NE}, {"~", SN_CONTAINS},
};

static enum sn_query_op take_operator(const char **value)
{
	for (size_t i = 0; i < SN_COUNT(operators); i++) {
		size_t n = strlen(operators[i].sign);

		if (strncmp(*value, operators[i].sign, n) == 0) {
			*value += n;
			return operators[i].op;
		}
	}
	return SN_EQ;
}

static int parse_value(enum sn_type type, struct sn_str text, int64_t now_ns,
		       struct sn_value *value)
{
	value->type = type;
	switch (type) {
	case SN_TYPE_BOOL:
		return sn_parse_bool(text, &value->b);
	case SN_TYPE_I64:
		return sn_parse_i64(text, INT64_MIN, INT64_MAX, &value->i);
	case SN_TYPE_F64:
		return sn_parse_double(text, -DBL_MAX, DBL_MAX, &value->f);
	case SN_TYPE_TIME:
		return sn_parse_time(text, now_ns, &value->i);
	default:
		value->s = text;
		return 0;
	}
}

int sn_rows_parse_filter(const struct sn_dataset *dataset, int column, const char *value,
			 int64_t now_ns, struct sn_filter *filter, char text[SN_TEXT_MAX],
			 struct sn_err *err)
{
	const struct sn_column *declared = &dataset->columns[column];

	filter->column = column;
	filter->op = take_operator(&value);
	if (strlen(value) >= SN_TEXT_MAX)
		return sn_err_set(err, -EINVAL, "%s: longer than %d bytes", declared->name,
				  SN_TEXT_MAX - 1);
	if (filter->op == SN_CONTAINS && declared->type != SN_TYPE_TEXT)
		return sn_err_set(err, -EINVAL, "%s: '~' is for texts, and this is of type '%s'",
				  declared->name, sn_type_name(declared->type));
	snprintf(text, SN_TEXT_MAX, "%s", value);
	if (parse_value(declared->type, sn_str(text), now_ns, &filter->value) != 0)
		return sn_err_set(err, -EINVAL, "%s: '%.60s' is no %s", declared->name, value,
				  sn_type_name(declared->type));
	return 0;
}

/* A node may be given by name; rows hold ids. */
static const char *node_id(struct sn_hub *hub, const char *value)
{
	const struct sn_node *node = sn_fleet_find(hub->fleet, value);

	return node != NULL ? node->id : value;
}

static int add_filter(struct sn_hub *hub, struct sn_rows_query *rows, int column, const char *value,
		      struct sn_err *err)
{
	struct sn_query *query = &rows->query;
	unsigned at = query->filter_count;

	if (at >= SN_QUERY_FILTERS_MAX)
		return sn_err_set(err, -EINVAL, "more than %d filters", SN_QUERY_FILTERS_MAX);
	if (column == SN_COL_NODE)
		value = node_id(hub, value);
	if (sn_rows_parse_filter(query->dataset, column, value, sn_hub_now(hub),
				 &query->filters[at], rows->texts[at], err) != 0)
		return err->code;
	query->filter_count++;
	return 0;
}

/* A column may be named several times: all its filters hold. */
static int read_filters(struct sn_hub *hub, struct sn_http_request *request,
			struct sn_rows_query *rows, struct sn_err *err)
{
	const struct sn_dataset *dataset = rows->query.dataset;
	const char *name;

	/* By column, so that a cursor does not depend on the order of parameters. Column 0 is the
	 * time, for which there are since and until. */
	for (int column = 1; column < (int)dataset->column_count; column++) {
		for (unsigned i = 0; (name = sn_http_query_name(request, i)) != NULL; i++) {
			if (strcmp(name, dataset->columns[column].name) == 0 &&
			    add_filter(hub, rows, column, sn_http_query_value(request, i), err) !=
				    0)
				return err->code;
		}
	}
	return 0;
}

/* An area ------------------------------------------------------------------------- */

static int add_bound(struct sn_query *query, int column, enum sn_query_op op, double value,
		     struct sn_err *err)
{
	if (query->filter_count >= SN_QUERY_FILTERS_MAX)
		return sn_err_set(err, -EINVAL, "more than %d filters", SN_QUERY_FILTERS_MAX);
	query->filters[query->filter_count++] = (struct sn_filter){
		.column = column, .op = op, .value = {.type = SN_TYPE_F64, .f = value}};
	return 0;
}

int sn_rows_parse_area(struct sn_str text, double corner[4])
{
	struct sn_str part;

	for (unsigned i = 0; i < 4; i++) {
		double limit = i % 2 == 0 ? 90 : 180;

		if (!sn_str_split(&text, ',', &part) ||
		    sn_parse_double(sn_str_trim(part), -limit, limit, &corner[i]) != 0)
			return -EINVAL;
	}
	return text.n == 0 && text.p == NULL ? 0 : -EINVAL;
}

/*
 * Corners in any order of latitude; from the first longitude eastwards to the second, if that is
 * the smaller one over the 180th meridian: east of the first or west of the second.
 */
static int read_area(struct sn_http_request *request, struct sn_rows_query *rows,
		     struct sn_err *err)
{
	struct sn_query *query = &rows->query;
	const char *text = sn_http_query(request, "within");
	int latitude = sn_dataset_column(query->dataset, "latitude"),
	    longitude = sn_dataset_column(query->dataset, "longitude");
	double c[4];

	if (text == NULL)
		return 0;
	if (latitude < 0 || longitude < 0)
		return sn_err_set(err, -EINVAL,
				  "within: '%s' has no columns 'latitude' and 'longitude'",
				  query->dataset->name);
	if (sn_rows_parse_area(sn_str(text), c) != 0)
		return sn_err_set(err, -EINVAL,
				  "within: '%.60s' is not two corners like '48.1,11.4,48.2,11.7' "
				  "(latitude,longitude,latitude,longitude in degrees)",
				  text);
	if (add_bound(query, latitude, SN_GE, SN_MIN(c[0], c[2]), err) != 0 ||
	    add_bound(query, latitude, SN_LE, SN_MAX(c[0], c[2]), err) != 0 ||
	    add_bound(query, longitude, SN_GE, c[1], err) != 0)
		return err->code;
	query->filters[query->filter_count - 1].or_next = c[1] > c[3];
	return add_bound(query, longitude, SN_LE, c[3], err);
}

/* Columns ------------------------------------------------------------------------- */

static int want_column(struct sn_rows_query *rows, struct sn_str name, struct sn_err *err)
{
	const struct sn_dataset *dataset = rows->query.dataset;
	char text[64];
	int column;

	snprintf(text, sizeof(text), "%.*s", (int)SN_MIN(name.n, sizeof(text) - 1), name.p);
	column = sn_dataset_column(dataset, text);
	if (column < 0)
		return sn_err_set(err, -EINVAL, "fields: '%s' has no column '%s'", dataset->name,
				  text);
	if (rows->shape.column_count >= SN_DATASET_COLUMNS_MAX)
		return sn_err_set(err, -EINVAL, "fields: too many");
	rows->from[rows->shape.column_count] = column;
	rows->columns[rows->shape.column_count++] = dataset->columns[column];
	return 0;
}

static int read_fields(struct sn_http_request *request, struct sn_rows_query *rows,
		       struct sn_err *err)
{
	const struct sn_dataset *dataset = rows->query.dataset;
	const char *fields = sn_http_query(request, "fields");
	struct sn_str rest = sn_str(fields), name;

	rows->shape = *dataset;
	rows->shape.columns = rows->columns;
	rows->shape.column_count = 0;
	for (size_t i = 0; fields == NULL && i < dataset->column_count; i++) {
		rows->from[i] = (int)i;
		rows->columns[i] = dataset->columns[i];
		rows->shape.column_count++;
	}
	while (rest.n > 0 && sn_str_split(&rest, ',', &name)) {
		if (want_column(rows, sn_str_trim(name), err) != 0)
			return err->code;
	}
	return rows->shape.column_count > 0 ? 0 : sn_err_set(err, -EINVAL, "fields: none");
}

void sn_rows_pick(const struct sn_rows_query *rows, const struct sn_value *row,
		  struct sn_value out[SN_DATASET_COLUMNS_MAX])
{
	for (size_t i = 0; i < rows->shape.column_count; i++)
		out[i] = row[rows->from[i]];
}

/* All of it ----------------------------------------------------------------------- */

static int read_order(struct sn_http_request *request, struct sn_query *query, struct sn_err *err)
{
	const char *order = sn_http_query(request, "order");

	query->newest_first = order == NULL || strcmp(order, "newest") == 0;
	if (!query->newest_first && strcmp(order, "oldest") != 0)
		return sn_err_set(err, -EINVAL, "order: neither 'newest' nor 'oldest'");
	return 0;
}

struct sn_rows_query *sn_rows_read(struct sn_hub *hub, struct sn_http_request *request)
{
	const struct sn_dataset *dataset = sn_rows_dataset(request);

	return dataset != NULL ? sn_rows_read_of(hub, request, dataset, NULL) : NULL;
}

static void only_task(struct sn_rows_query *rows, const char *task)
{
	struct sn_filter *filter = &rows->query.filters[0];

	snprintf(rows->texts[0], sizeof(rows->texts[0]), "%s", task);
	*filter = (struct sn_filter){
		.column = SN_COL_TASK,
		.op = SN_EQ,
		.value = {.type = SN_TYPE_TEXT, .s = sn_str(rows->texts[0])},
	};
	rows->query.filter_count = 1;
}

struct sn_rows_query *sn_rows_read_of(struct sn_hub *hub, struct sn_http_request *request,
				      const struct sn_dataset *dataset, const char *task)
{
	struct sn_rows_query *rows;
	struct sn_err err = {0};

	rows = sn_new(struct sn_rows_query);
	rows->query.dataset = dataset;
	if (task != NULL)
		only_task(rows, task);
	if (!sn_api_query_time(hub, request, "since", &rows->query.since_ns) ||
	    !sn_api_query_time(hub, request, "until", &rows->query.until_ns)) {
		free(rows);
		return NULL;
	}
	if (read_order(request, &rows->query, &err) != 0 ||
	    read_filters(hub, request, rows, &err) != 0 || read_area(request, rows, &err) != 0 ||
	    read_fields(request, rows, &err) != 0) {
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good", "%s",
				err.text);
		free(rows);
		return NULL;
	}
	return rows;
}
