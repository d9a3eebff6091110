/* SPDX-License-Identifier: Apache-2.0 */
/* By which number packets are shared out among workers. */
#include "lib/test.h"

#include <stdio.h>

#include "meter/decode/spread.h"
#include "nested.h"

static uint32_t spread(unsigned tunnels_max)
{
	struct sn_packet packet;

	close_levels();
	packet = frame_packet(&f);
	packet.link = DLT_EN10MB;
	return sn_decode_spread(&packet, tunnels_max);
}

static void packets_of_a_flow_have_one_number(void **state SN_UNUSED)
{
	uint32_t wanted, outside;

	outer_ethernet(0x0800);
	add_inner();
	wanted = spread(4);

	start(NULL); /* the other direction, another port */
	outer_ethernet(0x0800);
	add_ipv4("192.0.2.2", "192.0.2.1", SN_PROTO_TCP);
	put_zeros(&f, 20);
	assert_int_equal(spread(4), wanted);

	start(NULL); /* a later fragment */
	outer_ethernet(0x0800);
	begin(LEVEL_IPV4);
	put_ipv4(&f, "192.0.2.1", "192.0.2.2", SN_PROTO_UDP, 77, 185);
	put_zeros(&f, 100);
	assert_int_equal(spread(4), wanted);

	start(NULL); /* behind tags */
	outer_ethernet(0x8100);
	put_vlan(&f, 7, 0x8100);
	put_vlan(&f, 8, 0x0800);
	add_inner();
	assert_int_equal(spread(4), wanted);

	start(NULL); /* in tunnels, if they are entered */
	add_outer(47);
	put32(&f, 0x00000800);
	add_ipv4("203.0.113.1", "203.0.113.2", 4);
	add_inner();
	assert_int_equal(spread(4), wanted);
	outside = spread(0);
	assert_int_not_equal(outside, wanted);
	start(NULL);
	outer_ethernet(0x0800);
	add_ipv4("198.51.100.2", "198.51.100.1", SN_PROTO_TCP);
	put_zeros(&f, 20);
	assert_int_equal(spread(4), outside);

	start(NULL);
	add_vxlan(0x08);
	assert_int_equal(spread(4), wanted);
	assert_int_equal(spread(0), outside);
	start(NULL);
	add_vxlan(0xff); /* not one */
	assert_int_equal(spread(4), outside);
}

static void flows_are_spread_evenly(void **state SN_UNUSED)
{
	enum { BINS = 8, FLOWS = 8000 };
	unsigned bins[BINS] = {0};

	for (unsigned i = 0; i < FLOWS; i++) {
		char address[32];

		start(NULL);
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 250, i % 250);
		outer_ethernet(0x0800);
		add_ipv4(address, "192.0.2.1", SN_PROTO_TCP);
		put_zeros(&f, 20);
		bins[(uint64_t)spread(4) * BINS >> 32]++;
	}
	for (int i = 0; i < BINS; i++)
		assert_in_range(bins[i], FLOWS / BINS * 8 / 10, FLOWS / BINS * 12 / 10);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets_of_a_flow_have_one_number),
		TEST(flows_are_spread_evenly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
