/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "data/method.h"
#include "hub/api/api.h"
#include "hub/api/declared.h"

/* What the caller wants to see of all there is. */
struct wanted {
	const struct sn_hub *hub;
	const struct sn_who *who;
	struct sn_asker asker;
	const char *label, *kind;
	const struct sn_node *node;
};

static bool may_discover(const struct wanted *wanted, const struct sn_hub_offer *offer)
{
	struct sn_policy_verdict verdict;
	struct sn_buf names = {0};
	const char *node;
	struct sn_policy_ask ask = {
		.action = SN_MAY_DISCOVER,
		.identities = wanted->asker.list,
		.label = offer->capability->label,
		.nodes = &node,
		.node_count = 1,
	};

	if (wanted->who->means == SN_BY_LOCAL_TOKEN)
		return true;
	sn_authority_name_provider(wanted->hub->authority, offer->provider, &names);
	node = sn_buf_cstr(&names);
	sn_policy_decide(sn_authority_policy(wanted->hub->authority), &ask, &verdict);
	sn_buf_finish(&names);
	return verdict.allowed;
}

static bool may_see(const struct sn_hub_offer *offer, void *ctx)
{
	const struct wanted *wanted = ctx;

	return (wanted->label == NULL || strcmp(offer->capability->label, wanted->label) == 0) &&
	       (wanted->kind == NULL ||
		(strcmp(wanted->kind, "native") == 0) == (offer->native != NULL)) &&
	       (wanted->node == NULL || offer->node == wanted->node) && may_discover(wanted, offer);
}

static bool read_kind(struct sn_http_request *request, struct wanted *wanted)
{
	wanted->kind = sn_http_query(request, "kind");
	if (wanted->kind == NULL || strcmp(wanted->kind, "native") == 0 ||
	    strcmp(wanted->kind, "peer") == 0)
		return true;
	sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
			"kind: neither 'native' nor 'peer'");
	return false;
}

/* Several items can have one label, so that a place in the list is what a cursor names. */
static void reply_page(struct sn_http_request *request, json_t *items)
{
	sn_autojson json_t *all = items;
	uint64_t limit = SN_API_LIMIT, at = 0;
	char next[24];
	json_t *page;

	if (!sn_api_query_u64(request, "limit", 1, SN_API_LIMIT_MAX, &limit) ||
	    !sn_api_query_u64(request, "cursor", 0, SIZE_MAX / 2, &at))
		return;
	page = json_array();
	for (size_t i = at; i < json_array_size(all) && i - at < limit; i++)
		json_array_append(page, json_array_get(all, i));
	snprintf(next, sizeof(next), "%llu", (unsigned long long)(at + limit));
	sn_api_reply_page(request, page, at + limit < json_array_size(all) ? next : NULL);
}

static void get_capabilities(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct wanted wanted = {.hub = hub, .who = sn_guard_who(request)};
	const char *node = sn_http_query(request, "node");

	sn_guard_asker(wanted.who, &wanted.asker);
	wanted.label = sn_http_query(request, "label");
	if (!read_kind(request, &wanted))
		return;
	if (node != NULL) {
		wanted.node = sn_api_node_named(hub, request, node);
		if (wanted.node == NULL)
			return;
	}
	reply_page(request, sn_offers_json(hub->offers, may_see, &wanted));
}

static void get_capability(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct wanted wanted = {
		.hub = hub, .who = sn_guard_who(request), .label = sn_http_param(request, "label")};
	json_t *items;

	sn_guard_asker(wanted.who, &wanted.asker);
	items = sn_offers_json(hub->offers, may_see, &wanted);
	if (json_array_size(items) > 0) {
		reply_page(request, items);
		return;
	}
	json_decref(items);
	sn_http_problem(request, 404, "no-such-capability", "Nobody offers this",
			"no capability is called '%.64s', or none that you may see", wanted.label);
}

