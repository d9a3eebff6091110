/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series: the link over time: Tstat's histograms and round-robin metrics per
 * interface, closed every step of packet time.
 *
 * One instance per worker counts packets and closed flows; sn_traffic_board adds
 * them up and gives, per step (1 s, 1 min, 5 min), what rrd.conf asks for: avg,
 * min, max, var, stdev, idx:..., prc:... of a histogram, as rows of dataset
 * `traffic`; and histogram files in Tstat's text form.
 */
#ifndef SONDE_METER_SERIES_SERIES_H
#define SONDE_METER_SERIES_SERIES_H

#include "base/err.h"
#include "meter/output/sink.h"

#define SN_TRAFFIC_STEPS 3 /* 1 s, 60 s, 300 s */

struct sn_traffic_board; /* shared by the workers */

/* One value of one step. */
struct sn_traffic_value {
	int64_t time_ns; /* end of the step */
	unsigned step_seconds;
	const char *interface;
	const char *metric; /* histogram: "ip_bitrate_in" */
	const char *stat;   /* "avg" "min" "max" "var" "stdev" "idx0" "idxoth" "prc99" "hit" */
	const char *label;  /* of an idx: "tcp", "tls"; "" */
	double value;
};
typedef void sn_traffic_value_fn(const struct sn_traffic_value *value, void *ctx);

struct sn_traffic_options {
	const char *interface;
	const char *rrd_conf; /* text; NULL: what is shipped */
	unsigned steps;       /* mask of the steps that are reported: 1, 2, 4 */
	sn_traffic_value_fn *value;
	void *ctx;
};
int sn_traffic_board_create(const struct sn_traffic_options *options,
			    struct sn_traffic_board **board, struct sn_err *err);
void sn_traffic_board_destroy(struct sn_traffic_board *board);
/* Where closed steps write Tstat's histogram files (000, 001, ..., LAST); -1: nowhere. */
void sn_traffic_board_histograms(struct sn_traffic_board *board, int directory);

struct sn_traffic; /* of one worker */
struct sn_traffic *sn_traffic_create(struct sn_traffic_board *board);
void sn_traffic_destroy(struct sn_traffic *series);
/* Every packet that belongs to a flow; `anomaly` of TCP segments. */
void sn_traffic_packet(struct sn_traffic *series, const struct sn_decoded *packet,
		       const struct sn_flow *flow, unsigned side, int64_t time_ns);
struct sn_sink sn_traffic_sink(struct sn_traffic *series); /* closed flows, time; not its owner */

#endif
