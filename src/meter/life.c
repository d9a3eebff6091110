/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/life.h"

#include <assert.h>
#include <string.h>

#include "meter/app/app.h"
#include "meter/app/names.h"
#include "meter/flow/interim.h"

/* What the SYN of a half-open flow tells, beyond its head. */
static void unfold(struct sn_meter *meter, struct sn_tcp_flow *flow, const struct sn_tcp_syn *syn)
{
	flow->flow.half_open = false;
	flow->flow.first_ns = flow->flow.last_ns;
	flow->flow.side[SN_CLIENT] = (struct sn_flow_side){1, syn->ip_bytes, 0};
	sn_tcp_syn_replay(syn, &flow->tcp, &meter->segments, flow->flow.last_ns);
}

/* The others see whole flows only. */
static const struct sn_flow *whole_of(struct sn_meter *meter, const struct sn_flow *flow)
{
	if (!flow->half_open)
		return flow;
	meter->whole = (struct sn_tcp_flow){.app = NULL};
	memcpy(&meter->whole, flow, SN_FLOW_HEAD_BYTES);
	unfold(meter, &meter->whole, &flow->syn);
	return &meter->whole.flow;
}

/* The worker that reads the answer of DNS was behind the one that read the flow's first packet. */
static void name_late(const struct sn_meter *meter, struct sn_flow *flow)
{
	if (meter->options.names_late && meter->options.dns_cache != NULL && flow->name == NULL &&
	    !flow->half_open)
		flow->name = sn_dns_cache_find(meter->options.dns_cache,
					       sn_flow_address(flow, SN_CLIENT),
					       sn_flow_address(flow, SN_SERVER), flow->first_ns);
}

static void report(struct sn_meter *meter, struct sn_flow *flow, enum sn_flow_end end)
{
	name_late(meter, flow);
	if (flow->interim != NULL)
		sn_interim_complete(flow->interim);
	meter->stats.reports++;
	meter->report(whole_of(meter, flow), end, meter->ctx);
	if (flow->half_open)
		sn_tcp_forget(&meter->whole.tcp, &meter->segments);
}

static struct sn_flow *oldest(const struct sn_list *list)
{
	return sn_list_empty(list) ? NULL : sn_list_entry(list->next, struct sn_flow, idle_link);
}

/* The end of a flow ------------------------------------------------------- */

void sn_life_settle(struct sn_meter *meter, struct sn_flow *flow)
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
		sn_life_settle(meter, flow);
	if (flow->key.protocol == SN_PROTO_TCP)
		meter->segments.budget--;
	sn_list_remove(&flow->idle_link);
	sn_flow_table_remove(&meter->table, flow, hash);
}

void sn_life_end(struct sn_meter *meter, struct sn_flow *flow, enum sn_flow_end end)
{
	uint64_t hash = sn_flow_table_hash(&meter->table, &flow->key);

	if (!flow->closed)
		report(meter, flow, end);
	remove_flow(meter, flow, hash);
}

void sn_life_close(struct sn_meter *meter, struct sn_flow *flow)
{
	report(meter, flow, SN_END_CLOSED);
	sn_life_settle(meter, flow);
	flow->closed = true;
	flow->closed_ns = meter->now_ns;
	sn_list_remove(&flow->idle_link);
	sn_list_append(&meter->closed, &flow->idle_link);
}

bool sn_life_is_over(const struct sn_meter *meter, const struct sn_flow *flow, int64_t now_ns)
{
	return flow->closed ? now_ns - flow->closed_ns > SN_METER_LINGER_NS
			    : now_ns - flow->last_ns > meter->timeout_ns[sn_life_list_of(flow)];
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
		sn_life_prefetch(sn_list_entry(flow->idle_link.next, struct sn_flow, idle_link));
}