static void get_methods(struct sn_http_request *request, void *ctx)
{
	json_t *items = json_array();

	(void)ctx;
	for (size_t i = 0; i < sn_method_count; i++)
		json_array_append_new(items, sn_declared_method(sn_methods[i]));
	sn_api_reply_list(request, items, "name");
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_field parameter_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the parameter"},
	{"type", SN_API_TEXT, true, false,
	 "text, flag, count, duration, size or targets; of peers: string, natural, real, boolean, "
	 "time, address or url"},
	{"constraint", SN_API_TEXT, true, true,
	 "accepted values: *, one, several (a,b), a range (a ... b) or a network; null: each "
	 "provider has its own"},
	{"default", SN_API_TEXT, true, true, "as one would write it"},
	{"unit", SN_API_TEXT, true, true, "s, B, ..."},
	{"required", SN_API_BOOL, true, false, "must it be given"},
	{"help", SN_API_TEXT, true, false, "what it means"},
};
static const struct sn_api_schema parameter_schema = {"CapabilityParameter",
						      "A parameter of a capability.",
						      parameter_fields, SN_COUNT(parameter_fields)};

static const struct sn_api_field column_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the column"},
	{"type", SN_API_TEXT, true, false, "of a dataset, or of mPlane"},
	{"unit", SN_API_TEXT, true, true, "s, B, 1, packets, ..."},
	{"help", SN_API_TEXT, true, false, "what it means"},
};
static const struct sn_api_schema column_schema = {"CapabilityColumn",
						   "A column of the results of a capability.",
						   column_fields, SN_COUNT(column_fields)};

static const struct sn_api_field provider_fields[] = {
	{"provider", SN_API_TEXT, true, false, "node:<id> or peer:<identity>"},
	{"name", SN_API_TEXT, true, false, "for people"},
	{"state", SN_API_TEXT, true, false, "online or offline"},
	{"token", SN_API_TEXT, true, false, "names this offer and no other"},
};
static const struct sn_api_schema provider_schema = {"Provider", "Who offers a capability.",
						     provider_fields, SN_COUNT(provider_fields)};

static const struct sn_api_field capability_fields[] = {
	{"label", SN_API_TEXT, true, false, "what one asks for"},
	{"title", SN_API_TEXT, true, false, "for people"},
	{"help", SN_API_TEXT, true, false, "what it measures"},
	{"verb", SN_API_TEXT, true, false, "measure, query or collect"},
	{"registry", SN_API_TEXT, true, true, "of the names of its elements"},
	{"when", SN_API_TEXT, true, false, "when it can be used; a period is the shortest"},
	{"method", SN_API_TEXT, true, true, "of our nodes; null: of peers"},
	{"dataset", SN_API_TEXT, true, false, "where its rows go"},
	{"parameters", SN_API_ARRAY, true, false, "in order", &parameter_schema},
	{"columns", SN_API_ARRAY, true, false, "in order", &column_schema},
	{"metadata", SN_API_OBJECT, true, false, "what all providers say of it"},
	{"providers", SN_API_ARRAY, true, false, "who offers it", &provider_schema},
};
static const struct sn_api_schema capability_schema = {
	"Capability", "Something that can be asked for, and of whom.", capability_fields,
	SN_COUNT(capability_fields)};

static const struct sn_api_param list_params[] = {
	{"label", SN_API_TEXT, "only this one", false},
	{"kind", SN_API_TEXT, "native (of our nodes) or peer only", false},
	{"node", SN_API_TEXT, "only what this node offers, by id or name", false},
	{"limit", SN_API_INTEGER, "items of a page, 1 to 10,000, default 100", false},
	{"cursor", SN_API_TEXT, "'next' of the page before", false},
};

static const struct sn_api_doc list_doc = {
	.id = "listCapabilities",
	.tag = "measurements",
	.summary = "what can be asked for, with parameters and providers",
	.params = list_params,
	.param_count = SN_COUNT(list_params),
	.kind = SN_ANSWER_LIST,
	.answer = &capability_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getCapability",
	.tag = "measurements",
	.summary = "all capabilities with this label",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &capability_schema,
};
static const struct sn_api_doc methods_doc = {
	.id = "listMethods",
	.tag = "measurements",
	.summary = "what nodes can run, with parameters",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &sn_declared_method_schema,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/capabilities", get_capabilities, 0, SN_ACCESS_USER, &list_doc},
	{"GET", "/api/v1/capabilities/{label}", get_capability, 0, SN_ACCESS_USER, &get_doc},
	{"GET", "/api/v1/methods", get_methods, 0, SN_ACCESS_USER, &methods_doc},
};
const struct sn_api_routes sn_api_capabilities = {routes, SN_COUNT(routes)};
