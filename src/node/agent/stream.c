/* SPDX-License-Identifier: Apache-2.0 */
/* The event stream from the hub: kept open for ever, opened again after a random wait. */
#define SN_MODULE "stream"
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "node/agent/agent_internal.h"

/* The hub sends a comment every 15 s. */
#define SILENCE_MAX_NS (40 * SN_NS_PER_S)
#define RETRY_MIN_NS   (500 * SN_NS_PER_MS)
#define RETRY_MAX_NS   (30 * SN_NS_PER_S)
#define DENIED_WAIT_NS (60 * SN_NS_PER_S)

static void connect_stream(struct sn_agent *agent);

static void on_event(const char *event, const char *id SN_UNUSED, struct sn_str data SN_UNUSED,
		     void *ctx)
{
	/* What it says is asked for again: an event is a reason to look, not to believe. */
	if (event != NULL && strcmp(event, "tasks") == 0)
		sn_agent_tasks_fetch(ctx);
}

static int on_data(struct sn_http_fetch *fetch SN_UNUSED, struct sn_str piece, void *ctx)
{
	struct sn_agent *agent = ctx;
	struct sn_agent_stream *stream = &agent->stream;

	if (!stream->open) {
		stream->open = true;
		sn_backoff_reset(&stream->backoff);
		sn_debug("event stream open url=%s", sn_uplink_url(agent->uplink));
		/* Events may have passed while nobody listened. */
		sn_agent_tasks_fetch(agent);
		sn_upload_retry_now(agent->upload);
		sn_agent_reports_retry_now(agent);
	}
	return sn_sse_reader_feed(stream->reader, piece);
}

static void on_done(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		    void *ctx)
{
	struct sn_agent *agent = ctx;
	char code[SN_PROBLEM_CODE_MAX];
	struct sn_err err = {0};
	int error = sn_uplink_judge(agent->uplink, answer, code, &err);
	uint64_t wait_ns = sn_backoff_next(&agent->stream.backoff);

	agent->stream.fetch = NULL;
	agent->stream.open = false;
	if (error == -EACCES)
		wait_ns += DENIED_WAIT_NS;
	sn_debug("event stream ended reason=\"%s\"", error == 0 ? "closed by the hub" : err.text);
	sn_timer_in(&agent->stream.timer, wait_ns);
}

static void retry(struct sn_timer *timer)
{
	connect_stream(sn_container_of(timer, struct sn_agent, stream.timer));
}

static void connect_stream(struct sn_agent *agent)
{
	static const char *const headers[] = {"Accept: text/event-stream", NULL};
	struct sn_agent_stream *stream = &agent->stream;
	struct sn_http_fetch_spec spec = {
		.method = "GET",
		.url = "/api/v1/node/events",
		.headers = headers,
		.timeout_ns = UINT64_MAX,
		.idle_timeout_ns = SILENCE_MAX_NS,
		.on_data = on_data,
		.on_done = on_done,
		.ctx = agent,
	};

	/* A reader holds the half of an event that a broken stream has left. */
	sn_sse_reader_destroy(stream->reader);
	stream->reader = sn_sse_reader_create(on_event, agent);
	stream->fetch = sn_uplink_fetch(agent->uplink, &spec);
	if (stream->fetch == NULL)
		sn_timer_in(&stream->timer, RETRY_MAX_NS);
}

void sn_agent_stream_start(struct sn_agent *agent)
{
	agent->stream.backoff = (struct sn_backoff){.min_ns = RETRY_MIN_NS, .max_ns = RETRY_MAX_NS};
	sn_timer_init(&agent->stream.timer, agent->loop, retry);
	connect_stream(agent);
}

void sn_agent_stream_stop(struct sn_agent *agent)
{
	if (agent->stream.fetch != NULL)
		sn_http_fetch_cancel(agent->stream.fetch);
	sn_timer_stop(&agent->stream.timer);
	sn_sse_reader_destroy(agent->stream.reader);
	agent->stream = (struct sn_agent_stream){0};
}
