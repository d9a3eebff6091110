/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offers: what can be asked for, and of whom.
 *
 * An offer is one capability of one provider: a node of ours (derived from the methods
 * and addresses of its heartbeat, mplane/offer.h) or an mPlane peer that has registered
 * it (a component, or a supervisor below us).  Offers are keyed by (provider, token of
 * the provider); clients know each by a token of its own that covers the provider, so
 * equal capabilities of two identities never mix.
 *
 * Offers with the same label, registry and schema make one group: what people call a
 * capability.  In memory only: nodes and peers say again what they offer.
 */
#ifndef SONDE_HUB_OFFERS_H
#define SONDE_HUB_OFFERS_H

#include <jansson.h>

#include "base/loop.h"
#include "hub/fleet.h"
#include "mplane/match.h"
#include "mplane/offer.h"

#define SN_OFFERS_MAX      1000000
#define SN_OFFERS_PER_PEER 10000
#define SN_PROVIDER_MAX    300 /* bytes of a provider's text, NUL included */

struct sn_hub_offer {
	char token[SN_MP_HASH_SIZE]; /* as clients know it */
	const char *provider;        /* "node:<id>" or "peer:<identity>" */
	/* As the provider gave it; for a node without System_ID (sn_offer_listed() adds it), so
	 * that nodes can share it. */
	const struct sn_mp_message *capability;
	const struct sn_mp_offer *native; /* NULL: of a peer */
	struct sn_node *node;             /* NULL: of a peer */
	char schema[SN_MP_HASH_SIZE];
	bool stale; /* a node that is offline: listed, not chosen for what starts now */
};

struct sn_offers;
typedef void sn_offers_change_fn(const char *label, void *ctx);

struct sn_offers *sn_offers_create(const struct sn_mp_registries *registries);
void sn_offers_destroy(struct sn_offers *offers);
void sn_offers_on_change(struct sn_offers *offers, sn_offers_change_fn *fn, void *ctx);

/* What `node` offers now, from its report; to be called when the report or state changes. */
void sn_offers_set_node(struct sn_offers *offers, struct sn_node *node);
/* Takes `capability` over. A registration again is a refresh. -EINVAL, -E2BIG with the reason. */
int sn_offers_register(struct sn_offers *offers, const char *provider,
		       struct sn_mp_message *capability, struct sn_err *err);
/* -ENOENT when this provider has none like that (by token, then by schema and label). */
int sn_offers_withdraw(struct sn_offers *offers, const char *provider,
		       const struct sn_mp_message *withdrawal);
unsigned sn_offers_withdraw_all(struct sn_offers *offers, const char *provider);

/*
 * Who wants to know of each offer that is new, or whose node has changed in a way that selections
 * look at (tags, country, network, addresses).
 */
typedef void sn_offers_arrival_fn(const struct sn_hub_offer *offer, void *ctx);
void sn_offers_on_arrival(struct sn_offers *offers, sn_offers_arrival_fn *fn, void *ctx);

size_t sn_offers_count(const struct sn_offers *offers);
const struct sn_hub_offer *sn_offers_at(const struct sn_offers *offers, size_t i);
const struct sn_hub_offer *sn_offers_by_token(const struct sn_offers *offers, const char *token);
const struct sn_hub_offer *sn_offers_of(const struct sn_offers *offers, const char *provider,
					const char *label);
/* All that a provider offers under a label, one after the other: the first after NULL; NULL: there
 * are no more.  Nothing may change meanwhile. */
const struct sn_hub_offer *sn_offers_next_of(const struct sn_offers *offers, const char *provider,
					     const char *label, const struct sn_hub_offer *after);
bool sn_offers_has_label(const struct sn_offers *offers, const char *label);
/* The offers of a label, in no particular order; borrowed until something changes. */
size_t sn_offers_labelled(const struct sn_offers *offers, const char *label,
			  const struct sn_hub_offer *const **list);

/* A copy for clients: with the token that they know, and System_ID of a node. */
struct sn_mp_message *sn_offer_listed(const struct sn_hub_offer *offer);
/* Dataset that the results of a capability are rows of: the method's, or derived from label and
 * schema. */
#define SN_OFFER_DATASET_MAX 128
const char *sn_offer_dataset(const struct sn_mp_offer *native, const char *label,
			     const char *schema, char out[SN_OFFER_DATASET_MAX]);

/* For GET /api/v1/capabilities: one object per group; see doc/internals/measurement-plane.md. */
typedef bool sn_offers_filter_fn(const struct sn_hub_offer *offer, void *ctx);
json_t *sn_offers_json(const struct sn_offers *offers, sn_offers_filter_fn *may_see, void *ctx);

#endif
