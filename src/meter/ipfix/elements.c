/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/ipfix/elements.h"

#include <assert.h>
#include <string.h>

#include "base/util.h"
#include "meter/ipfix/values.h"
#include "meter/ipfix/wire.h"

/* What a shape must have, all of it, for an element to be in its template. */
enum {
	SOURCE4 = 1 << 0,
	SOURCE6 = 1 << 1,
	DESTINATION4 = 1 << 2,
	DESTINATION6 = 1 << 3,
	PORTS = 1 << 4,
	TCP = 1 << 5,
	UDP = 1 << 6,
	ICMP4 = 1 << 7,
	ICMP6 = 1 << 8,
	CROSSING = 1 << 9, /* one end is inside, the other outside */
	ORIGINS = 1 << 10, /* network or country of an end is known */
};

/* An element: number, octets, what puts it, name; and the rest. */
#define IANA(id_, length_, put_, name_)                                                            \
	.id = (id_), .length = (length_), .put = sn_ipfix_put_##put_, .name = (name_)
#define OWN(id_, length_, type_, put_, name_)                                                      \
	IANA(id_, length_, put_, name_), .own = true, .type = SN_IPFIX_##type_
#define OWN_TEXT(id_, put_, name_) OWN(id_, SN_IPFIX_VARIABLE, STRING, put_, name_)
/* A microseconds value. */
#define OWN_TIME(id_, put_, name_)                                                                 \
	OWN(id_, 4, U32, put_, name_), .needs = TCP, .semantics = SN_IPFIX_QUANTITY,               \
				       .units = SN_IPFIX_MICROSECONDS
/* A member of struct sn_tcp_side as it is. */
#define MEMBER(id_, member_, name_)                                                                \
	.id = (id_), .length = sizeof(((struct sn_tcp_side *)NULL)->member_),                      \
	.member = offsetof(struct sn_tcp_side, member_), .name = (name_), .needs = TCP,            \
	.both = true
#define OWN_MEMBER(id_, type_, member_, semantics_, units_, name_)                                 \
	MEMBER(id_, member_, name_), .own = true, .type = SN_IPFIX_##type_,                        \
				     .semantics = SN_IPFIX_##semantics_, .units = (units_)
/* A member of struct sn_tcp_trouble: a count of segments. */
#define OWN_TROUBLE(id_, member_, name_)                                                           \
	.id = (id_), .length = sizeof(((struct sn_tcp_trouble *)NULL)->member_),                   \
	.member = offsetof(struct sn_tcp_trouble, member_), .trouble = true, .name = (name_),      \
	.needs = TCP, .both = true, .own = true, .type = SN_IPFIX_U32,                             \
	.semantics = SN_IPFIX_TOTAL, .units = SN_IPFIX_PACKETS
#define BOTH .both = true

