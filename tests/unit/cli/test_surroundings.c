/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cli/up/child.h"
#include "cli/up/surroundings.h"

#define V4_HEADER                                                                                  \
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

/* Addresses in the kernel's table are shown as this CPU has them in memory. */
static const char *shown(const char *address)
{
	static char text[9];
	struct in_addr addr;

	inet_pton(AF_INET, address, &addr);
	snprintf(text, sizeof(text), "%08X", addr.s_addr);
	return text;
}

static struct sn_str route_table(const char *gateway_a, int metric_a, const char *gateway_b,
				 int metric_b)
{
	static char text[1024];
	int n = snprintf(text, sizeof(text),
			 V4_HEADER "eth0\t00000000\t%s\t0003\t0\t0\t%d\t00000000\t"
				   "0\t0\t0\n",
			 shown(gateway_a), metric_a);

	snprintf(text + n, sizeof(text) - (size_t)n,
		 "wlan0\t00000000\t%s\t0003\t0\t0\t%d\t00000000\t0\t0\t0\n"
		 "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
		 shown(gateway_b), metric_b);
	return sn_str(text);
}

static void the_default_route_with_the_lowest_metric_wins(void **state)
{
	char out[SN_ADDRESS_TEXT_MAX] = "";

	(void)state;
	assert_true(sn_gateway_v4(route_table("192.0.2.1", 600, "198.51.100.7", 100), out));
	assert_string_equal(out, "198.51.100.7");
	assert_true(sn_gateway_v4(route_table("192.0.2.1", 50, "198.51.100.7", 100), out));
	assert_string_equal(out, "192.0.2.1");
}

static void other_routes_and_broken_lines_are_passed_over(void **state)
{
	static const char *const none[] = {
		"",
		V4_HEADER,
		V4_HEADER "eth0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n",
		V4_HEADER "eth0\t00000000\t010200C0\t0001\t0\t0\t0\t00000000\t0\t0\t0\n",
		V4_HEADER "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n",
		V4_HEADER "eth0\t00000000\t010200C0\t0003\n",
		V4_HEADER "eth0\t00000000\tXX0200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
		V4_HEADER "eth0\t00000000\t010200C0\t0003\t0\t0\t-1\t00000000\t0\t0\t0\n",
	};
	char out[SN_ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(none); i++)
		assert_false(sn_gateway_v4(sn_str(none[i]), out));
}

#define ZERO16 "00000000000000000000000000000000"

static void a_link_local_gateway_comes_with_its_zone(void **state)
{
	static const char text[] =
		ZERO16 " 00 " ZERO16 " 00 fe800000000000000000000000000001 00000400 00000001 "
		       "00000000 00000003    eth0\n" ZERO16 " 00 " ZERO16 " 00 " ZERO16
		       " ffffffff 00000001 00000000 00200200       lo\n";
	char out[SN_ADDRESS_TEXT_MAX] = "";

	(void)state;
	assert_true(sn_gateway_v6(sn_str(text), out));
	assert_string_equal(out, "fe80::1%eth0");
	assert_false(sn_gateway_v6(SN_STR("nonsense\n"), out));
}

static void resolvers_are_the_nameserver_lines(void **state)
{
	static const char text[] = "# nameserver 192.0.2.9\n"
				   "search example.org\n"
				   "nameserver 127.0.0.53\n"
				   "nameserver\tnot-an-address\n"
				   "  nameserver 2001:db8::53  \n"
				   "nameserver\n"
				   "nameserver 192.0.2.1\n"
				   "nameserver 192.0.2.2\n";
	char out[SN_RESOLVERS_MAX][SN_ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(sn_resolvers(sn_str(text), out), 3);
	assert_string_equal(out[0], "127.0.0.53");
	assert_string_equal(out[1], "2001:db8::53");
	assert_string_equal(out[2], "192.0.2.1");
	assert_int_equal(sn_resolvers(SN_STR(""), out), 0);
}

static void reading_this_machine_never_fails(void **state)
{
	struct sn_surroundings here;

	(void)state;
	sn_surroundings_read(&here);
	assert_in_range(here.resolver_count, 0, SN_RESOLVERS_MAX);
}

static void the_wait_before_a_restart_doubles_up_to_a_limit(void **state)
{
	uint64_t wait_ns = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		wait_ns = sn_child_backoff(wait_ns, 0);
		assert_int_equal(wait_ns, (1 << i) * SN_NS_PER_S);
	}
	assert_int_equal(sn_child_backoff(wait_ns, 0), SN_CHILD_BACKOFF_MAX_NS);
	assert_int_equal(sn_child_backoff(SN_CHILD_BACKOFF_MAX_NS, 0), SN_CHILD_BACKOFF_MAX_NS);
}

static void a_program_that_ran_well_is_started_again_soon(void **state)
{
	(void)state;
	assert_int_equal(sn_child_backoff(SN_CHILD_BACKOFF_MAX_NS, SN_CHILD_STEADY_NS),
			 SN_CHILD_BACKOFF_MIN_NS);
	assert_int_equal(sn_child_backoff(SN_CHILD_BACKOFF_MAX_NS, SN_CHILD_STEADY_NS - 1),
			 SN_CHILD_BACKOFF_MAX_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_route_with_the_lowest_metric_wins),
		cmocka_unit_test(other_routes_and_broken_lines_are_passed_over),
		cmocka_unit_test(a_link_local_gateway_comes_with_its_zone),
		cmocka_unit_test(resolvers_are_the_nameserver_lines),
		cmocka_unit_test(reading_this_machine_never_fails),
		cmocka_unit_test(the_wait_before_a_restart_doubles_up_to_a_limit),
		cmocka_unit_test(a_program_that_ran_well_is_started_again_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
