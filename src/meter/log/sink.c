/* SPDX-License-Identifier: Apache-2.0 */
/* One worker's side of the logs: what goes into which, and lines on their way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "meter/app/rtp.h"
#include "meter/log/logs.h"
#include "meter/log/record.h"

#define LINES_BYTES (256 * 1024) /* handed over when so much has gathered: few and large writes */
#define FLUSH_NS    (1 * SN_NS_PER_S) /* of packet time; for those who read along */
#define BACK_STEPS  2                 /* a clock that goes back by more begins a new directory */

struct sink {
	struct sn_tstat_logs *set;
	struct sn_epoch *epoch; /* that the lines belong to */
	int64_t now_ns, flushed_ns;
	struct sn_buf lines[SN_EPOCH_FILES];
	uint64_t line_counts[SN_EPOCH_FILES]; /* in the buffers */
	struct sn_tstat_stats stats;          /* not handed over yet */
	int error;                            /* ended the run */
	struct sn_record record;
};

/* Handing over ------------------------------------------------------------ */

static void hand_over(struct sink *sink, unsigned file)
{
	struct sn_str lines = sn_buf_str(&sink->lines[file]);
	struct sn_err err = {0};
	int rc = -ENOENT;

	if (lines.n == 0)
		return;
	if (sink->epoch != NULL)
		rc = sn_epoch_write(sink->epoch, file, lines, &err);
	if (rc < 0)
		sink->stats.lost += sink->line_counts[file];
	else if (file < SN_TSTAT_LOGS)
		sink->stats.bytes[file] += lines.n;
	if (rc < 0 && err.code < 0 && sink->error == 0)
		sink->error = sn_tstat_logs_fail(sink->set, &err);
	if (rc == -EPIPE)
		sn_tstat_logs_abandon(sink->set, sink->epoch);
	sink->line_counts[file] = 0;
	sn_buf_clear(&sink->lines[file]);
}

static int hand_over_all(struct sink *sink)
{
	for (unsigned i = 0; i < SN_EPOCH_FILES; i++)
		hand_over(sink, i);
	sn_tstat_logs_count(sink->set, &sink->stats);
	sink->stats = (struct sn_tstat_stats){0};
	sink->flushed_ns = sink->now_ns;
	return sink->error;
}

/* Into the directory of the present time. */
static int enter(struct sink *sink, int64_t now_ns)
{
	struct sn_epoch *before = sink->epoch, *next;
	struct sn_err err = {0};

	if (sn_tstat_logs_is_present(sink->set, before, now_ns))
		return sink->error;
	next = sn_tstat_logs_enter(sink->set, now_ns, &err);
	if (err.code < 0 && sink->error == 0)
		sink->error = sn_tstat_logs_fail(sink->set, &err);
	if (next != before)
		hand_over_all(sink);
	sink->epoch = next;
	if (before != NULL)
		sn_tstat_logs_leave(sink->set, before);
	return sink->error;
}

static void add_line(struct sink *sink, unsigned file, uint8_t level)
{
	sn_record_write(&sink->record, level, &sink->lines[file]);
	sink->line_counts[file]++;
	if (file < SN_TSTAT_LOGS)
		sink->stats.lines[file]++;
	if (sink->lines[file].n >= LINES_BYTES)
		hand_over(sink, file);
}

/* Flows ------------------------------------------------------------------- */

static bool has_end_inside(const struct sn_view_flow *view)
{
	return view->client.internal || view->server.internal;
}

static void log_complete(struct sink *sink, const struct sn_view_flow *view)
{
	const struct sn_tstat_choice *choice = &sink->epoch->choice;

	if (choice->on[SN_TSTAT_TCP_COMPLETE]) {
		sn_record_tcp(&sink->record, view);
		add_line(sink, SN_TSTAT_TCP_COMPLETE, choice->tcp_level);
	}
	if (choice->on[SN_TSTAT_VIDEO_COMPLETE] && sn_record_is_video(view)) {
		sn_record_video(&sink->record, view, sn_tstat_logs_strict(sink->set));
		add_line(sink, SN_TSTAT_VIDEO_COMPLETE, choice->video_level);
	}
	if (choice->on[SN_TSTAT_CHAT_COMPLETE] && sn_record_is_chat(view)) {
		sn_record_chat(&sink->record, view, sn_tstat_logs_next_chat(sink->set));
		add_line(sink, SN_TSTAT_CHAT_COMPLETE, SN_TSTAT_LEVEL_ALL);
	}
}

static void log_tcp(struct sink *sink, const struct sn_view_flow *view,
		    const struct sn_tcp_flow *tcp)
{
	const struct sn_tstat_choice *choice = &sink->epoch->choice;

	if (tcp->flow.mid_stream) {
		if (choice->mid_stream) {
			sn_record_tcp(&sink->record, view);
			add_line(sink, SN_EPOCH_MIDSTREAM, choice->tcp_level);
		}
		return;
	}
	if (sn_record_is_complete(view)) {
		log_complete(sink, view);
	} else if (choice->on[SN_TSTAT_TCP_NOCOMPLETE]) {
		sn_record_tcp_short(&sink->record, view);
		add_line(sink, SN_TSTAT_TCP_NOCOMPLETE, choice->tcp_level);
	}
}

static void log_media(struct sink *sink, const struct sn_view_flow *view)
{
	const struct sn_rtp_streams *streams = sn_record_streams(view);

	if (streams == NULL)
		return;
	for (const struct sn_rtp_stream *stream = streams->first; stream != NULL;
	     stream = stream->next) {
		sn_record_mm(&sink->record, view, streams, stream);
		add_line(sink, SN_TSTAT_MM_COMPLETE, SN_TSTAT_LEVEL_ALL);
	}
}

