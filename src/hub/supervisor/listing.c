/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/secret.h"
#include "hub/supervisor/routes.h"

#define SHOWN_MAX 10000 /* capabilities that are remembered for withdrawals */

/* Groups --------------------------------------------------------------------------------- */

/* Offers with the same label, registry and schema. */
struct group {
	const struct sn_hub_offer **offers;
	size_t count, room;
};

static void group_release(void *value)
{
	struct group *group = value;

	free(group->offers);
	free(group);
}

static void group_append(struct group *group, const struct sn_hub_offer *offer)
{
	if (group->count == group->room) {
		group->room = group->room > 0 ? 2 * group->room : 4;
		group->offers = sn_xrealloc(group->offers, group->room, sizeof(*group->offers));
	}
	group->offers[group->count++] = offer;
}

static void group_add(struct sn_map *groups, const struct sn_hub_offer *offer)
{
	/* The schema's hash covers the registry. */
	sn_autofree char *key = sn_xasprintf("%s\n%s", offer->schema, offer->capability->label);
	struct group *group = sn_map_get(groups, key);

	if (group == NULL) {
		group = sn_new(struct group);
		sn_map_set(groups, key, group);
	}
	group_append(group, offer);
}

static bool same_constraint(const struct sn_mp_param *a, const struct sn_mp_param *b)
{
	struct sn_buf left = {0}, right = {0};
	bool same;

	sn_mp_constraint_print(&a->constraint, false, &left);
	sn_mp_constraint_print(&b->constraint, false, &right);
	same = sn_str_eq(sn_buf_str(&left), sn_buf_str(&right));
	sn_buf_finish(&left);
	sn_buf_finish(&right);
	return same;
}

/* A parameter that only says which provider it is: each has one value, its own. */
static bool tells_provider(const struct sn_hub_offer *const *offers, size_t count, size_t param)
{
	const struct sn_mp_param *first = &offers[0]->capability->params[param];
	bool differs = false;

	for (size_t i = 0; i < count; i++) {
		const struct sn_mp_param *other = &offers[i]->capability->params[param];

		if (sn_mp_constraint_single(&other->constraint) == NULL)
			return false;
		differs = differs || !same_constraint(first, other);
	}
	return differs || strncmp(first->name, "source.", 7) == 0;
}

/* That "*" is taken too is not in the text of a constraint. */
static void set_optional(struct sn_mp_message *message, const struct sn_mp_param *like)
{
	for (size_t i = 0; i < message->param_count; i++) {
		if (strcmp(message->params[i].name, like->name) == 0)
			message->params[i].optional = like->optional;
	}
}

static void add_parameter(struct sn_mp_message *message, const struct sn_supervisor *sup,
			  const struct sn_hub_offer *const *offers, size_t count, size_t param)
{
	const struct sn_mp_param *first = &offers[0]->capability->params[param];
	struct sn_buf text = {0};
	bool same = true;

	if (tells_provider(offers, count, param))
		return;
	for (size_t i = 1; i < count && same; i++)
		same = same_constraint(first, &offers[i]->capability->params[param]);
	if (same)
		sn_mp_constraint_print(&first->constraint, false, &text);
	else
		sn_buf_addc(&text, '*');
	(void)sn_mp_add_param(message, sup->hub->registries, first->name, sn_buf_cstr(&text), NULL);
	sn_buf_finish(&text);
	set_optional(message, first);
}

static bool path_has(const char *path, struct sn_str hub)
{
	struct sn_str rest = sn_str(path), part;

	while (sn_str_split(&rest, ' ', &part)) {
		if (sn_str_eq(part, hub))
			return true;
	}
	return false;
}

