/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "offers"
#include "hub/offers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/offers_internal.h"

/* Lists ----------------------------------------------------------------------- */

size_t sn_offer_list_add(struct sn_offer_list *list, const struct sn_hub_offer *offer)
{
	if (list->count == list->room) {
		list->room = list->room > 0 ? list->room * 2 : 8;
		list->items = sn_xrealloc(list->items, list->room, sizeof(*list->items));
	}
	list->items[list->count] = offer;
	return list->count++;
}

/* The last one takes the free place; it is returned, to be told so (NULL: it was the last). */
static struct sn_offer_entry *list_remove(struct sn_offer_list *list, size_t at)
{
	list->count--;
	if (at == list->count)
		return NULL;
	list->items[at] = list->items[list->count];
	return sn_offer_entry_of(list->items[at]);
}

/* Labels and providers --------------------------------------------------------- */

static struct sn_offer_label *label_called(struct sn_offers *offers, const char *name)
{
	struct sn_offer_label *label = sn_map_get(offers->labels, name);

	if (label != NULL)
		return label;
	label = sn_new(struct sn_offer_label);
	label->name = sn_xstrdup(name);
	sn_map_set(offers->labels, name, label);
	return label;
}

static void label_release(void *value)
{
	struct sn_offer_label *label = value;

	free(label->offers.items);
	free(label->name);
	free(label);
}

struct sn_offer_provider *sn_offers_provider(struct sn_offers *offers, const char *name)
{
	struct sn_offer_provider *provider = sn_map_get(offers->providers, name);

	if (provider != NULL)
		return provider;
	provider = sn_new(struct sn_offer_provider);
	provider->name = sn_xstrdup(name);
	provider->by_own_token = sn_map_create(NULL);
	sn_list_init(&provider->offers);
	sn_map_set(offers->providers, name, provider);
	return provider;
}

static void provider_release(void *value)
{
	struct sn_offer_provider *provider = value;

	sn_map_destroy(provider->by_own_token);
	free(provider->name);
	free(provider);
}

void sn_offers_forget_provider(struct sn_offers *offers, struct sn_offer_provider *provider)
{
	sn_list_for_each (link, &provider->offers)
		sn_offers_remove(offers, sn_list_entry(link, struct sn_offer_entry, link));
	sn_map_remove(offers->providers, provider->name);
}

/* Entries ------------------------------------------------------------------------ */

static bool has_token(const struct sn_mp_message *message)
{
	return message->token != NULL && message->token[0] != '\0';
}

struct sn_offer_entry *sn_offers_insert(struct sn_offers *offers,
					struct sn_offer_provider *provider,
					const struct sn_mp_message *capability)
{
	struct sn_offer_entry *entry = sn_new(struct sn_offer_entry);

	sn_mp_token_of_capability(capability, provider->name, entry->offer.token);
	if (sn_map_get(offers->by_token, entry->offer.token) != NULL) {
		free(entry);
		return NULL;
	}
	entry->offer.capability = capability;
	entry->offer.provider = provider->name;
	sn_mp_schema_hash(capability, entry->offer.schema);
	entry->provider = provider;
	sn_list_append(&provider->offers, &entry->link);
	provider->count++;
	entry->label = label_called(offers, capability->label);
	entry->at = sn_offer_list_add(&offers->all, &entry->offer);
	entry->at_label = sn_offer_list_add(&entry->label->offers, &entry->offer);
	sn_map_set(offers->by_token, entry->offer.token, entry);
	if (has_token(capability))
		sn_map_set(provider->by_own_token, capability->token, entry);
	return entry;
}

void sn_offers_unshare(struct sn_offers *offers, struct sn_offer_shared *shared)
{
	if (--shared->users == 0)
		sn_map_remove(offers->shared, shared->key);
}

static void shared_release(void *value)
{
	struct sn_offer_shared *shared = value;

	sn_mp_message_destroy(shared->capability);
	free(shared->key);
	free(shared);
}

static void entry_destroy(struct sn_offers *offers, struct sn_offer_entry *entry)
{
	if (entry->shared != NULL)
		sn_offers_unshare(offers, entry->shared);
	sn_mp_message_destroy(entry->own);
	free(entry);
}

void sn_offers_remove(struct sn_offers *offers, struct sn_offer_entry *entry)
{
	struct sn_offer_entry *moved;

	sn_list_remove(&entry->link);
	entry->provider->count--;
	sn_map_remove(offers->by_token, entry->offer.token);
	if (has_token(entry->offer.capability))
		sn_map_remove(entry->provider->by_own_token, entry->offer.capability->token);
	moved = list_remove(&offers->all, entry->at);
	if (moved != NULL)
		moved->at = entry->at;
	moved = list_remove(&entry->label->offers, entry->at_label);
	if (moved != NULL)
		moved->at_label = entry->at_label;
	sn_offers_tell(offers, entry, false);
	if (entry->label->offers.count == 0)
		sn_map_remove(offers->labels, entry->label->name);
	entry_destroy(offers, entry);
}

