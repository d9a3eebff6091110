/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/app/tcp.h"

#include <string.h>

#include "meter/app/tcp_internal.h"
#include "meter/app/video.h"

/* What is still looked for; none of them: the flow costs one branch per packet. */
enum {
	LOOK_COUNT = 1,  /* segments that begin with a request or a response */
	LOOK_TIMES = 2,  /* when a TLS handshake ends */
	LOOK_PARSER = 4, /* the class, or messages */
	LOOK_PRESENCE = 8,
	LOOK_VIDEO = 16, /* every segment */
};

#define TLS_DATA 23

const struct sn_app_tls sn_app_no_tls;

void sn_app_tcp_init(struct sn_apps *apps)
{
	sn_pool_init(&apps->tcp_pool, sizeof(struct sn_app_tcp));
	sn_pool_init(&apps->parser_pool, sizeof(struct sn_tcp_parser));
	sn_pool_init(&apps->tls_pool, sizeof(struct sn_app_tls));
	sn_pool_init(&apps->tls_reader_pool, sizeof(struct sn_tls_reader));
	sn_pool_init(&apps->http_pool, sizeof(struct sn_http_reader));
	sn_pool_init(&apps->dns_pool, sizeof(struct sn_dns_reader));
	sn_pool_init(&apps->video_pool, sizeof(struct sn_app_video));
}

void sn_app_tcp_finish(struct sn_apps *apps)
{
	sn_pool_finish(&apps->tcp_pool);
	sn_pool_finish(&apps->parser_pool);
	sn_pool_finish(&apps->tls_pool);
	sn_pool_finish(&apps->tls_reader_pool);
	sn_pool_finish(&apps->http_pool);
	sn_pool_finish(&apps->dns_pool);
	sn_pool_finish(&apps->video_pool);
}

static struct sn_app_tcp *begin(struct sn_apps *apps)
{
	struct sn_app_tcp *app = sn_pool_take(&apps->tcp_pool);

	app->parser = sn_pool_take(&apps->parser_pool);
	app->look = LOOK_COUNT | LOOK_PARSER;
	return app;
}

static void end_parser(struct sn_apps *apps, const struct sn_flow *flow, struct sn_app_tcp *app)
{
	struct sn_tcp_parser *parser = app->parser;

	if (parser == NULL)
		return;
	if (parser->http != NULL)
		sn_http_reader_end(apps, parser->http, flow, app);
	sn_http_reader_destroy(apps, parser->http);
	sn_tls_reader_destroy(apps, parser->tls);
	sn_dns_reader_destroy(apps, parser->dns);
	sn_pool_give(&apps->parser_pool, parser);
	app->parser = NULL;
	app->look &= (uint8_t)~LOOK_PARSER;
}

static void forget_tls(struct sn_apps *apps, struct sn_app_tls *tls)
{
	if (tls == NULL)
		return;
	sn_app_name_drop(apps, &tls->server_name);
	sn_app_name_drop(apps, &tls->certificate_name);
	sn_app_name_drop(apps, &tls->client_versions);
	sn_app_name_drop(apps, &tls->alpn);
	sn_pool_give(&apps->tls_pool, tls);
}

static void forget_video(struct sn_apps *apps, struct sn_app_video *video)
{
	if (video == NULL)
		return;
	sn_app_name_drop(apps, &video->id);
	sn_pool_give(&apps->video_pool, video);
}

void sn_app_forget_tcp(struct sn_apps *apps, struct sn_tcp_flow *flow)
{
	struct sn_app_tcp *app = flow->app;

	if (app == NULL)
		return;
	end_parser(apps, &flow->flow, app);
	sn_app_name_drop(apps, &app->http_host);
	forget_video(apps, app->video);
	forget_tls(apps, app->tls);
	sn_pool_give(&apps->tcp_pool, app);
	flow->app = NULL;
}

/* By the beginning of segments ------------------------------------------------ */

static void count_http(const struct sn_tcp_segment *segment)
{
	struct sn_app_tcp *app = segment->app;

	if (segment->side == SN_CLIENT)
		app->http_requests += sn_http_is_tstat_method(segment->text);
	else
		app->http_responses += sn_str_has_prefix(segment->text, "HTTP");
}

static bool is_tls_data(struct sn_str text)
{
	return text.n >= 3 && text.p[0] == TLS_DATA && text.p[1] == 3 && text.p[2] <= 4;
}

static void take_tls_time(const struct sn_tcp_segment *segment)
{
	struct sn_app_tcp *app = segment->app;
	struct sn_tls_side *own = &app->tls->side[segment->side];

	if (own->data_ns != 0)
		return;
	if (!is_tls_data(segment->text)) {
		own->handshake_ns = segment->time_ns;
		return;
	}
	own->data_ns = segment->time_ns;
	own->data_offset = segment->offset;
	if (app->tls->side[!segment->side].data_ns != 0)
		app->look &= (uint8_t)~LOOK_TIMES;
}

static void take_presence(const struct sn_tcp_segment *segment)
{
	if (!sn_str_has_prefix(segment->text, "<presence"))
		return;
	segment->app->has_presence = true;
	segment->app->look &= (uint8_t)~LOOK_PRESENCE;
}

