/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_internal: what the parts of app/ share: pools, names, counters of refusals
 * and who watches.  One struct sn_apps per worker, so nothing here locks.
 *
 * What hangs on a flow comes from a pool and goes back when the flow leaves.
 * Scratch that only some flows need for some packets (a hello in several
 * segments, a header line) is allocated with app_scratch_*() and counted.
 */
#ifndef SONDE_METER_APP_APP_INTERNAL_H
#define SONDE_METER_APP_APP_INTERNAL_H

#include "meter/app/app.h"
#include "meter/flow/pool.h"

struct sn_app_udp_pools; /* udp.c */

struct sn_apps {
	struct sn_name_pool *names;     /* borrowed */
	struct sn_dns_cache *dns_cache; /* borrowed; NULL: flows are not named */
	bool off;
	struct sn_app_watch watch;
	uint64_t refused[SN_APP_REFUSALS];
	size_t scratch_bytes; /* of sn_app_scratch_take() */
	struct sn_pool tcp_pool, parser_pool, tls_pool, tls_reader_pool, http_pool, dns_pool;
	struct sn_pool video_pool;
	struct sn_app_udp_pools *udp;
};

static inline void app_refuse(struct sn_apps *apps, enum sn_app_refusal reason)
{
	apps->refused[reason]++;
}

/* Puts a reference to `text` into an empty `slot`; a slot that has a name keeps it. */
void sn_app_name_once(struct sn_apps *apps, struct sn_name **slot, struct sn_str text);
void sn_app_name_drop(struct sn_apps *apps, struct sn_name **slot);

/* tcp.c: what the flow keeps of its video. */
struct sn_app_tcp;
struct sn_app_video *sn_app_video_of(struct sn_apps *apps, struct sn_app_tcp *app);

/* Not zeroed; NULL when the worker has SN_APP_SCRATCH_MAX.  Give back with the same size. */
#define SN_APP_SCRATCH_MAX ((size_t)64 * 1024 * 1024)
void *sn_app_scratch_take(struct sn_apps *apps, size_t size);
void sn_app_scratch_give(struct sn_apps *apps, void *scratch, size_t size); /* NULL is fine */

/* udp.c: memory of all that UDP flows hang on themselves. */
struct sn_app_udp_pools *sn_app_udp_pools_create(void);
void sn_app_udp_pools_destroy(struct sn_app_udp_pools *pools);
size_t sn_app_udp_pools_memory(const struct sn_app_udp_pools *pools);

/* tcp.c */
void sn_app_tcp_init(struct sn_apps *apps);
void sn_app_tcp_finish(struct sn_apps *apps); /* flows that were not forgotten are lost with it */

#endif
