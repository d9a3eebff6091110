/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary: what a person wants to know about a capture: totals, protocols,
 * applications, names, the largest hosts and flows, how well TCP did, and
 * everything that was not metered, by reason.
 *
 * Each worker has a sink of its own; the sinks are made before the workers run and
 * the summary is written when they have finished.  It knows what the views tell, so
 * that addresses and names in it are as private as in every other output.
 */
#ifndef SONDE_METER_OUTPUT_SUMMARY_H
#define SONDE_METER_OUTPUT_SUMMARY_H

#include "base/buf.h"
#include "meter/capture/losses.h"
#include "meter/output/sink.h"
#include "meter/worker.h"

#define SN_SUMMARY_TOP_MAX 1000

struct sn_summary;

/* `top` rows in each of the lists, at most SN_SUMMARY_TOP_MAX; 0: no lists, and nothing kept for
 * them. */
struct sn_summary *sn_summary_create(size_t top);
void sn_summary_destroy(struct sn_summary *summary); /* after its sinks; NULL is fine */
struct sn_sink sn_summary_sink_create(struct sn_summary *summary);

struct sn_summary_facts {
	const char *source; /* "12 files", "interface 'eth0'" */
	const struct sn_worker_stats *worker;
	const struct sn_capture_losses *losses; /* by interface; of files that tell of them, too */
	size_t losses_count;
	uint64_t filtered; /* packets of files that the filter left out */
};
void sn_summary_write(const struct sn_summary *summary, const struct sn_summary_facts *facts,
		      struct sn_buf *out);
/* One line, empty if nothing was left out: "not metered: not_ip 3; dropped by the kernel: 12". */
void sn_summary_write_losses(const struct sn_summary_facts *facts, struct sn_buf *out);

#endif
