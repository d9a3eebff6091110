/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request: libmicrohttpd calls sn_http_request_begin() with the first line,
 * then sn_http_request_step() with the headers, with each piece of the body, at
 * its end, and again whenever the connection is resumed.
 *
 * Refusing early: an answer that is queued before the body has been read makes
 * libmicrohttpd close the connection afterwards.  That is right for a large body
 * and for a client that waits for "100 Continue"; a small body that is on its way
 * anyhow is read and dropped instead, so that the connection lives on.
 */
#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/http_server_internal.h"

#define METHOD_MAX       16
#define DISCARD_MAX      (64 * 1024)
#define STREAM_BLOCK     4096 /* for HTTP/1.0 clients only; chunks fill the connection's memory */
#define FILE_BLOCK       65536
#define PROBLEM_TEXT_MAX 1024
#define PROBLEM_TYPE     "application/problem+json"

enum request_state {
	REQUEST_NEW,
	REQUEST_BODY,    /* its body is wanted */
	REQUEST_DISCARD, /* its body is dropped, the answer is there */
	REQUEST_WORK,    /* with the handler, or answered and not yet queued */
	REQUEST_QUEUED,
};

struct answer_header {
	char *name, *value;
};

struct sn_http_request {
	struct sn_http_server *server;
	struct sn_http_conn *conn; /* NULL: detached, the client is gone */
	enum request_state state;
	bool in_step, handled, answered, tls;
	char method[METHOD_MAX + 1];
	struct sn_addr addr;

	int target_error;
	struct sn_http_target target;
	struct sn_http_match match;

	bool has_body, expects_continue;
	uint64_t length; /* declared; MHD_SIZE_UNKNOWN when chunked */
	struct sn_buf body;

	struct answer_header *headers;
	unsigned header_count;
	struct MHD_Response *response;
	unsigned status;

	void *user;
	void (*release_user)(void *user);
	void (*abandon)(struct sn_http_request *request, void *ctx);
	void *abandon_ctx;
};

/* Asking ------------------------------------------------------------------------- */

const char *sn_http_method(const struct sn_http_request *request)
{
	return request->method;
}

const char *sn_http_path(const struct sn_http_request *request)
{
	return request->target.path != NULL ? request->target.path : "";
}

const char *sn_http_param(const struct sn_http_request *request, const char *name)
{
	const struct sn_http_match *match = &request->match;

	for (unsigned i = 0; i < match->param_count; i++) {
		if (strlen(name) == match->name_sizes[i] &&
		    memcmp(name, match->params[i].name, match->name_sizes[i]) == 0)
			return match->params[i].value;
	}
	return NULL;
}

const char *sn_http_query(const struct sn_http_request *request, const char *name)
{
	for (unsigned i = 0; i < request->target.query_count; i++) {
		if (strcmp(name, request->target.query[i].name) == 0)
			return request->target.query[i].value;
	}
	return NULL;
}

const char *sn_http_query_name(const struct sn_http_request *request, unsigned index)
{
	return index < request->target.query_count ? request->target.query[index].name : NULL;
}

static const char *lookup(const struct sn_http_request *request, enum MHD_ValueKind kind,
			  const char *name)
{
	if (request->conn == NULL)
		return NULL;
	return MHD_lookup_connection_value(request->conn->mhd, kind, name);
}

const char *sn_http_header(const struct sn_http_request *request, const char *name)
{
	return lookup(request, MHD_HEADER_KIND, name);
}

const char *sn_http_cookie(const struct sn_http_request *request, const char *name)
{
	return lookup(request, MHD_COOKIE_KIND, name);
}

struct sn_str sn_http_body(const struct sn_http_request *request)
{
	return sn_buf_str(&request->body);
}

const struct sn_http_route *sn_http_request_route(const struct sn_http_request *request)
{
	return request->match.route;
}

const struct sn_pki_info *sn_http_peer(const struct sn_http_request *request)
{
	return request->conn != NULL ? sn_http_conn_peer(request->conn) : NULL;
}

const struct sn_addr *sn_http_peer_addr(const struct sn_http_request *request)
{
	return &request->addr;
}

bool sn_http_is_tls(const struct sn_http_request *request)
{
	return request->tls;
}

void *sn_http_user(const struct sn_http_request *request)
{
	return request->user;
}

void sn_http_set_user(struct sn_http_request *request, void *user, void (*release)(void *user))
{
	if (request->release_user != NULL)
		request->release_user(request->user);
	request->user = user;
	request->release_user = release;
}

void sn_http_on_abandon(struct sn_http_request *request,
			void (*fn)(struct sn_http_request *request, void *ctx), void *ctx)
{
	request->abandon = fn;
	request->abandon_ctx = ctx;
}

