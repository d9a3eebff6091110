/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/meter.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "meter/app/app.h"
#include "meter/flow/fragments.h"
#include "meter/flow/interim.h"
#include "meter/flow/pool.h"
#include "meter/flow/table.h"
#include "meter/series/series.h"

/* Lists are kept in order by ticks of 134 ms: a busy flow moves once per tick, not per packet. */
#define TICK_SHIFT 27
/* A flow that nobody has looked for goes on after a silence of up to two of its timeouts. */
#define REVIVAL 2
#define JOBS    32 /* packets in flight: enough to hide memory, few enough for the first cache */

/* One for each timeout; oldest last packet first. */
enum { IDLE_TCP, IDLE_TCP_SINGLETON, IDLE_UDP, IDLE_UDP_SINGLETON, IDLE_LISTS };

struct sn_meter {
	struct sn_meter_options options;
	sn_meter_report_fn *report;
	void *ctx;
	struct sn_flow_table table;
	struct sn_pool interims;
	struct sn_segment_pool segments;
	struct sn_fragments *fragments;
	struct sn_list idle[IDLE_LISTS], age, closed;
	int64_t timeout_ns[IDLE_LISTS], timeout_max_ns;
	int64_t now_ns;       /* latest time of a packet; never goes back */
	uint32_t tick, swept; /* swept: when the idle lists were looked at */
	struct sn_meter_stats stats;
};

void sn_meter_options_default(struct sn_meter_options *options)
{
	*options = (struct sn_meter_options){
		.tcp_idle_ns = 300 * SN_NS_PER_S,
		.tcp_singleton_ns = 10 * SN_NS_PER_S,
		.udp_idle_ns = 200 * SN_NS_PER_S,
		.udp_singleton_ns = 10 * SN_NS_PER_S,
		.max_flows = 1000000,
		.tunnels_max = SN_DECODE_TUNNELS_MAX,
	};
}

struct sn_meter *sn_meter_create(const struct sn_meter_options *options, sn_meter_report_fn *report,
				 void *ctx)
{
	struct sn_meter *meter = sn_new(struct sn_meter);

	assert(options->max_flows > 0);
	assert(options->active_ns == 0 || options->active_ns >= SN_NS_PER_S);
	meter->options = *options;
	meter->report = report;
	meter->ctx = ctx;
	meter->timeout_ns[IDLE_TCP] = options->tcp_idle_ns;
	meter->timeout_ns[IDLE_TCP_SINGLETON] = options->tcp_singleton_ns;
	meter->timeout_ns[IDLE_UDP] = options->udp_idle_ns;
	meter->timeout_ns[IDLE_UDP_SINGLETON] = options->udp_singleton_ns;
	for (unsigned i = 0; i < IDLE_LISTS; i++) {
		assert(meter->timeout_ns[i] >= SN_NS_PER_S);
		meter->timeout_max_ns = SN_MAX(meter->timeout_max_ns, meter->timeout_ns[i]);
		sn_list_init(&meter->idle[i]);
	}
	sn_list_init(&meter->age);
	sn_list_init(&meter->closed);
	sn_flow_table_init(&meter->table, options->series != NULL);
	sn_segment_pool_init(&meter->segments, options->max_segments);
	sn_pool_init(&meter->interims, sizeof(struct sn_interim));
	meter->fragments = sn_fragments_create();
	return meter;
}

static void report(struct sn_meter *meter, const struct sn_flow *flow, enum sn_flow_end end)
{
	if (flow->interim != NULL)
		sn_interim_complete(flow->interim);
	meter->stats.reports++;
	meter->report(flow, end, meter->ctx);
}

static struct sn_flow *oldest(const struct sn_list *list)
{
	return sn_list_empty(list) ? NULL : sn_list_entry(list->next, struct sn_flow, idle_link);
}

static unsigned idle_list_of(const struct sn_flow *flow)
{
	return (flow->key.protocol == SN_PROTO_TCP ? IDLE_TCP : IDLE_UDP) + flow->singleton;
}

/* The end of a flow ------------------------------------------------------- */

