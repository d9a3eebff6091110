/* SPDX-License-Identifier: Apache-2.0 */
/* A measurement while it is put together: measures_draft.c, and measures_choose.c for the part of
 * it that says who takes part. */
#ifndef SONDE_HUB_MEASURES_DRAFT_H
#define SONDE_HUB_MEASURES_DRAFT_H

#include "hub/measures_internal.h"

struct sn_draft_choice {
	char provider[SN_PROVIDER_MAX];
	const struct sn_mp_message *capability; /* NULL: of a node that was not heard of yet */
};

struct sn_draft {
	struct sn_measures *measures;
	const struct sn_measure_request *request;
	int64_t now_ns;
	struct sn_measured *measured;
	const struct sn_hub_offer *only; /* when it was asked for by token */
	const struct sn_hub_offer *const *offers;
	size_t offer_count;                     /* of the label */
	const struct sn_mp_message *capability; /* one of them, or ... */
	struct sn_mp_message *own;              /* ... the method's, when no node offers it yet */
	bool once;                              /* one run, now: who is away cannot take part */
	struct sn_draft_choice *chosen;
	size_t count, room;
	struct sn_err miss; /* why the last one that did not fit did not */
};

/* Fills the choice and the measurement's selection; -EINVAL, -ENOENT, -E2BIG. */
int sn_draft_choose(struct sn_draft *draft, struct sn_err *err);
/* Values that all who were chosen insist on become those of the specification. */
void sn_draft_settle_values(struct sn_draft *draft);

#endif
