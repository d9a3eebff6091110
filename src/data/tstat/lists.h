/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tstat/lists: the columns themselves, to be expanded with a macro
 * X(set, type, name, unit, help).  Only columns.c, data/catalog/tstat.c and
 * data/monroe/tstat.c include this.
 *
 * "c_" is the client, who sent the first packet (TCP: the SYN), "s_" the server.
 */
#ifndef SONDE_DATA_TSTAT_LISTS_H
#define SONDE_DATA_TSTAT_LISTS_H

/* clang-format off */

/* TCP ------------------------------------------------------------------- */

#define SN_TSTAT_LIST_COUNTERS(X, set, p, who) \
	X(set, INTEGER, p "pkts_all", "packets", "segments from the " who) \
	X(set, INTEGER, p "rst_cnt", "packets", "segments with RST from the " who) \
	X(set, INTEGER, p "ack_cnt", "packets", "segments with ACK from the " who) \
	X(set, INTEGER, p "ack_cnt_p", "packets", "segments with ACK and nothing else from the " who) \
	X(set, INTEGER, p "bytes_uniq", "B", "payload from the " who ", each byte counted once") \
	X(set, INTEGER, p "pkts_data", "packets", "segments with payload from the " who) \
	X(set, INTEGER, p "bytes_all", "B", "payload from the " who ", retransmissions included") \
	X(set, INTEGER, p "pkts_retx", "packets", "retransmitted segments of the " who) \
	X(set, INTEGER, p "bytes_retx", "B", "retransmitted payload of the " who) \
	X(set, INTEGER, p "pkts_ooo", "packets", "segments of the " who " that filled a hole") \
	X(set, INTEGER, p "syn_cnt", "packets", "segments with SYN from the " who) \
	X(set, INTEGER, p "fin_cnt", "packets", "segments with FIN from the " who)

#define SN_TSTAT_LIST_TCP_CORE(X) \
	X(0, TEXT, "c_ip", "", "client address") \
	X(0, INTEGER, "c_port", "1", "client port") \
	SN_TSTAT_LIST_COUNTERS(X, 0, "c_", "client") \
	X(0, TEXT, "s_ip", "", "server address") \
	X(0, INTEGER, "s_port", "1", "server port") \
	SN_TSTAT_LIST_COUNTERS(X, 0, "s_", "server") \
	X(0, MS, "first", "ms", "first segment, Unix time") \
	X(0, MS, "last", "ms", "last segment, Unix time") \
	X(0, MS, "durat", "ms", "last segment minus first") \
	X(0, MS, "c_first", "ms", "first payload of the client, after the first segment") \
	X(0, MS, "s_first", "ms", "first payload of the server, after the first segment") \
	X(0, MS, "c_last", "ms", "last payload of the client, after the first segment") \
	X(0, MS, "s_last", "ms", "last payload of the server, after the first segment") \
	X(0, MS, "c_first_ack", "ms", "first ACK without SYN of the client, after the first segment") \
	X(0, MS, "s_first_ack", "ms", "first ACK without SYN of the server, after the first segment") \
	X(0, FLAG, "c_isint", "1", "the client's address is internal") \
	X(0, FLAG, "s_isint", "1", "the server's address is internal") \
	X(0, FLAG, "c_iscrypto", "1", "the client's address is anonymised") \
	X(0, FLAG, "s_iscrypto", "1", "the server's address is anonymised") \
	X(0, INTEGER, "con_t", "1", "protocol of the connection, a bit mask: 1 HTTP, 8192 TLS, ...") \
	X(0, INTEGER, "p2p_t", "1", "code of the peer-to-peer protocol, 0 none") \
	X(0, INTEGER, "http_t", "1", "0 if not HTTP, else 1 + code of the content")

