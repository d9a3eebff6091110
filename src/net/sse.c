/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events.  What is sent goes into a backlog; libmicrohttpd takes from
 * it when the client can be written to, and the connection is suspended while it
 * is empty.  A reader that lets the backlog reach its limit is cut off: it comes
 * back with Last-Event-ID and costs nobody else anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/http_server_internal.h"

#define PING_NS      (15 * SN_NS_PER_S)
#define STREAM_BLOCK 1024 /* for HTTP/1.0 clients only */
/* Bounds what the kernel would otherwise queue for a slow reader on top of the backlog. */
#define SEND_BUFFER (128 * 1024)

struct sn_sse {
	struct sn_http_conn *conn;
	struct sn_loop *loop;
	void (*on_close)(struct sn_sse *sse, void *ctx);
	void *ctx;
	struct sn_buf backlog;
	size_t sent;  /* of backlog */
	bool closing; /* from our side: end after the backlog */
	bool cut;     /* the reader was too slow */
	struct sn_timer ping;
	uint64_t active_ns;
};

static size_t pending(const struct sn_sse *sse)
{
	return sse->backlog.n - sse->sent;
}

static ssize_t sse_read(void *ctx, uint64_t position SN_UNUSED, char *out, size_t size)
{
	struct sn_sse *sse = ctx;

	sse->conn->daemon->progress++;
	if (sse->cut || sse->conn->gone)
		return sn_http_conn_break(sse->conn, out);
	if (pending(sse) == 0) {
		if (sse->closing)
			return MHD_CONTENT_READER_END_OF_STREAM;
		sn_http_conn_suspend(sse->conn);
		return 0;
	}
	size = SN_MIN(size, pending(sse));
	memcpy(out, sse->backlog.p + sse->sent, size);
	sse->sent += size;
	if (pending(sse) == 0) {
		sn_buf_clear(&sse->backlog);
		sse->sent = 0;
	}
	return (ssize_t)size;
}

static void sse_free(void *ctx)
{
	struct sn_sse *sse = ctx;

	sn_timer_stop(&sse->ping);
	if (sse->on_close != NULL)
		sse->on_close(sse, sse->ctx);
	sn_buf_finish(&sse->backlog);
	free(sse);
}

/* Cuts the connection off when the reader is too far behind. */
static int append(struct sn_sse *sse, const struct sn_buf *text)
{
	if (sse->cut || sse->closing)
		return -EPIPE;
	if (pending(sse) + text->n > SN_SSE_BACKLOG_MAX) {
		sse->cut = true;
		sn_http_conn_shutdown(sse->conn);
		return -EPIPE;
	}
	/* Moves the rest to the front only when that costs less than the memory it saves. */
	if (sse->sent > sse->backlog.n / 2) {
		sn_buf_drop(&sse->backlog, sse->sent);
		sse->sent = 0;
	}
	sn_buf_add(&sse->backlog, text->p, text->n);
	sse->active_ns = sn_loop_now(sse->loop);
	sn_http_conn_resume(sse->conn);
	return 0;
}

static void ping_due(struct sn_timer *timer)
{
	struct sn_sse *sse = sn_container_of(timer, struct sn_sse, ping);
	struct sn_buf comment = {0};
	uint64_t due_ns = sse->active_ns + PING_NS;

	if (sn_loop_now(sse->loop) >= due_ns) {
		sn_buf_adds(&comment, ":\n\n");
		append(sse, &comment);
		sn_buf_finish(&comment);
		due_ns = sn_loop_now(sse->loop) + PING_NS;
	}
	sn_timer_at(timer, due_ns);
}

struct sn_sse *sn_sse_open(struct sn_http_request *request,
			   void (*on_close)(struct sn_sse *sse, void *ctx), void *ctx)
{
	struct sn_http_conn *conn = sn_http_request_conn(request);
	struct sn_sse *sse;
	int size = SEND_BUFFER;

	if (conn == NULL) {
		sn_http_reply(request, 200, "text/event-stream", "", 0); /* nobody is there */
		return NULL;
	}
	sse = sn_new(struct sn_sse);
	sse->conn = conn;
	sse->loop = conn->server->loop;
	sse->on_close = on_close;
	sse->ctx = ctx;
	/* The first line makes the headers leave at once. */
	sn_buf_adds(&sse->backlog, ":\n\n");
	setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	sn_timer_init(&sse->ping, sse->loop, ping_due);
	sse->active_ns = sn_loop_now(sse->loop);
	sn_timer_at(&sse->ping, sse->active_ns + PING_NS);
	sn_http_set_header(request, "Cache-Control", "no-cache");
	sn_http_set_header(request, "X-Accel-Buffering", "no");
	sn_http_answer(request, 200, "text/event-stream",
		       MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, sse_read,
							 sse, sse_free));
	return sse;
}

static bool one_line(const char *text)
{
	return text == NULL || strpbrk(text, "\r\n") == NULL;
}

int sn_sse_send(struct sn_sse *sse, const char *event, const char *id, struct sn_str data)
{
	struct sn_buf text = {0};
	struct sn_str line;
	int result;

	if (!one_line(event) || !one_line(id))
		return -EINVAL;
	if (event != NULL)
		sn_buf_addf(&text, "event: %s\n", event);
	if (id != NULL)
		sn_buf_addf(&text, "id: %s\n", id);
	/* A bare CR would end a line, too; JSON has none, so it is simply left out. */
	while (sn_str_split(&data, '\n', &line)) {
		sn_buf_adds(&text, "data: ");
		for (size_t i = 0; i < line.n; i++) {
			if (line.p[i] != '\r')
				sn_buf_addc(&text, line.p[i]);
		}
		sn_buf_addc(&text, '\n');
	}
	sn_buf_addc(&text, '\n');
	result = append(sse, &text);
	sn_buf_finish(&text);
	return result;
}

void sn_sse_close(struct sn_sse *sse)
{
	sse->closing = true;
	sn_http_conn_resume(sse->conn);
}
