/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "replica"
#include "hub/replicas.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "hub/sql.h"
#include "store/sqlite.h"

#define FILE_MAX (64 * 1024)
#define SAVE_NS  (60 * SN_NS_PER_S)

struct replica {
	char name[SN_REPLICA_NAME_MAX];
	int64_t seen_ns, saved_ns;
	struct sn_map *reached; /* "<day>/<dataset>/<version>" to int64_t, malloc'ed */
};

struct sn_replicas {
	char *file;
	int64_t hold_ns;
	uv_mutex_t lock;
	struct replica *list;
	size_t count;
	uv_mutex_t feed_lock;
	struct sn_feed *feed;
};

/* Who was here ----------------------------------------------------------------------------- */

static struct replica *find(const struct sn_replicas *replicas, const char *name)
{
	for (size_t i = 0; i < replicas->count; i++)
		if (strcmp(replicas->list[i].name, name) == 0)
			return &replicas->list[i];
	return NULL;
}

static void forget(struct sn_replicas *replicas, size_t i)
{
	sn_map_destroy(replicas->list[i].reached);
	replicas->list[i] = replicas->list[--replicas->count];
}

/* One that nobody waits for gives up its place. */
static struct replica *add(struct sn_replicas *replicas, const char *name, int64_t now_ns)
{
	struct replica *added;

	for (size_t i = 0; replicas->count == SN_REPLICAS_MAX && i < replicas->count; i++)
		if (replicas->list[i].seen_ns < now_ns - replicas->hold_ns)
			forget(replicas, i);
	if (replicas->count == SN_REPLICAS_MAX)
		return NULL;
	added = &replicas->list[replicas->count++];
	*added = (struct replica){.reached = sn_map_create(free)};
	snprintf(added->name, sizeof(added->name), "%s", name);
	return added;
}

static void load(struct sn_replicas *replicas)
{
	struct sn_buf text = {0};
	struct sn_err ignored = {0};
	sn_autojson json_t *all = NULL;
	const char *name;
	json_t *seen;

	if (sn_fs_read(replicas->file, FILE_MAX, &text, &ignored) == 0)
		all = sn_json_parse(text.p, text.n, &ignored);
	sn_buf_finish(&text);
	json_object_foreach (all, name, seen) {
		struct replica *replica;

		if (strlen(name) >= SN_REPLICA_NAME_MAX || !json_is_integer(seen))
			continue;
		replica = add(replicas, name, sn_wall_ns());
		if (replica != NULL)
			replica->seen_ns = replica->saved_ns = json_integer_value(seen);
	}
}