/* Numbers of our own are for good: collectors keep them. */
const struct sn_ipfix_element sn_ipfix_elements[] = {
	{IANA(152, 8, start, "flowStartMilliseconds")},
	{IANA(153, 8, end, "flowEndMilliseconds")},
	{IANA(8, 4, source4, "sourceIPv4Address"), .needs = SOURCE4, .privacy = SN_IPFIX_SOURCE},
	{IANA(27, 16, source6, "sourceIPv6Address"), .needs = SOURCE6, .privacy = SN_IPFIX_SOURCE},
	{IANA(12, 4, destination4, "destinationIPv4Address"), .needs = DESTINATION4,
	 .privacy = SN_IPFIX_DESTINATION},
	{IANA(28, 16, destination6, "destinationIPv6Address"), .needs = DESTINATION6,
	 .privacy = SN_IPFIX_DESTINATION},
	{IANA(7, 2, source_port, "sourceTransportPort"), .needs = PORTS},
	{IANA(11, 2, destination_port, "destinationTransportPort"), .needs = PORTS},
	{IANA(32, 2, icmp_type_code, "icmpTypeCodeIPv4"), .needs = ICMP4},
	{IANA(139, 2, icmp_type_code, "icmpTypeCodeIPv6"), .needs = ICMP6},
	{IANA(4, 1, protocol, "protocolIdentifier")},
	{IANA(2, 8, packets, "packetDeltaCount"), BOTH},
	{IANA(1, 8, bytes, "octetDeltaCount"), BOTH},
	{IANA(6, 2, tcp_flags, "tcpControlBits"), .needs = TCP, BOTH},
	{MEMBER(52, ttl_min, "minimumTTL")},
	{MEMBER(53, ttl_max, "maximumTTL")},
	{IANA(136, 1, end_reason, "flowEndReason")},
	{IANA(61, 1, flow_direction, "flowDirection"), .needs = CROSSING},
	{IANA(239, 1, biflow_direction, "biflowDirection")},
	{IANA(138, 4, observation_point, "observationPointId")},
	{IANA(16, 4, source_asn, "bgpSourceAsNumber"), .needs = ORIGINS},
	{IANA(17, 4, destination_asn, "bgpDestinationAsNumber"), .needs = ORIGINS},
	{IANA(96, SN_IPFIX_VARIABLE, application, "applicationName")},
	{IANA(460, SN_IPFIX_VARIABLE, http_host, "httpRequestHost"), .needs = TCP,
	 .privacy = SN_IPFIX_NAME},
	/* Ours, of the whole flow. */
	{OWN_TEXT(1, server_name, "serverName"), .privacy = SN_IPFIX_NAME,
	 .help = "by TLS, QUIC, HTTP or, else, dnsQueriedName; empty: unknown"},
	{OWN_TEXT(2, fqdn, "dnsQueriedName"), .privacy = SN_IPFIX_NAME,
	 .help = "the client had been told that this is the server's name; empty: unknown"},
	{OWN_TEXT(3, certificate_name, "tlsCertificateCommonName"), .needs = TCP,
	 .privacy = SN_IPFIX_NAME, .help = "of the server; empty: not seen"},
	{OWN_TEXT(4, community_id, "communityId"),
	 .help = "version 1, of the addresses as told; empty: none"},
	{OWN_TEXT(5, source_country, "sourceCountry"), .needs = ORIGINS,
	 .help = "ISO 3166-1 alpha-2; empty: unknown"},
	{OWN_TEXT(6, destination_country, "destinationCountry"), .needs = ORIGINS,
	 .help = "ISO 3166-1 alpha-2; empty: unknown"},
	{OWN(7, 2, U16, tls_version, "tlsVersion"), .needs = TCP,
	 .help = "that the server chose, 772 is TLS 1.3; 0: none seen"},
	{OWN(8, 4, U32, quic_version, "quicVersion"), .needs = UDP,
	 .help = "of the client's first packet with one; 0: none seen"},
	{OWN(9, 1, BOOLEAN, mid_stream, "midStream"),
	 .help = "the connection had begun before it was seen"},
	{OWN_TIME(10, server_handshake, "tcpSynToSynAckMicroseconds"),
	 .help = "meter to server and back; 0: not seen"},
	{OWN_TIME(11, client_handshake, "tcpSynAckToAckMicroseconds"),
	 .help = "meter to client and back; 0: not seen"},
	/* Ours, of each direction; totals since the flow began, in interim records, too. */
	{OWN(32, 8, U64, payload, "payloadOctetDeltaCount"), BOTH, .semantics = SN_IPFIX_DELTA,
	 .units = SN_IPFIX_OCTETS, .help = "behind the transport header, repeated ones, too"},
	{OWN_MEMBER(33, U32, rtt.count, TOTAL, 0, "tcpRttSampleCount"),
	 .help = "round trips between the meter and the receiver"},
	{OWN_TIME(34, rtt_min, "tcpRttMinimumMicroseconds"), BOTH, .help = "0 without samples"},
	{OWN_TIME(35, rtt_average, "tcpRttAverageMicroseconds"), BOTH, .help = "0 without samples"},
	{OWN_TIME(36, rtt_max, "tcpRttMaximumMicroseconds"), BOTH, .help = "0 without samples"},
	{OWN_TIME(37, rtt_deviation, "tcpRttDeviationMicroseconds"), BOTH,
	 .help = "standard deviation of the samples; 0 of fewer than three"},
	{OWN_MEMBER(38, U32, n.data, TOTAL, SN_IPFIX_PACKETS, "tcpDataSegmentTotalCount"),
	 .help = "with payload"},
	{OWN_MEMBER(39, U64, n.unique_bytes, TOTAL, SN_IPFIX_OCTETS, "tcpUniqueOctetTotalCount"),
	 .help = "payload, counted once"},
	{OWN_MEMBER(40, U32, n.retransmitted, TOTAL, SN_IPFIX_PACKETS,
		    "tcpRetransmittedSegmentTotalCount"),
	 .help = "at least one byte was seen before"},
	{OWN_MEMBER(41, U64, n.retransmitted_bytes, TOTAL, SN_IPFIX_OCTETS,
		    "tcpRetransmittedOctetTotalCount"),
	 .help = "payload that was seen before"},
	{OWN_MEMBER(42, U32, n.out_of_order, TOTAL, SN_IPFIX_PACKETS,
		    "tcpOutOfOrderSegmentTotalCount"),
	 .help = "filled a hole"},
	{OWN_TROUBLE(43, anomalies[SN_TCP_RTO], "tcpTimeoutRetransmissionTotalCount"),
	 .help = "retransmitted by timeout"},
	{OWN_TROUBLE(44, anomalies[SN_TCP_FAST], "tcpFastRetransmissionTotalCount"),
	 .help = "retransmitted after duplicate acknowledgements"},
	{OWN_TROUBLE(45, anomalies[SN_TCP_REORDER], "tcpReorderedSegmentTotalCount"),
	 .help = "overtaken on the way"},
	{OWN_TROUBLE(46, anomalies[SN_TCP_DUPLICATE], "tcpNetworkDuplicateTotalCount"),
	 .help = "doubled on the way"},
	{OWN_TROUBLE(47, anomalies[SN_TCP_FLOW_CONTROL], "tcpWindowProbeTotalCount"),
	 .help = "probes of a closed window"},
	{OWN_TROUBLE(48, anomalies[SN_TCP_NEEDLESS_RTO],
		     "tcpNeedlessTimeoutRetransmissionTotalCount"),
	 .help = "had been acknowledged"},
	{OWN_TROUBLE(49, anomalies[SN_TCP_NEEDLESS_FAST],
		     "tcpNeedlessFastRetransmissionTotalCount"),
	 .help = "had been acknowledged"},
	{OWN_TROUBLE(50, anomalies[SN_TCP_UNKNOWN], "tcpUnknownAnomalyTotalCount"),
	 .help = "out of sequence for a reason that is not known"},
	{OWN_TROUBLE(51, zero_windows, "tcpZeroWindowTotalCount"),
	 .help = "acknowledgements that announce no window"},
	{OWN_MEMBER(52, U32, window_max, QUANTITY, SN_IPFIX_OCTETS, "tcpWindowMaximum"),
	 .help = "largest window announced, scaled"},
	{OWN_MEMBER(53, U32, flight_max, QUANTITY, SN_IPFIX_OCTETS, "tcpFlightMaximum"),
	 .help = "most octets in flight"},
	{OWN_MEMBER(54, U16, mss, QUANTITY, SN_IPFIX_OCTETS, "tcpMssAnnounced"),
	 .help = "0: the option was not seen"},
	{OWN_MEMBER(55, U16, segment_max, QUANTITY, SN_IPFIX_OCTETS, "tcpLargestSegment"),
	 .help = "largest payload of one segment"},
	{OWN_TROUBLE(56, sacks, "tcpSelectiveAcknowledgementTotalCount"),
	 .help = "segments with the option"},
};
const size_t sn_ipfix_element_count = SN_COUNT(sn_ipfix_elements);

