/* SPDX-License-Identifier: Apache-2.0 */
/* What the hub could not take, with its reason; run again, or given up, by administrators. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/sql.h"

static const char *actor(const struct sn_http_request *request)
{
	return sn_who_name(sn_guard_who(request));
}

/* The item's number in the path; 0 after an answer. */
static int64_t number_of(struct sn_http_request *request)
{
	uint64_t id;

	if (sn_parse_u64(sn_str(sn_http_param(request, "id")), 1, INT64_MAX, &id) == 0)
		return (int64_t)id;
	sn_api_not_found(request, "there is no such item in quarantine");
	return 0;
}

/* Names of nodes are for people, their ids are what is kept. */
static const char *source_named(const struct sn_hub *hub, const char *name)
{
	const struct sn_node *node = name != NULL ? sn_fleet_find(hub->fleet, name) : NULL;

	return node != NULL ? node->id : name;
}

static json_t *with_name(const struct sn_hub *hub, json_t *item)
{
	const char *source = json_string_value(json_object_get(item, "source"));
	const struct sn_node *node = sn_fleet_by_id(hub->fleet, source);

	json_object_set_new(item, "node", sn_json_text(node != NULL ? node->name : NULL));
	return item;
}

/* Looking ------------------------------------------------------------------------ */

static void get_items(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_quarantine_filter filter = {
		.source = source_named(hub, sn_http_query(request, "source")),
		.dataset = sn_http_query(request, "dataset"),
		.kind = sn_http_query(request, "kind"),
	};
	uint64_t limit = SN_API_LIMIT, before = 0;
	struct sn_err err = {0};
	const char *next = NULL;
	json_t *items;

	if (!sn_api_query_u64(request, "limit", 1, SN_API_LIMIT_MAX, &limit) ||
	    !sn_api_query_u64(request, "cursor", 1, INT64_MAX, &before))
		return;
	filter.before = (int64_t)before;
	items = sn_quarantine_list(hub->quarantine, &filter, (unsigned)limit, &err);
	if (items == NULL) {
		sn_api_trouble(request, &err);
		return;
	}
	for (size_t i = 0; i < json_array_size(items); i++)
		with_name(hub, json_array_get(items, i));
	if (json_array_size(items) == limit)
		next = json_string_value(json_object_get(json_array_get(items, limit - 1), "id"));
	sn_api_reply_page(request, items, next);
}

static void get_item(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	int64_t id = number_of(request);
	struct sn_err err = {0};
	json_t *item;

	if (id == 0)
		return;
	item = sn_quarantine_json(hub->quarantine, id, &err);
	if (item == NULL)
		sn_api_refuse(request, &err, NULL, 0);
	else
		sn_http_reply_json(request, 200, with_name(hub, item));
}

