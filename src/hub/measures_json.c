/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements as people and nodes see them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/measures_internal.h"
#include "hub/secret.h"
#include "hub/sql.h"

#define RUNS_MAX 1000000 /* that are counted one by one */

/* Null for what is no moment: never, for ever. */
static json_t *moment(int64_t time_ns)
{
	if (time_ns == SN_MP_PAST || time_ns == SN_MP_FUTURE || time_ns == SN_MP_UNSET)
		return json_null();
	return sn_json_time(time_ns);
}

static json_t *when_json(const struct sn_measure *measure)
{
	struct sn_buf text = {0};
	json_t *json;

	sn_mp_when_print(&measure->specification->when, &text);
	json = json_string(sn_buf_cstr(&text));
	sn_buf_finish(&text);
	return json;
}

/* Runs ------------------------------------------------------------------------------- */

/* Start of the next run; SN_MP_FUTURE when there is none. */
static int64_t next_run(const struct sn_measure *measure, int64_t now_ns)
{
	const struct sn_mp_when *when = &measure->specification->when;
	int64_t start_ns, periods;

	if (sn_measure_state_is_final(measure->state) || now_ns > measure->ends_ns)
		return SN_MP_FUTURE;
	if (when->repeated)
		return sn_mp_when_next(when, now_ns, &start_ns) == 0 ? start_ns : SN_MP_FUTURE;
	if (now_ns <= measure->starts_ns)
		return measure->starts_ns;
	if (when->span.period_ns <= 0)
		return SN_MP_FUTURE;
	periods = (now_ns - measure->starts_ns - 1) / when->span.period_ns + 1;
	start_ns = measure->starts_ns + periods * when->span.period_ns;
	return start_ns <= measure->ends_ns ? start_ns : SN_MP_FUTURE;
}

static int64_t runs_of_span(int64_t start_ns, int64_t end_ns, int64_t period_ns)
{
	return period_ns > 0 && end_ns > start_ns ? (end_ns - start_ns) / period_ns + 1 : 1;
}

/* Of one provider; -1: without end, or too many to count. */
static int64_t runs_of(const struct sn_measure *measure)
{
	const struct sn_mp_when *when = &measure->specification->when;
	int64_t at = measure->starts_ns, count = 0, inner;

	if (!when->repeated && when->span.period_ns <= 0)
		return 1;
	if (measure->ends_ns == SN_MP_FUTURE)
		return -1;
	if (!when->repeated)
		return runs_of_span(at, measure->ends_ns, when->span.period_ns);
	inner = when->has_inner ? runs_of_span(0, SN_MAX(when->inner.duration_ns, INT64_C(0)),
					       when->inner.period_ns)
				: 1;
	for (; sn_mp_when_next(when, at, &at) == 0; at++) {
		if (++count > RUNS_MAX)
			return -1;
	}
	return count * inner;
}

/* Targets ------------------------------------------------------------------------------ */

static void add_target(json_t *targets, const json_t *value)
{
	if (json_is_string(value))
		json_array_append(targets, (json_t *)value);
	for (size_t i = 0; i < json_array_size(value); i++)
		json_array_append(targets, json_array_get(value, i));
}

/* Of peers: what their elements call a destination. */
static void add_destinations(json_t *targets, const struct sn_mp_message *specification)
{
	for (size_t i = 0; i < specification->param_count; i++) {
		const struct sn_mp_param *param = &specification->params[i];
		bool source = strncmp(param->name, "source.", 7) == 0;

		if (param->value != NULL && !source &&
		    (strncmp(param->name, "destination.", 12) == 0 ||
		     param->prim == SN_MP_ADDRESS || param->prim == SN_MP_URL))
			json_array_append_new(targets, json_string(param->value));
	}
}

json_t *sn_measure_targets(const struct sn_measure *measure)
{
	json_t *targets = json_array();

	if (measure->native == NULL) {
		add_destinations(targets, measure->specification);
		return targets;
	}
	for (size_t i = 0; i < measure->native->method->param_count; i++) {
		const struct sn_param *param = &measure->native->method->params[i];

		if (param->type == SN_PARAM_TARGETS)
			add_target(targets,
				   json_object_get(measure->order.parameters, param->name));
	}
	return targets;
}

/* For people ----------------------------------------------------------------------------- */

const char *sn_measure_provider_name(const struct sn_measures *measures, const char *provider)
{
	const char *behind = strchr(provider, ':');
	const struct sn_node *node = strncmp(provider, "node:", 5) == 0
					     ? sn_fleet_by_id(measures->config.fleet, provider + 5)
					     : NULL;

	return node != NULL ? node->name : behind != NULL ? behind + 1 : provider;
}

