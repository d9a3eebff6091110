/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow: one bidirectional flow while it is in memory.
 *
 * Each kind has its pool: TCP, UDP and the rest, because they carry different
 * state; and TCP of which only a SYN was seen, because there are so many of them.
 * Whoever is not the meter itself sees those as whole TCP flows (life.h).  What few flows need
 * (application state, interim counters) hangs on a pointer that stays NULL until it is needed.
 *
 * Times are nanoseconds of Unix time, as captured.
 */
#ifndef SONDE_METER_FLOW_FLOW_H
#define SONDE_METER_FLOW_FLOW_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "meter/flow/key.h"
#include "meter/tcp/syn.h"
#include "meter/tcp/tcp.h"

struct sn_app_tcp; /* app/tcp.h */
struct sn_app_udp; /* app/udp.h */
struct sn_dns_hit; /* app/names.h */

enum { SN_CLIENT, SN_SERVER };

/* Why a flow is reported; the dataset's column `end`. */
enum sn_flow_end {
	SN_END_CLOSED, /* TCP: both FINs acknowledged, or RST */
	SN_END_IDLE,   /* no packets for its idle timeout */
	SN_END_ACTIVE, /* still open after the active timeout: an interim report, the flow goes on
			*/
	SN_END_FULL,   /* the table was full and this one the longest idle */
	SN_END_END,    /* input or time line ended */
};

struct sn_flow_side {
	uint64_t packets;
	uint64_t bytes;   /* IP */
	uint64_t payload; /* behind the transport header, by the headers */
};

/* What the interim reports told so far; a report tells the difference (meter.h). */
struct sn_interim {
	struct sn_flow_side side[2];
	struct sn_tcp_counters tcp[2];
	struct {
		double rtt_sum_us;
		uint32_t rtt_count, sacks;
		/* Bytes in flight: of the period that a report is about, and before it. */
		uint32_t flight_max, flight_min, before_max, before_min;
	} more[2];
	uint16_t later_fragments[2];
	bool running;            /* a packet has come in this period */
	int64_t since_ns;        /* when the first one came */
	struct sn_list age_link; /* in order of since_ns, but for connections that were half open */
	struct sn_flow *flow;
};

struct sn_flow {
	struct sn_flow_key key;
	struct sn_list idle_link; /* in order of the last packet; closed flows: of closing */
	int64_t last_ns;          /* of its packets */
	union {
		int64_t closed_ns;          /* of a closed one: when it closed */
		struct sn_interim *interim; /* of an open one, while there is an active timeout */
	};
	struct sn_dns_hit *name; /* what the client had asked DNS for; NULL: unknown; a reference */
	uint16_t later_fragments[2]; /* of its packets; saturates */
	uint16_t source;             /* where its first packet came from */
	bool client_is_high : 1;     /* the client is the key's high end point */
	bool closed : 1;             /* reported; stays a while for what comes late */
	bool mid_stream : 1;         /* TCP: began without a SYN */
	bool client_internal : 1, server_internal : 1; /* by the networks of view/networks.h */
	bool singleton : 1;                            /* in the list of the short timeout */
	bool in_cloud : 1;  /* series/: the outer end is, by view/networks.h */
	bool half_open : 1; /* TCP: one packet, and `syn` is all there is of it */
	uint8_t traffic;    /* series/: class of its bytes */
	union {
		struct {
			int64_t first_ns;            /* of its packets */
			struct sn_flow_side side[2]; /* SN_CLIENT, SN_SERVER */
		};
		struct sn_tcp_syn syn; /* of a half-open one; its memory ends here */
	};
};

/* What half-open flows and others have in common. */
#define SN_FLOW_HEAD_BYTES      offsetof(struct sn_flow, first_ns)
#define SN_FLOW_HALF_OPEN_BYTES (SN_FLOW_HEAD_BYTES + sizeof(struct sn_tcp_syn))

