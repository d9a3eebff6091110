/* SPDX-License-Identifier: Apache-2.0 */
#include "data/scalar.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/util.h"

#define MANTISSA_DIGITS 19      /* always fit into 64 bits */
#define EXPONENT_LIMIT  1000000 /* far outside double; keeps the sum of exponents an int */
#define EXACT_INTEGER   (1ULL << DBL_MANT_DIG)

#define PLAIN_MIN        1e-9 /* of what is written without an exponent */
#define PLAIN_MAX        1e15
#define SEVENTEEN_DIGITS 10000000000000000ULL /* the smallest number that has them */

typedef unsigned __int128 u128;

/* Powers of ten that a double holds exactly. */
static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
				      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
				      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define EXACT_POWER_MAX ((int)SN_COUNT(exact_powers) - 1)

#define FIVE_TO_9  1953125ULL
#define FIVE_TO_18 (FIVE_TO_9 * FIVE_TO_9)
#define POWERS_FROM(first)                                                                         \
	(first), (first)*5, (first)*25, (first)*125, (first)*625, (first)*3125, (first)*15625,     \
		(first)*78125, (first)*390625
/* 5^27 is the largest in 64 bits. */
static const uint64_t powers_of_five[] = {POWERS_FROM(1ULL), POWERS_FROM(FIVE_TO_9),
					  POWERS_FROM(FIVE_TO_18), FIVE_TO_18 *FIVE_TO_9};
#define POWERS_MAX ((int)SN_COUNT(powers_of_five) - 1)

/* Numbers ---------------------------------------------------------------- */

static bool is_digit(const char *p, const char *end)
{
	return p < end && (unsigned char)(*p - '0') < 10;
}

/* Digits into the mantissa; those that no longer fit count as `dropped`. */
static const char *take_digits(const char *p, const char *end, struct sn_number *number,
			       int *digits, int *dropped)
{
	for (; is_digit(p, end); p++) {
		if (*digits < MANTISSA_DIGITS) {
			number->mantissa = number->mantissa * 10 + (uint64_t)(*p - '0');
			*digits += number->mantissa != 0;
		} else {
			number->inexact |= *p != '0';
			*dropped += *dropped < EXPONENT_LIMIT;
		}
	}
	return p;
}

/* Behind the 'e'; NULL if no digits follow. */
static const char *take_exponent(const char *p, const char *end, int *exponent)
{
	bool negative = p < end && *p == '-';
	int value = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (!is_digit(p, end))
		return NULL;
	for (; is_digit(p, end); p++)
		if (value < EXPONENT_LIMIT)
			value = value * 10 + (*p - '0');
	*exponent = negative ? -value : value;
	return p;
}

size_t sn_number_scan(struct sn_str text, struct sn_number *number)
{
	const char *p = text.p, *end = text.p + text.n, *mark;
	int digits = 0, dropped = 0, written = 0;

	*number = (struct sn_number){.integer = true};
	if (p < end && *p == '-') {
		number->negative = true;
		p++;
	}
	mark = p;
	p = take_digits(p, end, number, &digits, &dropped);
	if (p == mark || (*mark == '0' && p > mark + 1))
		return 0;
	if (p < end && *p == '.') {
		int whole_dropped = dropped;

		mark = ++p;
		p = take_digits(p, end, number, &digits, &dropped);
		if (p == mark)
			return 0;
		number->integer = false;
		number->exponent = -(int)SN_MIN(p - mark, EXPONENT_LIMIT) + dropped - whole_dropped;
		dropped = whole_dropped;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		number->integer = false;
		p = take_exponent(p + 1, end, &written);
		if (p == NULL)
			return 0;
	}
	number->exponent += dropped + written;
	number->text = (struct sn_str){text.p, (size_t)(p - text.p)};
	return number->text.n;
}

int sn_number_i64(const struct sn_number *number, int64_t *value)
{
	uint64_t limit = (uint64_t)INT64_MAX + (number->negative ? 1 : 0);

	if (!number->integer)
		return -EINVAL;
	/* Integers with more digits than the mantissa holds are beyond 64 bits. */
	if (number->exponent != 0 || number->inexact || number->mantissa > limit)
		return -ERANGE;
	*value = (int64_t)(number->negative ? -number->mantissa : number->mantissa);
	return 0;
}

/* q * 2^exponent rounded to nearest; `more`: a little above q.  q has 64 bits at least. */
static double round_binary(u128 q, bool more, int exponent)
{
	int shift = 64 - __builtin_clzll((uint64_t)(q >> 64) | 1);
	uint64_t top;

	if (q >> 64 == 0)
		shift = 0;
	top = (uint64_t)(q >> shift);
	/* Below the 53 bits that stay, one bit is enough to say that there was something. */
	top |= more || ((u128)top << shift) != q;
	return ldexp((double)top, exponent + shift);
}