struct sn_http_conn *sn_http_request_conn(const struct sn_http_request *request)
{
	return request->conn;
}

static void request_free(struct sn_http_request *request)
{
	if (request->release_user != NULL)
		request->release_user(request->user);
	if (request->response != NULL)
		MHD_destroy_response(request->response);
	for (unsigned i = 0; i < request->header_count; i++) {
		free(request->headers[i].name);
		free(request->headers[i].value);
	}
	free(request->headers);
	sn_buf_finish(&request->body);
	sn_http_match_release(&request->match);
	sn_http_target_release(&request->target);
	free(request);
}

/* Answering ---------------------------------------------------------------------- */

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
		struct answer_header *header = &request->headers[i];

		if (strcasecmp(header->name, name) == 0) {
			free(header->value);
			header->value = sn_xstrdup(value);
			return;
		}
	}
	request->headers =
		sn_xrealloc(request->headers, request->header_count + 1, sizeof(*request->headers));
	request->headers[request->header_count++] =
		(struct answer_header){sn_xstrdup(name), sn_xstrdup(value)};
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

static void set_answer(struct sn_http_request *request, unsigned status, const char *content_type,
		       struct MHD_Response *response)
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
	set_answer(request, status, content_type, response);
	if (request->conn == NULL)
		request_free(request); /* detached: nobody waits for it */
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

struct stream {
	struct sn_http_conn *conn;
	int (*produce)(struct sn_buf *out, void *ctx);
	void (*release)(void *ctx);
	void *ctx;
	struct sn_buf piece;
	size_t sent; /* of piece */
	int more;    /* what produce said */
};

static ssize_t stream_read(void *ctx, uint64_t position SN_UNUSED, char *out, size_t size)
{
	struct stream *stream = ctx;

	stream->conn->daemon->progress++;
	if (stream->sent == stream->piece.n && stream->more > 0) {
		sn_buf_clear(&stream->piece);
		stream->sent = 0;
		stream->more = stream->produce(&stream->piece, stream->ctx);
	}
	if (stream->more < 0 || stream->conn->gone)
		return sn_http_conn_break(stream->conn, out);
	if (stream->sent == stream->piece.n)
		return stream->more == 0 ? MHD_CONTENT_READER_END_OF_STREAM : 0;
	size = SN_MIN(size, stream->piece.n - stream->sent);
	memcpy(out, stream->piece.p + stream->sent, size);
	stream->sent += size;
	return (ssize_t)size;
}

static void stream_free(void *ctx)
{
	struct stream *stream = ctx;

	if (stream->release != NULL)
		stream->release(stream->ctx);
	sn_buf_finish(&stream->piece);
	free(stream);
}

void sn_http_reply_stream(struct sn_http_request *request, unsigned status,
			  const char *content_type, int (*produce)(struct sn_buf *out, void *ctx),
			  void (*release)(void *ctx), void *ctx)
{
	struct stream *stream = sn_new(struct stream);

	stream->conn = request->conn;
	stream->produce = produce;
	stream->release = release;
	stream->ctx = ctx;
	stream->more = 1;
	sn_http_answer(request, status, content_type,
		       MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
							 stream_read, stream, stream_free));
}

struct file {
	struct sn_http_conn *conn;
	int fd;
};

static ssize_t file_read(void *ctx, uint64_t position, char *out, size_t size)
{
	struct file *file = ctx;
	ssize_t got = pread(file->fd, out, size, (off_t)position);

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

void sn_http_reply_fd(struct sn_http_request *request, unsigned status, const char *content_type,
		      int fd, uint64_t size)
{
	struct file *file = sn_new(struct file);

	file->conn = request->conn;
	file->fd = fd;
	sn_http_answer(
		request, status, content_type,
		MHD_create_response_from_callback(size, FILE_BLOCK, file_read, file, file_free));
}

/* From headers to answer --------------------------------------------------------- */

static enum MHD_Result queue_answer(struct sn_http_request *request)
{
	enum MHD_Result result =
		MHD_queue_response(request->conn->mhd, request->status, request->response);

	MHD_destroy_response(request->response); /* our reference; the connection has its own */
	request->response = NULL;
	request->state = REQUEST_QUEUED;
	return result;
}

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind SN_UNUSED, const char *name,
				    const char *value SN_UNUSED)
{
	unsigned *counts = ctx;

	counts[0] += strcasecmp(name, "Content-Length") == 0;
	counts[1] += strcasecmp(name, "Transfer-Encoding") == 0;
	return MHD_YES;
}

