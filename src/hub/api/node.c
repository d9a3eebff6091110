/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes call; each acts for the node of its certificate and no other. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "hub/api/api.h"
#include "hub/control.h"
#include "hub/progress.h"
#include "hub/sql.h"

static struct sn_node *self(const struct sn_http_request *request)
{
	return sn_guard_who(request)->node;
}

/* Renewal -------------------------------------------------------------------- */

static int renew(struct sn_hub *hub, struct sn_node *node, const char *csr, struct sn_buf *cert,
		 struct sn_pki_info *info, struct sn_err *err)
{
	char uri[SN_PKI_NAME_MAX];
	int failed;

	snprintf(uri, sizeof(uri), SN_URI_NODE "%s", node->id);
	if (sn_db_begin(hub->control, err) != 0)
		return err->code;
	failed = sn_identity_issue(hub->identity, uri, node->id, csr, sn_hub_now(hub),
				   hub->config->node_certificate_life, cert, info, err);
	if (failed == 0)
		failed = sn_fleet_set_certificate(hub->fleet, node,
						  info->not_after_unix_s * SN_NS_PER_S, err);
	if (failed != 0) {
		sn_db_rollback(hub->control);
		return failed;
	}
	return sn_db_commit(hub->control, err);
}

static void post_renew(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	struct sn_pki_info info;
	struct sn_buf cert = {0};
	struct sn_err err = {0};
	int failed;

	if (body == NULL)
		return;
	failed = renew(hub, self(request), json_string_value(json_object_get(body, "csr_pem")),
		       &cert, &info, &err);
	if (failed == -EINVAL)
		sn_api_bad(request, err.text);
	else if (failed != 0)
		sn_api_trouble(request, &err);
	else
		sn_http_reply_json(request, 200,
				   json_pack("{s:s, s:s, s:o}", "certificate_pem",
					     sn_buf_cstr(&cert), "ca_pem",
					     sn_identity_ca_pem(hub->identity), "expires",
					     sn_json_time(info.not_after_unix_s * SN_NS_PER_S)));
	sn_buf_finish(&cert);
}

/* Heartbeat -------------------------------------------------------------------- */

static void post_heartbeat(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_str text = sn_http_body(request);
	char etag[SN_TASKS_ETAG_SIZE];
	struct sn_err err = {0};
	sn_autojson json_t *body = sn_json_parse(text.p, text.n, &err);

	/* Unknown members are let through: a node may be newer than its hub. */
	if (body == NULL || !json_is_object(body) ||
	    sn_fleet_heartbeat(hub->fleet, self(request), body, sn_hub_now(hub), &err) != 0) {
		sn_api_bad(request, err.code != 0 ? err.text : "not an object");
		return;
	}
	sn_offers_set_node(hub->offers, self(request));
	sn_measures_etag(hub->measures, self(request)->id, etag);
	sn_http_reply_json(request, 200,
			   json_pack("{s:f, s:s}", "interval_seconds",
				     (double)hub->config->heartbeat_interval / 1e9, "tasks_etag",
				     etag));
}

/* Tasks ------------------------------------------------------------------------ */

static void get_tasks(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *known = sn_http_header(request, "If-None-Match");
	char etag[SN_TASKS_ETAG_SIZE], quoted[SN_TASKS_ETAG_SIZE + 2];

	sn_measures_etag(hub->measures, self(request)->id, etag);
	snprintf(quoted, sizeof(quoted), "\"%s\"", etag);
	sn_http_set_header(request, "ETag", quoted);
	if (known != NULL && (strcmp(known, quoted) == 0 || strcmp(known, etag) == 0)) {
		sn_http_reply(request, 304, NULL, NULL, 0);
		return;
	}
	sn_http_reply_json(request, 200,
			   json_pack("{s:s, s:o, s:o}", "etag", etag, "tasks",
				     sn_measures_tasks_for(hub->measures, self(request)->id),
				     "never_probe", sn_measures_never(hub->measures)));
}

static const enum sn_measure_state reported_states[] = {
	SN_MEASURE_RUNNING,
	SN_MEASURE_DONE,
	SN_MEASURE_FAILED,
};

