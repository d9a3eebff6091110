/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/rand.h"
#include "base/util.h"
#include "mplane/value.h"
#include "mplane/when.h"

#define MINUTE (60 * SN_NS_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static int64_t at(const char *text)
{
	int64_t ns;

	if (sn_mp_time_parse(sn_str(text), &ns) != 0)
		fail_msg("'%s' is no time", text);
	return ns;
}

static struct sn_mp_when parse(const char *text)
{
	struct sn_mp_when when;
	struct sn_err err = {0};

	if (sn_mp_when_parse(sn_str(text), &when, &err) != 0)
		fail_msg("'%s': %s", text, err.text);
	return when;
}

static void assert_prints(const struct sn_mp_when *when, const char *expected)
{
	struct sn_buf out = {0};

	sn_mp_when_print(when, &out);
	assert_string_equal(sn_buf_cstr(&out), expected);
	sn_buf_finish(&out);
}

static void assert_prints_brief(const struct sn_mp_when *when, const char *expected)
{
	struct sn_buf out = {0};

	sn_mp_when_print_brief(when, &out);
	assert_string_equal(sn_buf_cstr(&out), expected);
	sn_buf_finish(&out);
}

/* Reading and writing ----------------------------------------------------- */

static void every_form_has_its_canonical_text(void **state)
{
	static const struct {
		const char *text, *canonical;
	} forms[] = {
		{"now", "now"},
		{"now / 1s", "now / 1s"},
		{"now ... future", "now ... future"},
		{"now ... future / 1s", "now ... future / 1s"},
		{"past ... future", "past ... future"},
		{"past ... now", "past ... now"},
		{"now + 30s / 1s", "now + 30s / 1s"},
		{"now + 1m1500ms / 250ms", "now + 1m1s500ms / 250ms"},
		{"now + 90s", "now + 1m30s"},
		{"now + 1500s", "now + 25m"},
		{"now + 0s", "now + 0s"},
		{"now + 36h", "now + 1d12h"},
		{"now + 1d1h1m1s", "now + 1d1h1m1s"},
		{"now + 0d0h61m", "now + 1h1m"},
		{"now + inf", "now + 100000d"},
		{"past + inf / 5s", "past + 100000d / 5s"},
		{"now + 100000d", "now + 100000d"},
		{"now + inf ... future", "now + 100000d"},
		{"2014-09-08", "2014-09-08 00:00:00.000000"},
		{"2014-09-08 ... 2014-09-09 12:30 / 1m",
		 "2014-09-08 00:00:00.000000 ... 2014-09-09 12:30:00.000000 / 1m"},
		{"2014-09-08T12:40:00Z ... future", "2014-09-08 12:40:00.000000 ... future"},
		{"2030-01-02 03:04:05 + 1m / 10s", "2030-01-02 03:04:05.000000 + 1m / 10s"},
		{"repeat now + 12s / 4s { now + 2s / 1s } ",
		 "repeat now + 12s / 4s { now + 2s / 1s }"},
		{"repeat now ... future / 1h { now }", "repeat now ... future / 1h { now }"},
		{"repeat now ... future / 1h", "repeat now ... future / 1h"},
		{"repeat now + 1d / 1h { now + 30s }", "repeat now + 1d / 1h { now + 30s }"},
		{"repeat past ... future cron 0 0,30 8-17 1 1-5 12 { now }",
		 "repeat past ... future cron 0 0,30 8,9,10,11,12,13,14,15,16,17 1 1,2,3,4,5 12 { "
		 "now }"},
		{"repeat now + inf cron 5 5 24-59,3 31,1 7,6 *",
		 "repeat now + 100000d cron 5 5 3 1,31 0,6 1,2,3,4,5,6,7,8,9,10,11,12"},
		{"repeat now + 1d cron 0 0 * * * *",
		 "repeat now + 1d cron 0 0 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,"
		 "22,23 "
		 "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,"
		 "31 0,1,2,3,4,5,6 1,2,3,4,5,6,7,8,9,10,11,12"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(forms); i++) {
		struct sn_mp_when when = parse(forms[i].text), again;

		assert_true(when.set);
		assert_prints(&when, forms[i].canonical);
		again = parse(forms[i].canonical);
		assert_true(sn_mp_when_equal(&when, &again));
	}
}

static void the_brief_text_is_short_and_reads_back_as_the_same(void **state)
{
	static const struct {
		const char *text, *brief;
	} forms[] = {
		{"2014-09-08 ... future / 90s", "2014-09-08 00:00:00 ... future / 1m30s"},
		{"2014-09-08 01:02:03.5", "2014-09-08 01:02:03.500000"},
		{"now + 100000d", "now + inf"},
		{"repeat past ... future cron 0 0,30,31 8-17 * 1-5,7 * { now }",
		 "repeat past ... future cron 0 0,30-31 8-17 * 0-5 * { now }"},
		{"repeat past ... future cron * * 0-59 1-30 0-7 2-12",
		 "repeat past ... future cron * * * 1-30 * 2-12"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(forms); i++) {
		struct sn_mp_when when = parse(forms[i].text), again = parse(forms[i].brief);

		assert_prints_brief(&when, forms[i].brief);
		assert_true(sn_mp_when_equal(&when, &again));
	}
}

static void what_could_be_misread_is_refused_at_its_position(void **state)
{
	static const struct {
		const char *text;
		unsigned character;
		const char *reason;
	} bad[] = {
		{"now + 1.5s", 8, "whole numbers"},
		{"now + 30", 9, "unit is missing"},
		{"now + 5m3h", 10, "order d, h, m, s"},
		{"now + 5m3m", 10, "each once"},
		{"now + 5ms3s", 11, "each once"},
		{"now + 5w", 8, "unit is missing"},
		{"now+30s", 4, "blank"},
		{"now +30s", 4, "blank"},
		{"now + ", 4, "blank"},
		{"now + s", 7, "duration"},
		{"now + -5s", 7, "duration"},
		{"now + 30s /1s", 10, "blank"},
		{"now + 30s / 0s", 13, "longer than 0"},
		{"now + 30s / inf", 13, "duration"},
		{"now + 30s / 100000d", 13, "shorter than 100000 days"},
		{"now + 100000d1s", 7, "write inf"},
		{"now + 99999999999999999999999d", 7, "write inf"},
		{"now + 99999d86401s", 7, "write inf"},
		{"now ... ", 4, "blank"},
		{"now ... past", 9, "ends in the 'past'"},
		{"now...future", 4, "blank"},
		{"past", 5, "end is missing"},
		{"future", 1, "starts in the 'future'"},
		{"future ... future", 1, "starts in the 'future'"},
		{"past + 5m", 8, "after 'past'"},
		{"Now", 1, "not a time"},
		{"nowhere", 4, "nothing more"},
		{" now", 1, "not a time"},
		{"now\n", 4, "nothing more"},
		{"now now", 4, "nothing more"},
		{"2014-09-08 12:40:07.1234567", 1, "not a time"},
		{"2014-02-30", 1, "no such date"},
		{"1066-10-14 ... now", 1, "1678"},
		{"now ... 9999-12-31", 9, "2261"},
		{"2014-09-08 12:40:07+02:00", 20, "nothing more"},
		{"repeat now / 1s", 11, "end is missing"},
		{"repeat now + 1d", 16, "how often"},
		{"repeat now + 1d { now }", 16, "how often"},
		{"repeat now + 1d / 1h {now}", 21, "nothing more"},
		{"repeat now + 1d / 1h { now", 27, "' }'"},
		{"repeat now + 1d / 1h { past }", 24, "starts 'now'"},
		{"repeat now + 1d / 1h { now / 1s }", 27, "' }'"},
		{"repeat now + 1d / 1h { now + inf }", 30, "duration"},
		{"repeat now + 1d / 1h { now + 100000d }", 30, "has an end"},
		{"repeat now + 1d / 1h { now + 5s / 0s }", 35, "longer than 0"},
		{"repeat now + 1d / 1h { now } x", 29, "nothing more"},
		{"repeat now + 1d / 1h cron 0 0 0 * * *", 21, "nothing more"},
		{"repeat now + 1d cron 0 0 0 * * * / 1h", 33, "nothing more"},
		{"repeat now + 1d cron 0 0 0 * *", 31, "six fields"},
		{"repeat now + 1d cron 0  0 0 * * *", 24, "'*', numbers"},
		{"repeat now + 1d cron 60 0 0 * * *", 22, "seconds go from 0 to 59"},
		{"repeat now + 1d cron 0 60 0 * * *", 24, "minutes go from 0 to 59"},
		{"repeat now + 1d cron 0 0 60 * * *", 26, "hours go from 0 to 23"},
		{"repeat now + 1d cron 0 0 24-59 * * *", 26, "0 to 23"},
		{"repeat now + 1d cron 0 0 0 0 * *", 28, "days of a month"},
		{"repeat now + 1d cron 0 0 0 32 * *", 28, "days of a month"},
		{"repeat now + 1d cron 0 0 0 * 8 *", 30, "days of a week"},
		{"repeat now + 1d cron 0 0 0 * * 0", 32, "months"},
		{"repeat now + 1d cron 0 0 0 * * 13", 32, "months"},
		{"repeat now + 1d cron 4294967296 0 0 * * *", 22, "seconds"},
		{"repeat now + 1d cron 99999999999999999999 0 0 * * *", 22, "seconds"},
		{"repeat now + 1d cron 5-1 0 0 * * *", 22, "the larger"},
		{"repeat now + 1d cron */5 0 0 * * *", 23, "six fields"},
		{"repeat now + 1d cron 1, 0 0 * * *", 24, "'*', numbers"},
		{"repeat now + 1d cron - 0 0 * * *", 22, "'*', numbers"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		struct sn_mp_when when = {.span = {.start = 4711}};
		struct sn_err err = {0};
		char where[32];
		int rc = sn_mp_when_parse(sn_str(bad[i].text), &when, &err);

		snprintf(where, sizeof(where), ", character %u: ", bad[i].character);
		if ((rc != -EINVAL && rc != -ERANGE) || strstr(err.text, where) == NULL ||
		    strstr(err.text, bad[i].reason) == NULL)
			fail_msg("'%s': %d '%s'", bad[i].text, rc, err.text);
		assert_int_equal(when.span.start, 4711);
	}
}

static void an_empty_and_an_overlong_text_are_refused(void **state)
{
	char text[SN_MP_WHEN_TEXT_MAX + 1];
	struct sn_mp_when when;
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_mp_when_parse(SN_STR(""), &when, &err), -EINVAL);
	assert_int_equal(sn_mp_when_parse(sn_str(NULL), &when, &err), -EINVAL);
	assert_int_equal(sn_mp_when_parse(SN_STR("   "), &when, &err), -EINVAL);
	memset(text, ' ', sizeof(text));
	memcpy(text, "now", 3);
	assert_int_equal(sn_mp_when_parse((struct sn_str){text, SN_MP_WHEN_TEXT_MAX}, &when, &err),
			 0);
	assert_int_equal(
		sn_mp_when_parse((struct sn_str){text, SN_MP_WHEN_TEXT_MAX + 1}, &when, &err),
		-ERANGE);
	assert_non_null(strstr(err.text, "1024"));
}

static int64_t random_below(struct sn_prng *prng, int64_t limit)
{
	return (int64_t)(sn_prng_u64(prng) % (uint64_t)limit);
}

static int64_t random_moment(struct sn_prng *prng)
{
	return (int64_t)sn_prng_u64(prng) / SN_NS_PER_US * SN_NS_PER_US;
}

static int64_t random_duration(struct sn_prng *prng)
{
	static const int64_t limits[] = {2, 100, 10000, 1000000, 8639999999};

	return random_below(prng, limits[random_below(prng, SN_COUNT(limits))]) * SN_NS_PER_S +
	       random_below(prng, 2) * random_below(prng, 1000) * SN_NS_PER_MS;
}

static struct sn_mp_span random_span(struct sn_prng *prng, bool singleton)
{
	struct sn_mp_span span = {.end = SN_MP_UNSET, .duration_ns = -1};
	bool past = random_below(prng, 4) == 0;

	span.start = past                         ? SN_MP_PAST
		     : random_below(prng, 2) == 0 ? SN_MP_NOW
						  : random_moment(prng);
	switch (random_below(prng, singleton && !past ? 6 : 5)) {
	case 0:
		span.end = SN_MP_NOW;
		break;
	case 1:
		span.end = SN_MP_FUTURE;
		break;
	case 2:
		span.end = random_moment(prng);
		break;
	case 3:
		span.duration_ns = SN_MP_FOREVER;
		break;
	case 4:
		span.duration_ns = past ? SN_MP_FOREVER : random_duration(prng);
		break;
	default:
		break;
	}
	return span;
}

static uint64_t random_bits(struct sn_prng *prng, unsigned low, unsigned high)
{
	uint64_t bits = 0;

	for (int64_t i = random_below(prng, 8); i >= 0; i--)
		bits |= UINT64_C(1) << (low + (unsigned)random_below(prng, high - low + 1));
	if (random_below(prng, 4) == 0)
		for (unsigned i = low; i <= high; i++)
			bits |= UINT64_C(1) << i;
	return bits;
}

static struct sn_mp_when random_when(struct sn_prng *prng)
{
	struct sn_mp_when when = {.set = true, .repeated = random_below(prng, 2) == 0};

	when.span = random_span(prng, !when.repeated);
	when.has_cron = when.repeated && random_below(prng, 2) == 0;
	if (when.has_cron) {
		when.cron.seconds = random_bits(prng, 0, 59);
		when.cron.minutes = random_bits(prng, 0, 59);
		when.cron.hours = (uint32_t)random_bits(prng, 0, 23);
		when.cron.days = (uint32_t)random_bits(prng, 1, 31);
		when.cron.weekdays = (uint32_t)random_bits(prng, 0, 6);
		when.cron.months = (uint32_t)random_bits(prng, 1, 12);
	} else if (when.repeated || random_below(prng, 2) == 0) {
		when.span.period_ns = random_duration(prng) + SN_NS_PER_S;
	}
	when.has_inner = when.repeated && random_below(prng, 2) == 0;
	if (when.has_inner) {
		when.inner = (struct sn_mp_span){
			.start = SN_MP_NOW, .end = SN_MP_UNSET, .duration_ns = -1};
		if (random_below(prng, 3) > 0)
			when.inner.duration_ns = random_duration(prng);
		if (when.inner.duration_ns >= 0 && random_below(prng, 2) == 0)
			when.inner.period_ns = random_duration(prng) + SN_NS_PER_S;
	}
	return when;
}

static void assert_round_trip(const struct sn_mp_when *when)
{
	struct sn_buf text = {0}, again = {0};
	struct sn_mp_when back;
	struct sn_err err = {0};

	for (int brief = 0; brief < 2; brief++) {
		sn_buf_clear(&text);
		(brief ? sn_mp_when_print_brief : sn_mp_when_print)(when, &text);
		if (sn_mp_when_parse(sn_buf_str(&text), &back, &err) != 0)
			fail_msg("%s", err.text);
		if (!sn_mp_when_equal(when, &back))
			fail_msg("'%s' is read back as another", sn_buf_cstr(&text));
		sn_buf_clear(&again);
		(brief ? sn_mp_when_print_brief : sn_mp_when_print)(&back, &again);
		assert_string_equal(sn_buf_cstr(&again), sn_buf_cstr(&text));
	}
	sn_buf_finish(&text);
	sn_buf_finish(&again);
}

static void any_scope_is_read_back_from_its_text(void **state)
{
	uint64_t seed = 20260302;
	struct sn_prng prng;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	for (int i = 0; i < 20000; i++) {
		struct sn_mp_when when = random_when(&prng), resolved;

		assert_round_trip(&when);
		resolved = sn_mp_when_resolve(&when, (int64_t)sn_prng_u64(&prng));
		assert_round_trip(&resolved);
	}
}

static void parts_of_a_second_are_written_down_to_milliseconds(void **state)
{
	struct sn_mp_when when = parse("now + 1s / 1s");

	(void)state;
	when.span.duration_ns = 1500 * SN_NS_PER_MS;
	when.span.period_ns = 1;
	assert_prints(&when, "now + 1s500ms / 1ms");
	when.span.duration_ns = SN_MP_FOREVER - 1;
	assert_prints(&when, "now + 100000d / 1ms");
	when = (struct sn_mp_when){0};
	assert_prints(&when, "");
}

static void equality_looks_at_what_counts_only(void **state)
{
	struct sn_mp_when a = parse("now + 5s / 1s"), b = a;

	(void)state;
	b.inner.start = 77;
	b.cron.days = 1;
	assert_true(sn_mp_when_equal(&a, &b));
	b.span.period_ns = 2 * SN_NS_PER_S;
	assert_false(sn_mp_when_equal(&a, &b));
	b = (struct sn_mp_when){0};
	assert_false(sn_mp_when_equal(&a, &b));
	a.set = false;
	assert_true(sn_mp_when_equal(&a, &b));
	a = parse("repeat now + 1d / 1h { now }");
	b = parse("repeat now + 1d / 1h");
	assert_false(sn_mp_when_equal(&a, &b));
	a = parse("repeat now + 1d cron 0 0 0 1 * *");
	b = parse("repeat now + 1d cron 0 0 0 2 * *");
	assert_false(sn_mp_when_equal(&a, &b));
}

/* Meaning ----------------------------------------------------------------- */

#define T0 "2026-03-01 12:00:00"

static void start_and_end_are_seen_from_the_time_of_asking(void **state)
{
	static const struct {
		const char *text, *start, *end;
		bool expired;
	} cases[] = {
		{"now", T0, T0, false},
		{"now + 30s", T0, "2026-03-01 12:00:30", false},
		{"now + 0s", T0, T0, false},
		{"now ... future", T0, "future", false},
		{"now + inf", T0, "future", false},
		{"past ... now", "past", T0, false},
		{"past ... future", "past", "future", false},
		{"past + inf", "past", "future", false},
		{"2026-02-28 ... now", "2026-02-28", T0, false},
		{"2026-02-28 ... 2026-03-01 11:59:59.999999", "2026-02-28",
		 "2026-03-01 11:59:59.999999", true},
		{"2026-02-28 ... " T0, "2026-02-28", T0, false},
		{"past ... 2026-02-28", "past", "2026-02-28", true},
		{"now ... 2026-02-28", T0, "2026-02-28", true},
		{"2026-02-28 + 1d", "2026-02-28", "2026-03-01", true},
		{"2026-02-28 + 2d", "2026-02-28", "2026-03-02", false},
		{"2026-02-28", "2026-02-28", "2026-02-28", false},
		{"2027-01-01", "2027-01-01", "2027-01-01", false},
		{"2262-01-01 + 99999d", "2262-01-01", "future", false},
		{"repeat now + 1d / 1h { now + 30s }", T0, "2026-03-02 12:00:00", false},
		{"repeat 2026-01-01 ... 2026-02-01 cron 0 0 0 * * *", "2026-01-01", "2026-02-01",
		 true},
	};
	int64_t t0 = at(T0);

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_mp_when when = parse(cases[i].text);
		int64_t start =
			strcmp(cases[i].start, "past") == 0 ? SN_MP_PAST : at(cases[i].start);
		int64_t end = strcmp(cases[i].end, "future") == 0 ? SN_MP_FUTURE : at(cases[i].end);

		if (sn_mp_when_starts(&when, t0) != start || sn_mp_when_ends(&when, t0) != end ||
		    sn_mp_when_expired(&when, t0) != cases[i].expired)
			fail_msg("'%s'", cases[i].text);
	}
}

static void resolved_scopes_have_no_relative_points(void **state)
{
	static const struct {
		const char *text, *resolved;
	} cases[] = {
		{"now", T0},
		{"now + 30s / 1s", T0 " ... 2026-03-01 12:00:30 / 1s"},
		{"now ... future / 10s", T0 " ... future / 10s"},
		{"now + inf", T0 " ... future"},
		{"past ... future", T0 " ... future"},
		{"past ... now", T0 " ... " T0},
		{"2026-01-01 ... future", "2026-01-01 00:00:00 ... future"},
		{"2027-01-01 + 1h", "2027-01-01 00:00:00 ... 2027-01-01 01:00:00"},
		{"2027-01-01", "2027-01-01 00:00:00"},
		{"repeat now + 1d / 1h { now + 30s / 1s }",
		 "repeat " T0 " ... 2026-03-02 12:00:00 / 1h { now + 30s / 1s }"},
		{"repeat past ... future cron 0 0,30 8-17 * 1-5 * { now }",
		 "repeat " T0 " ... future cron 0 0,30 8-17 * 1-5 * { now }"},
	};
	int64_t t0 = at(T0);

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_mp_when when = parse(cases[i].text);
		struct sn_mp_when resolved = sn_mp_when_resolve(&when, t0 + 999), twice;

		assert_prints_brief(&resolved, cases[i].resolved);
		twice = sn_mp_when_resolve(&resolved, t0 + DAY);
		assert_true(sn_mp_when_equal(&resolved, &twice));
	}
}

