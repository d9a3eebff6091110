/* SPDX-License-Identifier: Apache-2.0 */
/* Experiments: ping, transfers, speed tests, pages. */
#include "data/monroe/declare.h"

/* clang-format off */

#define PING(X) \
	SN_MONROE_NODE(X) SN_MONROE_GUID(X) SN_MONROE_TIMESTAMP(X) SN_MONROE_SEQUENCE(X) \
	SN_MONROE_DATAID(X) SN_MONROE_VERSION(X) SN_MONROE_OPERATOR(X) SN_MONROE_ICCID(X) \
	X(I64, "bytes", "Bytes", "B", "size of the ICMP message; null if the reply was lost") \
	X(TEXT, "host", "Host", "", "address that was asked") \
	X(F64, "rtt", "Rtt", "ms", "round-trip time; null if the reply was lost")

#define UDP_PING(X) \
	SN_MONROE_DATAID(X) SN_MONROE_NODE(X) SN_MONROE_TIMESTAMP(X) SN_MONROE_SEQUENCE(X) \
	SN_MONROE_VERSION(X) \
	X(I64, "bytes", "Bytes", "B", "size of the datagram") \
	X(TEXT, "host", "Host", "", "address that was asked") \
	X(TEXT, "interfacename", "InterfaceName", "", "interface that was used") \
	SN_MONROE_OPERATOR(X) \
	X(TEXT, "iccid", "ICCID", "", "identifier of the SIM card") \
	X(F64, "rtt", "Rtt", "ms", "round-trip time; null if the reply was lost") \
	X(I64, "errorcode", "ErrorCode", "1", "why there is no reply, as a number") \
	X(TEXT, "errorstring", "ErrorString", "", "why there is no reply, in words")

#define HTTP(X) \
	SN_MONROE_NODE(X) SN_MONROE_GUID(X) SN_MONROE_TIMESTAMP(X) SN_MONROE_SEQUENCE(X) \
	SN_MONROE_DATAID(X) SN_MONROE_VERSION(X) SN_MONROE_OPERATOR(X) SN_MONROE_ICCID(X) \
	X(F64, "totaltime", "TotalTime", "s", "from the request to the last byte") \
	X(I64, "bytes", "Bytes", "B", "bytes received") \
	X(F64, "setuptime", "SetupTime", "s", "from the request to the first byte") \
	X(F64, "downloadtime", "DownloadTime", "s", "from the first byte to the last") \
	X(TEXT, "host", "Host", "", "server that was asked") \
	X(F64, "speed", "Speed", "B/s", "mean rate of the transfer") \
	X(TEXT, "port", "Port", "", "port that was asked")

#define HTTP_DOWNLOAD(X) \
	HTTP(X) \
	X(I64, "errorcode", "ErrorCode", "1", "0 if it went well, else the code of curl") \
	X(TEXT, "url", "Url", "", "what was fetched")

#define NETTEST(X) \
	SN_MONROE_TIMESTAMP(X) SN_MONROE_ICCID(X) SN_MONROE_NODE(X) SN_MONROE_VERSION(X) \
	SN_MONROE_DATAID(X) SN_MONROE_SEQUENCE(X) SN_MONROE_GUID(X) SN_MONROE_OPERATOR(X) \
	X(I64, "errorcode", "ErrorCode", "1", "0 if it went well") \
	X(TEXT, "cnf_server_host", "cnf_server_host", "", "server that was to be asked") \
	X(TEXT, "res_id_test", "res_id_test", "", "identifier of the test") \
	X(F64, "res_time_start_s", "res_time_start_s", "s", "start of the test, Unix time") \
	X(F64, "res_time_end_s", "res_time_end_s", "s", "end of the test, Unix time") \
	X(TEXT, "res_status", "res_status", "", "how it ended") \
	X(TEXT, "res_status_msg", "res_status_msg", "", "how it ended, in words") \
	X(TEXT, "res_version_client", "res_version_client", "", "version of the client") \
	X(TEXT, "res_version_server", "res_version_server", "", "version of the server") \
	X(TEXT, "res_server_ip", "res_server_ip", "", "address of the server") \
	X(I64, "res_server_port", "res_server_port", "1", "port of the server") \
	X(BOOL, "res_encrypt", "res_encrypt", "", "whether TLS was used") \
	X(I64, "res_chunksize", "res_chunksize", "B", "size of a chunk") \
	X(TEXT, "res_tcp_congestion", "res_tcp_congestion", "", "congestion control of TCP") \
	X(I64, "res_total_bytes_dl", "res_total_bytes_dl", "B", "all bytes received") \
	X(I64, "res_total_bytes_ul", "res_total_bytes_ul", "B", "all bytes sent") \
	X(TEXT, "res_uname_sysname", "res_uname_sysname", "", "operating system") \
	X(TEXT, "res_uname_nodename", "res_uname_nodename", "", "name of the system") \
	X(TEXT, "res_uname_release", "res_uname_release", "", "release of the kernel") \
	X(TEXT, "res_uname_version", "res_uname_version", "", "build of the kernel") \
	X(TEXT, "res_uname_machine", "res_uname_machine", "", "kind of processor") \
	X(I64, "res_rtt_tcp_payload_num", "res_rtt_tcp_payload_num", "1", "samples of the round-trip time") \
	X(I64, "res_rtt_tcp_payload_client_ns", "res_rtt_tcp_payload_client_ns", "ns", "round-trip time, measured by the client") \
	X(I64, "res_rtt_tcp_payload_server_ns", "res_rtt_tcp_payload_server_ns", "ns", "round-trip time, measured by the server") \
	X(I64, "res_dl_num_flows", "res_dl_num_flows", "1", "connections of the download") \
	X(I64, "res_dl_time_ns", "res_dl_time_ns", "ns", "duration of the download") \
	X(I64, "res_dl_bytes", "res_dl_bytes", "B", "bytes of the download") \
	X(F64, "res_dl_throughput_kbps", "res_dl_throughput_kbps", "kbit/s", "rate of the download") \
	X(I64, "res_ul_num_flows", "res_ul_num_flows", "1", "connections of the upload") \
	X(I64, "res_ul_time_ns", "res_ul_time_ns", "ns", "duration of the upload") \
	X(I64, "res_ul_bytes", "res_ul_bytes", "B", "bytes of the upload") \
	X(F64, "res_ul_throughput_kbps", "res_ul_throughput_kbps", "kbit/s", "rate of the upload") \
	X(I64, "imsimccmnc", "IMSIMCCMNC", "1", "country and network of the SIM card") \
	X(I64, "nwmccmnc", "NWMCCMNC", "1", "country and network that it is registered in")