static void expire_list(struct sn_meter *meter, struct sn_list *list)
{
	struct sn_flow *flow;

	while ((flow = oldest(list)) != NULL && sn_life_is_over(meter, flow, meter->now_ns)) {
		prefetch_behind(meter, list, flow, true);
		sn_life_end(meter, flow, SN_END_IDLE);
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
		if (sn_life_is_over(meter, interim->flow, meter->now_ns))
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
	for (unsigned i = 0; i < SN_IDLE_LISTS; i++)
		expire_list(meter, &meter->idle[i]);
}

/* Flows are not taken out of the table one by one: it is empty afterwards. */
static void flush_list(struct sn_meter *meter, struct sn_list *list)
{
	sn_list_for_each (node, list) {
		struct sn_flow *flow = sn_list_entry(node, struct sn_flow, idle_link);
		bool idle = sn_life_is_over(meter, flow, meter->now_ns);

		prefetch_behind(meter, list, flow, false);
		report(meter, flow, idle ? SN_END_IDLE : SN_END_END);
		sn_life_settle(meter, flow);
	}
	sn_list_init(list);
}

void sn_meter_flush(struct sn_meter *meter)
{
	for (unsigned i = 0; i < SN_IDLE_LISTS; i++)
		flush_list(meter, &meter->idle[i]);
	sn_list_init(&meter->closed);
	meter->segments.budget -=
		meter->table.slabs[SN_KIND_TCP].used + meter->table.slabs[SN_KIND_HALF_OPEN].used;
	sn_flow_table_clear(&meter->table);
}

static void go_to(struct sn_meter *meter, int64_t now_ns)
{
	meter->now_ns = now_ns;
	if (sn_life_tick_of(now_ns) == meter->tick)
		return;
	meter->tick = sn_life_tick_of(now_ns);
	expire_list(meter, &meter->closed);
	report_active(meter);
}

void sn_life_set_clock(struct sn_meter *meter, int64_t time_ns)
{
	if (meter->now_ns - time_ns > meter->timeout_max_ns && meter->stats.all.packets > 0) {
		meter->stats.clock_steps++;
		sn_meter_flush(meter);
	} else if (time_ns < meter->now_ns && meter->stats.all.packets > 0) {
		return; /* smaller steps back are reordering */
	}
	go_to(meter, time_ns);
}

void sn_meter_advance(struct sn_meter *meter, int64_t now_ns)
{
	if (meter->stats.all.packets == 0 || now_ns <= meter->now_ns)
		return;
	go_to(meter, now_ns);
	sweep(meter);
}

/* What has ended goes first, then who is silent for the longest time. */
static struct sn_flow *dispensable(const struct sn_meter *meter)
{
	struct sn_flow *found = oldest(&meter->closed);

	if (found != NULL)
		return found;
	for (unsigned i = 0; i < SN_IDLE_LISTS; i++) {
		struct sn_flow *flow = oldest(&meter->idle[i]);

		if (flow != NULL && (found == NULL || flow->last_ns < found->last_ns))
			found = flow;
	}
	return found;
}

void sn_life_make_room(struct sn_meter *meter)
{
	struct sn_flow *flow;

	sweep(meter);
	if (meter->table.count < meter->options.max_flows)
		return;
	flow = dispensable(meter);
	assert(flow != NULL); /* the table is full */
	if (!flow->closed)
		meter->stats.evictions++;
	sn_life_end(meter, flow, SN_END_FULL);
}

/* Of a flow that has counted nothing yet. */
static void begin_interim(struct sn_meter *meter, struct sn_flow *flow, int64_t time_ns)
{
	flow->interim = sn_pool_take(&meter->interims);
	flow->interim->flow = flow;
	sn_list_init(&flow->interim->age_link);
	sn_interim_begin(flow->interim);
	begin_period(meter, flow->interim, time_ns);
}

void sn_life_begin(struct sn_meter *meter, struct sn_flow *flow, int64_t time_ns)
{
	meter->segments.budget += flow->key.protocol == SN_PROTO_TCP;
	sn_list_append(&meter->idle[sn_life_list_of(flow)], &flow->idle_link);
	if (meter->options.active_ns > 0 && !flow->half_open)
		begin_interim(meter, flow, time_ns);
	meter->stats.flows_peak = SN_MAX(meter->stats.flows_peak, meter->table.count);
}

struct sn_flow *sn_life_unfold(struct sn_meter *meter, struct sn_flow *flow, uint64_t hash)
{
	struct sn_tcp_syn syn = flow->syn;

	flow = sn_flow_table_unfold(&meter->table, flow, hash);
	flow->idle_link.prev->next = flow->idle_link.next->prev = &flow->idle_link;
	if (meter->options.active_ns > 0)
		begin_interim(meter, flow, flow->last_ns);
	unfold(meter, sn_flow_as_tcp(flow), &syn);
	return flow;
}

void sn_life_move(struct sn_meter *meter, struct sn_flow *flow)
{
	sn_list_remove(&flow->idle_link);
	sn_list_append(&meter->idle[sn_life_list_of(flow)], &flow->idle_link);
}

void sn_life_follow_period(struct sn_meter *meter, struct sn_interim *interim, int64_t time_ns)
{
	if (is_due(meter, interim, time_ns))
		end_period(meter, interim);
	if (!interim->running)
		begin_period(meter, interim, time_ns);
}
