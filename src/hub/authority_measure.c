/* SPDX-License-Identifier: Apache-2.0 */
/* May this be measured: the question to the policy, and what its targets bear already. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/authority_internal.h"
#include "hub/control.h"

/* What is asked, from whom, how often. */
struct demand {
	char **targets; /* NULL-terminated */
	size_t target_count, room;
	size_t common; /* of them, in front: targets of every provider */
	double rate;   /* samples per second that one provider sends to each target */
};

/* Targets ------------------------------------------------------------------------------ */

static void add_target(const char *target, void *ctx)
{
	struct demand *demand = ctx;

	if (demand->target_count + 1 >= demand->room) {
		demand->room = 2 * demand->room;
		demand->targets =
			sn_xrealloc(demand->targets, demand->room, sizeof(*demand->targets));
	}
	demand->targets[demand->target_count++] = sn_xstrdup(target);
	demand->targets[demand->target_count] = NULL;
}

static void add_targets(struct demand *demand, const char *text)
{
	if (!sn_mp_value_is_none(text))
		sn_policy_targets_in(text, add_target, demand);
}

static void add_plain_target(const char *target, void *ctx)
{
	if (sn_policy_target_is_plain(target))
		add_target(target, ctx);
}

static void add_native_targets(const struct sn_mp_order *order, struct demand *demand)
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
static void add_value(const struct sn_mp_param *param, const char *value, struct demand *demand)
{
	if (is_source(param) || sn_mp_value_is_none(value))
		return;
	sn_policy_targets_in(value, is_target(param) ? add_target : add_plain_target, demand);
}

static void add_peer_targets(const struct sn_mp_message *specification, struct demand *demand)
{
	for (size_t i = 0; i < specification->param_count; i++)
		add_value(&specification->params[i], specification->params[i].value, demand);
}

/* What was left to a provider, as its capability says it. */
static void add_own_values(const struct sn_mp_message *specification,
			   const struct sn_mp_message *capability, struct demand *demand)
{
	for (size_t i = 0; i < specification->param_count; i++) {
		const struct sn_mp_param *param = &specification->params[i];
		const struct sn_mp_param *its = sn_mp_param(capability, param->name);

		if (param->value == NULL && its != NULL)
			add_value(param, sn_mp_constraint_single(&its->constraint), demand);
	}
}

static bool leaves_values(const struct sn_mp_message *specification)
{
	for (size_t i = 0; i < specification->param_count; i++) {
		if (specification->params[i].value == NULL)
			return true;
	}
	return false;
}

/* Of `provider`, or of all that have a part. */
static void add_own_targets(const struct sn_authority *authority, const struct sn_measure *measure,
			    const char *provider, struct demand *demand)
{
	const struct sn_hub_offer *const *offers;
	size_t count;

	if (measure->native != NULL || authority->offers == NULL ||
	    !leaves_values(measure->specification))
		return;
	count = sn_offers_labelled(authority->offers, measure->specification->label, &offers);
	for (size_t i = 0; i < count; i++) {
		const struct sn_hub_offer *offer = offers[i];

		if (strcmp(offer->schema, measure->schema) == 0 &&
		    (provider != NULL ? strcmp(offer->provider, provider) == 0
				      : sn_measure_part_of(measure, offer->provider) != NULL))
			add_own_values(measure->specification, offer->capability, demand);
	}
}

