/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/api/nodes.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "hub/api/api.h"

/* Place of the first node behind the one that `cursor` names; SIZE_MAX: no such node. */
static size_t start_at(const struct sn_fleet *fleet, const char *cursor)
{
	for (size_t i = 0; cursor != NULL && i < sn_fleet_count(fleet); i++) {
		if (strcmp(sn_fleet_at(fleet, i)->id, cursor) == 0)
			return i + 1;
	}
	return cursor == NULL ? 0 : SIZE_MAX;
}

static bool is_wanted(const struct sn_node *node, const char *state)
{
	return state == NULL || strcmp(state, sn_node_state_name(node->state)) == 0;
}

static void get_nodes(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *state = sn_http_query(request, "state"), *last = NULL;
	size_t i = start_at(hub->fleet, sn_http_query(request, "cursor"));
	uint64_t limit = SN_API_LIMIT;
	json_t *items;

	if (!sn_api_query_u64(request, "limit", 1, SN_API_LIMIT_MAX, &limit))
		return;
	if (i == SIZE_MAX) {
		sn_http_problem(request, 400, "bad-cursor", "This cursor leads nowhere",
				"start again without 'cursor'");
		return;
	}
	items = json_array();
	for (; i < sn_fleet_count(hub->fleet) && json_array_size(items) < limit; i++) {
		const struct sn_node *node = sn_fleet_at(hub->fleet, i);

		if (!is_wanted(node, state))
			continue;
		json_array_append_new(items, sn_fleet_json(hub->fleet, node, sn_hub_now(hub)));
		last = node->id;
	}
	sn_api_reply_page(request, items, i < sn_fleet_count(hub->fleet) ? last : NULL);
}

static void get_node(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_node *node = sn_api_node_named(hub, request, sn_http_param(request, "id"));

	if (node != NULL)
		sn_http_reply_json(request, 200, sn_fleet_json(hub->fleet, node, sn_hub_now(hub)));
}

static void patch_node(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_node *node = sn_api_node_named(hub, request, sn_http_param(request, "id"));
	sn_autojson json_t *body = node != NULL ? sn_api_body(request) : NULL;
	struct sn_err err = {0};

	if (body == NULL)
		return;
	switch (sn_fleet_edit(hub->fleet, node, body, &err)) {
	case 0:
		sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "node.edit", node->id, NULL);
		sn_http_reply_json(request, 200, sn_fleet_json(hub->fleet, node, sn_hub_now(hub)));
		break;
	case -EINVAL:
		sn_api_bad(request, err.text);
		break;
	case -EEXIST:
		sn_http_problem(request, 409, "name-taken", "Another node has this name", "%s",
				err.text);
		break;
	default:
		sn_api_trouble(request, &err);
	}
}

