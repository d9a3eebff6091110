/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tasks/course.h"

#include <errno.h>
#include <string.h>

/* What was run ----------------------------------------------------------------------- */

void sn_course_begin(struct sn_course *course, int64_t now_ns)
{
	*course = (struct sn_course){.counted_ns = now_ns};
}

bool sn_course_has(const struct sn_course *course, int64_t start_ns)
{
	for (unsigned i = 0; i < course->span_count; i++) {
		if (start_ns >= course->spans[i].first_ns && start_ns <= course->spans[i].last_ns)
			return true;
	}
	return false;
}

/* The first start behind this one. */
static int start_after(const struct sn_mp_when *when, int64_t after_ns, int64_t *start_ns)
{
	return after_ns < INT64_MAX ? sn_mp_when_next(when, after_ns + 1, start_ns) : -ENOENT;
}

static bool follows(const struct sn_mp_when *when, int64_t before_ns, int64_t start_ns)
{
	int64_t next_ns;

	return when->repeated && start_after(when, before_ns, &next_ns) == 0 && next_ns == start_ns;
}

static void remove_span(struct sn_course *course, unsigned index)
{
	course->span_count--;
	memmove(&course->spans[index], &course->spans[index + 1],
		(course->span_count - index) * sizeof(course->spans[0]));
}

/* Full, the oldest holes are closed: what they stand for is never run. */
static void insert_span(struct sn_course *course, unsigned index, int64_t start_ns)
{
	if (course->span_count == SN_COURSE_SPANS && index == 0) {
		course->spans[0].first_ns = start_ns;
		return;
	}
	if (course->span_count == SN_COURSE_SPANS) {
		course->spans[1].first_ns = course->spans[0].first_ns;
		remove_span(course, 0);
		index--;
		if (sn_course_has(course, start_ns))
			return;
	}
	memmove(&course->spans[index + 1], &course->spans[index],
		(course->span_count - index) * sizeof(course->spans[0]));
	course->spans[index] = (struct sn_course_span){start_ns, start_ns};
	course->span_count++;
}

void sn_course_add(struct sn_course *course, const struct sn_mp_when *when, int64_t start_ns)
{
	struct sn_course_span *spans = course->spans;
	unsigned at = 0;

	if (sn_course_has(course, start_ns))
		return;
	while (at < course->span_count && spans[at].last_ns < start_ns)
		at++;
	if (at > 0 && follows(when, spans[at - 1].last_ns, start_ns))
		spans[--at].last_ns = start_ns;
	else
		insert_span(course, at, start_ns);
	/* The hole behind it may be closed now. */
	if (at + 1 < course->span_count &&
	    follows(when, spans[at].last_ns, spans[at + 1].first_ns)) {
		spans[at].last_ns = spans[at + 1].last_ns;
		remove_span(course, at + 1);
	}
}

/* What comes ----------------------------------------------------------------------------- */

static bool is_singleton(const struct sn_mp_span *span)
{
	return span->end == SN_MP_UNSET && span->duration_ns < 0;
}

bool sn_course_is_open(const struct sn_mp_when *when)
{
	if (!when->set)
		return true;
	if (when->repeated)
		return !when->has_inner || is_singleton(&when->inner);
	return is_singleton(&when->span);
}

/* When the iteration is to be ended. */
static int64_t end_of(const struct sn_mp_when *when, int64_t start_ns)
{
	struct sn_mp_when one;

	if (sn_course_is_open(when))
		return SN_MP_FUTURE;
	one = when->repeated ? sn_mp_when_iteration(when, start_ns) : *when;
	return sn_mp_when_ends(&one, start_ns);
}

/* The first one after `after_ns` that was not run. */
static int next_start(const struct sn_course *course, const struct sn_mp_when *when,
		      int64_t after_ns, int64_t *start_ns)
{
	int error = start_after(when, after_ns, start_ns);

	for (unsigned i = 0; error == 0 && i < course->span_count; i++) {
		const struct sn_course_span *span = &course->spans[i];

		if (*start_ns >= span->first_ns && *start_ns <= span->last_ns)
			error = start_after(when, span->last_ns, start_ns);
	}
	return error;
}

int sn_course_last_start(const struct sn_mp_when *when, int64_t now_ns, int64_t *start_ns)
{
	int64_t low_ns = sn_mp_when_starts(when, now_ns), high_ns = now_ns, next_ns;

	if (!when->set || !when->repeated) {
		*start_ns = when->set ? low_ns : 0;
		return *start_ns <= now_ns ? 0 : -ENOENT;
	}
	low_ns = low_ns > 0 ? low_ns : 0; /* the difference must be a number */
	if (low_ns > now_ns || sn_mp_when_next(when, low_ns, start_ns) != 0 || *start_ns > now_ns)
		return -ENOENT;
	/* The greatest x whose next start is not later than now is that start itself. */
	low_ns = *start_ns;
	while (low_ns < high_ns) {
		int64_t middle_ns = high_ns - (high_ns - low_ns) / 2;

		if (sn_mp_when_next(when, middle_ns, &next_ns) == 0 && next_ns <= now_ns)
			low_ns = next_ns;
		else
			high_ns = middle_ns - 1;
	}
	*start_ns = low_ns;
	return 0;
}

/* Counts what starts behind the last count and before `until_ns`, and was not run. */
static void count_missed(struct sn_course *course, const struct sn_mp_when *when, int64_t until_ns)
{
	int64_t at_ns = course->counted_ns;

	for (unsigned i = 0; i < SN_COURSE_MISS_MAX; i++) {
		if (next_start(course, when, at_ns, &at_ns) != 0 || at_ns >= until_ns)
			break;
		course->missed++;
	}
}

static struct sn_step step_repeated(struct sn_course *course, const struct sn_mp_when *when,
				    int64_t now_ns)
{
	struct sn_step step = {.kind = SN_STEP_WAIT};
	bool late = sn_course_last_start(when, now_ns, &step.start_ns) == 0 &&
		    !sn_course_has(course, step.start_ns);

	/* Set back, the clock comes to starts that were counted, but some of them not run. */
	course->counted_ns = course->counted_ns < now_ns ? course->counted_ns : now_ns;
	if (late) {
		step.end_ns = end_of(when, step.start_ns);
		if (step.end_ns > now_ns) {
			count_missed(course, when, step.start_ns);
			/* Itself it may still be missed, by a crash. */
			course->counted_ns = step.start_ns - 1;
			step.kind = SN_STEP_RUN;
			return step;
		}
	}
	count_missed(course, when, now_ns + 1);
	course->counted_ns = now_ns;
	if (next_start(course, when, now_ns, &step.start_ns) != 0)
		step.kind = SN_STEP_OVER;
	return step;
}

struct sn_step sn_course_step(struct sn_course *course, const struct sn_mp_when *when,
			      int64_t now_ns)
{
	struct sn_step step = {.kind = SN_STEP_RUN, .end_ns = SN_MP_FUTURE};

	if (when->set && when->repeated)
		return step_repeated(course, when, now_ns);
	if (when->set) {
		step.start_ns = sn_mp_when_starts(when, now_ns);
		step.end_ns = end_of(when, step.start_ns);
	}
	if (sn_course_has(course, step.start_ns) || step.end_ns <= now_ns)
		step.kind = SN_STEP_OVER;
	else if (step.start_ns > now_ns)
		step.kind = SN_STEP_WAIT;
	return step;
}