static void a_clock_that_is_far_off_does_no_harm(void **state)
{
	static const int64_t clocks[] = {INT64_MIN, INT64_MIN + 1,    INT64_MIN + 1500, -1,
					 0,         INT64_MAX - 1500, INT64_MAX - 1,    INT64_MAX};
	static const char *const scopes[] = {"now",
					     "now + 30s / 1s",
					     "now + inf",
					     "past ... now",
					     "2026-01-01 ... 2026-01-02",
					     "2026-01-01",
					     "repeat now + 1d / 1h",
					     "repeat past ... future / 100d { now + 5s }",
					     "repeat now ... future cron 0 0 0 29 * 2"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(clocks); i++) {
		for (size_t j = 0; j < SN_COUNT(scopes); j++) {
			struct sn_mp_when when = parse(scopes[j]);
			struct sn_mp_when resolved = sn_mp_when_resolve(&when, clocks[i]);
			int64_t next = 0;
			struct sn_err err = {0};

			assert_round_trip(&resolved);
			(void)sn_mp_when_starts(&when, clocks[i]);
			(void)sn_mp_when_ends(&when, clocks[i]);
			(void)sn_mp_when_expired(&when, clocks[i]);
			(void)sn_mp_when_follows(&when, &resolved, clocks[i], &err);
			(void)sn_mp_when_follows(&resolved, &when, clocks[i], &err);
			if (sn_mp_when_next(&resolved, clocks[i], &next) == 0)
				assert_true(next >= clocks[i]);
		}
	}
}

