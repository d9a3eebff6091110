/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server: HTTP/1.1 and HTTPS on the loop (libmicrohttpd in external epoll
 * mode): routes, bodies, streamed answers, server-sent events, and the verified
 * identity of the peer.
 *
 * Identity: with TLS, the peer's certificate is verified once per connection, before
 * any handler runs: signed by one of the CAs itself (other certificates that the peer
 * sends are not looked at: whoever trusts an intermediate CA gives that one), in date,
 * for clients.  sn_pki_info.issuer says which CA it was.  No certificate, a stranger's
 * or an expired one all mean "no identity" (sn_http_peer() gives NULL); what an
 * unidentified peer may do is the guard's decision.  A connection that is closed after
 * its handshake is nothing special: mPlane peers look at certificates that way.
 *
 * Routes: among the patterns that fit a path, one without "{rest*}" wins over one
 * with it, then the first in the table.  Segments are split before they are
 * decoded, so "%2F" inside a parameter is part of it; "." and "..", NUL and broken
 * percent codes are refused (400).
 *
 * Order for each request: route lookup (404, 405) -> guard, called with the
 * headers only, before any body byte is accepted -> body up to the route's limit
 * (413) -> handler.  The handler answers at once or later: a request stays valid
 * until it is answered or on_abandon says that the client went away.  (Without an
 * on_abandon it simply stays valid until it is answered.)
 *
 * Every answer carries nosniff, no-referrer and a Content-Security-Policy of
 * "default-src 'self'" unless the handler set those headers itself.
 *
 * The server may not be destroyed inside one of its own callbacks.
 */
#ifndef SONDE_NET_HTTP_SERVER_H
#define SONDE_NET_HTTP_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "net/addr.h"
#include "net/pki.h"

struct sn_http_server;
struct sn_http_request;

typedef void sn_http_handler_fn(struct sn_http_request *request, void *ctx);
/* 0 lets the request pass; otherwise the guard has answered it (sn_http_problem). */
typedef int sn_http_guard_fn(struct sn_http_request *request, void *ctx);

struct sn_http_route {
	const char *method;  /* "GET" also answers HEAD */
	const char *pattern; /* "/api/v1/nodes/{id}"; a last "{rest*}" matches the remaining path */
	sn_http_handler_fn *handle;
	size_t max_body; /* bytes; 0: no body accepted */
	unsigned access; /* meaning is the guard's: who may */
	const void *doc; /* for the API description; opaque here */
};

struct sn_http_config {
	const struct sn_http_route *routes;
	size_t route_count;
	sn_http_guard_fn *guard;  /* NULL: everything passes */
	void *ctx;                /* for guard and handlers */
	unsigned max_connections; /* 0: 10,000 or what the descriptor limit allows */
	unsigned idle_timeout_s;  /* between requests, and while nothing moves; 0: 60 */
	/* From the first byte to the end of the headers, TLS handshake included; 0: 30 s. */
	uint64_t header_timeout_ns;
	bool plain_anywhere; /* plain HTTP on any address: only for servers that keep no secret */
};

#define SN_HTTP_HEADER_MAX   (16 * 1024) /* request line and headers; it is the idle cost, too */
#define SN_HTTP_SEGMENTS_MAX 32          /* of a path */
#define SN_HTTP_PARAMS_MAX   8           /* of a pattern */
#define SN_HTTP_QUERY_MAX    64          /* name=value pairs */
/* A body must arrive faster than this on the whole, after a grace of header_timeout_ns. */
#define SN_HTTP_BODY_RATE_MIN 1024 /* bytes per second */
#define SN_HTTP_ANCHORS_MAX   64   /* fewer certificates than this in ca_pem and foreign_pem */

struct sn_http_server *sn_http_server_create(struct sn_loop *loop,
					     const struct sn_http_config *config);
/* Ends all connections; requests still unanswered get on_abandon. */
void sn_http_server_destroy(struct sn_http_server *server);

struct sn_http_tls {
	const char *cert_pem, *key_pem; /* chain and key of this server */
	const char *ca_pem;             /* whose clients get an identity; NULL: none */
	/*
	 * Further CAs, of others: of their clients only the subject counts, as they could write any
	 * URI or DNS name into a certificate.  NULL: none.
	 */
	const char *foreign_pem;
};

/*
 * Listen on `addr` (port 0: any free one, see `bound`) or, with fd >= 0, on that
 * listening socket.  tls NULL means plain HTTP, refused (-EPERM) unless the
 * address is loopback or the configuration says `plain_anywhere`.  May be called several times; all
 * listeners share the routes.
 */
int sn_http_server_listen(struct sn_http_server *server, const struct sn_addr *addr, int fd,
			  const struct sn_http_tls *tls, struct sn_addr *bound, struct sn_err *err);
/* New certificate for all TLS listeners; connections that are open live on. */
int sn_http_server_set_tls(struct sn_http_server *server, const struct sn_http_tls *tls,
			   struct sn_err *err);
/* Shuts down every connection whose verified peer `match` accepts; returns how many. */
unsigned sn_http_server_close_peers(struct sn_http_server *server,
				    bool (*match)(const struct sn_pki_info *peer, void *ctx),
				    void *ctx);
