/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "api"
#include "hub/api/api.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define KNOWN_MAX (SN_DATASET_COLUMNS_MAX + 16) /* parameters of one route */

static const struct sn_api_routes *const groups[] = {
	&sn_api_enrol,        &sn_api_node,         &sn_api_nodes,       &sn_api_invites,
	&sn_api_capabilities, &sn_api_measurements, &sn_api_hub,         &sn_api_datasets,
	&sn_api_export,       &sn_api_dumps,        &sn_api_kml,         &sn_api_series,
	&sn_api_store,        &sn_api_store_jobs,   &sn_api_replication, &sn_api_sources,
	&sn_api_migrate,      &sn_api_groups,       &sn_api_session,     &sn_api_users,
	&sn_api_audit,        &sn_api_certificates, &sn_api_policy,      &sn_api_events,
	&sn_api_annotation,   &sn_api_quarantine,   &sn_api_uploads,     &sn_api_imports,
	&sn_api_openapi,      &sn_api_metrics,      &sn_api_math,        &sn_api_mplane,
	&sn_api_problems,     &sn_api_web,
};

/* Routes -------------------------------------------------------------------- */

/* Whose columns are parameters; NULL when there are none, or the thing is unknown. */
static const struct sn_dataset *dataset_of(const struct sn_hub *hub,
					   const struct sn_http_request *request,
					   const struct sn_api_doc *doc)
{
	const char *name = sn_http_param(request, "name");

	if (!doc->columns)
		return NULL;
	return name != NULL ? sn_catalog_find(name)
			    : sn_api_measurement_dataset(hub, sn_http_param(request, "id"));
}

static bool knows_parameter(const struct sn_api_doc *doc, const struct sn_dataset *dataset,
			    const char *name)
{

	for (size_t i = 0; i < doc->param_count; i++) {
		if (!doc->params[i].header && strcmp(doc->params[i].name, name) == 0)
			return true;
	}
	/* An unknown dataset gets its own answer. */
	return doc->any_query ||
	       (doc->columns && (dataset == NULL || sn_dataset_column(dataset, name) >= 0));
}

static void refuse_parameter(struct sn_http_request *request, const struct sn_api_doc *doc,
			     const struct sn_dataset *dataset, const char *name)
{
	const char *names[KNOWN_MAX], *near;
	size_t count = 0;

	for (size_t i = 0; i < doc->param_count && count < KNOWN_MAX; i++) {
		if (!doc->params[i].header)
			names[count++] = doc->params[i].name;
	}
	for (size_t i = 0; dataset != NULL && i < dataset->column_count && count < KNOWN_MAX; i++)
		names[count++] = dataset->columns[i].name;
	near = sn_suggest(name, names, count);
	sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
			"%.64s: there is no such %s%s%s%s", name,
			dataset != NULL ? "column or parameter" : "parameter",
			near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
			near != NULL ? "'?)" : "");
}

/* Nodes, and whatever else would bring rows of its own: a replica has only its primary's. */
static bool brings_rows(const struct sn_http_route *route)
{
	static const char *const patterns[] = {
		"/api/v1/enrol",   "/api/v1/invites", "/api/v1/measurements", "/api/v1/uploads",
		"/api/v1/imports", "/api/v1/math",    "/api/v1/quarantine",
	};

	if ((route->access & SN_ACCESS_NODE) != 0)
		return true;
	if (strcmp(route->method, "POST") != 0 && strcmp(route->method, "PATCH") != 0)
		return false;
	for (size_t i = 0; i < SN_COUNT(patterns); i++)
		if (strncmp(route->pattern, patterns[i], strlen(patterns[i])) == 0)
			return true;
	return (route->access & SN_ACCESS_PEER) != 0;
}

/*
 * Stands before every handler: a parameter with a typing error must not pass for
 * one that was not given.
 */
static void dispatch(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;
	const struct sn_http_route *route = sn_http_request_route(request);
	const struct sn_api_doc *doc = route->doc;
	const struct sn_dataset *dataset = dataset_of(hub, request, doc);
	const char *name;

	for (unsigned i = 0; (name = sn_http_query_name(request, i)) != NULL; i++) {
		if (!knows_parameter(doc, dataset, name)) {
			refuse_parameter(request, doc, dataset, name);
			return;
		}
	}
	if (hub->follower != NULL && brings_rows(route)) {
		sn_http_problem(request, 409, "replica", "This hub is a replica",
				"it takes nothing itself: ask its primary, %s",
				hub->config->replica_of);
		return;
	}
	hub->handlers[route - hub->routes](request, ctx);
}

