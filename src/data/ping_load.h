/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_load: what a ping asks of the network and of memory, and whether it can be had.
 *
 * Said here because hub and node refuse what the probe would refuse, before it is begun.
 */
#ifndef SONDE_DATA_PING_LOAD_H
#define SONDE_DATA_PING_LOAD_H

#include <stdint.h>

#include "base/err.h"

#define SN_PING_RATE_MAX 100000 /* requests per second */
/* Requests that are kept in mind at once, eight bytes each. */
#define SN_PING_OPEN_MAX (64 * 1000 * 1000)

struct sn_ping_load {
	uint64_t targets, count; /* requests to each target in a run */
	uint64_t interval_ns;    /* between two of them */
	uint64_t period_ns;      /* between the starts of two runs; 0: one run */
};

/* Requests a second while all targets are being asked. */
double sn_ping_load_rate(const struct sn_ping_load *load);
/*
 * -EINVAL with the reason if the requests of a run do not fit into the period, the rate
 * would be too high, or there are more requests than can be kept in mind.
 */
int sn_ping_load_check(const struct sn_ping_load *load, struct sn_err *err);

#endif
