/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/meter.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "meter/app/app.h"
#include "meter/life.h"
#include "meter/series/series.h"

#define JOBS 32 /* packets in flight: enough to hide memory, few enough for the first cache */

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
	meter->timeout_ns[SN_IDLE_TCP] = options->tcp_idle_ns;
	meter->timeout_ns[SN_IDLE_TCP_SINGLETON] = options->tcp_singleton_ns;
	meter->timeout_ns[SN_IDLE_UDP] = options->udp_idle_ns;
	meter->timeout_ns[SN_IDLE_UDP_SINGLETON] = options->udp_singleton_ns;
	for (unsigned i = 0; i < SN_IDLE_LISTS; i++) {
		assert(meter->timeout_ns[i] >= SN_NS_PER_S);
		meter->timeout_max_ns = SN_MAX(meter->timeout_max_ns, meter->timeout_ns[i]);
		sn_list_init(&meter->idle[i]);
	}
	sn_list_init(&meter->age);
	sn_list_init(&meter->closed);
	sn_flow_table_init(&meter->table, options->max_flows, options->series != NULL);
	sn_segment_pool_init(&meter->segments, options->max_segments);
	sn_pool_init(&meter->interims, sizeof(struct sn_interim));
	meter->fragments = sn_fragments_create();
	return meter;
}

void sn_meter_destroy(struct sn_meter *meter)
{
	if (meter == NULL)
		return;
	for (unsigned i = 0; i < SN_IDLE_LISTS; i++)
		sn_list_for_each (node, &meter->idle[i])
			sn_life_settle(meter, sn_list_entry(node, struct sn_flow, idle_link));
	sn_flow_table_finish(&meter->table);
	sn_pool_finish(&meter->interims);
	sn_segment_pool_finish(&meter->segments);
	sn_fragments_destroy(meter->fragments);
	free(meter);
}

/* A packet on its way through the stages of sn_meter_packets(). */
struct job {
	struct sn_decoded decoded;
	struct sn_flow_key key;
	uint64_t hash;
	struct sn_flow *guess; /* its flow, probably */
	size_t clears;         /* of the table, when that was guessed */
	enum sn_skip skip;
	bool from_high;
};

/* The beginning of a flow ------------------------------------------------- */

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

/* Who is the client of a flow that begins. */
enum origin {
	BY_PACKET, /* find out */
	LOW,       /* the flow before it has shown it: the key's low end point, */
	HIGH,      /* its high one */
};

#define CLIENT_PORTS 32768 /* where most systems begin when they give ports to clients */

/*
 * Who begins is the client.  Of a connection whose beginning was not seen that is who has the
 * higher port: servers wait on ports below those that clients are given.  Where both are of those
 * that clients are given, ports tell nothing: who sends first will have asked something.
 */
static bool is_client_high(const struct job *job, enum origin origin)
{
	const struct sn_flow_key *key = &job->key;
	const struct sn_decoded *packet = &job->decoded;

	if (origin != BY_PACKET)
		return origin == HIGH;
	if (key->protocol == SN_PROTO_TCP && (packet->tcp_flags & SN_TCP_SYN) == 0 &&
	    key->low_port != key->high_port && SN_MIN(key->low_port, key->high_port) < CLIENT_PORTS)
		return key->high_port > key->low_port;
	return job->from_high != answers(packet);
}

/* Who is inside, and what the client had asked DNS for. */
static void look_around(const struct sn_meter *meter, struct sn_flow *flow, const struct job *job,
			int64_t time_ns)
{
	const struct sn_decoded *packet = &job->decoded;
	bool source = true, destination = true, turned = flow->client_is_high != job->from_high;

	if (meter->options.inside != NULL)
		sn_inside_of(meter->options.inside, packet, &source, &destination);
	flow->client_internal = turned ? destination : source;
	flow->server_internal = turned ? source : destination;
	if (meter->options.dns_cache != NULL)
		flow->name = sn_dns_cache_find(meter->options.dns_cache,
					       sn_flow_address(flow, SN_CLIENT),
					       sn_flow_address(flow, SN_SERVER), time_ns);
}

/* Series want flows whole from the beginning. */
static bool stays_small(const struct sn_meter *meter, const struct sn_decoded *packet)
{
	return sn_tcp_syn_fits(packet) && meter->options.series == NULL;
}