/* The class has just been settled. */
static void after_settling(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment)
{
	struct sn_app_tcp *app = segment->app;
	struct sn_str text = segment->text;

	if (app->con_type == SN_CON_TLS) {
		app->look = (uint8_t)((app->look & ~LOOK_COUNT) | LOOK_TIMES);
		app->tls->side[SN_CLIENT].handshake_ns = parser->client_ns;
		take_tls_time(segment);
	}
	if (app->con_type == SN_CON_XMPP)
		app->look = (uint8_t)((app->look & ~LOOK_COUNT) | LOOK_PRESENCE);
	if (app->con_type == SN_CON_HTTP && text.n >= 12 && text.p[8] == ' ')
		memcpy(app->http_status, text.p + 9, 3);
}

static void classify(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment)
{
	sn_tcp_classify(parser, segment);
	if (segment->side == SN_CLIENT)
		parser->client_ns = segment->time_ns;
	if (parser->is_settled)
		after_settling(parser, segment);
}

/* Video ------------------------------------------------------------------------- */

struct sn_app_video *sn_app_video_of(struct sn_apps *apps, struct sn_app_tcp *app)
{
	if (app->video == NULL)
		app->video = sn_pool_take(&apps->video_pool);
	return app->video;
}

/* What came before it was known to be one belongs to the first second of its direction. */
static void begin_video(struct sn_apps *apps, const struct sn_tcp_segment *segment)
{
	struct sn_app_tcp *app = segment->app;
	struct sn_app_video *video;

	if (!sn_app_is_video(app, sn_name_text(sn_app_tls(app)->server_name)))
		return;
	video = sn_app_video_of(apps, app);
	if (video->sampled)
		return;
	video->sampled = true;
	app->look |= LOOK_VIDEO;
	for (unsigned side = SN_CLIENT; side <= SN_SERVER; side++) {
		uint64_t before = segment->flow->flow.side[side].payload -
				  (side == segment->side ? segment->bytes : 0);

		if (before > 0)
			sn_video_rate_add(&video->side[side], before,
					  segment->flow->tcp.side[side].first_data_ns);
	}
}

static void take_video(const struct sn_tcp_segment *segment)
{
	struct sn_app_video *video = segment->app->video;

	sn_video_rate_add(&video->side[segment->side], segment->bytes, segment->time_ns);
	if (segment->side == SN_SERVER)
		sn_video_message(video, segment->flow->tcp.side[SN_SERVER].messages,
				 segment->offset + segment->bytes - 1);
}

/* The stream ------------------------------------------------------------------- */

/* The reader of what the flow seems to speak; from the segment on that says so. */
static void choose_reader(struct sn_apps *apps, struct sn_tcp_parser *parser,
			  struct sn_app_tcp *app)
{
	if (parser->candidate == SN_WORD_TLS && parser->tls == NULL) {
		parser->tls = sn_tls_reader_create(apps);
		app->tls = sn_pool_take(&apps->tls_pool);
	} else if (parser->candidate == SN_WORD_HTTP && parser->http == NULL) {
		parser->http = sn_http_reader_create(apps);
	} else if (parser->candidate == SN_WORD_DNS && parser->dns == NULL) {
		parser->dns = sn_dns_reader_create(apps);
	}
}

/*
 * The bytes of the segment that go on with the stream.  Returns how many bytes are missing before
 * them; what was not captured is missing before the next.
 */
static uint32_t next_bytes(struct sn_tcp_parser_side *own, const struct sn_tcp_segment *segment,
			   struct sn_str *bytes)
{
	uint32_t missing, skip = 0;

	*bytes = (struct sn_str){0};
	if (segment->fresh == 0)
		return 0;
	if (!own->started) {
		own->started = true;
		own->next = segment->offset;
	}
	missing = segment->offset - own->next;
	if (missing > INT32_MAX) { /* it begins before; does it end behind? */
		skip = 0 - missing;
		missing = 0;
	}
	if (skip >= segment->bytes)
		return 0;
	if (skip < segment->text.n)
		*bytes = (struct sn_str){segment->text.p + skip, segment->text.n - skip};
	own->next = segment->offset + skip + (uint32_t)bytes->n;
	return missing;
}

static void feed_http(struct sn_apps *apps, struct sn_tcp_parser *parser,
		      const struct sn_tcp_segment *segment, struct sn_str bytes, uint32_t missing)
{
	struct sn_http_feed feed = {
		.flow = &segment->flow->flow,
		.app = segment->app,
		.side = segment->side,
		.data = (const uint8_t *)bytes.p,
		.size = bytes.n,
		.leads = bytes.p == segment->text.p,
		.time_ns = segment->time_ns,
	};

	if (missing > 0)
		sn_http_reader_gap(apps, parser->http, &feed, missing);
	sn_http_reader_feed(apps, parser->http, &feed);
	if (segment->app->con_type == SN_CON_HTTP)
		segment->app->http_type = segment->app->http_candidate;
}