#define SN_TSTAT_LIST_RTT_SIDE(X, set, p, from, to) \
	X(set, MS, p "rtt_avg", "ms", "mean round trip from the meter to the " to " and back") \
	X(set, MS, p "rtt_min", "ms", "smallest round trip from the meter to the " to " and back") \
	X(set, MS, p "rtt_max", "ms", "largest round trip from the meter to the " to " and back") \
	X(set, MS, p "rtt_std", "ms", "standard deviation of that round trip") \
	X(set, INTEGER, p "rtt_cnt", "1", "samples of that round trip: segments of the " from) \
	X(set, INTEGER, p "ttl_min", "1", "smallest TTL or hop limit of the " from) \
	X(set, INTEGER, p "ttl_max", "1", "largest TTL or hop limit of the " from)
#define SN_TSTAT_LIST_RTT(X, set) \
	SN_TSTAT_LIST_RTT_SIDE(X, set, "c_", "client", "server") \
	SN_TSTAT_LIST_RTT_SIDE(X, set, "s_", "server", "client")

#define SN_TSTAT_LIST_P2P(X, set) \
	X(set, INTEGER, "p2p_st", "1", "kind of peer-to-peer message") \
	X(set, INTEGER, "ed2k_data", "1", "eDonkey data messages") \
	X(set, INTEGER, "ed2k_sig", "1", "eDonkey signalling messages") \
	X(set, INTEGER, "ed2k_c2s", "1", "eDonkey messages between client and server") \
	X(set, INTEGER, "ed2k_c2c", "1", "eDonkey messages between clients") \
	X(set, INTEGER, "ed2k_chat", "1", "eDonkey chat messages")

#define SN_TSTAT_LIST_OPTIONS_SIDE(X, set, p, who) \
	X(set, FLAG, p "f1323_opt", "1", "the " who " offered a window scale (RFC 7323)") \
	X(set, FLAG, p "tm_opt", "1", "the " who " sent time stamps (RFC 7323)") \
	X(set, INTEGER, p "win_scl", "1", "window shift of the " who ", 0 if not both announced one") \
	X(set, FLAG, p "sack_opt", "1", "the " who " permitted SACK (RFC 2018)") \
	X(set, INTEGER, p "sack_cnt", "packets", "segments with SACK from the " who) \
	X(set, INTEGER, p "mss", "B", "maximum segment size that the " who " announced") \
	X(set, INTEGER, p "mss_max", "B", "largest payload in a segment of the " who) \
	X(set, INTEGER, p "mss_min", "B", "smallest payload in a segment of the " who) \
	X(set, INTEGER, p "win_max", "B", "largest window of the " who ", after scaling") \
	X(set, INTEGER, p "win_min", "B", "smallest window of the " who " but 0, after scaling") \
	X(set, INTEGER, p "win_0", "packets", "segments of the " who " that closed the window") \
	X(set, INTEGER, p "cwin_max", "B", "most bytes of the " who " in flight") \
	X(set, INTEGER, p "cwin_min", "B", "fewest bytes of the " who " in flight") \
	X(set, INTEGER, p "cwin_ini", "B", "payload of the " who " before the first ACK of data") \
	X(set, INTEGER, p "pkts_rto", "packets", "retransmissions of the " who " by timeout") \
	X(set, INTEGER, p "pkts_fs", "packets", "fast retransmissions of the " who) \
	X(set, INTEGER, p "pkts_reor", "packets", "segments of the " who " that the network reordered") \
	X(set, INTEGER, p "pkts_dup", "packets", "segments of the " who " that the network doubled") \
	X(set, INTEGER, p "pkts_unk", "packets", "other anomalous segments of the " who) \
	X(set, INTEGER, p "pkts_fc", "packets", "window probes of the " who) \
	X(set, INTEGER, p "pkts_unrto", "packets", "unnecessary retransmissions of the " who " by timeout") \
	X(set, INTEGER, p "pkts_unfs", "packets", "unnecessary fast retransmissions of the " who) \
	X(set, FLAG, p "syn_retx", "1", "the " who " repeated a SYN or FIN at another position")
