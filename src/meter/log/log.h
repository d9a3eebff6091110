/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: Tstat's log files: names, columns, number formats, directories and
 * rotation as Tstat 3.3 writes them (doc/internals/meter.md lists what differs).
 *
 *   DIR/YYYY_MM_DD_HH_MM.out/log_tcp_complete ...
 *
 * A set belongs to the process and is shared by the workers; each has its own
 * sink, which collects whole lines and hands them over in one write.
 */
#ifndef SONDE_METER_LOG_LOG_H
#define SONDE_METER_LOG_LOG_H

#include "base/err.h"
#include "meter/output/sink.h"

enum sn_tstat_log {
	SN_TSTAT_TCP_COMPLETE,
	SN_TSTAT_TCP_NOCOMPLETE,
	SN_TSTAT_UDP_COMPLETE,
	SN_TSTAT_MM_COMPLETE,
	SN_TSTAT_SKYPE_COMPLETE,
	SN_TSTAT_CHAT_COMPLETE,
	SN_TSTAT_CHAT_MESSAGES,
	SN_TSTAT_VIDEO_COMPLETE,
	SN_TSTAT_HTTP_COMPLETE,
	SN_TSTAT_DNS_COMPLETE,
	SN_TSTAT_TCP_PERIODIC,
	SN_TSTAT_UDP_PERIODIC,
	SN_TSTAT_LOGS
};
extern const char *const sn_tstat_log_names[SN_TSTAT_LOGS]; /* "log_tcp_complete", ... */

/* Optional sets of columns of log_tcp_complete: Tstat's log level. */
enum {
	SN_TSTAT_END_TO_END = 1,
	SN_TSTAT_LAYER7 = 2,
	SN_TSTAT_P2P = 4,
	SN_TSTAT_OPTIONS = 8,
	SN_TSTAT_ADVANCED = 16,
};
/* The same for log_video_complete. */
enum {
	SN_TSTAT_VIDEO_END_TO_END = 1,
	SN_TSTAT_VIDEO_LAYER7 = 2,
	SN_TSTAT_VIDEO_OPTIONS = 4,
	SN_TSTAT_VIDEO_INFO = 8,
	SN_TSTAT_VIDEO_YOUTUBE = 16,
	SN_TSTAT_VIDEO_ADVANCED = 32,
};

/* What can be switched while the meter runs (Tstat's runtime.conf, control/settings.h). */
struct sn_tstat_choice {
	bool on[SN_TSTAT_LOGS];
	uint8_t tcp_level, video_level;
	uint8_t http_urls; /* httplog_full_url: 0 hosts, 1 paths, 2 everything */
	bool mid_stream;   /* ours: connections without a SYN go to log_tcp_midstream */
};
/* Tstat's default without -T: tcp, udp, mm, chat and video logs, level 15. */
void sn_tstat_choice_default(struct sn_tstat_choice *choice);

struct sn_tstat_options {
	int directory;       /* descriptor of DIR; taken over */
	const char *name;    /* of DIR, for messages */
	int64_t step_ns;     /* Tstat's max_time_step, 300 s of packet time */
	unsigned steps;      /* Tstat's dirs: so many steps make a new directory; 0: one for ever */
	unsigned keep;       /* so many newest directories stay; 0: all */
	bool gzip;           /* as with -Z */
	bool strict_privacy; /* as with -0 */
	struct sn_tstat_choice choice;
};

struct sn_tstat_logs;
int sn_tstat_logs_create(const struct sn_tstat_options *options, struct sn_tstat_logs **set,
			 struct sn_err *err);
void sn_tstat_logs_destroy(struct sn_tstat_logs *set); /* after its sinks */
struct sn_sink sn_tstat_sink_create(struct sn_tstat_logs *set);
/* As a changed runtime.conf: a new directory if the set of logs or a level differs. */
int sn_tstat_logs_choose(struct sn_tstat_logs *set, const struct sn_tstat_choice *choice,
			 struct sn_err *err);
void sn_tstat_logs_choice(const struct sn_tstat_logs *set, struct sn_tstat_choice *choice);

struct sn_tstat_stats {
	uint64_t lines[SN_TSTAT_LOGS], bytes[SN_TSTAT_LOGS];
	uint64_t external; /* flows without an internal end, which Tstat's logs leave out */
};
void sn_tstat_logs_stats(const struct sn_tstat_logs *set, struct sn_tstat_stats *stats);
/*
 * Loss counters of the capture go into DIR/.../log_capture, a line per step and at the end:
 * time(ms) interface packets kernel_drops interface_drops own_drops.
 */
struct sn_capture_losses;
void sn_tstat_logs_losses(struct sn_tstat_logs *set, const struct sn_capture_losses *losses);

#endif
