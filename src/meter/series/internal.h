/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of series/ share: the instance of a worker, the board and its levels. */
#ifndef SONDE_METER_SERIES_INTERNAL_H
#define SONDE_METER_SERIES_INTERNAL_H

#include <pthread.h>

#include "meter/series/counts.h"
#include "meter/series/rrd_conf.h"
#include "meter/series/series.h"

#define SN_TRAFFIC_LONG (SN_TRAFFIC_STEPS - 1) /* the level of 300 s, or long_seconds */

/* The board ---------------------------------------------------------------- */

struct sn_traffic_step { /* one step of a level while it is open */
	bool open;
	int64_t index; /* begins at index * step_ns */
	struct sn_sheet *sheet;
};

struct sn_traffic_level {
	unsigned seconds;
	int64_t step_ns;
	bool wanted[SN_HISTOGRAMS];
	struct sn_traffic_step steps[SN_TRAFFIC_OPEN_MAX];
	int64_t closed; /* all before this index are */
};

struct sn_traffic_board {
	pthread_mutex_t lock; /* of all below but what never changes */
	struct sn_traffic_options options;
	char *interface;
	struct sn_rrd_conf conf;
	int64_t base_ns; /* shortest step that is told: workers hand over at least so often */
	struct sn_traffic_level levels[SN_TRAFFIC_STEPS];
	struct sn_traffic *workers;
	unsigned worker_count; /* that were ever made */
	unsigned time_line;    /* changes when the clock goes back */
	bool started, finished;
	int64_t first_ns, last_ns; /* of this time line */
	int64_t tstat_begin_ns;    /* of the open step of Tstat's kind */
	bool histograms;           /* files are wanted */
	int directory, next;       /* where; from next_ns on.  Ours; -1: none */
	int64_t next_ns;
	unsigned file_number;    /* of the next step in the directory */
	struct sn_sheet *global; /* NULL: not wanted */
	struct sn_err error;     /* the first */
	struct sn_traffic_stats stats;
};

/* Adds the worker's sheet, which is of one base step, to those of the board. */
void sn_traffic_hand_over(struct sn_traffic *traffic);
/* All that comes from this worker later is at `now_ns` or after it.  The worker hears news. */
void sn_traffic_pass(struct sn_traffic *traffic, int64_t now_ns);
/* The worker's clock has gone back to `now_ns`. */
void sn_traffic_restart(struct sn_traffic *traffic, int64_t now_ns);
/* Tstat's step ends with this packet. */
void sn_traffic_cut(struct sn_traffic *traffic, int64_t now_ns);

/* Reports (board locked) --------------------------------------------------- */

struct sn_traffic_span {
	int64_t begin_ns, end_ns; /* of the step */
	int64_t elapsed_ns;       /* of it, in which packets were watched */
};
void sn_traffic_tell(struct sn_traffic_board *board, unsigned level, const struct sn_sheet *sheet,
		     const struct sn_traffic_span *span);
/* The files of one step; `last` names them LAST. */
void sn_traffic_write_step(struct sn_traffic_board *board, const struct sn_sheet *sheet,
			   const struct sn_traffic_span *span, bool last);
void sn_traffic_write_global(struct sn_traffic_board *board);
void sn_traffic_close_directories(struct sn_traffic_board *board);

/* Of one worker ------------------------------------------------------------ */

struct sn_traffic {
	int64_t cut_ns, floor_ns; /* a packet outside [floor, cut) changes the step */
	const struct sn_inside *inside;
	bool wants_ports, wants_flight, wants_windows;
	bool tstat_due;   /* Tstat's step ends with this packet */
	bool has_samples; /* the sheet holds something, */
	bool has_ports;   /* of ports, too */
	bool started;
	int64_t begin_ns; /* of the base step */
	int64_t last_ns;  /* it watched until then */
	struct sn_traffic_board *board;
	struct sn_traffic *next;
	int64_t position_ns; /* the board's: what it has passed; INT64_MIN */
	unsigned time_line;  /* the board's when it last agreed with it */
	struct sn_sheet *sheet;
	struct sn_counts counts;
};

/* packet.c: what was counted cheaply goes into the sheet. */
void sn_traffic_settle(struct sn_traffic *traffic);
/* traffic.c: all that was counted goes to the board. */
void sn_traffic_deliver(struct sn_traffic *traffic);
/* A packet (or only time) at `now_ns` lies outside the present step. */
void sn_traffic_turn(struct sn_traffic *traffic, int64_t now_ns);

/* flows.c: a connection or flow that is over, into the worker's sheet. */
void sn_traffic_count_flow(struct sn_traffic *traffic, const struct sn_view_flow *view);
/* media.c: the streams of a flow of UDP. */
void sn_traffic_count_media(struct sn_sheet *sheet, const struct sn_udp_flow *flow,
			    const unsigned direction[2]);

static inline unsigned sn_traffic_direction(bool from_inside, bool to_inside)
{
	static const uint8_t directions[2][2] = {{SN_TRAFFIC_NEITHER, SN_TRAFFIC_IN},
						 {SN_TRAFFIC_OUT, SN_TRAFFIC_LOC}};

	return directions[from_inside][to_inside];
}

#endif
