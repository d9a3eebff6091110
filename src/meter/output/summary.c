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

/* Parts ------------------------------------------------------------------- */

static struct sn_summary_part *part_create(size_t top)
{
	struct sn_summary_part *part = sn_new(struct sn_summary_part);

	part->top = top;
	part->hosts = sn_hosts_create();
	part->applications = sn_tally_create();
	part->names = sn_tally_create();
	part->flows = sn_new_n(struct sn_summary_flow, top + 1);
	return part;
}

static void part_destroy(struct sn_summary_part *part)
{
	sn_hosts_destroy(part->hosts);
	sn_tally_destroy(part->applications);
	sn_tally_destroy(part->names);
	free(part->flows);
	free(part);
}

struct sn_summary *sn_summary_create(size_t top)
{
	struct sn_summary *summary = sn_new(struct sn_summary);

	assert(top <= SN_SUMMARY_TOP_MAX);
	summary->top = top;
	return summary;
}

void sn_summary_destroy(struct sn_summary *summary)
{
	if (summary == NULL)
		return;
	for (size_t i = 0; i < summary->part_count; i++)
		part_destroy(summary->parts[i]);
	free(summary->parts);
	free(summary);
}

/* Collecting -------------------------------------------------------------- */

static void add_host(struct sn_summary_part *part, const struct sn_view_flow *view, unsigned side)
{
	const struct sn_view_address *address = side == SN_CLIENT ? &view->client : &view->server;
	const struct sn_flow *flow = view->flow;
	struct sn_host host = {.family = address->family,
			       .flows = 1,
			       .packets = sn_flow_packets(flow),
			       .sent_bytes = flow->side[side].bytes,
			       .received_bytes = flow->side[side ^ 1U].bytes};

	if (address->family == 0)
		return;
	if (address->family == 4)
		memcpy(host.address, address->ip, 4);
	else
		memcpy(host.address, address->ip, 16);
	sn_hosts_add(part->hosts, &host);
}