static void get_content(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	int64_t id = number_of(request);
	struct sn_quarantine_copy copy;
	struct sn_err err = {0};
	char name[80];

	if (id == 0)
		return;
	if (sn_quarantine_read(hub->quarantine, id, &copy, &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return;
	}
	/* Nobody knows what is in there: it is for saving, not for showing. */
	snprintf(name, sizeof(name), "attachment; filename=\"quarantine-%" PRId64 "\"", id);
	sn_http_set_header(request, "Content-Disposition", name);
	sn_http_set_header(request, "Cache-Control", "no-store");
	sn_http_reply(request, 200, "application/octet-stream", copy.content.p, copy.content.n);
	sn_quarantine_copy_finish(&copy);
}

/* Running again ---------------------------------------------------------------------- */

struct wait { /* a request that is answered when its item has been run */
	struct sn_hub *hub;
	struct sn_http_request *request; /* NULL: gone */
	int64_t id;
	char *actor;
};

static void abandoned(struct sn_http_request *request, void *ctx)
{
	struct wait *wait = ctx;

	(void)request;
	wait->request = NULL;
}

static void has_run(const struct sn_err *err, size_t rows, void *ctx)
{
	struct wait *wait = ctx;
	char id[24];

	snprintf(id, sizeof(id), "%" PRId64, wait->id);
	sn_hub_audit(wait->hub, wait->actor, "quarantine.retry", id,
		     err->code == 0 ? "stored" : err->text);
	if (wait->request != NULL && err->code == -ENOENT)
		sn_api_not_found(wait->request, err->text);
	else if (wait->request != NULL)
		sn_http_reply_json(wait->request, 200,
				   json_pack("{s:s, s:s, s:I, s:o}", "id", id, "state",
					     err->code != 0 ? "kept"
					     : rows > 0     ? "stored"
							    : "duplicate",
					     "rows", (json_int_t)rows, "reason",
					     sn_json_text(err->text)));
	free(wait->actor);
	free(wait);
}

static void post_retry(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	int64_t id = number_of(request);
	struct wait *wait;

	if (id == 0)
		return;
	wait = sn_new(struct wait);
	wait->hub = hub;
	wait->request = request;
	wait->id = id;
	wait->actor = sn_xstrdup(actor(request));
	if (sn_retry_one(hub->retry, id, has_run, wait) != 0) {
		free(wait->actor);
		free(wait);
		sn_http_set_header(request, "Retry-After", "1");
		sn_http_problem(request, 503, "busy", "This cannot be run now",
				"it is being run again already, or too much else is (try again)");
		return;
	}
	sn_http_on_abandon(request, abandoned, wait);
}

static void post_retry_all(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	struct sn_quarantine_filter filter = {
		.source = source_named(hub, json_string_value(json_object_get(body, "source"))),
		.dataset = json_string_value(json_object_get(body, "dataset")),
	};
	struct sn_err err = {0};
	char count[16];
	int queued;

	if (body == NULL)
		return;
	queued = sn_retry_all(hub->retry, &filter, &err);
	if (queued < 0) {
		sn_api_trouble(request, &err);
		return;
	}
	snprintf(count, sizeof(count), "%d", queued);
	sn_hub_audit(hub, actor(request), "quarantine.retry", "all", count);
	sn_http_reply_json(request, 202, json_pack("{s:i}", "queued", queued));
}

static void delete_item(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	int64_t id = number_of(request);
	struct sn_err err = {0};
	json_t *item;

	if (id == 0)
		return;
	item = sn_quarantine_json(hub->quarantine, id, &err);
	if (item == NULL || sn_quarantine_remove(hub->quarantine, id, &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
	} else {
		sn_hub_audit(hub, actor(request), "quarantine.remove", sn_http_param(request, "id"),
			     json_string_value(json_object_get(item, "reason")));
		sn_api_empty(request);
	}
	json_decref(item);
}

/* Declarations ------------------------------------------------------------------------ */

static const struct sn_api_field item_fields[] = {
	{"id", SN_API_TEXT, true, false, "number of the item"},
	{"time", SN_API_TIME, true, false, "when it came"},
	{"source", SN_API_TEXT, true, false, "id of the node, import:... or math:..."},
	{"node", SN_API_TEXT, true, true, "name of the node that sent it"},
	{"kind", SN_API_TEXT, true, false, "batch, line or file"},
	{"dataset", SN_API_TEXT, true, true, "as the sender calls it, like ping/1"},
	{"reason", SN_API_TEXT, true, false, "why it was not taken"},
	{"rows", SN_API_INTEGER, true, true, "that it claims to have"},
	{"bytes", SN_API_INTEGER, true, false, "of its content"},
	{"tries", SN_API_INTEGER, true, false, "times that it was run again in vain"},
};
static const struct sn_api_schema item_schema = {"QuarantineItem",
						 "What was sent and could not be taken.",
						 item_fields, SN_COUNT(item_fields)};

static const struct sn_api_field outcome_fields[] = {
	{"id", SN_API_TEXT, true, false, "number of the item"},
	{"state", SN_API_TEXT, true, false,
	 "stored; duplicate: it was stored already; kept: it is still there"},
	{"rows", SN_API_INTEGER, true, false, "that were stored now"},
	{"reason", SN_API_TEXT, true, true, "why it is still there"},
};
static const struct sn_api_schema outcome_schema = {"QuarantineOutcome",
						    "What became of an item that was run again.",
						    outcome_fields, SN_COUNT(outcome_fields)};

static const struct sn_api_field which_fields[] = {
	{"source", SN_API_TEXT, false, true, "only of this source; a node's name will do"},
	{"dataset", SN_API_TEXT, false, true, "only of this dataset, with or without version"},
};
static const struct sn_api_schema which_schema = {"QuarantineSelection", "Which items are meant.",
						  which_fields, SN_COUNT(which_fields)};
static const struct sn_api_field queued_fields[] = {
	{"queued", SN_API_INTEGER, true, false, "items that will be run again now"},
};
static const struct sn_api_schema queued_schema = {"QuarantineQueued", "How many it are.",
						   queued_fields, SN_COUNT(queued_fields)};

static const struct sn_api_param list_params[] = {
	{"limit", SN_API_INTEGER, "items of a page, 1 to 10,000, default 100", false},
	{"cursor", SN_API_TEXT, "'next' of the page before", false},
	{"source", SN_API_TEXT, "only of this source; a node's name will do", false},
	{"dataset", SN_API_TEXT, "only of this dataset, with or without version", false},
	{"kind", SN_API_TEXT, "batch, line or file", false},
};

static const struct sn_api_doc list_doc = {
	.id = "listQuarantine",
	.tag = "store",
	.summary = "what was sent and could not be taken, newest first",
	.params = list_params,
	.param_count = SN_COUNT(list_params),
	.kind = SN_ANSWER_LIST,
	.answer = &item_schema,
};
static const struct sn_api_doc item_doc = {
	.id = "getQuarantineItem",
	.tag = "store",
	.summary = "one of them",
	.answer = &item_schema,
};
static const struct sn_api_doc content_doc = {
	.id = "getQuarantineContent",
	.tag = "store",
	.summary = "what was sent, as it came",
	.kind = SN_ANSWER_TEXT,
	.content_type = "application/octet-stream",
};
static const struct sn_api_doc retry_doc = {
	.id = "retryQuarantineItem",
	.tag = "store",
	.summary = "run it again; it is stored once, whatever was stored before",
	.answer = &outcome_schema,
};
static const struct sn_api_doc retry_all_doc = {
	.id = "retryQuarantine",
	.tag = "store",
	.summary = "run all of them again, or some",
	.body = &which_schema,
	.status = 202,
	.answer = &queued_schema,
};
static const struct sn_api_doc delete_doc = {
	.id = "removeQuarantineItem",
	.tag = "store",
	.summary = "give it up for good",
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/quarantine", get_items, 0, SN_ACCESS_ADMIN, &list_doc},
	{"POST", "/api/v1/quarantine/retry", post_retry_all, SN_API_BODY_MAX, SN_ACCESS_ADMIN,
	 &retry_all_doc},
	{"GET", "/api/v1/quarantine/{id}", get_item, 0, SN_ACCESS_ADMIN, &item_doc},
	{"DELETE", "/api/v1/quarantine/{id}", delete_item, 0, SN_ACCESS_ADMIN, &delete_doc},
	{"GET", "/api/v1/quarantine/{id}/content", get_content, 0, SN_ACCESS_ADMIN, &content_doc},
	{"POST", "/api/v1/quarantine/{id}/retry", post_retry, SN_API_BODY_MAX, SN_ACCESS_ADMIN,
	 &retry_doc},
};
const struct sn_api_routes sn_api_quarantine = {routes, SN_COUNT(routes)};
