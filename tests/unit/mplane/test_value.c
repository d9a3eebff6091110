/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"
#include "mplane/value.h"

struct pair {
	enum sn_mp_prim prim;
	const char *text, *canonical;
};

static void assert_canon(enum sn_mp_prim prim, const char *text, const char *canonical)
{
	struct sn_buf out = {0};
	struct sn_err err = {0};

	if (sn_mp_value_canon(prim, sn_str(text), &out, &err) != 0)
		fail_msg("'%s': %s", text, err.text);
	assert_string_equal(sn_buf_cstr(&out), canonical);
	/* Canonical is canonical. */
	sn_buf_clear(&out);
	assert_int_equal(sn_mp_value_canon(prim, sn_str(canonical), &out, &err), 0);
	assert_string_equal(sn_buf_cstr(&out), canonical);
	sn_buf_finish(&out);
}

static void assert_refused(enum sn_mp_prim prim, const char *text, int code, const char *reason)
{
	struct sn_buf out = {0};
	struct sn_err err = {0};
	int rc = sn_mp_value_canon(prim, sn_str(text), &out, &err);

	if (rc != code || strstr(err.text, reason) == NULL)
		fail_msg("'%s': %d '%s'", text, rc, err.text);
	assert_int_equal(out.n, 0);
	sn_buf_finish(&out);
}

