/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow that is over: one sample in each histogram of flows.
 *
 * Connections count when they are complete in Tstat's sense; those between two
 * outside ends, and those whose beginning was not seen, in no histogram.
 */
#include <math.h>

#include "base/util.h"
#include "meter/series/internal.h"

#define AVERAGE_BIAS    0.0001  /* Tstat's averages: sum / (count + 0.0001) */
#define LONG_FLOW_BYTES 1000000 /* "lf" */
#define PATIENCE_STDEVS 4

/* A value of one direction: in, out or loc, and c2s or s2c. */
static void add_both(struct sn_traffic *traffic, unsigned set, unsigned direction, unsigned side,
		     double value)
{
	sn_sheet_add(traffic->sheet, set + direction, value);
	sn_sheet_add(traffic->sheet, set + SN_TRAFFIC_C2S + side, value);
}

/* A flow in a set that tells the cloud apart. */
static void add_flow(struct sn_traffic *traffic, unsigned set, unsigned direction, bool cloud,
		     int bin)
{
	if (bin == SN_CLASS_NONE)
		return;
	sn_sheet_add(traffic->sheet, set + direction, bin);
	if (direction != SN_TRAFFIC_LOC)
		sn_sheet_add(traffic->sheet,
			     set + direction + (cloud ? SN_TRAFFIC_CLOUD : SN_TRAFFIC_NO_CLOUD),
			     bin);
}

/* Applications ------------------------------------------------------------- */

static void count_class(struct sn_traffic *traffic, const struct sn_tcp_flow *tcp,
			unsigned direction, bool cloud)
{
	struct sn_class_bins bins = sn_class_bins(sn_class_tcp(tcp->app));

	add_flow(traffic, SN_HISTOGRAM_L7_TCP_NUM_IN, direction, cloud, bins.l7);
	add_flow(traffic, SN_HISTOGRAM_L7_HTTP_NUM_IN, direction, cloud, bins.http);
	add_flow(traffic, SN_HISTOGRAM_L7_VIDEO_NUM_IN, direction, cloud, bins.video);
	if (bins.web != SN_CLASS_NONE)
		sn_sheet_add(traffic->sheet, SN_HISTOGRAM_L7_WEB_NUM_IN + direction, bins.web);
	if (bins.tls != SN_CLASS_NONE)
		sn_sheet_add(traffic->sheet, SN_HISTOGRAM_L7_TLS_NUM_IN + direction, bins.tls);
}

/* TCP ---------------------------------------------------------------------- */

static double ms_between(int64_t from_ns, int64_t to_ns)
{
	return to_ns > from_ns ? (double)(to_ns - from_ns) / (double)SN_NS_PER_MS : 0;
}

static double stdev_us(const struct sn_tcp_rtt *rtt)
{
	double n = rtt->count;

	if (rtt->count <= 2)
		return 0;
	return sqrt(SN_MAX((rtt->sum2_us - rtt->sum_us * rtt->sum_us / n) / (n - 1), 0.0));
}

static void count_rtt(struct sn_traffic *traffic, const struct sn_tcp_rtt *rtt, unsigned direction,
		      unsigned side, bool cloud)
{
	double average_ms = rtt->sum_us / (rtt->count + AVERAGE_BIAS) / 1000;

	add_both(traffic, SN_HISTOGRAM_TCP_RTT_CNT_IN, direction, side, rtt->count);
	if (rtt->count == 0)
		return;
	add_both(traffic, SN_HISTOGRAM_TCP_RTT_AVG_IN, direction, side, average_ms);
	add_both(traffic, SN_HISTOGRAM_TCP_RTT_MIN_IN, direction, side, rtt->min_us / 1000.0);
	add_both(traffic, SN_HISTOGRAM_TCP_RTT_MAX_IN, direction, side, rtt->max_us / 1000.0);
	add_both(traffic, SN_HISTOGRAM_TCP_RTT_STDEV_IN, direction, side, stdev_us(rtt) / 1000);
	if (direction != SN_TRAFFIC_LOC)
		sn_sheet_add(
			traffic->sheet,
			(cloud ? SN_HISTOGRAM_TCP_RTT_AVG_C_IN : SN_HISTOGRAM_TCP_RTT_AVG_NC_IN) +
				direction,
			average_ms);
}