#define SN_TSTAT_LIST_OPTIONS(X, set) \
	SN_TSTAT_LIST_OPTIONS_SIDE(X, set, "c_", "client") \
	SN_TSTAT_LIST_OPTIONS_SIDE(X, set, "s_", "server")

#define SN_TSTAT_LIST_LAYER7(X, set) \
	X(set, INTEGER, "http_req_cnt", "1", "segments of the client that begin with an HTTP request") \
	X(set, INTEGER, "http_res_cnt", "1", "segments of the server that begin with an HTTP response") \
	X(set, TEXT, "http_res", "", "first HTTP status") \
	X(set, INTEGER, "c_pkts_push", "1", "messages of the client, ended by PSH or FIN") \
	X(set, INTEGER, "s_pkts_push", "1", "messages of the server, ended by PSH or FIN") \
	X(set, TEXT, "c_tls_SNI", "", "server name in the Client Hello") \
	X(set, TEXT, "s_tls_SCN", "", "common name in the server's certificate") \
	X(set, INTEGER, "c_npnalpn", "1", "NPN and ALPN of the client, a bit mask") \
	X(set, INTEGER, "s_npnalpn", "1", "NPN and ALPN of the server, a bit mask") \
	X(set, INTEGER, "tls_session_stat", "1", "resumption of the TLS session, a bit mask") \
	X(set, MS, "c_last_handshakeT", "ms", "last handshake payload of the client, after the first segment") \
	X(set, MS, "s_last_handshakeT", "ms", "last handshake payload of the server, after the first segment") \
	X(set, MS, "c_appdataT", "ms", "first application data of the client, after the first segment") \
	X(set, MS, "s_appdataT", "ms", "first application data of the server, after the first segment") \
	X(set, INTEGER, "c_appdataB", "B", "place of that in the client's stream, 1 the first byte") \
	X(set, INTEGER, "s_appdataB", "B", "place of that in the server's stream, 1 the first byte") \
	X(set, TEXT, "fqdn", "", "name that the client had asked DNS for") \
	X(set, TEXT, "dns_rslv", "", "address of the DNS server that answered") \
	X(set, MS, "req_tm", "ms", "when the client asked DNS, Unix time") \
	X(set, MS, "res_tm", "ms", "when DNS answered, Unix time") \
	X(set, TEXT, "http_hostname", "", "first Host of the connection") \
	X(set, TEXT, "c_TLSvers", "", "TLS versions of the client, in hexadecimal digits") \
	X(set, TEXT, "s_TLSvers", "", "TLS version that the server chose, in hexadecimal digits") \
	X(set, FLAG, "dns_enc", "1", "dns_rslv is anonymised")

#define SN_TSTAT_LIST_TCP(X) \
	SN_TSTAT_LIST_TCP_CORE(X) \
	SN_TSTAT_LIST_RTT(X, SN_TSTAT_END_TO_END) \
	SN_TSTAT_LIST_P2P(X, SN_TSTAT_P2P) \
	SN_TSTAT_LIST_OPTIONS(X, SN_TSTAT_OPTIONS) \
	SN_TSTAT_LIST_LAYER7(X, SN_TSTAT_LAYER7)

/* Video ----------------------------------------------------------------- */

#define SN_TSTAT_LIST_RATE_SIDE(X, set, p, who) \
	X(set, INTEGER, p "rate_smpl", "1", "samples of the rate of the " who) \
	X(set, INTEGER, p "rate_zero", "1", "samples without a byte of the " who) \
	X(set, INTEGER, p "rate_streak", "1", "longest run of such samples") \
	X(set, MILLI, p "rate_avg", "kbit/s", "mean rate of the " who) \
	X(set, MILLI, p "rate_std", "kbit/s", "standard deviation of that rate") \
	X(set, MILLI, p "rate_min", "kbit/s", "smallest rate of the " who " but 0") \
	X(set, MILLI, p "rate_max", "kbit/s", "largest rate of the " who)
