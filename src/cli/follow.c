/* SPDX-License-Identifier: Apache-2.0 */
/* Event streams of the hub, kept open across restarts and cut networks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/client_internal.h"

#define RETRY_MIN_NS (500 * SN_NS_PER_MS)
#define RETRY_MAX_NS (10 * SN_NS_PER_S)
#define OPEN_WAIT_NS (1 * SN_NS_PER_S)
#define IDLE_MAX_NS  (90 * SN_NS_PER_S) /* the hub sends something more often than that */
#define EVENT_ID_MAX 128

struct follow {
	struct sn_client *client;
	char *url;
	struct sn_http_fetch *fetch; /* NULL between two connections */
	struct sn_sse_reader *reader;
	struct sn_timer timer; /* waits for the opening, later for the next attempt */
	uint64_t retry_ns;
	char last_id[EVENT_ID_MAX];
	bool opened, ended, told;

	sn_client_event_fn *fn;
	void *ctx;
	int fn_error, error;
	struct sn_err *err;
};

static void connect_stream(struct follow *follow);

static void end(struct follow *follow, int error)
{
	follow->error = error;
	follow->ended = follow->opened = true;
	sn_client_wake(follow->client);
}

static void opened(struct follow *follow)
{
	follow->opened = true;
	sn_client_wake(follow->client);
}

static void take_event(const char *event, const char *id, struct sn_str data, void *ctx)
{
	struct follow *follow = ctx;

	if (id != NULL)
		snprintf(follow->last_id, sizeof(follow->last_id), "%s", id);
	if (follow->fn_error == 0)
		follow->fn_error = follow->fn(event, data, follow->ctx);
}

static int take_piece(struct sn_http_fetch *fetch SN_UNUSED, struct sn_str piece, void *ctx)
{
	struct follow *follow = ctx;
	int rc = sn_sse_reader_feed(follow->reader, piece);

	if (!follow->opened)
		opened(follow);
	follow->retry_ns = RETRY_MIN_NS;
	follow->told = false;
	return follow->fn_error != 0 ? follow->fn_error : rc;
}

static void try_again(struct follow *follow)
{
	if (!follow->told)
		fprintf(stderr, "%s: the connection to the hub is lost; trying again\n",
			sn_cli_program());
	follow->told = true;
	sn_timer_in(&follow->timer, follow->retry_ns);
	follow->retry_ns = SN_MIN(follow->retry_ns * 2, (uint64_t)RETRY_MAX_NS);
}

static void stream_over(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
			void *ctx)
{
	struct follow *follow = ctx;

	follow->fetch = NULL;
	if (follow->fn_error != 0)
		end(follow, follow->fn_error);
	else if (answer->error == 0 && answer->status == 401 && sn_client_refresh(follow->client))
		connect_stream(follow);
	else if (answer->error == 0 && answer->status >= 300 && answer->status < 500)
		end(follow, sn_client_refused(follow->client, answer, follow->err));
	else if (answer->error == -ECANCELED)
		end(follow, sn_err_set(follow->err, -EMSGSIZE, "an event of the hub is too long"));
	else if (!follow->opened && answer->error != 0)
		end(follow, sn_client_unreachable(follow->client, answer, follow->err));
	else
		try_again(follow);
}

static void timer_due(struct sn_timer *timer)
{
	struct follow *follow = sn_container_of(timer, struct follow, timer);

	if (!follow->opened)
		opened(follow);
	else if (follow->fetch == NULL)
		connect_stream(follow);
}

static void connect_stream(struct follow *follow)
{
	char last_id[EVENT_ID_MAX + 32];
	const char *headers[4] = {"Accept: text/event-stream"};
	size_t count = 1;
	struct sn_http_fetch_spec spec = {
		.method = "GET",
		.url = follow->url,
		.headers = headers,
		.timeout_ns = UINT64_MAX,
		.idle_timeout_ns = IDLE_MAX_NS,
		.on_data = take_piece,
		.on_done = stream_over,
		.ctx = follow,
	};

	if (follow->client->authorisation != NULL)
		headers[count++] = follow->client->authorisation;
	if (follow->last_id[0] != '\0') {
		snprintf(last_id, sizeof(last_id), "Last-Event-ID: %s", follow->last_id);
		headers[count++] = last_id;
	}
	sn_sse_reader_destroy(follow->reader);
	follow->reader = sn_sse_reader_create(take_event, follow);
	follow->fetch = sn_http_fetch(follow->client->http, &spec);
	if (follow->fetch == NULL)
		end(follow, sn_err_set(follow->err, -EINVAL, "'%.*s' cannot be asked for",
				       URL_SHOWN_MAX, follow->url));
}

int sn_client_follow(struct sn_client *client, const char *path, sn_client_open_fn *on_open,
		     sn_client_event_fn *fn, void *ctx, struct sn_err *err)
{
	struct follow follow = {
		.client = client,
		.url = sn_xasprintf("%s%s", client->place.url, path),
		.retry_ns = RETRY_MIN_NS,
		.fn = fn,
		.ctx = ctx,
		.err = err,
	};
	int rc;

	sn_timer_init(&follow.timer, client->loop, timer_due);
	sn_timer_in(&follow.timer, OPEN_WAIT_NS);
	connect_stream(&follow);
	rc = sn_client_wait(client, &follow.opened);
	if (rc == 0 && !follow.ended) {
		if (follow.fetch != NULL)
			sn_timer_stop(&follow.timer);
		rc = on_open != NULL ? on_open(ctx) : 0;
		if (rc == 0)
			rc = sn_client_wait(client, &follow.ended);
	}
	if (rc == 0)
		rc = follow.error;
	sn_timer_stop(&follow.timer);
	sn_http_fetch_cancel(follow.fetch);
	sn_sse_reader_destroy(follow.reader);
	free(follow.url);
	/* Ctrl-C is how one ends it. */
	return rc == -EINTR ? 0 : rc;
}
