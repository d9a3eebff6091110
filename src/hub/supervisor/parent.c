/* SPDX-License-Identifier: Apache-2.0 */
/* What is offered to the parent, and the connection to it. */
#define SN_MODULE "parent"
#include "hub/supervisor/parent_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define CHANGE_NS SN_NS_PER_S /* offers that change together are registered together */

/* What is offered ------------------------------------------------------------------------- */

static void federated_finish(struct sn_federated *federated)
{
	for (size_t i = 0; i < federated->count; i++) {
		sn_mp_message_destroy(federated->members[i].message);
		free(federated->members[i].offers);
		free(federated->members[i].label);
	}
	sn_mp_message_destroy(federated->message);
}

static void forget_offers(struct sn_parent *parent)
{
	for (size_t i = 0; i < parent->count; i++)
		federated_finish(&parent->list[i]);
	free(parent->list);
	free(parent->messages);
	parent->list = NULL;
	parent->messages = NULL;
	parent->count = 0;
}

static bool is_chosen(const struct sn_parent *parent, const char *label)
{
	const struct sn_conf_texts *labels = &parent->sup->hub->config->parent_capabilities;

	for (unsigned i = 0; i < labels->count; i++) {
		if (strcmp(labels->items[i], "*") == 0 || strcmp(labels->items[i], label) == 0)
			return true;
	}
	return false;
}

/* What came from above must not go there again. */
static bool came_from_above(const struct sn_parent *parent, const struct sn_hub_offer *offer)
{
	struct sn_str rest = sn_str(sn_mp_meta(offer->capability, SN_PATH_META)), part;

	while (sn_str_split(&rest, ' ', &part)) {
		char id[SN_ULID_SIZE];

		snprintf(id, sizeof(id), "%.*s", (int)SN_MIN(part.n, sizeof(id) - 1), part.p);
		if (sn_map_get(parent->sup->above, id) != NULL)
			return true;
	}
	return false;
}

static bool may_have(const struct sn_parent *parent, const struct sn_hub_offer *offer)
{
	const char *label = offer->capability->label;

	return is_chosen(parent, label) && !came_from_above(parent, offer) &&
	       strcmp(offer->provider, parent->owner) != 0 &&
	       sn_sup_may(parent->sup, &parent->asker, SN_MAY_DISCOVER, label, offer, NULL, NULL) &&
	       sn_sup_may(parent->sup, &parent->asker, SN_MAY_MEASURE, label, offer, NULL, NULL);
}

struct gathering { /* offers of one label and schema */
	const struct sn_hub_offer **offers;
	size_t count, room;
};

static void gathering_release(void *value)
{
	struct gathering *gathering = value;

	free(gathering->offers);
	free(gathering);
}

static struct sn_map *gather(const struct sn_parent *parent)
{
	struct sn_offers *offers = parent->sup->hub->offers;
	struct sn_map *groups = sn_map_create(gathering_release);

	for (size_t i = 0; i < sn_offers_count(offers); i++) {
		const struct sn_hub_offer *offer = sn_offers_at(offers, i);
		sn_autofree char *key = NULL;
		struct gathering *group;

		if (!may_have(parent, offer))
			continue;
		key = sn_xasprintf("%s\n%s", offer->capability->label, offer->schema);
		group = sn_map_get(groups, key);
		if (group == NULL) {
			group = sn_new(struct gathering);
			sn_map_set(groups, key, group);
		}
		if (group->count == group->room) {
			group->room = group->room > 0 ? 2 * group->room : 4;
			group->offers =
				sn_xrealloc(group->offers, group->room, sizeof(*group->offers));
		}
		group->offers[group->count++] = offer;
	}
	return groups;
}

