/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "measures"
#include "hub/measures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/measures_internal.h"

static const char *const state_names[] = {
	[SN_MEASURE_WAITING] = "waiting", [SN_MEASURE_RUNNING] = "running",
	[SN_MEASURE_DONE] = "done",       [SN_MEASURE_FAILED] = "failed",
	[SN_MEASURE_STOPPED] = "stopped",
};

const char *sn_measure_state_name(enum sn_measure_state state)
{
	return state_names[state];
}

bool sn_measure_state_is_final(enum sn_measure_state state)
{
	return state >= SN_MEASURE_DONE;
}

/* One measurement ------------------------------------------------------------------ */

void sn_measure_set_text(const char **text, const char *value)
{
	char *old = *text != NULL && (*text)[0] != '\0' ? (char *)*text : NULL;

	*text = value != NULL && value[0] != '\0' ? sn_xstrdup(value) : "";
	free(old);
}

/* One block: the pointers, then their texts. */
void sn_measure_set_identities(struct sn_measure *measure, const char *const *list)
{
	size_t count = 0, bytes = 0;
	const char **made;
	char *text;

	for (; list[count] != NULL; count++)
		bytes += strlen(list[count]) + 1;
	made = sn_xmalloc((count + 1) * sizeof(*made) + bytes);
	text = (char *)(made + count + 1);
	for (size_t i = 0; i < count; i++) {
		made[i] = strcpy(text, list[i]);
		text += strlen(text) + 1;
	}
	made[count] = NULL;
	free((void *)(uintptr_t)measure->identities);
	measure->identities = made;
}

struct sn_measured *sn_measured_create(void)
{
	struct sn_measured *measured = sn_new(struct sn_measured);

	measured->measure.owner = measured->measure.repository = "";
	measured->measure.client_token = measured->measure.client_label = "";
	measured->key = "";
	measured->due_ns = INT64_MAX;
	return measured;
}

static void live_destroy(struct sn_measures *measures, struct sn_measure_live *live)
{
	if (--live->provider->users == 0)
		sn_map_remove(measures->providers, live->provider->name);
	sn_measure_set_text(&live->part.error, NULL);
	free(live);
}

void sn_measured_drop_part(struct sn_measures *measures, struct sn_measured *measured, size_t i)
{
	struct sn_measure *measure = &measured->measure;
	struct sn_measure_live *live = sn_measure_live(measure->parts[i]);

	measured->counts[live->part.state]--;
	measured->results -= live->part.results;
	measure->part_count--;
	memmove(&measure->parts[i], &measure->parts[i + 1],
		(measure->part_count - i) * sizeof(struct sn_measure_part *));
	live_destroy(measures, live);
}

/* Its parts are gone already. */
void sn_measured_destroy(struct sn_measured *measured)
{
	struct sn_measure *measure = &measured->measure;

	sn_measure_set_text(&measure->owner, NULL);
	sn_measure_set_text(&measure->repository, NULL);
	sn_measure_set_text(&measure->client_token, NULL);
	sn_measure_set_text(&measure->client_label, NULL);
	sn_measure_set_text(&measured->key, NULL);
	free((void *)(uintptr_t)measure->identities);
	sn_mp_message_destroy(measure->specification);
	sn_mp_order_finish(&measure->order);
	json_decref(measure->selection);
	json_decref(measured->parameters);
	free(measure->parts);
	free(measured);
}

