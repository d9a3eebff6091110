/* SPDX-License-Identifier: Apache-2.0 */
/* Fields in the order of Tstat's tables for TCP (data/tstat/lists.h). */
#include "meter/log/record.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "meter/app/video.h"

#define RTT_STD_MIN 3 /* samples; Tstat gives no deviation of fewer */

static const struct sn_app_tcp no_app;

static const struct sn_app_tcp *app_of(const struct sn_tcp_flow *tcp)
{
	return tcp->app != NULL ? tcp->app : &no_app;
}

static void add_counters(struct sn_record *record, uint64_t packets, uint64_t payload,
			 const struct sn_tcp_counters *n)
{
	sn_record_i(record, (int64_t)packets);
	sn_record_i(record, n->rst);
	sn_record_i(record, n->ack);
	sn_record_i(record, n->pure_ack);
	sn_record_i(record, (int64_t)n->unique_bytes);
	sn_record_i(record, n->data);
	sn_record_i(record, (int64_t)payload);
	sn_record_i(record, n->retransmitted);
	sn_record_i(record, (int64_t)n->retransmitted_bytes);
	sn_record_i(record, n->out_of_order);
	sn_record_i(record, n->syn);
	sn_record_i(record, n->fin);
}

static void add_side(struct sn_record *record, const struct sn_tcp_flow *tcp, unsigned side,
		     const struct sn_view_address *address, uint16_t port)
{
	const struct sn_flow_side *counters = &tcp->flow.side[side];

	sn_record_address(record, address);
	sn_record_i(record, port);
	add_counters(record, counters->packets, counters->payload, &tcp->tcp.side[side].n);
}

static void add_core(struct sn_record *record, const struct sn_view_flow *view,
		     const struct sn_tcp_flow *tcp)
{
	const struct sn_tcp_side *c = &tcp->tcp.side[SN_CLIENT], *s = &tcp->tcp.side[SN_SERVER];
	const struct sn_app_tcp *app = app_of(tcp);
	int64_t first_ns = tcp->flow.first_ns;

	add_side(record, tcp, SN_CLIENT, &view->client, view->client_port);
	add_side(record, tcp, SN_SERVER, &view->server, view->server_port);
	sn_record_f(record, sn_record_ms(first_ns));
	sn_record_f(record, sn_record_ms(tcp->flow.last_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, tcp->flow.last_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, c->first_data_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, s->first_data_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, c->last_data_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, s->last_data_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, c->first_ack_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, s->first_ack_ns));
	sn_record_i(record, view->client.internal);
	sn_record_i(record, view->server.internal);
	sn_record_i(record, view->client.anonymised);
	sn_record_i(record, view->server.anonymised);
	sn_record_i(record, app->con_type);
	sn_record_i(record, app->p2p_type);
	sn_record_i(record, app->http_type);
}

static double mean_ms(double sum_us, uint32_t count)
{
	return sum_us / ((double)count + SN_RECORD_COUNT_BIAS) / 1000.0;
}

static double deviation_ms(const struct sn_tcp_rtt *rtt)
{
	double n = rtt->count, variance;

	if (rtt->count < RTT_STD_MIN)
		return 0;
	variance = (rtt->sum2_us - rtt->sum_us * rtt->sum_us / n) / (n - 1);
	return variance > 0 ? sqrt(variance) / 1000.0 : 0;
}

static void add_rtt(struct sn_record *record, const struct sn_tcp_side *side)
{
	const struct sn_tcp_rtt *rtt = &side->rtt;

	sn_record_f(record, mean_ms(rtt->sum_us, rtt->count));
	sn_record_f(record, rtt->count > 0 ? (double)rtt->min_us / 1000.0 : 0);
	sn_record_f(record, rtt->count > 0 ? (double)rtt->max_us / 1000.0 : 0);
	sn_record_f(record, deviation_ms(rtt));
	sn_record_i(record, rtt->count);
	sn_record_i(record, side->ttl_min);
	sn_record_i(record, side->ttl_max);
}

/* eDonkey is not looked into, as in builds of Tstat without its details. */
static void add_p2p(struct sn_record *record)
{
	for (int i = 0; i < 6; i++)
		sn_record_i(record, 0);
}

static void add_options(struct sn_record *record, const struct sn_tcp *tcp, unsigned number)
{
	const struct sn_tcp_side *side = &tcp->side[number];
	const struct sn_tcp_trouble *trouble = sn_tcp_trouble(tcp, number);

	sn_record_i(record, side->has_scale);
	sn_record_i(record, side->has_timestamps);
	sn_record_i(record, side->window_scale);
	sn_record_i(record, side->has_sack);
	sn_record_i(record, trouble->sacks);
	sn_record_i(record, (int16_t)side->mss); /* Tstat keeps 16 bits with a sign */
	sn_record_i(record, side->segment_max);
	sn_record_i(record, side->segment_min);
	sn_record_i(record, side->window_max);
	sn_record_i(record, side->window_min);
	sn_record_i(record, trouble->zero_windows);
	sn_record_i(record, side->flight_max);
	sn_record_i(record, side->flight_min);
	sn_record_i(record, side->flight_initial);
	for (unsigned i = 0; i < SN_TCP_ANOMALIES; i++)
		sn_record_i(record, trouble->anomalies[i]);
	sn_record_i(record, side->odd_repeat);
}

