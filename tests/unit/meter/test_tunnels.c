/* SPDX-License-Identifier: Apache-2.0 */
/* What is in tunnels of each kind, and what only looks like one. */
#include "lib/test.h"

#include "nested.h"

static void expect_outer_udp(uint16_t dport)
{
	assert_int_equal(decode(), SN_SKIP_NONE);
	expect_address(decoded.src, AF_INET, "198.51.100.1");
	assert_int_equal(decoded.src_port, 50000);
	assert_int_equal(decoded.dst_port, dport);
	assert_int_equal(decoded.tunnels, 0);
	assert_int_equal(decoded.ip_bytes, f.n - 14);
	assert_int_equal(decoded.payload_bytes, f.n - 14 - 28);
	assert_int_equal(sn_rd_left(&decoded.payload), f.n - 14 - 28);
}

static void ip_in_ip_in_all_four_ways(void **state SN_UNUSED)
{
	add_outer(4);
	add_inner();
	expect_inner(1);

	start(NULL);
	outer_ethernet(0x86dd);
	add_ipv6("2001:db8::1", "2001:db8::2", 4);
	add_inner();
	expect_inner(1);

	for (int variant = 0; variant < 2; variant++) {
		start(NULL);
		if (variant == 0) {
			add_outer(41);
		} else {
			outer_ethernet(0x86dd);
			add_ipv6("2001:db8::1", "2001:db8::2", 41);
		}
		add_ipv6("2001:db8:1::1", "2001:db8:1::2", SN_PROTO_UDP);
		add_udp(5, 6);
		assert_int_equal(decode(), SN_SKIP_NONE);
		expect_address(decoded.dst, AF_INET6, "2001:db8:1::2");
		assert_int_equal(decoded.family, 6);
		assert_int_equal(decoded.ip_bytes, 48);
		assert_false(decoded.has_ip_id);
	}
}

/* RFC 2784, RFC 2890: each flag adds a field of four bytes. */
static void every_flag_of_gre_is_understood(void **state SN_UNUSED)
{
	static const uint16_t flags[] = {0, 0x8000, 0x2000, 0x1000, 0xa000, 0x9000, 0x3000, 0xb000};
	static const size_t sizes[] = {0, 4, 4, 4, 8, 8, 8, 12};

	for (size_t i = 0; i < SN_COUNT(flags); i++) {
		start(NULL);
		add_outer(47);
		put16(&f, flags[i]);
		put16(&f, 0x0800);
		put_zeros(&f, sizes[i]);
		add_inner();
		expect_inner(1);
	}
}

static void gre_bridges_ethernet_with_its_tags(void **state SN_UNUSED)
{
	add_outer(47);
	put16(&f, 0);
	put16(&f, 0x6558);
	outer_ethernet(0x8100);
	put_vlan(&f, 7, 0x8100);
	put_vlan(&f, 8, 0x0800);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_outer(47);
	put16(&f, 0);
	put16(&f, 0x8847);
	put32(&f, 0x000101ff); /* MPLS, bottom of the stack */
	add_inner();
	expect_inner(1);
}

static void all_versions_of_erspan_are_mirrors(void **state SN_UNUSED)
{
	add_outer(47);
	put16(&f, 0);
	put16(&f, 0x88be); /* type I: nothing of its own */
	outer_ethernet(0x0800);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_outer(47);
	put16(&f, 0x1000);
	put16(&f, 0x88be);
	put32(&f, 1); /* sequence number */
	put_zeros(&f, 8);
	outer_ethernet(0x0800);
	add_inner();
	expect_inner(1);

	for (unsigned more = 0; more < 2; more++) {
		start(NULL);
		add_outer(47);
		put16(&f, 0x1000);
		put16(&f, 0x22eb);
		put32(&f, 1);
		put_zeros(&f, 11);
		put8(&f, more);
		put_zeros(&f, more * 8);
		outer_ethernet(0x0800);
		add_inner();
		expect_inner(1);
	}
}

/* RFC 2637: key always, sequence number with payload, acknowledgement sometimes. */
static void pptp_is_ppp_in_gre(void **state SN_UNUSED)
{
	static const char *const protocols[] = {"\xff\x03\x00\x21", "\x00\x21", "\xff\x03\x21",
						"\x21"};
	static const size_t sizes[] = {4, 2, 3, 1};

	for (unsigned i = 0; i < 8; i++) {
		bool acknowledged = i >= 4;

		start(NULL);
		add_outer(47);
		put16(&f, acknowledged ? 0x3081 : 0x3001);
		put16(&f, 0x880b);
		put_zeros(&f, acknowledged ? 12 : 8);
		put(&f, protocols[i % 4], sizes[i % 4]);
		add_inner();
		expect_inner(1);
	}

	start(NULL);
	add_outer(47);
	put16(&f, 0x2081); /* an acknowledgement only */
	put16(&f, 0x880b);
	put_zeros(&f, 8);
	assert_int_equal(decode(), SN_SKIP_PROTOCOL);
}

