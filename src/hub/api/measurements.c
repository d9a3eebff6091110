/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/api/rows.h"

/* Rows can be a little older than the order: clocks of nodes differ. */
#define CLOCKS_NS (86400 * SN_NS_PER_S)

/* Who may --------------------------------------------------------------------------- */

static bool is_own(const struct sn_measure *measure, const struct sn_asker *asker)
{
	for (unsigned i = 0; i < asker->count; i++) {
		if (strcmp(asker->list[i], measure->owner) == 0)
			return true;
	}
	return false;
}

/* One's own by `own` or `all`, those of others by `all`.  What is only listed is not written down.
 */
static bool may(const struct sn_hub *hub, const struct sn_http_request *request,
		const struct sn_measure *measure, enum sn_policy_action own,
		enum sn_policy_action all, bool recorded, struct sn_policy_verdict *verdict)
{
	const struct sn_who *who = sn_guard_who(request);
	struct sn_policy_ask ask = {.action = own, .label = measure->specification->label};
	struct sn_asker asker;

	*verdict = (struct sn_policy_verdict){.allowed = who->means == SN_BY_LOCAL_TOKEN};
	if (verdict->allowed && !recorded)
		return true;
	sn_guard_asker(who, &asker);
	ask.identities = asker.list;
	if (sn_guard_is_local(who, &ask, measure->id))
		return true;
	if (is_own(measure, &asker))
		sn_policy_decide(sn_authority_policy(hub->authority), &ask, verdict);
	if (!verdict->allowed)
		ask.action = all;
	if (recorded)
		return sn_authority_permit(hub->authority, &ask, measure->id, verdict);
	sn_policy_decide(sn_authority_policy(hub->authority), &ask, verdict);
	return verdict->allowed;
}

static bool may_read(const struct sn_hub *hub, const struct sn_http_request *request,
		     const struct sn_measure *measure, bool recorded)
{
	struct sn_policy_verdict verdict;

	return may(hub, request, measure, SN_MAY_READ, SN_MAY_READ_ALL, recorded, &verdict);
}

/* One that may not be read is as unknown as one that never was. */
static struct sn_measure *measurement_named(struct sn_hub *hub, struct sn_http_request *request)
{
	struct sn_measure *measure = sn_measures_find(hub->measures, sn_http_param(request, "id"));

	if (measure != NULL && may_read(hub, request, measure, true))
		return measure;
	sn_api_not_found(request, "no measurement has this id");
	return NULL;
}

/* Lists ---------------------------------------------------------------------------- */

struct wanted {
	bool states[SN_MEASURE_STATES];
	const char *capability, *owner;
	char provider[SN_PROVIDER_MAX]; /* "": any */
};

/* "running,waiting"; false names what is no state. */
static bool read_states(struct sn_http_request *request, struct wanted *wanted)
{
	struct sn_str rest = sn_str(sn_http_query(request, "state")), part;

	for (int i = 0; i < SN_MEASURE_STATES; i++)
		wanted->states[i] = rest.n == 0;
	while (rest.n > 0 && sn_str_split(&rest, ',', &part)) {
		bool known = false;

		for (int i = 0; i < SN_MEASURE_STATES; i++) {
			if (!sn_str_eqc(part, sn_measure_state_name((enum sn_measure_state)i)))
				continue;
			wanted->states[i] = known = true;
		}
		if (known)
			continue;
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"state: '%.*s' is none of waiting, running, done, failed, stopped",
				(int)SN_MIN(part.n, (size_t)40), part.p);
		return false;
	}
	return true;
}

/* A node by id or name, or a peer by its identity. */
static void read_provider(struct sn_hub *hub, const char *name, struct wanted *wanted)
{
	const struct sn_node *node = name != NULL ? sn_fleet_find(hub->fleet, name) : NULL;
	size_t size = sizeof(wanted->provider);

	if (node != NULL)
		snprintf(wanted->provider, size, "node:%s", node->id);
	else if (name != NULL)
		snprintf(wanted->provider, size, "%s%s",
			 strchr(name, ':') != NULL ? "" : "peer:", name);
}