static void all_forms_that_peers_send_have_one_canonical_text(void **state)
{
	static const struct pair pairs[] = {
		{SN_MP_STRING, "", ""},
		{SN_MP_STRING, " a, b ", " a, b "},
		{SN_MP_URL, "www.example.net/x?y=z", "www.example.net/x?y=z"},
		{SN_MP_NATURAL, "42", "42"},
		{SN_MP_NATURAL, "0042", "42"},
		{SN_MP_NATURAL, "100.0", "100"},
		{SN_MP_NATURAL, "10E2", "1000"},
		{SN_MP_NATURAL, "1.2345e2", "123"},
		{SN_MP_NATURAL, "123456e-3", "123"},
		{SN_MP_NATURAL, "1e+3", "1000"},
		{SN_MP_NATURAL, "0.99", "0"},
		{SN_MP_NATURAL, "5e-99999999999999999999", "0"},
		{SN_MP_NATURAL, "0e99999999999999999999", "0"},
		{SN_MP_NATURAL, "18446744073709551615", "18446744073709551615"},
		{SN_MP_NATURAL, "18446744073709551615.9", "18446744073709551615"},
		{SN_MP_NATURAL, "1.8446744073709551615E19", "18446744073709551615"},
		{SN_MP_REAL, "0.10", "0.1"},
		{SN_MP_REAL, "1e3", "1000"},
		{SN_MP_REAL, "-0.0", "0"},
		{SN_MP_REAL, "2.50", "2.5"},
		{SN_MP_REAL, "-17", "-17"},
		{SN_MP_BOOLEAN, "True", "True"},
		{SN_MP_BOOLEAN, "tRuE", "True"},
		{SN_MP_BOOLEAN, "1", "True"},
		{SN_MP_BOOLEAN, "FALSE", "False"},
		{SN_MP_BOOLEAN, "0", "False"},
		{SN_MP_TIME, "2014-09-08", "2014-09-08 00:00:00.000000"},
		{SN_MP_TIME, "2014-09-08 12:40", "2014-09-08 12:40:00.000000"},
		{SN_MP_TIME, "2014-09-08 12:40:07", "2014-09-08 12:40:07.000000"},
		{SN_MP_TIME, "2014-09-08 12:40:07.5", "2014-09-08 12:40:07.500000"},
		{SN_MP_TIME, "2014-09-08T12:40:07.123Z", "2014-09-08 12:40:07.123000"},
		{SN_MP_TIME, "2014-9-8 1:2:3.000004", "2014-09-08 01:02:03.000004"},
		{SN_MP_TIME, "1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"},
		{SN_MP_TIME, "2024-02-29", "2024-02-29 00:00:00.000000"},
		{SN_MP_TIME, "now", "now"},
		{SN_MP_TIME, "past", "past"},
		{SN_MP_TIME, "future", "future"},
		{SN_MP_ADDRESS, "192.0.2.19", "192.0.2.19"},
		{SN_MP_ADDRESS, "2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{SN_MP_ADDRESS, "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{SN_MP_ADDRESS, "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{SN_MP_ADDRESS, "::FFFF:192.0.2.1", "::ffff:192.0.2.1"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(pairs); i++)
		assert_canon(pairs[i].prim, pairs[i].text, pairs[i].canonical);
}

static void a_star_is_no_value_of_every_type(void **state)
{
	(void)state;
	for (int prim = 0; prim < SN_MP_PRIMS; prim++)
		assert_canon((enum sn_mp_prim)prim, "*", "*");
	assert_true(sn_mp_value_is_none("*"));
	assert_true(sn_mp_value_is_none(NULL));
	assert_false(sn_mp_value_is_none(""));
	assert_false(sn_mp_value_is_none("**"));
}

static void what_is_not_of_the_type_is_refused_with_the_reason(void **state)
{
	static const struct {
		enum sn_mp_prim prim;
		const char *text;
		int code;
		const char *reason;
	} bad[] = {
		{SN_MP_NATURAL, "", -EINVAL, "natural"},
		{SN_MP_NATURAL, "x", -EINVAL, "'x'"},
		{SN_MP_NATURAL, "-1", -ERANGE, "negative"},
		{SN_MP_NATURAL, "+1", -EINVAL, "natural"},
		{SN_MP_NATURAL, " 1", -EINVAL, "natural"},
		{SN_MP_NATURAL, "1 ", -EINVAL, "natural"},
		{SN_MP_NATURAL, "1.", -EINVAL, "natural"},
		{SN_MP_NATURAL, ".5", -EINVAL, "natural"},
		{SN_MP_NATURAL, "1e", -EINVAL, "natural"},
		{SN_MP_NATURAL, "0x10", -EINVAL, "natural"},
		{SN_MP_NATURAL, "nan", -EINVAL, "natural"},
		{SN_MP_NATURAL, "18446744073709551616", -ERANGE, "18446744073709551615"},
		{SN_MP_NATURAL, "1e20", -ERANGE, "above"},
		{SN_MP_NATURAL, "1e99999999999999999999", -ERANGE, "above"},
		{SN_MP_REAL, "inf", -EINVAL, "finite"},
		{SN_MP_REAL, "nan", -EINVAL, "finite"},
		{SN_MP_REAL, "1e400", -ERANGE, "double"},
		{SN_MP_REAL, "1,5", -EINVAL, "finite"},
		{SN_MP_BOOLEAN, "yes", -EINVAL, "True or False"},
		{SN_MP_BOOLEAN, "", -EINVAL, "True or False"},
		{SN_MP_BOOLEAN, "10", -EINVAL, "True or False"},
		{SN_MP_TIME, "", -EINVAL, "YYYY-MM-DD"},
		{SN_MP_TIME, "Now", -EINVAL, "YYYY-MM-DD"},
		{SN_MP_TIME, "12:40", -EINVAL, "YYYY-MM-DD"},
		{SN_MP_TIME, "2014-09-08 12", -EINVAL, "YYYY-MM-DD"},
		{SN_MP_TIME, "2014-09-08 12:40:07.", -EINVAL, "YYYY-MM-DD"},
		{SN_MP_TIME, "2014-09-08 12:40:07.1234567", -EINVAL, "YYYY-MM-DD"},
		{SN_MP_TIME, "2014-09-08 12:40:07+02:00", -EINVAL, "YYYY-MM-DD"},
		{SN_MP_TIME, "2014-09-08 12:40:60", -ERANGE, "no such"},
		{SN_MP_TIME, "2014-09-08 24:00", -ERANGE, "no such"},
		{SN_MP_TIME, "2014-02-29", -ERANGE, "no such"},
		{SN_MP_TIME, "2100-02-29", -ERANGE, "no such"},
		{SN_MP_TIME, "2014-13-01", -ERANGE, "no such"},
		{SN_MP_TIME, "1600-01-01", -ERANGE, "1678"},
		{SN_MP_TIME, "9999-12-31", -ERANGE, "2261"},
		{SN_MP_ADDRESS, "", -EINVAL, "IPv4 or IPv6"},
		{SN_MP_ADDRESS, "192.0.2", -EINVAL, "IPv4 or IPv6"},
		{SN_MP_ADDRESS, "192.0.2.256", -EINVAL, "IPv4 or IPv6"},
		{SN_MP_ADDRESS, "192.0.2.01", -EINVAL, "IPv4 or IPv6"},
		{SN_MP_ADDRESS, "192.0.2.1:80", -EINVAL, "IPv4 or IPv6"},
		{SN_MP_ADDRESS, "fe80::1%eth0", -EINVAL, "IPv4 or IPv6"},
		{SN_MP_ADDRESS, "[::1]", -EINVAL, "IPv4 or IPv6"},
		{SN_MP_ADDRESS, "192.0.2.0/24", -EINVAL, "network"},
		{SN_MP_ADDRESS, "localhost", -EINVAL, "IPv4 or IPv6"},
		{SN_MP_STRING, "\xff", -EINVAL, "UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_refused(bad[i].prim, bad[i].text, bad[i].code, bad[i].reason);
}

static void a_nul_byte_inside_is_refused(void **state)
{
	struct sn_buf out = {0};
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_mp_value_canon(SN_MP_STRING, (struct sn_str){"a\0b", 3}, &out, &err),
			 -EINVAL);
	assert_int_equal(sn_mp_value_canon(SN_MP_ADDRESS, (struct sn_str){"::1\0", 4}, &out, &err),
			 -EINVAL);
	sn_buf_finish(&out);
}

static void the_limit_of_a_text_is_kept_to_the_byte(void **state)
{
	sn_autofree char *text = sn_xmalloc(SN_MP_VALUE_MAX + 1);
	struct sn_buf out = {0};
	struct sn_err err = {0};

	(void)state;
	memset(text, '1', SN_MP_VALUE_MAX + 1);
	assert_int_equal(
		sn_mp_value_canon(SN_MP_STRING, (struct sn_str){text, SN_MP_VALUE_MAX}, &out, &err),
		0);
	assert_int_equal(out.n, SN_MP_VALUE_MAX);
	sn_buf_clear(&out);
	assert_int_equal(sn_mp_value_canon(SN_MP_STRING, (struct sn_str){text, SN_MP_VALUE_MAX + 1},
					   &out, &err),
			 -ERANGE);
	assert_int_equal(out.n, 0);
	sn_buf_finish(&out);
}

static void values_are_compared_by_value_and_not_by_letters(void **state)
{
	static const struct {
		enum sn_mp_prim prim;
		const char *small, *large;
	} pairs[] = {
		{SN_MP_NATURAL, "9", "10"},
		{SN_MP_NATURAL, "18446744073709551614", "18446744073709551615"},
		{SN_MP_REAL, "-10", "-9.5"},
		{SN_MP_REAL, "9", "10.25"},
		{SN_MP_BOOLEAN, "False", "True"},
		{SN_MP_TIME, "past", "1970-01-01 00:00:00.000000"},
		{SN_MP_TIME, "1969-12-31 00:00:00.000000", "2030-01-01 00:00:00.000000"},
		{SN_MP_TIME, "2030-01-01 00:00:00.000000", "now"},
		{SN_MP_TIME, "now", "future"},
		{SN_MP_ADDRESS, "192.0.2.9", "192.0.2.10"},
		{SN_MP_ADDRESS, "255.255.255.255", "::"},
		{SN_MP_ADDRESS, "2001:db8::9", "2001:db8::10"},
		{SN_MP_STRING, "10", "9"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(pairs); i++) {
		enum sn_mp_prim prim = pairs[i].prim;

		assert_true(sn_mp_value_compare(prim, pairs[i].small, pairs[i].large) < 0);
		assert_true(sn_mp_value_compare(prim, pairs[i].large, pairs[i].small) > 0);
		assert_int_equal(sn_mp_value_compare(prim, pairs[i].small, pairs[i].small), 0);
	}
}

static void primitives_have_names_and_bool_is_one_too(void **state)
{
	enum sn_mp_prim prim;

	(void)state;
	for (int i = 0; i < SN_MP_PRIMS; i++) {
		assert_int_equal(sn_mp_prim_find(sn_mp_prim_name((enum sn_mp_prim)i), &prim), 0);
		assert_int_equal(prim, i);
	}
	assert_int_equal(sn_mp_prim_find("bool", &prim), 0);
	assert_int_equal(prim, SN_MP_BOOLEAN);
	assert_string_equal(sn_mp_prim_name(SN_MP_BOOLEAN), "boolean");
	assert_int_equal(sn_mp_prim_find("Natural", &prim), -ENOENT);
	assert_int_equal(sn_mp_prim_find("", &prim), -ENOENT);
}

static void every_microsecond_that_is_written_is_read_back(void **state)
{
	uint64_t seed = 20260301;
	struct sn_prng prng;
	char text[SN_MP_TIME_SIZE];
	int64_t back;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	for (int i = 0; i < 100000; i++) {
		int64_t time = (int64_t)sn_prng_u64(&prng) / SN_NS_PER_US * SN_NS_PER_US;

		sn_mp_time_format(time, text);
		assert_int_equal(strlen(text), 26);
		assert_int_equal(sn_mp_time_parse(sn_str(text), &back), 0);
		assert_int_equal(back, time);
	}
	/* Parts of a microsecond are cut off, towards the past. */
	assert_string_equal(sn_mp_time_format(1999, text), "1970-01-01 00:00:00.000001");
	assert_string_equal(sn_mp_time_format(-1, text), "1969-12-31 23:59:59.999999");
}

static void naturals_and_reals_come_back_from_their_text(void **state)
{
	uint64_t seed = 4711;
	struct sn_prng prng;
	char text[64];

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	for (int i = 0; i < 20000; i++) {
		uint64_t natural = sn_prng_u64(&prng) >> (sn_prng_u64(&prng) % 64);
		struct sn_buf out = {0};
		double real;

		snprintf(text, sizeof(text), "%llu.25", (unsigned long long)natural);
		assert_int_equal(sn_mp_value_canon(SN_MP_NATURAL, sn_str(text), &out, NULL), 0);
		assert_true(strtoull(sn_buf_cstr(&out), NULL, 10) == natural);
		sn_buf_clear(&out);
		real = (sn_prng_unit(&prng) - 0.5) * (double)natural;
		snprintf(text, sizeof(text), "%.17g", real);
		assert_int_equal(sn_mp_value_canon(SN_MP_REAL, sn_str(text), &out, NULL), 0);
		assert_true(strtod(sn_buf_cstr(&out), NULL) == real);
		sn_buf_finish(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_forms_that_peers_send_have_one_canonical_text),
		cmocka_unit_test(a_star_is_no_value_of_every_type),
		cmocka_unit_test(what_is_not_of_the_type_is_refused_with_the_reason),
		cmocka_unit_test(a_nul_byte_inside_is_refused),
		cmocka_unit_test(the_limit_of_a_text_is_kept_to_the_byte),
		cmocka_unit_test(values_are_compared_by_value_and_not_by_letters),
		cmocka_unit_test(primitives_have_names_and_bool_is_one_too),
		cmocka_unit_test(every_microsecond_that_is_written_is_read_back),
		cmocka_unit_test(naturals_and_reals_come_back_from_their_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
