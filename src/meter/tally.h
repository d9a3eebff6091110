/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally: reports of flows, counted by protocol and by why they were made; for those
 * who watch a meter while it runs.
 */
#ifndef SONDE_METER_TALLY_H
#define SONDE_METER_TALLY_H

#include <stdatomic.h>

#include "meter/output/sink.h"

enum sn_tally_protocol {
	SN_TALLY_TCP,
	SN_TALLY_UDP,
	SN_TALLY_ICMP,
	SN_TALLY_ICMP6,
	SN_TALLY_KINDS
};
extern const char *const sn_tally_names[SN_TALLY_KINDS];

struct sn_tally { /* zeroed is empty; shared by the workers, read by anybody */
	struct sn_tally_count {
		_Atomic uint64_t reports[SN_END_END + 1];
		_Atomic uint64_t packets, bytes; /* that the reports tell of; IP */
	} kinds[SN_TALLY_KINDS];
};

struct sn_sink sn_tally_sink(struct sn_tally *tally); /* borrowed: it outlives the sink */

#endif
