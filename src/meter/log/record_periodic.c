/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of log_tcp_periodic and log_udp_periodic, in the order of Tstat's tables. */
#include "meter/log/record.h"

static const struct sn_interim nothing;

/* What the reports before this one have told. */
static const struct sn_interim *told(const struct sn_flow *flow)
{
	return !flow->closed && flow->interim != NULL ? flow->interim : NULL;
}

bool sn_record_is_period(const struct sn_view_flow *view)
{
	bool inside = view->client.internal || view->server.internal;
	bool udp = sn_flow_udp(view->flow) != NULL;

	return view->period[SN_CLIENT].packets + view->period[SN_SERVER].packets > 0 &&
	       !view->flow->mid_stream && (udp || sn_flow_tcp(view->flow) != NULL) &&
	       (!udp || inside || view->end == SN_END_ACTIVE);
}

static void add_bin(struct sn_record *record, const struct sn_view_flow *view, int64_t last_ns)
{
	int64_t first_ns = view->flow->first_ns, start_ns = view->period_first_ns;
	double from_ms = sn_record_elapsed_ms(first_ns, start_ns);
	double to_ms = sn_record_elapsed_ms(first_ns, last_ns);

	sn_record_f(record, sn_record_ms(start_ns));
	sn_record_f(record, from_ms);
	sn_record_f(record, to_ms);
	sn_record_f(record, sn_record_elapsed_ms(start_ns, last_ns));
}

static void add_counters(struct sn_record *record, const struct sn_flow_side *period,
			 const struct sn_tcp_counters *now, const struct sn_tcp_counters *before)
{
	sn_record_i(record, (int64_t)period->packets);
	sn_record_i(record, now->rst - before->rst);
	sn_record_i(record, now->ack - before->ack);
	sn_record_i(record, now->pure_ack - before->pure_ack);
	sn_record_i(record, (int64_t)(now->unique_bytes - before->unique_bytes));
	sn_record_i(record, now->data - before->data);
	sn_record_i(record, (int64_t)period->payload);
	sn_record_i(record, now->retransmitted - before->retransmitted);
	sn_record_i(record, (int64_t)(now->retransmitted_bytes - before->retransmitted_bytes));
	sn_record_i(record, now->out_of_order - before->out_of_order);
	sn_record_i(record, now->syn - before->syn);
	sn_record_i(record, now->fin - before->fin);
}

static void add_rtt(struct sn_record *record, const struct sn_tcp_side *side,
		    const struct sn_interim *before, unsigned i)
{
	uint32_t count = side->rtt.count - before->more[i].rtt_count;
	double sum_us = side->rtt.sum_us - before->more[i].rtt_sum_us;

	sn_record_f(record, sum_us / ((double)count + SN_RECORD_COUNT_BIAS) / 1000.0);
	sn_record_i(record, count);
}

static void add_flight(struct sn_record *record, const struct sn_tcp_side *side,
		       const struct sn_interim *interim, unsigned i)
{
	sn_record_i(record, interim != NULL ? interim->more[i].flight_min : side->flight_min);
	sn_record_i(record, interim != NULL ? interim->more[i].flight_max : side->flight_max);
}

void sn_record_tcp_periodic(struct sn_record *record, const struct sn_view_flow *view)
{
	const struct sn_tcp_flow *tcp = sn_flow_as_tcp(view->flow);
	const struct sn_tcp_side *side = tcp->tcp.side;
	const struct sn_interim *interim = told(view->flow);
	const struct sn_interim *before = interim != NULL ? interim : &nothing;

	sn_record_begin(record, &sn_tstat_tables[SN_TSTAT_TCP_PERIODIC]);
	sn_record_address(record, &view->client);
	sn_record_i(record, view->client_port);
	sn_record_address(record, &view->server);
	sn_record_i(record, view->server_port);
	add_bin(record, view, view->flow->last_ns);
	for (unsigned i = 0; i < 2; i++)
		add_counters(record, &view->period[i], &side[i].n, &before->tcp[i]);
	for (unsigned i = 0; i < 2; i++)
		add_rtt(record, &side[i], before, i);
	for (unsigned i = 0; i < 2; i++)
		add_flight(record, &side[i], interim, i);
	for (unsigned i = 0; i < 2; i++)
		sn_record_i(record, sn_tcp_trouble(&tcp->tcp, i)->sacks - before->more[i].sacks);
	sn_record_i(record, view->client.internal);
	sn_record_i(record, view->server.internal);
	sn_record_i(record, view->client.anonymised);
	sn_record_i(record, view->server.anonymised);
}

static void add_udp_end(struct sn_record *record, const struct sn_view_address *address,
			uint16_t port)
{
	sn_record_address(record, address);
	sn_record_i(record, port);
	sn_record_i(record, address->internal);
	sn_record_i(record, address->anonymised);
}

/* Tstat sees the first fragment of a datagram only. */
void sn_record_udp_periodic(struct sn_record *record, const struct sn_view_flow *view)
{
	const struct sn_udp_flow *udp = sn_flow_as_udp(view->flow);
	const struct sn_interim *interim = told(view->flow);
	int64_t last_ns = SN_MAX(udp->side[0].last_ns, udp->side[1].last_ns);

	sn_record_begin(record, &sn_tstat_tables[SN_TSTAT_UDP_PERIODIC]);
	add_udp_end(record, &view->client, view->client_port);
	add_udp_end(record, &view->server, view->server_port);
	add_bin(record, view, last_ns);
	for (unsigned i = 0; i < 2; i++) {
		unsigned before = interim != NULL ? interim->later_fragments[i] : 0;
		unsigned later = view->flow->later_fragments[i] - before;

		sn_record_i(record, (int64_t)view->period[i].packets - later);
		sn_record_i(record, (int64_t)view->period[i].payload);
	}
}
