/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/log/number.h"

#include <assert.h>
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

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
			    "25262728293031323334353637383940414243444546474849"
			    "50515253545556575859606162636465666768697071727374"
			    "75767778798081828384858687888990919293949596979899";

/* Backwards from `end`; returns the first digit. */
static char *digits_before(char *end, uint64_t value)
{
	while (value >= 100) {
		end -= 2;
		memcpy(end, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		end -= 2;
		memcpy(end, pairs + value * 2, 2);
	} else {
		*--end = (char)('0' + value);
	}
	return end;
}

/* How many digits: by the number of bits, to which log10(2) = 1233 / 4096 leads, give or take one.
 */
static unsigned width_of(uint64_t value)
{
	static const uint64_t tens[20] = {1ULL,
					  10ULL,
					  100ULL,
					  1000ULL,
					  10000ULL,
					  100000ULL,
					  1000000ULL,
					  10000000ULL,
					  100000000ULL,
					  1000000000ULL,
					  10000000000ULL,
					  100000000000ULL,
					  1000000000000ULL,
					  10000000000000ULL,
					  100000000000000ULL,
					  1000000000000000ULL,
					  10000000000000000ULL,
					  100000000000000000ULL,
					  1000000000000000000ULL,
					  10000000000000000000ULL};
	unsigned less = (unsigned)(64 - __builtin_clzll(value | 1)) * 1233 >> 12;

	return less + ((value | 1) >= tens[less]);
}

char *sn_put_u64(char *p, uint64_t value)
{
	char *end;

	if (value < 10) {
		*p = (char)('0' + value);
		return p + 1;
	}
	end = p + width_of(value);
	digits_before(end, value);
	return end;
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
	char *end;

	memcpy(&bits, &value, sizeof(bits));
	if (!isfinite(value) || scale(bits & INT64_MAX, decimals, &scaled) < 0)
		return p + snprintf(p, SN_NUMBER_MAX, "%.*f", (int)decimals, value);
	if (bits >> 63 != 0)
		*p++ = '-';
	p = sn_put_u64(p, scaled / powers[decimals]);
	fraction = scaled % powers[decimals];
	*p++ = '.';
	end = p + decimals;
	for (; decimals >= 2; decimals -= 2, fraction /= 100)
		memcpy(p + decimals - 2, pairs + fraction % 100 * 2, 2);
	if (decimals == 1)
		*p = (char)('0' + fraction);
	return end;
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
