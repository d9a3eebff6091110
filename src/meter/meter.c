/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/meter.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "meter/flow/fragments.h"
#include "meter/flow/table.h"

/* Lists are kept in order by ticks of 134 ms: a busy flow moves once per tick, not per packet. */
#define TICK_SHIFT 27
#define JOBS       16 /* packets in flight: enough to hide memory, few enough for the first cache */

struct sn_meter {
	struct sn_meter_options options;
	sn_meter_report_fn *report;
	void *ctx;
	struct sn_flow_table table;
	struct sn_fragments *fragments;
	struct sn_list idle, age, closing; /* oldest first */
	int64_t now_ns;                    /* latest time of a packet; never goes back */
	uint32_t tick;
	struct sn_meter_stats stats;
};

struct sn_meter *sn_meter_create(const struct sn_meter_options *options, sn_meter_report_fn *report,
				 void *ctx)
{
	struct sn_meter *meter = sn_new(struct sn_meter);

	assert(options->idle_ns >= SN_NS_PER_S && options->max_flows > 0);
	assert(options->active_ns == 0 || options->active_ns >= SN_NS_PER_S);
	meter->options = *options;
	meter->report = report;
	meter->ctx = ctx;
	sn_flow_table_init(&meter->table);
	meter->fragments = sn_fragments_create();
	sn_list_init(&meter->idle);
	sn_list_init(&meter->age);
	sn_list_init(&meter->closing);
	return meter;
}

void sn_meter_destroy(struct sn_meter *meter)
{
	if (meter == NULL)
		return;
	sn_flow_table_finish(&meter->table);
	sn_fragments_destroy(meter->fragments);
	free(meter);
}

static void report(struct sn_meter *meter, const struct sn_flow *flow, enum sn_flow_end end)
{
	/* Nothing happened since the last report on the active timeout. */
	if (sn_flow_packets(flow) == 0)
		return;
	meter->stats.reports++;
	meter->report(flow, end, meter->ctx);
}

static void end_flow(struct sn_meter *meter, struct sn_flow *flow, enum sn_flow_end end)
{
	report(meter, flow, flow->closed ? SN_END_CLOSED : end);
	sn_list_remove(&flow->idle_link);
	sn_list_remove(&flow->age_link);
	sn_flow_table_remove(&meter->table, flow);
}

static struct sn_flow *oldest(struct sn_list *list)
{
	return sn_list_empty(list) ? NULL : sn_list_entry(list->next, struct sn_flow, idle_link);
}

/* Report on the active timeout and count afresh. */
static void next_period(struct sn_meter *meter, struct sn_flow *flow)
{
	struct sn_tcp *tcp = sn_flow_tcp(flow);

	report(meter, flow, SN_END_ACTIVE);
	flow->side[SN_CLIENT] = flow->side[SN_SERVER] = (struct sn_flow_side){0};
	flow->period_ns = meter->now_ns;
	sn_list_remove(&flow->age_link);
	sn_list_append(&meter->age, &flow->age_link);
	if (tcp != NULL)
		sn_tcp_next_period(tcp);
}

static bool is_active_due(const struct sn_meter *meter, const struct sn_flow *flow, int64_t now_ns)
{
	return meter->options.active_ns > 0 && !flow->closed &&
	       now_ns - flow->period_ns >= meter->options.active_ns;
}

/* Its time was over before `now_ns`. */
static bool is_over(const struct sn_meter *meter, const struct sn_flow *flow, int64_t now_ns)
{
	return flow->closed ? now_ns - flow->closed_ns > SN_METER_LINGER_NS
			    : now_ns - flow->last_ns > meter->options.idle_ns;
}

static void expire_list(struct sn_meter *meter, struct sn_list *list)
{
	struct sn_flow *flow;

	while ((flow = oldest(list)) != NULL && is_over(meter, flow, meter->now_ns))
		end_flow(meter, flow, SN_END_IDLE);
}

static void expire(struct sn_meter *meter)
{
	expire_list(meter, &meter->closing);
	expire_list(meter, &meter->idle);
	while (!sn_list_empty(&meter->age)) {
		struct sn_flow *flow = sn_list_entry(meter->age.next, struct sn_flow, age_link);

		if (!is_active_due(meter, flow, meter->now_ns))
			break;
		next_period(meter, flow);
	}
}

void sn_meter_flush(struct sn_meter *meter)
{
	struct sn_flow *flow;

	while ((flow = oldest(&meter->closing)) != NULL)
		end_flow(meter, flow, SN_END_END);
	while ((flow = oldest(&meter->idle)) != NULL)
		end_flow(meter, flow, SN_END_END);
}

static void set_clock(struct sn_meter *meter, int64_t now_ns)
{
	meter->now_ns = now_ns;
	if ((uint32_t)(now_ns >> TICK_SHIFT) != meter->tick) {
		meter->tick = (uint32_t)(now_ns >> TICK_SHIFT);
		expire(meter);
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
	} else if (meter->now_ns - time_ns > meter->options.idle_ns) {
		meter->stats.clock_steps++;
		sn_meter_flush(meter);
		set_clock(meter, time_ns);
	}
}

void sn_meter_advance(struct sn_meter *meter, int64_t now_ns)
{
	if (meter->stats.all.packets > 0 && now_ns > meter->now_ns)
		set_clock(meter, now_ns);
}

static void make_room(struct sn_meter *meter)
{
	struct sn_flow *flow = oldest(&meter->closing);

	if (flow == NULL)
		flow = oldest(&meter->idle);
	meter->stats.evictions++;
	end_flow(meter, flow, SN_END_FULL);
}