static bool is_wanted(const struct sn_measure *measure, const struct wanted *wanted)
{
	return wanted->states[measure->state] &&
	       (wanted->capability == NULL ||
		strcmp(measure->specification->label, wanted->capability) == 0) &&
	       (wanted->owner == NULL || strcmp(measure->owner, wanted->owner) == 0) &&
	       (wanted->provider[0] == '\0' ||
		sn_measure_part_of(measure, wanted->provider) != NULL);
}

/* How many stand before the page: newest first, so that is counted from the end. */
static size_t end_of_page(const struct sn_hub *hub, const char *cursor)
{
	size_t count = sn_measures_count(hub->measures);

	for (size_t i = count; cursor != NULL && i > 0; i--) {
		if (strcmp(sn_measures_at(hub->measures, i - 1)->id, cursor) == 0)
			return i - 1;
	}
	return cursor == NULL ? count : SIZE_MAX;
}

static void reply_page(struct sn_hub *hub, struct sn_http_request *request,
		       const struct wanted *wanted)
{
	size_t i = end_of_page(hub, sn_http_query(request, "cursor"));
	uint64_t limit = SN_API_LIMIT;
	const char *last = NULL;
	json_t *items;

	if (!sn_api_query_u64(request, "limit", 1, SN_API_LIMIT_MAX, &limit))
		return;
	if (i == SIZE_MAX) {
		sn_http_problem(request, 400, "bad-cursor", "This cursor leads nowhere",
				"start again without 'cursor'");
		return;
	}
	items = json_array();
	for (; i > 0 && json_array_size(items) < limit; i--) {
		const struct sn_measure *measure = sn_measures_at(hub->measures, i - 1);

		if (!is_wanted(measure, wanted) || !may_read(hub, request, measure, false))
			continue;
		json_array_append_new(items, sn_measure_json(hub->measures, measure, false));
		last = measure->id;
	}
	sn_api_reply_page(request, items, i > 0 ? last : NULL);
}

static void get_measurements(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct wanted wanted = {.capability = sn_http_query(request, "capability"),
				.owner = sn_http_query(request, "owner")};

	if (!read_states(request, &wanted))
		return;
	read_provider(hub, sn_http_query(request, "node"), &wanted);
	reply_page(hub, request, &wanted);
}

static void get_measurement(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_measure *measure = measurement_named(hub, request);

	if (measure != NULL)
		sn_http_reply_json(request, 200, sn_measure_json(hub->measures, measure, true));
}

/* Asking for one --------------------------------------------------------------------- */

static bool is_offered(const struct sn_hub *hub, const char *capability)
{
	return sn_offers_has_label(hub->offers, capability) ||
	       sn_offers_by_token(hub->offers, capability) != NULL ||
	       sn_mp_offer_find(capability) != NULL;
}

static void refuse(struct sn_hub *hub, struct sn_http_request *request, const char *capability,
		   const struct sn_err *err)
{
	switch (err->code) {
	case -EINVAL:
		sn_api_bad(request, err->text);
		break;
	case -ENOENT:
		if (is_offered(hub, capability))
			sn_http_problem(request, 409, "no-provider", "Nobody can measure this now",
					"%s", err->text);
		else
			sn_http_problem(request, 404, "no-such-capability", "Nobody offers this",
					"%s", err->text);
		break;
	case -EACCES:
		sn_http_problem(request, 403, "forbidden", "The policy does not allow it", "%s",
				err->text);
		break;
	case -EDQUOT:
		sn_http_problem(request, 429, "target-rate", "A target would bear too much", "%s",
				err->text);
		break;
	default:
		sn_api_trouble(request, err);
	}
}

static const char *text_of(const json_t *body, const char *member)
{
	return json_string_value(json_object_get(body, member));
}

static bool read_flag(struct sn_http_request *request, const char *name, bool *flag)
{
	const char *text = sn_http_query(request, name);

	if (text == NULL || sn_parse_bool(sn_str(text), flag) == 0)
		return true;
	sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
			"%s: neither true nor false", name);
	return false;
}

