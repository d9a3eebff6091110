/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "meter"
#include "meter/session.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "meter/capture/filter.h"

#define BATCH             64
#define CHECK_TURNS       128 /* look at the clock every so many batches of a file */
#define PROGRESS_AFTER_NS (2 * SN_NS_PER_S)
#define PROGRESS_EVERY_NS (200 * SN_NS_PER_MS)
#define TURN_NS           (500 * SN_NS_PER_MS)
#define STATS_EVERY_NS    (1 * SN_NS_PER_S)
/* A packet may lie in a block of the ring for this long before we see it. */
#define RING_DELAY_NS (500 * SN_NS_PER_MS)
#define LAST_BLOCK_NS (120 * SN_NS_PER_MS) /* until the kernel hands over the block in use */

struct sn_session {
	struct sn_session_options options;
	struct sn_meter *meter;
	struct sn_flow_writer *writer;
	struct sn_summary *summary;
	char **sources; /* names of files and interfaces; flows keep the index */
	size_t source_count;
	uint64_t packets, filtered;
	int64_t deadline_ns; /* packet time of files; 0 before the first packet */
	bool full;
	int write_error;
	int link; /* of the ring */
	uint64_t progress_start_ns, progress_shown_ns;
	bool progress_visible;
};

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

static void take_report(const struct sn_flow *flow, enum sn_flow_end end, void *ctx)
{
	struct sn_session *session = ctx;

	if (session->summary != NULL)
		sn_summary_add(session->summary, flow, end);
	if (session->writer != NULL && session->write_error == 0)
		session->write_error = sn_flow_writer_add(session->writer, flow, end,
							  session->sources[flow->source]);
}

struct sn_session *sn_session_create(const struct sn_session_options *options,
				     struct sn_flow_writer *writer, struct sn_summary *summary)
{
	struct sn_session *session = sn_new(struct sn_session);

	session->options = *options;
	session->writer = writer;
	session->summary = summary;
	session->meter = sn_meter_create(&options->meter, take_report, session);
	return session;
}

void sn_session_destroy(struct sn_session *session)
{
	if (session == NULL)
		return;
	sn_meter_destroy(session->meter);
	for (size_t i = 0; i < session->source_count; i++)
		free(session->sources[i]);
	free(session->sources);
	free(session);
}

/* Flows store the index in 16 bits; the last name stands for all beyond. */
static uint16_t add_source(struct sn_session *session, const char *name)
{
	if (session->source_count < SN_SESSION_SOURCES_MAX) {
		session->sources = sn_xrealloc(session->sources, session->source_count + 1,
					       sizeof(*session->sources));
		session->sources[session->source_count++] = sn_xstrdup(name);
	}
	return (uint16_t)(session->source_count - 1);
}

bool sn_session_is_full(const struct sn_session *session)
{
	return session->full;
}

/* Hands packets to the meter, as many as the limit lets through. */
static void take_packets(struct sn_session *session, int link, const struct sn_packet *packets,
			 size_t count, uint16_t source)
{
	uint64_t max = session->options.packets_max;

	if (max > 0)
		count = SN_MIN(count, max - session->packets);
	sn_meter_packets(session->meter, link, packets, count, source);
	session->packets += count;
	session->full = session->full || (max > 0 && session->packets >= max);
}

/* Files ------------------------------------------------------------------ */

static void show_progress(struct sn_session *session, const struct sn_capture_file *file)
{
	uint64_t now_ns = sn_mono_ns(), size = sn_capture_file_size(file);
	uint64_t done = sn_capture_file_offset(file), elapsed_ns;
	double share;

	if (!session->options.progress || size == 0)
		return;
	if (session->progress_start_ns == 0)
		session->progress_start_ns = now_ns;
	elapsed_ns = now_ns - session->progress_start_ns;
	if (elapsed_ns < PROGRESS_AFTER_NS ||
	    now_ns - session->progress_shown_ns < PROGRESS_EVERY_NS)
		return;
	session->progress_shown_ns = now_ns;
	session->progress_visible = true;
	share = (double)done / (double)size;
	fprintf(stderr, "\r%3.0f %%  %.0f kpackets/s  %.0f s left \033[K", 100 * share,
		(double)sn_capture_file_packets(file) * 1e6 / (double)elapsed_ns,
		(double)elapsed_ns / SN_NS_PER_S * (1 - share) / SN_MAX(share, 1e-6));
}