/* Templates --------------------------------------------------------------- */

static unsigned family_bits(uint8_t family, unsigned v4, unsigned v6)
{
	return family == 4 ? v4 : family == 6 ? v6 : 0;
}

static unsigned bits_of(const struct sn_ipfix_shape *shape)
{
	static const uint16_t kinds[SN_IPFIX_KINDS] = {
		[SN_IPFIX_TCP] = TCP | PORTS,
		[SN_IPFIX_UDP] = UDP | PORTS,
		[SN_IPFIX_ICMP] = ICMP4,
		[SN_IPFIX_ICMP6] = ICMP6,
	};
	unsigned bits = kinds[shape->kind];

	bits |= family_bits(shape->family[shape->from], SOURCE4, SOURCE6);
	bits |= family_bits(shape->family[!shape->from], DESTINATION4, DESTINATION6);
	bits |= shape->internal[SN_CLIENT] != shape->internal[SN_SERVER] ? CROSSING : 0;
	bits |= shape->origins ? ORIGINS : 0;
	return bits;
}

static bool is_there(unsigned bits, const struct sn_ipfix_style *style,
		     const struct sn_ipfix_element *element)
{
	return (element->needs & ~bits) == 0 && (!element->own || style->enterprise != 0);
}

bool sn_ipfix_has(const struct sn_ipfix_shape *shape, const struct sn_ipfix_style *style,
		  const struct sn_ipfix_element *element)
{
	return is_there(bits_of(shape), style, element);
}