/* The same as sn_http_problem(), for the server's own answers. */
static void SN_PRINTF(5, 6)
	refuse(struct sn_http_request *request, unsigned status, const char *type,
	       const char *title, const char *detail_format, ...)
{
	va_list args;

	va_start(args, detail_format);
	set_answer(request, status, PROBLEM_TYPE,
		   problem_response(status, type, title, detail_format, args));
	va_end(args);
}

/* How the body is framed; anything that two readers could understand differently is refused. */
static bool read_framing(struct sn_http_request *request)
{
	const char *encoding = sn_http_header(request, "Transfer-Encoding");
	const char *length = sn_http_header(request, "Content-Length");
	const char *expect = sn_http_header(request, "Expect");
	unsigned counts[2] = {0, 0};

	MHD_get_connection_values(request->conn->mhd, MHD_HEADER_KIND, count_header, counts);
	/* Until it is known better: a body of unknown length, which ends the connection. */
	request->has_body = encoding != NULL || length != NULL;
	request->length = MHD_SIZE_UNKNOWN;
	if (counts[0] + counts[1] > 1) {
		refuse(request, 400, "bad-framing", "Bad request",
		       "the length of the body is given more than once");
		return false;
	}
	if (encoding != NULL && strcasecmp(encoding, "chunked") != 0) {
		refuse(request, 501, "bad-framing", "Not implemented",
		       "the only transfer encoding known here is chunked");
		return false;
	}
	if (length != NULL &&
	    sn_parse_u64(sn_str(length), 0, UINT64_MAX - 1, &request->length) != 0) {
		refuse(request, 400, "bad-framing", "Bad request",
		       "the Content-Length is not a number");
		return false;
	}
	if (length == NULL && encoding == NULL)
		request->length = 0;
	request->has_body = request->length > 0;
	request->expects_continue = expect != NULL && strcasecmp(expect, "100-continue") == 0;
	return true;
}

static bool find_route(struct sn_http_request *request)
{
	const struct sn_http_config *config = &request->server->config;
	struct sn_buf allow = {0};

	sn_http_route_find(config->routes, config->route_count, request->method, &request->target,
			   &request->match);
	if (request->match.route != NULL)
		return true;
	if (!request->match.path_known) {
		refuse(request, 404, "not-found", "Not found", "there is nothing at '%s'",
		       sn_http_path(request));
		return false;
	}
	sn_http_route_allow(config->routes, config->route_count, &request->target, &allow);
	sn_http_set_header(request, "Allow", sn_buf_cstr(&allow));
	refuse(request, 405, "method-not-allowed", "Method not allowed", "'%s' takes %s, not %s",
	       sn_http_path(request), sn_buf_cstr(&allow), request->method);
	sn_buf_finish(&allow);
	return false;
}

static void problem_too_large(const struct sn_http_request *request, char *out, size_t size)
{
	size_t max = request->match.route->max_body;

	if (max == 0)
		snprintf(out, size, "this request takes no body");
	else
		snprintf(out, size, "the body may have at most %zu bytes (send it in parts)", max);
}

/* Everything that can be decided from the headers; false when it is answered. */
static bool admit(struct sn_http_request *request, const char *method)
{
	const struct sn_http_config *config = &request->server->config;
	char detail[PROBLEM_TEXT_MAX];

	if (!read_framing(request))
		return false;
	if (strlen(method) > METHOD_MAX) {
		refuse(request, 501, "method-unknown", "Not implemented", "no such method");
		return false;
	}
	memcpy(request->method, method, strlen(method) + 1);
	if (request->target_error != 0) {
		refuse(request, 400, "bad-path", "Bad request",
		       "the path or the query cannot be decoded");
		return false;
	}
	if (!find_route(request))
		return false;
	if (config->guard != NULL && config->guard(request, config->ctx) != 0) {
		assert(request->answered);
		return false;
	}
	if (request->has_body && request->length != MHD_SIZE_UNKNOWN &&
	    request->length > request->match.route->max_body) {
		problem_too_large(request, detail, sizeof(detail));
		refuse(request, 413, "body-too-large", "Content too large", "%s", detail);
		return false;
	}
	return true;
}

/* The answer came before the body. */
static enum MHD_Result answer_early(struct sn_http_request *request)
{
	if (!request->has_body) {
		/* Queued at the end of the request, else libmicrohttpd would close. */
		request->state = REQUEST_WORK;
		return MHD_YES;
	}
	if (!request->expects_continue && request->length <= DISCARD_MAX) {
		request->state = REQUEST_DISCARD;
		sn_http_conn_phase(request->conn, SN_HTTP_BODY);
		return MHD_YES;
	}
	request->conn->linger = true;
	return queue_answer(request);
}

