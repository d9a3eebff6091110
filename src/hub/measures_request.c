/* SPDX-License-Identifier: Apache-2.0 */
/* From what somebody asks for to a measurement with everything resolved. */
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
static bool is_query(const struct sn_mp_message *message)
{
	return message->verb != NULL && strcmp(message->verb, SN_MP_VERB_QUERY) == 0;
}

static int64_t ends_of(const struct sn_mp_message *specification, int64_t now_ns)
{
	return is_query(specification) ? now_ns : sn_mp_when_ends(&specification->when, now_ns);
}

int sn_request_settle(struct sn_measured *measured, struct sn_err *err)
{
	struct sn_measure *measure = &measured->measure;
	const struct sn_mp_when *when = &measure->specification->when;

	sn_mp_schema_hash(measure->specification, measure->schema);
	measure->starts_ns = is_query(measure->specification)
				     ? measure->created_ns
				     : sn_mp_when_starts(when, measure->created_ns);
	measure->ends_ns = ends_of(measure->specification, measure->created_ns);
	measured->own_values = leaves_values(measured);
	if (measure->native == NULL)
		return 0;
	return sn_mp_offer_order(measure->native, measure->specification, measure->created_ns,
				 &measure->order, err);
}

/* What is being put together ----------------------------------------------------------- */

struct choice {
	char provider[SN_PROVIDER_MAX];
	const struct sn_mp_message *capability; /* NULL: of a node that was not heard of yet */
};

struct draft {
	struct sn_measures *measures;
	const struct sn_measure_request *request;
	int64_t now_ns;
	struct sn_measured *measured;
	const struct sn_hub_offer *only; /* when it was asked for by token */
	const struct sn_hub_offer *const *offers;
	size_t offer_count;                     /* of the label */
	const struct sn_mp_message *capability; /* one of them, or ... */
	struct sn_mp_message *own;              /* ... the method's, when no node offers it yet */
	bool once;                              /* one run, now: who is away cannot take part */
	struct choice *chosen;
	size_t count, room;
	struct sn_err miss; /* why the last one that did not fit did not */
};

/* The capability --------------------------------------------------------------------------- */

static bool knows_all(const struct sn_mp_message *capability, const json_t *parameters)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)parameters, name, value) {
		if (sn_mp_param(capability, name) == NULL)
			return false;
	}
	return true;
}

/* Of several schemas under one label: our own, else the only one that has these parameters. */
static int choose_schema(struct draft *draft, struct sn_err *err)
{
	const struct sn_hub_offer *found = NULL, *first = draft->offers[0];

	for (size_t i = 0; i < draft->offer_count; i++) {
		const struct sn_hub_offer *offer = draft->offers[i];

		if (draft->request->schema != NULL &&
		    strcmp(offer->schema, draft->request->schema) != 0)
			continue;
		if (offer->native != NULL) {
			found = offer;
			break;
		}
		if (found != NULL && strcmp(found->schema, offer->schema) == 0)
			continue;
		if (!knows_all(offer->capability, draft->request->parameters))
			continue;
		if (found != NULL)
			return sn_err_set(err, -EINVAL,
					  "capability: '%.64s' stands for several (name one by its "
					  "token)",
					  draft->request->capability);
		found = offer;
	}
	if (found == NULL)
		found = first; /* the parameters will be refused with their names */
	draft->capability = found->capability;
	draft->measured->measure.native = found->native;
	return 0;
}

static int refuse_capability(const struct draft *draft, struct sn_err *err)
{
	const char *names[256], *near;
	size_t count = 0, n;
	const struct sn_mp_offer *natives = sn_mp_offers(&n);

	for (size_t i = 0; i < n && count < SN_COUNT(names); i++)
		names[count++] = natives[i].label;
	for (size_t i = 0;
	     i < sn_offers_count(draft->measures->config.offers) && count < SN_COUNT(names); i++) {
		const struct sn_hub_offer *offer = sn_offers_at(draft->measures->config.offers, i);

		if (offer->native == NULL)
			names[count++] = offer->capability->label;
	}
	near = sn_suggest(draft->request->capability, names, count);
	return sn_err_set(err, -ENOENT, "there is no capability '%.64s'%s%s%s",
			  draft->request->capability, near != NULL ? " (did you mean '" : "",
			  near != NULL ? near : "", near != NULL ? "'?)" : "");
}

