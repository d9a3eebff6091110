/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/ipfix/values.h"

#include <math.h>

#include "base/utf8.h"
#include "meter/ipfix/wire.h"

#define PUT(name)                                                                                  \
	void sn_ipfix_put_##name(struct sn_buf *out, const struct sn_ipfix_record *record,         \
				 unsigned side SN_UNUSED)

/* Times --------------------------------------------------------------------- */

/* dateTimeMilliseconds has no time before 1970. */
static void put_milliseconds(struct sn_buf *out, int64_t time_ns)
{
	put_u64(out, (uint64_t)SN_MAX(time_ns, 0) / SN_NS_PER_MS);
}

/*
 * A record of one direction has that direction's times where they are known: of UDP,
 * unless the record tells a part of the flow only.
 */
static const struct sn_udp_side *own_times(const struct sn_ipfix_record *record)
{
	const struct sn_flow *flow = record->view->flow;
	const struct sn_udp_flow *udp = sn_flow_udp(flow);
	bool whole = record->view->period_first_ns == flow->first_ns;

	return record->uniflow && udp != NULL && whole ? &udp->side[record->from] : NULL;
}

PUT(start)
{
	const struct sn_udp_side *times = own_times(record);

	put_milliseconds(out, times != NULL ? times->first_ns : record->view->period_first_ns);
}

PUT(end)
{
	const struct sn_udp_side *times = own_times(record);

	put_milliseconds(out, times != NULL ? times->last_ns : record->view->flow->last_ns);
}

/* End points ---------------------------------------------------------------- */

static bool source_is_client(const struct sn_ipfix_record *record)
{
	return record->from == SN_CLIENT;
}

static const struct sn_view_address *source(const struct sn_ipfix_record *record)
{
	return source_is_client(record) ? &record->view->client : &record->view->server;
}

static const struct sn_view_address *destination(const struct sn_ipfix_record *record)
{
	return source_is_client(record) ? &record->view->server : &record->view->client;
}

PUT(source4)
{
	sn_buf_add(out, source(record)->ip, 4);
}

PUT(source6)
{
	sn_buf_add(out, source(record)->ip, 16);
}

PUT(destination4)
{
	sn_buf_add(out, destination(record)->ip, 4);
}

PUT(destination6)
{
	sn_buf_add(out, destination(record)->ip, 16);
}

PUT(source_asn)
{
	put_u32(out, source(record)->asn);
}

PUT(destination_asn)
{
	put_u32(out, destination(record)->asn);
}

PUT(source_country)
{
	sn_ipfix_put_text(out, sn_str(source(record)->country), record->text_max);
}

PUT(destination_country)
{
	sn_ipfix_put_text(out, sn_str(destination(record)->country), record->text_max);
}

PUT(source_port)
{
	const struct sn_view_flow *view = record->view;

	put_u16(out, source_is_client(record) ? view->client_port : view->server_port);
}

PUT(destination_port)
{
	const struct sn_view_flow *view = record->view;

	put_u16(out, source_is_client(record) ? view->server_port : view->client_port);
}

PUT(protocol)
{
	put_u8(out, record->view->flow->key.protocol);
}

/* The type that answers: the next one, but for echo over IPv4 (RFC 792, RFC 4443). */
static uint16_t answer_of(uint8_t protocol, uint16_t type_code)
{
	uint8_t type = (uint8_t)(type_code >> 8);

	if (!sn_decode_icmp_has_id(protocol, type))
		return type_code;
	return protocol == SN_PROTO_ICMP && type == 8 ? 0 : (uint16_t)((type + 1) << 8);
}

/* The server's "port" is type and code of what the client sent (decode/transport.c). */
PUT(icmp_type_code)
{
	uint8_t protocol = record->view->flow->key.protocol;
	uint16_t asked = record->view->server_port;

	put_u16(out, source_is_client(record) ? asked : answer_of(protocol, asked));
}

/* Of any flow --------------------------------------------------------------- */

PUT(packets)
{
	put_u64(out, record->view->period[side].packets);
}

PUT(bytes)
{
	put_u64(out, record->view->period[side].bytes);
}

PUT(payload)
{
	put_u64(out, record->view->period[side].payload);
}

PUT(end_reason)
{
	/* flowEndReason: idle timeout, active timeout, end of flow, forced end, lack of resources.
	 */
	static const uint8_t reasons[] = {
		[SN_END_IDLE] = 1, [SN_END_ACTIVE] = 2, [SN_END_CLOSED] = 3,
		[SN_END_END] = 4,  [SN_END_FULL] = 5,
	};

	put_u8(out, reasons[record->view->end]);
}

/* Into the networks that are ours (ingress, 0) or out of them (egress, 1). */
PUT(flow_direction)
{
	put_u8(out, source(record)->internal);
}

/* biflowDirection (RFC 5103, section 6.3): who is first is a guess in the middle of a stream. */
PUT(biflow_direction)
{
	enum { ARBITRARY, INITIATOR, REVERSE_INITIATOR };

	if (record->view->flow->mid_stream)
		put_u8(out, ARBITRARY);
	else
		put_u8(out, source_is_client(record) ? INITIATOR : REVERSE_INITIATOR);
}

