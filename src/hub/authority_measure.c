/* SPDX-License-Identifier: Apache-2.0 */
/* May this be measured: the question to the policy, and what its targets bear already. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/authority_internal.h"
#include "hub/control.h"
#include "hub/demand.h"

void sn_authority_set_offers(struct sn_authority *authority, const struct sn_offers *offers)
{
	authority->offers = offers;
}

/* Rates -------------------------------------------------------------------------------- */

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
static int check_rate(const struct sn_authority *authority, const struct sn_demand *demand,
		      double factor, struct sn_err *err)
{
	struct sn_load *wanted;
	int failed = 0;

	if (sn_policy_target_rate(authority->policy) <= 0)
		return 0;
	wanted = sn_load_create(); /* a target may be named twice, and in two ways */
	sn_demand_put(wanted, "common", demand, factor);
	sn_demand_put_own(wanted, "own", demand);
	for (size_t i = 0; i < demand->target_count && failed == 0; i++)
		failed = check_target(authority, demand->targets[i],
				      sn_load_at(wanted, demand->targets[i]), err);
	sn_load_destroy(wanted);
	return failed;
}

int sn_authority_rate(const struct sn_authority *authority, const struct sn_measure *measure,
		      struct sn_err *err)
{
	struct sn_demand demand;
	int failed;

	sn_demand_init(&demand, measure, authority->offers, NULL);
	failed = check_rate(authority, &demand, (double)measure->part_count, err);
	sn_demand_finish(&demand);
	return failed;
}

/* In the load, what one provider of a measurement adds by its own choice. */
static char *own_name(const struct sn_measure *measure, const char *provider)
{
	return sn_xasprintf("%s\n%s", measure->id, provider);
}

static void forget(struct sn_authority *authority, const struct sn_measure *measure)
{
	sn_load_remove(authority->load, measure->id);
	for (size_t i = 0; i < measure->part_count && sn_demand_is_open(measure); i++) {
		sn_autofree char *name = own_name(measure, measure->parts[i]->provider);

		sn_load_remove(authority->load, name);
	}
}

/* `given`: its capability, or the specification for it. */
static void note_own(struct sn_authority *authority, const struct sn_measure *measure,
		     const char *provider, const struct sn_mp_message *given)
{
	sn_autofree char *name = own_name(measure, provider);
	struct sn_demand demand;

	sn_demand_own(&demand, measure, given);
	sn_load_remove(authority->load, name);
	sn_demand_put_own(authority->load, name, &demand);
	sn_demand_finish(&demand);
}

static void note_part(struct sn_authority *authority, const struct sn_measure_part *part)
{
	const struct sn_measure *measure = part->measure;
	const struct sn_hub_offer *offer = NULL;

	if (authority->offers != NULL && !sn_measure_state_is_final(part->state))
		offer = sn_offers_of(authority->offers, part->provider,
				     measure->specification->label);
	if (offer != NULL)
		note_own(authority, measure, part->provider, offer->capability);
}

static void note_parts(struct sn_authority *authority, const struct sn_measure *measure,
		       const struct sn_measure_part *part)
{
	if (part != NULL)
		note_part(authority, part);
	for (size_t i = 0; i < measure->part_count && part == NULL; i++)
		note_part(authority, measure->parts[i]);
}

void sn_authority_note_measure(struct sn_authority *authority, const struct sn_measure *measure,
			       const struct sn_measure_part *part)
{
	struct sn_demand demand;

	if (sn_measure_state_is_final(measure->state)) {
		forget(authority, measure);
		return;
	}
	if (sn_demand_is_open(measure))
		note_parts(authority, measure, part);
	if (sn_load_set_factor(authority->load, measure->id, (double)measure->part_count) == 0)
		return;
	sn_demand_common(&demand, measure);
	sn_demand_put(authority->load, measure->id, &demand, (double)measure->part_count);
	sn_demand_finish(&demand);
}

/* The question ------------------------------------------------------------------------- */

static int64_t length_of(const struct sn_measure *measure)
{
	if (measure->ends_ns == SN_MP_FUTURE)
		return INT64_MAX;
	return SN_MAX(measure->ends_ns - measure->starts_ns, (int64_t)0);
}

