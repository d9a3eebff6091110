/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "meter"
#include "meter/session.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "meter/session_internal.h"

static volatile sig_atomic_t stop_requested;

static void request_stop(int signal_number SN_UNUSED)
{
	stop_requested = 1;
}

void sn_session_catch_signals(void)
{
	struct sigaction action = {.sa_handler = request_stop};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool session_is_stopped(void)
{
	return stop_requested != 0;
}

/* Names of the inputs ---------------------------------------------------------- */

/* The last name stands for all beyond the limit. */
void session_add_source(struct sn_session *session, const char *name)
{
	if (session->source_count == SOURCES_MAX)
		return;
	session->sources =
		sn_xrealloc(session->sources, session->source_count + 1, sizeof(*session->sources));
	session->sources[session->source_count++] = sn_xstrdup(name);
}

static const char *source_name(uint16_t source, void *ctx)
{
	const struct sn_session *session = ctx;

	return session->source_count > 0
		       ? session->sources[SN_MIN((size_t)source, session->source_count - 1)]
		       : "";
}

/* Life ---------------------------------------------------------------------------- */

static int add_worker(struct sn_session *session, unsigned number, struct sn_err *err)
{
	struct sn_worker_options options = session->options.worker;
	int result;

	options.source_name = source_name;
	options.ctx = session;
	options.meter.names_late = session->options.workers > 1;
	result = session->options.equip != NULL
			 ? session->options.equip(number, &options, session->options.ctx, err)
			 : 0;
	if (result != 0)
		return result;
	session->workers[number] = sn_worker_create(&options);
	session->worker_count++;
	return 0;
}

int sn_session_create(const struct sn_session_options *options, struct sn_session **out,
		      struct sn_err *err)
{
	struct sn_session *session = sn_new(struct sn_session);
	int result = 0;

	session->options = *options;
	pthread_mutex_init(&session->lock, NULL);
	for (unsigned i = 0; result == 0 && i < options->workers; i++)
		result = add_worker(session, i, err);
	if (result != 0) {
		sn_session_destroy(session);
		return result;
	}
	*out = session;
	return 0;
}

void sn_session_destroy(struct sn_session *session)
{
	if (session == NULL)
		return;
	sn_workers_destroy(session->threads);
	for (unsigned i = 0; i < session->worker_count; i++)
		sn_worker_destroy(session->workers[i]);
	for (size_t i = 0; i < session->source_count; i++)
		free(session->sources[i]);
	free(session->sources);
	pthread_mutex_destroy(&session->lock);
	free(session);
}

/* Packets to workers ----------------------------------------------------------------- */

static int thread_packets(void *ctx, int link, const struct sn_packet *packets, size_t count,
			  uint16_t source)
{
	return sn_worker_packets(ctx, link, packets, count, source);
}

static int thread_advance(void *ctx, int64_t now_ns)
{
	int result = sn_worker_advance(ctx, now_ns);

	return result == 0 ? sn_worker_flush(ctx, NULL) : result;
}

static int thread_finish(void *ctx, struct sn_err *err)
{
	return sn_worker_finish(ctx, err);
}

int session_start_threads(struct sn_session *session, struct sn_live **lives, struct sn_err *err)
{
	static const struct sn_workers_ops ops = {
		.packets = thread_packets, .advance = thread_advance, .finish = thread_finish};
	struct sn_workers_options options = {
		.count = session->worker_count,
		.tunnels_max = session->options.worker.meter.tunnels_max,
		.drop = session->live,
	};

	return sn_workers_create(&options, &ops, (void *const *)session->workers, lives,
				 &session->threads, err);
}

static int give_to_one(struct sn_session *session, const struct sn_packet *packets, size_t count)
{
	int result = 0;

	while (result == 0 && count > 0) {
		size_t n = sn_packet_run(packets, count);

		result = sn_worker_packets(session->workers[0], packets[0].link, packets, n,
					   packets[0].source);
		packets += n;
		count -= n;
	}
	return result;
}

void session_give(struct sn_session *session, const struct sn_packet *packets, size_t count)
{
	uint64_t max = session->options.packets_max;

	if (max > 0)
		count = SN_MIN(count, max - session->packets);
	session->error = session->threads != NULL
				 ? sn_workers_give(session->threads, packets, count)
				 : give_to_one(session, packets, count);
	session->packets += count;
	if (count > 0)
		session->last_ns = SN_MAX(session->last_ns, packets[count - 1].time_ns);
	session->full = session->full || (max > 0 && session->packets >= max);
}

int sn_session_finish(struct sn_session *session, struct sn_err *err)
{
	if (session->threads == NULL)
		return sn_worker_finish(session->workers[0], err);
	/* Who saw no packet at the end learns how late it is: flows of all end alike. */
	if (!session->live && session->packets > 0)
		sn_workers_advance(session->threads, session->last_ns);
	return sn_workers_finish(session->threads, err);
}

/* Counts -------------------------------------------------------------------------------- */

/* The newest of each interface. */
void session_note_losses(struct sn_session *session, const struct sn_capture_losses *losses)
{
	size_t i = 0;

	pthread_mutex_lock(&session->lock);
	while (i < session->losses_count &&
	       strcmp(session->losses[i].interface, losses->interface) != 0)
		i++;
	if (i < SN_SESSION_LOSSES_MAX) {
		session->losses[i] = *losses;
		session->losses_count = SN_MAX(session->losses_count, i + 1);
	}
	pthread_mutex_unlock(&session->lock);
	if (session->options.losses != NULL)
		session->options.losses(losses, session->options.ctx);
}

void sn_session_read_stats(struct sn_session *session, struct sn_session_stats *stats)
{
	*stats = (struct sn_session_stats){.filtered = session->filtered};
	for (unsigned i = 0; i < session->worker_count; i++) {
		struct sn_worker_stats one;

		sn_worker_read_stats(session->workers[i], &one);
		sn_worker_add_stats(&stats->worker, &one);
	}
	pthread_mutex_lock(&session->lock);
	memcpy(stats->losses, session->losses, sizeof(stats->losses));
	stats->losses_count = session->losses_count;
	pthread_mutex_unlock(&session->lock);
}
