/* SPDX-License-Identifier: Apache-2.0 */
/* Tstat's logs as datasets: its columns under its names, behind the common ones. */
#include "base/util.h"
#include "data/annotation.h"
#include "data/tstat/columns.h"
#include "data/tstat/lists.h"

#define TYPE_INTEGER SN_TYPE_I64
#define TYPE_FLAG    SN_TYPE_I64
#define TYPE_MS      SN_TYPE_F64
#define TYPE_SECONDS SN_TYPE_F64
#define TYPE_NUMBER  SN_TYPE_F64
#define TYPE_MILLI   SN_TYPE_F64
#define TYPE_GENERAL SN_TYPE_F64
#define TYPE_TEXT    SN_TYPE_TEXT

#define COLUMN(set_, type_, name_, unit_, help_) {name_, TYPE_##type_, unit_, help_},

/* Behind Tstat's own: what the hub says of the end points. */
#define ENDS                                                                                       \
	SN_ORIGIN_COLUMNS("c", "the client address"),                                              \
		SN_ORIGIN_COLUMNS("s", "the server address"), SN_ANNOTATION_COLUMN

static const struct sn_column tcp_complete[] = {SN_COMMON_COLUMNS, SN_TSTAT_LIST_TCP(COLUMN) ENDS};
static const struct sn_column tcp_nocomplete[] = {SN_COMMON_COLUMNS,
						  SN_TSTAT_LIST_TCP_CORE(COLUMN) ENDS};
static const struct sn_column udp_complete[] = {SN_COMMON_COLUMNS, SN_TSTAT_LIST_UDP(COLUMN) ENDS};
/* Both kinds of lines in one: a row without a method is a response. */
static const struct sn_column http_complete[] = {
	SN_COMMON_COLUMNS, SN_TSTAT_LIST_HTTP_ENDS(COLUMN) SN_TSTAT_LIST_HTTP_REQUEST(COLUMN)
				   SN_TSTAT_LIST_HTTP_RESPONSE(COLUMN) ENDS};
static const struct sn_column dns_complete[] = {SN_COMMON_COLUMNS,
						SN_TSTAT_LIST_DNS(COLUMN, "time_ms") ENDS};
static const struct sn_column video_complete[] = {SN_COMMON_COLUMNS,
						  SN_TSTAT_LIST_VIDEO(COLUMN) ENDS};
static const struct sn_column mm_complete[] = {SN_COMMON_COLUMNS, SN_TSTAT_LIST_MM(COLUMN) ENDS};
static const struct sn_column chat_complete[] = {SN_COMMON_COLUMNS,
						 SN_TSTAT_LIST_CHAT(COLUMN) ENDS};
/* These tell no addresses: `idflow` leads to them. */
static const struct sn_column chat_messages[] = {
	SN_COMMON_COLUMNS, SN_TSTAT_LIST_CHAT_MESSAGES(COLUMN) SN_ANNOTATION_COLUMN};
static const struct sn_column tcp_periodic[] = {SN_COMMON_COLUMNS,
						SN_TSTAT_LIST_TCP_PERIODIC(COLUMN) ENDS};
static const struct sn_column udp_periodic[] = {SN_COMMON_COLUMNS,
						SN_TSTAT_LIST_UDP_PERIODIC(COLUMN) ENDS};

/* Identifier, columns, and what people read. */
#define DATASET(name_, columns_, title_, help_, chart_)                                            \
	const struct sn_dataset sn_dataset_tstat_##name_ = {                                       \
		.name = "tstat_" #name_,                                                           \
		.version = 1,                                                                      \
		.title = (title_),                                                                 \
		.help = (help_),                                                                   \
		.columns = (columns_),                                                             \
		.column_count = SN_COUNT(columns_),                                                \
		.chart = (chart_),                                                                 \
	}

DATASET(tcp_complete, tcp_complete, "TCP connections (Tstat)",
	"A TCP connection with a handshake, as in Tstat's log_tcp_complete.", "s_bytes_all");
DATASET(tcp_nocomplete, tcp_nocomplete, "TCP attempts (Tstat)",
	"A TCP connection that was not opened or not seen to its end, as in Tstat's "
	"log_tcp_nocomplete.",
	"s_bytes_all");
DATASET(udp_complete, udp_complete, "UDP flows (Tstat)",
	"A UDP flow, as in Tstat's log_udp_complete.", "s_bytes_all");
DATASET(http_complete, http_complete, "HTTP messages (Tstat)",
	"A request or response of HTTP, as in Tstat's log_http_complete; responses have no method.",
	NULL);
DATASET(dns_complete, dns_complete, "DNS messages (Tstat)",
	"A question or a record of an answer, as in Tstat's log_dns_complete.", "pkt_size");
DATASET(video_complete, video_complete, "Video connections (Tstat)",
	"A TCP connection that carried video, as in Tstat's log_video_complete.", "s_bytes_all");
DATASET(mm_complete, mm_complete, "Media streams (Tstat)",
	"A stream of RTP or RTCP, as in Tstat's log_mm_complete.", "jitter_avg");
DATASET(chat_complete, chat_complete, "Chat connections (Tstat)",
	"A TCP connection of a chat, as in Tstat's log_chat_complete.", "s_bytes_uniq");
DATASET(chat_messages, chat_messages, "Chat messages (Tstat)",
	"A message of a chat, as in Tstat's log_chat_messages.", "paylen");
DATASET(tcp_periodic, tcp_periodic, "Periods of TCP connections (Tstat)",
	"A second or so of a TCP connection, as in Tstat's log_tcp_periodic.", "s_bytes_all");
DATASET(udp_periodic, udp_periodic, "Periods of UDP flows (Tstat)",
	"A second or so of a UDP flow, as in Tstat's log_udp_periodic.", "s_bytes_all");
