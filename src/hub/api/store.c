/* SPDX-License-Identifier: Apache-2.0 */
/* What the store holds, and dropping a day of it. */
#define SN_MODULE "api"
#include "hub/hub.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/sql.h"

#define ASIDE_MAX 100          /* damaged files that are named */
#define FREE_MIN  (1ull << 30) /* bytes; below that somebody should know */

/* Looking: day files are opened for it, so it is done on a thread ------------------- */

struct look;
typedef int look_fn(struct look *look);         /* on the thread */
typedef void look_answer_fn(struct look *look); /* on the loop, if somebody still waits */

struct look {
	struct sn_work work;
	struct sn_hub *hub;
	struct sn_http_request *request; /* NULL once the client has gone away */
	struct sn_reader reader;
	look_fn *fn;
	look_answer_fn *answer;
	json_t *items, *problems;
	struct sn_store_dataset total;
	uint64_t file_bytes;
	struct sn_err err;
};

static void look_destroy(struct look *look)
{
	sn_readers_give(look->hub->readers, &look->reader);
	json_decref(look->items);
	json_decref(look->problems);
	free(look);
}

static void add_problem(struct look *look, const char *what, const char *reason, const char *next)
{
	json_array_append_new(look->problems, json_pack("{s:s, s:s, s:s}", "what", what, "reason",
							reason, "next", next));
}

/* A damaged day is set aside at the first look; the second one finds the others. */
static void run_look(struct sn_work *work)
{
	struct look *look = sn_container_of(work, struct look, work);

	if (look->fn(look) != -EUCLEAN)
		return;
	json_array_clear(look->items);
	look->total = (struct sn_store_dataset){.first_ns = INT64_MAX, .last_ns = INT64_MIN};
	look->file_bytes = 0;
	look->err = (struct sn_err){0};
	(void)look->fn(look);
}

static void end_look(struct sn_work *work)
{
	struct look *look = sn_container_of(work, struct look, work);

	if (look->request != NULL && look->err.code != 0)
		sn_api_trouble(look->request, &look->err);
	else if (look->request != NULL)
		look->answer(look);
	look_destroy(look);
}

static void look_is_abandoned(struct sn_http_request *request, void *ctx)
{
	struct look *look = ctx;

	(void)request;
	look->request = NULL;
}

static void start_look(struct sn_hub *hub, struct sn_http_request *request, look_fn *fn,
		       look_answer_fn *answer)
{
	struct look *look = sn_new(struct look);

	look->hub = hub;
	look->request = request;
	look->fn = fn;
	look->answer = answer;
	look->items = json_array();
	look->problems = json_array();
	look->total = (struct sn_store_dataset){.first_ns = INT64_MAX, .last_ns = INT64_MIN};
	if (sn_readers_take(hub->readers, &look->reader, &look->err) != 0) {
		sn_api_trouble(request, &look->err);
		look_destroy(look);
	} else if (sn_work_start(hub->work, &look->work, run_look, end_look) != 0) {
		sn_http_set_header(request, "Retry-After", "1");
		sn_http_problem(request, 503, "busy", "Too many questions at once",
				"try again in a moment");
		look_destroy(look);
	} else {
		sn_http_on_abandon(request, look_is_abandoned, look);
	}
}

/* Days -------------------------------------------------------------------------------- */

static int note_day(const struct sn_store_day *day, void *ctx)
{
	struct look *look = ctx;

	look->file_bytes += day->bytes;
	look->total.days++;
	json_array_append_new(look->items, json_pack("{s:s, s:I, s:I, s:I, s:I}", "day", day->day,
						     "rows", (json_int_t)day->rows, "local_rows",
						     (json_int_t)day->local_rows, "bytes",
						     (json_int_t)day->bytes, "batches",
						     (json_int_t)day->batches));
	return 0;
}

static int look_at_days(struct look *look)
{
	return sn_store_days(look->reader.store, note_day, look, &look->err);
}