static void preview(struct sn_hub *hub, struct sn_http_request *request,
		    const struct sn_measure_request *wanted)
{
	struct sn_err err = {0};
	json_t *json = sn_measures_preview(hub->measures, wanted, sn_hub_now(hub), &err);

	if (json != NULL)
		sn_http_reply_json(request, 200, json);
	else
		refuse(hub, request, wanted->capability, &err);
}

static void add(struct sn_hub *hub, struct sn_http_request *request,
		const struct sn_measure_request *wanted)
{
	struct sn_measure *measure;
	struct sn_err err = {0};
	int result = sn_measures_add(hub->measures, wanted, sn_hub_now(hub), &measure, &err);

	if (result < 0) {
		refuse(hub, request, wanted->capability, &err);
		return;
	}
	if (result == 0)
		sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "measurement.add",
			     measure->id, measure->specification->label);
	sn_http_reply_json(request, 201, sn_measure_json(hub->measures, measure, true));
}

static void post_measurement(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	char owner[SN_PROVIDER_MAX];
	struct sn_measure_request wanted = {
		.owner = owner,
		.capability = text_of(body, "capability"),
		.parameters = json_object_get(body, "parameters"),
		.when = text_of(body, "when"),
		.selection = body, /* of which only the lists are looked at */
		.name = text_of(body, "name"),
		.repository = text_of(body, "repository"),
		.key = sn_http_header(request, "Idempotency-Key"),
	};
	struct sn_asker asker;
	bool dry_run = false;

	if (body == NULL || !read_flag(request, "dry_run", &dry_run))
		return;
	if (wanted.repository != NULL &&
	    sn_hub_config_repository(hub->config, wanted.repository) == NULL) {
		sn_api_bad(request, "repository: none of this name is configured");
		return;
	}
	snprintf(owner, sizeof(owner), "user:%s", sn_guard_who(request)->user);
	sn_guard_asker(sn_guard_who(request), &asker);
	wanted.identities = asker.list;
	if (dry_run)
		preview(hub, request, &wanted);
	else
		add(hub, request, &wanted);
}

/* Written down: it changes something. */
static bool may_stop(struct sn_hub *hub, const struct sn_http_request *request,
		     const struct sn_measure *measure, struct sn_policy_verdict *verdict)
{
	const struct sn_who *who = sn_guard_who(request);
	struct sn_policy_ask ask = {.action = SN_MAY_STOP_ALL,
				    .label = measure->specification->label};
	struct sn_asker asker;

	sn_guard_asker(who, &asker);
	ask.identities = asker.list;
	if (sn_guard_is_local(who, &ask, measure->id))
		return true;
	return sn_authority_permit_own(hub->authority, &ask, SN_MAY_STOP, is_own(measure, &asker),
				       measure->id, verdict);
}

static void stop_measurement(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_measure *measure = measurement_named(hub, request);
	struct sn_policy_verdict verdict = {0};
	struct sn_err err = {0};
	int failed;

	if (measure == NULL)
		return;
	if (!may_stop(hub, request, measure, &verdict)) {
		sn_http_problem(request, 403, "forbidden", "The policy does not allow it", "%s",
				verdict.reason);
		return;
	}
	failed = sn_measures_stop(hub->measures, measure, sn_hub_now(hub), &err);
	if (failed == -EALREADY) {
		sn_http_problem(request, 409, "ended", "The measurement has ended", "%s", err.text);
	} else if (failed != 0) {
		sn_api_trouble(request, &err);
	} else {
		sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "measurement.stop",
			     measure->id, measure->specification->label);
		sn_http_reply_json(request, 200, sn_measure_json(hub->measures, measure, true));
	}
}

/* Results ---------------------------------------------------------------------------------- */

const struct sn_dataset *sn_api_measurement_dataset(const struct sn_hub *hub, const char *id)
{
	const struct sn_measure *measure = sn_measures_find(hub->measures, id);
	char name[SN_OFFER_DATASET_MAX];

	if (measure == NULL)
		return NULL;
	return sn_catalog_find(sn_offer_dataset(measure->native, measure->specification->label,
						measure->schema, name));
}

