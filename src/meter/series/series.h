/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series: the link over time: Tstat's histograms and round-robin metrics per
 * interface, closed every step of packet time.
 *
 * One instance per worker counts packets and closed flows; sn_traffic_board adds
 * them up and gives, per step (1 s, 1 min, 5 min), what rrd.conf asks for: avg,
 * min, max, var, stdev, idx:..., prc:... of a histogram, as rows of dataset
 * `traffic`; and histogram files in Tstat's text form.
 *
 * Steps lie on the grid of Unix time, so that those of several nodes and workers
 * fit together; a step without packets is not told, so that a gap of years costs
 * nothing.  A step is closed when all workers have passed it; at most
 * SN_TRAFFIC_OPEN_MAX of a length stay open, the oldest goes first.  What a worker
 * counts in a step that is closed goes to the oldest open one and is counted as
 * late, never lost.
 */
#ifndef SONDE_METER_SERIES_SERIES_H
#define SONDE_METER_SERIES_SERIES_H

#include "base/err.h"
#include "meter/output/sink.h"
#include "meter/view/networks.h"

#define SN_TRAFFIC_STEPS      3             /* 1 s, 60 s, 300 s */
#define SN_TRAFFIC_OPEN_MAX   64            /* steps of one length that wait for a slow worker */
#define SN_TRAFFIC_CONF_MAX   (1024 * 1024) /* bytes of an rrd.conf */
#define SN_TRAFFIC_CLOCK_BACK 300           /* more seconds backwards: a new time line */

struct sn_tcp_verdict;
struct sn_traffic_board; /* shared by the workers */

/* One value of one step. */
struct sn_traffic_value {
	int64_t begin_ns, time_ns; /* of the step; time: its end */
	unsigned step_seconds;
	const char *interface;
	const char *metric; /* histogram: "ip_bitrate_in" */
	const char *stat;   /* "avg" "min" "max" "var" "stdev" "idx0" "idxoth" "prc99" "hit" */
	const char *label;  /* of an idx: "tcp", "tls"; "" */
	double value;       /* NAN: cannot be told (deviation of a single sample) */
	bool empty; /* no samples: the value is only what Tstat would write (0, below the range) */
};
/* Called with the board locked, from the thread of any worker. */
typedef void sn_traffic_value_fn(const struct sn_traffic_value *value, void *ctx);

struct sn_traffic_options {
	const char *interface;
	const char *rrd_conf;  /* text; NULL: what is shipped */
	unsigned steps;        /* mask of the steps that are reported: 1, 2, 4 */
	unsigned long_seconds; /* of the longest step, that of the files; 0: 300 */
	sn_traffic_value_fn *value;
	void *ctx;
	const struct sn_inside *inside; /* borrowed; NULL: everybody is inside, nobody in the cloud
					 */
	/*
	 * One worker only: the steps of 300 s and the histogram files are cut as Tstat cuts them.
	 * A step begins with the end of the previous one (the first: with the first packet) and
	 * ends with the first packet more than 300 s later, which is still in it.
	 */
	bool tstat_steps;
	bool global; /* also histogram files of the whole run, in GLOBAL */
	/* Files that cannot be written are told and counted, and the run goes on. */
	bool keep_going;
};
/* -EINVAL with the line of rrd.conf that is wrong and what it may be. */
int sn_traffic_board_create(const struct sn_traffic_options *options,
			    struct sn_traffic_board **board, struct sn_err *err);
void sn_traffic_board_destroy(struct sn_traffic_board *board); /* after the workers; NULL is fine */
/* Whether closed steps of 300 s write Tstat's histogram files (000, 001, ..., LAST). */
void sn_traffic_board_histograms(struct sn_traffic_board *board, bool on);
/*
 * Where those of the steps go that begin at `begin_ns` or later (the first time: all); numbers
 * begin at 000.  The descriptor is copied.  Files of a directory that was removed are left out.
 */
void sn_traffic_board_directory(struct sn_traffic_board *board, int directory, int64_t begin_ns);
/*
 * All workers have told what they had (sink flush): closes the steps that are open and writes LAST
 * and GLOBAL.  The first error of a file of the whole run.
 */
int sn_traffic_board_finish(struct sn_traffic_board *board, struct sn_err *err);

struct sn_traffic_stats {
	uint64_t steps[SN_TRAFFIC_STEPS]; /* closed */
	uint64_t values, files, lost_files;
	uint64_t late; /* pieces of a step that came after it was closed */
};
void sn_traffic_board_stats(struct sn_traffic_board *board, struct sn_traffic_stats *stats);

struct sn_traffic; /* of one worker */
struct sn_traffic *sn_traffic_create(struct sn_traffic_board *board);
void sn_traffic_destroy(struct sn_traffic *series); /* tells what it has; NULL is fine */
/*
 * Every packet whose IP header was understood, after it was counted in its flow and its payload
 * was looked at, but before the flow is reported.  `flow` is NULL for what belongs to none (then
 * `side` has no meaning), a closed one for what comes late; `verdict` is that of sn_tcp_update(),
 * NULL where there was none.
 */
void sn_traffic_packet(struct sn_traffic *series, const struct sn_decoded *packet,
		       struct sn_flow *flow, unsigned side, const struct sn_tcp_verdict *verdict,
		       int64_t time_ns);
struct sn_sink sn_traffic_sink(struct sn_traffic *series); /* closed flows, time; not its owner */

#endif