void sn_api_make_routes(struct sn_hub *hub)
{
	size_t count = 0, n = 0;

	for (size_t i = 0; i < SN_COUNT(groups); i++)
		count += groups[i]->count;
	hub->routes = sn_new_n(struct sn_http_route, count);
	hub->handlers = sn_new_n(sn_http_handler_fn *, count);
	hub->route_count = count;
	for (size_t i = 0; i < SN_COUNT(groups); i++) {
		for (size_t j = 0; j < groups[i]->count; j++, n++) {
			hub->routes[n] = groups[i]->routes[j];
			if (hub->config->dump_public &&
			    strncmp(hub->routes[n].pattern, "/dumps", strlen("/dumps")) == 0)
				hub->routes[n].access |= SN_ACCESS_OPEN;
			hub->handlers[n] = hub->routes[n].handle;
			hub->routes[n].handle = dispatch;
		}
	}
}

/* Problems ------------------------------------------------------------------ */

void sn_api_bad(struct sn_http_request *request, const char *detail)
{
	sn_http_problem(request, 422, "invalid", "Something in the request is no good", "%s",
			detail);
}

void sn_api_not_found(struct sn_http_request *request, const char *detail)
{
	sn_http_problem(request, 404, "not-found", "There is no such thing", "%s", detail);
}

void sn_api_trouble(struct sn_http_request *request, const struct sn_err *err)
{
	if (err->code == -E2BIG) {
		sn_http_problem(request, 409, "limit-reached", "There are too many of them", "%s",
				err->text);
		return;
	}
	if (err->code == -EREMOTE) {
		sn_http_set_header(request, "Retry-After", "10");
		sn_http_problem(request, 503, "clickhouse-unreachable",
				"Rows that have moved to ClickHouse cannot be read", "%s",
				err->text);
		return;
	}
	SN_LOG_LIMITED(SN_LOG_ERROR, "cannot answer %s %s: %s", sn_http_method(request),
		       sn_http_path(request), err->text);
	if (err->code == -ENOSPC || err->code == -EDQUOT)
		sn_http_problem(request, 503, "store-full", "The disk of the hub is full", "%s",
				err->text);
	else
		sn_http_problem(request, 500, "internal", "The hub has a problem of its own",
				"%s (its log says more)", err->text);
}

static const struct sn_api_refusal *find_refusal(const struct sn_api_refusal *refusals,
						 size_t count, int code)
{
	for (size_t i = 0; i < count; i++)
		if (refusals[i].code == code)
			return &refusals[i];
	return NULL;
}

void sn_api_refuse(struct sn_http_request *request, const struct sn_err *err,
		   const struct sn_api_refusal *own, size_t count)
{
	static const struct sn_api_refusal common[] = {
		{-EINVAL, 422, "invalid", "Something in the request is no good"},
		{-ENOENT, 404, "not-found", "There is no such thing"},
		{-EEXIST, 409, "conflict", "That cannot be done now"},
		{-EPERM, 409, "conflict", "That cannot be done now"},
	};
	const struct sn_api_refusal *refusal = find_refusal(own, count, err->code);

	if (refusal == NULL)
		refusal = find_refusal(common, SN_COUNT(common), err->code);
	if (refusal == NULL)
		sn_api_trouble(request, err);
	else
		sn_http_problem(request, refusal->status, refusal->type, refusal->title, "%s",
				err->text);
}

/* Requests ------------------------------------------------------------------ */

json_t *sn_api_body(struct sn_http_request *request)
{
	const struct sn_api_doc *doc = sn_http_request_route(request)->doc;
	struct sn_str text = sn_http_body(request);
	struct sn_err err = {0};
	json_t *body;

	if (text.n == 0)
		text = SN_STR("{}");
	body = sn_json_parse(text.p, text.n, &err);
	if (body == NULL) {
		sn_http_problem(request, 400, "bad-json", "The body is not JSON", "%s", err.text);
		return NULL;
	}
	if (sn_api_check(doc->body, body, &err) != 0) {
		sn_api_bad(request, err.text);
		json_decref(body);
		return NULL;
	}
	return body;
}

struct sn_node *sn_api_node_named(struct sn_hub *hub, struct sn_http_request *request,
				  const char *id_or_name)
{
	struct sn_node *node = sn_fleet_find(hub->fleet, id_or_name);

	if (node == NULL)
		sn_api_not_found(request, "no node has this id or name");
	return node;
}

static int read_duration(const json_t *value, int64_t *ns)
{
	double seconds = json_number_value(value);

	if (json_is_string(value))
		return sn_parse_duration(sn_str(json_string_value(value)), ns);
	if (!json_is_number(value) || !(seconds > 0 && seconds < 1e9))
		return -EINVAL;
	*ns = (int64_t)(seconds * 1e9);
	return 0;
}

