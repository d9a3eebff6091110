/* SPDX-License-Identifier: Apache-2.0 */
/*
 * video: how the payload of a connection with video comes second by second, and its
 * messages: the advanced columns of Tstat's log_video_complete.
 *
 * Seconds of a direction are counted from its first payload.  The last, begun one
 * counts when something came in it; its rate is that of the time until the
 * connection's last packet.  Rates are of all payload, what was sent again included.
 */
#ifndef SONDE_METER_APP_VIDEO_H
#define SONDE_METER_APP_VIDEO_H

#include "meter/app/tcp.h"

#define SN_VIDEO_SAMPLES 10 /* seconds, and messages, that are told one by one */

struct sn_video_rate {    /* of one direction */
	int64_t begin_ns; /* of the present second; 0: nothing came yet */
	uint64_t bytes;   /* in it */
	uint32_t seconds, zeros;
	uint32_t streak, streak_max;      /* seconds without payload in a row: at present, most */
	uint32_t first[SN_VIDEO_SAMPLES]; /* bytes of the first seconds; saturates */
	double sum, sum2, min, max;       /* kbit/s; min without those without payload */
};

struct sn_app_video {
	struct sn_name *id; /* of the URL; NULL: none */
	bool sampled;       /* what follows is valid */
	struct sn_video_rate side[2];
	uint32_t messages;    /* of the server that have ended */
	uint32_t message_end; /* payload of the server until then, by sequence numbers */
	uint32_t message_bytes[SN_VIDEO_SAMPLES];
};

/* Tstat's rule of what is in its log of videos; `server_name` is that of TLS. */
bool sn_app_is_video(const struct sn_app_tcp *app, struct sn_str server_name);

void sn_video_rate_add(struct sn_video_rate *rate, uint64_t bytes, int64_t time_ns);
/* The connection's last packet came at `end_ns`.  A single second is no series: all but `first` is
 * 0 then. */
void sn_video_rate_finish(struct sn_video_rate *rate, int64_t end_ns);
double sn_video_rate_mean(const struct sn_video_rate *rate);
double sn_video_rate_deviation(const struct sn_video_rate *rate);
/* A message of the server, number `count` (from 1), ended `end` bytes behind its first one. */
void sn_video_message(struct sn_app_video *video, uint32_t count, uint32_t end);

#endif