/* SYN+ACK and echo reply show that the other end has begun. */
static bool answers(const struct sn_decoded *packet)
{
	return packet->reply ||
	       (packet->tcp_flags & (SN_TCP_SYN | SN_TCP_ACK)) == (SN_TCP_SYN | SN_TCP_ACK);
}

static struct sn_flow *open_flow(struct sn_meter *meter, const struct sn_flow_key *key,
				 uint64_t hash, bool from_high, const struct sn_decoded *packet)
{
	struct sn_flow *flow;
	struct sn_tcp *tcp;

	if (meter->table.count >= meter->options.max_flows)
		make_room(meter);
	flow = sn_flow_table_add(&meter->table, key, hash);
	flow->client_is_high = from_high != answers(packet);
	flow->period_ns = meter->now_ns;
	flow->touched = meter->tick;
	sn_list_append(&meter->idle, &flow->idle_link);
	sn_list_append(&meter->age, &flow->age_link);
	tcp = sn_flow_tcp(flow);
	if (tcp != NULL)
		sn_tcp_init(tcp);
	meter->stats.flows_peak = SN_MAX(meter->stats.flows_peak, meter->table.count);
	return flow;
}

static unsigned side_of(const struct sn_flow *flow, bool from_high)
{
	return from_high == flow->client_is_high ? SN_CLIENT : SN_SERVER;
}

/* The flow in the table if the packet still belongs to it; else it is ended. */
static struct sn_flow *continue_flow(struct sn_meter *meter, struct sn_flow *flow, bool from_high,
				     const struct sn_decoded *packet, int64_t time_ns)
{
	const struct sn_tcp *tcp = sn_flow_tcp(flow);
	bool is_new = tcp != NULL && packet->has_transport &&
		      sn_tcp_is_new(tcp, packet, side_of(flow, from_high), flow->closed);

	if (is_new || is_over(meter, flow, time_ns)) {
		end_flow(meter, flow, is_new ? SN_END_CLOSED : SN_END_IDLE);
		return NULL;
	}
	if (is_active_due(meter, flow, time_ns))
		next_period(meter, flow);
	return flow;
}

static void count(struct sn_flow *flow, unsigned side, const struct sn_decoded *packet,
		  int64_t time_ns)
{
	bool first = sn_flow_packets(flow) == 0;
	struct sn_flow_side *counters = &flow->side[side];

	flow->first_ns = first ? time_ns : SN_MIN(flow->first_ns, time_ns);
	flow->last_ns = first ? time_ns : SN_MAX(flow->last_ns, time_ns);
	counters->packets++;
	counters->bytes += packet->ip_bytes;
	counters->payload += packet->payload_bytes;
}

/* To the end of the idle list, or of the closing list when the connection has ended. */
static void touch(struct sn_meter *meter, struct sn_flow *flow, bool ended)
{
	if (flow->closed)
		return;
	if (ended) {
		flow->closed = true;
		flow->closed_ns = meter->now_ns;
		sn_list_remove(&flow->age_link);
		sn_list_remove(&flow->idle_link);
		sn_list_append(&meter->closing, &flow->idle_link);
	} else if (flow->touched != meter->tick) {
		flow->touched = meter->tick;
		sn_list_remove(&flow->idle_link);
		sn_list_append(&meter->idle, &flow->idle_link);
	}
}

/* A packet on its way through the stages of sn_meter_packets(). */
struct job {
	struct sn_decoded decoded;
	struct sn_flow_key key;
	uint64_t hash;
	enum sn_skip skip;
	bool from_high;
};

static void find_key(const struct sn_meter *meter, struct job *job)
{
	job->from_high = sn_flow_key_init(&job->key, &job->decoded);
	job->hash = sn_flow_table_hash(&meter->table, &job->key);
}

static void count_in_flow(struct sn_meter *meter, const struct job *job, int64_t time_ns,
			  uint16_t source)
{
	const struct sn_decoded *packet = &job->decoded;
	struct sn_flow *flow = sn_flow_table_find(&meter->table, &job->key, job->hash);
	bool ended = false;

	if (flow != NULL)
		flow = continue_flow(meter, flow, job->from_high, packet, time_ns);
	if (flow == NULL) {
		flow = open_flow(meter, &job->key, job->hash, job->from_high, packet);
		flow->source = source;
		flow->last_ns = time_ns;
	}

	unsigned side = side_of(flow, job->from_high);
	struct sn_tcp *tcp = sn_flow_tcp(flow);

	count(flow, side, packet, time_ns);
	if (tcp != NULL && packet->has_transport)
		ended = sn_tcp_update(tcp, packet, side, time_ns);
	touch(meter, flow, ended);
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
	else
		add_to(&meter->stats.skipped[job->skip], packet);
}

void sn_meter_packets(struct sn_meter *meter, int link, const struct sn_packet *packets,
		      size_t count, uint16_t source)
{
	struct job jobs[JOBS];

	while (count > 0) {
		size_t n = SN_MIN(count, (size_t)JOBS);

		for (size_t i = 0; i < n; i++) {
			jobs[i].skip = sn_decode(link, &packets[i], &jobs[i].decoded);
			if (jobs[i].skip != SN_SKIP_NONE || jobs[i].decoded.fragmented)
				continue;
			find_key(meter, &jobs[i]);
			sn_flow_table_prefetch_slot(&meter->table, jobs[i].hash);
		}
		for (size_t i = 0; i < n; i++)
			if (jobs[i].skip == SN_SKIP_NONE && !jobs[i].decoded.fragmented)
				sn_flow_table_prefetch_flow(&meter->table, jobs[i].hash);
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
	stats->memory_peak_bytes = sn_flow_table_memory(&meter->table);
}