static void count_anomalies(struct sn_traffic *traffic, const struct sn_tcp *tcp,
			    unsigned direction, unsigned side)
{
	static const enum sn_histogram_id sets[SN_TCP_ANOMALIES] = {
		[SN_TCP_RTO] = SN_HISTOGRAM_TCP_RTX_RTO_IN,
		[SN_TCP_FAST] = SN_HISTOGRAM_TCP_RTX_FR_IN,
		[SN_TCP_REORDER] = SN_HISTOGRAM_TCP_REORDERING_IN,
		[SN_TCP_DUPLICATE] = SN_HISTOGRAM_TCP_NET_DUP_IN,
		[SN_TCP_UNKNOWN] = SN_HISTOGRAM_TCP_UNKNOWN_IN,
		[SN_TCP_FLOW_CONTROL] = SN_HISTOGRAM_TCP_FLOW_CONTROL_IN,
		[SN_TCP_NEEDLESS_RTO] = SN_HISTOGRAM_TCP_NEEDLESS_RTO_IN,
		[SN_TCP_NEEDLESS_FAST] = SN_HISTOGRAM_TCP_NEEDLESS_FR_IN,
	};

	for (unsigned i = 0; i < SN_TCP_ANOMALIES; i++)
		add_both(traffic, sets[i], direction, side,
			 sn_tcp_trouble(tcp, side)->anomalies[i]);
}

/* From the first packet of the connection to the last payload of that side. */
static void count_throughput(struct sn_traffic *traffic, const struct sn_tcp_flow *tcp,
			     unsigned side, bool cloud)
{
	const struct sn_tcp_side *state = &tcp->tcp.side[side];
	double ms = ms_between(tcp->flow.first_ns, state->last_data_ns), kbps;

	if (ms == 0)
		return;
	kbps = (double)state->n.unique_bytes * 8 / ms;
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_THRU_C2S + side, kbps);
	if (state->n.unique_bytes < LONG_FLOW_BYTES)
		return;
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_THRU_LF_C2S + side, kbps);
	sn_sheet_add(traffic->sheet,
		     (cloud ? SN_HISTOGRAM_TCP_THRU_LF_C_C2S : SN_HISTOGRAM_TCP_THRU_LF_NC_C2S) +
			     side,
		     kbps);
}

static void count_windows(struct sn_traffic *traffic, const struct sn_tcp_flow *tcp, unsigned side)
{
	if (tcp->tcp.side[side].has_syn)
		sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_WIN_INI,
			     tcp->traffic.side[side].window_first);
	if (tcp->traffic.side[side].window_mean > 0)
		sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_WIN_AVG,
			     (double)tcp->traffic.side[side].window_mean);
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_WIN_MAX, tcp->tcp.side[side].window_max);
}

static void count_tcp_side(struct sn_traffic *traffic, const struct sn_tcp_flow *tcp,
			   unsigned direction, unsigned side, bool cloud)
{
	double packets = (double)tcp->flow.side[side].packets;
	double bytes = (double)tcp->flow.side[side].payload;

	add_both(traffic, SN_HISTOGRAM_TCP_CL_P_IN, direction, side, packets);
	add_both(traffic, SN_HISTOGRAM_TCP_CL_B_S_IN, direction, side, bytes);
	add_both(traffic, SN_HISTOGRAM_TCP_CL_B_L_IN, direction, side, bytes);
	count_rtt(traffic, &tcp->tcp.side[side].rtt, direction, side, cloud);
	count_anomalies(traffic, &tcp->tcp, direction, side);
	count_windows(traffic, tcp, side);
	count_throughput(traffic, tcp, side, cloud);
}

/* Who offered an option: 1 both, 2 the client, 3 the server, 4 nobody. */
static void count_option(struct sn_traffic *traffic, enum sn_histogram_id id, bool client,
			 bool server)
{
	sn_sheet_add(traffic->sheet, id, client && server ? 1 : client ? 2 : server ? 3 : 4);
}

static void count_options(struct sn_traffic *traffic, const struct sn_tcp_flow *tcp)
{
	const struct sn_tcp_side *client = &tcp->tcp.side[SN_CLIENT];
	const struct sn_tcp_side *server = &tcp->tcp.side[SN_SERVER];

	count_option(traffic, SN_HISTOGRAM_TCP_OPTS_SACK, client->has_sack, server->has_sack);
	count_option(traffic, SN_HISTOGRAM_TCP_OPTS_WS, client->has_scale, server->has_scale);
	count_option(traffic, SN_HISTOGRAM_TCP_OPTS_TS, client->has_timestamps,
		     server->has_timestamps);
	count_option(traffic, SN_HISTOGRAM_TCP_OPTS_MPTCP, tcp->traffic.side[SN_CLIENT].mptcp,
		     tcp->traffic.side[SN_SERVER].mptcp);
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_MSS_A, client->mss);
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_MSS_B, server->mss);
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_MSS_USED, SN_MIN(client->mss, server->mss));
}

