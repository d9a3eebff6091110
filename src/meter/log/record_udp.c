/* SPDX-License-Identifier: Apache-2.0 */
/* Fields in the order of Tstat's tables for UDP (data/tstat/lists.h). */
#include "meter/log/record.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct sn_app_udp no_app;

static void add_side(struct sn_record *record, const struct sn_udp_flow *udp, unsigned side,
		     const struct sn_view_address *address, uint16_t port)
{
	const struct sn_udp_side *times = &udp->side[side];
	bool silent = udp->flow.side[side].packets == 0;

	sn_record_address(record, address);
	sn_record_i(record, port);
	sn_record_f(record, silent ? 0 : sn_record_ms(times->first_ns));
	sn_record_f(record,
		    silent ? 0 : sn_record_elapsed_us(times->first_ns, times->last_ns) / 1000000.0);
	sn_record_i(record, (int64_t)times->bytes);
	sn_record_i(record, (int64_t)sn_flow_datagrams(&udp->flow, side));
	sn_record_i(record, address->internal);
	sn_record_i(record, address->anonymised);
	sn_record_i(record, silent ? 0 : udp->type[side]);
}

/* Tstat writes names of QUIC with everything but letters, digits and "-._~" as %xx (RFC 3986). */
static void add_encoded(struct sn_record *record, struct sn_str text)
{
	char *at = record->text + record->text_used, *p = at;
	const char *end = record->text + sizeof(record->text) - 3;

	for (size_t i = 0; i < text.n && p < end; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			     c == '-' || c == '.' || c == '_' || c == '~';

		if (plain)
			*p++ = (char)c;
		else
			p += snprintf(p, 4, "%%%02X", c);
	}
	record->text_used += (size_t)(p - at);
	sn_record_s(record, (struct sn_str){at, (size_t)(p - at)});
}

/* Only when both sides speak the same version: then it is one. */
static void add_version(struct sn_record *record, const struct sn_app_udp *app, unsigned side)
{
	if (app->quic_version[0] != 0 && app->quic_version[0] == app->quic_version[1])
		sn_record_hex(record, "0x", app->quic_version[side], 8);
	else
		sn_record_s(record, (struct sn_str){0});
}

void sn_record_udp(struct sn_record *record, const struct sn_view_flow *view)
{
	const struct sn_udp_flow *udp = sn_flow_as_udp(view->flow);
	const struct sn_app_udp *app = udp->app != NULL ? udp->app : &no_app;

	sn_record_begin(record, &sn_tstat_tables[SN_TSTAT_UDP_COMPLETE]);
	add_side(record, udp, SN_CLIENT, &view->client, view->client_port);
	add_side(record, udp, SN_SERVER, &view->server, view->server_port);
	sn_record_s(record, view->fqdn);
	add_encoded(record, view->quic_server_name);
	add_encoded(record, view->quic_agent);
	add_version(record, app, SN_CLIENT);
	add_version(record, app, SN_SERVER);
	sn_record_i(record, app->quic_zero_rtt);
	sn_record_i(record, app->quic_ech);
}

/* Media ------------------------------------------------------------------ */

static double mean(const struct sn_rtp_range *range)
{
	return range->count > 0 ? range->sum / (double)range->count : 0;
}

/* As Tstat prints it: divided by n - 1 twice, once in the variance and once behind the root. */
static double deviation(const struct sn_rtp_range *range)
{
	double n = (double)range->count, variance;

	if (range->count < 2)
		return 0;
	variance = (range->sum2 - range->sum * range->sum / n) / (n - 1);
	return variance > 0 ? sqrt(variance / (n - 1)) : 0;
}

static void add_end(struct sn_record *record, const struct sn_view_address *address, uint16_t port,
		    uint8_t type, uint8_t mux)
{
	sn_record_i(record, type);
	sn_record_address(record, address);
	sn_record_i(record, port);
	sn_record_i(record, address->internal);
	sn_record_i(record, address->anonymised);
	sn_record_i(record, mux);
}

static void add_jitter(struct sn_record *record, const struct sn_rtp_jitter *jitter)
{
	sn_record_f(record, jitter->count > 0 ? jitter->now : 0);
	sn_record_f(record, jitter->count > 0 ? jitter->max : 0);
	sn_record_f(record, jitter->count > 0 ? jitter->min : 0);
}

static void add_ttl(struct sn_record *record, const struct sn_rtp_range *ttl)
{
	sn_record_f(record, mean(ttl));
	sn_record_i(record, ttl->count > 0 ? (int64_t)ttl->max : 0);
	sn_record_i(record, ttl->count > 0 ? (int64_t)ttl->min : 0);
}

