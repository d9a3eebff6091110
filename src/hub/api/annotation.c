/* SPDX-License-Identifier: Apache-2.0 */
/* The databases that tell networks and countries of addresses. */
#include "hub/api/api.h"

static void get_annotation(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;

	sn_http_reply_json(request, 200, sn_annotator_json(hub->annotator));
}

static const struct sn_api_field fields[] = {
	{"files", SN_API_TEXTS, true, false, "as configured"},
	{"version", SN_API_TEXT, true, true,
	 "what new rows have in their column annotation; null: nothing is told"},
	{"loaded", SN_API_TIME, true, true, "when they were last read"},
	{"problem", SN_API_TEXT, true, true, "why the files of now are not used"},
};
static const struct sn_api_schema schema = {
	"Annotation", "The databases that tell networks and countries of addresses.", fields,
	SN_COUNT(fields)};
static const struct sn_api_doc doc = {
	.id = "getAnnotation",
	.tag = "store",
	.summary = "which databases tell networks and countries of addresses",
	.answer = &schema,
};
static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/annotation", get_annotation, 0, SN_ACCESS_USER, &doc},
};
const struct sn_api_routes sn_api_annotation = {routes, SN_COUNT(routes)};