static void gre_that_leads_nowhere_is_a_protocol(void **state SN_UNUSED)
{
	static const uint16_t headers[][2] = {
		{0x4000, 0x0800}, /* source routing */
		{0x0002, 0x0800}, /* version 2 */
		{0x0000, 0x0806}, /* ARP */
		{0x0001, 0x0800}, /* version 1 is for PPP */
		{0x0000, 0x0000}, /* keepalive */
	};

	for (size_t i = 0; i < SN_COUNT(headers); i++) {
		start(NULL);
		add_outer(47);
		put16(&f, headers[i][0]);
		put16(&f, headers[i][1]);
		add_inner();
		assert_int_equal(decode(), SN_SKIP_PROTOCOL);
		expect_address(decoded.src, AF_INET, "198.51.100.1");
	}
}

static void vxlan_is_entered_when_its_flags_say_so(void **state SN_UNUSED)
{
	static const uint8_t bad[] = {0x00, 0x80, 0x0c, 0x09, 0x18, 0xff};

	add_vxlan(0x08);
	expect_inner(1);
	start(NULL);
	add_vxlan(0x88); /* with a group policy */
	expect_inner(1);
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		start(NULL);
		add_vxlan(bad[i]);
		expect_outer_udp(4789);
	}
}

static void what_is_no_flow_inside_leaves_the_datagram(void **state SN_UNUSED)
{
	add_outer_udp(4789); /* ARP in VXLAN */
	put32(&f, 0x08000000);
	put32(&f, 0);
	outer_ethernet(0x0806);
	put_zeros(&f, 28);
	expect_outer_udp(4789);

	start(NULL); /* OSPF */
	add_outer_udp(4789);
	put32(&f, 0x08000000);
	put32(&f, 0);
	outer_ethernet(0x0800);
	add_ipv4("192.0.2.1", "192.0.2.2", 89);
	put_zeros(&f, 20);
	expect_outer_udp(4789);

	start(NULL); /* lengths that lie */
	add_vxlan(0x08);
	close_levels();
	f.bytes[14 + 20 + 8 + 8 + 14 + 3]++;
	expect_outer_udp(4789);

	start(NULL); /* another protocol on the port */
	add_outer_udp(2152);
	for (int i = 0; i < 50; i++)
		put8(&f, (unsigned)i * 37);
	expect_outer_udp(2152);
	start(NULL);
	add_outer_udp(6081);
	expect_outer_udp(6081);
}

static void add_gtp(uint8_t flags, uint8_t type)
{
	add_outer_udp(2152);
	begin(LEVEL_GTP);
	put8(&f, flags);
	put8(&f, type);
	put16(&f, 0);
	put32(&f, 0x12345678);
}

/* 3GPP TS 29.281 section 5. */
static void gtp_carries_packets_behind_options_and_extensions(void **state SN_UNUSED)
{
	add_gtp(0x30, 255);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_gtp(0x32, 255); /* sequence number: all four bytes are there */
	put32(&f, 0x00010000);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_gtp(0x34, 255);
	put32(&f, 0x00000085); /* next: PDU session container */
	put32(&f, 0x01100585); /* four bytes, and another one */
	put32(&f, 0x02000000); /* eight bytes, the last one */
	put32(&f, 0);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_gtp(0x30, 255);
	add_ipv6("2001:db8::1", "2001:db8::2", SN_PROTO_ICMP6);
	put_icmp(&f, 128, 0, 9, 20);
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.protocol, SN_PROTO_ICMP6);
	assert_int_equal(decoded.src_port, 9);
}