static void set_end(char *out, size_t size, const struct sn_view_address *address, uint16_t port,
		    bool has_port)
{
	char text[SN_VIEW_ADDRESS_MAX];
	int n = (int)(sn_view_address_put(text, address) - text);

	if (has_port)
		snprintf(out, size, address->family == 6 ? "[%.*s]:%u" : "%.*s:%u", n, text, port);
	else
		snprintf(out, size, "%.*s", n, text);
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
static struct sn_summary_flow *place_for(struct sn_summary_part *part, uint64_t bytes)
{
	size_t at = part->flow_count;

	if (at == part->top && (at == 0 || bytes <= volume(&part->flows[at - 1])))
		return NULL;
	if (at < part->top)
		part->flow_count++;
	else
		at--;
	for (; at > 0 && volume(&part->flows[at - 1]) < bytes; at--)
		part->flows[at] = part->flows[at - 1];
	return &part->flows[at];
}

static void add_big(struct sn_summary_part *part, const struct sn_view_flow *view, uint64_t bytes)
{
	struct sn_summary_flow *slot = place_for(part, bytes);

	if (slot != NULL)
		set_flow(slot, view);
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

/* There are few words and each flow has one: they are told apart by where they are. */
static struct sn_tally_entry *entry_of(struct sn_summary_part *part, const char *word)
{
	size_t i = ((uintptr_t)word ^ (uintptr_t)word >> 5) % SN_SUMMARY_WORDS;

	if (part->words[i].word != word) {
		part->words[i].word = word;
		part->words[i].entry = sn_tally_get(part->applications,
						    sn_str(word[0] != '\0' ? word : "unknown"));
	}
	return part->words[i].entry;
}

static void add_names(struct sn_summary_part *part, const struct sn_view_flow *view, uint64_t bytes)
{
	uint64_t packets = sn_flow_packets(view->flow);
	struct sn_tally_entry *entry = entry_of(part, view->application);

	if (entry != NULL) {
		entry->flows++;
		entry->packets += packets;
		entry->bytes += bytes;
	}
	if (view->server_name.n > 0)
		sn_tally_add(part->names, view->server_name, packets, bytes);
}

static void add_to_lists(struct sn_summary_part *part, const struct sn_view_flow *view,
			 uint64_t bytes)
{
	add_host(part, view, SN_CLIENT);
	add_host(part, view, SN_SERVER);
	add_names(part, view, bytes);
	add_big(part, view, bytes);
}

/* Interim reports are left out: the last one tells the whole. */
static int take_flow(void *sink, const struct sn_view_flow *view)
{
	struct sn_summary_part *part = sink;
	const struct sn_flow *flow = view->flow;
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	uint64_t bytes = flow->side[SN_CLIENT].bytes + flow->side[SN_SERVER].bytes;
	size_t i = 0;

	if (view->end == SN_END_ACTIVE)
		return 0;
	while (sn_summary_protocols[i] != flow->key.protocol)
		i++;
	part->totals[i].flows++;
	part->totals[i].packets += sn_flow_packets(flow);
	part->totals[i].bytes += bytes;
	if (part->top > 0)
		add_to_lists(part, view, bytes);
	if (tcp != NULL)
		add_tcp(&part->tcp, view, &tcp->tcp);
	return 0;
}

struct sn_sink sn_summary_sink_create(struct sn_summary *summary)
{
	static const struct sn_sink_ops ops = {.flow = take_flow};
	struct sn_summary_part *part = part_create(summary->top);

	summary->parts = sn_xrealloc(summary->parts, summary->part_count + 1,
				     sizeof(struct sn_summary_part *));
	summary->parts[summary->part_count++] = part;
	return (struct sn_sink){.ops = &ops, .sink = part};
}

/* Putting together -------------------------------------------------------- */

static void merge_tcp(struct sn_summary_tcp *sum, const struct sn_summary_tcp *more)
{
	sum->flows += more->flows;
	sum->complete += more->complete;
	sum->unanswered += more->unanswered;
	sum->reset += more->reset;
	sum->mid_stream += more->mid_stream;
	sum->segments += more->segments;
	sum->retransmitted += more->retransmitted;
	sum->out_of_order += more->out_of_order;
	sn_spread_merge(&sum->handshake_ns, &more->handshake_ns);
	sn_spread_merge(&sum->rtt_ns[SN_CLIENT], &more->rtt_ns[SN_CLIENT]);
	sn_spread_merge(&sum->rtt_ns[SN_SERVER], &more->rtt_ns[SN_SERVER]);
	sn_spread_merge(&sum->losses_ppm, &more->losses_ppm);
}

static void merge(struct sn_summary_part *sum, const struct sn_summary_part *more)
{
	for (size_t i = 0; i < SN_SUMMARY_PROTOCOLS; i++) {
		sum->totals[i].flows += more->totals[i].flows;
		sum->totals[i].packets += more->totals[i].packets;
		sum->totals[i].bytes += more->totals[i].bytes;
	}
	sn_hosts_merge(sum->hosts, more->hosts);
	sn_tally_merge(sum->applications, more->applications);
	sn_tally_merge(sum->names, more->names);
	for (size_t i = 0; i < more->flow_count; i++) {
		struct sn_summary_flow *slot = place_for(sum, volume(&more->flows[i]));

		if (slot != NULL)
			*slot = more->flows[i];
	}
	merge_tcp(&sum->tcp, &more->tcp);
}

const struct sn_summary_part *sn_summary_sum(const struct sn_summary *summary)
{
	struct sn_summary_part *sum;

	if (summary->part_count == 1)
		return summary->parts[0];
	sum = part_create(summary->top);
	for (size_t i = 0; i < summary->part_count; i++)
		merge(sum, summary->parts[i]);
	return sum;
}

void sn_summary_let_go(const struct sn_summary *summary, const struct sn_summary_part *sum)
{
	if (summary->part_count != 1)
		part_destroy((struct sn_summary_part *)(uintptr_t)sum);
}
