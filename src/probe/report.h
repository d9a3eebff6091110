/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: results of ping runs for people, as JSON Lines or as CSV.
 *
 * All forms are made from struct sn_ping_result.  Output is gathered and written at
 * the end of each turn of the loop, so that a row is out as soon as its run is over
 * and ten thousand rows are still few system calls.
 */
#ifndef SONDE_PROBE_REPORT_H
#define SONDE_PROBE_REPORT_H

#include "base/buf.h"
#include "base/loop.h"
#include "probe/ping_run.h"

enum sn_report_form { SN_REPORT_HUMAN, SN_REPORT_JSON, SN_REPORT_CSV };

/* What every row says beside the result itself. */
struct sn_report_setting {
	enum sn_report_form form;
	bool quiet; /* people get the summary alone; rows are not affected */
	bool colour;
	int fd; /* borrowed */
	const struct sn_ping_config *config;
	const struct sn_ping_targets *targets;
	unsigned ttl;
	const char *interface; /* NULL: none */
	struct sn_addr source; /* as asked for; length 0: none */
};

struct sn_report;

/* `setting` is copied, what it points to borrowed. */
struct sn_report *sn_report_create(struct sn_loop *loop, const struct sn_report_setting *setting);
void sn_report_destroy(struct sn_report *report);

void sn_report_begin(struct sn_report *report);
void sn_report_result(struct sn_report *report, const struct sn_ping_result *result);
void sn_report_event(struct sn_report *report, const struct sn_ping_event *event);
/* The summary for people; in the other forms a note on standard error if interrupted. */
void sn_report_end(struct sn_report *report, bool interrupted);

/* Write what is gathered; 0, or the negative errno that ended all writing. */
int sn_report_flush(struct sn_report *report);
/* SN_EXIT_OK, SN_EXIT_PARTIAL or SN_EXIT_FAILED by who has answered. */
int sn_report_exit_code(const struct sn_report *report);

/* Milliseconds with three decimals, rounded, right-aligned in `width`. */
void sn_report_add_ms(struct sn_buf *out, uint64_t ns, int width);

#endif