static void answer_days(struct look *look)
{
	sn_api_reply_list(look->request, sn_steal(&look->items), "day");
}

static void get_days(struct sn_http_request *request, void *ctx)
{
	start_look(ctx, request, look_at_days, answer_days);
}

/* Datasets ----------------------------------------------------------------------------- */

static json_t *time_or_null(const struct sn_store_dataset *dataset, int64_t time_ns)
{
	return dataset->first_ns <= dataset->last_ns ? sn_json_time(time_ns) : json_null();
}

static int note_dataset(const struct sn_store_dataset *dataset, void *ctx)
{
	struct look *look = ctx;

	look->total.rows += dataset->rows;
	look->total.local_rows += dataset->local_rows;
	look->total.first_ns = SN_MIN(look->total.first_ns, dataset->first_ns);
	look->total.last_ns = SN_MAX(look->total.last_ns, dataset->last_ns);
	json_array_append_new(look->items,
			      json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:I}", "name",
					dataset->name, "version", (json_int_t)dataset->version,
					"rows", (json_int_t)dataset->rows, "local_rows",
					(json_int_t)dataset->local_rows, "bytes",
					(json_int_t)dataset->bytes, "first",
					time_or_null(dataset, dataset->first_ns), "last",
					time_or_null(dataset, dataset->last_ns), "days",
					(json_int_t)dataset->days));
	return 0;
}

static int look_at_datasets(struct look *look)
{
	return sn_store_datasets(look->reader.store, note_dataset, look, &look->err);
}

/* "ping/1", which is what a cursor holds: a dataset may have several versions. */
static char *key_of(const json_t *item)
{
	return sn_xasprintf("%s/%" JSON_INTEGER_FORMAT,
			    json_string_value(json_object_get(item, "name")),
			    json_integer_value(json_object_get(item, "version")));
}

static void answer_datasets(struct look *look)
{
	const char *cursor = sn_http_query(look->request, "cursor");
	size_t count = json_array_size(look->items), i = 0;
	sn_autofree char *last = NULL;
	json_t *page = json_array();
	uint64_t limit = SN_API_LIMIT;

	if (!sn_api_query_u64(look->request, "limit", 1, SN_API_LIMIT_MAX, &limit)) {
		json_decref(page);
		return;
	}
	/* Datasets come in the order of their keys; one that has gone is no end of the list. */
	for (; cursor != NULL && i < count; i++) {
		sn_autofree char *key = key_of(json_array_get(look->items, i));

		if (strcmp(key, cursor) > 0)
			break;
	}
	for (; i < count && json_array_size(page) < limit; i++)
		json_array_append(page, json_array_get(look->items, i));
	if (i < count)
		last = key_of(json_array_get(page, json_array_size(page) - 1));
	sn_api_reply_page(look->request, page, last);
}

static void get_datasets(struct sn_http_request *request, void *ctx)
{
	start_look(ctx, request, look_at_datasets, answer_datasets);
}

/* The whole ------------------------------------------------------------------------------ */

static bool is_set_aside(const char *name)
{
	size_t n = strlen(name);

	return strstr(name, ".db.corrupt") != NULL && (n < 4 || strcmp(name + n - 4, "-wal") != 0);
}

static void look_for_damage(struct look *look)
{
	DIR *dir = opendir(look->hub->store_dir);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL && json_array_size(look->problems) < ASIDE_MAX) {
		if (is_set_aside(entry->d_name))
			add_problem(look, entry->d_name, "a day's file was damaged and set aside",
				    "take out what is left with sqlite3's .recover, or bring it "
				    "back from a backup; then remove it");
	}
	closedir(dir);
}

static int look_at_all(struct look *look)
{
	look_for_damage(look);
	if (sn_store_days(look->reader.store, note_day, look, &look->err) != 0)
		return look->err.code;
	return sn_store_datasets(look->reader.store, note_dataset, look, &look->err);
}