/* What hangs on the flow is given back. */
static void settle(struct sn_meter *meter, struct sn_flow *flow)
{
	struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	struct sn_udp_flow *udp = sn_flow_udp(flow);

	if (flow->interim != NULL) {
		sn_list_remove(&flow->interim->age_link);
		sn_pool_give(&meter->interims, flow->interim);
		flow->interim = NULL;
	}
	if (tcp != NULL)
		sn_tcp_forget(&tcp->tcp, &meter->segments);
	if (tcp != NULL && tcp->app != NULL)
		sn_app_forget_tcp(meter->options.apps, tcp);
	if (udp != NULL && udp->app != NULL)
		sn_app_forget_udp(meter->options.apps, udp);
	if (flow->name != NULL)
		sn_dns_hit_give(meter->options.dns_cache, flow->name);
	flow->name = NULL;
}

static void remove_flow(struct sn_meter *meter, struct sn_flow *flow, uint64_t hash)
{
	if (!flow->closed)
		settle(meter, flow);
	if (flow->key.protocol == SN_PROTO_TCP)
		meter->segments.budget--;
	sn_list_remove(&flow->idle_link);
	sn_flow_table_remove(&meter->table, flow, hash);
}

static void end_flow(struct sn_meter *meter, struct sn_flow *flow, enum sn_flow_end end)
{
	uint64_t hash = sn_flow_table_hash(&meter->table, &flow->key);

	if (!flow->closed)
		report(meter, flow, end);
	remove_flow(meter, flow, hash);
}

/* Reported at once; stays for what comes late. */
static void close_flow(struct sn_meter *meter, struct sn_flow *flow)
{
	report(meter, flow, SN_END_CLOSED);
	settle(meter, flow);
	flow->closed = true;
	flow->closed_ns = meter->now_ns;
	sn_list_remove(&flow->idle_link);
	sn_list_append(&meter->closed, &flow->idle_link);
}

void sn_meter_destroy(struct sn_meter *meter)
{
	if (meter == NULL)
		return;
	for (unsigned i = 0; i < IDLE_LISTS; i++)
		sn_list_for_each (node, &meter->idle[i])
			settle(meter, sn_list_entry(node, struct sn_flow, idle_link));
	sn_flow_table_finish(&meter->table);
	sn_pool_finish(&meter->interims);
	sn_segment_pool_finish(&meter->segments);
	sn_fragments_destroy(meter->fragments);
	free(meter);
}

/* Its time was over before `now_ns`. */
static bool is_over(const struct sn_meter *meter, const struct sn_flow *flow, int64_t now_ns)
{
	return flow->closed ? now_ns - flow->closed_ns > SN_METER_LINGER_NS
			    : now_ns - flow->last_ns > meter->timeout_ns[idle_list_of(flow)];
}

/*
 * Asks for the memory of a flow; none for NULL.  Functions that only prefetch must be inlined in
 * any case: the compiler takes calls of them for calls without effect.
 */
static SN_ALWAYS_INLINE void prefetch_flow(const struct sn_flow *flow)
{
	if (flow == NULL)
		return;
#pragma GCC unroll 10
	for (size_t at = 0; at < sizeof(struct sn_tcp_flow); at += 64)
		__builtin_prefetch((const char *)flow + at, 1);
}

/*
 * While one flow ends: for the flow behind the next, and what the next one refers to; with `slot`,
 * for its place in the table, too.
 */
static SN_ALWAYS_INLINE void prefetch_behind(const struct sn_meter *meter,
					     const struct sn_list *list, const struct sn_flow *flow,
					     bool slot)
{
	const struct sn_list *link = flow->idle_link.next;
	const struct sn_tcp_flow *tcp;

	if (link == list)
		return;
	flow = sn_list_entry(link, struct sn_flow, idle_link);
	if (slot)
		sn_flow_table_prefetch_slot(&meter->table,
					    sn_flow_table_hash(&meter->table, &flow->key));
	tcp = sn_flow_tcp(flow);
	if (tcp != NULL)
		sn_tcp_prefetch(&tcp->tcp, &meter->segments);
	if (flow->idle_link.next != list)
		prefetch_flow(sn_list_entry(flow->idle_link.next, struct sn_flow, idle_link));
}