static void add_volume(struct sn_record *record, const struct sn_rtp_stream *stream)
{
	double seconds = sn_record_elapsed_us(stream->first_ns, stream->last_ns) / 1000000.0;

	sn_record_f(record, sn_record_us(stream->first_ns) / 1000000.0);
	sn_record_f(record, seconds);
	sn_record_i(record, (int64_t)stream->bytes);
	sn_record_f(record, seconds > 0 ? (double)stream->bytes * 8 / seconds : 0);
	sn_record_printf(record, "0x%x", stream->ssrc);
	sn_record_i(record, (int64_t)stream->lost);
	sn_record_i(record, (int64_t)stream->out_of_sequence);
	sn_record_i(record, (int64_t)stream->duplicates);
	sn_record_i(record, (int64_t)stream->late);
}

/* Payload types, then how often each came. */
static void add_types(struct sn_record *record, const struct sn_rtp_stream *stream)
{
	char ids[SN_RTP_TYPES * 4 + 1] = "", counts[SN_RTP_TYPES * 12 + 1] = "";
	size_t n = 0, m = 0;

	for (unsigned i = 0; i < stream->type_count; i++) {
		const char *comma = i > 0 ? "," : "";

		n += (size_t)snprintf(ids + n, sizeof(ids) - n, "%s%u", comma,
				      stream->types[i].type);
		m += (size_t)snprintf(counts + m, sizeof(counts) - m, "%s%u", comma,
				      stream->types[i].packets);
	}
	sn_record_printf(record, "%s", ids);
	sn_record_printf(record, "%s", counts);
}

static void add_reports(struct sn_record *record, const struct sn_rtp_stream *stream)
{
	const struct sn_rtp_range *rtt = &stream->rtt_ms;

	sn_record_i(record, (int64_t)stream->bogus);
	sn_record_i(record, (int64_t)stream->reported_lost);
	sn_record_f(record, mean(&stream->reported_fraction));
	sn_record_i(record, (int64_t)stream->report_packets);
	sn_record_i(record, (int64_t)stream->report_bytes);
	sn_record_f(record, mean(rtt));
	sn_record_f(record, rtt->count > 0 ? rtt->max : 0);
	sn_record_f(record, rtt->count > 0 ? rtt->min : 0);
	sn_record_i(record, (int64_t)rtt->count);
	sn_record_i(record, (int64_t)stream->truncated);
}

static void add_payload(struct sn_record *record, const struct sn_rtp_stream *stream)
{
	const struct sn_rtp_range *payload = &stream->payload;

	if (stream->rtcp) {
		sn_record_i(record, 0);
		sn_record_i(record, 0);
		for (int i = 0; i < 8; i++)
			sn_record_f(record, NAN);
		return;
	}
	sn_record_i(record, payload->count > 0 ? (int64_t)payload->max : 0);
	sn_record_i(record, payload->count > 0 ? (int64_t)payload->min : 0);
	sn_record_f(record, mean(payload));
	sn_record_f(record, deviation(payload));
	add_jitter(record, &stream->jitter[SN_RTP_CLOCK_8K]);
	add_jitter(record, &stream->jitter[SN_RTP_CLOCK_90K]);
}

const struct sn_rtp_streams *sn_record_streams(const struct sn_view_flow *view)
{
	const struct sn_udp_flow *udp = sn_flow_as_udp(view->flow);
	bool media =
		udp->type[SN_CLIENT] == SN_UDP_RTP_PLUS || udp->type[SN_SERVER] == SN_UDP_RTP_PLUS;

	return media && udp->app != NULL ? udp->app->rtp : NULL;
}

void sn_record_mm(struct sn_record *record, const struct sn_view_flow *view,
		  const struct sn_rtp_streams *streams, const struct sn_rtp_stream *stream)
{
	const struct sn_udp_flow *udp = sn_flow_as_udp(view->flow);

	sn_record_begin(record, &sn_tstat_tables[SN_TSTAT_MM_COMPLETE]);
	sn_record_s(record, stream->rtcp ? SN_STR("T") : SN_STR("R"));
	sn_record_s(record, stream->side == SN_CLIENT ? SN_STR("C") : SN_STR("S"));
	add_end(record, &view->client, view->client_port, udp->type[SN_CLIENT],
		streams->mux[SN_CLIENT]);
	add_end(record, &view->server, view->server_port, udp->type[SN_SERVER],
		streams->mux[SN_SERVER]);
	sn_record_i(record, (int64_t)stream->packets);
	sn_record_f(record, mean(&stream->gap_ms));
	add_jitter(record, &stream->jitter[SN_RTP_CLOCK_OWN]);
	add_ttl(record, &streams->ttl[stream->side]);
	add_volume(record, stream);
	add_types(record, stream);
	add_reports(record, stream);
	add_payload(record, stream);
}
