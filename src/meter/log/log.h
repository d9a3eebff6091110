/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: Tstat's log files: names, columns, number formats, directories and
 * rotation as Tstat 3.3 writes them (doc/interoperability-tstat.md lists what
 * differs).
 *
 *   DIR/YYYY_MM_DD_HH_MM.out/log_tcp_complete ...
 *
 * A set belongs to the process and is shared by the workers; each has its own
 * sink, which collects whole lines and hands them over in one write.
 */
#ifndef SONDE_METER_LOG_LOG_H
#define SONDE_METER_LOG_LOG_H

#include "base/err.h"
#include "data/tstat/columns.h"
#include "meter/output/sink.h"

/* What can be switched while the meter runs (Tstat's runtime.conf, control/settings.h). */
struct sn_tstat_choice {
	bool on[SN_TSTAT_LOGS];
	uint8_t tcp_level, video_level;
	uint8_t http_urls; /* httplog_full_url: 0 hosts, 1 paths, 2 everything */
	bool mid_stream;   /* ours: connections without a SYN go to log_tcp_midstream */
};
/* Tstat's default without -T: tcp, udp, mm, chat and video logs, level 15. */
void sn_tstat_choice_default(struct sn_tstat_choice *choice);

#define SN_TSTAT_STEP_NS_DEFAULT (300 * SN_NS_PER_S)
#define SN_TSTAT_STEPS_DEFAULT   12

struct sn_tstat_options {
	int directory;       /* descriptor of DIR; taken over */
	const char *name;    /* of DIR, for messages; copied */
	int64_t step_ns;     /* Tstat's max_time_step, 300 s of packet time */
	unsigned steps;      /* Tstat's dirs: so many steps make a new directory; 0: one for ever */
	unsigned keep;       /* so many newest directories stay; 0: all */
	bool gzip;           /* as with -Z: files are written compressed */
	bool gzip_finished;  /* files of a directory that is over are compressed, bit by bit */
	bool strict_privacy; /* as with -0 */
	bool keep_going;     /* lines that cannot be written are counted and the run goes on */
	struct sn_tstat_choice choice;
	/*
	 * Told of each new directory, with the set locked, before the one before it is closed: what
	 * else belongs into it.  May be NULL; the descriptor is lent.
	 */
	void (*opened)(int directory, int64_t begin_ns, void *ctx);
	void *ctx;
};

struct sn_tstat_logs;
/* The first directory is made when packet time is known. */
int sn_tstat_logs_create(const struct sn_tstat_options *options, struct sn_tstat_logs **set,
			 struct sn_err *err);
void sn_tstat_logs_destroy(struct sn_tstat_logs *set); /* after its sinks; NULL is fine */
/*
 * `flush` fails when lines could not be written, and names file and reason; without keep_going so
 * does the call that found out.
 */
struct sn_sink sn_tstat_sink_create(struct sn_tstat_logs *set);
/* As a changed runtime.conf: a new directory if the set of logs or a level differs. */
int sn_tstat_logs_choose(struct sn_tstat_logs *set, const struct sn_tstat_choice *choice,
			 struct sn_err *err);
void sn_tstat_logs_choice(const struct sn_tstat_logs *set, struct sn_tstat_choice *choice);

struct sn_tstat_stats { /* of lines that were handed over; flush the sinks first */
	uint64_t lines[SN_TSTAT_LOGS], bytes[SN_TSTAT_LOGS];
	uint64_t external; /* flows without an internal end, which Tstat's logs leave out */
	uint64_t lost;     /* lines that could not be written */
	unsigned directories;
};
void sn_tstat_logs_stats(const struct sn_tstat_logs *set, struct sn_tstat_stats *stats);
/*
 * Loss counters of the capture go into DIR/.../log_capture, a line per step and at the end:
 * time(ms) interface packets kernel_drops interface_drops own_drops.  Tell them as often as they
 * are known; the newest of each interface count.
 */
#define SN_TSTAT_INTERFACES_MAX 64 /* further ones are left out */
struct sn_capture_losses;
void sn_tstat_logs_losses(struct sn_tstat_logs *set, const struct sn_capture_losses *losses);

#endif
