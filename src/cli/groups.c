/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/groups.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/table.h"

#define WEIGHTS_MAX 8
#define HEADER_MAX  64

static const char *default_weight(const struct sn_dataset *dataset)
{
	return sn_dataset_column(dataset, "c_bytes") >= 0 &&
			       sn_dataset_column(dataset, "s_bytes") >= 0
		       ? "c_bytes,s_bytes"
		       : NULL;
}

static const char *text_of(const json_t *value, char *out, size_t size)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_integer(value))
		snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(out, size, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(out, size, "%s", json_is_true(value) ? "true" : "false");
	else
		snprintf(out, size, "(none)");
	return out;
}

/* Sums of bytes as people read them, other numbers as they are. */
static void add_sum(struct sn_table *table, const char *name, double value)
{
	char text[32];

	if (strstr(name, "bytes") != NULL)
		sn_format_bytes((uint64_t)value, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%.10g", value);
	sn_table_cell(table, SN_TONE_PLAIN, text);
}

static void add_line(struct sn_table *table, const json_t *answer, const char *label,
		     const json_t *group)
{
	const json_t *weights = json_object_get(answer, "weights"), *name;
	double total = sn_output_number(json_object_get(answer, "total"), "weight");
	double weight = sn_output_number(group, "weight");
	size_t i;

	sn_table_cell(table, SN_TONE_PLAIN, label);
	sn_table_cellf(table, SN_TONE_PLAIN, "%.1f %%", total > 0 ? 100 * weight / total : 0);
	json_array_foreach (weights, i, name)
		add_sum(table, json_string_value(name),
			sn_output_number(json_object_get(group, "sums"), json_string_value(name)));
	sn_table_cellf(table, SN_TONE_PLAIN, "%.0f", sn_output_number(group, "rows"));
}

static void show(const json_t *answer, FILE *out)
{
	const json_t *weights = json_object_get(answer, "weights"), *group;
	const json_t *others = json_object_get(answer, "others");
	struct sn_table_column columns[WEIGHTS_MAX + 3] = {
		{.header = sn_output_text(answer, "by"), .shrink = true},
		{.header = "share", .right = true},
	};
	size_t count = 2, i;
	struct sn_table *table;
	char text[HEADER_MAX];

	for (i = 0; i < json_array_size(weights) && i < WEIGHTS_MAX; i++)
		columns[count++] = (struct sn_table_column){
			.header = json_string_value(json_array_get(weights, i)), .right = true};
	columns[count++] = (struct sn_table_column){.header = "rows", .right = true};
	table = sn_table_create(columns, count);
	json_array_foreach (json_object_get(answer, "groups"), i, group)
		add_line(table, answer,
			 text_of(json_object_get(group, "value"), text, sizeof(text)), group);
	if (sn_output_number(others, "rows") > 0) {
		snprintf(text, sizeof(text), "(%.0f others)", sn_output_number(others, "values"));
		add_line(table, answer, text, others);
	}
	sn_table_show(table, out);
	sn_table_destroy(table);
}

int sn_groups_run(struct sn_client *client, const struct sn_rows_query *query, const char *by,
		  const char *weight, bool json, FILE *out, struct sn_err *err)
{
	sn_autofree char *path = NULL;
	sn_autojson json_t *answer = NULL;
	int rc = sn_rows_check_where(query, err);

	if (rc != 0)
		return rc;
	path = sn_rows_groups_path(query, by,
				   weight != NULL ? weight : default_weight(query->dataset));
	rc = sn_client_get(client, path, &answer, err);
	if (rc != 0)
		return rc;
	if (json)
		sn_output_json_line(out, answer);
	else if (json_array_size(json_object_get(answer, "groups")) == 0)
		fprintf(stderr, "no rows of '%s' in that time\n", query->name);
	else
		show(answer, out);
	return 0;
}
