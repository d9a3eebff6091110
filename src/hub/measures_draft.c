/* SPDX-License-Identifier: Apache-2.0 */
/* From what somebody asks for to a measurement with everything resolved. */
#include "hub/measures_draft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

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
static int choose_schema(struct sn_draft *draft, struct sn_err *err)
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

static int refuse_capability(const struct sn_draft *draft, struct sn_err *err)
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

static int find_capability(struct sn_draft *draft, struct sn_err *err)
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

static int make_specification(struct sn_draft *draft, struct sn_err *err)
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

/* The capability is written for peers, in whole seconds; our own nodes can do what the method can.
 */
static struct sn_mp_when offered_of(const struct sn_draft *draft)
{
	const struct sn_mp_offer *native = draft->measured->measure.native;
	const struct sn_param *period =
		native != NULL ? sn_method_param(native->method, "period") : NULL;
	struct sn_mp_when offered = draft->capability->when;

	if (period != NULL && (int64_t)period->min < offered.span.period_ns)
		offered.span.period_ns = (int64_t)period->min;
	return offered;
}

/* Who gives no period takes the shortest there is, as in sn_mp_match(). */
static int follows(const struct sn_draft *draft, const struct sn_mp_when *asked, struct sn_err *err)
{
	struct sn_mp_when wanted = *asked, offered = offered_of(draft);
	struct sn_mp_span *span =
		wanted.repeated && wanted.has_inner ? &wanted.inner : &wanted.span;

	if (span->period_ns == 0)
		span->period_ns = sn_mp_when_period(&draft->capability->when);
	return sn_mp_when_follows(&wanted, &offered, draft->now_ns, err);
}

static int make_scope(struct sn_draft *draft, struct sn_err *err)
{
	const char *text = draft->request->when != NULL ? draft->request->when : "now";
	struct sn_mp_when *when = &draft->measured->measure.specification->when, asked;

	if (strlen(text) > SN_MP_WHEN_TEXT_MAX)
		return sn_err_set(err, -EINVAL, "when: longer than %d bytes", SN_MP_WHEN_TEXT_MAX);
	if (sn_mp_when_parse(sn_str(text), &asked, err) != 0) {
		sn_err_wrap(err, "when");
		return err->code = -EINVAL; /* out of range, too: it is the asker's mistake */
	}
	if (!sn_request_is_query(draft->capability) && sn_mp_when_expired(&asked, draft->now_ns))
		return sn_err_set(err, -EINVAL, "when: it is over");
	if (follows(draft, &asked, err) != 0)
		return sn_err_wrap(err, "when");
	if (sn_request_is_query(draft->capability)) {
		*when = window_of(&asked, draft->now_ns);
		draft->once = true;
		return 0;
	}
	*when = sn_mp_when_resolve(&asked, draft->now_ns);
	draft->once = !when->repeated && sn_mp_when_starts(when, draft->now_ns) <= draft->now_ns &&
		      sn_mp_when_ends(when, draft->now_ns) <= draft->now_ns;
	return 0;
}

/* All of it ------------------------------------------------------------------------------------ */

static int check_text(const char *what, const char *text, size_t max, struct sn_err *err)
{
	return text == NULL || strlen(text) < max
		       ? 0
		       : sn_err_set(err, -EINVAL, "%s: longer than %zu bytes", what, max - 1);
}

static int make_names(struct sn_draft *draft, struct sn_err *err)
{
	const struct sn_measure_request *request = draft->request;
	struct sn_measure *measure = &draft->measured->measure;
	const char *name = request->name != NULL ? request->name : draft->capability->label;
	const char *const owner_alone[] = {request->owner, NULL};

	if (request->name != NULL && request->name[0] == '\0')
		return sn_err_set(err, -EINVAL, "name: empty");
	if (check_text("name", request->name, SN_MEASURE_NAME_MAX, err) != 0 ||
	    check_text("repository", request->repository, SN_MP_TEXT_MAX, err) != 0 ||
	    check_text("token", request->client_token, SN_MP_TEXT_MAX, err) != 0 ||
	    check_text("label", request->client_label, SN_MP_TEXT_MAX, err) != 0)
		return -EINVAL;
	snprintf(measure->name, sizeof(measure->name), "%s", name);
	sn_measure_set_text(&measure->owner, request->owner);
	sn_measure_set_identities(measure,
				  request->identities != NULL ? request->identities : owner_alone);
	sn_measure_set_text(&measure->repository, request->repository);
	sn_measure_set_text(&measure->client_token, request->client_token);
	sn_measure_set_text(&measure->client_label, request->client_label);
	sn_measure_set_text(&draft->measured->key, request->key);
	measure->created_ns = draft->now_ns;
	return 0;
}

