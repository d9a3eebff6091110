/* SPDX-License-Identifier: Apache-2.0 */
/*
 * course: how far a task has come through its scope, and what is to be done now.
 *
 * Pure arithmetic on the wall clock, which may be set at any time.  What was run is
 * remembered by the start of its iteration, as spans of iterations that follow each
 * other, and never run again, wherever the clock goes: one that is set back waits
 * until it has come to something new, one that was far ahead for a while and
 * comes back finds the iterations in between still to be run.
 *
 * An iteration that nobody was there for is run late while the next one is not due;
 * otherwise it is left out and counted.  A scope without repetition is one
 * iteration, and so is a task without a scope, which has no end.
 */
#ifndef SONDE_NODE_TASKS_COURSE_H
#define SONDE_NODE_TASKS_COURSE_H

#include "mplane/when.h"

#define SN_COURSE_SPANS    4     /* the oldest two become one */
#define SN_COURSE_MISS_MAX 10000 /* counted at a time */

struct sn_course {
	/* Starts of iterations, first and last of an unbroken row; ascending. */
	struct sn_course_span {
		int64_t first_ns, last_ns;
	} spans[SN_COURSE_SPANS];
	unsigned span_count;
	int64_t counted_ns; /* iterations up to here were run, or counted as missed */
	uint64_t missed;
};

/* Nothing before `now_ns` was ours to run. */
void sn_course_begin(struct sn_course *course, int64_t now_ns);
bool sn_course_has(const struct sn_course *course, int64_t start_ns);
/* The iteration that starts then is complete. */
void sn_course_add(struct sn_course *course, const struct sn_mp_when *when, int64_t start_ns);

enum sn_step_kind {
	SN_STEP_WAIT, /* until start_ns; SN_MP_FUTURE: for ever */
	SN_STEP_RUN,  /* the iteration start_ns, until end_ns; SN_MP_FUTURE: to its own end */
	SN_STEP_OVER, /* nothing comes any more */
};
struct sn_step {
	enum sn_step_kind kind;
	int64_t start_ns, end_ns;
};
/* What is to be done now; counts what was missed.  `when` is resolved, or not set. */
struct sn_step sn_course_step(struct sn_course *course, const struct sn_mp_when *when,
			      int64_t now_ns);

/* Start of the last iteration at or before `now_ns`; -ENOENT. Of any resolved scope. */
int sn_course_last_start(const struct sn_mp_when *when, int64_t now_ns, int64_t *start_ns);
/* A run under this scope has no end but its own. */
bool sn_course_is_open(const struct sn_mp_when *when);

#endif
