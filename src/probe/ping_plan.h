/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_plan: what is asked of a ping and how its requests are spread over time.
 *
 * Pure arithmetic, in nanoseconds.
 */
#ifndef SONDE_PROBE_PING_PLAN_H
#define SONDE_PROBE_PING_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "data/ping_load.h"

#define SN_PING_COUNT_MAX 65535 /* the 16-bit sequence number tells the requests of a run apart */
#define SN_PING_TICK_NS   (1 * SN_NS_PER_MS) /* requests closer together go out in one wake-up */

struct sn_ping_config {
	uint32_t count;
	uint64_t interval_ns, timeout_ns;
	uint64_t period_ns; /* 0: one run */
	size_t payload_size;
};

/* sn_ping_load_check() of it. */
int sn_ping_config_check(const struct sn_ping_config *config, uint32_t targets, struct sn_err *err);
/* `interval_ns`, or more where `targets` in it would pass SN_PING_RATE_MAX. */
uint64_t sn_ping_paced_interval(uint64_t interval_ns, uint32_t targets);
/* When the run of target `index` starts, relative to the start of the first. */
uint64_t sn_ping_start_offset(const struct sn_ping_config *config, uint32_t targets,
			      uint32_t index);
/*
 * How long to gather requests for one wake-up.  A wake-up costs as much as several requests, so
 * many requests go out in small bursts: small enough to queue for no more than some tens of
 * microseconds on a fast link.
 */
uint64_t sn_ping_gathering_time(const struct sn_ping_config *config, uint32_t targets);

#endif