/* A dataset of a peer begins with the first result. */
static void reply_nothing_yet(struct sn_http_request *request)
{
	if (sn_api_accepts(request, "application/x-ndjson"))
		sn_http_reply(request, 200, "application/x-ndjson", "", 0);
	else if (sn_api_accepts(request, "text/csv"))
		sn_http_reply(request, 200, "text/csv; charset=utf-8", "", 0);
	else
		sn_api_reply_page(request, json_array(), NULL);
}

static void get_results(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_measure *measure = measurement_named(hub, request);
	const struct sn_dataset *dataset;
	struct sn_rows_query *rows;

	if (measure == NULL)
		return;
	dataset = sn_api_measurement_dataset(hub, measure->id);
	if (dataset == NULL) {
		reply_nothing_yet(request);
		return;
	}
	rows = sn_rows_read_of(hub, request, dataset, measure->id);
	if (rows == NULL)
		return;
	/* Peers may answer with what they have measured long ago. */
	if (rows->query.since_ns == 0 && measure->native != NULL)
		rows->query.since_ns = measure->created_ns - CLOCKS_NS;
	sn_rows_reply(hub, request, rows);
}

/* Declarations ------------------------------------------------------------------------------- */

static const struct sn_api_field selection_fields[] = {
	{"nodes", SN_API_TEXTS, false, false, "ids or names, or [\"*\"] for all"},
	{"tags", SN_API_TEXTS, false, false, "of nodes: one of these"},
	{"countries", SN_API_TEXTS, false, false, "ISO 3166 codes of two letters"},
	{"networks", SN_API_TEXTS, false, false, "like AS64500, or prefixes of addresses"},
};
static const struct sn_api_schema selection_schema = {
	"Selection", "Who shall take part: lists narrow each other.", selection_fields,
	SN_COUNT(selection_fields)};

static const struct sn_api_field wanted_fields[] = {
	{"capability", SN_API_TEXT, true, false, "label, or token of one provider's offer"},
	{"parameters", SN_API_OBJECT, false, false, "as the capability declares them"},
	{"when", SN_API_TEXT, false, false,
	 "temporal scope of mPlane, like 'now + 1h / 10s'; default: now, once"},
	{"nodes", SN_API_TEXTS, false, false, "ids or names; default: all that offer it"},
	{"tags", SN_API_TEXTS, false, false, "only nodes with one of these"},
	{"countries", SN_API_TEXTS, false, false, "only nodes in one of these (ISO 3166)"},
	{"networks", SN_API_TEXTS, false, false, "only nodes in one of these (AS64500, prefixes)"},
	{"name", SN_API_TEXT, false, false, "for people; default: the label"},
	{"repository", SN_API_TEXT, false, false, "where results shall also go"},
};
static const struct sn_api_schema wanted_schema = {"MeasurementRequest",
						   "What is to be measured, when and by whom.",
						   wanted_fields, SN_COUNT(wanted_fields)};

static const struct sn_api_field count_fields[] = {
	{"waiting", SN_API_INTEGER, true, false, "not begun, or not heard of yet"},
	{"running", SN_API_INTEGER, true, false, "at it"},
	{"done", SN_API_INTEGER, true, false, "finished, all results are here"},
	{"failed", SN_API_INTEGER, true, false, "could not"},
	{"stopped", SN_API_INTEGER, true, false, "ended early"},
};
static const struct sn_api_schema count_schema = {"PartCounts",
						  "How many providers are in which state.",
						  count_fields, SN_COUNT(count_fields)};

static const struct sn_api_field part_fields[] = {
	{"provider", SN_API_TEXT, true, false, "node:<id> or peer:<identity>"},
	{"name", SN_API_TEXT, true, false, "for people"},
	{"state", SN_API_TEXT, true, false, "waiting, running, done, failed or stopped"},
	{"started", SN_API_TIME, true, true, "when it was heard to run"},
	{"ended", SN_API_TIME, true, true, "when it was final"},
	{"results", SN_API_INTEGER, true, false, "rows stored"},
	{"error", SN_API_TEXT, true, true, "why it failed or was stopped"},
};
static const struct sn_api_schema part_schema = {"MeasurementPart",
						 "What one provider does of a measurement.",
						 part_fields, SN_COUNT(part_fields)};

