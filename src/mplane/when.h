/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when: temporal scopes: when a capability can be used, a measurement runs, a
 * result was taken.
 *
 *   now + 30s / 1s                          for 30 s, a sample each second
 *   2026-01-01 00:00:00 ... future / 10s    from then on without end
 *   now                                     once, at once
 *   repeat now + 1d / 1h { now + 30s / 1s } each hour of a day, half a minute of samples
 *   repeat past ... future cron 0 0,30 8-17 * 1-5 * { now }
 *
 * Grammar, meaning and the canonical text are the mPlane protocol's (section on
 * temporal scopes); the fields of a crontab are second, minute, hour, day of month,
 * day of week (0 and 7 are Sunday), month, all of which must fit.  Accepted beyond
 * the grammar, because peers send it: "T" and "Z" in times, trailing blanks, hours
 * up to 59 in a crontab, "inf", "now + inf ... future"; and, for people, ranges in
 * the lists of a crontab ("1-5,7"), and milliseconds ("/ 500ms").  Refused with the position: what
 * the reference implementation misreads in silence ("now + 1.5s", "now + 30", "now + 5m3h"), what
 * starts in the "future" or ends in the "past", and periods of 0.
 *
 * The canonical text has milliseconds in durations (parts are rounded up) and
 * microseconds in times (cut off), crontabs as full lists, and "100000d" for a
 * duration without end, because not every peer knows "inf"; 100000d is read as that.
 * Peers know whole seconds only: who offers no parts of a second is asked for none.
 *
 * Pure: the caller brings the time.  Times are Unix nanoseconds, UTC.
 */
#ifndef SONDE_MPLANE_WHEN_H
#define SONDE_MPLANE_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SN_MP_WHEN_TEXT_MAX 1024

/* Beside Unix nanoseconds a point in time can be one of these. */
#define SN_MP_PAST   INT64_MIN
#define SN_MP_FUTURE INT64_MAX
#define SN_MP_NOW    (INT64_MAX - 1)
#define SN_MP_UNSET  (INT64_MIN + 1) /* of `end`: a singleton, or a duration is given */

#define SN_MP_FOREVER INT64_MAX /* a duration without end ("inf") */

struct sn_mp_span {
	int64_t start, end;
	int64_t duration_ns; /* -1: none given */
	int64_t period_ns;   /* 0: none */
};

struct sn_mp_cron { /* bit per value that fits */
	uint64_t seconds, minutes;
	uint32_t hours, days, weekdays,
		months; /* days and months from bit 1; weekdays bit 0 Sunday */
};

struct sn_mp_when {
	bool set; /* false: the message has none */
	bool repeated, has_cron, has_inner;
	struct sn_mp_span span;  /* the outer one of a repeated scope */
	struct sn_mp_span inner; /* starts now; without one an iteration is a singleton */
	struct sn_mp_cron cron;
};

int sn_mp_when_parse(struct sn_str text, struct sn_mp_when *when, struct sn_err *err);
void sn_mp_when_print(const struct sn_mp_when *when, struct sn_buf *out); /* canonical */
/* For people and for our own programs; is read back as the same: "*", "1-5", "inf". */
void sn_mp_when_print_brief(const struct sn_mp_when *when, struct sn_buf *out);
bool sn_mp_when_equal(const struct sn_mp_when *a, const struct sn_mp_when *b);

/*
 * The same scope without relative points: `now` becomes `t0_ns`, a duration an end; "past" as a
 * start becomes t0 too (a measurement can't begin before it was asked for), "future" stays.  Inner
 * scopes stay relative.  So it can be kept and run after a restart.
 */
struct sn_mp_when sn_mp_when_resolve(const struct sn_mp_when *when, int64_t t0_ns);

/*
 * When it starts (SN_MP_PAST: ever since) and ends (SN_MP_FUTURE: never), seen from t0; repeated:
 * of the whole.  A duration counts from the start that is written, also when that has passed.
 * Expired is what has ended; a single moment never is, it is run late.
 */
int64_t sn_mp_when_starts(const struct sn_mp_when *when, int64_t t0_ns);
int64_t sn_mp_when_ends(const struct sn_mp_when *when, int64_t t0_ns);
bool sn_mp_when_expired(const struct sn_mp_when *when, int64_t t0_ns);
/* No two samples or iterations are closer; 0: one sample only or unknown. */
int64_t sn_mp_when_period(const struct sn_mp_when *when);

/*
 * Of a resolved, repeated scope: start of the first iteration at or after `after_ns`; -ENOENT when
 * there is none, -EINVAL for any other scope.  Bounded: a crontab that never fits (30 February) is
 * found out.
 */
int sn_mp_when_next(const struct sn_mp_when *when, int64_t after_ns, int64_t *start_ns);
/* The simple scope of the iteration that starts then. */
struct sn_mp_when sn_mp_when_iteration(const struct sn_mp_when *when, int64_t start_ns);

/* A start that was at most that long ago counts as now. */
#define SN_MP_LATE_NS (60 * 1000000000LL)

/*
 * May a specification with `wanted` be given to a capability with `offered`?  -EINVAL says why not.
 * A period that is offered is the shortest one, and none may be missing except for a single
 * sample; start or absolute end must lie within what is offered.  Parts of a second may be
 * wanted only of who offers a period with some.
 */
int sn_mp_when_follows(const struct sn_mp_when *wanted, const struct sn_mp_when *offered,
		       int64_t t0_ns, struct sn_err *err);

#endif
