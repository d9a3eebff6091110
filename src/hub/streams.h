/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams: long answers that are made on threads of their own, as fast as their
 * clients take them and without holding them.
 *
 * The thread reads with a store of its own and hands pieces over through a bounded
 * queue; when that is full it waits, so that a slow client costs memory for the
 * queue only.  The answer begins with the first piece: what fails before it is an
 * ordinary problem document (-ENOENT of a maker is 404), what fails later breaks the connection
 * off, so that no client takes half an answer for a whole one.  A stream ends when its client goes
 * away and when the session or token that it was asked with is no good any more.
 *
 * Refusals: 503 `busy` when SN_STREAMS_MAX are under way, 429 `too-many-streams` when one
 * account has its share of them.
 */
#ifndef SONDE_HUB_STREAMS_H
#define SONDE_HUB_STREAMS_H

#include "base/buf.h"
#include "base/err.h"
#include "net/http_server.h"
#include "store/store.h"

#define SN_STREAMS_MAX        8
#define SN_STREAMS_PERSON_MAX 4
#define SN_STREAMS_HEAVY_MAX  2             /* of those that keep a lot in memory */
#define SN_STREAM_QUEUE_MAX   (1024 * 1024) /* bytes that wait for the client */
#define SN_STREAM_PIECE       (64 * 1024)   /* a good size to hand over at once */

struct sn_hub;
struct sn_streams;
struct sn_stream;

struct sn_stream_spec {
	const char *content_type;
	const char *encoding; /* Content-Encoding; a literal, NULL: none */
	const char *file;     /* name under which a browser saves it; NULL: it shows it */
	bool heavy;
	/* On the thread; 0, or a negative errno with the reason. */
	int (*make)(struct sn_stream *stream, struct sn_store *store, void *ctx,
		    struct sn_err *err);
	void (*release)(void *ctx); /* on the loop, when the thread has ended or there was none */
	void *ctx;
};

struct sn_streams *sn_streams_create(struct sn_hub *hub);
/* After the server, whose requests they answer; waits for the threads. */
void sn_streams_destroy(struct sn_streams *streams);
/* Answers the request, or refuses it; `ctx` is taken over in any case. */
void sn_streams_answer(struct sn_hub *hub, struct sn_http_request *request,
		       const struct sn_stream_spec *spec);
/* Ends those whose owners are shut out by now. */
void sn_streams_check(struct sn_streams *streams);
unsigned sn_streams_count(const struct sn_streams *streams);

/* On the thread ------------------------------------------------------------------ */
/* Whether the queue takes a piece: 0; -EAGAIN not within `wait_ns`; -ECANCELED nobody waits. */
int sn_stream_wait(struct sn_stream *stream, uint64_t wait_ns);
/* Takes the memory of `piece` and leaves it empty; waits as long as the queue is full. */
int sn_stream_push(struct sn_stream *stream, struct sn_buf *piece); /* 0, -ECANCELED */
bool sn_stream_cancelled(const struct sn_stream *stream);

#endif