/* Place of the part of `provider`, or where it would stand. */
static size_t place_of(const struct sn_measure *measure, const char *provider)
{
	size_t low = 0, high = measure->part_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(measure->parts[middle]->provider, provider) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct sn_measure_part *sn_measured_part(const struct sn_measured *measured, const char *provider)
{
	size_t at = place_of(&measured->measure, provider);

	if (at == measured->measure.part_count ||
	    strcmp(measured->measure.parts[at]->provider, provider) != 0)
		return NULL;
	return measured->measure.parts[at];
}

static struct sn_measure_provider *provider_called(struct sn_measures *measures, const char *name)
{
	struct sn_measure_provider *provider = sn_map_get(measures->providers, name);

	if (provider != NULL)
		return provider;
	provider = sn_new(struct sn_measure_provider);
	provider->name = sn_xstrdup(name);
	sn_map_set(measures->providers, name, provider);
	return provider;
}

static void provider_release(void *value)
{
	struct sn_measure_provider *provider = value;

	free(provider->live);
	free(provider->name);
	free(provider);
}

struct sn_measure_live *sn_measured_add_part(struct sn_measures *measures,
					     struct sn_measured *measured, const char *provider)
{
	struct sn_measure *measure = &measured->measure;
	size_t at = place_of(measure, provider);
	struct sn_measure_live *live = sn_new(struct sn_measure_live);

	if (measure->part_count == measured->room) {
		measured->room = measured->room > 0 ? measured->room * 2 : 4;
		measure->parts = sn_xrealloc(measure->parts, measured->room,
					     sizeof(struct sn_measure_part *));
	}
	memmove(&measure->parts[at + 1], &measure->parts[at],
		(measure->part_count - at) * sizeof(struct sn_measure_part *));
	measure->parts[at] = &live->part;
	measure->part_count++;
	measured->counts[SN_MEASURE_WAITING]++;
	live->provider = provider_called(measures, provider);
	live->provider->users++;
	live->part.measure = measure;
	live->part.provider = live->provider->name;
	live->part.error = "";
	return live;
}

/* Lists -------------------------------------------------------------------------------- */

static char *token_key(const struct sn_measure_part *part)
{
	return sn_xasprintf("%s\n%s", part->provider, part->token);
}

void sn_measures_enlist_part(struct sn_measures *measures, struct sn_measure_live *live)
{
	struct sn_measure_provider *provider = live->provider;

	if (live->part.token[0] != '\0') {
		sn_autofree char *key = token_key(&live->part);

		sn_map_set(measures->by_token, key, live);
	}
	if (sn_measure_state_is_final(live->part.state))
		return;
	if (provider->count == provider->room) {
		provider->room = provider->room > 0 ? provider->room * 2 : 4;
		provider->live = sn_xrealloc(provider->live, provider->room,
					     sizeof(struct sn_measure_live *));
	}
	live->at = provider->count;
	provider->live[provider->count++] = live;
	provider->etag[0] = '\0';
	measures->live_parts++;
}

void sn_measures_delist_part(struct sn_measures *measures, struct sn_measure_live *live)
{
	struct sn_measure_provider *provider = live->provider;

	provider->count--;
	provider->live[live->at] = provider->live[provider->count];
	provider->live[live->at]->at = live->at;
	provider->etag[0] = '\0';
	measures->live_parts--;
}

static void remember_request(struct sn_measures *measures, char kind, const char *owner,
			     const char *name, struct sn_measured *measured)
{
	sn_autofree char *key = sn_xasprintf("%c%s\n%s", kind, owner, name);

	if (name[0] == '\0')
		return;
	if (measured != NULL)
		sn_map_set(measures->by_request, key, measured);
	else
		sn_map_remove(measures->by_request, key);
}

void sn_measures_take_in(struct sn_measures *measures, struct sn_measured *measured)
{
	struct sn_measure *measure = &measured->measure;
	struct sn_measure_list *all = &measures->all;

	if (all->count == all->room) {
		all->room = all->room > 0 ? all->room * 2 : 64;
		all->items = sn_xrealloc(all->items, all->room, sizeof(struct sn_measured *));
	}
	all->items[all->count++] = measured;
	sn_map_set(measures->by_id, measure->id, measured);
	remember_request(measures, 'k', measure->owner, measured->key, measured);
	remember_request(measures, 'c', measure->owner, measure->client_token, measured);
	for (size_t i = 0; i < measure->part_count; i++)
		sn_measures_enlist_part(measures, sn_measure_live(measure->parts[i]));
	if (sn_measure_state_is_final(measure->state)) {
		sn_measures_schedule(measures, measured, measured->ended_ns + SN_MEASURE_KEEP_NS);
		return;
	}
	measures->live++;
	sn_measures_follow(measures, measured);
	sn_measures_schedule(measures, measured, measure->ends_ns);
}

/* In order of age, and the old ones go first: it stands near the beginning. */
static void forget(struct sn_measures *measures, const struct sn_measured *measured)
{
	struct sn_measure_list *all = &measures->all;
	size_t i = 0;

	while (all->items[i] != measured)
		i++;
	all->count--;
	memmove(&all->items[i], &all->items[i + 1],
		(all->count - i) * sizeof(struct sn_measured *));
}

static void clean_part(struct sn_measures *measures, struct sn_measure_live *live)
{
	if (!sn_measure_state_is_final(live->part.state))
		sn_measures_delist_part(measures, live);
	if (live->part.token[0] != '\0') {
		sn_autofree char *key = token_key(&live->part);

		sn_map_remove(measures->by_token, key);
	}
	for (size_t i = 0; live->dirty && i < measures->dirty_count; i++) {
		if (measures->dirty[i] == live)
			measures->dirty[i] = NULL;
	}
}

static void destroy_whole(struct sn_measures *measures, struct sn_measured *measured)
{
	struct sn_measure *measure = &measured->measure;

	for (size_t i = measure->part_count; i > 0; i--) {
		clean_part(measures, sn_measure_live(measure->parts[i - 1]));
		sn_measured_drop_part(measures, measured, i - 1);
	}
	sn_measured_destroy(measured);
}

void sn_measures_drop(struct sn_measures *measures, struct sn_measured *measured)
{
	const struct sn_measure *measure = &measured->measure;

	forget(measures, measured);
	sn_measures_unschedule(measures, measured);
	sn_measures_unfollow(measures, measured);
	sn_map_remove(measures->by_id, measure->id);
	remember_request(measures, 'k', measure->owner, measured->key, NULL);
	remember_request(measures, 'c', measure->owner, measure->client_token, NULL);
	destroy_whole(measures, measured);
}

/* Opening and closing -------------------------------------------------------------------- */

static void list_release(void *value)
{
	struct sn_measure_list *list = value;

	free(list->items);
	free(list);
}

int sn_measures_open(const struct sn_measures_config *config, int64_t now_ns,
		     struct sn_measures **measures, struct sn_err *err)
{
	struct sn_measures *made = sn_new(struct sn_measures);

	made->config = *config;
	made->now_ns = now_ns;
	made->by_id = sn_map_create(NULL);
	made->by_request = sn_map_create(NULL);
	made->by_token = sn_map_create(NULL);
	made->providers = sn_map_create(provider_release);
	made->following = sn_map_create(list_release);
	(void)sn_measures_set_never(made, json_array());
	made->arriving = sn_map_create(NULL);
	if (sn_measures_load(made, err) != 0) {
		sn_measures_close(made);
		return sn_err_wrap(err, "cannot read the measurements");
	}
	sn_offers_on_arrival(config->offers, sn_measures_arrived, made);
	for (size_t i = 0; i < sn_offers_count(config->offers); i++)
		sn_measures_arrived(sn_offers_at(config->offers, i), made);
	*measures = made;
	return 0;
}

void sn_measures_close(struct sn_measures *measures)
{
	if (measures == NULL)
		return;
	measures->config.on_change = measures->config.on_count = NULL; /* may be gone already */
	sn_measures_write_counts(measures);
	sn_offers_on_arrival(measures->config.offers, NULL, NULL);
	for (size_t i = 0; i < measures->all.count; i++)
		destroy_whole(measures, measures->all.items[i]);
	for (size_t i = measures->arrival_next; i < measures->arrival_count; i++) {
		free(measures->arrivals[i].provider);
		free(measures->arrivals[i].label);
	}
	free(measures->arrivals);
	json_decref(measures->never);
	free(measures->all.items);
	free(measures->due.items);
	free(measures->dirty);
	sn_map_destroy(measures->by_id);
	sn_map_destroy(measures->by_request);
	sn_map_destroy(measures->by_token);
	sn_map_destroy(measures->providers);
	sn_map_destroy(measures->following);
	sn_map_destroy(measures->arriving);
	free(measures);
}

/* Asking --------------------------------------------------------------------------------- */

static struct sn_measure *public_side(struct sn_measured *measured)
{
	return measured != NULL ? &measured->measure : NULL;
}

struct sn_measure *sn_measures_find(const struct sn_measures *measures, const char *id)
{
	return public_side(sn_map_get(measures->by_id, id));
}

struct sn_measure *sn_measures_by_client(const struct sn_measures *measures, const char *owner,
					 const char *client_token)
{
	sn_autofree char *key = sn_xasprintf("c%s\n%s", owner, client_token);

	return public_side(sn_map_get(measures->by_request, key));
}

struct sn_measure_part *sn_measures_by_part_token(const struct sn_measures *measures,
						  const char *provider, const char *token)
{
	sn_autofree char *key = sn_xasprintf("%s\n%s", provider, token);
	struct sn_measure_live *live = sn_map_get(measures->by_token, key);

	return live != NULL ? &live->part : NULL;
}

struct sn_measure_part *sn_measure_part_of(const struct sn_measure *measure, const char *provider)
{
	return sn_measured_part(sn_measured(measure), provider);
}

size_t sn_measures_count(const struct sn_measures *measures)
{
	return measures->all.count;
}

size_t sn_measures_live_count(const struct sn_measures *measures)
{
	return measures->live;
}

struct sn_measure *sn_measures_at(const struct sn_measures *measures, size_t i)
{
	return &measures->all.items[i]->measure;
}

void sn_measures_tell(struct sn_measures *measures, const struct sn_measured *measured,
		      const struct sn_measure_part *part)
{
	if (measures->config.on_change != NULL)
		measures->config.on_change(&measured->measure, part, measures->config.ctx);
}
