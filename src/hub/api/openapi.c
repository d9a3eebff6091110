/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAPI 3.1 description, made of the route tables, the schemas beside them,
 * and the declarations of datasets and methods.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/api/declared.h"
#include "hub/api/openapi.h"

/* Components ----------------------------------------------------------------------- */

static json_t *reference(const char *prefix, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "#/components/schemas/%s%s", prefix, name);
	return json_pack("{s:s}", "$ref", path);
}

static void add_schema(json_t *components, const struct sn_api_schema *schema);

static json_t *field_type(json_t *components, const struct sn_api_field *field)
{
	const char *type = sn_api_type_name(field->type);
	json_t *json;

	if (field->schema != NULL)
		add_schema(components, field->schema);
	if (field->type == SN_API_OBJECT && field->schema != NULL)
		return reference("", field->schema->name);
	json = json_object();
	if (type != NULL && field->nullable)
		json_object_set_new(json, "type", json_pack("[s,s]", type, "null"));
	else if (type != NULL)
		json_object_set_new(json, "type", json_string(type));
	if (field->type == SN_API_TIME)
		json_object_set_new(json, "format", json_string("date-time"));
	if (field->type == SN_API_TEXTS)
		json_object_set_new(json, "items", json_pack("{s:s}", "type", "string"));
	if (field->type == SN_API_ARRAY)
		json_object_set_new(json, "items",
				    field->schema != NULL ? reference("", field->schema->name)
							  : json_object());
	return json;
}

static void add_schema(json_t *components, const struct sn_api_schema *schema)
{
	json_t *properties, *required;

	if (json_object_get(components, schema->name) != NULL)
		return;
	properties = json_object();
	required = json_array();
	json_object_set_new(components, schema->name,
			    json_pack("{s:s, s:s, s:o, s:o}", "type", "object", "description",
				      schema->help, "properties", properties, "required",
				      required));
	for (size_t i = 0; i < schema->field_count; i++) {
		const struct sn_api_field *field = &schema->fields[i];
		json_t *property = field_type(components, field);

		json_object_set_new(property, "description", json_string(field->help));
		json_object_set_new(properties, field->name, property);
		if (field->required)
			json_array_append_new(required, json_string(field->name));
	}
}

static const struct sn_api_field problem_fields[] = {
	{"type", SN_API_TEXT, true, false, "/problems/<code>"},
	{"title", SN_API_TEXT, true, false, "what it is"},
	{"status", SN_API_INTEGER, true, false, "the HTTP status"},
	{"code", SN_API_TEXT, true, false, "stable name for programs"},
	{"detail", SN_API_TEXT, true, false, "why, and what to do"},
};
static const struct sn_api_schema problem_schema = {"Problem", "An error (RFC 9457).",
						    problem_fields, SN_COUNT(problem_fields)};

static void add_declarations(json_t *components)
{
	char name[96];

	for (size_t i = 0; i < sn_catalog_count; i++) {
		snprintf(name, sizeof(name), "Row_%s", sn_catalog[i]->name);
		json_object_set_new(components, name, sn_declared_row_schema(sn_catalog[i]));
	}
	for (size_t i = 0; i < sn_method_count; i++) {
		snprintf(name, sizeof(name), "Parameters_%s", sn_methods[i]->name);
		json_object_set_new(components, name, sn_declared_params_schema(sn_methods[i]));
	}
	add_schema(components, &problem_schema);
}

/* Operations ------------------------------------------------------------------------- */

/* The names between braces; the last "{rest*}" without its star. */
static void add_path_params(json_t *params, const char *pattern)
{
	const char *open = pattern;

	while ((open = strchr(open, '{')) != NULL) {
		size_t length = strcspn(open + 1, "*}");
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)length, open + 1);
		json_array_append_new(params,
				      json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", name, "in",
						"path", "required", 1, "schema", "type", "string"));
		open++;
	}
}