static enum MHD_Result step_headers(struct sn_http_request *request, const char *method)
{
	struct sn_http_conn *conn = request->conn;

	sn_http_conn_phase(conn, SN_HTTP_WORK);
	sn_http_conn_peer(conn);
	if (!admit(request, method))
		return answer_early(request);
	request->state = REQUEST_BODY;
	if (request->has_body)
		sn_http_conn_phase(conn, SN_HTTP_BODY);
	return MHD_YES;
}

/*
 * A body without a declared length turned out too long.  libmicrohttpd takes no
 * answer in the middle of a body, so it is written past it; nothing else has been
 * written for this request, and the connection ends with it.
 */
static void refuse_midway(struct sn_http_request *request)
{
	struct sn_http_conn *conn = request->conn;
	struct sn_buf body = {0}, out = {0};
	char detail[PROBLEM_TEXT_MAX];

	problem_too_large(request, detail, sizeof(detail));
	write_problem(&body, 413, "body-too-large", "Content too large", detail);
	sn_buf_adds(&out, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
			  "Content-Type: " PROBLEM_TYPE "\r\n");
	for (size_t i = 0; i < SN_COUNT(security_headers); i++)
		sn_buf_addf(&out, "%s: %s\r\n", security_headers[i].name,
			    security_headers[i].value);
	sn_buf_addf(&out, "Content-Length: %zu\r\n\r\n", body.n);
	sn_buf_add(&out, body.p, body.n);
	if (request->tls) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

		gnutls_record_send(info->tls_session, out.p, out.n);
	} else {
		send(conn->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	conn->linger = true;
	request->answered = true;
	request->state = REQUEST_QUEUED;
	sn_buf_finish(&body);
	sn_buf_finish(&out);
}

static enum MHD_Result step_piece(struct sn_http_request *request, const char *data, size_t *size)
{
	request->conn->received += *size;
	if (request->state == REQUEST_BODY) {
		if (*size > request->match.route->max_body - request->body.n) {
			refuse_midway(request);
			return MHD_NO;
		}
		sn_buf_add(&request->body, data, *size);
	}
	*size = 0;
	return MHD_YES;
}

static enum MHD_Result step_work(struct sn_http_request *request)
{
	if (request->conn->gone)
		return MHD_NO;
	if (request->answered)
		return queue_answer(request);
	if (request->handled)
		return MHD_NO; /* resumed without an answer: it is being cut off */
	request->handled = true;
	request->match.route->handle(request, request->server->config.ctx);
	if (request->answered)
		return queue_answer(request);
	sn_http_conn_suspend(request->conn);
	return MHD_YES;
}

enum MHD_Result sn_http_request_step(void *server SN_UNUSED, struct MHD_Connection *mhd SN_UNUSED,
				     const char *url SN_UNUSED, const char *method,
				     const char *version SN_UNUSED, const char *data, size_t *size,
				     void **context)
{
	struct sn_http_request *request = *context;
	enum MHD_Result result;

	request->conn->daemon->progress++;
	request->in_step = true;
	if (request->state == REQUEST_NEW) {
		result = step_headers(request, method);
	} else if (*size > 0) {
		result = step_piece(request, data, size);
	} else {
		if (request->state != REQUEST_WORK)
			sn_http_conn_phase(request->conn, SN_HTTP_WORK);
		request->state = REQUEST_WORK;
		result = step_work(request);
	}
	request->in_step = false;
	return result;
}

void *sn_http_request_begin(void *server, const char *uri, struct MHD_Connection *mhd)
{
	struct sn_http_request *request = sn_new(struct sn_http_request);
	struct sn_http_conn *conn = sn_http_conn_of(mhd);

	request->server = server;
	request->conn = conn;
	request->tls = conn->daemon->tls;
	request->addr = conn->addr;
	request->target_error = sn_http_target_parse(uri != NULL ? uri : "", &request->target);
	conn->request = request;
	conn->daemon->progress++;
	sn_http_conn_phase(conn, SN_HTTP_HEADERS);
	return request;
}

void sn_http_request_end(void *server SN_UNUSED, struct MHD_Connection *mhd SN_UNUSED,
			 void **context, enum MHD_RequestTerminationCode reason SN_UNUSED)
{
	struct sn_http_request *request = *context;

	*context = NULL;
	if (request == NULL)
		return;
	request->conn->request = NULL;
	sn_http_conn_phase(request->conn, SN_HTTP_IDLE);
	request->conn = NULL;
	if (!request->handled || request->answered) {
		request_free(request);
	} else if (request->abandon != NULL) {
		request->abandon(request, request->abandon_ctx);
		request_free(request);
	}
	/* Else the handler still owes an answer and will find that nobody waits for it. */
}