static void hide_progress(struct sn_session *session)
{
	if (session->progress_visible)
		fputs("\r\033[K", stderr);
	session->progress_visible = false;
	session->progress_start_ns = 0;
}

/* True while packets may be taken; the first one starts the clock of the limit. */
static bool in_time(struct sn_session *session, const struct sn_packet *packet)
{
	if (session->options.duration_ns == 0)
		return true;
	if (session->deadline_ns == 0)
		session->deadline_ns = packet->time_ns + session->options.duration_ns;
	session->full = session->full || packet->time_ns >= session->deadline_ns;
	return !session->full;
}

/* Cuts, filters and stops; leaves the packets to meter at the front and returns their number. */
static size_t choose(struct sn_session *session, const struct sn_filter *filter,
		     struct sn_packet *packets, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		packets[i].captured = SN_MIN(packets[i].captured, session->options.snaplen);
		if (filter != NULL && !sn_filter_match(filter, &packets[i]))
			session->filtered++;
		else if (in_time(session, &packets[i]))
			packets[kept++] = packets[i];
	}
	return kept;
}

static int interrupted(const struct sn_session *session, const struct sn_capture_file *file,
		       struct sn_err *err)
{
	return sn_err_set(err, -EINTR,
			  "stopped by a signal in '%s' (%" PRIu64 " packets are metered and kept)",
			  sn_capture_file_name(file), session->packets);
}

static int read_packets(struct sn_session *session, struct sn_capture_file *file,
			const struct sn_filter *filter, struct sn_err *err)
{
	uint16_t source = add_source(session, sn_capture_file_name(file));
	int link = sn_capture_file_link(file), count = 0;
	struct sn_packet packets[BATCH];

	for (unsigned turn = 1; !session->full && session->write_error == 0; turn++) {
		count = sn_capture_file_read(file, packets, BATCH, err);
		if (count <= 0)
			break;
		take_packets(session, link, packets,
			     choose(session, filter, packets, (size_t)count), source);
		if (turn % CHECK_TURNS == 0)
			show_progress(session, file);
		if (stop_requested)
			return interrupted(session, file, err);
	}
	return SN_MIN(count, 0);
}

int sn_session_read_file(struct sn_session *session, struct sn_capture_file *file,
			 struct sn_err *err)
{
	int link = sn_capture_file_link(file), result;
	const char *link_name = pcap_datalink_val_to_name(link);
	struct sn_filter filter = {0};

	if (!sn_decode_supports(link))
		return sn_err_set(err, -ENOTSUP,
				  "cannot meter '%s': its link type %d (%s) is not supported",
				  sn_capture_file_name(file), link,
				  link_name != NULL ? link_name : "unknown");
	if (session->options.filter != NULL) {
		result = sn_filter_init(&filter, session->options.filter, link,
					SN_CAPTURE_PACKET_MAX, err);
		if (result < 0)
			return result;
	}
	result = read_packets(session, file, session->options.filter != NULL ? &filter : NULL, err);
	hide_progress(session);
	sn_filter_finish(&filter);
	return result;
}

/* Interfaces ------------------------------------------------------------- */

static void take_ring_packets(const struct sn_packet *packets, size_t count, void *ctx)
{
	struct sn_session *session = ctx;

	if (!session->full)
		take_packets(session, session->link, packets, count, 0);
}