static void post_task(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *state = json_string_value(json_object_get(body, "state"));
	const char *error = json_string_value(json_object_get(body, "error"));

	if (body == NULL)
		return;
	for (size_t i = 0; i < SN_COUNT(reported_states); i++) {
		if (strcmp(sn_measure_state_name(reported_states[i]), state) != 0)
			continue;
		sn_progress_take_report(hub->progress, self(request), request, reported_states[i],
					error);
		return;
	}
	sn_api_bad(request, "state: none of running, done, failed");
}

static void get_events(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_node *node = self(request);

	sn_fleet_open_stream(hub->fleet, node, request);
	sn_hub_tell_tasks(hub, node);
}

static void put_batch(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;

	sn_ingest_take(hub->ingest, self(request), request);
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_field renew_fields[] = {
	{"csr_pem", SN_API_TEXT, true, false, "certificate signing request (PKCS#10)"},
};
static const struct sn_api_schema renew_body = {
	"Renewal", "A node's request for a new certificate.", renew_fields, SN_COUNT(renew_fields)};

static const struct sn_api_field renewed_fields[] = {
	{"certificate_pem", SN_API_TEXT, true, false, "the new certificate"},
	{"ca_pem", SN_API_TEXT, true, false, "the CA that signed it"},
	{"expires", SN_API_TIME, true, false, "when it runs out"},
};
static const struct sn_api_schema renewed = {"Renewed", "A node's new certificate.", renewed_fields,
					     SN_COUNT(renewed_fields)};

static const struct sn_api_field heartbeat_fields[] = {
	{"version", SN_API_TEXT, false, false, "of the node's software"},
	{"boot_id", SN_API_TEXT, false, false, "changes when the machine restarts"},
	{"stream", SN_API_TEXT, false, false, "id of its spool"},
	{"uptime_seconds", SN_API_NUMBER, false, false, "of the agent"},
	{"tasks_etag", SN_API_TEXT, false, true, "of the tasks that it runs"},
	{"interfaces", SN_API_ARRAY, false, false, "objects with name, addresses and up"},
	{"methods", SN_API_TEXTS, false, false, "what it can measure"},
	{"country", SN_API_TEXT, false, true, "where it is (ISO 3166)"},
	{"asn", SN_API_TEXT, false, true, "network it is in, like AS64500"},
	{"system", SN_API_TEXT, false, true, "what it is, for people"},
	{"spool", SN_API_OBJECT, false, false, "batches, bytes, dropped_rows, quarantined_batches"},
	{"problems", SN_API_TEXTS, false, false, "what is wrong, for people"},
};
static const struct sn_api_schema heartbeat_body = {"Heartbeat", "How a node is doing.",
						    heartbeat_fields, SN_COUNT(heartbeat_fields)};

static const struct sn_api_field beat_fields[] = {
	{"interval_seconds", SN_API_NUMBER, true, false, "when the next heartbeat is due"},
	{"tasks_etag", SN_API_TEXT, true, false, "of the tasks that it should run"},
};
static const struct sn_api_schema beat_answer = {"HeartbeatAnswer", "What the node should know.",
						 beat_fields, SN_COUNT(beat_fields)};

static const struct sn_api_field node_task_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the task"},
	{"name", SN_API_TEXT, true, false, "for people"},
	{"method", SN_API_TEXT, true, false, "name of a method"},
	{"parameters", SN_API_OBJECT, true, false, "as the method declares them"},
	{"when", SN_API_TEXT, true, false, "temporal scope, without relative times"},
};
static const struct sn_api_schema node_task = {"NodeTask", "What one node does of a measurement.",
					       node_task_fields, SN_COUNT(node_task_fields)};
static const struct sn_api_field node_tasks_fields[] = {
	{"etag", SN_API_TEXT, true, false, "equal etags mean equal tasks and networks"},
	{"tasks", SN_API_ARRAY, true, false, "all that this node has to do", &node_task},
	{"never_probe", SN_API_TEXTS, true, false,
	 "networks to which it sends nothing, wherever a name leads"},
};
static const struct sn_api_schema node_tasks = {"NodeTasks", "Everything one node has to do.",
						node_tasks_fields, SN_COUNT(node_tasks_fields)};