static void make_ask(const struct sn_measure *measure, const struct sn_demand *demand,
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

static void decide_at(const struct sn_authority *authority, const char *provider,
		      struct sn_policy_ask *ask, struct sn_policy_verdict *verdict)
{
	struct sn_buf names = {0};
	const char *node;

	sn_authority_name_provider(authority, provider, &names);
	node = sn_buf_cstr(&names);
	ask->nodes = &node;
	ask->node_count = 1;
	sn_policy_decide(authority->policy, ask, verdict);
	ask->nodes = NULL;
	ask->node_count = 0;
	sn_buf_finish(&names);
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
	struct sn_demand demand;
	int failed = 0;

	sn_asker_measure(authority, &asker, measure);
	sn_demand_init(&demand, measure, authority->offers, NULL);
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
	sn_demand_finish(&demand);
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
	struct sn_demand demand;
	const char *node;

	sn_asker_measure(authority, &asker, measure);
	sn_authority_name_provider(authority, provider, &names);
	node = sn_buf_cstr(&names);
	sn_demand_init(&demand, measure, authority->offers, provider);
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
	sn_demand_finish(&demand);
	sn_buf_finish(&names);
	return verdict.allowed;
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

/* May be another answer the next time: not each one gets a line. */
static void record_overload(struct sn_authority *authority, const struct sn_policy_ask *ask,
			    const struct sn_measure *measure, const struct sn_err *why)
{
	struct sn_policy_verdict verdict = {.allowed = false};
	struct sn_err trouble = {0};

	snprintf(verdict.reason, sizeof(verdict.reason), "%.250s", why->text);
	(void)sn_authority_record(authority, ask, measure->id, &verdict, &trouble);
}

int sn_authority_may_hand_out(struct sn_authority *authority, const struct sn_measure *measure,
			      const char *provider, const struct sn_mp_message *specification,
			      struct sn_err *err)
{
	sn_autofree char *name = own_name(measure, provider);
	struct sn_policy_verdict verdict;
	struct sn_policy_ask ask;
	struct sn_asker asker;
	struct sn_demand demand;
	int failed = 0;

	if (!sn_demand_is_open(measure))
		return 0;
	sn_asker_measure(authority, &asker, measure);
	sn_demand_own(&demand, measure, specification);
	/* What it said when it was asked for may have been something else. */
	sn_load_remove(authority->load, name);
	make_ask(measure, &demand, asker.list, &ask);
	decide_at(authority, provider, &ask, &verdict);
	if (!verdict.allowed) {
		failed = refuse(measure, &verdict, err);
		if (record_end(authority, measure, verdict.line, err) != 0)
			failed = err->code;
	} else if (check_rate(authority, &demand, 0, err) != 0) {
		failed = err->code;
		record_overload(authority, &ask, measure, err);
	} else {
		sn_demand_put_own(authority->load, name, &demand);
	}
	sn_demand_finish(&demand);
	return failed;
}

/* Asked again ---------------------------------------------------------------------------- */

/* The question about one part: its provider, and the targets that only this one fixes. */
static void decide_part(const struct sn_authority *authority, const struct sn_measure_part *part,
			const struct sn_policy_ask *about_all, struct sn_policy_verdict *verdict)
{
	struct sn_policy_ask ask = *about_all;
	struct sn_demand demand;

	sn_demand_init(&demand, part->measure, authority->offers, part->provider);
	ask.targets = (const char *const *)demand.targets;
	decide_at(authority, part->provider, &ask, verdict);
	sn_demand_finish(&demand);
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

int sn_authority_may_go_on(const struct sn_measure *measure, struct sn_measure_part **parts,
			   struct sn_err *why, void *ctx)
{
	struct sn_authority *authority = ctx;
	struct sn_policy_verdict verdict;
	struct sn_policy_ask ask;
	struct sn_asker asker;
	struct sn_demand demand;
	int count = 0;

	sn_asker_measure(authority, &asker, measure);
	sn_demand_init(&demand, measure, authority->offers, NULL);
	make_ask(measure, &demand, asker.list, &ask);
	/* What is allowed without a word of where is allowed everywhere. */
	sn_policy_decide(authority->policy, &ask, &verdict);
	if (!verdict.allowed)
		count = refused_parts(authority, measure, &ask, parts, &verdict);
	sn_demand_finish(&demand);
	if (count == 0)
		return 0;
	sn_err_set(why, -EACCES, "the policy does not allow it any more: %s", verdict.reason);
	return record_end(authority, measure, verdict.line, why) == 0 ? count : why->code;
}

static const char *overloaded(const struct sn_authority *authority, const struct sn_demand *demand)
{
	double limit = sn_policy_target_rate(authority->policy);

	for (size_t i = 0; i < demand->target_count && limit > 0; i++) {
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
	struct sn_demand demand;
	const char *target;
	int count = 0;

	/* Taken away below, it is back when the answer could not be stored. */
	sn_authority_note_measure(authority, measure, NULL);
	sn_demand_init(&demand, measure, authority->offers, NULL);
	target = overloaded(authority, &demand);
	if (target != NULL)
		sn_err_set(why, -EDQUOT,
			   "target '%.100s' gets too much: all measurements send it %.4g samples "
			   "per second, and %.4g is the limit (target_rate of the policy)",
			   target, sn_load_at(authority->load, target),
			   sn_policy_target_rate(authority->policy));
	sn_demand_finish(&demand);
	if (target == NULL)
		return 0;
	if (record_end(authority, measure, 0, why) != 0)
		return why->code;
	/* So that those that are older are asked about without it. */
	forget(authority, measure);
	for (size_t i = 0; i < measure->part_count; i++) {
		if (!sn_measure_state_is_final(measure->parts[i]->state))
			parts[count++] = measure->parts[i];
	}
	return count;
}
