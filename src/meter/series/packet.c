/* SPDX-License-Identifier: Apache-2.0 */
/* What one packet costs: a few additions at places that its flow and its header name. */
#include "base/util.h"
#include "meter/series/internal.h"

#define IP6_HEADER     40
#define FLIGHT_MAX     INT32_MAX
#define OPTION_END     0
#define OPTION_NOP     1
#define OPTION_MPTCP   30
#define MP_CAPABLE     0
#define CERTAIN_AFTER  16  /* packets of a flow: by then its class is known, */
#define HOPELESS_AFTER 256 /* or will never be */

/* IP ----------------------------------------------------------------------- */

static unsigned l3_class(const struct sn_decoded *packet)
{
	unsigned version = packet->family == 6 ? SN_L3_IPV6 : 0;

	switch (packet->protocol) {
	case SN_PROTO_TCP:
		return version + SN_L3_TCP;
	case SN_PROTO_UDP:
		return version + SN_L3_UDP;
	case SN_PROTO_ICMP:
		return version == 0 ? SN_L3_ICMP : version + SN_L3_OTHER;
	case SN_PROTO_ICMP6:
		return version != 0 ? version + SN_L3_ICMP : SN_L3_OTHER;
	default:
		return version + SN_L3_OTHER;
	}
}

static void count_longer(struct sn_samples *longer, double length)
{
	longer->min = longer->count == 0 ? length : SN_MIN(longer->min, length);
	longer->max = SN_MAX(longer->max, length);
	longer->count++;
	longer->sum += length;
	longer->sum2 += length * length;
}

static void count_ip(struct sn_counts *counts, const struct sn_decoded *packet, unsigned direction,
		     unsigned cloud)
{
	unsigned version = packet->family == 6, class_ = l3_class(packet);
	uint32_t length = packet->ip_bytes - (version ? SN_MIN(packet->ip_bytes, IP6_HEADER) : 0);

	counts->packets++;
	counts->l3[direction][cloud][class_].packets++;
	counts->l3[direction][cloud][class_].bytes += packet->ip_bytes;
	counts->ip[version][direction].ttl[packet->ttl]++;
	counts->ip[version][direction].tos[packet->tos]++;
	if (length < SN_COUNTS_LENGTHS - 1)
		counts->ip[version][direction].lengths[length]++;
	else
		count_longer(&counts->ip[version][direction].longer, length);
	if (class_ % SN_L3_IPV6 == SN_L3_OTHER)
		counts->others[version][direction][packet->protocol]++;
	else if (class_ == SN_L3_IPV6 + SN_L3_ICMP && packet->has_transport)
		counts->icmp6_types[direction][(packet->dst_port >> 8) + packet->reply]++;
}

/* Ports -------------------------------------------------------------------- */

static void count_port(struct sn_traffic *traffic, unsigned set, unsigned direction, uint16_t port)
{
	if (direction != SN_TRAFFIC_NEITHER) {
		sn_sheet_touch(traffic->sheet, set + direction, port);
		traffic->has_ports = true;
	}
}

static void count_tcp_ports(struct sn_traffic *traffic, const struct sn_decoded *packet,
			    unsigned direction)
{
	count_port(traffic, SN_HISTOGRAM_TCP_PORT_SRC_IN, direction, packet->src_port);
	count_port(traffic, SN_HISTOGRAM_TCP_PORT_DST_IN, direction, packet->dst_port);
	if ((packet->tcp_flags & (SN_TCP_SYN | SN_TCP_ACK)) != SN_TCP_SYN)
		return;
	count_port(traffic, SN_HISTOGRAM_TCP_PORT_SYNSRC_IN, direction, packet->src_port);
	count_port(traffic, SN_HISTOGRAM_TCP_PORT_SYNDST_IN, direction, packet->dst_port);
}

static const enum sn_histogram_id port_sets[] = {
	SN_HISTOGRAM_TCP_PORT_SRC_IN,    SN_HISTOGRAM_TCP_PORT_DST_IN,
	SN_HISTOGRAM_TCP_PORT_SYNSRC_IN, SN_HISTOGRAM_TCP_PORT_SYNDST_IN,
	SN_HISTOGRAM_UDP_PORT_DST_IN,
};

void sn_traffic_settle(struct sn_traffic *traffic)
{
	sn_counts_settle(&traffic->counts, traffic->sheet);
	for (size_t i = 0; traffic->has_ports && i < SN_COUNT(port_sets); i++)
		for (unsigned direction = 0; direction < SN_TRAFFIC_NEITHER; direction++)
			sn_sheet_recount(traffic->sheet, port_sets[i] + direction);
	traffic->has_ports = false;
}

