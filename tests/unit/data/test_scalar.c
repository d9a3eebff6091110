/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/scalar.h"

#include "base/rand.h"
#include "base/util.h"

static double read_number(const char *text)
{
	struct sn_number number;
	double value;

	assert_int_equal(sn_number_scan(sn_str(text), &number), strlen(text));
	assert_int_equal(sn_number_f64(&number, &value), 0);
	return value;
}

static void decimals_are_read_as_the_c_library_reads_them(void **state)
{
	static const char *const hard[] = {
		"9007199254740993",
		"9007199254740992.5",
		"0.1e-5",
		"1e23",
		"8.5e27",
		"8.5e28",
		"12345678901234567890",
		"123456789012345678901234",
		"2.2250738585072011e-308",
		"4.9406564584124654e-324",
		"1e-400",
		"0.000000000000000000001",
		"1.00000000000000011102230246251565",
		"5e-324",
		"-0",
		"18446744073709551615e-27",
		"18446744073709551615e27",
		"9999999999999999999",
	};
	struct sn_prng prng;
	char text[64];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(hard); i++) {
		double value = read_number(hard[i]), expected = strtod(hard[i], NULL);

		assert_memory_equal(&value, &expected, sizeof(value));
	}
	sn_prng_seed(&prng, 11);
	for (int i = 0; i < 100000; i++) {
		uint64_t whole = sn_prng_u64(&prng), part = sn_prng_u64(&prng);
		double value, expected;

		snprintf(text, sizeof(text), "%llu.%llue%d",
			 (unsigned long long)(whole >> (part % 64)),
			 (unsigned long long)(part >> (whole % 64)), (int)(whole % 60) - 30);
		value = read_number(text);
		expected = strtod(text, NULL);
		if (memcmp(&value, &expected, sizeof(value)) != 0)
			fail_msg("'%s' was read as %.17g, not %.17g", text, value, expected);
	}
}

static void numbers_are_written_short_and_plain(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{1, "1"},
		{-1.5, "-1.5"},
		{0.1, "0.1"},
		{0.000000001, "0.000000001"},
		{0.0100005, "0.0100005"},
		{2000000, "2000000"},
		{999999.999999999, "999999.999999999"},
		{1.0 / 3, "0.3333333333333333"},
		{2.0 / 3 / 1000, "0.0006666666666666666"},
		{999.9999999999999, "999.9999999999999"},
		{0.30000000000000004, "0.30000000000000004"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_buf text = {0};

		sn_scalar_add_f64(&text, cases[i].value);
		assert_string_equal(sn_buf_cstr(&text), cases[i].text);
		sn_buf_finish(&text);
	}
}

static void written_numbers_are_read_to_the_same_bits(void **state)
{
	struct sn_buf text = {0};
	struct sn_prng prng;

	(void)state;
	sn_prng_seed(&prng, 5);
	for (int i = 0; i < 100000; i++) {
		uint64_t bits = sn_prng_u64(&prng);
		double value = ldexp((double)(bits >> 11), -53) * pow(10, (int)(bits % 26) - 10);
		double again;

		if (i % 2 == 0) /* around a power of ten, where the count of digits changes */
			value = nextafter(pow(10, (int)(bits % 26) - 10), (bits & 64) ? 0 : 1e30);
		sn_buf_clear(&text);
		sn_scalar_add_f64(&text, value);
		again = strtod(sn_buf_cstr(&text), NULL);
		if (memcmp(&value, &again, sizeof(value)) != 0)
			fail_msg("%.17g was written as %s", value, sn_buf_cstr(&text));
	}
	sn_buf_finish(&text);
}

static void numbers_outside_the_range_are_refused(void **state)
{
	struct sn_number number;
	double real;
	int64_t integer;

	(void)state;
	assert_true(sn_number_scan(SN_STR("1e309"), &number) > 0);
	assert_int_equal(sn_number_f64(&number, &real), -ERANGE);
	assert_true(sn_number_scan(SN_STR("1e99999999999999999999"), &number) > 0);
	assert_int_equal(sn_number_f64(&number, &real), -ERANGE);
	assert_true(sn_number_scan(SN_STR("-9223372036854775808"), &number) > 0);
	assert_int_equal(sn_number_i64(&number, &integer), 0);
	assert_true(integer == INT64_MIN);
	assert_true(sn_number_scan(SN_STR("9223372036854775808"), &number) > 0);
	assert_int_equal(sn_number_i64(&number, &integer), -ERANGE);
	assert_true(sn_number_scan(SN_STR("1.0"), &number) > 0);
	assert_int_equal(sn_number_i64(&number, &integer), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimals_are_read_as_the_c_library_reads_them),
		cmocka_unit_test(numbers_are_written_short_and_plain),
		cmocka_unit_test(written_numbers_are_read_to_the_same_bits),
		cmocka_unit_test(numbers_outside_the_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