static void expire_list(struct sn_meter *meter, struct sn_list *list)
{
	struct sn_flow *flow;

	while ((flow = oldest(list)) != NULL && is_over(meter, flow, meter->now_ns)) {
		prefetch_behind(meter, list, flow, true);
		end_flow(meter, flow, SN_END_IDLE);
	}
}

/* Interim reports --------------------------------------------------------- */

/* With a packet; until one comes there is nothing to report, and no time that runs. */
static void begin_period(struct sn_meter *meter, struct sn_interim *interim, int64_t time_ns)
{
	interim->running = true;
	interim->since_ns = time_ns;
	sn_list_append(&meter->age, &interim->age_link);
}

/* As with Tstat, a packet exactly at its end still belongs to it. */
static bool is_due(const struct sn_meter *meter, const struct sn_interim *interim, int64_t now_ns)
{
	return interim->running && now_ns - interim->since_ns > meter->options.active_ns;
}

static void end_period(struct sn_meter *meter, struct sn_interim *interim)
{
	report(meter, interim->flow, SN_END_ACTIVE);
	sn_list_remove(&interim->age_link);
	sn_interim_begin(interim);
}

static void report_active(struct sn_meter *meter)
{
	while (!meter->options.active_lazily && !sn_list_empty(&meter->age)) {
		struct sn_interim *interim =
			sn_list_entry(meter->age.next, struct sn_interim, age_link);

		if (!is_due(meter, interim, meter->now_ns))
			break;
		/* Its last report will tell, unless it goes on after all. */
		if (is_over(meter, interim->flow, meter->now_ns))
			sn_list_remove(&interim->age_link);
		else
			end_period(meter, interim);
	}
}

/* Time -------------------------------------------------------------------- */

/* Ends all that is idle.  Once per tick is enough. */
static void sweep(struct sn_meter *meter)
{
	if (meter->swept == meter->tick)
		return;
	meter->swept = meter->tick;
	for (unsigned i = 0; i < IDLE_LISTS; i++)
		expire_list(meter, &meter->idle[i]);
}

/* Flows are not taken out of the table one by one: it is empty afterwards. */
static void flush_list(struct sn_meter *meter, struct sn_list *list)
{
	sn_list_for_each (node, list) {
		struct sn_flow *flow = sn_list_entry(node, struct sn_flow, idle_link);
		bool idle = is_over(meter, flow, meter->now_ns);

		prefetch_behind(meter, list, flow, false);
		report(meter, flow, idle ? SN_END_IDLE : SN_END_END);
		settle(meter, flow);
	}
	sn_list_init(list);
}

void sn_meter_flush(struct sn_meter *meter)
{
	for (unsigned i = 0; i < IDLE_LISTS; i++)
		flush_list(meter, &meter->idle[i]);
	sn_list_init(&meter->closed);
	meter->segments.budget -= meter->table.slabs[SN_KIND_TCP].used;
	sn_flow_table_clear(&meter->table);
}

static void set_clock(struct sn_meter *meter, int64_t now_ns)
{
	meter->now_ns = now_ns;
	if ((uint32_t)(now_ns >> TICK_SHIFT) != meter->tick) {
		meter->tick = (uint32_t)(now_ns >> TICK_SHIFT);
		expire_list(meter, &meter->closed);
		report_active(meter);
	}
}

static void take_time(struct sn_meter *meter, int64_t time_ns)
{
	if (meter->stats.all.packets == 0) {
		meter->stats.first_ns = meter->stats.last_ns = time_ns;
		set_clock(meter, time_ns);
		return;
	}
	meter->stats.first_ns = SN_MIN(meter->stats.first_ns, time_ns);
	meter->stats.last_ns = SN_MAX(meter->stats.last_ns, time_ns);
	if (time_ns >= meter->now_ns) {
		set_clock(meter, time_ns);
	} else if (meter->now_ns - time_ns > meter->timeout_max_ns) {
		meter->stats.clock_steps++;
		sn_meter_flush(meter);
		set_clock(meter, time_ns);
	}
}