/* Iterations -------------------------------------------------------------- */

static void periods_make_a_grid_from_the_start_to_the_end_inclusive(void **state)
{
	struct sn_mp_when when = parse("repeat 2026-01-01 ... 2026-01-01 00:00:12 / 4s { now }");
	int64_t start = at("2026-01-01"), next;

	(void)state;
	assert_int_equal(sn_mp_when_next(&when, SN_MP_PAST, &next), 0);
	assert_int_equal(next, start);
	assert_int_equal(sn_mp_when_next(&when, start, &next), 0);
	assert_int_equal(next, start);
	assert_int_equal(sn_mp_when_next(&when, start + 1, &next), 0);
	assert_int_equal(next, start + 4 * SN_NS_PER_S);
	assert_int_equal(sn_mp_when_next(&when, start + 8 * SN_NS_PER_S + 1, &next), 0);
	assert_int_equal(next, start + 12 * SN_NS_PER_S);
	assert_int_equal(sn_mp_when_next(&when, start + 12 * SN_NS_PER_S + 1, &next), -ENOENT);
	assert_int_equal(sn_mp_when_next(&when, SN_MP_FUTURE, &next), -ENOENT);
}

static void only_resolved_repeated_scopes_have_iterations(void **state)
{
	static const char *const others[] = {"now + 1d / 1h",
					     "2026-01-01 ... future / 1s",
					     "repeat now + 1d / 1h",
					     "repeat past ... future / 1h",
					     "repeat 2026-01-01 ... now / 1h",
					     "repeat 2026-01-01 + 1d / 1h"};
	int64_t next;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(others); i++) {
		struct sn_mp_when when = parse(others[i]);

		assert_int_equal(sn_mp_when_next(&when, 0, &next), -EINVAL);
	}
}

