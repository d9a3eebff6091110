/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life: how long flows live: lists in order of time, reports, the clock.
 *
 * Internal to meter.c and life.c.  Flows of one kind have one timeout, so that a
 * list in the order of the last packet is a timer whose next is at its head; it is
 * kept in order by ticks of 134 ms, so that a busy flow moves once per tick.
 */
#ifndef SONDE_METER_LIFE_H
#define SONDE_METER_LIFE_H

#include "meter/flow/fragments.h"
#include "meter/flow/pool.h"
#include "meter/flow/table.h"
#include "meter/meter.h"

#define SN_LIFE_TICK_SHIFT 27
/* A flow that nobody has looked for goes on after a silence of up to two of its timeouts. */
#define SN_LIFE_REVIVAL 2

/* One for each timeout; oldest last packet first. */
enum sn_idle_list {
	SN_IDLE_TCP,
	SN_IDLE_TCP_SINGLETON,
	SN_IDLE_UDP,
	SN_IDLE_UDP_SINGLETON,
	SN_IDLE_LISTS
};

struct sn_meter {
	struct sn_meter_options options;
	sn_meter_report_fn *report;
	void *ctx;
	struct sn_flow_table table;
	struct sn_pool interims;
	struct sn_segment_pool segments;
	struct sn_fragments *fragments;
	struct sn_list idle[SN_IDLE_LISTS], age, closed;
	int64_t timeout_ns[SN_IDLE_LISTS], timeout_max_ns;
	int64_t now_ns;       /* latest time of a packet; never goes back */
	uint32_t tick, swept; /* swept: when the idle lists were looked at */
	struct sn_meter_stats stats;
	struct sn_tcp_flow whole; /* a half-open flow that is being reported */
};

static inline enum sn_idle_list sn_life_list_of(const struct sn_flow *flow)
{
	return (flow->key.protocol == SN_PROTO_TCP ? SN_IDLE_TCP : SN_IDLE_UDP) + flow->singleton;
}

static inline uint32_t sn_life_tick_of(int64_t time_ns)
{
	return (uint32_t)(time_ns >> SN_LIFE_TICK_SHIFT);
}

/* A new flow, with its key and times; there is room for it. */
void sn_life_begin(struct sn_meter *meter, struct sn_flow *flow, int64_t time_ns);
/* It is reported, unless it was closed, and goes. */
void sn_life_end(struct sn_meter *meter, struct sn_flow *flow, enum sn_flow_end end);
/* It is reported and stays for what comes late. */
void sn_life_close(struct sn_meter *meter, struct sn_flow *flow);
/* What hangs on an open flow is given back, without a report. */
void sn_life_settle(struct sn_meter *meter, struct sn_flow *flow);
/* A half-open flow becomes a whole one, because a packet comes: its memory is another. */
struct sn_flow *sn_life_unfold(struct sn_meter *meter, struct sn_flow *flow, uint64_t hash);
/* To the end of its idle list. */
void sn_life_move(struct sn_meter *meter, struct sn_flow *flow);
/* Its time was over before `now_ns`. */
bool sn_life_is_over(const struct sn_meter *meter, const struct sn_flow *flow, int64_t now_ns);
/* A packet of a flow with interim reports. */
void sn_life_follow_period(struct sn_meter *meter, struct sn_interim *interim, int64_t time_ns);
/* Ends all that is idle, once per tick; and, if the table is full, one more. */
void sn_life_make_room(struct sn_meter *meter);
/* The clock of the packets goes to `time_ns`, forwards or backwards. */
void sn_life_set_clock(struct sn_meter *meter, int64_t time_ns);

/*
 * Asks for the memory of a flow; none for NULL.  Functions that only prefetch must be inlined in
 * any case: the compiler takes calls of them for calls without effect.
 */
static SN_ALWAYS_INLINE void sn_life_prefetch(const struct sn_flow *flow)
{
	if (flow == NULL)
		return;
#pragma GCC unroll 10
	for (size_t at = 0; at < sizeof(struct sn_tcp_flow); at += 64)
		__builtin_prefetch((const char *)flow + at, 1);
}

#endif
