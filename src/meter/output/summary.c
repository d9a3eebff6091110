/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/summary.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "meter/output/hosts.h"
#include "meter/output/row.h"

#define BYTES_TEXT_MAX 24
#define ENDS_TEXT_MAX  (2 * SN_FLOW_ADDRESS_MAX + 32)

struct total {
	uint64_t flows, packets, bytes;
};

struct big_flow { /* copied: the flow is gone when the summary is written */
	struct sn_flow flow;
	uint64_t bytes;
};

static const uint8_t protocols[] = {SN_PROTO_TCP, SN_PROTO_UDP, SN_PROTO_ICMP, SN_PROTO_ICMP6};

struct sn_summary {
	struct total totals[SN_COUNT(protocols)];
	struct sn_hosts *hosts;
	struct big_flow *flows; /* largest first */
	size_t top, flow_count;
};

struct sn_summary *sn_summary_create(size_t top)
{
	struct sn_summary *summary = sn_new(struct sn_summary);

	assert(top <= SN_SUMMARY_TOP_MAX);
	summary->top = top;
	summary->hosts = sn_hosts_create();
	summary->flows = sn_new_n(struct big_flow, top + 1);
	return summary;
}

void sn_summary_destroy(struct sn_summary *summary)
{
	if (summary == NULL)
		return;
	sn_hosts_destroy(summary->hosts);
	free(summary->flows);
	free(summary);
}

static void add_host(struct sn_summary *summary, const struct sn_flow *flow,
		     const uint64_t address[2], unsigned side)
{
	struct sn_host *host = sn_hosts_get(summary->hosts, flow->key.family, address);

	host->flows++;
	host->packets += sn_flow_packets(flow);
	host->sent_bytes += flow->side[side].bytes;
	host->received_bytes += flow->side[side ^ 1U].bytes;
}

/* Insertion into the sorted list; most flows are too small and stop at the first comparison. */
static void add_big(struct sn_summary *summary, const struct sn_flow *flow, uint64_t bytes)
{
	size_t at = summary->flow_count;

	if (at == summary->top && (at == 0 || bytes <= summary->flows[at - 1].bytes))
		return;
	if (at < summary->top)
		summary->flow_count++;
	else
		at--;
	for (; at > 0 && summary->flows[at - 1].bytes < bytes; at--)
		summary->flows[at] = summary->flows[at - 1];
	summary->flows[at] = (struct big_flow){.flow = *flow, .bytes = bytes};
}

void sn_summary_add(struct sn_summary *summary, const struct sn_flow *flow, enum sn_flow_end end)
{
	uint64_t bytes = flow->side[SN_CLIENT].bytes + flow->side[SN_SERVER].bytes;

	if (end == SN_END_ACTIVE) /* its last report tells the whole */
		return;

	unsigned low_side = flow->client_is_high ? SN_SERVER : SN_CLIENT;
	size_t i = 0;

	while (protocols[i] != flow->key.protocol)
		i++;
	summary->totals[i].flows++;
	summary->totals[i].packets += sn_flow_packets(flow);
	summary->totals[i].bytes += bytes;
	add_host(summary, flow, flow->key.low, low_side);
	add_host(summary, flow, flow->key.high, low_side ^ 1U);
	add_big(summary, flow, bytes);
}

/* Text ------------------------------------------------------------------ */

static const char *bytes_text(uint64_t bytes, char *out)
{
	return sn_format_bytes(bytes, out, BYTES_TEXT_MAX);
}

/* Local time with its offset, milliseconds. */
static void add_time(struct sn_buf *out, int64_t unix_ns)
{
	int64_t fraction = ((unix_ns % SN_NS_PER_S) + SN_NS_PER_S) % SN_NS_PER_S;
	time_t seconds = (time_t)((unix_ns - fraction) / SN_NS_PER_S);
	char date[32] = "", zone[16] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm) != NULL) {
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
		strftime(zone, sizeof(zone), "%z", &tm);
	}
	sn_buf_addf(out, "%s.%03d %s", date, (int)(fraction / SN_NS_PER_MS), zone);
}

