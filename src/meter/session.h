/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: one run of the meter: packets from files or an interface to workers,
 * until the input ends, a limit is reached or a signal comes.
 */
#ifndef SONDE_METER_SESSION_H
#define SONDE_METER_SESSION_H

#include "meter/capture/file.h"
#include "meter/capture/live.h"
#include "meter/worker.h"

#define SN_SESSION_WORKERS_MAX 64

struct sn_session_options {
	unsigned workers;
	/* For all workers; the session says what flows call their source. */
	struct sn_worker_options worker;
	/* The sinks of a worker and what only it has, e.g. `meter.series`. */
	int (*equip)(unsigned number, struct sn_worker_options *worker, void *ctx,
		     struct sn_err *err);
	/* Told now and then while an interface is watched, and at the end; may be NULL. */
	void (*losses)(const struct sn_capture_losses *losses, void *ctx);
	void *ctx;
	const char *filter;   /* of files; an interface has its own in the kernel */
	uint32_t snaplen;     /* longer packets of files are cut */
	uint64_t packets_max; /* 0: no limit */
	int64_t duration_ns;  /* of packet time (files) or real time (interface); 0: no limit */
	bool progress;        /* show how far a long file is, on standard error */
};

struct sn_session;

int sn_session_create(const struct sn_session_options *options, struct sn_session **session,
		      struct sn_err *err);
void sn_session_destroy(struct sn_session *session); /* NULL is fine */

/* From now on SIGINT and SIGTERM end the run instead of the program. */
void sn_session_catch_signals(void);

/* What befell a file; `refused`: nothing of it could be used. */
typedef void sn_session_trouble_fn(const struct sn_err *err, bool refused, void *ctx);

/*
 * Meters the files as one trace in order of time; takes them over.  0 when they were read to their
 * ends or a limit was reached; one that is damaged or of an unknown kind is told to `trouble` and
 * the others go on.  -EINTR: a signal came; other errors are those of a sink.
 */
int sn_session_read_files(struct sn_session *session, struct sn_capture_file **files, size_t count,
			  sn_session_trouble_fn *trouble, struct sn_err *err);
/*
 * Watches an interface by `count` sources (borrowed): one for each worker, or one for all of them.
 * 0 when a limit was reached or a signal came; -ENODEV when the interface went away.
 */
int sn_session_watch(struct sn_session *session, struct sn_live **lives, size_t count,
		     struct sn_err *err);
/* Reports all flows that are left and flushes the sinks. */
int sn_session_finish(struct sn_session *session, struct sn_err *err);

#define SN_SESSION_LOSSES_MAX 64
struct sn_session_stats {
	struct sn_worker_stats worker; /* sum of all */
	uint64_t filtered;             /* packets of files that the filter left out */
	struct sn_capture_losses losses[SN_SESSION_LOSSES_MAX]; /* by interface */
	size_t losses_count;
};
/* From any thread. */
void sn_session_read_stats(struct sn_session *session, struct sn_session_stats *stats);

#endif
