/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/demand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/policy.h"

/* Targets ------------------------------------------------------------------------------ */

static void add_target(const char *target, void *ctx)
{
	struct sn_demand *demand = ctx;

	if (demand->target_count + 1 >= demand->room) {
		demand->room = 2 * demand->room;
		demand->targets =
			sn_xrealloc(demand->targets, demand->room, sizeof(*demand->targets));
	}
	demand->targets[demand->target_count++] = sn_xstrdup(target);
	demand->targets[demand->target_count] = NULL;
}

static void add_targets(struct sn_demand *demand, const char *text)
{
	if (!sn_mp_value_is_none(text))
		sn_policy_targets_in(text, add_target, demand);
}

static void add_plain_target(const char *target, void *ctx)
{
	if (sn_policy_target_is_plain(target))
		add_target(target, ctx);
}

static void add_native_targets(const struct sn_mp_order *order, struct sn_demand *demand)
{
	for (size_t i = 0; i < order->method->param_count; i++) {
		const struct sn_param *param = &order->method->params[i];
		const json_t *value = json_object_get(order->parameters, param->name);

		if (param->type != SN_PARAM_TARGETS)
			continue;
		add_targets(demand, json_string_value(value));
		for (size_t j = 0; j < json_array_size(value); j++)
			add_targets(demand, json_string_value(json_array_get(value, j)));
	}
}

static bool is_source(const struct sn_mp_param *param)
{
	return strncmp(param->name, "source.", strlen("source.")) == 0;
}

static bool is_target(const struct sn_mp_param *param)
{
	static const char destination[] = "destination.";

	if (strncmp(param->name, destination, strlen(destination)) == 0)
		return strstr(param->name, ".port") == NULL && strstr(param->name, ".as") == NULL;
	return param->prim == SN_MP_ADDRESS || param->prim == SN_MP_URL ||
	       strstr(param->name, "fqdn") != NULL || strstr(param->name, "hostname") != NULL;
}

/*
 * A peer's parameters have no meaning that we know for sure: whatever is called a destination
 * counts as a target, and every address and URL that is not the source's.
 */
static void add_value(const struct sn_mp_param *param, const char *value, struct sn_demand *demand)
{
	if (is_source(param) || sn_mp_value_is_none(value))
		return;
	sn_policy_targets_in(value, is_target(param) ? add_target : add_plain_target, demand);
}

static void add_peer_targets(const struct sn_mp_message *specification, struct sn_demand *demand)
{
	for (size_t i = 0; i < specification->param_count; i++)
		add_value(&specification->params[i], specification->params[i].value, demand);
}

static const char *only_value(const struct sn_mp_param *param)
{
	return param->value != NULL ? param->value : sn_mp_constraint_single(&param->constraint);
}

/* What was left to a provider, as its capability, or what is made of that for it, says it. */
static void add_own_values(const struct sn_mp_message *specification,
			   const struct sn_mp_message *given, struct sn_demand *demand)
{
	for (size_t i = 0; i < specification->param_count; i++) {
		const struct sn_mp_param *param = &specification->params[i];
		const struct sn_mp_param *its = sn_mp_param(given, param->name);

		if (param->value == NULL && its != NULL)
			add_value(param, only_value(its), demand);
	}
}

bool sn_demand_is_open(const struct sn_measure *measure)
{
	for (size_t i = 0; i < measure->specification->param_count && measure->native == NULL;
	     i++) {
		if (measure->specification->params[i].value == NULL)
			return true;
	}
	return false;
}

static void add_targets_of(const struct sn_offers *all, const struct sn_measure *measure,
			   const char *provider, struct sn_demand *demand)
{
	const struct sn_mp_message *specification = measure->specification;
	const struct sn_hub_offer *offer = NULL;

	while ((offer = sn_offers_next_of(all, provider, specification->label, offer)) != NULL) {
		if (strcmp(offer->schema, measure->schema) == 0)
			add_own_values(specification, offer->capability, demand);
	}
}

