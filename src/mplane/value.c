/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/value.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/utf8.h"
#include "mplane/value_internal.h"

#define QUOTE_MAX    80 /* bytes of a bad value that an error repeats */
#define EXPONENT_MAX 1000000

typedef int canon_fn(struct sn_str text, struct sn_buf *out, struct sn_err *err);

static int refuse(struct sn_err *err, int code, struct sn_str text, const char *why)
{
	return sn_err_set(err, code, "bad value '%.*s': %s", (int)sn_utf8_cut(text, QUOTE_MAX),
			  text.n > 0 ? text.p : "", why);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Texts and URLs ---------------------------------------------------------- */

static int canon_text(struct sn_str text, struct sn_buf *out, struct sn_err *err)
{
	(void)err;
	sn_buf_add(out, text.p, text.n);
	return 0;
}

/* Naturals ---------------------------------------------------------------- */

struct decimal { /* whole.fraction * 10^exponent */
	struct sn_str whole, fraction;
	int64_t exponent;
};

static struct sn_str take_digits(struct sn_str *rest)
{
	struct sn_str digits = {rest->p, 0};

	while (digits.n < rest->n && is_digit(digits.p[digits.n]))
		digits.n++;
	if (digits.n > 0) { /* an empty text may have no pointer to move */
		rest->p += digits.n;
		rest->n -= digits.n;
	}
	return digits;
}

static bool take_char(struct sn_str *rest, char c)
{
	if (rest->n == 0 || rest->p[0] != c)
		return false;
	rest->p++;
	rest->n--;
	return true;
}

/* digits [ "." digits ] [ ("e" | "E") [sign] digits ] */
static bool scan_decimal(struct sn_str text, struct decimal *decimal)
{
	struct sn_str digits;
	bool negative;

	*decimal = (struct decimal){.whole = take_digits(&text)};
	if (decimal->whole.n == 0)
		return false;
	if (take_char(&text, '.')) {
		decimal->fraction = take_digits(&text);
		if (decimal->fraction.n == 0)
			return false;
	}
	if (take_char(&text, 'e') || take_char(&text, 'E')) {
		negative = take_char(&text, '-');
		if (!negative)
			(void)take_char(&text, '+');
		digits = take_digits(&text);
		if (digits.n == 0)
			return false;
		for (size_t i = 0; i < digits.n && decimal->exponent < EXPONENT_MAX; i++)
			decimal->exponent = decimal->exponent * 10 + (digits.p[i] - '0');
		if (negative)
			decimal->exponent = -decimal->exponent;
	}
	return text.n == 0;
}

/*
 * The whole part of a decimal.  Not by way of a double, which would change every number above
 * 2^53 that a peer writes as "18446744073709551615.0".
 */
static int decimal_floor(const struct decimal *decimal, uint64_t *value)
{
	int64_t count = (int64_t)decimal->whole.n + decimal->exponent;
	size_t digits = decimal->whole.n + decimal->fraction.n;

	*value = 0;
	for (int64_t i = 0; i < count; i++) {
		unsigned digit = 0;

		if ((size_t)i < decimal->whole.n)
			digit = (unsigned)(decimal->whole.p[i] - '0');
		else if ((size_t)i < digits)
			digit = (unsigned)(decimal->fraction.p[(size_t)i - decimal->whole.n] - '0');
		else if (*value == 0)
			return 0; /* "0e999999" */
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return -ERANGE;
	}
	return 0;
}

static int canon_natural(struct sn_str text, struct sn_buf *out, struct sn_err *err)
{
	struct decimal decimal;
	uint64_t value;

	if (text.n > 0 && text.p[0] == '-')
		return refuse(err, -ERANGE, text, "a natural number is not negative");
	if (!scan_decimal(text, &decimal))
		return refuse(err, -EINVAL, text, "not a natural number");
	if (decimal_floor(&decimal, &value) != 0)
		return refuse(err, -ERANGE, text, "above 18446744073709551615");
	sn_buf_add_u64(out, value);
	return 0;
}

/* Reals, booleans --------------------------------------------------------- */

static int canon_real(struct sn_str text, struct sn_buf *out, struct sn_err *err)
{
	struct sn_jw jw;
	double value;
	int rc = sn_parse_double(text, -DBL_MAX, DBL_MAX, &value);

	if (rc == -ERANGE)
		return refuse(err, rc, text, "beyond what a double holds");
	if (rc != 0)
		return refuse(err, rc, text, "not a finite number of at most 63 characters");
	sn_jw_init(&jw, out);
	sn_jw_double(&jw, value == 0 ? 0 : value); /* minus zero means nothing here */
	return 0;
}

static int canon_boolean(struct sn_str text, struct sn_buf *out, struct sn_err *err)
{
	static const struct {
		const char *word;
		const char *canonical;
	} words[] = {{"true", "True"}, {"1", "True"}, {"false", "False"}, {"0", "False"}};

	for (size_t i = 0; i < SN_COUNT(words); i++) {
		if (text.n == strlen(words[i].word) &&
		    strncasecmp(text.p, words[i].word, text.n) == 0) {
			sn_buf_adds(out, words[i].canonical);
			return 0;
		}
	}
	return refuse(err, -EINVAL, text, "not True or False");
}

/* Times ------------------------------------------------------------------- */

static const char *const time_words[] = {"past", "now", "future"};

/* One to `max` digits. */
static bool take_number(struct sn_str *rest, size_t max, unsigned *value)
{
	struct sn_str digits = take_digits(rest);

	*value = 0;
	for (size_t i = 0; i < digits.n && i < max; i++)
		*value = *value * 10 + (unsigned)(digits.p[i] - '0');
	return digits.n >= 1 && digits.n <= max;
}

struct clock_time {
	unsigned hour, minute, second, microsecond;
};

/* n ":" n [ ":" n [ "." 1*6DIGIT ] ] */
static bool take_clock(struct sn_str *rest, struct clock_time *time)
{
	struct sn_str start;

	if (!take_number(rest, 2, &time->hour) || !take_char(rest, ':') ||
	    !take_number(rest, 2, &time->minute))
		return false;
	if (!take_char(rest, ':'))
		return true;
	if (!take_number(rest, 2, &time->second))
		return false;
	if (!take_char(rest, '.'))
		return true;
	start = *rest;
	if (!take_number(rest, 6, &time->microsecond))
		return false;
	for (size_t i = start.n - rest->n; i < 6; i++)
		time->microsecond *= 10;
	return true;
}

int sn_mp_time_take(struct sn_str *rest, int64_t *unix_ns)
{
	unsigned year, month, day;
	struct clock_time time = {0};
	struct sn_str left = *rest;
	char text[64];

	if (!take_number(&left, 4, &year) || !take_char(&left, '-') ||
	    !take_number(&left, 2, &month) || !take_char(&left, '-') ||
	    !take_number(&left, 2, &day))
		return -EINVAL;
	/* In a scope a blank may also lead to what comes behind the time. */
	if (left.n >= 2 && (left.p[0] == 'T' || left.p[0] == ' ') && is_digit(left.p[1])) {
		left.p++;
		left.n--;
		if (!take_clock(&left, &time))
			return -EINVAL;
		(void)take_char(&left, 'Z');
	}
	if (time.second > 59) /* leap seconds: the protocol has none */
		return -ERANGE;
	snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", year, month, day,
		 time.hour, time.minute, time.second, time.microsecond);
	if (sn_parse_time(sn_str(text), 0, unix_ns) != 0)
		return -ERANGE;
	*rest = left;
	return 0;
}