static void a_grid_ends_where_64_bits_end(void **state)
{
	struct sn_mp_when when = parse("repeat 2262-04-11 ... future / 1d");
	int64_t start = at("2262-04-11"), next;

	(void)state;
	assert_int_equal(sn_mp_when_next(&when, start + 1, &next), -ENOENT);
	when = parse("repeat 1678-01-01 ... future / 1s");
	assert_int_equal(sn_mp_when_next(&when, at("2262-04-11 23:47:16"), &next), 0);
	assert_int_equal(next, at("2262-04-11 23:47:16"));
	assert_int_equal(sn_mp_when_next(&when, at("2262-04-11 23:47:16") + 1, &next), -ENOENT);
	when = parse("repeat 1678-01-01 ... future / 99999d");
	assert_int_equal(sn_mp_when_next(&when, at("2262-04-11"), &next), -ENOENT);
}

static void an_iteration_is_a_simple_scope_that_starts_then(void **state)
{
	struct sn_mp_when when = parse("repeat 2026-01-01 ... future / 1h { now + 30s / 1s }");
	struct sn_mp_when iteration = sn_mp_when_iteration(&when, at(T0));

	(void)state;
	assert_prints_brief(&iteration, T0 " + 30s / 1s");
	assert_int_equal(sn_mp_when_ends(&iteration, 0), at(T0) + 30 * SN_NS_PER_S);
	when = parse("repeat 2026-01-01 ... future / 1h");
	iteration = sn_mp_when_iteration(&when, at(T0));
	assert_prints_brief(&iteration, T0);
	when = parse("repeat 2026-01-01 ... future / 1h { now }");
	iteration = sn_mp_when_iteration(&when, at(T0));
	assert_prints_brief(&iteration, T0);
}