/* Of `provider`, or of all that have a part. */
static void add_own_targets(const struct sn_offers *all, const struct sn_measure *measure,
			    const char *provider, struct sn_demand *demand)
{
	if (all == NULL || !sn_demand_is_open(measure))
		return;
	if (provider != NULL)
		add_targets_of(all, measure, provider, demand);
	for (size_t i = 0; i < measure->part_count && provider == NULL; i++)
		add_targets_of(all, measure, measure->parts[i]->provider, demand);
}

/* Rates -------------------------------------------------------------------------------- */

/* A parameter that is given, or its default; as text in `out`. */
static const char *param_text(const struct sn_mp_order *order, const char *name, char out[64])
{
	const struct sn_param *param = sn_method_param(order->method, name);
	const json_t *value = json_object_get(order->parameters, name);

	if (param == NULL)
		return NULL;
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_integer(value)) {
		snprintf(out, 64, "%lld", (long long)json_integer_value(value));
		return out;
	}
	return param->default_text;
}

/* `count` samples, `interval` apart, in each run. */
static double native_rate(const struct sn_mp_order *order, int64_t period_ns)
{
	char count_text[64], interval_text[64];
	const char *count = param_text(order, "count", count_text);
	const char *interval = param_text(order, "interval", interval_text);
	int64_t interval_ns = SN_NS_PER_S;
	uint64_t samples = 1;
	double fastest;

	if (count != NULL)
		(void)sn_parse_u64(sn_str(count), 1, UINT32_MAX, &samples);
	if (interval != NULL && samples > 1)
		(void)sn_parse_duration(sn_str(interval), &interval_ns);
	fastest = 1e9 / (double)SN_MAX(interval_ns, SN_NS_PER_US);
	if (period_ns <= 0)
		return fastest; /* while it runs */
	return SN_MIN(fastest, (double)samples * 1e9 / (double)period_ns);
}

static double rate_of(const struct sn_measure *measure)
{
	int64_t period_ns = sn_mp_when_period(&measure->specification->when);

	if (measure->native != NULL)
		return native_rate(&measure->order, period_ns);
	return period_ns > 0 ? 1e9 / (double)period_ns : 1;
}

static void create(const struct sn_measure *measure, struct sn_demand *demand)
{
	*demand = (struct sn_demand){.room = 16, .rate = rate_of(measure)};
	demand->targets = sn_new_n(char *, demand->room);
}

static void add_common_targets(const struct sn_measure *measure, struct sn_demand *demand)
{
	if (measure->native != NULL)
		add_native_targets(&measure->order, demand);
	else
		add_peer_targets(measure->specification, demand);
	demand->common = demand->target_count;
}

void sn_demand_init(struct sn_demand *demand, const struct sn_measure *measure,
		    const struct sn_offers *offers, const char *provider)
{
	create(measure, demand);
	add_common_targets(measure, demand);
	add_own_targets(offers, measure, provider, demand);
}

void sn_demand_common(struct sn_demand *demand, const struct sn_measure *measure)
{
	create(measure, demand);
	add_common_targets(measure, demand);
}

void sn_demand_own(struct sn_demand *demand, const struct sn_measure *measure,
		   const struct sn_mp_message *given)
{
	create(measure, demand);
	add_own_values(measure->specification, given, demand);
}

void sn_demand_finish(struct sn_demand *demand)
{
	for (size_t i = 0; i < demand->target_count; i++)
		free(demand->targets[i]);
	free(demand->targets);
}

void sn_demand_put(struct sn_load *load, const char *name, const struct sn_demand *demand,
		   double factor)
{
	if (demand->common > 0)
		sn_load_set(load, name, (const char *const *)demand->targets, demand->common,
			    demand->rate, factor);
}

void sn_demand_put_own(struct sn_load *load, const char *name, const struct sn_demand *demand)
{
	size_t count = demand->target_count - demand->common;

	if (count > 0)
		sn_load_set(load, name, (const char *const *)demand->targets + demand->common,
			    count, demand->rate, 1);
}
