/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes part in a measurement that is being put together. */
#include "hub/measures_draft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Who takes part ----------------------------------------------------------------------------- */

static void choose(struct sn_draft *draft, const char *provider,
		   const struct sn_mp_message *capability)
{
	struct sn_draft_choice *choice;

	if (draft->count == draft->room) {
		draft->room = draft->room > 0 ? draft->room * 2 : 8;
		draft->chosen = sn_xrealloc(draft->chosen, draft->room, sizeof(*draft->chosen));
	}
	choice = &draft->chosen[draft->count++];
	snprintf(choice->provider, sizeof(choice->provider), "%s", provider);
	choice->capability = capability;
}

static bool fits(struct sn_draft *draft, const struct sn_hub_offer *offer)
{
	return strcmp(offer->schema, draft->measured->measure.schema) == 0 &&
	       sn_request_fits(draft->measured, offer->capability, &draft->miss) == 0;
}

static void choose_if(struct sn_draft *draft, const struct sn_hub_offer *offer)
{
	if (draft->once && offer->stale)
		sn_err_set(&draft->miss, -ENOENT, "the nodes that could do it are offline");
	else if (sn_select_fits(draft->measured->measure.selection, offer->node) &&
		 fits(draft, offer))
		choose(draft, offer->provider, offer->capability);
}

static void choose_open(struct sn_draft *draft)
{
	if (draft->only != NULL)
		choose_if(draft, draft->only);
	for (size_t i = 0; i < draft->offer_count; i++)
		choose_if(draft, draft->offers[i]);
}

/* The offer of a provider that fits; the first one, or for an odd one that has several, any. */
static const struct sn_hub_offer *offer_of(struct sn_draft *draft, const char *provider)
{
	const struct sn_hub_offer *offer;

	if (draft->only != NULL)
		return strcmp(draft->only->provider, provider) == 0 && fits(draft, draft->only)
			       ? draft->only
			       : NULL;
	offer = sn_offers_of(draft->measures->config.offers, provider, draft->capability->label);
	if (offer == NULL || fits(draft, offer))
		return offer;
	for (size_t i = 0; i < draft->offer_count; i++) {
		if (strcmp(draft->offers[i]->provider, provider) == 0 &&
		    fits(draft, draft->offers[i]))
			return draft->offers[i];
	}
	return NULL;
}

static int unknown_node(const struct sn_draft *draft, const char *name, struct sn_err *err)
{
	const struct sn_fleet *fleet = draft->measures->config.fleet;
	size_t count = sn_fleet_count(fleet);
	sn_autofree const char **names = sn_new_n(const char *, count + 1);
	const char *near;

	for (size_t i = 0; i < count; i++)
		names[i] = sn_fleet_at(fleet, i)->name;
	near = sn_suggest(name, names, count);
	return sn_err_set(err, -EINVAL, "nodes: there is no node '%.64s' that offers '%s'%s%s%s",
			  name, draft->capability->label, near != NULL ? " (did you mean '" : "",
			  near != NULL ? near : "", near != NULL ? "'?)" : "");
}

static int choose_named(struct sn_draft *draft, const char *name, struct sn_err *err)
{
	const struct sn_measure *measure = &draft->measured->measure;
	char provider[SN_PROVIDER_MAX];
	const struct sn_hub_offer *offer;
	struct sn_node *node;

	if (sn_select_named(draft->measures, name, provider, &node, err) != 0)
		return err->code;
	if (!sn_select_fits(measure->selection, node))
		return 0;
	draft->miss = (struct sn_err){0};
	offer = offer_of(draft, provider);
	if (offer != NULL) {
		choose(draft, provider, offer->capability);
		return 0;
	}
	/* One that has just joined: it will say what it can, and refuse what it cannot. */
	if (node != NULL && node->report == NULL && draft->only == NULL &&
	    measure->native != NULL && measure->native->view == NULL) {
		choose(draft, provider, NULL);
		return 0;
	}
	if (draft->miss.code == -EINVAL)
		return sn_err_set(err, -EINVAL, "%s", draft->miss.text);
	if (node == NULL && sn_offers_of(draft->measures->config.offers, provider,
					 draft->capability->label) == NULL)
		return unknown_node(draft, name, err);
	return sn_err_set(err, -ENOENT, "'%.64s' does not offer '%s'", name,
			  draft->capability->label);
}

