/* SPDX-License-Identifier: Apache-2.0 */
/* What temporal scopes mean (mPlane protocol, evaluation of temporal scopes). */
#include <errno.h>

#include "mplane/when_internal.h"

static bool spans_equal(const struct sn_mp_span *a, const struct sn_mp_span *b)
{
	return a->start == b->start && a->end == b->end && a->duration_ns == b->duration_ns &&
	       a->period_ns == b->period_ns;
}

static bool crons_equal(const struct sn_mp_cron *a, const struct sn_mp_cron *b)
{
	for (unsigned i = 0; i < SN_MP_CRON_FIELDS; i++)
		if (sn_mp_cron_get(a, (enum sn_mp_cron_field)i) !=
		    sn_mp_cron_get(b, (enum sn_mp_cron_field)i))
			return false;
	return true;
}

bool sn_mp_when_equal(const struct sn_mp_when *a, const struct sn_mp_when *b)
{
	if (a->set != b->set || !a->set)
		return a->set == b->set;
	if (a->repeated != b->repeated || !spans_equal(&a->span, &b->span))
		return false;
	if (!a->repeated)
		return true;
	return a->has_cron == b->has_cron && a->has_inner == b->has_inner &&
	       (!a->has_cron || crons_equal(&a->cron, &b->cron)) &&
	       (!a->has_inner || spans_equal(&a->inner, &b->inner));
}

/* Spans ------------------------------------------------------------------- */

static bool is_singleton(const struct sn_mp_span *span)
{
	return span->end == SN_MP_UNSET && span->duration_ns < 0;
}

static bool is_moment(int64_t point)
{
	return point > SN_MP_UNSET && point < SN_MP_NOW;
}

/* No sum becomes one of the words by accident: what is too late is "future". */
static int64_t later(int64_t point, int64_t duration_ns)
{
	int64_t sum;

	if (duration_ns == SN_MP_FOREVER)
		return SN_MP_FUTURE;
	if (!is_moment(point))
		return point;
	return __builtin_add_overflow(point, duration_ns, &sum) || sum >= SN_MP_NOW ? SN_MP_FUTURE
										    : sum;
}

static int64_t span_start(const struct sn_mp_span *span, int64_t t0_ns)
{
	return span->start == SN_MP_NOW ? t0_ns : span->start;
}

static int64_t span_end(const struct sn_mp_span *span, int64_t t0_ns)
{
	int64_t start = span_start(span, t0_ns);

	if (span->end != SN_MP_UNSET)
		return span->end == SN_MP_NOW ? t0_ns : span->end;
	return span->duration_ns < 0 ? start : later(start, span->duration_ns);
}

int64_t sn_mp_when_starts(const struct sn_mp_when *when, int64_t t0_ns)
{
	return span_start(&when->span, t0_ns);
}

int64_t sn_mp_when_ends(const struct sn_mp_when *when, int64_t t0_ns)
{
	return span_end(&when->span, t0_ns);
}

bool sn_mp_when_expired(const struct sn_mp_when *when, int64_t t0_ns)
{
	return !is_singleton(&when->span) && span_end(&when->span, t0_ns) < t0_ns;
}

struct sn_mp_when sn_mp_when_resolve(const struct sn_mp_when *when, int64_t t0_ns)
{
	struct sn_mp_when resolved = *when;
	struct sn_mp_span *span = &resolved.span;

	if (!when->set)
		return resolved;
	t0_ns = SN_MIN(SN_MAX(t0_ns, SN_MP_UNSET + SN_NS_PER_US), SN_MP_NOW - 1);
	/* Text has microseconds: what is written must be read back as the same. */
	t0_ns -= (t0_ns % SN_NS_PER_US + SN_NS_PER_US) % SN_NS_PER_US;
	if (span->start == SN_MP_PAST)
		span->start = t0_ns;
	span->start = span_start(span, t0_ns);
	if (!is_singleton(span))
		span->end = span_end(span, t0_ns);
	span->duration_ns = -1;
	return resolved;
}

/* Iterations -------------------------------------------------------------- */

/* Time between the starts of two iterations. */
static int64_t iteration_period(const struct sn_mp_when *when)
{
	return when->has_cron ? sn_mp_cron_gap(&when->cron) * SN_NS_PER_S : when->span.period_ns;
}

int64_t sn_mp_when_period(const struct sn_mp_when *when)
{
	int64_t outer;

	if (!when->set || !when->repeated)
		return when->set ? when->span.period_ns : 0;
	outer = iteration_period(when);
	if (when->has_inner && when->inner.period_ns > 0)
		return SN_MIN(outer, when->inner.period_ns);
	return outer;
}

/* The first point of the grid at or after `after`. */
static int next_on_grid(int64_t start, int64_t period, int64_t after, int64_t *found)
{
	uint64_t late, steps, offset;

	if (after <= start) {
		*found = start;
		return 0;
	}
	late = (uint64_t)after - (uint64_t)start;
	steps = late / (uint64_t)period + (late % (uint64_t)period > 0);
	if (__builtin_mul_overflow(steps, (uint64_t)period, &offset) ||
	    offset > (uint64_t)INT64_MAX - (uint64_t)start)
		return -ENOENT;
	*found = (int64_t)((uint64_t)start + offset);
	return 0;
}

