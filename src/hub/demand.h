/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demand: what a measurement asks of whom: its targets, and how often each provider sends to them.
 *
 * Most targets are in the specification and common to all that take part.  What a peer's capability
 * leaves no choice about is a target of that peer alone; it is known from the offer, and for sure
 * once the specification for it is made.
 */
#ifndef SONDE_HUB_DEMAND_H
#define SONDE_HUB_DEMAND_H

#include "hub/load.h"
#include "hub/measures.h"
#include "hub/offers.h"

struct sn_demand {
	char **targets; /* NULL-terminated; owned */
	size_t target_count, room;
	size_t common; /* of them, in front: targets of every provider */
	double rate;   /* samples per second that one provider sends to each target */
};

/* All targets; `provider`: the only one whose own count, or NULL.  `offers` may be NULL. */
void sn_demand_init(struct sn_demand *demand, const struct sn_measure *measure,
		    const struct sn_offers *offers, const char *provider);
void sn_demand_common(struct sn_demand *demand, const struct sn_measure *measure);
/* Only those of one provider; `given`: its capability, or the specification for it. */
void sn_demand_own(struct sn_demand *demand, const struct sn_measure *measure,
		   const struct sn_mp_message *given);
void sn_demand_finish(struct sn_demand *demand);

/* Is there something that each provider fills in by itself? */
bool sn_demand_is_open(const struct sn_measure *measure);

/* The common ones, from `factor` providers; what single ones send to, each once. */
void sn_demand_put(struct sn_load *load, const char *name, const struct sn_demand *demand,
		   double factor);
void sn_demand_put_own(struct sn_load *load, const char *name, const struct sn_demand *demand);

#endif
