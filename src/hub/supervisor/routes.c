/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/supervisor/routes.h"

#define BODY SN_SUPERVISOR_BODY_MAX

#define DOC(name_, id_, summary_, body_, answer_)                                                  \
	static const struct sn_api_doc name_ = {                                                   \
		.id = (id_),                                                                       \
		.tag = "mplane",                                                                   \
		.summary = (summary_),                                                             \
		.any_query = true,                                                                 \
		.body_type = (body_),                                                              \
		.kind = SN_ANSWER_TEXT,                                                            \
		.content_type = (answer_),                                                         \
	}
#define JSON SN_MP_MEDIA_TYPE

DOC(register_doc, "registerCapabilities", "a component offers and withdraws capabilities", JSON,
    JSON);
DOC(work_doc, "pollSpecifications", "a component asks what it has to do", NULL, JSON);
DOC(result_doc, "deliverResults", "receipts, results and exceptions of a component", JSON,
    "text/html");
DOC(listing_doc, "listMplaneCapabilities", "page of links to capabilities, or an envelope of them",
    NULL, "text/html");
DOC(capability_doc, "getMplaneCapability", "one capability", NULL, JSON);
DOC(root_doc, "postMplaneMessage", "specification, redemption or interrupt of a client", JSON,
    JSON);
DOC(listed_doc, "postToCapabilities", "the same as a message to /", JSON, JSON);
DOC(link_doc, "postToCapability", "a specification for this capability", JSON, JSON);
DOC(wanted_doc, "postSpecification", "the same as a message to /", JSON, JSON);
DOC(old_listing_doc, "listCapabilitiesByName",
    "capabilities by who offers them, for clients of the older dialect", NULL, JSON);
DOC(old_specification_doc, "registerSpecification",
    "a specification for one who offers it, older dialect", JSON, JSON);
DOC(old_result_doc, "redeemResult", "a redemption, older dialect", JSON, JSON);
DOC(info_doc, "getMplaneInfo", "what this supervisor is", NULL, "application/json");

/* With or without a slash at the end: peers send both. */
#define BOTH(method, path, handle, body, doc)                                                      \
	{method, path, handle, body, SN_ACCESS_PEER, doc},                                         \
	{                                                                                          \
		method, path "/", handle, body, SN_ACCESS_PEER, doc                                \
	}

static const struct sn_http_route routes[] = {
	BOTH("POST", "/register/capability", sn_sup_post_registration, BODY, &register_doc),
	BOTH("GET", "/show/specification", sn_sup_get_work, 0, &work_doc),
	BOTH("POST", "/register/result", sn_sup_post_result, BODY, &result_doc),
	{"POST", "/", sn_sup_post_message, BODY, SN_ACCESS_PEER, &root_doc},
	BOTH("GET", "/capability", sn_sup_get_capabilities, 0, &listing_doc),
	BOTH("POST", "/capability", sn_sup_post_message, BODY, &listed_doc),
	BOTH("GET", "/capability/{token}", sn_sup_get_capability, 0, &capability_doc),
	BOTH("POST", "/capability/{token}", sn_sup_post_message, BODY, &link_doc),
	BOTH("POST", "/specification", sn_sup_post_message, BODY, &wanted_doc),
	BOTH("GET", "/show/capability", sn_sup_get_old_capabilities, 0, &old_listing_doc),
	BOTH("POST", "/register/specification", sn_sup_post_old_specification, BODY,
	     &old_specification_doc),
	BOTH("POST", "/show/result", sn_sup_post_old_result, BODY, &old_result_doc),
	BOTH("GET", "/info/all", sn_sup_get_info, 0, &info_doc),
};
const struct sn_api_routes sn_api_mplane = {routes, SN_COUNT(routes)};