/* What series/ keeps of a connection from packet to packet. */
struct sn_tcp_traffic {
	struct {
		uint32_t flight : 31; /* most bytes in flight since the peer's acknowledgement */
		uint32_t mptcp : 1;   /* its SYN offered MP_CAPABLE (RFC 8684) */
		float window_mean;    /* of the windows that it announced, bytes */
		uint16_t window_first;
	} side[2];
};

struct sn_tcp_flow {
	struct sn_flow flow; /* first, so that a pointer to it is one to the whole */
	struct sn_tcp tcp;
	struct sn_app_tcp *app; /* NULL before the first payload */
	struct sn_tcp_traffic traffic;
};

struct sn_udp_flow {
	struct sn_flow flow;
	struct sn_udp_side {
		int64_t first_ns, last_ns; /* valid if it has datagrams */
		uint64_t bytes;            /* sum of the UDP length field - 8 */
	} side[2];
	struct sn_app_udp *app; /* NULL until something is recognised */
	uint8_t type[2];        /* enum sn_udp_type of app/udp.h: of each direction */
	uint8_t looked[2];      /* datagrams that were looked at, per direction; saturates */
};

/* NULL if it is something else, or half-open. */
static inline struct sn_tcp_flow *sn_flow_tcp(const struct sn_flow *flow)
{
	return flow->key.protocol == SN_PROTO_TCP && !flow->half_open
		       ? (struct sn_tcp_flow *)(uintptr_t)flow
		       : NULL;
}

static inline struct sn_udp_flow *sn_flow_udp(const struct sn_flow *flow)
{
	return flow->key.protocol == SN_PROTO_UDP ? (struct sn_udp_flow *)(uintptr_t)flow : NULL;
}

/* For those who know what it is. */
static inline struct sn_tcp_flow *sn_flow_as_tcp(const struct sn_flow *flow)
{
	assert(flow->key.protocol == SN_PROTO_TCP && !flow->half_open);
	return (struct sn_tcp_flow *)(uintptr_t)flow;
}

static inline struct sn_udp_flow *sn_flow_as_udp(const struct sn_flow *flow)
{
	assert(flow->key.protocol == SN_PROTO_UDP);
	return (struct sn_udp_flow *)(uintptr_t)flow;
}

static inline const uint64_t *sn_flow_address(const struct sn_flow *flow, unsigned side)
{
	return (side == SN_SERVER) == flow->client_is_high ? flow->key.low : flow->key.high;
}

static inline uint16_t sn_flow_port(const struct sn_flow *flow, unsigned side)
{
	bool high = (side == SN_CLIENT) == flow->client_is_high;

	/* Identifier and type of ICMP keep their places, whoever is the client. */
	if (flow->key.protocol == SN_PROTO_ICMP || flow->key.protocol == SN_PROTO_ICMP6)
		high = side == SN_SERVER;
	return high ? flow->key.high_port : flow->key.low_port;
}

/* What came since the last report; the whole when there was none. */
static inline struct sn_flow_side sn_flow_period(const struct sn_flow *flow, unsigned side)
{
	struct sn_flow_side period = flow->side[side];

	if (!flow->closed && flow->interim != NULL) {
		period.packets -= flow->interim->side[side].packets;
		period.bytes -= flow->interim->side[side].bytes;
		period.payload -= flow->interim->side[side].payload;
	}
	return period;
}

static inline int64_t sn_flow_period_first_ns(const struct sn_flow *flow)
{
	return !flow->closed && flow->interim != NULL && flow->interim->since_ns > flow->first_ns
		       ? flow->interim->since_ns
		       : flow->first_ns;
}

/* Packets that are not later fragments: what Tstat counts. */
static inline uint64_t sn_flow_datagrams(const struct sn_flow *flow, unsigned side)
{
	return flow->side[side].packets - flow->later_fragments[side];
}

static inline uint64_t sn_flow_packets(const struct sn_flow *flow)
{
	return flow->side[SN_CLIENT].packets + flow->side[SN_SERVER].packets;
}

#endif
