/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of dialect B: capabilities by who offers them, a specification for one of those. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/supervisor/routes.h"

#define OLD_FLAGS (SN_MP_WRITE_SAFE)

static void refuse(struct sn_http_request *request, unsigned status, const char *reason)
{
	sn_automp struct sn_mp_message *exception = sn_mp_exception(NULL, "%s", reason);
	struct sn_buf out = {0};

	sn_mp_encode(exception, OLD_FLAGS, &out);
	sn_http_reply(request, status, SN_MP_MEDIA_TYPE, out.p, out.n);
	sn_buf_finish(&out);
}

static json_t *message_json(const struct sn_mp_message *message)
{
	struct sn_buf text = {0};
	json_t *json;

	sn_mp_encode(message, OLD_FLAGS, &text);
	json = json_loadb(text.p, text.n, 0, NULL);
	sn_buf_finish(&text);
	return json;
}

static const char *owner_of(struct sn_supervisor *sup, const struct sn_sup_offered *item)
{
	return item->offer != NULL ? sn_sup_provider_name(sup, item->offer->provider)
				   : sup->hub->id;
}

void sn_sup_get_old_capabilities(struct sn_http_request *request, void *ctx)
{
	struct sn_supervisor *sup = ((struct sn_hub *)ctx)->supervisor;
	json_t *answer = json_object();
	sn_autofree char *text = NULL;
	struct sn_sup_view view;
	struct sn_asker asker;

	sn_sup_asker_of(request, &asker);
	sn_sup_view_make(sup, &asker, "", NULL, &view);
	for (size_t i = 0; i < view.count; i++) {
		const char *owner = owner_of(sup, &view.items[i]);
		json_t *list = json_object_get(answer, owner);

		if (list == NULL) {
			list = json_array();
			json_object_set_new(answer, owner, list);
		}
		sn_sup_show(sup, view.items[i].message);
		json_array_append_new(list, message_json(view.items[i].message));
	}
	text = json_dumps(answer, JSON_COMPACT);
	sn_http_reply(request, 200, SN_MP_MEDIA_TYPE, text, strlen(text));
	json_decref(answer);
	sn_sup_view_finish(&view);
}

/* Of those that `owner` offers, what the specification is for. */
static const struct sn_sup_offered *choose(struct sn_supervisor *sup,
					   const struct sn_sup_view *view, const char *owner,
					   const struct sn_mp_message *specification,
					   struct sn_err *err)
{
	const struct sn_mp_message **list = sn_new_n(const struct sn_mp_message *, view->count + 1);
	size_t *places = sn_new_n(size_t, view->count + 1), count = 0;
	const struct sn_sup_offered *found = NULL;
	int index;

	for (size_t i = 0; i < view->count; i++) {
		if (strcmp(owner_of(sup, &view->items[i]), owner) != 0)
			continue;
		places[count] = i;
		list[count++] = view->items[i].message;
	}
	index = sn_mp_choose(specification, list, count, sn_hub_now(sup->hub), err);
	if (index >= 0)
		found = &view->items[places[index]];
	free(list);
	free(places);
	return found;
}

/* The usual case, found without looking at what all the others offer: label and owner say it. */
static const struct sn_hub_offer *named_offer(const struct sn_supervisor *sup, const char *owner,
					      const struct sn_mp_message *specification)
{
	const struct sn_node *node = sn_fleet_find(sup->hub->fleet, owner);
	const char *label = specification->label != NULL ? specification->label : "";
	sn_autofree char *base = sn_xstrndup(label, sn_mp_label_base(label));
	sn_autofree char *provider = sn_xasprintf(
		"%s%s", node != NULL ? "node:" : "peer:", node != NULL ? node->id : owner);

	return sn_offers_of(sup->hub->offers, provider, base);
}

static void give(struct sn_supervisor *sup, struct sn_http_request *request, const char *owner,
		 struct sn_mp_message *specification)
{
	const struct sn_hub_offer *offer = named_offer(sup, owner, specification);
	const struct sn_sup_offered *wanted;
	struct sn_sup_view view;
	struct sn_err err = {0};
	struct sn_asker asker;

	sn_sup_asker_of(request, &asker);
	if (offer != NULL) {
		sn_sup_client_take(sup, request, &asker, specification, offer->token, SN_SUP_NODE);
		return;
	}
	sn_sup_view_make(sup, &asker, "", NULL, &view);
	wanted = choose(sup, &view, owner, specification, &err);
	if (wanted == NULL)
		refuse(request, 403, err.text);
	else
		sn_sup_client_take(sup, request, &asker, specification, wanted->message->token,
				   SN_SUP_NODE);
	sn_sup_view_finish(&view);
}

void sn_sup_post_old_specification(struct sn_http_request *request, void *ctx)
{
	struct sn_supervisor *sup = ((struct sn_hub *)ctx)->supervisor;
	struct sn_str text = sn_http_body(request);
	struct sn_err err = {0};
	sn_autojson json_t *body = NULL;
	sn_automp struct sn_mp_message *message = NULL;
	sn_autofree char *inner = NULL;
	void *pair;

	if (!sn_peer_sends_json(request))
		return;
	body = sn_json_parse(text.p, text.n, &err);
	pair = json_object_iter(body);
	if (json_object_size(body) != 1 || !json_is_object(json_object_iter_value(pair))) {
		refuse(request, 400,
		       body == NULL ? err.text : "not like {\"<who>\": <specification>}");
		return;
	}
	inner = json_dumps(json_object_iter_value(pair), JSON_COMPACT);
	message = sn_mp_decode(sup->hub->registries, inner, strlen(inner), 0, NULL, &err);
	if (message == NULL)
		refuse(request, 400, err.text);
	else if (message->kind != SN_MP_SPECIFICATION)
		refuse(request, 400, "only specifications can be registered here");
	else
		give(sup, request, json_object_iter_key(pair), message);
}

void sn_sup_post_old_result(struct sn_http_request *request, void *ctx)
{
	struct sn_supervisor *sup = ((struct sn_hub *)ctx)->supervisor;
	sn_automp struct sn_mp_message *message = NULL;
	struct sn_asker asker;

	sn_sup_asker_of(request, &asker);
	message = sn_peer_read(request, sup->hub->registries, NULL);
	if (message == NULL)
		return;
	if (message->kind != SN_MP_REDEMPTION && message->kind != SN_MP_INTERRUPT)
		refuse(request, 403, "only redemptions are expected here");
	else
		sn_sup_client_take(sup, request, &asker, message, NULL, SN_SUP_NODE);
}

void sn_sup_get_info(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;
	int64_t up_s = (sn_hub_now(hub) - hub->started_ns) / SN_NS_PER_S;

	sn_http_reply_json(request, 200,
			   json_pack("{s:s, s:s, s:s, s:I, s:I}", "title", "sonde-hub", "version",
				     SONDE_VERSION, "id", hub->id, "uptime", (json_int_t)up_s,
				     "capabilities", (json_int_t)sn_offers_count(hub->offers)));
}