static int find_capability(struct draft *draft, struct sn_err *err)
{
	const struct sn_offers *offers = draft->measures->config.offers;
	const char *asked = draft->request->capability;

	draft->only = sn_offers_by_token(offers, asked);
	if (draft->only != NULL) {
		draft->capability = draft->only->capability;
		draft->measured->measure.native = draft->only->native;
		return 0;
	}
	draft->offer_count = sn_offers_labelled(offers, asked, &draft->offers);
	if (draft->offer_count > 0)
		return choose_schema(draft, err);
	draft->measured->measure.native = sn_mp_offer_find(asked);
	if (draft->measured->measure.native == NULL)
		return refuse_capability(draft, err);
	draft->own = sn_request_native_capability(draft->measures, draft->measured->measure.native);
	draft->capability = draft->own;
	return draft->own != NULL ? 0
				  : sn_err_set(err, -ENOENT, "no node offers '%.64s' now", asked);
}

/* The specification -------------------------------------------------------------------------- */

static void clear_values(struct sn_mp_message *specification)
{
	for (size_t i = 0; i < specification->param_count; i++) {
		free(specification->params[i].value);
		specification->params[i].value = NULL;
	}
}

static int make_specification(struct draft *draft, struct sn_err *err)
{
	struct sn_measured *measured = draft->measured;
	struct sn_mp_message *made = sn_mp_message_as(draft->capability, SN_MP_SPECIFICATION);

	measured->measure.specification = made;
	sn_mp_set_text(&made->token, NULL);
	sn_mp_set_text(&made->label, draft->capability->label);
	clear_values(made); /* what only one value fits is seen to when the providers are known */
	measured->parameters = draft->request->parameters != NULL
				       ? json_deep_copy(draft->request->parameters)
				       : json_object();
	return sn_request_fill(made, measured->measure.native, measured->parameters, err);
}

/* Only `now` is made a time: "past" is where a window may begin. */
static struct sn_mp_when window_of(const struct sn_mp_when *asked, int64_t now_ns)
{
	struct sn_mp_when when = *asked;

	if (when.span.start == SN_MP_NOW)
		when.span.start = now_ns;
	if (when.span.end == SN_MP_NOW)
		when.span.end = now_ns;
	return when;
}

/* Who gives no period takes the shortest there is, as in sn_mp_match(). */
static int follows(const struct draft *draft, const struct sn_mp_when *asked, struct sn_err *err)
{
	struct sn_mp_when wanted = *asked;
	struct sn_mp_span *span =
		wanted.repeated && wanted.has_inner ? &wanted.inner : &wanted.span;

	if (span->period_ns == 0)
		span->period_ns = sn_mp_when_period(&draft->capability->when);
	return sn_mp_when_follows(&wanted, &draft->capability->when, draft->now_ns, err);
}

static int make_scope(struct draft *draft, struct sn_err *err)
{
	const char *text = draft->request->when != NULL ? draft->request->when : "now";
	struct sn_mp_when *when = &draft->measured->measure.specification->when, asked;

	if (strlen(text) > SN_MP_WHEN_TEXT_MAX)
		return sn_err_set(err, -EINVAL, "when: longer than %d bytes", SN_MP_WHEN_TEXT_MAX);
	if (sn_mp_when_parse(sn_str(text), &asked, err) != 0)
		return sn_err_wrap(err, "when");
	if (!is_query(draft->capability) && sn_mp_when_expired(&asked, draft->now_ns))
		return sn_err_set(err, -EINVAL, "when: it is over");
	if (follows(draft, &asked, err) != 0)
		return sn_err_wrap(err, "when");
	if (is_query(draft->capability)) {
		*when = window_of(&asked, draft->now_ns);
		draft->once = true;
		return 0;
	}
	*when = sn_mp_when_resolve(&asked, draft->now_ns);
	draft->once = !when->repeated && sn_mp_when_starts(when, draft->now_ns) <= draft->now_ns &&
		      sn_mp_when_ends(when, draft->now_ns) <= draft->now_ns;
	return 0;
}

/* Who takes part ----------------------------------------------------------------------------- */

static void choose(struct draft *draft, const char *provider,
		   const struct sn_mp_message *capability)
{
	struct choice *choice;

	if (draft->count == draft->room) {
		draft->room = draft->room > 0 ? draft->room * 2 : 8;
		draft->chosen = sn_xrealloc(draft->chosen, draft->room, sizeof(*draft->chosen));
	}
	choice = &draft->chosen[draft->count++];
	snprintf(choice->provider, sizeof(choice->provider), "%s", provider);
	choice->capability = capability;
}

static bool fits(struct draft *draft, const struct sn_hub_offer *offer)
{
	return strcmp(offer->schema, draft->measured->measure.schema) == 0 &&
	       sn_request_fits(draft->measured, offer->capability, &draft->miss) == 0;
}

static void choose_if(struct draft *draft, const struct sn_hub_offer *offer)
{
	if (draft->once && offer->stale)
		sn_err_set(&draft->miss, -ENOENT, "the nodes that could do it are offline");
	else if (sn_select_fits(draft->measured->measure.selection, offer->node) &&
		 fits(draft, offer))
		choose(draft, offer->provider, offer->capability);
}