static void add_replica_problem(struct look *look)
{
	struct sn_follower_status status;

	sn_follower_status(look->hub->follower, &status);
	if (status.state == SN_FOLLOWER_UNREACHABLE)
		add_problem(look, "replica", status.reason,
			    "see to the primary, or let this hub take over (doc/operations.md)");
	else if (status.state == SN_FOLLOWER_INCOMPLETE)
		add_problem(look, "replica", status.reason,
			    "make the replica anew from a backup if that matters");
}

static void add_hub_problems(struct look *look, int64_t free_bytes)
{
	const struct sn_hub *hub = look->hub;
	struct sn_upkeep_status upkeep = {0};
	char text[64], left[32];

	if (sn_ingest_stats(hub->ingest)->failing)
		add_problem(look, "ingest", "the last group of rows could not be stored",
			    "see the hub's log; nodes keep their rows and send them again");
	if (hub->upkeep != NULL)
		sn_upkeep_status(hub->upkeep, &upkeep);
	if (upkeep.failing)
		add_problem(look, "tidy", upkeep.reason, "see the hub's log");
	if (hub->follower != NULL)
		add_replica_problem(look);
	if (free_bytes >= 0 && (uint64_t)free_bytes < FREE_MIN) {
		snprintf(text, sizeof(text), "only %s are free",
			 sn_format_bytes((uint64_t)free_bytes, left, sizeof(left)));
		add_problem(look, "disk", text,
			    "drop old days ('sonde store drop'), set 'retention_days', or give it "
			    "more room");
	}
}

static json_t *integer_or_null(int64_t value)
{
	return value >= 0 ? json_integer(value) : json_null();
}

static json_t *tidy_json(const struct sn_hub *hub)
{
	struct sn_upkeep_status status = {0};

	if (hub->upkeep != NULL)
		sn_upkeep_status(hub->upkeep, &status);
	return json_pack("{s:I, s:o}", "merges", (json_int_t)status.merges, "last",
			 status.last_ns != 0 ? sn_json_time(status.last_ns) : json_null());
}

static json_t *replica_json(const struct sn_hub *hub)
{
	struct sn_follower_status status;
	int64_t now_ns = sn_hub_now(hub);
	bool current;

	if (hub->follower == NULL)
		return json_null();
	sn_follower_status(hub->follower, &status);
	current = status.state == SN_FOLLOWER_CURRENT || status.state == SN_FOLLOWER_INCOMPLETE;
	return json_pack(
		"{s:s, s:s, s:o, s:o, s:I}", "of", hub->config->replica_of, "state",
		sn_follower_state_name(status.state), "reason",
		status.reason[0] != '\0' ? json_string(status.reason) : json_null(), "lag_seconds",
		status.current_ns == 0
			? json_null()
			: json_real(current ? 0.0 : (double)(now_ns - status.current_ns) / 1e9),
		"rows", (json_int_t)status.rows);
}

static void answer_all(struct look *look)
{
	const struct sn_store_dataset *total = &look->total;
	const struct sn_hub *hub = look->hub;
	int64_t free_bytes = sn_fs_free_bytes(hub->store_dir);
	json_t *answer;

	add_hub_problems(look, free_bytes);
	answer = json_pack("{s:s, s:s, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:I, s:O}", "backend",
			   hub->moving != NULL ? "sqlite+clickhouse" : "sqlite", "path",
			   hub->store_dir, "bytes", (json_int_t)look->file_bytes, "free_bytes",
			   integer_or_null(free_bytes), "rows", (json_int_t)total->rows,
			   "local_rows", (json_int_t)total->local_rows, "days",
			   (json_int_t)total->days, "first", time_or_null(total, total->first_ns),
			   "last", time_or_null(total, total->last_ns), "retention_days",
			   (json_int_t)hub->config->retention_days, "problems", look->problems);
	json_object_set_new(answer, "tidy", tidy_json(hub));
	json_object_set_new(answer, "clickhouse", sn_moving_json(hub));
	json_object_set_new(answer, "replica", replica_json(hub));
	sn_http_reply_json(look->request, 200, answer);
}

