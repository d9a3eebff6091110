/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/util.h"
#include "node/tasks/course.h"

#define S SN_NS_PER_S

static struct sn_course course;

static int64_t at(const char *text)
{
	int64_t time_ns;

	assert_int_equal(sn_parse_time(sn_str(text), 0, &time_ns), 0);
	return time_ns;
}

static struct sn_mp_when scope(const char *text)
{
	struct sn_mp_when when;
	struct sn_err err = {0};

	if (sn_mp_when_parse(sn_str(text), &when, &err) != 0)
		fail_msg("%s", err.text);
	return when;
}

/* A step that is carried out at once. */
static struct sn_step step_and_run(const struct sn_mp_when *when, const char *now)
{
	struct sn_step step = sn_course_step(&course, when, at(now));

	if (step.kind == SN_STEP_RUN)
		sn_course_add(&course, when, step.start_ns);
	return step;
}

static void assert_runs(const struct sn_mp_when *when, const char *now, const char *start)
{
	struct sn_step step = step_and_run(when, now);

	assert_int_equal(step.kind, SN_STEP_RUN);
	assert_int_equal(step.start_ns, at(start));
}

static void assert_waits(const struct sn_mp_when *when, const char *now, const char *start)
{
	struct sn_step step = sn_course_step(&course, when, at(now));

	assert_int_equal(step.kind, SN_STEP_WAIT);
	assert_int_equal(step.start_ns, at(start));
}

static void assert_over(const struct sn_mp_when *when, const char *now)
{
	assert_int_equal(sn_course_step(&course, when, at(now)).kind, SN_STEP_OVER);
}

static int begin(void **state)
{
	(void)state;
	sn_course_begin(&course, at("2026-03-01T12:00:00Z"));
	return 0;
}

static void without_a_scope_there_is_one_run_without_end(void **state)
{
	struct sn_mp_when when = {0};
	struct sn_step step = step_and_run(&when, "2026-03-01T12:00:00Z");

	(void)state;
	assert_int_equal(step.kind, SN_STEP_RUN);
	assert_true(step.end_ns == SN_MP_FUTURE);
	assert_over(&when, "2026-03-01T12:00:00Z");
}

static void a_span_is_waited_for_run_to_its_end_and_over(void **state)
{
	struct sn_mp_when when = scope("2026-03-01 12:00:10 ... 2026-03-01 12:01:00 / 1s");
	struct sn_step step;

	(void)state;
	assert_waits(&when, "2026-03-01T12:00:09.9Z", "2026-03-01T12:00:10Z");
	step = sn_course_step(&course, &when, at("2026-03-01T12:00:30Z"));
	assert_int_equal(step.kind, SN_STEP_RUN);
	assert_int_equal(step.end_ns, at("2026-03-01T12:01:00Z"));
	assert_over(&when, "2026-03-01T12:01:00Z");
}

static void a_single_moment_is_run_however_late_and_once(void **state)
{
	struct sn_mp_when when = scope("2026-03-01 11:00:00");

	(void)state;
	assert_runs(&when, "2026-03-01T12:00:00Z", "2026-03-01T11:00:00Z");
	assert_over(&when, "2026-03-01T12:00:01Z");
	assert_over(&when, "2026-03-01T10:00:00Z");
}

static void iterations_follow_their_grid(void **state)
{
	struct sn_mp_when when =
		scope("repeat 2026-03-01 12:00:00 ... 2026-03-01 12:02:30 / 1m { now }");

	(void)state;
	assert_runs(&when, "2026-03-01T12:00:00.2Z", "2026-03-01T12:00:00Z");
	assert_waits(&when, "2026-03-01T12:00:05Z", "2026-03-01T12:01:00Z");
	assert_runs(&when, "2026-03-01T12:01:00Z", "2026-03-01T12:01:00Z");
	assert_runs(&when, "2026-03-01T12:02:00Z", "2026-03-01T12:02:00Z");
	assert_over(&when, "2026-03-01T12:02:05Z");
	assert_int_equal(course.missed, 0);
	assert_int_equal(course.span_count, 1);
}

static void a_missed_iteration_is_run_late_unless_the_next_is_due(void **state)
{
	struct sn_mp_when when = scope("repeat 2026-03-01 12:00:00 ... future / 1m { now }");

	(void)state;
	assert_runs(&when, "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z");
	assert_runs(&when, "2026-03-01T12:01:59Z", "2026-03-01T12:01:00Z");
	assert_int_equal(course.missed, 0);
	assert_runs(&when, "2026-03-01T12:05:30Z", "2026-03-01T12:05:00Z");
	assert_int_equal(course.missed, 3);
	/* Looking once more counts nothing twice. */
	assert_waits(&when, "2026-03-01T12:05:31Z", "2026-03-01T12:06:00Z");
	assert_int_equal(course.missed, 3);
}