static void choose_open(struct draft *draft)
{
	if (draft->only != NULL)
		choose_if(draft, draft->only);
	for (size_t i = 0; i < draft->offer_count; i++)
		choose_if(draft, draft->offers[i]);
}

/* The offer of a provider that fits; the first one, or for an odd one that has several, any. */
static const struct sn_hub_offer *offer_of(struct draft *draft, const char *provider)
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

static int unknown_node(const struct draft *draft, const char *name, struct sn_err *err)
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

static int choose_named(struct draft *draft, const char *name, struct sn_err *err)
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

static int choose_all_named(struct draft *draft, struct sn_err *err)
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
	return strcmp(((const struct choice *)a)->provider, ((const struct choice *)b)->provider);
}

static void make_unique(struct draft *draft)
{
	size_t kept = 0;

	qsort(draft->chosen, draft->count, sizeof(*draft->chosen), by_provider);
	for (size_t i = 0; i < draft->count; i++) {
		if (kept == 0 || by_provider(&draft->chosen[kept - 1], &draft->chosen[i]) != 0)
			draft->chosen[kept++] = draft->chosen[i];
	}
	draft->count = kept;
}

static int refuse_nobody(const struct draft *draft, struct sn_err *err)
{
	if (draft->miss.code != 0)
		return sn_err_set(err, draft->miss.code, "%s", draft->miss.text);
	return sn_err_set(err, -ENOENT, "none of the chosen ones offers '%s'",
			  draft->capability->label);
}

static int choose_providers(struct draft *draft, struct sn_err *err)
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
static void settle_value(struct draft *draft, struct sn_mp_param *param)
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

static void settle_values(struct draft *draft)
{
	struct sn_mp_message *specification = draft->measured->measure.specification;

	for (size_t i = 0; i < specification->param_count; i++) {
		if (specification->params[i].value == NULL)
			settle_value(draft, &specification->params[i]);
	}
}

/* All of it ------------------------------------------------------------------------------------ */

static int check_text(const char *what, const char *text, size_t max, struct sn_err *err)
{
	return text == NULL || strlen(text) < max
		       ? 0
		       : sn_err_set(err, -EINVAL, "%s: longer than %zu bytes", what, max - 1);
}

static int make_names(struct draft *draft, struct sn_err *err)
{
	const struct sn_measure_request *request = draft->request;
	struct sn_measure *measure = &draft->measured->measure;
	const char *name = request->name != NULL ? request->name : draft->capability->label;

	if (request->name != NULL && request->name[0] == '\0')
		return sn_err_set(err, -EINVAL, "name: empty");
	if (check_text("name", request->name, SN_MEASURE_NAME_MAX, err) != 0 ||
	    check_text("repository", request->repository, SN_MP_TEXT_MAX, err) != 0 ||
	    check_text("token", request->client_token, SN_MP_TEXT_MAX, err) != 0 ||
	    check_text("label", request->client_label, SN_MP_TEXT_MAX, err) != 0)
		return -EINVAL;
	snprintf(measure->name, sizeof(measure->name), "%s", name);
	sn_measure_set_text(&measure->owner, request->owner);
	sn_measure_set_text(&measure->repository, request->repository);
	sn_measure_set_text(&measure->client_token, request->client_token);
	sn_measure_set_text(&measure->client_label, request->client_label);
	sn_measure_set_text(&draft->measured->key, request->key);
	measure->created_ns = draft->now_ns;
	return 0;
}

static int make_parts(struct draft *draft, struct sn_err *err)
{
	struct sn_measures *measures = draft->measures;

	for (size_t i = 0; i < draft->count; i++) {
		const char *name = draft->chosen[i].provider;
		bool peer = strncmp(name, "peer:", 5) == 0;
		struct sn_measure_live *live =
			sn_measured_add_part(measures, draft->measured, name);

		if (peer)
			sn_mp_token_random(live->part.token);
		else if (live->provider->count >= SN_MEASURE_NODE_TASKS)
			return sn_err_set(err, -E2BIG,
					  "'%s' has %d measurements, which is the limit (stop one)",
					  sn_measure_provider_name(measures, name),
					  SN_MEASURE_NODE_TASKS);
	}
	return 0;
}

static int make_all(struct draft *draft, struct sn_err *err)
{
	struct sn_measure *measure = &draft->measured->measure;

	if (find_capability(draft, err) != 0 || make_names(draft, err) != 0 ||
	    make_specification(draft, err) != 0 || make_scope(draft, err) != 0)
		return err->code;
	sn_mp_schema_hash(measure->specification, measure->schema);
	measure->ends_ns = ends_of(measure->specification, draft->now_ns);
	if (choose_providers(draft, err) != 0)
		return err->code;
	settle_values(draft);
	if (sn_request_settle(draft->measured, err) != 0)
		return err->code = -EINVAL;
	return make_parts(draft, err);
}