#define HEADLESS_BROWSER(X) \
	X(TEXT, "dataid", "dataid", "", "kind of record") \
	X(I64, "dataversion", "dataversion", "1", "version of the kind of record") \
	X(TEXT, "nodeid", "nodeid", "", "number of the node") \
	X(F64, "timestamp", "timestamp", "s", "when, Unix time (UTC)") \
	X(I64, "sequencenumber", "sequencenumber", "1", "number of the record in its run") \
	X(TEXT, "browser", "browser", "", "browser that was used") \
	X(TEXT, "country", "country", "", "country that the node was in") \
	X(F64, "firstpaint", "firstpaint", "ms", "until something was drawn") \
	X(F64, "fullyloaded", "fullyloaded", "ms", "until nothing more was fetched") \
	X(TEXT, "iccid", "iccid", "", "identifier of the SIM card") \
	X(I64, "imsimccmnc", "imsimccmnc", "1", "country and network of the SIM card") \
	X(TEXT, "info", "info", "", "what the browser said of itself") \
	X(TEXT, "interfacename", "interfacename", "", "interface that was used") \
	X(TEXT, "internalinterface", "internalinterface", "", "that interface, as experiments see it") \
	X(TEXT, "ipaddress", "ipaddress", "", "address of that interface") \
	X(TEXT, "navigationtiming", "navigationtiming", "", "Navigation Timing of the page") \
	X(I64, "nwmccmnc", "nwmccmnc", "1", "country and network that it was registered in") \
	X(TEXT, "ops", "ops", "", "network and radio of that moment") \
	X(TEXT, "pageinfo", "pageinfo", "", "size and parts of the page") \
	X(F64, "pageloadtime", "pageloadtime", "ms", "until the page was loaded") \
	X(TEXT, "pagetimings", "pagetimings", "", "further times of the page") \
	X(F64, "ping_avg", "ping_avg", "ms", "mean round-trip time before the page was asked for") \
	X(BOOL, "ping_exp", "ping_exp", "", "whether that was measured") \
	X(F64, "ping_max", "ping_max", "ms", "largest of these round-trip times") \
	X(F64, "ping_min", "ping_min", "ms", "smallest of these round-trip times") \
	X(TEXT, "protocol", "protocol", "", "version of HTTP") \
	X(TEXT, "resourcetimings", "resourcetimings", "", "Resource Timing of its parts") \
	X(F64, "rumspeedindex", "rumspeedindex", "ms", "speed index") \
	X(TEXT, "url", "url", "", "the page")

/* clang-format on */

SN_MONROE_TABLE(exp_ping, PING, "monroe_exp_ping", "Ping (MONROE)",
		"One echo request of the ping experiment.", "iccid", "rtt",
		"nodeid,iccid,timestamp,sequencenumber", "timestamp", SN_MONROE_SECONDS, "");
SN_MONROE_TABLE(exp_udp_ping, UDP_PING, "monroe_exp_udp_ping", "UDP ping (MONROE)",
		"One datagram of the UDP ping experiment.", "iccid", "rtt",
		"nodeid,timestamp,iccid,sequencenumber", "timestamp", SN_MONROE_SECONDS, "");
SN_MONROE_TABLE(exp_http, HTTP, "monroe_exp_http", "HTTP (MONROE)",
		"One transfer of the HTTP experiment.", "iccid", "speed",
		"nodeid,iccid,timestamp,sequencenumber", "timestamp", SN_MONROE_SECONDS, "");
SN_MONROE_TABLE(exp_http_download, HTTP_DOWNLOAD, "monroe_exp_http_download",
		"HTTP download (MONROE)", "One transfer of the HTTP download experiment.", "iccid",
		"speed", "nodeid,iccid,timestamp,sequencenumber", "timestamp", SN_MONROE_SECONDS,
		"");
SN_MONROE_TABLE(exp_nettest, NETTEST, "monroe_exp_nettest", "Speed test (MONROE)",
		"One run of the speed test against a RMBT server.", "iccid",
		"res_dl_throughput_kbps", "nodeid,timestamp,iccid,sequencenumber", "timestamp",
		SN_MONROE_SECONDS, "");
SN_MONROE_TABLE(exp_headless_browser, HEADLESS_BROWSER, "monroe_exp_headless_browser",
		"Web pages (MONROE)", "One page that a browser without a screen loaded.", "iccid",
		"pageloadtime", "nodeid,timestamp,sequencenumber", "timestamp", SN_MONROE_SECONDS,
		"");
