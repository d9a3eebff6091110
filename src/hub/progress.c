/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "progress"
#include "hub/progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "hub/api/api.h"

static const char node_kind[] = "node:";

/* A measurement that there was an event about lately. */
struct recent {
	uint64_t next_ns; /* when the next one may be */
	bool pending;
	char provider[SN_PROVIDER_MAX]; /* whose part changed last; "": the whole */
};

struct report {
	struct sn_list link;
	struct sn_http_request *request; /* NULL once the sender has gone away */
	char id[SN_ULID_SIZE], provider[SN_PROVIDER_MAX];
	enum sn_measure_state state;
	char error[SN_MEASURE_ERROR_MAX];
};

struct sn_progress {
	struct sn_hub *hub;
	struct sn_map *recent; /* by id */
	struct sn_timer timer;
	struct sn_list reports; /* of this turn */
	size_t report_count;
	struct sn_flush flush;
};

/* Events ------------------------------------------------------------------------------ */

static char *event_text(const struct sn_hub *hub, const struct sn_measure *measure,
			const struct sn_measure_part *part)
{
	sn_autojson json_t *json = sn_measure_json(hub->measures, measure, false);
	char *text;

	json_object_set_new(json, "part",
			    part != NULL ? sn_measure_part_json(hub->measures, part) : json_null());
	text = json_dumps(json, JSON_COMPACT);
	if (strlen(text) <= SN_EVENTS_DATA_MAX)
		return text;
	/* Thousands of targets or nodes: who wants them has the id. */
	free(text);
	json_object_del(json, "parameters");
	json_object_del(json, "selection");
	return json_dumps(json, JSON_COMPACT);
}

static void publish(struct sn_hub *hub, const struct sn_measure *measure, const char *provider)
{
	const struct sn_measure_part *part =
		provider[0] != '\0' ? sn_measure_part_of(measure, provider) : NULL;
	sn_autofree char *text = event_text(hub, measure, part);
	const char *about = part != NULL ? strchr(provider, ':') + 1 : "";

	sn_events_publish(hub->events, hub->topic_measurements, about, sn_str(text));
}

static void note(struct sn_progress *progress, const struct sn_measure *measure,
		 const struct sn_measure_part *part)
{
	uint64_t now_ns = sn_loop_now(progress->hub->loop);
	const char *provider = part != NULL ? part->provider : "";
	struct recent *recent;

	if (!sn_events_wanted(progress->hub->events, progress->hub->topic_measurements))
		return;
	recent = sn_map_get(progress->recent, measure->id);
	if (recent == NULL) {
		recent = sn_new(struct recent);
		sn_map_set(progress->recent, measure->id, recent);
	}
	if (!sn_timer_armed(&progress->timer))
		sn_timer_in(&progress->timer, SN_PROGRESS_GAP_NS);
	if (now_ns < recent->next_ns) {
		/* A change of the whole comes with one of a part, which says more. */
		if (provider[0] != '\0' || !recent->pending)
			snprintf(recent->provider, sizeof(recent->provider), "%s", provider);
		recent->pending = true;
		return;
	}
	recent->next_ns = now_ns + SN_PROGRESS_GAP_NS;
	publish(progress->hub, measure, provider);
}

/* Those that are kept: there was an event just now. */
static void publish_pending(struct sn_progress *progress, struct sn_map *kept)
{
	uint64_t now_ns = sn_loop_now(progress->hub->loop);
	size_t cursor = 0;
	const char *id;
	void *value;

	while (sn_map_next(progress->recent, &cursor, &id, &value)) {
		struct recent *recent = value;
		const struct sn_measure *measure = sn_measures_find(progress->hub->measures, id);

		if (!recent->pending && now_ns >= recent->next_ns)
			continue;
		if (recent->pending && now_ns >= recent->next_ns) {
			recent->pending = false;
			recent->next_ns = now_ns + SN_PROGRESS_GAP_NS;
			if (measure != NULL)
				publish(progress->hub, measure, recent->provider);
		}
		sn_map_set(kept, id, sn_xmemdup(recent, sizeof(*recent)));
	}
}

static void time_for_events(struct sn_timer *timer)
{
	struct sn_progress *progress = sn_container_of(timer, struct sn_progress, timer);
	struct sn_map *kept = sn_map_create(free);

	publish_pending(progress, kept);
	sn_map_destroy(progress->recent);
	progress->recent = kept;
	if (sn_map_count(kept) > 0)
		sn_timer_in(&progress->timer, SN_PROGRESS_GAP_NS);
}

/* Changes -------------------------------------------------------------------------------- */

/* Its list of tasks is another one: there is one more, or one has ended. */
static void tell_node(struct sn_hub *hub, const struct sn_measure_part *part)
{
	const struct sn_node *node;

	if (part->state == SN_MEASURE_RUNNING ||
	    strncmp(part->provider, node_kind, strlen(node_kind)) != 0)
		return;
	node = sn_fleet_by_id(hub->fleet, part->provider + strlen(node_kind));
	if (node != NULL)
		sn_hub_tell_tasks(hub, node);
}

