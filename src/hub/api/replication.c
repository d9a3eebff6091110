/* SPDX-License-Identifier: Apache-2.0 */
/* What a replica asks its primary for: how far it is, and rows as they are stored. */
#include "hub/hub.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/replicas.h"
#include "store/sqlite.h"

struct fetch {
	struct sn_work work;
	struct sn_hub *hub;
	struct sn_http_request *request; /* NULL once the client has gone away */
	struct sn_feed_place place;
	int64_t from;
	struct sn_buf body;
	json_t *items; /* of a list */
	struct sn_err err;
};

static void fetch_destroy(struct fetch *fetch)
{
	sn_buf_finish(&fetch->body);
	json_decref(fetch->items);
	free(fetch);
}

static void fetch_is_abandoned(struct sn_http_request *request, void *ctx)
{
	struct fetch *fetch = ctx;

	(void)request;
	fetch->request = NULL;
}

static void start_fetch(struct fetch *fetch, sn_work_fn *run, sn_work_fn *done)
{
	if (sn_work_start(fetch->hub->work, &fetch->work, run, done) != 0) {
		sn_http_set_header(fetch->request, "Retry-After", "1");
		sn_http_problem(fetch->request, 503, "busy", "Too many questions at once",
				"try again in a moment");
		fetch_destroy(fetch);
		return;
	}
	sn_http_on_abandon(fetch->request, fetch_is_abandoned, fetch);
}

/* Replicas of one account are told apart by what they call themselves. */
static bool note_replica(struct sn_hub *hub, struct sn_http_request *request,
			 const struct sn_feed_place *place, int64_t from)
{
	const char *name = sn_http_query(request, "replica");
	struct sn_err err = {0};

	if (name == NULL)
		return true;
	if (name[0] == '\0' || strlen(name) >= SN_REPLICA_NAME_MAX) {
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"replica: 1 to %d bytes", SN_REPLICA_NAME_MAX - 1);
		return false;
	}
	if (sn_replicas_note(hub->replicas, name, sn_hub_now(hub), place, from, &err) == 0)
		return true;
	sn_api_trouble(request, &err);
	return false;
}

/* The list ---------------------------------------------------------------------------------- */

static void run_list(struct sn_work *work)
{
	struct fetch *fetch = sn_container_of(work, struct fetch, work);

	fetch->items = sn_replicas_list(fetch->hub->replicas, &fetch->err);
}

static void end_list(struct sn_work *work)
{
	struct fetch *fetch = sn_container_of(work, struct fetch, work);
	const struct sn_hub *hub = fetch->hub;
	char session[SN_ULID_SIZE + 24];

	snprintf(session, sizeof(session), "%s-%" PRId64, hub->id, hub->started_ns);
	if (fetch->request != NULL && fetch->items == NULL)
		sn_api_trouble(fetch->request, &fetch->err);
	else if (fetch->request != NULL)
		sn_http_reply_json(fetch->request, 200,
				   json_pack("{s:s, s:s, s:O}", "hub", hub->id, "session", session,
					     "items", fetch->items));
	fetch_destroy(fetch);
}

static void get_replication(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct fetch *fetch;

	if (!note_replica(hub, request, NULL, 0))
		return;
	fetch = sn_new(struct fetch);
	fetch->hub = hub;
	fetch->request = request;
	start_fetch(fetch, run_list, end_list);
}

/* Rows ---------------------------------------------------------------------------------------- */

static void run_rows(struct sn_work *work)
{
	struct fetch *fetch = sn_container_of(work, struct fetch, work);

	(void)sn_replicas_rows(fetch->hub->replicas, &fetch->place, fetch->from, &fetch->body,
			       &fetch->err);
}

static void answer_rows(struct fetch *fetch)
{
	switch (fetch->err.code) {
	case 0:
		sn_http_reply(fetch->request, 200, SN_REPLICATION_TYPE, fetch->body.p,
			      fetch->body.n);
		break;
	case -ENOENT:
	case -ESTALE:
		sn_http_problem(fetch->request, 404, "not-found", "There is no such thing",
				"%s (ask for the list again)", fetch->err.text);
		break;
	default:
		sn_api_trouble(fetch->request, &fetch->err);
	}
}