static json_t *parameters(const struct sn_http_route *route)
{
	const struct sn_api_doc *doc = route->doc;
	json_t *params = json_array();

	add_path_params(params, route->pattern);
	for (size_t i = 0; i < doc->param_count; i++) {
		const struct sn_api_param *param = &doc->params[i];

		json_array_append_new(params,
				      json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", param->name,
						"in", param->header ? "header" : "query",
						"description", param->help, "schema", "type",
						sn_api_type_name(param->type)));
	}
	return params;
}

static json_t *content(const char *type, json_t *schema)
{
	return json_pack("{s:{s:o}}", type, "schema", schema);
}

static json_t *list_of(json_t *item)
{
	return json_pack("{s:s, s:{s:{s:s, s:o}, s:{s:[s,s]}}, s:[s,s]}", "type", "object",
			 "properties", "items", "type", "array", "items", item, "next", "type",
			 "string", "null", "required", "items", "next");
}

static json_t *any_row(void)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < sn_catalog_count; i++)
		json_array_append_new(rows, reference("Row_", sn_catalog[i]->name));
	return json_pack("{s:o}", "anyOf", rows);
}

static json_t *rows_content(void)
{
	json_t *forms = content("application/json", list_of(any_row()));

	json_object_set_new(forms, "application/x-ndjson", json_pack("{s:o}", "schema", any_row()));
	json_object_set_new(forms, "text/csv", json_pack("{s:{s:s}}", "schema", "type", "string"));
	return forms;
}

static json_t *answer_content(json_t *components, const struct sn_api_doc *doc)
{
	if (doc->answer != NULL)
		add_schema(components, doc->answer);
	switch (doc->kind) {
	case SN_ANSWER_OBJECT:
		return content("application/json", doc->answer != NULL
							   ? reference("", doc->answer->name)
							   : json_pack("{s:s}", "type", "object"));
	case SN_ANSWER_LIST:
		return content("application/json", list_of(reference("", doc->answer->name)));
	case SN_ANSWER_TEXT:
		return content(doc->content_type, json_pack("{s:s}", "type", "string"));
	case SN_ANSWER_EVENTS:
		return content("text/event-stream", json_pack("{s:s}", "type", "string"));
	case SN_ANSWER_ROWS:
		return rows_content();
	case SN_ANSWER_EMPTY:
		break;
	}
	return NULL;
}

static json_t *responses(json_t *components, const struct sn_api_doc *doc)
{
	char status[16];
	json_t *success = json_pack("{s:s}", "description", doc->summary);
	json_t *forms = answer_content(components, doc);

	if (forms != NULL)
		json_object_set_new(success, "content", forms);
	snprintf(status, sizeof(status), "%u", doc->status != 0 ? doc->status : 200);
	return json_pack("{s:o, s:{s:s, s:o}}", status, success, "default", "description",
			 "an error", "content",
			 content("application/problem+json", reference("", "Problem")));
}

static json_t *request_body(json_t *components, const struct sn_api_doc *doc)
{
	const char *type = doc->body_type != NULL ? doc->body_type : "application/json";

	if (doc->body == NULL)
		return json_pack("{s:b, s:o}", "required", 1, "content",
				 content(type, json_pack("{s:s}", "type", "string")));
	add_schema(components, doc->body);
	return json_pack("{s:b, s:o}", "required", 1, "content",
			 content(type, reference("", doc->body->name)));
}

/* Which of the schemes below open the route; an empty object says: none is needed. */
static json_t *security(unsigned access)
{
	json_t *ways = json_array();

	if ((access & (SN_ACCESS_OPEN | SN_ACCESS_LOOPBACK)) != 0)
		json_array_append_new(ways, json_object());
	if ((access & SN_ACCESS_NODE) != 0)
		json_array_append_new(ways, json_pack("{s:[]}", "nodeCertificate"));
	if ((access & SN_ACCESS_PERSON) != 0) {
		json_array_append_new(ways, json_pack("{s:[]}", "session"));
		json_array_append_new(ways, json_pack("{s:[]}", "token"));
		json_array_append_new(ways, json_pack("{s:[]}", "userCertificate"));
	}
	if ((access & SN_ACCESS_PEER) != 0)
		json_array_append_new(ways, json_pack("{s:[]}", "peerCertificate"));
	return ways;
}