/* Tstat tells what the server says only if a segment begins with its hello (app/tcp.h). */
static bool is_tls(const struct sn_app_tcp *app)
{
	return (app->con_type & SN_CON_TLS) != 0;
}

static void add_tls(struct sn_record *record, const struct sn_view_flow *view,
		    const struct sn_app_tcp *app)
{
	int64_t first_ns = view->flow->first_ns;
	const struct sn_app_tls *tls = sn_app_tls(app);
	const struct sn_tls_side *c = &tls->side[SN_CLIENT], *s = &tls->side[SN_SERVER];

	sn_record_s(record, view->tls_server_name);
	sn_record_s(record, is_tls(app) ? view->tls_certificate_name : (struct sn_str){0});
	sn_record_i(record, c->npn_alpn);
	sn_record_i(record, s->npn_alpn);
	sn_record_i(record, app->tls_session);
	sn_record_f(record, sn_record_elapsed_ms(first_ns, c->handshake_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, s->handshake_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, c->data_ns));
	sn_record_f(record, sn_record_elapsed_ms(first_ns, s->data_ns));
	sn_record_i(record, c->data_offset);
	sn_record_i(record, s->data_offset);
}

static void add_dns(struct sn_record *record, const struct sn_view_flow *view)
{
	const struct sn_dns_hit *hit = view->fqdn.n > 0 ? view->flow->name : NULL;

	sn_record_s(record, view->fqdn);
	if (hit != NULL)
		sn_record_address(record, &view->resolver);
	else
		sn_record_s(record, (struct sn_str){0});
	sn_record_f(record, hit != NULL ? sn_record_ms(hit->asked_ns) : NAN);
	sn_record_f(record, hit != NULL ? sn_record_ms(hit->answered_ns) : NAN);
}

static void add_layer7(struct sn_record *record, const struct sn_view_flow *view,
		       const struct sn_tcp_flow *tcp)
{
	const struct sn_app_tcp *app = app_of(tcp);
	bool answered = (app->con_type & SN_CON_HTTP) != 0 && app->http_status[0] != '\0';

	sn_record_i(record, app->http_requests);
	sn_record_i(record, app->http_responses);
	sn_record_s(record, answered ? sn_str(app->http_status) : SN_STR("---"));
	sn_record_i(record, tcp->tcp.side[SN_CLIENT].messages);
	sn_record_i(record, tcp->tcp.side[SN_SERVER].messages);
	add_tls(record, view, app);
	add_dns(record, view);
	sn_record_s(record, view->http_host);
	sn_record_s(record, sn_name_text(sn_app_tls(app)->client_versions));
	if (is_tls(app) && app->tls_version != 0)
		sn_record_printf(record, "%04x", app->tls_version);
	else
		sn_record_s(record, (struct sn_str){0});
	sn_record_i(record, view->fqdn.n > 0 && view->resolver.anonymised);
}

void sn_record_tcp_short(struct sn_record *record, const struct sn_view_flow *view)
{
	sn_record_begin(record, &sn_tstat_tables[SN_TSTAT_TCP_NOCOMPLETE]);
	add_core(record, view, sn_flow_as_tcp(view->flow));
}

void sn_record_tcp(struct sn_record *record, const struct sn_view_flow *view)
{
	const struct sn_tcp_flow *tcp = sn_flow_as_tcp(view->flow);

	sn_record_begin(record, &sn_tstat_tables[SN_TSTAT_TCP_COMPLETE]);
	add_core(record, view, tcp);
	add_rtt(record, &tcp->tcp.side[SN_CLIENT]);
	add_rtt(record, &tcp->tcp.side[SN_SERVER]);
	add_p2p(record);
	add_options(record, &tcp->tcp, SN_CLIENT);
	add_options(record, &tcp->tcp, SN_SERVER);
	add_layer7(record, view, tcp);
}

bool sn_record_is_complete(const struct sn_view_flow *view)
{
	const struct sn_tcp_flow *tcp = sn_flow_as_tcp(view->flow);

	return tcp != NULL && sn_tcp_has_handshake(&tcp->tcp) &&
	       (view->end == SN_END_CLOSED || view->end == SN_END_IDLE);
}

/* Video ------------------------------------------------------------------ */

bool sn_record_is_video(const struct sn_view_flow *view)
{
	const struct sn_tcp_flow *tcp = sn_flow_as_tcp(view->flow);

	return tcp != NULL && tcp->app != NULL && sn_app_is_video(tcp->app, view->tls_server_name);
}

