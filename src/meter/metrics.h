/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: the numbers of a running meter as text for monitoring (base/metrics.h).
 *
 * One table holds every metric: its name, type, unit and help, and where the number
 * comes from.  Sets of labels are bounded: reasons, protocols, logs, interfaces.
 */
#ifndef SONDE_METER_METRICS_H
#define SONDE_METER_METRICS_H

#include "base/buf.h"
#include "meter/ipfix/ipfix.h"
#include "meter/log/log.h"
#include "meter/series/series.h"
#include "meter/session.h"
#include "meter/tally.h"

/* Each pointer may be NULL: there is no such part, and its metrics are left out. */
struct sn_meter_facts {
	const struct sn_session_stats *session;
	const struct sn_tally *tally;
	const struct sn_tstat_stats *logs;
	const struct sn_ipfix_stats *ipfix;
	const struct sn_traffic_stats *series;
	const struct sn_name_pool *names;
};
void sn_meter_metrics(struct sn_buf *out, const struct sn_meter_facts *facts, bool open_metrics);

/* IP packets of the link that are in no flow: dropped before they were metered, or skipped. */
uint64_t sn_meter_ignored(const struct sn_session_stats *stats);

#endif
