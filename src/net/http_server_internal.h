/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server_internal: what the files of the HTTP server share.
 *
 *   http_server.c   listeners, daemons and their place in the loop
 *   http_conn.c     connections: who is there, deadlines, departures, lingering close
 *   http_request.c  one request from its first line until an answer is queued
 *   http_answer.c   headers and bodies of answers
 *   http_range.c    parts of files
 *   http_route.c    paths and patterns; pure
 *   http_trust.c    whose certificate is an identity
 *   sse.c           event streams
 *
 * Lifetime: libmicrohttpd owns connections and says when one begins and ends; a
 * struct conn lives exactly as long.  A request lives from its first line until
 * libmicrohttpd reports it complete; it outlives that only when a handler still
 * owes the answer and did not ask to be told (`detached`).
 *
 * Suspension: a connection that waits for a late answer or for the next piece of
 * a stream is suspended; libmicrohttpd then neither reads it nor sees it end, so
 * the server watches it for departure by itself (http_conn.c).
 */
#ifndef SONDE_NET_HTTP_SERVER_INTERNAL_H
#define SONDE_NET_HTTP_SERVER_INTERNAL_H

#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/http_server.h"

/* Paths (http_route.c) ------------------------------------------------------ */

struct sn_http_pair {
	const char *name, *value;
};

struct sn_http_target { /* a request's path and query, decoded; zeroed is empty and valid */
	char *memory;
	const char *path;
	const char *segments[SN_HTTP_SEGMENTS_MAX];
	unsigned segment_count;
	struct sn_http_pair query[SN_HTTP_QUERY_MAX];
	unsigned query_count;
};

struct sn_http_match {
	const struct sn_http_route *route; /* NULL: no such path, or not with that method */
	bool path_known;
	struct sn_http_pair params[SN_HTTP_PARAMS_MAX]; /* names point into the pattern */
	size_t name_sizes[SN_HTTP_PARAMS_MAX];
	unsigned param_count;
	char *rest; /* owned: what "{rest*}" stands for; else NULL */
};

/* 0, or -EINVAL for a target that is refused whatever the routes are. */
int sn_http_target_parse(const char *uri, struct sn_http_target *target);
void sn_http_target_release(struct sn_http_target *target);
void sn_http_route_find(const struct sn_http_route *routes, size_t count, const char *method,
			const struct sn_http_target *target, struct sn_http_match *match);
void sn_http_match_release(struct sn_http_match *match);
/* The value of the Allow header for a path that is known. */
void sn_http_route_allow(const struct sn_http_route *routes, size_t count,
			 const struct sn_http_target *target, struct sn_buf *out);

/* Identity (http_trust.c) ----------------------------------------------------- */

struct sn_http_trust;
int sn_http_trust_create(const struct sn_http_tls *tls, struct sn_http_trust **trust,
			 struct sn_err *err);
void sn_http_trust_destroy(struct sn_http_trust *trust); /* NULL is fine */
/* The verified peer, malloc'ed; NULL: no identity. */
struct sn_pki_info *sn_http_trust_peer(const struct sn_http_trust *trust, gnutls_session_t session);

/* Server and listeners (http_server.c) --------------------------------------- */

struct sn_http_daemon { /* one libmicrohttpd daemon in the loop */
	struct sn_list link;
	struct sn_http_server *server;
	struct MHD_Daemon *mhd;
	bool tls;
	struct sn_http_trust *trust; /* NULL without TLS */
	unsigned connections;
	struct sn_io io;
	struct sn_timer timer;
	bool dirty;             /* something was resumed: run it before the loop sleeps */
	uint64_t progress;      /* counts our callbacks: how a run that did something is told */
	unsigned stalls;        /* runs in a row that did nothing and still asked for another */
	struct sn_list reading; /* connections in the middle of a handshake, headers or a body */
	struct sn_list working; /* ... of a handler or an answer */
	bool draining;          /* replaced: lives until its last connection is gone */
};

struct sn_http_server {
	struct sn_loop *loop;
	struct sn_http_config config;
	struct sn_list listeners; /* struct listener in http_server.c */
	struct sn_list daemons;
	struct sn_flush flush;
	bool running; /* inside libmicrohttpd */
	bool destroying;

	struct sn_list conns, strangers;
	unsigned conn_count;
	struct sn_timer sweep;

	int watch_fd; /* epoll: departures of suspended connections */
	struct sn_io watch_io;

	struct sn_list drains; /* sockets that linger, struct drain in http_conn.c */
	unsigned drain_count;
};

/* Look at the daemon again before the loop sleeps. */
void sn_http_daemon_wake(struct sn_http_daemon *daemon);

/* Connections (http_conn.c) --------------------------------------------------- */

enum sn_http_phase {
	SN_HTTP_FRESH,   /* nothing was asked yet */
	SN_HTTP_IDLE,    /* between requests */
	SN_HTTP_HEADERS, /* the request line is here */
	SN_HTTP_BODY,
	SN_HTTP_WORK, /* handler or answer */
};

struct sn_http_conn {
	struct sn_list link;
	struct sn_list reading; /* in its daemon's list */
	struct sn_list working; /* the same */
	struct sn_list strange; /* in its server's list, while nobody is known to be behind it */
	struct sn_http_server *server;
	struct sn_http_daemon *daemon;
	struct MHD_Connection *mhd;
	int fd;
	struct sn_addr addr;

