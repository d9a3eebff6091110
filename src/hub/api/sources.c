/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that brings rows, and how far behind it is. */
#include "base/json.h"
#include "hub/api/api.h"
#include "hub/math/math.h"
#include "hub/sql.h"

/* Something is always on its way; who is slower than that is behind. */
#define LAG_NS (60 * SN_NS_PER_S)

enum state { CURRENT, LAGGING, SILENT };

static const char *const state_names[] = {
	[CURRENT] = "current", [LAGGING] = "lagging", [SILENT] = "silent"};

/* What heartbeats tell of the spool; -1: not told. */
static json_int_t spooled(const struct sn_node *node, const char *member)
{
	const json_t *value = json_object_get(json_object_get(node->report, "spool"), member);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static json_t *count_or_null(json_int_t value)
{
	return value >= 0 ? json_integer(value) : json_null();
}

static json_t *reason_of(const struct sn_node *node, enum state state)
{
	json_int_t held = spooled(node, "quarantined_batches");

	if (state == SILENT)
		return json_string("no heartbeat (is it switched on, does its network work?)");
	if (state == LAGGING)
		return json_string("its spool holds rows that have not arrived");
	if (held > 0)
		return json_sprintf("%lld batches are in quarantine", (long long)held);
	return json_null();
}

static json_t *node_json(const struct sn_node *node, int64_t now_ns)
{
	json_int_t batches = spooled(node, "batches");
	bool waiting = batches > 0;
	int64_t lag_ns = waiting && node->newest_ns != 0 ? SN_MAX(now_ns - node->newest_ns, 0) : 0;
	enum state state = node->state != SN_NODE_ONLINE ? SILENT
			   : lag_ns > LAG_NS             ? LAGGING
							 : CURRENT;

	return json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:o}", "name", node->name, "kind", "node",
		"state", state_names[state], "last",
		sn_json_time(node->newest_ns != 0 ? node->newest_ns : node->last_seen_ns),
		"lag_seconds", state == SILENT ? json_null() : json_real((double)lag_ns / 1e9),
		"waiting_rows", json_null(), "waiting_bytes", count_or_null(spooled(node, "bytes")),
		"stored_rows", (json_int_t)node->rows, "reason", reason_of(node, state));
}

static void add_nodes(const struct sn_hub *hub, json_t *items)
{
	for (size_t i = 0; i < sn_fleet_count(hub->fleet); i++) {
		const struct sn_node *node = sn_fleet_at(hub->fleet, i);

		if (node->state != SN_NODE_REVOKED)
			json_array_append_new(items, node_json(node, sn_hub_now(hub)));
	}
}

struct gathering {
	json_t *items;
	int64_t now_ns;
};

static void add_stream(const struct sn_math_view *view, void *ctx)
{
	struct gathering *gathering = ctx;
	const struct sn_math_status *status = &view->status;
	int64_t newest_ns = status->totals.position_s == SN_MATH_TIME_UNKNOWN
				    ? 0
				    : status->totals.position_s * SN_NS_PER_S;
	bool waits = status->waiting_files > 0;
	enum state state = status->state == SN_MATH_FAILING ? SILENT : waits ? LAGGING : CURRENT;
	double lag_s = waits ? (double)(gathering->now_ns - newest_ns) / 1e9 : 0;

	json_array_append_new(
		gathering->items,
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:o}", "name", view->stream,
			  "kind", "math", "state", state_names[state], "last",
			  sn_json_time(newest_ns != 0 ? newest_ns : status->last_ns), "lag_seconds",
			  state == SILENT || newest_ns == 0 ? json_null() : json_real(lag_s),
			  "waiting_rows", json_null(), "waiting_bytes",
			  (json_int_t)status->waiting_bytes, "stored_rows",
			  (json_int_t)status->totals.rows, "reason", sn_json_text(status->reason)));
}