void sn_meter_advance(struct sn_meter *meter, int64_t now_ns)
{
	if (meter->stats.all.packets == 0 || now_ns <= meter->now_ns)
		return;
	set_clock(meter, now_ns);
	sweep(meter);
}

/* A packet on its way through the stages of sn_meter_packets(). */
struct job {
	struct sn_decoded decoded;
	struct sn_flow_key key;
	uint64_t hash;
	struct sn_flow *guess; /* its flow, probably */
	size_t removals;       /* of the table, when that was guessed */
	enum sn_skip skip;
	bool from_high;
};

/* The beginning of a flow ------------------------------------------------- */

/* What has ended goes first, then who is silent for the longest time. */
static struct sn_flow *dispensable(const struct sn_meter *meter)
{
	struct sn_flow *found = oldest(&meter->closed);

	if (found != NULL)
		return found;
	for (unsigned i = 0; i < IDLE_LISTS; i++) {
		struct sn_flow *flow = oldest(&meter->idle[i]);

		if (flow != NULL && (found == NULL || flow->last_ns < found->last_ns))
			found = flow;
	}
	return found;
}

static void make_room(struct sn_meter *meter)
{
	struct sn_flow *flow = dispensable(meter);

	assert(flow != NULL); /* the table is full */
	if (!flow->closed)
		meter->stats.evictions++;
	end_flow(meter, flow, SN_END_FULL);
}

/* SYN+ACK and echo reply show that the other end has begun. */
static bool answers(const struct sn_decoded *packet)
{
	return packet->reply ||
	       (packet->tcp_flags & (SN_TCP_SYN | SN_TCP_ACK)) == (SN_TCP_SYN | SN_TCP_ACK);
}

static bool is_plain_syn(const struct sn_decoded *packet)
{
	return packet->protocol == SN_PROTO_TCP &&
	       (packet->tcp_flags & (SN_TCP_SYN | SN_TCP_ACK | SN_TCP_RST)) == SN_TCP_SYN;
}

/* Who is inside, and what the client had asked DNS for. */
static void look_around(const struct sn_meter *meter, struct sn_flow *flow,
			const struct sn_decoded *packet, int64_t time_ns)
{
	bool source = true, destination = true, turned = answers(packet);

	if (meter->options.inside != NULL)
		sn_inside_of(meter->options.inside, packet, &source, &destination);
	flow->client_internal = turned ? destination : source;
	flow->server_internal = turned ? source : destination;
	if (meter->options.dns_cache != NULL)
		flow->name = sn_dns_cache_find(meter->options.dns_cache,
					       sn_flow_address(flow, SN_CLIENT),
					       sn_flow_address(flow, SN_SERVER), time_ns);
}

static struct sn_flow *open_flow(struct sn_meter *meter, const struct job *job, int64_t time_ns,
				 uint16_t source)
{
	const struct sn_decoded *packet = &job->decoded;
	struct sn_flow *flow;
	struct sn_tcp_flow *tcp;

	sweep(meter);
	if (meter->table.count >= meter->options.max_flows)
		make_room(meter);
	flow = sn_flow_table_add(&meter->table, &job->key, job->hash);
	flow->source = source;
	flow->first_ns = flow->last_ns = time_ns;
	flow->client_is_high = job->from_high != answers(packet);
	look_around(meter, flow, packet, time_ns);
	flow->singleton = is_plain_syn(packet) || job->key.protocol == SN_PROTO_UDP;
	tcp = sn_flow_tcp(flow);
	if (tcp != NULL) {
		flow->mid_stream = !is_plain_syn(packet);
		meter->segments.budget++;
	}
	sn_list_append(&meter->idle[idle_list_of(flow)], &flow->idle_link);
	if (meter->options.active_ns > 0) {
		flow->interim = sn_pool_take(&meter->interims);
		flow->interim->flow = flow;
		sn_list_init(&flow->interim->age_link);
		sn_interim_begin(flow->interim);
		begin_period(meter, flow->interim, time_ns);
	}
	meter->stats.flows_peak = SN_MAX(meter->stats.flows_peak, meter->table.count);
	return flow;
}

