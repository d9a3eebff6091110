/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of numbers with and without units, and the writers that are their inverse. */
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define NUMBER_TEXT_MAX     63 /* longer numbers are refused */
#define FRACTION_DIGITS_MAX 18 /* further digits are read and dropped */

typedef unsigned __int128 u128;

struct unit {
	const char *name;
	uint64_t factor;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take_char(struct sn_str *rest, char c)
{
	if (rest->n == 0 || rest->p[0] != c)
		return false;
	rest->p++;
	rest->n--;
	return true;
}

/* Digits off the front of `rest`: 0, -EINVAL if there is none, -ERANGE above 64 bits. */
static int take_digits(struct sn_str *rest, uint64_t *value)
{
	bool overflow = false;
	size_t i;

	*value = 0;
	for (i = 0; i < rest->n && is_digit(rest->p[i]); i++) {
		uint64_t digit = (uint64_t)(rest->p[i] - '0');

		overflow |= __builtin_mul_overflow(*value, 10, value);
		overflow |= __builtin_add_overflow(*value, digit, value);
	}
	if (i == 0) /* the text may be the empty one, without a pointer to move */
		return -EINVAL;
	rest->p += i;
	rest->n -= i;
	return overflow ? -ERANGE : 0;
}

int sn_parse_u64(struct sn_str text, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t parsed;
	int rc = take_digits(&text, &parsed);

	if (rc == -EINVAL || text.n > 0)
		return -EINVAL;
	if (rc != 0 || parsed < min || parsed > max)
		return -ERANGE;
	*value = parsed;
	return 0;
}

int sn_parse_i64(struct sn_str text, int64_t min, int64_t max, int64_t *value)
{
	bool negative = take_char(&text, '-');
	uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0), magnitude;
	int64_t parsed;
	int rc = sn_parse_u64(text, 0, limit, &magnitude);

	if (rc != 0)
		return rc;
	parsed = (int64_t)(negative ? -magnitude : magnitude);
	if (parsed < min || parsed > max)
		return -ERANGE;
	*value = parsed;
	return 0;
}

/* -?digits[.digits][(e|E)[+-]digits]: what strtod() takes, without blanks, hex, inf and nan. */
static bool looks_like_number(struct sn_str text)
{
	uint64_t digits;

	(void)take_char(&text, '-');
	if (take_digits(&text, &digits) == -EINVAL)
		return false;
	if (take_char(&text, '.') && take_digits(&text, &digits) == -EINVAL)
		return false;
	if (take_char(&text, 'e') || take_char(&text, 'E')) {
		if (!take_char(&text, '-'))
			(void)take_char(&text, '+');
		if (take_digits(&text, &digits) == -EINVAL)
			return false;
	}
	return text.n == 0;
}

int sn_parse_double(struct sn_str text, double min, double max, double *value)
{
	static locale_t c_locale; /* made once; lives as long as the program */
	char copy[NUMBER_TEXT_MAX + 1];
	double parsed;

	if (text.n > NUMBER_TEXT_MAX || !looks_like_number(text))
		return -EINVAL;
	if (c_locale == (locale_t)0)
		c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	parsed = strtod_l(copy, NULL, c_locale);
	if (!isfinite(parsed) || parsed < min || parsed > max)
		return -ERANGE;
	*value = parsed;
	return 0;
}

int sn_parse_bool(struct sn_str text, bool *value)
{
	static const char *const words[2][3] = {{"false", "no", "off"}, {"true", "yes", "on"}};

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < SN_COUNT(words[i]); j++) {
			if (sn_str_eqc(text, words[i][j])) {
				*value = i == 1;
				return 0;
			}
		}
	}
	return -EINVAL;
}

/* A decimal number without sign or exponent: whole + fraction / 10^fraction_digits. */
struct decimal {
	uint64_t whole, fraction, divisor;
	bool has_fraction;
};

static int take_decimal(struct sn_str *rest, struct decimal *out)
{
	int rc = take_digits(rest, &out->whole);
	size_t used = 0;

	out->fraction = 0;
	out->divisor = 1;
	out->has_fraction = rc != -EINVAL && take_char(rest, '.');
	if (!out->has_fraction)
		return rc;
	for (; rest->n > 0 && is_digit(rest->p[0]); rest->p++, rest->n--, used++) {
		if (used >= FRACTION_DIGITS_MAX)
			continue;
		out->fraction = out->fraction * 10 + (uint64_t)(rest->p[0] - '0');
		out->divisor *= 10;
	}
	return used == 0 ? -EINVAL : rc;
}