void sn_ipfix_put_field(struct sn_buf *out, uint16_t id, uint16_t length, uint32_t enterprise)
{
	put_u16(out, enterprise != 0 ? id | 0x8000 : id);
	put_u16(out, length);
	if (enterprise != 0)
		put_u32(out, enterprise);
}

static void put_reverse_field(struct sn_buf *out, const struct sn_ipfix_element *element,
			      uint32_t enterprise)
{
	if (element->own)
		sn_ipfix_put_field(out, element->id | SN_IPFIX_REVERSE_BIT, element->length,
				   enterprise);
	else
		sn_ipfix_put_field(out, element->id, element->length, SN_IPFIX_REVERSE_PEN);
}

void sn_ipfix_put_template(struct sn_buf *out, uint16_t number, const struct sn_ipfix_style *style)
{
	size_t start = out->n, count = 0;
	struct sn_ipfix_shape shape;
	unsigned bits;

	sn_ipfix_shape_read(number, &shape);
	bits = bits_of(&shape);
	put_u16(out, (uint16_t)(SN_IPFIX_TEMPLATES + number));
	put_u16(out, 0);
	for (size_t i = 0; i < sn_ipfix_element_count; i++) {
		const struct sn_ipfix_element *element = &sn_ipfix_elements[i];

		if (!is_there(bits, style, element))
			continue;
		sn_ipfix_put_field(out, element->id, element->length,
				   element->own ? style->enterprise : 0);
		count++;
		if (!element->both || style->uniflow)
			continue;
		put_reverse_field(out, element, style->enterprise);
		count++;
	}
	set_u16(out, start + 2, count);
}

/* Records ------------------------------------------------------------------- */

static void put_member(struct sn_buf *out, const struct sn_ipfix_element *element,
		       const struct sn_ipfix_record *record, unsigned side)
{
	const struct sn_tcp_flow *flow = sn_flow_as_tcp(record->view->flow);
	const void *from = element->trouble ? (const void *)sn_tcp_trouble(&flow->tcp, side)
					    : &flow->tcp.side[side];
	const char *value = (const char *)from + element->member;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (element->length) {
	case sizeof(u64):
		memcpy(&u64, value, sizeof(u64));
		put_u64(out, u64);
		break;
	case sizeof(u32):
		memcpy(&u32, value, sizeof(u32));
		put_u32(out, u32);
		break;
	case sizeof(u16):
		memcpy(&u16, value, sizeof(u16));
		put_u16(out, u16);
		break;
	default:
		assert(element->length == 1);
		sn_buf_add(out, value, 1);
	}
}

static void put_value(struct sn_buf *out, const struct sn_ipfix_element *element,
		      const struct sn_ipfix_record *record, unsigned side)
{
	if (element->put != NULL)
		element->put(out, record, side);
	else
		put_member(out, element, record, side);
}

void sn_ipfix_put_record(struct sn_buf *out, uint16_t number, const struct sn_ipfix_style *style,
			 const struct sn_ipfix_record *record)
{
	struct sn_ipfix_shape shape;
	unsigned bits;

	sn_ipfix_shape_read(number, &shape);
	bits = bits_of(&shape);
	for (size_t i = 0; i < sn_ipfix_element_count; i++) {
		const struct sn_ipfix_element *element = &sn_ipfix_elements[i];

		if (!is_there(bits, style, element))
			continue;
		put_value(out, element, record, record->from);
		if (element->both && !style->uniflow)
			put_value(out, element, record, !record->from);
	}
}