static void crontabs_fit_when_all_six_fields_do(void **state)
{
	static const struct {
		const char *fields, *after, *next;
	} cases[] = {
		{"0 0,30 8-17 * 1-5 *", "2031-05-06 00:00:00", "2031-05-06 08:00:00"},
		{"0 0,30 8-17 * 1-5 *", "2031-05-06 08:00:00.000001", "2031-05-06 08:30:00"},
		/* 2031-05-09 is a Friday. */
		{"0 0,30 8-17 * 1-5 *", "2031-05-09 17:30:00.000001", "2031-05-12 08:00:00"},
		{"* * * * * *", "2026-03-01 12:00:00.5", "2026-03-01 12:00:01"},
		{"0 0,30 * * * *", "2026-03-01 12:11:01", "2026-03-01 12:30:00"},
		{"59 59 23 31 * 12", "2026-01-01", "2026-12-31 23:59:59"},
		{"0 0 0 1 * 1", "2026-01-01 00:00:00.1", "2027-01-01"},
		/* The fifth field is the day of the week, the sixth the month. */
		{"0 0 0 * 3 *", "2026-03-01", "2026-03-04"},
		{"0 0 0 * * 3", "2026-04-01", "2027-03-01"},
		{"0 0 0 * 0 *", "2026-03-02", "2026-03-08"},
		{"0 0 0 * 7 *", "2026-03-02", "2026-03-08"},
		{"0 0 0 * 6-7 *", "2026-03-02", "2026-03-07"},
		/* Leap days: 2100 has none. */
		{"0 0 12 29 * 2", "2026-03-01", "2028-02-29 12:00:00"},
		{"0 0 12 29 * 2", "2096-03-01", "2104-02-29 12:00:00"},
		{"0 0 12 29 * 2", "1999-03-01", "2000-02-29 12:00:00"},
		/* On a Sunday once in 28 years, and after 2100 in 40. */
		{"0 0 0 29 7 2", "2004-03-01", "2032-02-29"},
		{"0 0 0 29 7 2", "2088-03-01", "2128-02-29"},
		{"0 0 0 31 * 4,6", "2026-01-01", NULL},
		{"0 0 0 30 * 2", "2026-01-01", NULL},
		/* Before the epoch. */
		{"30 15 6 * * *", "1901-12-13 20:45:52.5", "1901-12-14 06:15:30"},
		{"* * * * * *", "1969-12-31 23:59:59.5", "1970-01-01"},
		{"0 0 0 * * *", "2262-04-11 00:00:00.1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		char text[200];
		struct sn_mp_when when;
		int64_t next = 0;
		int rc;

		snprintf(text, sizeof(text), "repeat 1678-01-01 ... future cron %s",
			 cases[i].fields);
		when = parse(text);
		rc = sn_mp_when_next(&when, at(cases[i].after), &next);
		if (rc != (cases[i].next == NULL ? -ENOENT : 0) ||
		    (rc == 0 && next != at(cases[i].next)))
			fail_msg("'%s' after %s: %d %lld", cases[i].fields, cases[i].after, rc,
				 (long long)next);
	}
}

static void crontabs_keep_to_start_and_end_of_their_scope(void **state)
{
	struct sn_mp_when when = parse("repeat 2026-01-01 00:00:00.5 ... 2026-01-01 00:00:03 cron "
				       "* * * * * *");
	int64_t start = at("2026-01-01"), next;

	(void)state;
	assert_int_equal(sn_mp_when_next(&when, SN_MP_PAST, &next), 0);
	assert_int_equal(next, start + SN_NS_PER_S);
	assert_int_equal(sn_mp_when_next(&when, start + 3 * SN_NS_PER_S, &next), 0);
	assert_int_equal(next, start + 3 * SN_NS_PER_S);
	assert_int_equal(sn_mp_when_next(&when, start + 3 * SN_NS_PER_S + 1, &next), -ENOENT);
}

static bool fits(const struct sn_mp_cron *cron, time_t second)
{
	struct tm tm;

	gmtime_r(&second, &tm);
	return (cron->seconds >> tm.tm_sec & 1) != 0 && (cron->minutes >> tm.tm_min & 1) != 0 &&
	       (cron->hours >> tm.tm_hour & 1) != 0 && (cron->days >> tm.tm_mday & 1) != 0 &&
	       (cron->weekdays >> tm.tm_wday & 1) != 0 &&
	       (cron->months >> (tm.tm_mon + 1) & 1) != 0;
}

/* Against going through the seconds one by one. */
static void crontabs_find_what_a_search_by_the_second_finds(void **state)
{
	uint64_t seed = 314;
	struct sn_prng prng;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	for (int i = 0; i < 3000; i++) {
		struct sn_mp_when when = parse("repeat 1700-01-01 ... 2200-01-01 cron * * * * * *");
		int64_t from = at("1960-01-01") / SN_NS_PER_S + random_below(&prng, 4000000000);
		int64_t next = 0, expected = from;
		int rc;

		when.cron.seconds = random_bits(&prng, 0, 59);
		when.cron.minutes = random_bits(&prng, 0, 59);
		when.cron.hours = (uint32_t)random_bits(&prng, 0, 23);
		when.cron.days = (uint32_t)random_bits(&prng, 1, 31);
		when.cron.weekdays = (uint32_t)random_bits(&prng, 0, 6);
		when.cron.months = (uint32_t)random_bits(&prng, 1, 12);
		rc = sn_mp_when_next(&when, from * SN_NS_PER_S, &next);
		if (rc != 0)
			continue;
		assert_true(fits(&when.cron, next / SN_NS_PER_S));
		/* Not the whole way when it is long; the days are enough then. */
		while (expected < next / SN_NS_PER_S && expected < from + 20000)
			assert_false(fits(&when.cron, expected++));
	}
}

static void the_shortest_time_between_samples_is_known(void **state)
{
	static const struct {
		const char *text;
		int64_t period_ns;
	} cases[] = {
		{"now", 0},
		{"now + 30s", 0},
		{"now + 30s / 2s", 2 * SN_NS_PER_S},
		{"repeat now + 1d / 1h", HOUR},
		{"repeat now + 1d / 1h { now + 30s }", HOUR},
		{"repeat now + 1d / 1h { now + 30s / 1s }", SN_NS_PER_S},
		{"repeat now + 1d / 1s { now + 30s / 5s }", SN_NS_PER_S},
		{"repeat now + 1d cron * * * * * *", SN_NS_PER_S},
		{"repeat now + 1d cron 0,59 0 * * * *", 59 * SN_NS_PER_S},
		{"repeat now + 1d cron 0,59 0,1 * * * *", SN_NS_PER_S},
		{"repeat now + 1d cron 0 0,30 * * * *", 30 * MINUTE},
		{"repeat now + 1d cron 0 0,59 * * * *", MINUTE},
		{"repeat now + 1d cron 0 0 8,20 * * *", 12 * HOUR},
		{"repeat now + 1d cron 0 0 0,23 * * *", HOUR},
		{"repeat now + 1d cron 0 0 0,23 * 1 *", 23 * HOUR},
		{"repeat now + 1d cron 0 0 12 * * *", DAY},
		{"repeat now + 1d cron 0 0 12 * 1 *", 7 * DAY},
		{"repeat now + 1d cron 0 0 12 * 1,3 *", 2 * DAY},
		{"repeat now + 1d cron 0 0 12 * 0,6 *", DAY},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_mp_when when = parse(cases[i].text);

		if (sn_mp_when_period(&when) != cases[i].period_ns)
			fail_msg("'%s': %lld", cases[i].text, (long long)sn_mp_when_period(&when));
	}
}

/* May it be given? -------------------------------------------------------- */

static void specifications_follow_capabilities_or_the_reason_is_said(void **state)
{
	static const struct {
		const char *wanted, *offered, *reason; /* NULL: it follows */
	} cases[] = {
		{"now + 30s / 1s", "now ... future / 1s", NULL},
		{"now + 30s / 2s", "now ... future / 1s", NULL},
		{"now ... future / 1s", "now ... future / 1s", NULL},
		{"now + inf / 1s", "now ... future / 1s", NULL},
		{"now + 30s / 1s", "now ... future / 2s", "shorter"},
		{"now + 30s", "now ... future / 1s", "missing"},
		{"now ... future", "now ... future / 1s", "missing"},
		/* Of peers, which know whole seconds, no parts are wanted. */
		{"now + 30s / 250ms", "now ... future / 100ms", NULL},
		{"now + 30s / 50ms", "now ... future / 100ms", "now ... future / 100ms"},
		{"now + 30s / 250ms", "now ... future", "whole seconds"},
		{"now + 1500ms", "now ... future", "whole seconds"},
		{"repeat now + 1d / 1h { now + 1s / 500ms }", "now ... future", "whole seconds"},
		/* One sample keeps to every limit. */
		{"now", "now ... future / 1s", NULL},
		/* Without a period nothing is limited. */
		{"now + 1s / 1s", "now + 5m", NULL},
		{"now + 30s / 1s", "now ... future", NULL},
		{"now", "now", NULL},
		{"now + 1s", "now", NULL},
		{"now", "past ... future", NULL},
		{"now", "past ... now", NULL},
		{"2026-03-01 13:00 + 5m", "now ... future", NULL},
		{"2026-03-01 13:00", "now", "neither"},
		{"2026-03-01 13:00 + 5m", "now + 5m", "neither"},
		{"2026-03-01 12:04 + 5m", "now + 5m", NULL},
		{"2026-03-01 12:05", "now + 5m", NULL},
		{"2026-03-01 12:05:00.000001", "now + 5m", "neither"},
		/* Windows of stored data. */
		{"2014-04-01 ... 2014-05-01", "past ... now", NULL},
		{"2014-04-01 ... now", "past ... future", NULL},
		{"past ... future", "past ... future", NULL},
		{"past ... now", "now ... future", NULL},
		{"past ... future", "now ... future", "neither"},
		{"2014-04-01 ... 2014-05-01", "now ... future", "neither"},
		{"2014-04-01 ... 2031-05-01", "now ... future", NULL},
		{"2014-04-01 ... future", "now ... future", "neither"},
		{"2014-04-01 + 1h", "now ... future", "neither"},
		/* Sent a moment ago. */
		{"2026-03-01 11:59:59.5 + 30s", "now ... future", NULL},
		{"2026-03-01 11:59:59.5", "now", NULL},
		{"2026-03-01 11:59:00", "now ... future", NULL},
		{"2026-03-01 11:58:59.999999", "now ... future", "neither"},
		{"now", "2026-01-01 ... 2026-12-31", NULL},
		{"now", "2027-01-01 ... 2027-12-31", "neither"},
		{"now", "2025-01-01 ... 2025-12-31", "neither"},
		/* Repeated ones: what is within an iteration counts. */
		{"repeat now + 1d / 1h { now + 30s / 1s }", "now ... future / 1s", NULL},
		{"repeat now + 1d / 1h { now + 30s / 1s }", "now ... future / 2s", "shorter"},
		{"repeat now + 1d / 1h { now + 30s }", "now ... future / 1s", "missing"},
		{"repeat now + 1d / 1h", "now ... future / 1s", NULL},
		{"repeat now + 1d / 1h { now }", "now ... future / 2h", "shorter"},
		{"repeat now + 1d / 1s { now + 0s / 10s }", "now ... future / 5s", "shorter"},
		{"repeat past ... future cron 0 0,30 8-17 * 1-5 * { now }", "now ... future / 1s",
		 NULL},
		{"repeat past ... future cron * * * * * * { now }", "now ... future / 2s",
		 "shorter"},
		{"now", "repeat now ... future / 1h", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_mp_when wanted = parse(cases[i].wanted),
				  offered = parse(cases[i].offered);
		struct sn_err err = {0};
		int rc = sn_mp_when_follows(&wanted, &offered, at(T0), &err);

		if (rc != (cases[i].reason == NULL ? 0 : -EINVAL) ||
		    (rc != 0 && strstr(err.text, cases[i].reason) == NULL))
			fail_msg("'%s' into '%s': %d '%s'", cases[i].wanted, cases[i].offered, rc,
				 err.text);
	}
}

static void a_capability_without_scope_takes_any_and_a_specification_needs_one(void **state)
{
	struct sn_mp_when none = {0}, now = parse("now");
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_mp_when_follows(&now, &none, 0, &err), 0);
	assert_int_equal(sn_mp_when_follows(&none, &now, 0, &err), -EINVAL);
	assert_non_null(strstr(err.text, "when"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_has_its_canonical_text),
		cmocka_unit_test(the_brief_text_is_short_and_reads_back_as_the_same),
		cmocka_unit_test(what_could_be_misread_is_refused_at_its_position),
		cmocka_unit_test(an_empty_and_an_overlong_text_are_refused),
		cmocka_unit_test(any_scope_is_read_back_from_its_text),
		cmocka_unit_test(parts_of_a_second_are_written_down_to_milliseconds),
		cmocka_unit_test(equality_looks_at_what_counts_only),
		cmocka_unit_test(start_and_end_are_seen_from_the_time_of_asking),
		cmocka_unit_test(resolved_scopes_have_no_relative_points),
		cmocka_unit_test(a_clock_that_is_far_off_does_no_harm),
		cmocka_unit_test(periods_make_a_grid_from_the_start_to_the_end_inclusive),
		cmocka_unit_test(only_resolved_repeated_scopes_have_iterations),
		cmocka_unit_test(a_grid_ends_where_64_bits_end),
		cmocka_unit_test(an_iteration_is_a_simple_scope_that_starts_then),
		cmocka_unit_test(crontabs_fit_when_all_six_fields_do),
		cmocka_unit_test(crontabs_keep_to_start_and_end_of_their_scope),
		cmocka_unit_test(crontabs_find_what_a_search_by_the_second_finds),
		cmocka_unit_test(the_shortest_time_between_samples_is_known),
		cmocka_unit_test(specifications_follow_capabilities_or_the_reason_is_said),
		cmocka_unit_test(
			a_capability_without_scope_takes_any_and_a_specification_needs_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
