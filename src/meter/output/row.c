/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/row.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "meter/log/record.h"

#define COLUMNS(X)                                                                                 \
	X(c_ip)                                                                                    \
	X(c_port)                                                                                  \
	X(s_ip)                                                                                    \
	X(s_port)                                                                                  \
	X(protocol)                                                                                \
	X(interface)                                                                               \
	X(last_time)                                                                               \
	X(duration_seconds)                                                                        \
	X(c_packets)                                                                               \
	X(s_packets)                                                                               \
	X(c_bytes)                                                                                 \
	X(s_bytes)                                                                                 \
	X(c_payload_bytes)                                                                         \
	X(s_payload_bytes)                                                                         \
	X(handshake_rtt_seconds)                                                                   \
	X(s_handshake_rtt_seconds)                                                                 \
	X(c_handshake_rtt_seconds)                                                                 \
	X(tcp_flags)                                                                               \
	X(state)                                                                                   \
	X(end)                                                                                     \
	X(application)                                                                             \
	X(server_name)                                                                             \
	X(fqdn)                                                                                    \
	X(community_id)                                                                            \
	X(c_asn)                                                                                   \
	X(s_asn)                                                                                   \
	X(c_country)                                                                               \
	X(s_country)                                                                               \
	X(c_retransmitted_packets)                                                                 \
	X(s_retransmitted_packets)                                                                 \
	X(c_out_of_order_packets)                                                                  \
	X(s_out_of_order_packets)                                                                  \
	X(c_rtt_avg_seconds)                                                                       \
	X(c_rtt_min_seconds)                                                                       \
	X(c_rtt_max_seconds)                                                                       \
	X(s_rtt_avg_seconds)                                                                       \
	X(s_rtt_min_seconds)                                                                       \
	X(s_rtt_max_seconds)                                                                       \
	X(retransmitted_ratio)                                                                     \
	X(mid_stream)

enum {
#define ENUM(name) COL_##name,
	COLUMNS(ENUM)
#undef ENUM
		COL_COUNT
};

/* Positions in the declaration, found by name once: the declaration may grow and move. */
static int at[COL_COUNT];

static void find_positions(void)
{
	static const char *const names[] = {
#define NAME(name) #name,
		COLUMNS(NAME)
#undef NAME
	};

	for (size_t i = 0; i < COL_COUNT; i++) {
		at[i] = sn_dataset_column(&sn_dataset_flow, names[i]);
		assert(at[i] >= 0);
	}
}

/* Words of rows, with their lengths. */
#define WORD(text)                                                                                 \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}

static const struct sn_str end_names[] = {
	[SN_END_CLOSED] = WORD("closed"), [SN_END_IDLE] = WORD("idle"),
	[SN_END_ACTIVE] = WORD("active"), [SN_END_FULL] = WORD("full"),
	[SN_END_END] = WORD("end"),
};

const char *sn_flow_end_name(enum sn_flow_end end)
{
	return end_names[end].p;
}

static struct sn_str protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case SN_PROTO_TCP:
		return SN_STR("tcp");
	case SN_PROTO_UDP:
		return SN_STR("udp");
	case SN_PROTO_ICMP:
		return SN_STR("icmp");
	default:
		return SN_STR("icmp6");
	}
}

const char *sn_flow_protocol_name(uint8_t protocol)
{
	return protocol_name(protocol).p;
}

/* Cells ------------------------------------------------------------------- */

