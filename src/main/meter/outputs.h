/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outputs: where a run's results go: rows, Tstat's logs, a collector, series, a
 * summary, and what others may ask while it runs.
 */
#ifndef SONDE_MAIN_METER_OUTPUTS_H
#define SONDE_MAIN_METER_OUTPUTS_H

#include "main/meter/parts.h"

int meter_outputs_open(struct meter_parts *parts, struct sn_err *err);
/* What one worker has of them. */
int meter_outputs_equip(struct meter_parts *parts, unsigned number,
			struct sn_worker_options *worker, struct sn_err *err);
/* Somebody wants rows of this dataset. */
bool meter_outputs_want(const struct meter_parts *parts, const char *dataset);
/* -ENOTSUP: the run was not prepared for what these settings ask for. */
int meter_outputs_check(const struct meter_parts *parts, const struct sn_settings_values *values,
			struct sn_err *err);
/* The settings have changed. */
void meter_outputs_switch(struct meter_parts *parts);
/* What the session has lost or skipped so far, to those who pass it on. */
void meter_outputs_tell_ignored(struct meter_parts *parts);
/* After all workers have finished. */
int meter_outputs_finish(struct meter_parts *parts, struct sn_err *err);
/* The summary, or, when rows go to standard output, what was lost. */
void meter_outputs_print(struct meter_parts *parts, const char *source);
void meter_outputs_close(struct meter_parts *parts);

/* For the control socket; `ctx` is the parts. */
json_t *meter_outputs_stats(void *ctx);
void meter_outputs_metrics(struct sn_buf *out, bool open_metrics, void *ctx);

#endif