static int make_parts(struct sn_draft *draft, struct sn_err *err)
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

static int make_all(struct sn_draft *draft, struct sn_err *err)
{
	struct sn_measure *measure = &draft->measured->measure;

	if (find_capability(draft, err) != 0 || make_names(draft, err) != 0 ||
	    make_specification(draft, err) != 0 || make_scope(draft, err) != 0)
		return err->code;
	sn_mp_schema_hash(measure->specification, measure->schema);
	sn_request_time(measure);
	if (sn_draft_choose(draft, err) != 0)
		return err->code;
	sn_draft_settle_values(draft);
	if (sn_request_settle(draft->measured, err) != 0 || sn_request_can_be(measure, err) != 0)
		return err->code = -EINVAL;
	return make_parts(draft, err);
}

static void draft_finish(struct sn_draft *draft)
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

static int permit(const struct sn_draft *draft, struct sn_err *err)
{
	const struct sn_measures_config *config = &draft->measures->config;

	return config->permit == NULL
		       ? 0
		       : config->permit(&draft->measured->measure, err, config->permit_ctx);
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

static size_t live_of(const struct sn_measures *measures, const char *owner)
{
	size_t count = 0;

	for (size_t i = 0; i < measures->all.count; i++) {
		const struct sn_measure *measure = &measures->all.items[i]->measure;

		count += !sn_measure_state_is_final(measure->state) &&
			 strcmp(measure->owner, owner) == 0;
	}
	return count;
}

static int check_room(const struct sn_measures *measures, const char *owner, size_t parts,
		      struct sn_err *err)
{
	/* Looked at only when it may be so. */
	if (measures->live >= SN_MEASURES_OWNER_MAX &&
	    live_of(measures, owner) >= SN_MEASURES_OWNER_MAX)
		return sn_err_set(err, -E2BIG,
				  "%d measurements of '%.100s' have not ended, which is the limit "
				  "of one owner (stop one)",
				  SN_MEASURES_OWNER_MAX, owner);
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

/* The decision and what it is about: both, or neither. */
static int settle(const struct sn_draft *draft, struct sn_err *err)
{
	const struct sn_measures_config *config = &draft->measures->config;
	int failed;

	if (config->prepare != NULL)
		config->prepare(config->permit_ctx);
	if (sn_db_begin(config->db, err) != 0)
		return err->code;
	failed = permit(draft, err);
	if (failed == 0)
		failed = sn_measures_store(draft->measures, draft->measured,
					   draft->request->client_message, err);
	if (failed == 0)
		return sn_db_commit(config->db, err);
	sn_db_rollback(config->db);
	return failed;
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
	struct sn_draft draft = {
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
		failed = check_room(measures, request->owner, draft.count, err);
	if (failed == 0)
		failed = settle(&draft, err);
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
	struct sn_draft draft = {
		.measures = measures, .request = request, .now_ns = whole_microseconds(now_ns)};
	struct sn_err own = {0}, reason = {0};
	json_t *json = NULL;

	err = err != NULL ? err : &own;
	draft.measured = sn_measured_create();
	if (make_all(&draft, err) == 0) {
		bool allowed = check_room(measures, request->owner, draft.count, &reason) == 0 &&
			       permit(&draft, &reason) == 0;

		json = sn_measured_preview(measures, draft.measured, allowed, reason.text);
	}
	draft_finish(&draft);
	return json;
}
