/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counts: what a packet adds to.
 *
 * A histogram has far more bins than a packet may touch memory.  So packets are
 * counted in small arrays, by direction and class, from which all the histograms
 * that Tstat feeds packet by packet are made when a step is over.
 */
#ifndef SONDE_METER_SERIES_COUNTS_H
#define SONDE_METER_SERIES_COUNTS_H

#include "meter/series/classes.h"
#include "meter/series/sheet.h"

/* Of IPv4, then of IPv6. */
enum { SN_L3_TCP, SN_L3_UDP, SN_L3_ICMP, SN_L3_OTHER, SN_L3_IPV6, SN_L3_CLASSES = 8 };

#define SN_COUNTS_LENGTHS   1505 /* exact up to 1503; the last: longer */
#define SN_COUNTS_ANOMALIES (SN_TCP_ANOMALIES + 1)

struct sn_counts {
	struct {
		uint64_t bytes, packets;
	} l3[SN_TRAFFIC_DIRECTIONS][2][SN_L3_CLASSES]; /* second: cloud */
	uint64_t tcp_bytes[SN_TRAFFIC_DIRECTIONS][2][SN_CLASSES];
	uint64_t udp_bytes[SN_TRAFFIC_DIRECTIONS][2][SN_L7_COUNT];
	struct {
		uint32_t lengths[SN_COUNTS_LENGTHS]; /* IPv6: of the payload */
		uint32_t ttl[256], tos[256];
		struct sn_samples longer;
	} ip[2][SN_TRAFFIC_DIRECTIONS];                 /* IPv4, IPv6 */
	uint32_t others[2][SN_TRAFFIC_DIRECTIONS][256]; /* IP protocols that have no class */
	uint32_t icmp6_types[SN_TRAFFIC_DIRECTIONS][256];
	uint32_t anomalies[SN_TRAFFIC_DIRECTIONS][2][SN_COUNTS_ANOMALIES]; /* second: side */
	uint64_t trash, tcp_flows, udp_flows;
	uint64_t packets; /* all of them */
};

/* Adds what was counted to the histograms and begins anew. */
void sn_counts_settle(struct sn_counts *counts, struct sn_sheet *sheet);

#endif