static void draft_finish(struct draft *draft)
{
	struct sn_measured *measured = draft->measured;

	sn_mp_message_destroy(draft->own);
	free(draft->chosen);
	if (measured == NULL)
		return;
	for (size_t i = measured->measure.part_count; i > 0; i--)
		sn_measured_drop_part(draft->measures, measured, i - 1);
	sn_measured_destroy(measured);
}

static int permit(const struct draft *draft, struct sn_err *err)
{
	const struct sn_measures_config *config = &draft->measures->config;

	return config->permit == NULL
		       ? 0
		       : config->permit(&draft->measured->measure, draft->request->identities, err,
					config->permit_ctx);
}

/* Asking and adding ---------------------------------------------------------------------------- */

/* Scopes are kept in text, which knows microseconds. */
static int64_t whole_microseconds(int64_t time_ns)
{
	return time_ns - time_ns % 1000;
}

static int find_earlier(const struct sn_measures *measures,
			const struct sn_measure_request *request, struct sn_measure **measure,
			struct sn_err *err)
{
	sn_autofree char *key = NULL;
	struct sn_measured *before = NULL;

	if (request->key != NULL && strlen(request->key) > SN_MEASURE_KEY_MAX)
		return sn_err_set(err, -EINVAL, "Idempotency-Key: longer than %d bytes",
				  SN_MEASURE_KEY_MAX);
	if (request->key != NULL && request->key[0] != '\0') {
		key = sn_xasprintf("k%s\n%s", request->owner, request->key);
		before = sn_map_get(measures->by_request, key);
		*measure = before != NULL ? &before->measure : NULL;
	} else if (request->client_token != NULL) {
		*measure = sn_measures_by_client(measures, request->owner, request->client_token);
	}
	return 0;
}

static int check_room(const struct sn_measures *measures, size_t parts, struct sn_err *err)
{
	if (measures->live >= SN_MEASURES_LIVE_MAX)
		return sn_err_set(err, -E2BIG,
				  "%d measurements have not ended, which is the limit (stop one)",
				  SN_MEASURES_LIVE_MAX);
	if (measures->live_parts + parts > SN_MEASURES_PARTS_MAX)
		return sn_err_set(err, -E2BIG,
				  "all measurements would have more than %d parts, which is the "
				  "limit (stop one)",
				  SN_MEASURES_PARTS_MAX);
	return 0;
}

/* Providers may answer from inside of the call. */
static void start(struct sn_measures *measures, struct sn_measured *measured)
{
	sn_measures_tell(measures, measured, NULL);
	for (size_t i = 0; i < measured->measure.part_count; i++) {
		if (measured->measure.parts[i]->state == SN_MEASURE_WAITING)
			sn_measures_tell(measures, measured, measured->measure.parts[i]);
	}
}

int sn_measures_add(struct sn_measures *measures, const struct sn_measure_request *request,
		    int64_t now_ns, struct sn_measure **measure, struct sn_err *err)
{
	struct draft draft = {
		.measures = measures, .request = request, .now_ns = whole_microseconds(now_ns)};
	struct sn_err own = {0};
	int failed;

	err = err != NULL ? err : &own;
	*measure = NULL;
	if (find_earlier(measures, request, measure, err) != 0)
		return err->code;
	if (*measure != NULL)
		return 1;
	draft.measured = sn_measured_create();
	sn_ulid(now_ns, draft.measured->measure.id);
	failed = make_all(&draft, err);
	if (failed == 0)
		failed = check_room(measures, draft.count, err);
	if (failed == 0)
		failed = permit(&draft, err);
	if (failed == 0)
		failed = sn_measures_store(measures, draft.measured, err);
	if (failed == 0) {
		*measure = &draft.measured->measure;
		sn_measures_take_in(measures, draft.measured);
		start(measures, draft.measured);
		draft.measured = NULL;
	}
	draft_finish(&draft);
	return failed;
}

json_t *sn_measures_preview(struct sn_measures *measures, const struct sn_measure_request *request,
			    int64_t now_ns, struct sn_err *err)
{
	struct draft draft = {
		.measures = measures, .request = request, .now_ns = whole_microseconds(now_ns)};
	struct sn_err own = {0}, reason = {0};
	json_t *json = NULL;

	err = err != NULL ? err : &own;
	draft.measured = sn_measured_create();
	if (make_all(&draft, err) == 0) {
		bool allowed = check_room(measures, draft.count, &reason) == 0 &&
			       permit(&draft, &reason) == 0;

		json = sn_measured_preview(measures, draft.measured, allowed, reason.text);
	}
	draft_finish(&draft);
	return json;
}
