/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/offer.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "mplane/offer_views.h"

#define REVISION       1
#define BOUND_TEXT_MAX 64

/* The list --------------------------------------------------------------- */

/* Made once; the methods are a table of the program. */
static struct sn_mp_offer *offers;
static size_t offer_count;

static void add_views(const struct sn_method *method)
{
	for (size_t i = 0; i < sn_mp_view_count; i++)
		if (sn_mp_views[i]->method == method)
			offers[offer_count++] = (struct sn_mp_offer){
				sn_mp_views[i]->label,
				sn_mp_view_is_switch(sn_mp_views[i]) ? SN_MP_REGISTRY_TSTAT
								     : SN_MP_REGISTRY_CORE,
				method, sn_mp_views[i]};
}

static void make_offers(void)
{
	offers = sn_new_n(struct sn_mp_offer, sn_method_count + sn_mp_view_count);
	for (size_t i = 0; i < sn_method_count; i++) {
		offers[offer_count++] = (struct sn_mp_offer){
			sn_methods[i]->name, SN_MP_REGISTRY_SONDE, sn_methods[i], NULL};
		add_views(sn_methods[i]);
	}
}

const struct sn_mp_offer *sn_mp_offers(size_t *count)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_offers);
	*count = offer_count;
	return offers;
}

const struct sn_mp_offer *sn_mp_offer_find(const char *label)
{
	size_t count;
	const struct sn_mp_offer *all = sn_mp_offers(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].label, label) == 0)
			return &all[i];
	return NULL;
}

/* Types ------------------------------------------------------------------ */

static bool is_choice(const struct sn_param *param)
{
	return param->type == SN_PARAM_TEXT && param->argument != NULL &&
	       strchr(param->argument, '|') != NULL;
}

/* Like "4|6". */
static bool is_choice_of_numbers(const struct sn_param *param)
{
	return is_choice(param) && param->argument[strspn(param->argument, "0123456789|")] == '\0';
}

static enum sn_mp_prim prim_of_param(const struct sn_param *param)
{
	static const enum sn_mp_prim prims[] = {
		[SN_PARAM_TEXT] = SN_MP_STRING,   [SN_PARAM_FLAG] = SN_MP_BOOLEAN,
		[SN_PARAM_COUNT] = SN_MP_NATURAL, [SN_PARAM_DURATION] = SN_MP_STRING,
		[SN_PARAM_SIZE] = SN_MP_STRING,   [SN_PARAM_TARGETS] = SN_MP_STRING,
	};

	return is_choice_of_numbers(param) ? SN_MP_NATURAL : prims[param->type];
}

static enum sn_mp_prim prim_of_column(const struct sn_column *column)
{
	static const enum sn_mp_prim prims[] = {
		[SN_TYPE_BOOL] = SN_MP_BOOLEAN, [SN_TYPE_I64] = SN_MP_NATURAL,
		[SN_TYPE_F64] = SN_MP_REAL,     [SN_TYPE_TEXT] = SN_MP_STRING,
		[SN_TYPE_TIME] = SN_MP_TIME,
	};

	return prims[column->type];
}

/* The registry ----------------------------------------------------------- */

struct registry_writer {
	struct sn_jw jw;
	struct sn_map *names; /* written so far */
};

static void write_element(struct registry_writer *writer, const char *name, enum sn_mp_prim prim,
			  const char *desc)
{
	if (sn_map_get(writer->names, name) != NULL)
		return;
	sn_map_set(writer->names, name, writer);
	sn_jw_object(&writer->jw);
	sn_jw_kcstr(&writer->jw, "name", name);
	sn_jw_kcstr(&writer->jw, "prim", sn_mp_prim_name(prim));
	sn_jw_kcstr(&writer->jw, "desc", desc);
	sn_jw_object_end(&writer->jw);
}

static void write_method(struct registry_writer *writer, const struct sn_method *method)
{
	const struct sn_dataset *dataset = method->dataset;

	for (size_t i = 0; i < method->param_count; i++)
		if (sn_mp_offers_param(&method->params[i]))
			write_element(writer, method->params[i].name,
				      prim_of_param(&method->params[i]), method->params[i].help);
	for (size_t i = 0; i < dataset->column_count; i++)
		if (sn_mp_offers_column(dataset, i))
			write_element(writer, dataset->columns[i].name,
				      prim_of_column(&dataset->columns[i]),
				      dataset->columns[i].help);
}

void sn_mp_offer_registry(struct sn_buf *out)
{
	struct registry_writer writer = {.names = sn_map_create(NULL)};

	sn_jw_init(&writer.jw, out);
	sn_jw_object(&writer.jw);
	sn_jw_kcstr(&writer.jw, "registry-format", "mplane-0");
	sn_jw_kcstr(&writer.jw, "registry-uri", SN_MP_REGISTRY_SONDE);
	sn_jw_ku64(&writer.jw, "registry-revision", REVISION);
	/* For what the metadata are called. */
	sn_jw_key(&writer.jw, "includes");
	sn_jw_array(&writer.jw);
	sn_jw_cstr(&writer.jw, SN_MP_REGISTRY_CORE);
	sn_jw_array_end(&writer.jw);
	sn_jw_key(&writer.jw, "elements");
	sn_jw_array(&writer.jw);
	for (size_t i = 0; i < sn_method_count; i++)
		write_method(&writer, sn_methods[i]);
	write_element(&writer, "rows.omitted", SN_MP_NATURAL, "rows that a result has no room for");
	sn_jw_array_end(&writer.jw);
	sn_jw_object_end(&writer.jw);
	sn_map_destroy(writer.names);
}