static void what_was_before_the_task_came_is_not_missed(void **state)
{
	struct sn_mp_when when = scope("repeat 2026-01-01 00:00:00 ... future / 1h { now }");

	(void)state;
	assert_runs(&when, "2026-03-01T12:30:00Z", "2026-03-01T12:00:00Z");
	assert_int_equal(course.missed, 0);
}

static void an_iteration_whose_own_time_is_over_is_left_out(void **state)
{
	struct sn_mp_when when =
		scope("repeat 2026-03-01 12:00:00 ... future / 1m { now + 10s / 1s }");
	struct sn_step step;

	(void)state;
	step = sn_course_step(&course, &when, at("2026-03-01T12:01:09Z"));
	assert_int_equal(step.kind, SN_STEP_RUN);
	assert_int_equal(step.start_ns, at("2026-03-01T12:01:00Z"));
	assert_int_equal(step.end_ns, at("2026-03-01T12:01:10Z"));
	/* Begun and never completed, it is missed like the one after it. */
	assert_waits(&when, "2026-03-01T12:02:10Z", "2026-03-01T12:03:00Z");
	assert_int_equal(course.missed, 2);
}

static void a_clock_that_is_set_back_runs_nothing_twice(void **state)
{
	struct sn_mp_when when = scope("repeat 2026-03-01 12:00:00 ... future / 1m { now }");

	(void)state;
	for (int minute = 0; minute < 5; minute++) {
		char now[32];

		snprintf(now, sizeof(now), "2026-03-01T12:0%d:00Z", minute);
		assert_runs(&when, now, now);
	}
	assert_waits(&when, "2026-03-01T12:01:30Z", "2026-03-01T12:05:00Z");
	assert_waits(&when, "2026-03-01T11:00:00Z", "2026-03-01T12:05:00Z");
	assert_waits(&when, "2026-03-01T12:04:59Z", "2026-03-01T12:05:00Z");
	assert_runs(&when, "2026-03-01T12:05:00Z", "2026-03-01T12:05:00Z");
	assert_int_equal(course.missed, 0);
}

static void after_a_while_far_ahead_the_present_is_still_to_be_run(void **state)
{
	struct sn_mp_when when = scope("repeat 2026-03-01 12:00:00 ... future / 1m { now }");

	(void)state;
	assert_runs(&when, "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z");
	assert_runs(&when, "2040-01-01T00:00:01Z", "2040-01-01T00:00:00Z");
	assert_runs(&when, "2040-01-01T00:01:01Z", "2040-01-01T00:01:00Z");
	assert_true(course.missed <= SN_COURSE_MISS_MAX);
	assert_runs(&when, "2026-03-01T12:03:00Z", "2026-03-01T12:03:00Z");
	assert_waits(&when, "2026-03-01T12:03:01Z", "2026-03-01T12:04:00Z");
	assert_waits(&when, "2040-01-01T00:00:30Z", "2040-01-01T00:02:00Z");
}

static void crontabs_are_followed(void **state)
{
	struct sn_mp_when when =
		scope("repeat 2026-03-02 00:00:00 ... future cron 0 0,30 8-17 * 1-5 * { now }");

	(void)state;
	assert_runs(&when, "2026-03-02T12:10:00Z", "2026-03-02T12:00:00Z");
	assert_waits(&when, "2026-03-02T12:11:00Z", "2026-03-02T12:30:00Z");
	assert_runs(&when, "2026-03-06T23:00:00Z", "2026-03-06T17:30:00Z");
	assert_waits(&when, "2026-03-07T10:00:00Z", "2026-03-09T08:00:00Z");
}

static void a_crontab_that_never_fits_is_over(void **state)
{
	struct sn_mp_when when =
		scope("repeat 2026-03-02 00:00:00 ... future cron 0 0 0 30 * 2 { now }");

	(void)state;
	assert_over(&when, "2026-03-03T00:00:00Z");
}