#define SN_TSTAT_LIST_TEN(X, set, p, unit, help) \
	X(set, INTEGER, p "1", unit, "first " help) \
	X(set, INTEGER, p "2", unit, "second " help) \
	X(set, INTEGER, p "3", unit, "third " help) \
	X(set, INTEGER, p "4", unit, "fourth " help) \
	X(set, INTEGER, p "5", unit, "fifth " help) \
	X(set, INTEGER, p "6", unit, "sixth " help) \
	X(set, INTEGER, p "7", unit, "seventh " help) \
	X(set, INTEGER, p "8", unit, "eighth " help) \
	X(set, INTEGER, p "9", unit, "ninth " help) \
	X(set, INTEGER, p "10", unit, "tenth " help)

#define SN_TSTAT_LIST_VIDEO(X) \
	SN_TSTAT_LIST_TCP_CORE(X) \
	SN_TSTAT_LIST_RTT(X, SN_TSTAT_VIDEO_END_TO_END) \
	X(0, INTEGER, "vd_type_cont", "1", "container by the header of the content, 0 none") \
	X(0, INTEGER, "vd_type_pay", "1", "container by the content, 0 none") \
	X(0, TEXT, "yt_id16_46", "", "long identifier of the video") \
	X(0, TEXT, "yt_itag", "", "format of the video") \
	X(SN_TSTAT_VIDEO_INFO, SECONDS, "vd_dur", "s", "duration in the video's header") \
	X(SN_TSTAT_VIDEO_INFO, NUMBER, "vd_rate_tot", "kbit/s", "rate in the video's header") \
	X(SN_TSTAT_VIDEO_INFO, INTEGER, "vd_width", "1", "width in pixels") \
	X(SN_TSTAT_VIDEO_INFO, INTEGER, "vd_height", "1", "height in pixels") \
	X(SN_TSTAT_VIDEO_YOUTUBE, TEXT, "yt_id11", "", "short identifier of the video") \
	X(SN_TSTAT_VIDEO_YOUTUBE, INTEGER, "yt_seek", "ms", "where playing began") \
	X(SN_TSTAT_VIDEO_YOUTUBE, INTEGER, "yt_red_mode", "1", "redirection mode") \
	X(SN_TSTAT_VIDEO_YOUTUBE, INTEGER, "yt_red_cnt", "1", "redirections") \
	X(SN_TSTAT_VIDEO_YOUTUBE, INTEGER, "yt_mobile", "1", "kind of mobile device, 0 none") \
	X(SN_TSTAT_VIDEO_YOUTUBE, INTEGER, "yt_stream", "1", "kind of streaming") \
	SN_TSTAT_LIST_RATE_SIDE(X, SN_TSTAT_VIDEO_ADVANCED, "c_", "client") \
	SN_TSTAT_LIST_RATE_SIDE(X, SN_TSTAT_VIDEO_ADVANCED, "s_", "server") \
	SN_TSTAT_LIST_TEN(X, SN_TSTAT_VIDEO_ADVANCED, "c_rate", "B", "second: bytes of the client") \
	SN_TSTAT_LIST_TEN(X, SN_TSTAT_VIDEO_ADVANCED, "s_rate", "B", "second: bytes of the server") \
	X(SN_TSTAT_VIDEO_ADVANCED, INTEGER, "s_msg", "1", "messages of the server") \
	SN_TSTAT_LIST_TEN(X, SN_TSTAT_VIDEO_ADVANCED, "s_msgsize", "B", "message of the server: bytes") \
	SN_TSTAT_LIST_OPTIONS(X, SN_TSTAT_VIDEO_OPTIONS) \
	SN_TSTAT_LIST_LAYER7(X, SN_TSTAT_VIDEO_LAYER7)

/* UDP ------------------------------------------------------------------- */