/* All hubs that any of them came through. */
static void join_paths(struct sn_mp_message *message, const struct sn_hub_offer *const *offers,
		       size_t count)
{
	struct sn_buf path = {0};

	for (size_t i = 0; i < count; i++) {
		struct sn_str rest = sn_str(sn_mp_meta(offers[i]->capability, SN_PATH_META)), hub;

		while (sn_str_split(&rest, ' ', &hub)) {
			if (hub.n == 0 || path_has(sn_buf_cstr(&path), hub))
				continue;
			if (path.n > 0)
				sn_buf_addc(&path, ' ');
			sn_buf_add(&path, hub.p, hub.n);
		}
	}
	if (path.n > 0)
		(void)sn_mp_add_meta(message, SN_PATH_META, sn_buf_cstr(&path), NULL);
	sn_buf_finish(&path);
}

struct sn_mp_message *sn_sup_group_message(const struct sn_supervisor *sup,
					   const struct sn_hub_offer *const *offers, size_t count)
{
	const struct sn_mp_message *first = offers[0]->capability;
	struct sn_mp_message *message = sn_mp_message_create(SN_MP_CAPABILITY, first->verb);

	sn_mp_set_text(&message->registry, first->registry);
	sn_mp_set_text(&message->label, first->label);
	message->when = first->when;
	/* What has a device already is itself a group of a supervisor below. */
	if (sn_mp_param(first, SN_DEVICE) == NULL)
		(void)sn_mp_add_param(message, sup->hub->registries, SN_DEVICE, "*", NULL);
	for (size_t i = 0; i < first->param_count; i++)
		add_parameter(message, sup, offers, count, i);
	if (sn_mp_column(first, SN_DEVICE) < 0)
		(void)sn_mp_add_column(message, sup->hub->registries, SN_DEVICE, NULL);
	for (size_t i = 0; i < first->column_count; i++)
		(void)sn_mp_add_column(message, sup->hub->registries, first->columns[i].name, NULL);
	join_paths(message, offers, count);
	return message;
}

/* The same for everybody, whichever of its offers he may see. */
static void group_token(const struct sn_supervisor *sup, const struct sn_hub_offer *offer,
			char token[SN_MP_HASH_SIZE])
{
	sn_autofree char *text = sn_xasprintf("group %s %s %s", sup->hub->id, offer->schema,
					      offer->capability->label);
	uint8_t hash[SN_SECRET_HASH_SIZE];

	sn_secret_hash(sn_str(text), hash);
	sn_hex(hash, 16, token);
}

static json_t *list_in(json_t *selection, const char *name)
{
	json_t *list = json_object_get(selection, name);

	if (list == NULL) {
		list = json_array();
		json_object_set_new(selection, name, list);
	}
	return list;
}

json_t *sn_sup_selection(const char *device)
{
	static const struct {
		const char *prefix, *list;
	} kinds[] = {{"tag:", "tags"},
		     {"country:", "countries"},
		     {"network:", "networks"},
		     {"", "nodes"}};
	struct sn_str rest = sn_str(device), part;
	json_t *selection;

	/* The reference implementation's clients cannot say "*" in a specification. */
	if (sn_mp_value_is_none(device) || strcmp(device, "all") == 0)
		return NULL;
	selection = json_object();
	while (sn_str_split(&rest, ',', &part)) {
		part = sn_str_trim(part);
		for (size_t i = 0; part.n > 0 && i < SN_COUNT(kinds); i++) {
			size_t n = strlen(kinds[i].prefix);

			if (!sn_str_has_prefix(part, kinds[i].prefix))
				continue;
			json_array_append_new(list_in(selection, kinds[i].list),
					      json_stringn(part.p + n, part.n - n));
			break;
		}
	}
	return selection;
}

/* Views ------------------------------------------------------------------------------------ */

void sn_sup_base(const struct sn_http_request *request, char *out, size_t size)
{
	const char *host = sn_http_header(request, "Host");

	out[0] = '\0';
	if (host == NULL || host[strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					      "0123456789.-_:[]")] != '\0')
		return;
	snprintf(out, size, "%s://%.250s", sn_http_is_tls(request) ? "https" : "http", host);
}

const char *sn_sup_provider_name(const struct sn_supervisor *sup, const char *provider)
{
	return sn_measure_provider_name(sup->hub->measures, provider);
}

