/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hub sends as tasks, and what lies in iterations.json: refused or understood,
 * and whatever the scope and however the clock goes, no iteration is run twice.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/util.h"
#include "node/tasks/course.h"
#include "node/tasks/journal.h"
#include "node/tasks/set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_NS (1772366400 * SN_NS_PER_S) /* 2026-03-01T12:00:00Z */

static void check_order(const struct sn_course *course)
{
	for (unsigned i = 0; i < course->span_count; i++) {
		if (course->spans[i].first_ns > course->spans[i].last_ns ||
		    (i > 0 && course->spans[i].first_ns <= course->spans[i - 1].last_ns))
			abort();
	}
}

static void follow(const struct sn_mp_when *when)
{
	/* Seconds that the clock moves by: on, back, far ahead and back again. */
	static const int64_t moves[] = {0, 1, 59, 3600, -1800, 400000000, -399999000, 86400};
	struct sn_course course;
	int64_t now_ns = NOW_NS;

	sn_course_begin(&course, now_ns);
	for (size_t i = 0; i < SN_COUNT(moves); i++) {
		struct sn_step step;

		now_ns += moves[i] * SN_NS_PER_S;
		step = sn_course_step(&course, when, now_ns);
		if (step.kind == SN_STEP_RUN) {
			if (sn_course_has(&course, step.start_ns) ||
			    (when->set && step.start_ns > now_ns) || step.end_ns <= now_ns)
				abort();
			sn_course_add(&course, when, step.start_ns);
			if (!sn_course_has(&course, step.start_ns))
				abort();
		}
		check_order(&course);
	}
}

static void try_set(const uint8_t *data, size_t size)
{
	struct sn_task_set set;
	struct sn_err err;

	if (sn_task_set_parse(data, size, &set, &err) != 0)
		return;
	for (size_t i = 0; i < set.count && i < 3; i++) {
		if (set.items[i].method != NULL)
			follow(&set.items[i].when);
	}
	sn_task_set_finish(&set);
}

static void try_journal(const uint8_t *data, size_t size)
{
	struct sn_journal journal, again;
	struct sn_buf text = {0}, text_again = {0};
	struct sn_err err;

	if (sn_journal_parse(data, size, &journal, &err) != 0)
		return;
	for (size_t i = 0; i < journal.count; i++)
		check_order(&journal.items[i]->course);
	sn_journal_format(&journal, &text);
	if (sn_journal_parse(text.p, text.n, &again, &err) != 0)
		abort();
	sn_journal_format(&again, &text_again);
	if (!sn_str_eq(sn_buf_str(&text), sn_buf_str(&text_again)))
		abort();
	sn_journal_finish(&journal);
	sn_journal_finish(&again);
	sn_buf_finish(&text);
	sn_buf_finish(&text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_set(data, size);
	try_journal(data, size);
	return 0;
}