static int choose_all_named(struct sn_draft *draft, struct sn_err *err)
{
	const json_t *nodes = json_object_get(draft->measured->measure.selection, "nodes");

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		int failed = choose_named(draft, json_string_value(json_array_get(nodes, i)), err);

		if (failed != 0)
			return failed;
	}
	return 0;
}

static int by_provider(const void *a, const void *b)
{
	return strcmp(((const struct sn_draft_choice *)a)->provider,
		      ((const struct sn_draft_choice *)b)->provider);
}

static void make_unique(struct sn_draft *draft)
{
	size_t kept = 0;

	qsort(draft->chosen, draft->count, sizeof(*draft->chosen), by_provider);
	for (size_t i = 0; i < draft->count; i++) {
		if (kept == 0 || by_provider(&draft->chosen[kept - 1], &draft->chosen[i]) != 0)
			draft->chosen[kept++] = draft->chosen[i];
	}
	draft->count = kept;
}

static int refuse_nobody(const struct sn_draft *draft, struct sn_err *err)
{
	if (draft->miss.code != 0)
		return sn_err_set(err, draft->miss.code, "%s", draft->miss.text);
	return sn_err_set(err, -ENOENT, "none of the chosen ones offers '%s'",
			  draft->capability->label);
}

int sn_draft_choose(struct sn_draft *draft, struct sn_err *err)
{
	struct sn_measure *measure = &draft->measured->measure;
	bool open;

	if (sn_select_check(draft->request->selection, &measure->selection, err) != 0)
		return -EINVAL;
	open = sn_select_is_open(measure->selection);
	measure->follows =
		open && draft->only == NULL &&
		(measure->ends_ns == SN_MP_FUTURE || measure->specification->when.repeated);
	if (open)
		choose_open(draft);
	else if (choose_all_named(draft, err) != 0)
		return err->code;
	if (draft->count > 1)
		make_unique(draft);
	if (draft->count > SN_MEASURE_PARTS_MAX)
		return sn_err_set(err, -E2BIG, "more than %d would take part",
				  SN_MEASURE_PARTS_MAX);
	/* Nobody yet is fine for one that waits for all who come, not for a choice that is empty.
	 */
	if (draft->count == 0 && (!measure->follows || sn_select_is_narrow(measure->selection) ||
				  draft->miss.code == -EINVAL))
		return refuse_nobody(draft, err);
	return 0;
}

/* Values that only the providers know ------------------------------------------------------- */

/* One that all agree on becomes the specification's, others stay with each of them. */
static void settle_value(struct sn_draft *draft, struct sn_mp_param *param)
{
	const struct sn_mp_message *last = NULL;
	const char *common = NULL;
	bool any = false, same = true;

	for (size_t i = 0; i < draft->count; i++) {
		const struct sn_mp_param *its;
		const char *single;

		if (draft->chosen[i].capability == last || draft->chosen[i].capability == NULL)
			continue;
		last = draft->chosen[i].capability;
		its = sn_mp_param(last, param->name);
		single = its != NULL ? sn_mp_constraint_single(&its->constraint) : NULL;
		same = same && single != NULL && (!any || strcmp(single, common) == 0);
		any = any || single != NULL;
		common = single;
	}
	/* Who comes later has a value of its own. */
	if (any && same && !draft->measured->measure.follows)
		param->value = sn_xstrdup(common);
}

void sn_draft_settle_values(struct sn_draft *draft)
{
	struct sn_mp_message *specification = draft->measured->measure.specification;

	for (size_t i = 0; i < specification->param_count; i++) {
		if (specification->params[i].value == NULL)
			settle_value(draft, &specification->params[i]);
	}
}
