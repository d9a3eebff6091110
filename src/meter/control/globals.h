/* SPDX-License-Identifier: Apache-2.0 */
/*
 * globals: Tstat's globals.conf: limits and timeouts that hold from the start.
 *
 * Keys that size Tstat's own tables (hash_table_size, list_search_dept, gc_...,
 * max_*_hosts, ...) are taken and change nothing here: this meter's tables grow.
 */
#ifndef SONDE_METER_CONTROL_GLOBALS_H
#define SONDE_METER_CONTROL_GLOBALS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct sn_globals {
	int64_t tcp_idle_ns, udp_idle_ns, tcp_singleton_ns, udp_singleton_ns;
	int64_t step_ns;                       /* max_time_step */
	int64_t periodic_ns;                   /* log_periodic_interval */
	int64_t runtime_check_ns;              /* runtime_config_idle, wall clock */
	uint64_t max_tcp_flows, max_udp_flows; /* max_tcp_pairs, max_udp_pairs */
	uint64_t directories;                  /* dirs: steps of one directory */
	uint64_t dns_cache_size;
	uint64_t max_segments;   /* max_seg_per_quad */
	uint64_t runtime_checks; /* runtime_mtime_counter */
	uint64_t crypto_ipv6_masks[4];
};

void sn_globals_default(struct sn_globals *globals); /* Tstat's */
/* `ignored` (may be NULL) names the keys that change nothing. */
int sn_globals_parse(struct sn_str text, const char *name, struct sn_globals *globals,
		     struct sn_buf *ignored, struct sn_err *err);

#endif