static void set_link(struct sn_mp_message *message, const char *base)
{
	sn_autofree char *link =
		sn_xasprintf("%s" SN_PEER_PATH_CAPABILITY "/%s", base, message->token);

	sn_mp_set_text(&message->link, base[0] != '\0' ? link : NULL);
	message->has_link = true;
}

/* `first`: one of those that `message` stands for. */
static void view_add(struct sn_sup_view *view, struct sn_mp_message *message,
		     const struct sn_hub_offer *offer, const struct sn_hub_offer *first)
{
	if ((view->count & (view->count - 1)) == 0)
		view->items = sn_xrealloc(view->items, view->count > 0 ? 2 * view->count : 1,
					  sizeof(*view->items));
	view->items[view->count++] = (struct sn_sup_offered){
		.message = message,
		.offer = offer,
		.label = first->capability->label,
		.schema = first->schema,
		.native = first->native != NULL,
		.device_below = sn_mp_param(first->capability, SN_DEVICE) != NULL,
	};
}

static void add_offer(struct sn_supervisor *sup, struct sn_sup_view *view, const char *base,
		      const struct sn_hub_offer *offer)
{
	struct sn_mp_message *message = sn_offer_listed(offer);

	if (sn_mp_meta(message, "System_ID") == NULL)
		(void)sn_mp_add_meta(message, "System_ID",
				     sn_sup_provider_name(sup, offer->provider), NULL);
	set_link(message, base);
	view_add(view, message, offer, offer);
}

static void add_group(struct sn_supervisor *sup, struct sn_sup_view *view, const char *base,
		      const char *schema, const struct group *group)
{
	struct sn_mp_message *message;
	char own[SN_MP_HASH_SIZE], token[SN_MP_HASH_SIZE];
	sn_autofree char *label = NULL;

	if (group->count < 2)
		return;
	message = sn_sup_group_message(sup, group->offers, group->count);
	sn_mp_schema_hash(message, own);
	if (schema != NULL && strcmp(schema, own) != 0) {
		sn_mp_message_destroy(message);
		return;
	}
	label = sn_xasprintf("%s" SN_GROUP_SUFFIX, message->label);
	group_token(sup, group->offers[0], token);
	sn_mp_set_text(&message->label, label);
	sn_mp_set_text(&message->token, token);
	set_link(message, base);
	view_add(view, message, NULL, group->offers[0]);
}

/* Could it be one of a group that `wanted` is for?  The group has a device beside what it has. */
static bool may_be_in_group(const struct sn_hub_offer *offer, const struct sn_mp_message *wanted)
{
	size_t columns =
		offer->capability->column_count + (sn_mp_column(offer->capability, SN_DEVICE) < 0);

	return sn_mp_param(wanted, SN_DEVICE) != NULL && wanted->column_count == columns;
}

void sn_sup_view_make(struct sn_supervisor *sup, const struct sn_asker *asker, const char *base,
		      const struct sn_mp_message *wanted, struct sn_sup_view *view)
{
	struct sn_offers *offers = sup->hub->offers;
	struct sn_map *groups = sn_map_create(group_release);
	char schema[SN_MP_HASH_SIZE] = "";
	const char *key;
	size_t cursor = 0;
	void *group;

	*view = (struct sn_sup_view){0};
	if (wanted != NULL)
		sn_mp_schema_hash(wanted, schema);
	for (size_t i = 0; i < sn_offers_count(offers); i++) {
		const struct sn_hub_offer *offer = sn_offers_at(offers, i);
		bool alone = wanted == NULL || strcmp(schema, offer->schema) == 0;
		bool grouped = wanted == NULL || may_be_in_group(offer, wanted);

		/* The policy last: it is asked of each, and there may be many. */
		if ((!alone && !grouped) ||
		    !sn_sup_may(sup, asker, SN_MAY_DISCOVER, offer->capability->label, offer, NULL,
				NULL))
			continue;
		if (grouped)
			group_add(groups, offer);
		if (alone)
			add_offer(sup, view, base, offer);
	}
	while (sn_map_next(groups, &cursor, &key, &group))
		add_group(sup, view, base, wanted != NULL ? schema : NULL, group);
	sn_map_destroy(groups);
}

