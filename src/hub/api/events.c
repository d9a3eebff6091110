/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/api/api.h"

/* "nodes,ping" -> bits; false names the one that is not known in `unknown`. */
static bool read_topics(const struct sn_hub *hub, const char *text, uint64_t *topics,
			char unknown[64])
{
	struct sn_str rest = sn_str(text), part;

	*topics = 0;
	while (rest.n > 0 && sn_str_split(&rest, ',', &part)) {
		int topic;

		part = sn_str_trim(part);
		snprintf(unknown, 64, "%.*s", (int)SN_MIN(part.n, (size_t)63), part.p);
		topic = sn_events_topic(hub->events, unknown);
		if (topic < 0)
			return false;
		*topics |= UINT64_C(1) << topic;
	}
	snprintf(unknown, 64, "%s", "");
	return *topics != 0;
}

/* Rows are for who may read everything; that something changed is for all. */
static bool may_follow(struct sn_hub *hub, struct sn_http_request *request, uint64_t topics)
{
	struct sn_policy_verdict verdict = {0};
	uint64_t rows = 0;

	for (size_t i = 0; i < sn_catalog_count; i++)
		rows |= UINT64_C(1) << (hub->topic_first_dataset + (int)i);
	rows |= UINT64_C(1) << hub->topic_measurements;
	if (hub->topic_results > 0)
		rows |= UINT64_C(1) << hub->topic_results;
	if ((topics & rows) == 0 ||
	    sn_guard_permits(sn_guard_who(request), SN_MAY_READ_ALL, "events", &verdict))
		return true;
	sn_http_problem(request, 403, "forbidden", "The policy does not allow this", "%s",
			verdict.reason);
	return false;
}

static void get_events(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *topics = sn_http_query(request, "topic"),
		   *node = sn_http_query(request, "node");
	const char *last = sn_http_header(request, "Last-Event-ID");
	struct sn_subscription subscription = {.release = free};
	struct sn_node *about = NULL;
	char unknown[64];

	if (!read_topics(hub, topics != NULL ? topics : "nodes", &subscription.topics, unknown)) {
		sn_http_problem(
			request, 400, "bad-query", "A query parameter is no good",
			"topic: '%s' is not 'nodes', 'measurements' or the name of a dataset",
			unknown);
		return;
	}
	if (!may_follow(hub, request, subscription.topics))
		return;
	if (node != NULL) {
		about = sn_api_node_named(hub, request, node);
		if (about == NULL)
			return;
		subscription.node = about->id;
	}
	/* Some clients cannot set headers. */
	subscription.last = last != NULL ? last : sn_http_query(request, "last_event_id");
	subscription.owner = sn_xmemdup(sn_guard_who(request), sizeof(struct sn_who));
	if (sn_events_subscribe(hub->events, request, &subscription) != 0) {
		free(subscription.owner);
		sn_http_set_header(request, "Retry-After", "10");
		sn_http_problem(request, 429, "too-many-streams", "Too many event streams are open",
				"close one, or try again later");
	}
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_param params[] = {
	{"topic", SN_API_TEXT,
	 "'hub', 'nodes', 'measurements' and names of datasets, comma-separated; default nodes",
	 false},
	{"node", SN_API_TEXT, "only what is about this node, by id or name", false},
	{"last_event_id", SN_API_TEXT, "as the header Last-Event-ID", false},
	{"Last-Event-ID", SN_API_TEXT,
	 "go on behind this event; if it is too long ago the first "
	 "event is `reset`",
	 true},
};
static const struct sn_api_doc doc = {
	.id = "getEvents",
	.tag = "data",
	.summary = "what happens, as it happens: `hub` with {\"problems\"}, `nodes` with a node, "
		   "`measurements` with a measurement and the part that changed, each dataset with "
		   "{\"node\",\"rows\"}",
	.params = params,
	.param_count = SN_COUNT(params),
	.kind = SN_ANSWER_EVENTS,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/events", get_events, 0, SN_ACCESS_USER, &doc},
};
const struct sn_api_routes sn_api_events = {routes, SN_COUNT(routes)};
