/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: headers, bodies from memory, problems, streams and files.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/http_server_internal.h"

#define STREAM_BLOCK     4096 /* for HTTP/1.0 clients only; chunks fill the connection's memory */
#define FILE_BLOCK       65536
#define PROBLEM_TEXT_MAX 1024
#define PROBLEM_TYPE     "application/problem+json"

static bool has_header(const struct sn_http_request *request, const char *name)
{
	for (unsigned i = 0; i < request->header_count; i++) {
		if (strcasecmp(request->headers[i].name, name) == 0)
			return true;
	}
	return false;
}

void sn_http_set_header(struct sn_http_request *request, const char *name, const char *value)
{
	bool repeats = strcasecmp(name, "Set-Cookie") == 0;

	assert(strpbrk(value, "\r\n") == NULL);
	for (unsigned i = 0; i < request->header_count && !repeats; i++) {
		struct sn_http_answer_header *header = &request->headers[i];

		if (strcasecmp(header->name, name) == 0) {
			free(header->value);
			header->value = sn_xstrdup(value);
			return;
		}
	}
	request->headers =
		sn_xrealloc(request->headers, request->header_count + 1, sizeof(*request->headers));
	request->headers[request->header_count++] =
		(struct sn_http_answer_header){sn_xstrdup(name), sn_xstrdup(value)};
}

static const struct {
	const char *name, *value;
} security_headers[] = {
	{"X-Content-Type-Options", "nosniff"},
	{"Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"},
	{"Referrer-Policy", "no-referrer"},
};

static void add_headers(struct sn_http_request *request, const char *content_type)
{
	struct MHD_Response *response = request->response;

	for (unsigned i = 0; i < request->header_count; i++)
		MHD_add_response_header(response, request->headers[i].name,
					request->headers[i].value);
	for (size_t i = 0; i < SN_COUNT(security_headers); i++) {
		if (!has_header(request, security_headers[i].name))
			MHD_add_response_header(response, security_headers[i].name,
						security_headers[i].value);
	}
	if (content_type != NULL && !has_header(request, "Content-Type"))
		MHD_add_response_header(response, "Content-Type", content_type);
}

void sn_http_answer_early(struct sn_http_request *request, unsigned status,
			  const char *content_type, struct MHD_Response *response)
{
	assert(!request->answered);
	if (response == NULL)
		abort(); /* out of memory, as in sn_xmalloc() */
	request->answered = true;
	request->response = response;
	request->status = status;
	add_headers(request, content_type);
}

void sn_http_answer(struct sn_http_request *request, unsigned status, const char *content_type,
		    struct MHD_Response *response)
{
	sn_http_answer_early(request, status, content_type, response);
	if (request->conn == NULL)
		sn_http_request_free(request); /* detached: nobody waits for it */
	else if (!request->in_step)
		sn_http_conn_resume(request->conn);
}

void sn_http_reply(struct sn_http_request *request, unsigned status, const char *content_type,
		   const void *body, size_t size)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		size, size > 0 ? (void *)(uintptr_t)body : (void *)(uintptr_t) "",
		size > 0 ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT);

	sn_http_answer(request, status, content_type, response);
}

void sn_http_reply_json(struct sn_http_request *request, unsigned status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY);

	json_decref(json);
	if (text == NULL) {
		sn_http_problem(request, 500, "internal", "Internal error",
				"the answer could not be written as JSON");
		return;
	}
	sn_http_answer(request, status, "application/json",
		       MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
}

/* RFC 9457, section 3.1. */
static void write_problem(struct sn_buf *out, unsigned status, const char *type, const char *title,
			  const char *detail)
{
	struct sn_jw jw;
	char uri[128];

	snprintf(uri, sizeof(uri), "/problems/%s", type);
	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "type", uri);
	sn_jw_kcstr(&jw, "title", title);
	sn_jw_ku64(&jw, "status", status);
	sn_jw_kcstr(&jw, "code", type);
	sn_jw_kcstr(&jw, "detail", detail);
	sn_jw_object_end(&jw);
}

static struct MHD_Response *SN_PRINTF(4, 0)
	problem_response(unsigned status, const char *type, const char *title,
			 const char *detail_format, va_list args)
{
	char detail[PROBLEM_TEXT_MAX];
	struct sn_buf out = {0};

	vsnprintf(detail, sizeof(detail), detail_format, args);
	write_problem(&out, status, type, title, detail);
	return MHD_create_response_from_buffer_with_free_callback(out.n, out.p, free);
}

void sn_http_problem(struct sn_http_request *request, unsigned status, const char *type,
		     const char *title, const char *detail_format, ...)
{
	va_list args;

	va_start(args, detail_format);
	sn_http_answer(request, status, PROBLEM_TYPE,
		       problem_response(status, type, title, detail_format, args));
	va_end(args);
}

void sn_http_refuse(struct sn_http_request *request, unsigned status, const char *type,
		    const char *title, const char *detail_format, ...)
{
	va_list args;

	va_start(args, detail_format);
	sn_http_answer_early(request, status, PROBLEM_TYPE,
			     problem_response(status, type, title, detail_format, args));
	va_end(args);
}