/* mantissa * 10^exponent by whole numbers alone: 10^k is 5^k * 2^k. */
static double exact_decimal(uint64_t mantissa, int exponent)
{
	u128 scaled, q;
	int shift;

	if (mantissa == 0)
		return 0;
	shift = __builtin_clzll(mantissa);
	if (exponent >= 0)
		return round_binary((u128)(mantissa << shift) * powers_of_five[exponent], false,
				    exponent - shift);
	scaled = (u128)(mantissa << shift) << 64;
	q = scaled / powers_of_five[-exponent];
	return round_binary(q, q * powers_of_five[-exponent] != scaled, exponent - shift - 64);
}

int sn_number_f64(const struct sn_number *number, double *value)
{
	double parsed;

	if (number->inexact || number->exponent < -POWERS_MAX || number->exponent > POWERS_MAX)
		return sn_parse_double(number->text, -DBL_MAX, DBL_MAX, value);
	/* One correctly rounded operation on two exact doubles is correctly rounded. */
	if (number->mantissa <= EXACT_INTEGER && number->exponent <= 0 &&
	    number->exponent >= -EXACT_POWER_MAX)
		parsed = (double)number->mantissa / exact_powers[-number->exponent];
	else
		parsed = exact_decimal(number->mantissa, number->exponent);
	*value = number->negative ? -parsed : parsed;
	return 0;
}

/* Digits, 10^-decimals of a unit each, as a plain decimal without needless zeros. */
static void add_decimal(struct sn_buf *out, bool negative, uint64_t digits, int decimals)
{
	char text[64];
	char *end = text + sizeof(text), *p = end;

	for (int i = 0; i <= decimals || digits > 0; i++, digits /= 10) {
		if (i == decimals && decimals > 0)
			*--p = '.';
		*--p = (char)('0' + digits % 10);
	}
	if (negative)
		*--p = '-';
	if (decimals > 0) {
		while (end[-1] == '0')
			end--;
		end -= end[-1] == '.';
	}
	sn_buf_add(out, p, (size_t)(end - p));
}

/* value * 10^decimals to the nearest whole number, for products between 2^53 and 2^64. */
static uint64_t scale_up(double value, int decimals)
{
	int exponent;
	double fraction = frexp(value, &exponent);
	u128 product = (u128)(uint64_t)ldexp(fraction, DBL_MANT_DIG) * powers_of_five[decimals];
	int shift = DBL_MANT_DIG - exponent - decimals;

	return (uint64_t)(shift > 0 ? (product + ((u128)1 << (shift - 1))) >> shift
				    : product << -shift);
}

void sn_scalar_add_f64(struct sn_buf *out, double value)
{
	double magnitude = fabs(value), nanos = nearbyint(magnitude * 1e9);
	uint64_t digits, unit = 100;
	int decimals;
	struct sn_jw jw;

	/*
	 * Most measured values are whole nanoseconds in seconds.  With at most 15 digits
	 * such a decimal is the shortest that gives this double, and needs no search.
	 */
	if (nanos >= 1 && nanos < 1e15 && nanos / 1e9 == magnitude) {
		add_decimal(out, value < 0, (uint64_t)nanos, 9);
		return;
	}
	if (magnitude < PLAIN_MIN || magnitude >= PLAIN_MAX) {
		sn_jw_init(&jw, out);
		sn_jw_double(&jw, value);
		return;
	}
	/* 17 digits always tell one double from all others; 15 or 16 often do. */
	decimals = 16 - (int)floor(log10(magnitude));
	digits = scale_up(magnitude, decimals);
	if (digits < SEVENTEEN_DIGITS) /* just below a power of ten, where log10 rounds up */
		digits = scale_up(magnitude, ++decimals);
	while (unit > 1) {
		uint64_t shorter = (digits + unit / 2) / unit * unit;

		if (exact_decimal(shorter, -decimals) == magnitude) {
			digits = shorter;
			break;
		}
		unit /= 10;
	}
	add_decimal(out, value < 0, digits, decimals);
}

/* Times ------------------------------------------------------------------ */

int sn_time_scan(struct sn_str text, int64_t *unix_ns)
{
	if (!is_digit(text.p, text.p + text.n))
		return -EINVAL;
	return sn_parse_time(text, 0, unix_ns);
}

void sn_scalar_add_time(struct sn_buf *out, int64_t unix_ns)
{
	char text[SN_TIME_TEXT_MAX];

	sn_format_time(unix_ns, text, sizeof(text));
	sn_buf_adds(out, text);
}