#define SN_TSTAT_LIST_UDP_SIDE(X, p, who) \
	X(0, TEXT, p "ip", "", who " address") \
	X(0, INTEGER, p "port", "1", who " port") \
	X(0, MS, p "first_abs", "ms", "first datagram of the " who ", Unix time; 0 if none") \
	X(0, SECONDS, p "durat", "s", "last datagram of the " who " minus first") \
	X(0, INTEGER, p "bytes_all", "B", "payload of the " who) \
	X(0, INTEGER, p "pkts_all", "packets", "datagrams of the " who) \
	X(0, FLAG, p "isint", "1", "the address of the " who " is internal") \
	X(0, FLAG, p "iscrypto", "1", "the address of the " who " is anonymised") \
	X(0, INTEGER, p "type", "1", "code of the protocol that the " who " speaks, 0 unknown")

#define SN_TSTAT_LIST_UDP(X) \
	SN_TSTAT_LIST_UDP_SIDE(X, "c_", "client") \
	SN_TSTAT_LIST_UDP_SIDE(X, "s_", "server") \
	X(0, TEXT, "fqdn", "", "name that the client had asked DNS for") \
	X(0, TEXT, "quic_SNI", "", "server name in the Client Hello of QUIC") \
	X(0, TEXT, "quic_UA", "", "user agent in the transport parameters of QUIC") \
	X(0, TEXT, "quic_c_vers", "", "QUIC version of the client") \
	X(0, TEXT, "quic_s_vers", "", "QUIC version of the server") \
	X(0, INTEGER, "quic_zero_rtt", "packets", "0-RTT packets of QUIC") \
	X(0, INTEGER, "quic_ech", "B", "length of the extension for an encrypted Client Hello, 0 none")