static void get_store(struct sn_http_request *request, void *ctx)
{
	start_look(ctx, request, look_at_all, answer_all);
}

/* Dropping --------------------------------------------------------------------------------- */

static void delete_day(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *day = sn_http_param(request, "day");
	struct sn_err err = {0};
	int failed = sn_hub_drop_day(hub, day, &err);

	if (failed == -EINVAL) {
		sn_api_bad(request, err.text);
	} else if (failed == -ENOENT) {
		sn_api_not_found(request, "there are no rows of this day");
	} else if (failed == -EBUSY) {
		sn_http_set_header(request, "Retry-After", "1");
		sn_http_problem(request, 503, "busy", "The day is in use", "%s (try again)",
				err.text);
	} else if (failed != 0) {
		sn_api_trouble(request, &err);
	} else {
		sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "store.drop", day, NULL);
		sn_notice("a day of rows was dropped day=%s by=%s", day,
			  sn_who_name(sn_guard_who(request)));
		sn_api_empty(request);
	}
}

/* Declarations ------------------------------------------------------------------------------- */

static const struct sn_api_field problem_fields[] = {
	{"what", SN_API_TEXT, true, false, "what it is about"},
	{"reason", SN_API_TEXT, true, false, "what is wrong"},
	{"next", SN_API_TEXT, true, false, "what to do"},
};
static const struct sn_api_schema problem_schema = {"StoreProblem",
						    "Something that a person should see to.",
						    problem_fields, SN_COUNT(problem_fields)};

static const struct sn_api_field tidy_fields[] = {
	{"merges", SN_API_INTEGER, true, false, "small blocks put together since the hub's start"},
	{"last", SN_API_TIME, true, true, "when that was done last"},
};
static const struct sn_api_schema tidy_schema = {"StoreTidy", "Small blocks become larger ones.",
						 tidy_fields, SN_COUNT(tidy_fields)};

static const struct sn_api_field clickhouse_fields[] = {
	{"url", SN_API_TEXT, true, false, "of the server, without a password"},
	{"cluster", SN_API_TEXT, true, true, "its name, if it is one"},
	{"version", SN_API_TEXT, true, true, "of the server, when it has answered"},
	{"state", SN_API_TEXT, true, false, "ok, lagging or unreachable"},
	{"reason", SN_API_TEXT, true, true, "why it is not ok"},
	{"since", SN_API_TIME, true, true, "of the state"},
	{"direction", SN_API_TEXT, true, false, "to_clickhouse, or to_sqlite: rows come back"},
	{"moved_blocks", SN_API_INTEGER, true, false, "that are there"},
	{"moved_rows", SN_API_INTEGER, true, false, "that are there"},
	{"waiting_blocks", SN_API_INTEGER, true, false, "that are to be moved"},
	{"waiting_rows", SN_API_INTEGER, true, false, "that are to be moved"},
	{"oldest_waiting", SN_API_TIME, true, true, "time of the oldest of them"},
};
const struct sn_api_schema sn_api_clickhouse_schema = {
	"StoreClickHouse", "Where blocks of rows are moved to.", clickhouse_fields,
	SN_COUNT(clickhouse_fields)};

static const struct sn_api_field replica_fields[] = {
	{"of", SN_API_TEXT, true, false, "URL of the primary"},
	{"state", SN_API_TEXT, true, false, "current, lagging, unreachable or incomplete"},
	{"reason", SN_API_TEXT, true, true, "why it is not current"},
	{"lag_seconds", SN_API_NUMBER, true, true, "how long it has not been current"},
	{"rows", SN_API_INTEGER, true, false, "fetched since the hub's start"},
};
static const struct sn_api_schema replica_schema = {"StoreReplica",
						    "How this hub follows its primary.",
						    replica_fields, SN_COUNT(replica_fields)};