static void add_streams(const struct sn_hub *hub, json_t *items)
{
	struct gathering gathering = {items, sn_hub_now(hub)};

	sn_math_each(hub->math, add_stream, &gathering);
}

static void add_primary(const struct sn_hub *hub, json_t *items)
{
	static const enum state states[] = {
		[SN_FOLLOWER_LAGGING] = LAGGING,
		[SN_FOLLOWER_CURRENT] = CURRENT,
		[SN_FOLLOWER_UNREACHABLE] = SILENT,
		[SN_FOLLOWER_INCOMPLETE] = CURRENT,
	};
	struct sn_follower_status status;
	double lag_s;

	if (hub->follower == NULL)
		return;
	sn_follower_status(hub->follower, &status);
	lag_s = states[status.state] == CURRENT
			? 0
			: (double)(sn_hub_now(hub) - status.current_ns) / 1e9;
	json_array_append_new(
		items,
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:n, s:n, s:I, s:o}", "name",
			  hub->config->replica_of, "kind", "replica", "state",
			  state_names[states[status.state]], "last",
			  status.current_ns != 0 ? sn_json_time(status.current_ns) : json_null(),
			  "lag_seconds", status.current_ns != 0 ? json_real(lag_s) : json_null(),
			  "waiting_rows", "waiting_bytes", "stored_rows", (json_int_t)status.rows,
			  "reason", sn_json_text(status.reason[0] != '\0' ? status.reason : NULL)));
}

/* Files on their way; those that have arrived bring nothing more. */
static void add_imports(const struct sn_hub *hub, json_t *items)
{
	struct sn_err err = {0};
	sn_autojson json_t *jobs = sn_imports_open_json(hub->imports, &err);
	const json_t *job;
	size_t i;

	json_array_foreach (jobs, i, job) {
		json_int_t left = json_integer_value(json_object_get(job, "bytes")) -
				  json_integer_value(json_object_get(job, "taken_bytes"));

		json_array_append_new(
			items, json_pack("{s:O, s:s, s:s, s:n, s:n, s:n, s:I, s:O, s:n}", "name",
					 json_object_get(job, "name"), "kind", "import", "state",
					 state_names[LAGGING], "last", "lag_seconds",
					 "waiting_rows", "waiting_bytes", left, "stored_rows",
					 json_object_get(job, "rows"), "reason"));
	}
}

typedef void add_fn(const struct sn_hub *hub, json_t *items);
static add_fn *const kinds[] = {add_nodes, add_primary, add_streams, add_imports};

static void get_sources(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;
	json_t *items = json_array();

	for (size_t i = 0; i < SN_COUNT(kinds); i++)
		kinds[i](hub, items);
	sn_api_reply_list(request, items, "name");
}

static const struct sn_api_field source_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the node, stream or file"},
	{"kind", SN_API_TEXT, true, false, "node, math, import or replica"},
	{"state", SN_API_TEXT, true, false, "current, lagging (rows wait there) or silent"},
	{"last", SN_API_TIME, true, true,
	 "when its newest row was observed, else when it was seen"},
	{"lag_seconds", SN_API_NUMBER, true, true, "age of its newest row, while others wait"},
	{"waiting_rows", SN_API_INTEGER, true, true, "rows that wait at the source"},
	{"waiting_bytes", SN_API_INTEGER, true, true, "bytes that wait at the source"},
	{"stored_rows", SN_API_INTEGER, true, true, "since the hub began"},
	{"reason", SN_API_TEXT, true, true, "why it is behind, for people"},
};
static const struct sn_api_schema source_schema = {"Source", "What brings rows.", source_fields,
						   SN_COUNT(source_fields)};
static const struct sn_api_doc list_doc = {
	.id = "listSources",
	.tag = "data",
	.summary = "what brings rows, and how far behind each is",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &source_schema,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/sources", get_sources, 0, SN_ACCESS_USER, &list_doc},
};
const struct sn_api_routes sn_api_sources = {routes, SN_COUNT(routes)};