#define SN_TSTAT_LIST_MM(X) \
	X(0, TEXT, "a_proto", "", "R: RTP, T: RTCP") \
	X(0, TEXT, "direction", "", "C: sent by the client, S: by the server") \
	X(0, INTEGER, "c_proto", "1", "code of the protocol that the client speaks") \
	X(0, TEXT, "c_ip", "", "client address") \
	X(0, INTEGER, "c_port", "1", "client port") \
	X(0, FLAG, "c_internal", "1", "the client's address is internal") \
	X(0, FLAG, "c_iscrypto", "1", "the client's address is anonymised") \
	X(0, INTEGER, "c_mux_prot", "1", "protocols on the client's port, a bit mask") \
	X(0, INTEGER, "s_proto", "1", "code of the protocol that the server speaks") \
	X(0, TEXT, "s_ip", "", "server address") \
	X(0, INTEGER, "s_port", "1", "server port") \
	X(0, FLAG, "s_internal", "1", "the server's address is internal") \
	X(0, FLAG, "s_iscrypto", "1", "the server's address is anonymised") \
	X(0, INTEGER, "s_mux_prot", "1", "protocols on the server's port, a bit mask") \
	X(0, INTEGER, "packets", "packets", "packets of the stream") \
	X(0, GENERAL, "ipg", "ms", "mean gap between two packets") \
	X(0, GENERAL, "jitter_avg", "ms", "mean interarrival jitter (RFC 3550)") \
	X(0, GENERAL, "jitter_max", "ms", "largest interarrival jitter") \
	X(0, GENERAL, "jitter_min", "ms", "smallest interarrival jitter") \
	X(0, GENERAL, "ttl_avg", "1", "mean TTL or hop limit") \
	X(0, INTEGER, "ttl_max", "1", "largest TTL or hop limit") \
	X(0, INTEGER, "ttl_min", "1", "smallest TTL or hop limit") \
	X(0, SECONDS, "starttime", "s", "first packet, Unix time") \
	X(0, SECONDS, "duration", "s", "last packet minus first") \
	X(0, INTEGER, "databytes", "B", "payload of the stream") \
	X(0, GENERAL, "speed", "bit/s", "mean rate of the payload") \
	X(0, TEXT, "SSRC", "", "synchronisation source, hexadecimal") \
	X(0, INTEGER, "losses", "packets", "packets lost before the meter") \
	X(0, INTEGER, "oos", "packets", "packets out of sequence") \
	X(0, INTEGER, "dup", "packets", "packets seen twice") \
	X(0, INTEGER, "late", "packets", "packets that came too late") \
	X(0, TEXT, "pt_id", "", "payload types, separated by commas") \
	X(0, TEXT, "pt_counters", "", "packets of each payload type, separated by commas") \
	X(0, INTEGER, "bogus", "packets", "packets that fit nothing") \
	X(0, INTEGER, "rtcp_losses", "packets", "packets lost, by the reports of the receiver") \
	X(0, GENERAL, "rtcp_fraclost", "1", "mean share of packets lost, by the reports of the receiver") \
	X(0, INTEGER, "rtcp_lenpack", "packets", "packets sent, by the reports of the sender") \
	X(0, INTEGER, "rtcp_lenbytes", "B", "payload sent, by the reports of the sender") \
	X(0, GENERAL, "rtt_avg", "ms", "mean round trip, by the reports") \
	X(0, GENERAL, "rtt_max", "ms", "largest round trip, by the reports") \
	X(0, GENERAL, "rtt_min", "ms", "smallest round trip, by the reports") \
	X(0, INTEGER, "rtt_samples", "1", "samples of that round trip") \
	X(0, INTEGER, "rtcp_trunc", "packets", "RTCP packets that were cut short") \
	X(0, INTEGER, "rtp_max_payload", "B", "largest payload of a packet") \
	X(0, INTEGER, "rtp_min_payload", "B", "smallest payload of a packet") \
	X(0, NUMBER, "rtp_avg_payload", "B", "mean payload of a packet") \
	X(0, NUMBER, "rtp_stdev_payload", "B", "standard deviation of the payload") \
	X(0, GENERAL, "jitter8k_avg", "ms", "mean jitter for a clock of 8 kHz") \
	X(0, GENERAL, "jitter8k_max", "ms", "largest jitter for a clock of 8 kHz") \
	X(0, GENERAL, "jitter8k_min", "ms", "smallest jitter for a clock of 8 kHz") \
	X(0, GENERAL, "jitter90k_avg", "ms", "mean jitter for a clock of 90 kHz") \
	X(0, GENERAL, "jitter90k_max", "ms", "largest jitter for a clock of 90 kHz") \
	X(0, GENERAL, "jitter90k_min", "ms", "smallest jitter for a clock of 90 kHz")

/* Messages -------------------------------------------------------------- */

#define SN_TSTAT_LIST_HTTP_ENDS(X) \
	X(0, TEXT, "c_ip", "", "client address") \
	X(0, INTEGER, "c_port", "1", "client port") \
	X(0, TEXT, "s_ip", "", "server address") \
	X(0, INTEGER, "s_port", "1", "server port") \
	X(0, SECONDS, "time_abs", "s", "when the message began, Unix time")
#define SN_TSTAT_LIST_HTTP_REQUEST(X) \
	X(0, TEXT, "method", "", "method of the request") \
	X(0, TEXT, "hostname", "", "Host of the request") \
	X(0, TEXT, "fqdn", "", "name that the client had asked DNS for") \
	X(0, TEXT, "path", "", "what was asked for") \
	X(0, TEXT, "referer", "", "Referer of the request") \
	X(0, TEXT, "user_agent", "", "User-Agent of the request") \
	X(0, TEXT, "cookie", "", "Cookie of the request") \
	X(0, TEXT, "dnt", "", "DNT of the request")
#define SN_TSTAT_LIST_HTTP_RESPONSE(X) \
	X(0, TEXT, "response", "", "status of the response") \
	X(0, TEXT, "content_len", "B", "Content-Length of the response") \
	X(0, TEXT, "content_type", "", "Content-Type of the response") \
	X(0, TEXT, "server", "", "Server of the response") \
	X(0, TEXT, "range", "", "Content-Range of the response") \
	X(0, TEXT, "location", "", "Location of the response") \
	X(0, TEXT, "set_cookie", "", "Set-Cookie of the response")