/* TCP ---------------------------------------------------------------------- */

static bool offers_mptcp(const struct sn_decoded *packet)
{
	struct sn_rd rd = packet->tcp_options;

	while (sn_rd_left(&rd) > 0) {
		uint8_t kind = sn_rd_u8(&rd);

		if (kind == OPTION_END)
			return false;
		if (kind == OPTION_NOP)
			continue;

		uint8_t length = sn_rd_u8(&rd);

		if (!sn_rd_ok(&rd) || length < 2)
			return false;
		if (kind == OPTION_MPTCP)
			return length > 2 && sn_rd_u8(&rd) >> 4 == MP_CAPABLE && sn_rd_ok(&rd);
		sn_rd_skip(&rd, length - 2U);
	}
	return false;
}

/*
 * Most bytes in flight between two acknowledgements: each segment with ACK ends the observation of
 * the other direction.
 */
static void count_flight(struct sn_traffic *traffic, struct sn_tcp_flow *tcp,
			 const struct sn_decoded *packet, unsigned side,
			 const struct sn_tcp_verdict *verdict)
{
	const struct sn_tcp_side *from = &tcp->tcp.side[side], *to = &tcp->tcp.side[!side];
	bool syn = (packet->tcp_flags & SN_TCP_SYN) != 0;
	uint32_t length = packet->payload_bytes + syn + ((packet->tcp_flags & SN_TCP_FIN) != 0);
	int32_t flight =
		(int32_t)(packet->tcp_seq + length - (to->has_ack ? to->acked : from->isn));

	if ((packet->tcp_flags & SN_TCP_ACK) != 0 && tcp->traffic.side[!side].flight > 0) {
		sn_sheet_add(traffic->sheet, SN_HISTOGRAM_TCP_CWND,
			     tcp->traffic.side[!side].flight);
		tcp->traffic.side[!side].flight = 0;
		traffic->has_samples = true;
	}
	if (length > 0 && verdict->anomaly == SN_TCP_ANOMALIES && flight > 0 &&
	    (uint32_t)flight > tcp->traffic.side[side].flight)
		tcp->traffic.side[side].flight = (uint32_t)flight & FLIGHT_MAX;
}

static void note_window(struct sn_tcp_flow *tcp, const struct sn_decoded *packet, unsigned side)
{
	const struct sn_tcp *state = &tcp->tcp;
	float packets = (float)tcp->flow.side[side].packets;
	float *mean = &tcp->traffic.side[side].window_mean;
	uint32_t window = packet->tcp_window;

	if ((packet->tcp_flags & SN_TCP_SYN) == 0 && state->side[0].has_scale &&
	    state->side[1].has_scale)
		window <<= SN_MIN(state->side[side].window_scale, 14);
	*mean += ((float)window - *mean) / packets;
}

static unsigned tcp_class(struct sn_tcp_flow *tcp, const struct sn_decoded *packet)
{
	uint64_t packets = sn_flow_packets(&tcp->flow);
	unsigned class_ = tcp->flow.traffic;

	if (packets <= CERTAIN_AFTER ||
	    (class_ == SN_L7_UNKNOWN && packet->payload_bytes > 0 && packets <= HOPELESS_AFTER)) {
		class_ = sn_class_tcp(tcp->app);
		tcp->flow.traffic = (uint8_t)class_;
	}
	return class_;
}

static void begin_side(struct sn_tcp_flow *tcp, const struct sn_decoded *packet, unsigned side)
{
	tcp->traffic.side[side].window_first = packet->tcp_window;
	tcp->traffic.side[side].mptcp = offers_mptcp(packet);
}

static void count_segment(struct sn_traffic *traffic, struct sn_tcp_flow *tcp,
			  const struct sn_decoded *packet, unsigned side,
			  const struct sn_tcp_verdict *verdict, unsigned direction, unsigned cloud)
{
	struct sn_counts *counts = &traffic->counts;

	counts->tcp_bytes[direction][cloud][tcp_class(tcp, packet)] += packet->ip_bytes;
	if (!packet->has_transport || verdict == NULL)
		return;
	if (packet->payload_bytes > 0 || (packet->tcp_flags & (SN_TCP_SYN | SN_TCP_FIN)) != 0)
		counts->anomalies[direction][side][verdict->anomaly]++;
	if ((packet->tcp_flags & SN_TCP_SYN) != 0 && tcp->flow.side[side].packets == 1)
		begin_side(tcp, packet, side);
	if (traffic->wants_windows)
		note_window(tcp, packet, side);
	if (traffic->wants_flight)
		count_flight(traffic, tcp, packet, side, verdict);
}

