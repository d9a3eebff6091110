/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the summary has gathered: summary.c collects, summary_text.c writes.
 *
 * Each worker has a part of its own, so that none waits for another with every
 * flow; who writes puts them together.
 */
#ifndef SONDE_METER_OUTPUT_SUMMARY_INTERNAL_H
#define SONDE_METER_OUTPUT_SUMMARY_INTERNAL_H

#include "meter/output/hosts.h"
#include "meter/output/spread.h"
#include "meter/output/summary.h"
#include "meter/output/tally.h"

#define SN_SUMMARY_NAME_MAX  64
#define SN_SUMMARY_PROTOCOLS 4

struct sn_summary_total {
	uint64_t flows, packets, bytes;
};

struct sn_summary_flow { /* copied: the flow is gone when the summary is written */
	uint64_t bytes[2], packets;
	char ends[2][SN_VIEW_ADDRESS_MAX + 10]; /* "[2001:db8::1]:443" */
	char name[SN_SUMMARY_NAME_MAX];
	uint8_t protocol;
};

struct sn_summary_tcp {
	uint64_t flows, complete, unanswered, reset, mid_stream;
	uint64_t segments, retransmitted, out_of_order;
	struct sn_spread handshake_ns; /* per connection */
	struct sn_spread rtt_ns[2];    /* mean of a connection: meter to client, to server */
	struct sn_spread losses_ppm;   /* retransmitted of 1,000,000 segments with data */
};

#define SN_SUMMARY_WORDS 32 /* a power of two; there are fewer applications */

struct sn_summary_part {
	struct sn_summary_total totals[SN_SUMMARY_PROTOCOLS];
	struct sn_hosts *hosts;
	struct sn_tally *applications, *names;
	struct { /* entries of applications by the address of the word, which is a constant */
		const char *word;
		struct sn_tally_entry *entry;
	} words[SN_SUMMARY_WORDS];
	struct sn_summary_flow *flows; /* largest first */
	size_t top, flow_count;
	struct sn_summary_tcp tcp;
};

struct sn_summary {
	size_t top, part_count;
	struct sn_summary_part **parts;
};

extern const uint8_t sn_summary_protocols[SN_SUMMARY_PROTOCOLS];

/* All of it, to be given back. */
const struct sn_summary_part *sn_summary_sum(const struct sn_summary *summary);
void sn_summary_let_go(const struct sn_summary *summary, const struct sn_summary_part *sum);

#endif
