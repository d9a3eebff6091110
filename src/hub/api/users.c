/* SPDX-License-Identifier: Apache-2.0 */
/* Users and API tokens. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/sql.h"

#define TOKEN_LIFE_MAX (10LL * 365 * 86400 * SN_NS_PER_S)
#define LABEL_MAX      128

static const char *actor(const struct sn_http_request *request)
{
	return sn_who_name(sn_guard_who(request));
}

static void reply_list(struct sn_http_request *request, json_t *items, const char *key,
		       const struct sn_err *err)
{
	if (items == NULL)
		sn_api_trouble(request, err);
	else
		sn_api_reply_list(request, items, key);
}

/* A role that the body may name; false after an answer. `*role` stays when it does not. */
static bool read_role(struct sn_http_request *request, const json_t *body, enum sn_role *role)
{
	const char *name = json_string_value(json_object_get(body, "role"));

	if (name == NULL || sn_role_find(name, role) == 0)
		return true;
	sn_api_bad(request, "role: not 'viewer', 'operator' or 'admin'");
	return false;
}

/* Users ---------------------------------------------------------------------------- */

static void get_users(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_err err = {0};

	reply_list(request, sn_people_list(hub->people, &err), "name", &err);
}

static void post_user(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *name = json_string_value(json_object_get(body, "name"));
	enum sn_role role = SN_ROLE_VIEWER;
	struct sn_err err = {0};

	if (body == NULL || !read_role(request, body, &role))
		return;
	if (!sn_user_name_is_good(name)) {
		sn_api_bad(request, "name: not 1 to 63 of a-z, 0-9, '.', '_', '-', beginning with "
				    "a letter or digit");
		return;
	}
	if (sn_people_add(hub->people, name, role, sn_hub_now(hub), &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return;
	}
	sn_hub_audit(hub, actor(request), "user.add", name, sn_role_name(role));
	sn_http_reply_json(request, 201,
			   json_pack("{s:s, s:s, s:o, s:n, s:b}", "name", name, "role",
				     sn_role_name(role), "created", sn_json_time(sn_hub_now(hub)),
				     "last_login", "password", 0));
}

static void reply_user(struct sn_http_request *request, struct sn_hub *hub, const char *name)
{
	struct sn_err err = {0};
	sn_autojson json_t *users = sn_people_list(hub->people, &err);
	size_t i;
	json_t *user;

	if (users == NULL) {
		sn_api_trouble(request, &err);
		return;
	}
	json_array_foreach (users, i, user) {
		if (strcmp(json_string_value(json_object_get(user, "name")), name) == 0) {
			sn_http_reply_json(request, 200, json_incref(user));
			return;
		}
	}
	sn_api_not_found(request, "no user has this name");
}

static void patch_user(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *name = sn_http_param(request, "name");
	sn_autojson json_t *body = sn_api_body(request);
	enum sn_role role = SN_ROLE_VIEWER;
	struct sn_err err = {0};

	if (body == NULL || !read_role(request, body, &role))
		return;
	if (sn_people_set_role(hub->people, name, role, &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return;
	}
	sn_hub_audit(hub, actor(request), "user.set", name, sn_role_name(role));
	reply_user(request, hub, name);
}

static void delete_user(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *name = sn_http_param(request, "name");
	struct sn_err err = {0};

	char uri[SN_PKI_NAME_MAX];

	/* Their certificates too, or somebody added later under the name would share them. */
	snprintf(uri, sizeof(uri), SN_URI_USER "%s", name);
	if (sn_people_remove(hub->people, name, &err) != 0 ||
	    sn_identity_revoke_uri(hub->identity, uri, sn_hub_now(hub), &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return;
	}
	sn_hub_audit(hub, actor(request), "user.remove", name, NULL);
	sn_api_empty(request);
}

/* Tokens ----------------------------------------------------------------------------- */

static void get_tokens(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct sn_err err = {0};

	reply_list(request, sn_people_list_tokens(hub->people, sn_guard_who(request)->user, &err),
		   "id", &err);
}

static void post_token(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *label = json_string_value(json_object_get(body, "label"));
	const struct sn_who *who = sn_guard_who(request);
	char id[SN_ULID_SIZE], token[SN_SECRET_SIZE];
	enum sn_role role = SN_ROLES; /* that of its owner */
	int64_t life_ns = 0;
	struct sn_err err = {0};

	if (body == NULL ||
	    !sn_api_duration(request, body, "expires_in", TOKEN_LIFE_MAX, &life_ns) ||
	    !read_role(request, body, &role))
		return;
	if (role != SN_ROLES && role > who->role) {
		sn_api_bad(request, "role: higher than one's own");
		return;
	}
	if (strlen(label) > LABEL_MAX) {
		sn_api_bad(request, "label: longer than 128 bytes");
		return;
	}
	if (sn_people_make_token(hub->people, who->user, label, role, sn_hub_now(hub), life_ns, id,
				 token, &err) != 0) {
		sn_api_trouble(request, &err);
		return;
	}
	sn_hub_audit(hub, actor(request), "token.add", id, label);
	sn_http_set_header(request, "Cache-Control", "no-store");
	sn_http_reply_json(request, 201,
			   json_pack("{s:s, s:s, s:s, s:o}", "id", id, "token", token, "role",
				     sn_role_name(role != SN_ROLES ? role : who->role), "expires",
				     sn_json_time(life_ns > 0 ? sn_hub_now(hub) + life_ns : 0)));
}

static void delete_token(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *id = sn_http_param(request, "id");
	struct sn_err err = {0};

	if (sn_people_remove_token(hub->people, sn_guard_who(request)->user, id, &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return;
	}
	sn_hub_audit(hub, actor(request), "token.remove", id, NULL);
	sn_api_empty(request);
}

/* Declarations ------------------------------------------------------------------- */

static const struct sn_api_field user_wanted_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the new user"},
	{"role", SN_API_TEXT, false, false, "viewer (default), operator or admin"},
};
static const struct sn_api_schema user_wanted = {"UserRequest", "A user to be.", user_wanted_fields,
						 SN_COUNT(user_wanted_fields)};
static const struct sn_api_field user_change_fields[] = {
	{"role", SN_API_TEXT, true, false, "viewer, operator or admin"},
};
static const struct sn_api_schema user_change = {"UserChange", "What of a user can be changed.",
						 user_change_fields, SN_COUNT(user_change_fields)};
static const struct sn_api_field user_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the user"},
	{"role", SN_API_TEXT, true, false, "viewer, operator or admin"},
	{"created", SN_API_TIME, true, false, "when they were added"},
	{"last_login", SN_API_TIME, true, true, "when they last logged in"},
	{"password", SN_API_BOOL, true, false, "have they set one"},
};
static const struct sn_api_schema user_schema = {
	"User", "A person, or a program that acts for one.", user_fields, SN_COUNT(user_fields)};

static const struct sn_api_field token_wanted_fields[] = {
	{"label", SN_API_TEXT, true, false, "what it is for"},
	{"role", SN_API_TEXT, false, false, "not higher than one's own; default: the owner's"},
	{"expires_in", SN_API_ANY, false, false, "time like '30d', or seconds; default: never"},
};
static const struct sn_api_schema token_wanted = {
	"TokenRequest", "A token to be.", token_wanted_fields, SN_COUNT(token_wanted_fields)};
static const struct sn_api_field token_made_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the token"},
	{"token", SN_API_TEXT, true, false, "the secret; shown this once"},
	{"role", SN_API_TEXT, true, false, "what it may do now"},
	{"expires", SN_API_TIME, true, true, "when it runs out"},
};
static const struct sn_api_schema token_made = {"NewToken", "A token with its secret.",
						token_made_fields, SN_COUNT(token_made_fields)};
static const struct sn_api_field token_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the token"},
	{"label", SN_API_TEXT, true, false, "what it is for"},
	{"role", SN_API_TEXT, true, true, "null: that of its owner"},
	{"created", SN_API_TIME, true, false, "when it was made"},
	{"expires", SN_API_TIME, true, true, "when it runs out"},
};
static const struct sn_api_schema token_schema = {"Token", "An API token, without its secret.",
						  token_fields, SN_COUNT(token_fields)};