static u128 decimal_times(const struct decimal *number, uint64_t factor)
{
	return (u128)number->whole * factor + (u128)number->fraction * factor / number->divisor;
}

/* The letters at the front of `rest`. */
static struct sn_str take_letters(struct sn_str *rest)
{
	struct sn_str letters = {rest->p, 0};

	while (letters.n < rest->n && !is_digit(letters.p[letters.n]))
		letters.n++;
	rest->p += letters.n;
	rest->n -= letters.n;
	return letters;
}

static const struct unit *find_unit(const struct unit *units, size_t count, struct sn_str name)
{
	for (size_t i = 0; i < count; i++)
		if (sn_str_eqc(name, units[i].name))
			return &units[i];
	return NULL;
}

static int parse_with_unit(struct sn_str text, const struct unit *units, size_t count,
			   uint64_t *value)
{
	const struct unit *unit;
	struct decimal number;
	u128 total;
	int rc = take_decimal(&text, &number);

	if (rc == -EINVAL)
		return rc;
	unit = find_unit(units, count, text);
	/* Half a byte is no size: a fraction needs a unit that it can be a part of. */
	if (unit == NULL || (number.has_fraction && unit->factor == 1))
		return -EINVAL;
	total = decimal_times(&number, unit->factor);
	if (rc != 0 || total > UINT64_MAX)
		return -ERANGE;
	*value = (uint64_t)total;
	return 0;
}

int sn_parse_size(struct sn_str text, uint64_t *bytes)
{
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"kB", 1000},
		{"MB", 1000000},
		{"GB", 1000000000},
		{"TB", 1000000000000},
		{"KiB", 1ULL << 10},
		{"MiB", 1ULL << 20},
		{"GiB", 1ULL << 30},
		{"TiB", 1ULL << 40},
	};

	return parse_with_unit(text, units, SN_COUNT(units), bytes);
}

int sn_parse_rate(struct sn_str text, uint64_t *bits_per_second)
{
	static const struct unit units[] = {
		{"", 1},
		{"bit", 1},
		{"kbit", 1000},
		{"Mbit", 1000000},
		{"Gbit", 1000000000},
		{"Tbit", 1000000000000},
		{"bit/s", 1},
		{"kbit/s", 1000},
		{"Mbit/s", 1000000},
		{"Gbit/s", 1000000000},
		{"Tbit/s", 1000000000000},
	};

	return parse_with_unit(text, units, SN_COUNT(units), bits_per_second);
}

int sn_parse_ratio(struct sn_str text, double *ratio)
{
	bool percent = text.n > 0 && text.p[text.n - 1] == '%';
	double parsed;
	int rc;

	if (percent)
		text.n--;
	rc = sn_parse_double(text, 0, percent ? 100 : 1, &parsed);
	if (rc == 0)
		*ratio = percent ? parsed / 100 : parsed;
	return rc;
}

static const struct unit duration_units[] = {
	/* largest first: the order in which they may be written */
	{"w", 7 * 86400 * SN_NS_PER_S},
	{"d", 86400 * SN_NS_PER_S},
	{"h", 3600 * SN_NS_PER_S},
	{"m", 60 * SN_NS_PER_S},
	{"s", SN_NS_PER_S},
	{"ms", SN_NS_PER_MS},
	{"us", SN_NS_PER_US},
	{"ns", 1},
};

/* ISO 8601 without years and months, which have no fixed length. */
static const struct unit iso_date_units[] = {
	{"W", 7 * 86400 * SN_NS_PER_S},
	{"D", 86400 * SN_NS_PER_S},
};
static const struct unit iso_time_units[] = {
	{"H", 3600 * SN_NS_PER_S},
	{"M", 60 * SN_NS_PER_S},
	{"S", SN_NS_PER_S},
};