	bool peer_known;          /* the certificate was looked at */
	struct sn_pki_info *peer; /* NULL: no identity */

	enum sn_http_phase phase;
	uint64_t phase_ns; /* when it began */
	uint64_t received; /* body bytes in this phase */
	struct sn_http_request *request;

	bool watched;   /* in watch_fd */
	bool suspended; /* by us */
	bool gone;      /* the peer left, or we cut it off */
	bool linger;    /* there may be unread bytes when it is closed */
};

int sn_http_conns_init(struct sn_http_server *server);
void sn_http_conns_finish(struct sn_http_server *server);
struct sn_http_conn *sn_http_conn_open(struct sn_http_daemon *daemon, struct MHD_Connection *mhd);
void sn_http_conn_close(struct sn_http_conn *conn);
struct sn_http_conn *sn_http_conn_of(struct MHD_Connection *mhd);
void sn_http_conn_phase(struct sn_http_conn *conn, enum sn_http_phase phase);
/* Has the client sent something that was not read yet? */
bool sn_http_conn_has_unread(const struct sn_http_conn *conn);
/* Is an answer on its way that the socket would take more of? */
bool sn_http_conn_can_send(const struct sn_http_conn *conn);
/* Only inside a callback of libmicrohttpd for this connection. */
void sn_http_conn_suspend(struct sn_http_conn *conn);
void sn_http_conn_resume(struct sn_http_conn *conn); /* harmless when not suspended */
/* Cuts the connection off; libmicrohttpd notices before the turn ends. */
void sn_http_conn_shutdown(struct sn_http_conn *conn);
/*
 * How a content reader ends a connection in the middle of a body: with one byte
 * into a socket that takes none.  libmicrohttpd's own way, END_WITH_ERROR, leaves
 * a connection that was just resumed in its lists until a timeout finds it there.
 */
ssize_t sn_http_conn_break(struct sn_http_conn *conn, char *out);
/* The verified peer, looked up once per connection. */
const struct sn_pki_info *sn_http_conn_peer(struct sn_http_conn *conn);

/* Requests (http_request.c) ----------------------------------------------------- */

#define SN_HTTP_METHOD_MAX 16

enum sn_http_request_state {
	SN_HTTP_REQUEST_NEW,
	SN_HTTP_REQUEST_BODY,    /* its body is wanted */
	SN_HTTP_REQUEST_DISCARD, /* its body is dropped, the answer is there */
	SN_HTTP_REQUEST_WORK,    /* with the handler, or answered and not yet queued */
	SN_HTTP_REQUEST_QUEUED,
};

struct sn_http_answer_header {
	char *name, *value;
};

struct sn_http_request {
	struct sn_http_server *server;
	struct sn_http_conn *conn; /* NULL: detached, the client is gone */
	enum sn_http_request_state state;
	bool in_step, handled, answered, tls;
	char method[SN_HTTP_METHOD_MAX + 1];
	struct sn_addr addr;

	int target_error;
	struct sn_http_target target;
	struct sn_http_match match;

	bool has_body, expects_continue;
	uint64_t length; /* declared; MHD_SIZE_UNKNOWN when chunked */
	struct sn_buf body;

	struct sn_http_answer_header *headers;
	unsigned header_count;
	struct MHD_Response *response;
	unsigned status;

	void *user;
	void (*release_user)(void *user);
	void (*abandon)(struct sn_http_request *request, void *ctx);
	void *abandon_ctx;
};

void *sn_http_request_begin(void *server, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result sn_http_request_step(void *server, struct MHD_Connection *mhd, const char *url,
				     const char *method, const char *version, const char *data,
				     size_t *size, void **request);
void sn_http_request_end(void *server, struct MHD_Connection *mhd, void **request,
			 enum MHD_RequestTerminationCode reason);
void sn_http_request_free(struct sn_http_request *request);
struct sn_http_conn *sn_http_request_conn(const struct sn_http_request *request); /* or NULL */

/* Answers (http_answer.c) ---------------------------------------------------------- */

/* The bytes of a file from `offset` on; the descriptor is taken over. */
void sn_http_reply_part(struct sn_http_request *request, unsigned status, const char *content_type,
			int fd, uint64_t offset, uint64_t size);
enum sn_http_range { SN_HTTP_RANGE_ALL, SN_HTTP_RANGE_PART, SN_HTTP_RANGE_NONE };
/* What a Range header (NULL: none) wants of `size` bytes; more parts than one mean all of it. */
enum sn_http_range sn_http_range_read(const char *header, uint64_t size, uint64_t *offset,
				      uint64_t *length);
/* Takes `response` over as the answer, whenever that is. */
void sn_http_answer(struct sn_http_request *request, unsigned status, const char *content_type,
		    struct MHD_Response *response);
/* The same from inside sn_http_request_step(), which will see to the rest. */
void sn_http_answer_early(struct sn_http_request *request, unsigned status,
			  const char *content_type, struct MHD_Response *response);
/* sn_http_problem() from inside sn_http_request_step(). */
void sn_http_refuse(struct sn_http_request *request, unsigned status, const char *type,
		    const char *title, const char *detail_format, ...) SN_PRINTF(5, 6);
/* A problem as it goes over the wire, from the status line on; the connection ends with it. */
void sn_http_raw_problem(struct sn_buf *out, unsigned status, const char *type, const char *title,
			 const char *detail);

#endif