static void count_tcp(struct sn_traffic *traffic, const struct sn_decoded *packet,
		      struct sn_flow *flow, unsigned side, const struct sn_tcp_verdict *verdict,
		      unsigned direction, unsigned cloud)
{
	if (traffic->wants_ports && packet->has_transport)
		count_tcp_ports(traffic, packet, direction);
	if (flow == NULL || flow->closed || flow->mid_stream)
		traffic->counts.trash++;
	else
		count_segment(traffic, sn_flow_as_tcp(flow), packet, side, verdict, direction,
			      cloud);
}

/* UDP ---------------------------------------------------------------------- */

static void count_udp(struct sn_traffic *traffic, const struct sn_decoded *packet,
		      const struct sn_flow *flow, unsigned side, unsigned direction, unsigned cloud)
{
	unsigned class_ = flow == NULL ? (unsigned)SN_L7_UNKNOWN
				       : sn_class_udp(sn_flow_as_udp(flow)->type[side]);

	traffic->counts.udp_bytes[direction][cloud][class_] += packet->ip_bytes;
	if (traffic->wants_ports && packet->has_transport)
		count_port(traffic, SN_HISTOGRAM_UDP_PORT_DST_IN, direction, packet->dst_port);
}

/* All ---------------------------------------------------------------------- */

static bool is_in_cloud(const struct sn_inside *inside, const uint64_t source[2],
			const uint64_t destination[2], uint8_t family, unsigned direction)
{
	if (inside == NULL || inside->cloud == NULL || direction > SN_TRAFFIC_OUT)
		return false;
	return sn_networks_has(inside->cloud, direction == SN_TRAFFIC_OUT ? destination : source,
			       family);
}

/* A flow is outside or in the cloud for all its life. */
static void begin_flow(struct sn_traffic *traffic, const struct sn_decoded *packet,
		       struct sn_flow *flow, unsigned direction)
{
	flow->in_cloud =
		is_in_cloud(traffic->inside, packet->src, packet->dst, packet->family, direction);
	flow->traffic = SN_L7_UNKNOWN;
	if (direction == SN_TRAFFIC_NEITHER)
		return;
	traffic->counts.tcp_flows += flow->key.protocol == SN_PROTO_TCP && !flow->mid_stream;
	traffic->counts.udp_flows += flow->key.protocol == SN_PROTO_UDP;
}

/* Of a packet that belongs to no flow. */
static unsigned stray_direction(const struct sn_traffic *traffic, const struct sn_decoded *packet,
				unsigned *cloud)
{
	bool from_inside = true, to_inside = true;
	unsigned direction;

	if (traffic->inside != NULL)
		sn_inside_of(traffic->inside, packet, &from_inside, &to_inside);
	direction = sn_traffic_direction(from_inside, to_inside);
	*cloud = is_in_cloud(traffic->inside, packet->src, packet->dst, packet->family, direction);
	return direction;
}

void sn_traffic_packet(struct sn_traffic *traffic, const struct sn_decoded *packet,
		       struct sn_flow *flow, unsigned side, const struct sn_tcp_verdict *verdict,
		       int64_t time_ns)
{
	unsigned direction, cloud = 0;

	if (time_ns >= traffic->cut_ns || time_ns < traffic->floor_ns)
		sn_traffic_turn(traffic, time_ns);
	traffic->last_ns = SN_MAX(traffic->last_ns, time_ns);
	if (flow != NULL) {
		bool inside[2] = {flow->client_internal, flow->server_internal};

		direction = sn_traffic_direction(inside[side], inside[!side]);
		if (sn_flow_packets(flow) == 1)
			begin_flow(traffic, packet, flow, direction);
		cloud = flow->in_cloud;
	} else {
		direction = stray_direction(traffic, packet, &cloud);
	}
	count_ip(&traffic->counts, packet, direction, cloud);
	if (packet->protocol == SN_PROTO_TCP)
		count_tcp(traffic, packet, flow, side, verdict, direction, cloud);
	else if (packet->protocol == SN_PROTO_UDP)
		count_udp(traffic, packet, flow, side, direction, cloud);
	if (traffic->tstat_due)
		sn_traffic_cut(traffic, time_ns);
}