static const struct sn_api_field report_fields[] = {
	{"state", SN_API_TEXT, true, false, "running, done or failed"},
	{"error", SN_API_TEXT, false, true, "why it failed"},
};
static const struct sn_api_schema report_body = {"TaskReport", "How far a node is with a task.",
						 report_fields, SN_COUNT(report_fields)};

static const struct sn_api_field stored_fields[] = {
	{"stored", SN_API_INTEGER, true, false, "rows stored by this request"},
	{"duplicate", SN_API_BOOL, false, false, "true: the batch was there already"},
	{"quarantined", SN_API_TEXT, false, false,
	 "202: it cannot be taken, and is kept as this item of the quarantine; do not send again"},
	{"reason", SN_API_TEXT, false, false, "why it cannot be taken"},
};
static const struct sn_api_schema stored = {"Stored", "A batch is safe on disk.", stored_fields,
					    SN_COUNT(stored_fields)};

static const struct sn_api_param tasks_params[] = {
	{"If-None-Match", SN_API_TEXT, "etag of the tasks that the node has", true},
};
static const struct sn_api_param batch_params[] = {
	{"Sonde-Dataset", SN_API_TEXT, "name and version, like ping/1", true},
	{"Sonde-Rows", SN_API_INTEGER, "number of lines, 1 to 10,000", true},
	{"Digest", SN_API_TEXT, "sha-256=<64 hex digits> of the body", true},
};

static const struct sn_api_doc renew_doc = {
	.id = "renewNode",
	.tag = "node",
	.summary = "a new certificate for the node that asks",
	.body = &renew_body,
	.answer = &renewed,
};
static const struct sn_api_doc heartbeat_doc = {
	.id = "heartbeat",
	.tag = "node",
	.summary = "say how the node is doing",
	.body = &heartbeat_body,
	.answer = &beat_answer,
};
static const struct sn_api_doc tasks_doc = {
	.id = "getNodeTasks",
	.tag = "node",
	.summary = "what the node has to do",
	.params = tasks_params,
	.param_count = SN_COUNT(tasks_params),
	.answer = &node_tasks,
};
static const struct sn_api_doc report_doc = {
	.id = "reportNodeTask",
	.tag = "node",
	.summary = "say how far a task is; `done` and `failed` when all its rows were acknowledged",
	.body = &report_body,
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};
static const struct sn_api_doc events_doc = {
	.id = "getNodeEvents",
	.tag = "node",
	.summary = "event `tasks` with the etag when the node's tasks, or what it never probes, "
		   "have changed",
	.kind = SN_ANSWER_EVENTS,
};
static const struct sn_api_doc batch_doc = {
	.id = "putBatch",
	.tag = "node",
	.summary = "store a batch of rows exactly once",
	.params = batch_params,
	.param_count = SN_COUNT(batch_params),
	.body_type = "application/x-ndjson",
	.answer = &stored,
};

static const struct sn_http_route routes[] = {
	{"POST", "/api/v1/node/renew", post_renew, 16384, SN_ACCESS_NODE, &renew_doc},
	{"POST", "/api/v1/node/heartbeat", post_heartbeat, 32768, SN_ACCESS_NODE, &heartbeat_doc},
	{"GET", "/api/v1/node/tasks", get_tasks, 0, SN_ACCESS_NODE, &tasks_doc},
	{"POST", "/api/v1/node/tasks/{id}", post_task, 16384, SN_ACCESS_NODE, &report_doc},
	{"GET", "/api/v1/node/events", get_events, 0, SN_ACCESS_NODE, &events_doc},
	{"PUT", "/api/v1/node/batches/{stream}/{seq}", put_batch, SN_INGEST_BODY_MAX,
	 SN_ACCESS_NODE, &batch_doc},
};
const struct sn_api_routes sn_api_node = {routes, SN_COUNT(routes)};