static json_t *part_json(const struct sn_measures *measures, const struct sn_measure_part *part)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:o}", "provider", part->provider, "name",
			 sn_measure_provider_name(measures, part->provider), "state",
			 sn_measure_state_name(part->state), "started",
			 sn_json_time(part->started_ns), "ended", sn_json_time(part->ended_ns),
			 "results", (json_int_t)part->results, "error", sn_json_text(part->error));
}

static json_t *counts_json(const struct sn_measured *measured)
{
	json_t *counts = json_object();

	for (int i = 0; i < SN_MEASURE_STATES; i++)
		json_object_set_new(counts, sn_measure_state_name((enum sn_measure_state)i),
				    json_integer(measured->counts[i]));
	return counts;
}

static json_t *parts_json(const struct sn_measures *measures, const struct sn_measure *measure)
{
	json_t *parts = json_array();

	for (size_t i = 0; i < measure->part_count; i++)
		json_array_append_new(parts, part_json(measures, measure->parts[i]));
	return parts;
}

json_t *sn_measure_json(const struct sn_measures *measures, const struct sn_measure *measure,
			bool parts)
{
	const struct sn_measured *measured = sn_measured(measure);
	const char *label = measure->specification->label;
	char dataset[SN_OFFER_DATASET_MAX];
	json_t *json = json_object();

	sn_offer_dataset(measure->native, label, measure->schema, dataset);
	json_object_set_new(json, "id", json_string(measure->id));
	json_object_set_new(json, "name", json_string(measure->name));
	json_object_set_new(json, "capability", json_string(label));
	json_object_set_new(json, "owner", json_string(measure->owner));
	json_object_set(json, "parameters", measured->parameters);
	json_object_set_new(json, "when", when_json(measure));
	json_object_set(json, "selection", measure->selection);
	json_object_set_new(json, "state", json_string(sn_measure_state_name(measure->state)));
	json_object_set_new(json, "created", sn_json_time(measure->created_ns));
	json_object_set_new(json, "starts", moment(measure->starts_ns));
	json_object_set_new(json, "ends", moment(measure->ends_ns));
	json_object_set_new(json, "next", moment(next_run(measure, measures->now_ns)));
	json_object_set_new(json, "dataset", json_string(dataset));
	json_object_set_new(json, "repository", sn_json_text(measure->repository));
	json_object_set_new(json, "providers", counts_json(measured));
	json_object_set_new(json, "results", json_integer((json_int_t)measured->results));
	if (parts)
		json_object_set_new(json, "parts", parts_json(measures, measure));
	return json;
}

json_t *sn_measure_part_json(const struct sn_measures *measures, const struct sn_measure_part *part)
{
	return part_json(measures, part);
}

static json_t *candidates_json(const struct sn_measures *measures, const struct sn_measure *measure)
{
	json_t *providers = json_array();

	for (size_t i = 0; i < measure->part_count; i++) {
		const char *provider = measure->parts[i]->provider;
		const struct sn_node *node =
			strncmp(provider, "node:", 5) == 0
				? sn_fleet_by_id(measures->config.fleet, provider + 5)
				: NULL;
		bool offline = node != NULL && node->state != SN_NODE_ONLINE;

		json_array_append_new(providers,
				      json_pack("{s:s, s:s, s:s}", "provider", provider, "name",
						sn_measure_provider_name(measures, provider),
						"state", offline ? "offline" : "online"));
	}
	return providers;
}

json_t *sn_measured_preview(const struct sn_measures *measures, const struct sn_measured *measured,
			    bool allowed, const char *reason)
{
	const struct sn_measure *measure = &measured->measure;
	int64_t runs = runs_of(measure);

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "providers",
			 candidates_json(measures, measure), "when", when_json(measure), "runs",
			 runs >= 0 ? json_integer(runs) : json_null(), "ends",
			 moment(measure->ends_ns), "targets", sn_measure_targets(measure),
			 "allowed", allowed, "reason", sn_json_text(reason));
}

/* For providers ------------------------------------------------------------------------------ */

struct sn_mp_message *sn_measures_part_specification(const struct sn_measures *measures,
						     const struct sn_measure_part *part)
{
	const struct sn_measure *measure = part->measure;
	struct sn_mp_message *copy = sn_mp_message_copy(measure->specification);
	const struct sn_hub_offer *offer =
		sn_measured(measure)->own_values
			? sn_offers_of(measures->config.offers, part->provider, copy->label)
			: NULL;

	if (part->token[0] != '\0')
		sn_mp_set_text(&copy->token, part->token);
	for (size_t i = 0; offer != NULL && i < copy->param_count; i++) {
		const struct sn_mp_param *its =
			sn_mp_param(offer->capability, copy->params[i].name);

		if (copy->params[i].value == NULL && its != NULL)
			(void)sn_mp_set_value(copy, its->name,
					      sn_mp_constraint_single(&its->constraint), NULL);
	}
	return copy;
}

