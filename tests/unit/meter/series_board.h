/* SPDX-License-Identifier: Apache-2.0 */
/* A board of series with its workers, packets made by hand, and what it told. */
#ifndef SONDE_TESTS_METER_SERIES_BOARD_H
#define SONDE_TESTS_METER_SERIES_BOARD_H

#include <math.h>
#include <string.h>

#include "base/util.h"
#include "meter/series/series.h"

#define S          SN_NS_PER_S
#define T0         (1700000100 * S) /* a whole step of 300 s */
#define VALUES_MAX 4096

/* What the board told ------------------------------------------------------ */

static struct told {
	struct sn_traffic_value value;
} told[VALUES_MAX];
static size_t told_count;

static inline void tell(const struct sn_traffic_value *value, void *ctx SN_UNUSED)
{
	assert_true(told_count < VALUES_MAX);
	told[told_count++].value = *value;
}

/* The value of the step of `seconds` that begins at `begin_ns`; NULL if it was not told. */
static inline const struct sn_traffic_value *find(unsigned seconds, int64_t begin_ns,
						  const char *metric, const char *stat)
{
	for (size_t i = 0; i < told_count; i++) {
		const struct sn_traffic_value *value = &told[i].value;

		if (value->step_seconds == seconds && value->begin_ns == begin_ns &&
		    strcmp(value->metric, metric) == 0 && strcmp(value->stat, stat) == 0)
			return value;
	}
	return NULL;
}

static inline void assert_told(unsigned seconds, int64_t begin_ns, const char *metric,
			       const char *stat, double expected)
{
	const struct sn_traffic_value *value = find(seconds, begin_ns, metric, stat);

	if (value == NULL)
		fail_msg("%s.%s of the step at +%g s is not told", metric, stat,
			 (double)(begin_ns - T0) / S);
	if (value->value != expected && !(isnan(value->value) && isnan(expected)))
		fail_msg("%s.%s of the step at +%g s is %g, not %g", metric, stat,
			 (double)(begin_ns - T0) / S, value->value, expected);
}

/* Board and workers -------------------------------------------------------- */

static struct sn_traffic_board *board;
static struct sn_traffic *workers[4];
static struct sn_err err;

static inline void open_board(const char *conf, unsigned steps)
{
	struct sn_traffic_options options = {
		.interface = "eth0", .rrd_conf = conf, .steps = steps, .value = tell};

	told_count = 0;
	if (sn_traffic_board_create(&options, &board, &err) != 0)
		fail_msg("%s", err.text);
	workers[0] = sn_traffic_create(board);
}

static inline void close_board(void)
{
	for (size_t i = 0; i < SN_COUNT(workers); i++) {
		sn_traffic_destroy(workers[i]);
		workers[i] = NULL;
	}
	sn_traffic_board_destroy(board);
	board = NULL;
}

static inline int teardown(void **state SN_UNUSED)
{
	close_board();
	return 0;
}

static inline void flush(struct sn_traffic *worker)
{
	struct sn_sink sink = sn_traffic_sink(worker);

	assert_int_equal(sink.ops->flush(sink.sink, &err), 0);
}

static inline void finish(void)
{
	for (size_t i = 0; i < SN_COUNT(workers) && workers[i] != NULL; i++)
		flush(workers[i]);
	assert_int_equal(sn_traffic_board_finish(board, &err), 0);
}

static inline void advance(struct sn_traffic *worker, int64_t now_ns)
{
	struct sn_sink sink = sn_traffic_sink(worker);

	assert_int_equal(sink.ops->advance(sink.sink, now_ns), 0);
}

/* Packets ------------------------------------------------------------------ */

static struct sn_tcp_flow tcp_flow;
static struct sn_udp_flow udp_flow;

static inline void begin_flows(bool client_internal, bool server_internal)
{
	memset(&tcp_flow, 0, sizeof(tcp_flow));
	memset(&udp_flow, 0, sizeof(udp_flow));
	tcp_flow.flow.key = (struct sn_flow_key){.family = 4, .protocol = SN_PROTO_TCP};
	udp_flow.flow.key = (struct sn_flow_key){.family = 4, .protocol = SN_PROTO_UDP};
	tcp_flow.flow.client_internal = udp_flow.flow.client_internal = client_internal;
	tcp_flow.flow.server_internal = udp_flow.flow.server_internal = server_internal;
}

static inline void send_udp(struct sn_traffic *worker, unsigned side, uint32_t bytes,
			    int64_t time_ns)
{
	struct sn_decoded packet = {.family = 4,
				    .protocol = SN_PROTO_UDP,
				    .has_transport = true,
				    .src_port = 5353,
				    .dst_port = 53,
				    .ttl = 64,
				    .ip_bytes = bytes,
				    .payload_bytes = bytes - 28};

	udp_flow.flow.side[side].packets++;
	sn_traffic_packet(worker, &packet, &udp_flow.flow, side, NULL, time_ns);
}

static inline void send_tcp(struct sn_traffic *worker, unsigned side, uint8_t flags, uint32_t bytes,
			    int64_t time_ns)
{
	struct sn_decoded packet = {.family = 4,
				    .protocol = SN_PROTO_TCP,
				    .has_transport = true,
				    .src_port = 40000,
				    .dst_port = 443,
				    .tcp_flags = flags,
				    .ttl = 64,
				    .ip_bytes = bytes,
				    .payload_bytes = bytes - 40};
	struct sn_tcp_verdict verdict = {.anomaly = SN_TCP_ANOMALIES};

	tcp_flow.flow.side[side].packets++;
	sn_traffic_packet(worker, &packet, &tcp_flow.flow, side, &verdict, time_ns);
}

static inline void end_flow(struct sn_traffic *worker, const struct sn_flow *flow,
			    enum sn_flow_end end)
{
	struct sn_view_flow view = {.flow = flow, .end = end};
	struct sn_sink sink = sn_traffic_sink(worker);

	assert_int_equal(sink.ops->flow(sink.sink, &view), 0);
}

#endif
