/* SPDX-License-Identifier: Apache-2.0 */
#include "data/tstat/columns.h"

#include <string.h>

#include "base/util.h"
#include "data/tstat/lists.h"

#define COLUMN(set_, type_, name_, unit_, help_)                                                   \
	{.name = (name_),                                                                          \
	 .type = SN_TSTAT_TYPE_##type_,                                                            \
	 .unit = (unit_),                                                                          \
	 .set = (set_),                                                                            \
	 .help = (help_)},
#define TABLE(variable, list) static const struct sn_tstat_column variable[] = {list(COLUMN)};
#define ONE(...)              +1

/* In log_http_complete the sixth field of a response is the word HTTP. */
#define HTTP_REQUESTS(X) SN_TSTAT_LIST_HTTP_ENDS(X) SN_TSTAT_LIST_HTTP_REQUEST(X)
#define HTTP_RESPONSES(X)                                                                          \
	SN_TSTAT_LIST_HTTP_ENDS(X)                                                                 \
	X(0, TEXT, "HTTP", "", "the word HTTP") SN_TSTAT_LIST_HTTP_RESPONSE(X)

#define DNS(X) SN_TSTAT_LIST_DNS(X, "time")

TABLE(tcp, SN_TSTAT_LIST_TCP)
TABLE(udp, SN_TSTAT_LIST_UDP)
TABLE(mm, SN_TSTAT_LIST_MM)
TABLE(chat, SN_TSTAT_LIST_CHAT)
TABLE(chat_messages, SN_TSTAT_LIST_CHAT_MESSAGES)
TABLE(video, SN_TSTAT_LIST_VIDEO)
TABLE(http_requests, HTTP_REQUESTS)
TABLE(http_responses, HTTP_RESPONSES)
TABLE(dns, DNS)
TABLE(tcp_periodic, SN_TSTAT_LIST_TCP_PERIODIC)
TABLE(udp_periodic, SN_TSTAT_LIST_UDP_PERIODIC)

#define LOG(name_, columns_)                                                                       \
	.name = (name_), .columns = (columns_), .count = SN_COUNT(columns_), .separator = ' '

const struct sn_tstat_table sn_tstat_tables[SN_TSTAT_LOGS] = {
	[SN_TSTAT_TCP_COMPLETE] = {LOG("log_tcp_complete", tcp), .level = true,
				   .dataset = &sn_dataset_tstat_tcp_complete},
	[SN_TSTAT_TCP_NOCOMPLETE] = {.name = "log_tcp_nocomplete",
				     .columns = tcp,
				     .count = SN_TSTAT_LIST_TCP_CORE(ONE),
				     .separator = ' ',
				     .level = true,
				     .dataset = &sn_dataset_tstat_tcp_nocomplete},
	[SN_TSTAT_UDP_COMPLETE] = {LOG("log_udp_complete", udp),
				   .dataset = &sn_dataset_tstat_udp_complete},
	[SN_TSTAT_MM_COMPLETE] = {LOG("log_mm_complete", mm),
				  .dataset = &sn_dataset_tstat_mm_complete},
	[SN_TSTAT_SKYPE_COMPLETE] = {.name = "log_skype_complete", .separator = ' '},
	[SN_TSTAT_CHAT_COMPLETE] = {LOG("log_chat_complete", chat),
				    .dataset = &sn_dataset_tstat_chat_complete},
	[SN_TSTAT_CHAT_MESSAGES] = {LOG("log_chat_messages", chat_messages),
				    .dataset = &sn_dataset_tstat_chat_messages},
	[SN_TSTAT_VIDEO_COMPLETE] = {LOG("log_video_complete", video), .level = true,
				     .dataset = &sn_dataset_tstat_video_complete},
	[SN_TSTAT_HTTP_COMPLETE] = {.name = "log_http_complete",
				    .columns = http_requests,
				    .count = SN_COUNT(http_requests),
				    .separator = '\t',
				    .mark = 'C',
				    .dataset = &sn_dataset_tstat_http_complete},
	[SN_TSTAT_DNS_COMPLETE] = {LOG("log_dns_complete", dns),
				   .dataset = &sn_dataset_tstat_dns_complete},
	[SN_TSTAT_TCP_PERIODIC] = {LOG("log_tcp_periodic", tcp_periodic),
				   .dataset = &sn_dataset_tstat_tcp_periodic},
	[SN_TSTAT_UDP_PERIODIC] = {LOG("log_udp_periodic", udp_periodic),
				   .dataset = &sn_dataset_tstat_udp_periodic},
};

const struct sn_tstat_table sn_tstat_http_responses = {
	.columns = http_responses,
	.count = SN_COUNT(http_responses),
	.separator = '\t',
	.mark = 'S',
	.dataset = &sn_dataset_tstat_http_complete,
};

void sn_tstat_write_header(struct sn_buf *out, const struct sn_tstat_table *table, uint8_t level)
{
	char before = 0;
	uint64_t number = 1;

	if (table->count == 0)
		return;
	sn_buf_addc(out, '#');
	if (table->level)
		sn_buf_addf(out, "%02u#", level);
	else if (table->mark != 0)
		sn_buf_addf(out, "%c#", table->mark);
	for (size_t i = 0; i < table->count; i++) {
		if (!sn_tstat_in_level(&table->columns[i], level))
			continue;
		if (before != 0)
			sn_buf_addc(out, before);
		sn_buf_adds(out, table->columns[i].name);
		sn_buf_addc(out, ':');
		sn_buf_add_u64(out, number++);
		before = table->separator;
	}
	sn_buf_addc(out, '\n');
	if (table == &sn_tstat_tables[SN_TSTAT_HTTP_COMPLETE])
		sn_tstat_write_header(out, &sn_tstat_http_responses, level);
}

int sn_tstat_position(const struct sn_tstat_table *table, size_t i)
{
	const size_t ends = SN_TSTAT_LIST_HTTP_ENDS(ONE);

	if (table->dataset == NULL)
		return -1;
	if (table != &sn_tstat_http_responses || i < ends)
		return (int)(SN_COL_COMMON + i);
	/* Behind the columns of requests; the word HTTP is no column. */
	return i == ends ? -1 : (int)(SN_COL_COMMON + SN_COUNT(http_requests) + i - ends - 1);
}

int sn_tstat_column(const struct sn_tstat_table *table, struct sn_str name)
{
	for (size_t i = 0; i < table->count; i++)
		if (sn_str_eqc(name, table->columns[i].name))
			return (int)i;
	return -1;
}
