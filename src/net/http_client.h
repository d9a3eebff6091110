/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client: HTTP(S) requests on the loop (libcurl multi, GnuTLS flavour).
 *
 * One client holds connections and TLS identity; requests run concurrently and
 * each ends with exactly one on_done, unless it is cancelled.  Every call is
 * allowed inside the callbacks, sn_http_client_destroy() too.
 *
 * Redirects are not followed, proxies of the environment are not used, and only
 * http and https URLs are taken.  A client ignores SIGPIPE in its process.
 */
#ifndef SONDE_NET_HTTP_CLIENT_H
#define SONDE_NET_HTTP_CLIENT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

struct sn_http_client;
struct sn_http_fetch;

struct sn_http_client_config {
	const char *ca_file;   /* trust anchors; NULL: the system's */
	const char *cert_file; /* own certificate and key (files: see library notes); may be NULL */
	const char *key_file;
	const char *unix_socket; /* may be NULL */
	bool insecure;      /* no verification at all: only for fetching a CA that is checked by
			       fingerprint */
	bool no_name_check; /* whom the certificate names is not looked at, its chain and dates are:
			       for old PKIs whose certificates hold no names */
	const char *user_agent;
};

/* Texts are copied. */
struct sn_http_client *sn_http_client_create(struct sn_loop *loop,
					     const struct sn_http_client_config *config);
void sn_http_client_destroy(struct sn_http_client *client); /* cancels everything */
/* Closes idle connections, e.g. after the identity files were renewed. */
void sn_http_client_reset(struct sn_http_client *client);

#define SN_HTTP_CLIENT_BODY_MAX   (64 * 1024 * 1024) /* of an answer kept in memory */
#define SN_HTTP_CLIENT_HEADER_MAX (256 * 1024)

/*
 * What `error` can be: -ECONNREFUSED, -EHOSTUNREACH (also: name not found),
 * -ETIMEDOUT, -ECONNRESET, -EKEYREJECTED (we do not trust the peer's
 * certificate), -EACCES (the peer does not trust ours), -EMSGSIZE (over a limit),
 * -EPROTO (not HTTP or not TLS), -ECANCELED (on_data broke off), -EINVAL (our own
 * certificate, key or CA file cannot be used), -EIO (anything else).
 */
struct sn_http_answer {
	int error;         /* 0, or negative errno: no complete answer came */
	struct sn_err err; /* says why */
	unsigned status;
	struct sn_str body;              /* without what on_data took */
	const char *content_type, *etag; /* may be NULL */
	double retry_after_s;
};

typedef void sn_http_done_fn(struct sn_http_fetch *fetch, const struct sn_http_answer *answer,
			     void *ctx);
/* Pieces of a 2xx answer as they come; the body of any other is kept. Non-zero breaks off (on_done
 * follows with -ECANCELED). */
typedef int sn_http_data_fn(struct sn_http_fetch *fetch, struct sn_str piece, void *ctx);

struct sn_http_fetch_spec {
	const char *method, *url;
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const void *body;           /* copied */
	size_t body_size;
	uint64_t timeout_ns;      /* whole request; 0: 30 s; UINT64_MAX: none (streams) */
	uint64_t idle_timeout_ns; /* no byte for that long; 0: 60 s */
	size_t piece_max;         /* bytes of a piece for on_data; 0: libcurl's 16 KiB */
	sn_http_data_fn *on_data; /* may be NULL */
	sn_http_done_fn *on_done;
	void *ctx;
};

/* NULL only with an unusable URL or method; on_done is never called before this returns. */
struct sn_http_fetch *sn_http_fetch(struct sn_http_client *client,
				    const struct sn_http_fetch_spec *spec);
void sn_http_fetch_cancel(struct sn_http_fetch *fetch); /* no on_done */
/* In on_data and on_done: the status, 0 if none came; a header of the answer or NULL, borrowed. */
unsigned sn_http_fetch_status(const struct sn_http_fetch *fetch);
const char *sn_http_fetch_header(const struct sn_http_fetch *fetch, const char *name);

/* Reader of an event stream (text/event-stream): feed pieces, get events. */
struct sn_sse_reader;
typedef void sn_sse_event_fn(const char *event, const char *id, struct sn_str data, void *ctx);
#define SN_SSE_EVENT_MAX (1024 * 1024)
struct sn_sse_reader *sn_sse_reader_create(sn_sse_event_fn *fn, void *ctx);
void sn_sse_reader_destroy(struct sn_sse_reader *reader);
int sn_sse_reader_feed(struct sn_sse_reader *reader, struct sn_str piece); /* -EMSGSIZE */

/* Percent-encoding of one path segment or query value; appended. */
void sn_url_encode(struct sn_buf *out, struct sn_str text);

/*
 * What a problem document (RFC 9457) says to people, its detail or else its title, with blanks in
 * place of control characters and cut to fit; "" if `body` is none.  Returns `out`.
 */
#define SN_HTTP_SAID_MAX 256
const char *sn_http_problem_said(struct sn_str body, char out[SN_HTTP_SAID_MAX]);

#endif