/* What one node runs; a new reference. */
static json_t *parameters_for(const struct sn_measures *measures,
			      const struct sn_measure_part *part)
{
	const struct sn_measure *measure = part->measure;
	sn_automp struct sn_mp_message *own = NULL;
	struct sn_mp_order order = {0};
	json_t *parameters;

	if (!sn_measured(measure)->own_values)
		return json_incref(measure->order.parameters);
	own = sn_measures_part_specification(measures, part);
	if (sn_mp_offer_order(measure->native, own, measure->created_ns, &order, NULL) != 0)
		return json_incref(measure->order.parameters);
	parameters = json_incref(order.parameters);
	sn_mp_order_finish(&order);
	return parameters;
}

static json_t *task_json(const struct sn_measures *measures, const struct sn_measure_part *part)
{
	const struct sn_measure *measure = part->measure;
	struct sn_buf text = {0};
	json_t *json;

	sn_mp_when_print(&measure->order.when, &text);
	json = json_pack("{s:s, s:s, s:s, s:o, s:s}", "id", measure->id, "name", measure->name,
			 "method", measure->native->method->name, "parameters",
			 parameters_for(measures, part), "when", sn_buf_cstr(&text));
	sn_buf_finish(&text);
	return json;
}

static int by_id(const void *a, const void *b)
{
	const struct sn_measure_live *const *x = a, *const *y = b;

	return strcmp((*x)->part.measure->id, (*y)->part.measure->id);
}

static struct sn_measure_provider *provider_of(const struct sn_measures *measures, const char *node)
{
	char name[SN_PROVIDER_MAX];

	snprintf(name, sizeof(name), "node:%s", node);
	return sn_map_get(measures->providers, name);
}

json_t *sn_measures_tasks_for(const struct sn_measures *measures, const char *node)
{
	struct sn_measure_provider *provider = provider_of(measures, node);
	struct sn_measure_live **lives;
	json_t *items = json_array();

	if (provider == NULL || provider->count == 0)
		return items;
	lives = sn_xmemdup(provider->live, provider->count * sizeof(struct sn_measure_live *));
	qsort(lives, provider->count, sizeof(struct sn_measure_live *), by_id);
	for (size_t i = 0; i < provider->count; i++)
		json_array_append_new(items, task_json(measures, &lives[i]->part));
	free(lives);
	return items;
}

/* Measurements never change, but for values that the node itself decides. */
static void add_identity(const struct sn_measures *measures, const struct sn_measure_part *part,
			 struct sn_buf *text)
{
	sn_buf_adds(text, part->measure->id);
	if (sn_measured(part->measure)->own_values) {
		json_t *parameters = parameters_for(measures, part);
		sn_autofree char *dumped = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);

		sn_buf_adds(text, dumped);
		json_decref(parameters);
	}
}

bool sn_measures_set_never(struct sn_measures *measures, json_t *networks)
{
	sn_autofree char *text = json_dumps(networks, JSON_COMPACT);
	uint8_t hash[SN_SECRET_HASH_SIZE];
	size_t cursor = 0;
	const char *name;
	void *provider;

	if (json_equal(measures->never, networks)) {
		json_decref(networks);
		return false;
	}
	json_decref(measures->never);
	measures->never = networks;
	sn_secret_hash(sn_str(text), hash);
	sn_hex(hash, (SN_TASKS_ETAG_SIZE - 1) / 2, measures->never_mark);
	while (sn_map_next(measures->providers, &cursor, &name, &provider))
		((struct sn_measure_provider *)provider)->etag[0] = '\0';
	return true;
}

json_t *sn_measures_never(const struct sn_measures *measures)
{
	return json_incref(measures->never);
}

static void make_etag(const struct sn_measures *measures, struct sn_measure_provider *provider,
		      char etag[SN_TASKS_ETAG_SIZE])
{
	uint8_t hash[SN_SECRET_HASH_SIZE];
	struct sn_buf text = {0};

	sn_buf_adds(&text, measures->never_mark);
	if (provider != NULL && provider->count > 0)
		qsort(provider->live, provider->count, sizeof(struct sn_measure_live *), by_id);
	for (size_t i = 0; provider != NULL && i < provider->count; i++) {
		provider->live[i]->at = i;
		add_identity(measures, &provider->live[i]->part, &text);
	}
	sn_secret_hash(sn_buf_str(&text), hash);
	sn_hex(hash, (SN_TASKS_ETAG_SIZE - 1) / 2, etag);
	sn_buf_finish(&text);
}

void sn_measures_etag(const struct sn_measures *measures, const char *node,
		      char etag[SN_TASKS_ETAG_SIZE])
{
	struct sn_measure_provider *provider = provider_of(measures, node);

	if (provider == NULL) {
		make_etag(measures, NULL, etag);
		return;
	}
	if (provider->etag[0] == '\0')
		make_etag(measures, provider, provider->etag);
	memcpy(etag, provider->etag, SN_TASKS_ETAG_SIZE);
}
