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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/http_server_internal.h"

#define DISCARD_MAX (64 * 1024) /* of a body that nobody wants, before it costs the connection */
#define DETAIL_MAX  128

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

const char *sn_http_query_value(const struct sn_http_request *request, unsigned index)
{
	return index < request->target.query_count ? request->target.query[index].value : NULL;
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

struct sn_buf sn_http_take_body(struct sn_http_request *request)
{
	struct sn_buf body = request->body;

	request->body = (struct sn_buf){0};
	return body;
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

void sn_http_request_free(struct sn_http_request *request)
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

/* From headers to answer --------------------------------------------------------- */

static enum MHD_Result queue_answer(struct sn_http_request *request)
{
	enum MHD_Result result =
		MHD_queue_response(request->conn->mhd, request->status, request->response);

	MHD_destroy_response(request->response); /* our reference; the connection has its own */
	request->response = NULL;
	request->state = SN_HTTP_REQUEST_QUEUED;
	return result;
}

static bool is_token(struct sn_str text)
{
	/* RFC 9110, section 5.6.2. */
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return strspn(text.p, allowed) == text.n;
}

/*
 * Is this field what its sender's line says?  libmicrohttpd 0.9 takes blanks before the colon into
 * the name, and what follows on a folded line, which moves it away from its value; a value ends for
 * it at NUL.  It clears the two characters of a line's end, so that what is behind a value is in
 * bounds.
 */
static bool is_plain_line(const char *name, const char *value)
{
	struct sn_str text = sn_str(name);
	uintptr_t colon = (uintptr_t)name + text.n, begin = (uintptr_t)value;

	return is_token(text) && colon < begin && begin - colon <= SN_HTTP_HEADER_MAX &&
	       strspn(name + text.n + 1, " \t") == begin - colon - 1 &&
	       value[strlen(value) + 1] == '\0' && strchr(value, '\r') == NULL;
}

struct fields {
	unsigned lengths, hosts;
	bool odd;
};

static enum MHD_Result look_at_field(void *ctx, enum MHD_ValueKind kind SN_UNUSED, const char *name,
				     const char *value)
{
	struct fields *fields = ctx;

	fields->lengths += strcasecmp(name, "Content-Length") == 0 ||
			   strcasecmp(name, "Transfer-Encoding") == 0;
	fields->hosts += strcasecmp(name, "Host") == 0;
	fields->odd = fields->odd || value == NULL || !is_plain_line(name, value);
	return MHD_YES;
}

/* How the body is framed; anything that two readers could understand differently is refused. */
static bool read_framing(struct sn_http_request *request)
{
	const char *encoding = sn_http_header(request, "Transfer-Encoding");
	const char *length = sn_http_header(request, "Content-Length");
	const char *expect = sn_http_header(request, "Expect");
	struct fields fields = {0};

	MHD_get_connection_values(request->conn->mhd, MHD_HEADER_KIND, look_at_field, &fields);
	/* Until it is known better: a body of unknown length, which ends the connection. */
	request->has_body = encoding != NULL || length != NULL;
	request->length = MHD_SIZE_UNKNOWN;
	if (fields.odd || fields.hosts > 1) {
		/* Who knows where the next request begins. */
		sn_http_set_header(request, "Connection", "close");
		sn_http_refuse(
			request, 400, "bad-framing", "Bad request", "%s",
			fields.odd ? "a header line is folded, ends with a bare line feed, holds "
				     "a control character, or has no plain name before its colon"
				   : "there is more than one Host");
		return false;
	}
	if (fields.lengths > 1) {
		sn_http_refuse(request, 400, "bad-framing", "Bad request",
			       "the length of the body is given more than once");
		return false;
	}
	if (encoding != NULL && strcasecmp(encoding, "chunked") != 0) {
		sn_http_refuse(request, 501, "bad-framing", "Not implemented",
			       "the only transfer encoding known here is chunked");
		return false;
	}
	if (length != NULL &&
	    sn_parse_u64(sn_str(length), 0, UINT64_MAX - 1, &request->length) != 0) {
		sn_http_refuse(request, 400, "bad-framing", "Bad request",
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
		sn_http_refuse(request, 404, "not-found", "Not found", "there is nothing at '%s'",
			       sn_http_path(request));
		return false;
	}
	sn_http_route_allow(config->routes, config->route_count, &request->target, &allow);
	sn_http_set_header(request, "Allow", sn_buf_cstr(&allow));
	sn_http_refuse(request, 405, "method-not-allowed", "Method not allowed",
		       "'%s' takes %s, not %s", sn_http_path(request), sn_buf_cstr(&allow),
		       request->method);
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
	char detail[DETAIL_MAX];

	if (!read_framing(request))
		return false;
	if (strlen(method) > SN_HTTP_METHOD_MAX) {
		sn_http_refuse(request, 501, "method-unknown", "Not implemented", "no such method");
		return false;
	}
	memcpy(request->method, method, strlen(method) + 1);
	if (request->target_error != 0) {
		sn_http_refuse(request, 400, "bad-path", "Bad request",
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
		sn_http_refuse(request, 413, "body-too-large", "Content too large", "%s", detail);
		return false;
	}
	return true;
}

/* The answer came before the body. */
static enum MHD_Result answer_early(struct sn_http_request *request)
{
	if (!request->has_body) {
		/* Queued at the end of the request, else libmicrohttpd would close. */
		request->state = SN_HTTP_REQUEST_WORK;
		return MHD_YES;
	}
	if (!request->expects_continue && request->length <= DISCARD_MAX) {
		request->state = SN_HTTP_REQUEST_DISCARD;
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
	request->state = SN_HTTP_REQUEST_BODY;
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
	struct sn_buf out = {0};
	char detail[DETAIL_MAX];

	problem_too_large(request, detail, sizeof(detail));
	sn_http_raw_problem(&out, 413, "body-too-large", "Content too large", detail);
	if (request->tls) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(conn->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

		gnutls_record_send(info->tls_session, out.p, out.n);
	} else {
		send(conn->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	conn->linger = true;
	request->answered = true;
	request->state = SN_HTTP_REQUEST_QUEUED;
	sn_buf_finish(&out);
}

static enum MHD_Result step_piece(struct sn_http_request *request, const char *data, size_t *size)
{
	request->conn->received += *size;
	if (request->state == SN_HTTP_REQUEST_BODY) {
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
	if (request->state == SN_HTTP_REQUEST_NEW) {
		result = step_headers(request, method);
	} else if (*size > 0) {
		result = step_piece(request, data, size);
	} else {
		if (request->state != SN_HTTP_REQUEST_WORK)
			sn_http_conn_phase(request->conn, SN_HTTP_WORK);
		request->state = SN_HTTP_REQUEST_WORK;
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
		sn_http_request_free(request);
	} else if (request->abandon != NULL) {
		request->abandon(request, request->abandon_ctx);
		sn_http_request_free(request);
	}
	/* Else the handler still owes an answer and will find that nobody waits for it. */
}
