/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "meter"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "meter/session_internal.h"

#define TURN_NS        (500 * SN_NS_PER_MS)
#define STATS_EVERY_NS (1 * SN_NS_PER_S)
/* A packet may lie in a block of the ring for this long before we see it. */
#define RING_DELAY_NS (500 * SN_NS_PER_MS)

struct watch {
	struct sn_session *session;
	struct sn_live **lives;
	size_t count;
	uint64_t start_ns, stats_ns, now_ns;
	struct sn_capture_losses before;
};

/* Losses ---------------------------------------------------------------------- */

static bool sum_losses(const struct watch *watch, struct sn_capture_losses *sum)
{
	for (size_t i = 0; i < watch->count; i++) {
		struct sn_capture_losses one;

		if (sn_live_read_losses(watch->lives[i], &one) != 0)
			return false;
		if (i == 0)
			*sum = one;
		else {
			sum->packets += one.packets;
			sum->kernel_drops += one.kernel_drops;
			/* That of the interface is the same for all. */
		}
	}
	if (watch->session->threads != NULL)
		sum->own_drops += sn_workers_dropped(watch->session->threads);
	return true;
}

static void note_losses(struct watch *watch)
{
	struct sn_capture_losses now;

	if (!sum_losses(watch, &now))
		return;
	if (now.kernel_drops > watch->before.kernel_drops ||
	    now.own_drops > watch->before.own_drops)
		SN_LOG_LIMITED(SN_LOG_WARNING,
			       "packets lost interface=%s by_kernel=%" PRIu64 " by_workers=%" PRIu64
			       " seen=%" PRIu64,
			       now.interface, now.kernel_drops - watch->before.kernel_drops,
			       now.own_drops - watch->before.own_drops,
			       now.packets - watch->before.packets);
	watch->before = now;
	session_note_losses(watch->session, &now);
}

/* Turns ------------------------------------------------------------------------- */

static void take_packets(const struct sn_packet *packets, size_t count, void *ctx)
{
	struct sn_session *session = ctx;

	if (!session->full)
		session_give(session, packets, count);
}

/*
 * Waits for packets (or, with threads that watch, for time to pass); returns early when a signal
 * comes, also one between two turns.
 *
 * Its own loop over ppoll(2) instead of base/loop.h: a packet socket tells that its interface went
 * down by POLLERR, which libuv takes for the end of the descriptor.
 */
static void wait_for_packets(int fd, int64_t wait_ns)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	struct timespec timeout = {.tv_sec = wait_ns / SN_NS_PER_S,
				   .tv_nsec = wait_ns % SN_NS_PER_S};
	sigset_t stopping, before;

	sigemptyset(&stopping);
	sigaddset(&stopping, SIGINT);
	sigaddset(&stopping, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stopping, &before);
	if (!session_is_stopped())
		ppoll(&poller, fd >= 0, &timeout, &before);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* An interface that is down may come up again, one that was removed does not. */
static int check_interface(struct sn_live *live, struct sn_err *err)
{
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(sn_live_fd(live), SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0 && sn_live_alive(live))
		SN_LOG_LIMITED(SN_LOG_WARNING, "interface is down interface=%s",
			       sn_live_interface(live));
	if (sn_live_alive(live))
		return 0;
	return sn_err_set(err, -ENODEV, "cannot go on metering: interface '%s' is gone",
			  sn_live_interface(live));
}

static int advance(struct sn_session *session)
{
	int64_t now_ns = sn_wall_ns() - RING_DELAY_NS;
	int result;

	if (session->threads != NULL)
		return sn_workers_advance(session->threads, now_ns);
	result = sn_worker_advance(session->workers[0], now_ns);
	return result == 0 ? sn_worker_flush(session->workers[0], NULL) : result;
}

/* One source, in this thread: packets go to the one worker, or are shared out. */
static int turn_here(struct watch *watch, int64_t wait_ns, struct sn_err *err)
{
	struct sn_live *live = watch->lives[0];
	int result = 0;

	wait_for_packets(sn_live_fd(live), wait_ns);
	if (sn_live_drain(live, take_packets, watch->session) == 0)
		result = check_interface(live, err);
	if (result == 0)
		result = advance(watch->session);
	return result;
}

/* A source for each worker, in its thread. */
static int turn_aside(struct watch *watch, int64_t wait_ns, struct sn_err *err)
{
	const struct sn_session *session = watch->session;
	struct sn_session_stats stats;

	wait_for_packets(-1, wait_ns);
	if (session->options.packets_max > 0) {
		sn_session_read_stats(watch->session, &stats);
		watch->session->full =
			stats.worker.meter.all.packets >= session->options.packets_max;
	}
	return sn_workers_check(session->threads, err);
}

static bool is_over(const struct watch *watch)
{
	const struct sn_session *session = watch->session;
	uint64_t duration_ns = (uint64_t)session->options.duration_ns;

	return session_is_stopped() || session->full || session->error != 0 ||
	       (duration_ns > 0 && watch->now_ns - watch->start_ns >= duration_ns);
}

static int64_t wait_of(const struct watch *watch)
{
	int64_t duration_ns = watch->session->options.duration_ns;
	int64_t passed_ns = (int64_t)(watch->now_ns - watch->start_ns);

	return duration_ns > 0 ? SN_MIN(TURN_NS, duration_ns - passed_ns) : TURN_NS;
}

/* What came in before the end is metered; only then losses are exact. */
static int take_rest(const struct watch *watch, struct sn_err *err)
{
	struct sn_workers *threads = watch->session->threads;

	if (watch->count > 1)
		return threads != NULL ? sn_workers_finish(threads, err) : 0;
	sn_live_finish(watch->lives[0], take_packets, watch->session);
	return 0;
}

int sn_session_watch(struct sn_session *session, struct sn_live **lives, size_t count,
		     struct sn_err *err)
{
	bool aside = count > 1;
	struct watch watch = {.session = session, .lives = lives, .count = count};
	struct sn_err late = {0};
	int result = 0, rest;

	session->live = true;
	session_add_source(session, sn_live_interface(lives[0]));
	if (session->worker_count > 1)
		result = session_start_threads(session, aside ? lives : NULL, err);
	watch.start_ns = watch.stats_ns = watch.now_ns = sn_mono_ns();
	while (result == 0 && !is_over(&watch)) {
		result = aside ? turn_aside(&watch, wait_of(&watch), err)
			       : turn_here(&watch, wait_of(&watch), err);
		watch.now_ns = sn_mono_ns();
		if (watch.now_ns - watch.stats_ns >= STATS_EVERY_NS) {
			note_losses(&watch);
			watch.stats_ns = watch.now_ns;
		}
	}
	rest = take_rest(&watch, &late);
	note_losses(&watch);
	session->full = true;
	if (result == 0 && rest < 0) {
		*err = late;
		result = rest;
	}
	return result;
}
