/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/declared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

static enum sn_type type_of(const char *name)
{
	for (enum sn_type type = SN_TYPE_BOOL; type <= SN_TYPE_TIME; type++)
		if (name != NULL && strcmp(sn_type_name(type), name) == 0)
			return type;
	return SN_TYPE_TEXT;
}

static char *text_or_empty(const json_t *object, const char *key)
{
	const char *text = sn_output_text(object, key);

	return sn_xstrdup(text != NULL ? text : "");
}

static struct sn_dataset *read_declaration(const json_t *json)
{
	const json_t *columns = json_object_get(json, "columns");
	size_t count = SN_MIN(json_array_size(columns), (size_t)SN_DATASET_COLUMNS_MAX);
	struct sn_column *made = sn_new_n(struct sn_column, count + 1);
	struct sn_dataset *dataset = sn_new(struct sn_dataset);
	const char *key = sn_output_text(json, "key"), *chart = sn_output_text(json, "chart");

	for (size_t i = 0; i < count; i++) {
		const json_t *column = json_array_get(columns, i);

		made[i] = (struct sn_column){
			.name = text_or_empty(column, "name"),
			.type = type_of(sn_output_text(column, "type")),
			.unit = text_or_empty(column, "unit"),
			.help = text_or_empty(column, "help"),
		};
	}
	*dataset = (struct sn_dataset){
		.name = text_or_empty(json, "name"),
		.version = 1,
		.title = text_or_empty(json, "title"),
		.help = text_or_empty(json, "help"),
		.columns = made,
		.column_count = count,
		.key = key != NULL ? sn_xstrdup(key) : NULL,
		.chart = chart != NULL ? sn_xstrdup(chart) : NULL,
	};
	return dataset;
}

int sn_declared_fetch(struct sn_client *client, const char *name, const struct sn_dataset **dataset,
		      struct sn_err *err)
{
	struct sn_buf path = {0};
	sn_autojson json_t *json = NULL;
	int rc;

	*dataset = sn_catalog_find(name);
	if (*dataset != NULL)
		return 0;
	sn_buf_adds(&path, "/api/v1/datasets/");
	sn_url_encode(&path, sn_str(name));
	rc = sn_client_get(client, sn_buf_cstr(&path), &json, err);
	sn_buf_finish(&path);
	if (rc != 0)
		return rc;
	if (json_array_size(json_object_get(json, "columns")) < SN_COL_COMMON)
		return sn_err_set(err, -EPROTO, "the hub's declaration of '%.60s' is broken", name);
	*dataset = read_declaration(json);
	return 0;
}

void sn_declared_free(const struct sn_dataset *dataset)
{
	if (dataset == NULL || sn_catalog_find(dataset->name) == dataset)
		return;
	for (size_t i = 0; i < dataset->column_count; i++) {
		free((char *)dataset->columns[i].name);
		free((char *)dataset->columns[i].unit);
		free((char *)dataset->columns[i].help);
	}
	free((char *)dataset->name);
	free((char *)dataset->title);
	free((char *)dataset->help);
	free((char *)dataset->key);
	free((char *)dataset->chart);
	free((struct sn_column *)dataset->columns);
	free((struct sn_dataset *)dataset);
}
