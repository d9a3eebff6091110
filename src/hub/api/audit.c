/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail: who did what, and what the policy said. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/sql.h"

/*
 * Lines that one request looks at: while it does, the hub does nothing else.  A filter that few of
 * a million fit is answered in pages, of which some may be empty.
 */
#define LOOK_MAX 20000

/* Texts that are not asked for are "". */
static const char select_lines[] =
	"SELECT id AS \"id\", time AS \"time:time\", actor AS \"actor\", action AS \"action\","
	" subject AS \"subject\", outcome AS \"outcome\", line AS \"line\", detail AS \"detail\""
	" FROM audit WHERE id < ?1 AND time >= ?2 AND time < ?3"
	" AND (?4 = '' OR actor = ?4 OR actor = 'user:' || ?4)"
	" AND (?5 = '' OR action = ?5 OR action = 'policy.' || ?5)"
	" AND (?6 = '' OR outcome = ?6) AND (?7 = '' OR subject = ?7) AND id >= ?9"
	" ORDER BY id DESC LIMIT ?8";

static const char *query_text(const struct sn_http_request *request, const char *name)
{
	const char *text = sn_http_query(request, name);

	return text != NULL ? text : "";
}

static bool check_outcome(struct sn_http_request *request)
{
	static const char *const outcomes[] = {"", "done", "allowed", "refused"};
	const char *outcome = query_text(request, "outcome");

	for (size_t i = 0; i < SN_COUNT(outcomes); i++) {
		if (strcmp(outcome, outcomes[i]) == 0)
			return true;
	}
	sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
			"outcome: '%.60s' is none of done, allowed, refused", outcome);
	return false;
}

/* The last line to look at for lines before `before`; 0: that is the oldest there is. */
static int64_t last_to_look_at(struct sn_db *db, uint64_t before)
{
	int64_t newest = sn_sql_i64(db, 0, "SELECT max(id) FROM audit", "");
	int64_t oldest = sn_sql_i64(db, 0, "SELECT min(id) FROM audit", "");
	int64_t last = SN_MIN((int64_t)before, newest + 1) - LOOK_MAX;

	return last > oldest ? last : 0;
}

/* Where the next page begins; free it.  NULL: this was the last. */
static char *next_cursor(const json_t *items, uint64_t limit, int64_t last)
{
	size_t count = json_array_size(items);

	if (count == limit)
		last = json_integer_value(json_object_get(json_array_get(items, count - 1), "id"));
	return last > 0 ? sn_xasprintf("%lld", (long long)last) : NULL;
}

static void get_audit(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *cursor = sn_http_query(request, "cursor");
	uint64_t limit = SN_API_LIMIT, before = INT64_MAX;
	int64_t since_ns = INT64_MIN, until_ns = INT64_MAX, last;
	sn_autofree char *next = NULL;
	struct sn_err err = {0};
	json_t *items;

	if (!sn_api_query_u64(request, "limit", 1, SN_API_LIMIT_MAX, &limit) ||
	    (cursor != NULL && !sn_api_query_u64(request, "cursor", 1, INT64_MAX, &before)) ||
	    !sn_api_query_time(hub, request, "since", &since_ns) ||
	    !sn_api_query_time(hub, request, "until", &until_ns) || !check_outcome(request))
		return;
	sn_authority_flush(hub->authority);
	last = last_to_look_at(hub->control, before);
	items = sn_sql_json(hub->control, &err, select_lines, "iiittttii", (int64_t)before,
			    since_ns, until_ns, query_text(request, "actor"),
			    query_text(request, "action"), query_text(request, "outcome"),
			    query_text(request, "subject"), (int64_t)limit, last);
	if (items == NULL) {
		sn_api_trouble(request, &err);
		return;
	}
	next = next_cursor(items, limit, last);
	sn_api_reply_page(request, items, next);
}

static const struct sn_api_field fields[] = {
	{"id", SN_API_INTEGER, true, false, "grows with time"},
	{"time", SN_API_TIME, true, false, "when"},
	{"actor", SN_API_TEXT, true, false, "user or node id"},
	{"action", SN_API_TEXT, true, false, "noun.verb; policy.<action> for what was decided"},
	{"subject", SN_API_TEXT, true, false, "to what"},
	{"outcome", SN_API_TEXT, true, false, "done; of the policy allowed or refused"},
	{"line", SN_API_INTEGER, true, true, "of the policy, that decided"},
	{"detail", SN_API_TEXT, true, true, "anything else worth knowing; why"},
};
static const struct sn_api_schema schema = {"AuditLine", "Who did what.", fields, SN_COUNT(fields)};

static const struct sn_api_param params[] = {
	{"limit", SN_API_INTEGER, "items of a page, 1 to 10,000, default 100", false},
	{"cursor", SN_API_TEXT, "'next' of the page before", false},
	{"actor", SN_API_TEXT, "only what this one did or asked for; 'x' is 'user:x', too", false},
	{"action", SN_API_TEXT, "only this action; 'measure' is 'policy.measure', too", false},
	{"outcome", SN_API_TEXT, "done, allowed or refused", false},
	{"subject", SN_API_TEXT, "only what was done to this, whole", false},
	{"since", SN_API_TEXT, "from this time on: RFC 3339, or '-15m'", false},
	{"until", SN_API_TEXT, "before this time", false},
};
static const struct sn_api_doc doc = {
	.id = "listAudit",
	.tag = "users",
	.summary = "who did what, and what the policy said, newest first; a page may be empty "
		   "and have a next one",
	.params = params,
	.param_count = SN_COUNT(params),
	.kind = SN_ANSWER_LIST,
	.answer = &schema,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/audit", get_audit, 0, SN_ACCESS_ADMIN, &doc},
};
const struct sn_api_routes sn_api_audit = {routes, SN_COUNT(routes)};
