/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of logs that are fetched from probes: our own routes, and those of the original
 * repository at the root (MATH).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/math/math.h"
#include "hub/sql.h"
#include "hub/supervisor/internal.h"
#include "peer/peer.h"
#include "transfer/announce.h"
#include "transfer/path.h"

/* As JSON ------------------------------------------------------------------------------- */

static json_t *seconds_or_null(int64_t unix_s)
{
	return unix_s == SN_MATH_TIME_UNKNOWN ? json_null() : sn_json_time(unix_s * SN_NS_PER_S);
}

/* How old the newest row here is, while others wait. */
static json_t *lag_of(const struct sn_math_status *status, int64_t now_ns)
{
	int64_t position_s = status->totals.position_s;

	if (status->state == SN_MATH_CURRENT || status->waiting_files == 0)
		return status->state == SN_MATH_FAILING ? json_null() : json_real(0);
	return position_s == SN_MATH_TIME_UNKNOWN
		       ? json_null()
		       : json_real(SN_MAX((double)now_ns / 1e9 - (double)position_s, 0));
}

static json_t *view_json(const struct sn_math_view *view, int64_t now_ns)
{
	const struct sn_math_status *status = &view->status;
	const struct sn_math_totals *totals = &status->totals;
	char id[24];

	snprintf(id, sizeof(id), "%lld", (long long)view->id);
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
		" s:o, s:o, s:o, s:b, s:s, s:o}",
		"id", id, "stream", view->stream, "type", view->type, "url", view->url, "state",
		sn_math_state_name(status->state), "reason", sn_json_text(status->reason), "file",
		sn_json_text(status->file), "position", seconds_or_null(totals->position_s),
		"files", (json_int_t)totals->files, "bad_files", (json_int_t)totals->bad_files,
		"late_files", (json_int_t)totals->late, "rows", (json_int_t)totals->rows,
		"bad_lines", (json_int_t)totals->bad_lines, "bytes", (json_int_t)totals->bytes,
		"waiting_files", (json_int_t)status->waiting_files, "waiting_bytes",
		(json_int_t)status->waiting_bytes, "lag_seconds", lag_of(status, now_ns), "last",
		sn_json_time(status->last_ns), "start", seconds_or_null(view->start_s),
		"local_time", view->local_time, "by", view->by, "created",
		sn_json_time(view->created_ns));
}

struct gathering {
	json_t *items;
	int64_t now_ns, id; /* id: that one alone; 0: all */
};

static void gather(const struct sn_math_view *view, void *ctx)
{
	struct gathering *gathering = ctx;

	if (gathering->id == 0 || gathering->id == view->id)
		json_array_append_new(gathering->items, view_json(view, gathering->now_ns));
}

static json_t *streams_json(struct sn_hub *hub, int64_t id)
{
	struct gathering gathering = {json_array(), sn_hub_now(hub), id};

	sn_math_each(hub->math, gather, &gathering);
	return gathering.items;
}

/* Our own routes ------------------------------------------------------------------------- */

static bool read_id(const struct sn_http_request *request, int64_t *id)
{
	return sn_parse_i64(sn_str(sn_http_param(request, "id")), 1, INT64_MAX, id) == 0;
}

static void get_streams(struct sn_http_request *request, void *ctx)
{
	sn_api_reply_list(request, streams_json(ctx, 0), "id");
}

static void reply_stream(struct sn_hub *hub, struct sn_http_request *request, unsigned status,
			 int64_t id)
{
	sn_autojson json_t *items = streams_json(hub, id);

	if (json_array_size(items) == 0)
		sn_api_not_found(request, "no stream has this id");
	else
		sn_http_reply_json(request, status, json_incref(json_array_get(items, 0)));
}

static void get_stream(struct sn_http_request *request, void *ctx)
{
	int64_t id;

	if (read_id(request, &id))
		reply_stream(ctx, request, 200, id);
	else
		sn_api_not_found(request, "no stream has this id");
}

static const char *text_of(const json_t *body, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(body, key));

	return text != NULL ? text : fallback;
}