static void write_head(const struct sn_summary_facts *facts, struct sn_buf *out)
{
	const struct sn_meter_stats *meter = facts->meter;
	char bytes[BYTES_TEXT_MAX], duration[SN_DURATION_TEXT_MAX];
	int64_t length_ns = (meter->last_ns - meter->first_ns) / SN_NS_PER_MS * SN_NS_PER_MS;

	sn_buf_addf(out, "source    %s\n", facts->source);
	if (meter->all.packets > 0) {
		sn_buf_adds(out, "time      ");
		add_time(out, meter->first_ns);
		sn_buf_addf(out, ", %s\n",
			    sn_format_duration(length_ns, duration, sizeof(duration)));
	}
	sn_buf_addf(out, "packets   %" PRIu64 ", %s on the wire\n", meter->all.packets,
		    bytes_text(meter->all.bytes, bytes));
	if (facts->filtered > 0)
		sn_buf_addf(out, "filtered  %" PRIu64 " packets left out by the filter\n",
			    facts->filtered);
	sn_buf_addf(out, "flows     %" PRIu64 " reported, at most %" PRIu64 " at once in %s\n",
		    meter->reports, meter->flows_peak, bytes_text(meter->memory_peak_bytes, bytes));
	if (meter->evictions > 0)
		sn_buf_addf(out,
			    "          %" PRIu64 " left early because the table was full "
			    "(see --max-flows)\n",
			    meter->evictions);
	if (meter->clock_steps > 0)
		sn_buf_addf(out, "          the clock went back %" PRIu64 " times\n",
			    meter->clock_steps);
}

static void write_protocols(const struct sn_summary *summary, struct sn_buf *out)
{
	char bytes[BYTES_TEXT_MAX];
	uint64_t all = 0;

	for (size_t i = 0; i < SN_COUNT(protocols); i++)
		all += summary->totals[i].bytes;
	sn_buf_addf(out, "\n%-9s %10s %12s %12s %8s\n", "protocol", "flows", "packets", "IP bytes",
		    "share");
	for (size_t i = 0; i < SN_COUNT(protocols); i++) {
		const struct total *total = &summary->totals[i];

		if (total->packets == 0)
			continue;
		sn_buf_addf(out, "%-9s %10" PRIu64 " %12" PRIu64 " %12s %6.1f %%\n",
			    sn_flow_protocol_name(protocols[i]), total->flows, total->packets,
			    bytes_text(total->bytes, bytes),
			    all > 0 ? 100.0 * (double)total->bytes / (double)all : 0.0);
	}
}

static void write_hosts(const struct sn_summary *summary, struct sn_buf *out)
{
	const struct sn_host *top[SN_SUMMARY_TOP_MAX];
	size_t count = sn_hosts_top(summary->hosts, top, summary->top);
	char address[SN_FLOW_ADDRESS_MAX], sent[BYTES_TEXT_MAX], received[BYTES_TEXT_MAX];

	if (count == 0)
		return;
	sn_buf_addf(out, "\n%-39s %8s %10s %12s %12s\n", "top hosts", "flows", "packets", "sent",
		    "received");
	for (size_t i = 0; i < count; i++) {
		sn_flow_address_text(top[i]->family, top[i]->address, address);
		sn_buf_addf(out, "%-39s %8" PRIu64 " %10" PRIu64 " %12s %12s\n", address,
			    top[i]->flows, top[i]->packets, bytes_text(top[i]->sent_bytes, sent),
			    bytes_text(top[i]->received_bytes, received));
	}
	if (sn_hosts_count(summary->hosts) > count)
		sn_buf_addf(out, "and %zu more%s\n", sn_hosts_count(summary->hosts) - count,
			    sn_hosts_rest(summary->hosts)->flows > 0
				    ? " (not all: the list of hosts is full)"
				    : "");
}

