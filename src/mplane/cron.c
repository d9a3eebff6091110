/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "mplane/when_internal.h"

/* After 400 years the calendar repeats itself, weekdays included. */
#define CYCLE_DAYS 146097

const struct sn_mp_cron_range sn_mp_cron_ranges[SN_MP_CRON_FIELDS] = {
	[SN_MP_CRON_SECOND] = {0, 59, 59, "seconds go from 0 to 59"},
	[SN_MP_CRON_MINUTE] = {0, 59, 59, "minutes go from 0 to 59"},
	/* Some peers write "*" as 0 to 59. */
	[SN_MP_CRON_HOUR] = {0, 23, 59, "hours go from 0 to 23"},
	[SN_MP_CRON_DAY] = {1, 31, 31, "days of a month go from 1 to 31"},
	[SN_MP_CRON_WEEKDAY] = {0, 6, 7, "days of a week go from 0 to 7, Sunday is both"},
	[SN_MP_CRON_MONTH] = {1, 12, 12, "months go from 1 to 12"},
};

uint64_t sn_mp_cron_get(const struct sn_mp_cron *cron, enum sn_mp_cron_field field)
{
	const uint64_t bits[SN_MP_CRON_FIELDS] = {cron->seconds, cron->minutes,  cron->hours,
						  cron->days,    cron->weekdays, cron->months};

	return bits[field];
}

static uint64_t bits_between(unsigned low, unsigned high)
{
	return (UINT64_MAX >> (63 - high)) & ~((UINT64_C(1) << low) - 1);
}

void sn_mp_cron_set(struct sn_mp_cron *cron, enum sn_mp_cron_field field, uint64_t bits)
{
	const struct sn_mp_cron_range *range = &sn_mp_cron_ranges[field];

	if (field == SN_MP_CRON_WEEKDAY && (bits >> 7 & 1) != 0)
		bits |= 1;
	bits &= bits_between(range->low, range->high);
	switch (field) {
	case SN_MP_CRON_SECOND:
		cron->seconds = bits;
		break;
	case SN_MP_CRON_MINUTE:
		cron->minutes = bits;
		break;
	case SN_MP_CRON_HOUR:
		cron->hours = (uint32_t)bits;
		break;
	case SN_MP_CRON_DAY:
		cron->days = (uint32_t)bits;
		break;
	case SN_MP_CRON_WEEKDAY:
		cron->weekdays = (uint32_t)bits;
		break;
	default:
		cron->months = (uint32_t)bits;
	}
}

static bool has(uint64_t bits, unsigned value)
{
	return (bits >> value & 1) != 0;
}

/* Days -------------------------------------------------------------------- */

struct day {
	int64_t number; /* since 1970-01-01 */
	int year;
	unsigned month, mday, weekday;
};

static unsigned days_in_month(int year, unsigned month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

static struct day day_of(int64_t number)
{
	time_t seconds = (time_t)(number * SN_MP_SECONDS_PER_DAY);
	struct tm tm = {0};

	(void)gmtime_r(&seconds, &tm);
	return (struct day){
		.number = number,
		.year = tm.tm_year + 1900,
		.month = (unsigned)tm.tm_mon + 1,
		.mday = (unsigned)tm.tm_mday,
		.weekday = (unsigned)tm.tm_wday,
	};
}

static void skip_days(struct day *day, unsigned count)
{
	day->number += count;
	day->weekday = (day->weekday + count) % 7;
	day->mday += count;
	if (day->mday <= days_in_month(day->year, day->month))
		return;
	/* Never further than to the first of the next month. */
	day->mday = 1;
	day->month = day->month % 12 + 1;
	day->year += day->month == 1;
}

/* This day or the first one after it that fits. */
static bool find_day(const struct sn_mp_cron *cron, struct day *day)
{
	int64_t last = day->number + CYCLE_DAYS;

	while (day->number <= last) {
		if (!has(cron->months, day->month))
			skip_days(day, days_in_month(day->year, day->month) - day->mday + 1);
		else if (has(cron->days, day->mday) && has(cron->weekdays, day->weekday))
			return true;
		else
			skip_days(day, 1);
	}
	return false;
}

/* Seconds of a day -------------------------------------------------------- */

/* The first value from `from` on, or `end`. */
static unsigned next_bit(uint64_t bits, unsigned from, unsigned end)
{
	while (from < end && !has(bits, from))
		from++;
	return from;
}

/* The first second of the day from `from` on that fits, or SN_MP_SECONDS_PER_DAY. */
static unsigned find_second(const struct sn_mp_cron *cron, unsigned from)
{
	unsigned hour = from / 3600, minute = from / 60 % 60, second = from % 60, next;

	while (hour < 24) {
		if (has(cron->hours, hour)) {
			while ((next = next_bit(cron->minutes, minute, 60)) < 60) {
				second = next == minute ? second : 0;
				minute = next;
				second = next_bit(cron->seconds, second, 60);
				if (second < 60)
					return (hour * 60 + minute) * 60 + second;
				minute++;
				second = 0;
			}
		}
		hour++;
		minute = second = 0;
	}
	return SN_MP_SECONDS_PER_DAY;
}

bool sn_mp_cron_next(const struct sn_mp_cron *cron, int64_t from, int64_t *found)
{
	int64_t number = from / SN_MP_SECONDS_PER_DAY - (from % SN_MP_SECONDS_PER_DAY < 0);
	unsigned second = (unsigned)(from - number * SN_MP_SECONDS_PER_DAY);
	struct day day = day_of(number);

	if (!find_day(cron, &day))
		return false;
	second = find_second(cron, day.number == number ? second : 0);
	if (second == SN_MP_SECONDS_PER_DAY) {
		skip_days(&day, 1);
		second = find_second(cron, 0);
		if (second == SN_MP_SECONDS_PER_DAY || !find_day(cron, &day))
			return false;
	}
	*found = day.number * SN_MP_SECONDS_PER_DAY + second;
	return true;
}

/* The fewest days between two that fit, as far as the weekdays tell. */
static int64_t weekday_gap(uint32_t weekdays)
{
	for (unsigned gap = 1; gap < 7; gap++)
		for (unsigned day = 0; day < 7; day++)
			if (has(weekdays, day) && has(weekdays, (day + gap) % 7))
				return gap;
	return 7;
}

int64_t sn_mp_cron_gap(const struct sn_mp_cron *cron)
{
	unsigned first = find_second(cron, 0), last = first;
	int64_t gap = INT64_MAX, over_night;

	if (first == SN_MP_SECONDS_PER_DAY)
		return 0;
	for (;;) {
		unsigned next = find_second(cron, last + 1);

		if (next == SN_MP_SECONDS_PER_DAY)
			break;
		gap = SN_MIN(gap, (int64_t)next - last);
		if (gap == 1)
			break;
		last = next;
	}
	over_night = weekday_gap(cron->weekdays) * SN_MP_SECONDS_PER_DAY - last + first;
	return SN_MIN(gap, over_night);
}
