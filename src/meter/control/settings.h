/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: what of a running meter can be switched: logs and their column sets,
 * the capture filter, anonymisation, series.
 *
 * Each switch has a name (Tstat's keys of runtime.conf where it has one) and is
 * set either for good or for a time.  Switches for a time are leases: a switch is
 * on while at least one lease holds it, and goes back by itself when the last ends
 * (mPlane's Tstat proxy turned it off at the end of the first).
 */
#ifndef SONDE_METER_CONTROL_SETTINGS_H
#define SONDE_METER_CONTROL_SETTINGS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "meter/log/log.h"

#define SN_SETTINGS_LEASES_MAX 64
#define SN_SETTINGS_FILTER_MAX 4096

struct sn_settings_values {
	struct sn_tstat_choice logs;
	bool series;                         /* rrd_engine */
	bool histograms;                     /* histo_engine */
	char filter[SN_SETTINGS_FILTER_MAX]; /* pcap-filter(7); "" everything */
	char policy[SN_SETTINGS_FILTER_MAX]; /* lines of view/privacy.h; "" as started */
};

void sn_settings_values_default(struct sn_settings_values *values);

struct sn_settings;
/* Called whenever the values that hold have changed. */
typedef int sn_settings_apply_fn(const struct sn_settings_values *values, void *ctx,
				 struct sn_err *err);
struct sn_settings *sn_settings_create(const struct sn_settings_values *start,
				       sn_settings_apply_fn *apply, void *ctx);
void sn_settings_destroy(struct sn_settings *settings);
void sn_settings_values(const struct sn_settings *settings, struct sn_settings_values *values);

/*
 * `changes`: {"log_http_complete": true, "tcplog_options": 1, "filter": "tcp", ...}.  For
 * `for_ns` > 0 a lease, whose number is given back; 0: for good.  All or nothing.  `now_ns` is of
 * any clock that goes on.
 */
int sn_settings_change(struct sn_settings *settings, const json_t *changes, int64_t for_ns,
		       int64_t now_ns, uint64_t *lease, struct sn_err *err);
int sn_settings_release(struct sn_settings *settings, uint64_t lease, struct sn_err *err);
/* Ends leases that are over; when the next is (INT64_MAX: none). */
int64_t sn_settings_expire(struct sn_settings *settings, int64_t now_ns);
/* What holds without any lease, all at once (a changed runtime.conf). */
int sn_settings_replace(struct sn_settings *settings, const struct sn_settings_values *values,
			struct sn_err *err);
/*
 * {"values": {NAME: VALUE, ...}, "leases": [{"lease", "until", "changes"}]}.  `offset_ns` is what
 * Unix time is ahead of the clock whose times the other functions were given.
 */
json_t *sn_settings_describe(const struct sn_settings *settings, int64_t offset_ns);

/*
 * Tstat's runtime.conf: sections [log], [options] and [dump].  Keys that are not given are as
 * Tstat starts without the file; an unknown key is refused with its line.  Packets are not dumped:
 * what asks for it in [dump] is named in `ignored` (may be NULL).
 */
int sn_runtime_conf_parse(struct sn_str text, const char *name, struct sn_settings_values *values,
			  struct sn_buf *ignored, struct sn_err *err);

#endif
