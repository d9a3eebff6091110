/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "meter/output/row.h"
#include "meter/output/summary_internal.h"

#define BYTES_TEXT_MAX 24
#define NAME_WIDTH     43 /* of the first column of lists */
#define FLOW_WIDTH     55

static const char *bytes_text(uint64_t bytes, char *out)
{
	return sn_format_bytes(bytes, out, BYTES_TEXT_MAX);
}

static double percent_of(uint64_t part, uint64_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

/* Names came over the network: nothing of them may drive a terminal. */
static const char *defused(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; text[n] != '\0' && n + 1 < size; n++)
		out[n] = isprint((unsigned char)text[n]) ? text[n] : '?';
	out[n] = '\0';
	return out;
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

static void write_rate(const struct sn_meter_stats *meter, struct sn_buf *out)
{
	double seconds = (double)(meter->last_ns - meter->first_ns) / SN_NS_PER_S;

	if (seconds > 0)
		sn_buf_addf(out, ", %.3g Mbit/s", (double)meter->all.bytes * 8 / 1e6 / seconds);
}

static void write_head(const struct sn_summary_facts *facts, struct sn_buf *out)
{
	const struct sn_meter_stats *meter = &facts->worker->meter;
	char bytes[BYTES_TEXT_MAX], duration[SN_DURATION_TEXT_MAX];
	int64_t length_ns = (meter->last_ns - meter->first_ns) / SN_NS_PER_MS * SN_NS_PER_MS;

	sn_buf_addf(out, "source    %s\n", facts->source);
	if (meter->all.packets > 0) {
		sn_buf_adds(out, "time      ");
		add_time(out, meter->first_ns);
		sn_buf_addf(out, ", %s\n",
			    sn_format_duration(length_ns, duration, sizeof(duration)));
	}
	sn_buf_addf(out, "packets   %" PRIu64 ", %s on the wire", meter->all.packets,
		    bytes_text(meter->all.bytes, bytes));
	write_rate(meter, out);
	sn_buf_addc(out, '\n');
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

/* Lists ------------------------------------------------------------------- */

static void write_protocols(const struct sn_summary_part *sum, struct sn_buf *out)
{
	char bytes[BYTES_TEXT_MAX];
	uint64_t all = 0;

	for (size_t i = 0; i < SN_SUMMARY_PROTOCOLS; i++)
		all += sum->totals[i].bytes;
	sn_buf_addf(out, "\n%-*s %8s %10s %12s %8s\n", NAME_WIDTH, "protocol", "flows", "packets",
		    "IP bytes", "share");
	for (size_t i = 0; i < SN_SUMMARY_PROTOCOLS; i++) {
		const struct sn_summary_total *total = &sum->totals[i];

		if (total->packets == 0)
			continue;
		sn_buf_addf(out, "%-*s %8" PRIu64 " %10" PRIu64 " %12s %6.1f %%\n", NAME_WIDTH,
			    sn_flow_protocol_name(sn_summary_protocols[i]), total->flows,
			    total->packets, bytes_text(total->bytes, bytes),
			    percent_of(total->bytes, all));
	}
}

static uint64_t all_bytes(const struct sn_summary_part *sum)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < SN_SUMMARY_PROTOCOLS; i++)
		bytes += sum->totals[i].bytes;
	return bytes;
}

static void write_tally(const struct sn_summary_part *sum, const struct sn_tally *tally,
			const char *head, struct sn_buf *out)
{
	const struct sn_tally_entry *top[SN_SUMMARY_TOP_MAX];
	size_t count = sn_tally_top(tally, top, sum->top);
	char name[NAME_WIDTH + 1], bytes[BYTES_TEXT_MAX];

	if (count == 0)
		return;
	sn_buf_addf(out, "\n%-*s %8s %10s %12s %8s\n", NAME_WIDTH, head, "flows", "packets",
		    "IP bytes", "share");
	for (size_t i = 0; i < count; i++)
		sn_buf_addf(out, "%-*s %8" PRIu64 " %10" PRIu64 " %12s %6.1f %%\n", NAME_WIDTH,
			    defused(top[i]->name, name, sizeof(name)), top[i]->flows,
			    top[i]->packets, bytes_text(top[i]->bytes, bytes),
			    percent_of(top[i]->bytes, all_bytes(sum)));
	if (sn_tally_count(tally) > count)
		sn_buf_addf(out, "and %zu more%s\n", sn_tally_count(tally) - count,
			    sn_tally_rest(tally) > 0 ? " (not all: the list is full)" : "");
}

