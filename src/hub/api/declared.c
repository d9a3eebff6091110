/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/api/declared.h"

#include "base/util.h"
#include "hub/sql.h"

/* Datasets -------------------------------------------------------------------- */

json_t *sn_declared_dataset(const struct sn_dataset *dataset)
{
	json_t *columns = json_array();

	for (size_t i = 0; i < dataset->column_count; i++) {
		const struct sn_column *column = &dataset->columns[i];

		json_array_append_new(columns,
				      json_pack("{s:s, s:s, s:o, s:s}", "name", column->name,
						"type", sn_type_name(column->type), "unit",
						sn_json_text(column->unit), "help", column->help));
	}
	return json_pack("{s:s, s:I, s:s, s:s, s:o, s:o, s:o}", "name", dataset->name, "version",
			 (json_int_t)dataset->version, "title", dataset->title, "help",
			 dataset->help, "key", sn_json_text(dataset->key), "chart",
			 sn_json_text(dataset->chart), "columns", columns);
}

static json_t *row_property(const struct sn_column *column)
{
	static const char *const names[] = {
		[SN_TYPE_BOOL] = "boolean", [SN_TYPE_I64] = "integer", [SN_TYPE_F64] = "number",
		[SN_TYPE_TEXT] = "string",  [SN_TYPE_TIME] = "string",
	};
	json_t *property =
		json_pack("{s:s, s:s}", "type", names[column->type], "description", column->help);

	if (column->type == SN_TYPE_TIME)
		json_object_set_new(property, "format", json_string("date-time"));
	if (column->unit[0] != '\0')
		json_object_set_new(property, "x-unit", json_string(column->unit));
	return property;
}

json_t *sn_declared_row_schema(const struct sn_dataset *dataset)
{
	json_t *properties = json_object();

	for (size_t i = 0; i < dataset->column_count; i++)
		json_object_set_new(properties, dataset->columns[i].name,
				    row_property(&dataset->columns[i]));
	return json_pack("{s:s, s:s, s:o}", "type", "object", "description", dataset->help,
			 "properties", properties);
}

/* Methods ----------------------------------------------------------------------- */

static const struct {
	const char *name;      /* as the API calls it */
	const char *json_type; /* in JSON Schema; NULL: several */
} param_types[] = {
	[SN_PARAM_TEXT] = {"text", "string"}, [SN_PARAM_FLAG] = {"flag", "boolean"},
	[SN_PARAM_COUNT] = {"count", NULL},   [SN_PARAM_DURATION] = {"duration", "string"},
	[SN_PARAM_SIZE] = {"size", NULL},     [SN_PARAM_TARGETS] = {"targets", "array"},
};

static json_t *limit_or_null(const struct sn_param *param, uint64_t limit)
{
	if (param->min == 0 && param->max == 0)
		return json_null();
	if (param->type == SN_PARAM_DURATION)
		return json_real((double)limit / 1e9);
	return json_integer((json_int_t)limit);
}

static json_t *declared_param(const struct sn_param *param)
{
	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:s}", "name", param->name, "type",
			 param_types[param->type].name, "required", param->required, "default",
			 sn_json_text(param->default_text), "min", limit_or_null(param, param->min),
			 "max", limit_or_null(param, param->max), "argument",
			 sn_json_text(param->argument), "help", param->help);
}

json_t *sn_declared_method(const struct sn_method *method)
{
	json_t *params = json_array();

	for (size_t i = 0; i < method->param_count; i++)
		json_array_append_new(params, declared_param(&method->params[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", method->name, "title", method->title,
			 "help", method->help, "dataset", method->dataset->name, "params", params);
}

static json_t *param_property(const struct sn_param *param)
{
	const char *type = param_types[param->type].json_type;
	json_t *property = type != NULL ? json_pack("{s:s}", "type", type)
					: json_pack("{s:[s,s]}", "type", "integer", "string");

	json_object_set_new(property, "description", json_string(param->help));
	if (param->default_text != NULL)
		json_object_set_new(property, "default", json_string(param->default_text));
	if (param->type == SN_PARAM_TARGETS)
		json_object_set_new(property, "items", json_pack("{s:s}", "type", "string"));
	if (param->type == SN_PARAM_COUNT && param->max > 0) {
		json_object_set_new(property, "minimum", json_integer((json_int_t)param->min));
		json_object_set_new(property, "maximum", json_integer((json_int_t)param->max));
	}
	return property;
}

json_t *sn_declared_params_schema(const struct sn_method *method)
{
	json_t *properties = json_object(), *required = json_array();

	for (size_t i = 0; i < method->param_count; i++) {
		json_object_set_new(properties, method->params[i].name,
				    param_property(&method->params[i]));
		if (method->params[i].required)
			json_array_append_new(required, json_string(method->params[i].name));
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:b}", "type", "object", "description", method->help,
			 "properties", properties, "required", required, "additionalProperties", 0);
}

/* What they look like -------------------------------------------------------------- */

static const struct sn_api_field column_fields[] = {
	{"name", SN_API_TEXT, true, false, "as in JSON, CSV and the store"},
	{"type", SN_API_TEXT, true, false, "bool, integer, number, text or time"},
	{"unit", SN_API_TEXT, true, true, "s, B, 1, packets, ..."},
	{"help", SN_API_TEXT, true, false, "what it means"},
};
static const struct sn_api_schema column_schema = {"Column", "A column of a dataset.",
						   column_fields, SN_COUNT(column_fields)};

static const struct sn_api_field dataset_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the dataset"},
	{"version", SN_API_INTEGER, true, false, "another one means another meaning"},
	{"title", SN_API_TEXT, true, false, "for people"},
	{"help", SN_API_TEXT, true, false, "what a row is"},
	{"key", SN_API_TEXT, true, true, "column that tells the series of one node apart"},
	{"chart", SN_API_TEXT, true, true, "column drawn by default"},
	{"columns", SN_API_ARRAY, true, false, "in order", &column_schema},
};
const struct sn_api_schema sn_declared_dataset_schema = {"Dataset", "Rows with typed columns.",
							 dataset_fields, SN_COUNT(dataset_fields)};

static const struct sn_api_field param_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the parameter"},
	{"type", SN_API_TEXT, true, false, "text, flag, count, duration, size or targets"},
	{"required", SN_API_BOOL, true, false, "must it be given"},
	{"default", SN_API_TEXT, true, true, "as one would write it"},
	{"min", SN_API_NUMBER, true, true, "smallest value; durations in seconds"},
	{"max", SN_API_NUMBER, true, true, "largest value; durations in seconds"},
	{"argument", SN_API_TEXT, true, true, "what the value is called"},
	{"help", SN_API_TEXT, true, false, "what it means"},
};
static const struct sn_api_schema param_schema = {"Parameter", "A parameter of a method.",
						  param_fields, SN_COUNT(param_fields)};

static const struct sn_api_field method_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the method"},
	{"title", SN_API_TEXT, true, false, "for people"},
	{"help", SN_API_TEXT, true, false, "what it measures"},
	{"dataset", SN_API_TEXT, true, false, "where its rows go"},
	{"params", SN_API_ARRAY, true, false, "in order", &param_schema},
};
const struct sn_api_schema sn_declared_method_schema = {"Method", "Something that can be measured.",
							method_fields, SN_COUNT(method_fields)};
