/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts: what one run of sonde-meter is made of, put together from its options.
 */
#ifndef SONDE_MAIN_METER_PARTS_H
#define SONDE_MAIN_METER_PARTS_H

#include <stdatomic.h>

#include "main/meter/options.h"
#include "meter/control/globals.h"
#include "meter/control/server.h"
#include "meter/ipfix/ipfix.h"
#include "meter/metrics.h"
#include "meter/output/rows.h"
#include "meter/output/summary.h"
#include "meter/series/rows.h"
#include "meter/session.h"
#include "meter/view/networks.h"
#include "net/enrich.h"

struct meter_parts {
	const struct meter_options *options;
	bool live;
	struct sn_globals globals;
	struct sn_settings_values settings;
	/* Who is inside */
	struct sn_networks *internal, *cloud, *hidden, *exempt;
	struct sn_stations *stations;
	struct sn_inside inside;
	struct sn_enrichment *enrichment;
	uint8_t key[32];
	bool has_key;
	/* Shared by the workers */
	struct sn_name_pool *names;
	struct sn_dns_cache *dns_cache;
	struct sn_orders orders;
	bool has_orders;
	struct sn_tstat_logs *logs;
	struct sn_ipfix *ipfix;
	struct sn_traffic_board *board;
	struct sn_traffic *traffic[SN_SESSION_WORKERS_MAX];
	struct sn_tally tally;
	struct sn_summary *summary;
	int out_fd;
	struct sn_rows_out *rows;
	struct sn_traffic_rows *traffic_rows;
	atomic_bool series_on;
	/* Of an interface; refuses what is read from files. */
	int (*set_filter)(struct meter_parts *parts, const char *filter, struct sn_err *err);
	struct sn_live *lives[SN_SESSION_WORKERS_MAX];
	size_t live_count;
	struct sn_session *session;
	struct sn_control *control;
};

/* Reads and opens everything that needs privileges or names; `parts` is zeroed but for the first
 * two members.  On errors close what there is. */
int meter_parts_open(struct meter_parts *parts, struct sn_err *err);
/* Starts what needs none: workers with their sinks, control. */
int meter_parts_start(struct meter_parts *parts, struct sn_err *err);
void meter_parts_close(struct meter_parts *parts);

#endif
