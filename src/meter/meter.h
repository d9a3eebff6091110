/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter: packets in, flows out.
 *
 * Time is that of the packets.  A flow is reported once, when it ends: when its
 * connection has closed (what comes late is counted as such for a short while),
 * when it was idle for the timeout of its kind, when the table is full, and at the
 * end; and, with an active timeout, in between (SN_END_ACTIVE).  All lists are in
 * order of time, so that a packet costs the same whether the clock went on by a
 * microsecond or by ten years.
 *
 * Idle flows are looked for when another flow begins and by sn_meter_advance().  As
 * with Tstat, a flow that goes on before that happens is still the same one, unless
 * it was silent for more than two timeouts.
 *
 * When the table is full, the connection that ended first leaves; if none has
 * ended, the flow that is longest idle leaves with SN_END_FULL (longest to within
 * 134 ms).  When the clock goes back by more than the longest idle timeout, all
 * flows are reported with SN_END_END and metering goes on in the new time; smaller
 * steps back are reordering.
 *
 * TCP follows Tstat's rules: a SYN opens a connection and its sender is the client;
 * it ends with both FINs acknowledged, with the first RST, or when the client sends
 * data and no SYN of the server was seen.  Segments of no connection make a flow of
 * their own that is marked as begun in the middle.
 *
 * Each packet handed in is in exactly one flow or counted under one reason.
 */
#ifndef SONDE_METER_METER_H
#define SONDE_METER_METER_H

#include "meter/capture/packet.h"
#include "meter/decode/decode.h"
#include "meter/flow/flow.h"
#include "meter/view/networks.h"

struct sn_apps;
struct sn_traffic;
struct sn_dns_cache;

#define SN_METER_LINGER_NS (2 * SN_NS_PER_S)

/* Timeouts in packet time, at least 1 s each; defaults are Tstat's. */
struct sn_meter_options {
	int64_t tcp_idle_ns;            /* 300 s */
	int64_t tcp_singleton_ns;       /* 10 s: only SYNs, all of one side */
	int64_t udp_idle_ns;            /* 200 s; also ICMP */
	int64_t udp_singleton_ns;       /* 10 s: one datagram */
	int64_t active_ns;              /* 0: never */
	bool active_lazily;             /* as Tstat: not before the flow's next packet */
	size_t max_flows;               /* at least 1 */
	unsigned max_segments;          /* remembered per direction of a connection; 0: default */
	unsigned tunnels_max;           /* decode.h */
	const struct sn_inside *inside; /* borrowed; NULL: everybody */
	struct sn_apps *apps;           /* borrowed; NULL: payload is not looked at */
	struct sn_dns_cache *dns_cache; /* borrowed; NULL: flows are not named */
	bool names_late;                /* answers of DNS may be read behind the flow (workers) */
	struct sn_traffic *series;      /* borrowed; NULL: none */
};
void sn_meter_options_default(struct sn_meter_options *options);

/*
 * The flow is the callee's to read until it returns; it has at least one packet, though after
 * interim reports perhaps none in the last period.
 */
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