/* `time`: its name; in the dataset a common column has it already. */
#define SN_TSTAT_LIST_DNS(X, time) \
	X(0, TEXT, "c_ip", "", "client address: who asks") \
	X(0, INTEGER, "c_port", "1", "client port") \
	X(0, FLAG, "c_isint", "1", "the client's address is internal") \
	X(0, FLAG, "c_iscrypto", "1", "the client's address is anonymised") \
	X(0, TEXT, "s_ip", "", "server address: who answers") \
	X(0, INTEGER, "s_port", "1", "server port") \
	X(0, FLAG, "s_isint", "1", "the server's address is internal") \
	X(0, FLAG, "s_iscrypto", "1", "the server's address is anonymised") \
	X(0, MS, time, "ms", "of the message, Unix time") \
	X(0, TEXT, "entry", "", "REQ: a question, RESP: a record, RESP_ERR: an error") \
	X(0, TEXT, "trans_id", "", "number of the transaction, hexadecimal") \
	X(0, TEXT, "query", "", "name that was asked for, or that the record belongs to") \
	X(0, TEXT, "ttl", "s", "how long the record may be kept") \
	X(0, TEXT, "class", "", "class of the record") \
	X(0, TEXT, "type", "", "type of the record") \
	X(0, TEXT, "answer", "", "data of the record, or the error") \
	X(0, TEXT, "flags", "", "CD, AD, RA, RD, TC, AA from the lowest bit, hexadecimal") \
	X(0, INTEGER, "qdcount", "1", "questions in the message") \
	X(0, INTEGER, "ancount", "1", "answers in the message") \
	X(0, INTEGER, "nscount", "1", "authority records in the message") \
	X(0, INTEGER, "arcount", "1", "additional records in the message") \
	X(0, INTEGER, "pkt_size", "B", "size of the message")

/* Periodic -------------------------------------------------------------- */

#define SN_TSTAT_LIST_BIN(X) \
	X(0, MS, "time_abs_start", "ms", "first packet of the period, Unix time") \
	X(0, MS, "time_rel_start", "ms", "first packet of the period, after the first of the flow") \
	X(0, MS, "time_rel_end", "ms", "last packet of the period, after the first of the flow") \
	X(0, MS, "bin_duration", "ms", "last packet of the period minus first")

#define SN_TSTAT_LIST_TCP_PERIODIC(X) \
	X(0, TEXT, "c_ip", "", "client address") \
	X(0, INTEGER, "c_port", "1", "client port") \
	X(0, TEXT, "s_ip", "", "server address") \
	X(0, INTEGER, "s_port", "1", "server port") \
	SN_TSTAT_LIST_BIN(X) \
	SN_TSTAT_LIST_COUNTERS(X, 0, "c_", "client") \
	SN_TSTAT_LIST_COUNTERS(X, 0, "s_", "server") \
	X(0, MS, "c_rtt_avg", "ms", "mean round trip from the meter to the server and back") \
	X(0, INTEGER, "c_rtt_cnt", "1", "samples of that round trip") \
	X(0, MS, "s_rtt_avg", "ms", "mean round trip from the meter to the client and back") \
	X(0, INTEGER, "s_rtt_cnt", "1", "samples of that round trip") \
	X(0, INTEGER, "c_cwin_min", "B", "fewest bytes of the client in flight") \
	X(0, INTEGER, "c_cwin_max", "B", "most bytes of the client in flight") \
	X(0, INTEGER, "s_cwin_min", "B", "fewest bytes of the server in flight") \
	X(0, INTEGER, "s_cwin_max", "B", "most bytes of the server in flight") \
	X(0, INTEGER, "c_sack_cnt", "packets", "segments with SACK from the client") \
	X(0, INTEGER, "s_sack_cnt", "packets", "segments with SACK from the server") \
	X(0, FLAG, "c_isint", "1", "the client's address is internal") \
	X(0, FLAG, "s_isint", "1", "the server's address is internal") \
	X(0, FLAG, "c_iscrypto", "1", "the client's address is anonymised") \
	X(0, FLAG, "s_iscrypto", "1", "the server's address is anonymised")

