/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "meter/capture/filter.h"
#include "meter/capture/merge.h"
#include "meter/session_internal.h"

#define BATCH             64
#define CHECK_TURNS       128 /* look at the clock every so many batches */
#define PROGRESS_AFTER_NS (2 * SN_NS_PER_S)
#define PROGRESS_EVERY_NS (200 * SN_NS_PER_MS)

/* One reading of all files. */
struct reading {
	struct sn_session *session;
	struct sn_capture_merge *merge;
	struct sn_filter_set filter;
	sn_session_trouble_fn *trouble;
	uint64_t start_ns, shown_ns; /* of the progress */
	bool visible;
};

/* Progress ------------------------------------------------------------------ */

static void show_progress(struct reading *reading)
{
	uint64_t size = sn_capture_merge_size(reading->merge), now_ns, elapsed_ns;
	double share;

	if (!reading->session->options.progress || size == 0)
		return;
	now_ns = sn_mono_ns();
	if (reading->start_ns == 0)
		reading->start_ns = now_ns;
	elapsed_ns = now_ns - reading->start_ns;
	if (elapsed_ns < PROGRESS_AFTER_NS || now_ns - reading->shown_ns < PROGRESS_EVERY_NS)
		return;
	reading->shown_ns = now_ns;
	reading->visible = true;
	share = (double)sn_capture_merge_offset(reading->merge) / (double)size;
	fprintf(stderr, "\r%3.0f %%  %.0f kpackets/s  %.0f s left \033[K", 100 * share,
		(double)reading->session->packets * 1e6 / (double)elapsed_ns,
		(double)elapsed_ns / SN_NS_PER_S * (1 - share) / SN_MAX(share, 1e-6));
}

static void hide_progress(const struct reading *reading)
{
	if (reading->visible)
		fputs("\r\033[K", stderr);
}

/* Packets --------------------------------------------------------------------- */

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

/* As they are: then none of them need be touched. */
static bool takes_all(const struct sn_session *session)
{
	return session->options.filter == NULL && session->options.duration_ns == 0 &&
	       session->options.snaplen >= SN_CAPTURE_PACKET_MAX;
}

/* Cuts, filters and stops; leaves the packets to meter at the front and returns their number. */
static size_t choose(struct reading *reading, struct sn_packet *packets, size_t count)
{
	struct sn_session *session = reading->session;
	size_t kept = 0;

	if (takes_all(session))
		return count;
	for (size_t i = 0; i < count; i++) {
		packets[i].captured = SN_MIN(packets[i].captured, session->options.snaplen);
		if (session->options.filter != NULL &&
		    !sn_filter_set_match(&reading->filter, &packets[i]))
			session->filtered++;
		else if (in_time(session, &packets[i]))
			packets[kept++] = packets[i];
	}
	return kept;
}

static int read_packets(struct reading *reading, struct sn_err *err)
{
	struct sn_session *session = reading->session;
	struct sn_packet packets[BATCH];
	int count;

	for (unsigned turn = 1; !session->full && session->error == 0; turn++) {
		count = sn_capture_merge_read(reading->merge, packets, BATCH, err);
		if (count == 0)
			break;
		if (count < 0) {
			reading->trouble(err, false, session->options.ctx);
			continue;
		}
		session_give(session, packets, choose(reading, packets, (size_t)count));
		if (turn % CHECK_TURNS == 0)
			show_progress(reading);
		if (session_is_stopped())
			return sn_err_set(err, -EINTR,
					  "stopped by a signal (%" PRIu64
					  " packets are metered and kept)",
					  session->packets);
	}
	return session->error;
}

/* Files ------------------------------------------------------------------------- */

static bool is_supported(const struct sn_capture_file *file, struct sn_err *err)
{
	int link = sn_capture_file_link(file);
	const char *name = pcap_datalink_val_to_name(link);

	if (sn_decode_supports(link))
		return true;
	sn_err_set(err, -ENOTSUP, "cannot meter '%s': its link type %d (%s) is not supported",
		   sn_capture_file_name(file), link, name != NULL ? name : "unknown");
	return false;
}

/* Those that can be used, at the front; the others are told and closed. */
static size_t usable(struct sn_session *session, struct sn_capture_file **files, size_t count,
		     sn_session_trouble_fn *trouble, struct sn_err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_supported(files[i], err)) {
			files[kept++] = files[i];
			continue;
		}
		trouble(err, true, session->options.ctx);
		sn_capture_file_close(files[i]);
	}
	return kept;
}

static void note_losses(struct sn_session *session, struct sn_capture_file *const *files,
			size_t count)
{
	struct sn_capture_losses losses[SN_SESSION_LOSSES_MAX];

	for (size_t i = 0; i < count; i++) {
		size_t n = sn_capture_file_losses(files[i], losses, SN_COUNT(losses));

		for (size_t j = 0; j < n; j++)
			session_note_losses(session, &losses[j]);
	}
}

static int read_merged(struct reading *reading, struct sn_capture_file **files, size_t count,
		       struct sn_err *err)
{
	struct sn_session *session = reading->session;
	const char *filter = session->options.filter;
	int result = 0;

	if (filter != NULL)
		result = sn_filter_set_init(&reading->filter, filter,
					    sn_capture_file_link(files[0]), err);
	if (result == 0 && session->worker_count > 1)
		result = session_start_threads(session, NULL, err);
	if (result == 0 && session->threads != NULL)
		sn_capture_merge_share(reading->merge, sn_workers_windows(session->threads));
	if (result == 0)
		result = read_packets(reading, err);
	note_losses(session, files, count);
	hide_progress(reading);
	sn_filter_set_finish(&reading->filter);
	return result;
}

int sn_session_read_files(struct sn_session *session, struct sn_capture_file **files, size_t count,
			  sn_session_trouble_fn *trouble, struct sn_err *err)
{
	struct reading reading = {.session = session, .trouble = trouble};
	uint16_t first = (uint16_t)session->source_count;
	int result;

	count = usable(session, files, count, trouble, err);
	if (count == 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		session_add_source(session, sn_capture_file_name(files[i]));
	result = sn_capture_merge_create(files, count, first, &reading.merge, err);
	if (result == 0)
		result = read_merged(&reading, files, count, err);
	sn_capture_merge_destroy(reading.merge);
	return result;
}
