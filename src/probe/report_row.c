/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/report_row.h"

#include <assert.h>
#include <string.h>

/* Positions in data/catalog/ping.c, held against it in debug and release builds alike. */
enum {
	COL_TARGET = SN_COL_COMMON,
	COL_ADDRESS,
	COL_FAMILY,
	COL_SOURCE,
	COL_INTERFACE,
	COL_SIZE,
	COL_TTL,
	COL_INTERVAL,
	COL_SENT,
	COL_RECEIVED,
	COL_LOST,
	COL_LOSS_RATIO,
	COL_DUPLICATES,
	COL_REORDERED,
	COL_LATE,
	COL_SEND_ERRORS,
	COL_RTT_MIN,
	COL_RTT_MEAN,
	COL_RTT_MAX,
	COL_RTT_STDDEV,
	COL_RTT_P5,
	COL_RTT_P25,
	COL_RTT_P50,
	COL_RTT_P75,
	COL_RTT_P95,
	COL_REPLY_TTL,
	COL_TIMESTAMPS,
	COL_MISSED_RUNS,
	COL_STATUS,
	COL_ERROR,
	COL_END,
};

static const char *const column_names[] = {
	[COL_TARGET] = "target",
	[COL_ADDRESS] = "address",
	[COL_FAMILY] = "family",
	[COL_SOURCE] = "source",
	[COL_INTERFACE] = "interface",
	[COL_SIZE] = "size_bytes",
	[COL_TTL] = "ttl",
	[COL_INTERVAL] = "interval_seconds",
	[COL_SENT] = "sent_packets",
	[COL_RECEIVED] = "received_packets",
	[COL_LOST] = "lost_packets",
	[COL_LOSS_RATIO] = "loss_ratio",
	[COL_DUPLICATES] = "duplicate_packets",
	[COL_REORDERED] = "reordered_packets",
	[COL_LATE] = "late_packets",
	[COL_SEND_ERRORS] = "send_errors",
	[COL_RTT_MIN] = "rtt_min_seconds",
	[COL_RTT_MEAN] = "rtt_mean_seconds",
	[COL_RTT_MAX] = "rtt_max_seconds",
	[COL_RTT_STDDEV] = "rtt_stddev_seconds",
	[COL_RTT_P5] = "rtt_p5_seconds",
	[COL_RTT_P25] = "rtt_p25_seconds",
	[COL_RTT_P50] = "rtt_p50_seconds",
	[COL_RTT_P75] = "rtt_p75_seconds",
	[COL_RTT_P95] = "rtt_p95_seconds",
	[COL_REPLY_TTL] = "reply_ttl",
	[COL_TIMESTAMPS] = "timestamps",
	[COL_MISSED_RUNS] = "missed_runs",
	[COL_STATUS] = "status",
	[COL_ERROR] = "error",
};

static void check_columns(void)
{
	/* What is behind them the hub adds. */
	assert(sn_dataset_ping.column_count >= COL_END);
	for (int i = SN_COL_COMMON; i < COL_END; i++)
		assert(strcmp(sn_dataset_ping.columns[i].name, column_names[i]) == 0);
}

static const char *const status_names[] = {
	[SN_PING_OK] = "ok",
	[SN_PING_PARTIAL] = "partial",
	[SN_PING_FAILED] = "failed",
};

static double seconds(double ns)
{
	return ns / SN_NS_PER_S;
}

static void set_cstr(struct sn_batch *batch, int column, const char *text)
{
	sn_batch_set_text(batch, column, sn_str(text));
}

static void set_addr(struct sn_batch *batch, int column, const struct sn_addr *addr)
{
	char text[SN_ADDR_TEXT_MAX];

	if (addr->length != 0)
		set_cstr(batch, column, sn_addr_format(addr, text, sizeof(text)));
}

