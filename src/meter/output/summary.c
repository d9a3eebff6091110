/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "meter/output/row.h"
#include "meter/output/summary_internal.h"

#define MILLION 1e6

const uint8_t sn_summary_protocols[SN_SUMMARY_PROTOCOLS] = {SN_PROTO_TCP, SN_PROTO_UDP,
							    SN_PROTO_ICMP, SN_PROTO_ICMP6};

struct sn_summary *sn_summary_create(size_t top)
{
	struct sn_summary *summary = sn_new(struct sn_summary);

	assert(top <= SN_SUMMARY_TOP_MAX);
	pthread_mutex_init(&summary->lock, NULL);
	summary->top = top;
	summary->hosts = sn_hosts_create();
	summary->applications = sn_tally_create();
	summary->names = sn_tally_create();
	summary->flows = sn_new_n(struct sn_summary_flow, top + 1);
	return summary;
}

void sn_summary_destroy(struct sn_summary *summary)
{
	if (summary == NULL)
		return;
	sn_hosts_destroy(summary->hosts);
	sn_tally_destroy(summary->applications);
	sn_tally_destroy(summary->names);
	free(summary->flows);
	pthread_mutex_destroy(&summary->lock);
	free(summary);
}

/* Collecting -------------------------------------------------------------- */

static void add_host(struct sn_summary *summary, const struct sn_view_flow *view, unsigned side)
{
	const struct sn_view_address *address = side == SN_CLIENT ? &view->client : &view->server;
	const struct sn_flow *flow = view->flow;
	uint64_t ip[2] = {0};
	struct sn_host *host;

	if (address->family == 0)
		return;
	memcpy(ip, address->ip, address->family == 4 ? 4 : 16);
	host = sn_hosts_get(summary->hosts, address->family, ip);
	host->flows++;
	host->packets += sn_flow_packets(flow);
	host->sent_bytes += flow->side[side].bytes;
	host->received_bytes += flow->side[side ^ 1U].bytes;
}

static void set_end(char *out, size_t size, const struct sn_view_address *address, uint16_t port,
		    bool has_port)
{
	if (has_port)
		snprintf(out, size, address->family == 6 ? "[%s]:%u" : "%s:%u", address->text,
			 port);
	else
		snprintf(out, size, "%s", address->text);
}

static void set_flow(struct sn_summary_flow *slot, const struct sn_view_flow *view)
{
	const struct sn_flow *flow = view->flow;
	uint8_t protocol = flow->key.protocol;
	bool has_ports = protocol == SN_PROTO_TCP || protocol == SN_PROTO_UDP;
	struct sn_str name = view->server_name;

	*slot = (struct sn_summary_flow){.protocol = protocol, .packets = sn_flow_packets(flow)};
	for (unsigned side = 0; side < 2; side++)
		slot->bytes[side] = flow->side[side].bytes;
	set_end(slot->ends[SN_CLIENT], sizeof(slot->ends[0]), &view->client, view->client_port,
		has_ports);
	set_end(slot->ends[SN_SERVER], sizeof(slot->ends[0]), &view->server, view->server_port,
		has_ports);
	if (name.n == 0)
		name = sn_str(view->application);
	if (name.n > 0)
		memcpy(slot->name, name.p, SN_MIN(name.n, sizeof(slot->name) - 1));
}

static uint64_t volume(const struct sn_summary_flow *slot)
{
	return slot->bytes[SN_CLIENT] + slot->bytes[SN_SERVER];
}

/* Insertion into the sorted list; most flows are too small and stop at the first comparison. */
static void add_big(struct sn_summary *summary, const struct sn_view_flow *view, uint64_t bytes)
{
	size_t at = summary->flow_count;

	if (at == summary->top && (at == 0 || bytes <= volume(&summary->flows[at - 1])))
		return;
	if (at < summary->top)
		summary->flow_count++;
	else
		at--;
	for (; at > 0 && volume(&summary->flows[at - 1]) < bytes; at--)
		summary->flows[at] = summary->flows[at - 1];
	set_flow(&summary->flows[at], view);
}

static void add_rtts(struct sn_summary_tcp *sum, const struct sn_tcp *tcp)
{
	int64_t handshake_ns = sn_tcp_handshake_rtt(tcp);

	if (handshake_ns != SN_TCP_RTT_NONE)
		sn_spread_add(&sum->handshake_ns, (double)handshake_ns);
	/* Segments of one side tell of the way to the other. */
	for (unsigned side = 0; side < 2; side++) {
		const struct sn_tcp_rtt *rtt = &tcp->side[side ^ 1U].rtt;

		if (rtt->count > 0)
			sn_spread_add(&sum->rtt_ns[side],
				      rtt->sum_us / rtt->count * (double)SN_NS_PER_US);
	}
}

static void add_tcp(struct sn_summary_tcp *sum, const struct sn_view_flow *view,
		    const struct sn_tcp *tcp)
{
	uint64_t data = 0, again = 0;

	for (unsigned side = 0; side < 2; side++) {
		data += tcp->side[side].n.data;
		again += tcp->side[side].n.retransmitted;
		sum->out_of_order += tcp->side[side].n.out_of_order;
	}
	sum->flows++;
	sum->mid_stream += view->flow->mid_stream;
	sum->complete += sn_tcp_has_handshake(tcp);
	sum->unanswered += tcp->side[SN_CLIENT].has_syn && !tcp->side[SN_SERVER].has_syn;
	sum->reset += tcp->reset;
	sum->segments += data;
	sum->retransmitted += again;
	if (data > 0)
		sn_spread_add(&sum->losses_ppm,
			      SN_MIN((double)again / (double)data, 1.0) * MILLION);
	add_rtts(sum, tcp);
}

static void add_names(struct sn_summary *summary, const struct sn_view_flow *view, uint64_t bytes)
{
	uint64_t packets = sn_flow_packets(view->flow);
	struct sn_str application = sn_str(view->application);

	sn_tally_add(summary->applications, application.n > 0 ? application : SN_STR("unknown"),
		     packets, bytes);
	if (view->server_name.n > 0)
		sn_tally_add(summary->names, view->server_name, packets, bytes);
}

static void add_flow(struct sn_summary *summary, const struct sn_view_flow *view)
{
	const struct sn_flow *flow = view->flow;
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	uint64_t bytes = flow->side[SN_CLIENT].bytes + flow->side[SN_SERVER].bytes;
	size_t i = 0;

	while (sn_summary_protocols[i] != flow->key.protocol)
		i++;
	summary->totals[i].flows++;
	summary->totals[i].packets += sn_flow_packets(flow);
	summary->totals[i].bytes += bytes;
	add_host(summary, view, SN_CLIENT);
	add_host(summary, view, SN_SERVER);
	add_names(summary, view, bytes);
	add_big(summary, view, bytes);
	if (tcp != NULL)
		add_tcp(&summary->tcp, view, &tcp->tcp);
}

/* Interim reports are left out: the last one tells the whole. */
static int take_flow(void *sink, const struct sn_view_flow *view)
{
	struct sn_summary *summary = sink;

	if (view->end == SN_END_ACTIVE)
		return 0;
	pthread_mutex_lock(&summary->lock);
	add_flow(summary, view);
	pthread_mutex_unlock(&summary->lock);
	return 0;
}

struct sn_sink sn_summary_sink_create(struct sn_summary *summary)
{
	static const struct sn_sink_ops ops = {.flow = take_flow};

	return (struct sn_sink){.ops = &ops, .sink = summary};
}