/* A packet for a flow ----------------------------------------------------- */

static unsigned side_of(const struct sn_flow *flow, bool from_high)
{
	return from_high == flow->client_is_high ? SN_CLIENT : SN_SERVER;
}

enum fate {
	CONTINUES,
	LATE,   /* the connection has ended */
	BEGINS, /* a new flow with the same ends */
};

/* New payload from who is said to have sent the reset: somebody else had sent it. */
static bool was_reset_forged(const struct sn_tcp *tcp, const struct sn_decoded *packet,
			     unsigned side)
{
	return tcp->reset && tcp->reset_side == (side != 0) && packet->payload_bytes > 0 &&
	       (packet->tcp_flags & SN_TCP_RST) == 0;
}

static enum fate fate_of(const struct sn_tcp_flow *tcp, const struct sn_decoded *packet,
			 unsigned side)
{
	if (!tcp->flow.closed)
		return (tcp->flow.mid_stream && is_plain_syn(packet)) ||
				       sn_tcp_is_half(&tcp->tcp, packet, side)
			       ? BEGINS
			       : CONTINUES;
	if (is_plain_syn(packet))
		return BEGINS;
	return was_reset_forged(&tcp->tcp, packet, side) ? BEGINS : LATE;
}

/*
 * Has it been silent for too long?  Idle flows are ended when another begins or the clock says so;
 * as with Tstat, one that is still there goes on, but not for ever.
 */
static bool is_too_late(const struct sn_meter *meter, const struct sn_flow *flow, int64_t time_ns)
{
	unsigned list = flow->key.protocol == SN_PROTO_TCP ? IDLE_TCP : IDLE_UDP;

	return flow->closed ? is_over(meter, flow, time_ns)
			    : time_ns - flow->last_ns > REVIVAL * meter->timeout_ns[list];
}

static void follow_period(struct sn_meter *meter, struct sn_interim *interim, int64_t time_ns)
{
	if (is_due(meter, interim, time_ns))
		end_period(meter, interim);
	if (!interim->running)
		begin_period(meter, interim, time_ns);
}

/* Most packets: there is nothing to find out about the life of their flow. */
static bool is_ordinary(const struct sn_meter *meter, const struct sn_flow *flow,
			const struct sn_decoded *packet, int64_t time_ns)
{
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);

	if (flow->closed || flow->interim != NULL ||
	    time_ns - flow->last_ns > meter->options.udp_singleton_ns)
		return false;
	return tcp == NULL ||
	       (tcp->tcp.side[SN_SERVER].has_syn && (packet->tcp_flags & SN_TCP_SYN) == 0);
}

/* The flow in the table if the packet still belongs to it; else it is ended. */
static struct sn_flow *continue_flow(struct sn_meter *meter, struct sn_flow *flow,
				     const struct job *job, int64_t time_ns, bool *late)
{
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	enum fate fate = flow->closed ? LATE : CONTINUES;

	if (tcp != NULL && job->decoded.has_transport)
		fate = fate_of(tcp, &job->decoded, side_of(flow, job->from_high));
	if (is_too_late(meter, flow, time_ns)) {
		end_flow(meter, flow, SN_END_IDLE);
		return NULL;
	}
	if (fate == BEGINS) {
		if (!flow->closed && !flow->mid_stream) /* half of one: it ends now */
			flow->last_ns = SN_MAX(time_ns, flow->first_ns);
		end_flow(meter, flow, SN_END_CLOSED);
		return NULL;
	}
	*late = fate == LATE;
	if (!flow->closed && flow->interim != NULL)
		follow_period(meter, flow->interim, time_ns);
	return flow;
}