/* What is inside the container (duration, size of the picture, format) is not looked at. */
static void add_video(struct sn_record *record, const struct sn_view_flow *view,
		      const struct sn_app_tcp *app, bool strict)
{
	struct sn_str id = view->video_id, none = SN_STR("--");

	if (id.n > 0 && strict)
		id = SN_STR("XXX");
	sn_record_i(record, app->video_declared);
	sn_record_i(record, app->video_found);
	sn_record_s(record, id.n > 11 ? id : none);
	sn_record_s(record, none);
	sn_record_f(record, 0);
	sn_record_f(record, 0);
	sn_record_i(record, 0);
	sn_record_i(record, 0);
	sn_record_s(record, id.n > 0 && id.n <= 11 ? id : none);
	for (int i = 0; i < 5; i++)
		sn_record_i(record, 0);
}

static void add_rate(struct sn_record *record, const struct sn_video_rate *rate)
{
	sn_record_i(record, rate->seconds);
	sn_record_i(record, rate->zeros);
	sn_record_i(record, rate->streak_max);
	sn_record_f(record, sn_video_rate_mean(rate));
	sn_record_f(record, sn_video_rate_deviation(rate));
	sn_record_f(record, rate->min);
	sn_record_f(record, rate->max);
}

static void add_samples(struct sn_record *record, const uint32_t samples[SN_VIDEO_SAMPLES])
{
	for (int i = 0; i < SN_VIDEO_SAMPLES; i++)
		sn_record_i(record, samples[i]);
}

/* A FIN alone may end the last message. */
static void end_messages(struct sn_app_video *video, const struct sn_tcp_side *server)
{
	sn_video_message(video, server->messages, server->next - server->isn - 1 - server->has_fin);
}

/* Zeros if nobody asked for them when the connection began. */
static void add_rates(struct sn_record *record, const struct sn_tcp_flow *tcp)
{
	const struct sn_app_video *kept = app_of(tcp)->video;
	struct sn_app_video video = {0};

	if (kept != NULL && kept->sampled) {
		video = *kept;
		sn_video_rate_finish(&video.side[SN_CLIENT], tcp->flow.last_ns);
		sn_video_rate_finish(&video.side[SN_SERVER], tcp->flow.last_ns);
		end_messages(&video, &tcp->tcp.side[SN_SERVER]);
	}
	add_rate(record, &video.side[SN_CLIENT]);
	add_rate(record, &video.side[SN_SERVER]);
	add_samples(record, video.side[SN_CLIENT].first);
	add_samples(record, video.side[SN_SERVER].first);
	sn_record_i(record, video.messages);
	add_samples(record, video.message_bytes);
}

void sn_record_video(struct sn_record *record, const struct sn_view_flow *view, bool strict)
{
	const struct sn_tcp_flow *tcp = sn_flow_as_tcp(view->flow);

	sn_record_begin(record, &sn_tstat_tables[SN_TSTAT_VIDEO_COMPLETE]);
	add_core(record, view, tcp);
	add_rtt(record, &tcp->tcp.side[SN_CLIENT]);
	add_rtt(record, &tcp->tcp.side[SN_SERVER]);
	add_video(record, view, app_of(tcp), strict);
	add_rates(record, tcp);
	add_options(record, &tcp->tcp, SN_CLIENT);
	add_options(record, &tcp->tcp, SN_SERVER);
	add_layer7(record, view, tcp);
}

/* Chat ------------------------------------------------------------------- */

#define CHAT_PRESENCE 2

bool sn_record_is_chat(const struct sn_view_flow *view)
{
	const struct sn_tcp_flow *tcp = sn_flow_as_tcp(view->flow);

	return tcp != NULL && tcp->app != NULL && (tcp->app->con_type & SN_CON_XMPP) != 0 &&
	       tcp->app->has_presence;
}

static void add_chat_side(struct sn_record *record, const struct sn_tcp_flow *tcp, unsigned side,
			  const struct sn_view_address *address, uint16_t port)
{
	sn_record_address(record, address);
	sn_record_i(record, port);
	sn_record_i(record, (int64_t)tcp->tcp.side[side].n.unique_bytes);
	sn_record_i(record, (int64_t)tcp->flow.side[side].packets);
	/* Messages of MSN, a service that is no more. */
	for (int i = 0; i < 6; i++)
		sn_record_i(record, 0);
}

void sn_record_chat(struct sn_record *record, const struct sn_view_flow *view, uint64_t number)
{
	const struct sn_tcp_flow *tcp = sn_flow_as_tcp(view->flow);

	sn_record_begin(record, &sn_tstat_tables[SN_TSTAT_CHAT_COMPLETE]);
	add_chat_side(record, tcp, SN_CLIENT, &view->client, view->client_port);
	add_chat_side(record, tcp, SN_SERVER, &view->server, view->server_port);
	sn_record_f(record, sn_record_us(tcp->flow.first_ns) / 1000000.0);
	sn_record_f(record,
		    sn_record_elapsed_us(tcp->flow.first_ns, tcp->flow.last_ns) / 1000000.0);
	sn_record_i(record, CHAT_PRESENCE);
	sn_record_s(record, SN_STR("UNK"));
	sn_record_i(record, view->client.internal);
	sn_record_i(record, (int64_t)number);
	sn_record_s(record, SN_STR("T"));
	sn_record_i(record, app_of(tcp)->con_type);
	sn_record_i(record, view->client.anonymised);
	sn_record_i(record, view->server.anonymised);
}