void sn_sup_view_finish(struct sn_sup_view *view)
{
	for (size_t i = 0; i < view->count; i++)
		sn_mp_message_destroy(view->items[i].message);
	free(view->items);
	*view = (struct sn_sup_view){0};
}

const struct sn_sup_offered *sn_sup_view_by_token(const struct sn_sup_view *view, const char *token)
{
	for (size_t i = 0; i < view->count; i++) {
		if (strcmp(view->items[i].message->token, token) == 0)
			return &view->items[i];
	}
	return NULL;
}

/* The group with this token, of those that `asker` may see; nobody is asked about others. */
static void view_of_group(struct sn_supervisor *sup, const struct sn_asker *asker, const char *base,
			  const char *token, struct sn_sup_view *view)
{
	struct sn_offers *offers = sup->hub->offers;
	struct group group = {0};
	char own[SN_MP_HASH_SIZE];

	for (size_t i = 0; i < sn_offers_count(offers); i++) {
		const struct sn_hub_offer *offer = sn_offers_at(offers, i);

		group_token(sup, offer, own);
		if (strcmp(own, token) == 0 &&
		    sn_sup_may(sup, asker, SN_MAY_DISCOVER, offer->capability->label, offer, NULL,
			       NULL))
			group_append(&group, offer);
	}
	add_group(sup, view, base, NULL, &group);
	free(group.offers);
}

/* Only what a token names: the whole view is for listings. */
static void view_of_token(struct sn_supervisor *sup, const struct sn_asker *asker, const char *base,
			  const char *token, struct sn_sup_view *view)
{
	const struct sn_hub_offer *offer = sn_offers_by_token(sup->hub->offers, token);

	*view = (struct sn_sup_view){0};
	if (offer == NULL)
		view_of_group(sup, asker, base, token, view);
	else if (sn_sup_may(sup, asker, SN_MAY_DISCOVER, offer->capability->label, offer, NULL,
			    NULL))
		add_offer(sup, view, base, offer);
}

/* Only those of the label that it names, with or without ".all": seldom more than a few. */
static void view_of_label(struct sn_supervisor *sup, const struct sn_asker *asker, const char *base,
			  const struct sn_mp_message *wanted, struct sn_sup_view *view)
{
	size_t n = sn_mp_label_base(wanted->label), suffix = strlen(SN_GROUP_SUFFIX);
	bool grouped =
		n > suffix && memcmp(wanted->label + n - suffix, SN_GROUP_SUFFIX, suffix) == 0;
	sn_autofree char *label = sn_xstrndup(wanted->label, grouped ? n - suffix : n);
	const struct sn_hub_offer *const *offers;
	size_t count = sn_offers_labelled(sup->hub->offers, label, &offers);
	struct sn_map *groups = sn_map_create(group_release);
	size_t cursor = 0;
	const char *key;
	void *group;

	for (size_t i = 0; i < count; i++) {
		if (!sn_sup_may(sup, asker, SN_MAY_DISCOVER, label, offers[i], NULL, NULL))
			continue;
		if (grouped)
			group_add(groups, offers[i]);
		else
			add_offer(sup, view, base, offers[i]);
	}
	while (sn_map_next(groups, &cursor, &key, &group))
		add_group(sup, view, base, NULL, group);
	sn_map_destroy(groups);
}