void sn_offers_tell(struct sn_offers *offers, const struct sn_offer_entry *entry, bool arrived)
{
	if (arrived && offers->on_arrival != NULL)
		offers->on_arrival(&entry->offer, offers->arrival_ctx);
	if (offers->on_change != NULL)
		offers->on_change(entry->label->name, offers->change_ctx);
}

/* All of them -------------------------------------------------------------------- */

struct sn_offers *sn_offers_create(const struct sn_mp_registries *registries)
{
	struct sn_offers *offers = sn_new(struct sn_offers);

	offers->registries = registries;
	offers->by_token = sn_map_create(NULL);
	offers->providers = sn_map_create(provider_release);
	offers->labels = sn_map_create(label_release);
	offers->shared = sn_map_create(shared_release);
	return offers;
}

void sn_offers_destroy(struct sn_offers *offers)
{
	if (offers == NULL)
		return;
	for (size_t i = 0; i < offers->all.count; i++)
		entry_destroy(offers, sn_offer_entry_of(offers->all.items[i]));
	free(offers->all.items);
	sn_map_destroy(offers->by_token);
	sn_map_destroy(offers->providers);
	sn_map_destroy(offers->labels);
	sn_map_destroy(offers->shared);
	free(offers);
}

void sn_offers_on_change(struct sn_offers *offers, sn_offers_change_fn *fn, void *ctx)
{
	offers->on_change = fn;
	offers->change_ctx = ctx;
}

void sn_offers_on_arrival(struct sn_offers *offers, sn_offers_arrival_fn *fn, void *ctx)
{
	offers->on_arrival = fn;
	offers->arrival_ctx = ctx;
}

size_t sn_offers_count(const struct sn_offers *offers)
{
	return offers->all.count;
}

const struct sn_hub_offer *sn_offers_at(const struct sn_offers *offers, size_t i)
{
	return offers->all.items[i];
}

const struct sn_hub_offer *sn_offers_by_token(const struct sn_offers *offers, const char *token)
{
	const struct sn_offer_entry *entry = sn_map_get(offers->by_token, token);

	return entry != NULL ? &entry->offer : NULL;
}

/* Along the offers of a provider, `after` not among them. */
static const struct sn_hub_offer *next_labelled(const struct sn_offer_provider *provider,
						const struct sn_offer_label *label,
						const struct sn_list *after)
{
	for (const struct sn_list *link = after->next; link != &provider->offers;
	     link = link->next) {
		const struct sn_offer_entry *entry =
			sn_list_entry((struct sn_list *)link, struct sn_offer_entry, link);

		if (entry->label == label)
			return &entry->offer;
	}
	return NULL;
}

/* Along the offers of a label, from place `at` on. */
static const struct sn_hub_offer *next_provided(const struct sn_offer_label *label,
						const struct sn_offer_provider *provider, size_t at)
{
	for (; at < label->offers.count; at++) {
		if (sn_offer_entry_of(label->offers.items[at])->provider == provider)
			return label->offers.items[at];
	}
	return NULL;
}

const struct sn_hub_offer *sn_offers_next_of(const struct sn_offers *offers, const char *provider,
					     const char *label, const struct sn_hub_offer *after)
{
	const struct sn_offer_provider *of = sn_map_get(offers->providers, provider);
	const struct sn_offer_label *called = sn_map_get(offers->labels, label);
	const struct sn_offer_entry *before = after != NULL ? sn_offer_entry_of(after) : NULL;

	if (of == NULL || called == NULL)
		return NULL;
	/* Thousands may offer the same, and one may offer thousands: the shorter way. */
	if (of->count <= called->offers.count)
		return next_labelled(of, called, before != NULL ? &before->link : &of->offers);
	return next_provided(called, of, before != NULL ? before->at_label + 1 : 0);
}

const struct sn_hub_offer *sn_offers_of(const struct sn_offers *offers, const char *provider,
					const char *label)
{
	return sn_offers_next_of(offers, provider, label, NULL);
}

bool sn_offers_has_label(const struct sn_offers *offers, const char *label)
{
	return sn_map_get(offers->labels, label) != NULL;
}

size_t sn_offers_labelled(const struct sn_offers *offers, const char *label,
			  const struct sn_hub_offer *const **list)
{
	const struct sn_offer_label *found = sn_map_get(offers->labels, label);

	*list = found != NULL ? found->offers.items : NULL;
	return found != NULL ? found->offers.count : 0;
}

struct sn_mp_message *sn_offer_listed(const struct sn_hub_offer *offer)
{
	struct sn_mp_message *copy = sn_mp_message_copy(offer->capability);

	sn_mp_set_text(&copy->token, offer->token);
	if (offer->node != NULL)
		(void)sn_mp_add_meta(copy, "System_ID", offer->node->name, NULL);
	return copy;
}

