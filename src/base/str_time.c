/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 times, by arithmetic alone: no locale, no time zone, no static buffers. */
#include "base/str.h"

#include <errno.h>
#include <stdio.h>

#include "base/util.h"

#define SECONDS_PER_DAY 86400

struct civil {
	int64_t year;
	unsigned month, day;
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar; years start in March. */
static int64_t days_from_civil(struct civil date)
{
	int64_t year = date.year - (date.month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	unsigned year_of_era = (unsigned)(year - era * 400);
	unsigned month = date.month > 2 ? date.month - 3 : date.month + 9;
	unsigned day_of_year = (153 * month + 2) / 5 + date.day - 1;
	unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + (int64_t)day_of_era - 719468;
}

static struct civil civil_from_days(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned doe = (unsigned)(shifted - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned month = (5 * doy + 2) / 153;
	struct civil date = {
		.year = (int64_t)yoe + era * 400,
		.month = month < 10 ? month + 3 : month - 9,
		.day = doy - (153 * month + 2) / 5 + 1,
	};

	date.year += date.month <= 2;
	return date;
}

static unsigned days_in_month(int64_t year, unsigned month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Exactly `count` digits. */
static bool take_number(struct sn_str *rest, size_t count, unsigned *value)
{
	*value = 0;
	if (rest->n < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (rest->p[i] < '0' || rest->p[i] > '9')
			return false;
		*value = *value * 10 + (unsigned)(rest->p[i] - '0');
	}
	rest->p += count;
	rest->n -= count;
	return true;
}

static bool take_one_of(struct sn_str *rest, const char *characters)
{
	for (; rest->n > 0 && *characters != '\0'; characters++) {
		if (rest->p[0] == *characters) {
			rest->p++;
			rest->n--;
			return true;
		}
	}
	return false;
}

static bool take_date(struct sn_str *rest, int64_t *days)
{
	unsigned year, month, day;

	if (!take_number(rest, 4, &year) || !take_one_of(rest, "-") ||
	    !take_number(rest, 2, &month) || !take_one_of(rest, "-") || !take_number(rest, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	*days = days_from_civil((struct civil){year, month, day});
	return true;
}

/* Digits beyond nanoseconds are read and dropped. */
static bool take_fraction(struct sn_str *rest, int64_t *nanoseconds)
{
	int64_t scale = SN_NS_PER_S;
	unsigned digit;
	bool any = false;

	*nanoseconds = 0;
	if (!take_one_of(rest, "."))
		return true;
	while (take_number(rest, 1, &digit)) {
		scale /= 10;
		*nanoseconds += digit * scale;
		any = true;
	}
	return any;
}

static bool take_offset(struct sn_str *rest, int64_t *seconds)
{
	bool west = rest->n > 0 && rest->p[0] == '-';
	unsigned hours, minutes;

	*seconds = 0;
	if (take_one_of(rest, "Zz"))
		return true;
	if (!take_one_of(rest, "+-") || !take_number(rest, 2, &hours) || !take_one_of(rest, ":") ||
	    !take_number(rest, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*seconds = ((int64_t)hours * 60 + minutes) * 60 * (west ? -1 : 1);
	return true;
}

static int parse_rfc3339(struct sn_str text, int64_t *unix_ns)
{
	unsigned hour, minute, second;
	int64_t days, fraction, offset, seconds;
	__int128 total;

	if (!take_date(&text, &days) || !take_one_of(&text, "Tt ") ||
	    !take_number(&text, 2, &hour) || !take_one_of(&text, ":") ||
	    !take_number(&text, 2, &minute) || !take_one_of(&text, ":") ||
	    !take_number(&text, 2, &second) || !take_fraction(&text, &fraction) ||
	    !take_offset(&text, &offset) || text.n > 0)
		return -EINVAL;
	if (hour > 23 || minute > 59 || second > 60)
		return -EINVAL;
	seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
	/* Unix time has no leap second: 23:59:60 UTC is the first second of the next day. */
	if (second == 60 && seconds % SECONDS_PER_DAY != 0)
		return -EINVAL;
	total = (__int128)seconds * SN_NS_PER_S + fraction;
	if (total < INT64_MIN || total > INT64_MAX)
		return -ERANGE;
	*unix_ns = (int64_t)total;
	return 0;
}

int sn_parse_time(struct sn_str text, int64_t now_ns, int64_t *unix_ns)
{
	int64_t parsed, ago;
	int rc;

	if (sn_str_eqc(text, "now")) {
		*unix_ns = now_ns;
		return 0;
	}
	if (take_one_of(&text, "-")) {
		rc = sn_parse_duration(text, &ago);
		if (rc == 0 && __builtin_sub_overflow(now_ns, ago, &parsed))
			rc = -ERANGE;
	} else {
		rc = parse_rfc3339(text, &parsed);
	}
	if (rc == 0)
		*unix_ns = parsed;
	return rc;
}

int sn_parse_when(struct sn_str text, int64_t now_ns, int64_t *unix_ns)
{
	struct sn_str rest = text;
	int64_t days, parsed;

	if (!take_date(&rest, &days) || rest.n > 0)
		return sn_parse_time(text, now_ns, unix_ns);
	if (__builtin_mul_overflow(days, SECONDS_PER_DAY * SN_NS_PER_S, &parsed))
		return -ERANGE;
	*unix_ns = parsed;
	return 0;
}

char *sn_format_time(int64_t unix_ns, char *out, size_t size)
{
	int64_t seconds = unix_ns / SN_NS_PER_S, nanos = unix_ns % SN_NS_PER_S;
	int64_t days, second_of_day;
	struct civil date;

	if (nanos < 0) {
		nanos += SN_NS_PER_S;
		seconds--;
	}
	days = seconds / SECONDS_PER_DAY;
	second_of_day = seconds % SECONDS_PER_DAY;
	if (second_of_day < 0) {
		second_of_day += SECONDS_PER_DAY;
		days--;
	}
	date = civil_from_days(days);
	if (size > 0)
		snprintf(out, size, "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", (int)date.year,
			 date.month, date.day, (int)(second_of_day / 3600),
			 (int)(second_of_day / 60 % 60), (int)(second_of_day % 60), (int)nanos);
	return out;
}
