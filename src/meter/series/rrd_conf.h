/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rrd_conf: which values of which histograms are told, in Tstat's rrd.conf.
 *
 *   # anywhere in a line makes it a comment
 *   ip_len_in       avg stdev idx:40,1500,other prc:50,95,99.9
 *   steps 60 300
 *   tcp_rtt_avg_in  avg min max var hit
 *
 * `steps` is ours: the lines behind it hold for these steps (1, 60, 300 seconds),
 * those before the first for all.
 */
#ifndef SONDE_METER_SERIES_RRD_CONF_H
#define SONDE_METER_SERIES_RRD_CONF_H

#include "base/err.h"
#include "base/str.h"
#include "meter/series/histogram.h"

#define SN_RRD_VALUES_MAX 8192
#define SN_RRD_STAT_MAX   16

enum sn_rrd_kind { SN_RRD_STAT, SN_RRD_INDEX, SN_RRD_OTHER, SN_RRD_PERCENTILE };

struct sn_rrd_value {
	enum sn_histogram_id histogram;
	enum sn_rrd_kind kind;
	unsigned steps;             /* mask as in struct sn_traffic_options */
	unsigned what;              /* enum sn_stat, or the bin of an index */
	double percent;             /* of a percentile */
	unsigned first, count;      /* OTHER: the values whose bins are not meant */
	char stat[SN_RRD_STAT_MAX]; /* "avg", "idx6", "idxoth", "prc99", "prc99.900" */
	const char *label;          /* static; "" */
};

struct sn_rrd_conf { /* zeroed is empty */
	struct sn_rrd_value *values;
	size_t count;
};

/* On errors `err` names the line ("rrd.conf:7: ...") and nothing is kept. */
int sn_rrd_conf_parse(struct sn_str text, const char *name, struct sn_rrd_conf *conf,
		      struct sn_err *err);
void sn_rrd_conf_finish(struct sn_rrd_conf *conf);

struct sn_str sn_rrd_conf_default(void); /* what is shipped (rrd.conf) */

#endif
