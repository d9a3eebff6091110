/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: one run of the meter: packets from files or a ring into the meter, flows
 * from it to a writer, a summary or both, until the input ends, a limit is reached
 * or a signal comes.
 */
#ifndef SONDE_METER_SESSION_H
#define SONDE_METER_SESSION_H

#include "meter/capture/file.h"
#include "meter/capture/ring.h"
#include "meter/meter.h"
#include "meter/output/summary.h"
#include "meter/output/writer.h"

#define SN_SESSION_SOURCES_MAX 65535

struct sn_session_options {
	struct sn_meter_options meter;
	const char *filter;   /* of files; a ring has its own in the kernel */
	uint32_t snaplen;     /* longer packets of files are cut */
	uint64_t packets_max; /* 0: no limit */
	int64_t duration_ns;  /* of packet time (files) or real time (ring); 0: no limit */
	bool progress;        /* show how far a long file is, on standard error */
};

struct sn_session;

/* `writer` and `summary` are borrowed and may be NULL. */
struct sn_session *sn_session_create(const struct sn_session_options *options,
				     struct sn_flow_writer *writer, struct sn_summary *summary);
void sn_session_destroy(struct sn_session *session); /* NULL is fine */

/* From now on SIGINT and SIGTERM end the run instead of the program. */
void sn_session_catch_signals(void);

/*
 * 0 when the file was read to its end or a limit was reached.  On errors the flows
 * of what was read stay.  -ENOTSUP: link type.  -EINTR: a signal came.
 */
int sn_session_read_file(struct sn_session *session, struct sn_capture_file *file,
			 struct sn_err *err);
/* 0 when a limit was reached or a signal came; -ENODEV when the interface went away. */
int sn_session_watch(struct sn_session *session, struct sn_ring *ring, struct sn_err *err);
/* A limit was reached: further files need not be read. */
bool sn_session_is_full(const struct sn_session *session);
/* Report all flows that are left and flush the writer. */
int sn_session_finish(struct sn_session *session, struct sn_err *err);

void sn_session_read_stats(const struct sn_session *session, struct sn_meter_stats *stats);
uint64_t sn_session_filtered(const struct sn_session *session);

#endif
