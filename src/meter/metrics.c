/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/metrics.h"

#include "base/metrics.h"
#include "base/util.h"
#include "meter/output/row.h"

/* Parts that may be absent; they are members of struct sn_meter_facts. */
enum part { ALWAYS, SESSION, TALLY, LOGS, IPFIX, SERIES, NAMES };

static bool has_part(const struct sn_meter_facts *facts, enum part part)
{
	const void *const parts[] = {
		[ALWAYS] = facts,       [SESSION] = facts->session, [TALLY] = facts->tally,
		[LOGS] = facts->logs,   [IPFIX] = facts->ipfix,     [SERIES] = facts->series,
		[NAMES] = facts->names,
	};

	return parts[part] != NULL;
}

typedef void put_fn(struct sn_metrics *metrics, const struct sn_meter_facts *facts);

/* Values -------------------------------------------------------------------- */

#define VALUE(name, expression)                                                                    \
	static void name(struct sn_metrics *metrics, const struct sn_meter_facts *facts)           \
	{                                                                                          \
		sn_metrics_sample(metrics, (double)(expression), NULL);                            \
	}

VALUE(packets, facts->session->worker.meter.all.packets)
VALUE(bytes, facts->session->worker.meter.all.bytes)
VALUE(filtered, facts->session->filtered)
VALUE(flows, facts->session->worker.meter.flows)
VALUE(flows_peak, facts->session->worker.meter.flows_peak)
VALUE(evictions, facts->session->worker.meter.evictions)
VALUE(clock_steps, facts->session->worker.meter.clock_steps)
VALUE(last_packet, (double)facts->session->worker.meter.last_ns / 1e9)
VALUE(flow_memory_peak, facts->session->worker.meter.memory_peak_bytes)
VALUE(payload_memory, facts->session->worker.app_memory_bytes)
VALUE(names_memory, sn_name_pool_memory(facts->names))
VALUE(names_refused, sn_name_pool_refused(facts->names))
VALUE(log_external, facts->logs->external)
VALUE(log_lost, facts->logs->lost)
VALUE(log_directories, facts->logs->directories)
VALUE(ipfix_records, facts->ipfix->records)
VALUE(ipfix_messages, facts->ipfix->messages)
VALUE(ipfix_bytes, facts->ipfix->bytes)
VALUE(ipfix_lost, facts->ipfix->lost_records)
VALUE(ipfix_connects, facts->ipfix->connects)
VALUE(series_values, facts->series->values)
VALUE(series_late, facts->series->late)
VALUE(series_lost, facts->series->lost_files)

static void build(struct sn_metrics *metrics, const struct sn_meter_facts *facts SN_UNUSED)
{
	sn_metrics_sample(metrics, 1, SN_LABELS("version", SONDE_VERSION));
}

/* Values with labels --------------------------------------------------------- */

static void dropped(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (size_t i = 0; i < facts->session->losses_count; i++) {
		const struct sn_capture_losses *losses = &facts->session->losses[i];
		const struct {
			const char *reason;
			uint64_t packets;
		} drops[] = {
			{"kernel", losses->kernel_drops},
			{"interface", losses->interface_drops},
			{"own", losses->own_drops},
		};

		for (size_t j = 0; j < SN_COUNT(drops); j++)
			sn_metrics_sample(metrics, (double)drops[j].packets,
					  SN_LABELS("interface", losses->interface, "reason",
						    drops[j].reason));
	}
}

static void captured(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (size_t i = 0; i < facts->session->losses_count; i++)
		sn_metrics_sample(metrics, (double)facts->session->losses[i].packets,
				  SN_LABELS("interface", facts->session->losses[i].interface));
}

static void skipped_packets(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (unsigned i = SN_SKIP_NONE + 1; i < SN_SKIP_COUNT; i++)
		sn_metrics_sample(metrics, (double)facts->session->worker.meter.skipped[i].packets,
				  SN_LABELS("reason", sn_skip_info[i].name));
}

static void skipped_bytes(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (unsigned i = SN_SKIP_NONE + 1; i < SN_SKIP_COUNT; i++)
		sn_metrics_sample(metrics, (double)facts->session->worker.meter.skipped[i].bytes,
				  SN_LABELS("reason", sn_skip_info[i].name));
}

