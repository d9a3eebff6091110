/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine calls before it is a node. */
#include "hub/enrol.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "hub/api/api.h"
#include "hub/sql.h"

static void get_ca(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;
	const char *pem = sn_identity_ca_pem(hub->identity);

	sn_http_reply(request, 200, "application/x-pem-file", pem, strlen(pem));
}

static void refuse(struct sn_http_request *request, const struct sn_err *err)
{
	static const struct sn_api_refusal refusals[] = {
		{-ENOENT, 403, "token-invalid", "This join token is not known"},
		{-ETIME, 403, "token-expired", "This join token has expired"},
		{-EALREADY, 403, "token-used", "This join token has been used"},
	};

	sn_api_refuse(request, err, refusals, SN_COUNT(refusals));
}

static void post_enrol(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	struct sn_enrolment enrolment = {0};
	struct sn_err err = {0};
	const char *name;

	if (body == NULL)
		return;
	name = json_string_value(json_object_get(body, "name"));
	if (sn_enrol_join(hub->control, hub->identity, hub->fleet,
			  json_string_value(json_object_get(body, "token")),
			  name != NULL ? name : "node",
			  json_string_value(json_object_get(body, "csr_pem")), sn_hub_now(hub),
			  hub->config->node_certificate_life, &enrolment, &err) != 0)
		refuse(request, &err);
	else
		sn_http_reply_json(request, 201,
				   json_pack("{s:s, s:s, s:s, s:o}", "node", enrolment.node,
					     "certificate_pem", sn_buf_cstr(&enrolment.cert_pem),
					     "ca_pem", sn_identity_ca_pem(hub->identity), "expires",
					     sn_json_time(enrolment.expires_ns)));
	sn_buf_finish(&enrolment.cert_pem);
}

static const struct sn_api_field enrol_body_fields[] = {
	{"token", SN_API_TEXT, true, false, "join token, with or without the CA's fingerprint"},
	{"name", SN_API_TEXT, false, false, "what the node would like to be called"},
	{"csr_pem", SN_API_TEXT, true, false, "certificate signing request (PKCS#10)"},
};
static const struct sn_api_schema enrol_body = {"Enrolment",
						"A machine that wants to become a node.",
						enrol_body_fields, SN_COUNT(enrol_body_fields)};

static const struct sn_api_field enrolled_fields[] = {
	{"node", SN_API_TEXT, true, false, "the node's id"},
	{"certificate_pem", SN_API_TEXT, true, false, "its certificate"},
	{"ca_pem", SN_API_TEXT, true, false, "the CA that signed it and the hub's own"},
	{"expires", SN_API_TIME, true, false, "when the certificate runs out"},
};
static const struct sn_api_schema enrolled = {"Enrolled", "A node's new identity.", enrolled_fields,
					      SN_COUNT(enrolled_fields)};

static const struct sn_api_doc ca_doc = {
	.id = "getCa",
	.tag = "node",
	.summary = "the CA's certificate; believe it only by its fingerprint",
	.kind = SN_ANSWER_TEXT,
	.content_type = "application/x-pem-file",
};
static const struct sn_api_doc enrol_doc = {
	.id = "enrol",
	.tag = "node",
	.summary = "become a node, with a single-use token",
	.body = &enrol_body,
	.status = 201,
	.answer = &enrolled,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/ca", get_ca, 0, SN_ACCESS_OPEN, &ca_doc},
	{"POST", "/api/v1/enrol", post_enrol, 16384, SN_ACCESS_OPEN, &enrol_doc},
};
const struct sn_api_routes sn_api_enrol = {routes, SN_COUNT(routes)};
