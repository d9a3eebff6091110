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

char *sn_put_u64(char *p, uint64_t value)
{
	char digits[20], *first;
	size_t n;

	if (value < 10) {
		*p = (char)('0' + value);
		return p + 1;
	}
	first = digits_before(digits + sizeof(digits), value);
	n = (size_t)(digits + sizeof(digits) - first);
	memcpy(p, first, n);
	return p + n;
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
static int scale(uint64_t bits, unsigned decimals, uint64_t *scaled)
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
	rest = product & (((u128)1 << shift) - 1);
	half = (u128)1 << (shift - 1);
	product >>= shift;
	if (rest > half || (rest == half && (product & 1) != 0))
		product++;
	*scaled = (uint64_t)product;
	return product <= UINT64_MAX ? 0 : -1;
}

char *sn_put_fixed(char *p, double value, unsigned decimals)
{
	uint64_t bits, scaled, fraction;
	char *end;

	assert(decimals >= 1 && decimals <= SN_NUMBER_DECIMALS);
	memcpy(&bits, &value, sizeof(bits));
	if (!isfinite(value) || scale(bits & INT64_MAX, decimals, &scaled) < 0)
		return p + snprintf(p, SN_NUMBER_MAX, "%.*f", (int)decimals, value);
	if (bits >> 63 != 0)
		*p++ = '-';
	/* The usual divisor as a constant, which the compiler makes a multiplication of. */
	if (decimals == SN_NUMBER_DECIMALS) {
		p = sn_put_u64(p, scaled / MILLION);
		fraction = scaled % MILLION;
	} else {
		p = sn_put_u64(p, scaled / powers[decimals]);
		fraction = scaled % powers[decimals];
	}
	*p++ = '.';
	end = p + decimals;
	if (fraction == 0) {
		memset(p, '0', decimals);
		return end;
	}
	p = digits_before(end, fraction);
	memset(end - decimals, '0', (size_t)(p - (end - decimals)));
	return end;
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