static void log_udp(struct sink *sink, const struct sn_view_flow *view)
{
	const struct sn_tstat_choice *choice = &sink->epoch->choice;

	if (choice->on[SN_TSTAT_UDP_COMPLETE]) {
		sn_record_udp(&sink->record, view);
		add_line(sink, SN_TSTAT_UDP_COMPLETE, SN_TSTAT_LEVEL_ALL);
	}
	if (choice->on[SN_TSTAT_MM_COMPLETE])
		log_media(sink, view);
}

static void log_period(struct sink *sink, const struct sn_view_flow *view)
{
	bool tcp = sn_flow_tcp(view->flow) != NULL;
	enum sn_tstat_log log = tcp ? SN_TSTAT_TCP_PERIODIC : SN_TSTAT_UDP_PERIODIC;

	if (!sink->epoch->choice.on[log] || !sn_record_is_period(view))
		return;
	if (tcp)
		sn_record_tcp_periodic(&sink->record, view);
	else
		sn_record_udp_periodic(&sink->record, view);
	add_line(sink, log, SN_TSTAT_LEVEL_ALL);
}

static int take_flow(void *data, const struct sn_view_flow *view)
{
	struct sink *sink = data;
	const struct sn_tcp_flow *tcp = sn_flow_tcp(view->flow);
	const struct sn_udp_flow *udp = sn_flow_udp(view->flow);
	int rc = enter(sink, sink->now_ns != 0 ? sink->now_ns : view->flow->first_ns);

	if (tcp == NULL && udp == NULL)
		return rc;
	if (sink->epoch == NULL) {
		sink->stats.lost++;
		return rc;
	}
	log_period(sink, view);
	if (view->end == SN_END_ACTIVE)
		return sink->error;
	if (!has_end_inside(view))
		sink->stats.external++;
	else if (tcp != NULL)
		log_tcp(sink, view, tcp);
	else
		log_udp(sink, view);
	return sink->error;
}

/* Messages ---------------------------------------------------------------- */

/* Tstat sees what a segment begins with, in connections that it saw open. */
static int take_http(void *data, const struct sn_view_http *view)
{
	struct sink *sink = data;
	const struct sn_http_message *message = view->message;
	int rc = enter(sink, sink->now_ns != 0 ? sink->now_ns : message->time_ns);
	unsigned urls = sn_tstat_logs_urls(sink->set);

	if (sink->epoch == NULL || !sink->epoch->choice.on[SN_TSTAT_HTTP_COMPLETE] ||
	    view->mid_stream || !message->leads || !message->is_tstat)
		return rc;
	for (enum sn_record_part part = SN_RECORD_FIRST; part <= SN_RECORD_SECOND; part++)
		if (sn_record_http(&sink->record, view, urls, part))
			add_line(sink, SN_TSTAT_HTTP_COMPLETE, SN_TSTAT_LEVEL_ALL);
	return sink->error;
}

static bool is_multicast(const struct sn_view_address *address)
{
	return address->family == 4 ? address->ip[0] >> 4 == 14
				    : address->family == 6 && address->ip[0] == 0xff;
}

/* Tstat reads DNS over UDP to one server. */
static int take_dns(void *data, const struct sn_view_dns *view)
{
	struct sink *sink = data;
	int rc = enter(sink, sink->now_ns != 0 ? sink->now_ns : view->event->time_ns);

	if (sink->epoch == NULL || !sink->epoch->choice.on[SN_TSTAT_DNS_COMPLETE] ||
	    view->event->tcp || is_multicast(&view->client) || is_multicast(&view->server))
		return rc;
	if (sn_record_dns(&sink->record, view))
		add_line(sink, SN_TSTAT_DNS_COMPLETE, SN_TSTAT_LEVEL_ALL);
	return sink->error;
}

/* Time -------------------------------------------------------------------- */

static int take_time(void *data, int64_t now_ns)
{
	struct sink *sink = data;

	/* Workers may be apart; only one's own clock tells that it was set back. */
	if (sink->now_ns - now_ns > BACK_STEPS * sn_tstat_logs_step_ns(sink->set))
		sn_tstat_logs_turn_back(sink->set, now_ns);
	sink->now_ns = now_ns;
	enter(sink, now_ns);
	/* Also when the clock went back. */
	if (now_ns - sink->flushed_ns >= FLUSH_NS || now_ns < sink->flushed_ns)
		hand_over_all(sink);
	sn_tstat_logs_tend(sink->set, now_ns);
	return sink->error;
}

static int flush(void *data, struct sn_err *err)
{
	hand_over_all(data);
	return sn_tstat_logs_error(((struct sink *)data)->set, err);
}

static void destroy(void *data)
{
	struct sink *sink = data;

	hand_over_all(sink);
	sn_tstat_logs_leave(sink->set, sink->epoch);
	for (unsigned i = 0; i < SN_EPOCH_FILES; i++)
		sn_buf_finish(&sink->lines[i]);
	free(sink);
}

struct sn_sink sn_tstat_sink_create(struct sn_tstat_logs *set)
{
	static const struct sn_sink_ops ops = {
		.flow = take_flow,
		.http = take_http,
		.dns = take_dns,
		.advance = take_time,
		.flush = flush,
		.destroy = destroy,
	};
	struct sink *sink = sn_new(struct sink);

	sink->set = set;
	return (struct sn_sink){.ops = &ops, .sink = sink};
}