static const struct sn_api_field measurement_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the measurement; its rows carry it as task"},
	{"name", SN_API_TEXT, true, false, "for people"},
	{"capability", SN_API_TEXT, true, false, "its label"},
	{"owner", SN_API_TEXT, true, false, "who asked"},
	{"parameters", SN_API_OBJECT, true, false, "as asked"},
	{"when", SN_API_TEXT, true, false, "temporal scope, without relative times"},
	{"selection", SN_API_OBJECT, true, false, "as asked", &selection_schema},
	{"state", SN_API_TEXT, true, false, "waiting, running, done, failed or stopped"},
	{"created", SN_API_TIME, true, false, "when it was asked for"},
	{"starts", SN_API_TIME, true, true, "its first run"},
	{"ends", SN_API_TIME, true, true, "null: never"},
	{"next", SN_API_TIME, true, true, "its next run; null: none, or it runs all the time"},
	{"dataset", SN_API_TEXT, true, false, "where its rows are"},
	{"repository", SN_API_TEXT, true, true, "where results also go"},
	{"providers", SN_API_OBJECT, true, false, "how many are how far", &count_schema},
	{"results", SN_API_INTEGER, true, false, "rows stored"},
	{"parts", SN_API_ARRAY, false, false, "per provider; not in lists", &part_schema},
};
static const struct sn_api_schema measurement_schema = {
	"Measurement", "What somebody asked for, and how far it is.", measurement_fields,
	SN_COUNT(measurement_fields)};

static const struct sn_api_param list_params[] = {
	{"state", SN_API_TEXT, "waiting, running, done, failed, stopped, comma-separated", false},
	{"capability", SN_API_TEXT, "label", false},
	{"node", SN_API_TEXT, "with a part of this node (id or name) or peer (identity)", false},
	{"owner", SN_API_TEXT, "who asked, like user:alice", false},
	{"limit", SN_API_INTEGER, "items of a page, 1 to 10,000, default 100", false},
	{"cursor", SN_API_TEXT, "'next' of the page before", false},
};
static const struct sn_api_param post_params[] = {
	{"dry_run", SN_API_BOOL,
	 "true: 200 with what would be asked of whom, and whether it is allowed", false},
	{"Idempotency-Key", SN_API_TEXT,
	 "the same key again gives the measurement of the first time", true},
};

static const struct sn_api_doc list_doc = {
	.id = "listMeasurements",
	.tag = "measurements",
	.summary = "measurements, newest first",
	.params = list_params,
	.param_count = SN_COUNT(list_params),
	.kind = SN_ANSWER_LIST,
	.answer = &measurement_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getMeasurement",
	.tag = "measurements",
	.summary = "one measurement with its parts",
	.answer = &measurement_schema,
};
static const struct sn_api_doc post_doc = {
	.id = "addMeasurement",
	.tag = "measurements",
	.summary = "ask for a measurement",
	.params = post_params,
	.param_count = SN_COUNT(post_params),
	.body = &wanted_schema,
	.status = 201,
	.answer = &measurement_schema,
};
static const struct sn_api_doc stop_doc = {
	.id = "stopMeasurement",
	.tag = "measurements",
	.summary = "end a measurement early; its rows stay",
	.answer = &measurement_schema,
};
static const struct sn_api_doc results_doc = {
	.id = "getResults",
	.tag = "measurements",
	.summary = "rows of a measurement as JSON page, JSON Lines stream or CSV stream",
	.params = sn_rows_params,
	.param_count = SN_ROWS_PARAMS,
	.columns = true,
	.kind = SN_ANSWER_ROWS,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/measurements", get_measurements, 0, SN_ACCESS_USER, &list_doc},
	{"POST", "/api/v1/measurements", post_measurement, 1024 * 1024, SN_ACCESS_USER, &post_doc},
	{"GET", "/api/v1/measurements/{id}", get_measurement, 0, SN_ACCESS_USER, &get_doc},
	{"POST", "/api/v1/measurements/{id}/stop", stop_measurement, 1024, SN_ACCESS_USER,
	 &stop_doc},
	{"GET", "/api/v1/measurements/{id}/results", get_results, 0, SN_ACCESS_USER, &results_doc},
};
const struct sn_api_routes sn_api_measurements = {routes, SN_COUNT(routes)};