static void count(struct sn_flow *flow, unsigned side, const struct sn_decoded *packet,
		  int64_t time_ns)
{
	struct sn_flow_side *counters = &flow->side[side];

	if (time_ns < flow->first_ns)
		flow->first_ns = time_ns;
	if (time_ns > flow->last_ns)
		flow->last_ns = time_ns;
	counters->packets++;
	counters->bytes += packet->ip_bytes;
	counters->payload += packet->payload_bytes;
	if (!packet->has_transport && flow->later_fragments[side] < UINT16_MAX)
		flow->later_fragments[side]++;
}

static void count_udp(struct sn_udp_flow *flow, unsigned side, const struct sn_decoded *packet,
		      int64_t time_ns)
{
	struct sn_udp_side *from = &flow->side[side];
	bool first = sn_flow_datagrams(&flow->flow, side) == 1;

	from->first_ns = first ? time_ns : SN_MIN(from->first_ns, time_ns);
	from->last_ns = first ? time_ns : SN_MAX(from->last_ns, time_ns);
	from->bytes += packet->udp_length > 8 ? packet->udp_length - 8 : 0;
}

/* Only SYNs of one side, or one datagram. */
static bool is_singleton(const struct sn_flow *flow)
{
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);

	if (tcp == NULL)
		return flow->key.protocol == SN_PROTO_UDP && sn_flow_packets(flow) <= 1;
	return tcp->tcp.flags == SN_TCP_SYN && !sn_tcp_has_handshake(&tcp->tcp);
}

/* To the end of its idle list, unless it moved there in this tick. */
static void touch(struct sn_meter *meter, struct sn_flow *flow, bool moved)
{
	bool outgrown = flow->singleton && !is_singleton(flow);

	if (moved && !outgrown)
		return;
	flow->singleton = flow->singleton && !outgrown;
	sn_list_remove(&flow->idle_link);
	sn_list_append(&meter->idle[idle_list_of(flow)], &flow->idle_link);
}

static void find_key(const struct sn_meter *meter, struct job *job)
{
	job->guess = NULL;
	job->from_high = sn_flow_key_init(&job->key, &job->decoded);
	job->hash = sn_flow_table_hash(&meter->table, &job->key);
}

static void tell_series(const struct sn_meter *meter, const struct sn_decoded *packet,
			struct sn_flow *flow, unsigned side, const struct sn_tcp_verdict *verdict,
			int64_t time_ns)
{
	if (meter->options.series != NULL)
		sn_traffic_packet(meter->options.series, packet, flow, side, verdict, time_ns);
}

/* What the packet says beyond its addresses and length. */
static void look_inside(struct sn_meter *meter, struct sn_flow *flow, unsigned side,
			const struct sn_decoded *packet, struct sn_tcp_verdict *verdict,
			int64_t time_ns)
{
	struct sn_apps *apps = sn_rd_left(&packet->payload) > 0 ? meter->options.apps : NULL;
	struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	struct sn_udp_flow *udp = sn_flow_udp(flow);

	if (!packet->has_transport) {
		tell_series(meter, packet, flow, side, NULL, time_ns);
	} else if (tcp != NULL) {
		sn_tcp_update(&tcp->tcp, &meter->segments, packet, side, time_ns, verdict);
		if (apps != NULL)
			sn_app_tcp(apps, tcp, side, packet, verdict, time_ns);
		tell_series(meter, packet, flow, side, verdict, time_ns);
	} else {
		if (udp != NULL)
			count_udp(udp, side, packet, time_ns);
		if (udp != NULL && apps != NULL)
			sn_app_udp(apps, udp, side, packet, time_ns);
		tell_series(meter, packet, flow, side, NULL, time_ns);
	}
}

/* A guess holds as long as nothing was removed and the keys agree. */
static struct sn_flow *find_flow(const struct sn_meter *meter, const struct job *job)
{
	if (job->guess != NULL && job->removals == meter->table.removals &&
	    sn_flow_key_equal(&job->guess->key, &job->key))
		return job->guess;
	return sn_flow_table_find(&meter->table, &job->key, job->hash);
}