static void refused(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (unsigned i = 0; i < SN_APP_REFUSALS; i++)
		sn_metrics_sample(metrics, (double)facts->session->worker.refused[i],
				  SN_LABELS("reason", sn_app_refusal_info[i].name));
}

static void reports(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (unsigned kind = 0; kind < SN_TALLY_KINDS; kind++)
		for (unsigned end = 0; end <= SN_END_END; end++)
			sn_metrics_sample(metrics, (double)facts->tally->kinds[kind].reports[end],
					  SN_LABELS("protocol", sn_tally_names[kind], "end",
						    sn_flow_end_name((enum sn_flow_end)end)));
}

static void reported_packets(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (unsigned kind = 0; kind < SN_TALLY_KINDS; kind++)
		sn_metrics_sample(metrics, (double)facts->tally->kinds[kind].packets,
				  SN_LABELS("protocol", sn_tally_names[kind]));
}

static void reported_bytes(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (unsigned kind = 0; kind < SN_TALLY_KINDS; kind++)
		sn_metrics_sample(metrics, (double)facts->tally->kinds[kind].bytes,
				  SN_LABELS("protocol", sn_tally_names[kind]));
}

static void log_lines(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (unsigned i = 0; i < SN_TSTAT_LOGS; i++)
		sn_metrics_sample(metrics, (double)facts->logs->lines[i],
				  SN_LABELS("log", sn_tstat_tables[i].name));
}

static void log_bytes(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	for (unsigned i = 0; i < SN_TSTAT_LOGS; i++)
		sn_metrics_sample(metrics, (double)facts->logs->bytes[i],
				  SN_LABELS("log", sn_tstat_tables[i].name));
}

static void series_steps(struct sn_metrics *metrics, const struct sn_meter_facts *facts)
{
	static const char *const steps[SN_TRAFFIC_STEPS] = {"1s", "1m", "5m"};

	for (unsigned i = 0; i < SN_TRAFFIC_STEPS; i++)
		sn_metrics_sample(metrics, (double)facts->series->steps[i],
				  SN_LABELS("step", steps[i]));
}

/* The table ------------------------------------------------------------------- */

#define COUNTER SN_METRIC_COUNTER
#define GAUGE   SN_METRIC_GAUGE