static void post_stream(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const struct sn_who *who = sn_guard_who(request);
	struct sn_math_order order = {.start_s = SN_MATH_TIME_UNKNOWN};
	const char *start;
	struct sn_err err = {0};
	int64_t id;
	int rc;

	if (body == NULL)
		return;
	order.stream = text_of(body, "stream", "");
	order.url = text_of(body, "url", "");
	order.type = text_of(body, "type", "tstat");
	order.local_time = json_is_true(json_object_get(body, "local_time"));
	order.by = sn_who_name(who);
	start = text_of(body, "start", NULL);
	if (start != NULL && sn_math_start_time(start, order.local_time, &order.start_s) != 0) {
		sn_api_bad(request, "start: not a time like 2026-03-01T12:00:00Z");
		return;
	}
	rc = sn_math_add(hub->math, &order, &id, &err);
	if (rc == 1) {
		sn_http_problem(request, 409, "stream-exists", "There is such a stream already",
				"remove it first, or choose another name");
	} else if (rc != 0) {
		sn_api_refuse(request, &err, NULL, 0);
	} else {
		sn_hub_audit(hub, sn_who_name(who), "math.add", order.stream, order.url);
		reply_stream(hub, request, 201, id);
	}
}

static bool remove_stream(struct sn_hub *hub, struct sn_http_request *request, int64_t id)
{
	struct sn_err err = {0};
	char subject[24];

	if (sn_math_remove(hub->math, id, &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return false;
	}
	snprintf(subject, sizeof(subject), "%lld", (long long)id);
	sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "math.remove", subject, NULL);
	return true;
}

static void delete_stream(struct sn_http_request *request, void *ctx)
{
	int64_t id;

	if (!read_id(request, &id))
		sn_api_not_found(request, "no stream has this id");
	else if (remove_stream(ctx, request, id))
		sn_api_empty(request);
}

/* The original's routes --------------------------------------------------------------------- */

/* Who may announce: whom the policy lets deliver these logs, and whoever is on this machine. */
static bool may_announce(struct sn_hub *hub, struct sn_http_request *request,
			 struct sn_asker *asker, struct sn_policy_verdict *verdict)
{
	struct sn_policy_ask ask = {
		.action = SN_MAY_DELIVER, .identities = asker->list, .label = SN_MATH_LABEL};
	const struct sn_who *who = sn_guard_who(request);

	snprintf(verdict->reason, sizeof(verdict->reason),
		 "plain HTTP, where nobody proves who he is (the key 'math_plain' lets it in)");
	sn_sup_asker_of(request, asker);
	if (who->kind == SN_WHO_USER && sn_guard_would_permit(who, SN_MAY_ADMIN))
		return true;
	if (!sn_http_is_tls(request) && hub->config->math_plain)
		return true;
	return asker->count > 0 &&
	       sn_authority_permit(hub->authority, &ask, SN_MATH_LABEL, verdict);
}

static bool check_announcer(struct sn_hub *hub, struct sn_http_request *request,
			    struct sn_asker *asker)
{
	struct sn_policy_verdict verdict = {0};

	if (may_announce(hub, request, asker, &verdict))
		return true;
	sn_http_problem(request, 403, "forbidden", "The policy does not allow this", "%s",
			verdict.reason);
	return false;
}

/* Without a certificate only a machine itself can say that it has logs. */
static bool leads_back(const struct sn_http_request *request, const char *callback)
{
	char host[SN_MATH_URL_MAX];
	struct sn_addr addr;

	if (sn_http_is_tls(request) && strncmp(callback, "https://", 8) == 0)
		return true;
	if (sn_math_callback_host(callback, host, sizeof(host)) != 0)
		return false;
	if (strcmp(host, "localhost") == 0)
		return sn_addr_is_loopback(sn_http_peer_addr(request));
	if (sn_addr_parse(sn_str(host), 0, &addr) != 0)
		return false;
	return sn_addr_equal_host(&addr, sn_http_peer_addr(request));
}

