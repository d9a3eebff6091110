/* SPDX-License-Identifier: Apache-2.0 */
/* Tstat's logs as MONROE stored them: by the names of the Tstat of that time. */
#include "data/monroe/declare.h"
#include "data/tstat/lists.h"

#define TYPE_INTEGER SN_TYPE_I64
#define TYPE_FLAG    SN_TYPE_I64
#define TYPE_MS      SN_TYPE_F64
#define TYPE_SECONDS SN_TYPE_F64
#define TYPE_TEXT    SN_TYPE_TEXT

/* The lists of today's Tstat name a set, and have other words for types; their names are lower case
 * but for those of layer 7, which was another list then, too. */
#define TSTAT_SN_MONROE_COLUMN(set_, type_, name_, unit_, help_)                                   \
	{(name_), TYPE_##type_, (unit_), (help_)},
#define TSTAT_SN_MONROE_ORIGINAL(set_, type_, name_, unit_, help_) (name_),

/* clang-format off */

#define WHO(X) \
	SN_MONROE_NODE(X) SN_MONROE_ICCID(X) SN_MONROE_DATAID(X)

#define LAYER7(X) \
	X(I64, "http_req_cnt", "http_req_cnt", "1", "segments of the client that begin with an HTTP request") \
	X(I64, "http_res_cnt", "http_res_cnt", "1", "segments of the server that begin with an HTTP response") \
	X(TEXT, "http_res", "http_res", "", "first HTTP status") \
	X(I64, "c_pkts_push", "c_pkts_push", "1", "messages of the client") \
	X(I64, "s_pkts_push", "s_pkts_push", "1", "messages of the server") \
	X(TEXT, "c_tls_sni", "c_tls_SNI", "", "server name in the Client Hello") \
	X(TEXT, "s_tls_scn", "s_tls_SCN", "", "common name in the certificate of the server") \
	X(I64, "c_npnalpn", "c_npnalpn", "1", "NPN and ALPN of the client, a bit mask") \
	X(I64, "s_npnalpn", "s_npnalpn", "1", "NPN and ALPN of the server, a bit mask") \
	X(I64, "c_tls_sesid", "c_tls_sesid", "1", "whether the Client Hello carried a session") \
	X(F64, "c_last_handshaket", "c_last_handshakeT", "ms", "last handshake payload of the client, after the first segment") \
	X(F64, "s_last_handshaket", "s_last_handshakeT", "ms", "last handshake payload of the server, after the first segment") \
	X(F64, "c_appdatat", "c_appdataT", "ms", "first application data of the client, after the first segment") \
	X(F64, "s_appdatat", "s_appdataT", "ms", "first application data of the server, after the first segment") \
	X(I64, "c_appdatab", "c_appdataB", "B", "place of that in the client's stream, 1 the first byte") \
	X(I64, "s_appdatab", "s_appdataB", "B", "place of that in the server's stream, 1 the first byte") \
	X(TEXT, "fqdn", "fqdn", "", "name that the client had asked DNS for") \
	X(TEXT, "dns_rslv", "dns_rslv", "", "address of the DNS server that answered") \
	X(F64, "req_tm", "req_tm", "ms", "when the client asked DNS, Unix time") \
	X(F64, "res_tm", "res_tm", "ms", "when DNS answered, Unix time")

#define HTTP(X) \
	X(TEXT, "c_ip", "c_ip", "", "client address") \
	X(I64, "c_port", "c_port", "1", "client port") \
	X(TEXT, "s_ip", "s_ip", "", "server address") \
	X(I64, "s_port", "s_port", "1", "server port") \
	X(F64, "time_abs", "time_abs", "s", "when the message began, Unix time") \
	X(TEXT, "method_http", "method_HTTP", "", "method of a request, HTTP of a response") \
	X(TEXT, "hostname_response", "hostname_response", "", "Host of a request, status of a response") \
	X(TEXT, "fqdn_content_len", "fqdn_content_len", "", "name of the server, Content-Length of a response") \
	X(TEXT, "path_content_type", "path_content_type", "", "what was asked for, Content-Type of a response") \
	X(TEXT, "referer_server", "referer_server", "", "Referer of a request, Server of a response") \
	X(TEXT, "user_agent_range", "user_agent_range", "", "User-Agent of a request, Content-Range of a response") \
	X(TEXT, "cookie_location", "cookie_location", "", "Cookie of a request, Location of a response") \
	X(TEXT, "dnt_set_cookie", "dnt_set_cookie", "", "DNT of a request, Set-Cookie of a response")

#define TCP_NOCOMPLETE(X) \
	WHO(X) \
	SN_TSTAT_LIST_TCP_CORE(TSTAT_##X)

#define TCP_COMPLETE(X) \
	WHO(X) \
	SN_TSTAT_LIST_TCP_CORE(TSTAT_##X) \
	SN_TSTAT_LIST_RTT(TSTAT_##X, 0) \
	SN_TSTAT_LIST_P2P(TSTAT_##X, 0) \
	SN_TSTAT_LIST_OPTIONS(TSTAT_##X, 0) \
	LAYER7(X)

#define UDP_COMPLETE(X) \
	WHO(X) \
	SN_TSTAT_LIST_UDP_SIDE(TSTAT_##X, "c_", "client") \
	SN_TSTAT_LIST_UDP_SIDE(TSTAT_##X, "s_", "server") \
	X(TEXT, "fqdn", "fqdn", "", "name that the client had asked DNS for")

#define HTTP_COMPLETE(X) \
	WHO(X) \
	HTTP(X)

/* clang-format on */

SN_MONROE_TABLE(exp_tstat_tcp_complete, TCP_COMPLETE, "monroe_exp_tstat_tcp_complete",
		"TCP connections (MONROE)",
		"A TCP connection with a handshake, as Tstat metered it on a node.", "iccid",
		"s_bytes_all", "nodeid,iccid,s_ip,first,last,c_ip,c_port,s_port", "first",
		SN_MONROE_MILLIS, "");
SN_MONROE_TABLE(exp_tstat_tcp_nocomplete, TCP_NOCOMPLETE, "monroe_exp_tstat_tcp_nocomplete",
		"TCP attempts (MONROE)",
		"A TCP connection that was not opened or not seen to its end, as Tstat metered it "
		"on a node.",
		"iccid", "s_bytes_all", "nodeid,iccid,first,last,c_ip,c_port,s_ip,s_port", "first",
		SN_MONROE_MILLIS, "");
SN_MONROE_TABLE(exp_tstat_udp_complete, UDP_COMPLETE, "monroe_exp_tstat_udp_complete",
		"UDP flows (MONROE)", "A UDP flow, as Tstat metered it on a node.", "iccid",
		"s_bytes_all", "nodeid,iccid,c_first_abs,c_ip,c_port,s_ip,s_port", "c_first_abs",
		SN_MONROE_MILLIS, "");
SN_MONROE_TABLE(exp_tstat_http_complete, HTTP_COMPLETE, "monroe_exp_tstat_http_complete",
		"HTTP messages (MONROE)",
		"A request or response of HTTP, as Tstat metered it on a node.", "iccid", NULL,
		"nodeid,iccid,time_abs,c_ip,c_port,s_ip,s_port", "time_abs", SN_MONROE_SECONDS, "");
