/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities as the API shows them: offers with equal label and schema are one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/offers_internal.h"
#include "hub/sql.h"

struct group {
	const struct sn_hub_offer *first;
	struct sn_offer_list offers;
};

/* Parameters ------------------------------------------------------------------------- */

static const char *const param_types[] = {
	[SN_PARAM_TEXT] = "text",         [SN_PARAM_FLAG] = "flag", [SN_PARAM_COUNT] = "count",
	[SN_PARAM_DURATION] = "duration", [SN_PARAM_SIZE] = "size", [SN_PARAM_TARGETS] = "targets",
};

static void add_bound(struct sn_buf *out, const struct sn_param *param, uint64_t bound)
{
	char text[SN_DURATION_TEXT_MAX];

	if (param->type == SN_PARAM_DURATION)
		sn_buf_adds(out, sn_format_duration((int64_t)bound, text, sizeof(text)));
	else
		sn_buf_add_u64(out, bound);
}

/* As people write the values, not as the wire does. */
static json_t *native_constraint(const struct sn_param *param)
{
	struct sn_buf text = {0};
	json_t *json;

	if (param->max != 0) {
		add_bound(&text, param, param->min);
		sn_buf_adds(&text, " ... ");
		add_bound(&text, param, param->max);
	} else if (param->type == SN_PARAM_TEXT && param->argument != NULL &&
		   strchr(param->argument, '|') != NULL) {
		sn_buf_adds(&text, param->argument);
		for (char *p = text.p; p < text.p + text.n; p++)
			*p = *p == '|' ? ',' : *p;
	} else {
		sn_buf_adds(&text, "*");
	}
	json = json_string(sn_buf_cstr(&text));
	sn_buf_finish(&text);
	return json;
}

static const char *unit_of(enum sn_param_type type)
{
	return type == SN_PARAM_DURATION ? "s" : type == SN_PARAM_SIZE ? "B" : NULL;
}

static json_t *native_params(const struct sn_mp_offer *native)
{
	json_t *params = json_array();

	for (size_t i = 0; i < native->method->param_count; i++) {
		const struct sn_param *param = &native->method->params[i];

		if (strcmp(param->name, "period") == 0) /* of the scope */
			continue;
		json_array_append_new(params,
				      json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:s}", "name",
						param->name, "type", param_types[param->type],
						"constraint", native_constraint(param), "default",
						sn_json_text(param->default_text), "unit",
						sn_json_text(unit_of(param->type)), "required",
						param->required, "help", param->help));
	}
	return params;
}

static char *constraint_text(const struct sn_hub_offer *offer, const char *name)
{
	const struct sn_mp_param *param = sn_mp_param(offer->capability, name);
	struct sn_buf text = {0};

	if (param != NULL)
		sn_mp_constraint_print(&param->constraint, false, &text);
	sn_buf_cstr(&text);
	return text.p;
}

/* What all have in common; null where each has its own. */
static json_t *common_constraint(const struct group *group, const char *name)
{
	sn_autofree char *common = constraint_text(group->first, name);
	const struct sn_mp_message *last = group->first->capability;

	for (size_t i = 0; i < group->offers.count; i++) {
		const struct sn_hub_offer *offer = group->offers.items[i];
		sn_autofree char *its = NULL;

		if (offer->capability == last)
			continue;
		last = offer->capability;
		its = constraint_text(offer, name);
		if (strcmp(its, common) != 0)
			return json_null();
	}
	return json_string(common);
}

/* A provider that accepts one value only fills it in by itself. */
static bool is_settled(const struct group *group, const char *name)
{
	for (size_t i = 0; i < group->offers.count; i++) {
		const struct sn_mp_param *param =
			sn_mp_param(group->offers.items[i]->capability, name);

		if (param == NULL || sn_mp_constraint_single(&param->constraint) == NULL)
			return false;
	}
	return true;
}

static json_t *element_params(const struct group *group)
{
	const struct sn_mp_message *capability = group->first->capability;
	json_t *params = json_array();

	for (size_t i = 0; i < capability->param_count; i++) {
		const struct sn_mp_param *param = &capability->params[i];
		const char *help = param->element != NULL ? param->element->desc : "";

		json_array_append_new(params,
				      json_pack("{s:s, s:s, s:o, s:n, s:n, s:b, s:s}", "name",
						param->name, "type", sn_mp_prim_name(param->prim),
						"constraint", common_constraint(group, param->name),
						"default", "unit", "required",
						!is_settled(group, param->name), "help", help));
	}
	return params;
}

/* The rest ------------------------------------------------------------------------------ */

static json_t *columns_json(const struct sn_hub_offer *offer)
{
	const struct sn_mp_message *capability = offer->capability;
	bool native = offer->native != NULL && offer->native->view == NULL;
	const struct sn_dataset *dataset = native ? offer->native->method->dataset : NULL;
	json_t *columns = json_array();

	for (size_t i = 0; native && i < dataset->column_count; i++)
		json_array_append_new(
			columns, json_pack("{s:s, s:s, s:o, s:s}", "name", dataset->columns[i].name,
					   "type", sn_type_name(dataset->columns[i].type), "unit",
					   sn_json_text(dataset->columns[i].unit), "help",
					   dataset->columns[i].help));
	for (size_t i = 0; !native && i < capability->column_count; i++) {
		const struct sn_mp_column *column = &capability->columns[i];

		json_array_append_new(
			columns, json_pack("{s:s, s:s, s:n, s:s}", "name", column->name, "type",
					   sn_mp_prim_name(column->prim), "unit", "help",
					   column->element != NULL ? column->element->desc : ""));
	}
	return columns;
}