static json_t *operation(json_t *components, const struct sn_http_route *route)
{
	const struct sn_api_doc *doc = route->doc;
	json_t *json = json_pack("{s:s, s:[s], s:s, s:o, s:o, s:o}", "operationId", doc->id, "tags",
				 doc->tag, "summary", doc->summary, "parameters", parameters(route),
				 "responses", responses(components, doc), "security",
				 security(route->access));

	if (doc->body != NULL || doc->body_type != NULL)
		json_object_set_new(json, "requestBody", request_body(components, doc));
	return json;
}

/* The document ------------------------------------------------------------------------- */

static void add_route(json_t *paths, json_t *components, const struct sn_http_route *route)
{
	char path[160], method[16];
	size_t n = strlen(route->pattern);
	json_t *item;

	/* The same with a slash at the end is not told twice. */
	if (n > 1 && route->pattern[n - 1] == '/')
		return;
	n = 0;
	for (const char *p = route->pattern; *p != '\0' && n + 1 < sizeof(path); p++) {
		if (*p != '*')
			path[n++] = *p;
	}
	path[n] = '\0';
	for (n = 0; route->method[n] != '\0' && n + 1 < sizeof(method); n++)
		method[n] = (char)(route->method[n] | 0x20);
	method[n] = '\0';
	item = json_object_get(paths, path);
	if (item == NULL) {
		item = json_object();
		json_object_set_new(paths, path, item);
	}
	json_object_set_new(item, method, operation(components, route));
}

static json_t *security_schemes(const char *session_cookie)
{
	return json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s},"
			 " s:{s:s, s:s}}",
			 "session", "type", "apiKey", "in", "cookie", "name", session_cookie,
			 "token", "type", "http", "scheme", "bearer", "userCertificate", "type",
			 "mutualTLS", "description", "urn:sonde:user:<name>", "nodeCertificate",
			 "type", "mutualTLS", "description", "urn:sonde:node:<id>",
			 "peerCertificate", "type", "mutualTLS", "description",
			 "subject or DNS name of an mPlane peer");
}

json_t *sn_openapi(const struct sn_http_route *routes, size_t count, const char *session_cookie)
{
	json_t *paths = json_object(), *components = json_object();

	add_declarations(components);
	for (size_t i = 0; i < count; i++)
		add_route(paths, components, &routes[i]);
	return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:o, s:o}}", "openapi", "3.1.0", "info",
			 "title", "Sonde hub", "version", SONDE_VERSION, "description",
			 "Inventory, tasks and rows of a network measurement platform.", "paths",
			 paths, "components", "schemas", components, "securitySchemes",
			 security_schemes(session_cookie));
}

/* Made once: it costs as much as a hundred other answers. */
static void get_openapi(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;

	if (hub->openapi == NULL) {
		json_t *json = sn_openapi(hub->routes, hub->route_count, hub->session_cookie);

		hub->openapi = json_dumps(json, JSON_COMPACT);
		json_decref(json);
	}
	sn_http_reply(request, 200, "application/json", hub->openapi, strlen(hub->openapi));
}

static const struct sn_api_doc doc = {
	.id = "getOpenapi",
	.tag = "hub",
	.summary = "this description",
	.kind = SN_ANSWER_OBJECT,
};
static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/openapi.json", get_openapi, 0, SN_ACCESS_USER, &doc},
};
const struct sn_api_routes sn_api_openapi = {routes, SN_COUNT(routes)};