static const struct metric {
	const char *name; /* without _total */
	enum sn_metric_type type;
	const char *unit;
	enum part part;
	put_fn *put;
	const char *help;
} table[] = {
	{"sonde_build_info", GAUGE, "", ALWAYS, build, "Always 1; the version is a label."},
	{"sonde_capture_packets", COUNTER, "", SESSION, captured,
	 "Packets that reached the meter, by interface."},
	{"sonde_capture_dropped_packets", COUNTER, "", SESSION, dropped,
	 "Packets that did not reach the meter, by interface and by who had no room for them."},
	{"sonde_meter_packets", COUNTER, "", SESSION, packets, "Packets that were looked at."},
	{"sonde_meter_bytes", COUNTER, "bytes", SESSION, bytes, "Their bytes on the wire."},
	{"sonde_meter_filtered_packets", COUNTER, "", SESSION, filtered,
	 "Packets of files that the filter left out."},
	{"sonde_meter_skipped_packets", COUNTER, "", SESSION, skipped_packets,
	 "Packets in no flow, by reason."},
	{"sonde_meter_skipped_bytes", COUNTER, "bytes", SESSION, skipped_bytes,
	 "Bytes on the wire in no flow, by reason."},
	{"sonde_meter_flows", GAUGE, "", SESSION, flows, "Flows in memory."},
	{"sonde_meter_flows_peak", GAUGE, "", SESSION, flows_peak, "Most flows in memory so far."},
	{"sonde_meter_reports", COUNTER, "", TALLY, reports,
	 "Reports of flows, by protocol and by why they were made."},
	{"sonde_meter_reported_packets", COUNTER, "", TALLY, reported_packets,
	 "Packets that the reports tell of."},
	{"sonde_meter_reported_bytes", COUNTER, "bytes", TALLY, reported_bytes,
	 "IP bytes that the reports tell of."},
	{"sonde_meter_evictions", COUNTER, "", SESSION, evictions,
	 "Flows that left because the table was full."},
	{"sonde_meter_clock_steps", COUNTER, "", SESSION, clock_steps,
	 "Times that packet time went back and metering began anew."},
	{"sonde_meter_last_packet_timestamp_seconds", GAUGE, "seconds", SESSION, last_packet,
	 "Unix time of the last packet."},
	{"sonde_meter_payload_refused", COUNTER, "", SESSION, refused,
	 "Looks at payload that ended early, by reason."},
	{"sonde_meter_flow_memory_peak_bytes", GAUGE, "bytes", SESSION, flow_memory_peak,
	 "Most memory of flows so far."},
	{"sonde_meter_payload_memory_bytes", GAUGE, "bytes", SESSION, payload_memory,
	 "Memory of what payload told."},
	{"sonde_meter_names_memory_bytes", GAUGE, "bytes", NAMES, names_memory,
	 "Memory of names that flows share."},
	{"sonde_meter_names_refused", COUNTER, "", NAMES, names_refused,
	 "Names for which there was no room."},
	{"sonde_meter_log_lines", COUNTER, "", LOGS, log_lines, "Lines of logs, by log."},
	{"sonde_meter_log_bytes", COUNTER, "bytes", LOGS, log_bytes, "Bytes of logs, by log."},
	{"sonde_meter_log_external_flows", COUNTER, "", LOGS, log_external,
	 "Flows without an internal end, which are in no log."},
	{"sonde_meter_log_lost_lines", COUNTER, "", LOGS, log_lost,
	 "Lines that could not be written."},
	{"sonde_meter_log_directories", COUNTER, "", LOGS, log_directories,
	 "Directories of logs that were made."},
	{"sonde_ipfix_records", COUNTER, "", IPFIX, ipfix_records, "Records of flows exported."},
	{"sonde_ipfix_lost_records", COUNTER, "", IPFIX, ipfix_lost,
	 "Records that the collector could not take in time."},
	{"sonde_ipfix_messages", COUNTER, "", IPFIX, ipfix_messages, "Messages exported."},
	{"sonde_ipfix_bytes", COUNTER, "bytes", IPFIX, ipfix_bytes, "Bytes of these messages."},
	{"sonde_ipfix_connects", COUNTER, "", IPFIX, ipfix_connects,
	 "Connections to the collector that were made."},
	{"sonde_meter_series_steps", COUNTER, "", SERIES, series_steps,
	 "Steps of the series that were closed, by length."},
	{"sonde_meter_series_values", COUNTER, "", SERIES, series_values,
	 "Values of the series told."},
	{"sonde_meter_series_late_pieces", COUNTER, "", SERIES, series_late,
	 "Parts of a step that a worker told after the step was closed."},
	{"sonde_meter_histograms_lost_files", COUNTER, "", SERIES, series_lost,
	 "Histogram files that could not be written."},
};

void sn_meter_metrics(struct sn_buf *out, const struct sn_meter_facts *facts, bool open_metrics)
{
	struct sn_metrics metrics;

	sn_metrics_init(&metrics, out, open_metrics);
	for (size_t i = 0; i < SN_COUNT(table); i++) {
		const struct metric *metric = &table[i];

		if (!has_part(facts, metric->part))
			continue;
		sn_metrics_family(&metrics, metric->name, metric->type, metric->unit, metric->help);
		metric->put(&metrics, facts);
	}
	sn_metrics_process(&metrics);
	sn_metrics_end(&metrics);
}

uint64_t sn_meter_ignored(const struct sn_session_stats *stats)
{
	uint64_t packets = 0;

	for (size_t i = 0; i < stats->losses_count; i++)
		packets += stats->losses[i].kernel_drops + stats->losses[i].interface_drops +
			   stats->losses[i].own_drops;
	for (unsigned i = SN_SKIP_NONE + 1; i < SN_SKIP_COUNT; i++)
		packets += i != SN_SKIP_NOT_IP ? stats->worker.meter.skipped[i].packets : 0;
	return packets;
}
