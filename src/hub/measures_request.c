/* SPDX-License-Identifier: Apache-2.0 */
/* What a request says, held against what is offered. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/measures_internal.h"

#define NAMES_MAX SN_MP_PARAMS_MAX

/* Values ---------------------------------------------------------------------------- */

static bool add_scalar(struct sn_buf *text, const json_t *value)
{
	if (json_is_string(value))
		sn_buf_add(text, json_string_value(value), json_string_length(value));
	else if (json_is_integer(value))
		sn_buf_add_i64(text, json_integer_value(value));
	else if (json_is_real(value))
		sn_buf_addf(text, "%.17g", json_real_value(value));
	else if (json_is_boolean(value))
		sn_buf_adds(text, json_is_true(value) ? "true" : "false");
	else
		return false;
	return true;
}

/* Lists are joined by commas, as in constraints. */
static bool add_value(struct sn_buf *text, const json_t *value)
{
	if (!json_is_array(value))
		return add_scalar(text, value);
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (i > 0)
			sn_buf_addc(text, ',');
		if (!add_scalar(text, json_array_get(value, i)))
			return false;
	}
	return true;
}

static int refuse_name(const struct sn_mp_message *specification, const char *name,
		       struct sn_err *err)
{
	const char *names[NAMES_MAX], *near;
	size_t count = SN_MIN(specification->param_count, (size_t)NAMES_MAX);

	for (size_t i = 0; i < count; i++)
		names[i] = specification->params[i].name;
	near = sn_suggest(name, names, count);
	return sn_err_set(err, -EINVAL, "parameter '%.64s': there is no such parameter%s%s%s", name,
			  near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
			  near != NULL ? "'?)" : "");
}

static int set_value(struct sn_mp_message *specification, const char *name, const json_t *value,
		     struct sn_err *err)
{
	struct sn_buf text = {0};
	struct sn_err why = {0};
	int failed = 0;

	if (sn_mp_param(specification, name) == NULL)
		return refuse_name(specification, name, err);
	if (!add_value(&text, value))
		failed = sn_err_set(err, -EINVAL,
				    "parameter '%.64s': neither a text, a number, a truth value "
				    "nor a list of them",
				    name);
	else if (sn_mp_set_value(specification, name, sn_buf_cstr(&text), &why) != 0)
		failed = sn_err_set(err, -EINVAL, "parameter '%.64s': %.400s", name, why.text);
	sn_buf_finish(&text);
	return failed;
}

/* The method's own check knows its types and ranges, and says it in its words. */
static int check_native(const struct sn_mp_offer *native, const json_t *parameters,
			struct sn_err *err)
{
	sn_autojson json_t *none = json_object();

	if (json_object_get(parameters, "period") != NULL)
		return sn_err_set(err, -EINVAL,
				  "parameter 'period': it belongs to the scope here (\"when\": "
				  "\"now ... future / 10s\")");
	if (sn_method_check(native->method, parameters != NULL ? parameters : none, err) != 0)
		return err != NULL ? (err->code = -EINVAL) : -EINVAL;
	return 0;
}

int sn_request_fill(struct sn_mp_message *specification, const struct sn_mp_offer *native,
		    const json_t *parameters, struct sn_err *err)
{
	const char *name;
	json_t *value;

	if (parameters != NULL && !json_is_object(parameters))
		return sn_err_set(err, -EINVAL, "parameters: not an object");
	if (native != NULL && native->view == NULL && check_native(native, parameters, err) != 0)
		return -EINVAL;
	json_object_foreach ((json_t *)parameters, name, value) {
		if (set_value(specification, name, value, err) != 0)
			return -EINVAL;
	}
	return 0;
}

/* Providers --------------------------------------------------------------------------- */

static int check_param(const struct sn_measured *measured, const struct sn_mp_param *offered,
		       struct sn_err *err)
{
	const char *value = sn_mp_value(measured->measure.specification, offered->name);
	struct sn_buf accepted = {0};

	if (value == NULL &&
	    (offered->optional || sn_mp_constraint_single(&offered->constraint) != NULL))
		return 0;
	/* "*" was given, and anything will do. */
	if (value == NULL && offered->constraint.kind == SN_MP_ANY &&
	    json_object_get(measured->parameters, offered->name) != NULL)
		return 0;
	if (value != NULL && sn_mp_constraint_met(&offered->constraint, value))
		return 0;
	sn_mp_constraint_print(&offered->constraint, false, &accepted);
	if (value == NULL)
		sn_err_set(err, -EINVAL, "parameter '%s' is missing (accepted: %.200s)",
			   offered->name, sn_buf_cstr(&accepted));
	else
		sn_err_set(err, -EINVAL,
			   "parameter '%s': '%.100s' is not accepted (accepted: %.200s)",
			   offered->name, value, sn_buf_cstr(&accepted));
	sn_buf_finish(&accepted);
	return -EINVAL;
}

int sn_request_fits(const struct sn_measured *measured, const struct sn_mp_message *capability,
		    struct sn_err *err)
{
	const struct sn_mp_offer *native = measured->measure.native;

	if (native != NULL && native->view == NULL)
		return 0; /* its parameters are no matter of the place */
	for (size_t i = 0; i < capability->param_count; i++) {
		if (check_param(measured, &capability->params[i], err) != 0)
			return -EINVAL;
	}
	return 0;
}

struct sn_mp_message *sn_request_native_capability(const struct sn_measures *measures,
						   const struct sn_mp_offer *native)
{
	struct sn_mp_place nowhere = {0};

	return sn_mp_offer_capability(native, measures->config.registries, &nowhere);
}

static bool leaves_values(const struct sn_measured *measured)
{
	const struct sn_mp_message *specification = measured->measure.specification;
	const struct sn_mp_offer *native = measured->measure.native;

	for (size_t i = 0; i < specification->param_count; i++) {
		if (specification->params[i].value == NULL)
			return native == NULL || native->view != NULL;
	}
	return false;
}

/* The scope of a query is a window of stored data; it is run at once. */
bool sn_request_is_query(const struct sn_mp_message *message)
{
	return message->verb != NULL && strcmp(message->verb, SN_MP_VERB_QUERY) == 0;
}

void sn_request_time(struct sn_measure *measure)
{
	const struct sn_mp_when *when = &measure->specification->when;
	bool at_once = sn_request_is_query(measure->specification);

	measure->starts_ns =
		at_once ? measure->created_ns : sn_mp_when_starts(when, measure->created_ns);
	measure->ends_ns =
		at_once ? measure->created_ns : sn_mp_when_ends(when, measure->created_ns);
}

int sn_request_can_be(const struct sn_measure *measure, struct sn_err *err)
{
	const struct sn_mp_order *order = &measure->order;

	return measure->native == NULL ? 0 : sn_method_fits(order->method, order->parameters, err);
}

int sn_request_settle(struct sn_measured *measured, struct sn_err *err)
{
	struct sn_measure *measure = &measured->measure;

	sn_mp_schema_hash(measure->specification, measure->schema);
	sn_request_time(measure);
	measured->own_values = leaves_values(measured);
	if (measure->native == NULL)
		return 0;
	return sn_mp_offer_order(measure->native, measure->specification, measure->created_ns,
				 &measure->order, err);
}
