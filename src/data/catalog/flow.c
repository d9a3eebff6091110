/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"
#include "data/dataset.h"

/* "c" is the client, who sent the first packet seen (TCP: the SYN); "s" the server. */
static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"c_ip", SN_TYPE_TEXT, "", "client address"},
	{"c_port", SN_TYPE_I64, "1", "client port; for ICMP the echo identifier"},
	{"s_ip", SN_TYPE_TEXT, "", "server address"},
	{"s_port", SN_TYPE_I64, "1", "server port; for ICMP type * 256 + code"},
	{"protocol", SN_TYPE_TEXT, "", "tcp, udp, icmp or icmp6"},
	{"interface", SN_TYPE_TEXT, "", "interface or capture file it was seen on"},
	{"last_time", SN_TYPE_TIME, "s", "when its last packet was seen"},
	{"duration_seconds", SN_TYPE_F64, "s", "last packet minus first packet"},
	{"c_packets", SN_TYPE_I64, "packets", "packets from the client"},
	{"s_packets", SN_TYPE_I64, "packets", "packets from the server"},
	{"c_bytes", SN_TYPE_I64, "B", "IP bytes from the client, by the IP header's length"},
	{"s_bytes", SN_TYPE_I64, "B", "IP bytes from the server, by the IP header's length"},
	{"c_payload_bytes", SN_TYPE_I64, "B", "transport payload from the client"},
	{"s_payload_bytes", SN_TYPE_I64, "B", "transport payload from the server"},
	{"handshake_rtt_seconds", SN_TYPE_F64, "s", "SYN to the ACK that ends the handshake"},
	{"s_handshake_rtt_seconds", SN_TYPE_F64, "s", "SYN to SYN+ACK: meter to server and back"},
	{"c_handshake_rtt_seconds", SN_TYPE_F64, "s", "SYN+ACK to ACK: meter to client and back"},
	{"tcp_flags", SN_TYPE_TEXT, "", "all flags seen, of FSRPAUEC"},
	{"state", SN_TYPE_TEXT, "",
	 "complete (handshake seen and closed), open (reported on a limit or at the end), reset, "
	 "partial"},
	{"end", SN_TYPE_TEXT, "", "why it was reported: closed, idle, active, full or end"},
};

const struct sn_dataset sn_dataset_flow = {
	.name = "flow",
	.version = 1,
	.title = "Flows",
	.help = "One bidirectional TCP, UDP or ICMP flow as metered on a link.",
	.columns = columns,
	.column_count = SN_COUNT(columns),
	.key = NULL,
	.chart = "s_bytes",
};