static void add_member(struct sn_parent *parent, struct sn_map *by_key, struct gathering *group)
{
	const struct sn_hub_offer *first = group->offers[0];
	struct sn_mp_message *message =
		sn_sup_group_message(parent->sup, group->offers, group->count);
	char schema[SN_MP_HASH_SIZE];
	sn_autofree char *key = NULL;
	struct sn_federated *federated;
	struct sn_parent_member *member;

	sn_mp_schema_hash(message, schema);
	key = sn_xasprintf("%s\n%s", first->capability->label, schema);
	federated = sn_map_get(by_key, key);
	if (federated == NULL) {
		federated = sn_new(struct sn_federated);
		sn_map_set(by_key, key, federated);
	}
	if (federated->count == SN_PARENT_MEMBERS_MAX) {
		sn_mp_message_destroy(message);
		return;
	}
	member = &federated->members[federated->count++];
	member->message = message;
	member->offers = sn_steal(&group->offers);
	member->count = group->count;
	member->label = sn_xstrdup(first->capability->label);
	memcpy(member->schema, first->schema, sizeof(member->schema));
	member->native = first->native != NULL;
	member->device_below = sn_mp_param(first->capability, SN_DEVICE) != NULL;
}

/* The members look alike from above: they are put together like offers of one group. */
static struct sn_mp_message *join_members(const struct sn_parent *parent,
					  const struct sn_federated *federated)
{
	struct sn_hub_offer offers[SN_PARENT_MEMBERS_MAX] = {0};
	const struct sn_hub_offer *list[SN_PARENT_MEMBERS_MAX];

	for (size_t i = 0; i < federated->count; i++) {
		offers[i].capability = federated->members[i].message;
		list[i] = &offers[i];
	}
	return sn_sup_group_message(parent->sup, list, federated->count);
}

/* Its path with us at the end; false when it is too long to go on. */
static bool sign_path(const struct sn_parent *parent, struct sn_mp_message *message)
{
	const char *before = sn_mp_meta(message, SN_PATH_META);
	sn_autofree char *path = sn_xasprintf("%s%s%s", before != NULL ? before : "",
					      before != NULL ? " " : "", parent->sup->hub->id);
	struct sn_str rest = sn_str(path), hub;
	unsigned hubs = 0;

	while (sn_str_split(&rest, ' ', &hub))
		hubs += hub.n > 0;
	(void)sn_mp_add_meta(message, SN_PATH_META, path, NULL);
	return hubs <= SN_PATH_DEPTH_MAX;
}

static bool complete(const struct sn_parent *parent, struct sn_federated *federated)
{
	char token[SN_MP_HASH_SIZE];

	federated->message = join_members(parent, federated);
	if (!sign_path(parent, federated->message))
		return false;
	(void)sn_mp_add_meta(federated->message, "System_ID", parent->sup->hub->id, NULL);
	sn_mp_token_of_capability(federated->message, parent->sup->hub->id, token);
	sn_mp_set_text(&federated->message->token, token);
	return true;
}

static void take_over(struct sn_parent *parent, struct sn_map *by_key)
{
	size_t cursor = 0, count = sn_map_count(by_key);
	const char *key;
	void *value;

	parent->list = sn_new_n(struct sn_federated, count + 1);
	parent->messages = sn_new_n(const struct sn_mp_message *, count + 1);
	while (sn_map_next(by_key, &cursor, &key, &value)) {
		struct sn_federated *federated = value;

		if (!complete(parent, federated)) {
			federated_finish(federated);
			continue;
		}
		parent->list[parent->count] = *federated;
		parent->messages[parent->count++] = federated->message;
	}
}

void sn_parent_make_offers(struct sn_parent *parent)
{
	struct sn_map *groups, *by_key;
	size_t cursor = 0;
	const char *key;
	void *group;

	if (!parent->stale)
		return;
	parent->stale = false;
	forget_offers(parent);
	groups = gather(parent);
	by_key = sn_map_create(free);
	while (sn_map_next(groups, &cursor, &key, &group))
		add_member(parent, by_key, group);
	take_over(parent, by_key);
	sn_map_destroy(by_key);
	sn_map_destroy(groups);
}

static size_t host_capabilities(const char *identity, const struct sn_mp_message *const **list,
				void *ctx)
{
	struct sn_parent *parent = ctx;

	(void)identity;
	sn_parent_make_offers(parent);
	*list = parent->messages;
	return parent->count;
}

static void tell_changes(struct sn_timer *timer)
{
	struct sn_parent *parent = sn_container_of(timer, struct sn_parent, timer);

	sn_component_uplink_changed(parent->uplink);
}

void sn_sup_parent_offers(struct sn_supervisor *sup)
{
	struct sn_parent *parent = sup->parent;

	if (parent == NULL)
		return;
	parent->stale = true;
	if (!sn_timer_armed(&parent->timer))
		sn_timer_in(&parent->timer, CHANGE_NS);
}

