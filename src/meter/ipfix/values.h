/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values: what the elements put into a record.  `side` is the direction that is told:
 * its sender.
 */
#ifndef SONDE_METER_IPFIX_VALUES_H
#define SONDE_METER_IPFIX_VALUES_H

#include "meter/ipfix/elements.h"

sn_ipfix_put_fn sn_ipfix_put_start, sn_ipfix_put_end, sn_ipfix_put_end_reason;
sn_ipfix_put_fn sn_ipfix_put_source4, sn_ipfix_put_source6, sn_ipfix_put_source_port;
sn_ipfix_put_fn sn_ipfix_put_destination4, sn_ipfix_put_destination6, sn_ipfix_put_destination_port;
sn_ipfix_put_fn sn_ipfix_put_source_asn, sn_ipfix_put_destination_asn;
sn_ipfix_put_fn sn_ipfix_put_source_country, sn_ipfix_put_destination_country;
sn_ipfix_put_fn sn_ipfix_put_protocol, sn_ipfix_put_icmp_type_code;
sn_ipfix_put_fn sn_ipfix_put_packets, sn_ipfix_put_bytes, sn_ipfix_put_payload;
sn_ipfix_put_fn sn_ipfix_put_flow_direction, sn_ipfix_put_biflow_direction;
sn_ipfix_put_fn sn_ipfix_put_observation_point;
sn_ipfix_put_fn sn_ipfix_put_application, sn_ipfix_put_server_name, sn_ipfix_put_fqdn;
sn_ipfix_put_fn sn_ipfix_put_http_host, sn_ipfix_put_certificate_name, sn_ipfix_put_community_id;
sn_ipfix_put_fn sn_ipfix_put_tls_version, sn_ipfix_put_quic_version, sn_ipfix_put_mid_stream;
sn_ipfix_put_fn sn_ipfix_put_tcp_flags, sn_ipfix_put_server_handshake,
	sn_ipfix_put_client_handshake;
sn_ipfix_put_fn sn_ipfix_put_rtt_min, sn_ipfix_put_rtt_average, sn_ipfix_put_rtt_max;
sn_ipfix_put_fn sn_ipfix_put_rtt_deviation;

#endif