/*
 * The client gave up: it reset a connection whose server was still sending (D. Rossi, C. Casetti,
 * M. Mellia, "User patience and the web", GLOBECOM 2003): the reset came no later after the
 * server's last data than a round trip lets one expect the next.
 */
static bool is_interrupted(const struct sn_tcp_flow *tcp)
{
	const struct sn_tcp_side *client = &tcp->tcp.side[SN_CLIENT];
	const struct sn_tcp_side *server = &tcp->tcp.side[SN_SERVER];
	double patience_ms = (client->rtt.sum_us / (client->rtt.count + AVERAGE_BIAS) +
			      PATIENCE_STDEVS * stdev_us(&client->rtt)) /
			     1000;

	return client->n.rst > 0 && server->n.data > 0 && server->n.fin == 0 &&
	       server->n.rst == 0 && client->rtt.count > 0 &&
	       ms_between(server->last_data_ns, tcp->flow.last_ns) <= patience_ms;
}

static bool is_complete(const struct sn_tcp_flow *tcp, enum sn_flow_end end)
{
	return sn_tcp_has_handshake(&tcp->tcp) && (end == SN_END_CLOSED || end == SN_END_IDLE);
}

static void count_tcp(struct sn_traffic *traffic, const struct sn_tcp_flow *tcp,
		      enum sn_flow_end end, const unsigned direction[2])
{
	bool cloud = tcp->flow.in_cloud;

	if (tcp->flow.mid_stream)
		return;
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_INTERRUPTED, is_interrupted(tcp));
	if (!is_complete(tcp, end))
		return;
	for (unsigned side = 0; side < 2; side++)
		count_tcp_side(traffic, tcp, direction[side], side, cloud);
	count_options(traffic, tcp);
	count_class(traffic, tcp, direction[SN_CLIENT], cloud);
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_TOT_TIME,
		     ms_between(tcp->flow.first_ns, tcp->flow.last_ns));
}

/* UDP ---------------------------------------------------------------------- */

static void count_udp_side(struct sn_traffic *traffic, const struct sn_udp_flow *udp,
			   unsigned direction, unsigned side)
{
	const struct sn_flow *flow = &udp->flow;
	double bytes = (double)udp->side[side].bytes;

	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_UDP_CL_P_IN + direction,
		     (double)flow->side[side].packets);
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_UDP_CL_B_S_IN + direction, bytes);
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_UDP_CL_B_L_IN + direction, bytes);
	if (flow->side[side].packets == 0)
		return;
	add_flow(traffic, SN_HISTOGRAM_L7_UDP_NUM_IN, direction, flow->in_cloud,
		 (int)sn_class_udp(udp->type[side]));
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_UDP_PORT_FLOW_DST, sn_flow_port(flow, !side));
}

static void count_udp(struct sn_traffic *traffic, const struct sn_udp_flow *udp,
		      const unsigned direction[2])
{
	for (unsigned side = 0; side < 2; side++)
		count_udp_side(traffic, udp, direction[side], side);
	sn_sheet_add(traffic->sheet, SN_HISTOGRAM_UDP_TOT_TIME,
		     ms_between(udp->flow.first_ns, udp->flow.last_ns));
	sn_traffic_count_media(traffic->sheet, udp, direction);
}

void sn_traffic_count_flow(struct sn_traffic *traffic, const struct sn_view_flow *view)
{
	const struct sn_flow *flow = view->flow;
	bool client = flow->client_internal, server = flow->server_internal;
	const unsigned direction[2] = {sn_traffic_direction(client, server),
				       sn_traffic_direction(server, client)};
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	const struct sn_udp_flow *udp = sn_flow_udp(flow);

	if (direction[SN_CLIENT] == SN_TRAFFIC_NEITHER)
		return;
	if (tcp != NULL)
		count_tcp(traffic, tcp, view->end, direction);
	if (udp != NULL)
		count_udp(traffic, udp, direction);
	traffic->has_samples = traffic->has_samples || tcp != NULL || udp != NULL;
}
