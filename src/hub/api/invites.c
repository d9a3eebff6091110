/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/enrol.h"
#include "hub/sql.h"

#define LIFE_MAX (365 * 86400 * SN_NS_PER_S)

static void reply_invite(struct sn_hub *hub, struct sn_http_request *request,
			 const struct sn_invite *invite)
{
	char **urls = sn_hub_urls(hub);
	sn_autofree char *command =
		sn_xasprintf("sonde-node join %s %s",
			     urls[0] != NULL ? urls[0] : "<URL of this hub>", invite->token);

	sn_http_reply_json(request, 201,
			   json_pack("{s:s, s:s, s:s, s:o}", "id", invite->id, "token",
				     invite->token, "command", command, "expires",
				     sn_json_time(invite->expires_ns)));
	sn_hub_free_hosts(urls);
}

static void post_invite(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	struct sn_place place = {0};
	struct sn_invite_spec spec = {.place = &place, .life_ns = hub->config->invite_life};
	struct sn_invite invite;
	struct sn_err err = {0};

	if (body == NULL || !sn_api_duration(request, body, "expires_in", LIFE_MAX, &spec.life_ns))
		return;
	spec.name = json_string_value(json_object_get(body, "name"));
	if (sn_place_read(body, &place, &err) != 0 ||
	    sn_enrol_invite(hub->control, sn_identity_ca_fingerprint(hub->identity), &spec,
			    sn_hub_now(hub), &invite, &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return;
	}
	sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "invite.add", invite.id, spec.name);
	reply_invite(hub, request, &invite);
}

static void get_invites(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_err err = {0};
	json_t *items = sn_enrol_list(hub->control, sn_hub_now(hub), &err);

	if (items == NULL)
		sn_api_trouble(request, &err);
	else
		sn_api_reply_list(request, items, "id");
}

static void delete_invite(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *id = sn_http_param(request, "id");
	struct sn_err err = {0};
	int failed = sn_enrol_withdraw(hub->control, id, &err);

	if (failed == -ENOENT) {
		sn_api_not_found(request, err.text);
	} else if (failed != 0) {
		sn_api_trouble(request, &err);
	} else {
		sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "invite.remove", id, NULL);
		sn_api_empty(request);
	}
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_field wanted_fields[] = {
	{"name", SN_API_TEXT, false, false, "of the node to be; without it the node says"},
	{"expires_in", SN_API_ANY, false, false, "time like '1h', or seconds; default 1h"},
	{"latitude", SN_API_NUMBER, false, true, "degrees; together with longitude"},
	{"longitude", SN_API_NUMBER, false, true, "degrees; together with latitude"},
	{"place", SN_API_TEXT, false, true, "for people"},
};
static const struct sn_api_schema wanted = {"InviteRequest", "Who may join.", wanted_fields,
					    SN_COUNT(wanted_fields)};

static const struct sn_api_field made_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the invite"},
	{"token", SN_API_TEXT, true, false, "for one machine; shown this once"},
	{"command", SN_API_TEXT, true, false, "what to run on the machine"},
	{"expires", SN_API_TIME, true, false, "the token is no good after that"},
};
static const struct sn_api_schema made = {"NewInvite", "An invite with its token.", made_fields,
					  SN_COUNT(made_fields)};

static const struct sn_api_field open_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the invite"},
	{"name", SN_API_TEXT, true, true, "of the node to be"},
	{"created", SN_API_TIME, true, false, "when it was made"},
	{"expires", SN_API_TIME, true, false, "when its token runs out"},
	{"latitude", SN_API_NUMBER, true, true, "degrees"},
	{"longitude", SN_API_NUMBER, true, true, "degrees"},
	{"place", SN_API_TEXT, true, true, "for people"},
};
static const struct sn_api_schema open_schema = {"Invite", "An invite that nobody has used yet.",
						 open_fields, SN_COUNT(open_fields)};

static const struct sn_api_doc post_doc = {
	.id = "invite",
	.tag = "nodes",
	.summary = "make a single-use token for one machine",
	.body = &wanted,
	.status = 201,
	.answer = &made,
};
static const struct sn_api_doc list_doc = {
	.id = "listInvites",
	.tag = "nodes",
	.summary = "invites that are open, without their tokens",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &open_schema,
};
static const struct sn_api_doc delete_doc = {
	.id = "withdrawInvite",
	.tag = "nodes",
	.summary = "make an invite's token worthless",
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};

static const struct sn_http_route routes[] = {
	{"POST", "/api/v1/invites", post_invite, SN_API_BODY_MAX, SN_ACCESS_ADMIN, &post_doc},
	{"GET", "/api/v1/invites", get_invites, 0, SN_ACCESS_ADMIN, &list_doc},
	{"DELETE", "/api/v1/invites/{id}", delete_invite, 0, SN_ACCESS_ADMIN, &delete_doc},
};
const struct sn_api_routes sn_api_invites = {routes, SN_COUNT(routes)};