static void end_rows(struct sn_work *work)
{
	struct fetch *fetch = sn_container_of(work, struct fetch, work);

	if (fetch->request != NULL)
		answer_rows(fetch);
	fetch_destroy(fetch);
}

static bool read_place(struct sn_http_request *request, struct sn_feed_place *place, int64_t *from)
{
	const char *day = sn_http_param(request, "day"),
		   *dataset = sn_http_param(request, "dataset"),
		   *version = sn_http_param(request, "version");
	uint64_t number = 0, epoch = 0, first = 1;

	if (sn_day_parse(sn_str(day), &place->day) != 0 ||
	    strlen(dataset) >= sizeof(place->dataset) ||
	    sn_parse_u64(sn_str(version), 0, UINT16_MAX, &number) != 0) {
		sn_api_not_found(request, "there are no such rows (ask for the list)");
		return false;
	}
	if (!sn_api_query_u64(request, "epoch", 1, UINT32_MAX, &epoch) ||
	    !sn_api_query_u64(request, "from", 1, INT64_MAX / 2, &first))
		return false;
	snprintf(place->dataset, sizeof(place->dataset), "%s", dataset);
	place->version = (unsigned)number;
	place->epoch = (uint32_t)epoch;
	*from = (int64_t)first;
	return true;
}

static void get_rows(struct sn_http_request *request, void *ctx)
{
	struct sn_feed_place place = {0};
	struct sn_hub *hub = ctx;
	struct fetch *fetch;
	int64_t from = 1;

	if (!read_place(request, &place, &from) || !note_replica(hub, request, &place, from))
		return;
	fetch = sn_new(struct fetch);
	fetch->hub = hub;
	fetch->request = request;
	fetch->place = place;
	fetch->from = from;
	start_fetch(fetch, run_rows, end_rows);
}

/* Declarations ----------------------------------------------------------------------------------
 */

static const struct sn_api_field item_fields[] = {
	{"day", SN_API_TEXT, true, false, "UTC, like 2026-03-01"},
	{"epoch", SN_API_INTEGER, true, false, "of the day's file: numbers are of this one"},
	{"dataset", SN_API_TEXT, true, false, "its name"},
	{"version", SN_API_INTEGER, true, false, "of its meaning"},
	{"next", SN_API_INTEGER, true, false, "number that the next row will get"},
};
static const struct sn_api_schema item_schema = {"ReplicationItem",
						 "Rows of a day and dataset, by their numbers.",
						 item_fields, SN_COUNT(item_fields)};
static const struct sn_api_field list_fields[] = {
	{"hub", SN_API_TEXT, true, false, "id of this hub"},
	{"session", SN_API_TEXT, true, false,
	 "another one after a restart: replicas then say again how far they are"},
	{"items", SN_API_ARRAY, true, false, "what can be fetched", &item_schema},
};
static const struct sn_api_schema list_schema = {"Replication", "What a replica can fetch.",
						 list_fields, SN_COUNT(list_fields)};

static const struct sn_api_param list_params[] = {
	{"replica", SN_API_TEXT, "id of the hub that asks, which is waited for from now on", false},
};
static const struct sn_api_param rows_params[] = {
	{"replica", SN_API_TEXT, "id of the hub that asks: it has all rows before 'from'", false},
	{"epoch", SN_API_INTEGER, "of the day's file", false},
	{"from", SN_API_INTEGER, "number of the first row, default 1", false},
};

static const struct sn_api_doc list_doc = {
	.id = "getReplication",
	.tag = "store",
	.summary = "for a replica: days, datasets and how far they go",
	.params = list_params,
	.param_count = SN_COUNT(list_params),
	.answer = &list_schema,
};
static const struct sn_api_doc rows_doc = {
	.id = "getReplicationRows",
	.tag = "store",
	.summary = "for a replica: some rows as they are stored, and the batches they came in",
	.params = rows_params,
	.param_count = SN_COUNT(rows_params),
	.kind = SN_ANSWER_TEXT,
	.content_type = SN_REPLICATION_TYPE,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/store/replication", get_replication, 0, SN_ACCESS_REPLICA, &list_doc},
	{"GET", "/api/v1/store/rows/{day}/{dataset}/{version}", get_rows, 0, SN_ACCESS_REPLICA,
	 &rows_doc},
};
const struct sn_api_routes sn_api_replication = {routes, SN_COUNT(routes)};