#define SN_TSTAT_LIST_UDP_PERIODIC(X) \
	X(0, TEXT, "c_ip", "", "client address") \
	X(0, INTEGER, "c_port", "1", "client port") \
	X(0, FLAG, "c_isint", "1", "the client's address is internal") \
	X(0, FLAG, "c_iscrypto", "1", "the client's address is anonymised") \
	X(0, TEXT, "s_ip", "", "server address") \
	X(0, INTEGER, "s_port", "1", "server port") \
	X(0, FLAG, "s_isint", "1", "the server's address is internal") \
	X(0, FLAG, "s_iscrypto", "1", "the server's address is anonymised") \
	SN_TSTAT_LIST_BIN(X) \
	X(0, INTEGER, "c_pkts_all", "packets", "datagrams of the client") \
	X(0, INTEGER, "c_bytes_all", "B", "payload of the client") \
	X(0, INTEGER, "s_pkts_all", "packets", "datagrams of the server") \
	X(0, INTEGER, "s_bytes_all", "B", "payload of the server")

/* Chat ------------------------------------------------------------------ */

#define SN_TSTAT_LIST_CHAT_SIDE(X, p, who) \
	X(0, TEXT, p "ip", "", who " address") \
	X(0, INTEGER, p "port", "1", who " port") \
	X(0, INTEGER, p "bytes_uniq", "B", "payload of the " who ", each byte counted once") \
	X(0, INTEGER, p "pkts_all", "packets", "segments from the " who) \
	X(0, INTEGER, p "msn", "1", "MSN messages of the " who) \
	X(0, INTEGER, p "msn_a", "1", "MSN messages of type A of the " who) \
	X(0, INTEGER, p "msn_d", "1", "MSN messages of type D of the " who) \
	X(0, INTEGER, p "msn_n", "1", "MSN messages of type N of the " who) \
	X(0, INTEGER, p "msn_u", "1", "MSN messages of type U of the " who) \
	X(0, INTEGER, p "msn_y", "1", "MSN messages of type Y of the " who)
#define SN_TSTAT_LIST_CHAT(X) \
	SN_TSTAT_LIST_CHAT_SIDE(X, "c_", "client") \
	SN_TSTAT_LIST_CHAT_SIDE(X, "s_", "server") \
	X(0, SECONDS, "first_tm", "s", "first segment, Unix time") \
	X(0, MILLI, "durat", "s", "last segment minus first") \
	X(0, INTEGER, "type", "1", "1: chat, 2: presence") \
	X(0, TEXT, "ver", "", "version of the protocol") \
	X(0, FLAG, "c_isint", "1", "the client's address is internal") \
	X(0, INTEGER, "flowid", "1", "number of the record") \
	X(0, TEXT, "T", "", "always T") \
	X(0, INTEGER, "con_t", "1", "protocol of the connection, a bit mask") \
	X(0, FLAG, "c_iscrypto", "1", "the client's address is anonymised") \
	X(0, FLAG, "s_iscrypto", "1", "the server's address is anonymised")
#define SN_TSTAT_LIST_CHAT_MESSAGES(X) \
	X(0, INTEGER, "idflow", "1", "number of the record in log_chat_complete") \
	X(0, INTEGER, "type", "1", "kind of message") \
	X(0, TEXT, "dir", "", "who sent it") \
	X(0, INTEGER, "paylen", "B", "its payload") \
	X(0, SECONDS, "first_tm", "s", "when it was sent, Unix time") \
	X(0, MILLI, "durat", "s", "since the message before") \
	X(0, INTEGER, "con_t", "1", "protocol of the connection, a bit mask")

/* clang-format on */

#endif