static void reply_text(struct sn_http_request *request, unsigned status, const char *text)
{
	sn_http_reply(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void post_import(struct sn_http_request *request, void *ctx)
{
	static const struct sn_api_refusal refusals[] = {
		{-EINVAL, 400, "invalid", "No such stream can be taken"},
	};
	struct sn_hub *hub = ctx;
	struct sn_math_announcement announcement;
	struct sn_math_order order = {0};
	struct sn_asker asker = {0};
	struct sn_err err = {0};
	int64_t id;
	int rc;

	if (!check_announcer(hub, request, &asker) || !sn_peer_sends_json(request))
		return;
	if (sn_math_announcement_read(sn_http_body(request), &announcement, &err) != 0) {
		sn_http_problem(request, 400, "bad-json", "No announcement", "%s", err.text);
		return;
	}
	if (!leads_back(request, announcement.callback)) {
		sn_http_problem(request, 400, "invalid", "The callback leads elsewhere",
				"CallBackUrl: '%.100s' is neither https:// nor the address that "
				"this came from",
				announcement.callback);
		return;
	}
	order.stream = announcement.stream;
	order.type = announcement.type;
	order.url = announcement.callback;
	order.start_s = announcement.start_s != 0 ? announcement.start_s : SN_MATH_TIME_UNKNOWN;
	order.by = asker.count > 0 ? asker.list[0] : SN_PEER_UNAUTHENTICATED;
	rc = sn_math_add(hub->math, &order, &id, &err);
	if (rc < 0) {
		sn_api_refuse(request, &err, refusals, SN_COUNT(refusals));
		return;
	}
	if (rc == 0)
		sn_hub_audit(hub, order.by, "math.add", order.stream, order.url);
	reply_text(request, 200, "new entry created");
}

static void post_import_id(struct sn_http_request *request, void *ctx)
{
	struct sn_asker asker = {0};

	if (!check_announcer(ctx, request, &asker))
		return;
	sn_http_problem(request, 405, "method-not-allowed", "An announcement has no id",
			"POST it to /DBSImport");
}

struct imports {
	json_t *all;
	int64_t id;
};

/* As the original shows it. */
static void add_import(const struct sn_math_view *view, void *ctx)
{
	struct imports *imports = ctx;
	const char *url = view->url;
	json_t *one;
	char id[24];

	if (imports->id != 0 && imports->id != view->id)
		return;
	if (strncmp(url, "http://", 7) == 0)
		url += 7;
	snprintf(id, sizeof(id), "%lld", (long long)view->id);
	one = json_pack("{s:s, s:s, s:s, s:I}", "CallBackUrl", url, "StreamName", view->stream,
			"StreamType", view->type, "StartTime",
			(json_int_t)(view->start_s == SN_MATH_TIME_UNKNOWN ? 0 : view->start_s));
	json_object_set_new(imports->all, id, one);
}

static void get_imports(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct imports imports = {.all = NULL};
	struct sn_asker asker = {0};

	if (!check_announcer(hub, request, &asker))
		return;
	imports.all = json_object();
	sn_math_each(hub->math, add_import, &imports);
	sn_http_reply_json(request, 200, imports.all);
}

static bool read_number(struct sn_http_request *request, int64_t *id)
{
	if (read_id(request, id))
		return true;
	sn_http_problem(request, 400, "bad-query", "This is not a number", "'%.40s' is no id",
			sn_http_param(request, "id"));
	return false;
}

static void get_import(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct imports imports = {.all = NULL};
	struct sn_asker asker = {0};
	const char *key;
	json_t *one;

	if (!check_announcer(hub, request, &asker) || !read_number(request, &imports.id))
		return;
	imports.all = json_object();
	sn_math_each(hub->math, add_import, &imports);
	json_object_foreach (imports.all, key, one)
		json_incref(one);
	one = json_object_iter_value(json_object_iter(imports.all));
	json_decref(imports.all);
	if (one != NULL)
		sn_http_reply_json(request, 200, one);
	else
		sn_api_not_found(request, "no import has this id");
}

/* One's own, or any for who may administrate. */
static void delete_import(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_who *who = sn_guard_who(request);
	struct sn_asker asker = {0};
	const char *owner;
	int64_t id;

	if (!check_announcer(hub, request, &asker) || !read_number(request, &id))
		return;
	owner = sn_math_owner(hub->math, id);
	if (owner != NULL &&
	    !(who->kind == SN_WHO_USER && sn_guard_would_permit(who, SN_MAY_ADMIN)) &&
	    strcmp(owner, asker.count > 0 ? asker.list[0] : SN_PEER_UNAUTHENTICATED) != 0) {
		sn_http_problem(request, 403, "forbidden", "Not yours",
				"somebody else has announced this stream");
		return;
	}
	if (remove_stream(hub, request, id))
		reply_text(request, 200, "entry removed");
}

/* Declarations --------------------------------------------------------------------------- */

static const struct sn_api_field stream_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the stream"},
	{"stream", SN_API_TEXT, true, false, "its name"},
	{"type", SN_API_TEXT, true, false, "tstat, or how the names of its files begin"},
	{"url", SN_API_TEXT, true, false, "of the probe"},
	{"state", SN_API_TEXT, true, false, "starting, fetching, importing, current or failing"},
	{"reason", SN_API_TEXT, true, true, "what is wrong, or was lately"},
	{"file", SN_API_TEXT, true, true, "that is under way"},
	{"position", SN_API_TIME, true, true, "time of the newest file that is here"},
	{"files", SN_API_INTEGER, true, false, "that are here, bad ones too"},
	{"bad_files", SN_API_INTEGER, true, false, "damaged or refused"},
	{"late_files", SN_API_INTEGER, true, false, "that came after newer ones"},
	{"rows", SN_API_INTEGER, true, false, "stored"},
	{"bad_lines", SN_API_INTEGER, true, false, "that could not be read"},
	{"bytes", SN_API_INTEGER, true, false, "of the files"},
	{"waiting_files", SN_API_INTEGER, true, false, "listed and not here yet"},
	{"waiting_bytes", SN_API_INTEGER, true, false, "of these, as far as it was told"},
	{"lag_seconds", SN_API_NUMBER, true, true, "age of the newest file, while others wait"},
	{"last", SN_API_TIME, true, true, "when the probe answered last"},
	{"start", SN_API_TIME, true, true, "older files are left out"},
	{"local_time", SN_API_BOOL, true, false, "names of directories are in local time"},
	{"by", SN_API_TEXT, true, false, "who added it"},
	{"created", SN_API_TIME, true, false, "when"},
};
static const struct sn_api_schema stream_schema = {"MathStream",
						   "A stream of logs that is fetched from a probe.",
						   stream_fields, SN_COUNT(stream_fields)};

static const struct sn_api_field wanted_fields[] = {
	{"url", SN_API_TEXT, true, false, "of the probe, https://host:port"},
	{"stream", SN_API_TEXT, true, false, "name of the stream there"},
	{"type", SN_API_TEXT, false, false, "default: tstat"},
	{"start", SN_API_TEXT, false, false, "older files are left out"},
	{"local_time", SN_API_BOOL, false, false, "names of directories are in local time"},
};
static const struct sn_api_schema wanted_schema = {"MathStreamRequest", "What to fetch.",
						   wanted_fields, SN_COUNT(wanted_fields)};

static const struct sn_api_doc list_doc = {
	.id = "listMathStreams",
	.tag = "data",
	.summary = "streams of logs that are fetched, and how far each is",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &stream_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getMathStream",
	.tag = "data",
	.summary = "one stream",
	.answer = &stream_schema,
};
static const struct sn_api_doc post_doc = {
	.id = "addMathStream",
	.tag = "data",
	.summary = "fetch a stream of logs from a probe",
	.body = &wanted_schema,
	.status = 201,
	.answer = &stream_schema,
};
static const struct sn_api_doc delete_doc = {
	.id = "removeMathStream",
	.tag = "data",
	.summary = "end the fetching of a stream; its rows stay",
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};

#define OLD_DOC(name_, id_, summary_, body_, answer_)                                              \
	static const struct sn_api_doc name_ = {                                                   \
		.id = (id_),                                                                       \
		.tag = "math",                                                                     \
		.summary = (summary_),                                                             \
		.any_query = true,                                                                 \
		.body_type = (body_),                                                              \
		.kind = SN_ANSWER_TEXT,                                                            \
		.content_type = (answer_),                                                         \
	}
OLD_DOC(announce_doc, "announceLogs", "a probe tells that it has logs", "application/json",
	"text/plain");
OLD_DOC(imports_doc, "listImports", "streams by id, as the original repository has them", NULL,
	"application/json");
OLD_DOC(import_doc, "getImportById", "one stream", NULL, "application/json");
OLD_DOC(announce_id_doc, "announceLogsById", "always 405", "application/json", "text/plain");
OLD_DOC(remove_doc, "removeImportById", "end the fetching of a stream", NULL, "text/plain");

#define OLD (SN_ACCESS_PEER | SN_ACCESS_LOOPBACK | SN_ACCESS_USER | SN_ACCESS_NODE)

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/math", get_streams, 0, SN_ACCESS_ADMIN, &list_doc},
	{"POST", "/api/v1/math", post_stream, SN_API_BODY_MAX, SN_ACCESS_ADMIN, &post_doc},
	{"GET", "/api/v1/math/{id}", get_stream, 0, SN_ACCESS_ADMIN, &get_doc},
	{"DELETE", "/api/v1/math/{id}", delete_stream, 0, SN_ACCESS_ADMIN, &delete_doc},
	{"POST", "/DBSImport", post_import, SN_API_BODY_MAX, OLD, &announce_doc},
	{"GET", "/DBSImport", get_imports, 0, OLD, &imports_doc},
	{"GET", "/DBSImport/{id}", get_import, 0, OLD, &import_doc},
	{"POST", "/DBSImport/{id}", post_import_id, SN_API_BODY_MAX, OLD, &announce_id_doc},
	{"DELETE", "/DBSImport/{id}", delete_import, 0, OLD, &remove_doc},
};
const struct sn_api_routes sn_api_math = {routes, SN_COUNT(routes)};