/* Life --------------------------------------------------------------------------------------------
 */

/* Hubs above us: their ids are in what they say of loops. */
static void learn_above(struct sn_parent *parent, const char *text)
{
	struct sn_supervisor *sup = parent->sup;

	for (const char *at = text; (at = strstr(at, SN_LOOP_REASON " ")) != NULL;) {
		char id[SN_ULID_SIZE];

		at += strlen(SN_LOOP_REASON " ");
		snprintf(id, sizeof(id), "%.*s",
			 (int)strspn(at, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), at);
		if (strlen(id) != SN_ULID_SIZE - 1 || sn_map_get(sup->above, id) != NULL ||
		    sn_map_count(sup->above) >= SN_PATH_DEPTH_MAX * SN_PATH_DEPTH_MAX)
			continue;
		sn_notice("what came through a hub above is not offered to it again hub=%s", id);
		sn_map_set(sup->above, id, sup);
		sn_sup_parent_offers(sup);
	}
}

static void state_changed(enum sn_uplink_state state, const char *text, void *ctx)
{
	if (state == SN_UPLINK_REFUSED)
		sn_warn("parent refuses: %s", text);
	else
		sn_notice("parent: %s", text);
	learn_above(ctx, text);
}

/* "dns:host" of its URL, unless it was given. */
static void name_parent(struct sn_parent *parent)
{
	const struct sn_hub_config *config = parent->sup->hub->config;
	const char *host = strstr(config->parent_url, "://") + 3;
	struct sn_asker *asker = &parent->asker;

	if (config->parent_identity[0] != '\0')
		snprintf(asker->text[0], sizeof(asker->text[0]), "%.290s", config->parent_identity);
	else if (host[0] == '[')
		snprintf(asker->text[0], sizeof(asker->text[0]), "dns:%.*s",
			 (int)SN_MIN(strcspn(host + 1, "]"), (size_t)250), host + 1);
	else
		snprintf(asker->text[0], sizeof(asker->text[0]), "dns:%.*s",
			 (int)SN_MIN(strcspn(host, ":/"), (size_t)250), host);
	asker->list[0] = asker->text[0];
	asker->count = 1;
	parent->owner = sn_xasprintf("peer:%s", asker->text[0]);
}

static void open_uplink(struct sn_parent *parent)
{
	const struct sn_hub_config *config = parent->sup->hub->config;
	struct sn_component_config component = {
		.loop = parent->sup->loop,
		.registries = parent->sup->hub->registries,
		.host = &parent->host,
	};
	struct sn_component_uplink_config uplink = {
		.loop = parent->sup->loop,
		.host = &parent->host,
		.registries = parent->sup->hub->registries,
		.url = config->parent_url,
		.identity = parent->asker.list[0],
		.ca_file = sn_sup_set_text(config->parent_ca),
		.cert_file = sn_sup_set_text(config->parent_certificate),
		.key_file = sn_sup_set_text(config->parent_key),
		.write_flags = SN_MP_WRITE_SAFE,
		.on_state = state_changed,
		.ctx = parent,
	};

	parent->component = sn_component_create(&component);
	uplink.component = parent->component;
	parent->uplink = sn_component_uplink_create(&uplink);
}

void sn_sup_parent_open(struct sn_supervisor *sup)
{
	struct sn_parent *parent;

	if (sup->hub->config->parent_url[0] == '\0')
		return;
	parent = sup->parent = sn_new(struct sn_parent);
	parent->sup = sup;
	parent->stale = true;
	parent->host = (struct sn_component_host){
		.capabilities = host_capabilities,
		.start = sn_parent_job_start,
		.stop = sn_parent_job_stop,
		.ctx = parent,
	};
	sn_list_init(&parent->jobs);
	sn_timer_init(&parent->timer, sup->loop, tell_changes);
	name_parent(parent);
	open_uplink(parent);
}

void sn_sup_parent_close(struct sn_supervisor *sup)
{
	struct sn_parent *parent = sup->parent;

	if (parent == NULL)
		return;
	sn_timer_stop(&parent->timer);
	sn_component_uplink_destroy(parent->uplink);
	sn_component_destroy(parent->component);
	forget_offers(parent);
	free(parent->owner);
	free(parent);
	sup->parent = NULL;
}