static struct sn_flow *open_flow(struct sn_meter *meter, const struct job *job, enum origin origin,
				 int64_t time_ns, uint16_t source)
{
	const struct sn_decoded *packet = &job->decoded;
	bool half_open = stays_small(meter, packet);
	struct sn_flow *flow;

	sn_life_make_room(meter);
	flow = sn_flow_table_add(&meter->table, &job->key, job->hash, half_open);
	flow->source = source;
	flow->last_ns = time_ns;
	if (half_open)
		sn_tcp_syn_keep(&flow->syn, packet);
	else
		flow->first_ns = time_ns;
	flow->client_is_high = is_client_high(job, origin);
	look_around(meter, flow, job, time_ns);
	flow->singleton = is_plain_syn(packet) || job->key.protocol == SN_PROTO_UDP;
	flow->mid_stream = job->key.protocol == SN_PROTO_TCP && !is_plain_syn(packet);
	sn_life_begin(meter, flow, time_ns);
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
	unsigned list = flow->key.protocol == SN_PROTO_TCP ? SN_IDLE_TCP : SN_IDLE_UDP;

	return flow->closed ? sn_life_is_over(meter, flow, time_ns)
			    : time_ns - flow->last_ns > SN_LIFE_REVIVAL * meter->timeout_ns[list];
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

/*
 * The flow in the table if the packet still belongs to it; else it is ended.  What goes on in the
 * middle has the client that it had.
 */
static struct sn_flow *continue_flow(struct sn_meter *meter, struct sn_flow *flow,
				     const struct job *job, int64_t time_ns, bool *late,
				     enum origin *origin)
{
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	enum fate fate = flow->closed ? LATE : CONTINUES;

	if (tcp != NULL && job->decoded.has_transport)
		fate = fate_of(tcp, &job->decoded, side_of(flow, job->from_high));
	if (tcp != NULL && (job->decoded.tcp_flags & SN_TCP_SYN) == 0)
		*origin = flow->client_is_high ? HIGH : LOW;
	if (is_too_late(meter, flow, time_ns)) {
		sn_life_end(meter, flow, SN_END_IDLE);
		return NULL;
	}
	if (fate == BEGINS) {
		if (!flow->closed && !flow->mid_stream) /* half of one: it ends now */
			flow->last_ns = SN_MAX(time_ns, flow->first_ns);
		sn_life_end(meter, flow, SN_END_CLOSED);
		return NULL;
	}
	*late = fate == LATE;
	if (!flow->closed && flow->interim != NULL)
		sn_life_follow_period(meter, flow->interim, time_ns);
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
	return (tcp->tcp.flags & (SN_TCP_SYN | SN_TCP_ACK | SN_TCP_RST | SN_TCP_FIN)) ==
		       SN_TCP_SYN &&
	       !sn_tcp_has_handshake(&tcp->tcp);
}

/* To the end of its idle list, unless it moved there in this tick. */
static void touch(struct sn_meter *meter, struct sn_flow *flow, bool moved)
{
	bool outgrown = flow->singleton && !is_singleton(flow);

	if (moved && !outgrown)
		return;
	flow->singleton = flow->singleton && !outgrown;
	sn_life_move(meter, flow);
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

/* Whole, if there is one. */
static struct sn_flow *find_flow(struct sn_meter *meter, const struct job *job)
{
	struct sn_flow *flow = job->guess;

	if (!sn_flow_table_is_still(&meter->table, flow, job->clears, &job->key))
		flow = sn_flow_table_find(&meter->table, &job->key, job->hash);
	return flow != NULL && flow->half_open ? sn_life_unfold(meter, flow, job->hash) : flow;
}

static void count_in_flow(struct sn_meter *meter, struct job *job, int64_t time_ns, uint16_t source)
{
	const struct sn_decoded *packet = &job->decoded;
	struct sn_flow *flow = find_flow(meter, job);
	struct sn_tcp_verdict verdict = {.closes = false};
	bool late = false, moved = true;
	enum origin origin = BY_PACKET;
	unsigned side;

	if (flow != NULL && !is_ordinary(meter, flow, packet, time_ns))
		flow = continue_flow(meter, flow, job, time_ns, &late, &origin);
	if (flow == NULL)
		flow = open_flow(meter, job, origin, time_ns, source);
	else
		moved = sn_life_tick_of(flow->last_ns) == meter->tick;
	if (flow->half_open)
		return;
	side = side_of(flow, job->from_high);
	if (late) {
		tell_series(meter, packet, flow, side, NULL, time_ns);
		job->skip = SN_SKIP_LATE;
		return;
	}
	count(flow, side, packet, time_ns);
	look_inside(meter, flow, side, packet, &verdict, time_ns);
	if (verdict.closes)
		sn_life_close(meter, flow);
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

/* Within a tick nothing happens to the clock but that it goes on. */
static void take_time(struct sn_meter *meter, int64_t time_ns)
{
	struct sn_meter_stats *stats = &meter->stats;

	if (stats->all.packets == 0)
		stats->first_ns = stats->last_ns = time_ns;
	if (time_ns < stats->first_ns)
		stats->first_ns = time_ns;
	if (time_ns > stats->last_ns)
		stats->last_ns = time_ns;
	if (time_ns >= meter->now_ns && sn_life_tick_of(time_ns) == meter->tick)
		meter->now_ns = time_ns;
	else
		sn_life_set_clock(meter, time_ns);
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
	job->clears = meter->table.clears;
	sn_life_prefetch(job->guess);
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
				   sn_segment_pool_memory(&meter->segments);
}
