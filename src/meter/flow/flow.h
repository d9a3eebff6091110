/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow: one bidirectional flow while it is in memory.
 *
 * TCP flows carry more state than others and come from their own pool.  Counters
 * restart when a flow is reported on the active timeout; what is known about its
 * connection stays.
 */
#ifndef SONDE_METER_FLOW_FLOW_H
#define SONDE_METER_FLOW_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "meter/flow/key.h"
#include "meter/tcp/tcp.h"

enum { SN_CLIENT, SN_SERVER };

/* Why a flow is reported; the dataset's column `end`. */
enum sn_flow_end {
	SN_END_CLOSED, /* TCP: FIN both ways or RST, and the linger time is over */
	SN_END_IDLE,   /* no packets for the idle timeout */
	SN_END_ACTIVE, /* still open after the active timeout; counters start afresh */
	SN_END_FULL,   /* the table was full and this one the longest idle */
	SN_END_END,    /* input or time line ended */
};

struct sn_flow_side {
	uint64_t packets;
	uint64_t bytes;   /* IP */
	uint64_t payload; /* behind the transport header */
};

struct sn_flow {
	struct sn_flow_key key;
	struct sn_list idle_link;  /* in order of the last packet; closed flows: of closing */
	struct sn_list age_link;   /* in order of period_ns */
	int64_t first_ns, last_ns; /* packets of this period; valid if there are any */
	union {
		int64_t period_ns; /* when counting began */
		int64_t closed_ns; /* of a closed one: when it closed; it has no active timeout */
	};
	struct sn_flow_side side[2]; /* SN_CLIENT, SN_SERVER */
	uint32_t touched;            /* tick of the last move in the idle list */
	uint16_t source;             /* where its first packet came from */
	bool client_is_high;         /* the client is the key's high end point */
	bool closed;
};

struct sn_tcp_flow {
	struct sn_flow flow; /* first, so that a pointer to it is one to the whole */
	struct sn_tcp tcp;
};

/* Goals of the design; the hash slot comes on top (flow/table.h). */
_Static_assert(sizeof(struct sn_tcp_flow) <= 600, "a TCP flow stays below 640 bytes");
_Static_assert(sizeof(struct sn_flow) <= 184, "a UDP flow stays below 224 bytes");

static inline struct sn_tcp *sn_flow_tcp(struct sn_flow *flow)
{
	return flow->key.protocol == SN_PROTO_TCP
		       ? &sn_container_of(flow, struct sn_tcp_flow, flow)->tcp
		       : NULL;
}

static inline const struct sn_tcp *sn_flow_const_tcp(const struct sn_flow *flow)
{
	return flow->key.protocol == SN_PROTO_TCP
		       ? &((const struct sn_tcp_flow *)(const void *)flow)->tcp
		       : NULL;
}

static inline uint64_t sn_flow_packets(const struct sn_flow *flow)
{
	return flow->side[SN_CLIENT].packets + flow->side[SN_SERVER].packets;
}

#endif