void sn_http_raw_problem(struct sn_buf *out, unsigned status, const char *type, const char *title,
			 const char *detail)
{
	struct sn_buf body = {0};

	write_problem(&body, status, type, title, detail);
	sn_buf_addf(out, "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: %s\r\n", status,
		    title, PROBLEM_TYPE);
	for (size_t i = 0; i < SN_COUNT(security_headers); i++)
		sn_buf_addf(out, "%s: %s\r\n", security_headers[i].name, security_headers[i].value);
	sn_buf_addf(out, "Content-Length: %zu\r\n\r\n", body.n);
	sn_buf_add(out, body.p, body.n);
	sn_buf_finish(&body);
}

/* Bodies that are made or read while they are sent ------------------------------------ */

struct sn_http_stream {
	struct sn_http_conn *conn;
	int (*produce)(struct sn_buf *out, void *ctx);
	void (*release)(void *ctx);
	void *ctx;
	struct sn_buf piece;
	size_t sent; /* of piece */
	int more;    /* what produce said */
};

/*
 * A client of HTTP/1.0 takes an orderly end for the end of the answer.  A reset tells it, as the
 * missing last chunk tells others.
 */
static void reset(const struct sn_http_conn *conn)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	(void)connect(conn->fd, &nowhere, sizeof(nowhere));
}

static ssize_t break_off(const struct sn_http_stream *stream, char *out)
{
	if (!stream->conn->gone)
		reset(stream->conn);
	return sn_http_conn_break(stream->conn, out);
}

static ssize_t stream_read(void *ctx, uint64_t position SN_UNUSED, char *out, size_t size)
{
	struct sn_http_stream *stream = ctx;

	stream->conn->daemon->progress++;
	if (stream->sent == stream->piece.n && stream->more > 0) {
		sn_buf_clear(&stream->piece);
		stream->sent = 0;
		stream->more = stream->produce(&stream->piece, stream->ctx);
	}
	if (stream->more < 0 || stream->conn->gone)
		return break_off(stream, out);
	if (stream->sent == stream->piece.n) {
		if (stream->more == SN_HTTP_LATER)
			sn_http_conn_suspend(stream->conn);
		return stream->more == 0 ? MHD_CONTENT_READER_END_OF_STREAM : 0;
	}
	size = SN_MIN(size, stream->piece.n - stream->sent);
	memcpy(out, stream->piece.p + stream->sent, size);
	stream->sent += size;
	return (ssize_t)size;
}

static void stream_free(void *ctx)
{
	struct sn_http_stream *stream = ctx;

	if (stream->release != NULL)
		stream->release(stream->ctx);
	sn_buf_finish(&stream->piece);
	free(stream);
}

struct sn_http_stream *sn_http_reply_stream(struct sn_http_request *request, unsigned status,
					    const char *content_type,
					    int (*produce)(struct sn_buf *out, void *ctx),
					    void (*release)(void *ctx), void *ctx)
{
	struct sn_http_stream *stream = sn_new(struct sn_http_stream);
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read, stream, stream_free);

	stream->conn = request->conn;
	stream->produce = produce;
	stream->release = release;
	stream->ctx = ctx;
	stream->more = 1;
	if (request->conn == NULL)
		stream = NULL; /* answering ends it */
	sn_http_answer(request, status, content_type, response);
	return stream;
}

void sn_http_stream_wake(struct sn_http_stream *stream)
{
	sn_http_conn_resume(stream->conn);
}

void sn_http_stream_break(struct sn_http_stream *stream)
{
	stream->more = -ECANCELED;
	reset(stream->conn);
	sn_http_conn_shutdown(stream->conn);
}

struct file {
	struct sn_http_conn *conn;
	int fd;
	uint64_t offset; /* of the answer's first byte */
};

static ssize_t file_read(void *ctx, uint64_t position, char *out, size_t size)
{
	struct file *file = ctx;
	ssize_t got = pread(file->fd, out, size, (off_t)(file->offset + position));

	file->conn->daemon->progress++;
	/* Shorter than it was said to be, or unreadable: the client must not take it for whole. */
	return got > 0 ? got : sn_http_conn_break(file->conn, out);
}

static void file_free(void *ctx)
{
	struct file *file = ctx;

	close(file->fd);
	free(file);
}

void sn_http_reply_part(struct sn_http_request *request, unsigned status, const char *content_type,
			int fd, uint64_t offset, uint64_t size)
{
	struct file *file = sn_new(struct file);

	file->conn = request->conn;
	file->fd = fd;
	file->offset = offset;
	sn_http_answer(
		request, status, content_type,
		MHD_create_response_from_callback(size, FILE_BLOCK, file_read, file, file_free));
}

void sn_http_reply_fd(struct sn_http_request *request, unsigned status, const char *content_type,
		      int fd, uint64_t size)
{
	sn_http_reply_part(request, status, content_type, fd, 0, size);
}