void sn_sup_view_for(struct sn_supervisor *sup, const struct sn_asker *asker, const char *base,
		     const char *token, const struct sn_mp_message *specification,
		     struct sn_sup_view *view)
{
	*view = (struct sn_sup_view){0};
	if (token == NULL) {
		if (specification->label != NULL && specification->label[0] != '\0')
			view_of_label(sup, asker, base, specification, view);
		return;
	}
	view_of_token(sup, asker, base, token, view);
	for (size_t i = view->count; i-- > 0;) {
		if (strcmp(view->items[i].message->token, token) == 0)
			continue;
		sn_mp_message_destroy(view->items[i].message);
		view->items[i] = view->items[--view->count];
	}
}

/* What was shown and may be gone -------------------------------------------------------------- */

struct shown {
	struct sn_list link;
	struct sn_mp_message *capability;
};

static void shown_drop(struct sn_supervisor *sup, struct shown *shown)
{
	sn_map_remove(sup->shown_by_token, shown->capability->token);
	sn_list_remove(&shown->link);
	sn_mp_message_destroy(shown->capability);
	free(shown);
}

void sn_sup_show(struct sn_supervisor *sup, const struct sn_mp_message *capability)
{
	struct shown *shown;

	if (sn_map_get(sup->shown_by_token, capability->token) != NULL)
		return;
	if (sn_map_count(sup->shown_by_token) >= SHOWN_MAX)
		shown_drop(sup, sn_list_entry(sup->shown.next, struct shown, link));
	shown = sn_new(struct shown);
	shown->capability = sn_mp_message_copy(capability);
	sn_list_append(&sup->shown, &shown->link);
	sn_map_set(sup->shown_by_token, capability->token, shown);
}

void sn_sup_shown_finish(struct sn_supervisor *sup)
{
	sn_list_for_each (link, &sup->shown)
		shown_drop(sup, sn_list_entry(link, struct shown, link));
	sn_map_destroy(sup->shown_by_token);
}

/* Groups end with the last but one of their offers: they are only told by their labels here. */
static bool is_offered(const struct sn_supervisor *sup, const struct sn_mp_message *capability)
{
	size_t n = strlen(capability->label), suffix = strlen(SN_GROUP_SUFFIX);
	const struct sn_hub_offer *const *offers;
	sn_autofree char *base = NULL;

	if (sn_offers_by_token(sup->hub->offers, capability->token) != NULL)
		return true;
	if (n <= suffix || strcmp(capability->label + n - suffix, SN_GROUP_SUFFIX) != 0)
		return false;
	base = sn_xstrndup(capability->label, n - suffix);
	return sn_offers_labelled(sup->hub->offers, base, &offers) > 1;
}

/* One that it names by its label, or that it was posted to. */
static bool is_meant(const struct sn_supervisor *sup, const struct sn_mp_message *capability,
		     const char *token, const struct sn_mp_message *specification)
{
	const char *label = specification->label != NULL ? specification->label : "";

	if (token != NULL)
		return strcmp(capability->token, token) == 0;
	return sn_str_eqc((struct sn_str){label, sn_mp_label_base(label)}, capability->label) &&
	       sn_mp_match(specification, capability, sn_hub_now(sup->hub), NULL) == 0;
}

const struct sn_mp_message *sn_sup_gone(struct sn_supervisor *sup, const struct sn_asker *asker,
					const char *token,
					const struct sn_mp_message *specification)
{
	sn_list_for_each (link, &sup->shown) {
		const struct sn_mp_message *capability =
			sn_list_entry(link, struct shown, link)->capability;

		if (is_meant(sup, capability, token, specification) &&
		    !is_offered(sup, capability) &&
		    sn_sup_may(sup, asker, SN_MAY_DISCOVER, capability->label, NULL, NULL, NULL))
			return capability;
	}
	return NULL;
}

/* GET ------------------------------------------------------------------------------------------ */

static const struct sn_mp_message **messages_of(const struct sn_sup_view *view)
{
	const struct sn_mp_message **list = sn_new_n(const struct sn_mp_message *, view->count + 1);

	for (size_t i = 0; i < view->count; i++)
		list[i] = view->items[i].message;
	return list;
}