#define LIST_DOC(id_, tag_, summary_, answer_)                                                     \
	{                                                                                          \
		.id = (id_), .tag = (tag_), .summary = (summary_), .params = sn_api_list_params,   \
		.param_count = SN_API_LIST_PARAMS, .kind = SN_ANSWER_LIST, .answer = (answer_)     \
	}
#define EMPTY_DOC(id_, tag_, summary_)                                                             \
	{                                                                                          \
		.id = (id_), .tag = (tag_), .summary = (summary_), .status = 204,                  \
		.kind = SN_ANSWER_EMPTY                                                            \
	}

static const struct sn_api_doc users_doc =
	LIST_DOC("listUsers", "users", "all users", &user_schema);
static const struct sn_api_doc add_user_doc = {
	.id = "addUser",
	.tag = "users",
	.summary = "add a user, who logs in by a link first",
	.body = &user_wanted,
	.status = 201,
	.answer = &user_schema,
};
static const struct sn_api_doc set_user_doc = {
	.id = "setUser",
	.tag = "users",
	.summary = "change the role of a user; counts at once",
	.body = &user_change,
	.answer = &user_schema,
};
static const struct sn_api_doc remove_user_doc =
	EMPTY_DOC("removeUser", "users", "remove a user with all sessions, links and tokens");
static const struct sn_api_doc tokens_doc =
	LIST_DOC("listTokens", "session", "one's own API tokens", &token_schema);
static const struct sn_api_doc add_token_doc = {
	.id = "addToken",
	.tag = "session",
	.summary = "an API token for who asks",
	.body = &token_wanted,
	.status = 201,
	.answer = &token_made,
};
static const struct sn_api_doc remove_token_doc =
	EMPTY_DOC("removeToken", "session", "make an API token worthless");
static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/users", get_users, 0, SN_ACCESS_ADMIN, &users_doc},
	{"POST", "/api/v1/users", post_user, 1024, SN_ACCESS_ADMIN, &add_user_doc},
	{"PATCH", "/api/v1/users/{name}", patch_user, 1024, SN_ACCESS_ADMIN, &set_user_doc},
	{"DELETE", "/api/v1/users/{name}", delete_user, 0, SN_ACCESS_ADMIN, &remove_user_doc},
	{"GET", "/api/v1/tokens", get_tokens, 0, SN_ACCESS_SELF, &tokens_doc},
	{"POST", "/api/v1/tokens", post_token, 1024, SN_ACCESS_SELF, &add_token_doc},
	{"DELETE", "/api/v1/tokens/{id}", delete_token, 0, SN_ACCESS_SELF, &remove_token_doc},
};
const struct sn_api_routes sn_api_users = {routes, SN_COUNT(routes)};