static void gtp_of_other_kinds_is_a_datagram(void **state SN_UNUSED)
{
	static const uint8_t headers[][2] = {
		{0x30, 1},   /* echo request */
		{0x50, 255}, /* version 2 */
		{0x20, 255}, /* GTP' */
	};

	for (size_t i = 0; i < SN_COUNT(headers); i++) {
		start(NULL);
		add_gtp(headers[i][0], headers[i][1]);
		add_inner();
		expect_outer_udp(2152);
	}
	start(NULL); /* an extension header of no length would never end */
	add_gtp(0x34, 255);
	put32(&f, 0x00000085);
	put32(&f, 0);
	add_inner();
	expect_outer_udp(2152);
	start(NULL); /* more of them than anybody needs */
	add_gtp(0x34, 255);
	put32(&f, 0x00000085);
	for (int i = 0; i < 20; i++)
		put32(&f, i < 19 ? 0x01000085 : 0x01000000);
	add_inner();
	expect_outer_udp(2152);
	start(NULL); /* longer than it says */
	add_gtp(0x30, 255);
	add_inner();
	close_levels();
	f.bytes[14 + 28 + 3] -= 4;
	expect_outer_udp(2152);
}

static void add_geneve(unsigned options, uint8_t flags, uint16_t type)
{
	add_outer_udp(6081);
	put8(&f, options);
	put8(&f, flags);
	put16(&f, type);
	put32(&f, 0x00abcd00);
	put_zeros(&f, options * 4);
}

/* RFC 8926 section 3.4. */
static void geneve_is_entered_behind_its_options(void **state SN_UNUSED)
{
	add_geneve(0, 0, 0x6558);
	outer_ethernet(0x0800);
	add_inner();
	expect_inner(1);
	start(NULL);
	add_geneve(5, 0x40, 0x0800); /* critical options are for those who end the tunnel */
	add_inner();
	expect_inner(1);
	start(NULL);
	add_geneve(0, 0x80, 0x0800); /* a control packet */
	add_inner();
	expect_outer_udp(6081);
	start(NULL);
	add_geneve(0x40, 0, 0x0800); /* version 1 */
	expect_outer_udp(6081);
}

static void pppoe_with_both_families(void **state SN_UNUSED)
{
	outer_ethernet(0x8864);
	put(&f, "\x11\x00\x00\x01\x00\x46\x00\x21", 8);
	add_inner();
	expect_inner(0);
	start(NULL);
	outer_ethernet(0x8864);
	put(&f, "\x11\x00\x00\x01\x00\x32\x00\x57", 8);
	add_ipv6("2001:db8::1", "2001:db8::2", SN_PROTO_UDP);
	add_udp(5, 6);
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.family, 6);
	assert_int_equal(decoded.dst_port, 6);
}

static void ethernet_over_mpls_has_a_control_word(void **state SN_UNUSED)
{
	outer_ethernet(0x8847);
	put32(&f, 0x000101ff);
	put32(&f, 0);
	outer_ethernet(0x8100);
	put_vlan(&f, 7, 0x0800);
	add_inner();
	expect_inner(0);
}

static void teredo_is_the_flow_that_it_is(void **state SN_UNUSED)
{
	add_outer_udp(3544);
	add_ipv6("2001:db8::1", "2001:db8::2", SN_PROTO_UDP);
	add_udp(5, 6);
	expect_outer_udp(3544);
}

static void tunnels_in_tunnels_up_to_the_limit(void **state SN_UNUSED)
{
	for (unsigned depth = 1; depth <= SN_DECODE_TUNNELS_MAX + 1; depth++) {
		start(NULL);
		add_outer(depth > 1 ? 47 : 4);
		for (unsigned i = 1; i < depth; i++) {
			put32(&f, 0x00000800);
			add_ipv4("203.0.113.1", "203.0.113.2", i < depth - 1 ? 47 : 4);
		}
		add_inner();
		if (depth <= SN_DECODE_TUNNELS_MAX)
			expect_inner(depth);
		else
			assert_int_equal(decode(), SN_SKIP_TUNNELS);
	}
	/* Whoever asks for more does not get it. */
	assert_int_equal(decode_link(DLT_EN10MB, 100), SN_SKIP_TUNNELS);
}

static void beyond_the_limit_a_datagram_is_a_datagram(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	add_ipv4("203.0.113.1", "203.0.113.2", SN_PROTO_UDP);
	add_udp(50000, 4789);
	put32(&f, 0x08000000);
	put32(&f, 0);
	outer_ethernet(0x0800);
	add_inner();
	assert_int_equal(decode_link(DLT_EN10MB, 1), SN_SKIP_NONE);
	expect_address(decoded.src, AF_INET, "203.0.113.1");
	assert_int_equal(decoded.dst_port, 4789);
	assert_int_equal(decoded.tunnels, 1);
	expect_inner(2);
}

static void without_tunnels_the_outside_is_metered(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	add_inner();
	assert_int_equal(decode_link(DLT_EN10MB, 0), SN_SKIP_PROTOCOL);
	start(NULL);
	add_vxlan(0x08);
	assert_int_equal(decode_link(DLT_EN10MB, 0), SN_SKIP_NONE);
	assert_int_equal(decoded.dst_port, 4789);
}

