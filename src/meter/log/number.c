/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/log/number.h"

#include <assert.h>
#include <endian.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FRACTION_BITS (DBL_MANT_DIG - 1)
#define EXPONENT_BIAS (DBL_MAX_EXP - 1 + FRACTION_BITS)
#define EXPONENT_MASK 0x7ffU
#define MILLION       1000000U

typedef unsigned __int128 u128;

static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, MILLION};

#define EIGHT_DIGITS 100000000U
#define ASCII_ZEROS  0x3030303030303030ULL

/*
 * The digits of a number below 10^8, the first in the lowest byte: halves of it, then quarters,
 * then eighths, all of them at once.  10^-2 is 5243 / 2^19 and 10^-1 is 103 / 2^10 closely enough.
 */
static inline uint64_t eight_digits(uint32_t value)
{
	uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
	uint64_t hundreds = fours * 5243 >> 19 & 0x0000007f0000007fULL;
	uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
	uint64_t tens = twos * 103 >> 10 & 0x000f000f000f000fULL;

	return tens | (twos - 10 * tens) << 8;
}

/* Eight bytes, whatever their number of digits is. */
static inline void put_digits(char *p, uint64_t digits)
{
	digits = htole64(digits + ASCII_ZEROS);
	memcpy(p, &digits, sizeof(digits));
}

/* Below 10^8, without leading zeros. */
static inline char *put_short(char *p, uint32_t value)
{
	uint64_t digits = eight_digits(value);
	unsigned zeros = value > 0 ? (unsigned)__builtin_ctzll(digits) / 8 : 7;

	put_digits(p, digits >> 8 * zeros);
	return p + 8 - zeros;
}

char *sn_put_u64(char *p, uint64_t value)
{
	if (value < EIGHT_DIGITS)
		return put_short(p, (uint32_t)value);
	p = sn_put_u64(p, value / EIGHT_DIGITS);
	put_digits(p, eight_digits((uint32_t)(value % EIGHT_DIGITS)));
	return p + 8;
}

char *sn_put_nine(char *p, uint32_t value)
{
	*p = (char)('0' + value / EIGHT_DIGITS);
	put_digits(p + 1, eight_digits(value % EIGHT_DIGITS));
	return p + 9;
}

char *sn_put_i64(char *p, int64_t value)
{
	if (value >= 0)
		return sn_put_u64(p, (uint64_t)value);
	*p++ = '-';
	return sn_put_u64(p, -(uint64_t)value);
}

/*
 * |value| * 10^decimals as a whole number, if it fits into 64 bits.  A double is mantissa *
 * 2^-shift, so that the product is exact in 128 bits and what is shifted out decides the rounding.
 */
static inline int scale(uint64_t bits, unsigned decimals, uint64_t *scaled)
{
	unsigned exponent = (unsigned)(bits >> FRACTION_BITS) & EXPONENT_MASK;
	uint64_t mantissa = bits & ((1ULL << FRACTION_BITS) - 1);
	int shift = EXPONENT_BIAS - (int)(exponent > 0 ? exponent : 1);
	u128 product, rest, half;

	mantissa |= exponent > 0 ? 1ULL << FRACTION_BITS : 0;
	product = (u128)mantissa * powers[decimals];
	/* 2^53 * 10^6 is below 2^73: shifted by more than that, nothing is left. */
	if (shift > 74) {
		*scaled = 0;
		return 0;
	}
	if (shift <= 0 || product >> shift > UINT64_MAX)
		return -1;
	/* Nearly all: what is shifted out is in one word. */
	if (shift < 64) {
		uint64_t out = (uint64_t)product << (64 - shift);
		uint64_t whole = (uint64_t)(product >> shift), up;

		up = out > 1ULL << 63 || (out == 1ULL << 63 && (whole & 1) != 0);
		*scaled = whole + up;
		return whole + up >= up ? 0 : -1;
	}
	rest = product & (((u128)1 << shift) - 1);
	half = (u128)1 << (shift - 1);
	product >>= shift;
	if (rest > half || (rest == half && (product & 1) != 0))
		product++;
	*scaled = (uint64_t)product;
	return product <= UINT64_MAX ? 0 : -1;
}

/* `decimals` is a constant where it matters, so that the compiler multiplies instead of dividing.
 */
static inline char *put_fixed(char *p, double value, unsigned decimals)
{
	uint64_t bits, scaled, fraction;

	memcpy(&bits, &value, sizeof(bits));
	if (!isfinite(value) || scale(bits & INT64_MAX, decimals, &scaled) < 0)
		return p + snprintf(p, SN_NUMBER_MAX, "%.*f", (int)decimals, value);
	if (bits >> 63 != 0)
		*p++ = '-';
	p = sn_put_u64(p, scaled / powers[decimals]);
	fraction = scaled % powers[decimals] * (MILLION / powers[decimals]);
	*p++ = '.';
	put_digits(p, eight_digits((uint32_t)(fraction * (EIGHT_DIGITS / MILLION))));
	return p + decimals;
}

char *sn_put_fixed(char *p, double value, unsigned decimals)
{
	assert(decimals >= 1 && decimals <= SN_NUMBER_DECIMALS);
	return decimals == SN_NUMBER_DECIMALS ? put_fixed(p, value, SN_NUMBER_DECIMALS)
					      : put_fixed(p, value, decimals);
}

char *sn_put_general(char *p, double value)
{
	/* Most are 0. */
	if (value == 0 && !signbit(value)) {
		*p = '0';
		return p + 1;
	}
	return p + snprintf(p, SN_NUMBER_MAX, "%g", value);
}
