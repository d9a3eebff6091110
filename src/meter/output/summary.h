/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary: what a person wants to know about a capture: totals, protocols, the
 * largest hosts and flows, and everything that was not metered, by reason.
 */
#ifndef SONDE_METER_OUTPUT_SUMMARY_H
#define SONDE_METER_OUTPUT_SUMMARY_H

#include "base/buf.h"
#include "meter/capture/ring.h"
#include "meter/meter.h"

#define SN_SUMMARY_TOP_MAX 1000

struct sn_summary;

/* `top` rows in each of the two lists, at most SN_SUMMARY_TOP_MAX. */
struct sn_summary *sn_summary_create(size_t top);
void sn_summary_destroy(struct sn_summary *summary); /* NULL is fine */
void sn_summary_add(struct sn_summary *summary, const struct sn_flow *flow, enum sn_flow_end end);

struct sn_summary_facts {
	const char *source; /* "12 files", "interface 'eth0'" */
	const struct sn_meter_stats *meter;
	const struct sn_ring_stats *ring; /* NULL: files */
	uint64_t filtered;                /* packets of files that the filter left out */
};
void sn_summary_write(const struct sn_summary *summary, const struct sn_summary_facts *facts,
		      struct sn_buf *out);
/* One line, empty if nothing was left out: "not metered: not_ip 3; dropped by the kernel: 12". */
void sn_summary_write_losses(const struct sn_summary_facts *facts, struct sn_buf *out);

#endif