static void write_hosts(const struct sn_summary_part *sum, struct sn_buf *out)
{
	const struct sn_host *top[SN_SUMMARY_TOP_MAX];
	size_t count = sn_hosts_top(sum->hosts, top, sum->top);
	char address[SN_FLOW_ADDRESS_MAX], sent[BYTES_TEXT_MAX], received[BYTES_TEXT_MAX];

	if (count == 0)
		return;
	sn_buf_addf(out, "\n%-*s %8s %10s %12s %12s\n", NAME_WIDTH, "host", "flows", "packets",
		    "sent", "received");
	for (size_t i = 0; i < count; i++) {
		sn_flow_address_text(top[i]->family, top[i]->address, address);
		sn_buf_addf(out, "%-*s %8" PRIu64 " %10" PRIu64 " %12s %12s\n", NAME_WIDTH, address,
			    top[i]->flows, top[i]->packets, bytes_text(top[i]->sent_bytes, sent),
			    bytes_text(top[i]->received_bytes, received));
	}
	if (sn_hosts_count(sum->hosts) > count)
		sn_buf_addf(out, "and %zu more%s\n", sn_hosts_count(sum->hosts) - count,
			    sn_hosts_rest(sum->hosts)->flows > 0
				    ? " (not all: the list of hosts is full)"
				    : "");
}

static void write_flows(const struct sn_summary_part *sum, struct sn_buf *out)
{
	if (sum->flow_count == 0)
		return;
	sn_buf_addf(out, "\n%-*s %-5s %8s %11s %11s  %s\n", FLOW_WIDTH,
		    "largest flows (client > server)", "", "packets", "from client", "from server",
		    "name");
	for (size_t i = 0; i < sum->flow_count; i++) {
		const struct sn_summary_flow *flow = &sum->flows[i];
		char ends[2 * sizeof(flow->ends[0]) + 4], name[SN_SUMMARY_NAME_MAX];
		char from_client[BYTES_TEXT_MAX], from_server[BYTES_TEXT_MAX];

		snprintf(ends, sizeof(ends), "%s > %s", flow->ends[SN_CLIENT],
			 flow->ends[SN_SERVER]);
		sn_buf_addf(out, "%-*s %-5s %8" PRIu64 " %11s %11s%s%s\n", FLOW_WIDTH, ends,
			    sn_flow_protocol_name(flow->protocol), flow->packets,
			    bytes_text(flow->bytes[SN_CLIENT], from_client),
			    bytes_text(flow->bytes[SN_SERVER], from_server),
			    flow->name[0] != '\0' ? "  " : "",
			    defused(flow->name, name, sizeof(name)));
	}
}

/* TCP --------------------------------------------------------------------- */

static void write_delays(const char *what, const struct sn_spread *spread, struct sn_buf *out)
{
	static const double percents[] = {5, 50, 90, 99};

	if (spread->count == 0)
		return;
	sn_buf_addf(out, "%-*s %8" PRIu64, NAME_WIDTH, what, spread->count);
	for (size_t i = 0; i < SN_COUNT(percents); i++)
		sn_buf_addf(out, " %9.3g", sn_spread_percentile(spread, percents[i]) / 1e6);
	sn_buf_addc(out, '\n');
}

static void write_shares(const char *what, const struct sn_spread *spread, struct sn_buf *out)
{
	static const double percents[] = {5, 50, 90, 99};

	if (spread->count == 0)
		return;
	sn_buf_addf(out, "%-*s %8" PRIu64, NAME_WIDTH, what, spread->count);
	for (size_t i = 0; i < SN_COUNT(percents); i++) {
		double ppm = sn_spread_percentile(spread, percents[i]);

		/* The lowest bucket holds the connections without any. */
		sn_buf_addf(out, " %9.3g", ppm < 2 ? 0 : ppm / 1e4);
	}
	sn_buf_addc(out, '\n');
}

static void write_tcp(const struct sn_summary_tcp *tcp, struct sn_buf *out)
{
	if (tcp->flows == 0)
		return;
	sn_buf_addf(out,
		    "\nTCP: %" PRIu64 " of %" PRIu64 " connections were opened, %" PRIu64
		    " got no answer, %" PRIu64 " were reset, %" PRIu64
		    " began before the capture\n",
		    tcp->complete, tcp->flows, tcp->unanswered, tcp->reset, tcp->mid_stream);
	sn_buf_addf(out,
		    "     %" PRIu64 " of %" PRIu64
		    " segments with data were sent again (%.3g %%), %" PRIu64
		    " came out of order\n",
		    tcp->retransmitted, tcp->segments,
		    percent_of(tcp->retransmitted, tcp->segments), tcp->out_of_order);
	if (tcp->handshake_ns.count + tcp->rtt_ns[0].count + tcp->rtt_ns[1].count +
		    tcp->losses_ppm.count ==
	    0)
		return;
	sn_buf_addf(out, "\n%-*s %8s %9s %9s %9s %9s\n", NAME_WIDTH, "connections", "count", "5 %",
		    "median", "90 %", "99 %");
	write_delays("handshake, ms", &tcp->handshake_ns, out);
	write_delays("round trip meter to server, ms", &tcp->rtt_ns[SN_SERVER], out);
	write_delays("round trip meter to client, ms", &tcp->rtt_ns[SN_CLIENT], out);
	write_shares("segments sent again, %", &tcp->losses_ppm, out);
}