/* Waits for packets; returns early when a signal comes, also one between two turns. */
static void wait_for_packets(const struct sn_ring *ring, int64_t wait_ns)
{
	struct pollfd poller = {.fd = sn_ring_fd(ring), .events = POLLIN};
	struct timespec timeout = {.tv_sec = wait_ns / SN_NS_PER_S,
				   .tv_nsec = wait_ns % SN_NS_PER_S};
	sigset_t stopping, before;

	sigemptyset(&stopping);
	sigaddset(&stopping, SIGINT);
	sigaddset(&stopping, SIGTERM);
	sigprocmask(SIG_BLOCK, &stopping, &before);
	if (!stop_requested)
		ppoll(&poller, 1, &timeout, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void warn_of_drops(const struct sn_ring *ring, const struct sn_ring_stats *before,
			  const struct sn_ring_stats *now)
{
	if (now->dropped > before->dropped)
		SN_LOG_LIMITED(SN_LOG_WARNING,
			       "kernel dropped packets interface=%s dropped=%" PRIu64
			       " seen=%" PRIu64,
			       sn_ring_interface(ring), now->dropped - before->dropped,
			       now->seen - before->seen);
}

/* An interface that is down may come up again, one that was removed does not. */
static int check_interface(const struct sn_ring *ring, struct sn_err *err)
{
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(sn_ring_fd(ring), SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0 && sn_ring_alive(ring))
		SN_LOG_LIMITED(SN_LOG_WARNING, "interface is down interface=%s",
			       sn_ring_interface(ring));
	if (sn_ring_alive(ring))
		return 0;
	return sn_err_set(err, -ENODEV, "cannot go on metering: interface '%s' is gone",
			  sn_ring_interface(ring));
}

/* What was captured before the end but lies in a block that is not full yet. */
static void take_last_block(struct sn_session *session, struct sn_ring *ring)
{
	struct pollfd poller = {.fd = sn_ring_fd(ring), .events = POLLIN};

	poll(&poller, 1, (int)(LAST_BLOCK_NS / SN_NS_PER_MS));
	sn_ring_drain(ring, take_ring_packets, session);
}

/*
 * Its own loop over ppoll(2) instead of base/loop.h: a packet socket tells that its
 * interface went down by POLLERR, which libuv takes for the end of the descriptor.
 */
int sn_session_watch(struct sn_session *session, struct sn_ring *ring, struct sn_err *err)
{
	uint64_t start_ns = sn_mono_ns(), now_ns = start_ns, stats_ns = start_ns;
	uint64_t duration_ns = (uint64_t)session->options.duration_ns;
	struct sn_ring_stats before = {0}, stats;
	int result = 0;

	session->link = sn_ring_link(ring);
	add_source(session, sn_ring_interface(ring));
	while (result == 0 && !stop_requested && !session->full && session->write_error == 0) {
		int64_t wait_ns = TURN_NS;

		if (duration_ns > 0)
			wait_ns = SN_MIN(wait_ns, (int64_t)(start_ns + duration_ns - now_ns));
		wait_for_packets(ring, wait_ns);
		if (sn_ring_drain(ring, take_ring_packets, session) == 0)
			result = check_interface(ring, err);
		sn_meter_advance(session->meter, sn_wall_ns() - RING_DELAY_NS);
		if (session->writer != NULL && session->write_error == 0)
			session->write_error = sn_flow_writer_flush(session->writer, NULL);
		now_ns = sn_mono_ns();
		if (now_ns - stats_ns >= STATS_EVERY_NS && sn_ring_read_stats(ring, &stats) == 0) {
			warn_of_drops(ring, &before, &stats);
			before = stats;
			stats_ns = now_ns;
		}
		if (duration_ns > 0 && now_ns - start_ns >= duration_ns)
			break;
	}
	if (result == 0)
		take_last_block(session, ring);
	session->full = true;
	return result;
}

int sn_session_finish(struct sn_session *session, struct sn_err *err)
{
	sn_meter_flush(session->meter);
	return session->writer != NULL ? sn_flow_writer_flush(session->writer, err) : 0;
}

void sn_session_read_stats(const struct sn_session *session, struct sn_meter_stats *stats)
{
	sn_meter_read_stats(session->meter, stats);
}

uint64_t sn_session_filtered(const struct sn_session *session)
{
	return session->filtered;
}