PUT(observation_point)
{
	uint16_t number = record->view->flow->source;

	put_u32(out, number < SN_IPFIX_SOURCES_MAX ? number + 1U : 0);
}

PUT(mid_stream)
{
	enum { TRUE = 1, FALSE = 2 }; /* RFC 7011, section 6.1.5 */

	put_u8(out, record->view->flow->mid_stream ? TRUE : FALSE);
}

/* Texts --------------------------------------------------------------------- */

/* What is no UTF-8 becomes question marks: a host name or a certificate may hold anything. */
void sn_ipfix_put_text(struct sn_buf *out, struct sn_str text, size_t max)
{
	size_t length = text.n <= max ? text.n : sn_utf8_cut(text, max);

	put_u8(out, (uint8_t)length);
	for (size_t i = 0; i < length;) {
		size_t valid = sn_utf8_length(text.p + i, length - i);

		sn_buf_add(out, valid > 0 ? text.p + i : "?", SN_MAX(valid, 1));
		i += SN_MAX(valid, 1);
	}
}

PUT(application)
{
	sn_ipfix_put_text(out, sn_str(record->view->application), record->text_max);
}

PUT(server_name)
{
	sn_ipfix_put_text(out, record->view->server_name, record->text_max);
}

PUT(fqdn)
{
	sn_ipfix_put_text(out, record->view->fqdn, record->text_max);
}

PUT(http_host)
{
	sn_ipfix_put_text(out, record->view->http_host, record->text_max);
}

PUT(certificate_name)
{
	sn_ipfix_put_text(out, record->view->tls_certificate_name, record->text_max);
}

PUT(community_id)
{
	sn_ipfix_put_text(out, sn_str(record->view->community_id), record->text_max);
}

/* TCP ----------------------------------------------------------------------- */

static const struct sn_tcp *tcp_of(const struct sn_ipfix_record *record)
{
	return &sn_flow_as_tcp(record->view->flow)->tcp;
}

/*
 * Of a direction five flags are known; of URG, ECE and CWR only that somebody sent them,
 * which tells enough when only one side sent anything.
 */
PUT(tcp_flags)
{
	const struct sn_tcp *tcp = tcp_of(record);
	const struct sn_tcp_counters *n = &tcp->side[side].n;
	unsigned flags = record->view->flow->side[!side].packets == 0 ? tcp->flags : 0;

	flags |= n->fin > 0 ? SN_TCP_FIN : 0;
	flags |= n->syn > 0 ? SN_TCP_SYN : 0;
	flags |= n->rst > 0 ? SN_TCP_RST : 0;
	flags |= n->ack > 0 ? SN_TCP_ACK : 0;
	flags |= tcp->side[side].has_push ? SN_TCP_PSH : 0;
	put_u16(out, (uint16_t)flags);
}

static void put_microseconds(struct sn_buf *out, int64_t rtt_ns)
{
	int64_t us = rtt_ns != SN_TCP_RTT_NONE ? rtt_ns / SN_NS_PER_US : 0;

	put_u32(out, (uint32_t)SN_MAX(0, SN_MIN(us, UINT32_MAX)));
}

PUT(server_handshake)
{
	put_microseconds(out, sn_tcp_server_rtt(tcp_of(record)));
}

PUT(client_handshake)
{
	put_microseconds(out, sn_tcp_client_rtt(tcp_of(record)));
}

static const struct sn_tcp_rtt *rtt_of(const struct sn_ipfix_record *record, unsigned side)
{
	return &tcp_of(record)->side[side].rtt;
}

PUT(rtt_min)
{
	const struct sn_tcp_rtt *rtt = rtt_of(record, side);

	put_u32(out, rtt->count > 0 ? rtt->min_us : 0);
}

PUT(rtt_max)
{
	const struct sn_tcp_rtt *rtt = rtt_of(record, side);

	put_u32(out, rtt->count > 0 ? rtt->max_us : 0);
}

static void put_rounded(struct sn_buf *out, double value)
{
	put_u32(out, value >= 0 && value < UINT32_MAX ? (uint32_t)(value + 0.5) : 0);
}

PUT(rtt_average)
{
	const struct sn_tcp_rtt *rtt = rtt_of(record, side);

	put_rounded(out, rtt->count > 0 ? rtt->sum_us / rtt->count : 0);
}

/* Of the sample (n - 1), as in the logs. */
PUT(rtt_deviation)
{
	const struct sn_tcp_rtt *rtt = rtt_of(record, side);
	double n = rtt->count;

	put_rounded(out,
		    n > 2 ? sqrt(SN_MAX(rtt->sum2_us - rtt->sum_us * rtt->sum_us / n, 0) / (n - 1))
			  : 0);
}

/* Applications -------------------------------------------------------------- */

PUT(tls_version)
{
	const struct sn_app_tcp *app = sn_flow_as_tcp(record->view->flow)->app;

	put_u16(out, app != NULL ? app->tls_version : 0);
}

PUT(quic_version)
{
	const struct sn_app_udp *app = sn_flow_as_udp(record->view->flow)->app;

	put_u32(out, app != NULL ? app->quic_version[SN_CLIENT] : 0);
}
