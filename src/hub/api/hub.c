/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/hub.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "hub/api/api.h"
#include "hub/publish.h"
#include "hub/sql.h"

static json_t *texts_json(char **texts)
{
	json_t *array = json_array();

	for (size_t i = 0; texts[i] != NULL; i++)
		json_array_append_new(array, json_string(texts[i]));
	return array;
}

static uint64_t rows_stored(const struct sn_hub *hub)
{
	struct sn_follower_status status = {0};

	if (hub->follower != NULL)
		sn_follower_status(hub->follower, &status);
	return hub->rows_before + sn_ingest_stats(hub->ingest)->rows + status.rows;
}

static void get_hub(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	char **urls = sn_hub_urls(hub);
	char local[128];
	json_t *nodes =
		json_pack("{s:I, s:I, s:I}", "online",
			  (json_int_t)sn_fleet_count_state(hub->fleet, SN_NODE_ONLINE), "offline",
			  (json_int_t)sn_fleet_count_state(hub->fleet, SN_NODE_OFFLINE), "revoked",
			  (json_int_t)sn_fleet_count_state(hub->fleet, SN_NODE_REVOKED));

	sn_hub_local_url(hub, local, sizeof(local));
	sn_http_reply_json(
		request, 200,
		json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:I}", "version", SONDE_VERSION,
			  "id", hub->id, "started", sn_json_time(hub->started_ns), "urls",
			  texts_json(urls), "local_url",
			  local[0] != '\0' ? json_string(local) : json_null(), "ca_fingerprint",
			  sn_identity_ca_fingerprint(hub->identity), "nodes", nodes, "problems",
			  sn_publish_problems(hub), "rows_stored", (json_int_t)rows_stored(hub)));
	sn_hub_free_hosts(urls);
}

static void get_livez(struct sn_http_request *request, void *ctx)
{
	(void)ctx;
	sn_http_reply(request, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

static void get_readyz(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;
	bool failing = sn_ingest_stats(hub->ingest)->failing;
	const char *text = failing ? "the store does not take rows\n" : "ok\n";

	sn_http_reply(request, failing ? 503 : 200, "text/plain; charset=utf-8", text,
		      strlen(text));
}

static void get_version(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;

	sn_http_reply_json(request, 200,
			   json_pack("{s:s, s:s, s:s}", "program", "sonde-hub", "version",
				     SONDE_VERSION, "id", hub->id));
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_field count_fields[] = {
	{"online", SN_API_INTEGER, true, false, "heard of lately"},
	{"offline", SN_API_INTEGER, true, false, "not heard of lately"},
	{"revoked", SN_API_INTEGER, true, false, "shut out"},
};
static const struct sn_api_schema count_schema = {
	"NodeCounts", "How many nodes are in which state.", count_fields, SN_COUNT(count_fields)};
static const struct sn_api_field hub_fields[] = {
	{"version", SN_API_TEXT, true, false, "of its software"},
	{"id", SN_API_TEXT, true, false, "of this hub"},
	{"started", SN_API_TIME, true, false, "of this process"},
	{"urls", SN_API_TEXTS, true, false, "for nodes and people elsewhere (TLS), best first"},
	{"local_url", SN_API_TEXT, true, true, "for the browser on the hub's machine"},
	{"ca_fingerprint", SN_API_TEXT, true, false, "SHA-256 of the CA's certificate, hex"},
	{"nodes", SN_API_OBJECT, true, false, "how many", &count_schema},
	{"problems", SN_API_TEXTS, true, false, "what is wrong with the hub itself"},
	{"rows_stored", SN_API_INTEGER, true, false, "in the store, as far as it knows"},
};
static const struct sn_api_schema hub_schema = {"Hub", "This hub.", hub_fields,
						SN_COUNT(hub_fields)};
static const struct sn_api_field version_fields[] = {
	{"program", SN_API_TEXT, true, false, "sonde-hub"},
	{"version", SN_API_TEXT, true, false, "of its software"},
	{"id", SN_API_TEXT, true, false, "of this hub"},
};
static const struct sn_api_schema version_schema = {"Version", "Which program this is.",
						    version_fields, SN_COUNT(version_fields)};

static const struct sn_api_doc hub_doc = {
	.id = "getHub",
	.tag = "hub",
	.summary = "where it is reached and how it is doing",
	.answer = &hub_schema,
};
static const struct sn_api_doc livez_doc = {
	.id = "getLive",
	.tag = "hub",
	.summary = "200 while the process answers",
	.kind = SN_ANSWER_TEXT,
	.content_type = "text/plain",
};
static const struct sn_api_doc readyz_doc = {
	.id = "getReady",
	.tag = "hub",
	.summary = "200 while rows can be stored, else 503",
	.kind = SN_ANSWER_TEXT,
	.content_type = "text/plain",
};
static const struct sn_api_doc version_doc = {
	.id = "getVersion",
	.tag = "hub",
	.summary = "program and version",
	.answer = &version_schema,
};

#define EASY (SN_ACCESS_LOOPBACK | SN_ACCESS_USER)

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/hub", get_hub, 0, SN_ACCESS_USER, &hub_doc},
	{"GET", "/livez", get_livez, 0, EASY, &livez_doc},
	{"GET", "/readyz", get_readyz, 0, EASY, &readyz_doc},
	{"GET", "/version", get_version, 0, EASY, &version_doc},
};
const struct sn_api_routes sn_api_hub = {routes, SN_COUNT(routes)};