unsigned sn_http_server_connections(const struct sn_http_server *server);

/* The request ----------------------------------------------------------- */
const char *sn_http_method(const struct sn_http_request *request);
const char *sn_http_path(const struct sn_http_request *request); /* decoded */
const char *sn_http_param(const struct sn_http_request *request,
			  const char *name); /* of the pattern */
const char *sn_http_query(const struct sn_http_request *request,
			  const char *name); /* decoded; NULL */
/* Name of the query's parameter number `index`, NULL behind the last: to refuse unknown ones. */
const char *sn_http_query_name(const struct sn_http_request *request, unsigned index);
/* Its value, for names that may come several times; sn_http_query() gives the first. */
const char *sn_http_query_value(const struct sn_http_request *request, unsigned index);
const char *sn_http_header(const struct sn_http_request *request, const char *name);
const char *sn_http_cookie(const struct sn_http_request *request, const char *name);
struct sn_str sn_http_body(const struct sn_http_request *request);
/* The body, which is the caller's from then on: for who reads it elsewhere. */
struct sn_buf sn_http_take_body(struct sn_http_request *request);
const struct sn_http_route *sn_http_request_route(const struct sn_http_request *request);
const struct sn_pki_info *sn_http_peer(
	const struct sn_http_request *request); /* verified or NULL */
const struct sn_addr *sn_http_peer_addr(const struct sn_http_request *request);
bool sn_http_is_tls(const struct sn_http_request *request);
void *sn_http_user(const struct sn_http_request *request); /* what the guard stored */
void sn_http_set_user(struct sn_http_request *request, void *user, void (*release)(void *user));
/* Called instead of an answer being possible; the request is invalid afterwards. */
void sn_http_on_abandon(struct sn_http_request *request,
			void (*fn)(struct sn_http_request *request, void *ctx), void *ctx);

/* The answer: exactly one of these per request --------------------------- */
void sn_http_set_header(struct sn_http_request *request, const char *name, const char *value);
void sn_http_reply(struct sn_http_request *request, unsigned status, const char *content_type,
		   const void *body, size_t size); /* body is copied */
void sn_http_reply_json(struct sn_http_request *request, unsigned status,
			json_t *json); /* steals */
/* RFC 9457; `type` is the last part of the problem's URI, `detail` says what to do. */
void sn_http_problem(struct sn_http_request *request, unsigned status, const char *type,
		     const char *title, const char *detail_format, ...) SN_PRINTF(5, 6);
/* A file; the descriptor is taken over. */
void sn_http_reply_fd(struct sn_http_request *request, unsigned status, const char *content_type,
		      int fd, uint64_t size);
/*
 * A file, or the one part of it that the request asks for (RFC 9110, sections 13 and 14): 200, 206,
 * 412 or 416, by its headers Range, If-Range and If-Match.  `etag` with its quotes; may be NULL.
 * The descriptor is taken over.
 */
void sn_http_reply_file(struct sn_http_request *request, const char *content_type, int fd,
			uint64_t size, const char *etag);
/*
 * An answer of unknown length made piece by piece: `produce` appends to `out`
 * (aim at 64 KiB); returns 1 for more, 0 at the end, negative to break off, so that the
 * client sees that the answer is not whole.  SN_HTTP_LATER, with nothing appended: there is
 * nothing yet; the connection costs nothing until sn_http_stream_wake(), and a client that
 * goes away meanwhile is noticed.
 * `release` is called once at the end, whatever happened.  What is returned lives until then;
 * NULL if that is over already, as the client went away before.
 */
#define SN_HTTP_LATER 2
struct sn_http_stream;
struct sn_http_stream *sn_http_reply_stream(struct sn_http_request *request, unsigned status,
					    const char *content_type,
					    int (*produce)(struct sn_buf *out, void *ctx),
					    void (*release)(void *ctx), void *ctx);
/* `produce` has something again (or its end); harmless at any time.  On the loop. */
void sn_http_stream_wake(struct sn_http_stream *stream);
/* Breaks the answer off from outside, where its maker is not asked any more. */
void sn_http_stream_break(struct sn_http_stream *stream);

/* Server-sent events ----------------------------------------------------- */
struct sn_sse;
#define SN_SSE_BACKLOG_MAX (1024 * 1024) /* a slower reader than that is cut off */
/*
 * Answers the request with an event stream; `on_close` is called once when it is over.
 * NULL (and no on_close) when the client went away before and on_abandon was not used.
 */
struct sn_sse *sn_sse_open(struct sn_http_request *request,
			   void (*on_close)(struct sn_sse *sse, void *ctx), void *ctx);
/*
 * `event` and `id` may be NULL; neither may hold a line end (-EINVAL).  -EPIPE after
 * sn_sse_close() and for a reader that was cut off; on_close follows in both cases,
 * never inside this call.  A comment line is sent by itself every 15 s.
 */
int sn_sse_send(struct sn_sse *sse, const char *event, const char *id, struct sn_str data);
void sn_sse_close(struct sn_sse *sse); /* from our side; on_close follows */

#endif
