/* SPDX-License-Identifier: Apache-2.0 */
/* What time brings: measurements that end or have to be looked after, and nodes that join. */
#define SN_MODULE "measures"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/measures_internal.h"

#define CHECKS_MAX 20000 /* of measurements against arrivals in one tick: some milliseconds */
#define DUE_MAX    2000  /* measurements that are looked at in one tick */
#define JOINS_MAX  5000  /* parts made in one tick */

/* Heap of what is due ---------------------------------------------------------------- */

static void put(struct sn_measure_list *heap, size_t at, struct sn_measured *measured)
{
	heap->items[at] = measured;
	measured->heap_at = at + 1;
}

static void sift_up(struct sn_measure_list *heap, size_t at)
{
	struct sn_measured *measured = heap->items[at];

	while (at > 0 && heap->items[(at - 1) / 2]->due_ns > measured->due_ns) {
		put(heap, at, heap->items[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(heap, at, measured);
}

static void sift_down(struct sn_measure_list *heap, size_t at)
{
	struct sn_measured *measured = heap->items[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < heap->count &&
		    heap->items[child + 1]->due_ns < heap->items[child]->due_ns)
			child++;
		if (child >= heap->count || heap->items[child]->due_ns >= measured->due_ns)
			break;
		put(heap, at, heap->items[child]);
		at = child;
	}
	put(heap, at, measured);
}

static void list_add(struct sn_measure_list *list, struct sn_measured *measured)
{
	if (list->count == list->room) {
		list->room = list->room > 0 ? list->room * 2 : 16;
		list->items = sn_xrealloc(list->items, list->room, sizeof(struct sn_measured *));
	}
	list->items[list->count++] = measured;
}

void sn_measures_unschedule(struct sn_measures *measures, struct sn_measured *measured)
{
	struct sn_measure_list *heap = &measures->due;
	size_t at = measured->heap_at;

	if (at == 0)
		return;
	at--;
	measured->heap_at = 0;
	heap->count--;
	if (at == heap->count)
		return;
	put(heap, at, heap->items[heap->count]);
	sift_up(heap, at);
	sift_down(heap, heap->items[at]->heap_at - 1);
}

void sn_measures_schedule(struct sn_measures *measures, struct sn_measured *measured,
			  int64_t due_ns)
{
	struct sn_measure_list *heap = &measures->due;

	sn_measures_unschedule(measures, measured);
	measured->due_ns = due_ns;
	if (due_ns == INT64_MAX)
		return;
	list_add(heap, measured);
	sift_up(heap, heap->count - 1);
}

/* Those that take in more ---------------------------------------------------------------- */

void sn_measures_follow(struct sn_measures *measures, struct sn_measured *measured)
{
	const char *label = measured->measure.specification->label;
	struct sn_measure_list *list = sn_map_get(measures->following, label);

	if (!measured->measure.follows || measured->following)
		return;
	if (list == NULL) {
		list = sn_new(struct sn_measure_list);
		sn_map_set(measures->following, label, list);
	}
	list_add(list, measured);
	measured->following = true;
}

void sn_measures_unfollow(struct sn_measures *measures, struct sn_measured *measured)
{
	const char *label = measured->measure.specification->label;
	struct sn_measure_list *list;
	size_t i = 0;

	if (!measured->following)
		return;
	measured->following = false;
	list = sn_map_get(measures->following, label);
	while (list->items[i] != measured)
		i++;
	list->items[i] = list->items[--list->count];
	if (list->count == 0)
		sn_map_remove(measures->following, label);
}

static char *arrival_key(const char *label, const char *provider)
{
	return sn_xasprintf("%s\n%s", label, provider);
}

/* Those that were looked at make room for others. */
static void forget_arrived(struct sn_measures *measures)
{
	measures->arrival_count -= measures->arrival_next;
	memmove(measures->arrivals, &measures->arrivals[measures->arrival_next],
		measures->arrival_count * sizeof(struct sn_arrival));
	measures->arrival_next = 0;
}

static void note_arrival(struct sn_measures *measures, const char *label, const char *provider)
{
	sn_autofree char *key = arrival_key(label, provider);

	if (sn_map_get(measures->arriving, key) != NULL)
		return;
	sn_map_set(measures->arriving, key, measures);
	if (measures->arrival_count == measures->arrival_room) {
		measures->arrival_room =
			measures->arrival_room > 0 ? measures->arrival_room * 2 : 64;
		measures->arrivals = sn_xrealloc(measures->arrivals, measures->arrival_room,
						 sizeof(struct sn_arrival));
	}
	measures->arrivals[measures->arrival_count++] = (struct sn_arrival){
		.provider = sn_xstrdup(provider),
		.label = sn_xstrdup(label),
	};
}

void sn_measures_arrived(const struct sn_hub_offer *offer, void *ctx)
{
	struct sn_measures *measures = ctx;
	struct sn_measure_provider *provider = sn_map_get(measures->providers, offer->provider);
	const char *label = offer->capability->label;

	/* Values that it fills in by itself may be others now. */
	if (provider != NULL)
		provider->etag[0] = '\0';
	if (sn_map_get(measures->following, label) != NULL)
		note_arrival(measures, label, offer->provider);
}

static bool takes_in(const struct sn_measures *measures, const struct sn_measured *measured,
		     const struct sn_hub_offer *offer)
{
	const struct sn_measure *measure = &measured->measure;
	const struct sn_measures_config *config = &measures->config;

	return strcmp(measure->schema, offer->schema) == 0 &&
	       sn_measured_part(measured, offer->provider) == NULL &&
	       sn_select_fits(measure->selection, offer->node) &&
	       sn_request_fits(measured, offer->capability, NULL) == 0 &&
	       (config->may_join == NULL ||
		config->may_join(measure, offer->provider, config->permit_ctx));
}

struct joining { /* the parts that one tick makes */
	struct sn_measure_live *lives[JOINS_MAX];
	size_t count;
};

static void join(struct sn_measures *measures, struct sn_measured *measured,
		 const struct sn_hub_offer *offer, struct joining *joining)
{
	struct sn_measure_live *live = sn_measured_add_part(measures, measured, offer->provider);

	if (offer->node == NULL)
		sn_mp_token_random(live->part.token);
	joining->lives[joining->count++] = live;
}

static bool has_room(const struct sn_measures *measures, const struct sn_hub_offer *offer)
{
	const struct sn_measure_provider *provider =
		sn_map_get(measures->providers, offer->provider);

	if (measures->live_parts + JOINS_MAX > SN_MEASURES_PARTS_MAX ||
	    (provider != NULL && offer->node != NULL && provider->users >= SN_MEASURE_NODE_TASKS &&
	     provider->count >= SN_MEASURE_NODE_TASKS)) {
		SN_LOG_LIMITED(SN_LOG_WARNING,
			       "too many measurements for one more to join provider=%s",
			       offer->provider);
		return false;
	}
	return true;
}

/* How many measurements were looked at. */
static size_t welcome(struct sn_measures *measures, const struct sn_arrival *arrival,
		      struct joining *joining)
{
	const struct sn_measure_list *list = sn_map_get(measures->following, arrival->label);
	const struct sn_hub_offer *offer =
		sn_offers_of(measures->config.offers, arrival->provider, arrival->label);

	if (list == NULL || offer == NULL || !has_room(measures, offer))
		return 1;
	for (size_t i = 0; i < list->count; i++) {
		if (joining->count < JOINS_MAX && takes_in(measures, list->items[i], offer))
			join(measures, list->items[i], offer, joining);
	}
	return list->count;
}

static int store_joins(struct sn_measures *measures, const struct joining *joining,
		       struct sn_err *err)
{
	struct sn_db *db = measures->config.db;

	if (sn_db_begin(db, err) != 0)
		return err->code;
	for (size_t i = 0; i < joining->count; i++) {
		if (sn_measures_store_part(measures, &joining->lives[i]->part, err) != 0) {
			sn_db_rollback(db);
			return err->code;
		}
	}
	return sn_db_commit(db, err);
}

static void take_back(struct sn_measures *measures, struct sn_measure_live *live)
{
	struct sn_measured *measured = sn_measured(live->part.measure);
	size_t i = 0;

	while (measured->measure.parts[i] != &live->part)
		i++;
	note_arrival(measures, measured->measure.specification->label, live->part.provider);
	sn_measured_drop_part(measures, measured, i);
}

static void finish_joins(struct sn_measures *measures, const struct joining *joining)
{
	struct sn_err err = {0};

	if (joining->count == 0)
		return;
	if (store_joins(measures, joining, &err) != 0) {
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot let nodes join measurements: %s", err.text);
		for (size_t i = 0; i < joining->count; i++)
			take_back(measures, joining->lives[i]);
		return;
	}
	for (size_t i = 0; i < joining->count; i++)
		sn_measures_enlist_part(measures, joining->lives[i]);
	for (size_t i = 0; i < joining->count; i++) {
		struct sn_measure_part *part = &joining->lives[i]->part;

		sn_measures_tell(measures, sn_measured(part->measure), part);
		sn_measured_review(measures, sn_measured(part->measure));
	}
}

static void arrived(struct sn_measures *measures, struct sn_arrival *arrival)
{
	sn_autofree char *key = arrival_key(arrival->label, arrival->provider);

	sn_map_remove(measures->arriving, key);
	free(arrival->provider);
	free(arrival->label);
}

static void welcome_all(struct sn_measures *measures)
{
	struct joining joining;
	size_t checks = 0;

	joining.count = 0;
	while (measures->arrival_next < measures->arrival_count && checks < CHECKS_MAX &&
	       joining.count < JOINS_MAX) {
		struct sn_arrival *arrival = &measures->arrivals[measures->arrival_next];

		checks += welcome(measures, arrival, &joining);
		if (joining.count == JOINS_MAX)
			break; /* some of it may be left: again in the next tick */
		arrived(measures, arrival);
		measures->arrival_next++;
	}
	if (measures->arrival_next > measures->arrival_count / 2)
		forget_arrived(measures);
	finish_joins(measures, &joining);
}

/* Those that should have ended --------------------------------------------------------------- */

/* Why this part is given up now, or NULL. */
static const char *why_lost(struct sn_measures *measures, struct sn_measure_live *live)
{
	int64_t late_ns = measures->now_ns - live->part.measure->ends_ns;
	const struct sn_node *node;
	bool seen;

	if (late_ns < SN_MEASURE_GRACE_NS)
		return NULL;
	if (strncmp(live->part.provider, "node:", 5) != 0)
		return late_ns > SN_MEASURE_ABSENT_NS ? "the peer did not answer" : NULL;
	if (late_ns > SN_MEASURE_ABSENT_NS)
		return "the node did not report";
	/* One that was away may have come back a moment ago, and one that works says so. */
	node = sn_fleet_by_id(measures->config.fleet, live->part.provider + 5);
	seen = live->missed;
	live->missed = node != NULL && node->state == SN_NODE_ONLINE;
	if (!seen || !live->missed || live->part.state == SN_MEASURE_RUNNING)
		return NULL;
	return "the node did not report";
}

static void give_up_parts(struct sn_measures *measures, struct sn_measured *measured)
{
	const struct sn_measure *measure = &measured->measure;
	struct sn_part_change *changes = sn_new_n(struct sn_part_change, measure->part_count + 1);
	struct sn_err err = {0};
	size_t count = 0;

	for (size_t i = 0; i < measure->part_count; i++) {
		struct sn_measure_live *live = sn_measure_live(measure->parts[i]);
		const char *why = sn_measure_state_is_final(live->part.state)
					  ? NULL
					  : why_lost(measures, live);

		if (why != NULL)
			changes[count++] =
				(struct sn_part_change){&live->part, SN_MEASURE_FAILED, why};
	}
	if (sn_measures_part_states(measures, changes, count, measures->now_ns, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot write states of measurements: %s", err.text);
	free(changes);
}

static void look_after(struct sn_measures *measures, struct sn_measured *measured)
{
	sn_measures_unfollow(measures, measured);
	give_up_parts(measures, measured);
	sn_measured_review(measures, measured);
	if (!sn_measure_state_is_final(measured->measure.state))
		sn_measures_schedule(measures, measured, measures->now_ns + SN_MEASURE_GRACE_NS);
}

static void drop_whole(struct sn_measures *measures, struct sn_measured *measured)
{
	struct sn_err err = {0};

	if (sn_measures_delete(measures, measured, &err) == 0) {
		sn_measures_drop(measures, measured);
		return;
	}
	SN_LOG_LIMITED(SN_LOG_ERROR, "cannot drop an old measurement: %s", err.text);
	sn_measures_schedule(measures, measured, measures->now_ns + SN_MEASURE_GRACE_NS);
}

/* The oldest of those that have ended, when they are too many. */
static void drop_surplus(struct sn_measures *measures)
{
	size_t ended = measures->all.count - measures->live, i = 0;

	for (size_t n = 0; ended > SN_MEASURES_ENDED_MAX && n < DUE_MAX; n++) {
		while (!sn_measure_state_is_final(measures->all.items[i]->measure.state))
			i++;
		drop_whole(measures, measures->all.items[i]);
		if (measures->all.count - measures->live == ended)
			return; /* it could not be dropped */
		ended--;
	}
}

void sn_measures_tick(struct sn_measures *measures, int64_t now_ns)
{
	measures->now_ns = now_ns;
	sn_measures_write_counts(measures);
	for (int n = 0;
	     n < DUE_MAX && measures->due.count > 0 && measures->due.items[0]->due_ns < now_ns;
	     n++) {
		struct sn_measured *measured = measures->due.items[0];

		if (sn_measure_state_is_final(measured->measure.state))
			drop_whole(measures, measured);
		else
			look_after(measures, measured);
	}
	drop_surplus(measures);
	sn_measures_review_more(measures);
	welcome_all(measures);
}
