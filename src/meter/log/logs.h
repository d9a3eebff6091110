/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs: the set of logs that the workers share: which directory is the present
 * one, and when the next begins.
 *
 * Internal to log/.  A worker holds a reference to the epoch that its collected
 * lines belong to; the last reference closes the files.
 */
#ifndef SONDE_METER_LOG_LOGS_H
#define SONDE_METER_LOG_LOGS_H

#include <stdatomic.h>

#include "meter/log/epoch.h"
#include "meter/log/tidy.h"

/* A reference to the epoch of `now_ns`, which may begin with this call; NULL on errors. */
struct sn_epoch *sn_tstat_logs_enter(struct sn_tstat_logs *set, int64_t now_ns, struct sn_err *err);
/* True while `epoch` is that of `now_ns`.  Cheap, takes no lock. */
bool sn_tstat_logs_is_present(const struct sn_tstat_logs *set, const struct sn_epoch *epoch,
			      int64_t now_ns);
/* Gives the reference back; NULL is fine. */
void sn_tstat_logs_leave(struct sn_tstat_logs *set, struct sn_epoch *epoch);
/* Its files are gone: another one begins with the next packet. */
void sn_tstat_logs_abandon(struct sn_tstat_logs *set, const struct sn_epoch *epoch);
/* A worker's clock went back to `now_ns`: a directory that began long after it is over. */
void sn_tstat_logs_turn_back(struct sn_tstat_logs *set, int64_t now_ns);
int64_t sn_tstat_logs_step_ns(const struct sn_tstat_logs *set);
/* Adds to the statistics. */
void sn_tstat_logs_count(struct sn_tstat_logs *set, const struct sn_tstat_stats *more);
/* What a worker does now and then: lines of the step that is over, a piece of compressing. */
void sn_tstat_logs_tend(struct sn_tstat_logs *set, int64_t now_ns);
/* Keeps the first error for flush; 0 if the run goes on in spite of it. */
int sn_tstat_logs_fail(struct sn_tstat_logs *set, const struct sn_err *err);
/* The error that was kept; 0 if there was none. */
int sn_tstat_logs_error(struct sn_tstat_logs *set, struct sn_err *err);

unsigned sn_tstat_logs_urls(const struct sn_tstat_logs *set);
bool sn_tstat_logs_strict(const struct sn_tstat_logs *set);
uint64_t sn_tstat_logs_next_chat(struct sn_tstat_logs *set);

#endif
