/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/api/schema.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"

#define FIELDS_MAX 64

static bool any(const json_t *value)
{
	return value != NULL;
}

static bool is_text(const json_t *value)
{
	return json_is_string(value);
}

static bool is_integer(const json_t *value)
{
	return json_is_integer(value);
}

static bool is_number(const json_t *value)
{
	return json_is_number(value);
}

static bool is_bool(const json_t *value)
{
	return json_is_boolean(value);
}

static bool is_object(const json_t *value)
{
	return json_is_object(value);
}

static bool is_array(const json_t *value)
{
	return json_is_array(value);
}

static bool is_time(const json_t *value)
{
	int64_t unix_ns;

	return json_is_string(value) &&
	       sn_parse_time(sn_str(json_string_value(value)), 0, &unix_ns) == 0;
}

static bool is_texts(const json_t *value)
{
	size_t i;
	json_t *item;

	if (!json_is_array(value))
		return false;
	json_array_foreach (value, i, item) {
		if (!json_is_string(item))
			return false;
	}
	return true;
}

static const struct {
	const char *json_name, *expected;
	bool (*is)(const json_t *value);
} types[] = {
	[SN_API_TEXT] = {"string", "a text", is_text},
	[SN_API_TIME] = {"string", "a time (RFC 3339)", is_time},
	[SN_API_INTEGER] = {"integer", "an integer", is_integer},
	[SN_API_NUMBER] = {"number", "a number", is_number},
	[SN_API_BOOL] = {"boolean", "true or false", is_bool},
	[SN_API_OBJECT] = {"object", "an object", is_object},
	[SN_API_TEXTS] = {"array", "a list of texts", is_texts},
	[SN_API_ARRAY] = {"array", "a list", is_array},
	[SN_API_ANY] = {NULL, "a value", any},
};

const char *sn_api_type_name(enum sn_api_type type)
{
	return types[type].json_name;
}

static const struct sn_api_field *find_field(const struct sn_api_schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->field_count; i++) {
		if (strcmp(schema->fields[i].name, name) == 0)
			return &schema->fields[i];
	}
	return NULL;
}

static int unknown_member(const struct sn_api_schema *schema, const char *name, struct sn_err *err)
{
	const char *names[FIELDS_MAX], *near;
	size_t count = 0;

	for (; count < schema->field_count && count < FIELDS_MAX; count++)
		names[count] = schema->fields[count].name;
	near = sn_suggest(name, names, count);
	return sn_err_set(err, -EINVAL, "%.64s: unknown%s%s%s", name,
			  near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
			  near != NULL ? "'?)" : "");
}

static int check_field(const struct sn_api_field *field, const json_t *value, struct sn_err *err)
{
	size_t i;
	json_t *item;

	if (value == NULL)
		return field->required ? sn_err_set(err, -EINVAL, "%s: missing", field->name) : 0;
	if (json_is_null(value) && (field->nullable || !field->required))
		return 0;
	if (!types[field->type].is(value))
		return sn_err_set(err, -EINVAL, "%s: not %s", field->name,
				  types[field->type].expected);
	if (field->schema == NULL)
		return 0;
	if (field->type == SN_API_OBJECT)
		return sn_api_check(field->schema, value, err) == 0
			       ? 0
			       : sn_err_wrap(err, "%s", field->name);
	json_array_foreach (value, i, item) {
		if (sn_api_check(field->schema, item, err) != 0)
			return sn_err_wrap(err, "%s[%zu]", field->name, i);
	}
	return 0;
}

int sn_api_check(const struct sn_api_schema *schema, const json_t *value, struct sn_err *err)
{
	const char *name;
	json_t *member;

	if (!json_is_object(value))
		return sn_err_set(err, -EINVAL, "not an object");
	json_object_foreach ((json_t *)value, name, member) {
		if (find_field(schema, name) == NULL)
			return unknown_member(schema, name, err);
	}
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct sn_api_field *field = &schema->fields[i];

		if (check_field(field, json_object_get(value, field->name), err) != 0)
			return err->code;
	}
	return 0;
}