int sn_mp_time_parse(struct sn_str text, int64_t *unix_ns)
{
	int64_t parsed;
	int rc = sn_mp_time_take(&text, &parsed);

	if (rc != 0)
		return rc;
	if (text.n > 0)
		return -EINVAL;
	*unix_ns = parsed;
	return 0;
}

char *sn_mp_time_format(int64_t unix_ns, char out[SN_MP_TIME_SIZE])
{
	char text[SN_TIME_TEXT_MAX];
	size_t n = strcspn(sn_format_time(unix_ns, text, sizeof(text)), ".");

	text[strcspn(text, "T")] = ' ';
	snprintf(out, SN_MP_TIME_SIZE, "%.*s", (int)(n + 7), text);
	return out;
}

static int canon_time(struct sn_str text, struct sn_buf *out, struct sn_err *err)
{
	char canonical[SN_MP_TIME_SIZE];
	int64_t unix_ns;
	int rc;

	for (size_t i = 0; i < SN_COUNT(time_words); i++) {
		if (sn_str_eqc(text, time_words[i])) {
			sn_buf_adds(out, time_words[i]);
			return 0;
		}
	}
	rc = sn_mp_time_parse(text, &unix_ns);
	if (rc == -ERANGE)
		return refuse(err, rc, text,
			      "no such date or time of day, or outside the years 1678 to 2261");
	if (rc != 0)
		return refuse(err, rc, text,
			      "not a time (write YYYY-MM-DD HH:MM:SS.ffffff in UTC)");
	sn_buf_adds(out, sn_mp_time_format(unix_ns, canonical));
	return 0;
}