static void fill_setting(struct sn_batch *batch, const struct sn_report_setting *setting)
{
	if (setting->interface != NULL)
		set_cstr(batch, COL_INTERFACE, setting->interface);
	sn_batch_set_i64(batch, COL_SIZE, (int64_t)setting->config->payload_size);
	sn_batch_set_i64(batch, COL_TTL, setting->ttl);
	sn_batch_set_f64(batch, COL_INTERVAL, seconds((double)setting->config->interval_ns));
}

static void fill_addresses(struct sn_batch *batch, const struct sn_ping_result *result,
			   const struct sn_report_setting *setting)
{
	set_cstr(batch, COL_TARGET, result->target->name);
	if (result->address != NULL) {
		set_addr(batch, COL_ADDRESS, result->address);
		sn_batch_set_i64(batch, COL_FAMILY,
				 result->address->sa.sa_family == AF_INET6 ? 6 : 4);
	}
	set_addr(batch, COL_SOURCE, result->local.length != 0 ? &result->local : &setting->source);
}

static void fill_counts(struct sn_batch *batch, const struct sn_ping_result *result)
{
	sn_batch_set_i64(batch, COL_SENT, result->sent);
	sn_batch_set_i64(batch, COL_RECEIVED, result->received);
	sn_batch_set_i64(batch, COL_DUPLICATES, result->duplicates);
	sn_batch_set_i64(batch, COL_REORDERED, result->reordered);
	sn_batch_set_i64(batch, COL_LATE, result->late);
	sn_batch_set_i64(batch, COL_SEND_ERRORS, result->send_errors);
	if (!result->loss_known)
		return;
	sn_batch_set_i64(batch, COL_LOST, result->lost);
	if (result->sent > 0)
		sn_batch_set_f64(batch, COL_LOSS_RATIO,
				 (double)result->lost / (double)result->sent);
}

static void fill_delays(struct sn_batch *batch, const struct sn_ping_result *result)
{
	const struct sn_ping_stats *rtt = &result->rtt;

	if (rtt->count == 0)
		return;
	sn_batch_set_f64(batch, COL_RTT_MIN, seconds((double)rtt->min_ns));
	sn_batch_set_f64(batch, COL_RTT_MEAN, seconds(rtt->mean_ns));
	sn_batch_set_f64(batch, COL_RTT_MAX, seconds((double)rtt->max_ns));
	sn_batch_set_f64(batch, COL_RTT_STDDEV, seconds(rtt->stddev_ns));
	sn_batch_set_f64(batch, COL_RTT_P5, seconds((double)rtt->p5_ns));
	sn_batch_set_f64(batch, COL_RTT_P25, seconds((double)rtt->p25_ns));
	sn_batch_set_f64(batch, COL_RTT_P50, seconds((double)rtt->p50_ns));
	sn_batch_set_f64(batch, COL_RTT_P75, seconds((double)rtt->p75_ns));
	sn_batch_set_f64(batch, COL_RTT_P95, seconds((double)rtt->p95_ns));
	if (result->reply_ttl >= 0)
		sn_batch_set_i64(batch, COL_REPLY_TTL, result->reply_ttl);
	set_cstr(batch, COL_TIMESTAMPS, result->kernel_stamps ? "kernel" : "user");
}

void sn_report_row_add(struct sn_batch *batch, const struct sn_ping_result *result,
		       const struct sn_report_setting *setting)
{
	check_columns();
	sn_batch_add_row(batch);
	sn_batch_set_time(batch, SN_COL_TIME, result->started_wall_ns);
	fill_addresses(batch, result, setting);
	fill_setting(batch, setting);
	fill_counts(batch, result);
	fill_delays(batch, result);
	if (setting->config->period_ns != 0)
		sn_batch_set_i64(batch, COL_MISSED_RUNS, (int64_t)result->missed_runs);
	set_cstr(batch, COL_STATUS, status_names[result->status]);
	if (result->error[0] != '\0')
		set_cstr(batch, COL_ERROR, result->error);
}