static void a_short_snap_length_changes_no_count(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	add_inner();
	close_levels();
	f.wire_extra = 30;
	f.n -= 30;
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.payload_bytes, 40);
	assert_int_equal(decoded.ip_bytes, 68);
	assert_int_equal(sn_rd_left(&decoded.payload), 10);
	/* Not even the ports are left. */
	f.wire_extra += 20;
	f.n -= 20;
	assert_int_equal(decode(), SN_SKIP_TRUNCATED);
	/* Of a tunnel over UDP the outside is left. */
	start(NULL);
	add_vxlan(0x08);
	close_levels();
	f.wire_extra = 60;
	f.n -= 60;
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.dst_port, 4789);
	assert_int_equal(decoded.payload_bytes, 8 + 14 + 68);
}

static void padding_is_not_payload(void **state SN_UNUSED)
{
	add_outer(4);
	add_ipv4("192.0.2.1", "192.0.2.2", SN_PROTO_UDP);
	add_udp(1, 2);
	put16(&f, 0xabcd);
	close_levels();
	put_zeros(&f, 30);
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.payload_bytes, 2);
	assert_int_equal(sn_rd_left(&decoded.payload), 2);
}

static void fragments_inside_are_fragments(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	begin(LEVEL_IPV4);
	put_ipv4(&f, "192.0.2.1", "192.0.2.2", SN_PROTO_UDP, 77, 185);
	put_zeros(&f, 100);
	assert_int_equal(decode(), SN_SKIP_NONE);
	expect_address(decoded.src, AF_INET, "192.0.2.1");
	assert_true(decoded.fragmented && !decoded.has_transport);
	assert_int_equal(decoded.fragment_id, 77);
	assert_int_equal(decoded.payload_bytes, 100);
}

/* The first one holds the headers, which tell the whole length; the others have no flow. */
static void fragments_of_a_tunnel_are_counted_once(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	add_inner();
	close_levels();
	f.n -= 24; /* the outer packet ends here, the rest is in another */
	set16(14 + 2, f.n - 14);
	f.bytes[14 + 6] = 0x20;
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.ip_bytes, 68);
	assert_int_equal(decoded.payload_bytes, 40);
	assert_int_equal(sn_rd_left(&decoded.payload), 16);
	assert_false(decoded.fragmented);

	start(NULL);
	add_outer(47);
	put_zeros(&f, 24);
	close_levels();
	set16(14 + 6, 8);
	assert_int_equal(decode(), SN_SKIP_FRAGMENT);
	start(NULL);
	add_outer(SN_PROTO_UDP);
	put_zeros(&f, 24);
	close_levels();
	set16(14 + 6, 8);
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_false(decoded.has_transport);
}

static void every_link_type_may_carry_tunnels(void **state SN_UNUSED)
{
	add_ipv4("198.51.100.1", "198.51.100.2", 4);
	add_inner();
	assert_int_equal(decode_link(DLT_RAW, 4), SN_SKIP_NONE);
	assert_int_equal(decoded.src_port, 1000);
	assert_null(decoded.stations);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ip_in_ip_in_all_four_ways),
		TEST(every_flag_of_gre_is_understood),
		TEST(gre_bridges_ethernet_with_its_tags),
		TEST(all_versions_of_erspan_are_mirrors),
		TEST(pptp_is_ppp_in_gre),
		TEST(gre_that_leads_nowhere_is_a_protocol),
		TEST(vxlan_is_entered_when_its_flags_say_so),
		TEST(what_is_no_flow_inside_leaves_the_datagram),
		TEST(gtp_carries_packets_behind_options_and_extensions),
		TEST(gtp_of_other_kinds_is_a_datagram),
		TEST(geneve_is_entered_behind_its_options),
		TEST(pppoe_with_both_families),
		TEST(ethernet_over_mpls_has_a_control_word),
		TEST(teredo_is_the_flow_that_it_is),
		TEST(tunnels_in_tunnels_up_to_the_limit),
		TEST(beyond_the_limit_a_datagram_is_a_datagram),
		TEST(without_tunnels_the_outside_is_metered),
		TEST(a_short_snap_length_changes_no_count),
		TEST(padding_is_not_payload),
		TEST(fragments_inside_are_fragments),
		TEST(fragments_of_a_tunnel_are_counted_once),
		TEST(every_link_type_may_carry_tunnels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
