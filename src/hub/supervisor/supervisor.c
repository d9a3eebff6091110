/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "supervisor"
#include "hub/supervisor/supervisor.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/supervisor/internal.h"

#define TICK_NS      SN_NS_PER_S
#define TICKS_FORGET 3600 /* between two looks for requests of dropped measurements */

static void end_turn(struct sn_flush *flush)
{
	sn_sup_land(sn_container_of(flush, struct sn_supervisor, flush));
}

/* What was not ended when the hub was: it waits for the peers to come back. */
static void resume(struct sn_supervisor *sup)
{
	struct sn_measures *measures = sup->hub->measures;

	for (size_t i = 0; i < sn_measures_count(measures); i++) {
		const struct sn_measure *measure = sn_measures_at(measures, i);

		if (sn_measure_state_is_final(measure->state))
			continue;
		for (size_t j = 0; j < measure->part_count; j++)
			sn_sup_job_sync(sup, measure->parts[j]);
	}
}

static void forget_requests(struct sn_supervisor *sup)
{
	struct sn_err err = {0};

	/* Of measurements that were dropped. */
	(void)sn_db_run(sup->hub->control, &err,
			"DELETE FROM mplane_requests WHERE measure NOT IN"
			" (SELECT id FROM measurements)",
			"");
}

static void tick(struct sn_timer *timer)
{
	struct sn_supervisor *sup = sn_container_of(timer, struct sn_supervisor, tick);

	sn_timer_in(timer, TICK_NS);
	if (++sup->ticks % TICKS_FORGET == 0)
		forget_requests(sup);
	sn_sup_peers_tick(sup);
}

int sn_supervisor_open(struct sn_hub *hub, struct sn_supervisor **supervisor,
		       struct sn_err *err SN_UNUSED)
{
	struct sn_supervisor *sup = sn_new(struct sn_supervisor);

	sup->hub = hub;
	sup->loop = hub->loop;
	sup->peers = sn_map_create(NULL);
	sup->above = sn_map_create(NULL);
	sup->shown_by_token = sn_map_create(NULL);
	sn_list_init(&sup->peer_list);
	sn_list_init(&sup->waits);
	sn_list_init(&sup->landed);
	sn_list_init(&sup->answers);
	sn_list_init(&sup->shown);
	/* Labels made before a restart are not made again soon. */
	sup->serial = (uint64_t)(sn_hub_now(hub) / SN_NS_PER_S);
	*supervisor = sup;
	forget_requests(sup);
	sn_sup_exports_open(sup);
	sn_sup_called_open(sup);
	sn_sup_parent_open(sup);
	resume(sup);
	/* Behind that of the ingest, which is there already: rows are stored first. */
	sn_flush_init(&sup->flush, sup->loop, end_turn);
	sn_timer_init(&sup->tick, sup->loop, tick);
	sn_timer_in(&sup->tick, TICK_NS);
	return 0;
}

void sn_supervisor_close(struct sn_supervisor *sup)
{
	if (sup == NULL)
		return;
	sn_sup_land(sup);
	sup->closing = true;
	sn_flush_stop(&sup->flush);
	sn_timer_stop(&sup->tick);
	sn_sup_parent_close(sup);
	sn_sup_client_finish(sup);
	sn_list_for_each (link, &sup->peer_list)
		sn_sup_peer_destroy(sn_list_entry(link, struct sn_sup_peer, link));
	sn_sup_called_close(sup);
	sn_sup_exports_close(sup);
	sn_sup_shown_finish(sup);
	sn_map_destroy(sup->peers);
	sn_map_destroy(sup->above);
	free(sup);
}

void sn_supervisor_measure_changed(struct sn_supervisor *sup, const struct sn_measure *measure,
				   const struct sn_measure_part *part)
{
	if (sup == NULL || sup->closing)
		return;
	if (part != NULL)
		sn_sup_job_sync(sup, part);
	sn_sup_client_changed(sup, measure);
	sn_sup_parent_changed(sup, measure);
}

void sn_supervisor_offers_changed(struct sn_supervisor *sup)
{
	if (sup != NULL && !sup->closing)
		sn_sup_parent_offers(sup);
}