static int next_of_cron(const struct sn_mp_cron *cron, int64_t after, int64_t *found)
{
	int64_t from = after / SN_NS_PER_S + (after % SN_NS_PER_S > 0), second;

	if (!sn_mp_cron_next(cron, from, &second) ||
	    __builtin_mul_overflow(second, SN_NS_PER_S, found))
		return -ENOENT;
	return 0;
}

int sn_mp_when_next(const struct sn_mp_when *when, int64_t after_ns, int64_t *start_ns)
{
	int64_t first = when->span.start, last = when->span.end, found;
	int rc;

	if (!when->set || !when->repeated || !is_moment(first) ||
	    (!is_moment(last) && last != SN_MP_FUTURE))
		return -EINVAL;
	if (when->has_cron)
		rc = next_of_cron(&when->cron, SN_MAX(after_ns, first), &found);
	else if (when->span.period_ns <= 0)
		rc = -EINVAL;
	else
		rc = next_on_grid(first, when->span.period_ns, after_ns, &found);
	if (rc == 0 && (found > last || !is_moment(found)))
		rc = -ENOENT;
	if (rc == 0)
		*start_ns = found;
	return rc;
}

struct sn_mp_when sn_mp_when_iteration(const struct sn_mp_when *when, int64_t start_ns)
{
	struct sn_mp_when iteration = {
		.set = true,
		.span = {.end = SN_MP_UNSET, .duration_ns = -1},
	};

	if (when->has_inner)
		iteration.span = when->inner;
	iteration.span.start = start_ns;
	return iteration;
}

/* May it be given? -------------------------------------------------------- */

static int refuse(const struct sn_mp_when *wanted, const struct sn_mp_when *offered,
		  const char *why, struct sn_err *err)
{
	struct sn_buf w = {0}, o = {0};
	int rc;

	sn_mp_when_print_brief(wanted, &w);
	sn_mp_when_print_brief(offered, &o);
	rc = sn_err_set(err, -EINVAL, "'%.150s' does not fit into '%.150s': %s", sn_buf_cstr(&w),
			sn_buf_cstr(&o), why);
	sn_buf_finish(&w);
	sn_buf_finish(&o);
	return rc;
}

static int check_period(const struct sn_mp_when *wanted, const struct sn_mp_when *offered,
			struct sn_err *err)
{
	int64_t least = sn_mp_when_period(offered), period = sn_mp_when_period(wanted);

	/* A single sample keeps to every limit. */
	if (least == 0 || (!wanted->repeated && is_singleton(&wanted->span)))
		return 0;
	if (wanted->repeated && wanted->has_inner && !is_singleton(&wanted->inner) &&
	    wanted->inner.period_ns == 0)
		period = 0;
	if (period == 0)
		return refuse(wanted, offered, "a period is missing (' / PERIOD')", err);
	if (period < least)
		return refuse(wanted, offered, "the period is shorter than offered", err);
	return 0;
}

/* True as well of durations that are none, and of those without end. */
static bool is_whole(int64_t ns)
{
	return ns <= 0 || ns == SN_MP_FOREVER || ns % SN_NS_PER_S == 0;
}

static bool is_span_whole(const struct sn_mp_span *span)
{
	return is_whole(span->duration_ns) && is_whole(span->period_ns);
}

static bool is_whole_seconds(const struct sn_mp_when *when)
{
	return is_span_whole(&when->span) && (!when->has_inner || is_span_whole(&when->inner));
}

static bool in_scope(int64_t point, const struct sn_mp_when *offered, int64_t t0_ns)
{
	return span_start(&offered->span, t0_ns) <= point &&
	       point <= span_end(&offered->span, t0_ns);
}

int sn_mp_when_follows(const struct sn_mp_when *wanted, const struct sn_mp_when *offered,
		       int64_t t0_ns, struct sn_err *err)
{
	int64_t start, end, late;
	int rc;

	if (!offered->set)
		return 0;
	if (!wanted->set)
		return sn_err_set(err, -EINVAL, "there is no time scope ('when')");
	rc = check_period(wanted, offered, err);
	if (rc != 0)
		return rc;
	if (!is_whole_seconds(wanted) && is_whole_seconds(offered))
		return refuse(wanted, offered, "whole seconds are all that is known there", err);
	start = span_start(&wanted->span, t0_ns);
	end = wanted->span.end == SN_MP_NOW ? t0_ns : wanted->span.end;
	/* A message takes its time, and clocks differ. */
	if (is_moment(start) && start < t0_ns && !in_scope(start, offered, t0_ns) &&
	    !__builtin_sub_overflow(t0_ns, start, &late) && late <= SN_MP_LATE_NS)
		start = t0_ns;
	if (wanted->repeated && start == SN_MP_PAST)
		start = t0_ns;
	if (in_scope(start, offered, t0_ns) || (is_moment(end) && in_scope(end, offered, t0_ns)))
		return 0;
	return refuse(wanted, offered, "neither its start nor its end lies within", err);
}
