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