/* Number-unit pairs, each unit at most once and smaller than the one before. */
static int take_pairs(struct sn_str *rest, const struct unit *units, size_t count,
		      bool fraction_only_last, u128 *total)
{
	size_t first = 0;
	bool too_large = false;

	if (rest->n == 0)
		return -EINVAL;
	while (rest->n > 0 && rest->p[0] != 'T') {
		struct decimal number;
		const struct unit *unit;
		int rc = take_decimal(rest, &number);

		if (rc == -EINVAL)
			return rc;
		too_large |= rc == -ERANGE;
		struct sn_str name = take_letters(rest);
		if (name.n > 1 && name.p[name.n - 1] == 'T') {
			name.n--;
			rest->p--;
			rest->n++;
		}
		unit = find_unit(units + first, count - first, name);
		if (unit == NULL || (fraction_only_last && number.has_fraction && rest->n > 0))
			return -EINVAL;
		first = (size_t)(unit - units) + 1;
		*total += decimal_times(&number, unit->factor);
		too_large |= *total > INT64_MAX;
	}
	return too_large ? -ERANGE : 0;
}

static int parse_iso_duration(struct sn_str *text, u128 *total)
{
	int rc_date = 0, rc_time = 0;

	if (text->n == 0)
		return -EINVAL;
	if (text->p[0] != 'T')
		rc_date = take_pairs(text, iso_date_units, SN_COUNT(iso_date_units), true, total);
	if (rc_date != -EINVAL && take_char(text, 'T'))
		rc_time = take_pairs(text, iso_time_units, SN_COUNT(iso_time_units), true, total);
	if (rc_date == -EINVAL || rc_time == -EINVAL)
		return -EINVAL;
	return rc_date != 0 ? rc_date : rc_time;
}

int sn_parse_duration(struct sn_str text, int64_t *nanoseconds)
{
	u128 total = 0;
	int rc;

	if (sn_str_eqc(text, "0")) {
		*nanoseconds = 0;
		return 0;
	}
	if (take_char(&text, 'P'))
		rc = parse_iso_duration(&text, &total);
	else
		rc = take_pairs(&text, duration_units, SN_COUNT(duration_units), false, &total);
	if (rc != 0)
		return rc;
	if (text.n > 0)
		return -EINVAL;
	*nanoseconds = (int64_t)total;
	return 0;
}

/* "1.5s": `value` of a `unit` of at most a second, with as many decimals as it takes. */
static void add_fractional(char *out, size_t size, uint64_t value, const struct unit *unit)
{
	uint64_t nanos = value % unit->factor * ((uint64_t)SN_NS_PER_S / unit->factor);
	char fraction[] = ".000000000";
	size_t n = sizeof(fraction) - 1;

	for (size_t i = n; --i > 0; nanos /= 10)
		fraction[i] = (char)('0' + nanos % 10);
	while (n > 0 && (fraction[n - 1] == '0' || fraction[n - 1] == '.'))
		n--;
	snprintf(out, size, "%llu%.*s%s", (unsigned long long)(value / unit->factor), (int)n,
		 fraction, unit->name);
}

char *sn_format_duration(int64_t nanoseconds, char *out, size_t size)
{
	uint64_t left = nanoseconds < 0 ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds;
	char text[2 * SN_DURATION_TEXT_MAX];
	size_t n = 0;
	bool whole_units = left >= SN_NS_PER_S;

	if (nanoseconds < 0)
		text[n++] = '-';
	text[n] = '\0';
	if (left == 0)
		snprintf(text, sizeof(text), "0s");
	/* Weeks are read but not written: 10d says more than 1w3d. */
	for (size_t i = 1; i < SN_COUNT(duration_units) && left > 0; i++) {
		const struct unit *unit = &duration_units[i];

		if (left < unit->factor)
			continue;
		if (whole_units && unit->factor > (uint64_t)SN_NS_PER_S) {
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%llu%s",
					      (unsigned long long)(left / unit->factor),
					      unit->name);
			left %= unit->factor;
			continue;
		}
		add_fractional(text + n, sizeof(text) - n, left, unit);
		break;
	}
	if (size > 0)
		snprintf(out, size, "%s", text);
	return out;
}

char *sn_format_bytes(uint64_t bytes, char *out, size_t size)
{
	static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
	double value = (double)bytes;
	size_t i = 0;

	/* 999.95 would be rounded to 1000.0. */
	while (value >= 999.95 && i + 1 < SN_COUNT(prefixes)) {
		value /= 1000;
		i++;
	}
	if (size > 0)
		snprintf(out, size, i == 0 ? "%.0f %sB" : "%.1f %sB", value, prefixes[i]);
	return out;
}
