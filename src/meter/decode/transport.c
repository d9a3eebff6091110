/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"
#include "meter/decode/internal.h"
#include "meter/decode/load.h"

#define TCP_HEADER 20
#define UDP_HEADER 8

/* What was captured of it: a datagram may end before its IP packet does. */
static void set_payload(const struct sn_rd *rd, struct sn_decoded *out)
{
	size_t left = bytes_left(rd);

	set_rd(&out->payload, rd->p, SN_MIN(left, out->payload_bytes));
}

static enum sn_skip decode_tcp(struct sn_rd *rd, uint32_t length, struct sn_decoded *out)
{
	const uint8_t *p = take_bytes(rd, TCP_HEADER);

	if (p == NULL)
		return SN_SKIP_BAD_TRANSPORT;

	uint32_t header = (uint32_t)(p[12] >> 4) * 4;

	if (header < TCP_HEADER || header > length)
		return SN_SKIP_BAD_TRANSPORT;
	out->src_port = load_u16(p);
	out->dst_port = load_u16(p + 2);
	out->tcp_seq = load_u32(p + 4);
	out->tcp_ack = load_u32(p + 8);
	out->tcp_flags = p[13];
	out->tcp_window = load_u16(p + 14);
	out->payload_bytes = length - header;
	/* Cut-off options leave the segment as good as it is without them. */
	if (bytes_left(rd) >= header - TCP_HEADER) {
		set_rd(&out->tcp_options, rd->p, header - TCP_HEADER);
		take_bytes(rd, header - TCP_HEADER);
		set_payload(rd, out);
	}
	return SN_SKIP_NONE;
}

static enum sn_skip decode_udp(struct sn_rd *rd, uint32_t length, struct sn_decoded *out)
{
	const uint8_t *p = take_bytes(rd, UDP_HEADER);

	if (p == NULL)
		return SN_SKIP_BAD_TRANSPORT;

	uint32_t udp_length = load_u16(p + 4);

	/* The length is that of the whole datagram; 0 means a jumbogram (RFC 2675). */
	if (udp_length != 0 &&
	    (udp_length < UDP_HEADER || (udp_length > length && !out->fragmented)))
		return SN_SKIP_BAD_TRANSPORT;
	out->src_port = load_u16(p);
	out->dst_port = load_u16(p + 2);
	out->payload_bytes = SN_MIN(udp_length != 0 ? udp_length : length, length) - UDP_HEADER;
	out->udp_length = udp_length;
	set_payload(rd, out);
	return SN_SKIP_NONE;
}

/* Types that ask and answer with the same identifier (RFC 792, RFC 950, RFC 4443). */
static const struct query {
	uint8_t protocol, request, reply;
} queries[] = {
	{SN_PROTO_ICMP, 8, 0},   {SN_PROTO_ICMP6, 128, 129}, {SN_PROTO_ICMP, 13, 14},
	{SN_PROTO_ICMP, 15, 16}, {SN_PROTO_ICMP, 17, 18},
};

static const struct query *find_query(uint8_t protocol, uint8_t type)
{
	for (size_t i = 0; i < SN_COUNT(queries); i++)
		if (queries[i].protocol == protocol &&
		    (queries[i].request == type || queries[i].reply == type))
			return &queries[i];
	return NULL;
}

bool sn_decode_icmp_has_id(uint8_t protocol, uint8_t type)
{
	return find_query(protocol, type) != NULL;
}

void sn_decode_icmp(uint8_t protocol, const uint8_t *p, struct sn_decoded *out)
{
	const struct query *query = find_query(protocol, p[0]);
	uint8_t type = query != NULL ? query->request : p[0];

	out->src_port = query != NULL ? load_u16(p + 4) : 0;
	out->dst_port = (uint16_t)(type << 8 | p[1]);
	out->reply = query != NULL && p[0] == query->reply;
}

static enum sn_skip decode_icmp(struct sn_rd *rd, uint32_t length, struct sn_decoded *out)
{
	const uint8_t *p = length >= SN_ICMP_HEADER ? take_bytes(rd, SN_ICMP_HEADER) : NULL;

	if (p == NULL)
		return SN_SKIP_BAD_TRANSPORT;
	sn_decode_icmp(out->protocol, p, out);
	out->payload_bytes = length - SN_ICMP_HEADER;
	set_payload(rd, out);
	return SN_SKIP_NONE;
}

enum sn_skip sn_decode_transport(struct sn_rd *rd, uint32_t length, struct sn_decoded *out)
{
	switch (out->protocol) {
	case SN_PROTO_TCP:
		return decode_tcp(rd, length, out);
	case SN_PROTO_UDP:
		return decode_udp(rd, length, out);
	case SN_PROTO_ICMP:
	case SN_PROTO_ICMP6:
		return decode_icmp(rd, length, out);
	default:
		return SN_SKIP_PROTOCOL;
	}
}