bool sn_api_duration(struct sn_http_request *request, const json_t *body, const char *member,
		     int64_t max_ns, int64_t *ns)
{
	const json_t *value = json_object_get(body, member);

	if (value == NULL || json_is_null(value))
		return true;
	if (read_duration(value, ns) == 0 && *ns > 0 && *ns <= max_ns)
		return true;
	sn_http_problem(request, 422, "invalid", "Something in the request is no good",
			"%s: not a time like '1h' or a number of seconds, or too long", member);
	return false;
}

bool sn_api_query_time(struct sn_hub *hub, struct sn_http_request *request, const char *name,
		       int64_t *value)
{
	const char *text = sn_http_query(request, name);

	if (text == NULL || sn_parse_when(sn_str(text), sn_hub_now(hub), value) == 0)
		return true;
	sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
			"%s: '%.60s' is not a time like '2026-03-01T12:00:00Z', '2026-03-01', "
			"'-15m' or 'now'",
			name, text);
	return false;
}

bool sn_api_query_u64(struct sn_http_request *request, const char *name, uint64_t min, uint64_t max,
		      uint64_t *value)
{
	const char *text = sn_http_query(request, name);

	if (text == NULL || sn_parse_u64(sn_str(text), min, max, value) == 0)
		return true;
	sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
			"%s: '%.60s' is not a number from %llu to %llu", name, text,
			(unsigned long long)min, (unsigned long long)max);
	return false;
}

bool sn_api_takes_encoding(const struct sn_http_request *request, const char *encoding)
{
	struct sn_str rest = sn_str(sn_http_header(request, "Accept-Encoding")), one, name;
	double weight;

	while (rest.n > 0 && sn_str_split(&rest, ',', &one)) {
		sn_str_split(&one, ';', &name);
		if (!sn_str_eqc(sn_str_trim(name), encoding))
			continue;
		one = sn_str_trim(one);
		return !sn_str_has_prefix(one, "q=") ||
		       (sn_parse_double((struct sn_str){one.p + 2, one.n - 2}, 0, 1, &weight) ==
				0 &&
			weight > 0);
	}
	return false;
}

bool sn_api_accepts(const struct sn_http_request *request, const char *type)
{
	const char *accept = sn_http_header(request, "Accept");

	return accept != NULL && strcasestr(accept, type) != NULL;
}

/* Answers ------------------------------------------------------------------- */

void sn_api_empty(struct sn_http_request *request)
{
	sn_http_reply(request, 204, NULL, NULL, 0);
}

const struct sn_api_param sn_api_list_params[] = {
	{"limit", SN_API_INTEGER, "items of a page, 1 to 10,000, default 100", false},
	{"cursor", SN_API_TEXT, "'next' of the page before", false},
};
_Static_assert(SN_COUNT(sn_api_list_params) == SN_API_LIST_PARAMS, "counted in api.h");

void sn_api_reply_page(struct sn_http_request *request, json_t *items, const char *next)
{
	sn_http_reply_json(request, 200,
			   json_pack("{s:o, s:o}", "items", items, "next",
				     next != NULL ? json_string(next) : json_null()));
}

static const char *key_of(const json_t *items, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(items, i), key));
}

/* Where the page after `cursor` begins; SIZE_MAX when there is no such item. */
static size_t page_start(const json_t *items, const char *key, const char *cursor)
{
	if (cursor == NULL)
		return 0;
	for (size_t i = 0; i < json_array_size(items); i++) {
		if (strcmp(key_of(items, i, key), cursor) == 0)
			return i + 1;
	}
	return SIZE_MAX;
}

void sn_api_reply_list(struct sn_http_request *request, json_t *items, const char *key)
{
	sn_autojson json_t *all = items;
	uint64_t limit = SN_API_LIMIT;
	size_t start = page_start(all, key, sn_http_query(request, "cursor")), i;
	json_t *page;

	if (!sn_api_query_u64(request, "limit", 1, SN_API_LIMIT_MAX, &limit))
		return;
	if (start == SIZE_MAX) {
		sn_http_problem(request, 400, "bad-cursor", "This cursor leads nowhere",
				"start again without 'cursor'");
		return;
	}
	page = json_array();
	for (i = start; i < json_array_size(all) && i - start < limit; i++)
		json_array_append(page, json_array_get(all, i));
	sn_api_reply_page(request, page,
			  i < json_array_size(all) && i > 0 ? key_of(all, i - 1, key) : NULL);
}
