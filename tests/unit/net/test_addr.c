/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "net/addr.h"

/* `text` with default port 80, written back. */
static const char *round_trip(const char *text)
{
	static char out[SN_ADDR_TEXT_MAX + 8];
	struct sn_addr addr;

	if (sn_addr_parse(sn_str(text), 80, &addr) != 0)
		return "refused";
	return sn_addr_format_port(&addr, out, sizeof(out));
}

static void addresses_are_read_and_written(void **state SN_UNUSED)
{
	assert_string_equal(round_trip("192.0.2.1"), "192.0.2.1:80");
	assert_string_equal(round_trip("192.0.2.1:443"), "192.0.2.1:443");
	assert_string_equal(round_trip("192.0.2.1:0"), "192.0.2.1:0");
	assert_string_equal(round_trip("2001:db8::1"), "[2001:db8::1]:80");
	assert_string_equal(round_trip("[2001:db8::1]"), "[2001:db8::1]:80");
	assert_string_equal(round_trip("[2001:db8::1]:65535"), "[2001:db8::1]:65535");
	assert_string_equal(round_trip("::"), "[::]:80");
	/* RFC 5952: lower case, no leading zeros, the longest run of zeros shortened. */
	assert_string_equal(round_trip("2001:0DB8:0:0:1:0:0:1"), "[2001:db8::1:0:0:1]:80");
	assert_string_equal(round_trip("2001:db8:0:1:1:1:1:1"), "[2001:db8:0:1:1:1:1:1]:80");
	assert_string_equal(round_trip("::ffff:192.0.2.1"), "[::ffff:192.0.2.1]:80");
}

static void a_scope_is_a_name_or_a_number(void **state SN_UNUSED)
{
	struct sn_addr addr;
	char out[SN_ADDR_TEXT_MAX];

	assert_int_equal(sn_addr_parse(SN_STR("fe80::1%lo"), 0, &addr), 0);
	assert_int_equal(addr.in6.sin6_scope_id, if_nametoindex("lo"));
	assert_string_equal(sn_addr_format(&addr, out, sizeof(out)), "fe80::1%lo");
	assert_int_equal(sn_addr_parse(SN_STR("[fe80::1%99999]:1"), 0, &addr), 0);
	assert_int_equal(addr.in6.sin6_scope_id, 99999);
	assert_string_equal(sn_addr_format(&addr, out, sizeof(out)), "fe80::1%99999");
	assert_int_equal(sn_addr_parse(SN_STR("fe80::1%nosuchif"), 0, &addr), -ENODEV);
	assert_int_equal(sn_addr_parse(SN_STR("fe80::1%"), 0, &addr), -EINVAL);
}

static void anything_else_is_refused(void **state SN_UNUSED)
{
	static const char *const bad[] = {
		"",         "localhost",  "1.2.3",         "1.2.3.4.5", "256.1.1.1",
		"1.2.3.4:", "1.2.3.4:x",  "1.2.3.4:65536", ":80",       "[::1",
		"::1]",     "[::1]x",     "[::1]:",        "[1.2.3.4]", "[]:80",
		" 1.2.3.4", "1.2.3.4 ",   "1.2.3.4:-1",    ":::",       "1:2:3:4:5:6:7:8:9",
		"01.2.3.4", "1.2.3.4%lo", "[::1]:+5",
	};

	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		if (strcmp(round_trip(bad[i]), "refused") != 0)
			fail_msg("'%s' became '%s'", bad[i], round_trip(bad[i]));
	}
	struct sn_addr addr;
	char longer[SN_ADDR_TEXT_MAX + 1];

	memset(longer, '1', sizeof(longer));
	assert_int_equal(sn_addr_parse((struct sn_str){longer, sizeof(longer)}, 0, &addr), -EINVAL);
	assert_int_equal(sn_addr_parse((struct sn_str){"1.2.3.4\0", 8}, 0, &addr), -EINVAL);
	assert_int_equal(addr.length, 0);
}

static bool loopback(const char *text)
{
	struct sn_addr addr;

	assert_int_equal(sn_addr_parse(sn_str(text), 0, &addr), 0);
	return sn_addr_is_loopback(&addr);
}

static void loopback_is_told_apart(void **state SN_UNUSED)
{
	assert_true(loopback("127.0.0.1"));
	assert_true(loopback("127.255.255.254"));
	assert_true(loopback("::1"));
	assert_true(loopback("::ffff:127.0.0.1"));
	assert_false(loopback("128.0.0.1"));
	assert_false(loopback("0.0.0.0"));
	assert_false(loopback("::"));
	assert_false(loopback("::2"));
	assert_false(loopback("::ffff:10.0.0.1"));
	assert_false(sn_addr_is_loopback(&(struct sn_addr){0}));
}

static bool same_host(const char *a, const char *b)
{
	struct sn_addr x, y;

	assert_int_equal(sn_addr_parse(sn_str(a), 1, &x), 0);
	assert_int_equal(sn_addr_parse(sn_str(b), 2, &y), 0);
	return sn_addr_equal_host(&x, &y);
}

static void hosts_are_compared_without_the_port(void **state SN_UNUSED)
{
	assert_true(same_host("192.0.2.1:5", "192.0.2.1:6"));
	assert_false(same_host("192.0.2.1", "192.0.2.2"));
	assert_true(same_host("2001:db8::1", "2001:db8:0::1"));
	assert_false(same_host("2001:db8::1", "2001:db8::2"));
	assert_false(same_host("192.0.2.1", "::ffff:192.0.2.1"));
	assert_false(same_host("fe80::1%1", "fe80::1%2"));
}

static void numbers_need_no_resolver(void **state SN_UNUSED)
{
	struct sn_addr addr;
	struct sn_err err = {0};

	assert_int_equal(sn_addr_resolve("192.0.2.1", AF_UNSPEC, 7, &addr, &err), 0);
	assert_int_equal(sn_addr_port(&addr), 7);
	assert_int_equal(sn_addr_resolve("192.0.2.1", AF_INET6, 7, &addr, &err), -EAFNOSUPPORT);
	assert_string_equal(err.text, "cannot use '192.0.2.1': not an IPv6 address");
	assert_int_equal(sn_addr_resolve("::1", AF_INET6, 7, &addr, &err), 0);
	assert_int_equal(sn_addr_resolve("localhost", AF_INET, 9, &addr, &err), 0);
	assert_true(sn_addr_is_loopback(&addr));
	assert_int_equal(sn_addr_port(&addr), 9);
}

static void a_name_that_cannot_be_is_an_error_with_its_name(void **state SN_UNUSED)
{
	struct sn_addr addr;
	struct sn_err err = {0};
	/* 64 letters are too many for a label, so nobody is asked over the network. */
	const char *name =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid";

	assert_int_equal(sn_addr_resolve(name, AF_UNSPEC, 0, &addr, &err), -ENOENT);
	assert_non_null(strstr(err.text, name));
	assert_int_equal(addr.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(a_scope_is_a_name_or_a_number),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(loopback_is_told_apart),
		cmocka_unit_test(hosts_are_compared_without_the_port),
		cmocka_unit_test(numbers_need_no_resolver),
		cmocka_unit_test(a_name_that_cannot_be_is_an_error_with_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