static void what_was_run_grows_together_in_any_order(void **state)
{
	struct sn_mp_when when = scope("repeat 2026-03-01 12:00:00 ... future / 1s { now }");
	int64_t zero = at("2026-03-01T12:00:00Z");
	static const int order[] = {0, 2, 4, 1, 3, 5};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(order); i++)
		sn_course_add(&course, &when, zero + order[i] * S);
	assert_int_equal(course.span_count, 1);
	assert_int_equal(course.spans[0].first_ns, zero);
	assert_int_equal(course.spans[0].last_ns, zero + 5 * S);
	sn_course_add(&course, &when, zero + 3 * S);
	assert_int_equal(course.span_count, 1);
}

static void the_oldest_holes_are_forgotten_first(void **state)
{
	struct sn_mp_when when = scope("repeat 2026-03-01 12:00:00 ... future / 1s { now }");
	int64_t zero = at("2026-03-01T12:00:00Z");

	(void)state;
	for (int i = 0; i < SN_COURSE_SPANS + 1; i++)
		sn_course_add(&course, &when, zero + (10 + 2 * i) * S);
	assert_int_equal(course.span_count, SN_COURSE_SPANS);
	assert_true(sn_course_has(&course, zero + 11 * S));
	assert_false(sn_course_has(&course, zero + 13 * S));
	/* Older than all that is known. */
	sn_course_add(&course, &when, zero);
	assert_true(sn_course_has(&course, zero));
	assert_int_equal(course.span_count, SN_COURSE_SPANS);
	for (unsigned i = 0; i < course.span_count; i++) {
		assert_true(course.spans[i].first_ns <= course.spans[i].last_ns);
		assert_true(i == 0 || course.spans[i - 1].last_ns < course.spans[i].first_ns);
	}
}

static void whatever_is_added_is_known_and_in_order(void **state)
{
	struct sn_mp_when when = scope("repeat 2026-03-01 12:00:00 ... future / 1s { now }");
	int64_t zero = at("2026-03-01T12:00:00Z");

	(void)state;
	for (int i = 0; i < 3000; i++) {
		int64_t start_ns = zero + (int64_t)sn_random_below(60) * S;

		if (i % 100 == 0)
			sn_course_begin(&course, zero);
		sn_course_add(&course, &when, start_ns);
		assert_true(sn_course_has(&course, start_ns));
		assert_in_range(course.span_count, 1, SN_COURSE_SPANS);
		for (unsigned k = 1; k < course.span_count; k++)
			assert_true(course.spans[k - 1].last_ns < course.spans[k].first_ns);
	}
}

static void the_last_start_is_found_as_by_walking(void **state)
{
	static const char *const scopes[] = {
		"repeat 2026-03-01 12:00:00 ... 2026-03-01 18:00:00 / 7s { now }",
		"repeat 2026-03-01 12:00:00 ... future cron 5,6 * * * * * { now }",
		"repeat 2026-03-01 12:00:00 ... future cron 0 17 */3 * * * { now + 5s / 1s }",
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(scopes); i++) {
		struct sn_mp_when when;
		int64_t zero = at("2026-03-01T11:59:00Z");

		if (sn_mp_when_parse(sn_str(scopes[i]), &when, NULL) != 0)
			continue; /* a step in a crontab is no part of the grammar */
		for (int k = 0; k < 40; k++) {
			int64_t now_ns = zero + (int64_t)sn_random_below(7 * 3600) * S;
			int64_t walked = INT64_MIN, next_ns = 0, found;
			int error;

			while (sn_mp_when_next(&when, next_ns, &next_ns) == 0 && next_ns <= now_ns)
				walked = next_ns++;
			error = sn_course_last_start(&when, now_ns, &found);
			assert_int_equal(error, walked == INT64_MIN ? -ENOENT : 0);
			if (error == 0)
				assert_int_equal(found, walked);
		}
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		T(without_a_scope_there_is_one_run_without_end),
		T(a_span_is_waited_for_run_to_its_end_and_over),
		T(a_single_moment_is_run_however_late_and_once),
		T(iterations_follow_their_grid),
		T(a_missed_iteration_is_run_late_unless_the_next_is_due),
		T(what_was_before_the_task_came_is_not_missed),
		T(an_iteration_whose_own_time_is_over_is_left_out),
		T(a_clock_that_is_set_back_runs_nothing_twice),
		T(after_a_while_far_ahead_the_present_is_still_to_be_run),
		T(crontabs_are_followed),
		T(a_crontab_that_never_fits_is_over),
		T(what_was_run_grows_together_in_any_order),
		T(the_oldest_holes_are_forgotten_first),
		T(whatever_is_added_is_known_and_in_order),
		T(the_last_start_is_found_as_by_walking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
