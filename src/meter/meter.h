/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter: packets in, flows out.
 *
 * Time is that of the packets.  A flow is reported when its connection has ended
 * (after a short linger for late segments), when it was idle for the idle
 * timeout, each time the active timeout has passed, when the table is full, and
 * at the end.  All lists are in order of time, so that a packet costs the same
 * whether the clock went on by a microsecond or by a year.
 *
 * When the table is full, the connection that ended first leaves; if none has
 * ended, the flow that is longest idle leaves with SN_END_FULL (longest to within
 * 134 ms).  When the clock goes back by more than the idle timeout, all flows are
 * reported with SN_END_END and metering goes on in the new time; smaller steps
 * back are reordering and change nothing but first and last.
 *
 * Each packet handed in is in exactly one flow or counted under one reason.
 */
#ifndef SONDE_METER_METER_H
#define SONDE_METER_METER_H

#include "meter/capture/packet.h"
#include "meter/decode/decode.h"
#include "meter/flow/flow.h"

#define SN_METER_LINGER_NS (2 * SN_NS_PER_S)

struct sn_meter_options {
	int64_t idle_ns;   /* at least 1 s */
	int64_t active_ns; /* at least 1 s; 0: never */
	size_t max_flows;  /* at least 1 */
};

/* The flow is the callee's to read until it returns; it has at least one packet. */
typedef void sn_meter_report_fn(const struct sn_flow *flow, enum sn_flow_end end, void *ctx);

struct sn_meter_count {
	uint64_t packets, bytes; /* bytes on the wire */
};

struct sn_meter_stats {
	struct sn_meter_count all;                    /* handed in */
	struct sn_meter_count skipped[SN_SKIP_COUNT]; /* of these: in no flow, by reason */
	int64_t first_ns, last_ns;                    /* valid if there were packets */
	uint64_t reports, evictions, clock_steps;
	uint64_t flows, flows_peak; /* in memory now, at most */
	size_t memory_peak_bytes;
};

struct sn_meter;

struct sn_meter *sn_meter_create(const struct sn_meter_options *options, sn_meter_report_fn *report,
				 void *ctx);
void sn_meter_destroy(struct sn_meter *meter); /* flows in it are forgotten; NULL is fine */

/*
 * Packets in the order they were captured.  `link` is a DLT_ value that sn_decode_supports();
 * `source` is kept in the flows they open.  Many at a time cost less each: while one is counted,
 * the memory of the flows of the next is on its way.
 */
void sn_meter_packets(struct sn_meter *meter, int link, const struct sn_packet *packets,
		      size_t count, uint16_t source);
/* No packets came, but time went on: report what is due. */
void sn_meter_advance(struct sn_meter *meter, int64_t now_ns);
/* Report all that is left. */
void sn_meter_flush(struct sn_meter *meter);

void sn_meter_read_stats(const struct sn_meter *meter, struct sn_meter_stats *stats);

#endif