void sn_authority_set_offers(struct sn_authority *authority, const struct sn_offers *offers)
{
	authority->offers = offers;
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

/* `provider`: the only one of interest, or NULL. */
static void demand_init(const struct sn_authority *authority, const struct sn_measure *measure,
			const char *provider, struct demand *demand)
{
	int64_t period_ns = sn_mp_when_period(&measure->specification->when);

	*demand = (struct demand){.room = 16};
	demand->targets = sn_new_n(char *, demand->room);
	if (measure->native != NULL) {
		add_native_targets(&measure->order, demand);
		demand->rate = native_rate(&measure->order, period_ns);
	} else {
		add_peer_targets(measure->specification, demand);
		demand->rate = period_ns > 0 ? 1e9 / (double)period_ns : 1;
	}
	demand->common = demand->target_count;
	add_own_targets(authority, measure, provider, demand);
}

static void demand_finish(struct demand *demand)
{
	for (size_t i = 0; i < demand->target_count; i++)
		free(demand->targets[i]);
	free(demand->targets);
}

static void put_on(struct sn_load *load, const char *name, const struct demand *demand,
		   double factor)
{
	if (demand->common > 0)
		sn_load_set(load, name, (const char *const *)demand->targets, demand->common,
			    demand->rate, factor);
}

static int check_target(const struct sn_authority *authority, const char *target, double wanted,
			struct sn_err *err)
{
	double limit = sn_policy_target_rate(authority->policy);
	double present = sn_load_at(authority->load, target);

	/* A node's own loopback is nobody else's. */
	if (present + wanted <= limit * (1 + 1e-9) || sn_policy_target_is_loopback(target))
		return 0;
	return sn_err_set(err, -EDQUOT,
			  "target '%.100s' would get too much: all measurements send it "
			  "%.4g samples per second now, this one would add %.4g, and %.4g "
			  "is the limit (target_rate of the policy)",
			  target, present, wanted, limit);
}

/* `factor` providers would join. */
static int check_rate(const struct sn_authority *authority, const struct demand *demand,
		      double factor, struct sn_err *err)
{
	struct sn_load *wanted;
	int failed = 0;

	if (sn_policy_target_rate(authority->policy) <= 0)
		return 0;
	wanted = sn_load_create(); /* a target may be named twice, and in two ways */
	put_on(wanted, "", demand, factor);
	for (size_t i = 0; i < demand->common && failed == 0; i++)
		failed = check_target(authority, demand->targets[i],
				      sn_load_at(wanted, demand->targets[i]), err);
	sn_load_destroy(wanted);
	return failed;
}

int sn_authority_rate(const struct sn_authority *authority, const struct sn_measure *measure,
		      struct sn_err *err)
{
	struct demand demand;
	int failed;

	demand_init(authority, measure, NULL, &demand);
	failed = check_rate(authority, &demand, (double)measure->part_count, err);
	demand_finish(&demand);
	return failed;
}

void sn_authority_note_measure(struct sn_authority *authority, const struct sn_measure *measure)
{
	struct demand demand;

	if (sn_measure_state_is_final(measure->state)) {
		sn_load_remove(authority->load, measure->id);
		return;
	}
	if (sn_load_set_factor(authority->load, measure->id, (double)measure->part_count) == 0)
		return;
	demand_init(authority, measure, NULL, &demand);
	put_on(authority->load, measure->id, &demand, (double)measure->part_count);
	demand_finish(&demand);
}

/* The question ------------------------------------------------------------------------- */

static int64_t length_of(const struct sn_measure *measure)
{
	if (measure->ends_ns == SN_MP_FUTURE)
		return INT64_MAX;
	return SN_MAX(measure->ends_ns - measure->starts_ns, (int64_t)0);
}

static void make_ask(const struct sn_measure *measure, const struct demand *demand,
		     const char *const *identities, struct sn_policy_ask *ask)
{
	*ask = (struct sn_policy_ask){
		.action = SN_MAY_MEASURE,
		.identities = identities,
		.label = measure->specification->label,
		.targets = (const char *const *)demand->targets,
		.period_ns = sn_mp_when_period(&measure->specification->when),
		.length_ns = length_of(measure),
	};
}

/* The names of each provider that has a part; free both levels. */
static char **name_parts(const struct sn_authority *authority, const struct sn_measure *measure)
{
	char **names = sn_new_n(char *, measure->part_count + 1);

	for (size_t i = 0; i < measure->part_count; i++) {
		struct sn_buf text = {0};

		sn_authority_name_provider(authority, measure->parts[i]->provider, &text);
		sn_buf_cstr(&text);
		names[i] = text.p;
	}
	return names;
}

static int refuse(const struct sn_measure *measure, const struct sn_policy_verdict *verdict,
		  struct sn_err *err)
{
	return sn_err_set(err, -EACCES, "measuring '%.80s' is not allowed: %s",
			  measure->specification->label, verdict->reason);
}

int sn_authority_permit_measure(const struct sn_measure *measure, struct sn_err *err, void *ctx)
{
	struct sn_authority *authority = ctx;
	char **nodes = name_parts(authority, measure);
	struct sn_policy_verdict verdict;
	struct sn_policy_ask ask;
	struct sn_asker asker;
	struct sn_err trouble = {0};
	struct demand demand;
	int failed = 0;

	sn_asker_measure(authority, &asker, measure);
	demand_init(authority, measure, NULL, &demand);
	make_ask(measure, &demand, asker.list, &ask);
	ask.nodes = (const char *const *)nodes;
	ask.node_count = measure->part_count;
	sn_policy_decide(authority->policy, &ask, &verdict);
	if (!verdict.allowed)
		failed = refuse(measure, &verdict, err);
	else if (check_rate(authority, &demand, (double)measure->part_count, &trouble) != 0) {
		verdict.allowed = false;
		verdict.line = 0;
		snprintf(verdict.reason, sizeof(verdict.reason), "%.250s", trouble.text);
		failed = sn_err_set(err, trouble.code, "%s", trouble.text);
	}
	if (measure->id[0] != '\0' &&
	    sn_authority_record(authority, &ask, measure->id, &verdict, &trouble) != 0)
		failed = sn_err_set(err, trouble.code, "the audit trail cannot be written: %.300s",
				    trouble.text);
	demand_finish(&demand);
	for (size_t i = 0; i < measure->part_count; i++)
		free(nodes[i]);
	free(nodes);
	return failed;
}

bool sn_authority_may_join(const struct sn_measure *measure, const char *provider, void *ctx)
{
	struct sn_authority *authority = ctx;
	struct sn_policy_verdict verdict;
	struct sn_policy_ask ask;
	struct sn_asker asker;
	struct sn_buf names = {0};
	struct sn_err err = {0};
	struct demand demand;
	const char *node;

	sn_asker_measure(authority, &asker, measure);
	sn_authority_name_provider(authority, provider, &names);
	node = sn_buf_cstr(&names);
	demand_init(authority, measure, provider, &demand);
	make_ask(measure, &demand, asker.list, &ask);
	ask.nodes = &node;
	ask.node_count = 1;
	sn_policy_decide(authority->policy, &ask, &verdict);
	if (verdict.allowed && check_rate(authority, &demand, 1, &err) != 0) {
		verdict.allowed = false;
		snprintf(verdict.reason, sizeof(verdict.reason), "%.250s", err.text);
	}
	/* That it was allowed is in the trail since it was asked for. */
	if (!verdict.allowed)
		(void)sn_authority_record(authority, &ask, measure->id, &verdict, &err);
	demand_finish(&demand);
	sn_buf_finish(&names);
	return verdict.allowed;
}

/* Asked again ---------------------------------------------------------------------------- */

/* The question about one part: its provider, and the targets that only this one fixes. */
static void decide_part(const struct sn_authority *authority, const struct sn_measure_part *part,
			const struct sn_policy_ask *about_all, struct sn_policy_verdict *verdict)
{
	struct sn_policy_ask ask = *about_all;
	struct sn_buf names = {0};
	struct demand demand;
	const char *node;

	sn_authority_name_provider(authority, part->provider, &names);
	node = sn_buf_cstr(&names);
	ask.nodes = &node;
	ask.node_count = 1;
	demand_init(authority, part->measure, part->provider, &demand);
	ask.targets = (const char *const *)demand.targets;
	sn_policy_decide(authority->policy, &ask, verdict);
	demand_finish(&demand);
	sn_buf_finish(&names);
}

/* Those that have not ended and are not allowed each for itself; `verdict` of the last one. */
static int refused_parts(const struct sn_authority *authority, const struct sn_measure *measure,
			 const struct sn_policy_ask *ask, struct sn_measure_part **parts,
			 struct sn_policy_verdict *verdict)
{
	int count = 0;

	for (size_t i = 0; i < measure->part_count; i++) {
		struct sn_measure_part *part = measure->parts[i];
		struct sn_policy_verdict of_this;

		if (sn_measure_state_is_final(part->state))
			continue;
		decide_part(authority, part, ask, &of_this);
		if (of_this.allowed)
			continue;
		*verdict = of_this;
		parts[count++] = part;
	}
	return count;
}

/* One line, whoever else was refused lately: it ends something. */
static int record_end(struct sn_authority *authority, const struct sn_measure *measure,
		      unsigned line, struct sn_err *why)
{
	struct sn_err trouble = {0};
	struct sn_audit_decision decision = {
		.time_ns = sn_loop_wall_now(authority->config.loop),
		.actor = measure->identities[0],
		.action = "policy.measure",
		.subject = measure->id,
		.line = line,
		.reason = why->text,
	};

	if (sn_control_audit_decision(authority->config.db, &decision, &trouble) == 0)
		return 0;
	return sn_err_set(why, trouble.code, "the audit trail cannot be written: %.300s",
			  trouble.text);
}

int sn_authority_may_go_on(const struct sn_measure *measure, struct sn_measure_part **parts,
			   struct sn_err *why, void *ctx)
{
	struct sn_authority *authority = ctx;
	struct sn_policy_verdict verdict;
	struct sn_policy_ask ask;
	struct sn_asker asker;
	struct demand demand;
	int count = 0;

	sn_asker_measure(authority, &asker, measure);
	demand_init(authority, measure, NULL, &demand);
	make_ask(measure, &demand, asker.list, &ask);
	/* What is allowed without a word of where is allowed everywhere. */
	sn_policy_decide(authority->policy, &ask, &verdict);
	if (!verdict.allowed)
		count = refused_parts(authority, measure, &ask, parts, &verdict);
	demand_finish(&demand);
	if (count == 0)
		return 0;
	sn_err_set(why, -EACCES, "the policy does not allow it any more: %s", verdict.reason);
	return record_end(authority, measure, verdict.line, why) == 0 ? count : why->code;
}

static const char *overloaded(const struct sn_authority *authority, const struct demand *demand)
{
	double limit = sn_policy_target_rate(authority->policy);

	for (size_t i = 0; i < demand->common && limit > 0; i++) {
		if (sn_load_at(authority->load, demand->targets[i]) > limit * (1 + 1e-9) &&
		    !sn_policy_target_is_loopback(demand->targets[i]))
			return demand->targets[i];
	}
	return NULL;
}

int sn_authority_fits_rate(const struct sn_measure *measure, struct sn_measure_part **parts,
			   struct sn_err *why, void *ctx)
{
	struct sn_authority *authority = ctx;
	struct demand demand;
	const char *target;
	int count = 0;

	/* Taken away below, it is back when the answer could not be stored. */
	sn_authority_note_measure(authority, measure);
	demand_init(authority, measure, NULL, &demand);
	target = overloaded(authority, &demand);
	if (target != NULL)
		sn_err_set(why, -EDQUOT,
			   "target '%.100s' gets too much: all measurements send it %.4g samples "
			   "per second, and %.4g is the limit (target_rate of the policy)",
			   target, sn_load_at(authority->load, target),
			   sn_policy_target_rate(authority->policy));
	demand_finish(&demand);
	if (target == NULL)
		return 0;
	if (record_end(authority, measure, 0, why) != 0)
		return why->code;
	/* So that those that are older are asked about without it. */
	sn_load_remove(authority->load, measure->id);
	for (size_t i = 0; i < measure->part_count; i++) {
		if (!sn_measure_state_is_final(measure->parts[i]->state))
			parts[count++] = measure->parts[i];
	}
	return count;
}