/* What is missing --------------------------------------------------------- */

static void write_skipped(const struct sn_meter_stats *meter, struct sn_buf *out)
{
	char bytes[BYTES_TEXT_MAX];
	bool head = false;

	for (size_t i = 1; i < SN_SKIP_COUNT; i++) {
		if (meter->skipped[i].packets == 0)
			continue;
		if (!head)
			sn_buf_addf(out, "\n%-*s %10s %12s\n", FLOW_WIDTH, "not in any flow",
				    "packets", "bytes");
		head = true;
		sn_buf_addf(out, "%-*s %10" PRIu64 " %12s\n", FLOW_WIDTH, sn_skip_info[i].help,
			    meter->skipped[i].packets, bytes_text(meter->skipped[i].bytes, bytes));
	}
}

static void write_refused(const struct sn_worker_stats *worker, struct sn_buf *out)
{
	bool head = false;

	for (size_t i = 0; i < SN_APP_REFUSALS; i++) {
		if (worker->refused[i] == 0)
			continue;
		if (!head)
			sn_buf_addf(out, "\n%-*s %10s\n", FLOW_WIDTH, "payload not understood",
				    "times");
		head = true;
		sn_buf_addf(out, "%-*s %10" PRIu64 "\n", FLOW_WIDTH, sn_app_refusal_info[i].help,
			    worker->refused[i]);
	}
}

static void write_drops(const struct sn_summary_facts *facts, struct sn_buf *out)
{
	for (size_t i = 0; i < facts->losses_count; i++) {
		const struct sn_capture_losses *losses = &facts->losses[i];
		uint64_t dropped =
			losses->kernel_drops + losses->interface_drops + losses->own_drops;
		char name[SN_LOSSES_NAME_MAX];

		sn_buf_addf(out, "%s%s: %" PRIu64 " packets came, %" PRIu64 " were lost (%.3f %%)",
			    i == 0 ? "\n" : "", defused(losses->interface, name, sizeof(name)),
			    losses->packets, dropped,
			    percent_of(dropped, losses->packets + dropped));
		if (dropped > 0)
			sn_buf_addf(out,
				    ": %" PRIu64 " in the interface, %" PRIu64
				    " in the kernel (try a larger --buffer), %" PRIu64
				    " waiting for a worker",
				    losses->interface_drops, losses->kernel_drops,
				    losses->own_drops);
		sn_buf_addc(out, '\n');
	}
}

void sn_summary_write(const struct sn_summary *summary, const struct sn_summary_facts *facts,
		      struct sn_buf *out)
{
	const struct sn_meter_stats *meter = &facts->worker->meter;
	const struct sn_summary_part *sum = sn_summary_sum(summary);

	write_head(facts, out);
	if (meter->reports > 0)
		write_protocols(sum, out);
	write_tally(sum, sum->applications, "application", out);
	write_tally(sum, sum->names, "name", out);
	write_hosts(sum, out);
	write_flows(sum, out);
	write_tcp(&sum->tcp, out);
	sn_summary_let_go(summary, sum);
	write_skipped(meter, out);
	write_refused(facts->worker, out);
	write_drops(facts, out);
}

void sn_summary_write_losses(const struct sn_summary_facts *facts, struct sn_buf *out)
{
	const struct sn_meter_stats *meter = &facts->worker->meter;
	const char *before = "not metered: ";
	uint64_t kernel = 0, interface = 0, own = 0, packets = 0;

	for (size_t i = 1; i < SN_SKIP_COUNT; i++) {
		if (meter->skipped[i].packets == 0)
			continue;
		sn_buf_addf(out, "%s%s %" PRIu64, before, sn_skip_info[i].name,
			    meter->skipped[i].packets);
		before = ", ";
	}
	for (size_t i = 0; i < facts->losses_count; i++) {
		packets += facts->losses[i].packets;
		kernel += facts->losses[i].kernel_drops;
		interface += facts->losses[i].interface_drops;
		own += facts->losses[i].own_drops;
	}
	if (kernel > 0)
		sn_buf_addf(out, "%sdropped by the kernel: %" PRIu64 " of %" PRIu64,
			    out->n > 0 ? "; " : "", kernel, packets + kernel + interface + own);
	if (interface > 0)
		sn_buf_addf(out, "%sdropped by the interface: %" PRIu64, out->n > 0 ? "; " : "",
			    interface);
	if (own > 0)
		sn_buf_addf(out, "%sdropped before the workers: %" PRIu64, out->n > 0 ? "; " : "",
			    own);
}
