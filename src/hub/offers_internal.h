/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the offers (offers.c, offers_node.c, offers_json.c) share. */
#ifndef SONDE_HUB_OFFERS_INTERNAL_H
#define SONDE_HUB_OFFERS_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "hub/offers.h"

/* Offers that can be walked and left in any order; each knows its place. */
struct sn_offer_list {
	const struct sn_hub_offer **items;
	size_t count, room;
};

/* A capability that is the same for many nodes. */
struct sn_offer_shared {
	char *key; /* all that it was made of */
	unsigned users;
	struct sn_mp_message *capability;
};

struct sn_offer_label {
	char *name;
	struct sn_offer_list offers;
};

struct sn_offer_provider {
	char *name;
	struct sn_list offers; /* struct sn_offer_entry.link */
	size_t count;
	struct sn_map *by_own_token; /* of a peer: struct sn_offer_entry by the token it gave */
	uint64_t can, is; /* of a node: hashes of what offers follow from, and of what selects it */
};

struct sn_offer_entry {
	struct sn_hub_offer offer;
	struct sn_list link; /* of the provider */
	struct sn_offer_provider *provider;
	struct sn_offer_label *label;
	struct sn_offer_shared *shared; /* of a node */
	struct sn_mp_message *own;      /* of a peer */
	size_t at, at_label;            /* places in the lists of all and of the label */
};

struct sn_offers {
	const struct sn_mp_registries *registries;
	struct sn_offer_list all;
	struct sn_map *by_token;  /* struct sn_offer_entry */
	struct sn_map *providers; /* struct sn_offer_provider */
	struct sn_map *labels;    /* struct sn_offer_label */
	struct sn_map *shared;    /* struct sn_offer_shared */
	sn_offers_change_fn *on_change;
	void *change_ctx;
	sn_offers_arrival_fn *on_arrival;
	void *arrival_ctx;
};

static inline struct sn_offer_entry *sn_offer_entry_of(const struct sn_hub_offer *offer)
{
	return sn_container_of((struct sn_hub_offer *)offer, struct sn_offer_entry, offer);
}

size_t sn_offer_list_add(struct sn_offer_list *list, const struct sn_hub_offer *offer);
void sn_offers_unshare(struct sn_offers *offers, struct sn_offer_shared *shared);
struct sn_offer_provider *sn_offers_provider(struct sn_offers *offers, const char *name);
void sn_offers_forget_provider(struct sn_offers *offers, struct sn_offer_provider *provider);
/* Takes an entry with capability, native and node into all lists; NULL when there is such a one. */
struct sn_offer_entry *sn_offers_insert(struct sn_offers *offers,
					struct sn_offer_provider *provider,
					const struct sn_mp_message *capability);
void sn_offers_remove(struct sn_offers *offers, struct sn_offer_entry *entry);
void sn_offers_tell(struct sn_offers *offers, const struct sn_offer_entry *entry, bool arrived);

#endif