static void save(struct sn_replicas *replicas)
{
	sn_autojson json_t *all = json_object();
	sn_autofree char *text = NULL;
	struct sn_err err = {0};

	for (size_t i = 0; i < replicas->count; i++) {
		struct replica *replica = &replicas->list[i];

		replica->saved_ns = replica->seen_ns;
		json_object_set_new(all, replica->name, json_integer(replica->seen_ns));
	}
	text = json_dumps(all, JSON_COMPACT);
	if (sn_fs_write_atomic(replicas->file, text, strlen(text), 0600, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot note which replicas there are: %s",
			       err.text);
}

int sn_replicas_open(const char *state, const char *store, int64_t hold_ns,
		     struct sn_replicas **out, struct sn_err *err)
{
	struct sn_feed *feed;
	struct sn_replicas *replicas;

	if (sn_feed_open(store, &feed, err) != 0)
		return err->code;
	replicas = sn_new(struct sn_replicas);
	replicas->file = sn_fs_join(state, "replicas.json");
	replicas->hold_ns = hold_ns;
	replicas->list = sn_new_n(struct replica, SN_REPLICAS_MAX);
	replicas->feed = feed;
	uv_mutex_init(&replicas->lock);
	uv_mutex_init(&replicas->feed_lock);
	load(replicas);
	*out = replicas;
	return 0;
}

void sn_replicas_close(struct sn_replicas *replicas)
{
	if (replicas == NULL)
		return;
	if (replicas->count > 0)
		save(replicas);
	while (replicas->count > 0)
		forget(replicas, 0);
	sn_feed_close(replicas->feed);
	uv_mutex_destroy(&replicas->lock);
	uv_mutex_destroy(&replicas->feed_lock);
	free(replicas->list);
	free(replicas->file);
	free(replicas);
}

/* How far they are ---------------------------------------------------------------------------- */

static char *key_of(int32_t day, const char *dataset, unsigned version)
{
	return sn_xasprintf("%d/%s/%u", (int)day, dataset, version);
}

int64_t sn_replicas_floor(struct sn_replicas *replicas, int32_t day, const char *dataset,
			  unsigned version)
{
	sn_autofree char *key = key_of(day, dataset, version);
	int64_t floor = INT64_MAX, now_ns = sn_wall_ns();

	if (replicas == NULL)
		return floor;
	uv_mutex_lock(&replicas->lock);
	for (size_t i = 0; i < replicas->count; i++) {
		const struct replica *replica = &replicas->list[i];
		const int64_t *reached = sn_map_get(replica->reached, key);

		if (replica->seen_ns >= now_ns - replicas->hold_ns)
			floor = SN_MIN(floor, reached != NULL ? *reached : 0);
	}
	uv_mutex_unlock(&replicas->lock);
	return floor;
}

static void note_place(struct replica *replica, const struct sn_feed_place *place, int64_t from)
{
	sn_autofree char *key = key_of(place->day, place->dataset, place->version);
	int64_t *reached = sn_map_get(replica->reached, key);

	if (reached == NULL) {
		reached = sn_new(int64_t);
		sn_map_set(replica->reached, key, reached);
	}
	*reached = from;
}

int sn_replicas_note(struct sn_replicas *replicas, const char *name, int64_t now_ns,
		     const struct sn_feed_place *place, int64_t from, struct sn_err *err)
{
	struct replica *replica;
	bool added;

	uv_mutex_lock(&replicas->lock);
	replica = find(replicas, name);
	added = replica == NULL;
	if (added)
		replica = add(replicas, name, now_ns);
	if (replica != NULL) {
		replica->seen_ns = now_ns;
		if (place != NULL)
			note_place(replica, place, from);
		if (added || now_ns - replica->saved_ns > SAVE_NS)
			save(replicas);
	}
	uv_mutex_unlock(&replicas->lock);
	if (replica == NULL)
		return sn_err_set(err, -E2BIG, "more than %d replicas follow this hub",
				  SN_REPLICAS_MAX);
	if (added)
		sn_notice("a replica follows this hub replica=%s", name);
	return 0;
}

/* What they fetch ------------------------------------------------------------------------------ */

static int add_item(const struct sn_feed_item *item, void *ctx)
{
	char day[SN_DAY_NAME_SIZE];

	json_array_append_new(ctx, json_pack("{s:s, s:I, s:s, s:I, s:I}", "day",
					     sn_day_name(item->place.day, day), "epoch",
					     (json_int_t)item->place.epoch, "dataset",
					     item->place.dataset, "version",
					     (json_int_t)item->place.version, "next",
					     (json_int_t)item->next));
	return 0;
}

json_t *sn_replicas_list(struct sn_replicas *replicas, struct sn_err *err)
{
	json_t *items = json_array();
	int rc;

	uv_mutex_lock(&replicas->feed_lock);
	rc = sn_feed_list(replicas->feed, add_item, items, err);
	uv_mutex_unlock(&replicas->feed_lock);
	if (rc == 0)
		return items;
	json_decref(items);
	return NULL;
}

int sn_replicas_rows(struct sn_replicas *replicas, const struct sn_feed_place *place, int64_t from,
		     struct sn_buf *out, struct sn_err *err)
{
	int rc;

	uv_mutex_lock(&replicas->feed_lock);
	rc = sn_feed_rows(replicas->feed, place, from, out, err);
	uv_mutex_unlock(&replicas->feed_lock);
	return rc;
}