static void feed_readers(struct sn_apps *apps, struct sn_tcp_parser *parser,
			 const struct sn_tcp_segment *segment)
{
	struct sn_str bytes;
	uint32_t missing = next_bytes(&parser->side[segment->side], segment, &bytes);
	const uint8_t *data = (const uint8_t *)bytes.p;

	if (bytes.n == 0)
		return;
	if (parser->tls != NULL) {
		if (missing > 0)
			sn_tls_reader_gap(apps, parser->tls, segment->side);
		sn_tls_reader_feed(apps, parser->tls, segment->app, segment->side, data, bytes.n);
		/* con_t asks for a segment that begins with the Server Hello; people do not. */
		if (segment->app->tls_version != 0)
			segment->app->word = SN_WORD_TLS;
	}
	if (parser->http != NULL)
		feed_http(apps, parser, segment, bytes, missing);
	if (parser->dns != NULL) {
		parser->dns->is_over = parser->dns->is_over || missing > 0;
		sn_dns_reader_feed(apps, parser->dns, &segment->flow->flow, segment->side, data,
				   bytes.n, segment->time_ns);
	}
}

/* Messages go on, but between two of them the flow can do without a reader: read_again(). */
static bool reads_http_on(const struct sn_apps *apps, const struct sn_http_reader *http,
			  const struct sn_app_tcp *app, bool is_tired)
{
	if (http->is_over)
		return false;
	if (apps->watch.http != NULL)
		return app->con_type != SN_CON_HTTP || !sn_http_reader_is_idle(http);
	return !is_tired && (!http->has_request || !http->has_response || http->wants_body);
}

/* Whether a reader has something left to find out. */
static bool reads_on(const struct sn_apps *apps, const struct sn_tcp_parser *parser,
		     const struct sn_app_tcp *app, bool is_tired)
{
	if (parser->tls != NULL)
		return !is_tired && !sn_tls_reader_is_done(parser->tls) &&
		       app->tls->side[SN_SERVER].data_ns == 0;
	if (parser->http != NULL)
		return reads_http_on(apps, parser->http, app, is_tired);
	return parser->dns != NULL && !parser->dns->is_over;
}

static void parse(struct sn_apps *apps, const struct sn_tcp_segment *segment)
{
	struct sn_app_tcp *app = segment->app;
	struct sn_tcp_parser *parser = app->parser;
	bool is_tired = app->packets_looked_at >= SN_APP_TCP_PACKETS;

	if (app->packets_looked_at < UINT16_MAX)
		app->packets_looked_at++;
	if (!parser->is_settled && !is_tired)
		classify(parser, segment);
	choose_reader(apps, parser, app);
	feed_readers(apps, parser, segment);
	if (reads_on(apps, parser, app, is_tired))
		return;
	if (parser->http != NULL)
		app->http_over = parser->http->is_over;
	if (parser->is_settled || is_tired)
		end_parser(apps, &segment->flow->flow, app);
}

/* Somebody wants to know of messages in a flow that is not read at the moment. */
static void read_again(struct sn_apps *apps, struct sn_app_tcp *app)
{
	app->parser = sn_pool_take(&apps->parser_pool);
	app->parser->is_settled = true;
	app->parser->candidate = SN_WORD_HTTP;
	app->parser->http = sn_http_reader_create(apps);
	app->parser->http->has_request = app->parser->http->has_response = true;
	app->look |= LOOK_PARSER;
}

void sn_app_tcp(struct sn_apps *apps, struct sn_tcp_flow *flow, unsigned side,
		const struct sn_decoded *packet, const struct sn_tcp_verdict *verdict,
		int64_t time_ns)
{
	struct sn_app_tcp *app = flow->app;
	struct sn_tcp_segment segment;

	if (apps->off || packet->payload_bytes == 0)
		return;
	if (app == NULL)
		app = flow->app = begin(apps);
	if (app->look == 0)
		return;
	segment = (struct sn_tcp_segment){
		.flow = flow,
		.app = app,
		.side = side,
		.text = {(const char *)packet->payload.p,
			 SN_MIN(sn_rd_left(&packet->payload), packet->payload_bytes)},
		.bytes = packet->payload_bytes,
		.offset = (packet->tcp_flags & SN_TCP_SYN) != 0 ? 1 : verdict->offset,
		.fresh = SN_MIN(verdict->fresh, packet->payload_bytes),
		.time_ns = time_ns,
	};
	if ((app->look & LOOK_COUNT) != 0)
		count_http(&segment);
	if ((app->look & LOOK_TIMES) != 0)
		take_tls_time(&segment);
	if ((app->look & LOOK_PRESENCE) != 0)
		take_presence(&segment);
	if ((app->look & LOOK_PARSER) == 0 && app->con_type == SN_CON_HTTP &&
	    apps->watch.http != NULL && !app->http_over)
		read_again(apps, app);
	if ((app->look & LOOK_PARSER) != 0) {
		parse(apps, &segment);
		if (apps->watch.video_rates)
			begin_video(apps, &segment);
	}
	if ((app->look & LOOK_VIDEO) != 0)
		take_video(&segment);
}
