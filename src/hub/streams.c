/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "streams"
#include "hub/streams.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/api/api.h"

struct piece {
	struct sn_list link;
	struct sn_buf bytes;
};

struct sn_stream {
	struct sn_list link;
	struct sn_streams *streams;
	struct sn_stream_spec spec;
	char *content_type, *file;
	struct sn_who who;
	struct sn_reader reader;
	pthread_t thread;
	atomic_bool cancelled;

	/* Of the loop. */
	struct sn_http_request *request; /* not answered yet; NULL: answered, or nobody waits */
	struct sn_http_stream *http;     /* while the answer is being sent */
	bool joined;

	/* Of both, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct sn_list pieces;
	size_t queued; /* bytes in them */
	bool ended;    /* the thread is through */
	struct sn_err err;
};

struct sn_streams {
	struct sn_hub *hub;
	struct sn_list list;
	unsigned count, heavy;
	int event; /* threads write to it when there is news for the loop */
	struct sn_io io;
};

/* The thread's side ------------------------------------------------------------------ */

static void tell_loop(const struct sn_streams *streams)
{
	uint64_t one = 1;

	while (write(streams->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

bool sn_stream_cancelled(const struct sn_stream *stream)
{
	return atomic_load(&stream->cancelled);
}

static struct timespec deadline_after(uint64_t wait_ns)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	wait_ns += (uint64_t)at.tv_nsec;
	at.tv_sec += (time_t)(wait_ns / SN_NS_PER_S);
	at.tv_nsec = (long)(wait_ns % SN_NS_PER_S);
	return at;
}

/* With the lock held. */
static int wait_for_room(struct sn_stream *stream, const struct timespec *end)
{
	int rc = 0;

	while (!sn_stream_cancelled(stream) && stream->queued >= SN_STREAM_QUEUE_MAX && rc == 0)
		rc = end != NULL ? pthread_cond_timedwait(&stream->room, &stream->lock, end)
				 : pthread_cond_wait(&stream->room, &stream->lock);
	if (sn_stream_cancelled(stream))
		return -ECANCELED;
	return stream->queued < SN_STREAM_QUEUE_MAX ? 0 : -EAGAIN;
}

int sn_stream_wait(struct sn_stream *stream, uint64_t wait_ns)
{
	struct timespec end = deadline_after(wait_ns);
	int rc;

	pthread_mutex_lock(&stream->lock);
	rc = wait_for_room(stream, &end);
	pthread_mutex_unlock(&stream->lock);
	return rc;
}

int sn_stream_push(struct sn_stream *stream, struct sn_buf *bytes)
{
	struct piece *piece;
	int rc;

	if (bytes->n == 0)
		return sn_stream_cancelled(stream) ? -ECANCELED : 0;
	pthread_mutex_lock(&stream->lock);
	rc = wait_for_room(stream, NULL);
	if (rc == 0) {
		piece = sn_new(struct piece);
		piece->bytes = *bytes;
		*bytes = (struct sn_buf){0};
		stream->queued += piece->bytes.n;
		sn_list_append(&stream->pieces, &piece->link);
	}
	pthread_mutex_unlock(&stream->lock);
	if (rc == 0)
		tell_loop(stream->streams);
	return rc;
}

static void *run(void *arg)
{
	struct sn_stream *stream = arg;
	struct sn_err err = {0};
	int rc = stream->spec.make(stream, stream->reader.store, stream->spec.ctx, &err);

	if (rc != 0 && err.code == 0)
		sn_err_set(&err, rc, "the answer broke off");
	pthread_mutex_lock(&stream->lock);
	stream->err = err;
	stream->ended = true;
	pthread_mutex_unlock(&stream->lock);
	tell_loop(stream->streams);
	return NULL;
}

/* The loop's side -------------------------------------------------------------------- */

static void cancel(struct sn_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	atomic_store(&stream->cancelled, true);
	pthread_cond_signal(&stream->room);
	pthread_mutex_unlock(&stream->lock);
}

static struct piece *take_piece(struct sn_stream *stream, bool *ended)
{
	struct piece *piece = NULL;

	pthread_mutex_lock(&stream->lock);
	if (!sn_list_empty(&stream->pieces)) {
		piece = sn_list_entry(stream->pieces.next, struct piece, link);
		sn_list_remove(&piece->link);
		stream->queued -= piece->bytes.n;
		pthread_cond_signal(&stream->room);
	}
	*ended = stream->ended;
	pthread_mutex_unlock(&stream->lock);
	return piece;
}

static void free_piece(struct piece *piece)
{
	sn_buf_finish(&piece->bytes);
	free(piece);
}

static int produce(struct sn_buf *out, void *ctx)
{
	struct sn_stream *stream = ctx;
	bool ended;
	struct piece *piece = take_piece(stream, &ended);
	struct sn_buf spare;

	if (piece != NULL) {
		spare = *out;
		*out = piece->bytes;
		piece->bytes = spare;
		free_piece(piece);
		return 1;
	}
	if (!ended)
		return SN_HTTP_LATER;
	if (stream->err.code != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "an answer breaks off: %s", stream->err.text);
	return stream->err.code;
}

static void http_over(void *ctx)
{
	struct sn_stream *stream = ctx;

	stream->http = NULL;
	cancel(stream);
	tell_loop(stream->streams);
}

static void abandoned(struct sn_http_request *request, void *ctx)
{
	struct sn_stream *stream = ctx;

	(void)request;
	stream->request = NULL;
	cancel(stream);
	tell_loop(stream->streams);
}

/* Letters that need no quoting in a header are all that our names have. */
static void set_file(struct sn_http_request *request, const char *file)
{
	sn_autofree char *value = sn_xasprintf("attachment; filename=\"%s\"", file);

	sn_http_set_header(request, "Content-Disposition", value);
}

static void begin_answer(struct sn_stream *stream, bool has_pieces)
{
	struct sn_http_request *request = sn_steal(&stream->request);

	if (!has_pieces && stream->err.code == -EACCES) {
		sn_http_problem(request, 403, "forbidden", "Not for you any more", "%s",
				stream->err.text);
	} else if (!has_pieces && stream->err.code == -ENOENT) {
		sn_api_not_found(request, stream->err.text);
	} else if (!has_pieces && stream->err.code != 0) {
		sn_api_trouble(request, &stream->err);
	} else {
		if (stream->file != NULL)
			set_file(request, stream->file);
		if (stream->spec.encoding != NULL)
			sn_http_set_header(request, "Content-Encoding", stream->spec.encoding);
		sn_http_set_header(request, "Vary", "Accept, Accept-Encoding");
		sn_http_set_header(request, "Cache-Control", "no-store");
		stream->http = sn_http_reply_stream(request, 200, stream->content_type, produce,
						    http_over, stream);
	}
}

static void destroy_stream(struct sn_stream *stream)
{
	struct sn_streams *streams = stream->streams;

	sn_list_remove(&stream->link);
	streams->count--;
	streams->heavy -= stream->spec.heavy;
	while (!sn_list_empty(&stream->pieces)) {
		struct piece *piece = sn_list_entry(stream->pieces.next, struct piece, link);

		sn_list_remove(&piece->link);
		free_piece(piece);
	}
	stream->spec.release(stream->spec.ctx);
	sn_readers_give(streams->hub->readers, &stream->reader);
	pthread_cond_destroy(&stream->room);
	pthread_mutex_destroy(&stream->lock);
	free(stream->content_type);
	free(stream->file);
	free(stream);
}

static void look_at(struct sn_stream *stream)
{
	bool has_pieces, ended;

	pthread_mutex_lock(&stream->lock);
	has_pieces = !sn_list_empty(&stream->pieces);
	ended = stream->ended;
	pthread_mutex_unlock(&stream->lock);
	if (ended && !stream->joined) {
		pthread_join(stream->thread, NULL);
		stream->joined = true;
	}
	if (stream->request != NULL && (has_pieces || ended))
		begin_answer(stream, has_pieces);
	else if (stream->http != NULL && (has_pieces || ended))
		sn_http_stream_wake(stream->http);
	if (stream->joined && stream->request == NULL && stream->http == NULL)
		destroy_stream(stream);
}

static void news(struct sn_io *io, int events SN_UNUSED)
{
	struct sn_streams *streams = sn_container_of(io, struct sn_streams, io);
	struct sn_list *link = streams->list.next;
	uint64_t count;

	(void)!read(streams->event, &count, sizeof(count));
	while (link != &streams->list) {
		struct sn_stream *stream = sn_list_entry(link, struct sn_stream, link);

		link = link->next; /* it may go */
		look_at(stream);
	}
}

/* Asking for one --------------------------------------------------------------------- */

static unsigned count_of(const struct sn_streams *streams, const char *who)
{
	unsigned count = 0;

	sn_list_for_each (link, &streams->list) {
		const struct sn_stream *stream = sn_list_entry(link, struct sn_stream, link);

		count += strcmp(sn_who_name(&stream->who), who) == 0;
	}
	return count;
}

static bool is_refused(const struct sn_streams *streams, struct sn_http_request *request,
		       bool heavy)
{
	const char *who = sn_who_name(sn_guard_who(request));

	if (count_of(streams, who) >= SN_STREAMS_PERSON_MAX) {
		sn_http_set_header(request, "Retry-After", "5");
		sn_http_problem(request, 429, "too-many-streams", "Too much at once",
				"%d answers for '%s' are on their way already (wait until one "
				"has ended)",
				SN_STREAMS_PERSON_MAX, who);
		return true;
	}
	if (streams->count < SN_STREAMS_MAX && (!heavy || streams->heavy < SN_STREAMS_HEAVY_MAX))
		return false;
	sn_http_set_header(request, "Retry-After", "5");
	sn_http_problem(request, 503, "busy", "Too many long answers at once",
			heavy && streams->count < SN_STREAMS_MAX
				? "try again in a moment, or ask for 'csv' or 'jsonl'"
				: "try again in a moment");
	return true;
}

static void init_stream(struct sn_stream *stream, struct sn_streams *streams,
			const struct sn_stream_spec *spec)
{
	pthread_condattr_t monotonic;

	stream->streams = streams;
	stream->spec = *spec;
	stream->content_type = sn_xstrdup(spec->content_type);
	stream->file = spec->file != NULL ? sn_xstrdup(spec->file) : NULL;
	sn_list_init(&stream->pieces);
	pthread_mutex_init(&stream->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&stream->room, &monotonic);
	pthread_condattr_destroy(&monotonic);
	sn_list_append(&streams->list, &stream->link);
	streams->count++;
	streams->heavy += spec->heavy;
}

/* Signals are the loop's. */
static int start_thread(struct sn_stream *stream)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&stream->thread, NULL, run, stream);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

void sn_streams_answer(struct sn_hub *hub, struct sn_http_request *request,
		       const struct sn_stream_spec *spec)
{
	struct sn_streams *streams = hub->streams;
	struct sn_reader reader = {0};
	struct sn_stream *stream;
	struct sn_err err = {0};
	int rc;

	if (is_refused(streams, request, spec->heavy)) {
		spec->release(spec->ctx);
		return;
	}
	if (sn_readers_take(hub->readers, &reader, &err) != 0) {
		sn_api_trouble(request, &err);
		spec->release(spec->ctx);
		return;
	}
	stream = sn_new(struct sn_stream);
	stream->reader = reader;
	stream->who = *sn_guard_who(request);
	init_stream(stream, streams, spec);
	rc = start_thread(stream);
	if (rc != 0) {
		sn_api_trouble(request, (sn_err_sys(&err, rc, "cannot start a thread"), &err));
		destroy_stream(stream);
		return;
	}
	stream->request = request;
	sn_http_on_abandon(request, abandoned, stream);
}

/* All of them ------------------------------------------------------------------------ */

static void shut_out(struct sn_stream *stream)
{
	sn_notice("a long answer is broken off: its owner is shut out by=%s",
		  sn_who_name(&stream->who));
	if (stream->request != NULL)
		sn_http_problem(sn_steal(&stream->request), 401, "unauthenticated",
				"You are logged out", "log in again");
	cancel(stream);
	if (stream->http != NULL)
		sn_http_stream_break(stream->http);
	tell_loop(stream->streams);
}

void sn_streams_check(struct sn_streams *streams)
{
	sn_list_for_each (link, &streams->list) {
		struct sn_stream *stream = sn_list_entry(link, struct sn_stream, link);

		if (!sn_stream_cancelled(stream) &&
		    !sn_guard_still(streams->hub, &stream->who, sn_hub_now(streams->hub)))
			shut_out(stream);
	}
}

unsigned sn_streams_count(const struct sn_streams *streams)
{
	return streams->count;
}

struct sn_streams *sn_streams_create(struct sn_hub *hub)
{
	struct sn_streams *streams = sn_new(struct sn_streams);

	streams->hub = hub;
	sn_list_init(&streams->list);
	streams->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sn_io_init(&streams->io, hub->loop, streams->event, news);
	if (streams->event < 0 || sn_io_start(&streams->io, SN_IO_READ) != 0)
		abort(); /* as without descriptors for a loop */
	return streams;
}

void sn_streams_destroy(struct sn_streams *streams)
{
	if (streams == NULL)
		return;
	while (!sn_list_empty(&streams->list)) {
		struct sn_stream *stream =
			sn_list_entry(streams->list.next, struct sn_stream, link);

		cancel(stream);
		if (!stream->joined)
			pthread_join(stream->thread, NULL);
		destroy_stream(stream);
	}
	sn_io_stop(&streams->io);
	close(streams->event);
	free(streams);
}