static bool all_say(const struct group *group, const char *name, const char *value)
{
	const struct sn_mp_message *last = group->first->capability;

	for (size_t i = 0; i < group->offers.count; i++) {
		const struct sn_mp_message *capability = group->offers.items[i]->capability;
		const char *its = capability != last ? sn_mp_meta(capability, name) : value;

		last = capability;
		if (its == NULL || strcmp(its, value) != 0)
			return false;
	}
	return true;
}

static json_t *metadata_json(const struct group *group)
{
	const struct sn_mp_message *capability = group->first->capability;
	json_t *metadata = json_object();

	for (size_t i = 0; i < capability->meta_count; i++) {
		const struct sn_mp_meta *meta = &capability->metadata[i];

		if (all_say(group, meta->name, meta->value))
			json_object_set_new(metadata, meta->name, json_string(meta->value));
	}
	return metadata;
}

static json_t *providers_json(const struct group *group)
{
	json_t *providers = json_array();

	for (size_t i = 0; i < group->offers.count; i++) {
		const struct sn_hub_offer *offer = group->offers.items[i];
		const char *name =
			offer->node != NULL ? offer->node->name : strchr(offer->provider, ':') + 1;

		json_array_append_new(providers, json_pack("{s:s, s:s, s:s, s:s}", "provider",
							   offer->provider, "name", name, "state",
							   offer->stale ? "offline" : "online",
							   "token", offer->token));
	}
	return providers;
}

static json_t *when_json(const struct sn_mp_message *capability)
{
	struct sn_buf text = {0};
	json_t *json;

	sn_mp_when_print(&capability->when, &text);
	json = json_string(sn_buf_cstr(&text));
	sn_buf_finish(&text);
	return json;
}

static json_t *group_json(const struct group *group)
{
	const struct sn_hub_offer *first = group->first;
	const struct sn_mp_message *capability = first->capability;
	const struct sn_mp_offer *native = first->native;
	const char *help = native != NULL ? native->method->help : sn_mp_meta(capability, "help");
	char dataset[SN_OFFER_DATASET_MAX];
	json_t *json = json_object();

	json_object_set_new(json, "label", json_string(capability->label));
	json_object_set_new(
		json, "title",
		json_string(native != NULL ? native->method->title : capability->label));
	json_object_set_new(json, "help", json_string(help != NULL ? help : ""));
	json_object_set_new(json, "verb", json_string(capability->verb));
	json_object_set_new(json, "registry", sn_json_text(capability->registry));
	json_object_set_new(json, "when", when_json(capability));
	json_object_set_new(json, "method",
			    native != NULL ? json_string(native->method->name) : json_null());
	json_object_set_new(
		json, "dataset",
		json_string(sn_offer_dataset(native, capability->label, first->schema, dataset)));
	json_object_set_new(json, "parameters",
			    native != NULL && native->view == NULL ? native_params(native)
								   : element_params(group));
	json_object_set_new(json, "columns", columns_json(first));
	json_object_set_new(json, "metadata", metadata_json(group));
	json_object_set_new(json, "providers", providers_json(group));
	return json;
}

/* Groups ----------------------------------------------------------------------------------- */

static int by_provider(const void *a, const void *b)
{
	const struct sn_hub_offer *const *x = a, *const *y = b;
	int order = strcmp((*x)->provider, (*y)->provider);

	return order != 0 ? order : strcmp((*x)->token, (*y)->token);
}

struct groups {
	struct group *items;
	size_t count;
};

static void add_to_group(struct groups *groups, const struct sn_hub_offer *offer)
{
	size_t i = 0;

	while (i < groups->count && strcmp(groups->items[i].first->schema, offer->schema) != 0)
		i++;
	if (i == groups->count) {
		groups->items = sn_xrealloc(groups->items, i + 1, sizeof(*groups->items));
		groups->items[groups->count++] = (struct group){.first = offer};
	}
	sn_offer_list_add(&groups->items[i].offers, offer);
}

static void add_label(json_t *items, const struct sn_offer_label *label,
		      sn_offers_filter_fn *may_see, void *ctx)
{
	struct groups groups = {0};

	for (size_t i = 0; i < label->offers.count; i++) {
		if (may_see == NULL || may_see(label->offers.items[i], ctx))
			add_to_group(&groups, label->offers.items[i]);
	}
	for (size_t i = 0; i < groups.count; i++) {
		struct group *group = &groups.items[i];

		qsort(group->offers.items, group->offers.count, sizeof(*group->offers.items),
		      by_provider);
		group->first = group->offers.items[0];
		json_array_append_new(items, group_json(group));
		free(group->offers.items);
	}
	free(groups.items);
}

static int by_name(const void *a, const void *b)
{
	const struct sn_offer_label *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

json_t *sn_offers_json(const struct sn_offers *offers, sn_offers_filter_fn *may_see, void *ctx)
{
	size_t count = sn_map_count(offers->labels), cursor = 0, n = 0;
	const struct sn_offer_label **labels = sn_new_n(const struct sn_offer_label *, count + 1);
	json_t *items = json_array();
	const char *name;
	void *value;

	while (sn_map_next(offers->labels, &cursor, &name, &value))
		labels[n++] = value;
	qsort(labels, n, sizeof(*labels), by_name);
	for (size_t i = 0; i < n; i++)
		add_label(items, labels[i], may_see, ctx);
	free(labels);
	return items;
}