void sn_mp_offer_load(struct sn_mp_registries *registries)
{
	struct sn_buf json = {0};
	int rc;

	if (sn_mp_registries_know(registries, SN_MP_REGISTRY_SONDE))
		return;
	sn_mp_offer_registry(&json);
	rc = sn_mp_registries_add(registries, sn_buf_str(&json), NULL);
	assert(rc == 0);
	sn_buf_finish(&json);
}

/* Capabilities ----------------------------------------------------------- */

static bool has_range(const struct sn_param *param)
{
	return param->type == SN_PARAM_COUNT && (param->min != 0 || param->max != 0);
}

/* What it accepts beside "*"; NULL for anything. */
static const char *constraint_of(const struct sn_param *param, char out[BOUND_TEXT_MAX])
{
	if (has_range(param)) {
		snprintf(out, BOUND_TEXT_MAX, "%" PRIu64 " ... %" PRIu64, param->min,
			 param->max != 0 ? param->max : UINT64_MAX);
		return out;
	}
	if (!is_choice(param))
		return NULL;
	snprintf(out, BOUND_TEXT_MAX, "%s", param->argument);
	for (char *p = out; *p != '\0'; p++)
		if (*p == '|')
			*p = ',';
	return out;
}

static void mark_optional(struct sn_mp_message *capability, const char *name)
{
	for (size_t i = 0; i < capability->param_count; i++)
		if (strcmp(capability->params[i].name, name) == 0)
			capability->params[i].optional = true;
}

/* What is declared in tables of our own fits, or the tables are wrong. */
static void must(int rc)
{
	assert(rc == 0);
}

static void add_native(struct sn_mp_message *capability, const struct sn_method *method,
		       const struct sn_mp_registries *registries)
{
	const struct sn_dataset *dataset = method->dataset;
	char text[BOUND_TEXT_MAX];

	for (size_t i = 0; i < method->param_count; i++) {
		const struct sn_param *param = &method->params[i];

		if (!sn_mp_offers_param(param))
			continue;
		must(sn_mp_add_param(capability, registries, param->name,
				     constraint_of(param, text), NULL));
		if (!param->required)
			mark_optional(capability, param->name);
	}
	for (size_t i = 0; i < dataset->column_count; i++)
		if (sn_mp_offers_column(dataset, i))
			must(sn_mp_add_column(capability, registries, dataset->columns[i].name,
					      NULL));
}

static void add_view(struct sn_mp_message *capability, const struct sn_mp_view *view,
		     const struct sn_mp_registries *registries, const char *address)
{
	must(sn_mp_add_param(capability, registries, view->source, address, NULL));
	must(sn_mp_add_param(capability, registries, view->destination, NULL, NULL));
	for (size_t i = 0; i < view->column_count; i++)
		must(sn_mp_add_column(capability, registries, view->columns[i].element, NULL));
}

/* "System_ID" may stand for the machine or be left open: there is only one value. */
static void add_switch(struct sn_mp_message *capability, const struct sn_mp_view *view,
		       const struct sn_mp_registries *registries, const char *system_id)
{
	must(sn_mp_add_param(capability, registries, SN_MP_SYSTEM_ID, system_id, NULL));
	mark_optional(capability, SN_MP_SYSTEM_ID);
	for (const char *const *element = view->elements; *element != NULL; element++)
		must(sn_mp_add_column(capability, registries, *element, NULL));
}

static void add_metadata(struct sn_mp_message *capability, const struct sn_mp_offer *offer,
			 const struct sn_mp_place *place)
{
	const char *const metadata[][2] = {
		{"System_type", offer->method->program},
		{"System_ID", place->system_id},
		{"System_version", place->software},
	};

	for (size_t i = 0; i < SN_COUNT(metadata); i++)
		if (metadata[i][1] != NULL && metadata[i][1][0] != '\0')
			must(sn_mp_add_meta(capability, metadata[i][0], metadata[i][1], NULL));
}

struct sn_mp_message *sn_mp_offer_capability(const struct sn_mp_offer *offer,
					     const struct sn_mp_registries *registries,
					     const struct sn_mp_place *place)
{
	bool ip6 = offer->view != NULL && sn_mp_view_is_ip6(offer->view);
	const char *address = ip6 ? place->ip6 : place->ip4;
	struct sn_mp_message *capability;

	if (offer->view != NULL && !sn_mp_view_is_switch(offer->view) && address == NULL)
		return NULL;
	capability = sn_mp_message_create(SN_MP_CAPABILITY, SN_MP_VERB_MEASURE);
	sn_mp_set_text(&capability->registry, offer->registry);
	sn_mp_set_text(&capability->label, offer->label);
	sn_mp_set_text(&capability->link, "");
	capability->when = (struct sn_mp_when){
		.set = true, .span = {.start = SN_MP_NOW, .end = SN_MP_FUTURE, .duration_ns = -1}};
	if (sn_method_param(offer->method, "period") != NULL)
		capability->when.span.period_ns = SN_NS_PER_S;
	if (offer->view == NULL)
		add_native(capability, offer->method, registries);
	else if (sn_mp_view_is_switch(offer->view))
		add_switch(capability, offer->view, registries, place->system_id);
	else
		add_view(capability, offer->view, registries, address);
	add_metadata(capability, offer, place);
	return capability;
}