static void format_end(const struct sn_flow *flow, unsigned side, char *out, size_t size)
{
	char address[SN_FLOW_ADDRESS_MAX];
	bool brackets = flow->key.family == 6;

	sn_flow_side_text(flow, side, address);
	if (flow->key.protocol == SN_PROTO_ICMP || flow->key.protocol == SN_PROTO_ICMP6)
		snprintf(out, size, "%s", address);
	else
		snprintf(out, size, brackets ? "[%s]:%u" : "%s:%u", address,
			 sn_flow_port(flow, side));
}

static void write_flows(const struct sn_summary *summary, struct sn_buf *out)
{
	if (summary->flow_count == 0)
		return;
	sn_buf_addf(out, "\n%-51s %-5s %8s %12s %12s\n", "largest flows (client > server)", "",
		    "packets", "from client", "from server");
	for (size_t i = 0; i < summary->flow_count; i++) {
		const struct sn_flow *flow = &summary->flows[i].flow;
		char client[ENDS_TEXT_MAX], server[ENDS_TEXT_MAX], ends[2 * ENDS_TEXT_MAX + 4];
		char from_client[BYTES_TEXT_MAX], from_server[BYTES_TEXT_MAX];

		format_end(flow, SN_CLIENT, client, sizeof(client));
		format_end(flow, SN_SERVER, server, sizeof(server));
		snprintf(ends, sizeof(ends), "%s > %s", client, server);
		sn_buf_addf(out, "%-51s %-5s %8" PRIu64 " %12s %12s\n", ends,
			    sn_flow_protocol_name(flow->key.protocol), sn_flow_packets(flow),
			    bytes_text(flow->side[SN_CLIENT].bytes, from_client),
			    bytes_text(flow->side[SN_SERVER].bytes, from_server));
	}
}

static void write_skipped(const struct sn_meter_stats *meter, struct sn_buf *out)
{
	char bytes[BYTES_TEXT_MAX];
	bool head = false;

	for (size_t i = 1; i < SN_SKIP_COUNT; i++) {
		if (meter->skipped[i].packets == 0)
			continue;
		if (!head)
			sn_buf_addf(out, "\n%-51s %10s %12s\n", "not in any flow", "packets",
				    "bytes");
		head = true;
		sn_buf_addf(out, "%-51s %10" PRIu64 " %12s\n", sn_skip_info[i].help,
			    meter->skipped[i].packets, bytes_text(meter->skipped[i].bytes, bytes));
	}
}

static void write_ring(const struct sn_ring_stats *ring, struct sn_buf *out)
{
	double share = ring->seen > 0 ? 100.0 * (double)ring->dropped / (double)ring->seen : 0.0;

	sn_buf_addf(out, "\ndropped by the kernel: %" PRIu64 " of %" PRIu64 " (%.3f %%)%s\n",
		    ring->dropped, ring->seen, share,
		    ring->dropped > 0 ? "; try a larger --buffer" : "");
}

void sn_summary_write(const struct sn_summary *summary, const struct sn_summary_facts *facts,
		      struct sn_buf *out)
{
	write_head(facts, out);
	if (facts->meter->reports > 0)
		write_protocols(summary, out);
	write_hosts(summary, out);
	write_flows(summary, out);
	write_skipped(facts->meter, out);
	if (facts->ring != NULL)
		write_ring(facts->ring, out);
}

void sn_summary_write_losses(const struct sn_summary_facts *facts, struct sn_buf *out)
{
	const char *before = "not metered: ";

	for (size_t i = 1; i < SN_SKIP_COUNT; i++) {
		if (facts->meter->skipped[i].packets == 0)
			continue;
		sn_buf_addf(out, "%s%s %" PRIu64, before, sn_skip_info[i].name,
			    facts->meter->skipped[i].packets);
		before = ", ";
	}
	if (facts->ring != NULL && facts->ring->dropped > 0)
		sn_buf_addf(out, "%sdropped by the kernel: %" PRIu64 " of %" PRIu64,
			    out->n > 0 ? "; " : "", facts->ring->dropped, facts->ring->seen);
}