/* Words among times: before all, after all, and "now" behind every date. */
static int64_t time_rank(const char *text)
{
	int64_t unix_ns = 0;

	if (strcmp(text, "past") == 0)
		return INT64_MIN;
	if (strcmp(text, "future") == 0)
		return INT64_MAX;
	if (strcmp(text, "now") == 0)
		return INT64_MAX - 1;
	(void)sn_mp_time_parse(sn_str(text), &unix_ns);
	return unix_ns;
}

/* All primitives ---------------------------------------------------------- */

static int canon_address(struct sn_str text, struct sn_buf *out, struct sn_err *err)
{
	char canonical[SN_MP_ADDRESS_TEXT_MAX];
	struct sn_mp_address address;

	if (memchr(text.n > 0 ? text.p : "", '/', text.n) != NULL)
		return refuse(err, -EINVAL, text, "a network, where one address is needed");
	if (sn_mp_address_parse(text, &address) != 0)
		return refuse(err, -EINVAL, text, "not an IPv4 or IPv6 address");
	sn_buf_adds(out, sn_mp_address_format(&address, canonical));
	return 0;
}

static const struct {
	const char *name;
	canon_fn *canon;
} prims[SN_MP_PRIMS] = {
	[SN_MP_STRING] = {"string", canon_text}, [SN_MP_NATURAL] = {"natural", canon_natural},
	[SN_MP_REAL] = {"real", canon_real},     [SN_MP_BOOLEAN] = {"boolean", canon_boolean},
	[SN_MP_TIME] = {"time", canon_time},     [SN_MP_ADDRESS] = {"address", canon_address},
	[SN_MP_URL] = {"url", canon_text},
};

const char *sn_mp_prim_name(enum sn_mp_prim prim)
{
	assert(prim < SN_MP_PRIMS);
	return prims[prim].name;
}

int sn_mp_prim_find(const char *name, enum sn_mp_prim *prim)
{
	if (strcmp(name, "bool") == 0) {
		*prim = SN_MP_BOOLEAN;
		return 0;
	}
	for (size_t i = 0; i < SN_MP_PRIMS; i++) {
		if (strcmp(name, prims[i].name) == 0) {
			*prim = (enum sn_mp_prim)i;
			return 0;
		}
	}
	return -ENOENT;
}

int sn_mp_value_canon(enum sn_mp_prim prim, struct sn_str text, struct sn_buf *out,
		      struct sn_err *err)
{
	assert(prim < SN_MP_PRIMS);
	if (text.n > SN_MP_VALUE_MAX)
		return refuse(err, -ERANGE, text, "longer than 65536 bytes");
	/* Inside, values are C texts that go into JSON. */
	if (text.n > 0 && (memchr(text.p, '\0', text.n) != NULL || !sn_utf8_valid(text)))
		return sn_err_set(err, -EINVAL, "bad value: not UTF-8, or with a NUL byte");
	if (sn_str_eqc(text, "*")) {
		sn_buf_addc(out, '*');
		return 0;
	}
	return prims[prim].canon(text, out, err);
}

bool sn_mp_value_is_none(const char *text)
{
	return text == NULL || strcmp(text, "*") == 0;
}

static int order(double a, double b)
{
	return (a > b) - (a < b);
}

static int compare_naturals(const char *a, const char *b)
{
	size_t a_size = strlen(a), b_size = strlen(b);

	/* Canonical: no leading zeros. */
	return a_size != b_size ? (a_size > b_size ? 1 : -1) : strcmp(a, b);
}

static int compare_reals(const char *a, const char *b)
{
	double x = 0, y = 0;

	(void)sn_parse_double(sn_str(a), -DBL_MAX, DBL_MAX, &x);
	(void)sn_parse_double(sn_str(b), -DBL_MAX, DBL_MAX, &y);
	return order(x, y);
}

static int compare_times(const char *a, const char *b)
{
	int64_t x = time_rank(a), y = time_rank(b);

	return (x > y) - (x < y);
}

static int compare_addresses(const char *a, const char *b)
{
	struct sn_mp_address x = {0}, y = {0};

	(void)sn_mp_address_parse(sn_str(a), &x);
	(void)sn_mp_address_parse(sn_str(b), &y);
	return x.v6 != y.v6 ? (int)x.v6 - (int)y.v6 : memcmp(x.bytes, y.bytes, sizeof(x.bytes));
}

int sn_mp_value_compare(enum sn_mp_prim prim, const char *a, const char *b)
{
	switch (prim) {
	case SN_MP_NATURAL:
		return compare_naturals(a, b);
	case SN_MP_REAL:
		return compare_reals(a, b);
	case SN_MP_TIME:
		return compare_times(a, b);
	case SN_MP_ADDRESS:
		return compare_addresses(a, b);
	default:
		return strcmp(a, b);
	}
}
