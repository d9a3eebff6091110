/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rows_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/http_client.h"

/* Conditions ------------------------------------------------------------ */

/*
 * The column and what the API's parameter of that name says: "=443" is "443", ">443" itself,
 * "!=443" is "!443".  `sign` is what comes before `value`.
 */
static bool split_condition(const char *text, struct sn_str *name, const char **sign,
			    struct sn_str *value)
{
	size_t n = strcspn(text, "=<>!~");

	if (n == 0 || text[n] == '\0')
		return false;
	*name = (struct sn_str){text, n};
	*sign = strncmp(text + n, "!=", 2) == 0 ? "!" : "";
	*value = sn_str(text + n + (**sign != '\0' ? 2 : text[n] == '=' ? 1 : 0));
	return true;
}

bool sn_rows_is_condition(const char *text)
{
	struct sn_str name, value;
	const char *sign;

	return split_condition(text, &name, &sign, &value);
}

int sn_rows_unknown_column(const struct sn_dataset *dataset, const char *name, struct sn_err *err)
{
	const char *names[SN_DATASET_COLUMNS_MAX], *near;

	for (size_t i = 0; i < dataset->column_count; i++)
		names[i] = dataset->columns[i].name;
	near = sn_suggest(name, names, dataset->column_count);
	if (near != NULL)
		return sn_err_set(err, -EINVAL,
				  "dataset '%s' has no column '%.60s' (did you mean '%s'?)",
				  dataset->name, name, near);
	return sn_err_set(err, -EINVAL, "dataset '%s' has no column '%.60s'", dataset->name, name);
}

int sn_rows_check_where(const struct sn_rows_query *query, struct sn_err *err)
{
	for (unsigned i = 0; i < query->where_count; i++) {
		sn_autofree char *copy = NULL;
		struct sn_str name, value;
		const char *sign;

		if (!split_condition(query->where[i], &name, &sign, &value))
			return sn_err_set(err, -EINVAL, SN_ROWS_NO_CONDITION, query->where[i]);
		copy = sn_xstrndup(name.p, name.n);
		if (sn_dataset_column(query->dataset, copy) < 0)
			return sn_rows_unknown_column(query->dataset, copy, err);
	}
	return 0;
}

/* Paths ----------------------------------------------------------------- */

static void add_parameter(struct sn_buf *path, const char *name, struct sn_str value)
{
	sn_buf_addc(path, memchr(path->p, '?', path->n) != NULL ? '&' : '?');
	sn_url_encode(path, sn_str(name));
	sn_buf_addc(path, '=');
	sn_url_encode(path, value);
}

static void add_time(struct sn_buf *path, const char *name, int64_t unix_ns)
{
	char text[SN_TIME_TEXT_MAX];

	add_parameter(path, name, sn_str(sn_format_time(unix_ns, text, sizeof(text))));
}

static void add_condition(struct sn_buf *path, const char *text)
{
	sn_autofree char *column = NULL, *says = NULL;
	struct sn_str name, value;
	const char *sign;

	if (!split_condition(text, &name, &sign, &value))
		return;
	column = sn_xstrndup(name.p, name.n);
	says = sn_xasprintf("%s%.*s", sign, (int)value.n, value.p);
	add_parameter(path, column, sn_str(says));
}

static void begin_path(struct sn_buf *path, const struct sn_rows_query *query, const char *what)
{
	sn_buf_adds(path, "/api/v1/datasets/");
	sn_url_encode(path, sn_str(query->name));
	sn_buf_addf(path, "/%s", what);
}

/* Which rows, and how many. */
static void add_filters(struct sn_buf *path, const struct sn_rows_query *query)
{
	if (query->limit > 0) {
		char number[24];

		snprintf(number, sizeof(number), "%llu", (unsigned long long)query->limit);
		add_parameter(path, "limit", sn_str(number));
	}
	if (query->has_since)
		add_time(path, "since", query->since_ns);
	if (query->has_until)
		add_time(path, "until", query->until_ns);
	if (query->node != NULL)
		add_parameter(path, "node", sn_str(query->node));
	if (query->target != NULL)
		add_parameter(path, "target", sn_str(query->target));
	if (query->task != NULL)
		add_parameter(path, "task", sn_str(query->task));
	for (unsigned i = 0; i < query->where_count; i++)
		add_condition(path, query->where[i]);
}

char *sn_rows_path(const struct sn_rows_query *query, const char *order)
{
	struct sn_buf path = {0};

	begin_path(&path, query, "rows");
	add_parameter(&path, "order", sn_str(order));
	if (query->fields != NULL)
		add_parameter(&path, "fields", sn_str(query->fields));
	add_filters(&path, query);
	sn_buf_cstr(&path);
	return path.p;
}

char *sn_rows_export_path(const struct sn_rows_query *query, const struct sn_rows_export *wanted)
{
	const struct {
		const char *name, *value;
	} more[] = {{"fields", query->fields},
		    {"format", wanted->format},
		    {"compress", wanted->compress},
		    {"within", wanted->within}};
	struct sn_buf path = {0};

	begin_path(&path, query, "export");
	for (size_t i = 0; i < SN_COUNT(more); i++)
		if (more[i].value != NULL)
			add_parameter(&path, more[i].name, sn_str(more[i].value));
	add_filters(&path, query);
	sn_buf_cstr(&path);
	return path.p;
}

char *sn_rows_groups_path(const struct sn_rows_query *query, const char *by, const char *weight)
{
	struct sn_buf path = {0};

	begin_path(&path, query, "groups");
	add_parameter(&path, "by", sn_str(by));
	if (weight != NULL)
		add_parameter(&path, "weight", sn_str(weight));
	add_filters(&path, query);
	sn_buf_cstr(&path);
	return path.p;
}

/* Datasets that were derived from capabilities of peers share a topic. */
static const char *topic_of(const struct sn_rows_query *query)
{
	return sn_catalog_find(query->name) != NULL ? query->name : "results";
}

char *sn_rows_events_path(const struct sn_rows_query *query)
{
	struct sn_buf path = {0};

	sn_buf_adds(&path, "/api/v1/events");
	add_parameter(&path, "topic", sn_str(topic_of(query)));
	if (query->node != NULL)
		add_parameter(&path, "node", sn_str(query->node));
	sn_buf_cstr(&path);
	return path.p;
}
