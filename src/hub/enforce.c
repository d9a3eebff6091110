/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/enforce.h"

static void tell_all_nodes(struct sn_hub *hub)
{
	for (size_t i = 0; i < sn_fleet_count(hub->fleet); i++)
		sn_hub_tell_tasks(hub, sn_fleet_at(hub->fleet, i));
}

static void review(struct sn_hub *hub, enum sn_enforcing stage, sn_measures_review_fn *fn)
{
	hub->enforcing = stage;
	sn_measures_review(hub->measures, fn, hub->authority, sn_hub_now(hub));
}

void sn_enforce_open(struct sn_hub *hub)
{
	(void)sn_measures_set_never(hub->measures, sn_authority_never(hub->authority));
	if (!sn_authority_was_applied(hub->authority))
		hub->enforcing = SN_ENFORCE_DUE;
}

void sn_enforce_policy(void *ctx)
{
	struct sn_hub *hub = ctx;

	if (sn_measures_set_never(hub->measures, sn_authority_never(hub->authority)))
		tell_all_nodes(hub);
	review(hub, SN_ENFORCE_RIGHTS, sn_authority_may_go_on);
}

void sn_enforce_tick(struct sn_hub *hub)
{
	if (sn_measures_is_reviewing(hub->measures))
		return;
	switch (hub->enforcing) {
	case SN_ENFORCE_DONE:
		break;
	case SN_ENFORCE_DUE:
		review(hub, SN_ENFORCE_RIGHTS, sn_authority_may_go_on);
		break;
	case SN_ENFORCE_RIGHTS:
		review(hub, SN_ENFORCE_RATES, sn_authority_fits_rate);
		break;
	case SN_ENFORCE_RATES:
		hub->enforcing = SN_ENFORCE_DONE;
		sn_authority_applied(hub->authority);
		break;
	}
}
