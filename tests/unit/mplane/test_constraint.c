/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "base/util.h"
#include "mplane/constraint.h"

static struct sn_mp_constraint parse(enum sn_mp_prim prim, const char *text)
{
	struct sn_mp_constraint constraint;
	struct sn_err err = {0};

	if (sn_mp_constraint_parse(prim, sn_str(text), &constraint, &err) != 0)
		fail_msg("'%s': %s", text, err.text);
	return constraint;
}

static void assert_prints(const struct sn_mp_constraint *constraint, bool no_prefix,
			  const char *expected)
{
	struct sn_buf out = {0};

	sn_mp_constraint_print(constraint, no_prefix, &out);
	assert_string_equal(sn_buf_cstr(&out), expected);
	sn_buf_finish(&out);
}

static void every_form_has_its_kind_and_canonical_text(void **state)
{
	static const struct {
		enum sn_mp_prim prim;
		const char *text;
		enum sn_mp_constraint_kind kind;
		const char *canonical;
	} forms[] = {
		{SN_MP_NATURAL, "*", SN_MP_ANY, "*"},
		{SN_MP_STRING, "*", SN_MP_ANY, "*"},
		{SN_MP_ADDRESS, "192.0.2.19", SN_MP_ONE_OF, "192.0.2.19"},
		{SN_MP_NATURAL, "10,9,9.0,100", SN_MP_ONE_OF, "9,10,100"},
		{SN_MP_NATURAL, "9, 10 ,100", SN_MP_ONE_OF, "9,10,100"},
		{SN_MP_ADDRESS, "192.0.2.10,192.0.2.9", SN_MP_ONE_OF, "192.0.2.9,192.0.2.10"},
		{SN_MP_STRING, "b, a", SN_MP_ONE_OF, " a,b"},
		{SN_MP_STRING, "", SN_MP_ONE_OF, ""},
		{SN_MP_BOOLEAN, "true,0", SN_MP_ONE_OF, "False,True"},
		{SN_MP_NATURAL, "1 ... 30", SN_MP_RANGE, "1 ... 30"},
		{SN_MP_NATURAL, "30 ... 1", SN_MP_RANGE, "1 ... 30"},
		{SN_MP_REAL, "1.50 ... -2", SN_MP_RANGE, "-2 ... 1.5"},
		{SN_MP_TIME, "2026-01-01 ... future", SN_MP_RANGE,
		 "2026-01-01 00:00:00.000000 ... future"},
		{SN_MP_ADDRESS, "0.0.0.0 ... 255.255.255.255", SN_MP_RANGE,
		 "0.0.0.0 ... 255.255.255.255"},
		{SN_MP_ADDRESS, "2001:DB8::10 ... 2001:db8::9", SN_MP_RANGE,
		 "2001:db8::9 ... 2001:db8::10"},
		{SN_MP_STRING, "b ... a", SN_MP_RANGE, "a ... b"},
		{SN_MP_URL, "a ... b", SN_MP_RANGE, "a ... b"},
		{SN_MP_STRING, "0..32", SN_MP_ONE_OF, "0..32"},
		{SN_MP_STRING, "0...32", SN_MP_ONE_OF, "0...32"},
		{SN_MP_STRING, "a ... b ... c", SN_MP_ONE_OF, "a ... b ... c"},
		{SN_MP_STRING, " ... b", SN_MP_ONE_OF, " ... b"},
		{SN_MP_STRING, "a ... b,c", SN_MP_ONE_OF, "a ... b,c"},
		{SN_MP_STRING, "a ... b,a ... b", SN_MP_RANGE, "a ... b"},
		{SN_MP_STRING, "192.0.2.0/24", SN_MP_ONE_OF, "192.0.2.0/24"},
		{SN_MP_ADDRESS, "192.0.2.0/24", SN_MP_PREFIX, "192.0.2.0/24"},
		{SN_MP_ADDRESS, "192.0.2.77/24", SN_MP_PREFIX, "192.0.2.0/24"},
		{SN_MP_ADDRESS, "192.0.2.255/25", SN_MP_PREFIX, "192.0.2.128/25"},
		{SN_MP_ADDRESS, "0.0.0.0/0", SN_MP_PREFIX, "0.0.0.0/0"},
		{SN_MP_ADDRESS, "2001:db8:1::1/33", SN_MP_PREFIX, "2001:db8::/33"},
		{SN_MP_ADDRESS, "::/0", SN_MP_PREFIX, "::/0"},
		{SN_MP_ADDRESS, "192.0.2.1/32", SN_MP_ONE_OF, "192.0.2.1"},
		{SN_MP_ADDRESS, "2001:db8::1/128", SN_MP_ONE_OF, "2001:db8::1"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(forms); i++) {
		struct sn_mp_constraint constraint = parse(forms[i].prim, forms[i].text), again;

		assert_int_equal(constraint.kind, forms[i].kind);
		assert_prints(&constraint, false, forms[i].canonical);
		again = parse(forms[i].prim, forms[i].canonical);
		assert_int_equal(again.kind, constraint.kind);
		assert_prints(&again, false, forms[i].canonical);
		sn_mp_constraint_finish(&again);
		sn_mp_constraint_finish(&constraint);
	}
}

static void malformed_constraints_are_refused_with_the_reason(void **state)
{
	static const struct {
		enum sn_mp_prim prim;
		const char *text, *reason;
	} bad[] = {
		{SN_MP_NATURAL, "0..32", "'a ... b'"},
		{SN_MP_NATURAL, "0...32", "'a ... b'"},
		{SN_MP_NATURAL, "0 .. 32", "'a ... b'"},
		{SN_MP_ADDRESS, "192.0.2.1..192.0.2.9", "'a ... b'"},
		{SN_MP_REAL, "1...2", "'a ... b'"},
		{SN_MP_NATURAL, "", "natural"},
		{SN_MP_NATURAL, "1,,2", "natural"},
		{SN_MP_NATURAL, "1,", "natural"},
		{SN_MP_NATURAL, "1,*", "only by itself"},
		{SN_MP_STRING, "a,*", "only by itself"},
		{SN_MP_NATURAL, "* ... 5", "only by itself"},
		{SN_MP_NATURAL, "1 ... ", "natural"},
		{SN_MP_NATURAL, "1 ... 2 ... 3", "natural"},
		{SN_MP_NATURAL, "1 ... x", "natural"},
		{SN_MP_ADDRESS, "192.0.2.1 ... 2001:db8::1", "IPv4 to IPv6"},
		{SN_MP_ADDRESS, "192.0.2.0/33", "0 to 32"},
		{SN_MP_ADDRESS, "2001:db8::/129", "0 to 128"},
		{SN_MP_ADDRESS, "192.0.2.0/", "0 to 32"},
		{SN_MP_ADDRESS, "192.0.2.0/+8", "0 to 32"},
		{SN_MP_ADDRESS, "192.0.2.0/255.255.255.0", "0 to 32"},
		{SN_MP_ADDRESS, "x/24", "not a network"},
		{SN_MP_ADDRESS, "192.0.2.1,192.0.2.0/24", "not a network"},
		{SN_MP_ADDRESS, "192.0.2.0/24 ... 192.0.2.9", "network"},
		{SN_MP_ADDRESS, "any", "IPv4 or IPv6"},
		{SN_MP_BOOLEAN, "maybe", "True or False"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		struct sn_mp_constraint constraint = {.prefix_length = 77};
		struct sn_err err = {0};

		assert_int_equal(
			sn_mp_constraint_parse(bad[i].prim, sn_str(bad[i].text), &constraint, &err),
			-EINVAL);
		if (strstr(err.text, bad[i].reason) == NULL)
			fail_msg("'%s': %s", bad[i].text, err.text);
		assert_int_equal(constraint.prefix_length, 77);
	}
}

static void no_text_is_the_empty_text(void **state)
{
	struct sn_mp_constraint constraint;
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(
		sn_mp_constraint_parse(SN_MP_TIME, (struct sn_str){NULL, 0}, &constraint, &err),
		-EINVAL);
	assert_int_equal(
		sn_mp_constraint_parse(SN_MP_STRING, (struct sn_str){NULL, 0}, &constraint, &err),
		0);
	assert_string_equal(sn_mp_constraint_single(&constraint), "");
	sn_mp_constraint_finish(&constraint);
}

static void values_are_met_by_value(void **state)
{
	static const struct {
		enum sn_mp_prim prim;
		const char *text, *value;
		bool met;
	} cases[] = {
		{SN_MP_NATURAL, "*", "5", true},
		{SN_MP_NATURAL, "*", "*", true},
		{SN_MP_NATURAL, "5", "*", false},
		{SN_MP_STRING, "a ... z", "*", false},
		{SN_MP_ADDRESS, "192.0.2.0/24", "*", false},
		{SN_MP_NATURAL, "1 ... 30", "1", true},
		{SN_MP_NATURAL, "1 ... 30", "30", true},
		{SN_MP_NATURAL, "1 ... 30", "4", true},
		{SN_MP_NATURAL, "1 ... 30", "0", false},
		{SN_MP_NATURAL, "1 ... 30", "31", false},
		{SN_MP_REAL, "-2 ... 1.5", "1.5", true},
		{SN_MP_REAL, "-2 ... 1.5", "1.500001", false},
		{SN_MP_NATURAL, "9,10,100", "10", true},
		{SN_MP_NATURAL, "9,10,100", "11", false},
		{SN_MP_STRING, "UDP-paris,UDP,ICMP", "UDP", true},
		{SN_MP_STRING, "UDP-paris,UDP,ICMP", "udp", false},
		{SN_MP_STRING, "a ... c", "bb", true},
		{SN_MP_STRING, "a ... c", "ca", false},
		{SN_MP_BOOLEAN, "1", "True", true},
		{SN_MP_BOOLEAN, "1", "False", false},
		{SN_MP_TIME, "2026-01-01 ... future", "2026-01-01 00:00:00.000000", true},
		{SN_MP_TIME, "2026-01-01 ... future", "2025-12-31 23:59:59.999999", false},
		{SN_MP_TIME, "now ... future", "2031-01-01 00:00:00.000000", true},
		{SN_MP_ADDRESS, "192.0.2.0/24", "192.0.2.0", true},
		{SN_MP_ADDRESS, "192.0.2.0/24", "192.0.2.255", true},
		{SN_MP_ADDRESS, "192.0.2.0/24", "192.0.3.0", false},
		{SN_MP_ADDRESS, "0.0.0.0/0", "203.0.113.1", true},
		{SN_MP_ADDRESS, "0.0.0.0/0", "2001:db8::1", false},
		{SN_MP_ADDRESS, "2001:db8::/33", "2001:db8:7fff::1", true},
		{SN_MP_ADDRESS, "2001:db8::/33", "2001:db8:8000::1", false},
		{SN_MP_ADDRESS, "0.0.0.0 ... 255.255.255.255", "::", false},
		{SN_MP_ADDRESS, "192.0.2.9 ... 192.0.2.10", "192.0.2.10", true},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_mp_constraint constraint = parse(cases[i].prim, cases[i].text);

		if (sn_mp_constraint_met(&constraint, cases[i].value) != cases[i].met)
			fail_msg("'%s' and '%s'", cases[i].text, cases[i].value);
		assert_false(sn_mp_constraint_met(&constraint, NULL) &&
			     constraint.kind != SN_MP_ANY);
		sn_mp_constraint_finish(&constraint);
	}
}

static void only_one_value_is_taken_over_by_itself(void **state)
{
	static const struct {
		enum sn_mp_prim prim;
		const char *text, *single;
	} cases[] = {
		{SN_MP_ADDRESS, "192.0.2.19", "192.0.2.19"},
		{SN_MP_ADDRESS, "192.0.2.19/32", "192.0.2.19"},
		{SN_MP_NATURAL, "7,7.0", "7"},
		{SN_MP_NATURAL, "7 ... 7", "7"},
		{SN_MP_NATURAL, "7 ... 8", NULL},
		{SN_MP_NATURAL, "7,8", NULL},
		{SN_MP_NATURAL, "*", NULL},
		{SN_MP_ADDRESS, "192.0.2.0/31", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_mp_constraint constraint = parse(cases[i].prim, cases[i].text);
		const char *single = sn_mp_constraint_single(&constraint);

		if (cases[i].single == NULL)
			assert_null(single);
		else
			assert_string_equal(single, cases[i].single);
		sn_mp_constraint_finish(&constraint);
	}
}

static void a_network_can_be_written_as_a_range_that_means_the_same(void **state)
{
	static const struct {
		const char *prefix, *range;
	} cases[] = {
		{"192.0.2.0/24", "192.0.2.0 ... 192.0.2.255"},
		{"192.0.2.128/25", "192.0.2.128 ... 192.0.2.255"},
		{"0.0.0.0/0", "0.0.0.0 ... 255.255.255.255"},
		{"192.0.2.6/31", "192.0.2.6 ... 192.0.2.7"},
		{"2001:db8::/32", "2001:db8:: ... 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"::/0", ":: ... ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"2001:db8::/126", "2001:db8:: ... 2001:db8::3"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_mp_constraint constraint = parse(SN_MP_ADDRESS, cases[i].prefix);

		assert_prints(&constraint, true, cases[i].range);
		sn_mp_constraint_finish(&constraint);
	}
}

static void a_copy_lives_by_itself(void **state)
{
	struct sn_mp_constraint constraint = parse(SN_MP_NATURAL, "1,2,3"), copy;

	(void)state;
	assert_int_equal(sn_mp_constraint_copy(&constraint, &copy), 0);
	sn_mp_constraint_finish(&constraint);
	assert_prints(&copy, false, "1,2,3");
	sn_mp_constraint_finish(&copy);
	assert_int_equal(copy.kind, SN_MP_ANY);
	assert_int_equal(sn_mp_constraint_copy(&constraint, &copy), 0);
	assert_prints(&copy, false, "*");
	sn_mp_constraint_finish(&copy);
}

static void sets_have_a_limit(void **state)
{
	struct sn_mp_constraint constraint;
	struct sn_buf text = {0};
	struct sn_err err = {0};

	(void)state;
	for (unsigned i = 0; i < SN_MP_SET_MAX; i++)
		sn_buf_addf(&text, "%s%u", i > 0 ? "," : "", i);
	assert_int_equal(
		sn_mp_constraint_parse(SN_MP_NATURAL, sn_buf_str(&text), &constraint, &err), 0);
	assert_int_equal(constraint.count, SN_MP_SET_MAX);
	assert_true(sn_mp_constraint_met(&constraint, "4095"));
	sn_mp_constraint_finish(&constraint);
	sn_buf_adds(&text, ",4096");
	assert_int_equal(
		sn_mp_constraint_parse(SN_MP_NATURAL, sn_buf_str(&text), &constraint, &err),
		-ERANGE);
	assert_non_null(strstr(err.text, "4096"));
	sn_buf_reserve(&text, SN_MP_CONSTRAINT_BYTES);
	while (text.n <= SN_MP_CONSTRAINT_BYTES)
		sn_buf_addc(&text, 'x');
	assert_int_equal(sn_mp_constraint_parse(SN_MP_STRING, sn_buf_str(&text), &constraint, &err),
			 -ERANGE);
	sn_buf_finish(&text);
}

/* By the definition of a prefix, bit by bit, and by the range that stands for it. */
static void prefixes_and_their_ranges_agree_about_random_addresses(void **state)
{
	uint64_t seed = 99;
	struct sn_prng prng;

	(void)state;
	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	for (int i = 0; i < 5000; i++) {
		uint32_t network = (uint32_t)sn_prng_u64(&prng);
		unsigned length = (unsigned)(sn_prng_u64(&prng) % 33);
		uint32_t address = network ^ (uint32_t)(UINT64_C(1) << sn_prng_u64(&prng) % 33);
		uint32_t mask = length == 0 ? 0 : UINT32_MAX << (32 - length);
		struct sn_mp_constraint prefix, range;
		struct sn_buf out = {0};
		char text[64], value[64];

		snprintf(text, sizeof(text), "%u.%u.%u.%u/%u", network >> 24, network >> 16 & 255,
			 network >> 8 & 255, network & 255, length);
		snprintf(value, sizeof(value), "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
			 address >> 8 & 255, address & 255);
		prefix = parse(SN_MP_ADDRESS, text);
		sn_mp_constraint_print(&prefix, true, &out);
		range = parse(SN_MP_ADDRESS, sn_buf_cstr(&out));
		assert_int_equal(sn_mp_constraint_met(&prefix, value),
				 (network & mask) == (address & mask));
		assert_int_equal(sn_mp_constraint_met(&range, value),
				 (network & mask) == (address & mask));
		sn_mp_constraint_finish(&prefix);
		sn_mp_constraint_finish(&range);
		sn_buf_finish(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_has_its_kind_and_canonical_text),
		cmocka_unit_test(malformed_constraints_are_refused_with_the_reason),
		cmocka_unit_test(no_text_is_the_empty_text),
		cmocka_unit_test(values_are_met_by_value),
		cmocka_unit_test(only_one_value_is_taken_over_by_itself),
		cmocka_unit_test(a_network_can_be_written_as_a_range_that_means_the_same),
		cmocka_unit_test(a_copy_lives_by_itself),
		cmocka_unit_test(sets_have_a_limit),
		cmocka_unit_test(prefixes_and_their_ranges_agree_about_random_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