void sn_progress_changed(const struct sn_measure *measure, const struct sn_measure_part *part,
			 void *ctx)
{
	struct sn_hub *hub = ctx;

	if (part != NULL)
		tell_node(hub, part);
	if (part == NULL || part->state == SN_MEASURE_WAITING)
		sn_authority_note_measure(hub->authority, measure, part);
	if (hub->progress != NULL)
		note(hub->progress, measure, part);
}

void sn_progress_counted(const struct sn_measure *measure, const struct sn_measure_part *part,
			 void *ctx)
{
	struct sn_hub *hub = ctx;

	if (hub->progress != NULL)
		note(hub->progress, measure, part);
}

/* Rows ------------------------------------------------------------------------------------- */

static bool same_task(const struct sn_batch *batch, size_t a, size_t b)
{
	const struct sn_value *x = sn_batch_get(batch, a, SN_COL_TASK);
	const struct sn_value *y = sn_batch_get(batch, b, SN_COL_TASK);

	return x->type == y->type && (x->type != SN_TYPE_TEXT || sn_str_eq(x->s, y->s));
}

void sn_progress_rows(struct sn_hub *hub, const struct sn_node *node, const struct sn_batch *batch)
{
	size_t rows = sn_batch_rows(batch), from = 0;
	char id[SN_ULID_SIZE], provider[SN_PROVIDER_MAX];

	snprintf(provider, sizeof(provider), "%s%s", node_kind, node->id);
	for (size_t i = 1; i <= rows; i++) {
		const struct sn_value *task = sn_batch_get(batch, from, SN_COL_TASK);

		if (i < rows && same_task(batch, from, i))
			continue;
		if (task->type == SN_TYPE_TEXT && task->s.n < sizeof(id)) {
			snprintf(id, sizeof(id), "%.*s", (int)task->s.n, task->s.p);
			sn_measures_count_rows(hub->measures, id, provider, i - from);
		}
		from = i;
	}
}

/* Reports ------------------------------------------------------------------------------------- */

static void sender_gone(struct sn_http_request *request, void *ctx)
{
	struct report *report = ctx;

	(void)request;
	report->request = NULL;
}

static struct sn_measure_part *part_of(const struct sn_progress *progress, const char *id,
				       const char *provider)
{
	const struct sn_measure *measure = sn_measures_find(progress->hub->measures, id);

	return measure != NULL ? sn_measure_part_of(measure, provider) : NULL;
}

void sn_progress_take_report(struct sn_progress *progress, const struct sn_node *node,
			     struct sn_http_request *request, enum sn_measure_state state,
			     const char *error)
{
	const char *id = sn_http_param(request, "id");
	char provider[SN_PROVIDER_MAX];
	struct report *report;

	snprintf(provider, sizeof(provider), "%s%s", node_kind, node->id);
	if (part_of(progress, id, provider) == NULL) {
		sn_api_not_found(request, "this node has no such task");
		return;
	}
	report = sn_new(struct report);
	report->request = request;
	report->state = state;
	snprintf(report->id, sizeof(report->id), "%s", id);
	snprintf(report->provider, sizeof(report->provider), "%s", provider);
	snprintf(report->error, sizeof(report->error), "%s", error != NULL ? error : "");
	sn_list_append(&progress->reports, &report->link);
	progress->report_count++;
	sn_http_on_abandon(request, sender_gone, report);
}

static void answer_reports(struct sn_progress *progress, const struct sn_err *err)
{
	sn_list_for_each (link, &progress->reports) {
		struct report *report = sn_list_entry(link, struct report, link);

		if (report->request != NULL && err->code == 0)
			sn_api_empty(report->request);
		else if (report->request != NULL)
			sn_api_trouble(report->request, err);
		sn_list_remove(&report->link);
		free(report);
	}
	progress->report_count = 0;
}

static void store_reports(struct sn_flush *flush)
{
	struct sn_progress *progress = sn_container_of(flush, struct sn_progress, flush);
	struct sn_part_change *changes;
	struct sn_err err = {0};
	size_t n = 0;

	if (progress->report_count == 0)
		return;
	changes = sn_new_n(struct sn_part_change, progress->report_count);
	sn_list_for_each (link, &progress->reports) {
		const struct report *report = sn_list_entry(link, struct report, link);

		struct sn_measure_part *part = part_of(progress, report->id, report->provider);

		if (part != NULL) /* else it was dropped a moment ago: nothing is left to store */
			changes[n++] = (struct sn_part_change){part, report->state, report->error};
	}
	(void)sn_measures_part_states(progress->hub->measures, changes, n,
				      sn_hub_now(progress->hub), &err);
	free(changes);
	answer_reports(progress, &err);
}

/* All of it --------------------------------------------------------------------------------------
 */

struct sn_progress *sn_progress_create(struct sn_hub *hub)
{
	struct sn_progress *progress = sn_new(struct sn_progress);

	progress->hub = hub;
	progress->recent = sn_map_create(free);
	sn_timer_init(&progress->timer, hub->loop, time_for_events);
	sn_list_init(&progress->reports);
	sn_flush_init(&progress->flush, hub->loop, store_reports);
	return progress;
}

void sn_progress_destroy(struct sn_progress *progress)
{
	if (progress == NULL)
		return;
	store_reports(&progress->flush);
	sn_flush_stop(&progress->flush);
	sn_timer_stop(&progress->timer);
	sn_map_destroy(progress->recent);
	free(progress);
}