#define SET(cells, column, kind_, member_, value_)                                                 \
	((cells)[at[COL_##column]] = (struct sn_cell){.kind = SN_CELL_##kind_, .member_ = (value_)})

/* A text that is not there is no value. */
static void set_text(struct sn_cell *cell, struct sn_str text)
{
	if (text.n > 0)
		*cell = (struct sn_cell){.kind = SN_CELL_TEXT, .s = text};
}

/* SYN and FIN may be sent again, too: the share is of what there was to send again. */
static void set_ratio(struct sn_cell *cell, uint32_t part, uint32_t whole)
{
	if (whole > 0)
		*cell = (struct sn_cell){.kind = SN_CELL_FIXED, .f = (double)part / whole};
}

/* A text of ours. */
static void set_word(struct sn_cell *cell, struct sn_str word)
{
	*cell = (struct sn_cell){.kind = SN_CELL_WORD, .s = word};
}

/* Most flows have none. */
static void set_word_if(struct sn_cell *cell, const char *word)
{
	if (word[0] != '\0')
		set_word(cell, (struct sn_str){word, strlen(word)});
}

static void set_count(struct sn_cell *cell, uint64_t count)
{
	*cell = (struct sn_cell){.kind = SN_CELL_INTEGER, .i = (int64_t)count};
}

static void set_seconds(struct sn_cell *cell, int64_t ns)
{
	*cell = (struct sn_cell){.kind = SN_CELL_SECONDS, .i = ns};
}

static void set_rtt(struct sn_cell *cell, int64_t rtt_ns)
{
	if (rtt_ns != SN_TCP_RTT_NONE)
		set_seconds(cell, rtt_ns);
}

static void set_address(struct sn_cell *cell, const struct sn_view_address *address)
{
	if (address->family != 0)
		*cell = (struct sn_cell){.kind = SN_CELL_ADDRESS, .a = address};
}

static bool is_icmp(const struct sn_flow *flow)
{
	return flow->key.protocol == SN_PROTO_ICMP || flow->key.protocol == SN_PROTO_ICMP6;
}

static void set_ends(struct sn_cell *cells, const struct sn_view_flow *view)
{
	uint8_t protocol = view->flow->key.protocol;

	set_address(&cells[at[COL_c_ip]], &view->client);
	set_address(&cells[at[COL_s_ip]], &view->server);
	if (!is_icmp(view->flow) ||
	    sn_decode_icmp_has_id(protocol, (uint8_t)(view->server_port >> 8)))
		set_count(&cells[at[COL_c_port]], view->client_port);
	set_count(&cells[at[COL_s_port]], view->server_port);
	set_word(&cells[at[COL_protocol]], protocol_name(protocol));
	set_text(&cells[at[COL_interface]], sn_str(view->interface));
}

static void set_counters(struct sn_cell *cells, const struct sn_view_flow *view)
{
	const struct sn_flow_side *c = &view->period[SN_CLIENT], *s = &view->period[SN_SERVER];

	set_count(&cells[at[COL_c_packets]], c->packets);
	set_count(&cells[at[COL_s_packets]], s->packets);
	set_count(&cells[at[COL_c_bytes]], c->bytes);
	set_count(&cells[at[COL_s_bytes]], s->bytes);
	set_count(&cells[at[COL_c_payload_bytes]], c->payload);
	set_count(&cells[at[COL_s_payload_bytes]], s->payload);
}

static void set_names(struct sn_cell *cells, const struct sn_view_flow *view)
{
	set_word_if(&cells[at[COL_application]], view->application);
	set_text(&cells[at[COL_server_name]], view->server_name);
	set_text(&cells[at[COL_fqdn]], view->fqdn);
	set_word_if(&cells[at[COL_community_id]], view->community_id);
	if (view->client.asn != 0)
		set_count(&cells[at[COL_c_asn]], view->client.asn);
	if (view->server.asn != 0)
		set_count(&cells[at[COL_s_asn]], view->server.asn);
	set_text(&cells[at[COL_c_country]], sn_str(view->client.country));
	set_text(&cells[at[COL_s_country]], sn_str(view->server.country));
}

/* TCP --------------------------------------------------------------------- */

/* Tstat's sense is the other way round: segments of the client tell of the way to the server. */
static void set_segment_rtts(struct sn_cell *cells, const struct sn_tcp_side *c,
			     const struct sn_tcp_side *s)
{
	const struct {
		const struct sn_tcp_rtt *rtt;
		int mean, min, max;
	} ways[] = {
		{&s->rtt, at[COL_c_rtt_avg_seconds], at[COL_c_rtt_min_seconds],
		 at[COL_c_rtt_max_seconds]},
		{&c->rtt, at[COL_s_rtt_avg_seconds], at[COL_s_rtt_min_seconds],
		 at[COL_s_rtt_max_seconds]},
	};

	for (size_t i = 0; i < SN_COUNT(ways); i++) {
		const struct sn_tcp_rtt *rtt = ways[i].rtt;

		if (rtt->count == 0)
			continue;
		set_seconds(&cells[ways[i].mean],
			    llround(rtt->sum_us / rtt->count * (double)SN_NS_PER_US));
		set_seconds(&cells[ways[i].min], rtt->min_us * SN_NS_PER_US);
		set_seconds(&cells[ways[i].max], rtt->max_us * SN_NS_PER_US);
	}
}

/* Of the period, as the other counters. */
static void set_losses(struct sn_cell *cells, const struct sn_flow *flow, const struct sn_tcp *tcp)
{
	const struct sn_tcp_counters *c = &tcp->side[SN_CLIENT].n, *s = &tcp->side[SN_SERVER].n;
	const struct sn_interim *told = flow->closed ? NULL : flow->interim;
	static const struct sn_tcp_counters none;
	const struct sn_tcp_counters *cb = told != NULL ? &told->tcp[SN_CLIENT] : &none;
	const struct sn_tcp_counters *sb = told != NULL ? &told->tcp[SN_SERVER] : &none;

	set_count(&cells[at[COL_c_retransmitted_packets]], c->retransmitted - cb->retransmitted);
	set_count(&cells[at[COL_s_retransmitted_packets]], s->retransmitted - sb->retransmitted);
	set_count(&cells[at[COL_c_out_of_order_packets]], c->out_of_order - cb->out_of_order);
	set_count(&cells[at[COL_s_out_of_order_packets]], s->out_of_order - sb->out_of_order);
	set_ratio(&cells[at[COL_retransmitted_ratio]],
		  c->retransmitted + s->retransmitted - cb->retransmitted - sb->retransmitted,
		  c->data + s->data - cb->data - sb->data);
}

static struct sn_str state_of(const struct sn_tcp *tcp, enum sn_flow_end end)
{
	if (tcp->reset)
		return SN_STR("reset");
	if (!sn_tcp_has_handshake(tcp))
		return SN_STR("partial");
	return end == SN_END_CLOSED ? SN_STR("complete") : SN_STR("open");
}

/* All sets of flags, as text: 256 of them are few. */
static char flag_texts[256][9];

static void make_flag_texts(void)
{
	static const char letters[] = "FSRPAUEC";

	for (unsigned flags = 0; flags < SN_COUNT(flag_texts); flags++)
		for (unsigned i = 0, n = 0; i < 8; i++)
			if ((flags >> i & 1) != 0)
				flag_texts[flags][n++] = letters[i];
}

static void set_tcp(struct sn_cell *cells, const struct sn_view_flow *view,
		    const struct sn_tcp *tcp)
{
	int64_t first_ns = view->period_first_ns;

	/* Interim reports tell each round trip of the handshake once. */
	if (tcp->synack_ns >= first_ns)
		set_rtt(&cells[at[COL_s_handshake_rtt_seconds]], sn_tcp_server_rtt(tcp));
	if (tcp->handshake_ns >= first_ns) {
		set_rtt(&cells[at[COL_handshake_rtt_seconds]], sn_tcp_handshake_rtt(tcp));
		set_rtt(&cells[at[COL_c_handshake_rtt_seconds]], sn_tcp_client_rtt(tcp));
	}
	set_word_if(&cells[at[COL_tcp_flags]], flag_texts[tcp->flags]);
	set_word(&cells[at[COL_state]], state_of(tcp, view->end));
	set_losses(cells, view->flow, tcp);
	set_segment_rtts(cells, &tcp->side[SN_CLIENT], &tcp->side[SN_SERVER]);
	SET(cells, mid_stream, BOOL, i, view->flow->mid_stream);
}

static void make_tables(void)
{
	find_positions();
	make_flag_texts();
}

void sn_row_flow(const struct sn_view_flow *view, struct sn_cell *cells)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct sn_tcp_flow *tcp = sn_flow_tcp(view->flow);
	int64_t first_ns = view->period_first_ns, last_ns = view->flow->last_ns;

	pthread_once(&once, make_tables);
	memset(cells, 0, sizeof(*cells) * sn_dataset_flow.column_count);
	cells[SN_COL_TIME] = (struct sn_cell){.kind = SN_CELL_TIME, .i = first_ns};
	set_ends(cells, view);
	SET(cells, last_time, TIME, i, last_ns);
	set_seconds(&cells[at[COL_duration_seconds]], SN_MAX(last_ns - first_ns, 0));
	set_counters(cells, view);
	if (tcp != NULL)
		set_tcp(cells, view, &tcp->tcp);
	set_word(&cells[at[COL_end]], end_names[view->end]);
	set_names(cells, view);
}

/* Tstat's logs ------------------------------------------------------------ */

/* "-", "--" and "---" say that there is nothing. */
static bool says_nothing(struct sn_str text)
{
	size_t i = 0;

	while (i < text.n && text.p[i] == '-')
		i++;
	return i == text.n && i <= 3;
}

static void set_field(struct sn_cell *cell, enum sn_tstat_type type, const union sn_field *field)
{
	switch (type) {
	case SN_TSTAT_TYPE_INTEGER:
	case SN_TSTAT_TYPE_FLAG:
		*cell = (struct sn_cell){.kind = SN_CELL_INTEGER, .i = field->i};
		break;
	case SN_TSTAT_TYPE_TEXT:
		if (!says_nothing(field->s))
			set_text(cell, sn_str_trim(field->s));
		break;
	default:
		*cell = (struct sn_cell){.kind = SN_CELL_FIXED, .f = field->f};
		break;
	}
}

void sn_row_tstat(const struct sn_record *record, int64_t time_ns, struct sn_cell *cells)
{
	const struct sn_tstat_table *table = record->table;

	memset(cells, 0, sizeof(*cells) * table->dataset->column_count);
	cells[SN_COL_TIME] = (struct sn_cell){.kind = SN_CELL_TIME, .i = time_ns};
	for (size_t i = 0; i < table->count; i++) {
		int position = sn_tstat_position(table, i);

		if (position >= 0)
			set_field(&cells[position], table->columns[i].type, &record->fields[i]);
	}
}