static void count_in_flow(struct sn_meter *meter, struct job *job, int64_t time_ns, uint16_t source)
{
	const struct sn_decoded *packet = &job->decoded;
	struct sn_flow *flow = find_flow(meter, job);
	struct sn_tcp_verdict verdict = {.closes = false};
	bool late = false, moved = true;
	unsigned side;

	if (flow != NULL && !is_ordinary(meter, flow, packet, time_ns))
		flow = continue_flow(meter, flow, job, time_ns, &late);
	if (flow == NULL)
		flow = open_flow(meter, job, time_ns, source);
	else
		moved = (uint32_t)(flow->last_ns >> TICK_SHIFT) == meter->tick;
	side = side_of(flow, job->from_high);
	if (late) {
		tell_series(meter, packet, flow, side, NULL, time_ns);
		job->skip = SN_SKIP_LATE;
		return;
	}
	count(flow, side, packet, time_ns);
	look_inside(meter, flow, side, packet, &verdict, time_ns);
	if (verdict.closes)
		close_flow(meter, flow);
	else if (!moved || flow->singleton)
		touch(meter, flow, moved);
}

/* Later fragments get their ports, which their first one has left before. */
static void resolve_fragment(struct sn_meter *meter, struct job *job, int64_t time_ns)
{
	struct sn_decoded *packet = &job->decoded;

	if (packet->has_transport)
		sn_fragments_learn(meter->fragments, packet, time_ns);
	else if (!sn_fragments_resolve(meter->fragments, packet, time_ns))
		job->skip = SN_SKIP_FRAGMENT;
	if (job->skip == SN_SKIP_NONE)
		find_key(meter, job);
}

static void add_to(struct sn_meter_count *counter, const struct sn_packet *packet)
{
	counter->packets++;
	counter->bytes += packet->length;
}

static void finish_job(struct sn_meter *meter, struct job *job, const struct sn_packet *packet,
		       uint16_t source)
{
	take_time(meter, packet->time_ns);
	add_to(&meter->stats.all, packet);
	if (job->skip == SN_SKIP_NONE && job->decoded.fragmented)
		resolve_fragment(meter, job, packet->time_ns);
	if (job->skip == SN_SKIP_NONE)
		count_in_flow(meter, job, packet->time_ns, source);
	else if (job->decoded.family != 0 && job->skip != SN_SKIP_BAD_IP)
		tell_series(meter, &job->decoded, NULL, 0, NULL, packet->time_ns);
	if (job->skip != SN_SKIP_NONE)
		add_to(&meter->stats.skipped[job->skip], packet);
}

static SN_ALWAYS_INLINE void guess_flow(const struct sn_meter *meter, struct job *job)
{
	job->guess = sn_flow_table_guess(&meter->table, job->hash);
	job->removals = meter->table.removals;
	prefetch_flow(job->guess);
}

void sn_meter_packets(struct sn_meter *meter, int link, const struct sn_packet *packets,
		      size_t count, uint16_t source)
{
	struct job jobs[JOBS];

	while (count > 0) {
		size_t n = SN_MIN(count, (size_t)JOBS);

		for (size_t i = 0; i < n; i++) {
			jobs[i].skip = sn_decode(link, meter->options.tunnels_max, &packets[i],
						 &jobs[i].decoded);
			if (jobs[i].skip != SN_SKIP_NONE || jobs[i].decoded.fragmented)
				continue;
			find_key(meter, &jobs[i]);
			sn_flow_table_prefetch_slot(&meter->table, jobs[i].hash);
		}
		for (size_t i = 0; i < n; i++)
			if (jobs[i].skip == SN_SKIP_NONE && !jobs[i].decoded.fragmented)
				guess_flow(meter, &jobs[i]);
		for (size_t i = 0; i < n; i++)
			finish_job(meter, &jobs[i], &packets[i], source);
		packets += n;
		count -= n;
	}
}

void sn_meter_read_stats(const struct sn_meter *meter, struct sn_meter_stats *stats)
{
	*stats = meter->stats;
	stats->flows = meter->table.count;
	/* Nothing is given back before the end. */
	stats->memory_peak_bytes = sn_flow_table_memory(&meter->table) +
				   sn_pool_memory(&meter->interims) +
				   sn_slab_memory(&meter->segments.slab);
}