static const struct sn_api_field store_fields[] = {
	{"backend", SN_API_TEXT, true, false, "sqlite, or sqlite+clickhouse"},
	{"path", SN_API_TEXT, true, false, "directory of the day files"},
	{"bytes", SN_API_INTEGER, true, false, "of the day files"},
	{"free_bytes", SN_API_INTEGER, true, true, "that are left on their disk"},
	{"rows", SN_API_INTEGER, true, false, "of all datasets"},
	{"local_rows", SN_API_INTEGER, true, false, "of these, in the day files"},
	{"days", SN_API_INTEGER, true, false, "that have rows"},
	{"first", SN_API_TIME, true, true, "time of the oldest row"},
	{"last", SN_API_TIME, true, true, "time of the newest row"},
	{"retention_days", SN_API_INTEGER, true, false, "days that are kept; 0: all"},
	{"problems", SN_API_ARRAY, true, false, "what is wrong", &problem_schema},
	{"tidy", SN_API_OBJECT, true, false, "putting blocks together", &tidy_schema},
	{"clickhouse", SN_API_OBJECT, true, true, "if rows are moved there",
	 &sn_api_clickhouse_schema},
	{"replica", SN_API_OBJECT, true, true, "if this hub is one", &replica_schema},
};
static const struct sn_api_schema store_schema = {"Store", "Where rows are kept.", store_fields,
						  SN_COUNT(store_fields)};

static const struct sn_api_field dataset_fields[] = {
	{"name", SN_API_TEXT, true, false, "of the dataset"},
	{"version", SN_API_INTEGER, true, false, "of its meaning"},
	{"rows", SN_API_INTEGER, true, false, "of all days"},
	{"local_rows", SN_API_INTEGER, true, false, "of these, in the day files"},
	{"bytes", SN_API_INTEGER, true, false, "that the local ones take, packed"},
	{"first", SN_API_TIME, true, true, "time of the oldest row"},
	{"last", SN_API_TIME, true, true, "time of the newest row"},
	{"days", SN_API_INTEGER, true, false, "that have rows of it"},
};
static const struct sn_api_schema dataset_schema = {"StoredDataset",
						    "How much there is of a dataset.",
						    dataset_fields, SN_COUNT(dataset_fields)};

static const struct sn_api_field day_fields[] = {
	{"day", SN_API_TEXT, true, false, "UTC, like 2026-03-01"},
	{"rows", SN_API_INTEGER, true, false, "of this day"},
	{"local_rows", SN_API_INTEGER, true, false, "of these, in its file"},
	{"bytes", SN_API_INTEGER, true, false, "of its file"},
	{"batches", SN_API_INTEGER, true, false, "that brought them"},
};
static const struct sn_api_schema day_schema = {"StoredDay", "How much there is of a day.",
						day_fields, SN_COUNT(day_fields)};

static const struct sn_api_doc store_doc = {
	.id = "getStore",
	.tag = "store",
	.summary = "how much is stored, where, and how the store is doing",
	.answer = &store_schema,
};
static const struct sn_api_doc datasets_doc = {
	.id = "listStoredDatasets",
	.tag = "store",
	.summary = "datasets that have rows, and how many",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &dataset_schema,
};
static const struct sn_api_doc days_doc = {
	.id = "listStoredDays",
	.tag = "store",
	.summary = "days that have rows, oldest first",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &day_schema,
};
static const struct sn_api_doc drop_doc = {
	.id = "dropDay",
	.tag = "store",
	.summary = "drop all rows of a day, of all datasets",
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/store", get_store, 0, SN_ACCESS_USER, &store_doc},
	{"GET", "/api/v1/store/datasets", get_datasets, 0, SN_ACCESS_USER, &datasets_doc},
	{"GET", "/api/v1/store/days", get_days, 0, SN_ACCESS_USER, &days_doc},
	{"DELETE", "/api/v1/store/days/{day}", delete_day, 0, SN_ACCESS_ADMIN, &drop_doc},
};
const struct sn_api_routes sn_api_store = {routes, SN_COUNT(routes)};