static void revoke_node(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_node *node = sn_api_node_named(hub, request, sn_http_param(request, "id"));
	struct sn_err err = {0};

	if (node == NULL)
		return;
	if (sn_hub_revoke_node(hub, node, sn_who_name(sn_guard_who(request)), &err) != 0)
		sn_api_trouble(request, &err);
	else
		sn_http_reply_json(request, 200, sn_fleet_json(hub->fleet, node, sn_hub_now(hub)));
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_field now_fields[] = {
	{"loss_ratio", SN_API_NUMBER, true, true, "mean over the targets of their newest runs"},
	{"rtt_p50_seconds", SN_API_NUMBER, true, true, "median of the targets' medians"},
	{"targets", SN_API_INTEGER, true, false, "with a recent result"},
};
static const struct sn_api_schema now_schema = {"NodeNow", "What a node measures at this moment.",
						now_fields, SN_COUNT(now_fields)};

static const struct sn_api_field node_fields[] = {
	{"id", SN_API_TEXT, true, false, "for ever"},
	{"name", SN_API_TEXT, true, false, "unique among the nodes in service"},
	{"state", SN_API_TEXT, true, false, "online, offline or revoked"},
	{"last_seen", SN_API_TIME, true, true, "its last request"},
	{"enrolled", SN_API_TIME, true, false, "when it joined"},
	{"certificate_expires", SN_API_TIME, true, true, "of its newest certificate"},
	{"version", SN_API_TEXT, true, true, "of its software"},
	{"latitude", SN_API_NUMBER, true, true, "degrees, WGS 84"},
	{"longitude", SN_API_NUMBER, true, true, "degrees, WGS 84"},
	{"place", SN_API_TEXT, true, true, "for people"},
	{"tags", SN_API_TEXTS, true, false, "for people and for choosing nodes"},
	{"interfaces", SN_API_ARRAY, true, false, "objects with name, addresses and up"},
	{"methods", SN_API_TEXTS, true, false, "what it can measure"},
	{"problems", SN_API_TEXTS, true, false, "what it says is wrong"},
	{"spool", SN_API_OBJECT, true, false, "batches, bytes, dropped_rows, quarantined_batches"},
	{"country", SN_API_TEXT, true, true, "where it says it is (ISO 3166)"},
	{"asn", SN_API_TEXT, true, true, "network it says it is in, like AS64500"},
	{"system", SN_API_TEXT, true, true, "what it says it is"},
	{"stream", SN_API_TEXT, true, true, "id of its spool"},
	{"uptime_seconds", SN_API_NUMBER, true, true, "of its agent"},
	{"now", SN_API_OBJECT, true, false, "what it measures at this moment", &now_schema},
};
const struct sn_api_schema sn_api_node_schema = {"Node", "A machine that measures.", node_fields,
						 SN_COUNT(node_fields)};

static const struct sn_api_field patch_fields[] = {
	{"name", SN_API_TEXT, false, false, "letters, digits, '.', '_', '-', at most 63"},
	{"latitude", SN_API_NUMBER, false, true, "degrees; together with longitude"},
	{"longitude", SN_API_NUMBER, false, true, "degrees; together with latitude"},
	{"place", SN_API_TEXT, false, true, "for people"},
	{"tags", SN_API_TEXTS, false, false, "at most 32"},
};
static const struct sn_api_schema patch_schema = {"NodePatch", "What people may change of a node.",
						  patch_fields, SN_COUNT(patch_fields)};

static const struct sn_api_param list_params[] = {
	{"state", SN_API_TEXT, "online, offline or revoked only", false},
	{"limit", SN_API_INTEGER, "items of a page, 1 to 10,000, default 100", false},
	{"cursor", SN_API_TEXT, "'next' of the page before", false},
};

static const struct sn_api_doc list_doc = {
	.id = "listNodes",
	.tag = "nodes",
	.summary = "all nodes in order of enrolment",
	.params = list_params,
	.param_count = SN_COUNT(list_params),
	.kind = SN_ANSWER_LIST,
	.answer = &sn_api_node_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getNode",
	.tag = "nodes",
	.summary = "one node, by id or name",
	.answer = &sn_api_node_schema,
};
static const struct sn_api_doc patch_doc = {
	.id = "editNode",
	.tag = "nodes",
	.summary = "rename, place or tag a node",
	.body = &patch_schema,
	.answer = &sn_api_node_schema,
};
static const struct sn_api_doc revoke_doc = {
	.id = "revokeNode",
	.tag = "nodes",
	.summary = "shut a node out at once and for ever",
	.answer = &sn_api_node_schema,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/nodes", get_nodes, 0, SN_ACCESS_USER, &list_doc},
	{"GET", "/api/v1/nodes/{id}", get_node, 0, SN_ACCESS_USER, &get_doc},
	{"PATCH", "/api/v1/nodes/{id}", patch_node, SN_API_BODY_MAX, SN_ACCESS_ADMIN, &patch_doc},
	{"POST", "/api/v1/nodes/{id}/revoke", revoke_node, 1024, SN_ACCESS_ADMIN, &revoke_doc},
};
const struct sn_api_routes sn_api_nodes = {routes, SN_COUNT(routes)};