const char *sn_offer_dataset(const struct sn_mp_offer *native, const char *label,
			     const char *schema, char out[SN_OFFER_DATASET_MAX])
{
	int n;

	if (native != NULL) {
		snprintf(out, SN_OFFER_DATASET_MAX, "%s", native->method->dataset->name);
		return out;
	}
	n = snprintf(out, SN_OFFER_DATASET_MAX, "mp_%.100s_%.8s", label, schema);
	for (int i = 0; i < n; i++) {
		char c = out[i] >= 'A' && out[i] <= 'Z' ? (char)(out[i] | 0x20) : out[i];

		out[i] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
	}
	return out;
}

/* Peers ---------------------------------------------------------------------------- */

static struct sn_offer_entry *find_by_schema(struct sn_offer_provider *provider,
					     const struct sn_mp_message *message)
{
	char schema[SN_MP_HASH_SIZE];

	sn_mp_schema_hash(message, schema);
	sn_list_for_each (link, &provider->offers) {
		struct sn_offer_entry *entry = sn_list_entry(link, struct sn_offer_entry, link);

		if (strcmp(entry->offer.schema, schema) == 0 &&
		    (message->label == NULL || strcmp(entry->label->name, message->label) == 0))
			return entry;
	}
	return NULL;
}

static int check_capability(const struct sn_offers *offers, const struct sn_mp_message *capability,
			    struct sn_err *err)
{
	if (capability->kind != SN_MP_CAPABILITY)
		return sn_err_set(err, -EINVAL, "a %s is no capability",
				  sn_mp_kind_name(capability->kind));
	if (sn_mp_message_check(capability, err) != 0)
		return err != NULL ? err->code : -EINVAL;
	if (capability->label == NULL || capability->label[0] == '\0')
		return sn_err_set(err, -EINVAL, "a capability without a label cannot be asked for");
	if (offers->all.count >= SN_OFFERS_MAX)
		return sn_err_set(err, -E2BIG, "the hub has %d capabilities, which is the limit",
				  SN_OFFERS_MAX);
	return 0;
}

static struct sn_offer_entry *one_before(const struct sn_offers *offers,
					 struct sn_offer_provider *provider,
					 const struct sn_mp_message *capability)
{
	char token[SN_MP_HASH_SIZE];
	struct sn_offer_entry *before;

	if (!has_token(capability))
		return find_by_schema(provider, capability);
	before = sn_map_get(provider->by_own_token, capability->token);
	if (before != NULL)
		return before;
	/* Equal but for the token that its provider gives it: that was drawn anew. */
	sn_mp_token_of_capability(capability, provider->name, token);
	return sn_map_get(offers->by_token, token);
}

int sn_offers_register(struct sn_offers *offers, const char *name, struct sn_mp_message *capability,
		       struct sn_err *err)
{
	sn_automp struct sn_mp_message *given = capability;
	struct sn_offer_provider *provider;
	struct sn_offer_entry *before, *entry;

	if (check_capability(offers, given, err) != 0)
		return err != NULL ? err->code : -EINVAL;
	provider = sn_offers_provider(offers, name);
	before = one_before(offers, provider, given);
	if (before != NULL && sn_mp_message_equal(before->offer.capability, given))
		return 0;
	if (before == NULL && provider->count >= SN_OFFERS_PER_PEER)
		return sn_err_set(err, -E2BIG, "'%s' offers %d capabilities, which is the limit",
				  name, SN_OFFERS_PER_PEER);
	if (before != NULL)
		sn_offers_remove(offers, before);
	entry = sn_offers_insert(offers, provider, given);
	if (entry == NULL)
		return sn_err_set(err, -EINVAL, "this provider offers the same already");
	entry->own = given;
	given = NULL;
	sn_offers_tell(offers, entry, true);
	return 0;
}

int sn_offers_withdraw(struct sn_offers *offers, const char *name,
		       const struct sn_mp_message *withdrawal)
{
	struct sn_offer_provider *provider = sn_map_get(offers->providers, name);
	struct sn_offer_entry *entry = NULL;

	if (provider != NULL && has_token(withdrawal))
		entry = sn_map_get(provider->by_own_token, withdrawal->token);
	if (provider != NULL && entry == NULL)
		entry = find_by_schema(provider, withdrawal);
	if (entry == NULL)
		return -ENOENT;
	sn_offers_remove(offers, entry);
	if (provider->count == 0)
		sn_map_remove(offers->providers, provider->name);
	return 0;
}

unsigned sn_offers_withdraw_all(struct sn_offers *offers, const char *name)
{
	struct sn_offer_provider *provider = sn_map_get(offers->providers, name);
	unsigned count;

	if (provider == NULL)
		return 0;
	count = (unsigned)provider->count;
	sn_offers_forget_provider(offers, provider);
	return count;
}