static void answer_envelope(struct sn_supervisor *sup, struct sn_http_request *request,
			    struct sn_sup_view *view)
{
	sn_automp struct sn_mp_message *envelope =
		sn_mp_message_create(SN_MP_ENVELOPE, sn_mp_kind_name(SN_MP_CAPABILITY));

	for (size_t i = 0; i < view->count; i++) {
		sn_sup_show(sup, view->items[i].message);
		sn_mp_add_content(envelope, sn_steal(&view->items[i].message));
	}
	sn_peer_answer(request, envelope, SN_MP_WRITE_SAFE);
}

/* A meter's: named by the program that runs it, in the registry of the Tstat proxy. */
static bool is_own_meter(const struct sn_mp_message *capability)
{
	const char *type = sn_mp_meta(capability, "System_type");

	return strcmp(capability->registry, SN_MP_REGISTRY_TSTAT) == 0 && type != NULL &&
	       strcmp(type, sn_method_meter_switch.program) == 0;
}

/*
 * Clients that follow links are the reference implementation's: it fetches a registry that it does
 * not know, and gives up the whole listing when that fails.  Ours is nowhere to be fetched; what
 * is in it is also offered under names of the core registry.  That of the Tstat proxy is, but not
 * from everywhere: since every node has a meter, all listings would hang on it.
 */
static void leave_out_own_registry(struct sn_sup_view *view)
{
	size_t kept = 0;

	for (size_t i = 0; i < view->count; i++) {
		if (strcmp(view->items[i].message->registry, SN_MP_REGISTRY_SONDE) != 0 &&
		    !is_own_meter(view->items[i].message))
			view->items[kept++] = view->items[i];
		else
			sn_mp_message_destroy(view->items[i].message);
	}
	view->count = kept;
}

static void answer_listing(struct sn_supervisor *sup, struct sn_http_request *request, bool in_full)
{
	const struct sn_mp_message **list;
	struct sn_sup_view view;
	struct sn_asker asker;
	char base[300];

	sn_sup_asker_of(request, &asker);
	sn_sup_base(request, base, sizeof(base));
	sn_sup_view_make(sup, &asker, base, NULL, &view);
	if (sn_peer_wants_messages(request)) {
		answer_envelope(sup, request, &view);
	} else {
		if (!in_full)
			leave_out_own_registry(&view);
		list = messages_of(&view);
		sn_peer_answer_listing(request, list, view.count, in_full);
		free(list);
	}
	sn_sup_view_finish(&view);
}

void sn_sup_get_capabilities(struct sn_http_request *request, void *ctx)
{
	answer_listing(((struct sn_hub *)ctx)->supervisor, request, false);
}

void sn_sup_get_capability(struct sn_http_request *request, void *ctx)
{
	struct sn_supervisor *sup = ((struct sn_hub *)ctx)->supervisor;
	const char *token = sn_http_param(request, "token");
	const struct sn_sup_offered *found;
	struct sn_sup_view view;
	struct sn_asker asker;
	char base[300];

	sn_sup_asker_of(request, &asker);
	sn_sup_base(request, base, sizeof(base));
	view_of_token(sup, &asker, base, token, &view);
	found = sn_sup_view_by_token(&view, token);
	if (found == NULL) {
		/* What one may not see is as unknown as what never was. */
		sn_http_reply(request, 404, "text/plain", "no such capability", 18);
	} else {
		sn_sup_show(sup, found->message);
		sn_peer_answer(request, found->message, SN_MP_WRITE_SAFE);
	}
	sn_sup_view_finish(&view);
}

bool sn_supervisor_answers_root(struct sn_hub *hub, struct sn_http_request *request)
{
	/* A browser wants the page, with or without a certificate. */
	bool is_browser = sn_api_accepts(request, "text/html") ||
			  sn_guard_who(request)->kind != SN_WHO_NOBODY;

	if (hub->supervisor == NULL || !sn_supervisor_admits(hub, request) ||
	    (is_browser && !sn_peer_wants_messages(request)))
		return false;
	answer_listing(hub->supervisor, request, true);
	return true;
}
